import type { ChatMessage } from '../../common/client/chat-message.js';

type Delivered = Pick<ChatMessage, 'text' | 'msgId' | 'sessionId' | 'sessionType'>;

/** What was sent, acknowledged and delivered, and how long it took. */
export class Ledger {
  /** Times from sending to the ack, and to a delivery; ms. */
  readonly ackMs: number[] = [];
  readonly deliveryMs: number[] = [];
  readonly notes: Record<string, number> = {};
  /** Times of other things that clients do, by what they are; ms. */
  readonly kinds = new Map<string, number[]>();
  #unacked = 0;
  #doubled = 0;
  #reordered = 0;
  #acked = 0;
  #deliveries = 0;
  #lost: number | undefined;
  readonly #perMessage: number;
  /** Text → when it was sent. */
  readonly #sentMs = new Map<string, number>();
  /** Receiver and conversation → the newest message and all that came. */
  readonly #seen = new Map<string, { newest: number; ids: Set<number> }>();

  /** @param perMessage receivers of each message */
  constructor(perMessage = 1) {
    this.#perMessage = perMessage;
  }

  /** @returns the text to send */
  sending(name: string): string {
    const text = `bench ${name} ${'x'.repeat(60)}`;
    this.#sentMs.set(text, performance.now());
    return text;
  }

  ackedText(text: string): void {
    this.acked(performance.now() - this.#sentMs.get(text)!);
  }

  acked(ms: number): void {
    this.#acked++;
    this.ackMs.push(ms);
  }

  unacked(): void {
    this.#unacked++;
  }

  delivered(message: Delivered, receiverId: number): void {
    const sentMs = this.#sentMs.get(message.text ?? '');
    if (sentMs === undefined) return;
    this.deliveryMs.push(performance.now() - sentMs);
    const key = `${receiverId} ${message.sessionType} ${message.sessionId}`;
    const seen = this.#seen.get(key) ?? { newest: 0, ids: new Set<number>() };
    this.#seen.set(key, seen);
    if (seen.ids.has(message.msgId)) this.#doubled++;
    else this.#deliveries++;
    if (message.msgId < seen.newest) this.#reordered++;
    seen.newest = Math.max(seen.newest, message.msgId);
    seen.ids.add(message.msgId);
  }

  /** One thing of a kind was done. It counts as an operation. */
  done(kind: string, ms: number): void {
    const times = this.kinds.get(kind);
    if (times === undefined) this.kinds.set(kind, [ms]);
    else times.push(ms);
    this.acked(ms);
  }

  /** Of messages that were counted elsewhere. */
  found(counts: {
    readonly deliveries: number;
    readonly lost: number;
    readonly doubled: number;
    readonly reordered: number;
  }): void {
    this.#deliveries = counts.deliveries;
    this.#doubled = counts.doubled;
    this.#reordered = counts.reordered;
    this.#lost = counts.lost;
  }

  note(name: string, value: number): void {
    this.notes[name] = value;
  }

  /** Deliveries of acknowledged messages that have not come. */
  get missing(): number {
    return this.deliveryMs.length === 0 && this.#sentMs.size === 0
      ? 0
      : this.#acked * this.#perMessage - this.#deliveries;
  }

  get counts() {
    const { missing } = this;
    return {
      acked: this.#acked,
      unacked: this.#unacked,
      deliveries: this.#deliveries,
      lost: this.#lost ?? Math.max(0, missing),
      doubled: this.#doubled,
      reordered: this.#reordered,
    };
  }
}

export type Percentiles = Readonly<Record<'p50' | 'p90' | 'p99' | 'max', number>>;

/** In ms, to a hundredth. Undefined where there is nothing. */
export function percentiles(ms: readonly number[]): Percentiles | undefined {
  if (ms.length === 0) return undefined;
  const sorted = Float64Array.from(ms).sort();
  const at = (part: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]! * 100) / 100;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
