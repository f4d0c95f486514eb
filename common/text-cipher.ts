import { createCipheriv, createDecipheriv } from 'node:crypto';

/**
 * The encryption that every TeamTalk client applies to text before it sends it: AES-256-ECB under a key that is built
 * into all of them, then base64. It keeps nothing from anybody; to our servers it is just the form in which text
 * travels, and they seal it again at rest.
 *
 *   plain text | zeros | its length in 4 bytes, big-endian      a whole number of 16-byte blocks
 */
const KEY = Buffer.from('12345678901234567890123456789012');
const BLOCK = 16;
const LENGTH_SIZE = 4;

/** @returns base64 text as bytes: what goes into msg_data. */
export function encryptText(text: string): Buffer {
  const plain = Buffer.from(text);
  const padded = Buffer.alloc(Math.ceil((plain.length + LENGTH_SIZE) / BLOCK) * BLOCK);
  plain.copy(padded);
  padded.writeUInt32BE(plain.length, padded.length - LENGTH_SIZE);
  const cipher = createCipheriv('aes-256-ecb', KEY, null).setAutoPadding(false);
  return Buffer.from(Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64'));
}

/** @returns undefined when the bytes are no such text. */
export function decryptText(data: Uint8Array): string | undefined {
  const bytes = Buffer.from(Buffer.from(data).toString('latin1'), 'base64'); // skips white space
  if (bytes.length === 0 || bytes.length % BLOCK !== 0) return undefined;
  const decipher = createDecipheriv('aes-256-ecb', KEY, null).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(bytes), decipher.final()]);
  const length = padded.readUInt32BE(padded.length - LENGTH_SIZE);
  return length > padded.length - LENGTH_SIZE ? undefined : padded.toString('utf8', 0, length);
}
