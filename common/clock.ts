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
