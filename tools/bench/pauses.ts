import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

/** What is taken from a thread that wants to run all the time, on every core at once: by neighbours, mostly. */
export interface Pauses {
  /** Part of the time, 0 to 1. */
  readonly part: number;
  readonly longestMs: number;
}

const LOOK_MS = 2_000;
/** A gap between two looks at the clock that is longer than this is no work of the thread's own. */
const GAP_MS = 0.2;
const WARM_MS = 100;

/** To be asked while the machine has nothing else to do. Takes two seconds. */
export async function machinePauses(): Promise<Pauses> {
  await delay(WARM_MS); // whatever has just ended
  const each = await Promise.all(cpus().map(() => looked()));
  const part = each.reduce((sum, pauses) => sum + pauses.part, 0) / each.length;
  return { part: round(part, 4), longestMs: round(Math.max(...each.map(({ longestMs }) => longestMs)), 1) };
}

function looked(): Promise<Pauses> {
  return new Promise((resolve, reject) => {
    new Worker(fileURLToPath(import.meta.url)).once('message', resolve).once('error', reject);
  });
}

function look(): Pauses {
  let lostMs = 0;
  let longestMs = 0;
  const startedMs = performance.now();
  for (let last = startedMs; last - startedMs < LOOK_MS; ) {
    const nowMs = performance.now();
    const gapMs = nowMs - last;
    last = nowMs;
    // What was just compiled is left out.
    if (gapMs < GAP_MS || nowMs - startedMs < WARM_MS) continue;
    lostMs += gapMs;
    longestMs = Math.max(longestMs, gapMs);
  }
  return { part: lostMs / (LOOK_MS - WARM_MS), longestMs };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

if (!isMainThread) parentPort!.postMessage(look());
