import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { projectRoot } from '../../common/root.js';
import { openSnapshots, type Snapshot, type Snapshots, type Table } from '../../servers/db-proxy/storage/backup.js';
import { CopyRows } from '../../servers/db-proxy/storage/copy-rows.js';
import type { MasterKeyring } from '../../servers/db-proxy/storage/master-key.js';
import { MANIFEST, type Manifest, ManifestError, manifestText, newBackupKey, type Part } from './manifest.js';
import type { Progress } from './progress.js';
import { type PartKey, Sealer } from './sealed-part.js';

export interface BackupOptions {
  readonly databaseUrl: string;
  readonly masterKeys: MasterKeyring;
  /** A folder that does not exist yet. */
  readonly folder: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * Writes a backup. Its folder gets its name when everything is in it and on disk; until then it is
 * `<folder>.unfinished`, which goes away when something fails.
 */
export async function writeBackup(options: BackupOptions): Promise<Manifest> {
  const unfinished = `${options.folder}.unfinished`;
  await mkdir(dirname(options.folder), { recursive: true });
  await refuseExisting(options.folder);
  await mkdir(unfinished, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
    throw new Error(`${unfinished} is there: another backup is being written, or one was cut off; remove it then`);
  });
  try {
    const manifest = await fill(unfinished, options);
    await sync(unfinished);
    await refuseExisting(options.folder);
    await rename(unfinished, options.folder);
    await sync(dirname(options.folder));
    return manifest;
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

async function refuseExisting(folder: string): Promise<void> {
  const found = await open(folder).catch(() => undefined);
  if (found === undefined) return;
  await found.close();
  throw new Error(`${folder} is there already: a backup is written to a new folder`);
}

async function fill(folder: string, { databaseUrl, masterKeys, progress, signal }: BackupOptions): Promise<Manifest> {
  const snapshots = await openSnapshots(databaseUrl);
  try {
    const { key, fields } = newBackupKey(masterKeyOf(snapshots.masterKeys, masterKeys));
    const parts: Part[] = [];
    for (const { snapshot, table } of inOrder(snapshots)) {
      const part = { key, backupId: fields.id, number: parts.length + 1 };
      parts.push(await writePart(folder, part, snapshot, table, progress, signal));
    }
    const text = manifestText({ ...fields, ...(await describe(snapshots)), parts }, key);
    await writeFile(join(folder, MANIFEST), text, { mode: 0o600, flush: true });
    return (JSON.parse(text) as { manifest: Manifest }).manifest;
  } finally {
    await snapshots.close();
  }
}

/**
 * The one that wraps the data keys.
 * @throws ManifestError when it is not at hand: sealed under another one, the backup would restore to messages that
 * nobody can read
 */
function masterKeyOf(wrappedBy: readonly string[], ring: MasterKeyring): Buffer {
  const [inUse = ring.first.fingerprint, ...more] = wrappedBy; // none: no db-proxy has ever started on it
  const key = ring.get(inUse);
  if (key !== undefined && more.length === 0) return key;
  throw new ManifestError(
    `wrong master key: this one is ${ring.fingerprints.join(' and ')}, the data keys are wrapped by ${wrappedBy.join(' and ')}`,
  );
}

function inOrder({ all }: Snapshots): { snapshot: Snapshot; table: Table }[] {
  return all.flatMap((snapshot) => snapshot.tables.map((table) => ({ snapshot, table })));
}

/** One table, as fast as the slower of PostgreSQL and the disk: nothing is read that cannot be written. */
async function writePart(
  folder: string,
  key: PartKey,
  snapshot: Snapshot,
  { schema, name: table, columns }: Table,
  progress: Progress,
  signal: AbortSignal,
): Promise<Part> {
  const file = `${String(key.number).padStart(4, '0')}.${snapshot.name}.${schema}.${table}.sealed`;
  const copy = snapshot.copy({ schema, name: table, columns });
  const sealer = new Sealer(key);
  const hash = createHash('sha256');
  const rows = new CopyRows();
  const handle = await open(join(folder, file), 'wx', 0o600);
  let plainSize = 0;
  let size = 0;
  const write = async (sealed: Buffer) => {
    hash.update(sealed);
    size += sealed.length;
    await handle.appendFile(sealed);
  };
  try {
    progress.begin(`${snapshot.name} ${schema}.${table}`);
    for await (const bytes of copy.stream as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      rows.take(bytes);
      plainSize += bytes.length;
      for (const sealed of sealer.push(bytes)) await write(sealed);
      progress.at(rows.count, plainSize);
    }
    rows.finish();
    await write(sealer.finish());
    await handle.datasync();
  } finally {
    await handle.close();
  }
  const sent = await copy.rows();
  if (sent !== rows.count) throw new Error(`${schema}.${table}: PostgreSQL sent ${sent} rows, ${rows.count} came`);
  progress.end();
  const digest = hash.digest('hex');
  return {
    number: key.number,
    file,
    database: snapshot.name,
    schema,
    table,
    columns: [...columns],
    rows: sent,
    plainSize,
    size,
    sha256: digest,
  };
}

async function describe({
  all,
  placement,
}: Snapshots): Promise<Pick<Manifest, 'taken' | 'build' | 'placement' | 'databases'>> {
  const { version } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
  const shards = placement.shards.filter((shard) => shard.buckets.length > 0);
  return {
    taken: new Date(all[0]!.takenMs).toISOString(),
    build: version,
    placement: {
      version: String(placement.version),
      shards: shards.map(({ name, buckets }) => ({ name, buckets: [...buckets] })),
    },
    databases: all.map(({ name, takenMs, migrations, sequences }) => ({
      name,
      taken: new Date(takenMs).toISOString(),
      migrations: migrations as Manifest['databases'][number]['migrations'],
      sequences: sequences.map(({ schema, name, last }) => ({ schema, name, last: String(last) })),
    })),
  };
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync();
  await handle.close();
}
