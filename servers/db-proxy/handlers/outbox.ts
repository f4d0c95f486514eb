import { ImError } from '../../../common/errors.js';
import { OUTBOX_CLAIM_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import { type Message, type Place, placeKey } from '../storage/messages.js';
import { PUSH } from '../storage/pushes.js';
import { sessionOf } from './buddy.js';

/** What is to be done because of messages, for somebody who does it. The first claim makes him known. */
export async function claim(
  ctx: DbProxyContext,
  asked: IM.Api.IMOutboxClaimReq,
): Promise<IM.Api.IMOutboxClaimRsp.$Properties> {
  // Without a single phone nobody is to be told of anything, and no message pays for it.
  const consumer =
    asked.consumer === PUSH && !(await ctx.pushes.wanted()) ? undefined : await consumerOf(ctx, asked.consumer);
  if (asked.limit < 1 || asked.limit > OUTBOX_CLAIM_MAX)
    throw new ImError('BAD_REQUEST', `limit ${asked.limit}, 1 to ${OUTBOX_CLAIM_MAX} are allowed`);
  if (consumer === undefined) return { effectList: [] };
  const effects = await ctx.outbox.claim(consumer, asked.limit, asked.leaseMs);
  const messages = asked.withMessages === true ? await ctx.messages.at(effects, true) : new Map<string, Message>();
  return {
    effectList: effects.map((effect) => {
      const message = messages.get(placeKey(effect));
      return { ...placeOf(effect), message: message && storedMessage(message) };
    }),
  };
}

export async function done(
  ctx: DbProxyContext,
  asked: IM.Api.IMOutboxDoneReq,
): Promise<IM.Api.IMOutboxDoneRsp.$Properties> {
  const effects = asked.effectList.map((each) => ({ conversationId: BigInt(each.conversationId), msgId: each.msgId }));
  if (effects.length > 0) await ctx.outbox.done(await consumerOf(ctx, asked.consumer), effects);
  return {};
}

export async function consumerOf(ctx: DbProxyContext, name: string): Promise<number> {
  // The events' own rows are nobody else's to take.
  if (!/^[a-z-]{1,32}$/.test(name) || name === 'events')
    throw new ImError('BAD_REQUEST', `no consumer is called ${name}`);
  return (await ctx.outbox.consumerOf(name)) ?? ctx.outbox.register(name);
}

function placeOf({ conversationId, msgId }: Place): { conversationId: string; msgId: number } {
  return { conversationId: String(conversationId), msgId };
}

/** A message as servers hand it on among themselves. */
export function storedMessage(message: Message): IM.Cluster.StoredMessage.$Properties {
  return {
    fromUserId: message.senderId,
    toSessionId: sessionOf(message.senderId, message.conversationId).sessionId,
    msgId: message.msgId,
    createTimeMs: message.createTimeMs,
    msgType: message.msgType,
    msgData: message.body,
  };
}
