import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Teardown } from './postgres.js';

/**
 * A small S3 over real HTTP, in memory: objects, ranges, multipart uploads, lists in pages. It checks the signature of
 * every request (AWS Signature Version 4) and the digest of every body, so a client that signs wrongly gets nowhere.
 */
const MIN_PART_SIZE = 5 * 1024 * 1024;
const REGION = 'eu-test-1';

interface Upload {
  readonly key: string;
  readonly parts: Map<number, { readonly etag: string; readonly bytes: Buffer }>;
}

export class TestS3 {
  readonly bucket = 'files';
  readonly region = REGION;
  readonly accessKeyId = 'TESTKEY';
  readonly secretAccessKey = randomBytes(20).toString('hex');
  readonly objects = new Map<string, Buffer>();
  readonly uploads = new Map<string, Upload>();
  /** The next so many requests are answered with 503. */
  failing = 0;
  /** Objects and uploads of a page. */
  pageSize = 1_000;
  requests = 0;
  refusedSignatures = 0;
  #server: Server | undefined;
  #port = 0;

  static async start(t: Teardown): Promise<TestS3> {
    const s3 = new TestS3();
    await s3.start();
    t.teardown(() => s3.stop());
    return s3;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/${this.bucket}`;
  }

  /** Again on the same port, after `stop`. */
  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: Error) =>
        answer(response, 500, errorXml('InternalError', error.message)),
      );
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    this.requests++;
    if (this.failing > 0) {
      this.failing--;
      return answer(response, 503, errorXml('SlowDown', 'try again'));
    }
    const url = new URL(request.url!, 'http://s3');
    const wrong = this.#whatIsWrong(request, url, body);
    if (wrong !== undefined) {
      this.refusedSignatures++;
      return answer(response, 403, errorXml('SignatureDoesNotMatch', wrong));
    }
    const [, bucket, ...rest] = url.pathname.split('/');
    if (bucket !== this.bucket) return answer(response, 404, errorXml('NoSuchBucket', bucket ?? ''));
    this.#serve(request, response, url.searchParams, rest.join('/'), body);
  }

  #serve(request: IncomingMessage, response: ServerResponse, query: URLSearchParams, key: string, body: Buffer): void {
    const uploadId = query.get('uploadId');
    switch (request.method) {
      case 'GET':
        if (query.has('uploads')) return this.#listUploads(response, query);
        if (query.has('list-type')) return this.#listObjects(response, query);
        if (uploadId !== null) return this.#listParts(response, uploadId);
        return this.#get(request, response, key, true);
      case 'HEAD':
        return this.#get(request, response, key, false);
      case 'PUT':
        if (uploadId !== null) return this.#putPart(response, uploadId, Number(query.get('partNumber')), body);
        this.objects.set(key, body);
        return answer(response, 200, '', { ETag: etagOf(body) });
      case 'POST':
        if (query.has('uploads')) return this.#begin(response, key);
        return this.#complete(response, key, uploadId ?? '', body.toString());
      case 'DELETE':
        if (uploadId !== null && !this.uploads.delete(uploadId))
          return answer(response, 404, errorXml('NoSuchUpload', ''));
        if (uploadId === null) this.objects.delete(key);
        return answer(response, 204, '');
      default:
        return answer(response, 405, errorXml('MethodNotAllowed', ''));
    }
  }

  #get({ headers }: IncomingMessage, response: ServerResponse, key: string, withBody: boolean): void {
    const bytes = this.objects.get(key);
    if (bytes === undefined) return answer(response, 404, withBody ? errorXml('NoSuchKey', key) : '');
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    if (from === undefined)
      return answer(response, 200, withBody ? bytes : '', { 'Content-Length': `${bytes.length}` });
    if (Number(from) >= bytes.length) return answer(response, 416, errorXml('InvalidRange', ''));
    answer(response, 206, bytes.subarray(Number(from), Number(to) + 1));
  }

  #begin(response: ServerResponse, key: string): void {
    const uploadId = randomBytes(8).toString('hex');
    this.uploads.set(uploadId, { key, parts: new Map() });
    answer(response, 200, `<R><Key>${key}</Key><UploadId>${uploadId}</UploadId></R>`);
  }

  #putPart(response: ServerResponse, uploadId: string, number: number, bytes: Buffer): void {
    const upload = this.uploads.get(uploadId);
    if (upload === undefined) return answer(response, 404, errorXml('NoSuchUpload', uploadId));
    const etag = etagOf(bytes);
    upload.parts.set(number, { etag, bytes });
    answer(response, 200, '', { ETag: etag });
  }

  #complete(response: ServerResponse, key: string, uploadId: string, list: string): void {
    const upload = this.uploads.get(uploadId);
    if (upload === undefined || upload.key !== key) return answer(response, 404, errorXml('NoSuchUpload', uploadId));
    const named = [...list.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]+)<\/ETag>/g)];
    const parts = named.map(([, number, etag]) => {
      const part = upload.parts.get(Number(number));
      return part?.etag === etag ? part : undefined;
    });
    if (parts.length === 0 || parts.includes(undefined)) return answer(response, 400, errorXml('InvalidPart', ''));
    if (parts.slice(0, -1).some((part) => part!.bytes.length < MIN_PART_SIZE))
      return answer(response, 400, errorXml('EntityTooSmall', ''));
    this.objects.set(key, Buffer.concat(parts.map((part) => part!.bytes)));
    this.uploads.delete(uploadId);
    answer(response, 200, `<R><Key>${key}</Key></R>`);
  }

  #listObjects(response: ServerResponse, query: URLSearchParams): void {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? '';
    const size = Math.min(this.pageSize, Number(query.get('max-keys') ?? 1_000));
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, size);
    const next = keys.length > size ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    answer(response, 200, `<R>${page.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}${next}</R>`);
  }

  #listUploads(response: ServerResponse, query: URLSearchParams): void {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('upload-id-marker') ?? '';
    const all = [...this.uploads].filter(([, { key }]) => key.startsWith(prefix));
    const from = after === '' ? 0 : all.findIndex(([id]) => id === after) + 1;
    const page = all.slice(from, from + this.pageSize);
    const [lastId, last] = page.at(-1) ?? ['', undefined];
    const more = from + page.length < all.length;
    const uploads = page.map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`);
    const markers = more
      ? `<NextKeyMarker>${last!.key}</NextKeyMarker><NextUploadIdMarker>${lastId}</NextUploadIdMarker>`
      : '';
    answer(response, 200, `<R>${uploads.join('')}<IsTruncated>${more}</IsTruncated>${markers}</R>`);
  }

  #listParts(response: ServerResponse, uploadId: string): void {
    const upload = this.uploads.get(uploadId);
    if (upload === undefined) return answer(response, 404, errorXml('NoSuchUpload', uploadId));
    const parts = [...upload.parts].sort(([a], [b]) => a - b);
    const xml = parts.map(
      ([number, { etag, bytes }]) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${etag.replaceAll('"', '&quot;')}</ETag><Size>${bytes.length}</Size></Part>`,
    );
    answer(response, 200, `<R>${xml.join('')}<IsTruncated>false</IsTruncated></R>`);
  }

  /** By the letter of Signature Version 4. */
  #whatIsWrong({ method, headers }: IncomingMessage, url: URL, body: Buffer): string | undefined {
    const pattern =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([\w-]+)\/s3\/aws4_request, SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})$/;
    const [, accessKey, day, region, names, signature] = pattern.exec(headers.authorization ?? '') ?? [];
    if (names === undefined) return 'no signature';
    if (accessKey !== this.accessKeyId || region !== REGION) return 'another key or region';
    const at = String(headers['x-amz-date']);
    if (!at.startsWith(day!) || Math.abs(Date.now() - timeOf(at)) > 15 * 60_000) return 'not now';
    const digest = String(headers['x-amz-content-sha256']);
    if (digest !== sha256(body)) return 'the body is not what was signed';
    const signed = names.split(';');
    for (const needed of ['host', 'x-amz-date', 'x-amz-content-sha256'])
      if (!signed.includes(needed)) return `${needed} is not signed`;
    const encode = (text: string) =>
      encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    const query = [...url.searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&');
    const canonical = [
      method,
      url.pathname,
      query,
      ...signed.map((name) => `${name}:${String(headers[name]).trim()}`),
      '',
      names,
      digest,
    ].join('\n');
    const scope = `${day}/${REGION}/s3/aws4_request`;
    const text = ['AWS4-HMAC-SHA256', at, scope, sha256(Buffer.from(canonical))].join('\n');
    const key = [day!, REGION, 's3', 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${this.secretAccessKey}`));
    const right = hmac(key, text);
    return timingSafeEqual(right, Buffer.from(signature!, 'hex')) ? undefined : 'the signature is wrong';
  }
}

function timeOf(at: string): number {
  return Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function etagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function errorXml(code: string, message: string): string {
  return `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

function answer(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Length': `${Buffer.byteLength(body)}`, ...headers }).end(body);
}
