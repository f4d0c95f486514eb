/** Exports of what people wrote: who may, what is in them, what is written down of them. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { groupConversation, singleConversation } from '../../../common/conversation.js';
import { IM } from '../../../common/pdu/pb.js';
import { ROLES, type Role } from '../../../common/roles.js';
import type { AdminInfo, AuditPage, ExportInfo } from '../../../servers/admin/api.js';
import { TestCluster, until } from '../../support/cluster.js';
import { ADMIN_PASSWORD, type Answer, addAdmin, Browser } from '../../support/console.js';
import { testPostgres } from '../../support/postgres.js';

const { MSG_TYPE_SINGLE_AUDIO } = IM.BaseDefine.MsgType;
const [ALICE, BOB, CAROL, DAVE] = [1, 2, 3, 4];
const DAY_MS = 86_400_000;
const VOICE = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('the sound of a voice')]);

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, {
  console: {},
  groups: [
    { name: 'team', memberIds: [ALICE, BOB, CAROL] },
    { name: 'others', memberIds: [CAROL, DAVE] },
  ],
});
const { storage } = cluster;
const browsers = new Map<Role, Browser>();
const ids = new Map<string, number>();
for (const role of ROLES) ids.set(role, await addAdmin(storage, role, role));
ids.set('second', await addAdmin(storage, 'second', 'compliance'));
for (const role of ROLES) browsers.set(role, await Browser.loggedIn(cluster, role));
const second = await Browser.loggedIn(cluster, 'second');
const as = (role: Role) => browsers.get(role)!;
const officer = as('compliance');

const [alice, carol] = [await cluster.login('alice'), await cluster.login('carol')];
await alice.say(BOB, 'alice to bob, one');
await alice.sendData(BOB, MSG_TYPE_SINGLE_AUDIO, VOICE);
await carol.say(BOB, 'carol to bob');
await carol.say(DAVE, 'carol to dave');
await alice.sayGroup(1, 'alice to the team');
await carol.sayGroup(2, 'carol to others');

const wish = (over: object = {}) => ({
  userIds: [ALICE],
  groupIds: [],
  withGroups: true,
  fromMs: Date.now() - DAY_MS,
  toMs: Date.now() + DAY_MS,
  reason: 'a court order',
  caseNumber: '7 O 12/26',
  ...over,
});
type Listed = Answer<ExportInfo[]>;
const ask = (over: object = {}, by = officer): Promise<Listed> => by.ask('POST', '/api/exports', wish(over));
const step = (by: Browser, id: number, which: string): Promise<Listed> =>
  by.ask('POST', `/api/exports/${id}/${which}`, {});
const stateOf = async (id: number) =>
  (await officer.ask<ExportInfo[]>('GET', '/api/exports')).body.find((each) => each.id === id)!;
const file = (it: ExportInfo, by = officer) => by.ask<string>('GET', `/api/exports/${it.id}/file?ticket=${it.ticket}`);

/** Asked for and agreed to. */
async function agreed(over: object = {}): Promise<ExportInfo> {
  const { id } = (await ask(over)).body[0]!;
  const answer = await step(as('owner'), id, 'approve');
  t.equal(answer.status, 200, 'agreed');
  return stateOf(id);
}

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

t.test('only the one role asks and takes, only an owner agrees, and nobody else gets anything', async (t) => {
  for (const role of ROLES) {
    const isOfficer = role === 'compliance';
    t.equal((await ask({}, as(role))).status, isOfficer ? 200 : 403, `${role} asks`);
    const looks = ['owner', 'auditor', 'compliance'].includes(role);
    t.equal((await as(role).ask('GET', '/api/exports')).status, looks ? 200 : 403, `${role} looks`);
  }
  const [{ id }] = (await officer.ask<ExportInfo[]>('GET', '/api/exports')).body as unknown as [ExportInfo];
  t.match(await stateOf(id), { state: 'asked', own: true, ticket: undefined });
  t.equal((await officer.ask('GET', `/api/exports/${id}/file?ticket=x`)).body.code, 'FOREIGN');
  for (const role of ROLES.filter((each) => each !== 'owner'))
    t.equal((await step(as(role), id, 'approve')).status, 403, `${role} agrees`);
  t.equal((await step(as('owner'), id, 'approve')).status, 200);
  const ready = await stateOf(id);
  t.match(ready, { state: 'approved', decidedBy: 'owner', ticket: /./ });
  for (const role of ROLES.filter((each) => each !== 'compliance'))
    t.equal((await file(ready, as(role))).status, 403, `${role} takes`);
  t.equal((await file(ready, second)).body.code, 'FOREIGN', 'nor another one of the role, with a foreign ticket');
  const his = (await second.ask<ExportInfo[]>('GET', '/api/exports')).body.find((each) => each.id === id)!;
  t.match(his, { own: false, ticket: undefined });
  t.equal((await step(second, id, 'cancel')).status, 403);
  t.equal((await stateOf(id)).state, 'approved', 'nothing of that has begun it');
});

t.test('the store decides by the account, whatever the console says', async (t) => {
  const ready = await agreed({ withGroups: false });
  const account = async (name: string) => ({
    admin: (await storage.admins.list()).find((each) => each.id === ids.get(name))!,
    address: '',
  });
  const { exports } = storage;
  const start = { conversationId: 0n, msgId: 0 };
  await t.rejects(exports.page(await account('compliance'), ready.id, start, 0), { code: 'CONFLICT' }, 'not begun');
  for (const name of ['owner', 'admin', 'auditor', 'second']) {
    await t.rejects(exports.page(await account(name), ready.id, start, 0), { code: 'NOT_ALLOWED' }, name);
    await t.rejects(exports.step(await account(name), ready.id, 'begin'), { code: 'NOT_ALLOWED' }, name);
  }
  await t.rejects(exports.ask(await account('owner'), wish()), { code: 'NOT_ALLOWED' });
  await exports.step(await account('compliance'), ready.id, 'begin');
  for (const conversationId of [singleConversation(CAROL, DAVE), groupConversation(1)])
    await t.rejects(
      exports.page(await account('compliance'), ready.id, { conversationId, msgId: 1 }, 0),
      { code: 'NOT_ALLOWED' },
      'only what was agreed to',
    );
  await exports.step(await account('compliance'), ready.id, 'cancel');
});

t.test('all of it is in the file, voice included, nothing else, and the trail has its digest', async (t) => {
  const ready = await agreed();
  const { status, body, headers } = await file(ready);
  t.equal(status, 200);
  t.match(headers.get('content-disposition'), /^attachment; filename="export-\d+\.ndjson"$/);
  const lines = linesOf(body);
  t.match(lines[0], { type: 'export', case: '7 O 12/26', users: [ALICE], askedBy: 'compliance', approvedBy: 'owner' });
  t.match(lines.slice(1), [
    { conversation: { users: [ALICE, BOB] }, number: 1, from: ALICE, text: 'alice to bob, one' },
    { number: 2, voice: { seconds: 7, data: VOICE.subarray(4).toString('base64') } },
    { conversation: { group: 1 }, text: 'alice to the team' },
    { type: 'end', messages: 3, sha256: sha256(body.slice(0, body.trimEnd().lastIndexOf('\n') + 1)) },
  ]);
  t.equal(lines.length, 5);
  const done = await stateOf(ready.id);
  t.match(done, {
    state: 'done',
    messages: 3,
    bytes: Buffer.byteLength(body),
    sha256: sha256(body),
    ticket: undefined,
  });
  t.equal((await file(ready)).status, 409, 'once');
  const trail = (await as('auditor').ask<AuditPage>('GET', `/api/audit?subject=export:${ready.id}`)).body.rows;
  t.match(trail, [
    { action: 'export.finish', actor: { name: 'compliance' }, after: { messages: 3, sha256: sha256(body) } },
    { action: 'export.begin', after: { userIds: [ALICE], caseNumber: '7 O 12/26' } },
    { action: 'export.approve', actor: { name: 'owner' } },
    { action: 'export.ask', after: { reason: 'a court order' } },
  ]);
  t.match(await as('auditor').ask('GET', '/api/audit/verify'), { body: { done: true, brokenId: undefined } });
  for (const role of ['owner', 'auditor'] as const) {
    const seen = (await as(role).ask<ExportInfo[]>('GET', '/api/exports')).body.find((each) => each.id === ready.id);
    t.match(seen, { state: 'done', askedBy: 'compliance', own: false }, `${role} sees that it happened`);
  }
});

t.test('people, groups and times: exactly those', async (t) => {
  const texts = async (over: object) => {
    const { body } = await file(await agreed(over));
    return linesOf(body)
      .filter((line) => line.type === 'message')
      .map((line) => line.text);
  };
  t.same(await texts({ userIds: [CAROL], withGroups: false }), ['carol to bob', 'carol to dave']);
  t.same(await texts({ userIds: [], groupIds: [2] }), ['carol to others']);
  t.same(await texts({ userIds: [DAVE] }), ['carol to dave', 'carol to others']);
  t.same(await texts({ fromMs: 0, toMs: Date.now() - DAY_MS }), []);

  for (let i = 0; i < 250; i++) await alice.say(CAROL, `many ${i}`);
  const many = await texts({ userIds: [ALICE, CAROL], withGroups: false });
  t.equal(many.filter((text) => text?.startsWith('many')).length, 250, 'over several pages, each once');
  t.same(many.filter((text) => text?.startsWith('many')).slice(0, 2), ['many 0', 'many 1'], 'in their order');
});

t.test('cancelled, broken off, refused, wrong', async (t) => {
  const cancelled = await agreed();
  t.equal((await step(as('owner'), cancelled.id, 'cancel')).status, 200);
  t.equal((await file(cancelled)).status, 409);

  const broken = await agreed({ userIds: [ALICE, CAROL] });
  const url = `${cluster.consoleUrl}/api/exports/${broken.id}/file?ticket=${broken.ticket}`;
  const aborter = new AbortController();
  const response = await fetch(url, { headers: { cookie: officer.cookie }, signal: aborter.signal });
  t.equal(response.status, 200);
  aborter.abort();
  await until(async () => (await stateOf(broken.id)).state !== 'running', 'the end of the download to be noticed');
  const { state } = await stateOf(broken.id);
  if (state === 'approved') t.equal((await file(broken)).status, 200, 'it may begin again');
  else t.equal(state, 'done', 'it was quicker');

  const [{ id }] = (await ask()).body as unknown as [ExportInfo];
  t.equal((await step(as('owner'), id, 'refuse')).status, 200);
  t.equal((await step(as('owner'), id, 'approve')).status, 409, 'refused is refused');
  for (const over of [
    { userIds: [], groupIds: [] },
    { toMs: 1, fromMs: 2 },
    { reason: ' ' },
    { caseNumber: '' },
    { userIds: Array.from({ length: 101 }, (_, i) => i + 1) },
    { userIds: [2 ** 31] },
  ])
    t.equal((await ask(over)).status, 400, JSON.stringify(over).slice(0, 60));
});

t.test('the role is the owners to give, and nobody else gets into such an account', async (t) => {
  const admins = (await as('owner').ask<AdminInfo[]>('GET', '/api/admins')).body;
  const { id, version } = admins.find((each) => each.name === 'second')!;
  const made = { name: 'third', role: 'compliance' };
  t.equal((await as('admin').ask('POST', '/api/admins', made)).body.code, 'NOT_ALLOWED');
  t.equal((await as('admin').ask('PATCH', `/api/admins/${id}`, { version, reset: true })).body.code, 'NOT_ALLOWED');
  t.equal((await as('owner').ask('POST', '/api/admins', made)).status, 200);
  const ready = await agreed();
  await as('owner').ask('PATCH', `/api/admins/${ids.get('compliance')}`, {
    version: await versionOf(),
    disabled: true,
  });
  t.equal((await file(ready)).status, 401, 'who is disabled takes nothing');
});

const versionOf = async () =>
  (await as('owner').ask<AdminInfo[]>('GET', '/api/admins')).body.find((each) => each.name === 'compliance')!.version;

t.test('without a second pair of eyes, where the settings say so', async (t) => {
  const alone = await TestCluster.start(t, postgres, { console: {}, dbProxy: { exportApproval: false } });
  await addAdmin(alone.storage, 'compliance', 'compliance');
  const browser = await Browser.loggedIn(alone, 'compliance', ADMIN_PASSWORD);
  const [asked] = (await ask({}, browser)).body as unknown as [ExportInfo];
  t.match(asked, { state: 'approved', decidedBy: undefined });
  t.match(linesOf((await file(asked, browser)).body).at(-1), { type: 'end', messages: 0 });
});
