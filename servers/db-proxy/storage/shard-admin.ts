import { randomInt } from 'node:crypto';
import pg from 'pg';
import { pino } from 'pino';
import { BUCKETS } from '../../../common/limits.js';
import { checkDatabaseUrl, databaseOf, placeOf } from './database-url.js';
import { migrate } from './migrations.js';
import { type Phase, reasonOf, Unreachable } from './move.js';
import { readPlacement, urlOf } from './placement.js';
import { requireKnown } from './schema.js';
import { shardUrl } from './shards.js';
import { connectTool, disconnect } from './tool-client.js';

/** What operators see and change of the shards; buckets themselves are moved by move.ts. */
export interface ShardState {
  readonly name: string;
  /** Host, port and database. */
  readonly place: string;
  readonly buckets: readonly number[];
  /** Undefined: it cannot be reached, for this reason. */
  readonly holds: Holdings | undefined;
  readonly problem: string | undefined;
}

export interface Holdings {
  /** By bucket. */
  readonly messages: ReadonlyMap<number, number>;
  /** Of all its tables and indexes. */
  readonly bytes: number;
}

export interface MoveState {
  readonly bucket: number;
  readonly source: string;
  readonly target: string;
  readonly phase: Phase;
  readonly started: Date;
  /** A mover, or another job, is at the bucket. False: whoever was has died. */
  readonly attended: boolean;
}

export interface ShardsState {
  readonly version: bigint;
  readonly shards: readonly ShardState[];
  readonly moves: readonly MoveState[];
}

/** What was asked for cannot be done. The message says why, and what to do. */
export class ShardError extends Error {
  override readonly name = 'ShardError';
}

const VERSION_MIN = 15;
const LOOK_MS_MAX = 30_000;
const silent = pino({ level: 'silent' });

export async function readShards(metaUrl: string): Promise<ShardsState> {
  return withClient('meta', metaUrl, async (meta) => {
    await requireKnown(meta, 'meta', placeOf(metaUrl));
    const { version, shards } = await readPlacement(meta);
    const states = shards.map(async (shard): Promise<ShardState> => {
      const url = urlOf(shard, metaUrl);
      const about = { name: shard.name, place: placeOf(url), buckets: shard.buckets };
      return withClient(shard.name, url, holdingsOf).then(
        (holds) => ({ ...about, holds, problem: undefined }),
        (error: Error) => ({ ...about, holds: undefined, problem: error.message }),
      );
    });
    const moves = await meta.query<MoveState>(
      `select bucket, source, target, phase, started, exists (select from pg_locks l
                where l.locktype = 'advisory' and l.objsubid = 2 and l.objid::bigint = m.bucket and l.granted
                  and l.classid::bigint = hashtext('bucket')::bigint & 4294967295
                  and l.database = (select oid from pg_database where datname = current_database())) as attended
         from meta.bucket_move m order by bucket`,
    );
    return { version, shards: (await Promise.all(states)).sort(byNumber), moves: moves.rows };
  });
}

async function holdingsOf(client: pg.Client): Promise<Holdings> {
  await client.query(`set statement_timeout = ${LOOK_MS_MAX}`); // a table that somebody has locked does not stop a list
  const messages = await client.query<{ bucket: number; messages: number }>(
    `select bucket, sum(head - first_kept + 1)::float8 as messages
       from shard.conversation join shard.bucket using (bucket) group by bucket`,
  );
  const size = await client.query<{ bytes: number }>(
    `select coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as bytes
       from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'shard' and c.relkind = 'r'`,
  );
  return { messages: new Map(messages.rows.map((row) => [row.bucket, row.messages])), bytes: size.rows[0]!.bytes };
}

/** shard-2 before shard-10. */
function byNumber(a: ShardState, b: ShardState): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true });
}

/**
 * Makes a database a shard, without buckets.
 * @param url may be /name, for another database of meta's server
 * @returns false when it was one already
 * @throws ShardError, Unreachable
 */
export async function addShard(metaUrl: string, name: string, url: string): Promise<boolean> {
  if (!/^[a-z0-9-]{1,32}$/.test(name))
    throw new ShardError(`"${name}" is no name for a shard: up to 32 small letters, digits and hyphens`);
  if (!/^(\/[^/]|postgres(ql)?:\/\/)/.test(url))
    throw new ShardError('that is no URL such as postgres://user:password@host:5432/database, nor /database');
  const full = shardUrl(url, metaUrl);
  try {
    checkDatabaseUrl(full);
  } catch (error) {
    throw new ShardError(`that is ${(error as Error).message}, nor /database`);
  }
  return withClient('meta', metaUrl, async (meta) => {
    await requireKnown(meta, 'meta', placeOf(metaUrl));
    const { shards } = await readPlacement(meta);
    const known = shards.find((shard) => shard.name === name);
    if (known !== undefined && urlOf(known, metaUrl) === full) return false;
    if (known !== undefined)
      throw new ShardError(
        `there is a shard ${name} already, at ${placeOf(urlOf(known, metaUrl))}: choose another name`,
      );
    await withClient(name, full, async (client) => {
      await assertFit(client, placeOf(full));
      for (const other of shards)
        await withClient(other.name, urlOf(other, metaUrl), (there) => assertNotSame(there, client, other.name));
      await assertEmptyOrOurs(client, placeOf(full), await isSame(meta, client));
    });
    await migrate(full, 'shard', silent);
    await meta.query('insert into meta.shard (name, url, claimed) values ($1, $2, true)', [name, url]);
    return true;
  });
}

async function assertFit(client: pg.Client, place: string): Promise<void> {
  const { rows } = await client.query<{ version: string; encoding: string }>(
    "select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding",
  );
  const { version, encoding } = rows[0]!;
  if (Number(version) < VERSION_MIN * 10_000)
    throw new ShardError(
      `${place} is PostgreSQL ${Math.floor(Number(version) / 10_000)}: ${VERSION_MIN} or newer is needed`,
    );
  if (encoding !== 'UTF8') throw new ShardError(`${place} has the encoding ${encoding}: make a database with UTF8`);
}

/** The same server has many names, so a lock is tried from both sides. */
async function isSame(a: pg.Client, b: pg.Client): Promise<boolean> {
  const id = randomInt(2 ** 47);
  await a.query('select pg_advisory_lock($1)', [id]);
  const { rows } = await b.query<{ free: boolean }>('select pg_try_advisory_lock($1) as free', [id]);
  if (rows[0]!.free) await b.query('select pg_advisory_unlock($1)', [id]);
  await a.query('select pg_advisory_unlock($1)', [id]);
  return !rows[0]!.free;
}

async function assertNotSame(there: pg.Client, client: pg.Client, name: string): Promise<void> {
  if (await isSame(there, client)) throw new ShardError(`that database is ${name} already: make another one`);
}

async function assertEmptyOrOurs(client: pg.Client, place: string, isMeta: boolean): Promise<void> {
  const { rows } = await client.query<{ name: string; schema: string }>(
    `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema$)'`,
  );
  const foreign = rows.find(({ schema }) => schema !== 'shard' && !(isMeta && schema === 'meta'));
  if (foreign !== undefined)
    throw new ShardError(
      `${place} is not empty (it has ${foreign.schema}.${foreign.name}): make a database of its own`,
    );
  if (!rows.some(({ schema }) => schema === 'shard')) return;
  await requireKnown(client, 'shard', place);
  const held = await client.query<{ bucket: number }>('select bucket from shard.bucket order by bucket');
  if (held.rows.length > 0)
    throw new ShardError(
      `${place} holds buckets (${ranges(held.rows.map((row) => row.bucket))}) of some cluster: take another`,
    );
}

/** @throws ShardError when there is no such shard, or it has buckets, or is part of a move, or is the last one */
export async function removeShard(metaUrl: string, name: string): Promise<void> {
  const { shards, moves } = await withClient('meta', metaUrl, readPlacement);
  const shard = shards.find((each) => each.name === name);
  if (shard === undefined)
    throw new ShardError(`there is no shard ${name}; there are ${shards.map((each) => each.name).join(', ')}`);
  if (shard.buckets.length > 0)
    throw new ShardError(
      `${name} holds ${shard.buckets.length} buckets: first \`npm run shards -- move ${ranges(shard.buckets)} --to <another shard>\``,
    );
  const move = moves.find((each) => each.source === name || each.target === name);
  if (move !== undefined)
    throw new ShardError(`the move of bucket ${move.bucket} is not at its end: first \`npm run shards -- resume\``);
  await withClient('meta', metaUrl, (meta) =>
    // A bucket that comes in between keeps it: foreign keys.
    meta.query('delete from meta.shard where name = $1', [name]),
  );
}

/**
 * Sees to it that there are so many shards, the further ones each a database of its own on the server of meta:
 * `<name of meta's>_shard_2` and so on. In a cluster that has never been in use the buckets are spread over them.
 * @returns those that were added to a cluster in use, and so have no buckets
 * @throws ShardError when the role may not make databases
 */
export async function prepareShards(metaUrl: string, count: number): Promise<string[]> {
  await migrate(metaUrl, 'meta', silent);
  return withClient('meta', metaUrl, async (meta) => {
    const { rows } = await meta.query<{ name: string }>('select name from meta.shard');
    const missing = newNames(
      rows.map((row) => row.name),
      count - rows.length,
    );
    for (const name of missing) await makeDatabase(meta, databaseFor(metaUrl, name));
    if (missing.length === 0 || (await spread(meta, metaUrl, missing))) return [];
    for (const name of missing) await addShard(metaUrl, name, `/${databaseFor(metaUrl, name)}`);
    return missing;
  });
}

function newNames(taken: readonly string[], count: number): string[] {
  const names: string[] = [];
  for (let number = 2; names.length < count; number++)
    if (!taken.includes(`shard-${number}`)) names.push(`shard-${number}`);
  return names;
}

function databaseFor(metaUrl: string, name: string): string {
  return `${databaseOf(metaUrl)}_${name.replaceAll('-', '_')}`;
}

async function makeDatabase(meta: pg.Client, database: string): Promise<void> {
  const { rowCount } = await meta.query('select from pg_database where datname = $1', [database]);
  if (rowCount === 1) return;
  await meta.query(`create database ${pg.escapeIdentifier(database)}`).catch((error: Error & { code?: string }) => {
    if (error.code !== '42501') throw error;
    throw new ShardError(`the role of the database URL may not make databases: make "${database}", owned by that role`);
  });
}

/** @returns false when the cluster has been in use: its buckets only move */
async function spread(meta: pg.Client, metaUrl: string, added: readonly string[]): Promise<boolean> {
  await meta.query('begin');
  // Who starts at this moment has claimed its buckets by now, or waits and then gets those that are left to it.
  const { rows } = await meta.query<{ name: string; claimed: boolean }>(
    'select name, claimed from meta.shard for update',
  );
  const isNew = rows.every((row) => !row.claimed);
  if (isNew) {
    await meta.query('insert into meta.shard (name, url) select * from unnest($1::text[], $2::text[])', [
      added,
      added.map((name) => `/${databaseFor(metaUrl, name)}`),
    ]);
    const names = [...rows.map((row) => row.name), ...added].sort();
    await meta.query('update meta.bucket set shard = ($1::text[])[1 + bucket * cardinality($1::text[]) / $2]', [
      names,
      BUCKETS,
    ]);
    await meta.query('update meta.bucket_map set version = version + 1');
  }
  await meta.query('commit');
  return isNew;
}

/** 0-3,7 for 0, 1, 2, 3, 7. */
export function ranges(buckets: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const bucket of buckets) {
    const last = parts.at(-1);
    if (last !== undefined && last[1] === bucket - 1) last[1] = bucket;
    else parts.push([bucket, bucket]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

async function withClient<T>(name: string, url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectTool(url, 'shards').catch((error: Error) => {
    throw new Unreachable(`cannot reach ${name} (${placeOf(url)}): ${reasonOf(error)}`, { cause: error });
  });
  try {
    return await work(client);
  } finally {
    await disconnect([client]);
  }
}
