import { ImError } from '../../../common/errors.js';
import { CHUNK_SIZE, chunkCount, openChunk, PLACE, SEALED_CHUNK_SIZE, sealedSize } from './chunks.js';
import type { Driver } from './driver.js';
import type { Blob } from './register.js';

/** Bytes from `start` up to before `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * The plain content of a file, or a range of it: only the chunks that have it are read and opened.
 * @throws ImError FILE_DAMAGED when what is at rest is not what was sealed
 */
export async function* plainOf(driver: Driver, blob: Blob, { start, end }: Range): AsyncIterable<Buffer> {
  const first = Math.floor(start / CHUNK_SIZE);
  const behind = chunkCount(end);
  const final = chunkCount(blob.size) - 1;
  const sealedEnd = Math.min(behind * SEALED_CHUNK_SIZE, sealedSize(blob.size));
  let index = first;
  for await (const sealed of inSlots(driver.read(blob.id, first * SEALED_CHUNK_SIZE, sealedEnd))) {
    const plain = open(blob, index, index === final, sealed);
    const at = index * CHUNK_SIZE;
    const wanted = plain.subarray(Math.max(0, start - at), Math.min(plain.length, end - at));
    if (wanted.length > 0) yield wanted;
    index++;
  }
  if (index < behind) throw new ImError('FILE_DAMAGED', `${blob.id} ends before chunk ${index}`);
}

function open(blob: Blob, index: number, isLast: boolean, sealed: Buffer): Buffer {
  try {
    return openChunk(blob.key, index, isLast ? PLACE.last : PLACE.middle, sealed);
  } catch (error) {
    throw new ImError('FILE_DAMAGED', `chunk ${index} of ${blob.id} does not open`, { cause: error });
  }
}

/** Pieces of any size as sealed chunks; the last one is what is left. */
export async function* inSlots(pieces: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const slot = Buffer.allocUnsafe(SEALED_CHUNK_SIZE);
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(slot, filled, at);
      at += copied;
      filled += copied;
      if (filled < SEALED_CHUNK_SIZE) continue;
      yield slot;
      filled = 0;
    }
  }
  if (filled > 0) yield slot.subarray(0, filled);
}
