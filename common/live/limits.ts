import type { Counter } from 'prom-client';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { Rate } from './bucket.js';
import { SettingsFollower, type StoredSetting } from './follower.js';
import {
  LIMIT_NAMES,
  LIMIT_PREFIX,
  type Limit,
  type LimitName,
  limitSchema,
  type NamedLimit,
  namedLimits,
  type ServerLimits,
} from './named-limits.js';

/**
 * The named limits of one server: as its settings say, unless the administration says otherwise while it runs. Whoever
 * holds somebody back says so by `hit`.
 */
export class Limits<Server extends NamedLimit['server']> {
  readonly #own: Readonly<Record<ServerLimits<Server>, number>>;
  readonly #set = new Map<LimitName, Limit>();
  /** What was heard last, as JSON. */
  readonly #heardLast = new Map<LimitName, string>();
  #hits: Counter<'limit'> | undefined;
  #follower: SettingsFollower | undefined;

  /** @param own sizes by the settings of this server */
  constructor(own: Readonly<Record<ServerLimits<Server>, number>>) {
    this.#own = own;
  }

  size(name: ServerLimits<Server>): number {
    return this.#set.get(name)?.size ?? this.#own[name];
  }

  rate(name: ServerLimits<Server>): Rate {
    const { refillMs }: NamedLimit = namedLimits[name];
    return { size: this.size(name), refillMs: this.#set.get(name)?.refillMs ?? refillMs! };
  }

  hit(name: ServerLimits<Server>): void {
    this.#hits?.inc({ limit: name });
  }

  /** Takes up what is set from now on. */
  follow(ask: (prefix: string) => Promise<readonly StoredSetting[]>, log: Logger): void {
    this.#follower = new SettingsFollower(
      () => ask(LIMIT_PREFIX),
      (values) => this.#heard(values, log),
      log,
    );
  }

  show(metrics: Metrics): void {
    const mine = LIMIT_NAMES.filter((name) => name in this.#own) as ServerLimits<Server>[];
    const byName = (names: readonly ServerLimits<Server>[], of: (name: ServerLimits<Server>) => number) =>
      new Map(names.map((name) => [name as string, of(name)]));
    metrics.gauges('limit_size', 'Limits by name: what a bucket holds, or the bound', 'limit', () =>
      byName(mine, (name) => this.size(name)),
    );
    const rates = mine.filter((name) => 'refillMs' in namedLimits[name]);
    metrics.gauges('limit_refill_seconds', 'Limits by name: how long an empty bucket takes to be full', 'limit', () =>
      byName(rates, (name) => this.rate(name).refillMs / 1000),
    );
    this.#hits = metrics.counter('limit_hits_total', 'How often a limit held somebody back', ['limit']);
    for (const name of mine) this.#hits.inc({ limit: name }, 0);
  }

  close(): void {
    this.#follower?.close();
  }

  #heard(values: ReadonlyMap<string, unknown>, log: Logger): void {
    for (const name of LIMIT_NAMES) {
      if (!(name in this.#own)) continue;
      const value = values.get(`${LIMIT_PREFIX}${name}`);
      const json = JSON.stringify(value) ?? '';
      if (json === (this.#heardLast.get(name) ?? '')) continue;
      this.#heardLast.set(name, json);
      const parsed = limitSchema(name).safeParse(value);
      if (parsed.success) this.#set.set(name, parsed.data);
      else this.#set.delete(name);
      if (value !== undefined && !parsed.success)
        log.warn({ limit: name, value }, 'no such limit; left at the default');
      else log.info({ limit: name, size: this.size(name as ServerLimits<Server>) }, 'a limit was changed');
    }
  }
}
