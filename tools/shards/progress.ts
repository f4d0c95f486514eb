import type { Moved, Stage } from '../../servers/db-proxy/storage/move.js';

/** Between two lines about the same bucket, where nobody sees a line change. */
const LINE_MS = 10_000;
const REDRAW_MS = 100;
/** Until the first bucket has shown it: how much of what a bucket takes on disk goes over the wire. */
const COPIED_PART = 0.4;

/** How far a series of moves is, told on a terminal in one line that changes, and elsewhere now and then. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  /** On disk, estimated. */
  readonly #sizeOf: (bucket: number) => number;
  #sizeAll: number;
  readonly #startedMs = performance.now();
  #sizeDone = 0;
  #bytesDone = 0;
  #bucket = -1;
  #bucketMs = 0;
  #bytes = 0;
  #rows = 0;
  #stage: Stage | undefined;
  #drawnMs = 0;

  constructor(out: NodeJS.WriteStream, buckets: readonly number[], sizeOf: (bucket: number) => number) {
    this.#out = out;
    this.#sizeOf = sizeOf;
    this.#sizeAll = buckets.reduce((sum, bucket) => sum + sizeOf(bucket), 0);
  }

  begin(bucket: number): void {
    this.#bucket = bucket;
    this.#bucketMs = performance.now();
    this.#drawnMs = this.#bucketMs;
    this.#bytes = 0;
    this.#rows = 0;
  }

  step(stage: Stage, rows: number, bytes: number): void {
    if (stage !== this.#stage) this.#rows = 0;
    this.#stage = stage;
    this.#rows += rows;
    this.#bytes += bytes;
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < (this.#out.isTTY ? REDRAW_MS : LINE_MS)) return;
    this.#drawnMs = nowMs;
    this.#out.write(this.#out.isTTY ? `\r\x1b[K${this.#line()}` : `${this.#line()}\n`);
  }

  /** Done with this bucket, whatever came of it. */
  end(): void {
    this.#sizeDone += this.#sizeOf(this.#bucket);
    this.#bytesDone += this.#bytes;
    this.#bytes = 0;
    if (this.#out.isTTY) this.#out.write('\r\x1b[K');
  }

  #line(): string {
    const seconds = (performance.now() - this.#bucketMs) / 1000;
    const what = this.#stage === 'deleting' ? `${count(this.#rows)} rows` : megabytes(this.#bytes);
    return `bucket ${this.#bucket}: ${this.#stage}, ${what} in ${seconds.toFixed(1)} s${this.#left()}`;
  }

  #left(): string {
    const part = this.#bytesDone > 0 && this.#sizeDone > 0 ? this.#bytesDone / this.#sizeDone : COPIED_PART;
    const here = Math.min(this.#sizeOf(this.#bucket), this.#bytes / part);
    const done = (this.#sizeDone + here) / this.#sizeAll;
    if (!(done > 0.001)) return '';
    const leftMs = ((performance.now() - this.#startedMs) * (1 - done)) / done;
    return `; all: ${Math.floor(done * 100)} %, about ${duration(leftMs)} left`;
  }
}

/** One line about a bucket that has moved. */
export function movedLine({ bucket, source, target, rows, bytes, copyMs, fenceMs, ms }: Moved): string {
  const route = `bucket ${bucket}: ${source} → ${target}`;
  if (fenceMs === undefined) return `${route}, finished`;
  const speed = `${megabytes(bytes)} in ${duration(copyMs)} (${megabytes((bytes / copyMs) * 1000)}/s)`;
  return `${route}, ${count(rows)} rows, ${speed}, no writes for ${Math.round(fenceMs)} ms, all done after ${duration(ms)}`;
}

export function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

export function count(number: number): string {
  return number.toLocaleString('en');
}

export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 5_400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}
