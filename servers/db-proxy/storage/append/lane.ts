import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { ImError } from '../../../../common/errors.js';
import type { Hops } from '../../../../common/hops.js';
import type { Logger } from '../../../../common/log.js';
import { sealMessage } from '../attachments.js';
import type { DataKeys } from '../data-keys.js';
import { bucketsElsewhere, isUnavailable, isUniqueViolation, newClient, PLANNED_ONCE } from '../database.js';
import type { Outbox } from '../outbox.js';
import type { Shard, Shards } from '../shards.js';
import type { UserLists } from '../user-lists.js';
import { admitted, type Membership } from './admission.js';
import type { Doubts } from './doubts.js';
import { Heads } from './heads.js';
import { type Item, joinTwins, settle, settleError } from './item.js';
import { LaneLists } from './lists.js';
import { answerRepeated } from './repeats.js';
import { insert, type Numbered } from './statement.js';

export interface AppendLimits {
  /** Connections, and so commits in flight, per shard. */
  readonly lanesPerShard: number;
  /** Messages of one statement at most. */
  readonly batchMax: number;
  /** Messages that may wait in one lane; the next one is BUSY. */
  readonly queueMax: number;
  /** How long a message may wait for PostgreSQL, in ms. */
  readonly storeTimeoutMs: number;
}

export interface AppendCounters {
  stored(messages: number): void;
  batch(seconds: number): void;
  repeated(messages: number): void;
}

export interface LaneParts {
  readonly shards: Shards;
  readonly keys: DataKeys;
  readonly membership: Membership;
  readonly limits: AppendLimits;
  readonly counters: AppendCounters;
  readonly hops: Hops;
  readonly log: Logger;
  readonly lists: UserLists;
  readonly outbox: Outbox;
  readonly doubts: Doubts;
  /** Takes messages whose buckets are not open on the lane's shard. */
  elsewhere(items: Item[]): void;
  /** Takes messages whose users' lists cannot be written at the moment. */
  unlisted(items: Item[]): void;
}

const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Lost races for a head after which it is held. */
const LOST_MAX = 3;
const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 1_000;

/** A connection to a shard with at most one commit in flight, and what waits for the next. */
export class Lane {
  readonly #shard: Shard;
  readonly #parts: LaneParts;
  readonly #heads = new Heads();
  readonly #lists: LaneLists;
  #queue: Item[] = [];
  /** Being written; settled ones stay in it to the end. */
  #batch: Item[] = [];
  #running: Promise<void> | undefined;
  #client: pg.Client | undefined;

  constructor(shard: Shard, parts: LaneParts) {
    this.#shard = shard;
    this.#parts = parts;
    const { shards, lists } = parts;
    const waiting = (at: Shard, error: Error, entries: number) => this.#tellWaiting(at, error, entries);
    this.#lists = new LaneLists({ shards, lists, waiting }, this.#heads);
  }

  get waiting(): number {
    return this.#queue.length;
  }

  has(bucket: number): boolean {
    const isHere = (item: Item) => item.bucket === bucket && !item.settled;
    return this.#batch.some(isHere) || this.#queue.some(isHere);
  }

  put(items: readonly Item[]): void {
    this.#queue.push(...items);
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#client?.end().catch(() => undefined);
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // whatever else this turn brings joins the first batch
    while (this.#queue.length > 0) {
      this.#batch = this.#take();
      await this.#write(this.#batch);
      this.#batch = [];
    }
    this.#running = undefined;
  }

  #take(): Item[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && count < this.#parts.limits.batchMax && bytes < BATCH_BYTES_MAX) {
      bytes += this.#queue[count]!.body.length;
      count++;
    }
    const batch = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    return joinTwins(batch);
  }

  /** Tries until every message of the batch is settled. `suspect`: some of them may be stored already. */
  async #write(batch: Item[]): Promise<void> {
    let open = batch;
    let suspect = false;
    let lost = 0;
    for (let pauseMs = PAUSE_MS_MIN; ; ) {
      open = this.#giveUpLate(open, suspect);
      if (open.length === 0) return;
      const holding = lost >= LOST_MAX;
      try {
        open = await this.#attempt(open, suspect, holding);
        suspect = false;
        lost++;
      } catch (error) {
        if (holding) await this.#client?.query('rollback').catch(() => this.#dropClient());
        for (const item of open) this.#heads.forget(item.conversationId);
        open = open.filter((item) => !item.settled);
        const elsewhere = bucketsElsewhere(error);
        if (elsewhere !== undefined) {
          open = this.#sendAway(open, elsewhere, (items) => this.#parts.elsewhere(items));
          continue;
        }
        if (isUniqueViolation(error) && !suspect) {
          suspect = true;
          continue;
        }
        suspect = true;
        if (!isUnavailable(error)) return this.#writeApart(open, error as Error);
        this.#tellWaiting(this.#shard, error as Error, open.length);
        this.#dropClient();
        await delay(pauseMs);
        pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
      }
    }
  }

  #tellWaiting({ name: shard }: Shard, { message: error }: Error, messages: number): void {
    this.#parts.log.warn({ shard, error, messages }, 'storing waits for PostgreSQL');
  }

  /** Whatever is here of these buckets leaves, in its order, waiting messages included. @returns what stays of `open`. */
  #sendAway(open: Item[], buckets: ReadonlySet<number>, take: (items: Item[]) => void): Item[] {
    const leaves = (item: Item) => buckets.has(item.bucket);
    const leaving = [...this.#batch.filter((item) => !item.settled), ...this.#queue].filter(leaves);
    this.#batch = this.#batch.filter((item) => !leaves(item));
    this.#queue = this.#queue.filter((item) => !leaves(item));
    take(leaving);
    return open.filter((item) => !leaves(item));
  }

  /** PostgreSQL refuses the statement itself: find the message it is about, so that it takes no other with it. */
  async #writeApart(items: Item[], error: Error): Promise<void> {
    if (items.length > 1) {
      for (const item of items) if (this.#batch.includes(item)) await this.#write([item]); // those that have not left
      return;
    }
    this.#parts.log.error({ error, shard: this.#shard.name }, 'a message cannot be stored');
    for (const item of items) settleError(item, new ImError('INTERNAL', error.message));
  }

  #giveUpLate(items: Item[], suspect: boolean): Item[] {
    const { limits, doubts } = this.#parts;
    const nowMs = performance.now();
    return items.filter((item) => {
      if (item.deadlineMs > nowMs) return true;
      const waitedMs = nowMs - item.deadlineMs + limits.storeTimeoutMs;
      if (suspect) doubts.add(this.#shard, item.bucket, Date.now() - waitedMs);
      settleError(item, new ImError('STORE_UNAVAILABLE', `${this.#shard.name} did not answer in time`));
      return false;
    });
  }

  /** One go at all of them; gives back what has to go again. */
  async #attempt(batch: Item[], suspect: boolean, holding: boolean): Promise<Item[]> {
    const client = await this.#connected();
    const allowed = await admitted(batch, this.#parts.membership, this.#heads);
    await this.#heads.learn(client, conversationsOf(allowed));
    const unlisted = await this.#lists.enter(allowed);
    const listed =
      unlisted.size === 0 ? allowed : this.#sendAway(allowed, unlisted, (items) => this.#parts.unlisted(items));
    const fresh = suspect ? await this.#answerRepeated(client, listed) : listed;
    if (fresh.length === 0) return [];
    const consumers = await this.#parts.outbox.consumers();
    if (holding) await this.#heads.hold(client, conversationsOf(fresh));
    const started = performance.now();
    // From here to the statement nothing is awaited: how long sealed messages may be on their way is counted on.
    const numbered = this.#number(fresh);
    const moved = await insert(client, numbered, consumers);
    if (holding) await client.query('commit');
    const committedMs = performance.now();
    this.#parts.counters.batch((committedMs - started) / 1000);
    const again: Item[] = [];
    for (const each of numbered) {
      if (moved.has(each.item.conversationId)) {
        settle(each.item, { msgId: each.msgId, createTimeMs: each.timeMs, duplicate: false });
        this.#noteHop(each.item, each.msgId, started, committedMs, fresh.length);
      } else again.push(each.item);
    }
    for (const item of again) this.#heads.forget(item.conversationId);
    this.#parts.counters.stored(fresh.length - again.length);
    return again;
  }

  /** Settles what is stored already. @returns the rest */
  async #answerRepeated(client: pg.Client, batch: Item[]): Promise<Item[]> {
    const askedMs = performance.now();
    const { fresh, repeated } = await answerRepeated(client, batch, this.#parts.keys);
    this.#parts.counters.repeated(repeated.length);
    for (const { item, msgId } of repeated) this.#noteHop(item, msgId, askedMs, performance.now(), 0);
    return fresh;
  }

  /** `batch`: 0 for one that an earlier ask has stored. */
  #noteHop(item: Item, msgId: number, begunMs: number, committedMs: number, batch: number): void {
    const { hops, limits } = this.#parts;
    const queuedMs = item.deadlineMs - limits.storeTimeoutMs;
    hops.stored(item.conversationId, msgId, item.sendId, queuedMs, begunMs, committedMs, batch);
  }

  /** Gives each message the id and the time it will have if nobody else has written to its conversation. */
  #number(items: readonly Item[]): Numbered[] {
    const nowMs = Date.now();
    return items.map((item) => {
      const { conversationId, senderId } = item;
      const { msgId, timeMs } = this.#heads.next(conversationId, nowMs);
      const bound = { conversationId, msgId, senderId };
      const { keyId, sealed, attachment } = sealMessage(this.#parts.keys, item.bucket, bound, item.msgType, item.body);
      return { item, msgId, timeMs, keyId, sealed, attachment };
    });
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = newClient(this.#shard.url, `db-proxy append ${this.#shard.name}`, { options: PLANNED_ONCE });
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    this.#client = client;
    return client;
  }

  #dropClient(): void {
    this.#client?.end().catch(() => undefined);
    this.#client = undefined;
  }
}

function conversationsOf(items: readonly Item[]): ReadonlySet<bigint> {
  return new Set(items.map((item) => item.conversationId));
}
