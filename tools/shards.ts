/** Shards, the PostgreSQL databases that messages are spread over: `npm run shards -- list`. */
import { createInterface } from 'node:readline';
import { Command, InvalidArgumentError, Option } from 'commander';
import { BUCKETS } from '../common/limits.js';
import { EXIT } from '../common/server/lifecycle.js';
import { SettingsError } from '../common/settings.js';
import { type Moved, MoveInterrupted, moveBucket, resumeMove, Unreachable } from '../servers/db-proxy/storage/move.js';
import {
  addShard,
  ranges,
  readShards,
  removeShard,
  type ShardState,
  type ShardsState,
} from '../servers/db-proxy/storage/shard-admin.js';
import { evenBytes, evenNumbers, type Wanted } from './shards/balance.js';
import { count, duration, megabytes, movedLine, Progress } from './shards/progress.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

const INTERRUPTED = 130;
const EXIT_CODES = `
Exit codes: 0 done, 1 something could not be done, 69 a database cannot be reached, 78 wrong settings, 130 interrupted.
Every bucket is served while it moves; what is stored waits for some hundredths of a second. Interrupting is safe at any
moment: what was cut off is taken up by \`resume\`, or by the next move of that bucket.`;

const stop = new AbortController();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(INTERRUPTED); // asked twice
    stop.abort();
    say('stopping; once more to stop at once, which `resume` then puts right');
  });

const program = addTargetOptions(new Command('npm run shards --'))
  .description('Shows and changes which PostgreSQL database holds which part of the messages, while the cluster runs.')
  .addHelpText('after', EXIT_CODES);

program
  .command('list')
  .description('the shards, what they hold, and moves under way')
  .option('--json', 'for scripts')
  .action(({ json }: { json?: true }) => run(async (url) => list(await readShards(url), json === true)));

program
  .command('add')
  .description('make a database a shard; it gets buckets by `balance` or `move`')
  .argument('<name>', 'up to 32 small letters, digits and hyphens')
  .argument(
    '<url>',
    'postgres://user:password@host:port/database; /database on the server of the meta schema; - reads it from stdin',
  )
  .action((name: string, given: string) =>
    run(async (url) => {
      const added = await addShard(url, name, given === '-' ? await firstLine() : given);
      print(
        added ? `${name} is a shard now. It gets its part by: npm run shards -- balance` : `${name} is a shard already`,
      );
    }),
  );

program
  .command('remove')
  .description('forget a shard that holds no buckets; its database stays')
  .argument('<name>')
  .action((name: string) =>
    run(async (url) => {
      await removeShard(url, name);
      print(`${name} is no shard any more`);
    }),
  );

program
  .command('move')
  .description('move buckets to a shard')
  .argument('<bucket...>', 'numbers and ranges: 7 0-31 40,42', bucketsOf)
  .requiredOption('--to <shard>')
  .action((buckets: number[], { to }: { to: string }) =>
    run(async (url) => {
      const state = await readShards(url);
      const wanted = buckets.map((bucket) => ({ bucket, source: shardOf(state, bucket), target: to }));
      await moveAll(url, state, wanted);
    }),
  );

program
  .command('balance')
  .description('move as few buckets as it takes for all shards to carry the same')
  .option('--dry-run', 'only say what would be moved')
  .addOption(new Option('--by <what>').choices(['buckets', 'bytes']).default('buckets'))
  .action(({ dryRun, by }: { dryRun?: true; by: 'buckets' | 'bytes' }) =>
    run(async (url) => {
      const state = await readShards(url);
      const lost = state.shards.find(({ problem }) => problem !== undefined);
      if (lost !== undefined) throw new Unreachable(lost.problem!);
      const size = sizes(state);
      const wanted = by === 'buckets' ? evenNumbers(state.shards) : evenBytes(state.shards, size);
      if (wanted.length === 0) return print('the shards are even already');
      if (dryRun !== true) return moveAll(url, state, wanted);
      for (const line of summary(wanted, size)) print(line);
    }),
  );

program
  .command('resume')
  .description('take up moves that were cut off')
  .action(() => run(async (url) => resumeAll(url, await readShards(url))));

await program.parseAsync();

// ---- what the commands do -----------------------------------------------------------------------------------------

async function run(work: (databaseUrl: string) => Promise<void>): Promise<void> {
  try {
    const { databaseUrl } = await targetOf(program.opts<TargetOptions>());
    await work(databaseUrl);
  } catch (error) {
    say((error as Error).message);
    process.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof MoveInterrupted) return INTERRUPTED;
  if (error instanceof SettingsError) return EXIT.settings;
  return error instanceof Unreachable ? EXIT.unavailable : EXIT.failed;
}

/** One after another, in the order given; the first that fails ends it. */
async function moveAll(url: string, state: ShardsState, wanted: readonly Wanted[]): Promise<void> {
  const progress = new Progress(
    process.stderr,
    wanted.map((each) => each.bucket),
    sizes(state),
  );
  for (const [place, { bucket, target }] of wanted.entries()) {
    const moved = await watched(progress, bucket, (watch) => moveBucket(url, bucket, target, watch)).catch((error) => {
      const rest = wanted.slice(place + 1).map((each) => each.bucket);
      if (rest.length > 0) say(`not begun: ${ranges([...rest].sort((a, b) => a - b))}`);
      throw error;
    });
    print(moved === undefined ? `bucket ${bucket}: is on ${target} already` : movedLine(moved));
  }
}

async function resumeAll(url: string, state: ShardsState): Promise<void> {
  if (state.moves.length === 0) return print('no move is under way');
  const buckets = state.moves.map((move) => move.bucket);
  const progress = new Progress(process.stderr, buckets, sizes(state));
  for (const { bucket, attended } of state.moves) {
    if (attended) {
      say(`bucket ${bucket}: somebody is at it`);
      continue;
    }
    const moved = await watched(progress, bucket, (watch) => resumeMove(url, bucket, watch));
    print(moved === undefined ? `bucket ${bucket}: nothing is left to do` : movedLine(moved));
  }
}

async function watched(
  progress: Progress,
  bucket: number,
  work: (watch: Parameters<typeof moveBucket>[3]) => Promise<Moved | undefined>,
): Promise<Moved | undefined> {
  if (stop.signal.aborted) throw new MoveInterrupted('interrupted');
  progress.begin(bucket);
  try {
    return await work({ signal: stop.signal, progress: (stage, rows, bytes) => progress.step(stage, rows, bytes) });
  } finally {
    progress.end();
  }
}

function list({ version, shards, moves }: ShardsState, json: boolean): void {
  if (json) {
    const plain = shards.map(({ holds, ...shard }) => ({ ...shard, messages: messagesOf(holds), bytes: holds?.bytes }));
    return print(JSON.stringify({ version: String(version), shards: plain, moves }));
  }
  const rows = shards.map(({ name, place, buckets, holds, problem }) => [
    name,
    place,
    `${buckets.length}`,
    holds === undefined ? '?' : count(messagesOf(holds)!),
    holds === undefined ? `? ${problem}` : megabytes(holds.bytes),
    ranges(buckets),
  ]);
  for (const line of table([['shard', 'database', 'buckets', 'messages', 'size', 'which'], ...rows])) print(line);
  print(`bucket map version ${version}`);
  for (const { bucket, source, target, phase, started, attended } of moves)
    print(
      `bucket ${bucket}: ${source} → ${target}, ${phase}, begun ${duration(Date.now() - started.getTime())} ago; ` +
        (attended ? 'somebody is at it' : 'NOBODY is at it: npm run shards -- resume'),
    );
}

function messagesOf(holds: ShardState['holds']): number | undefined {
  return holds && [...holds.messages.values()].reduce((sum, messages) => sum + messages, 0);
}

/** Bytes on disk by bucket, estimated: its part of the messages of its shard. */
function sizes({ shards }: ShardsState): (bucket: number) => number {
  const bytes = new Map<number, number>();
  for (const { buckets, holds } of shards) {
    const all = messagesOf(holds) ?? 0;
    for (const bucket of buckets)
      bytes.set(bucket, all === 0 ? 0 : (holds!.bytes * (holds!.messages.get(bucket) ?? 0)) / all);
  }
  return (bucket) => bytes.get(bucket) ?? 0;
}

function summary(wanted: readonly Wanted[], sizeOf: (bucket: number) => number): string[] {
  const routes = new Map<string, number[]>();
  for (const { bucket, source, target } of wanted) {
    const route = `${source} → ${target}`;
    routes.set(route, [...(routes.get(route) ?? []), bucket]);
  }
  return [...routes].map(([route, buckets]) => {
    const bytes = buckets.reduce((sum, bucket) => sum + sizeOf(bucket), 0);
    return `${route}: ${buckets.length} buckets, about ${megabytes(bytes)}: ${ranges(buckets)}`;
  });
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

function shardOf({ shards }: ShardsState, bucket: number): string {
  return shards.find((shard) => shard.buckets.includes(bucket))!.name;
}

/** Several words come one by one, with what the earlier ones gave. */
function bucketsOf(words: string, before: number[] = []): number[] {
  const buckets = new Set(before);
  for (const word of words.split(',')) {
    const [, from, to = from] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(word.trim()) ?? [];
    if (from === undefined || Number(from) > Number(to) || Number(to) >= BUCKETS)
      throw new InvalidArgumentError(`expected numbers from 0 to ${BUCKETS - 1}, or ranges such as 0-31.`);
    for (let bucket = Number(from); bucket <= Number(to); bucket++) buckets.add(bucket);
  }
  return [...buckets].sort((a, b) => a - b);
}

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line.trim();
  return '';
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
