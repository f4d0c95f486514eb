import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { partsOf, SCOPES } from '../common/api-key.js';
import { readSettings } from '../common/settings.js';
import { dbProxySettings } from '../servers/db-proxy/settings.js';
import { type Admins, NEW_OWNER } from '../servers/db-proxy/storage/admins.js';
import { prepareShards } from '../servers/db-proxy/storage/shard-admin.js';
import { openStorage, type StorageSettings } from '../servers/db-proxy/storage/storage.js';
import { Child } from './cluster/child.js';
import { addDemoData, DEMO_NAMES, DEMO_PASSWORD, demoName, type Storage } from './cluster/demo.js';
import {
  type AdminLogin,
  announcement,
  type CertificateFiles,
  COUNT_MAX,
  certificateFiles,
  type Options,
  type Planned,
  PORTS,
  plan,
  type Secrets,
  stateFile,
} from './cluster/plan.js';
import { type EmbeddedPostgres, startPostgres } from './postgres.js';

/** Stopping all of it takes 10 s at most, the ending of this process included. */
const STOP_MS_MAX = 9_500;
const READY_MS_MAX = 30_000;
const READY_POLL_MS = 10;

/**
 * `npm start`: the whole cluster in one terminal, on the embedded PostgreSQL or on the one in DATABASE_URL. Starts
 * every server as a process of its own, says how to chat, starts again what crashes, and stops all of it on Ctrl-C.
 */
class Cluster {
  readonly #options: Options;
  readonly #children: Child[] = [];
  #stateWritten = Promise.resolve();
  #postgres: EmbeddedPostgres | undefined;
  /** Shards that this start has added without any buckets. */
  #newShards: readonly string[] = [];
  #stopping = false;
  /** Of the console's first account, when this start has made it. */
  #adminLogin: AdminLogin | null = null;
  /** Demo accounts that are there, from this start or an earlier one. */
  #demoPeople = 0;
  /** Opens all of the HTTP interface; null: not made, as there is no demo data. */
  #apiKey: string | null = null;

  constructor(options: Options) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await mkdir(this.#options.data, { recursive: true });
    const secrets = await this.#secrets();
    await writeWhole(join(this.#options.data, 'database.url'), `${secrets.databaseUrl}\n`, 0o600); // for tools
    await this.#prepareDatabase(secrets);
    for (const planned of plan(this.#options, secrets)) {
      if (this.#stopping) return;
      const child = new Child(planned, {
        line: (name, line) => this.#line(name, line),
        crashed: (name, how, ms) => this.#say(`${name} ended (${how}); it is started again in ${ms} ms`),
        restarted: (name, pid) => this.#back(name, pid),
      });
      this.#children.push(child);
      await child.start().catch((error: Error) => {
        throw new Error(`${planned.name} cannot start: ${error.message}`);
      });
    }
    for (const { planned } of this.#children) await untilReady(planned);
    await this.#writeState();
    if (this.#options.json && this.#newShards.length > 0) this.#say(this.#aboutNewShards());
    if (this.#options.json) process.stdout.write(`${JSON.stringify(this.#announcement())}\n`);
    else this.#summary();
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const deadline = performance.now() + STOP_MS_MAX;
    for (const child of this.#children) child.expectEnd(); // a signal to the whole process group reaches them as well
    const stopAll = (children: readonly Child[], sparedMs: number) =>
      Promise.all(children.map((child) => child.stop(deadline - sparedMs - performance.now())));
    // The doors first, what they lean on last; whatever hangs leaves the others some of the time.
    const isDoor = ({ planned }: Child) => planned.server !== 'route' && planned.server !== 'db-proxy';
    await stopAll(this.#children.filter(isDoor), 3_500);
    await stopAll(this.#children, 1_500);
    // What PostgreSQL has not written out by then it recovers at the next start.
    const { pid } = this.#postgres ?? {};
    const hurry = setTimeout(() => pid !== undefined && quit(pid), deadline - performance.now());
    await this.#postgres?.stop();
    clearTimeout(hurry);
  }

  async #secrets(): Promise<Secrets> {
    const { data } = this.#options;
    const masterKeyFile = process.env.TT_MASTER_KEY_FILE ?? join(data, 'master.key');
    // One is only made in its own place: a path that was named and is not there is a mistake.
    if (process.env.TT_MASTER_KEY_FILE === undefined)
      await readOrMake(masterKeyFile, () => randomBytes(32).toString('hex'));
    const given = process.env.DATABASE_URL ?? '';
    return {
      clusterSecret: await readOrMake(join(data, 'cluster.secret'), () => randomBytes(32).toString('hex')),
      masterKeyFile,
      databaseUrl: given === '' ? await this.#startPostgres() : given,
      certificate: this.#options.tls ? await makeCertificate(certificateFiles(this.#options)) : undefined,
    };
  }

  async #startPostgres(): Promise<string> {
    const postgres = await startPostgres({
      dir: join(this.#options.data, 'postgres'),
      port: PORTS.postgres + this.#options.portOffset,
      settings: { max_connections: connectionsMax(this.#options) },
      log: (line) => this.#line('postgres', line),
    }).catch((error: Error) => {
      throw new Error(`postgres cannot start: ${error.message}`);
    });
    this.#postgres = postgres;
    void postgres.exited.then(({ code, signal }) => this.#postgresExited(`${signal ?? `exit code ${code}`}`));
    return postgres.url;
  }

  #postgresExited(how: string): void {
    if (this.#stopping) return;
    this.#say(`postgres ended (${how}); it is started again`);
    this.#startPostgres().then(
      () => this.#back('postgres', this.#postgres?.pid),
      (error: Error) => {
        this.#say(error.message);
        setTimeout(() => this.#postgresExited(error.message), 2_000);
      },
    );
  }

  #back(name: string, pid: number | undefined): void {
    this.#say(`${name} is back, pid ${pid}`);
    this.#writeState().catch((error: Error) => this.#say(`cannot write the state file: ${error.message}`));
  }

  /** Makes the shards that were asked for, migrates, and puts demo people into a directory that is empty. */
  async #prepareDatabase({ databaseUrl, masterKeyFile }: Secrets): Promise<void> {
    if (this.#options.shards > 1) this.#newShards = await prepareShards(databaseUrl, this.#options.shards);
    const settings: StorageSettings = {
      ...readSettings('db-proxy', dbProxySettings, { env: {} }),
      databaseUrl,
      masterKeyFile,
      masterKey: '',
    };
    const quiet = { stored: () => undefined, batch: () => undefined, repeated: () => undefined };
    const storage = await openStorage(settings, pino({ level: 'silent' }), quiet);
    try {
      const wanted = this.#options.demo && this.#options.demoUsers > 0 && (await storage.users.count()) === 0;
      if (wanted) await addDemoData(storage, this.#options.demoUsers);
      this.#demoPeople = await storage.users.countNamed(DEMO_NAMES);
      if (this.#options.demo && this.#demoPeople > 0) this.#apiKey = await this.#demoKey(storage);
      this.#adminLogin = await firstOwner(storage.admins);
    } finally {
      await storage.close();
    }
  }

  /** The same one at every start, as long as it is good. */
  async #demoKey({ apiKeys }: Storage): Promise<string> {
    const path = join(this.#options.data, 'api.key');
    const kept = existsSync(path) ? (await readFile(path, 'utf8')).trim() : '';
    const parts = partsOf(kept);
    if (parts !== undefined && (await apiKeys.check(parts.id, parts.secretHash)) !== undefined) return kept;
    const { token } = await apiKeys.create({ name: 'demo', scopes: SCOPES, actor: 'npm start' });
    await writeWhole(path, `${token}\n`, 0o600);
    return token;
  }

  #announcement() {
    const pids: Record<string, number> = {};
    for (const child of this.#children) pids[child.planned.name] = child.pid!;
    if (this.#postgres !== undefined) pids.postgres = this.#postgres.pid;
    const planned = this.#children.map((child) => child.planned);
    return announcement(this.#options, planned, pids, { apiKey: this.#apiKey, adminLogin: this.#adminLogin });
  }

  /** The same as --json prints, kept up to date when something was started again. */
  #writeState(): Promise<void> {
    const path = stateFile(this.#options);
    // It has the key of the HTTP interface in it.
    const write = () => {
      // The console's password is said once and kept nowhere.
      const state = { ...this.#announcement(), adminLogin: null };
      return writeWhole(path, `${JSON.stringify(state, null, 2)}\n`, 0o600);
    };
    // One after another: two servers that come back at the same moment would rename each other's draft.
    this.#stateWritten = this.#stateWritten.then(write, write);
    return this.#stateWritten;
  }

  #summary(): void {
    const { loginHttp, httpMsg, msg, metrics, admin, tlsCertificate } = this.#announcement();
    const login =
      (loginHttp.endsWith(':8080') ? '' : ` --login ${loginHttp}`) +
      (tlsCertificate === null ? '' : ` --tls --ca ${relative('.', tlsCertificate)}`);
    const demo = this.#demoPeople > 1;
    const lines = [
      '',
      '  The cluster is up.',
      '',
      `  clients ask    ${loginHttp}/msg_server   (TeamTalk clients: enter this as the login address)`,
      `  and connect to ${msg.join('  ')}`,
      `  console        ${admin}`,
      ...(this.#adminLogin === null
        ? []
        : [
            `                 first log-in: ${this.#adminLogin.user}, password ${this.#adminLogin.password} (shown this once)`,
          ]),
      `  metrics        ${metrics['msg-1']}   and the like, listed in ${stateFile(this.#options)}`,
      ...(demo
        ? [
            `  demo accounts  ${demoName(1)} … ${demoName(this.#demoPeople)}, password ${DEMO_PASSWORD}`,
            `  HTTP API       ${httpMsg}/api/v1/docs   with the key ${this.#apiKey}`,
            '',
            '  To chat, in two other terminals:',
            '',
          ]
        : []),
      ...(demo ? [1, 2].map((n) => `    npm run chat -- ${demoName(n)} ${DEMO_PASSWORD}${login}`) : []),
      ...(this.#newShards.length === 0 ? [] : ['', `  ${this.#aboutNewShards()}`]),
      '',
      '  Ctrl-C stops everything.',
      '',
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }

  #aboutNewShards(): string {
    const where = this.#options.data === resolve('data') ? '' : ` --data ${this.#options.data}`;
    return `New and empty: ${this.#newShards.join(', ')}. To give them their part: npm run shards -- balance${where}`;
  }

  #line(name: string, line: string): void {
    process.stderr.write(this.#options.json ? `${rawLine(name, line)}\n` : readableLine(name, line));
  }

  #say(words: string): void {
    this.#line('cluster', JSON.stringify({ level: 40, time: new Date().toISOString(), server: 'cluster', msg: words }));
  }
}

/** Servers say that they are up when their own doors are open. The first client comes when they have found each other. */
async function untilReady({ name, opsPort }: Planned): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX;
  for (;;) {
    const why = await fetch(`http://127.0.0.1:${opsPort}/readyz`).then(
      async (response) => (response.ok ? undefined : (await response.text()).trim()),
      (error: Error) => `no answer on port ${opsPort} (${error.message})`,
    );
    if (why === undefined) return;
    if (performance.now() > deadline) throw new Error(`${name} does not get ready: ${why}`);
    await delay(READY_POLL_MS);
  }
}

/** Somebody has to let the others in: an owner, when the console has nobody yet. */
async function firstOwner(admins: Admins): Promise<AdminLogin | null> {
  if ((await admins.count()) > 0) return null;
  const made = await admins.change({ tool: 'npm start' }, { ...NEW_OWNER, name: 'owner' });
  return made.result === 'ok' ? { user: made.admin.name, password: made.password! } : null;
}

/** PostgreSQL's immediate shutdown. */
function quit(pid: number): void {
  try {
    process.kill(pid, 'SIGQUIT');
  } catch {
    // it has just ended
  }
}

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

/** A log line for eyes: time, server, level, message, and what else it says. Ordinary events of the start are left out. */
function readableLine(name: string, line: string): string {
  try {
    const {
      time,
      level,
      msg,
      server: _server,
      settings: _settings,
      ...rest
    } = JSON.parse(line) as Record<string, unknown> & { time: string; level: number; msg: string };
    if (level < 40 && process.env.TT_LOG_LEVEL === undefined) return '';
    const more = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
    return `${time.slice(11, 23)} ${name.padEnd(11)} ${LEVELS[level] ?? level} ${msg}${more}\n`;
  } catch {
    return `${new Date().toISOString().slice(11, 23)} ${name.padEnd(11)} ${line}\n`;
  }
}

function rawLine(name: string, line: string): string {
  return line.startsWith('{') ? line : JSON.stringify({ server: name, msg: line });
}

const CERTIFICATE_DAYS = 365;

/** For trying it out: nobody but who is given it trusts it. */
async function makeCertificate(files: CertificateFiles): Promise<CertificateFiles> {
  if (existsSync(files.tlsCertificateFile)) return files;
  const { generate } = await import('selfsigned');
  const names = [
    { type: 2, value: 'localhost' },
    { type: 7, ip: '127.0.0.1' },
  ] as const;
  const made = await generate([{ name: 'commonName', value: 'teamtalk-cluster' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + CERTIFICATE_DAYS * 24 * 60 * 60 * 1000),
    extensions: [{ name: 'subjectAltName', altNames: [...names] }],
  });
  await mkdir(dirname(files.tlsKeyFile), { recursive: true });
  await writeWhole(files.tlsKeyFile, made.private, 0o600);
  await writeWhole(files.tlsCertificateFile, made.cert);
  return files;
}

async function readOrMake(path: string, make: () => string): Promise<string> {
  if (!existsSync(path)) {
    await writeWhole(path, `${make()}\n`, 0o600); // never a half-written key
  }
  return (await readFile(path, 'utf8')).trim();
}

async function writeWhole(path: string, text: string, mode?: number): Promise<void> {
  await writeFile(`${path}.new`, text, { mode });
  await rename(`${path}.new`, path);
}

/** Every db-proxy with all its connections, and some for tools and jobs; PostgreSQL's own default for us is enough for few. */
function connectionsMax({ dbProxies, shards }: Options): number {
  const { readPoolMax, lanesPerShard } = dbProxySettings;
  const each = readPoolMax.default * (shards + 1) + lanesPerShard.default * shards;
  return Math.max(200, dbProxies * each + 60);
}

function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`);
    return value;
  };
}

function readOptions(): Options {
  const program = new Command('npm start --')
    .description('Starts the whole cluster on this machine.')
    .option('--data <dir>', 'folder for the database, keys and state', (dir) => resolve(dir), resolve('data'))
    .option('--port-offset <n>', 'added to every port', number(0, 40_000), 0)
    .option('--msg-servers <n>', 'how many msg servers', number(1, COUNT_MAX.msgServers), 1)
    .option('--db-proxies <n>', 'how many db-proxies', number(1, COUNT_MAX.dbProxies), 1)
    .option('--route-servers <n>', 'how many route servers', number(1, COUNT_MAX.routeServers), 1)
    .option('--redis <url>', 'for several route servers and db-proxies to share what they know', '')
    .option('--shards <n>', 'how many databases messages are spread over', number(1, COUNT_MAX.shards), 1)
    .option(
      '--demo-users <n>',
      `demo accounts for an empty database, password ${DEMO_PASSWORD}`,
      number(0, 1_000_000),
      100,
    )
    .option('--no-demo', 'no demo data, even into an empty database')
    .option('--tls', 'let clients come by TLS too, with a certificate made for this machine', false)
    .option('--json', 'print one line of JSON on stdout when ready, logs on stderr', false);
  return program.parse().opts<Options>();
}

const cluster = new Cluster(readOptions());
let ending = false;

async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  await cluster.stop();
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0));
try {
  await cluster.start();
} catch (error) {
  if (!ending) process.stderr.write(`\nThe cluster did not start: ${(error as Error).message}\n`);
  await end(1);
}
