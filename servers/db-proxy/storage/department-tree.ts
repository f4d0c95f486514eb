import type pg from 'pg';
import { ImError } from '../../../common/errors.js';
import { DEPARTMENT_DEPTH_MAX } from '../../../common/limits.js';
import { type Actor, type Audit, difference } from './audit.js';
import { inTransaction } from './database.js';
import { LEFT } from './users.js';

export interface DepartmentNode {
  readonly departmentId: number;
  readonly name: string;
  /** 0: a top department. */
  readonly parentId: number;
  /** Order among those with the same parent, lowest first. */
  readonly priority: number;
  readonly version: number;
  /** In it itself, without those who have left. */
  readonly people: number;
}

export interface DepartmentChange {
  readonly name?: string | undefined;
  readonly parentId?: number | undefined;
  readonly priority?: number | undefined;
  readonly remove?: boolean | undefined;
}

interface NodeRow {
  readonly id: number;
  readonly name: string;
  readonly parent_id: number;
  readonly priority: number;
  readonly updated: bigint;
  readonly people: bigint;
}

const SELECT = `select d.id, d.name, d.parent_id, d.priority, d.updated,
  (select count(*) from meta.users u where u.department_id = d.id and u.status <> ${LEFT}) as people from meta.department d`;

/**
 * Managing the tree of departments. Changes come one after another, each seeing the tree that the one before it left:
 * otherwise two moves at once could make a ring.
 */
export class DepartmentTree {
  readonly #meta: pg.Pool;
  readonly #audit: Audit;

  constructor(meta: pg.Pool, audit: Audit) {
    this.#meta = meta;
    this.#audit = audit;
  }

  /** The ones that are not deleted, siblings in their order. */
  async all(): Promise<DepartmentNode[]> {
    const { rows } = await this.#meta.query<NodeRow>(
      `${SELECT} where d.status = 0 order by d.parent_id, d.priority, d.id`,
    );
    return rows.map(nodeOf);
  }

  /** @throws ImError NO_SUCH_DEPARTMENT, NAME_TAKEN, NOT_EMPTY, CONFLICT, BAD_REQUEST for a ring */
  change(
    actor: Actor,
    departmentId: number | undefined,
    change: DepartmentChange,
    expectedVersion?: number,
    request?: Uint8Array,
  ): Promise<DepartmentNode> {
    return inTransaction(this.#meta, async (client) => {
      // Taken by every change, and in the same order as next_stamp takes it.
      await client.query(`select 1 from meta.change_stamp where directory = 'departments' for update`);
      const made = await this.#audit.madeFor(client, request);
      if (made !== undefined) return (await read(client, Number(made.slice('department:'.length))))!;
      return departmentId === undefined
        ? this.#create(client, actor, change, request)
        : this.#update(client, actor, departmentId, change, expectedVersion, request);
    });
  }

  async #create(
    client: pg.ClientBase,
    actor: Actor,
    { name = '', parentId = 0, priority = 0 }: DepartmentChange,
    request: Uint8Array | undefined,
  ): Promise<DepartmentNode> {
    await requirePlace(client, undefined, name, parentId);
    const { rows } = await client.query<{ id: number }>(
      `insert into meta.department (name, parent_id, priority, updated) values ($1, $2, $3, meta.next_stamp('departments')) returning id`,
      [name, parentId, priority],
    );
    const { id } = rows[0]!;
    const after = { name, parentId, priority };
    await this.#audit.record(client, actor, [
      { action: 'department.create', subject: `department:${id}`, after, request },
    ]);
    return (await read(client, id))!;
  }

  async #update(
    client: pg.ClientBase,
    actor: Actor,
    id: number,
    change: DepartmentChange,
    expectedVersion: number | undefined,
    request: Uint8Array | undefined,
  ): Promise<DepartmentNode> {
    const before = await read(client, id);
    if (before === undefined) throw new ImError('NO_SUCH_DEPARTMENT', `there is no department ${id}`);
    if (expectedVersion !== undefined && expectedVersion !== before.version)
      throw new ImError('CONFLICT', `department ${id} was changed by somebody else meanwhile`);
    if (change.remove === true) return this.#delete(client, actor, before, request);
    const old = { name: before.name, parentId: before.parentId, priority: before.priority };
    const { name = old.name, parentId = old.parentId, priority = old.priority } = change;
    const different = difference(old, { name, parentId, priority });
    if (different === undefined) return before;
    await requirePlace(client, id, name, parentId);
    await client.query(
      `update meta.department set name = $2, parent_id = $3, priority = $4, updated = meta.next_stamp('departments') where id = $1`,
      [id, name, parentId, priority],
    );
    await this.#audit.record(client, actor, [
      { action: 'department.change', subject: `department:${id}`, ...different, request },
    ]);
    return (await read(client, id))!;
  }

  async #delete(
    client: pg.ClientBase,
    actor: Actor,
    before: DepartmentNode,
    request: Uint8Array | undefined,
  ): Promise<DepartmentNode> {
    const { departmentId: id, name, parentId, priority } = before;
    // Locked: somebody who is being put into it right now comes first, and counts.
    await client.query('select 1 from meta.department where id = $1 for update', [id]);
    const { rows } = await client.query<{ people: bigint; departments: bigint }>(
      `select (select count(*) from meta.users where department_id = $1 and status <> ${LEFT}) as people,
              (select count(*) from meta.department where parent_id = $1 and status = 0) as departments`,
      [id],
    );
    const { people, departments } = rows[0]!;
    if (people > 0 || departments > 0)
      throw new ImError(
        'NOT_EMPTY',
        `department ${id} has ${people} people and ${departments} departments in it: move them first`,
      );
    await client.query(
      `update meta.department set status = 1, updated = meta.next_stamp('departments') where id = $1`,
      [id],
    );
    await this.#audit.record(client, actor, [
      { action: 'department.delete', subject: `department:${id}`, before: { name, parentId, priority }, request },
    ]);
    return (await read(client, id))!;
  }
}

/** That the parent is there and not below the department itself, and that no sibling has the name. */
async function requirePlace(
  client: pg.ClientBase,
  id: number | undefined,
  name: string,
  parentId: number,
): Promise<void> {
  let depth = 1;
  for (let above = parentId; above !== 0; depth++) {
    if (above === id) throw new ImError('BAD_REQUEST', 'parentId: a department cannot be below itself');
    if (depth >= DEPARTMENT_DEPTH_MAX)
      throw new ImError('BAD_REQUEST', `parentId: departments are at most ${DEPARTMENT_DEPTH_MAX} deep`);
    const { rows } = await client.query<{ parent_id: number }>(
      'select parent_id from meta.department where id = $1 and status = 0',
      [above],
    );
    if (rows[0] === undefined) throw new ImError('NO_SUCH_DEPARTMENT', `parentId: there is no department ${above}`);
    above = rows[0].parent_id;
  }
  const { rowCount } = await client.query(
    'select 1 from meta.department where parent_id = $1 and name = $2 and status = 0 and id <> $3',
    [parentId, name, id ?? 0],
  );
  if (rowCount !== 0) throw new ImError('NAME_TAKEN', `name: there is a department ${name} in the same place`);
}

async function read(client: pg.ClientBase, id: number): Promise<DepartmentNode | undefined> {
  const { rows } = await client.query<NodeRow & { status: number }>(
    `select q.*, d.status from (${SELECT}) q join meta.department d using (id) where q.id = $1`,
    [id],
  );
  return rows[0] && nodeOf(rows[0]);
}

function nodeOf(row: NodeRow): DepartmentNode {
  return {
    departmentId: row.id,
    name: row.name,
    parentId: row.parent_id,
    priority: row.priority,
    version: Number(row.updated),
    people: Number(row.people),
  };
}
