/**
 * What an operation costs as the data grow: `npm run bench:growth -- [--large] [--only WORDS] [--out PATH]`. A db-proxy's
 * storage on a PostgreSQL of its own, fsync on. Each line is one size; a cost that grows from line to line with the size
 * itself would be a fault. --large also loads clusters with many connections: see growth-online.ts.
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { groupConversation, singleConversation } from '../../common/conversation.js';
import { hourOf } from '../../servers/db-proxy/storage/user-lists.js';
import { plot, type Series } from '../../tools/bench/plot.js';
import { machine } from '../../tools/bench/report.js';
import { freshDatabase, type Storage } from '../support/cluster.js';
import { testPostgres } from '../support/postgres.js';
import { openStorer } from '../support/storing.js';
import { load } from './bulk.js';
import { connections, onlineGroup } from './growth-online.js';

const { large, only, out } = new Command('npm run bench:growth --')
  .description('Measures what operations cost as the data grow.')
  .option(
    '--large',
    'up to ten million messages, a hundred thousand people, twenty thousand connections: half an hour',
    false,
  )
  .option('--only <words>', 'only what has these words in its name', '')
  .option('--out <path>', 'writes PATH.json, PATH.svg and, with --large, PATH-online.svg')
  .parse()
  .opts<{ large: boolean; only: string; out?: string }>();

/** Stored by the product itself at each size, besides what is brought in in bulk. */
const STORED = 5_000;
const WINDOW = 500;
const LOOKS = 50;
const SPREAD = 100;

interface Measured {
  readonly what: string;
  readonly size: number;
  readonly value: number;
  readonly unit: string;
}
const measured: Measured[] = [];

function note(what: string, size: number, value: number, unit = 'µs'): void {
  measured.push({ what, size, value: Math.round(value * 10) / 10, unit });
  process.stdout.write(
    `${what.padEnd(56)} ${String(size).padStart(9)}  ${value.toFixed(unit === 'µs' ? 0 : 1)} ${unit}\n`,
  );
}

/** The middle one of many, in µs. */
async function timed(work: (i: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < LOOKS; i++) {
    const startedMs = performance.now();
    await work(i);
    times.push((performance.now() - startedMs) * 1000);
  }
  return times.sort((a, b) => a - b)[LOOKS >> 1]!;
}

/** Stores so many, a few hundred at once. @returns µs for each */
async function fill(storage: Storage, count: number, conversationOf: (i: number) => [bigint, number]): Promise<number> {
  const startedMs = performance.now();
  let next = 0;
  const one = async () => {
    while (next < count) {
      const [conversationId, senderId] = conversationOf(next++);
      const body = Buffer.from(`message ${next} ${'x'.repeat(60)}`);
      await storage.append.store({ conversationId, senderId, msgType: 1, body, sendId: randomBytes(16) });
    }
  };
  await Promise.all(Array.from({ length: Math.min(WINDOW, count) }, one));
  return ((performance.now() - startedMs) * 1000) / count;
}

async function people(storage: Storage, count: number): Promise<void> {
  const have = await storage.users.count();
  for (let from = have + 1; from <= count; from += 5_000) {
    const names = Array.from({ length: Math.min(5_000, count - from + 1) }, (_, i) => `person ${from + i}`);
    await storage.users.add(names.map((name) => ({ name, passwordHash: 'teamtalk-md5$none' })));
  }
}

/** What each part works on: a database of its own, with ten thousand people. */
interface Place {
  readonly storage: Storage;
  readonly url: string;
  /** By another db-proxy, which remembers nothing of what the first has done. */
  another(): Promise<Storage>;
}

async function oneConversation({ storage, url }: Place): Promise<void> {
  const two = singleConversation(1, 2);
  let have = 0;
  for (const size of large ? [1e4, 1e5, 1e6, 1e7] : [1e3, 1e4, 1e5]) {
    const to = Math.max(have, size - STORED);
    if (to > have)
      note(
        'one conversation: bulk load',
        size,
        await load(storage, url, [{ conversationId: two, from: have + 1, to }]),
      );
    note('one conversation: store', size, await fill(storage, size - to, () => [two, 1]));
    have = size;
    const page = (i: number) => storage.messages.page(two, Math.floor((size * (i + 1)) / LOOKS), 0, 20);
    note('one conversation: page of 20', size, await timed(page));
  }
}

/** A hundred messages in each conversation; each of the people has as many conversations as it takes. */
async function manyConversations({ storage, url }: Place): Promise<void> {
  const ids: bigint[] = [];
  const peopleCount = 1_000;
  for (const size of large ? [1e4, 1e5, 1e6, 1e7] : [1e4, 1e5]) {
    const from = ids.length;
    for (let i = from; i < size / SPREAD; i++) {
      const me = 1 + (i % peopleCount);
      ids.push(singleConversation(me, peopleCount + 1 + Math.floor(i / peopleCount)));
    }
    const stretches = ids.slice(from).map((conversationId) => ({ conversationId, from: 1, to: SPREAD }));
    note('many conversations: bulk load', size, await load(storage, url, stretches));
    const some = (i: number) => ids[(i * 7_919) % ids.length]!;
    note('many conversations: store', size, await fill(storage, STORED, (i) => [some(i), Number(some(i) >> 32n)]));
    note('many conversations: page of 20', size, await timed((i) => storage.messages.page(some(i), 0, 0, 20)));
  }
}

async function directory({ storage }: Place): Promise<void> {
  for (const size of large ? [100, 1_000, 10_000, 100_000] : [100, 1_000, 10_000]) {
    await people(storage, size);
    note('people: look-up of a log-in', size, await timed((i) => storage.users.enter(1 + ((i * 7_919) % size))));
  }
}

async function listOfOne(place: Place): Promise<void> {
  const { storage } = place;
  for (const size of [10, 100, 1_000, 5_000]) {
    const me = 9_999;
    await fill(storage, size, (i) => [singleConversation(me, i + 1), i + 1]);
    await quietForHours(storage, me);
    await fill(await place.another(), 10, (i) => [singleConversation(me, i + 1), i + 1]);
    const from = { hour: hourOf(Date.now()), after: undefined };
    const sync = await timed(() => storage.conversations.changed(me, from, 200));
    note('list of a user: sync, 10 changed', size, sync);
    note('list of a user: recent list', size, await timed(() => storage.conversations.recent(me, 0, 100)));
  }
}

async function groupOf({ storage }: Place): Promise<void> {
  for (const size of [10, 100, 1_000, 10_000]) {
    const memberIds = Array.from({ length: size }, (_, i) => i + 1);
    const groupId = await storage.groups.add({ name: `of ${size}`, memberIds, type: 1 });
    note('members of a group: store', size, await fill(storage, STORED, () => [groupConversation(groupId), 1]));
  }
}

/** As if all of the user's conversations had been quiet for some hours. */
async function quietForHours(storage: Storage, userId: number): Promise<void> {
  for (const shard of storage.shards.all)
    await shard.pool.query('update shard.user_conversation set active = active - 10 where user_id = $1', [userId]);
}

/** Directly on storage, and through a cluster of processes with clients. */
const onStorage: Readonly<Record<string, (place: Place) => Promise<void>>> = {
  'one conversation': oneConversation,
  'many conversations': manyConversations,
  people: directory,
  'list of a user': listOfOne,
  'members of a group': groupOf,
};
const online = { connections, 'online group': onlineGroup };

const ended: (() => unknown)[] = [];
const t = { teardown: (work: () => unknown) => ended.unshift(work) };
try {
  const parts = Object.entries(onStorage).filter(([name]) => name.includes(only));
  if (parts.length > 0) {
    const postgres = await testPostgres(t, { durable: true, settings: { shared_buffers: '256MB' } });
    for (const [name, part] of parts) {
      const place = [await freshDatabase(postgres), randomBytes(32).toString('hex')] as const;
      const { storage } = await openStorer(t, ...place);
      if (name !== 'people') await people(storage, 10_000);
      await part({ storage, url: place[0], another: async () => (await openStorer(t, ...place)).storage });
      await report();
    }
  }
} finally {
  for (const work of ended) await work();
}
if (large)
  for (const [name, part] of Object.entries(online)) {
    if (name.includes(only)) await part(note);
    await report();
  }
await report();

/** Written after each part: the large ones take long. */
async function report(): Promise<void> {
  if (out === undefined) return;
  const about = { at: new Date().toISOString(), large, machine: machine() };
  await writeFile(`${out}.json`, `${JSON.stringify({ ...about, measured }, null, 2)}\n`);
  const isOnline = ({ what }: Measured) => /^(connections|online group):/.test(what);
  const words = { title: 'Cost of an operation as the data grow', x: 'size', y: 'µs' };
  await writeFile(
    `${out}.svg`,
    plot(
      words,
      seriesOf(
        measured.filter((each) => !isOnline(each)),
        ({ what }) => what,
      ),
    ),
  );
  const online = measured.filter(isOnline);
  if (online.length === 0) return;
  const below = { title: 'Cost with the number of those who are online', x: 'online', y: 'in the units below' };
  await writeFile(
    `${out}-online.svg`,
    plot(
      below,
      seriesOf(online, ({ what, unit }) => `${what}, ${unit}`),
    ),
  );
}

function seriesOf(measures: readonly Measured[], nameOf: (measure: Measured) => string): Series[] {
  return [...new Set(measures.map(nameOf))].map((name) => {
    const points = measures.filter((each) => nameOf(each) === name).map((each) => [each.size, each.value] as const);
    return { name, points };
  });
}
