/**
 * A company moves: everything that an original TeamTalk has stored comes over as it was, numbered anew where it was
 * numbered badly, counted on both sides; and what cannot come over is told. From a real MariaDB and a real Redis.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import t, { type Test } from 'tap';
import { LoginRefused } from '../../common/client/client.js';
import { singleConversation } from '../../common/conversation.js';
import { group } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { decryptText } from '../../common/text-cipher.js';
import { fsck } from '../../servers/db-proxy/storage/fsck.js';
import { MasterKeyring } from '../../servers/db-proxy/storage/master-key.js';
import { Tally } from '../../tools/import-teamtalk/findings.js';
import { durationOf, Progress } from '../../tools/import-teamtalk/progress.js';
import { addressOf } from '../../tools/import-teamtalk/source.js';
import { cleaned } from '../../tools/import-teamtalk/texts.js';
import { freshDatabase, TestCluster, testStorage, until } from '../support/cluster.js';
import { testMariadb, whyNoMariadb } from '../support/mariadb.js';
import { OLD, oldTeamtalk } from '../support/old-teamtalk.js';
import { testPostgres } from '../support/postgres.js';
import { testRedis, whyNoRedis } from '../support/redis.js';
import { runTool, startTool, type Tool } from '../support/tool.js';

const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = IM.BaseDefine.SessionType;
const { MSG_TYPE_SINGLE_AUDIO, MSG_TYPE_GROUP_AUDIO } = IM.BaseDefine.MsgType;
const { GROUP_TYPE_TMP } = IM.BaseDefine.GroupType;
const PAGE = 200;

t.test('texts are made fit for PostgreSQL, and it is said what was done', async (t) => {
  t.same(cleaned(Buffer.from('你好 👋')), { text: '你好 👋', why: undefined });
  t.same(cleaned(Buffer.from([0x61, 0xff, 0x62])), { text: 'a\ufffdb', why: 'invalid UTF-8' });
  t.same(cleaned(Buffer.from('a\0b')), { text: 'ab', why: 'NUL characters' });
  t.same(cleaned(Buffer.from('👋👋👋'), 2).text, '👋👋', 'cut between characters, not inside one');
  t.same(cleaned(Buffer.from('bob  '), 5, { trim: true }), { text: 'bob', why: 'blanks at the end' });
});

t.test('a source is named by a URL, and a wrong one is refused', async (t) => {
  const address = { host: 'db', port: 3307, user: 'tt', password: 'p@ss', database: 'teamtalk' };
  t.same(addressOf('mysql://tt:p%40ss@db:3307/teamtalk'), address);
  t.equal(addressOf('mariadb://tt@[::1]/x').host, '::1');
  for (const wrong of ['db', 'http://db/teamtalk', 'mysql://db', 'mysql://db/'])
    t.throws(() => addressOf(wrong), /expected/);
});

t.test('the progress is a bar on a terminal and plain lines elsewhere', async (t) => {
  const drawn = (isTTY: boolean) => {
    const said: string[] = [];
    const progress = new Progress({ isTTY, write: (text: string) => said.push(text) }, 1_000);
    progress.phase('people');
    progress.skip(250);
    progress.add(250);
    progress.end();
    return said.join('');
  };
  t.ok(drawn(true).includes('\r\x1b[K'));
  t.match(drawn(true), /\[##########\.{10}\] {2}50 % {2}500 of 1,000 rows/);
  t.match(drawn(false), /\[##########\.{10}\] {2}50 % {2}500 of 1,000 rows\n$/);
  t.notOk(drawn(false).includes('\r') || drawn(false).includes('\x1b'));
  t.same([41.2, 200, 7_500].map(durationOf), ['42 s', '3 min 20 s', '2 h 5 min']);
});

t.test('findings add up the same from whatever portions', async (t) => {
  const [whole, sum] = [new Tally(), new Tally()];
  for (let n = 0; n < 20; n++) {
    const part = Tally.of(JSON.parse(JSON.stringify(new Tally().state)));
    for (const tally of [whole, part]) {
      tally.leftOut('IMMessage_1', 'message-empty', `row ${n}`);
      tally.stored('IMMessage_1', n);
    }
    sum.join(part);
  }
  t.same(sum.state, whole.state);
  t.equal(sum.count('message-empty'), 20);
  t.same(sum.table('IMMessage_1'), { stored: 190, leftOut: 20 });
  t.equal(sum.examples('message-empty').length, 6, 'five to show, and one to know of more');
});

const why = (await whyNoMariadb()) ?? (await whyNoRedis());
if (why === undefined) await withServers();
else t.test('taking over a database', { skip: why }, async () => undefined);

async function withServers() {
  const [postgres, mariadb, redis] = [await testPostgres(t), await testMariadb(t), await testRedis(t)];
  const folder = await mkdtemp(join(tmpdir(), `teamtalk-test-pg-${process.pid}-import-`)); // swept up like the others
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const old = await oldTeamtalk(mariadb);
  const from = ['--from', mariadb.url(old)];
  const voiceDir = ['--voice-dir', join(folder, 'store')];
  await fillStore(join(folder, 'store'));
  await fillRedis();

  /** An empty database, and what a tool needs to work on it. */
  async function target() {
    const databaseUrl = await freshDatabase(postgres);
    const masterKey = randomBytes(32).toString('hex');
    return {
      databaseUrl,
      masterKey,
      env: { TT_DB_PROXY_DATABASE_URL: databaseUrl, TT_DB_PROXY_MASTER_KEY: masterKey },
    };
  }
  type Target = Awaited<ReturnType<typeof target>>;

  async function fillStore(store: string): Promise<void> {
    for (const [path, bytes] of [...Object.entries(OLD.files), ['g0/000/000/empty.spx', ''] as const]) {
      await mkdir(dirname(join(store, path)), { recursive: true });
      await writeFile(join(store, path), bytes);
    }
  }

  async function fillRedis(): Promise<void> {
    const set = async (db: number, key: string, fields: Record<string, string | number>) => {
      await redis.ask(
        'EVAL',
        `redis.call('select', ${db}); return redis.call('hset', KEYS[1], unpack(ARGV))`,
        1,
        key,
        ...Object.entries(fields).flat(),
      );
    };
    const text = (db: number, key: string, value: string) =>
      redis.ask('EVAL', `redis.call('select', ${db}); return redis.call('set', KEYS[1], ARGV[1])`, 1, key, value);
    await set(1, 'unread_1', { 2: 1, 3: 1, 5: 3 }); // carol's one message was before alice's own
    await set(1, 'unread_4', { 5: 2 });
    await set(1, '1_im_group_msg', { count: 7 });
    await set(1, '1_1_im_user_group', { count: 5 });
    await set(1, '2_1_im_user_group', { count: 7 });
    await set(1, '4_1_im_user_group', { count: 7 });
    await set(2, 'group_set_1', { '4_1': 1, '1_1': 0 });
    await text(4, 'device_1', `ios:${'a'.repeat(64)}`);
    await text(4, `device_${'a'.repeat(64)}`, '1');
    await text(4, 'device_2', `android:${'a'.repeat(64)}`); // alice has that phone now
    await text(4, 'device_4', 'pigeon:x');
    const { start } = OLD;
    await set(5, 'group_member_1', { 1: start, 4: start, 5: start + 50, 6: start + 51 }); // bob by rows only, bob#6 by Redis only
    await set(5, 'group_member_6', { 1: start, 2: start + 500, 4: start + 1_000_000 });
    await text(1, 'unread_5', 'of the wrong type');
  }

  const withAll = [...from, ...voiceDir, '--redis', redis.url, '--portion', '500'];

  t.test('a dry run reads everything, tells each kind of thing, and writes nothing', async (t) => {
    const { databaseUrl, env } = await target();
    const { code, stdout, stderr } = await runTool('import-teamtalk', [...from, '--dry-run', '--portion', '500'], env);
    t.equal(code, 0, stderr);
    for (const line of EXPECTED_FINDINGS) t.match(stdout, line);
    t.match(stdout, /messages between two {2,}2,786 {2,}2,774 {2,}12\n/);
    t.match(stdout, /messages in groups {2,}2,112 {2,}2,109 {2,}3\n/);
    t.match(stdout, /Nothing was written/);
    t.notOk(stderr.includes('\x1b'), 'no control characters where no terminal is');
    const client = await connected(t, databaseUrl);
    const { rows } = await client.query(`select nspname from pg_namespace where nspname in ('meta', 'shard')`);
    t.same(rows, [], 'not even the schema');
  });

  /** What an import in one go has told and stored. */
  let reference: { readonly report: string[]; readonly content: Awaited<ReturnType<typeof contentOf>> } | undefined;

  t.test('into a running cluster, with Redis and voices', async (t) => {
    const cluster = await TestCluster.start(t, postgres, { users: [] });
    const env = { TT_DB_PROXY_DATABASE_URL: cluster.databaseUrl, TT_DB_PROXY_MASTER_KEY: cluster.masterKey };
    const findings = join(folder, 'findings');
    const { code, stdout, stderr } = await runTool('import-teamtalk', [...withAll, '--findings', findings], env);
    t.equal(code, 0, stdout + stderr);
    t.match(stdout, /Everything is there/);
    reference = { report: withoutPace(stdout), content: await contentOf(t, cluster) };
    t.match(await readFile(findings, 'utf8'), /neither of the two\tIMMessage_1, row \d+: sender 5/);

    const { whole } = await fsck({
      databaseUrl: cluster.databaseUrl,
      open: 1,
      masterKeys: MasterKeyring.of(Buffer.from(cluster.masterKey, 'hex')),
      digest: false,
      hear: () => undefined,
    });
    t.ok(whole, 'all of it agrees, and every message opens');
    await passwords(t, cluster);
    const alice = await cluster.login('alice', { password: OLD.passwords.alice });
    const bob = await cluster.login('bob', { password: OLD.passwords.bob });
    const dave = await cluster.login('dave', { password: OLD.passwords.dave });
    await people(t, alice);
    await listsAndUnread(t, { alice, bob, dave });
    await histories(t, { alice, bob, dave });
    await goesOn(t, { alice, bob, dave });
    const again = await runTool('import-teamtalk', withAll, env);
    t.equal(again.code, 0, 'a finished import is not begun again');
    t.match(again.stdout, /finished already/);
  });

  t.test('killed anywhere and gone on with, it comes to the same', { timeout: 120_000 }, async (t) => {
    const killed = await target();
    const storage = await testStorage(killed.databaseUrl, killed.masterKey); // makes the schema
    await storage.close();
    const client = await connected(t, killed.databaseUrl);
    const places: readonly (readonly [what: string, hold: string])[] = [
      ['before the first message', 'lock table shard.message in share mode'],
      ['messages stored, and that not noted', `lock table meta.import_progress in exclusive mode`],
      ['in the middle of a large conversation', 'select pg_advisory_lock(42)'],
      ['between the messages and the read positions of groups', 'lock table shard.group_read in share mode'],
      ['among the people', 'lock table meta.users in share mode'],
    ];
    await client.query(HOLD_LARGE);
    for (const [what, hold] of places) {
      await client.query('begin');
      await client.query(hold);
      const tool = startTool('import-teamtalk', withAll, killed.env);
      const { waits, ended } = await waiting(tool, killed.databaseUrl);
      t.ok(waits, `killed ${what}${ended ? `: ${tool.said.stderr}${tool.said.stdout}` : ''}`);
      tool.process.kill('SIGKILL');
      await tool.ended;
      await client.query('rollback');
      await client.query('select pg_advisory_unlock_all()');
      const { rows } = await client.query('select count(*)::int as users from meta.users');
      t.same(rows, [{ users: 0 }], 'nobody can log in to a part of it');
    }
    const last = await runTool('import-teamtalk', withAll, killed.env);
    t.equal(last.code, 0, last.stderr);
    t.match(last.stderr, /going on where it was cut off/);
    t.same(withoutPace(last.stdout), reference?.report, 'the report speaks of all of it');
    t.same(await contentOf(t, killed), reference?.content);
  });

  t.test('a dump comes to the same as the database, and without Redis everything is read', async (t) => {
    const asked: string[] = [];
    const store = createServer((request, response) => {
      asked.push(request.url!);
      const file = Object.entries(OLD.files).find(([path]) => request.url!.endsWith(`/${path.replace('g0/', '')}`));
      const isFirst = asked.filter((url) => url === request.url).length === 1;
      response.writeHead(isFirst ? 503 : file === undefined ? 404 : 200).end(isFirst ? '' : file?.[1]);
    });
    await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
    t.teardown(() => store.close());
    const base = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;

    const [live, dumped] = [await target(), await target()];
    const silent = await runTool('import-teamtalk', [...from, '--voice-url', 'http://127.0.0.1:9/'], live.env);
    t.equal(silent.code, 69, 'a store that does not answer is no store without files');
    t.match(silent.stderr, /no answer from http:\/\/127.0.0.1:9\/g0\/000\/000\//);
    const one = await runTool('import-teamtalk', [...from, '--voice-url', base], live.env);
    t.equal(one.code, 0, one.stderr);
    t.match(one.stdout, /452 {2}voice messages brought over with their sound/, 'one failure is not the end');
    t.ok(asked.includes('/g0/000/000/a.spx'));
    t.notMatch(asked.join(), /passwd/, 'nothing outside of the store is asked for');

    const file = join(folder, 'old.sql.gz');
    // As MySQL 8 writes it; what people have said stays as it is.
    const sql = (await dump(old)).replaceAll('COLLATE=utf8mb4_bin', 'COLLATE=utf8mb4_0900_ai_ci');
    t.match(sql, /CREATE TABLE `IMUser`[^;]*COLLATE=utf8mb4_0900_ai_ci/);
    await writeFile(file, gzipSync(Buffer.from(sql, 'latin1')));
    const two = await runTool('import-teamtalk', ['--dump', file, '--voice-url', base], dumped.env);
    t.equal(two.code, 0, two.stderr);
    const content = await contentOf(t, dumped);
    t.same(content, await contentOf(t, live));
    const voices = content.messages.filter(({ type }) => type === MSG_TYPE_SINGLE_AUDIO).map(({ body }) => body);
    const sound = Buffer.concat([Buffer.from([0, 0, 0, 3]), OLD.files['000/000/a.spx']]).toString('base64');
    t.same(voices, Array(1 + OLD.voices).fill(sound));
    t.equal(content.attachments.length, 452, 'all sounds lie beside their messages');
    const positions = content.conversations.filter((each) => BigInt(each.id as string) < 1n << 62n);
    t.equal(positions.length, 7);
    for (const { head, low_read: low, high_read: high } of positions) t.same([low, high], [head, head]);
  });

  async function dump(database: string): Promise<string> {
    const file = join(dirname(mariadb.files.client), 'mariadb-dump');
    const where = ['--no-defaults', '--protocol=tcp', '--host=127.0.0.1', `--port=${mariadb.port}`];
    const env = { ...process.env, MYSQL_PWD: mariadb.password };
    const options = { env, maxBuffer: 2 ** 28, encoding: 'latin1' } as const;
    const { stdout } = await promisify(execFile)(
      file,
      [...where, `--user=${mariadb.user}`, '--hex-blob', database],
      options,
    );
    return stdout;
  }

  t.test('what is not right is refused, and nothing is written', async (t) => {
    const used = await target();
    const storage = await testStorage(used.databaseUrl, used.masterKey);
    await storage.users.add([{ name: 'somebody', passwordHash: 'x' }]);
    await storage.close();
    const busy = await target();
    await (await connected(t, busy.databaseUrl)).query(`select pg_advisory_lock(${0x7465_696d})`);
    const cases: readonly (readonly [
      what: string,
      args: readonly string[],
      env: Record<string, string>,
      code: number,
      words: RegExp,
    ])[] = [
      ['a used target', from, used.env, 78, /not empty: it has 1 users/],
      ['no source', [], used.env, 78, /where from/],
      ['two sources', [...from, '--dump', 'x.sql'], used.env, 1, /cannot be used with/],
      ['a source that is not there', ['--from', 'mysql://a:b@127.0.0.1:9/x'], used.env, 69, /the TeamTalk database/],
      ['a source that is none', ['--from', mariadb.url('mysql')], used.env, 69, /no TeamTalk database/],
      ['a dump that is not there', ['--dump', join(folder, 'none.sql')], used.env, 69, /ENOENT/],
      ['a Redis that is not there', [...from, '--redis', 'redis://127.0.0.1:9'], used.env, 69, /Redis/],
      ['a target at which another import is', from, busy.env, 78, /another import into this database is running/],
      ['findings that cannot be written', [...from, '--findings', folder], used.env, 78, /--findings/],
      ['no target', from, { TT_DB_PROXY_MASTER_KEY: used.masterKey }, 78, /which database/],
    ];
    const ends = await Promise.all(cases.map(([, args, env]) => runTool('import-teamtalk', args, env)));
    for (const [n, [what, , , code, words]] of cases.entries()) {
      t.equal(ends[n]!.code, code, `${what}: ${ends[n]!.stderr}`);
      t.match(ends[n]!.stderr, words);
    }
  });

  t.test('an import goes on with the same source and options only', async (t) => {
    const { databaseUrl, env } = await target();
    const other = await oldTeamtalk(mariadb);
    await (await testStorage(databaseUrl, env.TT_DB_PROXY_MASTER_KEY)).close();
    const client = await connected(t, databaseUrl);
    await client.query('begin');
    await client.query('lock table shard.message in share mode');
    const tool = startTool('import-teamtalk', ['--from', mariadb.url(other)], env);
    t.ok((await waiting(tool, databaseUrl)).waits);
    await mariadb.ask(
      `insert into ${other}.IMMessage_4 (relateId, fromId, toId, msgId, content) values (12, 4, 5, 6, 'xxxx')`,
    );
    await client.query('rollback');
    const { code, stderr } = await tool.ended;
    t.equal(code, 69, 'it saw that the source was written to');
    t.match(stderr, /was written to while it was read/);
    for (const [args, words] of [
      [['--from', mariadb.url(other)], /another source, or the source has changed/],
      [from, /begun with neither Redis nor voices, now it is given voices/],
    ] as const) {
      const wrong = await runTool('import-teamtalk', [...args, ...(args === from ? voiceDir : [])], env);
      t.equal(wrong.code, 78);
      t.match(wrong.stderr, words);
    }
  });

  t.test('counts that differ are told, and nobody can log in', async (t) => {
    const { databaseUrl, masterKey, env } = await target();
    await (await testStorage(databaseUrl, masterKey)).close();
    const client = await connected(t, databaseUrl);
    await client.query(LOSE_ONE);
    const { code, stdout } = await runTool('import-teamtalk', from, env);
    t.equal(code, 1);
    t.match(stdout, /COUNTS DIFFER; nobody can log in/);
    t.match(stdout, /messages of users 4 and 5: 5 expected, 4 found/);
    t.match(stdout, /messages written: \d+ expected, \d+ found/);
    const { rows } = await client.query('select count(*)::int as users from meta.users');
    t.same(rows, [{ users: 0 }]);
  });

  // ------------------------------------------------------------------------------------------------- what was brought

  type Client = Awaited<ReturnType<TestCluster['login']>>;
  interface Clients {
    readonly alice: Client;
    readonly bob: Client;
    readonly dave: Client;
  }

  async function passwords(t: Test, cluster: TestCluster): Promise<void> {
    const hashes = async () => {
      const client = new pg.Client(cluster.databaseUrl);
      await client.connect();
      const { rows } = await client.query<{ name: string; hash: string }>(
        'select name, password_hash as hash from meta.users',
      );
      await client.end();
      return new Map(rows.map(({ name, hash }) => [name, hash]));
    };
    for (const [name, password] of Object.entries(OLD.passwords)) {
      t.match((await hashes()).get(name), /^teamtalk-md5\$/, `${name} has not come yet`);
      await t.rejects(cluster.login(name, { password: `${password}x` }), LoginRefused);
      t.match((await hashes()).get(name), /^teamtalk-md5\$/, 'a wrong password changes nothing');
      (await cluster.login(name, { password })).close();
      t.match((await hashes()).get(name), /^\$argon2id\$/);
      (await cluster.login(name, { password })).close();
      await t.rejects(cluster.login(name, { password: `${password}x` }), LoginRefused);
    }
    for (const [name, password] of [
      ['carol', 'gone'],
      ['heidi', 'in clear'],
      ['judy', 'x'],
    ] as const)
      await t.rejects(cluster.login(name, { password }), LoginRefused, name);
    t.match((await hashes()).get('user-7'), /^teamtalk-md5\$x\$/);
  }

  async function people(t: Test, alice: Client): Promise<void> {
    const contacts = new Map((await alice.contacts()).map((each) => [each.userId, each]));
    t.same(
      [...contacts.keys()].sort((a, b) => a - b),
      [1, 2, 4, 5, 6, 7, 8, 9, 10],
      'who has left is not listed',
    );
    const eve = { userRealName: 'eve', userNickName: '伊芙', signInfo: '你好', departmentId: 2, userTel: '13800005' };
    t.match(contacts.get(5), eve);
    t.match(contacts.get(8), { userNickName: 'G\ufffd\ufffd!', signInfo: 'ab' });
    t.equal(contacts.get(10)!.userRealName, 'i'.repeat(64));
    const departments = (await alice.departments()).map((each) => [
      each.deptId,
      each.deptName,
      each.parentDeptId,
      each.deptStatus,
    ]);
    const expected = [
      ...[
        [1, '公司', 0, 0],
        [2, 'Sales', 1, 0],
        [3, 'Closed', 1, 1],
        [4, 'Lost', 99, 0],
        [5, 'department 5', 1, 0],
      ],
    ];
    t.same(departments, expected);
  }

  async function listsAndUnread(t: Test, { alice, bob, dave }: Clients): Promise<void> {
    const listed = async (client: Client) =>
      (await client.recentSessions())
        .map((each) => `${each.sessionType === SESSION_TYPE_GROUP ? 'group' : 'user'} ${each.sessionId}`)
        .sort();
    t.same(
      await listed(alice),
      ['group 1', 'group 4', 'group 6', 'user 2', 'user 3', 'user 4', 'user 5'].filter((each) => each !== 'group 4'),
    );
    t.same(
      await listed(bob),
      ['group 2', 'group 6', 'user 4', 'user 5'],
      'he has removed alice, and is not in group 1 by Redis',
    );
    t.same(
      await listed(dave),
      ['group 2', 'user 1', 'user 2', 'user 5'],
      'nothing in group 6 since he joined, group 1 removed',
    );
    const unread = async (client: Client) =>
      (await client.unread()).list.map((each) => [each.sessionType, each.sessionId, each.unreadCnt]).sort();
    t.same(
      await unread(alice),
      [
        [SESSION_TYPE_SINGLE, 2, 1],
        [SESSION_TYPE_SINGLE, 5, 1],
      ],
      'carol: alice has answered; eve: two of three were before her own; group 1: hers is the last',
    );
    t.same(await unread(bob), []);
    t.same(await unread(dave), [[SESSION_TYPE_SINGLE, 5, 1]]);
  }

  async function histories(t: Test, { alice, bob, dave }: Clients): Promise<void> {
    const texts = async (client: Client, type: number, id: number) =>
      (await historyOf(client, type, id)).map(({ msgId, fromUserId, text }) => [msgId, fromUserId, text]);
    const merged = [
      [1, 1, 'hi bob'],
      [2, 2, 'hi alice'],
      [3, 1, 'one'],
      [4, 1, 'one again'],
      [5, 2, 'from a third relation'],
      [6, 1, 'after a gap'],
      [7, 2, 'end'],
    ];
    t.same(await texts(alice, SESSION_TYPE_SINGLE, 2), merged);
    t.same(await texts(bob, SESSION_TYPE_SINGLE, 1), merged, 'the same for both, removed or not');
    t.same(await texts(alice, SESSION_TYPE_SINGLE, 3), [
      [1, 3, 'goodbye'],
      [2, 1, undefined],
      [3, 1, 'of the kind of groups'],
    ]);
    t.same(await texts(alice, SESSION_TYPE_SINGLE, 4), [
      [1, 1, 'kept though removed'],
      [2, 4, 'from the future'],
    ]);
    t.same(await texts(alice, SESSION_TYPE_GROUP, 1), [
      [1, 1, 'welcome'],
      [2, 3, 'I am leaving'],
      [3, 2, undefined],
      [4, 4, 'in the second of joining'],
      [5, 2, 'after joining'],
      [6, 1, '[语音]'],
    ]);
    const [, , voice] = await historyOf(alice, SESSION_TYPE_GROUP, 1);
    t.match(voice, { msgType: MSG_TYPE_GROUP_AUDIO, createTime: OLD.start + 5 });
    t.same(Buffer.from(voice!.data), Buffer.concat([Buffer.from([0, 0, 0, 6]), OLD.files['g0/000/001/b.spx']]));
    const voices = await historyOf(dave, SESSION_TYPE_SINGLE, 2);
    t.same(
      voices.map(({ text }) => text),
      [undefined, '[语音]', '[语音]', '[语音]', 'that was voice'],
    );
    t.same(Buffer.from(voices[0]!.data), Buffer.concat([Buffer.from([0, 0, 0, 3]), OLD.files['000/000/a.spx']]));
    const all = await historyOf(bob, SESSION_TYPE_SINGLE, 5);
    t.same(
      all.map(({ msgId, msgType, data }) => [msgId, msgType, data.length]),
      Array.from({ length: OLD.voices }, (_, n) => [n + 1, MSG_TYPE_SINGLE_AUDIO, voices[0]!.data.length]),
    );
    const large = await historyOf(alice, SESSION_TYPE_SINGLE, 5);
    const expected = Array.from({ length: OLD.largePair }, (_, n) => [n + 1, `large ${n + 1}`, OLD.start + n + 1]);
    t.same(
      large.map(({ msgId, text, createTime }) => [msgId, text, createTime]),
      expected,
    );
    const crowd = await historyOf(bob, SESSION_TYPE_GROUP, 6);
    t.equal(crowd.length, OLD.largeGroup - 499, 'from the second of his joining on');
    t.match([crowd[0], crowd.at(-1)], [{ msgId: 500, text: 'crowd 500' }, { msgId: OLD.largeGroup }]);
    t.same(await historyOf(dave, SESSION_TYPE_GROUP, 6), [], 'joined after all of it');
    t.same(await historyOf(bob, SESSION_TYPE_GROUP, 1), [], 'no member');
  }

  async function goesOn(t: Test, { alice, bob, dave }: Clients): Promise<void> {
    t.equal((await alice.say(2, 'here now')).msgId, 8);
    t.match(await bob.heard(), { msgId: 8, text: 'here now' });
    t.match(
      (await bob.recentSessions()).map(({ sessionId }) => sessionId),
      [1, /./],
      'back on the list',
    );
    t.equal((await bob.unread()).list.find((each) => each.sessionId === 1)?.unreadCnt, 1);
    t.equal((await dave.sayGroup(6, 'me too')).msgId, OLD.largeGroup + 1);
    t.same(
      (await historyOf(dave, SESSION_TYPE_GROUP, 6)).map(({ text }) => text),
      ['me too'],
    );
    const time = (await historyOf(alice, SESSION_TYPE_SINGLE, 4)).at(-1)!.createTime;
    t.ok(time > Date.now() / 1000 - 600 && time <= Date.now() / 1000, 'no message is from the future');
    const newGroup = { userId: 1, groupType: GROUP_TYPE_TMP, groupName: 'new', groupAvatar: '', memberIdList: [1, 2] };
    t.equal((await alice.ask(group.create, newGroup)).groupId, 7, 'ids go on behind the old ones');
  }

  async function historyOf(client: Client, type: IM.BaseDefine.SessionType, id: number) {
    const all = [];
    for (let begin = await client.latestId(type, id); begin > 0; ) {
      const page = await client.history(type, id, begin, PAGE);
      if (page.length === 0) break;
      all.push(...page);
      begin = page.at(-1)!.msgId - 1;
    }
    return all.reverse();
  }

  /** Everything that was brought over, as it is when opened, but for what every import makes anew: keys, stamps. */
  async function contentOf(t: Test, { databaseUrl, masterKey }: Pick<Target, 'databaseUrl' | 'masterKey'>) {
    const storage = await testStorage(databaseUrl, masterKey);
    const client = new pg.Client(databaseUrl);
    await client.connect();
    try {
      const rows = async (sql: string) => (await client.query<Record<string, unknown>>(sql)).rows;
      const recentMs = Date.now() - 600_000;
      const time = (column: string) =>
        `case when ${column} > ${recentMs} then 'import' else ${column}::text end as time`;
      const conversations = await rows(
        `select id, head, low_read, high_read, ${time('head_time_ms')} from shard.conversation order by id`,
      );
      const messages = [];
      for (const { id, head } of conversations as { id: string; head: number }[]) {
        const page = await storage.messages.page(BigInt(id), 0, 0, head + 1);
        for (const { msgId, senderId, msgType: type, createTimeMs, body } of page.reverse()) {
          const ms = createTimeMs > recentMs ? 'import' : createTimeMs;
          messages.push({ id, msgId, senderId, type, ms, body: body.toString('base64'), text: decryptText(body) });
        }
      }
      t.ok(messages.length > 4_000);
      return {
        conversations,
        messages,
        sendIds: await rows(`select conversation_id, msg_id, encode(send_id, 'hex') from shard.message order by 1, 2`),
        attachments: await rows('select conversation_id, msg_id, length(sealed) from shard.attachment order by 1, 2'),
        reads: await rows('select conversation_id, user_id, read_id from shard.group_read order by 1, 2'),
        lists: await rows(
          `select user_id, conversation_id, hidden_to, case when active > ${recentMs} / 3600000 - 1 then 0 else active end as active
             from shard.user_conversation order by 1, 2`,
        ),
        departments: await rows('select id, name, priority, parent_id, status from meta.department order by id'),
        users: await rows(
          `select id, name, nick, domain, sex, phone, email, avatar, department_id, status, sign_info, push_shield, password_hash, created
             from meta.users order by id`,
        ),
        groups: await rows('select * from meta.groups order by id'),
        members: await rows('select * from meta.group_member order by 1, 2'),
        tokens: await rows('select user_id, class, client_type, token from meta.device_token order by 1'),
        staged: await rows('select * from meta.import_member'),
      };
    } finally {
      await client.end();
      await storage.close();
    }
  }
}

async function connected(t: Test, databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

/** Until the tool waits for a lock, or has ended. */
async function waiting(tool: Tool, databaseUrl: string): Promise<{ waits: boolean; ended: boolean }> {
  let [waits, ended] = [false, false];
  void tool.ended.then(() => {
    ended = true;
  });
  // Not the one that holds the lock: within a transaction everybody is seen as at first sight.
  const client = new pg.Client(databaseUrl);
  await client.connect();
  const isWaiting = async () => {
    const { rows } = await client.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    waits = rows[0]!.n > 0;
    return waits || ended;
  };
  try {
    await until(isWaiting, 'the tool to wait for a lock', 30_000);
  } finally {
    await client.end();
  }
  return { waits, ended };
}

function withoutPace(report: string): string[] {
  return report.split('\n').map((line) => line.replace(/\. [\d,]+ rows in .*/, ''));
}

/** Stops the import of a large conversation in its middle while somebody holds the lock 42. */
const HOLD_LARGE = `
  create function public.hold() returns trigger language plpgsql as $$
  begin
    if new.id = ${singleConversation(1, 5)} and new.head > 1200 then perform pg_advisory_xact_lock_shared(42); end if;
    return new;
  end $$;
  create trigger hold before update on shard.conversation for each row execute function public.hold()`;

/** A message gets lost without anybody being told. */
const LOSE_ONE = `
  create function public.lose() returns trigger language plpgsql as $$
  begin
    return case when new.conversation_id = ${singleConversation(4, 5)} and new.msg_id = 3 then null else new end;
  end $$;
  create trigger lose before insert on shard.message for each row execute function public.lose()`;

const EXPECTED_FINDINGS = [
  /1 {2}department names changed\n +department 5: empty/,
  /1 {2}departments below one that does not exist.*\n +department 4: 99/,
  /2 {2}users left out: an id of 0 or of 2\^30 .*\n +user 1073741824, "big"/,
  /3 {2}login names changed\n/,
  /user 10: 70 characters, 64 are allowed/,
  /1 {2}login names changed: somebody else has the same\n +user 6 "bob" logs in as "bob#6"/,
  /2 {2}other texts of users changed\n +user 8, nick: invalid UTF-8\n +user 8, signature: NUL characters/,
  /1 {2}users who have left/,
  /1 {2}users with status 1, 2 or 4.*\n +user 4: status 1/,
  /1 {2}users with an unknown status.*\n +user 11: 9/,
  /1 {2}users without a usable password.*\n +user 9/,
  /1 {2}users in a department that does not exist.*\n +user 10: 77/,
  /1 {2}names and avatars of groups changed\n +group 4: no name/,
  /1 {2}groups of an unknown type.*\n +group 4: 9/,
  /1 {2}groups that were deleted: kept as deleted\n +group 3/,
  /1 {2}groups made by somebody unknown.*\n +group 4: 777/,
  /1 {2}membership rows left out: the user has left/,
  /1 {2}membership rows left out: another row says the same\n +group 1, user 2/,
  /1 {2}membership rows left out: the user is not brought over\n +group 1, user 777/,
  /1 {2}membership rows left out: there is no such group/,
  /1 {2}relations of users with themselves, left out\n +users 2 and 2/,
  /2 {2}pairs left out.*\n +users 1 and 777: 2 messages\n +users 1 and 1073741824: 1 messages/,
  /2 {2}conversations put together from several relation ids\n +users 1 and 2: relations 1, 9, 10\n +users 1 and 5: relations 13, 14, 21/,
  /1 {2}relations marked as removed, brought over\n +users 1 and 4/,
  /2 {2}conversations with new message numbers\n +users 1 and 2: 7 messages, 6 under a new number \(several relations, doubled numbers, .*deleted messages, .*\)/,
  /group 1: 6 messages, 4 under a new number \(.*deleted messages, messages left out\)/,
  /3 {2}relation or group ids of messages in the wrong table/,
  /3 {2}messages left out: deleted\n/,
  /4 {2}messages left out: in the wrong table/,
  /3 {2}messages left out: between users of whom one is not brought over/,
  /1 {2}messages left out: the sender is not brought over\n +IMGroupMessage_1, row \d+: sender 777/,
  /1 {2}messages left out: the sender is neither of the two\n +IMMessage_1, row \d+: sender 5/,
  /2 {2}messages left out: empty/,
  /1 {2}messages left out: an unknown type/,
  /2 {2}messages with a type of the other kind of conversation/,
  /1 {2}texts that cannot be decrypted/,
  /1 {2}messages from the future/,
  /456 {2}voice messages kept as the text \[语音\]: no voice store was given/,
  /2 {2}conversations removed from the lists/,
  /2 {2}removed conversations without messages/,
  /1 {2}session rows of an unknown type/,
  /all messages count as read/,
  /1 {2}rows of tables that are not brought over\n +IMAdmin: 1/,
];
