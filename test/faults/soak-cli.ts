/** The soak by hand, as long as one likes: `node dist/test/faults/soak-cli.js --messages 1000000`. */
import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { soak } from './soak.js';
import { linesOf, pageOf } from './soak-report.js';

const MINUTE_MS = 60_000;
const options = new Command('soak-cli')
  .description('Chats through a cluster of its own while servers are killed and buckets move, and judges the result.')
  .option('--messages <count>', 'to be sent', whole, 1_000_000)
  .option('--minutes <count>', 'at least', whole, 0)
  .option('--minutes-max <count>', 'at most, however few were sent', whole, 10_000)
  .option('--sends-per-second <count>', 'of each of the people at most; default: what msg servers allow', whole)
  .option('--seed <number>', 'of all that is random; default: a new one', whole, Math.floor(Math.random() * 2 ** 32))
  .option('--log <file>', 'keep what the servers have logged')
  .option('--page <file>', 'write the result as a page')
  .option('--commit <id>', 'of the build, for the page', 'unknown')
  .parse()
  .opts<{
    messages: number;
    minutes: number;
    minutesMax: number;
    sendsPerSecond?: number;
    seed: number;
    log?: string;
    page?: string;
    commit: string;
  }>();

say(`seed ${options.seed}`);
const teardowns: (() => unknown)[] = [];
try {
  const limits = { msMin: options.minutes * MINUTE_MS, msMax: options.minutesMax * MINUTE_MS };
  const report = await soak({ teardown: (work) => teardowns.unshift(work) }, { ...options, ...limits, hear: say });
  if (options.page !== undefined) await writeFile(options.page, pageOf(report, options));
  for (const line of linesOf(report)) process.stdout.write(`${line}\n`);
  process.exitCode = report.faults.length === 0 && report.crashes.length === 0 && report.fsck === '' ? 0 : 1;
} catch (error) {
  say((error as Error).stack ?? `${error}`); // at once: clearing away what does not work may take long
  process.exitCode = 1;
} finally {
  for (const work of teardowns) await work();
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function whole(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}
