/** Floods by hand, with the memory of the msg server as they go on: `node dist/test/fuzz/flood-cli.js --seconds 30`. */
import { Command } from 'commander';
import { flood } from './flood.js';

const { seconds, connections } = new Command('flood-cli')
  .description('Floods a msg server of its own in several ways while two people chat, and prints its memory.')
  .option('--seconds <count>', 'of each flood', Number, 15)
  .option('--connections <count>', 'held at once', Number, 5_000)
  .parse()
  .opts<{ seconds: number; connections: number }>();

const say = (line: string) => void process.stdout.write(`${line}\n`);
const teardowns: (() => unknown)[] = [];
try {
  const teardown = { teardown: (work: () => unknown) => teardowns.unshift(work) };
  const { opened, messages, slowestMs } = await flood(teardown, { ms: seconds * 1000, connections, hear: say });
  say(JSON.stringify({ opened, messages, slowestMs }));
} finally {
  for (const work of teardowns) await work();
}
