import type pg from 'pg';
import { bucketOf } from '../../../common/conversation.js';
import { placeOf } from './database-url.js';
import { type PlacedShard, type Placement, readPlacement, shardByBucket, urlOf } from './placement.js';
import { connectTool, disconnect } from './tool-client.js';

/** A shard as a tool sees it: one connection. */
export interface ShardClient {
  readonly name: string;
  readonly url: string;
  /** Host, port and database, for people. */
  readonly place: string;
  readonly buckets: ReadonlySet<number>;
  readonly client: pg.Client;
}

/**
 * One connection to meta and to each shard, for tools that go through everything. Nothing is migrated by opening them,
 * and the map stays what it was: a tool looks at its version again at the end.
 */
export class ShardClients {
  readonly placement: Placement;
  readonly meta: pg.Client;
  readonly all: readonly ShardClient[];
  readonly #byBucket: readonly (ShardClient | undefined)[];

  private constructor(placement: Placement, meta: pg.Client, all: readonly ShardClient[]) {
    this.placement = placement;
    this.meta = meta;
    this.all = all;
    this.#byBucket = shardByBucket(placement).map((name) => all.find((shard) => shard.name === name));
  }

  /** @param ready looks at the database of meta before anything is read from it */
  static async open(
    metaUrl: string,
    name: string,
    ready: (meta: pg.Client) => Promise<void> = async () => undefined,
  ): Promise<ShardClients> {
    const opened: pg.Client[] = [];
    const connect = async (url: string) => {
      const client = await connectTool(url, name);
      opened.push(client);
      return client;
    };
    try {
      const meta = await connect(metaUrl);
      await ready(meta);
      const placement = await readPlacement(meta);
      const open = async (shard: PlacedShard): Promise<ShardClient> => {
        const url = urlOf(shard, metaUrl);
        const client = await connect(url);
        return { name: shard.name, url, place: placeOf(url), buckets: new Set(shard.buckets), client };
      };
      return new ShardClients(placement, meta, await Promise.all(placement.shards.map(open)));
    } catch (error) {
      await disconnect(opened);
      throw error;
    }
  }

  /** Undefined where the map has a hole. */
  ofBucket(bucket: number): ShardClient | undefined {
    return this.#byBucket[bucket];
  }

  /** Things by the shard they live on, so that each is asked once. What has no shard is left out. */
  split<T>(things: Iterable<T>, bucket: (thing: T) => number): Map<ShardClient, T[]> {
    const parts = new Map<ShardClient, T[]>();
    for (const thing of things) {
      const shard = this.ofBucket(bucket(thing));
      if (shard === undefined) continue;
      const part = parts.get(shard);
      if (part === undefined) parts.set(shard, [thing]);
      else part.push(thing);
    }
    return parts;
  }

  /** The newest msg_ids; a conversation that does not exist is not in it. */
  async heads(conversations: Iterable<bigint>): Promise<Map<bigint, number>> {
    const heads = new Map<bigint, number>();
    const asked = [...this.split(new Set(conversations), bucketOf)].map(async ([{ client }, ids]) => {
      const { rows } = await client.query<{ id: bigint; head: number }>({
        name: 'heads',
        text: `select c.id, c.head from unnest($1::smallint[], $2::bigint[]) as w (bucket, id)
                 join shard.conversation c on c.bucket = w.bucket and c.id = w.id`,
        values: [ids.map(bucketOf), ids.map(String)],
      });
      for (const row of rows) heads.set(row.id, row.head);
    });
    await Promise.all(asked);
    return heads;
  }

  close(): Promise<void> {
    return disconnect([this.meta, ...this.all.map((shard) => shard.client)]);
  }
}
