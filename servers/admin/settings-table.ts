import { z } from 'zod';
import { LIMIT_NAMES, LIMIT_PREFIX, limitSchema } from '../../common/live/named-limits.js';
import {
  LANGUAGES,
  NIGHT,
  QUIET_HOURS,
  quietHoursSchema,
  TEXTS,
  WHILE_PC_ONLINE,
} from '../../common/live/push-settings.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import { directory } from '../../common/pdu/commands.js';
import type { DiscoveryItem } from './api.js';

/** Settings that the console changes while the cluster runs: their shape and what they are until somebody sets them. */
const DISCOVERY = 'client.discovery';
const CONFIG = 'client.config';

const ITEMS_MAX = 200;

/** Only what a browser opens: a script in place of an address would run in the clients' web view. */
const url = z.url({ protocol: /^https?$/ }).max(1024);

interface KnownSetting {
  readonly is: z.ZodType;
  readonly default: unknown;
}

export const settingsTable: Readonly<Record<string, KnownSetting>> = {
  [DISCOVERY]: {
    is: z
      .array(
        z.strictObject({ name: z.string().trim().min(1).max(64), url, priority: z.number().int().min(0).max(9999) }),
      )
      .max(ITEMS_MAX),
    default: [],
  },
  [CONFIG]: {
    is: z
      .record(z.string().regex(/^[\w.-]{1,64}$/), z.string().max(2048))
      .refine((it) => Object.keys(it).length <= ITEMS_MAX),
    default: {},
  },
  // undefined: as each server is set up
  'push.text': { is: z.enum(TEXTS), default: undefined },
  'push.language': { is: z.enum(LANGUAGES), default: undefined },
  'push.whilePcOnline': { is: z.enum(WHILE_PC_ONLINE), default: undefined },
  [QUIET_HOURS]: { is: quietHoursSchema, default: NIGHT },
  ...Object.fromEntries(
    LIMIT_NAMES.map((name) => [`${LIMIT_PREFIX}${name}`, { is: limitSchema(name), default: undefined }]),
  ),
};

/** Highest first, as clients show them. */
export async function readDiscovery(dbProxies: LinkGroup): Promise<DiscoveryItem[]> {
  const items = (await read(dbProxies, DISCOVERY)) as DiscoveryItem[];
  return items.sort((a, b) => b.priority - a.priority);
}

export async function readConfig(dbProxies: LinkGroup): Promise<Record<string, string>> {
  return (await read(dbProxies, CONFIG)) as Record<string, string>;
}

async function read(dbProxies: LinkGroup, name: string): Promise<unknown> {
  const { settingList } = await dbProxies.ask(directory.settings, { prefix: name });
  const row = settingList.find((each) => each.name === name);
  return row === undefined ? structuredClone(settingsTable[name]!.default) : JSON.parse(row.value);
}
