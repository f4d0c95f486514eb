import { setTimeout as delay } from 'node:timers/promises';
import { fetch } from 'undici';
import type { ChatMessage } from '../../common/client/chat-message.js';
import { Client } from '../../common/client/client.js';
import { group } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { DEMO_PASSWORD, demoName } from '../cluster/demo.js';
import { LOGINS_AT_ONCE } from './clients.js';
import type { BenchCluster } from './cluster.js';
import { Ledger } from './ledger.js';
import type { Scenario, ScenarioOptions } from './scenarios.js';

const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = IM.BaseDefine.SessionType;
const CAPABILITIES = ['ack2', 'err1', 'sync1'];

/** What people do, of a thousand things. */
const PROPORTIONS = {
  'message to one': 450,
  'message to a group': 80,
  read: 200,
  'page of history': 100,
  'who is online': 60,
  'message by HTTP': 40,
  reconnect: 40,
  'log-out, log-in': 30,
} as const;
type Kind = keyof typeof PROPORTIONS;
const KINDS = (Object.keys(PROPORTIONS) as Kind[]).flatMap((kind) => new Array<Kind>(PROPORTIONS[kind]).fill(kind));

const GROUP_SIZE = 20;
const RATE = 200;
const PAGE = 20;
const SETTLE_MS = 10_000;

/** A conversation as everybody sees it: a group, or two people. */
function keyOf(type: number, a: number, b: number): string {
  return type === GROUP ? `group ${b}` : `${Math.min(a, b)} ${Math.max(a, b)}`;
}

/** Somebody with a device that comes and goes, and what it has of each conversation. */
class Person {
  readonly #cluster: BenchCluster;
  readonly #number: number;
  client!: Client;
  userId = 0;
  groupId = 0;
  /** Coming back, or going. */
  busy = false;
  /** Things that it does. */
  open = 0;
  /** Ids by conversation: what came by itself or was looked up, and what it wrote. */
  readonly #seen = new Map<string, Set<number>>();
  /** By conversation: up to this id nothing is missing. What two people write at once may come the wrong way round. */
  readonly #whole = new Map<string, number>();
  /** The newest that came by itself in this session. */
  readonly #pushed = new Map<string, number>();
  #cursor: Uint8Array | undefined;
  deliveries = 0;
  doubled = 0;
  reordered = 0;
  lookedUp = 0;

  /** @param number of the demo person, from 0 */
  constructor(cluster: BenchCluster, number: number) {
    this.#cluster = cluster;
    this.#number = number;
  }

  /** Logs in, and brings the device up to date. */
  async come(): Promise<void> {
    const place = this.#cluster.msg[this.#number % this.#cluster.msg.length]!;
    const user = demoName(this.#number + 1);
    const how = { ...place, user, password: DEMO_PASSWORD, capabilities: CAPABILITIES, timeoutMs: 60_000 };
    const whole = new Map(this.#whole); // of before; what comes from now on may leave a gap
    const client = await Client.login(how);
    this.client = client;
    this.userId = client.userId;
    this.#pushed.clear();
    client.on('message', (message) => client === this.client && this.#heard(message));
    const { entries, cursor } = await client.sync(this.#cursor);
    this.#cursor = cursor;
    for (const entry of entries) await this.#catchUp(entry, whole);
  }

  has(key: string, msgId: number): boolean {
    return this.#seen.get(key)?.has(msgId) === true;
  }

  #heard({ sessionType, sessionId, msgId }: ChatMessage): void {
    const key = keyOf(sessionType, this.userId, sessionId);
    const newest = this.#pushed.get(key) ?? 0;
    this.deliveries++;
    if (msgId === newest) this.doubled++;
    if (msgId < newest) this.reordered++;
    this.#pushed.set(key, Math.max(newest, msgId));
    this.note(key, msgId);
  }

  async #catchUp(
    { sessionType, sessionId, head }: IM.Message.SyncEntry,
    whole: ReadonlyMap<string, number>,
  ): Promise<void> {
    const key = keyOf(sessionType, this.userId, sessionId);
    const upTo = whole.get(key) ?? 0;
    for (let begin = head; begin > upTo; begin -= PAGE)
      for (const { msgId } of await this.client.history(sessionType, sessionId, begin, Math.min(PAGE, begin - upTo))) {
        if (!this.has(key, msgId)) this.lookedUp++;
        this.note(key, msgId);
      }
  }

  note(key: string, msgId: number): void {
    const ids = this.#seen.get(key) ?? new Set();
    this.#seen.set(key, ids.add(msgId));
    let whole = this.#whole.get(key) ?? 0;
    while (ids.has(whole + 1)) whole++;
    this.#whole.set(key, whole);
  }
}

/** A message that is stored, and who has to have it. */
interface Stored {
  readonly key: string;
  readonly msgId: number;
  readonly receivers: readonly Person[];
}

/** People of an office: they write, read, come and go, at a rate for all of them together. */
class Day {
  readonly ledger = new Ledger();
  readonly #cluster: BenchCluster;
  readonly #people: readonly Person[];
  readonly #stored: Stored[] = [];
  #number = 0;

  constructor(cluster: BenchCluster, people: readonly Person[]) {
    this.#cluster = cluster;
    this.#people = people;
  }

  async run({ seconds, rate }: ScenarioOptions): Promise<void> {
    const perSecond = rate === 0 ? RATE : rate;
    const startedMs = performance.now();
    const open = new Set<Promise<void>>();
    for (let begun = 0; performance.now() - startedMs < seconds * 1000; ) {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond);
      for (; begun < due; begun++) {
        const one: Promise<void> = this.#one().finally(() => open.delete(one));
        open.add(one);
      }
      await delay(1);
    }
    await Promise.all(open);
  }

  /** When all that was acknowledged is where it belongs, or after a while. */
  async judge(): Promise<void> {
    const lost = () =>
      this.#stored.reduce(
        (sum, { key, msgId, receivers }) => sum + receivers.filter((each) => !each.has(key, msgId)).length,
        0,
      );
    const deadline = performance.now() + SETTLE_MS;
    while (lost() > 0 && performance.now() < deadline) await delay(100);
    const sum = (value: (person: Person) => number) => this.#people.reduce((all, each) => all + value(each), 0);
    this.ledger.found({
      deliveries: sum((each) => each.deliveries),
      lost: lost(),
      doubled: sum((each) => each.doubled),
      reordered: sum((each) => each.reordered),
    });
    this.ledger.note(
      'looked up by devices that came back',
      sum((each) => each.lookedUp),
    );
  }

  async #one(): Promise<void> {
    const kind = KINDS[Math.floor(Math.random() * KINDS.length)]!;
    const me = this.#somebody();
    if (me === undefined) return;
    me.open++;
    try {
      const startedMs = performance.now();
      await this.#does[kind](me);
      this.ledger.done(kind, performance.now() - startedMs);
    } catch {
      this.ledger.unacked();
    } finally {
      me.open--;
    }
  }

  readonly #does: Readonly<Record<Kind, (me: Person) => Promise<void>>> = {
    'message to one': async (me) => {
      const peer = this.#neighbour(me);
      const { userId } = me;
      const { msgId } = await me.client.say(peer.userId, this.#text(), { timeoutMs: 20_000 });
      this.#keep(me, { key: keyOf(SINGLE, userId, peer.userId), msgId, receivers: [peer] });
    },
    'message to a group': async (me) => {
      const { groupId } = me;
      const { msgId } = await me.client.sayGroup(groupId, this.#text(), { timeoutMs: 20_000 });
      const receivers = this.#people.filter((each) => each !== me && each.groupId === groupId);
      this.#keep(me, { key: keyOf(GROUP, 0, groupId), msgId, receivers });
    },
    'message by HTTP': async (me) => {
      const [from, to] = [me.userId, this.#neighbour(me)];
      const response = await fetch(`${this.#cluster.http.url}/api/v1/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#cluster.http.key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ from, to: { user: to.userId }, content: { type: 'text', text: this.#text() } }),
      });
      if (response.status !== 201) throw new Error(await response.text());
      const { number } = (await response.json()) as { number: number };
      this.#stored.push({ key: keyOf(SINGLE, from, to.userId), msgId: number, receivers: [to, me] });
    },
    // Not answered; the question behind it is, when it was its turn.
    read: async (me) => {
      me.client.markRead(SINGLE, this.#neighbour(me).userId, 0);
      await me.client.time();
    },
    'page of history': async (me) => {
      await me.client.history(SINGLE, this.#neighbour(me).userId, 0, PAGE);
    },
    'who is online': async (me) => {
      await me.client.usersStatus(this.#people.slice(0, PAGE).map(({ userId }) => userId));
    },
    reconnect: (me) => this.#away(me, async () => me.client.cut()),
    'log-out, log-in': (me) => this.#away(me, () => me.client.logout()),
  };

  #keep(writer: Person, stored: Stored): void {
    writer.note(stored.key, stored.msgId);
    this.#stored.push(stored);
  }

  async #away(me: Person, leave: () => Promise<void>): Promise<void> {
    me.busy = true;
    try {
      while (me.open > 1) await delay(1); // what it had begun is answered first
      await leave();
      await me.come();
    } finally {
      me.busy = false;
    }
  }

  #text(): string {
    return `bench ${this.#number++} ${'x'.repeat(60)}`;
  }

  #somebody(): Person | undefined {
    for (let tries = 0; tries < 20; tries++) {
      const one = this.#people[Math.floor(Math.random() * this.#people.length)]!;
      if (!one.busy) return one;
    }
    return undefined;
  }

  /** People write to the few that they work with. */
  #neighbour(me: Person): Person {
    const at = this.#people.indexOf(me);
    const away = 1 + Math.floor(Math.random() * Math.min(5, this.#people.length - 1));
    return this.#people[(at + away) % this.#people.length]!;
  }
}

export const mixedDay: Scenario = {
  about: `people of an office, ${RATE} things a second unless --rate says otherwise, of a thousand: ${Object.entries(
    PROPORTIONS,
  )
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ')}`,
  async run(cluster, options, measured) {
    const people = Array.from({ length: options.users }, (_, i) => new Person(cluster, i));
    let next = 0;
    const come = async () => {
      while (next < people.length) await people[next++]!.come();
    };
    await Promise.all(Array.from({ length: LOGINS_AT_ONCE }, come));
    for (let from = 0; from < people.length; from += GROUP_SIZE) await makeGroup(people.slice(from, from + GROUP_SIZE));
    const day = new Day(cluster, people);
    measured();
    await day.run(options);
    await day.judge();
    for (const { client } of people) client.close();
    return day.ledger;
  },
};

async function makeGroup(members: readonly Person[]): Promise<void> {
  const { groupId } = await members[0]!.client.ask(group.create, {
    userId: 0,
    groupType: IM.BaseDefine.GroupType.GROUP_TYPE_TMP,
    groupName: 'bench',
    groupAvatar: '',
    memberIdList: members.map(({ userId }) => userId),
  });
  for (const member of members) member.groupId = groupId!;
}
