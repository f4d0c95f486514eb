import type { Hops } from '../../common/hops.js';
import type { Logger } from '../../common/log.js';
import type { IM } from '../../common/pdu/pb.js';
import type { Telemetry } from '../../common/telemetry/telemetry.js';
import type { Ldap } from './ldap.js';
import type { AdminLogins } from './storage/admin-logins.js';
import type { Admins } from './storage/admins.js';
import type { Announcements } from './storage/announcements.js';
import type { ApiKeys } from './storage/api-keys.js';
import type { AppPasswords } from './storage/app-passwords.js';
import type { Append } from './storage/append.js';
import type { Audit } from './storage/audit.js';
import type { Blobs } from './storage/blobs.js';
import type { Conversations } from './storage/conversations.js';
import type { DepartmentTree } from './storage/department-tree.js';
import type { Departments } from './storage/departments.js';
import type { Devices } from './storage/devices.js';
import type { Events } from './storage/events.js';
import type { Exports } from './storage/exports.js';
import type { GroupAdmin } from './storage/group-admin.js';
import type { Groups } from './storage/groups.js';
import type { Identities } from './storage/identities.js';
import type { LiveSettings } from './storage/live-settings.js';
import type { LoginTokens } from './storage/login-tokens.js';
import type { Messages } from './storage/messages.js';
import type { Outbox } from './storage/outbox.js';
import type { Passwords } from './storage/passwords.js';
import type { People } from './storage/people.js';
import type { PersonSessions } from './storage/person-sessions.js';
import type { Pushes } from './storage/pushes.js';
import type { Traces } from './storage/traces.js';
import type { Transfers } from './storage/transfers.js';
import type { Upkeep } from './storage/upkeep.js';
import type { Users } from './storage/users.js';
import type { Webhooks } from './storage/webhooks.js';

/** What a handler may reach: storage, and nothing beside it. */
export interface DbProxyContext {
  readonly users: Users;
  readonly departments: Departments;
  readonly passwords: Passwords;
  readonly groups: Groups;
  readonly devices: Devices;
  readonly loginTokens: LoginTokens;
  readonly appPasswords: AppPasswords;
  readonly identities: Identities;
  readonly personSessions: PersonSessions;
  /** The company's directory, when it is one of LDAP. */
  readonly ldap: Ldap | undefined;
  readonly append: Append;
  readonly messages: Messages;
  readonly conversations: Conversations;
  readonly blobs: Blobs;
  /** For the administration: audited changes of what users, departments and groups above give clients. */
  readonly people: People;
  readonly departmentTree: DepartmentTree;
  readonly groupAdmin: GroupAdmin;
  readonly liveSettings: LiveSettings;
  readonly audit: Audit;
  readonly pushes: Pushes;
  /** Somebody has read on: one push server hears of it, which may have to take something back. */
  tellReadMoved(userId: number, conversationId: bigint, readMsgId: number): void;
  /** What the administration has changed: every msg server that is linked hears of it. */
  tellMsgServers(change: IM.Directory.IMDirectoryChanged.$Properties): void;
  /** What was stored since then may have been published by nobody: msg servers look. */
  tellDisturbed(sinceMs: number): void;
  readonly transfers: Transfers;
  readonly outbox: Outbox;
  readonly events: Events;
  readonly apiKeys: ApiKeys;
  readonly webhooks: Webhooks;
  readonly admins: Admins;
  readonly adminLogins: AdminLogins;
  readonly upkeep: Upkeep;
  readonly traces: Traces;
  readonly announcements: Announcements;
  readonly exports: Exports;
  readonly hops: Hops;
  readonly telemetry: Telemetry | undefined;
  readonly log: Logger;
}
