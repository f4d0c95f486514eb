import type { CloseReason } from '../net/connection.js';
import type { Command } from '../pdu/command.js';
import type { Frame } from '../pdu/header.js';

/** The seqs we hand out: 0 is for pushes, 0xffff is kept for callers that bring their own. */
const SEQ_MAX = 0xfffe;

/**
 * What became of a question: its answer, no answer in time, or why the connection ended. Not an error yet: made by
 * whoever awaits it, an error knows the line that asked.
 */
export type Outcome = Frame | 'late' | CloseReason;

interface Asked {
  readonly command: number;
  readonly seq: number;
  resolve(outcome: Outcome): void;
  readonly timer: NodeJS.Timeout;
}

/** Questions on their way, found again by what the answer will carry: its command and the seq of the question. */
export class Asks {
  readonly #asked = new Map<number, Asked>();
  #lastSeq = 0;

  get open(): number {
    return this.#asked.size;
  }

  /** A seq that no open question waits on with this answer. */
  freeSeq(reply: Command<never, unknown>): number {
    do this.#lastSeq = (this.#lastSeq % SEQ_MAX) + 1;
    while (this.#asked.has(keyOf(reply.id, this.#lastSeq)));
    return this.#lastSeq;
  }

  /** Never rejects. */
  wait(
    request: Command<never, unknown>,
    reply: Command<never, unknown>,
    seq: number,
    timeoutMs: number,
  ): Promise<Outcome> {
    const key = keyOf(reply.id, seq);
    if (this.#asked.has(key)) throw new Error(`another question under seq ${seq} waits for its ${reply.name}`);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#asked.delete(key);
        resolve('late');
      }, timeoutMs);
      this.#asked.set(key, { command: request.id, seq, resolve, timer });
    });
  }

  /** @returns false when nobody waits for this frame: it is a push, or comes after its deadline. */
  answered(frame: Frame): boolean {
    return this.#settle(keyOf(frame.command, frame.seq), frame);
  }

  /** The question to which IMError is the answer. @returns false when nobody waits for it. */
  refused(command: number, error: Frame): boolean {
    for (const [key, asked] of this.#asked)
      if (asked.command === command && asked.seq === error.seq) return this.#settle(key, error);
    return false;
  }

  closed(reason: CloseReason): void {
    for (const { resolve, timer } of this.#asked.values()) {
      clearTimeout(timer);
      resolve(reason);
    }
    this.#asked.clear();
  }

  #settle(key: number, frame: Frame): boolean {
    const asked = this.#asked.get(key);
    if (asked === undefined) return false;
    this.#asked.delete(key);
    clearTimeout(asked.timer);
    asked.resolve(frame);
    return true;
  }
}

function keyOf(command: number, seq: number): number {
  return command * 0x1_0000 + seq;
}
