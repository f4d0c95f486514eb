import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, rmSync } from 'node:fs';
import { access, constants, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import mysql from 'mysql2';
import { type SourceAddress, SourceError } from './source.js';

/**
 * A MariaDB server of our own, for reading a dump: its data in a temporary folder, no network, removed at the end. The
 * programs are those of the machine (Debian: the package mariadb-server).
 */
export interface MariadbFiles {
  readonly server: string;
  readonly install: string;
  readonly client: string;
}

/** Undefined: there is none on this machine. */
export async function findMariadb(): Promise<MariadbFiles | undefined> {
  const [server, install, client] = await Promise.all([
    find('mariadbd', 'mysqld'),
    find('mariadb-install-db', 'mysql_install_db'),
    find('mariadb', 'mysql'),
  ]);
  return server && install && client ? { server, install, client } : undefined;
}

export interface MariadbOptions {
  /** On 127.0.0.1; undefined: no network at all, and everybody who can reach the socket is let in. */
  readonly port?: number;
}

const NAME = 'teamtalk-mariadb-';
const STOP_MS_MAX = 10_000;

export class Mariadb {
  readonly socket: string;
  readonly #dir: string;
  readonly #process: ChildProcess;

  private constructor(dir: string, child: ChildProcess) {
    this.#dir = dir;
    this.#process = child;
    this.socket = socketOf(dir);
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** An empty server. @throws Error with what it said when it cannot start */
  static async start(files: MariadbFiles, { port }: MariadbOptions = {}): Promise<Mariadb> {
    await sweep();
    const dir = await mkdtemp(join(tmpdir(), `${NAME}${process.pid}-`));
    folders.add(dir);
    try {
      await installData(files, dir);
      return new Mariadb(dir, await startServer(files, dir, port));
    } catch (error) {
      await remove(dir);
      throw error;
    }
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      child.kill('SIGTERM');
      await gone;
      clearTimeout(killer);
    }
    running.delete(child);
    await remove(this.#dir);
  }

  /** As the administrator. */
  connection(options: mysql.ConnectionOptions = {}): mysql.Connection {
    return mysql.createConnection({ socketPath: this.socket, user: 'root', charset: 'utf8mb4', ...options });
  }

  /**
   * Runs a dump of mysqldump or mariadb-dump, whole or gzipped (.gz).
   * @returns where the TeamTalk database in it is
   * @throws SourceError when it does not load or has no such database
   */
  async load(files: MariadbFiles, dump: string): Promise<SourceAddress> {
    await ask(this.connection(), 'create database teamtalk character set utf8mb4 collate utf8mb4_bin');
    const client = spawn(
      files.client,
      [
        '--no-defaults',
        `--socket=${this.socket}`,
        '--user=root',
        '--max-allowed-packet=1G',
        '--binary-mode',
        'teamtalk',
      ],
      { stdio: ['pipe', 'ignore', 'pipe'] },
    );
    const complaints: Buffer[] = [];
    client.stderr.on('data', (text: Buffer) => complaints.push(text));
    const ended = once(client, 'close') as Promise<[number | null]>;
    const steps = dump.endsWith('.gz') ? [createGunzip(), new OlderCollations()] : [new OlderCollations()];
    const fed = pipeline([createReadStream(dump), ...steps, client.stdin]).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') client.kill(); // on EPIPE it has ended by itself, and says why
      return error;
    });
    const [code] = await ended;
    const error = await fed;
    const words = Buffer.concat(complaints).toString().trim();
    if (code !== 0 || error !== undefined)
      throw new SourceError(`the dump ${dump} cannot be loaded: ${words || error?.message || `exit code ${code}`}`);
    return { socketPath: this.socket, user: 'root', database: await this.#teamtalk() };
  }

  /** A dump may name its database, or be for whichever one. */
  async #teamtalk(): Promise<string> {
    const rows = await ask(
      this.connection(),
      "select table_schema as name from information_schema.tables where lower(table_name) = 'imuser'",
    );
    const [row, other] = rows as { name: string }[];
    if (row === undefined) throw new SourceError('the dump has no TeamTalk database: there is no table IMUser in it');
    if (other !== undefined)
      throw new SourceError(`the dump has several TeamTalk databases: ${row.name}, ${other.name}`);
    return row.name;
  }
}

/**
 * MySQL 8 writes the names of its newer collations into dumps, which most MariaDBs refuse. How texts are sorted makes no
 * difference to what is read, so an older one does. Lines with rows pass untouched.
 */
class OlderCollations extends Transform {
  #rest: Buffer = Buffer.alloc(0);

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.lastIndexOf(0x0a) + 1;
    this.#rest = bytes.subarray(end);
    done(null, replaced(bytes.subarray(0, end)));
  }

  override _flush(done: TransformCallback): void {
    done(null, replaced(this.#rest));
  }
}

const NEWER = /utf8mb4_0900_\w+/g;
const ROWS = /^INSERT INTO /i;

function replaced(lines: Buffer): Buffer {
  if (!lines.includes('utf8mb4_0900_')) return lines;
  const text = lines.toString('latin1');
  const each = text.split('\n').map((line) => (ROWS.test(line) ? line : line.replace(NEWER, 'utf8mb4_bin')));
  return Buffer.from(each.join('\n'), 'latin1');
}

async function installData(files: MariadbFiles, dir: string): Promise<void> {
  const options = ['--no-defaults', `--datadir=${join(dir, 'data')}`, '--auth-root-authentication-method=normal'];
  await output(files.install, [...options, '--skip-test-db', '--innodb-log-file-size=8M', ...asRoot()]);
}

/** Dumps of servers that fold the names of tables to lower case have imuser where others have IMUser. */
const ALONE = ['--skip-networking', '--skip-grant-tables', '--lower-case-table-names=1'];

async function startServer(files: MariadbFiles, dir: string, port: number | undefined): Promise<ChildProcess> {
  const network = port === undefined ? ALONE : ['--bind-address=127.0.0.1', `--port=${port}`];
  const options = [
    ...['--no-defaults', `--datadir=${join(dir, 'data')}`, `--socket=${socketOf(dir)}`, `--tmpdir=${dir}`],
    ...[`--pid-file=${join(dir, 'pid')}`, '--character-set-server=utf8mb4', '--collation-server=utf8mb4_bin'],
    // What is in here can be loaded again.
    ...['--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=0', '--innodb-log-file-size=64M'],
    ...['--innodb-buffer-pool-size=128M', '--max-allowed-packet=1G', '--sql-mode=', '--skip-log-bin'],
    ...network,
    ...asRoot(),
  ];
  const [file, ...rest] = [...dyingWithUs(), files.server, ...options];
  const child = spawn(file!, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
  running.add(child);
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${files.server} ended: ${said.split('\n').slice(-8).join('\n')}`)));
    child.stderr!.on('data', (text: Buffer) => {
      said = (said + text).slice(-16_384);
      if (/ready for connections/.test(said)) resolve();
    });
  });
  return child;
}

function ask(connection: mysql.Connection, sql: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query(sql, (error, rows) => {
      connection.destroy();
      if (error) reject(error);
      else resolve(rows);
    });
  });
}

async function output(file: string, args: readonly string[]): Promise<void> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => {
      said += text;
    });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${said.trim().split('\n').slice(-8).join('\n')}`);
}

async function find(...names: readonly string[]): Promise<string | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/libexec'];
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    const is = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (is) return path;
  }
  return undefined;
}

function socketOf(dir: string): string {
  return join(dir, 'socket');
}

function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

function dyingWithUs(): string[] {
  try {
    execFileSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true'], { stdio: 'ignore' });
    return ['setpriv', '--pdeathsig', 'KILL', '--'];
  } catch {
    return [];
  }
}

/** Removes the folders of processes that were killed. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(NAME) || isAlive(Number.parseInt(name.slice(NAME.length), 10))) continue;
    await remove(join(tmpdir(), name)).catch(() => undefined); // somebody else's
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function remove(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  folders.delete(dir);
}

/** What to clear away when the process ends before it is done. */
const running = new Set<ChildProcess>();
const folders = new Set<string>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const dir of folders) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
});
