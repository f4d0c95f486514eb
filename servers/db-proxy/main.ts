import { run } from '../../common/server/lifecycle.js';
import { startDbProxy } from './server.js';
import { dbProxySettings } from './settings.js';

await run('db-proxy', dbProxySettings, startDbProxy);
