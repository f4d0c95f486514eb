/**
 * How far an import is, on a terminal as a bar that is drawn over itself, elsewhere (a log, a pipe) as a line now and
 * then without any control characters.
 *
 *   messages of two     [########............]  41 %  1,203,441 of 2,860,112 rows, 31,500/s, 53 s left
 */
const BAR_WIDTH = 20;
const DRAW_MS = 100;
const LINE_MS = 5_000;
const MINUTE_S = 60;
const HOUR_S = 3_600;

export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class Progress {
  readonly #out: Output;
  readonly #total: number;
  #phase = '';
  #done = 0;
  /** Done by this process, as opposed to an earlier one. */
  #counted = 0;
  #startedMs: number | undefined;
  #drawnMs = Number.NEGATIVE_INFINITY;

  /** `total` in rows, of all phases. */
  constructor(out: Output, total: number) {
    this.#out = out;
    this.#total = total;
  }

  phase(name: string): void {
    this.#phase = name;
    this.#startedMs ??= performance.now();
    this.#draw(true);
  }

  /** Rows that an earlier run has done: they count as done and not for the pace. */
  skip(rows: number): void {
    this.#done += rows;
  }

  add(rows: number): void {
    this.#done += rows;
    this.#counted += rows;
    this.#draw(false);
  }

  /** Something to read besides; stays when the bar is drawn anew. */
  say(words: string): void {
    this.#out.write(this.#out.isTTY ? `\r\x1b[K${words}\n` : `${words}\n`);
    if (this.#out.isTTY) this.#draw(true);
  }

  end(): void {
    if (this.#phase === '') return;
    this.#draw(true);
    if (this.#out.isTTY) this.#out.write('\n');
    this.#phase = '';
  }

  #draw(now: boolean): void {
    const nowMs = performance.now();
    if (!now && nowMs - this.#drawnMs < (this.#out.isTTY ? DRAW_MS : LINE_MS)) return;
    this.#drawnMs = nowMs;
    this.#out.write(this.#out.isTTY ? `\r\x1b[K${this.#line(nowMs)}` : `${this.#line(nowMs)}\n`);
  }

  #line(nowMs: number): string {
    const share = this.#total === 0 ? 1 : Math.min(1, this.#done / this.#total);
    const filled = Math.floor(share * BAR_WIDTH);
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
    const percent = `${Math.floor(share * 100)}`.padStart(3);
    const counts = `${this.#done.toLocaleString('en-US')} of ${this.#total.toLocaleString('en-US')} rows`;
    return `${this.#phase.padEnd(20)} ${bar} ${percent} %  ${counts}${this.#pace(nowMs)}`;
  }

  #pace(nowMs: number): string {
    const seconds = (nowMs - (this.#startedMs ?? nowMs)) / 1000;
    if (this.#counted === 0 || seconds < 1) return '';
    const perSecond = this.#counted / seconds;
    const left = Math.max(0, this.#total - this.#done) / perSecond;
    return `, ${Math.round(perSecond).toLocaleString('en-US')}/s, ${durationOf(left)} left`;
  }
}

/** Seconds in words: 42 s, 3 min 20 s, 2 h 5 min. */
export function durationOf(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < MINUTE_S) return `${whole} s`;
  if (whole < HOUR_S) return `${Math.floor(whole / MINUTE_S)} min ${whole % MINUTE_S} s`;
  return `${Math.floor(whole / HOUR_S)} h ${Math.floor((whole % HOUR_S) / MINUTE_S)} min`;
}
