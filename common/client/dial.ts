import { connect, type Socket } from 'node:net';
import { ConnectError } from './errors.js';

/** @throws ConnectError that says where to and why not */
export function dial(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const fail = (why: string, cause?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new ConnectError(`cannot connect to ${host}:${port}: ${why}`, { cause }));
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, error));
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}
