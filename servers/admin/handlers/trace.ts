import { z } from 'zod';
import { consoleView, directory } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { TraceFound } from '../api.js';
import { ProblemError } from '../problem.js';
import { route } from '../route.js';

const { SessionType } = IM.BaseDefine;
const id = z.coerce.number().int().min(1);

/** The way of one message, never what it says. */
export const traceRoutes = [
  route({
    method: 'GET',
    path: '/api/trace',
    needs: 'trace',
    query: z.strictObject({
      kind: z.enum(['single', 'group']),
      user: id.optional(),
      session: id,
      msgId: id.optional(),
      sendId: z
        .string()
        .transform((text) => text.replaceAll('-', '').toLowerCase())
        .pipe(z.string().regex(/^[0-9a-f]{32}$/))
        .optional(),
    }),
    async handle(ctx, { query }): Promise<TraceFound> {
      if (query.msgId === undefined && query.sendId === undefined)
        throw new ProblemError('BAD_REQUEST', { field: 'msgId' });
      if (query.kind === 'single' && query.user === undefined) throw new ProblemError('BAD_REQUEST', { field: 'user' });
      const found = await ctx.dbProxies.ask(consoleView.trace, {
        sessionType: query.kind === 'single' ? SessionType.SESSION_TYPE_SINGLE : SessionType.SESSION_TYPE_GROUP,
        userId: query.user ?? 0,
        sessionId: query.session,
        msgId: query.msgId,
        sendId: query.sendId === undefined ? undefined : Buffer.from(query.sendId, 'hex'),
      });
      if (found.message === undefined) throw new ProblemError('NOT_FOUND');
      const userIdList = found.readerList.slice(0, READERS_SHOWN_MAX).map((each) => each.userId);
      const people = await ctx.dbProxies.ask(directory.people, { limit: READERS_SHOWN_MAX, userIdList });
      const nickOf = new Map(people.personList.map((each) => [each.userId, each.nick]));
      const online = ctx.routes.open ? (await ctx.routes.ask(consoleView.whereabouts, { userIdList })).sessionList : [];
      return {
        ...found.message,
        sendId: Buffer.from(found.message.sendId).toString('hex'),
        effects: found.effectList,
        readers: found.readerList.slice(0, READERS_SHOWN_MAX).map((each) => ({
          ...each,
          nick: nickOf.get(each.userId) ?? String(each.userId),
          online: online.some((session) => session.userId === each.userId),
        })),
        readersInAll: found.readerList.length,
      };
    },
  }),
];

const READERS_SHOWN_MAX = 200;
