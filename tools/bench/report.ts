import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { barCharts } from './bars.js';
import { type Ledger, type Percentiles, percentiles } from './ledger.js';
import type { Measured } from './measure.js';
import type { Pauses } from './pauses.js';

export interface Result {
  readonly scenario: string;
  /** Which build, where two are compared. */
  readonly build: string;
  readonly seconds: number;
  readonly counts: Ledger['counts'];
  readonly perSecond: number;
  readonly ackMs: ReturnType<typeof percentiles>;
  readonly deliveryMs: ReturnType<typeof percentiles>;
  /** Microseconds of CPU for each message, log-in or page, by kind of server; `all` is their sum. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  /** The same for each delivery, where messages have many. */
  readonly cpuMicrosPerDelivery: number | undefined;
  /** Where clients do several things. */
  readonly kinds: Readonly<
    Record<string, { readonly count: number; readonly perSecond: number; readonly ms: Percentiles }>
  >;
  readonly notes: Readonly<Record<string, number>>;
  readonly load: number;
  /** Of the machine, right before: percentiles below its longest pause say more about the machine than about us. */
  readonly pauses: Pauses;
}

export function resultOf(
  scenario: string,
  build: string,
  { ledger, cpu, fromMicros, toMicros }: Measured,
  pauses: Pauses,
): Result {
  const seconds = (toMicros - fromMicros) / 1e6;
  const { counts } = ledger;
  const each = (seconds: number) => Math.round((seconds * 1e7) / Math.max(1, counts.acked)) / 10;
  const all = Object.values(cpu).reduce((sum, each) => sum + each, 0);
  const byKind = Object.entries(cpu).map(([kind, used]) => [kind, each(used)] as const);
  const many = counts.deliveries > 2 * counts.acked;
  return {
    scenario,
    build,
    seconds: Math.round(seconds * 10) / 10,
    counts,
    perSecond: Math.round(counts.acked / seconds),
    ackMs: percentiles(ledger.ackMs),
    deliveryMs: percentiles(ledger.deliveryMs),
    cpuMicros: { ...Object.fromEntries(byKind), all: each(all) },
    cpuMicrosPerDelivery: many ? Math.round((all * 1e7) / counts.deliveries) / 10 : undefined,
    kinds: Object.fromEntries(
      [...ledger.kinds].map(([kind, ms]) => {
        const perSecond = Math.round((ms.length / seconds) * 10) / 10;
        return [kind, { count: ms.length, perSecond, ms: percentiles(ms)! }];
      }),
    ),
    notes: ledger.notes,
    load: Math.round(loadavg()[0]! * 10) / 10,
    pauses,
  };
}

export function machine() {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? '',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    linux: release(),
    node: process.version,
  };
}

export function lines(result: Result): string[] {
  const { counts, ackMs, deliveryMs, cpuMicros, pauses } = result;
  const times = (of: typeof ackMs) =>
    of === undefined ? '–' : `p50 ${of.p50}  p90 ${of.p90}  p99 ${of.p99}  max ${of.max} ms`;
  const cpu = counts.acked === 0 ? [] : Object.entries(cpuMicros).filter(([, micros]) => micros >= 0.1);
  return [
    `${result.scenario}${result.build === '' ? '' : ` (${result.build})`}: ${result.perSecond}/s over ${result.seconds} s, load ${result.load}`,
    `  machine    takes ${(pauses.part * 100).toFixed(2)} % of the time for itself, ${pauses.longestMs} ms at most in one go`,
    `  ack        ${times(ackMs)}`,
    ...(deliveryMs === undefined ? [] : [`  delivery   ${times(deliveryMs)}`]),
    `  counts     ${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    ...(cpu.length === 0 ? [] : [`  CPU each   ${cpu.map(([kind, micros]) => `${kind} ${micros}`).join(', ')} µs`]),
    ...(result.cpuMicrosPerDelivery === undefined ? [] : [`  CPU per delivery ${result.cpuMicrosPerDelivery} µs`]),
    ...Object.entries(result.kinds).map(
      ([kind, { count, perSecond, ms }]) =>
        `  ${kind.padEnd(32)} ${String(count).padStart(7)}  ${String(perSecond).padStart(7)}/s  ${times(ms)}`,
    ),
    ...Object.entries(result.notes).map(([name, value]) => `  ${name}: ${value}`),
  ];
}

/** The middle one of an odd number, else the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** PATH.json and PATH.svg. */
export async function write(path: string, results: readonly Result[]): Promise<void> {
  await mkdir(dirname(resolve(path)), { recursive: true });
  const report = { at: new Date().toISOString(), command: process.argv.slice(2), machine: machine(), results };
  await writeFile(`${path}.json`, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(`${path}.svg`, chart(results));
}

/** CPU for each by kind of server, how many a second, and the times of kinds of things, as SVG. */
function chart(results: readonly Result[]): string {
  const nameOf = ({ scenario, build }: Result) => `${scenario} ${build}`.trim();
  const cpu = results.map((result) => ({
    name: nameOf(result),
    parts: Object.entries(result.cpuMicros)
      .filter(([kind]) => kind !== 'all')
      .map(([name, value]) => ({ name, value })),
  }));
  const rates = results.map((result) => ({ name: nameOf(result), parts: [{ name: 'all', value: result.perSecond }] }));
  const times = results.flatMap((result) =>
    Object.entries(result.kinds).map(([kind, { ms }]) => ({
      name: kind,
      // Each begins where the one before it ends.
      parts: [
        { name: 'p50', value: ms.p50 },
        { name: 'p90', value: ms.p90 - ms.p50 },
        { name: 'p99', value: ms.p99 - ms.p90 },
      ],
    })),
  );
  return barCharts([
    { title: 'CPU for each, by kind of server', unit: 'µs', bars: cpu },
    { title: 'How many', unit: 'a second', bars: rates },
    ...(times.length === 0 ? [] : [{ title: 'Times', unit: 'ms', bars: times }]),
  ]);
}
