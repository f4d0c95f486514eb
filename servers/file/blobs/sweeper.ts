import { ImError } from '../../../common/errors.js';
import type { Logger } from '../../../common/log.js';
import type { Driver } from './driver.js';
import { orphansOf, type SweepIndex, type Swept, sweep } from './sweep.js';

interface Often {
  readonly sweepMs: number;
  readonly uploadAgeMs: number;
  readonly graceMs: number;
}

/** A removal, under way or over. */
export interface Run extends Swept {
  readonly dryRun: boolean;
  readonly startedMs: number;
  readonly endedMs?: number;
  readonly problem?: string;
}

/** Sweeps at the start, which clears up after a crash, again and again, and when somebody asks for it. One at a time. */
export class Sweeper {
  readonly #driver: Driver;
  readonly #index: SweepIndex;
  readonly #often: Often;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #run: Run | undefined;

  constructor(driver: Driver, index: SweepIndex, often: Often, log: Logger) {
    this.#driver = driver;
    this.#index = index;
    this.#often = often;
    this.#log = log;
    this.#again(0);
  }

  /** The one under way, or the last one. */
  get last(): Run | undefined {
    return this.#run;
  }

  /** @param dryRun only counts what nobody knows. @throws ImError BUSY */
  begin(dryRun: boolean): void {
    if (this.#run !== undefined && this.#run.endedMs === undefined)
      throw new ImError('BUSY', 'objects of files are being removed already');
    clearTimeout(this.#timer);
    void this.#work(dryRun);
  }

  close(): void {
    this.#ending.abort();
    clearTimeout(this.#timer);
  }

  #again(ms: number): void {
    this.#timer = setTimeout(() => this.begin(false), ms);
  }

  async #work(dryRun: boolean): Promise<void> {
    const { signal } = this.#ending;
    let run: Run = { dryRun, startedMs: Date.now(), removed: 0, orphans: 0 };
    const hear = (swept: Swept) => {
      run = { ...run, ...swept };
      this.#run = run;
    };
    this.#run = run;
    try {
      if (dryRun) hear({ removed: 0, orphans: (await orphansOf(this.#driver, this.#index)).ids.length });
      else hear(await sweep(this.#driver, this.#index, { ...this.#often, signal, hear }));
      if (!dryRun && run.removed + run.orphans > 0)
        this.#log.info({ removed: run.removed, orphans: run.orphans }, 'objects of files removed');
    } catch (error) {
      if (!signal.aborted) this.#log.warn({ error }, 'removing files goes on later');
      run = { ...run, problem: (error as Error).message };
    }
    this.#run = { ...run, endedMs: Date.now() };
    if (!signal.aborted) this.#again(this.#often.sweepMs);
  }
}
