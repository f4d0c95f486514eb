import { hostname } from 'node:os';
import { storedLate } from '../../common/chat/message.js';
import { SendHook } from '../../common/chat/send-hook.js';
import { wallClock } from '../../common/clock.js';
import { FileTokens } from '../../common/file-token.js';
import { Buckets } from '../../common/live/bucket.js';
import { Limits } from '../../common/live/limits.js';
import { openCertificate } from '../../common/net/certificate.js';
import type { Link } from '../../common/net/link.js';
import { LinkGroup } from '../../common/net/link-group.js';
import { cluster, directory } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { commandTable } from '../../common/server/command-table.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { Broadcasts } from './broadcasts.js';
import { Clients } from './clients.js';
import { fromDbProxies, fromRoutes } from './commands.js';
import type { MsgContext } from './context.js';
import { msgCounters } from './counters.js';
import { Deliveries } from './deliveries.js';
import { DirectoryNews } from './directory-news.js';
import { Pace } from './pace.js';
import { Reconcile } from './reconcile.js';
import { Routes } from './routes.js';
import { SessionAddresses } from './session-addresses.js';
import { Sessions } from './sessions.js';
import type { MsgSettings } from './settings.js';

const { ClientType } = IM.BaseDefine;

/**
 * The msg server: holds the clients. It keeps nothing but their connections, so any number of them stand side by side
 * and the login server spreads clients over them.
 *
 *   clients.ts    the door: frames of clients → commands.ts → handlers/
 *   session.ts    one client; sessions.ts all of them, by user and by group, and local fan-out
 *   routes.ts     what we tell the route servers: interest, presence, what is to be delivered elsewhere
 *   handlers/     one file per subject, named as in pb/
 */
export async function startMsgServer(
  settings: MsgSettings,
  { name, log, metrics, hops, telemetry }: Surroundings,
): Promise<Running> {
  const certificate = await openCertificate(settings, { log, metrics });
  const self = { role: 'msg', name };
  const common = { self, secret: settings.clusterSecret, log, askTimeoutMs: settings.askTimeoutMs };
  const sessions = new Sessions();
  const counters = msgCounters(metrics);
  const limits = limitsOf(settings);
  limits.show(metrics);
  // The links need the context for what they hear, and the context needs the links.
  const ctx = {
    name,
    clock: wallClock,
    limits,
    groupPaces: new Buckets(() => new Pace()),
    returnsPerSecond: settings.returnsPerSecond,
    fileStore: {
      url: settings.storeUrl,
      tokens: new FileTokens(settings.clusterSecret),
      tokenMs: settings.fileTokenMs,
    },
    sendHook: await SendHook.of(settings),
    log,
    sessions,
    broadcasts: new Broadcasts(sessions, (count) => counters.delivered.inc(count)),
    directoryNews: new DirectoryNews(sessions),
    counters,
    hops,
    telemetry,
  } as {
    -readonly [K in keyof MsgContext]: MsgContext[K];
  };
  const silent = commandTable<never, never>([]);
  /** Since when a db-proxy may have told something that did not come, before its link opened; wall clock. */
  const cutOffMs = new Map<Link, number>();
  const dbProxies = new LinkGroup({
    ...common,
    role: 'db-proxy',
    addresses: settings.dbProxies,
    asksMax: settings.asksMax,
    hears: fromDbProxies as never,
    ctx: ctx as never,
    lost(link, unsureMs) {
      const sinceMs = Date.now() - unsureMs;
      cutOffMs.set(link, sinceMs);
      ctx.reconcile.since(sinceMs);
    },
    // What it told every msg server meanwhile did not reach this one.
    opened: (link) => ctx.reconcile.since(cutOffMs.get(link) ?? Date.now()),
    late(answer) {
      const sinceMs = storedLate(answer);
      if (sinceMs !== undefined) ctx.reconcile.everywhereSince(sinceMs);
    },
  });
  const routeLinks = new LinkGroup({
    ...common,
    role: 'route',
    addresses: settings.routeServers,
    asksMax: settings.asksMax,
    hears: fromRoutes as never,
    ctx: ctx as never,
    opened: (link) => void ctx.routes.opened(link),
    lost: (link, unsureMs) => ctx.routes.lost(link, unsureMs),
  });
  const fileServers = new LinkGroup({
    ...common,
    role: 'file',
    addresses: settings.fileServers,
    asksMax: settings.asksMax,
    hears: silent,
    ctx: ctx as never,
    opened: (link) => ctx.sessionAddresses.announce(link),
  });
  ctx.dbProxies = dbProxies;
  limits.follow(async (prefix) => (await dbProxies.ask(directory.settings, { prefix })).settingList, log);
  ctx.fileServers = fileServers;
  ctx.sessionAddresses = new SessionAddresses(fileServers);
  ctx.deliveries = new Deliveries();
  ctx.reconcile = new Reconcile(ctx, settings.askTimeoutMs);
  ctx.routes = new Routes(routeLinks, sessions, name, (sinceMs) => ctx.reconcile.everywhereSince(sinceMs));
  const clients = await Clients.open(ctx, settings, certificate).catch((error: unknown) => {
    certificate?.close();
    limits.close();
    ctx.routes.close();
    for (const links of [dbProxies, routeLinks, fileServers]) links.close();
    throw error;
  });
  let draining = false;
  const load = () => ({
    ip1: settings.advertisedIp1,
    ip2: settings.advertisedIp2 === '' ? settings.advertisedIp1 : settings.advertisedIp2,
    port: clients.port,
    maxConnCnt: limits.size('connections.msg'),
    curConnCnt: sessions.count,
    draining,
    hostName: hostname(),
    zone: settings.zone,
    weight: settings.weight,
    everyMs: LOAD_MS_MAX,
  });
  const loginLinks = new LinkGroup({
    ...common,
    role: 'login',
    addresses: settings.loginServers,
    asksMax: 1,
    hears: silent,
    ctx: ctx as never,
    opened: (link) => link.tell(cluster.load, load()),
  });
  let told = -1;
  let toldMs = Number.NEGATIVE_INFINITY;
  const teller = setInterval(() => {
    if (sessions.count === told && performance.now() - toldMs < LOAD_MS_MAX - LOAD_MS) return;
    told = sessions.count;
    toldMs = performance.now();
    loginLinks.tellAll(cluster.load, load());
  }, LOAD_MS);
  metrics.gauge('client_connections', 'Client connections, logged in or not', () => clients.connected);
  metrics.gauge('sessions', 'Sessions: clients that are logged in', () => sessions.count);
  metrics.gauges('sessions_by_client', 'Sessions by the kind of client', 'client', () => byClient(sessions));
  metrics.gauge('db_proxy_asks_open', 'Questions to db-proxies without an answer so far', () => dbProxies.openAsks);
  return {
    ports: { clients: clients.port },
    reload: () => certificate?.reload() ?? Promise.resolve(),
    notReady: () => (dbProxies.open ? (ctx.routes.open ? undefined : 'no route server') : 'no db-proxy'),
    async close(drainMs) {
      draining = true;
      clients.drain();
      loginLinks.tellAll(cluster.load, load());
      const deadline = performance.now() + drainMs;
      while (clients.openAsks > 0 && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 20));
      clearInterval(teller);
      limits.close();
      ctx.reconcile.close();
      ctx.routes.close();
      ctx.directoryNews.close();
      clients.close();
      ctx.sessionAddresses.close();
      ctx.sendHook?.close();
      certificate?.close();
      for (const links of [loginLinks, routeLinks, fileServers, dbProxies]) links.close();
    },
  };
}

function limitsOf(settings: MsgSettings): Limits<'msg'> {
  return new Limits<'msg'>({
    'frames.connection': settings.framesPerSecond,
    'sends.user': settings.sendsPerSecond,
    'sends.group': settings.groupSendsPerSecond,
    'history.rows': settings.historyRowsPerMinute,
    'directory.calls': settings.directoryCallsPerMinute,
    'requests.open': settings.clientAsksMax,
    'connections.msg': settings.connectionsMax,
    'queue.client': settings.sendQueueMax,
  });
}

/** How often the login servers hear how full we are, when that has changed. */
const LOAD_MS = 100;
/** And when it has not: it is how they know that we do not hang. */
const LOAD_MS_MAX = 1_000;

function byClient(sessions: Sessions): ReadonlyMap<string, number> {
  const counts = new Map(Object.values(CLIENT_NAMES).map((name) => [name, 0]));
  for (const { clientType } of sessions) {
    const name = CLIENT_NAMES[clientType];
    if (name !== undefined) counts.set(name, counts.get(name)! + 1);
  }
  return counts;
}

const CLIENT_NAMES: Readonly<Record<number, string>> = {
  [ClientType.CLIENT_TYPE_WINDOWS]: 'windows',
  [ClientType.CLIENT_TYPE_MAC]: 'mac',
  [ClientType.CLIENT_TYPE_IOS]: 'ios',
  [ClientType.CLIENT_TYPE_ANDROID]: 'android',
};
