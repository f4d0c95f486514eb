import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { Client } from '../../common/client/client.js';
import { DEMO_PASSWORD, demoName } from '../cluster/demo.js';
import { close } from './clients.js';
import type { BenchCluster } from './cluster.js';
import { Ledger } from './ledger.js';
import type { Scenario } from './scenarios.js';

/** Conversations of those who come back; the largest one has as many partners as there are demo people beside him. */
const SIZES = [10, 100, 1_000, 5_000];
const CHANGED = 10;
const WINDOW = 50;

/**
 * People with many conversations, of which ten have changed while they were away, come back again and again: newer
 * clients ask for what has changed, stock clients for their recent list and what is unread.
 */
export const sync: Scenario = {
  about: 'people with 10 to 5,000 conversations come back, of which 10 have changed: newer clients and stock ones',
  people: SIZES.at(-1)! + SIZES.length + 1,
  async run(cluster, options, measured) {
    const ledger = new Ledger();
    const owners: { readonly size: number; readonly client: Client; readonly cursor: Uint8Array }[] = [];
    for (const [i, size] of SIZES.entries()) {
      const client = await enter(cluster, i);
      await fill(client, size);
      await quietButTen(cluster, client.userId);
      const { cursor } = await client.sync();
      owners.push({ size, client, cursor });
    }
    measured();
    const until = performance.now() + options.seconds * 1000;
    while (performance.now() < until)
      for (const { size, client, cursor } of owners) {
        const told = await timed(ledger, `sync, ${size} conversations`, () => client.sync(cursor));
        if (told.entries.length < CHANGED)
          throw new Error(`${told.entries.length} of ${size} changed instead of ${CHANGED}`);
        await timed(ledger, `stock client, ${size} conversations`, async () => {
          await client.recentSessions();
          await client.unread();
        });
      }
    await close(
      owners.map(({ client }) => client),
      undefined,
    );
    return ledger;
  },
};

async function timed<T>(ledger: Ledger, kind: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  ledger.done(kind, performance.now() - startedMs);
  return result;
}

function enter(cluster: BenchCluster, i: number): Promise<Client> {
  const user = demoName(i + 1);
  return Client.login({
    ...cluster.msg[0]!,
    user,
    password: DEMO_PASSWORD,
    capabilities: ['ack2', 'sync1'],
    timeoutMs: 60_000,
  });
}

/** A message to each of so many people. */
async function fill(client: Client, size: number): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < size) await client.say(SIZES.length + 1 + next++, 'a first word', { timeoutMs: 60_000 });
  };
  await Promise.all(Array.from({ length: WINDOW }, one));
}

/** As if all but ten of the conversations had been quiet for some hours: lists know the hour in which something happened. */
async function quietButTen({ data }: BenchCluster, userId: number): Promise<void> {
  const client = new pg.Client((await readFile(join(data, 'database.url'), 'utf8')).trim());
  await client.connect();
  try {
    await client.query(
      `update shard.user_conversation set active = active - 10 where user_id = $1 and conversation_id not in
         (select conversation_id from shard.user_conversation where user_id = $1 order by conversation_id limit ${CHANGED})`,
      [userId],
    );
  } finally {
    await client.end();
  }
}
