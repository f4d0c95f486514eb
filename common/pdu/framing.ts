import { FRAME_SIZE_MAX } from '../limits.js';
import { Frame, HEADER_SIZE } from './header.js';

/**
 * Bytes to frames, with no socket in sight: pure in, pure out, so a test can cut a stream anywhere.
 */

/** Bytes that arrived without yet making a whole frame, oldest first. `wanted` is how many must be there to go on. */
export interface Pending {
  readonly chunks: readonly Buffer[];
  readonly size: number;
  readonly wanted: number;
}

export const nothingPending: Pending = { chunks: [], size: 0, wanted: HEADER_SIZE };

export type Breach = 'length-too-small' | 'length-too-large';
export type Taken = { readonly frames: readonly Frame[] } & (
  | { readonly pending: Pending }
  | { readonly breach: Breach }
);

/**
 * Takes every whole frame out of what was pending plus one more chunk. Frames are views on those bytes.
 *
 * Too few bytes is the ordinary case and no error. A length that no honest peer sends is one: behind it nobody can
 * tell where the next frame starts, so the caller handles the frames before it and closes.
 */
export function takeFrames(before: Pending, chunk: Buffer, frameSizeMax = FRAME_SIZE_MAX): Taken {
  const size = before.size + chunk.length;
  // Joining waits for the bytes it needs: a large frame that comes in small reads is copied once, not with every read.
  if (size < before.wanted)
    return { frames: [], pending: { chunks: joined(before.chunks, chunk), size, wanted: before.wanted } };
  const bytes = before.size === 0 ? chunk : Buffer.concat([...before.chunks, chunk], size);
  const frames: Frame[] = [];
  let start = 0;
  while (size - start >= HEADER_SIZE) {
    const length = bytes.readUInt32BE(start);
    if (length < HEADER_SIZE) return { frames, breach: 'length-too-small' };
    if (length > frameSizeMax) return { frames, breach: 'length-too-large' };
    if (size - start < length) return { frames, pending: rest(bytes, start, length) };
    frames.push(new Frame(bytes.subarray(start, start + length)));
    start += length;
  }
  return { frames, pending: start === size ? nothingPending : rest(bytes, start, HEADER_SIZE) };
}

/**
 * Small chunks are joined with their like, so that a peer that sends byte by byte costs neither a list entry nor a copy
 * of everything before with each of them: a byte is copied at most log2(JOINED_SIZE_MAX) times.
 */
const JOINED_SIZE_MAX = 16 * 1024;

function joined(chunks: readonly Buffer[], chunk: Buffer): Buffer[] {
  const all = [...chunks, chunk];
  while (all.length > 1) {
    const last = all.at(-1)!;
    const other = all.at(-2)!;
    if (other.length > last.length || other.length + last.length > JOINED_SIZE_MAX) break;
    all.splice(-2, 2, Buffer.concat([other, last]));
  }
  return all;
}

function rest(bytes: Buffer, start: number, wanted: number): Pending {
  // Copied: a few left-over bytes must not keep the whole read buffer (64 KiB) alive while a slow peer dawdles.
  return { chunks: [Buffer.from(bytes.subarray(start))], size: bytes.length - start, wanted };
}
