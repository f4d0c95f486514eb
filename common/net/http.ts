import type { Server } from 'node:http';
import type { Listening } from './listener.js';

/**
 * Lets an HTTP server listen. Its `close` cuts what is still open.
 * @throws an Error that names the port and the setting it comes from.
 */
export function listenHttp(server: Server, host: string, port: number, setting: string): Promise<Listening> {
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Error(`cannot listen on ${host}:${port} (${setting}): ${error.message}`, { cause: error })),
    );
    server.listen(port, host, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        close() {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}
