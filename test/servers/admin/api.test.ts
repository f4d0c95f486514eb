/** The console's HTTP side without its pages: who gets in, who may what, and that nobody else's page may ask for it. */
import * as OTPAuth from 'otpauth';
import pg from 'pg';
import t from 'tap';
import { ROLES, type Role } from '../../../common/roles.js';
import type { AdminInfo, OwnSession } from '../../../servers/admin/api.js';
import { may } from '../../../servers/admin/permissions.js';
import { routes } from '../../../servers/admin/routes.js';
import { NEW_OWNER } from '../../../servers/db-proxy/storage/admins.js';
import { TestCluster } from '../../support/cluster.js';
import { ADMIN_PASSWORD, addAdmin, Browser } from '../../support/console.js';
import { testPostgres } from '../../support/postgres.js';
import { runTool } from '../../support/tool.js';

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, { console: {} });
const { storage } = cluster;
for (const role of ROLES) await addAdmin(storage, role, role);

/** Straight to the database, to bring about what would take hours. */
async function sql(text: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  await client.query(text, values);
  await client.end();
}

/** Failures of this machine so far are forgotten, as if a quarter of an hour had passed. */
const forgetFailures = () => sql('delete from meta.admin_failure');

t.test('every route lets in exactly the roles of its permission', async (t) => {
  const browsers = new Map<Role, Browser>();
  for (const role of ROLES) browsers.set(role, await Browser.loggedIn(cluster, role));
  const stranger = new Browser(cluster.consoleUrl);
  for (const row of routes.filter((each) => each.path !== '/api/logout' && each.path !== '/api/overview/stream')) {
    // Nothing of it exists and no body is right: what is let in fails behind the door.
    const path = row.path.replaceAll(/:\w+/g, '1073741823');
    const body = row.method === 'GET' ? undefined : { nothing: 'of the kind' };
    const asStranger = await stranger.ask(row.method, path, body);
    if (row.needs === 'public') {
      t.not(asStranger.body.code, 'NO_SESSION', `${row.method} ${row.path} is public`);
      continue;
    }
    t.equal(asStranger.body.code, 'NO_SESSION', `${row.method} ${row.path}: a stranger`);
    for (const [role, browser] of browsers) {
      const { status, body: answer } = await browser.ask(row.method, path, body);
      const isAllowed = row.needs === 'session' || (row.needs !== 'person' && may(role, row.needs));
      const passed = status !== 401 && answer?.code !== 'NOT_ALLOWED' && answer?.code !== 'FOREIGN';
      t.equal(passed, isAllowed, `${row.method} ${row.path}: ${role}, ${status}`);
    }
  }
  await forgetFailures();
});

t.test('what changes something needs the token of the page, and the page to be ours', async (t) => {
  for (const row of routes.filter(
    (each) => each.method !== 'GET' && each.needs !== 'public' && each.needs !== 'person',
  )) {
    const browser = await Browser.loggedIn(cluster, 'owner');
    const path = row.path.replaceAll(/:\w+/g, '1');
    const right = { ...browser };
    for (const [why, csrf, headers] of [
      ['no token', '', {}],
      ['the token of another session', (await Browser.loggedIn(cluster, 'owner')).csrf, {}],
      ['another origin', right.csrf, { origin: 'https://evil.example' }],
      ['another site', right.csrf, { 'sec-fetch-site': 'cross-site' }],
      ['a form', right.csrf, { 'content-type': 'text/plain' }],
    ] as const) {
      browser.csrf = csrf;
      const { status, body } = await browser.ask(row.method, path, {}, headers);
      t.match({ status, code: body.code }, { status: 403, code: 'FOREIGN' }, `${row.method} ${row.path}: ${why}`);
    }
    await sql('delete from meta.admin_session');
  }
  const login = await new Browser(cluster.consoleUrl).ask('POST', '/api/login', {}, { origin: 'https://evil.example' });
  t.equal(login.body.code, 'FOREIGN', 'nobody is logged in from another site either');
});

t.test('the cookie is out of the reach of scripts and other sites, and nothing may be framed or inline', async (t) => {
  const answer = await new Browser(cluster.consoleUrl).logIn('owner', ADMIN_PASSWORD);
  t.match(answer.headers.get('set-cookie'), /^teamtalk-console=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  t.equal(answer.headers.get('cache-control'), 'no-store');
  const policy = answer.headers.get('content-security-policy')!;
  t.match(policy, /default-src 'none'/);
  t.match(policy, /frame-ancestors 'none'/);
  t.notMatch(policy, /unsafe|\*/);
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff');
});

t.test('by https the cookie goes by https only', async (t) => {
  const url = 'https://console.example';
  const secure = await TestCluster.start(t, postgres, { console: { publicUrl: url } });
  await addAdmin(secure.storage, 'owner', 'owner');
  const browser = new Browser(secure.consoleUrl);
  const answer = await browser.ask('POST', '/api/login', { name: 'owner', password: ADMIN_PASSWORD }, { origin: url });
  t.match(answer.headers.get('set-cookie'), /^__Host-teamtalk-console=.*; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
  t.match(answer.headers.get('strict-transport-security'), /max-age=\d{8}/);
  const straight = await browser.ask('POST', '/api/login', {}, { origin: browser.url });
  t.equal(straight.body.code, 'FOREIGN', 'the address behind the proxy is not where pages come from');
});

t.test('too many failures lock a name, and an address over all names', async (t) => {
  await addAdmin(storage, 'guessed', 'operator');
  const browser = new Browser(cluster.consoleUrl);
  // All at once: those that begin before the first has failed count as well.
  const guesses = await Promise.all(Array.from({ length: 14 }, (_, i) => browser.logIn('guessed', `wrong ${i}`)));
  const codes = guesses.map((each) => each.body.code).sort();
  t.same(codes, [...Array(4).fill('LOCKED'), ...Array(10).fill('WRONG_PASSWORD')]);
  const right = await browser.logIn('GUESSED', ADMIN_PASSWORD);
  t.match(right, { status: 429, body: { code: 'LOCKED' } });
  t.ok(Number(right.headers.get('retry-after')) > 600);
  t.equal((await browser.logIn('owner', ADMIN_PASSWORD)).status, 200, 'others still get in from there');

  for (let i = 0; i < 20; i++) await browser.logIn(`nobody ${i}`, 'wrong');
  t.equal((await browser.logIn('owner', ADMIN_PASSWORD)).body.code, 'LOCKED', 'and then nobody does');
  await forgetFailures();
  t.equal((await browser.logIn('guessed', ADMIN_PASSWORD)).status, 200);
});

t.test(
  'a session ends when it was not used, when its time is over, when it is ended, and with its account',
  async (t) => {
    const enters = async () => {
      const browser = await Browser.loggedIn(cluster, 'auditor');
      return { browser, isIn: async () => (await browser.ask('GET', '/api/overview')).status === 200 };
    };
    const idle = await enters();
    t.ok(await idle.isIn());
    await sql(`update meta.admin_session set used = now() - idle - interval '1 second'`);
    t.notOk(await idle.isIn(), 'not used for too long');

    const old = await enters();
    await sql(`update meta.admin_session set expires = now() - interval '1 second'`);
    t.notOk(await old.isIn(), 'used, but over');

    const [left, stays] = [await enters(), await enters()];
    await left.browser.ask('POST', '/api/logout', {});
    t.notOk(await left.isIn(), 'logged out');
    t.ok(await stays.isIn());
    const mine = await stays.browser.ask<OwnSession[]>('GET', '/api/account/sessions');
    const other = await enters();
    const others = await Browser.loggedIn(cluster, 'owner');
    const foreign = await others.ask('POST', '/api/account/sessions/end', { ids: mine.body.map((each) => each.id) });
    t.equal(foreign.status, 200);
    t.ok(await stays.isIn(), "nobody ends another one's session");
    await other.browser.ask('POST', '/api/account/sessions/end', { ids: mine.body.map((each) => each.id) });
    t.notOk(await stays.isIn(), 'the same person does');

    const admins = (await others.ask<AdminInfo[]>('GET', '/api/admins')).body;
    const { id, version } = admins.find((each) => each.name === 'auditor')!;
    await others.ask('PATCH', `/api/admins/${id}`, { version, disabled: true });
    t.notOk(await other.isIn(), 'disabled');
    t.equal((await new Browser(cluster.consoleUrl).logIn('auditor', ADMIN_PASSWORD)).body.code, 'WRONG_PASSWORD');
    await others.ask('PATCH', `/api/admins/${id}`, { version: version + 1, disabled: false });
  },
);

t.test('what is stored of a session opens none', async (t) => {
  const browser = await Browser.loggedIn(cluster, 'owner');
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  const { rows } = await client.query<{ token_hash: Buffer }>('select token_hash from meta.admin_session');
  await client.end();
  const [name, token] = browser.cookie.split('=');
  t.notOk(rows.some((row) => row.token_hash.toString('base64url') === token));
  for (const { token_hash } of rows) {
    browser.cookie = `${name}=${token_hash.toString('base64url')}`;
    t.equal((await browser.ask('GET', '/api/session')).body.code, 'NO_SESSION');
  }
});

t.test('a one-time password opens nothing but its own change', async (t) => {
  const made = await storage.admins.change({ tool: 'test' }, { ...NEW_OWNER, name: 'fresh', role: 'admin' });
  if (made.result !== 'ok') return t.fail(made.result);
  const browser = new Browser(cluster.consoleUrl);
  await browser.logIn('fresh', made.password!);
  t.equal((await browser.ask('GET', '/api/overview')).body.code, 'CHANGE_PASSWORD');
  const change = (newPassword: string, oldPassword = made.password!) =>
    browser.ask('PUT', '/api/account/password', { oldPassword, newPassword });
  t.match((await change('short')).body, { code: 'BAD_REQUEST', field: 'newPassword' });
  t.equal((await change(made.password!)).body.code, 'BAD_REQUEST', 'the same again is no change');
  t.equal((await change(ADMIN_PASSWORD, 'wrong')).body.code, 'WRONG_PASSWORD');
  t.equal((await change(ADMIN_PASSWORD)).status, 204);
  t.equal((await browser.ask('GET', '/api/overview')).status, 200);
  await forgetFailures();
});

t.test('codes: asked for once they are confirmed, each opens once, and a reset takes them away', async (t) => {
  await addAdmin(storage, 'careful', 'operator');
  const browser = await Browser.loggedIn(cluster, 'careful');
  const codes = (body: object) => browser.ask<{ uri?: string }>('POST', '/api/account/codes', body);
  t.equal((await codes({ step: 'begin', password: 'wrong' })).body.code, 'WRONG_PASSWORD');
  const { uri } = (await codes({ step: 'begin', password: ADMIN_PASSWORD })).body;
  const totp = OTPAuth.URI.parse(uri!) as OTPAuth.TOTP;
  const again = new Browser(cluster.consoleUrl);
  t.equal((await again.logIn('careful', ADMIN_PASSWORD)).status, 200, 'not confirmed yet');
  t.equal((await codes({ step: 'confirm', code: '000000' })).body.code, 'WRONG_CODE');
  const now = Date.now();
  t.equal((await codes({ step: 'confirm', code: totp.generate({ timestamp: now - 30_000 }) })).status, 200);

  t.equal((await again.logIn('careful', ADMIN_PASSWORD)).body.code, 'CODE_NEEDED');
  t.equal((await again.logIn('careful', 'wrong', totp.generate())).body.code, 'WRONG_PASSWORD');
  t.equal((await again.logIn('careful', ADMIN_PASSWORD, '123456')).body.code, 'WRONG_PASSWORD');
  const code = totp.generate({ timestamp: now + 30_000 });
  const both = await Promise.all(
    [1, 2].map(() => new Browser(cluster.consoleUrl).logIn('careful', ADMIN_PASSWORD, code)),
  );
  t.same(both.map((each) => each.status).sort(), [200, 403], 'one code, one way in');

  const owner = await Browser.loggedIn(cluster, 'owner');
  const { id, version } = (await owner.ask<AdminInfo[]>('GET', '/api/admins')).body.find(
    (each) => each.name === 'careful',
  )!;
  const reset = await owner.ask<{ password: string }>('PATCH', `/api/admins/${id}`, { version, reset: true });
  t.equal((await again.logIn('careful', reset.body.password)).status, 200);
  t.match(await again.me(), { totp: false, mustChange: true });
  await forgetFailures();
});

t.test('accounts: versions, names, the last owner, and nobody above himself', async (t) => {
  const owner = await Browser.loggedIn(cluster, 'owner');
  const admin = await Browser.loggedIn(cluster, 'admin');
  const list = async () => (await owner.ask<AdminInfo[]>('GET', '/api/admins')).body;
  const of = async (name: string) => (await list()).find((each) => each.name === name)!;
  const patch = async (by: Browser, name: string, fields: object) => {
    const { id, version } = await of(name);
    return by.ask<{ admin: AdminInfo; current: AdminInfo }>('PATCH', `/api/admins/${id}`, { version, ...fields });
  };
  t.equal((await owner.ask('POST', '/api/admins', { name: 'ADMIN', role: 'auditor' })).body.code, 'NAME_TAKEN');
  t.equal((await admin.ask('POST', '/api/admins', { name: 'another', role: 'owner' })).body.code, 'NOT_ALLOWED');
  t.equal((await patch(admin, 'operator', { role: 'owner' })).body.code, 'NOT_ALLOWED');
  t.equal((await patch(admin, 'owner', { disabled: true })).body.code, 'NOT_ALLOWED');
  t.equal((await patch(admin, 'owner', { reset: true })).body.code, 'NOT_ALLOWED');
  t.equal((await patch(admin, 'admin', { role: 'auditor' })).body.code, 'NOT_ALLOWED', 'not the own role');
  t.equal((await patch(owner, 'owner', { disabled: true })).body.code, 'NOT_ALLOWED', 'not oneself');
  const stale = await of('operator');
  t.equal((await patch(owner, 'operator', { name: 'operator 2' })).status, 200);
  const late = await admin.ask('PATCH', `/api/admins/${stale.id}`, { version: stale.version, name: 'mine' });
  t.match(late, {
    status: 409,
    body: { code: 'CONFLICT', current: { name: 'operator 2', version: stale.version + 1 } },
  });
  t.equal((await patch(owner, 'operator 2', { name: 'operator' })).status, 200);
  t.equal((await owner.ask('PATCH', '/api/admins/999999', { version: 1 })).status, 404);
});

t.test('hostile requests are answered as such', async (t) => {
  const owner = await Browser.loggedIn(cluster, 'owner');
  const post = (body: unknown) => owner.ask('POST', '/api/admins', body);
  t.match(await post('{'), { status: 400, body: { code: 'BAD_REQUEST' } });
  t.match(await post({ name: 'x', role: 'king' }), { status: 400, body: { field: 'role' } });
  t.match(await post({ name: 'x', role: 'auditor', id: 1 }), { status: 400, body: { code: 'BAD_REQUEST' } });
  t.match(await post({ name: 'x'.repeat(65), role: 'auditor' }), { status: 400, body: { field: 'name' } });
  t.match(await post({ name: 'a\0b', role: 'auditor' }), { status: 400, body: { code: 'BAD_REQUEST' } });
  t.match(await post({ name: 'x'.repeat(400_000), role: 'auditor' }), { status: 413, body: { code: 'TOO_LARGE' } });
  t.match(await owner.ask('GET', '/api/..%2f..%2fetc%2fpasswd'), { status: 404 });
  t.match(await owner.ask('PATCH', '/api/admins/1e3', {}), { status: 404 });
  t.match(await owner.ask('GET', '/api/nothing'), { status: 404, body: { code: 'NOT_FOUND' } });
  owner.cookie = 'teamtalk-console=<script>';
  t.equal((await owner.ask('GET', '/api/session')).body.code, 'NO_SESSION');
});

t.test('npm run admins: the way back in', async (t) => {
  const tool = (...args: string[]) => runTool('admins', [...args, '--database', cluster.databaseUrl]);
  const reset = await tool('reset', 'Auditor');
  t.equal(reset.code, 0, reset.stderr);
  const browser = new Browser(cluster.consoleUrl);
  t.equal((await browser.logIn('auditor', ADMIN_PASSWORD)).body.code, 'WRONG_PASSWORD');
  t.equal((await browser.logIn('auditor', reset.stdout.trim())).status, 200);
  t.match(await browser.me(), { mustChange: true, role: 'auditor' });
  const made = await tool('create', 'another owner', 'owner');
  t.equal((await browser.logIn('another owner', made.stdout.trim())).status, 200);
  t.equal((await tool('create', 'OWNER', 'owner')).code, 1, 'the name is taken');
  t.equal((await tool('reset', 'nobody')).code, 1);
});
