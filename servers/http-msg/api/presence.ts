import { z } from 'zod';
import { USERS_ASKED_MAX } from '../../../common/limits.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { Problem } from './problem.js';
import { problems, queryUserId } from './schemas.js';

export const presence = (ctx: HttpMsgContext) => async (app: Api) => {
  app.get(
    '/presence',
    {
      config: { scope: 'presence:read' },
      schema: {
        tags: ['Presence'],
        operationId: 'listPresence',
        summary: 'Who is online',
        description: 'As TeamTalk clients show it: with a PC. A user that does not exist is offline.',
        querystring: z.strictObject({ users: z.string().min(1).max(12_000).describe('ids, separated by commas') }),
        response: {
          200: z.object({ users: z.array(z.object({ user: z.number(), online: z.boolean() })) }),
          ...problems,
        },
      },
    },
    async (request) => {
      const ids = z.array(queryUserId).max(USERS_ASKED_MAX).safeParse(request.query.users.split(','));
      if (!ids.success)
        throw new Problem(400, 'BAD_REQUEST', `users: up to ${USERS_ASKED_MAX} ids, separated by commas`);
      const online = await ctx.routes.online(ids.data);
      return { users: ids.data.map((user) => ({ user, online: online.has(user) })) };
    },
  );
};
