/**
 * Where a database is: postgres://user:password@host:port/database, or with several hosts, host:port,host:port, copies of
 * each other of which one takes writes at a time.
 */

const FORM = /^(?<before>postgres(?:ql)?:\/\/(?:[^/?#]*@)?)(?<hosts>[^/?#]*)(?<path>[^?#]*)(?<after>.*)$/s;

interface Parts {
  readonly before: string;
  readonly hosts: string;
  readonly path: string;
  readonly after: string;
}

/** @throws Error that says what it is not, but not the URL itself, as the password is in it */
export function checkDatabaseUrl(url: string): void {
  const servers = serversOf(url);
  if (!servers.every((server) => URL.canParse(server)))
    throw new Error('no URL such as postgres://user:password@host:5432/database, or with host:port,host:port');
  const attrs = new URL(servers[0]!).searchParams.get('target_session_attrs') ?? 'read-write';
  if (!ATTRS.includes(attrs)) throw new Error(`no URL with target_session_attrs=read-write or primary, but ${attrs}`);
}

/** A URL for each host. */
export function serversOf(url: string): string[] {
  const parts = partsOf(url);
  return parts === undefined ? [url] : parts.hosts.split(',').map((host) => textOf({ ...parts, hosts: host }));
}

/** Another database of the same servers, given as /name. */
export function withDatabase(url: string, path: string): string {
  const parts = partsOf(url);
  return parts === undefined ? new URL(path, url).href : textOf({ ...parts, path });
}

/** Without what nobody should read: hosts, ports and the database. */
export function placeOf(url: string): string {
  const { hosts, path } = partsOf(url) ?? { hosts: '', path: new URL(url).pathname };
  return `${hosts}${path}`;
}

/** The name of the database. */
export function databaseOf(url: string): string {
  return decodeURIComponent(new URL(serversOf(url)[0]!).pathname.slice(1));
}

const ATTRS = ['read-write', 'primary'];

function partsOf(url: string): Parts | undefined {
  return FORM.exec(url)?.groups as Parts | undefined;
}

function textOf({ before, hosts, path, after }: Parts): string {
  return `${before}${hosts}${path}${after}`;
}
