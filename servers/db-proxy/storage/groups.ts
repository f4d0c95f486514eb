import type pg from 'pg';
import { memberKey } from './append/admission.js';
import { inTransaction } from './database.js';
import { Gather } from './gather.js';
import { keepSequenceAhead, LEFT } from './users.js';

export const FIXED = 1;
export const TEMPORARY = 2;

export interface Group {
  readonly id: number;
  readonly name: string;
  readonly avatar: string;
  /** 0: the administration. */
  readonly creatorId: number;
  readonly type: number;
  /** From 1, one more with every change of members. */
  readonly version: number;
  readonly memberIds: readonly number[];
}

export interface MyMembership {
  readonly groupId: number;
  /** Messages up to this one are from before the user joined. */
  readonly joinedMsgId: number;
  readonly shield: number;
}

export class Groups {
  readonly #meta: pg.Pool;
  readonly #withLeft = new Gather((userIds: readonly number[]) => this.#ofThese(userIds));

  constructor(meta: pg.Pool) {
    this.#meta = meta;
  }

  /** The fixed groups that a user is in, with their versions. */
  async fixedOf(userId: number): Promise<{ groupId: number; version: number }[]> {
    const { rows } = await this.#meta.query<{ id: number; version: number }>({
      name: 'groups-fixed',
      text: `select g.id, g.version from meta.group_member m join meta.groups g on g.id = m.group_id
              where m.user_id = $1 and g.type = ${FIXED} and g.status = 0 order by g.id`,
      values: [userId],
    });
    return rows.map((row) => ({ groupId: row.id, version: row.version }));
  }

  /** Every group that a user is in. */
  async membershipsOf(userId: number): Promise<MyMembership[]> {
    const { rows } = await this.#meta.query<{ group_id: number; joined_msg_id: number; shield: number }>({
      name: 'groups-mine',
      text: `select m.group_id, m.joined_msg_id, m.shield from meta.group_member m join meta.groups g on g.id = m.group_id
              where m.user_id = $1 and g.status = 0 order by m.group_id`,
      values: [userId],
    });
    return rows.map((row) => ({ groupId: row.group_id, joinedMsgId: row.joined_msg_id, shield: row.shield }));
  }

  /** The groups that a user is in, and whether he has left. */
  withLeft(userId: number): Promise<{ groupIds: number[]; left: boolean }> {
    return this.#withLeft.get(userId);
  }

  async #ofThese(userIds: readonly number[]): Promise<{ groupIds: number[]; left: boolean }[]> {
    const { rows } = await this.#meta.query<{ id: number; group_ids: number[] }>({
      name: 'groups-of-log-ins',
      text: `select u.id, array(select m.group_id from meta.group_member m join meta.groups g on g.id = m.group_id
                                 where m.user_id = u.id and g.status = 0 order by m.group_id) as group_ids
               from meta.users u where u.id = any($1::int[]) and u.status <> ${LEFT}`,
      values: [userIds],
    });
    const found = new Map(rows.map((row) => [row.id, row.group_ids]));
    return userIds.map((id) => ({ groupIds: found.get(id) ?? [], left: !found.has(id) }));
  }

  /** Every group that any of these users is in, or was in when it was deleted. */
  async ofUsers(userIds: readonly number[]): Promise<number[]> {
    const { rows } = await this.#meta.query<{ group_id: number }>({
      name: 'groups-of-users',
      text: 'select distinct group_id from meta.group_member where user_id = any($1::int[])',
      values: [userIds],
    });
    return rows.map((row) => row.group_id);
  }

  /** One entry a user, also for one who is in none. */
  async ofEach(userIds: readonly number[]): Promise<{ userId: number; groupIds: number[] }[]> {
    const { rows } = await this.#meta.query<{ user_id: number; group_ids: number[] }>({
      name: 'groups-of-each',
      text: `select w.user_id, array(
               select m.group_id from meta.group_member m join meta.groups g on g.id = m.group_id
                where m.user_id = w.user_id and g.status = 0) as group_ids
               from unnest($1::int[]) as w (user_id)`,
      values: [userIds],
    });
    return rows.map((row) => ({ userId: row.user_id, groupIds: row.group_ids }));
  }

  async membershipOf(userId: number, groupId: number): Promise<MyMembership | undefined> {
    const { rows } = await this.#meta.query<{ joined_msg_id: number; shield: number }>({
      name: 'group-membership',
      text: `select m.joined_msg_id, m.shield from meta.group_member m join meta.groups g on g.id = m.group_id
              where m.user_id = $1 and m.group_id = $2 and g.status = 0`,
      values: [userId, groupId],
    });
    return rows[0] && { groupId, joinedMsgId: rows[0].joined_msg_id, shield: rows[0].shield };
  }

  /**
   * Those of the pairs that are so; keys as memberKey makes them.
   *
   * Asked for every batch of messages and never remembered: who was removed must not get another word in, at any
   * db-proxy. It takes 0.5 ms for one pair and 1 ms for 100, of the 2 and 11 ms that storing these takes; without it a
   * fifth more group messages would go through when all is busy (2 cores, PostgreSQL on the same ones). A cache that
   * NOTIFY clears is wrong until the word has come, so for as long as a connection hangs. One of leases, each removal
   * waiting until they are over, would be right; but with leases of a second it has forgotten everybody by the time
   * that they write again.
   */
  async members(pairs: readonly { groupId: number; userId: number }[]): Promise<Set<string>> {
    const { rows } = await this.#meta.query<{ group_id: number; user_id: number }>({
      name: 'group-members-among',
      text: `select m.group_id, m.user_id from unnest($1::int[], $2::int[]) as w (group_id, user_id)
               join meta.group_member m on m.group_id = w.group_id and m.user_id = w.user_id
               join meta.groups g on g.id = m.group_id where g.status = 0`,
      values: [pairs.map((pair) => pair.groupId), pairs.map((pair) => pair.userId)],
    });
    return new Set(rows.map((row) => memberKey(row.group_id, row.user_id)));
  }

  /** Full data of those of the groups that the user is in. */
  async info(userId: number, groupIds: readonly number[]): Promise<(Group & { shield: number })[]> {
    const { rows } = await this.#meta.query<GroupRow & { shield: number }>({
      name: 'groups-info',
      text: `select ${GROUP_COLUMNS}, mine.shield
               from meta.groups g join meta.group_member mine on mine.group_id = g.id and mine.user_id = $1
              where g.id = any($2::int[]) and g.status = 0 order by g.id`,
      values: [userId, groupIds],
    });
    return rows.map(({ shield, ...row }) => ({ ...groupOfRow(row), shield }));
  }

  /** Undefined when there is no such group, or no longer. */
  async get(groupId: number): Promise<Group | undefined> {
    const { rows } = await this.#meta.query<GroupRow>({
      name: 'group',
      text: `select ${GROUP_COLUMNS} from meta.groups g where g.id = $1 and g.status = 0`,
      values: [groupId],
    });
    return rows[0] && groupOfRow(rows[0]);
  }

  /**
   * Adds those who are not in it yet; their history begins after `joinedMsgId`. The version moves with a real change.
   * @returns who was added, in the order of ids
   */
  join(groupId: number, userIds: readonly number[], joinedMsgId: number): Promise<number[]> {
    return this.#change(
      groupId,
      `insert into meta.group_member (group_id, user_id, joined_msg_id, joined)
       select $1, wanted, $3, extract(epoch from now())::bigint from unnest($2::int[]) as wanted join meta.users u on u.id = wanted
        where u.status <> ${LEFT} on conflict do nothing returning user_id`,
      [groupId, userIds, joinedMsgId],
    );
  }

  /** @returns who was removed */
  leave(groupId: number, userIds: readonly number[]): Promise<number[]> {
    return this.#change(
      groupId,
      'delete from meta.group_member where group_id = $1 and user_id = any($2::int[]) returning user_id',
      [groupId, userIds],
    );
  }

  /** @returns false when the user is no member */
  async setShield(groupId: number, userId: number, shield: number): Promise<boolean> {
    const { rowCount } = await this.#meta.query(
      `update meta.group_member m set shield = $3 from meta.groups g
        where m.group_id = $1 and m.user_id = $2 and g.id = m.group_id and g.status = 0`,
      [groupId, userId, shield],
    );
    return rowCount === 1;
  }

  async add(group: {
    id?: number;
    name: string;
    avatar?: string;
    creatorId?: number;
    type: number;
    memberIds: readonly number[];
  }): Promise<number> {
    const { rows } = await this.#meta.query<{ id: number }>(
      `with made as (
         insert into meta.groups (id, name, avatar, creator_id, type, created)
         values (coalesce($1, nextval(pg_get_serial_sequence('meta.groups', 'id'))::int), $2, $3, $4, $5, extract(epoch from now())::bigint)
         returning id, created
       ), joined as (
         insert into meta.group_member (group_id, user_id, joined) select made.id, member, made.created from made, unnest($6::int[]) as member
       )
       select id from made`,
      [
        group.id ?? null,
        group.name,
        group.avatar ?? '',
        group.creatorId ?? 0,
        group.type,
        [...new Set(group.memberIds)],
      ],
    );
    if (group.id !== undefined) await keepSequenceAhead(this.#meta, 'groups');
    return rows[0]!.id;
  }

  /** The group's row is locked first: two changes at once get two versions. */
  #change(groupId: number, statement: string, values: unknown[]): Promise<number[]> {
    return inTransaction(this.#meta, async (client) => {
      const locked = await client.query('select 1 from meta.groups where id = $1 and status = 0 for update', [groupId]);
      const { rows } =
        locked.rowCount === 1 ? await client.query<{ user_id: number }>(statement, values) : { rows: [] };
      if (rows.length > 0) await client.query('update meta.groups set version = version + 1 where id = $1', [groupId]);
      return rows.map((row) => row.user_id).sort((a, b) => a - b);
    });
  }
}

interface GroupRow {
  readonly id: number;
  readonly name: string;
  readonly avatar: string;
  readonly creator_id: number;
  readonly type: number;
  readonly version: number;
  readonly member_ids: number[];
}

const GROUP_COLUMNS = `g.id, g.name, g.avatar, g.creator_id, g.type, g.version,
  array(select user_id from meta.group_member where group_id = g.id order by user_id) as member_ids`;

function groupOfRow({ creator_id: creatorId, member_ids: memberIds, ...same }: GroupRow): Group {
  return { ...same, creatorId, memberIds };
}
