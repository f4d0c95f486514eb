import type { Announcer } from '../../common/chat/announcer.js';
import type { Sender } from '../../common/chat/sender.js';
import type { Clock } from '../../common/clock.js';
import type { Limits } from '../../common/live/limits.js';
import type { Rates } from '../../common/live/rates.js';
import type { Logger } from '../../common/log.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import type { Telemetry } from '../../common/telemetry/telemetry.js';
import type { Calls } from './api/calls.js';
import type { Keys } from './api/keys.js';
import type { Tail } from './events/tail.js';
import type { Routes } from './routes.js';
import type { HttpMsgSettings } from './settings.js';

/** What a handler may reach. */
export interface HttpMsgContext {
  readonly dbProxies: LinkGroup;
  readonly routes: Routes;
  readonly keys: Keys;
  readonly tail: Tail;
  readonly sender: Sender;
  readonly announcer: Announcer;
  readonly limits: Limits<'http-msg'>;
  readonly calls: Calls;
  readonly rates: Rates<'http-msg'>;
  readonly settings: HttpMsgSettings;
  readonly clock: Clock;
  readonly telemetry: Telemetry | undefined;
  readonly log: Logger;
}
