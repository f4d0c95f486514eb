import { run } from '../../common/server/lifecycle.js';
import { startHttpMsgServer } from './server.js';
import { httpMsgSettings } from './settings.js';

await run('http-msg', httpMsgSettings, startHttpMsgServer);
