import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/**
 * The cryptography of messages at rest, AES-256-GCM throughout; nothing here knows where keys come from.
 *
 *   sealed  = nonce (12) | cipher text | tag (16)
 *   bound   = conversation (8) | msg_id (4) | sender (4) | key id (4), and what part of a message in several
 *             it is (1), as associated data: a row copied to another place does not open there
 *   wrapped = nonce (12) | data key under the master key (32) | tag (16), bound to its bucket and epoch;
 *             the key of a file under a data key alike, bound to the file and the data key
 */
const ALGORITHM = 'aes-256-gcm';
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
const KEY_SIZE = 32;
/** A sealed body is longer than the body by so many bytes. */
export const SEAL_OVERHEAD = NONCE_SIZE + TAG_SIZE;

/** What a sealed body is bound to, besides its data key. */
export interface Bound {
  readonly conversationId: bigint;
  readonly msgId: number;
  readonly senderId: number;
  /** Of a message that is sealed in parts; see attachments.ts. */
  readonly part?: Part | undefined;
}

export type Part = 'seconds' | 'sound';
const PART_BYTES: Readonly<Record<Part, number>> = { seconds: 1, sound: 2 };

/** Random nonces, drawn in blocks: the cost of drawing is per call (4 µs), not per byte. */
export class Nonces {
  #block = Buffer.alloc(0);
  #used = 0;

  next(): Buffer {
    if (this.#used === this.#block.length) {
      this.#block = randomBytes(NONCE_SIZE * 1024);
      this.#used = 0;
    }
    this.#used += NONCE_SIZE;
    return this.#block.subarray(this.#used - NONCE_SIZE, this.#used);
  }
}

/** The sealed body in its three parts, for the caller to put where he wants them. */
export function sealBody(
  key: Uint8Array,
  keyId: number,
  nonce: Uint8Array,
  bound: Bound,
  body: Uint8Array,
): [Uint8Array, Buffer, Buffer] {
  const cipher = createCipheriv(ALGORITHM, key, nonce);
  cipher.setAAD(boundBytes(bound, keyId));
  const text = cipher.update(body);
  cipher.final();
  return [nonce, text, cipher.getAuthTag()];
}

/** @throws Error when it was sealed under another key, for another place, or was changed */
export function openBody(key: Uint8Array, keyId: number, bound: Bound, sealed: Uint8Array): Buffer {
  if (sealed.length < SEAL_OVERHEAD) throw new Error(`${sealed.length} bytes are no sealed body`);
  const end = sealed.length - TAG_SIZE;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_SIZE));
  decipher.setAAD(boundBytes(bound, keyId));
  decipher.setAuthTag(sealed.subarray(end));
  const body = decipher.update(sealed.subarray(NONCE_SIZE, end));
  decipher.final();
  return body;
}

export function freshDataKey(): Buffer {
  return randomBytes(KEY_SIZE);
}

export function wrapKey(dataKey: Buffer, masterKey: Buffer, bucket: number, epoch: number): Buffer {
  return wrap(dataKey, masterKey, wrapBound(bucket, epoch));
}

/** @throws Error when another master key wrapped it, or it belongs to another bucket or epoch, or was changed */
export function unwrapKey(wrapped: Buffer, masterKey: Buffer, bucket: number, epoch: number): Buffer {
  return unwrap(wrapped, masterKey, wrapBound(bucket, epoch));
}

/** @param fileId 16 bytes */
export function wrapFileKey(fileKey: Buffer, dataKey: Buffer, keyId: number, fileId: Buffer): Buffer {
  return wrap(fileKey, dataKey, fileBound(fileId, keyId));
}

/** @throws Error when another data key wrapped it, or it belongs to another file, or was changed */
export function unwrapFileKey(wrapped: Buffer, dataKey: Buffer, keyId: number, fileId: Buffer): Buffer {
  return unwrap(wrapped, dataKey, fileBound(fileId, keyId));
}

function wrap(key: Buffer, by: Buffer, bound: Buffer): Buffer {
  const nonce = randomBytes(NONCE_SIZE);
  const cipher = createCipheriv(ALGORITHM, by, nonce).setAAD(bound);
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
}

function unwrap(wrapped: Buffer, by: Buffer, bound: Buffer): Buffer {
  const end = wrapped.length - TAG_SIZE;
  const decipher = createDecipheriv(ALGORITHM, by, wrapped.subarray(0, NONCE_SIZE));
  decipher.setAAD(bound);
  decipher.setAuthTag(wrapped.subarray(end));
  return Buffer.concat([decipher.update(wrapped.subarray(NONCE_SIZE, end)), decipher.final()]);
}

function wrapBound(bucket: number, epoch: number): Buffer {
  return Buffer.from(`data key ${bucket}/${epoch}`);
}

function fileBound(fileId: Buffer, keyId: number): Buffer {
  return Buffer.from(`file key ${fileId.toString('hex')}/${keyId}`);
}

function boundBytes(bound: Bound, keyId: number): Buffer {
  const bytes = Buffer.allocUnsafe(bound.part === undefined ? 20 : 21);
  bytes.writeBigUInt64BE(bound.conversationId, 0);
  bytes.writeUInt32BE(bound.msgId, 8);
  bytes.writeUInt32BE(bound.senderId, 12);
  bytes.writeUInt32BE(keyId, 16);
  if (bound.part !== undefined) bytes[20] = PART_BYTES[bound.part];
  return bytes;
}
