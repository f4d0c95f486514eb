import type pg from 'pg';
import { ImError } from '../../../common/errors.js';
import { GROUP_MEMBERS_MAX } from '../../../common/limits.js';
import { type Actor, type Audit, difference } from './audit.js';
import { inTransaction } from './database.js';
import { FIXED } from './groups.js';
import { idIn, likeLiteral } from './people.js';
import { LEFT } from './users.js';

export interface GroupSummary {
  readonly groupId: number;
  readonly name: string;
  readonly avatar: string;
  /** 0: the administration. */
  readonly creatorId: number;
  readonly groupType: number;
  readonly version: number;
  readonly members: number;
  readonly deleted: boolean;
  readonly createdS: number;
}

export interface GroupsAsked {
  readonly search?: string | undefined;
  readonly userId?: number | undefined;
  readonly groupType?: number | undefined;
  readonly withDeleted: boolean;
  readonly after?: string | undefined;
  readonly limit: number;
  readonly count: boolean;
  readonly groupIds: readonly number[];
}

export interface GroupChange {
  readonly name?: string | undefined;
  readonly avatar?: string | undefined;
  readonly groupType?: number | undefined;
  readonly creatorId?: number | undefined;
  readonly add: readonly number[];
  readonly remove: readonly number[];
  readonly disband?: boolean | undefined;
}

export interface GroupChanged {
  readonly group: GroupSummary;
  readonly added: readonly number[];
  readonly removed: readonly number[];
  /** Members afterwards. */
  readonly current: readonly number[];
}

interface GroupRow {
  readonly id: number;
  readonly name: string;
  readonly avatar: string;
  readonly creator_id: number;
  readonly type: number;
  readonly version: number;
  readonly status: number;
  readonly created: bigint;
  readonly members: bigint;
}

const SELECT = `select g.id, g.name, g.avatar, g.creator_id, g.type, g.version, g.status, g.created,
  (select count(*) from meta.group_member m where m.group_id = g.id) as members from meta.groups g`;

/** Managing groups: pages of them, and audited changes. What clients ask about groups is in groups.ts. */
export class GroupAdmin {
  readonly #meta: pg.Pool;
  readonly #audit: Audit;

  constructor(meta: pg.Pool, audit: Audit) {
    this.#meta = meta;
    this.#audit = audit;
  }

  async page(
    asked: GroupsAsked,
  ): Promise<{ groups: GroupSummary[]; next: string | undefined; total: number | undefined }> {
    const { search, userId, groupType, withDeleted, after, limit, groupIds } = asked;
    const where = `($1::text is null or g.name ilike $1)
      and ($2::int is null or exists (select 1 from meta.group_member m where m.group_id = g.id and m.user_id = $2))
      and ($3::int is null or g.type = $3) and ($4 or g.status = 0)
      and (cardinality($5::int[]) = 0 or g.id = any($5::int[]))`;
    const pattern = search === undefined ? null : `%${likeLiteral(search)}%`;
    const values = [pattern, userId ?? null, groupType ?? null, withDeleted, groupIds];
    const { rows } = await this.#meta.query<GroupRow>(`${SELECT} where ${where} and g.id > $6 order by g.id limit $7`, [
      ...values,
      after === undefined ? 0 : idIn(after),
      limit + 1,
    ]);
    const groups = rows.slice(0, limit).map(summaryOf);
    const next = rows.length > limit ? String(groups.at(-1)!.groupId) : undefined;
    if (!asked.count) return { groups, next, total: undefined };
    const counted = await this.#meta.query<{ n: bigint }>(
      `select count(*) as n from meta.groups g where ${where}`,
      values,
    );
    return { groups, next, total: Number(counted.rows[0]!.n) };
  }

  /** Deleted ones too. */
  async get(groupId: number): Promise<GroupSummary | undefined> {
    return read(this.#meta, groupId);
  }

  /**
   * All of it or nothing. `head`: the group's newest message; what was written up to there is not shown to those added.
   * @throws ImError NO_SUCH_GROUP, NO_SUCH_USER, CONFLICT, BAD_REQUEST for too many members
   */
  change(
    actor: Actor,
    groupId: number | undefined,
    change: GroupChange,
    head: number,
    expectedVersion?: number,
    request?: Uint8Array,
  ): Promise<GroupChanged> {
    return inTransaction(this.#meta, async (client) => {
      const made = await this.#audit.madeFor(client, request);
      if (made !== undefined) return nothing((await read(client, Number(made.slice('group:'.length))))!);
      return groupId === undefined
        ? this.#create(client, actor, change, request)
        : this.#update(client, actor, groupId, change, head, expectedVersion, request);
    });
  }

  async #create(
    client: pg.ClientBase,
    actor: Actor,
    change: GroupChange,
    request: Uint8Array | undefined,
  ): Promise<GroupChanged> {
    const { name = '', avatar = '', groupType = FIXED, creatorId = 0 } = change;
    const { rows } = await client.query<{ id: number }>(
      `insert into meta.groups (name, avatar, creator_id, type, created) values ($1, $2, $3, $4, extract(epoch from now())::bigint) returning id`,
      [name, avatar, creatorId, groupType],
    );
    const { id } = rows[0]!;
    const added = await join(client, id, [...change.add, ...(creatorId === 0 ? [] : [creatorId])], 0);
    const after = { name, avatar, groupType, creatorId, members: added };
    await this.#audit.record(client, actor, [{ action: 'group.create', subject: `group:${id}`, after, request }]);
    return { group: (await read(client, id))!, added, removed: [], current: await membersOf(client, id) };
  }

  async #update(
    client: pg.ClientBase,
    actor: Actor,
    id: number,
    change: GroupChange,
    head: number,
    expectedVersion: number | undefined,
    request: Uint8Array | undefined,
  ): Promise<GroupChanged> {
    await client.query('select 1 from meta.groups where id = $1 for update', [id]);
    const before = await read(client, id);
    if (before === undefined || before.deleted) throw new ImError('NO_SUCH_GROUP', `there is no group ${id}`);
    if (expectedVersion !== undefined && expectedVersion !== before.version)
      throw new ImError('CONFLICT', `group ${id} was changed by somebody else meanwhile`);
    const old = { name: before.name, avatar: before.avatar, creatorId: before.creatorId };
    const { name = old.name, avatar = old.avatar, creatorId = old.creatorId } = change;
    const different = difference(old, { name, avatar, creatorId });
    const disbanded = change.disband === true;
    const added = disbanded ? [] : await join(client, id, change.add, head);
    const removed = disbanded ? await membersOf(client, id) : await leave(client, id, change.remove);
    if (different === undefined && added.length === 0 && removed.length === 0 && !disbanded) return nothing(before);
    await client.query(
      'update meta.groups set name = $2, avatar = $3, creator_id = $4, status = $5, version = version + 1 where id = $1',
      [id, name, avatar, creatorId, disbanded ? 1 : 0],
    );
    await this.#audit.record(client, actor, [
      {
        action: disbanded ? 'group.disband' : 'group.change',
        subject: `group:${id}`,
        before: disbanded ? { ...old, members: removed } : different?.before,
        after: disbanded
          ? undefined
          : { ...different?.after, ...listed('added', added), ...listed('removed', removed) },
        request,
      },
    ]);
    const current = disbanded ? [] : await membersOf(client, id);
    return { group: (await read(client, id))!, added, removed, current };
  }
}

function listed(name: string, ids: readonly number[]) {
  return ids.length === 0 ? {} : { [name]: ids };
}

function nothing(group: GroupSummary): GroupChanged {
  return { group, added: [], removed: [], current: [] };
}

/** @throws ImError NO_SUCH_USER for somebody who is not there, BAD_REQUEST for too many */
async function join(
  client: pg.ClientBase,
  groupId: number,
  userIds: readonly number[],
  head: number,
): Promise<number[]> {
  const wanted = [...new Set(userIds)];
  if (wanted.length === 0) return [];
  const there = await client.query<{ id: number }>(
    `select id from meta.users where id = any($1::int[]) and status <> ${LEFT}`,
    [wanted],
  );
  const known = new Set(there.rows.map((row) => row.id));
  const unknown = wanted.filter((id) => !known.has(id));
  if (unknown.length > 0) throw new ImError('NO_SUCH_USER', `there is no user ${unknown.slice(0, 10).join(', ')}`);
  const { rows } = await client.query<{ user_id: number }>(
    `insert into meta.group_member (group_id, user_id, joined_msg_id, joined)
     select $1, wanted, $3, extract(epoch from now())::bigint from unnest($2::int[]) as wanted on conflict do nothing returning user_id`,
    [groupId, wanted, head],
  );
  const counted = await client.query<{ n: bigint }>('select count(*) as n from meta.group_member where group_id = $1', [
    groupId,
  ]);
  if (counted.rows[0]!.n > GROUP_MEMBERS_MAX)
    throw new ImError('BAD_REQUEST', `members: a group has at most ${GROUP_MEMBERS_MAX}`);
  return rows.map((row) => row.user_id).sort((a, b) => a - b);
}

async function leave(client: pg.ClientBase, groupId: number, userIds: readonly number[]): Promise<number[]> {
  if (userIds.length === 0) return [];
  const { rows } = await client.query<{ user_id: number }>(
    'delete from meta.group_member where group_id = $1 and user_id = any($2::int[]) returning user_id',
    [groupId, userIds],
  );
  return rows.map((row) => row.user_id).sort((a, b) => a - b);
}

async function membersOf(client: pg.ClientBase, groupId: number): Promise<number[]> {
  const { rows } = await client.query<{ user_id: number }>(
    'select user_id from meta.group_member where group_id = $1 order by user_id',
    [groupId],
  );
  return rows.map((row) => row.user_id);
}

async function read(db: pg.Pool | pg.ClientBase, id: number): Promise<GroupSummary | undefined> {
  const { rows } = await db.query<GroupRow>(`${SELECT} where g.id = $1`, [id]);
  return rows[0] && summaryOf(rows[0]);
}

function summaryOf(row: GroupRow): GroupSummary {
  return {
    groupId: row.id,
    name: row.name,
    avatar: row.avatar,
    creatorId: row.creator_id,
    groupType: row.type,
    version: row.version,
    members: Number(row.members),
    deleted: row.status !== 0,
    createdS: Number(row.created),
  };
}
