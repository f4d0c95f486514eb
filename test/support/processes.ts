/**
 * The cluster as an operator has it: the launcher, and every server a process of its own, to be looked at, stopped and
 * killed from outside. In-process servers, for everything that needs no killing, are in support/cluster.ts.
 *
 * Nothing outlives the test: its teardown kills what is left, the end of the test's process does too, and where there is
 * setpriv the kernel ends the launcher when the test's process is killed.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../common/root.js';
import { COUNT_MAX, PORTS } from '../../tools/cluster/plan.js';
import type { Teardown } from './postgres.js';
import { until } from './until.js';

const READY_MS_MAX = 180_000;
const PORT_TRIES = 10;
/** Above it are the ports that the system gives to outgoing connections. */
const PORT_MAX = 32_767;
/** Ports of a kind that have to be free: more servers of a kind than this no test starts. */
const KIND_MAX = 4;

export interface LauncherOptions {
  /** Options of the launcher, without --data and --port-offset. Default: --json. */
  readonly args?: readonly string[];
  /** Settings in the environment. None of those that the test itself was started with are handed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** A folder of an earlier launch; default: an empty one, removed at the end of the test. */
  readonly data?: string;
  /** Default: one with all ports free, and another one should somebody else be faster. */
  readonly portOffset?: number;
}

/** What the launcher prints when all is ready, and keeps in data/cluster.json. */
export interface Info {
  readonly ready: true;
  readonly loginHttp: string;
  readonly loginTcp: string;
  readonly msg: readonly string[];
  readonly httpMsg: string;
  readonly apiKey: string | null;
  readonly file: string;
  readonly store: string;
  readonly tlsCertificate: string | null;
  readonly admin: string;
  readonly adminLogin: { readonly user: string; readonly password: string } | null;
  readonly metrics: Readonly<Record<string, string>>;
  readonly pids: Readonly<Record<string, number>>;
}

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A launcher that was started, whether it will be ready or not. */
export class Launcher {
  readonly data: string;
  readonly portOffset: number;
  readonly pid: number;
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  /** Resolves when the launcher itself has ended and all that it said is in `stdout` and `stderr`. */
  readonly exited: Promise<End>;
  readonly #process: ChildProcess;
  #ended = false;

  constructor(data: string, portOffset: number, { args = ['--json'], env = {} }: LauncherOptions) {
    this.data = data;
    this.portOffset = portOffset;
    const main = join(projectRoot, 'dist/tools/cluster.js');
    const words = [process.execPath, '--enable-source-maps', main, '--data', data, '--port-offset', `${portOffset}`];
    const [file, ...rest] = [...dyingWithUs, ...words, ...args];
    // A process group of its own, as a shell gives it, so that a test can press Ctrl-C.
    this.#process = spawn(file!, rest, { env: { ...ownEnvironment(), ...env }, stdio: 'pipe', detached: true });
    this.pid = this.#process.pid!;
    const read = [collect(this.#process.stdout!, this.stdout), collect(this.#process.stderr!, this.stderr)];
    this.exited = once(this.#process, 'exit').then(async ([code, signal]) => {
      this.#ended = true;
      // Servers share the launcher's end of no pipe, so both streams end with it.
      await Promise.all(read);
      return { code, signal };
    });
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** The announcement, out of the first line on stdout. @throws an Error with what the launcher said when it ends instead. */
  async ready(): Promise<Info> {
    await until(() => this.stdout.length > 0 || this.#ended, 'the launcher to be ready', READY_MS_MAX);
    if (this.stdout.length === 0) {
      await this.exited;
      throw new Error(`the launcher ended before it was ready:\n${this.stderr.slice(-20).join('\n')}`);
    }
    return JSON.parse(this.stdout[0]!) as Info;
  }

  /** What data/cluster.json says now: the pids change when something was started again. */
  async state(): Promise<Info> {
    return JSON.parse(await readFile(join(this.data, 'cluster.json'), 'utf8')) as Info;
  }

  /** Sends a signal to one of the servers or to `postgres`. @returns the pid that got it. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    const pid = (await this.state()).pids[name];
    if (pid === undefined) throw new Error(`there is no ${name}`);
    process.kill(pid, signal);
    return pid;
  }

  /** Sends a signal to one of them and to every process below it: all of PostgreSQL, say. */
  async killTree(name: string, signal: NodeJS.Signals): Promise<void> {
    signalTree((await this.state()).pids[name]!, signal);
  }

  /** Waits until a server that ran under this pid runs under another one. @returns that. */
  async back(name: string, pidBefore: number, ms = 30_000): Promise<number> {
    const running = async () => (await this.state()).pids[name]!;
    await until(async () => (await running()) !== pidBefore, `${name} to be started again`, ms);
    return running();
  }

  /** Sends a signal to the launcher alone. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Sends a signal to the launcher and all servers at once, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** The launcher's pid and those of all processes that it has started, PostgreSQL's included, as long as it lives. */
  pids(): number[] {
    return treeOf(this.pid);
  }

  /** What has not ended: servers, whoever is their parent by now, and PostgreSQL. */
  leftovers(): number[] {
    const servers = listProcesses().filter((each) => each.group === this.pid);
    const holder = this.#firstNumber('launcher.lock');
    const isOurs = Number.isNaN(holder) || holder === this.pid;
    const postgres = isOurs ? treeOf(this.#firstNumber('data/postmaster.pid')) : [];
    return [...servers.map((each) => each.pid), ...postgres].filter(isAlive);
  }

  /** Asks the launcher to stop all. @returns how it ended and how long that took, in ms. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<End & { readonly ms: number }> {
    const startedMs = performance.now();
    if (!this.#ended) this.signal(signal);
    return { ...(await this.exited), ms: performance.now() - startedMs };
  }

  /** Ends everything at once and for good, however the launcher was left. */
  async destroy(): Promise<void> {
    const left = this.#ended ? [] : this.pids();
    this.destroyNow();
    await this.exited;
    await until(() => left.every((pid) => !isAlive(pid)), 'all processes of a launcher to be gone');
  }

  destroyNow(): void {
    sendIfThere(-this.pid, 'SIGKILL');
    if (this.#firstNumber('launcher.lock') !== this.pid) return; // no PostgreSQL of its own, or another launcher's by now
    for (const pid of treeOf(this.#firstNumber('data/postmaster.pid'))) sendIfThere(pid, 'SIGKILL');
  }

  /** The pid that a file of PostgreSQL's folder begins with. */
  #firstNumber(path: string): number {
    try {
      return Number.parseInt(readFileSync(join(this.data, 'postgres', path), 'utf8'), 10);
    } catch {
      return Number.NaN;
    }
  }
}

/** A cluster that is up. */
export interface RunningCluster extends Launcher {
  readonly info: Info;
}

/** Starts the launcher without waiting for anything. */
export async function launch(t: Teardown, options: LauncherOptions = {}): Promise<Launcher> {
  const data = options.data ?? (await temporaryData(t));
  const launcher = new Launcher(data, options.portOffset ?? (await freePortOffset()), options);
  launched.add(launcher);
  t.teardown(async () => {
    await launcher.destroy();
    launched.delete(launcher);
  });
  return launcher;
}

/** Starts a cluster, `--json` included in its options, and waits until it is ready. */
export async function startProcesses(t: Teardown, options: LauncherOptions = {}): Promise<RunningCluster> {
  const data = options.data ?? (await temporaryData(t));
  const args = ['--json', ...(options.args ?? [])];
  for (let left = PORT_TRIES; ; left--) {
    const launcher = await launch(t, { ...options, data, args });
    try {
      return Object.assign(launcher, { info: await launcher.ready() });
    } catch (error) {
      const taken = /another process listens there|is taken/.test((error as Error).message);
      if (left === 0 || options.portOffset !== undefined || !taken) throw error;
    }
  }
}

/** An empty folder for a launcher's data. Removed at the end of the test. */
export async function temporaryData(t: Teardown): Promise<string> {
  // Named like the copies of support/postgres.ts, which sweeps up what killed test processes left.
  const data = await mkdtemp(join(tmpdir(), `teamtalk-test-pg-${process.pid}-cluster-`));
  folders.add(data);
  t.teardown(async () => {
    await rm(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    folders.delete(data);
  });
  return data;
}

/** An offset under which every port of a launcher is free right now. */
export async function freePortOffset(): Promise<number> {
  const max = PORT_MAX - Math.max(...Object.values(PORTS)) - COUNT_MAX.dbProxies;
  for (;;) {
    const offset = 500 + Math.floor(Math.random() * (max - 500));
    const wanted = Object.values(PORTS).flatMap((port) =>
      Array.from({ length: KIND_MAX }, (_, i) => port + offset + i),
    );
    const ports = [...new Set(wanted)]; // those of two kinds of doors of one server are neighbours
    const free = await Promise.all(ports.map(canListen));
    if (free.every((each) => each)) return offset;
  }
}

/** A zombie, waiting for a parent that never collects it, is dead: it has no command line any more. */
export function isAlive(pid: number): boolean {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const probe = createServer();
    probe.once('error', () => settle(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => settle(true)));
  });
}

interface Listed {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
}

function listProcesses(): Listed[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [pid, parent, group] = line.trim().split(/\s+/).map(Number) as [number, number, number];
    return { pid, parent, group };
  });
}

/** The process and all below it that are alive. */
function treeOf(root: number): number[] {
  const listed = listProcesses();
  const parents = new Map(listed.map(({ pid, parent }) => [pid, parent]));
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || isBelow(parents.get(pid)));
  return listed.map(({ pid }) => pid).filter((pid) => isBelow(pid) && isAlive(pid));
}

/** To a process and to every one below it. */
export function signalTree(root: number, signal: NodeJS.Signals): void {
  for (const pid of treeOf(root)) sendIfThere(pid, signal);
}

function sendIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function collect(stream: NodeJS.ReadableStream, lines: string[]): Promise<void> {
  const reader = createInterface({ input: stream });
  reader.on('line', (line) => lines.push(line));
  await once(reader, 'close');
}

/** Without the settings of whoever runs the tests. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(TT_|DATABASE_URL$|PG|NODE_OPTIONS$)/.test(name));
  return Object.fromEntries(kept);
}

const dyingWithUs = canRun('setpriv', '--pdeathsig', 'TERM', '--', 'true')
  ? ['setpriv', '--pdeathsig', 'TERM', '--']
  : [];

function canRun(file: string, ...args: string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What to clear away when the process ends without teardowns. */
const launched = new Set<Launcher>();
const folders = new Set<string>();
process.once('exit', () => {
  for (const launcher of launched) launcher.destroyNow();
  for (const data of folders) rmSync(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});
