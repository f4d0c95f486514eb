import { type Peer, Peers } from '../../common/net/peers.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { Announcements } from './announcements.js';
import { fromConsoles, fromHttpMsgServers, fromMsgServers, fromPushServers } from './commands.js';
import type { RouteContext } from './context.js';
import { Disturbances } from './disturbances.js';
import { Elsewhere } from './elsewhere.js';
import { pcsGone, tellPcs } from './handlers/buddy.js';
import { missed, msgServerGone } from './handlers/server.js';
import { Presence } from './presence.js';
import { Remembered } from './remembered.js';
import type { RouteSettings } from './settings.js';
import { Subjects } from './subjects.js';

/**
 * The route server: which msg server is interested in which user or group, and who is online. Everything it knows was
 * told by msg servers and is told again when they connect, so it may die at any moment. Of several, one is told of by
 * every msg server:
 *
 *   with Redis      it tells one of them, and they share what they hear; backplane.ts, elsewhere.ts
 *   without Redis   it tells all of them what it cares about, and publishes through any one
 */
export async function startRouteServer(
  settings: RouteSettings,
  { name, log, metrics, hops }: Surroundings,
): Promise<Running> {
  const published = metrics.counter('frames_relayed_total', 'Frames passed on to msg servers');
  const disturbances = metrics.counter(
    'route_disturbances_total',
    'Times that something of another route server may not have come',
  );
  // What is below needs the context, and the context needs that.
  const own = {
    subjects: new Subjects(),
    presence: new Presence(),
    told: new Set<Peer>(),
    sure: new Map<Peer, number>(),
    cutOff: new Map<Peer, number>(),
    disturbances: new Disturbances(Date.now()),
    published,
    hops,
  };
  const ctx = own as typeof own & { -readonly [K in keyof RouteContext]: RouteContext[K] };
  ctx.announcements = new Announcements({
    goneMs: settings.goneMs,
    isHere: (userId) => ctx.presence.pcOnline(userId),
    tell: (userIds) => tellPcs(ctx, userIds, { everyone: true }),
    tellHimself: (userId) => tellPcs(ctx, [userId], { userIdList: [userId] }),
  });
  ctx.elsewhere = new Elsewhere(ctx);
  const { redis, redisTimeoutMs: timeoutMs, clusterSecret } = settings;
  if (redis !== '') {
    const [{ Soft }, { Backplane }] = await Promise.all([import('../../common/redis.js'), import('./backplane.js')]);
    const soft = new Soft({ url: redis, timeoutMs, log });
    ctx.remembered = new Remembered(soft, ctx.presence, clusterSecret, (userIds) => pcsGone(ctx, userIds));
    await ctx.remembered.load();
    ctx.backplane = new Backplane({
      name,
      redis,
      clusterSecret,
      log,
      pulse: () => ctx.elsewhere.ownPulse(),
      heard: (life, frame) => ctx.elsewhere.heard(life, frame),
      missed(sinceMs) {
        disturbances.inc();
        missed(ctx, sinceMs);
      },
      unsure: () => ctx.elsewhere.unsure(),
      gone: (life) => ctx.elsewhere.gone(life),
    });
    await ctx.backplane.up(); // before anybody comes who would have to be told of
  }
  ctx.peers = await Peers.open<RouteContext>({
    self: { role: 'route', name },
    port: settings.port,
    host: settings.host,
    secret: clusterSecret,
    log,
    metrics,
    ctx,
    shares: redis !== '',
    tables: { msg: fromMsgServers, 'http-msg': fromHttpMsgServers, push: fromPushServers, admin: fromConsoles },
    left(peer, silentMs) {
      if (peer.role !== 'msg') return;
      const wasTold = ctx.told.delete(peer);
      ctx.subjects.forget(peer);
      if (wasTold && ctx.backplane !== undefined) ctx.elsewhere.left(peer);
      else pcsGone(ctx, ctx.presence.forget(peer));
      const sinceMs = Math.min(Date.now() - silentMs, ctx.sure.get(peer) ?? Number.POSITIVE_INFINITY);
      ctx.sure.delete(peer);
      ctx.cutOff.delete(peer);
      if (wasTold) msgServerGone(ctx, peer, sinceMs);
    },
  });
  metrics.gauge('subjects', 'Users and groups that some msg server cares about', () => ctx.subjects.size);
  metrics.gauge('users_online', 'Users with at least one session', () => ctx.presence.count);
  metrics.gauge(
    'route_servers_heard',
    'Other route servers that are heard through Redis',
    () => ctx.backplane?.others ?? 0,
  );
  metrics.gauge(
    'route_channels_late',
    'Channels of Redis on which a route server is silent',
    () => ctx.backplane?.late ?? 0,
  );
  return {
    ports: { servers: ctx.peers.port },
    notReady: () => undefined,
    async close() {
      ctx.peers.drain();
      ctx.remembered?.close();
      ctx.announcements.close();
      ctx.elsewhere.close();
      ctx.backplane?.close();
      ctx.peers.close();
    },
  };
}
