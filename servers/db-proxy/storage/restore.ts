import { once } from 'node:events';
import pg from 'pg';
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams';
import { type Column, nameOf, type Sequence, type Table, tablesOf } from './backup.js';
import { COPY_END, COPY_HEADER } from './copy-rows.js';
import { placeOf } from './database-url.js';
import type { Schema } from './migrations.js';
import { type PlacedShard, urlOf } from './placement.js';
import {
  appliedMigrations,
  applyMigrations,
  knownMigrations,
  type Migration,
  markUnfinished,
  SchemaError,
  unfinishedRestore,
  unmarkUnfinished,
} from './schema.js';
import { connectTool, disconnect } from './tool-client.js';

/**
 * Making a cluster's databases out of streams of COPY.
 *
 * Each database is first marked as being restored, which is committed by itself: no server starts on a marked one, and
 * whoever looks is told. Everything else (schema, rows, indexes, keys, placement) is one transaction per database, so a
 * restore that is cut off leaves the mark and not one row. The marks go when all databases have committed and agree
 * with each other.
 *
 * Tables are truncated and loaded in one transaction, so their rows are written frozen: PostgreSQL need not touch them
 * again for it. Indexes and constraints are taken off before and put on behind the load, which is faster than keeping
 * them up row by row, and checks the same.
 */
export interface Target {
  readonly metaUrl: string;
  /** Who will hold what. `url` as in meta.shard. */
  readonly shards: readonly PlacedShard[];
  /** Of the bucket map: higher than any server has seen. */
  readonly version: bigint;
}

/** The schemas as they were at the backup. */
export type SchemasThen = Readonly<Record<Schema, readonly Migration[]>>;

/** Where rows of one table go. */
export interface Loader {
  /** Rows in COPY's binary format, from `start` to before `end`, all of that bucket; any bucket for a table of meta. */
  put(bucket: number, bytes: Buffer, start: number, end: number): void;
  /** Sends what was put. Resolves when more may come. */
  flush(): Promise<void>;
  /** @returns how many rows PostgreSQL has taken */
  finish(): Promise<number>;
  /** The rows are not wanted: a fault was found. */
  abandon(error: Error): void;
}

interface Database {
  readonly url: string;
  readonly client: pg.Client;
  readonly schemas: readonly Schema[];
  readonly buckets: ReadonlySet<number>;
  /** What is put back behind the load. */
  shed: readonly Shed[];
}

interface Shed {
  readonly table: string;
  readonly name: string;
  /** For a constraint what comes behind its name, for an index the whole statement. */
  readonly definition: string;
  /** As in pg_constraint; `i` for an index. */
  readonly kind: 'p' | 'u' | 'x' | 'f' | 'i';
}

export class Restore {
  readonly #target: Target;
  /** meta's first. */
  readonly #databases: readonly Database[];

  private constructor(target: Target, databases: readonly Database[]) {
    this.#target = target;
    this.#databases = databases;
  }

  /**
   * @param again a target with an unfinished restore is emptied
   * @throws SchemaError when a database is not empty: nothing has been changed
   */
  static async open(target: Target, again: boolean): Promise<Restore> {
    const databases: Database[] = [];
    try {
      for (const { url, schemas, buckets } of databasesOf(target)) {
        const client = await connectTool(url, 'restore');
        databases.push({ url, client, schemas, buckets, shed: [] });
      }
      const emptied: Database[] = [];
      for (const database of databases) if (await mustBeEmptied(database, again)) emptied.push(database);
      for (const { client } of emptied) await client.query('drop schema if exists meta, shard cascade');
      return new Restore(target, databases);
    } catch (error) {
      await disconnect(databases.map((each) => each.client));
      throw error;
    }
  }

  /** @throws SchemaError when this build cannot make the schemas of the backup: nothing has been changed */
  async begin(then: SchemasThen, words: string): Promise<void> {
    for (const schema of ['meta', 'shard'] as const) await requireMakeable(schema, then[schema]);
    for (const { client, schemas } of this.#databases) {
      await client.query('begin');
      for (const schema of schemas) await markUnfinished(client, schema, words);
      await client.query('commit');
    }
    for (const database of this.#databases) await makeReady(database, then);
  }

  /** @throws Error when the table is not there, or has other columns than the rows */
  async load(table: Table): Promise<Loader> {
    const { schema } = table;
    const concerned = this.#databases.filter((each) => each.schemas.includes(schema));
    for (const { client } of concerned) await requireColumns(client, table);
    return new CopyLoader(table, concerned);
  }

  /** Puts on what was taken off, sets sequences, brings the schemas up to date, writes down who holds what; commits. */
  async commit(then: SchemasThen, sequences: readonly Sequence[]): Promise<void> {
    for (const database of this.#databases) {
      const { client, schemas } = database;
      await putBack(database);
      await setSequences(
        client,
        sequences.filter((each) => schemas.includes(each.schema)),
      );
      for (const schema of schemas) await applyMigrations(client, schema, await laterThan(schema, then[schema]));
      if (schemas.includes('shard')) await ownBuckets(database);
    }
    await place(this.#databases[0]!.client, this.#target);
    // meta last: without it nobody finds the shards.
    for (const { client } of [...this.#databases].reverse()) await client.query('commit');
    for (const { client, schemas } of this.#databases)
      await client.query(`analyze ${(await tablesOf(client, schemas)).map(nameOf).join(', ')}`);
  }

  /** Takes the marks away, meta's last: from now on servers start on it. */
  async release(): Promise<void> {
    for (const { client, schemas } of [...this.#databases].reverse())
      for (const schema of [...schemas].reverse()) await unmarkUnfinished(client, schema);
  }

  close(): Promise<void> {
    return disconnect(this.#databases.map((each) => each.client));
  }
}

/** meta's first. A database that is both is one. */
function databasesOf({ metaUrl, shards }: Target): { url: string; schemas: Schema[]; buckets: Set<number> }[] {
  const found = [{ url: metaUrl, schemas: ['meta'] as Schema[], buckets: new Set<number>() }];
  for (const shard of shards) {
    const url = urlOf(shard, metaUrl);
    const same = found.find((each) => each.url === url);
    if (same?.schemas.includes('shard')) throw new Error(`two shards in one database, ${placeOf(url)}`);
    if (same === undefined) found.push({ url, schemas: ['shard'], buckets: new Set(shard.buckets) });
    else {
      same.schemas.push('shard');
      for (const bucket of shard.buckets) same.buckets.add(bucket);
    }
  }
  return found;
}

async function mustBeEmptied({ client, url }: Database, again: boolean): Promise<boolean> {
  let empty = true;
  for (const schema of ['meta', 'shard'] as const) {
    const applied = await appliedMigrations(client, schema);
    if (applied === undefined) continue;
    empty = false;
    const unfinished = unfinishedRestore(applied);
    if (unfinished === undefined)
      throw new SchemaError(`${placeOf(url)} is not empty, it has a schema ${schema}: a restore needs a new database`);
    if (!again) throw new SchemaError(`${placeOf(url)}: ${unfinished}; --again empties it and starts over`);
  }
  return !empty;
}

async function requireMakeable(schema: Schema, then: readonly Migration[]): Promise<void> {
  const known = new Set((await knownMigrations(schema)).map((each) => each.name));
  const foreign = then.filter((each) => !known.has(each.name)).map((each) => each.name);
  if (foreign.length > 0)
    throw new SchemaError(
      `the backup's ${schema} schema has ${foreign.join(', ')}, which this build does not know: use a newer build`,
    );
}

async function laterThan(schema: Schema, then: readonly Migration[]): Promise<Migration[]> {
  const applied = new Set(then.map((each) => each.number));
  return (await knownMigrations(schema)).filter((each) => !applied.has(each.number));
}

/** Begins the transaction and leaves tables that are empty and bare. */
async function makeReady(database: Database, then: SchemasThen): Promise<void> {
  const { client, schemas } = database;
  await client.query('begin');
  await client.query("set local maintenance_work_mem = '128MB'");
  for (const schema of schemas) await applyMigrations(client, schema, then[schema]);
  const tables = await tablesOf(client, schemas);
  await client.query(`truncate ${tables.map(nameOf).join(', ')}`);
  database.shed = await shedOf(client, tables);
  const inOrder = [...database.shed].sort((a, b) => Number(b.kind === 'f') - Number(a.kind === 'f'));
  for (const { kind, table, name } of inOrder) {
    if (kind === 'i') await client.query(`drop index ${name}`);
    else await client.query(`alter table ${table} drop constraint ${name}`);
  }
}

async function shedOf(client: pg.Client, tables: readonly Table[]): Promise<Shed[]> {
  const { rows } = await client.query<Shed>(
    `select c.conrelid::regclass::text as table, quote_ident(c.conname) as name, pg_get_constraintdef(c.oid) as definition, c.contype as kind
       from pg_constraint c where c.conrelid = any ($1::regclass[]) and c.contype in ('p', 'u', 'x', 'f')
     union all
     select i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), 'i'
       from pg_index i where i.indrelid = any ($1::regclass[]) and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`,
    [tables.map(nameOf)],
  );
  return rows;
}

async function putBack({ client, shed }: Database): Promise<void> {
  const order: readonly Shed['kind'][] = ['p', 'u', 'x', 'i', 'f'];
  for (const { kind, table, name, definition } of [...shed].sort(
    (a, b) => order.indexOf(a.kind) - order.indexOf(b.kind),
  ))
    await client.query(kind === 'i' ? definition : `alter table ${table} add constraint ${name} ${definition}`);
}

async function requireColumns(client: pg.Client, table: Table): Promise<void> {
  const words = (columns: readonly Column[]) => columns.map(({ name, type }) => `${name} ${type}`).join(', ');
  const there = (await tablesOf(client, [table.schema])).find((each) => each.name === table.name);
  if (there === undefined)
    throw new SchemaError(`the backup has a table ${nameOf(table)}, this build's schema has none`);
  if (words(there.columns) !== words(table.columns))
    throw new SchemaError(
      `${nameOf(table)}: the backup has the columns ${words(table.columns)}; this build's schema has ${words(there.columns)}`,
    );
}

/** Beyond what the backup says and beyond what is there: no id is given twice. */
async function setSequences(client: pg.Client, sequences: readonly Sequence[]): Promise<void> {
  for (const sequence of sequences)
    await client.query('select setval($1, $2)', [nameOf(sequence), String(sequence.last)]);
}

async function ownBuckets({ client, buckets }: Database): Promise<void> {
  await client.query('delete from shard.bucket');
  await client.query('insert into shard.bucket (bucket) select unnest($1::smallint[])', [[...buckets]]);
}

async function place(meta: pg.Client, { shards, version }: Target): Promise<void> {
  await meta.query('delete from meta.bucket_move');
  await meta.query('delete from meta.bucket');
  await meta.query('delete from meta.shard');
  for (const { name, url, buckets } of shards) {
    await meta.query('insert into meta.shard (name, url, claimed) values ($1, $2, true)', [name, url]);
    await meta.query('insert into meta.bucket (bucket, shard) select unnest($1::smallint[]), $2', [buckets, name]);
  }
  await meta.query('update meta.bucket_map set version = $1', [String(version)]);
}

interface Lane {
  readonly copy: CopyStreamQuery;
  error: Error | undefined;
  /** Slices to be sent; the last one may still grow. */
  readonly slices: Slice[];
}

interface Slice {
  readonly bytes: Buffer;
  readonly start: number;
  end: number;
}

/** One COPY in each database that the rows may belong to. */
class CopyLoader implements Loader {
  readonly #lanes: Lane[];
  readonly #byBucket = new Map<number, Lane>();
  readonly #name: string;
  readonly #isMeta: boolean;

  constructor(table: Table, databases: readonly Database[]) {
    this.#name = nameOf(table);
    this.#isMeta = table.schema === 'meta';
    const columns = table.columns.map((column) => pg.escapeIdentifier(column.name)).join(', ');
    const statement = `copy ${this.#name} (${columns}) from stdin with (format binary, freeze)`;
    this.#lanes = databases.map(({ client, buckets }) => {
      const copy = client.query(copyFrom(statement));
      const lane: Lane = { copy, error: undefined, slices: [] };
      copy.on('error', (error) => {
        lane.error = error; // PostgreSQL's words; the next write or the end throws them
      });
      copy.write(COPY_HEADER);
      for (const bucket of buckets) this.#byBucket.set(bucket, lane);
      return lane;
    });
  }

  put(bucket: number, bytes: Buffer, start: number, end: number): void {
    const lane = this.#isMeta ? this.#lanes[0] : this.#byBucket.get(bucket);
    if (lane === undefined) throw new Error(`${this.#name}: a row of bucket ${bucket}, which no shard holds`);
    const last = lane.slices.at(-1);
    // Rows that lie side by side go together.
    if (last?.bytes === bytes && last.end === start) last.end = end;
    else lane.slices.push({ bytes, start, end });
  }

  async flush(): Promise<void> {
    const sent = this.#lanes.map(async (lane) => {
      for (const { bytes, start, end } of lane.slices.splice(0)) {
        if (lane.error !== undefined) throw lane.error;
        if (!lane.copy.write(bytes.subarray(start, end))) await once(lane.copy, 'drain');
      }
    });
    await Promise.all(sent);
  }

  async finish(): Promise<number> {
    await this.flush();
    const ended = this.#lanes.map(async ({ copy, error }) => {
      if (error !== undefined) throw error;
      const finished = once(copy, 'finish');
      copy.end(COPY_END);
      await finished;
    });
    await Promise.all(ended);
    return this.#lanes.reduce((sum, { copy }) => sum + copy.rowCount, 0);
  }

  abandon(error: Error): void {
    for (const { copy, error: failed } of this.#lanes) if (failed === undefined) copy.destroy(error);
  }
}
