import {
  bucketOf,
  GROUP_BIT,
  groupConversation,
  groupOf,
  isGroupConversation,
  userBucketOf,
  usersOf,
} from '../../../common/conversation.js';
import { ATTACHMENT } from './attachments.js';
import type { Groups } from './groups.js';
import { type Message, type MessageRange, type Messages, ROW, WHOLE, type WholeRow } from './messages.js';
import { distinct, type Shard, type Shards } from './shards.js';
import { HOUR_MS, hourOf, type UserLists } from './user-lists.js';

/** A conversation as one user has it. */
export interface MyConversation {
  readonly id: bigint;
  /** The newest msg_id. */
  readonly head: number;
  readonly headTimeMs: number;
  /** Up to here he has read. */
  readonly read: number;
  /** Up to here the other one has read; 0 in groups. */
  readonly peerRead: number;
  /** Messages after his read position; his own count as read. */
  readonly unread: number;
  /** Not on his list: removed, or a group that he is not in any more. */
  readonly removed: boolean;
  /** Undefined when he may not see it. In listings a voice message is without its sound. */
  readonly last: Message | undefined;
}

export type Listing = MyConversation & { readonly last: Message };

/** Behind which message of which conversation; all zero: from the beginning. */
export interface Place {
  readonly conversationId: bigint;
  readonly msgId: number;
}

/** Entries of a user's list that are looked at together. */
const PAGE = 200;
/** A list notes the hour before the message is stored, by the clock of whichever db-proxy did it. */
const HOURS_APART = 1;
/** Messages of one conversation that a disturbance can be about, at most. */
const LOOKED_BACK_MAX = 10_000;

export interface ReadResult {
  readonly readMsgId: number;
  readonly moved: boolean;
}

/** Where a page of the conversations that changed begins. */
export interface ChangedFrom {
  /** Only what happened in this hour or later; see hourOf. */
  readonly hour: number;
  /** Behind this one, in the order of the pages. */
  readonly after: { readonly active: number; readonly id: bigint } | undefined;
}

export interface Changed {
  readonly conversations: readonly MyConversation[];
  /** Undefined: that was the last page. */
  readonly next: ChangedFrom['after'];
}

interface Entry {
  readonly id: bigint;
  /** Nothing up to this message makes the conversation appear: from before joining, or removed from the list. */
  readonly hiddenTo: number;
  /** Counts as read whatever the read position says. */
  readonly readFrom: number;
  /** The user may read it. */
  readonly member: boolean;
}

type HeadRow = WholeRow & {
  readonly id: bigint;
  readonly head: number;
  readonly head_time_ms: bigint;
  readonly read_id: number;
  readonly peer_read_id: number;
  readonly hidden_to: number;
};

/** Conditions on the heads of conversations, $5 a number to compare with. */
const NEWER_THAN = 'c.head > w.hidden_to and c.head_time_ms > $5';
const UNREAD = 'c.head > w.hidden_to and c.head > r.read_id + $5';
const ALL = '$5::bigint is not null';
const NO_LIMIT = 2 ** 31 - 1;

/** Which of a user's conversations are wanted. */
interface HeadsWanted {
  readonly condition: string;
  /** What the condition compares with. */
  readonly value: number;
  readonly limit: number;
  /** The newest messages with all that lies beside them. */
  readonly whole: boolean;
}

/** What users have of conversations: their lists, read positions, unread counts. Unread is computed, never counted up. */
export class Conversations {
  readonly #shards: Shards;
  readonly #messages: Messages;
  readonly #groups: Groups;
  readonly #lists: UserLists;

  constructor(shards: Shards, messages: Messages, groups: Groups, lists: UserLists) {
    this.#shards = shards;
    this.#messages = messages;
    this.#groups = groups;
    this.#lists = lists;
  }

  /**
   * With messages newer than `afterMs`, newest first, at most `limit`. Goes down the list by its latest activity until
   * what is left cannot be among them: the cost is that of the answer and of the user's groups, not of all he ever had.
   */
  async recent(userId: number, afterMs: number, limit: number): Promise<Listing[]> {
    const wanted = { condition: NEWER_THAN, value: afterMs, limit, whole: false };
    const newest = (conversations: readonly MyConversation[]) =>
      conversations.filter(isListing).sort(newestFirst).slice(0, limit);
    const hour = Math.max(0, hourOf(afterMs) - HOURS_APART);
    const groups = async () => newest(await this.#heads(userId, await this.#groupEntries(userId), wanted));
    let [found, page] = await Promise.all([groups(), this.#activePage(userId, { hour, after: undefined }, PAGE)]);
    for (;;) {
      const singles = page
        .filter((row) => !isGroupConversation(row.conversation_id))
        .map((row) => singleEntry(row.conversation_id, row.hidden_to));
      found = newest([...found, ...(await this.#heads(userId, singles, wanted))]);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return found;
      const nothingNewerMs = (last.active + 1 + HOURS_APART) * HOUR_MS;
      if (found.length === limit && found[limit - 1]!.headTimeMs >= nothingNewerMs) return found;
      const after = { active: last.active, id: last.conversation_id };
      page = await this.#activePage(userId, { hour, after }, PAGE);
    }
  }

  /** Those with unread messages; what retention has removed is not unread. */
  async unread(userId: number): Promise<Listing[]> {
    const wanted = { condition: UNREAD, value: 0, limit: NO_LIMIT, whole: false };
    const found = await this.#heads(userId, await this.#entries(userId), wanted);
    return found.filter(isListing).sort(newestFirst);
  }

  /**
   * The conversations in which something may have happened since then, a page at a time: those with the latest
   * activity first, removed ones and groups he left included.
   */
  async changed(userId: number, from: ChangedFrom, limit: number): Promise<Changed> {
    const memberships = await this.#groups.membershipsOf(userId);
    const groups = new Map(memberships.map((each) => [groupConversation(each.groupId), each]));
    const page = await this.#activePage(userId, from, limit);
    const listed = new Map(page.map((row) => [row.conversation_id, row.hidden_to]));
    // Groups are not put on lists by every message, so on the first page their heads are looked at as well.
    const others = from.after === undefined ? [...groups.keys()].filter((id) => !listed.has(id)) : [];
    const entry = (id: bigint, hiddenTo: number): Entry => {
      const joined = groups.get(id)?.joinedMsgId ?? 0;
      return {
        id,
        hiddenTo: Math.max(hiddenTo, joined),
        readFrom: joined,
        member: !isGroupConversation(id) || groups.has(id),
      };
    };
    const onPage = page.map((row) => entry(row.conversation_id, row.hidden_to));
    const [conversations, groupsToo] = await Promise.all([
      this.#heads(userId, onPage, { condition: ALL, value: 0, limit: NO_LIMIT, whole: true }),
      this.#heads(
        userId,
        others.map((id) => entry(id, 0)),
        { condition: NEWER_THAN, value: from.hour * HOUR_MS - 1, limit: NO_LIMIT, whole: true },
      ),
    ]);
    const last = page.at(-1);
    const next =
      page.length < limit || last === undefined ? undefined : { active: last.active, id: last.conversation_id };
    return { conversations: [...conversations, ...groupsToo].sort(newestFirst), next };
  }

  #activePage(userId: number, { hour, after }: ChangedFrom, limit: number): Promise<ActiveRow[]> {
    return this.#shards.settled(async () => {
      const { rows } = await this.#shards.ofUser(userId).pool.query<ActiveRow>({
        name: 'user-conversations-active',
        text: `select conversation_id, hidden_to, active from shard.user_conversation
                where shard.readable(array[$1::smallint]) and bucket = $1 and user_id = $2 and active >= $3
                  and (active, conversation_id) < ($4, $5) order by active desc, conversation_id desc limit $6`,
        values: [userBucketOf(userId), userId, hour, after?.active ?? NO_LIMIT, String(after?.id ?? 0n), limit],
      });
      return rows;
    });
  }

  /** Something happened for these users besides a message: they joined or left a group. */
  touch(userIds: readonly number[], id: bigint): Promise<void> {
    return this.#lists.touch(
      userIds.map((userId) => ({ userId, id })),
      Date.now(),
    );
  }

  /** What was stored in conversations of these users since then, behind a place; in the order of places. */
  storedSince(userIds: readonly number[], sinceMs: number, after: Place, limit: number): Promise<MessageRange[]> {
    return this.#shards.settled(async () => {
      const parts = [...this.#shards.split(await this.#conversationsOf(userIds), bucketOf)];
      const found = await Promise.all(parts.map(([shard, ids]) => this.#storedOn(shard, ids, sinceMs, after, limit)));
      const inOrder = (a: MessageRange, b: MessageRange) => (a.conversationId < b.conversationId ? -1 : 1);
      return found.flat().sort(inOrder).slice(0, limit);
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
    // Awaited together: a failure that came while another one was awaited would be nobody's.
    const [groups, ...singles] = await Promise.all([this.#groups.ofUsers(userIds), ...listed]);
    return new Set([...singles.flat(), ...groups.map(groupConversation)]);
  }

  async #storedOn(
    shard: Shard,
    ids: readonly bigint[],
    sinceMs: number,
    after: Place,
    limit: number,
  ): Promise<MessageRange[]> {
    const { rows } = await shard.pool.query<{ id: bigint; before: number; head: number }>({
      name: 'stored-since',
      text: `select c.id, b.before, c.head
               from unnest($1::smallint[], $2::bigint[]) as w (bucket, id)
               join shard.conversation c on c.bucket = w.bucket and c.id = w.id and c.head_time_ms >= $3
               cross join lateral (select greatest(c.head - ${LOOKED_BACK_MAX}, case when c.id = $6 then $7::int else 0 end,
                 (select m.msg_id from shard.message m
                   where m.bucket = c.bucket and m.conversation_id = c.id and m.create_time_ms < $3
                     and m.msg_id > c.head - ${LOOKED_BACK_MAX} order by m.msg_id desc limit 1)) as before) b
              where shard.readable($5::smallint[]) and c.id >= $6 and b.before < c.head order by c.id limit $4`,
      values: [
        ids.map(bucketOf),
        ids.map(String),
        sinceMs,
        limit,
        distinct(ids.map(bucketOf)),
        String(after.conversationId),
        after.msgId,
      ],
    });
    return rows.map(({ id, before, head }) => ({ conversationId: id, from: before + 1, to: head }));
  }

  /** Moves the read position forward to `msgId`, never back; 0 or beyond the newest means everything. */
  async markRead(userId: number, id: bigint, msgId: number): Promise<ReadResult> {
    const result = await this.#shards.settled(() =>
      isGroupConversation(id) ? this.#markGroupRead(userId, id, msgId) : this.#markSingleRead(userId, id, msgId),
    );
    // A change of its own for the devices of both: the other one sees how far he is read.
    if (result.moved) await this.touch(isGroupConversation(id) ? [userId] : usersOf(id), id);
    return result;
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
         insert into shard.user_conversation as mine (bucket, user_id, conversation_id, hidden_to, active)
         select $1, $2, $3, $4, $5 from fence where fence.open
         on conflict (bucket, user_id, conversation_id) do update set hidden_to = excluded.hidden_to, active = excluded.active
          where mine.hidden_to < excluded.hidden_to`,
        [userBucketOf(userId), userId, String(id), head, hourOf(Date.now())],
      );
      return rowCount === 1;
    });
  }

  /** The single conversations on the user's list and the groups he is in. */
  async #entries(userId: number): Promise<Entry[]> {
    const [singles, groups] = await Promise.all([
      this.#listed(userId, 'conversation_id < $3'),
      this.#groupEntries(userId),
    ]);
    return [...singles.map((row) => singleEntry(row.conversation_id, row.hidden_to)), ...groups];
  }

  async #groupEntries(userId: number): Promise<Entry[]> {
    const [listed, memberships] = await Promise.all([
      this.#listed(userId, 'conversation_id >= $3'),
      this.#groups.membershipsOf(userId),
    ]);
    const hidden = new Map(listed.map((row) => [row.conversation_id, row.hidden_to]));
    return memberships.map(({ groupId, joinedMsgId }) => {
      const id = groupConversation(groupId);
      return { id, hiddenTo: Math.max(joinedMsgId, hidden.get(id) ?? 0), readFrom: joinedMsgId, member: true };
    });
  }

  /** Rows of the user's list, $3 the first id of a group's conversation. */
  #listed(userId: number, condition: string): Promise<ListedRow[]> {
    return this.#shards.settled(async () => {
      const { rows } = await this.#shards.ofUser(userId).pool.query<ListedRow>({
        name: `user-conversations ${condition}`,
        text: `select conversation_id, hidden_to from shard.user_conversation
                where shard.readable(array[$1::smallint]) and bucket = $1 and user_id = $2 and ${condition}`,
        values: [userBucketOf(userId), userId, String(GROUP_BIT)],
      });
      return rows;
    });
  }

  /** Those of the entries that satisfy the condition, the newest `limit` of each shard. */
  #heads(userId: number, entries: readonly Entry[], wanted: HeadsWanted): Promise<MyConversation[]> {
    return this.#shards.settled(async () => {
      const parts = [...this.#shards.split(entries, (entry) => bucketOf(entry.id))];
      const found = parts.map(([shard, part]) => this.#headsOn(shard, userId, part, wanted));
      return (await Promise.all(found)).flat();
    });
  }

  async #headsOn(
    shard: Shard,
    userId: number,
    entries: readonly Entry[],
    { condition, value, limit, whole }: HeadsWanted,
  ): Promise<MyConversation[]> {
    const { rows } = await shard.pool.query<HeadRow>({
      name: `heads ${condition}${whole ? ', whole' : ''}`,
      text: `select h.*, ${whole ? WHOLE : ROW}
               from (select c.bucket, c.id, c.head, c.head_time_ms, w.hidden_to, r.read_id, r.peer_read_id
                       from unnest($1::smallint[], $2::bigint[], $3::int[], $4::int[]) as w (bucket, id, hidden_to, read_from)
                       join shard.conversation c on c.bucket = w.bucket and c.id = w.id
                       left join shard.group_read g on g.bucket = c.bucket and g.conversation_id = c.id and g.user_id = $6
                      cross join lateral (select
                              greatest(c.first_kept - 1, case when c.id >= ${GROUP_BIT} then greatest(coalesce(g.read_id, 0), w.read_from)
                                   when c.id >> 32 = $6 then c.low_read else c.high_read end) as read_id,
                              case when c.id >= ${GROUP_BIT} then 0
                                   when c.id >> 32 = $6 then c.high_read else c.low_read end as peer_read_id) r
                      where shard.readable($7::smallint[]) and ${condition}
                      order by c.head_time_ms desc, c.head desc limit $8) h
               left join shard.message m on m.bucket = h.bucket and m.conversation_id = h.id and m.msg_id = h.head
               ${whole ? ATTACHMENT : ''}`,
      values: [
        entries.map((e) => bucketOf(e.id)),
        entries.map((e) => String(e.id)),
        entries.map((e) => e.hiddenTo),
        entries.map((e) => e.readFrom),
        value,
        userId,
        distinct(entries.map((e) => bucketOf(e.id))),
        limit,
      ],
    });
    await this.#messages.ready(rows);
    const members = new Map(entries.map((entry) => [entry.id, entry.member]));
    return rows.map((row) => this.#mine(row, members.get(row.id) === true, whole));
  }

  #mine(row: HeadRow, member: boolean, whole: boolean): MyConversation {
    const removed = !member || row.head <= row.hidden_to;
    const last = () => (whole ? this.#messages.opened(row) : this.#messages.openedForList(row));
    return {
      id: row.id,
      head: member ? row.head : 0,
      headTimeMs: Number(row.head_time_ms),
      read: row.read_id,
      peerRead: row.peer_read_id,
      unread: removed ? 0 : Math.max(0, row.head - row.read_id),
      removed,
      last: removed || row.msg_id === null ? undefined : last(),
    };
  }

  // The fence leads the answer of both: where the bucket is not, there is no other row that would make PostgreSQL ask it.

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
             select coalesce(moved.read_id, wanted.read_id, 0) as read_id, moved.read_id is not null as moved
               from fence left join wanted on true left join moved on true`,
      values: [bucketOf(id), String(id), msgId],
    });
    return { readMsgId: rows[0]!.read_id, moved: rows[0]!.moved };
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
             select coalesce(moved.read_id, wanted.read_id, 0) as read_id, moved.read_id is not null as moved
               from fence left join wanted on true left join moved on true`,
      values: [bucketOf(id), String(id), msgId, userId, membership.joinedMsgId],
    });
    return { readMsgId: rows[0]!.read_id, moved: rows[0]!.moved };
  }
}

interface ListedRow {
  readonly conversation_id: bigint;
  readonly hidden_to: number;
}

interface ActiveRow extends ListedRow {
  readonly active: number;
}

function singleEntry(id: bigint, hiddenTo: number): Entry {
  return { id, hiddenTo, readFrom: 0, member: true };
}

function isListing(conversation: MyConversation): conversation is Listing {
  return conversation.last !== undefined;
}

function newestFirst(a: MyConversation, b: MyConversation): number {
  return b.headTimeMs - a.headTimeMs || b.head - a.head;
}
