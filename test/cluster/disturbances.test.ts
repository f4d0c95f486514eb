/** Whoever is online is told everything, whatever is lost between the servers, and however late that is noticed. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import t, { type Test } from 'tap';
import { singleConversation } from '../../common/conversation.js';
import { MISSED_MESSAGES_MAX } from '../../common/limits.js';
import type { Link } from '../../common/net/link.js';
import { LinkGroup } from '../../common/net/link-group.js';
import { cluster as clusterService, server } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { commandTable, hear } from '../../common/server/command-table.js';
import { Routes } from '../../servers/msg/routes.js';
import { Sessions } from '../../servers/msg/sessions.js';
import { Disturbances } from '../../servers/route/disturbances.js';
import { CLUSTER_SECRET, TestCluster, testLog, until } from '../support/cluster.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { caller } from '../support/http.js';
import { testPostgres } from '../support/postgres.js';
import { testRedis, whyNoRedis } from '../support/redis.js';
import { startRoute } from '../support/route.js';

/** Slower than what is looked for in any case, and quicker than what is taken for frozen. */
const LATENCY_MS = 3_000;
const KNOWN_MS = 30_000;

const postgres = await testPostgres(t);
const noRedis = await whyNoRedis();

t.test('a link is slow both ways, and breaks: what was on its way for long is looked for', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const slow = await FaultProxy.start(t, { host: '127.0.0.1', port: cluster.routes[0]!.port });
  await cluster.addMsgServer({ msg: { routeServers: [{ host: '127.0.0.1', port: slow.port }] } });
  const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
  const heard = new Map([alice, bob].map((client) => [client, new Set<string>()]));
  for (const [client, texts] of heard) client.on('message', ({ text }) => texts.add(text!));
  await Promise.all([alice.say(2, 'quick'), bob.say(1, 'quick')]);
  await until(() => [...heard.values()].every((texts) => texts.has('quick')), 'both to hear of the other');

  slow.latencyMs = LATENCY_MS;
  const said = ['quick'];
  const lastsUntil = performance.now() + 3 * LATENCY_MS;
  await until(async () => {
    const text = `${said.length}`;
    said.push(text);
    await Promise.all([alice.say(2, text), bob.say(1, text)]);
    return performance.now() > lastsUntil;
  }, 'the link to be full of what is on its way');
  slow.reset();
  slow.heal();
  const isTold = (texts: ReadonlySet<string>) => said.every((text) => texts.has(text));
  await until(() => [...heard.values()].every(isTold), 'both to hear all of it', KNOWN_MS);
  t.ok(said.length > 10);
});

/** Holds up what is stored in a conversation: it has its time, and waits for its commit. */
async function holdUp(t: Test, databaseUrl: string, conversationId: bigint) {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  t.teardown(() => client.end());
  await client.query('begin');
  await client.query('select from shard.conversation where id = $1 for update', [String(conversationId)]);
  const isWaiting = async () => {
    const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return ((await client.query(waiting)).rowCount ?? 0) > 0;
  };
  return { waits: () => until(isWaiting, 'it to be held up'), release: () => client.query('rollback') };
}

t.test(
  'what was committed late and published into a broken link is found, however long ago it has its time',
  async (t) => {
    const cluster = await TestCluster.start(t, postgres);
    const proxy = await FaultProxy.start(t, { host: '127.0.0.1', port: cluster.routes[0]!.port });
    await cluster.addMsgServer({ msg: { routeServers: [{ host: '127.0.0.1', port: proxy.port }] } });
    const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
    await alice.say(2, 'before');
    t.match(await bob.heard(), { text: 'before' });
    const held = await holdUp(t, cluster.databaseUrl, singleConversation(1, 2));
    const saying = alice.say(2, 'late');
    await held.waits();
    const heldMs = performance.now();
    await until(() => performance.now() - heldMs > LATENCY_MS, 'it to be late');
    proxy.part();
    await held.release();
    await saying;
    proxy.reset();
    proxy.heal();
    t.match(await bob.heard(), { text: 'late' });
  },
);

t.test('what is stored after its sender was refused is told', async (t) => {
  let looks = 0;
  const logged = (line: string) => line.includes('looked for missed') && looks++;
  const cluster = await TestCluster.start(t, postgres, { msg: { askTimeoutMs: 1_000 }, logged });
  await cluster.addHttpMsgServer({ askTimeoutMs: 1_000 });
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const send = (text: string) =>
    ask('POST', '/api/v1/messages', { from: 1, to: { user: 2 }, content: { type: 'text', text } });
  const [alice, bob] = [await cluster.login('alice', { capabilities: ['err1'] }), await cluster.login('bob')];
  await alice.say(2, 'before');
  t.match(await bob.heard(), { text: 'before' });
  const ways: Record<string, (text: string) => Promise<unknown>> = {
    'a client': (text) => t.rejects(alice.say(2, text), { code: 'TIMEOUT' }),
    HTTP: async (text) => t.match(await send(text), { status: 504 }),
  };
  for (const [who, refused] of Object.entries(ways)) {
    const held = await holdUp(t, cluster.databaseUrl, singleConversation(1, 2));
    await Promise.all([refused(`by ${who}`), held.waits()]);
    const before = looks; // the one that the refusal brings comes half a second after it
    await until(() => looks > before, 'the msg server to have looked for it');
    await held.release();
    t.match(await bob.heard(), { text: `by ${who}` });
  }
});

t.test('what HTTP sends while no route server can be reached is told when one is', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const proxy = await FaultProxy.start(t, { host: '127.0.0.1', port: cluster.routes[0]!.port });
  await cluster.addHttpMsgServer({ routeServers: [{ host: '127.0.0.1', port: proxy.port }] });
  const ask = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const bob = await cluster.login('bob');
  const send = (text: string) =>
    ask('POST', '/api/v1/messages', { from: 1, to: { user: 2 }, content: { type: 'text', text } });
  t.match(await send('before'), { status: 201 });
  t.match(await bob.heard(), { text: 'before' });
  proxy.part();
  t.match(await send('on its way'), { status: 201 });
  proxy.reset();
  await until(() => cluster.httpMsg[0]!.running.notReady() !== undefined, 'it to notice');
  t.match(await send('and without a way'), { status: 201 });
  proxy.heal();
  t.match([await bob.heard(), await bob.heard()], [{ text: 'on its way' }, { text: 'and without a way' }]);
});

t.test('what a msg server may have missed: where it is, and then the messages', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const links = cluster.linksAs('msg', 'db-proxy');
  const conversationId = singleConversation(1, 2);
  const draft = { conversationId, senderId: 1, msgType: IM.BaseDefine.MsgType.MSG_TYPE_SINGLE_TEXT };
  const store = (from: number, to: number) =>
    Promise.all(
      Array.from({ length: to - from + 1 }, (_, i) =>
        cluster.storage.append.store({ ...draft, body: Buffer.from(`${from + i}`), sendId: randomBytes(16) }),
      ),
    );
  const count = MISSED_MESSAGES_MAX + 50;
  const stored = [...(await store(1, count - 10)), ...(await store(count - 9, count))];
  const missed = (question: Partial<IM.Cluster.IMMissedReq.$Properties>) =>
    links.ask(clusterService.missed, { userIdList: [1], sinceMs: 0, ...question });
  const ranges = async (question: Partial<IM.Cluster.IMMissedReq.$Properties>) =>
    (await missed({ asRanges: true, ...question })).rangeList.map((each) => ({ ...each }));
  const place = { conversationId: `${conversationId}` };
  const range = (fromMsgId: number, toMsgId: number) => ({ ...place, fromMsgId, toMsgId });

  t.same(await ranges({}), [range(1, count)]);
  const sinceMs = stored.find(({ msgId }) => msgId === count)!.createTimeMs;
  const first = Math.min(...stored.filter((each) => each.createTimeMs >= sinceMs).map(({ msgId }) => msgId));
  t.same(await ranges({ sinceMs }), [range(first, count)], 'since then');
  t.same(await ranges({ sinceMs: sinceMs + 1 }), []);
  t.same(await ranges({ userIdList: [3] }), [], 'of somebody else');
  t.same(await ranges({ after: { ...place, msgId: 7 } }), [range(8, count)], 'behind a place');
  t.same(await ranges({ after: { ...place, msgId: count } }), []);

  const idsOf = ({ messageList }: IM.Cluster.IMMissedRsp) => messageList.map(({ msgId }) => msgId);
  const asked = await missed({ rangeList: [range(3, 4), range(9, 9), range(count + 1, count + 5)] });
  t.same(idsOf(asked), [3, 4, 9], 'what is not there is left out');
  t.match(asked.messageList[0], { fromUserId: 1, toSessionId: 2, msgData: Buffer.from('3') });
  await t.rejects(missed({ rangeList: [range(1, MISSED_MESSAGES_MAX + 1)] }), { code: 'BAD_REQUEST' });

  const page = await missed({});
  t.same(idsOf(page).length, MISSED_MESSAGES_MAX, 'an earlier build asks for the messages at once');
  t.same(page.groupsList.length, 1);
  const rest = await missed({ after: page.next! });
  t.same(idsOf(rest), idsOf(await missed({ rangeList: [range(MISSED_MESSAGES_MAX + 1, count)] })));
  t.equal(rest.next, undefined);
});

/** A msg server by hand; what it is told to look for is in `told`. */
function msgServer(t: Test, name: string, port: number) {
  const told: number[] = [];
  const links = new LinkGroup({
    self: { role: 'msg', name },
    role: 'route',
    secret: CLUSTER_SECRET,
    addresses: [{ host: '127.0.0.1', port }],
    askTimeoutMs: 5_000,
    asksMax: 10,
    log: testLog(name),
    hears: commandTable<never, Link>([hear(clusterService.disturbed, (_ctx, { sinceMs }) => void told.push(sinceMs))]),
    ctx: undefined as never,
  });
  t.teardown(() => links.close());
  const come = async (unheardSinceMs?: number) => {
    await until(() => links.open, name);
    await links.ask(clusterService.interest, { reset: true, unheardSinceMs });
    links.tell(server.onlineUsers, { userStatList: [] });
    await hasHeard();
  };
  /** What was said before the question has come with the answer. */
  const hasHeard = () => links.ask(clusterService.interest, { reset: false });
  return { links, told, come, hasHeard };
}

async function route(t: Test, name: string, redis?: string, port?: number) {
  const running = await startRoute(name, redis, port);
  t.teardown(() => running.close(0));
  return { port: running.ports.servers!, close: () => running.close(0) };
}

t.test('a msg server that was cut off when the others were told to look hears of it when it is back', async (t) => {
  const { port } = await route(t, 'route');
  const nowMs = Date.now();
  const first = msgServer(t, 'msg-1', port);
  await first.come();
  first.links.tell(clusterService.disturbed, { sinceMs: nowMs - 20_000 });
  first.links.tell(clusterService.disturbed, { sinceMs: nowMs - 30_000 });
  await first.hasHeard();
  t.strictSame(first.told, [], 'it knows itself');
  const [cutOff, fresh, later] = ['msg-2', 'msg-3', 'msg-4'].map((name) => msgServer(t, name, port));
  await cutOff!.come(nowMs - 1_000);
  t.strictSame(cutOff!.told, [nowMs - 30_000]);
  await fresh!.come();
  await later!.come(nowMs + 60_000);
  t.strictSame(
    [fresh!.told, later!.told],
    [[], []],
    'who has just been started, or was not cut off then, need not look',
  );
  first.links.tell(clusterService.disturbed, { sinceMs: nowMs });
  for (const { told } of [cutOff!, fresh!, later!]) await until(() => told.at(-1) === nowMs, 'all to hear what is new');
});

t.test('a word that comes while a msg server is coming back reaches it', async (t) => {
  const { port } = await route(t, 'route');
  const nowMs = Date.now();
  const teller = msgServer(t, 'msg-1', port);
  await teller.come();
  const { links, told, hasHeard } = msgServer(t, 'msg-2', port);
  await until(() => links.open, 'msg-2');
  await links.ask(clusterService.interest, { reset: true, unheardSinceMs: nowMs });
  teller.links.tell(clusterService.disturbed, { sinceMs: nowMs - 20_000 });
  await teller.hasHeard();
  links.tell(server.onlineUsers, { userStatList: [] });
  await hasHeard();
  links.tell(server.onlineUsers, { userStatList: [] });
  await hasHeard();
  t.strictSame(told, [nowMs - 20_000], 'once');
});

t.test('a msg server that leaves: the others look since what it said last is known to have come', async (t) => {
  const { port } = await route(t, 'route');
  const [dying, other] = ['msg-1', 'msg-2'].map((name) => msgServer(t, name, port));
  await dying!.come();
  await other!.come();
  const sentMs = Date.now() - 10_000;
  await dying!.links.ask(clusterService.interest, { reset: false, sentMs });
  dying!.links.close();
  await until(() => other!.told.length > 0, 'it to hear');
  t.strictSame(other!.told, [sentMs]);
});

t.test(
  'a route server that comes later knows it as well',
  noRedis === undefined ? {} : { skip: noRedis },
  async (t) => {
    const { url } = await testRedis(t);
    const first = await route(t, 'route-1', url);
    const told = msgServer(t, 'msg-1', first.port);
    await told.come();
    const nowMs = Date.now();
    told.links.tell(clusterService.disturbed, { sinceMs: nowMs - 20_000 });
    await told.hasHeard();
    const second = await route(t, 'route-2', url);
    const cutOff = msgServer(t, 'msg-2', second.port);
    await cutOff.come(nowMs - 1_000);
    await until(
      () => cutOff.told.includes(nowMs - 20_000),
      'it to hear what was said before there was this route server',
    );
    const times = cutOff.told.length;
    const third = await route(t, 'route-3', url); // asks, and both others answer
    const another = msgServer(t, 'msg-3', third.port);
    await another.come(nowMs - 1_000);
    await until(() => another.told.includes(nowMs - 20_000), 'a third one to know');
    told.links.tell(clusterService.disturbed, { sinceMs: nowMs + 1 });
    await until(() => cutOff.told.at(-1) === nowMs + 1, 'the next word');
    const same = cutOff.told.filter((sinceMs) => sinceMs === nowMs - 20_000);
    t.equal(same.length, 1, `once each: ${cutOff.told.length} words after ${times}`);
  },
);

t.test(
  'what was told shortly before its route server died is told once more, and what could not be told',
  async (t) => {
    const first = await route(t, 'route');
    const links = new LinkGroup({
      self: { role: 'msg', name: 'msg-1' },
      role: 'route',
      secret: CLUSTER_SECRET,
      addresses: [{ host: '127.0.0.1', port: first.port }],
      askTimeoutMs: 5_000,
      asksMax: 10,
      log: testLog('msg-1'),
      hears: commandTable<never, Link>([]),
      ctx: undefined as never,
      opened: (link) => void routes.opened(link),
      lost: (link, unsureMs) => routes.lost(link, unsureMs),
    });
    const routes: Routes = new Routes(links, new Sessions(), 'msg-1', (sinceMs) => routes.tellDisturbed(sinceMs));
    t.teardown(() => {
      routes.close();
      links.close();
    });
    const other = msgServer(t, 'msg-2', first.port);
    await other.come();
    await until(() => links.open, 'msg-1');
    const nowMs = Date.now();
    const hears = (sinceMs: number) => until(() => other.told.includes(sinceMs), 'the other to hear');
    await first.close();
    await until(() => !links.open && !other.links.open, 'both to notice');
    for (const ms of [20_000, 30_000]) routes.tellDisturbed(nowMs - ms);
    const second = await route(t, 'route', '', first.port);
    await other.come(nowMs);
    await hears(nowMs - 30_000);
    t.notOk(other.told.includes(nowMs - 20_000), 'as one word');
    await second.close();
    await until(() => !links.open && !other.links.open, 'both to notice');
    other.told.length = 0;
    await route(t, 'route', '', first.port);
    await other.come(nowMs);
    await hears(nowMs - 30_000);
  },
);

t.test('words are kept for ten minutes, 4096 at most, and each counts once', (t) => {
  const words = new Disturbances(0);
  t.match(words.note(1_000, 2_000, 'a'), { id: 'a', sinceMs: 1_000, heardMs: 2_000 });
  t.equal(words.note(1_000, 2_000, 'a'), undefined);
  t.equal(words.since(7_000), undefined, 'clocks may be 5 s apart, not more');
  t.equal(words.since(6_999), 1_000);
  words.note(3_000, 602_001, 'b');
  t.strictSame(
    [...words.all].map(({ id }) => id),
    ['b'],
  );
  for (let i = 0; i < 5_000; i++) words.note(i, 602_001, `${i}`);
  t.equal([...words.all].length, 4_096);
  t.end();
});

t.test('what is said again is told to those who cannot know it', (t) => {
  const words = new Disturbances(200_000);
  const before = { id: 'a', sinceMs: 0, heardMs: 100_000 };
  t.equal(words.isNews(before, undefined), false, 'another route server has told them');
  t.equal(words.isNews(before, 105_000), false, 'they were cut off later');
  t.equal(words.isNews(before, 104_999), true);
  const missed = { id: 'b', sinceMs: 0, heardMs: 195_001 };
  t.equal(words.isNews(missed, undefined), true, 'we were there, and did not hear it');
  t.end();
});
