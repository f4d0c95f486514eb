import fastify from 'fastify';
import type { Listening } from '../../../common/net/listener.js';
import type { FileContext } from '../context.js';
import type { FileSettings } from '../settings.js';

/** The store's door: HTTP for pictures and files. */
export async function openStoreHttp(_ctx: FileContext, settings: FileSettings): Promise<Listening> {
  const app = fastify({ logger: false });
  await app.listen({ host: settings.host, port: settings.storePort }).catch((error: Error) => {
    throw new Error(`cannot listen on ${settings.host}:${settings.storePort} (storePort): ${error.message}`, {
      cause: error,
    });
  });
  const address = app.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : settings.storePort,
    close: () => void app.close(),
  };
}
