import { join } from 'node:path';
import { environmentName } from '../../common/settings.js';

/** What `npm start` was asked to start. */
export interface Options {
  /** Folder of the database, the keys and the state file. */
  readonly data: string;
  readonly portOffset: number;
  readonly msgServers: number;
  readonly dbProxies: number;
  readonly routeServers: number;
  /** URL of a Redis for db-proxies and route servers; empty: none. */
  readonly redis: string;
  /** Databases that messages are spread over. */
  readonly shards: number;
  readonly demoUsers: number;
  /** False: no demo data even into an empty database. */
  readonly demo: boolean;
  readonly json: boolean;
  /** Clients may come by TLS, under a certificate of our own making. */
  readonly tls: boolean;
}

/** TeamTalk's ports; those for operators are ours. */
export const PORTS = {
  msg: 8000,
  loginTcp: 8008,
  loginHttp: 8080,
  loginServers: 8100,
  route: 8200,
  httpMsg: 8400,
  push: 8500,
  file: 8600,
  fileServers: 8601,
  store: 8700,
  console: 8888,
  dbProxy: 10600,
  postgres: 15432,
  opsLogin: 19100,
  opsMsg: 19110,
  opsAdmin: 19120,
  opsRoute: 19130,
  opsDbProxy: 19150,
  opsFile: 19170,
  opsHttpMsg: 19180,
  opsPush: 19190,
} as const;

/** Ports go up from the first one of a kind; the next kind's must not be reached. */
export const COUNT_MAX = {
  msgServers: PORTS.loginTcp - PORTS.msg,
  routeServers: 20,
  dbProxies: 20,
  shards: 16, // on one PostgreSQL more would help nobody
} as const;

/** One server process to be. */
export interface Planned {
  readonly name: string;
  /** Its folder under servers/. */
  readonly server: string;
  readonly env: Readonly<Record<string, string>>;
  readonly opsPort: number;
}

export interface Secrets {
  readonly clusterSecret: string;
  readonly masterKeyFile: string;
  readonly databaseUrl: string;
  readonly certificate: CertificateFiles | undefined;
}

/** Paths of what clients are shown that come by TLS, PEM. */
export interface CertificateFiles {
  readonly tlsCertificateFile: string;
  readonly tlsKeyFile: string;
}

/** In the order of starting: whoever is dialled comes first. */
export function plan(options: Options, secrets: Secrets): Planned[] {
  const at = (port: number) => port + options.portOffset;
  const list = (count: number, port: number) =>
    numbers(count)
      .map((i) => `127.0.0.1:${at(port) + i}`)
      .join(',');
  const make = (server: string, name: string, opsPort: number, settings: Record<string, string | number>): Planned => {
    const all = { name, opsPort: at(opsPort), clusterSecret: secrets.clusterSecret, ...settings };
    const env = Object.fromEntries(
      Object.entries(all).map(([setting, value]) => [environmentName(server, setting), String(value)]),
    );
    return { name, server, env, opsPort: at(opsPort) };
  };
  const { databaseUrl, masterKeyFile, certificate = {} } = secrets;
  const redis: Record<string, string> = options.redis === '' ? {} : { redis: options.redis };
  const servers = [
    ...numbers(options.dbProxies).map((i) =>
      make('db-proxy', `db-proxy-${i + 1}`, PORTS.opsDbProxy + i, {
        port: at(PORTS.dbProxy) + i,
        databaseUrl,
        masterKeyFile,
        ...redis,
      }),
    ),
    ...numbers(options.routeServers).map((i) =>
      make('route', `route-${i + 1}`, PORTS.opsRoute + i, { port: at(PORTS.route) + i, ...redis }),
    ),
    make('login', 'login', PORTS.opsLogin, {
      ...certificate,
      clientPort: at(PORTS.loginTcp),
      httpPort: at(PORTS.loginHttp),
      port: at(PORTS.loginServers),
      storeUrl: `http://127.0.0.1:${at(PORTS.store)}/`,
      discoveryUrl: `http://127.0.0.1:${at(PORTS.console)}/api/discovery`,
    }),
    make('file', 'file', PORTS.opsFile, {
      ...certificate,
      clientPort: at(PORTS.file),
      port: at(PORTS.fileServers),
      storePort: at(PORTS.store),
      dbProxies: list(options.dbProxies, PORTS.dbProxy),
      folder: join(options.data, 'files'),
    }),
    ...numbers(options.msgServers).map((i) =>
      make('msg', `msg-${i + 1}`, PORTS.opsMsg + i, {
        ...certificate,
        clientPort: at(PORTS.msg) + i,
        loginServers: list(1, PORTS.loginServers),
        routeServers: list(options.routeServers, PORTS.route),
        fileServers: list(1, PORTS.fileServers),
        storeUrl: `http://127.0.0.1:${at(PORTS.store)}/`,
        dbProxies: list(options.dbProxies, PORTS.dbProxy),
      }),
    ),
    make('http-msg', 'http-msg', PORTS.opsHttpMsg, {
      httpPort: at(PORTS.httpMsg),
      storeUrl: `http://127.0.0.1:${at(PORTS.store)}/`,
      routeServers: list(options.routeServers, PORTS.route),
      dbProxies: list(options.dbProxies, PORTS.dbProxy),
    }),
    make('push', 'push', PORTS.opsPush, {
      port: at(PORTS.push),
      routeServers: list(options.routeServers, PORTS.route),
      dbProxies: list(options.dbProxies, PORTS.dbProxy),
    }),
  ];
  const console = make('admin', 'admin', PORTS.opsAdmin, {
    httpPort: at(PORTS.console),
    loginServers: list(1, PORTS.loginServers),
    routeServers: list(options.routeServers, PORTS.route),
    dbProxies: list(options.dbProxies, PORTS.dbProxy),
    fileServers: list(1, PORTS.fileServers),
    pushServers: list(1, PORTS.push),
    watched: [...servers.map(({ opsPort }) => opsPort), at(PORTS.opsAdmin)]
      .map((port) => `127.0.0.1:${port}`)
      .join(','),
  });
  return [...servers, console];
}

/** The first account of the console, as the launcher hands it out once. */
export interface AdminLogin {
  readonly user: string;
  readonly password: string;
}

/** What scripts and operators want to know once all is up: the line that --json prints. */
export function announcement(
  options: Options,
  planned: readonly Planned[],
  pids: Readonly<Record<string, number>>,
  secretsShown: { readonly apiKey: string | null; readonly adminLogin: AdminLogin | null },
) {
  const at = (port: number) => port + options.portOffset;
  return {
    ready: true,
    loginHttp: `http://127.0.0.1:${at(PORTS.loginHttp)}`,
    loginTcp: `127.0.0.1:${at(PORTS.loginTcp)}`,
    msg: numbers(options.msgServers).map((i) => `127.0.0.1:${at(PORTS.msg) + i}`),
    httpMsg: `http://127.0.0.1:${at(PORTS.httpMsg)}`,
    apiKey: secretsShown.apiKey,
    file: `127.0.0.1:${at(PORTS.file)}`,
    store: `http://127.0.0.1:${at(PORTS.store)}`,
    /** What clients have to trust that come by TLS; null: none do. */
    tlsCertificate: options.tls ? certificateFiles(options).tlsCertificateFile : null,
    admin: `http://127.0.0.1:${at(PORTS.console)}`,
    adminLogin: secretsShown.adminLogin,
    metrics: Object.fromEntries(planned.map(({ name, opsPort }) => [name, `http://127.0.0.1:${opsPort}/metrics`])),
    pids,
  };
}

export function certificateFiles({ data }: Options): CertificateFiles {
  return { tlsCertificateFile: join(data, 'tls', 'certificate.pem'), tlsKeyFile: join(data, 'tls', 'key.pem') };
}

export function stateFile(options: Options): string {
  return join(options.data, 'cluster.json');
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
