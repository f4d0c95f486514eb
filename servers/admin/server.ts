import type { AddressInfo } from 'node:net';
import { Announcer } from '../../common/chat/announcer.js';
import { SendHook } from '../../common/chat/send-hook.js';
import { Sender } from '../../common/chat/sender.js';
import { Limits } from '../../common/live/limits.js';
import { Rates } from '../../common/live/rates.js';
import { LinkGroup } from '../../common/net/link-group.js';
import { directory } from '../../common/pdu/commands.js';
import { commandTable } from '../../common/server/command-table.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import type { AdminContext } from './context.js';
import { HopFinder } from './hops.js';
import { openHttp } from './http.js';
import { Journeys } from './journeys.js';
import { checkOidc, redirectCheck } from './oidc-settings.js';
import { routes } from './routes.js';
import type { AdminSettings } from './settings.js';
import { Watch } from './watch.js';

/**
 * The console: web pages by which people look after the cluster, and the JSON that the pages ask for. It keeps nothing;
 * accounts and sessions are in meta, asked of a db-proxy with every request, so any number of consoles stand side by side.
 *
 *   routes.ts       the table of what can be asked, handlers/ one file per subject
 *   http.ts         the rules for all of it: session, permission, own pages only, security headers
 *   permissions.ts  which role may do what
 *   watch.ts        the figures of all servers, read from their ops ports; hops.ts what they remember of a message
 *   oidc.ts         signing in with the company's account; people's own page is sign-in.html, its routes need a `person`
 *   web/            the pages
 */
export async function startAdminServer(
  settings: AdminSettings,
  { name, log, metrics, hops }: Surroundings,
): Promise<Running> {
  checkOidc(settings);
  const oidc = settings.oidcIssuer === '' ? undefined : (await import('./oidc.js')).Oidc.of(settings, log);
  const sendHook = await SendHook.of(settings);
  const common = {
    self: { role: 'admin', name },
    secret: settings.clusterSecret,
    log,
    askTimeoutMs: settings.askTimeoutMs,
    asksMax: settings.asksMax,
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  };
  const dbProxies = new LinkGroup({
    ...common,
    role: 'db-proxy',
    addresses: settings.dbProxies,
    late: (answer) => sender.late(answer),
  });
  const routeLinks = new LinkGroup({
    ...common,
    role: 'route',
    addresses: settings.routeServers,
    opened: () => sender.tellDisturbed(),
    lost: (_link, unsureMs) => sender.disturbed(Date.now() - unsureMs),
  });
  const logins = new LinkGroup({ ...common, role: 'login', addresses: settings.loginServers });
  const fileServers = new LinkGroup({ ...common, role: 'file', addresses: settings.fileServers });
  const pushServers = new LinkGroup({ ...common, role: 'push', addresses: settings.pushServers });
  const limits = new Limits<'admin'>({ 'console.searches': settings.searchesPerMinute });
  limits.show(metrics);
  limits.follow(async (prefix) => (await dbProxies.ask(directory.settings, { prefix })).settingList, log);
  const watch = new Watch(settings.watched);
  const sender = new Sender(dbProxies, routeLinks, sendHook, hops);
  const ctx: AdminContext = {
    dbProxies,
    routes: routeLinks,
    logins,
    fileServers,
    pushServers,
    watch,
    hopFinder: new HopFinder(settings.watched, settings.clusterSecret, watch),
    rates: new Rates(limits),
    announcer: new Announcer(dbProxies, sender, log),
    sessionIdleMs: settings.sessionIdleMs,
    sessionMs: settings.sessionMs,
    journeys: new Journeys(settings.clusterSecret),
    oidc,
    claimNames: {
      name: settings.oidcNameClaim,
      nick: settings.oidcNickClaim,
      email: settings.oidcEmailClaim,
      department: settings.oidcDepartmentClaim,
    },
    personSessionMs: settings.personSessionMs,
    mayRedirect: redirectCheck(settings),
    log,
  };
  const closeAll = async (drainMs: number) => {
    watch.close();
    limits.close();
    await ctx.announcer.close(drainMs);
    sendHook?.close();
    oidc?.close();
    for (const links of [dbProxies, routeLinks, logins, fileServers, pushServers]) links.close();
  };
  const app = await openHttp(ctx, settings, routes);
  await app.listen({ port: settings.httpPort, host: settings.host }).catch(async (error: Error) => {
    await closeAll(0);
    throw new Error(`cannot listen on ${settings.host}:${settings.httpPort} (httpPort): ${error.message}`, {
      cause: error,
    });
  });
  const requests = metrics.counter('console_requests_total', 'Requests of browsers', ['status']);
  app.server.on('request', (_request, response) => {
    response.once('finish', () => requests.inc({ status: `${Math.floor(response.statusCode / 100)}xx` }));
  });
  metrics.gauge('console_watchers', 'Pages that watch the figures', () => watch.watchers);
  const address = app.server.address() as AddressInfo;
  return {
    ports: { http: address.port },
    notReady: () => (dbProxies.open ? undefined : 'no db-proxy'),
    async close(drainMs) {
      await app.close();
      await closeAll(drainMs);
    },
  };
}
