import t from 'tap';
import { TestCluster } from '../../support/cluster.js';
import { caller } from '../../support/http.js';
import { testPostgres } from '../../support/postgres.js';

/** People, departments and groups over HTTP, one by one, in lists, and by SCIM. */
const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, { httpMsg: {} });
const { url } = cluster.httpMsg[0]!;
const ask = caller(url, await cluster.apiKey());
const text = (text: string) => ({ type: 'text', text });
const names = (answer: { body: { users: { name: string }[] } }) => answer.body.users.map(({ name }) => name);

t.test('somebody comes, logs in, is changed, and leaves', async (t) => {
  const body = { name: 'erin', nick: 'Erin', password: 'secret of erin', email: 'erin@example.com' };
  const made = await ask('POST', '/api/v1/users', body, { 'idempotency-key': 'erin' });
  t.match(made, { status: 201, body: { id: Number, name: 'erin', status: 'active', sex: 'unknown' } });
  const again = await ask('POST', '/api/v1/users', body, { 'idempotency-key': 'erin' });
  t.equal(again.body.id, made.body.id, 'made once');
  t.match(await ask('POST', '/api/v1/users', body), { status: 409, body: { code: 'NAME_TAKEN' } });
  const erin = await cluster.login('erin', { password: 'secret of erin' });
  const path = `/api/v1/users/${made.body.id}`;
  const { headers, body: before } = await ask('GET', path);
  const changed = await ask('PATCH', path, { nick: 'Erin II', sex: 'female' }, { 'if-match': headers.get('etag')! });
  t.match(changed, { status: 200, body: { nick: 'Erin II', sex: 'female', email: 'erin@example.com' } });
  t.ok(changed.body.version > before.version);
  const late = await ask('PATCH', path, { nick: 'other' }, { 'if-match': headers.get('etag')! });
  t.match(late, { status: 409, body: { code: 'CONFLICT' } });
  t.equal((await ask('DELETE', path)).status, 204);
  t.match(await erin.closed, /./, 'her sessions end');
  t.equal((await ask('GET', path)).body.status, 'left');
  t.match(await ask('GET', '/api/v1/users/999999'), { status: 404, body: { code: 'NO_SUCH_USER' } });
  t.equal((await ask('PATCH', path, { nickname: 'x' })).status, 400, 'an unknown field');
  const reader = caller(url, await cluster.apiKey(['users:read']));
  t.equal((await reader('PATCH', path, { nick: 'x' })).status, 403);
  t.notMatch(made.text + changed.text, /password|secret/i);
});

t.test('lists are read page by page', async (t) => {
  const first = await ask('GET', '/api/v1/users?limit=2&status=active');
  const second = await ask('GET', `/api/v1/users?limit=2&status=active&cursor=${encodeURIComponent(first.body.next)}`);
  t.same([...names(first), ...names(second)], ['alice', 'bob', 'carol', 'dave']);
  t.equal(second.body.next, null);
  t.same(names(await ask('GET', '/api/v1/users?name=bob')), ['bob']);
  t.same(names(await ask('GET', '/api/v1/users?search=aro')), ['carol']);
});

t.test('departments and groups', async (t) => {
  const company = await ask('POST', '/api/v1/departments', { name: 'Company' });
  const sales = await ask('POST', '/api/v1/departments', { name: 'Sales', parent: company.body.id });
  t.match(sales, { status: 201, body: { parent: company.body.id, people: 0 } });
  await ask('PATCH', '/api/v1/users/2', { department: sales.body.id });
  t.match(await ask('DELETE', `/api/v1/departments/${sales.body.id}`), { status: 409, body: { code: 'NOT_EMPTY' } });
  t.same(names(await ask('GET', `/api/v1/users?department=${company.body.id}`)), ['bob'], 'with those below');

  const group = await ask('POST', '/api/v1/groups', { name: 'Team', members: [1, 2] });
  t.match(group, { status: 201, body: { kind: 'fixed', members: 2, creator: 0 } });
  const path = `/api/v1/groups/${group.body.id}`;
  const changed = await ask('POST', `${path}/members`, { add: [3], remove: [2] });
  t.same(changed.body, { added: [3], removed: [2] });
  t.match((await ask('GET', `${path}/members`)).body.members, [{ name: 'alice' }, { name: 'carol' }]);
  t.match(await ask('POST', `${path}/members`, { add: [777] }), { status: 404, body: { code: 'NO_SUCH_USER' } });
  t.match(await ask('PATCH', path, { name: 'Team 2' }), { body: { name: 'Team 2' } });
  t.equal((await ask('DELETE', path)).status, 204);
  t.equal((await ask('GET', `${path}/members`)).status, 404);
});

t.test('an announcement reaches each of many once', async (t) => {
  const [bob, carol] = await Promise.all([cluster.login('bob'), cluster.login('carol')]);
  const body = { from: 4, to: { everybody: true }, content: text('fire drill at noon') };
  t.equal((await ask('POST', '/api/v1/announcements', body)).status, 400, 'needs an Idempotency-Key');
  const headers = { 'idempotency-key': 'drill' };
  const sent = await ask('POST', '/api/v1/announcements', body, headers);
  t.match(sent, { status: 200, body: { receivers: 3, sent: 3, failed: [] } });
  t.match(await bob.heard(), { fromUserId: 4, text: 'fire drill at noon' });
  t.match(await carol.heard(), { fromUserId: 4, text: 'fire drill at noon' });
  t.match(await ask('POST', '/api/v1/announcements', body, headers), { body: { receivers: 3, sent: 3 } });
  const page = await ask('GET', '/api/v1/messages?as=2&user=4');
  t.equal(page.body.messages.length, 1, 'nobody has it twice');
});

t.test('many people at once, from JSON and CSV', async (t) => {
  const csv = [
    'name,nick,department,status,password',
    'p1,Person One,Company/Sales,,pass-1',
    'p2,"Two, Person",Nowhere,,',
    ',nobody,,,',
    'p3,三,,,',
    'p3,twice,,,',
  ].join('\n');
  const asCsv = { 'content-type': 'text/csv' };
  const dry = await ask('POST', '/api/v1/imports/users?dryRun=true', csv, asCsv);
  t.equal(dry.status, 200, dry.text);
  t.match(
    dry.body.rows.map((each: { outcome: string }) => each.outcome),
    ['created', 'refused', 'refused', 'created', /./],
  );
  t.same(names(await ask('GET', '/api/v1/users?name=p1')), [], 'nothing was made');
  const real = await ask('POST', '/api/v1/imports/users', csv, asCsv);
  t.match(real.body, {
    dryRun: false,
    created: 2,
    rows: [
      { row: 1, id: Number },
      { row: 2, code: 'NO_SUCH_DEPARTMENT' },
    ],
  });
  await cluster.login('p1', { password: 'pass-1' });
  const rows = [{ name: 'p1', nick: 'Person 1' }];
  t.match((await ask('POST', '/api/v1/imports/users?update=true', { rows })).body, { updated: 1 });
  t.match((await ask('POST', '/api/v1/imports/users', { rows: [{ name: 'x', shoe: 43 }] })).body.rows, [
    { detail: /shoe/ },
  ]);
  const latin = await fetch(`${url}/api/v1/imports/users`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await cluster.apiKey()}`, ...asCsv },
    body: Buffer.from('name\nm\xfcller\n', 'latin1'),
  });
  t.match(await latin.json(), { status: 400, detail: /not UTF-8/ });
  t.match(await ask('POST', '/api/v1/imports/users', 'name\n"open', asCsv), { status: 400, body: { detail: /CSV/ } });
  const tree = { rows: [{ path: 'Company/Sales' }, { path: 'Company/IT/Ops', priority: '3' }, { path: '/' }] };
  const planned = await ask('POST', '/api/v1/imports/departments?dryRun=true', tree);
  t.match(planned.body, { unchanged: 1, created: 1, refused: 1 });
  const made = await ask('POST', '/api/v1/imports/departments', tree);
  t.match(made.body, { unchanged: 1, created: 1, refused: 1, rows: [{}, { id: Number }, {}] });
  const { departments } = (await ask('GET', '/api/v1/departments')).body;
  t.ok(
    departments.some((each: { name: string }) => each.name === 'IT'),
    'what was missing above it as well',
  );
});

t.test('SCIM', async (t) => {
  const base = '/scim/v2';
  t.match((await ask('GET', `${base}/ServiceProviderConfig`)).body, { patch: { supported: true } });
  t.equal((await ask('GET', `${base}/Schemas`)).body.totalResults, 2);
  t.equal((await ask('GET', `${base}/ResourceTypes`)).body.totalResults, 2);
  const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
  const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
  const scimJson = { 'content-type': 'application/scim+json' };
  const body = {
    schemas: [USER],
    userName: 'frank',
    name: { givenName: 'Frank', familyName: 'F.' },
    emails: [{ value: 'frank@example.com', primary: true }],
    externalId: 'is not kept',
  };
  const made = await ask('POST', `${base}/Users`, body, scimJson);
  t.match(made, { status: 201, body: { userName: 'frank', displayName: 'Frank F.', active: true, id: /^\d+$/ } });
  t.match(made.headers.get('content-type'), /^application\/scim\+json/);
  t.match(await ask('POST', `${base}/Users`, body, scimJson), { status: 409, body: { scimType: 'uniqueness' } });
  const filter = (text: string) => ask('GET', `${base}/Users?filter=${encodeURIComponent(text)}`);
  t.match((await filter('userName eq "frank" and active eq true')).body, {
    totalResults: 1,
    Resources: [{ id: made.body.id }],
  });
  t.equal((await filter('emails.value eq "frank@example.com"')).body.totalResults, 1);
  t.match(await filter('userName co "f"'), { status: 400, body: { scimType: 'invalidFilter' } });
  const page = await ask('GET', `${base}/Users?startIndex=2&count=2`);
  t.match(page.body, { startIndex: 2, itemsPerPage: 2, Resources: [{ userName: 'bob' }, { userName: 'carol' }] });
  const user = `${base}/Users/${made.body.id}`;
  const patch = (Operations: unknown[]) => ({ schemas: [PATCH], Operations });
  const renamed = await ask(
    'PATCH',
    user,
    patch([{ op: 'Replace', path: 'displayName', value: 'Frank II' }]),
    scimJson,
  );
  t.match(renamed, { status: 200, body: { displayName: 'Frank II' } });
  const off = await ask('PATCH', user, patch([{ op: 'replace', value: { active: false } }]), scimJson);
  t.match(off, { status: 200, body: { active: false } }, off.text);
  t.equal((await filter('userName eq "frank" and active eq true')).body.totalResults, 0);
  t.equal((await ask('PATCH', user, patch([{ op: 'replace', path: 'id', value: '1' }]), scimJson)).status, 400);

  const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
  const group = await ask('POST', `${base}/Groups`, {
    schemas: [GROUP],
    displayName: 'Pilots',
    members: [{ value: '1' }, { value: '2' }],
  });
  t.match(group, { status: 201, body: { members: [{ value: '1' }, { value: '2' }] } });
  const path = `${base}/Groups/${group.body.id}`;
  const members = async (Operations: unknown[]) =>
    (await ask('PATCH', path, patch(Operations), scimJson)).body.members.map((each: { value: string }) => each.value);
  t.same(await members([{ op: 'add', path: 'members', value: [{ value: '3' }] }]), ['1', '2', '3']);
  t.same(await members([{ op: 'remove', path: 'members[value eq "2"]' }]), ['1', '3']);
  t.same(await members([{ op: 'replace', path: 'members', value: [{ value: '4' }] }]), ['4']);
  t.equal(
    (await ask('GET', `${base}/Groups?filter=${encodeURIComponent('displayName eq "Pilots"')}`)).body.totalResults,
    1,
  );
  t.equal((await ask('DELETE', path)).status, 204);
  t.match(await ask('GET', path), { status: 404, body: { schemas: [/Error$/], status: '404' } });
  t.match(await caller(url)('GET', `${base}/Users`), { status: 401, body: { schemas: [/Error$/] } });
  t.equal((await caller(url, await cluster.apiKey(['users:read']))('GET', `${base}/Users`)).status, 403);
});
