import { z } from 'zod';
import { isTimeZone } from '../../common/live/push-settings.js';
import { redisUrl } from '../../common/redis-place.js';
import {
  choice,
  commonSettings,
  count,
  type Definitions,
  flag,
  milliseconds,
  port,
  type SettingsOf,
  secret,
  text,
} from '../../common/settings.js';
import { ldapSettings } from './ldap-settings.js';
import { checkDatabaseUrl } from './storage/database-url.js';

export const dbProxySettings = {
  ...commonSettings,
  port: port(10600, 'where msg, http-msg and admin servers connect'),
  databaseUrl: {
    ...text(
      'postgres://127.0.0.1:5432/teamtalk',
      'PostgreSQL of the meta schema; with host:port,host:port the primary among copies',
    ),
    is: z.string().superRefine((url, ctx) => {
      try {
        checkDatabaseUrl(url);
      } catch (error) {
        ctx.addIssue({ code: 'custom', message: (error as Error).message });
      }
    }),
    unit: 'postgres://user:password@host:port[,host:port…]/database',
    secret: true,
  },
  masterKey: { ...secret('the key that wraps the data keys, 64 hex digits'), unit: '64 hex digits' },
  masterKeyCommand: {
    ...text('', 'command that prints the master key within 10 s, when masterKey is not given; run by /bin/sh -c'),
    secret: true,
  },
  masterKeyFile: text('', 'file that holds the master key, when neither masterKey nor masterKeyCommand is given'),
  readPoolMax: count(8, 'connections for reading, per shard and for meta', 1, 200),
  lanesPerShard: count(1, 'connections for storing messages, per shard; each has one commit in flight', 1, 64),
  batchMax: count(500, 'messages of one commit at most', 1, 10_000),
  queueMax: count(20_000, 'messages that may wait in one lane; further ones are refused as BUSY', 1),
  storeTimeoutMs: milliseconds(8_000, 'how long a message may wait for PostgreSQL'),
  redis: redisUrl('Redis that the db-proxies share to be quicker; may be flushed or gone at any time'),
  redisTimeoutMs: milliseconds(100, 'how long an answer of Redis is waited for'),
  nameFailuresMax: count(
    10,
    'failed log-ins of a name within half an hour; a further one locks it until they are over',
    1,
    1_000,
  ),
  addressFailuresMax: count(
    100,
    'failed log-ins from one address within ten minutes, over all names; a further one has the address refused until they are over. Loopback never is; 0 for any number, as when all clients come through one proxy',
    0,
  ),
  consoleNameFailuresMax: count(
    10,
    'failed log-ins of an account of the console within a quarter of an hour; then it waits until they are over',
    1,
    1_000,
  ),
  consoleAddressFailuresMax: count(
    30,
    'failed log-ins to the console from one address within a quarter of an hour, over all accounts; then it waits',
    1,
    100_000,
  ),
  loginTokenDays: count(30, 'days that a device stays logged in by its token without being used', 1, 3650),
  directoryCreate: flag(
    true,
    'who signs in from the company’s directory for the first time and is nobody here becomes a user',
  ),
  directoryMatch: choice(
    ['none', 'name', 'email'],
    'none',
    'who signs in for the first time is the user with the same login name, or the same e-mail if the directory has verified it; none: never one who is here already',
  ),
  directoryTrustDays: count(
    30,
    'days after which somebody from the directory has to be vouched for again: sign in, or be found in LDAP',
    1,
    3650,
  ),
  ...ldapSettings,
  exportApproval: flag(true, 'an owner of the console has to agree before what people wrote is exported'),
  exportMs: milliseconds(3_600_000, 'how long making one export may take'),
  timeZone: {
    ...text(
      Intl.DateTimeFormat().resolvedOptions().timeZone,
      'where it has to be night (22:00 to 07:00) for those who want no push at night and have no time zone of their own; default: that of the machine',
    ),
    is: z.string().refine(isTimeZone, 'no such time zone'),
    unit: 'IANA time zone',
  },
} satisfies Definitions;

export type DbProxySettings = SettingsOf<typeof dbProxySettings>;
