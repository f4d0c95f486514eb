/** The mover alone, on two servers: what it takes along, what it refuses, and those who come with an old map. */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import pg from 'pg';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { bucketOf, singleConversation, userBucketOf } from '../../../common/conversation.js';
import { BUCKETS } from '../../../common/limits.js';
import { readSettings } from '../../../common/settings.js';
import { dbProxySettings } from '../../../servers/db-proxy/settings.js';
import { sealMessage } from '../../../servers/db-proxy/storage/attachments.js';
import { bucketTables } from '../../../servers/db-proxy/storage/bucket-tables.js';
import { moveBucket, resumeMove } from '../../../servers/db-proxy/storage/move.js';
import { addShard, prepareShards, readShards } from '../../../servers/db-proxy/storage/shard-admin.js';
import { openStorage } from '../../../servers/db-proxy/storage/storage.js';
import { evenBytes, evenNumbers, type Load, type Wanted } from '../../../tools/shards/balance.js';
import { addPeople, freshDatabase, type Storage, testStorage, until } from '../../support/cluster.js';
import { MIGRATED, type Teardown, testPostgres } from '../../support/postgres.js';
import { ShardProbe, switching, writing } from '../../support/shard-probe.js';

const masterKey = randomBytes(32).toString('hex');
const [near, far] = await Promise.all([testPostgres(t), testPostgres(t)]);

/** Storage on `near` with a second shard on `far`. */
interface Setting {
  readonly metaUrl: string;
  readonly farUrl: string;
  readonly storage: Storage;
  readonly probe: ShardProbe;
}

async function setUp(t: Teardown, over: Parameters<typeof testStorage>[2] = {}): Promise<Setting> {
  const [metaUrl, farUrl] = await Promise.all([freshDatabase(near, MIGRATED), freshDatabase(far)]);
  const storage = await testStorage(metaUrl, masterKey, over);
  t.teardown(() => storage.close());
  await addPeople(storage, ['alice', 'bob', 'carol', 'dave']);
  await addShard(metaUrl, 'shard-2', farUrl);
  return { metaUrl, farUrl, storage, probe: new ShardProbe(t, metaUrl, { 'shard-1': metaUrl, 'shard-2': farUrl }) };
}

function another(t: Teardown, { metaUrl }: Setting): Promise<Storage> {
  return testStorage(metaUrl, masterKey).then((storage) => {
    t.teardown(() => storage.close());
    return storage;
  });
}

const ALICE_AND_BOB = singleConversation(1, 2);
const BUCKET = bucketOf(ALICE_AND_BOB);

const [TEXT, VOICE] = [1, 2];

async function say(
  storage: Storage,
  text: string,
  { conversationId = ALICE_AND_BOB, senderId = 1, msgType = TEXT } = {},
): Promise<number> {
  const draft = { conversationId, senderId, msgType, body: Buffer.from(text), sendId: randomBytes(16) };
  return (await storage.append.store(draft)).msgId;
}

async function texts(storage: Storage, id = ALICE_AND_BOB): Promise<string[]> {
  return (await storage.messages.page(id, 0, 0, 100)).map(({ body }) => body.toString()).reverse();
}

// -------------------------------------------------------------------------------------------------- what goes over

/** A row for any table: its key made of `key`, the rest of `rest`. */
function valueFor(type: string, number: number): unknown {
  if (type === 'bytea') return Buffer.from(`bytes ${number}`);
  if (/^timestamp/.test(type)) return new Date(number * 1000);
  if (type === 'boolean') return number % 2 === 0;
  if (/^json/.test(type)) return JSON.stringify({ number });
  return /int|numeric|double|real/.test(type) ? number : `text ${number}`;
}

interface AnyTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly key: boolean }[];
}

/** Every table with a bucket in its rows, by another way than the mover's. */
async function tablesWithBuckets({ probe, metaUrl }: Setting): Promise<AnyTable[]> {
  return probe.query<{ name: string; columns: AnyTable['columns'] } & pg.QueryResultRow>(
    metaUrl,
    `select 'shard.' || c.table_name as name,
            json_agg(json_build_object('name', c.column_name, 'type', c.data_type, 'key', k.column_name is not null)) as columns
       from information_schema.columns c
       left join information_schema.table_constraints p
         on p.table_schema = c.table_schema and p.table_name = c.table_name and p.constraint_type = 'PRIMARY KEY'
       left join information_schema.key_column_usage k
         on k.constraint_schema = p.constraint_schema and k.constraint_name = p.constraint_name and k.column_name = c.column_name
      where c.table_schema = 'shard' and c.table_name <> 'bucket' and is_generated = 'NEVER'
      group by c.table_name having bool_or(c.column_name = 'bucket') order by 1`,
  );
}

async function addRow(client: pg.ClientBase, { name, columns }: AnyTable, key: number, rest: number): Promise<void> {
  const values = columns.map((column) =>
    column.name === 'bucket' ? BUCKET : valueFor(column.type, column.key || /_id$/.test(column.name) ? key : rest),
  );
  const others = columns.filter((column) => !column.key).map((column) => `${column.name} = excluded.${column.name}`);
  await client.query(
    `insert into ${name} (${columns.map((column) => column.name)}) values (${values.map((_, i) => `$${i + 1}`)})
     on conflict (${columns.filter((column) => column.key).map((column) => column.name)}) do update set ${others}`,
    values,
  );
}

async function rowsOf({ probe }: Setting, url: string, table: AnyTable): Promise<string[]> {
  const found = `select t::text as row from ${table.name} t where bucket = $1 order by 1`;
  return (await probe.query<{ row: string }>(url, found, [BUCKET])).map(({ row }) => row);
}

t.test('rows of every table with a bucket go over, those of the last moment as well', async (t) => {
  const it = await setUp(t);
  await say(it.storage, 'one');
  for (const url of [it.metaUrl, it.farUrl])
    await it.probe.query(
      url,
      `create table shard.later (bucket smallint, "Odd Name" text, at timestamptz, flags boolean[], doubled int generated always as (n * 2) stored,
         n int default 1, primary key (bucket, "Odd Name"))`,
    );
  const odd = (await tablesWithBuckets(it)).filter(({ name }) => name !== 'shard.later');
  t.ok(odd.length >= 5, odd.map(({ name }) => name).join());
  const client = await it.probe.begin(t, it.metaUrl);
  for (const table of odd) for (const key of [1_001, 1_002, 1_003]) await addRow(client, table, key, key);
  await client.query(`insert into shard.later (bucket, "Odd Name", flags) values ($1, 'it''s, "odd"', '{t,null,f}')`, [
    BUCKET,
  ]);
  await client.query('commit');

  // One row of each is changed, one is removed and one added by somebody whom the fence waits for.
  const writer = await it.probe.begin(t, it.metaUrl);
  await writer.query(writing(BUCKET));
  const moving = moveBucket(it.metaUrl, BUCKET, 'shard-2');
  await it.probe.untilStuck(BUCKET, 'fenced', it.metaUrl);
  for (const table of odd) {
    const grows = ['shard.message', 'shard.attachment'].includes(table.name);
    if (!grows) await addRow(writer, table, 1_001, 2_001);
    if (grows) continue; // messages change only under the lock that the mover has
    await addRow(writer, table, 1_004, 1_004);
    const ids = table.columns.filter((column) => column.key && column.name !== 'bucket').map((column) => column.name);
    await writer.query(
      `delete from ${table.name} where bucket = ${BUCKET} and ${ids.map((id) => `${id} = 1002`).join(' and ')}`,
    );
  }
  await writer.query(`update shard.later set flags = '{f}' where bucket = ${BUCKET}`);
  const letSwitch = await it.probe.hold(t, it.metaUrl, switching);
  await writer.query('commit');
  await until(async () => (await it.probe.stateOf(BUCKET, 'shard-1')) === 'fenced', 'the fence');
  const tables = await tablesWithBuckets(it);
  const wanted = await Promise.all(tables.map((table) => rowsOf(it, it.metaUrl, table)));
  await letSwitch();
  t.ok((await moving)!.fenceMs! > 0);
  for (const [i, table] of tables.entries()) {
    t.ok(wanted[i]!.length > 0, `${table.name} had rows`);
    t.same(await rowsOf(it, it.farUrl, table), wanted[i], `${table.name} is there`);
    t.same(await rowsOf(it, it.metaUrl, table), [], `${table.name} is not left behind`);
  }
});

t.test('messages that come, and those that retention takes, until the fence', async (t) => {
  const it = await setUp(t);
  const sound = (i: number) => `000${i} and the sound of it`;
  for (let i = 1; i <= 9; i++)
    await say(it.storage, i % 2 === 0 ? sound(i) : `${i}`, { msgType: i % 2 === 0 ? VOICE : TEXT });
  const writer = await it.probe.begin(t, it.metaUrl);
  await writer.query(writing(BUCKET));
  const moving = moveBucket(it.metaUrl, BUCKET, 'shard-2');
  await it.probe.untilStuck(BUCKET, 'fenced', it.metaUrl);
  const late = say(it.storage, '11'); // waits behind the fence, and then for the target
  // What a writer under way brings and takes goes over in the last round, sound and all.
  const bound = { conversationId: ALICE_AND_BOB, msgId: 10, senderId: 1 };
  const { keyId, sealed, attachment } = sealMessage(it.storage.keys, BUCKET, bound, VOICE, Buffer.from(sound(10)));
  await writer.query(`update shard.conversation set head = 10, first_kept = 4 where bucket = ${BUCKET}`);
  await writer.query(
    `insert into shard.message (bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed, attached)
     values ($1, $2, 10, 1, ${VOICE}, 1, $3, $4, $5, true)`,
    [BUCKET, String(ALICE_AND_BOB), keyId, randomBytes(16), sealed],
  );
  await writer.query('insert into shard.attachment values ($1, $2, 10, $3)', [
    BUCKET,
    String(ALICE_AND_BOB),
    attachment,
  ]);
  for (const table of ['message', 'attachment'])
    await writer.query(`delete from shard.${table} where bucket = ${BUCKET} and msg_id < 4`);
  await writer.query('commit');
  await moving;
  t.equal(await late, 11);
  t.same(await texts(it.storage), [sound(4), '5', sound(6), '7', sound(8), '9', sound(10), '11']);
  t.equal((await it.probe.query(it.farUrl, 'select from shard.attachment')).length, 4);
  await it.probe.assertSettled(t, BUCKET, 'shard-2');
});

t.test('a large bucket goes over and is deleted in pieces', async (t) => {
  const it = await setUp(t);
  await it.probe.query(
    it.metaUrl,
    `insert into shard.message select ${BUCKET}, n % 7, n, 1, 1, 1, 1, decode(md5(n::text), 'hex'), '\\x00' from generate_series(1, 12345) n`,
  );
  const seen: string[] = [];
  const moved = await moveBucket(it.metaUrl, BUCKET, 'shard-2', {
    progress: (stage, rows) => rows > 0 && seen.push(`${stage} ${rows}`),
  });
  t.match(moved, { bucket: BUCKET, source: 'shard-1', target: 'shard-2', rows: 12_345 });
  t.same(seen, ['copying 12345', 'deleting 5000', 'deleting 5000', 'deleting 2345']);
  t.equal(await it.probe.rowsOf(BUCKET, 'shard-2'), 12_345);
  await it.probe.assertSettled(t, BUCKET, 'shard-2');
});

t.test('a table that the mover cannot move is refused, not forgotten', async (t) => {
  const it = await setUp(t);
  const refusals = [
    ['create table shard.a (id int primary key)', /shard\."a" has no smallint column "bucket"/],
    ['create table shard.a (bucket int primary key)', /has no smallint column "bucket"/],
    ['create table shard.a (bucket smallint)', /primary key of shard\."a" does not begin with the bucket/],
    ['create table shard.a (id int, bucket smallint, primary key (id, bucket))', /does not begin with the bucket/],
    ['create table shard.a (bucket smallint, id serial, primary key (bucket, id))', /numbered by a sequence/],
    [
      'create table shard.a (bucket smallint, id int generated always as identity, primary key (bucket, id))',
      /numbered by a sequence/,
    ],
  ] as const;
  for (const [create, why] of refusals) {
    await it.probe.query(it.metaUrl, create);
    await t.rejects(moveBucket(it.metaUrl, BUCKET, 'shard-2'), { name: 'MoveError', message: why }, create);
    await it.probe.query(it.metaUrl, 'drop table shard.a');
  }
  await it.probe.query(it.farUrl, 'create table shard.a (bucket smallint primary key)');
  await t.rejects(moveBucket(it.metaUrl, BUCKET, 'shard-2'), { message: /do not have the same tables/ });
  t.equal(await it.probe.phaseOf(BUCKET), undefined);
  t.equal(await say(it.storage, 'the source goes on'), 1);
});

t.test('the tables of this build can all move', async (t) => {
  const it = await setUp(t);
  const client = await it.probe.begin(t, it.metaUrl);
  const found = (await bucketTables(client)).map(({ name }) => name.replaceAll('"', ''));
  t.same(
    found,
    (await tablesWithBuckets(it)).map(({ name }) => name),
  );
});

// ------------------------------------------------------------------------------------------------- what stays or waits

t.test('rows that are not the same at the target stay where they were', async (t) => {
  const it = await setUp(t);
  await say(it.storage, 'one');
  // The target changes what it is given: the first rows, and then those of the last moment only.
  const spoil = (when: string) => `create or replace function shard.spoil() returns trigger language plpgsql as $$
    begin if ${when} then new.sender_id := 77; end if; return new; end $$`;
  await it.probe.query(it.farUrl, spoil('true'));
  await it.probe.query(
    it.farUrl,
    'create trigger spoil before insert on shard.message for each row execute function shard.spoil()',
  );
  await t.rejects(moveBucket(it.metaUrl, BUCKET, 'shard-2'), {
    name: 'MoveError',
    message: `bucket ${BUCKET} stays on shard-1, open: rows of shard.message are not at the target as they were at the source`,
  });
  await it.probe.assertSettled(t, BUCKET, 'shard-1');

  await it.probe.query(it.farUrl, spoil('new.msg_id = 2'));
  const writer = await it.probe.begin(t, it.metaUrl);
  await writer.query(writing(BUCKET));
  const moving = moveBucket(it.metaUrl, BUCKET, 'shard-2');
  const refused = t.rejects(moving, { message: /stays on shard-1, open: rows of shard\.message are not/ });
  await it.probe.untilStuck(BUCKET, 'fenced', it.metaUrl);
  await writer.query(`update shard.conversation set head = 2 where bucket = ${BUCKET}`);
  await writer.query(
    `insert into shard.message select bucket, conversation_id, 2, sender_id, msg_type, create_time_ms, key_id, '\\x02', sealed
       from shard.message where bucket = ${BUCKET}`,
  );
  await writer.query('commit');
  await refused;
  await it.probe.assertSettled(t, BUCKET, 'shard-1');
  t.equal(await say(it.storage, 'three'), 3, 'the source goes on');

  await it.probe.query(it.farUrl, 'drop trigger spoil on shard.message');
  await it.probe.query(
    it.farUrl,
    `create function shard.lose() returns trigger language plpgsql as $$ begin return null; end $$;
     create trigger lose before insert on shard.user_conversation for each row execute function shard.lose()`,
  );
  const lists = userBucketOf(1);
  await t.rejects(moveBucket(it.metaUrl, lists, 'shard-2'), {
    message: /open: of shard\.user_conversation, [1-9] rows left the source and 0 are at the target/,
  });
  await it.probe.assertSettled(t, lists, 'shard-1');
});

/** A move that waits for `free`, and will not get through. */
async function stuckBeforeSwitch(t: Test, it: Setting) {
  const free = await it.probe.hold(t, it.metaUrl, switching);
  const moving = moveBucket(it.metaUrl, BUCKET, 'shard-2');
  const refused = t.rejects(moving, { name: 'MoveError', message: `bucket ${BUCKET} stays on shard-1, open: ` });
  await it.probe.untilStuck(BUCKET, 'fenced', it.metaUrl);
  return { free, refused };
}

t.test('the source and meta die in the moment of the switch', async (t) => {
  const it = await setUp(t);
  await say(it.storage, 'one');
  const { free, refused } = await stuckBeforeSwitch(t, it);
  await near.kill();
  await free();
  await near.start();
  await refused;
  await it.probe.assertSettled(t, BUCKET, 'shard-1');
  t.equal(await say(it.storage, 'two'), 2);
  t.ok(await moveBucket(it.metaUrl, BUCKET, 'shard-2'));
  t.same(await texts(it.storage), ['one', 'two']);
});

t.test('everything dies in the moment of the switch, and the target is back a little later', async (t) => {
  const it = await setUp(t);
  await say(it.storage, 'one');
  const { free, refused } = await stuckBeforeSwitch(t, it);
  await near.kill();
  await far.kill();
  await free();
  await near.start();
  const isOpen = async () => (await it.probe.stateOf(BUCKET, 'shard-1').catch(() => '')) === 'open';
  await until(isOpen, 'the source to serve it again');
  await far.start();
  await refused;
  await it.probe.assertSettled(t, BUCKET, 'shard-1'); // nothing is left at the target
});

t.test('two movers take turns', async (t) => {
  const it = await setUp(t);
  await addShard(it.metaUrl, 'shard-3', await freshDatabase(far));
  await say(it.storage, 'one');
  const free = await it.probe.hold(t, it.metaUrl, switching);
  const first = moveBucket(it.metaUrl, BUCKET, 'shard-2');
  await it.probe.untilStuck(BUCKET, 'fenced', it.metaUrl);
  const { moves } = await readShards(it.metaUrl);
  t.match(moves, [{ bucket: BUCKET, phase: 'fenced', attended: true }]);
  const second = moveBucket(it.metaUrl, BUCKET, 'shard-3');
  await free();
  t.match(await first, { source: 'shard-1', target: 'shard-2' });
  t.match(await second, { source: 'shard-2', target: 'shard-3' });
  await it.probe.assertSettled(t, BUCKET, 'shard-3');
  t.equal(await resumeMove(it.metaUrl, BUCKET), undefined);
  t.same(await texts(it.storage), ['one']);
});

t.test('who does not let go of a bucket is not waited for', async (t) => {
  const it = await setUp(t);
  const [kept, busy] = [BUCKET, (BUCKET + 1) % BUCKETS];
  await it.probe.hold(t, it.metaUrl, `select pg_advisory_lock(hashtext('bucket'), ${kept})`);
  await it.probe.hold(t, it.metaUrl, writing(busy));
  await Promise.all([
    t.rejects(moveBucket(it.metaUrl, kept, 'shard-2'), {
      name: 'MoveError',
      message: `bucket ${kept} is being worked on by another mover or job (in meta): try again when it has ended`,
    }),
    t.rejects(moveBucket(it.metaUrl, busy, 'shard-2'), {
      message: `bucket ${busy} stays on shard-1, open: a write to it took longer than 3 s`,
    }),
  ]);
  await it.probe.assertSettled(t, kept, 'shard-1');
  await it.probe.assertSettled(t, busy, 'shard-1');
});

// ------------------------------------------------------------------------------------------ those with an old map

t.test('who has an old map reads and writes in the right place all the same', async (t) => {
  const it = await setUp(t);
  t.equal(await say(it.storage, 'one'), 1);
  const [writes, reads, lists, marks] = await Promise.all([1, 2, 3, 4].map(() => another(t, it)));
  for (const bucket of new Set([BUCKET, userBucketOf(1), userBucketOf(2)]))
    await moveBucket(it.metaUrl, bucket, 'shard-2');
  for (const storage of [writes!, reads!, lists!, marks!]) t.equal(storage.shards.ofBucket(BUCKET).name, 'shard-1');
  t.equal(await say(writes!, 'two', { senderId: 2 }), 2);
  t.same(await texts(reads!), ['one', 'two']);
  t.match(await lists!.conversations.unread(1), [{ id: ALICE_AND_BOB, head: 2, unread: 1 }]);
  t.same(await marks!.conversations.markRead(1, ALICE_AND_BOB, 2), { readMsgId: 2, moved: true });
  t.same(await lists!.conversations.unread(1), []);

  // Everything it remembers of the bucket is old when it comes back.
  await say(it.storage, 'three');
  for (const bucket of new Set([BUCKET, userBucketOf(1)])) await moveBucket(it.metaUrl, bucket, 'shard-1');
  t.equal(await say(writes!, 'four'), 4);
  t.equal(await say(it.storage, 'five'), 5);
  t.same(await texts(marks!), ['one', 'two', 'three', 'four', 'five']);
  t.equal(await it.probe.rowsOf(BUCKET, 'shard-1'), 5);
});

t.test('a writer is let in when all of his buckets are open, and hears which are not', async (t) => {
  const url = await freshDatabase(near, MIGRATED);
  const client = new pg.Client(url);
  await client.connect();
  t.teardown(() => client.end());
  const all = Array.from({ length: 12 }, (_, bucket) => bucket);
  await client.query(
    "insert into shard.bucket (bucket, state) select w, case when w = 3 then 'fenced' else 'open' end from unnest($1::int[]) w where w <> 7",
    [all],
  );
  const closed = new Set([3, 7]);
  const wanted = fc.uniqueArray(fc.integer({ min: 0, max: 11 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(wanted, async (buckets) => {
      const shut = buckets.filter((bucket) => closed.has(bucket));
      const heard = await client.query('select shard.writable($1)', [buckets]).then(
        () => [],
        (error) => [error.code, ...error.detail.split(',').sort()],
      );
      return isDeepStrictEqual(heard, shut.length === 0 ? [] : ['TT001', ...shut.sort().map(String)]);
    }),
    { numRuns: 200 },
  );
});

t.test('a message does not overtake those that wait where its bucket was', async (t) => {
  const it = await setUp(t, { lanesPerShard: 1 });
  const other = singleConversation(3, 4);
  await say(it.storage, 'one');
  await say(it.storage, 'hello', { conversationId: other, senderId: 3 });
  const free = await it.probe.hold(t, it.metaUrl, `select from shard.conversation where id = ${other} for update`);
  const before = say(it.storage, 'in the way of the next', { conversationId: other, senderId: 3 });
  const isInTheWay = async () =>
    (
      await it.probe.query(
        it.metaUrl,
        `select from pg_locks where not granted and locktype in ('transactionid', 'tuple')`,
      )
    ).length > 0;
  await until(isInTheWay, 'the lane to wait');
  const second = say(it.storage, 'two');
  await moveBucket(it.metaUrl, BUCKET, 'shard-2');
  await it.storage.shards.reload();
  t.equal(it.storage.shards.ofBucket(BUCKET).name, 'shard-2');
  const third = say(it.storage, 'three');
  await free();
  t.same(await Promise.all([before, second, third]), [2, 2, 3]);
  t.same(await texts(it.storage), ['one', 'two', 'three']);
});

t.test('a bucket that stays fenced is told of, with what to do', async (t) => {
  const it = await setUp(t);
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line) => void lines.push(line) });
  const databaseUrl = it.metaUrl;
  const settings = {
    ...readSettings('db-proxy', dbProxySettings, { env: {} }),
    databaseUrl,
    masterKey,
    storeTimeoutMs: 1_000,
  };
  const quiet = { stored: () => undefined, batch: () => undefined, repeated: () => undefined };
  const storage = await openStorage(settings, log, quiet);
  t.teardown(() => storage.close());
  t.equal(await say(storage, 'one'), 1);
  await it.probe.query(it.metaUrl, `update shard.bucket set state = 'fenced' where bucket = ${BUCKET}`);
  await t.rejects(say(storage, 'two'), { code: 'STORE_UNAVAILABLE' });
  t.same(await texts(storage), ['one'], 'it can be read');
  t.equal(lines.length, 1);
  t.match(JSON.parse(lines[0]!), { level: 50, bucket: BUCKET, messages: 1, msg: /npm run shards -- resume/ });
});

t.test('effects of messages are not claimed from a copy that is on its way', async (t) => {
  const it = await setUp(t);
  const consumer = await it.storage.outbox.register('test');
  t.equal(await say(it.storage, 'one'), 1);
  const watching = await another(t, it); // has both shards open, one of them for another bucket
  await moveBucket(it.metaUrl, (BUCKET + 1) % BUCKETS, 'shard-2');
  await watching.shards.reload();
  t.equal(watching.shards.all.length, 2);
  const free = await it.probe.hold(t, it.metaUrl, switching);
  const moving = moveBucket(it.metaUrl, BUCKET, 'shard-2');
  await it.probe.untilStuck(BUCKET, 'fenced', it.metaUrl);
  t.same(await watching.outbox.claim(consumer, 10, 60_000), []);
  await free();
  await moving;
  const [effect] = await watching.outbox.claim(consumer, 10, 60_000);
  t.same(effect, { conversationId: ALICE_AND_BOB, msgId: 1 });
  await it.storage.outbox.done(consumer, [effect!]); // by somebody with an old map
  t.same(await it.probe.query(it.farUrl, 'select from shard.outbox'), []);
});

// ------------------------------------------------------------------------------------------------ shards as a whole

t.test('a shard that cannot be reached does not keep the map from being read', async (t) => {
  const it = await setUp(t);
  await it.probe.query(
    it.metaUrl,
    "insert into meta.shard (name, url, claimed) values ('gone', 'postgres://127.0.0.1:1/x', true)",
  );
  const storage = await another(t, it); // one without buckets is not even asked
  const [lost] = [200, 201].filter((bucket) => bucket !== BUCKET) as [number];
  await it.probe.query(it.metaUrl, `update meta.bucket set shard = 'gone' where bucket = ${lost}`);
  await it.probe.query(it.metaUrl, `delete from shard.bucket where bucket = ${lost}`);
  await moveBucket(it.metaUrl, BUCKET, 'shard-2');
  await storage.shards.reload();
  t.equal(await say(storage, 'one'), 1);
  t.equal(storage.shards.ofBucket(BUCKET).name, 'shard-2');
  await t.rejects(another(t, it), /ECONNREFUSED/, 'but nobody starts without it');
});

t.test('a shard that has moved is found at its new place', async (t) => {
  const it = await setUp(t);
  await moveBucket(it.metaUrl, BUCKET, 'shard-2');
  t.equal(await say(it.storage, 'one'), 1);
  const there = new URL(it.farUrl);
  there.hostname = 'localhost';
  await it.probe.query(it.metaUrl, "update meta.shard set url = $1 where name = 'shard-2'", [there.href]);
  await it.storage.shards.reload();
  t.equal(it.storage.shards.ofBucket(BUCKET).url, there.href);
  t.equal(await say(it.storage, 'two'), 2);
});

t.test('a bucket that has left does not come back with a db-proxy that is late at the first start', async (t) => {
  const metaUrl = await freshDatabase(near, MIGRATED);
  const probe = new ShardProbe(t, metaUrl, { 'shard-1': metaUrl });
  const other = await probe.begin(t, metaUrl);
  await other.query("select from meta.shard where name = 'shard-1' for update");
  const late = testStorage(metaUrl, masterKey);
  const waits = `select from pg_stat_activity where application_name = 'db-proxy meta' and wait_event_type = 'Lock'`;
  await until(async () => (await probe.query(metaUrl, waits)).length > 0, 'the late one to find a new shard');
  await other.query("insert into meta.shard (name, url, claimed) values ('shard-2', '/elsewhere', true)");
  await other.query(`update meta.bucket set shard = 'shard-2' where bucket = ${BUCKET}`);
  await other.query(
    `insert into shard.bucket (bucket) select bucket from meta.bucket where bucket <> ${BUCKET} on conflict do nothing`,
  );
  await other.query("update meta.shard set claimed = true where name = 'shard-1'");
  await other.query('commit');
  const storage = await late;
  t.teardown(() => storage.close());
  t.equal(await probe.stateOf(BUCKET, 'shard-1'), undefined);
  t.equal(await probe.stateOf((BUCKET + 1) % BUCKETS, 'shard-1'), 'open');
});

t.test('a new cluster is spread over its shards, and what belongs to them is told apart', async (t) => {
  const metaUrl = await freshDatabase(near);
  t.same(await prepareShards(metaUrl, 3), []);
  t.same(await prepareShards(metaUrl, 3), [], 'a start that was cut off is taken up');
  const storage = await testStorage(metaUrl, masterKey);
  t.teardown(() => storage.close());
  const { shards } = await readShards(metaUrl);
  t.same(
    shards.map(({ name, buckets, problem }) => [name, buckets.length, problem]),
    [
      ['shard-1', 86, undefined],
      ['shard-2', 85, undefined],
      ['shard-3', 85, undefined],
    ],
  );
  const all = shards.flatMap(({ buckets }) => buckets).sort((a, b) => a - b);
  t.same(all, [...Array(BUCKETS).keys()], 'every bucket is somewhere, once');

  const bucket = fc.integer({ min: 0, max: BUCKETS - 1 });
  fc.assert(
    fc.property(fc.array(bucket, { maxLength: 400 }), (things) => {
      const parts = storage.shards.split(things, (thing) => thing);
      const together = [...parts.values()].flat().sort((a, b) => a - b);
      const right = [...parts].every(([shard, part]) => {
        const held = new Set(shards.find(({ name }) => name === shard.name)!.buckets);
        return part.every((thing) => held.has(thing));
      });
      return right && together.join() === [...things].sort((a, b) => a - b).join();
    }),
  );

  t.same(await prepareShards(metaUrl, 5), ['shard-4', 'shard-5'], 'one that is in use gets empty ones');
  t.same(
    (await readShards(metaUrl)).shards.slice(3).map(({ buckets }) => buckets),
    [[], []],
  );
});

t.test('a role that may not make databases is told which one to make', async (t) => {
  const it = await setUp(t);
  const name = new URL(it.metaUrl).pathname.slice(1);
  await it.probe.query(it.metaUrl, `grant create on database ${name} to pg_monitor`);
  for (const what of ['schema meta', 'all tables in schema meta'])
    await it.probe.query(it.metaUrl, `grant all on ${what} to pg_monitor`);
  const modest = `${it.metaUrl}?options=-c%20role%3Dpg_monitor`;
  await t.rejects(prepareShards(modest, 3), { name: 'ShardError', message: `make "${name}_shard_3"` });
});

// --------------------------------------------------------------------------------------------------------- balance

/** Buckets with their bytes, spread over some shards in any way. */
const loads = fc
  .tuple(
    fc.integer({ min: 1, max: 7 }),
    fc.array(fc.tuple(fc.nat(6), fc.nat(1000)), { minLength: 1, maxLength: BUCKETS }),
  )
  .map(([count, placed]) => {
    const shards = Array.from({ length: count }, (_, i) => ({ name: `shard-${i + 1}`, buckets: [] as number[] }));
    for (const [bucket, [at]] of placed.entries()) shards[at % count]!.buckets.push(bucket);
    return { shards: shards as Load[], bytesOf: (bucket: number) => placed[bucket]![1] };
  });

function after(shards: readonly Load[], moves: readonly Wanted[]): number[][] {
  const goal = new Map(moves.map((move) => [move.bucket, move.target]));
  const all = shards.flatMap(({ name, buckets }) =>
    buckets.map((bucket) => [bucket, goal.get(bucket) ?? name] as const),
  );
  return shards.map(({ name }) => all.filter(([, at]) => at === name).map(([bucket]) => bucket));
}

t.test('balance makes numbers even, with the fewest moves', async () => {
  fc.assert(
    fc.property(loads, ({ shards }) => {
      const moves = evenNumbers(shards);
      const sizes = after(shards, moves).map((buckets) => buckets.length);
      const before = shards.map(({ buckets }) => buckets.length).sort((a, b) => b - a);
      const goal = [...sizes].sort((a, b) => b - a);
      const fewest = before.reduce((sum, size, i) => sum + Math.max(0, size - goal[i]!), 0);
      const isRight = moves.every(({ bucket, source }) =>
        shards.find(({ name }) => name === source)!.buckets.includes(bucket),
      );
      return isRight && goal[0]! - goal.at(-1)! <= 1 && moves.length === fewest;
    }),
  );
});

t.test('balance by bytes leaves nothing that one more move would better', async () => {
  fc.assert(
    fc.property(loads, ({ shards, bytesOf }) => {
      const sumOf = (buckets: readonly number[]) => buckets.reduce((sum, bucket) => sum + bytesOf(bucket), 0);
      const moves = evenBytes(shards, bytesOf);
      const placed = after(shards, moves);
      const sizes = placed.map(sumOf);
      const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
      const mean = sumOf(placed.flat()) / shards.length;
      const even = Math.max(most - mean, mean - least) <= 0.05 * mean;
      const betters = placed.some(
        (buckets, i) =>
          sizes[i] === most && buckets.some((bucket) => bytesOf(bucket) > 0 && bytesOf(bucket) < most - least),
      );
      return (even || !betters) && moves.every(({ source, target }) => source !== target);
    }),
  );
});
