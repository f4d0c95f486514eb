import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Way } from '../../common/client/client.js';
import type { TransportKind } from '../../common/net/client-door.js';

/** A cluster under test, started from a built checkout and thrown away afterwards. */
export interface BenchCluster {
  readonly msg: readonly ({ readonly host: string; readonly port: number } & Way)[];
  /** The HTTP interface, and a key that may do everything there. */
  readonly http: { readonly url: string; readonly key: string };
  /** Its folder: the database's URL, the master key. */
  readonly data: string;
  /** Server → pid, PostgreSQL's postmaster included. */
  readonly pids: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

export interface ClusterSize {
  readonly users: number;
  readonly msgServers: number;
  readonly dbProxies: number;
  readonly portOffset: number;
  readonly transport: TransportKind;
  /** Where each process leaves a CPU profile when it ends. */
  readonly profiles?: string | undefined;
}

const PROFILING = new URL('./profiling.js', import.meta.url).href;
const READY_MS_MAX = 120_000;

/** @param checkout a folder with a build in dist/ */
export async function startCluster(checkout: string, size: ClusterSize): Promise<BenchCluster> {
  const launcher = join(checkout, 'dist/tools/cluster.js');
  if (!existsSync(launcher)) throw new Error(`${launcher} is not there: run npm run build in ${checkout} first`);
  const data = await mkdtemp(join(tmpdir(), 'teamtalk-bench-'));
  const args = ['--json', '--data', data, '--port-offset', size.portOffset, '--demo-users', size.users];
  const tls = size.transport === 'tls' || size.transport === 'wss';
  const webSocket = size.transport === 'ws' || size.transport === 'wss';
  const more = ['--msg-servers', size.msgServers, '--db-proxies', size.dbProxies, ...(tls ? ['--tls'] : [])];
  const child = spawn(process.execPath, [launcher, ...[...args, ...more].map(String)], {
    cwd: checkout,
    env: {
      ...process.env,
      TT_LOG_LEVEL: 'warn',
      TT_MSG_SENDS_PER_SECOND: '1000000',
      TT_HTTP_MSG_REQUESTS_PER_MINUTE: '1000000',
      TT_MSG_DIRECTORY_CALLS_PER_MINUTE: '1000000',
      ...(size.profiles === undefined ? {} : { NODE_OPTIONS: `--import ${PROFILING}`, BENCH_PROFILES: size.profiles }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }
    await rm(data, { recursive: true, force: true });
  };
  try {
    const info = JSON.parse(await firstLine(child)) as {
      msg: string[];
      httpMsg: string;
      apiKey: string;
      tlsCertificate: string;
      pids: Record<string, number>;
    };
    const way = { tls, webSocket, ca: tls ? await readFile(info.tlsCertificate, 'utf8') : undefined };
    const msg = info.msg.map((address) => {
      const [host = '', port] = address.split(':');
      return { host, port: Number(port), ...way };
    });
    return { msg, http: { url: info.httpMsg, key: info.apiKey }, data, pids: info.pids, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const timer = setTimeout(() => reject(new Error('the cluster is not ready after 2 minutes')), READY_MS_MAX);
    createInterface({ input: child.stderr! }).on('line', (line) => said.push(line) > 20 && said.shift());
    createInterface({ input: child.stdout! }).once('line', (line) => {
      clearTimeout(timer);
      resolve(line);
    });
    child.once('exit', () => {
      clearTimeout(timer);
      reject(new Error(`the cluster did not start:\n${said.join('\n')}`));
    });
  });
}
