import { run } from '../../common/server/lifecycle.js';
import { startAdminServer } from './server.js';
import { adminSettings } from './settings.js';

await run('admin', adminSettings, startAdminServer);
