import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';
import { SettingsError } from '../common/settings.js';
import { ImportRefused, ImportTarget, whyNotEmpty } from '../servers/db-proxy/storage/import.js';
import { endedBy, run } from './backup/run.js';
import { type Listener, sentenceOf } from './import-teamtalk/findings.js';
import { findMariadb, Mariadb } from './import-teamtalk/mariadb.js';
import { OldRedis } from './import-teamtalk/old-redis.js';
import { durationOf, Progress } from './import-teamtalk/progress.js';
import { reportOf } from './import-teamtalk/report.js';
import { type ImportParts, type Outcome, runDry, runImport, totalOf } from './import-teamtalk/run.js';
import { addressOf, Source, type SourceAddress, SourceError } from './import-teamtalk/source.js';
import { VoiceFolder, VoiceServer, type VoiceStore, VoiceStoreSilent } from './import-teamtalk/voice.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

/** `npm run import-teamtalk`: takes the database of an original TeamTalk over into an empty cluster. */
const PORTION_MAX = 1_000_000;
const HELP = `
The source is a running MySQL or MariaDB (--from), or a dump of mysqldump or mariadb-dump (--dump), whole or .gz, which
is loaded into a MariaDB server of its own; its programs have to be on this machine (Debian: mariadb-server). Stop the
original's servers before: what is written meanwhile is not brought over. Nothing is changed in the source.

The target must be empty, as "npm start -- --no-demo" makes it; its servers may run. People come last, so nobody can log
in before everything is there and counted. An import that was cut off goes on when the same command is given again.

Exit codes: 0 done and counted, 1 the counts differ or it was cut off, 69 source, Redis, voice store or target are not to be
reached, 78 wrong options, or a target that is not empty.`;

const program = addTargetOptions(
  new Command('npm run import-teamtalk --')
    .description('Takes the database of an original TeamTalk over into an empty cluster.')
    .addOption(
      new Option('--from <url>', 'mysql://user:password@host:port/teamtalk; in TT_IMPORT_FROM others cannot see it')
        .env('TT_IMPORT_FROM')
        .conflicts('dump'),
    )
    .option('--dump <file>', 'a dump of it, .sql or .sql.gz')
    .addOption(
      new Option('--redis <url>', 'its Redis, redis://host:port: unread counts, members, phones').env(
        'TT_IMPORT_REDIS',
      ),
    )
    .addOption(new Option('--voice-dir <dir>', 'files of its store, for voice messages').conflicts('voiceUrl'))
    .option('--voice-url <url>', 'its store, or a web server over its files, for voice messages', webAddress)
    .option('--dry-run', 'read everything, tell what would be done, write nothing', false)
    .option('--findings <file>', 'add every single finding to this file, a line each')
    .option('--portion <rows>', 'messages that are held in memory at once, twice over', rows, 10_000)
    .addHelpText('after', HELP),
).parse();

interface Options extends TargetOptions {
  readonly from?: string;
  readonly dump?: string;
  readonly redis?: string;
  readonly voiceDir?: string;
  readonly voiceUrl?: string;
  readonly dryRun: boolean;
  readonly findings?: string;
  readonly portion: number;
}

const CUT_OFF = 1;
const UNREADABLE = 69;
const WRONG = 78;

const options = program.opts<Options>();
// What is being stored at that moment is stored or not; the next run finds out. Only what was started ends with us.
endedBy('SIGINT', 'SIGTERM', 'SIGHUP').addEventListener('abort', () => process.exit(CUT_OFF));

let isBegun = false;

await run('import-teamtalk', async () => {
  try {
    return await importTeamtalk();
  } catch (error) {
    const code = codeOf(error);
    if (code !== undefined) process.stderr.write(`import-teamtalk: ${wordsOf(error)}\n`);
    if (isBegun && code !== WRONG)
      process.stderr.write('import-teamtalk: cut off. What is stored stays; the same command goes on from there.\n');
    if (code === undefined) throw error;
    return code;
  }
});

async function importTeamtalk(): Promise<number> {
  const startedMs = performance.now();
  const scratch = options.dump === undefined ? undefined : await startScratch();
  let source: Source | undefined;
  let redis: OldRedis | undefined;
  try {
    source = await Source.open(await sourceAddress(scratch));
    redis = options.redis === undefined ? undefined : await openRedis(options.redis);
    const findings = options.findings === undefined ? undefined : await openFindings(options.findings);
    const nowS = Math.floor(Date.now() / 1000);
    const parts = {
      source,
      redis,
      voiceStore: voiceStore(),
      listener: listenerOf(findings),
      nowS,
      portionRows: options.portion,
    };
    const progress = new Progress(process.stderr, totalOf(source));
    const outcome = options.dryRun ? await dryRun(parts, progress) : await realRun(parts, progress);
    progress.end();
    await ended(findings);
    return outcome === undefined ? 0 : tell(source, outcome, performance.now() - startedMs);
  } finally {
    redis?.close();
    source?.close();
    await scratch?.stop();
  }
}

/** @returns undefined when it was all done by an earlier run */
async function realRun(parts: ImportParts, progress: Progress): Promise<Outcome | undefined> {
  const { databaseUrl, masterKey } = await targetOf(options);
  const target = await ImportTarget.open({ databaseUrl, ...masterKey }, pino({ level: 'silent' }));
  try {
    const state = await target.begin({ source: parts.source.fingerprint, options: lastingOptions() }, parts.nowS);
    if (state === 'finished') {
      process.stdout.write('This import is finished already; there is nothing to do.\n');
      return undefined;
    }
    isBegun = true;
    if (state === 'resumed') progress.say('an import was begun: going on where it was cut off');
    return await runImport(parts, target, progress);
  } finally {
    await target.close();
  }
}

async function dryRun(parts: ImportParts, progress: Progress): Promise<Outcome> {
  const target = await targetOf(options).catch(() => undefined); // it needs none
  const why =
    target && (await whyNotEmpty(target.databaseUrl).catch((error) => `it cannot be reached: ${wordsOf(error)}`));
  if (why !== undefined) progress.say(`with this target an import would end at once: ${why}`);
  return runDry(parts, progress);
}

/** What the stored depends on, besides the source: an import goes on with the same only. */
function lastingOptions(): string {
  const hasVoices = options.voiceDir !== undefined || options.voiceUrl !== undefined;
  return [...(options.redis === undefined ? [] : ['Redis']), ...(hasVoices ? ['voices'] : [])].join(' and ');
}

function tell(source: Source, { tally, differences }: Outcome, ms: number): number {
  process.stdout.write(`\n${reportOf(source, tally)}\n`);
  const seconds = ms / 1000;
  const pace = `${totalOf(source).toLocaleString('en-US')} rows in ${durationOf(seconds)}`;
  if (differences.count > 0) {
    process.stdout.write(`${differences.count} COUNTS DIFFER; nobody can log in. ${pace}\n`);
    for (const words of differences.words) process.stdout.write(`  ${words}\n`);
    return 1;
  }
  if (options.dryRun) process.stdout.write(`Nothing was written: this was a dry run. ${pace}\n`);
  else process.stdout.write(`Everything is there, counted in the source and in the target. ${pace}\n`);
  return 0;
}

async function sourceAddress(scratch: Scratch | undefined): Promise<SourceAddress> {
  if (scratch !== undefined) return scratch.address;
  if (options.from === undefined) throw new SettingsError('where from? Give --from mysql://… or --dump file.sql');
  return addressOf(options.from);
}

interface Scratch {
  readonly address: SourceAddress;
  stop(): Promise<void>;
}

async function startScratch(): Promise<Scratch> {
  const files = await findMariadb();
  if (files === undefined)
    throw new SourceError(
      'reading a dump needs the programs mariadbd, mariadb-install-db and mariadb (Debian: apt-get install mariadb-server)',
    );
  process.stderr.write('loading the dump into a MariaDB server of its own\n');
  const server = await Mariadb.start(files);
  try {
    return { address: await server.load(files, options.dump!), stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function openRedis(url: string): Promise<OldRedis> {
  try {
    return await OldRedis.open(url);
  } catch (error) {
    throw new SourceError((error as Error).message, { cause: error });
  }
}

function voiceStore(): VoiceStore | undefined {
  if (options.voiceDir !== undefined) return new VoiceFolder(options.voiceDir);
  return options.voiceUrl === undefined ? undefined : new VoiceServer(options.voiceUrl);
}

async function openFindings(path: string): Promise<WriteStream> {
  const stream = createWriteStream(path, { flags: 'a' });
  await once(stream, 'open').catch((error: Error) => {
    throw new SettingsError(`--findings: ${error.message}`);
  });
  return stream;
}

/** After an import that was cut off, the findings of the portion it was at come twice. */
function listenerOf(findings: WriteStream | undefined): Listener {
  return (kind, what) => findings?.write(`${sentenceOf(kind)}\t${what}\n`);
}

async function ended(stream: WriteStream | undefined): Promise<void> {
  if (stream !== undefined) await new Promise<void>((resolve) => stream.end(() => resolve()));
}

function codeOf(error: unknown): number | undefined {
  if (error instanceof ImportRefused || error instanceof SettingsError) return WRONG;
  if (error instanceof SourceError || error instanceof VoiceStoreSilent) return UNREADABLE;
  return isConnectionLost(error) ? UNREADABLE : undefined;
}

/** When several addresses of a host were tried, the error has no words of its own. */
function wordsOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return message || (code ?? String(error));
}

/** PostgreSQL went away, as opposed to a fault of ours. */
function isConnectionLost(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return /^(08|57)|^E[A-Z]+$/.test(code ?? '') || /^Connection terminated|^Client has encountered/.test(message ?? '');
}

function rows(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > PORTION_MAX)
    throw new InvalidArgumentError(`expected a whole number from 1 to ${PORTION_MAX}.`);
  return value;
}

function webAddress(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError('expected http://host:port/');
  return text;
}
