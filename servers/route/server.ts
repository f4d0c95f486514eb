import { Peers } from '../../common/net/peers.js';
import { Soft } from '../../common/redis.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { fromConsoles, fromHttpMsgServers, fromMsgServers, fromPushServers } from './commands.js';
import type { RouteContext } from './context.js';
import { pcsGone } from './handlers/buddy.js';
import { msgServerGone } from './handlers/server.js';
import { Presence } from './presence.js';
import { Remembered } from './remembered.js';
import type { RouteSettings } from './settings.js';
import { Subjects } from './subjects.js';

/**
 * The route server: which msg server is interested in which user or group, and who is online. Everything it knows was
 * told by msg servers and is told again when they connect, so it may die at any moment. With several of them, every
 * msg server tells all of them what it cares about and publishes through any one.
 */
export async function startRouteServer(
  settings: RouteSettings,
  { name, log, metrics }: Surroundings,
): Promise<Running> {
  const published = metrics.counter('frames_relayed_total', 'Frames passed on to msg servers');
  const own = { subjects: new Subjects(), presence: new Presence(), published };
  const ctx = own as typeof own & { peers: Peers<RouteContext> };
  const { redis: url, redisTimeoutMs: timeoutMs, clusterSecret } = settings;
  const remembered =
    url === ''
      ? undefined
      : new Remembered(new Soft({ url, timeoutMs, log }), ctx.presence, clusterSecret, (userIds) =>
          pcsGone(ctx, userIds),
        );
  await remembered?.load();
  ctx.peers = await Peers.open<RouteContext>({
    self: { role: 'route', name },
    port: settings.port,
    host: settings.host,
    secret: settings.clusterSecret,
    log,
    ctx,
    tables: { msg: fromMsgServers, 'http-msg': fromHttpMsgServers, push: fromPushServers, admin: fromConsoles },
    joined(peer) {
      if (peer.role === 'msg') remembered?.came(peer.name);
    },
    left(peer, silentMs) {
      if (peer.role !== 'msg') return;
      ctx.subjects.forget(peer);
      pcsGone(ctx, ctx.presence.forget(peer));
      msgServerGone(ctx, Date.now() - silentMs);
    },
  });
  metrics.gauge('subjects', 'Users and groups that some msg server cares about', () => ctx.subjects.size);
  metrics.gauge('users_online', 'Users with at least one session', () => ctx.presence.count);
  return {
    ports: { servers: ctx.peers.port },
    notReady: () => undefined,
    async close() {
      ctx.peers.drain();
      remembered?.close();
      ctx.peers.close();
    },
  };
}
