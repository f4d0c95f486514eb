import { run } from '../../common/server/lifecycle.js';
import { startPushServer } from './server.js';
import { pushSettings } from './settings.js';

await run('push', pushSettings, startPushServer);
