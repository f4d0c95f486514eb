/** A database that is whole passes; every kind of damage, planted one at a time, is found and named. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import t, { type Test } from 'tap';
import { bucketOf, groupConversation, singleConversation, userBucketOf } from '../../common/conversation.js';
import { IM } from '../../common/pdu/pb.js';
import {
  FINDINGS,
  type FindingKind,
  type FsckOptions,
  type FsckReport,
  fsck,
} from '../../servers/db-proxy/storage/fsck.js';
import { MasterKeyring } from '../../servers/db-proxy/storage/master-key.js';
import { migrate } from '../../servers/db-proxy/storage/migrations.js';
import { reportText } from '../../tools/fsck/report.js';
import { addPeople, freshDatabase, type Storage, testLog, testStorage, until } from '../support/cluster.js';
import { MIGRATED, testPostgres } from '../support/postgres.js';
import { runTool } from '../support/tool.js';

const { MSG_TYPE_SINGLE_TEXT, MSG_TYPE_SINGLE_AUDIO } = IM.BaseDefine.MsgType;
/** So many that their conversations, one for each two of them, are more than fit on a page. */
const PEOPLE = 46;
/** A bucket that nothing of them is in. */
const EMPTY_BUCKET = 64;
const ALICE_BOB = singleConversation(1, 2);
const ALICE_CAROL = singleConversation(1, 3);
/** With voice messages. */
const BOB_CAROL = singleConversation(2, 3);
const GROUP = groupConversation(1);

const postgres = await testPostgres(t);

interface Place {
  readonly url: string;
  readonly key: string;
  readonly client: pg.Client;
  readonly storage: Storage;
}

/** Chats of everybody with everybody, and a group, all in order. `prepare` comes before the first start. */
async function aPlace(
  t: Test,
  people: number,
  prepare: (client: pg.Client) => Promise<unknown> = async () => 0,
): Promise<Place> {
  const url = await freshDatabase(postgres, MIGRATED);
  const key = randomBytes(32).toString('hex');
  const client = new pg.Client(url);
  await client.connect();
  t.teardown(() => client.end());
  await migrate(url, 'meta', testLog('test'));
  await prepare(client);
  const storage = await testStorage(url, key);
  t.teardown(() => storage.close());
  await addPeople(
    storage,
    Array.from({ length: people }, (_, i) => `user ${i + 1}`),
  );
  await storage.groups.add({ id: 1, name: 'all', type: 1, memberIds: [1, 2, 3] });
  await storage.groups.add({ id: 2, name: 'silent', type: 1, memberIds: [1, 2, 3] });
  const pairs = Array.from(
    { length: people * people },
    (_, n) => [1 + Math.floor(n / people), 1 + (n % people)] as const,
  );
  await Promise.all(pairs.filter(([a, b]) => a < b).map(([a, b]) => say(storage, singleConversation(a, b), a)));
  for (let n = 0; n < 6; n++) for (const id of [ALICE_BOB, GROUP]) await say(storage, id, 1 + (n % 2));
  for (let n = 0; n < 3; n++) await say(storage, BOB_CAROL, 2, MSG_TYPE_SINGLE_AUDIO);
  await storage.conversations.markRead(3, GROUP, 4);
  await storage.conversations.hide(2, ALICE_BOB);
  return { url, key, client, storage };
}

function say(storage: Storage, conversationId: bigint, senderId: number, msgType: number = MSG_TYPE_SINGLE_TEXT) {
  const body = randomBytes(40);
  return storage.append.store({
    conversationId,
    senderId,
    msgType,
    body,
    sendId: randomBytes(16),
  });
}

function check({ url, key }: Place, options: Partial<FsckOptions> = {}): Promise<FsckReport> {
  const masterKeys = MasterKeyring.of(Buffer.from(key, 'hex'));
  return fsck({ databaseUrl: url, masterKeys, open: 0, digest: false, hear: () => undefined, ...options });
}

interface Damage {
  readonly plant: string;
  readonly expected: Partial<Record<FindingKind, number>>;
  /** What at least one finding says. */
  readonly says: RegExp;
  /** Tables that are put back as they were; default: those of the shard. */
  readonly undo?: string;
  readonly open?: number;
}

const at = (id: bigint) => `bucket = ${bucketOf(id)} and id = ${id}`;
const messagesOf = (id: bigint) => `bucket = ${bucketOf(id)} and conversation_id = ${id}`;
const LAST_PAIR = singleConversation(PEOPLE - 1, PEOPLE);

const damages: Record<string, Damage> = {
  'a head beyond the newest message': {
    plant: `update shard.conversation set head = head + 1 where ${at(ALICE_BOB)}`,
    expected: { head: 1 },
    says: /shard-1: users 1 and 2: the head is 8, the newest message 7/,
  },
  'a head that has fallen back': {
    plant: `update shard.conversation set head = head - 1 where ${at(ALICE_BOB)}`,
    expected: { head: 1, 'read-position': 1, 'hidden-to': 1 },
    says: /the head is 6, the newest message 7/,
  },
  'a lost message': {
    plant: `delete from shard.message where ${messagesOf(ALICE_BOB)} and msg_id in (3, 5)`,
    expected: { gap: 1 },
    says: /users 1 and 2: 2 missing, the first of them 3/,
  },
  'a lost message anywhere, pages away': {
    plant: `delete from shard.message where ${messagesOf(LAST_PAIR)}`,
    expected: { gap: 1 },
    says: new RegExp(`users ${PEOPLE - 1} and ${PEOPLE}: 1 missing, the first of them 1`),
  },
  'the newest message lost': {
    plant: `delete from shard.message where ${messagesOf(GROUP)} and msg_id = 6`,
    expected: { head: 1 },
    says: /group 1: the head is 6, the newest message 5/,
  },
  'a beginning that never was': {
    plant: `update shard.conversation set first_kept = 0 where ${at(GROUP)}`,
    expected: { 'first-kept': 1 },
    says: /group 1: the first kept id is 0, the head 6/,
  },
  'a beginning beyond the end': {
    plant: `update shard.conversation set first_kept = 9 where ${at(GROUP)}`,
    expected: { 'first-kept': 1, 'not-removed': 1 },
    says: /group 1: the first kept id is 9, the head 6/,
  },
  'messages that should be gone': {
    plant: `update shard.conversation set first_kept = 3 where ${at(GROUP)}`,
    expected: { 'not-removed': 1 },
    says: /group 1: message 1 is there, the first kept id is 3/,
  },
  'messages gone that should be there': {
    plant: `update shard.conversation set first_kept = 3 where ${at(GROUP)}; delete from shard.message where ${messagesOf(GROUP)} and msg_id < 4`,
    expected: { gap: 1 },
    says: /group 1: 1 missing, the first of them 3/,
  },
  'a read position beyond the head': {
    plant: `update shard.conversation set high_read = 99 where ${at(ALICE_CAROL)}`,
    expected: { 'read-position': 1 },
    says: /users 1 and 3: read up to 99, the head is 1/,
  },
  'a read position beyond the head of a group': {
    plant: `update shard.group_read set read_id = 7 where ${messagesOf(GROUP)} and user_id = 3`,
    expected: { 'read-position': 1 },
    says: /group 1: read up to 7, the head is 6/,
  },
  'a conversation with nobody': {
    plant: `insert into shard.conversation (bucket, id) values (${bucketOf(singleConversation(1, 999))}, ${singleConversation(1, 999)})`,
    expected: { 'unknown-user': 1 },
    says: /users 1 and 999: there is no user 999/,
  },
  'a conversation of no group': {
    plant: `insert into shard.conversation (bucket, id) values (${bucketOf(groupConversation(77))}, ${groupConversation(77)})`,
    expected: { 'unknown-group': 1 },
    says: /shard-1: group 77/,
  },
  'an id that nobody can have': {
    plant: `insert into shard.conversation (bucket, id) values (${bucketOf(5n)}, 5)`,
    expected: { 'no-conversation': 1 },
    says: /shard-1: 5/,
  },
  'a conversation in the wrong bucket': {
    plant: `update shard.conversation set bucket = 255 - bucket where ${at(ALICE_CAROL)};
            update shard.message set bucket = 255 - bucket where ${messagesOf(ALICE_CAROL)}`,
    expected: { 'bucket-number': 1 },
    says: new RegExp(`users 1 and 3: in bucket ${255 - bucketOf(ALICE_CAROL)} instead of ${bucketOf(ALICE_CAROL)}`),
  },
  'a conversation missing on a list': {
    plant: `delete from shard.user_conversation where user_id = 1 and conversation_id = ${ALICE_BOB}`,
    expected: { 'list-entry': 1 },
    says: /users 1 and 2 is not on the list of user 1/,
  },
  'a conversation of others on a list': {
    plant: `insert into shard.user_conversation (bucket, user_id, conversation_id) values (${userBucketOf(3)}, 3, ${ALICE_BOB})`,
    expected: { 'foreign-entry': 1 },
    says: /list of user 3: users 1 and 2/,
  },
  'a list of nobody': {
    plant: `insert into shard.user_conversation (bucket, user_id, conversation_id) values (${userBucketOf(999)}, 999, ${groupConversation(1)})`,
    expected: { 'unknown-user': 1 },
    says: /list of user 999: group 1; there is no such user/,
  },
  'no group on a list': {
    plant: `insert into shard.user_conversation (bucket, user_id, conversation_id) values (${userBucketOf(3)}, 3, ${groupConversation(77)})`,
    expected: { 'unknown-group': 1 },
    says: /list of user 3: group 77/,
  },
  'a list in the wrong bucket': {
    plant: `insert into shard.user_conversation (bucket, user_id, conversation_id) values (${255 - userBucketOf(3)}, 3, ${GROUP})`,
    expected: { 'bucket-number': 1 },
    says: /list of user 3: group 1 in bucket \d+ instead of \d+/,
  },
  'hidden beyond the head': {
    plant: `update shard.user_conversation set hidden_to = 8 where user_id = 2 and conversation_id = ${ALICE_BOB}`,
    expected: { 'hidden-to': 1 },
    says: /list of user 2: users 1 and 2 removed up to 8, the head is 7/,
  },
  'joined beyond the head': {
    plant: 'update meta.group_member set joined_msg_id = 7 where group_id = 1 and user_id = 3',
    expected: { joined: 1 },
    says: /meta: user 3 joined group 1 at 7, its head is 6/,
    undo: 'update meta.group_member set joined_msg_id = 0',
  },
  'messages without a conversation': {
    plant: `delete from shard.conversation where ${at(ALICE_CAROL)}`,
    expected: { 'orphan-message': 1 },
    says: /users 1 and 3 in bucket \d+ has messages and no row of its own/,
  },
  'messages without a conversation, pages away': {
    plant: `update shard.message set bucket = 300 where ${messagesOf(LAST_PAIR)}`,
    expected: { 'orphan-message': 1, gap: 1 },
    says: new RegExp(`users ${PEOPLE - 1} and ${PEOPLE} in bucket 300 has messages`),
  },
  'a read position without a conversation': {
    plant: `insert into shard.group_read values (${bucketOf(groupConversation(2))}, ${groupConversation(2)}, 1, 0)`,
    expected: { 'orphan-read': 1 },
    says: /user 1 in group 2/,
  },
  'a read position of a group in a chat of two': {
    plant: `insert into shard.group_read values (${bucketOf(ALICE_BOB)}, ${ALICE_BOB}, 1, 0)`,
    expected: { 'orphan-read': 1 },
    says: /user 1 in users 1 and 2/,
  },
  'a read position of nobody': {
    plant: `insert into shard.group_read values (${bucketOf(GROUP)}, ${GROUP}, 999, 1)`,
    expected: { 'unknown-user': 1 },
    says: /read position of user 999 in group 1/,
  },
  'something to be done for a message that never was': {
    plant: `insert into shard.outbox (bucket, consumer, conversation_id, msg_id) values (${bucketOf(GROUP)}, 1, ${GROUP}, 7)`,
    expected: { 'orphan-effect': 1 },
    says: /consumer 1: message 7 of group 1/,
  },
  'no index over send_ids': {
    plant: 'drop index shard.message_send_id',
    expected: { 'send-id-index': 1 },
    says: /no unique index on bucket, conversation, sender and send_id/,
    undo: 'create unique index message_send_id on shard.message (bucket, conversation_id, sender_id, send_id)',
  },
  'a send_id used twice': {
    plant: `drop index shard.message_send_id; update shard.message set send_id = 'twice' where ${messagesOf(GROUP)} and msg_id in (1, 3)`,
    expected: { 'send-id-index': 1, 'send-id-twice': 1 },
    says: /group 1: messages 1, 3 of user 1/,
  },
  'a bucket without a data key': {
    plant: 'create table data_keys as table meta.data_key; delete from meta.data_key where bucket = 7',
    expected: { 'data-key': 1 },
    says: /meta: bucket 7 has none/,
    undo: 'insert into meta.data_key select * from data_keys on conflict do nothing; drop table data_keys',
  },
  'a message under a data key that is not there': {
    plant: `update shard.message set key_id = 9999 where ${messagesOf(GROUP)} and msg_id = 2`,
    expected: { 'data-key': 1 },
    says: /message 2 of group 1: data key 9999 is not there/,
    open: 1,
  },
  'a changed body': {
    plant: `update shard.message set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where ${messagesOf(GROUP)} and msg_id = 2`,
    expected: { body: 1 },
    says: /message 2 of group 1 of user 2 does not open with data key \d+/,
    open: 1,
  },
  'a body of another message': {
    plant: `update shard.message m set sealed = o.sealed from shard.message o
             where m.conversation_id = ${GROUP} and m.msg_id = 2 and o.conversation_id = ${GROUP} and o.msg_id = 4`,
    expected: { body: 1 },
    says: /message 2 of group 1/,
    open: 1,
  },
  'a voice message without its sound': {
    plant: `delete from shard.attachment where ${messagesOf(BOB_CAROL)} and msg_id = 3`,
    expected: { 'no-attachment': 1 },
    says: /shard-1: message 3 of users 2 and 3/,
    open: 1,
  },
  'sound of a message that is gone': {
    plant: `insert into shard.attachment select bucket, conversation_id, 99, sealed from shard.attachment where ${messagesOf(BOB_CAROL)} and msg_id = 3`,
    expected: { 'orphan-attachment': 1 },
    says: /shard-1: message 99 of users 2 and 3/,
  },
  'a voice message that hides its sound': {
    plant: `update shard.message set attached = false where ${messagesOf(BOB_CAROL)} and msg_id = 3`,
    expected: { 'orphan-attachment': 1, body: 1 },
    says: /message 3 of users 2 and 3/,
    open: 1,
  },
  'a changed sound': {
    plant: `update shard.attachment set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where ${messagesOf(BOB_CAROL)} and msg_id = 3`,
    expected: { body: 1 },
    says: /message 3 of users 2 and 3 of user 2 does not open/,
    open: 1,
  },
  'a changed newest sound, with a sample': {
    plant: `update shard.attachment set sealed = substring(sealed for 40) where ${messagesOf(BOB_CAROL)} and msg_id = 4`,
    expected: { body: 1 },
    says: /message 4 of users 2 and 3/,
    open: 0.001,
  },
  'another sender': {
    plant: `update shard.message set sender_id = 3 where ${messagesOf(GROUP)} and msg_id = 2`,
    expected: { body: 1 },
    says: /message 2 of group 1 of user 3/,
    open: 1,
  },
  'a changed newest body, with a sample': {
    plant: `update shard.message set sealed = substring(sealed for 40) where ${messagesOf(LAST_PAIR)}`,
    expected: { body: 1 },
    says: /message 1 of users/,
    open: 0.001,
  },
  'ids that would be given twice': {
    plant: "select setval(pg_get_serial_sequence('meta.users', 'id'), 20)",
    expected: { sequence: 1 },
    says: new RegExp(`meta: meta.users: the next id is 21, there is a ${PEOPLE}`),
    undo: `select setval(pg_get_serial_sequence('meta.users', 'id'), ${PEOPLE})`,
  },
  'a bucket on no shard': {
    plant: `delete from meta.bucket where bucket = ${EMPTY_BUCKET}`,
    expected: { 'bucket-map': 1, 'shard-bucket': 1 },
    says: new RegExp(`meta: bucket ${EMPTY_BUCKET} has no shard`),
    undo: `insert into meta.bucket values (${EMPTY_BUCKET}, 'shard-1')`,
  },
  'a bucket that its shard does not know of': {
    plant: 'delete from shard.bucket where bucket = 9',
    expected: { 'shard-bucket': 1 },
    says: /shard-1: bucket 9 should be here, the shard does not know/,
  },
};

const SHARD_TABLES = ['bucket', 'conversation', 'message', 'attachment', 'group_read', 'user_conversation', 'outbox'];

t.test('every kind of damage is found, and named', async (t) => {
  const place = await aPlace(t, PEOPLE);
  const { client } = place;
  const sound = await check(place, { open: 1 });
  t.match(sound, { whole: true, findings: [], conversations: (PEOPLE * (PEOPLE - 1)) / 2 + 1 });
  t.equal(sound.opened, sound.messages, 'every body was opened');
  t.match(reportText(sound), /^whole: 1,036 conversations, 1,050 messages, 1,050 opened$/);
  await client.query('create schema saved');
  for (const table of SHARD_TABLES) await client.query(`create table saved.${table} as table shard.${table}`);
  const seen = new Set<string>(['misplaced-bucket']); // in the next test
  for (const [name, damage] of Object.entries(damages)) {
    await client.query(damage.plant);
    const report = await check(place, { open: damage.open ?? 0 });
    t.strictSame(report.counts, damage.expected, name);
    t.notOk(report.whole);
    t.ok(
      report.findings.some(({ where, what }) => damage.says.test(`${where}: ${what}`)),
      `${name}: ${report.findings.map(({ where, what }) => `${where}: ${what}`).join('; ')}`,
    );
    for (const kind of Object.keys(report.counts)) seen.add(kind);
    for (const table of SHARD_TABLES) {
      await client.query(`truncate shard.${table}`);
      await client.query(`insert into shard.${table} select * from saved.${table}`);
    }
    if (damage.undo !== undefined) await client.query(damage.undo);
    if (name === 'a send_id used twice') await client.query(damages['no index over send_ids']!.undo!);
  }
  t.match(await check(place, { open: 1 }), { whole: true }, 'and put right again, it is whole');
  t.strictSame([...seen].sort(), Object.keys(FINDINGS).sort(), 'all kinds have had their turn');
});

t.test('more of a kind than anybody reads are counted', async (t) => {
  const place = await aPlace(t, 20);
  await place.client.query('update shard.conversation set low_read = 1000');
  const report = await check(place);
  t.strictSame(report.counts, { 'read-position': 191 });
  t.equal(report.findings.length, 100);
  t.match(reportText(report), /… and 91 more/);
});

t.test('two shards: rows where they do not belong, and buckets on the move', async (t) => {
  const second = await freshDatabase(postgres);
  const place = await aPlace(t, 4, async (client) => {
    await client.query(`insert into meta.shard (name, url) values ('shard-2', '${new URL(second).pathname}')`);
    await client.query("update meta.bucket set shard = 'shard-2' where bucket >= 128");
  });
  const { client } = place;
  const bucket = [ALICE_BOB, ALICE_CAROL, GROUP].map(bucketOf).find((each) => each < 128)!;
  t.match(await check(place, { open: 1 }), { whole: true, conversations: 7 });
  await client.query(`update meta.bucket set shard = 'shard-2' where bucket = ${bucket}`);
  const misplaced = await check(place);
  t.ok((misplaced.counts['misplaced-bucket'] ?? 0) > 0, 'rows that the map has elsewhere');
  t.equal(misplaced.counts['shard-bucket'], 2, 'and both shards think otherwise');
  await client.query(
    `insert into meta.bucket_move (bucket, source, target, phase) values (${bucket}, 'shard-1', 'shard-2', 'switched')`,
  );
  const { 'misplaced-bucket': still, 'shard-bucket': confused } = (await check(place)).counts;
  t.strictSame([still, confused], [undefined, undefined], 'unless it is on its way');
  await client.query('delete from meta.bucket_move');
  await client.query(`update meta.bucket set shard = 'shard-1' where bucket = ${bucket}`);
  t.match(await check(place), { whole: true });

  // Held up in the middle, it sees another map at its end.
  await client.query(`update shard.conversation set low_read = 99 where ${at(ALICE_BOB)}`);
  await client.query(`update meta.group_member set joined_msg_id = 0`);
  const other = new pg.Client(place.url);
  await other.connect();
  await other.query('begin');
  await other.query('lock table meta.group_member in access exclusive mode');
  const refused = t.rejects(check(place), {
    name: 'FsckError',
    message: /buckets have moved between shards meanwhile/,
  });
  const waiting = "select from pg_locks where not granted and relation = 'meta.group_member'::regclass";
  await until(async () => (await client.query(waiting)).rowCount === 1, 'the check to be in the middle');
  await client.query('update meta.bucket_map set version = version + 1');
  await other.query('commit');
  await other.end();
  await refused;
});

t.test('what goes on meanwhile is no finding', async (t) => {
  const place = await aPlace(t, 12);
  const { storage } = place;
  let chatting = true;
  const chat = async (from: number) => {
    for (let n = 0; chatting; n++) {
      const id = n % 3 === 0 ? GROUP : singleConversation(1 + ((from + n) % 3), 4 + (n % 9));
      await say(storage, id, 1 + ((from + n) % 3));
      if (n % 4 === 0) await storage.conversations.markRead(1 + ((from + n) % 3), id, 0);
      if (n % 5 === 0) await storage.conversations.hide(1 + ((from + n) % 3), id);
      if (n % 6 === 0) await storage.groups.leave(1, [4]);
      if (n % 6 === 0) await storage.groups.join(1, [4], await storage.messages.head(GROUP));
    }
  };
  const chats = [chat(0), chat(1), chat(2)];
  let before = 0;
  for (let n = 0; n < 5; n++) {
    const report = await check(place, { open: n % 2 });
    t.match(report, { whole: true, findings: [] });
    await until(async () => (await storage.messages.head(GROUP)) > before, 'the group to go on');
    before = await storage.messages.head(GROUP);
  }
  chatting = false;
  await Promise.all(chats);
});

t.test('the tool: exit codes, reports, digests', async (t) => {
  const place = await aPlace(t, 4);
  const folder = await mkdtemp(join(tmpdir(), `teamtalk-test-pg-${process.pid}-fsck-`));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const keyFile = join(folder, 'master.key');
  await writeFile(keyFile, place.key);
  const target = ['--database', place.url, '--master-key-file', keyFile];
  const whole = await runTool('fsck', [...target, '--open', '--digest']);
  t.equal(whole.code, 0, whole.stderr);
  t.match(whole.stdout, /^bucket {3}0 {2}shard-1 {2}messages [0-9a-f]{64} \(0\) {2}state [0-9a-f]{64}$/m);
  t.match(whole.stdout, /^whole: 7 conversations, 21 messages, 21 opened$/m);

  const digests = async () => (await check(place, { digest: true })).digests!;
  const before = await digests();
  t.equal(before.length, 256);
  await place.storage.conversations.markRead(3, ALICE_CAROL, 0);
  const read = await digests();
  await say(place.storage, GROUP, 1);
  const said = await digests();
  const changed = (a: typeof before, b: typeof before, field: 'messageDigest' | 'stateDigest') =>
    a.filter((each, i) => each[field] !== b[i]![field]).map((each) => each.bucket);
  t.strictSame(changed(before, read, 'messageDigest'), [], 'reading changes no message');
  t.ok(changed(before, read, 'stateDigest').includes(bucketOf(ALICE_CAROL)), 'but the state');
  t.strictSame(changed(read, said, 'messageDigest'), [bucketOf(GROUP)], 'a message changes its own bucket');

  await place.client.query(`delete from shard.message where ${messagesOf(GROUP)} and msg_id = 2`);
  const found = await runTool('fsck', [...target, '--json']);
  t.equal(found.code, 1);
  t.match(JSON.parse(found.stdout), {
    whole: false,
    counts: { gap: 1 },
    findings: [{ kind: 'gap', where: 'shard-1' }],
  });
  await writeFile(keyFile, randomBytes(32).toString('hex'));
  const wrong = await runTool('fsck', [...target, '--open', '10%']);
  t.equal(wrong.code, 2, 'it could not be checked');
  t.match(wrong.stderr, /^fsck: wrong master key/);
  const { rows } = await place.client.query('select count(*)::int as keys from meta.data_key');
  t.same(rows, [{ keys: 256 }], 'and nothing was made');
  const nobody = await runTool('fsck', ['--database', 'postgres://127.0.0.1:1/none']);
  t.equal(nobody.code, 2);
  t.match(nobody.stderr, /ECONNREFUSED/);
});
