/**
 * A real PostgreSQL for a test, in a fraction of a second: one data directory a day is made as a template in the system's
 * temporary directory, every call copies it and starts a server on the copy.
 *
 * Test processes run side by side and get killed: a template has its name when all of it is there, a free port is only
 * believed once the server has it, and copies that a killed process left are swept up by later ones.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { pino } from 'pino';
import { migrate, migrationFiles, type Schema } from '../../servers/db-proxy/storage/migrations.js';
import {
  type EmbeddedPostgres,
  PostgresError,
  type PostgresSettings,
  packagedVersion,
  startPostgres,
} from '../../tools/postgres.js';

/** A server of one test. `pid` changes with every start, the URL never does. */
export interface TestPostgres {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  /** Fast shutdown; the data stay until the test or the process ends. */
  stop(): Promise<void>;
  /** kill -9 of the postmaster; resolves when all of the server is gone. */
  kill(): Promise<void>;
  /** After stop or kill: the same data on the same port. */
  start(): Promise<void>;
}

export interface TestPostgresOptions {
  /** Wait for the disk at every commit. Without it commits survive a killed server all the same, but no power cut. */
  readonly durable?: boolean;
  readonly settings?: PostgresSettings;
  readonly log?: (line: string) => void;
  /** Default: a free one. */
  readonly port?: number;
  /** Fills the server's folder before its first start; default: with what `emptyDatabase` gives. */
  readonly fill?: (dir: string) => Promise<void>;
}

/** Where a server is to be taken down: tap's `t`, or anything alike. */
export interface Teardown {
  teardown(work: () => unknown): unknown;
}

/** A database on every server here with all tables and nothing in them, to be copied: half a second of CPU less than to make them. */
export const MIGRATED = 'migrated';
const COPY = 'teamtalk-test-pg-';
const TEMPLATE = 'teamtalk-test-pgtemplate-';
const HOUR_MS = 3_600_000;
const PORT_TRIES = 20;

/** Starts a server with an empty database. With `t` it is stopped and removed at the end of the test, else at exit. */
export async function testPostgres(t?: Teardown, options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const { fill = emptyDatabase } = options;
  const dir = await fs.mkdtemp(join(tmpdir(), `${COPY}${process.pid}-`));
  doomed.add(dir);
  let server: EmbeddedPostgres | undefined;
  t?.teardown(async () => {
    await server?.stop();
    await fs.rm(dir, { recursive: true, force: true, maxRetries: 5 });
    doomed.delete(dir);
  });
  await fill(dir);
  const place = { dir, settings: settingsOf(options), log: options.log ?? (() => {}) };
  const startOn = (port: number) => startPostgres({ ...place, port });
  server = await (options.port === undefined ? onFreePort(startOn) : startOn(options.port));
  const { url, port } = server;
  const current = () => server as EmbeddedPostgres;
  return {
    url,
    port,
    dir,
    get pid() {
      return current().pid;
    },
    stop: () => current().stop(),
    async kill() {
      process.kill(current().pid, 'SIGKILL');
      await current().exited;
    },
    async start() {
      server = await startPostgres({ ...place, port });
    },
  };
}

/**
 * The data of a server with an empty database, and `MIGRATED` beside it, and its password. Of all those of a day the
 * same.
 */
export async function emptyDatabase(dir: string): Promise<void> {
  const template = await readyTemplate();
  await promisify(execFile)('cp', ['-a', join(template, 'data'), join(template, 'password'), dir]);
}

/** A port nobody listens on right now, below those that the system gives to outgoing connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await canListen(port)) return port;
  }
}

/** Between finding a free port and using it somebody else may: then with another. */
async function onFreePort<T>(use: (port: number) => Promise<T>): Promise<T> {
  for (let left = PORT_TRIES; ; left--) {
    try {
      return await use(await freePort());
    } catch (error) {
      if (left === 0 || !(error instanceof PostgresError) || error.problem !== 'port-taken') throw error;
    }
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const probe = createServer();
    probe.once('error', () => settle(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => settle(true)));
  });
}

/**
 * Never synchronous_commit=off: it would lose commits when the server is killed, and tests do that. fsync=off and
 * full_page_writes=off only matter to a machine that loses power.
 */
function settingsOf({ durable = false, settings = {} }: TestPostgresOptions): PostgresSettings {
  return {
    shared_buffers: '32MB',
    min_wal_size: '32MB',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...settings,
  };
}

let template: Promise<string> | undefined;

/** Makes it when nobody has yet today; files that begin side by side would each make one. */
export function readyTemplate(): Promise<string> {
  template ??= makeTemplate();
  return template;
}

async function makeTemplate(): Promise<string> {
  const dir = join(tmpdir(), `${TEMPLATE}${await templateKey()}`);
  await sweep(dir);
  if (!(await isThere(dir))) {
    const making = await fs.mkdtemp(join(tmpdir(), `${COPY}${process.pid}-`));
    const server = await onFreePort((port) => startPostgres({ dir: making, port, settings: settingsOf({}) }));
    await makeMigrated(server.url);
    await server.stop();
    await fs.rename(making, dir).catch((error) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      return fs.rm(making, { recursive: true }); // somebody else was quicker
    });
  }
  const { uid } = await fs.lstat(dir);
  if (uid !== process.getuid?.()) throw new Error(`${dir} belongs to uid ${uid}: remove it`);
  return dir;
}

function isThere(path: string): Promise<boolean> {
  return fs.access(path).then(
    () => true,
    () => false,
  );
}

async function makeMigrated(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`create database ${MIGRATED}`);
  await client.end();
  const migrated = new URL(url);
  migrated.pathname = `/${MIGRATED}`;
  for (const schema of ['meta', 'shard'] as const) await migrate(migrated.href, schema, pino({ level: 'silent' }));
}

/** By the day, because cleaners of temporary directories take old files one by one and would leave a broken template. */
async function templateKey(): Promise<string> {
  const launcher = fileURLToPath(import.meta.resolve('../../tools/postgres.js'));
  const source = await fs.readFile(launcher).catch(() => fs.readFile(launcher.replace(/\.js$/, '.ts')));
  const tables = await Promise.all((['meta', 'shard'] as const).map(migrationsOf));
  const day = new Date().toISOString().slice(0, 10);
  const key = [await packagedVersion(), process.getuid?.(), day, source, ...tables].join(' ');
  return createHash('sha256').update(key).digest('hex').slice(0, 16);
}

async function migrationsOf(schema: Schema): Promise<string> {
  const files = await migrationFiles(schema);
  return (await Promise.all(files.map(({ path }) => fs.readFile(path, 'utf8')))).join('\n');
}

/** Removes what killed test processes left, and templates of other days. */
async function sweep(keep: string): Promise<void> {
  for (const name of await fs.readdir(tmpdir())) {
    const path = join(tmpdir(), name);
    const isOld = async (hours: number) => {
      const found = await fs.lstat(path).catch(() => undefined);
      return found?.uid === process.getuid?.() && Date.now() - (found?.mtimeMs ?? 0) > hours * HOUR_MS;
    };
    const holder = name.startsWith(COPY) ? Number.parseInt(name.slice(COPY.length), 10) : undefined;
    const stale =
      holder !== undefined
        ? !isAlive(holder) && (await isOld(1))
        : name.startsWith(TEMPLATE) && path !== keep && (await isOld(48));
    if (stale) await fs.rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Directories to remove when the process ends without a teardown; their servers get SIGINT from the launcher. */
const doomed = new Set<string>();
process.once('exit', () => {
  for (const dir of doomed) rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});
