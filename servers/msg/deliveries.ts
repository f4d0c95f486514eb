/**
 * Which messages were delivered here lately, by conversation: a range of ids, and which of them are still to come. What
 * is published may come twice (looked up again after a disturbance while the publish was only late), and what two msg
 * servers publish at once may come in either order, so the newest id alone would not do.
 */
const MISSING_MAX = 256;
const CONVERSATIONS_MAX = 50_000;
const FOUND_MAX = 10_000;

/** Messages of a conversation, both ends included. */
export interface IdRange {
  readonly from: number;
  readonly to: number;
}

interface Recent {
  /** Nothing is known of the ids before this one. */
  from: number;
  newest: number;
  /** Between the two: not delivered so far, smallest first. */
  missing: Set<number> | undefined;
}

export class Deliveries {
  readonly #recent = new Map<bigint, Recent>();
  readonly #found = new Set<string>();

  /** Takes note of a delivery. @returns false when the message was delivered here before. */
  first(conversationId: bigint, msgId: number): boolean {
    const recent = this.#recent.get(conversationId);
    if (recent === undefined) {
      if (this.#recent.size >= CONVERSATIONS_MAX) this.#forgetOldest();
      this.#recent.set(conversationId, { from: msgId, newest: msgId, missing: undefined });
      return true;
    }
    if (msgId > recent.newest) {
      advance(recent, msgId);
      return true;
    }
    if (msgId >= recent.from) return recent.missing?.delete(msgId) === true;
    if (msgId === recent.from - 1) recent.from = msgId;
    return true; // too far back to know: rather twice under one id than never
  }

  /** Which of these were not delivered here, as far as is known; ascending. */
  lacking(conversationId: bigint, { from, to }: IdRange): IdRange[] {
    const recent = this.#recent.get(conversationId);
    if (recent === undefined) return [{ from, to }];
    const between = [...(recent.missing ?? [])]
      .filter((id) => id >= from && id <= to)
      .map((id) => ({ from: id, to: id }));
    const below = { from, to: Math.min(to, recent.from - 1) };
    const above = { from: Math.max(from, recent.newest + 1), to };
    return [below, ...between, above].filter((range) => range.from <= range.to);
  }

  /** As `first`, for what a look has found, and nobody has told us of. */
  firstFound(conversationId: bigint, msgId: number): boolean {
    if (!this.first(conversationId, msgId)) return false;
    const [oldest] = this.#found;
    if (this.#found.size === FOUND_MAX) this.#found.delete(oldest!);
    this.#found.add(`${conversationId} ${msgId}`);
    return true;
  }

  /** Whether a look has found it, so that the other servers may not have been told: true once. */
  wasFound(conversationId: bigint, msgId: number): boolean {
    return this.#found.delete(`${conversationId} ${msgId}`);
  }

  #forgetOldest(): void {
    let surplus = CONVERSATIONS_MAX / 10;
    for (const id of this.#recent.keys()) {
      this.#recent.delete(id);
      if (--surplus <= 0) return;
    }
  }
}

function advance(recent: Recent, msgId: number): void {
  const skipped = msgId - recent.newest - 1;
  if (skipped > MISSING_MAX) Object.assign(recent, { from: msgId - MISSING_MAX, missing: undefined });
  for (let id = msgId - Math.min(skipped, MISSING_MAX); id < msgId; id++) {
    recent.missing ??= new Set();
    recent.missing.add(id);
  }
  recent.newest = msgId;
  for (const id of recent.missing ?? []) {
    if (recent.missing!.size <= MISSING_MAX) break;
    recent.missing!.delete(id);
    recent.from = id + 1;
  }
}
