import { Cluster, type Redis } from 'ioredis';
import type { Logger } from './log.js';
import { connect, slotOf } from './redis.js';
import { parseRedisUrl } from './redis-place.js';

/** What may wait for a Redis that has stopped answering; beyond it nothing more is published. */
const WAITING_SIZE_MAX = 64 * 1024 * 1024;

const REDIAL_MS = 200;

export interface ChannelsOptions {
  /** As parseRedisUrl has it. Redis 7 or newer. */
  readonly url: string;
  readonly names: readonly string[];
  readonly log: Logger;
  /** What somebody, we ourselves included, has published; `at`: its name's place among the names. */
  heard(at: number, bytes: Buffer): void;
}

/**
 * A fixed set of channels of Redis' sharded pub/sub, each heard whole; in a Redis Cluster they are spread over its
 * masters. Redis forgets whom it cannot tell at once: what is published comes once, in the order of its publisher, or
 * not at all. Who needs more has to count, and calls `mend` when a channel has fallen silent.
 */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #publisher: Redis | Cluster;
  /** Connections that listen, by node. */
  readonly #listeners = new Map<string, Redis>();
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #slots: readonly number[];
  /** By channel: the node that was asked for it. */
  readonly #nodes: (string | undefined)[];
  #waitingSize = 0;
  #closed = false;

  /** Connects in the background and keeps trying. @throws Error for a URL that is none. */
  constructor(options: ChannelsOptions) {
    this.#options = options;
    this.#indexes = new Map(options.names.map((name, at) => [name, at]));
    this.#slots = options.names.map(slotOf);
    this.#nodes = options.names.map(() => undefined);
    this.#publisher = connect(parseRedisUrl(options.url));
    this.#publisher.on('error', () => undefined); // what does not come is noticed by whoever counts
    this.#publisher.on('ready', () => this.mend([]));
  }

  /** Best effort. */
  publish(at: number, bytes: Buffer): void {
    if (this.#closed || this.#waitingSize + bytes.length > WAITING_SIZE_MAX) return;
    this.#waitingSize += bytes.length;
    const done = () => {
      this.#waitingSize -= bytes.length;
    };
    this.#publisher.spublish(this.#options.names[at]!, bytes).then(done, done);
  }

  /** Listens where each channel is by now; to those that have fallen silent anew, in any case. */
  mend(silent: readonly number[]): void {
    if (this.#closed || this.#publisher.status !== 'ready') return;
    for (const [at, slot] of this.#slots.entries()) {
      const node = this.#nodeOf(slot);
      if (node === undefined || (node === this.#nodes[at] && !silent.includes(at))) continue;
      this.#nodes[at] = node;
      const listener = this.#listeners.get(node) ?? this.#listen(node);
      if (listener?.status === 'ready') this.#subscribe(listener, at);
    }
    for (const [node, listener] of this.#listeners) {
      if (this.#nodes.includes(node)) continue;
      this.#listeners.delete(node);
      listener.disconnect();
    }
  }

  close(): void {
    this.#closed = true;
    this.#publisher.disconnect();
    for (const listener of this.#listeners.values()) listener.disconnect();
  }

  #nodeOf(slot: number): string | undefined {
    return this.#publisher instanceof Cluster ? this.#publisher.slots[slot]?.[0] : 'the one';
  }

  #listen(node: string): Redis | undefined {
    const own = { autoResubscribe: false, lazyConnect: false, retryStrategy: () => REDIAL_MS };
    const listener = this.#connection(node)?.duplicate(own);
    if (listener === undefined) return undefined;
    this.#listeners.set(node, listener);
    listener.on('error', () => undefined);
    listener.on('smessageBuffer', (channel: Buffer, bytes: Buffer) => {
      const at = this.#indexes.get(channel.toString());
      if (at !== undefined) this.#options.heard(at, bytes);
    });
    let isListening = false;
    listener.on('ready', () => {
      isListening = true;
      this.#options.log.info({ redis: node }, 'listening');
      for (const [at, each] of this.#nodes.entries()) if (each === node) this.#subscribe(listener, at);
    });
    listener.on('close', () => {
      if (isListening && !this.#closed) this.#options.log.warn({ redis: node }, 'not listening');
      isListening = false;
    });
    return listener;
  }

  #connection(node: string): Redis | undefined {
    if (!(this.#publisher instanceof Cluster)) return this.#publisher;
    return this.#publisher.nodes('master').find(({ options }) => `${options.host}:${options.port}` === node);
  }

  /** One by one, as channels of one command have to be in one slot. Asked again when it stays silent. */
  #subscribe(listener: Redis, at: number): void {
    listener.ssubscribe(this.#options.names[at]!).catch(() => undefined);
  }
}
