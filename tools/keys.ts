/** The keys that messages at rest are sealed by: `npm run keys -- status`. */
import { hostname, userInfo } from 'node:os';
import { createInterface } from 'node:readline';
import { Command, InvalidArgumentError } from 'commander';
import type pg from 'pg';
import { destination, pino } from 'pino';
import { BUCKETS } from '../common/limits.js';
import { EXIT } from '../common/server/lifecycle.js';
import { SettingsError } from '../common/settings.js';
import { requireMasterKey } from '../servers/db-proxy/storage/data-keys.js';
import { isUnavailable } from '../servers/db-proxy/storage/database.js';
import { placeOf } from '../servers/db-proxy/storage/database-url.js';
import {
  countFiles,
  countMessages,
  destroyKey,
  findKey,
  retireKeys,
  rotateData,
  rotateMaster,
} from '../servers/db-proxy/storage/key-rotation.js';
import { keyStatus } from '../servers/db-proxy/storage/key-status.js';
import type { KeyHolder } from '../servers/db-proxy/storage/key-watch.js';
import { fingerprintOf, MasterKeyring, readKeyFile, writeKeyFile } from '../servers/db-proxy/storage/master-key.js';
import { reseal } from '../servers/db-proxy/storage/reseal.js';
import { requireCurrent } from '../servers/db-proxy/storage/schema.js';
import { connectTool } from '../servers/db-proxy/storage/tool-client.js';
import { ResealLine, resealText, statusText } from './keys/report.js';
import { count } from './shards/progress.js';
import { addTargetOptions, type Target, type TargetOptions, targetOf } from './storage-target.js';

const INTERRUPTED = 130;
const RATE = 2_000;
const EXIT_CODES = `
Exit codes: 0 done, 1 something could not be done, 69 a database cannot be reached, 78 wrong settings, 130 interrupted.
The cluster may be running, and notices by itself. Results are on stdout, progress and questions on stderr.

The life of keys: each of the ${BUCKETS} buckets has a data key, wrapped by the master key. \`rotate-data\` begins a new
epoch, by which from then on everything is sealed; \`reseal\` brings what is older under it; \`retire\` forgets the data
keys that nothing is sealed under any more, and \`destroy\` one that something is. \`rotate-master\` wraps all data keys
by another master key. Keep the old one as long as there are backups of before: they open with it only.`;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (stop.signal.aborted || !stoppable) process.exit(INTERRUPTED); // every change is one transaction
    stop.abort();
    say('stopping; once more to stop at once');
  });
/** No connection to the database. Up here, as classes are not known before their line has been run. */
class UnreachableError extends Error {}

/** What is under way looks at `stop` itself. */
let stoppable = false;

const program = addTargetOptions(new Command('npm run keys --'))
  .description('Shows and changes the keys that messages at rest are sealed by.')
  .addHelpText('after', EXIT_CODES);

program
  .command('status')
  .description('epochs, how many messages are under each, and who seals by which')
  .argument('[bucket...]', 'the data keys of these buckets, one by one: 7 0-31', bucketsOf, [])
  .option('--count', 'count the messages, which reads all of them, instead of estimating')
  .action((buckets: number[], { count: exact = false }: { count?: boolean }) =>
    run(async (meta, { databaseUrl }) => {
      const status = await keyStatus(meta, databaseUrl, { exact, only: buckets });
      process.stdout.write(statusText(status, { single: buckets.length > 0 }));
    }),
  );

program
  .command('rotate-data')
  .description('begin a new epoch: what is stored from now on is sealed by new data keys')
  .argument('[bucket...]', 'numbers and ranges: 7 0-31 40,42', bucketsOf, [])
  .option('--all', 'in all buckets')
  .action((buckets: number[], { all = false }: { all?: boolean }) =>
    run(async (meta, target) => {
      if (all === buckets.length > 0) throw new SettingsError('which buckets? Name some, or say --all');
      const wanted = all ? Array.from({ length: BUCKETS }, (_, bucket) => bucket) : buckets;
      const made = await rotateData(meta, await MasterKeyring.open(target.masterKey), wanted);
      const epochs = [...new Set(made.map((each) => each.epoch))].sort((a, b) => a - b);
      audit('rotate-data', { buckets: wanted, epochs });
      print(
        `${made.length} buckets have a new data key, epoch ${epochs.join(', ')}; db-proxies seal by it in some seconds`,
      );
      print('What was stored before is under the old ones until `npm run keys -- reseal`.');
    }),
  );

program
  .command('rotate-master')
  .description('wrap all data keys by a new master key; takes no longer than a moment, messages are not touched')
  .requiredOption('--new-key-file <file>', 'its 64 hex digits: `openssl rand -hex 32 > FILE` makes one')
  .action(({ newKeyFile }: { newKeyFile: string }) => run((meta, target) => changeMaster(meta, target, newKeyFile)));

program
  .command('reseal')
  .description('seal the messages of past epochs by the current data keys; may be stopped and run again at any time')
  .option('--rate <n>', 'messages per second at most; 0: as fast as it goes', rate, RATE)
  .option('--again', 'also look through buckets that are done')
  .action(({ rate: rowsPerSecond, again = false }: { rate: number; again?: boolean }) =>
    run((_, target) => resealAll(target, rowsPerSecond, again)),
  );

program
  .command('retire')
  .description('forget the data keys of past epochs that no message is sealed under')
  .action(() =>
    run(async (meta, { databaseUrl }) => {
      const { retired, busy } = await retireKeys(meta, databaseUrl, { waiting: sayWaiting() });
      if (retired.length > 0) audit('retire', { keys: retired.map((key) => key.keyId) });
      print(`${retired.length} data keys are forgotten: nothing is sealed under them`);
      if (busy.length > 0) say(`left out, as somebody is at them: bucket ${busy.join(', ')}; run it again later`);
      return busy.length > 0 ? EXIT.failed : EXIT.ok;
    }),
  );

program
  .command('destroy')
  .description('destroy a data key of a past epoch: what is sealed under it is lost for ever')
  .argument('<key>', 'BUCKET/EPOCH, or a key id, as `status` has them', keyOf)
  .option('--yes', 'do not ask')
  .action((which: Which, { yes = false }: { yes?: boolean }) =>
    run((meta, target) => destroy(meta, target, which, yes)),
  );

await program.parseAsync();

// ---- what the commands do -----------------------------------------------------------------------------------------

async function changeMaster(meta: pg.Client, target: Target, newKeyFile: string): Promise<void> {
  const [newKey, ...more] = await readKeyFile(newKeyFile);
  if (newKey === undefined || more.length > 0) throw new SettingsError(`${newKeyFile} has several keys: give one`);
  const ring = await MasterKeyring.open(target.masterKey);
  await requireMasterKey(meta, ring);
  // Both keys are in the launcher's file while it is not certain which of them is in use, whatever happens to us.
  if (target.ownKeyFile !== undefined) await keepBoth(target.ownKeyFile, ring, newKey);
  const { from, to, keys } = await rotateMaster(meta, ring, newKey).catch((error: Error) => {
    if (target.ownKeyFile !== undefined)
      say(`${target.ownKeyFile} has both keys now, which is right in any case; run it again`);
    throw error;
  });
  if (target.ownKeyFile !== undefined) await writeKeyFile(target.ownKeyFile, [newKey]);
  if (keys === 0) return print(`the master key in use is ${to} already`);
  audit('rotate-master', { from, to, keys });
  print(`${keys} data keys are wrapped by the master key ${to} now, no longer by ${from}`);
  print(
    target.ownKeyFile === undefined
      ? 'Running db-proxies go on. Give all of them the new key now: a start with the old one is refused.'
      : `${target.ownKeyFile} has the new key, ${target.ownKeyFile}.${from} the old one, for backups of before.`,
  );
}

async function keepBoth(path: string, ring: MasterKeyring, newKey: Buffer): Promise<void> {
  const old = ring.keys.filter((key) => !key.equals(newKey));
  for (const key of old) await writeKeyFile(`${path}.${fingerprintOf(key)}`, [key]);
  await writeKeyFile(path, [newKey, ...old]);
}

async function resealAll(target: Target, rowsPerSecond: number, again: boolean): Promise<number> {
  stoppable = true;
  const line = new ResealLine(process.stderr);
  const report = await reseal(target.databaseUrl, await MasterKeyring.open(target.masterKey), {
    rowsPerSecond,
    again,
    signal: stop.signal,
    progress: (progress) => line.at(progress),
    unopenable({ conversationId, msgId, keyId, destroyed }) {
      line.end();
      say(
        `message ${conversationId}/${msgId} cannot be opened: data key ${keyId} ${destroyed ? 'was destroyed' : 'does not fit it, or is not there'}`,
      );
    },
  }).finally(() => line.end());
  process.stdout.write(resealText(report));
  if (report.stopped) return INTERRUPTED;
  return report.damaged > 0 || report.moving.length > 0 ? EXIT.failed : EXIT.ok;
}

type Which = { readonly keyId: number } | { readonly bucket: number; readonly epoch: number };

async function destroy(meta: pg.Client, { databaseUrl }: Target, which: Which, yes: boolean): Promise<number> {
  const key = await findKey(meta, which);
  const name = `${key.bucket}/${key.epoch}`;
  if (key.current || key.destroyed) await destroyKey(meta, databaseUrl, key, { messagesMax: 0 }); // says why not
  const messages = await countMessages(meta, databaseUrl, key);
  const files = await countFiles(meta, key);
  const withFiles = files === 0 ? '' : ` and ${count(files)} files`;
  say(
    `data key ${key.keyId}, bucket ${key.bucket}, epoch ${key.epoch}: ${count(messages)} messages${withFiles} are sealed under it`,
  );
  say('and nobody will ever read them again: clients show that they cannot be read.');
  if (!yes && (await answerTo(`Type ${name} to destroy it: `)) !== name) {
    say('nothing was destroyed');
    return EXIT.failed;
  }
  const lost = await destroyKey(meta, databaseUrl, key, { messagesMax: messages + files, waiting: sayWaiting() });
  audit('destroy', { keyId: key.keyId, bucket: key.bucket, epoch: key.epoch, messages: lost - files, files });
  print(
    `data key ${name} is destroyed, ${count(lost - files)} messages${withFiles} with it. Backups of before still have it.`,
  );
  return EXIT.ok;
}

async function answerTo(question: string): Promise<string> {
  process.stderr.write(question);
  for await (const line of createInterface({ input: process.stdin })) return line.trim();
  return '';
}

/** Says once whom it waits for. */
function sayWaiting(): (holders: readonly KeyHolder[]) => void {
  let said = false;
  return (holders) => {
    if (!said) say(`waiting until ${holders.map((each) => each.name).join(', ')} has the newest keys`);
    said = true;
  };
}

/** One line of JSON for whoever collects logs: who has done what to the keys. */
function audit(action: string, detail: object): void {
  const log = pino(
    { base: { server: 'keys' }, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: 2, sync: true }),
  );
  const user = process.env.SUDO_USER ?? userInfo().username;
  log.info({ audit: action, by: `${user}@${hostname()}`, ...detail }, 'keys were changed');
}

// ---- how they begin and end ---------------------------------------------------------------------------------------

async function run(work: (meta: pg.Client, target: Target) => Promise<number> | Promise<void>): Promise<void> {
  let meta: pg.Client | undefined;
  try {
    const target = await targetOf(program.opts<TargetOptions>());
    meta = await connectTool(target.databaseUrl, 'keys').catch((error: Error) => {
      throw new UnreachableError(`${placeOf(target.databaseUrl)} (${target.databaseFrom}): ${reasonOf(error)}`);
    });
    await requireCurrent(meta, 'meta', placeOf(target.databaseUrl));
    process.exitCode = (await work(meta, target)) ?? EXIT.ok;
  } catch (error) {
    say(reasonOf(error));
    process.exitCode = exitCodeOf(error);
  }
  await meta?.end().catch(() => undefined);
  process.stdin.destroy(); // a question may have been asked
}

function exitCodeOf(error: unknown): number {
  if (error instanceof SettingsError) return EXIT.settings;
  if (error instanceof UnreachableError) return EXIT.unavailable;
  return 'code' in (error as Error) && isUnavailable(error) ? EXIT.unavailable : EXIT.failed;
}

/** A host of several addresses fails with one error for each. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  return (error as Error).message;
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
  return [...buckets];
}

function keyOf(word: string): Which {
  const [, first, epoch] = /^(\d{1,9})(?:\/(\d{1,9}))?$/.exec(word) ?? [];
  if (first === undefined)
    throw new InvalidArgumentError('expected BUCKET/EPOCH such as 17/1, or a key id such as 42.');
  return epoch === undefined ? { keyId: Number(first) } : { bucket: Number(first), epoch: Number(epoch) };
}

function rate(word: string): number {
  const value = Number(word);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('expected a whole number, 0 for no limit.');
  return value;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
