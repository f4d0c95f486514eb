import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { isGroupConversation, singleConversation, usersOf } from '../../common/conversation.js';
import { ImError } from '../../common/errors.js';
import { readSettings } from '../../common/settings.js';
import { dbProxySettings } from '../../servers/db-proxy/settings.js';
import { openStorage, type StorageSettings } from '../../servers/db-proxy/storage/storage.js';
import type { Storage } from './cluster.js';
import { type Fault, HistoryChecker } from './history-checker.js';
import type { Teardown } from './postgres.js';
import { until } from './until.js';

/** What a db-proxy says while it stores. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly shard?: string;
  readonly error?: string;
}

export interface Storer {
  readonly storage: Storage;
  readonly lines: LogLine[];
  /** Since when, each time that something given up was decided. */
  readonly decidedLate: number[];
}

/** What a db-proxy is but for its links, with a log that can be read. */
export async function openStorer(
  t: Teardown,
  databaseUrl: string,
  masterKey: string,
  over: Partial<StorageSettings> = {},
): Promise<Storer> {
  const lines: LogLine[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const settings = { ...readSettings('db-proxy', dbProxySettings, { env: {} }), databaseUrl, masterKey, ...over };
  const quiet = { stored: () => undefined, batch: () => undefined, repeated: () => undefined };
  const decidedLate: number[] = [];
  const watch = {
    decided: quiet.stored,
    redisCalled: quiet.stored,
    decidedLate: (ms: number) => void decidedLate.push(ms),
  };
  const storage = await openStorage(settings, log, quiet, watch);
  t.teardown(() => storage.close());
  return { storage, lines, decidedLate };
}

const WINDOW = 4;
const RETRY_MS = 50;

/**
 * Stores without a pause through several db-proxies, into the same conversations at once, as msg servers do: what is
 * refused for now goes again under its send_id. In the end all that was acked has to be there, once and in order.
 */
export class Storing {
  readonly checker = new HistoryChecker();
  /** Refused for now, and asked again. */
  refused = 0;
  readonly #proxies: readonly Storer[];
  readonly #conversations: readonly bigint[];
  readonly #ackedSentMs = new Map<string, number>();
  readonly #writers: Promise<void>[] = [];
  readonly #pauseMs: number;
  #count = 0;
  #quiet = false;

  /** @param pauseMs between an ack and the next message, so that the faults keep the machine busy and not the writing */
  constructor(proxies: readonly Storer[], conversations: readonly bigint[], pauseMs = 25) {
    this.#proxies = proxies;
    this.#conversations = conversations;
    this.#pauseMs = pauseMs;
    for (const [i, proxy] of proxies.entries())
      for (const id of conversations)
        for (let slot = 0; slot < WINDOW; slot++) this.#writers.push(this.#write(proxy.storage, `${i}`, id));
  }

  /** Waits until every db-proxy has stored into all of these something that was sent from now on. @returns after how many ms */
  async flows(what: string, conversations = this.#conversations, ms = 30_000): Promise<number> {
    const nowMs = performance.now();
    const isThrough = (id: bigint) => this.#proxies.every((_, i) => (this.#ackedSentMs.get(`${i} ${id}`) ?? 0) > nowMs);
    await until(() => conversations.every(isThrough), `messages to be stored ${what}`, ms);
    return Math.round(performance.now() - nowMs);
  }

  /** Whether something was acked that was sent to this conversation since then. */
  hasAckSince(id: bigint, sinceMs: number): boolean {
    return this.#proxies.some((_, i) => (this.#ackedSentMs.get(`${i} ${id}`) ?? 0) > sinceMs);
  }

  /** Says nothing new, reads everything and judges it. */
  async faults(): Promise<Fault[]> {
    this.#quiet = true;
    await Promise.all(this.#writers);
    const { messages } = this.#proxies[0]!.storage;
    for (const id of this.#conversations) {
      for (let begin = await messages.head(id); begin > 0; ) {
        const page = await messages.page(id, begin, 0, 200);
        const kept = page.map(({ msgId, senderId, body }) => ({ msgId, sender: senderId, text: body.toString() }));
        this.checker.page(`${id}`, kept);
        begin = page.length === 0 ? 0 : page.at(-1)!.msgId - 1;
      }
    }
    return this.checker.faults();
  }

  async #write(storage: Storage, stream: string, id: bigint): Promise<void> {
    const senderId = isGroupConversation(id) ? 1 : usersOf(id)[0]!;
    while (!this.#quiet) {
      const text = `${stream} ${++this.#count}`;
      const body = Buffer.from(text);
      const draft = { conversationId: id, senderId, msgType: 1, body, sendId: randomBytes(16) };
      const sentMs = performance.now();
      this.checker.send(`${id}`, senderId, `${stream} ${id}`, text);
      const { msgId } = await this.#persist(storage, draft, text);
      this.checker.ack(`${id}`, text, msgId);
      this.#ackedSentMs.set(`${stream} ${id}`, Math.max(this.#ackedSentMs.get(`${stream} ${id}`) ?? 0, sentMs));
      if (this.#pauseMs > 0) await pause(this.#pauseMs);
    }
  }

  async #persist(storage: Storage, draft: Parameters<Storage['append']['store']>[0], text: string) {
    for (;;) {
      try {
        return await storage.append.store(draft);
      } catch (error) {
        if (!(error instanceof ImError && error.retry)) throw error;
        this.refused++;
        this.checker.refused(`${draft.conversationId}`, text);
        await pause(RETRY_MS);
      }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export const SINGLES = [singleConversation(1, 2), singleConversation(1, 3), singleConversation(2, 3)];
