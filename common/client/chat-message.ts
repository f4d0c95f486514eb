import { IM } from '../pdu/pb.js';
import { decryptText } from '../text-cipher.js';

const { MsgType, SessionType } = IM.BaseDefine;
const GROUP_BIT = 0x10;
const VOICE_SECONDS_SIZE = 4;

/** A message as this user sees it, whether it was pushed or read from the history. */
export interface ChatMessage {
  readonly sessionType: IM.BaseDefine.SessionType;
  /** The conversation: the other user's id, or the group's. */
  readonly sessionId: number;
  /** Counts from 1 in each conversation. */
  readonly msgId: number;
  /** Who said it: maybe this user, on another device. */
  readonly fromUserId: number;
  /** Unix seconds of the server's clock. */
  readonly createTime: number;
  readonly msgType: IM.BaseDefine.MsgType;
  /** The decrypted text; undefined for voice and for what is no text. */
  readonly text: string | undefined;
  /** The payload as it travelled. */
  readonly data: Uint8Array;
}

export function sessionTypeOf(msgType: IM.BaseDefine.MsgType): IM.BaseDefine.SessionType {
  return (msgType & GROUP_BIT) === 0 ? SessionType.SESSION_TYPE_SINGLE : SessionType.SESSION_TYPE_GROUP;
}

export function isText(msgType: IM.BaseDefine.MsgType): boolean {
  return msgType === MsgType.MSG_TYPE_SINGLE_TEXT || msgType === MsgType.MSG_TYPE_GROUP_TEXT;
}

/** Seconds of a voice message, 0 when its payload is too short to say. */
export function voiceSeconds(data: Uint8Array): number {
  return data.length < VOICE_SECONDS_SIZE ? 0 : Buffer.from(data).readUInt32BE(0);
}

/** @param userId who received it: on a single message from himself the conversation is the addressee's */
export function pushedMessage(message: IM.Message.IMMsgData, userId: number): ChatMessage {
  const sessionType = sessionTypeOf(message.msgType);
  const incoming = sessionType === SessionType.SESSION_TYPE_SINGLE && message.fromUserId !== userId;
  return {
    sessionType,
    sessionId: incoming ? message.fromUserId : message.toSessionId,
    msgId: message.msgId,
    fromUserId: message.fromUserId,
    createTime: message.createTime,
    ...payload(message.msgType, message.msgData),
  };
}

export function storedMessage(
  sessionType: IM.BaseDefine.SessionType,
  sessionId: number,
  stored: IM.BaseDefine.MsgInfo,
): ChatMessage {
  const { msgId, fromSessionId: fromUserId, createTime } = stored;
  return { sessionType, sessionId, msgId, fromUserId, createTime, ...payload(stored.msgType, stored.msgData) };
}

function payload(msgType: IM.BaseDefine.MsgType, data: Uint8Array): Pick<ChatMessage, 'msgType' | 'text' | 'data'> {
  return { msgType, text: isText(msgType) ? decryptText(data) : undefined, data };
}
