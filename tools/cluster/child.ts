import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../common/root.js';
import type { Planned } from './plan.js';

/** Addresses of other servers that the environment names come before those of the plan: something may stand in between. */
const ADDRESSES = ['TT_MSG_ROUTE_SERVERS', 'TT_MSG_DB_PROXIES'];
const START_MS_MAX = 30_000;
const RESTART_MS_FIRST = 200;
const RESTART_MS_MAX = 5_000;
/** A server that ran for so long is not in a crash loop. */
const STEADY_MS = 30_000;

export interface ChildOwner {
  /** A line that the server logged. */
  line(name: string, line: string): void;
  /** It crashed and comes back in `ms`. */
  crashed(name: string, how: string, ms: number): void;
  /** It is up again, under this pid. */
  restarted(name: string, pid: number): void;
}

/** One server process: started, watched, started again when it crashes, stopped. */
/**
 * As in docker/entrypoint.sh and docker/systemd. One thread for the collection of garbage beside the main one: the four
 * that are usual take all cores of a small machine from the servers whenever one of them collects.
 */
const NODE_FLAGS = ['--enable-source-maps', '--v8-pool-size=1'];

export class Child {
  readonly planned: Planned;
  readonly #owner: ChildOwner;
  #process: ChildProcess | undefined;
  #pid: number | undefined;
  #stopping = false;
  #crashes = 0;
  #startedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(planned: Planned, owner: ChildOwner) {
    this.planned = planned;
    this.#owner = owner;
  }

  /** Of the process that was ready last: one that is still starting is not there yet. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Resolves when it can be reached. @throws an Error that says why it cannot start. */
  async start(): Promise<void> {
    const { name, server, env } = this.planned;
    const main = join(projectRoot, 'dist/servers', server, 'main.js');
    const given = Object.fromEntries(ADDRESSES.flatMap((key) => (process.env[key] ? [[key, process.env[key]]] : [])));
    const child = fork(main, {
      env: { ...process.env, ...env, ...given },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: NODE_FLAGS,
    });
    this.#process = child;
    this.#startedMs = performance.now();
    const words: string[] = [];
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (stream === child.stderr) words.push(line);
        this.#owner.line(name, line);
      });
    }
    await ready(child, () => words.join('\n'));
    this.#pid = child.pid;
    child.once('exit', (code, signal) => this.#exited(signal ?? `exit code ${code}`));
    if (child.exitCode !== null || child.signalCode !== null) this.#exited('right after its start');
  }

  /** From now on its ending is no crash. */
  expectEnd(): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
  }

  /** Ends within the time; a server that does not is killed. */
  async stop(msMax: number): Promise<void> {
    this.expectEnd();
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    const killer = setTimeout(() => child.kill('SIGKILL'), msMax);
    child.kill('SIGTERM');
    await gone;
    clearTimeout(killer);
  }

  #exited(how: string): void {
    if (this.#stopping) return;
    this.#crashes = performance.now() - this.#startedMs > STEADY_MS ? 1 : this.#crashes + 1;
    const ms = Math.min(RESTART_MS_FIRST * 2 ** (this.#crashes - 1), RESTART_MS_MAX);
    this.#owner.crashed(this.planned.name, how, ms);
    this.#timer = setTimeout(() => {
      this.start().then(
        () => this.#owner.restarted(this.planned.name, this.pid!),
        (error: Error) => this.#exited(error.message),
      );
    }, ms);
  }
}

interface Word {
  readonly ready?: boolean;
  readonly error?: string;
}

function ready(child: ChildProcess, words: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => fail(`not ready after ${START_MS_MAX / 1000} s`), START_MS_MAX);
    let said: string | undefined;
    const exited = (code: number | null, signal: NodeJS.Signals | null) =>
      fail(said ?? (words() || `ended at once (${signal ?? `exit code ${code}`})`));
    const fail = (why: string) => {
      clearTimeout(late);
      child.off('exit', exited); // this one only: a stop may be waiting for the exit too
      child.kill('SIGKILL');
      reject(new Error(why));
    };
    child.on('message', (word: Word) => {
      if (word.ready === true) {
        clearTimeout(late);
        child.off('exit', exited);
        resolve();
      } else said = word.error;
    });
    child.once('error', (error) => fail(error.message));
    child.once('exit', exited);
  });
}
