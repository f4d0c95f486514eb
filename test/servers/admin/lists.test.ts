/** People out of and into files, as people save them; and what clients read of the settings. */
import t from 'tap';
import type { DiscoveryItem, ImportReport, Versioned } from '../../../servers/admin/api.js';
import { csvLine, readCsv } from '../../../servers/admin/csv.js';
import { TestCluster } from '../../support/cluster.js';
import { addAdmin, Browser } from '../../support/console.js';
import { testPostgres } from '../../support/postgres.js';

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, { console: {} });
const { storage } = cluster;
await addAdmin(storage, 'owner', 'owner');
const browser = await Browser.loggedIn(cluster, 'owner');

async function bringIn(bytes: Buffer | string, { dryRun = false, update = false } = {}) {
  const response = await fetch(`${browser.url}/api/users/import?dryRun=${+dryRun}&update=${+update}`, {
    method: 'POST',
    headers: { cookie: browser.cookie, 'x-csrf-token': browser.csrf, 'content-type': 'text/csv' },
    body: new Uint8Array(Buffer.from(bytes)),
  });
  return {
    status: response.status,
    body: (await response.json()) as ImportReport & { code?: string; detail?: string },
  };
}

async function exported(): Promise<string> {
  return (await browser.ask<string>('GET', '/api/users/export')).body;
}

t.test('UTF-8, UTF-16 and GB 18030, with commas, semicolons and tabs', async (t) => {
  const text = (i: number, comma: string) => `name${comma}nick\r\nenc${i}${comma}张三 é\r\n`;
  // 张三 in GB 18030; é takes four bytes there
  const gb = Buffer.concat([Buffer.from('name,nick\nenc4,'), Buffer.from([0xd5, 0xc5, 0xc8, 0xfd]), Buffer.from('\n')]);
  for (const [i, bytes, encoding] of [
    [0, Buffer.from(text(0, ',')), 'utf-8'],
    [1, Buffer.from(`\ufeff${text(1, ';')}`), 'utf-8'],
    [2, Buffer.from(`\ufeff${text(2, '\t')}`, 'utf16le'), 'utf-16le'],
    [3, Buffer.from(`\ufeff${text(3, ',')}`, 'utf16le').swap16(), 'utf-16be'],
    [4, gb, 'gb18030'],
  ] as const) {
    const { body } = await bringIn(bytes);
    t.match(body, { encoding, created: 1, refused: 0 }, `${i}: ${encoding}`);
  }
  const list = await exported();
  t.equal(list.match(/张三 é/g)?.length, 4);
  t.match(list, /enc4,张三,/);
  t.match(await bringIn(Buffer.from([0x6e, 0xff, 0x00, 0x80])), { status: 400, body: { code: 'BAD_REQUEST' } });
});

t.test('rows that cannot be are refused one by one, doubled names among them', async (t) => {
  const csv =
    'name,status,sex,department\nd1,0,male,\nd1,0,,\nd2,9,,\nd3,,other,\nd4,,,No/Where\nd5,,,\n,,,\nalice,,,\n"q""uote",,,';
  const trial = await bringIn(csv, { dryRun: true });
  t.match(trial.body, { rows: 9, created: 3, refused: 6 });
  const before = await storage.users.count();
  const { body } = await bringIn(csv);
  t.same(
    body.refusals.map(({ row, code }) => [row, code]),
    [
      [2, 'NAME_TAKEN'],
      [3, 'BAD_REQUEST'],
      [4, 'BAD_REQUEST'],
      [5, 'BAD_REQUEST'],
      [7, 'BAD_REQUEST'],
      [8, 'NAME_TAKEN'],
    ],
  );
  t.equal(await storage.users.count(), before + 3);
  const again = await bringIn('name,nick\nalice,Alice the changed\n', { update: true });
  t.match(again.body, { created: 0, updated: 1, refused: 0 });
});

t.test('a file that is no list says so', async (t) => {
  for (const [csv, detail] of [
    ['nick\nx\n', /name/],
    ['name,shoe size\nx,43\n', /column "shoe size"/],
    ['name,name\nx,y\n', /twice/],
    ['name,nick\n"open,x\n', /quote/i],
    ['', /name/],
  ] as const) {
    const { status, body } = await bringIn(csv);
    t.equal(status, 400, csv);
    t.match(body.detail, detail);
  }
  t.equal((await bringIn(Buffer.alloc(25 * 1024 * 1024, 0x61))).status, 413);
});

t.test('50,000 rows', async (t) => {
  const rows = Array.from({ length: 50_000 }, (_, i) => `many${i},Person ${i},many${i}@example.com`);
  const csv = `name,nick,email\n${rows.join('\n')}\n`;
  const { body } = await bringIn(csv);
  t.match(body, { rows: 50_000, created: 50_000, refused: 0 });
  const page = await browser.ask<{ total: number; next: string }>('GET', '/api/users?search=many4999&limit=50');
  t.equal(page.body.total, 11, 'many4999 and many49990 to many49999');
  t.equal((await exported()).split('\r\n').length, 50_000 + 1 + (await storage.users.count()) - 50_000 + 1);
  t.match(
    (await bringIn(csv, { update: true })).body,
    { unchanged: 50_000, updated: 0 },
    'the same again changes nothing',
  );
});

t.test('a cell that a spreadsheet would run is only text', async (t) => {
  t.equal(csvLine(['=1+1', '-2', '@x', 'a,b', 'say "hi"', 3]), `'=1+1,'-2,'@x,"a,b","say ""hi""",3\r\n`);
  t.same(readCsv(Buffer.from('name\n  spaces  \n'), ['name']).rows, [{ name: 'spaces' }]);
});

t.test(
  'discovery: what is set is what clients get, addresses of scripts are not taken, two versions conflict',
  async (t) => {
    const put = (version: number, value: unknown) =>
      browser.ask<{ current: Versioned }>('PUT', '/api/settings', { name: 'client.discovery', version, value });
    const item = (name: string, url = 'https://example.com/', priority = 1): DiscoveryItem => ({ name, url, priority });
    const seen = async () => (await fetch(`${browser.url}/api/discovery`)).json();
    t.same(await seen(), []);
    t.equal((await put(0, [item('News'), item('Menu', 'http://example.com/menu', 9)])).status, 200);
    t.same(await seen(), [
      { itemName: 'Menu', itemUrl: 'http://example.com/menu', itemPriority: '9' },
      { itemName: 'News', itemUrl: 'https://example.com/', itemPriority: '1' },
    ]);
    const late = await put(0, []);
    t.match(late, { status: 409, body: { code: 'CONFLICT', current: { version: 1 } } });
    for (const url of ['javascript:alert(1)', 'data:text/html,x', 'nothing'])
      t.equal((await put(1, [item('x', url)])).status, 400, url);
    t.equal((await put(1, 'no list')).status, 400);
  },
);
