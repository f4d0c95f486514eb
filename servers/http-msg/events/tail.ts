import { ImError } from '../../../common/errors.js';
import { EVENTS_PAGE_MAX } from '../../../common/limits.js';
import type { Logger } from '../../../common/log.js';
import type { LinkGroup } from '../../../common/net/link-group.js';
import { events } from '../../../common/pdu/commands.js';

/** While nobody wants events; a new wish is seen after that at the latest. */
const UNWANTED_MS = 1_000;
const IDLE_MS = 150;
const FAILED_MS = 1_000;

/**
 * The end of the log of events. It has the outbox moved into the log, again and again, and wakes those who wait for
 * something new. Every http-msg server does; db-proxy sees to it that one at a time gets its turn.
 */
export class Tail {
  readonly #dbProxies: LinkGroup;
  readonly #keepHours: number;
  readonly #log: Logger;
  readonly #waiting = new Set<() => void>();
  #head = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(dbProxies: LinkGroup, keepHours: number, log: Logger) {
    this.#dbProxies = dbProxies;
    this.#keepHours = keepHours;
    this.#log = log;
    this.#timer = setTimeout(() => void this.#turn(), 0);
  }

  /** Number of the newest event that is known here. */
  get head(): number {
    return this.#head;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves when there may be something new, or after `ms`. */
  news(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wake();
  }

  async #turn(): Promise<void> {
    const pauseMs = await this.#forward().catch((error: unknown) => {
      if (!(error instanceof ImError)) throw error;
      if (error.code === 'INTERNAL') this.#log.error({ error }, 'events cannot be forwarded');
      return FAILED_MS;
    });
    if (!this.#closed) this.#timer = setTimeout(() => void this.#turn(), pauseMs);
  }

  async #forward(): Promise<number> {
    const { wanted, moved, head } = await this.#dbProxies.ask(events.forward, {
      limit: EVENTS_PAGE_MAX,
      keepHours: this.#keepHours,
    });
    if (!wanted) return UNWANTED_MS;
    if (head !== this.#head) {
      this.#head = head;
      this.#wake();
    }
    return moved > 0 ? 0 : IDLE_MS;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
