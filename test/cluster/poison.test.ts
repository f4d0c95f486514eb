/**
 * Messages that no honest client would write, stored and then read by every way there is: nobody's paging stops at them,
 * and those that are right are among them. POISON_SEED names another beginning.
 */
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import t from 'tap';
import type { Client } from '../../common/client/client.js';
import { MESSAGE_SIZE_MAX, MESSAGES_BY_ID_MAX } from '../../common/limits.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { login, message } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { encryptText } from '../../common/text-cipher.js';
import type { ExportInfo } from '../../servers/admin/api.js';
import { CAPABILITIES } from '../../servers/msg/capabilities.js';
import { TestCluster, until } from '../support/cluster.js';
import { addAdmin, Browser } from '../support/console.js';
import { listenTo, only } from '../support/frames.js';
import { caller } from '../support/http.js';
import { testPostgres } from '../support/postgres.js';
import { httpVendor } from '../support/vendors.js';

const { ClientType, MsgType, SessionType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = SessionType;
const [ALICE, BOB, ERIN] = [1, 2, 5];
const OURS = 1;
const seed = Number(process.env.POISON_SEED ?? 20_261);
const RUNS = 60;
const PAGE = 7;

const hooks = await httpVendor(t);
const phones = await httpVendor(t);
const cluster = await TestCluster.start(t, await testPostgres(t), {
  users: ['alice', 'bob', 'carol', 'dave', 'erin'],
  groups: [{ name: 'ours', memberIds: [1, 2, 3, 4, 5] }],
  httpMsg: { webhookNetworks: [ipaddr.parseCIDR('127.0.0.0/8')] },
  push: { ios: 'webhook', webhookUrl: `http://127.0.0.1:${phones.port}/`, webhookSecret: 'shared' },
  console: {},
  dbProxy: { exportApproval: false },
});
for (const role of ['compliance', 'auditor'] as const) await addAdmin(cluster.storage, role, role);
const officer = await Browser.loggedIn(cluster, 'compliance');
const auditor = await Browser.loggedIn(cluster, 'auditor');
const api = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
await api('POST', '/api/v1/webhooks', { url: `http://127.0.0.1:${hooks.port}/hook`, withContent: true });

const phone = await cluster.login('erin', { clientType: ClientType.CLIENT_TYPE_IOS });
await phone.ask(login.deviceToken, { userId: 0, deviceToken: 'the phone' });
phone.close();
const registered = async () => (await cluster.storage.outbox.consumers()).length >= 2;
await until(registered, 'messages to leave something for the phone and the webhook');

const alice = await cluster.login('alice', { capabilities: CAPABILITIES, deviceId: 'd' });
const readers: readonly (readonly [string, Client])[] = [
  ['a stock client', await cluster.login('bob')],
  ['a newer one', await cluster.login('carol', { capabilities: CAPABILITIES, deviceId: 'd' })],
  ['an Android one', await cluster.login('dave', { clientType: ClientType.CLIENT_TYPE_ANDROID })],
];

/** What a body may be: bytes, what passes for an encrypted text and is none, a text nobody should see whole. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.constantFrom(
    '\0',
    '\ud800',
    '\u202e\u0007\u001b[2J\u001b]0;x\u0007',
    '<script>alert(1)</script>',
    '"},{"',
    "'; drop table meta.users; --",
    '%s%n{{x}}',
    '&$#@~^@[{:',
    '&$#@~^@[{:javascript:alert(1):}]&$~@#@',
    '&$#@~^@[{:'.repeat(3_000),
    'a\u0301'.repeat(10_000),
    '👨‍👩‍👧‍👦'.repeat(2_000),
    '\r\n'.repeat(10_000),
  ),
);
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 300 }).map((it) => Buffer.from(it)),
  text.map((it) => encryptText(it)),
  // One block that opens to whatever: a length that is more than there is, or none.
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((it) => Buffer.from(Buffer.from(it).toString('base64'))),
  fc.constantFrom(
    Buffer.of(0),
    Buffer.alloc(4),
    Buffer.alloc(MESSAGE_SIZE_MAX),
    Buffer.alloc(MESSAGE_SIZE_MAX, 'A'),
    Buffer.alloc(MESSAGE_SIZE_MAX, 0xff),
    Buffer.from('c080eda080ff', 'hex'),
    Buffer.from('='.repeat(64)),
  ),
);
const voice = [MsgType.MSG_TYPE_SINGLE_AUDIO, MsgType.MSG_TYPE_GROUP_AUDIO] as const;
const words = [MsgType.MSG_TYPE_SINGLE_TEXT, MsgType.MSG_TYPE_GROUP_TEXT] as const;
const poison = fc.sample(fc.tuple(fc.boolean(), bytes), { seed, numRuns: RUNS });

/** How many are stored in each conversation, a right one last. */
const COUNT = RUNS + 1;
const LAST = 'a right one';

t.test('all of it is stored and delivered', { timeout: 120_000 }, async (t) => {
  t.comment(`seed ${seed}`);
  const pushes = readers.map(([, client]) => listenTo(client));
  const phoneOf = encodeFrame(message.readAck, 0, { userId: 0, sessionType: GROUP, sessionId: OURS, msgId: 0 });
  alice.sendFrame(phoneOf); // nothing is read yet, and that is no reason for anything
  for (const [isVoice, body] of poison) {
    const [single, group] = isVoice ? voice : words;
    await alice.sendData(OURS, group, body);
    for (const peer of [BOB, ERIN]) await alice.sendData(peer, single, body);
  }
  for (const peer of [BOB, ERIN]) await alice.say(peer, LAST);
  await alice.sayGroup(OURS, LAST);
  for (const [i, [who]] of readers.entries()) {
    const expected = COUNT * (who === 'a stock client' ? 2 : 1);
    await until(() => only(pushes[i]!, message.data).length === expected, `${who} to be told of all`, 30_000);
  }
});

t.test('types that are none are not stored', async (t) => {
  const known = new Set(Object.values(MsgType) as number[]);
  const template = { fromUserId: 0, toSessionId: BOB, msgId: 0, createTime: 0, msgData: encryptText('x') };
  for (let msgType = 0; msgType < 256; msgType++)
    if (!known.has(msgType)) alice.sendFrame(encodeFrame(message.data, 1, { ...template, msgType: msgType as never }));
  for (const msgType of [words[0], voice[0]])
    alice.sendFrame(encodeFrame(message.data, 2, { ...template, msgType, msgData: Buffer.alloc(0) }));
  alice.sendFrame(
    encodeFrame(message.data, 3, { ...template, msgType: words[0], msgData: Buffer.alloc(MESSAGE_SIZE_MAX + 1) }),
  );
  t.equal(await alice.latestId(SINGLE, BOB), COUNT);
});

/** Page by page to the beginning. @returns the numbers that came */
async function numbers(page: (begin: number) => Promise<readonly number[]>): Promise<number[]> {
  const found: number[] = [];
  for (let begin = 0; ; ) {
    const ids = await page(begin);
    found.push(...ids);
    begin = Math.min(...ids) - 1;
    if (ids.length === 0 || begin < 1) return found.sort((a, b) => a - b);
  }
}
const all = Array.from({ length: COUNT }, (_, i) => i + 1);

for (const [who, client] of readers) {
  t.test(`${who} reads all of it`, async (t) => {
    const ids = await numbers(async (begin) =>
      (await client.history(GROUP, OURS, begin, PAGE)).map(({ msgId }) => msgId),
    );
    t.same(ids, all, 'page by page');
    const [newest] = await client.history(GROUP, OURS, 0, 1);
    t.match(newest, { text: LAST, msgId: COUNT });
    const asked = new Set(all);
    while (asked.size > 0) {
      const found = await client.messagesById(GROUP, OURS, [...asked].slice(-MESSAGES_BY_ID_MAX));
      if (found.length === 0) break;
      for (const { msgId } of found) asked.delete(msgId);
    }
    t.equal(asked.size, 0, 'by their numbers');
    t.ok(
      (await client.recentSessions()).some(({ sessionId }) => sessionId === OURS),
      'in the list of conversations',
    );
    t.equal((await client.unread()).list.find(({ sessionId }) => sessionId === OURS)?.unreadCnt, COUNT, 'unread');
  });
}

t.test('whatever is the last one, the lists go on', async (t) => {
  const [, bob] = readers[0]!;
  const [, carol] = readers[1]!;
  for (const [isVoice, body] of poison.slice(0, 12)) {
    const type = (isVoice ? voice : words)[0];
    await alice.sendData(BOB, type, body);
    const [[recent], { list }, { entries }] = await Promise.all([bob.recentSessions(), bob.unread(), alice.sync()]);
    t.match(recent, { sessionId: ALICE }, 'the newest first');
    t.ok(list.some(({ sessionId }) => sessionId === ALICE));
    t.ok(entries.some(({ sessionId }) => sessionId === BOB));
  }
  await alice.say(BOB, LAST);
  t.ok((await carol.sync()).entries.some(({ sessionId }) => sessionId === OURS));
});

t.test('other systems: pages, events, webhooks', async (t) => {
  const read: number[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await api('GET', `/api/v1/messages?as=${ALICE}&group=${OURS}&limit=${PAGE}${cursor}`);
    t.equal(status, 200);
    read.push(...body.messages.map(({ number }: { number: number }) => number));
    if (body.next === null) break;
    cursor = `&cursor=${body.next}`;
  }
  t.same(
    read.sort((a, b) => a - b),
    all,
  );
  const told = () => {
    const events = hooks.received.flatMap(({ body }) => (JSON.parse(`${body}`) as { events: Told[] }).events);
    return new Set(
      events.filter(({ message }) => message.id.startsWith(`g${OURS}-`)).map(({ message }) => message.number),
    );
  };
  await until(() => told().size === COUNT, 'webhooks to be told of all of them', 30_000);
  const seen = new Set<number>();
  for (let cursor = '0'; ; ) {
    const { status, body } = await api('GET', `/api/v1/events?limit=50&cursor=${cursor}`);
    t.equal(status, 200);
    for (const { message } of body.events as Told[]) if (message.id.startsWith(`g${OURS}-`)) seen.add(message.number);
    if (body.events.length === 0) break;
    cursor = body.next;
  }
  t.equal(seen.size, COUNT, 'events');
});

interface Told {
  readonly message: { readonly id: string; readonly number: number };
}

t.test('phones are pushed to', async () => {
  const idle = async () => (await cluster.storage.outbox.waiting(1, 10)).length === 0;
  await until(idle, 'nothing to be left', 30_000);
  await until(() => phones.received.some(({ body }) => `${body}`.includes(LAST)), 'the last one to arrive', 30_000);
});

t.test('the console: the way of each, and an export', async (t) => {
  for (const msg of [1, Math.ceil(COUNT / 2), COUNT])
    t.equal((await auditor.ask('GET', `/api/trace?kind=group&session=${OURS}&msgId=${msg}`)).status, 200);
  const wish = {
    ...{ userIds: [ALICE], groupIds: [], withGroups: true, reason: 'a test', caseNumber: '1' },
    ...{ fromMs: Date.now() - 86_400_000, toMs: Date.now() + 86_400_000 },
  };
  const { body } = await officer.ask<ExportInfo[]>('POST', '/api/exports', wish);
  const { status, body: file } = await officer.ask<string>(
    'GET',
    `/api/exports/${body[0]!.id}/file?ticket=${body[0]!.ticket}`,
  );
  t.equal(status, 200);
  const lines = file
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  t.ok(lines.length >= 3 * COUNT, `${lines.length} lines of JSON`);
});
