import type { Logger } from '../../../common/log.js';
import type { Driver } from './driver.js';
import { type SweepIndex, sweep } from './sweep.js';

interface Often {
  readonly sweepMs: number;
  readonly uploadAgeMs: number;
  readonly graceMs: number;
}

/** Sweeps at the start, which clears up after a crash, and again and again. */
export class Sweeper {
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(driver: Driver, index: SweepIndex, { sweepMs, ...options }: Often, log: Logger) {
    const { signal } = this.#ending;
    const run = async () => {
      try {
        const swept = await sweep(driver, index, { ...options, signal });
        if (swept.removed + swept.orphans > 0) log.info(swept, 'objects of files removed');
      } catch (error) {
        if (!signal.aborted) log.warn({ error }, 'removing files goes on later');
      }
      if (!signal.aborted) this.#timer = setTimeout(run, sweepMs);
    };
    this.#timer = setTimeout(run, 0);
  }

  close(): void {
    this.#ending.abort();
    clearTimeout(this.#timer);
  }
}
