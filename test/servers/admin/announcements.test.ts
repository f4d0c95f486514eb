/** Announcements: once to everybody, whatever dies in between; stopped, counted, listed. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import t from 'tap';
import { singleConversation } from '../../../common/conversation.js';
import type { AnnouncementState, AuditPage } from '../../../servers/admin/api.js';
import { TestCluster, until } from '../../support/cluster.js';
import { addAdmin, Browser } from '../../support/console.js';
import { caller } from '../../support/http.js';
import { testPostgres } from '../../support/postgres.js';

const PEOPLE = 230;
const FROM = 1;
const LONG_MS = 60_000;

/** The say before messages are stored: here a gate that lets so many through and holds the others. */
const held: (() => void)[] = [];
let passes = Number.POSITIVE_INFINITY;
let asked = 0;
const gate = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    asked++;
    const { text } = JSON.parse(body) as { text: string };
    const answer = () =>
      response.end(JSON.stringify({ action: text.includes('forbidden') ? 'refuse' : 'replace', text: `${text}!` }));
    if (passes-- > 0) answer();
    else held.push(answer);
  });
});
await new Promise<void>((resolve) => void gate.listen(0, '127.0.0.1', resolve));
t.teardown(() => {
  gate.closeAllConnections();
  gate.close();
});
const hook = {
  sendHookUrl: `http://127.0.0.1:${(gate.address() as AddressInfo).port}/`,
  sendHookTimeoutMs: LONG_MS,
};
function openGate(): void {
  passes = Number.POSITIVE_INFINITY;
  for (const answer of held.splice(0)) answer();
}

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, {
  console: hook,
  dbProxies: 2,
  users: Array.from({ length: PEOPLE }, (_, i) => `user${i + 1}`),
  groups: [{ name: 'team', memberIds: [1, 2, 3] }],
});
await addAdmin(cluster.storage, 'owner', 'owner');
await addAdmin(cluster.storage, 'operator', 'operator');
let browser = await Browser.loggedIn(cluster, 'operator');

const announce = (text: string, audience: object = { to: 'everybody' }) =>
  browser.ask<AnnouncementState>('POST', '/api/announcements', { fromUserId: FROM, text, audience });
const states = async () => (await browser.ask<AnnouncementState[]>('GET', '/api/announcements')).body;
const stateOf = async (id: number) => (await states()).find((each) => each.id === id)!;
const ended = (id: number) => until(async () => !(await stateOf(id)).running, 'the announcement to end', LONG_MS);

async function sql<T>(text: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  const { rows } = await client.query(text, values);
  await client.end();
  return rows as T[];
}

/** How many messages everybody has, from the first to the last. */
async function messages(): Promise<Set<number>> {
  const rows = await sql<{ n: number }>(
    `select coalesce((select count(*) from shard.message m where m.conversation_id = w.id), 0)::int as n
       from unnest($1::bigint[]) as w (id)`,
    [Array.from({ length: PEOPLE - 1 }, (_, i) => String(singleConversation(FROM, i + 2)))],
  );
  return new Set(rows.map((row) => row.n));
}

t.test('it goes on after the console and a db-proxy have died, and nobody gets it twice', async (t) => {
  passes = 150;
  const last = await cluster.login(`user${PEOPLE}`);
  const { body: begun } = await announce('fire drill');
  t.match(begun, { receivers: PEOPLE - 1, running: true, by: 'operator', text: 'fire drill', to: 'everybody' });
  await until(() => held.length > 0 && asked >= 150, 'the gate to hold some', LONG_MS);
  const [{ sent }] = (await sql<{ sent: number }>('select sent from meta.announcement')) as [{ sent: number }];
  t.equal(sent, 100, 'a part is counted when all of it is through');
  await cluster.stopConsole();
  await cluster.dbProxies.shift()!.running.close(0);
  openGate();
  await sql("update meta.announcement set claimed_until = now() - interval '1 second'"); // as if its time had run out
  await cluster.addHttpMsgServer({ ...hook, dbProxies: cluster.dbProxies.map(place) });
  await until(
    async () => (await sql('select from meta.announcement where ended is not null')).length === 1,
    'the end',
    LONG_MS,
  );
  t.same([...(await messages())], [1], 'once each');
  await cluster.startConsole({ ...hook, dbProxies: cluster.dbProxies.map(place) });
  browser = await Browser.loggedIn(cluster, 'operator');
  t.match(await stateOf(begun.id), { sent: PEOPLE - 1, failed: 0, running: false, stoppedBy: undefined });
  const [first] = await sql<{ n: number }>('select count(*)::int as n from shard.message');
  t.equal(first!.n, PEOPLE - 1);
  t.match(await last.heard(), { fromUserId: FROM, text: 'fire drill!' }, 'as the check of messages wants it');
});

const place = ({ port }: { readonly port: number }) => ({ host: '127.0.0.1', port });

t.test('stopped, it goes no further than what is on its way', async (t) => {
  passes = 20;
  const { body: begun } = await announce('to be stopped');
  await until(() => held.length > 0, 'the gate to hold some', LONG_MS);
  const stop = await browser.ask<AnnouncementState>('POST', `/api/announcements/${begun.id}/stop`, {});
  t.match(stop.body, { running: false, stoppedBy: 'operator' });
  openGate();
  await until(async () => (await stateOf(begun.id)).sent === 100, 'the part on its way to be counted', LONG_MS);
  t.same([...(await messages())].sort(), [1, 2]);
  t.equal((await browser.ask('POST', '/api/announcements/999999/stop', {})).status, 404);
  const owner = await Browser.loggedIn(cluster, 'owner');
  const trail = (await owner.ask<AuditPage>('GET', '/api/audit?action=announcement.')).body.rows;
  t.match(trail, [
    { action: 'announcement.stop', actor: { name: 'operator' }, after: { announcement: begun.id } },
    { action: 'announcement.send', subject: `user:${FROM}` },
    { action: 'announcement.send', after: { from: FROM, to: 'everybody', receivers: PEOPLE - 1 } },
  ]);
  t.notMatch(JSON.stringify(trail), 'to be stopped', 'not what it says');
  const [row] = await sql<{ sealed: Buffer }>('select sealed from meta.announcement where id = $1', [begun.id]);
  t.notOk(row!.sealed.includes('to be stopped'));
});

t.test('to a group once; what is refused is counted; a key sees its own only', async (t) => {
  const group = await announce('to the team', { to: 'group', id: 1 });
  await ended(group.body.id);
  t.match(await stateOf(group.body.id), { receivers: 1, sent: 1, failed: 0 });
  const refused = await announce('a forbidden word', { to: 'group', id: 1 });
  await ended(refused.body.id);
  t.match(await stateOf(refused.body.id), { sent: 0, failed: 1 });
  t.match(await announce('x', { to: 'department' }), { status: 400 });
  const nobody = { fromUserId: 999, text: 'x', audience: { to: 'everybody' } };
  t.match(await browser.ask('POST', '/api/announcements', nobody), { status: 404, body: { code: 'NO_SUCH_USER' } });

  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const other = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const body = { from: FROM, to: { group: 1 }, content: { type: 'text', text: 'to each of the team' } };
  const sent = await ask('POST', '/api/v1/announcements', body, { 'idempotency-key': 'team' });
  t.match(sent, { status: 200, body: { state: 'done', receivers: 2, sent: 2, failed: [] } });
  const again = await ask('POST', '/api/v1/announcements', body, { 'idempotency-key': 'team' });
  t.equal(again.body.id, sent.body.id, 'the same one');
  const path = `/api/v1/announcements/${sent.body.id}`;
  t.match(await ask('GET', path), { status: 200, body: { state: 'done', sent: 2 } });
  t.equal((await other('GET', path)).status, 404);
  t.equal((await other('POST', `${path}/stop`, {})).status, 404);
  t.match(await stateOf(sent.body.id), { byKey: true, to: 'members', toId: 1, sent: 2 });
  const words = { ...body, content: { type: 'text', text: 'forbidden to each' } };
  const failed = await ask('POST', '/api/v1/announcements', words, { 'idempotency-key': 'words' });
  t.match(failed.body, { sent: 0, receivers: 2, failed: [{ user: 2, code: 'NOT_ALLOWED' }, { user: 3 }] });
});
