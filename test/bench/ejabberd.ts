/**
 * The same work by this cluster and by ejabberd, in turns: durable one-to-one messages, acknowledged and delivered.
 * `npm run bench:ejabberd -- --help`. Needs Linux and Debian's packages `ejabberd` and `erlang-p1-pgsql`.
 *
 * ejabberd keeps its archive (mod_mam) in the PostgreSQL that the cluster embeds, with the same settings, and
 * acknowledges by stream management (XEP-0198) once a message is in the archive. Clients of both are in this process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import pg from 'pg';
import { IM } from '../../common/pdu/pb.js';
import { projectRoot } from '../../common/root.js';
import { close, drive } from '../../tools/bench/clients.js';
import { startCluster } from '../../tools/bench/cluster.js';
import { Ledger } from '../../tools/bench/ledger.js';
import { measured } from '../../tools/bench/measure.js';
import { number } from '../../tools/bench/options.js';
import { machinePauses } from '../../tools/bench/pauses.js';
import { lines, median, type Result, resultOf, write } from '../../tools/bench/report.js';
import { even, type ScenarioOptions, scenarios } from '../../tools/bench/scenarios.js';
import { type EmbeddedPostgres, startPostgres } from '../../tools/postgres.js';

const { SESSION_TYPE_SINGLE } = IM.BaseDefine.SessionType;

const SCHEMA = '/usr/share/ejabberd/sql/pg.sql';
const DOMAIN = 'bench';
const PASSWORD = 'bench';
const PORT = 15_222;
const POSTGRES_PORT = 15_432;
const READY_MS_MAX = 60_000;
const ANSWER_MS_MAX = 20_000;

/** The Erlang machine and its PostgreSQL. */
interface Ejabberd {
  readonly pids: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** Debian's folder of Erlang's libraries, which has the name of the processor in it. */
async function librariesOf(): Promise<{ all: string; ejabberd: string }> {
  for (const folder of await readdir('/usr/lib', { withFileTypes: true })) {
    if (!folder.isDirectory() || !folder.name.endsWith('-linux-gnu')) continue;
    const all = join('/usr/lib', folder.name);
    const ejabberd = (await readdir(all)).find((name) => name.startsWith('ejabberd-'));
    if (ejabberd !== undefined && existsSync(SCHEMA)) return { all, ejabberd: join(all, ejabberd, 'ebin') };
  }
  throw new Error('ejabberd is not installed here: apt-get install --no-install-recommends ejabberd erlang-p1-pgsql');
}

async function startEjabberd(users: number): Promise<Ejabberd> {
  const libraries = await librariesOf();
  const dir = await mkdtemp(join(tmpdir(), 'ejabberd-bench-'));
  const postgres = await startPostgres({ dir: join(dir, 'postgres'), port: POSTGRES_PORT });
  let erlang: ChildProcess | undefined;
  const stop = async () => {
    if (erlang?.pid !== undefined && erlang.exitCode === null) {
      const ended = once(erlang, 'exit');
      erlang.kill('SIGKILL');
      await ended;
    }
    await postgres.stop();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await fill(postgres.url, users);
    const config = join(dir, 'ejabberd.yml');
    await writeFile(config, configuration(postgres));
    const mnesia = join(dir, 'mnesia');
    await mkdir(mnesia);
    const paths = ['-pa', libraries.ejabberd];
    const limits = ['+K', 'true', '+P', '250000'];
    erlang = spawn('erl', ['-noinput', ...limits, ...paths, '-mnesia', 'dir', `"${mnesia}"`, '-s', 'ejabberd'], {
      cwd: dir,
      env: {
        ...process.env,
        ERL_LIBS: libraries.all,
        EJABBERD_CONFIG_PATH: config,
        EJABBERD_LOG_PATH: join(dir, 'log'),
      },
      stdio: 'ignore',
    });
    erlang.on('error', () => undefined); // it has no pid then, and listening() says so
    await listening(erlang, join(dir, 'log'));
    return { pids: { ejabberd: erlang.pid!, postgres: postgres.pid }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function fill(url: string, users: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(await readFile(SCHEMA, 'utf8'));
    const insert = `insert into users (username, password) select 'u' || n, $2 from generate_series(0, $1::int - 1) as n`;
    await client.query(insert, [users, PASSWORD]);
  } finally {
    await client.end();
  }
}

/** Without limits of pace, without TLS, everything archived; the rest is as ejabberd has it. */
function configuration({ url }: EmbeddedPostgres): string {
  const { username, password, pathname } = new URL(url);
  return `
hosts: [${DOMAIN}]
loglevel: error
listen:
  - { port: ${PORT}, ip: 127.0.0.1, module: ejabberd_c2s, max_stanza_size: 262144, starttls: false }
auth_method: sql
auth_password_format: plain
sql_type: pgsql
sql_server: 127.0.0.1
sql_port: ${POSTGRES_PORT}
sql_database: ${pathname.slice(1)}
sql_username: ${username}
sql_password: "${decodeURIComponent(password)}"
acl: { local: { user_regexp: "" } }
modules:
  mod_roster: {}
  mod_offline: {}
  mod_mam: { db_type: sql, default: always, assume_mam_usage: true }
  mod_stream_mgmt: {}
`;
}

async function listening(erlang: ChildProcess, log: string): Promise<void> {
  for (const deadline = performance.now() + READY_MS_MAX; performance.now() < deadline; await delay(100)) {
    if (erlang.pid === undefined || erlang.exitCode !== null) break;
    const socket = connect({ port: PORT, host: '127.0.0.1' });
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isUp) return;
  }
  const said = existsSync(log) ? await readFile(log, 'utf8') : '';
  throw new Error(`ejabberd did not start; its log:\n${said.slice(-2_000)}`);
}

/** A client of XMPP that can do what is measured here, and nothing more. */
class Xmpp {
  readonly #socket: Socket;
  readonly #heard: (text: string) => void;
  /** Resolved in turn by what the server acknowledges. */
  readonly #open: (() => void)[] = [];
  #acked = 0;
  #received = 0;
  #text = '';
  #waiting: { readonly for: RegExp; resolve(): void } | undefined;

  private constructor(socket: Socket, heard: (text: string) => void) {
    this.#socket = socket;
    this.#heard = heard;
    socket.setNoDelay(true);
    socket.setEncoding('utf8').on('data', (chunk: string) => this.#data(chunk));
    socket.on('error', () => undefined); // what is open is not acknowledged
  }

  static async login(user: number, heard: (text: string) => void): Promise<Xmpp> {
    const socket = connect({ port: PORT, host: '127.0.0.1' });
    await once(socket, 'connect');
    const client = new Xmpp(socket, heard);
    const stream = `<stream:stream to='${DOMAIN}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
    const sasl = Buffer.from(`\0u${user}\0${PASSWORD}`).toString('base64');
    await client.#ask(stream, /<\/stream:features>/);
    await client.#ask(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${sasl}</auth>`, /<success/);
    await client.#ask(stream, /<\/stream:features>/);
    await client.#ask(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`, /<\/iq>/);
    await client.#ask(`<enable xmlns='urn:xmpp:sm:3'/>`, /<enabled/);
    await client.#ask('<presence/>', /<\/?presence/);
    return client;
  }

  /** Resolves when the server has acknowledged it. Text without characters of XML. */
  say(to: number, text: string): Promise<void> {
    const acked = new Promise<void>((done) => this.#open.push(done));
    this.#socket.write(
      `<message to='u${to}@${DOMAIN}' type='chat'><body>${text}</body></message><r xmlns='urn:xmpp:sm:3'/>`,
    );
    return inTime(acked, 'an ack');
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(xml: string, answer: RegExp): Promise<void> {
    const answered = new Promise<void>((done) => {
      this.#waiting = { for: answer, resolve: done };
    });
    this.#socket.write(xml);
    return inTime(answered, `${answer} in answer to ${xml.slice(0, 40)}`);
  }

  #data(chunk: string): void {
    this.#text += chunk;
    if (this.#waiting !== undefined) {
      if (!this.#waiting.for.test(this.#text)) return;
      this.#text = '';
      const { resolve: done } = this.#waiting;
      this.#waiting = undefined;
      return done();
    }
    for (let stanza = this.#take(); stanza !== undefined; stanza = this.#take()) this.#stanza(stanza);
  }

  /** The next whole stanza; none holds another one of its name. */
  #take(): string | undefined {
    const end = this.#text.indexOf('>');
    if (end < 0) return undefined;
    const [, name = ''] = /^<([\w:]+)/.exec(this.#text) ?? [];
    if (this.#text[end - 1] === '/') return this.#cut(end + 1);
    const closing = `</${name}>`;
    const at = this.#text.indexOf(closing, end);
    return at < 0 ? undefined : this.#cut(at + closing.length);
  }

  #cut(length: number): string {
    const stanza = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return stanza;
  }

  #stanza(stanza: string): void {
    if (stanza.startsWith('<r ')) {
      this.#socket.write(`<a xmlns='urn:xmpp:sm:3' h='${this.#received}'/>`);
    } else if (stanza.startsWith('<a ')) {
      const upTo = Number(/ h='(\d+)'/.exec(stanza)?.[1]);
      for (; this.#acked < upTo; this.#acked++) this.#open.shift()?.();
    } else {
      this.#received++;
      const [, body] = /<body>([^<]*)<\/body>/.exec(stanza) ?? [];
      if (body !== undefined) this.#heard(body);
    }
  }
}

function inTime(answer: Promise<void>, what: string): Promise<void> {
  const late = delay(ANSWER_MS_MAX, undefined, { ref: false }).then(() => {
    throw new Error(`ejabberd did not send ${what} within ${ANSWER_MS_MAX} ms`);
  });
  return Promise.race([answer, late]);
}

/** Everybody writes to one other, who writes back. */
async function pairs({ users: wanted, ...load }: ScenarioOptions, begun: () => void): Promise<Ledger> {
  const users = even(wanted);
  const ledger = new Ledger();
  const clients: Xmpp[] = [];
  for (let user = 0; user < users; user++)
    clients.push(
      await Xmpp.login(user, (text) => {
        const [, sender, number] = /^bench (\d+)-(\d+)/.exec(text) ?? [];
        const message = { text, msgId: Number(number), sessionId: Number(sender), sessionType: SESSION_TYPE_SINGLE };
        ledger.delivered(message, user);
      }),
    );
  await drive(users, (i, text) => clients[i]!.say(i ^ 1, text), load, ledger, begun);
  await close(clients, ledger);
  return ledger;
}

/** What is measured, started for one run. */
interface Contender {
  readonly pids: Readonly<Record<string, number>>;
  run(load: ScenarioOptions, begun: () => void): Promise<Ledger>;
  stop(): Promise<void>;
}

const contenders: Readonly<Record<'this' | 'ejabberd', (users: number) => Promise<Contender>>> = {
  async this(users) {
    const size = { users, msgServers: 1, dbProxies: 1, portOffset: 11_000, transport: 'plain' } as const;
    const cluster = await startCluster(projectRoot, size);
    return { ...cluster, run: (load, begun) => scenarios.pair!.run(cluster, load, begun) };
  },
  async ejabberd(users) {
    return { ...(await startEjabberd(users)), run: pairs };
  },
};

type Name = keyof typeof contenders;

async function measure(name: Name, load: ScenarioOptions): Promise<Result> {
  const pauses = await machinePauses();
  const contender = await contenders[name](load.users);
  try {
    const title = load.rate === 0 ? `${load.window} open` : `${load.rate}/s`;
    return resultOf(title, name, await measured(contender.pids, (begun) => contender.run(load, begun)), pauses);
  } finally {
    await contender.stop();
  }
}

/** `1000`: both; `6000/1000`: this cluster and ejabberd, as where each is at half of what it can do. */
function list(text: string): Record<Name, number>[] {
  const rate = number(0, 1e6);
  return text.split(',').map((each) => {
    const [ours, theirs = ours, ...more] = each.split('/');
    if (more.length > 0) throw new InvalidArgumentError('expected a rate, or two with a slash between them.');
    return { this: rate(ours!), ejabberd: rate(theirs!) };
  });
}

const { rates, rounds, out, ...common } = new Command('npm run bench:ejabberd --')
  .description('Measures this cluster and ejabberd with its archive in PostgreSQL in turns, and says the ratios.')
  .option(
    '--rates <list>',
    'messages per second, by commas; A/B: of each; 0: as fast as acks come',
    list,
    list('300,1000,0'),
  )
  .option('--seconds <n>', 'length of each run', number(1, 3_600), 15)
  .option('--warm-up <n>', 'seconds of the same before each, until code is compiled', number(0, 3_600), 10)
  .option('--users <n>', 'clients', number(2, 2_000), 200)
  .option('--window <n>', 'messages that a sender leaves open at once where no rate is given', number(1, 1_000), 4)
  .option('--rounds <n>', 'turns of each', number(1, 100), 3)
  .option('--out <path>', 'writes PATH.json and PATH.svg')
  .parse()
  .opts<Omit<ScenarioOptions, 'rate'> & { rates: Record<Name, number>[]; rounds: number; out?: string }>();

const results: Result[] = [];
for (const rate of rates) {
  const by: Record<Name, Result[]> = { this: [], ejabberd: [] };
  for (let round = 0; round < rounds; round++)
    for (const name of ['this', 'ejabberd'] as const) {
      const result = await measure(name, { ...common, rate: rate[name] });
      by[name].push(result);
      process.stdout.write(`${lines(result).join('\n')}\n\n`);
    }
  const ratio = (value: (result: Result) => number) =>
    (median(by.this.map(value)) / median(by.ejabberd.map(value))).toFixed(2);
  const ack = (part: 'p50' | 'p99') => ratio(({ ackMs }) => ackMs?.[part] ?? Number.NaN);
  process.stdout.write(
    `this (${by.this[0]!.scenario}) to ejabberd (${by.ejabberd[0]!.scenario}): ${ratio((it) => it.perSecond)} × as many per second, ` +
      `${ratio((it) => it.cpuMicros.all!)} × the CPU, ack p50 ${ack('p50')} ×, p99 ${ack('p99')} ×\n\n`,
  );
  results.push(...by.this, ...by.ejabberd);
}
if (out !== undefined) await write(out, results);
