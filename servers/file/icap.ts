import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';

/**
 * A virus scanner that speaks ICAP (RFC 3507), as most of them do. A file goes there as the body of an answer of HTTP
 * (RESPMOD), or of a request where the scanner takes only those (REQMOD). It sees a preview first, and asks for the rest
 * if that does not do.
 *
 *   204, or the body back as it was        clean
 *   any other body in its place            refused, and so is what the scanner says it found something in
 *   anything else                          it could not look
 */
export type Verdict = 'clean' | 'refused';

interface Service {
  readonly method: 'RESPMOD' | 'REQMOD';
  /** Bytes that it wants to see first; undefined: it knows no previews. */
  readonly preview: number | undefined;
  readonly untilMs: number;
}

interface Head {
  readonly status: number;
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
}

const PORT = 1344;
const HEAD_SIZE_MAX = 64 * 1024;
const CHUNK_SIZE_MAX = 64 * 1024 * 1024;
/** More is not shown beforehand, whatever the scanner would like. */
const PREVIEW_SIZE_MAX = 64 * 1024;
/** How long what a service has said about itself is believed. */
const SERVICE_MS_MAX = 10 * 60_000;
const FOUND = ['x-infection-found', 'x-virus-id', 'x-violations-found'];
const END = Buffer.from('\r\n\r\n');
const LINE = Buffer.from('\r\n');

export class IcapScanner {
  readonly #url: URL;
  #service: Service | undefined;

  constructor(url: URL) {
    this.#url = url;
  }

  /** @throws Error when the scanner could not look */
  async scan(name: string, content: Readable, signal: AbortSignal): Promise<Verdict> {
    try {
      const service = await this.#known(signal);
      return await this.#talk(signal, (wire) => this.#ask(wire, service, name, content));
    } catch (error) {
      this.#service = undefined; // another one may have taken its place
      throw error;
    }
  }

  async #known(signal: AbortSignal): Promise<Service> {
    if (this.#service !== undefined && performance.now() < this.#service.untilMs) return this.#service;
    const { status, fields } = await this.#talk(signal, async (wire) => {
      await wire.write(this.#head('OPTIONS', ['Encapsulated: null-body=0']));
      return wire.head();
    });
    if (status !== 200) throw new Error(`the scanner answers ICAP ${status} to OPTIONS`);
    const methods = (fields.get('methods') ?? '').toUpperCase();
    const method = (['RESPMOD', 'REQMOD'] as const).find((each) => methods.includes(each));
    if (method === undefined) throw new Error(`the scanner takes neither RESPMOD nor REQMOD, but ${methods}`);
    const preview = fields.has('preview') ? Math.min(numberOf(fields, 'preview'), PREVIEW_SIZE_MAX) : undefined;
    const ttlMs = fields.has('options-ttl') ? numberOf(fields, 'options-ttl') * 1000 : SERVICE_MS_MAX;
    this.#service = { method, preview, untilMs: performance.now() + Math.min(ttlMs, SERVICE_MS_MAX) };
    return this.#service;
  }

  async #ask(wire: Wire, { method, preview }: Service, name: string, content: Readable): Promise<Verdict> {
    const body = new Body(content);
    await wire.write(this.#headOf(method, preview, name));
    if (preview !== undefined) {
      const { bytes, last } = await body.first(preview);
      await wire.write(Buffer.concat([chunk(bytes), Buffer.from(last ? '0; ieof\r\n\r\n' : '0\r\n\r\n')]));
      const answer = await wire.head();
      if (answer.status !== 100) return verdictOf(wire, answer, last ? body.digest() : undefined);
      if (last) throw new Error('the scanner asks for more than there is');
    }
    let answered = false;
    const answer = wire.finalHead().finally(() => {
      answered = true;
    });
    answer.catch(() => undefined); // looked at below
    // It may have seen enough and close: then its answer counts, not that nothing more can be written.
    const write = (bytes: Buffer) => Promise.race([wire.write(bytes).catch(() => answer), answer]);
    for await (const bytes of body) {
      if (answered) break;
      await write(chunk(bytes));
    }
    if (!answered) await write(Buffer.from('0\r\n\r\n'));
    return verdictOf(wire, await answer, body.ended ? body.digest() : undefined);
  }

  #headOf(method: Service['method'], preview: number | undefined, name: string): Buffer {
    const request = `${method === 'RESPMOD' ? 'GET' : 'PUT'} /${name} HTTP/1.1\r\nHost: teamtalk-cluster\r\n`;
    const type = 'Content-Type: application/octet-stream\r\n';
    const parts =
      method === 'RESPMOD' ? [`${request}\r\n`, `HTTP/1.1 200 OK\r\n${type}\r\n`] : [`${request}${type}\r\n`];
    const places =
      method === 'RESPMOD'
        ? `req-hdr=0, res-hdr=${parts[0]!.length}, res-body=${parts.join('').length}`
        : `req-hdr=0, req-body=${parts[0]!.length}`;
    const previewed = preview === undefined ? [] : [`Preview: ${preview}`];
    const head = this.#head(method, ['Allow: 204', ...previewed, `Encapsulated: ${places}`]);
    return Buffer.concat([head, Buffer.from(parts.join(''))]);
  }

  #head(method: string, fields: readonly string[]): Buffer {
    const { host, pathname, search } = this.#url;
    const service = `icap://${host}${pathname}${search}`;
    const lines = [
      `${method} ${service} ICAP/1.0`,
      `Host: ${host}`,
      'User-Agent: teamtalk-cluster',
      'Connection: close',
    ];
    return Buffer.from(`${[...lines, ...fields].join('\r\n')}\r\n\r\n`);
  }

  async #talk<T>(signal: AbortSignal, work: (wire: Wire) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const socket = connect(Number(this.#url.port || PORT), this.#url.hostname.replace(/^\[|\]$/g, ''));
    const late = () => socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', late);
    try {
      return await work(new Wire(socket));
    } finally {
      signal.removeEventListener('abort', late);
      socket.destroy();
    }
  }
}

async function verdictOf(wire: Wire, { status, fields }: Head, sent: string | undefined): Promise<Verdict> {
  if (status === 204) return 'clean';
  if (status !== 200) throw new Error(`the scanner answers ICAP ${status}`);
  if (FOUND.some((name) => (fields.get(name) ?? '0') !== '0')) return 'refused';
  // One that cannot say 204 gives back what it got; it cannot have seen all of what was not sent to its end.
  if (sent === undefined) return 'refused';
  const [part, at] = (fields.get('encapsulated') ?? '').split(',').at(-1)!.trim().split('=');
  const hash = createHash('sha256');
  await wire.skip(Number(at));
  if (part?.endsWith('null-body') !== true) for await (const bytes of wire.chunks()) hash.update(bytes);
  return hash.digest('hex') === sent ? 'clean' : 'refused';
}

/** What is sent, with its digest as far as it has gone. */
class Body implements AsyncIterable<Buffer> {
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #hash = createHash('sha256');
  #rest: Buffer = Buffer.alloc(0);
  ended = false;

  constructor(content: Readable) {
    this.#pieces = content[Symbol.asyncIterator]();
  }

  /** The first so many bytes, and whether there are no more. */
  async first(size: number): Promise<{ readonly bytes: Buffer; readonly last: boolean }> {
    const pieces: Buffer[] = [];
    let read = 0;
    while (read <= size && !this.ended) {
      const piece = await this.#pieces.next();
      if (piece.done === true) this.ended = true;
      else read += pieces[pieces.push(piece.value) - 1]!.length;
    }
    const all = Buffer.concat(pieces);
    this.#rest = all.subarray(size);
    return { bytes: this.#sent(all.subarray(0, size)), last: this.ended && all.length <= size };
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    if (this.#rest.length > 0) yield this.#sent(this.#rest);
    while (!this.ended) {
      const piece = await this.#pieces.next();
      if (piece.done === true) this.ended = true;
      else if (piece.value.length > 0) yield this.#sent(piece.value);
    }
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  #sent(bytes: Buffer): Buffer {
    this.#hash.update(bytes);
    return bytes;
  }
}

/** A connection, one request and its answer. */
class Wire {
  readonly #socket: Socket;
  readonly #pieces: AsyncIterator<Buffer>;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#pieces = socket[Symbol.asyncIterator]();
    socket.on('error', () => undefined); // the reads and writes that it ends say so
  }

  /** Resolves when more may be written. */
  async write(bytes: Buffer): Promise<void> {
    if (!this.#socket.write(bytes)) await once(this.#socket, 'drain');
  }

  async head(): Promise<Head> {
    const [first = '', ...lines] = (await this.#upTo(END)).toString('latin1').split('\r\n');
    const status = /^ICAP\/1\.\d (\d{3})\b/.exec(first)?.[1];
    if (status === undefined) throw new Error(`the scanner does not speak ICAP: ${first.slice(0, 60)}`);
    const fields = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const;
    });
    return { status: Number(status), fields: new Map(fields) };
  }

  /** The answer behind those that only say that it comes. */
  async finalHead(): Promise<Head> {
    for (;;) {
      const head = await this.head();
      if (head.status !== 100) return head;
    }
  }

  async skip(size: number): Promise<void> {
    if (!(size >= 0 && size <= HEAD_SIZE_MAX)) throw new Error(`the scanner’s answer has a head of ${size} bytes`);
    await this.#take(size);
  }

  async *chunks(): AsyncIterable<Buffer> {
    for (;;) {
      const line = (await this.#upTo(LINE)).toString('latin1');
      const size = /^[0-9a-f]{1,8}(?=$|[ ;])/i.test(line) ? Number.parseInt(line, 16) : Number.NaN;
      if (!(size <= CHUNK_SIZE_MAX)) throw new Error(`the scanner’s answer has a chunk of ${line.slice(0, 20)} bytes`);
      if (size === 0) return;
      for (let left = size; left > 0; ) {
        if (this.#bytes.length === 0) await this.#more();
        const part = this.#bytes.subarray(0, left);
        this.#bytes = this.#bytes.subarray(part.length);
        left -= part.length;
        yield part;
      }
      await this.#take(LINE.length);
    }
  }

  async #take(size: number): Promise<Buffer> {
    while (this.#bytes.length < size) await this.#more();
    const taken = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return taken;
  }

  /** All before the mark, which goes as well. */
  async #upTo(mark: Buffer): Promise<Buffer> {
    for (;;) {
      const at = this.#bytes.indexOf(mark);
      if (at >= 0) return (await this.#take(at + mark.length)).subarray(0, at);
      if (this.#bytes.length > HEAD_SIZE_MAX)
        throw new Error(`the scanner’s answer has no end in ${HEAD_SIZE_MAX} bytes`);
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const piece = await this.#pieces.next();
    if (piece.done === true) throw new Error('the scanner has closed the connection');
    this.#bytes = Buffer.concat([this.#bytes, piece.value]);
  }
}

function numberOf(fields: Head['fields'], name: string): number {
  const text = fields.get(name) ?? '';
  if (!/^\d{1,9}$/.test(text)) throw new Error(`the scanner’s ${name} is ${text.slice(0, 20)}`);
  return Number(text);
}

function chunk(bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, LINE]);
}
