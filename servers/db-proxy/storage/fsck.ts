import { createHash, type Hash } from 'node:crypto';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import {
  bucketOf,
  groupConversation,
  groupOf,
  isGroupConversation,
  isGroupId,
  isUserId,
  userBucketOf,
  usersOf,
} from '../../../common/conversation.js';
import { BUCKETS } from '../../../common/limits.js';
import { ATTACHMENT, openMessage, type SealedWhole } from './attachments.js';
import { DataKeys, UnopenableError } from './data-keys.js';
import type { MasterKeyring } from './master-key.js';
import { shardByBucket } from './placement.js';
import { requireCurrent } from './schema.js';
import { type ShardClient, ShardClients } from './shard-clients.js';

/**
 * Looks whether everything at rest agrees with everything else, and changes nothing.
 *
 * Tables are walked in the order of their keys, a page a statement. A statement sees one moment, and what is compared
 * within it (a head and its messages) moves in one transaction, so a cluster may go on working meanwhile. What is
 * compared across statements only ever moves forward, and the side that has to be ahead is read later. Only the moving
 * of buckets would make sound rows look misplaced: when the map has changed by the end, findings say nothing.
 */
export const FINDINGS = {
  'bucket-map': 'the map in meta has not exactly one shard for each bucket',
  'shard-bucket': "a shard's own list of buckets is not what the map says",
  'bucket-number': 'a row has another bucket than its conversation or user',
  'misplaced-bucket': 'rows of a bucket on a shard that the map does not name for it',
  head: 'the head of a conversation is not its newest message',
  gap: 'ids between the first kept message and the newest that have no message',
  'first-kept': 'the first kept id lies outside of the conversation',
  'not-removed': 'messages below the first kept id',
  'read-position': 'a read position beyond the head',
  'unknown-user': 'a row of a user who does not exist',
  'unknown-group': 'a row of a group that does not exist',
  'no-conversation': 'an id that no conversation can have',
  'list-entry': "a single conversation that is not on both users' lists",
  'foreign-entry': 'a conversation on the list of a user it is not of',
  'hidden-to': 'removed from a list up to beyond the head',
  joined: 'a member who joined beyond the head of the group',
  'orphan-message': 'messages without a conversation',
  'orphan-read': 'read positions without a group conversation',
  'orphan-effect': 'effects to be done for messages that never were',
  'send-id-index': 'nothing keeps a send_id from being used twice',
  'send-id-twice': 'messages of one sender with the same send_id',
  'no-attachment': 'a voice message without its sound',
  'orphan-attachment': 'sound of voice messages that are not there, or hold it themselves',
  'data-key': 'a data key that is missing, or of another bucket',
  body: 'a message that does not open with its data key',
  sequence: 'ids that would be given twice',
} as const;

export type FindingKind = keyof typeof FINDINGS;

export interface Finding {
  readonly kind: FindingKind;
  /** The shard, or `meta`. */
  readonly where: string;
  readonly what: string;
}

export interface FsckOptions {
  readonly databaseUrl: string;
  /** Which share of the bodies is opened, 0 to 1; of a sample, the newest of each conversation always. */
  readonly open: number;
  /** Needed for opening. */
  readonly masterKeys?: MasterKeyring;
  readonly digest: boolean;
  /** Hears how far it is, after each page. */
  hear(doing: string, rows: number): void;
}

export interface BucketDigest {
  readonly bucket: number;
  readonly shard: string;
  readonly messages: number;
  /**
   * SHA-256, hex: equal for equal rows, wherever they are; of messages and what is attached to them. They never change,
   * the rest does as people read.
   */
  readonly messageDigest: string;
  /** Of heads, read positions and lists. */
  readonly stateDigest: string;
}

export interface FsckReport {
  readonly whole: boolean;
  readonly conversations: number;
  readonly messages: number;
  readonly opened: number;
  /** Not opened because their data key was destroyed on purpose. */
  readonly destroyed: number;
  /** How many of each kind there are. */
  readonly counts: Partial<Record<FindingKind, number>>;
  /** The first of each kind. */
  readonly findings: readonly Finding[];
  readonly digests?: readonly BucketDigest[];
}

/** The check could not be made; it says nothing about the data. */
export class FsckError extends Error {
  override readonly name = 'FsckError';
}

const PAGE = 1_000;
const BODIES_PAGE_BYTES = 8 * 1024 * 1024;
const BODIES_PAGE_MIN = 20;
const KEPT_PER_KIND = 100;
/** For SQL: a BodyRow. */
const BODY =
  'm.bucket, m.conversation_id, m.msg_id, m.sender_id, m.key_id, m.sealed, m.attached, a.sealed as attachment';
const FIRST_BUCKET = -(2 ** 15);
const FIRST_ID = String(-(2n ** 63n));

/** @throws FsckError, SchemaError, SettingsError (wrong master key), or what PostgreSQL says: it could not be checked */
export async function fsck(options: FsckOptions): Promise<FsckReport> {
  const clients = await ShardClients.open(options.databaseUrl, 'fsck', (meta) => requireCurrent(meta, 'meta', 'meta'));
  try {
    for (const shard of clients.all) await requireCurrent(shard.client, 'shard', `${shard.name} (${shard.place})`);
    return await new Fsck(clients, options).run();
  } finally {
    await clients.close();
  }
}

interface ConversationRow {
  readonly bucket: number;
  readonly id: bigint;
  readonly head: number;
  readonly first_kept: number;
  /** The furthest read position of anybody. */
  readonly read: number;
  readonly kept: number;
  readonly low: number | null;
  readonly high: number | null;
}

interface BodyRow extends SealedWhole {
  readonly bucket: number;
  readonly conversation_id: bigint;
  readonly msg_id: number;
  readonly sender_id: number;
}

interface ListRow {
  readonly bucket: number;
  readonly user_id: number;
  readonly conversation_id: bigint;
  readonly hidden_to: number;
}

class Fsck {
  readonly #clients: ShardClients;
  readonly #options: FsckOptions;
  readonly #findings = new Map<FindingKind, { count: number; first: Finding[] }>();
  #keys: DataKeys | undefined;
  /** By id. */
  #keyBuckets = new Map<number, { bucket: number; destroyed: boolean }>();
  #conversations = 0;
  #messages = 0;
  #opened = 0;
  #destroyed = 0;

  constructor(clients: ShardClients, options: FsckOptions) {
    this.#clients = clients;
    this.#options = options;
  }

  async run(): Promise<FsckReport> {
    await this.#checkMap();
    await this.#checkSequences(this.#clients.meta, 'meta', 'meta');
    const hasKeys = await this.#checkKeys();
    if (hasKeys && this.#options.open > 0) await this.#openKeys();
    for (const shard of this.#clients.all) await this.#checkShard(shard);
    await this.#checkMembers();
    const digests = this.#options.digest ? await this.#digests() : undefined;
    await this.#requireSameMap();
    return this.#report(digests);
  }

  #found(kind: FindingKind, where: string, what: string): void {
    const seen = this.#findings.get(kind) ?? { count: 0, first: [] };
    seen.count++;
    if (seen.first.length < KEPT_PER_KIND) seen.first.push({ kind, where, what });
    this.#findings.set(kind, seen);
  }

  #report(digests: BucketDigest[] | undefined): FsckReport {
    const found = [...this.#findings.entries()];
    return {
      whole: found.length === 0,
      conversations: this.#conversations,
      messages: this.#messages,
      opened: this.#opened,
      destroyed: this.#destroyed,
      counts: Object.fromEntries(found.map(([kind, { count }]) => [kind, count])),
      findings: found.flatMap(([, { first }]) => first),
      ...(digests === undefined ? {} : { digests }),
    };
  }

  async #requireSameMap(): Promise<void> {
    const { rows } = await this.#clients.meta.query<{ version: bigint }>('select version from meta.bucket_map');
    if (this.#findings.size > 0 && rows[0]?.version !== this.#clients.placement.version)
      throw new FsckError('buckets have moved between shards meanwhile, so what was found says nothing: check again');
  }

  // ---- meta ----

  async #checkMap(): Promise<void> {
    const { placement, meta } = this.#clients;
    const holes = [...shardByBucket(placement).entries()].filter(([, shard]) => shard === undefined);
    for (const [bucket] of holes) this.#found('bucket-map', 'meta', `bucket ${bucket} has no shard`);
    const beyond = placement.shards
      .flatMap((shard) => shard.buckets)
      .filter((bucket) => bucket < 0 || bucket >= BUCKETS);
    for (const bucket of beyond) this.#found('bucket-map', 'meta', `there is no bucket ${bucket}`);
    const { rows } = await meta.query<{ versions: bigint }>('select count(*) as versions from meta.bucket_map');
    if (rows[0]!.versions !== 1n) this.#found('bucket-map', 'meta', `it has ${rows[0]!.versions} versions`);
  }

  /** @returns whether there is anything to open messages with */
  async #checkKeys(): Promise<boolean> {
    await this.#readKeyBuckets();
    if (this.#keyBuckets.size === 0) return false; // no db-proxy has ever started on it
    const having = new Set([...this.#keyBuckets.values()].map((key) => key.bucket));
    const without = Array.from({ length: BUCKETS }, (_, bucket) => bucket).filter((bucket) => !having.has(bucket));
    for (const bucket of without) this.#found('data-key', 'meta', `bucket ${bucket} has none`);
    return true;
  }

  async #readKeyBuckets(): Promise<void> {
    const { rows } = await this.#clients.meta.query<{ id: number; bucket: number; destroyed: boolean }>(
      'select id, bucket, wrapped is null as destroyed from meta.data_key',
    );
    this.#keyBuckets = new Map(rows.map(({ id, ...key }) => [id, key]));
  }

  async #openKeys(): Promise<void> {
    const { masterKeys } = this.#options;
    if (masterKeys === undefined) throw new FsckError('opening messages needs the master key');
    this.#keys = await DataKeys.open(this.#clients.meta, masterKeys, { create: false });
  }

  async #checkSequences(client: pg.Client, schema: string, where: string): Promise<void> {
    const { rows } = await client.query<{ table: string; column: string; sequence: string }>(
      `select c.oid::regclass::text as table, quote_ident(a.attname) as column, pg_get_serial_sequence(c.oid::regclass::text, a.attname) as sequence
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = to_regnamespace($1) and c.relkind = 'r' and pg_get_serial_sequence(c.oid::regclass::text, a.attname) is not null`,
      [schema],
    );
    for (const { table, column, sequence } of rows) {
      const { rows: values } = await client.query<{ max: string | null; last: string; called: boolean }>(
        `select (select max(${column})::text from ${table}) as max, last_value::text as last, is_called as called from ${sequence}`,
      );
      if (values[0] === undefined) {
        this.#found('sequence', where, `${table}: there is nothing in ${sequence}, so there is no next id`);
        continue;
      }
      const { max, last, called } = values[0];
      const next = BigInt(last) + (called ? 1n : 0n);
      if (max !== null && next <= BigInt(max))
        this.#found('sequence', where, `${table}: the next id is ${next}, there is a ${max}`);
    }
  }

  async #checkMembers(): Promise<void> {
    let seen = 0;
    for (let after: readonly [number, number] = [0, 0]; ; ) {
      const { rows } = await this.#clients.meta.query<{ group_id: number; user_id: number; joined_msg_id: number }>(
        `select group_id, user_id, joined_msg_id from meta.group_member
          where joined_msg_id > 0 and (group_id, user_id) > ($1, $2) order by group_id, user_id limit $3`,
        [...after, PAGE],
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.group_id, last.user_id];
      seen += rows.length;
      this.#options.hear('meta members', seen);
      const heads = await this.#clients.heads(rows.map((row) => groupConversation(row.group_id)));
      for (const row of rows) {
        const head = heads.get(groupConversation(row.group_id)) ?? 0;
        if (row.joined_msg_id > head)
          this.#found(
            'joined',
            'meta',
            `user ${row.user_id} joined group ${row.group_id} at ${row.joined_msg_id}, its head is ${head}`,
          );
      }
    }
  }

  // ---- a shard ----

  async #checkShard(shard: ShardClient): Promise<void> {
    await this.#checkOwnBuckets(shard);
    await this.#checkSequences(shard.client, 'shard', shard.name);
    await this.#checkSendIds(shard);
    await this.#checkConversations(shard);
    await this.#checkOrphanMessages(shard);
    await this.#checkAttachments(shard);
    await this.#checkReads(shard);
    await this.#checkLists(shard);
    await this.#checkEffects(shard);
    if (this.#keys !== undefined && this.#options.open >= 1) await this.#openAll(shard);
  }

  /** Buckets on their way to or from this shard: whatever of them is here is in order. */
  #moving(shard: ShardClient): Set<number> {
    const moves = this.#clients.placement.moves.filter(
      (move) => move.source === shard.name || move.target === shard.name,
    );
    return new Set(moves.map((move) => move.bucket));
  }

  async #checkOwnBuckets(shard: ShardClient): Promise<void> {
    const { rows: claims } = await this.#clients.meta.query<{ claimed: boolean }>(
      'select claimed from meta.shard where name = $1',
      [shard.name],
    );
    if (claims[0]?.claimed !== true) return; // no server has been there yet
    const { rows } = await shard.client.query<{ bucket: number }>('select bucket from shard.bucket');
    const own = new Set(rows.map((row) => row.bucket));
    const moving = this.#moving(shard);
    const still = (bucket: number) => !moving.has(bucket);
    for (const bucket of [...shard.buckets].filter((bucket) => !own.has(bucket) && still(bucket)))
      this.#found('shard-bucket', shard.name, `bucket ${bucket} should be here, the shard does not know`);
    for (const bucket of [...own].filter((bucket) => !shard.buckets.has(bucket) && still(bucket)))
      this.#found('shard-bucket', shard.name, `the shard has bucket ${bucket}, the map has it elsewhere`);
  }

  async #checkSendIds({ client, name }: ShardClient): Promise<void> {
    const { rows } = await client.query(
      `select from pg_index i where i.indrelid = 'shard.message'::regclass and i.indisunique and i.indisvalid and i.indpred is null
          and (select array_agg(a.attname::text order by a.attname::text) from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any (i.indkey))
              = '{bucket,conversation_id,send_id,sender_id}'`,
    );
    if (rows.length > 0) return;
    this.#found('send-id-index', name, 'shard.message has no unique index on bucket, conversation, sender and send_id');
    const twice = await client.query<{ conversation_id: bigint; sender_id: number; ids: number[] }>(
      `select conversation_id, sender_id, array_agg(msg_id order by msg_id) as ids from shard.message
        group by bucket, conversation_id, sender_id, send_id having count(*) > 1 limit ${KEPT_PER_KIND}`,
    );
    for (const row of twice.rows)
      this.#found(
        'send-id-twice',
        name,
        `${named(row.conversation_id)}: messages ${row.ids.join(', ')} of user ${row.sender_id}`,
      );
  }

  async #checkConversations(shard: ShardClient): Promise<void> {
    const moving = this.#moving(shard);
    let seen = 0;
    for (let after: readonly [number, string] = [FIRST_BUCKET, FIRST_ID]; ; ) {
      const { rows } = await shard.client.query<ConversationRow>({
        name: 'fsck-conversations',
        text: `select c.bucket, c.id, c.head, c.first_kept, greatest(c.low_read, c.high_read, g.read) as read, m.kept, m.low, m.high
                 from (select * from shard.conversation where (bucket, id) > ($1, $2) order by bucket, id limit $3) c
                 cross join lateral (select count(*) filter (where msg_id >= c.first_kept)::int as kept, min(msg_id) as low, max(msg_id) as high
                   from shard.message where bucket = c.bucket and conversation_id = c.id) m
                 cross join lateral (select max(read_id) as read from shard.group_read where bucket = c.bucket and conversation_id = c.id) g
                order by c.bucket, c.id`,
        values: [...after, PAGE],
      });
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.bucket, String(last.id)];
      seen += rows.length;
      for (const row of rows) {
        this.#conversations++;
        this.#messages += row.kept;
        await this.#checkConversation(shard, row, moving);
      }
      await this.#checkPeople(shard, rows);
      if (this.#keys !== undefined && this.#options.open < 1) await this.#openSample(shard, rows);
      this.#options.hear(`${shard.name} conversations`, seen);
    }
  }

  async #checkConversation(shard: ShardClient, row: ConversationRow, moving: ReadonlySet<number>): Promise<void> {
    const say = (kind: FindingKind, what: string) => this.#found(kind, shard.name, `${named(row.id)}: ${what}`);
    const { head, first_kept: first, kept, low, high } = row;
    if (row.bucket !== bucketOf(row.id)) say('bucket-number', `in bucket ${row.bucket} instead of ${bucketOf(row.id)}`);
    if (!shard.buckets.has(row.bucket) && !moving.has(row.bucket)) say('misplaced-bucket', `bucket ${row.bucket}`);
    // On its way, a conversation is only whole where the map says it is.
    if (moving.has(row.bucket) && !shard.buckets.has(row.bucket)) return;
    if (first < 1 || first > head + 1) say('first-kept', `the first kept id is ${first}, the head ${head}`);
    if (row.read > head) say('read-position', `read up to ${row.read}, the head is ${head}`);
    if (low !== null && low < first) say('not-removed', `message ${low} is there, the first kept id is ${first}`);
    if (high !== null && high !== head) say('head', `the head is ${head}, the newest message ${high}`);
    const missing = (high ?? head) - Math.max(first, 1) + 1 - kept;
    if (missing > 0) say('gap', `${missing} missing, the first of them ${await firstMissing(shard, row)}`);
  }

  /** Users, groups and list entries of a page of conversations. */
  async #checkPeople(shard: ShardClient, rows: readonly ConversationRow[]): Promise<void> {
    const singles = rows.filter((row) => !isGroupConversation(row.id));
    const valid = singles.filter((row) => usersOf(row.id).every(isUserId) && usersOf(row.id)[0] < usersOf(row.id)[1]);
    const groups = rows.filter((row) => isGroupConversation(row.id));
    for (const row of singles) if (!valid.includes(row)) this.#found('no-conversation', shard.name, `${row.id}`);
    for (const row of groups)
      if (!isGroupId(groupOf(row.id)) || groupConversation(groupOf(row.id)) !== row.id)
        this.#found('no-conversation', shard.name, `${row.id}`);
    const unknown = await this.#unknown(
      'users',
      valid.flatMap((row) => [...usersOf(row.id)]),
    );
    const strange = await this.#unknown('groups', groups.map((row) => groupOf(row.id)).filter(isGroupId));
    for (const row of valid)
      for (const id of usersOf(row.id))
        if (unknown.has(id)) this.#found('unknown-user', shard.name, `${named(row.id)}: there is no user ${id}`);
    for (const row of groups) if (strange.has(groupOf(row.id))) this.#found('unknown-group', shard.name, named(row.id));
    await this.#checkListed(valid.filter((row) => row.head > 0));
  }

  async #checkListed(rows: readonly ConversationRow[]): Promise<void> {
    const entries = rows.flatMap((row) => usersOf(row.id).map((userId) => ({ userId, id: row.id })));
    for (const [{ client, name }, part] of this.#clients.split(entries, (entry) => userBucketOf(entry.userId))) {
      const { rows: missing } = await client.query<{ user_id: number; id: bigint }>({
        name: 'fsck-listed',
        text: `select w.user_id, w.id from unnest($1::smallint[], $2::int[], $3::bigint[]) as w (bucket, user_id, id)
                where not exists (select from shard.user_conversation l
                  where l.bucket = w.bucket and l.user_id = w.user_id and l.conversation_id = w.id)`,
        values: [part.map((e) => userBucketOf(e.userId)), part.map((e) => e.userId), part.map((e) => String(e.id))],
      });
      for (const entry of missing)
        this.#found('list-entry', name, `${named(entry.id)} is not on the list of user ${entry.user_id}`);
    }
  }

  /** Those of the ids that are not in the directory. */
  async #unknown(table: 'users' | 'groups', ids: readonly number[]): Promise<Set<number>> {
    const { rows } = await this.#clients.meta.query<{ id: number }>({
      name: `fsck-unknown-${table}`,
      text: `select w.id from unnest($1::int[]) as w (id) where not exists (select from meta.${table} t where t.id = w.id)`,
      values: [[...new Set(ids)]],
    });
    return new Set(rows.map((row) => row.id));
  }

  /** Goes from conversation to conversation along the key of the messages, without reading the messages between. */
  async #checkOrphanMessages(shard: ShardClient): Promise<void> {
    const moving = this.#moving(shard);
    let seen = 0;
    for (let after: readonly [number, string] = [FIRST_BUCKET, FIRST_ID]; ; ) {
      const { rows } = await shard.client.query<{ bucket: number; id: bigint; orphan: boolean }>({
        name: 'fsck-orphans',
        text: `with recursive step as (
                 (select bucket, conversation_id as id, 1 as n from shard.message
                   where (bucket, conversation_id) > ($1, $2) order by bucket, conversation_id limit 1)
                 union all
                 select next.* from step cross join lateral (
                   select m.bucket, m.conversation_id, step.n + 1 from shard.message m
                    where (m.bucket, m.conversation_id) > (step.bucket, step.id) order by m.bucket, m.conversation_id limit 1) next
                  where step.n < $3
               )
               select step.bucket, step.id, not exists (
                 select from shard.conversation c where c.bucket = step.bucket and c.id = step.id) as orphan from step order by 1, 2`,
        values: [...after, PAGE],
      });
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.bucket, String(last.id)];
      seen += rows.length;
      this.#options.hear(`${shard.name} orphans`, seen);
      for (const row of rows)
        if (row.orphan && !moving.has(row.bucket))
          this.#found(
            'orphan-message',
            shard.name,
            `${named(row.id)} in bucket ${row.bucket} has messages and no row of its own`,
          );
    }
  }

  /** Two walks through one table each, so that every hit is of one moment. Half copies of a bucket on its way do not count. */
  async #checkAttachments({ client, name, buckets }: ShardClient): Promise<void> {
    const { rows: without } = await client.query<{ conversation_id: bigint; msg_id: number }>(
      `select m.conversation_id, m.msg_id from shard.message m
        where m.attached and m.bucket = any ($1::smallint[]) and not exists (select from shard.attachment a
          where a.bucket = m.bucket and a.conversation_id = m.conversation_id and a.msg_id = m.msg_id)
        limit ${KEPT_PER_KIND}`,
      [[...buckets]],
    );
    for (const row of without)
      this.#found('no-attachment', name, `message ${row.msg_id} of ${named(row.conversation_id)}`);
    const { rows: orphans } = await client.query<{ conversation_id: bigint; msg_id: number }>(
      `select a.conversation_id, a.msg_id from shard.attachment a
        where a.bucket = any ($1::smallint[]) and not exists (select from shard.message m
          where m.attached and m.bucket = a.bucket and m.conversation_id = a.conversation_id and m.msg_id = a.msg_id)
        limit ${KEPT_PER_KIND}`,
      [[...buckets]],
    );
    for (const row of orphans)
      this.#found('orphan-attachment', name, `message ${row.msg_id} of ${named(row.conversation_id)}`);
  }

  async #checkReads(shard: ShardClient): Promise<void> {
    const moving = this.#moving(shard);
    let seen = 0;
    for (let after: readonly [number, string, number] = [FIRST_BUCKET, FIRST_ID, 0]; ; ) {
      const { rows } = await shard.client.query<{ bucket: number; id: bigint; user_id: number; orphan: boolean }>({
        name: 'fsck-reads',
        text: `select g.bucket, g.conversation_id as id, g.user_id, c.id is null as orphan
                 from (select * from shard.group_read where (bucket, conversation_id, user_id) > ($1, $2, $3)
                        order by bucket, conversation_id, user_id limit $4) g
                 left join shard.conversation c on c.bucket = g.bucket and c.id = g.conversation_id
                order by g.bucket, g.conversation_id, g.user_id`,
        values: [...after, PAGE],
      });
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.bucket, String(last.id), last.user_id];
      seen += rows.length;
      this.#options.hear(`${shard.name} read positions`, seen);
      const unknown = await this.#unknown(
        'users',
        rows.map((row) => row.user_id),
      );
      for (const row of rows.filter((each) => !moving.has(each.bucket))) {
        if (row.orphan || !isGroupConversation(row.id))
          this.#found('orphan-read', shard.name, `user ${row.user_id} in ${named(row.id)}`);
        if (unknown.has(row.user_id))
          this.#found('unknown-user', shard.name, `read position of user ${row.user_id} in ${named(row.id)}`);
      }
    }
  }

  async #checkLists(shard: ShardClient): Promise<void> {
    let seen = 0;
    for (let after: readonly [number, number, string] = [FIRST_BUCKET, 0, FIRST_ID]; ; ) {
      const { rows } = await shard.client.query<ListRow>({
        name: 'fsck-lists',
        text: `select bucket, user_id, conversation_id, hidden_to from shard.user_conversation
                where (bucket, user_id, conversation_id) > ($1, $2, $3) order by bucket, user_id, conversation_id limit $4`,
        values: [...after, PAGE],
      });
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.bucket, last.user_id, String(last.conversation_id)];
      seen += rows.length;
      this.#options.hear(`${shard.name} lists`, seen);
      await this.#checkListPage(shard, rows);
    }
  }

  async #checkListPage(shard: ShardClient, rows: readonly ListRow[]): Promise<void> {
    const moving = this.#moving(shard);
    const unknown = await this.#unknown(
      'users',
      rows.map((row) => row.user_id),
    );
    const groups = rows.filter((row) => isGroupConversation(row.conversation_id));
    const strange = await this.#unknown('groups', groups.map((row) => groupOf(row.conversation_id)).filter(isGroupId));
    const heads = await this.#clients.heads(rows.filter((row) => row.hidden_to > 0).map((row) => row.conversation_id));
    for (const row of rows) {
      const { user_id: userId, conversation_id: id, hidden_to: hiddenTo } = row;
      const say = (kind: FindingKind, what: string) =>
        this.#found(kind, shard.name, `list of user ${userId}: ${named(id)}${what}`);
      if (unknown.has(userId)) say('unknown-user', '; there is no such user');
      if (row.bucket !== userBucketOf(userId))
        say('bucket-number', ` in bucket ${row.bucket} instead of ${userBucketOf(userId)}`);
      if (!shard.buckets.has(row.bucket) && !moving.has(row.bucket))
        say('misplaced-bucket', ` in bucket ${row.bucket}`);
      if (isGroupConversation(id) && strange.has(groupOf(id))) say('unknown-group', '');
      if (!isGroupConversation(id) && !usersOf(id).includes(userId)) say('foreign-entry', '');
      if (hiddenTo > (heads.get(id) ?? 0))
        say('hidden-to', ` removed up to ${hiddenTo}, the head is ${heads.get(id) ?? 0}`);
    }
  }

  async #checkEffects({ client, name }: ShardClient): Promise<void> {
    const { rows } = await client.query<{ consumer: number; conversation_id: bigint; msg_id: number }>(
      `select o.consumer, o.conversation_id, o.msg_id from shard.outbox o
        where not exists (select from shard.conversation c where c.bucket = o.bucket and c.id = o.conversation_id and c.head >= o.msg_id)
        limit ${KEPT_PER_KIND}`,
    );
    for (const row of rows)
      this.#found(
        'orphan-effect',
        name,
        `consumer ${row.consumer}: message ${row.msg_id} of ${named(row.conversation_id)}`,
      );
  }

  // ---- bodies ----

  async #openAll(shard: ShardClient): Promise<void> {
    let limit = BODIES_PAGE_MIN;
    let seen = 0;
    for (let after: readonly [number, string, number] = [FIRST_BUCKET, FIRST_ID, 0]; ; ) {
      const { rows } = await shard.client.query<BodyRow>({
        name: 'fsck-bodies',
        text: `select ${BODY} from shard.message m ${ATTACHMENT}
                where (m.bucket, m.conversation_id, m.msg_id) > ($1, $2, $3) order by m.bucket, m.conversation_id, m.msg_id limit $4`,
        values: [...after, limit],
      });
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.bucket, String(last.conversation_id), last.msg_id];
      for (const row of rows) await this.#open(shard, row);
      seen += rows.length;
      this.#options.hear(`${shard.name} bodies`, seen);
      // As many as fit into memory if they go on like these.
      const sizeOf = (row: BodyRow) => row.sealed.length + (row.attachment?.length ?? 0) + 100;
      const average = rows.reduce((sum, row) => sum + sizeOf(row), 0) / rows.length;
      limit = Math.max(BODIES_PAGE_MIN, Math.min(PAGE, Math.floor(BODIES_PAGE_BYTES / average)));
    }
  }

  async #openSample(shard: ShardClient, conversations: readonly ConversationRow[]): Promise<void> {
    const picked = conversations.flatMap((row) => sampleOf(row, this.#options.open).map((msgId) => ({ row, msgId })));
    for (let from = 0; from < picked.length; from += BODIES_PAGE_MIN) {
      const part = picked.slice(from, from + BODIES_PAGE_MIN);
      const { rows } = await shard.client.query<BodyRow>({
        name: 'fsck-sample',
        text: `select ${BODY} from unnest($1::smallint[], $2::bigint[], $3::int[]) as w (bucket, id, msg_id)
                 join shard.message m on m.bucket = w.bucket and m.conversation_id = w.id and m.msg_id = w.msg_id ${ATTACHMENT}`,
        values: [part.map((p) => p.row.bucket), part.map((p) => String(p.row.id)), part.map((p) => p.msgId)],
      });
      for (const row of rows) await this.#open(shard, row);
    }
  }

  async #open(shard: ShardClient, row: BodyRow): Promise<void> {
    const message = `message ${row.msg_id} of ${named(row.conversation_id)}`;
    const key = await this.#keyOf(row.key_id);
    if (key === undefined)
      return this.#found('data-key', shard.name, `${message}: data key ${row.key_id} is not there`);
    if (key.bucket !== row.bucket)
      this.#found(
        'data-key',
        shard.name,
        `${message} in bucket ${row.bucket}: data key ${row.key_id} is of ${key.bucket}`,
      );
    if (key.destroyed) {
      this.#destroyed++;
      return;
    }
    if (row.attached && row.attachment === null) return; // found already
    try {
      const bound = { conversationId: row.conversation_id, msgId: row.msg_id, senderId: row.sender_id };
      openMessage(this.#keys!, bound, row);
      this.#opened++;
    } catch (error) {
      if (!(error instanceof UnopenableError)) throw error;
      this.#found('body', shard.name, `${message} of user ${row.sender_id} does not open with data key ${row.key_id}`);
    }
  }

  /** Keys that were made since the start are looked up. */
  async #keyOf(id: number): Promise<{ bucket: number; destroyed: boolean } | undefined> {
    const known = this.#keyBuckets.get(id);
    if (known !== undefined) return known;
    await this.#readKeyBuckets();
    await this.#keys!.know([{ key_id: id }]);
    return this.#keyBuckets.get(id);
  }

  // ---- digests ----

  async #digests(): Promise<BucketDigest[]> {
    const digests: BucketDigest[] = [];
    for (const shard of this.#clients.all) {
      for (const bucket of shard.buckets) {
        digests.push(await digestOf(shard, bucket));
        this.#options.hear(`${shard.name} digests`, digests.length);
      }
    }
    return digests.sort((a, b) => a.bucket - b.bucket);
  }
}

/** The lowest id that has no message; undefined when another one has just brought it. */
async function firstMissing({ client }: ShardClient, row: ConversationRow): Promise<number | undefined> {
  if (row.low === null || row.low > row.first_kept) return row.first_kept;
  const { rows } = await client.query<{ id: number }>(
    `select msg_id + 1 as id from shard.message m where bucket = $1 and conversation_id = $2 and msg_id >= $3
        and not exists (select from shard.message n where n.bucket = $1 and n.conversation_id = $2 and n.msg_id = m.msg_id + 1)
      order by msg_id limit 1`,
    [row.bucket, String(row.id), row.first_kept],
  );
  return rows[0]?.id;
}

/** The newest, and as many others, anywhere, as make up the share. */
function sampleOf({ kept, first_kept: first, high }: ConversationRow, share: number): number[] {
  if (kept === 0 || high === null) return [];
  const others = Array.from(
    { length: Math.floor(kept * share) },
    () => first + Math.floor(Math.random() * (high - first + 1)),
  );
  return [...new Set([high, ...others])];
}

/** PostgreSQL writes equal rows as equal bytes; the rows come in the order of their keys, so nothing is held here. */
async function digestOf({ client, name }: ShardClient, bucket: number): Promise<BucketDigest> {
  await client.query('begin isolation level repeatable read read only');
  const messages = createHash('sha256');
  const count = await hashRows(client, messages, bucket, MESSAGE_ROWS);
  await hashRows(client, messages, bucket, ATTACHMENT_ROWS);
  const state = createHash('sha256');
  for (const rows of STATE_ROWS) await hashRows(client, state, bucket, rows);
  await client.query('commit');
  return {
    bucket,
    shard: name,
    messages: count,
    messageDigest: messages.digest('hex'),
    stateDigest: state.digest('hex'),
  };
}

const MESSAGE_ROWS = {
  columns: 'conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed, attached',
  from: 'shard.message',
  order: 'conversation_id, msg_id',
};
const ATTACHMENT_ROWS = {
  columns: 'conversation_id, msg_id, sealed',
  from: 'shard.attachment',
  order: 'conversation_id, msg_id',
};
const STATE_ROWS = [
  { columns: 'id, head, head_time_ms, first_kept, low_read, high_read', from: 'shard.conversation', order: 'id' },
  { columns: 'conversation_id, user_id, read_id', from: 'shard.group_read', order: 'conversation_id, user_id' },
  {
    columns: 'user_id, conversation_id, hidden_to',
    from: 'shard.user_conversation',
    order: 'user_id, conversation_id',
  },
];

async function hashRows(client: pg.Client, hash: Hash, bucket: number, rows: typeof MESSAGE_ROWS): Promise<number> {
  const query = `select ${rows.columns} from ${rows.from} where bucket = ${bucket} order by ${rows.order}`;
  const stream = client.query(copyTo(`copy (${query}) to stdout (format binary)`));
  for await (const bytes of stream as AsyncIterable<Buffer>) hash.update(bytes);
  await client.query('select 1'); // the count comes behind the last row
  return stream.rowCount;
}

/** For people. */
function named(id: bigint): string {
  if (isGroupConversation(id)) return `group ${groupOf(id)}`;
  const [low, high] = usersOf(id);
  return `users ${low} and ${high}`;
}
