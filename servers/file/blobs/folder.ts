import { type FileHandle, mkdir, open, opendir, readFile, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ImError } from '../../../common/errors.js';
import type { Draft, Driver } from './driver.js';

const READ_SIZE = 256 * 1024;
const ID = /^[0-9a-f]{32}$/;
const PARKED = '.parked';
const NEW = '.new';

/** Sealed objects in a folder: folder/ab/ab12…, beside it ab12….parked for the beginning of a chunk. */
export class FolderDriver implements Driver {
  readonly #folder: string;
  readonly #freeMin: number;

  /** @param freeMin bytes that stay free on the disk; a fuller one counts as full */
  constructor(folder: string, freeMin: number) {
    this.#folder = folder;
    this.#freeMin = freeMin;
  }

  async check(): Promise<void> {
    await known(mkdir(this.#folder, { recursive: true, mode: 0o700 }));
    await this.#requireRoom();
  }

  async draft(id: string): Promise<Draft> {
    const path = this.#path(id);
    return known(
      (async () => {
        const isNew = (await mkdir(dirname(path), { recursive: true, mode: 0o700 })) !== undefined;
        const file = await open(path, 'a+', 0o600);
        // So that the name lasts as well as the bytes.
        await syncFolder(dirname(path));
        if (isNew) await syncFolder(this.#folder);
        const { size } = await file.stat();
        const parked = await readFile(path + PARKED).catch(absent);
        return new FolderDraft(path, file, size, parked, () => this.#requireRoom());
      })(),
    );
  }

  async *read(id: string, start: number, end: number): AsyncIterable<Buffer> {
    const file = await known(open(this.#path(id), 'r'));
    try {
      yield* readRange(file, start, end);
    } finally {
      await file.close();
    }
  }

  async remove(id: string): Promise<void> {
    const path = this.#path(id);
    await known(Promise.all([path, path + PARKED, path + PARKED + NEW].map((each) => rm(each, { force: true }))));
  }

  async *list(): AsyncIterable<string> {
    const seen = (await opendir(this.#folder).catch(absent)) ?? [];
    for await (const folder of seen) {
      if (!folder.isDirectory() || !/^[0-9a-f]{2}$/.test(folder.name)) continue;
      const ids = new Set<string>();
      for await (const { name } of await opendir(join(this.#folder, folder.name))) {
        const id = name.split('.')[0]!;
        if (ID.test(id)) ids.add(id);
      }
      yield* ids;
    }
  }

  async about() {
    return { driver: 'folder', place: this.#folder, freeBytes: await this.#free() };
  }

  async #free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize;
  }

  async #requireRoom(): Promise<void> {
    if ((await this.#free()) < this.#freeMin)
      throw new ImError('STORE_FULL', `less than ${this.#freeMin} bytes are free in ${this.#folder}`);
  }

  #path(id: string): string {
    if (!ID.test(id)) throw new Error(`${JSON.stringify(id)} is no id of an object`);
    return join(this.#folder, id.slice(0, 2), id);
  }
}

class FolderDraft implements Draft {
  readonly readable = true;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #requireRoom: () => Promise<void>;
  #size: number;
  #parked: Buffer | undefined;

  constructor(
    path: string,
    file: FileHandle,
    size: number,
    parked: Buffer | undefined,
    requireRoom: () => Promise<void>,
  ) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.#parked = parked;
    this.#requireRoom = requireRoom;
  }

  get size(): number {
    return this.#size;
  }
  get parked(): Buffer | undefined {
    return this.#parked;
  }

  read(): AsyncIterable<Buffer> {
    return readRange(this.#file, 0, this.#size);
  }

  async truncate(size: number): Promise<void> {
    await known(this.#file.truncate(size));
    this.#size = size;
  }

  async append(bytes: Buffer): Promise<void> {
    await known(this.#requireRoom());
    await known(this.#file.writeFile(bytes)); // opened for appending: all of it goes to the end
    this.#size += bytes.length;
  }

  async park(bytes: Buffer): Promise<void> {
    await known(this.#file.datasync());
    const path = this.#path + PARKED;
    const file = await known(open(path + NEW, 'w', 0o600));
    try {
      await known(file.writeFile(bytes));
      await known(file.datasync());
    } finally {
      await file.close();
    }
    await known(rename(path + NEW, path));
    this.#parked = bytes;
  }

  async finish(last: Buffer): Promise<void> {
    if (last.length > 0) await this.append(last);
    await known(this.#file.sync());
    await known(rm(this.#path + PARKED, { force: true }));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function* readRange(file: FileHandle, start: number, end: number): AsyncIterable<Buffer> {
  for (let at = start; at < end; ) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, end - at));
    const { bytesRead } = await known(file.read(buffer, 0, buffer.length, at));
    if (bytesRead === 0) throw new ImError('FILE_DAMAGED', `an object ends at ${at}, not at ${end}`);
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** What a disk says, in words of the catalogue. */
async function known<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ImError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
      throw new ImError('STORE_FULL', message, { cause: error });
    if (code === 'ENOENT') throw new ImError('FILE_DAMAGED', message, { cause: error });
    throw new ImError('STORE_UNAVAILABLE', message, { cause: error });
  }
}
