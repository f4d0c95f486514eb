import type { FileHandle } from 'node:fs/promises';

/** What is sent at once: so much is lost when a connection breaks, and so much of a stream is kept. */
const PIECE_SIZE = 4 * 1024 * 1024;
const READ_SIZE = 256 * 1024;

/** What an upload takes its pieces from. */
export interface Content {
  /** Bytes. */
  readonly size: number;
  /** From `offset` up to a piece; empty at the end. */
  piece(offset: number): Promise<Buffer>;
}

export class FileContent implements Content {
  readonly #handle: FileHandle;
  readonly size: number;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }

  async piece(offset: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.bytes(offset, Math.min(offset + PIECE_SIZE, this.size))) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** @throws Error when the file has become shorter */
  async *bytes(start: number, end: number): AsyncIterable<Buffer> {
    for (let at = start; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, end - at));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new Error(`the file has become shorter than ${end} bytes`);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }
}

/** A stream goes forward only, so its last piece is kept until the next one is asked for. */
export class StreamContent implements Content {
  readonly size: number;
  readonly #source: AsyncIterator<Uint8Array>;
  #start = 0;
  #piece = Buffer.alloc(0);
  /** Read, and behind the piece. */
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: AsyncIterable<Uint8Array>, size: number) {
    this.#source = stream[Symbol.asyncIterator]();
    this.size = size;
  }

  /** @throws RangeError for what is gone, and when the stream has not the size that was said */
  async piece(offset: number): Promise<Buffer> {
    if (offset < this.#start) throw new RangeError(`the stream cannot go back from ${this.#start} to ${offset}`);
    while (offset >= this.#start + this.#piece.length && offset < this.size) await this.#next();
    return this.#piece.subarray(offset - this.#start);
  }

  async #next(): Promise<void> {
    this.#start += this.#piece.length;
    const pieces: Uint8Array[] = [];
    let length = 0;
    while (length < PIECE_SIZE) {
      const part = this.#rest.length > 0 ? this.#rest : (await this.#source.next()).value;
      if (part === undefined) break;
      const taken = part.subarray(0, PIECE_SIZE - length);
      this.#rest = part.subarray(taken.length);
      pieces.push(taken);
      length += taken.length;
    }
    this.#piece = Buffer.concat(pieces);
    const end = this.#start + length;
    // A whole piece may be all of it: that it is, only the next word of the stream tells.
    while (end === this.size && this.#rest.length === 0) {
      const more = await this.#source.next();
      if (more.done === true) return;
      this.#rest = more.value;
    }
    if (end > this.size || (this.#rest.length > 0 && end === this.size))
      throw new RangeError(`the stream has more than the ${this.size} bytes that were said`);
    if (length < PIECE_SIZE) throw new RangeError(`the stream has ${end} bytes, not ${this.size}`);
  }
}
