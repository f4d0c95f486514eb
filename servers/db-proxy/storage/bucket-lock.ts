import type { Queryable } from './tool-client.js';

/**
 * A bucket belongs to one job at a time: moving it to another shard, sealing its messages anew, destroying its keys.
 * An advisory lock in the meta database, held by the connection: whoever dies has let go.
 */
/** @returns false when somebody else is at the bucket. On a connection of its own, never on a pool. */
export async function tryBucketLock(meta: Queryable, bucket: number): Promise<boolean> {
  const { rows } = await meta.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(hashtext('bucket'), $1) as locked`,
    [bucket],
  );
  return rows[0]!.locked;
}

/** Never fails: a connection that broke has let go already. */
export async function unlockBucket(meta: Queryable, bucket: number): Promise<void> {
  await meta.query(`select pg_advisory_unlock(hashtext('bucket'), $1)`, [bucket]).catch(() => undefined);
}
