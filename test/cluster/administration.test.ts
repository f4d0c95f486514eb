/** What the administration changes, and how clients, other administrators and the audit trail come to know of it. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import t, { type Test } from 'tap';
import type { Client } from '../../common/client/client.js';
import { LoginRefused } from '../../common/client/errors.js';
import { groupConversation } from '../../common/conversation.js';
import type { ImError } from '../../common/errors.js';
import { LinkGroup } from '../../common/net/link-group.js';
import type { Ask } from '../../common/pdu/command.js';
import { buddy, directory, group, login, message } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { commandTable } from '../../common/server/command-table.js';
import { CLUSTER_SECRET, md5Hex, PASSWORD, TestCluster, testLog, until } from '../support/cluster.js';
import { listenTo, only, plain } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';

const { ClientType, DepartmentStatusType, GroupModifyType, SessionType } = IM.BaseDefine;
const actor = { kind: 'admin', name: 'root', address: '127.0.0.1' };
const LEFT = 3;

const postgres = await testPostgres(t);

async function linkOf(t: Test, cluster: TestCluster, role: string): Promise<LinkGroup> {
  const links = new LinkGroup({
    self: { role, name: `${role}-of-the-test` },
    role: 'db-proxy',
    secret: CLUSTER_SECRET,
    addresses: cluster.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port })),
    askTimeoutMs: 10_000,
    asksMax: 100,
    log: testLog(role),
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  });
  t.teardown(() => links.close());
  await until(() => links.open, `the link of the ${role} server`);
  return links;
}

async function refused<In, Out, ReplyIn, ReplyOut>(
  t: Test,
  links: LinkGroup,
  ask: Ask<In, Out, ReplyIn, ReplyOut>,
  asked: In,
  code: string,
  detail: RegExp,
): Promise<void> {
  const error = await links.ask(ask, asked).then(
    () => t.fail(`${ask.name} was not refused`),
    (it: unknown) => it,
  );
  t.match(error, { name: 'ImError', code }, `refused with ${code}`);
  t.match((error as ImError).detail ?? '', detail);
}

async function query<Row extends pg.QueryResultRow>(cluster: TestCluster, text: string): Promise<Row[]> {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  const { rows } = await client.query<Row>(text);
  await client.end();
  return rows;
}

/** One that asked to hear of news in the directory. */
async function newerClient(cluster: TestCluster, user: string): Promise<Client> {
  const client = await cluster.connect();
  await client.enter({ user, password: PASSWORD, capabilities: ['dir1'] });
  return client;
}

/** Refused, without saying more than that. */
function cannotLogIn(t: Test, cluster: TestCluster, user: string, password: string) {
  return t.rejects(cluster.login(user, { password }), new LoginRefused(6, '用户名/密码错误'));
}

t.test('people', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, dbProxies: 2 });
  const admin = await linkOf(t, cluster, 'admin');
  const change = (userId: number | undefined, fields: IM.Directory.PersonFields.$Properties, more = {}) =>
    admin.ask(directory.changePerson, { actor, userId, fields, ...more });
  const newer = await newerClient(cluster, 'alice');
  const legacy = await cluster.login('bob', { at: 1 });
  const heard = listenTo(legacy);

  await t.test('somebody new: newer clients are told to look, nobody else hears a thing', async (t) => {
    const { person } = await change(undefined, {
      name: 'eve',
      nick: 'Eve',
      passwordMd5: md5Hex('secret'),
      email: 'e@x',
    });
    t.match(person, { name: 'eve', nick: 'Eve', email: 'e@x', departmentId: 0, status: 0 });
    const news = await newer.next(buddy.directoryNotify);
    t.equal(news.latestUsersTime, person.version);
    const before = person.version - 1;
    const { userList } = await newer.ask(buddy.allUsers, { userId: 0, latestUpdateTime: before });
    t.same(
      userList.map((user) => user.userRealName),
      ['eve'],
    );
    const eve = await cluster.login('eve', { password: 'secret', at: 1 });
    t.equal(eve.userId, person.userId);
    await legacy.ask(message.time, {});
    t.same(only(heard, buddy.directoryNotify), []);
  });

  await t.test('somebody new without a password cannot log in until there is one', async (t) => {
    const { person } = await change(undefined, { name: 'frank' });
    t.equal(person.nick, 'frank', 'shown as what he logs in with');
    await cannotLogIn(t, cluster, 'frank', '');
    await cannotLogIn(t, cluster, 'frank', 'none');
    await change(person.userId, { passwordMd5: md5Hex('later') });
    await cluster.login('frank', { password: 'later' });
  });

  await t.test('disabled: out within a moment, on every msg server, and back in when enabled', async (t) => {
    const sessions = [
      await cluster.login('carol', { clientType: ClientType.CLIENT_TYPE_WINDOWS }),
      await cluster.login('carol', { clientType: ClientType.CLIENT_TYPE_IOS, at: 1 }),
    ];
    await change(3, { status: LEFT });
    for (const session of sessions) await session.next(login.kick);
    await cannotLogIn(t, cluster, 'carol', 'test123');
    await change(3, { status: 0 });
    await cluster.login('carol');
  });

  await t.test('disabled while nobody could tell the msg servers: found out when a link was lost', async () => {
    const carol = await cluster.login('carol');
    await cluster.storage.people.change(actor, 3, { fields: { status: LEFT } });
    await cluster.dbProxies.splice(1, 1)[0]!.running.close(0);
    await carol.next(login.kick);
    await cluster.storage.people.change(actor, 3, { fields: { status: 0 } });
  });

  await t.test('another password ends sessions; only the new one opens', async (t) => {
    const dave = await cluster.login('dave');
    await change(4, { passwordMd5: md5Hex('another') });
    await dave.next(login.kick);
    await cannotLogIn(t, cluster, 'dave', 'test123');
    await cluster.login('dave', { password: 'another' });
  });

  await t.test('one class of devices logged out from afar', async () => {
    const phone = await cluster.login('alice', { clientType: ClientType.CLIENT_TYPE_ANDROID, at: 1 });
    await admin.ask(directory.endSessions, { actor, userId: 1, deviceClass: 2, forgetToken: true });
    await phone.next(login.kick);
    await newer.ask(message.time, {});
  });

  await t.test('avatar and signature reach those who are there', async (t) => {
    await change(1, { avatar: 'http://a/1.png', signInfo: 'away' });
    t.match(await legacy.next(buddy.avatarNotify), { changedUserId: 1, avatarUrl: 'http://a/1.png' });
    t.match(await legacy.next(buddy.signatureNotify), { changedUserId: 1, signInfo: 'away' });
  });

  await t.test('refusals name the field', async (t) => {
    const no = (userId: number | undefined, fields: object, code: string, detail: RegExp, more = {}) =>
      refused(t, admin, directory.changePerson, { actor, userId, fields, ...more }, code, detail);
    await no(undefined, { nick: 'x' }, 'BAD_REQUEST', /^name: must be given/);
    await no(undefined, { name: ' ' }, 'BAD_REQUEST', /^name: must not be empty/);
    await no(undefined, { name: 'n'.repeat(65) }, 'BAD_REQUEST', /^name: has at most 64 characters/);
    await no(undefined, { name: 'a\0b' }, 'BAD_REQUEST', /^name: has a control character/);
    await no(1, { phone: '1'.repeat(129) }, 'BAD_REQUEST', /^phone: has at most 128/);
    await no(1, { status: 5 }, 'BAD_REQUEST', /^status: /);
    await no(1, { sex: 3 }, 'BAD_REQUEST', /^sex: /);
    await no(1, { passwordMd5: 'test123' }, 'BAD_REQUEST', /^passwordMd5: /);
    await no(undefined, { name: 'alice' }, 'NAME_TAKEN', /alice/);
    await no(2, { name: 'alice' }, 'NAME_TAKEN', /alice/);
    await no(1, { departmentId: 77 }, 'NO_SUCH_DEPARTMENT', /77/);
    await no(4711, { nick: 'x' }, 'NO_SUCH_USER', /4711/);
    await no(0, { nick: 'x' }, 'NO_SUCH_USER', /0/);
    await no(1, { nick: 'x' }, 'CONFLICT', /user 1/, { expectedVersion: 1 });
    await no(1, { nick: 'x' }, 'BAD_REQUEST', /^requestId: /, { requestId: randomBytes(3) });
  });

  await t.test('asked again with the same id, nothing is made twice', async (t) => {
    const requestId = randomBytes(16);
    const { person: first } = await change(undefined, { name: 'grace' }, { requestId });
    const { person: again } = await change(undefined, { name: 'grace' }, { requestId });
    t.same(plain(again), plain(first));
  });

  await t.test('other servers may not', async (t) => {
    for (const role of ['msg', 'route'] as const) {
      const links = new LinkGroup({
        self: { role, name: 'x' },
        role: 'db-proxy',
        secret: CLUSTER_SECRET,
        addresses: [{ host: '127.0.0.1', port: cluster.dbProxies[0]!.port }],
        askTimeoutMs: 1_000,
        asksMax: 1,
        log: testLog(role),
        hears: commandTable<never, never>([]),
        ctx: undefined as never,
      });
      t.teardown(() => links.close());
      await t.rejects(links.ask(directory.changePerson, { actor, fields: { name: 'mallory' } }));
    }
    t.same(await cluster.storage.people.page({ ...page, name: 'mallory' }), {
      people: [],
      next: undefined,
      total: undefined,
    });
  });
});

const page = { statuses: [], byName: false, limit: 10, count: false, userIds: [] };

t.test('pages of people', async (t) => {
  const users = ['a1', 'a2', 'b%1', 'b_2', 'c1', 'c2', 'c3'];
  const cluster = await TestCluster.start(t, postgres, { users });
  const admin = await linkOf(t, cluster, 'admin');
  const tree = [
    ['Company', 0],
    ['Sales', 1],
    ['North', 2],
  ] as const;
  for (const [name, parentId] of tree) await admin.ask(directory.changeDepartment, { actor, name, parentId });
  for (const [userId, departmentId] of [
    [1, 1],
    [2, 2],
    [3, 3],
  ] as const)
    await admin.ask(directory.changePerson, { actor, userId, fields: { departmentId } });
  await admin.ask(directory.changePerson, { actor, userId: 7, fields: { status: LEFT, email: 'Seven@example.org' } });
  const all = async (asked: object): Promise<string[]> => {
    const names: string[] = [];
    for (let after: string | undefined; ; ) {
      const got: IM.Directory.IMPeopleRsp = await admin.ask(directory.people, { limit: 2, ...asked, after });
      names.push(...got.personList.map((each) => each.name));
      if (got.next == null) return names;
      after = got.next;
    }
  };
  t.same(await all({}), users);
  t.same(await all({ byName: true }), users);
  t.same(await all({ search: 'B' }), ['b%1', 'b_2']);
  t.same(await all({ search: '%' }), ['b%1'], 'no pattern');
  t.same(await all({ search: '_' }), ['b_2'], 'no pattern');
  t.same(await all({ search: 'seven@' }), ['c3']);
  t.same(await all({ search: "'; drop table meta.users; --" }), []);
  t.same(await all({ departmentId: 1 }), ['a1', 'a2', 'b%1'], 'with what is below it');
  t.same(await all({ departmentId: 3 }), ['b%1']);
  t.same(await all({ statusList: [LEFT] }), ['c3']);
  t.same(await all({ userIdList: [2, 5, 99] }), ['a2', 'c1']);
  t.match(await admin.ask(directory.people, { limit: 1, count: true, search: 'c' }), { total: 3, next: '5' });
  t.same((await admin.ask(directory.people, { limit: 5, after: '1 or 1=1' })).personList, []);
  await refused(t, admin, directory.people, { limit: 0 }, 'BAD_REQUEST', /^limit: is from 1 to 1000/);
  await refused(t, admin, directory.people, { limit: 1001 }, 'BAD_REQUEST', /^limit/);
});

t.test('many people at once', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const admin = await linkOf(t, cluster, 'admin');
  const rowList = [
    { name: 'u1', nick: 'One', passwordMd5: md5Hex('one') },
    { name: 'u2', departmentId: 9 },
    { name: 'u1' },
    { name: '' },
    { name: 'alice', nick: 'Alice A.' },
    { name: 'bob', nick: 'bob' },
  ];
  const ask = async (dryRun: boolean, update: boolean) => {
    const { outcomeList } = await admin.ask(directory.importPeople, { actor, dryRun, update, rowList });
    return outcomeList.map((each) => each.code ?? each.outcome);
  };
  const wanted = ['created', 'NO_SUCH_DEPARTMENT', 'NAME_TAKEN', 'BAD_REQUEST'];
  t.same(await ask(true, true), [...wanted, 'updated', 'unchanged']);
  const names = async () => (await cluster.storage.people.page(page)).people.map((each) => each.nick);
  t.same(await names(), ['alice', 'bob', 'carol', 'dave'], 'a dry run changes nothing');
  t.same((await cluster.storage.audit.list({ limit: 10 })).length, 0, 'and is not in the audit trail');
  t.same(await ask(false, false), [...wanted, 'NAME_TAKEN', 'NAME_TAKEN']);
  t.same(await names(), ['alice', 'bob', 'carol', 'dave', 'One']);
  t.same(await ask(false, true), ['updated', ...wanted.slice(1), 'updated', 'unchanged']);
  t.same(await names(), ['Alice A.', 'bob', 'carol', 'dave', 'One']);
  await cluster.login('u1', { password: 'one' });
  await refused(
    t,
    admin,
    directory.importPeople,
    { actor, dryRun: true, update: false, rowList: Array.from({ length: 501 }, (_, i) => ({ name: `x${i}` })) },
    'BAD_REQUEST',
    /^rowList: has at most 500/,
  );
});

t.test('departments', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const admin = await linkOf(t, cluster, 'admin');
  const alice = await newerClient(cluster, 'alice');
  const change = async (asked: Omit<IM.Directory.IMChangeDepartmentReq.$Properties, 'actor'>) =>
    (await admin.ask(directory.changeDepartment, { actor, ...asked })).department;
  const no = (asked: object, code: string, detail: RegExp) =>
    refused(t, admin, directory.changeDepartment, { actor, ...asked }, code, detail);

  const company = await change({ name: 'Company' });
  const sales = await change({ name: 'Sales', parentId: company.departmentId, priority: 2 });
  const north = await change({ name: 'North', parentId: sales.departmentId });
  await admin.ask(directory.changePerson, { actor, userId: 1, fields: { departmentId: north.departmentId } });
  const news = await alice.next(buddy.directoryNotify, (it) => it.latestDepartmentsTime === north.version);
  t.ok(news);
  const { departmentList } = await admin.ask(directory.departmentTree, {});
  t.match(departmentList, [{ name: 'Company' }, { name: 'Sales', priority: 2 }, { name: 'North', people: 1 }]);

  await no({ departmentId: company.departmentId, parentId: north.departmentId }, 'BAD_REQUEST', /below itself/);
  await no({ departmentId: company.departmentId, parentId: company.departmentId }, 'BAD_REQUEST', /below itself/);
  await no({ name: 'Sales', parentId: company.departmentId }, 'NAME_TAKEN', /Sales/);
  await no({ name: 'x', parentId: 99 }, 'NO_SUCH_DEPARTMENT', /99/);
  await no({ departmentId: 99, name: 'x' }, 'NO_SUCH_DEPARTMENT', /99/);
  await no({}, 'BAD_REQUEST', /^name: must not be empty/);
  await no({ name: 'd'.repeat(65) }, 'BAD_REQUEST', /^name: has at most 64/);
  await no({ departmentId: north.departmentId, name: 'x', expectedVersion: 1 }, 'CONFLICT', /North|department/);
  await no({ departmentId: sales.departmentId, remove: true }, 'NOT_EMPTY', /1 departments/);
  await no({ departmentId: north.departmentId, remove: true }, 'NOT_EMPTY', /1 people/);
  let deepest = north.departmentId;
  for (let depth = 4; depth <= 32; depth++)
    deepest = (await change({ name: `level ${depth}`, parentId: deepest })).departmentId;
  await no({ name: 'too deep', parentId: deepest }, 'BAD_REQUEST', /at most 32 deep/);

  await admin.ask(directory.changePerson, { actor, userId: 1, fields: { departmentId: 0 } });
  const gone = await change({ departmentId: deepest, remove: true });
  const { deptList } = await alice.ask(buddy.departments, { userId: 0, latestUpdateTime: gone.version - 1 });
  t.match(deptList, [{ deptId: deepest, deptStatus: DepartmentStatusType.DEPT_STATUS_DELETE }]);

  const [a, b] = [await change({ name: 'A' }), await change({ name: 'B' })].map((each) => each.departmentId);
  const swaps = await Promise.allSettled([
    change({ departmentId: a!, parentId: b! }),
    change({ departmentId: b!, parentId: a! }),
  ]);
  t.same(swaps.map((each) => each.status).sort(), ['fulfilled', 'rejected'], 'two moves at once make no ring');
});

t.test('groups', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2 });
  const admin = await linkOf(t, cluster, 'admin');
  const [alice, bob, carol] = [
    await cluster.login('alice'),
    await cluster.login('bob', { at: 1 }),
    await cluster.login('carol', { at: 1 }),
  ];
  const change = (asked: Omit<IM.Directory.IMChangeGroupReq.$Properties, 'actor'>) =>
    admin.ask(directory.changeGroup, { actor, ...asked });
  const no = (asked: object, code: string, detail: RegExp) =>
    refused(t, admin, directory.changeGroup, { actor, ...asked }, code, detail);

  const made = await change({ name: 'Lunch', addList: [1, 2] });
  const { groupId } = made.group;
  t.match(made, { group: { name: 'Lunch', members: 2, version: 1, groupType: 1, deleted: false }, addedList: [1, 2] });
  for (const member of [alice, bob]) {
    const notice = await member.next(group.memberNotify);
    t.match(plain(notice), { groupId, changeType: GroupModifyType.GROUP_MODIFY_TYPE_ADD, curUserIdList: [1, 2] });
  }
  await alice.sayGroup(groupId, 'before carol');
  await bob.next(message.data);

  const added = await change({ groupId, addList: [3], name: 'Dinner', expectedVersion: 1 });
  t.match(added, { group: { name: 'Dinner', version: 2, members: 3 }, addedList: [3] });
  t.match(plain(await carol.next(group.memberNotify)), { chgUserIdList: [3], curUserIdList: [1, 2, 3] });
  await alice.sayGroup(groupId, 'with carol');
  await carol.next(message.data);
  const seen = await carol.history(SESSION_GROUP, groupId);
  t.same(
    seen.map((each) => each.text),
    ['with carol'],
    'what was before is not hers',
  );

  await change({ groupId, removeList: [2] });
  const notice = await bob.next(group.memberNotify, (it) => it.changeType === GroupModifyType.GROUP_MODIFY_TYPE_DEL);
  t.same([...notice.chgUserIdList], [2]);
  await alice.sayGroup(groupId, 'without bob');
  await carol.next(message.data);
  t.same(await bob.history(SESSION_GROUP, groupId), []);

  await no({ groupId, name: 'x', expectedVersion: 1 }, 'CONFLICT', /group/);
  await no({ groupId: 99, name: 'x' }, 'NO_SUCH_GROUP', /99/);
  await no({ groupId, addList: [99] }, 'NO_SUCH_USER', /99/);
  await no({ addList: [1] }, 'BAD_REQUEST', /^name/);
  await no({ name: '' }, 'BAD_REQUEST', /^name/);
  await no({ name: 'ü'.repeat(129) }, 'BAD_REQUEST', /^name: has at most 256 bytes/);

  await change({ groupId, disband: true });
  t.match(plain(await carol.next(group.memberNotify, (it) => it.curUserIdList.length === 0)), { changeType: 2 });
  await t.rejects(alice.sayGroup(groupId, 'anybody?', { timeoutMs: 300 }));
  await no({ groupId, name: 'again' }, 'NO_SUCH_GROUP', /./);
  t.same((await admin.ask(directory.groups, { limit: 10 })).groupList, []);
  t.match((await admin.ask(directory.groups, { limit: 10, withDeleted: true })).groupList, [
    { groupId, deleted: true },
  ]);
  t.equal(await cluster.storage.messages.head(groupConversation(groupId)), 3, 'its messages are kept');
});

const SESSION_GROUP = SessionType.SESSION_TYPE_GROUP;

t.test('the audit trail', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const admin = await linkOf(t, cluster, 'admin');
  await admin.ask(directory.changePerson, { actor, userId: 1, fields: { nick: 'Alice', phone: '1' } });
  await admin.ask(directory.changePerson, { actor, userId: 1, fields: { nick: 'Alice' } });
  await admin.ask(directory.changePerson, { actor, userId: 1, fields: { passwordMd5: md5Hex('new') } });
  await admin.ask(directory.noteAudit, {
    actor: { kind: 'tool', name: 'export' },
    action: 'export.users',
    subject: 'users',
  });
  await admin.ask(directory.changeSetting, { actor, name: 'a.b', value: '{"on":true}', expectedVersion: 0 });
  const { rowList } = await admin.ask(directory.audit, { limit: 10 });
  t.same(
    rowList.map(({ id, action, subject, before, after }) => [id, action, subject, before, after]),
    [
      [4, 'setting.change', 'setting:a.b', null, '{"value":{"on":true}}'],
      [3, 'export.users', 'users', null, null],
      [2, 'user.change', 'user:1', null, '{"password":"changed"}'],
      [1, 'user.change', 'user:1', '{"nick":"alice","phone":""}', '{"nick":"Alice","phone":"1"}'],
    ],
    'newest first; what changed nothing is not in it, nor is any password',
  );
  const ids = async (asked: object) =>
    (await admin.ask(directory.audit, { limit: 10, ...asked })).rowList.map((row) => row.id);
  t.same(await ids({ subject: 'user:1' }), [2, 1]);
  t.same(await ids({ subject: 'setting:' }), [4]);
  t.same(await ids({ action: 'user.' }), [2, 1]);
  t.same(await ids({ actorName: 'export' }), [3]);
  t.same(await ids({ beforeId: 3 }), [2, 1]);
  t.match(await admin.ask(directory.audit, { limit: 2 }), { next: 3 });

  const verify = async () => plain(await admin.ask(directory.verifyAudit, { afterId: 0 }));
  t.match(await verify(), { checkedId: 4, done: true });
  const tampered: [string, string, number][] = [
    ['altered', `update meta.audit set actor_name = 'nobody' where id = 2`, 2],
    ['altered inside', `update meta.audit set after = '{"nick":"Bob"}' where id = 1`, 1],
    ['removed in the middle', 'delete from meta.audit where id = 2', 2],
    ['removed at the end', 'delete from meta.audit where id = 4', 4],
  ];
  for (const [how, statement, brokenId] of tampered) {
    await query(cluster, `create table meta.kept as select * from meta.audit; ${statement}`);
    t.match(await verify(), { done: true, brokenId }, how);
    await query(
      cluster,
      'delete from meta.audit; insert into meta.audit select * from meta.kept; drop table meta.kept',
    );
  }
  t.match(await verify(), { checkedId: 4, done: true });

  const both = Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      admin.ask(directory.changePerson, { actor, userId: (i % 4) + 1, fields: { nick: `nick ${i}` } }),
    ),
  );
  await both;
  t.match(await verify(), { checkedId: 24, done: true }, 'changes at the same time are chained too');
});

t.test('settings', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const admin = await linkOf(t, cluster, 'admin');
  const change = (name: string, value: string | undefined, expectedVersion?: number) =>
    admin.ask(directory.changeSetting, { actor, name, value, expectedVersion });
  t.match((await change('push.text', '"full"', 0)).setting, { name: 'push.text', value: '"full"', version: 1 });
  t.match((await change('push.text', '"none"', 1)).setting, { version: 2 });
  await change('pull', '1');
  const no = (name: string, value: string, expectedVersion: number | undefined, code: string, detail: RegExp) =>
    refused(t, admin, directory.changeSetting, { actor, name, value, expectedVersion }, code, detail);
  await no('push.text', '"x"', 1, 'CONFLICT', /push.text/);
  await no('other', '"x"', 1, 'CONFLICT', /other/);
  await no('push.text', '{', undefined, 'BAD_REQUEST', /^value: is not JSON/);
  const { settingList } = await admin.ask(directory.settings, { prefix: 'push.' });
  t.match(plain(settingList), [{ name: 'push.text', value: '"none"', version: 2 }]);
  await change('push.text', undefined, 2);
  t.same((await admin.ask(directory.settings, { prefix: 'push.' })).settingList, []);
});
