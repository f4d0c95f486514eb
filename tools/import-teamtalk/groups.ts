import { groupConversation, isGroupId } from '../../common/conversation.js';
import { GROUP_MEMBERS_MAX } from '../../common/limits.js';
import type { StagedMember } from '../../servers/db-proxy/storage/import.js';
import { type ImportContext, Phase, packs } from './context.js';
import { bringOver, Conversation, type Passing } from './conversation.js';
import type { Tally } from './findings.js';
import { type Facts, type GroupRow, type MemberRow, NO_FACTS, TABLES, tableOf } from './source.js';

/** Groups that are looked up at once. */
const GROUPS = 100;

/** A member on his way over. `joined` in Unix seconds. */
interface Member {
  readonly userId: number;
  readonly joined: number;
  joinedMsgId: number;
}

interface Group {
  readonly id: number;
  readonly members: readonly Member[];
  readonly silenced: ReadonlySet<number>;
  readonly conversation: Conversation;
}

/**
 * The messages of groups, and who is in them: what somebody may read begins at a message, which is found while the
 * messages go by. Groups come in the order of their ids.
 */
export async function importGroups(ctx: ImportContext): Promise<Tally> {
  const phase = await Phase.open(ctx, 'groups', 0);
  if (phase.isDone) return phase.tally;
  let found: GroupRow[];
  for (let after = phase.cursor; ; after = found.at(-1)!.id) {
    found = await ctx.source.groups(after, GROUPS);
    if (found.length === 0) break;
    const ids = found.map((group) => group.id);
    const facts = await ctx.source.facts('IMGroupMessage', ids);
    const rows = ({ id }: GroupRow) => facts.get(id)?.rows ?? 0;
    for (const pack of packs(found, rows, ctx.portionRows)) await importPack(ctx, phase, pack, facts);
  }
  await phase.finish();
  return phase.tally;
}

type FactsById = ReadonlyMap<number, Facts>;

async function importPack(ctx: ImportContext, phase: Phase<number>, pack: readonly GroupRow[], facts: FactsById) {
  const tally = phase.newTally();
  const groups = await groupsOf(ctx, pack, facts, tally);
  const conversations = groups.map((group) => group.conversation);
  const passing = (conversation: Conversation) => joining(groups[conversations.indexOf(conversation)]!.members);
  const { stretches, rows: written } = await bringOver(ctx, phase, conversations, tally, passing);
  for (const { members, conversation } of groups) for (const member of members) endJoining(member, conversation.count);
  const reads = await readsOf(ctx, groups, tally);
  const rows = pack.reduce((sum, { id }) => sum + (facts.get(id)?.rows ?? 0), 0) - written;
  await phase.portion({ cursor: pack.at(-1)!.id, tally, rows }, async () => {
    if (stretches.length > 0) await ctx.target.write(stretches);
    await ctx.target.groupReads(reads);
    return groups.flatMap(staged);
  });
}

async function groupsOf(
  ctx: ImportContext,
  pack: readonly GroupRow[],
  facts: FactsById,
  tally: Tally,
): Promise<Group[]> {
  const ids = pack.map((group) => group.id);
  const rows = new Map<number, MemberRow[]>(ids.map((id) => [id, []]));
  for (const row of await ctx.source.members(ids)) rows.get(row.groupId)!.push(row);
  const byRedis = await ctx.redis?.members(ids, tally);
  const silenced = await ctx.redis?.shields(ids, tally);
  const heads = await ctx.target.heads(ids.filter(isGroupId).map(groupConversation));
  return pack.flatMap(({ id }, n) => {
    if (!isGroupId(id)) {
      leaveOut(id, rows.get(id)!.length, facts, tally);
      return [];
    }
    if (ctx.redis !== undefined && byRedis?.[n] === undefined) tally.add('group-not-in-redis', `group ${id}`);
    const conversation = new Conversation({
      id: groupConversation(id),
      kind: 'IMGroupMessage',
      label: `group ${id}`,
      ownerIds: [id],
      facts,
      whyNot: (senderId) => (ctx.users.has(senderId) ? undefined : 'message-sender-unknown'),
      latestS: ctx.target.startedS,
      head: heads.get(groupConversation(id)),
    });
    const members = membersOf(ctx, id, rows.get(id)!, byRedis?.[n], tally);
    return [{ id, members, silenced: silenced?.[n] ?? new Set<number>(), conversation }];
  });
}

function leaveOut(groupId: number, memberRows: number, facts: FactsById, tally: Tally): void {
  const { rows, deleted } = facts.get(groupId) ?? NO_FACTS;
  const table = tableOf('IMGroupMessage', groupId % TABLES);
  tally.leftOut(table, 'message-deleted', undefined, deleted);
  tally.leftOut(table, 'message-group', `group ${groupId}`, rows - deleted);
  tally.leftOut('IMGroupMember', 'member-orphan', undefined, memberRows);
}

/** Redis decided in the original who is a member; the rows do where it is not at hand or knows nothing of the group. */
function membersOf(
  ctx: ImportContext,
  groupId: number,
  rows: readonly MemberRow[],
  byRedis: ReadonlyMap<number, number> | undefined,
  tally: Tally,
): Member[] {
  const joined = new Map<number, number>();
  for (const { userId, status, created } of rows) {
    const what = `group ${groupId}, user ${userId}`;
    if (status !== 0) tally.leftOut('IMGroupMember', 'member-left');
    else if (byRedis !== undefined && !byRedis.has(userId)) tally.leftOut('IMGroupMember', 'member-only-rows', what);
    else if (!ctx.users.has(userId)) tally.leftOut('IMGroupMember', 'member-unknown', what);
    else {
      // Of two rows for one membership the later time of joining counts: it hides more, never less.
      if (joined.has(userId)) tally.leftOut('IMGroupMember', 'member-double', what);
      else tally.stored('IMGroupMember');
      joined.set(userId, Math.max(joined.get(userId) ?? 0, created));
    }
  }
  const inRows = new Set(rows.map((row) => row.userId));
  for (const [userId, time] of byRedis ?? []) {
    if (!ctx.users.has(userId)) {
      if (!inRows.has(userId)) tally.add('member-unknown', `group ${groupId}, user ${userId}`);
      continue;
    }
    if (!joined.has(userId)) tally.add('member-only-redis', `group ${groupId}, user ${userId}`);
    joined.set(userId, time);
  }
  if (joined.size > GROUP_MEMBERS_MAX) tally.add('group-large', `group ${groupId}: ${joined.size} members`);
  tally.stored('members', joined.size);
  const members = [...joined].map(([userId, time]) => ({ userId, joined: time, joinedMsgId: NOT_YET }));
  return members.sort((a, b) => a.joined - b.joined);
}

/** He has joined after all messages that have gone by. */
const NOT_YET = -1;

/** Notes for each member how many messages were there before him: he may read those of the second he joined in. */
function joining(members: readonly Member[]): Passing {
  let next = 0;
  return {
    message({ created }, msgId) {
      for (; next < members.length && members[next]!.joined <= created; next++) members[next]!.joinedMsgId = msgId - 1;
    },
  };
}

function endJoining(member: Member, count: number): void {
  if (member.joinedMsgId === NOT_YET) member.joinedMsgId = count;
}

function staged({ id, members, silenced }: Group): StagedMember[] {
  return members.map(({ userId, joined, joinedMsgId }) => ({
    groupId: id,
    userId,
    joinedMsgId,
    joined,
    shield: silenced.has(userId) ? 1 : 0,
  }));
}

/** How far everybody has read: to the end without Redis, else as its counters say. */
async function readsOf(ctx: ImportContext, groups: readonly Group[], tally: Tally) {
  const withMessages = groups.filter(({ conversation }) => conversation.count > 0);
  const sent = await ctx.redis?.groupCounts(
    withMessages.map((group) => group.id),
    tally,
  );
  const reads = [];
  for (const [n, { id, members, silenced, conversation }] of withMessages.entries()) {
    const userIds = members.map((member) => member.userId);
    const marks = await ctx.redis?.groupMarks(id, userIds, tally);
    for (const [place, { userId, joinedMsgId }] of members.entries()) {
      const unread = Math.max(0, (sent?.[n] ?? 0) - (marks?.[place] ?? 0));
      const readId = Math.max(conversation.count - unread, conversation.ownLast(userId), joinedMsgId);
      if (readId < conversation.count) tally.add('unread-kept');
      reads.push({ groupConversationId: conversation.id, userId, readId });
    }
    tally.add('shield-kept', undefined, userIds.filter((userId) => silenced.has(userId)).length);
  }
  return reads;
}
