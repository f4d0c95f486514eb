import { ImError } from '../errors.js';
import type { CloseReason } from '../net/connection.js';
import { type Command, decodeBody } from '../pdu/command.js';
import type { Frame } from '../pdu/header.js';
import { ConnectionLost } from './errors.js';

interface Waiter {
  /** @returns whether the frame is taken. */
  offer(frame: Frame): boolean;
  closed(reason: CloseReason): void;
}

/** As with asks, whoever awaits it makes the error, which then knows the line that waited. */
type Outcome<Out> = { readonly taken: Out } | { readonly fault: unknown } | 'late' | CloseReason;

/**
 * Frames that came unasked, until somebody takes them. Bounded: the oldest goes when there is no room, and the next
 * wait that fails says so.
 */
export class Pushes {
  readonly #max: number;
  readonly #kept: Frame[] = [];
  readonly #waiting = new Set<Waiter>();
  #dropped = 0;
  #closed: CloseReason | undefined;

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
   * @throws ImError TIMEOUT when none came in `timeoutMs`, BAD_REQUEST when its body cannot be decoded; ConnectionLost
   *   at once when none is kept and none can come any more; what the predicate throws
   */
  async take<Out>(command: Command<never, Out>, predicate: (message: Out) => boolean, timeoutMs: number): Promise<Out> {
    for (const [index, frame] of this.#kept.entries()) {
      if (frame.command !== command.id) continue;
      const message = decodeBody(command, frame.body);
      if (!predicate(message)) continue;
      this.#kept.splice(index, 1);
      return message;
    }
    const outcome = this.#closed ?? (await this.#wait(command, predicate, timeoutMs));
    if (outcome === 'late') throw new ImError('TIMEOUT', this.#lateText(command.name, timeoutMs));
    if (typeof outcome === 'string') throw new ConnectionLost(outcome, `no ${command.name} any more`);
    if ('fault' in outcome) throw outcome.fault;
    return outcome.taken;
  }

  /** Ends all waits. What is kept can still be taken. */
  close(reason: CloseReason): void {
    this.#closed = reason;
    for (const waiter of [...this.#waiting]) waiter.closed(reason);
  }

  #wait<Out>(
    command: Command<never, Out>,
    predicate: (message: Out) => boolean,
    timeoutMs: number,
  ): Promise<Outcome<Out>> {
    return new Promise((resolve) => {
      const end = (outcome: Outcome<Out>) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        resolve(outcome);
      };
      const waiter: Waiter = {
        offer(frame) {
          if (frame.command !== command.id) return false;
          try {
            const message = decodeBody(command, frame.body);
            if (!predicate(message)) return false;
            end({ taken: message });
          } catch (fault) {
            end({ fault });
          }
          return true;
        },
        closed: end,
      };
      const timer = setTimeout(() => end('late'), timeoutMs);
      this.#waiting.add(waiter);
    });
  }

  #lateText(name: string, timeoutMs: number): string {
    const others = this.#kept.map((frame) => `0x${frame.command.toString(16).padStart(4, '0')}`).slice(-10);
    const dropped = this.#dropped === 0 ? '' : `; ${this.#dropped} older ones were dropped`;
    return `no such ${name} within ${timeoutMs} ms; kept: ${others.join(' ') || 'nothing'}${dropped}`;
  }
}
