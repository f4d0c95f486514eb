import type { Hops } from '../../common/hops.js';
import type { Peer, Peers } from '../../common/net/peers.js';
import type { Announcements } from './announcements.js';
import type { Backplane } from './backplane.js';
import type { Disturbances } from './disturbances.js';
import type { Elsewhere } from './elsewhere.js';
import type { Presence } from './presence.js';
import type { Remembered } from './remembered.js';
import type { Subjects } from './subjects.js';

/** What a handler may reach. */
export interface RouteContext {
  readonly subjects: Subjects;
  readonly presence: Presence;
  readonly announcements: Announcements;
  readonly peers: Peers<RouteContext>;
  /** Msg servers that tell us what they care about; with Redis others have a link as well, and tell another one. */
  readonly told: Set<Peer>;
  /** Until when what a msg server has said has come: by its clock, ms since 1970. */
  readonly sure: Map<Peer, number>;
  /** Those that no route server could reach before they came: since when, by their clock. */
  readonly cutOff: Map<Peer, number>;
  readonly disturbances: Disturbances;
  /** To the other route servers, with Redis. */
  readonly backplane: Backplane | undefined;
  readonly elsewhere: Elsewhere;
  /** Of before the start, with Redis. */
  readonly remembered: Remembered | undefined;
  readonly hops: Hops;
  readonly published: { inc(count: number): void };
}
