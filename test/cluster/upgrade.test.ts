/**
 * An upgrade of a cluster that goes on working: servers of two builds side by side, and every server restarted, one after
 * the other, under people who send each message again once at most.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { type ChatMessage, Client, findMsgServer } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import { DEMO_PASSWORD, demoName } from '../../tools/cluster/demo.js';
import { TestCluster, until } from '../support/cluster.js';
import { HistoryChecker } from '../support/history-checker.js';
import { olderBuild } from '../support/older-build.js';
import { testPostgres } from '../support/postgres.js';
import { startProcesses } from '../support/processes.js';
import { testRedis, whyNoRedis } from '../support/redis.js';

const { SESSION_TYPE_SINGLE: SINGLE } = IM.BaseDefine.SessionType;
const { USER_STATUS_ONLINE: ONLINE } = IM.BaseDefine.UserStatType;
const SENDERS = 8;
const PAGE = 200;
/** The machine is to have time for starting servers. */
const PAUSE_MS = 80;

t.test('a msg server of the build before works with servers of this one', async (t) => {
  const redis = (await whyNoRedis()) === undefined ? (await testRedis(t)).url : '';
  const cluster = await TestCluster.start(t, await testPostgres(t), { routeServers: 2, route: { redis } });
  const older = async (port: number) => ({ host: '127.0.0.1', port: await olderBuild(t, { host: '127.0.0.1', port }) });
  await cluster.addMsgServer({
    msg: {
      routeServers: await Promise.all(cluster.routes.map(({ port }) => older(port))),
      dbProxies: [await older(cluster.dbProxies[0]!.port)],
      loginServers: [await older(cluster.loginServersPort)],
    },
  });
  const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
  const told: ChatMessage[] = [];
  for (const client of [alice, bob]) client.on('message', (message) => told.push(message));
  for (let i = 0; i < 20; i++) {
    await alice.say(2, `from the newer one ${i}`);
    await bob.say(1, `from the older one ${i}`);
  }
  await until(() => told.length >= 40, 'all to be told');
  for (const asker of [alice, bob])
    await until(
      async () => (await asker.usersStatus([1, 2])).every(({ status }) => status === ONLINE),
      'both to be online for both',
    );
  const fresh = await cluster.login('alice', { at: 1 });
  await until(() => alice.isClosed, 'the older session to go');
  await bob.say(1, 'to the new session');
  await fresh.heard();
  t.equal(told.length, 40, 'each once');
  const named = new Set<number>();
  for (let i = 0; i < 50; i++) named.add((await findMsgServer(cluster.loginHttp)).port);
  t.equal(named.size, 2, 'it is named by the login server though it does not say every second that it is there');
});

t.test('every server is restarted, and nobody has to send anything more than twice', async (t) => {
  const counts = { 'msg-servers': 2, 'db-proxies': 2, 'route-servers': 2, 'demo-users': SENDERS };
  const redis = (await whyNoRedis()) === undefined ? (await testRedis(t)).url : '';
  const args = Object.entries(counts).flatMap(([name, count]) => [`--${name}`, `${count}`]);
  const cluster = await startProcesses(t, { args: [...args, '--redis', redis], env: { TT_DRAIN_MS: '1000' } });
  const checker = new HistoryChecker();
  const senders = Array.from(
    { length: SENDERS },
    (_, i) => new Sender(demoName(i + 1), cluster.info.loginHttp, checker),
  );
  t.teardown(() => senders.map((sender) => sender.close()));
  for (const sender of senders) await sender.enter();
  for (const [i, sender] of senders.entries()) sender.talkTo(senders[i ^ 1]!.userId);
  const flows = async (why: string) => {
    const nowMs = performance.now();
    await until(() => senders.every((sender) => sender.ackedSentMs > nowMs), `acks to flow ${why}`, 60_000);
  };
  await flows('at first');
  const pids = Object.keys(cluster.info.pids).filter((name) => name !== 'postgres');
  const inTheWay = pids.filter((name) => /^(db-proxy|route|login|msg)/.test(name));
  // Those that no message passes go in one step.
  const steps = [...inTheWay.map((name) => [name]), pids.filter((name) => !inTheWay.includes(name))];
  for (const names of steps) {
    const before = new Map<string, number>();
    for (const name of names) before.set(name, await cluster.kill(name, 'SIGTERM'));
    for (const [name, pid] of before) {
      await cluster.back(name, pid, 60_000);
      const ready = async () => (await fetch(cluster.info.metrics[name]!.replace(/metrics$/, 'readyz'))).ok;
      await until(() => ready().catch(() => false), `${name} to be ready`, 60_000);
    }
    await flows(`after ${names}`);
  }
  for (const sender of senders) await sender.settled();
  t.same(
    senders.flatMap((sender) => sender.failed),
    [],
    'nothing had to be sent more than twice',
  );
  for (const sender of senders.filter((_, i) => i % 2 === 0)) checker.page(sender.conversation, await sender.history());
  t.same(checker.faults().slice(0, 20), []);
  const repeated = senders.reduce((sum, sender) => sum + sender.repeated, 0);
  t.comment(`${checker.acked} acked, ${repeated} of them sent twice; restarted: ${steps.join(' ')}`);
  // Whether anybody has to send twice is chance: all who drain may be done in time.
  const moved = senders.filter((sender) => sender.entered > 1).length;
  t.ok(moved === SENDERS && checker.acked > 100, 'there was something to judge: everybody had to come back in');
});

/** Sends one message after the other, each under its send_id, and again on a new connection when that has failed. */
class Sender {
  readonly #name: string;
  readonly #loginHttp: string;
  readonly #checker: HistoryChecker;
  readonly failed: string[] = [];
  repeated = 0;
  entered = 0;
  ackedSentMs = 0;
  #partner = 0;
  #client: Client | undefined;
  #stops = false;
  #talk: Promise<void> = Promise.resolve();

  constructor(name: string, loginHttp: string, checker: HistoryChecker) {
    this.#name = name;
    this.#loginHttp = loginHttp;
    this.#checker = checker;
  }

  get userId(): number {
    return this.#client!.userId;
  }
  get conversation(): string {
    return [this.userId, this.#partner].toSorted((a, b) => a - b).join(' and ');
  }

  talkTo(partner: number): void {
    this.#partner = partner;
    this.#talk = this.#say();
  }

  async settled(): Promise<void> {
    this.#stops = true;
    await this.#talk;
  }

  /** On whatever msg server the login server names; asks again until there is one. */
  async enter(): Promise<Client> {
    const waits = { timeoutMs: 10_000, pushesMax: 0, capabilities: ['ack2', 'err1'] };
    await until(
      async () => {
        const address = await findMsgServer(this.#loginHttp).catch(() => undefined);
        if (address === undefined) return false;
        const entering = Client.login({ ...address, user: this.#name, password: DEMO_PASSWORD, ...waits });
        this.#client = await entering.catch(() => undefined);
        return this.#client !== undefined;
      },
      `${this.#name} to get in`,
      60_000,
    );
    this.entered++;
    return this.#client!;
  }

  async history() {
    const client = this.#client!.isClosed ? await this.enter() : this.#client!;
    const all: ChatMessage[] = [];
    for (let begin = await client.latestId(SINGLE, this.#partner); begin > 0; begin = all.at(-1)!.msgId - 1)
      all.push(...(await client.history(SINGLE, this.#partner, begin, PAGE)));
    return all.map(({ msgId, fromUserId, text = '' }) => ({ msgId, sender: fromUserId, text }));
  }

  close(): void {
    this.#stops = true;
    this.#client?.close();
  }

  async #say(): Promise<void> {
    for (let count = 1; !this.#stops; count++) {
      const text = `${this.#name} ${count}`;
      const sentMs = performance.now();
      this.#checker.send(this.conversation, this.userId, this.#name, text);
      this.#checker.ack(this.conversation, text, await this.#sent(text));
      this.ackedSentMs = sentMs;
      await delay(PAUSE_MS);
    }
  }

  async #sent(text: string): Promise<number> {
    const options = { sendId: randomBytes(16), timeoutMs: 20_000 };
    for (let tries = 1; ; tries++) {
      try {
        const client = this.#client!.isClosed ? await this.enter() : this.#client!;
        return (await client.say(this.#partner, text, options)).msgId;
      } catch (error) {
        if (tries === 1) this.repeated++;
        else this.failed.push(`${text}: ${(error as Error).message}`);
        if (tries > 5) throw error;
      }
    }
  }
}
