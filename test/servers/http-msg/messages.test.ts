import t from 'tap';
import { TestCluster, until } from '../../support/cluster.js';
import { caller } from '../../support/http.js';
import { testPostgres } from '../../support/postgres.js';

/** Sending and reading over HTTP, with TeamTalk clients at the other end. */
const postgres = await testPostgres(t);
const groups = [{ name: 'ours', memberIds: [1, 2] }];
const text = (text: string) => ({ type: 'text', text });

t.test('what HTTP sends clients hear, on every msg server', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, httpMsg: {}, groups });
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const alice = await cluster.login('alice');
  const bob = await cluster.login('bob', { at: 1 });
  const sent = await ask('POST', '/api/v1/messages', { from: 1, to: { user: 2 }, content: text('hello 你好') });
  t.match(sent, { status: 201, body: { id: 'u1-2-1', number: 1, duplicate: false } });
  t.match(await bob.heard(), { msgId: 1, text: 'hello 你好' });
  t.match(await alice.heard(), { msgId: 1, text: 'hello 你好' }, 'his own devices as well');
  const back = await bob.say(1, 'and back');
  t.equal(back.msgId, 2);
  await ask('POST', '/api/v1/messages', { from: 1, to: { group: 1 }, content: text('all of you') });
  t.match(await bob.heard(), { text: 'all of you' });
  const page = await ask('GET', '/api/v1/messages?as=1&user=2&limit=1');
  t.match(page.body.messages, [{ number: 2, from: 2, kind: 'text', content: text('and back') }]);
  const older = await ask('GET', `/api/v1/messages?as=1&user=2&limit=1&cursor=${page.body.next}`);
  t.match(older.body, { messages: [{ number: 1, content: text('hello 你好') }], next: null });
  t.same((await ask('GET', '/api/v1/presence?users=2,3')).body.users, [
    { user: 2, online: true },
    { user: 3, online: false },
  ]);
});

t.test('pictures, files and voice', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: {} });
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const bob = await cluster.login('bob');
  const url = 'http://store.example/g0/picture_20x30.png';
  await ask('POST', '/api/v1/messages', { from: 1, to: { user: 2 }, content: { type: 'image', url } });
  t.match(await bob.heard(), { text: `&$#@~^@[{:${url}:}]&$~@#@` }, 'as clients show pictures');
  await ask('POST', '/api/v1/messages', { from: 1, to: { user: 2 }, content: { type: 'file', url, name: 'a.pdf' } });
  t.match(await bob.heard(), { text: `a.pdf\n${url}` });
  const voice = { type: 'voice', seconds: 3, data: Buffer.from('speex').toString('base64') };
  await ask('POST', '/api/v1/messages', { from: 1, to: { user: 2 }, content: voice });
  t.match(await bob.heard(), { msgId: 3 });
  const { body } = await ask('GET', '/api/v1/messages?as=2&user=1');
  t.same(
    body.messages.map((each: { content: unknown }) => each.content),
    [voice, text(`a.pdf\n${url}`), { type: 'image', url }],
  );
});

t.test('an Idempotency-Key stands for one request', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: {} });
  await cluster.addHttpMsgServer();
  const key = await cluster.apiKey();
  const [ask, other] = cluster.httpMsg.map(({ url }) => caller(url, key));
  const body = { from: 1, to: { user: 2 }, content: text('once') };
  const headers = { 'idempotency-key': 'order 17' };
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? ask! : other!)('POST', '/api/v1/messages', body, headers)),
  );
  t.same([...new Set(answers.map((each) => each.body.number))], [1], 'stored once, over two servers');
  t.equal(answers.filter((each) => each.body.duplicate === false).length, 1);
  for (const changed of [
    { ...body, to: { user: 3 } },
    { ...body, content: text('twice') },
  ]) {
    const refused = await ask!('POST', '/api/v1/messages', changed, headers);
    t.match(refused, { status: 409, body: { code: 'IDEMPOTENCY_KEY_REUSED', status: 409 } });
  }
  const stranger = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  t.match(
    await stranger('POST', '/api/v1/messages', body, headers),
    { body: { number: 2 } },
    'another key, another name',
  );
  t.equal((await ask!('POST', '/api/v1/messages', body, { 'idempotency-key': 'x'.repeat(256) })).status, 400);
});

t.test('a key speaks as its own person and sees what he may see', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: {}, groups });
  const { url } = cluster.httpMsg[0]!;
  const anybody = caller(url, await cluster.apiKey());
  const carol = caller(url, await cluster.apiKey(undefined, 3));
  t.match(await carol('POST', '/api/v1/messages', { to: { user: 1 }, content: text('I am carol') }), { status: 201 });
  const forged = await carol('POST', '/api/v1/messages', { from: 2, to: { user: 1 }, content: text('I am bob') });
  t.match(forged, { status: 403, body: { code: 'NOT_ALLOWED' } });
  t.match(await carol('POST', '/api/v1/messages', { to: { group: 1 }, content: text('x') }), {
    status: 403,
    body: { code: 'NOT_A_MEMBER' },
  });
  await anybody('POST', '/api/v1/messages', { from: 1, to: { group: 1 }, content: text('among us') });
  t.same((await carol('GET', '/api/v1/messages?group=1')).body.messages, []);
  t.equal((await carol('GET', '/api/v1/messages?as=1&group=1')).status, 403);
  t.equal((await anybody('GET', '/api/v1/messages?as=1&group=1')).body.messages.length, 1);
  t.equal((await anybody('POST', '/api/v1/messages', { to: { user: 1 }, content: text('who?') })).status, 400);
});

t.test('requests that cannot be', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: { requestsPerMinute: 40 } });
  const { url } = cluster.httpMsg[0]!;
  const ask = caller(url, await cluster.apiKey());
  const good = { from: 1, to: { user: 2 }, content: text('x') };
  const wrong: [string, unknown, number][] = [
    ['an unknown field', { ...good, urgent: true }, 400],
    ['an unknown field inside', { ...good, content: { ...text('x'), colour: 'red' } }, 400],
    ['text as a number', { ...good, content: { type: 'text', text: 5 } }, 400],
    ['an id as text', { ...good, from: '1' }, 400],
    ['no receiver', { ...good, to: {} }, 400],
    ['two receivers', { ...good, to: { user: 2, group: 1 } }, 400],
    ['to oneself', { ...good, to: { user: 1 } }, 403],
    ['to nobody', { ...good, to: { user: 999 } }, 404],
    ['a file that leads nowhere', { ...good, content: { type: 'file', url: 'javascript:alert(1)', name: 'x' } }, 400],
    ['too long for a message', { ...good, content: text('x'.repeat(120_000)) }, 400],
    ['too long for a request', { ...good, content: text('x'.repeat(2_000_000)) }, 413],
    ['no JSON', '{"from":', 400],
    ['nothing', '', 400],
    ['a prototype', '{"__proto__": {"from": 1}}', 400],
  ];
  for (const [what, body, status] of wrong) {
    const answer = await ask('POST', '/api/v1/messages', body);
    t.equal(answer.status, status, `${what}: ${answer.text.slice(0, 200)}`);
    t.match(answer.headers.get('content-type'), /^application\/problem\+json/, what);
    t.match(answer.body, { status, title: String, code: String, detail: /./ }, what);
  }
  t.match((await ask('POST', '/api/v1/messages', { ...good, urgent: true })).body.detail, /urgent/, 'it is named');
  t.equal((await ask('GET', '/api/v1/messages?as=1&user=2&cursor=bad')).status, 400);
  t.equal((await ask('GET', '/api/v1/messages?as=1&user=2&offset=5')).status, 400, 'there are no offsets');
  t.equal((await ask('GET', '/api/v1/nowhere')).status, 404);
  t.equal((await ask('POST', '/api/v1/messages', 'a=1', { 'content-type': 'text/plain' })).status, 415);
});

t.test('keys: none, wrong, expired, revoked, for something else', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: {} });
  const { url } = cluster.httpMsg[0]!;
  const path = '/api/v1/presence?users=1';
  const { apiKeys } = cluster.storage;
  t.match(await caller(url)('GET', path), { status: 401, body: { code: 'NO_KEY' } });
  const { key, token } = await apiKeys.create({ name: 'it', scopes: ['presence:read'], actor: 'test' });
  t.equal((await caller(url, token)('GET', path)).status, 200);
  t.equal((await caller(url, `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)('GET', path)).status, 401);
  t.equal((await caller(url, 'tt_x_y')('GET', path)).status, 401);
  const narrow = await cluster.apiKey(['users:read']);
  t.match(await caller(url, narrow)('GET', path), {
    status: 403,
    body: { code: 'SCOPE_MISSING', detail: /presence:read/ },
  });
  const old = await apiKeys.create({
    name: 'old',
    scopes: ['presence:read'],
    expiresMs: Date.now() - 1,
    actor: 'test',
  });
  t.equal((await caller(url, old.token)('GET', path)).status, 401);
  await apiKeys.revoke(key.id, 'test');
  const before = performance.now();
  await until(async () => (await caller(url, token)('GET', path)).status === 401, 'the key to be refused');
  t.ok(performance.now() - before < 4_000, 'within seconds');
  const [row] = (await cluster.storage.apiKeys.list()).filter((each) => each.id === key.id);
  t.ok(row!.lastUsedMs !== undefined && row!.revokedMs !== undefined);
});

t.test('so many requests a minute', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: { requestsPerMinute: 3 } });
  const { url } = cluster.httpMsg[0]!;
  const token = await cluster.apiKey();
  const ask = caller(url, token);
  for (const left of [2, 1, 0]) {
    const { status, headers } = await ask('GET', '/api/v1/presence?users=1');
    t.match(
      { status, limit: headers.get('ratelimit-limit'), left: headers.get('ratelimit-remaining') },
      {
        status: 200,
        limit: '3',
        left: String(left),
      },
    );
  }
  const refused = await ask('GET', '/api/v1/presence?users=1');
  t.match(refused, { status: 429, body: { code: 'TOO_MANY_REQUESTS' } });
  t.ok(Number(refused.headers.get('retry-after')) > 0);
  t.equal((await ask('GET', '/scim/v2/Users')).status, 429, 'by whichever interface');
  const group = { req_user_id: 1, group_name: 'x', group_type: 1, group_avatar: '', user_id_list: [1] };
  const query = await fetch(`${url}/query/CreateGroup`, {
    method: 'POST',
    body: JSON.stringify({ ...group, app_key: token }),
  });
  t.match(await query.json(), { error_code: 10 });
  t.equal(await cluster.metric('http-msg-1', 'limit_hits_total'), 3);
  t.equal(
    (await caller(url, await cluster.apiKey())('GET', '/api/v1/presence?users=1')).status,
    200,
    'each key its own',
  );
});

t.test('files go to the store with leave from here, and come back by an address that others can open', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: {}, file: {} });
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const leave = await ask('POST', '/api/v1/uploads', { from: 1 });
  t.match(leave, { status: 201, body: { expires: /Z$/ } });
  const words = 'the minutes of the meeting';
  const uploaded = await fetch(leave.body.url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${leave.body.token}`,
      'tus-resumable': '1.0.0',
      'upload-length': String(words.length),
      'upload-metadata': `filename ${Buffer.from('minutes.txt').toString('base64')}`,
      'content-type': 'application/offset+octet-stream',
    },
    body: words,
  });
  t.equal(uploaded.status, 201);
  const path = uploaded.headers.get('content-location')!;
  const { url } = (await ask('POST', '/api/v1/files/address', { path, days: 1 })).body;
  t.equal(await (await fetch(url)).text(), words);
  t.equal((await fetch(url.replace(/\?.*/, ''))).ok, false, 'not without its signature');
  const content = { type: 'file', name: 'minutes.txt', url };
  t.equal((await ask('POST', '/api/v1/messages', { from: 1, to: { user: 2 }, content })).status, 201);
  t.equal((await ask('POST', '/api/v1/files/address', { path: '/g0/../x' })).status, 400);
});
