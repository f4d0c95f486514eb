/** Saying, hearing, reading and looking back: one-to-one chat over a whole cluster. */
import pg from 'pg';
import t from 'tap';
import type { Client } from '../../common/client/client.js';
import { bucketOf, groupConversation, singleConversation } from '../../common/conversation.js';
import { MESSAGE_SIZE_MAX } from '../../common/limits.js';
import type { Link } from '../../common/net/link.js';
import { type Ask, type Command, decodeBody, encodeFrame } from '../../common/pdu/command.js';
import { buddy, cluster as clusterService, message } from '../../common/pdu/commands.js';
import type { Frame } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { commandTable, hear } from '../../common/server/command-table.js';
import { decryptText, encryptText } from '../../common/text-cipher.js';
import { TestCluster, until } from '../support/cluster.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { fieldsOf, listenTo, only, plain } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';

const { ClientType, MsgType, SessionType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = SessionType;
const { MSG_TYPE_SINGLE_TEXT: TEXT, MSG_TYPE_SINGLE_AUDIO: VOICE } = MsgType;
const { CLIENT_TYPE_ANDROID: ANDROID, CLIENT_TYPE_IOS: IOS } = ClientType;
/** What Android takes in one frame. */
const ANDROID_FRAME_SIZE_LIMIT = 400 * 1024;
/** How long nothing has to happen where no later answer can prove it. */
const SILENCE_MS = 250;

const postgres = await testPostgres(t);

// ------------------------------------------------------------------------------------------------------- helpers

const PEOPLE = Array.from({ length: 180 }, (_, i) => `user-${i + 1}`);
let taken = 0;

/** Somebody whom no other subtest knows. */
function somebody(): string {
  return PEOPLE[taken++]!;
}

/** Pushes of this kind that came and nobody has taken. */
function waiting<Out>(client: Client, command: Command<never, Out>): Out[] {
  return only(client.unconsumed, command).map((frame) => decodeBody(command, frame.body));
}

async function heardOf(client: Client, count: number) {
  const heard = [];
  for (let i = 0; i < count; i++) heard.push(await client.heard());
  return heard;
}

function range(from: number, to: number): number[] {
  const step = from <= to ? 1 : -1;
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => from + i * step);
}

async function sayAll(from: Client, to: Client, texts: readonly string[]): Promise<number[]> {
  return (await Promise.all(texts.map((text) => from.say(to.userId, text)))).map((ack) => ack.msgId);
}

/** A message as bytes, of any kind a client could make. */
function draft(toSessionId: number, over: Partial<IM.Message.IMMsgData.$Properties> = {}, seq = 1): Buffer {
  const msgData = encryptText('hello');
  return encodeFrame(message.data, seq, {
    fromUserId: 0,
    toSessionId,
    msgId: 0,
    createTime: 0,
    msgType: TEXT,
    msgData,
    ...over,
  });
}

async function acksAfter(client: Client, frames: readonly Frame[], count: number) {
  await until(() => only(frames, message.ack).length >= count, `${count} acks`);
  await client.time();
  return only(frames, message.ack).map((frame) => ({ seq: frame.seq, ...decodeBody(message.ack, frame.body) }));
}

async function query<Row extends pg.QueryResultRow>(
  cluster: TestCluster,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  const { rows } = await client.query<Row>(text, values);
  await client.end();
  return rows;
}

function rowCounts(cluster: TestCluster): Promise<pg.QueryResultRow[]> {
  return query(
    cluster,
    `select (select count(*) from shard.message) as messages, (select sum(head) from shard.conversation) as heads,
            (select count(*) from shard.conversation) as conversations,
            (select count(*) from shard.user_conversation) as listed`,
  );
}

/** What nobody says over a connection in the test: stored straight away. */
async function store(cluster: TestCluster, from: number, to: number, text: string): Promise<number> {
  const sendId = Buffer.alloc(16);
  sendId.writeUIntBE(storedSoFar++, 0, 6);
  const conversationId = singleConversation(from, to);
  const body = encryptText(text);
  return (await cluster.storage.append.store({ conversationId, senderId: from, msgType: TEXT, body, sendId })).msgId;
}
let storedSoFar = 1;

async function nextSecond(): Promise<void> {
  const second = Math.floor(Date.now() / 1000);
  await until(() => Math.floor(Date.now() / 1000) > second, 'the next second');
}

// --------------------------------------------------------------------------------------------- saying and hearing

t.test('messages', async (t) => {
  // The two msg servers prefer different db-proxies for one conversation, so that both write to it.
  const cluster = await TestCluster.start(t, postgres, { dbProxies: 2, users: PEOPLE });
  const dbProxies = cluster.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port })).reverse();
  await cluster.addMsgServer({ msg: { dbProxies } });

  for (const [at, where] of [
    [0, 'the same msg server'],
    [1, 'another msg server'],
  ] as const) {
    await t.test(`reach a user on ${where} under the id that the sender was given`, async (t) => {
      const alice = await cluster.login(somebody());
      const bob = await cluster.login(somebody(), { at });
      const [aliceFrames, bobFrames] = [listenTo(alice), listenTo(bob)];
      const before = Math.floor(Date.now() / 1000);
      const voice = Buffer.from([0, 0, 0, 5, 0xff, 0, 0x80, 1]);
      t.match(await alice.say(bob.userId, 'hello 你好'), { msgId: 1 });
      t.match(await alice.sendData(bob.userId, VOICE, voice), { msgId: 2 });
      t.match(await bob.say(alice.userId, 'hi'), { msgId: 3 });

      const common = { sessionType: SINGLE, sessionId: alice.userId, fromUserId: alice.userId };
      const heard = await heardOf(bob, 2);
      t.match(heard[0], { ...common, msgId: 1, msgType: TEXT, text: 'hello 你好' });
      t.match(heard[1], { ...common, msgId: 2, msgType: VOICE, text: undefined });
      t.strictSame(Buffer.from(heard[1]!.data), voice, 'voice arrives as it was');
      const [answer] = await heardOf(alice, 1);
      t.match(answer, { sessionId: bob.userId, fromUserId: bob.userId, msgId: 3, text: 'hi' });
      for (const { createTime } of [...heard, answer!])
        t.ok(createTime >= before && createTime <= before + 2, 'the time is that of the server');

      for (const frame of [...only(aliceFrames, message.data), ...only(bobFrames, message.data)])
        t.strictSame(
          [frame.seq, frame.service, fieldsOf(frame.body)],
          [0, 3, [1, 2, 3, 4, 5, 6]],
          'a push has seq 0 and no field of ours',
        );
      for (const [frames, client, peer, ids] of [
        [aliceFrames, alice, bob, [1, 2]],
        [bobFrames, bob, alice, [3]],
      ] as const) {
        const acks = only(frames, message.ack);
        t.strictSame(
          acks.map((frame) => plain(decodeBody(message.ack, frame.body))),
          ids.map((msgId) => ({ userId: client.userId, sessionId: peer.userId, msgId, sessionType: SINGLE })),
        );
        for (const ack of acks) t.strictSame([ack.service, fieldsOf(ack.body)], [3, [1, 2, 3, 4]]);
      }

      const history = [
        { msgId: 3, fromUserId: bob.userId, text: 'hi', msgType: TEXT },
        { msgId: 2, fromUserId: alice.userId, data: voice, msgType: VOICE },
        { msgId: 1, fromUserId: alice.userId, text: 'hello 你好', msgType: TEXT },
      ];
      t.match(await alice.history(SINGLE, bob.userId), history);
      t.match(await bob.history(SINGLE, alice.userId), history);
    });
  }

  await t.test('come to the sender’s other device, and not back to where they came from', async (t) => {
    for (const at of [0, 1]) {
      const name = somebody();
      const pc = await cluster.login(name);
      const phone = await cluster.login(name, { at, clientType: IOS });
      const bob = await cluster.login(somebody(), { at: 1 });
      const frames = listenTo(phone);
      const { msgId } = await pc.say(bob.userId, 'from the PC');
      t.match(await phone.heard(), { msgId, sessionId: bob.userId, fromUserId: pc.userId, text: 'from the PC' });
      t.strictSame(
        only(frames, message.data).map((frame) => [frame.seq, fieldsOf(frame.body)]),
        [[0, [1, 2, 3, 4, 5, 6]]],
      );
      const answer = await phone.say(bob.userId, 'from the phone');
      t.match(await pc.heard(), { msgId: answer.msgId, fromUserId: pc.userId, text: 'from the phone' });
      t.match(await heardOf(bob, 2), [{ text: 'from the PC' }, { text: 'from the phone' }]);
      await bob.say(pc.userId, 'the last word');
      for (const device of [pc, phone]) {
        t.match(await device.heard(), { text: 'the last word' }, 'nothing came in between');
        t.strictSame(waiting(device, message.data), []);
      }
    }
  });

  await t.test('are acknowledged under their own seq, whatever the service id', async (t) => {
    const alice = await cluster.login(somebody());
    const bob = await cluster.login(somebody(), { at: 1 });
    const frames = listenTo(alice);
    const cases = [
      [1, 3],
      [0xfffe, 3],
      [0xffff, 0x5a],
      [0x8000, 0],
      [0, 0xffff],
    ] as const;
    for (const [index, [seq, service]] of cases.entries()) {
      const bytes = draft(bob.userId, {}, seq);
      bytes.writeUInt16BE(service, 8);
      bytes.writeUInt32BE(0x0006_ffff, 4); // version and flag are free
      bytes.writeUInt16BE(0x30, 14);
      alice.sendFrame(bytes);
      await acksAfter(alice, frames, index + 1);
    }
    t.strictSame(
      only(frames, message.ack).map((frame) => [frame.seq, frame.service, frame.reserved]),
      cases.map(([seq]) => [seq, 3, 0]),
    );
    t.strictSame(
      (await heardOf(bob, cases.length)).map((each) => each.msgId),
      range(1, cases.length),
    );
  });

  await t.test('sent in one go keep their order', async (t) => {
    const alice = await cluster.login(somebody());
    const bob = await cluster.login(somebody(), { at: 1 });
    const texts = range(1, 100).map(String);
    t.strictSame(await sayAll(alice, bob, texts), range(1, 100), 'the ids are in the order of sending');
    t.strictSame(
      (await heardOf(bob, 100)).map((each) => [each.msgId, each.text]),
      texts.map((text, i) => [i + 1, text]),
    );
    t.strictSame(
      (await bob.history(SINGLE, alice.userId, 0, 100)).map((each) => each.text),
      texts.toReversed(),
    );
  });

  await t.test('of both sides, over two msg servers and two db-proxies, count from 1 without a hole', async (t) => {
    const alice = await cluster.login(somebody(), { at: 0 });
    const bob = await cluster.login(somebody(), { at: 1 });
    const CHAINS = 4;
    const LENGTH = 25;
    const said: { from: number; chain: number; text: string; msgId: number }[] = [];
    const chain = async (from: Client, to: Client, number: number) => {
      for (let i = 0; i < LENGTH; i++) {
        const text = `${from.userId} ${number} ${i}`;
        const { msgId } = await from.say(to.userId, text);
        said.push({ from: from.userId, chain: number, text, msgId });
      }
    };
    const chains = range(1, CHAINS).flatMap((number) => [chain(alice, bob, number), chain(bob, alice, number)]);
    await Promise.all(chains);

    const total = 2 * CHAINS * LENGTH;
    const byId = said.toSorted((a, b) => a.msgId - b.msgId);
    t.strictSame(
      byId.map((each) => each.msgId),
      range(1, total),
      'every id once',
    );
    for (const from of [alice.userId, bob.userId]) {
      for (const number of range(1, CHAINS)) {
        const ids = said.filter((each) => each.from === from && each.chain === number).map((each) => each.msgId);
        t.strictSame(
          ids,
          ids.toSorted((a, b) => a - b),
          'what was said after an ack comes after it',
        );
      }
    }
    const expected = byId.toReversed().map(({ msgId, from, text }) => [msgId, from, text]);
    for (const [reader, peer] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const history = await reader.history(SINGLE, peer.userId, 0, total);
      t.strictSame(
        history.map((each) => [each.msgId, each.fromUserId, each.text]),
        expected,
        'one history for both',
      );
      const heard = (await heardOf(reader, total / 2)).map((each) => [each.msgId, each.fromUserId, each.text]);
      const ofPeer = expected.filter(([, from]) => from === peer.userId).toReversed();
      t.strictSame(heard, ofPeer, 'what the other one said was heard once and in order');
      t.strictSame(waiting(reader, message.data), [], 'and nothing more');
    }
  });

  // ------------------------------------------------------------------------------------------------- refused, resent

  await t.test('that cannot be are not answered and not stored', async (t) => {
    const [alice, bob] = [await cluster.login(somebody()), await cluster.login(somebody(), { at: 1 })];
    const left = somebody();
    const leftId = PEOPLE.indexOf(left) + 1;
    await query(cluster, `update meta.users set status = 3 where id = $1`, [leftId]);
    const tooLong = Buffer.alloc(MESSAGE_SIZE_MAX + 1, 'A');
    const cases: readonly (readonly [string, Buffer])[] = [
      ['an empty text', draft(bob.userId, { msgData: Buffer.alloc(0) })],
      ['an empty voice message', draft(bob.userId, { msgData: Buffer.alloc(0), msgType: VOICE })],
      ['one over the limit', draft(bob.userId, { msgData: tooLong })],
      ['one of no known type', draft(bob.userId, { msgType: 3 as typeof TEXT })],
      ['one to oneself', draft(alice.userId)],
      ['one to an id that nobody has', draft(999_999)],
      ['one to somebody who has left', draft(leftId)],
      ['one to user 0', draft(0)],
      ['one to 2^30', draft(2 ** 30)],
      ['one to 2^31', draft(2 ** 31)],
      ['one to 2^32 - 1', draft(2 ** 32 - 1)],
      ['one to a group there is not', draft(77, { msgType: MsgType.MSG_TYPE_GROUP_TEXT })],
      ['one to group 2^31', draft(2 ** 31, { msgType: MsgType.MSG_TYPE_GROUP_TEXT })],
    ];
    const before = await rowCounts(cluster);
    const frames = listenTo(alice);
    for (const [index, [, bytes]] of cases.entries()) {
      bytes.writeUInt16BE(1000 + index, 12);
      alice.sendFrame(bytes);
    }
    await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
    for (const [index, [name]] of cases.entries())
      t.notOk(
        frames.some((frame) => frame.seq === 1000 + index),
        name,
      );
    t.strictSame(await rowCounts(cluster), before, 'nothing was stored');
    const longest = Buffer.alloc(MESSAGE_SIZE_MAX, 'A');
    t.match(await alice.sendData(bob.userId, TEXT, longest), { msgId: 1 }, 'the longest one is not too long');
    t.strictSame(Buffer.from((await bob.heard()).data), longest, 'and is the first that is heard');
  });

  await t.test('sent again because the ack was late are stored and delivered once', async (t) => {
    const alice = await cluster.login(somebody());
    const [bob, carol] = [await cluster.login(somebody(), { at: 1 }), await cluster.login(somebody())];
    const frames = listenTo(alice);
    for (const _ of range(1, 3)) alice.sendFrame(draft(bob.userId, {}, 500)); // before any answer
    await acksAfter(alice, frames, 3);
    alice.sendFrame(draft(bob.userId, { createTime: 5 }, 500)); // and after it; the time is the client's own
    t.strictSame(
      (await acksAfter(alice, frames, 4)).map(({ seq, msgId }) => [seq, msgId]),
      range(1, 4).map(() => [500, 1]),
      'all get the first id',
    );

    alice.sendFrame(draft(bob.userId, { msgData: encryptText('other') }, 500));
    alice.sendFrame(draft(bob.userId, {}, 501));
    alice.sendFrame(draft(bob.userId, { msgType: VOICE }, 500));
    alice.sendFrame(draft(carol.userId, {}, 500));
    const acks = (await acksAfter(alice, frames, 8)).slice(4);
    const idsTo = (peer: Client) => acks.filter((each) => each.sessionId === peer.userId).map((each) => each.msgId);
    t.strictSame(idsTo(bob), [2, 3, 4], 'another text, seq or type is a message of its own');
    t.strictSame(idsTo(carol), [1], 'and so is one to somebody else');
    t.strictSame(
      (await heardOf(bob, 4)).map((each) => [each.msgId, each.text]),
      [
        [1, 'hello'],
        [2, 'other'],
        [3, 'hello'],
        [4, undefined],
      ],
      'each is heard once',
    );
    t.match(await carol.heard(), { msgId: 1, text: 'hello' });
    t.equal(await bob.latestId(SINGLE, alice.userId), 4);
  });

  // ------------------------------------------------------------------------------------------------------- read marks

  await t.test('are read up to where the reader says, and his other devices hear of it', async (t) => {
    for (const at of [0, 1]) {
      const name = somebody();
      const pc = await cluster.login(name);
      const phone = await cluster.login(name, { at, clientType: ANDROID });
      const bob = await cluster.login(somebody(), { at: 1 });
      const frames = [listenTo(pc), listenTo(phone), listenTo(bob)];
      const unread = async () => (await pc.unread()).total;
      const notice = (msgId: number) => ({
        userId: pc.userId,
        sessionId: bob.userId,
        msgId,
        sessionType: SINGLE,
      });
      await sayAll(bob, pc, range(1, 10).map(String));
      t.equal(await unread(), 10);

      pc.markRead(SINGLE, bob.userId, 4);
      t.strictSame(plain(await phone.next(message.readNotify)), notice(4));
      t.equal(await unread(), 6);
      for (const stale of [4, 2, 1]) pc.markRead(SINGLE, bob.userId, stale);
      for (const _ of range(1, 3)) t.equal(await unread(), 6, 'a read mark does not go back');
      phone.markRead(SINGLE, bob.userId, 7);
      t.strictSame(plain(await pc.next(message.readNotify)), notice(7), 'the other way round as well');
      t.equal(await unread(), 3);

      pc.markRead(SINGLE, bob.userId, 0);
      t.strictSame(plain(await phone.next(message.readNotify)), notice(10), '0 means all');
      t.equal(await unread(), 0);
      for (const [index, beyond] of [12, 1_000_000, 2 ** 31, 2 ** 32 - 1].entries()) {
        await bob.say(pc.userId, 'one more');
        t.equal(await unread(), 1);
        pc.markRead(SINGLE, bob.userId, beyond);
        t.strictSame(plain(await phone.next(message.readNotify)), notice(11 + index), `${beyond} means all`);
      }
      t.equal(await unread(), 0);
      // iOS and mac leave their own id out, and any other is not believed.
      await bob.say(pc.userId, 'and one more');
      pc.tell(message.readAck, { userId: bob.userId, sessionId: bob.userId, msgId: 15, sessionType: SINGLE });
      t.strictSame(plain(await phone.next(message.readNotify)), notice(15));

      const notices = frames.map((each) => only(each, message.readNotify));
      t.strictSame(
        notices.map((each) => each.length),
        [1, 7, 0],
        'only news, only to the other device, and never to the peer',
      );
      for (const { seq, service, body } of notices.flat())
        t.strictSame([seq, service, fieldsOf(body)], [0, 3, [1, 2, 3, 4]]);
    }
  });

  await t.test('read marks of what is not there change nothing', async (t) => {
    const name = somebody();
    const pc = await cluster.login(name);
    const phone = await cluster.login(name, { clientType: ANDROID });
    const bob = await cluster.login(somebody());
    for (const [type, id] of [
      [SINGLE, pc.userId],
      [SINGLE, 0],
      [SINGLE, 2 ** 32 - 1],
      [GROUP, 1],
      [GROUP, 2 ** 32 - 1],
    ] as const)
      pc.markRead(type, id, 5);
    // Not over the wire: it is not answered there, and might be acted on only after the message below.
    await cluster.storage.conversations.markRead(pc.userId, singleConversation(pc.userId, bob.userId), 5);
    await bob.say(pc.userId, 'the first');
    t.equal((await pc.unread()).total, 1, 'a mark made before it does not reach it');
    pc.markRead(SINGLE, bob.userId, 1);
    await phone.next(message.readNotify);
    t.strictSame(waiting(phone, message.readNotify), []);
  });

  await t.test('are unread until they are read, own ones never', async (t) => {
    const [alice, bob, carol] = [
      await cluster.login(somebody()),
      await cluster.login(somebody(), { at: 1 }),
      await cluster.login(somebody()),
    ];
    t.strictSame(await alice.unread(), { total: 0, list: [] });
    await sayAll(bob, alice, ['one', 'two']);
    await carol.say(alice.userId, 'hi');
    const voice = Buffer.from([0, 0, 0, 3, 1, 2, 3]);
    await carol.sendData(alice.userId, VOICE, voice);
    const { total, list } = await alice.unread();
    t.equal(total, 4);
    const preview = (text: string) => encryptText(text).toString('hex');
    t.strictSame(plain(list.toSorted((a, b) => a.sessionId - b.sessionId)), [
      {
        sessionId: bob.userId,
        sessionType: SINGLE,
        unreadCnt: 2,
        latestMsgId: 2,
        latestMsgData: preview('two'),
        latestMsgType: TEXT,
        latestMsgFromUserId: bob.userId,
      },
      {
        sessionId: carol.userId,
        sessionType: SINGLE,
        unreadCnt: 2,
        latestMsgId: 2,
        latestMsgData: preview('[语音]'),
        latestMsgType: VOICE,
        latestMsgFromUserId: carol.userId,
      },
    ]);
    t.strictSame(await bob.unread(), { total: 0, list: [] }, 'own messages do not count');
    t.equal((await carol.unread()).total, 0);

    await alice.say(bob.userId, 'three');
    t.match(await alice.unread(), { total: 2, list: [{ sessionId: carol.userId }] }, 'who answers has read');
    t.match(await bob.unread(), { total: 1, list: [{ sessionId: alice.userId, latestMsgFromUserId: alice.userId }] });
    await bob.say(alice.userId, 'four');
    t.equal((await alice.unread()).total, 3, 'and has not read what comes after');
    t.equal((await bob.unread()).total, 0);
  });

  // ---------------------------------------------------------------------------------------------------------- history

  await t.test('can be looked up in pages and by id', async (t) => {
    const [alice, bob] = [await cluster.login(somebody()), await cluster.login(somebody(), { at: 1 })];
    const stranger = await cluster.login(somebody());
    await sayAll(
      alice,
      bob,
      range(1, 230).map((id) => `text ${id}`),
    );
    const ids = async (begin: number, count: number, reader = bob, peer = alice) =>
      (await reader.history(SINGLE, peer.userId, begin, count)).map((each) => each.msgId);

    t.strictSame(await ids(0, 20), range(230, 211), '0 begins at the newest');
    t.strictSame(await ids(100, 20), range(100, 81), 'the first one is in it');
    t.strictSame(await ids(5, 20), range(5, 1));
    t.strictSame(await ids(1, 1), [1]);
    for (const begin of [230, 231, 1_000_000, 2 ** 31, 2 ** 32 - 1]) t.strictSame(await ids(begin, 2), [230, 229]);
    t.strictSame(await ids(0, 0), []);
    for (const count of [200, 201, 2 ** 32 - 1]) t.strictSame(await ids(0, count), range(230, 31), '200 at most');
    t.strictSame(await ids(0, 20, alice, bob), range(230, 211), 'the same from the other side');
    t.strictSame(await ids(0, 20, stranger, alice), [], 'a conversation that has not begun is empty');

    const byId = async (list: number[], reader = bob, peer = alice) =>
      (await reader.messagesById(SINGLE, peer.userId, list)).map((each) => [each.msgId, each.text]);
    t.strictSame(await byId([7, 230, 1]), [
      [230, 'text 230'],
      [7, 'text 7'],
      [1, 'text 1'],
    ]);
    t.strictSame(await byId([7, 0, 231, 2 ** 31, 2 ** 32 - 1, 7]), [[7, 'text 7']], 'what there is, once');
    t.strictSame(await byId([]), []);
    t.strictSame(await byId([1, 2], stranger), []);
    const hundred = (await byId(range(1, 150))).map(([id]) => id);
    t.strictSame(hundred, range(150, 51), '100 at most');

    t.equal(await bob.latestId(SINGLE, alice.userId), 230);
    t.equal(await alice.latestId(SINGLE, bob.userId), 230);
    t.equal(await stranger.latestId(SINGLE, alice.userId), 0);

    for (const msgIdBegin of [0, 3, 2 ** 32 - 1]) {
      const asked = { sessionType: SINGLE, sessionId: alice.userId, msgIdBegin };
      const { msgList, ...echoed } = await bob.ask(message.list, { userId: 0, ...asked, msgCnt: 1 });
      t.strictSame(plain(echoed), { userId: bob.userId, ...asked }, 'the answer says what was asked');
      const newest = msgIdBegin === 3 ? 3 : 230;
      t.strictSame(plain(msgList), [
        {
          msgId: newest,
          fromSessionId: alice.userId,
          createTime: msgList[0]!.createTime,
          msgType: TEXT,
          msgData: encryptText(`text ${newest}`).toString('hex'),
        },
      ]);
    }
  });

  await t.test('cannot be looked up by those whom they do not concern', async (t) => {
    const [alice, bob] = [await cluster.login(somebody()), await cluster.login(somebody())];
    const carol = await cluster.login(somebody());
    await sayAll(alice, bob, ['for bob alone', 'and again']);
    const groupId = await cluster.storage.groups.add({
      name: 'without carol',
      type: 1,
      memberIds: [alice.userId, bob.userId],
    });
    const inGroup = await cluster.login(PEOPLE[alice.userId - 1]!, { clientType: IOS });
    await inGroup.sayGroup(groupId, 'for the group alone');
    t.match(await alice.history(GROUP, groupId), [{ text: 'for the group alone' }], 'a member can');
    for (const userId of [0, alice.userId, bob.userId]) {
      for (const [sessionType, sessionId] of [
        [SINGLE, alice.userId],
        [SINGLE, bob.userId],
        [SINGLE, carol.userId],
        [SINGLE, 0],
        [SINGLE, 2 ** 31],
        [SINGLE, 2 ** 32 - 1],
        [GROUP, groupId],
        [GROUP, 0],
        [GROUP, alice.userId],
        [GROUP, 2 ** 31],
        [GROUP, 2 ** 32 - 1],
      ] as const) {
        const asked = { userId, sessionType, sessionId };
        const answer = { userId: carol.userId, sessionType, sessionId };
        const name = `${sessionType === SINGLE ? 'user' : 'group'} ${sessionId} as ${userId}`;
        const list = await carol.ask(message.list, { ...asked, msgIdBegin: 0, msgCnt: 10 });
        t.strictSame(plain(list), { ...answer, msgIdBegin: 0, msgList: [] }, `page of ${name}`);
        const byId = await carol.ask(message.byId, { ...asked, msgIdList: [1, 2] });
        t.strictSame(plain(byId), { ...answer, msgList: [] }, `ids of ${name}`);
        const latest = await carol.ask(message.latestId, asked);
        t.strictSame(plain(latest), { ...answer, latestMsgId: 0 }, `latest of ${name}`);
      }
    }
    t.strictSame(await carol.unread(), { total: 0, list: [] });
    t.strictSame(await carol.recentSessions(), []);
  });

  // ------------------------------------------------------------------------------------------------- recent sessions

  await t.test('make a list of conversations, newest first', async (t) => {
    const alice = await cluster.login(somebody());
    const [bob, carol] = [await cluster.login(somebody(), { at: 1 }), await cluster.login(somebody())];
    t.strictSame(await alice.recentSessions(), []);
    await bob.say(alice.userId, 'from bob');
    await nextSecond();
    const before = Math.floor(Date.now() / 1000);
    await alice.sendData(carol.userId, VOICE, Buffer.from([0, 0, 0, 1, 9]));
    const sessions = await alice.recentSessions();
    const entry = {
      sessionType: SINGLE,
      sessionStatus: IM.BaseDefine.SessionStatusType.SESSION_STATUS_OK,
      latestMsgId: 1,
    };
    const times = sessions.map((each) => each.updatedTime);
    t.ok(times[0]! >= before && times[0]! <= before + 2, 'the time of its last message');
    t.ok(times[1]! < before);
    t.strictSame(plain(sessions), [
      plain({
        sessionId: carol.userId,
        ...entry,
        updatedTime: times[0],
        latestMsgData: encryptText('[语音]'),
        latestMsgType: VOICE,
        latestMsgFromUserId: alice.userId,
      }),
      plain({
        sessionId: bob.userId,
        ...entry,
        updatedTime: times[1],
        latestMsgData: encryptText('from bob'),
        latestMsgType: TEXT,
        latestMsgFromUserId: bob.userId,
      }),
    ]);
    t.match(await carol.recentSessions(), [{ sessionId: alice.userId, latestMsgFromUserId: alice.userId }]);

    const since = async (time: number) => (await alice.recentSessions(time)).map((each) => each.sessionId);
    t.strictSame(await since(times[1]! - 1), [carol.userId, bob.userId]);
    t.strictSame(await since(times[1]!), [carol.userId], 'strictly later ones');
    t.strictSame(await since(times[0]!), []);
    t.strictSame(await since(2 ** 32 - 1), []);
    await nextSecond();
    await bob.say(alice.userId, 'again');
    t.strictSame(await since(times[0]!), [bob.userId], 'a new message brings it up');
    t.strictSame(await since(0), [bob.userId, carol.userId]);
  });

  await t.test('of more than 100 conversations list the newest 100', async (t) => {
    const alice = await cluster.login(somebody());
    const others = range(1, PEOPLE.length)
      .filter((id) => id !== alice.userId)
      .slice(-105);
    for (const [index, id] of others.entries()) {
      await store(cluster, id, alice.userId, `from ${id}`);
      if (index % 5 !== 4) continue;
      const now = Date.now();
      await until(() => Date.now() > now, 'the clock to go on');
    }
    const sessions = await alice.recentSessions();
    t.equal(sessions.length, 100);
    const oldest = new Set(others.slice(0, 5));
    t.notOk(
      sessions.some((each) => oldest.has(each.sessionId)),
      'the oldest five are left out',
    );
    t.equal(new Set(sessions.map((each) => each.sessionId)).size, 100);
    t.strictSame(new Set(sessions.slice(0, 5).map((each) => each.sessionId)), new Set(others.slice(-5)));
    const unread = await alice.unread();
    t.equal(unread.total, 105, 'unread ones are all told');
    t.equal(unread.list.length, 105);
  });

  await t.test('bring back a conversation that was taken off the list', async (t) => {
    const name = somebody();
    const pc = await cluster.login(name);
    const phone = await cluster.login(name, { at: 1, clientType: IOS });
    const bob = await cluster.login(somebody(), { at: 1 });
    const stranger = await cluster.login(somebody());
    const [phoneFrames, bobFrames] = [listenTo(phone), listenTo(bob)];
    const request = { userId: 0, sessionType: SINGLE, sessionId: bob.userId };
    const answer = { userId: pc.userId, resultCode: 0, sessionType: SINGLE, sessionId: bob.userId };
    const remove = async (client: Client, sessionId = bob.userId) =>
      plain(await client.ask(buddy.removeSession, { ...request, sessionId }));
    const listed = async (client: Client) => (await client.recentSessions()).map((each) => each.sessionId);

    await sayAll(bob, pc, ['one', 'two']);
    t.strictSame(await remove(pc), answer);
    const notice = { userId: pc.userId, sessionType: SINGLE, sessionId: bob.userId };
    t.strictSame(plain(await phone.next(buddy.removeSessionNotify)), notice);
    t.strictSame(await listed(pc), []);
    t.strictSame(await listed(phone), []);
    t.strictSame(await pc.unread(), { total: 0, list: [] }, 'nothing in it is unread');
    t.strictSame(await listed(bob), [pc.userId], 'the other side keeps it');
    t.strictSame(
      (await pc.history(SINGLE, bob.userId)).map((each) => each.text),
      ['two', 'one'],
      'and it is not deleted',
    );

    t.strictSame(await remove(pc), { ...answer, resultCode: 1 }, 'it cannot be taken off twice');
    for (const id of [stranger.userId, pc.userId, 0, 2 ** 31, 2 ** 32 - 1])
      t.strictSame(await remove(pc, id), { ...answer, resultCode: 1, sessionId: id }, `user ${id} was not on it`);

    await bob.say(pc.userId, 'three');
    t.strictSame(await listed(pc), [bob.userId], 'the next message brings it back');
    t.match(await pc.unread(), { total: 1, list: [{ unreadCnt: 1, latestMsgId: 3 }] });

    // iOS asks under the number of the answer.
    const iosFrames = listenTo(phone);
    const bytes = encodeFrame({ ...buddy.removeSession, id: buddy.removeSession.reply.id }, 0x1234, request);
    phone.sendFrame(bytes);
    t.strictSame(plain(await pc.next(buddy.removeSessionNotify)), notice);
    const [reply] = only(iosFrames, buddy.removeSession.reply);
    t.equal(reply!.seq, 0x1234);
    t.strictSame(plain(decodeBody(buddy.removeSession.reply, reply!.body)), answer);
    t.strictSame(await listed(phone), []);
    await pc.say(bob.userId, 'four');
    t.strictSame(await listed(phone), [bob.userId], 'so does an own one');

    const notices = only(phoneFrames, buddy.removeSessionNotify);
    t.strictSame(
      notices.map((frame) => [frame.seq, fieldsOf(frame.body)]),
      [[0, [1, 2, 3]]],
      'told once',
    );
    t.strictSame(only(bobFrames, buddy.removeSessionNotify), []);
  });

  // -------------------------------------------------------------------------------------------------- who is asking

  await t.test('whatever user id a request names, it is that of the session', async (t) => {
    const alice = await cluster.login(somebody());
    const bob = await cluster.login(somebody(), { at: 1 });
    const victim = await cluster.login(somebody());
    await sayAll(bob, alice, ['one', 'two']);
    await sayAll(bob, victim, ['secret']);
    const single = { sessionType: SINGLE, sessionId: bob.userId };
    const attachData = Buffer.from('not for the server');
    type Question = Ask<never, unknown, never, unknown>;
    const questions: readonly (readonly [Question, object])[] = [
      [message.unreadCount as Question, {}],
      [message.list as Question, { ...single, msgIdBegin: 0, msgCnt: 10 }],
      [message.latestId as Question, single],
      [message.byId as Question, { ...single, msgIdList: [1, 2] }],
      [buddy.recentSessions as Question, { latestUpdateTime: 0 }],
      [buddy.usersInfo as Question, { userIdList: [alice.userId] }],
      [buddy.usersStatus as Question, { userIdList: [alice.userId] }],
      [buddy.allUsers as Question, { latestUpdateTime: 2 ** 31 }],
      [buddy.departments as Question, { latestUpdateTime: 0 }],
    ];
    const answerFrames = listenTo(alice);
    for (const [question, asked] of questions) {
      const answers: unknown[] = [];
      for (const userId of [alice.userId, 0, victim.userId, 2 ** 32 - 1])
        answers.push(plain(await alice.ask(question, { ...asked, userId, attachData } as never)));
      t.match(answers[0], { userId: alice.userId }, question.name);
      for (const answer of answers) t.strictSame(answer, answers[0], question.name);
      const frames = only(answerFrames, question.reply);
      t.equal(frames.length, 4);
      for (const frame of frames) {
        t.strictSame([frame.service, frame.reserved], [frame.command >>> 8, 0], 'nothing of ours in the header');
        t.notOk(fieldsOf(frame.body).includes(20), 'nor in the body');
      }
    }
    const frames = listenTo(alice);
    for (const [index, fromUserId] of [0, victim.userId, bob.userId].entries()) {
      alice.sendFrame(draft(bob.userId, { fromUserId, attachData, msgId: 99, createTime: 5 }, 10 + index));
      await acksAfter(alice, frames, index + 1);
      const heard = await bob.heard();
      t.match(heard, { fromUserId: alice.userId, sessionId: alice.userId, msgId: 3 + index });
      t.not(heard.createTime, 5);
    }
    t.strictSame(await victim.latestId(SINGLE, bob.userId), 1, 'nobody else is involved');
    t.equal((await victim.unread()).total, 1);
  });

  await t.test('as long as they may be, do not make a frame that Android cannot take', async (t) => {
    const name = somebody();
    const friends = await Promise.all(range(1, 6).map(() => cluster.login(somebody())));
    const id = PEOPLE.indexOf(name) + 1;
    const long = '长'.repeat(24_000); // 96 kB on the wire
    for (const friend of friends) for (const _ of [1, 2]) await friend.say(id, long);
    for (const _ of range(1, 6)) await friends[0]!.say(id, long);
    const android = await cluster.login(name, { clientType: ANDROID });
    const frames = listenTo(android);

    const [sessions, unread] = [await android.recentSessions(), await android.unread()];
    t.equal(sessions.length, 6);
    t.equal(unread.list.length, 6);
    for (const { latestMsgData } of [...sessions, ...unread.list]) {
      const preview = decryptText(latestMsgData);
      t.ok(preview !== undefined && preview.length > 100 && long.startsWith(preview), 'a preview is its beginning');
    }
    const found: (number | string | undefined)[][] = [];
    for (let begin = 0; begin !== 1; begin = Number(found.at(-1)![0])) {
      const page = await android.history(SINGLE, friends[0]!.userId, begin === 0 ? 0 : begin - 1, 20);
      found.push(...page.map((each) => [each.msgId, each.text]));
    }
    t.strictSame(
      found,
      range(8, 1).map((msgId) => [msgId, long]),
      'history comes in smaller pages, without a hole',
    );
    const byId = await android.messagesById(SINGLE, friends[0]!.userId, range(1, 8));
    t.strictSame(
      byId.map((each) => each.msgId),
      range(8, 9 - byId.length),
    );
    t.ok(byId.length > 1);
    const largest = Math.max(...frames.map((frame) => frame.bytes.length));
    t.ok(largest <= ANDROID_FRAME_SIZE_LIMIT, `${largest} bytes`);
    t.notOk(android.isClosed);
  });
});

t.test('a client that sends too fast waits for its turn, and loses nothing', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msg: { sendsPerSecond: 40 } });
  const [alice, bob] = [await cluster.login('alice'), await cluster.login('bob')];
  const started = performance.now();
  t.strictSame(await sayAll(alice, bob, range(1, 60).map(String)), range(1, 60));
  const ms = performance.now() - started;
  t.ok(ms > 400 && ms < 2_000, `20 over the rate took ${Math.round(ms)} ms`);
  t.strictSame(
    (await heardOf(bob, 60)).map((each) => each.text),
    range(1, 60).map(String),
  );
});

t.test('what a server asked for that is dead by the time it is stored is told to those who are online', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const bob = await cluster.login('bob');
  const meta = new pg.Client(cluster.databaseUrl);
  await meta.connect();
  t.teardown(() => meta.end());
  const bucket = bucketOf(singleConversation(1, 2));
  const fence = (state: string) => meta.query('update shard.bucket set state = $2 where bucket = $1', [bucket, state]);
  await fence('fenced'); // as on a move
  const told: number[] = [];
  const heard = commandTable<never, Link>([
    hear(clusterService.disturbed, (_ctx, { sinceMs }) => void told.push(sinceMs)),
  ]);
  const [dying, other] = [cluster.linksAs('msg', 'db-proxy'), cluster.linksAs('msg', 'db-proxy', heard)];
  await until(() => dying.open && other.open, 'the links');
  const askedMs = Date.now();
  for (const [i, text] of ['my last words', 'and these'].entries()) {
    const asked = dying.ask(clusterService.storeMessage, {
      fromUserId: 1,
      sessionType: SINGLE,
      toSessionId: 2,
      msgType: TEXT,
      msgData: encryptText(text),
      sendId: Buffer.alloc(16, i),
    });
    asked.catch(() => undefined);
  }
  const isWaiting = async () => (await cluster.metric('db-proxy-1', 'append_waiting')) === 2;
  await until(isWaiting, 'the messages to wait for their bucket');
  t.strictSame(told, []);
  dying.close();
  await until(() => told.length > 0, 'msg servers to be told to look');
  t.ok(told[0]! >= askedMs - 100 && told[0]! <= Date.now(), 'since it was heard last');
  const beforeMs = Date.now();
  await fence('open');
  await until(() => told.length > 1, 'msg servers to be told to look once more');
  t.ok(told[1]! >= beforeMs && told[1]! <= Date.now(), 'since they were stored');
  t.strictSame(
    (await heardOf(bob, 2)).map((each) => each.text),
    ['my last words', 'and these'],
  );
  await other.ask(clusterService.userGroups, { userId: 1 }); // what was told before has been heard by now
  t.equal(told.length, 2, 'one word for both');
});

t.test('what a look finds here before its answer has come is still told to the other servers', async (t) => {
  const groups = [{ name: 'all', memberIds: [1, 2, 3, 4] }];
  const looked: string[] = [];
  const logged = (line: string) => line.includes('looked for missed') && looked.push(JSON.parse(line).server);
  const cluster = await TestCluster.start(t, postgres, { dbProxies: 2, groups, logged });
  const [first, second] = cluster.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port }));
  const slow = await FaultProxy.start(t, second!);
  // Looks go to the first db-proxy, and so do messages of conversations in even buckets.
  await cluster.addMsgServer({ msg: { dbProxies: [first!, { host: '127.0.0.1', port: slow.port }] } });
  await cluster.addMsgServer({ msg: { dbProxies: [second!] } }); // the first one does not tell it to look
  const isOdd = (conversation: bigint) => bucketOf(conversation) % 2 === 1;
  const receiver = ['bob', 'carol', 'dave'].find((_, i) => isOdd(singleConversation(1, i + 2)))!;
  const alice = await cluster.login('alice', { at: 1 });
  const phone = await cluster.login('alice', { at: 1, clientType: IM.BaseDefine.ClientType.CLIENT_TYPE_ANDROID });
  const there = await cluster.login(receiver, { at: 2 });
  const passing = cluster.linksAs('msg', 'db-proxy');
  await until(() => passing.open, 'the link');
  await until(() => looked.includes('msg-2') && looked.includes('msg-3'), 'both to look once, as at each start');
  slow.part('back');
  const said = [alice.say(there.userId, 'only to you')];
  if (isOdd(groupConversation(1))) said.push(alice.sayGroup(1, 'to all'));
  const meta = new pg.Client(cluster.databaseUrl);
  await meta.connect();
  t.teardown(() => meta.end());
  const isStored = async () => (await meta.query('select from shard.message')).rowCount === said.length;
  await until(isStored, 'the messages to be stored');
  passing.close(); // a msg server leaves, and those that the first db-proxy knows look for what it may have left behind
  const texts = async (client: Client) => (await heardOf(client, said.length)).map(({ text }) => text).sort();
  const found = await texts(phone);
  const more: string[] = [];
  phone.on('message', ({ text }) => more.push(text!));
  slow.heal();
  await Promise.all(said);
  t.strictSame(await texts(there), found);
  await phone.latestId(SINGLE, there.userId);
  t.strictSame(more, [], 'and nobody is told twice');
});
