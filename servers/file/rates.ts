import { ImError } from '../../common/errors.js';
import { Bucket, Buckets } from '../../common/live/bucket.js';
import type { Limits } from '../../common/live/limits.js';

/** How often one may upload and fetch. */
export class Rates {
  readonly #limits: Limits<'file'>;
  readonly #buckets = {
    'uploads.count': new Buckets<string>(() => new Bucket()),
    'downloads.count': new Buckets<string>(() => new Bucket()),
  } as const;

  constructor(limits: Limits<'file'>) {
    this.#limits = limits;
  }

  /** @param who a user, or an address. @throws ImError TOO_FAST */
  count(name: 'uploads.count' | 'downloads.count', who: string): void {
    const nowMs = performance.now();
    const waitMs = this.#buckets[name].of(who).take(this.#limits.rate(name), nowMs);
    if (waitMs <= 0) return;
    this.#limits.hit(name);
    throw new ImError('TOO_FAST', `again in ${Math.ceil(waitMs / 1000)} s`);
  }
}
