import { z } from 'zod';
import { addresses, type HostPort, type Setting } from './settings.js';

/** Where Redis is, as settings say it; apart from redis.ts, as most clusters have none and need not load a client of it. */

/** What every key begins with, so that an ACL can be written for it. */
export const PREFIX = 'tt';

export interface RedisPlace {
  readonly cluster: boolean;
  /** The name that Sentinels know the master by; the hosts are theirs. Undefined: there are none. */
  readonly sentinel?: string;
  readonly tls: boolean;
  readonly hosts: readonly HostPort[];
  readonly username: string;
  readonly password: string;
  readonly db: number;
}

/** A setting that is empty (no Redis) or what parseRedisUrl takes. Secret, as the password is in it. */
export function redisUrl(doc: string): Setting<string> {
  const check = (url: string, ctx: z.RefinementCtx) => {
    try {
      if (url !== '') parseRedisUrl(url);
    } catch (error) {
      ctx.addIssue({ code: 'custom', message: (error as Error).message });
    }
  };
  const unit =
    'redis[s]://[[user]:password@]host[:port][/db], redis[s]-cluster://[…@]host[:port],…, redis[s]-sentinel://[…@]host[:port],…/master[/db]; empty for none';
  return { is: z.string().superRefine(check), unit, default: '', doc, secret: true };
}

const URL_FORM =
  /^(rediss?)(-cluster|-sentinel)?:\/\/(?:(?<user>[^:]*)(?::(?<password>.*))?@)?(?<hosts>[^/@]+)(?:\/(?<master>[A-Za-z][\w.-]*))?(?:\/(?<db>\d*))?$/s;
const PORT_DEFAULT = 6379;
const SENTINEL_PORT_DEFAULT = 26_379;

/** `rediss` is by TLS. User and password are percent-encoded. @throws Error with the reason, without the text itself. */
export function parseRedisUrl(url: string): RedisPlace {
  const form = URL_FORM.exec(url);
  if (form === null) throw new Error('expected redis://host:port/db or redis-cluster://host:port,host:port');
  const [, scheme, kind] = form;
  const { user = '', password = '', hosts: list = '', master, db = '' } = form.groups ?? {};
  const cluster = kind === '-cluster';
  const sentinel = kind === '-sentinel';
  const hosts = hostsOf(list, sentinel ? SENTINEL_PORT_DEFAULT : PORT_DEFAULT);
  if (kind === undefined && hosts.length !== 1)
    throw new Error('several hosts are for redis-cluster:// and redis-sentinel:// only');
  if (sentinel && master === undefined)
    throw new Error('behind the hosts of redis-sentinel:// has to be the name of the master: …/mymaster');
  if (!sentinel && master !== undefined) throw new Error('the name of a master is for redis-sentinel:// only');
  if (cluster && Number(db) !== 0) throw new Error('a Redis Cluster has the database 0 only');
  return {
    cluster,
    ...(master === undefined ? {} : { sentinel: master }),
    tls: scheme === 'rediss',
    hosts,
    username: decoded(user),
    password: decoded(password),
    db: Number(db),
  };
}

function hostsOf(list: string, portDefault: number): readonly HostPort[] {
  const withPorts = list.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:${portDefault}`));
  const parsed = addresses('', '').is.safeParse(withPorts.join(','));
  if (!parsed.success || parsed.data.length === 0) throw new Error('expected host:port[,host:port…] behind redis://');
  return parsed.data;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error('user and password have to be percent-encoded');
  }
}
