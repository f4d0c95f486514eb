import { run } from '../../common/server/lifecycle.js';
import { startMsgServer } from './server.js';
import { msgSettings } from './settings.js';

await run('msg', msgSettings, startMsgServer);
