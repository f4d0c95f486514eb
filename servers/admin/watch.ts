import { get, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../../common/settings.js';
import type { Figures, ServerFigures } from './api.js';
import { parseMetrics, type Sample } from './metrics-page.js';

/** Between two looks: while somebody watches, and otherwise, so that a chart begins with a past. */
const WATCHED_MS = 2_000;
const IDLE_MS = 10_000;
/** From one server to the next: on one machine they would else all be at it at once, for 30 ms. */
const APART_MS = 20;
/** From the first to the last. */
const ROUND_MS_MAX = 400;
const KEPT = 300;
const ANSWER_MS_MAX = 1_500;
const PAGE_SIZE_MAX = 4 * 1024 * 1024;

interface Look {
  readonly place: string;
  readonly samples: readonly Sample[];
  readonly problem: string | undefined;
}

/** Looks at the figures of all servers again and again, and keeps the last ones. */
export class Watch {
  readonly #targets: readonly HostPort[];
  readonly #watchers = new Set<(figures: Figures) => void>();
  readonly #kept: Figures[] = [];
  #before: { readonly atMs: number; readonly samples: readonly Sample[] } | undefined;
  /** What a server that is down was called when it was up. */
  readonly #names = new Map<string, { name: string; role: string }>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(targets: readonly HostPort[]) {
    this.#targets = targets;
    void this.#look();
  }

  /** Oldest first. */
  get past(): readonly Figures[] {
    return this.#kept;
  }
  get watchers(): number {
    return this.#watchers.size;
  }

  /** Name and role of the server there, as far as it ever answered. */
  nameAt(place: string): { readonly name: string; readonly role: string } {
    return this.#names.get(place) ?? { name: place, role: '' };
  }

  /** All figures, at most as old as what a page that watches gets. */
  async samples(): Promise<readonly Sample[]> {
    if (this.#before === undefined || Date.now() - this.#before.atMs > WATCHED_MS) await this.#look();
    return this.#before?.samples ?? [];
  }

  /** Hears of every look from now on. @returns how to stop it */
  subscribe(hear: (figures: Figures) => void): () => void {
    this.#watchers.add(hear);
    if (this.#watchers.size === 1) void this.#look();
    return () => this.#watchers.delete(hear);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** One look at a time; the next one follows by itself. */
  #look(): Promise<void> {
    clearTimeout(this.#timer);
    this.#looking ??= this.#lookAround().finally(() => {
      this.#looking = undefined;
      if (this.#closed) return;
      this.#timer = setTimeout(() => void this.#look(), this.#watchers.size > 0 ? WATCHED_MS : IDLE_MS);
    });
    return this.#looking;
  }

  /** Each server always has its turn as long after the first one, so that rates come out right. */
  async #lookAround(): Promise<void> {
    const atMs = Date.now();
    const apartMs = Math.min(APART_MS, ROUND_MS_MAX / this.#targets.length);
    const looks = await Promise.all(
      this.#targets.map(async (target, i) => {
        await delay(i * apartMs);
        return lookAt(target);
      }),
    );
    const now = { atMs, samples: looks.flatMap((look) => look.samples) };
    const figures = figuresOf(
      now,
      this.#before,
      looks.map((look) => this.#serverOf(look, now.atMs)),
    );
    this.#before = now;
    this.#kept.push(figures);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const hear of this.#watchers) hear(figures);
  }

  #serverOf({ place, samples, problem }: Look, atMs: number): ServerFigures {
    const { server, role } = samples[0]?.labels ?? {};
    if (server !== undefined && role !== undefined) this.#names.set(place, { name: server, role });
    const known = this.nameAt(place);
    const value = (name: string) => samples.find((sample) => sample.name === name)?.value;
    const cpu = value('process_cpu_seconds_total');
    const before = this.#before;
    const cpuBefore = before?.samples.find(
      (sample) => sample.name === 'process_cpu_seconds_total' && sample.labels.server === known.name,
    )?.value;
    const started = value('process_start_time_seconds');
    return {
      ...known,
      address: place,
      up: samples.length > 0,
      ...(problem === undefined ? {} : { problem }),
      ...optional('memoryBytes', value('process_resident_memory_bytes')),
      ...optional('startedMs', started === undefined ? undefined : started * 1000),
      ...optional(
        'cpuShare',
        cpu === undefined || cpuBefore === undefined || before === undefined || cpu < cpuBefore
          ? undefined
          : ((cpu - cpuBefore) * 1000) / (atMs - before.atMs),
      ),
    };
  }
}

async function lookAt({ host, port }: HostPort): Promise<Look> {
  const place = placeOf({ host, port });
  try {
    const [page, ready] = await Promise.all([textOf(`http://${place}/metrics`), textOf(`http://${place}/readyz`)]);
    return {
      place,
      samples: parseMetrics(page.text),
      problem: ready.status === 200 ? undefined : ready.text.trim().slice(0, 200),
    };
  } catch (error) {
    return { place, samples: [], problem: (error as Error).message };
  }
}

export function placeOf({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A page of an ops port. */
export async function textOf(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string }> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { headers, signal }, resolve).on('error', reject);
    });
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk;
      if (text.length > PAGE_SIZE_MAX) throw new Error('the page is too long');
    }
    return { status: response.statusCode!, text };
  } catch (error) {
    throw signal.aborted ? signal.reason : error; // else it would not say that the time was over
  }
}

type Samples = readonly Sample[];

/** Sums over all servers; rates and times are of what came between the look before and this one. */
export function figuresOf(
  now: { readonly atMs: number; readonly samples: Samples },
  before: { readonly atMs: number; readonly samples: Samples } | undefined,
  servers: readonly ServerFigures[],
): Figures {
  const seconds = before === undefined ? 0 : (now.atMs - before.atMs) / 1000;
  const grown = growth(now.samples, before?.samples ?? now.samples);
  const rate = (name: string) => (seconds === 0 ? 0 : (grown.get(name) ?? 0) / seconds);
  const buckets = bucketsOf(now.samples, before?.samples ?? now.samples, 'teamtalk_message_ack_seconds_bucket');
  const sessionsByClient: Record<string, number> = {};
  for (const { name, labels, value } of now.samples)
    if (name === 'teamtalk_sessions_by_client' && labels.client !== undefined)
      sessionsByClient[labels.client] = (sessionsByClient[labels.client] ?? 0) + value;
  return {
    atMs: now.atMs,
    servers,
    sessions: sum(now.samples, 'teamtalk_sessions'),
    sessionsByClient,
    messagesPerSecond: rate('teamtalk_messages_stored_total'),
    loginsPerSecond: rate('teamtalk_logins_total'),
    unackedPerSecond: rate('teamtalk_messages_unacked_total'),
    ...optional('ackP50Ms', quantile(buckets, 0.5)),
    ...optional('ackP99Ms', quantile(buckets, 0.99)),
    appendWaiting: sum(now.samples, 'teamtalk_append_waiting'),
    asksOpen: sum(now.samples, 'teamtalk_db_proxy_asks_open'),
  };
}

function sum(samples: Samples, name: string): number {
  return samples.reduce((total, sample) => (sample.name === name ? total + sample.value : total), 0);
}

/** By name, how much all counters grew. One that is new, or smaller than before, began anew with its server. */
function growth(now: Samples, before: Samples): Map<string, number> {
  const old = new Map(before.map((sample) => [keyOf(sample), sample.value]));
  const grown = new Map<string, number>();
  for (const sample of now) {
    const was = old.get(keyOf(sample)) ?? 0;
    const by = sample.value >= was ? sample.value - was : sample.value;
    grown.set(sample.name, (grown.get(sample.name) ?? 0) + by);
  }
  return grown;
}

function keyOf({ name, labels }: Sample): string {
  return `${name}${JSON.stringify(labels)}`;
}

/** By upper bound in seconds: how many observations up to it came between the two looks. */
function bucketsOf(now: Samples, before: Samples, name: string): [number, number][] {
  const old = new Map(before.filter((sample) => sample.name === name).map((sample) => [keyOf(sample), sample.value]));
  const byBound = new Map<number, number>();
  for (const sample of now.filter((each) => each.name === name)) {
    const bound = Number(sample.labels.le === '+Inf' ? Number.POSITIVE_INFINITY : sample.labels.le);
    const by = Math.max(0, sample.value - (old.get(keyOf(sample)) ?? 0));
    byBound.set(bound, (byBound.get(bound) ?? 0) + by);
  }
  return [...byBound].sort(([a], [b]) => a - b);
}

/** In ms, within its bucket taken as spread evenly. Undefined: nothing was observed. */
export function quantile(buckets: readonly (readonly [number, number])[], q: number): number | undefined {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return undefined;
  let [low, below] = [0, 0];
  for (const [bound, upTo] of buckets) {
    if (upTo >= q * total) {
      if (bound === Number.POSITIVE_INFINITY) return low * 1000;
      return (low + ((bound - low) * (q * total - below)) / Math.max(1, upTo - below)) * 1000;
    }
    [low, below] = [bound, upTo];
  }
  return undefined;
}

function optional<K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: number });
}
