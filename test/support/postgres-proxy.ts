import { connect, createServer, type Socket } from 'node:net';
import type { Teardown } from './postgres.js';

/** Where a connection is cut in the middle of a prepared statement. */
export type Cut =
  /** The statement is done, and its transaction open: nobody has asked for the commit yet. */
  | 'before-commit'
  /** It is committed, and nothing of the answer has left. */
  | 'after-commit';

const SYNC = 'S';
const BIND = 'B';
const FLUSH = Buffer.from([0x48, 0, 0, 0, 4]);
const COMMAND_COMPLETE = 'C';
const READY = 'Z';

/**
 * Stands between a client and PostgreSQL and cuts connections at the worst moments. It knows as much of the protocol as it
 * takes to see which prepared statement is run and how far that is: messages are a letter, a length and a body, but for
 * the first one of a client, which has no letter.
 */
export class PostgresProxy {
  readonly url: string;
  /** Cuts made so far. */
  cuts = 0;
  /** How much later everything arrives at PostgreSQL, in ms. */
  delayMs = 0;
  readonly #target: URL;
  #wanted: { readonly statement: string; readonly cut: Cut; left: number } | undefined;

  private constructor(target: URL, port: number) {
    this.#target = target;
    const url = new URL(target);
    url.port = `${port}`;
    this.url = url.href;
  }

  static async start(t: Teardown, url: string): Promise<PostgresProxy> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (client) => {
      const target = connect({ host: proxy.#target.hostname, port: Number(proxy.#target.port), noDelay: true });
      for (const socket of [client, target]) {
        sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      }
      proxy.#join(client, target);
    });
    t.teardown(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new PostgresProxy(new URL(url), (server.address() as { port: number }).port);
    return proxy;
  }

  /** Cuts the connections of the next clients that run this prepared statement. */
  cutNext(statement: string, cut: Cut, times: number): void {
    this.#wanted = { statement, cut, left: times };
  }

  #join(client: Socket, target: Socket): void {
    const cutAll = () => {
      client.destroy();
      target.destroy();
    };
    let doomed: Cut | undefined;
    const asked = new Messages(true);
    client.on('data', (bytes) => {
      for (const message of asked.whole(bytes)) {
        if (message.type === BIND && this.#cuts(message.bytes)) doomed = this.#wanted!.cut;
        // Without the Sync nothing is committed; a Flush has PostgreSQL say all the same when it is done.
        const isHeldBack = message.type === SYNC && doomed === 'before-commit';
        const passed = isHeldBack ? FLUSH : message.bytes;
        if (this.delayMs === 0) target.write(passed);
        else setTimeout(() => target.write(passed), this.delayMs);
      }
    });
    const answered = new Messages(false);
    target.on('data', (bytes) => {
      for (const message of answered.whole(bytes)) {
        const isOver = message.type === (doomed === 'before-commit' ? COMMAND_COMPLETE : READY);
        if (doomed === undefined) client.write(message.bytes);
        else if (isOver) {
          this.cuts++;
          return cutAll();
        }
      }
    });
    for (const socket of [client, target]) socket.on('close', cutAll);
  }

  #cuts(bind: Buffer): boolean {
    const wanted = this.#wanted;
    if (wanted === undefined || wanted.left === 0) return false;
    const portalEnd = bind.indexOf(0, 5);
    const statement = bind.toString('utf8', portalEnd + 1, bind.indexOf(0, portalEnd + 1));
    if (statement !== wanted.statement) return false;
    wanted.left--;
    return true;
  }
}

interface Message {
  readonly type: string;
  readonly bytes: Buffer;
}

/** Cuts a stream of bytes into messages. */
class Messages {
  #pending = Buffer.alloc(0);
  #isFirst: boolean;

  /** @param isClient whose first message has no letter */
  constructor(isClient: boolean) {
    this.#isFirst = isClient;
  }

  whole(bytes: Buffer): Message[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    const messages: Message[] = [];
    for (;;) {
      const lengthAt = this.#isFirst ? 0 : 1;
      if (this.#pending.length < lengthAt + 4) return messages;
      const size = lengthAt + this.#pending.readInt32BE(lengthAt);
      if (this.#pending.length < size) return messages;
      const type = this.#isFirst ? '' : String.fromCharCode(this.#pending[0]!);
      messages.push({ type, bytes: this.#pending.subarray(0, size) });
      this.#pending = this.#pending.subarray(size);
      this.#isFirst = false;
    }
  }
}
