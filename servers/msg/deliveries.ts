/**
 * Which messages were delivered here lately, by conversation: the newest id and, as bits, the ones shortly below it.
 * What is published may come twice (looked up again after a disturbance while the publish was only late), and what
 * two msg servers publish at once may come in either order, so the newest id alone would not do.
 */
const WINDOW = 32;
const CONVERSATIONS_MAX = 50_000;

interface Recent {
  newest: number;
  /** Bit n: id newest - 1 - n was delivered. */
  below: number;
}

export class Deliveries {
  readonly #recent = new Map<bigint, Recent>();

  /** Takes note of a delivery. @returns false when the message was delivered here before. */
  first(conversationId: bigint, msgId: number): boolean {
    const recent = this.#recent.get(conversationId);
    if (recent === undefined) {
      if (this.#recent.size >= CONVERSATIONS_MAX) this.#forgetOldest();
      this.#recent.set(conversationId, { newest: msgId, below: 0 });
      return true;
    }
    const back = recent.newest - msgId;
    if (back === 0) return false;
    if (back < 0) {
      const step = -back;
      const kept = step > WINDOW ? 0 : step === WINDOW ? 0 : recent.below << step;
      recent.below = step > WINDOW ? 0 : kept | (1 << (step - 1));
      recent.newest = msgId;
      return true;
    }
    if (back > WINDOW) return true; // too far back to know: rather twice under one id than never
    const bit = 1 << (back - 1);
    if ((recent.below & bit) !== 0) return false;
    recent.below |= bit;
    return true;
  }

  #forgetOldest(): void {
    let surplus = CONVERSATIONS_MAX / 10;
    for (const id of this.#recent.keys()) {
      this.#recent.delete(id);
      if (--surplus <= 0) return;
    }
  }
}
