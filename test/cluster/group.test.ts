/** Groups: who may change them, who hears of it, who may read and write; the people on one msg server and on several. */
import t, { type Test } from 'tap';
import type { Client } from '../../common/client/client.js';
import { ImError } from '../../common/errors.js';
import { GROUP_MEMBERS_MAX, GROUP_NAME_SIZE_MAX } from '../../common/limits.js';
import { buddy, group, message } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { TestCluster, until } from '../support/cluster.js';
import { listenTo, only, plain } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';

const { ClientType, GroupModifyType, GroupType, MsgType, SessionType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = SessionType;
const { GROUP_MODIFY_TYPE_ADD: ADD, GROUP_MODIFY_TYPE_DEL: DEL } = GroupModifyType;
const { GROUP_TYPE_NORMAL: FIXED, GROUP_TYPE_TMP: TEMPORARY } = GroupType;
const { CLIENT_TYPE_IOS: IOS, CLIENT_TYPE_ANDROID: ANDROID } = ClientType;

const postgres = await testPostgres(t);

// ------------------------------------------------------------------------------------------------------- helpers

function create(client: Client, memberIdList: readonly number[], over: Partial<IM.Group.IMGroupCreateReq> = {}) {
  const request = { userId: 0, groupType: TEMPORARY, groupName: 'a group', groupAvatar: '', memberIdList, ...over };
  return client.ask(group.create, request);
}

function change(client: Client, changeType: IM.BaseDefine.GroupModifyType, groupId: number, ids: readonly number[]) {
  return client.ask(group.changeMember, { userId: 0, changeType, groupId, memberIdList: ids });
}

/** Waits until none of them hears anything of what was done so far: the routes keep the order. */
async function settled(...clients: readonly Client[]): Promise<void> {
  for (const client of clients) await client.usersStatus([1]);
  for (const client of clients) await client.time();
}

function changesHeard(client: Client): number {
  return only(client.unconsumed, group.memberNotify).length;
}

/** No ack: the wire has no other word for it. */
async function unheard(t: Test, client: Client, groupId: number, text: string): Promise<void> {
  const saying = client.sayGroup(groupId, text, { timeoutMs: 300 });
  await t.rejects(saying, ImError, 'not acknowledged');
}

// ---------------------------------------------------------------------------------------------------- a group's life

t.test('groups', async (t) => {
  const users = ['alice', 'bob', 'carol', 'dave', 'eve'];
  const fixed = { name: 'fixed', memberIds: [1, 2, 3] };
  const cluster = await TestCluster.start(t, postgres, { msgServers: 3, users, groups: [fixed] });
  for (const [where, at] of [
    ['on one msg server', [0, 0, 0, 0]],
    ['on two, the second device on a third', [0, 2, 1, 1]],
  ] as const) {
    await t.test(`a life ${where}`, async (t) => {
      const alice = await cluster.login('alice', { at: at[0] });
      const phone = await cluster.login('alice', { at: at[1], clientType: IOS });
      const bob = await cluster.login('bob', { at: at[2] });
      const bobsPhone = await cluster.login('bob', { at: at[0], clientType: ANDROID });
      const carol = await cluster.login('carol', { at: at[3] });
      const dave = await cluster.login('dave', { at: at[0] });
      await aLife(t, { alice, phone, bob, bobsPhone, carol, dave });
      for (const client of [alice, phone, bob, bobsPhone, carol, dave]) await client.logout();
    });
  }
  await t.test('rules', (t) => rules(t, cluster));
  await t.test('fixed ones', (t) => fixedOnes(t, cluster));
});

interface People {
  readonly alice: Client;
  readonly phone: Client;
  readonly bob: Client;
  readonly bobsPhone: Client;
  readonly carol: Client;
  readonly dave: Client;
}

async function aLife(t: Test, { alice, phone, bob, bobsPhone, carol, dave }: People): Promise<void> {
  // Made: all devices of all members hear of it but the one that made it; strangers hear nothing.
  const made = await create(alice, [bob.userId]);
  t.match(made, { resultCode: 0, userIdList: [1, 2] }, 'who makes it is in it without being listed');
  const groupId = made.groupId!;
  for (const client of [phone, bob, bobsPhone])
    t.strictSame(plain(await client.next(group.memberNotify)), {
      userId: 1,
      changeType: ADD,
      groupId,
      curUserIdList: [1, 2],
      chgUserIdList: [1, 2],
    });

  // Text and voice to everybody but the sending device, under the ids of the acks.
  const voice = Buffer.from([0, 0, 0, 9, 0xfe, 0, 1]);
  t.equal((await alice.sayGroup(groupId, 'before carol')).msgId, 1);
  t.equal((await bob.sendData(groupId, MsgType.MSG_TYPE_GROUP_AUDIO, voice)).msgId, 2);
  for (const client of [phone, bobsPhone]) {
    t.match(await client.heard(), { msgId: 1, sessionType: GROUP, sessionId: groupId, text: 'before carol' });
    t.match(await client.heard(), { msgId: 2, fromUserId: 2, data: voice });
  }
  t.match(await alice.heard(), { msgId: 2 }, 'not its own');
  t.match(await bob.heard(), { msgId: 1 }, 'not its own');

  // Whoever comes later reads from his joining on, and has nothing unread.
  t.match(await change(bob, ADD, groupId, [3]), { resultCode: 0, curUserIdList: [1, 2, 3], chgUserIdList: [3] });
  for (const client of [alice, phone, bobsPhone, carol])
    t.strictSame(plain(await client.next(group.memberNotify)), {
      userId: 2,
      changeType: ADD,
      groupId,
      curUserIdList: [1, 2, 3],
      chgUserIdList: [3],
    });
  t.strictSame(await carol.history(GROUP, groupId), []);
  t.strictSame(await carol.messagesById(GROUP, groupId, [1, 2]), []);
  t.equal(await carol.latestId(GROUP, groupId), 0);
  t.notOk((await carol.unread()).list.some((each) => each.sessionId === groupId));
  await alice.sayGroup(groupId, 'welcome');
  t.match(await carol.heard(), { msgId: 3, text: 'welcome' });
  t.strictSame(
    (await carol.history(GROUP, groupId)).map((each) => each.msgId),
    [3],
  );
  t.match(await carol.unread(), { list: [{ sessionType: GROUP, sessionId: groupId, unreadCnt: 1, latestMsgId: 3 }] });
  const mine = (await alice.unread()).list.filter((each) => each.sessionId === groupId);
  t.strictSame(mine, [], 'sending is reading');

  // A mark on one device is a mark on the other.
  bob.markRead(GROUP, groupId, 3);
  t.match(await bobsPhone.next(message.readNotify), { sessionType: GROUP, sessionId: groupId, msgId: 3 });

  // Off the list, and on it again with the next message, whoever says it.
  t.ok(await carol.removeSession(GROUP, groupId));
  const listed = async () => (await carol.recentSessions()).some((each) => each.sessionId === groupId);
  t.notOk(await listed());
  t.equal((await carol.unread()).list.filter((each) => each.sessionId === groupId).length, 0);
  await bob.sayGroup(groupId, 'carol?');
  t.ok(await listed(), 'a message of somebody else brings it back');
  t.match(await carol.heard(), { text: 'carol?' });

  // The shield is everybody's own, and shows in the group's data.
  t.match(await carol.ask(group.shield, { userId: 1, groupId, shieldStatus: 1 }), { userId: 3, resultCode: 0 });
  t.match(await carol.groupsInfo([groupId]), [{ shieldStatus: 1, version: 2 }]);
  t.match(await bob.groupsInfo([groupId]), [{ shieldStatus: 0 }]);

  // Somebody removed: he is told, with his id last, and then neither reads nor writes nor hears.
  await settled(alice, phone, bob, bobsPhone, carol, dave);
  const [carolFrames, daveFrames] = [listenTo(carol), listenTo(dave)];
  await change(alice, ADD, groupId, [4]);
  await dave.next(group.memberNotify);
  const gone = await change(alice, DEL, groupId, [4, 3]);
  t.match(gone, { resultCode: 0, curUserIdList: [1, 2], chgUserIdList: [3, 4] });
  for (const client of [carol, dave]) {
    const wanted = (it: IM.Group.IMGroupChangeMemberNotify) => it.changeType === DEL;
    const told = await client.next(group.memberNotify, wanted);
    t.match(told, { groupId, curUserIdList: [1, 2], chgUserIdList: { length: 2 } });
    t.equal(told.chgUserIdList.at(-1), client.userId, 'Windows looks for itself at the end');
  }
  for (const client of [phone, bob, bobsPhone])
    t.match(await client.next(group.memberNotify, (it) => it.changeType === DEL), { chgUserIdList: [3, 4] });
  for (const client of [carol, dave]) {
    t.strictSame(await client.history(GROUP, groupId), []);
    t.strictSame(await client.messagesById(GROUP, groupId, [3, 4]), []);
    t.equal(await client.latestId(GROUP, groupId), 0);
    t.strictSame(await client.groupsInfo([groupId]), []);
    t.notOk((await client.recentSessions()).some((each) => each.sessionId === groupId && each.sessionType === GROUP));
    t.notOk(await client.removeSession(GROUP, groupId), 'no word on whether there is anything');
    await unheard(t, client, groupId, 'let me in');
  }
  await alice.sayGroup(groupId, 'among us');
  for (const client of [phone, bob, bobsPhone]) await client.heard((it) => it.text === 'among us');
  await settled(carol, dave);
  t.strictSame([...only(carolFrames, message.data), ...only(daveFrames, message.data)], [], 'nothing more');
  t.equal(await alice.latestId(GROUP, groupId), 5, 'nor was anything of theirs stored');

  // Whoever comes back begins anew.
  await change(bob, ADD, groupId, [3]);
  t.strictSame(await carol.history(GROUP, groupId), []);
  await bob.sayGroup(groupId, 'again');
  t.match(await carol.heard(), { msgId: 6, text: 'again' });
  t.strictSame(
    (await carol.history(GROUP, groupId)).map((each) => each.msgId),
    [6],
  );
}

async function rules(t: Test, cluster: TestCluster): Promise<void> {
  const [alice, bob, carol] = [
    await cluster.login('alice'),
    await cluster.login('bob', { at: 1 }),
    await cluster.login('carol'),
  ];
  const people = [alice, bob, carol];

  const refused: readonly [string, Partial<IM.Group.IMGroupCreateReq> & { memberIdList?: number[] }][] = [
    ['without a name', { groupName: '' }],
    ['without members', { memberIdList: [] }],
    ['with a name that is too long', { groupName: 'x'.repeat(GROUP_NAME_SIZE_MAX + 1) }],
    ['with a name that cannot be kept', { groupName: 'a\0b' }],
    ['of the fixed kind', { groupType: FIXED }],
    ['with too many members', { memberIdList: Array.from({ length: GROUP_MEMBERS_MAX + 1 }, (_, i) => i + 10) }],
  ];
  for (const [what, over] of refused) {
    const answer = await create(alice, [2], over);
    t.match(answer, { userId: 1, resultCode: 1, groupId: undefined, groupName: over.groupName ?? 'a group' }, what);
  }
  const odd = await create(alice, [2, 2, 999, 0, 2 ** 31, 2 ** 32 - 1, 3]);
  t.match(odd, { resultCode: 0, userIdList: [1, 2, 3] }, 'those who exist, once');
  const groupId = odd.groupId!;

  const denied = (client: Client, type: IM.BaseDefine.GroupModifyType, ids: number[], id = groupId) => {
    const answer = { userId: client.userId, changeType: type, resultCode: 1, groupId: id };
    return async (what: string) =>
      t.strictSame(
        plain(await change(client, type, id, ids)),
        { ...answer, curUserIdList: [], chgUserIdList: [] },
        what,
      );
  };
  const eve = await cluster.login('eve', { at: 2 });
  await settled(...people, eve);
  const heardBefore = people.map(changesHeard);
  await denied(eve, ADD, [5])('a stranger adds nobody, not himself either');
  await denied(eve, DEL, [2])('nor removes');
  await denied(eve, DEL, [5])('nor leaves what he is not in');
  await denied(bob, DEL, [3])('a member removes nobody else');
  await denied(bob, DEL, [2, 3])('nor along with himself');
  await denied(bob, ADD, [2, 3])('those who are in it cannot be added');
  await denied(bob, ADD, [])('nobody is no change');
  await denied(alice, DEL, [4])('nor can be removed who is not in it');
  await denied(alice, DEL, [1])('the creator stays');
  for (const id of [999_999, 0, 2 ** 31, 2 ** 32 - 1]) await denied(alice, ADD, [4], id)(`no group ${id}`);
  const many = Array.from({ length: GROUP_MEMBERS_MAX + 1 }, (_, i) => i + 1);
  await denied(alice, ADD, many)('more than a group may have');
  await denied(alice, DEL, many)('nor so many removed');
  await settled(...people);
  t.strictSame(people.map(changesHeard), heardBefore, 'nobody hears of what did not happen');
  t.match(await alice.groupsInfo([groupId]), [{ version: 1, groupMemberList: [1, 2, 3] }]);

  const both = await change(alice, DEL, groupId, [1, 3]);
  t.match(both, { resultCode: 0, curUserIdList: [1, 2], chgUserIdList: [3] }, 'the others go, the creator stays');
  t.match(await change(bob, DEL, groupId, [2]), { resultCode: 0, curUserIdList: [1] }, 'everybody else may leave');
  await unheard(t, bob, groupId, 'one more thing');
  t.match(await alice.groupsInfo([groupId]), [{ version: 3, groupMemberList: [1] }]);
  for (const id of [groupId, 999_999, 0])
    t.match(await bob.ask(group.shield, { userId: 1, groupId: id, shieldStatus: 1 }), { resultCode: 1, groupId: id });
  for (const client of [...people, eve]) await client.logout();
}

async function fixedOnes(t: Test, cluster: TestCluster): Promise<void> {
  const memberIds = [1, 2];
  const groupId = await cluster.storage.groups.add({ name: 'led by alice', creatorId: 1, type: 1, memberIds });
  const outside = await cluster.storage.groups.add({ name: 'led from outside', creatorId: 3, type: 1, memberIds });
  const [alice, bob, carol] = [
    await cluster.login('alice'),
    await cluster.login('bob', { at: 1 }),
    await cluster.login('carol', { at: 2 }),
  ];
  t.match(await change(bob, ADD, groupId, [3]), { resultCode: 1 }, 'a member does not add to a fixed one');
  t.match(await change(alice, ADD, groupId, [3]), { resultCode: 0, curUserIdList: [1, 2, 3] }, 'its creator does');
  t.match(await carol.next(group.memberNotify, (it) => it.groupId === groupId), { chgUserIdList: [3] });
  t.match(await change(carol, ADD, outside, [3]), { resultCode: 1 }, 'not one who is not in it');
  t.match(await change(carol, DEL, outside, [1]), { resultCode: 1 });
  const list = await carol.ask(group.normalList, { userId: 1 });
  t.strictSame(plain(list), {
    userId: 3,
    groupVersionList: [
      { groupId: 1, version: 1 },
      { groupId, version: 2 },
    ],
  });
  const tmp = (await create(carol, [1])).groupId!;
  t.strictSame(plain(await carol.ask(group.normalList, { userId: 1 })), plain(list), 'temporary ones are not listed');

  // A device that was away hears of what left its list, besides what is new there.
  await bob.say(3, 'single');
  await carol.sayGroup(tmp, 'group');
  const since = Math.floor(Date.now() / 1000) - 1;
  t.ok((await carol.removeSession(SINGLE, 2)) && (await carol.removeSession(GROUP, tmp)));
  const phone = await cluster.login('carol', { clientType: IOS });
  const sessions = await phone.recentSessions(since);
  t.notOk(sessions.some((each) => each.sessionId === tmp || (each.sessionType === SINGLE && each.sessionId === 2)));
  await until(() => only(phone.unconsumed, buddy.removeSessionNotify).length >= 2, 'the removals');
  const removed = [await phone.next(buddy.removeSessionNotify), await phone.next(buddy.removeSessionNotify)];
  t.strictSame(removed.sort((a, b) => a.sessionType - b.sessionType).map(plain), [
    { userId: 3, sessionType: SINGLE, sessionId: 2 },
    { userId: 3, sessionType: GROUP, sessionId: tmp },
  ]);
  await phone.recentSessions(0);
  await settled(phone);
  t.equal(only(phone.unconsumed, buddy.removeSessionNotify).length, 0, 'whoever asks for all needs no removals');
  for (const client of [alice, bob, carol, phone]) await client.logout();
}
