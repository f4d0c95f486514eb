import { cpus, release, totalmem, type } from 'node:os';
import type { Fault } from '../support/history-checker.js';
import { DISTURBANCES, type DisturbanceKind } from './disturber.js';
import type { SoakReport } from './soak.js';

/** What each fault is, for those who do not know the checker. */
const BROKEN: Readonly<Record<Fault['kind'], string>> = {
  lost: 'acknowledged, and lost',
  doubled: 'stored twice',
  hole: 'holes in the ids',
  reordered: 'out of the order in which they were sent',
  'shared-id': 'two messages under one id',
  'wrong-id': 'another id than in the ack',
  'two-ids': 'told under two ids',
  stranger: 'nobody has sent it, or not there, or somebody else',
  untold: 'told or shown, and not stored',
  undelivered: 'not told to somebody who was there',
  'went-back': 'heads and read positions that went back',
  miscounted: 'wrong counts of unread messages',
};

/** What came of it, line by line. */
export function linesOf({ tally, disturbances, ms, ...report }: SoakReport): string[] {
  const seconds = ms / 1000;
  const perSecond = (count: number) => Math.round(count / seconds);
  return [
    `${tally.sent} messages sent in ${Math.round(seconds)} s (${perSecond(tally.sent)}/s), ${tally.acked} acked`,
    `${tally.delivered} deliveries (${perSecond(tally.delivered)}/s), ${tally.logins} log-ins`,
    `${tally.resent} sent again, ${tally.duplicates} of them stored before; ${tally.givenUp} given up by legacy clients`,
    `${report.bucketsMoved} buckets moved, ${report.moversKilled} movers killed, ${report.movesTakenUp} runs failed and taken up`,
    `${disturbances.length} disturbances:`,
    ...timesOf(disturbances).map(
      ({ kind, count, min, median, max }) =>
        `  ${kind}: ${count} times, whole after ${min} to ${max} ms, median ${median} ms`,
    ),
    `${report.faults.length} faults${byKind(report.faults)}, ${report.fsck === '' ? 'the databases agree' : 'fsck has findings'}`,
    ...report.faults.slice(0, 20).map(({ kind, conversation, detail }) => `  ${kind} in ${conversation}: ${detail}`),
    `${report.crashes.length} servers ended of themselves`,
    ...report.crashes,
    ...report.fsck.split('\n').filter((line) => line !== ''),
  ];
}

interface Run {
  readonly seed: number;
  readonly messages: number;
  readonly minutes: number;
  readonly sendsPerSecond?: number;
  readonly commit: string;
}

/** The same as a page, with what it was run on and how it is judged. */
export function pageOf(report: SoakReport, { seed, messages, minutes, sendsPerSecond, commit }: Run): string {
  const { tally, disturbances, faults, fsck, ms } = report;
  const of = (wanted: string) => faults.filter(({ kind }) => kind === wanted).length;
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const seconds = (part: number) => (part / 1000).toFixed(1);
  const many = (count: number) => count.toLocaleString('en');
  const held = sendsPerSecond === undefined ? '' : ` --sends-per-second ${sendsPerSecond}`;
  return `# ${many(tally.sent)} messages under fire

Written by the soak itself, on ${new Date().toISOString().slice(0, 10)}, of commit \`${commit}\`:

\`\`\`sh
npm run build && node dist/test/faults/soak-cli.js --messages ${messages} --minutes ${minutes}${held} --seed ${seed} --page page.md
\`\`\`

On ${type()} ${release()}, ${cpus().length} × ${cpu?.model.trim()}, ${gigabytes} GB, Node ${process.version}, everything on this one
machine, which had other work as well: two msg servers, two db-proxies, two route servers, a login server and the others, as
processes; a PostgreSQL with a synchronous replica, meta and three shards in it; a Redis Cluster of three masters with a replica
each. Twenty-four people, every third one with a stock client, chat in pairs and groups without a pause, and one message in four is
a voice message. Buckets move between the shards all the time, and some of the movers are killed.

| in ${Math.round(ms / 60_000)} minutes | |
|---|---|
| messages sent | ${many(tally.sent)} (${many(Math.round((tally.sent / ms) * 1000))} a second, the disturbances included) |
| acknowledged | ${many(tally.acked)} |
| deliveries, log-ins | ${many(tally.delivered)}, ${many(tally.logins)} |
| sent again under their send_id | ${many(tally.resent)}, of which ${many(tally.duplicates)} had been stored before |
| given up by stock clients, which send once | ${many(tally.givenUp)} |
| buckets moved | ${many(report.bucketsMoved)}; ${report.moversKilled} movers were killed, ${report.movesTakenUp} runs failed and were taken up |
| disturbances | ${disturbances.length} |
${Object.entries(BROKEN)
  .map(([kind, words]) => `| **${words}** | **${of(kind)}** |`)
  .join('\n')}
| **servers that ended of themselves** | **${report.crashes.length}** |
| \`fsck\` over all databases, 5 % of the messages opened | ${fsck === '' ? 'no finding' : 'findings'} |

## How long it took to be whole

From the beginning of a disturbance until everybody has had the ack of a message that was sent after its end, and has been told one,
and what was killed is back. What lasts, as a pause or a network that is parted, does so for two to eight seconds of it.

| disturbance | times | shortest, s | median, s | longest, s |
|---|---:|---:|---:|---:|
${timesOf(disturbances)
  .map(
    ({ kind, ...it }) => `| ${kind} | ${it.count} | ${seconds(it.min)} | ${seconds(it.median)} | ${seconds(it.max)} |`,
  )
  .join('\n')}

## How it is judged

Every client notes what it sends, each ack, each delivery, each page of history and each look at what is unread. In the end all
histories are read, and the [checker](../support/history-checker.ts), which knows neither clocks nor servers, compares them with the
notes: the rows above are all that it can find. A message without an ack may be there or not, and a delivery may come a second time
under its id. Its own tests break each promise and see it found. Then \`npm run fsck\` compares heads, messages, lists and places of all databases.
`;
}

function timesOf(disturbances: SoakReport['disturbances']) {
  return DISTURBANCES.flatMap((kind: DisturbanceKind) => {
    const whole = disturbances.filter((each) => each.kind === kind).map((each) => each.wholeMs);
    if (whole.length === 0) return [];
    whole.sort((a, b) => a - b);
    return [{ kind, count: whole.length, min: whole[0]!, median: whole[whole.length >> 1]!, max: whole.at(-1)! }];
  });
}

function byKind(faults: readonly Fault[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of faults) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts.size === 0 ? '' : ` (${[...counts].map(([kind, count]) => `${kind} ${count}`).join(', ')})`;
}
