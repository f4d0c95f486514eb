import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type Draft, pushFrame, storeDraft } from '../../../common/chat/message.js';
import { ImError } from '../../../common/errors.js';
import { ADMIN_PAGE_MAX } from '../../../common/limits.js';
import { cluster, directory } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { encryptText } from '../../../common/text-cipher.js';
import type { AnnouncementState, Person } from '../api.js';
import type { AdminContext, Caller } from '../context.js';
import { ProblemError } from '../problem.js';
import { route } from '../route.js';

const { MsgType } = IM.BaseDefine;
const TEXT_LENGTH_MAX = 1_000;
/** Messages under way at once: the chat of everybody goes before. */
const AT_ONCE = 32;
const LEFT = 3;

const audience = z.discriminatedUnion('to', [
  z.strictObject({ to: z.literal('everybody') }),
  z.strictObject({ to: z.literal('department'), id: z.number().int().min(1) }),
  z.strictObject({ to: z.literal('group'), id: z.number().int().min(1) }),
]);
type Audience = z.infer<typeof audience>;

/** A message from one account to many, each in a conversation of its own; a group gets it once, from a member. */
export const announcementRoutes = [
  route({
    method: 'GET',
    path: '/api/announcements',
    needs: 'announce',
    handle: (ctx): readonly AnnouncementState[] => ctx.announcements.states,
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
      const { personList } = await ctx.dbProxies.ask(directory.people, { limit: 1, userIdList: [body.fromUserId] });
      if (personList[0] === undefined || personList[0].status === LEFT)
        throw new ProblemError('NO_SUCH_USER', { field: 'fromUserId' });
      return ctx.announcements.begin(ctx, caller, body);
    },
  }),
];

interface Announcement {
  readonly fromUserId: number;
  readonly text: string;
  readonly audience: Audience;
}

const KEPT = 20;

/** Those that are being sent, and the last ones that were. */
export class Announcements {
  readonly #states: { -readonly [K in keyof AnnouncementState]: AnnouncementState[K] }[] = [];
  #closed = false;

  /** Newest first. */
  get states(): readonly AnnouncementState[] {
    return this.#states;
  }

  /** Written into the audit trail, then sent in the background. @throws ProblemError BUSY while one is being sent */
  async begin(ctx: AdminContext, caller: Caller, asked: Announcement): Promise<AnnouncementState> {
    if (this.#states[0]?.running === true) throw new ProblemError('BUSY');
    const state = { startedMs: Date.now(), by: caller.name, text: asked.text, sent: 0, failed: 0, running: true };
    this.#states.unshift(state);
    this.#states.length = Math.min(this.#states.length, KEPT);
    const { to, ...which } = asked.audience;
    const after = JSON.stringify({ from: asked.fromUserId, to, ...which, characters: asked.text.length });
    const subject = `user:${asked.fromUserId}`;
    await ctx.dbProxies.ask(directory.noteAudit, { actor: caller.actor, action: 'announcement.send', subject, after });
    void this.#send(ctx, asked, state)
      .catch((error: unknown) => ctx.log.error({ error }, 'an announcement broke off'))
      .finally(() => {
        state.running = false;
      });
    return state;
  }

  close(): void {
    this.#closed = true;
  }

  async #send(ctx: AdminContext, asked: Announcement, state: { sent: number; failed: number }): Promise<void> {
    const { fromUserId, audience: to } = asked;
    const msgData = encryptText(asked.text);
    const one = (toSessionId: number, msgType: IM.BaseDefine.MsgType) =>
      send(ctx, { fromUserId, toSessionId, msgType, msgData, sendId: freshId() }).then(
        () => state.sent++,
        (error: unknown) => {
          if (!(error instanceof ImError)) throw error;
          state.failed++;
        },
      );
    if (to.to === 'group') {
      await one(to.id, MsgType.MSG_TYPE_GROUP_TEXT);
      return;
    }
    let after: string | undefined;
    do {
      const departmentId = to.to === 'department' ? to.id : undefined;
      const page = await ctx.dbProxies.ask(directory.people, { limit: ADMIN_PAGE_MAX, after, departmentId });
      const people = (page.personList as Person[]).filter((it) => it.status !== LEFT && it.userId !== fromUserId);
      for (let i = 0; i < people.length && !this.#closed; i += AT_ONCE)
        await Promise.all(people.slice(i, i + AT_ONCE).map((it) => one(it.userId, MsgType.MSG_TYPE_SINGLE_TEXT)));
      after = page.next;
    } while (after !== undefined && !this.#closed);
  }
}

async function send(ctx: AdminContext, draft: Draft): Promise<void> {
  const { fromUserId, toSessionId, msgType } = draft;
  const sinceMs = Date.now();
  const stored = await storeDraft(ctx.dbProxies, draft).catch((error: unknown) => {
    // It may be stored: who is online then looks for what nobody told of.
    if (error instanceof ImError && error.retry) ctx.routes.tell(cluster.disturbed, { sinceMs });
    throw error;
  });
  const isGroup = msgType === MsgType.MSG_TYPE_GROUP_TEXT;
  ctx.routes.tell(cluster.publish, {
    ...(isGroup ? { groupId: toSessionId } : { userIdList: [fromUserId, toSessionId] }),
    frame: pushFrame(draft, stored),
    msgId: stored.msgId,
  });
}

function freshId(): Buffer {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
}
