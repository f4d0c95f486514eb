import type { Fault } from '../support/history-checker.js';
import { DISTURBANCES } from './disturber.js';
import type { SoakReport } from './soak.js';

/** What came of it, line by line. */
export function linesOf({ tally, disturbances, ms, ...report }: SoakReport): string[] {
  const seconds = ms / 1000;
  const perSecond = (count: number) => Math.round(count / seconds);
  const times = DISTURBANCES.flatMap((kind) => {
    const whole = disturbances.filter((each) => each.kind === kind).map((each) => each.wholeMs);
    if (whole.length === 0) return [];
    whole.sort((a, b) => a - b);
    const middle = whole[whole.length >> 1]!;
    return [`  ${kind}: ${whole.length} times, whole after ${whole[0]} to ${whole.at(-1)} ms, median ${middle} ms`];
  });
  return [
    `${tally.sent} messages sent in ${Math.round(seconds)} s (${perSecond(tally.sent)}/s), ${tally.acked} acked`,
    `${tally.delivered} deliveries (${perSecond(tally.delivered)}/s), ${tally.logins} log-ins`,
    `${tally.resent} sent again, ${tally.duplicates} of them stored before; ${tally.givenUp} given up by legacy clients`,
    `${report.bucketsMoved} buckets moved, ${report.moversKilled} movers killed, ${report.movesTakenUp} runs failed and taken up`,
    `${disturbances.length} disturbances:`,
    ...times,
    `${report.faults.length} faults${byKind(report.faults)}, ${report.fsck === '' ? 'the databases agree' : 'fsck has findings'}`,
    ...report.faults.slice(0, 20).map(({ kind, conversation, detail }) => `  ${kind} in ${conversation}: ${detail}`),
    ...report.fsck.split('\n').filter((line) => line !== ''),
  ];
}

function byKind(faults: readonly Fault[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of faults) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts.size === 0 ? '' : ` (${[...counts].map(([kind, count]) => `${kind} ${count}`).join(', ')})`;
}
