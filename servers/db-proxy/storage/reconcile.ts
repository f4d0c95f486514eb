import { groupConversation, isGroupConversation, userBucketOf, usersOf } from '../../../common/conversation.js';
import type { ShardClients } from './shard-clients.js';
import { hourOf } from './user-lists.js';

/**
 * Makes databases agree that were copied at slightly different moments (see backup.ts). What is pulled back or added
 * follows from the heads of the conversations, which are the truth; running it twice changes nothing.
 */
export interface Reconciled {
  /** Members whose history would have begun behind the head of their group. */
  readonly joined: number;
  /** List entries that would have hidden messages to come. */
  readonly hidden: number;
  /** Entries that were missing on the lists of users, or knew of no message as late as the last one. */
  readonly listed: number;
}

const PAGE = 1_000;
/** Lower than every key. */
const FIRST_BUCKET = -(2 ** 15);
const FIRST_ID = String(-(2n ** 63n));

export async function reconcile(clients: ShardClients): Promise<Reconciled> {
  return {
    joined: await pullBackJoined(clients),
    listed: await addToLists(clients),
    hidden: await pullBackHidden(clients),
  };
}

async function pullBackJoined(clients: ShardClients): Promise<number> {
  let changed = 0;
  for (let after: readonly [number, number] = [0, 0]; ; ) {
    const { rows } = await clients.meta.query<{ group_id: number; user_id: number; joined_msg_id: number }>(
      `select group_id, user_id, joined_msg_id from meta.group_member
        where joined_msg_id > 0 and (group_id, user_id) > ($1, $2) order by group_id, user_id limit $3`,
      [...after, PAGE],
    );
    const last = rows.at(-1);
    if (last === undefined) return changed;
    after = [last.group_id, last.user_id];
    const heads = await clients.heads(rows.map((row) => groupConversation(row.group_id)));
    const headOf = (groupId: number) => heads.get(groupConversation(groupId)) ?? 0;
    const ahead = rows.filter((row) => row.joined_msg_id > headOf(row.group_id));
    await clients.meta.query(
      `update meta.group_member m set joined_msg_id = w.head from unnest($1::int[], $2::int[], $3::int[]) as w (group_id, user_id, head)
        where m.group_id = w.group_id and m.user_id = w.user_id`,
      [ahead.map((row) => row.group_id), ahead.map((row) => row.user_id), ahead.map((row) => headOf(row.group_id))],
    );
    changed += ahead.length;
  }
}

async function addToLists(clients: ShardClients): Promise<number> {
  let added = 0;
  for (const shard of clients.all) {
    for (let after: readonly [number, string] = [FIRST_BUCKET, FIRST_ID]; ; ) {
      const { rows } = await shard.client.query<{ bucket: number; id: bigint; head_time_ms: bigint }>(
        `select bucket, id, head_time_ms from shard.conversation
          where head > 0 and (bucket, id) > ($1, $2) order by bucket, id limit $3`,
        [...after, PAGE],
      );
      const last = rows.at(-1);
      if (last === undefined) break;
      after = [last.bucket, String(last.id)];
      const entries = rows
        .filter((row) => !isGroupConversation(row.id))
        .flatMap((row) => usersOf(row.id).map((userId) => ({ userId, id: row.id, timeMs: row.head_time_ms })));
      for (const [{ client }, part] of clients.split(entries, (entry) => userBucketOf(entry.userId))) {
        const { rowCount } = await client.query(
          `insert into shard.user_conversation as mine (bucket, user_id, conversation_id, active)
           select w.bucket, w.user_id, w.id, w.hour from unnest($1::smallint[], $2::int[], $3::bigint[], $4::int[]) as w (bucket, user_id, id, hour)
           on conflict (bucket, user_id, conversation_id) do update set active = excluded.active where mine.active < excluded.active`,
          [
            part.map((entry) => userBucketOf(entry.userId)),
            part.map((entry) => entry.userId),
            part.map((entry) => String(entry.id)),
            part.map((entry) => hourOf(Number(entry.timeMs))),
          ],
        );
        added += rowCount ?? 0;
      }
    }
  }
  return added;
}

async function pullBackHidden(clients: ShardClients): Promise<number> {
  let changed = 0;
  for (const shard of clients.all) {
    for (let after: readonly [number, number, string] = [FIRST_BUCKET, 0, FIRST_ID]; ; ) {
      const { rows } = await shard.client.query<{
        bucket: number;
        user_id: number;
        conversation_id: bigint;
        hidden_to: number;
      }>(
        `select bucket, user_id, conversation_id, hidden_to from shard.user_conversation
          where hidden_to > 0 and (bucket, user_id, conversation_id) > ($1, $2, $3)
          order by bucket, user_id, conversation_id limit $4`,
        [...after, PAGE],
      );
      const last = rows.at(-1);
      if (last === undefined) break;
      after = [last.bucket, last.user_id, String(last.conversation_id)];
      const heads = await clients.heads(rows.map((row) => row.conversation_id));
      const ahead = rows.filter((row) => row.hidden_to > (heads.get(row.conversation_id) ?? 0));
      await shard.client.query(
        `update shard.user_conversation l set hidden_to = w.head
           from unnest($1::smallint[], $2::int[], $3::bigint[], $4::int[]) as w (bucket, user_id, id, head)
          where l.bucket = w.bucket and l.user_id = w.user_id and l.conversation_id = w.id`,
        [
          ahead.map((row) => row.bucket),
          ahead.map((row) => row.user_id),
          ahead.map((row) => String(row.conversation_id)),
          ahead.map((row) => heads.get(row.conversation_id) ?? 0),
        ],
      );
      changed += ahead.length;
    }
  }
  return changed;
}
