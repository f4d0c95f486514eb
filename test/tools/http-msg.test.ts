/** The HTTP interface as an operator has it: its keys, its examples, and what a kill -9 leaves behind. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { Client, findMsgServer } from '../../common/client/client.js';
import { projectRoot } from '../../common/root.js';
import { caller } from '../support/http.js';
import { startProcesses } from '../support/processes.js';
import { runTool, startTool } from '../support/tool.js';
import { until } from '../support/until.js';

const cluster = await startProcesses(t, {
  args: ['--demo-users', '4'],
  env: { TT_HTTP_MSG_WEBHOOK_NETWORKS: '127.0.0.0/8', TT_HTTP_MSG_WEBHOOK_RETRY_MS: '50' },
});
const { httpMsg, apiKey, loginHttp } = cluster.info;
const where = ['--data', cluster.data];

async function enter(user: string): Promise<Client> {
  const client = await Client.login({ ...(await findMsgServer(loginHttp)), user, password: 'test123' });
  t.teardown(() => client.close());
  return client;
}

t.test('keys are made, listed and revoked', async (t) => {
  const made = await runTool('api-keys', ['create', '--name', 'presence only', '--scopes', 'presence:read', ...where]);
  t.match(made, { code: 0, stdout: /^tt_[0-9a-f]{16}_[\w-]{43}\n$/ });
  const token = made.stdout.trim();
  const ask = caller(httpMsg, token);
  t.equal((await ask('GET', '/api/v1/presence?users=1')).status, 200);
  t.equal((await ask('GET', '/api/v1/users')).status, 403);
  const listed = await runTool('api-keys', ['list', ...where]);
  t.match(listed.stdout, /presence only\n +good, used .*presence:read/);
  t.notMatch(listed.stdout, token.slice(20), 'no secret in it');
  t.equal((await runTool('api-keys', ['revoke', token.split('_')[1]!, ...where])).code, 0);
  await until(async () => (await ask('GET', '/api/v1/presence?users=1')).status === 401, 'the key to be refused');
  t.match(await runTool('api-keys', ['create', '--name', 'x', '--scopes', 'everything', ...where]), {
    code: 1,
    stderr: /no scope everything/,
  });
});

t.test('the bot answers, and the curl example says something', async (t) => {
  const me = await enter('TT001');
  const bot = startTool('bot', [httpMsg, apiKey!, '3']);
  t.teardown(() => bot.process.kill('SIGKILL'));
  await until(() => bot.said.stdout.includes('user 3 listens'), 'the bot to listen');
  const heard = new Promise<string | undefined>((resolve) => {
    me.on('message', (message) => message.fromUserId === 3 && resolve(message.text));
  });
  await me.say(3, 'ping');
  t.equal(await heard, 'pong');
  const bob = await enter('TT002');
  const env = { ...process.env, TT_API: httpMsg, TT_API_KEY: apiKey! };
  const say = promisify(execFile);
  const { stdout } = await say(join(projectRoot, 'tools/examples/say.sh'), ['1', '2', 'said by "curl"'], { env });
  t.match(JSON.parse(stdout), { number: 1 });
  t.match(await bob.heard(), { text: 'said by "curl"' });
});

t.test('kill -9 of http-msg: webhooks miss nothing and see the order', async (t) => {
  const heard: number[] = [];
  const receiver = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    for (const { message } of JSON.parse(body).events) if (message.id.startsWith('u1-4-')) heard.push(message.number);
    response.end();
  });
  await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  const ask = caller(httpMsg, apiKey!);
  const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  t.equal((await ask('POST', '/api/v1/webhooks', { url: hook })).status, 201);
  const me = await enter('TT001');
  const pid = await cluster.kill('http-msg');
  for (let n = 1; n <= 100; n++) {
    await me.say(4, `number ${n}`);
    if (n === 60) await cluster.kill('http-msg', 'SIGKILL').catch(() => undefined);
  }
  await cluster.back('http-msg', pid);
  await until(() => new Set(heard).size === 100, 'all of them', 30_000);
  const first = [...new Set(heard)];
  t.same(
    first,
    first.toSorted((a, b) => a - b),
    'what comes again comes after what came before',
  );
});
