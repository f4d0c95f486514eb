import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { TRANSPORTS, type TransportKind } from '../common/net/client-door.js';
import { projectRoot } from '../common/root.js';
import { startCluster } from './bench/cluster.js';
import { type Measured, measured } from './bench/measure.js';
import { number } from './bench/options.js';
import { machinePauses } from './bench/pauses.js';
import { lookAt } from './bench/profile.js';
import { lines, median, type Result, resultOf, write } from './bench/report.js';
import { scenarios } from './bench/scenarios.js';

interface Options {
  readonly seconds: number;
  readonly warmUp: number;
  readonly users: number;
  readonly window: number;
  readonly rate: number;
  readonly msgServers: number;
  readonly dbProxies: number;
  readonly portOffset: number;
  readonly transport: TransportKind;
  readonly against?: string;
  readonly scale: boolean;
  readonly profile?: string;
  readonly rounds: number;
  readonly out?: string;
}

/**
 * `npm run bench -- pair group …`: starts a cluster on a database of its own for each scenario, loads it, and says what
 * came of it. With --against the same runs alternate between this build and another one, and ratios are printed: on a
 * machine with other work they are what can be trusted.
 */
async function measure(name: string, build: Build, options: Options): Promise<Result> {
  const { portOffset, transport } = options;
  const { checkout, msgServers, dbProxies } = build;
  const scenario = scenarios[name]!;
  const users = Math.max(options.users, scenario.people ?? 0);
  const profiles =
    options.profile === undefined ? undefined : join(resolve(options.profile), `${name} ${build.name}`.trim());
  if (profiles !== undefined) await mkdir(profiles, { recursive: true });
  const pauses = await machinePauses();
  const cluster = await startCluster(checkout, { users, msgServers, dbProxies, portOffset, transport, profiles });
  let part: Measured;
  try {
    part = await measured(cluster.pids, (begun) => scenario.run(cluster, options, begun));
  } finally {
    await cluster.stop(); // they write their profiles now
  }
  if (profiles !== undefined) {
    const text = await lookAt(profiles, cluster.pids, part);
    await writeFile(join(profiles, 'top.txt'), text);
    process.stdout.write(`${text}\n`);
  }
  return resultOf(name, build.name, part, pauses);
}

/** What is measured: a checkout, and how many servers of it. */
interface Build {
  /** Empty: there is but one. */
  readonly name: string;
  readonly checkout: string;
  readonly msgServers: number;
  readonly dbProxies: number;
}

function buildsOf({ against, scale, msgServers, dbProxies }: Options): Build[] {
  const here = { checkout: projectRoot, msgServers, dbProxies };
  if (scale)
    return SCALE.map(([msg, proxies]) => {
      const name = `${msg} msg, ${proxies} db-proxy`;
      return { ...here, name, msgServers: msg, dbProxies: proxies };
    });
  if (against === undefined) return [{ ...here, name: '' }];
  return [
    { ...here, name: 'this' },
    { ...here, name: 'other', checkout: resolve(against) },
  ];
}

/** Msg servers and db-proxies. */
const SCALE = [
  [1, 1],
  [2, 1],
  [4, 1],
  [1, 2],
  [2, 2],
] as const;

const names = Object.keys(scenarios);
const program = new Command('npm run bench --')
  .description('Measures what a cluster on this machine carries, and what each message costs.')
  .argument('[scenario...]', names.map((name) => `${name}: ${scenarios[name]!.about}`).join('; '), ['pair', 'group'])
  .option('--seconds <n>', 'length of each run', number(1, 86_400), 15)
  .option('--warm-up <n>', 'seconds of the same before a run of pair or group', number(0, 3_600), 3)
  .option('--users <n>', 'clients', number(2, 20_000), 200)
  .option('--window <n>', 'messages that a sender leaves open at once', number(1, 1_000), 4)
  .option('--rate <n>', 'messages per second of all senders; 0: as fast as acks come', number(0, 1e6), 0)
  .option('--msg-servers <n>', 'how many msg servers', number(1, 8), 1)
  .option('--db-proxies <n>', 'how many db-proxies', number(1, 20), 1)
  .addOption(new Option('--transport <kind>', 'what clients come by').choices(TRANSPORTS).default('plain'))
  .option('--port-offset <n>', 'added to every port', number(0, 40_000), 11_000)
  .option('--against <dir>', 'another built checkout, measured in turns with this one')
  .option('--scale', 'each with 1, 2 and 4 msg servers and 1 and 2 db-proxies', false)
  .option(
    '--profile <dir>',
    'writes a CPU profile of each server, a flame graph, and a list of the functions that took most',
  )
  .option('--rounds <n>', 'turns of each build', number(1, 100), 3)
  .option('--out <path>', 'writes PATH.json and PATH.svg')
  .parse();
const options = program.opts<Options>();
const wanted = program.processedArgs[0] as string[];
const unknown = wanted.find((name) => !names.includes(name));
if (unknown !== undefined) program.error(`error: no scenario is called ${unknown}; there are ${names.join(', ')}`);

const results: Result[] = [];
for (const name of wanted) {
  const rounds = options.against === undefined ? 1 : options.rounds;
  for (let round = 0; round < rounds; round++)
    for (const build of buildsOf(options)) {
      const result = await measure(name, build, options);
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
if (options.out !== undefined) await write(options.out, results);
