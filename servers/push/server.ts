import { LinkGroup } from '../../common/net/link-group.js';
import { push } from '../../common/pdu/commands.js';
import { commandTable, hear } from '../../common/server/command-table.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { Manners } from './manners.js';
import { Pusher } from './pusher.js';
import type { PushSettings } from './settings.js';
import { Vendors } from './vendors.js';

/**
 * The push server: tells phones whose app is not connected. It keeps nothing, so any number of them stand side by side
 * and share the work.
 *
 *   pusher.ts     from the outbox to the vendors, and what became of it
 *   notice.ts     what a phone shows; manners.ts how much of it
 *   vendors.ts    which vendor reaches a phone; providers/ one file a vendor
 */
export async function startPushServer(
  settings: PushSettings,
  { name, log, metrics, hops }: Surroundings,
): Promise<Running> {
  const vendors = new Vendors(settings, log);
  const own = {} as { pusher: Pusher };
  const links = {
    self: { role: 'push', name },
    secret: settings.clusterSecret,
    log,
    askTimeoutMs: settings.askTimeoutMs,
    asksMax: 10_000,
    ctx: own as never,
  };
  const dbProxies = new LinkGroup({
    ...links,
    role: 'db-proxy',
    addresses: settings.dbProxies,
    hears: commandTable<typeof own, unknown>([
      hear(push.readMoved, ({ pusher }, told) => void pusher.readMoved(told)),
    ]) as never,
  });
  const routes = new LinkGroup({
    ...links,
    role: 'route',
    addresses: settings.routeServers,
    hears: commandTable<never, never>([]),
  });
  const settled = metrics.counter('pushes_total', 'Pushes by vendor, kind, and how they ended', [
    'vendor',
    'kind',
    'result',
  ]);
  const failures = metrics.counter('push_failures_total', 'Pushes that were not taken, by vendor and its reason', [
    'vendor',
    'reason',
  ]);
  const counters = {
    settled(vendor: string, kind: string, result: string, reason: string) {
      settled.inc({ vendor, kind, result });
      if (result !== 'sent' && reason !== '') failures.inc({ vendor, reason: reason.slice(0, 40) });
    },
  };
  const { text, language, whilePcOnline } = settings;
  const manners = new Manners(dbProxies, { text, language, whilePcOnline }, log);
  own.pusher = new Pusher({ dbProxies, routes }, vendors, manners, settings, counters, hops, log);
  metrics.gauge('pushes_open', 'Messages whose pushes are under way', () => own.pusher.open);
  return {
    ports: {},
    notReady: () => (dbProxies.open ? (routes.open ? undefined : 'no route server') : 'no db-proxy'),
    async close(drainMs) {
      manners.close();
      await own.pusher.close(drainMs);
      vendors.close();
      for (const each of [routes, dbProxies]) each.close();
    },
  };
}
