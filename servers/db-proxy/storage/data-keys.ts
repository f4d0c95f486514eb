import { ImError } from '../../../common/errors.js';
import { BUCKETS } from '../../../common/limits.js';
import { SettingsError } from '../../../common/settings.js';
import type { MasterKeyring } from './master-key.js';
import {
  type Bound,
  freshDataKey,
  Nonces,
  openBody,
  sealBody,
  unwrapFileKey,
  unwrapKey,
  wrapFileKey,
  wrapKey,
} from './sealing.js';
import type { Queryable } from './tool-client.js';

export { fingerprintOf } from './master-key.js';

/**
 * The data keys, unwrapped and in memory: one per bucket and epoch, the highest epoch of a bucket seals what is new.
 * In the database they are wrapped by the master key, which never touches it.
 *
 * Others change them while we run (storage/key-rotation.ts): meta.key_version tells that something changed, and a
 * message under a key id that we have never seen makes us look for it at once (`know`). What is in memory stays good
 * when the master key changes; only keys made later need the new one.
 */
export interface Sealed {
  readonly keyId: number;
  readonly sealed: Buffer;
}

/** The body of a message is lost: its key was destroyed or is not there, or the row is not what was sealed. */
export class UnopenableError extends Error {
  override readonly name = 'UnopenableError';
}

/** How long a data key that is nowhere is not looked for again. */
const ABSENT_MS = 30_000;
const ABSENT_MAX = 10_000;

interface DataKey {
  readonly id: number;
  readonly bucket: number;
  readonly epoch: number;
  /** Undefined: destroyed on purpose, and its messages with it. */
  readonly key: Buffer | undefined;
}

export class DataKeys {
  readonly #meta: Queryable;
  readonly #ring: MasterKeyring;
  readonly #byId = new Map<number, DataKey>();
  /** By bucket: the key of the highest epoch. */
  readonly #current: DataKey[] = [];
  readonly #nonces = new Nonces();
  readonly #absent = new Map<number, number>();
  readonly #wanted = new Set<number>();
  #fetching: Promise<void> | undefined;
  #version = 0n;
  #seenVersion = 0n;
  #problem = '';
  #lacking = false;
  #attaching = false;
  #sealing: { readonly untilMs: number; readonly untilWallMs: number } | undefined;

  private constructor(meta: Queryable, ring: MasterKeyring) {
    this.#meta = meta;
    this.#ring = ring;
  }

  /**
   * Loads every data key. Makes the first epoch where there is none, unless `create` is false.
   * Whoever seals for longer than a moment needs a KeyWatch besides, so that no key is destroyed under his hands.
   * @throws SettingsError when the master key is not the one that wrapped them. Nothing has been changed then.
   */
  static async open(
    meta: Queryable,
    ring: MasterKeyring,
    { create = true }: { readonly create?: boolean } = {},
  ): Promise<DataKeys> {
    await requireMasterKey(meta, ring);
    if (create) await makeFirstEpochs(meta, ring);
    await requireMasterKey(meta, ring); // another db-proxy may have made them, with another master key
    const keys = new DataKeys(meta, ring);
    await keys.reload();
    return keys;
  }

  /** Of the keys in use: everything that was changed up to this version is known here. */
  get version(): bigint {
    return this.#version;
  }
  /** As found at the last reading; ahead of `version` while a master key is lacking. */
  get seenVersion(): bigint {
    return this.#seenVersion;
  }
  /** What an operator has to do for us, in words; empty when all is well. */
  get problem(): string {
    return this.#problem;
  }

  /** The key that seals what is new in a bucket. */
  currentId(bucket: number): number {
    return this.#current[bucket]!.id;
  }

  /** @throws ImError STORE_UNAVAILABLE when it is not certain any more that the key is still to be used */
  seal(bucket: number, bound: Bound, body: Uint8Array): Sealed {
    this.#requireCertain();
    const { id, key } = this.#current[bucket]!;
    return { keyId: id, sealed: Buffer.concat(sealBody(key!, id, this.#nonces.next(), bound, body)) };
  }

  /**
   * Wraps the key of a file by the data key of the bucket that the first byte of the file's id names.
   * @throws ImError STORE_UNAVAILABLE as `seal`
   */
  sealFileKey(fileId: Buffer, fileKey: Buffer): Sealed {
    this.#requireCertain();
    const { id, key } = this.#current[fileId[0]!]!;
    return { keyId: id, sealed: wrapFileKey(fileKey, key!, id, fileId) };
  }

  /** @throws UnopenableError when the data key is gone or the row is not what was sealed. */
  openFileKey(keyId: number, fileId: Buffer, sealed: Buffer): Buffer {
    const where = `file ${fileId.toString('hex')}`;
    const dataKey = this.#byId.get(keyId);
    if (dataKey === undefined) throw new UnopenableError(`${where}: data key ${keyId} is not there`);
    if (dataKey.key === undefined)
      throw new UnopenableError(`${where}: ${nameOf(dataKey)} was destroyed, and the file with it`);
    try {
      return unwrapFileKey(sealed, dataKey.key, keyId, fileId);
    } catch (error) {
      throw new UnopenableError(`${where}: its key does not open with ${nameOf(dataKey)}`, { cause: error });
    }
  }

  /** @throws UnopenableError when the key is gone or the row is not what was sealed. */
  open(keyId: number, bound: Bound, sealed: Buffer): Buffer {
    const dataKey = this.#byId.get(keyId);
    const where = `message ${bound.conversationId}/${bound.msgId}`;
    if (dataKey === undefined) throw new UnopenableError(`${where}: data key ${keyId} is not there`);
    if (dataKey.key === undefined)
      throw new UnopenableError(`${where}: ${nameOf(dataKey)} was destroyed, and the message with it`);
    try {
      return openBody(dataKey.key, keyId, bound, sealed);
    } catch (error) {
      throw new UnopenableError(`${where} does not open with ${nameOf(dataKey)}`, { cause: error });
    }
  }

  /**
   * To be awaited before rows are opened: fetches the keys that are not known yet, because another db-proxy has just
   * begun an epoch. One reading at a time for all who ask; what is not there is not looked for again for a while. A
   * key is committed before anything is sealed under it, so one that is not found does not exist.
   * @throws ImError STORE_UNAVAILABLE when the master key that wraps one of them is not at hand
   */
  async know(rows: readonly { readonly key_id: number | null }[]): Promise<void> {
    const isUnknown = (id: number | null): id is number => id !== null && !this.#byId.has(id) && !this.#isAbsent(id);
    const unknown = () => rows.map((row) => row.key_id).filter(isUnknown);
    for (let missing = unknown(); missing.length > 0; missing = unknown()) {
      for (const id of missing) this.#wanted.add(id);
      this.#fetching ??= this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
      await this.#fetching; // it may have begun before we wanted ours: then another one follows
    }
  }

  /** Reads all keys anew. @throws Error when meta does not answer or a key in it is damaged; nothing is forgotten then. */
  async reload(): Promise<void> {
    const { rows } = await this.#meta.query<KeyRow & { readonly version: bigint }>({
      name: 'data-keys',
      // One statement, so one snapshot: version and keys belong together.
      text: `select v.version, k.id, k.bucket, k.epoch, k.master_key, k.wrapped from meta.key_version v, meta.data_key k`,
    });
    const version = rows[0]?.version ?? 0n;
    const lacking = await this.#add(rows);
    this.#seenVersion = version;
    this.#lacking = lacking.length > 0;
    if (!this.#lacking) this.#version = version;
    this.#problem = this.#problemOf(rows);
  }

  /** Sealing is allowed for so long. Never called: for ever, as for tools, which hold the bucket they work on. */
  allowSealing(ms: number, sinceMs: number): void {
    this.#sealing = { untilMs: sinceMs + ms, untilWallMs: Date.now() - (performance.now() - sinceMs) + ms };
  }

  /** Whether messages may be sealed in parts: everybody who reads them can. */
  get attaching(): boolean {
    return this.#attaching;
  }

  allowAttaching(): void {
    this.#attaching = true;
  }

  /** Everything that seals or opens in another thread: data keys by id. Destroyed ones are missing. */
  get byId(): ReadonlyMap<number, { readonly key: Buffer | undefined }> {
    return this.#byId;
  }

  #requireCertain(): void {
    const until = this.#sealing;
    // Both clocks: one may stand still while the machine sleeps, the other may be set.
    if (until !== undefined && (performance.now() > until.untilMs || Date.now() > until.untilWallMs))
      throw new ImError('STORE_UNAVAILABLE', 'for too long it could not be confirmed that the data keys are current');
  }

  async #fetch(): Promise<void> {
    const ids = [...this.#wanted];
    this.#wanted.clear();
    const { rows } = await this.#meta.query<KeyRow>({
      name: 'data-keys-by-id',
      text: 'select id, bucket, epoch, master_key, wrapped from meta.data_key where id = any ($1::int[])',
      values: [ids],
    });
    const lacking = await this.#add(rows);
    if (lacking.length > 0) throw new ImError('STORE_UNAVAILABLE', lackOf(lacking));
    if (this.#absent.size > ABSENT_MAX) this.#absent.clear();
    for (const id of ids) if (!this.#byId.has(id)) this.#absent.set(id, performance.now() + ABSENT_MS);
  }

  #isAbsent(id: number): boolean {
    const untilMs = this.#absent.get(id);
    if (untilMs === undefined || untilMs > performance.now()) return untilMs !== undefined;
    this.#absent.delete(id);
    return false;
  }

  /** @returns those that stay unknown, as no master key at hand unwraps them. */
  async #add(rows: readonly KeyRow[]): Promise<KeyRow[]> {
    const isNew = (row: KeyRow) => row.wrapped !== null && !this.#byId.has(row.id);
    const foreign = (row: KeyRow) => this.#ring.get(row.master_key) === undefined;
    // Also when nothing new is foreign: the new master key is wanted before the next epoch is made with it.
    if (rows.some(foreign)) await this.#ring.readAgain().catch(() => undefined);
    for (const row of rows) {
      if (row.wrapped === null) this.#put({ ...row, key: undefined });
      else if (isNew(row) && !foreign(row)) this.#put({ ...row, key: unwrapped(row, this.#ring) });
    }
    return rows.filter((row) => isNew(row) && foreign(row));
  }

  #put({ id, bucket, epoch, key }: DataKey): void {
    const dataKey = { id, bucket, epoch, key };
    this.#byId.set(id, dataKey);
    this.#absent.delete(id);
    const current = this.#current[bucket];
    // A destroyed key is never the current one; see destroyKey.
    if (key !== undefined && (current === undefined || current.epoch < epoch)) this.#current[bucket] = dataKey;
  }

  #problemOf(rows: readonly KeyRow[]): string {
    const foreign = rows.find((row) => this.#ring.get(row.master_key) === undefined);
    if (foreign === undefined) return '';
    if (this.#lacking) return lackOf(rows.filter((row) => row.wrapped !== null && !this.#byId.has(row.id)));
    return `runs with a master key of before: give it ${foreign.master_key} before its next start`;
  }
}

interface KeyRow {
  readonly id: number;
  readonly bucket: number;
  readonly epoch: number;
  /** Fingerprint of the master key that wraps it. */
  readonly master_key: string;
  readonly wrapped: Buffer | null;
}

function nameOf({ id, bucket, epoch }: { id: number; bucket: number; epoch: number }): string {
  return `data key ${id} (bucket ${bucket}, epoch ${epoch})`;
}

function lackOf(rows: readonly KeyRow[]): string {
  return `cannot unwrap ${rows.length} data keys: they are wrapped by the master key ${rows[0]?.master_key}, which is not at hand here`;
}

function unwrapped(row: KeyRow, ring: MasterKeyring): Buffer {
  try {
    return unwrapKey(row.wrapped!, ring.get(row.master_key)!, row.bucket, row.epoch);
  } catch (error) {
    throw new Error(
      `${nameOf(row)} does not unwrap with the master key ${row.master_key} that it names: its row in meta.data_key is damaged, restore it from a backup`,
      { cause: error },
    );
  }
}

/**
 * @throws SettingsError when there are data keys and none of the master keys wraps them. Also right on a database that
 * has no such table yet, so that it can be asked before anything is migrated.
 */
export async function requireMasterKey(meta: Queryable, ring: MasterKeyring): Promise<void> {
  const { rows: found } = await meta.query<{ there: boolean }>(
    `select to_regclass('meta.data_key') is not null as there`,
  );
  if (!found[0]!.there) return;
  const { rows } = await meta.query<{ master_key: string }>('select distinct master_key from meta.data_key');
  const foreign = rows.find((row) => ring.get(row.master_key) === undefined);
  if (foreign === undefined) return;
  throw new SettingsError(
    `wrong master key: this one is ${ring.fingerprints.join(' and ')}, the data keys in the database are wrapped by ${foreign.master_key}. Nothing was changed; give the right masterKeyFile, masterKeyCommand or masterKey`,
  );
}

async function makeFirstEpochs(meta: Queryable, ring: MasterKeyring): Promise<void> {
  const { rows } = await meta.query<{ buckets: number; master_key: string | null }>(
    'select count(distinct bucket)::int as buckets, min(master_key) as master_key from meta.data_key',
  );
  const { buckets, master_key } = rows[0]!;
  if (buckets === BUCKETS) return;
  const { fingerprint, key } =
    master_key === null ? ring.first : { fingerprint: master_key, key: ring.get(master_key)! };
  const all = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
  await meta.query(
    // Of two db-proxies that start at the same moment one waits here for the other, and then inserts nothing.
    `with turn as (update meta.key_version set version = version + 1 returning version)
     insert into meta.data_key (bucket, epoch, master_key, wrapped)
     select bucket, 1, $2, wrapped from turn, unnest($1::smallint[], $3::bytea[]) as fresh (bucket, wrapped)
     on conflict do nothing`,
    [all, fingerprint, all.map((bucket) => wrapKey(freshDataKey(), key, bucket, 1))],
  );
}
