import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Logger } from '../../common/log.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { cluster } from '../../common/pdu/commands.js';
import { Frame, HEADER_SIZE } from '../../common/pdu/header.js';
import type { IM } from '../../common/pdu/pb.js';
import { Channels } from '../../common/redis-channels.js';
import { PREFIX } from '../../common/redis-place.js';

/** Enough to be spread over the masters of a Redis Cluster. The same in all builds. */
const CHANNELS = 16;
/** Where what has to keep its order whatever it is about goes: who is online, and what is for everybody. */
const COMMON = 0;
/** On every channel, with news or without any. */
const PULSE_MS = 500;
/** After so many pulses that did not come there may be more that does not. */
const PULSES_LATE = 6;
/** After so many on no channel, while our own come, a route server is gone. */
const PULSES_GONE = 20;
/** While something is late, what may have been missed is looked for every so many pulses. */
const PULSES_BETWEEN_LOOKS = 4;
/** Much at one moment goes in several messages. */
const NEWS_SIZE_MAX = 256 * 1024;
const PROOF_SIZE = 32;
/** A start is not held up for longer by a Redis that is not there. */
const UP_MS_MAX = 2_000;
const UP_LOOK_MS = 50;

export interface BackplaneOptions {
  readonly name: string;
  /** Of Redis, as parseRedisUrl has it. */
  readonly redis: string;
  readonly clusterSecret: string;
  readonly log: Logger;
  /** What goes out with every pulse. */
  pulse(): Buffer;
  /** A frame of another route server; `life`: it since its last start. */
  heard(life: string, frame: Frame): void;
  /** Something that others have said since then (wall clock) did not come. */
  missed(sinceMs: number): void;
  /** Another one was heard for the first time, or something of it about who is online was missed. */
  unsure(): void;
  /** It was not heard for long, or has started anew. */
  gone(life: string): void;
}

/** What was heard of a route server on one channel. */
interface Heard {
  /** Undefined: nothing so far. */
  seq: number | undefined;
  /** By the sender's clock: what was said until then has come, or has been looked for. */
  sentMs: number;
  pulsesMissed: number;
}

interface Sender {
  readonly route: string;
  readonly channels: readonly Heard[];
}

/** Route servers that are not heard any more, of which is kept until when they were. */
const GONE_MAX = 64;

/**
 * What joins the route servers of a cluster: each says what it hears from its msg servers to all others, over channels
 * of Redis. A channel hears all of it and each route server passes on what its own msg servers care about, so nobody
 * waits for a subscription when somebody logs in, and a lost word is always noticed.
 *
 * Redis may lose anything at any moment, by a restart, a failover or a cut connection, and says nothing. So everything on
 * a channel is counted by its sender, and every channel has a pulse. A number that is skipped, a pulse that does not
 * come: then msg servers look in the store for what they may have missed, as after any other disturbance. Without
 * Redis they go on looking every two seconds. Our own pulses come back to us as well: they tell a silent Redis from a silent
 * route server.
 */
export class Backplane {
  readonly #options: BackplaneOptions;
  readonly #channels: Channels;
  readonly #life = randomUUID();
  readonly #seqs = new Array<number>(CHANNELS).fill(0);
  readonly #outgoing: { frames: Buffer[]; size: number }[];
  /** By their life, as a name may be taken twice by mistake. */
  readonly #senders = new Map<string, Sender>();
  /** Until when all was heard of those that are gone: it may be we who were cut off from them, or they from Redis. */
  readonly #gone = new Map<string, number>();
  readonly #startedMs = Date.now();
  readonly #timer: NodeJS.Timeout;
  #flushing: NodeJS.Immediate | undefined;
  #pulses = 0;

  constructor(options: BackplaneOptions) {
    this.#options = options;
    const cluster = createHash('sha256').update(`backplane ${options.clusterSecret}`).digest('hex').slice(0, 16);
    this.#outgoing = Array.from({ length: CHANNELS }, () => ({ frames: [], size: 0 }));
    this.#sender(this.#life, options.name, this.#startedMs);
    this.#channels = new Channels({
      url: options.redis,
      names: Array.from({ length: CHANNELS }, (_, at) => `${PREFIX}:${cluster}:route:${at}`),
      log: options.log,
      heard: (at, bytes) => this.#heard(at, bytes),
    });
    this.#timer = setInterval(() => this.#pulse(), PULSE_MS);
  }

  /** Resolves when what we say is heard, ourselves included, or Redis is not to be had at the moment. */
  async up(): Promise<void> {
    const untilMs = performance.now() + UP_MS_MAX;
    const own = this.#senders.get(this.#life)!.channels;
    while (own.some(({ seq }) => seq === undefined) && performance.now() < untilMs) {
      for (let at = 0; at < CHANNELS; at++) this.#flush(at);
      await new Promise((resolve) => setTimeout(resolve, UP_LOOK_MS));
    }
  }

  /** To all other route servers. What has the same key keeps its order; without one, all that has none does. */
  say(frame: Buffer, key?: number): void {
    const at = key === undefined ? COMMON : 1 + (key % (CHANNELS - 1));
    const out = this.#outgoing[at]!;
    out.frames.push(frame);
    out.size += frame.length;
    if (out.size > NEWS_SIZE_MAX) this.#flush(at);
    this.#flushing ??= setImmediate(() => this.#flushAll());
  }

  /** Other route servers that were heard lately. */
  get others(): number {
    return this.#senders.size - 1;
  }

  /** Channels of other route servers, or our own, that are silent at the moment. */
  get late(): number {
    let count = 0;
    for (const { channels } of this.#senders.values()) count += channels.filter(isLate).length;
    return count;
  }

  /** What was said until now still leaves. */
  close(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#flushing);
    this.#flushAll();
    this.#channels.close();
  }

  #flushAll(): void {
    this.#flushing = undefined;
    for (let at = 0; at < CHANNELS; at++) if (this.#outgoing[at]!.frames.length > 0) this.#flush(at);
  }

  #flush(at: number): void {
    const { name: route, clusterSecret } = this.#options;
    const { frames: frame } = this.#outgoing[at]!;
    this.#outgoing[at] = { frames: [], size: 0 };
    const news = {
      route,
      life: this.#life,
      seq: this.#seqs[at]!++,
      sentMs: Date.now(),
      frame,
      startedMs: this.#startedMs,
    };
    const bytes = encodeFrame(cluster.routeNews, 0, news);
    this.#channels.publish(at, Buffer.concat([proofOf(clusterSecret, at, bytes), bytes]));
  }

  #pulse(): void {
    this.#outgoing[COMMON]!.frames.push(this.#options.pulse());
    for (let at = 0; at < CHANNELS; at++) this.#flush(at);
    for (const { channels } of this.#senders.values()) for (const each of channels) each.pulsesMissed++;
    const own = this.#senders.get(this.#life)!.channels;
    this.#channels.mend([...own.keys()].filter((at) => isLate(own[at]!)));
    this.#forgetGone(own);
    if (++this.#pulses % PULSES_BETWEEN_LOOKS === 0) this.#lookForLate();
  }

  #forgetGone(own: readonly Heard[]): void {
    if (own.every(isLate)) return; // it is Redis that is gone
    for (const [life, { route, channels }] of this.#senders) {
      if (channels === own || !channels.every(({ pulsesMissed }) => pulsesMissed > PULSES_GONE)) continue;
      this.#senders.delete(life);
      this.#keepGone(life, Math.min(...channels.map(({ sentMs }) => sentMs)));
      this.#options.log.warn({ route }, 'route server gone');
      this.#options.gone(life);
    }
  }

  #lookForLate(): void {
    const late = [...this.#senders.values()].flatMap(({ channels }) => channels.filter(isLate));
    if (late.length === 0) return;
    const sinceMs = Math.min(...late.map(({ sentMs }) => sentMs));
    for (const each of late) each.sentMs = Date.now();
    this.#options.missed(sinceMs);
  }

  #heard(at: number, bytes: Buffer): void {
    const news = this.#decoded(at, bytes);
    if (news === undefined) return;
    const { route, life, seq, sentMs, startedMs } = news;
    const isOwn = life === this.#life;
    const heard = this.#sender(life, route, startedMs).channels[at]!;
    if (heard.seq !== undefined && seq <= heard.seq) return; // said again by somebody who only listens
    if (!isOwn && seq !== (heard.seq ?? -1) + 1) {
      this.#options.missed(heard.sentMs);
      if (at === COMMON) this.#options.unsure();
    }
    Object.assign(heard, { seq, sentMs, pulsesMissed: 0 });
    if (!isOwn) for (const frame of news.frame) this.#options.heard(life, new Frame(frame as Buffer));
  }

  #keepGone(life: string, sentMs: number): void {
    const [oldest] = this.#gone.keys();
    if (this.#gone.size === GONE_MAX) this.#gone.delete(oldest!);
    this.#gone.set(life, sentMs);
  }

  /** @param startedMs undefined: an earlier build, which does not say it */
  #sender(life: string, route: string, startedMs: number | undefined): Sender {
    const known = this.#senders.get(life);
    if (known !== undefined) return known;
    // All that it has said so far, and that was not said before we were here, may have been missed.
    const saidMs = this.#gone.get(life) ?? startedMs ?? Date.now() - 2 * PULSES_LATE * PULSE_MS;
    const sentMs = Math.max(this.#startedMs, saidMs);
    this.#gone.delete(life);
    const heard = (): Heard => ({ seq: undefined, sentMs, pulsesMissed: 0 });
    const sender = { route, channels: Array.from({ length: CHANNELS }, heard) };
    this.#senders.set(life, sender);
    if (life !== this.#life) {
      this.#options.log.info({ route }, 'route server heard');
      this.#options.unsure();
    }
    return sender;
  }

  #decoded(at: number, bytes: Buffer): IM.Cluster.IMRouteNews | undefined {
    const [proof, frame] = [bytes.subarray(0, PROOF_SIZE), bytes.subarray(PROOF_SIZE)];
    const right = proofOf(this.#options.clusterSecret, at, frame);
    if (proof.length !== right.length || !timingSafeEqual(proof, right)) {
      this.#options.log.warn({ channel: at }, 'news without a proof, not heard');
      return undefined;
    }
    return cluster.routeNews.codec.decode(frame.subarray(HEADER_SIZE));
  }
}

function isLate({ pulsesMissed }: Heard): boolean {
  return pulsesMissed > PULSES_LATE;
}

function proofOf(secret: string, at: number, bytes: Buffer): Buffer {
  return createHmac('sha256', secret).update(`route news on ${at}`).update(bytes).digest();
}
