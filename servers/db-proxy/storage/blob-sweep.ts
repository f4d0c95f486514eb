import type { Queryable } from './tool-client.js';

/**
 * Clearing away files at rest: which objects may go, and forgetting those that are gone. It never names an object that
 * somebody could still find: a blob loses its last name first, is `removing` from then on, and goes after a while of
 * grace for those who are reading it.
 */
export interface Sweep {
  /** Uploads that were not touched for so long are given up. */
  readonly uploadAgeMs: number;
  readonly graceMs: number;
  /** Objects of one answer. */
  readonly limit: number;
}

/** What a sweep would do. */
export interface SweepPlan {
  readonly expiredFiles: number;
  readonly staleUploads: number;
  readonly unreferenced: { readonly blobs: number; readonly bytes: number };
  readonly removing: number;
}

/**
 * Beside what changes blobs and uploads, in the same statement: `change` gives rows with the bytes that come (or go, below
 * 0). Rows of meta.file_total stand for no file; which one is taken only keeps writers out of each other's way.
 */
export function totalChanged(change: string): string {
  return `total as (
    update meta.file_total set bytes = file_total.bytes + changed.bytes from (select sum(bytes) as bytes from (${change}) as c (bytes)) changed
     where slot = pg_backend_pid() % 16 and changed.bytes <> 0)`;
}

// Never null: what is not expired is also said of files that do not expire.
const EXPIRED = `(coalesce(f.expires < now(), false) or exists (
  select from meta.file_rule r where r.kind = f.kind and f.created < now() - r.days * interval '1 day'))`;
const STALE = `removing is null and held_until < now() and touched < now() - $1 * interval '1 ms'`;
const UNREFERENCED = 'b.removing is null and not exists (select from meta.file f where f.blob_id = b.id)';

/** Marks what is due, and gives the objects to be removed. */
export async function collect(meta: Queryable, { uploadAgeMs, graceMs, limit }: Sweep): Promise<Buffer[]> {
  await meta.query(
    `delete from meta.file f using (select kind, name from meta.file f where ${EXPIRED} limit $1) old
      where f.kind = old.kind and f.name = old.name`,
    [limit],
  );
  await meta.query(
    `with gone as (update meta.upload set removing = now() where ${STALE} returning size_max),
          ${totalChanged('select -size_max from gone')} select`,
    [uploadAgeMs],
  );
  // Rows that somebody has locked are just getting a name: they are looked at the next time.
  await meta.query(
    `update meta.blob set removing = now() where id in (
       select id from meta.blob b where ${UNREFERENCED} limit $1 for update skip locked)
       and not exists (select from meta.file f where f.blob_id = blob.id)`,
    [limit],
  );
  const { rows } = await meta.query<{ id: Buffer }>(
    `select id from meta.upload where removing is not null
     union all select id from meta.blob where removing < now() - $1 * interval '1 ms' limit $2`,
    [graceMs, limit],
  );
  return rows.map((row) => row.id);
}

/** These objects are gone. Pictures made of them lose their names, and go with the next sweep. */
export async function forget(meta: Queryable, ids: readonly Buffer[]): Promise<void> {
  if (ids.length === 0) return;
  await meta.query('delete from meta.upload where id = any ($1::bytea[]) and removing is not null', [ids]);
  await meta.query(
    `with gone as (delete from meta.blob where id = any ($1::bytea[]) and removing is not null returning size),
          ${totalChanged('select -size from gone')} select`,
    [ids],
  );
}

/** Which of these objects nobody knows. They were listed before, and rows come before objects: they are nobody's. */
export async function unknownOf(meta: Queryable, ids: readonly Buffer[]): Promise<Buffer[]> {
  if (ids.length === 0) return [];
  const { rows } = await meta.query<{ id: Buffer }>(
    `select id from unnest($1::bytea[]) as seen (id)
      where not exists (select from meta.blob b where b.id = seen.id)
        and not exists (select from meta.upload u where u.id = seen.id)`,
    [ids],
  );
  return rows.map((row) => row.id);
}

export async function planOf(meta: Queryable, uploadAgeMs: number): Promise<SweepPlan> {
  const { rows } = await meta.query<{ files: number; uploads: number; blobs: number; bytes: number; removing: number }>(
    `select (select count(*) from meta.file f where ${EXPIRED})::int as files,
            (select count(*) from meta.upload where ${STALE})::int as uploads,
            b.blobs, b.bytes,
            (select count(*) from meta.blob where removing is not null)::int
              + (select count(*) from meta.upload where removing is not null)::int as removing
       from (select count(*)::int as blobs, coalesce(sum(size), 0)::float8 as bytes from meta.blob b
              where b.removing is null and not exists (
                select from meta.file f where f.blob_id = b.id and not ${EXPIRED})) b`,
    [uploadAgeMs],
  );
  const { files, uploads, blobs, bytes, removing } = rows[0]!;
  return { expiredFiles: files, staleUploads: uploads, unreferenced: { blobs, bytes }, removing };
}

/** How the files stand, for people. */
export interface FileStatus {
  readonly blobs: number;
  readonly bytes: number;
  readonly uploads: number;
  readonly kinds: readonly {
    readonly kind: string;
    readonly files: number;
    readonly bytes: number;
    readonly days: number | null;
  }[];
}

export async function fileStatus(meta: Queryable): Promise<FileStatus> {
  const { rows } = await meta.query<Omit<FileStatus, 'kinds'>>(
    `select count(*)::int as blobs, coalesce(sum(size), 0)::float8 as bytes,
            (select count(*) from meta.upload where removing is null)::int as uploads
       from meta.blob where removing is null`,
  );
  const kinds = await meta.query<FileStatus['kinds'][number]>(
    `select coalesce(f.kind, r.kind) as kind, coalesce(f.files, 0) as files, coalesce(f.bytes, 0) as bytes, r.days
       from (select kind, count(*)::int as files, sum(size)::float8 as bytes from meta.file group by kind) f
       full join meta.file_rule r on r.kind = f.kind order by 1`,
  );
  return { ...rows[0]!, kinds: kinds.rows };
}

export interface FileOwner {
  readonly userId: number;
  readonly nick: string;
  readonly files: number;
  readonly bytes: number;
}

/** Users with the most bytes of files, as their quota counts them. */
export async function biggestOwners(meta: Queryable, limit: number): Promise<FileOwner[]> {
  const { rows } = await meta.query<FileOwner>(
    `select f.user_id as "userId", coalesce(u.nick, '') as nick, f.files, f.bytes
       from (select user_id, count(*)::int as files, sum(size)::float8 as bytes from meta.file
              where user_id is not null group by user_id order by bytes desc, user_id limit $1) f
       left join meta.users u on u.id = f.user_id order by f.bytes desc, f.user_id`,
    [limit],
  );
  return rows;
}

/** How many days files of a kind are kept; undefined: for ever. */
export async function setRule(meta: Queryable, kind: string, days: number | undefined): Promise<void> {
  if (days === undefined) await meta.query('delete from meta.file_rule where kind = $1', [kind]);
  else
    await meta.query(
      'insert into meta.file_rule (kind, days) values ($1, $2) on conflict (kind) do update set days = excluded.days',
      [kind, days],
    );
}
