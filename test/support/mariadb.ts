/**
 * A real MariaDB for a test: the server of the machine, on a free port, in a directory of its own. Where there is none,
 * root on Debian gets it with apt-get; anybody else skips the tests that need it.
 *
 * Nothing outlives the test: its teardown stops the server, the end of the test's process kills it, and where there is
 * setpriv the kernel does it when the test's process is killed.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2';
import { findMariadb, Mariadb, type MariadbFiles } from '../../tools/import-teamtalk/mariadb.js';
import { freePort, type Teardown } from './postgres.js';

export interface TestMariadb {
  readonly port: number;
  readonly pid: number;
  readonly files: MariadbFiles;
  readonly user: string;
  readonly password: string;
  /** mysql://user:password@host:port/name */
  url(database: string): string;
  /** As the administrator. @returns the rows of a query */
  ask(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
}

const USER = 'teamtalk';
const PASSWORD = 'p@ss/word';
const PORT_TRIES = 10;
const INSTALL_MS_MAX = 180_000;

/** Why there is no MariaDB to be had; undefined when there is one. Looks once, and gets it where it may. */
export function whyNoMariadb(): Promise<string | undefined> {
  found ??= findOrInstall();
  return found.then((it) => ('reason' in it ? it.reason : undefined));
}

/** Started, with a user who may do everything over the network; stopped and removed at the end of the test. */
export async function testMariadb(t: Teardown): Promise<TestMariadb> {
  found ??= findOrInstall();
  const files = await found;
  if ('reason' in files) throw new Error(files.reason);
  const { server, port } = await onFreePort(files);
  t.teardown(() => server.stop());
  const connection = server.connection({ multipleStatements: true });
  connection.on('error', () => undefined); // what is asked next says so
  t.teardown(() => connection.destroy());
  const ask: TestMariadb['ask'] = (sql, values = []) =>
    new Promise((resolve, reject) => {
      connection.query(sql, [...values], (error, rows) => {
        if (error) reject(error);
        else resolve(rows as Record<string, unknown>[]);
      });
    });
  await ask(`grant all on *.* to ${USER}@'127.0.0.1' identified by ${mysql.escape(PASSWORD)}`);
  const url = (database: string) => `mysql://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`;
  return { port, pid: server.pid, files, user: USER, password: PASSWORD, url, ask };
}

/** Between finding a free port and using it somebody else may: then with another. */
async function onFreePort(files: MariadbFiles): Promise<{ server: Mariadb; port: number }> {
  for (let left = PORT_TRIES; ; left--) {
    const port = await freePort();
    try {
      return { server: await Mariadb.start(files, { port }), port };
    } catch (error) {
      if (left === 0 || !/Address already in use/i.test((error as Error).message)) throw error;
    }
  }
}

let found: Promise<MariadbFiles | { readonly reason: string }> | undefined;

async function findOrInstall(): Promise<MariadbFiles | { readonly reason: string }> {
  const here = await findMariadb();
  if (here !== undefined) return here;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version'))
    return { reason: 'there is no mariadbd on this machine, and it is for root on Debian only to install it' };
  try {
    await install();
  } catch (error) {
    return { reason: `there is no mariadbd on this machine, and apt-get did not get it: ${(error as Error).message}` };
  }
  return (await findMariadb()) ?? { reason: 'apt-get got no mariadbd' };
}

/** Under a lock: of several test processes one does it, and the others find it done. */
async function install(): Promise<void> {
  // The programs alone: the whole package would start a server on the well-known port.
  const get = 'apt-get install -y --no-install-recommends mariadb-server-core mariadb-client';
  const script = `command -v mariadbd || ${get} || { apt-get update && ${get}; }`;
  const lock = join(tmpdir(), 'teamtalk-test-mariadb.lock');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await promisify(execFile)('flock', [lock, 'sh', '-c', script], { env, timeout: INSTALL_MS_MAX });
}
