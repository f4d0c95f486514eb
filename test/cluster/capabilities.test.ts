/** What newer clients get over the same frames: idempotent sending, words for refusals, one-call sync; and the outbox. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import pg from 'pg';
import t from 'tap';
import type { Client } from '../../common/client/client.js';
import { groupConversation, singleConversation } from '../../common/conversation.js';
import { ImError } from '../../common/errors.js';
import { buddy, group, message } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { encryptText } from '../../common/text-cipher.js';
import { readCursor, writeCursor } from '../../servers/db-proxy/handlers/sync.js';
import { type ClusterOptions, PASSWORD, TestCluster, testStorage } from '../support/cluster.js';
import { type Teardown, testPostgres } from '../support/postgres.js';

const { MsgType, SessionType, GroupType, GroupModifyType, ClientType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = SessionType;
const ALL = ['ack2', 'err1', 'sync1', 'of-tomorrow'];

const postgres = await testPostgres(t);

function start(t: Teardown, options: ClusterOptions = {}): Promise<TestCluster> {
  return TestCluster.start(t, postgres, { msgServers: 2, dbProxies: 2, ...options });
}

async function newer(
  cluster: TestCluster,
  user: string,
  at = 0,
  clientType = ClientType.CLIENT_TYPE_WINDOWS,
): Promise<Client> {
  const client = await cluster.connect(at, { clientType });
  await client.enter({ user, password: PASSWORD, capabilities: ALL });
  return client;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: unknown) => (error instanceof ImError ? error.code : String(error)),
  );
}

t.test('only what is known and asked for is granted, and a stock session gets stock fields only', async (t) => {
  const cluster = await start(t);
  const seen: Buffer[] = [];
  const client = await cluster.connect(0);
  client.on('frame', (frame) => seen.push(Buffer.from(frame.body)));
  await client.enter({ user: 'alice', password: PASSWORD, capabilities: ALL });
  const granted = IM.Login.IMLoginRes.decode(seen[0]!);
  t.same(granted.capabilities, ['ack2', 'err1', 'sync1']);
  t.ok(Math.abs((granted.serverTimeMs ?? 0) - Date.now()) < 10_000);
  t.match(granted, { heartbeatS: Number, frameSizeMax: Number });
  t.equal(granted.returnMs, 5, 'one session at 200 a second');
  t.equal(client.returnMs, 5);

  const stock = await cluster.connect(1);
  const frames: Buffer[] = [];
  stock.on('frame', (frame) => frames.push(Buffer.from(frame.body)));
  await stock.enter({ user: 'bob', password: PASSWORD });
  await stock.say(client.userId, 'hello');
  const plain = IM.Login.IMLoginRes.decode(frames[0]!);
  t.match(plain, {
    capabilities: [],
    serverTimeMs: undefined,
    heartbeatS: undefined,
    frameSizeMax: undefined,
    returnMs: undefined,
  });
  const ack = IM.Message.IMMsgDataAck.decode(frames.at(-1)!);
  t.match(ack, { msgId: 1, sendId: undefined, createTimeMs: undefined, duplicate: undefined });
  await t.rejects(
    stock.ask(message.sync, { userId: 0 }, { timeoutMs: 200 }),
    { code: 'TIMEOUT' },
    'sync is for those who asked for it',
  );
});

t.test('the same send_id is stored once, on whichever server it is repeated', async (t) => {
  const cluster = await start(t);
  const sendId = randomBytes(16);
  const alice = await newer(cluster, 'alice', 0);
  const bob = await cluster.login('bob', { at: 1 });
  const text = encryptText('once');
  const send = (client: Client, data = text) =>
    client.sendData(bob.userId, MsgType.MSG_TYPE_SINGLE_TEXT, data, { sendId });
  const first = await send(alice);
  t.match(first, { msgId: 1, duplicate: false });
  t.match(await send(alice), { msgId: 1, duplicate: true, createTimeMs: first.createTimeMs });
  const elsewhere = await newer(cluster, 'alice', 1, ClientType.CLIENT_TYPE_ANDROID);
  t.match(await send(elsewhere), { msgId: 1, duplicate: true });
  t.equal(await codeOf(send(elsewhere, encryptText('another'))), 'SEND_ID_REUSED');
  const both = await Promise.all([send(alice), send(elsewhere), send(alice)]);
  t.same(
    both.map((each) => each.msgId),
    [1, 1, 1],
  );
  t.match(await alice.say(bob.userId, 'next'), { msgId: 2, duplicate: false });
  t.equal((await bob.history(SINGLE, alice.userId)).length, 2);
  t.equal((await bob.heard()).text, 'once');
  t.equal((await bob.heard()).text, 'next', 'delivered once');
});

t.test('a refusal says why, and a stock client still hears nothing', async (t) => {
  const cluster = await start(t, { groups: [{ name: 'others', memberIds: [2, 3] }] });
  const alice = await newer(cluster, 'alice');
  t.equal(await codeOf(alice.say(999, 'nobody there')), 'NO_SUCH_USER');
  t.equal(await codeOf(alice.say(alice.userId, 'myself')), 'NOT_ALLOWED');
  t.equal(await codeOf(alice.sayGroup(1, 'not mine')), 'NOT_A_MEMBER');
  t.equal(await codeOf(alice.sayGroup(77, 'not there')), 'NOT_A_MEMBER');
  t.equal(await codeOf(alice.sendData(2, MsgType.MSG_TYPE_SINGLE_TEXT, Buffer.alloc(0))), 'BAD_REQUEST');
  t.equal(
    await codeOf(alice.sendData(2, MsgType.MSG_TYPE_SINGLE_TEXT, encryptText('x'), { sendId: Buffer.alloc(3) })),
    'BAD_REQUEST',
  );
  const stock = await cluster.login('bob');
  t.equal(await codeOf(stock.say(999, 'nobody there', { timeoutMs: 300 })), 'TIMEOUT');
});

t.test('one call brings a device up to date', async (t) => {
  const cluster = await start(t, { groups: [{ name: 'all', memberIds: [1, 2, 3] }] });
  const [alice, bob, carol] = [
    await newer(cluster, 'alice'),
    await cluster.login('bob', { at: 1 }),
    await cluster.login('carol'),
  ];
  t.same((await alice.sync()).entries, [], 'nothing yet');
  await bob.say(alice.userId, 'one');
  await bob.say(alice.userId, 'two');
  await carol.sayGroup(1, 'to all');
  const full = await alice.sync();
  t.same(
    full.entries.map(({ sessionType, sessionId, head, read, unread, removed }) => ({
      sessionType,
      sessionId,
      head,
      read,
      unread,
      removed,
    })),
    [
      { sessionType: GROUP, sessionId: 1, head: 1, read: 0, unread: 1, removed: false },
      { sessionType: SINGLE, sessionId: bob.userId, head: 2, read: 0, unread: 2, removed: false },
    ],
  );
  t.match(full.entries[1]?.lastMsg, { msgId: 2, fromSessionId: bob.userId, msgData: encryptText('two') });

  alice.markRead(SINGLE, bob.userId, 1);
  await alice.say(carol.userId, 'hi');
  await alice.removeSession(SINGLE, carol.userId);
  const { entries } = await alice.sync(full.cursor);
  const byId = (id: number) => entries.find((entry) => entry.sessionType === SINGLE && entry.sessionId === id);
  t.match(byId(bob.userId), { head: 2, read: 1, unread: 1 }, 'a read position is a change');
  t.match(byId(carol.userId), { head: 1, removed: true, lastMsg: undefined }, 'a removal is a change');
  await carol.say(alice.userId, 'back again');
  const again = await alice.sync(full.cursor);
  t.match(
    again.entries.find((entry) => entry.sessionId === carol.userId),
    { head: 2, removed: false, unread: 1, peerRead: 2 },
  );

  const made = await bob.ask(group.create, {
    userId: 0,
    groupType: GroupType.GROUP_TYPE_TMP,
    groupName: 'tmp',
    groupAvatar: '',
    memberIdList: [1],
  });
  await bob.sayGroup(made.groupId!, 'welcome');
  const joined = await alice.sync(full.cursor);
  t.match(
    joined.entries.find((entry) => entry.sessionType === GROUP && entry.sessionId === made.groupId),
    { head: 1, unread: 1 },
  );
  await bob.ask(group.changeMember, {
    userId: 0,
    changeType: GroupModifyType.GROUP_MODIFY_TYPE_DEL,
    groupId: made.groupId!,
    memberIdList: [1],
  });
  await bob.sayGroup(made.groupId!, 'secret');
  const left = await alice.sync(joined.cursor);
  t.match(
    left.entries.find((entry) => entry.sessionType === GROUP && entry.sessionId === made.groupId),
    { head: 0, unread: 0, removed: true, lastMsg: undefined },
  );
});

t.test('many conversations come in pages, each once, and a cursor is checked', async (t) => {
  const users = ['alice', ...Array.from({ length: 30 }, (_, i) => `peer-${i}`)];
  const cluster = await start(t, { users });
  const alice = await newer(cluster, 'alice');
  for (let peer = 2; peer <= users.length; peer++) await alice.say(peer, `to ${peer}`);
  const found: number[] = [];
  let cursor: Uint8Array | undefined;
  for (let pages = 1; ; pages++) {
    const page: IM.Message.IMSyncRsp = await alice.ask(message.sync, { userId: 0, cursor, limit: 7 });
    found.push(...page.entryList.map((entry) => entry.sessionId));
    t.ok(page.entryList.length <= 7);
    cursor = page.cursor;
    if (!page.done) continue;
    t.equal(pages, 5);
    break;
  }
  t.same(
    found.sort((a, b) => a - b),
    Array.from({ length: 30 }, (_, i) => i + 2),
  );
  for (const bad of [
    Buffer.from('nonsense'),
    Buffer.alloc(29),
    writeCursor({ sinceMs: 1_000, startedMs: 1_000, after: undefined }),
  ]) {
    t.match(await alice.ask(message.sync, { userId: 0, cursor: bad }), { tooOld: true, done: true, entryList: [] });
  }
  // A stock session beside it sees the same by the stock way.
  const stock = await cluster.login('alice', { at: 1, clientType: ClientType.CLIENT_TYPE_IOS });
  t.equal((await stock.ask(buddy.recentSessions, { userId: 0, latestUpdateTime: 0 })).contactSessionList.length, 30);
});

t.test('a clock that steps back turns no conversation around and loses no change', async (t) => {
  const real = Date.now;
  t.teardown(() => {
    Date.now = real;
  });
  const HOUR_MS = 3_600_000;
  let ahead = HOUR_MS - (real() % HOUR_MS) + 180_000; // three minutes past the hour
  Date.now = () => real() + ahead;
  const cluster = await start(t);
  const [alice, bob] = [await newer(cluster, 'alice'), await newer(cluster, 'bob', 1)];
  await alice.say(bob.userId, 'long ago');
  const shard = new pg.Client(cluster.databaseUrl);
  await shard.connect();
  t.teardown(() => shard.end());
  const longAgo = () => shard.query('update shard.user_conversation set active = active - 5');
  await longAgo();
  const { cursor } = await bob.sync();
  // Servers that start now have not seen the later time.
  ahead -= 240_000;
  const late = await testStorage(cluster.databaseUrl, cluster.masterKey);
  t.teardown(() => late.close());
  const draft = {
    conversationId: singleConversation(1, 2),
    senderId: 1,
    msgType: 1,
    body: encryptText('by another clock'),
  };
  t.equal((await late.append.store({ ...draft, sendId: randomBytes(16) })).msgId, 2);
  const { entries } = await bob.sync(cursor);
  t.match(entries, [{ sessionId: alice.userId, head: 2 }], 'before the hour, and told all the same');

  await longAgo();
  ahead -= 3 * HOUR_MS;
  await alice.say(bob.userId, 'far back');
  await t.rejects(
    bob.sync(cursor),
    { code: 'BAD_REQUEST' },
    'a cursor of another age is refused, and all is asked anew',
  );
  t.match((await bob.sync()).entries, [{ head: 3 }]);
  const times = (await bob.history(SINGLE, alice.userId)).map(({ msgId, createTime }) => ({ msgId, createTime }));
  t.same(
    times.map(({ msgId }) => msgId),
    [3, 2, 1],
  );
  t.ok(times[0]!.createTime >= times[1]!.createTime && times[1]!.createTime >= times[2]!.createTime);
  ahead += 3 * HOUR_MS;
  const { entries: since } = await bob.sync(cursor);
  t.match(since, [{ head: 3 }], 'nor is anything lost when the time comes round again');
});

t.test('who was removed from a group gets no further word in, at any db-proxy', async (t) => {
  const cluster = await start(t, { groups: [{ name: 'all', memberIds: [1, 2, 3] }] });
  const stores = [cluster.storage, await testStorage(cluster.databaseUrl, cluster.masterKey)];
  t.teardown(() => stores[1]!.close());
  const say = (at: number) =>
    codeOf(
      stores[at]!.append.store({
        conversationId: groupConversation(1),
        senderId: 3,
        msgType: MsgType.MSG_TYPE_GROUP_TEXT,
        body: encryptText('me again'),
        sendId: randomBytes(16),
      }),
    );
  for (let round = 0; round < 20; round++) {
    t.same(await Promise.all([say(0), say(1)]), ['done', 'done']);
    const under = [say(0), say(1)]; // on its way: either
    await stores[round % 2]!.groups.leave(1, [3]);
    t.same(await Promise.all([say(0), say(1)]), ['NOT_A_MEMBER', 'NOT_A_MEMBER']);
    await Promise.all(under);
    await stores[(round + 1) % 2]!.groups.join(1, [3], 0);
  }
});

t.test('cursors survive their bytes', async () => {
  const nowMs = 2_000_000_000_000;
  const position = fc.option(
    fc.record({ active: fc.nat(1_000_000), id: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }) }),
    { nil: undefined },
  );
  const times = fc.integer({ min: nowMs - 80 * 86_400_000, max: nowMs });
  fc.assert(
    fc.property(times, times, position, (sinceMs, startedMs, after) => {
      t.same(readCursor(writeCursor({ sinceMs, startedMs, after }), nowMs), { sinceMs, startedMs, after });
    }),
    { numRuns: 50 },
  );
});

t.test('every message has a row for each consumer of the outbox, in its own transaction', async (t) => {
  const cluster = await start(t, { dbProxies: 1 });
  const { outbox } = cluster.storage;
  const [alice, bob] = [await cluster.login('alice'), await cluster.login('bob')];
  await alice.say(bob.userId, 'before anybody cares');
  const push = await outbox.register('push');
  t.equal(await outbox.register('push'), push, 'registered once');
  let sent = 1;
  while ((await outbox.claim(push, 1, 1)).length === 0)
    sent = (await alice.say(bob.userId, 'until db-proxy knows of it')).msgId;
  for (let i = 0; i < 20; i++) sent = (await alice.say(bob.userId, `effect ${i}`)).msgId;
  const conversationId = singleConversation(alice.userId, bob.userId);
  const first = await outbox.claim(push, 100, 200);
  t.ok(first.length >= 20);
  t.same(
    first.map((each) => each.conversationId),
    first.map(() => conversationId),
  );
  t.same(
    first.map((each) => each.msgId),
    first.map((_, i) => sent - first.length + 1 + i),
    'in order, without a hole',
  );
  t.same(await outbox.claim(push, 100, 200), [], 'claimed by somebody');
  await outbox.done(push, first.slice(0, 5));
  let again: typeof first = [];
  while (again.length === 0) again = await outbox.claim(push, 100, 60_000);
  t.same(again, first.slice(5), 'a claim that ran out without a word is open again');
  await outbox.done(push, again);
  t.same(await outbox.claim(push, 100, 1), []);
  await outbox.unregister(push);
  t.ok(groupConversation(1) > conversationId);
});
