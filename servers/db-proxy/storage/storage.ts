import type pg from 'pg';
import { Hops } from '../../../common/hops.js';
import { Limits } from '../../../common/live/limits.js';
import type { Logger } from '../../../common/log.js';
import type { CallResult, Soft } from '../../../common/redis.js';
import type { DbProxySettings } from '../settings.js';
import { AddressFailures } from './address-failures.js';
import { AdminLogins } from './admin-logins.js';
import { Admins } from './admins.js';
import { Announcements } from './announcements.js';
import { ApiKeys } from './api-keys.js';
import { AppPasswords } from './app-passwords.js';
import { Doubts } from './append/doubts.js';
import type { AppendCounters } from './append/lane.js';
import { Append } from './append.js';
import { Audit } from './audit.js';
import { Blobs } from './blobs.js';
import { ConsoleKey } from './console-key.js';
import { Conversations } from './conversations.js';
import { DataKeys, requireMasterKey } from './data-keys.js';
import { openPool } from './database.js';
import { DepartmentTree } from './department-tree.js';
import { Departments } from './departments.js';
import { Devices } from './devices.js';
import { Events } from './events.js';
import { Exports } from './exports.js';
import { GroupAdmin } from './group-admin.js';
import { Groups } from './groups.js';
import { Health } from './health.js';
import { Identities } from './identities.js';
import { KeyWatch } from './key-watch.js';
import { LiveSettings } from './live-settings.js';
import { LoginFailures } from './login-failures.js';
import { LoginMarks } from './login-marks.js';
import { LoginTokens } from './login-tokens.js';
import { MasterKeyring } from './master-key.js';
import { Messages, type ReadCounters } from './messages.js';
import { migrate } from './migrations.js';
import { Outbox } from './outbox.js';
import { type DecidedBy, Passwords } from './passwords.js';
import { People } from './people.js';
import { PersonSessions } from './person-sessions.js';
import { Pushes } from './pushes.js';
import { QuietHours } from './quiet-hours.js';
import { RedisKeys } from './redis-keys.js';
import { Shards } from './shards.js';
import { Traces } from './traces.js';
import { Transfers } from './transfers.js';
import { Upkeep } from './upkeep.js';
import { UserLists } from './user-lists.js';
import { Users } from './users.js';
import { Webhooks } from './webhooks.js';

export type StorageSettings = Pick<
  DbProxySettings,
  | 'databaseUrl'
  | 'masterKey'
  | 'masterKeyCommand'
  | 'masterKeyFile'
  | 'readPoolMax'
  | 'lanesPerShard'
  | 'batchMax'
  | 'queueMax'
  | 'storeTimeoutMs'
  | 'redis'
  | 'redisTimeoutMs'
  | 'nameFailuresMax'
  | 'addressFailuresMax'
  | 'consoleNameFailuresMax'
  | 'consoleAddressFailuresMax'
  | 'timeZone'
  | 'exportApproval'
  | 'exportMs'
  | 'loginTokenDays'
  | 'directoryCreate'
  | 'directoryMatch'
  | 'directoryTrustDays'
>;

/** Called for every log-in that is decided, for every call of Redis, and for messages that were given up. */
export interface StorageWatch {
  decided(by: DecidedBy): void;
  redisCalled(result: CallResult): void;
  /** Some that came after this moment (wall-clock ms) were given up, and may be stored all the same: by now, if at all. */
  decidedLate(sinceMs: number): void;
}

const unwatched: StorageWatch = {
  decided: () => undefined,
  redisCalled: () => undefined,
  decidedLate: () => undefined,
};

/**
 * Everything at rest: migrates what needs it, then opens the directory, the keys and the shards.
 * @throws SettingsError for a missing or wrong master key, an Error when PostgreSQL cannot be reached.
 */
export async function openStorage(
  settings: StorageSettings,
  log: Logger,
  counters: AppendCounters & ReadCounters,
  watch: StorageWatch = unwatched,
  hops = new Hops(),
) {
  const masterKeys = await MasterKeyring.open(settings);
  const meta = openPool(settings.databaseUrl, 'db-proxy meta', settings.readPoolMax);
  // Before anything is touched, the schema included.
  await requireMasterKey(meta, masterKeys).catch(async (error: unknown) => {
    await meta.end();
    throw error;
  });
  await migrate(settings.databaseUrl, 'meta', log);
  const keys = await DataKeys.open(meta, masterKeys);
  const consoleKey = await ConsoleKey.open(meta, masterKeys);
  const keyWatch = await KeyWatch.start(meta, keys, log);
  const shards = await Shards.open(meta, settings.databaseUrl, settings.readPoolMax, log);
  const users = new Users(meta, settings.directoryTrustDays);
  const groups = new Groups(meta);
  const messages = new Messages(shards, keys, counters, log);
  const membership = {
    existing: (ids: readonly number[]) => users.existing(ids),
    members: (pairs: readonly { groupId: number; userId: number }[]) => groups.members(pairs),
  };
  const outbox = new Outbox(meta, shards, hops);
  const webhooks = new Webhooks(meta, groups, consoleKey);
  await webhooks.sealOld();
  const lists = new UserLists(shards);
  const doubts = new Doubts((sinceMs) => watch.decidedLate(sinceMs));
  const append = new Append(shards, keys, membership, settings, outbox, lists, counters, hops, doubts, log);
  const redis = await openRedis(settings, log, watch);
  const audit = new Audit(meta, log);
  const liveSettings = new LiveSettings(meta, audit);
  const limits = new Limits<'db-proxy'>({
    'login.name': settings.nameFailuresMax,
    'login.address': settings.addressFailuresMax,
    'console.name': settings.consoleNameFailuresMax,
    'console.address': settings.consoleAddressFailuresMax,
  });
  limits.follow((prefix) => liveSettings.list(prefix), log);
  const upkeep = new Upkeep(settings.databaseUrl, masterKeys, audit, log);
  const health = new Health(meta, settings.databaseUrl, shards, log);
  const quietHours = new QuietHours(meta, settings.timeZone, liveSettings, log);
  const conversations = new Conversations(shards, messages, groups, lists);
  return {
    users,
    groups,
    messages,
    append,
    departments: new Departments(meta),
    audit,
    people: new People(meta, audit),
    departmentTree: new DepartmentTree(meta, audit),
    groupAdmin: new GroupAdmin(meta, audit),
    liveSettings,
    limits,
    devices: new Devices(meta),
    loginTokens: new LoginTokens(meta, audit, settings.loginTokenDays),
    quietHours,
    passwords: openPasswords(meta, consoleKey, masterKeys.first.key, limits, redis, watch),
    appPasswords: new AppPasswords(meta, audit, consoleKey),
    identities: new Identities(meta, audit, settings),
    personSessions: new PersonSessions(meta),
    /** Undefined: there is none in the settings. */
    redis,
    blobs: new Blobs(meta, keys),
    transfers: new Transfers(meta, keys),
    conversations,
    pushes: new Pushes(meta, { messages, conversations, users, quietHours }),
    outbox,
    events: new Events(meta, outbox, webhooks),
    webhooks,
    apiKeys: new ApiKeys(meta),
    admins: new Admins(meta, audit),
    adminLogins: new AdminLogins(meta, consoleKey, audit, limits),
    upkeep,
    traces: new Traces(meta, shards),
    announcements: new Announcements(meta, consoleKey, audit),
    exports: new Exports(meta, shards, messages, audit, settings),
    shards,
    health,
    keys,
    async close() {
      limits.close();
      quietHours.close();
      await upkeep.close();
      health.close();
      await append.close();
      await keyWatch.close();
      await shards.close();
      await meta.end();
      redis?.close();
    },
  };
}

async function openRedis({ redis: url, redisTimeoutMs: timeoutMs }: StorageSettings, log: Logger, watch: StorageWatch) {
  if (url === '') return undefined;
  const { Soft } = await import('../../../common/redis.js');
  return new Soft({ url, timeoutMs, log, counted: (result) => watch.redisCalled(result) });
}

function openPasswords(
  meta: pg.Pool,
  consoleKey: ConsoleKey,
  masterKey: Buffer,
  limits: Limits<'db-proxy'>,
  redis: Soft | undefined,
  watch: StorageWatch,
) {
  const keys = new RedisKeys(masterKey);
  return new Passwords(meta, consoleKey, {
    marks: new LoginMarks(masterKey, keys, redis),
    failures: new LoginFailures(meta, limits, keys, redis),
    addresses: new AddressFailures(limits, keys, redis),
    decided: (by) => watch.decided(by),
  });
}
