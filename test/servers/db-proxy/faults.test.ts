/**
 * Storing while what it stands on fails: real PostgreSQL servers, a disk that is really full, connections cut in the worst
 * moments. Two db-proxies store into the same conversations all the time; whatever happens, nothing that was acked is lost
 * or doubled, no id is left out, the log says what is waited for, and all goes on by itself.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import t, { type Test } from 'tap';
import { bucketOf, singleConversation, userBucketOf } from '../../../common/conversation.js';
import { moveBucket } from '../../../servers/db-proxy/storage/move.js';
import { addShard } from '../../../servers/db-proxy/storage/shard-admin.js';
import { addPeople, freshDatabase, until } from '../../support/cluster.js';
import { MIGRATED, testPostgres } from '../../support/postgres.js';
import { PostgresProxy } from '../../support/postgres-proxy.js';
import { smallDisk } from '../../support/small-disk.js';
import { type LogLine, openStorer, SINGLES, type Storer, Storing } from '../../support/storing.js';

const masterKey = randomBytes(32).toString('hex');
const postgres = await testPostgres(t);
const PEOPLE = ['alice', 'bob', 'carol', 'dave'];
const ALICE_AND_BOB = singleConversation(1, 2);

/** Two db-proxies on one database with some people in it. */
async function storersOn(t: Test, url: string, settings = {}): Promise<[Storer, Storer]> {
  const first = await openStorer(t, url, masterKey, settings);
  if ((await first.storage.users.count()) === 0) await addPeople(first.storage, PEOPLE);
  return [first, await openStorer(t, url, masterKey, settings)];
}

/** A connection of the test's own. */
async function connect(t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

async function assertWhole(t: Test, storing: Storing): Promise<void> {
  t.same((await storing.faults()).slice(0, 20), [], 'no promise is broken');
  t.comment(`${storing.checker.acked} acked, ${storing.refused} refused for a while`);
}

/** The lines about waiting; their words are for operators. */
function waits(storers: readonly Storer[], words: RegExp): LogLine[] {
  const lines = storers.flatMap((storer) => storer.lines);
  return lines.filter((line) => line.msg === 'storing waits for PostgreSQL' && words.test(line.error ?? ''));
}

t.test('two db-proxies store into one conversation at once', async (t) => {
  const storers = await storersOn(t, await freshDatabase(postgres, MIGRATED));
  const storing = new Storing(storers, [ALICE_AND_BOB]);
  await until(() => storing.checker.acked > 1_000, 'a thousand messages', 30_000);
  await assertWhole(t, storing);
  t.equal(storing.refused, 0);
});

t.test('a db-proxy that is slower than another one gets its turn', async (t) => {
  const url = await freshDatabase(postgres, MIGRATED);
  const wire = await PostgresProxy.start(t, url);
  const storers: [Storer, Storer] = [(await storersOn(t, url))[0], await openStorer(t, wire.url, masterKey)];
  wire.delayMs = 30;
  const storing = new Storing(storers, [ALICE_AND_BOB], 0);
  for (let times = 0; times < 2; times++) await storing.flows('by both');
  await assertWhole(t, storing);
});

t.test('PostgreSQL is stopped and killed under the writing', async (t) => {
  const own = await testPostgres(t);
  const storers = await storersOn(t, await freshDatabase(own));
  const storing = new Storing(storers, SINGLES);
  await storing.flows('at all');
  for (const how of ['stop', 'kill'] as const) {
    await own[how]();
    await until(() => waits(storers, /ECONNREFUSED|terminat/).length >= 2, 'both to say that they wait');
    await own.start();
    t.comment(`${how}: stored again after ${await storing.flows(`after ${how}`)} ms`);
    for (const { lines } of storers) lines.length = 0;
  }
  await assertWhole(t, storing);
});

t.test('connections are cut before the commit, and between the commit and its answer', async (t) => {
  const url = await freshDatabase(postgres, MIGRATED);
  const wire = await PostgresProxy.start(t, url);
  const storers: [Storer, Storer] = [(await storersOn(t, url))[0], await openStorer(t, wire.url, masterKey)];
  const storing = new Storing(storers, SINGLES);
  await storing.flows('at all');
  let cuts = 0;
  for (const cut of ['before-commit', 'after-commit', 'before-commit', 'after-commit'] as const) {
    wire.cutNext('messages-append', cut, 3);
    cuts += 3;
    await until(() => wire.cuts === cuts, `three cuts ${cut}`);
    await storing.flows(`after a cut ${cut}`);
  }
  t.equal(waits(storers, /terminated/).length, cuts, 'each is told of');
  await assertWhole(t, storing);
});

t.test('the disk is full', async (t) => {
  const own = await testPostgres(t, { settings: { log_min_messages: 'fatal' } });
  const disk = await smallDisk(t, own);
  const storers = await storersOn(t, disk.url);
  const storing = new Storing(storers, SINGLES);
  await storing.flows('at all');
  await disk.fill();
  await until(() => waits(storers, /No space left|could not extend/).length >= 2, 'a full disk to be told of', 30_000);
  const full = performance.now();
  await until(() => performance.now() - full > 500, 'a while without room');
  await disk.free();
  await storing.flows('with room again');
  await assertWhole(t, storing);
});

t.test('a deadlock', async (t) => {
  const url = await freshDatabase(postgres, MIGRATED);
  const storers = await storersOn(t, url);
  // In one bucket, so stored in one statement. Which of them it locks first depends on where they lie in the table.
  const [low, high] = pairInOneBucket();
  await addMore(storers[0], Math.max(...low.users, ...high.users));
  const storing = new Storing(storers, [low.id, high.id]);
  await storing.flows('at all');
  const lock = (client: pg.Client, id: bigint) =>
    client.query('select from shard.conversation where id = $1 for update', [String(id)]);
  // Which of the two in a deadlock is given up is PostgreSQL's choice.
  for (let [first, second] = [high.id, low.id]; waits(storers, /deadlock detected/).length === 0; ) {
    const client = await connect(t, url);
    await client.query('begin');
    await lock(client, first);
    const isWaiting = async () => {
      const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return ((await client.query(waiting)).rowCount ?? 0) > 0;
    };
    await until(isWaiting, 'a db-proxy to wait for the lock');
    await lock(client, second).catch(() => undefined);
    await client.end();
    [first, second] = [second, first];
  }
  await storing.flows('after the deadlock');
  await assertWhole(t, storing);
});

t.test('statements run into their time-out', async (t) => {
  const url = await freshDatabase(postgres, MIGRATED);
  const lanesPerShard = 2;
  const storers = await storersOn(t, url, { lanesPerShard });
  const laneOf = (id: bigint) => bucketOf(id) % lanesPerShard;
  const elsewhere = SINGLES.find((id) => laneOf(id) !== laneOf(ALICE_AND_BOB))!;
  const storing = new Storing(storers, [ALICE_AND_BOB, elsewhere]);
  await storing.flows('at all');
  const client = await connect(t, url);
  await client.query('begin');
  await client.query('select from shard.conversation where id = $1 for update', [String(ALICE_AND_BOB)]);
  await until(() => waits(storers, /statement timeout/).length > 0, 'the time-out to be told of', 20_000);
  await storing.flows('in another lane', [elsewhere]);
  await client.query('rollback');
  await storing.flows('after the time-out');
  await assertWhole(t, storing);
});

t.test('serialisation failures, and a database that is serializable by default', async (t) => {
  const url = await freshDatabase(postgres, MIGRATED);
  const client = await connect(t, url);
  await client.query(
    `alter database ${new URL(url).pathname.slice(1)} set default_transaction_isolation = 'serializable'`,
  );
  const storers = await storersOn(t, url);
  const storing = new Storing(storers, SINGLES);
  await storing.flows('at all');
  t.same(waits(storers, /serialize/), [], 'storing does not depend on what the database has as its own');

  await client.query(
    `create sequence failures;
     create function fail() returns trigger language plpgsql as $$ begin
       if nextval('failures') <= 5 then raise exception 'could not serialize access' using errcode = '40001'; end if;
       return null;
     end $$;
     create trigger fail after insert on shard.message for each statement execute function fail()`,
  );
  await until(() => waits(storers, /serialize/).length === 5, 'five failures to be told of');
  await storing.flows('after them');
  await assertWhole(t, storing);
});

t.test('the fence of a move holds in a database that is serializable by default', async (t) => {
  const url = await freshDatabase(postgres, MIGRATED);
  const other = await freshDatabase(postgres);
  const client = await connect(t, url);
  for (const each of [url, other])
    await client.query(
      `alter database ${new URL(each).pathname.slice(1)} set default_transaction_isolation = 'repeatable read'`,
    );
  const storers = await storersOn(t, url);
  await addShard(url, 'shard-2', other);
  const storing = new Storing(storers, [ALICE_AND_BOB]);
  await storing.flows('at all');
  for (const target of ['shard-2', 'shard-1', 'shard-2', 'shard-1'])
    await moveBucket(url, bucketOf(ALICE_AND_BOB), target);
  await storing.flows('after the moves');
  await assertWhole(t, storing);
});

t.test('one shard is down: only its conversations wait, and go on by themselves', async (t) => {
  const far = await testPostgres(t);
  const [url, farUrl] = await Promise.all([freshDatabase(postgres, MIGRATED), freshDatabase(far)]);
  await storersOn(t, url);
  await addShard(url, 'shard-2', farUrl);
  const [there, here, late] = SINGLES as [bigint, bigint, bigint];
  // `late` begins while the shard with one of its users' lists is down: it waits like one that lives there.
  await moveBucket(url, bucketOf(there), 'shard-2');
  await moveBucket(url, userBucketOf(3), 'shard-2');
  t.equal(new Set([bucketOf(there), bucketOf(here), bucketOf(late), userBucketOf(3)]).size, 4);
  const storers = [await openStorer(t, url, masterKey, { lanesPerShard: 1 })];
  const storing = new Storing(storers, [there, here]);
  await storing.flows('at all');

  await far.stop();
  const stoppedMs = performance.now() + 1;
  const begun = new Storing(storers, [late]); // in the lane of the others
  await storing.flows('on the shard that is up', [here]);
  await until(() => waits(storers, /ECONNREFUSED|terminat/).length > 0, 'it to be told of');
  t.ok(
    waits(storers, /./).every((line) => line.shard === 'shard-2'),
    'by name',
  );
  await storing.flows('on the shard that is up, all the time', [here]);
  await storing.flows('on the shard that is up, all the time', [here]);
  t.notOk(storing.hasAckSince(there, stoppedMs), 'nothing is acked on the one that is down');
  await far.start();
  await storing.flows('on both');
  await begun.flows('that waited for a list');
  for (const each of [storing, begun]) await assertWhole(t, each);
});

interface Pair {
  readonly id: bigint;
  readonly users: readonly [number, number];
}

/** Two conversations of one bucket, the smaller id first. */
function pairInOneBucket(): [Pair, Pair] {
  const seen = new Map<number, Pair>();
  for (let user = 2; ; user++) {
    const pair: Pair = { id: singleConversation(1, user), users: [1, user] };
    const before = seen.get(bucketOf(pair.id));
    if (before !== undefined) return [before, pair];
    seen.set(bucketOf(pair.id), pair);
  }
}

/** Further people, up to this id. */
async function addMore({ storage }: Storer, upTo: number): Promise<void> {
  const ids = Array.from({ length: upTo - PEOPLE.length }, (_, i) => PEOPLE.length + 1 + i);
  await storage.users.add(ids.map((id) => ({ id, name: `user ${id}`, nick: '', passwordHash: '-' })));
}
