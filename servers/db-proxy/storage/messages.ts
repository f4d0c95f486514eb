import { bucketOf } from '../../../common/conversation.js';
import type { DataKeys } from './data-keys.js';
import type { Shards } from './shards.js';

/** A stored message, opened. */
export interface Message {
  readonly conversationId: bigint;
  readonly msgId: number;
  readonly senderId: number;
  readonly msgType: number;
  readonly createTimeMs: number;
  readonly body: Buffer;
}

export interface MessageRow {
  readonly conversation_id: bigint;
  readonly msg_id: number;
  readonly sender_id: number;
  readonly msg_type: number;
  readonly create_time_ms: bigint;
  readonly key_id: number;
  readonly sealed: Buffer;
}

const COLUMNS = 'conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, sealed';

/** Reading the messages of a conversation. Each read is one range of one index on one shard. */
export class Messages {
  readonly #shards: Shards;
  readonly #keys: DataKeys;

  constructor(shards: Shards, keys: DataKeys) {
    this.#shards = shards;
    this.#keys = keys;
  }

  /** The newest msg_id; 0 when there is no message. */
  async head(id: bigint): Promise<number> {
    const rows = await this.#read<{ head: number }>(id, {
      name: 'head',
      text: 'select head from shard.conversation where shard.readable(array[$1::smallint]) and bucket = $1 and id = $2',
      values: [],
    });
    return rows[0]?.head ?? 0;
  }

  /** Newest first, from `begin` (inclusive; 0: the newest) down to above `after`, at most `limit`. */
  async page(id: bigint, begin: number, after: number, limit: number): Promise<Message[]> {
    const rows = await this.#read<MessageRow>(id, {
      name: 'messages-page',
      text: `select ${COLUMNS} from shard.message
              where shard.readable(array[$1::smallint]) and bucket = $1 and conversation_id = $2 and msg_id <= $3 and msg_id > $4
              order by msg_id desc limit $5`,
      values: [begin === 0 ? 0x7fff_ffff : begin, after, limit],
    });
    return rows.map((row) => this.opened(row));
  }

  /** Those of the ids above `after` that exist, newest first. */
  async byIds(id: bigint, ids: readonly number[], after: number, limit: number): Promise<Message[]> {
    const rows = await this.#read<MessageRow>(id, {
      name: 'messages-by-ids',
      text: `select ${COLUMNS} from shard.message
              where shard.readable(array[$1::smallint]) and bucket = $1 and conversation_id = $2 and msg_id = any($3::int[]) and msg_id > $4
              order by msg_id desc limit $5`,
      values: [ids, after, limit],
    });
    return rows.map((row) => this.opened(row));
  }

  /** A statement about one conversation, $1 its bucket and $2 its id. */
  #read<Row extends object>(
    id: bigint,
    { name, text, values }: { name: string; text: string; values: unknown[] },
  ): Promise<Row[]> {
    return this.#shards.settled(async () => {
      const { pool } = this.#shards.ofConversation(id);
      const { rows } = await pool.query<Row>({ name, text, values: [bucketOf(id), String(id), ...values] });
      return rows;
    });
  }

  /** @throws UnopenableError */
  opened(row: MessageRow): Message {
    const bound = { conversationId: row.conversation_id, msgId: row.msg_id, senderId: row.sender_id };
    return {
      ...bound,
      msgType: row.msg_type,
      createTimeMs: Number(row.create_time_ms),
      body: this.#keys.open(row.key_id, bound, row.sealed),
    };
  }
}
