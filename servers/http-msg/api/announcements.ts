import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';

export const announcements = (_ctx: HttpMsgContext) => async (_app: Api) => undefined;
