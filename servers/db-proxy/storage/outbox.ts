import type pg from 'pg';
import { bucketOf } from '../../../common/conversation.js';
import type { Hops } from '../../../common/hops.js';
import { STATEMENT_MS_MAX } from './database.js';
import { distinct, type Shard, type Shards } from './shards.js';

/** Something to be done because of a message. */
export interface Effect {
  readonly conversationId: bigint;
  readonly msgId: number;
}

/** How long a db-proxy may go on without knowing of a new consumer. */
export const CONSUMERS_MS = 2_000;
/** By then whatever a db-proxy has written that did not know better is committed. */
const WRITTEN_MS = CONSUMERS_MS + STATEMENT_MS_MAX + 1_000;
const REMOVED_ROWS = 5_000;

/**
 * The outbox: for each consumer (push, webhooks, search) a row per message, written in the message's transaction.
 * Without consumers nothing is written. A consumer claims rows for a while, does what they ask for, and says so; a
 * claim that runs out is open to others again, so an effect may happen twice and never not at all.
 */
export class Outbox {
  readonly #meta: pg.Pool;
  readonly #shards: Shards;
  readonly #hops: Hops;
  #consumers: ReadonlyMap<string, number> = new Map();
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(meta: pg.Pool, shards: Shards, hops: Hops) {
    this.#meta = meta;
    this.#shards = shards;
    this.#hops = hops;
  }

  /** From now on every message has a row for this consumer; up to two seconds later on other db-proxies. */
  async register(name: string): Promise<number> {
    await this.#meta.query('insert into meta.outbox_consumer (name) values ($1) on conflict do nothing', [name]);
    this.#readMs = Number.NEGATIVE_INFINITY;
    const { rows } = await this.#meta.query<{ id: number }>('select id from meta.outbox_consumer where name = $1', [
      name,
    ]);
    return rows[0]!.id;
  }

  /**
   * Nothing is written for it any more, and what is there goes. What other db-proxies write before they notice, and what
   * a bucket takes along that is just changing shards, goes some seconds later; till then nobody claims it.
   */
  async unregister(consumer: number): Promise<void> {
    await this.#meta.query('delete from meta.outbox_consumer where id = $1', [consumer]);
    this.#readMs = Number.NEGATIVE_INFINITY;
    await this.#removeAll(consumer);
    const again = () => void this.#removeAll(consumer).catch(() => undefined); // the rows are nobody's and harm nobody
    setTimeout(again, WRITTEN_MS).unref();
  }

  async #removeAll(consumer: number): Promise<void> {
    for (const shard of this.#shards.all) while ((await this.#removeSome(shard, consumer)) === REMOVED_ROWS);
  }

  /** Under the fence of their buckets: behind it, a copy that goes to another shard would keep them. */
  #removeSome({ pool }: Shard, consumer: number): Promise<number> {
    return this.#shards.settled(async () => {
      const { rows } = await pool.query<{ removed: number }>(
        `with part as materialized (
           select bucket, conversation_id, msg_id from shard.outbox
            where consumer = $1 and bucket in (select bucket from shard.bucket where state = 'open') limit ${REMOVED_ROWS}
         ), fence as materialized (
           select shard.writable(array(select distinct bucket from part)) as open
         ), gone as (
           delete from shard.outbox o using fence, part
            where fence.open and o.consumer = $1 and o.bucket = part.bucket
              and o.conversation_id = part.conversation_id and o.msg_id = part.msg_id returning 1
         )
         select count(*)::int as removed from gone`,
        [consumer],
      );
      return rows[0]!.removed;
    });
  }

  /** Whom messages are written for at the moment. */
  async consumers(): Promise<readonly number[]> {
    return [...(await this.#known()).values()];
  }

  /** Undefined: nothing is written for it. */
  async consumerOf(name: string): Promise<number | undefined> {
    return (await this.#known()).get(name);
  }

  async #known(): Promise<ReadonlyMap<string, number>> {
    const nowMs = performance.now();
    if (nowMs - this.#readMs > CONSUMERS_MS) {
      const { rows } = await this.#meta.query<{ id: number; name: string }>({
        name: 'outbox-consumers',
        text: 'select id, name from meta.outbox_consumer order by id',
      });
      this.#consumers = new Map(rows.map((row) => [row.name, row.id]));
      // As of the asking: somebody may have been registered while the answer was on its way.
      this.#readMs = nowMs;
    }
    return this.#consumers;
  }

  /** The first `limit` effects per shard without claiming them: for a consumer that sees to it by itself that it is alone. */
  async waiting(consumer: number, limit: number): Promise<Effect[]> {
    const parts = this.#shards.all.map(async ({ pool }) => {
      const { rows } = await pool.query<{ conversation_id: bigint; msg_id: number }>({
        name: `outbox-waiting ${limit}`, // in the text for the same reason as below
        text: `select conversation_id, msg_id from shard.outbox
                where consumer = $1 and bucket in (select bucket from shard.bucket where state = 'open')
                order by conversation_id, msg_id limit ${Math.trunc(limit)}`,
        values: [consumer],
      });
      return rows.map((row) => ({ conversationId: row.conversation_id, msgId: row.msg_id }));
    });
    return (await Promise.all(parts)).flat();
  }

  /** Up to `limit` effects per shard that nobody is at, for `leaseMs`; in the order of each conversation. */
  async claim(consumer: number, limit: number, leaseMs: number): Promise<Effect[]> {
    const parts = this.#shards.all.map(async ({ pool }) => {
      const { rows } = await pool.query<{ conversation_id: bigint; msg_id: number }>({
        // The limit stands in the text: an unknown one makes the planner sort the whole table.
        name: `outbox-claim ${limit}`,
        text: `update shard.outbox o set claimed_until = now() + $2 * interval '1 millisecond'
                 from (select bucket, conversation_id, msg_id from shard.outbox
                        where consumer = $1 and (claimed_until is null or claimed_until < now())
                          and bucket in (select bucket from shard.bucket where state = 'open') -- no copy on its way
                        order by conversation_id, msg_id limit ${Math.trunc(limit)} for update skip locked) free
                where o.bucket = free.bucket and o.consumer = $1 and o.conversation_id = free.conversation_id and o.msg_id = free.msg_id
               returning o.conversation_id, o.msg_id`,
        values: [consumer, leaseMs],
      });
      return rows.map((row) => ({ conversationId: row.conversation_id, msgId: row.msg_id }));
    });
    const effects = (await Promise.all(parts)).flat();
    return effects.sort((a, b) =>
      a.conversationId === b.conversationId ? a.msgId - b.msgId : a.conversationId < b.conversationId ? -1 : 1,
    );
  }

  /** These are handed out again, but not before so long. */
  postpone(consumer: number, effects: readonly Effect[], delayMs: number): Promise<void> {
    return this.#write(consumer, effects, {
      name: 'outbox-postpone',
      change: `update shard.outbox o set claimed_until = now() + $6 * interval '1 millisecond' from`,
      values: [delayMs],
    });
  }

  /** These are done and need not be done again. */
  async done(consumer: number, effects: readonly Effect[]): Promise<void> {
    await this.#write(consumer, effects, {
      name: 'outbox-done',
      change: 'delete from shard.outbox o using',
      values: [],
    });
    const [name = ''] = [...this.#consumers].find(([, id]) => id === consumer) ?? [];
    for (const { conversationId, msgId } of effects) this.#hops.settled(conversationId, msgId, name);
  }

  /** The fence is asked even where there is nothing to change: it may be elsewhere. */
  async #write(
    consumer: number,
    effects: readonly Effect[],
    { name, change, values }: { name: string; change: string; values: unknown[] },
  ): Promise<void> {
    await this.#shards.settled(async () => {
      for (const [shard, part] of this.#shards.split(effects, (effect) => bucketOf(effect.conversationId))) {
        const buckets = part.map((effect) => bucketOf(effect.conversationId));
        await shard.pool.query({
          name,
          text: `with fence as materialized (select shard.writable($5::smallint[]) as open), changed as (
                   ${change} fence, unnest($2::smallint[], $3::bigint[], $4::int[]) as w (bucket, conversation_id, msg_id)
                    where fence.open and o.consumer = $1 and o.bucket = w.bucket and o.conversation_id = w.conversation_id and o.msg_id = w.msg_id)
                 select from fence where open`,
          values: [
            consumer,
            buckets,
            part.map((e) => String(e.conversationId)),
            part.map((e) => e.msgId),
            distinct(buckets),
            ...values,
          ],
        });
      }
    });
  }
}
