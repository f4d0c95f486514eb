import { ImError } from '../errors.js';
import { Bucket, Buckets } from './bucket.js';
import type { Limits } from './limits.js';
import type { NamedLimit, ServerLimits } from './named-limits.js';

/** How often one may do something: a bucket for each that does it. */
export class Rates<Server extends NamedLimit['server']> {
  readonly #limits: Limits<Server>;
  readonly #buckets = new Map<ServerLimits<Server>, Buckets<string>>();

  constructor(limits: Limits<Server>) {
    this.#limits = limits;
  }

  /** @param who a user, a key, an address. @throws ImError TOO_FAST */
  count(name: ServerLimits<Server>, who: string): void {
    const buckets = this.#buckets.get(name) ?? new Buckets<string>(() => new Bucket());
    this.#buckets.set(name, buckets);
    const waitMs = buckets.of(who).take(this.#limits.rate(name), performance.now());
    if (waitMs <= 0) return;
    this.#limits.hit(name);
    throw new ImError('TOO_FAST', `again in ${Math.ceil(waitMs / 1000)} s`);
  }
}
