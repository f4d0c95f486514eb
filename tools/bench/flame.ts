import { COLOURS, escaped } from './plot.js';

/** A function under the one that called it, with the time of all that it called. */
export interface Frame {
  readonly name: string;
  readonly micros: number;
  readonly children: readonly Frame[];
}

const WIDTH = 1200;
const ROW = 17;
const TOP = 30;
/** Narrower ones are left out: nobody sees them. */
const NARROWEST = 1.5;
/** Of a name that is shown whole or in part; a letter of this size is about so wide. */
const LETTER = 6.4;

/** A flame graph, callers above what they call: the width is the share of the busy time. */
export function flameGraph(title: string, root: Frame): string {
  const boxes: string[] = [];
  let deepest = 0;
  const draw = (frame: Frame, x: number, depth: number) => {
    const width = (frame.micros / root.micros) * WIDTH;
    if (width < NARROWEST) return;
    deepest = Math.max(deepest, depth);
    boxes.push(box(frame, x, TOP + depth * ROW, width, (100 * frame.micros) / root.micros));
    let left = x;
    for (const child of [...frame.children].sort((a, b) => b.micros - a.micros)) {
      draw(child, left, depth + 1);
      left += (child.micros / root.micros) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = TOP + (deepest + 1) * ROW + 4;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11"><title>${escaped(title)}</title><text x="0" y="16" font-weight="bold">${escaped(title)}</text>${boxes.join('')}</svg>\n`;
}

function box({ name, micros }: Frame, x: number, y: number, width: number, percent: number): string {
  const [functionName = name] = name.split('  ');
  const letters = Math.floor((width - 4) / LETTER);
  const shown = letters < 3 ? '' : functionName.slice(0, letters);
  const words = shown === '' ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escaped(shown)}</text>`;
  const what = `${name}: ${percent.toFixed(1)} %, ${Math.round(micros / 1000)} ms`;
  return `<g><title>${escaped(what)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colourOf(name)}" fill-opacity="0.45"/>${words}</g>`;
}

/** By where the function lies: the servers, what they share, packages, Node, V8 itself. */
function colourOf(name: string): string {
  const [, place] = name.split('  ');
  const kinds = ['servers/', 'common/', 'node '];
  const kind = place === undefined ? kinds.length : kinds.findIndex((start) => place.startsWith(start));
  return COLOURS[kind === -1 ? kinds.length + 1 : kind]!;
}
