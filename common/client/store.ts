/**
 * Files in the store, for a Client that was granted file1. What is uploaded has a name, f/…, to be told to others in a
 * message; with a session of their own they make an address of it.
 *
 *   const { path } = await upload(alice, 'plan.pdf');       // goes on after a broken connection
 *   const url = await downloadUrl(bob, path);               // for whoever has it, until it expires
 */
import { createHash, createHmac } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ImError } from '../errors.js';
import { file } from '../pdu/commands.js';
import type { Client } from './client.js';
import { ConnectError } from './errors.js';
import { type Content, FileContent, StreamContent } from './store-content.js';

const REQUEST_MS_MAX = 120_000;
const RETRY_MS_FIRST = 100;
const RETRY_MS_MAX = 2_000;
const STILL_MS_MAX = 30_000;
/** What the store may answer when the same request may do better later. */
const LATER_STATUS: readonly number[] = [408, 409, 423, 429, 500, 502, 503, 504];

export interface UploadOptions {
  /** What it is called when it is downloaded; default: the name in the path. */
  readonly fileName?: string;
  /** Aborted: what was sent so far stays for `resume`. */
  readonly signal?: AbortSignal;
  /** Hears how many bytes the store has. */
  readonly progress?: (done: number, size: number) => void;
  /** How long a broken upload is tried again without getting any further; default 30,000 ms. */
  readonly retryMs?: number;
  /** Hears what the upload is called in the store, for `resume`. */
  readonly began?: (upload: string) => void;
  /** Goes on with this upload of the same user and content, which another process may have begun. */
  readonly resume?: string;
}

export interface Uploaded {
  /** The name in the store. */
  readonly path: string;
  readonly size: number;
  /** It was there already, so nothing was sent. */
  readonly instant: boolean;
}

/** The store does not take it: too large, over the quota, refused by a scanner, or the upload is not there any more. */
export class StoreRefused extends Error {
  override readonly name = 'StoreRefused';
  /** Of HTTP. */
  readonly status: number;

  constructor(status: number, words: string) {
    super(`the store answers ${status}: ${words}`);
    this.status = status;
  }
}

/**
 * Uploads a file, or a stream whose size is known. Of a file nothing is sent when the store has its content; a stream is
 * read once, and only some MiB of it are kept for the case that they have to be sent again.
 * @throws StoreRefused; ConnectError when the store stays away; ConnectionLost when the session is needed and gone; what
 * reading throws
 */
export async function upload(
  client: Client,
  source: string | { readonly stream: AsyncIterable<Uint8Array>; readonly size: number },
  options: UploadOptions = {},
): Promise<Uploaded> {
  if (typeof source !== 'string') {
    const content = new StreamContent(source.stream, source.size);
    return new Uploading(client, content, options).send();
  }
  const handle = await open(source, 'r');
  try {
    const content = new FileContent(handle, (await handle.stat()).size);
    const uploading = new Uploading(client, content, { fileName: basename(source), ...options });
    const there = options.resume === undefined ? await uploading.instantly(content) : undefined;
    return there ?? (await uploading.send());
  } finally {
    await handle.close();
  }
}

/** An address by which the file can be fetched over HTTP until it expires. @throws as `ask`; BAD_REQUEST for a wrong name */
export async function downloadUrl(client: Client, path: string): Promise<string> {
  const { urlList } = await client.ask(file.token, { userId: client.userId, pathList: [path] });
  return urlList[0]!;
}

/** Worth trying again. */
class Interrupted extends Error {}

class Uploading {
  readonly #client: Client;
  readonly #content: Content;
  readonly #options: UploadOptions;
  #access: { readonly storeUrl: string; readonly token: string } | undefined;

  constructor(client: Client, content: Content, options: UploadOptions) {
    this.#client = client;
    this.#content = content;
    this.#options = options;
  }

  /** Shows that we have all of it. @returns undefined when it has to be sent: it is not there, or cannot be asked for */
  async instantly(content: FileContent): Promise<Uploaded | undefined> {
    const { size } = content;
    if (size === 0) return undefined;
    const hash = createHash('sha256');
    for await (const piece of content.bytes(0, size)) hash.update(piece);
    try {
      const asked = await this.#post('instant', { sha256: hash.digest('hex'), size });
      const { challenge, nonce, ranges } = asked as {
        challenge: string;
        nonce: string;
        ranges: { start: number; end: number }[];
      };
      const hmac = createHmac('sha256', Buffer.from(nonce, 'hex'));
      for (const { start, end } of ranges) for await (const piece of content.bytes(start, end)) hmac.update(piece);
      const file_name = this.#options.fileName ?? '';
      const { path } = (await this.#post('instant/proof', { challenge, proof: hmac.digest('hex'), file_name })) as {
        path: string;
      };
      this.#options.progress?.(size, size);
      return { path, size, instant: true };
    } catch (error) {
      if (error instanceof Interrupted || (error instanceof StoreRefused && error.status === 404)) return undefined;
      throw error;
    }
  }

  /** Piece by piece; whenever something goes wrong the store is asked what it has. */
  async send(): Promise<Uploaded> {
    const { size } = this.#content;
    const { signal, progress, retryMs = STILL_MS_MAX } = this.#options;
    let name = this.#options.resume;
    let offset: number | undefined;
    let movedMs = performance.now();
    for (let failures = 0; ; ) {
      signal?.throwIfAborted();
      try {
        if (name === undefined) {
          name = await this.#begin();
          this.#options.began?.(name);
          offset = 0;
          if (size === 0) return this.#done(name);
        }
        if (offset === undefined) {
          if (await this.#isFinished(name)) return this.#done(name);
          offset = await this.#offsetOf(name);
        }
        offset = await this.#sendPiece(name, offset);
        progress?.(offset, size);
        if (offset === size) return this.#done(name);
        movedMs = performance.now();
        failures = 0;
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
        if (performance.now() - movedMs > retryMs)
          throw new ConnectError(`the store is not to be had: ${error.message}`, { cause: error });
        offset = undefined;
        await delay(Math.min(RETRY_MS_FIRST * 2 ** failures++, RETRY_MS_MAX), undefined, { signal });
      }
    }
  }

  #done(name: string): Uploaded {
    return { path: pathOf(name), size: this.#content.size, instant: false };
  }

  async #begin(): Promise<string> {
    const fileName = Buffer.from(this.#options.fileName ?? '').toString('base64');
    const headers = { 'Upload-Length': `${this.#content.size}`, 'Upload-Metadata': `filename ${fileName}` };
    const response = await this.#ask('uploads', { method: 'POST', headers });
    return response.headers.get('location')!.split('/').at(-1)!;
  }

  async #offsetOf(name: string): Promise<number> {
    const { headers } = await this.#ask(`uploads/${name}`, { method: 'HEAD' });
    const length = Number(headers.get('upload-length'));
    if (length !== this.#content.size)
      throw new RangeError(`the upload is one of ${length} bytes, not of ${this.#content.size}`);
    return Number(headers.get('upload-offset'));
  }

  /** Nothing is sent when all is there already: that finishes it. @returns the offset behind it */
  async #sendPiece(name: string, offset: number): Promise<number> {
    const body = (await this.#content.piece(offset)) as Uint8Array<ArrayBuffer>;
    const headers = { 'Upload-Offset': `${offset}`, 'Content-Type': 'application/offset+octet-stream' };
    const response = await this.#ask(`uploads/${name}`, { method: 'PATCH', headers, body });
    const next = Number(response.headers.get('upload-offset'));
    if (next !== offset + body.length) throw new Interrupted(`${next - offset} of ${body.length} bytes were taken`);
    return next;
  }

  /** The answer to its last piece may have been lost. */
  async #isFinished(name: string): Promise<boolean> {
    const url = await downloadUrl(this.#client, pathOf(name));
    const { status } = await this.#fetch(url, { method: 'HEAD' });
    return status === 200;
  }

  async #post(place: string, body: unknown): Promise<unknown> {
    const headers = { 'Content-Type': 'application/json' };
    const response = await this.#ask(place, { method: 'POST', headers, body: JSON.stringify(body) });
    return response.json();
  }

  /** With our token, and with a new one when that has expired meanwhile. @throws StoreRefused, Interrupted */
  async #ask(place: string, init: RequestInit): Promise<Response> {
    for (let isNew = this.#access === undefined; ; isNew = true) {
      this.#access ??= await this.#freshAccess();
      const { storeUrl, token } = this.#access;
      const headers = { ...init.headers, Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0' };
      const response = await this.#fetch(storeUrl + place, { ...init, headers });
      if (response.ok) return response;
      const words = (await response.text().catch(() => '')).trim();
      if (response.status === 403 && !isNew) this.#access = undefined;
      else if (LATER_STATUS.includes(response.status)) throw new Interrupted(`${response.status}: ${words}`);
      else throw new StoreRefused(response.status, words);
    }
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const { signal } = this.#options;
    const deadline = AbortSignal.timeout(REQUEST_MS_MAX);
    try {
      return await fetch(url, {
        ...init,
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      });
    } catch (error) {
      signal?.throwIfAborted();
      const { message, cause } = error as Error;
      throw new Interrupted(cause instanceof Error ? cause.message : message, { cause: error });
    }
  }

  async #freshAccess(): Promise<{ readonly storeUrl: string; readonly token: string }> {
    const asked = { userId: this.#client.userId, upload: true };
    const { storeUrl, uploadToken } = await this.#client.ask(file.token, asked);
    if (uploadToken === undefined) throw new ImError('NOT_ALLOWED', 'no token to upload with');
    return { storeUrl, token: uploadToken };
  }
}

/** What is finished is called like its upload, without the user. */
function pathOf(upload: string): string {
  return `f/${upload.split('-').at(-1)!}`;
}
