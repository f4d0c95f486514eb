import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { BUCKETS } from '../../../common/limits.js';
import { placeOf } from './database-url.js';
import type { Schema } from './migrations.js';
import { type Placement, readPlacement, urlOf } from './placement.js';
import { type Migration, requireKnown } from './schema.js';
import { connectTool, disconnect, type Queryable } from './tool-client.js';

/**
 * Everything at rest, as it was at one moment per database, as streams of COPY.
 *
 * Within a database all tables come from one REPEATABLE READ snapshot. Across databases there is no common moment, so
 * the order matters: the snapshots of the shards are taken first, all at once, and meta's last. Rows of a shard lean on
 * rows of meta (a message on its data key, its users, its group), which are made before them and never deleted, so the
 * later meta has whatever the earlier shards need; the other way round a message whose key was made in between would
 * never open again. What leans from the later to the earlier copy is small and is put right by the restore:
 *
 *   a member's joined_msg_id beyond the head of the group        pulled back to the head, else he would miss what comes
 *   an entry's hidden_to beyond the head (two shards)            pulled back likewise
 *   a single conversation that is not on a user's list           put on it: an entry follows from the conversation's id
 *
 * Heads only move forward and messages never change, so a shard's copy is whole in itself: head and messages are of
 * one moment.
 *
 * Buckets may move between shards meanwhile. The map is read before the first and within the last snapshot; when it is
 * the same, no bucket changed hands in between, and each shard's rows are taken for those buckets that the map gives it:
 * half a copy of a bucket that is on its way is left out. When it is not the same, everything is begun again; likewise
 * when a data key was destroyed in between, under which an earlier snapshot may still have messages.
 */
export interface Column {
  readonly name: string;
  readonly type: string;
}

export interface Table {
  readonly schema: Schema;
  readonly name: string;
  readonly columns: readonly Column[];
}

/** The next value of a sequence is beyond this one. */
export interface Sequence {
  readonly schema: Schema;
  readonly name: string;
  readonly last: bigint;
}

/** One database at one moment. */
export interface Snapshot {
  /** `meta`, or the name of the shard. The shard in meta's database is part of `meta`. */
  readonly name: string;
  readonly takenMs: number;
  readonly migrations: Readonly<Partial<Record<Schema, readonly Migration[]>>>;
  readonly tables: readonly Table[];
  readonly sequences: readonly Sequence[];
  /** The rows in PostgreSQL's binary COPY format. One table at a time. */
  copy(table: Table): Copy;
}

export interface Copy {
  readonly stream: Readable;
  /** How many rows PostgreSQL says it sent. To be asked when the stream has ended. */
  rows(): Promise<number>;
}

export interface Snapshots {
  /** meta first, then the shards. */
  readonly all: readonly Snapshot[];
  readonly placement: Placement;
  /** Fingerprints of the master keys that wrap the data keys: one, or none before the first db-proxy has started. */
  readonly masterKeys: readonly string[];
  close(): Promise<void>;
}

/** These say where things are and which files made them; a restore writes them itself. */
const NOT_COPIED = [
  ...['meta.migration', 'meta.shard', 'meta.bucket', 'meta.bucket_map', 'meta.bucket_move'],
  ...['shard.migration', 'shard.bucket'],
];
const TRIES = 5;
const RETRY_MS = 500;

interface Source {
  readonly name: string;
  readonly client: pg.Client;
  readonly schemas: readonly Schema[];
  /** The buckets whose rows are taken; undefined: all there are. */
  readonly buckets: readonly number[] | undefined;
}

/**
 * Takes the snapshots. They cost PostgreSQL the cleaning up of old rows until `close`.
 * @throws SchemaError when a schema is not fit, an Error when the bucket map does not hold still
 */
export async function openSnapshots(metaUrl: string): Promise<Snapshots> {
  for (let left = TRIES - 1; ; left--) {
    const clients: pg.Client[] = [];
    const connect = async (url: string) => {
      const client = await connectTool(url, 'backup');
      clients.push(client);
      return client;
    };
    try {
      const found = await takeSnapshots(metaUrl, connect);
      if (found !== undefined) return { ...found, close: () => cutOff(clients) };
    } catch (error) {
      await disconnect(clients);
      throw error;
    }
    await disconnect(clients);
    if (left === 0)
      throw new Error(
        'buckets are moving between shards, or keys are being destroyed: take the backup when that is done',
      );
    await delay(RETRY_MS);
  }
}

/** Whatever is still being sent: a connection in the middle of a COPY would not hear a farewell. Nothing is lost by it. */
async function cutOff(clients: readonly pg.Client[]): Promise<void> {
  for (const client of clients) client.connection.stream.destroy();
}

/** Undefined: a bucket has changed its shard, or a key has gone, while the snapshots were taken. */
async function takeSnapshots(
  metaUrl: string,
  connect: (url: string) => Promise<pg.Client>,
): Promise<Omit<Snapshots, 'close'> | undefined> {
  const client = await connect(metaUrl);
  await requireKnown(client, 'meta', placeOf(metaUrl));
  const before = await readPlacement(client);
  const keysBefore = await destroyedKeys(client);
  const [sources, meta] = await sourcesOf(before, metaUrl, client, connect);
  const shards = await Promise.all(sources.map(takeSnapshot));
  const all = [await takeSnapshot(meta), ...shards];
  requireSameSchema(all);
  const placement = await readPlacement(client);
  if (!sameMap(before, placement) || keysBefore !== (await destroyedKeys(client))) return undefined;
  const { rows } = await client.query<{ master_key: string }>('select distinct master_key from meta.data_key');
  return { all, placement, masterKeys: rows.map((row) => row.master_key) };
}

/** The databases of shards that have buckets, and meta's. */
async function sourcesOf(
  placement: Placement,
  metaUrl: string,
  client: pg.Client,
  connect: (url: string) => Promise<pg.Client>,
): Promise<readonly [Source[], Source]> {
  const held = placement.shards.filter((shard) => shard.buckets.length > 0);
  const bucketsOf = (buckets: readonly number[]) => (buckets.length === BUCKETS ? undefined : buckets);
  const apart = held.filter((shard) => urlOf(shard, metaUrl) !== metaUrl);
  const sources = apart.map(async (shard): Promise<Source> => {
    const url = urlOf(shard, metaUrl);
    const client = await connect(url);
    await requireKnown(client, 'shard', `${shard.name} (${placeOf(url)})`);
    return { name: shard.name, client, schemas: ['shard'], buckets: bucketsOf(shard.buckets) };
  });
  const within = held.find((shard) => urlOf(shard, metaUrl) === metaUrl);
  if (within !== undefined) await requireKnown(client, 'shard', `${within.name} (${placeOf(metaUrl)})`);
  const meta: Source = {
    name: 'meta',
    client,
    schemas: within === undefined ? ['meta'] : ['meta', 'shard'],
    buckets: within && bucketsOf(within.buckets),
  };
  return [await Promise.all(sources), meta];
}

/** Rows of several shards may have to fit into one, and it has one schema. */
function requireSameSchema(snapshots: readonly Snapshot[]): void {
  const schemas = snapshots.flatMap(({ migrations }) => (migrations.shard === undefined ? [] : [migrations.shard]));
  if (new Set(schemas.map((schema) => JSON.stringify(schema))).size > 1)
    throw new Error(
      'the shards do not have the same schema: start a db-proxy of the newest build once, then try again',
    );
}

/** How many there are: none ever comes back. */
async function destroyedKeys(meta: Queryable): Promise<bigint> {
  const { rows } = await meta.query<{ n: bigint }>('select count(*) as n from meta.data_key where wrapped is null');
  return rows[0]!.n;
}

function sameMap(a: Placement, b: Placement): boolean {
  const words = ({ version, shards }: Placement) => JSON.stringify([String(version), shards]);
  return words(a) === words(b);
}

async function takeSnapshot(source: Source): Promise<Snapshot> {
  const { name, client, schemas } = source;
  const tables = await tablesOf(client, schemas);
  await client.query('begin isolation level repeatable read read only');
  // Locked before the snapshot is taken, by the first statement that reads: whoever changes a table's shape in between
  // has committed by then, or waits until we are done.
  await client.query(`lock table ${tables.map(nameOf).join(', ')} in access share mode`);
  const found = await tablesOf(client, schemas);
  if (JSON.stringify(found) !== JSON.stringify(tables))
    throw new Error(`${name}: its tables are being changed just now`);
  const migrations: Partial<Record<Schema, Migration[]>> = {};
  for (const schema of schemas) {
    const { rows } = await client.query<Migration>(`select number, name from ${schema}.migration order by number`);
    migrations[schema] = rows;
  }
  const sequences = await sequencesOf(client, schemas);
  const copy = (table: Table) => copyOut(source, table);
  return { name, takenMs: Date.now(), migrations, tables, sequences, copy };
}

function copyOut({ client, buckets }: Source, table: Table): Copy {
  const columns = table.columns.map((column) => pg.escapeIdentifier(column.name)).join(', ');
  const rows =
    table.schema === 'meta' || buckets === undefined
      ? `${nameOf(table)} (${columns})`
      : `(select ${columns} from ${nameOf(table)} where bucket = any ('{${buckets.join(',')}}'::smallint[]))`;
  const stream = client.query(copyTo(`copy ${rows} to stdout (format binary)`));
  return {
    stream,
    async rows() {
      await client.query('select 1'); // the count comes behind the last row; so does this answer
      return stream.rowCount;
    },
  };
}

/**
 * Found out and not listed here, so that a table that somebody adds is never forgotten. Unlogged tables hold what may
 * vanish at any moment, and do so here.
 * @throws Error for a table of a shard without a bucket in its rows: nobody could say where they belong
 */
export async function tablesOf(client: Queryable, schemas: readonly Schema[]): Promise<Table[]> {
  const { rows } = await client.query<Table>(
    `select n.nspname as schema, c.relname as name,
            json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum) as columns
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      where n.nspname = any ($1) and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
        and n.nspname || '.' || c.relname <> all ($2)
      group by 1, 2 order by 1, 2`,
    [schemas, NOT_COPIED],
  );
  const homeless = rows.find((table) => table.schema === 'shard' && bucketColumn(table) < 0);
  if (homeless !== undefined) throw new Error(`${nameOf(homeless)} has no smallint column "bucket"`);
  return rows;
}

/** Which of the columns says where a row belongs; -1 when none does. */
export function bucketColumn(table: Table): number {
  return table.columns.findIndex(({ name, type }) => name === 'bucket' && type === 'smallint');
}

/** For SQL. */
export function nameOf(table: { readonly schema: string; readonly name: string }): string {
  return `${pg.escapeIdentifier(table.schema)}.${pg.escapeIdentifier(table.name)}`;
}

async function sequencesOf(client: Queryable, schemas: readonly Schema[]): Promise<Sequence[]> {
  const { rows } = await client.query<Sequence>(
    `select schemaname as schema, sequencename as name, last_value as last from pg_sequences
      where schemaname = any ($1) and last_value is not null order by 1, 2`,
    [schemas],
  );
  return rows;
}
