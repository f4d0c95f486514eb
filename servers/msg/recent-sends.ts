import { createHash } from 'node:crypto';
import { SEND_ID_SIZE } from '../../common/chat/message.js';

/**
 * A legacy client that gets no ack sends the message once more, with the same seq (Windows after 5 s). The last
 * messages of a session are remembered for a while, so that such a resend is stored under the send_id of the first
 * attempt, and so is answered with the first msg_id.
 *
 * A session that sends at all has one buffer with a row for each, written over and over: as objects they lived just long
 * enough to be moved to the old generation, and were most of what made a busy server collect that one.
 *
 *    0  i32  seq         8  i32  msg_type                                16  f64  when, monotonic ms
 *    4  u32  receiver   12  i32  bytes of the payload; 0: nothing here   24  16   send_id
 *   40  128  the payload, or its SHA-256 when it is longer
 */
const REMEMBERED_MAX = 8;
const REMEMBERED_MS = 30_000;
const MARK_AT = 24 + SEND_ID_SIZE;
const PLAIN_SIZE_MAX = 128;
const ROW_SIZE = MARK_AT + PLAIN_SIZE_MAX;

export class RecentSends {
  readonly #rows = Buffer.from(new ArrayBuffer(REMEMBERED_MAX * ROW_SIZE)); // not out of the pool, which would stay with it
  #next = 0;

  /** The send_id of the earlier attempt that this one repeats, or a fresh one, remembered from now on. */
  recall(
    seq: number,
    toSessionId: number,
    msgType: number,
    data: Uint8Array,
    nowMs: number,
    freshId: () => Uint8Array,
  ): Uint8Array {
    const rows = this.#rows;
    const mark = markOf(data);
    for (let at = 0; at < rows.length; at += ROW_SIZE) {
      const isAgain =
        rows.readInt32LE(at) === seq &&
        rows.readInt32LE(at + 8) === msgType &&
        this.#isSame(at, toSessionId, data.length, mark) &&
        nowMs - rows.readDoubleLE(at + 16) < REMEMBERED_MS;
      if (isAgain) return Uint8Array.prototype.slice.call(rows, at + 24, at + MARK_AT);
    }
    const sendId = freshId();
    const at = this.#next;
    this.#next = (at + ROW_SIZE) % rows.length;
    rows.writeInt32LE(seq, at);
    rows.writeUInt32LE(toSessionId, at + 4);
    rows.writeInt32LE(msgType, at + 8);
    rows.writeInt32LE(data.length, at + 12);
    rows.writeDoubleLE(nowMs, at + 16);
    rows.set(sendId, at + 24);
    rows.set(mark, at + MARK_AT);
    return sendId;
  }

  /** Whether this session sent that payload lately. */
  has(toSessionId: number, data: Uint8Array): boolean {
    const mark = markOf(data);
    for (let at = 0; at < this.#rows.length; at += ROW_SIZE)
      if (this.#isSame(at, toSessionId, data.length, mark)) return true;
    return false;
  }

  #isSame(at: number, toSessionId: number, size: number, mark: Uint8Array): boolean {
    const rows = this.#rows;
    if (rows.readInt32LE(at + 12) !== size || rows.readUInt32LE(at + 4) !== toSessionId) return false;
    return rows.compare(mark, 0, mark.length, at + MARK_AT, at + MARK_AT + mark.length) === 0;
  }
}

function markOf(data: Uint8Array): Uint8Array {
  return data.length <= PLAIN_SIZE_MAX ? data : createHash('sha256').update(data).digest();
}
