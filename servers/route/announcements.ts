/**
 * When PC clients hear who came and who went. Each one of them hears of each, so a change for each of a thousand who log
 * in at nine would be a million writes; told together they are a thousand, twice a second.
 *
 * On a quiet system who comes is told of at once. Then whatever comes within the window is told together. Who goes is
 * told of after a moment: a client that has lost its connection and is back by then has not been away.
 */
export class Announcements {
  readonly #isHere: (userId: number) => boolean;
  readonly #tell: (userIds: readonly number[]) => void;
  /** In the order in which they fall due, but for a window's length. */
  readonly #waiting = new Map<number, Waiting>();
  #toldMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param tell tells how these users are at that moment */
  constructor(isHere: (userId: number) => boolean, tell: (userIds: readonly number[]) => void) {
    this.#isHere = isHere;
    this.#tell = tell;
  }

  came(userId: number): void {
    const nowMs = performance.now();
    const dueMs = this.#toldMs + WINDOW_MS;
    if (dueMs <= nowMs && this.#waiting.size === 0) this.#tellNow([userId]);
    else this.#wait(userId, { wentFirst: false, dueMs });
  }

  went(userId: number): void {
    this.#wait(userId, { wentFirst: true, dueMs: performance.now() + GONE_MS });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #wait(userId: number, waiting: Waiting): void {
    if (!this.#waiting.has(userId)) this.#waiting.set(userId, waiting);
    this.#timer ??= setTimeout(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    const due: number[] = [];
    for (const [userId, { wentFirst, dueMs }] of this.#waiting) {
      if (dueMs > nowMs) continue;
      this.#waiting.delete(userId);
      if (wentFirst && this.#isHere(userId)) continue; // and so was here all the time, to others
      if (due.push(userId) === TOLD_MAX) break;
    }
    if (due.length > 0) this.#tellNow(due);
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  #tellNow(userIds: readonly number[]): void {
    this.#toldMs = performance.now();
    this.#tell(userIds);
  }
}

interface Waiting {
  /** What happened first since others were told: going. */
  readonly wentFirst: boolean;
  readonly dueMs: number;
}

const WINDOW_MS = 500;
const GONE_MS = 1_000;
const TICK_MS = 100;
/** Users that are told of at once: about 60 KB for each PC client. */
const TOLD_MAX = 2_000;
