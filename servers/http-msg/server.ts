import type { Server } from 'node:http';
import { Announcer } from '../../common/chat/announcer.js';
import { SendHook } from '../../common/chat/send-hook.js';
import { Sender } from '../../common/chat/sender.js';
import { wallClock } from '../../common/clock.js';
import { Limits } from '../../common/live/limits.js';
import { Rates } from '../../common/live/rates.js';
import { listenHttp } from '../../common/net/http.js';
import { LinkGroup } from '../../common/net/link-group.js';
import { directory } from '../../common/pdu/commands.js';
import { commandTable } from '../../common/server/command-table.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { openApp } from './api/app.js';
import { Calls } from './api/calls.js';
import { Keys } from './api/keys.js';
import type { HttpMsgContext } from './context.js';
import { WebhookDeliveries } from './events/deliveries.js';
import { Tail } from './events/tail.js';
import { Routes } from './routes.js';
import type { HttpMsgSettings } from './settings.js';

/**
 * The http-msg server: the door for other systems. It keeps nothing, so any number of them stand side by side.
 *
 *   query.ts      TeamTalk's own two calls
 *   api/          everything under /api/v1, one file per subject; app.ts has what all of them share
 *   events/       what happened, on its way out: the end of the log, and deliveries to webhooks
 */
export async function startHttpMsgServer(
  settings: HttpMsgSettings,
  { name, log, metrics, hops, telemetry }: Surroundings,
): Promise<Running> {
  const sendHook = await SendHook.of(settings);
  const links = {
    self: { role: 'http-msg', name },
    secret: settings.clusterSecret,
    log,
    askTimeoutMs: settings.askTimeoutMs,
    asksMax: settings.asksMax,
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  };
  const dbProxies = new LinkGroup({
    ...links,
    role: 'db-proxy',
    addresses: settings.dbProxies,
    late: (answer) => sender.late(answer),
  });
  const routeLinks = new LinkGroup({
    ...links,
    role: 'route',
    addresses: settings.routeServers,
    opened: () => sender.tellDisturbed(),
    lost: (_link, unsureMs) => sender.disturbed(Date.now() - unsureMs),
  });
  const limits = new Limits<'http-msg'>({
    'api.calls': settings.requestsPerMinute,
    'api.searches': settings.searchesPerMinute,
    'api.unknown-keys': settings.unknownKeysPerMinute,
    'webhook.calls': settings.webhookCallsPerMinute,
  });
  limits.show(metrics);
  limits.follow(async (prefix) => (await dbProxies.ask(directory.settings, { prefix })).settingList, log);
  const tail = new Tail(dbProxies, settings.eventsKeptHours, log);
  const sent = metrics.counter('webhook_deliveries_total', 'Deliveries to webhooks by how they ended', ['result']);
  const counters = {
    delivered: () => sent.inc({ result: 'delivered' }),
    failed: () => sent.inc({ result: 'failed' }),
    givenUp: () => sent.inc({ result: 'given-up' }),
  };
  const deliveries = new WebhookDeliveries(dbProxies, tail, limits, settings, counters, hops, log);
  const sender = new Sender(dbProxies, routeLinks, sendHook, hops);
  const ctx: HttpMsgContext = {
    dbProxies,
    routes: new Routes(routeLinks),
    keys: new Keys(dbProxies, limits),
    limits,
    calls: new Calls(limits),
    rates: new Rates(limits),
    tail,
    sender,
    announcer: new Announcer(dbProxies, sender, log),
    settings,
    clock: wallClock,
    telemetry,
    log,
  };
  const requests = metrics.timing('http_request', 'Requests by what was asked and how it ended', ['route', 'status']);
  const app = await openApp(ctx, (route, status, ms) => requests.observe({ route, status }, ms / 1000));
  metrics.gauge('db_proxy_asks_open', 'Questions to db-proxies without an answer so far', () => dbProxies.openAsks);
  metrics.gauge('webhook_deliveries_open', 'Deliveries to webhooks on their way', () => deliveries.open);
  const close = async (drainMs: number) => {
    tail.close();
    await Promise.all([deliveries.close(drainMs), ctx.announcer.close(drainMs), app.close()]);
    limits.close();
    sendHook?.close();
    for (const each of [routeLinks, dbProxies]) each.close();
  };
  const http = await listenHttp(app.server, settings.host, settings.httpPort, 'httpPort').catch(async (error) => {
    await close(0);
    throw error;
  });
  app.server.requestTimeout = REQUEST_MS_MAX; // imports are larger than what other doors take
  app.server.maxConnections = settings.connectionsMax;
  return {
    ports: { http: http.port },
    notReady: () => (dbProxies.open ? (ctx.routes.open ? undefined : 'no route server') : 'no db-proxy'),
    async close(drainMs) {
      tail.close(); // ends the event streams
      app.server.close(); // nothing new; what is open has its time
      await finished(app.server, drainMs);
      http.close();
      await close(drainMs);
    },
  };
}

/** Resolves when no request is open any more, or after the time. */
async function finished(server: Server, ms: number): Promise<void> {
  server.closeIdleConnections();
  const deadline = performance.now() + ms;
  const open = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  while (performance.now() < deadline && (await open()) > 0) {
    server.closeIdleConnections();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** How long a request may take to arrive whole. */
const REQUEST_MS_MAX = 60_000;
