import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MESSAGE_SIZE_MAX } from '../../common/limits.js';
import type { Kind } from './findings.js';
import type { AudioRow, Source } from './source.js';

/**
 * The sound of voice messages: the original's file store has it, the database only its address. A live voice message is
 * 4 bytes of duration (seconds, big-endian) and then the sound, and so is one that is brought over.
 */
export interface VoiceStore {
  /**
   * @returns the file's bytes, at most one more than VOICE_SIZE_MAX; undefined: it is not there
   * @throws VoiceStoreSilent when the store does not answer
   */
  load(address: string): Promise<Buffer | undefined>;
}

export class VoiceStoreSilent extends Error {
  override readonly name = 'VoiceStoreSilent';
}

const DURATION_SIZE = 4;
export const VOICE_SIZE_MAX = MESSAGE_SIZE_MAX - DURATION_SIZE;
const AT_ONCE = 16;
/** So many files in a row without any answer, each tried several times: the store is down, not the files missing. */
const SILENCES_MAX = 3;
const DEADLINE_MS = 10_000;
const TRIES = 3;
const RETRY_MS = 500;

/** A voice message as it is stored, or why there is only the text for it. */
export type Voice = { readonly body: Buffer } | { readonly textBecause: Kind };

export class Voices {
  readonly #source: Source;
  readonly #store: VoiceStore | undefined;
  #silences = 0;

  constructor(source: Source, store: VoiceStore | undefined) {
    this.#source = source;
    this.#store = store;
  }

  /**
   * By the content of the messages, which is the id of a row of IMAudio.
   * @throws VoiceStoreSilent when the store does not answer any more
   */
  async load(contents: readonly string[]): Promise<Map<string, Voice>> {
    const voices = new Map<string, Voice>();
    const store = this.#store;
    if (store === undefined) {
      for (const content of contents) voices.set(content, { textBecause: 'voice-text' });
      return voices;
    }
    const ids = contents.filter((content) => /^\d{1,10}$/.test(content)).map(Number);
    const rows = await this.#source.audio([...new Set(ids)]);
    const open = [...new Set(contents)];
    const work = async () => {
      for (let content = open.pop(); content !== undefined; content = open.pop()) {
        const row = rows.get(Number(content));
        voices.set(content, row === undefined ? { textBecause: 'voice-no-row' } : await this.#voice(store, row));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return voices;
  }

  async #voice(store: VoiceStore, { path, duration }: AudioRow): Promise<Voice> {
    let sound: Buffer | undefined;
    try {
      sound = await store.load(path.toString());
      this.#silences = 0;
    } catch (error) {
      if (!(error instanceof VoiceStoreSilent) || ++this.#silences >= SILENCES_MAX) throw error;
    }
    if (sound === undefined) return { textBecause: 'voice-missing' };
    if (sound.length === 0 || sound.length > VOICE_SIZE_MAX) return { textBecause: 'voice-size' };
    const body = Buffer.allocUnsafe(DURATION_SIZE + sound.length);
    body.writeUInt32BE(Math.min(duration, 2 ** 32 - 1));
    sound.copy(body, DURATION_SIZE);
    return { body };
  }
}

/** The store's own folder, or a copy of it. Files lie below it as in their addresses, with or without the `g0/` of these. */
export class VoiceFolder implements VoiceStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async load(address: string): Promise<Buffer | undefined> {
    const steps = stepsOf(address);
    if (steps === undefined) return undefined;
    return (await readUpTo(join(this.#folder, ...steps))) ?? readUpTo(join(this.#folder, ...steps.slice(1)));
  }
}

/** A file store that still runs, or a web server over a copy of its files. */
export class VoiceServer implements VoiceStore {
  readonly #base: URL;

  /** @throws TypeError for what is no URL */
  constructor(base: string) {
    this.#base = new URL(base.endsWith('/') ? base : `${base}/`);
  }

  async load(address: string): Promise<Buffer | undefined> {
    const steps = stepsOf(address);
    if (steps === undefined) return undefined;
    const url = new URL(steps.map(encodeURIComponent).join('/'), this.#base);
    for (let left = TRIES - 1; ; left--) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
        if (response.status < 500 || left === 0) return response.ok ? await bodyOf(response) : undefined;
        await response.body?.cancel();
      } catch (error) {
        if (left === 0) throw new VoiceStoreSilent(`no answer from ${url}: ${reasonOf(error)}`, { cause: error });
      }
      await delay(RETRY_MS);
    }
  }
}

/** The way to a file below its store; undefined for an address that leads nowhere or out of it. */
function stepsOf(address: string): string[] | undefined {
  const path = address.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/s, '');
  const steps = path.split('/').filter((step) => step !== '' && step !== '.');
  return steps.length === 0 || steps.includes('..') || path.includes('\0') ? undefined : steps;
}

async function readUpTo(path: string): Promise<Buffer | undefined> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new VoiceStoreSilent(error.message, { cause: error });
  });
  try {
    if (file === undefined || !(await file.stat()).isFile()) return undefined;
    const bytes = Buffer.allocUnsafe(VOICE_SIZE_MAX + 1);
    let size = 0;
    for (let read = -1; read !== 0 && size < bytes.length; size += read)
      ({ bytesRead: read } = await file.read(bytes, size, bytes.length - size));
    return Buffer.from(bytes.subarray(0, size));
  } finally {
    await file?.close();
  }
}

async function bodyOf(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > VOICE_SIZE_MAX) break;
  }
  return Buffer.concat(chunks);
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || message : message;
}
