/**
 * What an operation costs as the data grow: `npm run bench:growth [--large]`. A db-proxy's storage on a PostgreSQL of its
 * own, fsync on. Each line is one size; a cost that grows from line to line with the size itself would be a fault.
 */
import { randomBytes } from 'node:crypto';
import { groupConversation, singleConversation } from '../../common/conversation.js';
import { hourOf } from '../../servers/db-proxy/storage/user-lists.js';
import { freshDatabase, type Storage } from '../support/cluster.js';
import { testPostgres } from '../support/postgres.js';
import { openStorer } from '../support/storing.js';

const large = process.argv.includes('--large');
const WINDOW = 500;
const LOOKS = 50;

const ended: (() => unknown)[] = [];
const t = { teardown: (work: () => unknown) => ended.unshift(work) };

function line(what: string, size: number, cost: string): void {
  process.stdout.write(`${what.padEnd(44)} ${String(size).padStart(9)}  ${cost}\n`);
}

/** The middle one of many, in ms. */
async function timed(work: (i: number) => Promise<unknown>): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < LOOKS; i++) {
    const startedMs = performance.now();
    await work(i);
    times.push(performance.now() - startedMs);
  }
  return `${times.sort((a, b) => a - b)[LOOKS >> 1]!.toFixed(2)} ms`;
}

/** Stores so many, a few hundred at once. @returns µs for each */
async function fill(storage: Storage, count: number, conversationOf: (i: number) => [bigint, number]): Promise<number> {
  const startedMs = performance.now();
  let next = 0;
  const one = async () => {
    while (next < count) {
      const [conversationId, senderId] = conversationOf(next++);
      const body = Buffer.from(`message ${next} ${'x'.repeat(60)}`);
      await storage.append.store({ conversationId, senderId, msgType: 1, body, sendId: randomBytes(16) });
    }
  };
  await Promise.all(Array.from({ length: Math.min(WINDOW, count) }, one));
  return ((performance.now() - startedMs) * 1000) / count;
}

async function people(storage: Storage, count: number): Promise<void> {
  const have = await storage.users.count();
  for (let from = have + 1; from <= count; from += 5_000) {
    const names = Array.from({ length: Math.min(5_000, count - from + 1) }, (_, i) => `person ${from + i}`);
    await storage.users.add(names.map((name) => ({ name, passwordHash: 'teamtalk-md5$none' })));
  }
}

try {
  const postgres = await testPostgres(t, { durable: true, settings: { shared_buffers: '256MB' } });
  const place = [await freshDatabase(postgres), randomBytes(32).toString('hex')] as const;
  const { storage } = await openStorer(t, ...place);
  await people(storage, 10_000);

  const two = singleConversation(1, 2);
  let have = 0;
  for (const size of large ? [1e4, 1e5, 1e6, 1e7] : [1e3, 1e4, 1e5]) {
    const micros = await fill(storage, size - have, () => [two, 1]);
    have = size;
    line('messages in one conversation: store', size, `${micros.toFixed(0)} µs`);
    const page = (i: number) => storage.messages.page(two, Math.floor((size * (i + 1)) / LOOKS), 0, 20);
    line('messages in one conversation: page of 20', size, await timed(page));
  }

  for (const size of large ? [100, 1_000, 10_000, 100_000] : [100, 1_000, 10_000]) {
    await people(storage, size);
    const enter = (i: number) => storage.users.enter(1 + ((i * 7_919) % size));
    line('people: look-up of a log-in', size, await timed(enter));
  }

  for (const size of [10, 100, 1_000, 5_000]) {
    const me = 9_999;
    await fill(storage, size, (i) => [singleConversation(me, i + 1), i + 1]);
    await delayedHours(storage, me);
    // By another db-proxy, which does not know that the lists were touched within this hour.
    const { storage: other } = await openStorer(t, ...place);
    await fill(other, 10, (i) => [singleConversation(me, i + 1), i + 1]);
    const from = { hour: hourOf(Date.now()), after: undefined };
    const { conversations } = await storage.conversations.changed(me, from, 200);
    const sync = await timed(() => storage.conversations.changed(me, from, 200));
    line(`conversations of one user: sync, ${conversations.length} changed`, size, sync);
    line('conversations of one user: recent list', size, await timed(() => storage.conversations.recent(me, 0, 100)));
  }

  for (const size of [10, 100, 1_000, 9_000]) {
    const memberIds = Array.from({ length: size }, (_, i) => i + 1);
    const groupId = await storage.groups.add({ name: `of ${size}`, memberIds, type: 1 });
    const micros = await fill(storage, 5_000, () => [groupConversation(groupId), 1]);
    line('members of a group: store', size, `${micros.toFixed(0)} µs`);
  }
} finally {
  for (const work of ended) await work();
}

/** As if all of the user's conversations had been quiet for some hours. */
async function delayedHours(storage: Storage, userId: number): Promise<void> {
  for (const shard of storage.shards.all)
    await shard.pool.query('update shard.user_conversation set active = active - 10 where user_id = $1', [userId]);
}
