import { AssertionError } from 'node:assert';
import { ImError } from '../../common/errors.js';
import { Peers } from '../../common/net/peers.js';
import { cluster, directory, push } from '../../common/pdu/commands.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { fromConsoles, fromFileServers, fromHttpMsgServers, fromMsgServers, fromPushServers } from './commands.js';
import type { DbProxyContext } from './context.js';
import { LdapWatch } from './ldap-watch.js';
import type { DbProxySettings } from './settings.js';
import { isUnavailable } from './storage/database.js';
import { openStorage, type StorageWatch } from './storage/storage.js';

/**
 * The db-proxy: the only server with SQL and keys. It has no state of its own, so any number of them stand side by
 * side over the same PostgreSQL; msg servers choose one by conversation, so that batches form.
 *
 *   handlers/   a message in, storage asked, a message out; no SQL
 *   storage/    a family of tables each; append.ts is where messages become durable
 *   sql/        numbered migrations of the meta database and of every shard
 */
export async function startDbProxy(
  settings: DbProxySettings,
  { name, log, metrics, hops, telemetry }: Surroundings,
): Promise<Running> {
  const ldap = settings.ldapUrls === '' ? undefined : (await import('./ldap.js')).Ldap.of(settings, log);
  const stored = metrics.counter('messages_stored_total', 'Messages committed');
  const repeated = metrics.counter('messages_repeated_total', 'Messages asked again that were stored already');
  const unopenable = metrics.counter(
    'messages_unopenable_total',
    'Messages shown as unreadable: key destroyed, or row damaged',
  );
  const batchTime = metrics.timing('append_batch', 'Time of a commit of messages');
  const decided = metrics.counter('logins_decided_total', 'Log-ins by what decided them', ['by']);
  const redisCalls = metrics.counter('redis_calls_total', 'Calls of Redis by how they ended', ['result']);
  const counters = {
    stored: (messages: number) => stored.inc(messages),
    repeated: (messages: number) => repeated.inc(messages),
    batch: (seconds: number) => batchTime.observe(seconds),
    unopenable: () => unopenable.inc(),
  };
  const watch: StorageWatch = {
    decided: (by) => {
      decided.inc({ by });
      if (by === 'locked-name') storage.limits.hit('login.name');
      if (by === 'locked-address') storage.limits.hit('login.address');
    },
    redisCalled: (result) => redisCalls.inc({ result }),
    decidedLate: (sinceMs) => ctx.tellDisturbed(sinceMs),
  };
  const storage = await openStorage(settings, log, counters, watch, hops);
  storage.limits.show(metrics);
  metrics.gauge('redis_nodes_down', 'Nodes of Redis that are set aside', () => storage.redis?.nodesDown ?? 0);
  metrics.gauge('append_waiting', 'Messages that wait for their commit', () => storage.append.waiting);
  /** Since when; undefined: all has been told. A batch whose asker is gone is told by one word. */
  let disturbedMs: number | undefined;
  const tellNow = () => {
    for (const peer of peers) if (peer.role === 'msg') peer.tell(cluster.disturbed, { sinceMs: disturbedMs! });
    disturbedMs = undefined;
  };
  const ctx: DbProxyContext = {
    ...storage,
    ldap,
    hops,
    telemetry,
    log,
    tellMsgServers(change) {
      for (const peer of peers) if (peer.role === 'msg') peer.tell(directory.changed, change);
    },
    tellDisturbed(sinceMs) {
      if (disturbedMs === undefined) setImmediate(tellNow);
      disturbedMs = Math.min(disturbedMs ?? sinceMs, sinceMs);
    },
    tellReadMoved(userId, conversationId, msgId) {
      for (const peer of peers) {
        if (peer.role !== 'push') continue;
        peer.tell(push.readMoved, { userId, read: { conversationId: String(conversationId), msgId } });
        return;
      }
    },
  };
  const peers: Peers<DbProxyContext> = await Peers.open({
    self: { role: 'db-proxy', name },
    port: settings.port,
    host: settings.host,
    secret: settings.clusterSecret,
    log,
    metrics,
    ctx,
    // What it asked for, and what was answered, since it was heard last it may not have told anybody.
    left: (peer, silentMs) => peer.role === 'msg' && ctx.tellDisturbed(Date.now() - silentMs),
    known: (error) =>
      isUnavailable(error) && !(error instanceof AssertionError)
        ? new ImError('STORE_UNAVAILABLE', (error as Error).message, { cause: error })
        : undefined,
    tables: {
      msg: fromMsgServers,
      file: fromFileServers,
      'http-msg': fromHttpMsgServers,
      push: fromPushServers,
      admin: fromConsoles,
    },
  });
  const ldapWatch = ldap && new LdapWatch(ldap, ctx, settings.ldapRecheckMs);
  metrics.gauge('asks_running', 'Questions being answered', () => peers.busy);
  return {
    ports: { servers: peers.port },
    notReady: () => storage.health.missing,
    async close(drainMs) {
      peers.drain();
      const deadline = performance.now() + drainMs;
      while (peers.busy > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
      peers.close();
      await ldapWatch?.close();
      await storage.close();
    },
  };
}
