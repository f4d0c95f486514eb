import { BUCKETS } from '../../common/limits.js';
import type { Sequence, Table } from '../../servers/db-proxy/storage/backup.js';
import { bucketColumn } from '../../servers/db-proxy/storage/backup.js';
import { smallintField } from '../../servers/db-proxy/storage/copy-rows.js';
import { type FsckReport, fsck } from '../../servers/db-proxy/storage/fsck.js';
import type { MasterKeyring } from '../../servers/db-proxy/storage/master-key.js';
import type { PlacedShard } from '../../servers/db-proxy/storage/placement.js';
import { type Reconciled, reconcile } from '../../servers/db-proxy/storage/reconcile.js';
import { Restore, type SchemasThen } from '../../servers/db-proxy/storage/restore.js';
import { ShardClients } from '../../servers/db-proxy/storage/shard-clients.js';
import type { Backup, Manifest, Part } from './manifest.js';
import type { Progress } from './progress.js';
import { readPart, verifyParts } from './read.js';
import { DamagedError } from './sealed-part.js';

export interface ShardTarget {
  readonly name: string;
  /** As in meta.shard. */
  readonly url: string;
}

export interface RestoreOptions {
  readonly databaseUrl: string;
  /** Empty: everything into the database of meta. */
  readonly shards: readonly ShardTarget[];
  readonly again: boolean;
  readonly masterKeys: MasterKeyring;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface Restored {
  readonly fsck: FsckReport;
  /** Undefined: the backup is of one database, so there was nothing to make agree. */
  readonly reconciled: Reconciled | undefined;
  readonly ms: number;
}

/** Of the bodies, so many are opened at the end, besides the newest of each conversation. */
const OPENED_SHARE = 0.01;

/**
 * Puts a backup into empty databases. All of it is checked before the first row is sent, and again while it is sent;
 * until everything is in, the databases are marked as being restored and no server starts on them.
 */
export async function restoreBackup(backup: Backup, options: RestoreOptions): Promise<Restored> {
  const { manifest } = backup;
  const { databaseUrl, progress, signal } = options;
  const startedMs = performance.now();
  const then = schemasThen(manifest);
  const version = BigInt(manifest.placement.version) + 1n;
  const target = { metaUrl: databaseUrl, shards: placed(manifest, options.shards), version };
  const restore = await Restore.open(target, options.again); // refuses before the long work
  try {
    await verifyParts(backup, progress);
    await restore.begin(then, markOf(manifest));
    for (const part of manifest.parts) await loadPart(backup, part, restore, progress, signal);
    progress.say('indexes, keys and sequences');
    await restore.commit(then, sequencesOf(manifest));
    const reconciled = manifest.databases.length > 1 ? await makeAgree(databaseUrl) : undefined;
    await restore.release();
    const report = await fsck({
      databaseUrl,
      masterKeys: options.masterKeys,
      open: OPENED_SHARE,
      digest: false,
      hear: (doing, rows) => progress.step(`checking what was restored, ${doing}`, rows),
    });
    return { fsck: report, reconciled, ms: performance.now() - startedMs };
  } finally {
    await restore.close();
  }
}

async function makeAgree(databaseUrl: string): Promise<Reconciled> {
  const clients = await ShardClients.open(databaseUrl, 'restore');
  try {
    return await reconcile(clients);
  } finally {
    await clients.close();
  }
}

/** What whoever comes upon an unfinished restore reads. */
function markOf({ taken, id }: Manifest): string {
  return `an unfinished restore of the backup of ${taken} (${id}), begun ${new Date().toISOString()}`;
}

/** Those of shards are the same for all, see the backup. */
function schemasThen({ databases }: Manifest): SchemasThen {
  const of = (schema: 'meta' | 'shard') => databases.find((each) => each.migrations[schema] !== undefined);
  return { meta: of('meta')?.migrations.meta ?? [], shard: of('shard')?.migrations.shard ?? [] };
}

function placed({ placement }: Manifest, shards: readonly ShardTarget[]): PlacedShard[] {
  const all = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
  if (shards.length === 0) return [{ name: placement.shards[0]!.name, url: null, buckets: all }];
  const names = (list: readonly { name: string }[]) =>
    list
      .map((each) => each.name)
      .sort()
      .join();
  if (names(shards) === names(placement.shards))
    return shards.map((shard) => ({
      ...shard,
      buckets: placement.shards.find((each) => each.name === shard.name)!.buckets,
    }));
  const shardOf = (bucket: number) => shards[Math.floor((bucket * shards.length) / BUCKETS)]!;
  return shards.map((shard) => ({ ...shard, buckets: all.filter((bucket) => shardOf(bucket) === shard) }));
}

/** Of the same sequence in several shards the one that is furthest. */
function sequencesOf({ databases }: Manifest): Sequence[] {
  const furthest = new Map<string, Sequence>();
  for (const { schema, name, last } of databases.flatMap((database) => database.sequences)) {
    const sequence = { schema, name, last: BigInt(last) };
    const before = furthest.get(`${schema}.${name}`);
    if (before === undefined || before.last < sequence.last) furthest.set(`${schema}.${name}`, sequence);
  }
  return [...furthest.values()];
}

async function loadPart(
  backup: Backup,
  part: Part,
  restore: Restore,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const table: Table = { schema: part.schema, name: part.table, columns: part.columns };
  const bucketAt = bucketColumn(table);
  const loader = await restore.load(table);
  progress.begin(`loading ${part.database} ${part.schema}.${part.table}`);
  try {
    await readPart(
      backup,
      part,
      progress,
      (bytes, start, end) => {
        const bucket = part.schema === 'meta' ? 0 : smallintField(bytes, start, bucketAt);
        if (bucket === undefined) throw new DamagedError('a row without a bucket');
        loader.put(bucket, bytes, start, end);
      },
      async () => {
        signal.throwIfAborted();
        await loader.flush();
      },
    );
    const taken = await loader.finish();
    if (taken !== part.rows) throw new Error(`PostgreSQL took ${taken} rows of ${part.rows}`);
  } catch (error) {
    loader.abandon(error as Error);
    throw error;
  }
  progress.end();
}
