import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** What V8 says of a process; see profiling.ts. Times in µs of the machine's steady clock. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
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

/** @returns for each busy server the functions in which it spent its time themselves, as text */
export async function topLists(folder: string, pids: Readonly<Record<string, number>>, span: Span): Promise<string> {
  const parts: string[] = [];
  for (const [server, pid] of Object.entries(pids)) {
    if (server === 'postgres') continue;
    const file = `${server}.cpuprofile`;
    await rename(join(folder, `${pid}.cpuprofile`), join(folder, file));
    const profile = JSON.parse(await readFile(join(folder, file), 'utf8')) as CpuProfile;
    const { busy, top } = topOf(profile, span);
    if (busy < BUSY_MIN) continue;
    parts.push(`${server}, busy ${(100 * busy).toFixed(0)} % of the time\n${top.join('\n')}\n`);
  }
  return parts.join('\n');
}

/** The share of busy time that each function took itself, without those that it called. */
export function topOf(
  { nodes, startTime, samples, timeDeltas }: CpuProfile,
  { fromMicros, toMicros }: Span,
): { busy: number; top: string[] } {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const micros = new Map<string, number>();
  let at = startTime;
  let busy = 0;
  for (const [i, id] of samples.entries()) {
    const took = timeDeltas[i + 1] ?? 0; // the time until the next sample was taken
    at += timeDeltas[i]!;
    const name = names.get(id)!;
    if (at < fromMicros || at > toMicros || IDLE.has(name)) continue;
    busy += took;
    micros.set(name, (micros.get(name) ?? 0) + took);
  }
  const top = [...micros].sort(([, a], [, b]) => b - a).slice(0, TOP);
  const lines = top.map(([name, took]) => `${((100 * took) / busy).toFixed(1).padStart(6)} %  ${name}`);
  return { busy: busy / (toMicros - fromMicros), top: lines };
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const [place = url] =
    /(?<=\/node_modules\/|\/dist\/)(?!.*\/(?:node_modules|dist)\/).*$|common\/pdu\/generated\/.*$/.exec(url) ?? [];
  return `${name}  ${place.replace('node:', 'node ')}:${lineNumber + 1}`;
}
