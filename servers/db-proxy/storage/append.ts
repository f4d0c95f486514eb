import { setTimeout as delay } from 'node:timers/promises';
import { bucketOf } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import type { Hops } from '../../../common/hops.js';
import type { Logger } from '../../../common/log.js';
import type { Membership } from './append/admission.js';
import type { Doubts } from './append/doubts.js';
import type { Draft, Item, Stored } from './append/item.js';
import { type AppendCounters, type AppendLimits, Lane, type LaneParts } from './append/lane.js';
import { LISTS_PAUSE_MS } from './append/lists.js';
import type { DataKeys } from './data-keys.js';
import type { Outbox } from './outbox.js';
import type { Shard, Shards } from './shards.js';
import type { UserLists } from './user-lists.js';

/** Between two looks whether a bucket on the move has arrived; a move fences it for about as long. */
const STALL_MS = 20;
/** A bucket that takes no messages for so long is not being moved: its mover has died. */
const STALLED_MS_MAX = 5_000;

/**
 * Storing messages: durable, numbered without holes, in batches that form by themselves.
 *
 * A shard has lanes, each a connection with at most one commit in flight; a conversation always uses the same
 * lane, so its messages are stored in the order in which they came. While a lane's commit is out, what arrives waits
 * and goes together in the next: no timer at low load, large transactions at high load. One lane is enough, as
 * a second one makes more commits, each smaller (test/bench/README.md).
 *
 * A batch is one statement, whatever its size, that commits by itself. It moves the head of each conversation and
 * inserts the messages. Bodies are sealed together with their msg_id, so the id must be known before: the lane
 * remembers each conversation's head and predicts. The statement moves only heads that are where they were expected;
 * what did not move (another db-proxy wrote there) comes back, is read anew and goes again. Whoever has lost this race a
 * few times holds the heads while he writes: else a db-proxy would never get its turn beside a quicker one.
 *
 * A message that was stored by an earlier attempt (unknown outcome of a broken connection, a repeated send_id) breaks
 * the unique index on send_id, which undoes the whole statement; the lane then looks the send_ids up, answers those it
 * finds with their first ids, and stores the rest.
 */
export class Append {
  readonly #lanes = new Map<Shard, Lane[]>();
  readonly #parts: LaneParts;
  /** Messages of buckets that are on the move, in their order, until the bucket is open somewhere again. */
  readonly #stalled = new Map<number, Item[]>();
  /** By bucket: where its messages went last, and when it was last told that they wait. */
  readonly #homes: (Lane | undefined)[] = [];
  readonly #toldMs: (number | undefined)[] = [];
  #closed = false;

  constructor(
    shards: Shards,
    keys: DataKeys,
    membership: Membership,
    limits: AppendLimits,
    outbox: Outbox,
    lists: UserLists,
    counters: AppendCounters,
    hops: Hops,
    doubts: Doubts,
    log: Logger,
  ) {
    const elsewhere = (items: Item[]) => this.#stall(items, (bucket) => void this.#findAgain(bucket));
    const unlisted = (items: Item[]) =>
      this.#stall(items, (bucket) => void delay(LISTS_PAUSE_MS).then(() => this.#release(bucket)));
    this.#parts = { shards, keys, membership, limits, outbox, lists, counters, hops, doubts, log, elsewhere, unlisted };
  }

  /**
   * Resolves after the commit.
   * @throws ImError NO_SUCH_USER, NOT_A_MEMBER, SEND_ID_REUSED: nothing stored. BUSY: queue full, nothing stored.
   * STORE_UNAVAILABLE: PostgreSQL did not answer in time; whether it is stored shows when the send_id is asked again.
   */
  store(draft: Draft): Promise<Stored> {
    return new Promise((resolve, reject) => {
      const { queueMax, storeTimeoutMs } = this.#parts.limits;
      const bucket = bucketOf(draft.conversationId);
      const deadlineMs = performance.now() + storeTimeoutMs;
      const { conversationId, senderId, msgType, body, sendId } = draft;
      const twins: Item[] = [];
      const item = {
        conversationId,
        senderId,
        msgType,
        body,
        sendId,
        bucket,
        deadlineMs,
        twins,
        settled: false,
        resolve,
        reject,
      };
      const queue = this.#stalled.get(bucket);
      const lane = queue === undefined ? this.#lane(bucket) : undefined;
      const waiting = queue?.length ?? lane!.waiting;
      if (waiting >= queueMax || this.#closed) reject(new ImError('BUSY', `${waiting} messages wait`));
      else if (queue !== undefined) queue.push(item);
      else lane!.put([item]);
    });
  }

  get waiting(): number {
    let sum = 0;
    for (const lanes of this.#lanes.values()) for (const lane of lanes) sum += lane.waiting;
    for (const items of this.#stalled.values()) sum += items.length;
    return sum;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#parts.doubts.close();
    await Promise.all([...this.#lanes.values()].flat().map((lane) => lane.close()));
  }

  /** The map may have changed while messages wait in the old lane: the next ones follow them, and do not overtake. */
  #lane(bucket: number): Lane {
    const home = this.#homes[bucket];
    const lane = this.#laneByMap(bucket);
    if (home !== undefined && home !== lane && home.has(bucket)) return home;
    this.#homes[bucket] = lane;
    return lane;
  }

  #laneByMap(bucket: number): Lane {
    const { shards, limits } = this.#parts;
    const shard = shards.ofBucket(bucket);
    let lanes = this.#lanes.get(shard);
    if (lanes === undefined) {
      lanes = Array.from({ length: limits.lanesPerShard }, () => new Lane(shard, this.#parts));
      this.#lanes.set(shard, lanes);
    }
    return lanes[bucket % limits.lanesPerShard]!;
  }

  /** A lane cannot store these messages for now; it has nothing more of their buckets. */
  #stall(items: Item[], goOn: (bucket: number) => void): void {
    for (const bucket of new Set(items.map((item) => item.bucket))) {
      this.#stalled.set(
        bucket,
        items.filter((item) => item.bucket === bucket),
      );
      goOn(bucket);
    }
  }

  /** Reads the map anew and tries again; a bucket that is still fenced comes back here. */
  async #findAgain(bucket: number): Promise<void> {
    await delay(STALL_MS);
    await this.#parts.shards.reload().catch(() => undefined);
    this.#tellIfLong(bucket, this.#stalled.get(bucket)!);
    this.#release(bucket);
  }

  #release(bucket: number): void {
    const items = this.#stalled.get(bucket)!;
    this.#stalled.delete(bucket);
    this.#lane(bucket).put(items);
  }

  #tellIfLong(bucket: number, items: readonly Item[]): void {
    const { storeTimeoutMs } = this.#parts.limits;
    const nowMs = performance.now();
    const longMs = Math.min(STALLED_MS_MAX, storeTimeoutMs / 2);
    const waitedMs = nowMs - items[0]!.deadlineMs + storeTimeoutMs;
    if (waitedMs < longMs || nowMs - (this.#toldMs[bucket] ?? 0) < STALLED_MS_MAX) return;
    this.#toldMs[bucket] = nowMs;
    this.#parts.log.error(
      { bucket, messages: items.length, waitedMs: Math.round(waitedMs) },
      'a bucket takes no messages: its move to another shard was cut off; `npm run shards -- resume` takes it up again',
    );
  }
}
