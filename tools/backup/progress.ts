import type { WriteStream } from 'node:tty';

const EVERY_MS = 1_000;
const SMALL_ROWS = 10_000;
const SMALL_BYTES = 1_000_000;

/** Says on stderr what is being done and how fast: about once a second, and when something large is finished. */
export class Progress {
  readonly #out: NodeJS.WritableStream;
  readonly #title: string;
  readonly #startedMs = performance.now();
  #saidMs = performance.now();
  #doing = '';
  #doingMs = performance.now();
  #steppedMs = performance.now();
  #rows = 0;
  #bytes = 0;
  #allBytes = 0;

  constructor(title: string, out: NodeJS.WritableStream = process.stderr) {
    this.#title = title;
    this.#out = out;
  }

  begin(doing: string): void {
    this.#doing = doing;
    this.#doingMs = performance.now();
    this.#rows = 0;
    this.#bytes = 0;
  }

  /** Rows and bytes since it was begun. */
  at(rows: number, bytes: number): void {
    this.#allBytes += bytes - this.#bytes;
    this.#rows = rows;
    this.#bytes = bytes;
    if (performance.now() - this.#saidMs >= EVERY_MS) this.#say(false);
  }

  /** The same for work that has rows only and tells its name with each step. */
  step(doing: string, rows: number): void {
    if (doing !== this.#doing) {
      this.begin(doing);
      this.#doingMs = this.#steppedMs; // the first step is told when it is done
    }
    this.#steppedMs = performance.now();
    this.at(rows, 0);
  }

  /** What was small and quick is not worth a line. */
  end(): void {
    if (this.#rows >= SMALL_ROWS || this.#bytes >= SMALL_BYTES) this.#say(true);
  }

  say(words: string): void {
    this.#out.write(`${this.#title}: ${words}\n`);
  }

  /** A line on a terminal is written over by the next one. */
  #say(finished: boolean): void {
    this.#saidMs = performance.now();
    const isTerminal = (this.#out as WriteStream).isTTY === true;
    const [before, after] = isTerminal ? ['\r\x1b[K', finished ? '\n' : ''] : ['', '\n'];
    this.#out.write(`${before}${this.#title}: ${this.#doing}: ${this.#numbers()}${after}`);
  }

  #numbers(): string {
    const perSecond = (amount: number, sinceMs: number) => amount / Math.max((this.#saidMs - sinceMs) / 1000, 0.001);
    if (this.#bytes === 0) return `${count(this.#rows)}, ${count(Math.round(perSecond(this.#rows, this.#doingMs)))}/s`;
    const rate = size(perSecond(this.#allBytes, this.#startedMs));
    return `${count(this.#rows)} rows, ${size(this.#bytes)}; in all ${size(this.#allBytes)}, ${rate}/s`;
  }
}

export function count(number: number): string {
  return number.toLocaleString('en-US');
}

export function size(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}
