import { ImError } from '../errors.js';
import { type Command, decodeBody } from '../pdu/command.js';
import type { Frame } from '../pdu/header.js';

interface Waiter {
  /** @returns whether the frame is taken. */
  offer(frame: Frame): boolean;
  reject(error: Error): void;
}

/**
 * Frames that came unasked, until somebody takes them. Bounded: the oldest goes when there is no room, and the next
 * wait that fails says so.
 */
export class Pushes {
  readonly #max: number;
  readonly #kept: Frame[] = [];
  readonly #waiting = new Set<Waiter>();
  #dropped = 0;
  #closed: Error | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  get kept(): readonly Frame[] {
    return this.#kept;
  }

  add(frame: Frame): void {
    for (const waiter of this.#waiting) if (waiter.offer(frame)) return;
    this.#kept.push(frame);
    if (this.#kept.length <= this.#max) return;
    this.#kept.shift();
    this.#dropped++;
  }

  /**
   * Takes the oldest frame of this command that the predicate accepts, or waits for it.
   * @throws ImError TIMEOUT when none came in `timeoutMs`, BAD_REQUEST when its body cannot be decoded, or the error
   *   given to `close`, at once, also when closed before
   */
  async take<Out>(command: Command<never, Out>, predicate: (message: Out) => boolean, timeoutMs: number): Promise<Out> {
    for (const [index, frame] of this.#kept.entries()) {
      if (frame.command !== command.id) continue;
      const message = decodeBody(command, frame.body);
      if (!predicate(message)) continue;
      this.#kept.splice(index, 1);
      return message;
    }
    if (this.#closed !== undefined) throw this.#closed;
    return this.#wait(command, predicate, timeoutMs);
  }

  /** Ends all waits. What is kept can still be taken. */
  close(error: Error): void {
    this.#closed = error;
    for (const waiter of [...this.#waiting]) waiter.reject(error);
  }

  #wait<Out>(command: Command<never, Out>, predicate: (message: Out) => boolean, timeoutMs: number): Promise<Out> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        offer(frame) {
          if (frame.command !== command.id) return false;
          try {
            const message = decodeBody(command, frame.body);
            if (!predicate(message)) return false;
            resolve(message);
          } catch (error) {
            reject(error);
          }
          stop();
          return true;
        },
        reject(error) {
          stop();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.reject(this.#late(command.name, timeoutMs)), timeoutMs);
      this.#waiting.add(waiter);
    });
  }

  #late(name: string, timeoutMs: number): ImError {
    const others = this.#kept.map((frame) => `0x${frame.command.toString(16).padStart(4, '0')}`).slice(-10);
    const dropped = this.#dropped === 0 ? '' : `; ${this.#dropped} older ones were dropped`;
    return new ImError(
      'TIMEOUT',
      `no such ${name} within ${timeoutMs} ms; kept: ${others.join(' ') || 'nothing'}${dropped}`,
    );
  }
}
