/** Every statement of the daily business reaches its rows by an index, however large the tables are. */
import pg from 'pg';
import t from 'tap';
import { groupConversation, singleConversation } from '../../../common/conversation.js';
import { buddy, group, message } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { hashPassword } from '../../../servers/db-proxy/storage/passwords.js';
import { md5Hex, PASSWORD, TestCluster } from '../../support/cluster.js';
import { type Teardown, testPostgres } from '../../support/postgres.js';

const { MsgType, SessionType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = SessionType;
const { MSG_TYPE_SINGLE_TEXT: TEXT, MSG_TYPE_SINGLE_AUDIO: VOICE } = MsgType;

/** Tables that grow with people, conversations or messages. */
const LARGE = new Set([
  'message',
  'attachment',
  'conversation',
  'user_conversation',
  'group_read',
  'outbox',
  'users',
  'group_member',
  'groups',
  'login_failure',
  'device_token',
  'directory_sync',
]);
interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

const said = new Map<string, Statement>();

/** Notes every named statement that goes to PostgreSQL: those of the daily business have names. */
function listen(t: Teardown): void {
  const query = pg.Client.prototype.query as (...args: unknown[]) => unknown;
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const config = args[0] as Partial<Statement>;
    if (config.name !== undefined && config.text !== undefined)
      said.set(config.name, { name: config.name, text: config.text, values: config.values ?? [] });
    return query.apply(this, args);
  } as never;
  t.teardown(() => {
    pg.Client.prototype.query = query as never;
  });
}

t.test('statements of the daily business', async (t) => {
  const postgres = await testPostgres(t);
  listen(t);
  const cluster = await TestCluster.start(t, postgres, { groups: [{ name: 'all', memberIds: [1, 2, 3] }] });
  await grow(cluster);
  await aDayOfBusiness(cluster);
  const expected = [
    'message-append',
    ...['', '-effects'].flatMap((end) => ['', '-groups', '-attached'].map((kind) => `messages-append${kind}${end}`)),
    'conversations-make',
    'conversations-heads',
    'messages-by-send-id',
    'user-conversations-touch',
    'messages-page',
    'messages-by-ids',
    'head',
    'user-enters',
    'directory-synced-users',
    'directory-set-synced-users',
    'users-push-shielded',
  ];
  for (const name of expected) t.ok(said.has(name), `the day made use of ${name}`);
  t.ok(said.size > 20, `${said.size} statements`);

  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  await client.query('set plan_cache_mode = force_generic_plan'); // those that append always have such a plan, others after a while
  for (const statement of [...said.values()]) {
    const scans = [...nodesOf(await planOf(client, statement))].filter(isWholeLargeTable);
    const read = scans.map((node) => node['Relation Name']);
    t.same(read, [], `${statement.name} reads no large table whole`);
  }
  for (const conversation of [singleConversation(1, 2), groupConversation(1)])
    t.same(await wholeReads(client, conversation), [], 'and nor does the function that stores one message');
  await client.end();
});

/** What the plan of a statement does not show: the large tables that are read whole by the function that it calls. */
async function wholeReads(client: pg.Client, conversation: bigint): Promise<string[]> {
  const { text, values } = said.get('message-append')!;
  const { rows } = await client.query<{ bucket: number; head: number }>(
    'select bucket, head from shard.conversation where id = $1',
    [conversation],
  );
  const given = [...values];
  given[0] = rows[0]!.bucket;
  given[1] = conversation;
  given[2] = rows[0]!.head + 1;
  given[9] = Buffer.alloc(16, 'x');
  given[12] = conversation === groupConversation(1);
  await client.query('begin');
  const before = await readsOf(client);
  const { rows: stored } = await client.query<{ moved: boolean }>(text, given);
  if (!stored[0]!.moved) throw new Error('it has to get to the last of its statements');
  const after = await readsOf(client);
  await client.query('rollback');
  const [was, is] = [before, after].map((reads) => reads.get('conversation')!);
  if (is!.whole + is!.byIndex === was!.whole + was!.byIndex) throw new Error('what is read has to be counted');
  return [...LARGE].filter((table) => after.get(table)!.whole > before.get(table)!.whole);
}

/** How often this connection has read each table whole, and by an index. */
async function readsOf(client: pg.Client) {
  const { rows } = await client.query<{ relname: string; whole: string; reads: string }>(
    'select relname, seq_scan as whole, idx_scan as reads from pg_stat_xact_user_tables',
  );
  return new Map(rows.map((row) => [row.relname, { whole: Number(row.whole), byIndex: Number(row.reads) }]));
}

function isWholeLargeTable(node: Node): boolean {
  return node['Node Type'] === 'Seq Scan' && LARGE.has(String(node['Relation Name']));
}

type Node = Readonly<Record<string, unknown>>;

async function planOf(client: pg.Client, { text, values }: Statement): Promise<Node> {
  await client.query(`prepare looked_at as ${text}`);
  const args = values.length === 0 ? '' : `(${values.map(literal).join(', ')})`;
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
    `explain (format json) execute looked_at${args}`,
  );
  await client.query('deallocate looked_at');
  return rows[0]!['QUERY PLAN'][0].Plan;
}

function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const child of (node.Plans as Node[] | undefined) ?? []) yield* nodesOf(child);
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Buffer.isBuffer(value)) return `'\\x${value.toString('hex')}'`;
  if (Array.isArray(value))
    return pg.escapeLiteral(
      `{${value.map((each) => (Buffer.isBuffer(each) ? `"\\\\x${each.toString('hex')}"` : String(each))).join(',')}}`,
    );
  return pg.escapeLiteral(String(value));
}

/** Enough rows that reading a whole table would be a mistake. */
async function grow(cluster: TestCluster): Promise<void> {
  const passwordHash = await hashPassword(md5Hex(PASSWORD));
  await cluster.storage.users.add(Array.from({ length: 5_000 }, (_, i) => ({ name: `crowd-${i}`, passwordHash })));
  const admin = new pg.Client(cluster.databaseUrl);
  await admin.connect();
  await admin.query(`
    insert into shard.conversation (bucket, id, head) select n % 256, n, 20 from generate_series(1, 5000) n;
    insert into shard.message (bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed)
      select n % 256, n, m, 1, 1, m, 1, decode(lpad(to_hex(n * 100 + m), 32, '0'), 'hex'), '\\x00' from generate_series(1, 5000) n, generate_series(1, 20) m;
    insert into shard.attachment (bucket, conversation_id, msg_id, sealed) select bucket, conversation_id, msg_id, '\\x00' from shard.message;
    insert into shard.user_conversation (bucket, user_id, conversation_id) select n % 256, n % 5000, n from generate_series(1, 50000) n;
    insert into shard.group_read (bucket, conversation_id, user_id, read_id) select n % 256, n, n % 5000, 1 from generate_series(1, 20000) n;
    insert into shard.outbox (bucket, consumer, conversation_id, msg_id) select n % 256, 99, n, 1 from generate_series(1, 20000) n;
    insert into meta.groups (id, name, type, created) select n, 'g' || n, 1, 0 from generate_series(100, 15000) n;
    insert into meta.group_member (group_id, user_id, joined) select g, 10 + (g * 5 + k) % 4000, 0 from generate_series(100, 15000) g, generate_series(1, 5) k;
    insert into meta.directory_sync (user_id, class) select id, 2 from meta.users where name like 'crowd-%';
    insert into meta.login_failure (user_name, address) select 'crowd-' || n, '' from generate_series(1, 20000) n;`);
  await admin.query('analyze');
  await admin.end();
}

/** Everything that clients and consumers of the outbox do every day, once. */
async function aDayOfBusiness(cluster: TestCluster): Promise<void> {
  const { storage } = cluster;
  await storeTogether(storage, 'heard by nobody');
  const consumer = await storage.outbox.register('somebody');
  await storeTogether(storage, 'and by somebody');
  const [alice, bob] = [await cluster.login('alice'), await cluster.login('bob')];
  await alice.say(bob.userId, 'hello');
  await alice.sayGroup(1, 'hello all');
  for (const [type, id] of [
    [SINGLE, alice.userId],
    [GROUP, 1],
  ] as const) {
    await bob.history(type, id);
    await bob.messagesById(type, id, [1, 2]);
    await bob.latestId(type, id);
    bob.markRead(type, id, 1);
  }
  await bob.unread();
  await bob.recentSessions();
  await bob.removeSession(SINGLE, alice.userId);
  await bob.groups();
  await bob.usersInfo([1, 2, 3]);
  await bob.contacts();
  await bob.departments();
  await bob.ask(buddy.allUsers, { userId: 0, latestUpdateTime: 1 });
  await bob.recentSessions(1);
  const phone = await cluster.login('bob', { clientType: IM.BaseDefine.ClientType.CLIENT_TYPE_ANDROID });
  await phone.contacts();
  await phone.departments();
  await storage.quietHours.shielded([1, 2, 3], Date.now());
  await bob.ask(group.info, { userId: 0, groupVersionList: [{ groupId: 1, version: 0 }] });
  await bob.ask(message.time, {});
  await storage.conversations.changed(2, { hour: 0, after: undefined }, 100);
  await storage.messages.inRanges(
    await storage.conversations.storedSince([1, 2, 3], 1, { conversationId: 0n, msgId: 0 }, 100),
  );
  await storage.conversations.touch([1, 2], groupConversation(1));
  await storage.outbox.done(consumer, await storage.outbox.claim(consumer, 10, 1_000));
}

/** What a lane has statements of its own for: alone and together, with sound, to one and to many. */
async function storeTogether({ append }: TestCluster['storage'], named: string): Promise<void> {
  const draft = { conversationId: singleConversation(1, 2), senderId: 1, body: Buffer.from('0001 and sound') };
  for (const msgType of [TEXT, VOICE])
    for (const _ of [1, 2]) await append.store({ ...draft, msgType, sendId: Buffer.alloc(16, `${msgType} ${named}`) });
  for (const conversationId of [draft.conversationId, groupConversation(1)]) {
    const sendIds = [1, 2].map((n) => Buffer.alloc(16, `${n}${conversationId % 7n} ${named}`));
    const together = { ...draft, conversationId, msgType: TEXT };
    await Promise.all(sendIds.map((sendId) => append.store({ ...together, sendId })));
  }
}
