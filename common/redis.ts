import { Cluster, Redis } from 'ioredis';
import type { Logger } from './log.js';
import { PREFIX, parseRedisUrl, type RedisPlace } from './redis-place.js';
import type { HostPort } from './settings.js';

/**
 * Redis as a soft store: what servers of a kind share to be quicker, and can do without at any moment.
 *
 * Nothing is true because Redis says so, and nothing waits for Redis. Every call has a deadline and never throws for
 * Redis being away: it gives `undefined`, "don't know", and the caller goes on as if there were no Redis. A few
 * failures set Redis aside; from then on calls end at once, without a try, and a probe in the background finds
 * out when it answers again. So a dead or hanging Redis costs a few deadlines once, then nothing. In a Redis Cluster each
 * master is set aside by itself: the keys of the others stay of use.
 *
 * A call that was given up may still be carried out later, by a Redis that only hung: calls must be such that this
 * does no harm.
 */
export class Soft {
  readonly #client: Redis | Cluster;
  readonly #options: SoftOptions;
  readonly #password: string;
  /** The client as a whole: is there a connection at all. Of a single Redis it is the breaker of every call, too. */
  readonly #whole: Breaker;
  /** Of a Redis Cluster: by master, host:port. */
  readonly #masters = new Map<string, Breaker>();
  #lastError = 'not connected';
  #closed = false;

  /** Connects in the background and keeps trying. @throws Error for a URL that is none. */
  constructor(options: SoftOptions) {
    const place = parseRedisUrl(options.url);
    this.#options = options;
    this.#password = place.password;
    this.#client = connect(place);
    this.#whole = this.#breaker(textOf(place), 'unknown', () => this.#probe());
    this.#client.on('error', (error: Error) => this.#note(error));
    this.#client.on('node error', (error: Error) => this.#note(error));
    this.#client.on('ready', () => void this.#whole.look());
    this.#client.on('close', () => this.#closed || this.#whole.setAside(this.#lastError));
  }

  /** Null: no such key. */
  get(key: string): Promise<string | null | undefined> {
    return this.#call(key, (redis) => redis.get(key));
  }

  set(key: string, value: string, lifeMs: number): Promise<true | undefined> {
    return this.#call(key, (redis) => redis.set(key, value, 'PX', Math.ceil(lifeMs)).then(() => true as const));
  }

  delete(key: string): Promise<true | undefined> {
    return this.#call(key, (redis) => redis.del(key).then(() => true as const));
  }

  /** Adds one to a counter that is forgotten `windowMs` after its first one. */
  count(key: string, windowMs: number): Promise<{ readonly count: number; readonly leftMs: number } | undefined> {
    return this.#call(key, async (redis) => {
      // One transaction: a counter without an expiry would never end.
      const [, count, leftMs] = resultsOf(
        await redis.multi().set(key, 0, 'PX', windowMs, 'NX').incr(key).pttl(key).exec(),
      );
      return { count: count as number, leftMs: leftMs as number };
    });
  }

  /** Puts a value before a list that keeps the newest `keep` and is forgotten `lifeMs` after its last one. @returns the list. */
  push(key: string, value: string, keep: number, lifeMs: number): Promise<string[] | undefined> {
    return this.#call(key, async (redis) => {
      const pushed = redis
        .multi()
        .lpush(key, value)
        .ltrim(key, 0, keep - 1)
        .pexpire(key, lifeMs)
        .lrange(key, 0, -1);
      return resultsOf(await pushed.exec())[3] as string[];
    });
  }

  /** Nodes that are set aside at the moment, or the one Redis; a connection that was never there counts. */
  get nodesDown(): number {
    return [this.#whole, ...this.#masters.values()].filter((breaker) => breaker.open).length;
  }

  close(): void {
    this.#closed = true;
    for (const breaker of [this.#whole, ...this.#masters.values()]) breaker.close();
    this.#client.disconnect();
  }

  async #call<T>(key: string, command: (redis: Redis | Cluster) => Promise<T>): Promise<T | undefined> {
    const { counted = () => undefined, timeoutMs } = this.#options;
    const breaker = this.#breakerOf(key);
    if (breaker.open || this.#closed) {
      counted('skipped');
      return undefined;
    }
    try {
      const value = await within(timeoutMs, () => command(this.#client));
      breaker.succeeded();
      counted('ok');
      return value;
    } catch (error) {
      counted(error instanceof LateError ? 'late' : 'failed');
      breaker.failed(this.#reason(error as Error), key);
      return undefined;
    }
  }

  #breakerOf(key: string): Breaker {
    if (!(this.#client instanceof Cluster) || this.#client.status !== 'ready') return this.#whole;
    const master = this.#client.slots[slotOf(key)]?.[0] ?? 'no master';
    let breaker = this.#masters.get(master);
    if (breaker === undefined) {
      // Asked for the key that failed, and not by name: a replica may take the master's place under another.
      breaker = this.#breaker(master, 'up', (failed) => this.#probe(failed));
      this.#masters.set(master, breaker);
    }
    return breaker;
  }

  #breaker(node: string, state: BreakerState, probe: (key?: string) => Promise<void>): Breaker {
    return new Breaker(node, state, probe, this.#options.log);
  }

  /** @throws what Redis has against answering. */
  async #probe(key?: string): Promise<void> {
    if (this.#client.status !== 'ready') throw new Error(this.#lastError);
    // A Redis Cluster as a whole is there when its client says so: each master is probed for itself.
    if (key === undefined && this.#client instanceof Cluster) return;
    try {
      // A write, for a Redis that is full or read-only is of no use; next to the key that failed, so on the same node.
      await within(this.#options.timeoutMs, () => this.#client.set(`${key ?? PREFIX}:probe`, '', 'PX', PROBE_MS));
    } catch (error) {
      throw new Error(this.#reason(error as Error));
    }
  }

  #note(error: Error & { lastNodeError?: Error }): void {
    this.#lastError = this.#reason(error.lastNodeError ?? error);
  }

  /** The client's errors carry the command with its arguments, AUTH's included: only the text goes on, and not with the password in it. */
  #reason({ message }: Error): string {
    return this.#password === '' ? message : message.replaceAll(this.#password, '[secret]');
  }
}

/** How a call ended; skipped: it was not tried, as Redis is set aside. */
export const CALL_RESULTS = ['ok', 'failed', 'late', 'skipped'] as const;
export type CallResult = (typeof CALL_RESULTS)[number];

export interface SoftOptions {
  /** As parseRedisUrl has it. */
  readonly url: string;
  /** What one call may take. */
  readonly timeoutMs: number;
  readonly log: Logger;
  counted?(result: CallResult): void;
}

/**
 * A failed call weighs two, an answered one takes one back, and this sets Redis aside: three failures in a row, or more
 * than one in three for a while, as when it still answers reads but has no memory for writes.
 */
const WEIGHT_MAX = 6;
const PROBE_MS = 500;
/** Replies that are awaited and do not come for so long: the connection is given up and made anew. */
const SILENCE_MS_MAX = 2_000;
const REDIAL_MS_MAX = 1_000;
const SLOTS = 16_384;

type BreakerState = 'unknown' | 'up' | 'down';

/** Whether a node is worth a try. Says in the log when that changes. */
class Breaker {
  readonly #node: string;
  readonly #probe: (key?: string) => Promise<void>;
  readonly #log: Logger;
  #state: BreakerState;
  #weight = 0;
  #failedKey: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(node: string, state: BreakerState, probe: (key?: string) => Promise<void>, log: Logger) {
    this.#node = node;
    this.#probe = probe;
    this.#log = log;
    this.#state = state;
    if (state !== 'up') this.#lookLater();
  }

  get open(): boolean {
    return this.#state !== 'up';
  }

  succeeded(): void {
    if (this.#weight > 0) this.#weight--;
  }

  failed(reason: string, key: string): void {
    this.#failedKey = key;
    this.#weight += 2;
    if (this.#weight >= WEIGHT_MAX) this.setAside(reason);
  }

  setAside(reason: string): void {
    if (this.#state === 'down' || this.#closed) return;
    this.#state = 'down';
    this.#log.warn({ redis: this.#node, reason }, 'redis set aside');
    this.#lookLater();
  }

  /** Probes now, and again until it answers. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.open || this.#closed) return;
    try {
      await this.#probe(this.#failedKey);
    } catch (error) {
      this.setAside((error as Error).message);
      return this.#lookLater();
    }
    if (!this.open || this.#closed) return; // two looks at once
    this.#state = 'up';
    this.#weight = 0;
    this.#log.info({ redis: this.#node }, 'redis in use');
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #lookLater(): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => void this.look(), PROBE_MS).unref();
  }
}

class LateError extends Error {}

/** @throws LateError when the work is not done in time; it goes on unheard. */
async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new LateError(`no answer within ${ms} ms`));
    // When it was us who were busy, the answer may lie in the socket: it is read before the immediate runs.
    timer = setTimeout(() => setImmediate(giveUp), ms);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** @throws the error of the first command that has one. */
function resultsOf(replies: [error: Error | null, result: unknown][] | null): unknown[] {
  return (replies ?? []).map(([error, result]) => {
    if (error !== null) throw error;
    return result;
  });
}

function textOf({ hosts }: RedisPlace): string {
  return hosts.map(({ host, port }) => `${host}:${port}`).join(',');
}

/** Connects in the background and keeps trying. Commands without a connection fail at once. */
export function connect({ cluster, sentinel, tls, hosts, username, password, db }: RedisPlace): Redis | Cluster {
  const each = {
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    protocol: 2, // what every Redis and its kin speak
    connectionName: 'teamtalk',
    connectTimeout: SILENCE_MS_MAX,
    socketTimeout: SILENCE_MS_MAX,
    maxRetriesPerRequest: 0, // nobody waits for an answer by then
    autoResendUnfulfilledCommands: false,
    // What was the master and is a replica by now takes no writes: whoever is the master is where a new connection goes.
    reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
  } as const;
  const redialMs = (times: number) => Math.min(times * 100, REDIAL_MS_MAX);
  const common = { enableAutoPipelining: true, enableOfflineQueue: false };
  if (sentinel !== undefined)
    return new Redis({ ...each, ...common, ...bySentinels(hosts, sentinel), db, retryStrategy: redialMs });
  if (!cluster) return new Redis({ ...each, ...hosts[0]!, ...common, db, retryStrategy: redialMs });
  return new Cluster([...hosts], {
    ...common,
    redisOptions: each,
    clusterRetryStrategy: redialMs,
    maxRedirections: 4,
    retryDelayOnFailover: 50,
    retryDelayOnClusterDown: 50,
    slotsRefreshInterval: 5_000,
    // Names, not addresses, are in certificates.
    ...(tls ? { dnsLookup: (host, found) => found(null, host) } : {}),
  });

  /** With the password of Redis, for those Sentinels that want one. */
  function bySentinels(sentinels: readonly HostPort[], name: string) {
    const open = password === '' ? {} : { sentinelPassword: password };
    const known = username === '' ? {} : { sentinelUsername: username };
    const byTls = tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {};
    return {
      sentinels: [...sentinels],
      name,
      ...open,
      ...known,
      ...byTls,
      sentinelRetryStrategy: redialMs,
      connectTimeout: SILENCE_MS_MAX,
      sentinelCommandTimeout: SILENCE_MS_MAX,
    };
  }
}

/** CRC-16 (XMODEM) of the key or, when there is one, of its hash tag: what Redis Cluster spreads keys by. */
export function slotOf(key: string): number {
  const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key; // our keys have one pair of braces at most
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  }
  return crc & (SLOTS - 1);
}
