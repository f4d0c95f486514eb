import { COLOURS } from './plot.js';

/** A bar of parts that lie behind one another. */
export interface Bar {
  readonly name: string;
  readonly parts: readonly { readonly name: string; readonly value: number }[];
}

const WIDTH = 560;
const LEFT = 250;
const ROW = 36;
const BAR_HEIGHT = 22;

const LEGEND_WIDTH = 85;
const FOOT = 70;

/** Charts under one another, each with bars of one unit. */
export function barCharts(
  charts: readonly { readonly title: string; readonly unit: string; readonly bars: readonly Bar[] }[],
): string {
  let y = 0;
  const drawn = charts.map(({ title, unit, bars }) => {
    const chart = `<g transform="translate(0 ${y})">${one(title, unit, bars)}</g>`;
    y += 30 + bars.length * ROW + FOOT;
    return chart;
  });
  const title = charts.map((chart) => chart.title).join('; ');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 120}" height="${y}" font-family="sans-serif" font-size="12"><title>${title}</title>${drawn.join('')}</svg>\n`;
}

function one(title: string, unit: string, bars: readonly Bar[]): string {
  const kinds = [...new Set(bars.flatMap(({ parts }) => parts.map((part) => part.name)))];
  const colour = (kind: string) => COLOURS[kinds.indexOf(kind) % COLOURS.length]!;
  const total = (bar: Bar) => bar.parts.reduce((sum, { value }) => sum + value, 0);
  const longest = Math.max(1e-9, ...bars.map(total));
  const rows = bars.map((bar, row) => {
    const y = 26 + row * ROW;
    let x: number = LEFT;
    const parts = bar.parts.map(({ name, value }) => {
      const width = (value / longest) * WIDTH;
      const part = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" fill="${colour(name)}"><title>${name} ${round(value)} ${unit}</title></rect>`;
      x += width;
      return part;
    });
    const words = `<text x="0" y="${y + 16}">${bar.name}</text>`;
    return `${words}${parts.join('')}<text x="${(x + 6).toFixed(1)}" y="${y + 16}">${round(total(bar))} ${unit}</text>`;
  });
  const foot = 26 + bars.length * ROW;
  const legend = kinds.map((kind, i) => {
    const x = i * LEGEND_WIDTH;
    return `<rect x="${x}" y="${foot}" width="12" height="12" fill="${colour(kind)}"/><text x="${x + 16}" y="${foot + 10}">${kind}</text>`;
  });
  return `<text x="0" y="14" font-weight="bold">${title}</text>${rows.join('')}${kinds.length > 1 ? legend.join('') : ''}`;
}

function round(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 10) / 10;
}
