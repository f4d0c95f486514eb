/**
 * A real Redis for a test: the redis-server of the machine, on a free port, in a directory of its own, keeping nothing on
 * disk. Where there is none, root on Debian gets it with apt-get; anybody else skips the tests that need it.
 *
 * Nothing outlives the test: its teardown kills the server, the end of the test's process does too, and where there is
 * setpriv the kernel does it when the test's process is killed.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort, type Teardown } from './postgres.js';
import { until } from './until.js';

export interface TestRedisOptions {
  readonly password?: string;
  /** Further options of redis-server: ['--maxmemory', '1mb']. */
  readonly args?: readonly string[];
  /** A node of a Redis Cluster, which goes on with the slots it has when other nodes are gone. */
  readonly cluster?: boolean;
  /** A Sentinel that watches this server, under the name `main`. */
  readonly watches?: TestRedis;
}

/** A server of one test. Its port never changes, its pid and data do with every start. */
export class TestRedis {
  readonly port: number;
  readonly dir: string;
  readonly password: string;
  readonly #file: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  constructor(file: string, dir: string, port: number, { password = '', args = [] }: TestRedisOptions) {
    this.#file = file;
    this.dir = dir;
    this.port = port;
    this.password = password;
    this.#args = password === '' ? args : [...args, '--requirepass', password];
  }

  get url(): string {
    return `redis://${this.password === '' ? '' : `:${this.password}@`}127.0.0.1:${this.port}`;
  }

  /** Resolves when it answers. @throws PortTaken, or an Error with what it said when it ends instead. */
  async start(): Promise<void> {
    const where = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.dir];
    const [file, ...rest] = [...dyingWithUs, this.#file, ...this.#args, ...where];
    const server = spawn(file!, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#process = server;
    running.add(server);
    let said = '';
    server.stdout.on('data', (text: Buffer) => {
      said += text;
    });
    await until(
      () => /Ready to accept connections|Sentinel ID is/.test(said) || server.exitCode !== null,
      'redis-server to be ready',
    );
    if (server.exitCode === null) return;
    throw /Address already in use/i.test(said) ? new PortTaken() : new Error(`redis-server ended:\n${said}`);
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    const server = this.#process;
    if (server === undefined) return;
    this.#process = undefined;
    const ended = server.exitCode === null && server.signalCode === null ? once(server, 'exit') : undefined;
    server.kill('SIGKILL');
    await ended;
    running.delete(server);
  }

  /** Takes connections, answers nothing. */
  pause(): void {
    this.#process!.kill('SIGSTOP');
  }

  resume(): void {
    this.#process!.kill('SIGCONT');
  }

  /** What a command gives, over a connection of its own. @throws Error when it says no, or nothing within ten seconds */
  async ask(command: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const options = this.password === '' ? {} : { password: this.password };
    const client = new Redis({ host: '127.0.0.1', port: this.port, lazyConnect: true, protocol: 2, ...options });
    const done = new AbortController();
    const answer = async () => {
      await client.connect();
      return client.call(command, ...args);
    };
    // A node that is paused takes connections and answers nothing, and one that changes its role cuts them.
    const silence = async () => {
      await delay(ASK_MS_MAX, undefined, { signal: done.signal });
      throw new Error(`the Redis at port ${this.port} has said nothing to ${command}`);
    };
    try {
      return await Promise.race([answer(), silence()]);
    } finally {
      done.abort();
      client.disconnect();
    }
  }
}

/** Why there is no redis-server to be had; undefined when there is one. Looks once, and gets it where it may. */
export function whyNoRedis(): Promise<string | undefined> {
  found ??= findOrInstall();
  return found.then((it) => ('reason' in it ? it.reason : undefined));
}

/** Started; killed and removed at the end of the test. */
export async function testRedis(t: Teardown, options: TestRedisOptions = {}): Promise<TestRedis> {
  // Named like the copies of support/postgres.ts, which sweeps up what killed test processes left.
  const dir = await mkdtemp(join(tmpdir(), `teamtalk-test-pg-${process.pid}-redis-`));
  folders.add(dir);
  for (let left = PORT_TRIES; ; left--) {
    const asNode = options.cluster ? [...CLUSTER_NODE, '--cluster-port', `${await freePort()}`] : [];
    const kind = options.watches === undefined ? [...IN_MEMORY, ...asNode] : await asSentinel(dir, options.watches);
    const args = [...kind, ...(options.args ?? [])];
    const redis = new TestRedis(await redisServer(), dir, await freePort(), { ...options, args });
    try {
      await redis.start();
      t.teardown(() => remove(redis));
      return redis;
    } catch (error) {
      if (!(error instanceof PortTaken) || left === 0) throw error;
    }
  }
}

/** It keeps what it finds out in its file. */
async function asSentinel(dir: string, { port }: TestRedis): Promise<string[]> {
  const path = join(dir, 'sentinel.conf');
  const lines = [`monitor main 127.0.0.1 ${port} 1`, 'down-after-milliseconds main 500', 'failover-timeout main 1000'];
  await writeFile(path, lines.map((line) => `sentinel ${line}\n`).join(''));
  return [path, '--sentinel'];
}

async function remove(redis: TestRedis): Promise<void> {
  await redis.kill();
  await rm(redis.dir, { recursive: true, force: true, maxRetries: 5 });
  folders.delete(redis.dir);
}

export interface TestRedisCluster {
  readonly nodes: readonly TestRedis[];
  readonly url: string;
}

/** Of the nodes of a Redis Cluster, or of a master and its replicas. */
export async function mastersOf(nodes: readonly TestRedis[]): Promise<TestRedis[]> {
  const roles = await Promise.all(nodes.map((node) => node.ask('ROLE') as Promise<string[]>));
  return nodes.filter((_, i) => roles[i]![0] === 'master');
}

/** A Redis Cluster, every slot with one of the masters, which have a replica each or none. */
export async function testRedisCluster(
  t: Teardown,
  { masters = 3, replicas = 0 }: { masters?: number; replicas?: 0 | 1 } = {},
): Promise<TestRedisCluster> {
  const nodes: TestRedis[] = [];
  while (nodes.length < masters * (1 + replicas)) nodes.push(await testRedis(t, { cluster: true }));
  const slotsEach = Math.ceil(SLOTS / masters);
  for (const [i, node] of nodes.slice(0, masters).entries()) {
    const last = Math.min((i + 1) * slotsEach, SLOTS) - 1;
    await node.ask('CLUSTER', 'ADDSLOTSRANGE', i * slotsEach, last);
    await node.ask('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
  }
  for (const node of nodes.slice(1)) {
    const [, busPort] = (await node.ask('CONFIG', 'GET', 'cluster-port')) as [string, string];
    await nodes[0]!.ask('CLUSTER', 'MEET', '127.0.0.1', node.port, busPort);
  }
  const formed = async () => {
    const states = await Promise.all(nodes.map((node) => node.ask('CLUSTER', 'INFO') as Promise<string>));
    return states.every((state) => /cluster_state:ok/.test(state) && state.includes(`cluster_slots_ok:${SLOTS}`));
  };
  await until(formed, 'the Redis Cluster to be formed');
  for (const [i, replica] of nodes.slice(masters).entries()) {
    const id = await nodes[i]!.ask('CLUSTER', 'MYID');
    await until(() => replica.ask('CLUSTER', 'REPLICATE', `${id}`).then(isTrue, isFalse), 'a node to follow a master');
    await until(async () => `${await replica.ask('INFO', 'replication')}`.includes('master_link_status:up'), 'it to');
  }
  return { nodes, url: `redis-cluster://${nodes.map((node) => `127.0.0.1:${node.port}`).join(',')}` };
}

const SLOTS = 16_384;
const ASK_MS_MAX = 10_000;
const PORT_TRIES = 20;
const IN_MEMORY = ['--save', '', '--appendonly', 'no'];
const CLUSTER_NODE = [
  '--cluster-enabled',
  'yes',
  '--cluster-require-full-coverage',
  'no',
  '--cluster-node-timeout',
  '1000',
  // A replica that was started a moment ago, and has nothing yet, may take over: there is nothing to lose.
  '--cluster-replica-validity-factor',
  '0',
];
const INSTALL_MS_MAX = 180_000;

class PortTaken extends Error {}

let found: Promise<{ file: string } | { reason: string }> | undefined;

async function redisServer(): Promise<string> {
  found ??= findOrInstall();
  const it = await found;
  if ('reason' in it) throw new Error(it.reason);
  return it.file;
}

async function findOrInstall(): Promise<{ file: string } | { reason: string }> {
  const here = await onPath('redis-server');
  if (here !== undefined) return { file: here };
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version'))
    return { reason: 'there is no redis-server on the PATH, and it is for root on Debian only to install it' };
  try {
    await install();
  } catch (error) {
    const [last] = (error as Error).message.trim().split('\n').slice(-1);
    return { reason: `there is no redis-server on the PATH, and apt-get did not get it: ${last}` };
  }
  const file = await onPath('redis-server');
  return file === undefined ? { reason: 'apt-get got no redis-server' } : { file };
}

/** Under a lock: of several test processes one does it, and the others find it done. */
async function install(): Promise<void> {
  const get = 'apt-get install -y --no-install-recommends redis-server';
  const script = `command -v redis-server || ${get} || { apt-get update && ${get}; }`;
  const lock = join(tmpdir(), 'teamtalk-test-redis.lock');
  // In runlevel 1 packages start no services: the one on the well-known port would be nobody's.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  await promisify(execFile)('flock', [lock, 'sh', '-c', script], { env, timeout: INSTALL_MS_MAX });
}

async function onPath(file: string): Promise<string | undefined> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(dir, file);
    if (await access(path, constants.X_OK).then(isTrue, isFalse)) return path;
  }
  return undefined;
}

const isTrue = () => true;
const isFalse = () => false;

const dyingWithUs = canSetpriv() ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];

function canSetpriv(): boolean {
  try {
    execFileSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What to clear away when the process ends without teardowns. */
const running = new Set<ChildProcess>();
const folders = new Set<string>();
process.once('exit', () => {
  for (const server of running) server.kill('SIGKILL');
  for (const dir of folders) rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});
