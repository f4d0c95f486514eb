import type { Peers } from '../../common/net/peers.js';
import type { Presence } from './presence.js';
import type { Subjects } from './subjects.js';

/** What a handler may reach. */
export interface RouteContext {
  readonly subjects: Subjects;
  readonly presence: Presence;
  readonly peers: Peers<RouteContext>;
  readonly published: { inc(count: number): void };
}
