/** The console's pages about the system itself, in a real browser: what is changed there holds in the servers. */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Page } from 'playwright-core';
import t from 'tap';
import { upload } from '../../../common/client/store.js';
import { login } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { AuditPage, FilesInfo, LimitInfo, WebhookInfo } from '../../../servers/admin/api.js';
import { addShard } from '../../../servers/db-proxy/storage/shard-admin.js';
import { freshDatabase, TestCluster, until } from '../../support/cluster.js';
import { addAdmin, Browser } from '../../support/console.js';
import { caller } from '../../support/http.js';
import { openPages } from '../../support/pages.js';
import { testPostgres } from '../../support/postgres.js';

const LATENCY_MS = 700;

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, {
  console: {},
  file: { graceMs: 0 },
  httpMsg: { webhookAttemptsMax: 1 },
  push: {},
});
await addAdmin(cluster.storage, 'owner', 'owner');
await addAdmin(cluster.storage, 'operator', 'operator');
await addShard(cluster.databaseUrl, 'shard-2', await freshDatabase(postgres));
const { open, enter, findings } = await openPages(t, cluster);
const owner = await Browser.loggedIn(cluster, 'owner');
const alice = await cluster.login('alice', { capabilities: ['file1', 'err1'] });

const limit = async (name: string) =>
  (await owner.ask<LimitInfo[]>('GET', '/api/limits')).body.find((each) => each.name === name)!;
const dialog = (page: Page) => page.locator('dialog').last();
const row = (page: Page, words: string | RegExp) => page.locator('tbody tr', { hasText: words });

/** Through the page, as somebody does it. */
async function setLimit(page: Page, words: string, size: string): Promise<void> {
  await row(page, words).getByRole('button', { name: 'Edit' }).click();
  await dialog(page).locator('input').first().fill(size);
  await dialog(page).locator('button[type=submit]').click();
  await page.waitForSelector('dialog', { state: 'detached' });
}

t.test(
  'a limit that is set holds in the servers within seconds, is counted, and goes back to its default',
  async (t) => {
    const page = await open(t);
    await enter(page, 'owner', '/limits');
    await row(page, 'Messages of a session').getByRole('button', { name: 'Edit' }).click();
    t.same(await findings(page), [], 'the dialog');
    await dialog(page).locator('input').first().fill('0');
    t.ok(await dialog(page).locator('button[type=submit]').isDisabled(), 'none at all is no limit');
    await page.keyboard.press('Escape');
    await setLimit(page, 'Messages of a session', '2');
    await until(async () => (await limit('sends.user')).inForce.sizes[0] === 2, 'the msg server to take it up');
    const before = await limit('sends.user');
    await Promise.all([1, 2, 3, 4].map((n) => alice.say(2, `message ${n}`)));
    await until(async () => (await limit('sends.user')).hits! >= before.hits! + 2, 'those that waited to be counted');
    await row(page, 'Messages of a session').getByText('set here').waitFor();
    await row(page, 'Messages of a session').getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('button', { name: 'Back to the default' }).click();
    await until(async () => (await limit('sends.user')).inForce.sizes[0] === 500, 'the default to hold again');
    const trail = (await owner.ask<AuditPage>('GET', '/api/audit?subject=setting:limit.sends.user')).body.rows;
    t.match(trail, [{ before: { value: { size: 2 } } }, { after: { value: { size: 2 } } }], 'both are in the trail');

    const put = (value: unknown, name = 'limit.api.calls') =>
      owner.ask('PUT', '/api/settings', { name, version: 0, value });
    for (const value of [{}, { size: 0 }, { size: 1.5 }, { size: 5, refillMs: 1 }, { size: 5, more: 1 }, 5, null])
      t.match(await put(value), { status: 400, body: { code: 'BAD_REQUEST' } }, JSON.stringify(value));
    t.equal((await put({ size: 5, refillMs: 1_000 }, 'limit.login.name')).status, 400, 'its window is fixed');
    t.equal((await put({ size: 5 }, 'limit.nothing')).status, 400);
  },
);

t.test('calls of other systems and log-ins keep to what is set', async (t) => {
  const put = (name: string, value: object) => owner.ask('PUT', '/api/settings', { name, version: 0, value });
  await put('limit.api.calls', { size: 2, refillMs: 3_600_000 });
  await put('limit.login.name', { size: 1 });
  const holds = async (name: string, size: number) => (await limit(name)).inForce.sizes[0] === size;
  await until(() => holds('api.calls', 2), 'http-msg to take it up');
  await until(() => holds('login.name', 1), 'the db-proxy to take it up');
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await ask('GET', '/api/v1/presence?users=1')).status);
  t.same(statuses, [200, 200, 429]);
  for (let i = 0; i < 2; i++) await t.rejects(cluster.login('dave', { password: 'wrong' }));
  await t.rejects(cluster.login('dave'), 'the second failure has locked the name');
  await until(async () => (await limit('login.name')).hits! >= 1, 'it to be counted');
  for (const name of ['limit.api.calls', 'limit.login.name'])
    await owner.ask('POST', '/api/settings/reset', { name, version: 1 });
  await until(() => holds('api.calls', 1_200), 'the default to hold again');
  await until(async () => (await ask('GET', '/api/v1/presence?users=1')).status === 200, 'calls to be answered again');
});

t.test('a quota that is set is kept at once; who has most is shown; what is due is cleared away', async (t) => {
  const page = await open(t);
  await enter(page, 'owner', '/files');
  const send = (size: number, words: string) =>
    upload(alice, { stream: Readable.from([Buffer.alloc(size, words)]), size }, { fileName: `${words}.txt` });
  const { path } = await send(300_000, 'first');
  const files = async () => (await owner.ask<FilesInfo>('GET', '/api/files')).body;
  await until(async () => (await files()).owners.length === 1, 'the db-proxy to have looked again');
  await page.reload();
  await row(page, 'alice').getByText('293 KiB').waitFor();
  // However long the list takes to come anew: what is edited next is not taken for somebody else's change.
  await page.route('**/api/limits', async (route) => {
    await delay(LATENCY_MS);
    await route.continue();
  });
  await setLimit(page, 'All files of one user', '400');
  t.equal((await limit('quota.user')).set?.size, 400 * 1024 ** 3, 'in the unit that was shown');
  await row(page, 'All files of one user').getByRole('button', { name: 'Edit' }).click();
  t.same(await findings(page), [], 'the dialog');
  await dialog(page).locator('select').selectOption('KiB');
  await dialog(page).locator('input').first().fill('400');
  await dialog(page).locator('button[type=submit]').click();
  await until(async () => (await limit('quota.user')).inForce.sizes[0] === 400 * 1024, 'the file server to take it up');
  // A request that waits in there is let through first: its handler would fail without anybody to tell.
  await page.unrouteAll({ behavior: 'wait' });
  await t.rejects(send(200_000, 'second'), 'no more room');
  await until(async () => (await limit('quota.user')).hits! >= 1, 'it to be counted');

  t.equal((await files()).unreferencedBlobs, 0, 'it has its name');
  await cluster.storage.blobs.dropFile('store', path);
  const ran = async (dryRun: boolean) =>
    (await files()).servers.every(({ removal }) => removal?.endedMs !== undefined && removal.dryRun === dryRun);
  await until(async () => (await files()).unreferencedBlobs === 1, 'its content to be without a name');
  await page.getByRole('button', { name: 'Dry run' }).click();
  await until(() => ran(true), 'the dry run');
  await page.getByText(/changed nothing/).waitFor();
  t.equal((await files()).blobs, 1, 'nothing was removed');
  await page.getByRole('button', { name: 'Clear away now' }).click();
  t.same(await findings(page), [], 'the question');
  await page.locator('dialog .button.danger.main').click();
  await until(async () => (await ran(false)) && (await files()).blobs === 0, 'it to be removed');
  await page.getByText(/1 removed/).waitFor();
  t.match((await files()).servers, [{ driver: 'folder', scanner: 'none', freeBytes: Number }]);
});

t.test('what a push shows is set while servers run, and a test push says how the vendor answered', async (t) => {
  const phone = await cluster.login('carol', { clientType: IM.BaseDefine.ClientType.CLIENT_TYPE_IOS });
  await phone.ask(login.deviceToken, { userId: 0, deviceToken: 'token of a phone of carol' });
  const page = await open(t);
  await enter(page, 'owner', '/pushes');
  await page.getByLabel('What a push shows').selectOption('none');
  const manners = async () => (await owner.ask<{ text: string }[]>('GET', '/api/pushes')).body.map(({ text }) => text);
  await until(async () => (await manners())[0] === 'none', 'the push server to take it up');
  await page.getByLabel('What a push shows').selectOption('');
  await until(async () => (await manners())[0] === 'full', 'what it is set up with to hold again');
  const settings = async () => (await owner.ask<{ name: string; value: unknown }[]>('GET', '/api/settings')).body;
  await page.getByLabel('Quiet hours from').selectOption('20');
  await page.getByLabel('Time zone of those').fill('Nowhere/Atall');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('no such time zone').waitFor();
  await page.getByLabel('Time zone of those').fill('Asia/Shanghai');
  await page.getByRole('button', { name: 'Save' }).click();
  const night = { name: 'push.quietHours', value: { from: 20, to: 7, timeZone: 'Asia/Shanghai' } };
  await until(async () => JSON.stringify(await settings()).includes('Asia/Shanghai'), 'the quiet hours to be kept');
  t.match(
    (await settings()).find(({ name }) => name === night.name),
    night,
  );
  await page.fill('main input[type=search]', 'carol');
  await page.locator('.members .link-button').first().click();
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  const answer = row(page, 'token of a p…');
  await answer.getByText('taken').waitFor();
  await row(page, 'Only into the log').getByRole('cell', { name: '1', exact: true }).first().waitFor();
  t.notMatch(await page.content(), 'token of a phone', 'a whole token is shown nowhere');
  t.same(await findings(page), []);
  t.match((await owner.ask<AuditPage>('GET', '/api/audit?subject=user:3')).body.rows, [
    { action: 'push.test', after: { phones: ['log sent'] } },
  ]);
  t.match((await owner.ask('POST', '/api/pushes/test', { userId: 4, body: 'x' })).body, [], 'dave has no phone');
  const operator = await Browser.loggedIn(cluster, 'operator');
  t.equal((await operator.ask('POST', '/api/pushes/test', { userId: 3, body: 'x' })).status, 403);
});

t.test('keys and webhooks are made, shown once, and taken away again', async (t) => {
  const page = await open(t);
  await enter(page, 'owner', '/integrations');
  await page.getByRole('button', { name: 'New key' }).click();
  t.same(await findings(page), [], 'the dialog of a key');
  await dialog(page).locator('input').first().fill('payroll');
  await dialog(page).getByLabel('presence:read').check();
  await dialog(page).locator('button[type=submit]').click();
  const token = await page.locator('dialog code').innerText();
  const ask = caller(cluster.httpMsg[0]!.url, token);
  t.equal((await ask('GET', '/api/v1/presence?users=1')).status, 200);
  await dialog(page).locator('.button.main').click();
  t.notMatch(await page.content(), token);
  await row(page, 'payroll').getByRole('button', { name: 'Revoke' }).click();
  await page.locator('dialog .button.danger.main').click();
  await row(page, 'payroll').getByText('revoked').waitFor();
  await until(async () => (await ask('GET', '/api/v1/presence?users=1')).status === 401, 'the key to be refused');

  await page.getByRole('button', { name: 'New webhook' }).click();
  t.same(await findings(page), [], 'the dialog of a webhook');
  await dialog(page).getByLabel('Address').fill('http://127.0.0.1:9/not-allowed');
  await dialog(page).locator('button[type=submit]').click();
  const secret = await page.locator('dialog code').innerText();
  t.match(secret, /^whsec_/);
  await dialog(page).locator('.button.main').click();
  t.notMatch(await page.content(), secret, 'shown once');
  const hooks = async () => (await owner.ask<WebhookInfo[]>('GET', '/api/webhooks')).body;
  await alice.say(2, 'a letter');
  await alice.say(3, 'another one');
  await until(async () => (await hooks())[0]?.dead === 2, 'two dead letters');
  await page.reload();
  await row(page, 'not-allowed').getByRole('button', { name: '2', exact: true }).click();
  await dialog(page).getByText('people 1, 2').waitFor();
  t.same(await findings(page), [], 'dead letters');
  await row(page, 'people 1, 2').getByRole('button', { name: 'Drop' }).click();
  await row(page, 'people 1, 2').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Deliver all' }).click();
  await row(page, 'people 1, 3')
    .getByText(/not allowed/)
    .waitFor();
  await page.getByRole('button', { name: 'Drop all' }).click();
  await page.locator('dialog .button.danger.main').click();
  await page.getByText('Everything has been delivered.').waitFor();
  await page.keyboard.press('Escape');
  await row(page, 'not-allowed').getByRole('button', { name: 'Pause' }).click();
  await until(async () => (await hooks())[0]?.active === false, 'it to be paused');
  await row(page, 'not-allowed').getByRole('button', { name: 'Remove' }).click();
  await page.locator('dialog .button.danger.main').click();
  await until(async () => (await hooks()).length === 0, 'it to be gone');
});

t.test('buckets move to another shard, and both are on the overview', async (t) => {
  const page = await open(t);
  await enter(page, 'owner', '/storage');
  await page.getByRole('button', { name: 'Move buckets' }).click();
  t.same(await findings(page), [], 'the dialog');
  await dialog(page).locator('input').fill('3');
  await dialog(page).locator('button[type=submit]').click();
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  t.teardown(() => client.end());
  const moved = async () => (await client.query("select from meta.bucket where shard = 'shard-2'")).rowCount === 3;
  await until(moved, 'three buckets to be there', 30_000);
  await alice.say(2, 'and people go on chatting');
  const buckets = async (shard: string) => {
    await row(page, shard).first().waitFor({ timeout: 10_000 });
    return row(page, shard).first().locator('td').nth(1).innerText();
  };
  const shown = async () => {
    await page.goto(cluster.consoleUrl);
    return `${await buckets('shard-1')} ${await buckets('shard-2')}`;
  };
  await until(async () => (await shown()) === '253 3', 'the overview to say so', 60_000);
});

t.test('a list of 100,000 people comes up, is searched and turned', async (t) => {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  t.teardown(() => client.end());
  await client.query(
    `insert into meta.users (name, nick, password_hash, created, updated)
     select 'worker' || n, 'Worker ' || n, '', 1, 1 from generate_series(1, 100000) n`,
  );
  await client.query('analyze meta.users');
  const page = await open(t);
  await enter(page, 'owner', '/clients');
  const timed = async (what: string, work: () => Promise<unknown>) => {
    const startedMs = performance.now();
    await work();
    t.comment(`${what}: ${Math.round(performance.now() - startedMs)} ms`);
  };
  await timed('the first page', async () => {
    await page.locator('a[href="/users"]').click();
    await page.getByText(/^100,00\d in this list$/).waitFor();
  });
  await timed('the next page', async () => {
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('button', { name: 'Back' }).and(page.locator(':enabled')).waitFor();
  });
  await timed('one of them by name', async () => {
    await page.fill('main input[type=search]', 'worker99999');
    await until(async () => (await page.locator('tbody tr').count()) === 1, 'one person');
  });
  await timed('many of them by how they begin', async () => {
    await page.fill('main input[type=search]', 'Worker 9');
    await page.getByText(/^11,111 in this list$/).waitFor();
  });
});
