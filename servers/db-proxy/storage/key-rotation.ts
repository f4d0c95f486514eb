import type pg from 'pg';
import { BUCKETS } from '../../../common/limits.js';
import { SettingsError } from '../../../common/settings.js';
import { tryBucketLock, unlockBucket } from './bucket-lock.js';
import { rewrapConsoleKey } from './console-key.js';
import { requireMasterKey } from './data-keys.js';
import { type KeyHolder, untilTakenUp } from './key-watch.js';
import { fingerprintOf, type MasterKeyring } from './master-key.js';
import { readPlacement } from './placement.js';
import { freshDataKey, unwrapKey, wrapKey } from './sealing.js';
import { shardUrl } from './shards.js';
import { connectTool, disconnect } from './tool-client.js';

/**
 * Changes of the keys while the cluster runs. Each is one transaction that holds the version row of the keys, so two
 * at the same moment happen one after the other, and each sees what the other has done. Every function here wants a
 * connection to meta of its own (`connectTool`), not a pool.
 */
export interface Epoch {
  readonly keyId: number;
  readonly bucket: number;
  readonly epoch: number;
}

/** A lock that somebody holds for longer than this is stuck: changes of keys take milliseconds. */
const LOCK_MS_MAX = 10_000;

/**
 * Begins a new epoch in each of these buckets. Running db-proxies seal by it within a few seconds, messages sealed
 * before stay as they are.
 * @throws SettingsError for a wrong master key, RangeError for a bucket that there is not; nothing was changed then
 */
export async function rotateData(
  meta: pg.ClientBase,
  ring: MasterKeyring,
  buckets: readonly number[],
): Promise<Epoch[]> {
  const wanted = [...new Set(buckets)].sort((a, b) => a - b);
  const wrong = wanted.find((bucket) => !Number.isInteger(bucket) || bucket < 0 || bucket >= BUCKETS);
  if (wrong !== undefined) throw new RangeError(`no bucket ${wrong}: they are numbered from 0 to ${BUCKETS - 1}`);
  return changeKeys(meta, async () => {
    const { fingerprint, key } = await masterInUse(meta, ring);
    const { rows } = await meta.query<{ bucket: number; epoch: number }>(
      'select bucket, max(epoch) + 1 as epoch from meta.data_key where bucket = any ($1) group by bucket order by bucket',
      [wanted],
    );
    const made = await meta.query<Epoch>(
      `insert into meta.data_key (bucket, epoch, master_key, wrapped)
       select bucket, epoch, $1, wrapped from unnest($2::smallint[], $3::int[], $4::bytea[]) as fresh (bucket, epoch, wrapped)
       returning id as "keyId", bucket, epoch`,
      [
        fingerprint,
        rows.map((row) => row.bucket),
        rows.map((row) => row.epoch),
        rows.map((row) => wrapKey(freshDataKey(), key, row.bucket, row.epoch)),
      ],
    );
    return made.rows;
  });
}

/**
 * Wraps every data key by a new master key instead of the old one: all of them or none. Messages are not touched, and
 * running db-proxies go on with what they have unwrapped; a start with the old key is refused from now on.
 * @returns fingerprints and how many data keys were wrapped anew; 0 when the new key was in use already
 * @throws SettingsError when `ring` does not have the master key in use; nothing was changed then
 */
export async function rotateMaster(
  meta: pg.ClientBase,
  ring: MasterKeyring,
  newKey: Buffer,
): Promise<{ readonly from: string; readonly to: string; readonly keys: number }> {
  const to = fingerprintOf(newKey);
  return changeKeys(meta, async () => {
    const { fingerprint: from, key } = await masterInUse(meta, ring);
    if (from === to) return { from, to, keys: 0 };
    const { rows } = await meta.query<WrappedRow>(
      'select id, bucket, epoch, wrapped from meta.data_key where wrapped is not null order by id',
    );
    const wrapped = rows.map((row) => rewrap(row, key, newKey));
    await meta.query('update meta.data_key set master_key = $1', [to]); // of destroyed ones too: it means nothing there
    await meta.query(
      `update meta.data_key k set wrapped = n.wrapped
         from unnest($1::int[], $2::bytea[]) as n (id, wrapped) where k.id = n.id`,
      [rows.map((row) => row.id), wrapped],
    );
    await rewrapConsoleKey(meta, key, newKey, to);
    return { from, to, keys: rows.length };
  });
}

interface WrappedRow {
  readonly id: number;
  readonly bucket: number;
  readonly epoch: number;
  readonly wrapped: Buffer;
}

function rewrap({ id, bucket, epoch, wrapped }: WrappedRow, oldKey: Buffer, newKey: Buffer): Buffer {
  try {
    const dataKey = unwrapKey(wrapped, oldKey, bucket, epoch);
    const fresh = wrapKey(dataKey, newKey, bucket, epoch);
    // Whatever is wrong with this machine must not cost all messages: what replaces the old wrapping does open.
    if (!unwrapKey(fresh, newKey, bucket, epoch).equals(dataKey)) throw new Error('it came out as something else');
    return fresh;
  } catch (error) {
    throw new Error(
      `data key ${id} (bucket ${bucket}, epoch ${epoch}) does not unwrap: restore its row in meta.data_key from a backup; nothing was changed`,
      { cause: error },
    );
  }
}

/** A data key as it stands in meta. */
export interface KeyInfo extends Epoch {
  /** It seals what is new. */
  readonly current: boolean;
  readonly destroyed: boolean;
}

/** By its id, or by bucket and epoch. @throws Error when there is no such data key */
export async function findKey(
  meta: pg.ClientBase,
  which: { readonly keyId: number } | { readonly bucket: number; readonly epoch: number },
): Promise<KeyInfo> {
  const byId = 'keyId' in which;
  const { rows } = await meta.query<KeyInfo>(
    `select id as "keyId", bucket, epoch, wrapped is null as destroyed,
            epoch = (select max(epoch) from meta.data_key o where o.bucket = k.bucket) as current
       from meta.data_key k where ${byId ? 'id = $1' : 'bucket = $1 and epoch = $2'}`,
    byId ? [which.keyId] : [which.bucket, which.epoch],
  );
  if (rows[0] !== undefined) return rows[0];
  throw new Error(`no data key ${byId ? which.keyId : `${which.bucket}/${which.epoch}`}: \`keys status\` lists them`);
}

/** How many messages are sealed under a data key, counted on the shard that has its bucket. */
export async function countMessages(meta: pg.ClientBase, metaUrl: string, { keyId, bucket }: Epoch): Promise<number> {
  const { rows } = await meta.query<{ url: string | null }>(
    'select s.url from meta.bucket b join meta.shard s on s.name = b.shard where b.bucket = $1',
    [bucket],
  );
  const client = await connectTool(shardUrl(rows[0]!.url, metaUrl), 'keys');
  return countOn(client, { keyId, bucket }).finally(() => client.end());
}

async function countOn(shard: pg.ClientBase, { keyId, bucket }: Pick<Epoch, 'keyId' | 'bucket'>): Promise<number> {
  const { rows } = await shard.query<{ messages: bigint }>(
    'select count(*) as messages from shard.message where bucket = $1 and key_id = $2',
    [bucket, keyId],
  );
  return Number(rows[0]!.messages);
}

/** How many files, uploads under way included, have keys that are sealed under a data key. */
export async function countFiles(meta: pg.ClientBase, { keyId }: Pick<Epoch, 'keyId'>): Promise<number> {
  const { rows } = await meta.query<{ files: number }>(
    `select (select count(*) from meta.blob where key_id = $1)::int + (select count(*) from meta.upload where key_id = $1)::int as files`,
    [keyId],
  );
  return rows[0]!.files;
}

export interface Destroying {
  /** More messages and files than these must not become unreadable. */
  readonly messagesMax: number;
  /** Hears, several times a second, whom it waits for. */
  waiting?(holders: readonly KeyHolder[]): void;
}

/**
 * Destroys a data key, and with it every message and file that is sealed under it, for ever. Waits until nobody seals under it
 * any more, see untilTakenUp. Backups and archived logs of before still have it, wrapped by the master key of then.
 * @returns how many messages and files became unreadable
 * @throws Error when it is the current key of its bucket, is destroyed already, when the bucket is being moved or
 * resealed, or when more messages would be lost than were agreed to: nothing was changed then
 */
export async function destroyKey(
  meta: pg.ClientBase,
  metaUrl: string,
  key: Epoch,
  { messagesMax, ...wait }: Destroying,
): Promise<number> {
  await refuseUnfit(meta, key);
  await untilTakenUp(meta, wait);
  const messages = await withBucket(meta, key.bucket, async () => {
    const found = (await countMessages(meta, metaUrl, key)) + (await countFiles(meta, key));
    if (found > messagesMax)
      throw new Error(
        `${found} messages and files are sealed under it by now, not ${messagesMax}: look again; nothing was changed`,
      );
    await forget(meta, key);
    return found;
  });
  await sweep(meta);
  return messages;
}

async function refuseUnfit(meta: pg.ClientBase, { keyId, bucket }: Epoch): Promise<void> {
  const { current, destroyed } = await findKey(meta, { keyId });
  if (destroyed) throw new Error(`data key ${keyId} is destroyed already`);
  if (current)
    throw new Error(
      `data key ${keyId} is the one that bucket ${bucket} seals by: begin a new epoch first (keys rotate-data ${bucket})`,
    );
}

/**
 * Forgets the data keys of past epochs under which no message is sealed on any shard, and no file; that is what a finished
 * resealing leaves.
 * @returns what was forgotten, and which buckets were left out because somebody is at them
 */
export async function retireKeys(
  meta: pg.ClientBase,
  metaUrl: string,
  wait: Pick<Destroying, 'waiting'> = {},
): Promise<{ readonly retired: Epoch[]; readonly busy: number[] }> {
  await untilTakenUp(meta, wait);
  const { rows } = await meta.query<Epoch>(
    `select id as "keyId", bucket, epoch from meta.data_key k where wrapped is not null
        and epoch < (select max(epoch) from meta.data_key o where o.bucket = k.bucket) order by bucket, epoch`,
  );
  const urls = new Set((await readPlacement(meta)).shards.map((shard) => shardUrl(shard.url, metaUrl)));
  const shards: pg.Client[] = [];
  try {
    for (const url of urls) shards.push(await connectTool(url, 'keys'));
    return await retireEach(meta, shards, rows);
  } finally {
    await disconnect(shards);
  }
}

async function retireEach(meta: pg.ClientBase, shards: readonly pg.Client[], keys: readonly Epoch[]) {
  const retired: Epoch[] = [];
  const busy = new Set<number>();
  for (const key of keys) {
    const done = await withBucket(meta, key.bucket, () => retire(meta, shards, key)).catch((error: unknown) => {
      if (!(error instanceof BusyError)) throw error;
      busy.add(key.bucket);
      return false;
    });
    if (done) retired.push(key);
  }
  if (retired.length > 0) await sweep(meta);
  return { retired, busy: [...busy] };
}

/** Counted everywhere, not only where the map says: rows of a bucket on its way may be at both ends. */
async function retire(meta: pg.ClientBase, shards: readonly pg.Client[], key: Epoch): Promise<boolean> {
  for (const shard of shards) if ((await countOn(shard, key)) > 0) return false;
  if ((await countFiles(meta, key)) > 0) return false;
  if (await sealsFileName(meta, key)) return false;
  await forget(meta, key);
  return true;
}

/** Names of files on their way go away with them, in weeks at most, and are not sealed anew until then. */
async function sealsFileName(meta: pg.ClientBase, { keyId }: Epoch): Promise<boolean> {
  const { rows } = await meta.query<{ found: boolean }>(
    'select exists (select from meta.file_transfer where key_id = $1) as found',
    [keyId],
  );
  return rows[0]!.found;
}

async function forget(meta: pg.ClientBase, { keyId, bucket }: Epoch): Promise<void> {
  await changeKeys(meta, async () => {
    const { rowCount } = await meta.query(
      `update meta.data_key set wrapped = null, destroyed = now() where id = $1 and bucket = $2 and wrapped is not null
          and epoch < (select max(epoch) from meta.data_key where bucket = $2)`,
      [keyId, bucket],
    );
    if (rowCount !== 1) throw new Error(`data key ${keyId} has changed meanwhile: look again; nothing was changed`);
  });
}

/**
 * Takes the old rows out of the database's files, where they would lie until their place is needed. The keys are
 * forgotten whether it succeeds or not: when somebody reads the table for too long, PostgreSQL's own cleaning does it.
 */
async function sweep(meta: pg.ClientBase): Promise<void> {
  await meta.query(`set lock_timeout = ${LOCK_MS_MAX}`).catch(() => undefined);
  await meta.query('vacuum full meta.data_key').catch(() => undefined);
}

/** Somebody else is at the bucket. */
class BusyError extends Error {
  override readonly name = 'BusyError';
}

async function withBucket<T>(meta: pg.ClientBase, bucket: number, work: () => Promise<T>): Promise<T> {
  if (!(await tryBucketLock(meta, bucket)))
    throw new BusyError(`bucket ${bucket} is just being moved or resealed: try again when that is done`);
  try {
    return await work();
  } finally {
    await unlockBucket(meta, bucket);
  }
}

/** The master key that wraps the data keys. @throws SettingsError when it is not at hand, or there are no data keys */
async function masterInUse(
  meta: pg.ClientBase,
  ring: MasterKeyring,
): Promise<{ readonly fingerprint: string; readonly key: Buffer }> {
  await requireMasterKey(meta, ring);
  const { rows } = await meta.query<{ master_key: string }>('select distinct master_key from meta.data_key');
  const fingerprint = rows[0]?.master_key;
  if (fingerprint === undefined)
    throw new SettingsError('there are no data keys yet: start a db-proxy once, it makes them');
  return { fingerprint, key: ring.get(fingerprint)! };
}

async function changeKeys<T>(meta: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await meta.query('begin');
  try {
    await meta.query(`set local lock_timeout = ${LOCK_MS_MAX}`);
    await meta.query('update meta.key_version set version = version + 1'); // the lock; seen by others at the commit
    const result = await work();
    await meta.query('commit');
    return result;
  } catch (error) {
    await meta.query('rollback').catch(() => undefined);
    throw error;
  }
}
