import { createHash, randomBytes } from 'node:crypto';

/** A span, as others can name it: W3C trace context. */
export interface SpanPlace {
  /** 32 digits of hex. */
  readonly traceId: string;
  /** 16 digits of hex. */
  readonly spanId: string;
}

/**
 * The trace of a message. Every server that has the message makes the same ids of its place in the conversation, so
 * nothing of them travels with messages; who knows the place finds the trace.
 */
export function messageTrace(conversationId: bigint, msgId: number): string {
  return digest(`message ${conversationId}/${msgId}`, 32);
}

/** The first step of a message. */
export const MESSAGE = 'message';

/** What another server makes of the same step, too. */
export function spanOf(traceId: string, step: string): SpanPlace {
  return { traceId, spanId: digest(`${traceId} ${step}`, 16) };
}

/** A span that nobody else has to know of. */
export function freshSpan(traceId = randomBytes(16).toString('hex')): SpanPlace {
  return { traceId, spanId: randomBytes(8).toString('hex') };
}

function digest(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}

/** The same at every server with the same ratio. (The finaliser of MurmurHash3, by A. Appleby, public domain.) */
export function isMessageSampled(conversationId: bigint, msgId: number, ratio: number): boolean {
  const low = Number(BigInt.asUintN(32, conversationId));
  const high = Number(BigInt.asUintN(32, conversationId >> 32n));
  return mix(msgId ^ mix(low ^ mix(high))) < ratio * 2 ** 32;
}

function mix(number: number): number {
  let h = number | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const SAMPLED = 1;

export function traceparentOf({ traceId, spanId }: SpanPlace): string {
  return `00-${traceId}-${spanId}-01`;
}

/** @returns undefined for what is none; a later version may have more at its end */
export function parseTraceparent(text: string | undefined): { place: SpanPlace; sampled: boolean } | undefined {
  const found = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(
    text ?? '',
  );
  if (found === null || (found[1] === '00' && found[5] !== undefined)) return undefined;
  const [, , traceId, spanId, flags] = found as unknown as string[];
  return { place: { traceId: traceId!, spanId: spanId! }, sampled: (Number.parseInt(flags!, 16) & SAMPLED) !== 0 };
}
