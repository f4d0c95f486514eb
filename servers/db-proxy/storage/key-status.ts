import type pg from 'pg';
import { type KeyHolder, keyHolders } from './key-watch.js';
import { readPlacement, urlOf } from './placement.js';
import { connectTool } from './tool-client.js';

/** How the keys stand, for people. Nothing here needs a master key. */
export interface KeyStatus {
  /** Fingerprints of the master keys that wrap data keys; more than one only where somebody wrote by hand. */
  readonly masterKeys: readonly string[];
  readonly version: bigint;
  /** The numbers of messages are estimates. */
  readonly estimated: boolean;
  /** By epoch, then bucket. */
  readonly keys: readonly KeyLine[];
  readonly holders: readonly KeyHolder[];
  readonly reseal: ResealStatus;
}

export interface KeyLine {
  readonly keyId: number;
  readonly bucket: number;
  readonly epoch: number;
  readonly created: Date;
  /** It seals what is new. */
  readonly current: boolean;
  readonly destroyed: boolean;
  /** Sealed under it. */
  readonly messages: number;
}

/** Buckets with messages to be sealed anew, and how far that is. */
export interface ResealStatus {
  readonly buckets: number;
  readonly finished: number;
  readonly unopenable: number;
  /** Undefined: never begun. */
  readonly updated: Date | undefined;
}

/** Pages of a message table that are looked at for an estimate: 16 MB, whatever its size. */
const SAMPLE_PAGES = 2_000;
const PAGE_SIZE = 8_192;

/**
 * @param exact count the messages, which reads all of every shard, instead of estimating from a sample
 * @param only the data keys of these buckets; none: of all
 */
export async function keyStatus(
  meta: pg.ClientBase,
  metaUrl: string,
  { exact = false, only = [] }: { readonly exact?: boolean; readonly only?: readonly number[] } = {},
): Promise<KeyStatus> {
  const { rows } = await meta.query<Omit<KeyLine, 'messages'> & { master_key: string; version: bigint }>(
    `select k.id as "keyId", k.bucket, k.epoch, k.master_key, k.created, k.wrapped is null as destroyed,
            k.epoch = max(k.epoch) over (partition by k.bucket) as current, v.version
       from meta.data_key k, meta.key_version v where cardinality($1::int[]) = 0 or k.bucket = any ($1) order by k.epoch, k.bucket`,
    [only],
  );
  const { messages, estimated } = await messagesByKey(meta, metaUrl, exact);
  return {
    masterKeys: [...new Set(rows.map((row) => row.master_key))],
    version: rows[0]?.version ?? 0n,
    estimated,
    keys: rows.map(({ master_key: _, version: __, ...key }) => ({ ...key, messages: messages.get(key.keyId) ?? 0 })),
    holders: await keyHolders(meta),
    reseal: await resealStatus(meta),
  };
}

/** By the id of the data key, over all shards; rows of buckets that are elsewhere by the map do not count. */
async function messagesByKey(
  meta: pg.ClientBase,
  metaUrl: string,
  exact: boolean,
): Promise<{ readonly messages: ReadonlyMap<number, number>; readonly estimated: boolean }> {
  const messages = new Map<number, number>();
  let estimated = false;
  for (const shard of (await readPlacement(meta)).shards.filter((each) => each.buckets.length > 0)) {
    const client = await connectTool(urlOf(shard, metaUrl), 'keys');
    try {
      const percent = exact ? 100 : await samplePercent(client);
      estimated ||= percent < 100;
      const { rows } = await client.query<{ key_id: number; found: number }>(
        `select key_id, count(*)::float8 as found from shard.message ${percent < 100 ? `tablesample system (${percent})` : ''}
          where bucket = any ($1::smallint[]) group by key_id`,
        [shard.buckets],
      );
      for (const { key_id, found } of rows)
        messages.set(key_id, (messages.get(key_id) ?? 0) + Math.round((found * 100) / percent));
    } finally {
      await client.end();
    }
  }
  return { messages, estimated };
}

async function samplePercent(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pages: number }>(
    `select pg_relation_size('shard.message')::float8 / ${PAGE_SIZE} as pages`,
  );
  return Math.min(100, (SAMPLE_PAGES / Math.max(1, rows[0]!.pages)) * 100);
}

async function resealStatus(meta: pg.ClientBase): Promise<ResealStatus> {
  const { rows } = await meta.query<ResealStatus & { updated: Date | null }>(
    `select count(*)::int as buckets,
            (count(*) filter (where r.finished is not null and r.key_id = k.current))::int as finished,
            coalesce(sum(r.unopenable), 0)::float8 as unopenable, max(r.updated) as updated
       from (select bucket, (array_agg(id order by epoch desc))[1] as current
               from meta.data_key group by bucket having count(*) > 1) k
       left join meta.reseal r on r.bucket = k.bucket`,
  );
  const { updated, ...counts } = rows[0]!;
  return { ...counts, updated: updated ?? undefined };
}
