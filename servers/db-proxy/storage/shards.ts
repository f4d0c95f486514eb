import type pg from 'pg';
import { bucketOf, userBucketOf } from '../../../common/conversation.js';
import type { Logger } from '../../../common/log.js';
import { openPool } from './database.js';
import { migrate } from './migrations.js';

/** A PostgreSQL server that holds buckets. */
export interface Shard {
  readonly name: string;
  readonly url: string;
  readonly pool: pg.Pool;
}

/** Conversation → bucket → shard. The map is in meta; here it is a table of 256 entries. */
export class Shards {
  readonly all: readonly Shard[];
  readonly #byBucket: readonly Shard[];

  private constructor(all: readonly Shard[], byBucket: readonly Shard[]) {
    this.all = all;
    this.#byBucket = byBucket;
  }

  static async open(meta: pg.Pool, metaUrl: string, poolMax: number, log: Logger): Promise<Shards> {
    const { rows: shardRows } = await meta.query<{ name: string; url: string | null }>(
      'select name, url from meta.shard order by name',
    );
    const shards: Shard[] = [];
    for (const row of shardRows) {
      const url = row.url ?? metaUrl;
      await migrate(url, 'shard', log);
      shards.push({ name: row.name, url, pool: openPool(url, `db-proxy ${row.name}`, poolMax) });
    }
    const { rows } = await meta.query<{ bucket: number; shard: string }>(
      'select bucket, shard from meta.bucket order by bucket',
    );
    const byBucket = rows.map((row) => shards.find((shard) => shard.name === row.shard)!);
    return new Shards(shards, byBucket);
  }

  ofBucket(bucket: number): Shard {
    return this.#byBucket[bucket]!;
  }
  ofConversation(id: bigint): Shard {
    return this.#byBucket[bucketOf(id)]!;
  }
  ofUser(userId: number): Shard {
    return this.#byBucket[userBucketOf(userId)]!;
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

  async close(): Promise<void> {
    await Promise.all(this.all.map((shard) => shard.pool.end()));
  }
}
