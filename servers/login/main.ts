import { run } from '../../common/server/lifecycle.js';
import { startLoginServer } from './server.js';
import { loginSettings } from './settings.js';

await run('login', loginSettings, startLoginServer);
