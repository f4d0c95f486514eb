import { setTimeout as delay } from 'node:timers/promises';
import { openCertificate } from '../../../common/net/certificate.js';
import { Peers } from '../../../common/net/peers.js';
import { transfer } from '../../../common/pdu/commands.js';
import type { Surroundings } from '../../../common/server/lifecycle.js';
import { fromConsoles, fromMsgServers } from '../commands.js';
import type { FileSettings } from '../settings.js';
import { FileClients } from './clients.js';
import { transferCounters } from './counters.js';
import type { TransferContext } from './course.js';

/** Tasks past their time are forgotten so often, and so many at once. */
const EXPIRE_MS = 60_000;
const EXPIRE_COUNT = 500;
const POLL_MS = 20;
const PARK_MS_MAX = 2_000;

export interface TransfersOpen {
  readonly ports: { readonly clients: number; readonly servers: number };
  reload(): Promise<void>;
  close(drainMs: number): Promise<void>;
}

/**
 * Files from user to user. A msg server asks for a task, the two users' clients come with its id:
 *
 *   clients.ts    the door; party.ts one connection, transfers.ts who is let into which task
 *   relay.ts      online: from the sender to the receiver, block by block
 *   upload.ts     offline: from the sender into the store, download.ts from there to the receiver
 *   pulls.ts      which blocks are asked for and which are answers, without any bytes
 */
export async function openTransfers(
  settings: FileSettings,
  {
    metrics,
    ...parts
  }: Omit<Surroundings, 'hops'> &
    Pick<TransferContext, 'blobs' | 'dbProxies' | 'sessionAddresses' | 'limits' | 'driver' | 'scanner' | 'sweeper'>,
): Promise<TransfersOpen> {
  const advertised = { ip: settings.advertisedIp, port: settings.advertisedPort };
  const counters = transferCounters(metrics);
  const { name, log, dbProxies, sessionAddresses } = parts;
  const ctx: TransferContext = { ...parts, settings, advertised, counters };
  const certificate = await openCertificate(settings, { log, metrics });
  const clients = await FileClients.open(ctx, certificate).catch((error: unknown) => {
    certificate?.close();
    throw error;
  });
  if (advertised.port === 0) advertised.port = clients.port;
  const peers = await Peers.open({
    self: { role: 'file', name },
    port: settings.port,
    host: settings.host,
    secret: settings.clusterSecret,
    log,
    metrics,
    ctx,
    tables: { msg: fromMsgServers, admin: fromConsoles },
    left: (peer) => sessionAddresses.left(peer),
  }).catch((error: unknown) => {
    clients.close();
    certificate?.close();
    throw error;
  });
  const expirer = setInterval(() => {
    dbProxies
      .ask(transfer.expire, { countMax: EXPIRE_COUNT })
      .catch((error: unknown) => log.warn({ error }, 'tasks past their time are still there'));
  }, EXPIRE_MS);
  metrics.gauge('file_connections', 'Connections of clients', () => clients.connected);
  metrics.gauge('file_transfers_open', 'Transfers under way', () => clients.transfers);
  metrics.gauge('file_buffered_bytes', 'Content in memory, on its way', () => clients.buffered);
  return {
    ports: { clients: clients.port, servers: peers.port },
    reload: () => certificate?.reload() ?? Promise.resolve(),
    async close(drainMs) {
      clearInterval(expirer);
      certificate?.close();
      peers.drain();
      clients.drain();
      await until(() => clients.transfers === 0 && peers.busy === 0, drainMs);
      clients.close();
      peers.close();
      await until(() => clients.transfers === 0, PARK_MS_MAX); // what came of uploads is on its way to the disk
    },
  };
}

/** Looks until it is so, or the time is over. */
async function until(done: () => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!done() && performance.now() < deadline) await delay(POLL_MS);
}
