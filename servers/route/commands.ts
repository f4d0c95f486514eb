import type { Peer } from '../../common/net/peers.js';
import { buddy, cluster, consoleView, push, server } from '../../common/pdu/commands.js';
import { answer, commandTable, hear } from '../../common/server/command-table.js';
import type { RouteContext } from './context.js';
import * as buddies from './handlers/buddy.js';
import * as servers from './handlers/server.js';

export const fromMsgServers = commandTable<RouteContext, Peer>([
  answer(cluster.interest, servers.interest),
  hear(cluster.publish, servers.publish),
  hear(cluster.kickOlder, servers.kickOlder),
  hear(cluster.disturbed, servers.disturbed),
  hear(cluster.groupMembersChanged, servers.groupMembersChanged),
  hear(server.onlineUsers, buddies.onlineUsers),
  hear(server.userStatus, buddies.userStatus),
  answer(buddy.usersStatus, buddies.usersStatus),
]);

/** Through Redis, not over a link: what their msg servers have told them, and who is online there. */
export const fromRouteServers = commandTable<RouteContext, Peer>([
  hear(cluster.publish, servers.publish),
  hear(cluster.kickOlder, servers.kickOlder),
  hear(cluster.disturbed, servers.disturbed),
  hear(cluster.groupMembersChanged, servers.groupMembersChanged),
  hear(cluster.routePulse, (ctx, told, route) => ctx.elsewhere.pulse(told, route)),
  hear(cluster.routePresence, (ctx, told, route) => ctx.elsewhere.presence(told, route)),
  hear(cluster.routePresenceAsk, (ctx) => ctx.elsewhere.asked()),
]);

/** Servers without sessions: they publish and ask, and care about nobody. */
export const fromHttpMsgServers = commandTable<RouteContext, Peer>([
  hear(cluster.publish, servers.publish),
  hear(cluster.disturbed, servers.disturbed),
  answer(buddy.usersStatus, buddies.usersStatus),
]);
export const fromPushServers = commandTable<RouteContext, Peer>([answer(push.online, buddies.online)]);

/** Announcements, and who is online where. */
export const fromConsoles = commandTable<RouteContext, Peer>([
  answer(consoleView.whereabouts, buddies.whereabouts),
  hear(cluster.publish, servers.publish),
  hear(cluster.disturbed, servers.disturbed),
]);
