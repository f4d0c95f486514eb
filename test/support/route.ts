import { Hops } from '../../common/hops.js';
import { Metrics } from '../../common/metrics.js';
import type { Running } from '../../common/server/lifecycle.js';
import { readSettings } from '../../common/settings.js';
import { startRouteServer } from '../../servers/route/server.js';
import { routeSettings } from '../../servers/route/settings.js';
import { CLUSTER_SECRET, testLog } from './cluster.js';

/** A route server by itself. @param redis '': without any. @param port 0: a free one */
export function startRoute(name: string, redis = '', port = 0): Promise<Running> {
  const settings = { ...readSettings('route', routeSettings, { env: {} }), port, clusterSecret: CLUSTER_SECRET, redis };
  return startRouteServer(settings, {
    name,
    log: testLog(name),
    metrics: new Metrics(name, 'route'),
    hops: new Hops(),
  });
}
