import type { WriteStream } from 'node:tty';

const EVERY_MS = 1_000;

/** Says on stderr what is being done and how fast: about once a second, and when something is finished. */
export class Progress {
  readonly #out: NodeJS.WritableStream;
  readonly #title: string;
  readonly #startedMs = performance.now();
  #saidMs = performance.now();
  #doing = '';
  #rows = 0;
  #bytes = 0;
  #allBytes = 0;

  constructor(title: string, out: NodeJS.WritableStream = process.stderr) {
    this.#title = title;
    this.#out = out;
  }

  /** Bytes of all that was begun so far. */
  get bytes(): number {
    return this.#allBytes;
  }

  begin(doing: string): void {
    this.#doing = doing;
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

  end(): void {
    this.#say(true);
  }

  say(words: string): void {
    this.#out.write(`${this.#title}: ${words}\n`);
  }

  /** A line on a terminal is written over by the next one. */
  #say(finished: boolean): void {
    this.#saidMs = performance.now();
    const rate = this.#allBytes / Math.max((this.#saidMs - this.#startedMs) / 1000, 0.001);
    const numbers = `${count(this.#rows)} rows, ${size(this.#bytes)}; in all ${size(this.#allBytes)}, ${size(rate)}/s`;
    const isTerminal = (this.#out as WriteStream).isTTY === true;
    const [before, after] = isTerminal ? ['\r\x1b[K', finished ? '\n' : ''] : ['', '\n'];
    this.#out.write(`${before}${this.#title}: ${this.#doing}: ${numbers}${after}`);
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
