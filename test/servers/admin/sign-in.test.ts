/** People with the company's account: a real provider, the real page in a browser, clients that are let in by it. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import pg from 'pg';
import type { Page } from 'playwright-core';
import t from 'tap';
import type { Client, LoginRefused } from '../../../common/client/client.js';
import { login } from '../../../common/pdu/commands.js';
import { projectRoot } from '../../../common/root.js';
import type { MyPage } from '../../../servers/admin/api.js';
import { TestCluster, until } from '../../support/cluster.js';
import { addAdmin, Browser } from '../../support/console.js';
import { listening } from '../../support/http.js';
import { CLIENT, passProvider, testProvider } from '../../support/oidc.js';
import { openPages } from '../../support/pages.js';
import { freePort, testPostgres } from '../../support/postgres.js';

const postgres = await testPostgres(t);
const httpPort = await freePort();
const publicUrl = `http://127.0.0.1:${httpPort}`;
const accounts = {
  'sub-1': {
    preferred_username: 'wei',
    name: 'Wei Chen',
    email: 'wei@example.com',
    email_verified: true,
    department: 'Sales',
  },
  'sub-2': { preferred_username: 'alice', name: 'Another Alice' },
  'sub-3': { name: 'No name' },
  'sub-4': { preferred_username: 'mia', name: '<b>Mia</b>' },
};
const { issuer } = await testProvider(t, publicUrl, accounts);
const cluster = await TestCluster.start(t, postgres, {
  console: { httpPort, publicUrl, oidcIssuer: issuer, ...CLIENT, oidcDepartmentClaim: 'department' },
});
const [sales] = await cluster.storage.departments.add([{ name: 'Sales', priority: 1 }]);
const meta = new pg.Client(cluster.databaseUrl);
await meta.connect();
t.teardown(() => meta.end());
const { open, findings } = await openPages(t, cluster);

const CAPABLE = { password: '', capabilities: ['token1', 'err1'] };

/** Starts at our page and comes back to it. */
async function signIn(page: Page, account: string, search = ''): Promise<void> {
  await page.goto(`${publicUrl}/sign-in${search}`);
  await page.click('a.button.main');
  await passProvider(page, account);
  await page.waitForURL(/\/sign-in(\?problem=\w+)?$/);
}

function challengeOf(verifier: Uint8Array): string {
  return createHash('sha256').update(verifier).digest('base64url');
}

async function refused(attempt: Promise<Client>): Promise<boolean> {
  return attempt.then(
    (client) => {
      client.close();
      return false;
    },
    (error: LoginRefused) => error.name === 'LoginRefused',
  );
}

/** The page as its own requests see it. */
async function asPerson(page: Page): Promise<Browser> {
  const browser = new Browser(publicUrl);
  const cookies = await page.context().cookies(publicUrl);
  browser.cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
  browser.csrf = (await browser.ask<MyPage>('GET', '/api/me')).body.csrf;
  return browser;
}

t.test('a client that waits on this machine is let in, and stays', async (t) => {
  const verifier = randomBytes(32);
  let came: URL | undefined;
  const waiting = createServer((request, response) => {
    came ??= new URL(request.url!, 'http://127.0.0.1');
    response.end('done');
  });
  const port = await listening(t, waiting);
  const asked = {
    challenge: challengeOf(verifier),
    redirect: `http://127.0.0.1:${port}/`,
    state: 's 1',
    device: 'Laptop',
  };
  const page = await open(t);
  await signIn(page, 'sub-1', `?${new URLSearchParams(asked)}`);
  t.equal(new URL(page.url()).search, '', 'the challenge is out of the address');
  await page.getByText('Laptop wants to log in as you').waitFor();
  t.same(await findings(page), []);
  t.equal(came, undefined, 'nobody is let in unasked');
  await page.getByRole('button', { name: 'Let it in' }).click();
  await until(() => came !== undefined, 'the browser to bring the code');
  t.equal(came!.searchParams.get('state'), 's 1');
  const code = came!.searchParams.get('code')!;
  t.match(code, /^[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}$/);

  const signedIn = { ...CAPABLE, deviceId: 'laptop', signIn: { code, verifier } };
  t.ok(await refused(cluster.login('', { ...signedIn, capabilities: [] })), 'not without token1');
  const client = await cluster.login('', signedIn);
  t.match(client.userInfo, {
    userRealName: 'wei',
    userNickName: 'Wei Chen',
    email: 'wei@example.com',
    departmentId: sales,
  });
  t.ok(await refused(cluster.login('', signedIn)), 'a code opens once');
  const { token } = client.freshToken!;
  client.close();
  const back = await cluster.login('wei', { ...CAPABLE, deviceId: 'laptop', token });
  t.equal(back.userId, client.userId);

  const { rows } = await meta.query('select action, actor_kind, actor_name from meta.audit order by id desc limit 1');
  t.match(rows, [{ action: 'user.create', actor_kind: 'directory', actor_name: 'wei' }]);
  const again = await open(t);
  await signIn(again, 'sub-1');
  await again.getByText('Hello Wei Chen').waitFor();
  const { rows: known } = await meta.query("select 1 from meta.users where name like 'wei%'");
  t.equal(known.length, 1, 'who comes again is the same one');

  await again.locator('section', { hasText: 'Your devices' }).getByRole('button', { name: 'Log out' }).click();
  await back.closed;
  t.ok(await refused(cluster.login('wei', { ...CAPABLE, deviceId: 'laptop', token })), 'logged out on his page');
});

t.test('a code is for who asked for it', async (t) => {
  const page = await open(t, { language: 'zh', theme: 'dark' });
  const verifier = randomBytes(32);
  await signIn(page, 'sub-4', `?challenge=${challengeOf(verifier)}`);
  await page.getByRole('button', { name: '允许登录' }).click();
  const code = (await page.locator('.sign-in-code').textContent())!;
  t.same(await findings(page), [], 'in Chinese, dark');
  const deviceId = 'phone';
  const other = { code, verifier: randomBytes(32) };
  t.ok(await refused(cluster.login('', { ...CAPABLE, deviceId, signIn: other })), 'who has read it has no verifier');
  t.ok(await refused(cluster.login('', { ...CAPABLE, deviceId, signIn: { code, verifier } })), 'and it is used up');

  const me = await asPerson(page);
  const make = async (change: string) => {
    const { code: made } = (
      await me.ask<{ code: string }>('POST', '/api/me/code', { challenge: challengeOf(verifier) })
    ).body;
    await meta.query(`update meta.sign_in_code set ${change}`);
    return { code: made.toLowerCase().replaceAll('-', ' '), verifier };
  };
  t.notOk(
    await refused(cluster.login('', { ...CAPABLE, deviceId, signIn: await make('user_id = user_id') })),
    'typed as it comes',
  );
  const late = await make("expires = now() - interval '1 second'");
  t.ok(await refused(cluster.login('', { ...CAPABLE, deviceId, signIn: late })), 'not after its time');
  t.ok(
    await refused(cluster.login('', { ...CAPABLE, signIn: await make('user_id = user_id') })),
    'not without a device',
  );

  const sent = async (redirect: string) =>
    (await me.ask('POST', '/api/me/code', { challenge: challengeOf(verifier), redirect })).status;
  t.equal(await sent('http://127.0.0.1:4321/back'), 200);
  t.equal(await sent('http://[::1]:4321/'), 200);
  for (const elsewhere of [
    'https://evil.example/',
    'http://127.0.0.1.evil.example/',
    'http://127.0.0.1@evil.example/',
    'http://localhost:80/',
    'https://127.0.0.1/',
    'javascript:alert(1)',
    '//evil.example',
    'teamtalk://signed-in',
    '',
  ])
    t.equal(await sent(elsewhere), 400, elsewhere);
  t.equal((await me.ask('POST', '/api/me/code', { challenge: 'short' })).status, 400);
});

t.test('stock clients use an app password', async (t) => {
  const page = await open(t);
  await signIn(page, 'sub-1');
  await page.fill('form input', 'Old phone');
  await page.getByRole('button', { name: 'Make one' }).click();
  const password = (await page.locator('dialog code').textContent())!;
  t.match(password, /^([a-z2-9]{4}-){5}[a-z2-9]{4}$/);
  t.same(await findings(page), [], 'the dialog');
  await page.locator('dialog .button.main').click();
  t.notOk((await page.content()).includes(password), 'it is shown once');
  const { rows } = await meta.query<{ row: string }>('select p::text as row from meta.app_password p');
  t.notOk(rows[0]!.row.includes(createHash('md5').update(password).digest('hex')));

  const stock = await cluster.login('wei', { password });
  t.ok(await refused(cluster.login('alice', { password })), 'for nobody else');
  t.ok(await refused(cluster.login('wei', { password: `${password}x` })));
  const device = await cluster.login('wei', { ...CAPABLE, password, deviceId: 'by app password', clientType: 17 });
  const { token } = device.freshToken!;
  const me = await asPerson(page);
  const { appPasswords } = (await me.ask<MyPage>('GET', '/api/me')).body;
  t.match(appPasswords, [{ name: 'Old phone', usedMs: Number }]);

  const mia = await open(t);
  await signIn(mia, 'sub-4');
  await mia.getByText('Hello <b>Mia</b>').waitFor();
  const stranger = await asPerson(mia);
  const { id } = appPasswords[0]!;
  t.equal((await stranger.ask<MyPage>('POST', '/api/me/app-passwords/remove', { id })).status, 200);
  t.equal((await me.ask<MyPage>('GET', '/api/me')).body.appPasswords.length, 1, 'nobody else takes it away');

  await page.reload();
  await page.locator('section', { hasText: 'App passwords' }).getByRole('button', { name: 'Remove' }).click();
  await page.locator('dialog').last().getByRole('button', { name: 'Remove' }).click();
  await stock.next(login.kick);
  t.ok(await refused(cluster.login('wei', { password })), 'it is none any more');
  t.ok(
    await refused(cluster.login('wei', { ...CAPABLE, deviceId: 'by app password', clientType: 17, token })),
    'nor what was had for it',
  );
  const { rows: audit } = await meta.query("select action from meta.audit where actor_kind = 'user' order by id");
  t.same(audit, [{ action: 'user.app-password' }, { action: 'user.remove-app-password' }]);
});

t.test('who is not let in is told why', async (t) => {
  const page = await open(t);
  await signIn(page, 'sub-2');
  await page.getByText('Somebody else here has your name already').waitFor();
  t.same(await findings(page), []);
  const nameless = await open(t);
  await signIn(nameless, 'sub-3');
  await nameless.getByText('gives you no name').waitFor();

  const { rows } = await meta.query<{ id: number }>("select id from meta.users where name = 'wei'");
  const wei = await open(t);
  await signIn(wei, 'sub-1');
  const actor = { kind: 'tool', name: 'test', address: '' };
  await cluster.storage.people.change(actor, rows[0]!.id, { fields: { status: 3 } });
  t.equal((await (await asPerson(wei)).ask('GET', '/api/me')).status, 401, 'his page is over at once');
  await wei.context().clearCookies({ name: 'teamtalk-person' });
  await wei.goto(`${publicUrl}/sign-in/start`);
  await wei.getByText('Your account is disabled here').waitFor();
  await cluster.storage.people.change(actor, rows[0]!.id, { fields: { status: 0 } });
});

t.test('a directory’s word is good for thirty days', async (t) => {
  const page = await open(t);
  await signIn(page, 'sub-1');
  const me = await asPerson(page);
  const { appPassword } = (await me.ask<MyPage>('POST', '/api/me/app-passwords', { name: 'old' })).body;
  t.notOk(await refused(cluster.login('wei', { password: appPassword! })));
  await meta.query("update meta.identity set vouched = now() - interval '31 days'");
  t.ok(await refused(cluster.login('wei', { password: appPassword! })), 'then he has to sign in');
  t.notOk(await refused(cluster.login('bob')), 'people of ours go on');
  await page.goto(`${publicUrl}/sign-in/start`);
  await page.getByText('Hello Wei Chen').waitFor();
  t.notOk(await refused(cluster.login('wei', { password: appPassword! })));
});

t.test('coming back from the provider takes what one left with', async (t) => {
  const begin = async () => {
    const response = await fetch(`${publicUrl}/sign-in/start`, { redirect: 'manual' });
    const cookie = response.headers.getSetCookie()[0]!;
    return { to: new URL(response.headers.get('location')!), cookie };
  };
  const { to, cookie } = await begin();
  t.equal(to.origin, issuer);
  t.match(Object.fromEntries(to.searchParams), { code_challenge_method: 'S256', response_type: 'code' });
  for (const name of ['state', 'nonce', 'code_challenge']) t.ok(to.searchParams.get(name)!.length >= 32, name);
  t.match(cookie, /HttpOnly/);
  t.match(cookie, /SameSite=Lax/);
  const state = to.searchParams.get('state')!;
  t.notOk(Buffer.from(decodeURIComponent(cookie)).includes(state), 'sealed');

  const finish = async (search: Record<string, string>, brought = cookie) => {
    const address = `${publicUrl}/sign-in/callback?${new URLSearchParams(search)}`;
    const response = await fetch(address, { redirect: 'manual', headers: { cookie: brought.split(';')[0]! } });
    t.notOk(
      response.headers.getSetCookie().some((each) => each.startsWith('teamtalk-person=')),
      'nobody is signed in',
    );
    return response.headers.get('location') ?? response.status;
  };
  const no = '/sign-in?problem=NOT_SIGNED_IN';
  t.equal(await finish({ code: 'x', state, iss: issuer }), no, 'a code of nobody');
  t.equal(await finish({ code: 'x', state: 'another', iss: issuer }), no, 'the state of somebody else');
  t.equal(await finish({ code: 'x', iss: issuer }), no, 'no state');
  t.equal(await finish({ code: 'x', state, iss: 'https://evil.example' }), no, 'another provider’s answer');
  t.equal(await finish({ error: 'access_denied', state, iss: issuer }), no, 'he said no there');
  t.equal(await finish({ code: 'x', state, iss: issuer }, 'nothing=1'), no, 'another browser');
  t.equal(await finish({ code: 'x', state, iss: issuer }, 'teamtalk-journey=forged'), no);

  const page = await open(t);
  let used: string | undefined;
  page.on('request', (request) => {
    if (request.url().includes('/sign-in/callback')) used = request.url();
  });
  await signIn(page, 'sub-1');
  const search = Object.fromEntries(new URL(used!).searchParams);
  t.equal(await finish(search), no, 'what another browser has brought');
  const old = (await begin()).cookie;
  t.equal(await finish({ ...search, state: '' }, old), no);
});

t.test('pages of others change nothing, and what is seen of people has its source', async (t) => {
  const page = await open(t);
  await signIn(page, 'sub-1');
  const me = await asPerson(page);
  const body = { name: 'x' };
  const from = async (headers: Record<string, string>) =>
    (await me.ask('POST', '/api/me/app-passwords', body, headers)).body.code;
  t.equal(await from({ 'x-csrf-token': 'forged' }), 'FOREIGN');
  t.equal(await from({ origin: 'https://evil.example' }), 'FOREIGN');
  t.equal((await me.ask('GET', '/api/users')).status, 401, 'it is no session of the console');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('Sign in with the company').waitFor();
  t.equal((await me.ask('GET', '/api/me')).status, 401, 'the session is over, not only its cookie');

  await addAdmin(cluster.storage, 'owner', 'owner');
  const admin = await Browser.loggedIn(cluster, 'owner');
  const { people } = (await admin.ask<{ people: object[] }>('GET', '/api/users?search=wei')).body;
  t.match(people, [{ name: 'wei', source: issuer }]);
});

t.test('the terminal client signs in, and leaves no device behind', async (t) => {
  const args = [join(projectRoot, 'dist/tools/client.js'), '--sign-in', publicUrl, '--login', cluster.loginHttp];
  const child = spawn(process.execPath, args);
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (said) => (text += String(said)));
  const ended = once(child, 'exit');
  const address = () => /Sign in at\s+(\S+)/.exec(text)?.[1];
  await until(() => address() !== undefined, 'the address', 60_000);
  const page = await open(t);
  await signIn(page, 'sub-4', new URL(address()!).search);
  await page.getByRole('button', { name: 'Let it in' }).click();
  await page.getByText('You are logged in').waitFor();
  await until(() => /you are /.test(text), 'the client to be in', 60_000);
  child.stdin.end();
  t.same(await ended, [0, null]);
  const { rows } = await meta.query("select 1 from meta.login_token where device_name like 'terminal on %'");
  t.equal(rows.length, 0);
});
