/** What `npm start` promises to operators and scripts, seen from outside: every launch here is the real one. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import t, { type Test } from 'tap';
import { Client, findMsgServer, LoginRefused } from '../../common/client/client.js';
import { login } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { PORTS } from '../../tools/cluster/plan.js';
import { freshPair } from '../support/certificates.js';
import { freshDatabase, until } from '../support/cluster.js';
import { type Teardown, testPostgres } from '../support/postgres.js';
import { type Info, isAlive, type Launcher, launch, startProcesses, temporaryData } from '../support/processes.js';

const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = IM.BaseDefine.SessionType;
const PASSWORD = 'test123';
const STOP_MS_MAX = 10_000;
const PEOPLE = ['TT001', 'TT002', 'TT003', 'TT004', 'TT005', 'TT006'];

/** The launches below share a folder: what one leaves the next one finds. */
const data = await temporaryData(t);
const sizes = ['--msg-servers', '2', '--db-proxies', '2', '--route-servers', '2'];
const first = await startProcesses(t, { data, args: [...sizes, '--tls', '--demo-users', `${PEOPLE.length}`] });
const { portOffset } = first;
const at = (port: number) => port + portOffset;
const SERVERS = [
  'db-proxy-1',
  'db-proxy-2',
  'route-1',
  'route-2',
  'login',
  'file',
  'msg-1',
  'msg-2',
  'http-msg',
  'push',
  'admin',
];

/** Logs in as TeamTalk clients do: asks the login server first. */
async function enter(t: Teardown, { loginHttp }: Pick<Info, 'loginHttp'>, user: string): Promise<Client> {
  const { host, port } = await findMsgServer(loginHttp);
  const client = await Client.login({ host, port, user, password: PASSWORD });
  t.teardown(() => client.close());
  return client;
}

async function idOf(client: Client, name: string): Promise<number> {
  return (await client.contacts()).find((user) => user.userDomain === name.toLowerCase())!.userId;
}

async function page(url: string): Promise<string> {
  const response = await fetch(url);
  return `${response.status} ${await response.text()}`;
}

/** What those servers say that cannot do their work. */
async function unready({ metrics }: Info): Promise<string[]> {
  const asked = Object.entries(metrics).map(async ([name, url]) => {
    const said = await page(url.replace(/metrics$/, 'readyz')).catch((error: Error) => error.message);
    return said === '200 ready\n' ? [] : [`${name}: ${said}`];
  });
  return (await Promise.all(asked)).flat();
}

t.test('the announcement comes when every server has found the others', async (t) => {
  t.same(await unready(first.info), []);
  await enter(t, first.info, 'TT001');
});

t.test('the announcement says where everything is, in one line, the only one on stdout', async (t) => {
  const { info } = first;
  t.same(
    Object.keys(info),
    'ready loginHttp loginTcp msg httpMsg apiKey file store tlsCertificate admin adminLogin metrics pids'.split(' '),
  );
  t.equal(info.ready, true);
  t.equal(info.loginHttp, `http://127.0.0.1:${at(PORTS.loginHttp)}`);
  t.equal(info.loginTcp, `127.0.0.1:${at(PORTS.loginTcp)}`);
  t.same(info.msg, [`127.0.0.1:${at(PORTS.msg)}`, `127.0.0.1:${at(PORTS.msg) + 1}`]);
  t.equal(info.httpMsg, `http://127.0.0.1:${at(PORTS.httpMsg)}`);
  t.same(Object.keys(info.metrics), SERVERS);
  t.same(Object.keys(info.pids), [...SERVERS, 'postgres']);
  t.equal(new Set(Object.values(info.pids)).size, SERVERS.length + 1);
  for (const [name, pid] of Object.entries(info.pids)) t.ok(isAlive(pid), name);
  t.same(await first.state(), { ...info, adminLogin: null }, 'the state file says the same, but no password');
  t.equal(first.stdout.length, 1);
  for (const name of [...SERVERS, 'postgres'])
    t.ok(
      first.stderr.some((line) => JSON.parse(line).server === name),
      `${name} is heard on stderr`,
    );
});

t.test('the HTTP interface opens with the key of the announcement, which nobody else may read', async (t) => {
  const { httpMsg, apiKey } = first.info;
  const response = await fetch(`${httpMsg}/api/v1/presence?users=1`, {
    headers: { authorization: `Bearer ${apiKey}` },
  });
  t.equal(response.status, 200);
  for (const name of ['api.key', 'cluster.json'])
    t.equal((await stat(join(first.data, name))).mode & 0o777, 0o600, name);
});

t.test('every server has its page of metrics and says that it is alive', async (t) => {
  for (const [name, url] of Object.entries(first.info.metrics)) {
    const [metrics, health] = await Promise.all([page(url), page(url.replace(/metrics$/, 'healthz'))]);
    t.match(metrics, /^200 /);
    t.match(metrics, new RegExp(`^teamtalk_\\w+{.*server="${name}"`, 'm'), `metrics of ${name}`);
    t.equal(health, '200 ok\n');
  }
  const known = async () => /^teamtalk_msg_servers\{.*\} 2$/m.test(await page(first.info.metrics.login!));
  await until(known, 'the login server to know both msg servers');
});

t.test('SIGHUP: a new certificate is taken up, one that cannot be used is not', async (t) => {
  const doors = ['login', 'file', 'msg-1', 'msg-2'];
  const { pids } = await first.state();
  const days = async (name: string) =>
    Math.round(
      Number(/^teamtalk_tls_certificate_days_left\{.*\} (\S+)$/m.exec(await page(first.info.metrics[name]!))?.[1]),
    );
  const put = async (cert: string, key: string) => {
    await writeFile(join(data, 'tls', 'key.pem'), key);
    await writeFile(first.info.tlsCertificate!, cert);
    for (const name of doors) process.kill(pids[name]!, 'SIGHUP');
  };
  const [host, port] = first.info.msg[0]!.split(':');
  const enterWith = async (ca: string) => {
    const place = { host: host!, port: Number(port), user: 'TT001', password: PASSWORD };
    await (await Client.login({ ...place, tls: true, ca })).logout();
  };
  for (const name of doors) t.equal(await days(name), 365, `${name}, as it was made`);
  const fresh = await freshPair(90);
  await put(fresh.cert, fresh.key);
  for (const name of doors) await until(async () => (await days(name)) === 90, `${name} to take it up`, 30_000);
  await enterWith(fresh.cert);

  await put('-----BEGIN CERTIFICATE-----\nno certificate\n-----END CERTIFICATE-----\n', fresh.key);
  const said = (name: string) =>
    first.stderr
      .map((line) => JSON.parse(line))
      .some((it) => it.server === name && it.level >= 50 && /the old one stays/.test(it.msg));
  for (const name of doors) await until(() => said(name), `${name} to say that it cannot be used`, 30_000);
  for (const name of doors) t.equal(await days(name), 90, `${name} keeps the old one`);
  await enterWith(fresh.cert);
  const now = (await first.state()).pids;
  for (const name of doors) t.equal(now[name], pids[name], `${name} runs on`);
  await put(fresh.cert, fresh.key);
});

t.test('clients find a msg server over HTTP and TCP, and are spread over all', async (t) => {
  const [host, port] = first.info.loginTcp.split(':');
  const asker = await Client.connect({ host: host!, port: Number(port) });
  const answer = await asker.ask(login.msgServer, {});
  t.match(answer, { resultCode: 0, priorIp: '127.0.0.1' });
  t.ok(first.info.msg.includes(`127.0.0.1:${answer.port}`));
  const found = await Promise.all(Array.from({ length: 30 }, () => findMsgServer(first.info.loginHttp)));
  t.same([...new Set(found.map((each) => `${each.host}:${each.port}`))].sort(), [...first.info.msg].sort());
});

t.test('the demo people are colleagues who can chat', async (t) => {
  const alice = await enter(t, first.info, 'TT001');
  t.same((await alice.contacts()).map((user) => user.userDomain.toUpperCase()).sort(), PEOPLE);
  const departments = await alice.departments();
  t.ok(departments.length > 1);
  const everyDepartment = new Set(departments.map((each) => each.deptId));
  t.ok((await alice.contacts()).every((user) => everyDepartment.has(user.departmentId)));
  const groups = await alice.groups();
  const everybody = groups.find((group) => group.groupMemberList.length === PEOPLE.length);
  t.ok(everybody, 'a group of all');
  t.ok(groups.length > 1, 'and one of some');
  await t.rejects(
    Client.login({ ...(await findMsgServer(first.info.loginHttp)), user: 'TT001', password: 'test' }),
    LoginRefused,
  );

  const bob = await enter(t, first.info, 'TT002');
  t.equal((await alice.say(bob.userId, 'hello')).msgId, 1);
  t.match(await bob.heard(), { msgId: 1, fromUserId: alice.userId, text: 'hello' });
  await bob.sayGroup(everybody!.groupId, 'good morning');
  t.match(await alice.heard(), { sessionType: SESSION_TYPE_GROUP, fromUserId: bob.userId, text: 'good morning' });
});

t.test('all that crashes is started again, under the pids that the state file then has', async (t) => {
  const names = [...SERVERS, 'postgres'];
  const before = new Map<string, number>();
  for (const name of names) before.set(name, await first.kill(name));
  for (const [name, pid] of before) t.ok(isAlive(await first.back(name, pid, 60_000)), name);
  t.same(Object.keys((await first.state()).pids), names);
  t.match(await first.state(), { ...first.info, adminLogin: null, pids: {} }, 'and nothing else is new');
  t.ok(
    first.stderr.some((line) => /msg-1 ended \(SIGKILL\)/.test(line)),
    'it is told',
  );

  // The servers are there; they find each other again in their own time.
  await until(async () => (await unready(first.info)).length === 0, 'all servers to be ready', 60_000);
  const alice = await enter(t, first.info, 'TT001');
  const bob = await idOf(alice, 'TT002');
  t.match(await alice.history(SESSION_TYPE_SINGLE, bob), [{ msgId: 1, text: 'hello' }]);
  t.equal((await alice.say(bob, 'still there?')).msgId, 2);
});

t.test('SIGTERM ends all of it', async (t) => {
  const pids = first.pids();
  const { code, ms } = await first.stop('SIGTERM');
  t.equal(code, 0);
  t.ok(ms < STOP_MS_MAX, `within ${Math.round(ms)} ms`);
  t.ok(pids.length > SERVERS.length);
  t.same(pids.filter(isAlive), [], 'nothing is left');
  t.equal(first.stdout.length, 1, 'nothing but the announcement was ever on stdout');
  t.notOk(existsSync(join(data, 'postgres/data/postmaster.pid')), 'PostgreSQL was shut down');
});

t.test('the next start has the messages and the people of the first; kill -9 of the launcher ends all', async (t) => {
  const second = await startProcesses(t, { data, portOffset, args: ['--demo-users', '50'] });
  t.equal(second.info.apiKey, first.info.apiKey, 'the same key of the HTTP interface');
  t.same(
    Object.keys(second.info.pids),
    ['db-proxy-1', 'route-1', 'login', 'file', 'msg-1', 'http-msg', 'push', 'admin', 'postgres'],
    'one of each kind',
  );
  const alice = await enter(t, second.info, 'TT001');
  t.equal((await alice.contacts()).length, PEOPLE.length, 'demo data come into an empty directory only');
  const bob = await enter(t, second.info, 'TT002');
  t.match(await alice.history(SESSION_TYPE_SINGLE, bob.userId), [{ text: 'still there?' }, { text: 'hello' }]);

  await t.test('another launcher is kept off the folder', async (t) => {
    const another = await launch(t, { data });
    t.match(await refusal(t, another), new RegExp(`${second.pid} already runs the database in ${data}`));
    await alice.say(bob.userId, 'unharmed');
  });

  const pids = second.pids();
  const killedMs = performance.now();
  second.signal('SIGKILL');
  await until(() => !pids.some(isAlive), 'servers and PostgreSQL to end by themselves', 15_000);
  t.comment(`all gone ${Math.round(performance.now() - killedMs)} ms after kill -9 of the launcher`);
});

t.test('what keeps a server from starting is said, with its name, and nothing is left running', async (t) => {
  const cannotStart = async (env: Record<string, string>) => {
    const launcher = await launch(t, { data, portOffset, env });
    return refusal(t, launcher);
  };
  await t.test('a port that is taken', async (t) => {
    const close = await occupy(at(PORTS.loginHttp));
    const said = await cannotStart({});
    t.match(said, `login cannot start: cannot listen on 127.0.0.1:${at(PORTS.loginHttp)}`);
    t.match(said, /address already in use|another process listens there/);
    await close();
  });
  await t.test('the port of PostgreSQL', async (t) => {
    const close = await occupy(at(PORTS.postgres));
    t.match(await cannotStart({}), `postgres cannot start: port ${at(PORTS.postgres)} on 127.0.0.1 is taken`);
    await close();
  });
  await t.test('a wrong setting', async (t) => {
    const said = await cannotStart({ TT_DB_PROXY_STORE_TIMEOUT_MS: 'x' });
    t.match(said, /db-proxy-1 cannot start: wrong settings for the db-proxy server:/);
    t.match(said, /storeTimeoutMs \(TT_DB_PROXY_STORE_TIMEOUT_MS; ms\): /);
  });
  await t.test('a master key that is not the one of these data', async (t) => {
    const right = await readFile(join(data, 'master.key'), 'utf8');
    const wrongFile = join(await temporaryData(t), 'wrong.key');
    await writeFile(wrongFile, '0123456789abcdef'.repeat(4));
    const said = await cannotStart({ TT_MASTER_KEY_FILE: wrongFile });
    t.match(said, /The cluster did not start: wrong master key: .*Nothing was changed; give the right masterKeyFile/);
    t.equal(await readFile(join(data, 'master.key'), 'utf8'), right);
  });
});

t.test('for people: a summary on stdout, logs with names on stderr; Ctrl-C ends all of it', async (t) => {
  const args = ['--demo-users', `${PEOPLE.length}`];
  const third = await launch(t, { data, portOffset, args, env: { TT_LOG_LEVEL: 'info' } });
  await until(() => third.stdout.some((line) => /Ctrl-C/.test(line)) || third.hasEnded, 'the summary', 60_000);
  const summary = third.stdout.join('\n');
  for (const words of ['/msg_server', '/metrics', 'TT001 … TT006, password test123', 'npm run chat -- TT001 test123'])
    t.match(summary, words);
  const info = await third.state();
  t.match(summary, `${info.loginHttp}/msg_server`);
  t.match(summary, info.msg[0]!);
  for (const name of Object.keys(info.metrics))
    t.ok(
      third.stderr.some((line) => new RegExp(`^[\\d:.]{12} ${name} +info +started`).test(line)),
      `${name} is named in front of what it says`,
    );

  const alice = await enter(t, info, 'TT001');
  const bob = await idOf(alice, 'TT002');
  const texts = (await alice.history(SESSION_TYPE_SINGLE, bob)).map((each) => each.text);
  t.same(texts, ['unharmed', 'still there?', 'hello'], 'all of it is there, after a kill -9 and failed starts');

  const pids = third.pids();
  const startedMs = performance.now();
  third.signalGroup('SIGINT');
  t.same(await third.exited, { code: 0, signal: null });
  t.ok(performance.now() - startedMs < STOP_MS_MAX);
  t.same(pids.filter(isAlive), [], 'nothing is left');
});

t.test('stopped while it starts, it leaves nothing behind either', async (t) => {
  const moments: [string | undefined, RegExp][] = [
    [undefined, /creating the database/],
    [data, /"server":"db-proxy-1".*"started"/],
  ];
  for (const [folder, sign] of moments) {
    const launcher = await launch(t, folder === undefined ? {} : { data: folder });
    await until(() => launcher.stderr.some((line) => sign.test(line)) || launcher.hasEnded, `${sign}`, 60_000);
    const pids = launcher.pids();
    t.equal((await launcher.stop()).code, 0);
    t.ok(pids.length > 1);
    // What a server was itself just starting ends a moment after it.
    await until(() => pids.every((pid) => !isAlive(pid)), 'what was just being started to be gone');
    await until(() => launcher.leftovers().length === 0, 'nothing to be left');
    t.same(launcher.stdout, []);
  }
});

t.test('DATABASE_URL: that server is used, and none is started', async (t) => {
  const postgres = await testPostgres(t);
  const env = { DATABASE_URL: await freshDatabase(postgres) };
  const data = await temporaryData(t);
  const database = new pg.Client(env.DATABASE_URL);
  await database.connect();
  t.teardown(() => database.end());
  const people = async () => (await database.query('select count(*)::int as n from meta.users')).rows[0].n;

  await t.test('--no-demo leaves the directory empty', async (t) => {
    const cluster = await startProcesses(t, { data, env, args: ['--no-demo', '--demo-users', '3'] });
    t.same(Object.keys(cluster.info.pids), [
      'db-proxy-1',
      'route-1',
      'login',
      'file',
      'msg-1',
      'http-msg',
      'push',
      'admin',
    ]);
    t.equal(await people(), 0);
    await t.rejects(enter(t, cluster.info, 'TT001'), LoginRefused);
    t.equal((await cluster.stop()).code, 0);
    t.notOk((await readdir(data)).includes('postgres'));
  });

  await t.test('servers that hang do not keep it from stopping within 10 s', async (t) => {
    const cluster = await startProcesses(t, { data, env, args: ['--demo-users', '3'] });
    t.equal(await people(), 3, 'now there are demo people');
    const ada = await enter(t, cluster.info, 'TT001');
    t.equal((await ada.say(await idOf(ada, 'TT003'), 'hello')).msgId, 1);
    for (const name of ['msg-1', 'db-proxy-1']) await cluster.kill(name, 'SIGSTOP');
    const pids = cluster.pids();
    const { code, ms } = await cluster.stop();
    t.equal(code, 0);
    t.ok(ms < STOP_MS_MAX, `within ${Math.round(ms)} ms`);
    t.same(pids.filter(isAlive), []);
  });
  t.ok(isAlive(postgres.pid), 'PostgreSQL is none of its business');
});

t.test('options that make no sense are refused with a word about them, before anything is made', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['--port-offset', 'x'], /'--port-offset <n>' argument 'x' is invalid. expected a whole number from 0 to 40000/],
    [['--msg-servers', '9'], /'--msg-servers <n>' argument '9' is invalid. expected a whole number from 1 to 8/],
    [['--db-proxies', '1.5'], /'--db-proxies <n>' argument '1.5' is invalid/],
    [['--demo-users'], /'--demo-users <n>' argument missing/],
    [['--nonsense'], /unknown option '--nonsense'/],
    [['stop'], /too many arguments/],
  ];
  await Promise.all(
    wrong.map(async ([args, words]) => {
      const launcher = await launch(t, { args });
      t.match(await refusal(t, launcher), words);
      t.same(await readdir(launcher.data), [], args.join(' '));
    }),
  );
  const file = join(await temporaryData(t), 'file');
  await writeFile(file, '');
  t.match(await refusal(t, await launch(t, { args: ['--data', file] })), `The cluster did not start: EEXIST`);
});

/** Waits for a launcher that cannot start, and so must leave nothing running. @returns what it said about that. */
async function refusal(t: Test, launcher: Launcher): Promise<string> {
  const { code } = await launcher.exited;
  t.ok(code !== null && code > 0, `exit code ${code}`);
  t.same(launcher.stdout, [], 'nothing on stdout');
  await until(() => launcher.leftovers().length === 0, 'nothing to be left running');
  return launcher.stderr.join('\n');
}

async function occupy(port: number): Promise<() => Promise<void>> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return async () => {
    server.close();
    await once(server, 'close');
  };
}
