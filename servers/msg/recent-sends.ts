/**
 * A legacy client that gets no ack sends the message once more, with the same seq (Windows after 5 s). The last
 * messages of a session are remembered for a while, so that such a resend is stored under the send_id of the first
 * attempt, and so answered with the first msg_id, and delivered once.
 */
export interface Send {
  readonly sendId: Uint8Array;
  /** Whether this server has handed the message to its receivers. */
  delivered: boolean;
}

interface Remembered extends Send {
  readonly seq: number;
  readonly toSessionId: number;
  readonly msgType: number;
  readonly data: Buffer;
  readonly atMs: number;
}

const REMEMBERED_MAX = 8;
const REMEMBERED_MS = 30_000;

export class RecentSends {
  #sends: Remembered[] = [];

  /** The earlier attempt that this one repeats, or this one, remembered under a fresh send_id. */
  recall(
    seq: number,
    toSessionId: number,
    msgType: number,
    data: Uint8Array,
    nowMs: number,
    freshId: () => Uint8Array,
  ): Send {
    const earlier = this.#sends.find(
      (each) =>
        each.seq === seq &&
        each.toSessionId === toSessionId &&
        each.msgType === msgType &&
        nowMs - each.atMs < REMEMBERED_MS &&
        each.data.equals(data),
    );
    if (earlier !== undefined) return earlier;
    const send: Remembered = {
      sendId: freshId(),
      delivered: false,
      seq,
      toSessionId,
      msgType,
      data: Buffer.from(data),
      atMs: nowMs,
    };
    this.#sends.push(send);
    if (this.#sends.length > REMEMBERED_MAX) this.#sends.shift();
    return send;
  }
}
