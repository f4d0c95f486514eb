import type pg from 'pg';
import { Gather } from './gather.js';

/** People, as the directory knows them. */
export interface User {
  readonly id: number;
  readonly name: string;
  readonly nick: string;
  readonly domain: string;
  readonly sex: number;
  readonly phone: string;
  readonly email: string;
  readonly avatar: string;
  readonly departmentId: number;
  /** 0 in service, 1 on trial, 2 regular, 3 left, 4 intern. */
  readonly status: number;
  readonly signInfo: string;
  /** Change stamp: whole seconds, growing with every change in the directory. */
  readonly updated: number;
}

export const LEFT = 3;

export interface NewUser extends Partial<Omit<User, 'name' | 'updated'>> {
  readonly name: string;
  /** As Passwords.hash makes it. */
  readonly passwordHash: string;
  /** For imports that keep their stamps; else the next free one. */
  readonly updated?: number;
}

export interface UserRow {
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
  readonly updated: bigint;
}

const COLUMNS = 'id, name, nick, domain, sex, phone, email, avatar, department_id, status, sign_info, updated';

export class Users {
  readonly #meta: pg.Pool;
  readonly #trustDays: number;

  readonly #entering = new Gather((ids: readonly number[]) => this.#enter(ids));

  /** @param trustDays for how long a directory's word that somebody belongs to the company is good */
  constructor(meta: pg.Pool, trustDays: number) {
    this.#meta = meta;
    this.#trustDays = trustDays;
  }

  async count(): Promise<number> {
    const { rows } = await this.#meta.query<{ n: bigint }>('select count(*) as n from meta.users');
    return Number(rows[0]!.n);
  }

  /** How many have names like this, a regular expression of PostgreSQL. Reads the whole table. */
  async countNamed(pattern: string): Promise<number> {
    const { rows } = await this.#meta.query<{ n: bigint }>('select count(*) as n from meta.users where name ~ $1', [
      pattern,
    ]);
    return Number(rows[0]!.n);
  }

  /** In the order of their ids; unknown ids are left out. */
  async byIds(ids: readonly number[]): Promise<User[]> {
    const { rows } = await this.#meta.query<UserRow>({
      name: 'users-by-ids',
      text: `select ${COLUMNS} from meta.users where id = any($1::int[]) order by id`,
      values: [ids],
    });
    return rows.map(userOf);
  }

  /**
   * Who has just been let in, and a number that is greater than that of every log-in before. Undefined: he comes from a
   * directory that knows him no longer, or has not said for too long that it does.
   */
  enter(id: number): Promise<{ user: User; loginNumber: number } | undefined> {
    return this.#entering.get(id);
  }

  /** Of two log-ins of one user each gets a number of its own. */
  async #enter(ids: readonly number[]): Promise<({ user: User; loginNumber: number } | undefined)[]> {
    const { rows } = await this.#meta.query<UserRow & { nth: bigint; login_number: bigint }>({
      name: 'user-enters',
      text: `select ${COLUMNS}, e.nth, nextval('meta.login_number') as login_number
               from unnest($1::int[]) with ordinality as e (user_id, nth) join meta.users on id = e.user_id
              where not exists (
                select from meta.identity i where i.user_id = e.user_id
                having bool_or(i.gone) or max(i.vouched) < now() - $2 * interval '1 day')`,
      values: [ids, this.#trustDays],
    });
    const entered: ({ user: User; loginNumber: number } | undefined)[] = ids.map(() => undefined);
    for (const { nth, login_number: loginNumber, ...row } of rows)
      entered[Number(nth) - 1] = { user: userOf(row), loginNumber: Number(loginNumber) };
    return entered;
  }

  /** Changed after `stamp`, those who have left included; 0 means everybody who has not left. */
  async changedSince(stamp: number): Promise<User[]> {
    const everybody = {
      name: 'users-all',
      text: `select ${COLUMNS} from meta.users where status <> ${LEFT} order by id`,
    };
    const changed = {
      name: 'users-changed',
      text: `select ${COLUMNS} from meta.users where updated > $1 order by id`,
      values: [stamp],
    };
    const { rows } = await this.#meta.query<UserRow>(stamp === 0 ? everybody : changed);
    return rows.map(userOf);
  }

  /** Those of the ids that exist and have not left. */
  async existing(ids: readonly number[]): Promise<Set<number>> {
    const { rows } = await this.#meta.query<{ id: number }>({
      name: 'users-existing',
      text: `select id from meta.users where id = any($1::int[]) and status <> ${LEFT}`,
      values: [[...new Set(ids)]],
    });
    return new Set(rows.map((row) => row.id));
  }

  /** @returns the new stamp, or undefined when there is no such user. */
  async change(id: number, field: 'sign_info' | 'avatar', value: string): Promise<number | undefined> {
    const { rows } = await this.#meta.query<{ updated: bigint }>(
      `update meta.users set ${field} = $2, updated = meta.next_stamp('users') where id = $1 returning updated`,
      [id, value],
    );
    return rows[0] === undefined ? undefined : Number(rows[0].updated);
  }

  async pushShield(id: number): Promise<number | undefined> {
    const { rows } = await this.#meta.query<{ push_shield: number }>(
      'select push_shield from meta.users where id = $1',
      [id],
    );
    return rows[0]?.push_shield;
  }

  async setPushShield(id: number, status: number): Promise<boolean> {
    const { rowCount } = await this.#meta.query('update meta.users set push_shield = $2 where id = $1', [id, status]);
    return rowCount === 1;
  }

  /** All or none; the ids that are not given are handed out. */
  async add(users: readonly NewUser[]): Promise<number[]> {
    const rows = users.map((user) => ({
      id: user.id ?? null,
      name: user.name,
      nick: user.nick ?? user.name,
      domain: user.domain ?? '',
      sex: user.sex ?? 0,
      phone: user.phone ?? '',
      email: user.email ?? '',
      avatar: user.avatar ?? '',
      department_id: user.departmentId ?? 0,
      status: user.status ?? 0,
      sign_info: user.signInfo ?? '',
      password_hash: user.passwordHash,
      updated: user.updated ?? null,
    }));
    const added = await this.#meta.query<{ id: number }>(
      `with stamp as (select meta.next_stamp('users') as value)
       insert into meta.users (id, name, nick, domain, sex, phone, email, avatar, department_id, status, sign_info, password_hash, created, updated)
       select coalesce(u.id, nextval(pg_get_serial_sequence('meta.users', 'id'))::int), u.name, u.nick, u.domain, u.sex, u.phone, u.email, u.avatar,
              u.department_id, u.status, u.sign_info, u.password_hash, extract(epoch from now())::bigint, coalesce(u.updated, stamp.value)
         from stamp, json_to_recordset($1) as u (id int, name text, nick text, domain text, sex smallint, phone text, email text, avatar text,
              department_id int, status smallint, sign_info text, password_hash text, updated bigint)
       returning id`,
      [JSON.stringify(rows)],
    );
    await keepSequenceAhead(this.#meta, 'users');
    return added.rows.map((row) => row.id);
  }
}

/** After rows with ids of their own: the sequence goes on behind the largest. */
export async function keepSequenceAhead(meta: pg.Pool, table: 'users' | 'department' | 'groups'): Promise<void> {
  await meta.query(
    `select setval(pg_get_serial_sequence('meta.${table}', 'id'), greatest((select max(id) from meta.${table}), 1))`,
  );
}

function userOf(row: UserRow): User {
  const { department_id: departmentId, sign_info: signInfo, updated, ...same } = row;
  return { ...same, departmentId, signInfo, updated: Number(updated) };
}
