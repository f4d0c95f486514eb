import { z } from 'zod';
import { ImError } from '../../../common/errors.js';
import { ADMIN_PAGE_MAX } from '../../../common/limits.js';
import { directory } from '../../../common/pdu/commands.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { content, payloadOf } from './content.js';
import { idempotency } from './messages.js';
import { actingUser, groupId, problems, userId } from './schemas.js';
import { sendIds } from './sending.js';
import { STATUS } from './users.js';

/** Messages of one announcement that are on their way at once. */
const AT_ONCE = 64;
const FAILURES_SHOWN_MAX = 100;
const IN_SERVICE = STATUS.flatMap((name, status) => (name === 'left' ? [] : [status]));

/**
 * A message of its own to each person of a department, a group, or all. Nothing is kept of it: under the same
 * Idempotency-Key it goes on where it was cut off, as each receiver's message has an id that follows from the key.
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
          'Answered when all are stored. Cut off in between, ask again under the same `Idempotency-Key`: nobody gets it twice.',
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
        response: {
          200: z.object({
            receivers: z.number(),
            sent: z.number().describe('by this call or an earlier one under the same key'),
            failed: z.array(z.object({ user: z.number(), code: z.string() })).describe('up to a hundred of them'),
          }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { body, key } = request;
      const fromUserId = actingUser(key, body.from, 'from');
      const payload = payloadOf(body.content, false);
      const ids = await sendIds(ctx, key, request.headers['idempotency-key'], ['announcement', body]);
      const failed: { user: number; code: string }[] = [];
      let [receivers, failures] = [0, 0];
      const tell = async (toSessionId: number) => {
        receivers++;
        try {
          await ctx.sender.send({ fromUserId, toSessionId, ...payload, sendId: ids.of(String(toSessionId)) });
        } catch (error) {
          if (!(error instanceof ImError)) throw error;
          failures++;
          if (failed.length < FAILURES_SHOWN_MAX) failed.push({ user: toSessionId, code: error.code });
        }
      };
      for await (const page of receiversOf(ctx, body.to)) {
        const waiting = page.filter((id) => id !== fromUserId);
        await Promise.all(
          Array.from({ length: AT_ONCE }, async () => {
            for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) await tell(id);
          }),
        );
      }
      return { receivers, sent: receivers - failures, failed };
    },
  );
};

async function* receiversOf(
  ctx: HttpMsgContext,
  to: { department: number } | { group: number } | { everybody: true },
): AsyncGenerator<number[]> {
  if ('group' in to) {
    const { memberList } = await ctx.dbProxies.ask(directory.groupMembers, { groupId: to.group });
    yield memberList.filter(({ status }) => IN_SERVICE.includes(status)).map((each) => each.userId);
    return;
  }
  const departmentId = 'department' in to ? to.department : undefined;
  let after: string | undefined;
  do {
    const asked = { departmentId, statusList: IN_SERVICE, limit: ADMIN_PAGE_MAX, after };
    const page = await ctx.dbProxies.ask(directory.people, asked);
    yield page.personList.map((each) => each.userId);
    after = page.next ?? undefined;
  } while (after !== undefined);
}
