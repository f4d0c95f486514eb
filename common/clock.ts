/** The time, handed to whoever needs it so that a test can hold it. */
export interface Clock {
  /** Milliseconds since 1970, may step when the machine's clock is set. */
  nowMs(): number;
  /** Milliseconds since some start, never steps back; for silence, deadlines and durations. */
  ticksMs(): number;
}

export const wallClock: Clock = { nowMs: () => Date.now(), ticksMs: () => performance.now() };

/** Whole seconds since 1970, the resolution of every time on the stock wire. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

/** The wall clock is compared with the steady one so often, and followed when it was set. */
const COMPARED_MS = 1_000;
const JITTER_MS = 2;

/** The wall clock to the microsecond: steady between two settings of the machine's clock. */
export class SteadyClock {
  #offsetMs = Date.now() - performance.now();
  #comparedMs = 0;

  /** @returns ms since 1970 of a moment of performance.now() */
  at(ticksMs: number): number {
    if (ticksMs - this.#comparedMs > COMPARED_MS) {
      const offsetMs = Date.now() - performance.now();
      if (Math.abs(offsetMs - this.#offsetMs) > JITTER_MS) this.#offsetMs = offsetMs;
      this.#comparedMs = ticksMs;
    }
    return this.#offsetMs + ticksMs;
  }
}
