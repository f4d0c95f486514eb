import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { LOG_LEVELS } from './log.js';

/**
 * Settings: every server names those it reads, each with unit, default and one sentence. Values come from the
 * environment, else from the settings file, else the default:
 *
 *   environment  TT_MSG_CLIENT_PORT for `clientPort` of the msg server; TT_CLIENT_PORT for it in every server
 *   secret file  for a setting that is a secret also its path: TT_CLUSTER_SECRET_FILE, TT_MSG_CLUSTER_SECRET_FILE
 *   file         JSON, its path in TT_SETTINGS: {"all": {"logLevel": "warn"}, "msg": {"clientPort": 8000}}
 *
 * A wrong value, or a name in the file that no such server knows, stops the start with the name and the reason. What
 * looks like a setting and is none, is warned of: see `unknownSettings`.
 */
export interface Setting<T> {
  readonly is: z.ZodType<T>;
  readonly unit: string;
  readonly default: T;
  readonly doc: string;
  /** Printed as [secret], and may be given as the path of a file that holds it. */
  readonly secret?: boolean;
}

export type Definitions = Readonly<Record<string, Setting<unknown>>>;
export type SettingsOf<D extends Definitions> = {
  -readonly [Name in keyof D]: D[Name] extends Setting<infer T> ? T : never;
};

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** A number, or its digits as the environment has them: what else JavaScript turns into a number (null, '', true) is wrong. */
function integer(min: number, max: number): z.ZodType<number> {
  const is = z.number().int().min(min).max(max);
  const digits = (it: unknown) => (typeof it === 'string' && /^\s*-?\d+\s*$/.test(it) ? Number(it) : it);
  return z.preprocess(digits, is);
}

/** A timer of JavaScript that is longer than this goes off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function port(value: number, doc: string): Setting<number> {
  return { is: integer(0, 65535), unit: 'port, 0 for any free one', default: value, doc };
}
export function count(value: number, doc: string, min = 0, max = Number.MAX_SAFE_INTEGER): Setting<number> {
  return { is: integer(min, max), unit: 'count', default: value, doc };
}
export function milliseconds(value: number, doc: string, min = 1): Setting<number> {
  return { is: integer(min, TIMER_MS_MAX), unit: 'ms', default: value, doc };
}
export function bytes(value: number, doc: string, min = 1): Setting<number> {
  return { is: integer(min, Number.MAX_SAFE_INTEGER), unit: 'bytes', default: value, doc };
}
export function text(value: string, doc: string): Setting<string> {
  return { is: z.string(), unit: 'text', default: value, doc };
}
export function secret(doc: string, lengthMin = 16): Setting<string> {
  return {
    is: z.string().min(lengthMin, `needs at least ${lengthMin} characters`),
    unit: 'text',
    default: '',
    doc,
    secret: true,
  };
}
export function flag(value: boolean, doc: string): Setting<boolean> {
  const is = z
    .union([z.boolean(), z.enum(['true', 'false', '1', '0', 'yes', 'no'])])
    .transform((it) => it === true || it === 'true' || it === '1' || it === 'yes');
  return { is: is as unknown as z.ZodType<boolean>, unit: 'yes or no', default: value, doc };
}
export function choice<const T extends string>(values: readonly T[], value: T, doc: string): Setting<T> {
  return {
    is: z.enum(values as readonly [T, ...T[]]) as unknown as z.ZodType<T>,
    unit: values.join(' | '),
    default: value,
    doc,
  };
}

/** A part of a whole, from 0 to 1. */
export function ratio(value: number, doc: string): Setting<number> {
  const is = z.preprocess(
    (it) => (typeof it === 'string' && /^\s*\d*\.?\d+\s*$/.test(it) ? Number(it) : it),
    z.number().min(0).max(1),
  );
  return { is, unit: 'from 0 to 1', default: value, doc };
}
/** An address of HTTP or HTTPS; empty: none. */
export function url(doc: string): Setting<string> {
  const isHttp = (it: string) => it === '' || (URL.canParse(it) && /^https?:$/.test(new URL(it).protocol));
  return { is: z.string().refine(isHttp, 'expected http://… or https://…'), unit: 'URL', default: '', doc };
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A comma-separated list of host:port, an IPv6 host in brackets. */
export function addresses(value: string, doc: string): Setting<HostPort[]> {
  const parse = (list: string, ctx: z.RefinementCtx): HostPort[] => {
    const texts = list.split(',').filter((each) => each.trim() !== '');
    const found = texts.map(hostPort).filter((each) => each !== undefined);
    if (found.length < texts.length) ctx.addIssue({ code: 'custom', message: 'expected host:port[,host:port…]' });
    return found;
  };
  const is = z.string().transform(parse);
  return { is: is as unknown as z.ZodType<HostPort[]>, unit: 'host:port, …', default: is.parse(value), doc };
}

function hostPort(text: string): HostPort | undefined {
  const [, ipv6, name, digits] = /^\s*(?:\[(\S+)\]|([\w.-]+)):(\d{1,5})\s*$/.exec(text) ?? [];
  const host = name ?? (isIPv6(ipv6 ?? '') ? ipv6 : undefined);
  const port = Number(digits);
  return host !== undefined && port >= 1 && port <= 65535 ? { host, port } : undefined;
}

/** What every server has. */
export const commonSettings = {
  name: text('', 'name of this process in logs, metrics and links; unique in the cluster; default: the role'),
  host: text('127.0.0.1', 'address that this server listens on'),
  opsPort: port(0, 'HTTP port for /metrics, /healthz and /readyz'),
  logLevel: choice(LOG_LEVELS, 'info', 'what is logged at least'),
  clusterSecret: secret('what servers of one cluster share to prove themselves to each other'),
  drainMs: milliseconds(5_000, 'how long a server that was told to stop may finish what is open', 0),
  traceCollector: url('where traces go by OTLP over HTTP: http://127.0.0.1:4318/v1/traces; empty: none are made'),
  traceRatio: ratio(0.01, 'part of the messages, log-ins and HTTP calls that are traced; the same in all servers'),
} satisfies Definitions;

export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The parsed settings file, if there is one. */
  readonly file?: unknown;
}

export function sourcesOfProcess(): Sources {
  const path = process.env.TT_SETTINGS;
  if (path === undefined || path === '') return { env: process.env };
  try {
    return { env: process.env, file: JSON.parse(readFileSync(path, 'utf8')) };
  } catch (error) {
    // A JSON error quotes what stands around the fault, and that may be a secret.
    const reason = (error as Error).message.replace(/, (\.\.\.)?".*"(\.\.\.)?/s, '');
    throw new SettingsError(`settings file ${path} (TT_SETTINGS): ${reason}`);
  }
}

/** @throws SettingsError that lists every wrong setting with the reason. */
export function readSettings<D extends Definitions>(server: string, definitions: D, sources: Sources): SettingsOf<D> {
  const sections = sectionsOf(sources.file);
  const wrong: string[] = [];
  for (const name of Object.keys(sections[server] ?? {})) {
    if (!Object.hasOwn(definitions, name)) wrong.push(`${server}.${name} in the settings file: no such setting`);
  }
  const result: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(definitions)) {
    let found: readonly [unknown, string];
    try {
      found = lookUp(server, name, definitions, sources.env, sections);
    } catch (error) {
      wrong.push((error as Error).message);
      continue;
    }
    const [value, origin] = found;
    if (value === undefined) {
      result[name] = setting.default;
      continue;
    }
    const parsed = setting.is.safeParse(value);
    if (parsed.success) result[name] = parsed.data;
    else
      wrong.push(
        `${name} (${origin}; ${setting.unit}): ${parsed.error.issues.map((issue) => issue.message).join('; ')}`,
      );
  }
  if (wrong.length > 0) throw new SettingsError(`wrong settings for the ${server} server:\n  ${wrong.join('\n  ')}`);
  return result as SettingsOf<D>;
}

/** Sections that a settings file may have, beside `all`. */
export const SERVERS = ['login', 'msg', 'route', 'db-proxy', 'file', 'http-msg', 'push', 'admin'] as const;

/** They begin like one server's own, and are meant for others: TT_LOGIN_SERVERS is `loginServers` of every server. */
const FOR_ALL = new Set([
  'TT_FILE_SERVERS',
  'TT_FILE_TOKEN_MS',
  'TT_LOGIN_SERVERS',
  'TT_LOGIN_TIMEOUT_MS',
  'TT_LOGIN_TOKEN_DAYS',
  'TT_PUSH_SERVERS',
  'TT_ROUTE_SERVERS',
]);

/**
 * What was meant for this server and is no setting of it, a mistyped name most likely: variables that begin with
 * TT_<SERVER>_, and sections of the settings file that belong to no server. A warning and no error: a variable may be
 * of a newer or an older version.
 */
export function unknownSettings(server: string, definitions: Definitions, sources: Sources): string[] {
  const known = new Set(FOR_ALL);
  for (const name of Object.keys(definitions)) {
    for (const variable of [environmentName(server, name), environmentName('', name)]) {
      known.add(variable);
      if (hasFile(definitions, name)) known.add(`${variable}_FILE`);
    }
  }
  const prefix = environmentName(server, '');
  const variables = Object.keys(sources.env).filter((name) => name.startsWith(prefix) && !known.has(name));
  const sections = Object.keys(sectionsOf(sources.file)).filter(
    (name) => name !== 'all' && !(SERVERS as readonly string[]).includes(name),
  );
  return [...variables.sort(), ...sections.map((name) => `${name} in the settings file`)];
}

/** Name and value of every setting, secrets blanked, for the log at the start. */
export function printable(
  definitions: Definitions,
  settings: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const entries = Object.entries(settings).map(([name, value]) => [
    name,
    definitions[name]?.secret ? '[secret]' : value,
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

export function environmentName(server: string, name: string): string {
  const upper = (part: string) =>
    part
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replace(/-/g, '_')
      .toUpperCase();
  return server === '' ? `TT_${upper(name)}` : `TT_${upper(server)}_${upper(name)}`;
}

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

function sectionsOf(file: unknown): Sections {
  if (file === undefined) return {};
  const parsed = z.record(z.string(), z.record(z.string(), z.unknown())).safeParse(file);
  if (!parsed.success) throw new SettingsError('settings file: expected {"all": {…}, "<server>": {…}}');
  return parsed.data;
}

function lookUp(
  server: string,
  name: string,
  definitions: Definitions,
  env: Sources['env'],
  sections: Sections,
): readonly [unknown, string] {
  const given = (variable: string) => env[variable] !== undefined && env[variable] !== '';
  for (const variable of [environmentName(server, name), environmentName('', name)]) {
    const file = hasFile(definitions, name) && given(`${variable}_FILE`) ? `${variable}_FILE` : undefined;
    if (given(variable)) {
      if (file !== undefined) throw new Error(`${name}: ${variable} and ${file} are both set, one of them is enough`);
      return [env[variable], variable];
    }
    if (file !== undefined) return [secretIn(name, file, env[file]!), file];
  }
  for (const section of [server, 'all']) {
    if (sections[section]?.[name] !== undefined)
      return [sections[section][name], `${section}.${name} in the settings file`];
  }
  return [undefined, 'default'];
}

/** Where the path has a setting of its own (masterKey, masterKeyFile) that one is meant. */
function hasFile(definitions: Definitions, name: string): boolean {
  return definitions[name]?.secret === true && !Object.hasOwn(definitions, `${name}File`);
}

/** Without the line end that editors and `echo` leave. @throws Error that names the setting and the file. */
function secretIn(name: string, variable: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new Error(`${name} (${variable}): ${(error as Error).message}`);
  }
  if (text === '') throw new Error(`${name} (${variable}): ${path} is empty`);
  return text;
}
