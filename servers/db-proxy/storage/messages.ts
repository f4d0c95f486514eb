import { bucketOf, isGroupConversation } from '../../../common/conversation.js';
import type { Logger } from '../../../common/log.js';
import { IM } from '../../../common/pdu/pb.js';
import { encryptText } from '../../../common/text-cipher.js';
import { ATTACHMENT, openMessage, openRow, type SealedRow, type SealedWhole } from './attachments.js';
import { type DataKeys, UnopenableError } from './data-keys.js';
import type { Bound } from './sealing.js';
import { distinct, type Shards } from './shards.js';

const { MSG_TYPE_SINGLE_TEXT, MSG_TYPE_GROUP_TEXT } = IM.BaseDefine.MsgType;
/** What clients show in place of a message whose key was destroyed, or whose row was damaged. */
const UNREADABLE = encryptText('[无法读取的消息 / unreadable message]');

/** A stored message, opened. */
export interface Message {
  readonly conversationId: bigint;
  readonly msgId: number;
  readonly senderId: number;
  readonly msgType: number;
  readonly createTimeMs: number;
  readonly body: Buffer;
}

/** Where a message is. */
export interface Place {
  readonly conversationId: bigint;
  readonly msgId: number;
}

/** Messages of a conversation, both ends included; there may be fewer. */
export interface MessageRange {
  readonly conversationId: bigint;
  readonly from: number;
  readonly to: number;
}

export function placeKey({ conversationId, msgId }: Place): string {
  return `${conversationId}:${msgId}`;
}

export interface MessageRow extends SealedRow {
  readonly conversation_id: bigint;
  readonly msg_id: number;
  readonly sender_id: number;
  readonly msg_type: number;
  readonly create_time_ms: bigint;
}

/** With what lies beside it. */
export type WholeRow = MessageRow & SealedWhole;

const NO_BODY = Buffer.alloc(0);

function envelopeOf(row: MessageRow): Message {
  return {
    conversationId: row.conversation_id,
    msgId: row.msg_id,
    senderId: row.sender_id,
    msgType: row.msg_type,
    createTimeMs: Number(row.create_time_ms),
    body: NO_BODY,
  };
}

/** For SQL: a MessageRow out of a message `m`, and a WholeRow where ATTACHMENT is joined. */
export const ROW =
  'm.conversation_id, m.msg_id, m.sender_id, m.msg_type, m.create_time_ms, m.key_id, m.sealed, m.attached';
export const WHOLE = `${ROW}, a.sealed as attachment`;

export interface ReadCounters {
  /** A message is shown as unreadable. */
  unopenable?(): void;
}

/** Reading the messages of a conversation. Each read is one range of one index on one shard. */
export class Messages {
  readonly #shards: Shards;
  readonly #keys: DataKeys;

  readonly #counters: ReadCounters;
  readonly #log: Logger;
  /** Keys with a message that did not open: logged once each. */
  readonly #logged = new Set<number>();

  constructor(shards: Shards, keys: DataKeys, counters: ReadCounters, log: Logger) {
    this.#shards = shards;
    this.#keys = keys;
    this.#counters = counters;
    this.#log = log;
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
    const rows = await this.#read<WholeRow>(id, {
      name: 'messages-page',
      text: `select ${WHOLE} from shard.message m ${ATTACHMENT}
              where shard.readable(array[$1::smallint]) and m.bucket = $1 and m.conversation_id = $2 and m.msg_id <= $3 and m.msg_id > $4
              order by m.msg_id desc limit $5`,
      values: [begin === 0 ? 0x7fff_ffff : begin, after, limit],
    });
    await this.ready(rows);
    return rows.map((row) => this.opened(row));
  }

  /** Oldest first, above `after`, at most `limit`. */
  async onwards(id: bigint, after: number, limit: number): Promise<Message[]> {
    const rows = await this.#read<WholeRow>(id, {
      name: 'messages-onwards',
      text: `select ${WHOLE} from shard.message m ${ATTACHMENT}
              where shard.readable(array[$1::smallint]) and m.bucket = $1 and m.conversation_id = $2 and m.msg_id > $3
              order by m.msg_id limit $4`,
      values: [after, limit],
    });
    await this.ready(rows);
    return rows.map((row) => this.opened(row));
  }

  /** By conversation, oldest first. */
  inRanges(ranges: readonly MessageRange[]): Promise<Message[]> {
    return this.#shards.settled(async () => {
      const parts = [...this.#shards.split(ranges, ({ conversationId }) => bucketOf(conversationId))];
      const found = parts.map(async ([shard, some]) => {
        const { rows } = await shard.pool.query<WholeRow>({
          name: 'messages-in-ranges',
          text: `select ${WHOLE}
                   from unnest($1::smallint[], $2::bigint[], $3::int[], $4::int[]) as w (bucket, id, first, last)
                   join shard.message m on m.bucket = w.bucket and m.conversation_id = w.id and m.msg_id between w.first and w.last
                   ${ATTACHMENT}
                  where shard.readable($5::smallint[]) order by m.conversation_id, m.msg_id`,
          values: [
            some.map((range) => bucketOf(range.conversationId)),
            some.map((range) => String(range.conversationId)),
            some.map((range) => range.from),
            some.map((range) => range.to),
            distinct(some.map((range) => bucketOf(range.conversationId))),
          ],
        });
        return rows;
      });
      const rows = (await Promise.all(found)).flat();
      await this.ready(rows);
      return rows.map((row) => this.opened(row));
    });
  }

  /** The last id from before a moment: times of a conversation never go back. 0: there is none. */
  async lastBefore(id: bigint, timeMs: number): Promise<number> {
    let [low, high] = [0, await this.head(id)];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const rows = await this.#read<{ msg_id: number; create_time_ms: bigint }>(id, {
        name: 'message-time',
        text: `select msg_id, create_time_ms from shard.message
                where shard.readable(array[$1::smallint]) and bucket = $1 and conversation_id = $2 and msg_id <= $3
                order by msg_id desc limit 1`,
        values: [middle],
      });
      const found = rows[0];
      if (found === undefined || Number(found.create_time_ms) < timeMs) low = middle;
      else high = found.msg_id - 1;
    }
    return low;
  }

  /** Those of the ids above `after` that exist, newest first. */
  async byIds(id: bigint, ids: readonly number[], after: number, limit: number): Promise<Message[]> {
    const rows = await this.#read<WholeRow>(id, {
      name: 'messages-by-ids',
      text: `select ${WHOLE} from shard.message m ${ATTACHMENT}
              where shard.readable(array[$1::smallint]) and m.bucket = $1 and m.conversation_id = $2 and m.msg_id = any($3::int[]) and m.msg_id > $4
              order by m.msg_id desc limit $5`,
      values: [ids, after, limit],
    });
    await this.ready(rows);
    return rows.map((row) => this.opened(row));
  }

  /**
   * Messages of any conversations, by placeKey; those that are gone are missing. Unopened they have an empty body:
   * nobody looks into what nobody may see.
   */
  async at(places: readonly Place[], open: boolean): Promise<Map<string, Message>> {
    const [name, columns, attachment] = open ? ['messages-at', WHOLE, ATTACHMENT] : ['envelopes-at', ROW, ''];
    const rows = await this.#shards.settled(async () => {
      const parts = [...this.#shards.split(places, (place) => bucketOf(place.conversationId))];
      const found = parts.map(async ([shard, part]) => {
        const buckets = part.map((place) => bucketOf(place.conversationId));
        const { rows } = await shard.pool.query<WholeRow>({
          name,
          text: `select ${columns}
                   from unnest($1::smallint[], $2::bigint[], $3::int[]) as w (bucket, conversation_id, msg_id)
                   join shard.message m on m.bucket = w.bucket and m.conversation_id = w.conversation_id and m.msg_id = w.msg_id
                   ${attachment}
                  where shard.readable($4::smallint[])`,
          values: [buckets, part.map((p) => String(p.conversationId)), part.map((p) => p.msgId), distinct(buckets)],
        });
        return rows;
      });
      return (await Promise.all(found)).flat();
    });
    if (open) await this.ready(rows);
    const messages = rows.map((row) => (open ? this.opened(row) : envelopeOf(row)));
    return new Map(messages.map((message) => [placeKey(message), message]));
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

  /**
   * To be awaited before `opened`: another db-proxy may have begun to seal by keys that are not known here yet.
   * @throws Error when they cannot be fetched: nothing is wrong with the messages then
   */
  ready(rows: readonly { readonly key_id: number | null }[]): Promise<void> {
    return this.#keys.know(rows);
  }

  /** One that does not open is a text that says so: a page of history never fails for a single row. */
  opened(row: WholeRow): Message {
    return this.#opened(row, (bound) => openMessage(this.#keys, bound, row));
  }

  /** For lists, which show no sound: the body of a voice message may be without it. */
  openedForList(row: MessageRow): Message {
    return this.#opened(row, (bound) => openRow(this.#keys, bound, row));
  }

  #opened(row: MessageRow, open: (bound: Bound) => Buffer): Message {
    const bound = { conversationId: row.conversation_id, msgId: row.msg_id, senderId: row.sender_id };
    const whole = { ...bound, msgType: row.msg_type, createTimeMs: Number(row.create_time_ms) };
    try {
      return { ...whole, body: open(bound) };
    } catch (error) {
      if (!(error instanceof UnopenableError)) throw error;
      this.#unopenable(row.key_id, error);
      const msgType = isGroupConversation(row.conversation_id) ? MSG_TYPE_GROUP_TEXT : MSG_TYPE_SINGLE_TEXT;
      return { ...whole, msgType, body: UNREADABLE };
    }
  }

  #unopenable(keyId: number, { message }: UnopenableError): void {
    this.#counters.unopenable?.();
    if (this.#logged.has(keyId)) return;
    this.#logged.add(keyId);
    this.#log.warn({ keyId }, `${message}; further ones under this key are only counted`);
  }
}
