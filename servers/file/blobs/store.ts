import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { ImError } from '../../../common/errors.js';
import type { Logger } from '../../../common/log.js';
import type { Driver } from './driver.js';
import type { Blob, FileEntry, Register, UploadRecord } from './register.js';
import { plainOf, type Range } from './sealed-reader.js';
import { type Progress, SealedWriter } from './sealed-writer.js';

/** Uploads whose progress is remembered; that of others is found again by reading what they have so far. */
const REMEMBERED_MAX = 1_000;
/** An upload is ours for HOLD_MS of the db-proxy after each claim; a third of it is time enough for the next one. */
const CLAIM_AGAIN_MS = 20_000;

export interface UploadState extends UploadRecord {
  /** Bytes that are there: where the next append goes on. */
  readonly offset: number;
}

export interface FinishOptions {
  /** What the content has to be, in hex. */
  readonly sha256?: string;
}

/**
 * Files at rest. Bytes come in by uploads, which survive a cut connection and a restart, and are found by names:
 *
 *   begin ──▶ append, append, … ──▶ finish ──▶ a file, under a name      (abort at any time before)
 *
 * Everything is sealed before it gets to the driver; the same content is kept once, however many names it has. Nothing
 * can be found before `finish` has resolved, and then all of it is on disk.
 */
export class BlobStore {
  readonly #register: Register;
  readonly #driver: Driver;
  readonly #log: Logger;
  /** Uploads that somebody works on here at the moment. */
  readonly #busy = new Set<string>();
  readonly #remembered = new Map<string, Progress>();

  constructor(register: Register, driver: Driver, log: Logger) {
    this.#register = register;
    this.#driver = driver;
    this.#log = log;
  }

  /** @returns the id of the upload, 32 hex digits. @throws ImError QUOTA_EXCEEDED, STORE_FULL */
  async begin(options: { sizeMax: number; userId?: number | undefined; detail?: Buffer | undefined }): Promise<string> {
    await this.#driver.check();
    const id = randomBytes(16).toString('hex');
    await this.#register.begin({ ...options, id });
    return id;
  }

  /** @throws ImError NO_SUCH_UPLOAD, UPLOAD_IN_USE */
  state(id: string): Promise<UploadState> {
    return this.#work(id, async (record, writer) => ({ ...record, offset: writer.progress.size }));
  }

  /**
   * Writes what the source gives, from `offset` on, which has to be where the upload ends so far. When the source fails,
   * what had come stays, and its error is thrown on.
   * @returns the offset behind it
   * @throws ImError NO_SUCH_UPLOAD, UPLOAD_IN_USE, WRONG_OFFSET, FILE_TOO_LARGE, STORE_FULL, STORE_UNAVAILABLE
   */
  append(id: string, offset: number, source: AsyncIterable<Uint8Array>): Promise<number> {
    return this.#work(id, async ({ sizeMax }, writer) => {
      const { progress } = writer;
      if (offset !== progress.size)
        throw new ImError('WRONG_OFFSET', `the upload has ${progress.size} bytes, not ${offset}`);
      let claimedMs = performance.now();
      try {
        for await (const piece of source) {
          if (progress.size + piece.length > sizeMax)
            throw new ImError('FILE_TOO_LARGE', `more than the ${sizeMax} bytes that were announced`);
          if (performance.now() - claimedMs > CLAIM_AGAIN_MS) {
            await this.#written(id, this.#register.claim(id)); // not ours any more: nothing is parked either
            claimedMs = performance.now();
          }
          await this.#written(id, writer.write(piece));
        }
      } finally {
        if (this.#remembered.has(id)) await this.#written(id, writer.park());
      }
      return progress.size;
    });
  }

  /**
   * All has come. From here on the file is found under its name.
   * @throws ImError as append; BAD_REQUEST when the content is not the one expected: the upload is given up then
   */
  async finish(id: string, file: FileEntry, { sha256 }: FinishOptions = {}): Promise<Blob> {
    const blob = await this.#work(id, async (_record, writer) => {
      const digest = await this.#written(id, writer.finish());
      if (sha256 !== undefined && sha256 !== digest) {
        await this.#register.dropUpload(id);
        throw new ImError('BAD_REQUEST', `the content has SHA-256 ${digest}, not ${sha256}`);
      }
      return this.#register.finish(id, digest, writer.progress.size, file);
    });
    this.#remembered.delete(id);
    if (blob.id !== id) await this.#clear(id);
    return blob;
  }

  /** Gives up an upload. One that is not there is no error. */
  async abort(id: string): Promise<void> {
    if (this.#busy.has(id)) throw new ImError('UPLOAD_IN_USE', id);
    this.#remembered.delete(id);
    if (await this.#register.dropUpload(id)) await this.#clear(id);
  }

  find(kind: string, name: string): Promise<{ readonly blob: Blob; readonly file: FileEntry } | undefined> {
    return this.#register.byName(kind, name);
  }

  /** The plain content, or a range of it. It fails with FILE_DAMAGED where what is at rest is not what was stored. */
  open(blob: Blob, range: Range = { start: 0, end: blob.size }): Readable {
    return Readable.from(plainOf(this.#driver, blob, range), { objectMode: false });
  }

  /** Takes away a name; the content goes when it has no other. @returns whether there was one */
  release(kind: string, name: string): Promise<boolean> {
    return this.#register.dropFile(kind, name);
  }

  /** One at a time for each upload, here by `#busy` and in the cluster by the claim. */
  async #work<T>(id: string, work: (record: UploadRecord, writer: SealedWriter) => Promise<T>): Promise<T> {
    if (!/^[0-9a-f]{32}$/.test(id)) throw new ImError('NO_SUCH_UPLOAD', 'no id of an upload');
    if (this.#busy.has(id)) throw new ImError('UPLOAD_IN_USE', `${id} is being written here`);
    this.#busy.add(id);
    try {
      const record = await this.#register.claim(id);
      const draft = await this.#driver.draft(id);
      try {
        const writer = await SealedWriter.open(record.key, draft, this.#remembered.get(id));
        this.#remember(id, writer.progress);
        return await work(record, writer);
      } finally {
        await draft.close();
      }
    } finally {
      this.#busy.delete(id);
    }
  }

  #remember(id: string, progress: Progress): void {
    this.#remembered.delete(id);
    this.#remembered.set(id, progress);
    if (this.#remembered.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#remembered.keys();
    if (!this.#busy.has(oldest!)) this.#remembered.delete(oldest!);
  }

  /** When the driver fails nobody knows how much of it is there: it is looked up before the next write. */
  async #written<T>(id: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#remembered.delete(id);
      throw error;
    }
  }

  /** What is left of an upload that is none any more. When this fails, a later sweep does it. */
  async #clear(id: string): Promise<void> {
    try {
      await this.#driver.remove(id);
      await this.#register.removed([id]);
    } catch (error) {
      this.#log.warn({ upload: id, error }, 'an object is left for the next sweep');
    }
  }
}
