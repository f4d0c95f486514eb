import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChatMessage, Client, findMsgServer } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import { DEMO_PASSWORD } from '../../tools/cluster/demo.js';
import type { HistoryChecker } from '../support/history-checker.js';
import { until } from '../support/until.js';

const { SESSION_TYPE_SINGLE: SINGLE } = IM.BaseDefine.SessionType;
/** Servers try for 8 s and more; a busy machine has time. */
const ACK_MS_MAX = 30_000;
const RETRY_MS = 500;
const PAGE = 200;
/** Who come at the same moment at first. */
const DOOR = 50;
const ALL_MS_MAX = 300_000;

/** Many people with a chat window open who say something now and then, each to his neighbour. */
export class Crowd {
  readonly #visitors: readonly Visitor[];

  /** @param everyMs between two messages of one of them, about */
  constructor(names: readonly string[], loginHttp: string, checker: HistoryChecker, everyMs: number) {
    this.#visitors = names.map((name) => new Visitor(name, { loginHttp, checker, everyMs }));
  }

  /** An even number of them. */
  async come(): Promise<void> {
    for (let i = 0; i < this.#visitors.length; i += DOOR)
      await Promise.all(this.#visitors.slice(i, i + DOOR).map((visitor) => visitor.come()));
    for (const [i, visitor] of this.#visitors.entries()) visitor.talkTo(this.#visitors[i ^ 1]!.userId);
  }

  /** Names of those who are connected, by the port of their server. */
  byPort(): Map<number, string[]> {
    const ports = new Map<number, string[]>();
    for (const { name, port } of this.#visitors)
      if (port !== undefined) ports.set(port, [...(ports.get(port) ?? []), name]);
    return ports;
  }

  /** Waits until these have acks of what they sent from now on. @returns after how many ms */
  async flows(what: string, names?: readonly string[]): Promise<number> {
    const nowMs = performance.now();
    const waiting = this.#visitors.filter(({ name }) => names?.includes(name) ?? true);
    await until(() => waiting.every(({ ackedSentMs }) => ackedSentMs > nowMs), `acks of the crowd ${what}`, ALL_MS_MAX);
    return Math.round(performance.now() - nowMs);
  }

  /** Nothing new; all that is open is acked, and all histories read for the checker. */
  async fallSilent(): Promise<void> {
    await Promise.all(this.#visitors.map((visitor) => visitor.fallSilent()));
    for (let i = 0; i < this.#visitors.length; i += 2) await this.#visitors[i]!.read();
  }

  async leave(): Promise<void> {
    await Promise.all(this.#visitors.map((visitor) => visitor.leave()));
  }
}

interface World {
  readonly loginHttp: string;
  readonly checker: HistoryChecker;
  readonly everyMs: number;
}

class Visitor {
  readonly name: string;
  userId = 0;
  /** When the newest message was sent that was acked. */
  ackedSentMs = 0;
  readonly #world: World;
  #partner = 0;
  #client: Client | undefined;
  #port = 0;
  #visits = 0;
  #quiet = false;
  #gone = false;
  #talking: Promise<void> = Promise.resolve();

  constructor(name: string, world: World) {
    this.name = name;
    this.#world = world;
  }

  get port(): number | undefined {
    return this.#client?.isClosed === false ? this.#port : undefined;
  }

  /** Wherever the login server says; again until it works. */
  async come(): Promise<void> {
    for (;;) {
      if (this.#gone) return;
      try {
        const address = await findMsgServer(this.#world.loginHttp);
        const waits = { timeoutMs: ACK_MS_MAX, askTimeoutMs: ACK_MS_MAX, pushesMax: 0, capabilities: ['ack2', 'err1'] };
        const client = await Client.login({ ...address, user: this.name, password: DEMO_PASSWORD, ...waits });
        return this.#arrived(client, address.port);
      } catch {
        await delay(RETRY_MS * (0.5 + Math.random()));
      }
    }
  }

  talkTo(partner: number): void {
    this.#partner = partner;
    this.#talking = this.#talk();
  }

  async fallSilent(): Promise<void> {
    this.#quiet = true;
    await this.#talking;
  }

  async read(): Promise<void> {
    const client = await this.#online();
    for (let begin = await client.latestId(SINGLE, this.#partner); begin > 0; ) {
      const page = await client.history(SINGLE, this.#partner, begin, PAGE);
      const kept = page.map(({ msgId, fromUserId, text = '' }) => ({ msgId, sender: fromUserId, text }));
      this.#world.checker.page(this.#conversation, kept);
      begin = page.length === 0 ? 0 : page.at(-1)!.msgId - 1;
    }
  }

  async leave(): Promise<void> {
    this.#gone = true;
    this.#quiet = true;
    this.#client?.close();
    await this.#talking;
  }

  get #conversation(): string {
    return `${Math.min(this.userId, this.#partner)} and ${Math.max(this.userId, this.#partner)}`;
  }

  #arrived(client: Client, port: number): void {
    this.#client = client;
    this.#port = port;
    this.userId = client.userId;
    const receiver = `${this.name}#${++this.#visits}`;
    client.on('message', ({ sessionType, sessionId, text = '', msgId }: ChatMessage) => {
      if (sessionType !== SINGLE || sessionId !== this.#partner) return; // not of the crowd
      this.#world.checker.deliver(this.#conversation, receiver, text, msgId);
    });
    void client.closed.then(async () => {
      if (this.#gone) return;
      await delay(client.returnMs * Math.random()); // as the server wanted it
      await this.come();
    });
  }

  async #online(): Promise<Client> {
    await until(() => this.port !== undefined || this.#gone, `${this.name} to be back`, ALL_MS_MAX);
    return this.#client!;
  }

  async #talk(): Promise<void> {
    const { checker, everyMs } = this.#world;
    for (let count = 1; !this.#quiet; count++) {
      await delay(everyMs * (0.5 + Math.random()));
      const text = `${this.name} ${count}`;
      const options = { sendId: randomBytes(16), timeoutMs: ACK_MS_MAX };
      const sentMs = performance.now();
      checker.send(this.#conversation, this.userId, this.name, text);
      for (let isAcked = false; !isAcked && !this.#gone; ) {
        const saying = this.#online().then((client) => client.say(this.#partner, text, options));
        isAcked = await saying.then(
          ({ msgId }) => {
            checker.ack(this.#conversation, text, msgId);
            this.ackedSentMs = sentMs;
            return true;
          },
          () => delay(RETRY_MS, false),
        );
      }
    }
  }
}
