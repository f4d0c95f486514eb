/** So much at once; an empty bucket is full again after so many ms. */
export interface Rate {
  readonly size: number;
  readonly refillMs: number;
}

/** A bucket that refills steadily. Its rate may change at any time: what is in it then is the same share of it. */
export class Bucket {
  /** 0 full, 1 empty, more: owed. */
  #taken = 0;
  #atMs = 0;

  /** Takes it, there or not. @returns ms until what was taken has come in; 0 or less: it was there */
  owe(rate: Rate, nowMs: number, count = 1): number {
    this.#refill(rate, nowMs);
    this.#taken += count / rate.size;
    return (this.#taken - 1) * rate.refillMs;
  }

  /** Takes it when it is there. @returns 0, or ms until it would be there and nothing was taken */
  take(rate: Rate, nowMs: number, count = 1): number {
    const missingMs = this.owe(rate, nowMs, count);
    // Of three thirds the last one must not fail by what a fraction cannot hold.
    if (missingMs <= rate.refillMs * Number.EPSILON * 8) return 0;
    this.#taken -= count / rate.size;
    return missingMs;
  }

  /** What is left in it. */
  left(rate: Rate, nowMs: number): number {
    this.#refill(rate, nowMs);
    return Math.max(0, Math.floor(rate.size * (1 - this.#taken) + 1e-6));
  }

  /** ms until it is full, when nothing is taken. */
  untilFullMs(rate: Rate, nowMs: number): number {
    this.#refill(rate, nowMs);
    return this.#taken * rate.refillMs;
  }

  #refill({ refillMs }: Rate, nowMs: number): void {
    this.#taken = Math.max(0, this.#taken - (nowMs - this.#atMs) / refillMs);
    this.#atMs = nowMs;
  }
}

const BUCKETS_MAX = 50_000;

/** A bucket for each key: users, addresses. Above a bound those go that were not asked for longest. */
export class Buckets<Key, Kind extends Bucket = Bucket> {
  readonly #byKey = new Map<Key, Kind>();
  readonly #make: () => Kind;

  constructor(make: () => Kind) {
    this.#make = make;
  }

  of(key: Key): Kind {
    const bucket = this.#byKey.get(key) ?? this.#fresh();
    this.#byKey.delete(key); // to the end, which is that of the newest
    this.#byKey.set(key, bucket);
    return bucket;
  }

  #fresh(): Kind {
    if (this.#byKey.size >= BUCKETS_MAX) this.#byKey.delete(this.#byKey.keys().next().value!);
    return this.#make();
  }
}
