import type { Queryable } from './tool-client.js';

/**
 * A bucket belongs to one job at a time: moving it to another shard, sealing its messages anew, destroying its keys.
 * An advisory lock in the meta database, held by the connection: whoever dies has let go. A mover holds another one in
 * each of the two databases it works on (move.ts says why).
 */
const IN_META = 'bucket';
const IN_SHARD = 'bucket.rows';

/** @returns false when somebody else is at the bucket. On a connection of its own, never on a pool. */
export async function tryBucketLock(meta: Queryable, bucket: number): Promise<boolean> {
  const { rows } = await meta.query<{ locked: boolean }>('select pg_try_advisory_lock(hashtext($1), $2) as locked', [
    IN_META,
    bucket,
  ]);
  return rows[0]!.locked;
}

/** Waits for as long as the connection's lock_timeout allows. @throws as PostgreSQL does when that is over */
export async function lockBucket(client: Queryable, bucket: number, where: 'meta' | 'shard'): Promise<void> {
  const name = where === 'meta' ? IN_META : IN_SHARD;
  await client.query('select pg_advisory_lock(hashtext($1), $2)', [name, bucket]);
}

/** Never fails: a connection that broke has let go already. */
export async function unlockBucket(meta: Queryable, bucket: number): Promise<void> {
  await meta.query('select pg_advisory_unlock(hashtext($1), $2)', [IN_META, bucket]).catch(() => undefined);
}
