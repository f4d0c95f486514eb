import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { pino } from 'pino';
import { BucketCopy, removeRows } from './bucket-copy.js';
import { lockBucket } from './bucket-lock.js';
import { type BucketTable, bucketTables, sameTables } from './bucket-tables.js';
import { placeOf } from './database-url.js';
import { migrate } from './migrations.js';
import { shardUrl } from './shards.js';
import { connectTool, disconnect } from './tool-client.js';

/**
 * Moving one bucket from the shard that holds it (source) to another one (target) while the cluster runs.
 *
 *   copying    All rows go over, then, round by round, what has changed meanwhile (bucket-copy.ts). The source serves
 *              everybody as before; what is at the target nobody sees.
 *   fenced     The source takes no writes for the bucket any more, reads go on. The last round goes over, digests are
 *              compared. What is stored waits in the db-proxies (append.ts), a few hundredths of a second.
 *   switched   The map says target. The source forgets that it holds the bucket, and only then the target learns that it
 *              does: for some milliseconds nobody holds it, and never two. Then the source's rows are deleted.
 *
 * meta.bucket_move has a row from before the first copied row to after the last deleted one. Its phase is written before
 * what it allows, so whoever finds the row, in whatever moment the last mover died, goes by this table:
 *
 *   phase      the source may be        the target may have          so the next mover
 *   copying    open or fenced           some rows                    opens the source, removes the rows, starts anew
 *   fenced     open or fenced           all rows                     the same
 *   switched   fenced or gone           all rows, held or not        makes it gone, then held, deletes, removes the row
 *
 * A failure before `switched` is answered in the same way on the spot, but for starting anew: the source stays in charge
 * and is open. From `switched` on there is only forward. When not even that can be done, because PostgreSQL is away, the
 * row stays for `npm run shards -- resume`; while the source is left fenced, writers of the bucket wait.
 *
 * Two movers never work on one bucket: a session lock in meta, taken by whoever changes a bucket as a whole (a job that
 * seals it anew takes the same), and one in the source and in the target, each held by the very connection that works
 * there. A mover that lost its lock in meta without noticing thus cannot do anything beside its successor: the successor
 * has to wait until the connections to source and target are gone, and the switch itself happens in the connection that
 * holds the lock in meta.
 */
export type Phase = 'copying' | 'fenced' | 'switched';

/** What a mover is at. */
export type Stage = 'clearing' | 'copying' | 'catching up' | 'fenced' | 'deleting';

export interface MoveWatch {
  /** Aborted: back to the source while that is possible, else forward until the target is in charge. */
  readonly signal?: AbortSignal;
  /** @param rows, bytes further ones since the last call */
  progress?(stage: Stage, rows: number, bytes: number): void;
}

export interface Moved {
  readonly bucket: number;
  readonly source: string;
  readonly target: string;
  readonly rows: number;
  readonly bytes: number;
  /** Until it was fenced. */
  readonly copyMs: number;
  /** Nobody could write for so long; undefined when an earlier mover had switched already. */
  readonly fenceMs: number | undefined;
  /** Deleting the rows at the source included. */
  readonly ms: number;
}

/** A move that did not happen, or not to its end. The message says what state the bucket is in and what to do. */
export class MoveError extends Error {
  override readonly name = 'MoveError';
}

/** The same, because it was told to stop. */
export class MoveInterrupted extends MoveError {}

/** A database that cannot be reached. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

interface Place {
  readonly name: string;
  readonly url: string;
}

interface MoveRow {
  readonly source: string;
  readonly target: string;
  readonly phase: Phase;
}

/** How long another mover, or what a server has left of a killed one, may hold a lock that is needed. */
const LOCK_MS_MAX = 10_000;
/** Writers that are under way when a bucket is fenced: they have 5 s themselves, and others wait behind us. */
const FENCE_LOCK_MS_MAX = 3_000;
/** From fencing to the switch; then the move is given up. Writers wait for 8 s, readers who meet no holder for 6 s. */
const FENCE_MS_MAX = 4_000;
/** A few short statements, connecting included. */
const STEP_MS_MAX = 20_000;
/** A round of fewer changed rows is the last one before the fence. */
const SMALL_ROWS = 500;
const ROUNDS_MAX = 30;
/** How long a PostgreSQL that has gone away is waited for when a bucket must not stay as it is. */
const PERSIST_MS_MAX = 30_000;
const PERSIST_PAUSE_MS = 250;
/** And when only rows would be left, which nobody sees, and which the next move to there removes. */
const CLEAR_MS_MAX = 10_000;
const META = 'meta';
const RESUME = '`npm run shards -- resume`';
const silent = pino({ level: 'silent' });

/**
 * Rows as text look the same on both sides, nothing lasts for ever, and rows are found by index: what the planner knows
 * of tables that are just being filled is old.
 */
const SESSION = `
  set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;
  set lock_timeout = ${LOCK_MS_MAX}; set statement_timeout = '1h'; set idle_in_transaction_session_timeout = 0;
  set datestyle = 'ISO'; set timezone = 'UTC'; set intervalstyle = 'postgres'; set extra_float_digits = 1; set bytea_output = 'hex';
  select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`;

/**
 * Moves a bucket. A move of it that was cut off is taken up first; one that had switched is finished.
 * @returns undefined when the bucket is there already
 * @throws MoveError: the bucket is where it was, and open, unless the message says otherwise
 */
export function moveBucket(
  metaUrl: string,
  bucket: number,
  target: string,
  watch: MoveWatch = {},
): Promise<Moved | undefined> {
  return withMover(metaUrl, bucket, watch, async (mover) => {
    const finished = await mover.takeUp();
    return (await mover.move(target)) ?? (finished?.target === target ? finished : undefined);
  });
}

/**
 * Takes up the move of a bucket that was cut off, and goes on to where it was going.
 * @returns undefined when there is none
 * @throws MoveError as above
 */
export function resumeMove(metaUrl: string, bucket: number, watch: MoveWatch = {}): Promise<Moved | undefined> {
  return withMover(metaUrl, bucket, watch, async (mover) => {
    const row = await mover.unfinished();
    if (row === undefined) return undefined;
    return (await mover.takeUp()) ?? mover.move(row.target);
  });
}

async function withMover<T>(
  metaUrl: string,
  bucket: number,
  watch: MoveWatch,
  work: (mover: Mover) => Promise<T>,
): Promise<T> {
  const mover = new Mover(metaUrl, bucket, watch);
  try {
    return await work(mover);
  } catch (error) {
    if (error instanceof MoveError || error instanceof Unreachable) throw error;
    throw new MoveError(`bucket ${bucket}: ${(error as Error).message}`, { cause: error });
  } finally {
    await mover.close();
  }
}

class Mover {
  readonly #metaUrl: string;
  readonly #bucket: number;
  readonly #watch: MoveWatch;
  readonly #startedMs = performance.now();
  /** By the name of the shard, or META. One that has broken stays here: only a new try may open it anew. */
  readonly #connections = new Map<string, pg.Client>();
  #stage: Stage = 'clearing';
  #rows = 0;
  #bytes = 0;

  constructor(metaUrl: string, bucket: number, watch: MoveWatch) {
    this.#metaUrl = metaUrl;
    this.#bucket = bucket;
    this.#watch = watch;
  }

  /** The move that somebody has left, and that is nobody's now. */
  async unfinished(): Promise<MoveRow | undefined> {
    const { rows } = await (await this.#meta()).query<MoveRow>(
      'select source, target, phase from meta.bucket_move where bucket = $1',
      [this.#bucket],
    );
    return rows[0];
  }

  /** Finishes a move that has switched; undoes any other. @returns the finished one */
  async takeUp(): Promise<Moved | undefined> {
    if ((await this.unfinished()) === undefined) return undefined;
    const row = await this.#back();
    return row && this.#forward(row, undefined);
  }

  /** @returns undefined when the bucket is there already */
  async move(targetName: string): Promise<Moved | undefined> {
    const row = await this.#route(targetName);
    if (row.source === row.target) return undefined;
    await this.#within(STEP_MS_MAX, async () => {
      for (const name of [row.source, row.target]) await this.#shard(name);
    });
    await migrate((await this.#placeOf(row.target)).url, 'shard', silent);
    return this.#forward(row, await this.#untilSwitched(row));
  }

  async close(): Promise<void> {
    await disconnect(this.#connections.values());
  }

  // ---- up to the decision --------------------------------------------------------------------------------------------

  /** @returns when it was fenced; undefined when that is not known */
  async #untilSwitched(row: MoveRow): Promise<number | undefined> {
    const giveUp = () => this.#drop(row.source, row.target);
    this.#watch.signal?.addEventListener('abort', giveUp);
    try {
      const copied = await this.#copied(row);
      this.#throwIfStopped();
      this.#watch.signal?.removeEventListener('abort', giveUp); // from here on, ending it is quicker than going back
      return await this.#within(FENCE_LOCK_MS_MAX + FENCE_MS_MAX, () => this.#fenced(row, copied));
    } catch (error) {
      const left = await this.#takeBack(row, error as Error);
      if (left === undefined) return undefined;
      throw left;
    } finally {
      this.#watch.signal?.removeEventListener('abort', giveUp);
    }
  }

  /** Everything is at the target but what the last few hundredths of a second have brought. */
  async #copied(row: MoveRow): Promise<{ copy: BucketCopy; snapshot: bigint }> {
    const [source, target] = [await this.#shard(row.source), await this.#shard(row.target)];
    const tables = await this.#commonTables(source, target);
    await this.#assertHeldBy(source, target);
    this.#throwIfStopped();
    await (await this.#meta()).query(
      "insert into meta.bucket_move (bucket, source, target, phase) values ($1, $2, $3, 'copying')",
      [this.#bucket, row.source, row.target],
    );
    this.#enter('clearing');
    await this.#removeRows(target, tables, false);
    this.#enter('copying');
    const copy = new BucketCopy(this.#bucket, tables, source, target, (rows, bytes) => this.#tell(rows, bytes));
    let round = await copy.first();
    this.#enter('catching up');
    for (let rounds = 1; rounds < ROUNDS_MAX; rounds++) {
      this.#throwIfStopped();
      round = await copy.next(round.snapshot);
      if (round.rows < SMALL_ROWS) break;
    }
    return { copy, snapshot: round.snapshot };
  }

  async #fenced(row: MoveRow, { copy, snapshot }: { copy: BucketCopy; snapshot: bigint }): Promise<number> {
    const source = await this.#shard(row.source);
    await this.#setPhase('copying', 'fenced');
    this.#enter('fenced');
    const fencedMs = performance.now();
    await this.#fence(source);
    await copy.next(snapshot);
    await this.#switch(row);
    return fencedMs;
  }

  /** Waits for the writers that are under way. */
  async #fence(source: pg.Client): Promise<void> {
    await source.query(`set lock_timeout = ${FENCE_LOCK_MS_MAX}`);
    try {
      const { rowCount } = await source.query(
        "update shard.bucket set state = 'fenced' where bucket = $1 and state = 'open'",
        [this.#bucket],
      );
      if (rowCount !== 1) throw new Error('it was not open any more');
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      throw new Error(`a write to it took longer than ${FENCE_LOCK_MS_MAX / 1000} s`, { cause: error });
    }
    await source.query(`set lock_timeout = ${LOCK_MS_MAX}`);
  }

  /** The decision. In the connection that holds the lock in meta: whoever has lost that decides nothing. */
  async #switch(row: MoveRow): Promise<void> {
    const meta = await this.#meta();
    await meta.query('begin');
    await this.#setPhase('fenced', 'switched');
    await meta.query('update meta.bucket set shard = $2 where bucket = $1', [this.#bucket, row.target]);
    await meta.query('update meta.bucket_map set version = version + 1');
    await meta.query('commit');
  }

  async #setPhase(from: Phase, to: Phase): Promise<void> {
    const { rowCount } = await (await this.#meta()).query(
      'update meta.bucket_move set phase = $3 where bucket = $1 and phase = $2',
      [this.#bucket, from, to],
    );
    if (rowCount !== 1) throw new Error(`its move was not ${from} any more`);
  }

  // ---- back ----------------------------------------------------------------------------------------------------------

  /** After a failure before the switch. @returns what to tell; undefined when it has switched all the same */
  async #takeBack(row: MoveRow, error: Error): Promise<MoveError | undefined> {
    const stopped = this.#watch.signal?.aborted === true;
    const why = stopped ? 'interrupted' : error.message;
    try {
      if ((await this.#back()) !== undefined) return undefined;
    } catch (failure) {
      return new MoveError(
        `bucket ${this.#bucket}: ${why}; and it could not be put back (${(failure as Error).message}). It may be fenced ` +
          `on ${row.source}, so that nobody can write to it: run ${RESUME} as soon as ${row.source} can be reached`,
        { cause: error },
      );
    }
    const told = `bucket ${this.#bucket} stays on ${row.source}, open: ${why}`;
    return stopped ? new MoveInterrupted(told, { cause: error }) : new MoveError(told, { cause: error });
  }

  /**
   * Unless it has switched: the source is in charge and open, and nothing is left of the move, but rows at a target that
   * cannot be reached; the next move to there begins with removing them.
   * @returns the move, when it has switched
   */
  async #back(): Promise<MoveRow | undefined> {
    const row = await this.#persist(async () => {
      const found = await this.unfinished();
      if (found === undefined || found.phase === 'switched') return found;
      // A switch whose outcome nobody has heard of holds the row until it is decided; then we look again.
      const { rowCount } = await (await this.#meta()).query(
        "update meta.bucket_move set phase = 'copying' where bucket = $1 and phase <> 'switched'",
        [this.#bucket],
      );
      if (rowCount !== 1) throw new Error('it is being switched');
      const source = await this.#shard(found.source);
      await this.#assertLocked();
      await source.query("update shard.bucket set state = 'open' where bucket = $1 and state = 'fenced'", [
        this.#bucket,
      ]);
      return found;
    });
    if (row === undefined || row.phase === 'switched') return row;
    await this.#persist(() => this.#clearTarget(row), CLEAR_MS_MAX).catch(() => this.#drop(row.target));
    await this.#persist(async () => {
      await (await this.#meta()).query("delete from meta.bucket_move where bucket = $1 and phase = 'copying'", [
        this.#bucket,
      ]);
    });
    return undefined;
  }

  async #clearTarget(row: MoveRow): Promise<void> {
    const target = await this.#shard(row.target);
    await this.#removeRows(target, await bucketTables(target), false);
  }

  // ---- forward -------------------------------------------------------------------------------------------------------

  /** From the switch to the end. Whatever of it has been done already does no harm a second time. */
  async #forward(row: MoveRow, fencedMs: number | undefined): Promise<Moved> {
    const bucket = this.#bucket;
    try {
      await this.#persist(() => this.#handOver(row));
    } catch (error) {
      throw new MoveError(
        `bucket ${bucket} belongs to ${row.target} from now on, but that could not be told to ${row.source} and ${row.target} ` +
          `(${(error as Error).message}): nobody can use it. Run ${RESUME} as soon as both can be reached`,
        { cause: error },
      );
    }
    const fenceMs = fencedMs === undefined ? undefined : performance.now() - fencedMs;
    const copied = { rows: this.#rows, bytes: this.#bytes, copyMs: (fencedMs ?? this.#startedMs) - this.#startedMs };
    await this.#forget(row);
    const ms = performance.now() - this.#startedMs;
    return { bucket, source: row.source, target: row.target, ...copied, fenceMs, ms };
  }

  /** The source lets go, then the target takes over. */
  async #handOver(row: MoveRow): Promise<void> {
    if ((await this.unfinished())?.phase !== 'switched') throw new Error('another mover has taken it up');
    // Both can be reached before the source lets go: else the bucket would be nowhere for longer than it must.
    const [source, target] = [await this.#shard(row.source), await this.#shard(row.target)];
    await target.query('select 1');
    await this.#assertLocked();
    await source.query('delete from shard.bucket where bucket = $1', [this.#bucket]);
    await target.query("insert into shard.bucket (bucket, state) values ($1, 'open') on conflict do nothing", [
      this.#bucket,
    ]);
  }

  async #forget(row: MoveRow): Promise<void> {
    const left = `bucket ${this.#bucket} is on ${row.target}, open; ${RESUME} removes what is left of it on ${row.source}`;
    this.#enter('deleting');
    let done: boolean;
    try {
      const source = await this.#shard(row.source);
      done = await this.#removeRows(source, await bucketTables(source), true);
      if (done) await (await this.#meta()).query('delete from meta.bucket_move where bucket = $1', [this.#bucket]);
    } catch (error) {
      throw new MoveError(`${left} (${(error as Error).message})`, { cause: error });
    }
    if (!done) throw new MoveInterrupted(`${left}: interrupted`);
  }

  // ---- what has to hold ----------------------------------------------------------------------------------------------

  /** Where the bucket is, and where it shall go. */
  async #route(targetName: string): Promise<MoveRow> {
    const { rows } = await (await this.#meta()).query<{ source: string; claimed: boolean; target: boolean | null }>(
      `select b.shard as source, s.claimed, (select t.claimed from meta.shard t where t.name = $2) as target
         from meta.bucket b join meta.shard s on s.name = b.shard where b.bucket = $1`,
      [this.#bucket, targetName],
    );
    const found = rows[0];
    if (found === undefined) throw new MoveError(`there is no bucket ${this.#bucket}`);
    if (found.target === null)
      throw new MoveError(`there is no shard ${targetName}: \`npm run shards -- list\` shows those there are`);
    const unused = found.claimed ? (found.target ? undefined : targetName) : found.source;
    if (unused !== undefined) throw new MoveError(`${unused} has never been in use: start a db-proxy once, then move`);
    return { source: found.source, target: targetName, phase: 'copying' };
  }

  async #commonTables(source: pg.Client, target: pg.Client): Promise<BucketTable[]> {
    const [there, here] = [await bucketTables(source), await bucketTables(target)];
    if (!sameTables(there, here))
      throw new Error('source and target do not have the same tables: start a db-proxy of this build once, then move');
    return there;
  }

  async #assertHeldBy(source: pg.Client, target: pg.Client): Promise<void> {
    const held = 'select state from shard.bucket where bucket = $1';
    const there = (await source.query<{ state: string }>(held, [this.#bucket])).rows[0]?.state;
    if (there !== 'open') throw new Error(`the source does not serve it (${there ?? 'it has no such bucket'})`);
    if ((await target.query(held, [this.#bucket])).rowCount !== 0)
      throw new Error('the target says that it holds it, and the map that the source does: find out who is right');
  }

  /** Asked while the rows on a shard are held: whoever comes after us has to wait for those. */
  async #assertLocked(): Promise<void> {
    await (await this.#meta()).query('select 1');
  }

  async #removeRows(client: pg.Client, tables: readonly BucketTable[], spare: boolean): Promise<boolean> {
    const goOn = () => !spare || this.#watch.signal?.aborted !== true;
    return removeRows(client, this.#bucket, tables, { spare, goOn, told: (rows) => this.#tell(rows, 0) });
  }

  #throwIfStopped(): void {
    if (this.#watch.signal?.aborted === true) throw new Error('interrupted');
  }

  // ---- connections ---------------------------------------------------------------------------------------------------

  /** Tries again for a while: for what must not stay half done because a PostgreSQL is just being started anew. */
  async #persist<T>(work: () => Promise<T>, ms = PERSIST_MS_MAX): Promise<T> {
    const deadline = performance.now() + ms;
    for (;;) {
      try {
        return await this.#within(STEP_MS_MAX, async () => {
          await this.#clean();
          return work();
        });
      } catch (error) {
        if (performance.now() > deadline) throw error;
        this.#drop(...this.#connections.keys());
        await delay(PERSIST_PAUSE_MS);
      }
    }
  }

  /** Connections that have broken are forgotten, so that they are opened anew; others stay, with their locks. */
  async #clean(): Promise<void> {
    const tried = [...this.#connections].map(([name, client]) =>
      client.query('rollback').catch(() => this.#connections.delete(name)),
    );
    await Promise.all(tried);
  }

  /** Ends whatever takes longer, the hard way. */
  async #within<T>(ms: number, work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#drop(...this.#connections.keys()), ms);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  /** The connection to meta, which holds the bucket. */
  #meta(): Promise<pg.Client> {
    return this.#connection(META, { name: META, url: this.#metaUrl }, 'meta');
  }

  /** The connection to a shard, which holds the bucket's rows there. */
  async #shard(name: string): Promise<pg.Client> {
    return this.#connections.get(name) ?? this.#connection(name, await this.#placeOf(name), 'shard');
  }

  async #connection(key: string, place: Place, kind: 'meta' | 'shard'): Promise<pg.Client> {
    const open = this.#connections.get(key);
    if (open !== undefined) return open;
    const client = await connectTool(place.url, `move of bucket ${this.#bucket}`).catch((error: Error) => {
      throw new Unreachable(`cannot reach ${place.name} (${placeOf(place.url)}): ${reasonOf(error)}`, { cause: error });
    });
    this.#connections.set(key, client);
    await client.query(SESSION);
    // A server that works for a client which has died notices, and gives its locks back. Not every system can tell.
    await client.query("set client_connection_check_interval = '1s'").catch(() => undefined);
    await this.#lock(client, kind, place.name);
    return client;
  }

  async #lock(client: pg.Client, kind: 'meta' | 'shard', where: string): Promise<void> {
    try {
      await lockBucket(client, this.#bucket, kind);
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      throw new MoveError(
        `bucket ${this.#bucket} is being worked on by another mover or job (in ${where}): try again when it has ended`,
        { cause: error },
      );
    }
  }

  async #placeOf(name: string): Promise<Place> {
    const { rows } = await (await this.#meta()).query<{ url: string | null }>(
      'select url from meta.shard where name = $1',
      [name],
    );
    if (rows[0] === undefined) throw new MoveError(`there is no shard ${name}`);
    return { name, url: shardUrl(rows[0].url, this.#metaUrl) };
  }

  /** Breaks connections off, whatever they are at. */
  #drop(...names: string[]): void {
    for (const name of names) this.#connections.get(name)?.connection.stream.destroy();
  }

  // ---- what is told --------------------------------------------------------------------------------------------------

  #enter(stage: Stage): void {
    this.#stage = stage;
    this.#watch.progress?.(stage, 0, 0);
  }

  #tell(rows: number, bytes: number): void {
    if (this.#stage !== 'clearing') this.#rows += rows;
    this.#bytes += bytes;
    this.#watch.progress?.(this.#stage, rows, bytes);
  }
}

/** An attempt at several addresses has no words of its own. */
export function reasonOf(error: Error & { code?: string }): string {
  return error.message || error.code || error.name;
}

function isLockTimeout(error: unknown): boolean {
  return (error as { code?: string }).code === '55P03';
}
