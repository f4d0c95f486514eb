/** Who is told of what, and who is not; what becomes of vendors that fail. */
import { createECDH, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import t, { type Test } from 'tap';
import webPush from 'web-push';
import type { Client } from '../../../common/client/client.js';
import { LinkGroup } from '../../../common/net/link-group.js';
import { group, login, push } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { commandTable } from '../../../common/server/command-table.js';
import { type PushSettings, pushSettings } from '../../../servers/push/settings.js';
import { CLUSTER_SECRET, TestCluster, testLog, until } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';
import {
  apnsVendor,
  type Certificate,
  certificate,
  claimsOf,
  httpVendor,
  isSignedBy,
  type Received,
  serviceAccount,
  type Vendor,
} from '../../support/vendors.js';

const { ClientType, SessionType } = IM.BaseDefine;
const { CLIENT_TYPE_IOS: IOS, CLIENT_TYPE_ANDROID: ANDROID, CLIENT_TYPE_WINDOWS: WINDOWS } = ClientType;
const { SESSION_TYPE_SINGLE: SINGLE } = SessionType;
const SECRET = 'shared with the bridge';
const [ALICE, BOB] = [1, 2];

const postgres = await testPostgres(t);
const tls = await certificate();

/** A file that is gone when the test ends. */
async function file(t: Test, name: string, content: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'teamtalk-push-'));
  t.teardown(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, name), content);
  return join(dir, name);
}

/** A cluster whose phones hang on one vendor that speaks HTTP. */
async function bridged(t: Test, over: Partial<PushSettings> = {}, groups?: { name: string; memberIds: number[] }[]) {
  const vendor = await httpVendor(t);
  const cluster = await TestCluster.start(t, postgres, {
    msgServers: 2,
    ...(groups && { groups }),
    push: {
      ios: 'webhook',
      android: 'webhook',
      webhookUrl: `http://127.0.0.1:${vendor.port}/`,
      webhookSecret: SECRET,
      language: 'en',
      ...over,
    },
  });
  return { cluster, vendor };
}

/** A phone that registers where it can be reached, and goes. */
async function awayPhone(cluster: TestCluster, user: string, token: string, clientType = IOS): Promise<void> {
  const phone = await cluster.login(user, { clientType });
  await phone.ask(login.deviceToken, { userId: 0, deviceToken: token });
  await leave(cluster, phone);
}

/** Closes, and waits until the route server knows. */
async function leave(cluster: TestCluster, client: Client): Promise<void> {
  const { userId, clientType } = client;
  client.close();
  const links = new LinkGroup({
    self: { role: 'push', name: 'push-of-the-test' },
    role: 'route',
    secret: CLUSTER_SECRET,
    addresses: [{ host: '127.0.0.1', port: cluster.routes[0]!.port }],
    askTimeoutMs: 5_000,
    asksMax: 10,
    log: testLog('push-of-the-test'),
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  });
  await until(async () => {
    const { onlineList } = await links.ask(push.online, { userIdList: [userId] });
    const here = onlineList[0];
    return here === undefined || !(clientType === WINDOWS ? here.pc : here.mobile);
  }, 'the session to end');
  links.close();
}

/** Nothing is left to be told. */
function outboxEmpty(cluster: TestCluster): Promise<void> {
  return until(async () => (await cluster.storage.outbox.waiting(1, 10)).length === 0, 'an empty outbox', 15_000);
}

interface Pushed {
  readonly id: string;
  readonly token: string;
  readonly kind: string;
  readonly title: string;
  readonly body: string;
  readonly badge: number;
  readonly collapseId: string;
  readonly about?: { readonly msgId: number; readonly sessionId: number };
}

function pushed({ body }: Received): Pushed {
  return JSON.parse(body.toString()) as Pushed;
}

async function arrived(vendor: Vendor, count: number, what = `push ${count}`): Promise<Pushed> {
  await until(() => vendor.received.length >= count, what, 15_000);
  return pushed(vendor.received[count - 1]!);
}

t.test('who is told', async (t) => {
  const { cluster, vendor } = await bridged(t, {}, [{ name: 'Lunch', memberIds: [1, 2, 3] }]);
  await awayPhone(cluster, 'bob', 'bobs-phone');
  const alice = await cluster.login('alice', { at: 1, clientType: WINDOWS });

  await t.test('a phone whose app is not connected, once for each message', async (t) => {
    await alice.say(BOB, 'first');
    const first = await arrived(vendor, 1);
    t.match(first, { token: 'bobs-phone', kind: 'ring', title: 'alice', body: 'first', badge: 1 });
    t.match(first.about, { sessionType: 1, sessionId: ALICE, fromUserId: ALICE, msgId: 1, msgType: 1 });
    t.ok(isSignedBy(SECRET, vendor.received[0]!));
    await alice.say(BOB, 'second');
    const second = await arrived(vendor, 2);
    t.match(second, { body: 'second', badge: 2, collapseId: first.collapseId });
    t.not(second.id, first.id);
  });

  await t.test('read elsewhere: what the phone shows goes', async (t) => {
    const pc = await cluster.login('bob', { clientType: WINDOWS });
    pc.markRead(SINGLE, ALICE, 2);
    const gone = await arrived(vendor, 3);
    t.match(gone, {
      kind: 'withdraw',
      badge: 0,
      collapseId: pushed(vendor.received[0]!).collapseId,
      title: '',
      body: '',
    });

    await alice.say(BOB, 'while the PC is here');
    t.match(await arrived(vendor, 4), { kind: 'badge', badge: 1 }, 'only the number changes');
    pc.markRead(SINGLE, ALICE, 3);
    await arrived(vendor, 5);
    await leave(cluster, pc);
  });

  await t.test('nobody whose phone is connected', async (t) => {
    const phone = await cluster.login('bob', { clientType: IOS });
    await alice.say(BOB, 'here');
    await phone.heard();
    await outboxEmpty(cluster);
    await leave(cluster, phone);
    t.equal(vendor.received.length, 5);
  });

  await t.test('of a group: all but the sender and who wants none, unless he is meant', async (t) => {
    await awayPhone(cluster, 'carol', 'carols-phone', ANDROID);
    const groupId = 1;
    await alice.sayGroup(groupId, 'soup today');
    await until(() => vendor.received.length >= 7, 'both phones');
    const both = vendor.received.slice(5).map(pushed);
    t.same(both.map((each) => each.token).sort(), ['bobs-phone', 'carols-phone']);
    for (const each of both) t.match(each, { title: 'Lunch', body: 'alice: soup today' });

    const carol = await cluster.login('carol', { clientType: ANDROID });
    await carol.ask(group.shield, { userId: 0, groupId, shieldStatus: 1 });
    await leave(cluster, carol);
    await alice.sayGroup(groupId, 'only bob hears of this');
    t.match(await arrived(vendor, 8), { token: 'bobs-phone' });
    await alice.sayGroup(groupId, 'hey @carol!');
    await until(() => vendor.received.length >= 10, 'both phones');
    t.same(
      vendor.received
        .slice(8)
        .map((each) => pushed(each).token)
        .sort(),
      ['bobs-phone', 'carols-phone'],
    );
  });

  await t.test('voice, pictures and what cannot be read', async (t) => {
    await alice.say(BOB, 'look &$#@~^@[{:http://x/1.png:}]&$~@#@');
    t.match(await arrived(vendor, 11), { body: 'look [picture]' });
    await alice.sendData(BOB, IM.BaseDefine.MsgType.MSG_TYPE_SINGLE_AUDIO, Buffer.from([0, 0, 0, 2, 1, 2, 3]));
    t.match(await arrived(vendor, 12), { body: '[voice message]' });
    await alice.sendData(BOB, IM.BaseDefine.MsgType.MSG_TYPE_SINGLE_TEXT, Buffer.from('not encrypted'));
    t.match(await arrived(vendor, 13), { body: 'You have a new message' });
    await alice.say(BOB, '👨‍👩‍👧‍👦'.repeat(100));
    const { body } = await arrived(vendor, 14);
    t.match(body, /^(👨‍👩‍👧‍👦)+…$/u, 'no family is torn apart');
    t.ok(Buffer.byteLength(body) <= 400);
  });

  await t.test('as much as the administration wants to be shown, from now on', async (t) => {
    const actor = { kind: 'test', name: 'test', address: '' };
    await cluster.storage.liveSettings.change(actor, 'push.text', '"sender"');
    await until(
      async () => {
        const count = vendor.received.length;
        await alice.say(BOB, 'secret');
        const { body } = await arrived(vendor, count + 1);
        return body === 'You have a new message';
      },
      'the change to be taken up',
      20_000,
    );
    t.match(pushed(vendor.received.at(-1)!), { title: 'alice' });
    await cluster.storage.liveSettings.change(actor, 'push.text', '"none"');
    await until(
      async () => {
        const count = vendor.received.length;
        await alice.say(BOB, 'secret');
        return (await arrived(vendor, count + 1)).title === '';
      },
      'the change to be taken up',
      20_000,
    );
    t.notOk(vendor.received.at(-1)!.body.includes('alice'));
    t.equal(pushed(vendor.received.at(-1)!).about, undefined);
  });
});

t.test('quiet hours', async (t) => {
  const hour = Number(new Intl.DateTimeFormat('en', { timeZone: 'UTC', hour: 'numeric', hourCycle: 'h23' }).format());
  // Zones far enough apart that at any time it is night in one and day in the other.
  const [night, day] = hour >= 8 && hour < 20 ? ['Pacific/Kiritimati', 'UTC'] : ['UTC', 'Pacific/Kiritimati'];
  const isNight = (zone: string) => {
    const at = Number(new Intl.DateTimeFormat('en', { timeZone: zone, hour: 'numeric', hourCycle: 'h23' }).format());
    return at >= 22 || at < 7;
  };
  const { cluster, vendor } = await bridged(t);
  await awayPhone(cluster, 'bob', 'bobs-phone');
  await awayPhone(cluster, 'carol', 'carols-phone');
  const alice = await cluster.login('alice');
  for (const [userId, zone] of [
    [2, night],
    [3, day],
  ] as const) {
    await cluster.storage.users.setPushShield(userId, 1);
    await setTimeZone(cluster, userId, zone!);
    await alice.say(userId, `it is ${isNight(zone!) ? 'night' : 'day'}`);
  }
  await outboxEmpty(cluster);
  const expected = [
    ['bobs-phone', night],
    ['carols-phone', day],
  ].filter(([, zone]) => !isNight(zone!));
  t.same(
    vendor.received.map((each) => pushed(each).token),
    expected.map(([token]) => token),
  );
});

async function setTimeZone(cluster: TestCluster, userId: number, zone: string): Promise<void> {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  await client.query('update meta.users set time_zone = $2 where id = $1', [userId, zone]);
  await client.end();
}

t.test('vendors that fail', async (t) => {
  const { cluster, vendor } = await bridged(t);
  await awayPhone(cluster, 'bob', 'bobs-phone');
  await awayPhone(cluster, 'carol', 'carols-phone');
  const alice = await cluster.login('alice');

  await t.test('busy: again, and in the end once', async (t) => {
    let refusals = 2;
    vendor.answer = () => (refusals-- > 0 ? { status: 503 } : { status: 200 });
    await alice.say(BOB, 'insist');
    const [first, second, third] = [await arrived(vendor, 1), await arrived(vendor, 2), await arrived(vendor, 3)];
    t.same([second.id, third.id], [first.id, first.id], 'the same push');
    await outboxEmpty(cluster);
    t.equal(vendor.received.length, 3);
  });

  await t.test('one of two phones refused for now: the other does not ring twice', async (t) => {
    const { groupId } = await newGroup(alice);
    let refused = false;
    vendor.answer = (received) => {
      if (refused || pushed(received).token !== 'carols-phone') return { status: 200 };
      refused = true;
      return { status: 429, headers: { 'retry-after': '1' } };
    };
    const before = vendor.received.length;
    await alice.sayGroup(groupId, 'both');
    await until(() => vendor.received.length >= before + 3, 'the second attempt');
    await outboxEmpty(cluster);
    const tokens = vendor.received.slice(before).map((each) => pushed(each).token);
    t.same(tokens.sort(), ['bobs-phone', 'carols-phone', 'carols-phone']);
  });

  await t.test('the phone is gone: its token too', async (t) => {
    vendor.answer = () => ({ status: 410 });
    const before = vendor.received.length;
    await alice.say(BOB, 'anybody there?');
    await arrived(vendor, before + 1);
    await outboxEmpty(cluster);
    await alice.say(BOB, 'hello?');
    await outboxEmpty(cluster);
    t.equal(vendor.received.length, before + 1);
  });
});

/** Answers that are held back until they are let go. */
function held(vendor: Vendor): () => void {
  let letGo = (): void => undefined;
  const free = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  vendor.answer = async () => {
    await free;
    return { status: 200 };
  };
  return letGo;
}

t.test('a vendor that hangs holds up nobody else, in the same group either', async (t) => {
  const google = await httpVendor(t);
  const base = `http://127.0.0.1:${google.port}`;
  const account = serviceAccount(`${base}/token`);
  google.answer = ({ path }) => ({
    status: 200,
    body: path === '/token' ? { access_token: 'x', expires_in: 3600 } : {},
  });
  const { cluster, vendor: hanging } = await bridged(t, {
    ...{ android: 'fcm', fcmUrl: base, fcmAccountFile: await file(t, 'account.json', account.json) },
    ...{ vendorTimeoutMs: 60_000, claimLeaseMs: 1_000, atOnce: 2 },
  });
  await awayPhone(cluster, 'bob', 'bobs-phone', IOS);
  await awayPhone(cluster, 'carol', 'carols-phone', ANDROID);
  const alice = await cluster.login('alice');
  const { groupId } = await newGroup(alice);
  const letGo = held(hanging);
  for (let n = 1; n <= 5; n++) await alice.sayGroup(groupId, `message ${n}`);
  const rung = () => google.received.filter(({ path }) => path !== '/token');
  await until(() => rung().length >= 5, 'all of them at the other vendor', 20_000);
  t.equal(hanging.received.length, 1, 'one phone has one push on its way');
  await until(async () => (await cluster.storage.outbox.claim(1, 10, 1)).length > 0, 'the claims to run out', 20_000);
  letGo();
  await outboxEmpty(cluster);
  t.equal(rung().length, 5, 'nobody rang twice');
  const shown = hanging.received.map((each) => pushed(each).about!.msgId);
  t.same(shown, [1, 2, 3, 4, 5], 'nor did the other one, in order');
});

t.test('read while its push was on its way: taken back', async (t) => {
  const { cluster, vendor } = await bridged(t);
  await awayPhone(cluster, 'bob', 'bobs-phone');
  const alice = await cluster.login('alice');
  const letGo = held(vendor);
  await alice.say(BOB, 'too late');
  await arrived(vendor, 1);
  const pc = await cluster.login('bob', { clientType: WINDOWS });
  pc.markRead(SINGLE, ALICE, 1);
  await until(async () => (await cluster.storage.conversations.unread(BOB)).length === 0, 'it to be read');
  letGo();
  t.match(await arrived(vendor, 2), { kind: 'withdraw', badge: 0 });
});

async function newGroup(alice: Client): Promise<{ groupId: number }> {
  const made = await alice.ask(group.create, {
    userId: 0,
    groupType: IM.BaseDefine.GroupType.GROUP_TYPE_TMP,
    groupName: 'both',
    groupAvatar: '',
    memberIdList: [2, 3],
  });
  return { groupId: made.groupId! };
}

t.test('Apple', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = await file(t, 'key.p8', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const ca = await file(t, 'ca.pem', tls.cert);
  const authentications: [string, Partial<PushSettings>][] = [
    ['by token', { apnsKeyFile: key, apnsKeyId: 'KEY1234567', apnsTeamId: 'TEAM123456' }],
    ['by certificate', await clientCertificate(t, tls)],
  ];
  for (const [how, settings] of authentications)
    await t.test(how, async (t) => {
      const apple = await apnsVendor(t, tls);
      const cluster = await TestCluster.start(t, postgres, {
        push: {
          ...{ ios: 'apns', apnsTopic: 'com.example.im', apnsAddress: `127.0.0.1:${apple.port}`, apnsCaFile: ca },
          ...{ language: 'en', ...settings },
        },
      });
      const token = 'ab'.repeat(32);
      await awayPhone(cluster, 'bob', token);
      const alice = await cluster.login('alice');
      let busy = true;
      apple.answer = () => {
        if (!busy) return { status: 200 };
        busy = false;
        return { status: 429, body: { reason: 'TooManyRequests' } };
      };
      await alice.say(BOB, 'apple');
      await until(() => apple.received.length >= 2, 'the second attempt', 15_000);
      const { path, headers, body } = apple.received[1]!;
      t.equal(path, `/3/device/${token}`);
      t.match(headers, {
        'apns-topic': 'com.example.im',
        'apns-push-type': 'alert',
        'apns-collapse-id': /^[\w-]{1,64}$/,
        'apns-id': /^[0-9a-f-]{36}$/,
      });
      if (how === 'by token') {
        const claims = claimsOf(headers.authorization!.replace(/^bearer /i, ''), publicKey);
        t.match(claims, { iss: 'TEAM123456' }, 'signed with the key');
      } else t.notOk(headers.authorization);
      t.match(JSON.parse(body.toString()), {
        aps: { alert: { title: 'alice', body: 'apple' }, badge: 1, sound: 'bingbong.aiff' },
        custom: { from_id: ALICE, msg_type: 1, group_id: 0 },
      });
      const pc = await cluster.login('bob', { clientType: WINDOWS });
      pc.markRead(SINGLE, ALICE, 1);
      await until(() => apple.received.length >= 3, 'the withdrawal');
      t.match(apple.received[2]!.headers, { 'apns-push-type': 'background', 'apns-priority': '5' });
      t.match(JSON.parse(apple.received[2]!.body.toString()), { aps: { badge: 0, 'content-available': 1 } });
      await leave(cluster, pc);
      apple.answer = () => ({ status: 410, body: { reason: 'Unregistered' } });
      await alice.say(BOB, 'are you there?');
      await until(() => noTokens(cluster), 'the token to go', 15_000);
    });
});

async function noTokens(cluster: TestCluster): Promise<boolean> {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  const { rows } = await client.query('select 1 from meta.device_token');
  await client.end();
  return rows.length === 0;
}

async function clientCertificate(t: Test, { key, cert }: Certificate): Promise<Partial<PushSettings>> {
  return {
    apnsCertificateFile: await file(t, 'cert.pem', cert),
    apnsCertificateKeyFile: await file(t, 'key.pem', key),
  };
}

t.test('Google', async (t) => {
  const google = await httpVendor(t);
  const base = `http://127.0.0.1:${google.port}`;
  const account = serviceAccount(`${base}/token`);
  let send: () => { status: number; body?: object } = () => ({ status: 200 });
  google.answer = ({ path, body }) => {
    if (path !== '/token') return send();
    const assertion = new URLSearchParams(body.toString()).get('assertion')!;
    const claims = claimsOf(assertion, account.publicKey);
    if (claims?.iss !== 'push@teamtalk-test.example') return { status: 400 };
    return { status: 200, body: { access_token: 'granted', expires_in: 3600, token_type: 'Bearer' } };
  };
  const cluster = await TestCluster.start(t, postgres, {
    push: { android: 'fcm', fcmUrl: base, fcmAccountFile: await file(t, 'account.json', account.json), language: 'en' },
  });
  await awayPhone(cluster, 'bob', 'token-of-fcm', ANDROID);
  const alice = await cluster.login('alice');
  await alice.say(BOB, 'google');
  await until(() => google.received.length >= 2, 'the push', 15_000);
  const { path, headers, body } = google.received[1]!;
  t.equal(path, '/v1/projects/teamtalk-test/messages:send');
  t.equal(headers.authorization, 'Bearer granted');
  t.match(JSON.parse(body.toString()), {
    message: {
      token: 'token-of-fcm',
      android: { priority: 'HIGH', notification: { title: 'alice', body: 'google', notification_count: 1 } },
      data: { kind: 'ring', fromUserId: '1', msgId: '1', sessionId: '1' },
    },
  });
  send = () => ({ status: 404, body: { error: { status: 'NOT_FOUND', details: [{ errorCode: 'UNREGISTERED' }] } } });
  await alice.say(BOB, 'gone?');
  await until(() => noTokens(cluster), 'the token to go', 15_000);
  t.equal(google.received.filter((each) => each.path === '/token').length, 1, 'one access token serves many pushes');
});

t.test('browsers', async (t) => {
  const vapid = webPush.generateVAPIDKeys();
  const vendor = await httpVendor(t, tls);
  vendor.answer = () => ({ status: 201 });
  const browser = createECDH('prime256v1');
  browser.generateKeys();
  const subscription = {
    endpoint: `https://localhost:${vendor.port}/push/abc`,
    keys: { p256dh: browser.getPublicKey('base64url'), auth: Buffer.alloc(16, 7).toString('base64url') },
  };
  const settings = {
    ...{
      webPushSubject: 'mailto:ops@example.com',
      webPushPublicKey: vapid.publicKey,
      webPushPrivateKey: vapid.privateKey,
    },
    ...{ webPushCaFile: await file(t, 'ca.pem', tls.cert), language: 'en' as const },
  };
  await t.test('sealed for the browser, signed by us', async (t) => {
    const webPushNetworks = pushSettings.webPushNetworks.is.parse('127.0.0.0/8,::1/128');
    const cluster = await TestCluster.start(t, postgres, { push: { ...settings, webPushNetworks } });
    await awayPhone(cluster, 'bob', `webpush:${JSON.stringify(subscription)}`, ANDROID);
    const alice = await cluster.login('alice');
    await alice.say(BOB, 'in the browser');
    await until(() => vendor.received.length >= 1, 'the push', 15_000);
    const { path, headers, body } = vendor.received[0]!;
    t.equal(path, '/push/abc');
    t.match(headers, { 'content-encoding': 'aes128gcm', urgency: 'high', topic: /^[\w-]{1,32}$/, ttl: /^\d+$/ });
    t.match(headers.authorization, /^vapid t=\S+, ?k=\S+/);
    t.notOk(body.includes('browser'));
    vendor.answer = () => ({ status: 410 });
    await alice.say(BOB, 'gone?');
    await until(() => noTokens(cluster), 'the token to go', 15_000);
  });
  await t.test('never into the private network', async (t) => {
    const cluster = await TestCluster.start(t, postgres, { push: settings });
    const before = vendor.received.length;
    await awayPhone(cluster, 'bob', `webpush:${JSON.stringify(subscription)}`, ANDROID);
    const alice = await cluster.login('alice');
    await alice.say(BOB, 'to the inside?');
    await until(() => noTokens(cluster), 'the token to go', 15_000);
    t.equal(vendor.received.length, before);
  });
});
