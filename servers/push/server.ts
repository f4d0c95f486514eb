import { Limits } from '../../common/live/limits.js';
import { LinkGroup } from '../../common/net/link-group.js';
import { type Peer, Peers } from '../../common/net/peers.js';
import { directory, push } from '../../common/pdu/commands.js';
import { answer, commandTable, hear } from '../../common/server/command-table.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { Manners } from './manners.js';
import { Pusher } from './pusher.js';
import type { PushSettings } from './settings.js';
import { Tally } from './state.js';
import { testPush } from './test-push.js';
import { type VendorName, Vendors } from './vendors.js';

/** Words of vendors, in figures. */
const REASON_LENGTH_MAX = 40;

/**
 * The push server: tells phones whose app is not connected. It keeps nothing, so any number of them stand side by side
 * and share the work.
 *
 *   pusher.ts     from the outbox to the vendors, and what became of it
 *   notice.ts     what a phone shows; manners.ts how much of it
 *   vendors.ts    which vendor reaches a phone; providers/ one file a vendor
 *   test-push.ts  what the console sends to see whether it arrives
 */
export async function startPushServer(
  settings: PushSettings,
  { name, log, metrics, hops }: Surroundings,
): Promise<Running> {
  const vendors = await Vendors.open(settings, log);
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
  const tally = new Tally();
  const counters = {
    settled(vendor: VendorName, kind: string, result: string, reason: string) {
      settled.inc({ vendor, kind, result });
      tally.add(vendor, result, reason.slice(0, REASON_LENGTH_MAX));
      if (result !== 'sent' && reason !== '') failures.inc({ vendor, reason: reason.slice(0, REASON_LENGTH_MAX) });
    },
  };
  const { text, language, whilePcOnline } = settings;
  const manners = new Manners(dbProxies, { text, language, whilePcOnline }, log);
  const limits = new Limits<'push'>({ 'push.device': settings.pushesPerDevicePerMinute });
  limits.show(metrics);
  limits.follow(async (prefix) => (await dbProxies.ask(directory.settings, { prefix })).settingList, log);
  own.pusher = new Pusher({ dbProxies, routes }, vendors, { manners, limits }, settings, counters, hops, log);
  metrics.gauge('pushes_open', 'Messages whose pushes are under way', () => own.pusher.open);
  const closeAll = () => {
    manners.close();
    limits.close();
    vendors.close();
    for (const each of [routes, dbProxies]) each.close();
  };
  const peers = await Peers.open<typeof own>({
    self: { role: 'push', name },
    port: settings.port,
    host: settings.host,
    secret: settings.clusterSecret,
    log,
    metrics,
    ctx: own,
    tables: {
      admin: commandTable<typeof own, Peer>([
        answer(push.state, ({ pusher }) => ({
          name,
          sinceMs: tally.sinceMs,
          open: pusher.open,
          ...manners.now,
          vendorList: vendors.all.map((each) => ({ ...each, countList: tally.of(each.vendor) })),
        })),
        answer(push.test, async (_own, asked) => {
          const testedList = await testPush(dbProxies, vendors, asked);
          for (const { vendor, result, reason } of testedList)
            tally.add(vendor, result, reason.slice(0, REASON_LENGTH_MAX));
          return { testedList };
        }),
      ]),
    },
  }).catch(async (error: unknown) => {
    await own.pusher.close(0);
    closeAll();
    throw error;
  });
  return {
    ports: { servers: peers.port },
    notReady: () => (dbProxies.open ? (routes.open ? undefined : 'no route server') : 'no db-proxy'),
    async close(drainMs) {
      peers.drain();
      await own.pusher.close(drainMs);
      peers.close();
      closeAll();
    },
  };
}
