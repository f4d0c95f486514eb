/** What connections and groups of people who are online cost as there are more of them, on clusters of processes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hash } from '@node-rs/argon2';
import pg from 'pg';
import { projectRoot } from '../../common/root.js';
import { close, drive, enter, logins, PHONE } from '../../tools/bench/clients.js';
import { type BenchCluster, startCluster } from '../../tools/bench/cluster.js';
import { hold } from '../../tools/bench/holder.js';
import { Ledger, percentiles } from '../../tools/bench/ledger.js';
import { cpuBetween, usageOf } from '../../tools/bench/processes.js';
import { DEMO_PASSWORD } from '../../tools/cluster/demo.js';
import { md5Hex, testStorage } from '../support/cluster.js';

/** One figure: of what, at which size. */
export type Note = (what: string, size: number, value: number, unit?: string) => void;

const PORT_OFFSET = 13_000;
const SAID = 300;
const DELIVERIES_PER_SECOND = 20_000;

/** Two msg servers, since a process may open 20,000 files on this machine. */
export async function connections(note: Note): Promise<void> {
  const sizes = [1_000, 5_000, 20_000];
  const most = sizes.at(-1)!;
  const cluster = await startCluster(projectRoot, { ...SIZE, users: most + 2, msgServers: 2 });
  const held: { release(): void }[] = [];
  try {
    await cheapPasswords(cluster);
    const before = usageOf(cluster.pids).rss;
    let have = 0;
    for (const size of sizes) {
      held.push(await hold(cluster, have, size - have));
      have = size;
      const after = usageOf(cluster.pids).rss;
      note('connections: memory of msg for each', size, (after.msg! - before.msg!) / size / 1024, 'KiB');
      note('connections: memory of all servers for each', size, (sumOf(after) - sumOf(before)) / size / 1024, 'KiB');
      note('connections: a message between two of them, to the ack', size, await between(cluster, most));
      const idle = usageOf(cluster.pids);
      const startedMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      const cores = cpuBetween(idle, usageOf(cluster.pids)).msg! / ((performance.now() - startedMs) / 1000);
      note('connections: CPU of msg while all are silent', size, cores * 100, '% of a core');
    }
  } finally {
    for (const each of held) each.release();
    await cluster.stop();
  }
}

function sumOf(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((sum, value) => sum + value, 0);
}

/** Between two people of their own, one message after another. @returns the middle time, in µs */
async function between(cluster: BenchCluster, first: number): Promise<number> {
  const two = [await enter(cluster, first), await enter(cluster, first + 1)];
  const ledger = new Ledger();
  for (let i = 0; i < SAID; i++) {
    const text = ledger.sending(`${i}`);
    await two[i % 2]!.say(two[(i + 1) % 2]!.userId, text);
    ledger.ackedText(text);
  }
  await close(two, undefined);
  return percentiles(ledger.ackMs)!.p50 * 1000;
}

/** Groups larger than clients can make, so they are put straight into the store. */
export async function onlineGroup(note: Note): Promise<void> {
  const sizes = [100, 1_000, 10_000];
  const most = sizes.at(-1)!;
  const cluster = await startCluster(projectRoot, { ...SIZE, users: most, msgServers: 1 });
  try {
    await cheapPasswords(cluster);
    const groupIds = await makeGroups(cluster, sizes);
    const clients = await logins(cluster, most, 0, PHONE);
    for (const [i, size] of sizes.entries()) {
      const members = clients.slice(0, size);
      const ledger = new Ledger(size - 1);
      for (const client of members) client.on('message', (message) => ledger.delivered(message, client.userId));
      let before = usageOf(cluster.pids);
      const rate = DELIVERIES_PER_SECOND / size;
      const say = (sender: number, text: string) =>
        members[sender]!.sayGroup(groupIds[i]!, text, { timeoutMs: 20_000 });
      const begin = () => {
        before = usageOf(cluster.pids);
      };
      await drive(10, say, { seconds: 10, warmUp: 2, window: 0, rate }, ledger, begin);
      await close([], ledger);
      const { all, deliveries } = { all: cpuBetween(before, usageOf(cluster.pids)), ...ledger.counts };
      const { lost, doubled, reordered } = ledger.counts;
      if (lost + doubled + reordered > 0) throw new Error(`${lost} lost, ${doubled} doubled, ${reordered} reordered`);
      note('online group: CPU of all servers for a delivery', size, (sumOf(all) * 1e6) / deliveries);
      note('online group: nine of ten deliveries within', size, percentiles(ledger.deliveryMs)!.p90 * 1000);
    }
    await close(clients, undefined);
  } finally {
    await cluster.stop();
  }
}

/** What is measured here are not log-ins, and twenty thousand of them would check passwords for a quarter of an hour. */
async function cheapPasswords(cluster: BenchCluster): Promise<void> {
  const passwordHash = await hash(md5Hex(DEMO_PASSWORD), { memoryCost: 8, timeCost: 1, parallelism: 1 });
  const client = new pg.Client(await inData(cluster, 'database.url'));
  await client.connect();
  try {
    await client.query('update meta.users set password_hash = $1', [passwordHash]);
  } finally {
    await client.end();
  }
}

async function makeGroups(cluster: BenchCluster, sizes: readonly number[]): Promise<number[]> {
  const storage = await testStorage(await inData(cluster, 'database.url'), await inData(cluster, 'master.key'));
  try {
    const made: number[] = [];
    for (const size of sizes) {
      const memberIds = Array.from({ length: size }, (_, i) => i + 1);
      made.push(await storage.groups.add({ name: `of ${size}`, memberIds, type: 1 }));
    }
    return made;
  } finally {
    await storage.close();
  }
}

async function inData({ data }: BenchCluster, name: string): Promise<string> {
  return (await readFile(join(data, name), 'utf8')).trim();
}

const SIZE = { dbProxies: 1, portOffset: PORT_OFFSET, transport: 'plain' } as const;
