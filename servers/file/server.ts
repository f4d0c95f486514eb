import { LinkGroup } from '../../common/net/link-group.js';
import { commandTable } from '../../common/server/command-table.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { openDriver } from './blobs/open-driver.js';
import { Register } from './blobs/register.js';
import { BlobStore } from './blobs/store.js';
import { Sweeper } from './blobs/sweeper.js';
import type { FileContext } from './context.js';
import { openStoreHttp } from './http/server.js';
import { Pictures } from './pictures/pictures.js';
import { Scanner } from './scan.js';
import { SessionAddresses } from './session-addresses.js';
import type { FileSettings } from './settings.js';
import { openTransfers } from './transfer/open.js';

/**
 * The file server: keeps files and pictures, and carries them from user to user.
 *
 *   http/      the store: pictures and files by HTTP
 *   pictures/  small pictures of large ones, made in threads of their own
 *   transfer/  files from user to user, over the clients' own protocol; handlers/ what msg servers ask about them
 *   blobs/     files at rest: sealed in chunks, uploads that go on after a restart; keys and names are with the db-proxies
 */
export async function startFileServer(settings: FileSettings, { name, log, metrics }: Surroundings): Promise<Running> {
  const dbProxies = new LinkGroup({
    self: { role: 'file', name },
    secret: settings.clusterSecret,
    log,
    askTimeoutMs: settings.askTimeoutMs,
    role: 'db-proxy',
    addresses: settings.dbProxies,
    asksMax: settings.asksMax,
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  });
  const driver = openDriver(settings);
  await driver.check().catch((error: unknown) => {
    dbProxies.close();
    throw error;
  });
  const { userBytesMax, totalBytesMax } = settings;
  const register = new Register(dbProxies, name, {
    ...(userBytesMax > 0 && { userBytesMax }),
    ...(totalBytesMax > 0 && { totalBytesMax }),
  });
  const { scanCommand: command, scanUrl: url, scanTimeoutMs: timeoutMs, scanFailure: onFailure } = settings;
  const blobs = new BlobStore(register, driver, new Scanner({ command, url, timeoutMs, onFailure }, log), log);
  metrics.gauge('db_proxy_asks_open', 'Questions to db-proxies without an answer so far', () => dbProxies.openAsks);
  const pictures = new Pictures(blobs, settings.pictureSizeMax, log);
  metrics.gauge('pictures_waiting', 'Small pictures being made', () => pictures.making);
  const sessionAddresses = new SessionAddresses(log);
  metrics.gauge('session_addresses', 'Addresses that clients have sessions from', () => sessionAddresses.count);
  const ctx: FileContext = { blobs, pictures, sessionAddresses, log };
  const http = await openStoreHttp(ctx, settings).catch((error: unknown) => {
    dbProxies.close();
    throw error;
  });
  const surroundings = { blobs, dbProxies, sessionAddresses, name, log, metrics };
  const transfers = await openTransfers(settings, surroundings).catch((error: unknown) => {
    http.close();
    dbProxies.close();
    throw error;
  });
  const sweeper = new Sweeper(driver, register, settings, log);
  return {
    ports: { store: http.port, ...transfers.ports },
    reload: () => transfers.reload(),
    notReady: () => (dbProxies.open ? undefined : 'no db-proxy'),
    async close(drainMs) {
      await transfers.close(drainMs);
      http.close();
      sweeper.close();
      await pictures.close();
      dbProxies.close();
    },
  };
}
