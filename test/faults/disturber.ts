import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/cluster.js';
import type { RunningCluster } from '../support/processes.js';
import { startTool } from '../support/tool.js';
import type { Random } from './random.js';

/** What is killed at the same moment; `any` number of a kind is chosen anew each time. */
const KINDS = {
  'db-proxy': ['any db-proxy'],
  'all db-proxies': ['db-proxy-1', 'db-proxy-2'],
  PostgreSQL: ['postgres'],
  msg: ['any msg'],
  route: ['route-1'],
  'db-proxy and msg': ['any db-proxy', 'any msg'],
  'PostgreSQL and route': ['postgres', 'route-1'],
  'msg and route': ['any msg', 'route-1'],
} as const satisfies Record<string, readonly string[]>;
export type DisturbanceKind = keyof typeof KINDS;
export const DISTURBANCES = Object.keys(KINDS) as DisturbanceKind[];

/** Of either kind. */
export const SERVERS = 2;
/** Everything is to be whole again by then; if not, it will never be. */
const WHOLE_MS_MAX = 90_000;
const RESUME_MS = 500;

export interface Disturbance {
  readonly kind: DisturbanceKind;
  /** Until everybody had the ack of a message sent since, and was told one, and what was killed was back. */
  readonly wholeMs: number;
}

/** Kills servers, one disturbance after the other. */
export class Killer {
  readonly done: Disturbance[] = [];
  readonly #cluster: RunningCluster;
  readonly #random: Random;
  readonly #flows: (sinceMs: number) => boolean;
  #left: DisturbanceKind[] = [];

  /** @param flows whether everybody has heard of something sent since then */
  constructor(cluster: RunningCluster, random: Random, flows: (sinceMs: number) => boolean) {
    this.#cluster = cluster;
    this.#random = random;
    this.#flows = flows;
  }

  /** Every kind had its turn. */
  get isThrough(): boolean {
    return new Set(this.done.map(({ kind }) => kind)).size === DISTURBANCES.length;
  }

  async next(): Promise<Disturbance> {
    if (this.#left.length === 0) this.#left = this.#random.shuffled(DISTURBANCES);
    const kind = this.#left.pop()!;
    const names = KINDS[kind].map((name) => name.replace(/^any (.*)$/, `$1-${1 + this.#random.below(SERVERS)}`));
    const startedMs = performance.now();
    const killed = new Map<string, number>();
    for (const name of names) killed.set(name, await this.#cluster.kill(name));
    const deadMs = performance.now() + 1; // what was sent in this very moment may have got through before
    await until(() => this.#flows(deadMs), `all to be whole after ${names.join(' and ')} were killed`, WHOLE_MS_MAX);
    for (const [name, pid] of killed) await this.#cluster.back(name, pid, WHOLE_MS_MAX);
    const disturbance = { kind, wholeMs: Math.round(performance.now() - startedMs) };
    this.done.push(disturbance);
    return disturbance;
  }
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
