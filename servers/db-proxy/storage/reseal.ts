import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { Piscina } from 'piscina';
import { ATTACHMENT } from './attachments.js';
import { tryBucketLock, unlockBucket } from './bucket-lock.js';
import { DataKeys } from './data-keys.js';
import { resealFileKeys } from './file-keys.js';
import { untilTakenUp } from './key-watch.js';
import type { MasterKeyring } from './master-key.js';
import { readPlacement, urlOf } from './placement.js';
import { type ResealBatch, type ResealedBatch, type ResealRow, resealBatch } from './reseal-worker.js';
import type { Part } from './sealing.js';
import { shardUrl } from './shards.js';
import { connectTool, disconnect } from './tool-client.js';

/**
 * Seals messages of past epochs anew, under the current data key of their bucket, while the cluster runs.
 *
 * It begins when nobody seals by past epochs any more, so what is appended meanwhile needs nothing. Bucket by bucket,
 * in the order of the primary key, a chunk at a time: read, open and seal, write those rows that still have the key id
 * that was read, and then note in meta how far it has come. Killed between the last two, it finds rows that are done
 * already; killed anywhere, it goes on from the note. A bucket is held by its lock all the time: nobody moves it, or
 * destroys one of its keys. Several of these may run at once and then share the buckets.
 *
 * A message and what is attached to it are one here: both are sealed anew and written in one statement, or neither.
 *
 * A chunk is read and sealed while the one before is written. Opening and sealing a message of 150 bytes takes 8 to 22 µs;
 * handed over to a thread of piscina it costs our own event loop, against doing it here, per message
 *
 *   rows at once      1     4     8    16    32    64   128   512
 *   here         µs  22    16   9.4   8.4   8.0   7.8   7.8   9.2
 *   handed over  µs  67    17    12   9.5   3.2   1.7   1.1   0.8
 *   saved         x 0.35  0.77  0.92  1.3   2.5   4.7   6.9    10
 *   speed         x 0.29  0.48  0.64  0.65  0.72  0.74  0.82  0.78
 *
 * (Node 20, two cores that others kept busy, medians of seven runs, ratios within a run.) The event loop breaks even at 8
 * to 16 rows; by the clock it is never quicker while no core is idle, with two threads neither. Of a whole resealing,
 * 8,600 to 24,000 messages a second, the difference does not stand out from the noise. So chunks of THREAD_ROWS_MIN rows
 * go to one thread, for the sake of whoever else has this event loop, and smaller ones stay.
 */
const THREAD_ROWS_MIN = 32;
/** Rows looked at by one statement, and the bytes that are fetched for it. */
const CHUNK_ROWS_MAX = 500;
const CHUNK_BYTES_MAX = 8 * 1024 * 1024;
const PROGRESS_MS = 500;
const LOCK_POLL_MS = 500;
/** Unopenable messages that are told one by one; all are counted. */
const TOLD_MAX = 20;

export interface ResealOptions {
  /** Messages sealed anew per second, at most; 0: as fast as it goes. */
  readonly rowsPerSecond: number;
  /** Also buckets that were finished before. */
  readonly again?: boolean;
  /** Aborted: stops after the chunk it is at. */
  readonly signal?: AbortSignal;
  /** Hears about twice a second how far it is. */
  progress?(progress: ResealProgress): void;
  /** Hears of the first few messages that cannot be opened. */
  unopenable?(message: { conversationId: bigint; msgId: number; keyId: number; destroyed: boolean }): void;
}

export interface ResealProgress {
  readonly doing: string;
  readonly bucketsDone: number;
  readonly buckets: number;
  /** Messages looked at, in this run and in those that it goes on from. */
  readonly passed: number;
  /** About how many there are to be looked at. */
  readonly total: number;
  /** Of this run. */
  readonly resealed: number;
  /** Undefined: too early to say. */
  readonly msLeft: number | undefined;
}

export interface ResealReport {
  /** Buckets that are done now, those that were done before not counted. */
  readonly buckets: number;
  /** Messages of this run that were sealed anew. */
  readonly resealed: number;
  /** Messages in these buckets that cannot be opened and were left as they are. */
  readonly unopenable: number;
  /** Of those met in this run, the ones whose key was not destroyed on purpose: rows that were damaged. */
  readonly damaged: number;
  /** Buckets that were left out because a move of them was cut off. */
  readonly moving: readonly number[];
  /** Told to stop before the end. */
  readonly stopped: boolean;
}

/**
 * Resolves when every message that opens is sealed under the current key of its bucket, or when told to stop. Whatever
 * it throws, it can be called again and goes on where it was.
 * @throws SettingsError for a wrong master key; Error when PostgreSQL goes away, or a db-proxy does not take the keys up
 */
export async function reseal(metaUrl: string, ring: MasterKeyring, options: ResealOptions): Promise<ResealReport> {
  const meta = await connectTool(metaUrl, 'reseal');
  const resealer = new Resealer(meta, metaUrl, options);
  try {
    return await resealer.run(ring);
  } finally {
    await resealer.close();
    await meta.end().catch(() => undefined);
  }
}

/** How far a bucket has come. */
interface Place {
  readonly conversation_id: bigint;
  readonly msg_id: number;
}

interface Chunk {
  readonly end: Place;
  /** Messages looked at. */
  readonly passed: number;
  /** Those that are sealed under an earlier key. */
  readonly old: readonly OldRow[];
  /** Undefined: there is nothing to be sealed anew. */
  readonly resealed: ResealedBatch | undefined;
}

class Resealer {
  readonly #meta: pg.Client;
  readonly #metaUrl: string;
  readonly #options: ResealOptions;
  readonly #shards = new Map<string, Promise<{ reader: pg.Client; writer: pg.Client }>>();
  #keys!: DataKeys;
  #threads: Piscina<ResealBatch, ResealedBatch> | undefined;
  readonly #startedMs = performance.now();
  #toldMs = 0;
  #told = 0;
  #doing = '';
  #buckets = 0;
  #bucketsDone = 0;
  #total = 0;
  #passedBefore = 0;
  #passed = 0;
  #resealed = 0;
  #unopenable = 0;
  #damaged = 0;
  #paceMs = 0;

  constructor(meta: pg.Client, metaUrl: string, options: ResealOptions) {
    this.#meta = meta;
    this.#metaUrl = metaUrl;
    this.#options = options;
  }

  async run(ring: MasterKeyring): Promise<ResealReport> {
    // First read, then waited for: whatever is the current key by this reading, everybody seals by it or by a later one.
    this.#keys = await DataKeys.open(this.#meta, ring, { create: false });
    const { signal } = this.#options;
    await untilTakenUp(this.#meta, {
      signal,
      waiting: (holders) =>
        this.#tell(`waiting until ${holders.map((each) => each.name).join(', ')} has the newest keys`),
    }).catch((error: unknown) => {
      if (!this.#stopped) throw error;
    });
    const todo = await this.#pending();
    await this.#estimate(todo);
    const moving = await this.#eachBucket(todo);
    this.#tell('done', true);
    const counts = { resealed: this.#resealed, unopenable: this.#unopenable, damaged: this.#damaged };
    return { buckets: this.#bucketsDone, ...counts, moving, stopped: this.#stopped };
  }

  async close(): Promise<void> {
    await this.#threads?.destroy();
    const clients = await Promise.allSettled(this.#shards.values());
    await disconnect(clients.flatMap((each) => (each.status === 'fulfilled' ? Object.values(each.value) : [])));
  }

  get #stopped(): boolean {
    return this.#options.signal?.aborted === true;
  }

  /** The buckets with past epochs, without those whose messages are all under the current one. */
  async #pending(): Promise<number[]> {
    const { rows } = await this.#meta.query<{ bucket: number; key_id: number | null; finished: boolean }>(
      `select k.bucket, r.key_id, r.finished is not null as finished
         from (select bucket from meta.data_key group by bucket having count(*) > 1) k
         left join meta.reseal r on r.bucket = k.bucket order by k.bucket`,
    );
    const isDone = (row: (typeof rows)[number]) => row.finished && row.key_id === this.#keys.currentId(row.bucket);
    return rows.filter((row) => this.#options.again === true || !isDone(row)).map((row) => row.bucket);
  }

  /** By the heads of the conversations, which is exact where retention has removed nothing. */
  async #estimate(buckets: readonly number[]): Promise<void> {
    this.#buckets = buckets.length;
    for (const shard of (await readPlacement(this.#meta)).shards) {
      const held = shard.buckets.filter((bucket) => buckets.includes(bucket));
      if (held.length === 0) continue;
      const { reader } = await this.#connect(urlOf(shard, this.#metaUrl));
      const { rows } = await reader.query<{ messages: number }>(
        'select coalesce(sum(head), 0)::float8 as messages from shard.conversation where bucket = any ($1::smallint[])',
        [held],
      );
      this.#total += rows[0]!.messages;
    }
  }

  /** Those that somebody else is at come last, again and again. @returns those with a move that was cut off. */
  async #eachBucket(todo: readonly number[]): Promise<number[]> {
    const moving: number[] = [];
    let left = todo;
    while (left.length > 0 && !this.#stopped) {
      const busy: number[] = [];
      for (const bucket of left) {
        if (this.#stopped) break;
        if (!(await tryBucketLock(this.#meta, bucket))) busy.push(bucket);
        else if ((await this.#lockedBucket(bucket)) === 'moving') moving.push(bucket);
      }
      left = busy;
      if (left.length === 0) break;
      this.#tell(`waiting for whoever moves or reseals bucket ${left.join(', ')}`);
      await delay(LOCK_POLL_MS);
    }
    return moving;
  }

  async #lockedBucket(bucket: number): Promise<'done' | 'moving'> {
    try {
      const { rows } = await this.#meta.query<{ url: string | null; moving: boolean }>(
        `select s.url, exists (select from meta.bucket_move m where m.bucket = b.bucket) as moving
           from meta.bucket b join meta.shard s on s.name = b.shard where b.bucket = $1`,
        [bucket],
      );
      const { url, moving } = rows[0]!;
      if (moving) return 'moving';
      await this.#bucket(bucket, shardUrl(url, this.#metaUrl));
      return 'done';
    } finally {
      await unlockBucket(this.#meta, bucket);
    }
  }

  async #bucket(bucket: number, url: string): Promise<void> {
    const target = this.#keys.currentId(bucket);
    const begun = await this.#begin(bucket, target);
    this.#doing = `bucket ${bucket}`;
    this.#passedBefore += begun.passed;
    this.#unopenable += begun.unopenable;
    const shard = await this.#connect(url);
    let next = begun.finished ? undefined : this.#prepare(shard.reader, bucket, target, begun);
    for (let chunk = await next; chunk !== undefined && !this.#stopped; chunk = await next) {
      next = this.#prepare(shard.reader, bucket, target, chunk.end);
      next.catch(() => undefined); // looked at in the next round; until then somebody must have heard of it
      const unopenable = await this.#write(shard.writer, bucket, target, chunk);
      await this.#note(bucket, target, chunk, unopenable);
      this.#tell(this.#doing);
    }
    const last = await next;
    if (last !== undefined) return; // told to stop
    await resealFileKeys(this.#meta, this.#keys, bucket);
    await this.#meta.query(
      'update meta.reseal set finished = coalesce(finished, now()) where bucket = $1 and key_id = $2',
      [bucket, target],
    );
    this.#bucketsDone++;
  }

  /** Takes up an earlier run's note, or makes one. Held by the bucket's lock, the target cannot be destroyed from here on. */
  async #begin(bucket: number, target: number) {
    await this.#meta.query(
      `insert into meta.reseal as r (bucket, key_id) select bucket, id from meta.data_key where id = $1 and wrapped is not null
       on conflict (bucket) do update
         set key_id = excluded.key_id, conversation_id = 0, msg_id = 0, passed = 0, unopenable = 0,
             started = now(), updated = now(), finished = null
       where r.key_id <> excluded.key_id or $2`,
      [target, this.#options.again === true],
    );
    const { rows } = await this.#meta.query<Place & { passed: bigint; unopenable: bigint; finished: boolean }>(
      `select r.conversation_id, r.msg_id, r.passed, r.unopenable, r.finished is not null as finished
         from meta.reseal r join meta.data_key k on k.id = r.key_id where r.bucket = $1 and r.key_id = $2 and k.wrapped is not null`,
      [bucket, target],
    );
    const row = rows[0];
    if (row === undefined) throw new Error(`the keys of bucket ${bucket} have changed meanwhile: run it again`);
    return { ...row, passed: Number(row.passed), unopenable: Number(row.unopenable) };
  }

  /** Reads what comes behind `from` and seals it anew; undefined at the end of the bucket. */
  async #prepare(reader: pg.Client, bucket: number, target: number, from: Place): Promise<Chunk | undefined> {
    const { rowsPerSecond } = this.#options;
    const rowsMax = rowsPerSecond === 0 ? CHUNK_ROWS_MAX : Math.max(1, Math.min(CHUNK_ROWS_MAX, rowsPerSecond));
    const { rows } = await reader.query<SpanRow>({
      name: 'reseal-span',
      text: SPAN,
      values: [bucket, String(from.conversation_id), from.msg_id, rowsMax, target, CHUNK_BYTES_MAX],
    });
    const end = rows.at(-1);
    if (end === undefined) return undefined;
    const old = rows.filter((row) => row.sealed !== null) as OldRow[];
    const resealed = old.length === 0 ? undefined : await this.#reseal(await this.#batchOf(old, target));
    return { end, passed: rows.length, old, resealed };
  }

  async #batchOf(old: readonly OldRow[], target: number): Promise<ResealBatch> {
    await this.#keys.know(old);
    const keys = new Map<number, Uint8Array>();
    for (const id of new Set([target, ...old.map((row) => row.key_id)])) {
      const key = this.#keys.byId.get(id)?.key;
      if (key !== undefined) keys.set(id, new Uint8Array(key)); // a view on shared memory would be handed over with all of it
    }
    const pieces = old.flatMap(piecesOf);
    // Not Buffer.concat: small ones would lie in memory that is shared with others and cannot be given over.
    const bytes = new Uint8Array(pieces.reduce((sum, { sealed }) => sum + sealed.length, 0));
    let at = 0;
    for (const { sealed } of pieces) {
      bytes.set(sealed, at);
      at += sealed.length;
    }
    return { rows: pieces.map(({ row }) => row), bytes, keys, target };
  }

  async #reseal(batch: ResealBatch): Promise<ResealedBatch> {
    if (batch.rows.length < THREAD_ROWS_MIN) return resealBatch(batch);
    this.#threads ??= new Piscina({ filename: new URL('./reseal-worker.js', import.meta.url).href, maxThreads: 1 });
    return this.#threads.run(batch, { transferList: [batch.bytes.buffer] });
  }

  /** @returns how many of the chunk could not be opened. */
  async #write(writer: pg.Client, bucket: number, target: number, chunk: Chunk): Promise<number> {
    const { old, resealed } = chunk;
    if (resealed === undefined) return 0;
    const unopenable = new Set(resealed.unopenable);
    const good: Placed[] = [];
    let place = 0;
    let at = 1; // substring counts from 1
    for (const row of old) {
      const size = row.sealed.length;
      const alsoSize = row.attachment?.length ?? 0;
      const places = row.attachment === null ? [place] : [place, place + 1];
      if (places.some((each) => unopenable.has(each))) this.#report(row);
      else good.push({ row, at, size, alsoSize });
      place += places.length;
      at += size + alsoSize;
    }
    if (good.length > 0) {
      await this.#pace(good.length);
      const { rowCount } = await writer.query({
        name: 'reseal-write',
        text: WRITE,
        values: [
          bucket,
          target,
          Buffer.from(resealed.bytes.buffer),
          good.map(({ row }) => String(row.conversation_id)),
          good.map(({ row }) => row.msg_id),
          good.map(({ row }) => row.key_id),
          good.map((each) => each.at),
          good.map((each) => each.size),
          good.map((each) => each.alsoSize),
        ],
      });
      this.#resealed += rowCount ?? 0;
    }
    return old.length - good.length;
  }

  async #note(bucket: number, target: number, { end, passed }: Chunk, unopenable: number): Promise<void> {
    const { rowCount } = await this.#meta.query(
      `update meta.reseal set conversation_id = $3, msg_id = $4, passed = passed + $5, unopenable = unopenable + $6, updated = now()
        where bucket = $1 and key_id = $2`,
      [bucket, target, String(end.conversation_id), end.msg_id, passed, unopenable],
    );
    if (rowCount !== 1) throw new Error(`somebody else has taken over bucket ${bucket}: run it again`);
    this.#passed += passed;
    this.#unopenable += unopenable;
  }

  #report({ conversation_id: conversationId, msg_id: msgId, key_id: keyId }: OldRow): void {
    const known = this.#keys.byId.get(keyId);
    const destroyed = known !== undefined && known.key === undefined;
    if (!destroyed) this.#damaged++;
    if (this.#told++ < TOLD_MAX) this.#options.unopenable?.({ conversationId, msgId, keyId, destroyed });
  }

  /** Waits until these rows may be written. */
  async #pace(rows: number): Promise<void> {
    const { rowsPerSecond, signal } = this.#options;
    if (rowsPerSecond === 0) return;
    const nowMs = performance.now();
    const dueMs = Math.max(this.#paceMs, nowMs);
    this.#paceMs = dueMs + (rows / rowsPerSecond) * 1000;
    if (dueMs > nowMs)
      await delay(dueMs - nowMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }

  #tell(doing: string, now = false): void {
    const nowMs = performance.now();
    if (!now && nowMs - this.#toldMs < PROGRESS_MS) return;
    this.#toldMs = nowMs;
    const passed = this.#passedBefore + this.#passed;
    const left = Math.max(0, this.#total - passed);
    const msLeft = this.#passed === 0 ? undefined : (left / this.#passed) * (nowMs - this.#startedMs);
    this.#options.progress?.({
      doing,
      bucketsDone: this.#bucketsDone,
      buckets: this.#buckets,
      passed,
      total: Math.max(this.#total, passed),
      resealed: this.#resealed,
      msLeft,
    });
  }

  #connect(url: string): Promise<{ reader: pg.Client; writer: pg.Client }> {
    let shard = this.#shards.get(url);
    if (shard === undefined) {
      const connect = () => connectTool(url, 'reseal');
      shard = Promise.all([connect(), connect()]).then(([reader, writer]) => ({ reader, writer }));
      this.#shards.set(url, shard);
    }
    return shard;
  }
}

interface SpanRow extends Place {
  readonly sender_id: number;
  readonly key_id: number;
  /** Null: sealed under the target already, or under a later key. */
  readonly sealed: Buffer | null;
  readonly attached: boolean;
  /** Null: as with `sealed`, or there is none. */
  readonly attachment: Buffer | null;
}

type OldRow = SpanRow & { readonly sealed: Buffer };

/** Where a message's own row lies in what was sealed anew; what is attached follows it. */
interface Placed {
  readonly row: OldRow;
  readonly at: number;
  readonly size: number;
  readonly alsoSize: number;
}

interface Piece {
  readonly row: ResealRow;
  readonly sealed: Buffer;
}

/** What a message's own row holds, and behind it what is attached. */
function piecesOf(row: OldRow): Piece[] {
  const { attached, attachment } = row;
  const own = pieceOf(row, row.sealed, attached ? 'seconds' : undefined);
  return attachment === null ? [own] : [own, pieceOf(row, attachment, 'sound')];
}

function pieceOf(row: OldRow, sealed: Buffer, part: Part | undefined): Piece {
  const { conversation_id: conversationId, msg_id: msgId, sender_id: senderId, key_id: keyId } = row;
  return { row: { conversationId, msgId, senderId, part, keyId, size: sealed.length }, sealed };
}

/**
 * The next rows of a bucket, up to a number of rows and of bytes that have to be fetched. A later epoch has a higher key
 * id, so what db-proxies seal by an epoch that began after us is left alone.
 */
const SPAN = `
select conversation_id, msg_id, sender_id, key_id, attached,
       case when key_id < $5 then sealed end as sealed, case when key_id < $5 then attachment end as attachment
  from (select *, sum(size) over (order by conversation_id, msg_id rows unbounded preceding) - size as before
          from (select m.conversation_id, m.msg_id, m.sender_id, m.key_id, m.attached, m.sealed, a.sealed as attachment,
                       case when m.key_id < $5 then octet_length(m.sealed) + coalesce(octet_length(a.sealed), 0) else 0 end as size
                  from shard.message m ${ATTACHMENT}
                 where shard.readable(array[$1::smallint]) and m.bucket = $1 and (m.conversation_id, m.msg_id) > ($2::bigint, $3::int)
                 order by m.conversation_id, m.msg_id limit $4) span) sized
 where before < $6 order by conversation_id, msg_id`;

/** Only what is still as it was read. */
const WRITE = `
with fence as materialized (
  select shard.writable(array[$1::smallint]) as open
), written as (
  update shard.message m set key_id = $2, sealed = substring($3::bytea from n.at for n.size)
    from fence, unnest($4::bigint[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[])
      as n (conversation_id, msg_id, was, at, size, also_size)
   where fence.open and m.bucket = $1 and m.conversation_id = n.conversation_id and m.msg_id = n.msg_id and m.key_id = n.was
  returning m.conversation_id, m.msg_id, n.at + n.size as also_at, n.also_size
), attachments as (
  update shard.attachment a set sealed = substring($3::bytea from w.also_at for w.also_size) from written w
   where w.also_size > 0 and a.bucket = $1 and a.conversation_id = w.conversation_id and a.msg_id = w.msg_id
)
select from written`;
