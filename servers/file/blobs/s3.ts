import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { ImError } from '../../../common/errors.js';
import { SEALED_CHUNK_SIZE } from './chunks.js';
import type { Draft, Driver } from './driver.js';

/**
 * Sealed objects in S3-compatible storage: <prefix><id>, written in parts. What has come and is no whole part yet is
 * parked beside it, <prefix><id>.parked, and taken up from there by whichever file server goes on.
 */
export interface S3Options {
  /** Of the bucket: https://s3.example.com/bucket */
  readonly url: string;
  readonly prefix: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** How long one request may take, its retries not counted. */
  readonly timeoutMs: number;
}

/** S3 wants parts of 5 MiB at least, the last one excepted, and 10,000 at most: files of up to 58 GiB. */
const PART_SIZE = 96 * SEALED_CHUNK_SIZE;
const TRIES = 4;
const RETRY_MS = 100;
const PARKED = '.parked';
const ID = /^[0-9a-f]{32}$/;
const KEYS_PER_PAGE = 1_000;

export class S3Driver implements Driver {
  readonly #options: S3Options;
  readonly #client: AwsClient;

  constructor(options: S3Options) {
    this.#options = options;
    const { accessKeyId, secretAccessKey, region } = options;
    // Its own retries know no deadline.
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 });
  }

  async about() {
    return { driver: 's3', place: `${this.#options.url} ${this.#options.prefix}`.trim() };
  }

  async check(): Promise<void> {
    await this.#text('GET', '', { 'list-type': '2', 'max-keys': '1', prefix: this.#options.prefix });
  }

  async draft(id: string): Promise<Draft> {
    const parked = splitParked(await this.#bytes(id + PARKED));
    const whole = await this.#sizeOf(id);
    if (whole !== undefined) return new S3Draft(this, id, { whole, uploadId: undefined, parts: [], parked });
    const uploadId = await this.#openUpload(id);
    const parts = uploadId === undefined ? [] : await this.#partsOf(id, uploadId);
    return new S3Draft(this, id, { whole: undefined, uploadId, parts, parked });
  }

  async *read(id: string, start: number, end: number): AsyncIterable<Buffer> {
    const response = await this.request('GET', id, {}, { headers: { Range: `bytes=${start}-${end - 1}` } });
    if (response.status === 404) throw new ImError('FILE_DAMAGED', `${id} is not there`);
    if (response.status !== 206 && !(response.status === 200 && start === 0))
      throw await refused(response, `GET ${id}`);
    let left = end - start;
    try {
      for await (const piece of response.body!) {
        const bytes = Buffer.from(piece.buffer, piece.byteOffset, Math.min(piece.length, left));
        left -= bytes.length;
        yield bytes;
        if (left === 0) return;
      }
    } catch (error) {
      throw new ImError('STORE_UNAVAILABLE', `GET ${id}: ${(error as Error).message}`, { cause: error });
    }
    throw new ImError('FILE_DAMAGED', `${id} ends ${left} bytes early`);
  }

  async remove(id: string): Promise<void> {
    for (let uploadId = await this.#openUpload(id); uploadId !== undefined; uploadId = await this.#openUpload(id))
      await this.#done('DELETE', id, { uploadId });
    await this.#done('DELETE', id, {});
    await this.#done('DELETE', id + PARKED, {});
  }

  async *list(): AsyncIterable<string> {
    const { prefix } = this.#options;
    const seen = new Set<string>();
    const fresh = (key: string) => {
      const id = key.slice(prefix.length).replace(PARKED, '');
      if (!ID.test(id) || seen.has(id)) return undefined;
      seen.add(id);
      return id;
    };
    for (let token = ''; ; ) {
      const more: Record<string, string> = token === '' ? {} : { 'continuation-token': token };
      const page = await this.#text('GET', '', { 'list-type': '2', 'max-keys': `${KEYS_PER_PAGE}`, prefix, ...more });
      for (const key of valuesOf(page, 'Key')) {
        const id = fresh(key);
        if (id !== undefined) yield id;
      }
      token = valuesOf(page, 'NextContinuationToken')[0] ?? '';
      if (token === '') break;
    }
    for await (const { key } of this.#openUploads(prefix)) {
      const id = fresh(key);
      if (id !== undefined) yield id;
    }
  }

  async startParts(id: string): Promise<string> {
    const answer = await this.#text('POST', id, { uploads: '' });
    const [uploadId] = valuesOf(answer, 'UploadId');
    if (uploadId === undefined) throw new ImError('STORE_UNAVAILABLE', 'S3 answers without an UploadId');
    return uploadId;
  }

  async putPart(id: string, uploadId: string, number: number, bytes: Buffer): Promise<Part> {
    const response = await this.request('PUT', id, { partNumber: `${number}`, uploadId }, { body: bytes });
    if (!response.ok) throw await refused(response, `part ${number} of ${id}`);
    await response.arrayBuffer();
    return { number, etag: response.headers.get('etag') ?? '', size: bytes.length };
  }

  async joinParts(id: string, uploadId: string, parts: readonly Part[]): Promise<void> {
    const list = parts.map((part) => `<Part><PartNumber>${part.number}</PartNumber><ETag>${part.etag}</ETag></Part>`);
    const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
    const response = await this.request('POST', id, { uploadId }, { body });
    const text = await response.text();
    // It may say 200 and then, after a while, that it could not.
    if (response.ok && !text.includes('<Error>')) return;
    // An earlier try may have got through, and only its answer was lost.
    if ((await this.#sizeOf(id)) !== undefined) return;
    throw new ImError('STORE_UNAVAILABLE', `S3 does not join the parts of ${id}: ${response.status} ${codeOf(text)}`);
  }

  async put(key: string, bytes: Buffer): Promise<void> {
    const response = await this.request('PUT', key, {}, { body: bytes });
    if (!response.ok) throw await refused(response, `PUT ${key}`);
    await response.arrayBuffer();
  }

  async removeParked(id: string): Promise<void> {
    await this.#done('DELETE', id + PARKED, {});
  }

  /** With retries for what may pass by itself. @throws ImError STORE_UNAVAILABLE after the last of them */
  async request(
    method: string,
    key: string,
    query: Readonly<Record<string, string>>,
    { body, headers = {} }: { body?: Buffer; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const url = new URL(`${this.#options.url.replace(/\/$/, '')}/${key === '' ? '' : this.#options.prefix + key}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    // The digest of the body is signed with the rest: what arrives is what was sent.
    const digest = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    for (let left = TRIES - 1; ; left--) {
      const tried = await this.#client
        .fetch(url, {
          method,
          headers: { ...headers, 'X-Amz-Content-Sha256': digest },
          signal: AbortSignal.timeout(this.#options.timeoutMs),
          ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
        })
        .catch((error: Error) => error);
      const passing = tried instanceof Error || tried.status >= 500 || tried.status === 429;
      if (!passing) return tried;
      if (left === 0) throw new ImError('STORE_UNAVAILABLE', `S3, ${method}: ${await reasonOf(tried)}`);
      if (!(tried instanceof Error)) await tried.body?.cancel();
      await delay(RETRY_MS * 2 ** (TRIES - 1 - left) * (0.5 + Math.random()));
    }
  }

  async #sizeOf(key: string): Promise<number | undefined> {
    const response = await this.request('HEAD', key, {});
    if (response.status === 404) return undefined;
    if (!response.ok) throw await refused(response, `HEAD ${key}`);
    return Number(response.headers.get('content-length'));
  }

  async #bytes(key: string): Promise<Buffer | undefined> {
    const response = await this.request('GET', key, {});
    if (response.status === 404) {
      await response.arrayBuffer();
      return undefined;
    }
    if (!response.ok) throw await refused(response, `GET ${key}`);
    return Buffer.from(await response.arrayBuffer());
  }

  async #text(method: string, key: string, query: Record<string, string>): Promise<string> {
    const response = await this.request(method, key, query);
    if (!response.ok) throw await refused(response, `${method} ${key}`);
    return response.text();
  }

  /** What is not there is done already. */
  async #done(method: string, key: string, query: Record<string, string>): Promise<void> {
    const response = await this.request(method, key, query);
    if (!response.ok && response.status !== 404) throw await refused(response, `${method} ${key}`);
    await response.arrayBuffer();
  }

  /** The one that was begun last: an earlier one is of a start whose answer was lost. */
  async #openUpload(id: string): Promise<string | undefined> {
    let newest: string | undefined;
    for await (const { key, uploadId } of this.#openUploads(this.#options.prefix + id))
      if (key === this.#options.prefix + id) newest = uploadId;
    return newest;
  }

  async *#openUploads(prefix: string): AsyncIterable<{ key: string; uploadId: string }> {
    for (let markers: Record<string, string> = {}; ; ) {
      const page = await this.#text('GET', '', { uploads: '', prefix, ...markers });
      const [keys, ids] = [valuesOf(page, 'Key'), valuesOf(page, 'UploadId')];
      for (const [i, key] of keys.entries()) yield { key, uploadId: ids[i]! };
      if (valuesOf(page, 'IsTruncated')[0] !== 'true') return;
      const [keyMarker = '', uploadMarker = ''] = [
        valuesOf(page, 'NextKeyMarker')[0],
        valuesOf(page, 'NextUploadIdMarker')[0],
      ];
      markers = { 'key-marker': keyMarker, 'upload-id-marker': uploadMarker };
    }
  }

  async #partsOf(id: string, uploadId: string): Promise<Part[]> {
    const parts: Part[] = [];
    for (let marker = ''; ; ) {
      const more: Record<string, string> = marker === '' ? {} : { 'part-number-marker': marker };
      const page = await this.#text('GET', id, { uploadId, ...more });
      const [numbers, etags, sizes] = ['PartNumber', 'ETag', 'Size'].map((tag) => valuesOf(page, tag));
      for (const [i, number] of numbers!.entries())
        parts.push({ number: Number(number), etag: etags![i]!, size: Number(sizes![i]) });
      marker = valuesOf(page, 'NextPartNumberMarker')[0] ?? '';
      if (valuesOf(page, 'IsTruncated')[0] !== 'true' || marker === '') return parts;
    }
  }
}

interface Part {
  readonly number: number;
  readonly etag: string;
  readonly size: number;
}

interface Found {
  /** All of it is there, in so many bytes. */
  readonly whole: number | undefined;
  readonly uploadId: string | undefined;
  readonly parts: Part[];
  readonly parked: Parked | undefined;
}

class S3Draft implements Draft {
  readonly #driver: S3Driver;
  readonly #id: string;
  #whole: number | undefined;
  readonly #parts: Part[];
  #uploadId: string | undefined;
  /** Appended, and no whole part yet. */
  #pending: Buffer[];
  #pendingSize: number;
  #parked: Buffer | undefined;

  constructor(driver: S3Driver, id: string, { whole, uploadId, parts, parked }: Found) {
    this.#driver = driver;
    this.#id = id;
    this.#whole = whole;
    this.#uploadId = uploadId;
    this.#parts = parts;
    // What was parked before the last part was sent is in that part.
    const isCurrent = parked !== undefined && parked.behind === this.#inParts;
    this.#pending = isCurrent ? [parked.pending] : [];
    this.#pendingSize = isCurrent ? parked.pending.length : 0;
    this.#parked = isCurrent ? parked.tail : undefined;
  }

  get size(): number {
    return this.#whole ?? this.#inParts + this.#pendingSize;
  }
  get parked(): Buffer | undefined {
    return this.#parked;
  }
  get #inParts(): number {
    return this.#parts.reduce((sum, part) => sum + part.size, 0);
  }

  /** Parts cannot be read before they are joined. They came whole or not at all. */
  get readable(): boolean {
    return this.#whole !== undefined;
  }

  read(): AsyncIterable<Buffer> {
    return this.#driver.read(this.#id, 0, this.size);
  }

  async truncate(): Promise<void> {
    throw new ImError('FILE_DAMAGED', `${this.#id} is all there, but not as it was sealed`);
  }

  async append(bytes: Buffer): Promise<void> {
    this.#pending.push(bytes);
    this.#pendingSize += bytes.length;
    if (this.#pendingSize >= PART_SIZE) await this.#sendPart();
  }

  async park(bytes: Buffer): Promise<void> {
    const pending = Buffer.concat(this.#pending);
    await this.#driver.put(this.#id + PARKED, joinParked({ behind: this.#inParts, pending, tail: bytes }));
    this.#parked = bytes;
  }

  async finish(last: Buffer): Promise<void> {
    if (this.#whole === undefined) {
      this.#pending.push(last);
      if (this.#uploadId === undefined) await this.#driver.put(this.#id, Buffer.concat(this.#pending));
      else {
        await this.#sendPart();
        await this.#driver.joinParts(this.#id, this.#uploadId, this.#parts);
      }
      this.#whole = this.#uploadId === undefined ? this.#pendingSize + last.length : this.#inParts;
    }
    await this.#driver.removeParked(this.#id);
  }

  async close(): Promise<void> {}

  async #sendPart(): Promise<void> {
    this.#uploadId ??= await this.#driver.startParts(this.#id);
    const bytes = Buffer.concat(this.#pending);
    this.#parts.push(await this.#driver.putPart(this.#id, this.#uploadId, this.#parts.length + 1, bytes));
    this.#pending = [];
    this.#pendingSize = 0;
  }
}

/** What was appended behind the parts, and the beginning of a chunk behind that. */
interface Parked {
  /** Bytes that were in parts by then. */
  readonly behind: number;
  readonly pending: Buffer;
  readonly tail: Buffer;
}

/** behind (8) | size of pending (4) | pending | tail */
const PARKED_HEAD = 12;

function joinParked({ behind, pending, tail }: Parked): Buffer {
  const head = Buffer.alloc(PARKED_HEAD);
  head.writeBigUInt64BE(BigInt(behind), 0);
  head.writeUInt32BE(pending.length, 8);
  return Buffer.concat([head, pending, tail]);
}

function splitParked(bytes: Buffer | undefined): Parked | undefined {
  if (bytes === undefined || bytes.length < PARKED_HEAD) return undefined;
  const end = PARKED_HEAD + bytes.readUInt32BE(8);
  return {
    behind: Number(bytes.readBigUInt64BE(0)),
    pending: bytes.subarray(PARKED_HEAD, end),
    tail: bytes.subarray(end),
  };
}

/** What stands in these elements of an XML answer. Keys, ids and etags have nothing in them that XML would escape but quotes. */
function valuesOf(xml: string, tag: string): string[] {
  return [...xml.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, 'g'))].map((match) =>
    match[1]!.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&'),
  );
}

function codeOf(xml: string): string {
  return valuesOf(xml, 'Code')[0] ?? '';
}

async function refused(response: Response, what: string): Promise<ImError> {
  const code = codeOf(await response.text().catch(() => ''));
  const known = /QuotaExceeded|XMinioStorageFull|EntityTooLarge/.test(code) || response.status === 507;
  return new ImError(known ? 'STORE_FULL' : 'STORE_UNAVAILABLE', `S3, ${what}: ${response.status} ${code}`);
}

async function reasonOf(tried: Response | Error): Promise<string> {
  if (!(tried instanceof Error)) return `${tried.status} ${codeOf(await tried.text().catch(() => ''))}`;
  const { cause } = tried as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? tried.message;
}
