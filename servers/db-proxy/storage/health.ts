import type pg from 'pg';
import type { Shards } from './shards.js';

const LOOK_MS = 2_000;

/** Whether the databases answer, looked at every other second: what /readyz tells whoever balances or watches. */
export class Health {
  readonly #meta: pg.Pool;
  readonly #shards: Shards;
  readonly #timer: NodeJS.Timeout;
  #missing: string | undefined;
  #looking = false;

  constructor(meta: pg.Pool, shards: Shards) {
    this.#meta = meta;
    this.#shards = shards;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** Undefined when all of them answered the last time, else the first that did not. */
  get missing(): string | undefined {
    return this.#missing;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const databases = [{ name: 'the meta database', pool: this.#meta }, ...this.#shards.all];
    const answers = await Promise.all(
      databases.map(({ name, pool }) =>
        pool.query('select 1').then(
          () => undefined,
          (error: Error) => `${name}: ${error.message}`,
        ),
      ),
    );
    this.#missing = answers.find((answer) => answer !== undefined);
    this.#looking = false;
  }
}
