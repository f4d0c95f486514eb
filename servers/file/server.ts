import { Limits } from '../../common/live/limits.js';
import { Rates } from '../../common/live/rates.js';
import { LinkGroup } from '../../common/net/link-group.js';
import { directory } from '../../common/pdu/commands.js';
import { commandTable } from '../../common/server/command-table.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { openDriver } from './blobs/open-driver.js';
import { type Quotas, Register } from './blobs/register.js';
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
  const limits = limitsOf(settings);
  limits.show(metrics);
  limits.follow(async (prefix) => (await dbProxies.ask(directory.settings, { prefix })).settingList, log);
  const register = new Register(dbProxies, name, () => quotasOf(limits));
  const { scanCommand: command, scanUrl: url, scanTimeoutMs: timeoutMs, scanFailure: onFailure } = settings;
  const scanner = new Scanner({ command, url, timeoutMs, onFailure }, log);
  const blobs = new BlobStore(register, driver, scanner, log);
  metrics.gauge('db_proxy_asks_open', 'Questions to db-proxies without an answer so far', () => dbProxies.openAsks);
  const pictures = new Pictures(blobs, settings.pictureSizeMax, log);
  metrics.gauge('pictures_waiting', 'Small pictures being made', () => pictures.making);
  const sessionAddresses = new SessionAddresses(log);
  metrics.gauge('session_addresses', 'Addresses that clients have sessions from', () => sessionAddresses.count);
  const ctx: FileContext = { blobs, pictures, sessionAddresses, limits, rates: new Rates(limits), log };
  const http = await openStoreHttp(ctx, settings).catch((error: unknown) => {
    limits.close();
    dbProxies.close();
    throw error;
  });
  const sweeper = new Sweeper(driver, register, settings, log);
  const surroundings = { blobs, dbProxies, sessionAddresses, limits, driver, scanner, sweeper, name, log, metrics };
  const transfers = await openTransfers(settings, surroundings).catch((error: unknown) => {
    sweeper.close();
    limits.close();
    http.close();
    dbProxies.close();
    throw error;
  });
  return {
    ports: { store: http.port, ...transfers.ports },
    reload: () => transfers.reload(),
    notReady: () => (dbProxies.open ? undefined : 'no db-proxy'),
    async close(drainMs) {
      await transfers.close(drainMs);
      http.close();
      sweeper.close();
      limits.close();
      await pictures.close();
      dbProxies.close();
    },
  };
}

function limitsOf(settings: FileSettings): Limits<'file'> {
  return new Limits<'file'>({
    'uploads.count': settings.uploadsPerMinute,
    'downloads.count': settings.downloadsPerMinute,
    'file.form': settings.formSizeMax,
    'file.upload': settings.fileSizeMax,
    'file.transfer': settings.transferSizeMax,
    'quota.user': settings.userBytesMax,
    'quota.total': settings.totalBytesMax,
  });
}

function quotasOf(limits: Limits<'file'>): Quotas {
  const [userBytesMax, totalBytesMax] = [limits.size('quota.user'), limits.size('quota.total')];
  return { ...(userBytesMax > 0 && { userBytesMax }), ...(totalBytesMax > 0 && { totalBytesMax }) };
}
