/**
 * What clients should not send: every command with bodies that are none, lists that are too long, ids of what one may not
 * see. No answer says more to a stranger than that there is nothing.
 */
import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import type { Client } from '../../common/client/client.js';
import { groupConversation, singleConversation } from '../../common/conversation.js';
import {
  GROUPS_ASKED_MAX,
  HISTORY_PAGE_MAX,
  MESSAGE_IDS_ASKED_MAX,
  MESSAGES_BY_ID_MAX,
  P2P_SIZE_MAX,
  USERS_STATUS_ASKED_MAX,
} from '../../common/limits.js';
import { type Command, decodeBody } from '../../common/pdu/command.js';
import { buddy, group, message, switchService } from '../../common/pdu/commands.js';
import { frameOf } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { encryptText } from '../../common/text-cipher.js';
import { fromClients } from '../../servers/msg/commands.js';
import { TestCluster, until } from '../support/cluster.js';
import { databaseText } from '../support/database-text.js';
import { listenTo, only, plain } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';
import { samples } from '../support/samples.js';

const { ClientType, GroupModifyType, MsgType, SessionType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = SessionType;
const BEYOND = 2 ** 32 - 1;

const postgres = await testPostgres(t);

// ------------------------------------------------------------------------------------------------ bodies that are none

interface Bad {
  readonly command: number;
  readonly body: Buffer;
  readonly what: string;
}

/** A body field by field: number, wire type, bytes with the tag. */
function fieldsIn(body: Buffer): { field: number; wireType: number; bytes: Buffer }[] {
  const reader = protobuf.Reader.create(body);
  const fields = [];
  while (reader.pos < reader.len) {
    const from = reader.pos;
    const tag = reader.uint32();
    reader.skipType(tag & 7);
    fields.push({ field: tag >>> 3, wireType: tag & 7, bytes: body.subarray(from, reader.pos) });
  }
  return fields;
}

/** Without each of its fields, with each of another wire type, cut anywhere; of all these what is no such message. */
function badOnes(command: Command<never, unknown>, body: Buffer, id: number): Bad[] {
  const fields = fieldsIn(body);
  const numbers = [...new Set(fields.map((each) => each.field))];
  const with_ = (change: (each: (typeof fields)[number]) => Buffer) => Buffer.concat(fields.map(change));
  const other = (wireType: number, field: number) =>
    wireType === 0 ? Buffer.from([(field << 3) | 2, 1, 0xff]) : Buffer.from([field << 3, 1]);
  const variants = [
    ...numbers.map((n) => ({
      what: `without ${n}`,
      body: with_((it) => (it.field === n ? Buffer.alloc(0) : it.bytes)),
    })),
    ...numbers.map((n) => ({
      what: `${n} of another type`,
      body: with_((it) => (it.field === n ? other(it.wireType, n) : it.bytes)),
    })),
    ...Array.from(body, (_, length) => ({ what: `cut to ${length}`, body: body.subarray(0, length) })),
    { what: 'nonsense', body: Buffer.from('ffffffffffffffffffff01', 'hex') },
  ];
  return variants.filter((each) => !decodes(command, each.body)).map((each) => ({ ...each, command: id }));
}

function decodes(command: Command<never, unknown>, body: Buffer): boolean {
  try {
    decodeBody(command, body);
    return true;
  } catch {
    return false;
  }
}

t.test('a body that is none is not obeyed', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { groups: [{ name: 'all', memberIds: [1, 2] }] });
  const bob = await cluster.login('bob');
  await bob.say(1, 'hello');
  const legacy = await cluster.login('alice', { clientType: ClientType.CLIENT_TYPE_ANDROID });
  const newer = await cluster.login('alice', { capabilities: ['err1'] });
  const before = await databaseText(cluster);

  const asked = samples.filter(([command]) => fromClients.has(command.id));
  const missing = [...fromClients.keys()].filter(
    (id) => id !== 0x0103 && !asked.some(([command]) => command.id === id),
  );
  t.strictSame(missing, [], 'there is a sample of every command that is heard');
  const frames = listenTo(legacy);
  for (const [command, body] of asked) {
    // What iOS sends under the number of the answer is the request all the same.
    const read = fromClients.get(command.id)!.command.id === command.id ? command : buddy.removeSession;
    const actual = command.id === buddy.removeSession.reply.id ? buddy.removeSession : read;
    for (const bad of badOnes(actual as Command<never, unknown>, body, command.id)) {
      const from = frames.length;
      legacy.sendFrame(frameOf(bad.command, 77, bad.body));
      newer.sendFrame(frameOf(bad.command, 78, bad.body));
      const told = await newer.next(message.error);
      const expected = { commandId: command.id, seq: 78, code: 'BAD_REQUEST' };
      if (told.commandId !== expected.commandId || told.seq !== 78 || told.code !== expected.code || told.text === '')
        t.match(told, expected, `${command.name} ${bad.what}`);
      if (frames.length > from) t.strictSame(frames.slice(from).map(plain), [], `${command.name} ${bad.what}: silence`);
    }
    await legacy.time();
    t.ok(
      only(frames, message.error).length === 0 && !legacy.isClosed,
      `${command.name}: a legacy session hears nothing`,
    );
    frames.length = 0;
  }
  t.equal(await databaseText(cluster), before, 'and nothing has changed');
  await bob.logout();
});

// ------------------------------------------------------------------------------------- what one may not see, or is not

/** Asked of a group one is not in, and of one that is not there: the same answer but for the id. */
const hidden: readonly [string, (client: Client, groupId: number) => Promise<unknown>][] = [
  [
    'history',
    (it, id) => it.ask(message.list, { userId: 1, sessionType: GROUP, sessionId: id, msgIdBegin: 0, msgCnt: 10 }),
  ],
  ['latest id', (it, id) => it.ask(message.latestId, { userId: 1, sessionType: GROUP, sessionId: id })],
  ['by id', (it, id) => it.ask(message.byId, { userId: 1, sessionType: GROUP, sessionId: id, msgIdList: [1, 2] })],
  ['info', (it, id) => it.ask(group.info, { userId: 1, groupVersionList: [{ groupId: id, version: 0 }] })],
  ['shield', (it, id) => it.ask(group.shield, { userId: 1, groupId: id, shieldStatus: 1 })],
  ['remove session', (it, id) => it.ask(buddy.removeSession, { userId: 1, sessionType: GROUP, sessionId: id })],
  ...[GroupModifyType.GROUP_MODIFY_TYPE_ADD, GroupModifyType.GROUP_MODIFY_TYPE_DEL].map(
    (changeType): [string, (client: Client, groupId: number) => Promise<unknown>] => [
      `members ${changeType}`,
      (it, groupId) => it.ask(group.changeMember, { userId: 1, changeType, groupId, memberIdList: [it.userId] }),
    ],
  ),
];

t.test('a stranger learns nothing', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { groups: [{ name: 'secret', memberIds: [1, 2] }] });
  const alice = await cluster.login('alice');
  const bob = await cluster.login('bob');
  const eve = await cluster.login('dave');
  await alice.sayGroup(1, 'among us');
  await bob.heard();
  await alice.say(2, 'between us');
  const before = await databaseText(cluster);

  for (const [what, ask] of hidden) {
    const withoutId = async (id: number) => ({ ...(plain(await ask(eve, id)) as object), groupId: 0, sessionId: 0 });
    t.strictSame(await withoutId(1), await withoutId(999_999), what);
    for (const id of [0, 2 ** 31, BEYOND]) await ask(eve, id);
  }
  // Between two others there is no way to ask; with oneself there is nothing.
  for (const sessionId of [4, 0, 999_999, BEYOND]) {
    t.strictSame(await eve.history(SINGLE, sessionId), [], `history with ${sessionId}`);
    t.strictSame(await eve.messagesById(SINGLE, sessionId, [1]), []);
    t.equal(await eve.latestId(SINGLE, sessionId), 0);
    t.notOk(await eve.removeSession(SINGLE, sessionId));
  }
  for (const [sessionType, sessionId] of [
    [GROUP, 1],
    [GROUP, BEYOND],
    [SINGLE, 4],
    [SINGLE, 999_999],
  ] as const)
    eve.markRead(sessionType, sessionId, 1);
  const frames = [listenTo(alice), listenTo(bob)];
  const text = encryptText('forged');
  for (const [to, msgType] of [
    [1, MsgType.MSG_TYPE_GROUP_TEXT],
    [999_999, MsgType.MSG_TYPE_GROUP_TEXT],
    [BEYOND, MsgType.MSG_TYPE_GROUP_AUDIO],
    [4, MsgType.MSG_TYPE_SINGLE_TEXT],
    [999_999, MsgType.MSG_TYPE_SINGLE_TEXT],
    [0, MsgType.MSG_TYPE_SINGLE_AUDIO],
  ] as const)
    eve.tell(message.data, { fromUserId: 1, toSessionId: to, msgId: 7, createTime: 0, msgType, msgData: text }, 9);
  eve.tell(switchService.p2p, { fromUserId: 1, toUserId: 2, cmdMsgData: 'x'.repeat(P2P_SIZE_MAX + 1) });
  eve.tell(switchService.p2p, { fromUserId: 1, toUserId: BEYOND, cmdMsgData: '{}' });
  await until(() => eve.openAsks === 0, 'all answers');
  t.strictSame((await eve.unread()).list, []);
  t.strictSame(await eve.recentSessions(), []);
  for (const client of [alice, bob]) await client.usersStatus([1]);
  for (const heard of frames) t.strictSame([...only(heard, message.data), ...only(heard, switchService.p2p)], []);
  t.equal(only(eve.unconsumed, message.ack).length, 0, 'nothing was acknowledged');
  t.equal(await databaseText(cluster), before, 'and nothing has changed');

  // The door to a conversation is one's own id, whatever is written into the request.
  const asIfAlice = { userId: 1, sessionType: SINGLE, sessionId: 2, msgIdBegin: 0, msgCnt: 10 };
  t.strictSame((await eve.ask(message.list, asIfAlice)).msgList, []);
});

// ----------------------------------------------------------------------------------------------------- lists, in bounds

t.test('lists have bounds', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { groups: [{ name: 'two', memberIds: [1, 2] }] });
  const alice = await cluster.login('alice');
  const count = HISTORY_PAGE_MAX + 20;
  for (const id of [singleConversation(1, 2), groupConversation(1)])
    await Promise.all(Array.from({ length: count }, (_, i) => store(cluster, id, i)));
  for (const [type, sessionId] of [
    [SINGLE, 2],
    [GROUP, 1],
  ] as const) {
    const idsOf = (list: readonly { msgId: number }[]) => list.map((each) => each.msgId);
    const down = (from: number, length: number) => Array.from({ length }, (_, i) => from - i);
    for (const asked of [HISTORY_PAGE_MAX + 1, BEYOND])
      t.strictSame(
        idsOf(await alice.history(type, sessionId, 0, asked)),
        down(count, HISTORY_PAGE_MAX),
        `${asked} asked`,
      );
    t.strictSame(idsOf(await alice.history(type, sessionId, 3, BEYOND)), [3, 2, 1], 'down to the first');
    t.strictSame(idsOf(await alice.history(type, sessionId, BEYOND, 2)), [count, count - 1], 'from beyond the end');
    t.strictSame(await alice.history(type, sessionId, 5, 0), [], 'none asked');

    const all = down(count, count);
    t.strictSame(idsOf(await alice.messagesById(type, sessionId, all)), down(count, MESSAGES_BY_ID_MAX), 'the newest');
    t.strictSame(idsOf(await alice.messagesById(type, sessionId, all.reverse())), down(count, MESSAGES_BY_ID_MAX));
    t.strictSame(idsOf(await alice.messagesById(type, sessionId, [7, 7, 9, 0, BEYOND, count + 1, 2])), [9, 7, 2]);
    const absent = Array.from({ length: MESSAGE_IDS_ASKED_MAX }, (_, i) => count + 1 + i);
    t.strictSame(await alice.messagesById(type, sessionId, [...absent, 1]), [], 'the largest ones are looked up');

    alice.markRead(type, sessionId, BEYOND);
    await until(
      async () => (await alice.unread()).list.every((each) => each.sessionId !== sessionId),
      'all to be read',
    );
  }
  const asked = Array.from({ length: USERS_STATUS_ASKED_MAX + 1 }, (_, i) => i + 1);
  t.equal((await alice.usersStatus(asked)).length, USERS_STATUS_ASKED_MAX);
  const ids = [...Array.from({ length: GROUPS_ASKED_MAX }, (_, i) => i + 100), 1];
  t.strictSame(await alice.groupsInfo(ids), [], 'the first ones are looked up');
  t.match(await alice.groupsInfo(ids.slice(1)), [{ groupId: 1 }]);
});

async function store(cluster: TestCluster, conversationId: bigint, i: number): Promise<void> {
  const sendId = Buffer.alloc(16);
  sendId.writeUInt32BE(i + 1, 0);
  const msgType = conversationId === groupConversation(1) ? MsgType.MSG_TYPE_GROUP_TEXT : MsgType.MSG_TYPE_SINGLE_TEXT;
  await cluster.storage.append.store({ conversationId, senderId: 2, msgType, body: encryptText(`${i}`), sendId });
}

t.test('who asked for it hears why', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const newer = await cluster.login('alice', { capabilities: ['err1'] });
  newer.tell(switchService.p2p, { fromUserId: 1, toUserId: 2, cmdMsgData: 'x'.repeat(P2P_SIZE_MAX + 1) }, 5);
  const told = await newer.next(message.error);
  t.match(told, { commandId: switchService.p2p.id, seq: 5, code: 'BAD_REQUEST', text: /16385 bytes, 16384/ });
});
