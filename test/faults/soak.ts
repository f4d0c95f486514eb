import { writeFile } from 'node:fs/promises';
import { bucketOf, groupConversation, singleConversation, userBucketOf } from '../../common/conversation.js';
import { IM } from '../../common/pdu/pb.js';
import { demoName } from '../../tools/cluster/demo.js';
import { PORTS } from '../../tools/cluster/plan.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { type Fault, HistoryChecker } from '../support/history-checker.js';
import type { Teardown } from '../support/postgres.js';
import { PostgresPair } from '../support/postgres-pair.js';
import { freePortOffset, type RunningCluster, startProcesses, temporaryData } from '../support/processes.js';
import { testRedisCluster, whyNoRedis } from '../support/redis.js';
import { runTool } from '../support/tool.js';
import { until } from '../support/until.js';
import { Chatter, type Company, type Place, type Tally } from './chatter.js';
import { type Disturbance, Disturber, Mover, SERVERS } from './disturber.js';
import { Random } from './random.js';

/**
 * The whole cluster as processes, and people who chat in pairs and groups through all of it, read, page and look up what
 * has changed, while servers, PostgreSQL and Redis are killed and paused, the network fails and buckets move between shards. Then the histories are read, and
 * the checker judges all that anybody has seen.
 */
export interface SoakOptions {
  /** At least so many are sent. */
  readonly messages: number;
  /** How many messages each of the chatters may send in a second; default: that of msg servers. */
  readonly sendsPerSecond?: number;
  /** And so long that there were so many; default: that every kind has had its turn. */
  readonly disturbances?: number;
  /** And for so long, in ms; default: any time will do. */
  readonly msMin?: number;
  /** No new disturbance and no new message after so long, however many there were, in ms. */
  readonly msMax: number;
  readonly seed: number;
  /** A file for what the servers and the launcher have logged. */
  readonly log?: string;
  hear(line: string): void;
}

export interface SoakReport {
  readonly tally: Tally;
  readonly faults: readonly Fault[];
  readonly disturbances: readonly Disturbance[];
  readonly bucketsMoved: number;
  readonly moversKilled: number;
  readonly movesTakenUp: number;
  /** Of the chat itself. */
  readonly ms: number;
  /** Servers that ended by a fault of their own. */
  readonly crashes: readonly string[];
  /** What fsck has to say; empty when all agrees. */
  readonly fsck: string;
}

const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = IM.BaseDefine.SessionType;
/** On the machine's disk, as an operator would have it; the launcher's own have these, too. */
const POSTGRES = { fsync: 'on', shared_buffers: '256MB', max_connections: 300 };
const CHATTERS = 24;
const SHARDS = ['shard-1', 'shard-2', 'shard-3'];
const HEAR_MS = 10_000;

export async function soak(t: Teardown, options: SoakOptions): Promise<SoakReport> {
  const random = new Random(options.seed);
  const data = await temporaryData(t);
  const redis =
    (await whyNoRedis()) === undefined ? await testRedisCluster(t, { replicas: 1 }) : { nodes: [], url: '' };
  const postgres = await PostgresPair.start(t, POSTGRES);
  const counts = {
    'msg-servers': SERVERS,
    'db-proxies': SERVERS,
    'route-servers': SERVERS,
    shards: SHARDS.length,
    'demo-users': CHATTERS,
  };
  const args = Object.entries(counts).flatMap(([name, count]) => [`--${name}`, `${count}`]);
  const portOffset = await freePortOffset();
  const dbProxies = await proxiesOf(t, PORTS.dbProxy + portOffset);
  const routes = await proxiesOf(t, PORTS.route + portOffset);
  const env = {
    DATABASE_URL: postgres.url,
    TT_MSG_DB_PROXIES: addressesOf(dbProxies),
    TT_MSG_ROUTE_SERVERS: addressesOf(routes),
    TT_MSG_HISTORY_ROWS_PER_MINUTE: '1000000000', // in the end all of it is read
    ...(options.sendsPerSecond !== undefined && { TT_MSG_SENDS_PER_SECOND: `${options.sendsPerSecond}` }),
  };
  const cluster = await startProcesses(t, { data, args: [...args, '--redis', redis.url], env, portOffset });
  if (options.log !== undefined) t.teardown(() => writeFile(options.log!, cluster.stderr.join('\n')));
  const company = companyOf(cluster, random);
  const { tally, checker } = company;
  // Every third one is a stock client.
  const chatters = Array.from({ length: CHATTERS }, (_, i) => new Chatter(demoName(i + 1), i % 3 !== 0, company));
  t.teardown(() => Promise.all(chatters.map((chatter) => chatter.leave())));
  const places = await meet(chatters);
  const startedMs = performance.now();
  for (const [i, chatter] of chatters.entries()) chatter.talk(places[i]!);

  const flows = (sinceMs: number) => chatters.every((each) => each.ackedSentMs > sinceMs && each.toldSentMs > sinceMs);
  await until(() => flows(startedMs), 'the chat to begin', 120_000);
  const disturber = new Disturber({
    cluster,
    postgres,
    random,
    flows,
    proxies: [...dbProxies, ...routes],
    redis: redis.nodes,
  });
  const mover = new Mover(data, random, bucketsOf(chatters), SHARDS);
  mover.start();
  const { disturbances } = options;
  const wasDisturbed = () => (disturbances === undefined ? disturber.isThrough : disturber.done.length >= disturbances);
  const isDone = () => {
    const ms = performance.now() - startedMs;
    return (tally.sent >= options.messages && wasDisturbed() && ms >= (options.msMin ?? 0)) || ms > options.msMax;
  };
  const teller = setInterval(() => options.hear(`${tally.sent} sent, ${tally.acked} acked`), HEAR_MS);
  try {
    while (!isDone()) {
      const { kind, wholeMs } = await disturber.next();
      options.hear(`${kind}: whole after ${wholeMs} ms`);
      const goOnMs = performance.now() + 500 + random.below(2_000);
      await until(() => performance.now() > goOnMs || isDone(), 'the next disturbance');
    }
  } finally {
    clearInterval(teller);
    await mover.stop();
  }
  await Promise.all(chatters.map((chatter) => chatter.fallSilent()));
  const ms = Math.round(performance.now() - startedMs);
  options.hear(`${tally.sent} messages in ${Math.round(ms / 1000)} s; now all is read and judged`);

  await untilNothingIsUnderWay(cluster);
  await readHistories(chatters, checker);
  await until(() => checker.undelivered().length === 0, 'all deliveries', 120_000).catch(() => undefined); // judged below
  await Promise.all(chatters.map((chatter) => chatter.readOn()));
  const { code, stdout, stderr } = await runTool('fsck', ['--data', data, '--open', '5%']);
  return {
    tally,
    faults: checker.faults(),
    disturbances: disturber.done,
    bucketsMoved: mover.moved,
    moversKilled: mover.killed,
    movesTakenUp: mover.failed,
    ms,
    crashes: cluster.stderr.filter((line) => line.includes('"msg":"a fault of ours')),
    fsck: code === 0 ? '' : stdout + stderr,
  };
}

/** Before each server of a kind, whose ports go up from this one. */
function proxiesOf(t: Teardown, port: number): Promise<FaultProxy[]> {
  const targets = Array.from({ length: SERVERS }, (_, i) => ({ host: '127.0.0.1', port: port + i }));
  return Promise.all(targets.map((target) => FaultProxy.start(t, target)));
}

function addressesOf(proxies: readonly FaultProxy[]): string {
  return proxies.map(({ port }) => `127.0.0.1:${port}`).join(',');
}

function companyOf(cluster: RunningCluster, random: Random): Company {
  const addresses = cluster.info.msg.map((text) => {
    const { hostname: host, port } = new URL(`tcp://${text}`);
    return { host, port: Number(port) };
  });
  const tally = { sent: 0, acked: 0, resent: 0, duplicates: 0, givenUp: 0, delivered: 0, logins: 0 };
  return { addresses, random, tally, checker: new HistoryChecker(), pauseMs: 5 };
}

/** Everybody comes, and chats with both neighbours and in the group of his department. */
async function meet(chatters: readonly Chatter[]): Promise<Place[][]> {
  const clients = await Promise.all(chatters.map((chatter) => chatter.arrive()));
  const places = chatters.map(async (_, i): Promise<Place[]> => {
    const groups = await clients[i]!.groups();
    const department = groups.find((group) => group.groupName !== 'Everybody')!;
    const neighbours = [i + 1, i + chatters.length - 1].map((at) => chatters[at % chatters.length]!.userId);
    return [
      ...neighbours.map((id) => ({ type: SESSION_TYPE_SINGLE, id })),
      { type: SESSION_TYPE_GROUP, id: department.groupId },
    ];
  });
  return Promise.all(places);
}

/** Buckets with the conversations of the chat, and with the lists of those who take part. */
function bucketsOf(chatters: readonly Chatter[]): number[] {
  const buckets = chatters.flatMap(({ userId, places }) => [
    userBucketOf(userId),
    ...places.map(({ type, id }) =>
      bucketOf(type === SESSION_TYPE_GROUP ? groupConversation(id) : singleConversation(userId, id)),
    ),
  ]);
  return [...new Set(buckets)];
}

/** What a killed msg server has asked for may be stored a little later than everything else. */
async function untilNothingIsUnderWay({ info }: RunningCluster): Promise<void> {
  const proxies = Object.entries(info.metrics).filter(([name]) => name.startsWith('db-proxy'));
  const isIdle = async () => {
    const texts = await Promise.all(proxies.map(async ([, url]) => (await fetch(url)).text()));
    return texts.every(
      (text) => /^teamtalk_append_waiting\S* 0$/m.test(text) && /^teamtalk_asks_running\S* 0$/m.test(text),
    );
  };
  await until(isIdle, 'the db-proxies to be idle', 120_000);
}

async function readHistories(chatters: readonly Chatter[], checker: HistoryChecker): Promise<void> {
  const readers = new Map(
    chatters.flatMap((chatter) => chatter.places.map((place) => [chatter.nameOf(place), { chatter, place }] as const)),
  );
  for (const [name, { chatter, place }] of readers) checker.page(name, await chatter.history(place));
}
