/**
 * A real LDAP server for a test: OpenLDAP's slapd on a free port of loopback, in a directory of its own. Where there is none,
 * root on Debian gets it with apt-get; anybody else skips the tests that need it.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'ldapts';
import { freePort, type Teardown } from './postgres.js';
import { until } from './until.js';

const FILE = '/usr/sbin/slapd';
const INSTALL_MS_MAX = 180_000;
const PORT_TRIES = 10;

export const BASE = 'dc=example,dc=com';
export const PEOPLE = `ou=people,${BASE}`;
export const MANAGER = { dn: `cn=manager,${BASE}`, password: 'the manager’s own' };

export interface Certificates {
  readonly certificate: string;
  readonly key: string;
}

/** Why there is no slapd to be had; undefined when there is one. Looks once, and gets it where it may. */
export function whyNoSlapd(): Promise<string | undefined> {
  found ??= findOrInstall();
  return found;
}

let found: Promise<string | undefined> | undefined;

async function findOrInstall(): Promise<string | undefined> {
  if (existsSync(FILE)) return undefined;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version'))
    return 'there is no slapd on this machine, and it is for root on Debian only to install it';
  // In runlevel 1 packages start no services: the one on the well-known port would be nobody's.
  const get = 'apt-get install -y --no-install-recommends slapd';
  const script = `test -x ${FILE} || ${get} || { apt-get update && ${get}; }`;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const lock = join(tmpdir(), 'teamtalk-test-slapd.lock');
  try {
    await promisify(execFile)('flock', [lock, 'sh', '-c', script], { env, timeout: INSTALL_MS_MAX });
  } catch (error) {
    return `there is no slapd on this machine, and apt-get did not get it: ${(error as Error).message.trim().split('\n').at(-1)}`;
  }
  return existsSync(FILE) ? undefined : 'apt-get got no slapd';
}

/** A server of one test, with an empty folder of people. Its port never changes. */
export class TestSlapd {
  readonly port: number;
  readonly dir: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, dir: string) {
    this.port = port;
    this.dir = dir;
  }

  /** With certificates it knows StartTLS. */
  static async start(t: Teardown, tls?: Certificates): Promise<TestSlapd> {
    const dir = await mkdtemp(join(tmpdir(), `teamtalk-test-slapd-${process.pid}-`));
    folders.add(dir);
    await mkdir(join(dir, 'db'));
    await writeFile(join(dir, 'slapd.conf'), configuration(dir, tls));
    for (let left = PORT_TRIES; ; left--) {
      const slapd = new TestSlapd(await freePort(), dir);
      try {
        await slapd.start();
        t.teardown(() => slapd.remove());
        await slapd.asManager(async (client) => {
          await client.add(BASE, { objectClass: ['dcObject', 'organization'], dc: 'example', o: 'Example' });
          await client.add(PEOPLE, { objectClass: ['organizationalUnit'], ou: 'people' });
        });
        return slapd;
      } catch (error) {
        if (left === 0) throw error;
      }
    }
  }

  get url(): string {
    return `ldap://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const args = ['-h', `${this.url}/`, '-f', join(this.dir, 'slapd.conf'), '-d', '0'];
    const server = spawn(FILE, args, { stdio: 'ignore' });
    this.#process = server;
    running.add(server);
    const ready = async () => server.exitCode !== null || (await takesConnections(this.port));
    await until(ready, 'slapd to be ready', 60_000);
    if (server.exitCode !== null) throw new Error('slapd ended');
  }

  async stop(): Promise<void> {
    const server = this.#process;
    if (server === undefined) return;
    this.#process = undefined;
    const ended = server.exitCode === null ? once(server, 'exit') : undefined;
    server.kill('SIGKILL');
    await ended;
    running.delete(server);
  }

  /** Takes connections, answers nothing. Its threads stop a moment after the signal. */
  async pause(): Promise<void> {
    this.#process!.kill('SIGSTOP');
    const state = async () => /\) T /.test(await readFile(`/proc/${this.#process!.pid}/stat`, 'utf8'));
    await until(state, 'slapd to stand still');
  }

  resume(): void {
    this.#process!.kill('SIGCONT');
  }

  async asManager<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ url: this.url });
    try {
      await client.bind(MANAGER.dn, MANAGER.password);
      return await work(client);
    } finally {
      await client.unbind();
    }
  }

  /** With the password `secret of NAME`. */
  async add(uid: string, over: Readonly<Record<string, string | string[]>> = {}): Promise<void> {
    await this.asManager((client) =>
      client.add(`cn=${uid.replace(/[,+"\\<>;=*()]/g, '_')},${PEOPLE}`, {
        objectClass: ['inetOrgPerson'],
        uid,
        sn: uid,
        mail: `${uid}@example.com`,
        userPassword: `secret of ${uid}`,
        ...over,
      }),
    );
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
    folders.delete(this.dir);
  }
}

function configuration(dir: string, tls: Certificates | undefined): string {
  const schemas = ['core', 'cosine', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`);
  const secured = tls && [`TLSCertificateFile ${tls.certificate}`, `TLSCertificateKeyFile ${tls.key}`];
  return `${[
    ...schemas,
    'modulepath /usr/lib/ldap',
    'moduleload back_mdb',
    // As many servers do: an empty password is taken for a visitor, and let in as nobody.
    'allow bind_anon_dn bind_anon_cred',
    ...(secured ?? []),
    'database mdb',
    `suffix "${BASE}"`,
    `rootdn "${MANAGER.dn}"`,
    `rootpw "${MANAGER.password}"`,
    `directory ${join(dir, 'db')}`,
    'maxsize 10485760',
  ].join('\n')}\n`;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (taken: boolean) => () => {
      socket.destroy();
      resolve(taken);
    };
    socket.on('connect', end(true)).on('error', end(false));
  });
}

/** What to clear away when the process ends without teardowns. */
const running = new Set<ChildProcess>();
const folders = new Set<string>();
process.once('exit', () => {
  for (const server of running) server.kill('SIGKILL');
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});
