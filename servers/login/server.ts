import { openCertificate } from '../../common/net/certificate.js';
import { type Peer, Peers } from '../../common/net/peers.js';
import { cluster, consoleView } from '../../common/pdu/commands.js';
import { answer, commandTable, hear } from '../../common/server/command-table.js';
import type { Running, Surroundings } from '../../common/server/lifecycle.js';
import { openClients } from './clients.js';
import { openHttp } from './http.js';
import { MsgServers, TICK_MS } from './msg-servers.js';
import type { LoginSettings } from './settings.js';

/**
 * The login server: tells a client which msg server to connect to. It knows only what the msg servers tell it over
 * their links, so any number of login servers are equal.
 */
export async function startLoginServer(
  settings: LoginSettings,
  { name, log, metrics }: Surroundings,
): Promise<Running> {
  const certificate = await openCertificate(settings, { log, metrics });
  const msgServers = new MsgServers(settings.zoneWeights);
  const ticker = setInterval(() => msgServers.tick(), TICK_MS);
  const fromMsgServers = commandTable<MsgServers, Peer>([
    hear(cluster.load, (known, load, peer) => known.heard(peer, load)),
  ]);
  const fromConsoles = commandTable<MsgServers, Peer>([
    answer(consoleView.msgServers, (known) => ({ serverList: known.list() })),
  ]);
  const peers = await Peers.open({
    self: { role: 'login', name },
    port: settings.port,
    host: settings.host,
    secret: settings.clusterSecret,
    log,
    metrics,
    ctx: msgServers,
    tables: { msg: fromMsgServers, admin: fromConsoles },
    left: (peer) => msgServers.gone(peer),
  });
  const http = await openHttp(settings, certificate, msgServers);
  const clients = await openClients(settings, certificate, msgServers);
  metrics.gauge('msg_servers', 'msg servers that are up', () => msgServers.count);
  metrics.gauge('msg_servers_hung', 'msg servers that say nothing any more', () => msgServers.hung);
  metrics.gauge('sessions_known', 'Sessions on all msg servers, as they said last', () => msgServers.connections);
  return {
    ports: { servers: peers.port, http: http.port, clients: clients.port },
    reload: () => certificate?.reload() ?? Promise.resolve(),
    notReady: () => (msgServers.count === 0 ? 'no msg server' : undefined),
    async close() {
      clearInterval(ticker);
      http.close();
      clients.close();
      peers.close();
      certificate?.close();
    },
  };
}
