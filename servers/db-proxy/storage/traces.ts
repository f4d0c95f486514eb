import type pg from 'pg';
import { bucketOf, groupOf, isGroupConversation, usersOf } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { ATTACHMENT } from './attachments.js';
import { isUnavailable } from './database.js';
import type { Place } from './messages.js';
import type { Shards } from './shards.js';

/** What is known of a message, without what it says. */
export interface Trace {
  readonly message: TracedMessage;
  readonly effects: readonly { readonly consumer: string; readonly waiting: boolean }[];
  /** How far those who may read it have read; of a group, those who have read anything. */
  readonly readers: readonly { readonly userId: number; readonly readId: number }[];
}

export interface TracedMessage {
  readonly msgId: number;
  readonly senderId: number;
  readonly msgType: number;
  readonly createTimeMs: number;
  readonly size: number;
  readonly keyId: number;
  readonly sendId: Buffer;
  readonly bucket: number;
  readonly shard: string;
  readonly head: number;
}

interface TraceRow {
  readonly msg_id: number;
  readonly sender_id: number;
  readonly msg_type: number;
  readonly create_time_ms: bigint;
  readonly size: number;
  readonly key_id: number;
  readonly send_id: Buffer;
  readonly head: number;
  readonly low_read: number;
  readonly high_read: number;
}

const READERS_MAX = 2_000;
const PLACES_MAX = 10;

/** The way of one message, as far as it is written down. Never opens it. */
export class Traces {
  readonly #meta: pg.Pool;
  readonly #shards: Shards;
  #searching = false;

  constructor(meta: pg.Pool, shards: Shards) {
    this.#meta = meta;
    this.#shards = shards;
  }

  async find(
    id: bigint,
    by: { readonly msgId?: number | undefined; readonly sendId?: Uint8Array | undefined },
  ): Promise<Trace | undefined> {
    const bucket = bucketOf(id);
    const shard = this.#shards.ofConversation(id);
    const { rows } = await shard.pool.query<TraceRow>(
      `select m.msg_id, m.sender_id, m.msg_type, m.create_time_ms,
              length(m.sealed) + coalesce(length(a.sealed), 0) as size, m.key_id, m.send_id, c.head, c.low_read, c.high_read
         from shard.message m join shard.conversation c on c.bucket = m.bucket and c.id = m.conversation_id ${ATTACHMENT}
        where shard.readable(array[$1::smallint]) and m.bucket = $1 and m.conversation_id = $2
          and ($3::int is null or m.msg_id = $3) and ($4::bytea is null or m.send_id = $4) limit 1`,
      [bucket, String(id), by.msgId ?? null, by.sendId === undefined ? null : Buffer.from(by.sendId)],
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const { rows: waiting } = await shard.pool.query<{ consumer: number }>(
      'select consumer from shard.outbox where bucket = $1 and conversation_id = $2 and msg_id = $3',
      [bucket, String(id), row.msg_id],
    );
    const { rows: consumers } = await this.#meta.query<{ id: number; name: string }>(
      'select id, name from meta.outbox_consumer order by name',
    );
    return {
      message: {
        msgId: row.msg_id,
        senderId: row.sender_id,
        msgType: row.msg_type,
        createTimeMs: Number(row.create_time_ms),
        size: row.size,
        keyId: row.key_id,
        sendId: row.send_id,
        bucket,
        shard: shard.name,
        head: row.head,
      },
      effects: consumers.map((each) => ({
        consumer: each.name,
        waiting: waiting.some(({ consumer }) => consumer === each.id),
      })),
      readers: await this.#readers(id, row),
    };
  }

  /**
   * Every message with this send_id. There is no index for it: one more on the table of messages would cost each of
   * them more than these rare questions do. The table is read through instead, as far as a statement may take, by one
   * question at a time. @throws ImError BUSY
   */
  async search(sendId: Uint8Array): Promise<{ places: readonly Place[]; cutOff: boolean }> {
    if (this.#searching) throw new ImError('BUSY', 'another search for a send_id is going on');
    this.#searching = true;
    try {
      const parts = await Promise.allSettled(this.#shards.all.map(({ pool }) => searchShard(pool, sendId)));
      for (const part of parts) if (part.status === 'rejected' && !isUnavailable(part.reason)) throw part.reason;
      const places = parts.flatMap((part) => (part.status === 'fulfilled' ? part.value : []));
      return { places: places.slice(0, PLACES_MAX), cutOff: parts.some(({ status }) => status === 'rejected') };
    } finally {
      this.#searching = false;
    }
  }

  async #readers(id: bigint, row: TraceRow): Promise<Trace['readers']> {
    if (!isGroupConversation(id)) {
      const [low, high] = usersOf(id);
      return [
        { userId: low, readId: row.low_read },
        { userId: high, readId: row.high_read },
      ];
    }
    const { rows: members } = await this.#meta.query<{ user_id: number }>(
      'select user_id from meta.group_member where group_id = $1 order by user_id limit $2',
      [groupOf(id), READERS_MAX],
    );
    const { rows } = await this.#shards
      .ofConversation(id)
      .pool.query<{ user_id: number; read_id: number }>(
        'select user_id, read_id from shard.group_read where bucket = $1 and conversation_id = $2',
        [bucketOf(id), String(id)],
      );
    const read = new Map(rows.map((each) => [each.user_id, each.read_id]));
    return members.map(({ user_id: userId }) => ({ userId, readId: read.get(userId) ?? 0 }));
  }
}

/** Only what a shard may show: a bucket on its way is on two of them. */
async function searchShard(pool: pg.Pool, sendId: Uint8Array): Promise<Place[]> {
  const { rows } = await pool.query<{ conversation_id: bigint; msg_id: number }>(
    `select m.conversation_id, m.msg_id from shard.message m
      where m.send_id = $1 and m.bucket in (select bucket from shard.bucket) limit ${PLACES_MAX}`,
    [Buffer.from(sendId)],
  );
  return rows.map((row) => ({ conversationId: row.conversation_id, msgId: row.msg_id }));
}
