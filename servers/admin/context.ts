import type { Announcer } from '../../common/chat/announcer.js';
import type { Rates } from '../../common/live/rates.js';
import type { Logger } from '../../common/log.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import type { IM } from '../../common/pdu/pb.js';
import type { Role } from '../../common/roles.js';
import type { HopFinder } from './hops.js';
import type { Journeys } from './journeys.js';
import type { Oidc } from './oidc.js';
import type { Watch } from './watch.js';

/** What a handler may reach. */
export interface AdminContext {
  readonly dbProxies: LinkGroup;
  readonly routes: LinkGroup;
  readonly logins: LinkGroup;
  readonly fileServers: LinkGroup;
  readonly pushServers: LinkGroup;
  readonly watch: Watch;
  readonly hopFinder: HopFinder;
  readonly announcer: Announcer;
  readonly rates: Rates<'admin'>;
  readonly sessionIdleMs: number;
  readonly sessionMs: number;
  readonly journeys: Journeys;
  /** The company's OpenID Connect provider, when there is one. */
  readonly oidc: Oidc | undefined;
  /** Which claims say what of somebody. */
  readonly claimNames: {
    readonly name: string;
    readonly nick: string;
    readonly email: string;
    readonly department: string;
  };
  readonly personSessionMs: number;
  /** Whether a client may have a code sent to this address. */
  mayRedirect(address: string): boolean;
  readonly log: Logger;
}

/** Who asks. */
export interface Caller {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly mustChange: boolean;
  readonly sessionId: string;
  readonly address: string;
  /** How the audit trail names him. */
  readonly actor: IM.Directory.Actor.$Properties;
}
