import { partsOf, type Scope } from '../../../common/api-key.js';
import { Bucket, Buckets } from '../../../common/live/bucket.js';
import type { Limits } from '../../../common/live/limits.js';
import type { LinkGroup } from '../../../common/net/link-group.js';
import { apiKeys } from '../../../common/pdu/commands.js';
import { Problem } from './problem.js';

/** Who asks: an API key that was found good. */
export interface Key {
  readonly id: string;
  readonly scopes: ReadonlySet<string>;
  /** It speaks as this user only. */
  readonly userId: number | undefined;
}

/** So long a revoked key may still be taken for good. */
const REMEMBERED_MS = 2_000;
const REMEMBERED_MAX = 10_000;

/**
 * API keys by their tokens. db-proxy decides; a good one is remembered for a moment, a bad one never. Who tries one bad
 * key after the other wears down nobody but himself: db-proxy is asked about so many from an address, and keys in use go
 * on from there.
 */
export class Keys {
  readonly #dbProxies: LinkGroup;
  readonly #known = new Map<string, { readonly key: Key; readonly untilMs: number }>();
  readonly #limits: Limits<'http-msg'>;
  readonly #unknown = new Buckets<string>(() => new Bucket());

  constructor(dbProxies: LinkGroup, limits: Limits<'http-msg'>) {
    this.#dbProxies = dbProxies;
    this.#limits = limits;
  }

  /**
   * Undefined: it is no key, or none that may be used.
   * @throws ImError when db-proxy cannot be asked, Problem when this address has tried too many
   */
  async find(token: string, address: string): Promise<Key | undefined> {
    const parts = partsOf(token);
    if (parts === undefined) return undefined;
    const { id, secretHash } = parts;
    const digest = `${id} ${secretHash.toString('base64')}`;
    const known = this.#known.get(digest);
    if (known !== undefined && known.untilMs > performance.now()) return known.key;
    this.#known.delete(digest);
    const nowMs = performance.now();
    const rate = this.#limits.rate('api.unknown-keys');
    const unknown = this.#unknown.of(address);
    if (unknown.left(rate, nowMs) === 0) {
      this.#limits.hit('api.unknown-keys');
      throw new Problem(429, 'TOO_MANY_REQUESTS', 'too many unknown keys from this address; again in a minute');
    }
    const found = await this.#dbProxies.ask(apiKeys.check, { id, secretHash });
    if (found.key === undefined) {
      unknown.owe(rate, nowMs);
      return undefined;
    }
    const key = { id, scopes: new Set(found.key.scopes), userId: found.key.userId };
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(digest, { key, untilMs: performance.now() + REMEMBERED_MS });
    return key;
  }
}

export function may(key: Key, scope: Scope): boolean {
  return key.scopes.has(scope);
}
