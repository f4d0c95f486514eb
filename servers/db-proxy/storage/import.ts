import assert from 'node:assert/strict';
import type pg from 'pg';
import { bucketOf, isGroupConversation, userBucketOf, usersOf } from '../../../common/conversation.js';
import type { Logger } from '../../../common/log.js';
import type { DbProxySettings } from '../settings.js';
import { sealMessage } from './attachments.js';
import { DataKeys, requireMasterKey } from './data-keys.js';
import { isUnavailable, openPool } from './database.js';
import { KeyWatch } from './key-watch.js';
import { MasterKeyring } from './master-key.js';
import { migrate } from './migrations.js';
import { distinct, type Shard, Shards } from './shards.js';
import { connectTool, disconnect } from './tool-client.js';
import { hourOf } from './user-lists.js';

/**
 * Taking over what another system has stored, into a cluster that has nothing yet.
 *
 * Messages go in first, in the order of their numbers: one statement moves the head of a conversation and inserts the
 * messages up to it, so a head always tells how far its conversation is, whenever the process was killed. The people
 * come last, in one transaction with everything else of the directory: until all is there and counted, nobody can log
 * in, and a db-proxy that runs meanwhile has nobody to store anything for.
 *
 * One import at a time, held by a lock that PostgreSQL lets go of when the process ends. Effects (meta.outbox_consumer)
 * are for what happens, not for what happened: imported messages leave no rows in the outbox.
 */
export type ImportSettings = Pick<DbProxySettings, 'databaseUrl' | 'masterKey' | 'masterKeyCommand' | 'masterKeyFile'>;

/** The target is not one that this import may write to. Nothing was written. */
export class ImportRefused extends Error {
  override readonly name = 'ImportRefused';
}

export interface ImportIdentity {
  /** A digest of what is read. */
  readonly source: string;
  /** What else the result depends on, for people. */
  readonly options: string;
}

export interface ImportedMessage {
  readonly msgId: number;
  readonly senderId: number;
  readonly msgType: number;
  readonly createTimeMs: number;
  readonly body: Buffer;
  /** 16 bytes. */
  readonly sendId: Buffer;
}

/** Messages that follow each other in a conversation. */
export interface Stretch {
  readonly conversationId: bigint;
  /** The head before: the first message is the next one. */
  readonly after: number;
  readonly messages: readonly ImportedMessage[];
  /** Of the users with the smaller and the larger id, once all messages of a single conversation are there. */
  readonly reads?: { readonly low: number; readonly high: number };
}

export interface Head {
  readonly msgId: number;
  readonly timeMs: number;
  /** Of the newest message; undefined when there is none. */
  readonly sendId: Buffer | undefined;
}

/** What a conversation holds by its own count. A whole one has three times the same number. */
export interface Held {
  readonly head: number;
  readonly count: number;
  readonly newest: number;
}

export interface GroupRead {
  readonly groupConversationId: bigint;
  readonly userId: number;
  readonly readId: number;
}

export interface StagedMember {
  readonly groupId: number;
  readonly userId: number;
  readonly joinedMsgId: number;
  readonly joined: number;
  readonly shield: number;
}

/** A conversation that a user has removed from his list. */
export interface Hidden {
  readonly userId: number;
  readonly conversationId: bigint;
}

export interface PhaseState {
  readonly state: unknown;
  readonly done: boolean;
}

export interface ImportedDepartment {
  readonly id: number;
  readonly name: string;
  readonly priority: number;
  readonly parent_id: number;
  readonly status: number;
}

export interface ImportedUser {
  readonly id: number;
  readonly name: string;
  readonly nick: string;
  readonly domain: string;
  readonly sex: number;
  readonly phone: string;
  readonly email: string;
  readonly avatar: string;
  readonly department_id: number;
  readonly status: number;
  readonly sign_info: string;
  readonly push_shield: number;
  readonly password_hash: string;
  readonly created: number;
}

export interface ImportedGroup {
  readonly id: number;
  readonly name: string;
  readonly avatar: string;
  readonly creator_id: number;
  readonly type: number;
  readonly version: number;
  readonly status: number;
  readonly created: number;
}

export interface ImportedToken {
  readonly user_id: number;
  readonly client_type: number;
  readonly token: string;
}

/** Any constant: the same in all builds. */
const LOCK_ID = 0x7465_696d;
/** The connection of a process that was killed may live on until its last statement ends. */
const LOCK_MS_MAX = 5_000;
const STATEMENT_MESSAGES_MAX = 2_000;
const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;
const CONNECTIONS = 3;
const RETRY_MS_FIRST = 200;
const RETRY_MS_TOTAL = 30_000;
const MOBILE = 2;

export class ImportTarget {
  readonly #meta: pg.Pool;
  readonly #session: pg.Client;
  readonly #keys: DataKeys;
  readonly #watch: KeyWatch;
  readonly #shards: Shards;
  /** Connections without the servers' time limits: counting a large table takes longer than any client would wait. */
  readonly #counting = new Map<string, pg.Client>();
  #startedS = 0;

  private constructor(meta: pg.Pool, session: pg.Client, keys: DataKeys, watch: KeyWatch, shards: Shards) {
    this.#meta = meta;
    this.#session = session;
    this.#keys = keys;
    this.#watch = watch;
    this.#shards = shards;
  }

  /**
   * Migrates what needs it and makes sure of being the only import.
   * @throws ImportRefused when another one runs; SettingsError for a wrong master key
   */
  static async open(settings: ImportSettings, log: Logger): Promise<ImportTarget> {
    const masterKeys = await MasterKeyring.open(settings);
    const meta = openPool(settings.databaseUrl, 'teamtalk import', CONNECTIONS);
    const session = await connectTool(settings.databaseUrl, 'import').catch(async (error) => {
      await meta.end();
      throw error;
    });
    let watch: KeyWatch | undefined;
    try {
      await requireMasterKey(meta, masterKeys); // before anything is touched, the schema included
      await migrate(settings.databaseUrl, 'meta', log);
      await takeLock(session);
      const keys = await DataKeys.open(meta, masterKeys);
      watch = await KeyWatch.start(meta, keys, log);
      const shards = await Shards.open(meta, settings.databaseUrl, CONNECTIONS, log);
      return new ImportTarget(meta, session, keys, watch, shards);
    } catch (error) {
      await watch?.close();
      await Promise.all([meta.end(), session.end()]);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#watch.close();
    await disconnect([this.#session, ...this.#counting.values()]);
    await Promise.all([this.#shards.close(), this.#meta.end()]);
  }

  // ---------------------------------------------------------------------------------------------- where it stands

  /**
   * Takes note of the import, or finds the one that was begun.
   * @throws ImportRefused when somebody or something else is there already
   */
  async begin(identity: ImportIdentity, nowS: number): Promise<'fresh' | 'resumed' | 'finished'> {
    const { rows } = await this.#session.query<{
      source: string;
      options: string;
      started: bigint;
      finished: bigint | null;
    }>('select source, options, started, finished from meta.import');
    const begun = rows[0];
    if (begun === undefined) {
      await this.#refuseUsed();
      await this.#session.query('insert into meta.import (source, options, started) values ($1, $2, $3)', [
        identity.source,
        identity.options,
        nowS,
      ]);
      this.#startedS = nowS;
      return 'fresh';
    }
    if (begun.source !== identity.source)
      throw new ImportRefused(
        begun.finished === null
          ? 'an import into this database was begun from another source, or the source has changed since: give it the same source, or begin with an empty database'
          : 'this database has taken over another source, or the source has changed since',
      );
    if (begun.options !== identity.options)
      throw new ImportRefused(
        `this import was begun with ${begun.options || 'neither Redis nor voices'}, now it is given ${identity.options || 'neither'}: go on with the same, or begin with an empty database`,
      );
    this.#startedS = Number(begun.started);
    return begun.finished === null ? 'resumed' : 'finished';
  }

  /** When the import was begun, Unix seconds. */
  get startedS(): number {
    return this.#startedS;
  }

  async #refuseUsed(): Promise<void> {
    const { rows } = await this.#session.query<{ users: bigint; groups: bigint; departments: bigint }>(
      `select (select count(*) from meta.users) as users, (select count(*) from meta.groups) as groups,
              (select count(*) from meta.department) as departments`,
    );
    const { users, groups, departments } = rows[0]!;
    if (users + groups + departments > 0n)
      throw new ImportRefused(
        `the target is not empty: it has ${users} users, ${groups} groups and ${departments} departments. An import needs a database that nobody has used (npm start -- --no-demo makes one)`,
      );
    const { conversations } = await this.totals();
    if (conversations > 0) throw new ImportRefused(`the target is not empty: it has ${conversations} conversations`);
  }

  async phase(name: string): Promise<PhaseState | undefined> {
    const { rows } = await this.#session.query<PhaseState>(
      'select state, done from meta.import_progress where phase = $1',
      [name],
    );
    return rows[0];
  }

  /** Notes how far a phase is, together with the members of the groups that it has come by. */
  async save(name: string, { state, done }: PhaseState, members: readonly StagedMember[] = []): Promise<void> {
    await this.#session.query(
      `with staged as (
         insert into meta.import_member (group_id, user_id, joined_msg_id, joined, shield)
         select group_id, user_id, joined_msg_id, joined, shield
           from json_to_recordset($4) as m (group_id int, user_id int, joined_msg_id int, joined bigint, shield smallint)
         on conflict (group_id, user_id) do update
           set joined_msg_id = excluded.joined_msg_id, joined = excluded.joined, shield = excluded.shield
       )
       insert into meta.import_progress (phase, state, done) values ($1, $2, $3)
       on conflict (phase) do update set state = excluded.state, done = excluded.done`,
      [name, JSON.stringify(state), done, JSON.stringify(members.map(memberRow))],
    );
  }

  // ----------------------------------------------------------------------------------------------------- messages

  /** How far these conversations are; those that do not exist are left out. */
  async heads(ids: readonly bigint[]): Promise<Map<bigint, Head>> {
    const heads = new Map<bigint, Head>();
    await this.#onShards(ids, bucketOf, async ({ pool }, part) => {
      const { rows } = await pool.query<{ id: bigint; head: number; head_time_ms: bigint; send_id: Buffer | null }>(
        `select c.id, c.head, c.head_time_ms, m.send_id from unnest($1::smallint[], $2::bigint[]) as w (bucket, id)
           join shard.conversation c on c.bucket = w.bucket and c.id = w.id
           left join shard.message m on m.bucket = c.bucket and m.conversation_id = c.id and m.msg_id = c.head
          where shard.readable($3::smallint[])`,
        [part.map(bucketOf), part.map(String), distinct(part.map(bucketOf))],
      );
      for (const row of rows)
        heads.set(row.id, { msgId: row.head, timeMs: Number(row.head_time_ms), sendId: row.send_id ?? undefined });
    });
    return heads;
  }

  /**
   * Stores messages behind the heads of their conversations, which are put on their users' lists first. Conversations
   * of one shard are stored in the order given, a few statements for all.
   * @throws ImportRefused when a head is not where it should be: something else writes to the target
   */
  async write(stretches: readonly Stretch[]): Promise<void> {
    await this.#list(stretches.filter(({ conversationId }) => !isGroupConversation(conversationId)));
    const parts = this.#shards.split(stretches, (stretch) => bucketOf(stretch.conversationId));
    await Promise.all([...parts].map(([shard, part]) => this.#writeOn(shard, part)));
  }

  async #writeOn(shard: Shard, stretches: readonly Stretch[]): Promise<void> {
    for (const slices of statementsOf(stretches)) await this.#statement(shard, slices);
  }

  /** Repeated while PostgreSQL is not to be reached; the heads tell what an attempt of unknown outcome has done. */
  async #statement(shard: Shard, slices: readonly Slice[]): Promise<void> {
    let open = slices;
    await retrying(async (attempt) => {
      if (attempt > 0) open = await this.#missing(open);
      if (open.length === 0) return;
      const { rows } = await this.#shards.settled(() => this.#insert(shard, open));
      if (rows.length !== open.length)
        throw new ImportRefused(
          `${open.length - rows.length} conversations are not where the import left them: something else writes to the target`,
        );
    });
  }

  async #missing(slices: readonly Slice[]): Promise<Slice[]> {
    const heads = await this.heads(slices.map((slice) => slice.id));
    return slices.filter(({ id, after, messages }) => (heads.get(id)?.msgId ?? 0) !== after + messages.length);
  }

  #insert(shard: Shard, slices: readonly Slice[]): Promise<pg.QueryResult> {
    const messages = slices.flatMap((slice) => slice.messages);
    const ids = slices.flatMap(({ id, messages: part }) => part.map(() => id));
    const sealed = messages.map(({ msgId, senderId, msgType, body }, n) =>
      sealMessage(this.#keys, bucketOf(ids[n]!), { conversationId: ids[n]!, msgId, senderId }, msgType, body),
    );
    const pieces: Buffer[] = [];
    const starts: number[] = [];
    let at = 1; // substring counts from 1
    for (const [n, { sendId }] of messages.entries()) {
      assert.equal(sendId.length, SEND_ID_SIZE);
      const { sealed: own, attachment = NOTHING } = sealed[n]!;
      starts.push(at);
      pieces.push(sendId, own, attachment);
      at += sendId.length + own.length + attachment.length;
    }
    return shard.pool.query({
      name: 'import-messages',
      text: INSERT,
      values: [
        distinct(slices.map((slice) => slice.bucket)),
        column(slices, (slice) => slice.bucket),
        column(slices, (slice) => slice.id),
        column(slices, (slice) => slice.after),
        column(slices, (slice) => slice.after + slice.messages.length),
        column(slices, (slice) => slice.messages.at(-1)!.createTimeMs),
        column(slices, (slice) => slice.low),
        column(slices, (slice) => slice.high),
        column(ids, (id) => id),
        column(messages, (message) => message.msgId),
        column(messages, (message) => message.senderId),
        column(messages, (message) => message.msgType),
        column(messages, (message) => message.createTimeMs),
        column(sealed, (each) => each.keyId),
        `{${starts.join(',')}}`,
        Buffer.concat(pieces),
        column(sealed, (each) => each.sealed.length),
        column(sealed, (each) => each.attachment?.length ?? 0),
      ],
    });
  }

  /** Before the messages, as live ones do it: a list entry without messages is seen by nobody. */
  async #list(singles: readonly Stretch[]): Promise<void> {
    const entries = singles.flatMap(({ conversationId: id, messages }) =>
      usersOf(id).map((userId) => ({ userId, id, active: hourOf(messages.at(-1)!.createTimeMs) })),
    );
    await this.#onShards(
      entries,
      (entry) => userBucketOf(entry.userId),
      ({ pool }, part) =>
        pool.query({
          name: 'import-lists',
          text: `with fence as materialized (select shard.writable($1::smallint[]) as open)
                 insert into shard.user_conversation as mine (bucket, user_id, conversation_id, active)
                 select w.bucket, w.user_id, w.id, w.active
                   from unnest($2::smallint[], $3::int[], $4::bigint[], $5::int[]) as w (bucket, user_id, id, active), fence where fence.open
                 on conflict (bucket, user_id, conversation_id) do update set active = excluded.active where mine.active < excluded.active`,
          values: [
            distinct(part.map((entry) => userBucketOf(entry.userId))),
            column(part, (entry) => userBucketOf(entry.userId)),
            column(part, (entry) => entry.userId),
            column(part, (entry) => entry.id),
            column(part, (entry) => entry.active),
          ],
        }),
    );
  }

  /** How far members of groups have read; positions only move forward. */
  async groupReads(reads: readonly GroupRead[]): Promise<void> {
    for (const some of portions(reads, STATEMENT_MESSAGES_MAX)) {
      await this.#onShards(
        some,
        (read) => bucketOf(read.groupConversationId),
        ({ pool }, part) =>
          pool.query({
            name: 'import-group-reads',
            text: `with fence as materialized (select shard.writable($1::smallint[]) as open)
                   insert into shard.group_read as mine (bucket, conversation_id, user_id, read_id)
                   select w.bucket, w.id, w.user_id, w.read_id
                     from unnest($2::smallint[], $3::bigint[], $4::int[], $5::int[]) as w (bucket, id, user_id, read_id), fence where fence.open
                   on conflict (bucket, conversation_id, user_id) do update set read_id = excluded.read_id where mine.read_id < excluded.read_id`,
            values: [
              distinct(part.map((read) => bucketOf(read.groupConversationId))),
              column(part, (read) => bucketOf(read.groupConversationId)),
              column(part, (read) => read.groupConversationId),
              column(part, (read) => read.userId),
              column(part, (read) => read.readId),
            ],
          }),
      );
    }
  }

  /**
   * Takes conversations off lists, up to their heads; everything in them counts as read, as when a client removes one.
   * @returns those that have messages and so were on a list
   */
  async hide(entries: readonly Hidden[]): Promise<Hidden[]> {
    const heads = await this.heads([...new Set(entries.map((entry) => entry.conversationId))]);
    const found = entries.flatMap((entry) => {
      const head = heads.get(entry.conversationId);
      return head === undefined ? [] : [{ ...entry, head: head.msgId, active: hourOf(head.timeMs) }];
    });
    const [singles, groups] = [
      found.filter((entry) => !isGroupConversation(entry.conversationId)),
      found.filter((entry) => isGroupConversation(entry.conversationId)),
    ];
    for (const side of ['low', 'high'] as const) {
      const place = side === 'low' ? 0 : 1;
      const ids = singles.filter((each) => usersOf(each.conversationId)[place] === each.userId);
      await this.#readAll(
        side,
        ids.map((each) => each.conversationId),
      );
    }
    const reads = groups.map((each) => ({
      groupConversationId: each.conversationId,
      userId: each.userId,
      readId: each.head,
    }));
    await this.groupReads(reads);
    await this.#onShards(
      found,
      (entry) => userBucketOf(entry.userId),
      ({ pool }, part) =>
        pool.query({
          name: 'import-hide',
          text: `with fence as materialized (select shard.writable($1::smallint[]) as open)
                 insert into shard.user_conversation as mine (bucket, user_id, conversation_id, hidden_to, active)
                 select w.bucket, w.user_id, w.id, w.head, w.active
                   from unnest($2::smallint[], $3::int[], $4::bigint[], $5::int[], $6::int[]) as w (bucket, user_id, id, head, active), fence
                  where fence.open
                 on conflict (bucket, user_id, conversation_id) do update set hidden_to = excluded.hidden_to where mine.hidden_to < excluded.hidden_to`,
          values: [
            distinct(part.map((entry) => userBucketOf(entry.userId))),
            column(part, (entry) => userBucketOf(entry.userId)),
            column(part, (entry) => entry.userId),
            column(part, (entry) => entry.conversationId),
            column(part, (entry) => entry.head),
            column(part, (entry) => entry.active),
          ],
        }),
    );
    return found;
  }

  #readAll(side: 'low' | 'high', ids: readonly bigint[]): Promise<void> {
    return this.#onShards(ids, bucketOf, ({ pool }, part) =>
      pool.query({
        name: `import-read-${side}`,
        text: `with fence as materialized (select shard.writable($1::smallint[]) as open)
               update shard.conversation c set ${side}_read = c.head
                 from unnest($2::smallint[], $3::bigint[]) as w (bucket, id), fence
                where fence.open and c.bucket = w.bucket and c.id = w.id and c.${side}_read < c.head`,
        values: [distinct(part.map(bucketOf)), column(part, bucketOf), column(part, (id) => id)],
      }),
    );
  }

  // ----------------------------------------------------------------------------------------------------- counting

  /** What these conversations hold; those that do not exist are left out. */
  async held(ids: readonly bigint[]): Promise<Map<bigint, Held>> {
    const held = new Map<bigint, Held>();
    await this.#onShards(ids, bucketOf, async (shard, part) => {
      const { rows } = await (await this.#counter(shard)).query<{
        id: bigint;
        head: number;
        count: bigint;
        newest: number;
      }>({
        name: 'import-held',
        text: `select c.id, c.head, m.count, coalesce(m.newest, 0) as newest
                 from unnest($1::smallint[], $2::bigint[]) as w (bucket, id)
                 join shard.conversation c on c.bucket = w.bucket and c.id = w.id
                 cross join lateral (select count(*) as count, max(msg_id) as newest from shard.message
                   where bucket = c.bucket and conversation_id = c.id) m
                where shard.readable($3::smallint[])`,
        values: [column(part, bucketOf), column(part, (id) => id), distinct(part.map(bucketOf))],
      });
      for (const { id, head, count, newest } of rows) held.set(id, { head, count: Number(count), newest });
    });
    return held;
  }

  /** Of everything on all shards. */
  async totals(): Promise<{ conversations: number; messages: number; hidden: number }> {
    const totals = { conversations: 0, messages: 0, hidden: 0 };
    for (const shard of this.#shards.all) {
      const { rows } = await (await this.#counter(shard)).query<
        Record<'conversations' | 'messages' | 'hidden', bigint>
      >(
        `select (select count(*) from shard.conversation) as conversations, (select count(*) from shard.message) as messages,
                (select count(*) from shard.user_conversation where hidden_to > 0) as hidden`,
      );
      totals.conversations += Number(rows[0]!.conversations);
      totals.messages += Number(rows[0]!.messages);
      totals.hidden += Number(rows[0]!.hidden);
    }
    return totals;
  }

  // ---------------------------------------------------------------------------------------------------- directory

  /**
   * The directory, all of it or nothing: commits when `work` is through and the import with it is finished, and takes
   * everything back when it throws.
   */
  async directory(nowS: number, work: (directory: ImportDirectory) => Promise<void>): Promise<void> {
    await this.#session.query('begin');
    try {
      await work(new ImportDirectory(this.#session));
      for (const table of ['department', 'users', 'groups'])
        await this.#session.query(
          `select setval(pg_get_serial_sequence('meta.${table}', 'id'), greatest((select max(id) from meta.${table}), 1))`,
        );
      await this.#session.query('delete from meta.import_member');
      await this.#session.query('update meta.import set finished = $1', [nowS]);
      await this.#session.query('commit');
    } catch (error) {
      await this.#session.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  /** Asks each shard that holds something of `things` about its part, again while it is not to be reached. */
  async #onShards<T>(
    things: readonly T[],
    bucket: (thing: T) => number,
    ask: (shard: Shard, part: T[]) => Promise<unknown>,
  ): Promise<void> {
    if (things.length === 0) return;
    const all = () => Promise.all([...this.#shards.split(things, bucket)].map(([shard, part]) => ask(shard, part)));
    await retrying(() => this.#shards.settled(all));
  }

  async #counter(shard: Shard): Promise<pg.Client> {
    let client = this.#counting.get(shard.name);
    if (client === undefined) {
      client = await connectTool(shard.url, 'import');
      client.once('end', () => this.#counting.delete(shard.name)); // another one next time
      this.#counting.set(shard.name, client);
    }
    return client;
  }
}

/** Writing the directory, inside its transaction. The rows carry the names of their columns. */
export class ImportDirectory {
  readonly #client: pg.Client;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  /** All under one new stamp: clients that knew the old system ask for what changed since, and get everything once. */
  async addDepartments(rows: readonly ImportedDepartment[]): Promise<void> {
    await this.#client.query(
      `with stamp as (select meta.next_stamp('departments') as value)
       insert into meta.department (id, name, priority, parent_id, status, updated)
       select d.id, d.name, d.priority, d.parent_id, d.status, stamp.value
         from stamp, json_to_recordset($1) as d (id int, name text, priority int, parent_id int, status smallint)`,
      [JSON.stringify(rows)],
    );
  }

  async addUsers(rows: readonly ImportedUser[]): Promise<void> {
    await this.#client.query(
      `with stamp as (select meta.next_stamp('users') as value)
       insert into meta.users (id, name, nick, domain, sex, phone, email, avatar, department_id, status, sign_info, push_shield,
              password_hash, created, updated)
       select u.id, u.name, u.nick, u.domain, u.sex, u.phone, u.email, u.avatar, u.department_id, u.status, u.sign_info, u.push_shield,
              u.password_hash, u.created, stamp.value
         from stamp, json_to_recordset($1) as u (id int, name text, nick text, domain text, sex smallint, phone text, email text,
              avatar text, department_id int, status smallint, sign_info text, push_shield smallint, password_hash text, created bigint)`,
      [JSON.stringify(rows)],
    );
  }

  async addGroups(rows: readonly ImportedGroup[]): Promise<void> {
    await this.#client.query(
      `insert into meta.groups (id, name, avatar, creator_id, type, version, status, created)
       select id, name, avatar, creator_id, type, version, status, created
         from json_to_recordset($1) as g (id int, name text, avatar text, creator_id int, type smallint, version int, status smallint,
              created bigint)`,
      [JSON.stringify(rows)],
    );
  }

  /** Everybody who was noted while the groups' messages went by. */
  async addMembers(): Promise<void> {
    await this.#client.query(
      `insert into meta.group_member (group_id, user_id, joined_msg_id, shield, joined)
       select group_id, user_id, joined_msg_id, shield, joined from meta.import_member`,
    );
  }

  /** All of phones. */
  async addTokens(rows: readonly ImportedToken[]): Promise<void> {
    await this.#client.query(
      `insert into meta.device_token (user_id, class, client_type, token)
       select user_id, ${MOBILE}, client_type, token from json_to_recordset($1) as t (user_id int, client_type smallint, token text)`,
      [JSON.stringify(rows)],
    );
  }

  async counts(): Promise<Record<'departments' | 'users' | 'groups' | 'members' | 'tokens', number>> {
    const { rows } = await this.#client.query<
      Record<'departments' | 'users' | 'groups' | 'members' | 'tokens', number>
    >(
      `select (select count(*)::int from meta.department) as departments, (select count(*)::int from meta.users) as users,
              (select count(*)::int from meta.groups) as groups, (select count(*)::int from meta.group_member) as members,
              (select count(*)::int from meta.device_token) as tokens`,
    );
    return rows[0]!;
  }
}

/** Looks whether an import would be let in, and changes nothing. @returns why not; undefined: it would */
export async function whyNotEmpty(databaseUrl: string): Promise<string | undefined> {
  const client = await connectTool(databaseUrl, 'import');
  try {
    const { rows } = await client.query<{ there: boolean }>("select to_regclass('meta.users') is not null as there");
    if (!rows[0]!.there) return undefined;
    const { rows: counted } = await client.query<{ users: bigint }>('select count(*) as users from meta.users');
    return counted[0]!.users === 0n ? undefined : `the target has ${counted[0]!.users} users already`;
  } finally {
    await client.end();
  }
}

/** A part of a stretch, as it goes into one statement. */
interface Slice {
  readonly bucket: number;
  readonly id: bigint;
  readonly after: number;
  readonly messages: readonly ImportedMessage[];
  readonly low: number;
  readonly high: number;
}

const SEND_ID_SIZE = 16;
const NOTHING = Buffer.alloc(0);

/** A new conversation is inserted, one that was begun is moved on, and only from where it is expected to be. */
const INSERT = `
with fence as materialized (
  select shard.writable($1::smallint[]) as open
), wanted as materialized (
  select h.* from unnest($2::smallint[], $3::bigint[], $4::int[], $5::int[], $6::bigint[], $7::int[], $8::int[])
    as h (bucket, id, expected, head, time_ms, low_read, high_read), fence where fence.open
), made as (
  insert into shard.conversation (bucket, id, head, head_time_ms, low_read, high_read)
  select bucket, id, head, time_ms, low_read, high_read from wanted where expected = 0
  on conflict do nothing returning bucket, id
), moved as (
  update shard.conversation c set head = w.head, head_time_ms = w.time_ms, low_read = w.low_read, high_read = w.high_read
    from wanted w where w.expected > 0 and c.bucket = w.bucket and c.id = w.id and c.head = w.expected
  returning c.bucket, c.id
), held as (
  select bucket, id from made union all select bucket, id from moved
), stored as (
  insert into shard.message (bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed, attached)
  select held.bucket, n.conversation_id, n.msg_id, n.sender_id, n.msg_type, n.time_ms, n.key_id,
         substring($16::bytea from n.at for ${SEND_ID_SIZE}), substring($16::bytea from n.at + ${SEND_ID_SIZE} for n.size), n.also > 0
    from unnest($9::bigint[], $10::int[], $11::int[], $12::smallint[], $13::bigint[], $14::int[], $15::int[], $17::int[], $18::int[])
      as n (conversation_id, msg_id, sender_id, msg_type, time_ms, key_id, at, size, also)
    join held on held.id = n.conversation_id
), attachments as (
  insert into shard.attachment (bucket, conversation_id, msg_id, sealed)
  select held.bucket, n.conversation_id, n.msg_id, substring($16::bytea from n.at + ${SEND_ID_SIZE} + n.size for n.also)
    from unnest($9::bigint[], $10::int[], $15::int[], $17::int[], $18::int[]) as n (conversation_id, msg_id, at, size, also)
    join held on held.id = n.conversation_id where n.also > 0
)
select id from held`;

/** Cuts stretches where a statement is full. The read positions go in with the last slice of theirs. */
function* statementsOf(stretches: readonly Stretch[]): Generator<Slice[]> {
  let slices: Slice[] = [];
  let count = 0;
  let bytes = 0;
  for (const { conversationId: id, after, messages, reads } of stretches) {
    for (let from = 0; from < messages.length; ) {
      let to = from;
      while (to < messages.length && count < STATEMENT_MESSAGES_MAX && bytes < STATEMENT_BYTES_MAX) {
        bytes += messages[to]!.body.length;
        count++;
        to++;
      }
      const whole = to === messages.length ? reads : undefined;
      if (to > from)
        slices.push({
          bucket: bucketOf(id),
          id,
          after: after + from,
          messages: messages.slice(from, to),
          low: whole?.low ?? 0,
          high: whole?.high ?? 0,
        });
      from = to;
      if (count < STATEMENT_MESSAGES_MAX && bytes < STATEMENT_BYTES_MAX) continue;
      yield slices;
      [slices, count, bytes] = [[], 0, 0];
    }
  }
  if (slices.length > 0) yield slices;
}

async function takeLock(session: pg.Client): Promise<void> {
  for (const deadline = performance.now() + LOCK_MS_MAX; ; ) {
    const { rows } = await session.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [LOCK_ID]);
    if (rows[0]!.taken) return;
    if (performance.now() > deadline) throw new ImportRefused('another import into this database is running');
    await pause(RETRY_MS_FIRST);
  }
}

async function retrying(work: (attempt: number) => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + RETRY_MS_TOTAL;
  for (let attempt = 0, ms = RETRY_MS_FIRST; ; attempt++, ms *= 2) {
    try {
      await work(attempt);
      return;
    } catch (error) {
      if (error instanceof ImportRefused || !isUnavailable(error) || performance.now() > deadline) throw error;
      await pause(ms);
    }
  }
}

function memberRow(member: StagedMember) {
  return {
    group_id: member.groupId,
    user_id: member.userId,
    joined_msg_id: member.joinedMsgId,
    joined: member.joined,
    shield: member.shield,
  };
}

function* portions<T>(things: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < things.length; from += size) yield things.slice(from, from + size);
}

/** An array literal of PostgreSQL; half the work of the driver's own, which has to expect any text. */
function column<T>(rows: readonly T[], value: (row: T) => number | bigint): string {
  return `{${rows.map(value).join(',')}}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
