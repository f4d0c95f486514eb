/**
 * Holds a client that sends too fast to its rate: what is too early waits for its turn, in order, and nothing is
 * dropped. A burst of one second's worth passes at once.
 */
export class Pace {
  readonly #intervalMs: number;
  readonly #burstMs = 1_000;
  /** When the next one would be due at the exact rate. */
  #dueMs = 0;
  #last: Promise<void> | undefined;

  constructor(perSecond: number) {
    this.#intervalMs = 1_000 / perSecond;
  }

  /** @returns undefined: go on at once; else a promise for one's turn. */
  turn(nowMs: number): Promise<void> | undefined {
    this.#dueMs = Math.max(this.#dueMs, nowMs) + this.#intervalMs;
    const waitMs = this.#dueMs - this.#burstMs - nowMs;
    if (waitMs <= 0 && this.#last === undefined) return undefined;
    const before = this.#last ?? Promise.resolve();
    const mine = before.then(() => until(nowMs + waitMs));
    this.#last = mine;
    void mine.then(() => {
      if (this.#last === mine) this.#last = undefined;
    });
    return mine;
  }
}

function until(ms: number): Promise<void> | undefined {
  const waitMs = ms - performance.now();
  return waitMs <= 0 ? undefined : new Promise((resolve) => setTimeout(resolve, waitMs));
}
