import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { TRANSPORTS, type TransportKind } from '../common/net/client-door.js';
import { projectRoot } from '../common/root.js';
import { startCluster } from './bench/cluster.js';
import { cpuBetween, type Usage, usageOf } from './bench/processes.js';
import { chart, lines, machine, median, type Result, resultOf } from './bench/report.js';
import { scenarios } from './bench/scenarios.js';

type Name = keyof typeof scenarios;

interface Options {
  readonly seconds: number;
  readonly users: number;
  readonly window: number;
  readonly rate: number;
  readonly msgServers: number;
  readonly dbProxies: number;
  readonly portOffset: number;
  readonly transport: TransportKind;
  readonly against?: string;
  readonly rounds: number;
  readonly out?: string;
}

/**
 * `npm run bench -- pair group …`: starts a cluster on a database of its own for each scenario, loads it, and says what
 * came of it. With --against the same runs alternate between this build and another one, and ratios are printed: on a
 * machine with other work they are what can be trusted.
 */
async function measure(name: Name, build: string, checkout: string, options: Options): Promise<Result> {
  const { users, msgServers, dbProxies, portOffset, transport } = options;
  const cluster = await startCluster(checkout, { users, msgServers, dbProxies, portOffset, transport });
  try {
    let before: Usage | undefined;
    let startedMs = 0;
    const ledger = await scenarios[name].run(cluster, options, () => {
      before = usageOf(cluster.pids);
      startedMs = performance.now();
    });
    const seconds = (performance.now() - startedMs) / 1000;
    return resultOf(name, build, seconds, ledger, cpuBetween(before!, usageOf(cluster.pids)));
  } finally {
    await cluster.stop();
  }
}

function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isFinite(value) || value < min || value > max)
      throw new InvalidArgumentError(`expected a number from ${min} to ${max}.`);
    return value;
  };
}

const names = Object.keys(scenarios) as Name[];
const program = new Command('npm run bench --')
  .description('Measures what a cluster on this machine carries, and what each message costs.')
  .argument('[scenario...]', names.map((name) => `${name}: ${scenarios[name].about}`).join('; '), ['pair', 'group'])
  .option('--seconds <n>', 'length of each run', number(1, 86_400), 15)
  .option('--users <n>', 'clients', number(2, 20_000), 200)
  .option('--window <n>', 'messages that a sender leaves open at once', number(1, 1_000), 4)
  .option('--rate <n>', 'messages per second of all senders; 0: as fast as acks come', number(0, 1e6), 0)
  .option('--msg-servers <n>', 'how many msg servers', number(1, 8), 1)
  .option('--db-proxies <n>', 'how many db-proxies', number(1, 20), 1)
  .addOption(new Option('--transport <kind>', 'what clients come by').choices(TRANSPORTS).default('plain'))
  .option('--port-offset <n>', 'added to every port', number(0, 40_000), 11_000)
  .option('--against <dir>', 'another built checkout, measured in turns with this one')
  .option('--rounds <n>', 'turns of each build', number(1, 100), 3)
  .option('--out <path>', 'writes PATH.json and PATH.svg')
  .parse();
const options = program.opts<Options>();
const wanted = program.processedArgs[0] as string[];
const unknown = wanted.find((name) => !(names as string[]).includes(name));
if (unknown !== undefined) program.error(`error: no scenario is called ${unknown}; there are ${names.join(', ')}`);

const builds = [{ build: options.against === undefined ? '' : 'this', checkout: projectRoot }];
if (options.against !== undefined) builds.push({ build: 'other', checkout: resolve(options.against) });
const results: Result[] = [];
for (const name of wanted as Name[]) {
  const rounds = options.against === undefined ? 1 : options.rounds;
  for (let round = 0; round < rounds; round++)
    for (const { build, checkout } of builds) {
      const result = await measure(name, build, checkout, options);
      results.push(result);
      process.stdout.write(`${lines(result).join('\n')}\n\n`);
    }
  if (options.against === undefined) continue;
  const of = (build: string, value: (result: Result) => number) =>
    median(results.filter((each) => each.scenario === name && each.build === build).map(value));
  const ratio = (value: (result: Result) => number) => (of('this', value) / of('other', value)).toFixed(2);
  const cpu = ratio((result) => result.cpuMicros.all ?? 0);
  process.stdout.write(
    `${name}, this to other: ${ratio((it) => it.perSecond)} × as many per second, ${cpu} × the CPU\n\n`,
  );
}
if (options.out !== undefined) {
  const report = { at: new Date().toISOString(), command: process.argv.slice(2), machine: machine(), results };
  await writeFile(`${options.out}.json`, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(`${options.out}.svg`, chart(results));
}
