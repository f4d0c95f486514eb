import { createHash, type Hash } from 'node:crypto';
import { ImError } from '../../../common/errors.js';
import { CHUNK_SIZE, type FileKey, openChunk, PLACE, SEALED_CHUNK_SIZE, sealChunk } from './chunks.js';
import type { Draft } from './driver.js';
import { inSlots } from './sealed-reader.js';

/** Chunks that are handed to the driver together. */
const BATCH_CHUNKS = 8;

/** How far an upload is. What has to be known to write on; all of it can be found again by reading the object. */
export interface Progress {
  /** Over the plain bytes so far; undefined: not known, and found by reading all of it at the end. */
  readonly hash: Hash | undefined;
  /** Whole chunks in the object. */
  chunks: number;
  /** Plain bytes behind them: the beginning of the next chunk, or all of it. */
  tail: Buffer;
  /** The tail as it was parked last. Sealed anew each time, so it tells whether somebody else wrote on since. */
  parked: Buffer | undefined;
  /** The last chunk is sealed as such: nothing can follow. */
  complete: boolean;
  /** Plain bytes in all. */
  size: number;
}

/**
 * Writes the plain bytes of an upload as sealed chunks. A chunk is sealed when the first byte behind it has come: only
 * then it is certain that it is not the last. When the bytes stop coming, the rest is parked beside the object.
 */
export class SealedWriter {
  readonly #key: FileKey;
  readonly #draft: Draft;
  readonly progress: Progress;
  /** What `progress.tail` is a part of. */
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_SIZE);
  #batch: Buffer[] = [];

  private constructor(key: FileKey, draft: Draft, progress: Progress) {
    this.#key = key;
    this.#draft = draft;
    this.progress = progress;
    progress.tail = this.#chunk.subarray(0, progress.tail.copy(this.#chunk));
  }

  /** @param known how far it was when we left it; taken for what it is when the object agrees, else looked up anew */
  static async open(key: FileKey, draft: Draft, known: Progress | undefined): Promise<SealedWriter> {
    const progress = known !== undefined && agrees(known, draft) ? known : await look(key, draft);
    return new SealedWriter(key, draft, progress);
  }

  async write(piece: Uint8Array): Promise<void> {
    const { progress } = this;
    if (progress.complete && piece.length > 0) throw new ImError('WRONG_OFFSET', 'the upload is complete');
    progress.hash?.update(piece);
    progress.size += piece.length;
    for (let at = 0; at < piece.length; ) {
      if (progress.tail.length === CHUNK_SIZE) await this.#sealTail();
      const filled = progress.tail.length;
      const taken = piece.subarray(at, at + CHUNK_SIZE - filled);
      this.#chunk.set(taken, filled);
      progress.tail = this.#chunk.subarray(0, filled + taken.length);
      at += taken.length;
    }
  }

  /** Nothing more comes for now: what has come so far lasts. */
  async park(): Promise<void> {
    const { progress } = this;
    if (progress.complete) return;
    await this.#flush();
    const { chunks, tail } = progress;
    progress.parked = sealChunk(this.#key, chunks, PLACE.parked, tail);
    await this.#draft.park(progress.parked);
    progress.tail = Buffer.from(tail); // the progress may be remembered for long, and the chunk is large
  }

  /** All has come, and lasts. @returns the SHA-256 of the plain content, in hex */
  async finish(): Promise<string> {
    const { progress } = this;
    await this.#flush();
    if (progress.complete) await this.#draft.finish(Buffer.alloc(0));
    else {
      await this.#draft.finish(sealChunk(this.#key, progress.chunks, PLACE.last, progress.tail));
      progress.complete = true;
    }
    const hash = progress.hash?.copy() ?? (await this.#readBack());
    return hash.digest('hex');
  }

  async #readBack(): Promise<Hash> {
    const { hash, size } = await look(this.#key, this.#draft);
    if (size !== this.progress.size)
      throw new ImError('FILE_DAMAGED', `${size} bytes are there, not ${this.progress.size}`);
    return hash!;
  }

  async #sealTail(): Promise<void> {
    const { progress } = this;
    this.#batch.push(sealChunk(this.#key, progress.chunks, PLACE.middle, progress.tail));
    progress.chunks++;
    progress.tail = this.#chunk.subarray(0, 0);
    if (this.#batch.length === BATCH_CHUNKS) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    const bytes = Buffer.concat(this.#batch);
    this.#batch = [];
    await this.#draft.append(bytes);
  }
}

function agrees({ chunks, parked, complete }: Progress, draft: Draft): boolean {
  if (complete || parked === undefined || draft.parked === undefined) return false;
  return draft.size === chunks * SEALED_CHUNK_SIZE && draft.parked.equals(parked);
}

/** Reads what is there, up to what a crash may have torn; that is cut off. */
async function look(key: FileKey, draft: Draft): Promise<Progress> {
  const chunks = draft.readable ? 0 : draft.size / SEALED_CHUNK_SIZE;
  const progress: Progress = {
    hash: draft.readable ? createHash('sha256') : undefined,
    chunks,
    tail: Buffer.alloc(0),
    parked: draft.parked,
    complete: false,
    size: chunks * CHUNK_SIZE,
  };
  const take = (plain: Buffer) => {
    progress.hash?.update(plain);
    progress.size += plain.length;
  };
  if (draft.readable && (await lookInto(key, draft, progress, take))) return progress;
  // What was parked for an earlier chunk is from before that chunk was whole.
  const parked = draft.parked && opened(key, progress.chunks, PLACE.parked, draft.parked);
  if (parked !== undefined) {
    take(parked);
    progress.tail = parked;
  }
  return progress;
}

/** @returns whether all of it is there */
async function lookInto(key: FileKey, draft: Draft, progress: Progress, take: (plain: Buffer) => void) {
  let read = 0;
  for await (const sealed of inSlots(draft.read())) {
    read += sealed.length;
    const isWhole = sealed.length === SEALED_CHUNK_SIZE;
    const middle = isWhole ? opened(key, progress.chunks, PLACE.middle, sealed) : undefined;
    if (middle !== undefined) {
      take(middle);
      progress.chunks++;
      continue;
    }
    const last = read === draft.size ? opened(key, progress.chunks, PLACE.last, sealed) : undefined;
    if (last === undefined) {
      await draft.truncate(progress.chunks * SEALED_CHUNK_SIZE);
      return false;
    }
    take(last);
    progress.tail = last;
    progress.complete = true;
    return true;
  }
  return false;
}

function opened(key: FileKey, index: number, place: (typeof PLACE)[keyof typeof PLACE], sealed: Buffer) {
  try {
    return openChunk(key, index, place, sealed);
  } catch {
    return undefined;
  }
}
