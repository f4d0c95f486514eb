import { z } from 'zod';
import {
  groupConversation,
  groupOf,
  isGroupConversation,
  isGroupId,
  isUserId,
  singleConversation,
  usersOf,
} from '../../../common/conversation.js';
import { consoleView, directory } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { TraceFound, TracePlace, TraceStored } from '../api.js';
import type { AdminContext } from '../context.js';
import { ProblemError } from '../problem.js';
import { route } from '../route.js';

const { SessionType } = IM.BaseDefine;
const id = z.coerce.number().int().min(1);
const READERS_SHOWN_MAX = 200;
const MSG_ID_MAX = 999_999_999;

/** The way of one message, never what it says: by its conversation and one of its ids, or by its send_id alone. */
export const traceRoutes = [
  route({
    method: 'GET',
    path: '/api/trace',
    needs: 'trace',
    query: z.strictObject({
      kind: z.enum(['single', 'group']).optional(),
      user: id.optional(),
      session: id.optional(),
      msgId: id.max(MSG_ID_MAX).optional(),
      sendId: z
        .string()
        .transform((text) => text.replaceAll('-', '').toLowerCase())
        .pipe(z.string().regex(/^[0-9a-f]{32}$/))
        .optional(),
    }),
    async handle(ctx, { query }): Promise<TraceFound> {
      const { kind, user, session, msgId } = query;
      const sendId = query.sendId === undefined ? undefined : Buffer.from(query.sendId, 'hex');
      if (kind === undefined) {
        if (sendId === undefined) throw new ProblemError('BAD_REQUEST', { field: 'sendId' });
        return bySendId(ctx, sendId);
      }
      if (msgId === undefined && sendId === undefined) throw new ProblemError('BAD_REQUEST', { field: 'msgId' });
      if (session === undefined) throw new ProblemError('BAD_REQUEST', { field: 'session' });
      if (kind === 'single' && (user === undefined || user === session))
        throw new ProblemError('BAD_REQUEST', { field: 'user' });
      return inPlace(ctx, { kind, user: user ?? 0, session, msgId: msgId ?? 0 }, sendId);
    },
  }),
];

/** The servers know of the last ones at once; for older ones the shards are looked through. */
async function bySendId(ctx: AdminContext, sendId: Buffer): Promise<TraceFound> {
  const { hops, servers } = await ctx.hopFinder.find({ sendId });
  const remembered = hops.find((hop) => hop.msgId > 0) ?? hops[0];
  if (remembered !== undefined) return inPlace(ctx, placeOf(remembered.conversationId, remembered.msgId), sendId);
  const asked = { sessionType: SessionType.SESSION_TYPE_SINGLE, userId: 0, sessionId: 0, sendId };
  const { placeList, cutOff } = await ctx.dbProxies.ask(consoleView.trace, asked);
  const places = placeList.map((each) => placeOf(each.conversationId, each.msgId));
  if (places.length === 1) return inPlace(ctx, places[0]!, sendId);
  if (places.length > 1) return { places, stored: undefined, hops: [], servers };
  throw new ProblemError(cutOff === true ? 'TIMEOUT' : 'NOT_FOUND', { field: 'sendId' });
}

/** A message that is not stored may still be one that was refused. @throws ProblemError NOT_FOUND: neither */
async function inPlace(ctx: AdminContext, place: TracePlace, sendId: Buffer | undefined): Promise<TraceFound> {
  const conversationId = conversationOf(place);
  const stored = await storedIn(ctx, place, sendId);
  const msgId = stored?.msgId ?? place.msgId;
  const { hops, servers } = await ctx.hopFinder.find({
    ...(msgId > 0 ? { conversationId, msgId } : {}),
    sendId: stored === undefined ? sendId : Buffer.from(stored.sendId, 'hex'),
  });
  const here = hops.filter((hop) => hop.conversationId === String(conversationId));
  if (stored === undefined && here.length === 0) throw new ProblemError('NOT_FOUND');
  return { places: [{ ...place, msgId }], stored, hops: here, servers };
}

async function storedIn(
  ctx: AdminContext,
  { kind, user, session, msgId }: TracePlace,
  sendId: Buffer | undefined,
): Promise<TraceStored | undefined> {
  const found = await ctx.dbProxies.ask(consoleView.trace, {
    sessionType: kind === 'single' ? SessionType.SESSION_TYPE_SINGLE : SessionType.SESSION_TYPE_GROUP,
    userId: user,
    sessionId: session,
    ...(msgId > 0 ? { msgId } : { sendId }),
  });
  if (found.message === undefined) return undefined;
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
}

function placeOf(conversationId: string, msgId: number): TracePlace {
  const conversation = BigInt(conversationId);
  if (isGroupConversation(conversation)) return { kind: 'group', user: 0, session: groupOf(conversation), msgId };
  const [user, session] = usersOf(conversation);
  return { kind: 'single', user, session, msgId };
}

function conversationOf({ kind, user, session }: TracePlace): bigint {
  if (kind === 'group' && isGroupId(session)) return groupConversation(session);
  if (kind === 'single' && isUserId(user) && isUserId(session)) return singleConversation(user, session);
  throw new ProblemError('BAD_REQUEST', { field: 'session' });
}
