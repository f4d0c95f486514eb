import type { Logger } from '../../../common/log.js';
import type { DbProxySettings } from '../settings.js';
import { Append, type AppendCounters } from './append.js';
import { Conversations } from './conversations.js';
import { DataKeys } from './data-keys.js';
import { openPool } from './database.js';
import { Departments } from './departments.js';
import { Devices } from './devices.js';
import { Groups } from './groups.js';
import { readMasterKey } from './master-key.js';
import { Messages } from './messages.js';
import { migrate } from './migrations.js';
import { Outbox } from './outbox.js';
import { Passwords } from './passwords.js';
import { Shards } from './shards.js';
import { UserLists } from './user-lists.js';
import { Users } from './users.js';

export type StorageSettings = Pick<
  DbProxySettings,
  | 'databaseUrl'
  | 'masterKey'
  | 'masterKeyFile'
  | 'readPoolMax'
  | 'lanesPerShard'
  | 'batchMax'
  | 'queueMax'
  | 'storeTimeoutMs'
>;

/**
 * Everything at rest: migrates what needs it, then opens the directory, the keys and the shards.
 * @throws SettingsError for a missing or wrong master key, an Error when PostgreSQL cannot be reached.
 */
export async function openStorage(settings: StorageSettings, log: Logger, counters: AppendCounters) {
  const masterKey = await readMasterKey(settings);
  await migrate(settings.databaseUrl, 'meta', log);
  const meta = openPool(settings.databaseUrl, 'db-proxy meta', settings.readPoolMax);
  const keys = await DataKeys.open(meta, masterKey);
  const shards = await Shards.open(meta, settings.databaseUrl, settings.readPoolMax, log);
  const users = new Users(meta);
  const groups = new Groups(meta);
  const messages = new Messages(shards, keys);
  const membership = {
    existing: (ids: readonly number[]) => users.existing(ids),
    members: (pairs: readonly { groupId: number; userId: number }[]) => groups.members(pairs),
  };
  const outbox = new Outbox(meta, shards);
  const lists = new UserLists(shards);
  const append = new Append(shards, keys, membership, settings, outbox, lists, counters, log);
  return {
    users,
    groups,
    messages,
    append,
    departments: new Departments(meta),
    devices: new Devices(meta),
    passwords: new Passwords(meta),
    conversations: new Conversations(shards, messages, groups, lists),
    outbox,
    shards,
    async close() {
      await append.close();
      await shards.close();
      await meta.end();
    },
  };
}
