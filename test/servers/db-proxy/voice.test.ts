/** Voice messages at rest: their sound lies beside them, and whoever reads a message gets it as it was sent. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import t, { type Test } from 'tap';
import { bucketOf, groupConversation, singleConversation } from '../../../common/conversation.js';
import { IM } from '../../../common/pdu/pb.js';
import { decryptText, encryptText } from '../../../common/text-cipher.js';
import { fsck } from '../../../servers/db-proxy/storage/fsck.js';
import { destroyKey, retireKeys, rotateData } from '../../../servers/db-proxy/storage/key-rotation.js';
import { MasterKeyring } from '../../../servers/db-proxy/storage/master-key.js';
import { reseal } from '../../../servers/db-proxy/storage/reseal.js';
import { Retention } from '../../../servers/db-proxy/storage/retention.js';
import { type Storage, TestCluster, testStorage, until } from '../../support/cluster.js';
import { caller } from '../../support/http.js';
import { testPostgres } from '../../support/postgres.js';

const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = IM.BaseDefine.SessionType;
const {
  MSG_TYPE_SINGLE_TEXT: TEXT,
  MSG_TYPE_SINGLE_AUDIO: VOICE,
  MSG_TYPE_GROUP_AUDIO: GROUP_VOICE,
} = IM.BaseDefine.MsgType;
const UNREADABLE = '[无法读取的消息 / unreadable message]';
const DAY_MS = 24 * 60 * 60 * 1000;
const OVERHEAD = 28;

const postgres = await testPostgres(t);
const users = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank'];
const groups = [{ name: 'ours', memberIds: [1, 2, 3] }];
const cluster = await TestCluster.start(t, postgres, { users, groups, httpMsg: {} });
const url = cluster.databaseUrl;
const { storage } = cluster;
const ring = MasterKeyring.of(Buffer.from(cluster.masterKey, 'hex'));
const client = new pg.Client(url);
await client.connect();
t.teardown(() => client.end());

/** Four bytes of seconds and so many of sound. */
function voice(size: number, seconds = 5): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(seconds);
  return Buffer.concat([head, randomBytes(size)]);
}

async function say(id: bigint, senderId: number, body: Buffer, over: { to?: Storage; sendId?: Buffer } = {}) {
  const msgType = id === groupConversation(1) ? GROUP_VOICE : VOICE;
  const draft = { conversationId: id, senderId, msgType, body, sendId: over.sendId ?? randomBytes(16) };
  return (over.to ?? storage).append.store(draft);
}

const bodiesOf = async (id: bigint, from: Storage = storage) =>
  (await from.messages.page(id, 0, 0, 200)).map(({ body }) => body).reverse();
const textsOf = async (id: bigint) => (await bodiesOf(id)).map(decryptText);

interface Parts {
  readonly msg_id: number;
  readonly size: number;
  readonly attached: boolean;
  readonly beside: number | null;
  readonly key_id: number;
}

/** What is stored where, oldest first; sizes without what sealing adds. */
async function partsOf(id: bigint): Promise<Parts[]> {
  const { rows } = await client.query<Parts>(
    `select m.msg_id, length(m.sealed) - ${OVERHEAD} as size, m.attached, length(a.sealed) - ${OVERHEAD} as beside, m.key_id
       from shard.message m left join shard.attachment a using (bucket, conversation_id, msg_id)
      where m.conversation_id = $1 order by 1`,
    [String(id)],
  );
  return rows;
}

async function isWhole(t: Test): Promise<void> {
  const report = await fsck({ databaseUrl: url, masterKeys: ring, open: 1, digest: false, hear: () => undefined });
  t.match(report, { whole: true, findings: [] }, 'all of it is whole');
}

/** What is asked of PostgreSQL meanwhile. */
async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const { query } = pg.Client.prototype;
  const said: string[] = [];
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    said.push((args[0] as { text?: string }).text ?? String(args[0]));
    return (query as (...args: unknown[]) => unknown).apply(this, args);
  } as never;
  await work().finally(() => {
    pg.Client.prototype.query = query;
  });
  return said;
}

t.test('the sound lies beside the message, and comes with it wherever the message is read', async (t) => {
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const start = (await ask('GET', '/api/v1/events')).body.next;
  const alice = await cluster.login('alice', { capabilities: ['ack2', 'err1', 'sync1'] });
  const bob = await cluster.login('bob', { capabilities: ['ack2', 'err1', 'sync1'] });
  const id = singleConversation(1, 2);
  const [short, long] = [voice(1), voice(128 * 1024 - 4)];
  await alice.say(2, 'a text');
  await alice.sendData(2, VOICE, short);
  await alice.sendData(2, VOICE, long);
  await alice.sendData(2, VOICE, voice(0, 9));
  await alice.sendData(1, GROUP_VOICE, long);
  const none = { attached: false, beside: null };
  t.match(await partsOf(id), [
    none,
    { size: 4, attached: true, beside: 1 },
    { size: 4, attached: true, beside: long.length - 4 },
    { size: 4, ...none }, // there is nothing to lie beside it
  ]);
  const live = [await bob.heard(), await bob.heard(), await bob.heard()].map(({ data }) => Buffer.from(data));
  t.ok(live[1]!.equals(short) && live[2]!.equals(long), 'live');
  const history = await bob.history(SINGLE, 1);
  t.same(
    history.map(({ msgId, msgType }) => [msgId, msgType]),
    [
      [4, VOICE],
      [3, VOICE],
      [2, VOICE],
      [1, TEXT],
    ],
  );
  t.ok(Buffer.from(history[1]!.data).equals(long), 'in the history');
  const [byId] = await bob.messagesById(SINGLE, 1, [2]);
  t.ok(Buffer.from(byId!.data).equals(short), 'by its id');
  t.ok(Buffer.from((await bob.history(GROUP, 1))[0]!.data).equals(long), 'in a group');
  const { entries } = await bob.sync();
  const mine = entries.find(({ sessionType }) => sessionType === GROUP)!;
  t.ok(Buffer.from(mine.lastMsg!.msgData).equals(long), 'as the newest message of a conversation that has changed');
  const [missed] = await storage.messages.inRanges([{ conversationId: id, from: 3, to: 3 }]);
  t.ok(missed!.body.equals(long), 'missed');
  const { body } = await ask('GET', '/api/v1/messages?as=2&user=1&limit=2');
  t.same(body.messages[1].content, { type: 'voice', seconds: 5, data: long.subarray(4).toString('base64') }, 'by HTTP');
  const events = async () => (await ask('GET', `/api/v1/events?cursor=${start}`)).body.events;
  await until(async () => (await events()).length === 5, 'the events');
  const sounds = (await events()).map((each: { message: { content: { data?: string } } }) => each.message.content.data);
  t.ok(sounds.includes(short.subarray(4).toString('base64')), 'as an event');
  await isWhole(t);
});

t.test('lists, unread counts and pushes never touch the sound', async (t) => {
  const [alice, carol] = [await cluster.login('alice'), await cluster.login('carol')];
  await storage.devices.setToken(3, 17, 'token');
  await alice.sendData(3, VOICE, voice(1000));
  const said = await statementsOf(async () => {
    t.match(decryptText((await carol.unread()).list[0]!.latestMsgData), '[语音]');
    const recent = await carol.recentSessions();
    t.equal(decryptText(recent.find(({ sessionId }) => sessionId === 1)!.latestMsgData), '[语音]');
    const places = [{ conversationId: singleConversation(1, 3), msgId: 1 }];
    await storage.pushes.plan(places, true, Date.now());
  });
  t.ok(said.some((text) => text.includes('shard.message')));
  t.same(
    said.filter((text) => text.includes('shard.attachment')),
    [],
  );
});

t.test('a send_id stands for one sound', async (t) => {
  const id = singleConversation(1, 4);
  const body = voice(300);
  const sendId = randomBytes(16);
  t.match(await say(id, 1, body, { sendId }), { msgId: 1, duplicate: false });
  t.match(await say(id, 1, body, { sendId }), { msgId: 1, duplicate: true });
  const otherSound = Buffer.concat([body.subarray(0, -1), Buffer.from([body.at(-1)! ^ 1])]);
  const otherSeconds = Buffer.concat([Buffer.from([0, 0, 0, 6]), body.subarray(4)]);
  for (const other of [otherSound, otherSeconds, body.subarray(0, 4), Buffer.concat([body, Buffer.from([0])])])
    await t.rejects(say(id, 1, other, { sendId }), { code: 'SEND_ID_REUSED' });
  const [one, two] = [voice(50), voice(60)];
  const again = randomBytes(16);
  const both = await Promise.allSettled([say(id, 1, one, { sendId: again }), say(id, 1, two, { sendId: again })]);
  t.match(both, [{ status: 'fulfilled' }, { reason: { code: 'SEND_ID_REUSED' } }], 'in one batch');
  t.same(await bodiesOf(id), [body, one]);
});

t.test('message and sound are stored in one commit, texts of the same batch with them', async (t) => {
  const id = singleConversation(4, 5);
  const body = voice(70_000);
  await client.query(
    `create function fail() returns trigger language plpgsql as $$ begin raise exception 'no room for sound'; end $$;
     create trigger fail before insert on shard.attachment for each statement execute function fail()`,
  );
  const text = { conversationId: id, senderId: 5, msgType: TEXT, body: encryptText('hi'), sendId: randomBytes(16) };
  const refused = await Promise.allSettled([say(id, 4, body), storage.append.store(text), say(id, 4, voice(3))]);
  await client.query('drop trigger fail on shard.attachment; drop function fail()');
  const internal = { status: 'rejected', reason: { code: 'INTERNAL' } };
  t.match(refused, [internal, { value: { msgId: 1 } }, internal], 'the text alone is stored');
  t.equal(await storage.messages.head(id), 1, 'nothing of the voice messages');
  const drafts = Array.from({ length: 30 }, (_, n) => voice(n * 40));
  const stored = await Promise.all(
    drafts.flatMap((each, n) => [
      say(id, 4, each),
      storage.append.store({ ...text, body: encryptText(`${n}`), sendId: randomBytes(16) }),
    ]),
  );
  t.same(
    stored.map(({ msgId }) => msgId),
    Array.from({ length: 60 }, (_, n) => n + 2),
  );
  t.same(
    await bodiesOf(id),
    [text.body, ...drafts.flatMap((each, n) => [each, encryptText(`${n}`)])],
    'each has its own sound',
  );
});

t.test('as long as a db-proxy of a build before may be running, voice is stored as that one reads it', async (t) => {
  const id = singleConversation(1, 5);
  const old = `insert into meta.key_holder (instance, name, version) values (gen_random_uuid(), 'before', 1)`;
  await client.query(old);
  const fresh = await testStorage(url, cluster.masterKey);
  t.teardown(() => fresh.close());
  const bodies = [voice(100), voice(2_000), voice(30)];
  await say(id, 1, bodies[0]!, { to: fresh });
  await client.query(`update meta.key_holder set seen = now() - interval '2 minutes' where name = 'before'`);
  await client.query(`insert into meta.bucket_move (bucket, source, target, phase, started)
    values (3, 'shard-1', 'shard-1', 'copying', now() - interval '1 hour')`); // of a mover of the build before
  const moving = await testStorage(url, cluster.masterKey);
  t.teardown(() => moving.close());
  await say(id, 1, bodies[1]!, { to: moving });
  await client.query('delete from meta.bucket_move');
  await rotateData(client, ring, [0]); // whoever hears of that looks around once more
  await until(() => moving.keys.attaching && fresh.keys.attaching, 'both to notice');
  await say(id, 1, bodies[2]!, { to: fresh });
  t.match(await partsOf(id), [
    { size: 104, attached: false, beside: null },
    { size: 2_004, attached: false, beside: null },
    { size: 4, attached: true, beside: 30 },
  ]);
  for (const each of [storage, fresh]) t.same(await bodiesOf(id, each), bodies, 'both forms read alike');
});

t.test('parts open in their own place only', async (t) => {
  const id = singleConversation(2, 4);
  const bodies = Array.from({ length: 4 }, () => voice(200));
  for (const body of bodies) await say(id, 2, body);
  await client.query('create table saved as table shard.attachment; create table rows as table shard.message');
  const theirs = `conversation_id = ${id}`;
  const damages = {
    'the sound of another message': `update shard.attachment a set sealed = o.sealed from shard.attachment o
      where a.${theirs} and a.msg_id = 2 and o.${theirs} and o.msg_id = 3`,
    'a lost sound': `delete from shard.attachment where ${theirs} and msg_id = 2`,
    'a changed sound': `update shard.attachment set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where ${theirs} and msg_id = 2`,
    'a row that hides its sound': `update shard.message set attached = false where ${theirs} and msg_id = 2`,
    'sound in place of the seconds': `update shard.message m set sealed = a.sealed from shard.attachment a
      where m.${theirs} and m.msg_id = 2 and a.${theirs} and a.msg_id = 2`,
    'sound in place of the whole': `update shard.message m set sealed = a.sealed, attached = false from shard.attachment a
      where m.${theirs} and m.msg_id = 2 and a.${theirs} and a.msg_id = 2`,
  };
  for (const [what, damage] of Object.entries(damages)) {
    await client.query(damage);
    const found = await bodiesOf(id);
    t.equal(decryptText(found[1]!), UNREADABLE, what);
    t.same([found[0], found[2], found[3]], [bodies[0], bodies[2], bodies[3]], 'and the others are as they were');
    await client.query(`delete from shard.message where ${theirs}; insert into shard.message select * from rows where ${theirs};
      delete from shard.attachment where ${theirs}; insert into shard.attachment select * from saved where ${theirs}`);
  }
  t.same(await bodiesOf(id), bodies);
  await client.query('drop table saved, rows');
});

t.test('both parts are sealed anew together, and go with their key', async (t) => {
  const id = singleConversation(3, 5);
  const bucket = bucketOf(id);
  const bodies = Array.from({ length: 40 }, (_, n) => voice(n * 100));
  for (const body of bodies) await say(id, 3, body);
  await client.query(
    'update shard.attachment set sealed = set_bit(sealed, 160, 1 - get_bit(sealed, 160)) where conversation_id = $1 and msg_id = 7',
    [String(id)],
  );
  const takenUp = async () => {
    const late =
      "select from meta.key_holder h, meta.key_version v where h.version <> v.version and h.seen > now() - interval '1 minute'";
    await until(async () => (await client.query(late)).rowCount === 0, 'all db-proxies to have the newest keys');
    await client.query(`update meta.key_holder set since = since - interval '1 minute'`);
  };
  const [first] = (await client.query<{ id: number }>('select id from meta.data_key where bucket = $1', [bucket])).rows;
  await rotateData(client, ring, [bucket]);
  await takenUp();
  const bent = { unopenable: 1, damaged: 1, moving: [] };
  t.match(await reseal(url, ring, { rowsPerSecond: 0 }), { resealed: 39, ...bent }, 'one message counts once');
  const parts = await partsOf(id);
  t.equal(
    parts.filter(({ key_id }) => key_id === first!.id).length,
    1,
    'what does not open stays as it is, both parts',
  );
  t.equal(parts[6]!.key_id, first!.id);
  const found = await bodiesOf(id);
  t.equal(decryptText(found[6]!), UNREADABLE);
  t.same(found.toSpliced(6, 1), bodies.toSpliced(6, 1));
  t.same(
    (await retireKeys(client, url)).retired.filter((each) => each.bucket === bucket),
    [],
    'its key is still needed',
  );
  await client.query(
    'update shard.attachment set sealed = set_bit(sealed, 160, 1 - get_bit(sealed, 160)) where conversation_id = $1 and msg_id = 7',
    [String(id)],
  );
  t.same(await bodiesOf(id), bodies, 'put right again it opens with the key of before');
  t.match(await reseal(url, ring, { rowsPerSecond: 0, again: true }), { resealed: 1, unopenable: 0 });
  t.same(await bodiesOf(id), bodies);
  t.equal((await retireKeys(client, url)).retired.filter((each) => each.bucket === bucket).length, 1);

  const [second] = (
    await client.query<{ id: number; epoch: number }>(
      'select id, epoch from meta.data_key where bucket = $1 and wrapped is not null',
      [bucket],
    )
  ).rows;
  await rotateData(client, ring, [bucket]);
  await takenUp();
  const lost = await destroyKey(
    client,
    url,
    { keyId: second!.id, bucket, epoch: second!.epoch },
    { messagesMax: 1_000 },
  );
  t.equal(
    lost,
    Number((await client.query('select count(*) as n from shard.message where key_id = $1', [second!.id])).rows[0].n),
  );
  await storage.keys.reload();
  t.same([...new Set(await textsOf(id))], [UNREADABLE], 'both parts are gone');
});

t.test('retention takes the sound along, and leaves what is held', async (t) => {
  const [due, held] = [singleConversation(5, 6), singleConversation(4, 6)];
  const bodies = Array.from({ length: 6 }, () => voice(3_000));
  for (const body of bodies) for (const id of [due, held]) await say(id, 6, body);
  await client.query(
    'update shard.message set create_time_ms = create_time_ms - $1::bigint where conversation_id = any ($2) and msg_id <= 4',
    [100 * DAY_MS, [String(due), String(held)]],
  );
  const retention = await Retention.open(url, 'test');
  t.teardown(() => retention.close());
  await retention.set('single', 90);
  await retention.hold('user', 4, 'a dispute');
  const { signal } = new AbortController();
  const options = { dryRun: false, duty: 1, batchRows: 3, vacuum: true, nowMs: Date.now(), signal };
  t.match(await retention.run({ ...options, hear: () => undefined }), { messages: 4, held: 1 });
  t.same(await bodiesOf(due), bodies.slice(4));
  t.same(await bodiesOf(held), bodies);
  const left = await client.query('select msg_id from shard.attachment where conversation_id = $1 order by 1', [
    String(due),
  ]);
  t.same(
    left.rows.map(({ msg_id }) => msg_id),
    [5, 6],
  );
  await isWhole(t);
});
