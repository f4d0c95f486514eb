import { isIPv4, isIPv6 } from 'node:net';
import type { Limits } from '../../../common/live/limits.js';
import type { Soft } from '../../../common/redis.js';
import type { RedisKeys } from './redis-keys.js';

const WINDOW_MS = 10 * 60 * 1000;
const ADDRESSES_MAX = 100_000;

/**
 * Failed log-ins by address, over all names, those that do not exist included: against one machine that tries a
 * password on every name. When an address goes beyond its bound within ten minutes, counted from its first failure, it
 * is refused as if the name were locked until these ten minutes are over.
 *
 * A whole office may share an address, so the bound is generous, and two things keep the innocent out of it. A
 * credential that has its mark (login-marks.ts) is no guess and passes. And one client that keeps trying an old
 * password locks its name with the eleventh failure, which then counts no more: it takes ten such names to lock an
 * address. Loopback is never refused: it is the machine's own, a test or a proxy without word of who is behind it.
 *
 * Counted in memory and, when there is a Redis, also there for all db-proxies together. Without it each counts by
 * itself, so that n db-proxies let n times as many pass; a guess costs no write in PostgreSQL.
 */
export class AddressFailures {
  readonly #limits: Limits<'db-proxy'>;
  readonly #keys: RedisKeys;
  readonly #soft: Soft | undefined;
  readonly #counts = new Map<string, Count>();

  constructor(limits: Limits<'db-proxy'>, keys: RedisKeys, soft: Soft | undefined) {
    this.#limits = limits;
    this.#keys = keys;
    this.#soft = soft;
  }

  /** Failures within ten minutes that are let pass; 0: any number. */
  get #max(): number {
    return this.#limits.size('login.address');
  }

  refuses(address: string): boolean {
    const source = this.#max === 0 ? undefined : sourceOf(address);
    const count = source === undefined ? undefined : this.#counts.get(source);
    return count !== undefined && count.failures > this.#max && count.untilMs > performance.now();
  }

  async add(address: string): Promise<void> {
    const source = this.#max === 0 ? undefined : sourceOf(address);
    if (source === undefined) return;
    const here = this.#addHere(source);
    const all = await this.#soft?.count(this.#keys.failuresOfAddress(source), WINDOW_MS);
    if (all === undefined || all.count <= this.#max || here.failures > this.#max) return;
    here.failures = all.count;
    here.untilMs = performance.now() + all.leftMs;
  }

  #addHere(source: string): Count {
    const nowMs = performance.now();
    let count = this.#counts.get(source);
    if (count === undefined || count.untilMs <= nowMs) {
      this.#counts.delete(source); // to the end of the map's order, which is that of the windows
      if (this.#counts.size >= ADDRESSES_MAX) this.#forgetOldest();
      count = { failures: 0, untilMs: nowMs + WINDOW_MS };
      this.#counts.set(source, count);
    }
    count.failures++;
    return count;
  }

  #forgetOldest(): void {
    for (const source of this.#counts.keys()) {
      this.#counts.delete(source);
      if (this.#counts.size <= ADDRESSES_MAX * 0.9) return;
    }
  }
}

interface Count {
  failures: number;
  untilMs: number;
}

/**
 * Whom an address stands for: an IPv4 address itself, of an IPv6 address the network (/64), as one host has all of it.
 * Undefined for loopback and for what is no address.
 */
export function sourceOf(address: string): string | undefined {
  const bare = address.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  if (isIPv4(bare)) return bare.startsWith('127.') ? undefined : bare;
  if (!isIPv6(bare)) return undefined;
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1); // lower case, no leading zeros, no dots
  if (canonical === '::1') return undefined;
  const [head = '', tail] = canonical.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(zeros).fill('0'), ...groups(tail ?? '')];
  return `${all.slice(0, 4).join(':')}::/64`;
}
