import type pg from 'pg';
import { memberKey } from './append.js';
import { keepSequenceAhead } from './users.js';

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

  async membershipOf(userId: number, groupId: number): Promise<MyMembership | undefined> {
    const { rows } = await this.#meta.query<{ joined_msg_id: number; shield: number }>({
      name: 'group-membership',
      text: `select m.joined_msg_id, m.shield from meta.group_member m join meta.groups g on g.id = m.group_id
              where m.user_id = $1 and m.group_id = $2 and g.status = 0`,
      values: [userId, groupId],
    });
    return rows[0] && { groupId, joinedMsgId: rows[0].joined_msg_id, shield: rows[0].shield };
  }

  /** Those of the pairs that are so; keys as memberKey makes them. */
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
    const { rows } = await this.#meta.query<{
      id: number;
      name: string;
      avatar: string;
      creator_id: number;
      type: number;
      version: number;
      shield: number;
      member_ids: number[];
    }>({
      name: 'groups-info',
      text: `select g.id, g.name, g.avatar, g.creator_id, g.type, g.version, mine.shield,
                    array(select user_id from meta.group_member where group_id = g.id order by user_id) as member_ids
               from meta.groups g join meta.group_member mine on mine.group_id = g.id and mine.user_id = $1
              where g.id = any($2::int[]) and g.status = 0 order by g.id`,
      values: [userId, groupIds],
    });
    return rows.map(({ creator_id: creatorId, member_ids: memberIds, ...same }) => ({ ...same, creatorId, memberIds }));
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
}
