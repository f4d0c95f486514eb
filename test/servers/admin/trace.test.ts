/** The way of a message: what servers remember of it, who may ask them, and what the console makes of it. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { singleConversation } from '../../../common/conversation.js';
import { Hops, hopsPath, hopsProof, hopsQuery } from '../../../common/hops.js';
import { login } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { TraceFound, TraceHop } from '../../../servers/admin/api.js';
import { CLUSTER_SECRET, PASSWORD, TestCluster, until } from '../../support/cluster.js';
import { ADMIN_PASSWORD, addAdmin, Browser } from '../../support/console.js';
import { testPostgres } from '../../support/postgres.js';

const { ClientType, SessionType } = IM.BaseDefine;
const [ALICE, BOB] = [1, 2];
const SECRET_WORDS = 'nobody else is to read this';

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, {
  msgServers: 2,
  console: {},
  httpMsg: {},
  push: {},
  groups: [{ name: 'team', memberIds: [1, 2, 3] }],
});
await addAdmin(cluster.storage, 'auditor', 'auditor');
const auditor = await Browser.loggedIn(cluster, 'auditor', ADMIN_PASSWORD);
const trace = (query: Record<string, string | number>) =>
  auditor.ask<TraceFound>('GET', `/api/trace?${new URLSearchParams(query as Record<string, string>)}`);

async function newer(user: string, at = 0) {
  const client = await cluster.connect(at);
  await client.enter({ user, password: PASSWORD, capabilities: ['ack2', 'err1'] });
  return client;
}

const server = (name: string, role = 'msg') => ({ name, role });

t.test('a ring keeps the last ones, by either id, and says since when it knows', async (t) => {
  const hops = new Hops();
  const bornMs = hops.sinceMs;
  const here = singleConversation(ALICE, BOB);
  const sendId = randomBytes(16);
  const nowMs = performance.now();
  hops.stored(here, 7, sendId, nowMs - 30, nowMs - 20, nowMs, 3);
  hops.accepted(here, 7, sendId, nowMs - 50, nowMs - 45, nowMs - 40, nowMs, nowMs, 2, false);
  hops.refused(here, sendId, nowMs, 'BUSY');
  hops.delivered(here, 8, nowMs, 1, 'route');
  hops.read(here, 6, BOB);
  hops.read(here, 9, BOB);
  hops.read(here, 10, BOB);
  const from = server('msg-1');
  hops.relayed(here, 7, from, [from, server('msg-2'), server('http-msg', 'http-msg')]);
  const found = hops.find({ conversationId: here, msgId: 7 });
  t.same(
    found.map(({ kind }) => kind),
    ['relayed', 'read', 'accepted', 'stored'],
    'newest first, of reads the first one that reaches it, nothing of its neighbours',
  );
  t.match(found[0], { name: 'msg-1', count: 1, receivers: ['msg-2'] });
  t.match(found[1], { msgId: 9, count: BOB });
  t.same(found[2]!.steps.map(Math.round as (ms: number | null) => number), [5, 10, 50, 50]);
  t.ok(Math.abs(found[3]!.atMs + 30 - Date.now()) < 1_000, 'wall clock');
  t.same(
    hops.find({ sendId }).map(({ kind }) => kind),
    ['refused', 'accepted', 'stored'],
  );
  t.same(hops.find({ sendId: randomBytes(16) }), []);
  for (let i = 0; i < 200_000; i++) hops.stored(here, 100 + i, sendId, nowMs, nowMs, nowMs, 1);
  t.same(hops.find({ conversationId: here, msgId: 7 }), [], 'gone');
  t.equal(hops.find({ conversationId: here, msgId: 200_099 }).length, 1);
  t.equal(hops.find({ sendId }).length, 500, 'an answer has an end');
  t.ok(hops.sinceMs >= bornMs - 100 && hops.sinceMs <= hops.nowMs);
  for (let i = 0; i < 200; i++) hops.settled(here, 7, `consumer ${i}`);
  t.equal(hops.find({ conversationId: here, msgId: 7 })[0]!.name, '…', 'names have an end');
});

t.test('servers tell consoles only, and only about what is asked', async (t) => {
  const port = cluster.opsPort('msg-1');
  const path = hopsPath({ conversationId: singleConversation(ALICE, BOB), msgId: 1 });
  const ask = (path: string, authorization?: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, authorization === undefined ? {} : { headers: { authorization } });
  t.equal((await ask(path)).status, 403);
  t.equal((await ask(path, `Proof ${hopsProof('another secret', path)}`)).status, 403);
  const proof = `Proof ${hopsProof(CLUSTER_SECRET, path)}`;
  t.equal((await ask(path, proof)).status, 200);
  t.equal((await ask(path.replace('msg=1', 'msg=2'), proof)).status, 403, 'a proof is for one question');
  for (const wrong of ['conversation=1', 'conversation=x&msg=1', 'conversation=1&msg=-1', 'send=00', 'msg=1']) {
    t.equal(hopsQuery(`/hops?${wrong}`), undefined, wrong);
    const asked = await ask(`/hops?${wrong}`, `Proof ${hopsProof(CLUSTER_SECRET, `/hops?${wrong}`)}`);
    t.equal(asked.status, 400, wrong);
  }
});

t.test('every hop of a message with its times, by message id and by send id alone, and no word of it', async (t) => {
  const phone = await cluster.login('bob', { clientType: ClientType.CLIENT_TYPE_IOS });
  await phone.ask(login.deviceToken, { userId: 0, deviceToken: 'token' });
  phone.close();
  await until(() => cluster.storage.pushes.wanted(), 'pushes to be wanted');
  const key = await cluster.apiKey();
  const events = await fetch(`${cluster.httpMsg[0]!.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${key}` },
  });
  t.equal(events.status, 200, 'from now on there are events');

  const alice = await newer('alice', 0);
  const bob = await cluster.login('bob', { at: 1 });
  const sendId = randomBytes(16);
  const { msgId } = await alice.say(BOB, SECRET_WORDS, { sendId });
  await bob.heard();
  bob.markRead(SessionType.SESSION_TYPE_SINGLE, ALICE, msgId);
  const of = (found: TraceFound, kind: TraceHop['kind']) => found.hops.filter((hop) => hop.kind === kind);
  let found: TraceFound | undefined;
  await until(async () => {
    const answer = await trace({ sendId: sendId.toString('hex') });
    found = answer.body;
    return answer.status === 200 && of(found, 'read').length === 1 && of(found, 'settled').length === 2;
  }, 'all hops');
  t.match(of(found!, 'accepted'), [{ server: 'msg-1', count: 0, msgId }]);
  const [stored] = of(found!, 'stored');
  t.match(stored, { server: 'db-proxy-1', count: 1, sendId: sendId.toString('hex') });
  t.match(of(found!, 'relayed'), [{ server: 'route-1', name: 'msg-1', receivers: ['msg-2'], count: 1 }]);
  t.match(of(found!, 'delivered'), [{ server: 'msg-2', count: 1 }]);
  t.match(of(found!, 'read'), [{ server: 'db-proxy-1', count: BOB }]);
  t.same(
    of(found!, 'settled')
      .map((hop) => hop.name)
      .sort(),
    ['events', 'push'],
  );
  const [turn, hook, acked, told] = of(found!, 'accepted')[0]!.steps as number[];
  t.ok(turn! <= hook! && hook! <= acked! && acked! <= told!, 'steps follow each other');
  t.ok(stored!.steps[1]! <= acked! - hook! + 1, 'the commit lies within the question of the msg server');
  t.match(found!.stored, { msgId, senderId: ALICE, sendId: sendId.toString('hex') });
  t.ok(found!.servers.length === 7 && found!.servers.every((each) => each.problem === undefined));
  t.ok(
    found!.servers.every((each) => Math.abs(each.offsetMs!) <= each.uncertainMs! + 5),
    'one machine, one clock',
  );
  const byId = await trace({ kind: 'single', user: ALICE, session: BOB, msgId });
  t.same(new Set(byId.body.hops.map((hop) => hop.kind)), new Set(found!.hops.map((hop) => hop.kind)));
  t.notMatch(JSON.stringify(found), SECRET_WORDS);
});

t.test('to a group, and one that was refused', async (t) => {
  const alice = await newer('alice', 0);
  const bob = await cluster.login('bob', { at: 1 });
  const { msgId } = await alice.sayGroup(1, SECRET_WORDS);
  await bob.heard();
  const found = await trace({ kind: 'group', session: 1, msgId });
  t.match(
    found.body.hops.find(({ kind }) => kind === 'delivered'),
    { server: 'msg-2', count: 1 },
  );
  const dave = await newer('dave');
  const sendId = randomBytes(16);
  await t.rejects(dave.sayGroup(1, SECRET_WORDS, { sendId }), { code: 'NOT_A_MEMBER' });
  const refused = await trace({ sendId: sendId.toString('hex') });
  t.match(refused, { status: 200, body: { places: [{ kind: 'group', session: 1 }] } });
  t.equal(refused.body.stored, undefined);
  t.match(refused.body.hops, [{ kind: 'refused', server: 'msg-1', name: 'NOT_A_MEMBER' }]);
});

t.test(
  'when the rings have moved on, a send id is looked for in the shards, and it shows what is forgotten',
  async (t) => {
    const sendId = randomBytes(16);
    const alice = await newer('alice');
    const { msgId } = await alice.say(BOB, 'once', { sendId });
    const carol = await newer('carol');
    await carol.say(BOB, 'twice', { sendId });
    cluster.forgetHops();
    const both = await trace({ sendId: sendId.toString('hex') });
    t.equal(both.status, 200);
    t.same(both.body.places.map(({ user, session }) => [user, session]).sort(), [
      [1, 2],
      [2, 3],
    ]);
    const one = await trace({ kind: 'single', user: ALICE, session: BOB, sendId: sendId.toString('hex') });
    t.match(one.body, { stored: { msgId }, hops: [] });
    t.ok(
      one.body.servers.every((each) => each.sinceMs! > one.body.stored!.createTimeMs - each.uncertainMs!),
      'all of them know only since later',
    );
    t.match(await trace({ sendId: randomBytes(16).toString('hex') }), { status: 404, body: { code: 'NOT_FOUND' } });
    for (const wrong of [
      { sendId: 'zz' },
      { kind: 'single', session: 2, msgId: 1 },
      { kind: 'single', user: 2, session: 2, msgId: 1 },
      { kind: 'group', session: 1 },
      { kind: 'group', msgId: 1 },
      {},
    ])
      t.equal((await trace(wrong)).status, 400, JSON.stringify(wrong));
  },
);
