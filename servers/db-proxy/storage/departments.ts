import type pg from 'pg';
import { keepSequenceAhead } from './users.js';

export interface Department {
  readonly id: number;
  readonly name: string;
  readonly priority: number;
  /** 0: a top department. */
  readonly parentId: number;
  /** 0 active, 1 deleted. */
  readonly status: number;
  readonly updated: number;
}

export class Departments {
  readonly #meta: pg.Pool;

  constructor(meta: pg.Pool) {
    this.#meta = meta;
  }

  /** Changed after the stamp, deleted ones included. */
  async changedSince(stamp: number): Promise<Department[]> {
    const { rows } = await this.#meta.query<{
      id: number;
      name: string;
      priority: number;
      parent_id: number;
      status: number;
      updated: bigint;
    }>({
      name: 'departments-changed',
      text: 'select id, name, priority, parent_id, status, updated from meta.department where updated > $1 order by id',
      values: [stamp],
    });
    return rows.map(({ parent_id: parentId, updated, ...same }) => ({ ...same, parentId, updated: Number(updated) }));
  }

  async add(departments: readonly (Partial<Department> & { name: string })[]): Promise<number[]> {
    const rows = departments.map((each) => ({
      id: each.id ?? null,
      name: each.name,
      priority: each.priority ?? 0,
      parent_id: each.parentId ?? 0,
      status: each.status ?? 0,
      updated: each.updated ?? null,
    }));
    const added = await this.#meta.query<{ id: number }>(
      `with stamp as (select meta.next_stamp('departments') as value)
       insert into meta.department (id, name, priority, parent_id, status, updated)
       select coalesce(d.id, nextval(pg_get_serial_sequence('meta.department', 'id'))::int), d.name, d.priority, d.parent_id, d.status, coalesce(d.updated, stamp.value)
         from stamp, json_to_recordset($1) as d (id int, name text, priority int, parent_id int, status smallint, updated bigint)
       returning id`,
      [JSON.stringify(rows)],
    );
    await keepSequenceAhead(this.#meta, 'department');
    return added.rows.map((row) => row.id);
  }
}
