import { groupConversation, isGroupId, singleConversation } from '../../common/conversation.js';
import type { Hidden } from '../../servers/db-proxy/storage/import.js';
import { batches, type ImportContext, Phase } from './context.js';
import type { Tally } from './findings.js';
import type { RemovedSession } from './source.js';

const SESSIONS = 1_000;
const WITH_USER = 1;
const WITH_GROUP = 2;

/**
 * Conversations that users have removed from their lists. Those on a list need nothing: a list follows from the messages
 * here. A session without a row counts as not removed.
 */
export async function importSessions(ctx: ImportContext): Promise<Tally> {
  const start: RemovedSession = { userId: 0, peerId: 0, type: 0 };
  const phase = await Phase.open(ctx, 'sessions', start);
  if (phase.isDone) return phase.tally;
  for await (const sessions of batches(ctx.source.removedSessions(phase.cursor), SESSIONS)) {
    const tally = phase.newTally();
    const entries = sessions.flatMap((session) => hiddenOf(ctx, session, tally));
    const cursor = sessions.at(-1)!;
    await phase.portion({ cursor, tally, rows: 0 }, async () => {
      const found = await ctx.target.hide(entries);
      tally.add('session-removed', undefined, found.length);
      tally.stored('hidden', found.length);
      tally.add('session-nothing', undefined, entries.length - found.length);
      return [];
    });
  }
  await phase.finish();
  return phase.tally;
}

function hiddenOf(ctx: ImportContext, session: RemovedSession, tally: Tally): Hidden[] {
  const { userId, peerId, type } = session;
  const what = `user ${userId}, ${type === WITH_GROUP ? 'group' : 'user'} ${peerId}`;
  if (type !== WITH_USER && type !== WITH_GROUP) {
    tally.add('session-type', `${what}: type ${type}`);
    return [];
  }
  const isPair = type === WITH_USER && userId !== peerId && ctx.users.has(peerId);
  if (!ctx.users.has(userId) || !(isPair || (type === WITH_GROUP && isGroupId(peerId)))) {
    tally.add('session-nothing', what);
    return [];
  }
  return [{ userId, conversationId: isPair ? singleConversation(userId, peerId) : groupConversation(peerId) }];
}
