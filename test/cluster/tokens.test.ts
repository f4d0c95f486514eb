/** Devices that log in by a token: made, replaced, listed, taken back. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import t from 'tap';
import type { Client, LoginRefused } from '../../common/client/client.js';
import { DEVICES_MAX } from '../../common/limits.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { login } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { md5Hex, PASSWORD, TestCluster, until } from '../support/cluster.js';
import { addAdmin, Browser } from '../support/console.js';
import { fieldsOf, listenTo, only } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';

const { ClientType, UserStatType } = IM.BaseDefine;
const DAY_MS = 24 * 60 * 60 * 1000;

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, { msgServers: 2, httpMsg: {}, console: {} });
const meta = new pg.Client(cluster.databaseUrl);
await meta.connect();
t.teardown(() => meta.end());

type Extra = Partial<Parameters<TestCluster['login']>[1] & object>;

/** Gives the password on a device that wants a token. */
function enter(user: string, deviceId: string, more: Extra = {}): Promise<Client> {
  return cluster.login(user, {
    capabilities: ['token1', 'err1'],
    deviceId,
    deviceName: `${user}'s ${deviceId}`,
    ...more,
  });
}

/** Comes with a token and no password. */
function enterBy(token: Uint8Array, user: string, deviceId: string, more: Extra = {}): Promise<Client> {
  return enter(user, deviceId, { token, password: '', ...more });
}

function tokenOf(client: Client): Uint8Array {
  const { token } = client.freshToken!;
  if (token.length !== 32) throw new Error(`a token of ${token.length} bytes`);
  return token;
}

/** Logs in and out. @returns the new token, when there was one */
async function visit(attempt: Promise<Client>): Promise<Uint8Array | undefined> {
  const client = await attempt;
  client.close();
  await client.closed;
  return client.freshToken?.token;
}

async function refused(attempt: Promise<Client>): Promise<boolean> {
  return attempt.then(
    (client) => {
      client.close();
      return false;
    },
    (error: LoginRefused) => {
      if (error.name === 'LoginRefused' && error.code === 6) return true;
      throw error;
    },
  );
}

async function age(deviceId: string, change: string): Promise<void> {
  await meta.query(`update meta.login_token set ${change} where device_id = $1`, [deviceId]);
}

t.test('a device is given a token and comes back with it', async (t) => {
  const client = await enter('alice', 'laptop');
  const token = tokenOf(client);
  const days = (client.freshToken!.expiresMs - Date.now()) / DAY_MS;
  t.ok(days > 29.9 && days < 30.1, 'good for thirty days');
  client.close();
  const { rows } = await meta.query<{ row: string }>('select t::text as row from meta.login_token t');
  t.equal(rows.length, 1);
  t.notOk(rows[0]!.row.includes(Buffer.from(token).toString('hex')), 'it is not stored as it is');

  const back = await enterBy(token, 'alice', 'laptop', { at: 1 });
  t.equal(back.userId, 1);
  t.equal(back.freshToken, undefined, 'it stays good');
  await visit(enterBy(token, 'alice', 'laptop'));

  t.ok(await refused(enterBy(token, 'bob', 'laptop')), 'not for another user');
  t.ok(await refused(enterBy(token, 'alice', 'phone')), 'not on another device');
  t.ok(await refused(enterBy(randomBytes(32), 'alice', 'laptop')), 'not one of one’s own making');
  t.ok(await refused(enterBy(token.subarray(0, 31), 'alice', 'laptop')));
  t.ok(await refused(enterBy(Buffer.alloc(0), 'alice', 'laptop')));
  t.ok(
    await refused(cluster.login('alice', { token, password: '', deviceId: 'laptop' })),
    'not without having asked for it',
  );
  t.notOk(await refused(enterBy(token, 'alice', 'laptop')), 'none of this has changed it');
});

t.test('without asking, or without a device, there is none', async (t) => {
  const without: Extra[] = [{ capabilities: [] }, { capabilities: ['err1'] }, { deviceId: '' }];
  without.push({ deviceId: 'x'.repeat(65) }, { deviceId: 'a\nb' });
  for (const more of without) {
    const client = await enter('carol', 'tablet', more);
    t.equal(client.freshToken, undefined, JSON.stringify(more));
    client.close();
  }
  const legacy = await cluster.connect();
  const asked = { userName: 'carol', password: md5Hex(PASSWORD), onlineStatus: UserStatType.USER_STATUS_ONLINE };
  const frames = listenTo(legacy);
  legacy.sendFrame(encodeFrame(login.enter, 1, { ...asked, clientType: ClientType.CLIENT_TYPE_MAC, deviceId: 'mac' }));
  await until(() => only(frames, login.enter.reply).length > 0, 'the answer');
  t.strictSame(
    fieldsOf(only(frames, login.enter.reply)[0]!.body),
    [1, 2, 3, 4, 5],
    'a legacy session gets stock fields only',
  );
  legacy.tell(login.devices, { userId: 3 });
  t.ok((await legacy.time()) > 0);
  t.equal(only(frames, login.devices.reply).length, 0, 'and no list of devices');
});

t.test('tokens are replaced', async (t) => {
  const first = (await visit(enter('bob', 'phone', { clientType: ClientType.CLIENT_TYPE_IOS })))!;
  const ios = { clientType: ClientType.CLIENT_TYPE_IOS };
  t.equal(await visit(enterBy(first, 'bob', 'phone', ios)), undefined);
  await age('phone', "rotated = now() - interval '25 hours', expires = now() + interval '1 hour'");
  const lost = (await visit(enterBy(first, 'bob', 'phone', ios)))!;
  t.ok(lost, 'after a day there is a new one');
  const second = (await visit(enterBy(first, 'bob', 'phone', ios)))!;
  t.notSame(second, lost, 'whose answer was lost gets another one');
  t.ok(await refused(enterBy(lost, 'bob', 'phone', ios)), 'and the lost one is none');
  const { rows } = await meta.query<{ days: number }>(
    "select extract(epoch from expires - now())::float8 / 86400 as days from meta.login_token where device_id = 'phone'",
  );
  t.ok(rows[0]!.days > 29, 'who comes back stays');
  t.equal(await visit(enterBy(second, 'bob', 'phone', ios)), undefined, 'it is in use from now on');

  const bob = await enterBy(second, 'bob', 'phone', { ...ios, leaveWhenKicked: false });
  t.ok(await refused(enterBy(first, 'bob', 'phone', ios)), 'the one before is known to be a copy');
  await bob.next(login.kick);
  t.ok(await refused(enterBy(second, 'bob', 'phone', ios)), 'so the device has to give the password again');
});

t.test('tokens end', async (t) => {
  const enterTwo = async () =>
    [
      tokenOf(await enter('dave', 'pc')),
      tokenOf(await enter('dave', 'mobile', { clientType: ClientType.CLIENT_TYPE_ANDROID })),
    ] as const;
  const both = async ([pc, mobile]: readonly [Uint8Array, Uint8Array]) => [
    await refused(enterBy(pc, 'dave', 'pc')),
    await refused(enterBy(mobile, 'dave', 'mobile', { clientType: ClientType.CLIENT_TYPE_ANDROID })),
  ];
  const actor = { kind: 'tool', name: 'test', address: '' } as const;

  let tokens = await enterTwo();
  t.strictSame(await both(tokens), [false, false]);
  await age('pc', "expires = now() - interval '1 second'");
  t.strictSame(await both(tokens), [true, false], 'with their time');

  tokens = await enterTwo();
  const pc = await enterBy(tokens[0], 'dave', 'pc');
  await pc.logout();
  t.strictSame(await both(tokens), [true, false], 'with a log-out');

  tokens = await enterTwo();
  const { person } = await cluster.storage.people.change(actor, 4, {
    fields: {},
    passwordHash: await cluster.storage.passwords.hash(md5Hex(PASSWORD)),
  });
  t.strictSame(await both(tokens), [true, true], 'with the password');

  tokens = await enterTwo();
  await cluster.storage.people.endSessions(actor, 4, 2, true);
  t.strictSame(await both(tokens), [false, true], 'for a class of devices');

  tokens = await enterTwo();
  await cluster.storage.people.change(actor, 4, { fields: { nick: 'Dave' } });
  t.strictSame(await both(tokens), [false, false], 'not with his other fields');
  await cluster.storage.people.change(actor, 4, { fields: { status: 3 } });
  t.strictSame(await both(tokens), [true, true], 'when he leaves');
  await cluster.storage.people.change(actor, 4, { fields: { status: person.status } });
  t.strictSame(await both(tokens), [true, true], 'for good');
});

t.test('a password that was changed while it was checked leaves no token', async (t) => {
  const device = { deviceId: 'slow', deviceName: '', clientType: 1 };
  const checked = await cluster.storage.passwords.check('carol', md5Hex(PASSWORD), '');
  if (!checked.ok) throw new Error('not let in');
  const passwordHash = await cluster.storage.passwords.hash(md5Hex(PASSWORD));
  await cluster.storage.people.change({ kind: 'tool', name: 'test', address: '' }, 3, { fields: {}, passwordHash });
  t.equal(await cluster.storage.loginTokens.issue(3, checked, device), undefined);
  t.ok(
    await cluster.storage.loginTokens.issue(3, { passwordHash, appPasswordId: undefined }, device),
    'with the new one there is',
  );
});

t.test('a user sees his devices and logs them out', async (t) => {
  const laptop = await enter('alice', 'laptop', { at: 0 });
  const phone = await enter('alice', 'phone', {
    at: 1,
    clientType: ClientType.CLIENT_TYPE_IOS,
    leaveWhenKicked: false,
  });
  const shown = await laptop.devices();
  t.match(
    shown.map(({ deviceId, deviceName, clientType, current }) => ({ deviceId, deviceName, clientType, current })),
    [
      { deviceId: 'phone', deviceName: "alice's phone", clientType: ClientType.CLIENT_TYPE_IOS, current: false },
      { deviceId: 'laptop', deviceName: "alice's laptop", clientType: ClientType.CLIENT_TYPE_WINDOWS, current: true },
    ],
    'last used first',
  );
  t.ok(shown.every(({ usedMs, createdMs, expiresMs }) => createdMs <= usedMs && usedMs < expiresMs));
  const bob = await enter('bob', 'laptop');
  const forged = await bob.ask(login.removeDevice, { userId: 1, deviceId: 'phone' });
  t.match(forged, { userId: 2, resultCode: 1 }, 'those of others are not there for him');
  t.equal((await laptop.devices()).length, 2);

  t.ok(await laptop.removeDevice('phone'));
  await phone.next(login.kick);
  t.ok(await refused(enterBy(tokenOf(phone), 'alice', 'phone')), 'its token is none any more');
  t.notOk(await laptop.removeDevice('phone'), 'once');
  t.ok((await laptop.time()) > 0, 'nobody else noticed');
  t.ok((await bob.devices()).length > 0);
});

t.test('there is a bound on devices', async (t) => {
  const { loginTokens } = cluster.storage;
  const { rows } = await meta.query<{ password_hash: string }>('select password_hash from meta.users where id = 2');
  for (let i = 0; i < DEVICES_MAX + 3; i++) {
    const proven = { passwordHash: rows[0]!.password_hash, appPasswordId: undefined };
    await loginTokens.issue(2, proven, { deviceId: `d${i}`, deviceName: '', clientType: 1 });
    await age(`d${i}`, `used = now() - interval '1 day' + interval '${i} seconds'`);
  }
  const known = (await loginTokens.ofUser(2)).map((each) => each.deviceId);
  t.equal(known.length, DEVICES_MAX);
  t.notOk(known.includes('d0'), 'the one that was away longest went');
});

t.test('so does the administration', async (t) => {
  const laptop = await enter('alice', 'laptop', { leaveWhenKicked: false });
  const url = `${cluster.httpMsg[0]!.url}/api/v1/users/1/devices`;
  const headers = { authorization: `Bearer ${await cluster.apiKey(['users:read', 'users:write'])}` };
  const listed = (await (await fetch(url, { headers })).json()) as { devices: { id: string; name: string }[] };
  t.match(listed.devices, [{ id: 'laptop', name: "alice's laptop", type: 'windows' }]);
  t.equal((await fetch(`${url}/nothing`, { method: 'DELETE', headers })).status, 404);
  t.equal((await fetch(`${url}/laptop`, { method: 'DELETE', headers })).status, 204);
  await laptop.next(login.kick);
  t.ok(await refused(enterBy(tokenOf(laptop), 'alice', 'laptop')));

  const again = await enter('alice', 'laptop', { leaveWhenKicked: false });
  await addAdmin(cluster.storage, 'operator', 'operator');
  const page = await Browser.loggedIn(cluster, 'operator');
  const { body } = await page.ask('GET', '/api/users/1/devices');
  t.match(body, [{ deviceId: 'laptop', deviceName: "alice's laptop" }]);
  t.equal((await page.ask('POST', '/api/users/1/devices/remove', { deviceId: 'laptop' })).status, 204);
  await again.next(login.kick);
  const { rows } = await meta.query("select 1 from meta.audit where action = 'user.remove-device' order by id");
  t.equal(rows.length, 2, 'both are in the audit trail');
});
