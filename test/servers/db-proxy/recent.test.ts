import { randomBytes } from 'node:crypto';
import t from 'tap';
import { groupConversation, singleConversation } from '../../../common/conversation.js';
import { HOUR_MS, hourOf } from '../../../servers/db-proxy/storage/user-lists.js';
import { freshDatabase, type Storage } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';
import { openStorer } from '../../support/storing.js';

const ME = 1;
/** More than three pages of the list. */
const OTHERS = 650;

const postgres = await testPostgres(t);
const { storage } = await openStorer(t, await freshDatabase(postgres), randomBytes(32).toString('hex'));
await storage.users.add(
  Array.from({ length: OTHERS + 1 }, (_, i) => ({ name: `p${i}`, passwordHash: 'teamtalk-md5$x' })),
);
const singles = Array.from({ length: OTHERS }, (_, i) => singleConversation(ME, i + 2));
const groupIds = [
  await storage.groups.add({ name: 'busy', memberIds: [ME, 2], type: 1 }),
  await storage.groups.add({ name: 'quiet', memberIds: [ME, 2], type: 1 }),
];
const say = (conversationId: bigint) =>
  storage.append.store({ conversationId, senderId: 2, msgType: 1, body: Buffer.from('x'), sendId: randomBytes(16) });
await Promise.all([
  ...singles.map((id, i) =>
    storage.append.store({
      conversationId: id,
      senderId: i + 2,
      msgType: 1,
      body: Buffer.from('x'),
      sendId: randomBytes(16),
    }),
  ),
  ...groupIds.map((id) => say(groupConversation(id))),
]);

/** As if the newest message of each conversation had come at that time; lists know the hour, or the one before. */
async function date(timeOf: (i: number) => number, storage: Storage): Promise<Map<bigint, number>> {
  const all = [...singles, ...groupIds.map(groupConversation)];
  const times = new Map(all.map((id, i) => [id, timeOf(i)]));
  const [ids, values] = [all.map(String), all.map((id) => times.get(id)!)];
  const { pool } = storage.shards.all[0]!;
  await pool.query(
    `update shard.conversation c set head_time_ms = w.ms from unnest($1::bigint[], $2::bigint[]) as w (id, ms) where c.id = w.id`,
    [ids, values],
  );
  await pool.query(
    `update shard.user_conversation l set active = w.hour from unnest($1::bigint[], $2::int[]) as w (id, hour)
      where l.conversation_id = w.id`,
    [ids, values.map((ms, i) => hourOf(ms) - (i % 3 === 0 ? 1 : 0))],
  );
  return times;
}

const now = Date.now();
const dates: readonly (readonly [string, (i: number) => number])[] = [
  ['all in one hour', (i) => now - ((i * 7_919) % HOUR_MS)],
  ['over months', (i) => now - ((i * 104_729) % 3_000) * HOUR_MS],
  ['a few today, the rest long ago', (i) => (i % 50 === 0 ? now - i * 1_000 : now - 2_000 * HOUR_MS - i * 60_000)],
];
for (const [how, timeOf] of dates)
  t.test(`the recent list is the newest of all: ${how}`, async (t) => {
    const times = await date(timeOf, storage);
    for (const [limit, afterMs] of [
      [10, 0],
      [100, 0],
      [1_000, 0],
      [100, now - 100 * HOUR_MS],
    ] as const) {
      const expected = [...times.values()].filter((ms) => ms > afterMs).sort((a, b) => b - a);
      const found = await storage.conversations.recent(ME, afterMs, limit);
      t.same(
        found.map((each) => each.headTimeMs),
        expected.slice(0, limit),
        `${limit} after ${afterMs}`,
      );
      t.ok(found.every((each) => times.get(each.id) === each.headTimeMs));
    }
  });

t.test('what was removed from the list, and a group that was left, are not on it', async (t) => {
  await date((i) => now - i * 1_000, storage);
  await storage.conversations.hide(ME, singles[0]!);
  await storage.conversations.hide(ME, groupConversation(groupIds[0]!));
  const listed = async () => (await storage.conversations.recent(ME, 0, 1_000)).map((each) => each.id);
  t.same(await listed(), [...singles.slice(1), groupConversation(groupIds[1]!)]);
  await say(groupConversation(groupIds[0]!));
  t.same(await listed(), [groupConversation(groupIds[0]!), ...singles.slice(1), groupConversation(groupIds[1]!)]);
});

t.test('twenty out of hundreds are looked for in the first page of the list only', async (t) => {
  await date((i) => now - i * HOUR_MS, storage);
  const { pool } = storage.shards.all[0]!;
  const query = pool.query.bind(pool) as (...args: unknown[]) => unknown;
  const said: string[] = [];
  pool.query = ((...args: unknown[]) => {
    said.push((args[0] as { name: string }).name);
    return query(...args);
  }) as typeof pool.query;
  t.teardown(() => {
    pool.query = query as typeof pool.query;
  });
  await storage.conversations.recent(ME, 0, 20);
  t.equal(said.filter((name) => name === 'user-conversations-active').length, 1);
});
