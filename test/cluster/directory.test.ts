/** People, departments, groups, presence; and what the door does with frames that are none, and with bad readers. */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import t, { type Test } from 'tap';
import type { Client } from '../../common/client/client.js';
import { FRAME_SIZE_MAX, USERS_ASKED_MAX } from '../../common/limits.js';
import { LinkGroup } from '../../common/net/link-group.js';
import { type Command, decodeBody, encodeFrame } from '../../common/pdu/command.js';
import { buddy, group, login, message, other, server } from '../../common/pdu/commands.js';
import { frameOf, HEADER_SIZE } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { commandTable } from '../../common/server/command-table.js';
import type { NewUser } from '../../servers/db-proxy/storage/users.js';
import { CLUSTER_SECRET, PASSWORD, TestCluster, testLog, until } from '../support/cluster.js';
import { fieldsOf, listenTo, only, plain } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';

const { ClientType, DepartmentStatusType, GroupType, SessionType, UserStatType } = IM.BaseDefine;
const { CLIENT_TYPE_WINDOWS: WINDOWS, CLIENT_TYPE_MAC: MAC } = ClientType;
const { CLIENT_TYPE_IOS: IOS, CLIENT_TYPE_ANDROID: ANDROID } = ClientType;
const { USER_STATUS_ONLINE: ONLINE, USER_STATUS_OFFLINE: OFFLINE } = UserStatType;
/** What Android takes in one frame. */
const ANDROID_FRAME_SIZE_LIMIT = 400 * 1024;

const postgres = await testPostgres(t);

// ------------------------------------------------------------------------------------------------------- helpers

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
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

async function usersSince(client: Client, latestUpdateTime: number) {
  const answer = await client.ask(buddy.allUsers, { userId: 0, latestUpdateTime });
  return { time: answer.latestUpdateTime, ids: answer.userList.map((user) => user.userId), users: answer.userList };
}

async function departmentsSince(client: Client, latestUpdateTime: number) {
  const answer = await client.ask(buddy.departments, { userId: 0, latestUpdateTime });
  return { time: answer.latestUpdateTime, ids: answer.deptList.map((each) => each.deptId), list: answer.deptList };
}

function statusesOf(pairs: readonly (readonly [number, number])[]): unknown {
  return pairs.map(([userId, status]) => ({ userId, status }));
}

/** The pushes about presence that come to this client, as [user, status]. */
function presenceHeard(client: Client): [number, number][] {
  const heard: [number, number][] = [];
  client.on('statusNotify', ({ userId, status }) => heard.push([userId, status]));
  return heard;
}

/** Of so many people, named user-1 and on, with ids of the same number. */
function crowd(count: number, each: (id: number) => Partial<NewUser> = () => ({})): NewUser[] {
  return range(1, count).map((number) => {
    const id = 1000 + number;
    return { id, name: `user-${id}`, passwordHash: 'none', ...each(id) };
  });
}

/** Until the server has closed it; true when it did. */
async function closedByServer(client: Client): Promise<boolean> {
  return (await client.closed) === 'ended';
}

// ---------------------------------------------------------------------------------------------------------- people

t.test('the directory', async (t) => {
  const groups = [
    { name: 'everybody', memberIds: [1, 2, 3, 4] },
    { name: 'the two', memberIds: [1, 2] },
  ];
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, groups });
  const alice = await cluster.login('alice', { at: 0 });
  const bob = await cluster.login('bob', { at: 1, clientType: MAC });
  const carol = await cluster.login('carol', { at: 1, clientType: IOS });

  await t.test('lists everybody, and then what has changed', async (t) => {
    const all = await usersSince(alice, 0);
    t.strictSame(all.ids, [1, 2, 3, 4]);
    t.strictSame(plain(all.users[3]), {
      userId: 4,
      userGender: 0,
      userNickName: 'dave',
      avatarUrl: '',
      departmentId: 0,
      email: '',
      userRealName: 'dave',
      userTel: '',
      userDomain: '',
      status: 0,
      signInfo: '',
    });
    t.ok(all.time > 0);
    t.strictSame(
      await usersSince(alice, all.time),
      { time: all.time, ids: [], users: [] },
      'nothing new: time as asked',
    );
    t.strictSame((await usersSince(alice, 2 ** 32 - 1)).time, 2 ** 32 - 1);

    // Three changes within a second, each after the last one was fetched.
    let { time } = all;
    for (const [client, sign] of [
      [bob, 'one'],
      [carol, 'two'],
      [bob, 'three'],
    ] as const) {
      await client.ask(buddy.changeSignature, { userId: 0, signInfo: sign });
      const changed = await usersSince(alice, time);
      t.match(changed.users, [{ userId: client.userId, signInfo: sign }], 'that one and nobody else');
      t.equal(changed.ids.length, 1);
      t.ok(changed.time > time, 'with a greater time');
      time = changed.time;
    }
    const both = await usersSince(alice, all.time);
    t.strictSame(both.ids, [2, 3], 'each once');
    t.equal(both.time, time);
    t.match(await usersSince(bob, all.time), { ids: [2, 3], time }, 'the same for everybody');
  });

  await t.test('names those who have left in changes only', async (t) => {
    const before = await usersSince(alice, 0);
    await cluster.storage.users.add([{ id: 9, name: 'gone', status: 3, passwordHash: 'none' }]);
    const { ids, time } = await usersSince(alice, 0);
    t.strictSame(ids, [1, 2, 3, 4], 'not in the full list');
    const changed = await usersSince(alice, before.time);
    t.match(changed.users, [{ userId: 9, status: 3 }]);
    t.ok(changed.time > before.time && changed.time >= time);
    await query(cluster, `update meta.users set status = 3, updated = meta.next_stamp('users') where id = 4`);
    t.match((await usersSince(alice, changed.time)).users, [{ userId: 4, status: 3 }], 'who leaves is told');
    t.strictSame((await usersSince(alice, 0)).ids, [1, 2, 3]);
    await query(cluster, `update meta.users set status = 0, updated = meta.next_stamp('users') where id = 4`);
    t.strictSame((await usersSince(alice, 0)).ids, [1, 2, 3, 4]);
  });

  await t.test('has profiles', async (t) => {
    t.match(await alice.usersInfo([3, 1]), [{ userId: 1 }, { userId: 3 }]);
    t.strictSame(plain(await alice.usersInfo([2])), plain((await usersSince(alice, 0)).users.slice(1, 2)));
    const ids = [2, 999_999, 0, 2, 2 ** 31, 2 ** 32 - 1];
    t.strictSame(
      (await alice.usersInfo(ids)).map((user) => user.userId),
      [2],
      'of those who exist, once',
    );
    t.match(await alice.usersInfo([9]), [{ userId: 9, status: 3 }], 'of those who have left, too');
    t.strictSame(await alice.usersInfo([]), []);
    await cluster.storage.users.add(crowd(USERS_ASKED_MAX + 10));
    const many = await alice.usersInfo(range(1001, 1001 + USERS_ASKED_MAX + 9));
    t.equal(many.length, USERS_ASKED_MAX, 'the first thousand');
    t.equal(many.at(-1)!.userId, 1000 + USERS_ASKED_MAX);
  });

  await t.test('has departments', async (t) => {
    t.strictSame(await departmentsSince(alice, 0), { time: 0, ids: [], list: [] });
    t.strictSame(await departmentsSince(alice, 5), { time: 5, ids: [], list: [] }, 'nothing new: time as asked');
    const [top] = await cluster.storage.departments.add([{ name: '总部', priority: 2 }]);
    const first = await departmentsSince(alice, 0);
    const [sub] = await cluster.storage.departments.add([{ name: 'tests', priority: 1, parentId: top! }]);
    const second = await departmentsSince(alice, first.time);
    t.ok(second.time > first.time && first.time > 0);
    t.strictSame(second.ids, [sub!], 'only the new one');
    const entry = { deptStatus: DepartmentStatusType.DEPT_STATUS_OK };
    const all = [
      { deptId: top, priority: 2, deptName: '总部', parentDeptId: 0, ...entry },
      { deptId: sub, priority: 1, deptName: 'tests', parentDeptId: top, ...entry },
    ];
    t.strictSame(plain((await departmentsSince(alice, 0)).list), all);
    t.strictSame(await departmentsSince(alice, second.time), { time: second.time, ids: [], list: [] });
    await query(
      cluster,
      `update meta.department set status = 1, updated = meta.next_stamp('departments') where id = $1`,
      [top],
    );
    const deleted = await departmentsSince(alice, second.time);
    t.match(deleted.list, [{ deptId: top, deptStatus: DepartmentStatusType.DEPT_STATUS_DELETE }]);
    t.equal(deleted.ids.length, 1);
    t.ok(deleted.time > second.time);
  });

  await t.test('tells everybody of a new signature', async (t) => {
    const everybody = [alice, bob, carol];
    const change = (signInfo: string) => alice.ask(buddy.changeSignature, { userId: 2, signInfo });
    for (const client of everybody) await until(() => noneWaiting(client, buddy.signatureNotify), 'a clean start');
    const frames = everybody.map(listenTo);
    for (const signInfo of ['on holiday', '', '签'.repeat(42), 'x'.repeat(128)]) {
      t.strictSame(plain(await change(signInfo)), { userId: 1, resultCode: 0, signInfo });
      for (const client of everybody)
        t.strictSame(plain(await client.next(buddy.signatureNotify)), { changedUserId: 1, signInfo });
      t.match(await bob.usersInfo([1, 2]), [{ signInfo }, { signInfo: 'three' }], 'the own one and no other');
    }
    for (const tooLong of ['x'.repeat(129), '签'.repeat(43), 'a\0b'])
      t.match(await change(tooLong), { userId: 1, resultCode: 1 }, 'refused');
    t.match(await bob.usersInfo([1]), [{ signInfo: 'x'.repeat(128) }]);
    await change('the last');
    for (const [index, client] of everybody.entries()) {
      t.match(await client.next(buddy.signatureNotify), { signInfo: 'the last' }, 'a refused one is not told');
      const notices = only(frames[index]!, buddy.signatureNotify);
      for (const { seq, service, body } of notices) t.strictSame([seq, service, fieldsOf(body)], [0, 2, [1, 2]]);
    }
  });

  await t.test('tells everybody of a new avatar', async (t) => {
    const everybody = [alice, bob, carol];
    const frames = everybody.map(listenTo);
    const change = (avatarUrl: string) => carol.ask(buddy.changeAvatar, { userId: 0, avatarUrl });
    const { time } = await usersSince(alice, 0);
    for (const avatarUrl of ['g0/000/new.png', 'x'.repeat(1024)]) {
      t.strictSame(plain(await change(avatarUrl)), { userId: 3, resultCode: 0 });
      for (const client of everybody)
        t.strictSame(plain(await client.next(buddy.avatarNotify)), { changedUserId: 3, avatarUrl });
      t.match(await alice.usersInfo([3]), [{ avatarUrl }]);
    }
    t.match(await usersSince(alice, time), { ids: [3] }, 'it is a change of the user');
    for (const bad of ['x'.repeat(1025), 'a\0b'])
      t.strictSame(plain(await change(bad)), { userId: 3, resultCode: 1 }, 'refused');
    await change('');
    for (const [index, client] of everybody.entries()) {
      t.match(await client.next(buddy.avatarNotify), { avatarUrl: '' }, 'a refused one is not told');
      for (const { seq, body } of only(frames[index]!, buddy.avatarNotify))
        t.strictSame([seq, fieldsOf(body)], [0, [1, 2]]);
    }
  });

  await t.test('remembers who wants no push at night', async (t) => {
    const query = async (client: Client) => plain(await client.ask(login.getPushShield, { userId: 0 }));
    const set = async (client: Client, shieldStatus: number) =>
      plain(await client.ask(login.setPushShield, { userId: 3, shieldStatus }));
    const state = (userId: number, shieldStatus: number) => ({ userId, resultCode: 0, shieldStatus });
    t.strictSame(await query(alice), state(1, 0));
    t.strictSame(await set(alice, 1), state(1, 1));
    t.strictSame(await query(alice), state(1, 1));
    t.strictSame(await query(carol), state(3, 0), 'others are as they were');
    t.strictSame(await set(carol, 7), state(3, 1), 'anything but 0 is yes');
    const phone = await cluster.login('alice', { clientType: IOS, at: 1 });
    t.strictSame(await query(phone), state(1, 1), 'it is the user’s and not the device’s');
    t.strictSame(await set(phone, 0), state(1, 0));
    t.strictSame(await query(alice), state(1, 0));
    await phone.logout();
  });

  await t.test('shows groups to their members', async (t) => {
    const dave = await cluster.login('dave');
    const list = async (client: Client) => plain(await client.ask(group.normalList, { userId: 1 }));
    const entry = (groupId: number) => ({ groupId, version: 1 });
    t.strictSame(await list(alice), { userId: 1, groupVersionList: [entry(1), entry(2)] });
    t.strictSame(await list(dave), { userId: 4, groupVersionList: [entry(1)] });

    const info = async (client: Client, ids: readonly (readonly [number, number])[]) => {
      const groupVersionList = ids.map(([groupId, version]) => ({ groupId, version }));
      const answer = await client.ask(group.info, { userId: 1, groupVersionList });
      t.equal(answer.userId, client.userId);
      return plain(answer.groupInfoList);
    };
    const theTwo = {
      groupId: 2,
      version: 1,
      groupName: 'the two',
      groupAvatar: '',
      groupCreatorId: 0,
      groupType: GroupType.GROUP_TYPE_NORMAL,
      shieldStatus: 0,
      groupMemberList: [1, 2],
    };
    const everybody = { ...theTwo, groupId: 1, groupName: 'everybody', groupMemberList: [1, 2, 3, 4] };
    t.strictSame(await info(alice, [[2, 0]]), [theTwo]);
    t.strictSame(
      await info(bob, [
        [1, 0],
        [2, 0],
      ]),
      [everybody, theTwo],
    );
    t.strictSame(
      await info(alice, [
        [1, 1],
        [2, 0],
        [77, 0],
        [0, 0],
      ]),
      [theTwo],
      'only newer ones, only those that exist',
    );
    t.strictSame(await info(alice, [[2, 5]]), [], 'nor older ones');
    t.strictSame(await info(dave, [[2, 0]]), [], 'and nothing to others');
    t.strictSame(await info(alice, []), []);
    await dave.logout();
  });
});

function noneWaiting(client: Client, command: Command<never, unknown>): boolean {
  const waiting = only(client.unconsumed, command);
  for (const _ of waiting) void client.next(command);
  return waiting.length === 0;
}

t.test('a list of users that is too long for Android comes to it in parts', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  // The long entries are together: parts of equally many users would not be of equally many bytes.
  const long = { avatar: 'a'.repeat(900), signInfo: 's'.repeat(100) };
  const people = crowd(4_000, (id) => (id <= 1700 ? long : {}));
  await cluster.storage.users.add(people);
  const expected = [1, 2, 3, 4, ...people.map((user) => user.id!)];

  for (const clientType of [WINDOWS, MAC, IOS]) {
    const client = await cluster.login('bob', { clientType });
    const frames = listenTo(client);
    t.strictSame((await usersSince(client, 0)).ids, expected);
    const answers = only(frames, buddy.allUsers.reply);
    t.equal(answers.length, 1, 'others get it in one piece');
    t.ok(answers[0]!.bytes.length > 2 * ANDROID_FRAME_SIZE_LIMIT, `${answers[0]!.bytes.length} bytes`);
    await client.logout();
  }

  const android = await cluster.login('bob', { clientType: ANDROID });
  const frames = listenTo(android);
  const answer = await android.ask(buddy.allUsers, { userId: 0, latestUpdateTime: 0 }, { seq: 0x1234 });
  const found = [...answer.userList];
  while (found.length < expected.length) {
    const part = await android.next(buddy.allUsers.reply);
    t.equal(part.userId, 2);
    t.equal(part.latestUpdateTime, answer.latestUpdateTime);
    found.push(...part.userList);
  }
  t.strictSame(
    found.map((user) => user.userId),
    expected,
    'all of them, each once',
  );
  const parts = only(frames, buddy.allUsers.reply);
  t.strictSame(
    parts.map((frame) => frame.seq),
    parts.map((_, index) => (index === 0 ? 0x1234 : 0)),
    'the first part is the answer, the others are pushes',
  );
  const sizes = parts.map((frame) => frame.bytes.length);
  t.ok(Math.max(...sizes) <= ANDROID_FRAME_SIZE_LIMIT, `${sizes}`);
  t.notOk(android.isClosed);
  const nothing = await android.ask(buddy.allUsers, { userId: 0, latestUpdateTime: answer.latestUpdateTime });
  t.strictSame(nothing.userList, []);
});

t.test('other lists that are too long for Android come in parts as well', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  await cluster.storage.users.add(crowd(2_000, () => ({ avatar: 'a'.repeat(900) })));
  await cluster.storage.departments.add(range(1, 3_000).map((n) => ({ name: `${n} ${'部'.repeat(50)}` })));
  const members = [1, 2, ...range(1001, 2_998)];
  for (const id of range(1, 80)) await cluster.storage.groups.add({ id, name: `${id}`, type: 1, memberIds: members });
  const asks = {
    users: async (client: Client) => {
      const request = { userId: 0, userIdList: range(1001, 1000 + USERS_ASKED_MAX) };
      return client.ask(buddy.usersInfo, request, { seq: 0x1234 });
    },
    departments: (client: Client) => client.ask(buddy.departments, { userId: 0, latestUpdateTime: 0 }, { seq: 0x1234 }),
    groups: (client: Client) => {
      const groupVersionList = range(1, 80).map((groupId) => ({ groupId, version: 0 }));
      return client.ask(group.info, { userId: 0, groupVersionList }, { seq: 0x1234 });
    },
  };
  const replies: Command<never, object>[] = [buddy.usersInfo.reply, buddy.departments.reply, group.info.reply];
  const pc = await cluster.login('bob');
  const whole = listenTo(pc);
  const android = await cluster.login('bob', { clientType: ANDROID });
  const parts = listenTo(android);
  for (const ask of Object.values(asks)) for (const client of [pc, android]) await ask(client);
  await android.time();
  for (const reply of replies) {
    const [one, ...none] = only(whole, reply);
    t.ok(
      none.length === 0 && one!.bytes.length > ANDROID_FRAME_SIZE_LIMIT,
      `${reply.name}: ${one!.bytes.length} bytes`,
    );
    const several = only(parts, reply);
    t.ok(several.length > 1 && several.every((frame) => frame.bytes.length < ANDROID_FRAME_SIZE_LIMIT));
    t.strictSame(
      several.map((frame) => frame.seq),
      several.map((_, i) => (i === 0 ? 0x1234 : 0)),
    );
    const lists = several.map((frame) => Object.values(decodeBody(reply, frame.body)).find(Array.isArray) ?? []);
    const list = Object.values(decodeBody(reply, one!.body)).find(Array.isArray);
    t.ok(isDeepStrictEqual(plain(lists.flat()), plain(list)), 'together they are the whole');
    t.match(decodeBody(reply, several[1]!.body), { userId: 2 }, 'each is an answer of its own to Android');
  }
});

// -------------------------------------------------------------------------------------------------------- presence

t.test('presence', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, route: { goneMs: 0 } });
  const watchers = [await cluster.login('dave', { at: 0 }), await cluster.login('carol', { at: 1, clientType: MAC })];
  const [dave, carol] = watchers as [Client, Client];
  const daveHeard = presenceHeard(dave);
  const carolHeard = presenceHeard(carol);
  const cleared = () => daveHeard.splice(0).concat(carolHeard.splice(0));
  /** Both watchers heard this and nothing else. What route tells comes in order, so its answer is behind it. */
  const bothHeard = async (t: Test, expected: [number, number][], why: string) => {
    await until(() => Math.min(daveHeard.length, carolHeard.length) >= expected.length, why);
    for (const watcher of watchers) await watcher.usersStatus([1]);
    t.strictSame([daveHeard, carolHeard], [expected, expected], why);
    cleared();
  };
  const status = async (...ids: number[]) => plain(await dave.usersStatus(ids));
  await until(() => daveHeard.length > 0, 'the coming of the other one');
  cleared();

  await t.test('is asked for in any order, and the unknown are offline', async (t) => {
    t.strictSame(
      await status(3, 1, 4, 999_999, 3, 0, 2 ** 32 - 1),
      statusesOf([
        [3, ONLINE],
        [1, OFFLINE],
        [4, ONLINE],
        [999_999, OFFLINE],
        [3, ONLINE],
        [0, OFFLINE],
        [2 ** 32 - 1, OFFLINE],
      ]),
    );
    t.strictSame(await status(), []);
    const answer = await carol.ask(buddy.usersStatus, { userId: 1, userIdList: [4] }, { seq: 0xfffe });
    t.equal(answer.userId, 3);
  });

  for (const at of [0, 1]) {
    await t.test(`PCs hear of the PCs of msg server ${at}`, async (t) => {
      const frames = watchers.map(listenTo);
      const alice = await cluster.login('alice', { at });
      await bothHeard(t, [[1, ONLINE]], 'told of the coming');
      t.strictSame(await status(1), statusesOf([[1, ONLINE]]));
      await alice.logout();
      await bothHeard(t, [[1, OFFLINE]], 'told of the going');
      t.strictSame(await status(1), statusesOf([[1, OFFLINE]]));
      const cut = await cluster.login('alice', { at });
      await bothHeard(t, [[1, ONLINE]], 'told of the coming back');
      cut.cut();
      await bothHeard(t, [[1, OFFLINE]], 'told of a broken connection');
      for (const { seq, service, body } of frames.flatMap((each) => only(each, buddy.statusNotify)))
        t.strictSame([seq, service, fieldsOf(body)], [0, 2, [1]]);
    });
  }

  await t.test('phones do not count, and do not hear of it', async (t) => {
    const phone = await cluster.login('alice', { clientType: IOS, at: 1 });
    const phoneHeard = presenceHeard(phone);
    t.strictSame(await status(1), statusesOf([[1, OFFLINE]]));
    const bob = await cluster.login('bob');
    await bothHeard(t, [[2, ONLINE]], 'of the PC alone');
    await phone.logout();
    await bob.logout();
    await bothHeard(t, [[2, OFFLINE]], 'of the PC alone');
    t.strictSame(phoneHeard, []);
  });

  await t.test('a PC that takes the place of another is no going', async (t) => {
    const old = await cluster.login('alice', { at: 0 });
    await bothHeard(t, [[1, ONLINE]], 'the first one comes');
    const fresh = await cluster.login('alice', { at: 1, clientType: MAC });
    t.equal(await old.closed, 'kicked');
    await until(() => daveHeard.length > 0, 'the second one');
    await fresh.logout();
    await until(() => daveHeard.some(([, it]) => it === OFFLINE), 'the going of the second one');
    await bothHeard(
      t,
      [
        [1, ONLINE],
        [1, OFFLINE],
      ],
      'and no going in between',
    );
  });

  await t.test('the own phone hears of the PC', async (t) => {
    const bobsPhone = await cluster.login('bob', { clientType: ANDROID, at: 0 });
    const frames = listenTo(bobsPhone);
    for (const at of [0, 1]) {
      const phone = await cluster.login('alice', { clientType: ANDROID, at });
      const phoneFrames = listenTo(phone);
      const next = async () => plain(await phone.next(buddy.pcLoginNotify));
      for (const pcAt of [0, 1]) {
        const pc = await cluster.login('alice', { at: pcAt });
        t.strictSame(await next(), { userId: 1, loginStat: ONLINE });
        await pc.logout();
        t.strictSame(await next(), { userId: 1, loginStat: OFFLINE });
      }
      const pc = await cluster.login('alice', { at: 1 });
      await next();
      await phone.logout();
      const again = await cluster.login('alice', { clientType: IOS, at });
      t.strictSame(
        plain(await again.next(buddy.pcLoginNotify)),
        { userId: 1, loginStat: ONLINE },
        'when it comes, too',
      );
      const notices = only(phoneFrames, buddy.pcLoginNotify);
      t.equal(notices.length, 5, 'once each');
      for (const { seq, body } of notices) t.strictSame([seq, fieldsOf(body)], [0, [1, 2]]);
      await pc.logout();
      await again.next(buddy.pcLoginNotify);
      await again.logout();
    }
    await bobsPhone.usersStatus([1]);
    t.strictSame(only(frames, buddy.pcLoginNotify), [], 'and nobody else’s');
    for (const watcher of watchers) await watcher.usersStatus([1]);
    cleared();
  });

  await t.test('a msg server that dies takes its PCs with it', async (t) => {
    const address = { host: '127.0.0.1', port: cluster.routes[0]!.port };
    const dying = new LinkGroup({
      self: { role: 'msg', name: 'msg-dying' },
      role: 'route',
      secret: CLUSTER_SECRET,
      addresses: [address],
      askTimeoutMs: 1_000,
      asksMax: 1,
      log: testLog('msg-dying'),
      hears: commandTable<never, never>([]),
      ctx: undefined as never,
    });
    t.teardown(() => dying.close());
    await until(() => dying.open, 'the link of the dying msg server');
    const phone = await cluster.login('bob', { clientType: ANDROID });
    const userStatList = [1, 2].map((userId) => ({ userId, status: ONLINE, clientType: WINDOWS }));
    dying.tell(server.onlineUsers, { userStatList });
    const both = (it: number) =>
      statusesOf([
        [1, it],
        [2, it],
      ]);
    await until(async () => isDeepStrictEqual(await status(1, 2), both(ONLINE)), 'route to know of them');
    const alice = await cluster.login('alice', { at: 1 });
    await bothHeard(t, [[1, ONLINE]], 'one of them is somewhere else as well');
    dying.close();
    await bothHeard(t, [[2, OFFLINE]], 'and so remains');
    t.strictSame(plain(await phone.next(buddy.pcLoginNotify)), { userId: 2, loginStat: OFFLINE });
    t.strictSame(
      await status(1, 2),
      statusesOf([
        [1, ONLINE],
        [2, OFFLINE],
      ]),
    );
    await alice.logout();
    await phone.logout();
    await bothHeard(t, [[1, OFFLINE]], 'until it goes there too');
  });

  await t.test('a msg server that is stopped takes its PCs with it', async (t) => {
    const alice = await cluster.login('alice', { at: 1 });
    const bob = await cluster.login('bob', { at: 0 });
    const phone = await cluster.login('alice', { at: 0, clientType: IOS });
    await phone.next(buddy.pcLoginNotify);
    await until(() => daveHeard.length >= 2, 'the coming of both');
    daveHeard.length = 0;
    await cluster.msg.pop()!.running.close(0);
    t.strictSame(plain(await phone.next(buddy.pcLoginNotify)), { userId: 1, loginStat: OFFLINE });
    await until(() => daveHeard.length >= 2, 'the going of those who were there');
    t.strictSame(
      daveHeard.toSorted(([a], [b]) => a - b),
      [
        [1, OFFLINE],
        [3, OFFLINE],
      ],
    );
    t.strictSame(
      await status(1, 2, 3),
      statusesOf([
        [1, OFFLINE],
        [2, ONLINE],
        [3, OFFLINE],
      ]),
    );
    t.ok(alice.isClosed && !bob.isClosed);
  });
});

// ------------------------------------------------------------------------------------------------ frames and readers

/** Sends it and says whether the connection answered nothing and lives. */
async function isDropped(client: Client, bytes: Buffer): Promise<boolean> {
  const frames = listenTo(client);
  client.sendFrame(bytes);
  const beat = encodeFrame(other.heartbeat, 0x7e57, {});
  client.sendFrame(beat);
  await until(() => client.isClosed || only(frames, other.heartbeat).length > 0, 'an echo or the end');
  client.removeAllListeners('frame');
  return !client.isClosed && frames.every((frame) => frame.command === other.heartbeat.id);
}

/** Its number is not that of a session type. */
const BAD_ENUM = Buffer.from('080010091802', 'hex');

t.test('the door', async (t) => {
  const cluster = await TestCluster.start(t, postgres);

  await t.test('drops what it cannot understand and keeps the connection', async (t) => {
    const alice = await cluster.login('alice', { clientType: ANDROID });
    const markRead = { userId: 0, sessionId: 2, msgId: 1, sessionType: SessionType.SESSION_TYPE_SINGLE };
    const whole = Buffer.from(IM.Message.IMMsgDataReadAck.encode(markRead).finish());
    const cases: readonly (readonly [string, Buffer])[] = [
      ['an unknown command', frameOf(0x02ff, 60, Buffer.from('0801', 'hex'))],
      ['command 0', frameOf(0, 60, Buffer.alloc(0))],
      ['command 0xffff', frameOf(0xffff, 60, Buffer.alloc(0))],
      ['a command of servers', frameOf(0x0820, 60, Buffer.from('0801', 'hex'))],
      ['the log-in check of servers', frameOf(0x0703, 60, Buffer.from('0a05616c6963651200', 'hex'))],
      ['an answer', frameOf(message.unreadCount.reply.id, 60, Buffer.from('08011000', 'hex'))],
      ['a body that is no protobuf', frameOf(message.unreadCount.id, 62, Buffer.from('ff07ffff', 'hex'))],
      ['a body that is all zeros', frameOf(message.unreadCount.id, 62, Buffer.alloc(100))],
      ['a required field missing', frameOf(message.unreadCount.id, 63, Buffer.alloc(0))],
      ['an unknown number in a required enum', frameOf(buddy.removeSession.id, 64, BAD_ENUM)],
      ['a body that ends early', frameOf(message.readAck.id, 65, whole.subarray(0, whole.length - 1))],
      ['a group type in words', frameOf(message.list.id, 66, Buffer.from('0800120118021800200a', 'hex'))],
    ];
    for (const [name, bytes] of cases) t.ok(await isDropped(alice, bytes), name);
    const service = encodeFrame(message.time, 61, {});
    service.writeUInt16BE(0x5a, 8);
    const frames = listenTo(alice);
    alice.sendFrame(service);
    await until(() => frames.some((frame) => frame.seq === 61), 'the answer');
    t.equal(frames[0]!.command, message.time.reply.id, 'an unknown service with a known command is answered');
    await alice.logout();
  });

  await t.test('skips fields that it does not know', async (t) => {
    const alice = await cluster.login('alice');
    const frames = listenTo(alice);
    alice.sendFrame(frameOf(login.getPushShield.id, 67, Buffer.from('0801a80607', 'hex')));
    await until(() => only(frames, login.getPushShield.reply).length > 0, 'the answer');
    const [answer] = only(frames, login.getPushShield.reply);
    t.strictSame(plain(decodeBody(login.getPushShield.reply, answer!.body)), {
      userId: 1,
      resultCode: 0,
      shieldStatus: 0,
    });
    t.equal(answer!.seq, 67);
    await alice.logout();
  });

  await t.test('puts frames together wherever they are cut', async (t) => {
    const alice = await cluster.login('alice');
    const frames = listenTo(alice);
    const ask = (seq: number) => encodeFrame(message.time, seq, {});
    const bytes = encodeFrame(message.unreadCount, 70, { userId: 1 });
    for (const byte of bytes) {
      alice.sendFrame(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve)); // each leaves in a write of its own
    }
    alice.sendFrame(Buffer.concat([ask(71), encodeFrame(other.heartbeat, 72, {}), ask(73), ask(74).subarray(0, 20)]));
    alice.sendFrame(Buffer.concat([ask(75).subarray(0, 5)]));
    await until(() => frames.some((frame) => frame.seq === 74), 'the answers');
    alice.sendFrame(ask(75).subarray(5));
    await until(() => frames.some((frame) => frame.seq === 75), 'the last answer');
    await until(() => frames.some((frame) => frame.seq === 70), 'the first answer');
    t.strictSame(
      frames.map((frame) => frame.seq).filter((seq) => seq > 70),
      [71, 72, 73, 74, 75],
      'and answers in their order what it can answer at once',
    );
    await alice.logout();
  });

  await t.test('closes on a length that cannot be', async (t) => {
    const header = (length: number) => {
      const bytes = encodeFrame(other.heartbeat, 9, {});
      bytes.writeUInt32BE(length, 0);
      return bytes;
    };
    for (const length of [0, 1, HEADER_SIZE - 1, FRAME_SIZE_MAX + 1, 64 * 1024 * 1024, 2 ** 31, 2 ** 32 - 1]) {
      const before = encodeFrame(other.heartbeat, 8, {});
      for (const client of [await cluster.login('alice'), await cluster.connect()]) {
        const frames = listenTo(client);
        client.sendFrame(Buffer.concat([before, header(length), before]));
        t.ok(await closedByServer(client), `length ${length}`);
        t.strictSame(
          only(frames, other.heartbeat).map((frame) => frame.seq),
          [8],
          'what came before it was heard, and nothing behind it',
        );
      }
    }
  });

  await t.test('takes the longest one that can be', async (t) => {
    const alice = await cluster.login('alice');
    const frames = listenTo(alice);
    const longest = frameOf(other.heartbeat.id, 5, Buffer.alloc(FRAME_SIZE_MAX - HEADER_SIZE, 1));
    alice.sendFrame(longest);
    await until(() => only(frames, other.heartbeat).length > 0, 'the echo', 5_000);
    t.ok(only(frames, other.heartbeat)[0]!.bytes.equals(longest));
    await alice.logout();
  });
});

t.test('a client with too many open requests is not read from, and gets all its answers', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msg: { clientAsksMax: 8 } });
  const alice = await cluster.login('alice');
  const bob = await cluster.login('bob');
  const REQUESTS = 400;
  // Large requests and small answers: many reads are needed for them.
  const userIdList = [...range(1, 4), ...range(1_000_000, 1_000_900)];
  const order: number[] = [];
  alice.on('frame', (frame) => {
    if (frame.command !== buddy.statusNotify.id) order.push(frame.command);
  });
  const answers = range(1, REQUESTS).map((seq) => alice.ask(buddy.usersInfo, { userId: 0, userIdList }, { seq }));
  alice.sendFrame(encodeFrame(other.heartbeat, 0xffff, {}));
  const started = performance.now();
  await bob.time();
  t.ok(performance.now() - started < 1_000, 'others do not wait for it');
  for (const answer of await Promise.all(answers)) {
    if (answer.userInfoList.length !== 4) t.fail(`${answer.userInfoList.length} users instead of 4`);
  }
  await until(() => order.length === REQUESTS + 1, 'the echo');
  const answeredBefore = order.indexOf(other.heartbeat.id);
  t.ok(answeredBefore > REQUESTS / 2, `the echo of what was sent last came after ${answeredBefore} answers`);
  t.ok((await alice.time()) > 0, 'and it is read from again');
});

t.test('a client that does not read is closed, and nobody else is harmed', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msg: { sendQueueMax: 512 * 1024 } });
  await cluster.storage.users.add(crowd(2_000, () => ({ avatar: 'a'.repeat(500) })));
  const alice = await cluster.login('alice');
  const bob = await cluster.login('bob');
  const heard = presenceHeard(alice);

  const socket = connect({ host: '127.0.0.1', port: cluster.msg[0]!.port });
  t.teardown(() => socket.destroy());
  const password = createHash('md5').update(PASSWORD).digest('hex');
  const request = { userName: 'carol', password, onlineStatus: ONLINE, clientType: WINDOWS };
  socket.pause();
  socket.write(encodeFrame(login.enter, 1, request));
  await until(() => heard.some(([userId, it]) => userId === 3 && it === ONLINE), 'carol to come');
  // About 1.2 MB each, more than may wait for a client, until what the system keeps for a socket is full as well.
  const ask = encodeFrame(buddy.allUsers, 2, { userId: 0, latestUpdateTime: 0 });
  const gone = () => heard.some(([userId, it]) => userId === 3 && it === OFFLINE);
  socket.on('error', () => undefined);
  let rounds = 0;
  for (; rounds < 100 && !gone(); rounds++) {
    if (socket.writable) socket.write(ask);
    const { msgId } = await alice.say(2, `round ${rounds}`);
    const { text } = await bob.heard((it) => it.msgId === msgId);
    if (text !== `round ${rounds}`) t.fail(`heard ${text}`);
  }
  await until(gone, 'carol to be closed');
  t.pass(`after ${rounds} answers`);
  t.strictSame(plain(await alice.usersStatus([3])), statusesOf([[3, OFFLINE]]));
  t.notOk(alice.isClosed || bob.isClosed);
  const again = await cluster.login('carol');
  for (let i = 0; i < 10; i++) t.equal((await again.contacts()).length, 2_004, 'who reads gets the same');
});
