import { isVoice } from '../../../common/chat/message.js';
import { type DataKeys, UnopenableError } from './data-keys.js';
import type { Bound } from './sealing.js';

/**
 * Voice messages at rest, in two parts: their seconds, four bytes, in the message's own row, and their sound beside it in
 * shard.attachment. Both are sealed under the data key that the message's row names, each bound to the message and to
 * which part it is, so none opens in another's place. One statement writes both, and one reads both where all of the
 * message is wanted; lists, unread counts and pushes read the row alone.
 *
 * Rows of before there were attachments, and those written while a db-proxy of a build before is still running, hold all
 * of their message. `attached` of the row says which it is.
 */
const SECONDS_SIZE = 4;

/** For SQL: the attachment `a` of a message `m`, which is looked for only where the message says that there is one. */
export const ATTACHMENT = `left join shard.attachment a on a.bucket = m.bucket and a.conversation_id = m.conversation_id
                and a.msg_id = case when m.attached then m.msg_id end`;

export interface SealedMessage {
  readonly keyId: number;
  readonly sealed: Buffer;
  /** Undefined: there is nothing beside the row. */
  readonly attachment: Buffer | undefined;
}

/** A message's row as far as it is needed to open it. */
export interface SealedRow {
  readonly key_id: number;
  readonly sealed: Buffer;
  readonly attached: boolean;
}

/** The same with what lies beside it. */
export interface SealedWhole extends SealedRow {
  readonly attachment: Buffer | null;
}

/** @throws ImError STORE_UNAVAILABLE when it is not certain any more that the key is still to be used */
export function sealMessage(
  keys: DataKeys,
  bucket: number,
  bound: Bound,
  msgType: number,
  body: Buffer,
): SealedMessage {
  if (!keys.attaching || !isVoice(msgType) || body.length <= SECONDS_SIZE) {
    const { keyId, sealed } = keys.seal(bucket, bound, body);
    return { keyId, sealed, attachment: undefined };
  }
  // Nothing is awaited in between, so both are sealed by the same key.
  const { keyId, sealed } = keys.seal(bucket, { ...bound, part: 'seconds' }, body.subarray(0, SECONDS_SIZE));
  const sound = keys.seal(bucket, { ...bound, part: 'sound' }, body.subarray(SECONDS_SIZE));
  return { keyId, sealed, attachment: sound.sealed };
}

/** All of a message. @throws UnopenableError when its key is gone, or one of its parts is not there or not what was sealed */
export function openMessage(keys: DataKeys, bound: Bound, row: SealedWhole): Buffer {
  const own = openRow(keys, bound, row);
  if (!row.attached) return own;
  if (row.attachment === null)
    throw new UnopenableError(`message ${bound.conversationId}/${bound.msgId}: its attachment is not there`);
  return Buffer.concat([own, keys.open(row.key_id, { ...bound, part: 'sound' }, row.attachment)]);
}

/** What the message's own row holds: all but the sound of a voice message. @throws UnopenableError as `openMessage` */
export function openRow(keys: DataKeys, bound: Bound, { key_id, sealed, attached }: SealedRow): Buffer {
  return keys.open(key_id, attached ? { ...bound, part: 'seconds' } : bound, sealed);
}

/** Whether a stored message says this. One that cannot be opened any more is taken for it. */
export function holdsMessage(keys: DataKeys, bound: Bound, row: SealedWhole, body: Buffer): boolean {
  try {
    return openMessage(keys, bound, row).equals(body);
  } catch (error) {
    if (error instanceof UnopenableError) return true;
    throw error;
  }
}
