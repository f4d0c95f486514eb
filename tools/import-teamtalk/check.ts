import { groupConversation, isGroupId, singleConversation } from '../../common/conversation.js';
import type { ImportDirectory } from '../../servers/db-proxy/storage/import.js';
import { batches, type ImportContext } from './context.js';
import { WANTED } from './conversation.js';
import type { Tally } from './findings.js';
import { countKey, type GroupRow, messageTables } from './source.js';

/** Numbers that should be the same and are not, for people. */
const DIFFERENCES_MAX = 20;
const CONVERSATIONS = 500;

export class Differences {
  readonly #words: string[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }
  get words(): readonly string[] {
    return this.#words;
  }

  compare(what: string, expected: number, found: number): void {
    if (expected === found) return;
    this.#count++;
    if (this.#words.length < DIFFERENCES_MAX) this.#words.push(`${what}: ${expected} expected, ${found} found`);
  }
}

/** Every row of the tables has been met, and is stored or left out for a reason. */
export function checkTables(ctx: ImportContext, tally: Tally, differences: Differences): void {
  for (const table of ['IMDepart', 'IMUser', 'IMGroup', 'IMGroupMember', ...messageTables()]) {
    const { stored, leftOut } = tally.table(table);
    differences.compare(`rows of ${table}`, ctx.source.rowsOf(table), stored + leftOut);
  }
}

/**
 * Counts the messages of each conversation once more, in the source by its own means and in the target, where head,
 * number of messages and largest number have to be the same.
 */
export async function checkMessages(ctx: ImportContext, tally: Tally, differences: Differences): Promise<void> {
  const sum = { conversations: 0, messages: 0 };
  for await (const expected of batches(expectedConversations(ctx), CONVERSATIONS)) {
    const held = await ctx.target.held(expected.map(({ id }) => id));
    for (const { id, label, count } of expected) {
      const { head, count: found, newest } = held.get(id) ?? { head: 0, count: 0, newest: 0 };
      differences.compare(`messages of ${label}`, count, found);
      differences.compare(`head of ${label}`, count, head);
      differences.compare(`largest message number of ${label}`, count, newest);
      sum.conversations += count > 0 ? 1 : 0;
      sum.messages += count;
    }
  }
  const totals = await ctx.target.totals();
  differences.compare('conversations', sum.conversations, totals.conversations);
  differences.compare('messages', sum.messages, totals.messages);
  const stored = messageTables().reduce((all, table) => all + tally.table(table).stored, 0);
  differences.compare('messages written', stored, totals.messages);
  differences.compare('removed conversations', tally.table('hidden').stored, totals.hidden);
}

/** Before the directory is committed. */
export async function checkDirectory(
  directory: Pick<ImportDirectory, 'counts'>,
  tally: Tally,
  differences: Differences,
): Promise<void> {
  const found = await directory.counts();
  differences.compare('departments', tally.table('IMDepart').stored, found.departments);
  differences.compare('users', tally.table('IMUser').stored, found.users);
  differences.compare('groups', tally.table('IMGroup').stored, found.groups);
  differences.compare('members of groups', tally.table('members').stored, found.members);
  differences.compare('device tokens', tally.table('tokens').stored, found.tokens);
}

interface Expected {
  readonly id: bigint;
  readonly label: string;
  readonly count: number;
}

async function* expectedConversations(ctx: ImportContext): AsyncGenerator<Expected> {
  for await (const pairs of batches(ctx.source.pairs({ low: 0, high: 0 }), CONVERSATIONS)) {
    const known = pairs.filter(({ low, high }) => low !== high && ctx.users.has(low) && ctx.users.has(high));
    const counts = await ctx.source.countMessages(
      'IMMessage',
      known.flatMap((pair) => pair.relationIds),
      WANTED,
    );
    for (const { low, high, relationIds } of known) {
      const of = (relationId: number) =>
        (counts.get(countKey(relationId, low)) ?? 0) + (counts.get(countKey(relationId, high)) ?? 0);
      const count = relationIds.reduce((sum, relationId) => sum + of(relationId), 0);
      yield { id: singleConversation(low, high), label: `users ${low} and ${high}`, count };
    }
  }
  let groups: GroupRow[];
  for (let after = 0; ; after = groups.at(-1)!.id) {
    groups = await ctx.source.groups(after, CONVERSATIONS);
    if (groups.length === 0) return;
    const ids = groups.map((group) => group.id).filter(isGroupId);
    const sums = new Map(ids.map((id) => [id, 0]));
    for (const [key, count] of await ctx.source.countMessages('IMGroupMessage', ids, WANTED)) {
      const [groupId, senderId] = key.split('/').map(Number);
      if (ctx.users.has(senderId!)) sums.set(groupId!, sums.get(groupId!)! + count);
    }
    for (const [id, count] of sums) yield { id: groupConversation(id), label: `group ${id}`, count };
  }
}
