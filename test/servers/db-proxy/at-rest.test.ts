/**
 * Nobody who gets hold of what PostgreSQL has written finds a message in it: neither in a dump of any of the databases, nor
 * in its files (tables, indexes, write-ahead log, log), in none of the forms in which a message travels.
 */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { bucketOf, groupConversation, singleConversation } from '../../../common/conversation.js';
import { IM } from '../../../common/pdu/pb.js';
import { encryptText } from '../../../common/text-cipher.js';
import { moveBucket } from '../../../servers/db-proxy/storage/move.js';
import { addShard } from '../../../servers/db-proxy/storage/shard-admin.js';
import { freshDatabase, TestCluster } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';

const WORDS = ['to one, before the move', 'to one, after it', 'to a group', 'ten times over '.repeat(10)].map(
  (text) => `The heron on the third pole, ${text}, of ${randomBytes(4).toString('hex')} and all of its feathers`,
);
/** Shown in every list of conversations, so it must be somewhere: what proves that the search finds things. */
const GROUP_NAME = 'The readers of the tide tables';

const { MSG_TYPE_SINGLE_AUDIO: VOICE } = IM.BaseDefine.MsgType;
/** Before the move and after it. */
const SOUND = Buffer.concat([Buffer.from([0, 0, 0, 7]), randomBytes(10_000)]);

/** How a text may be written, in bytes and in what a dump makes of bytes. */
function formsOf(text: string): Buffer[] {
  const travelling = encryptText(text);
  const bytes = [Buffer.from(text), Buffer.from(text, 'utf16le'), travelling, Buffer.from(`${travelling}`, 'base64')];
  return bytes.flatMap((each) => [
    each,
    Buffer.from(each.toString('hex')),
    // Without the ends, which depend on what stands around.
    Buffer.from(each.toString('base64').slice(4, -8)),
  ]);
}

t.test('no text of a message is in a dump, a table, an index, the write-ahead log or the log', async (t) => {
  const logged: string[] = [];
  const settings = { log_statement: 'none', full_page_writes: 'off', wal_compression: 'off' };
  const postgres = await testPostgres(t, { settings, log: (line) => logged.push(line) });
  const groups = [{ name: GROUP_NAME, memberIds: [1, 2, 3] }];
  const cluster = await TestCluster.start(t, postgres, { dbProxies: 2, msgServers: 2, groups });
  const second = await freshDatabase(postgres);
  await addShard(cluster.databaseUrl, 'shard-2', second);
  const alice = await cluster.login('alice');
  const bob = await cluster.connect(1);
  await bob.enter({ user: 'bob', password: 'test123', capabilities: ['ack2', 'err1', 'sync1'] });

  await alice.say(bob.userId, WORDS[0]!);
  await alice.sendData(bob.userId, VOICE, SOUND);
  for (const id of [singleConversation(1, 2), groupConversation(1)])
    await moveBucket(cluster.databaseUrl, bucketOf(id), 'shard-2');
  await bob.say(alice.userId, WORDS[1]!, { sendId: randomBytes(16) });
  await bob.sayGroup(1, WORDS[2]!, { sendId: randomBytes(16) });
  await alice.say(bob.userId, WORDS[3]!);
  const sendId = randomBytes(16); // a conflict, which PostgreSQL logs with what conflicts
  for (const _ of [1, 2]) await bob.say(alice.userId, WORDS[1]!, { sendId });
  await alice.sendData(bob.userId, VOICE, SOUND);
  t.same((await bob.history(1, alice.userId)).map(({ text }) => text).reverse(), [
    WORDS[0],
    undefined,
    WORDS[1],
    WORDS[3],
    WORDS[1],
    undefined,
  ]);
  await bob.sync();

  const heaps = new Map<string, Buffer>();
  for (const [name, url] of Object.entries({ meta: cluster.databaseUrl, second })) heaps.set(name, await dumpOf(url));
  heaps.set('log', Buffer.from(logged.join('\n')));
  await postgres.stop(); // everything is in the files now
  for (const name of await readdir(join(postgres.dir, 'data'), { recursive: true }))
    heaps.set(name, await readFile(join(postgres.dir, 'data', name)).catch(() => Buffer.alloc(0))); // folders

  const finds = (needle: Buffer) => [...heaps].filter(([, heap]) => heap.includes(needle)).map(([name]) => name);
  const places = finds(Buffer.from(GROUP_NAME));
  t.ok(places.includes('meta') && places.some((name) => name.startsWith('base/')), 'a search that finds what is there');
  t.ok(
    places.some((name) => name.startsWith('pg_wal/')),
    'in the write-ahead log too',
  );
  t.ok(finds(sendId).some((name) => name.startsWith('base/')) && finds(Buffer.from(sendId.toString('hex'))).length > 0);
  for (const text of WORDS) t.same([...new Set(formsOf(text).flatMap(finds))], [], 'and no message');
  for (const from of [4, 1_000, 5_000]) t.same(finds(SOUND.subarray(from, from + 32)), [], 'nor what was spoken');
  // Not even a part of one.
  const parts = ['The heron on the', 'third pole', 'all of its feathers'].flatMap((text) => finds(Buffer.from(text)));
  t.same(parts, []);
});

/** All rows of all tables, as text and so with bytes in hex. */
async function dumpOf(url: string): Promise<Buffer> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('meta', 'shard', 'public')`,
    );
    let text = '';
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`select r::text as row from ${name} r`);
      text += `${rows.map(({ row }) => row).join('\n')}\n`;
    }
    return Buffer.from(text);
  } finally {
    await client.end();
  }
}
