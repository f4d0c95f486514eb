import type { Piscina } from 'piscina';
import { ImError } from '../../../common/errors.js';
import { PICTURE_PIXELS_MAX } from '../../../common/limits.js';
import type { Logger } from '../../../common/log.js';
import { Turns } from '../../../common/turns.js';
import type { Blob, FileEntry } from '../blobs/register.js';
import type { BlobStore } from '../blobs/store.js';
import type { Task } from './worker.js';

/**
 * The sizes that pictures are made in: those that clients ask for. Any other wish gets the next larger one, so that
 * nobody fills the store with a thousand sizes of one picture.
 */
const SIZES = [
  { width: 50, height: 50 },
  { width: 64, height: 64 },
  { width: 100, height: 100 },
  { width: 170, height: 170 },
  { width: 310, height: 310 },
  { width: 640, height: 999 },
] as const;

const PICTURE = /^image\/(jpeg|png|webp|gif)$/;
const WAITING_MAX = 64;
const THREADS = 2;
const MAKE_MS_MAX = 10_000;

export interface Found {
  readonly blob: Blob;
  readonly file: FileEntry;
}

/** Small pictures of large ones: made when they are first asked for, kept beside the original, and gone with it. */
export class Pictures {
  readonly #blobs: BlobStore;
  readonly #sizeMax: number;
  readonly #log: Logger;
  readonly #turns = new Turns(THREADS);
  readonly #making = new Map<string, Promise<Found>>();
  #pool: Promise<Piscina<Task, Uint8Array>> | undefined;

  /** @param sizeMax a file with more bytes is not looked at */
  constructor(blobs: BlobStore, sizeMax: number, log: Logger) {
    this.#blobs = blobs;
    this.#sizeMax = sizeMax;
    this.#log = log;
  }

  /**
   * The picture in the wanted size, or the next larger one that is made; the original when it is smaller than all.
   * @throws ImError BAD_REQUEST when it is no picture, or one that nobody should decode; BUSY
   */
  async small(original: Found, width: number, height: number): Promise<Found> {
    if (!PICTURE.test(original.file.mediaType)) throw new ImError('BAD_REQUEST', 'this file is no picture');
    const size = SIZES.find((each) => each.width >= width && each.height >= height);
    if (size === undefined) return original;
    if (original.blob.size > this.#sizeMax)
      throw new ImError('BAD_REQUEST', `no small pictures are made of files over ${this.#sizeMax} bytes`);
    const name = `${original.blob.id}_${size.width}x${size.height}`;
    const found = await this.#blobs.find('picture', name);
    if (found !== undefined) return found;
    const making = this.#making.get(name) ?? this.#start(name, original, size);
    return making;
  }

  get making(): number {
    return this.#making.size;
  }

  async close(): Promise<void> {
    await (await this.#pool)?.destroy();
  }

  #start(name: string, original: Found, size: (typeof SIZES)[number]): Promise<Found> {
    if (this.#making.size >= WAITING_MAX) throw new ImError('BUSY', `${WAITING_MAX} pictures are being made`);
    const making = this.#turns.take(() => this.#make(name, original, size)).finally(() => this.#making.delete(name));
    this.#making.set(name, making);
    return making;
  }

  async #make(name: string, { blob, file }: Found, size: (typeof SIZES)[number]): Promise<Found> {
    const pieces: Buffer[] = [];
    for await (const piece of this.#blobs.open(blob)) pieces.push(piece as Buffer);
    const bytes = await this.#decoded({
      bytes: Buffer.concat(pieces),
      ...size,
      pixelsMax: PICTURE_PIXELS_MAX,
      secondsMax: MAKE_MS_MAX / 1000,
    });
    const small = {
      kind: 'picture',
      name,
      fileName: `${file.fileName.replace(/\.[^.]*$/, '').slice(0, 200)}_${size.width}x${size.height}.jpg`,
      mediaType: 'image/jpeg',
      madeOf: blob.id,
    };
    const id = await this.#blobs.begin({ sizeMax: bytes.length });
    await this.#blobs.append(id, 0, once(bytes));
    return { blob: await this.#blobs.finish(id, small, { trusted: true }), file: small };
  }

  async #decoded(task: Task): Promise<Uint8Array> {
    this.#pool ??= openPool();
    const pool = await this.#pool;
    try {
      return await pool.run(task, { signal: AbortSignal.timeout(MAKE_MS_MAX + 1_000) });
    } catch (error) {
      this.#log.info({ reason: (error as Error).message }, 'no small picture can be made of this');
      throw new ImError('BAD_REQUEST', 'this picture is damaged, or has too many pixels', { cause: error });
    }
  }
}

/** With the first picture, as many file servers never make one. */
async function openPool(): Promise<Piscina<Task, Uint8Array>> {
  const { Piscina } = await import('piscina');
  return new Piscina({
    filename: new URL('./worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: THREADS,
    idleTimeout: 30_000,
    // What hangs in there is ended with its thread.
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
