import { FILE_BLOCK_SIZE } from '../../../common/limits.js';

/** A part of a file that its receiver wants to have. */
export interface Pull {
  readonly offset: number;
  /** Bytes at most; a shorter answer is as good, an empty one is none. */
  readonly size: number;
  /** Of the request, which the answer repeats. */
  readonly seq: number;
}

/** Blocks of one transfer that may be on their way at once: what it may cost in memory. Stock clients have one. */
export const PULLS_OPEN_MAX = 8;

/**
 * And those that wait behind them. A receiver with some is not read from, so there are more only of one that sends
 * nothing else, while its sender is away.
 */
const PULLS_WAITING_MAX = 2048;

/**
 * The bookkeeping of one transfer, without bytes and sockets: which parts of the file are asked for, and whether what
 * comes is an answer to that. Answers come in the order of the asking.
 *
 *   asked ──▶ waiting ──next──▶ open ──answered──▶ gone
 *                ▲                │
 *                └── sender lost ─┤
 *                                 └── receiver lost ──▶ stale: its answer still comes and is nobody's
 */
export class Pulls {
  readonly fileSize: number;
  #waiting: Pull[] = [];
  #open: { readonly pull: Pull; stale: boolean }[] = [];

  constructor(fileSize: number) {
    this.fileSize = fileSize;
  }

  /** Asked for and not yet passed on. */
  get waiting(): number {
    return this.#waiting.length;
  }
  /** Passed on and not yet answered. */
  get open(): number {
    return this.#open.length;
  }

  /**
   * More than a block, or more than there is, is cut to what may come.
   * @returns false when there is nothing at that place, or far too much is asked at once
   */
  ask(offset: number, size: number, seq: number): boolean {
    if (size < 1 || offset >= this.fileSize || this.#waiting.length >= PULLS_WAITING_MAX) return false;
    this.#waiting.push({ offset, size: Math.min(size, FILE_BLOCK_SIZE, this.fileSize - offset), seq });
    return true;
  }

  /** The next one to be passed on; undefined when there is none, or enough of them are open. */
  next(): Pull | undefined {
    if (this.#open.length >= PULLS_OPEN_MAX) return undefined;
    const pull = this.#waiting.shift();
    if (pull !== undefined) this.#open.push({ pull, stale: false });
    return pull;
  }

  /** So many bytes have come from that place. @returns what they answer; 'breach': nothing that was asked */
  answer(offset: number, length: number): Pull | 'stale' | 'breach' {
    const first = this.#open[0];
    if (first === undefined || first.pull.offset !== offset || length < 1 || length > first.pull.size) return 'breach';
    this.#open.shift();
    return first.stale ? 'stale' : first.pull;
  }

  /** Whoever sends is another one now, or will be: it has to be asked again. */
  senderLost(): void {
    this.#waiting = [...this.#open.filter((each) => !each.stale).map((each) => each.pull), ...this.#waiting];
    this.#open = [];
  }

  /** Whoever receives is another one now, or will be, and asks by itself. */
  receiverLost(): void {
    this.#waiting = [];
    for (const each of this.#open) each.stale = true;
  }
}
