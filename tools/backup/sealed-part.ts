import { createCipheriv, createDecipheriv } from 'node:crypto';

/**
 * A part of a backup at rest: a stream of bytes, cut into chunks, each sealed with AES-256-GCM under the backup's key.
 *
 *   part   = chunk 0 | chunk 1 | … | last chunk
 *   chunk  = cipher text (256 KiB, the last one may be shorter) | tag (16)
 *   nonce  = number of the part (4) | number of the chunk (8): used once, as the key is made for one backup
 *   bound  = id of the backup, number of the part, number of the chunk, whether it is the last: a chunk moved elsewhere,
 *            left out, or cut off behind does not open
 */
export const CHUNK_SIZE = 256 * 1024;
export const TAG_SIZE = 16;
const NONCE_SIZE = 12;

/** What a part is sealed under. */
export interface PartKey {
  readonly key: Buffer;
  readonly backupId: string;
  /** From 1. */
  readonly number: number;
}

export class DamagedError extends Error {
  override readonly name = 'DamagedError';
}

/** Takes bytes as they come and gives sealed chunks as they get full. */
export class Sealer {
  readonly #key: PartKey;
  #waiting: Buffer[] = [];
  #size = 0;
  #count = 0;

  constructor(key: PartKey) {
    this.#key = key;
  }

  /** The bytes may be kept until the next call. */
  push(bytes: Buffer): Buffer[] {
    this.#waiting.push(bytes);
    this.#size += bytes.length;
    const sealed: Buffer[] = [];
    // A full chunk waits for a further byte: only then it is not the last one.
    while (this.#size > CHUNK_SIZE) sealed.push(this.#seal(this.#take(CHUNK_SIZE), false));
    return sealed;
  }

  /** The last chunk. */
  finish(): Buffer {
    return this.#seal(this.#take(this.#size), true);
  }

  #take(size: number): Buffer {
    const bytes = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting, this.#size);
    this.#size -= size;
    this.#waiting = this.#size === 0 ? [] : [bytes.subarray(size)];
    return bytes.subarray(0, size);
  }

  #seal(plain: Buffer, last: boolean): Buffer {
    const { nonce, bound } = bindingOf(this.#key, this.#count++, last);
    const cipher = createCipheriv('aes-256-gcm', this.#key.key, nonce).setAAD(bound);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }
}

/** @throws DamagedError when this is not chunk `count` of that part, whole and as it was sealed */
export function openChunk(part: PartKey, count: number, last: boolean, chunk: Buffer): Buffer {
  const { nonce, bound } = bindingOf(part, count, last);
  const at = `part ${part.number}, chunk ${count}`;
  if (chunk.length < TAG_SIZE) throw new DamagedError(`${at}: ${chunk.length} bytes are no sealed chunk`);
  const decipher = createDecipheriv('aes-256-gcm', part.key, nonce).setAAD(bound);
  decipher.setAuthTag(chunk.subarray(chunk.length - TAG_SIZE));
  const plain = decipher.update(chunk.subarray(0, chunk.length - TAG_SIZE));
  try {
    decipher.final();
  } catch (error) {
    throw new DamagedError(`${at} is not what was sealed: changed, moved or cut off`, { cause: error });
  }
  return plain;
}

function bindingOf({ backupId, number }: PartKey, count: number, last: boolean): { nonce: Buffer; bound: Buffer } {
  const nonce = Buffer.alloc(NONCE_SIZE);
  nonce.writeUInt32BE(number, 0);
  nonce.writeBigUInt64BE(BigInt(count), 4);
  return { nonce, bound: Buffer.from(`backup ${backupId} part ${number} chunk ${count}${last ? ' last' : ''}`) };
}
