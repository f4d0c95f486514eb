/** Every named limit, set while the servers run and driven to its end: what comes of it, that it is counted, and that others go on. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import ipaddr from 'ipaddr.js';
import t, { type Test } from 'tap';
import { Agent, FormData, type RequestInit, fetch as undici } from 'undici';
import type { Client } from '../../common/client/client.js';
import { StoreRefused, upload } from '../../common/client/store.js';
import { FRAME_SIZE_MAX } from '../../common/limits.js';
import { LIMIT_NAMES, type Limit, type LimitName, namedLimits } from '../../common/live/named-limits.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { file, login, other, server } from '../../common/pdu/commands.js';
import { frameOf } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { md5Hex, PASSWORD, TestCluster, until } from '../support/cluster.js';
import { ADMIN_PASSWORD, addAdmin, Browser } from '../support/console.js';
import { listenTo, only } from '../support/frames.js';
import { caller } from '../support/http.js';
import { testPostgres } from '../support/postgres.js';
import { httpVendor } from '../support/vendors.js';

const { ClientType, SessionType, TransferFileType, UserStatType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE } = SessionType;
const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan'] as const;
const [ALICE, BOB] = [1, 2];
const GROUP = 1;
const HOUR_MS = 3_600_000;
const ABROAD = '203.0.113.7';

const hooks = await httpVendor(t);
const phones = await httpVendor(t);
const cluster = await TestCluster.start(t, await testPostgres(t), {
  users: PEOPLE,
  groups: [{ name: 'ours', memberIds: [1, 2, 3] }],
  file: {},
  httpMsg: { webhookNetworks: [ipaddr.parseCIDR('127.0.0.0/8')] },
  push: { ios: 'webhook', webhookUrl: `http://127.0.0.1:${phones.port}/`, webhookSecret: 'shared' },
  console: {},
});
const { storeUrl } = cluster.file!;
for (const name of ['owner', 'operator', 'auditor'] as const) await addAdmin(cluster.storage, name, name);
const owner = await Browser.loggedIn(cluster, 'owner');
const asMsg = cluster.linksAs('msg', 'db-proxy');
const newer = (user: string) => cluster.login(user, { capabilities: ['file1', 'err1'] });
const alice = await newer('alice');
const bob = await newer('bob');
const carol = await newer('carol');
const erin = await newer('erin');
const token = await deviceToken('heidi');
for (const user of ['grace', 'heidi']) await awayPhone(user); // messages leave something for push servers a while after

const SERVERS = {
  msg: 'msg-1',
  'db-proxy': 'db-proxy-1',
  file: 'file',
  'http-msg': 'http-msg-1',
  push: 'push',
  admin: 'admin',
};
const figure = (name: LimitName, metric: string) =>
  cluster.metric(SERVERS[namedLimits[name].server], metric, `limit="${name}"`);

/** Sets them as people do, and waits until the servers go by them. */
async function set(limits: Partial<Record<LimitName, Limit>>): Promise<void> {
  for (const [name, value] of Object.entries(limits)) {
    const { status } = await owner.ask('PUT', '/api/settings', { name: `limit.${name}`, version: 0, value });
    t.equal(status, 200, name);
  }
  for (const [name, { size }] of Object.entries(limits) as [LimitName, Limit][])
    await until(async () => (await figure(name, 'limit_size')) === size, `${name} to be taken up`);
}

/** As from another machine: each address of this network is our own. */
function from(address: string) {
  const dispatcher = new Agent({ localAddress: address });
  t.teardown(() => dispatcher.destroy());
  return (url: string, init: RequestInit = {}) => undici(url, { ...init, dispatcher });
}

async function form(address: string, size: number): Promise<{ error_code: number; url: string }> {
  const body = new FormData();
  body.append('file', new Blob([new Uint8Array(size)]), 'a.bin');
  return (await (await from(address)(storeUrl, { method: 'POST', body })).json()) as {
    error_code: number;
    url: string;
  };
}

const send = (client: Client, size: number) =>
  upload(
    client,
    { stream: Readable.from([Buffer.alloc(size, `${client.userId} ${size}`)]), size },
    { fileName: 'a.bin' },
  );

/** A log-in as msg servers ask for it. */
const tryFrom = (clientAddress: string, userName: string, more: { password?: string; token?: Uint8Array }) =>
  asMsg.ask(server.validate, {
    userName,
    password: md5Hex(more.password ?? PASSWORD),
    clientAddress,
    ...(more.token && {
      token: more.token,
      device: { deviceId: 'd', deviceName: 'd', clientType: 1, createdMs: 0, usedMs: 0, expiresMs: 0 },
    }),
  });
const LOCKED = { resultCode: 6 };

async function deviceToken(user: string): Promise<Uint8Array> {
  const client = await cluster.login(user, { capabilities: ['token1'], deviceId: 'd' });
  client.close();
  return client.freshToken!.token;
}

/** A phone that registers where it can be reached, and goes. */
async function awayPhone(user: string): Promise<void> {
  const phone = await cluster.login(user, { clientType: ClientType.CLIENT_TYPE_IOS });
  await phone.ask(login.deviceToken, { userId: 0, deviceToken: `${user}'s phone` });
  phone.close();
  const away = async () => (await erin.usersStatus([phone.userId]))[0]!.status === UserStatType.USER_STATUS_OFFLINE;
  await until(away, 'the phone to be away');
}

/** What each is set to, and who drives it to its end. */
const rows: Record<LimitName, readonly [Limit, (t: Test) => Promise<void>]> = {
  'login.name': [
    { size: 1 },
    async (t) => {
      for (let i = 0; i < 2; i++) await t.rejects(cluster.login('dave', { password: 'wrong' }));
      await t.rejects(cluster.login('dave'), 'the right one too, by now');
      await (await cluster.login('frank')).logout();
    },
  ],
  'login.address': [
    { size: 3 },
    async (t) => {
      for (let i = 0; i < 4; i++) t.match(await tryFrom(ABROAD, `nobody ${i}`, {}), { resultCode: 1 });
      t.match(await tryFrom(ABROAD, 'ivan', {}), LOCKED);
      t.match(await tryFrom('203.0.113.8', 'ivan', {}), { resultCode: 0 }, 'from elsewhere');

      const [street, wrong] = ['203.0.113.9', Buffer.alloc(32)];
      for (let i = 0; i < 4; i++) t.match(await tryFrom(street, 'heidi', { token: wrong }), { resultCode: 1 });
      t.match(await tryFrom(street, 'heidi', { token: wrong }), LOCKED, 'wrong tokens count as wrong passwords do');
      t.match(await tryFrom(street, 'frank', { password: 'guessed' }), LOCKED, 'and with them');
      t.match(await tryFrom(street, 'heidi', { token }), { resultCode: 0 }, 'a right one is no guess');
      t.match(await tryFrom('203.0.113.8', 'heidi', {}), { resultCode: 0 }, 'and nobody was locked out by them');
    },
  ],
  'console.name': [
    { size: 3 },
    async (t) => {
      const browser = new Browser(cluster.consoleUrl);
      for (let i = 0; i < 3; i++) t.equal((await browser.logIn('operator', 'wrong')).status, 403);
      const { status, headers } = await browser.logIn('operator', ADMIN_PASSWORD);
      t.equal(status, 429, 'the right one too, by now');
      t.ok(Number(headers.get('retry-after')) > 0);
      t.equal((await browser.logIn('auditor', ADMIN_PASSWORD)).status, 200);
    },
  ],
  'console.address': [
    { size: 6 },
    async (t) => {
      const browser = new Browser(cluster.consoleUrl);
      for (let i = 0; i < 3; i++) t.equal((await browser.logIn(`nobody ${i}`, 'wrong')).status, 403);
      t.equal((await browser.logIn('auditor', ADMIN_PASSWORD)).status, 429);
      const body = JSON.stringify({ name: 'auditor', password: ADMIN_PASSWORD, code: '' });
      const init = { method: 'POST', body, headers: { 'content-type': 'application/json' } };
      t.equal((await from('127.0.0.2')(`${cluster.consoleUrl}/api/login`, init)).status, 200, 'from elsewhere');
      t.equal((await owner.me()).name, 'owner', 'who is in stays in');
    },
  ],
  'console.searches': [
    { size: 2, refillMs: HOUR_MS },
    async (t) => {
      const search = async (what: string) => (await owner.ask('GET', `/api/${what}?search=a`)).status;
      t.same([await search('users'), await search('groups'), await search('users')], [200, 200, 429]);
      t.equal((await owner.ask('GET', '/api/users')).status, 200, 'looking goes on');
    },
  ],
  'frames.connection': [
    { size: 50, refillMs: 500 },
    async () => {
      const frames = listenTo(erin);
      for (let i = 0; i < 150; i++) erin.sendFrame(encodeFrame(other.heartbeat, 0, {}));
      await alice.time();
      await until(() => only(frames, other.heartbeat).length === 150, 'all of them to be echoed');
    },
  ],
  'sends.user': [
    { size: 2, refillMs: 400 },
    async (t) => {
      const sent = Promise.all([1, 2, 3, 4, 5].map((n) => alice.say(BOB, `message ${n}`)));
      await bob.say(ALICE, 'meanwhile');
      t.equal(new Set((await sent).map(({ msgId }) => msgId)).size, 5, 'nothing is lost');
    },
  ],
  'sends.group': [
    { size: 1, refillMs: 200 },
    async (t) => {
      const sent = await Promise.all([alice, bob, carol].map((each) => each.sayGroup(GROUP, 'all at once')));
      t.same(sent.map(({ msgId }) => msgId).sort(), [1, 2, 3]);
    },
  ],
  'history.rows': [
    { size: 200, refillMs: 1_000 },
    async (t) => {
      const pages = await Promise.all([1, 2].map(() => bob.history(SINGLE, ALICE, 0, 200)));
      t.ok(pages.every((page) => page.length > 0));
      t.ok((await carol.history(SessionType.SESSION_TYPE_GROUP, GROUP, 0, 200)).length > 0);
    },
  ],
  'directory.calls': [
    { size: 10, refillMs: 500 },
    async (t) => {
      const asked = Promise.all(Array.from({ length: 13 }, () => alice.usersInfo([ALICE])));
      t.equal((await carol.usersInfo([ALICE])).length, 1);
      t.ok((await asked).every(([it]) => it!.userId === ALICE));
    },
  ],
  'requests.open': [
    { size: 1 },
    async (t) => {
      const asked = await Promise.all([1, 2, 3].map(() => carol.latestId(SINGLE, ALICE)));
      t.equal(asked.length, 3, 'one after the other');
    },
  ],
  'queue.client': [
    { size: 64 * 1024 },
    async () => {
      const slow = connect(cluster.msg[0]!.port, '127.0.0.1').pause();
      slow.on('error', () => undefined);
      await once(slow, 'connect');
      const who = { userName: 'frank', password: md5Hex(PASSWORD), clientType: ClientType.CLIENT_TYPE_MAC };
      slow.write(encodeFrame(login.enter, 1, { ...who, onlineStatus: UserStatType.USER_STATUS_ONLINE }));
      slow.resume();
      await once(slow, 'data');
      slow.pause(); // its echoes are never read
      const large = frameOf(other.heartbeat.id, 0, Buffer.alloc(FRAME_SIZE_MAX - 64));
      for (let i = 0; i < 60; i++) slow.write(large);
      await until(async () => (await figure('queue.client', 'limit_hits_total')) > 0, 'it to be closed');
      slow.destroy();
      await alice.time();
    },
  ],
  'uploads.count': [
    { size: 4, refillMs: HOUR_MS },
    async (t) => {
      const codes = [];
      for (let i = 0; i < 5; i++) codes.push((await form('127.0.0.3', 100 + i)).error_code === 0);
      t.same(codes, [true, true, true, true, false]);
      t.equal((await form('127.0.0.4', 100)).error_code, 0);
    },
  ],
  'downloads.count': [
    { size: 3, refillMs: HOUR_MS },
    async (t) => {
      const { url } = await form('127.0.0.5', 200);
      const statuses = [];
      for (let i = 0; i < 4; i++) statuses.push((await from('127.0.0.5')(url)).status);
      t.same(statuses, [200, 200, 200, 429]);
      t.equal((await from('127.0.0.6')(url)).status, 200);
    },
  ],
  'file.form': [
    { size: 1024 },
    async (t) => {
      t.not((await form('127.0.0.7', 2_000)).error_code, 0);
      t.equal((await form('127.0.0.7', 1_000)).error_code, 0);
    },
  ],
  'file.upload': [
    { size: 4_000 },
    async (t) => {
      await t.rejects(send(carol, 5_000), StoreRefused);
      t.ok((await send(carol, 3_000)).path);
    },
  ],
  'file.transfer': [
    { size: 1_024 },
    async (t) => {
      const asked = { fromUserId: 0, toUserId: BOB, fileName: 'a', transMode: TransferFileType.FILE_TYPE_OFFLINE };
      t.equal((await alice.ask(file.request, { ...asked, fileSize: 2_000 })).resultCode, 1);
      t.equal((await alice.ask(file.request, { ...asked, fileSize: 500 })).resultCode, 0);
    },
  ],
  'quota.user': [
    { size: 6_000 },
    async (t) => {
      await send(bob, 3_500);
      await t.rejects(send(bob, 3_600), StoreRefused);
      t.ok((await send(alice, 3_700)).path);
    },
  ],
  'api.calls': [
    { size: 5, refillMs: HOUR_MS },
    async (t) => {
      const [mine, other] = [await cluster.apiKey(), await cluster.apiKey()];
      const ask = async (key: string) =>
        (await caller(cluster.httpMsg[0]!.url, key)('GET', '/api/v1/departments')).status;
      const statuses = [];
      for (let i = 0; i < 6; i++) statuses.push(await ask(mine));
      t.same(statuses, [200, 200, 200, 200, 200, 429]);
      t.equal(await ask(other), 200);
    },
  ],
  'api.searches': [
    { size: 2, refillMs: HOUR_MS },
    async (t) => {
      const mine = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
      const search = async (path: string, ask = mine) => (await ask('GET', path)).status;
      const scim = `/scim/v2/Users?filter=${encodeURIComponent('displayName eq "alice"')}`;
      t.same([await search(scim), await search('/api/v1/groups?search=o')], [200, 200]);
      t.same([await search('/api/v1/users?search=a'), await search('/api/v1/users')], [429, 200]);
      t.equal(await search(scim, caller(cluster.httpMsg[0]!.url, await cluster.apiKey())), 200);
    },
  ],
  'api.unknown-keys': [
    { size: 2, refillMs: HOUR_MS },
    async (t) => {
      const ask = async (address: string, key: string) =>
        (
          await from(address)(`${cluster.httpMsg[0]!.url}/api/v1/departments`, {
            headers: { authorization: `Bearer ${key}` },
          })
        ).status;
      const forged = `tt_${'0'.repeat(16)}_${'x'.repeat(43)}`;
      const statuses = [];
      for (let i = 0; i < 3; i++) statuses.push(await ask('127.0.0.8', forged));
      t.same(statuses, [401, 401, 429]);
      t.equal(await ask('127.0.0.9', await cluster.apiKey()), 200);
    },
  ],
  'webhook.calls': [
    { size: 1, refillMs: 500 },
    async () => {
      const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
      await ask('POST', '/api/v1/webhooks', { url: `http://127.0.0.1:${hooks.port}/hook` });
      for (const n of [1, 2, 3]) await carol.say(BOB, `event ${n}`);
      const told = () => hooks.received.flatMap(({ body }) => JSON.parse(`${body}`).events as object[]).length;
      await until(() => told() >= 3, 'all of them to be told', 20_000);
    },
  ],
  'push.device': [
    { size: 1, refillMs: 500 },
    async () => {
      const pushed = (user: string) =>
        phones.received.filter(({ body }) => `${body}`.includes(`${user}'s phone`)).length;
      for (const text of ['first', 'second']) await erin.say(7, text);
      await erin.say(8, 'to another phone');
      await until(() => pushed('heidi') >= 1 && pushed('grace') >= 2, 'all of them', 20_000);
    },
  ],
  'quota.total': [{ size: 1 }, async (t) => t.rejects(send(erin, 100), StoreRefused).then(() => undefined)],
  'connections.msg': [
    { size: 1 },
    async (t) => {
      await t.rejects(cluster.login('frank'));
      await alice.time();
    },
  ],
};

/** What stands in the way of others is set at the end. */
const LAST: readonly LimitName[] = ['quota.total', 'connections.msg'];

t.test('every limit has its row', (t) => {
  t.same(Object.keys(rows).sort(), [...LIMIT_NAMES].sort());
  t.end();
});

for (const names of [LIMIT_NAMES.filter((name) => !LAST.includes(name)), ...LAST.map((name) => [name])]) {
  t.test(`set: ${names.length}`, async (t) => {
    await set(Object.fromEntries(names.map((name) => [name, rows[name][0]])));
    for (const name of names)
      await t.test(`${name}: ${namedLimits[name].at}`, async (t) => {
        const before = await figure(name, 'limit_hits_total');
        await rows[name][1](t);
        t.ok((await figure(name, 'limit_hits_total')) > before, 'counted');
      });
  });
}
