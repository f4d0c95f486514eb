import { createHash } from 'node:crypto';
import mysql from 'mysql2';

/**
 * Reading the database of an original TeamTalk: MySQL or MariaDB, tables as its installation makes them.
 *
 * Nothing is written there. Texts come as the bytes of their UTF-8 (the server converts from whatever a column has), as
 * whether they are valid is for the reader to judge. What may be large is read in portions or as a stream that waits for
 * its reader, so memory is bounded whatever the source holds. Ids are read as numbers; times are Unix seconds.
 */
export const TABLES = 8;
export type MessageKind = 'IMMessage' | 'IMGroupMessage';

export interface TableStats {
  readonly rows: number;
  readonly maxId: number;
}

export interface DepartmentRow {
  readonly id: number;
  readonly name: Buffer;
  readonly priority: number;
  readonly parentId: number;
  readonly status: number;
}

export interface UserRow {
  readonly id: number;
  readonly sex: number;
  readonly name: Buffer;
  readonly domain: Buffer;
  readonly nick: Buffer;
  readonly password: Buffer;
  readonly salt: Buffer;
  readonly phone: Buffer;
  readonly email: Buffer;
  readonly avatar: Buffer;
  readonly departmentId: number;
  readonly status: number;
  readonly created: number;
  readonly pushShield: number;
  readonly signInfo: Buffer;
}

/** All relations of two users: one, or several where the original split them. `low` may equal `high` in ugly data. */
export interface PairRow {
  readonly low: number;
  readonly high: number;
  readonly relationIds: readonly number[];
  /** Relations whose row says removed. */
  readonly removed: number;
}

export interface GroupRow {
  readonly id: number;
  readonly name: Buffer;
  readonly avatar: Buffer;
  readonly creator: number;
  readonly type: number;
  readonly status: number;
  readonly version: number;
  readonly created: number;
}

export interface MemberRow {
  readonly groupId: number;
  readonly userId: number;
  /** 0 member, 1 left. */
  readonly status: number;
  readonly created: number;
}

export interface MessageRow {
  /** 0 to 7. */
  readonly table: number;
  readonly rowId: number;
  /** The relation or the group. */
  readonly ownerId: number;
  readonly senderId: number;
  readonly oldId: number;
  readonly type: number;
  readonly content: Buffer;
  readonly created: number;
}

/** What a relation or a group has in its table. The ids are those of messages that are not deleted. */
export interface Facts {
  readonly rows: number;
  readonly deleted: number;
  readonly distinctIds: number;
  readonly maxId: number;
}

export const NO_FACTS: Facts = { rows: 0, deleted: 0, distinctIds: 0, maxId: 0 };

export interface AudioRow {
  readonly id: number;
  readonly path: Buffer;
  /** Seconds. */
  readonly duration: number;
}

/** A user has a peer or a group on no list any more: each of his rows for it says so. */
export interface RemovedSession {
  readonly userId: number;
  readonly peerId: number;
  /** 1 user, 2 group. */
  readonly type: number;
}

/** Messages that nobody could read: in the wrong table, or without the relation or the group they belong to. */
export interface Orphans {
  readonly ownerId: number;
  readonly rows: number;
}

export class SourceError extends Error {
  override readonly name = 'SourceError';
}

/** host:port with a password, or the socket of a server of our own. */
export type SourceAddress = Pick<
  mysql.ConnectionOptions,
  'host' | 'port' | 'user' | 'password' | 'database' | 'socketPath'
>;

const REQUIRED = [
  ...['IMUser', 'IMDepart', 'IMRelationShip', 'IMRecentSession', 'IMGroup', 'IMGroupMember', 'IMAudio'],
  ...Array.from({ length: TABLES }, (_, n) => `IMMessage_${n}`),
  ...Array.from({ length: TABLES }, (_, n) => `IMGroupMessage_${n}`),
];
/** Known, and not brought over. */
const OTHERS = ['IMAdmin', 'IMDiscovery', 'IMTransmitFile', 'IMConfig', 'IMCallLog'];
const CONNECT_MS_MAX = 10_000;
/** A server gives a reader up that takes nothing for so long; ours may be busy with a group of millions. */
const READER_PAUSE_SECONDS_MAX = 86_400;
const STREAM_ROWS = 1_000;
const STRINGS = new Set(['VAR_STRING', 'STRING', 'VARCHAR', 'BLOB', 'TINY_BLOB', 'MEDIUM_BLOB', 'LONG_BLOB']);

type Cell = number | string | Buffer | null;
type Row = readonly Cell[];

export class Source {
  readonly #address: SourceAddress;
  readonly #connection: mysql.Connection;
  readonly #columns: ReadonlySet<string>;
  readonly stats: ReadonlyMap<string, TableStats>;

  private constructor(
    address: SourceAddress,
    connection: mysql.Connection,
    columns: ReadonlySet<string>,
    stats: ReadonlyMap<string, TableStats>,
  ) {
    this.#address = address;
    this.#connection = connection;
    this.#columns = columns;
    this.stats = stats;
  }

  /** @throws SourceError when it cannot be reached or is no TeamTalk database */
  static async open(address: SourceAddress): Promise<Source> {
    const connection = await connect(address);
    try {
      const columns = await columnsOf(connection);
      const missing = REQUIRED.filter((table) => !columns.has(`${table}.id`.toLowerCase()));
      if (missing.length > 0)
        throw new SourceError(
          `no TeamTalk database: it has no ${missing.slice(0, 3).join(', ')}${missing[3] ? ' …' : ''}`,
        );
      const stats = await statsOf(connection, columns);
      return new Source(address, connection, columns, stats);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  close(): void {
    this.#connection.destroy();
  }

  /** Differs when rows came or went. */
  get fingerprint(): string {
    return fingerprintOf(this.stats);
  }

  async hasChanged(): Promise<boolean> {
    return fingerprintOf(await statsOf(this.#connection, this.#columns)) !== this.fingerprint;
  }

  rowsOf(table: string): number {
    return this.stats.get(table)?.rows ?? 0;
  }

  /** Tables that are not brought over and have rows. */
  get others(): { readonly table: string; readonly rows: number }[] {
    return OTHERS.map((table) => ({ table, rows: this.rowsOf(table) })).filter(({ rows }) => rows > 0);
  }

  /** Message tables that have no index by relation or group: each portion of them takes a look at every row. */
  async slowTables(): Promise<string[]> {
    const rows = await this.#rows(
      `select table_name from information_schema.statistics
        where table_schema = database() and seq_in_index = 1 and lower(column_name) in ('relateid', 'groupid')`,
    );
    const indexed = new Set(rows.map(([name]) => text(name!).toLowerCase()));
    return messageTables().filter((table) => !indexed.has(table.toLowerCase()));
  }

  async *departments(): AsyncGenerator<DepartmentRow> {
    const rows = this.#stream('select id, departName, priority, parentId, status from IMDepart order by id');
    for await (const [id, name, priority, parentId, status] of rows)
      yield {
        id: number(id),
        name: bytes(name),
        priority: number(priority),
        parentId: number(parentId),
        status: number(status),
      };
  }

  async *userIds(): AsyncGenerator<number> {
    for await (const [id] of this.#stream('select id from IMUser')) yield number(id);
  }

  async departmentIds(): Promise<Set<number>> {
    return new Set((await this.#rows('select id from IMDepart')).map(([id]) => number(id)));
  }

  /** Those in service first, as the first of a name keeps it. */
  async *users(): AsyncGenerator<UserRow> {
    const optional = (column: string, value: string) => (this.#has('IMUser', column) ? column : value);
    const rows = this.#stream(
      `select id, sex, name, domain, nick, password, salt, phone, email, avatar, departId, status, created,
              ${optional('push_shield_status', '0')}, ${optional('sign_info', "''")}
         from IMUser order by ifnull(status, 0) = 3, ifnull(status, 0) <> 0, id`,
    );
    for await (const row of rows) {
      const [
        id,
        sex,
        name,
        domain,
        nick,
        password,
        salt,
        phone,
        email,
        avatar,
        departId,
        status,
        created,
        shield,
        sign,
      ] = row;
      yield {
        id: number(id),
        sex: number(sex),
        name: bytes(name),
        domain: bytes(domain),
        nick: bytes(nick),
        password: bytes(password),
        salt: bytes(salt),
        phone: bytes(phone),
        email: bytes(email),
        avatar: bytes(avatar),
        departmentId: number(departId),
        status: number(status),
        created: number(created),
        pushShield: number(shield),
        signInfo: bytes(sign),
      };
    }
  }

  /** By the users' ids, behind the pair given. */
  async *pairs(after: { readonly low: number; readonly high: number }): AsyncGenerator<PairRow> {
    const rows = this.#stream(
      `select least(smallId, bigId) as low, greatest(smallId, bigId) as high, group_concat(id order by id),
              cast(sum(ifnull(status, 0) <> 0) as signed)
         from IMRelationShip group by low, high having low > ? or (low = ? and high > ?) order by low, high`,
      [after.low, after.low, after.high],
    );
    for await (const [low, high, ids, removed] of rows)
      yield {
        low: number(low),
        high: number(high),
        relationIds: text(ids!).split(',').map(Number),
        removed: number(removed),
      };
  }

  async groups(afterId: number, limit: number): Promise<GroupRow[]> {
    const rows = await this.#rows(
      `select id, name, avatar, creator, type, status, version, created from IMGroup where id > ? order by id limit ?`,
      [afterId, limit],
    );
    return rows.map(([id, name, avatar, creator, type, status, version, created]) => ({
      id: number(id),
      name: bytes(name),
      avatar: bytes(avatar),
      creator: number(creator),
      type: number(type),
      status: number(status),
      version: number(version),
      created: number(created),
    }));
  }

  async members(groupIds: readonly number[]): Promise<MemberRow[]> {
    if (groupIds.length === 0) return [];
    const rows = await this.#rows('select groupId, userId, status, created from IMGroupMember where groupId in (?)', [
      groupIds,
    ]);
    return rows.map(([groupId, userId, status, created]) => ({
      groupId: number(groupId),
      userId: number(userId),
      status: number(status),
      created: number(created),
    }));
  }

  /** Rows of groups that do not exist. */
  async orphanMembers(): Promise<number> {
    const rows = await this.#rows(
      'select count(*) from IMGroupMember m left join IMGroup g on g.id = m.groupId where g.id is null',
    );
    return number(rows[0]![0]);
  }

  /** By relation or group; those without rows are left out. Each is looked for in the one table it belongs to. */
  async facts(kind: MessageKind, ownerIds: readonly number[]): Promise<Map<number, Facts>> {
    const owner = OWNER[kind];
    const facts = new Map<number, Facts>();
    for (const [table, ids] of byTable(ownerIds)) {
      const rows = await this.#rows(
        `select ${owner}, count(*), cast(sum(status <> 0) as signed), count(distinct case when status = 0 then msgId end),
                ifnull(max(case when status = 0 then msgId end), 0)
           from ${kind}_${table} where ${owner} in (?) group by ${owner}`,
        [ids],
      );
      for (const [id, all, deleted, distinctIds, maxId] of rows)
        facts.set(number(id), {
          rows: number(all),
          deleted: number(deleted),
          distinctIds: number(distinctIds),
          maxId: number(maxId),
        });
    }
    return facts;
  }

  /** The messages of a few relations or groups that are not deleted, in no order. */
  async messages(kind: MessageKind, ownerIds: readonly number[]): Promise<MessageRow[]> {
    const found: MessageRow[] = [];
    for (const [table, ids] of byTable(ownerIds)) {
      const rows = await this.#rows(`${selectMessages(kind, table)}`, [ids]);
      for (const row of rows) found.push(messageOf(table, row));
    }
    return found;
  }

  /** The messages of one conversation that are not deleted, however many, in the order of messageOrder. */
  async *orderedMessages(kind: MessageKind, ownerIds: readonly number[]): AsyncGenerator<MessageRow> {
    const streams = byTable(ownerIds).map(([table, ids]) => this.#messageStream(kind, table, ids));
    try {
      const heads = await Promise.all(streams.map((stream) => stream.next()));
      for (;;) {
        let first: number | undefined;
        heads.forEach((head, n) => {
          if (head.done === true) return;
          if (first === undefined || messageOrder(head.value, heads[first]!.value as MessageRow) < 0) first = n;
        });
        if (first === undefined) return;
        yield heads[first]!.value as MessageRow;
        heads[first] = await streams[first]!.next();
      }
    } finally {
      for (const stream of streams) await stream.return(undefined);
    }
  }

  async *#messageStream(kind: MessageKind, table: number, ids: readonly number[]): AsyncGenerator<MessageRow> {
    const rows = this.#stream(`${selectMessages(kind, table)} order by created, msgId, id`, [ids]);
    for await (const row of rows) yield messageOf(table, row);
  }

  /**
   * How many messages of each owner and sender are to be brought over, as the source itself counts them.
   * Keys as countKey makes them.
   */
  async countMessages(
    kind: MessageKind,
    ownerIds: readonly number[],
    wanted: { readonly types: readonly number[]; readonly sizeMax: number },
  ): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const [table, ids] of byTable(ownerIds)) {
      const rows = await this.#rows(
        `select ${OWNER[kind]}, ${SENDER[kind]}, count(*) from ${kind}_${table}
          where ${OWNER[kind]} in (?) and status = 0 and type in (?) and length(content) between 1 and ?
          group by 1, 2`,
        [ids, wanted.types, wanted.sizeMax],
      );
      for (const [ownerId, senderId, count] of rows)
        counts.set(countKey(number(ownerId), number(senderId)), number(count));
    }
    return counts;
  }

  async *orphans(kind: MessageKind, table: number): AsyncGenerator<Orphans> {
    const [owner, owners] = [OWNER[kind], kind === 'IMMessage' ? 'IMRelationShip' : 'IMGroup'];
    const rows = this.#stream(
      `select m.${owner}, count(*) from ${kind}_${table} m left join ${owners} o on o.id = m.${owner}
        where o.id is null or m.${owner} % ${TABLES} <> ${table} group by m.${owner}`,
    );
    for await (const [ownerId, count] of rows) yield { ownerId: number(ownerId), rows: number(count) };
  }

  async audio(ids: readonly number[]): Promise<Map<number, AudioRow>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#rows('select id, path, duration from IMAudio where id in (?)', [ids]);
    return new Map(
      rows.map(([id, path, duration]) => [
        number(id),
        { id: number(id), path: bytes(path), duration: number(duration) },
      ]),
    );
  }

  async *removedSessions(after: RemovedSession): AsyncGenerator<RemovedSession> {
    const rows = this.#stream(
      `select userId, peerId, ifnull(type, 0) as kind from IMRecentSession group by userId, peerId, kind
       having min(ifnull(status, 0)) <> 0
          and (userId > ? or (userId = ? and (peerId > ? or (peerId = ? and kind > ?))))
        order by userId, peerId, kind`,
      [after.userId, after.userId, after.peerId, after.peerId, after.type],
    );
    for await (const [userId, peerId, type] of rows)
      yield { userId: number(userId), peerId: number(peerId), type: number(type) };
  }

  #has(table: string, column: string): boolean {
    return this.#columns.has(`${table}.${column}`.toLowerCase());
  }

  #rows(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return rowsFrom(this.#connection, sql, values);
  }

  /** On a connection of its own, which the rows that nobody has taken yet keep busy. */
  async *#stream(sql: string, values: readonly unknown[] = []): AsyncGenerator<Row> {
    const connection = await connect(this.#address);
    try {
      const rows = connection.query(query(sql, values)).stream({ highWaterMark: STREAM_ROWS });
      // A connection that is lost while nothing is asked of it must end the stream, not leave it waiting.
      connection.on('error', (error) => rows.destroy(error));
      for await (const row of rows) yield row as Row;
    } catch (error) {
      throw sourceError(error);
    } finally {
      connection.destroy();
    }
  }
}

const OWNER = { IMMessage: 'relateId', IMGroupMessage: 'groupId' } as const;
const SENDER = { IMMessage: 'fromId', IMGroupMessage: 'userId' } as const;

export function messageTables(): string[] {
  return REQUIRED.filter((table) => /Message_\d$/.test(table));
}

export function tableOf(kind: MessageKind, table: number): string {
  return `${kind}_${table}`;
}

export function countKey(ownerId: number, senderId: number): string {
  return `${ownerId}/${senderId}`;
}

/** The order of messages in a conversation: by time, then by old number, then by row. */
export function messageOrder(a: MessageRow, b: MessageRow): number {
  return a.created - b.created || a.oldId - b.oldId || a.table - b.table || a.rowId - b.rowId;
}

/** @throws SourceError for a URL that is none of mysql://user:password@host:port/database */
export function addressOf(url: string): SourceAddress {
  const wrong = new SourceError('--from: expected mysql://user:password@host:port/database');
  if (!URL.canParse(url)) throw wrong;
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  if (!/^(mysql|mariadb):$/.test(protocol) || hostname === '' || pathname.length < 2) throw wrong;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 3306 : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
}

function selectMessages(kind: MessageKind, table: number): string {
  return `select id, ${OWNER[kind]}, ${SENDER[kind]}, msgId, type, content, created from ${kind}_${table}
           where ${OWNER[kind]} in (?) and status = 0`;
}

function messageOf(table: number, [rowId, ownerId, senderId, oldId, type, content, created]: Row): MessageRow {
  return {
    table,
    rowId: number(rowId),
    ownerId: number(ownerId),
    senderId: number(senderId),
    oldId: number(oldId),
    type: number(type),
    content: bytes(content),
    created: number(created),
  };
}

function byTable(ownerIds: readonly number[]): [number, number[]][] {
  const tables = new Map<number, number[]>();
  for (const id of ownerIds) {
    const part = tables.get(id % TABLES);
    if (part === undefined) tables.set(id % TABLES, [id]);
    else part.push(id);
  }
  return [...tables].sort(([a], [b]) => a - b);
}

async function columnsOf(connection: mysql.Connection): Promise<Set<string>> {
  const rows = await rowsFrom(
    connection,
    'select table_name, column_name from information_schema.columns where table_schema = database()',
    [],
  );
  return new Set(rows.map(([table, column]) => `${text(table!)}.${text(column!)}`.toLowerCase()));
}

async function statsOf(connection: mysql.Connection, columns: ReadonlySet<string>): Promise<Map<string, TableStats>> {
  const stats = new Map<string, TableStats>();
  for (const table of [...REQUIRED, ...OTHERS]) {
    if (!columns.has(`${table}.status`.toLowerCase()) && !columns.has(`${table}.id`.toLowerCase())) continue;
    const id = columns.has(`${table}.id`.toLowerCase()) ? 'ifnull(max(id), 0)' : '0';
    const [row] = await rowsFrom(connection, `select count(*), ${id} from ${table}`, []);
    stats.set(table, { rows: number(row![0]), maxId: number(row![1]) });
  }
  return stats;
}

function fingerprintOf(stats: ReadonlyMap<string, TableStats>): string {
  const words = REQUIRED.map((table) => `${table} ${stats.get(table)!.rows} ${stats.get(table)!.maxId}`);
  return createHash('sha256').update(words.join('\n')).digest('hex');
}

async function connect(address: SourceAddress): Promise<mysql.Connection> {
  const connection = mysql.createConnection({ ...address, charset: 'utf8mb4', connectTimeout: CONNECT_MS_MAX });
  connection.on('error', () => undefined); // what is asked next says so
  try {
    await rowsFrom(
      connection,
      `set session net_write_timeout = ${READER_PAUSE_SECONDS_MAX}, group_concat_max_len = 16777216, sql_mode = ''`,
      [],
    );
    await rowsFrom(connection, 'set session transaction read only', []);
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

function rowsFrom(connection: mysql.Connection, sql: string, values: readonly unknown[]): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    connection.query(query(sql, values), (error, rows) => {
      if (error) reject(sourceError(error));
      else resolve(rows as unknown as Row[]);
    });
  });
}

function query(sql: string, values: readonly unknown[]): mysql.QueryOptions {
  return {
    sql,
    values: [...values],
    rowsAsArray: true,
    typeCast: (field, next) => (STRINGS.has(field.type) ? field.buffer() : next()),
  };
}

function sourceError(error: unknown): SourceError {
  const { code, message } = error as { code?: string; message: string };
  return new SourceError(`the TeamTalk database: ${message || code}`, { cause: error });
}

/** What is computed may come as a decimal, and that as text. */
function number(cell: Cell | undefined): number {
  if (typeof cell === 'string') return Number(cell);
  return typeof cell === 'number' ? cell : 0;
}

function bytes(cell: Cell | undefined): Buffer {
  return Buffer.isBuffer(cell) ? cell : Buffer.alloc(0);
}

function text(cell: Cell): string {
  return bytes(cell).toString();
}
