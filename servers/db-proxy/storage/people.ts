import type pg from 'pg';
import { ImError } from '../../../common/errors.js';
import { type Actor, type Audit, difference } from './audit.js';
import { inTransaction, isUniqueViolation } from './database.js';
import { forgetDevices } from './login-tokens.js';
import { NO_PASSWORD } from './passwords.js';
import { LEFT, type User, type UserRow } from './users.js';

/** What the administration may set of a user. */
export type PersonFields = Omit<User, 'id' | 'updated'>;

export interface Person extends PersonFields {
  readonly userId: number;
  /** Grows with every change. */
  readonly version: number;
  readonly createdS: number;
  /** The directory of the company that he comes from. */
  readonly source: string | undefined;
}

/** What is absent stays. */
export interface PersonChange {
  readonly fields: Partial<PersonFields>;
  /** As hashPassword makes it. */
  readonly passwordHash?: string | undefined;
}

export interface PeopleAsked {
  readonly search?: string | undefined;
  /** With everything below it. */
  readonly departmentId?: number | undefined;
  readonly statuses: readonly number[];
  readonly byName: boolean;
  readonly after?: string | undefined;
  readonly limit: number;
  readonly count: boolean;
  readonly userIds: readonly number[];
  readonly name?: string | undefined;
}

export interface ImportOutcome {
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'refused';
  readonly userId?: number;
  readonly code?: string;
  readonly detail?: string;
}

/** What a change of a user means for others. */
export interface PersonChanged {
  readonly person: Person;
  /** His sessions have to end: he has left, or his password is another. */
  readonly ended: boolean;
  readonly avatar: boolean;
  readonly signInfo: boolean;
}

interface PersonRow extends UserRow {
  readonly created: bigint;
  readonly source: string | null;
}

const COLUMNS =
  'u.id, u.name, u.nick, u.domain, u.sex, u.phone, u.email, u.avatar, u.department_id, u.status, u.sign_info, u.updated, u.created, ' +
  '(select min(i.source) from meta.identity i where i.user_id = u.id) as source';

const NOBODY: PersonFields = {
  name: '',
  nick: '',
  domain: '',
  sex: 0,
  phone: '',
  email: '',
  avatar: '',
  departmentId: 0,
  status: 0,
  signInfo: '',
};

/** Managing people: pages of them, and audited changes. What clients ask about people is in users.ts. */
export class People {
  readonly #meta: pg.Pool;
  readonly #audit: Audit;

  constructor(meta: pg.Pool, audit: Audit) {
    this.#meta = meta;
    this.#audit = audit;
  }

  async page(asked: PeopleAsked): Promise<{ people: Person[]; next: string | undefined; total: number | undefined }> {
    const { search, departmentId, statuses, byName, after, limit, userIds, name } = asked;
    const where = `
      ($1::text is null or u.name ilike $1 or u.nick ilike $1 or u.domain ilike $1 or u.phone ilike $1 or u.email ilike $1)
      and ($2::int is null or u.department_id in (
        with recursive below as (select $2::int as id union select d.id from meta.department d join below b on d.parent_id = b.id where d.status = 0)
        select id from below))
      and (cardinality($3::int[]) = 0 or u.status = any($3::int[]))
      and (cardinality($4::int[]) = 0 or u.id = any($4::int[]))
      and ($5::text is null or u.name = $5)`;
    const values = [
      search === undefined ? null : `%${likeLiteral(search)}%`,
      departmentId ?? null,
      statuses,
      userIds,
      name ?? null,
    ];
    const [order, behind] = byName
      ? ['u.name', '$6::text is null or u.name > $6']
      : ['u.id', '$6::int is null or u.id > $6'];
    const start = byName ? (after ?? null) : after === undefined ? null : idIn(after);
    const { rows } = await this.#meta.query<PersonRow>(
      `select ${COLUMNS} from meta.users u where ${where} and (${behind}) order by ${order} limit $7`,
      [...values, start, limit + 1],
    );
    const people = rows.slice(0, limit).map(personOf);
    const last = people.at(-1);
    const next = rows.length > limit && last !== undefined ? (byName ? last.name : String(last.userId)) : undefined;
    const total = asked.count ? await this.#count(where, values) : undefined;
    return { people, next, total };
  }

  async get(userId: number): Promise<Person | undefined> {
    return read(this.#meta, userId);
  }

  /** In the order of ids, those who have left included. */
  async membersOf(groupId: number): Promise<Person[]> {
    const { rows } = await this.#meta.query<PersonRow>(
      `select ${COLUMNS} from meta.users u join meta.group_member m on m.user_id = u.id where m.group_id = $1 order by u.id`,
      [groupId],
    );
    return rows.map(personOf);
  }

  /** @throws ImError NAME_TAKEN, NO_SUCH_DEPARTMENT */
  async create(actor: Actor, change: PersonChange, request?: Uint8Array): Promise<PersonChanged> {
    return this.#taken(change.fields.name, () =>
      inTransaction(this.#meta, async (client) => {
        const made = await this.#audit.madeFor(client, request);
        if (made !== undefined) return unchanged((await read(client, Number(made.slice('user:'.length))))!);
        await requireDepartment(client, change.fields.departmentId);
        const [person] = await insert(client, [change]);
        await this.#audit.record(client, actor, [{ ...created(person!), request }]);
        return unchanged(person!);
      }),
    );
  }

  /** @throws ImError NO_SUCH_USER, CONFLICT, NAME_TAKEN, NO_SUCH_DEPARTMENT */
  async change(
    actor: Actor,
    userId: number,
    change: PersonChange,
    expectedVersion?: number,
    request?: Uint8Array,
  ): Promise<PersonChanged> {
    return this.#taken(change.fields.name, () =>
      inTransaction(this.#meta, async (client) => {
        const before = await read(client, userId, 'for update');
        if (before === undefined) throw new ImError('NO_SUCH_USER', `there is no user ${userId}`);
        if ((await this.#audit.madeFor(client, request)) !== undefined) return unchanged(before);
        if (expectedVersion !== undefined && expectedVersion !== before.version)
          throw new ImError('CONFLICT', `user ${userId} was changed by somebody else meanwhile`);
        await requireDepartment(client, change.fields.departmentId);
        const difference = await update(client, before, change);
        if (difference === undefined) return unchanged(before);
        await this.#audit.record(client, actor, [{ ...difference.audit, request }]);
        return difference.changed;
      }),
    );
  }

  /**
   * Brings many in; each row by its name. The rows are checked by the caller; here they meet what is there.
   * @returns an outcome for each, in their order, and what changed
   */
  async import(
    actor: Actor,
    rows: readonly PersonChange[],
    options: { dryRun: boolean; update: boolean },
  ): Promise<{ outcomes: ImportOutcome[]; changed: PersonChanged[] }> {
    const run = () =>
      inTransaction(this.#meta, async (client) => {
        const names = rows.map((row) => row.fields.name!);
        const { rows: found } = await client.query<PersonRow>(
          `select ${COLUMNS} from meta.users u where u.name = any($1::text[]) order by u.id for update`,
          [names],
        );
        const there = new Map(found.map((row) => [row.name, personOf(row)]));
        const departments = await existingDepartments(client, rows);
        const outcomes: ImportOutcome[] = [];
        const fresh: { at: number; row: PersonChange }[] = [];
        const changed: PersonChanged[] = [];
        const audited = [];
        const seen = new Set<string>();
        for (const [at, row] of rows.entries()) {
          const name = row.fields.name!;
          const before = there.get(name);
          const refused = refusal(row, { again: seen.has(name), there: before !== undefined, departments, ...options });
          seen.add(name);
          if (refused !== undefined) outcomes[at] = refused;
          else if (before === undefined) fresh.push({ at, row });
          else {
            const difference = await update(client, before, row);
            outcomes[at] = { outcome: difference === undefined ? 'unchanged' : 'updated', userId: before.userId };
            if (difference === undefined) continue;
            changed.push(difference.changed);
            audited.push(difference.audit);
          }
        }
        const made = await insert(
          client,
          fresh.map((each) => each.row),
        );
        for (const [i, person] of made.entries())
          outcomes[fresh[i]!.at] = { outcome: 'created', ...(options.dryRun ? {} : { userId: person.userId }) };
        audited.push(...made.map(created));
        changed.push(...made.map(unchanged));
        if (options.dryRun) throw new DryRun(outcomes);
        await this.#audit.record(client, actor, audited);
        return { outcomes, changed };
      });
    try {
      return await run();
    } catch (error) {
      if (error instanceof DryRun) return { outcomes: error.outcomes, changed: [] };
      if (isUniqueViolation(error)) return run(); // somebody took one of the names meanwhile; now that shows
      throw error;
    }
  }

  /** Ends sessions and, when asked, forgets where to push to and logs the devices out. @throws ImError NO_SUCH_USER */
  async endSessions(
    actor: Actor,
    userId: number,
    deviceClass: number | undefined,
    forgetToken: boolean,
  ): Promise<void> {
    await inTransaction(this.#meta, async (client) => {
      if ((await read(client, userId)) === undefined) throw new ImError('NO_SUCH_USER', `there is no user ${userId}`);
      if (forgetToken) {
        await client.query('delete from meta.device_token where user_id = $1', [userId]);
        await forgetDevices(client, userId, deviceClass);
      }
      const after = { deviceClass, forgetToken };
      await this.#audit.record(client, actor, [{ action: 'user.end-sessions', subject: `user:${userId}`, after }]);
    });
  }

  async #count(where: string, values: unknown[]): Promise<number> {
    const { rows } = await this.#meta.query<{ n: bigint }>(
      `select count(*) as n from meta.users u where ${where}`,
      values,
    );
    return Number(rows[0]!.n);
  }

  async #taken<T>(name: string | undefined, work: () => Promise<T>): Promise<T> {
    return work().catch((error: unknown) => {
      throw isUniqueViolation(error) ? new ImError('NAME_TAKEN', `name: somebody else is called ${name}`) : error;
    });
  }
}

/** Rolls back what an import has tried. */
class DryRun extends ImError {
  readonly outcomes: ImportOutcome[];
  constructor(outcomes: ImportOutcome[]) {
    super('INTERNAL', 'dry run');
    this.outcomes = outcomes;
  }
}

function refusal(
  row: PersonChange,
  about: { again: boolean; there: boolean; departments: ReadonlySet<number>; update: boolean },
): ImportOutcome | undefined {
  const no = (code: string, detail: string): ImportOutcome => ({ outcome: 'refused', code, detail });
  if (about.again) return no('NAME_TAKEN', 'name: comes twice in these rows');
  if (about.there && !about.update) return no('NAME_TAKEN', 'name: somebody is called that already');
  const { departmentId = 0 } = row.fields;
  if (departmentId !== 0 && !about.departments.has(departmentId))
    return no('NO_SUCH_DEPARTMENT', `departmentId: there is no department ${departmentId}`);
  return undefined;
}

export function unchanged(person: Person): PersonChanged {
  return { person, ended: false, avatar: false, signInfo: false };
}

export function created(person: Person) {
  const { userId, version: _version, createdS: _createdS, source: _source, ...after } = person;
  return { action: 'user.create', subject: `user:${userId}`, after };
}

async function read(
  db: pg.Pool | pg.ClientBase,
  userId: number,
  lock: '' | 'for update' = '',
): Promise<Person | undefined> {
  const { rows } = await db.query<PersonRow>(`select ${COLUMNS} from meta.users u where u.id = $1 ${lock}`, [userId]);
  return rows[0] && personOf(rows[0]);
}

export async function insert(client: pg.ClientBase, changes: readonly PersonChange[]): Promise<Person[]> {
  if (changes.length === 0) return [];
  const people = changes.map(({ fields, passwordHash }) => ({
    ...NOBODY,
    ...fields,
    nick: fields.nick ?? fields.name,
    passwordHash: passwordHash ?? NO_PASSWORD,
  }));
  const { rows } = await client.query<PersonRow>(
    `with stamp as (select meta.next_stamp('users') as value)
     insert into meta.users as u (name, nick, domain, sex, phone, email, avatar, department_id, status, sign_info, password_hash, created, updated)
     select p.name, p.nick, p.domain, p.sex, p.phone, p.email, p.avatar, p."departmentId", p.status, p."signInfo", p."passwordHash",
            extract(epoch from now())::bigint, stamp.value
       from stamp, json_to_recordset($1) as p (name text, nick text, domain text, sex smallint, phone text, email text, avatar text,
            "departmentId" int, status smallint, "signInfo" text, "passwordHash" text)
     returning ${COLUMNS}`,
    [JSON.stringify(people)],
  );
  const byName = new Map(rows.map((row) => [row.name, personOf(row)]));
  return people.map((person) => byName.get(person.name!)!);
}

/** @returns undefined when nothing is different. The password is said to have changed, never what it was. */
async function update(client: pg.ClientBase, before: Person, { fields, passwordHash }: PersonChange) {
  const old = fieldsOf(before);
  const wanted = { ...old, ...fields };
  const different = difference(old, wanted);
  if (different === undefined && passwordHash === undefined) return undefined;
  const { rows } = await client.query<PersonRow>(
    `update meta.users u set name = $2, nick = $3, domain = $4, sex = $5, phone = $6, email = $7, avatar = $8, department_id = $9, status = $10,
            sign_info = $11, password_hash = coalesce($12, password_hash), updated = meta.next_stamp('users')
      where id = $1 returning ${COLUMNS}`,
    [
      before.userId,
      wanted.name,
      wanted.nick,
      wanted.domain,
      wanted.sex,
      wanted.phone,
      wanted.email,
      wanted.avatar,
      wanted.departmentId,
      wanted.status,
      wanted.signInfo,
      passwordHash ?? null,
    ],
  );
  if (passwordHash !== undefined)
    await client.query('delete from meta.login_failure where user_name = $1', [before.name]);
  const person = personOf(rows[0]!);
  const ended = passwordHash !== undefined || (person.status === LEFT && before.status !== LEFT);
  if (ended) await forgetDevices(client, before.userId);
  const password = passwordHash === undefined ? {} : { password: 'changed' };
  const changed: PersonChanged = {
    person,
    ended,
    avatar: person.avatar !== before.avatar,
    signInfo: person.signInfo !== before.signInfo,
  };
  const audit = {
    action: 'user.change',
    subject: `user:${before.userId}`,
    before: different?.before,
    after: { ...different?.after, ...password },
  };
  return { changed, audit };
}

/** What the directory that he comes from says of him now. @returns undefined when that is nothing new */
export async function updatePerson(
  client: pg.ClientBase,
  audit: Audit,
  actor: Actor,
  userId: number,
  fields: Partial<PersonFields>,
): Promise<PersonChanged | undefined> {
  const before = await read(client, userId, 'for update');
  const difference = before && (await update(client, before, { fields }));
  if (difference === undefined) return undefined;
  await audit.record(client, actor, [difference.audit]);
  return difference.changed;
}

async function requireDepartment(client: pg.ClientBase, id: number | undefined): Promise<void> {
  if (id === undefined || id === 0) return;
  // Locked against deletion until this person is in it.
  const { rowCount } = await client.query('select 1 from meta.department where id = $1 and status = 0 for share', [id]);
  if (rowCount === 0) throw new ImError('NO_SUCH_DEPARTMENT', `departmentId: there is no department ${id}`);
}

async function existingDepartments(client: pg.ClientBase, rows: readonly PersonChange[]): Promise<Set<number>> {
  const ids = new Set(rows.map((row) => row.fields.departmentId ?? 0));
  const found = await client.query<{ id: number }>(
    'select id from meta.department where id = any($1::int[]) and status = 0 order by id for share',
    [[...ids]],
  );
  return new Set(found.rows.map((row) => row.id));
}

/** Page marks are ours; anything else in their place finds nothing. */
export function idIn(mark: string): number {
  return /^\d{1,9}$/.test(mark) ? Number(mark) : 0x7fffffff;
}

/** For LIKE: the text itself, none of it a pattern. */
export function likeLiteral(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}

function fieldsOf({
  userId: _userId,
  version: _version,
  createdS: _createdS,
  source: _source,
  ...fields
}: Person): PersonFields {
  return fields;
}

function personOf(row: PersonRow): Person {
  const {
    id: userId,
    department_id: departmentId,
    sign_info: signInfo,
    updated,
    created: createdS,
    source,
    ...same
  } = row;
  const numbers = { version: Number(updated), createdS: Number(createdS) };
  return { userId, ...same, departmentId, signInfo, ...numbers, source: source ?? undefined };
}
