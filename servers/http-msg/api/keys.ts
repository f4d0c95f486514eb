import { partsOf, type Scope } from '../../../common/api-key.js';
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

/** Unknown keys from one address within a minute; then db-proxy is not asked about further ones. */
const UNKNOWN_MAX = 100;
const UNKNOWN_MS = 60_000;
const ADDRESSES_MAX = 10_000;

/**
 * API keys by their tokens. db-proxy decides; a good one is remembered for a moment, a bad one never. Who tries one bad
 * key after the other wears down nobody but himself: keys in use go on from the same address.
 */
export class Keys {
  readonly #dbProxies: LinkGroup;
  readonly #known = new Map<string, { readonly key: Key; readonly untilMs: number }>();
  readonly #unknown = new Map<string, { count: number; readonly untilMs: number }>();

  constructor(dbProxies: LinkGroup) {
    this.#dbProxies = dbProxies;
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
    const unknown = this.#unknownFrom(address);
    if (unknown.count >= UNKNOWN_MAX)
      throw new Problem(429, 'TOO_MANY_REQUESTS', 'too many unknown keys from this address; again in a minute');
    const found = await this.#dbProxies.ask(apiKeys.check, { id, secretHash });
    if (found.key === undefined) {
      unknown.count++;
      return undefined;
    }
    const key = { id, scopes: new Set(found.key.scopes), userId: found.key.userId };
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(digest, { key, untilMs: performance.now() + REMEMBERED_MS });
    return key;
  }

  #unknownFrom(address: string): { count: number } {
    const nowMs = performance.now();
    const there = this.#unknown.get(address);
    if (there !== undefined && there.untilMs > nowMs) return there;
    if (this.#unknown.size >= ADDRESSES_MAX) this.#unknown.clear();
    const fresh = { count: 0, untilMs: nowMs + UNKNOWN_MS };
    this.#unknown.set(address, fresh);
    return fresh;
  }
}

export function may(key: Key, scope: Scope): boolean {
  return key.scopes.has(scope);
}
