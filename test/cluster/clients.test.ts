/**
 * A day of each of TeamTalk's own clients: found by HTTP, synchronised in its own order, in chats and groups with somebody
 * on another msg server while its user's other device is on a third, gone and back again. What comes is checked to the byte.
 */
import t, { type Test } from 'tap';
import type { Client } from '../../common/client/client.js';
import { buddy, group, login, message, switchService } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { decryptText } from '../../common/text-cipher.js';
import { TestCluster, until } from '../support/cluster.js';
import { plain } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';
import { KINDS, type Kind, StockClient } from '../support/stock-client.js';

const { ClientType, GroupModifyType, GroupType, KickReasonType, MsgType, SessionType, UserStatType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = SessionType;
const { GROUP_MODIFY_TYPE_ADD: ADD, GROUP_MODIFY_TYPE_DEL: DEL } = GroupModifyType;
const VOICE = Buffer.from([0, 0, 0, 7, 0xff, 0, 0x80]);
const MSG_SERVERS = 3;

const postgres = await testPostgres(t);

/** Who takes part in the day of one kind: people whom no other day knows, so that the days run side by side. */
interface Cast {
  readonly me: string;
  readonly bob: Client;
  readonly carol: Client;
  /** A fixed group of the three. */
  readonly groupId: number;
}

t.test('a day of', async (t) => {
  const users = KINDS.flatMap(({ name }) => [`${name}-me`, `${name}-bob`, `${name}-carol`]);
  const groups = KINDS.map(({ name }, i) => ({ name: `${name}s`, memberIds: [1, 2, 3].map((n) => i * 3 + n) }));
  const cluster = await TestCluster.start(t, postgres, { msgServers: MSG_SERVERS, users, groups });
  await cluster.storage.departments.add([{ name: 'top' }, { name: 'sub', parentId: 1 }]);
  for (const [i, kind] of KINDS.entries()) {
    await t.test(kind.name, async (t) => {
      const address = await discover(t, cluster);
      const at = cluster.msg.findIndex(({ port }) => port === address.port);
      const [next, third] = [1, 2].map((n) => (at + n) % MSG_SERVERS);
      const cast: Cast = {
        me: `${kind.name}-me`,
        bob: await cluster.login(`${kind.name}-bob`, { at: next! }),
        carol: await cluster.login(`${kind.name}-carol`, { at }),
        groupId: i + 1,
      };
      const device = await cluster.login(cast.me, { at: third!, clientType: otherClass(kind) });
      await aDayOf(t, kind, address, cast, device);
    });
  }
});

function otherClass({ clientType }: Kind): IM.BaseDefine.ClientType {
  return (clientType & 0x10) === 0 ? ClientType.CLIENT_TYPE_IOS : ClientType.CLIENT_TYPE_MAC;
}

/** As every one of them reads the answer: `port` as text, the store's URL twice and with its slash. */
async function discover(t: Test, cluster: TestCluster): Promise<{ host: string; port: number }> {
  const response = await fetch(`${cluster.loginHttp}/msg_server`);
  const found = (await response.json()) as Record<string, unknown>;
  t.match(found, { code: 0, msg: '', port: /^\d+$/, priorIP: '127.0.0.1', backupIP: '127.0.0.1' });
  t.match(found, { msfsPrior: /\/$/, msfsBackup: found.msfsPrior, discovery: /^http/ });
  return { host: String(found.priorIP), port: Number(found.port) };
}

async function aDayOf(
  t: Test,
  kind: Kind,
  address: { host: string; port: number },
  { me: name, bob, carol, groupId }: Cast,
  device: Client,
): Promise<void> {
  // The night before: two messages for me, one for the group, and somebody was removed from my list on the other device.
  await bob.say(device.userId, 'good morning');
  await bob.say(device.userId, 'are you there?');
  await bob.sayGroup(groupId, 'all hands');

  const me = await StockClient.connect(kind, address);
  await me.beat(); // iOS does so before it logs in
  const answer = await me.enter(name);
  t.match(answer, { resultCode: 0, resultString: '成功', onlineStatus: UserStatType.USER_STATUS_ONLINE });
  t.match(answer.userInfo, { userRealName: name, userId: device.userId });

  const stored = await initialSync(t, me, { bob, groupId });

  // Read to the end; the other device hears of it once.
  me.tell(message.readAck, { userId: me.writtenId, sessionId: bob.userId, msgId: 2, sessionType: SINGLE });
  t.match(await device.next(message.readNotify), { sessionId: bob.userId, msgId: 2, sessionType: SINGLE });
  me.tell(message.readAck, { userId: me.writtenId, sessionId: groupId, msgId: 1, sessionType: GROUP });
  t.match(await device.next(message.readNotify), { sessionId: groupId, msgId: 1, sessionType: GROUP });
  me.tell(message.readAck, { userId: me.writtenId, sessionId: bob.userId, msgId: 1, sessionType: SINGLE });
  t.equal((await me.ask(message.unreadCount, { userId: me.writtenId })).totalCnt, 0);

  await chat(t, me, bob, device);
  await groups(t, me, { bob, carol, device, groupId });
  await sessions(t, me, bob, device);
  await habits(t, me, bob, device);

  t.equal(device.unconsumed.filter((frame) => frame.command === message.readNotify.id).length, 0, 'no mark moved back');
  await leave(t, me);

  // Back in the afternoon, with what it keeps.
  const again = await StockClient.connect(kind, address);
  await again.enter(name);
  const users = await again.ask(buddy.allUsers, { userId: again.writtenId, latestUpdateTime: stored.usersTime });
  const changed = hearsSignatures(kind) ? [bob.userId] : [];
  t.strictSame(
    users.userList.map((user) => user.userId),
    changed,
    'who has changed since',
  );
  t.equal(users.latestUpdateTime > stored.usersTime, changed.length > 0, 'a greater time with a change, and only then');
  t.equal(await again.say(bob.userId, 'back'), 6, 'ids go on');
  t.match(await bob.heard((it) => it.text === 'back'), { msgId: 6 });

  // Its place is taken: told why, then closed.
  const successor = await StockClient.connect(kind, address);
  await successor.enter(name);
  t.match(await again.push(login.kick), { userId: me.userId, kickReason: KickReasonType.KICK_REASON_DUPLICATE_USER });
  t.equal(await again.closed, 'ended');
  t.notOk(device.isClosed, 'the device of the other class is not');
  await leave(t, successor);
  for (const client of [me, again, successor]) t.strictSame(client.faults, [], 'nothing that it could not bear');
  for (const client of [bob, carol, device]) await client.logout();
}

// --------------------------------------------------------------------------------------------------- after the log-in

interface Kept {
  readonly usersTime: number;
}

/** What each asks, in its own order and with its own habits; all of it is answered, with or without entries. */
async function initialSync(
  t: Test,
  me: StockClient,
  { bob, groupId }: { bob: Client; groupId: number },
): Promise<Kept> {
  const userId = me.writtenId;
  const allUsers = () => me.ask(buddy.allUsers, { userId, latestUpdateTime: 0 });
  const departments = () => me.ask(buddy.departments, { userId, latestUpdateTime: 0 });
  const list = () => me.ask(buddy.recentSessions, { userId, latestUpdateTime: 0 });
  const normalGroups = () => me.ask(group.normalList, { userId });
  const unread = () => me.ask(message.unreadCount, { userId });
  const info = () => me.ask(group.info, { userId, groupVersionList: [{ groupId, version: 0 }] });
  const status = (ids: number[]) => me.ask(buddy.usersStatus, { userId, userIdList: ids });
  const page = (count: number, seq?: number) => {
    const asked = { userId, sessionType: SINGLE, sessionId: bob.userId, msgIdBegin: 2, msgCnt: count };
    return me.ask(message.list, asked, seq === undefined ? {} : { seq });
  };
  /** In the order of the table; those of one row go out in one go. */
  const orders: Record<string, () => Promise<unknown[]>> = {
    async Windows() {
      const first = await Promise.all([departments(), allUsers(), normalGroups()]);
      return [
        ...first,
        ...(await Promise.all([list(), unread(), status([bob.userId, me.userId]), info()])),
        await page(100, 0xff03),
      ];
    },
    async mac() {
      const first = [await normalGroups(), await allUsers(), await departments(), await list()];
      const latest = await me.ask(message.latestId, { userId, sessionType: SINGLE, sessionId: bob.userId });
      t.equal(latest.latestMsgId, 2);
      return [...first, ...(await Promise.all([info(), unread()])), await page(20)];
    },
    async iOS() {
      const first = await Promise.all([allUsers(), allUsers(), list(), status([me.userId]), info()]);
      const token = await me.ask(login.deviceToken, { userId, deviceToken: `ios token of ${me.userId}` });
      t.equal(token.userId, me.userId, 'never an empty body');
      const asked = { userId, sessionType: SINGLE, sessionId: bob.userId, msgIdBegin: 0, msgCnt: 20 };
      return [
        ...first.slice(1),
        await unread(),
        await normalGroups(),
        await departments(),
        await me.ask(message.list, asked),
      ];
    },
    async Android() {
      const first = await Promise.all([departments(), allUsers(), list(), normalGroups(), unread()]);
      const msgIdList = [2, 1];
      const gap = await me.ask(message.byId, { userId, sessionType: SINGLE, sessionId: bob.userId, msgIdList });
      return [...first, await info(), { ...gap, msgIdBegin: 2 }];
    },
  };
  const answers = await orders[me.kind.name]!();
  const found = <T>(key: string) => answers.find((each) => key in (each as object)) as T;
  const users = found<IM.Buddy.IMAllUserRsp>('userList');
  t.equal(users.userList.length, KINDS.length * 3);
  t.ok(users.latestUpdateTime > 0, 'greater than what was asked with');
  t.equal(users.userId, me.userId, 'the own id, whatever was asked with');
  t.match(found('deptList'), { deptList: [{ deptName: 'top' }, { deptName: 'sub', parentDeptId: 1 }] });
  t.match(found('groupVersionList'), { groupVersionList: [{ groupId, version: 1 }] });
  const { groupInfoList } = found<IM.Group.IMGroupInfoListRsp>('groupInfoList');
  t.match(groupInfoList, [{ groupId, groupType: GroupType.GROUP_TYPE_NORMAL, groupMemberList: { length: 3 } }]);
  const sessions = found<IM.Buddy.IMRecentContactSessionRsp>('contactSessionList').contactSessionList;
  t.match(
    [...sessions].sort((a, b) => a.sessionType - b.sessionType),
    [
      { sessionType: SINGLE, sessionId: bob.userId, latestMsgId: 2, latestMsgFromUserId: bob.userId },
      { sessionType: GROUP, sessionId: groupId, latestMsgId: 1 },
    ],
  );
  const counts = found<IM.Message.IMUnreadMsgCntRsp>('unreadinfoList');
  t.equal(counts.totalCnt, 3);
  const history = found<IM.Message.IMGetMsgListRsp>('msgList');
  t.strictSame(
    history.msgList.map((each) => [each.msgId, decryptText(each.msgData)]),
    [
      [2, 'are you there?'],
      [1, 'good morning'],
    ],
    'newest first',
  );
  const stats = answers.find((each) => 'userStatList' in (each as object)) as IM.Buddy.IMUsersStatRsp | undefined;
  for (const { status } of stats?.userStatList ?? []) t.equal(status, UserStatType.USER_STATUS_ONLINE, 'a PC is there');
  return { usersTime: users.latestUpdateTime };
}

// ------------------------------------------------------------------------------------------------------- what it does

/** Text and voice in both directions; the own other device has it all, the sending one nothing twice. */
async function chat(t: Test, me: StockClient, bob: Client, device: Client): Promise<void> {
  t.equal(await me.say(bob.userId, 'here I am [呵呵]'), 3);
  for (const client of [bob, device]) t.match(await client.heard((it) => it.msgId === 3), { text: 'here I am [呵呵]' });
  t.equal(await me.sayData(bob.userId, MsgType.MSG_TYPE_SINGLE_AUDIO, VOICE), 4);
  for (const client of [bob, device])
    t.match(await client.heard((it) => it.msgId === 4), { data: VOICE, msgType: MsgType.MSG_TYPE_SINGLE_AUDIO });
  await bob.say(me.userId, 'at last');
  while ((await me.push(message.data)).msgId !== 5);
  await until(
    () => device.unconsumed.some((frame) => frame.command === message.data.id),
    'the copy for the other device',
  );
  const history = { userId: me.writtenId, sessionType: SINGLE, sessionId: bob.userId, msgIdBegin: 0, msgCnt: 100 };
  const page = await me.ask(message.list, history, me.kind.name === 'Windows' ? { seq: 0xff01 } : {});
  t.strictSame(
    page.msgList.map((each) => each.msgId),
    [5, 4, 3, 2, 1],
  );
  t.strictSame(Buffer.from(page.msgList[1]!.msgData), VOICE, 'voice is as it was sent, its seconds in front');
  // What others said just before it logged in may come once more: msg servers that have just started look for it.
  const own = me.waiting(message.data).filter((it) => it.fromUserId === me.userId);
  t.strictSame(own, [], 'nothing of its own comes back');
}

async function groups(
  t: Test,
  me: StockClient,
  { bob, carol, device, groupId }: { bob: Client; carol: Client; device: Client; groupId: number },
): Promise<void> {
  await carol.sayGroup(groupId, 'hello group');
  while (decryptText((await me.push(message.data)).msgData) !== 'hello group');
  t.equal(await me.say(groupId, 'hello back', true), 3);
  for (const client of [bob, carol, device])
    t.match(await client.heard((it) => it.text === 'hello back'), { sessionType: GROUP, sessionId: groupId, msgId: 3 });

  const made = await me.ask(group.create, {
    userId: me.writtenId,
    groupType: GroupType.GROUP_TYPE_TMP,
    groupName: `of ${me.kind.name}`,
    groupAvatar: '',
    memberIdList: [me.userId, bob.userId],
  });
  const own = made.groupId!;
  t.match(made, { resultCode: 0, groupName: `of ${me.kind.name}`, userIdList: [me.userId, bob.userId] });
  for (const client of [bob, device])
    t.match(await client.next(group.memberNotify), {
      groupId: own,
      changeType: ADD,
      curUserIdList: [me.userId, bob.userId],
    });
  const change = (changeType: IM.BaseDefine.GroupModifyType) =>
    me.ask(group.changeMember, { userId: me.writtenId, changeType, groupId: own, memberIdList: [carol.userId] });
  t.match(await change(ADD), { resultCode: 0, chgUserIdList: [carol.userId], curUserIdList: { length: 3 } });
  for (const client of [bob, carol, device])
    t.match(await client.next(group.memberNotify), { userId: me.userId, groupId: own, chgUserIdList: [carol.userId] });
  await carol.sayGroup(own, 'thank you');
  while (decryptText((await me.push(message.data)).msgData) !== 'thank you');
  const shield = await me.ask(group.shield, { userId: me.writtenId, groupId: own, shieldStatus: 1 });
  t.strictSame(plain(shield), { userId: me.userId, groupId: own, resultCode: 0 });
  t.match(await change(DEL), { resultCode: 0, curUserIdList: [me.userId, bob.userId] });
  t.match(await carol.next(group.memberNotify), { changeType: DEL, chgUserIdList: [carol.userId] });
  const groupVersionList = [{ groupId: own, version: 1 }];
  const { groupInfoList } = await me.ask(group.info, { userId: me.writtenId, groupVersionList });
  t.match(groupInfoList, [{ version: 3, shieldStatus: 1, groupCreatorId: me.userId, groupMemberList: { length: 2 } }]);
  t.strictSame(me.waiting(group.memberNotify), [], 'who asked for a change is not told of it');
  t.equal(me.frames.filter((frame) => frame.command === group.changeMember.id).length, 0, 'not even where iOS listens');
}

/** Off the list under this client's number for it, on it again with the next message. */
async function sessions(t: Test, me: StockClient, bob: Client, device: Client): Promise<void> {
  const asked = { userId: me.writtenId, sessionType: SINGLE, sessionId: bob.userId };
  const removed = await me.ask(buddy.removeSession, asked, { as: me.kind.removeSession });
  t.strictSame(plain(removed), { userId: me.userId, resultCode: 0, sessionType: SINGLE, sessionId: bob.userId });
  t.match(await device.next(buddy.removeSessionNotify), { sessionType: SINGLE, sessionId: bob.userId });
  const listed = async () => {
    const all = await me.ask(buddy.recentSessions, { userId: me.writtenId, latestUpdateTime: 0 });
    return all.contactSessionList.some((each) => each.sessionType === SINGLE && each.sessionId === bob.userId);
  };
  t.notOk(await listed());
  const draft = { userId: 0, sessionType: SINGLE, sessionId: bob.userId };
  t.equal((await me.ask(buddy.removeSession, draft)).resultCode, 1, 'it was not on the list any more');
}

/** What only some do. */
async function habits(t: Test, me: StockClient, bob: Client, device: Client): Promise<void> {
  const userId = me.writtenId;
  const { name } = me.kind;
  if (name === 'Windows' || name === 'iOS') {
    const cmdMsgData = '{"cmd_id":65537,"content":"shakewindow","service_id":1}';
    me.tell(switchService.p2p, { fromUserId: 77, toUserId: bob.userId, cmdMsgData });
    t.match(await bob.next(switchService.p2p), { fromUserId: me.userId, cmdMsgData }, 'from whom it really is');
  }
  if (name === 'Windows') t.ok((await me.ask(message.time, {})).serverTime > 0);
  if (hearsSignatures(me.kind)) {
    await bob.ask(buddy.changeSignature, { userId: 0, signInfo: `for ${name}` });
    while ((await me.push(buddy.signatureNotify)).signInfo !== `for ${name}`);
  }
  if (name === 'mac') {
    me.babble(0x5a01, Buffer.from([8, 1])); // file transfer by an older protocol
    await me.beat();
  }
  if (name === 'iOS') {
    const set = await me.ask(login.setPushShield, { userId, shieldStatus: 1 });
    t.strictSame(plain(set), { userId: me.userId, resultCode: 0, shieldStatus: 1 });
    t.equal((await me.ask(login.getPushShield, { userId })).shieldStatus, 1);
    t.match(await me.push(buddy.pcLoginNotify), { loginStat: UserStatType.USER_STATUS_ONLINE });
    t.notOk(device.isClosed);
  }
  if (name === 'Android') t.strictSame(me.waiting(buddy.statusNotify), [], 'presence is for PCs');
}

function hearsSignatures({ name }: Kind): boolean {
  return name === 'Windows' || name === 'mac';
}

async function leave(t: Test, me: StockClient): Promise<void> {
  await me.beat();
  t.strictSame(plain(await me.ask(login.leave, {})), { resultCode: 0 });
  t.equal(await me.closed, 'ended');
}
