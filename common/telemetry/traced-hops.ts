import { Hops } from '../hops.js';
import { freshSpan, isMessageSampled, MESSAGE, messageTrace, spanOf } from './ids.js';
import type { Telemetry } from './telemetry.js';

/**
 * The way of messages through this server, as spans besides:
 *
 *   message             msg, http-msg or admin: from the frame until everybody was told
 *   ├─ ask to store     the same server, waiting for a db-proxy
 *   │  └─ store         db-proxy: waiting for its turn, and
 *   │     ├─ commit     the commit
 *   │     ├─ push       push: each answer of vendors
 *   │     └─ webhook    http-msg: each attempt
 *   └─ publish          each route server that passed it on
 *      └─ deliver       each msg server that wrote it to sessions
 */
export class TracedHops extends Hops {
  readonly #telemetry: Telemetry;
  readonly #name: string;

  /** @param name of this server */
  constructor(telemetry: Telemetry, name: string) {
    super();
    this.#telemetry = telemetry;
    this.#name = name;
  }

  override accepted(
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
    // biome-ignore format: one hop, one line
    super.accepted(conversationId, msgId, sendId, receivedMs, allowedMs, checkedMs, ackedMs, toldMs, sessions, again);
    const trace = this.#traceOf(conversationId, msgId);
    if (trace === undefined) return;
    const root = spanOf(trace, MESSAGE);
    // The first one has the ids that other servers know.
    const place = again ? freshSpan(trace) : root;
    const attributes = { ...about(conversationId, msgId), 'teamtalk.sessions': sessions, 'teamtalk.again': again };
    const events = [['allowed', allowedMs] as const, ['acknowledged', ackedMs] as const];
    this.#telemetry.add({
      name: MESSAGE,
      kind: 'server',
      place,
      ...(again && { parent: root }),
      startMs: receivedMs,
      endMs: toldMs,
      attributes,
      events,
    });
    this.#telemetry.add({
      name: ASK,
      kind: 'client',
      place: again ? freshSpan(trace) : spanOf(trace, ASK),
      parent: place,
      startMs: checkedMs,
      endMs: ackedMs,
    });
  }

  /** It has no place in the conversation, so nobody else knows this trace. */
  override refused(conversationId: bigint, sendId: Uint8Array, receivedMs: number, code: string): void {
    super.refused(conversationId, sendId, receivedMs, code);
    if (Math.random() >= this.#telemetry.ratio) return;
    this.#telemetry.add({
      name: MESSAGE,
      kind: 'server',
      place: freshSpan(),
      startMs: receivedMs,
      endMs: performance.now(),
      attributes: { 'teamtalk.conversation': String(conversationId) },
      problem: code,
    });
  }

  override stored(
    conversationId: bigint,
    msgId: number,
    sendId: Uint8Array,
    queuedMs: number,
    begunMs: number,
    committedMs: number,
    batch: number,
  ): void {
    super.stored(conversationId, msgId, sendId, queuedMs, begunMs, committedMs, batch);
    const trace = this.#traceOf(conversationId, msgId);
    if (trace === undefined) return;
    const place = batch === 0 ? freshSpan(trace) : spanOf(trace, STORE);
    const attributes = about(conversationId, msgId);
    const parent = spanOf(trace, ASK);
    this.#telemetry.add({
      name: STORE,
      kind: 'server',
      place,
      parent,
      startMs: queuedMs,
      endMs: committedMs,
      attributes,
    });
    this.#telemetry.add({
      name: batch === 0 ? 'look up' : 'commit',
      kind: 'client',
      place: freshSpan(trace),
      parent: place,
      startMs: begunMs,
      endMs: committedMs,
      attributes: { 'teamtalk.batch': batch },
    });
  }

  override relayed<Receiver extends { readonly name: string; readonly role: string }>(
    conversationId: bigint,
    msgId: number,
    from: Receiver,
    receivers: Iterable<Receiver>,
  ): void {
    super.relayed(conversationId, msgId, from, receivers);
    const trace = this.#traceOf(conversationId, msgId);
    if (trace === undefined) return;
    const names = [...receivers].filter((each) => each !== from && each.role === 'msg').map(({ name }) => name);
    const nowMs = performance.now();
    this.#telemetry.add({
      name: PUBLISH,
      place: spanOf(trace, `${PUBLISH} ${this.#name}`),
      parent: spanOf(trace, MESSAGE),
      startMs: nowMs,
      endMs: nowMs,
      attributes: { ...about(conversationId, msgId), 'teamtalk.receivers': names },
    });
  }

  override delivered(
    conversationId: bigint,
    msgId: number,
    firstMs: number,
    sessions: number,
    by: string | undefined,
  ): void {
    super.delivered(conversationId, msgId, firstMs, sessions, by);
    const attributes = { 'teamtalk.sessions': sessions, 'teamtalk.missed': by === undefined };
    const step = by === undefined ? MESSAGE : `${PUBLISH} ${by}`;
    this.#effect('deliver', step, conversationId, msgId, firstMs, attributes);
  }

  override pushed(conversationId: bigint, msgId: number, begunMs: number, result: string, phones: number): void {
    super.pushed(conversationId, msgId, begunMs, result, phones);
    const attributes = { 'teamtalk.result': result, 'teamtalk.phones': phones };
    this.#effect('push', STORE, conversationId, msgId, begunMs, attributes);
  }

  override told(conversationId: bigint, msgId: number, begunMs: number, result: string): void {
    super.told(conversationId, msgId, begunMs, result);
    const problem = result === 'delivered' ? undefined : result;
    this.#effect('webhook', STORE, conversationId, msgId, begunMs, { 'teamtalk.result': result }, problem);
  }

  #effect(
    name: string,
    parent: string,
    conversationId: bigint,
    msgId: number,
    startMs: number,
    more: Record<string, string | number | boolean>,
    problem?: string,
  ): void {
    const trace = this.#traceOf(conversationId, msgId);
    if (trace === undefined) return;
    this.#telemetry.add({
      name,
      place: freshSpan(trace),
      parent: spanOf(trace, parent),
      startMs,
      endMs: performance.now(),
      attributes: { ...about(conversationId, msgId), ...more },
      problem,
    });
  }

  /** Undefined: not among those that are traced. */
  #traceOf(conversationId: bigint, msgId: number): string | undefined {
    const isSampled = isMessageSampled(conversationId, msgId, this.#telemetry.ratio);
    return isSampled ? messageTrace(conversationId, msgId) : undefined;
  }
}

/** Names of spans that other servers refer to. */
const ASK = 'ask to store';
const STORE = 'store';
const PUBLISH = 'publish';

function about(conversationId: bigint, msgId: number) {
  return { 'teamtalk.conversation': String(conversationId), 'teamtalk.msg_id': msgId };
}
