/** Devices of one user: which of them stays, what is kept about them, and what their clocks say. */
import pg from 'pg';
import t, { type Test } from 'tap';
import type { Client } from '../../common/client/client.js';
import { wallClock } from '../../common/clock.js';
import { LinkGroup } from '../../common/net/link-group.js';
import { buddy, login, cluster as ours, server } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { commandTable, hear } from '../../common/server/command-table.js';
import { readSettings, SettingsError } from '../../common/settings.js';
import { dbProxySettings } from '../../servers/db-proxy/settings.js';
import { CLUSTER_SECRET, md5Hex, PASSWORD, TestCluster, testLog, until } from '../support/cluster.js';
import { only, plain } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';

const { ClientType, KickReasonType, UserStatType } = IM.BaseDefine;
const { CLIENT_TYPE_WINDOWS: WINDOWS, CLIENT_TYPE_MAC: MAC } = ClientType;
const { CLIENT_TYPE_IOS: IOS, CLIENT_TYPE_ANDROID: ANDROID } = ClientType;
const REASON = KickReasonType.KICK_REASON_DUPLICATE_USER;

const postgres = await testPostgres(t);

async function query<Row extends pg.QueryResultRow>(cluster: TestCluster, text: string): Promise<Row[]> {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  const { rows } = await client.query<Row>(text);
  await client.end();
  return rows;
}

/** A msg server played by hand: what it says to others, and the kicks it hears. */
function msgServer(t: Test, role: 'route' | 'db-proxy', port: number) {
  const kicks: IM.Cluster.IMKickOlder[] = [];
  const links = new LinkGroup({
    self: { role: 'msg', name: 'msg-by-hand' },
    role,
    secret: CLUSTER_SECRET,
    addresses: [{ host: '127.0.0.1', port }],
    askTimeoutMs: 5_000,
    asksMax: 10,
    log: testLog('msg-by-hand'),
    hears: commandTable<never, never>([hear(ours.kickOlder, (_ctx, told) => kicks.push(told))]),
    ctx: undefined as never,
  });
  t.teardown(() => links.close());
  return { links, kicks };
}

// -------------------------------------------------------------------------------------------------------- who stays

t.test('of two sessions the later log-in stays', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, dbProxies: 2 });

  await t.test('whatever the clocks of the msg servers say', async (t) => {
    const { nowMs } = wallClock;
    t.teardown(() => {
      wallClock.nowMs = nowMs;
    });
    for (const [at, aheadMs] of [
      [0, -3_600_000],
      [1, -3_600_000],
      [1, 3_600_000],
    ] as const) {
      const old = await cluster.login('alice', { clientType: WINDOWS, at: 0 });
      wallClock.nowMs = () => nowMs() + aheadMs;
      const fresh = await cluster.login('alice', { clientType: MAC, at });
      wallClock.nowMs = nowMs;
      t.match(await old.next(login.kick), { userId: 1, kickReason: REASON }, `${aheadMs} ms off`);
      await old.closed;
      await fresh.usersStatus([1]);
      t.notOk(fresh.isClosed);
      await fresh.logout();
    }
  });

  await t.test('db-proxies number log-ins, all of them by one counter', async (t) => {
    const [one, two] = cluster.dbProxies.map(({ port }) => msgServer(t, 'db-proxy', port).links);
    const numbers: number[] = [];
    for (const links of [one!, two!, two!, one!, two!]) {
      const verdict = await links.ask(server.validate, { userName: 'bob', password: md5Hex(PASSWORD) });
      numbers.push(verdict.loginNumber!);
    }
    t.strictSame(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
      'each greater than the last',
    );
    const wrong = await one!.ask(server.validate, { userName: 'bob', password: md5Hex('wrong') });
    t.match(wrong, { resultCode: 1, loginNumber: undefined, userInfo: undefined });
  });

  await t.test('even when the earlier one is heard of later', async (t) => {
    const alice = await cluster.login('alice', { leaveWhenKicked: false });
    const { links, kicks } = msgServer(t, 'route', cluster.routes[0]!.port);
    await until(() => links.open, 'the link');
    await links.askAll(ours.interest, { reset: true, usersIn: [1] });
    const kick = (loginNumber?: number) =>
      links.tell(ours.kickOlder, { userId: 1, clientType: MAC, reason: REASON, loginNumber });
    kick(1);
    await until(() => kicks.length > 0, 'the word that there is a newer one');
    const { loginNumber } = kicks[0]!;
    t.match(kicks[0], { userId: 1, clientType: WINDOWS, reason: REASON });
    kick(loginNumber);
    await alice.usersStatus([1]);
    t.equal(kicks.length, 1, 'its own number says nothing');
    t.equal(only(alice.unconsumed, login.kick).length, 0, 'it stays');
    kick(loginNumber! + 1);
    t.match(await alice.next(login.kick), { kickReason: REASON }, 'until there is a later one');
    await alice.closed;
    t.equal(kicks.length, 1);
  });

  await t.test('presence by hand: a PC elsewhere', async (t) => {
    const [watcher, phone] = [await cluster.login('bob'), await cluster.login('carol', { clientType: ANDROID })];
    const { links } = msgServer(t, 'route', cluster.routes[0]!.port);
    await until(() => links.open, 'the link');
    const said = (userStatus: IM.BaseDefine.UserStatType) =>
      links.tell(server.userStatus, { userId: 3, userStatus, clientType: WINDOWS, announce: true });
    for (const status of [UserStatType.USER_STATUS_ONLINE, UserStatType.USER_STATUS_OFFLINE]) {
      said(status);
      await watcher.next(buddy.statusNotify, ({ userStat }) => userStat.userId === 3 && userStat.status === status);
      t.strictSame(plain(await phone.next(buddy.pcLoginNotify)), { userId: 3, loginStat: status });
    }
    for (const client of [watcher, phone]) await client.logout();
  });
});

// ------------------------------------------------------------------------------------------------------ what is kept

t.test('push tokens', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2 });
  const tokens = () =>
    query(cluster, 'select user_id, class, client_type, token from meta.device_token order by user_id, class');
  const row = (user_id: number, client_type: number, token: string) => ({ user_id, class: 2, client_type, token });
  const give = async (client: Client, deviceToken: string) => {
    const answer = await client.ask(login.deviceToken, { userId: 0, deviceToken });
    t.strictSame(plain(answer), { userId: client.userId });
  };
  /** They are answered before they are stored. */
  const become = (expected: unknown[]) =>
    until(async () => JSON.stringify(await tokens()) === JSON.stringify(expected), JSON.stringify(expected));

  const phone = await cluster.login('alice', { clientType: IOS });
  const pc = await cluster.login('alice', { clientType: WINDOWS, at: 1 });
  await give(phone, 'first');
  await become([row(1, IOS, 'first')]);
  await give(phone, 'second');
  await become([row(1, IOS, 'second')]);
  for (const bad of ['x'.repeat(2049), 'a\0b']) await give(phone, bad);
  pc.tell(login.deviceToken, { userId: 1, deviceToken: 'of a PC' }, 9);
  await pc.time();
  t.equal(only(pc.unconsumed, login.deviceToken.reply).length, 0, 'a PC has none');
  await pc.logout();
  const longest = 'x'.repeat(2048);
  await give(phone, longest);
  await become([row(1, IOS, longest)]);

  // A phone that changes hands takes its token along, also when both say so at once.
  const other = await cluster.login('bob', { clientType: ANDROID, at: 1 });
  await give(phone, 'shared');
  await become([row(1, IOS, 'shared')]);
  await give(other, 'shared');
  await become([row(2, ANDROID, 'shared')]);
  const { devices } = cluster.storage;
  for (let round = 0; round < 20; round++) {
    const token = `round ${round}`;
    await Promise.all([devices.setToken(1, IOS, token), devices.setToken(2, ANDROID, token)]);
    const owners = (await tokens()).filter((each) => each.token === token);
    if (owners.length !== 1) t.equal(owners.length, 1, token);
  }
  await give(phone, '');
  await give(other, 'last');
  await become([row(2, ANDROID, 'last')]);

  // Somebody who logs out of his phone wants no more pushes; one who is merely cut off does.
  const again = await cluster.login('bob', { clientType: IOS });
  await other.closed;
  again.cut();
  const back = await cluster.login('bob', { clientType: ANDROID });
  await become([row(2, ANDROID, 'last')]);
  await back.logout();
  await become([]);
  await phone.logout();
});

t.test('quiet hours', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { dbProxy: { timeZone: 'Asia/Shanghai' } });
  const { quietHours } = cluster.storage;
  for (const user of ['alice', 'bob', 'carol']) {
    const client = await cluster.login(user);
    await client.ask(login.setPushShield, { userId: 0, shieldStatus: 1 });
    await client.logout();
  }
  await query(cluster, `update meta.users set time_zone = 'America/New_York' where id = 2`);
  await query(cluster, `update meta.users set time_zone = 'no such place' where id = 3`);
  // Shanghai is 8 hours ahead of UTC, New York 5 behind in winter and 4 in summer.
  const expected: readonly [string, number[]][] = [
    ['2026-01-15T13:59:59Z', []],
    ['2026-01-15T14:00:00Z', [1, 3]],
    ['2026-01-15T22:59:59Z', [1, 3]],
    ['2026-01-15T23:00:00Z', []],
    ['2026-01-16T02:59:59Z', []],
    ['2026-01-16T03:00:00Z', [2]],
    ['2026-01-16T11:59:59Z', [2]],
    ['2026-01-16T12:00:00Z', []],
    ['2026-07-15T02:00:00Z', [2]],
    ['2026-07-15T11:00:00Z', []],
    ['2026-01-15T16:00:00Z', [1, 3]], // midnight in Shanghai
  ];
  for (const [at, shielded] of expected)
    t.strictSame([...(await quietHours.shielded([1, 2, 3, 4, 999], Date.parse(at)))].sort(), shielded, at);
  t.strictSame([...(await quietHours.shielded([], Date.now()))], []);

  const read = (zone: string) => readSettings('db-proxy', dbProxySettings, { env: { TT_DB_PROXY_TIME_ZONE: zone } });
  t.equal(read('Europe/Berlin').timeZone, 'Europe/Berlin');
  t.throws(() => read('Mars/Olympus'), SettingsError);
});

// ---------------------------------------------------------------------------------------------------- whose clock it is

t.test('a phone whose clock is wrong misses no change', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const departments = () => cluster.storage.departments.add([{ name: 'another' }]);
  const change = (id: number) => cluster.storage.users.change(id, 'sign_info', `${Math.random()}`);
  const ask = async (client: Client, latestUpdateTime: number) => {
    const users = await client.ask(buddy.allUsers, { userId: 0, latestUpdateTime, clientType: IOS });
    const depts = await client.ask(buddy.departments, { userId: 0, latestUpdateTime, clientType: IOS });
    t.ok(users.latestUpdateTime >= latestUpdateTime && depts.latestUpdateTime >= latestUpdateTime);
    return [users.userList.map((each) => each.userId), depts.deptList.map((each) => each.deptId)];
  };
  const ahead = Math.floor(Date.now() / 1000) + 86_400;
  await departments();

  const android = await cluster.login('alice', { clientType: ANDROID });
  t.strictSame(await ask(android, ahead), [[1, 2, 3, 4], [1]], 'of whom nothing is known: everybody, once');
  t.strictSame(await ask(android, ahead), [[], []]);
  await change(2);
  await departments();
  t.strictSame(await ask(android, ahead), [[2], [2]], 'what changed since the last answer');
  t.strictSame(await ask(android, ahead + 5), [[], []]);
  await change(3);
  await android.logout();
  const again = await cluster.login('alice', { clientType: ANDROID });
  t.strictSame(await ask(again, ahead), [[3], []], 'in the next session as well');
  t.strictSame(
    await ask(again, 0),
    [
      [1, 2, 3, 4],
      [1, 2],
    ],
    'a phone that has nothing gets everything',
  );
  t.strictSame(
    await ask(again, 2),
    [
      [1, 2, 3, 4],
      [1, 2],
    ],
    'one that lost something gets it again',
  );
  await query(cluster, `update meta.users set status = 3, updated = meta.next_stamp('users') where id = 4`);
  await query(cluster, `update meta.department set status = 1, updated = meta.next_stamp('departments') where id = 1`);
  t.strictSame(await ask(again, ahead), [[4], [1]], 'those who left, and what was deleted, too');

  const ios = await cluster.login('alice', { clientType: IOS });
  t.strictSame(await ask(ios, ahead), [[], []], 'others ask with a time that we gave them');
  const pc = await cluster.login('bob', { clientType: WINDOWS });
  t.strictSame(await ask(pc, ahead), [[], []]);
  const bobs = await cluster.login('bob', { clientType: ANDROID });
  t.strictSame((await ask(bobs, ahead))[0], [1, 2, 3, 4], 'each user has a record of his own');
});
