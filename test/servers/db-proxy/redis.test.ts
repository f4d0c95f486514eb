/** Redis beside the db-proxies: quicker with it, right without it, whatever happens to it and whenever. */
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { type CallResult, Soft, slotOf } from '../../../common/redis.js';
import { parseRedisUrl } from '../../../common/redis-place.js';
import { printable, readSettings, SettingsError } from '../../../common/settings.js';
import { type DbProxySettings, dbProxySettings } from '../../../servers/db-proxy/settings.js';
import { sourceOf } from '../../../servers/db-proxy/storage/address-failures.js';
import { type DecidedBy, hashPassword } from '../../../servers/db-proxy/storage/passwords.js';
import { RedisKeys } from '../../../servers/db-proxy/storage/redis-keys.js';
import { openStorage } from '../../../servers/db-proxy/storage/storage.js';
import { addPeople, freshDatabase, md5Hex, PASSWORD, TestCluster, until } from '../../support/cluster.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { testPostgres } from '../../support/postgres.js';
import { type TestRedis, testRedis, testRedisCluster, whyNoRedis } from '../../support/redis.js';

const postgres = await testPostgres(t);
const reason = await whyNoRedis();
const needsRedis = reason === undefined ? {} : { skip: reason };

// ------------------------------------------------------------------------------------------------------- helpers

const RIGHT = md5Hex(PASSWORD);
const WRONG = md5Hex('something else');
const HERE = '127.0.0.1';
const ABROAD = '203.0.113.7';
/** Wrong answers that a name may have within half an hour. */
const FREE_FAILURES = 10;
/** Where Redis answers: more than the default, so that a busy machine is not taken for a Redis that hangs. */
const PATIENCE_MS = 1_000;
/** Where it does not. */
const DEADLINE_MS = 200;
/** Calls that may have been under way, or gone out one after the other, before Redis was set aside. */
const FAILED_CALLS_MAX = 5;

/** A directory of a few people, and what storages need to open it. */
class Place {
  readonly databaseUrl: string;
  readonly masterKey: string;
  readonly pool: pg.Pool;

  constructor(databaseUrl: string, masterKey: string) {
    this.databaseUrl = databaseUrl;
    this.masterKey = masterKey;
    this.pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
    this.pool.on('error', () => undefined); // ended by the server while it is being closed
  }

  static async make(t: Test, names: readonly string[]): Promise<Place> {
    const place = new Place(await freshDatabase(postgres), randomBytes(32).toString('hex'));
    t.teardown(() => place.pool.end());
    const { storage } = await DbProxy.open(t, place);
    await addPeople(storage, names);
    return place;
  }

  get keys(): RedisKeys {
    return new RedisKeys(Buffer.from(this.masterKey, 'hex'));
  }

  async failuresInTable(name: string): Promise<number> {
    const { rows } = await this.pool.query('select 1 from meta.login_failure where user_name = $1', [name]);
    return rows.length;
  }
}

/** What a db-proxy has of storage, with all that it says and counts. */
class DbProxy {
  readonly storage: Awaited<ReturnType<typeof openStorage>>;
  readonly decided: DecidedBy[];
  readonly calls: Readonly<Record<CallResult, number>>;
  readonly log: string[];

  constructor(parts: Pick<DbProxy, 'storage' | 'decided' | 'calls' | 'log'>) {
    this.storage = parts.storage;
    this.decided = parts.decided;
    this.calls = parts.calls;
    this.log = parts.log;
  }

  /** With Redis, if one is given, in use. */
  static async open(t: Test, place: Place, redis?: string, over: Partial<DbProxySettings> = {}): Promise<DbProxy> {
    const proxy = await DbProxy.openBlind(t, place, redis, over);
    if (redis !== undefined) await proxy.redisUp();
    return proxy;
  }

  static async openTwo(t: Test, place: Place, redis: string, over?: Partial<DbProxySettings>) {
    return [await DbProxy.open(t, place, redis, over), await DbProxy.open(t, place, redis, over)] as const;
  }

  /** Without a look whether Redis is there. */
  static async openBlind(t: Test, place: Place, redis = '', over: Partial<DbProxySettings> = {}): Promise<DbProxy> {
    const { databaseUrl, masterKey } = place;
    const defaults = readSettings('db-proxy', dbProxySettings, { env: {} });
    const decided: DecidedBy[] = [];
    const calls = { ok: 0, failed: 0, late: 0, skipped: 0 };
    const log: string[] = [];
    const storage = await openStorage(
      { ...defaults, databaseUrl, masterKey, redis, redisTimeoutMs: PATIENCE_MS, ...over },
      pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
      { stored: () => undefined, batch: () => undefined, repeated: () => undefined },
      {
        decided: (by) => void decided.push(by),
        redisCalled: (result) => void calls[result]++,
        decidedLate: () => undefined,
      },
    );
    t.teardown(() => storage.close());
    return new DbProxy({ storage, decided, calls, log });
  }

  redisUp(): Promise<void> {
    return until(() => this.storage.redis!.nodesDown === 0, 'Redis to be in use');
  }

  redisDown(): Promise<void> {
    return until(() => this.storage.redis!.nodesDown > 0, 'Redis to be set aside');
  }

  /** What a log-in comes to, and what decided it: "ok by mark". */
  async login(name: string, md5 = RIGHT, address = HERE): Promise<string> {
    const result = await this.storage.passwords.check(name, md5, address);
    return `${result.ok ? 'ok' : result.why} by ${this.decided.at(-1)}`;
  }

  /** So many wrong log-ins, one after the other. @returns what each came to, without repetitions. */
  async fail(name: string, times: number, address = HERE): Promise<string[]> {
    const results = new Set<string>();
    for (let i = 0; i < times; i++) results.add(await this.login(name, WRONG, address));
    return [...results];
  }

  /** What the log says about Redis, a word a change. */
  get changes(): string[] {
    const told = this.log
      .map((line) => JSON.parse(line) as { msg: string })
      .filter(({ msg }) => msg.startsWith('redis'));
    return told.map(({ msg }) => msg.replace('redis ', ''));
  }
}

const WRONG_BY_HASH = 'wrong by hash';
const names = Array.from({ length: 80 }, (_, i) => `user-${i + 1}`);
const place = await Place.make(t, names);
let taken = 0;

/** Somebody whom no other subtest knows. */
function somebody(): { id: number; name: string } {
  return { id: taken + 1, name: names[taken++]! };
}

/** Where this process connects to while the work lasts. */
async function portsDialled(work: () => Promise<unknown>): Promise<number[]> {
  const ports = new Set<number>();
  const { connect } = Socket.prototype;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    this.once('connect', () => ports.add(this.remotePort!));
    return Reflect.apply(connect, this, args);
  };
  try {
    await work();
  } finally {
    Socket.prototype.connect = connect;
  }
  return [...ports].sort();
}

// --------------------------------------------------------------------------------------------------- without Redis

t.test('by default there is no Redis, and nobody looks for one', async (t) => {
  const { name } = somebody();
  const work = async () => {
    const proxy = await DbProxy.open(t, place);
    t.equal(proxy.storage.redis, undefined);
    t.same(await proxy.fail(name, FREE_FAILURES), [WRONG_BY_HASH]);
    t.equal(await place.failuresInTable(name), FREE_FAILURES);
    t.equal(await proxy.login(name), 'ok by hash');
    t.equal(await place.failuresInTable(name), 0, 'a success clears');
    t.equal(await proxy.login(name), 'ok by mark');
    await proxy.fail(name, FREE_FAILURES + 1);
    t.equal(await proxy.login(name), 'locked by locked-name');
  };
  t.same(await portsDialled(work), [postgres.port]);
});

t.test('guesses made all at once get no further than guesses one after the other', async (t) => {
  const { name } = somebody();
  const { passwords } = (await DbProxy.open(t, place)).storage;
  const guesses = [...Array<string>(30).fill(WRONG), RIGHT];
  const results = await Promise.all(guesses.map((guess) => passwords.check(name, guess, HERE)));
  t.same(results.at(-1), { ok: false, why: 'locked' });
});

t.test('an address that fails too often is refused, known credentials are not', async (t) => {
  const [alice, bob, carol, dave] = [somebody().name, somebody().name, somebody().name, somebody().name];
  const proxy = await DbProxy.open(t, place, undefined, { addressFailuresMax: 5 });
  await proxy.login(alice);
  t.same(await proxy.fail(bob, 3, ABROAD), [WRONG_BY_HASH]);
  t.same(await proxy.fail('nobody', 2, `::ffff:${ABROAD}`), [WRONG_BY_HASH]);
  t.equal(await proxy.login(carol, RIGHT, ABROAD), 'ok by hash', 'five are let pass');
  t.same(await proxy.fail('nobody at all', 1, ABROAD), [WRONG_BY_HASH]);
  t.equal(await proxy.login(dave, RIGHT, ABROAD), 'locked by locked-address');
  t.equal(await proxy.login('nobody', RIGHT, ABROAD), 'locked by locked-address', 'names that are none look the same');
  t.equal(await proxy.login(alice, RIGHT, ABROAD), 'ok by mark');
  t.equal(await proxy.login(dave, RIGHT, '203.0.113.8'), 'ok by hash', 'from elsewhere');
  t.same(await proxy.fail('nobody', 7), [WRONG_BY_HASH], 'loopback never is');

  const open = await DbProxy.open(t, place, undefined, { addressFailuresMax: 0 });
  t.same(await open.fail('nobody', 7, ABROAD), [WRONG_BY_HASH], 'with 0 nobody is');
});

t.test('who an address stands for', async (t) => {
  const sources: Record<string, string | undefined> = {
    '203.0.113.7': '203.0.113.7',
    '::ffff:203.0.113.7': '203.0.113.7',
    '::FFFF:10.0.0.1': '10.0.0.1',
    '2001:db8::7': '2001:db8:0:0::/64',
    '2001:0DB8:0:0:ffff::': '2001:db8:0:0::/64',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
    '::2': '0:0:0:0::/64',
    '127.0.0.1': undefined,
    '127.8.8.8': undefined,
    '::ffff:127.0.0.1': undefined,
    '::1': undefined,
    '': undefined,
    somewhere: undefined,
  };
  for (const [address, source] of Object.entries(sources)) t.equal(sourceOf(address), source, address);
});

t.test('addresses of Redis', async (t) => {
  const one = { cluster: false, tls: false, hosts: [{ host: 'r', port: 6379 }], username: '', password: '', db: 0 };
  t.same(parseRedisUrl('redis://r'), one);
  t.same(parseRedisUrl('redis://r:7000/3'), { ...one, hosts: [{ host: 'r', port: 7000 }], db: 3 });
  t.same(parseRedisUrl('rediss://me:p%40ss@r'), { ...one, tls: true, username: 'me', password: 'p@ss' });
  t.same(parseRedisUrl('redis://:a/b@c@r/'), { ...one, password: 'a/b@c' });
  t.same(parseRedisUrl('redis://[::1]:7000'), { ...one, hosts: [{ host: '::1', port: 7000 }] });
  const hosts = [
    { host: 'a', port: 1 },
    { host: 'b', port: 6379 },
  ];
  t.same(parseRedisUrl('redis-cluster://:pw@a:1,b'), { ...one, cluster: true, hosts, password: 'pw' });
  t.same(parseRedisUrl('rediss-cluster://a:1,b'), { ...one, cluster: true, tls: true, hosts });
  const sentinels = [
    { host: 'a', port: 1 },
    { host: 'b', port: 26_379 },
  ];
  t.same(parseRedisUrl('redis-sentinel://:pw@a:1,b/main'), {
    ...one,
    sentinel: 'main',
    hosts: sentinels,
    password: 'pw',
  });
  t.same(parseRedisUrl('redis-sentinel://a:1,b/my.main/2'), { ...one, sentinel: 'my.main', hosts: sentinels, db: 2 });

  const read = (url: string) => readSettings('db-proxy', dbProxySettings, { env: { TT_DB_PROXY_REDIS: url } });
  t.equal(printable(dbProxySettings, read('redis://:hunter2@r')).redis, '[secret]');
  const wrong = ['r:6379', 'http://hunter2', 'redis://', 'redis://:hunter2@a,b', 'redis-cluster://:hunter2@a/1'];
  wrong.push('redis-sentinel://:hunter2@a', 'redis-sentinel://:hunter2@a/1', 'redis://:hunter2@a/main');
  wrong.push('redis://:hunter2@r:99999', 'redis://:hunter2%@r', 'hunter2', 'redis://:hunter2@a b');
  for (const url of wrong) {
    let message = 'taken';
    try {
      read(url);
    } catch (error) {
      if (error instanceof SettingsError) message = error.message;
    }
    t.match(message, /^ {2}redis \(TT_DB_PROXY_REDIS; /m, url);
    t.notMatch(message, /hunter2/);
  }
});

// ------------------------------------------------------------------------------------------------------ with Redis

t.test('Sentinel makes a replica the master, on its own and when asked', needsRedis, async (t) => {
  const master = await testRedis(t);
  const replica = await testRedis(t, { args: ['--replicaof', HERE, `${master.port}`] });
  // A node whose role is changed cuts its connections.
  const says = (node: TestRedis, ...words: [string, ...string[]]) => node.ask(...words).catch(() => undefined);
  const follows = async (node: TestRedis) =>
    `${await says(node, 'INFO', 'replication')}`.includes('master_link_status:up');
  const has = async (node: TestRedis, key: string) => (await says(node, 'GET', key)) === 'here';
  await until(() => follows(replica), 'the replica to follow');
  const sentinel = await testRedis(t, { watches: master });
  const lines: { msg: string }[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const soft = new Soft({ url: `redis-sentinel://${HERE}:${sentinel.port}/main`, timeoutMs: PATIENCE_MS, log });
  t.teardown(() => soft.close());
  const isTaken = async (key: string) => (await soft.set(key, 'here', 60_000)) === true;
  await until(() => isTaken('tt:first'), 'Redis to be in use');
  await until(() => has(replica, 'tt:first'), 'the replica to have it');
  // It refuses (NOGOODSLAVE) for as long as it does not know the replica, or has not heard from it lately.
  const isBegun = async () => (await says(sentinel, 'SENTINEL', 'FAILOVER', 'main')) === 'OK';
  await until(isBegun, 'the Sentinel to begin', 30_000);
  await until(async () => (await isTaken('tt:second')) && (await has(replica, 'tt:second')), 'the new master', 30_000);
  t.equal(await soft.get('tt:first'), 'here', 'which knows what the old one knew');
  await until(() => follows(master), 'the old one to follow', 30_000);
  await replica.kill();
  await until(async () => (await isTaken('tt:third')) && (await has(master, 'tt:third')), 'the first master', 30_000);
  t.equal(lines.at(-1)!.msg, 'redis in use');
});

t.test('a master that was made a replica behind one address is left', needsRedis, async (t) => {
  const [one, other] = [await testRedis(t), await testRedis(t)];
  const door = await FaultProxy.start(t, { host: HERE, port: one.port });
  const soft = new Soft({
    url: `redis://${HERE}:${door.port}`,
    timeoutMs: PATIENCE_MS,
    log: pino({ level: 'silent' }),
  });
  t.teardown(() => soft.close());
  await until(async () => (await soft.set('tt:first', 'here', 60_000)) === true, 'Redis to be in use');
  await one.ask('REPLICAOF', HERE, other.port);
  door.target = { host: HERE, port: other.port };
  await until(async () => (await soft.set('tt:second', 'here', 60_000)) === true, 'the other one to be in use', 30_000);
  t.equal(await other.ask('GET', 'tt:second'), 'here');
});

t.test('failures are counted for all db-proxies together', needsRedis, async (t) => {
  const redis = await testRedis(t);
  const [a, b] = await DbProxy.openTwo(t, place, redis.url);

  await t.test('ten are forgiven by a success on any of them', async (t) => {
    const { id, name } = somebody();
    t.same([...(await a.fail(name, 6)), ...(await b.fail(name, 4))], [WRONG_BY_HASH, WRONG_BY_HASH]);
    t.equal(await b.login(name), 'ok by hash');
    t.same(await a.fail(name, FREE_FAILURES), [WRONG_BY_HASH]);
    t.equal(await a.login(name), 'ok by shared-mark');
    t.equal(await redis.ask('EXISTS', place.keys.failuresOfUser(id)), 0);
    t.equal(await place.failuresInTable(name), 0);
  });

  await t.test('the eleventh locks everywhere, and no flush opens the lock', async (t) => {
    const { id, name } = somebody();
    const key = place.keys.failuresOfUser(id);
    await a.fail(name, 6);
    t.same(await b.fail(name, 4), [WRONG_BY_HASH]);
    t.equal(await place.failuresInTable(name), 0, 'PostgreSQL has written nothing');
    t.equal(await redis.ask('LLEN', key), FREE_FAILURES);
    const leftMs = (await redis.ask('PTTL', key)) as number;
    t.ok(leftMs > 29 * 60_000 && leftMs <= 30 * 60_000, `forgotten in ${leftMs} ms`);
    t.same(await b.fail(name, 1), [WRONG_BY_HASH]);
    for (const proxy of [a, b]) t.equal(await proxy.login(name), 'locked by locked-name');
    t.equal(await redis.ask('EXISTS', key), 0, 'moved, so that nothing counts twice');
    await redis.ask('FLUSHALL');
    for (const proxy of [a, b]) t.equal(await proxy.login(name), 'locked by locked-name');
    const where = 'from meta.login_failure where user_name = $1';
    const { rows } = await place.pool.query(`select address, count(*)::int ${where} group by address`, [name]);
    t.same(rows, [{ address: HERE, count: FREE_FAILURES + 1 }]);
    await place.pool.query(`update meta.login_failure set at = at - interval '30 minutes' where user_name = $1`, [
      name,
    ]);
    t.equal(await a.login(name), 'ok by hash', 'half an hour later');
  });

  await t.test('failures of more than half an hour ago do not count', async (t) => {
    const { id, name } = somebody();
    const longAgo = Array<string>(FREE_FAILURES).fill(`${Date.now() - 30 * 60_000} ${HERE}`);
    await a.fail(name, 1);
    await redis.ask('RPUSH', place.keys.failuresOfUser(id), ...longAgo);
    t.same(await a.fail(name, 1), [WRONG_BY_HASH]);
    t.equal(await place.failuresInTable(name), 0);
    t.equal(await a.login(name), 'ok by hash');
  });

  await t.test('a flush forgives what had not locked yet, no more', async (t) => {
    const { name } = somebody();
    t.same(await a.fail(name, FREE_FAILURES), [WRONG_BY_HASH]);
    await redis.ask('FLUSHALL');
    t.same(await b.fail(name, FREE_FAILURES), [WRONG_BY_HASH]);
    await a.fail(name, 1);
    t.equal(await b.login(name), 'locked by locked-name');
  });

  await t.test('something else under a key of ours harms nobody', async (t) => {
    const { id, name } = somebody();
    await redis.ask('SET', place.keys.failuresOfUser(id), 'what is this');
    t.same(await a.fail(name, FREE_FAILURES + 1), [WRONG_BY_HASH]);
    t.equal(await a.login(name), 'locked by locked-name', 'counted in the table');
    await a.redisUp();
  });
});

t.test('an address is refused by all db-proxies together', needsRedis, async (t) => {
  const redis = await testRedis(t);
  const [a, b] = await DbProxy.openTwo(t, place, redis.url, { addressFailuresMax: 5 });
  const { name } = somebody();
  await a.fail('nobody', 5, ABROAD);
  t.equal(await b.login(somebody().name, RIGHT, ABROAD), 'ok by hash');
  t.same(await b.fail('nobody', 1, ABROAD), [WRONG_BY_HASH], 'the sixth, the first here');
  t.equal(await b.login(name, RIGHT, ABROAD), 'locked by locked-address');
  const leftMs = (await redis.ask('PTTL', place.keys.failuresOfAddress(ABROAD))) as number;
  t.ok(leftMs > 9 * 60_000 && leftMs <= 10 * 60_000, `forgotten in ${leftMs} ms`);
  await redis.ask('FLUSHALL');
  t.equal(await b.login(name, RIGHT, ABROAD), 'locked by locked-address', 'known here without Redis');
});

t.test('a mark made by one db-proxy spares the others the full check', needsRedis, async (t) => {
  const redis = await testRedis(t);
  let proxies: readonly [DbProxy, DbProxy] | undefined;
  const dialled = await portsDialled(async () => {
    proxies = await DbProxy.openTwo(t, place, redis.url);
  });
  t.same(dialled, [postgres.port, redis.port].sort());
  const [a, b] = proxies!;

  await t.test('for one password and one hour', async (t) => {
    const { id, name } = somebody();
    t.equal(await a.login(name), 'ok by hash');
    t.equal(await b.login(name), 'ok by shared-mark');
    t.equal(await b.login(name), 'ok by mark', 'kept');
    t.equal(await b.login(name, WRONG), WRONG_BY_HASH);
    const leftMs = (await redis.ask('PTTL', place.keys.markOfUser(id))) as number;
    t.ok(leftMs > 59 * 60_000 && leftMs <= 60 * 60_000, `forgotten in ${leftMs} ms`);
  });

  await t.test('and is not to be made, changed or passed on by who has Redis', async (t) => {
    const tricks: Record<string, (mark: string) => string> = {
      longer: (mark) => `${Number.parseInt(mark, 10) + 1}${mark.slice(mark.indexOf('.'))}`,
      cut: (mark) => mark.slice(0, -1),
      'with more': (mark) => `${mark}x`,
      'without a MAC': () => '9999999999999.',
      empty: () => '',
      nonsense: () => 'nonsense',
    };
    for (const [trick, forge] of Object.entries(tricks)) {
      const { id, name } = somebody();
      await a.login(name);
      const mark = (await redis.ask('GET', place.keys.markOfUser(id))) as string;
      await redis.ask('SET', place.keys.markOfUser(id), forge(mark));
      t.equal(await b.login(name), 'ok by hash', trick);
    }
    const [from, to] = [somebody(), somebody()];
    await a.login(from.name);
    await redis.ask('COPY', place.keys.markOfUser(from.id), place.keys.markOfUser(to.id));
    t.equal(await b.login(to.name), 'ok by hash', `somebody else's`);
  });

  await t.test('dies with the password and with the status', async (t) => {
    const { name } = somebody();
    const changed = md5Hex('new');
    for (const proxy of [a, b]) t.match(await proxy.login(name), /^ok/);
    const hash = await hashPassword(changed);
    await place.pool.query('update meta.users set password_hash = $1 where name = $2', [hash, name]);
    for (const proxy of [a, b]) t.equal(await proxy.login(name), WRONG_BY_HASH);
    t.equal(await a.login(name, changed), 'ok by hash');
    t.equal(await b.login(name, changed), 'ok by shared-mark');
    await place.pool.query('update meta.users set status = 2 where name = $1', [name]);
    t.equal(await b.login(name, changed), 'ok by hash');
    await place.pool.query('update meta.users set status = 3 where name = $1', [name]);
    for (const proxy of [a, b]) t.equal(await proxy.login(name, changed), WRONG_BY_HASH, 'has left');
  });

  await t.test('is out of reach while the name is locked', async (t) => {
    const { name } = somebody();
    await a.login(name);
    await b.fail(name, FREE_FAILURES + 1);
    for (const proxy of [a, b]) t.equal(await proxy.login(name), 'locked by locked-name');
  });

  await t.test('is not known to another cluster, and what is in Redis tells no name, hash or password', async (t) => {
    const other = await Place.make(t, names.slice(0, 10));
    const stranger = await DbProxy.open(t, other, redis.url);
    const { name } = somebody();
    await a.login(name);
    await a.fail(name, 1);
    t.equal(await b.login(name), 'ok by shared-mark');
    for (const each of names.slice(0, 10)) t.equal(await stranger.login(each), 'ok by hash');
    await a.fail(name, 1);
    const texts: string[] = [];
    for (const key of (await redis.ask('KEYS', '*')) as string[]) {
      const isList = (await redis.ask('TYPE', key)) === 'list';
      const value = isList ? await redis.ask('LRANGE', key, 0, -1) : await redis.ask('GET', key);
      texts.push(`${key} ${JSON.stringify(value)}`);
      t.not(await redis.ask('PTTL', key), -1, `${key} ends`);
    }
    t.ok(texts.length > 10);
    const secrets = ['user-', 'argon2', RIGHT, WRONG, PASSWORD, place.masterKey, other.masterKey];
    t.notMatch(texts.join('\n'), new RegExp(secrets.join('|')));
  });
});

t.test('Redis is killed and comes back', needsRedis, async (t) => {
  const redis = await testRedis(t);
  const [a, b] = await DbProxy.openTwo(t, place, redis.url);
  const [alice, bob, carol] = [somebody().name, somebody().name, somebody().name];
  await a.fail(alice, 3);
  await redis.kill();
  t.same([...(await a.fail(alice, 3)), ...(await b.fail(alice, 2))], [WRONG_BY_HASH, WRONG_BY_HASH]);
  t.equal(await place.failuresInTable(alice), 5, 'counted in the table');
  t.equal(await b.login(bob), 'ok by hash');
  t.equal(await b.login(bob), 'ok by mark');
  t.equal(await a.login(bob), 'ok by hash', 'not shared');
  for (const proxy of [a, b]) {
    await proxy.redisDown();
    t.equal(proxy.calls.late, 0);
    t.ok(proxy.calls.failed <= FAILED_CALLS_MAX && proxy.calls.skipped > 0, JSON.stringify(proxy.calls));
  }
  await redis.start();
  await Promise.all([a.redisUp(), b.redisUp()]);
  t.same(await a.fail(alice, 5), [WRONG_BY_HASH]);
  t.equal(await place.failuresInTable(alice), 5, 'counted in Redis');
  t.equal(await b.login(carol), 'ok by hash');
  t.equal(await a.login(carol), 'ok by shared-mark');
  await b.fail(alice, 1);
  t.equal(await a.login(alice), 'locked by locked-name', 'five here and six there are eleven');
  for (const proxy of [a, b]) t.same(proxy.changes, ['in use', 'set aside', 'in use'], 'a line a change');
});

t.test('Redis hangs', needsRedis, async (t) => {
  const redis = await testRedis(t);
  const [a, b] = await DbProxy.openTwo(t, place, redis.url, { redisTimeoutMs: DEADLINE_MS });
  const [alice, bob, carol] = [somebody().name, somebody().name, somebody().name];
  await a.login(alice);
  redis.pause();
  for (let i = 0; i < 30; i++) t.equal(await a.login(alice), 'ok by mark');
  t.ok(a.calls.late > 0 && a.calls.late + a.calls.failed <= FAILED_CALLS_MAX, JSON.stringify(a.calls));
  t.ok(a.calls.skipped >= 30 - FAILED_CALLS_MAX);
  t.equal(await b.login(alice), 'ok by hash');
  await b.fail(bob, FREE_FAILURES + 1);
  t.equal(await a.login(bob), 'locked by locked-name');
  t.ok(b.calls.late > 0 && b.calls.late + b.calls.failed <= FAILED_CALLS_MAX, JSON.stringify(b.calls));
  redis.resume();
  await Promise.all([a.redisUp(), b.redisUp()]);
  t.equal(await a.login(carol), 'ok by hash');
  t.equal(await b.login(carol), 'ok by shared-mark');
  for (const proxy of [a, b]) t.same(proxy.changes, ['in use', 'set aside', 'in use']);
});

t.test('Redis does not let us in, or cannot write', needsRedis, async (t) => {
  const password = 'hunter2-of-redis';
  const redis = await testRedis(t, { password });
  const [alice, bob, carol, dave] = [somebody().name, somebody().name, somebody().name, somebody().name];
  const a = await DbProxy.openBlind(t, place, redis.url.replace(password, `${password}-not`));
  await until(() => a.changes.length > 0, 'Redis to be set aside');
  t.equal(await a.login(alice), 'ok by hash');
  await a.fail(bob, FREE_FAILURES + 1);
  t.equal(await a.login(bob), 'locked by locked-name');
  t.equal(a.calls.ok + a.calls.late, 0);
  t.same(a.changes, ['set aside']);
  t.match(a.log.join(''), /WRONGPASS/, 'with the reason');

  const [b, c] = await DbProxy.openTwo(t, place, redis.url);
  await b.login(carol);
  t.equal(await c.login(carol), 'ok by shared-mark', 'with the right password');
  await redis.ask('CONFIG', 'SET', 'maxmemory', '1');
  t.equal(await b.login(dave), 'ok by hash');
  await b.fail(dave, FREE_FAILURES + 1);
  t.equal(await b.login(dave), 'locked by locked-name');
  await b.redisDown();
  const refusedBefore = await refusedWrites(redis);
  await until(async () => (await refusedWrites(redis)) > refusedBefore, 'Redis to be probed with a write');
  await redis.ask('CONFIG', 'SET', 'maxmemory', '0');
  await b.redisUp();
  t.same(b.changes, ['in use', 'set aside', 'in use']);
  t.notMatch([...a.log, ...b.log].join(''), new RegExp(`${password}|${place.masterKey}|${RIGHT}|${WRONG}`));
});

t.test('a Redis Cluster of which one master is killed', needsRedis, async (t) => {
  const { nodes, url } = await testRedisCluster(t);
  const [a, b] = await DbProxy.openTwo(t, place, url);
  const c = await DbProxy.open(t, place, url);
  const people = Array.from({ length: 9 }, somebody).map(({ id, name }) => ({ name, key: place.keys.markOfUser(id) }));
  for (const { key } of people) t.equal(slotOf(key), await nodes[0]!.ask('CLUSTER', 'KEYSLOT', key), key);
  for (const { name } of people) t.equal(await a.login(name), 'ok by hash');
  for (const { name } of people) t.equal(await b.login(name), 'ok by shared-mark');
  for (const proxy of [a, b]) t.match(proxy.calls, { failed: 0, late: 0, skipped: 0 });

  const dead = nodes[Math.floor(slotOf(people[0]!.key) / Math.ceil(16_384 / 3))]!;
  const there = (await dead.ask('KEYS', '*')) as string[];
  const lost = new Set(people.filter(({ key }) => there.includes(key)).map(({ name }) => name));
  t.ok(lost.size > 0 && lost.size < people.length, `${lost.size} of ${people.length} are there`);
  await dead.kill();
  const d = await DbProxy.open(t, place, url);
  for (const proxy of [c, d]) {
    for (const { name } of people)
      t.equal(await proxy.login(name), lost.has(name) ? 'ok by hash' : 'ok by shared-mark');
    for (let i = 0; i < 3; i++) for (const { name } of people) t.equal(await proxy.login(name), 'ok by mark');
    t.equal(proxy.storage.redis!.nodesDown, 1, 'the others are of use');
    t.ok(proxy.calls.failed + proxy.calls.late <= FAILED_CALLS_MAX, JSON.stringify(proxy.calls));
    t.ok(proxy.calls.skipped > 0);
  }
  await dead.start();
  await Promise.all([c.redisUp(), d.redisUp()]);
  const [one] = lost;
  await place.pool.query('update meta.users set status = 2 where name = $1', [one]);
  t.equal(await c.login(one!), 'ok by hash');
  t.equal(await d.login(one!), 'ok by shared-mark');
});

t.test('people chat and come and go while Redis is flushed, killed and hangs', needsRedis, async (t) => {
  const redis = await testRedis(t);
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, dbProxies: 2, dbProxy: { redis: redis.url } });
  const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
  let over = false;
  const disturbed = disturb(redis, () => over);
  const visits = comeAndGo(cluster, () => over);
  for (let i = 1; i <= 150; i++) {
    const ack = await alice.say(bob.userId, `${i}`);
    const heard = await bob.heard();
    t.same([ack.msgId, heard.msgId, heard.text], [i, i, `${i}`]);
  }
  over = true;
  t.ok((await disturbed) >= 4);
  t.ok((await visits) >= 4);
});

async function refusedWrites(redis: TestRedis): Promise<number> {
  const [, count = '0'] = /^errorstat_OOM:count=(\d+)/m.exec((await redis.ask('INFO', 'errorstats')) as string) ?? [];
  return Number(count);
}

/** Until it is over, and each kind once at least. @returns how often something was done to Redis. */
async function disturb(redis: TestRedis, over: () => boolean): Promise<number> {
  const acts = [
    () => redis.ask('FLUSHALL'),
    () => redis.ask('FLUSHALL'),
    () => redis.kill().then(() => redis.start()),
    async () => {
      redis.pause();
      await delay(3 * DEADLINE_MS); // this long is what it does, not what is waited for
      redis.resume();
    },
  ];
  let done = 0;
  while (done < acts.length || !over()) await acts[done++ % acts.length]!();
  return done;
}

/** Until it is over, and four times at least. @returns how often. */
async function comeAndGo(cluster: TestCluster, over: () => boolean): Promise<number> {
  let visits = 0;
  for (; visits < 4 || !over(); visits++) {
    const carol = await cluster.login('carol', { at: visits % 2 });
    await carol.logout();
  }
  return visits;
}
