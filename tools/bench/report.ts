import { cpus, loadavg, release, totalmem } from 'node:os';
import { type Ledger, percentiles } from './ledger.js';

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
  readonly notes: Readonly<Record<string, number>>;
  readonly load: number;
}

export function resultOf(
  scenario: string,
  build: string,
  seconds: number,
  ledger: Ledger,
  cpuSeconds: Readonly<Record<string, number>>,
): Result {
  const { counts } = ledger;
  const each = (cpu: number) => Math.round((cpu * 1e7) / Math.max(1, counts.acked)) / 10;
  const all = Object.values(cpuSeconds).reduce((sum, cpu) => sum + cpu, 0);
  const byKind = Object.entries(cpuSeconds).map(([kind, cpu]) => [kind, each(cpu)] as const);
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
    notes: ledger.notes,
    load: Math.round(loadavg()[0]! * 10) / 10,
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
  const { counts, ackMs, deliveryMs, cpuMicros } = result;
  const times = (of: typeof ackMs) =>
    of === undefined ? '–' : `p50 ${of.p50}  p90 ${of.p90}  p99 ${of.p99}  max ${of.max} ms`;
  const cpu = counts.acked === 0 ? [] : Object.entries(cpuMicros).filter(([, micros]) => micros >= 0.1);
  return [
    `${result.scenario}${result.build === '' ? '' : ` (${result.build})`}: ${result.perSecond}/s over ${result.seconds} s, load ${result.load}`,
    `  ack        ${times(ackMs)}`,
    ...(deliveryMs === undefined ? [] : [`  delivery   ${times(deliveryMs)}`]),
    `  counts     ${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    ...(cpu.length === 0 ? [] : [`  CPU each   ${cpu.map(([kind, micros]) => `${kind} ${micros}`).join(', ')} µs`]),
    ...(result.cpuMicrosPerDelivery === undefined ? [] : [`  CPU per delivery ${result.cpuMicrosPerDelivery} µs`]),
    ...Object.entries(result.notes).map(([name, value]) => `  ${name}: ${value}`),
  ];
}

/** The middle one of an odd number, else the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

const BAR = { width: 560, height: 22, gap: 14, left: 190 } as const;
const COLOURS = ['#0f766e', '#b45309', '#6d28d9', '#be185d', '#1d4ed8', '#4d7c0f', '#57534e', '#0e7490'];

/** CPU per message by kind of server, a bar for each result, as SVG. */
export function chart(results: readonly Result[]): string {
  const kinds = [...new Set(results.flatMap(({ cpuMicros }) => Object.keys(cpuMicros)))].filter(
    (kind) => kind !== 'all',
  );
  const colour = (kind: string) => COLOURS[kinds.indexOf(kind) % COLOURS.length]!;
  const longest = Math.max(1, ...results.map(({ cpuMicros }) => cpuMicros.all ?? 0));
  const height = results.length * (BAR.height + BAR.gap) + 60;
  const rows = results.map((result, row) => {
    const y = row * (BAR.height + BAR.gap) + 10;
    let x: number = BAR.left;
    const parts = kinds.map((kind) => {
      const width = ((result.cpuMicros[kind] ?? 0) / longest) * BAR.width;
      const part = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR.height}" fill="${colour(kind)}"><title>${kind} ${result.cpuMicros[kind] ?? 0} µs</title></rect>`;
      x += width;
      return part;
    });
    const name = `${result.scenario} ${result.build}`.trim();
    return `<text x="0" y="${y + 16}">${name}, ${result.perSecond}/s</text>${parts.join('')}<text x="${(x + 6).toFixed(1)}" y="${y + 16}">${result.cpuMicros.all} µs</text>`;
  });
  const legend = kinds.map((kind, i) => {
    const x = BAR.left + i * 85;
    return `<rect x="${x}" y="${height - 34}" width="12" height="12" fill="${colour(kind)}"/><text x="${x + 16}" y="${height - 24}">${kind}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${BAR.left + BAR.width + 90}" height="${height}" font-family="sans-serif" font-size="12"><title>CPU for each, by kind of server</title>${rows.join('')}${legend.join('')}</svg>\n`;
}
