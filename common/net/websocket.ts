import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { FRAME_SIZE_MAX, WEBSOCKET_FRAGMENTS_MAX, WEBSOCKET_REQUEST_SIZE_MAX } from '../limits.js';
import type { Transport } from './transport.js';

/** Of RFC 6455: text came where only binary messages are understood. */
const UNSUPPORTED_DATA = 1003;

/** Never compressed: a few bytes would become megabytes. */
export const webSocketOptions = {
  perMessageDeflate: false,
  maxPayload: FRAME_SIZE_MAX,
  maxFragments: WEBSOCKET_FRAGMENTS_MAX,
  autoPong: false,
} satisfies ServerOptions;

/**
 * A WebSocket as a Connection sees it: a stream of bytes. Frames of ours come one or more in a binary message, or in
 * pieces over several, just as TCP may cut them.
 */
export class WebSocketTransport implements Transport {
  readonly remoteAddress: string | undefined;
  readonly #socket: WebSocket;
  #drained: (() => void) | undefined;
  readonly #sent = () => {
    if (this.#socket.bufferedAmount === 0) this.#drained?.();
  };

  constructor(socket: WebSocket, remoteAddress: string | undefined) {
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
    // A pong waits for nobody who does not read: what he asks for with one more ping is nothing more.
    socket.on('ping', (said) => socket.bufferedAmount === 0 && socket.pong(said));
  }

  get writable(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }
  get writableLength(): number {
    return this.#socket.bufferedAmount;
  }
  write(bytes: Buffer): void {
    this.#socket.send(bytes, this.#sent);
  }
  end(): void {
    this.#socket.close();
  }
  destroy(): void {
    this.#socket.terminate();
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }

  on(event: 'data' | 'drain' | 'end' | 'close' | 'error', listener: (it: never) => void): void {
    if (event === 'data') this.#socket.on('message', (data, isBinary) => this.#heard(data, isBinary, listener));
    else if (event === 'drain') this.#drained = listener as () => void;
    else if (event !== 'end') this.#socket.on(event, listener as () => void); // one that ends also closes
  }

  #heard(data: RawData, isBinary: boolean, listener: (chunk: never) => void): void {
    if (isBinary) listener(data as never);
    else this.#socket.close(UNSUPPORTED_DATA, 'binary messages only');
  }
}

/** The beginning of a WebSocket over a connection that came by another way. */
export class WebSocketUpgrades {
  readonly #origins: readonly string[];
  readonly #http = createServer({ maxHeaderSize: WEBSOCKET_REQUEST_SIZE_MAX });
  readonly #sockets = new WebSocketServer({ ...webSocketOptions, noServer: true, clientTracking: false });
  readonly #upgraded = new WeakMap<Duplex, (transport: Transport) => void>();

  /** @param origins of pages that may connect, `*` for all; none: those of the page's own server */
  constructor(origins: string) {
    this.#origins = origins.split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()]));
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on('request', (_request, response) => {
      response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' }).end('this door speaks WebSocket\n');
    });
  }

  /** The socket's owner sees to it that this ends in time: `upgraded` is only called when all went well. */
  begin(socket: Duplex, upgraded: (transport: Transport) => void): void {
    this.#upgraded.set(socket, upgraded);
    this.#http.emit('connection', socket);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!this.#allows(request)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const { remoteAddress } = request.socket;
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#upgraded.get(socket)?.(new WebSocketTransport(webSocket, remoteAddress));
    });
  }

  /** Only browsers say where the page is from, and they always do. */
  #allows({ headers: { origin, host } }: IncomingMessage): boolean {
    if (origin === undefined || this.#origins.includes('*') || this.#origins.includes(origin)) return true;
    return this.#origins.length === 0 && URL.canParse(origin) && new URL(origin).host === host;
  }
}
