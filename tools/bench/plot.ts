/** A line of a plot: a name, and what was measured at which size. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotWords {
  readonly title: string;
  /** What the axes show, with units. */
  readonly x: string;
  readonly y: string;
}

const AREA = { left: 70, top: 40, width: 560, height: 300 } as const;
/** More than there are kinds of servers, and lines in one plot. */
export const COLOURS = [
  '#0f766e',
  '#b45309',
  '#6d28d9',
  '#be185d',
  '#1d4ed8',
  '#4d7c0f',
  '#57534e',
  '#0e7490',
  '#a16207',
  '#9f1239',
  '#312e81',
  '#15803d',
];
const LEGEND_ROW = 18;

/** Both axes by powers of ten: what grows with the size itself goes up at 45°, what does not stays level. */
export function plot({ title, x, y }: PlotWords, series: readonly Series[]): string {
  const shown = series.map(({ name, points }) => ({ name, points: points.filter(([, value]) => value > 0) }));
  const points = shown.flatMap((each) => each.points);
  const across = scale(points.map(([at]) => at));
  const up = scale(points.map(([, value]) => value));
  const px = (value: number) => (AREA.left + across.part(value) * AREA.width).toFixed(1);
  const py = (value: number) => (AREA.top + (1 - up.part(value)) * AREA.height).toFixed(1);
  const bottom = AREA.top + AREA.height;
  const lines = shown.map(({ name, points: own }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = own.map(([at, value]) => `${px(at)},${py(value)}`).join(' ');
    const dots = own.map(
      ([at, value]) =>
        `<circle cx="${px(at)}" cy="${py(value)}" r="3" fill="${colour}"><title>${escaped(name)}: ${round(value)} at ${at}</title></circle>`,
    );
    const row = bottom + 48 + i * LEGEND_ROW;
    const legend = `<rect x="${AREA.left}" y="${row - 10}" width="12" height="12" fill="${colour}"/><text x="${AREA.left + 18}" y="${row}">${escaped(name)}</text>`;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${legend}`;
  });
  const grid = [
    ...across.ticks.map(
      (at) =>
        `<line x1="${px(at)}" x2="${px(at)}" y1="${AREA.top}" y2="${bottom}" stroke="#ddd"/><text x="${px(at)}" y="${bottom + 16}" text-anchor="middle">${short(at)}</text>`,
    ),
    ...up.ticks.map(
      (value) =>
        `<line x1="${AREA.left}" x2="${AREA.left + AREA.width}" y1="${py(value)}" y2="${py(value)}" stroke="#ddd"/><text x="${AREA.left - 6}" y="${Number(py(value)) + 4}" text-anchor="end">${short(value)}</text>`,
    ),
  ];
  const words = `<text x="${AREA.left}" y="20" font-weight="bold">${escaped(title)}</text><text x="${AREA.left + AREA.width}" y="${bottom + 32}" text-anchor="end">${escaped(x)}</text><text x="${AREA.left}" y="${AREA.top - 6}">${escaped(y)}</text>`;
  const height = bottom + 48 + shown.length * LEGEND_ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${AREA.left + AREA.width + 30}" height="${height}" font-family="sans-serif" font-size="12"><title>${escaped(title)}</title>${words}${grid.join('')}${lines.join('')}</svg>\n`;
}

/** From the power of ten below the smallest value to the one above the largest. */
function scale(values: readonly number[]) {
  const logs = values.map((value) => Math.log10(value));
  const low = Math.floor(Math.min(...logs));
  const high = Math.max(Math.ceil(Math.max(...logs)), low + 1);
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return { ticks, part: (value: number) => (Math.log10(value) - low) / (high - low) };
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e3 ? `${value / 1e3}k` : `${round(value)}`;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
