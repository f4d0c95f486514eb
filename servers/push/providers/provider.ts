/** One push to one phone. */
export interface Push {
  /** A UUID, the same when it is tried again. */
  readonly id: string;
  /** As the vendor knows the phone. */
  readonly token: string;
  /** ring: shown and heard. badge: only the number changes. withdraw: what is shown of the conversation goes. */
  readonly kind: 'ring' | 'badge' | 'withdraw';
  /** May be empty. */
  readonly title: string;
  readonly body: string;
  readonly badge: number;
  /** Pushes of one conversation replace each other. */
  readonly collapseId: string;
  /** What the app opens. Undefined when pushes are to say nothing. */
  readonly about: About | undefined;
  readonly expiresMs: number;
}

export interface About {
  /** 1 single, 2 group. */
  readonly sessionType: number;
  /** As the receiver's client names the conversation: the other user, or the group. */
  readonly sessionId: number;
  readonly fromUserId: number;
  readonly msgId: number;
  readonly msgType: number;
}

export type Outcome =
  | { readonly result: 'sent' }
  /** The token leads to no phone any more. */
  | { readonly result: 'gone'; readonly reason: string }
  /** Not now: busy, down, cut off. */
  | { readonly result: 'later'; readonly reason: string; readonly afterMs?: number }
  /** Never this one. */
  | { readonly result: 'refused'; readonly reason: string };

/** A vendor. */
export interface Provider {
  /** Never rejects. */
  send(push: Push): Promise<Outcome>;
  close(): void;
}

export const SENT: Outcome = { result: 'sent' };

/** What a wait in an answer's header says: seconds, or a date. */
export function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/** By the status of an answer alone. */
export function outcomeOf(status: number, reason: string, retryAfter?: string | string[]): Outcome {
  if (status >= 200 && status < 300) return SENT;
  if (status === 404 || status === 410) return { result: 'gone', reason };
  if (status !== 408 && status !== 429 && status < 500) return { result: 'refused', reason };
  const afterMs = retryAfterMs(retryAfter);
  return { result: 'later', reason, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** No answer, or none that can be read. */
export function notReached(error: unknown): Outcome {
  const { name, message, code } = error as Error & { code?: string };
  return { result: 'later', reason: code ?? (message.slice(0, 200) || name) };
}
