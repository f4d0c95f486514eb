import { run } from '../../common/server/lifecycle.js';
import { startRouteServer } from './server.js';
import { routeSettings } from './settings.js';

await run('route', routeSettings, startRouteServer);
