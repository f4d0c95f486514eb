import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Teardown } from './postgres.js';

/** What the scanner says of a file: the two last ones as scanners do that do not know, or do not use, 204. */
export type Saying = 'clean' | 'found' | 'blocked' | 'back' | 'replaced' | 'silent' | 'busy' | 'gone' | 'nonsense';

export interface IcapOptions {
  readonly method?: 'RESPMOD' | 'REQMOD';
  /** Undefined: no previews. */
  readonly preview?: number;
  /** Says what it thinks of what it has seen so far; undefined: it wants to see the rest. */
  say(seen: Buffer, whole: boolean): Saying | undefined;
}

/** A small ICAP server over real TCP. It takes requests apart by what they say of themselves, and refuses wrong ones. */
export class TestIcap {
  options: IcapOptions;
  /** By method. */
  readonly asked: string[] = [];
  /** What it has seen of each file when it answered. */
  readonly seen: Buffer[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: IcapOptions) {
    this.options = options;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      void this.#serve(socket).catch((error: Error) => socket.end(`ICAP/1.0 400 ${error.message}\r\n\r\n`));
    });
  }

  static async start(t: Teardown, options: IcapOptions): Promise<TestIcap> {
    const icap = new TestIcap(options);
    icap.#server.listen(0, '127.0.0.1');
    await once(icap.#server, 'listening');
    t.teardown(() => {
      for (const socket of icap.#sockets) socket.destroy();
      icap.#server.close();
    });
    return icap;
  }

  get url(): string {
    return `icap://127.0.0.1:${(this.#server.address() as AddressInfo).port}/avscan`;
  }

  async #serve(socket: Socket): Promise<void> {
    const { method = 'RESPMOD', preview, say } = this.options;
    const input = new Input(socket);
    const head = await input.upTo('\r\n\r\n');
    const [, asked = '', path] = /^(\w+) icap:\/\/[\d.:]+(\S*) ICAP\/1\.0\r\n/.exec(head) ?? [];
    this.asked.push(asked);
    if (path !== '/avscan') return void socket.end('ICAP/1.0 404 No such service\r\n\r\n');
    if (asked === 'OPTIONS') {
      const can = preview === undefined ? '' : `Preview: ${preview}\r\nTransfer-Preview: *\r\n`;
      return void socket.end(
        `ICAP/1.0 200 OK\r\nMethods: ${method}\r\nAllow: 204\r\n${can}Encapsulated: null-body=0\r\n\r\n`,
      );
    }
    if (asked !== method || !/\r\nAllow: 204\r\n/.test(head)) return void socket.end('ICAP/1.0 405 Not that\r\n\r\n');
    await this.#encapsulated(input, head, method);
    const announced = /\r\nPreview: (\d+)\r\n/.exec(head)?.[1];
    if (announced !== (preview === undefined ? undefined : `${preview}`)) throw new Error('another preview');
    let body = await input.chunks();
    let saying = preview === undefined ? undefined : say(body.bytes, body.whole);
    if (preview !== undefined && body.bytes.length > preview) throw new Error('more than a preview');
    if (saying === undefined && preview !== undefined && !body.whole) {
      socket.write('ICAP/1.0 100 Continue\r\n\r\n');
      const rest = await input.chunks((bytes) => say(Buffer.concat([body.bytes, bytes]), false) !== undefined);
      body = { bytes: Buffer.concat([body.bytes, rest.bytes]), whole: rest.whole };
    }
    saying ??= say(body.bytes, true) ?? 'clean';
    this.seen.push(body.bytes);
    this.#answer(socket, saying, body.bytes);
  }

  /** What stands before the body, at the places that the head names. */
  async #encapsulated(input: Input, head: string, method: string): Promise<void> {
    const places = /\r\nEncapsulated: (.*)\r\n/.exec(head)?.[1] ?? '';
    const wanted = method === 'RESPMOD' ? /^req-hdr=0, res-hdr=(\d+), res-body=(\d+)$/ : /^req-hdr=0, req-body=(\d+)$/;
    const ends = wanted.exec(places)?.slice(1).map(Number);
    if (ends === undefined) throw new Error(`encapsulated: ${places}`);
    let at = 0;
    for (const end of ends) {
      const part = (await input.take(end - at)).toString();
      if (!/^(\w+ \/\S* HTTP\/1\.1|HTTP\/1\.1 200 OK)\r\n([\w-]+: .*\r\n)*\r\n$/.test(part))
        throw new Error(`no head: ${part}`);
      at = end;
    }
  }

  #answer(socket: Socket, saying: Saying, bytes: Buffer): void {
    const back = (status: string, body: Buffer, more = '') => {
      const http = `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\n\r\n`;
      socket.write(`ICAP/1.0 200 OK\r\n${more}Encapsulated: res-hdr=0, res-body=${http.length}\r\n\r\n${http}`);
      for (let from = 0; from < body.length; from += 1000) {
        const part = body.subarray(from, from + 1000);
        socket.write(`${part.length.toString(16)}; with=extension\r\n`);
        socket.write(part);
        socket.write('\r\n');
      }
      socket.end('0\r\n\r\n');
    };
    if (saying === 'clean') socket.end('ICAP/1.0 204 No modifications needed\r\n\r\n');
    else if (saying === 'found') back('200 OK', bytes, 'X-Infection-Found: Type=0; Resolution=2; Threat=Eicar;\r\n');
    else if (saying === 'blocked') back('403 Forbidden', Buffer.from('<html>blocked</html>'));
    else if (saying === 'back') back('200 OK', bytes);
    else if (saying === 'replaced') back('200 OK', Buffer.concat([bytes.subarray(1), bytes.subarray(0, 1)]));
    else if (saying === 'busy') socket.end('ICAP/1.0 503 Service overloaded\r\n\r\n');
    else if (saying === 'gone') socket.destroy();
    else if (saying === 'nonsense') socket.end(`HTTP/1.1 200 OK\r\n\r\n`);
  }
}

class Input {
  readonly #pieces: AsyncIterator<Buffer>;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#pieces = socket[Symbol.asyncIterator]();
  }

  async take(size: number): Promise<Buffer> {
    while (this.#bytes.length < size) await this.#more();
    const taken = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return taken;
  }

  /** With the mark. */
  async upTo(mark: string): Promise<string> {
    while (!this.#bytes.includes(mark)) await this.#more();
    return (await this.take(this.#bytes.indexOf(mark) + mark.length)).toString('latin1');
  }

  async chunks(enough: (bytes: Buffer) => boolean = () => false): Promise<{ bytes: Buffer; whole: boolean }> {
    const parts: Buffer[] = [];
    for (;;) {
      const line = (await this.upTo('\r\n')).trim();
      const size = Number.parseInt(line, 16);
      parts.push(await this.take(size));
      if ((await this.take(2)).toString() !== '\r\n') throw new Error('a chunk of another size');
      const bytes = Buffer.concat(parts);
      if (size === 0) return { bytes, whole: line === '0; ieof' };
      if (enough(bytes)) return { bytes, whole: false };
    }
  }

  async #more(): Promise<void> {
    const piece = await this.#pieces.next();
    if (piece.done === true) throw new Error('cut off');
    this.#bytes = Buffer.concat([this.#bytes, piece.value]);
  }
}
