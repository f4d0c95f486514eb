import { Bucket, Buckets } from '../../../common/live/bucket.js';
import type { Limits } from '../../../common/live/limits.js';

/** Whether a call may go on, and what its answer says about the key. */
export interface Counted {
  /** Why not, in words. Undefined: it may. */
  readonly refused: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** Counts what each API key asks, by whichever of our interfaces. */
export class Calls {
  readonly #limits: Limits<'http-msg'>;
  readonly #byKey = new Buckets<string>(() => new Bucket());

  constructor(limits: Limits<'http-msg'>) {
    this.#limits = limits;
  }

  count(keyId: string): Counted {
    const nowMs = performance.now();
    const rate = this.#limits.rate('api.calls');
    const bucket = this.#byKey.of(keyId);
    const missingS = Math.ceil(bucket.take(rate, nowMs) / 1000);
    const headers = {
      'ratelimit-limit': String(rate.size),
      'ratelimit-remaining': String(missingS > 0 ? 0 : bucket.left(rate, nowMs)),
      'ratelimit-reset': String(Math.ceil(bucket.untilFullMs(rate, nowMs) / 1000)),
    };
    if (missingS === 0) return { refused: undefined, headers };
    this.#limits.hit('api.calls');
    const refused = `more than ${rate.size} requests in ${rate.refillMs / 1000} s; again in ${missingS} s`;
    return { refused, headers: { ...headers, 'retry-after': String(missingS) } };
  }
}
