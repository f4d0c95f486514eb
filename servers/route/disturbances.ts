import { randomUUID } from 'node:crypto';

/** A word that something may not have been delivered since then. */
export interface Disturbance {
  readonly id: string;
  /** Wall-clock ms. */
  readonly sinceMs: number;
  /** When the first route server heard it, wall-clock ms. */
  readonly heardMs: number;
}

const KEPT_MS = 600_000;
const KEPT_MAX = 4_096;
/** How far the clocks of two of our machines may be apart, and how long a word may be on its way. */
const SLACK_MS = 5_000;

/**
 * What msg servers were told to look for lately. One that no route server could reach at the time hears of it when it is
 * back: it looks for what it missed itself, but from the moment on at which it was cut off, and what another one has lost
 * may be older. Route servers say it again to one that has just come. Each word has an id, so that nobody looks twice.
 */
export class Disturbances {
  readonly #startedMs: number;
  /** In the order in which they were heard. */
  readonly #byId = new Map<string, Disturbance>();

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  /** @returns undefined: it is known */
  note(sinceMs: number, heardMs: number, id: string = randomUUID()): Disturbance | undefined {
    if (this.#byId.has(id)) return undefined;
    const disturbance = { id, sinceMs, heardMs };
    this.#byId.set(id, disturbance);
    for (const [oldest, before] of this.#byId) {
      if (before.heardMs > heardMs - KEPT_MS && this.#byId.size <= KEPT_MAX) break;
      this.#byId.delete(oldest);
    }
    return disturbance;
  }

  /** For a route server that has just come. */
  get all(): Iterable<Disturbance> {
    return this.#byId.values();
  }

  /**
   * Whether a msg server has to be told of a word that another route server has said again, and we did not know. Of one from
   * before our start it was told by another one, unless it was cut off; any other one we would have told, had we heard it.
   * @param cutOffMs since when it was cut off, before it came; undefined: it was not
   */
  isNews(it: Disturbance, cutOffMs: number | undefined): boolean {
    return wasUnheard(it, this.#startedMs) || (cutOffMs !== undefined && wasUnheard(it, cutOffMs));
  }

  /** @returns since when a msg server has to look that has heard nothing since `unheardSinceMs`; undefined: nothing was said */
  since(unheardSinceMs: number): number | undefined {
    let sinceMs: number | undefined;
    for (const each of this.#byId.values())
      if (wasUnheard(each, unheardSinceMs)) sinceMs = Math.min(sinceMs ?? each.sinceMs, each.sinceMs);
    return sinceMs;
  }
}

function wasUnheard({ heardMs }: Disturbance, unheardSinceMs: number): boolean {
  return heardMs > unheardSinceMs - SLACK_MS;
}
