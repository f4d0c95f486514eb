import { run } from '../../common/server/lifecycle.js';
import { startFileServer } from './server.js';
import { fileSettings } from './settings.js';

await run('file', fileSettings, startFileServer);
