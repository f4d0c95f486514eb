/** The console's pages in a real browser, against a real cluster. */

import { readFile } from 'node:fs/promises';
import pg from 'pg';
import type { Page } from 'playwright-core';
import t from 'tap';
import { TestCluster, until } from '../../support/cluster.js';
import { ADMIN_PASSWORD, addAdmin } from '../../support/console.js';
import { openPages } from '../../support/pages.js';
import { testPostgres } from '../../support/postgres.js';

const FIRST_LOAD_BYTES_MAX = 300 * 1024;
const KICKED_MS_MAX = 5_000;
const HOSTILE = [
  '<script>window.hacked = 1</script>',
  '\u202eright to left',
  `${'x'.repeat(120)}👩‍👩‍👧‍👦`,
  '"><img src=x onerror=hacked=1>',
];
const PATHS =
  '/ /users /departments /groups /announcements /clients /integrations /pushes /storage /files /limits /trace /audit /exports /admins /account'.split(
    ' ',
  );

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, {
  console: {},
  groups: [{ name: '<b>bold</b> group', memberIds: [1, 2] }],
});
const { storage } = cluster;
await addAdmin(storage, 'owner', 'owner');
await addAdmin(storage, 'second', 'admin');
await addAdmin(storage, 'officer', 'compliance');
const [company] = await storage.departments.add([{ name: 'Company', priority: 1 }]);
await storage.departments.add([
  { name: 'Sales', priority: 1, parentId: company! },
  { name: 'Support', priority: 2, parentId: company! },
]);
await storage.users.add(
  HOSTILE.map((nick, i) => ({ name: `hostile ${i}`, nick, signInfo: nick.slice(0, 60), passwordHash: '' })),
);
const { open, enter, logIn, findings } = await openPages(t, cluster);

/** Opens somebody's page through the search. */
async function openPerson(page: Page, search: string): Promise<void> {
  await page.fill('main input[type=search]', search);
  await until(async () => (await page.locator('tbody tr').count()) === 1, `one person called ${search}`);
  await page.click('tbody .link-button');
  await page.waitForSelector('dialog form');
}

const nickOf = async (name: string) =>
  (await storage.people.page({ name, statuses: [], byName: false, limit: 1, count: false, userIds: [] })).people[0]!
    .nick;

t.test('every page can be used by everybody, in both languages and themes, and fits on a phone', async (t) => {
  for (const look of [
    { language: 'en', theme: 'light' },
    { language: 'zh', theme: 'dark' },
  ]) {
    const page = await open(t, look);
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(cluster.consoleUrl);
    await page.waitForSelector('form');
    t.same(await findings(page), [], `log-in, ${look.theme}`);
    await logIn(page, 'owner');
    await page.waitForSelector('main.page h1');
    for (const path of PATHS) {
      await page.setViewportSize({ width: 1280, height: 860 });
      await page.goto(cluster.consoleUrl + path);
      await page.waitForSelector('main.page h1');
      await page.waitForSelector('main .busy', { state: 'detached' });
      t.same(await findings(page), [], `${path}, ${look.language}, ${look.theme}`);
      const tooWide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      await until(async () => (await page.evaluate(tooWide)) === 0, `${path} to fit into 1280`);
      await page.setViewportSize({ width: 390, height: 844 });
      await until(async () => (await page.evaluate(tooWide)) === 0, `${path} to fit on a phone`); // charts follow a moment later
    }
    t.same(faults, []);
  }
});

t.test('the first load is small', async (t) => {
  const page = await open(t);
  const client = await page.context().newCDPSession(page);
  await client.send('Network.enable');
  let bytes = 0;
  client.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await enter(page);
  t.ok(bytes > 10_000 && bytes < FIRST_LOAD_BYTES_MAX, `${bytes} bytes`);
});

t.test('what people call themselves is shown and never run', async (t) => {
  const page = await open(t);
  await enter(page, 'owner', '/users');
  for (const nick of HOSTILE) await page.getByText(nick, { exact: true }).first().waitFor();
  await openPerson(page, 'hostile 0');
  t.equal(await page.inputValue('dialog input >> nth=1'), HOSTILE[0]);
  await page.goto(`${cluster.consoleUrl}/groups`);
  await page.getByText('<b>bold</b> group').waitFor();
  t.equal(await page.evaluate(() => (globalThis as { hacked?: number }).hacked), undefined);
});

t.test('who is disabled in the console is out within seconds, and a client sees a new name', async (t) => {
  const dave = await cluster.login('dave');
  const gone = new Promise<number>((resolve) => dave.once('closed', () => resolve(performance.now())));
  const page = await open(t);
  await enter(page, 'owner', '/users');
  await openPerson(page, 'dave');
  await page.getByText('Windows').waitFor();
  await page.click('dialog .button.danger');
  const startedMs = performance.now();
  await page.locator('dialog').last().locator('.button.danger.main').click();
  t.ok((await gone) - startedMs < KICKED_MS_MAX, 'kicked');
  await page.locator('.mark.bad', { hasText: 'left' }).waitFor();
  await t.rejects(cluster.login('dave'), 'and not let in again');
});

t.test('two people change the same person: the later one sees both and decides', async (t) => {
  const [first, second] = [await open(t), await open(t)];
  await enter(first, 'owner', '/users');
  await enter(second, 'second', '/users');
  for (const page of [first, second]) await openPerson(page, 'carol');
  const nick = (page: Page) => page.locator('dialog input').nth(1);
  await nick(first).fill('Carol the first');
  await nick(second).fill('Carol the second');
  await first.click('dialog form button[type=submit]');
  await first.waitForSelector('dialog', { state: 'detached' });
  await second.click('dialog form button[type=submit]');
  const conflict = second.locator('dialog').last();
  await conflict.getByText('Carol the first').waitFor();
  await conflict.getByText('Carol the second').waitFor();
  t.equal(await nickOf('carol'), 'Carol the first', 'nothing is overwritten unasked');
  await conflict.locator('.button.main').click();
  await until(async () => (await nickOf('carol')) === 'Carol the second', 'the second to have decided');
});

t.test('a session that ends in the middle of a form takes nothing with it', async (t) => {
  const page = await open(t);
  await enter(page, 'owner', '/users');
  await openPerson(page, 'bob');
  await page.locator('dialog input').nth(1).fill('Bob after a while');
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  await client.query('delete from meta.admin_session');
  await client.end();
  await page.click('dialog form button[type=submit]');
  const login = page.locator('dialog').last();
  await login.locator('input[autocomplete=current-password]').fill(ADMIN_PASSWORD);
  t.equal(await page.locator('dialog input').nth(1).inputValue(), 'Bob after a while');
  await login.locator('button[type=submit]').click();
  await until(async () => (await nickOf('bob')) === 'Bob after a while', 'the form to be saved after the log-in');
});

t.test('departments are moved by keyboard and by mouse', async (t) => {
  const page = await open(t);
  await enter(page, 'owner', '/departments');
  const parentOf = async (name: string) => {
    const all = await storage.departmentTree.all();
    const { parentId } = all.find((each) => each.name === name)!;
    return all.find((each) => each.departmentId === parentId)?.name ?? '';
  };
  const row = (name: string) => page.getByRole('treeitem', { name: new RegExp(`^${name}`) });
  await row('Support').focus();
  await page.keyboard.press('Alt+ArrowRight');
  await until(async () => (await parentOf('Support')) === 'Sales', 'Support to be in Sales');
  await page.waitForSelector('[aria-busy=false] [role=tree]');
  await row('Support').focus();
  await page.keyboard.press('Alt+ArrowLeft');
  await until(async () => (await parentOf('Support')) === 'Company', 'Support to be in Company again');
  await page.waitForSelector('[aria-busy=false] [role=tree]');
  await row('Sales').locator('.row').first().dragTo(row('Support').locator('.row').first());
  await until(async () => (await parentOf('Sales')) === 'Support', 'Sales to be in Support');
});

t.test('a list is looked at first and then brought in', async (t) => {
  const page = await open(t);
  await enter(page, 'owner', '/users');
  await page.getByRole('button', { name: 'Bring in a list' }).click();
  const csv =
    'name,nick,department\nlisted1,张三,Company/Support\nlisted1,twice,\nlisted2,Li,Nowhere\n,nobody,\nlisted3,Wang,\n';
  const buffer = Buffer.from(csv);
  await page.setInputFiles('input[type=file]', { name: 'people.csv', mimeType: 'text/csv', buffer });
  await page.getByRole('button', { name: 'Check' }).click();
  await page.getByText('3 refused').waitFor();
  t.equal(
    (await storage.people.page({ search: 'listed', statuses: [], byName: false, limit: 9, count: false, userIds: [] }))
      .people.length,
    0,
    'a trial changes nothing',
  );
  await page.getByRole('button', { name: 'Bring in 2' }).click();
  await page.getByText('Brought in: 2').waitFor();
  t.equal(await nickOf('listed1'), '张三');
});

t.test('an owner looks at keys, traces and the audit trail, and everything is in order', async (t) => {
  const alice = await cluster.login('alice');
  const { msgId } = await alice.say(2, 'nobody else is to read this');
  const page = await open(t);
  await enter(page, 'owner', '/trace');
  for (const name of ['alice', 'Bob']) {
    await page.fill('main input[type=search]', name);
    await page.locator('.members .link-button').first().click();
  }
  await page.locator('main input[maxlength="36"]').fill(String(msgId));
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByText('Stored and acknowledged').waitFor();
  await page.getByText('in the batch').waitFor();
  await page.getByText('Servers and clocks').click();
  t.same(await findings(page), []);
  t.notMatch(await page.content(), 'nobody else is to read this');
  const sendId = await page.locator('.facts code').innerText();
  await page.selectOption('main select', 'sendId');
  await page.locator('main input[maxlength="36"]').fill(sendId);
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByText('in the batch').waitFor();
  await page.goto(`${cluster.consoleUrl}/storage`);
  await page.getByRole('button', { name: 'Begin a new epoch' }).click();
  await page.locator('dialog .button.danger.main').click();
  await page.getByRole('cell', { name: '2', exact: true }).first().waitFor();
  await page.goto(`${cluster.consoleUrl}/audit`);
  await page.getByText('keys.begin-epoch').waitFor();
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText(/^Whole: /).waitFor();
});

t.test('an export is asked for, agreed to and saved, and shown on no page; an announcement is counted', async (t) => {
  const alice = await cluster.login('alice');
  await alice.say(2, 'what a court wants to know');
  const [officer, owner] = [await open(t), await open(t, { language: 'zh', theme: 'dark' })];
  await enter(officer, 'officer', '/exports');
  await officer.fill('main input[type=search]', 'alice');
  await officer.locator('.members .link-button').first().click();
  await officer.getByLabel('Case number').fill('7 O 12/26');
  await officer.getByLabel('Reason').fill('a court order');
  await officer.getByRole('button', { name: 'Ask for it' }).click();
  await officer.getByText('waits for an owner').waitFor();
  t.same(await findings(officer), []);
  await enter(owner, 'owner');
  await owner.locator('.notice a[href="/exports"]').click();
  await owner.getByRole('button', { name: '同意' }).click();
  await owner.locator('dialog').last().locator('.button.main').click();
  await owner.getByText('已同意').waitFor();
  t.same(await findings(owner), []);
  await officer.reload();
  const saving = officer.waitForEvent('download');
  await officer.getByRole('link', { name: 'Save the file' }).click();
  const saved = await readFile(await (await saving).path(), 'utf8');
  t.match(saved, 'what a court wants to know');
  await officer.getByText('taken out').waitFor();
  await officer.getByText('SHA-256').waitFor();
  for (const page of [officer, owner]) t.notMatch(await page.content(), 'what a court wants to know');

  await owner.goto(`${cluster.consoleUrl}/announcements`);
  await owner.fill('main input[type=search]', 'alice');
  await owner.locator('.members .link-button').first().click();
  await owner.fill('main textarea', 'fire drill at noon');
  await owner.locator('main form button[type=submit]').click();
  await owner.locator('dialog').last().locator('.button.main').click();
  await owner.getByText(/^已发送：\d+$/).waitFor();
  t.same(await findings(owner), []);
});
