import { setTimeout as delay } from 'node:timers/promises';
import type { FaultProxy } from '../support/fault-proxy.js';
import type { PostgresPair } from '../support/postgres-pair.js';
import { type RunningCluster, signalTree } from '../support/processes.js';
import { mastersOf, type TestRedis } from '../support/redis.js';
import { startTool } from '../support/tool.js';
import { until } from '../support/until.js';
import type { Random } from './random.js';

/** What is killed at the same moment; `any` number of a kind is chosen anew each time. */
const KILLED = {
  'db-proxy': ['any db-proxy'],
  'all db-proxies': ['db-proxy-1', 'db-proxy-2'],
  PostgreSQL: ['postgres'],
  msg: ['any msg'],
  route: ['any route'],
  'all route servers': ['route-1', 'route-2'],
  'db-proxy and msg': ['any db-proxy', 'any msg'],
  'PostgreSQL and route': ['postgres', 'any route'],
  'msg and route': ['any msg', 'any route'],
} as const satisfies Record<string, readonly string[]>;
/** Stands still for some seconds, and goes on as if nothing had been. */
const PAUSED = {
  'db-proxy paused': 'any db-proxy',
  'route paused': 'any route',
  'msg paused': 'any msg',
  'PostgreSQL paused': 'postgres',
} as const satisfies Record<string, string>;
/** Between msg servers and one route server or db-proxy, for some seconds. */
const NETWORK = {
  'network parted': (proxy) => proxy.part(),
  'network parted one way': (proxy) => proxy.part('back'),
  'network slow': (proxy) => {
    proxy.latencyMs = 100;
  },
  'network narrow': (proxy) => {
    proxy.bytesPerSecond = 50_000;
  },
  'connections reset': (proxy) => proxy.reset(),
  'connections half open': (proxy) => proxy.forget(),
  'network slow, then reset': (proxy) => {
    proxy.latencyMs = 2_500;
  },
} as const satisfies Record<string, (proxy: FaultProxy) => void>;
/** Of the primary and its replica, where a failover manager has to act. */
const POSTGRES = ['PostgreSQL fails over', 'PostgreSQL replica'] as const;
const REDIS = ['Redis flushed', 'Redis master fails over', 'Redis node paused', 'all of Redis'] as const;

type Killed = keyof typeof KILLED;
type Paused = keyof typeof PAUSED;
type Network = keyof typeof NETWORK;
type OfPostgres = (typeof POSTGRES)[number];
type OfRedis = (typeof REDIS)[number];
export type DisturbanceKind = Killed | Paused | Network | OfPostgres | OfRedis;
export const DISTURBANCES = [
  ...(Object.keys(KILLED) as Killed[]),
  ...(Object.keys(PAUSED) as Paused[]),
  ...(Object.keys(NETWORK) as Network[]),
  ...POSTGRES,
  ...REDIS,
];

/** Of a kind. */
export const SERVERS = 2;
/** Everything is to be whole again by then; if not, it will never be. */
const WHOLE_MS_MAX = 90_000;
const RESUME_MS = 500;

export interface Disturbance {
  readonly kind: DisturbanceKind;
  /** Until everybody had the ack of a message sent since its end, and was told one, and what was killed was back. */
  readonly wholeMs: number;
}

export interface Disturbed {
  readonly cluster: RunningCluster;
  readonly postgres: PostgresPair;
  /** Before db-proxies and route servers. */
  readonly proxies: readonly FaultProxy[];
  /** Nodes of the Redis Cluster; none: there is no Redis to be had. */
  readonly redis: readonly TestRedis[];
  readonly random: Random;
  /** Whether everybody has heard of something sent since then. */
  flows(sinceMs: number): boolean;
}

/** Kills servers and does other harm, one disturbance after the other. */
export class Disturber {
  readonly done: Disturbance[] = [];
  readonly #it: Disturbed;
  readonly #kinds: readonly DisturbanceKind[];
  #left: DisturbanceKind[] = [];

  constructor(it: Disturbed) {
    this.#it = it;
    this.#kinds = it.redis.length > 0 ? DISTURBANCES : DISTURBANCES.filter((kind) => !isOf(kind, REDIS));
  }

  /** Every kind had its turn. */
  get isThrough(): boolean {
    return new Set(this.done.map(({ kind }) => kind)).size === this.#kinds.length;
  }

  async next(): Promise<Disturbance> {
    const { random, flows } = this.#it;
    if (this.#left.length === 0) this.#left = random.shuffled(this.#kinds);
    const kind = this.#left.pop()!;
    const startedMs = performance.now();
    const whole = await this.#disturb(kind);
    const overMs = performance.now() + 1; // what was sent in this very moment may have got through before
    await until(() => flows(overMs), `all to be whole after "${kind}"`, WHOLE_MS_MAX);
    await whole();
    const disturbance = { kind, wholeMs: Math.round(performance.now() - startedMs) };
    this.done.push(disturbance);
    if (kind === 'PostgreSQL fails over') await this.#it.postgres.copyAnew();
    return disturbance;
  }

  /** @returns what has to be so before the next one */
  #disturb(kind: DisturbanceKind): Promise<() => Promise<unknown>> {
    if (isOneOf(kind, KILLED)) return this.#kill(KILLED[kind].map((name) => this.#nameOf(name)));
    if (isOneOf(kind, PAUSED)) return this.#pause(this.#nameOf(PAUSED[kind]));
    if (isOneOf(kind, NETWORK)) return this.#network(kind);
    return isOf(kind, POSTGRES) ? this.#postgres(kind) : this.#redis(kind);
  }

  async #kill(names: readonly string[]): Promise<() => Promise<unknown>> {
    const { cluster, postgres } = this.#it;
    const killed = new Map<string, number>();
    for (const name of names.filter((each) => each !== 'postgres')) killed.set(name, await cluster.kill(name));
    if (names.includes('postgres')) {
      await postgres.primary.kill();
      await postgres.primary.start();
    }
    return () => Promise.all([...killed].map(([name, pid]) => cluster.back(name, pid, WHOLE_MS_MAX)));
  }

  async #pause(name: string): Promise<() => Promise<unknown>> {
    const { cluster, postgres } = this.#it;
    const pid = name === 'postgres' ? postgres.primary.pid : (await cluster.state()).pids[name]!;
    signalTree(pid, 'SIGSTOP');
    await delay(this.#someSeconds());
    signalTree(pid, 'SIGCONT');
    return nothing;
  }

  async #network(kind: Network): Promise<() => Promise<unknown>> {
    const proxy = this.#it.random.of(this.#it.proxies);
    NETWORK[kind](proxy);
    await delay(this.#someSeconds());
    if (kind === 'network slow, then reset') proxy.reset();
    proxy.heal();
    return nothing;
  }

  async #postgres(kind: OfPostgres): Promise<() => Promise<unknown>> {
    const { postgres } = this.#it;
    if (kind === 'PostgreSQL fails over') {
      await postgres.primary.kill();
      await postgres.promote();
    } else {
      await postgres.loseReplica();
      await delay(this.#someSeconds());
      await postgres.regainReplica();
    }
    return nothing;
  }

  async #redis(kind: OfRedis): Promise<() => Promise<unknown>> {
    const { redis, random } = this.#it;
    if (kind === 'Redis flushed') for (const node of await mastersOf(redis)) await node.ask('FLUSHALL');
    else if (kind === 'Redis node paused') {
      const node = random.of(redis);
      node.pause();
      await delay(this.#someSeconds());
      node.resume();
    } else if (kind === 'all of Redis') {
      for (const node of redis) await node.kill();
      await delay(this.#someSeconds());
      for (const node of redis) await node.start();
    } else {
      const masters = await mastersOf(redis);
      const master = random.of(masters);
      await master.kill();
      const others = redis.filter((node) => node !== master);
      const isReplaced = async () => (await mastersOf(others)).length === masters.length;
      await until(isReplaced, 'a replica to take over from a master of Redis', WHOLE_MS_MAX);
      return () => master.start();
    }
    return nothing;
  }

  #nameOf(name: string): string {
    return name.replace(/^any (.*)$/, `$1-${1 + this.#it.random.below(SERVERS)}`);
  }

  /** Sometimes shorter than what a server is given up after, sometimes longer. */
  #someSeconds(): number {
    return 2_000 + this.#it.random.below(6_000);
  }
}

const nothing = () => Promise.resolve();

function isOneOf<K extends string>(kind: string, kinds: Readonly<Record<K, unknown>>): kind is K {
  return Object.hasOwn(kinds, kind);
}

function isOf<K extends DisturbanceKind>(kind: DisturbanceKind, kinds: readonly K[]): kind is K {
  return (kinds as readonly DisturbanceKind[]).includes(kind);
}

/** Moves buckets to and fro, as an operator does; some of the movers are killed, and their moves taken up. */
export class Mover {
  moved = 0;
  killed = 0;
  /** Runs of the tool that could not do all, as PostgreSQL was away. */
  failed = 0;
  readonly #data: string;
  readonly #random: Random;
  readonly #buckets: readonly number[];
  readonly #shards: readonly string[];
  #stopped = false;
  #running: Promise<void> | undefined;

  /** @param buckets those that are worth moving */
  constructor(data: string, random: Random, buckets: readonly number[], shards: readonly string[]) {
    this.#data = data;
    this.#random = random;
    this.#buckets = buckets;
    this.#shards = shards;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends with no move under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const buckets = this.#random.shuffled(this.#buckets).slice(0, 4);
      const words = ['move', buckets.join(','), '--to', this.#random.of(this.#shards)];
      const dies = this.#random.below(3) === 0;
      let whole = await this.#tool(words, dies ? 400 + this.#random.below(800) : undefined);
      while (!whole) {
        await delay(RESUME_MS);
        whole = await this.#tool(['resume']);
      }
      if (!this.#stopped) await delay(500 + this.#random.below(1_000));
    }
  }

  /** @returns whether it has ended well */
  async #tool(words: readonly string[], diesAfterMs?: number): Promise<boolean> {
    const tool = startTool('shards', [...words, '--data', this.#data]);
    const killer = diesAfterMs === undefined ? undefined : setTimeout(() => tool.process.kill('SIGKILL'), diesAfterMs);
    const { code, signal, stdout } = await tool.ended;
    clearTimeout(killer);
    this.moved += stdout.split('\n').filter((line) => / → /.test(line)).length;
    if (signal !== null) this.killed++;
    else if (code !== 0) this.failed++;
    return code === 0;
  }
}
