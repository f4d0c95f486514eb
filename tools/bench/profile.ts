import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Frame, flameGraph } from './flame.js';

/** What V8 says of a process; see profiling.ts. Times in µs of the machine's steady clock. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The part of a run that counts, in µs of the same clock. */
export interface Span {
  readonly fromMicros: number;
  readonly toMicros: number;
}

const TOP = 20;
/** A server that was busy for less of the time is not worth a list. */
const BUSY_MIN = 0.02;
/** Not work: waiting, and what V8 cannot say. */
const IDLE = new Set(['(idle)', '(program)', '(root)']);

/**
 * Draws a flame graph `SERVER.svg` of each busy server.
 * @returns for each of them the functions in which it spent its time themselves, as text
 */
export async function lookAt(folder: string, pids: Readonly<Record<string, number>>, span: Span): Promise<string> {
  const parts: string[] = [];
  for (const [server, pid] of Object.entries(pids)) {
    if (server === 'postgres') continue;
    const file = `${server}.cpuprofile`;
    await rename(join(folder, `${pid}.cpuprofile`), join(folder, file));
    const profile = JSON.parse(await readFile(join(folder, file), 'utf8')) as CpuProfile;
    const { busy, top } = topOf(profile, span);
    if (busy < BUSY_MIN) continue;
    const title = `${server}: callers above what they call, by share of the busy time`;
    await writeFile(join(folder, `${server}.svg`), flameGraph(title, framesOf(profile, span)));
    parts.push(`${server}, busy ${(100 * busy).toFixed(0)} % of the time\n${top.join('\n')}\n`);
  }
  return parts.join('\n');
}

/** The share of busy time that each function took itself, without those that it called. */
export function topOf(profile: CpuProfile, span: Span): { busy: number; top: string[] } {
  const micros = new Map<string, number>();
  const own = microsOf(profile, span);
  for (const { id, callFrame } of profile.nodes) {
    const name = nameOf(callFrame);
    micros.set(name, (micros.get(name) ?? 0) + (own.get(id) ?? 0));
  }
  const busy = [...micros.values()].reduce((sum, took) => sum + took, 0);
  const top = [...micros].sort(([, a], [, b]) => b - a).slice(0, TOP);
  const shown = top.filter(([, took]) => took > 0);
  const lines = shown.map(([name, took]) => `${((100 * took) / busy).toFixed(1).padStart(6)} %  ${name}`);
  return { busy: busy / (span.toMicros - span.fromMicros), top: lines };
}

/** Busy time by node, of it alone. */
function microsOf({ nodes, startTime, samples, timeDeltas }: CpuProfile, { fromMicros, toMicros }: Span) {
  const idle = new Set(nodes.filter(({ callFrame }) => IDLE.has(nameOf(callFrame))).map(({ id }) => id));
  const micros = new Map<number, number>();
  let at = startTime;
  for (const [i, id] of samples.entries()) {
    at += timeDeltas[i]!;
    if (at < fromMicros || at > toMicros || idle.has(id)) continue;
    const took = timeDeltas[i + 1] ?? 0; // the time until the next sample was taken
    micros.set(id, (micros.get(id) ?? 0) + took);
  }
  return micros;
}

/** Who called whom, with the busy time of all under it. */
export function framesOf(profile: CpuProfile, span: Span): Frame {
  const own = microsOf(profile, span);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const frameOf = (id: number): Frame => {
    const { callFrame, children: ids = [] } = byId.get(id)!;
    const children = ids.map(frameOf).filter(({ micros }) => micros > 0);
    const micros = children.reduce((sum, child) => sum + child.micros, own.get(id) ?? 0);
    return { name: nameOf(callFrame), micros, children };
  };
  return frameOf(profile.nodes[0]!.id);
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const [place = url] =
    /(?<=\/node_modules\/|\/dist\/)(?!.*\/(?:node_modules|dist)\/).*$|common\/pdu\/generated\/.*$/.exec(url) ?? [];
  return `${name}  ${place.replace('node:', 'node ')}:${lineNumber + 1}`;
}
