import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { announcements as commands } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { content, payloadOf } from './content.js';
import type { Key } from './keys.js';
import { idempotency } from './messages.js';
import { Problem } from './problem.js';
import { actingUser, actorOf, groupId, problems, userId } from './schemas.js';
import { sendIds } from './sending.js';

const { Audience } = IM.Console;
/** The answer waits so long for the last receiver; what takes longer is asked for under its address. */
const ANSWER_MS_MAX = 20_000;
const LOOK_MS = 50;

const id = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });
const state = z.object({
  id: z.number(),
  state: z.enum(['sending', 'done', 'stopped']),
  receivers: z.number().describe('while it is being sent: as many as there were at the beginning'),
  sent: z.number(),
  failed: z.array(z.object({ user: z.number(), code: z.string() })).describe('up to a hundred of them'),
});
type State = z.infer<typeof state>;

/**
 * A message of its own to each person of a department, a group, or all. It is kept and sent by whatever server has time
 * (common/chat/announcer.ts), so it reaches everybody whatever dies in between; under the same Idempotency-Key it is
 * the same one.
 */
export const announcements = (ctx: HttpMsgContext) => async (app: Api) => {
  app.post(
    '/announcements',
    {
      config: { scope: 'announcements:send' },
      schema: {
        tags: ['Messages'],
        operationId: 'announce',
        summary: 'A message to each of many',
        description:
          '200 when all have it, 202 when that takes longer: `GET /announcements/{id}` then says how far it is. It goes on ' +
          'without you; asked again under the same `Idempotency-Key`, it is the same one.',
        headers: idempotency.required(),
        body: z.strictObject({
          from: userId.optional().describe('the account that says it; a key with a user of its own needs none'),
          to: z.union([
            z.strictObject({ department: z.int().min(1).describe('with all below it') }),
            z.strictObject({ group: groupId }),
            z.strictObject({ everybody: z.literal(true) }),
          ]),
          content,
        }),
        response: { 200: state, 202: state, ...problems },
      },
    },
    async (request, reply) => {
      const { body, key } = request;
      const fromUserId = actingUser(key, body.from, 'from');
      const payload = payloadOf(body.content, false);
      const ids = await sendIds(ctx, key, request.headers['idempotency-key'], ['announcement', body]);
      const { announcement } = await ctx.dbProxies.ask(commands.begin, {
        actor: actorOf(request),
        fromUserId,
        ...audienceOf(body.to),
        ...payload,
        requestId: ids.of('announcement'),
      });
      ctx.announcer.wake();
      const known = await ended(ctx, announcement);
      return reply.code(known.state === 'sending' ? 202 : 200).send(known);
    },
  );

  app.get(
    '/announcements/:id',
    {
      config: { scope: 'announcements:send' },
      schema: {
        tags: ['Messages'],
        operationId: 'getAnnouncement',
        summary: 'How far an announcement of this key is',
        params: id,
        response: { 200: state, ...problems },
      },
    },
    async (request) => stateOf(await own(ctx, request.key, request.params.id)),
  );

  app.post(
    '/announcements/:id/stop',
    {
      config: { scope: 'announcements:send' },
      schema: {
        tags: ['Messages'],
        operationId: 'stopAnnouncement',
        summary: 'End an announcement of this key where it is',
        params: id,
        response: { 200: state, ...problems },
      },
    },
    async (request) => {
      const { id } = await own(ctx, request.key, request.params.id);
      const asked = { id, stop: actorOf(request), limit: 1 };
      const [stopped] = (await ctx.dbProxies.ask(commands.list, asked)).announcementList;
      return stateOf(stopped!);
    },
  );
};

function audienceOf(to: { department: number } | { group: number } | { everybody: true }) {
  if ('department' in to) return { audience: Audience.AUDIENCE_DEPARTMENT, audienceId: to.department };
  return 'group' in to
    ? { audience: Audience.AUDIENCE_MEMBERS, audienceId: to.group }
    : { audience: Audience.AUDIENCE_EVERYBODY };
}

/** As it is when it has ended, or when the time is over. */
async function ended(ctx: HttpMsgContext, begun: IM.Console.Announcement): Promise<State> {
  const deadlineMs = performance.now() + ANSWER_MS_MAX;
  for (let found = begun; ; await setTimeout(LOOK_MS)) {
    const known = stateOf(found);
    if (known.state !== 'sending' || performance.now() > deadlineMs) return known;
    const { announcementList } = await ctx.dbProxies.ask(commands.list, { id: begun.id, limit: 1 });
    found = announcementList[0] ?? found;
  }
}

/** Others' are not there for a key. @throws Problem 404 */
async function own(ctx: HttpMsgContext, key: Key, id: number): Promise<IM.Console.Announcement> {
  const [found] = (await ctx.dbProxies.ask(commands.list, { id, limit: 1 })).announcementList;
  if (found === undefined || found.byKind !== 'api-key' || found.byName !== key.id)
    throw new Problem(404, 'NO_SUCH_ANNOUNCEMENT', `there is no announcement ${id} of this key`);
  return found;
}

function stateOf(it: IM.Console.Announcement): State {
  const state = it.endedMs === undefined ? 'sending' : it.stoppedBy === undefined ? 'done' : 'stopped';
  return {
    id: it.id,
    state,
    receivers: state === 'sending' ? it.receivers : it.sent + it.failed,
    sent: it.sent,
    failed: it.failureList.map(({ userId, code }) => ({ user: userId, code })),
  };
}
