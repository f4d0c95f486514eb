import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import { DEMO_PASSWORD, demoName } from '../cluster/demo.js';
import type { BenchCluster } from './cluster.js';
import type { Ledger } from './ledger.js';
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

/** Sends for the time asked for: each sender with a window of open messages, or all together at a rate. */
export async function drive(
  senders: number,
  say: (sender: number, text: string) => Promise<unknown>,
  { seconds, window, rate }: Pick<ScenarioOptions, 'seconds' | 'window' | 'rate'>,
  ledger: Ledger,
): Promise<void> {
  const until = performance.now() + seconds * 1000;
  let number = 0;
  const send = async (sender: number) => {
    const text = ledger.sending(`${sender}-${number++}`);
    try {
      await say(sender, text);
      ledger.ackedText(text);
    } catch {
      ledger.unacked();
    }
  };
  if (rate === 0) {
    const one = async (sender: number) => {
      while (performance.now() < until) await send(sender);
    };
    const lanes = Array.from({ length: senders * window }, (_, i) => one(i % senders));
    await Promise.all(lanes);
    return;
  }
  const open: Promise<void>[] = [];
  const startedMs = performance.now();
  for (let sent = 0; performance.now() < until; ) {
    const due = Math.floor(((performance.now() - startedMs) / 1000) * rate);
    for (; sent < due; sent++) open.push(send(sent % senders));
    await delay(1);
  }
  await Promise.all(open);
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
export async function close(clients: readonly Client[], ledger: Ledger | undefined): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (ledger !== undefined && ledger.missing > 0 && performance.now() < deadline) await delay(20);
  for (const client of clients) client.close();
}
