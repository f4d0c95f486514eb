import { ImError } from '../errors.js';
import { type Ask, type Command, encodeFrame } from '../pdu/command.js';
import { type Frame, frameOf } from '../pdu/header.js';
import { type Address, type Asked, Link, type LinkOptions } from './link.js';

export interface LinkGroupOptions<Ctx> extends Omit<LinkOptions<Ctx>, 'address'> {
  readonly addresses: readonly Address[];
  /** How long an answer may take, over all links that are tried, in ms. */
  readonly askTimeoutMs: number;
  /** Questions that may be under way or wait for a link; the next one is BUSY. */
  readonly asksMax: number;
  /** Called when a link opens, before anything that waited is sent on it. */
  readonly opened?: (link: Link) => void;
  /** Called when a link that was open is gone; `unsureMs`: what either side has said for so long may not have come. */
  readonly lost?: (link: Link, unsureMs: number) => void;
  /** What came of a question when its deadline had passed: it was done after all. */
  readonly late?: (answer: Frame) => void;
}

const SWEEP_MS = 250;

/**
 * The links to all servers of one role. A question goes to the link its key chooses; when that link dies, it is asked
 * again on another one, or waits for one to open, in the order in which it was first asked, until its deadline.
 * So everything asked through a group has to be harmless when it happens twice.
 */
export class LinkGroup {
  readonly #links: Link[];
  readonly #options: LinkGroupOptions<never>;
  readonly #sweeper: NodeJS.Timeout;
  #homeless: Asked[] = [];
  #preferred: Link | undefined;
  /** By key: what is to go to another server as soon as one that drains has answered the earlier questions of the key. */
  readonly #behind = new Map<number, Asked[]>();
  #closed = false;

  constructor(options: LinkGroupOptions<never>) {
    this.#options = options;
    this.#links = [];
    for (const address of options.addresses) {
      const link = new Link(
        { ...options, address },
        {
          opened: (it) => this.#opened(it),
          lost: (it, asked, unsureMs) => this.#lost(it, asked, unsureMs),
          late: (answer) => options.late?.(answer),
          freed: (key) => this.#freed(key),
        },
      );
      this.#links.push(link);
    }
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  get open(): boolean {
    return this.#links.some((link) => link.open);
  }

  /** Those that are open, beginning with the one that the key chooses. */
  openFrom(key: number): Link[] {
    const start = key % Math.max(this.#links.length, 1);
    return [...this.#links.slice(start), ...this.#links.slice(0, start)].filter((link) => link.open);
  }

  /** This link comes before the one that a key chooses, while it is usable. */
  prefer(link: Link): void {
    this.#preferred = link;
  }

  /** Questions without an answer so far. */
  get openAsks(): number {
    let sum = this.#homeless.length;
    for (const link of this.#links) sum += link.openAsks;
    for (const behind of this.#behind.values()) sum += behind.length;
    return sum;
  }

  /**
   * @throws ImError with the other side's code; TIMEOUT when the deadline passes, NO_LINK when it passes without any
   * link, BUSY when too much is under way.
   */
  async ask<In, Out, ReplyIn, ReplyOut>(ask: Ask<In, Out, ReplyIn, ReplyOut>, message: In, key = 0): Promise<ReplyOut> {
    const reply = await this.#send(encodeFrame(ask, 0, message), key);
    return ask.reply.codec.decode(reply.body);
  }

  /** Asks with a body that is bytes already; gives the answering frame undecoded. */
  askBytes(command: Command<never, unknown>, body: Uint8Array, key = 0): Promise<Frame> {
    return this.#send(frameOf(command.id, 0, body), key);
  }

  /** Tells the one server that the key chooses. Best effort. */
  tell<In>(command: Command<In, unknown>, message: In, key = 0): void {
    this.#pick(key)?.tell(command, message);
  }

  tellAll<In>(command: Command<In, unknown>, message: In): void {
    const frame = encodeFrame(command, 0, message);
    for (const link of this.#links) link.tellFrame(frame);
  }

  /** Tells every open link, or these; the message may differ for the one that `tell` would choose. */
  tellEach<In>(
    command: Command<In, unknown>,
    message: (isChosen: boolean) => In,
    links: readonly Link[] = this.openFrom(0),
  ): void {
    const picked = this.#pick(0);
    const chosen = picked !== undefined && links.includes(picked) ? picked : links[0];
    for (const link of links) link.tell(command, message(link === chosen));
  }

  /** Asks every open link, or these; resolves when all have answered or gone. */
  async askAll<In, Out, ReplyIn, ReplyOut>(
    ask: Ask<In, Out, ReplyIn, ReplyOut>,
    message: In,
    links: readonly Link[] = this.openFrom(0),
  ): Promise<void> {
    await Promise.all(links.map((link) => this.askOne(link, ask, message)));
  }

  /** Asks every open link, and gives the answers of those that gave one in time. */
  async askEach<In, Out, ReplyIn, ReplyOut>(ask: Ask<In, Out, ReplyIn, ReplyOut>, message: In): Promise<ReplyOut[]> {
    const answers: ReplyOut[] = [];
    const heard = (frame: Frame) => answers.push(ask.reply.codec.decode(frame.body));
    const asked = this.#links.filter((link) => link.open).map((link) => this.askOne(link, ask, message, heard));
    await Promise.all(asked);
    return answers;
  }

  /** Asks one link and no other; resolves without an answer when that link dies, as it will be told anew then. */
  askOne<In, Out, ReplyIn, ReplyOut>(
    link: Link,
    ask: Ask<In, Out, ReplyIn, ReplyOut>,
    message: In,
    heard: (answer: Frame) => void = () => undefined,
  ): Promise<void> {
    return new Promise((resolve) => {
      const done = () => resolve();
      const askedMs = performance.now();
      link.ask({
        frame: encodeFrame(ask, 0, message),
        key: ONE_LINK_ONLY,
        askedMs,
        deadlineMs: askedMs + this.#options.askTimeoutMs,
        resolve(answer) {
          heard(answer);
          resolve();
        },
        reject: done,
      });
    });
  }

  /** Closes every link; open questions are rejected. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    for (const link of this.#links) link.close();
    for (const asked of this.#withoutLink()) asked.reject(new ImError('NO_LINK', 'shutting down'));
  }

  #send(frame: Buffer, key: number): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.openAsks >= this.#options.asksMax)
        reject(new ImError('BUSY', `${this.#options.role}: ${this.openAsks} questions open`));
      else {
        const askedMs = performance.now();
        this.#place({ frame, key, askedMs, deadlineMs: askedMs + this.#options.askTimeoutMs, resolve, reject });
      }
    });
  }

  #place(asked: Asked): void {
    if (this.#closed) return asked.reject(new ImError('NO_LINK', 'shutting down'));
    const behind = this.#behind.get(asked.key);
    // What already waits goes first, so that questions of one key keep their order.
    if (behind !== undefined) behind.push(asked);
    else if (this.#homeless.length > 0) this.#homeless.push(asked);
    else this.#hand(asked);
  }

  #hand(asked: Asked): void {
    const link = this.#pick(asked.key);
    if (link === undefined) this.#homeless.push(asked);
    else if (link.draining && this.#links.some((each) => each.usable)) this.#behind.set(asked.key, [asked]);
    else link.ask(asked);
  }

  /**
   * Rendezvous by position: a key stays with its link while that is usable, and moves to the next one otherwise. It
   * only moves when nothing of it is under way, or a later question would overtake the earlier ones.
   */
  #pick(key: number): Link | undefined {
    const asked = this.#links.find((link) => link.open && link.hasAsksOf(key));
    if (asked !== undefined) return asked;
    if (this.#preferred?.usable === true) return this.#preferred;
    const count = this.#links.length;
    for (let i = 0; i < count; i++) {
      const link = this.#links[(key + i) % count]!;
      if (link.usable) return link;
    }
    return this.#links.find((link) => link.open);
  }

  #freed(key: number): void {
    const behind = this.#behind.get(key);
    this.#behind.delete(key);
    for (const asked of behind ?? []) this.#place(asked);
  }

  #opened(link: Link): void {
    this.#options.opened?.(link);
    for (const asked of this.#withoutLink()) this.#place(asked);
  }

  #lost(link: Link, asked: Asked[], unsureMs: number | undefined): void {
    if (unsureMs !== undefined) this.#options.lost?.(link, unsureMs);
    for (const each of asked) if (each.key === ONE_LINK_ONLY) each.reject(new ImError('NO_LINK', 'link lost'));
    const again = asked.filter((each) => each.key !== ONE_LINK_ONLY);
    for (const each of [...again, ...this.#withoutLink()]) this.#place(each);
  }

  /** Takes all that waits for a link, in the order of each key. */
  #withoutLink(): Asked[] {
    const waiting = [...[...this.#behind.values()].flat(), ...this.#homeless];
    this.#behind.clear();
    this.#homeless = [];
    return waiting;
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const link of this.#links) link.sweep(nowMs);
    const late: Asked[] = [];
    const inTime = (asked: Asked) => asked.deadlineMs > nowMs || late.push(asked) === 0;
    this.#homeless = this.#homeless.filter(inTime);
    for (const [key, behind] of this.#behind) {
      const left = behind.filter(inTime);
      if (left.length > 0) this.#behind.set(key, left);
      else this.#behind.delete(key);
    }
    for (const asked of late) asked.reject(new ImError('NO_LINK', `no ${this.#options.role} server is reachable`));
  }
}

const ONE_LINK_ONLY = -1;
