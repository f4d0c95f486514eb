import { seconds } from '../clock.js';
import { bucketOf, groupConversation, singleConversation } from '../conversation.js';
import type { LinkGroup } from '../net/link-group.js';
import { encodeFrame } from '../pdu/command.js';
import { cluster, message } from '../pdu/commands.js';
import type { Frame } from '../pdu/header.js';
import { IM } from '../pdu/pb.js';

const { MsgType, SessionType } = IM.BaseDefine;

/** Bytes of a send_id. */
export const SEND_ID_SIZE = 16;

/** A message as its sender means it, whatever door it came through. */
export interface Draft {
  readonly fromUserId: number;
  /** A user, or a group when the type is one of groups. */
  readonly toSessionId: number;
  readonly msgType: IM.BaseDefine.MsgType;
  readonly msgData: Uint8Array;
  /** SEND_ID_SIZE bytes; the same again is stored once. */
  readonly sendId: Uint8Array;
}

export function isGroupType(msgType: IM.BaseDefine.MsgType): boolean {
  return msgType === MsgType.MSG_TYPE_GROUP_TEXT || msgType === MsgType.MSG_TYPE_GROUP_AUDIO;
}

export function isVoice(msgType: number): boolean {
  return msgType === MsgType.MSG_TYPE_SINGLE_AUDIO || msgType === MsgType.MSG_TYPE_GROUP_AUDIO;
}

export function conversationOfDraft({ fromUserId, toSessionId, msgType }: Omit<Draft, 'msgData' | 'sendId'>): bigint {
  return isGroupType(msgType) ? groupConversation(toSessionId) : singleConversation(fromUserId, toSessionId);
}

/** A chat message to a user is published for him and its sender. */
export function publishedConversation({ groupId, userIdList }: IM.Cluster.IMPublish): bigint {
  return groupId !== undefined ? groupConversation(groupId) : singleConversation(userIdList[0]!, userIdList[1]!);
}

/** Resolves after the commit. @throws ImError; after one with `retry` nobody knows whether it is stored. */
export function storeDraft(dbProxies: LinkGroup, draft: Draft): Promise<IM.Cluster.IMStoreMsgRsp> {
  const sessionType = isGroupType(draft.msgType) ? SessionType.SESSION_TYPE_GROUP : SessionType.SESSION_TYPE_SINGLE;
  const { fromUserId, toSessionId, msgType, msgData, sendId } = draft;
  // Named one by one: an object made by spreading is slow to make and slow to encode, 6 % of a msg server.
  const asked = { fromUserId, toSessionId, sessionType, msgType, msgData, sendId };
  // Equal keys for all messages of a conversation: they meet in one db-proxy, keep their order, and make batches.
  return dbProxies.ask(cluster.storeMessage, asked, bucketOf(conversationOfDraft(draft)));
}

/** Of an answer that came when nobody waited for it any more: when a message was stored that nobody has told of; wall-clock ms. */
export function storedLate(answer: Frame): number | undefined {
  const { reply } = cluster.storeMessage;
  return answer.command === reply.id ? reply.codec.decode(answer.body).createTimeMs : undefined;
}

/** What the devices of its receivers get. */
export function pushFrame(draft: Omit<Draft, 'sendId'>, stored: { msgId: number; createTimeMs: number }): Buffer {
  return encodeFrame(message.data, 0, {
    fromUserId: draft.fromUserId,
    toSessionId: draft.toSessionId,
    msgId: stored.msgId,
    createTime: seconds(stored.createTimeMs),
    msgType: draft.msgType,
    msgData: draft.msgData,
  });
}
