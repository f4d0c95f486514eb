import type pg from 'pg';
import { ImError } from '../../../../common/errors.js';
import { ATTACHMENT, holdsMessage, type SealedWhole } from '../attachments.js';
import type { DataKeys } from '../data-keys.js';
import { type Item, sendKey, settle, settleError } from './item.js';

interface StoredRow extends SealedWhole {
  readonly conversation_id: bigint;
  readonly sender_id: number;
  readonly send_id: Buffer;
  readonly msg_id: number;
  readonly create_time_ms: bigint;
  readonly msg_type: number;
}

export interface Repeated {
  readonly item: Item;
  readonly msgId: number;
}

/**
 * Settles what an earlier attempt has stored: messages with the same send_ids. That they can be read does not say that a
 * synchronous replica has them, after a primary that came back from a crash in the middle of a commit; the lock makes this
 * a commit of its own, which waits for the replica as the first one did.
 * @returns the rest, and those that it answered with their first ids
 */
export async function answerRepeated(
  client: pg.Client,
  batch: readonly Item[],
  keys: DataKeys,
): Promise<{ readonly fresh: Item[]; readonly repeated: readonly Repeated[] }> {
  const { rows } = await client.query<StoredRow>({
    name: 'messages-by-send-id',
    text: `select m.conversation_id, m.sender_id, m.send_id, m.msg_id, m.create_time_ms, m.msg_type, m.key_id, m.sealed,
                  m.attached, a.sealed as attachment
             from unnest($1::smallint[], $2::bigint[], $3::int[], $4::bytea[]) as w (bucket, conversation_id, sender_id, send_id)
             join shard.message m on m.bucket = w.bucket and m.conversation_id = w.conversation_id
              and m.sender_id = w.sender_id and m.send_id = w.send_id
             ${ATTACHMENT}
              for key share of m`,
    values: [
      batch.map((i) => i.bucket),
      batch.map((i) => String(i.conversationId)),
      batch.map((i) => i.senderId),
      batch.map((i) => i.sendId),
    ],
  });
  await keys.know(rows);
  const found = new Map(rows.map((row) => [sendKey(row.conversation_id, row.sender_id, row.send_id), row]));
  const repeated: Repeated[] = [];
  const fresh = batch.filter((item) => {
    const row = found.get(sendKey(item.conversationId, item.senderId, item.sendId));
    if (row === undefined) return true;
    const bound = { conversationId: item.conversationId, msgId: row.msg_id, senderId: item.senderId };
    const same = row.msg_type === item.msgType && holdsMessage(keys, bound, row, item.body);
    if (same) {
      settle(item, { msgId: row.msg_id, createTimeMs: Number(row.create_time_ms), duplicate: true });
      repeated.push({ item, msgId: row.msg_id });
    } else settleError(item, new ImError('SEND_ID_REUSED', `by user ${item.senderId} with another body`));
    return false;
  });
  return { fresh, repeated };
}
