/** The life of keys, on a real PostgreSQL: where the master key comes from, epochs, both rotations, resealing, destroying. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Client } from '../../../common/client/client.js';
import { bucketOf, groupConversation, singleConversation } from '../../../common/conversation.js';
import { Hops } from '../../../common/hops.js';
import { BUCKETS } from '../../../common/limits.js';
import { Metrics } from '../../../common/metrics.js';
import { LinkGroup } from '../../../common/net/link-group.js';
import { message } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { projectRoot } from '../../../common/root.js';
import { commandTable } from '../../../common/server/command-table.js';
import { readSettings, SettingsError } from '../../../common/settings.js';
import { decryptText, encryptText } from '../../../common/text-cipher.js';
import { startDbProxy } from '../../../servers/db-proxy/server.js';
import { dbProxySettings } from '../../../servers/db-proxy/settings.js';
import { tryBucketLock } from '../../../servers/db-proxy/storage/bucket-lock.js';
import { DataKeys, UnopenableError } from '../../../servers/db-proxy/storage/data-keys.js';
import { destroyKey, rotateData, rotateMaster } from '../../../servers/db-proxy/storage/key-rotation.js';
import { keyHolders, untilTakenUp } from '../../../servers/db-proxy/storage/key-watch.js';
import { fingerprintOf, MasterKeyring, readMasterKeys } from '../../../servers/db-proxy/storage/master-key.js';
import type { MessageRow } from '../../../servers/db-proxy/storage/messages.js';
import { reseal } from '../../../servers/db-proxy/storage/reseal.js';
import { unwrapKey } from '../../../servers/db-proxy/storage/sealing.js';
import {
  addPeople,
  CLUSTER_SECRET,
  freshDatabase,
  type Storage,
  TestCluster,
  testStorage,
  until,
} from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';
import { isAlive } from '../../support/processes.js';

const { SESSION_TYPE_SINGLE: SINGLE } = IM.BaseDefine.SessionType;
const {
  MSG_TYPE_SINGLE_TEXT: TEXT,
  MSG_TYPE_SINGLE_AUDIO: VOICE,
  MSG_TYPE_GROUP_TEXT: GROUP_TEXT,
} = IM.BaseDefine.MsgType;
const UNREADABLE = '[无法读取的消息 / unreadable message]';
const PEOPLE = ['alice', 'bob', 'carol', 'dave'];
const EVERY_BUCKET = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
/** A sealed body with a bit of its cipher text turned over, in SQL. */
const BENT = 'set_bit(sealed, 160, 1 - get_bit(sealed, 160))';
const PAUSE_MS = 20;
const SECRET_WORDS = 'the quick brown secret';

const postgres = await testPostgres(t);

// ------------------------------------------------------------------------------------------------------- helpers

/** A database with people, and storage over it that is closed at the end of the test. */
async function freshStorage(t: Test): Promise<{ url: string; key: string; storage: Storage }> {
  const url = await freshDatabase(postgres);
  const key = randomBytes(32).toString('hex');
  const storage = await openFor(t, url, key);
  await addPeople(storage, PEOPLE);
  return { url, key, storage };
}

async function openFor(t: Test, url: string, key: string): Promise<Storage> {
  const storage = await testStorage(url, key);
  t.teardown(() => closeOnce(storage));
  return storage;
}

const closed = new Set<Storage>();
async function closeOnce(storage: Storage): Promise<void> {
  if (closed.has(storage)) return;
  closed.add(storage);
  await storage.close();
}

const pools = new Map<string, pg.Pool>();
t.teardown(() => Promise.all([...pools.values()].map((pool) => pool.end())));

async function query<Row extends pg.QueryResultRow>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  let pool = pools.get(url);
  if (pool === undefined) {
    pool = new pg.Pool({ connectionString: url, max: 1 });
    pool.on('error', () => undefined); // the server is stopped before us
    pools.set(url, pool);
  }
  return (await pool.query<Row>(text, values)).rows;
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const ringOf = (...keys: string[]) => MasterKeyring.of(...keys.map((key) => Buffer.from(key, 'hex')));
const fingerprint = (key: string) => fingerprintOf(Buffer.from(key, 'hex'));
const rotate = (url: string, key: string, buckets: readonly number[] = EVERY_BUCKET) =>
  withClient(url, (client) => rotateData(client, ringOf(key), buckets));

let sent = 0;
function sendId(): Buffer {
  const id = Buffer.alloc(16);
  id.writeUInt32BE(++sent);
  return id;
}

async function store(storage: Storage, from: number, to: number, text: string): Promise<number> {
  const conversationId = singleConversation(from, to);
  const draft = { conversationId, senderId: from, msgType: TEXT, body: encryptText(text), sendId: sendId() };
  return (await storage.append.store(draft)).msgId;
}

type StoredRow = MessageRow & { readonly bucket: number; readonly send_id: Buffer };

/** Oldest first. */
async function textsOf(storage: Storage, id: bigint): Promise<(string | undefined)[]> {
  return (await storage.messages.page(id, 0, 0, 10_000)).map((each) => decryptText(each.body)).reverse();
}

async function rowsOf(url: string, id: bigint): Promise<StoredRow[]> {
  const rows = await query<StoredRow>(url, 'select * from shard.message where conversation_id = $1 order by msg_id', [
    String(id),
  ]);
  return rows.map((row) => ({ ...row, conversation_id: BigInt(row.conversation_id) }));
}

/** How many messages are sealed under which epoch. */
async function epochsOf(url: string): Promise<Record<number, number>> {
  const rows = await query<{ epoch: number; messages: number }>(
    url,
    `select k.epoch, count(*)::int as messages from shard.message m join meta.data_key k on k.id = m.key_id group by 1 order by 1`,
  );
  return Object.fromEntries(rows.map((row) => [row.epoch, row.messages]));
}

/** A hash over every row of every table. */
async function digest(url: string): Promise<string> {
  return withClient(url, async (client) => {
    const words: string[] = [];
    for (const table of await tablesOf(client)) {
      const { rows } = await client.query(
        `select md5(string_agg(r::text, '|' order by r::text)) as sum from ${table} r`,
      );
      words.push(`${table} ${rows[0].sum}`);
    }
    return words.join('\n');
  });
}

async function tablesOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(
    `select schemaname || '.' || tablename as name from pg_tables where schemaname in ('meta', 'shard') order by 1`,
  );
  return rows.map((row) => row.name);
}

/** Everybody has the newest keys, and as far as anybody can tell for longer than a message is on its way. */
async function takenUp(url: string): Promise<void> {
  const late = `select from meta.key_holder h, meta.key_version v where h.version <> v.version`;
  await until(async () => (await query(url, late)).length === 0, 'all db-proxies to have the newest keys');
  await query(url, `update meta.key_holder set since = since - interval '1 minute'`);
}

/** People who talk to each other until they are told to stop. */
class Talk {
  readonly said: string[] = [];
  readonly errors: Error[] = [];
  #quiet = false;
  readonly #running: Promise<void>;

  constructor(from: Client, to: Client) {
    this.#running = this.#run(from, to);
  }

  async #run(from: Client, to: Client): Promise<void> {
    while (!this.#quiet) {
      const text = `word ${this.said.length + 1}`;
      try {
        await from.say(to.userId, text);
        this.said.push(text);
      } catch (error) {
        this.errors.push(error as Error);
      }
      await delay(PAUSE_MS); // the machine is needed for more than talking
    }
  }

  async more(count = 5): Promise<void> {
    const wanted = this.said.length + count;
    await until(() => this.said.length >= wanted || this.errors.length > 0, 'more to be said');
  }

  async end(): Promise<void> {
    this.#quiet = true;
    await this.#running;
  }
}

async function historyOf(client: Client, peer: number): Promise<(string | undefined)[]> {
  const texts: (string | undefined)[] = [];
  for (let begin = await client.latestId(SINGLE, peer); begin > 0; begin -= 100)
    texts.push(...(await client.history(SINGLE, peer, begin, 100)).map((each) => each.text));
  return texts.reverse();
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run keys --` as a process of its own, without the settings of whoever runs the tests. */
class Keys {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  stderr = '';

  constructor(args: readonly string[], input = '', env: Record<string, string> = {}) {
    const own = Object.entries(process.env).filter(([name]) => !/^(TT_|DATABASE_URL$|PG|NODE_OPTIONS$)/.test(name));
    this.process = spawn(process.execPath, [join(projectRoot, 'dist/tools/keys.js'), ...args], {
      env: { ...Object.fromEntries(own), ...env },
      stdio: 'pipe',
    });
    this.process.stdin!.end(input);
    this.ended = this.#end();
  }

  async #end(): Promise<Ended> {
    let stdout = '';
    this.process.stdout!.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    this.process.stderr!.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    const [code, signal] = await once(this.process, 'close');
    return { code, signal, stdout, stderr: this.stderr };
  }
}

function keys(args: readonly string[], input?: string, env?: Record<string, string>): Promise<Ended> {
  return new Keys(args, input, env).ended;
}

/** A folder such as the launcher makes. */
async function dataFolder(t: Test, url: string, key: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'teamtalk-keys-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'database.url'), `${url}\n`, { mode: 0o600 });
  await writeFile(join(dir, 'master.key'), `${key}\n`, { mode: 0o600 });
  return dir;
}

// ------------------------------------------------------------------------------------------------ the master key

t.test('the master key comes from the setting, a command or a file', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'teamtalk-keys-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const [a, b, c] = [randomBytes(32), randomBytes(32), randomBytes(32)] as const;
  const file = join(dir, 'master.key');
  await writeFile(file, `${b.toString('hex')}\n`);
  const command = `cat ${file} | tr a-f A-F; echo all is well >&2`;
  const all = { masterKey: a.toString('hex'), masterKeyCommand: `echo ${c.toString('hex')}`, masterKeyFile: file };
  t.same(await readMasterKeys(all), [a]);
  t.same(await readMasterKeys({ ...all, masterKey: '' }), [c]);
  t.same(await readMasterKeys({ ...all, masterKey: '', masterKeyCommand: '' }), [b]);
  t.same(await readMasterKeys({ masterKey: '', masterKeyFile: '', masterKeyCommand: command }), [b], 'a pipeline');
  await writeFile(file, `${b.toString('hex')}\n${c.toString('hex')}\n`);
  t.same(await readMasterKeys({ masterKey: '', masterKeyFile: file }), [b, c], 'several while one is being replaced');

  const refused = (settings: Partial<typeof all>, words: RegExp) =>
    t.rejects(readMasterKeys({ masterKey: '', masterKeyFile: '', ...settings }), {
      name: 'SettingsError',
      message: words,
    });
  await refused({}, /no master key: set masterKeyFile .*openssl rand -hex 32/);
  await refused({ masterKeyFile: join(dir, 'nowhere') }, /masterKeyFile .*nowhere: ENOENT/);
  await writeFile(file, `${b.toString('hex')}00\n`);
  await refused({ masterKeyFile: file }, /master.key: expected 64 hex digits .* found 66 characters/);
});

t.test('a command that gives no master key stops the start, and its words are told without any key', async (t) => {
  const key = randomBytes(32).toString('hex');
  const run = async (masterKeyCommand: string, commandMsMax?: number) => {
    const settings = { masterKey: '', masterKeyFile: '', masterKeyCommand };
    const error = await readMasterKeys(settings, commandMsMax === undefined ? {} : { commandMsMax }).then(
      () => new Error('it was taken'),
      (error: Error) => error,
    );
    t.ok(error instanceof SettingsError, `${error}`);
    t.notMatch(error.message, key.slice(0, 32));
    return error.message;
  };
  t.match(
    await run(`echo ${key}; echo ${key} denied for role x >&2; exit 3`),
    'ended with exit code 3: [hex digits] denied for role x',
  );
  t.match(await run('kill -9 $$'), 'ended with SIGKILL');
  t.match(await run('no-such-program-here'), /exit code 127: .*no-such-program-here/);
  t.match(
    await run(`echo "the key is ${key}"`),
    /masterKeyCommand printed: expected 64 hex digits .* but found \d+ char/,
  );
  t.match(await run('true'), 'found 0 characters');
  t.match(await run('yes'), 'printed more than');
  const dir = await mkdtemp(join(tmpdir(), 'teamtalk-keys-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  t.match(await run(`sleep 60 & echo $! > ${dir}/pid; echo still asking >&2; wait`, 500), /within 0.5 s: still asking/);
  const pid = Number(await readFile(join(dir, 'pid'), 'utf8'));
  await until(() => !isAlive(pid), 'what the command had started to be ended with it');
});

t.test('a wrong master key, or none, touches nothing', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  await store(storage, 1, 2, 'hello');
  await closeOnce(storage);
  // As an earlier build left it: a start with the right key would bring the schema up to date.
  await query(url, 'drop table meta.key_version, meta.key_holder, meta.reseal');
  await query(url, 'alter table meta.data_key drop column destroyed');
  await query(url, 'delete from meta.migration where number in (2, 14)');
  const before = await digest(url);
  const wrong = randomBytes(32).toString('hex');
  await t.rejects(testStorage(url, wrong), {
    name: 'SettingsError',
    message: new RegExp(`wrong master key: this one is ${fingerprint(wrong)}, .* wrapped by ${fingerprint(key)}`),
  });
  await t.rejects(testStorage(url, ''), { message: /no master key/ });
  await t.rejects(testStorage(url, '', { masterKeyCommand: 'echo no >&2; exit 1' }), { message: /exit code 1: no/ });
  t.equal(await digest(url), before);
  const again = await testStorage(url, '', { masterKeyCommand: `printf %s ${wrong},${key}` });
  t.teardown(() => again.close());
  t.not(await digest(url), before, 'a digest that would show it');
  t.same(await textsOf(again, singleConversation(1, 2)), ['hello']);
});

// ---------------------------------------------------------------------------------------------------- what is bound

t.test('a sealed body opens in its own place only', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  const id = singleConversation(1, 2);
  for (const text of ['one', 'two', 'three']) await store(storage, 1, 2, text);
  const other = singleConversation(1, 3);
  await store(storage, 1, 3, 'elsewhere');
  await rotate(url, key, [bucketOf(id)]);
  await storage.keys.reload();
  const [row] = await rowsOf(url, id);
  const { conversation_id: conversationId, msg_id: msgId, sender_id: senderId, key_id, sealed } = row!;
  const bound = { conversationId, msgId, senderId };
  t.equal(decryptText(storage.keys.open(key_id, bound, sealed)), 'one');
  const opens =
    (over: Partial<typeof bound>, keyId = key_id, bytes = sealed) =>
    () =>
      storage.keys.open(keyId, { ...bound, ...over }, bytes);
  t.throws(opens({ conversationId: other }), UnopenableError, 'another conversation');
  t.throws(opens({ msgId: 2 }), UnopenableError, 'another msg_id');
  t.throws(opens({ senderId: 2 }), UnopenableError, 'another sender');
  t.throws(opens({}, (await rowsOf(url, other))[0]!.key_id), UnopenableError, 'the key of another bucket');
  t.throws(opens({}, storage.keys.currentId(bucketOf(id))), UnopenableError, 'the key of another epoch');
  for (const at of [0, 12, sealed.length - 1]) {
    const bent = Buffer.from(sealed);
    bent[at]! ^= 1;
    t.throws(opens({}, key_id, bent), UnopenableError, `byte ${at} is another one`);
  }
  t.throws(opens({}, key_id, sealed.subarray(0, 20)), UnopenableError, 'cut short');

  const copy = `update shard.message m set key_id = o.key_id, sealed = o.sealed from shard.message o`;
  await query(
    url,
    `${copy} where m.conversation_id = $1 and m.msg_id = 2 and o.conversation_id = $1 and o.msg_id = 1`,
    [String(id)],
  );
  await query(
    url,
    `${copy} where m.conversation_id = $2 and m.msg_id = 1 and o.conversation_id = $1 and o.msg_id = 3`,
    [String(id), String(other)],
  );
  await query(url, 'update shard.message set sender_id = 2 where conversation_id = $1 and msg_id = 3', [String(id)]);
  t.same(
    await textsOf(storage, id),
    ['one', UNREADABLE, UNREADABLE],
    'copied within the conversation; said by another',
  );
  t.same(await textsOf(storage, other), [UNREADABLE], 'copied into another conversation');
  await query(url, 'update shard.message set bucket = (bucket + 1) % 256 where conversation_id = $1 and msg_id = 1', [
    String(id),
  ]);
  t.same(await textsOf(storage, id), [UNREADABLE, UNREADABLE], 'in another bucket it is not even looked for');
});

// ------------------------------------------------------------------------------------------------------------ epochs

t.test('a new epoch begins while people chat', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { dbProxies: 2 });
  const url = cluster.databaseUrl;
  const dir = await dataFolder(t, url, cluster.masterKey);
  const [alice, bob] = [await cluster.login('alice'), await cluster.login('bob')];
  const talk = new Talk(alice, bob);
  await talk.more();
  const bucket = bucketOf(singleConversation(1, 2));
  t.notOk(bucket >= 30 && bucket <= 45);
  const rotated = await keys(['rotate-data', `${bucket}`, '30-45', '--data', dir]);
  t.match(rotated, { code: 0, stdout: /^17 buckets have a new data key, epoch 2/, stderr: /"audit":"rotate-data"/ });
  await until(async () => (await epochsOf(url))[2]! > 5, 'messages under the new epoch');
  await takenUp(url);
  const old = (await epochsOf(url))[1]!;
  await talk.more();
  t.equal((await epochsOf(url))[1], old, 'nothing more goes under the old epoch');

  const report = await reseal(url, ringOf(cluster.masterKey), { rowsPerSecond: 0 });
  await talk.more();
  await talk.end();
  t.same(talk.errors, []);
  t.same(await historyOf(bob, alice.userId), talk.said);
  t.match(report, { buckets: 17, resealed: old, unopenable: 0, damaged: 0, moving: [], stopped: false });
  t.same(Object.keys(await epochsOf(url)), ['2'], 'what was appended meanwhile included');
  const [status, single] = await Promise.all([
    keys(['status', '--count', '--data', dir]),
    keys(['status', `${bucket}`, '--data', dir]),
  ]);
  t.equal(status.code, 0, status.stderr);
  t.match(status.stdout, `master key ${fingerprint(cluster.masterKey)};`);
  t.match(status.stdout, /^1 +256 +239 +0 +0 /m);
  t.match(status.stdout, new RegExp(`^2 +17 +17 +0 +${talk.said.length.toLocaleString('en')} `, 'm'));
  t.match(status.stdout, /17 of 17 buckets with past epochs are done/);
  t.equal(status.stdout.match(/has the newest keys/g)?.length, 3, 'both db-proxies and the test');
  t.match(single.stdout, new RegExp(`^${bucket}/2 +\\d+ +sealing +${talk.said.length.toLocaleString('en')} `, 'm'));
});

t.test('another db-proxy opens what is sealed by keys that it has never seen', async (t) => {
  const { url, key, storage: one } = await freshStorage(t);
  const two = await openFor(t, url, key);
  const id = singleConversation(1, 2);
  const bucket = bucketOf(id);
  await rotate(url, key, [bucket]);
  await one.keys.reload();
  const before = two.keys.version;
  await store(one, 1, 2, 'news');
  t.same(await textsOf(two, id), ['news']);
  t.same(
    (await two.conversations.recent(2, 0, 10)).map((each) => decryptText(each.last.body)),
    ['news'],
  );
  t.same(await epochsOf(url), { 2: 1 });
  await until(() => two.keys.version > before, 'the other one to look whether keys have changed');
  await store(two, 2, 1, 'and back');
  t.same(await epochsOf(url), { 2: 2 });

  let lookups = 0;
  const meta = new pg.Client(url);
  await meta.connect();
  t.teardown(() => meta.end());
  const counted = {
    query(asked: string | { name: string }, values?: unknown[]) {
      if (typeof asked !== 'string' && asked.name === 'data-keys-by-id') lookups++;
      return meta.query(asked as string, values);
    },
  } as unknown as pg.Client;
  const watched = await DataKeys.open(counted, ringOf(key));
  const [fresh] = await rotate(url, key, [bucket]);
  const row = { key_id: fresh!.keyId };
  const gone = { key_id: 999_999 };
  await Promise.all(Array.from({ length: 20 }, () => watched.know([row, gone])));
  t.equal(lookups, 1, 'one lookup for all who ask at once');
  await watched.know([row, gone]);
  t.equal(lookups, 1, 'what is not there is not looked for all the time');
  t.throws(
    () => watched.open(gone.key_id, { conversationId: id, msgId: 1, senderId: 1 }, Buffer.alloc(40)),
    /is not there/,
  );
});

t.test('nobody seals by keys that are not confirmed, and who changes keys waits for those who do', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  const bound = { conversationId: singleConversation(1, 2), msgId: 1, senderId: 1 };
  const seal = () => storage.keys.seal(bucketOf(bound.conversationId), bound, Buffer.from('x'));
  t.ok(seal().keyId > 0);
  storage.keys.allowSealing(60_000, performance.now() - 60_001);
  t.throws(seal, { code: 'STORE_UNAVAILABLE' }, 'it could not reach meta for a minute');
  storage.keys.allowSealing(60_000, performance.now());
  t.ok(seal().keyId > 0);

  await withClient(url, async (client) => {
    t.match(await keyHolders(client), [{ name: /pid/, problem: '', takenUp: false }]);
    await takenUp(url);
    t.match(await keyHolders(client), [{ takenUp: true }]);
    await client.query(
      `insert into meta.key_holder (instance, name, version) values (gen_random_uuid(), 'another', 0)`,
    );
    let waitedFor: readonly string[] = [];
    let resolved = false;
    const waiting = untilTakenUp(client, { waiting: (late) => (waitedFor = late.map((each) => each.name)) });
    void waiting.then(() => (resolved = true));
    await until(() => waitedFor.length > 0, 'somebody to be waited for');
    t.same(waitedFor, ['another']);
    t.notOk(resolved);
    await client.query(`update meta.key_holder set version = (select version from meta.key_version)`);
    await until(() => waitedFor.includes('another'), 'its messages that are on their way');
    t.notOk(resolved);
    await client.query(`update meta.key_holder set seen = now() - interval '71 seconds' where name = 'another'`);
    await waiting; // dead for so long that it must have stopped
  });
  await closeOnce(storage);
  t.same(await query(url, `select name from meta.key_holder where name <> 'another'`), [], 'who leaves says so');

  // Keys change in the very moment in which somebody begins to seal.
  await withClient(url, async (client) => {
    await client.query('begin');
    await client.query('update meta.key_version set version = version + 1');
    const opening = openFor(t, url, key);
    const waits = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until(async () => (await query(url, waits)).length > 0, 'it to wait for the change');
    await client.query('commit');
    await opening;
  });
  t.same(
    await query(
      url,
      `select h.version = v.version as newest from meta.key_holder h, meta.key_version v where h.name <> 'another'`,
    ),
    [{ newest: true }],
  );
});

// ------------------------------------------------------------------------------------------------- the master key, anew

t.test('the master key is replaced while people chat', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const url = cluster.databaseUrl;
  const old = cluster.masterKey;
  const dir = await dataFolder(t, url, old);
  const fresh = randomBytes(32).toString('hex');
  const newFile = join(dir, 'new.key');
  await writeFile(newFile, fresh);
  const [alice, bob] = [await cluster.login('alice'), await cluster.login('bob')];
  const talk = new Talk(alice, bob);
  await talk.more();
  const early = await openFor(t, url, `${old},${fresh}`); // a rolling change of settings begins before
  const byFile = await testStorage(url, '', { masterKeyFile: join(dir, 'master.key') });
  t.teardown(() => byFile.close());
  const wrapped = () => query<{ wrapped: string }>(url, `select encode(wrapped, 'hex') as wrapped from meta.data_key`);
  const before = new Set((await wrapped()).map((row) => row.wrapped));

  const args = ['rotate-master', '--new-key-file', newFile, '--data', dir];
  const rotated = await keys(args);
  t.equal(rotated.code, 0, rotated.stderr);
  t.match(
    rotated.stdout,
    `256 data keys are wrapped by the master key ${fingerprint(fresh)} now, no longer by ${fingerprint(old)}`,
  );
  t.notOk(
    (await wrapped()).some((row) => before.has(row.wrapped)),
    'every one of them',
  );
  t.equal((await readFile(join(dir, 'master.key'), 'utf8')).trim(), fresh);
  t.equal((await stat(join(dir, 'master.key'))).mode & 0o777, 0o600);
  t.equal((await readFile(join(dir, `master.key.${fingerprint(old)}`), 'utf8')).trim(), old, 'for backups of before');
  t.notMatch(rotated.stdout + rotated.stderr, new RegExp(`${fresh}|${old}`));
  t.match(await keys(args), { code: 0, stdout: /is in use already|in use is .* already/ }, 'twice is harmless');

  await t.rejects(testStorage(url, old), {
    name: 'SettingsError',
    message: new RegExp(`this one is ${fingerprint(old)}, .* wrapped by ${fingerprint(fresh)}`),
  });
  const late = await openFor(t, url, fresh);
  await talk.more();
  t.equal((await textsOf(late, singleConversation(1, 2))).at(0), 'word 1');

  // The next epoch is wrapped by a key that the running db-proxies do not have.
  await rotate(url, fresh);
  await late.keys.reload();
  await store(late, 3, 4, 'under the new epoch');
  const pair = singleConversation(3, 4);
  t.same(await textsOf(early, pair), ['under the new epoch'], 'who had both keys all the time');
  t.same(await textsOf(byFile, pair), ['under the new epoch'], 'who looks into the file again');
  await t.rejects(
    cluster.storage.messages.page(pair, 0, 0, 10),
    { code: 'STORE_UNAVAILABLE' },
    'no placeholder for what others can read',
  );
  await talk.more();
  await until(
    async () => (await withClient(url, keyHolders)).some((each) => each.problem.includes(fingerprint(fresh))),
    'it to be told what it lacks',
  );
  await talk.end();
  t.same(talk.errors, []);
  t.same(await historyOf(bob, alice.userId), talk.said);
});

t.test('of two changes of the master key at once one wins whole', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  await store(storage, 1, 2, 'hello');
  const fresh = [randomBytes(32), randomBytes(32)];
  const ended = await Promise.allSettled(
    fresh.map((next) => withClient(url, (client) => rotateMaster(client, ringOf(key), next))),
  );
  const winner = fresh[ended.findIndex((each) => each.status === 'fulfilled')]!;
  t.same(ended.map((each) => each.status).sort(), ['fulfilled', 'rejected']);
  t.match(
    ended.find((each) => each.status === 'rejected'),
    { reason: { name: 'SettingsError', message: /wrong master key/ } },
  );
  const rows = await query(url, 'select distinct master_key from meta.data_key');
  t.same(rows, [{ master_key: fingerprintOf(winner) }]);
  const again = await openFor(t, url, winner.toString('hex')); // unwraps every key
  t.same(await textsOf(again, singleConversation(1, 2)), ['hello']);
});

// ------------------------------------------------------------------------------------------------------------ resealing

t.test('resealing is taken up where it was killed', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  const groupId = await storage.groups.add({ name: 'all', type: 1, memberIds: [1, 2, 3, 4] });
  const group = groupConversation(groupId);
  const said = new Map<bigint, string[]>();
  const drafts = Array.from({ length: 900 }, (_, i) => {
    const [from, to] = [(i % 4) + 1, ((i + 1 + (Math.floor(i / 4) % 3)) % 4) + 1] as const;
    const inGroup = i % 5 === 0 || from === to;
    const conversationId = inGroup ? group : singleConversation(from, to);
    const text = `${i} ${SECRET_WORDS.repeat(i % 40)}`;
    said.set(conversationId, [...(said.get(conversationId) ?? []), text]);
    return {
      conversationId,
      senderId: from,
      msgType: inGroup ? GROUP_TEXT : TEXT,
      body: encryptText(text),
      sendId: sendId(),
    };
  });
  await Promise.all(drafts.map((draft) => storage.append.store(draft)));
  const buckets = [...new Set(drafts.map((draft) => bucketOf(draft.conversationId)))];
  await rotate(url, key, buckets);
  await closeOnce(storage);
  await query(url, `update shard.message set sealed = ${BENT} where conversation_id = $1 and msg_id = 7`, [
    String(group),
  ]);
  said.get(group)![6] = UNREADABLE;
  const damaged = await query(
    url,
    `select encode(sealed, 'hex') as sealed from shard.message where conversation_id = $1 and msg_id = 7`,
    [String(group)],
  );
  const dir = await dataFolder(t, url, key);

  const passed = async () =>
    Number((await query(url, 'select coalesce(sum(passed), 0) as passed from meta.reseal'))[0]!.passed);
  for (const goal of [40, 250]) {
    const run = new Keys(['reseal', '--rate', '300', '--data', dir]);
    await until(async () => (await passed()) >= goal, `${goal} messages to be sealed anew`);
    run.process.kill('SIGKILL');
    t.equal((await run.ended).signal, 'SIGKILL');
  }
  const half = await epochsOf(url);
  t.ok(half[1]! > 0 && half[2]! > 0, `killed in the middle: ${JSON.stringify(half)}`);
  const last = await keys(['reseal', '--rate', '0', '--data', dir]);
  t.equal(last.code, 1, 'something is damaged');
  t.match(last.stdout, /1 messages cannot be opened.*1 of them are damaged/s);
  t.match(last.stderr, `message ${group}/7 cannot be opened`);
  t.same(await epochsOf(url), { 1: 1, 2: 899 });
  t.same(
    await query(
      url,
      'select sum(passed)::int as passed, sum(unopenable)::int as unopenable, count(finished)::int as finished from meta.reseal',
    ),
    [{ passed: 900, unopenable: 1, finished: buckets.length }],
  );
  t.same(
    await query(
      url,
      `select encode(sealed, 'hex') as sealed from shard.message where conversation_id = $1 and msg_id = 7`,
      [String(group)],
    ),
    damaged,
  );
  const again = await openFor(t, url, key);
  for (const [id, texts] of said) t.same(await textsOf(again, id), texts);

  await takenUp(url);
  const nothing = await reseal(url, ringOf(key), { rowsPerSecond: 0 });
  t.match(nothing, { buckets: 0, resealed: 0 }, 'what is done is not done again');
  const notes = 'select bucket, conversation_id, msg_id, passed, unopenable from meta.reseal order by bucket';
  const before = await query(url, notes);
  const more = await reseal(url, ringOf(key), { rowsPerSecond: 0, again: true });
  t.match(more, { buckets: buckets.length, resealed: 0 }, 'rows that are done, though no note says so');
  t.same(await query(url, notes), before, 'and counted once');
  const kept = 'all old keys but the one under which a damaged message is';
  t.match(
    await keys(['retire', '--data', dir]),
    { code: 0, stdout: `${buckets.length - 1} data keys are forgotten` },
    kept,
  );
  t.equal(
    (await query(url, 'select from meta.data_key where wrapped is null and destroyed is not null')).length,
    buckets.length - 1,
  );
  await again.keys.reload();
  for (const [id, texts] of said) t.same(await textsOf(again, id), texts, 'nothing was lost with them');
});

t.test('a bucket that somebody else is at is left until he is done', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  const [mine, theirs] = [singleConversation(1, 2), singleConversation(3, 4)];
  t.not(bucketOf(mine), bucketOf(theirs));
  for (let i = 0; i < 40; i++) await Promise.all([store(storage, 1, 2, `${i}`), store(storage, 3, 4, `${i}`)]);
  await rotate(url, key, [bucketOf(mine), bucketOf(theirs)]);
  await takenUp(url);
  const mover = new pg.Client(url);
  await mover.connect();
  t.teardown(() => mover.end());
  t.ok(await tryBucketLock(mover, bucketOf(theirs)));
  let doing = '';
  const running = reseal(url, ringOf(key), { rowsPerSecond: 0, progress: (progress) => (doing = progress.doing) });
  await until(() => doing.startsWith('waiting for whoever'), 'only the held bucket to be left');
  t.match(doing, `bucket ${bucketOf(theirs)}`);
  t.same(await epochsOf(url), { 1: 40, 2: 40 });
  await t.rejects(
    withClient(url, async (client) => {
      const [key] = await query<{ id: number }>(url, 'select id from meta.data_key where bucket = $1 and epoch = 1', [
        bucketOf(theirs),
      ]);
      await destroyKey(client, url, { keyId: key!.id, bucket: bucketOf(theirs), epoch: 1 }, { messagesMax: 1_000 });
    }),
    { message: /is just being moved or resealed/ },
  );
  await mover.query('select pg_advisory_unlock_all()');
  t.match(await running, { buckets: 2, resealed: 80 });
  t.same(await epochsOf(url), { 2: 80 });

  await rotate(url, key, [bucketOf(mine)]);
  await takenUp(url);
  const slow = reseal(url, ringOf(key), { rowsPerSecond: 20 });
  const begun = `select from meta.reseal r join meta.data_key k on k.id = r.key_id and k.epoch = 3 where r.passed >= 20`;
  await until(
    async () => (await query(url, begun)).length > 0,
    'the second chunk to be read, and to wait for its time',
  );
  const changed = 'update shard.message set key_id = 999, sealed = $2 where conversation_id = $1 and msg_id = 30';
  await query(url, changed, [String(mine), Buffer.from('something else')]);
  t.match(await slow, { resealed: 39 });
  t.match((await rowsOf(url, mine))[29], { key_id: 999, sealed: Buffer.from('something else') }, 'left as it is');

  await rotate(url, key, [bucketOf(mine)]);
  await takenUp(url);
  await query(url, `insert into meta.shard (name, url) values ('shard-2', '/nowhere')`);
  await query(
    url,
    `insert into meta.bucket_move (bucket, source, target, phase) values ($1, 'shard-1', 'shard-2', 'copying')`,
    [bucketOf(mine)],
  );
  t.match(
    await reseal(url, ringOf(key), { rowsPerSecond: 0 }),
    { resealed: 0, moving: [bucketOf(mine)] },
    'nobody is at it, but it is at two places',
  );
});

// ------------------------------------------------------------------------------------------------------------ destroying

t.test('a destroyed key takes its messages with it, and nothing else', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const url = cluster.databaseUrl;
  const dir = await dataFolder(t, url, cluster.masterKey);
  const [alice, bob] = [await cluster.login('alice'), await cluster.login('bob')];
  for (const text of ['one', 'two']) await alice.say(bob.userId, text);
  const id = singleConversation(alice.userId, bob.userId);
  const body = Buffer.concat([Buffer.from([0, 0, 0, 3]), randomBytes(50)]);
  const voice = { conversationId: id, senderId: alice.userId, msgType: VOICE, body, sendId: sendId() };
  await cluster.storage.append.store(voice);
  const bucket = bucketOf(id);
  const key = `${bucket}/1`;
  const destroy = (input: string, ...more: string[]) => keys(['destroy', key, '--data', dir, ...more], input);
  t.match(await destroy('', '--yes'), {
    code: 1,
    stderr: /is the one that bucket \d+ seals by: begin a new epoch first/,
  });
  await rotate(url, cluster.masterKey, [bucket]);
  await takenUp(url);
  await alice.say(bob.userId, 'four');
  t.same(await epochsOf(url), { 1: 3, 2: 1 });

  const undecided = await Promise.all([destroy(`${bucket}/2\n`), destroy('')]); // another key, nobody there to answer
  for (const each of undecided)
    t.match(each, { code: 1, stderr: /3 messages are sealed under it.*nothing was destroyed/s });
  t.same(
    (await bob.history(SINGLE, alice.userId)).map((each) => each.text),
    ['four', undefined, 'two', 'one'],
  );
  const destroyed = await destroy(`${key}\n`);
  t.match(
    destroyed,
    { code: 0, stdout: /is destroyed, 3 messages with it/, stderr: /"audit":"destroy".*"messages":3/ },
    destroyed.stderr,
  );
  await until(
    async () => (await bob.history(SINGLE, alice.userId, 1, 1))[0]!.text === UNREADABLE,
    'the db-proxy to forget the key',
  );
  const history = await bob.history(SINGLE, alice.userId);
  t.same(
    history.map((each) => [each.msgId, each.text, each.msgType]),
    [
      [4, 'four', TEXT],
      [3, UNREADABLE, TEXT],
      [2, UNREADABLE, TEXT],
      [1, UNREADABLE, TEXT],
    ],
  );
  t.same(
    (await bob.recentSessions()).map((each) => decryptText(each.latestMsgData)),
    ['four'],
  );
  await cluster.storage.keys.reload();
  const [row] = await rowsOf(url, id);
  const bound = { conversationId: id, msgId: 1, senderId: alice.userId };
  t.throws(
    () => cluster.storage.keys.open(row!.key_id, bound, row!.sealed),
    /data key \d+ \(bucket \d+, epoch 1\) was destroyed/,
  );
  t.match(
    await cluster.storage.append.store(voice),
    { msgId: 3, duplicate: true },
    'sent once more, nothing to compare with',
  );
  await t.rejects(
    withClient(url, (client) => destroyKey(client, url, { keyId: row!.key_id, bucket, epoch: 1 }, { messagesMax: 9 })),
    { message: /is destroyed already/ },
  );
  await takenUp(url);
  t.match(await reseal(url, ringOf(cluster.masterKey), { rowsPerSecond: 0 }), {
    resealed: 0,
    unopenable: 3,
    damaged: 0,
  });
});

t.test('messages that do not open are counted each and logged once per key', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  for (const text of ['one', 'two']) await store(storage, 1, 2, text);
  await store(storage, 3, 4, 'three');
  await query(url, `update shard.message set sealed = ${BENT}`);
  const lines: { keyId?: number }[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const metrics = new Metrics('db-proxy', 'db-proxy');
  const settings = {
    ...readSettings('db-proxy', dbProxySettings, { env: {} }),
    ...{ databaseUrl: url, masterKey: key, port: 0, clusterSecret: CLUSTER_SECRET },
  };
  const running = await startDbProxy(settings, { name: 'db-proxy', log, metrics, hops: new Hops() });
  t.teardown(() => running.close(0));
  const msgServer = new LinkGroup({
    self: { role: 'msg', name: 'msg' },
    role: 'db-proxy',
    secret: CLUSTER_SECRET,
    addresses: [{ host: '127.0.0.1', port: running.ports.servers! }],
    askTimeoutMs: 5_000,
    asksMax: 10,
    log,
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  });
  t.teardown(() => msgServer.close());
  const list = async (userId: number, sessionId: number) => {
    const asked = { userId, sessionType: SINGLE, sessionId, msgIdBegin: 0, msgCnt: 10 };
    const { msgList } = await msgServer.ask(message.list, asked);
    return msgList.map((each) => decryptText(each.msgData));
  };
  for (let i = 0; i < 2; i++) t.same(await list(1, 2), [UNREADABLE, UNREADABLE]);
  t.same(await list(3, 4), [UNREADABLE]);
  t.match(await metrics.registry.metrics(), /^teamtalk_messages_unopenable_total\{.*\} 5$/m);
  t.equal(lines.length, 2);
  t.equal(new Set(lines.map((line) => line.keyId)).size, 2);
});

// ------------------------------------------------------------------------------------------------------- what is at rest

t.test('nothing in the databases shows a text or a key', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  const groupId = await storage.groups.add({ name: 'all', type: 1, memberIds: [1, 2] });
  const body = encryptText(SECRET_WORDS);
  await store(storage, 1, 2, SECRET_WORDS);
  await storage.append.store({
    conversationId: groupConversation(groupId),
    senderId: 1,
    msgType: GROUP_TEXT,
    body,
    sendId: sendId(),
  });
  await rotate(url, key, [bucketOf(singleConversation(1, 2))]);
  await storage.keys.reload();
  await store(storage, 1, 2, SECRET_WORDS);
  const dump = await withClient(url, async (client) => {
    let text = '';
    for (const table of await tablesOf(client)) {
      const { rows } = await client.query(`select r::text as row from ${table} r`);
      text += `${rows.map((each) => each.row).join('\n')}\n`;
    }
    return text.toLowerCase();
  });
  const has = (bytes: Uint8Array) =>
    (['hex', 'base64', 'latin1'] as const).some((form) =>
      dump.includes(Buffer.from(bytes).toString(form).toLowerCase()),
    );
  const [row] = await rowsOf(url, singleConversation(1, 2));
  t.ok(has(row!.sealed) && has(row!.send_id) && has(Buffer.from('alice')), 'a dump in which it would be found');
  t.notOk(has(Buffer.from(SECRET_WORDS)), 'the text');
  t.notOk(has(body), 'as clients send it');
  t.notOk(has(Buffer.from(body.toString(), 'base64')), 'the same without its base64');
  t.notOk(has(Buffer.from(key, 'hex')), 'the master key');
  const wrapped = await query(url, 'select bucket, epoch, wrapped from meta.data_key');
  t.equal(wrapped.length, BUCKETS + 1);
  const open = wrapped.map((each) => unwrapKey(each.wrapped, Buffer.from(key, 'hex'), each.bucket, each.epoch));
  t.equal(open.filter(has).length, 0, 'data keys');
  t.ok(
    wrapped.every((each) => has(each.wrapped)),
    'but wrapped',
  );
});

// ------------------------------------------------------------------------------------------------------ finding a cluster

t.test('the tool says what it lacks, and how to give it', async (t) => {
  const { url, key, storage } = await freshStorage(t);
  await closeOnce(storage);
  const dir = await dataFolder(t, url, key);
  const nowhere = 'postgres://nobody:geheim@127.0.0.1:9/nothing';
  const results = await Promise.all([
    keys(['status', '--data', join(dir, 'nowhere')]),
    keys(['status', '--database', nowhere]),
    keys(['status'], '', { DATABASE_URL: 'no url' }),
    keys(['status', '--database', await freshDatabase(postgres)]),
    keys(['rotate-data', '--all'], '', {
      TT_DB_PROXY_DATABASE_URL: url,
      TT_DB_PROXY_MASTER_KEY: randomBytes(32).toString('hex'),
    }),
    keys(['rotate-data', '--data', dir]),
    keys(['rotate-data', '--all', '--data', dir], '', { DATABASE_URL: nowhere }),
    keys(['status', '--master-key-file', join(dir, 'master.key')], '', { DATABASE_URL: url }),
  ]);
  t.match(results, [
    { code: 78, stderr: /which database\? there is no .*database.url. Give --data/ },
    { code: 69, stderr: /127.0.0.1:9\/nothing \(--database\): .*ECONNREFUSED/ },
    { code: 78, stderr: /DATABASE_URL is no URL such as/ },
    { code: 1, stderr: /has no schema meta/ },
    { code: 78, stderr: /wrong master key/ },
    { code: 78, stderr: /which buckets\? Name some, or say --all/ },
    { code: 0, stdout: /^256 buckets have a new data key, epoch 2/ },
    { code: 0, stdout: /^1 +256 +(0|256) +0 +0 /m },
  ]);
  t.notOk(
    results.some((each) => each.stderr.includes('geheim')),
    'no password in any error',
  );
  t.notOk(results.some((each) => (each.stdout + each.stderr).includes(key)));
});
