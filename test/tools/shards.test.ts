/**
 * Buckets change their PostgreSQL under people who chat without a pause, through two msg servers and two db-proxies. The
 * mover is killed at every point at which it leaves something behind, stopped, and loses the servers it works with.
 * Nobody may notice more than a wait. What the tool says and refuses is here as well; the mover alone is in
 * servers/db-proxy/move.test.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { ChatMessage, Client } from '../../common/client/client.js';
import { bucketOf, groupConversation, singleConversation, userBucketOf } from '../../common/conversation.js';
import { IM } from '../../common/pdu/pb.js';
import { projectRoot } from '../../common/root.js';
import { moveBucket, type Phase } from '../../servers/db-proxy/storage/move.js';
import { addShard, readShards, removeShard } from '../../servers/db-proxy/storage/shard-admin.js';
import { freshDatabase, TestCluster, until } from '../support/cluster.js';
import { HistoryChecker } from '../support/history-checker.js';
import { type Teardown, testPostgres } from '../support/postgres.js';
import { startProcesses, temporaryData } from '../support/processes.js';
import { ShardProbe, switching, writing } from '../support/shard-probe.js';

const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = IM.BaseDefine.SessionType;
const TALKERS = ['alice', 'bob', 'carol', 'dave'];
/** In the group, says nothing, and reads. */
const READER = 'nora';
const GROUP_ID = 1;
/** Messages that one talker has under way: to his partner, and to the group. */
const IN_FLIGHT = [SINGLE, SINGLE, SINGLE, GROUP] as const;
/** Between an ack and the next message, so that the machine is kept busy by the moves and not by the talk. */
const PAUSE_MS = 100;
const PAGE = 20;

// -------------------------------------------------------------------------------------------------- the servers

/** The first one has meta, shard-1 and shard-2, the other one shard-3. */
const [postgres, far] = await Promise.all([testPostgres(t), testPostgres(t)]);
const cluster = await TestCluster.start(t, postgres, {
  dbProxies: 2,
  users: [...TALKERS, READER],
  groups: [{ name: 'all', memberIds: [1, 2, 3, 4, 5] }],
  // A loaded machine may take its time; nobody gives up over that.
  dbProxy: { storeTimeoutMs: 30_000 },
  msg: { askTimeoutMs: 40_000 },
});
// The two msg servers prefer different db-proxies for one conversation, so that both write to it.
const dbProxies = cluster.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port })).reverse();
await cluster.addMsgServer({ msg: { dbProxies, askTimeoutMs: 40_000 } });
const metaUrl = cluster.databaseUrl;
const urls: Readonly<Record<string, string>> = {
  'shard-1': metaUrl,
  'shard-2': await freshDatabase(postgres),
  'shard-3': await freshDatabase(far),
};
for (const name of ['shard-2', 'shard-3']) await addShard(metaUrl, name, urls[name]!);

const probe = new ShardProbe(t, metaUrl, urls);

type Tap = Pick<typeof t, 'equal' | 'ok' | 'match' | 'same' | 'comment' | 'teardown'>;

// ------------------------------------------------------------------------------------------------------ the talk

const checker = new HistoryChecker();
const faults: string[] = [];

interface Talker {
  readonly name: string;
  readonly client: Client;
  readonly partner: number;
  /** When the newest message was sent that was acked. */
  ackedMs: number;
}

/** By conversation: the newest message that somebody has an ack of. */
const acked = new Map<string, number>();
let quiet = false;
let reads = 0;
/** A bucket that nobody holds cannot be read; unless a test brings that about, it never takes long. */
let readsMayFail = false;

function conversationOf(type: number, a: number, b: number): string {
  return type === GROUP ? 'group' : `${Math.min(a, b)} and ${Math.max(a, b)}`;
}

async function enter(name: string, at: number): Promise<Client> {
  const client = await cluster.login(name, { at, askTimeoutMs: 45_000, pushesMax: 1 });
  client.on('message', ({ sessionType, sessionId, text = '', msgId }: ChatMessage) =>
    checker.deliver(conversationOf(sessionType, sessionId, client.userId), name, text, msgId),
  );
  return client;
}

async function talk(talker: Talker, type: number, line: number): Promise<void> {
  const { client, name, partner } = talker;
  const conversation = conversationOf(type, client.userId, partner);
  for (let count = 1; !quiet; count++) {
    const text = `${name} ${line}.${count}`;
    const nowMs = performance.now();
    checker.send(conversation, client.userId, name, text);
    try {
      const { msgId } = await (type === GROUP ? client.sayGroup(GROUP_ID, text) : client.say(partner, text));
      checker.ack(conversation, text, msgId);
      acked.set(conversation, Math.max(acked.get(conversation) ?? 0, msgId));
      talker.ackedMs = Math.max(talker.ackedMs, nowMs);
    } catch (error) {
      faults.push(`"${text}" failed: ${(error as Error).message}`);
    }
    await delay(PAUSE_MS);
  }
}

/** Looks at the end of a conversation again and again: what anybody has an ack of is there, and so is what is before. */
async function watch(reader: Client, type: number, sessionId: number): Promise<void> {
  const conversation = conversationOf(type, reader.userId, sessionId);
  while (!quiet) {
    const least = acked.get(conversation) ?? 0;
    const page = await reader.history(type, sessionId, 0, PAGE).catch((error: Error) => {
      if (!readsMayFail) faults.push(`a read of ${conversation} failed: ${error.message}`);
      return undefined;
    });
    if (page !== undefined && least > 0) judgePage(conversation, least, page);
    await delay(PAUSE_MS);
  }
}

function judgePage(conversation: string, least: number, page: readonly ChatMessage[]): void {
  const newest = page[0]?.msgId ?? 0;
  if (newest < least) faults.push(`${conversation} ends with ${newest}, but ${least} was acked before it was asked`);
  if (page.length < Math.min(newest, PAGE) || page.some(({ msgId }, place) => msgId !== newest - place))
    faults.push(`${conversation} has holes: ${page.map(({ msgId }) => msgId)}`);
  reads++;
}

/** Reads on in the group: no position is lost, and none goes back. @returns the last one */
async function readOn(reader: Client): Promise<number> {
  let position = 0;
  const isAt = async () => [undefined, position].includes(await positionOf(reader));
  while (!quiet) {
    const wanted = acked.get('group') ?? 0;
    if (wanted > position) {
      reader.markRead(GROUP, GROUP_ID, wanted);
      position = wanted;
      await until(isAt, `${READER} to have read up to ${wanted}`, 30_000);
    }
    if (!(await isAt())) faults.push(`${READER} had read up to ${position}, and then no more`);
    await delay(PAUSE_MS);
  }
  return position;
}

/** How far the group is read; undefined: to its end. */
async function positionOf(reader: Client): Promise<number | undefined> {
  const group = (await reader.unread()).list.find((each) => each.sessionType === GROUP);
  return group && group.latestMsgId - group.unreadCnt;
}

const talkers = await Promise.all(
  TALKERS.map(async (name, i): Promise<Talker> => {
    const client = await enter(name, i % 2);
    return { name, client, partner: (i ^ 1) + 1, ackedMs: 0 };
  }),
);
const reader = await enter(READER, 1);
const reading = readOn(reader);
const going = [
  ...talkers.flatMap((talker) => IN_FLIGHT.map((type, line) => talk(talker, type, line))),
  ...talkers.map(({ client, partner }) => watch(client, SINGLE, partner)),
  watch(reader, GROUP, GROUP_ID),
];
await acksFlow();

/** Waits until everybody has the ack of a message that he sent from now on. */
async function acksFlow(): Promise<void> {
  const nowMs = performance.now();
  await until(() => talkers.every((talker) => talker.ackedMs > nowMs), 'acks to flow', 30_000);
}

const ALICE_AND_BOB = bucketOf(singleConversation(1, 2));
const CAROL_AND_DAVE = bucketOf(singleConversation(3, 4));
const GROUP_BUCKET = bucketOf(groupConversation(GROUP_ID));
/** Of the conversations, and of the lists that people have of them. */
const BUCKETS_IN_USE = [
  ...new Set([ALICE_AND_BOB, CAROL_AND_DAVE, GROUP_BUCKET, ...[1, 2, 3, 4, 5].map(userBucketOf)]),
];

// ------------------------------------------------------------------------------------------------------ the tool

interface Told {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

class Tool {
  readonly process: ChildProcess;
  readonly ended: Promise<Told>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const kept = Object.entries(process.env).filter(([name]) => !/^(TT_|DATABASE_URL$|PG)/.test(name));
    this.process = spawn(process.execPath, [join(projectRoot, 'dist/tools/shards.js'), ...args], {
      env: { ...Object.fromEntries(kept), ...env },
      stdio: 'pipe',
    });
    const texts = [this.process.stdout!, this.process.stderr!].map((stream) => textOf(stream));
    this.ended = once(this.process, 'close').then(async ([code]) => {
      const [out, err] = (await Promise.all(texts)) as [string, string];
      return { code, out, err };
    });
  }

  /** kill -9 */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

function tool(...args: string[]): Promise<Told> {
  return new Tool([...args, '--database', metaUrl]).ended;
}

// ----------------------------------------------------------------------------------------------------- the moves

t.test('buckets move to another database and another server and back, and nobody notices', async (t) => {
  const fences: number[] = [];
  for (const target of ['shard-3', 'shard-2', 'shard-1']) {
    for (const bucket of BUCKETS_IN_USE) fences.push((await moveBucket(metaUrl, bucket, target))!.fenceMs!);
    await acksFlow();
    await probe.assertSettled(t, GROUP_BUCKET, target);
  }
  t.equal((await moveBucket(metaUrl, GROUP_BUCKET, 'shard-1')) ?? 'nothing', 'nothing', 'it is there already');
  fences.sort((a, b) => a - b);
  t.comment(`${fences.length} moves, fenced ${fences.map(Math.round).join(' ')} ms`);
  t.same(faults, []);
});

/** Where a mover can be held up from outside, in the order in which it comes there; and what it has done by then. */
interface Point {
  readonly name: string;
  readonly phase: Phase;
  /** Where it waits: the server of this shard, or of meta. */
  readonly at: 'meta' | 'source' | 'target';
  /** Gets into its way. @returns what gets out of it again */
  block(t: Teardown, bucket: number, source: string, target: string): Promise<() => Promise<void>>;
  /** Who has the bucket then. */
  readonly held: { readonly source: string | undefined; readonly target: string | undefined };
  /** Messages of it can be stored. */
  readonly serves: boolean;
}

const lockRow = (bucket: number) => `select from meta.bucket_move where bucket = ${bucket} for update`;
const OPEN = { source: 'open', target: undefined };
const FENCED = { source: 'fenced', target: undefined };

const POINTS: readonly Point[] = [
  {
    name: 'before the first row',
    phase: 'copying',
    at: 'target',
    block: (t, _bucket, _source, target) => probe.hold(t, urls[target]!, 'lock table shard.message in share mode'),
    held: OPEN,
    serves: true,
  },
  {
    name: 'when all rows are over',
    phase: 'copying',
    at: 'meta',
    async block(t, bucket, _source, target) {
      const letCopy = await probe.hold(t, urls[target]!, 'lock table shard.message in share mode'); // or it may be through
      await until(async () => (await probe.phaseOf(bucket)) !== undefined, 'the move to begin');
      const end = await probe.hold(t, metaUrl, lockRow(bucket));
      await letCopy();
      return end;
    },
    held: OPEN,
    serves: true,
  },
  {
    name: 'while it waits for a writer',
    phase: 'fenced',
    at: 'source',
    block: (t, bucket, source) => probe.hold(t, urls[source]!, writing(bucket)),
    held: OPEN,
    serves: true,
  },
  {
    name: 'before the switch',
    phase: 'fenced',
    at: 'meta',
    block: (t) => probe.hold(t, metaUrl, switching),
    held: FENCED,
    serves: false,
  },
  {
    name: 'before the source lets go',
    phase: 'switched',
    at: 'source',
    async block(t, bucket, source) {
      const letSwitch = await probe.hold(t, metaUrl, switching);
      await until(async () => (await probe.stateOf(bucket, source)) === 'fenced', 'the fence');
      const end = await probe.hold(
        t,
        urls[source]!,
        `select pg_advisory_xact_lock_shared(hashtext('shard.bucket'), ${bucket})`,
      );
      await letSwitch();
      return end;
    },
    held: FENCED,
    serves: false,
  },
  {
    name: 'before the target takes over',
    phase: 'switched',
    at: 'target',
    block: (t, _bucket, _source, target) => probe.hold(t, urls[target]!, 'lock table shard.bucket in share mode'),
    held: { source: undefined, target: undefined },
    serves: false,
  },
  {
    name: 'while it deletes',
    phase: 'switched',
    at: 'source',
    block: (t, bucket, source) =>
      probe.hold(t, urls[source]!, `select from shard.message where bucket = ${bucket} for key share`),
    held: { source: undefined, target: 'open' },
    serves: true,
  },
];

/** Lets the tool move a bucket until it comes to the point. */
async function upTo(t: Teardown, point: Point, bucket: number, source: string, target: string) {
  const mover = new Tool(['move', `${bucket}`, '--to', target, '--database', metaUrl]);
  t.teardown(() => mover.kill());
  const free = await point.block(t, bucket, source, target);
  const at = point.at === 'meta' ? metaUrl : urls[point.at === 'source' ? source : target]!;
  const isThere = async () => (await probe.phaseOf(bucket)) === point.phase && (await probe.isStuck(at));
  let told: Told | undefined;
  void mover.ended.then((it) => (told = it));
  await until(async () => told !== undefined || (await isThere()), `the mover ${point.name}`, 20_000);
  if (told !== undefined) throw new Error(`the mover ended ${point.name}: ${told.out} ${told.err}`);
  return { mover, free };
}

t.test('a mover that is killed', async (t) => {
  readsMayFail = true;
  let source = 'shard-1';
  let target = 'shard-3';
  for (const point of POINTS) {
    await t.test(point.name, async (t) => {
      const bucket = ALICE_AND_BOB;
      const { mover, free } = await upTo(t, point, bucket, source, target);
      await mover.kill();
      await probe.untilForgotten();
      await free();
      t.equal(await probe.stateOf(bucket, source), point.held.source, 'the source');
      t.equal(await probe.stateOf(bucket, target), point.held.target, 'the target');
      const [listed] = (await readShards(metaUrl)).moves;
      t.match(listed, { bucket, source, target, phase: point.phase });
      if (point.serves) await acksFlow();
      const { code, out, err } = await tool('resume');
      t.match({ code, err }, { code: 0, err: '' });
      t.match(out, new RegExp(`^bucket ${bucket}: ${source} → ${target}, `));
      await probe.assertSettled(t, bucket, target);
      await acksFlow();
    });
    [source, target] = [target, source];
  }
  readsMayFail = false;
  t.same(faults, []);
});

t.test('a mover that is told to stop', async (t) => {
  readsMayFail = true;
  const [bucket, source, target] = [ALICE_AND_BOB, 'shard-3', 'shard-1'];
  const rest = `${bucket === 255 ? 254 : 255}`;

  await t.test('before the switch goes back', async (t) => {
    const { mover, free } = await upTo(t, POINTS[0]!, bucket, source, target);
    mover.process.kill('SIGINT');
    await free();
    const { code, out, err } = await mover.ended;
    t.match({ code, out }, { code: 130, out: '' });
    t.match(err, `bucket ${bucket} stays on ${source}, open: interrupted`);
    await probe.assertSettled(t, bucket, source);
  });

  await t.test('later goes on until the target is in charge, and leaves rows to be removed', async (t) => {
    const { mover, free } = await upTo(t, POINTS[6]!, bucket, source, target);
    mover.process.kill('SIGTERM');
    await free();
    const { code, err } = await mover.ended;
    t.equal(code, 130);
    t.match(err, `bucket ${bucket} is on ${target}, open; \`npm run shards -- resume\` removes what is left`);
    t.equal(await probe.phaseOf(bucket), 'switched');
    t.match(await tool('move', `${bucket}`, rest, '--to', target), { code: 0, err: '' }, 'the next move does the same');
    await probe.assertSettled(t, bucket, target);
  });
  await acksFlow();
  readsMayFail = false;
  t.same(faults, []);
});

t.test('a target that dies', async (t) => {
  const [bucket, source, target] = [ALICE_AND_BOB, 'shard-1', 'shard-3'];
  const { mover, free } = await upTo(t, POINTS[2]!, bucket, source, target);
  await far.kill();
  await free();
  const { code, err } = await mover.ended;
  t.equal(code, 1);
  t.match(err, `bucket ${bucket} stays on ${source}, open: `);
  t.equal(await probe.stateOf(bucket, source), 'open');
  t.equal(await probe.phaseOf(bucket), undefined);
  await acksFlow();

  const again = await tool('move', `${bucket}`, '--to', target);
  t.match(again, { code: 69, err: /^cannot reach shard-3 \(127\.0\.0\.1:\d+\/\w+\): connect ECONNREFUSED/ });
  t.match((await tool('list')).out, /shard-3 .* \? cannot reach shard-3/);
  t.match(await tool('balance'), { code: 69, out: '', err: /^cannot reach shard-3/ }, 'who has what is not known');
  t.equal(await probe.phaseOf(bucket), undefined);
  await moveBucket(metaUrl, bucket, 'shard-2'); // a shard that nobody can reach keeps nobody from using the others
  await acksFlow();

  await far.start();
  t.match(await tool('move', `${bucket}`, '--to', target), { code: 0 }, 'what is left there is no trouble');
  await probe.assertSettled(t, bucket, target);
  t.same(faults, []);
});

t.test('all that was ever acked is there, once, in order', async (t) => {
  quiet = true;
  await Promise.all(going);
  const position = await reading;
  for (const { client, partner } of talkers.filter((_, i) => i % 2 === 0))
    await readHistory(t, client, SINGLE, partner);
  const head = await readHistory(t, reader, GROUP, GROUP_ID);
  const { list } = await reader.unread();
  t.equal(list.find((each) => each.sessionType === GROUP)?.unreadCnt ?? 0, head - position, 'unread is exact');
  for (const { kind, conversation, detail } of checker.faults()) faults.push(`${kind} in ${conversation}: ${detail}`);
  t.same(faults, []);
  t.ok(checker.acked > 1_000 && reads > 200, `${checker.acked} messages and ${reads} reads were judged`);
});

async function readHistory(t: Tap, client: Client, type: number, sessionId: number): Promise<number> {
  const conversation = conversationOf(type, client.userId, sessionId);
  const head = await client.latestId(type, sessionId);
  let count = 0;
  for (let begin = 0; begin !== 1; ) {
    const page: ChatMessage[] = await client.history(type, sessionId, Math.max(0, begin - 1), 200);
    if (page.length === 0) break;
    checker.page(
      conversation,
      page.map(({ msgId, fromUserId, text = '' }) => ({ msgId, sender: fromUserId, text })),
    );
    count += page.length;
    begin = page.at(-1)!.msgId;
  }
  t.equal(count, head, `${conversation} has ${head} messages`);
  return head;
}

// -------------------------------------------------------------------------------------- what the tool says and does

t.test('list shows what is where, and no password', async (t) => {
  const { code, out } = await tool('list');
  t.equal(code, 0);
  t.match(out, /^shard +database +buckets +messages +size +which\n/);
  t.match(out, new RegExp(`shard-1 +127.0.0.1:${postgres.port}/test_\\w+ +255 +[\\d,]+ +[\\d.]+ MB +0-`));
  t.match(out, new RegExp(`shard-3 +127.0.0.1:${far.port}/test_\\w+ +1 +[\\d,]+ +[\\d.]+ MB +${ALICE_AND_BOB}\\n`));
  t.match(out, /\nbucket map version \d+\n$/);
  t.notMatch(out, new URL(metaUrl).password);
  const { shards } = JSON.parse((await tool('list', '--json')).out);
  const messages = shards.reduce((sum: number, shard: { messages: number }) => sum + shard.messages, 0);
  t.equal(messages, checker.acked, 'every message is counted once');
});

t.test('what cannot be done is refused, with what to do instead', async (t) => {
  const taken = await freshDatabase(postgres);
  await probe.query(taken, 'create table accounts (id int)');
  const { password, pathname } = new URL(metaUrl);
  const self = `postgres://teamtalk:${password}@localhost:${postgres.port}${pathname}`;
  const refusals: readonly (readonly [work: () => Promise<unknown>, why: RegExp])[] = [
    [() => addShard(metaUrl, 'shard-2', '/elsewhere'), /there is a shard shard-2 already, at 127\.0\.0\.1/],
    [() => addShard(metaUrl, 'Shard_4', '/elsewhere'), /no name for a shard/],
    [() => addShard(metaUrl, 'shard-4', '/elsewhere'), /cannot reach shard-4 .*"elsewhere" does not exist/],
    [() => addShard(metaUrl, 'shard-4', 'mysql://localhost/z'), /no URL such as postgres:/],
    [() => addShard(metaUrl, 'shard-4', self), /that database is shard-1 already/],
    [() => addShard(metaUrl, 'shard-4', taken), /is not empty \(it has public\.accounts\)/],
    [() => removeShard(metaUrl, 'shard-4'), /there is no shard shard-4; there are shard-1, shard-2, shard-3/],
    [() => removeShard(metaUrl, 'shard-3'), new RegExp(`first .npm run shards -- move ${ALICE_AND_BOB} --to <another`)],
    [() => moveBucket(metaUrl, 7, 'nowhere'), /there is no shard nowhere: `npm run shards -- list`/],
  ];
  for (const [work, why] of refusals) {
    const error = (await work().catch((it) => it)) as Error;
    t.match(error.message, why);
    t.notMatch(error.message, password);
  }
  const told: readonly (readonly [args: readonly string[], code: number, err: RegExp])[] = [
    [['move', '1', '--to', 'nowhere'], 1, /there is no shard nowhere/],
    [['move', '1,9-3', '--to', 'shard-2'], 1, /expected numbers from 0 to 255, or ranges/],
    [['add', 'shard-4', 'postgres://x:y@127.0.0.1:1/z'], 69, /cannot reach shard-4 \(127\.0\.0\.1:1\/z\): connect EC/],
  ];
  for (const [args, code, err] of told) t.match(await tool(...args), { code, out: '', err }, args.join(' '));
  const nowhere = new Tool(['list', '--data', join(far.dir, 'none')]);
  t.match(await nowhere.ended, { code: 78, err: /which database\? .*Give --data/ });
});

t.test('a shard comes and goes', async (t) => {
  const fresh = await freshDatabase(far);
  const adding = new Tool(['add', 'shard-4', '-'], { DATABASE_URL: metaUrl });
  adding.process.stdin!.end(`${fresh}\n`);
  t.match(await adding.ended, { code: 0, out: /^shard-4 is a shard now/ }, 'its URL comes from stdin');
  t.match(await tool('add', 'shard-4', fresh), { code: 0, out: /already/ }, 'twice is no harm');
  t.match(await tool('move', '1-2', '--to', 'shard-4'), {
    code: 0,
    out: /^bucket 1: .*\nbucket 2: .*MB\/s.*no writes for/,
  });
  t.match(await tool('remove', 'shard-4'), { code: 1, err: /holds 2 buckets/ });
  t.match(await tool('move', '1,2', '--to', 'shard-1'), { code: 0 });
  t.match(await tool('remove', 'shard-4'), { code: 0 });
  t.match(await tool('list'), { out: /^((?!shard-4).)*$/s });
  t.match(await tool('add', 'shard-4', fresh), { code: 0, out: /^shard-4 is a shard now/ }, 'and comes back');
});

t.test('the launcher makes shards', async (t) => {
  const data = await temporaryData(t);
  const env = { DATABASE_URL: await freshDatabase(postgres) };
  const first = await startProcesses(t, { data, env, args: ['--shards', '2', '--no-demo'] });
  const numbers = async () => (await readShards(env.DATABASE_URL)).shards.map(({ buckets }) => buckets.length);
  t.same(await numbers(), [128, 128], 'a new cluster is spread evenly');
  await first.stop();
  const second = await startProcesses(t, { data, env, args: ['--shards', '3', '--no-demo'] });
  t.same(await numbers(), [128, 128, 0], 'one in use is left as it is');
  t.ok(
    second.stderr.some((line) => /shard-3.*npm run shards -- balance/.test(line)),
    'and it is told what to do',
  );

  // Tools find the database in the folder of the data, and nobody else does.
  t.equal((await stat(join(data, 'database.url'))).mode & 0o777, 0o600);
  for (const bucket of [0, 1, 2]) await moveBucket(env.DATABASE_URL, bucket, 'shard-2');
  const even = await new Tool(['balance', '--dry-run', '--data', data]).ended;
  t.match(even.out, /^shard-1 → shard-3: 40 buckets, .*\nshard-2 → shard-3: 45 buckets/);
  await second.stop();
});
