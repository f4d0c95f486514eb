import type { SendHook } from '../../common/chat/send-hook.js';
import type { Clock } from '../../common/clock.js';
import type { FileTokens } from '../../common/file-token.js';
import type { Hops } from '../../common/hops.js';
import type { Buckets } from '../../common/live/bucket.js';
import type { Limits } from '../../common/live/limits.js';
import type { Logger } from '../../common/log.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import type { Telemetry } from '../../common/telemetry/telemetry.js';
import type { Broadcasts } from './broadcasts.js';
import type { MsgCounters } from './counters.js';
import type { Deliveries } from './deliveries.js';
import type { DirectoryNews } from './directory-news.js';
import type { Pace } from './pace.js';
import type { Reconcile } from './reconcile.js';
import type { Routes } from './routes.js';
import type { SessionAddresses } from './session-addresses.js';
import type { Sessions } from './sessions.js';

/** Where the store is for clients, and how they are let in. */
export interface FileStore {
  /** Ends in /. */
  readonly url: string;
  readonly tokens: FileTokens;
  readonly tokenMs: number;
}

/** What a handler may reach. */
export interface MsgContext {
  /** Of this server, unique in the cluster. */
  readonly name: string;
  readonly sessions: Sessions;
  readonly broadcasts: Broadcasts;
  readonly dbProxies: LinkGroup;
  readonly fileServers: LinkGroup;
  readonly routes: Routes;
  readonly deliveries: Deliveries;
  readonly reconcile: Reconcile;
  readonly directoryNews: DirectoryNews;
  readonly sessionAddresses: SessionAddresses;
  readonly clock: Clock;
  readonly limits: Limits<'msg'>;
  /** Of groups, with what was sent to them here. */
  readonly groupPaces: Buckets<number, Pace>;
  /** Clients that are to come back in a second after a server has died. */
  readonly returnsPerSecond: number;
  readonly fileStore: FileStore;
  /** Asked before a message is stored, where there is one. */
  readonly sendHook: SendHook | undefined;
  readonly counters: MsgCounters;
  readonly hops: Hops;
  readonly telemetry: Telemetry | undefined;
  readonly log: Logger;
}
