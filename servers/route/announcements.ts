/**
 * When PC clients hear who came and who went. Each one of them hears of each, so a change for each of a thousand who log
 * in at nine would be a million writes; told together they are a thousand, twice a second.
 *
 * A few who come are told of at once. When more come than that, all who come within a while are told of together. Who
 * goes is told of after a moment: a client that has lost its connection and is back by then has not been away.
 */
export class Announcements {
  readonly #parts: AnnouncementParts;
  /** In the order in which they came or went. */
  readonly #waiting = new Map<number, Waiting>();
  /** How many more may be told of at once, as of `#countedMs`. */
  #atOnce = AT_ONCE_MAX;
  #countedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: AnnouncementParts) {
    this.#parts = parts;
  }

  came(userId: number): void {
    const nowMs = performance.now();
    if (this.#waiting.has(userId))
      this.#parts.tellHimself(userId); // his client waits for it
    else if (this.#waiting.size === 0 && this.#takeOne(nowMs)) this.#parts.tell([userId]);
    else this.#wait(userId, { wentFirst: false, dueMs: nowMs + WINDOW_MS });
  }

  went(userId: number): void {
    const { goneMs, tell } = this.#parts;
    if (goneMs === 0) {
      this.#waiting.delete(userId);
      tell([userId]);
    } else this.#wait(userId, { wentFirst: true, dueMs: performance.now() + goneMs });
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
      if (wentFirst && this.#parts.isHere(userId)) continue; // and so was here all the time, to others
      if (due.push(userId) === TOLD_MAX) break;
    }
    if (due.length > 0) this.#parts.tell(due);
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  #takeOne(nowMs: number): boolean {
    const fresh = Math.floor(((nowMs - this.#countedMs) / 1000) * AT_ONCE_PER_SECOND);
    if (fresh > 0) {
      this.#atOnce = Math.min(AT_ONCE_MAX, this.#atOnce + fresh);
      this.#countedMs = nowMs;
    }
    if (this.#atOnce === 0) return false;
    this.#atOnce--;
    return true;
  }
}

export interface AnnouncementParts {
  /** How long somebody may be away without others hearing of it; 0: not at all. */
  readonly goneMs: number;
  isHere(userId: number): boolean;
  /** How these users are at that moment, to everybody. */
  tell(userIds: readonly number[]): void;
  /** That he is here, to his own clients only. */
  tellHimself(userId: number): void;
}

interface Waiting {
  /** What happened first since others were told: going. */
  readonly wentFirst: boolean;
  readonly dueMs: number;
}

const AT_ONCE_MAX = 20;
const AT_ONCE_PER_SECOND = 2;
const WINDOW_MS = 500;
const TICK_MS = 100;
/** Users that are told of at once: about 60 KB for each PC client. */
const TOLD_MAX = 2_000;
