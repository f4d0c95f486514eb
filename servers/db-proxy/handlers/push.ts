import { groupOf, isGroupConversation } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { OUTBOX_CLAIM_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { Place } from '../storage/messages.js';
import type { PushTarget } from '../storage/pushes.js';
import { sessionOf } from './buddy.js';
import { consumerOf } from './outbox.js';

export async function plan(
  ctx: DbProxyContext,
  asked: IM.Push.IMPushPlanReq,
): Promise<IM.Push.IMPushPlanRsp.$Properties> {
  const planned = await ctx.pushes.plan(placesOf(asked.placeList), asked.withText, Date.now());
  return {
    pushList: planned.map(({ message, fromNick, groupName, text, targets }) => {
      const { conversationId, msgId, senderId, msgType, createTimeMs } = message;
      const ofGroup = isGroupConversation(conversationId) ? groupOf(conversationId) : undefined;
      return {
        place: { conversationId: String(conversationId), msgId },
        fromUserId: senderId,
        fromNick,
        sessionType: sessionOf(senderId, conversationId).sessionType,
        groupId: ofGroup,
        groupName,
        msgType,
        createTimeMs,
        text,
        targetList: targets.map((target) => shownTo(target, conversationId)),
      };
    }),
  };
}

export async function settle(
  ctx: DbProxyContext,
  asked: IM.Push.IMPushSettledReq,
): Promise<IM.Push.IMPushSettledRsp.$Properties> {
  const told = asked.shownList.map(({ userId, place }) => ({ userId, place: placeOf(place) }));
  await ctx.pushes.settle(told, asked.invalidTokenList);
  return {};
}

export async function devices(
  ctx: DbProxyContext,
  { userId }: IM.Push.IMPushDevicesReq,
): Promise<IM.Push.IMPushDevicesRsp.$Properties> {
  return { deviceList: await ctx.pushes.devices(userId) };
}

export async function postpone(
  ctx: DbProxyContext,
  asked: IM.Push.IMOutboxPostponeReq,
): Promise<IM.Push.IMOutboxPostponeRsp.$Properties> {
  await ctx.outbox.postpone(await consumerOf(ctx, asked.consumer), placesOf(asked.placeList), asked.delayMs);
  return {};
}

export async function withdraw(
  ctx: DbProxyContext,
  asked: IM.Push.IMPushWithdrawReq,
): Promise<IM.Push.IMPushWithdrawRsp.$Properties> {
  const read = placeOf(asked.read);
  const target = await ctx.pushes.withdraw(asked.userId, read);
  if (target === undefined) return {};
  const { sessionType } = sessionOf(asked.userId, read.conversationId);
  return { sessionType, target: shownTo(target, read.conversationId) };
}

function shownTo(target: PushTarget, conversationId: bigint): IM.Push.PushTarget.$Properties {
  return { ...target, sessionId: sessionOf(target.userId, conversationId).sessionId };
}

function placesOf(list: readonly IM.Push.PushPlace.$Properties[]): Place[] {
  if (list.length > OUTBOX_CLAIM_MAX)
    throw new ImError('BAD_REQUEST', `${list.length} places, at most ${OUTBOX_CLAIM_MAX} are allowed`);
  return list.map(placeOf);
}

function placeOf({ conversationId, msgId }: IM.Push.PushPlace.$Properties): Place {
  return { conversationId: BigInt(conversationId), msgId };
}
