import { createHash } from 'node:crypto';

/**
 * A legacy client that gets no ack sends the message once more, with the same seq (Windows after 5 s). The last
 * messages of a session are remembered for a while, so that such a resend is stored under the send_id of the first
 * attempt, and so is answered with the first msg_id.
 */
interface Remembered {
  readonly sendId: Uint8Array;
  readonly seq: number;
  readonly toSessionId: number;
  readonly msgType: number;
  /** The payload, or its digest when that is shorter. */
  readonly mark: Buffer;
  readonly atMs: number;
}

const REMEMBERED_MAX = 8;
const PLAIN_SIZE_MAX = 256;
const REMEMBERED_MS = 30_000;

export class RecentSends {
  #sends: Remembered[] = [];

  /** The send_id of the earlier attempt that this one repeats, or a fresh one, remembered from now on. */
  recall(
    seq: number,
    toSessionId: number,
    msgType: number,
    data: Uint8Array,
    nowMs: number,
    freshId: () => Uint8Array,
  ): Uint8Array {
    const mark = markOf(data);
    const earlier = this.#sends.find(
      (each) =>
        each.seq === seq &&
        each.toSessionId === toSessionId &&
        each.msgType === msgType &&
        nowMs - each.atMs < REMEMBERED_MS &&
        each.mark.equals(mark),
    );
    if (earlier !== undefined) return earlier.sendId;
    const send = { sendId: freshId(), seq, toSessionId, msgType, mark, atMs: nowMs };
    this.#sends.push(send);
    if (this.#sends.length > REMEMBERED_MAX) this.#sends.shift();
    return send.sendId;
  }

  /** Whether this session sent that payload lately. */
  has(toSessionId: number, data: Uint8Array): boolean {
    const mark = markOf(data);
    return this.#sends.some((each) => each.toSessionId === toSessionId && each.mark.equals(mark));
  }
}

function markOf(data: Uint8Array): Buffer {
  return data.length <= PLAIN_SIZE_MAX ? Buffer.from(data) : createHash('sha256').update(data).digest();
}
