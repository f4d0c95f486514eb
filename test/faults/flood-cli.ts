/** Thousands of people, and a msg server that dies under them again and again: `node dist/test/faults/flood-cli.js`. */
import { Command, InvalidArgumentError } from 'commander';
import { demoName } from '../../tools/cluster/demo.js';
import { HistoryChecker } from '../support/history-checker.js';
import { startProcesses } from '../support/processes.js';
import { Crowd } from './crowd.js';

const { clients, storms, every } = new Command('flood-cli')
  .description(
    'Fills two msg servers with clients that chat, kills one of them with kill -9, and has all of them come back.',
  )
  .option('--clients <count>', 'an even number', whole, 3_000)
  .option('--storms <count>', 'how often', whole, 4)
  .option('--every <seconds>', 'between two messages of one client', whole, 10)
  .parse()
  .opts<{ clients: number; storms: number; every: number }>();

/** Of memory, after the first storm: what the others may add to it. */
const GROWTH_MAX = 1.25;
const GROWTH_FREE = 64 * 2 ** 20;

const teardowns: (() => unknown)[] = [];
const t = { teardown: (work: () => unknown) => teardowns.unshift(work) };
try {
  process.exitCode = (await flood()) ? 0 : 1;
} finally {
  for (const work of teardowns) await work();
}

async function flood(): Promise<boolean> {
  const args = ['--msg-servers', '2', '--db-proxies', '2', '--demo-users', `${clients}`];
  const cluster = await startProcesses(t, { args });
  const checker = new HistoryChecker();
  const names = Array.from({ length: clients }, (_, i) => demoName(i + 1));
  const crowd = new Crowd(names, cluster.info.loginHttp, checker, every * 1_000);
  t.teardown(() => crowd.leave());
  const beganMs = performance.now();
  await crowd.come();
  say(`${clients} clients are here after ${Math.round(performance.now() - beganMs)} ms`);
  await crowd.flows('at first');
  const ports = cluster.info.msg.map((place) => Number(new URL(`tcp://${place}`).port));
  const memories: Map<string, number>[] = [];
  for (let storm = 1; storm <= storms; storm++) {
    // Who has come to the other server stays there: in turns.
    const at = (storm - 1) % ports.length;
    const lost = new Set(crowd.byPort().get(ports[at]!));
    const others = names.filter((name) => !lost.has(name));
    const pid = await cluster.kill(`msg-${at + 1}`);
    const othersMs = await crowd.flows('of those on the other server', others);
    const allMs = await crowd.flows('of all');
    await cluster.back(`msg-${at + 1}`, pid);
    memories.push(await memoryOf(cluster.info.metrics));
    say(
      `storm ${storm}: ${lost.size} lost their server; the other ${others.length} had acks after ${othersMs} ms at the latest, all after ${othersMs + allMs} ms`,
    );
    say(`  MB: ${[...memories.at(-1)!].map(([name, bytes]) => `${name} ${Math.round(bytes / 2 ** 20)}`).join(', ')}`);
  }
  await crowd.fallSilent();
  const faults = checker.faults();
  const grown = [...memories[0]!].filter(
    ([name, bytes]) => memories.at(-1)!.get(name)! > bytes * GROWTH_MAX + GROWTH_FREE,
  );
  say(
    `${checker.acked} acked, ${faults.length} faults; ${grown.length === 0 ? 'no server has grown' : `grown: ${grown.map(([name]) => name)}`}`,
  );
  for (const { kind, conversation, detail } of faults.slice(0, 20)) say(`  ${kind} in ${conversation}: ${detail}`);
  return faults.length === 0 && grown.length === 0;
}

/** Of each server, in bytes. */
async function memoryOf(metrics: Readonly<Record<string, string>>): Promise<Map<string, number>> {
  const found = Object.entries(metrics).map(async ([name, url]): Promise<[string, number]> => {
    const text = await (await fetch(url)).text();
    return [name, Number(/^process_resident_memory_bytes\S* (\d+)/m.exec(text)?.[1])];
  });
  return new Map(await Promise.all(found));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function whole(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}
