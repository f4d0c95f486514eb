import { Bucket, type Rate } from '../../common/live/bucket.js';
import type { MsgContext } from './context.js';
import type { Session } from './session.js';

/**
 * Holds somebody who is too fast to his rate: what is too early waits for its turn, in order, and nothing is dropped.
 * What a full bucket holds passes at once.
 */
export class Pace extends Bucket {
  #last: Promise<void> | undefined;

  /** @returns undefined: go on at once; else a promise for one's turn. */
  turn(rate: Rate, nowMs: number, count = 1): Promise<void> | undefined {
    const waitMs = this.owe(rate, nowMs, count);
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

/** Undefined: this session may do it at once; else a promise for its turn. */
export function turnOf(
  { limits }: MsgContext,
  session: Session,
  name: 'sends.user' | 'history.rows' | 'directory.calls',
  count = 1,
): Promise<void> | undefined {
  const turn = session.paceOf(name).turn(limits.rate(name), performance.now(), count);
  if (turn !== undefined) limits.hit(name);
  return turn;
}

function until(ms: number): Promise<void> | undefined {
  const waitMs = ms - performance.now();
  return waitMs <= 0 ? undefined : new Promise((resolve) => setTimeout(resolve, waitMs));
}
