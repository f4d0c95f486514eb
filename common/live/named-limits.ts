import { z } from 'zod';
import { FILE_SIZE_LIMIT } from '../limits.js';

/**
 * The limits that have a name: what one may do how often, and how large or how much something may be. Each server has
 * its defaults in its settings; a live setting `limit.<name>` takes their place while the servers run. Counted by each
 * server for itself, unless said otherwise.
 *
 *   delay    it waits for its turn, nothing is lost
 *   refuse   answered with an error, not done
 *   close    the connection is closed
 */
export interface NamedLimit {
  /** Who keeps to it. */
  readonly server: 'msg' | 'db-proxy' | 'file' | 'http-msg' | 'push' | 'admin';
  readonly at: 'delay' | 'refuse' | 'close';
  readonly unit: 'count' | 'bytes';
  /** The smallest size that can be set. 0 stands for any number where it may. */
  readonly min: number;
  readonly max: number;
  /** In which time an empty bucket is full again, until it is set otherwise. Undefined: nothing refills, a plain bound. */
  readonly refillMs?: number;
  /** The refill cannot be changed: what is counted is kept by its time. */
  readonly fixedRefill?: true;
}

const SECOND = 1_000;
const MINUTE = 60_000;
const MANY = 1_000_000_000;
const BYTES_MAX = Number.MAX_SAFE_INTEGER;

type Server = NamedLimit['server'];
const rate = <S extends Server>(server: S, at: NamedLimit['at'], refillMs: number) =>
  ({ server, at, unit: 'count', min: 1, max: MANY, refillMs }) as const;
const size = <S extends Server>(server: S, at: NamedLimit['at'], min: number, max = BYTES_MAX) =>
  ({ server, at, unit: 'bytes', min, max }) as const;

export const namedLimits = {
  /** Failed log-ins of a name, in PostgreSQL for all servers together; one more locks it. */
  'login.name': { ...rate('db-proxy', 'refuse', 30 * MINUTE), max: 1_000, fixedRefill: true },
  /** Failed log-ins from an address, over all names, wrong tokens included; 0 for any number. */
  'login.address': { ...rate('db-proxy', 'refuse', 10 * MINUTE), min: 0, fixedRefill: true },
  /** Failed log-ins of an account of the console, in PostgreSQL for all servers together; after so many it waits. */
  'console.name': { ...rate('db-proxy', 'refuse', 15 * MINUTE), max: 1_000, fixedRefill: true },
  /** Those from an address, over all accounts. */
  'console.address': { ...rate('db-proxy', 'refuse', 15 * MINUTE), max: 100_000, fixedRefill: true },

  /** Frames of one connection; a faster one is not read from for a while. */
  'frames.connection': { ...rate('msg', 'delay', SECOND), min: 50 },
  /** Messages of one session. */
  'sends.user': rate('msg', 'delay', SECOND),
  /** Messages to one group. */
  'sends.group': rate('msg', 'delay', SECOND),
  /** Messages of histories that one session reads. */
  'history.rows': { ...rate('msg', 'delay', MINUTE), min: 200 },
  /** Questions of one session for people, departments and groups. */
  'directory.calls': { ...rate('msg', 'delay', MINUTE), min: 10 },
  /** Requests of one session under way; it is not read from until there are fewer. */
  'requests.open': { server: 'msg', at: 'delay', unit: 'count', min: 1, max: 10_000 },
  /** Connections of one msg server. */
  'connections.msg': { server: 'msg', at: 'close', unit: 'count', min: 1, max: 1_000_000 },
  /** What waits to be read by one client; sessions that begin from then on. */
  'queue.client': size('msg', 'close', 64 * 1024, 1024 ** 3),

  /** Uploads of one user, or of one address when nobody knows whose they are. */
  'uploads.count': rate('file', 'refuse', MINUTE),
  /** Files fetched by one address. */
  'downloads.count': rate('file', 'refuse', MINUTE),
  /** A file in a form, as stock clients upload it. */
  'file.form': size('file', 'refuse', 1024),
  /** A file uploaded by a newer client. */
  'file.upload': size('file', 'refuse', 1024),
  /** A file from user to user. */
  'file.transfer': size('file', 'refuse', 1024, FILE_SIZE_LIMIT),
  /** The files of one user; 0 for any number. */
  'quota.user': size('file', 'refuse', 0),
  /** All files; 0 for any number. */
  'quota.total': size('file', 'refuse', 0),

  /** Calls with one API key, those to /query/ and /scim/ included. */
  'api.calls': rate('http-msg', 'refuse', MINUTE),
  /** Searches with one API key: each looks through all people, or groups. */
  'api.searches': rate('http-msg', 'refuse', MINUTE),
  /** Unknown keys from one address. */
  'api.unknown-keys': rate('http-msg', 'refuse', MINUTE),
  /** Deliveries to one webhook. */
  'webhook.calls': rate('http-msg', 'delay', MINUTE),

  /** Pushes to one phone. */
  'push.device': rate('push', 'delay', MINUTE),

  /** Searches of one account of the console. */
  'console.searches': rate('admin', 'refuse', MINUTE),
} as const satisfies Record<string, NamedLimit>;

export type LimitName = keyof typeof namedLimits;
export const LIMIT_NAMES = Object.keys(namedLimits) as LimitName[];
export type ServerLimits<Of extends Server> = {
  [Name in LimitName]: (typeof namedLimits)[Name]['server'] extends Of ? Name : never;
}[LimitName];

export const LIMIT_PREFIX = 'limit.';

/** A limit as it is in force, or is set to. */
export interface Limit {
  readonly size: number;
  readonly refillMs?: number | undefined;
}

const REFILL_MS_MIN = 100;
const REFILL_MS_MAX = 24 * 60 * MINUTE;

/** What a limit can be set to. */
export function limitSchema(name: LimitName): z.ZodType<Limit> {
  const { min, max, refillMs, fixedRefill }: NamedLimit = namedLimits[name];
  const size = z.number().int().min(min).max(max);
  if (refillMs === undefined || fixedRefill) return z.strictObject({ size });
  return z.strictObject({ size, refillMs: z.number().int().min(REFILL_MS_MIN).max(REFILL_MS_MAX).optional() });
}
