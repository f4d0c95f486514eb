import { isVoice } from '../../../common/chat/message.js';
import { seconds } from '../../../common/clock.js';
import {
  groupConversation,
  groupOf,
  isGroupConversation,
  isGroupId,
  isUserId,
  singleConversation,
} from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import {
  HISTORY_PAGE_MAX,
  MESSAGE_IDS_ASKED_MAX,
  MESSAGE_SIZE_MAX,
  MESSAGES_BY_ID_MAX,
  MISSED_MESSAGES_MAX,
} from '../../../common/limits.js';
import type { Peer } from '../../../common/net/peers.js';
import { IM } from '../../../common/pdu/pb.js';
import { decryptText, encryptText } from '../../../common/text-cipher.js';
import type { DbProxyContext } from '../context.js';
import type { Message, MessageRange } from '../storage/messages.js';
import { sessionOf } from './buddy.js';

const { SessionType } = IM.BaseDefine;

const SEND_ID_SIZE = 16;
/** What a voice message looks like where only text fits: "[voice]", as all clients show it. */
const VOICE_PREVIEW = encryptText('[语音]');
/** Conversations that are looked at together after a disturbance. */
const RANGES_MAX = 1_000;
/** Payload bytes of a page or a list; leaves room for the fields around them below what Android takes in one frame. */
const PAGE_BYTES_MAX = 350 * 1024;
const PREVIEW_SIZE_MAX = 2 * 1024;

/**
 * A message to be kept: answered after the commit. Who asks publishes it. When he has died meanwhile, everybody has been told
 * to look for what he may have left behind, and is told once more: a message may wait for seconds, as in a bucket on its move.
 */
export async function store(
  ctx: DbProxyContext,
  asked: IM.Cluster.IMStoreMsgReq,
  asker: Peer,
): Promise<IM.Cluster.IMStoreMsgRsp.$Properties> {
  const conversationId = conversationOf(asked.fromUserId, asked.sessionType, asked.toSessionId);
  if (conversationId === undefined) throw new ImError('NO_SUCH_USER', `${asked.fromUserId} to ${asked.toSessionId}`);
  if (asked.msgData.length === 0 || asked.msgData.length > MESSAGE_SIZE_MAX)
    throw new ImError(
      'BAD_REQUEST',
      `a message of ${asked.msgData.length} bytes, 1 to ${MESSAGE_SIZE_MAX} are allowed`,
    );
  if (asked.sendId.length !== SEND_ID_SIZE)
    throw new ImError('BAD_REQUEST', `a send_id of ${asked.sendId.length} bytes instead of ${SEND_ID_SIZE}`);
  const stored = await ctx.append.store({
    conversationId,
    senderId: asked.fromUserId,
    msgType: asked.msgType,
    // Copied: what waits for its batch must not keep the read buffer it came in.
    body: Buffer.from(asked.msgData),
    sendId: Buffer.from(asked.sendId),
  });
  if (asker.gone) ctx.tellDisturbed(stored.createTimeMs);
  return stored;
}

export async function markRead(
  ctx: DbProxyContext,
  asked: IM.Cluster.IMMarkReadReq,
): Promise<IM.Cluster.IMMarkReadRsp.$Properties> {
  const id = conversationOf(asked.userId, asked.sessionType, asked.sessionId);
  if (id === undefined) return { readMsgId: 0, moved: false };
  const result = await ctx.conversations.markRead(asked.userId, id, clampId(asked.msgId));
  if (result.moved) {
    ctx.hops.read(id, result.readMsgId, asked.userId);
    ctx.tellReadMoved(asked.userId, id, result.readMsgId);
  }
  return result;
}

export async function unreadCount(
  ctx: DbProxyContext,
  asked: IM.Message.IMUnreadMsgCntReq,
): Promise<IM.Message.IMUnreadMsgCntRsp.$Properties> {
  const unread = await ctx.conversations.unread(asked.userId);
  const unreadinfoList = unread.map((each) => ({
    ...sessionOf(asked.userId, each.id),
    unreadCnt: each.unread,
    latestMsgId: each.head,
    latestMsgData: preview(each.last, unread.length),
    latestMsgType: each.last.msgType,
    latestMsgFromUserId: each.last.senderId,
  }));
  return { userId: asked.userId, totalCnt: unread.reduce((sum, each) => sum + each.unread, 0), unreadinfoList };
}

export async function list(
  ctx: DbProxyContext,
  asked: IM.Message.IMGetMsgListReq,
): Promise<IM.Message.IMGetMsgListRsp.$Properties> {
  const { userId, sessionType, sessionId, msgIdBegin } = asked;
  const readable = await readableOf(ctx, userId, sessionType, sessionId);
  const found =
    readable === undefined
      ? []
      : await ctx.messages.page(
          readable.id,
          clampId(msgIdBegin),
          readable.after,
          Math.min(asked.msgCnt, HISTORY_PAGE_MAX),
        );
  return { userId, sessionType, sessionId, msgIdBegin, msgList: fitting(found).map(msgInfo) };
}

export async function latestId(
  ctx: DbProxyContext,
  asked: IM.Message.IMGetLatestMsgIdReq,
): Promise<IM.Message.IMGetLatestMsgIdRsp.$Properties> {
  const { userId, sessionType, sessionId } = asked;
  const readable = await readableOf(ctx, userId, sessionType, sessionId);
  const head = readable === undefined ? 0 : await ctx.messages.head(readable.id);
  return { userId, sessionType, sessionId, latestMsgId: readable !== undefined && head > readable.after ? head : 0 };
}

export async function byId(
  ctx: DbProxyContext,
  asked: IM.Message.IMGetMsgByIdReq,
): Promise<IM.Message.IMGetMsgByIdRsp.$Properties> {
  const { userId, sessionType, sessionId } = asked;
  const readable = await readableOf(ctx, userId, sessionType, sessionId);
  const exist = asked.msgIdList.filter((id) => id > 0 && id <= MSG_ID_MAX);
  const ids = [...new Set(exist)].sort((a, b) => b - a).slice(0, MESSAGE_IDS_ASKED_MAX);
  const found =
    readable === undefined ? [] : await ctx.messages.byIds(readable.id, ids, readable.after, MESSAGES_BY_ID_MAX);
  return { userId, sessionType, sessionId, msgList: fitting(found).map(msgInfo) };
}

/**
 * What was stored lately for these users, for a msg server that may not have delivered all of it: where it is. Of what is
 * there it asks for the messages that it does not know.
 */
export async function missed(
  ctx: DbProxyContext,
  asked: IM.Cluster.IMMissedReq,
): Promise<IM.Cluster.IMMissedRsp.$Properties> {
  if (asked.rangeList.length > 0) return { messageList: await messagesIn(ctx, asked.rangeList.map(rangeOf)) };
  const after = { conversationId: BigInt(asked.after?.conversationId ?? 0), msgId: asked.after?.msgId ?? 0 };
  const found = await ctx.conversations.storedSince(asked.userIdList, asked.sinceMs, after, RANGES_MAX);
  const ranges = asked.asRanges ? found : upTo(found, MISSED_MESSAGES_MAX);
  const last = ranges.length === RANGES_MAX || ranges !== found ? ranges.at(-1) : undefined;
  const isFirst = asked.after == null;
  const existing = isFirst ? await ctx.users.existing(asked.userIdList) : undefined;
  const groups = isFirst ? await ctx.groups.ofEach(asked.userIdList) : [];
  return {
    leftUserList: existing && asked.userIdList.filter((id) => !existing.has(id)),
    groupsList: groups.map(({ userId, groupIds }) => ({ userId, groupIdList: groupIds })),
    next: last && { conversationId: String(last.conversationId), msgId: last.to },
    ...(asked.asRanges
      ? {
          rangeList: ranges.map(({ conversationId, from, to }) => ({
            conversationId: String(conversationId),
            fromMsgId: from,
            toMsgId: to,
          })),
        }
      : { messageList: await messagesIn(ctx, ranges) }),
  };
}

function rangeOf({ conversationId, fromMsgId, toMsgId }: IM.Cluster.MissedRange): MessageRange {
  return { conversationId: BigInt(conversationId), from: fromMsgId, to: toMsgId };
}

async function messagesIn(ctx: DbProxyContext, ranges: readonly MessageRange[]) {
  const count = ranges.reduce((sum, { from, to }) => sum + Math.max(0, to - from + 1), 0);
  if (count > MISSED_MESSAGES_MAX)
    throw new ImError('BAD_REQUEST', `${count} messages at once, ${MISSED_MESSAGES_MAX} are allowed`);
  return (await ctx.messages.inRanges(ranges)).map((each) => ({
    fromUserId: each.senderId,
    toSessionId: sessionOf(each.senderId, each.conversationId).sessionId,
    msgId: each.msgId,
    createTimeMs: each.createTimeMs,
    msgType: each.msgType,
    msgData: each.body,
  }));
}

/** The first messages of these, so many; the same array when there are no more. */
function upTo(ranges: MessageRange[], max: number): MessageRange[] {
  let left = max;
  for (const [i, { conversationId, from, to }] of ranges.entries()) {
    if (to - from + 1 > left) return [...ranges.slice(0, i), { conversationId, from, to: from + left - 1 }];
    left -= to - from + 1;
  }
  return ranges;
}

/** The conversation that a user's client calls by this type and id; undefined when there can be none. */
export function conversationOf(userId: number, type: number, sessionId: number): bigint | undefined {
  if (type === SessionType.SESSION_TYPE_GROUP) return isGroupId(sessionId) ? groupConversation(sessionId) : undefined;
  return isUserId(userId) && isUserId(sessionId) && userId !== sessionId
    ? singleConversation(userId, sessionId)
    : undefined;
}

/** What a conversation shows in a list of so many: a long text is cut, so that the list fits into one frame. */
export function preview(last: Message, listed: number): Buffer {
  if (isVoice(last.msgType)) return VOICE_PREVIEW;
  const sizeMax = Math.min(PREVIEW_SIZE_MAX, Math.floor(PAGE_BYTES_MAX / listed));
  if (last.body.length <= sizeMax) return last.body;
  // A UTF-16 unit has at most 3 bytes, which are 4 in base64.
  const text = (decryptText(last.body) ?? '').slice(0, sizeMax / 4);
  return encryptText(text.replace(/[\ud800-\udbff]$/, '')); // half a character
}

const MSG_ID_MAX = 0x7fff_ffff;

function clampId(id: number): number {
  return Math.min(id, MSG_ID_MAX);
}

/** The part of a conversation that this user may read: group members only, and only from their joining on. */
export async function readableOf(
  ctx: DbProxyContext,
  userId: number,
  type: number,
  sessionId: number,
): Promise<{ id: bigint; after: number } | undefined> {
  const id = conversationOf(userId, type, sessionId);
  if (id === undefined) return undefined;
  if (!isGroupConversation(id)) return { id, after: 0 };
  const membership = await ctx.groups.membershipOf(userId, groupOf(id));
  return membership && { id, after: membership.joinedMsgId };
}

/** The newest of them that fit into one frame; at least one. */
function fitting(messages: readonly Message[]): readonly Message[] {
  let bytes = 0;
  return messages.filter((message, place) => {
    bytes += message.body.length;
    return place === 0 || bytes <= PAGE_BYTES_MAX;
  });
}

/** A stored message as clients get it. */
export function msgInfo(message: Message): IM.BaseDefine.MsgInfo.$Properties {
  return {
    msgId: message.msgId,
    fromSessionId: message.senderId,
    createTime: seconds(message.createTimeMs),
    msgType: message.msgType,
    msgData: message.body,
  };
}
