import pg from 'pg';
import { ImError } from '../../../common/errors.js';
import { serversOf } from './database-url.js';
import { Primary, PrimaryClient } from './primary.js';

/**
 * Connections to PostgreSQL. 64-bit columns come as bigint: conversation ids need all their bits, and a number that
 * silently lost some would be a message in the wrong place. Times are turned into numbers where they are read.
 */
const INT8 = 20;
const types = new pg.TypeOverrides();
types.setTypeParser(INT8, (text: string) => BigInt(text));

/** What one statement may take before PostgreSQL gives it up; the callers' own deadlines are longer. */
export const STATEMENT_MS_MAX = 5_000;

/**
 * Whatever the database has as its own: the fences of buckets (sql/shard/0001) need statements that see what was committed
 * before they began.
 */
const ISOLATION = '-c default_transaction_isolation=read\\ committed';
/**
 * For a connection that runs the same few named statements all day. PostgreSQL weighs a plan made for the values at hand
 * against one for any values, and with short arrays keeps making the former anew for good: for a batch of 2 to 4 messages
 * that doubled the CPU of the whole statement (measured: 710 to 750 instead of 355 to 400 µs).
 */
export const PLANNED_ONCE = `${ISOLATION} -c plan_cache_mode=force_generic_plan`;

function clientConfig(url: string, name: string): pg.ClientConfig {
  return {
    connectionString: serversOf(url)[0]!,
    application_name: name,
    options: ISOLATION,
    types,
    statement_timeout: STATEMENT_MS_MAX,
    query_timeout: STATEMENT_MS_MAX + 1_000,
    connectionTimeoutMillis: 3_000,
    keepAlive: true,
  };
}

/** @param over what is to be different from other connections */
export function newClient(url: string, name: string, over: pg.ClientConfig = {}): pg.Client {
  const config = { ...clientConfig(url, name), ...over };
  const primary = primaryOf(url);
  return primary === undefined ? new pg.Client(config) : new PrimaryClient(primary, config);
}

export function openPool(url: string, name: string, max: number): pg.Pool {
  const config = clientConfig(url, name);
  const primary = primaryOf(url);
  const one =
    primary === undefined
      ? {}
      : { Client: PrimaryClient.bind(null, primary, config) as unknown as new () => pg.ClientBase };
  const pool = new pg.Pool({ ...config, ...one, max, idleTimeoutMillis: 60_000 });
  // One that breaks in the middle of a transaction: its statements fail, and say so.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', () => undefined); // an idle connection that broke is replaced when it is next needed
  return pool;
}

/** Of the servers that the URL names; undefined: it names one. */
export function primaryOf(url: string): Primary | undefined {
  const servers = serversOf(url);
  return servers.length === 1 ? undefined : Primary.of(servers, clientConfig(url, 'teamtalk primary'));
}

/** All that `work` does on the connection, or nothing of it. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    client.release();
    return result;
  } catch (error) {
    // Refused by a rule of ours: the connection is whole. Else not used again, it may be in the middle of something.
    if (error instanceof ImError)
      await client.query('rollback').then(
        () => client.release(),
        (fault) => client.release(fault),
      );
    else client.release(error as Error);
    throw error;
  }
}

/** A connection broken, refused or cut by the server going down, as opposed to a statement that is wrong. */
export function isUnavailable(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  // pg's own are plain errors: "Connection terminated", "Query read timeout", …; a TypeError is a fault of ours
  if (code === undefined) return error instanceof Error && error.name === 'Error';
  if (!/^[0-9A-Z]{5}$/.test(code)) return true; // ECONNREFUSED and its kind
  // 08 connection exception, 53 out of resources (disk full, too many connections), 57 operator intervention,
  // 58 system error, 40 rolled back by a deadlock or a serialisation failure, 55P03 lock not available, 25006 read-only
  return /^(08|53|57|58|40)/.test(code) || code === '55P03' || code === '25006';
}

export function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: string }).code === '23505';
}

/** The buckets that a statement was refused for because they are not here, or not open here; see sql/shard/0001. */
export function bucketsElsewhere(error: unknown): ReadonlySet<number> | undefined {
  const { code, detail } = error as { code?: string; detail?: string };
  return code === 'TT001' ? new Set((detail ?? '').split(',').map(Number)) : undefined;
}
