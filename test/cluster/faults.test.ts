/**
 * What is acked is stored, whoever is killed: people chat without a pause through two msg servers and two db-proxies
 * while these, PostgreSQL, the route server and in the end the launcher are killed. The checker judges all of it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { type ChatMessage, Client } from '../../common/client/client.js';
import { bucketOf, singleConversation } from '../../common/conversation.js';
import { IM } from '../../common/pdu/pb.js';
import { DEMO_PASSWORD, demoName } from '../../tools/cluster/demo.js';
import { until } from '../support/cluster.js';
import { HistoryChecker } from '../support/history-checker.js';
import { isAlive, startProcesses, temporaryData } from '../support/processes.js';

const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = IM.BaseDefine.SessionType;
const TALKERS = 8;
/** Somebody who does not take part in the talk. */
const SPARE = demoName(TALKERS + 1);
/** Messages that one talker has under way: to his partner, and to the group. */
const IN_FLIGHT = [0, 0, 0, 1] as const;
/** Between an ack and the next message, so that the machine is kept busy by the faults and not by the talk. */
const PAUSE_MS = 10;
/** Longer than the servers try: whatever has no answer by then will get none. */
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
    this.#talking = Promise.all(IN_FLIGHT.map((which) => this.#talkTo(partners[which]!)));
  }

  /** Says nothing new, and waits for what is under way. */
  async fallSilent(): Promise<void> {
    this.#quiet = true;
    await this.#talking;
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
const args = ['--msg-servers', '2', '--db-proxies', '2', '--demo-users', `${TALKERS + 1}`];
const cluster = await startProcesses(t, { data, args });
const addresses = cluster.info.msg.map((text): Address => {
  const { hostname: host, port } = new URL(`tcp://${text}`);
  return { host, port: Number(port) };
});

// Neighbours are partners, on two servers.
const talkers = Array.from({ length: TALKERS }, (_, i) => new Talker(demoName(i + 1), addresses[i % 2]!));
t.teardown(() => Promise.all(talkers.map((talker) => talker.fallSilent())));
for (const talker of talkers) await talker.online();
const groups = await (await talkers[0]!.online()).groups();
const everybody = groups.find((group) => group.groupName === 'Everybody')!.groupId;
for (const [i, talker] of talkers.entries()) {
  const partner = { type: SESSION_TYPE_SINGLE, id: talkers[i ^ 1]!.userId };
  talker.talk([partner, { type: SESSION_TYPE_GROUP, id: everybody }]);
}
await acksFlow('the beginning');

/** Waits until everybody has the ack of a message that he sent from now on. @returns after how many ms. */
async function acksFlow(after: string): Promise<number> {
  const nowMs = performance.now();
  const waiting = () => talkers.filter((talker) => talker.ackedMs <= nowMs).map((talker) => talker.name);
  await until(() => waiting().length === 0, `acks to flow after ${after}`, 30_000);
  return performance.now() - nowMs;
}

/** Kills servers under the talk, and waits until acks flow and the servers are back. */
async function killed(t: { comment(text: string): void }, ...names: string[]): Promise<void> {
  const pids = new Map<string, number>();
  for (const name of names) pids.set(name, await cluster.kill(name));
  const flowMs = await acksFlow(`the end of ${names.join(' and ')}`);
  const startedMs = performance.now();
  for (const [name, pid] of pids) await cluster.back(name, pid);
  const backMs = performance.now() - startedMs + flowMs;
  t.comment(
    `kill -9 ${names.join(' ')}: acks flow after ${Math.round(flowMs)} ms, back after ${Math.round(backMs)} ms`,
  );
  await acksFlow('the return');
}

async function deliveriesFlow(): Promise<number> {
  const nowMs = performance.now();
  await until(() => talkers.every((talker) => talker.toldMs > nowMs), 'deliveries between the servers', 30_000);
  return performance.now() - nowMs;
}

t.test('a message does not overtake one that waits in another db-proxy', async (t) => {
  const proxies = ['db-proxy-1', 'db-proxy-2'];
  const homeOf = (a: number, b: number) => proxies[bucketOf(singleConversation(a, b)) % proxies.length]!;
  const alice = await login(SPARE, addresses[0]!);
  t.teardown(() => alice.close());
  const ids = talkers.map((talker) => talker.userId);
  const bob = ids[0]!;
  const home = homeOf(alice.userId, bob);
  const [other] = proxies.filter((name) => name !== home);
  const neighbour = ids.find((id) => id !== bob && homeOf(alice.userId, id) === home)!;

  await cluster.kill(other!, 'SIGSTOP');
  t.teardown(() => cluster.kill(other!, 'SIGCONT').catch(() => undefined));
  const pid = await cluster.kill(home);
  const first = alice.say(bob, 'first'); // goes to the other one, and waits there
  await cluster.back(home, pid);
  await alice.say(neighbour, 'is it back?'); // waits for that, as nobody else answers
  const second = alice.say(bob, 'second');
  await alice.say(neighbour, 'and has it heard the second one?');
  await cluster.kill(other!, 'SIGCONT');
  t.same([(await first).msgId, (await second).msgId], [1, 2]);
  await acksFlow('the pause');
});

t.test('a db-proxy is killed, the other one, both', async (t) => {
  await killed(t, 'db-proxy-1');
  await killed(t, 'db-proxy-2');
  await killed(t, 'db-proxy-1', 'db-proxy-2');
  t.ok(
    talkers.every((talker) => talker.connection.endsWith('#1')),
    'no client has noticed more than a wait',
  );
  t.equal(
    sum((talker) => talker.unacked),
    0,
    'nor has a message failed',
  );
});

t.test('PostgreSQL is killed', async (t) => {
  await killed(t, 'postgres');
  t.ok(
    talkers.every((talker) => talker.connection.endsWith('#1')),
    'no client has noticed more than a wait',
  );
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

t.test('a msg server is killed, and the route server', async (t) => {
  await killed(t, 'msg-2');
  t.ok(
    talkers.every((talker, i) => talker.connection.endsWith(i % 2 === 1 ? '#2' : '#1')),
    'its clients came back',
  );
  await killed(t, 'route-1');
  t.comment(`deliveries between the servers flow ${Math.round(await deliveriesFlow())} ms after its return`);
});

t.test('the launcher is killed, and everything with it; the next start has all that was ever acked', async (t) => {
  const pids = cluster.pids();
  cluster.signal('SIGKILL');
  await until(() => !pids.some(isAlive), 'servers and PostgreSQL to end by themselves', 20_000);
  await Promise.all(talkers.map((talker) => talker.fallSilent()));

  const next = await startProcesses(t, { data, args, portOffset: cluster.portOffset });
  t.match(next.info.msg, cluster.info.msg);
  const readers = await Promise.all(talkers.map(({ name, address }) => login(name, address)));
  t.teardown(() => readers.map((reader) => reader.close()));
  for (let i = 0; i < TALKERS; i += 2) await readHistory(readers[i]!, SESSION_TYPE_SINGLE, readers[i + 1]!.userId);
  await readHistory(readers[0]!, SESSION_TYPE_GROUP, everybody);

  const faults = checker.faults();
  t.equal(faults.length, 0, 'no promise is broken');
  for (const { kind, conversation, detail } of faults.slice(0, 20)) t.comment(`${kind} in ${conversation}: ${detail}`);
  t.comment(`${checker.sent} sent, ${checker.acked} acked, ${sum((talker) => talker.unacked)} without an ack`);
  t.ok(checker.acked > 1_000, 'there was something to judge');
  const [one, two] = readers as [Client, Client];
  const head = await one.latestId(SESSION_TYPE_SINGLE, two.userId);
  t.equal((await two.say(one.userId, 'and on it goes')).msgId, head + 1);
  t.same((await next.stop()).code, 0);
});

async function readHistory(reader: Client, type: IM.BaseDefine.SessionType, id: number): Promise<void> {
  const head = await reader.latestId(type, id);
  let count = 0;
  for (let begin = 0, page: ChatMessage[] = []; begin !== 1; begin = page.at(-1)!.msgId) {
    page = await reader.history(type, id, Math.max(0, begin - 1), PAGE);
    if (page.length === 0) break;
    const kept = page.map(({ msgId, fromUserId, text = '' }) => ({ msgId, sender: fromUserId, text }));
    checker.page(conversationOf(type, id, reader.userId), kept);
    count += page.length;
  }
  t.equal(count, head, `${conversationOf(type, id, reader.userId)} has ${head} messages`);
}

function sum(numberOf: (talker: Talker) => number): number {
  return talkers.reduce((all, talker) => all + numberOf(talker), 0);
}
