/** What is older than its rule goes, from the beginning of a conversation and nowhere else; what is held stays. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import t, { type Test } from 'tap';
import { bucketOf, groupConversation, singleConversation } from '../../common/conversation.js';
import { IM } from '../../common/pdu/pb.js';
import { fsck } from '../../servers/db-proxy/storage/fsck.js';
import { Retention, RUN_LOCK, type RunOptions, type RunResult } from '../../servers/db-proxy/storage/retention.js';
import { addPeople, freshDatabase, type Storage, TestCluster, testStorage, until } from '../support/cluster.js';
import { MIGRATED, testPostgres } from '../support/postgres.js';
import { runTool, startTool } from '../support/tool.js';

const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = IM.BaseDefine.SessionType;
const { MSG_TYPE_SINGLE_TEXT } = IM.BaseDefine.MsgType;
const DAY_MS = 24 * 60 * 60 * 1000;
const ALICE_BOB = singleConversation(1, 2);
const ALICE_CAROL = singleConversation(1, 3);
const CAROL_DAVE = singleConversation(3, 4);
const TEAM = groupConversation(1);
const OTHERS = groupConversation(2);

const postgres = await testPostgres(t);

async function connected(t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

interface Place {
  readonly url: string;
  readonly storage: Storage;
  readonly client: pg.Client;
  readonly retention: Retention;
}

/** Alice 1, bob 2, carol 3, dave 4; group 1 of the first three, group 2 of dave and carol. */
async function aPlace(t: Test): Promise<Place> {
  const url = await freshDatabase(postgres, MIGRATED);
  const storage = await testStorage(url, randomBytes(32).toString('hex'));
  t.teardown(() => storage.close());
  await addPeople(storage, ['alice', 'bob', 'carol', 'dave']);
  await storage.groups.add({ id: 1, name: 'team', type: 1, memberIds: [1, 2, 3] });
  await storage.groups.add({ id: 2, name: 'others', type: 1, memberIds: [3, 4] });
  const client = await connected(t, url);
  const retention = await Retention.open(url, 'test');
  t.teardown(() => retention.close());
  return { url, storage, client, retention };
}

async function say(storage: Storage, conversationId: bigint, senderId: number, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const body = randomBytes(40);
    const draft = { conversationId, senderId, msgType: MSG_TYPE_SINGLE_TEXT, body, sendId: randomBytes(16) };
    await storage.append.store(draft);
  }
}

/** The messages of a conversation up to this one were sent so many days ago. */
async function age(client: pg.Client, id: bigint, upto: number, days: number): Promise<void> {
  await client.query(
    'update shard.message set create_time_ms = create_time_ms - $4::bigint where bucket = $1 and conversation_id = $2 and msg_id <= $3',
    [bucketOf(id), String(id), upto, days * DAY_MS],
  );
}

function run(retention: Retention, options: Partial<RunOptions> = {}): Promise<RunResult> {
  return retention.run({
    dryRun: false,
    duty: 1,
    batchRows: 5_000,
    vacuum: false,
    nowMs: Date.now(),
    signal: new AbortController().signal,
    hear: () => undefined,
    ...options,
  });
}

/** The ids that are left, oldest first. */
async function idsOf(client: pg.Client, id: bigint): Promise<number[]> {
  const { rows } = await client.query<{ msg_id: number }>(
    'select msg_id from shard.message where bucket = $1 and conversation_id = $2 order by msg_id',
    [bucketOf(id), String(id)],
  );
  return rows.map((row) => row.msg_id);
}

async function isWhole(t: Test, { url }: { url: string }): Promise<void> {
  const report = await fsck({ databaseUrl: url, open: 0, digest: false, hear: () => undefined });
  t.match(report, { whole: true, findings: [] }, 'and all of it is whole');
}

t.test('rules by age: chats of two, groups, a group of its own; what is in force last counts', async (t) => {
  const place = await aPlace(t);
  const { storage, client, retention } = place;
  for (const [id, sender] of [
    [ALICE_BOB, 1],
    [ALICE_CAROL, 3],
    [TEAM, 1],
    [OTHERS, 4],
  ] as const) {
    await say(storage, id, sender, 8);
    await age(client, id, 6, 20);
    await age(client, id, 4, 20); // 40 days by now
    await age(client, id, 2, 60); // 100
  }
  t.match(await run(retention), { messages: 0, conversations: 0 }, 'without a rule everything stays');
  await retention.set('single', 90);
  await retention.set('group', 30);
  await retention.setGroup(2, 10);
  t.match(await run(retention, { dryRun: true }), { messages: 2 + 2 + 4 + 6, conversations: 4 });
  t.strictSame(await idsOf(client, TEAM), [1, 2, 3, 4, 5, 6, 7, 8], 'a dry run removes nothing');
  t.match(await run(retention), { messages: 14, conversations: 4, held: 0, skipped: [] });
  t.strictSame(await idsOf(client, ALICE_BOB), [3, 4, 5, 6, 7, 8]);
  t.strictSame(await idsOf(client, ALICE_CAROL), [3, 4, 5, 6, 7, 8]);
  t.strictSame(await idsOf(client, TEAM), [5, 6, 7, 8]);
  t.strictSame(await idsOf(client, OTHERS), [7, 8]);
  await isWhole(t, place);
  t.match(await run(retention), { messages: 0, conversations: 0 }, 'a second run finds nothing');

  await retention.setGroup(2, null);
  await retention.set('group', 10);
  await retention.set('single', null);
  t.match(await run(retention, { nowMs: Date.now() + 50 * DAY_MS }), { messages: 4, conversations: 1 });
  t.strictSame(await idsOf(client, TEAM), [], 'all of it, if all of it is old');
  t.strictSame(await idsOf(client, OTHERS), [7, 8], 'a group may be kept for ever');
  await retention.setGroup(2, undefined);
  t.match(await run(retention, { nowMs: Date.now() + 50 * DAY_MS }), { messages: 2 }, 'or be like all again');
  await isWhole(t, place);

  await say(storage, TEAM, 2, 1);
  t.strictSame(await idsOf(client, TEAM), [9], 'an id is never given twice');
  t.equal(await storage.messages.head(TEAM), 9);
  await isWhole(t, place);
});

t.test('what is held stays: a user with all his conversations, a group', async (t) => {
  const place = await aPlace(t);
  const { storage, client, retention } = place;
  const all = [ALICE_BOB, ALICE_CAROL, CAROL_DAVE, TEAM, OTHERS];
  for (const id of all) {
    await say(storage, id, id === CAROL_DAVE || id === OTHERS ? 3 : 1, 4);
    await age(client, id, 3, 50);
  }
  for (const kind of ['single', 'group'] as const) await retention.set(kind, 30);
  await retention.hold('user', 2, 'case 7');
  t.match(await run(retention), { messages: 9, conversations: 3, held: 2 });
  t.strictSame(await idsOf(client, ALICE_BOB), [1, 2, 3, 4], 'his chat');
  t.strictSame(await idsOf(client, TEAM), [1, 2, 3, 4], 'and his group');
  t.strictSame(await idsOf(client, ALICE_CAROL), [4]);
  await storage.groups.leave(1, [2]);
  t.match(
    await run(retention),
    { messages: 3, held: 1 },
    'a group in which he has done nothing is not his when he left',
  );
  t.strictSame(await idsOf(client, TEAM), [4]);

  await say(storage, OTHERS, 3, 4);
  await age(client, OTHERS, 8, 50);
  await retention.hold('group', 2, 'case 8');
  t.match(await run(retention), { messages: 0, held: 2 });
  await retention.release('group', 2, 'case 8 is closed');
  await retention.hold('user', 3, '');
  await storage.groups.leave(2, [3]);
  t.match(await run(retention), { messages: 0, held: 2 }, 'a group that he left, but wrote in, is his');
  await retention.release('user', 3, '');
  t.match(await run(retention), { messages: 5, held: 1 });
  await retention.release('user', 2, 'case 7 is closed');
  t.match(await run(retention), { messages: 3, held: 0 });
  await isWhole(t, place);
  await t.rejects(retention.release('user', 2, ''), { message: 'user 2 is not held' });
  await t.rejects(retention.hold('user', 99, ''), { message: 'there is no user 99' });
  await t.rejects(retention.setGroup(99, 1), { message: 'there is no group 99' });
  const log = await retention.log(100);
  t.equal(log.filter((line) => line.action === 'run' && line.finished !== null).length, 6, 'a line for each run');
  t.match(log[0], { who: 'test', action: 'run', outcome: { messages: 3, held: 0 }, detail: { single: 30, holds: 0 } });
  t.match(
    log.find((line) => line.action === 'hold' && JSON.stringify(line.detail).includes('case 7')),
    { who: 'test' },
  );
});

t.test('for clients the history just ends, and unread counts what is there', async (t) => {
  const groups = [{ name: 'team', memberIds: [1, 2] }];
  const cluster = await TestCluster.start(t, postgres, { groups });
  const client = await connected(t, cluster.databaseUrl);
  const alice = await cluster.login('alice');
  const bob = await cluster.login('bob');
  for (let n = 1; n <= 6; n++) {
    await alice.say(2, `number ${n}`);
    await alice.sayGroup(1, `number ${n}`);
  }
  t.match(await bob.unread(), { total: 12 });
  for (const id of [ALICE_BOB, TEAM]) await age(client, id, 4, 50);
  const retention = await Retention.open(cluster.databaseUrl, 'test');
  t.teardown(() => retention.close());
  for (const kind of ['single', 'group'] as const) await retention.set(kind, 30);
  t.match(await run(retention), { messages: 8 });
  for (const [type, id] of [
    [SESSION_TYPE_SINGLE, 1],
    [SESSION_TYPE_GROUP, 1],
  ] as const) {
    const history = await bob.history(type, id, 0, 20);
    t.strictSame(
      history.map((each) => each.msgId),
      [6, 5],
      'the newest, and then nothing',
    );
    t.strictSame(await bob.history(type, id, 4, 20), [], 'below it is nothing');
    t.strictSame(
      (await bob.messagesById(type, id, [2, 5])).map((each) => each.msgId),
      [5],
    );
    t.equal(await bob.latestId(type, id), 6, 'the newest id is what it was');
  }
  t.match(await bob.unread(), { total: 4, list: [{ unreadCnt: 2 }, { unreadCnt: 2 }] }, 'what is gone is not unread');
  t.equal((await alice.say(2, 'number 7')).msgId, 7, 'ids go on');
  await until(async () => (await bob.unread()).total === 5, 'it to be unread');
  bob.markRead(SESSION_TYPE_SINGLE, 1, 0);
  await until(async () => (await bob.unread()).total === 2, 'it to be read');

  for (const id of [ALICE_BOB, TEAM]) await age(client, id, 9, 50);
  t.match(await run(retention), { messages: 5 });
  t.match(await bob.unread(), { total: 0 }, 'nothing is left to be read');
  t.strictSame(await bob.history(SESSION_TYPE_GROUP, 1), []);
  t.equal((await alice.sayGroup(1, 'number 7')).msgId, 7);
  await until(async () => (await bob.unread()).total === 1, 'the next one to be unread');
  await isWhole(t, { url: cluster.databaseUrl });
});

t.test('a large conversation goes in pieces; killed in the middle, the next run goes on', async (t) => {
  const place = await aPlace(t);
  const { storage, client, url, retention } = place;
  const MANY = 60_000;
  await say(storage, TEAM, 1, 2);
  await client.query(
    `insert into shard.message (bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed)
     select bucket, conversation_id, 2 + n, 1, 17, create_time_ms, key_id, decode(md5(n::text), 'hex'), sealed
       from shard.message, generate_series(1, $2::int) n where conversation_id = $1 and msg_id = 2`,
    [String(TEAM), MANY],
  );
  await client.query('update shard.conversation set head = head + $2::int where id = $1', [String(TEAM), MANY]);
  await age(client, TEAM, MANY, 50);
  await retention.set('group', 30);
  await isWhole(t, place);

  const slow = startTool('retention', ['run', '--database', url, '--duty', '5']);
  const kept = async () => (await idsOf(client, TEAM)).length;
  await until(async () => (await kept()) < MANY, 'the run to be in the middle');
  slow.process.kill('SIGKILL');
  t.match(await slow.ended, { signal: 'SIGKILL' });
  const left = await kept();
  t.ok(left > 2, `${left} messages are left`);
  await isWhole(t, place);
  const { rows } = await client.query('select finished from meta.retention_log where action = $1', ['run']);
  t.strictSame(rows, [{ finished: null }], 'its line has no end');

  const steps: number[] = [];
  const rest = await untilFree(() => run(retention, { batchRows: 5_000, hear: (_, messages) => steps.push(messages) }));
  t.match(rest, { messages: left - 2, conversations: 1, held: 0 });
  t.ok(steps.length >= (left - 2) / 5_000, 'in pieces');
  t.strictSame(await idsOf(client, TEAM), [MANY + 1, MANY + 2]);
  await isWhole(t, place);
});

/** A run that was killed holds its lock until PostgreSQL has noticed. */
async function untilFree<T>(work: () => Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  await until(async () => {
    try {
      result = { value: await work() };
      return true;
    } catch (error) {
      if (!/another run is under way/.test((error as Error).message)) throw error;
      return false;
    }
  }, 'the other run to be gone');
  return result!.value;
}

t.test('a hold that was placed holds, whatever a run is doing', async (t) => {
  const place = await aPlace(t);
  const { storage, client, url, retention } = place;
  await say(storage, TEAM, 1, 200);
  await age(client, TEAM, 199, 50);
  await retention.set('group', 30);
  const holder = await Retention.open(url, 'another');
  t.teardown(() => holder.close());
  let atHold = 0;
  let holding: Promise<void> | undefined;
  const result = await run(retention, {
    batchRows: 2, // a hundred pieces: the hold is placed before they are through
    hear(_, messages) {
      if (messages >= 10)
        holding ??= holder.hold('group', 1, '').then(async () => {
          atHold = (await idsOf(client, TEAM)).length;
        });
    },
  });
  await holding;
  t.ok(result.messages >= 10 && result.messages < 199, `it stopped in the middle, after ${result.messages}`);
  t.equal((await idsOf(client, TEAM)).length, atHold, 'nothing went after the hold was placed');
  await isWhole(t, place);

  // As long as a run lasts it holds this lock.
  await client.query('select pg_advisory_lock($1)', [RUN_LOCK]);
  await t.rejects(run(holder), { message: 'another run is under way' }, 'one run at a time');
  await client.query('select pg_advisory_unlock($1)', [RUN_LOCK]);
});

t.test('storing goes on while old messages go', async (t) => {
  const place = await aPlace(t);
  const { storage, client, retention } = place;
  const all = [ALICE_BOB, ALICE_CAROL, TEAM];
  for (const id of all) await say(storage, id, 1, 60);
  for (const id of all) await age(client, id, 55, 50);
  for (const kind of ['single', 'group'] as const) await retention.set(kind, 30);
  let chatting = true;
  let stored = 0;
  const chats = all.map(async (id) => {
    for (; chatting; stored++) await say(storage, id, 1, 1);
  });
  await until(() => stored > 20, 'messages to be stored');
  const before = stored;
  const result = await run(retention, { batchRows: 7 });
  chatting = false;
  await Promise.all(chats);
  t.equal(result.messages, 165);
  t.ok(stored > before, 'messages were stored meanwhile');
  for (const id of all) {
    const ids = await idsOf(client, id);
    t.strictSame(
      ids,
      Array.from({ length: ids.length }, (_, i) => 56 + i),
    );
  }
  await isWhole(t, place);
});

t.test('the tool', async (t) => {
  const { url, storage, client } = await aPlace(t);
  await say(storage, TEAM, 1, 5);
  await age(client, TEAM, 3, 50);
  const tool = (...args: string[]) => runTool('retention', [...args, '--database', url]);
  const ruled = await tool('set', '--single', 'forever', '--groups', '30', '--group', '2', '--days', '365');
  t.equal(ruled.code, 0, ruled.stderr);
  const held = await tool('hold', 'group', '1', '--reason', 'case 9');
  t.equal(held.code, 0, held.stderr);
  const ran = await tool('run', '--duty', '100');
  t.match(ran, {
    code: 0,
    stdout: /^0 messages of 0 conversations are gone\n1 conversations stay because they are held\n$/,
  });
  const shown = await tool('show');
  t.match(
    shown.stdout,
    /^chats of two {2}for ever\ngroups {8}30 days\ngroup 2 {6} 365 days\n\nheld:\n {2}group 1 since .*: case 9$/m,
  );
  t.match(shown.stdout, /^ {2}\S+ \S+@\S+ run \{.*\} → \{.*"messages":0/m);
  t.equal((await tool('release', 'group', '1')).code, 0);
  const done = await tool('run', '--duty', '100', '--json');
  t.match(JSON.parse(done.stdout), { messages: 3, conversations: 1, held: 0 });
  const vacuumed = "select from pg_stat_user_tables where relid = 'shard.message'::regclass and vacuum_count > 0";
  await until(async () => (await client.query(vacuumed)).rowCount === 1, 'PostgreSQL to count the vacuum');
  for (const wrong of [['set', '--single', '0'], ['set'], ['hold', 'user', '99'], ['release', 'user', '1']]) {
    const refused = await tool(...wrong);
    t.equal(refused.code, 1, wrong.join(' '));
    t.not(refused.stderr, '');
  }
});
