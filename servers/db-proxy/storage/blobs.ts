import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { ImError } from '../../../common/errors.js';
import {
  biggestOwners,
  collect,
  type FileOwner,
  type FileStatus,
  fileStatus,
  forget,
  planOf,
  type Sweep,
  type SweepPlan,
  totalChanged,
  unknownOf,
} from './blob-sweep.js';
import { type DataKeys, UnopenableError } from './data-keys.js';
import { inTransaction } from './database.js';
import type { Queryable } from './tool-client.js';

/**
 * Files at rest, as far as the database knows them: names, blobs, and uploads under way. The bytes are sealed objects
 * in the file server's storage, named by a random id; who has only that storage learns sizes and nothing else.
 *
 *   begin ──▶ upload ──finish──▶ blob ◀── file (a name)       a blob without any name is `removing`, then gone
 *               └──drop, age──▶ removing ──object gone──▶ no row
 *
 * A row is there before its object and goes after it, so an object without a row is nobody's. The same content is one
 * blob: whoever finishes second gets the first one's, and what he uploaded is removed.
 */
export interface Blob {
  readonly id: Buffer;
  readonly sha256: Buffer;
  readonly size: number;
  readonly fileKey: Buffer;
}

export interface File {
  readonly kind: string;
  readonly name: string;
  readonly userId: number | undefined;
  readonly fileName: string;
  readonly mediaType: string;
  readonly expiresMs: number | undefined;
  readonly createdMs: number;
}

export interface NewFile extends Omit<File, 'createdMs'> {
  readonly madeOf: Buffer | undefined;
}

export interface Limits {
  readonly userBytesMax: number | undefined;
  readonly totalBytesMax?: number | undefined;
}

export interface NewUpload extends Limits {
  readonly id: Buffer;
  readonly sizeMax: number;
  readonly holder: string;
  readonly userId: number | undefined;
  readonly detail: Buffer | undefined;
}

export interface Upload {
  readonly fileKey: Buffer;
  readonly sizeMax: number;
  readonly userId: number | undefined;
  readonly detail: Buffer | undefined;
  readonly createdMs: number;
}

export interface FilesState {
  readonly status: FileStatus;
  readonly plan: SweepPlan;
  /** What counts towards the quota of the cluster: also what uploads under way may become. */
  readonly countedBytes: number;
  readonly owners: readonly FileOwner[];
}

const STATE_MS = 1_000;

/** How long a file server holds an upload without a further word. */
export const HOLD_MS = 60_000;
/** What decides on quotas takes turns by this. */
const QUOTA_LOCK = 0x66696c65;

export class Blobs {
  readonly #meta: pg.Pool;
  readonly #keys: DataKeys;
  #state: { readonly atMs: number; readonly found: Promise<FilesState> } | undefined;

  constructor(meta: pg.Pool, keys: DataKeys) {
    this.#meta = meta;
    this.#keys = keys;
  }

  /** @returns the key of the file. @throws ImError QUOTA_EXCEEDED */
  async begin(upload: NewUpload): Promise<Buffer> {
    const { keyId, sealed } = this.#keys.sealFileKey(upload.id, randomBytes(32));
    const { id, sizeMax, holder, userId, detail } = upload;
    return inTransaction(this.#meta, async (tx) => {
      const asked = 'select id, key_id, file_key from meta.upload where id = $1';
      const before = await tx.query<KeyRow>(asked, [id]);
      if (before.rows[0] !== undefined) return this.#fileKey(before.rows[0]);
      if (upload.userBytesMax !== undefined || upload.totalBytesMax !== undefined)
        await requireRoom(tx, userId, sizeMax, upload);
      await tx.query(
        `with added as (
           insert into meta.upload (id, key_id, file_key, size_max, user_id, detail, holder, held_until)
           values ($1, $2, $3, $4, $5, $6, $7, now() + $8 * interval '1 ms') on conflict (id) do nothing returning size_max
         ), ${totalChanged('select size_max from added')} select`,
        [id, keyId, sealed, sizeMax, userId, detail, holder, HOLD_MS],
      );
      const { rows } = await tx.query<KeyRow>(asked, [id]);
      return this.#fileKey(rows[0]!);
    });
  }

  /** @throws ImError NO_SUCH_UPLOAD, UPLOAD_IN_USE */
  async claim(id: Buffer, holder: string): Promise<Upload> {
    const { rows } = await this.#meta.query<UploadRow>(
      `update meta.upload set holder = $2, held_until = now() + $3 * interval '1 ms', touched = now()
        where id = $1 and removing is null and (holder = $2 or held_until < now())
        returning id, key_id, file_key, size_max, user_id, detail, created`,
      [id, holder, HOLD_MS],
    );
    const row = rows[0] ?? (await this.#unclaimed(id));
    return {
      fileKey: await this.#fileKey(row),
      sizeMax: Number(row.size_max),
      userId: row.user_id ?? undefined,
      detail: row.detail ?? undefined,
      createdMs: row.created.getTime(),
    };
  }

  async #unclaimed(id: Buffer): Promise<never> {
    const { rows } = await this.#meta.query<{ holder: string }>(
      'select holder from meta.upload where id = $1 and removing is null',
      [id],
    );
    if (rows[0] === undefined) throw new ImError('NO_SUCH_UPLOAD', `${id.toString('hex')}`);
    throw new ImError('UPLOAD_IN_USE', `${id.toString('hex')} is written by ${rows[0].holder}`);
  }

  /**
   * The upload becomes a blob, or joins the one that has the same content, under a name.
   * @throws ImError NO_SUCH_UPLOAD, UPLOAD_IN_USE; BAD_REQUEST when the name stands for something else
   */
  async finish(id: Buffer, holder: string, sha256: Buffer, size: number, file: NewFile): Promise<Blob> {
    return inTransaction(this.#meta, async (tx) => {
      const { rows } = await tx.query<{ holder: string }>(
        'select holder from meta.upload where id = $1 and removing is null for update',
        [id],
      );
      if (rows[0] === undefined) return this.#finishedBefore(tx, id, sha256, file);
      if (rows[0].holder !== holder)
        throw new ImError('UPLOAD_IN_USE', `${id.toString('hex')} is written by ${rows[0].holder}`);
      await tx.query(
        `insert into meta.blob (id, sha256, size, key_id, file_key)
         select id, $2, $3, key_id, file_key from meta.upload where id = $1
         on conflict (sha256) where removing is null do nothing`,
        [id, sha256, size],
      );
      const blob = await this.#lockedBlob(tx, 'sha256', sha256);
      if (blob.id.equals(id))
        await tx.query(
          `with gone as (delete from meta.upload where id = $1 returning size_max),
                ${totalChanged('select $2::bigint - size_max from gone')} select`,
          [id, size],
        );
      else await giveUp(tx, id);
      await addFile(tx, blob, file);
      return blob;
    });
  }

  /** The answer to an earlier finish did not arrive. */
  async #finishedBefore(tx: Queryable, id: Buffer, sha256: Buffer, file: NewFile): Promise<Blob> {
    const found = await this.#byName(tx, file.kind, file.name);
    if (found === undefined || !found.blob.sha256.equals(sha256))
      throw new ImError('NO_SUCH_UPLOAD', `${id.toString('hex')}`);
    return found.blob;
  }

  /** Its object is removed by whoever sweeps next. */
  async dropUpload(id: Buffer): Promise<boolean> {
    return giveUp(this.#meta, id);
  }

  async dropFile(kind: string, name: string): Promise<boolean> {
    const { rowCount } = await this.#meta.query('delete from meta.file where kind = $1 and name = $2', [kind, name]);
    return rowCount === 1;
  }

  async byName(kind: string, name: string): Promise<{ readonly blob: Blob; readonly file: File } | undefined> {
    return this.#byName(this.#meta, kind, name);
  }

  async byContent(sha256: Buffer): Promise<Blob | undefined> {
    const { rows } = await this.#meta.query<BlobRow>(
      'select id, sha256, size, key_id, file_key from meta.blob where sha256 = $1 and removing is null',
      [sha256],
    );
    return rows[0] && this.#blob(rows[0]);
  }

  /** All blobs in the order of their ids, for looking at each. One whose key is lost comes without it. */
  async *all(): AsyncIterable<Omit<Blob, 'fileKey'> & { readonly fileKey: Buffer | undefined }> {
    for (let after: Buffer = Buffer.alloc(0); ; ) {
      const { rows } = await this.#meta.query<BlobRow>(
        'select id, sha256, size, key_id, file_key from meta.blob where removing is null and id > $1 order by id limit 500',
        [after],
      );
      if (rows.length === 0) return;
      for (const row of rows) {
        const fileKey = await this.#fileKey(row).catch(() => undefined);
        yield { id: row.id, sha256: row.sha256, size: Number(row.size), fileKey };
      }
      after = rows.at(-1)!.id;
    }
  }

  /** Another name for a blob. @throws ImError NO_SUCH_FILE when it is gone meanwhile, QUOTA_EXCEEDED, BAD_REQUEST */
  async refer(blobId: Buffer, file: NewFile, limits: Limits): Promise<Blob> {
    return inTransaction(this.#meta, async (tx) => {
      const blob = await this.#lockedBlob(tx, 'id', blobId);
      if (limits.userBytesMax !== undefined) await requireRoom(tx, file.userId, blob.size, limits);
      await addFile(tx, blob, file);
      return blob;
    });
  }

  /** How the files stand. Counts all of them: asked for by people, so what was found a moment ago is good enough. */
  state(uploadAgeMs: number, ownersMax: number): Promise<FilesState> {
    const known = this.#state;
    if (known !== undefined && performance.now() - known.atMs < STATE_MS) return known.found;
    const found = this.#look(uploadAgeMs, ownersMax);
    this.#state = { atMs: performance.now(), found };
    found.catch(() => {
      this.#state = undefined;
    });
    return found;
  }

  async #look(uploadAgeMs: number, ownersMax: number): Promise<FilesState> {
    const [status, plan, counted, owners] = await Promise.all([
      fileStatus(this.#meta),
      planOf(this.#meta, uploadAgeMs),
      this.#meta.query<{ bytes: number }>('select sum(bytes)::float8 as bytes from meta.file_total'),
      biggestOwners(this.#meta, ownersMax),
    ]);
    return { status, plan, countedBytes: counted.rows[0]!.bytes, owners };
  }

  collect(sweep: Sweep): Promise<Buffer[]> {
    return collect(this.#meta, sweep);
  }
  forget(ids: readonly Buffer[]): Promise<void> {
    return forget(this.#meta, ids);
  }
  unknownOf(ids: readonly Buffer[]): Promise<Buffer[]> {
    return unknownOf(this.#meta, ids);
  }

  async #byName(from: Queryable, kind: string, name: string) {
    const { rows } = await from.query<BlobRow & FileRow>(
      `select b.id, b.sha256, b.size, b.key_id, b.file_key, f.user_id, f.file_name, f.media_type, f.created, f.expires
         from meta.file f join meta.blob b on b.id = f.blob_id
        where f.kind = $1 and f.name = $2 and (f.expires is null or f.expires > now())`,
      [kind, name],
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const file: File = {
      kind,
      name,
      userId: row.user_id ?? undefined,
      fileName: row.file_name,
      mediaType: row.media_type,
      createdMs: row.created.getTime(),
      expiresMs: row.expires?.getTime(),
    };
    return { blob: await this.#blob(row), file };
  }

  /** Locked, so that a sweep cannot take it before the name that is about to be added. */
  async #lockedBlob(tx: Queryable, column: 'id' | 'sha256', value: Buffer): Promise<Blob> {
    const { rows } = await tx.query<BlobRow>(
      `select id, sha256, size, key_id, file_key from meta.blob where ${column} = $1 and removing is null for update`,
      [value],
    );
    if (rows[0] === undefined) throw new ImError('NO_SUCH_FILE', `blob ${value.toString('hex')}`);
    return this.#blob(rows[0]);
  }

  async #blob(row: BlobRow): Promise<Blob> {
    return { id: row.id, sha256: row.sha256, size: Number(row.size), fileKey: await this.#fileKey(row) };
  }

  async #fileKey(row: KeyRow): Promise<Buffer> {
    await this.#keys.know([row]);
    try {
      return this.#keys.openFileKey(row.key_id, row.id, row.file_key);
    } catch (error) {
      if (!(error instanceof UnopenableError)) throw error;
      throw new ImError('FILE_DAMAGED', error.message, { cause: error });
    }
  }
}

interface KeyRow {
  readonly id: Buffer;
  readonly key_id: number;
  readonly file_key: Buffer;
}

interface BlobRow extends KeyRow {
  readonly sha256: Buffer;
  readonly size: bigint;
}

interface UploadRow extends KeyRow {
  readonly size_max: bigint;
  readonly user_id: number | null;
  readonly detail: Buffer | null;
  readonly created: Date;
}

interface FileRow {
  readonly user_id: number | null;
  readonly file_name: string;
  readonly media_type: string;
  readonly created: Date;
  readonly expires: Date | null;
}

/** What is being uploaded counts with all that it may become. */
async function requireRoom(
  tx: Queryable,
  userId: number | undefined,
  size: number,
  { userBytesMax, totalBytesMax }: Limits,
): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [QUOTA_LOCK]);
  if (userId !== undefined && userBytesMax !== undefined) {
    const { rows } = await tx.query<{ used: bigint }>(
      `select coalesce((select sum(size) from meta.file where user_id = $1), 0)::bigint
            + coalesce((select sum(size_max) from meta.upload where user_id = $1 and removing is null), 0)::bigint as used`,
      [userId],
    );
    if (Number(rows[0]!.used) + size > userBytesMax)
      throw new ImError('QUOTA_EXCEEDED', `user ${userId} has ${rows[0]!.used} of ${userBytesMax} bytes`);
  }
  if (totalBytesMax !== undefined) {
    const { rows } = await tx.query<{ used: bigint }>('select sum(bytes)::bigint as used from meta.file_total');
    if (Number(rows[0]!.used) + size > totalBytesMax)
      throw new ImError('QUOTA_EXCEEDED', `all files have ${rows[0]!.used} of ${totalBytesMax} bytes`);
  }
}

/** @returns whether there was such an upload */
async function giveUp(from: Queryable, id: Buffer): Promise<boolean> {
  const { rowCount } = await from.query(
    `with gone as (update meta.upload set removing = now() where id = $1 and removing is null returning size_max),
          ${totalChanged('select -size_max from gone')} select from gone`,
    [id],
  );
  return rowCount === 1;
}

/** A name that stands for this blob already is left as it is. */
async function addFile(tx: Queryable, blob: Blob, file: NewFile): Promise<void> {
  await tx.query(
    `insert into meta.file (kind, name, blob_id, made_of, user_id, size, file_name, media_type, expires)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (kind, name) do nothing`,
    [
      file.kind,
      file.name,
      blob.id,
      file.madeOf,
      file.userId,
      blob.size,
      file.fileName,
      file.mediaType,
      file.expiresMs === undefined ? null : new Date(file.expiresMs),
    ],
  );
  const { rows } = await tx.query<{ same: boolean }>(
    'select blob_id = $3 as same from meta.file where kind = $1 and name = $2',
    [file.kind, file.name, blob.id],
  );
  if (!rows[0]!.same) throw new ImError('BAD_REQUEST', `${file.kind} ${file.name} stands for another file already`);
}
