/**
 * What was backed up comes back, all of it or nothing: taken while people chat, sealed, checked before and while it is
 * put into other databases, and never taken for whole when it is not.
 */
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import t, { type Test } from 'tap';
import { Client } from '../../common/client/client.js';
import { bucketOf, groupConversation, singleConversation, userBucketOf } from '../../common/conversation.js';
import { IM } from '../../common/pdu/pb.js';
import { encryptText } from '../../common/text-cipher.js';
import { COPY_END, COPY_HEADER, CopyFormatError, CopyRows } from '../../servers/db-proxy/storage/copy-rows.js';
import { fsck } from '../../servers/db-proxy/storage/fsck.js';
import { fingerprintOf, MasterKeyring } from '../../servers/db-proxy/storage/master-key.js';
import { migrate } from '../../servers/db-proxy/storage/migrations.js';
import { reconcile } from '../../servers/db-proxy/storage/reconcile.js';
import { ShardClients } from '../../servers/db-proxy/storage/shard-clients.js';
import { type Manifest, openManifest } from '../../tools/backup/manifest.js';
import { Progress } from '../../tools/backup/progress.js';
import { readPart, verifyParts } from '../../tools/backup/read.js';
import { type RestoreOptions, restoreBackup } from '../../tools/backup/restore.js';
import { CHUNK_SIZE, DamagedError, openChunk, Sealer, TAG_SIZE } from '../../tools/backup/sealed-part.js';
import { writeBackup } from '../../tools/backup/write.js';
import {
  addPeople,
  freshDatabase,
  PASSWORD,
  type Storage,
  TestCluster,
  testLog,
  testStorage,
  until,
} from '../support/cluster.js';
import { testPostgres } from '../support/postgres.js';
import { startProcesses } from '../support/processes.js';
import { runTool, startTool } from '../support/tool.js';

const { SESSION_TYPE_SINGLE } = IM.BaseDefine.SessionType;
const { MSG_TYPE_SINGLE_TEXT, MSG_TYPE_SINGLE_AUDIO } = IM.BaseDefine.MsgType;
const TEXT = 'the quick brown fox';
const MANY = 200_000;

const postgres = await testPostgres(t);
const folder = await mkdtemp(join(tmpdir(), `teamtalk-test-pg-${process.pid}-backup-`)); // swept up like the others
t.teardown(() => rm(folder, { recursive: true, force: true }));
const quiet = new Progress('test', { write: () => true } as unknown as NodeJS.WritableStream);

/** A message of which its clients know that it is stored. */
interface Said {
  readonly id: bigint;
  readonly msgId: number;
  readonly body: Buffer;
}

/** Files that hold what tests hand to the tools. */
async function keyFile(name: string, key: string): Promise<string> {
  const path = join(folder, `${name}.key`);
  await writeFile(path, `${key}\n`);
  return path;
}

function ringOf(key: string): MasterKeyring {
  return MasterKeyring.of(Buffer.from(key, 'hex'));
}

function restoreOptions(databaseUrl: string, masterKeys: MasterKeyring): RestoreOptions {
  const { signal } = new AbortController();
  return { databaseUrl, shards: [], again: false, masterKeys, progress: quiet, signal };
}

async function store(
  storage: Storage,
  id: bigint,
  senderId: number,
  body: Buffer,
  msgType: number = MSG_TYPE_SINGLE_TEXT,
): Promise<Said> {
  const draft = { conversationId: id, senderId, msgType, body, sendId: randomBytes(16) };
  const { msgId } = await storage.append.store(draft);
  return { id, msgId, body };
}

/** Everything in a conversation, oldest first. */
async function historyOf(storage: Storage, id: bigint) {
  const all = [];
  for (let after = 0; ; ) {
    const head = await storage.messages.head(id);
    const page = await storage.messages.page(id, Math.min(after + 500, head), after, 500);
    if (page.length === 0) return all;
    all.push(...page.reverse());
    after = all.at(-1)!.msgId;
  }
}

async function query<Row extends object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Nothing of a cluster is there, not even a schema. */
async function isEmpty(url: string): Promise<boolean> {
  const rows = await query(url, "select from pg_namespace where nspname in ('meta', 'shard')");
  return rows.length === 0;
}

// ---- the format, without a database ------------------------------------------------------------------------------------

t.test('rows of a COPY stream are counted wherever it is cut', async (t) => {
  const field = fc.option(fc.uint8Array({ maxLength: 9 }), { nil: null });
  const rows = fc.array(fc.array(field, { maxLength: 4 }), { maxLength: 8 });
  const bytesOf = (fields: readonly (Uint8Array | null)[]) => {
    const head = Buffer.alloc(2);
    head.writeInt16BE(fields.length);
    const parts = fields.map((each) => {
      const size = Buffer.alloc(4);
      size.writeInt32BE(each?.length ?? -1);
      return Buffer.concat([size, each ?? Buffer.alloc(0)]);
    });
    return Buffer.concat([head, ...parts]);
  };
  fc.assert(
    fc.property(rows, fc.array(fc.nat(60), { maxLength: 10 }), (rows, cuts) => {
      const stream = Buffer.concat([COPY_HEADER, ...rows.map(bytesOf), COPY_END]);
      const copy = new CopyRows();
      const seen: Buffer[] = [];
      const places = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b), stream.length];
      for (let i = 1; i < places.length; i++)
        copy.take(stream.subarray(places[i - 1], places[i]), (bytes, start, end) =>
          seen.push(bytes.subarray(start, end)),
        );
      copy.finish();
      return copy.count === rows.length && seen.every((row, i) => row.equals(bytesOf(rows[i]!)));
    }),
  );
  const cutOff = new CopyRows();
  cutOff.take(Buffer.concat([COPY_HEADER, bytesOf([Buffer.from('a')])]));
  t.throws(() => cutOff.finish(), CopyFormatError, 'the end is missing');
  t.throws(() => new CopyRows().take(Buffer.from('no COPY at all, whatever')), CopyFormatError);
});

t.test('a chunk opens in its own place only', async (t) => {
  const part = { key: randomBytes(32), backupId: 'one', number: 1 };
  const sealer = new Sealer(part);
  const plain = randomBytes(2 * CHUNK_SIZE + 100);
  const chunks = [...sealer.push(plain.subarray(0, 1000)), ...sealer.push(plain.subarray(1000)), sealer.finish()];
  t.strictSame(
    chunks.map((chunk) => chunk.length - TAG_SIZE),
    [CHUNK_SIZE, CHUNK_SIZE, 100],
  );
  const opened = chunks.map((chunk, i) => openChunk(part, i, i === 2, chunk));
  t.ok(Buffer.concat(opened).equals(plain), 'they open to what was sealed');
  t.throws(() => openChunk(part, 1, false, chunks[0]!), DamagedError, 'in another place');
  t.throws(() => openChunk(part, 1, true, chunks[1]!), DamagedError, 'as the last one: the rest was cut off');
  t.throws(() => openChunk(part, 2, false, chunks[2]!), DamagedError, 'as one that something follows');
  t.throws(() => openChunk({ ...part, number: 2 }, 0, false, chunks[0]!), DamagedError, 'in another part');
  t.throws(() => openChunk({ ...part, backupId: 'two' }, 0, false, chunks[0]!), DamagedError, 'in another backup');
  const exact = new Sealer(part);
  t.strictSame(exact.push(plain.subarray(0, CHUNK_SIZE)), [], 'a chunk that is just full may be the last one');
  t.ok(openChunk(part, 0, true, exact.finish()).equals(plain.subarray(0, CHUNK_SIZE)));
});

// ---- a cluster that chats ------------------------------------------------------------------------------------------------

t.test('a cluster that chats', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { groups: [{ name: 'all', memberIds: [1, 2, 3] }] });
  const masterKey = await keyFile('master', cluster.masterKey);
  const backup = join(folder, 'backup');
  const acked: Said[] = [];

  await t.test('taken while people chat, it restores to a cluster that is whole and goes on', async (t) => {
    const alice = await cluster.login('alice');
    const carol = await cluster.login('carol');
    let chatting = true;
    const talk = async (say: (text: string) => Promise<{ msgId: number }>, id: bigint) => {
      for (let n = 0; chatting; n++) {
        const text = `${TEXT} ${n} in ${id}`;
        const { msgId } = await say(text);
        acked.push({ id, msgId, body: encryptText(text) });
      }
    };
    const talks = [
      talk((text) => alice.say(2, text), singleConversation(1, 2)),
      talk((text) => alice.sayGroup(1, text), groupConversation(1)),
      talk((text) => carol.say(1, text), singleConversation(1, 3)),
    ];
    // Bodies that fill several chunks, and sounds that do.
    for (let n = 0; n < 12; n++) await store(cluster.storage, singleConversation(2, 4), 2, randomBytes(100_000));
    for (let n = 0; n < 3; n++)
      await store(cluster.storage, singleConversation(2, 4), 2, randomBytes(100_000), MSG_TYPE_SINGLE_AUDIO);
    await until(() => acked.length > 100, 'people to be chatting');
    const before = acked.length;
    const made = await runTool('backup', [backup, '--database', cluster.databaseUrl, '--master-key-file', masterKey]);
    const during = acked.length - before;
    chatting = false;
    await Promise.all(talks);
    t.equal(made.code, 0, made.stderr);
    t.ok(during > 0, 'they chatted meanwhile');
    t.match(made.stdout, /rows, .* in .* s \(.*\/s\)/);
    t.match(made.stderr, /meta shard\.message: .* rows, .*\/s/, 'it says how far it is');
    t.strictSame(
      (await readdir(folder)).filter((name) => name.startsWith('backup')),
      ['backup'],
      'nothing unfinished is left',
    );

    const target = await freshDatabase(postgres);
    const restored = await runTool('restore', [backup, '--database', target, '--master-key-file', masterKey, '--json']);
    t.equal(restored.code, 0, restored.stderr);
    t.match(JSON.parse(restored.stdout), { fsck: { whole: true } });
    const checked = await runTool('fsck', ['--database', target, '--master-key-file', masterKey, '--open', '--json']);
    t.equal(checked.code, 0, checked.stdout + checked.stderr);
    const report = JSON.parse(checked.stdout) as { messages: number; opened: number };
    t.equal(report.opened, report.messages, 'every message opens');

    const there = await testStorage(target, cluster.masterKey);
    for (const id of [
      singleConversation(1, 2),
      singleConversation(1, 3),
      groupConversation(1),
      singleConversation(2, 4),
    ]) {
      const history = await historyOf(there, id);
      const original = await historyOf(cluster.storage, id);
      t.strictSame(history, original.slice(0, history.length), 'a history is the original one, up to some message');
      t.equal(await there.messages.head(id), history.length);
      const ackedBefore = acked.slice(0, before).filter((said) => said.id === id).length;
      t.ok(history.length >= ackedBefore, 'all that was acknowledged before the backup began is in it');
    }
    const head = await there.messages.head(singleConversation(1, 2));
    await there.close();
    await goesOn(t, backup, masterKey, head);
  });

  await t.test('nothing in it can be read without the master key', async (t) => {
    const { manifest, ...opened } = await openManifest(backup, ringOf(cluster.masterKey));
    const secrets = ['alice', '$argon2id', 'carol', encryptText(acked[0]!.body.toString()).toString()];
    const password = new URL(cluster.databaseUrl).password;
    secrets.push(password, cluster.masterKey, acked[0]!.body.toString());
    const files = await Promise.all((await readdir(backup)).map((name) => readFile(join(backup, name))));
    t.ok(files.length > 10);
    for (const secret of secrets)
      t.notOk(
        files.some((bytes) => bytes.includes(secret)),
        `${secret.slice(0, 6)}… is nowhere`,
      );
    const users = manifest.parts.find((part) => part.table === 'users')!;
    let plain = Buffer.alloc(0);
    await readPart({ ...opened, manifest }, users, quiet, (bytes, start, end) => {
      plain = Buffer.concat([plain, bytes.subarray(start, end)]);
    });
    t.ok(plain.includes('alice') && plain.includes('$argon2id'), 'which would have been found there unsealed');
    const { mode } = await stat(backup);
    t.equal(mode & 0o077, 0, 'and the folder is nobody else’s');
    t.match(manifest, {
      masterKey: fingerprintOf(Buffer.from(cluster.masterKey, 'hex')),
      databases: [{ name: 'meta' }],
    });
  });

  await t.test('a damaged backup is refused before a row is written', async (t) => {
    const { manifest } = await openManifest(backup, ringOf(cluster.masterKey));
    const messages = manifest.parts.find((part) => part.table === 'message')!;
    t.ok(messages.size > 4 * CHUNK_SIZE, 'the part has chunks to exchange');
    const target = await freshDatabase(postgres);
    const damages: Record<string, readonly [(copy: string) => Promise<void>, RegExp]> = {
      'a flipped byte': [
        (copy) => flip(join(copy, messages.file), 1000),
        /message\.sealed: part \d+, chunk 0 is not what/,
      ],
      'a flipped byte in the last chunk': [
        (copy) => flip(join(copy, messages.file), messages.size - 1),
        /message\.sealed: part \d+, chunk \d+ is not what/,
      ],
      'a truncated file': [
        (copy) => truncate(join(copy, messages.file), 2 * (CHUNK_SIZE + TAG_SIZE)),
        /message\.sealed has 524320 bytes, the manifest says/,
      ],
      'exchanged chunks': [
        (copy) => exchange(join(copy, messages.file)),
        /message\.sealed: part \d+, chunk 0 is not what/,
      ],
      'exchanged parts': [
        async (copy) => {
          const [a, b] = [manifest.parts[0]!, manifest.parts[1]!];
          await cp(join(backup, a.file), join(copy, b.file));
          await rewrite(copy, (it) => Object.assign(it.parts[1]!, { size: a.size, sha256: a.sha256 }));
        },
        /check value does not fit/,
      ],
      'a missing part': [(copy) => rm(join(copy, messages.file)), /message\.sealed is missing/],
      'another count in the manifest': [
        (copy) => rewrite(copy, (it) => Object.assign(it.parts[0]!, { rows: it.parts[0]!.rows + 1 })),
        /check value does not fit/,
      ],
      'a part less in the manifest': [(copy) => rewrite(copy, (it) => it.parts.pop()), /check value does not fit/],
      'no manifest': [(copy) => rm(join(copy, 'manifest.json')), /no finished backup: it has no manifest/],
      'half a manifest': [(copy) => truncate(join(copy, 'manifest.json'), 400), /not what was written/],
    };
    for (const [name, [damage, words]] of Object.entries(damages)) {
      const copy = join(folder, 'damaged');
      await cp(backup, copy, { recursive: true });
      await damage(copy);
      await t.rejects(
        async () => verifyParts(await openManifest(copy, ringOf(cluster.masterKey)), quiet),
        { message: words },
        name,
      );
      await rm(copy, { recursive: true });
    }

    const copy = join(folder, 'damaged');
    await cp(backup, copy, { recursive: true });
    await flip(join(copy, messages.file), messages.size - 1);
    const refused = await runTool('restore', [copy, '--database', target, '--master-key-file', masterKey]);
    t.equal(refused.code, 1);
    t.match(refused.stderr, /restore: \d+\.meta\.shard\.message\.sealed: .* is not what was sealed/);
    t.ok(await isEmpty(target), 'the database was not touched');
    const verified = await runTool('restore', [copy, '--verify-only', '--master-key-file', masterKey]);
    t.equal(verified.code, 1, 'checking alone finds it too');
  });

  await t.test('refusals: wrong master key, target in use, folder in use', async (t) => {
    const wrong = await keyFile('wrong', randomBytes(32).toString('hex'));
    const target = await freshDatabase(postgres);
    const restored = await runTool('restore', [backup, '--database', target, '--master-key-file', wrong]);
    t.equal(restored.code, 1);
    t.match(
      restored.stderr,
      /^restore: wrong master key: this one is [0-9a-f]{16}, the backup was sealed under [0-9a-f]{16}/,
    );
    t.ok(await isEmpty(target));
    const { databaseUrl } = cluster;
    const right = ringOf(cluster.masterKey);
    const copy = await openManifest(backup, right);
    await t.rejects(restoreBackup(copy, restoreOptions(databaseUrl, right)), {
      message: /is not empty, it has a schema meta: a restore needs a new database/,
    });
    t.equal(await cluster.storage.users.count(), 4, 'and it was left alone');
    const { signal } = new AbortController();
    const other = MasterKeyring.of(randomBytes(32));
    const made = { databaseUrl, masterKeys: other, folder: join(folder, 'wrong'), progress: quiet, signal };
    await t.rejects(writeBackup(made), {
      message: /^wrong master key: this one is [0-9a-f]{16}, the data keys are wrapped by [0-9a-f]{16}/,
    });
    await t.rejects(writeBackup({ ...made, masterKeys: right, folder: backup }), { message: /is there already/ });
    t.strictSame(
      (await readdir(folder)).filter((name) => /^wrong(?!\.key)|unfinished/.test(name)),
      [],
      'nothing is left behind',
    );
  });
});

/** Made into a data folder, it is what the launcher starts: people log in, and the next message gets the next id. */
async function goesOn(t: Test, backup: string, masterKey: string, head: number): Promise<void> {
  const data = join(folder, 'new-data');
  const restored = await runTool('restore', [backup, '--new-data', data, '--master-key-file', masterKey]);
  t.equal(restored.code, 0, restored.stderr);
  t.match(restored.stdout, /^whole: /m);
  const processes = await startProcesses(t, { data, args: ['--no-demo'] });
  const [host, port] = processes.info.msg[0]!.split(':') as [string, string];
  const bob = await Client.login({ host, port: Number(port), user: 'bob', password: PASSWORD });
  t.equal((await bob.say(1, 'I am back')).msgId, head + 1, 'the next id');
  const [last, previous] = await bob.history(SESSION_TYPE_SINGLE, 1, 0, 2);
  t.equal(last?.text, 'I am back');
  t.match(previous?.text, TEXT, 'and what was before it can be read');
  t.match(await bob.groups(), [{ groupName: 'all', groupMemberList: [1, 2, 3] }]);
  bob.close();
  await processes.stop();
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 1;
  await writeFile(path, bytes);
}

async function exchange(path: string): Promise<void> {
  const bytes = await readFile(path);
  const size = CHUNK_SIZE + TAG_SIZE;
  const first = Buffer.from(bytes.subarray(0, size));
  bytes.copyWithin(0, size, 2 * size);
  first.copy(bytes, size);
  await writeFile(path, bytes);
}

async function rewrite(copy: string, change: (manifest: Manifest) => unknown): Promise<void> {
  const path = join(copy, 'manifest.json');
  const whole = JSON.parse(await readFile(path, 'utf8')) as { manifest: Manifest };
  change(whole.manifest);
  await writeFile(path, JSON.stringify(whole));
}

// ---- several databases -----------------------------------------------------------------------------------------------

/** Two shards of half the buckets each, the second in a database of its own. */
async function twoShards(t: Test, key: string): Promise<{ url: string; storage: Storage }> {
  const url = await freshDatabase(postgres);
  const second = new URL(await freshDatabase(postgres)).pathname;
  await migrate(url, 'meta', testLog('test'));
  await query(url, `insert into meta.shard (name, url) values ('shard-2', '${second}')`);
  await query(url, "update meta.bucket set shard = 'shard-2' where bucket >= 128");
  const storage = await testStorage(url, key);
  t.teardown(() => storage.close());
  await addPeople(
    storage,
    Array.from({ length: 40 }, (_, i) => `user ${i + 1}`),
  );
  return { url, storage };
}

t.test('two shards, new conversations all the while: onto one, onto three, and onto two again', async (t) => {
  const key = randomBytes(32).toString('hex');
  const keys = await keyFile('two', key);
  const { url, storage } = await twoShards(t, key);
  const group = await storage.groups.add({ name: 'all', type: 1, memberIds: [1, 2, 3] });
  const said: Said[] = [];
  let chatting = true;
  const pairs = Array.from({ length: 40 * 39 }, (_, n) => [1 + Math.floor(n / 39), 1 + (n % 39)] as const);
  const talk = async () => {
    for (const [a, b] of pairs) {
      if (!chatting) return;
      const id = a === b ? groupConversation(group) : singleConversation(a, b);
      const senderId = a === b ? 1 : a;
      const msgType = b % 3 === 0 ? MSG_TYPE_SINGLE_AUDIO : MSG_TYPE_SINGLE_TEXT;
      said.push(await store(storage, id, senderId, encryptText(`from ${a} to ${b}`), msgType));
      if (a === b) await storage.groups.leave(group, [3]);
      if (a === b) await storage.groups.join(group, [3], await storage.messages.head(id));
      if (b % 5 === 0) await storage.conversations.hide(a, id);
    }
  };
  const talks = [talk(), talk(), talk()];
  await until(() => said.length > 100, 'messages to be stored');
  const before = said.length;
  const made = join(folder, 'two-shards');
  const taken = await runTool('backup', [made, '--database', url, '--master-key-file', keys, '--json']);
  chatting = false;
  await Promise.all(talks);
  t.equal(taken.code, 0, taken.stderr);
  t.match(JSON.parse(taken.stdout), { manifest: { databases: [{ name: 'meta' }, { name: 'shard-2' }] } });

  const other = () => freshDatabase(postgres).then((fresh) => new URL(fresh).pathname);
  const targets: Record<string, string[]> = {
    'all to one': [],
    'to three': ['a', 'b', 'c'],
    'to the same two': ['shard-1', 'shard-2'],
  };
  const copy = await openManifest(made, ringOf(key));
  for (const [name, names] of Object.entries(targets)) {
    const target = await freshDatabase(postgres);
    const shards = await Promise.all(names.map(async (name) => ({ name, url: await other() })));
    const options = { ...restoreOptions(target, ringOf(key)), shards };
    t.match(await restoreBackup(copy, options), { fsck: { whole: true }, reconciled: {} }, name);
    const map = await query<{ shard: string; buckets: number }>(
      target,
      'select shard, count(*)::int as buckets from meta.bucket group by shard order by shard',
    );
    const expected = { 'all to one': [256], 'to three': [86, 85, 85], 'to the same two': [128, 128] };
    t.strictSame(
      map.map((row) => row.buckets),
      expected[name as keyof typeof expected],
    );
    const there = await testStorage(target, key);
    for (const { id, msgId, body } of said.slice(0, before)) {
      const [found] = await there.messages.byIds(id, [msgId], 0, 1);
      if (!found?.body.equals(body)) t.fail(`${name}: message ${msgId} of ${id} is not there`);
    }
    const whole = await fsck({
      databaseUrl: target,
      masterKeys: ringOf(key),
      open: 1,
      digest: false,
      hear: () => undefined,
    });
    t.match(whole, { whole: true, findings: [] }, name);
    const next = await store(there, said[0]!.id, 1, encryptText('goes on'));
    t.equal(next.msgId, await there.messages.head(said[0]!.id), `${name}: it goes on`);
    t.equal(await there.groups.add({ name: 'another', type: 1, memberIds: [1] }), group + 1, 'ids of groups go on');
    await there.close();
  }
});

t.test('databases of slightly different moments are made to agree, by their heads', async (t) => {
  const key = randomBytes(32).toString('hex');
  const { url, storage } = await twoShards(t, key);
  const group = await storage.groups.add({ name: 'all', type: 1, memberIds: [1, 2] });
  const ids = [singleConversation(1, 2), singleConversation(3, 4), groupConversation(group)];
  for (const id of ids) await store(storage, id, id === ids[1] ? 3 : 1, encryptText('hello'));
  const clients = await ShardClients.open(url, 'test');
  t.teardown(() => clients.close());
  const check = () => fsck({ databaseUrl: url, open: 0, digest: false, hear: () => undefined });
  t.match(await check(), { whole: true });
  t.strictSame(await reconcile(clients), { joined: 0, hidden: 0, listed: 0 }, 'what agrees is left alone');
  const ofUser = (userId: number) => clients.ofBucket(userBucketOf(userId))!.client;
  await clients.meta.query('update meta.group_member set joined_msg_id = 7 where user_id = 2');
  await ofUser(3).query('delete from shard.user_conversation where user_id = 3');
  await ofUser(1).query('update shard.user_conversation set hidden_to = 9 where user_id = 1');
  t.match(await check(), { counts: { joined: 1, 'list-entry': 1, 'hidden-to': 1 } });
  t.strictSame(await reconcile(clients), { joined: 1, hidden: 1, listed: 1 });
  t.match(await check(), { whole: true });
  t.strictSame(await reconcile(clients), { joined: 0, hidden: 0, listed: 0 }, 'a second time changes nothing');
  await store(storage, ids[2]!, 1, encryptText('for all'));
  t.match(
    await storage.conversations.unread(2),
    [{ id: ids[2], unread: 1 }, {}],
    'who joined late hears of what comes',
  );
});

// ---- a large one -----------------------------------------------------------------------------------------------------

/** One conversation with many messages; under a data key that was destroyed, so that nobody expects them to open. */
async function fillWithMany(url: string, id: bigint): Promise<void> {
  await query(
    url,
    `with key as (insert into meta.data_key (bucket, epoch, master_key, wrapped, destroyed)
       select bucket, 0, master_key, null, now() from meta.data_key where bucket = $1 limit 1 returning id)
     insert into shard.message (bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed)
     select $1, $2, n, 1, 17, 1000 + n, key.id, decode(md5(n::text), 'hex'), decode(repeat(md5((-n)::text), 38), 'hex')
       from key, generate_series(1, $3::int) n`,
    [bucketOf(id), String(id), MANY],
  );
  await query(
    url,
    'insert into shard.conversation (bucket, id, head, head_time_ms) values ($1, $2, $3::int, 1000 + $3::int)',
    [bucketOf(id), String(id), MANY],
  );
}

t.test('however large it is: memory stays flat, and a restore that was cut off says so', async (t) => {
  const url = await freshDatabase(postgres);
  const key = randomBytes(32).toString('hex');
  const keys = await keyFile('many', key);
  const storage = await testStorage(url, key);
  await addPeople(storage, ['alice', 'bob']);
  const group = await storage.groups.add({ name: 'all', type: 1, memberIds: [1, 2] });
  await storage.close();
  const small = join(folder, 'small');
  const large = join(folder, 'large');
  const peaks: Record<string, number> = {};
  const make = async (name: string) => {
    const made = await runTool('backup', [name, '--database', url, '--master-key-file', keys, '--json']);
    t.equal(made.code, 0, made.stderr);
    return (JSON.parse(made.stdout) as { peakBytes: number }).peakBytes;
  };
  const restore = async (name: string, target: string, ...options: string[]) => {
    const done = await runTool('restore', [
      name,
      '--database',
      target,
      '--master-key-file',
      keys,
      '--json',
      ...options,
    ]);
    t.equal(done.code, 0, done.stderr + done.stdout);
    return JSON.parse(done.stdout) as { peakBytes: number; rows: number; bytes: number };
  };
  peaks.smallBackup = await make(small);
  await fillWithMany(url, groupConversation(group));
  const stopped = startTool('backup', [large, '--database', url, '--master-key-file', keys]);
  await until(async () => {
    const names = await readdir(`${large}.unfinished`).catch(() => []);
    const sizes = await Promise.all(
      names.map((name) => stat(join(`${large}.unfinished`, name)).then(({ size }) => size)),
    );
    return sizes.some((size) => size > 5_000_000);
  }, 'the backup to be in the middle');
  stopped.process.kill('SIGTERM');
  t.match(await stopped.ended, { code: 1, stderr: /backup: ended by SIGTERM/ });
  t.strictSame(
    (await readdir(folder)).filter((name) => name.startsWith('large')),
    [],
    'a stopped backup leaves nothing',
  );
  peaks.largeBackup = await make(large);
  peaks.smallRestore = (await restore(small, await freshDatabase(postgres))).peakBytes;

  const target = await freshDatabase(postgres);
  const cutOff = startTool('restore', [large, '--database', target, '--master-key-file', keys]);
  const watcher = new pg.Client(postgres.url);
  await watcher.connect();
  const sees = async (text: string) =>
    ((await watcher.query(text, [new URL(target).pathname.slice(1)])).rowCount ?? 0) > 0;
  const copying =
    "select from pg_stat_progress_copy where datname = $1 and command = 'COPY FROM' and bytes_processed > 1000000";
  await until(() => sees(copying), 'the restore to be in the middle');
  cutOff.process.kill('SIGKILL');
  t.match(await cutOff.ended, { signal: 'SIGKILL' });
  const alive = "select from pg_stat_activity where datname = $1 and application_name = 'teamtalk restore'";
  await until(async () => !(await sees(alive)), 'PostgreSQL to notice');
  await watcher.end();
  t.strictSame(
    await query(target, "select to_regclass('shard.message') as it"),
    [{ it: null }],
    'not one row is there',
  );
  const holds = /test_\w+ holds an unfinished restore of the backup of \d{4}-.* --again/;
  await t.rejects(migrate(target, 'shard', testLog('migrate')), { message: holds }, 'no server starts on it');
  await t.rejects(testStorage(target, key), { message: holds });
  await t.rejects(fsck({ databaseUrl: target, open: 0, digest: false, hear: () => undefined }), {
    message: /an unfinished restore of the backup of \d{4}-/,
  });
  await t.rejects(restoreBackup(await openManifest(large, ringOf(key)), restoreOptions(target, ringOf(key))), {
    message: /an unfinished restore of the backup of .*; --again empties it/,
  });
  const done = await restore(large, target, '--again');
  peaks.largeRestore = done.peakBytes;
  t.comment(`${done.rows} rows, ${done.bytes} bytes; peaks of memory ${JSON.stringify(peaks)}`);
  t.ok(done.rows > MANY && done.bytes > MANY * 600, 'it was large');
  const bound = done.bytes * 0.75; // had it been held anywhere, it would be all of it, and more
  t.ok(peaks.largeBackup! - peaks.smallBackup! < bound, 'a backup takes no more memory for more rows');
  t.ok(peaks.largeRestore - peaks.smallRestore! < bound, 'nor does a restore');
});
