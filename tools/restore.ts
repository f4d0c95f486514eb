import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { MasterKeyring } from '../servers/db-proxy/storage/master-key.js';
import { type Backup, openManifest } from './backup/manifest.js';
import { inNewData } from './backup/new-data.js';
import { count, Progress, size } from './backup/progress.js';
import { verifyParts } from './backup/read.js';
import { type Restored, restoreBackup, type ShardTarget } from './backup/restore.js';
import { endedBy, run } from './backup/run.js';
import { reportText } from './fsck/report.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

/** `npm run restore -- FOLDER`: a backup, checked and put into databases that are empty. */
const program = addTargetOptions(
  new Command('npm run restore --')
    .description('Checks a backup and puts it into an empty database, or several.')
    .argument('<folder>', 'what `npm run backup` has written')
    .option('--verify-only', 'check the backup, touch no database', false)
    .option('--all-to-one', 'everything into the database of meta, however many shards there were; the default', false)
    .option(
      '--shard <name=url>',
      'a shard to be, repeated for each; url: postgres://…, or /name for a database of the same server. ' +
        'When the names are those of the backup, each gets its buckets back, else these are spread evenly',
      shardOption,
      [] as ShardTarget[],
    )
    .option(
      '--new-data <dir>',
      'make a data folder for `npm start -- --data <dir>` instead of using a database',
      (dir) => resolve(dir),
    )
    .option('--again', 'the target holds an unfinished restore: empty it and start over', false)
    .option('--json', 'print the outcome as JSON on stdout', false)
    .addHelpText(
      'after',
      '\nExit codes: 0 done and whole, 1 refused or failed, 3 restored, but the check at the end has findings.',
    ),
).parse();

interface Options extends TargetOptions {
  readonly verifyOnly: boolean;
  readonly allToOne: boolean;
  readonly shard: readonly ShardTarget[];
  readonly newData?: string;
  readonly again: boolean;
  readonly json: boolean;
}

const WITH_FINDINGS = 3;

await run('restore', async () => {
  const options = program.opts<Options>();
  refuseContradictions(options);
  const target = await targetOf(options.verifyOnly || options.newData !== undefined ? nowhere(options) : options);
  const masterKeys = await MasterKeyring.open(target.masterKey);
  const backup = await openManifest(resolve(program.args[0]!), masterKeys);
  const progress = new Progress('restore');
  if (options.verifyOnly) {
    await verifyParts(backup, progress);
    process.stdout.write(options.json ? `${JSON.stringify({ verified: true, ...totals(backup) })}\n` : checked(backup));
    return 0;
  }
  const signal = endedBy('SIGINT', 'SIGTERM', 'SIGHUP');
  const { shard: shards, again } = options;
  const into = (databaseUrl: string) =>
    restoreBackup(backup, { databaseUrl, shards, again, masterKeys, progress, signal });
  const masterKey = masterKeys.get(backup.manifest.masterKey)!;
  const restored =
    options.newData === undefined
      ? await into(target.databaseUrl)
      : await inNewData(options.newData, masterKey, again, into);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  if (options.json) process.stdout.write(`${JSON.stringify({ ...restored, ...totals(backup), peakBytes })}\n`);
  else process.stdout.write(summary(backup, restored, peakBytes));
  return restored.fsck.whole ? 0 : WITH_FINDINGS;
});

function refuseContradictions({ allToOne, shard, newData, database, verifyOnly }: Options): void {
  if (allToOne && shard.length > 0) throw new Error('--all-to-one and --shard exclude each other');
  const places = [newData, database, verifyOnly || undefined].filter((each) => each !== undefined);
  if (places.length > 1) throw new Error('--database, --new-data and --verify-only exclude each other');
  if (newData !== undefined && shard.length > 0) throw new Error('--new-data and --shard exclude each other');
}

/** Only the master key is wanted. */
function nowhere(options: Options): TargetOptions {
  return { ...options, database: 'postgres://localhost/none' };
}

function shardOption(text: string, before: readonly ShardTarget[]): ShardTarget[] {
  const [, name, url] = /^([a-z0-9-]{1,32})=(.+)$/.exec(text) ?? [];
  if (name === undefined || url === undefined) throw new InvalidArgumentError('expected name=url.');
  if (!url.startsWith('/') && !URL.canParse(url))
    throw new InvalidArgumentError('expected postgres://… or /name behind the =.');
  if (before.some((shard) => shard.name === name)) throw new InvalidArgumentError(`there are two ${name}.`);
  return [...before, { name, url }];
}

function totals({ manifest }: Backup): { rows: number; bytes: number } {
  return {
    rows: manifest.parts.reduce((sum, part) => sum + part.rows, 0),
    bytes: manifest.parts.reduce((sum, part) => sum + part.size, 0),
  };
}

function checked(backup: Backup): string {
  const { rows, bytes } = totals(backup);
  const { taken, parts } = backup.manifest;
  return `the backup of ${taken} is whole: ${parts.length} parts, ${count(rows)} rows, ${size(bytes)}\n`;
}

function summary(backup: Backup, { fsck, reconciled, ms }: Restored, peakBytes: number): string {
  const { rows, bytes } = totals(backup);
  const { joined, hidden, listed } = reconciled ?? { joined: 0, hidden: 0, listed: 0 };
  const lines = [
    `${count(rows)} rows, ${size(bytes)} restored in ${(ms / 1000).toFixed(1)} s; memory at most ${size(peakBytes)}`,
  ];
  if (joined + hidden + listed > 0)
    lines.push(`made to agree: ${joined} members, ${hidden} removed conversations, ${listed} entries of lists`);
  lines.push(reportText(fsck));
  lines.push('What retention has removed since that day is back: run `npm run retention -- run`.');
  return `${lines.join('\n')}\n`;
}
