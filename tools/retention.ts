import { hostname, userInfo } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type Hold,
  type LogLine,
  type Policy,
  Retention,
  type RunResult,
} from '../servers/db-proxy/storage/retention.js';
import { count, Progress } from './backup/progress.js';
import { endedBy, run } from './backup/run.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

/** `npm run retention`: how long messages are kept, what is kept in any case, and removing the rest. */
const FOR_EVER = 'forever';
const LIKE_ALL = 'default';
const LOG_LINES = 20;
const BATCH_ROWS = 5_000;

/** Not null, which commander takes for nothing given. */
type Given = number | typeof FOR_EVER;

const program = new Command('npm run retention --').description('How long messages are kept; removing what is older.');

command('set', 'changes the rules; without any rule everything stays')
  .option('--single <days>', 'for chats of two', days)
  .option('--groups <days>', 'for all groups', days)
  .option('--group <id>', 'for this group, with --days', number(1))
  .addOption(
    new Option('--days <days>', `with --group: a number, ${FOR_EVER}, or default: like all groups`).argParser(ownDays),
  )
  .action((options: TargetOptions & SetOptions) => act(options, (retention) => set(retention, options)));

command('show', 'prints rules, holds and what was done last')
  .option('--json', 'as JSON', false)
  .action((options: TargetOptions & { json: boolean }) =>
    act(options, async (retention) => {
      const policy = await retention.policy();
      const log = await retention.log(LOG_LINES);
      process.stdout.write(options.json ? `${JSON.stringify({ ...plain(policy), log })}\n` : shown(policy, log));
    }),
  );

for (const [name, words] of [
  ['hold', 'from now on nothing is removed of a user (all his conversations) or a group'],
  ['release', 'ends a hold'],
] as const) {
  command(name, words)
    .argument('<kind>', 'user or group', kind)
    .argument('<id>', 'its number', number(1))
    .option('--reason <text>', 'for the log', '')
    .action((kind: Hold['kind'], id: number, options: TargetOptions & { reason: string }) =>
      act(options, (retention) => retention[name](kind, id, options.reason)),
    );
}

command('run', 'removes what the rules do not keep; may be broken off and run again at any time')
  .option('--dry-run', 'only count', false)
  .option('--duty <percent>', 'the part of its time that it works; the rest it leaves to others', number(1, 100), 50)
  .option('--no-vacuum', 'leave the space of what was removed to autovacuum')
  .option('--json', 'print the outcome as JSON', false)
  .action((options: TargetOptions & RunCommand) => act(options, (retention) => remove(retention, options)));

interface SetOptions {
  readonly single?: Given;
  readonly groups?: Given;
  readonly group?: number;
  readonly days?: Given | typeof LIKE_ALL;
}

interface RunCommand {
  readonly dryRun: boolean;
  readonly duty: number;
  readonly vacuum: boolean;
  readonly json: boolean;
}

await program.parseAsync();

function command(name: string, words: string): Command {
  return addTargetOptions(program.command(name).description(words));
}

async function act(options: TargetOptions, work: (retention: Retention) => Promise<void>): Promise<void> {
  await run('retention', async () => {
    const { databaseUrl } = await targetOf(options);
    const retention = await Retention.open(databaseUrl, `${userInfo().username}@${hostname()}`);
    try {
      await work(retention);
    } finally {
      await retention.close();
    }
    return 0;
  });
}

async function set(retention: Retention, { single, groups, group, days: own }: SetOptions): Promise<void> {
  if ((group === undefined) !== (own === undefined)) throw new Error('--group and --days belong together');
  if (single === undefined && groups === undefined && group === undefined)
    throw new Error('give --single, --groups, or --group with --days');
  if (single !== undefined) await retention.set('single', stored(single));
  if (groups !== undefined) await retention.set('group', stored(groups));
  if (group !== undefined && own !== undefined)
    await retention.setGroup(group, own === LIKE_ALL ? undefined : stored(own));
}

async function remove(retention: Retention, { dryRun, duty, vacuum, json }: RunCommand): Promise<void> {
  const progress = new Progress('retention');
  const result = await retention.run({
    dryRun,
    duty: duty / 100,
    vacuum,
    batchRows: BATCH_ROWS,
    nowMs: Date.now(),
    signal: endedBy('SIGINT', 'SIGTERM', 'SIGHUP'),
    hear: (doing, messages) => progress.step(doing, messages),
  });
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : outcome(result));
}

function outcome({ dryRun, messages, conversations, held, skipped }: RunResult): string {
  const lines = [
    `${count(messages)} messages of ${count(conversations)} conversations ${dryRun ? 'would go' : 'are gone'}`,
    ...(held > 0 ? [`${count(held)} conversations stay because they are held`] : []),
    ...(skipped.length > 0 ? [`buckets ${skipped.join(', ')} are being moved: run it again later`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function plain({ groups, ...policy }: Policy) {
  return { ...policy, groups: Object.fromEntries(groups) };
}

function shown({ single, group, groups, holds }: Policy, log: readonly LogLine[]): string {
  const lines = [`chats of two  ${words(single)}`, `groups        ${words(group)}`];
  for (const [id, own] of groups) lines.push(`group ${String(id).padEnd(7)} ${words(own)}`);
  lines.push('', holds.length === 0 ? 'nothing is held' : 'held:');
  for (const { kind, id, since, reason } of holds)
    lines.push(`  ${kind} ${id} since ${since.toISOString()}${reason === '' ? '' : `: ${reason}`}`);
  lines.push('', 'done, newest first:');
  for (const line of log) {
    const end =
      line.finished === null
        ? line.action === 'run'
          ? ', without an end so far'
          : ''
        : ` → ${JSON.stringify(line.outcome)}`;
    lines.push(`  ${line.at.toISOString()} ${line.who} ${line.action} ${JSON.stringify(line.detail)}${end}`);
  }
  return `${lines.join('\n')}\n`;
}

function words(days: number | null): string {
  return days === null ? 'for ever' : `${count(days)} days`;
}

function stored(days: Given): number | null {
  return days === FOR_EVER ? null : days;
}

function days(text: string): Given {
  return text === FOR_EVER ? FOR_EVER : number(1, 100_000)(text);
}

function ownDays(text: string): Given | typeof LIKE_ALL {
  return text === LIKE_ALL ? LIKE_ALL : days(text);
}

function kind(text: string): Hold['kind'] {
  if (text !== 'user' && text !== 'group') throw new InvalidArgumentError('expected user or group.');
  return text;
}

function number(min: number, max = 2 ** 31 - 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`);
    return value;
  };
}
