import { isUserId, singleConversation } from '../../common/conversation.js';
import type { Stretch } from '../../servers/db-proxy/storage/import.js';
import { batches, type ImportContext, Phase, packs } from './context.js';
import { bringOver, Conversation, type Passing } from './conversation.js';
import type { Tally } from './findings.js';
import { type Facts, NO_FACTS, type PairRow, TABLES, tableOf } from './source.js';

/** Pairs of users whose relations are looked up at once. */
const PAIRS = 500;

/**
 * The messages between two people. A pair has one conversation here, whatever the original split it into. Pairs come in
 * the order of their users' ids, so the last pair of a portion tells where to go on.
 */
export async function importSingles(ctx: ImportContext): Promise<Tally> {
  const phase = await Phase.open(ctx, 'singles', { low: 0, high: 0 });
  if (phase.isDone) return phase.tally;
  for await (const pairs of batches(ctx.source.pairs(phase.cursor), PAIRS)) {
    const facts = await ctx.source.facts(
      'IMMessage',
      pairs.flatMap((pair) => pair.relationIds),
    );
    for (const pack of packs(pairs, (pair) => rowsOf(pair, facts), ctx.portionRows))
      await importPack(ctx, phase, pack, facts);
  }
  await phase.finish();
  return phase.tally;
}

type SinglesPhase = Phase<{ readonly low: number; readonly high: number }>;
type FactsById = ReadonlyMap<number, Facts>;

async function importPack(ctx: ImportContext, phase: SinglesPhase, pack: readonly PairRow[], facts: FactsById) {
  const tally = phase.newTally();
  const pairs = pack.filter((pair) => canTalk(ctx, pair, facts, tally));
  const heads = await ctx.target.heads(pairs.map(({ low, high }) => singleConversation(low, high)));
  const conversations = pairs.map(({ low, high, relationIds }) => {
    const id = singleConversation(low, high);
    return new Conversation({
      id,
      kind: 'IMMessage',
      label: `users ${low} and ${high}`,
      ownerIds: relationIds,
      facts,
      whyNot: (senderId) => (senderId === low || senderId === high ? undefined : 'message-sender-foreign'),
      latestS: ctx.target.startedS,
      head: heads.get(id),
    });
  });
  const unread = await unreadOf(ctx, pairs, tally);
  const passing = (conversation: Conversation): Passing => {
    const n = conversations.indexOf(conversation);
    const { low, high } = pairs[n]!;
    const position = (userId: number, count: number) => readPosition(conversation, userId, count, tally);
    return { reads: () => ({ low: position(low, unread[n]!.low), high: position(high, unread[n]!.high) }) };
  };
  const { stretches, rows: written } = await bringOver(ctx, phase, conversations, tally, passing);
  const { low, high } = pack.at(-1)!;
  const rows = pack.reduce((sum, pair) => sum + rowsOf(pair, facts), 0) - written;
  await phase.portion({ cursor: { low, high }, tally, rows }, async () => {
    await write(ctx, stretches);
    return [];
  });
}

async function write(ctx: ImportContext, stretches: readonly Stretch[]): Promise<void> {
  if (stretches.length > 0) await ctx.target.write(stretches);
}

/** Both are brought over and not the same. */
function canTalk(ctx: ImportContext, pair: PairRow, facts: FactsById, tally: Tally): boolean {
  const { low, high, relationIds, removed } = pair;
  const isKnown = [low, high].every((id) => isUserId(id) && ctx.users.has(id));
  if (isKnown && low !== high) {
    tally.add('relation-removed', `users ${low} and ${high}`, removed);
    return true;
  }
  tally.add(low === high ? 'pair-self' : 'pair-unknown', `users ${low} and ${high}: ${rowsOf(pair, facts)} messages`);
  for (const relationId of relationIds) {
    const { rows, deleted } = facts.get(relationId) ?? NO_FACTS;
    const table = tableOf('IMMessage', relationId % TABLES);
    tally.leftOut(table, 'message-deleted', undefined, deleted);
    tally.leftOut(table, 'message-pair', undefined, rows - deleted);
  }
  return false;
}

/** Unread messages of the two users of each pair; without Redis none. */
async function unreadOf(
  ctx: ImportContext,
  pairs: readonly PairRow[],
  tally: Tally,
): Promise<{ low: number; high: number }[]> {
  if (ctx.redis === undefined) return pairs.map(() => ({ low: 0, high: 0 }));
  const asked = pairs.flatMap(({ low, high }) => [
    { userId: low, peerId: high },
    { userId: high, peerId: low },
  ]);
  const counts = await ctx.redis.unread(asked, tally);
  return pairs.map((_, n) => ({ low: counts[2 * n]!, high: counts[2 * n + 1]! }));
}

/** The unread ones are the newest; who has written something has read what was before. */
function readPosition(conversation: Conversation, userId: number, unread: number, tally: Tally): number {
  const position = Math.max(conversation.ownLast(userId), conversation.count - unread);
  if (position < conversation.count) tally.add('unread-kept');
  return position;
}

function rowsOf(pair: PairRow, facts: FactsById): number {
  return pair.relationIds.reduce((sum, id) => sum + (facts.get(id)?.rows ?? 0), 0);
}
