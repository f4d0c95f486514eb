import assert from 'node:assert/strict';
import type pg from 'pg';
import { bucketOf } from '../../../../common/conversation.js';
import { STATEMENT_MS_MAX } from '../database.js';
import { distinct } from '../shards.js';

interface Head {
  id: number;
  timeMs: number;
  /** The hour for which its users' lists were touched last. */
  listedHour: number;
}

interface HeadRow {
  readonly id: bigint;
  readonly head: number;
  readonly head_time_ms: bigint;
}

const HEADS_MAX = 100_000;
/** The statement and the commit behind it take no longer together than KeyWatch counts on. */
const HELD_STATEMENT_MS_MAX = STATEMENT_MS_MAX / 2;

/** Heads of conversations as a lane has last seen them. An entry also says that the conversation's rows exist. */
export class Heads {
  readonly #byId = new Map<bigint, Head>();

  has(id: bigint): boolean {
    return this.#byId.has(id);
  }

  get(id: bigint): Head | undefined {
    return this.#byId.get(id);
  }

  forget(id: bigint): void {
    this.#byId.delete(id);
  }

  /** Makes sure that these conversations exist, and knows their heads. */
  async learn(client: pg.Client, ids: ReadonlySet<bigint>): Promise<void> {
    const unknown = [...ids].filter((id) => !this.#byId.has(id));
    if (unknown.length === 0) return;
    await client.query({
      name: 'conversations-make',
      text: `with fence as materialized (select shard.writable($3::smallint[]) as open)
             insert into shard.conversation (bucket, id)
             select w.bucket, w.id from unnest($1::smallint[], $2::bigint[]) as w (bucket, id), fence where fence.open
             on conflict do nothing`,
      values: [unknown.map(bucketOf), unknown.map(String), distinct(unknown.map(bucketOf))],
    });
    for (const row of await readHeads(client, unknown))
      this.#byId.set(row.id, { id: row.head, timeMs: Number(row.head_time_ms), listedHour: 0 });
    this.#forgetSome(ids);
  }

  /**
   * Begins a transaction in which nobody else moves these heads, and reads them. Every writer shares the lock of his
   * buckets (shard.writable); to have it alone is granted in turn, while a lock on the row of a busy head would have to
   * be won against each new version of it.
   */
  async hold(client: pg.Client, ids: ReadonlySet<bigint>): Promise<void> {
    await client.query(`begin; set local statement_timeout = ${HELD_STATEMENT_MS_MAX}`);
    await client.query({
      name: 'buckets-hold',
      text: `select pg_advisory_xact_lock(hashtext('shard.bucket'), bucket) from unnest($1::int[]) as bucket`,
      values: [distinct([...ids].map(bucketOf))],
    });
    for (const { id, head, head_time_ms: timeMs } of await readHeads(client, [...ids])) {
      const known = this.#byId.get(id)!;
      known.id = head;
      known.timeMs = Number(timeMs);
    }
  }

  /** The id and the time of the next message, if nobody else has written to its conversation. */
  next(id: bigint, nowMs: number): { readonly msgId: number; readonly timeMs: number } {
    const head = this.#byId.get(id);
    assert(head !== undefined, 'the head is learnt before');
    head.id++;
    head.timeMs = Math.max(head.timeMs, nowMs); // a clock that steps back does not turn a conversation around
    return { msgId: head.id, timeMs: head.timeMs };
  }

  #forgetSome(inUse: ReadonlySet<bigint>): void {
    if (this.#byId.size <= HEADS_MAX) return;
    for (const id of this.#byId.keys()) {
      if (!inUse.has(id)) this.#byId.delete(id);
      if (this.#byId.size <= HEADS_MAX * 0.9) break;
    }
  }
}

async function readHeads(client: pg.Client, ids: readonly bigint[]): Promise<HeadRow[]> {
  const { rows } = await client.query<HeadRow>({
    name: 'conversations-heads',
    text: `select c.id, c.head, c.head_time_ms from unnest($1::smallint[], $2::bigint[]) as w (bucket, id)
             join shard.conversation c on c.bucket = w.bucket and c.id = w.id`,
    values: [ids.map(bucketOf), ids.map(String)],
  });
  return rows;
}
