import { connect, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import { LINK_FRAME_SIZE_MAX } from '../limits.js';
import { tcpOptions } from '../net/listener.js';
import type { Transport } from '../net/transport.js';
import { WebSocketTransport } from '../net/websocket.js';
import { ConnectError } from './errors.js';

/** How to reach a server. */
export interface Way {
  /** Encrypted; default false. */
  readonly tls?: boolean | undefined;
  /** Frames in the messages of a WebSocket, for networks that let nothing else through; default false. */
  readonly webSocket?: boolean | undefined;
  /** Certificates that are trusted in place of the public ones, PEM. */
  readonly ca?: string | undefined;
}

/** @throws ConnectError that says where to and why not */
export function dial(host: string, port: number, timeoutMs: number, way: Way = {}): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: Error) => {
      clearTimeout(timer);
      transport.destroy();
      reject(new ConnectError(`cannot connect to ${host}:${port}: ${why}`, { cause }));
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    const opened = () => {
      clearTimeout(timer);
      resolve(transport);
    };
    const transport = begin(host, port, way, opened);
    transport.on('error', (error) => fail(error.code ?? error.message, error));
  });
}

function begin(host: string, port: number, { tls, webSocket, ca }: Way, opened: () => void): Transport {
  const options = { host, port, ...tcpOptions };
  const secure = { ca, ...(isIP(host) === 0 && { servername: host }) };
  if (webSocket === true) {
    const url = `${tls === true ? 'wss' : 'ws'}://${isIP(host) === 6 ? `[${host}]` : host}:${port}/`;
    const socket = new WebSocket(url, { ...secure, perMessageDeflate: false, maxPayload: LINK_FRAME_SIZE_MAX });
    socket.once('open', opened);
    return new WebSocketTransport(socket, host);
  }
  if (tls === true) return connectTls({ ...options, ...secure }).once('secureConnect', opened);
  return connect(options).once('connect', opened);
}
