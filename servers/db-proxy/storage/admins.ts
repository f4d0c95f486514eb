import { randomInt } from 'node:crypto';
import type pg from 'pg';
import type { Role } from '../../../common/roles.js';
import type { Audit, Change } from './audit.js';
import { inTransaction } from './database.js';
import { hashPassword } from './passwords.js';

/** The people of the console, and what owners and admins do with the accounts of others. */
export interface AdminAccount {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  /** The password is known to somebody else: nothing else may be done before it is changed. */
  readonly mustChange: boolean;
  readonly totp: boolean;
  readonly version: number;
  readonly createdMs: number;
  readonly lastSeenMs: number | undefined;
}

export interface AdminRow {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly password_hash: string;
  readonly must_change: boolean;
  readonly totp_sealed: Buffer | null;
  readonly totp_on: boolean;
  readonly disabled: boolean;
  readonly version: number;
  readonly created: Date;
  readonly last_seen: Date | null;
}

export const COLUMNS = `id, name, role, password_hash, must_change, totp_sealed, totp_on, disabled, version, created,
  (select max(used) from meta.admin_session s where s.admin_id = admin.id and expires > now() and used + idle > now()) as last_seen`;

export interface AdminChange {
  /** Undefined: a new account. */
  readonly id: number | undefined;
  readonly version: number | undefined;
  readonly name: string | undefined;
  readonly role: Role | undefined;
  readonly disabled: boolean | undefined;
  /** A new one-time password, and no codes until their owner has set them up again. */
  readonly reset: boolean;
}

/** To be completed by a name. */
export const NEW_OWNER = {
  id: undefined,
  version: undefined,
  role: 'owner',
  disabled: undefined,
  reset: false,
} as const satisfies Omit<AdminChange, 'name'>;

export type AdminChanged =
  | { readonly result: 'ok'; readonly admin: AdminAccount; readonly password: string | undefined }
  | { readonly result: 'conflict'; readonly admin: AdminAccount }
  | { readonly result: 'name-taken' | 'last-owner' | 'not-found' | 'not-allowed' };

/** Who makes the change: somebody of the console by id, or a tool on the machine, which may do everything. */
export type AdminActor = { readonly id: number; readonly address: string } | { readonly tool: string };

export class Admins {
  readonly #meta: pg.Pool;
  readonly #audit: Audit;

  constructor(meta: pg.Pool, audit: Audit) {
    this.#meta = meta;
    this.#audit = audit;
  }

  async list(): Promise<AdminAccount[]> {
    const { rows } = await this.#meta.query<AdminRow>(`select ${COLUMNS} from meta.admin order by lower(name)`);
    return rows.map(adminOf);
  }

  async count(): Promise<number> {
    const { rows } = await this.#meta.query<{ n: number }>('select count(*)::int as n from meta.admin');
    return rows[0]!.n;
  }

  async change(actor: AdminActor, change: AdminChange): Promise<AdminChanged> {
    const password = change.id === undefined || change.reset ? oneTimePassword() : undefined;
    const hash = password === undefined ? undefined : await hashPassword(password);
    return inTransaction(this.#meta, async (client) => {
      // One after the other, so that two owners cannot take each other's role away at the same moment.
      const { rows } = await client.query<AdminRow>(
        'select *, null as last_seen from meta.admin order by id for update',
      );
      const by = 'tool' in actor ? undefined : rows.find((row) => row.id === actor.id);
      const before = rows.find((row) => row.id === change.id);
      const refusal = refusalOf(rows, before, by, change, 'tool' in actor);
      if (refusal === 'conflict') return { result: refusal, admin: adminOf(before!) };
      if (refusal !== undefined) return { result: refusal };
      const after = await write(client, before, change, hash);
      if (change.disabled === true || change.reset)
        await client.query('delete from meta.admin_session where admin_id = $1', [after.id]);
      const who =
        'tool' in actor
          ? { kind: 'tool', name: actor.tool, address: '' }
          : { kind: 'admin', name: by!.name, address: actor.address };
      await this.#audit.record(client, who, auditOf(before, after, change));
      return { result: 'ok', admin: adminOf(after), password };
    });
  }
}

function refusalOf(
  rows: readonly AdminRow[],
  before: AdminRow | undefined,
  by: AdminRow | undefined,
  change: AdminChange,
  isTool: boolean,
): 'conflict' | 'name-taken' | 'last-owner' | 'not-found' | 'not-allowed' | undefined {
  if (change.id !== undefined && before === undefined) return 'not-found';
  // Who may take out what people wrote is the owners' to say, and nobody else gets into such an account.
  const touchesOwner = [before?.role, change.role].some((role) => role === 'owner' || role === 'compliance');
  const ownRights =
    before !== undefined &&
    before.id === by?.id &&
    (change.disabled === true || change.role !== undefined || change.reset);
  if (!isTool && (by === undefined || ownRights || (touchesOwner && by.role !== 'owner'))) return 'not-allowed';
  if (before !== undefined && change.version !== undefined && change.version !== before.version) return 'conflict';
  const name = change.name?.toLowerCase();
  if (name !== undefined && rows.some((row) => row.id !== change.id && row.name.toLowerCase() === name))
    return 'name-taken';
  const staysOwner = (row: AdminRow) =>
    row.id === change.id
      ? (change.role ?? row.role) === 'owner' && !(change.disabled ?? row.disabled)
      : row.role === 'owner' && !row.disabled;
  if (before?.role === 'owner' && !rows.some(staysOwner)) return 'last-owner';
  return undefined;
}

async function write(
  client: pg.ClientBase,
  before: AdminRow | undefined,
  change: AdminChange,
  hash: string | undefined,
): Promise<AdminRow> {
  if (before === undefined) {
    const { rows } = await client.query<AdminRow>(
      `insert into meta.admin (name, role, password_hash, must_change) values ($1, $2, $3, true) returning *, null as last_seen`,
      [change.name, change.role, hash],
    );
    return rows[0]!;
  }
  const { rows } = await client.query<AdminRow>(
    `update meta.admin set name = coalesce($2, name), role = coalesce($3, role), disabled = coalesce($4, disabled),
            password_hash = coalesce($5, password_hash), must_change = must_change or $5 is not null,
            totp_on = totp_on and $5 is null, totp_sealed = case when $5 is null then totp_sealed end, version = version + 1
      where id = $1 returning *, null as last_seen`,
    [before.id, change.name ?? null, change.role ?? null, change.disabled ?? null, hash ?? null],
  );
  return rows[0]!;
}

function auditOf(before: AdminRow | undefined, after: AdminRow, change: AdminChange): Change[] {
  const subject = `admin:${after.id}`;
  const shown = ({ name, role, disabled }: AdminRow) => ({ name, role, disabled });
  if (before === undefined) return [{ action: 'admin.create', subject, after: shown(after) }];
  const isChanged = before.name !== after.name || before.role !== after.role || before.disabled !== after.disabled;
  return [
    ...(isChanged ? [{ action: 'admin.change', subject, before: shown(before), after: shown(after) }] : []),
    ...(change.reset ? [{ action: 'admin.reset', subject }] : []),
  ];
}

export function adminOf(row: AdminRow): AdminAccount {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    disabled: row.disabled,
    mustChange: row.must_change,
    totp: row.totp_on,
    version: row.version,
    createdMs: row.created.getTime(),
    lastSeenMs: row.last_seen?.getTime(),
  };
}

/** 100 bits, in letters and digits that are not taken for one another. */
function oneTimePassword(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const part = () => Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('');
  return [part(), part(), part(), part()].join('-');
}
