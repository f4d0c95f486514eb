import { z } from 'zod';
import { ANNOUNCEMENTS_LISTED_MAX } from '../../../common/limits.js';
import { announcements } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { decryptText, encryptText } from '../../../common/text-cipher.js';
import type { AnnouncementState } from '../api.js';
import { ProblemError } from '../problem.js';
import { route } from '../route.js';

const { Audience } = IM.Console;
const { MsgType } = IM.BaseDefine;
const TEXT_LENGTH_MAX = 1_000;

const audience = z.discriminatedUnion('to', [
  z.strictObject({ to: z.literal('everybody') }),
  z.strictObject({ to: z.literal('department'), id: z.number().int().min(1) }),
  z.strictObject({ to: z.literal('group'), id: z.number().int().min(1) }),
]);

/**
 * A message from one account to many, each in a conversation of its own; a group gets it once, from a member. Kept in
 * meta, and sent by whatever console or http-msg server has time: see common/chat/announcer.ts.
 */
export const announcementRoutes = [
  route({
    method: 'GET',
    path: '/api/announcements',
    needs: 'announce',
    async handle(ctx): Promise<readonly AnnouncementState[]> {
      const { announcementList } = await ctx.dbProxies.ask(announcements.list, { limit: ANNOUNCEMENTS_LISTED_MAX });
      return announcementList.map(stateOf);
    },
  }),
  route({
    method: 'POST',
    path: '/api/announcements',
    needs: 'announce',
    body: z.strictObject({
      fromUserId: z.number().int().min(1),
      text: z.string().trim().min(1).max(TEXT_LENGTH_MAX),
      audience,
    }),
    async handle(ctx, { caller, body }): Promise<AnnouncementState> {
      const { fromUserId, text, audience } = body;
      const { announcement } = await ctx.dbProxies.ask(announcements.begin, {
        actor: caller.actor,
        fromUserId,
        audience: AUDIENCES[audience.to],
        audienceId: 'id' in audience ? audience.id : undefined,
        msgType: audience.to === 'group' ? MsgType.MSG_TYPE_GROUP_TEXT : MsgType.MSG_TYPE_SINGLE_TEXT,
        msgData: encryptText(text),
      });
      ctx.announcer.wake();
      return stateOf(announcement);
    },
  }),
  route({
    method: 'POST',
    path: '/api/announcements/:id/stop',
    needs: 'announce',
    async handle(ctx, { caller, params }): Promise<AnnouncementState> {
      const asked = { id: params.id!, stop: caller.actor, limit: 1 };
      const [found] = (await ctx.dbProxies.ask(announcements.list, asked)).announcementList;
      if (found === undefined) throw new ProblemError('NOT_FOUND');
      return stateOf(found);
    },
  }),
];

const AUDIENCES = {
  everybody: Audience.AUDIENCE_EVERYBODY,
  department: Audience.AUDIENCE_DEPARTMENT,
  group: Audience.AUDIENCE_GROUP,
} as const;

const TO = {
  [Audience.AUDIENCE_EVERYBODY]: 'everybody',
  [Audience.AUDIENCE_DEPARTMENT]: 'department',
  [Audience.AUDIENCE_MEMBERS]: 'members',
  [Audience.AUDIENCE_GROUP]: 'group',
} as const;

function stateOf(it: IM.Console.Announcement): AnnouncementState {
  return {
    id: it.id,
    startedMs: it.createdMs,
    endedMs: it.endedMs,
    by: it.byName,
    byKey: it.byKind === 'api-key',
    fromUserId: it.fromUserId,
    to: TO[it.audience],
    toId: it.audienceId,
    text: decryptText(it.msgData) ?? '',
    receivers: it.receivers,
    sent: it.sent,
    failed: it.failed,
    running: it.endedMs === undefined,
    stoppedBy: it.stoppedBy,
  };
}
