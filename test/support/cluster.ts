import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from '@node-rs/argon2';
import pg from 'pg';
import { pino } from 'pino';
import { SCOPES, type Scope } from '../../common/api-key.js';
import { Client, type ConnectOptions, type Credentials } from '../../common/client/client.js';
import { HOPS_KEPT, type Hops } from '../../common/hops.js';
import { Metrics } from '../../common/metrics.js';
import type { Link } from '../../common/net/link.js';
import { LinkGroup } from '../../common/net/link-group.js';
import type { Listening } from '../../common/net/listener.js';
import { openOps } from '../../common/ops.js';
import { type CommandTable, commandTable } from '../../common/server/command-table.js';
import type { Running, Start } from '../../common/server/lifecycle.js';
import { type commonSettings, type Definitions, readSettings, type SettingsOf } from '../../common/settings.js';
import { openHops } from '../../common/telemetry/open.js';
import { adminSettings } from '../../servers/admin/settings.js';
import { startDbProxy } from '../../servers/db-proxy/server.js';
import { dbProxySettings } from '../../servers/db-proxy/settings.js';
import { openStorage } from '../../servers/db-proxy/storage/storage.js';
import { fileSettings } from '../../servers/file/settings.js';
import { httpMsgSettings } from '../../servers/http-msg/settings.js';
import { startLoginServer } from '../../servers/login/server.js';
import { loginSettings } from '../../servers/login/settings.js';
import { startMsgServer } from '../../servers/msg/server.js';
import { msgSettings } from '../../servers/msg/settings.js';
import { pushSettings } from '../../servers/push/settings.js';
import { startRouteServer } from '../../servers/route/server.js';
import { routeSettings } from '../../servers/route/settings.js';

import { MIGRATED, type Teardown, type TestPostgres } from './postgres.js';
import { until } from './until.js';

export { until };

/**
 * The whole cluster inside the test's process, on a real PostgreSQL and real sockets, started by the same functions as
 * in production, every port a free one. Processes of their own, for killing, are in support/processes.ts.
 *
 * Servers that few tests need are loaded when one does: those four cost every test file half a second of CPU.
 */
export interface ClusterOptions {
  readonly msgServers?: number;
  readonly dbProxies?: number;
  readonly routeServers?: number;
  /** Start a console as well. */
  readonly console?: Partial<SettingsOf<typeof adminSettings>>;
  /** Settings of all servers of a kind, over the defaults. */
  readonly route?: Partial<SettingsOf<typeof routeSettings>>;
  readonly msg?: Partial<SettingsOf<typeof msgSettings>>;
  readonly login?: Partial<SettingsOf<typeof loginSettings>>;
  readonly dbProxy?: Partial<SettingsOf<typeof dbProxySettings>>;
  /** With a file server, these settings over its defaults. */
  readonly file?: Partial<SettingsOf<typeof fileSettings>>;
  /** With an http-msg server, these settings over its defaults. */
  readonly httpMsg?: Partial<SettingsOf<typeof httpMsgSettings>>;
  /** With a push server, these settings over its defaults. */
  readonly push?: Partial<SettingsOf<typeof pushSettings>>;
  /** Hears every line of every server's log, whatever its level. */
  readonly logged?: (line: string) => void;
  /** People to begin with; default: alice 1, bob 2, carol 3, dave 4, password test123. */
  readonly users?: readonly string[];
  /** Fixed groups to begin with, members by user id. */
  readonly groups?: readonly { readonly name: string; readonly memberIds: readonly number[] }[];
}

export const PASSWORD = 'test123';
export const CLUSTER_SECRET = 'a secret of the tests only';
const PEOPLE = ['alice', 'bob', 'carol', 'dave'];

export type Storage = Awaited<ReturnType<typeof openStorage>>;

export class TestCluster {
  readonly databaseUrl: string;
  readonly masterKey: string;
  /** Straight to what db-proxies use, for bringing about a state that no client can. */
  readonly storage: Storage;
  readonly msg: { readonly running: Running; readonly host: string; readonly port: number }[] = [];
  readonly dbProxies: { readonly running: Running; readonly port: number }[] = [];
  readonly routes: { readonly running: Running; readonly port: number }[] = [];
  /** The http-msg servers, when some were asked for. */
  readonly httpMsg: { readonly running: Running; readonly url: string }[] = [];
  /** The file server, when one was asked for. */
  file: { readonly running: Running; readonly folder: string; readonly storeUrl: string } | undefined;
  #login: Running | undefined;
  #console: Running | undefined;
  #push: Running | undefined;
  readonly #otherFiles: Running[] = [];
  readonly #clients: Client[] = [];
  readonly #links: LinkGroup[] = [];
  readonly #metrics = new Map<string, Metrics>();
  /** With a console: the ops ports that it watches. */
  #ops: Map<string, Listening> | undefined;
  readonly #hops = new Map<string, Hops>();
  #logged: ClusterOptions['logged'];

  private constructor(databaseUrl: string, masterKey: string, storage: Storage) {
    this.databaseUrl = databaseUrl;
    this.masterKey = masterKey;
    this.storage = storage;
  }

  static async start(t: Teardown, postgres: TestPostgres, options: ClusterOptions = {}): Promise<TestCluster> {
    const databaseUrl = await freshDatabase(postgres, MIGRATED);
    const masterKey = randomBytes(32).toString('hex');
    const storage = await testStorage(databaseUrl, masterKey, options.dbProxy);
    const cluster = new TestCluster(databaseUrl, masterKey, storage);
    t.teardown(() => cluster.close());
    await addPeople(storage, options.users ?? PEOPLE);
    for (const group of options.groups ?? []) await storage.groups.add({ ...group, type: 1 });
    if (options.console !== undefined) cluster.#ops = new Map();
    cluster.#logged = options.logged;
    await cluster.#startServers(options);
    return cluster;
  }

  get loginHttp(): string {
    return `http://127.0.0.1:${this.#login!.ports.http}`;
  }
  get consoleUrl(): string {
    return `http://127.0.0.1:${this.#console!.ports.http}`;
  }
  get loginServer(): Running {
    return this.#login!;
  }
  /** Where msg servers say how full they are. */
  get loginServersPort(): number {
    return this.#login!.ports.servers!;
  }
  get loginTcpPort(): number {
    return this.#login!.ports.clients!;
  }

  /** Logs somebody in on msg server `at` (from 0), and out at the end of the test. */
  async login(user: string, options: Partial<ConnectOptions & Credentials> & { at?: number } = {}): Promise<Client> {
    const { at = 0, password = PASSWORD, ...rest } = options;
    const client = await Client.login({ host: '127.0.0.1', port: this.msg[at]!.port, user, password, ...rest });
    this.#clients.push(client);
    return client;
  }

  /** A connection to msg server `at` without a log-in. */
  async connect(at = 0, options: Partial<ConnectOptions> = {}): Promise<Client> {
    const client = await Client.connect({ host: '127.0.0.1', port: this.msg[at]!.port, ...options });
    this.#clients.push(client);
    return client;
  }

  async addMsgServer(options: ClusterOptions = {}): Promise<void> {
    const running = await this.#start('msg', msgSettings, startMsgServer, `msg-${this.msg.length + 1}`, {
      clientPort: 0,
      loginServers: [{ host: '127.0.0.1', port: this.#login!.ports.servers! }],
      routeServers: this.routes.map(({ port }) => ({ host: '127.0.0.1', port })),
      dbProxies: this.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port })),
      fileServers: this.file === undefined ? [] : [{ host: '127.0.0.1', port: this.file.running.ports.servers! }],
      ...(this.file === undefined ? {} : { storeUrl: this.file.storeUrl }),
      ...options.msg,
    });
    this.msg.push({ running, host: '127.0.0.1', port: running.ports.clients! });
    await until(() => running.notReady() === undefined, 'the msg server to be ready');
  }

  async addHttpMsgServer(over: ClusterOptions['httpMsg'] = {}): Promise<void> {
    const { startHttpMsgServer } = await import('../../servers/http-msg/server.js');
    const running = await this.#start(
      'http-msg',
      httpMsgSettings,
      startHttpMsgServer,
      `http-msg-${this.httpMsg.length + 1}`,
      {
        httpPort: 0,
        routeServers: this.routes.map(({ port }) => ({ host: '127.0.0.1', port })),
        dbProxies: this.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port })),
        ...(this.file === undefined ? {} : { storeUrl: this.file.storeUrl }),
        ...over,
      },
    );
    this.httpMsg.push({ running, url: `http://127.0.0.1:${running.ports.http}` });
    await until(() => running.notReady() === undefined, 'the http-msg server to be ready');
  }

  /** A key of the HTTP interface; for a user it speaks as him only. */
  async apiKey(scopes: readonly Scope[] = SCOPES, userId?: number): Promise<string> {
    return (await this.storage.apiKeys.create({ name: 'test', scopes, userId, actor: 'test' })).token;
  }

  /** Of a cluster with a console. */
  opsPort(server: string): number {
    return this.#ops!.get(server)!.port;
  }

  /** So much happens that no server remembers what came before. */
  forgetHops(): void {
    for (const hops of this.#hops.values()) for (let i = 0; i <= HOPS_KEPT; i++) hops.settled(0n, 0, '');
  }

  /** A number of a server's metrics page: the first series of the name, or the first with this label, as in `why="slow"`. */
  async metric(server: string, name: string, label = ''): Promise<number> {
    const page = await this.#metrics.get(server)!.registry.metrics();
    return Number(new RegExp(`^teamtalk_${name}(?:\\{[^}]*${label}[^}]*\\})? (\\S+)$`, 'm').exec(page)?.[1]);
  }

  /** Every series that some server has on its metrics page, with the names of its labels. */
  metricLabels(): Map<string, Set<string>> {
    const result = new Map<string, Set<string>>();
    for (const { registry } of this.#metrics.values()) {
      for (const metric of registry.getMetricsAsArray()) {
        const { name, type, labelNames } = metric as typeof metric & { type: string; labelNames: string[] };
        const ends = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
        for (const end of ends)
          result.set(`${name}${end}`, new Set([...labelNames, ...(end === '_bucket' ? ['le'] : [])]));
      }
    }
    return result;
  }

  /** Links of a server of this role, played by hand, to one of that role. On its own it hears what `hears` has rows for. */
  linksAs(from: string, to: string, hears: CommandTable<never, Link> = commandTable([])): LinkGroup {
    const links = new LinkGroup({
      self: { role: from, name: `${from} by hand` },
      role: to,
      secret: CLUSTER_SECRET,
      addresses: [{ host: '127.0.0.1', port: this.peersPort(to)! }],
      askTimeoutMs: 20_000,
      asksMax: 1_000,
      log: testLog('by hand'),
      hears,
      ctx: undefined as never,
    });
    this.#links.push(links);
    return links;
  }

  /** Where the servers of a role listen for others; undefined: they do not, or there is none. */
  peersPort(role: string): number | undefined {
    const [first] = { 'db-proxy': this.dbProxies, route: this.routes }[role] ?? [];
    const single = { login: this.#login, file: this.file?.running, push: this.#push }[role];
    return (first?.running ?? single)?.ports.servers;
  }

  /** Starts route server `at` (from 0); once it was closed, another one on the same port. */
  async startRoute(at: number, over: ClusterOptions['route'] = {}): Promise<void> {
    const { port = 0 } = this.routes[at] ?? {};
    const running = await this.#start('route', routeSettings, startRouteServer, `route-${at + 1}`, { port, ...over });
    this.routes[at] = { running, port: running.ports.servers! };
  }

  /** Starts the file server; once it was closed, another one on the same folder. */
  async startFile(over: ClusterOptions['file'] = {}): Promise<void> {
    const folder = over.folder ?? this.file?.folder ?? (await mkdtemp(join(tmpdir(), 'teamtalk-test-files-')));
    const { clients = 0, servers = 0, store = 0 } = this.file?.running.ports ?? {}; // the ones that msg servers and clients know
    const ports = { clientPort: clients, port: servers, storePort: store };
    this.file = { ...(await this.#startFile('file', { ...ports, folder, ...over })), folder };
  }

  /** One more file server beside it, which has to share its storage. */
  async anotherFile(over: ClusterOptions['file']): Promise<{ running: Running; storeUrl: string }> {
    const ports = { clientPort: 0, port: 0, storePort: 0 };
    const another = await this.#startFile(`file-${this.#otherFiles.length + 2}`, { ...ports, ...over });
    this.#otherFiles.push(another.running);
    return another;
  }

  async #startFile(name: string, over: ClusterOptions['file'] = {}): Promise<{ running: Running; storeUrl: string }> {
    const dbProxies = this.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port }));
    const { startFileServer } = await import('../../servers/file/server.js');
    const running = await this.#start('file', fileSettings, startFileServer, name, { dbProxies, ...over });
    await until(() => running.notReady() === undefined, 'the file server to be ready');
    return { running, storeUrl: `http://127.0.0.1:${running.ports.store}/` };
  }

  async close(): Promise<void> {
    for (const each of [...this.#clients, ...this.#links]) each.close();
    const single = [this.#console, this.#push, this.file?.running, this.#login].filter((each) => each !== undefined);
    const all = [...this.httpMsg, ...this.msg, ...this.routes, ...this.dbProxies].map((each) => each.running);
    for (const ops of this.#ops?.values() ?? []) ops.close();
    for (const running of [...all, ...single, ...this.#otherFiles]) await running.close(0);
    if (this.file !== undefined) await rm(this.file.folder, { recursive: true, force: true });
    await this.storage.close();
  }

  async #startServers(options: ClusterOptions): Promise<void> {
    for (let i = 0; i < (options.dbProxies ?? 1); i++) {
      const running = await this.#start('db-proxy', dbProxySettings, startDbProxy, `db-proxy-${i + 1}`, {
        port: 0,
        databaseUrl: this.databaseUrl,
        masterKey: this.masterKey,
        ...options.dbProxy,
      });
      this.dbProxies.push({ running, port: running.ports.servers! });
    }
    for (let i = 0; i < (options.routeServers ?? 1); i++) await this.startRoute(i, options.route);
    if (options.file !== undefined) await this.startFile(options.file);
    this.#login = await this.#start('login', loginSettings, startLoginServer, 'login', {
      port: 0,
      clientPort: 0,
      httpPort: 0,
      ...(this.file === undefined ? {} : { storeUrl: this.file.storeUrl }),
      ...options.login,
    });
    for (let i = 0; i < (options.msgServers ?? 1); i++) await this.addMsgServer(options);
    if (options.httpMsg !== undefined) await this.addHttpMsgServer(options.httpMsg);
    if (options.push !== undefined) await this.#startPush(options.push);
    await until(() => this.#login!.notReady() === undefined, 'the login server to know a msg server');
    if (options.console !== undefined) await this.startConsole(options.console);
  }

  /** The console dies. */
  stopConsole(): Promise<void> {
    this.#ops!.get('admin')!.close();
    return this.#console!.close(0);
  }

  async startConsole(over: ClusterOptions['console'] = {}): Promise<void> {
    const { startAdminServer } = await import('../../servers/admin/server.js');
    const running = await this.#start('admin', adminSettings, startAdminServer, 'admin', {
      httpPort: 0,
      fileServers: this.file === undefined ? [] : [{ host: '127.0.0.1', port: this.file.running.ports.servers! }],
      pushServers: this.#push === undefined ? [] : [{ host: '127.0.0.1', port: this.#push.ports.servers! }],
      loginServers: [{ host: '127.0.0.1', port: this.#login!.ports.servers! }],
      routeServers: this.routes.map(({ port }) => ({ host: '127.0.0.1', port })),
      dbProxies: this.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port })),
      watched: [...this.#ops!.values()].map(({ port }) => ({ host: '127.0.0.1', port })),
      ...over,
    });
    this.#console = running;
    await until(() => running.notReady() === undefined, 'the console to be ready');
  }

  async #startPush(options: NonNullable<ClusterOptions['push']>): Promise<void> {
    const { startPushServer } = await import('../../servers/push/server.js');
    this.#push = await this.#start('push', pushSettings, startPushServer, 'push', {
      port: 0,
      routeServers: this.routes.map(({ port }) => ({ host: '127.0.0.1', port })),
      dbProxies: this.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port })),
      ...options,
    });
    await until(() => this.#push!.notReady() === undefined, 'the push server to be ready');
  }

  async #start<D extends Definitions & typeof commonSettings>(
    role: string,
    definitions: D,
    start: Start<D>,
    name: string,
    over: Partial<SettingsOf<D>>,
  ): Promise<Running> {
    const settings = { ...readSettings(role, definitions, { env: {} }), name, clusterSecret: CLUSTER_SECRET, ...over };
    const metrics = new Metrics(name, role);
    this.#metrics.set(name, metrics);
    const log = testLog(name, this.#logged);
    const { hops, telemetry } = await openHops(settings, { name, role, log, metrics });
    this.#hops.set(name, hops);
    const running = await start(settings, { name, log, metrics, hops, telemetry });
    const notReady = () => running.notReady();
    if (this.#ops === undefined) return running;
    const ops = { host: '127.0.0.1', port: 0, clusterSecret: CLUSTER_SECRET, name, role, notReady };
    this.#ops.set(name, await openOps({ ...ops, registry: metrics.registry, hops }));
    return running;
  }
}

/** Silent, unless TEST_LOG names a level; or all of it for a test that reads it. */
export function testLog(name: string, write?: (line: string) => void) {
  if (write !== undefined) return pino({ level: 'trace', base: { server: name } }, { write });
  return pino({ level: process.env.TEST_LOG ?? 'silent', base: { server: name } });
}

/** A database of its own on the server: an empty one, or a copy of another one that nobody uses, as `MIGRATED`. */
export async function freshDatabase(postgres: TestPostgres, template = 'template1'): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client(postgres.url);
  await client.connect();
  await client.query(`create database ${name} template ${template} strategy file_copy`);
  await client.end();
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  return url.href;
}

export function testStorage(
  databaseUrl: string,
  masterKey: string,
  over: ClusterOptions['dbProxy'] = {},
): Promise<Storage> {
  const settings = { ...readSettings('db-proxy', dbProxySettings, { env: {} }), databaseUrl, masterKey, ...over };
  return openStorage(settings, testLog('storage'), {
    stored: () => undefined,
    batch: () => undefined,
    repeated: () => undefined,
  });
}

/** What clients send in place of a password. */
export function md5Hex(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

/** Users with ids from 1 in the order of their names, all with the same password, which is cheap to check. */
export async function addPeople(storage: Storage, names: readonly string[]): Promise<void> {
  const passwordHash = await cheapHash(PASSWORD);
  await storage.users.add(names.map((name, i) => ({ id: i + 1, name, nick: name, passwordHash })));
}

/** What is stored for a password, of the kind that the product stores, which costs a log-in next to nothing. */
export function cheapHash(password: string): Promise<string> {
  return hash(md5Hex(password), { memoryCost: 64, timeCost: 1 });
}
