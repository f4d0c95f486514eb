/**
 * Which messages of one conversation have been shown. Ids count from 1 without holes, so an id beyond the next one
 * says that something is missing; it then waits until the gap is filled. Nothing is given out twice.
 */
export interface Numbered {
  readonly msgId: number;
}

/** Ids, both ends included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** What the id of an own message stands for: it was shown when it was typed. */
const SHOWN = Symbol('shown');

export class Timeline<Message extends Numbered> {
  #upTo: number;
  readonly #ahead = new Map<number, Message | typeof SHOWN>();

  /** @param upTo the last id that need not be shown, 0 for none */
  constructor(upTo: number) {
    this.#upTo = upTo;
  }

  /** Everything up to this id has been given out. */
  get upTo(): number {
    return this.#upTo;
  }

  /** The first gap before something that waits. */
  get missing(): Range | undefined {
    if (this.#ahead.size === 0) return undefined;
    return { from: this.#upTo + 1, to: Math.min(...this.#ahead.keys()) - 1 };
  }

  /** A message came. @returns what can be shown now, in order */
  take(message: Message): Message[] {
    if (message.msgId > this.#upTo && !this.#ahead.has(message.msgId)) this.#ahead.set(message.msgId, message);
    return this.#release();
  }

  /** A message of this id is on the screen already. @returns what can be shown now, in order */
  shown(msgId: number): Message[] {
    if (msgId > this.#upTo) this.#ahead.set(msgId, SHOWN);
    return this.#release();
  }

  /**
   * The server was asked for everything up to `to`, and this is what exists: an id that is not in it never will be.
   * @returns what can be shown now, in order
   */
  fill(to: number, messages: readonly Message[]): Message[] {
    for (const message of messages) {
      if (message.msgId > this.#upTo && !this.#ahead.has(message.msgId)) this.#ahead.set(message.msgId, message);
    }
    const below = [...this.#ahead.keys()].filter((msgId) => msgId <= to).sort((a, b) => a - b);
    const ready = below.flatMap((msgId) => this.#out(msgId));
    this.#upTo = Math.max(this.#upTo, to);
    return [...ready, ...this.#release()];
  }

  #release(): Message[] {
    const ready: Message[] = [];
    while (this.#ahead.has(this.#upTo + 1)) ready.push(...this.#out(++this.#upTo));
    return ready;
  }

  #out(msgId: number): Message[] {
    const message = this.#ahead.get(msgId);
    this.#ahead.delete(msgId);
    return message === undefined || message === SHOWN ? [] : [message];
  }
}
