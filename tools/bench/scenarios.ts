import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../../common/client/client.js';
import { group } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { close, drive, enter, LOGINS_AT_ONCE, logins } from './clients.js';
import type { BenchCluster } from './cluster.js';
import { hold } from './holder.js';
import { Ledger } from './ledger.js';
import { mixedDay } from './mixed-day.js';
import { usageOf } from './processes.js';
import { sync } from './sync.js';

const { GroupType } = IM.BaseDefine;

export interface ScenarioOptions {
  readonly seconds: number;
  /** Before the measured part of messages at a window or a rate, in seconds. */
  readonly warmUp: number;
  readonly users: number;
  /** Messages of a sender without an ack at once; 0 with a rate. */
  readonly window: number;
  /** Messages per second of all senders together; 0: as fast as acks come. */
  readonly rate: number;
}

export interface Scenario {
  readonly about: string;
  /** Demo people that it needs, whatever the options say. */
  readonly people?: number;
  /** Brings the cluster into the state that is measured from; gives the measured part, and what ends it. */
  run(cluster: BenchCluster, options: ScenarioOptions, measured: () => void): Promise<Ledger>;
}

/** Everybody writes to one other, who writes back. */
const pair: Scenario = {
  about: 'durable one-to-one messages, acknowledged and delivered',
  async run(cluster, options, measured) {
    const clients = await logins(cluster, even(options.users));
    const ledger = new Ledger();
    for (const client of clients) client.on('message', (message) => ledger.delivered(message, client.userId));
    const say = (i: number, text: string) => clients[i]!.say(clients[i ^ 1]!.userId, text, { timeoutMs: 20_000 });
    await drive(clients.length, say, options, ledger, measured);
    await close(clients, ledger);
    return ledger;
  },
};

/** All are in one group; ten of them write. */
const oneGroup: Scenario = {
  about: 'messages to one group in which everybody is online',
  async run(cluster, options, measured) {
    const clients = await logins(cluster, options.users);
    const [first] = clients;
    const { groupId } = await first!.ask(group.create, {
      userId: 0,
      groupType: GroupType.GROUP_TYPE_TMP,
      groupName: 'bench',
      groupAvatar: '',
      memberIdList: clients.slice(1).map((client) => client.userId),
    });
    const ledger = new Ledger(clients.length - 1);
    for (const client of clients) client.on('message', (message) => ledger.delivered(message, client.userId));
    const say = (i: number, text: string) => clients[i]!.sayGroup(groupId!, text, { timeoutMs: 20_000 });
    await drive(Math.min(10, clients.length), say, options, ledger, measured);
    await close(clients, ledger);
    return ledger;
  },
};

/** Everybody for the first time: passwords are checked. */
const login: Scenario = {
  about: 'log-ins of clients that nobody has verified so far',
  async run(cluster, options, measured) {
    const ledger = new Ledger();
    measured();
    const clients: Client[] = [];
    let next = 0;
    const one = async () => {
      while (next < options.users) {
        const startedMs = performance.now();
        clients.push(await enter(cluster, next++));
        ledger.acked(performance.now() - startedMs);
      }
    };
    await Promise.all(Array.from({ length: LOGINS_AT_ONCE }, one));
    await close(clients, undefined);
    return ledger;
  },
};

/** Those who were verified a short while ago come back, all at once. */
const relogin: Scenario = {
  about: 'log-ins of clients that were verified a short while ago',
  async run(cluster, options, measured) {
    await close(await logins(cluster, options.users), undefined);
    const ledger = new Ledger();
    measured();
    const until = performance.now() + options.seconds * 1000;
    let next = 0;
    const one = async () => {
      while (performance.now() < until) {
        const i = next++ % options.users;
        const startedMs = performance.now();
        const client = await enter(cluster, i);
        ledger.acked(performance.now() - startedMs);
        client.close();
      }
    };
    await Promise.all(Array.from({ length: LOGINS_AT_ONCE }, one));
    return ledger;
  },
};

/** Connections that are logged in and say nothing, held by processes of their own. */
const idle: Scenario = {
  about: 'connections that are logged in and say nothing: what each takes, by --transport',
  async run(cluster, options, measured) {
    await close(await logins(cluster, Math.min(options.users, 50)), undefined); // warm, so that it is connections that count
    const before = usageOf(cluster.pids).rss;
    const held = await hold(cluster, 0, options.users);
    try {
      measured();
      await delay(options.seconds * 1000);
      const after = usageOf(cluster.pids).rss;
      const ledger = new Ledger();
      for (const [server, bytes] of Object.entries(after))
        ledger.note(`bytes per connection, ${server}`, Math.round((bytes - before[server]!) / options.users));
      return ledger;
    } finally {
      held.release();
    }
  },
};

/** Pages of twenty from the end of a conversation of some length. */
const history: Scenario = {
  about: 'pages of history, twenty messages each',
  async run(cluster, options, measured) {
    const clients = await logins(cluster, even(Math.min(options.users, 40)));
    const fill = 40;
    for (let n = 0; n < fill; n++)
      await Promise.all(clients.map((client, i) => client.say(clients[i ^ 1]!.userId, `message ${n}`)));
    const ledger = new Ledger();
    measured();
    const until = performance.now() + options.seconds * 1000;
    const read = async (client: Client, i: number) => {
      while (performance.now() < until) {
        const startedMs = performance.now();
        const page = await client.history(IM.BaseDefine.SessionType.SESSION_TYPE_SINGLE, clients[i ^ 1]!.userId);
        if (page.length !== 20) throw new Error(`a page of ${page.length} messages instead of 20`);
        ledger.acked(performance.now() - startedMs);
      }
    };
    await Promise.all(clients.map(read));
    await close(clients, undefined);
    return ledger;
  },
};

export const scenarios: Readonly<Record<string, Scenario>> = {
  pair,
  group: oneGroup,
  login,
  relogin,
  history,
  sync,
  day: mixedDay,
  idle,
};

export function even(count: number): number {
  return count - (count % 2);
}
