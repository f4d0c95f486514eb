import type { Logger } from '../../common/log.js';
import type { Append } from './storage/append.js';
import type { Blobs } from './storage/blobs.js';
import type { Conversations } from './storage/conversations.js';
import type { Departments } from './storage/departments.js';
import type { Devices } from './storage/devices.js';
import type { Groups } from './storage/groups.js';
import type { Messages } from './storage/messages.js';
import type { Passwords } from './storage/passwords.js';
import type { Users } from './storage/users.js';

/** What a handler may reach: storage, and nothing beside it. */
export interface DbProxyContext {
  readonly users: Users;
  readonly departments: Departments;
  readonly passwords: Passwords;
  readonly groups: Groups;
  readonly devices: Devices;
  readonly append: Append;
  readonly messages: Messages;
  readonly conversations: Conversations;
  readonly blobs: Blobs;
  readonly log: Logger;
}
