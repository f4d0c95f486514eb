/** One line of a /metrics page. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Prometheus' text format, as far as our servers write it. Lines that are something else are passed over. */
export function parseMetrics(page: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of page.split('\n')) {
    const [, name, labels = '', number] = LINE.exec(line) ?? [];
    if (name === undefined || number === undefined) continue;
    const value = Number(number);
    if (!Number.isFinite(value)) continue;
    const pairs = [...labels.matchAll(LABEL)].map(([, key, text]): [string, string] => [
      key!,
      text!.replace(/\\(.)/g, '$1'),
    ]);
    samples.push({ name, labels: Object.fromEntries(pairs), value });
  }
  return samples;
}
