import { createHash, randomBytes } from 'node:crypto';
import { encryptText } from '../../common/text-cipher.js';
import type { TestMariadb } from './mariadb.js';

/**
 * The database of an original TeamTalk, for tests of taking it over: its tables as its installation makes them, and what
 * years of use leave in them. One set of rows for all tests, each oddity with a few.
 */
export const OLD = {
  /** Plain passwords, by login name. */
  passwords: { alice: 'wonderland', bob: 'builder', dave: 'jones', eve: '密码', 'bob#6': 'second' },
  /** Messages of alice and eve, from three relations; the last one is eve's. */
  largePair: 2_302,
  largeGroup: 2_100,
  /** Messages of bob and eve, all of them voice, and more than are held in memory at once. */
  voices: 450,
  start: 1_400_000_000,
  /** Everything in the folder of the file store, by path. */
  files: { '000/000/a.spx': Buffer.from('sound of a'), 'g0/000/001/b.spx': Buffer.from('sound of b') },
} as const;

const BIG_USER = 2 ** 30;
const S = OLD.start;

/** Makes it under a new name. @returns the name */
export async function oldTeamtalk(mariadb: TestMariadb): Promise<string> {
  const name = `teamtalk_${randomBytes(4).toString('hex')}`;
  await mariadb.ask(`create database ${name} character set utf8mb4 collate utf8mb4_bin; use ${name}; ${SCHEMA}`);
  const insert = async (table: string, columns: readonly string[], rows: readonly (readonly unknown[])[]) => {
    for (let from = 0; from < rows.length; from += 2_000)
      await mariadb.ask(`insert into ${name}.${table} (${columns.join(', ')}) values ?`, [
        rows.slice(from, from + 2_000),
      ]);
  };
  await insert('IMDepart', ['id', 'departName', 'priority', 'parentId', 'status', 'created', 'updated'], DEPARTMENTS);
  await insert('IMUser', USER_COLUMNS, users());
  await insert('IMRelationShip', ['id', 'smallId', 'bigId', 'status', 'created', 'updated'], RELATIONS);
  const messageColumns = ['relateId', 'fromId', 'toId', 'msgId', 'content', 'type', 'status', 'created', 'updated'];
  for (const [table, rows] of singles()) await insert(`IMMessage_${table}`, messageColumns, rows);
  const groupColumns = [
    'id',
    'name',
    'avatar',
    'creator',
    'type',
    'userCnt',
    'status',
    'version',
    'lastChated',
    'updated',
    'created',
  ];
  await insert('IMGroup', groupColumns, GROUPS);
  await insert('IMGroupMember', ['groupId', 'userId', 'status', 'created', 'updated'], MEMBERS);
  const groupMessageColumns = ['groupId', 'userId', 'msgId', 'content', 'type', 'status', 'created', 'updated'];
  for (const [table, rows] of groupMessages()) await insert(`IMGroupMessage_${table}`, groupMessageColumns, rows);
  await insert('IMAudio', ['id', 'fromId', 'toId', 'path', 'size', 'duration', 'created'], AUDIO);
  await insert('IMRecentSession', ['userId', 'peerId', 'type', 'status', 'created', 'updated'], SESSIONS);
  await insert('IMAdmin', ['uname', 'pwd', 'status', 'created', 'updated'], [['admin', md5('admin'), 0, S, S]]);
  return name;
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function textBody(text: string): string {
  return encryptText(text).toString();
}

// ------------------------------------------------------------------------------------------------------------- people

const DEPARTMENTS = [
  [1, '公司', 1, 0, 0, S, S],
  [2, 'Sales', 2, 1, 0, S, S],
  [3, 'Closed', 3, 1, 1, S, S],
  [4, 'Lost', 4, 99, 0, S, S],
  [5, '', 5, 1, 0, S, S],
];

const USER_COLUMNS = [
  ...['id', 'sex', 'name', 'domain', 'nick', 'password', 'salt', 'phone', 'email', 'avatar', 'departId', 'status'],
  ...['created', 'updated', 'push_shield_status', 'sign_info'],
];

function users(): unknown[][] {
  const user = (id: number, name: string, plain: string, salt: string, over: Record<string, unknown> = {}) => {
    const row: Record<string, unknown> = {
      ...{ id, sex: 1, name, domain: name, nick: Buffer.from(name), password: md5(md5(plain) + salt), salt },
      ...{
        phone: `1380000${id}`.slice(0, 11),
        email: `${id}@example.com`,
        avatar: '/g0/1.png',
        departId: 2,
        status: 0,
      },
      ...{ created: S, updated: S + id, push_shield_status: 0, sign_info: '', ...over },
    };
    return USER_COLUMNS.map((column) => row[column]);
  };
  const { alice, bob, dave, eve } = OLD.passwords;
  const upper = {
    password: md5(md5(eve)).toUpperCase(),
    nick: Buffer.from('伊芙'),
    push_shield_status: 1,
    sign_info: '你好',
  };
  return [
    user(1, 'alice', alice, '1a2b', { departId: 1, sex: 2 }),
    user(2, 'bob', bob, 'a$b$'),
    user(3, 'carol', 'gone', 'c', { status: 3 }),
    user(4, 'dave', dave, '42', { status: 1 }),
    user(5, 'eve', eve, '', upper),
    user(6, 'bob', OLD.passwords['bob#6'], 'x'),
    user(7, '', 'nameless', 'x'),
    user(8, 'grace', 'x', 'x', { nick: Buffer.from([0x47, 0xff, 0xfe, 0x21]), sign_info: 'a\0b' }),
    user(9, 'heidi', 'x', 'x', { password: 'in clear' }),
    user(10, 'i'.repeat(70), 'x', 'x', { departId: 77 }),
    user(11, 'judy ', 'x', 'x', { status: 9 }),
    user(BIG_USER, 'big', 'x', 'x'),
    user(BIG_USER + 5, 'bigger', 'x', 'x'),
  ];
}

// ---------------------------------------------------------------------------------------------------- between two users

const RELATIONS = [
  [1, 1, 2, 0, S, S], // alice and bob: three relations, one of them the wrong way round
  [9, 2, 1, 0, S, S],
  [10, 1, 2, 0, S, S],
  [4, 1, 3, 0, S, S],
  [5, 2, 2, 0, S, S], // with himself
  [6, 1, 777, 0, S, S], // somebody deleted
  [7, 1, BIG_USER, 0, S, S],
  [8, 1, 4, 1, S, S], // removed
  [11, 2, 4, 0, S, S],
  [12, 4, 5, 0, S, S],
  [13, 1, 5, 0, S, S], // alice and eve, large: two of one table and one of another
  [21, 5, 1, 0, S, S],
  [14, 1, 5, 0, S, S],
  [30, 2, 5, 0, S, S], // voices
  [20, 5, 6, 0, S, S], // nothing ever said
];

/** relation, from, to, old id, content, type, status, created */
type Single = readonly [number, number, number, number, string | null, number, number, number];

function singles(): Map<number, unknown[][]> {
  const t = textBody;
  const rows: Single[] = [
    [1, 1, 2, 1, t('hi bob'), 1, 0, S],
    [9, 2, 1, 1, t('hi alice'), 1, 0, S + 1], // the second relation counts from 1, too
    [1, 1, 2, 2, t('one'), 1, 0, S + 2],
    [1, 1, 2, 2, t('one again'), 1, 0, S + 2], // a doubled number in the same second: by row
    [1, 1, 2, 4, t('after a gap'), 1, 0, S + 3],
    [10, 2, 1, 1, t('from a third relation'), 1, 0, S + 3],
    [1, 1, 2, 5, t('deleted'), 1, 1, S + 4],
    [9, 2, 1, 2, t('end'), 1, 0, S + 9],
    [1, 5, 2, 6, t('forged by eve'), 1, 0, S + 5],
    [1, 1, 2, 7, '', 1, 0, S + 6],
    [1, 1, 2, 8, null, 1, 0, S + 6],
    [1, 1, 2, 9, t('odd'), 77, 0, S + 7],
    [4, 3, 1, 1, t('goodbye'), 1, 0, S + 10],
    [4, 1, 3, 2, 'not decryptable', 1, 0, S + 11],
    [4, 1, 3, 3, t('of the kind of groups'), 17, 0, S + 12],
    [5, 2, 2, 1, t('to myself'), 1, 0, S],
    [6, 777, 1, 1, t('who am I'), 1, 0, S],
    [6, 1, 777, 2, t('deleted, too'), 1, 1, S],
    [7, 1, BIG_USER, 1, t('big'), 1, 0, S],
    [8, 1, 4, 1, t('kept though removed'), 1, 0, S + 20],
    [8, 4, 1, 2, t('from the future'), 1, 0, 4_102_444_800],
    [11, 2, 4, 1, '1', 2, 0, S + 30], // voice
    [11, 4, 2, 2, '2', 2, 0, S + 31], // its file is missing
    [11, 4, 2, 3, '3', 2, 0, S + 32], // its file is empty
    [11, 4, 2, 4, '99', 2, 0, S + 33], // no row
    [11, 4, 2, 5, t('that was voice'), 1, 0, S + 34],
    ...[1, 2, 3, 4, 5].map(
      (n): Single => [12, n % 2 === 0 ? 4 : 5, n % 2 === 0 ? 5 : 4, n, t(`fine ${n}`), 1, 0, S + n],
    ),
    [999, 1, 2, 1, t('no relation'), 1, 0, S],
    [999, 1, 2, 2, t('no relation'), 1, 1, S],
  ];
  for (let n = 1; n <= OLD.largePair; n++) {
    const [relation, from, to] = n % 3 === 0 ? [13, 1, 5] : n % 3 === 1 ? [21, 5, 1] : [14, 1, 5];
    rows.push([relation, from, to, n, t(`large ${n}`), 1, 0, S + n]);
  }
  for (let n = 1; n <= OLD.voices; n++) rows.push([30, n % 2 === 0 ? 2 : 5, n % 2 === 0 ? 5 : 2, n, '1', 2, 0, S + n]);
  const tables = byTable(rows.map((row) => [...row, row[7]]));
  tables.get(3)!.push([1, 1, 2, 3, t('wrong table'), 1, 0, S, S]);
  return tables;
}

// -------------------------------------------------------------------------------------------------------------- groups

const GROUPS = [
  [1, '大家', 'g.png', 1, 1, 8, 0, 7, S, S, S],
  [2, 'Lunch', '', 2, 2, 2, 0, 1, S, S, S],
  [3, 'Old', '', 1, 1, 2, 1, 3, S, S, S],
  [4, '', '', 777, 9, 1, 0, 0, S, S, S],
  [6, 'Large', '', 1, 1, 3, 0, 2, S, S, S],
];

const MEMBERS = [
  ...[1, 2, 4].map((user) => [1, user, 0, S, S]),
  [1, 5, 0, S + 50, S], // came later
  [1, 3, 1, S, S], // left
  [1, 2, 0, S, S], // twice
  [1, 777, 0, S, S],
  [2, 2, 0, S, S],
  [2, 4, 0, S, S],
  [3, 1, 0, S, S],
  [4, 1, 0, S, S],
  [6, 1, 0, S, S],
  [6, 2, 0, S + 500, S],
  [6, 4, 0, S + 1_000_000, S],
  [99, 1, 0, S, S], // no such group
];

/** group, user, old id, content, type, status, created */
type InGroup = readonly [number, number, number, string, number, number, number];

function groupMessages(): Map<number, unknown[][]> {
  const t = textBody;
  const rows: InGroup[] = [
    [1, 1, 1, t('welcome'), 17, 0, S + 1],
    [1, 3, 2, t('I am leaving'), 17, 0, S + 2],
    [1, 777, 3, t('nobody knows me'), 17, 0, S + 3],
    [1, 2, 4, t('deleted'), 17, 1, S + 4],
    [1, 2, 5, '4', 18, 0, S + 5], // voice
    [1, 4, 6, t('in the second of joining'), 17, 0, S + 50],
    [1, 2, 7, t('after joining'), 17, 0, S + 51],
    [1, 1, 8, '5', 101, 0, S + 52], // voice as the schema calls it; its address leads out of the store
    [2, 4, 1, t('noodles?'), 17, 0, S + 1],
    [2, 2, 2, t('noodles.'), 17, 0, S + 2],
    [3, 1, 1, t('long ago'), 17, 0, S + 1],
    [98, 1, 1, t('no group'), 17, 0, S],
  ];
  for (let n = 1; n <= OLD.largeGroup; n++) rows.push([6, n % 2 === 0 ? 1 : 2, n, t(`crowd ${n}`), 17, 0, S + n]);
  return byTable(rows.map((row) => [...row, row[6]]));
}

function byTable(rows: readonly (readonly unknown[])[]): Map<number, unknown[][]> {
  const tables = new Map<number, unknown[][]>();
  for (const row of rows) {
    const table = (row[0] as number) % 8;
    const own = tables.get(table);
    if (own === undefined) tables.set(table, [[...row]]);
    else own.push([...row]);
  }
  return tables;
}

const AUDIO = [
  [1, 2, 4, 'http://10.0.0.1:8700/g0/000/000/a.spx', 10, 3, S],
  [2, 4, 2, 'http://10.0.0.1:8700/g0/000/000/missing.spx', 10, 4, S],
  [3, 4, 2, 'http://10.0.0.1:8700/g0/000/000/empty.spx', 0, 5, S],
  [4, 2, 1, 'http://10.0.0.1:8700/g0/000/001/b.spx', 10, 6, S],
  [5, 1, 1, 'http://10.0.0.1:8700/g0/../../../etc/passwd', 10, 7, S],
];

const SESSIONS = [
  [1, 2, 1, 0, S, S],
  [2, 1, 1, 1, S, S], // bob removed alice
  [4, 1, 2, 1, S, S], // dave removed group 1
  [1, 4, 1, 1, S, S], // one row says removed, another not
  [1, 4, 1, 0, S, S],
  [777, 1, 1, 1, S, S],
  [1, 6, 1, 1, S, S], // nothing was ever said
  [1, 2, 5, 1, S, S],
];

// -------------------------------------------------------------------------------------------------------------- schema

const ID = 'id int unsigned not null auto_increment primary key';
const UINT = 'int unsigned not null default 0';
const TIMES = `created ${UINT}, updated ${UINT}`;
const MESSAGE = `content varchar(4096) default '', type tinyint unsigned not null default 1, status int unsigned not null default 0, ${TIMES}`;

/** nick and name are wider than they were, so that they can hold what should not be there. */
const SCHEMA = [
  `create table IMAdmin (${ID}, uname varchar(40), pwd char(32), status ${UINT}, ${TIMES})`,
  `create table IMAudio (${ID}, fromId ${UINT}, toId ${UINT}, path varchar(255) default '', size ${UINT}, duration ${UINT}, created ${UINT})`,
  `create table IMDepart (${ID}, departName varchar(64) not null default '', priority ${UINT}, parentId ${UINT}, status ${UINT}, ${TIMES})`,
  `create table IMGroup (${ID}, name varchar(256) not null default '', avatar varchar(256) not null default '', creator ${UINT},
     type tinyint unsigned not null default 1, userCnt ${UINT}, status tinyint unsigned not null default 1, version ${UINT}, lastChated ${UINT}, ${TIMES})`,
  `create table IMGroupMember (${ID}, groupId ${UINT}, userId ${UINT}, status tinyint unsigned not null default 1, ${TIMES}, key (groupId, userId, status))`,
  `create table IMRecentSession (${ID}, userId ${UINT}, peerId ${UINT}, type tinyint unsigned default 0, status tinyint unsigned default 0, ${TIMES},
     key (userId, peerId, status, updated))`,
  `create table IMRelationShip (${ID}, smallId ${UINT}, bigId ${UINT}, status tinyint unsigned default 0, ${TIMES}, key (smallId, bigId, status, updated))`,
  `create table IMUser (${ID}, sex tinyint unsigned not null default 0, name varchar(100) not null default '', domain varchar(100) not null default '',
     nick varbinary(128) not null default '', password varchar(32) not null default '', salt varchar(4) not null default '',
     phone varchar(11) not null default '', email varchar(64) not null default '', avatar varchar(255) default '', departId ${UINT},
     status tinyint unsigned default 0, ${TIMES}, push_shield_status tinyint unsigned not null default 0, sign_info varchar(128) not null default '',
     key (name))`,
  ...Array.from(
    { length: 8 },
    (
      _,
      n,
    ) => `create table IMMessage_${n} (${ID}, relateId ${UINT}, fromId ${UINT}, toId ${UINT}, msgId ${UINT}, ${MESSAGE},
      key (relateId, status, created), key (relateId, status, msgId, created))`,
  ),
  ...Array.from(
    { length: 8 },
    (_, n) => `create table IMGroupMessage_${n} (${ID}, groupId ${UINT}, userId ${UINT}, msgId ${UINT}, ${MESSAGE},
      key (groupId, status, created), key (groupId, msgId, status, created))`,
  ),
].join(';\n');
