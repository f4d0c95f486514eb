import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { readSettings, sourcesOfProcess } from '../common/settings.js';
import { fileStatus, planOf, setRule } from '../servers/db-proxy/storage/blob-sweep.js';
import { Blobs } from '../servers/db-proxy/storage/blobs.js';
import { DataKeys } from '../servers/db-proxy/storage/data-keys.js';
import { openPool } from '../servers/db-proxy/storage/database.js';
import { MasterKeyring } from '../servers/db-proxy/storage/master-key.js';
import { requireCurrent } from '../servers/db-proxy/storage/schema.js';
import type { Driver } from '../servers/file/blobs/driver.js';
import { openDriver } from '../servers/file/blobs/open-driver.js';
import { plainOf } from '../servers/file/blobs/sealed-reader.js';
import { orphansOf, type SweepIndex, sweep } from '../servers/file/blobs/sweep.js';
import { fileSettings } from '../servers/file/settings.js';
import { count, Progress } from './backup/progress.js';
import { endedBy, run } from './backup/run.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

/** `npm run files`: how the files at rest stand, removing what nobody refers to, and looking whether all of them open. */
const FOR_EVER = 'forever';

const program = new Command('npm run files --').description(
  'Files at rest. Where they lie is taken from the settings of the file server (TT_FILE_STORAGE, …) or from --data.',
);

command('status', 'prints what there is and what a gc would remove').action((options: TargetOptions) =>
  act(options, async ({ pool, uploadAgeMs }) => {
    const { blobs: there, bytes, uploads, kinds } = await fileStatus(pool);
    const lines = [`${count(there)} blobs with ${count(bytes)} bytes, ${count(uploads)} uploads under way`];
    for (const { kind, files, bytes: size, days } of kinds)
      lines.push(
        `  ${kind.padEnd(10)} ${count(files)} files, ${count(size)} bytes, kept ${days === null ? 'for ever' : `${count(days)} days`}`,
      );
    const due = await planOf(pool, uploadAgeMs);
    lines.push(words(due));
    process.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  }),
);

command('keep', 'says how long files of a kind are kept, counted from their upload')
  .argument('<kind>', 'store: what clients upload; transfer: files from user to user', kind)
  .argument('<days>', `a number, or ${FOR_EVER}`, days)
  .action((which: string, howLong: number | typeof FOR_EVER, options: TargetOptions) =>
    act(options, async ({ pool }) => {
      await setRule(pool, which, howLong === FOR_EVER ? undefined : howLong);
      return 0;
    }),
  );

command('gc', 'removes what nobody refers to and what crashes have left; the file servers do it by themselves as well')
  .option('--dry-run', 'only say what would go', false)
  .option('--now', 'also what somebody may just be reading', false)
  .option('--even-most', 'also when hardly any object is known here', false)
  .action((options: TargetOptions & { dryRun: boolean; now: boolean; evenMost: boolean }) =>
    act(options, async ({ blobs, driver, pool, uploadAgeMs, graceMs }) => {
      if (options.dryRun) {
        const { ids } = await orphansOf(driver, indexOf(blobs));
        process.stdout.write(
          `${words(await planOf(pool, uploadAgeMs))}; ${count(ids.length)} objects that nobody knows\n`,
        );
        return 0;
      }
      const progress = new Progress('files');
      const swept = await sweep(driver, indexOf(blobs), {
        uploadAgeMs,
        graceMs: options.now ? 0 : graceMs,
        evenMost: options.evenMost,
        signal: endedBy('SIGINT', 'SIGTERM', 'SIGHUP'),
        hear: ({ removed, orphans }) => progress.step('removing', removed + orphans),
      });
      process.stdout.write(`${count(swept.removed)} objects and ${count(swept.orphans)} that nobody knew are gone\n`);
      return 0;
    }),
  );

command('verify', 'opens every file and compares its digest; changes nothing; exit code 1 when one is damaged').action(
  (options: TargetOptions) =>
    act(options, async ({ blobs, driver }) => {
      const progress = new Progress('files');
      const signal = endedBy('SIGINT', 'SIGTERM', 'SIGHUP');
      let [good, bytes, bad] = [0, 0, 0];
      for await (const blob of blobs.all()) {
        if (signal.aborted) break;
        const id = blob.id.toString('hex');
        const why = await whatIsWrong(driver, blob);
        if (why === undefined) good++;
        else process.stdout.write(`file ${id}: ${why}\n`);
        if (why !== undefined) bad++;
        bytes += blob.size;
        progress.step('reading', good + bad);
      }
      process.stdout.write(`${count(good)} files are whole, ${count(bad)} are not; ${count(bytes)} bytes\n`);
      return bad === 0 ? 0 : 1;
    }),
);

await program.parseAsync();

function command(name: string, about: string): Command {
  return addTargetOptions(program.command(name).description(about));
}

interface Opened {
  readonly blobs: Blobs;
  readonly driver: Driver;
  readonly pool: ReturnType<typeof openPool>;
  readonly uploadAgeMs: number;
  readonly graceMs: number;
}

async function act(options: TargetOptions, work: (opened: Opened) => Promise<number>): Promise<void> {
  await run('files', async () => {
    const { databaseUrl, masterKey } = await targetOf(options);
    const settings = readSettings('file', fileSettings, sourcesOfProcess());
    const folder = options.data === undefined ? settings.folder : join(options.data, 'files');
    const pool = openPool(databaseUrl, 'teamtalk files', 2);
    try {
      await requireCurrent(pool, 'meta', 'the database');
      const keys = await DataKeys.open(pool, await MasterKeyring.open(masterKey), { create: false });
      const driver = openDriver({ ...settings, folder });
      return await work({ ...settings, blobs: new Blobs(pool, keys), driver, pool });
    } finally {
      await pool.end();
    }
  });
}

function indexOf(blobs: Blobs): SweepIndex {
  const ids = (hex: readonly string[]) => hex.map((id) => Buffer.from(id, 'hex'));
  const hex = (bytes: readonly Buffer[]) => bytes.map((id) => id.toString('hex'));
  return {
    collect: async (asked) => hex(await blobs.collect(asked)),
    removed: (gone) => blobs.forget(ids(gone)),
    unknownOf: async (seen) => hex(await blobs.unknownOf(ids(seen))),
  };
}

async function whatIsWrong(
  driver: Driver,
  { id, sha256, size, fileKey }: { id: Buffer; sha256: Buffer; size: number; fileKey: Buffer | undefined },
): Promise<string | undefined> {
  if (fileKey === undefined) return 'its key cannot be opened: the data key was destroyed, or its row is damaged';
  const hash = createHash('sha256');
  const blob = { id: id.toString('hex'), sha256: sha256.toString('hex'), size, key: { id, key: fileKey } };
  try {
    for await (const piece of plainOf(driver, blob, { start: 0, end: size })) hash.update(piece);
  } catch (error) {
    return (error as Error).message;
  }
  return hash.digest().equals(sha256) ? undefined : 'its content is not what was uploaded';
}

function words({ expiredFiles, staleUploads, unreferenced, removing }: Awaited<ReturnType<typeof planOf>>): string {
  return `due: ${count(expiredFiles)} files whose time is over, ${count(staleUploads)} uploads nobody goes on with, ${count(unreferenced.blobs)} blobs (${count(unreferenced.bytes)} bytes) without a name, ${count(removing)} being removed`;
}

function kind(text: string): string {
  if (!/^(store|transfer)$/.test(text)) throw new InvalidArgumentError('expected store or transfer.');
  return text;
}

function days(text: string): number | typeof FOR_EVER {
  const value = Number(text);
  if (text === FOR_EVER) return text;
  if (!Number.isInteger(value) || value < 1 || value > 100_000)
    throw new InvalidArgumentError(`expected a whole number from 1 to 100000, or ${FOR_EVER}.`);
  return value;
}
