import { userBucketOf } from '../../../common/conversation.js';
import { distinct, type Shards } from './shards.js';

/** A conversation on a user's list. */
export interface Listed {
  readonly userId: number;
  readonly id: bigint;
}

export const HOUR_MS = 3_600_000;

/** Hours since 1970: how exactly a list knows when something last happened in a conversation. */
export function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS);
}

/** The lists of conversations that users have, each in the bucket of its user. */
export class UserLists {
  readonly #shards: Shards;
  /** Never goes back, as the clock may: a change would seem to be older than cursors that have not seen it. */
  #latestHour = 0;

  constructor(shards: Shards) {
    this.#shards = shards;
  }

  /** Puts conversations on lists where they are missing, and notes that something happens in them this hour. */
  async touch(entries: readonly Listed[], nowMs: number): Promise<void> {
    if (entries.length === 0) return;
    this.#latestHour = Math.max(this.#latestHour, hourOf(nowMs));
    const hour = this.#latestHour;
    const rows = entries.map((entry) => ({ ...entry, bucket: userBucketOf(entry.userId) }));
    await this.#shards.settled(async () => {
      for (const [shard, part] of this.#shards.split(rows, (row) => row.bucket)) {
        // Sorted: two that touch the same rows wait for each other instead of blocking each other for good.
        part.sort((a, b) => a.userId - b.userId || (a.id < b.id ? -1 : 1));
        await shard.pool.query({
          name: 'user-conversations-touch',
          text: `with fence as materialized (select shard.writable($4::smallint[]) as open)
                 insert into shard.user_conversation as mine (bucket, user_id, conversation_id, active)
                 select w.bucket, w.user_id, w.id, $5 from unnest($1::smallint[], $2::int[], $3::bigint[]) as w (bucket, user_id, id), fence
                  where fence.open
                 on conflict (bucket, user_id, conversation_id) do update set active = excluded.active where mine.active < excluded.active`,
          values: [
            part.map((row) => row.bucket),
            part.map((row) => row.userId),
            part.map((row) => String(row.id)),
            distinct(part.map((row) => row.bucket)),
            hour,
          ],
        });
      }
    });
  }
}
