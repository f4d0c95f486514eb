import { z } from 'zod';
import { conversationOfDraft } from '../../../common/chat/message.js';
import { HISTORY_PAGE_MAX } from '../../../common/limits.js';
import { message } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { content, payloadOf, shown, shownMessage } from './content.js';
import { Problem } from './problem.js';
import {
  actingUser,
  cursorOf,
  groupId,
  limit,
  placeOf,
  problems,
  queryGroupId,
  queryUserId,
  userId,
} from './schemas.js';
import { sendIds } from './sending.js';

const { SessionType } = IM.BaseDefine;

export const receiver = z.union([z.strictObject({ user: userId }), z.strictObject({ group: groupId })]);
export const idempotency = z.object({
  'idempotency-key': z.string().optional().describe('the same again is stored once and answered as before'),
});

const history = z
  .strictObject({
    as: queryUserId.optional().describe('whose conversation it is; a key with a user of its own needs none'),
    user: queryUserId.optional().describe('the other one'),
    group: queryGroupId.optional(),
    limit: limit(HISTORY_PAGE_MAX, 50),
    cursor: z.string().max(64).optional().describe('next of the page before'),
  })
  .refine((it) => (it.user === undefined) !== (it.group === undefined), 'either user or group');

export const messages = (ctx: HttpMsgContext) => async (app: Api) => {
  app.post(
    '/messages',
    {
      config: { scope: 'messages:send' },
      schema: {
        tags: ['Messages'],
        operationId: 'sendMessage',
        summary: 'Send a message',
        description: 'Answered when it is stored. It goes to all devices of its receivers at once.',
        headers: idempotency,
        body: z.strictObject({
          from: userId.optional().describe('who says it; a key with a user of its own needs none'),
          to: receiver,
          content,
        }),
        response: {
          201: z.object({ id: z.string(), number: z.number(), at: z.string(), duplicate: z.boolean() }),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { body, key } = request;
      const fromUserId = actingUser(key, body.from, 'from');
      const isGroup = 'group' in body.to;
      const toSessionId = 'group' in body.to ? body.to.group : body.to.user;
      if (!isGroup && toSessionId === fromUserId) throw new Problem(403, 'NOT_ALLOWED', 'to: a message to oneself');
      const ids = await sendIds(ctx, key, request.headers['idempotency-key'], ['message', body]);
      const draft = { fromUserId, toSessionId, ...payloadOf(body.content, isGroup), sendId: ids.of('message') };
      const stored = await ctx.sender.send(draft);
      request.span?.linkMessage(conversationOfDraft(draft), stored.msgId);
      const { id, number, at } = shown({ ...draft, ...stored });
      return reply.code(201).send({ id, number, at, duplicate: stored.duplicate });
    },
  );

  app.get(
    '/messages',
    {
      config: { scope: 'messages:read' },
      schema: {
        tags: ['Messages'],
        operationId: 'listMessages',
        summary: 'Read a conversation, newest first',
        description: 'Of a group only to its members, and only from their joining on.',
        querystring: history,
        response: { 200: z.object({ messages: z.array(shownMessage), next: z.string().nullable() }), ...problems },
      },
    },
    async (request) => {
      const { as, user, group, limit: msgCnt, cursor } = request.query;
      const me = actingUser(request.key, as, 'as');
      if (me === user) throw new Problem(400, 'BAD_REQUEST', 'user: is the same as "as"');
      const sessionType = group === undefined ? SessionType.SESSION_TYPE_SINGLE : SessionType.SESSION_TYPE_GROUP;
      const sessionId = (group ?? user)!;
      const msgIdBegin = placeOf(cursor) ?? 0;
      const { msgList } = await ctx.dbProxies.ask(
        message.list,
        { userId: me, sessionType, sessionId, msgIdBegin, msgCnt },
        me,
      );
      const found = msgList.map((each) => {
        const toSessionId = group ?? (each.fromSessionId === me ? sessionId : me);
        return shown({ ...each, fromUserId: each.fromSessionId, toSessionId, createTimeMs: each.createTime * 1000 });
      });
      const oldest = found.at(-1)?.number ?? 1;
      return { messages: found, next: oldest > 1 ? cursorOf(oldest - 1) : null };
    },
  );
};
