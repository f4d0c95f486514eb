import { isUserId } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { WEBHOOK_URL_LENGTH_MAX, WEBHOOKS_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import { placeKey } from '../storage/messages.js';
import type { Parcel, SigningWebhook, Webhook } from '../storage/webhooks.js';
import { eventOf } from './event.js';

const PARCELS_MAX = 100;
const LETTERS_MAX = 100;

/** Makes one, or changes one. */
export async function put(
  ctx: DbProxyContext,
  asked: IM.Api.IMWebhookPutReq,
): Promise<IM.Api.IMWebhookPutRsp.$Properties> {
  const { id, url, userId, withBodies, active } = asked;
  const keyId = ownerOf(asked);
  if (url !== undefined && (url.length > WEBHOOK_URL_LENGTH_MAX || !/^https?:\/\//.test(url)))
    throw new ImError('BAD_REQUEST', `url: http or https, up to ${WEBHOOK_URL_LENGTH_MAX} characters`);
  if (id !== undefined) {
    const changed = await ctx.webhooks.change(id, keyId, { url, withBodies, active });
    return { webhook: changed && plainWebhook(changed) };
  }
  if (url === undefined) throw new ImError('BAD_REQUEST', 'url: is missing');
  if (userId !== undefined && !isUserId(userId)) throw new ImError('NO_SUCH_USER', `user ${userId}`);
  if ((await ctx.webhooks.list(undefined)).length >= WEBHOOKS_MAX)
    throw new ImError('NOT_ALLOWED', `there are ${WEBHOOKS_MAX} webhooks, more are not allowed`);
  await ctx.events.want();
  const made = await ctx.webhooks.create({ url, userId, withBodies: withBodies ?? false, keyId });
  return { webhook: plainWebhook(made) };
}

export async function list(
  ctx: DbProxyContext,
  asked: IM.Api.IMWebhookListReq,
): Promise<IM.Api.IMWebhookListRsp.$Properties> {
  const found = await ctx.webhooks.list(ownerOf(asked));
  return { webhookList: found.map((each) => ({ ...each, ...plainWebhook(each) })) };
}

export async function remove(
  ctx: DbProxyContext,
  asked: IM.Api.IMWebhookDeleteReq,
): Promise<IM.Api.IMWebhookDeleteRsp.$Properties> {
  return { deleted: await ctx.webhooks.remove(asked.id, ownerOf(asked)) };
}

export async function claim(
  ctx: DbProxyContext,
  asked: IM.Api.IMParcelsClaimReq,
): Promise<IM.Api.IMParcelsClaimRsp.$Properties> {
  const limit = Math.min(asked.limit, PARCELS_MAX);
  const parcels = await ctx.webhooks.claim(limit, asked.limitPerWebhook, asked.leaseMs, asked.busyIdList);
  return { parcelList: await Promise.all(parcels.map((parcel) => filled(ctx, parcel))) };
}

/** With the messages as they are now: who was taken out of a group since gets none of it. */
async function filled(ctx: DbProxyContext, parcel: Parcel): Promise<IM.Api.Parcel.$Properties> {
  const { webhook, conversationId, to } = parcel;
  const after = await ctx.webhooks.seesAfter(webhook, conversationId);
  const first = after === undefined ? to + 1 : Math.max(parcel.from, after + 1);
  const places = Array.from({ length: Math.max(0, to - first + 1) }, (_, i) => ({ conversationId, msgId: first + i }));
  const messages = places.length === 0 ? undefined : await ctx.messages.at(places, webhook.withBodies);
  const found = places.flatMap((place) => messages?.get(placeKey(place)) ?? []);
  return {
    id: parcel.claim,
    webhook: plainWebhook(webhook),
    conversationId: String(conversationId),
    eventList: found.map((message) => eventOf(message, 0)),
    upToMsgId: to,
    attempts: parcel.attempts,
    deadLetterId: parcel.deadLetterId,
  };
}

export async function settle(
  ctx: DbProxyContext,
  asked: IM.Api.IMParcelSettleReq,
): Promise<IM.Api.IMParcelSettleRsp.$Properties> {
  const { id, webhookId, upToMsgId, deadLetterId, error, retryMs } = asked;
  const conversationId = BigInt(asked.conversationId);
  const settled = await ctx.webhooks.settle({
    claim: id,
    webhookId,
    conversationId,
    upTo: upToMsgId,
    deadLetterId,
    error,
    retryMs,
  });
  return { settled };
}

export async function deadLetters(
  ctx: DbProxyContext,
  asked: IM.Api.IMDeadLettersReq,
): Promise<IM.Api.IMDeadLettersRsp.$Properties> {
  const before = asked.before ?? Number.MAX_SAFE_INTEGER;
  const letters = await ctx.webhooks.deadLetters(
    asked.webhookId,
    ownerOf(asked),
    before,
    Math.min(asked.limit, LETTERS_MAX),
  );
  return {
    letterList: letters.map(({ from, to, conversationId, ...same }) => ({
      ...same,
      conversationId: String(conversationId),
      fromMsgId: from,
      toMsgId: to,
    })),
  };
}

export async function replay(
  ctx: DbProxyContext,
  asked: IM.Api.IMDeadLettersReplayReq,
): Promise<IM.Api.IMDeadLettersReplayRsp.$Properties> {
  return { replaying: await ctx.webhooks.replay(asked.webhookId, ownerOf(asked), asked.idList) };
}

export async function drop(
  ctx: DbProxyContext,
  asked: IM.Api.IMDeadLettersDropReq,
): Promise<IM.Api.IMDeadLettersDropRsp.$Properties> {
  return { dropped: await ctx.webhooks.drop(asked.webhookId, ownerOf(asked), asked.idList) };
}

/** Undefined: whoever asks may see those of all keys. */
function ownerOf({ keyId }: { keyId: string }): string | undefined {
  return keyId === '' ? undefined : keyId;
}

/** The secret goes along with a new one, and to who signs by it. */
function plainWebhook(webhook: Webhook | SigningWebhook): IM.Api.Webhook.$Properties {
  return { secret: '', ...webhook, keyId: webhook.keyId ?? '' };
}
