import { createHmac, timingSafeEqual } from 'node:crypto';
import { SteadyClock } from './clock.js';
import { HOP_KINDS, type Hop } from './hop.js';

/**
 * The way of the last messages through this server: when it had which of them, how long each step took, and never what
 * they say. A ring in memory, a row a message: what is older than the ring, or than the process, is no longer known.
 *
 * Every message of the hot path passes here, so a row is 64 bytes of one buffer, written without making an object:
 *
 *    0  f64  when it began here, ms since 1970        36  u8   kind     37  u8  name, an index
 *    8  i64  conversation                             40  f32  four steps, ms since it began; NaN: was not taken
 *   16  16   send_id; when passed on: to whom, bits   56  i32  count
 *   32  i32  msg_id, 0 as long as there is none
 */
const ACCEPTED = HOP_KINDS.indexOf('accepted');
const REFUSED = HOP_KINDS.indexOf('refused');
const STORED = HOP_KINDS.indexOf('stored');
const SETTLED = HOP_KINDS.indexOf('settled');
const READ = HOP_KINDS.indexOf('read');
const RELAYED = HOP_KINDS.indexOf('relayed');
const DELIVERED = HOP_KINDS.indexOf('delivered');
const PUSHED = HOP_KINDS.indexOf('pushed');
const TOLD = HOP_KINDS.indexOf('told');

const ROW_SIZE = 64;
export const HOPS_KEPT = 131_072;
const STEPS = 4;
const SEND_ID_SIZE = 16;
/** Names of servers, consumers, reasons; one more is shown as the last one, `…`. */
const NAMES_MAX = SEND_ID_SIZE * 8;
/** What one question gets at most, newest first. */
const FOUND_MAX = 500;

/** What is asked for: by either id. */
export interface HopQuery {
  readonly conversationId?: bigint | undefined;
  readonly msgId?: number | undefined;
  /** 16 bytes. */
  readonly sendId?: Uint8Array | undefined;
}

/** All times that come in are performance.now(). */
export class Hops {
  readonly #bytes = new Uint8Array(HOPS_KEPT * ROW_SIZE); // the machine gives memory to those pages only that are written
  readonly #f64 = new Float64Array(this.#bytes.buffer);
  readonly #i64 = new BigInt64Array(this.#bytes.buffer);
  readonly #f32 = new Float32Array(this.#bytes.buffer);
  readonly #i32 = new Int32Array(this.#bytes.buffer);
  readonly #names: string[] = [''];
  readonly #indices = new Map([['', 0]]);
  readonly #startedMs = Date.now();
  /** Rows written in all. */
  #written = 0;
  readonly #clock = new SteadyClock();

  /**
   * A message came in from somebody, and was acknowledged. `sessions`: that were written to at this server; `again`: it
   * had been stored before.
   */
  accepted(
    conversationId: bigint,
    msgId: number,
    sendId: Uint8Array,
    receivedMs: number,
    allowedMs: number,
    checkedMs: number,
    ackedMs: number,
    toldMs: number,
    sessions: number,
    again: boolean,
  ): void {
    const name = again ? this.#index('again') : 0;
    const row = this.#row(ACCEPTED, conversationId, msgId, receivedMs, sessions, name);
    this.#bytes.set(sendId, row * ROW_SIZE + 16);
    this.#steps(row, allowedMs - receivedMs, checkedMs - receivedMs, ackedMs - receivedMs, toldMs - receivedMs);
  }

  /** A message came in and was not acknowledged. */
  refused(conversationId: bigint, sendId: Uint8Array, receivedMs: number, code: string): void {
    const row = this.#row(REFUSED, conversationId, 0, receivedMs, 0, this.#index(code));
    this.#bytes.set(sendId, row * ROW_SIZE + 16);
    this.#steps(row, performance.now() - receivedMs);
  }

  /** Committed, in a batch of so many; 0: by an earlier ask. */
  stored(
    conversationId: bigint,
    msgId: number,
    sendId: Uint8Array,
    queuedMs: number,
    begunMs: number,
    committedMs: number,
    batch: number,
  ): void {
    const row = this.#row(STORED, conversationId, msgId, queuedMs, batch, 0);
    this.#bytes.set(sendId, row * ROW_SIZE + 16);
    this.#steps(row, begunMs - queuedMs, committedMs - queuedMs);
  }

  /** A consumer of the outbox is done with it. */
  settled(conversationId: bigint, msgId: number, consumer: string): void {
    this.#steps(this.#row(SETTLED, conversationId, msgId, performance.now(), 0, this.#index(consumer)));
  }

  /** Somebody has read up to there. */
  read(conversationId: bigint, msgId: number, userId: number): void {
    this.#steps(this.#row(READ, conversationId, msgId, performance.now(), userId, 0));
  }

  /** Passed on to these servers, `from` excepted; it came from there. */
  relayed<Receiver extends { readonly name: string; readonly role: string }>(
    conversationId: bigint,
    msgId: number,
    from: Receiver,
    receivers: Iterable<Receiver>,
  ): void {
    const row = this.#row(RELAYED, conversationId, msgId, performance.now(), 0, this.#index(from.name));
    let count = 0;
    for (const receiver of receivers) {
      if (receiver === from || receiver.role !== 'msg') continue;
      const bit = this.#index(receiver.name);
      this.#bytes[row * ROW_SIZE + 16 + (bit >> 3)]! |= 1 << (bit & 7);
      count++;
    }
    this.#i32[row * 16 + 14] = count;
    this.#steps(row);
  }

  /** Written to so many sessions; `by`: the route server that passed it on, undefined when it was looked up after a disturbance. */
  delivered(conversationId: bigint, msgId: number, firstMs: number, sessions: number, by: string | undefined): void {
    const name = by === undefined ? this.#index('missed') : 0;
    const row = this.#row(DELIVERED, conversationId, msgId, firstMs, sessions, name);
    this.#steps(row, performance.now() - firstMs);
  }

  /** What vendors of pushes said: `result` is sent, later, gone, …, of so many phones. */
  pushed(conversationId: bigint, msgId: number, begunMs: number, result: string, phones: number): void {
    const row = this.#row(PUSHED, conversationId, msgId, begunMs, phones, this.#index(result));
    this.#steps(row, performance.now() - begunMs);
  }

  /** A webhook was asked; `result`: delivered, failed or given-up. */
  told(conversationId: bigint, msgId: number, begunMs: number, result: string): void {
    const row = this.#row(TOLD, conversationId, msgId, begunMs, 1, this.#index(result));
    this.#steps(row, performance.now() - begunMs);
  }

  /** The clock of this server, and since when it knows. */
  get nowMs(): number {
    return this.#clock.at(performance.now());
  }

  get sinceMs(): number {
    return this.#written <= HOPS_KEPT ? this.#startedMs : this.#f64[(this.#written % HOPS_KEPT) * 8]!;
  }

  /** Newest first. Of what was read: by each user when he first came to the message or behind it. */
  find({ conversationId, msgId, sendId }: HopQuery): Hop[] {
    const wanted = new DataView(new ArrayBuffer(SEND_ID_SIZE + 8));
    if (sendId !== undefined) new Uint8Array(wanted.buffer).set(sendId.subarray(0, SEND_ID_SIZE));
    wanted.setBigInt64(SEND_ID_SIZE, conversationId ?? 0n, true);
    const send = [0, 4, 8, 12].map((at) => wanted.getInt32(at, true));
    const [low, high] = [wanted.getInt32(SEND_ID_SIZE, true), wanted.getInt32(SEND_ID_SIZE + 4, true)];
    const isMessage = (at: number, kind: number) =>
      conversationId !== undefined &&
      msgId !== undefined &&
      this.#i32[at + 2] === low &&
      this.#i32[at + 3] === high &&
      (kind === READ ? this.#i32[at + 8]! >= msgId : this.#i32[at + 8] === msgId);
    const isSend = (at: number, kind: number) =>
      sendId !== undefined &&
      (kind === ACCEPTED || kind === REFUSED || kind === STORED) &&
      send.every((word, i) => this.#i32[at + 4 + i] === word);
    const found: Hop[] = [];
    const reads = new Map<number, number>();
    for (let n = this.#written - 1; n >= Math.max(0, this.#written - HOPS_KEPT) && found.length < FOUND_MAX; n--) {
      const row = n % HOPS_KEPT;
      const kind = this.#bytes[row * ROW_SIZE + 36]!;
      if (!isMessage(row * 16, kind) && !isSend(row * 16, kind)) continue;
      const hop = this.#hop(row, kind);
      const later = kind === READ ? reads.get(hop.count) : undefined;
      if (kind === READ) reads.set(hop.count, later ?? found.length);
      if (later === undefined) found.push(hop);
      else found[later] = hop;
    }
    return found;
  }

  #hop(row: number, kind: number): Hop {
    const bytes = this.#bytes.subarray(row * ROW_SIZE, (row + 1) * ROW_SIZE);
    const withSendId = kind === ACCEPTED || kind === REFUSED || kind === STORED;
    const place = bytes.subarray(16, 16 + SEND_ID_SIZE);
    const receivers = this.#names.filter((_, bit) => (place[bit >> 3]! & (1 << (bit & 7))) !== 0);
    return {
      kind: HOP_KINDS[kind]!,
      atMs: this.#f64[row * 8]!,
      steps: Array.from(this.#f32.subarray(row * 16 + 10, row * 16 + 10 + STEPS), (ms) => (ms >= 0 ? ms : null)),
      conversationId: String(this.#i64[row * 8 + 1]),
      msgId: this.#i32[row * 16 + 8]!,
      ...(withSendId ? { sendId: Buffer.from(place).toString('hex') } : {}),
      count: this.#i32[row * 16 + 14]!,
      name: this.#names[bytes[37]!]!,
      ...(kind === RELAYED ? { receivers } : {}),
    };
  }

  /** Takes the next row, or the oldest one. */
  #row(kind: number, conversationId: bigint, msgId: number, startedMs: number, count: number, name: number): number {
    const row = this.#written++ % HOPS_KEPT;
    this.#f64[row * 8] = this.#clock.at(startedMs);
    this.#i64[row * 8 + 1] = conversationId;
    this.#f64[row * 8 + 2] = 0; // whose send_id it was
    this.#f64[row * 8 + 3] = 0;
    this.#i32[row * 16 + 8] = msgId;
    this.#bytes[row * ROW_SIZE + 36] = kind;
    this.#bytes[row * ROW_SIZE + 37] = name;
    this.#i32[row * 16 + 14] = count;
    return row;
  }

  #steps(row: number, first = Number.NaN, second = Number.NaN, third = Number.NaN, fourth = Number.NaN): void {
    const at = row * 16 + 10;
    this.#f32[at] = first;
    this.#f32[at + 1] = second;
    this.#f32[at + 2] = third;
    this.#f32[at + 3] = fourth;
  }

  #index(name: string): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const index = Math.min(this.#names.length, NAMES_MAX - 1);
    this.#names[index] = index === NAMES_MAX - 1 ? '…' : name;
    if (index < NAMES_MAX - 1) this.#indices.set(name, index);
    return index;
  }
}

/** The question about a message, as the path and the query of a URL. */
export function hopsPath({ conversationId, msgId, sendId }: HopQuery): string {
  const query = new URLSearchParams();
  if (conversationId !== undefined) query.set('conversation', String(conversationId));
  if (msgId !== undefined) query.set('msg', String(msgId));
  if (sendId !== undefined) query.set('send', Buffer.from(sendId).toString('hex'));
  return `${HOPS_PATH}?${query}`;
}

export const HOPS_PATH = '/hops';

/** @returns undefined when it asks for nothing that there could be */
export function hopsQuery(path: string): HopQuery | undefined {
  const query = new URL(path, 'http://here').searchParams;
  const [conversation, msg, send] = ['conversation', 'msg', 'send'].map((name) => query.get(name) ?? undefined);
  const isPlace = conversation !== undefined && /^\d{1,19}$/.test(conversation) && /^\d{1,9}$/.test(msg ?? '');
  const isSend = send !== undefined && /^[0-9a-f]{32}$/.test(send);
  if (!isPlace && !isSend) return undefined;
  return {
    ...(isPlace ? { conversationId: BigInt.asIntN(64, BigInt(conversation)), msgId: Number(msg) } : {}),
    ...(isSend ? { sendId: Buffer.from(send, 'hex') } : {}),
  };
}

/** Who writes to whom is not for everybody who reaches an ops port: whoever asks proves that he knows the secret. */
export function hopsProof(clusterSecret: string, path: string): string {
  return createHmac('sha256', clusterSecret).update(`hops ${path}`).digest('base64url');
}

export function isHopsProof(clusterSecret: string, path: string, proof: string): boolean {
  const expected = Buffer.from(hopsProof(clusterSecret, path));
  const given = Buffer.from(proof);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
