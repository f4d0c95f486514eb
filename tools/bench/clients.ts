import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import { DEMO_PASSWORD, demoName } from '../cluster/demo.js';
import type { BenchCluster } from './cluster.js';
import { Ledger } from './ledger.js';
import type { ScenarioOptions } from './scenarios.js';

const { CLIENT_TYPE_WINDOWS: PC, CLIENT_TYPE_ANDROID } = IM.BaseDefine.ClientType;

/**
 * For crowds: TeamTalk tells each PC client of each user whose PC comes, so that ten thousand PCs that come in are a hundred
 * million frames, and nothing else would be measured.
 */
export const PHONE = CLIENT_TYPE_ANDROID;

export const LOGINS_AT_ONCE = 20;
const LOGIN_TRIES = 5;
const SETTLE_MS = 5_000;

/**
 * Sends for the time asked for: each sender with a window of open messages, or all together at a rate. Before that for as
 * long as it takes until code is compiled, connections are there and conversations have begun, which counts as nothing.
 */
export async function drive(
  senders: number,
  say: (sender: number, text: string) => Promise<unknown>,
  { seconds, warmUp, window, rate }: Omit<ScenarioOptions, 'users'>,
  ledger: Ledger,
  measured: () => void,
): Promise<void> {
  let number = 0;
  const send = async (sender: number, to: Ledger) => {
    const text = to.sending(`${sender}-${number++}`);
    try {
      await say(sender, text);
      to.ackedText(text);
    } catch {
      to.unacked();
    }
  };
  const closed = async (until: number, to: Ledger) => {
    const one = async (sender: number) => {
      while (performance.now() < until) await send(sender, to);
    };
    await Promise.all(Array.from({ length: senders * window }, (_, i) => one(i % senders)));
  };
  const open = async (until: number, to: Ledger) => {
    const waiting: Promise<void>[] = [];
    const startedMs = performance.now();
    for (let sent = 0; performance.now() < until; ) {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * rate);
      for (; sent < due; sent++) waiting.push(send(sent % senders, to));
      await delay(1);
    }
    await Promise.all(waiting);
  };
  const run = rate === 0 ? closed : open;
  await run(performance.now() + warmUp * 1000, new Ledger());
  measured();
  await run(performance.now() + seconds * 1000, ledger);
}

/** @param first the first one of the demo people, from 0 */
export async function logins(
  cluster: BenchCluster,
  count: number,
  first = 0,
  clientType: IM.BaseDefine.ClientType = PC,
): Promise<Client[]> {
  const clients: Client[] = new Array(count);
  let next = 0;
  const one = async () => {
    while (next < count) {
      const i = next++;
      clients[i] = await comeIn(cluster, first + i, clientType);
    }
  };
  await Promise.all(Array.from({ length: LOGINS_AT_ONCE }, one));
  return clients;
}

/** On a machine at its end one may have to wait for longer than servers let him, and comes again. */
async function comeIn(cluster: BenchCluster, i: number, clientType: IM.BaseDefine.ClientType): Promise<Client> {
  for (let tries = 1; ; tries++) {
    try {
      return await enter(cluster, i, clientType);
    } catch (error) {
      if (tries === LOGIN_TRIES) throw error;
    }
  }
}

export function enter(cluster: BenchCluster, i: number, clientType: IM.BaseDefine.ClientType = PC): Promise<Client> {
  const place = cluster.msg[i % cluster.msg.length]!;
  return Client.login({ ...place, user: demoName(i + 1), password: DEMO_PASSWORD, clientType, timeoutMs: 60_000 });
}

/** What was delivered late is waited for, within reason. */
export async function close(clients: readonly { close(): void }[], ledger: Ledger | undefined): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (ledger !== undefined && ledger.missing > 0 && performance.now() < deadline) await delay(20);
  for (const client of clients) client.close();
}
