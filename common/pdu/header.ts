/**
 * The 16 bytes in front of every body, on client connections and server links alike. All numbers big-endian.
 *
 *   0 length   4  whole frame in bytes, header included, so never below 16
 *   4 version  2  free; we write 1 and never read it
 *   6 flag     2  free; 0
 *   8 service  2  the high byte of the command; clients dispatch on it, servers ignore it
 *  10 command  2  selects the message type and the handler
 *  12 seq      2  an answer repeats the seq of its request, a push carries 0
 *  14 reserved 2  free on client connections; on server links the high half of the ask's id (see net/link.ts)
 */
export const HEADER_SIZE = 16;
export const HEADER_VERSION = 1;

/** One frame as it arrived: a view on the bytes of the read it came in, so copy what outlives the handler. */
export class Frame {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  get command(): number {
    return this.bytes.readUInt16BE(10);
  }
  get service(): number {
    return this.bytes.readUInt16BE(8);
  }
  get seq(): number {
    return this.bytes.readUInt16BE(12);
  }
  get reserved(): number {
    return this.bytes.readUInt16BE(14);
  }
  get body(): Buffer {
    return this.bytes.subarray(HEADER_SIZE);
  }
}

export function serviceOf(command: number): number {
  return command >>> 8;
}

/** A frame around a body that is already bytes. `seq` and `reserved` are taken modulo 2^16. */
export function frameOf(command: number, seq: number, body: Uint8Array, reserved = 0): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_SIZE + body.length);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt32BE(HEADER_VERSION << 16, 4);
  bytes.writeUInt16BE(serviceOf(command), 8);
  bytes.writeUInt16BE(command, 10);
  bytes.writeUInt16BE(seq & 0xffff, 12);
  bytes.writeUInt16BE(reserved & 0xffff, 14);
  bytes.set(body, HEADER_SIZE);
  return bytes;
}

/** The same frame under another seq: a copy, because frames may be shared between receivers. */
export function withSeq(frame: Buffer, seq: number): Buffer {
  const copy = Buffer.from(frame);
  copy.writeUInt16BE(seq & 0xffff, 12);
  return copy;
}
