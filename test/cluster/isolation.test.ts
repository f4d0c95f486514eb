/** Two hundred people at once, by clients and by HTTP: nobody gets an answer or a message that is somebody else's. */
import t from 'tap';
import type { Client } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import { TestCluster } from '../support/cluster.js';
import { caller } from '../support/http.js';
import { testPostgres } from '../support/postgres.js';

const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = IM.BaseDefine.SessionType;
const PEOPLE = 200;
const LOGINS_AT_ONCE = 20;
const ASKING_AT_ONCE = 40;
const ROUNDS = 2;

/** Everybody chats with one other, and is in one group of four. */
const ids = Array.from({ length: PEOPLE }, (_, i) => i + 1);
const peerOf = (id: number) => ((id - 1) ^ 1) + 1;
const groupOf = (id: number) => Math.floor((id - 1) / 4) + 1;
const nameOf = (id: number) => `person${id}`;

const cluster = await TestCluster.start(t, await testPostgres(t), {
  users: ids.map(nameOf),
  groups: Array.from({ length: PEOPLE / 4 }, (_, g) => ({
    name: `group${g + 1}`,
    memberIds: ids.filter((id) => groupOf(id) === g + 1),
  })),
  httpMsg: {},
});
const api = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());

/** For everybody, so many at a time. */
async function atOnce(count: number, work: (id: number) => Promise<unknown>): Promise<void> {
  const left = [...ids];
  const lane = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) await work(id);
  };
  await Promise.all(Array.from({ length: count }, lane));
}

const clients = new Map<number, Client>();
await atOnce(LOGINS_AT_ONCE, async (id) => clients.set(id, await cluster.login(nameOf(id))));

/** Whose is it: each text says who wrote it, and to whom. */
const toPeer = (id: number, n: number, by: string) => `${id} to person ${peerOf(id)}: ${n} ${by}`;
const toGroup = (id: number, n: number) => `${id} to group ${groupOf(id)}: ${n}`;
const isBetween = (id: number, text = '') =>
  text.startsWith(`${id} to person ${peerOf(id)}:`) || text.startsWith(`${peerOf(id)} to person ${id}:`);
const isInGroup = (id: number, text = '') => text.includes(` to group ${groupOf(id)}:`);

const strange: string[] = [];
function expect(isRight: boolean, id: number, what: string): void {
  if (!isRight) strange.push(`${id} got ${what}`);
}

for (const [id, client] of clients)
  client.on('message', (message) =>
    expect(isBetween(id, message.text) || isInGroup(id, message.text), id, `${message.text}`),
  );

async function byClient(id: number, n: number): Promise<void> {
  const client = clients.get(id)!;
  await Promise.all([client.say(peerOf(id), toPeer(id, n, 'by client')), client.sayGroup(groupOf(id), toGroup(id, n))]);
  const [single, group, groups, unread] = await Promise.all([
    client.history(SINGLE, peerOf(id)),
    client.history(GROUP, groupOf(id)),
    client.groups(),
    client.unread(),
  ]);
  expect(single.length > 0 && single.every(({ text }) => isBetween(id, text)), id, `the history ${textsOf(single)}`);
  expect(
    group.length > 0 && group.every(({ text }) => isInGroup(id, text)),
    id,
    `the group's history ${textsOf(group)}`,
  );
  expect(
    groups.length === 1 && groups[0]!.groupId === groupOf(id),
    id,
    `the groups ${groups.map((each) => each.groupId)}`,
  );
  const mine = unread.list.every(({ sessionType, sessionId }) =>
    sessionType === GROUP ? sessionId === groupOf(id) : sessionId === peerOf(id),
  );
  expect(mine, id, 'unread counts of somebody else');
}

async function byHttp(id: number, n: number): Promise<void> {
  const text = toPeer(id, n, 'by HTTP');
  const [person, said] = await Promise.all([
    api('GET', `/api/v1/users/${id}`),
    api('POST', '/api/v1/messages', { from: id, to: { user: peerOf(id) }, content: { type: 'text', text } }),
  ]);
  expect(person.body.name === nameOf(id), id, `the person ${person.text}`);
  expect(said.status === 201, id, said.text);
  const page = await api('GET', `/api/v1/messages?as=${id}&user=${peerOf(id)}`);
  const texts: string[] = page.body.messages.map((each: { content: { text: string } }) => each.content.text);
  expect(texts.includes(text) && texts.every((each) => isBetween(id, each)), id, `the page ${page.text}`);
}

const textsOf = (messages: readonly { text: string | undefined }[]) => JSON.stringify(messages.map(({ text }) => text));

t.test('everybody at once, by clients and by HTTP', async (t) => {
  await atOnce(ASKING_AT_ONCE, async (id) => {
    for (let n = 0; n < ROUNDS; n++) await Promise.all([byClient(id, n), byHttp(id, n)]);
  });
  t.same(strange.slice(0, 10), [], `${strange.length} answers or messages of somebody else`);
});
