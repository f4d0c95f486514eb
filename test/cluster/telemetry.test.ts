/** What a collector of OpenTelemetry gets: a message, a log-in and an HTTP call as spans that hang together. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import ipaddr from 'ipaddr.js';
import { pino } from 'pino';
import t from 'tap';
import { groupConversation, singleConversation } from '../../common/conversation.js';
import { Metrics } from '../../common/metrics.js';
import { login } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { commonSettings, readSettings } from '../../common/settings.js';
import { freshSpan, isMessageSampled, messageTrace, parseTraceparent } from '../../common/telemetry/ids.js';
import { Telemetry } from '../../common/telemetry/telemetry.js';
import { until as soon, TestCluster } from '../support/cluster.js';
import { caller } from '../support/http.js';
import { type Teardown, testPostgres } from '../support/postgres.js';

/** As OTLP has them in JSON, with the server that sent them. */
interface Span {
  readonly server: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code?: number; readonly message?: string };
}

/** A collector that takes OTLP over HTTP, for as long as its status says so. */
async function collector(t: Teardown) {
  const state = { spans: [] as Span[], status: 200, asked: 0, url: '' };
  const server = createServer(async (request, response) => {
    state.asked++;
    let body = '';
    for await (const chunk of request) body += chunk;
    if (state.status === 200)
      for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans ?? []) // webhooks come here too
        for (const { spans } of scopeSpans)
          for (const span of spans) state.spans.push({ ...span, server: attribute(resource, 'service.instance.id') });
    response.writeHead(state.status, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return state;
}

function attribute(of: Pick<Span, 'attributes'>, key: string): unknown {
  const value = of.attributes.find((each) => each.key === key)?.value;
  return value && Object.values(value)[0];
}

/** Batches leave once a second, and a loaded machine takes its time. */
const until = (condition: Parameters<typeof soon>[0], what: string) => soon(condition, what, 60_000);

const ALICE = 1;
const BOB = 2;
const CALLER = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';

t.test('in a cluster', async (t) => {
  const told = await collector(t);
  const on = { traceCollector: told.url, traceRatio: 1 };
  const cluster = await TestCluster.start(t, await testPostgres(t), {
    msgServers: 2,
    groups: [{ name: 'ours', memberIds: [1, 2, 3] }],
    msg: on,
    dbProxy: on,
    route: on,
    push: on,
    httpMsg: { ...on, webhookNetworks: [ipaddr.parseCIDR('127.0.0.0/8')], webhookRetryMs: 20 },
  });
  const api = caller(cluster.httpMsg[0]!.url, await cluster.apiKey());
  const spansOf = (traceId: string) => told.spans.filter((span) => span.traceId === traceId);
  const named = (traceId: string, name: string) => spansOf(traceId).filter((span) => span.name === name);
  const alice = await cluster.login('alice', { capabilities: ['ack2', 'err1'] });
  const bob = await cluster.login('bob', { at: 1 });

  await t.test('a message is one trace over all servers that had it', async (t) => {
    const phone = await cluster.login('bob', { clientType: IM.BaseDefine.ClientType.CLIENT_TYPE_IOS });
    await phone.ask(login.deviceToken, { userId: 0, deviceToken: 'a phone' });
    phone.close();
    const hook = { url: told.url.replace('/v1/traces', '/hook') };
    t.equal((await api('POST', '/api/v1/webhooks', hook)).status, 201);
    const { msgId } = await alice.say(BOB, 'to be traced');
    const trace = messageTrace(singleConversation(ALICE, BOB), msgId);
    const names = ['message', 'ask to store', 'store', 'commit', 'publish', 'deliver', 'push', 'webhook'];
    await until(() => names.every((name) => named(trace, name).length > 0), names.join(', '));
    const [message, ask, store, commit, publish, deliver, push, webhook] = names.map((name) => named(trace, name)[0]!);
    t.same([message!.server, ask!.server], ['msg-1', 'msg-1']);
    t.same([store!.server, publish!.server, deliver!.server], ['db-proxy-1', 'route-1', 'msg-2']);
    t.same([push!.server, webhook!.server], ['push', 'http-msg-1']);
    t.equal(message!.parentSpanId || undefined, undefined, 'it begins where the sender is');
    t.equal(ask!.parentSpanId, message!.spanId);
    t.equal(store!.parentSpanId, ask!.spanId);
    t.equal(commit!.parentSpanId, store!.spanId);
    t.equal(publish!.parentSpanId, message!.spanId);
    t.equal(deliver!.parentSpanId, publish!.spanId);
    t.same([push!.parentSpanId, webhook!.parentSpanId], [store!.spanId, store!.spanId]);
    t.equal(attribute(message!, 'teamtalk.conversation'), String(singleConversation(ALICE, BOB)));
    t.notOk(JSON.stringify(told.spans).includes('to be traced'), 'what it says is nowhere');
    const ids = spansOf(trace).map(({ spanId }) => spanId);
    t.equal(new Set(ids).size, ids.length, 'no two steps have one id');
    for (const span of spansOf(trace))
      t.ok(
        BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano),
        `${span.name} does not end before it begins`,
      );
  });

  await t.test('a message sent again is a step of its own, and one that is refused says why', async (t) => {
    const sendId = Buffer.alloc(16, 7);
    const { msgId } = await alice.say(BOB, 'twice', { sendId });
    await alice.say(BOB, 'twice', { sendId });
    const trace = messageTrace(singleConversation(ALICE, BOB), msgId);
    await until(() => named(trace, 'message').length === 2 && named(trace, 'look up').length > 0, 'both');
    const [first] = named(trace, 'message').filter((span) => attribute(span, 'teamtalk.again') === false);
    const [again] = named(trace, 'message').filter((span) => attribute(span, 'teamtalk.again') === true);
    t.equal(again!.parentSpanId, first!.spanId);
    await t.rejects(alice.sayGroup(99, 'not mine'), 'no such group');
    const refused = () => told.spans.find((span) => span.status.code === 2 && span.name === 'message');
    await until(() => refused() !== undefined, 'the refused one');
    t.match(refused()!.status.message, /NOT_A_MEMBER|NO_SUCH_GROUP/);
    t.equal(attribute(refused()!, 'teamtalk.conversation'), String(groupConversation(99)));
  });

  await t.test('a log-in goes on in the db-proxy', async (t) => {
    await t.rejects(cluster.login('carol', { password: 'wrong' }));
    await cluster.login('carol');
    const logins = () => told.spans.filter(({ name }) => name === 'log-in');
    const checks = () => told.spans.filter(({ name }) => name === 'check the log-in');
    await until(() => logins().length >= 5 && checks().length >= 5, 'all log-ins');
    for (const each of logins()) {
      const check = checks().find(({ parentSpanId }) => parentSpanId === each.spanId);
      t.same([check?.server, check?.traceId], ['db-proxy-1', each.traceId]);
    }
    t.equal(logins().filter(({ status }) => status.code === 2).length, 1, 'the wrong password is a failure');
    t.notOk(/carol|wrong/.test(JSON.stringify(told.spans)), 'neither names nor passwords are told');
  });

  await t.test('an HTTP call belongs to the trace of its caller, and points at the message', async (t) => {
    const caller = `00-${CALLER}-bbbbbbbbbbbbbbbb-01`;
    const content = { type: 'text', text: 'by HTTP' };
    const body = { from: ALICE, to: { group: 1 }, content };
    const { status, body: sent } = await api('POST', '/api/v1/messages', body, { traceparent: caller });
    t.equal(status, 201);
    await until(() => spansOf(CALLER).length > 0, 'the call');
    const [call] = spansOf(CALLER);
    t.match(call, { server: 'http-msg-1', name: 'POST', parentSpanId: 'bbbbbbbbbbbbbbbb' });
    t.equal(attribute(call!, 'http.route'), '/api/v1/messages');
    const trace = messageTrace(groupConversation(1), sent.number);
    await until(() => named(trace, 'deliver').length === 2, 'the message at both msg servers');
    t.match(call!.links, [{ traceId: trace, spanId: named(trace, 'message')[0]!.spanId }]);
    const unwanted = `00-${CALLER.replaceAll('a', 'c')}-bbbbbbbbbbbbbbbb-00`;
    await api('GET', '/api/v1/groups', undefined, { traceparent: unwanted });
    await api('GET', '/api/v1/users', undefined, { traceparent: `00-${'d'.repeat(32)}-bbbbbbbbbbbbbbbb-01` });
    await until(() => spansOf('d'.repeat(32)).length > 0, 'the call after it');
    t.equal(spansOf('c'.repeat(32)).length, 0, 'a caller who does not want it traced has his way');
  });

  await t.test('a collector that fails changes nothing for messages, and what is lost is counted', async () => {
    told.status = 400;
    const asked = told.asked;
    await alice.say(BOB, 'while nobody collects');
    await until(() => told.asked > asked, 'an attempt');
    await until(async () => (await cluster.metric('msg-1', 'trace_spans_total', 'result="dropped"')) > 0, 'the count');
    await bob.say(ALICE, 'and on it goes');
    told.status = 200;
    const { msgId } = await alice.say(BOB, 'collected again');
    await until(() => named(messageTrace(singleConversation(ALICE, BOB), msgId), 'message').length > 0, 'the next one');
  });
});

t.test('the queue is bounded, and a collector that is away is one line in the log', async (t) => {
  const told = await collector(t);
  told.status = 400;
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const metrics = new Metrics('test', 'test');
  const settings = readSettings('msg', commonSettings, { env: { TT_TRACE_COLLECTOR: told.url, TT_TRACE_RATIO: '1' } });
  const telemetry = (await Telemetry.open(settings, { name: 'test', role: 'test', log, metrics }))!;
  const dropped = async () => {
    const page = await metrics.registry.metrics();
    return Number(/trace_spans_total\{result="dropped".*\} (\d+)/.exec(page)?.[1] ?? 0);
  };
  const add = () => telemetry.add({ name: 'step', place: freshSpan(), startMs: 0, endMs: 1 });
  for (let i = 0; i < 10_000; i++) add();
  t.equal(await dropped(), 10_000 - 4_096, 'what does not fit is dropped at once');
  await until(async () => (await dropped()) === 10_000, 'the rest to be refused');
  t.same(lines, ['the collector takes no traces']);
  told.status = 200;
  add();
  await until(() => told.spans.length === 1, 'a span that is taken');
  await until(() => lines.length === 2, 'a word of it');
  add();
  await telemetry.close();
  t.equal(told.spans.length, 2, 'the last ones go when the server stops');
});

t.test('nothing is made without a collector', async (t) => {
  const settings = readSettings('msg', commonSettings, { env: {} });
  const surroundings = {
    name: 'test',
    role: 'test',
    log: pino({ level: 'silent' }),
    metrics: new Metrics('test', 'test'),
  };
  t.equal(await Telemetry.open(settings, surroundings), undefined);
});

t.test('a part of the messages, the same ones at every server', async (t) => {
  const ids = Array.from({ length: 20_000 }, (_, i) => [singleConversation(1 + (i % 50), 100), 1 + i] as const);
  const sampled = ids.filter(([id, msgId]) => isMessageSampled(id, msgId, 0.1));
  t.ok(sampled.length > 1_800 && sampled.length < 2_200, `about a tenth: ${sampled.length}`);
  t.ok(
    sampled.every(([id, msgId]) => isMessageSampled(id, msgId, 0.2)),
    'a larger part has the smaller one in it',
  );
  t.notOk(ids.some(([id, msgId]) => isMessageSampled(id, msgId, 0)));
  t.ok(ids.every(([id, msgId]) => isMessageSampled(id, msgId, 1)));
});

t.test('traceparent', async (t) => {
  const [trace, span] = ['a'.repeat(32), 'b'.repeat(16)];
  t.same(parseTraceparent(`00-${trace}-${span}-01`), { place: { traceId: trace, spanId: span }, sampled: true });
  t.equal(parseTraceparent(`00-${trace}-${span}-02`)?.sampled, false);
  t.equal(parseTraceparent(`cc-${trace}-${span}-01-of later`)?.sampled, true, 'a later version may say more');
  const wrong = [undefined, '', 'x', `00-${trace}-${span}`, `ff-${trace}-${span}-01`, `00-${trace}-${span}-01-more`];
  const more = [
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
  ];
  for (const each of [...wrong, ...more]) t.equal(parseTraceparent(each), undefined, `${each}`);
});
