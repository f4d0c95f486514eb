/** Nonsense by hand, as long as one likes: `node dist/test/fuzz/fuzz-cli.js --seconds 3600`. */
import { Command } from 'commander';
import { fuzz } from './fuzz.js';

const options = new Command('fuzz-cli')
  .description('Sends nonsense of every kind to a cluster in this process and says what was a fault of ours.')
  .option('--seconds <count>', 'for how long', Number, 600)
  .option('--seed <number>', 'of all that is random; default: a new one', Number, Math.floor(Math.random() * 2 ** 32))
  .parse()
  .opts<{ seconds: number; seed: number }>();

const say = (line: string) => process.stderr.write(`${line}\n`);
say(`seed ${options.seed}`);
const teardowns: (() => unknown)[] = [];
try {
  const teardown = { teardown: (work: () => unknown) => teardowns.unshift(work) };
  const report = await fuzz(teardown, { seed: options.seed, ms: options.seconds * 1000, hear: say });
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = report.faults.length === 0 ? 0 : 1;
} finally {
  for (const work of teardowns) await work();
}
