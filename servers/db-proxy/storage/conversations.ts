import {
  bucketOf,
  groupConversation,
  groupOf,
  isGroupConversation,
  userBucketOf,
  usersOf,
} from '../../../common/conversation.js';
import type { Groups } from './groups.js';
import type { Message, MessageRow, Messages } from './messages.js';
import type { Shard, Shards } from './shards.js';

/** A conversation as one user has it. */
export interface MyConversation {
  readonly id: bigint;
  /** The newest msg_id. */
  readonly head: number;
  readonly headTimeMs: number;
  /** Messages after his read position; his own count as read. */
  readonly unread: number;
  readonly last: Message;
}

export interface ReadResult {
  readonly readMsgId: number;
  readonly moved: boolean;
}

interface Entry {
  readonly id: bigint;
  /** Nothing up to this message makes the conversation appear: from before joining, or removed from the list. */
  readonly hiddenTo: number;
  /** Counts as read whatever the read position says. */
  readonly readFrom: number;
}

type HeadRow = MessageRow & { readonly head: number; readonly head_time_ms: bigint; readonly read_id: number };

/** What users have of conversations: their lists, read positions, unread counts. Unread is computed, never counted up. */
export class Conversations {
  readonly #shards: Shards;
  readonly #messages: Messages;
  readonly #groups: Groups;

  constructor(shards: Shards, messages: Messages, groups: Groups) {
    this.#shards = shards;
    this.#messages = messages;
    this.#groups = groups;
  }

  /** With messages newer than `afterMs`, newest first, at most `limit`. */
  async recent(userId: number, afterMs: number, limit: number): Promise<MyConversation[]> {
    const found = await this.#heads(userId, 'c.head_time_ms > $5', afterMs);
    return found.sort((a, b) => b.headTimeMs - a.headTimeMs || b.head - a.head).slice(0, limit);
  }

  /** Those with unread messages. */
  async unread(userId: number): Promise<MyConversation[]> {
    return (await this.#heads(userId, 'c.head > $5', 0)).filter((each) => each.unread > 0);
  }

  /** What was stored in any conversation of these users since then; by conversation, oldest first. */
  storedSince(userIds: readonly number[], sinceMs: number, limit: number): Promise<Message[]> {
    return this.#shards.settled(async () => {
      const parts = [...this.#shards.split(await this.#conversationsOf(userIds), bucketOf)];
      return (await Promise.all(parts.map(([shard, part]) => this.#storedOn(shard, part, sinceMs, limit)))).flat();
    });
  }

  /** The single conversations of these users and the groups they are in. */
  async #conversationsOf(userIds: readonly number[]): Promise<Set<bigint>> {
    const listed = [...this.#shards.split(userIds, userBucketOf)].map(async ([shard, users]) => {
      const { rows } = await shard.pool.query<{ conversation_id: bigint }>({
        name: 'users-conversations',
        text: `select distinct l.conversation_id from unnest($1::smallint[], $2::int[]) as w (bucket, user_id)
                 join shard.user_conversation l on l.bucket = w.bucket and l.user_id = w.user_id
                where shard.readable($3::smallint[])`,
        values: [users.map(userBucketOf), users, distinct(users.map(userBucketOf))],
      });
      return rows.map((row) => row.conversation_id).filter((id) => !isGroupConversation(id));
    });
    const groups = (await this.#groups.ofUsers(userIds)).map(groupConversation);
    return new Set([...(await Promise.all(listed)).flat(), ...groups]);
  }

  async #storedOn(shard: Shard, ids: readonly bigint[], sinceMs: number, limit: number): Promise<Message[]> {
    const { rows } = await shard.pool.query<MessageRow>({
      name: 'stored-since',
      text: `select m.conversation_id, m.msg_id, m.sender_id, m.msg_type, m.create_time_ms, m.key_id, m.sealed
               from unnest($1::smallint[], $2::bigint[]) as w (bucket, id)
               join shard.conversation c on c.bucket = w.bucket and c.id = w.id and c.head_time_ms >= $3
               cross join lateral (select * from shard.message
                 where bucket = c.bucket and conversation_id = c.id and msg_id > c.head - $4 and create_time_ms >= $3) m
              where shard.readable($5::smallint[]) order by m.conversation_id, m.msg_id limit $4`,
      values: [ids.map(bucketOf), ids.map(String), sinceMs, limit, distinct(ids.map(bucketOf))],
    });
    return rows.map((row) => this.#messages.opened(row));
  }

  /** Moves the read position forward to `msgId`, never back; 0 or beyond the newest means everything. */
  async markRead(userId: number, id: bigint, msgId: number): Promise<ReadResult> {
    return this.#shards.settled(() =>
      isGroupConversation(id) ? this.#markGroupRead(userId, id, msgId) : this.#markSingleRead(userId, id, msgId),
    );
  }

  /**
   * Takes a conversation off the user's list until its next message; everything in it counts as read.
   * @returns false when it was not on the list.
   */
  async hide(userId: number, id: bigint): Promise<boolean> {
    const head = await this.#messages.head(id);
    if (head === 0) return false;
    await this.markRead(userId, id, 0);
    return this.#shards.settled(async () => {
      const { rowCount } = await this.#shards.ofUser(userId).pool.query(
        `with fence as materialized (select shard.writable(array[$1::smallint]) as open)
         insert into shard.user_conversation as mine (bucket, user_id, conversation_id, hidden_to)
         select $1, $2, $3, $4 from fence where fence.open
         on conflict (bucket, user_id, conversation_id) do update set hidden_to = excluded.hidden_to where mine.hidden_to < excluded.hidden_to`,
        [userBucketOf(userId), userId, String(id), head],
      );
      return rowCount === 1;
    });
  }

  /** The single conversations on the user's list and the groups he is in. */
  async #entries(userId: number): Promise<Entry[]> {
    const [listed, memberships] = await Promise.all([
      this.#shards.ofUser(userId).pool.query<{ conversation_id: bigint; hidden_to: number }>({
        name: 'user-conversations',
        text: `select conversation_id, hidden_to from shard.user_conversation
                where shard.readable(array[$1::smallint]) and bucket = $1 and user_id = $2`,
        values: [userBucketOf(userId), userId],
      }),
      this.#groups.membershipsOf(userId),
    ]);
    const hidden = new Map(listed.rows.map((row) => [row.conversation_id, row.hidden_to]));
    const singles = listed.rows
      .filter((row) => !isGroupConversation(row.conversation_id))
      .map((row) => ({ id: row.conversation_id, hiddenTo: row.hidden_to, readFrom: 0 }));
    const groups = memberships.map(({ groupId, joinedMsgId }) => {
      const id = groupConversation(groupId);
      return { id, hiddenTo: Math.max(joinedMsgId, hidden.get(id) ?? 0), readFrom: joinedMsgId };
    });
    return [...singles, ...groups];
  }

  #heads(userId: number, condition: string, value: number): Promise<MyConversation[]> {
    return this.#shards.settled(async () => {
      const entries = await this.#entries(userId);
      const parts = [...this.#shards.split(entries, (entry) => bucketOf(entry.id))];
      const found = parts.map(([shard, part]) => this.#headsOn(shard, userId, part, condition, value));
      return (await Promise.all(found)).flat();
    });
  }

  async #headsOn(
    shard: Shard,
    userId: number,
    entries: readonly Entry[],
    condition: string,
    value: number,
  ): Promise<MyConversation[]> {
    const { rows } = await shard.pool.query<HeadRow>({
      name: `heads ${condition}`,
      text: `select c.head, c.head_time_ms, m.conversation_id, m.msg_id, m.sender_id, m.msg_type, m.create_time_ms, m.key_id, m.sealed,
                    case when c.id >= ${1n << 62n} then greatest(coalesce(g.read_id, 0), w.read_from)
                         when c.id >> 32 = $6 then c.low_read else c.high_read end as read_id
               from unnest($1::smallint[], $2::bigint[], $3::int[], $4::int[]) as w (bucket, id, hidden_to, read_from)
               join shard.conversation c on c.bucket = w.bucket and c.id = w.id and c.head > w.hidden_to
               join shard.message m on m.bucket = c.bucket and m.conversation_id = c.id and m.msg_id = c.head
               left join shard.group_read g on g.bucket = c.bucket and g.conversation_id = c.id and g.user_id = $6
              where shard.readable($7::smallint[]) and ${condition}`,
      values: [
        entries.map((e) => bucketOf(e.id)),
        entries.map((e) => String(e.id)),
        entries.map((e) => e.hiddenTo),
        entries.map((e) => e.readFrom),
        value,
        userId,
        distinct(entries.map((e) => bucketOf(e.id))),
      ],
    });
    return rows.map((row) => ({
      id: row.conversation_id,
      head: row.head,
      headTimeMs: Number(row.head_time_ms),
      unread: Math.max(0, row.head - row.read_id),
      last: this.#messages.opened(row),
    }));
  }

  async #markSingleRead(userId: number, id: bigint, msgId: number): Promise<ReadResult> {
    const column = usersOf(id)[0] === userId ? 'low_read' : 'high_read';
    const shard = this.#shards.ofConversation(id);
    const { rows } = await shard.pool.query<{ read_id: number; moved: boolean }>({
      name: `mark-read ${column}`,
      text: `with fence as materialized (
               select shard.writable(array[$1::smallint]) as open
             ), wanted as (
               select bucket, id, ${column} as read_id, case when $3 between 1 and head then $3 else head end as target
                 from shard.conversation, fence where fence.open and bucket = $1 and id = $2
             ), moved as (
               update shard.conversation c set ${column} = wanted.target from wanted
                where c.bucket = wanted.bucket and c.id = wanted.id and c.${column} < wanted.target returning c.${column} as read_id
             )
             select coalesce(moved.read_id, wanted.read_id) as read_id, moved.read_id is not null as moved from wanted left join moved on true`,
      values: [bucketOf(id), String(id), msgId],
    });
    return rows[0] === undefined
      ? { readMsgId: 0, moved: false }
      : { readMsgId: rows[0].read_id, moved: rows[0].moved };
  }

  async #markGroupRead(userId: number, id: bigint, msgId: number): Promise<ReadResult> {
    const membership = await this.#groups.membershipOf(userId, groupOf(id));
    if (membership === undefined) return { readMsgId: 0, moved: false };
    const { rows } = await this.#shards.ofConversation(id).pool.query<{ read_id: number; moved: boolean }>({
      name: 'mark-group-read',
      text: `with fence as materialized (
               select shard.writable(array[$1::smallint]) as open
             ), wanted as (
               select c.bucket, c.id, greatest(coalesce(g.read_id, 0), $5) as read_id, case when $3 between 1 and c.head then $3 else c.head end as target
                 from fence, shard.conversation c left join shard.group_read g on g.bucket = c.bucket and g.conversation_id = c.id and g.user_id = $4
                where fence.open and c.bucket = $1 and c.id = $2
             ), moved as (
               insert into shard.group_read as g (bucket, conversation_id, user_id, read_id)
               select bucket, id, $4, target from wanted where target > wanted.read_id
               on conflict (bucket, conversation_id, user_id) do update set read_id = excluded.read_id where g.read_id < excluded.read_id
               returning read_id
             )
             select coalesce(moved.read_id, wanted.read_id) as read_id, moved.read_id is not null as moved from wanted left join moved on true`,
      values: [bucketOf(id), String(id), msgId, userId, membership.joinedMsgId],
    });
    return rows[0] === undefined
      ? { readMsgId: 0, moved: false }
      : { readMsgId: rows[0].read_id, moved: rows[0].moved };
  }
}

function distinct(buckets: readonly number[]): number[] {
  return [...new Set(buckets)];
}
