import assert from 'node:assert/strict';
import pg from 'pg';
import { bucketOf, groupOf, isGroupConversation, userBucketOf, usersOf } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import type { Logger } from '../../../common/log.js';
import type { DataKeys } from './data-keys.js';
import { bucketsElsewhere, clientConfig, isUnavailable, isUniqueViolation, STATEMENT_MS_MAX } from './database.js';
import type { Outbox } from './outbox.js';
import { distinct, type Shard, type Shards } from './shards.js';
import { hourOf, type Listed, type UserLists } from './user-lists.js';

/**
 * Storing messages: durable, numbered without holes, in batches that form by themselves.
 *
 * A shard has a few lanes, each a connection with at most one commit in flight; a conversation always uses the same
 * lane, so its messages are stored in the order in which they came. While a lane's commit is out, what arrives waits
 * and goes together in the next: no timer at low load, large transactions at high load.
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
export interface Draft {
  readonly conversationId: bigint;
  readonly senderId: number;
  readonly msgType: number;
  readonly body: Buffer;
  /** 16 bytes. */
  readonly sendId: Buffer;
}

export interface Stored {
  readonly msgId: number;
  readonly createTimeMs: number;
  /** Stored by an earlier ask with the same send_id. */
  readonly duplicate: boolean;
}

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

/** Answers of the directory that storing depends on. */
export interface Membership {
  /** Which of these users exist and have not left. */
  existing(userIds: readonly number[]): Promise<ReadonlySet<number>>;
  /** Which of these (group, user) pairs are members of a group that is not deleted; keys as memberKey makes them. */
  members(pairs: readonly { groupId: number; userId: number }[]): Promise<ReadonlySet<string>>;
}

export function memberKey(groupId: number, userId: number): string {
  return `${groupId}/${userId}`;
}

const BATCH_BYTES_MAX = 4 * 1024 * 1024;
const HEADS_MAX = 100_000;
/** Between two looks whether a bucket on the move has arrived; a move fences it for about as long. */
const STALL_MS = 20;
/** A bucket that takes no messages for so long is not being moved: its mover has died. */
const STALLED_MS_MAX = 5_000;
/** Lost races for a head after which it is held. */
const LOST_MAX = 3;
/** The statement and the commit behind it take no longer together than KeyWatch counts on. */
const HELD_STATEMENT_MS_MAX = STATEMENT_MS_MAX / 2;
/** How long the lists of users may keep a lane waiting. */
const LISTS_MS_MAX = 1_000;
/** When they do, or their shard is down, messages that need them wait aside for so long. */
const LISTS_PAUSE_MS = 500;
const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 1_000;

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
    log: Logger,
  ) {
    const elsewhere = (items: Item[]) => this.#stall(items, (bucket) => void this.#findAgain(bucket));
    const unlisted = (items: Item[]) =>
      this.#stall(items, (bucket) => void pause(LISTS_PAUSE_MS).then(() => this.#release(bucket)));
    this.#parts = { shards, keys, membership, limits, outbox, lists, counters, log, elsewhere, unlisted };
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
      const item: Item = { ...draft, bucket, deadlineMs, twins: [], settled: false, resolve, reject };
      const queue = this.#stalled.get(bucket);
      const waiting = queue?.length ?? this.#lane(bucket).waiting;
      if (waiting >= queueMax || this.#closed) reject(new ImError('BUSY', `${waiting} messages wait`));
      else if (queue !== undefined) queue.push(item);
      else this.#lane(bucket).put([item]);
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
    await pause(STALL_MS);
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

interface Item extends Draft {
  readonly bucket: number;
  readonly deadlineMs: number;
  /** The same send_id again within one batch: answered like this one. */
  readonly twins: Item[];
  settled: boolean;
  resolve(stored: Stored): void;
  reject(error: Error): void;
}

interface Head {
  id: number;
  timeMs: number;
  /** The hour for which its users' lists were touched last. */
  listedHour: number;
}

interface LaneParts {
  readonly shards: Shards;
  readonly keys: DataKeys;
  readonly membership: Membership;
  readonly limits: AppendLimits;
  readonly counters: AppendCounters;
  readonly log: Logger;
  readonly lists: UserLists;
  readonly outbox: Outbox;
  /** Takes messages whose buckets are not open on the lane's shard. */
  elsewhere(items: Item[]): void;
  /** Takes messages whose users' lists cannot be written at the moment. */
  unlisted(items: Item[]): void;
}

class Lane {
  readonly #shard: Shard;
  readonly #parts: LaneParts;
  /** Heads as last seen. An entry also says that the conversation's rows exist. */
  readonly #heads = new Map<bigint, Head>();
  #queue: Item[] = [];
  /** Being written; settled ones stay in it to the end. */
  #batch: Item[] = [];
  #running: Promise<void> | undefined;
  #client: pg.Client | undefined;
  /** Shards whose lists did not answer, and until when they are not asked again. */
  readonly #silentLists = new Map<Shard, number>();

  constructor(shard: Shard, parts: LaneParts) {
    this.#shard = shard;
    this.#parts = parts;
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
      open = this.#giveUpLate(open);
      if (open.length === 0) return;
      const holding = lost >= LOST_MAX;
      try {
        open = await this.#attempt(open, suspect, holding);
        suspect = false;
        lost++;
      } catch (error) {
        if (holding) await this.#client?.query('rollback').catch(() => this.#dropClient());
        for (const item of open) this.#heads.delete(item.conversationId);
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
        await pause(pauseMs);
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

  #giveUpLate(items: Item[]): Item[] {
    const nowMs = performance.now();
    return items.filter((item) => {
      if (item.deadlineMs > nowMs) return true;
      settleError(item, new ImError('STORE_UNAVAILABLE', `${this.#shard.name} did not answer in time`));
      return false;
    });
  }

  /** One go at all of them; gives back what has to go again. */
  async #attempt(batch: Item[], suspect: boolean, holding: boolean): Promise<Item[]> {
    const client = await this.#connected();
    const allowed = await this.#refuse(batch);
    await this.#learnHeads(client, allowed);
    const unlisted = await this.#list(allowed);
    const listed =
      unlisted.size === 0 ? allowed : this.#sendAway(allowed, unlisted, (items) => this.#parts.unlisted(items));
    const fresh = suspect ? await this.#answerRepeated(client, listed) : listed;
    if (fresh.length === 0) return [];
    const consumers = await this.#parts.outbox.consumers();
    if (holding) await this.#holdHeads(client, fresh);
    const started = performance.now();
    // From here to the statement nothing is awaited: how long sealed messages may be on their way is counted on.
    const numbered = this.#number(fresh);
    const moved = await this.#insert(client, numbered, consumers);
    if (holding) await client.query('commit');
    this.#parts.counters.batch((performance.now() - started) / 1000);
    const again: Item[] = [];
    for (const each of numbered) {
      if (moved.has(each.item.conversationId))
        settle(each.item, { msgId: each.msgId, createTimeMs: each.timeMs, duplicate: false });
      else again.push(each.item);
    }
    for (const item of again) this.#heads.delete(item.conversationId);
    this.#parts.counters.stored(fresh.length - again.length);
    return again;
  }

  /** Group messages of non-members and first messages to nobody end here. */
  async #refuse(batch: Item[]): Promise<Item[]> {
    const { membership } = this.#parts;
    const inGroups = batch.filter((item) => isGroupConversation(item.conversationId));
    const newSingles = batch.filter(
      (item) => !isGroupConversation(item.conversationId) && !this.#heads.has(item.conversationId),
    );
    if (inGroups.length === 0 && newSingles.length === 0) return batch;
    const pairs = inGroups.map((item) => ({ groupId: groupOf(item.conversationId), userId: item.senderId }));
    const members = inGroups.length === 0 ? undefined : await membership.members(pairs);
    const people = newSingles.flatMap((item) => usersOf(item.conversationId));
    const existing = newSingles.length === 0 ? undefined : await membership.existing(people);
    return batch.filter((item) => {
      const error = isGroupConversation(item.conversationId)
        ? members!.has(memberKey(groupOf(item.conversationId), item.senderId))
          ? undefined
          : new ImError('NOT_A_MEMBER', `user ${item.senderId} in group ${groupOf(item.conversationId)}`)
        : this.#heads.has(item.conversationId) || usersOf(item.conversationId).every((id) => existing!.has(id))
          ? undefined
          : new ImError('NO_SUCH_USER', `conversation of ${usersOf(item.conversationId).join(' and ')}`);
      if (error !== undefined) settleError(item, error);
      return error === undefined;
    });
  }

  /**
   * Makes sure that the conversations exist, and knows their heads. The first message of a single conversation is only
   * stored when it is on its two users' lists (in their buckets, so never in one transaction with it): a crash in
   * between leaves a list entry without messages, which nobody sees, and never messages that nobody finds.
   */
  async #learnHeads(client: pg.Client, batch: Item[]): Promise<void> {
    const unknown = [...new Set(batch.map((item) => item.conversationId))].filter((id) => !this.#heads.has(id));
    if (unknown.length === 0) return;
    await client.query({
      name: 'conversations-make',
      text: `with fence as materialized (select shard.writable($3::smallint[]) as open)
             insert into shard.conversation (bucket, id)
             select w.bucket, w.id from unnest($1::smallint[], $2::bigint[]) as w (bucket, id), fence where fence.open
             on conflict do nothing`,
      values: [unknown.map(bucketOf), unknown.map(String), distinct(unknown.map(bucketOf))],
    });
    const rows = await this.#headsOf(client, unknown);
    for (const row of rows) this.#heads.set(row.id, { id: row.head, timeMs: Number(row.head_time_ms), listedHour: 0 });
    this.#forgetSome(batch);
  }

  /**
   * Both users' lists have the conversation, with this hour as its last active one.
   * @returns the buckets of conversations with a list that cannot be written at the moment: the others need not wait
   */
  async #list(batch: readonly Item[]): Promise<ReadonlySet<number>> {
    const waiting = new Set<number>();
    const nowMs = Date.now();
    const hour = hourOf(nowMs);
    const singles = new Set(batch.map((item) => item.conversationId).filter((id) => !isGroupConversation(id)));
    const stale = [...singles].filter((id) => this.#heads.get(id)?.listedHour !== hour);
    if (stale.length === 0) return waiting;
    const entries = stale.flatMap((id) => usersOf(id).map((userId) => ({ userId, id })));
    const parts = this.#parts.shards.split(entries, ({ userId }) => userBucketOf(userId));
    const touched = [...parts].map(async ([shard, part]) => {
      if (!(await this.#touch(shard, part, nowMs))) for (const { id } of part) waiting.add(bucketOf(id));
    });
    await Promise.all(touched);
    for (const id of stale) {
      const head = this.#heads.get(id);
      if (head !== undefined && !waiting.has(bucketOf(id))) head.listedHour = hour;
    }
    return waiting;
  }

  /** @returns false: not now. What has been asked for may still happen, which does no harm. */
  async #touch(shard: Shard, part: readonly Listed[], nowMs: number): Promise<boolean> {
    if (performance.now() < (this.#silentLists.get(shard) ?? 0)) return false;
    const late = pause(LISTS_MS_MAX).then(() => {
      throw new Error('the lists of users did not answer in time');
    });
    try {
      await Promise.race([this.#parts.lists.touch(part, nowMs), late]);
      return true;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      this.#tellWaiting(shard, error as Error, part.length);
      this.#silentLists.set(shard, performance.now() + LISTS_PAUSE_MS);
      return false;
    } finally {
      late.catch(() => undefined);
    }
  }

  #forgetSome(batch: Item[]): void {
    if (this.#heads.size <= HEADS_MAX) return;
    const inUse = new Set(batch.map((item) => item.conversationId));
    for (const id of this.#heads.keys()) {
      if (!inUse.has(id)) this.#heads.delete(id);
      if (this.#heads.size <= HEADS_MAX * 0.9) break;
    }
  }

  /** Settles what is stored already; gives back the rest. */
  async #answerRepeated(client: pg.Client, batch: Item[]): Promise<Item[]> {
    const { rows } = await client.query<StoredRow>({
      name: 'messages-by-send-id',
      text: `select m.conversation_id, m.sender_id, m.send_id, m.msg_id, m.create_time_ms, m.msg_type, m.key_id, m.sealed
               from unnest($1::smallint[], $2::bigint[], $3::int[], $4::bytea[]) as w (bucket, conversation_id, sender_id, send_id)
               join shard.message m on m.bucket = w.bucket and m.conversation_id = w.conversation_id
                and m.sender_id = w.sender_id and m.send_id = w.send_id`,
      values: [
        batch.map((i) => i.bucket),
        batch.map((i) => String(i.conversationId)),
        batch.map((i) => i.senderId),
        batch.map((i) => i.sendId),
      ],
    });
    await this.#parts.keys.know(rows);
    const found = new Map(rows.map((row) => [sendKey(row.conversation_id, row.sender_id, row.send_id), row]));
    this.#parts.counters.repeated(rows.length);
    return batch.filter((item) => {
      const row = found.get(sendKey(item.conversationId, item.senderId, item.sendId));
      if (row === undefined) return true;
      const bound = { conversationId: item.conversationId, msgId: row.msg_id, senderId: item.senderId };
      const same = row.msg_type === item.msgType && this.#parts.keys.holds(row.key_id, bound, row.sealed, item.body);
      if (same) settle(item, { msgId: row.msg_id, createTimeMs: Number(row.create_time_ms), duplicate: true });
      else settleError(item, new ImError('SEND_ID_REUSED', `by user ${item.senderId} with another body`));
      return false;
    });
  }

  /**
   * Begins a transaction in which nobody else moves these heads, and reads them. Every writer shares the lock of his
   * buckets (shard.writable); to have it alone is granted in turn, while a lock on the row of a busy head would have to
   * be won against each new version of it.
   */
  async #holdHeads(client: pg.Client, items: readonly Item[]): Promise<void> {
    const ids = [...new Set(items.map((item) => item.conversationId))];
    await client.query(`begin; set local statement_timeout = ${HELD_STATEMENT_MS_MAX}`);
    await client.query({
      name: 'buckets-hold',
      text: `select pg_advisory_xact_lock(hashtext('shard.bucket'), bucket) from unnest($1::int[]) as bucket`,
      values: [distinct(ids.map(bucketOf))],
    });
    for (const { id, head, head_time_ms: timeMs } of await this.#headsOf(client, ids)) {
      const known = this.#heads.get(id)!;
      known.id = head;
      known.timeMs = Number(timeMs);
    }
  }

  async #headsOf(client: pg.Client, ids: readonly bigint[]): Promise<HeadRow[]> {
    const { rows } = await client.query<HeadRow>({
      name: 'conversations-heads',
      text: `select c.id, c.head, c.head_time_ms from unnest($1::smallint[], $2::bigint[]) as w (bucket, id)
               join shard.conversation c on c.bucket = w.bucket and c.id = w.id`,
      values: [ids.map(bucketOf), ids.map(String)],
    });
    return rows;
  }

  /** Gives each message the id and the time it will have if nobody else has written to its conversation. */
  #number(items: Item[]): Numbered[] {
    const nowMs = Date.now();
    return items.map((item) => {
      const head = this.#heads.get(item.conversationId);
      assert(head !== undefined, 'the head is learnt before');
      head.id++;
      head.timeMs = Math.max(head.timeMs, nowMs); // a clock that steps back does not turn a conversation around
      const bound = { conversationId: item.conversationId, msgId: head.id, senderId: item.senderId };
      return { item, msgId: head.id, timeMs: head.timeMs, ...this.#parts.keys.seal(item.bucket, bound, item.body) };
    });
  }

  /** @returns the conversations whose heads were where they were expected; the others' messages were not stored. */
  async #insert(client: pg.Client, numbered: Numbered[], consumers: readonly number[]): Promise<Set<bigint>> {
    const heads = movesOf(numbered);
    const { rows } = await client.query<{ id: bigint }>({
      name: 'messages-append',
      text: APPEND,
      values: [
        ...headColumns(heads),
        ...messageColumns(numbered),
        distinct(heads.map((move) => move.bucket)),
        consumers,
      ],
    });
    return new Set(rows.map((row) => row.id));
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = new pg.Client(clientConfig(this.#shard.url, `db-proxy append ${this.#shard.name}`));
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

interface HeadRow {
  readonly id: bigint;
  readonly head: number;
  readonly head_time_ms: bigint;
}

interface StoredRow {
  readonly conversation_id: bigint;
  readonly sender_id: number;
  readonly send_id: Buffer;
  readonly msg_id: number;
  readonly create_time_ms: bigint;
  readonly msg_type: number;
  readonly key_id: number;
  readonly sealed: Buffer;
}

interface Numbered {
  readonly item: Item;
  readonly msgId: number;
  readonly timeMs: number;
  readonly keyId: number;
  readonly sealed: Buffer;
}

interface Move {
  readonly bucket: number;
  readonly id: bigint;
  readonly expected: number;
  head: number;
  timeMs: number;
  lowRead: number;
  highRead: number;
}

/**
 * `moved` takes the row locks, in the order of the arrays, which are sorted: two db-proxies that store into the same
 * conversations wait for each other instead of blocking each other for good. Bodies come as one piece of bytes that is
 * cut here, which spares both sides the escaping of an array of them.
 */
const APPEND = `
with fence as materialized (
  select shard.writable($17::smallint[]) as open
), moved as (
  update shard.conversation c
     set head = m.head, head_time_ms = m.time_ms,
         low_read = greatest(c.low_read, m.low_read), high_read = greatest(c.high_read, m.high_read)
    from unnest($1::smallint[], $2::bigint[], $3::int[], $4::int[], $5::bigint[], $6::int[], $7::int[])
      as m (bucket, id, expected, head, time_ms, low_read, high_read), fence
   where fence.open and c.bucket = m.bucket and c.id = m.id and c.head = m.expected
  returning c.bucket, c.id
), stored as (
  insert into shard.message (bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed)
  select moved.bucket, moved.id, n.msg_id, n.sender_id, n.msg_type, n.time_ms, n.key_id,
         substring($15::bytea from n.at for 16), substring($15::bytea from n.at + 16 for n.size)
    from unnest($8::bigint[], $9::int[], $10::int[], $11::smallint[], $12::bigint[], $13::int[], $14::int[], $16::int[])
      as n (conversation_id, msg_id, sender_id, msg_type, time_ms, key_id, at, size)
    join moved on moved.id = n.conversation_id
), group_reads as (
  insert into shard.group_read (bucket, conversation_id, user_id, read_id)
  select moved.bucket, moved.id, n.sender_id, max(n.msg_id)
    from unnest($8::bigint[], $9::int[], $10::int[]) as n (conversation_id, msg_id, sender_id)
    join moved on moved.id = n.conversation_id
   where n.conversation_id >= ${1n << 62n}
   group by 1, 2, 3
  on conflict (bucket, conversation_id, user_id) do update set read_id = greatest(group_read.read_id, excluded.read_id)
), effects as (
  insert into shard.outbox (bucket, consumer, conversation_id, msg_id)
  select moved.bucket, consumer, moved.id, n.msg_id
    from unnest($8::bigint[], $9::int[]) as n (conversation_id, msg_id)
    join moved on moved.id = n.conversation_id
   cross join unnest($18::smallint[]) as consumer
)
select id from moved`;

function movesOf(numbered: readonly Numbered[]): Move[] {
  const moves = new Map<bigint, Move>();
  for (const { item, msgId, timeMs } of numbered) {
    let move = moves.get(item.conversationId);
    if (move === undefined) {
      move = {
        bucket: item.bucket,
        id: item.conversationId,
        expected: msgId - 1,
        head: msgId,
        timeMs,
        lowRead: 0,
        highRead: 0,
      };
      moves.set(item.conversationId, move);
    }
    move.head = msgId;
    move.timeMs = timeMs;
    if (isGroupConversation(item.conversationId)) continue;
    if (usersOf(item.conversationId)[0] === item.senderId) move.lowRead = msgId;
    else move.highRead = msgId;
  }
  return [...moves.values()].sort((a, b) => a.bucket - b.bucket || (a.id < b.id ? -1 : 1));
}

function headColumns(moves: readonly Move[]): string[] {
  return [
    column(moves, (m) => m.bucket),
    column(moves, (m) => m.id),
    column(moves, (m) => m.expected),
    column(moves, (m) => m.head),
    column(moves, (m) => m.timeMs),
    column(moves, (m) => m.lowRead),
    column(moves, (m) => m.highRead),
  ];
}

function messageColumns(numbered: readonly Numbered[]): (string | Buffer)[] {
  const pieces: Buffer[] = [];
  const starts: number[] = [];
  let at = 1; // substring counts from 1
  for (const { item, sealed } of numbered) {
    starts.push(at);
    pieces.push(item.sendId, sealed);
    at += item.sendId.length + sealed.length;
  }
  return [
    column(numbered, (n) => n.item.conversationId),
    column(numbered, (n) => n.msgId),
    column(numbered, (n) => n.item.senderId),
    column(numbered, (n) => n.item.msgType),
    column(numbered, (n) => n.timeMs),
    column(numbered, (n) => n.keyId),
    `{${starts.join(',')}}`,
    Buffer.concat(pieces),
    column(numbered, (n) => n.sealed.length),
  ];
}

/** An array literal of PostgreSQL; half the work of the driver's own, which has to expect any text. */
function column<T>(rows: readonly T[], value: (row: T) => number | bigint): string {
  return `{${rows.map(value).join(',')}}`;
}

function sendKey(conversationId: bigint, senderId: number, sendId: Buffer): string {
  return `${conversationId}/${senderId}/${sendId.toString('latin1')}`;
}

function joinTwins(batch: Item[]): Item[] {
  const first = new Map<string, Item>();
  return batch.filter((item) => {
    const key = sendKey(item.conversationId, item.senderId, item.sendId);
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, item);
      return true;
    }
    if (earlier.msgType === item.msgType && earlier.body.equals(item.body)) earlier.twins.push(item);
    else item.reject(new ImError('SEND_ID_REUSED', `by user ${item.senderId} with another body`));
    return false;
  });
}

function settle(item: Item, stored: Stored): void {
  item.settled = true;
  item.resolve(stored);
  for (const twin of item.twins) twin.resolve({ ...stored, duplicate: true });
}

function settleError(item: Item, error: ImError): void {
  item.settled = true;
  for (const each of [item, ...item.twins]) each.reject(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
