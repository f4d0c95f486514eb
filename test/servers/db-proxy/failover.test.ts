/**
 * A primary dies under the writing and its synchronous replica takes over: two db-proxies find it and go on, nothing that
 * was acked is lost, and nothing goes to a server that was the primary once.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import t, { type Test } from 'tap';
import { bucketOf, singleConversation } from '../../../common/conversation.js';
import { inTransaction, openPool } from '../../../servers/db-proxy/storage/database.js';
import { checkDatabaseUrl } from '../../../servers/db-proxy/storage/database-url.js';
import { moveBucket } from '../../../servers/db-proxy/storage/move.js';
import { addShard, prepareShards } from '../../../servers/db-proxy/storage/shard-admin.js';
import { connectTool } from '../../../servers/db-proxy/storage/tool-client.js';
import { addPeople, until } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';
import { PostgresPair } from '../../support/postgres-pair.js';
import { signalTree } from '../../support/processes.js';
import { openStorer, SINGLES, type Storer, Storing } from '../../support/storing.js';

const masterKey = randomBytes(32).toString('hex');
const SHARDS = 2;
const READS = 4;
const LANES = 2;
/** With nobody else's messages in it. */
const ELSEWHERE = singleConversation(1, 4);

async function storersOn(t: Test, url: string): Promise<[Storer, Storer]> {
  const few = { readPoolMax: READS, lanesPerShard: LANES, storeTimeoutMs: 30_000 };
  const first = await openStorer(t, url, masterKey, few);
  await addPeople(first.storage, ['alice', 'bob', 'carol', 'dave']);
  return [first, await openStorer(t, url, masterKey, few)];
}

/** What a query gives on one server, whatever it is by now. */
async function askThere<R extends pg.QueryResultRow>(url: string, text: string): Promise<R[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Without those that wait for a replica: they do so for ever, whether their client has gone or not. */
async function connectionsTo(url: string): Promise<number> {
  const text = `select count(*)::int as n from pg_stat_activity
                 where application_name like 'db-proxy%' and wait_event is distinct from 'SyncRep'`;
  return (await askThere<{ n: number }>(url, text))[0]!.n;
}

t.test('the replica takes over from a primary that is killed, and another one from that', async (t) => {
  const pair = await PostgresPair.start(t);
  await prepareShards(pair.url, SHARDS);
  const storers = await storersOn(t, pair.url);
  const storing = new Storing(storers, SINGLES);
  await storing.flows('at all');
  for (let times = 0; times < 2; times++) {
    await pair.primary.kill();
    await pair.promote();
    t.comment(`stored again ${await storing.flows('by the new primary')} ms after the promotion`);
    const told = () => storers[0].lines.filter((line) => line.msg === 'PostgreSQL has another primary').length;
    await until(() => told() > times, 'the log to say so');
    const { users } = storers[0].storage;
    await until(
      () =>
        users.count().then(
          () => true,
          () => false,
        ),
      'meta to be read',
    );
    const budget = storers.length * (READS + SHARDS * (READS + LANES));
    t.ok((await connectionsTo(pair.primary.url)) <= budget, 'with no more connections than there may be');
    const stranger = { name: 'nobody', password: 'x', code: '', address: '', agent: '', idleMs: 1, lifetimeMs: 1 };
    t.equal((await storers[0].storage.adminLogins.enter(stranger)).result, 'wrong', 'the console can be logged in to');
    const unlogged = "select oid::regclass::text as name from pg_class where relkind = 'S' and relpersistence <> 'p'";
    t.same(await askThere(pair.primary.url, unlogged), [], 'no sequence is left behind by a failover');
    await pair.copyAnew();
    await storing.flows('with a new replica');
  }
  t.same((await storing.faults()).slice(0, 20), [], 'no promise is broken');
  t.comment(`${storing.checker.acked} acked, ${storing.refused} refused for a while`);
});

t.test('an old primary gets nothing more, whether it was never stopped or comes back', async (t) => {
  const pair = await PostgresPair.start(t);
  const storers = await storersOn(t, pair.url);
  const storing = new Storing(storers, SINGLES);
  await storing.flows('at all');
  const old = pair.primary;
  await pair.promote(); // without a word to the old one
  await storing.flows('by the new primary');
  await until(async () => (await connectionsTo(old.url)) === 0, 'the old primary to be left');
  await old.kill();
  await old.start();
  const messages = async () => (await askThere(old.url, 'select from shard.message')).length;
  const before = await messages();
  for (let times = 0; times < 3; times++) {
    const backends = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'db-proxy%'";
    await askThere(pair.primary.url, backends);
    await storing.flows('over new connections');
  }
  const third = await openStorer(t, pair.url, masterKey);
  await third.storage.append.store(aMessage());
  t.equal(await connectionsTo(old.url), 0, 'a db-proxy that knows nothing of the past does not take it either');
  await pair.primary.kill();
  await t.rejects(connectTool(pair.url, 'test'), /ECONNREFUSED|old primary/, 'nor when there is no other');
  await t.rejects(connectTool(pair.url, 'test'), /old primary/, 'and whoever asks is told why');
  await pair.primary.start();
  await storing.flows('when the new primary is back');
  t.same((await storing.faults()).slice(0, 20), [], 'no promise is broken');
  t.equal(await messages(), before, 'nothing was written to the old one');
});

t.test('what a primary that came back from a crash has, but its replica has not, is no ack', async (t) => {
  const pair = await PostgresPair.start(t);
  const { url } = await testPostgres(t);
  const [{ storage }] = await storersOn(t, url);
  await addShard(url, 'shard-2', pair.url);
  // The lists of users stay where nothing waits.
  await moveBucket(url, bucketOf(ELSEWHERE), 'shard-2');
  await storage.append.store(aMessage());
  signalTree(pair.replica.pid, 'SIGSTOP');
  t.teardown(() => signalTree(pair.replica.pid, 'SIGCONT'));
  let isAcked = false;
  const sending = storage.append.store(aMessage()).then((stored) => {
    isAcked = true;
    return stored;
  });
  const waits = (query: string) => async () => {
    const text = `select from pg_stat_activity where wait_event = 'SyncRep' and query like '${query}%'`;
    return isAcked || (await askThere(pair.primary.url, text).catch(() => [])).length > 0;
  };
  await until(waits('select shard.append'), 'the commit to wait for the replica');
  await pair.primary.kill();
  await pair.primary.start();
  t.equal((await askThere(pair.primary.url, 'select from shard.message')).length, 2, 'it is there');
  await until(waits('select m.conversation_id'), 'the second attempt to wait as well', 30_000);
  t.notOk(isAcked, 'and not acked');
  signalTree(pair.replica.pid, 'SIGCONT');
  t.match(await sending, { msgId: 2, duplicate: true }, 'until the replica has it');
});

t.test('what was given up and is stored in the end is told of when that is so, and not before', async (t) => {
  const pair = await PostgresPair.start(t);
  const { storage, decidedLate } = await openStorer(t, pair.url, masterKey, { storeTimeoutMs: 1_000 });
  await addPeople(storage, ['alice', 'bob', 'carol', 'dave']);
  await storage.append.store(aMessage());
  signalTree(pair.replica.pid, 'SIGSTOP');
  const sentMs = Date.now();
  await t.rejects(storage.append.store(aMessage()), { code: 'STORE_UNAVAILABLE' });
  const refusedMs = performance.now();
  await until(() => performance.now() - refusedMs > 3_000, 'some looks at what became of it');
  t.same(await storage.messages.head(ELSEWHERE), 1);
  t.same(decidedLate, [], 'nobody knows so far');
  signalTree(pair.replica.pid, 'SIGCONT');
  await until(() => decidedLate.length > 0, 'it to be decided');
  t.ok(Math.abs(decidedLate[0]! - sentMs) < 100, 'since it came');
  t.same(await storage.messages.head(ELSEWHERE), 2, 'it is there by then');
});

t.test('a connection that breaks in the middle of a transaction', async (t) => {
  const { url } = await testPostgres(t);
  const pool = openPool(url, 'db-proxy', 1);
  t.teardown(() => pool.end());
  const cut = inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const ended = new Promise((resolve) => client.once('end', resolve));
    await askThere(url, `select pg_terminate_backend(${rows[0]!.pid})`);
    await ended; // nobody waits for an answer just then
    await client.query('select 1');
  });
  await t.rejects(cut, 'fails, and the process lives');
  t.match(await pool.query('select 1 as one'), { rows: [{ one: 1 }] });
});

t.test('what is no address', (t) => {
  const good = ['postgres://u:p@h/d', 'postgresql://h:1,h:2/d', 'postgres://h,i:2/d?target_session_attrs=read-write'];
  for (const url of good) t.doesNotThrow(() => checkDatabaseUrl(url));
  t.throws(() => checkDatabaseUrl('postgres://u:secret@h:x,i/d'), /^(?!.*secret).*no URL such as/);
  t.throws(() => checkDatabaseUrl('postgres://h,i/d?target_session_attrs=standby'), /but standby/);
  t.end();
});

function aMessage() {
  return {
    conversationId: ELSEWHERE,
    senderId: 1,
    msgType: 1,
    body: Buffer.from('hello'),
    sendId: randomBytes(16),
  };
}
