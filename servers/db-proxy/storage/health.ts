import type pg from 'pg';
import type { Logger } from '../../../common/log.js';
import { primaryOf } from './database.js';
import type { Shards } from './shards.js';

const LOOK_MS = 2_000;

/** Whether the databases answer, looked at every other second: what /readyz tells whoever balances or watches. */
export class Health {
  readonly #meta: pg.Pool;
  readonly #shards: Shards;
  readonly #metaUrl: string;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  /** Where each database was the last time, of those that may be on another server the next. */
  readonly #places = new Map<string, string>();
  #missing: string | undefined;
  #looking = false;

  constructor(meta: pg.Pool, metaUrl: string, shards: Shards, log: Logger) {
    this.#meta = meta;
    this.#metaUrl = metaUrl;
    this.#shards = shards;
    this.#log = log;
    this.#tellPlaces(); // a change before the first look is told as well
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
    const answers = await Promise.all(
      this.#databases().map(({ name, pool }) =>
        pool.query('select 1').then(
          () => undefined,
          (error: Error) => `${name}: ${error.message}`,
        ),
      ),
    );
    this.#missing = answers.find((answer) => answer !== undefined);
    this.#tellPlaces();
    this.#looking = false;
  }

  #tellPlaces(): void {
    for (const { name, url } of this.#databases()) {
      const before = this.#places.get(name);
      const place = primaryOf(url)?.place;
      if (place === undefined || place === before) continue;
      this.#places.set(name, place);
      if (before !== undefined) this.#log.warn({ database: name, before, place }, 'PostgreSQL has another primary');
    }
  }

  #databases() {
    return [{ name: 'the meta database', url: this.#metaUrl, pool: this.#meta }, ...this.#shards.all];
  }
}
