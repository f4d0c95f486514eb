import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/**
 * How a file is sealed at rest: in chunks, so that any part of it opens by itself and nobody has to hold all of it.
 *
 *   object       = chunk 0 | chunk 1 | … | last chunk
 *   sealed chunk = nonce (12) | cipher text (65536, the last one less) | tag (16)
 *   bound        = file id (16) | number of the chunk (8) | place (1), as associated data
 *
 * Each is sealed by the file's own key for its place in this file. Chunks that were swapped, moved to another file, or
 * cut off behind an earlier one do not open: only the last one is sealed as the last. An empty file has one empty chunk.
 */
const ALGORITHM = 'aes-256-gcm';
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
export const CHUNK_SIZE = 64 * 1024;
export const CHUNK_OVERHEAD = NONCE_SIZE + TAG_SIZE;
export const SEALED_CHUNK_SIZE = CHUNK_SIZE + CHUNK_OVERHEAD;

/** `parked`: the beginning of a chunk whose rest has not come yet. It never gets into the object. */
export const PLACE = { middle: 0, last: 1, parked: 2 } as const;
export type Place = (typeof PLACE)[keyof typeof PLACE];

export interface FileKey {
  /** 16 bytes */
  readonly id: Buffer;
  readonly key: Buffer;
}

export function sealChunk({ id, key }: FileKey, index: number, place: Place, plain: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_SIZE);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(bound(id, index, place));
  const text = cipher.update(plain);
  cipher.final();
  return Buffer.concat([nonce, text, cipher.getAuthTag()]);
}

/** @throws Error when it is not what was sealed for this place */
export function openChunk({ id, key }: FileKey, index: number, place: Place, sealed: Uint8Array): Buffer {
  if (sealed.length < CHUNK_OVERHEAD) throw new Error(`${sealed.length} bytes are no sealed chunk`);
  const end = sealed.length - TAG_SIZE;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_SIZE));
  decipher.setAAD(bound(id, index, place)).setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(NONCE_SIZE, end));
  decipher.final();
  return plain;
}

export function sealedSize(size: number): number {
  return size + chunkCount(size) * CHUNK_OVERHEAD;
}

export function chunkCount(size: number): number {
  return Math.max(1, Math.ceil(size / CHUNK_SIZE));
}

function bound(id: Buffer, index: number, place: Place): Buffer {
  const bytes = Buffer.allocUnsafe(25);
  id.copy(bytes, 0, 0, 16);
  bytes.writeBigUInt64BE(BigInt(index), 16);
  bytes[24] = place;
  return bytes;
}
