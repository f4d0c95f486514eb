import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import ipaddr from 'ipaddr.js';
import pg from 'pg';
import t from 'tap';
import type { AuditPage, DeadLetterPage, WebhookInfo } from '../../../servers/admin/api.js';
import { TestCluster, testStorage, until } from '../../support/cluster.js';
import { addAdmin, Browser } from '../../support/console.js';
import { caller } from '../../support/http.js';
import { type Teardown, testPostgres } from '../../support/postgres.js';

/** Events on their way out: webhooks, the page of events, the stream. */
const postgres = await testPostgres(t);
const loopback = [ipaddr.parseCIDR('127.0.0.0/8')];
const quick = { webhookNetworks: loopback, webhookRetryMs: 20, webhookRetryMaxMs: 200 };
const groups = [{ name: 'ours', memberIds: [1, 2, 3] }];

interface Delivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly events: readonly {
    readonly message: { id: string; number: number; from: number; content?: { text: string } };
  }[];
}

/** Somebody else's server, that can be down, slow, or say no. */
class Receiver {
  readonly deliveries: Delivery[] = [];
  /** What it answers; undefined: nothing at all. */
  status: (delivery: Delivery) => number | undefined = () => 204;
  location: string | undefined;
  asked = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      this.asked++;
      let body = '';
      for await (const chunk of request) body += chunk;
      const delivery = { headers: request.headers as Record<string, string>, body, events: JSON.parse(body).events };
      const status = this.status(delivery);
      if (status === undefined) return;
      if (status < 300) this.deliveries.push(delivery);
      response.writeHead(status, this.location === undefined ? {} : { location: this.location }).end();
    });
  }

  static async start(t: Teardown): Promise<Receiver> {
    const receiver = new Receiver();
    await receiver.listen(0);
    t.teardown(() => receiver.stop());
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }
  listen(port: number): Promise<void> {
    return new Promise((resolve) => void this.#server.listen(port, '127.0.0.1', resolve));
  }
  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }
  /** Numbers that came of a conversation, each once, in the order of their coming. */
  numbers(conversation: string): number[] {
    const all = this.deliveries.flatMap((each) => each.events.map(({ message }) => message));
    return [...new Set(all.filter(({ id }) => id.startsWith(`${conversation}-`)).map(({ number }) => number))];
  }
}

const counted = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

t.test('a webhook hears of every message, signed, in the order of each conversation', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: quick, groups });
  const receiver = await Receiver.start(t);
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const made = await ask('POST', '/api/v1/webhooks', { url: receiver.url, withContent: true });
  t.match(made, { status: 201, body: { id: /^wh_/, secret: /^whsec_/, url: receiver.url, active: true } });
  const listed = await ask('GET', '/api/v1/webhooks');
  t.equal(listed.body.webhooks[0].secret, undefined, 'the secret is shown once');
  const [alice, bob] = await Promise.all([cluster.login('alice'), cluster.login('bob')]);
  await Promise.all([
    ...counted(40).map((n) => alice.say(2, `to bob ${n}`)),
    ...counted(40).map((n) => bob.say(3, `to carol ${n}`)),
  ]);
  await until(
    () => receiver.numbers('u1-2').length === 40 && receiver.numbers('u2-3').length === 40,
    'all messages to be delivered',
  );
  t.same(receiver.numbers('u1-2'), counted(40));
  t.same(receiver.numbers('u2-3'), counted(40));
  const { headers, body, events } = receiver.deliveries[0]!;
  const signed = createHmac('sha256', made.body.secret).update(`${headers['x-teamtalk-timestamp']}.${body}`);
  t.equal(headers['x-teamtalk-signature'], `v1=${signed.digest('hex')}`);
  t.match(headers['x-teamtalk-id'], /^wh_/);
  t.ok(Math.abs(Number(headers['x-teamtalk-timestamp']) - Date.now() / 1000) < 60);
  t.match(events[0]!.message.content?.text, /^to (bob|carol) 1$/);
  const kept = receiver.deliveries.length;
  t.equal((await ask('DELETE', `/api/v1/webhooks/${made.body.id}`)).status, 204);
  await alice.say(2, 'nobody listens');
  const cursor = await ask('GET', '/api/v1/events');
  await until(async () => (await ask('GET', '/api/v1/events')).body.next >= cursor.body.next, 'the log');
  t.equal(receiver.deliveries.length, kept);
});

t.test('a receiver that is down for a while loses nothing, and holds up nobody else', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: quick });
  await cluster.addHttpMsgServer(quick);
  const [first, second, hanging] = await Promise.all([Receiver.start(t), Receiver.start(t), Receiver.start(t)]);
  hanging.status = () => undefined;
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  for (const { url } of [first, second, hanging]) await ask('POST', '/api/v1/webhooks', { url });
  const { port } = first;
  const alice = await cluster.login('alice');
  await alice.say(2, 'one');
  await until(() => first.numbers('u1-2').length === 1, 'the first message');
  await first.stop();
  for (const n of counted(30)) await alice.say(2 + (n % 3), `while it is down ${n}`);
  await until(() => second.numbers('u1-2').length === 11, 'the other one to hear of all');
  await first.listen(port);
  const whole = () => [2, 3, 4].every((to) => first.numbers(`u1-${to}`).length === (to === 2 ? 11 : 10));
  await until(whole, 'all that was said meanwhile');
  for (const to of [2, 3, 4]) t.same(first.numbers(`u1-${to}`), counted(to === 2 ? 11 : 10), 'in order');
  t.equal(first.deliveries[0]!.events[0]!.message.content, undefined, 'without what was said');
});

t.test('what cannot be delivered is set aside, can be seen, and is delivered again when asked for', async (t) => {
  const httpMsg = { ...quick, webhookAttemptsMax: 2, webhookRetryMs: 1 };
  const cluster = await TestCluster.start(t, postgres, { httpMsg });
  const receiver = await Receiver.start(t);
  receiver.status = ({ events }) => (events.some(({ message }) => message.number === 1) ? 500 : 200);
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const { id } = (await ask('POST', '/api/v1/webhooks', { url: receiver.url })).body;
  const alice = await cluster.login('alice');
  await alice.say(2, 'poison');
  const letters = async () => (await ask('GET', `/api/v1/webhooks/${id}/dead-letters`)).body.deadLetters;
  await until(async () => (await letters()).length === 1, 'a dead letter');
  t.match(await letters(), [{ fromNumber: 1, toNumber: 1, error: 'status 500', replaying: false }]);
  await alice.say(2, 'goes on');
  await until(() => receiver.numbers('u1-2').length === 1, 'what came after it');
  t.match((await ask('GET', '/api/v1/webhooks')).body.webhooks, [{ deadLetters: 1 }]);
  receiver.status = () => 200;
  const stranger = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  t.equal((await stranger('POST', `/api/v1/webhooks/${id}/dead-letters/replay`, {})).body.replaying, 0, 'not his');
  t.same((await stranger('GET', `/api/v1/webhooks/${id}/dead-letters`)).body.deadLetters, []);
  t.match(await ask('POST', `/api/v1/webhooks/${id}/dead-letters/replay`, {}), { status: 202, body: { replaying: 1 } });
  await until(async () => (await letters()).length === 0, 'the replay');
  t.same(receiver.numbers('u1-2'), [2, 1]);
  receiver.status = () => 500;
  await alice.say(2, 'not wanted');
  await until(async () => (await letters()).length === 1, 'another dead letter');
  const drop = `/api/v1/webhooks/${id}/dead-letters/drop`;
  t.equal((await stranger('POST', drop, {})).body.dropped, 0, 'not his');
  t.match(await ask('POST', drop, { ids: ['999999'] }), { status: 200, body: { dropped: 0 } });
  t.match(await ask('POST', drop, { ids: [(await letters())[0].id] }), { status: 200, body: { dropped: 1 } });
  t.same(await letters(), []);
});

t.test('the console makes and changes webhooks, and looks after their dead letters', async (t) => {
  const httpMsg = { ...quick, webhookAttemptsMax: 1 };
  const cluster = await TestCluster.start(t, postgres, { httpMsg, console: {} });
  await addAdmin(cluster.storage, 'owner', 'owner');
  const browser = await Browser.loggedIn(cluster, 'owner');
  const receiver = await Receiver.start(t);
  receiver.status = () => 500;
  const made = await browser.ask<{ webhook: WebhookInfo; secret: string }>('POST', '/api/webhooks', {
    url: receiver.url,
    withBodies: false,
  });
  t.equal(made.status, 200);
  const { id } = made.body.webhook;
  const list = async () => (await browser.ask<WebhookInfo[]>('GET', '/api/webhooks')).body;
  t.match(await list(), [{ id, url: receiver.url, keyId: '', withBodies: false, active: true }]);
  t.notMatch(JSON.stringify(await list()), made.body.secret, 'the secret is shown once');
  const change = { id, withBodies: true };
  t.equal((await browser.ask('POST', '/api/webhooks/change', change)).status, 204);
  t.match(await list(), [{ url: receiver.url, withBodies: true }]);
  t.equal((await browser.ask('POST', '/api/webhooks/change', { ...change, id: 'wh_none' })).status, 404);
  t.equal((await browser.ask('POST', '/api/webhooks', { url: 'file:///etc/passwd', withBodies: true })).status, 400);

  const alice = await cluster.login('alice');
  for (const [n, to] of [2, 3].entries()) await alice.say(to, `letter ${n}`);
  const letters = async () =>
    (await browser.ask<DeadLetterPage>('GET', `/api/webhooks/dead-letters?id=${id}`)).body.letters;
  await until(async () => (await letters()).length === 2, 'two dead letters');
  const sorted = [...(await letters())].sort((a, b) => a.userIds![1]! - b.userIds![1]!);
  t.match(sorted, [
    { userIds: [1, 2], fromMsgId: 1, toMsgId: 1, error: 'status 500', replaying: false },
    { userIds: [1, 3], fromMsgId: 1, toMsgId: 1 },
  ]);
  receiver.status = () => 200;
  const ids = [sorted[0]!.id];
  t.same((await browser.ask('POST', '/api/webhooks/dead-letters/replay', { id, ids })).body, { count: 1 });
  await until(() => receiver.numbers('u1-2').length === 1, 'the replay');
  t.equal(receiver.deliveries[0]!.events[0]!.message.content?.text, 'letter 0', 'changed to bring what is said');
  const { headers, body } = receiver.deliveries[0]!;
  const signed = createHmac('sha256', made.body.secret).update(`${headers['x-teamtalk-timestamp']}.${body}`);
  t.equal(headers['x-teamtalk-signature'], `v1=${signed.digest('hex')}`);
  await until(async () => (await letters()).length === 1, 'the delivered one to be gone');
  t.same((await browser.ask('POST', '/api/webhooks/dead-letters/drop', { id })).body, { count: 1 });
  t.same(await letters(), []);
  t.same(receiver.numbers('u1-3'), [], 'a dropped one is never delivered');
  const trail = (await browser.ask<AuditPage>('GET', `/api/audit?subject=webhook:${id}`)).body;
  t.same(
    trail.rows.map((row) => row.action),
    ['webhook.drop', 'webhook.replay', 'webhook.change', 'webhook.create'],
  );
  t.match(trail.rows[2], { before: { withBodies: false }, after: { withBodies: true } });
  t.notMatch(JSON.stringify(trail), made.body.secret);
});

t.test('what signs deliveries lies sealed, that of an older version included', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: quick });
  const receiver = await Receiver.start(t);
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const made = (await ask('POST', '/api/v1/webhooks', { url: receiver.url })).body;
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  t.teardown(() => client.end());
  const stored = async () =>
    (await client.query('select secret, sealed_secret from meta.webhook where id = $1', [made.id])).rows[0];
  const fresh = await stored();
  t.equal(fresh.secret, null);
  t.notOk(fresh.sealed_secret.includes(made.secret.slice(6)), 'not readable');
  await client.query('update meta.webhook set secret = $2, sealed_secret = null where id = $1', [made.id, 'whsec_old']);
  const alice = await cluster.login('alice');
  const signs = async (n: number) => {
    await alice.say(2, 'signed');
    await until(() => receiver.numbers('u1-2').length === n, 'the delivery');
    const { headers, body } = receiver.deliveries.at(-1)!;
    const expected = createHmac('sha256', 'whsec_old').update(`${headers['x-teamtalk-timestamp']}.${body}`);
    return headers['x-teamtalk-signature'] === `v1=${expected.digest('hex')}`;
  };
  t.ok(await signs(1), 'by an older version, as it is');
  const started = await testStorage(cluster.databaseUrl, cluster.masterKey);
  await started.close();
  const sealed = await stored();
  t.equal(sealed.secret, null, 'sealed by the next start');
  t.not(sealed.sealed_secret, null);
  t.ok(await signs(2), 'and signs as before');
  await client.query("update meta.webhook set sealed_secret = '\\x00' where id = $1", [made.id]);
  await alice.say(2, 'cannot be signed');
  const lastError = async () => (await ask('GET', '/api/v1/webhooks')).body.webhooks[0].lastError;
  await until(async () => /cannot be opened/.test((await lastError()) ?? ''), 'the list to say so');
  t.equal(receiver.numbers('u1-2').length, 2, 'nothing goes out unsigned');
});

t.test('a webhook of a person hears of his conversations only, and of groups while he is in them', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: quick, groups });
  const receiver = await Receiver.start(t);
  const all = await Receiver.start(t);
  const { url } = cluster.httpMsg[0]!;
  const anybody = caller(url, await cluster.apiKey());
  const carol = caller(url, await cluster.apiKey(undefined, 3));
  await carol('POST', '/api/v1/webhooks', { url: receiver.url, withContent: true });
  await anybody('POST', '/api/v1/webhooks', { url: all.url });
  const alice = await cluster.login('alice');
  await alice.say(2, 'not for carol');
  await alice.say(3, 'for carol');
  const group = (words: string) =>
    anybody('POST', '/api/v1/messages', { from: 1, to: { group: 1 }, content: { type: 'text', text: words } });
  await group('she is in it');
  await until(() => receiver.numbers('g1').length === 1, 'the message to the group');
  await cluster.storage.groups.leave(1, [3]);
  await group('she is not');
  await until(() => all.numbers('g1').length === 2, 'the other one to hear of it');
  await cluster.storage.groups.join(1, [3], 2);
  await group('she is again');
  await until(() => receiver.numbers('g1').length === 2, 'the third');
  t.same(receiver.numbers('g1'), [1, 3]);
  t.same(receiver.numbers('u1-2'), []);
  t.same(receiver.numbers('u1-3'), [1]);
  t.match((await carol('GET', '/api/v1/events')).status, 200);
});

t.test('webhooks lead to no private address, and not there by a redirect', async (t) => {
  const receiver = await Receiver.start(t);
  const cluster = await TestCluster.start(t, postgres, { httpMsg: { ...quick, webhookNetworks: [] } });
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const alice = await cluster.login('alice');
  const refused = [
    receiver.url,
    `http://localhost:${receiver.port}/`,
    `http://[::1]:${receiver.port}/`,
    `http://[::ffff:127.0.0.1]:${receiver.port}/`,
    `http://2130706433:${receiver.port}/`,
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.1/',
    'http://[fd00:ec2::254]/',
    'http://100.64.0.1/',
  ];
  for (const url of refused) t.equal((await ask('POST', '/api/v1/webhooks', { url })).status, 201, url);
  await alice.say(2, 'x');
  const errors = async () =>
    (await ask('GET', '/api/v1/webhooks')).body.webhooks.map((each: { lastError?: string }) => each.lastError);
  await until(async () => (await errors()).every((each: string | undefined) => each !== undefined), 'all to fail');
  for (const error of await errors()) t.match(error, /leads to an address that is not allowed/);
  t.equal(receiver.asked, 0);
  for (const url of ['file:///etc/passwd', 'gopher://x/', 'nonsense', `http://x/${'y'.repeat(3000)}`])
    t.equal((await ask('POST', '/api/v1/webhooks', { url })).status, 400, url.slice(0, 40));

  const open = await TestCluster.start(t, postgres, { httpMsg: quick });
  const target = await Receiver.start(t);
  const lure = await Receiver.start(t);
  lure.status = () => 307;
  lure.location = target.url;
  const askOpen = caller(open.httpMsg[0]!.url, await open.apiKey());
  await askOpen('POST', '/api/v1/webhooks', { url: lure.url });
  await (await open.login('alice')).say(2, 'x');
  await until(() => lure.asked > 1, 'it to be asked again');
  t.equal(target.asked, 0, 'redirects are not followed');
});

t.test('events by cursor and as a stream', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: {}, groups });
  await cluster.addHttpMsgServer();
  const key = await cluster.apiKey();
  const [ask, other] = cluster.httpMsg.map(({ url }) => caller(url, key));
  const alice = await cluster.login('alice');
  await alice.say(2, 'before anybody asked');
  const start = (await ask!('GET', '/api/v1/events')).body.next;
  t.same((await ask!('GET', `/api/v1/events?cursor=${start}`)).body.events, []);
  await alice.say(3, 'after it');
  await until(
    async () => (await ask!('GET', `/api/v1/events?cursor=${start}`)).body.events.length === 1,
    'the event, the first one ever',
  );
  const controller = new AbortController();
  const stream = await fetch(`${cluster.httpMsg[1]!.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream', 'last-event-id': start },
    signal: controller.signal,
  });
  t.match(stream.headers.get('content-type'), /^text\/event-stream/);
  let heard = '';
  const reading = (async () => {
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) heard += chunk;
  })().catch(() => undefined);
  await alice.say(2, 'for the stream');
  await until(() => heard.includes('for the stream'), 'the event on the stream');
  const ids = [...heard.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  t.same(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
    'in order, each once',
  );
  controller.abort();
  await reading;
  const last = ids.at(-2)!;
  const page = await other!('GET', `/api/v1/events?cursor=${last}`);
  t.match(page.body, { events: [{ type: 'message.created', message: { content: { text: 'for the stream' } } }] });
  const bob = caller(cluster.httpMsg[0]!.url, await cluster.apiKey(['events:read'], 2));
  const his = await bob('GET', `/api/v1/events?cursor=${start}&limit=500`);
  t.ok(
    his.body.events.every((each: { message: { conversation: { users: number[] } } }) =>
      each.message.conversation.users.includes(2),
    ),
  );
  t.equal(his.body.events.at(-1).message.content, undefined, 'without events:content');
  t.equal((await ask!('GET', '/api/v1/events?cursor=x')).status, 400);
});
