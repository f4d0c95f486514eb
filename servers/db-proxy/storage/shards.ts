import type pg from 'pg';
import { bucketOf, userBucketOf } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import type { Logger } from '../../../common/log.js';
import { bucketsElsewhere, openPool } from './database.js';
import { withDatabase } from './database-url.js';
import { migrate } from './migrations.js';

/** A PostgreSQL server that holds buckets. */
export interface Shard {
  readonly name: string;
  readonly url: string;
  readonly pool: pg.Pool;
}

interface ShardRow {
  readonly name: string;
  readonly url: string | null;
  readonly claimed: boolean;
}

const RETRY_MS_FIRST = 5;
const RETRY_MS_MAX = 100;
const RETRY_MS_TOTAL = 6_000;

/**
 * Conversation → bucket → shard. The map is in meta, with a version; here is a copy. Every statement on a shard has the
 * shard confirm that the buckets it is about are there (shard.readable, shard.writable), so a copy that has become old
 * leads to a refusal, a fresh copy and another try, and never to a row in the wrong place or an answer from a bucket
 * that has left.
 */
export class Shards {
  readonly #meta: pg.Pool;
  readonly #metaUrl: string;
  readonly #poolMax: number;
  readonly #log: Logger;
  readonly #all = new Map<string, Shard>();
  #byBucket: readonly Shard[] = [];
  #version = 0n;
  #loading: Promise<void> | undefined;

  private constructor(meta: pg.Pool, metaUrl: string, poolMax: number, log: Logger) {
    this.#meta = meta;
    this.#metaUrl = metaUrl;
    this.#poolMax = poolMax;
    this.#log = log;
  }

  static async open(meta: pg.Pool, metaUrl: string, poolMax: number, log: Logger): Promise<Shards> {
    const shards = new Shards(meta, metaUrl, poolMax, log);
    await shards.reload();
    return shards;
  }

  get all(): readonly Shard[] {
    return [...this.#all.values()];
  }
  /** Of the map that is in use. */
  get version(): bigint {
    return this.#version;
  }

  ofBucket(bucket: number): Shard {
    return this.#byBucket[bucket]!;
  }
  ofConversation(id: bigint): Shard {
    return this.ofBucket(bucketOf(id));
  }
  ofUser(userId: number): Shard {
    return this.ofBucket(userBucketOf(userId));
  }

  /** Things by the shard they live on, so that each shard is asked once. */
  split<T>(things: Iterable<T>, bucket: (thing: T) => number): Map<Shard, T[]> {
    const parts = new Map<Shard, T[]>();
    for (const thing of things) {
      const shard = this.ofBucket(bucket(thing));
      const part = parts.get(shard);
      if (part === undefined) parts.set(shard, [thing]);
      else part.push(thing);
    }
    return parts;
  }

  /**
   * Does something on shards, and does it again by a fresh map when a bucket was not where the map said. What is done
   * has to be harmless when it happens twice.
   * @throws ImError STORE_UNAVAILABLE when a bucket is nowhere for too long
   */
  async settled<T>(work: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + RETRY_MS_TOTAL;
    for (let ms = RETRY_MS_FIRST; ; ms = Math.min(ms * 2, RETRY_MS_MAX)) {
      try {
        return await work();
      } catch (error) {
        if (bucketsElsewhere(error) === undefined) throw error;
        if (performance.now() > deadline)
          throw new ImError('STORE_UNAVAILABLE', 'a bucket is on the move for too long', { cause: error });
        await new Promise((resolve) => setTimeout(resolve, ms));
        await this.reload();
      }
    }
  }

  /** Reads the map anew; at once for all who ask at the same time. */
  reload(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((shard) => shard.pool.end()));
  }

  async #load(): Promise<void> {
    const { rows } = await this.#meta.query<{ version: bigint; shards: ShardRow[]; buckets: string[] }>({
      name: 'bucket-map',
      // One statement, so one snapshot: version and map belong together.
      text: `select (select version from meta.bucket_map) as version,
                    (select json_agg(s) from meta.shard s) as shards,
                    (select array_agg(shard order by bucket) from meta.bucket) as buckets`,
    });
    const { version, shards, buckets } = rows[0]!;
    const held = new Set(buckets);
    for (const row of shards) if (held.has(row.name)) await this.#openOrWait(row);
    if (this.#version !== 0n && version !== this.#version)
      this.#log.info({ version: String(version) }, 'bucket map read anew');
    this.#version = version;
    // Where it was, for those of a shard that could not be opened: refused there, and asked again.
    this.#byBucket = buckets.map((name, bucket) => this.#all.get(name) ?? this.#byBucket[bucket]!);
  }

  /** At the start every shard has to be there; later, one that is not must not keep the others from being found. */
  async #openOrWait(row: ShardRow): Promise<void> {
    try {
      await this.#openShard(row);
    } catch (error) {
      if (this.#version === 0n) throw error;
      this.#log.error({ error, shard: row.name }, 'a shard cannot be opened; its buckets wait for it');
    }
  }

  async #openShard(row: ShardRow): Promise<void> {
    const url = shardUrl(row.url, this.#metaUrl);
    const known = this.#all.get(row.name);
    if (known?.url === url) return;
    await migrate(url, 'shard', this.#log);
    const pool = openPool(url, `db-proxy ${row.name}`, this.#poolMax);
    if (!row.claimed) await this.#claim(row.name, pool);
    this.#all.set(row.name, { name: row.name, url, pool });
    void known?.pool.end(); // the name was given to another database
  }

  /**
   * A shard's very first start: it learns which buckets it holds. One at a time, and never again: a bucket that was
   * moved away since would be back.
   */
  async #claim(name: string, pool: pg.Pool): Promise<void> {
    const meta = await this.#meta.connect();
    try {
      await meta.query('begin');
      const { rows } = await meta.query<{ claimed: boolean; buckets: number[] }>(
        `select claimed, array(select bucket from meta.bucket where shard = s.name) as buckets
           from meta.shard s where name = $1 for update`,
        [name],
      );
      const { claimed, buckets } = rows[0]!;
      if (!claimed) {
        await pool.query('insert into shard.bucket (bucket) select unnest($1::smallint[]) on conflict do nothing', [
          buckets,
        ]);
        await meta.query('update meta.shard set claimed = true where name = $1', [name]);
      }
      await meta.query('commit');
      meta.release();
    } catch (error) {
      meta.release(true);
      throw error;
    }
  }
}

/** Where a shard is, given where meta is. */
export function shardUrl(url: string | null, metaUrl: string): string {
  if (url === null) return metaUrl;
  return url.startsWith('/') ? withDatabase(metaUrl, url) : url;
}

/** Buckets each once, as shard.readable and shard.writable want them, in the order in which all take their locks. */
export function distinct(buckets: readonly number[]): number[] {
  return [...new Set(buckets)].sort((a, b) => a - b);
}
