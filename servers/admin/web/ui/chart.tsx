import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { language, theme } from '../preferences.js';
import { number } from '../texts/index.js';

interface Line {
  readonly label: string;
  /** A custom property of style/base.css. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
}

const HEIGHT = 190;

/** Lines over time. The newest values are also there as words, for who cannot see lines. */
export function Chart({
  title,
  unit,
  atMs,
  lines,
}: {
  title: string;
  unit: string;
  atMs: readonly number[];
  lines: readonly Line[];
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = [atMs.map((ms) => ms / 1000), ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const shape = `${theme.value} ${language.value} ${lines.map((line) => line.label).join('|')}`;
  useEffect(() => {
    const div = place.current!;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(div, lines), latest.current, div);
    };
    make();
    const sizes = new ResizeObserver(() => plot.current?.setSize({ width: div.clientWidth, height: HEIGHT }));
    sizes.observe(div);
    const colours = matchMedia('(prefers-color-scheme: dark)');
    colours.addEventListener('change', make);
    return () => {
      sizes.disconnect();
      colours.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(latest.current));
  return (
    <figure class="sheet chart">
      <figcaption>
        <h2>{title}</h2>
        <div class="keys">
          {lines.map((line) => (
            <span key={line.label}>
              <i style={{ background: `var(${line.colour})` }} />
              {line.label} <b>{newest(line, unit)}</b>
            </span>
          ))}
        </div>
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}

function newest({ values }: Line, unit: string): string {
  const value = values.findLast((each) => each !== null);
  return value === undefined || value === null ? '–' : `${number(value, value < 10 ? 1 : 0)}${unit}`;
}

function optionsOf(div: HTMLElement, lines: readonly Line[]): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--ink-soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width: div.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false },
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.15)] } },
    axes: [
      {
        ...axis,
        values: (_plot, ticks) =>
          ticks.map((tick) =>
            new Date(tick * 1000).toLocaleTimeString(document.documentElement.lang, {
              hour: '2-digit',
              minute: '2-digit',
              second: '2-digit',
              hourCycle: 'h23',
            }),
          ),
        space: 90,
        size: 32,
      },
      { ...axis, size: 48, values: (_plot, ticks) => ticks.map((tick) => number(tick, 1)) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 2,
        points: { show: false },
        spanGaps: true,
      })),
    ],
  };
}
