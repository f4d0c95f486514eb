import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Validator } from '@seriousme/openapi-schema-validator';
import createClient from 'openapi-fetch';
import openapiTS, { astToString } from 'openapi-typescript';
import t from 'tap';
import { projectRoot } from '../../../common/root.js';
import { PASSWORD, TestCluster } from '../../support/cluster.js';
import { caller } from '../../support/http.js';
import { testPostgres } from '../../support/postgres.js';

/** The whole surface at once: its description, who may ask what, and what is sent to wear it down. */
const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, { httpMsg: { requestsPerMinute: 10_000 } });
const { url } = cluster.httpMsg[0]!;

interface Described {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { operationId?: string; summary?: string }>>>>;
}
const described = (await caller(url)('GET', '/api/v1/openapi.json')).body as Described;

t.test('the description is valid OpenAPI 3.1, and every route is in it', async (t) => {
  t.equal(described.openapi, '3.1.0');
  const result = await new Validator().validate(structuredClone(described) as never);
  t.ok(result.valid, JSON.stringify(result.errors));
  const operations = Object.values(described.paths).flatMap((path) => Object.values(path));
  t.ok(operations.length >= 25);
  const ids = operations.map((each) => each.operationId);
  t.equal(new Set(ids).size, operations.length, 'each has a name of its own');
  t.ok(operations.every((each) => each.summary !== undefined));
  const page = await fetch(`${url}/api/v1/docs/`);
  t.equal(page.status, 200);
  t.notMatch(await page.text(), /https?:\/\//, 'nothing comes from elsewhere');
  t.match(page.headers.get('content-security-policy'), /default-src 'self'/);
});

t.test('every route refuses whoever has no key, and a key without its scope', async (t) => {
  const strange = await cluster.apiKey(['messages:read']);
  const reading = new Set(['GET /api/v1/messages']);
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const method of Object.keys(methods).map((each) => each.toUpperCase())) {
      const place = path.replace('{id}', '1');
      t.equal((await caller(url)(method, place)).status, 401, `${method} ${path} without a key`);
      if (reading.has(`${method} ${path}`)) continue;
      const answer = await caller(url, strange)(method, place, method === 'GET' ? undefined : {});
      t.match(
        answer,
        { status: 403, body: { code: 'SCOPE_MISSING' } },
        `${method} ${path} with a key for other things`,
      );
    }
  }
});

t.test('a client made from the description works', async (t) => {
  const types = astToString(await openapiTS(described as never));
  const folder = await mkdtemp(join(projectRoot, 'dist', 'client-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'api.d.ts'), types);
  const usage = `
    import createClient from 'openapi-fetch';
    import type { paths } from './api.d.ts';
    const client = createClient<paths>({ baseUrl: '' });
    const { data } = await client.POST('/api/v1/messages', {
      body: { from: 1, to: { user: 2 }, content: { type: 'text', text: 'x' } },
    });
    export const number: number | undefined = data?.number;
    // @ts-expect-error: a field that there is not
    await client.POST('/api/v1/messages', { body: { form: 1, to: { user: 2 }, content: { type: 'text', text: 'x' } } });
  `;
  await writeFile(join(folder, 'usage.mts'), usage);
  const options = ['--strict', '--noEmit', '--skipLibCheck', '--allowImportingTsExtensions', '--ignoreConfig'];
  const kind = ['--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom', '--types', 'node'];
  // In a process of its own: the cluster goes on meanwhile.
  const tsc = join(projectRoot, 'node_modules/typescript/bin/tsc');
  const wrong = await promisify(execFile)(process.execPath, [tsc, ...options, ...kind, join(folder, 'usage.mts')]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
  t.equal(wrong, '', 'its types fit');
  // biome-ignore lint/suspicious/noExplicitAny: the types are looked at above; this is the run
  const client = createClient<any>({ baseUrl: url, headers: { authorization: `Bearer ${await cluster.apiKey()}` } });
  const bob = await cluster.login('bob');
  const { data } = await client.POST(
    '/api/v1/messages' as never,
    {
      body: { from: 1, to: { user: 2 }, content: { type: 'text', text: 'from a made client' } },
    } as never,
  );
  t.match(data, { number: 1 });
  t.match(await bob.heard(), { text: 'from a made client' });
});

t.test('slow and swollen requests are ended, and others go on', async (t) => {
  const { port } = new URL(url);
  const speak = (lines: string) =>
    new Promise<{ said: string; ms: number }>((resolve) => {
      const started = performance.now();
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(lines));
      let said = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      socket.on('error', () => undefined).on('close', () => resolve({ said, ms: performance.now() - started }));
    });
  const swollen = speak(`GET /api/v1/users HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`);
  const many = speak(`GET /api/v1/users HTTP/1.1\r\nHost: x\r\n${'x-header-name: value\r\n'.repeat(2_000)}\r\n`);
  const loris = speak('GET /api/v1/users HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  t.match((await swollen).said, /^HTTP\/1\.1 431 /);
  t.match((await many).said, /^HTTP\/1\.1 431 /);
  t.equal(
    (await caller(url, await cluster.apiKey())('GET', '/api/v1/users')).status,
    200,
    'meanwhile others are served',
  );
  t.match((await loris).said, /^HTTP\/1\.1 408 /, 'headers that never end');
});

t.test('a say before messages are stored, for TeamTalk clients and HTTP alike', async (t) => {
  const asked: { text?: string; from: number }[] = [];
  let fails = false;
  const checker = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (fails) return void response.writeHead(500).end();
    const said = JSON.parse(body) as { text?: string; from: number };
    asked.push(said);
    const answer = said.text?.includes('secret')
      ? { action: 'refuse', reason: 'no secrets here' }
      : said.text?.includes('darn')
        ? { action: 'replace', text: said.text.replace('darn', '****') }
        : { action: 'pass' };
    // Later ones are answered sooner: the order must hold all the same.
    const pauseMs = said.text?.startsWith('slow') ? 30 : 0;
    setTimeout(() => response.end(JSON.stringify(answer)), pauseMs);
  });
  await new Promise<void>((resolve) => void checker.listen(0, '127.0.0.1', resolve));
  t.teardown(() => checker.close());
  const hook = {
    sendHookUrl: `http://127.0.0.1:${(checker.address() as AddressInfo).port}/`,
    sendHookTimeoutMs: 2_000,
  };
  const checked = await TestCluster.start(t, postgres, { msg: hook, httpMsg: hook });
  const ask = caller(checked.httpMsg[0]!.url, await checked.apiKey());
  const send = (text: string) =>
    ask('POST', '/api/v1/messages', { from: 1, to: { user: 2 }, content: { type: 'text', text } });
  const bob = await checked.login('bob');
  const alice = await checked.connect();
  await alice.enter({ user: 'alice', password: PASSWORD, capabilities: ['err1', 'ack2'] });
  t.match(await send('a secret'), { status: 403, body: { detail: 'no secrets here' } });
  await t.rejects(alice.say(2, 'my secret'), { code: 'NOT_ALLOWED', message: /no secrets here/ });
  await send('darn it');
  t.match(await bob.heard(), { msgId: 1, text: '**** it' });
  const words = ['slow one', 'two', 'slow three', 'four'];
  await Promise.all(words.map((each) => alice.say(2, each)));
  for (const text of words) t.match(await bob.heard(), { text }, 'in the order in which they were said');
  t.match(asked.at(-1), { from: 1 });
  fails = true;
  t.match(await send('unchecked'), { status: 403, body: { detail: /did not answer/ } }, 'nothing passes unseen');
  await checked.addHttpMsgServer({ ...hook, sendHookFailure: 'pass' });
  const open = caller(checked.httpMsg[1]!.url, await checked.apiKey());
  const body = { from: 1, to: { user: 2 }, content: { type: 'text', text: 'unchecked' } };
  t.equal((await open('POST', '/api/v1/messages', body)).status, 201, 'unless it is set so');
});
