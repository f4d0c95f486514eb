/**
 * What is acked is stored, whoever is killed: people chat without a pause through two msg servers and two db-proxies
 * while these, PostgreSQL, the route server and in the end the launcher are killed. The checker judges all of it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { type ChatMessage, Client, findMsgServer } from '../../common/client/client.js';
import { bucketOf, singleConversation } from '../../common/conversation.js';
import { IM } from '../../common/pdu/pb.js';
import { DEMO_PASSWORD, demoName } from '../../tools/cluster/demo.js';
import { Crowd } from '../faults/crowd.js';
import { type TestClock, testClock } from '../support/faketime.js';
import { HistoryChecker, type Kept } from '../support/history-checker.js';
import { isAlive, startProcesses, temporaryData } from '../support/processes.js';
import { until } from '../support/until.js';

const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = IM.BaseDefine.SessionType;
const { USER_STATUS_ONLINE: ONLINE } = IM.BaseDefine.UserStatType;
const TALKERS = 8;
/** People who take no part in the talk. */
const OTHERS = 9;
/** More people, who come and go all at once. */
const CROWD = 60;
/** Messages that one talker has under way: to his partner, and to the group. */
const IN_FLIGHT = [0, 0, 0, 1] as const;
/** Between an ack and the next message, so that the machine is kept busy by the faults and not by the talk. */
const PAUSE_MS = 60;
/** Servers try for 8 s and more to store a message. */
const STORE_MS_MAX = 7_500;
/** Whatever has no answer by then will get none. */
const ACK_MS_MAX = 15_000;
const PAGE = 200;

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Partner {
  readonly type: IM.BaseDefine.SessionType;
  readonly id: number;
}

const checker = new HistoryChecker();
const sentMs = new Map<string, number>();

/** Somebody who chats on and on, and comes back when the connection is cut. */
class Talker {
  readonly name: string;
  readonly address: Address;
  userId = 0;
  /** When the newest message was sent that was acked, and that was told him. */
  ackedMs = 0;
  toldMs = 0;
  unacked = 0;
  #client: Client | undefined;
  #entering: Promise<Client> | undefined;
  #connections = 0;
  #count = 0;
  #quiet = false;
  #talking: Promise<unknown> | undefined;

  constructor(name: string, address: Address) {
    this.name = name;
    this.address = address;
  }

  /** The connection that is open, or a new one: tried again until it opens. */
  online(): Promise<Client> {
    if (this.#client?.isClosed === false) return Promise.resolve(this.#client);
    this.#entering ??= this.#enter().finally(() => {
      this.#entering = undefined;
    });
    return this.#entering;
  }

  talk(partners: readonly Partner[]): void {
    this.#quiet = false;
    this.#talking = Promise.all(IN_FLIGHT.map((which) => this.#talkTo(partners[which]!)));
  }

  /** Says nothing new, and waits for what is under way. Goes on with `talk`. */
  async fallSilent(): Promise<void> {
    this.#quiet = true;
    await this.#talking;
  }

  async leave(): Promise<void> {
    await this.fallSilent();
    this.#client?.close();
  }

  get connection(): string {
    return `${this.name}#${this.#connections}`;
  }

  async #enter(): Promise<Client> {
    for (;;) {
      try {
        const client = await login(this.name, this.address);
        this.#connections++;
        const receiver = this.connection;
        client.on('message', (message) => this.#told(receiver, message));
        this.userId = client.userId;
        this.#client = client;
        return client;
      } catch (error) {
        if (this.#quiet) throw error;
        await delay(50);
      }
    }
  }

  async #talkTo(partner: Partner): Promise<void> {
    const conversation = conversationOf(partner.type, partner.id, this.userId);
    while (!this.#quiet) {
      const client = await this.online().catch(() => undefined);
      if (client === undefined) return;
      const text = `${this.name} ${++this.#count}`;
      const nowMs = performance.now();
      sentMs.set(text, nowMs);
      checker.send(conversation, this.userId, this.connection, text);
      const saying =
        partner.type === SESSION_TYPE_GROUP ? client.sayGroup(partner.id, text) : client.say(partner.id, text);
      await saying.then(
        ({ msgId }) => {
          checker.ack(conversation, text, msgId);
          this.ackedMs = Math.max(this.ackedMs, nowMs);
        },
        () => this.unacked++,
      );
      await delay(PAUSE_MS);
    }
  }

  #told(receiver: string, { sessionType, sessionId, text = '', msgId }: ChatMessage): void {
    checker.deliver(conversationOf(sessionType, sessionId, this.userId), receiver, text, msgId);
    this.toldMs = Math.max(this.toldMs, sentMs.get(text) ?? 0);
  }
}

function login(user: string, address: Address): Promise<Client> {
  const waits = { timeoutMs: 3_000, askTimeoutMs: ACK_MS_MAX, pushesMax: 1 };
  return Client.login({ ...address, user, password: DEMO_PASSWORD, ...waits });
}

function conversationOf(type: IM.BaseDefine.SessionType, sessionId: number, userId: number): string {
  if (type === SESSION_TYPE_GROUP) return `group ${sessionId}`;
  return `${Math.min(sessionId, userId)} and ${Math.max(sessionId, userId)}`;
}

const data = await temporaryData(t);
const args = ['--msg-servers', '2', '--db-proxies', '2', '--demo-users', `${TALKERS + OTHERS + CROWD}`];
const clock = await testClock(t);
const cluster = await startProcesses(t, { data, args, env: typeof clock === 'string' ? {} : clock.env });
const addresses = cluster.info.msg.map((text): Address => {
  const { hostname: host, port } = new URL(`tcp://${text}`);
  return { host, port: Number(port) };
});

// Neighbours are partners, on two servers.
const talkers = Array.from({ length: TALKERS }, (_, i) => new Talker(demoName(i + 1), addresses[i % 2]!));
t.teardown(() => Promise.all(talkers.map((talker) => talker.leave())));
for (const talker of talkers) await talker.online();
const groups = await (await talkers[0]!.online()).groups();
const everybody = groups.find((group) => group.groupName === 'Everybody')!.groupId;

function everybodyTalks(): void {
  for (const [i, talker] of talkers.entries()) {
    const partner = { type: SESSION_TYPE_SINGLE, id: talkers[i ^ 1]!.userId };
    talker.talk([partner, { type: SESSION_TYPE_GROUP, id: everybody }]);
  }
}
everybodyTalks();
await acksFlow('the beginning');

/** Waits until everybody has the ack of a message that he sent from now on. @returns after how many ms. */
async function acksFlow(after: string): Promise<number> {
  const nowMs = performance.now();
  const waiting = () => talkers.filter((talker) => talker.ackedMs <= nowMs).map((talker) => talker.name);
  await until(() => waiting().length === 0, `acks to flow after ${after}`, 30_000);
  return performance.now() - nowMs;
}

/** @returns a wait until so many msg servers, by default all, have a new link to this server. */
function linksTo(name: string): (count?: number) => Promise<void> {
  const from = cluster.stderr.length;
  const joined = () => {
    const lines = cluster.stderr.slice(from).filter((line) => line.includes(`"server":"${name}","from":"msg"`));
    return lines.filter((line) => line.includes('"peer joined"')).length;
  };
  return (count = addresses.length) => until(() => joined() >= count, `links to ${name}`, 30_000);
}

/** Kills servers under the talk, waits until acks flow and the servers are back. @returns how long acks did not flow. */
async function killed(t: { comment(text: string): void }, ...names: string[]): Promise<number> {
  const linked = names.filter((name) => name.startsWith('db-proxy')).map(linksTo);
  const pids = new Map<string, number>();
  for (const name of names) pids.set(name, await cluster.kill(name));
  const startedMs = performance.now();
  const flowMs = await acksFlow(`the end of ${names.join(' and ')}`);
  for (const [name, pid] of pids) await cluster.back(name, pid);
  await Promise.all(linked.map((wait) => wait()));
  const backMs = performance.now() - startedMs;
  t.comment(
    `kill -9 ${names.join(' ')}: acks flow after ${Math.round(flowMs)} ms, back after ${Math.round(backMs)} ms`,
  );
  await acksFlow('the return');
  return flowMs;
}

async function deliveriesFlow(): Promise<number> {
  const nowMs = performance.now();
  await until(() => talkers.every((talker) => talker.toldMs > nowMs), 'deliveries between the servers', 30_000);
  return performance.now() - nowMs;
}

t.test('a message does not overtake one that waits in another db-proxy', async (t) => {
  const proxies = ['db-proxy-1', 'db-proxy-2'];
  const homeOf = (a: number, b: number) => proxies[bucketOf(singleConversation(a, b)) % proxies.length]!;
  const alice = await login(demoName(TALKERS + 1), addresses[0]!);
  t.teardown(() => alice.close());
  const busy = new Set([alice.userId, ...talkers.map((talker) => talker.userId)]);
  const [bob, ...others] = (await alice.contacts()).map((user) => user.userId).filter((id) => !busy.has(id));
  const home = homeOf(alice.userId, bob!);
  const other = proxies.find((name) => name !== home)!;
  const neighbour = others.find((id) => homeOf(alice.userId, id) === home)!;

  await cluster.kill(other, 'SIGSTOP');
  t.teardown(() => cluster.kill(other, 'SIGCONT').catch(() => undefined));
  const joined = linksTo(home);
  await cluster.kill(home);
  const first = alice.say(bob!, 'first'); // goes to the other one, and waits there
  await joined();
  const second = alice.say(bob!, 'second');
  await alice.say(neighbour, 'has it heard the second one?');
  await cluster.kill(other, 'SIGCONT');
  t.same([(await first).msgId, (await second).msgId], [1, 2]);
  await acksFlow('the pause');
});

t.test('a db-proxy that is frozen is left for the other one after some seconds', async (t) => {
  const left: string[] = [];
  for (const name of ['db-proxy-1', 'db-proxy-2']) {
    const joined = linksTo(name);
    const from = cluster.stderr.length;
    const unackedBefore = unacked();
    await cluster.kill(name, 'SIGSTOP');
    t.teardown(() => cluster.kill(name, 'SIGCONT').catch(() => undefined));
    const waitMs = await acksFlow(`the freezing of ${name}`);
    t.comment(`SIGSTOP ${name}: acks flow after ${Math.round(waitMs)} ms`);
    if (waitMs < STORE_MS_MAX) t.equal(unacked(), unackedBefore, 'no message has failed');
    await cluster.kill(name, 'SIGCONT');
    const lost = cluster.stderr.slice(from).filter((line) => /"silent".*"link lost"/.test(line));
    if (lost.length === 0) continue; // nothing was under way there
    left.push(name);
    await joined(lost.length);
  }
  t.ok(left.length > 0, 'one of them was in use');
  await acksFlow('the return');
});

t.test('a db-proxy is killed, the other one, both', async (t) => {
  const waits = [await killed(t, 'db-proxy-1'), await killed(t, 'db-proxy-2')];
  waits.push(await killed(t, 'db-proxy-1', 'db-proxy-2'));
  t.ok(talkers.every(stayed), 'no client has noticed more than a wait');
  if (Math.max(...waits) < STORE_MS_MAX) t.equal(unacked(), 0, 'nor has a message failed');
});

t.test('PostgreSQL is killed', async (t) => {
  const unackedBefore = unacked();
  const waitMs = await killed(t, 'postgres');
  t.ok(talkers.every(stayed), 'no client has noticed more than a wait');
  if (waitMs < STORE_MS_MAX) t.equal(unacked(), unackedBefore, 'nor has a message failed');
});

t.test('PostgreSQL stands still for 3 s', async (t) => {
  await cluster.killTree('postgres', 'SIGSTOP');
  const stoppedMs = performance.now();
  await delay(3_000);
  t.ok(
    talkers.every((talker) => talker.ackedMs <= stoppedMs),
    'nothing is acked that is not stored',
  );
  await cluster.killTree('postgres', 'SIGCONT');
  t.comment(`SIGCONT: acks flow after ${Math.round(await acksFlow('the pause'))} ms`);
});

t.test('the clock of the machine jumps', { skip: typeof clock === 'string' && clock }, async (t) => {
  for (const seconds of [3_600, -86_400, 0]) {
    await (clock as TestClock).set(seconds);
    const off = (await (await talkers[0]!.online()).time()) - Date.now() / 1000;
    t.ok(Math.abs(off - seconds) < 60, `a server is ${Math.round(off)} s off`);
    t.comment(`the clock is ${seconds} s off: acks flow after ${Math.round(await acksFlow('the jump'))} ms`);
    await deliveriesFlow();
  }
  t.ok(talkers.every(stayed), 'no client has noticed anything');
});

t.test('a msg server that is frozen is named to nobody, and goes on as if nothing had been', async (t) => {
  const named = async () => (await findMsgServer(cluster.info.loginHttp)).port;
  const ask = async (count: number) => new Set(await Promise.all(Array.from({ length: count }, named)));
  await until(async () => (await ask(20)).size === 2, 'both to be named');
  await cluster.kill('msg-2', 'SIGSTOP');
  t.teardown(() => cluster.kill('msg-2', 'SIGCONT').catch(() => undefined));
  const frozenMs = performance.now();
  const isHung = async () =>
    /^teamtalk_msg_servers_hung\S* 1$/m.test(await (await fetch(cluster.info.metrics.login!)).text());
  await until(isHung, 'the login server to notice', 30_000);
  t.comment(`SIGSTOP msg-2: no longer named after ${Math.round(performance.now() - frozenMs)} ms`);
  t.same(await ask(50), new Set([addresses[0]!.port]), 'nobody is sent there');
  const nowMs = performance.now();
  const here = talkers.filter((_, i) => i % 2 === 0);
  await until(() => here.every((talker) => talker.ackedMs > nowMs), 'the clients of the other one to go on', 30_000);
  await cluster.kill('msg-2', 'SIGCONT');
  await until(async () => (await ask(20)).size === 2, 'both to be named again', 30_000);
  await acksFlow('the pause');
  t.ok(here.every(stayed), 'the clients of the other one have noticed nothing');
  await deliveriesFlow();
  const [watcher, ...others] = await Promise.all(talkers.map((talker) => talker.online()));
  const ids = others.map((client) => client.userId);
  const online = async () => (await watcher!.usersStatus(ids)).every(({ status }) => status === ONLINE);
  await until(online, 'everybody to be online for everybody', 30_000);
});

t.test('a msg server dies under a crowd, which comes back', async (t) => {
  const crowdChecker = new HistoryChecker();
  const names = Array.from({ length: CROWD }, (_, i) => demoName(TALKERS + OTHERS + i + 1));
  const crowd = new Crowd(names, cluster.info.loginHttp, crowdChecker, 500);
  t.teardown(() => crowd.leave());
  await crowd.come();
  await crowd.flows('at first');
  const lost = crowd.byPort().get(addresses[1]!.port) ?? [];
  t.ok(lost.length > 0 && lost.length < CROWD, `${lost.length} of ${CROWD} are on the one that dies`);
  const others = names.filter((name) => !lost.includes(name));
  const pid = await cluster.kill('msg-2');
  const othersMs = await crowd.flows('of those on the other server', others);
  t.comment(`acks of the others after ${othersMs} ms, of all ${await crowd.flows('of all')} ms later`);
  await cluster.back('msg-2', pid);
  await crowd.fallSilent();
  t.same(crowdChecker.faults().slice(0, 20), [], 'no promise is broken');
  t.ok(crowdChecker.acked > CROWD, 'there was something to judge');
});

t.test('a msg server is killed, and the route server', async (t) => {
  await killed(t, 'msg-2');
  t.ok(
    talkers.every((talker, i) => stayed(talker) === (i % 2 === 0)),
    'its clients came back, the others stayed',
  );
  await killed(t, 'route-1');
  t.comment(`deliveries between the servers flow ${Math.round(await deliveriesFlow())} ms after its return`);
});

t.test('whoever stayed connected has been told everything', async (t) => {
  await Promise.all(talkers.map((talker) => talker.fallSilent()));
  for (const talker of talkers.filter(stayed)) {
    for (const [type, id] of conversationsOf(talker)) {
      const kept = await historyOf(await talker.online(), type, id);
      const name = conversationOf(type, id, talker.userId);
      const untold = () => checker.untold(name, talker.connection, talker.userId, kept);
      await until(() => untold().length === 0, 'missed messages').catch(() => undefined);
      t.same(untold(), [], `${talker.connection} has all ${kept.length} of ${name}`);
    }
  }
  everybodyTalks();
  await acksFlow('the silence');
});

t.test('the launcher is killed, and everything with it; the next start has all that was ever acked', async (t) => {
  const pids = cluster.pids();
  cluster.signal('SIGKILL');
  await until(() => !pids.some(isAlive), 'servers and PostgreSQL to end by themselves', 20_000);
  await Promise.all(talkers.map((talker) => talker.leave()));

  const next = await startProcesses(t, { data, args, portOffset: cluster.portOffset });
  t.match(next.info.msg, cluster.info.msg);
  const readers = await Promise.all(talkers.map(({ name, address }) => login(name, address)));
  t.teardown(() => readers.map((reader) => reader.close()));
  const read = new Set<string>();
  for (const [i, talker] of talkers.entries()) {
    for (const [type, id] of conversationsOf(talker)) {
      const name = conversationOf(type, id, talker.userId);
      if (read.has(name)) continue;
      read.add(name);
      checker.page(name, await historyOf(readers[i]!, type, id));
    }
  }
  const faults = checker.faults();
  t.equal(faults.length, 0, 'no promise is broken');
  for (const { kind, conversation, detail } of faults.slice(0, 20)) t.comment(`${kind} in ${conversation}: ${detail}`);
  t.comment(`${checker.sent} sent, ${checker.acked} acked, ${unacked()} without an ack`);
  t.ok(checker.acked > 1_000, 'there was something to judge');
  const [one, two] = readers as [Client, Client];
  const head = await one.latestId(SESSION_TYPE_SINGLE, two.userId);
  t.equal((await two.say(one.userId, 'and on it goes')).msgId, head + 1);
  t.same((await next.stop()).code, 0);
});

function conversationsOf(talker: Talker): [IM.BaseDefine.SessionType, number][] {
  const partner = talkers[talkers.indexOf(talker) ^ 1]!;
  return [
    [SESSION_TYPE_SINGLE, partner.userId],
    [SESSION_TYPE_GROUP, everybody],
  ];
}

/** All of it, page by page from the newest on. */
async function historyOf(reader: Client, type: IM.BaseDefine.SessionType, id: number): Promise<Kept[]> {
  const all: Kept[] = [];
  const head = await reader.latestId(type, id);
  for (let begin = head; begin > 0; begin = all.at(-1)!.msgId - 1) {
    const page = await reader.history(type, id, begin, PAGE);
    if (page.length === 0) break;
    all.push(...page.map(({ msgId, fromUserId, text = '' }) => ({ msgId, sender: fromUserId, text })));
  }
  return all;
}

/** Never disconnected so far. */
function stayed(talker: Talker): boolean {
  return talker.connection.endsWith('#1');
}

function unacked(): number {
  return talkers.reduce((sum, talker) => sum + talker.unacked, 0);
}
