import { z } from 'zod';
import { isGroupType, isVoice } from '../../../common/chat/message.js';
import { MESSAGE_SIZE_MAX } from '../../../common/limits.js';
import { IM } from '../../../common/pdu/pb.js';
import { decryptText, encryptText } from '../../../common/text-cipher.js';
import { Problem } from './problem.js';

const { MsgType } = IM.BaseDefine;

/** What a message says. TeamTalk knows text and voice; a picture is a mark in a text, a file a link in one. */
const PICTURE = ['&$#@~^@[{:', ':}]&$~@#@'] as const;
const PICTURE_ALONE = /^&\$#@~\^@\[\{:(\S+):\}\]&\$~@#@$/;
const VOICE_SECONDS_MAX = 60;

const url = z.url({ protocol: /^https?$/ }).max(2048);
export const content = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string().min(1).max(MESSAGE_SIZE_MAX) }),
  z.strictObject({ type: z.literal('image'), url: url.describe('where devices find the picture') }),
  z.strictObject({ type: z.literal('file'), url, name: z.string().min(1).max(255) }),
  z.strictObject({
    type: z.literal('voice'),
    seconds: z.int().min(1).max(VOICE_SECONDS_MAX),
    data: z
      .base64()
      .min(4)
      .max(MESSAGE_SIZE_MAX * 2)
      .describe('Ogg/Speex, in base64'),
  }),
]);
export type Content = z.infer<typeof content>;

/** @throws Problem when it is larger than a message may be */
export function payloadOf(said: Content, isGroup: boolean): { msgType: IM.BaseDefine.MsgType; msgData: Buffer } {
  const voice = said.type === 'voice';
  const msgType = isGroup
    ? voice
      ? MsgType.MSG_TYPE_GROUP_AUDIO
      : MsgType.MSG_TYPE_GROUP_TEXT
    : voice
      ? MsgType.MSG_TYPE_SINGLE_AUDIO
      : MsgType.MSG_TYPE_SINGLE_TEXT;
  const msgData = voice ? voiceData(said.seconds, said.data) : encryptText(textOf(said));
  if (msgData.length > MESSAGE_SIZE_MAX)
    throw new Problem(
      400,
      'BAD_REQUEST',
      `content: ${msgData.length} bytes as a message, ${MESSAGE_SIZE_MAX} are allowed`,
    );
  return { msgType, msgData };
}

function textOf(said: Exclude<Content, { type: 'voice' }>): string {
  if (said.type === 'text') return said.text;
  return said.type === 'image' ? `${PICTURE[0]}${said.url}${PICTURE[1]}` : `${said.name}\n${said.url}`;
}

function voiceData(seconds: number, data: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(seconds);
  return Buffer.concat([head, Buffer.from(data, 'base64')]);
}

/** What a stored message says. A file was a text with a link and comes back as that. */
export function contentOf({ msgType, msgData }: { msgType: number; msgData: Uint8Array }): Content {
  if (isVoice(msgType)) {
    const bytes = Buffer.from(msgData);
    const seconds = bytes.length >= 4 ? bytes.readUInt32BE(0) : 0;
    return { type: 'voice', seconds, data: bytes.subarray(4).toString('base64') };
  }
  const text = decryptText(msgData) ?? '';
  const picture = PICTURE_ALONE.exec(text)?.[1];
  return picture === undefined ? { type: 'text', text } : { type: 'image', url: picture };
}

/** How a message is shown: everything but what it says. */
export function kindOf(msgType: number): 'text' | 'voice' {
  return isVoice(msgType) ? 'voice' : 'text';
}

/** As messages come out of the interface: read loosely, since clients have stored what they pleased. */
export const shownContent = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('image'), url: z.string() }),
  z.object({ type: z.literal('voice'), seconds: z.number(), data: z.string() }),
]);
export const shownMessage = z
  .object({
    id: z.string().describe('unique in the cluster: conversation and number'),
    conversation: z.union([z.object({ users: z.array(z.number()).length(2) }), z.object({ group: z.number() })]),
    number: z.number().describe('counts from 1 in each conversation, without holes'),
    from: z.number(),
    at: z.string(),
    kind: z.enum(['text', 'voice']),
    content: shownContent.optional().describe('absent when the key may not see it'),
  })
  .meta({ id: 'Message' });

export function shown(
  message: Pick<
    IM.Cluster.StoredMessage,
    'fromUserId' | 'toSessionId' | 'msgId' | 'createTimeMs' | 'msgType' | 'msgData'
  >,
): z.infer<typeof shownMessage> {
  const { fromUserId: from, toSessionId: to, msgId: number, msgType, msgData } = message;
  const users = [Math.min(from, to), Math.max(from, to)];
  const isGroup = isGroupType(msgType);
  const said = msgData.length === 0 ? undefined : contentOf(message);
  return {
    id: isGroup ? `g${to}-${number}` : `u${users[0]}-${users[1]}-${number}`,
    conversation: isGroup ? { group: to } : { users },
    number,
    from,
    at: new Date(message.createTimeMs).toISOString(),
    kind: kindOf(msgType),
    ...(said === undefined ? {} : { content: said as z.infer<typeof shownContent> }),
  };
}
