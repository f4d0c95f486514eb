import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { ImError } from '../../../common/errors.js';
import type { Logger } from '../../../common/log.js';
import type { Driver } from './driver.js';
import type { Blob, FileEntry, NewUpload, Register, UploadRecord } from './register.js';
import { plainOf, type Range } from './sealed-reader.js';
import { type Progress, SealedWriter } from './sealed-writer.js';

/** What is looked at to tell what a file is. */
const HEAD_SIZE = 4_100;
/** Uploads whose progress is remembered; that of others is found again by reading what they have so far. */
const REMEMBERED_MAX = 1_000;
/** An upload is ours for HOLD_MS of the db-proxy after each claim; a third of it is time enough for the next one. */
const CLAIM_AGAIN_MS = 20_000;

export interface UploadState extends UploadRecord {
  /** Bytes that are there: where the next append goes on. */
  readonly offset: number;
}

/** The name that an upload gets, or what makes it of the first bytes of the content. It may throw an ImError: no file then. */
export type Naming = FileEntry | ((head: Buffer) => Promise<FileEntry>);

export interface FinishOptions {
  /** What the content has to be, in hex. */
  readonly sha256?: string;
  /** It was made here, of what was scanned already. */
  readonly trusted?: boolean;
}

/** Asked before a file can be found. */
export interface Gate {
  readonly wanted: boolean;
  /** @throws ImError FILE_REFUSED */
  check(id: string, content: Readable): Promise<void>;
}

export function freshId(): string {
  return randomBytes(16).toString('hex');
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
  readonly #gate: Gate;
  readonly #log: Logger;
  /** Uploads that somebody works on here at the moment. */
  readonly #busy = new Set<string>();
  readonly #remembered = new Map<string, Progress>();

  constructor(register: Register, driver: Driver, gate: Gate, log: Logger) {
    this.#register = register;
    this.#driver = driver;
    this.#gate = gate;
    this.#log = log;
  }

  /**
   * @param upload `sizeMax`: it will not be longer; `id`: one of freshId, when it has to be known before
   * @returns the id of the upload, 32 hex digits
   * @throws ImError QUOTA_EXCEEDED, STORE_FULL, STORE_UNAVAILABLE
   */
  async begin({ id = freshId(), ...upload }: Omit<NewUpload, 'id'> & { readonly id?: string }): Promise<string> {
    await this.#driver.check();
    await this.#register.begin({ ...upload, id });
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
   * @throws ImError as append; FILE_REFUSED by the scanner; BAD_REQUEST when the content is not the one expected or not
   * wanted. After these two nothing is left of the upload.
   */
  async finish(id: string, naming: Naming, { sha256, trusted = false }: FinishOptions = {}): Promise<Blob> {
    const blob = await this.#work(id, async ({ key }, writer) => {
      const digest = await this.#written(id, writer.finish());
      const content = { id, sha256: digest, size: writer.progress.size, key };
      const file = await this.#passed(content, naming, { ...(sha256 && { sha256 }), trusted });
      return this.#register.finish(id, digest, content.size, file);
    }).catch(async (error: unknown) => {
      const isRefused = error instanceof ImError && (error.code === 'FILE_REFUSED' || error.code === 'BAD_REQUEST');
      if (isRefused) await this.abort(id);
      throw error;
    });
    this.#remembered.delete(id);
    if (blob.id !== id) await this.#clear(id);
    return blob;
  }

  async #passed(content: Blob, naming: Naming, { sha256, trusted }: FinishOptions): Promise<FileEntry> {
    if (sha256 !== undefined && sha256 !== content.sha256)
      throw new ImError('BAD_REQUEST', `the content has SHA-256 ${content.sha256}, not ${sha256}`);
    const file = typeof naming === 'function' ? await naming(await this.head(content)) : naming;
    if (!trusted && this.#gate.wanted) await this.#gate.check(content.id, this.open(content));
    return file;
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

  /** The first bytes, which tell what it is. */
  async head(blob: Blob): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.open(blob, { start: 0, end: Math.min(HEAD_SIZE, blob.size) })) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** Whether this content is here already, whoever brought it. */
  withContent(sha256: string): Promise<Blob | undefined> {
    return this.#register.byContent(sha256);
  }

  /** Another name for what is here. @throws ImError NO_SUCH_FILE when it has gone meanwhile, QUOTA_EXCEEDED */
  refer(blob: Blob, file: FileEntry): Promise<void> {
    return this.#register.refer(blob, file);
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
