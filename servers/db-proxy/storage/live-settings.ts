import type pg from 'pg';
import { ImError } from '../../../common/errors.js';
import type { Actor, Audit } from './audit.js';
import { inTransaction } from './database.js';

export interface LiveSetting {
  readonly name: string;
  /** JSON. */
  readonly value: string;
  readonly version: number;
}

interface SettingRow {
  readonly name: string;
  readonly value: string;
  readonly version: number;
}

/** Settings that the administration changes while the cluster runs. Whoever reads them knows their shape and default. */
export class LiveSettings {
  readonly #meta: pg.Pool;
  readonly #audit: Audit;

  constructor(meta: pg.Pool, audit: Audit) {
    this.#meta = meta;
    this.#audit = audit;
  }

  /** Those whose names begin so, by name. */
  async list(prefix: string): Promise<LiveSetting[]> {
    const { rows } = await this.#meta.query<SettingRow>(
      'select name, value::text, version from meta.setting where starts_with(name, $1) order by name',
      [prefix],
    );
    return rows;
  }

  /** Undefined in place of a value takes it back to its default. @throws ImError CONFLICT */
  change(
    actor: Actor,
    name: string,
    value: string | undefined,
    expectedVersion?: number,
  ): Promise<LiveSetting | undefined> {
    return inTransaction(this.#meta, async (client) => {
      // Also when there is no row to lock yet.
      await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`setting ${name}`]);
      const { rows } = await client.query<SettingRow>(
        'select name, value::text, version from meta.setting where name = $1',
        [name],
      );
      const before = rows[0];
      if (expectedVersion !== undefined && expectedVersion !== (before?.version ?? 0))
        throw new ImError('CONFLICT', `${name} was changed by somebody else meanwhile`);
      if (before?.value === value) return before;
      if (value === undefined) await client.query('delete from meta.setting where name = $1', [name]);
      else
        await client.query(
          `insert into meta.setting (name, value) values ($1, $2)
           on conflict (name) do update set value = excluded.value, version = setting.version + 1, updated = now()`,
          [name, value],
        );
      const said = (json: string | undefined) => (json === undefined ? undefined : { value: JSON.parse(json) });
      await this.#audit.record(client, actor, [
        { action: 'setting.change', subject: `setting:${name}`, before: said(before?.value), after: said(value) },
      ]);
      return value === undefined ? undefined : { name, value, version: (before?.version ?? 0) + 1 };
    });
  }
}
