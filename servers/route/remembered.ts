import { createHash } from 'node:crypto';
import type { Peer } from '../../common/net/peers.js';
import type { Soft } from '../../common/redis.js';
import { PREFIX } from '../../common/redis-place.js';
import { standIn } from './elsewhere.js';
import type { Presence } from './presence.js';

/** Presence is written when it has changed, at most so often, and forgotten by Redis after so long without a word. */
const WRITE_MS = 1_000;
const LIFE_MS = 60_000;
/** Written anew within its life although nothing has changed. */
const RENEW_MS = LIFE_MS / 3;
/** No msg server is called that. */
const SERVERS = '*';
/** Msg servers that were there before the start and have not come by then are gone. */
const COME_BACK_MS = 15_000;
/** A start is not held up for longer by a Redis that is not there. */
const CONNECT_MS = 1_000;

/**
 * Who is online, kept in Redis beside the route server's own memory: one that was started again knows it before the msg
 * servers have found it. What it remembers of a msg server ends when that one tells by itself, here or at another route
 * server, or does not come. Redis flushed or gone costs this head start and nothing else.
 *
 *   tt:<cluster>:presence:*         names of msg servers, JSON
 *   tt:<cluster>:presence:<name>    [user id, client type, sessions] of each, JSON
 */
export class Remembered {
  readonly #redis: Soft;
  readonly #presence: Presence;
  readonly #prefix: string;
  readonly #timer: NodeJS.Timeout;
  /** Msg server → what is in Redis, and since when. */
  readonly #written = new Map<string, { text: string; ms: number }>();
  readonly #awaited = new Map<string, Peer>();
  readonly #gone: (userIds: number[]) => void;
  #expiry: NodeJS.Timeout | undefined;

  /** `gone`: users whose PC went with a msg server that did not come back. */
  constructor(redis: Soft, presence: Presence, clusterSecret: string, gone: (userIds: number[]) => void) {
    this.#redis = redis;
    this.#presence = presence;
    this.#gone = gone;
    const cluster = createHash('sha256').update(`presence ${clusterSecret}`).digest('hex').slice(0, 16);
    this.#prefix = `${PREFIX}:${cluster}:presence`;
    this.#timer = setInterval(() => void this.#write(), WRITE_MS);
  }

  /** Before anybody connects. */
  async load(): Promise<void> {
    const until = performance.now() + CONNECT_MS;
    while (this.#redis.nodesDown > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const names = parsed<string[]>(await this.#redis.get(`${this.#prefix}:${SERVERS}`)) ?? [];
    await Promise.all(
      names.map(async (name) => {
        const sessions = parsed<[number, number, number][]>(await this.#redis.get(`${this.#prefix}:${name}`));
        if (sessions === undefined) return;
        const peer = standIn('msg', name);
        for (const [userId, clientType, count] of sessions)
          for (let i = 0; i < count; i++) this.#presence.change(peer, userId, clientType, 1);
        this.#awaited.set(name, peer);
      }),
    );
    this.#expiry = setTimeout(() => {
      for (const name of this.#awaited.keys()) this.#gone(this.came(name));
    }, COME_BACK_MS);
  }

  /** It tells by itself from now on. @returns the users whose PC is not known to be online any more */
  came(name: string): number[] {
    const peer = this.#awaited.get(name);
    this.#awaited.delete(name);
    return peer === undefined ? [] : this.#presence.forget(peer);
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#expiry);
    this.#redis.close();
  }

  async #write(): Promise<void> {
    const nowMs = performance.now();
    const sessions = this.#presence.byServer();
    for (const name of this.#written.keys()) if (name !== SERVERS && !sessions.has(name)) sessions.set(name, []);
    const names = JSON.stringify([...sessions.keys()].sort());
    const all: [string, string][] = [...sessions].map(([name, list]) => [name, JSON.stringify(list)]);
    for (const [key, text] of [...all, [SERVERS, names] as const]) {
      const before = this.#written.get(key);
      if (before?.text === text && nowMs - before.ms < RENEW_MS) continue;
      if ((await this.#redis.set(`${this.#prefix}:${key}`, text, LIFE_MS)) === true)
        this.#written.set(key, { text, ms: nowMs });
    }
  }
}

function parsed<T>(text: string | null | undefined): T | undefined {
  try {
    return text == null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}
