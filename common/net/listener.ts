import { createServer, type Server, type Socket } from 'node:net';

export interface Listening {
  readonly port: number;
  /** Stops accepting; open connections are their owners' business. */
  close(): void;
}

/** Of every TCP connection: a frame leaves at once, and a peer that is gone without a word is found out. */
export const tcpOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const;

/**
 * Accepts TCP connections on `port` (0: any free one). Resolves when it listens.
 * @throws an Error that names the port when it is taken or not allowed.
 */
export function listen(port: number, host: string, accept: (socket: Socket) => void): Promise<Listening> {
  const server: Server = createServer({ allowHalfOpen: false, ...tcpOptions }, accept);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'another process listens there' : error.message;
      reject(new Error(`cannot listen on ${host}:${port}: ${why}`, { cause: error }));
    });
    server.listen({ port, host, backlog: 1024 }, () => {
      server.removeAllListeners('error');
      server.on('error', () => undefined); // an accept that failed (out of files): the listener goes on
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        close: () => void server.close(),
      });
    });
  });
}
