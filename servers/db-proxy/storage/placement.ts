import { BUCKETS } from '../../../common/limits.js';
import { shardUrl } from './shards.js';
import type { Queryable } from './tool-client.js';

/** Which shard holds which buckets, as meta has it at one moment. */
export interface Placement {
  readonly version: bigint;
  readonly shards: readonly PlacedShard[];
  readonly moves: readonly Move[];
}

export interface PlacedShard {
  readonly name: string;
  /** As it stands in meta: null for meta's own database, `/name` for another one of the same server. */
  readonly url: string | null;
  readonly buckets: readonly number[];
}

/** A bucket on its way: rows of it may be at both ends. */
export interface Move {
  readonly bucket: number;
  readonly source: string;
  readonly target: string;
}

/** One statement, so one snapshot; nothing is migrated or claimed, unlike when a server opens its shards. */
export async function readPlacement(meta: Queryable): Promise<Placement> {
  const { rows } = await meta.query<{ version: bigint; shards: PlacedShard[]; moves: Move[] | null }>(
    `select (select version from meta.bucket_map) as version,
            (select json_agg(json_build_object('name', s.name, 'url', s.url, 'buckets',
               array(select bucket from meta.bucket b where b.shard = s.name order by bucket)) order by s.name)
               from meta.shard s) as shards,
            (select json_agg(json_build_object('bucket', bucket, 'source', source, 'target', target)) from meta.bucket_move) as moves`,
  );
  const { version, shards, moves } = rows[0]!;
  return { version, shards, moves: moves ?? [] };
}

export function urlOf(shard: PlacedShard, metaUrl: string): string {
  return shardUrl(shard.url, metaUrl);
}

/** By bucket: the name of its shard; undefined where the map has a hole. */
export function shardByBucket(placement: Placement): (string | undefined)[] {
  const names = new Array<string | undefined>(BUCKETS).fill(undefined);
  for (const { name, buckets } of placement.shards) for (const bucket of buckets) names[bucket] = name;
  return names;
}
