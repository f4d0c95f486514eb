import { statSync } from 'node:fs';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Figures of the library that look at each open socket, 26 ms with 16,000 of them: at every look everybody waits. */
const DEAR = [
  'process_open_fds',
  ...['resources', 'handles', 'requests'].flatMap((kind) => [`nodejs_active_${kind}`, `nodejs_active_${kind}_total`]),
];

/**
 * How often the library looks whether the event loop is late, in ms, which is also what it shows when nothing is late. Its own
 * 10 ms wake each server a hundred times a second for nothing: eight servers and PostgreSQL took 9.0 % of a core while
 * nothing went on, and take 6.6 % with 50.
 */
export const LAG_LOOK_MS = 50;

/** @returns undefined where the kernel does not count them, as Linux does since 6.2 */
function openFiles(): number | undefined {
  try {
    return statSync('/proc/self/fd').size || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Counters and timings of one server, one page for Prometheus to scrape. Names begin with `teamtalk_`, end in their
 * unit, and have labels with few values only: a label per user would make a series per user.
 */
export class Metrics {
  readonly registry = new Registry();

  constructor(server: string, role: string) {
    this.registry.setDefaultLabels({ server, role });
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: LAG_LOOK_MS });
    for (const name of DEAR) this.registry.removeSingleMetric(name);
    if (openFiles() === undefined) return;
    const files: Gauge = new Gauge({
      name: 'process_open_fds',
      help: 'Number of open file descriptors.',
      registers: [this.registry],
      collect: () => files.set(openFiles() ?? 0),
    });
  }

  counter<Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return new Counter({ name: `teamtalk_${name}`, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  /** A number read when the page is asked for. */
  gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name: `teamtalk_${name}`,
      help,
      registers: [this.registry],
      collect: () => gauge.set(read()),
    });
  }

  /** Numbers by the values of a label, read when the page is asked for. */
  gauges(name: string, help: string, label: string, read: () => ReadonlyMap<string, number>): void {
    const gauge: Gauge<string> = new Gauge({
      name: `teamtalk_${name}`,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect() {
        for (const [value, number] of read()) gauge.set({ [label]: value }, number);
      },
    });
  }

  /** Seconds, with buckets from 0.25 ms to 10 s. */
  timing<Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): Histogram<Label> {
    const buckets = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
    return new Histogram({
      name: `teamtalk_${name}_seconds`,
      help,
      labelNames: [...labelNames],
      buckets,
      registers: [this.registry],
    });
  }
}
