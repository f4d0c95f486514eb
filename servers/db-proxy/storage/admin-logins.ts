import { createHash, randomBytes } from 'node:crypto';
import { verify } from '@node-rs/argon2';
import * as OTPAuth from 'otpauth';
import type pg from 'pg';
import type { Limits } from '../../../common/live/limits.js';
import { Turns } from '../../../common/turns.js';
import { type AdminAccount, type AdminRow, adminOf, COLUMNS } from './admins.js';
import type { Audit } from './audit.js';
import type { ConsoleKey } from './console-key.js';
import { inTransaction } from './database.js';
import { hashPassword } from './passwords.js';

/** Failures within it count, for a name and for an address over all names. */
const WINDOW = '15 minutes';

const CODE_PERIOD_S = 30;
/** The code before and the one after count as well: clocks differ, and people type slowly. */
const CODE_WINDOW = 1;
const ISSUER = 'TeamTalk console';
const SECRET_SIZE = 20;

/** A session in use is marked as such this often at most: not every request of a page is a write. */
const TOUCH = '10 seconds';
const SESSIONS_LISTED_MAX = 100;

export type Entered =
  | { readonly result: 'ok'; readonly token: Buffer }
  | { readonly result: 'wrong' | 'code-needed' }
  | { readonly result: 'locked'; readonly retryAfterMs: number };

export type Checked = 'ok' | 'wrong-password' | 'wrong-code' | 'locked';

export interface LoginAttempt {
  readonly name: string;
  readonly password: string;
  readonly code: string;
  readonly address: string;
  readonly agent: string;
  readonly idleMs: number;
  readonly lifetimeMs: number;
}

export interface AdminSession {
  readonly id: string;
  readonly address: string;
  readonly agent: string;
  readonly createdMs: number;
  readonly usedMs: number;
}

/**
 * Who gets into the console, and who is in. An attempt is counted before its password is looked at and taken back when
 * it was right, so many at once get no further than one after the other. What the browser keeps is random; what is
 * stored of it is a hash, so who reads the table has no session.
 */
export class AdminLogins {
  readonly #meta: pg.Pool;
  readonly #key: ConsoleKey;
  readonly #audit: Audit;
  readonly #limits: Limits<'db-proxy'>;
  /** Checked for names that do not exist, so that the time tells nothing. */
  readonly #nobody: Promise<string> = hashPassword(randomBytes(16).toString('hex'));
  readonly #hashing = new Turns(1);

  constructor(meta: pg.Pool, key: ConsoleKey, audit: Audit, limits: Limits<'db-proxy'>) {
    this.#meta = meta;
    this.#key = key;
    this.#audit = audit;
    this.#limits = limits;
  }

  async enter(attempt: LoginAttempt): Promise<Entered> {
    const { name, password, code, address } = attempt;
    const trying = await this.#try(name, address);
    if ('retryAfterMs' in trying) return { result: 'locked', ...trying };
    const { rows } = await this.#meta.query<AdminRow>(
      `select ${COLUMNS} from meta.admin where lower(name) = lower($1) and not disabled`,
      [name],
    );
    const row = rows[0];
    const right = await this.#verify(row?.password_hash ?? (await this.#nobody), password);
    if (row === undefined || !right) return this.#refused(attempt, 'wrong password');
    if (row.totp_on && code === '') {
      await this.#forgive(trying.id);
      return { result: 'code-needed' };
    }
    if (row.totp_on && !(await this.#useCode(row, code))) return this.#refused(attempt, 'wrong code');
    const token = randomBytes(32);
    await inTransaction(this.#meta, async (client) => {
      await client.query('delete from meta.admin_failure where lower(name) = lower($1)', [name]);
      await client.query('delete from meta.admin_session where expires < now() or used + idle < now()');
      await client.query(
        `insert into meta.admin_session (token_hash, admin_id, address, agent, idle, expires)
         values ($1, $2, $3, $4, $5 * interval '1 millisecond', now() + $6 * interval '1 millisecond')`,
        [hashOfToken(token), row.id, address, attempt.agent, attempt.idleMs, attempt.lifetimeMs],
      );
      await this.#audit.record(client, { kind: 'admin', name: row.name, address }, [
        { action: 'console.login', subject: `admin:${row.id}` },
      ]);
    });
    return { result: 'ok', token };
  }

  /** Whose session it is, as long as it lasts. */
  async sessionOf(
    tokenHash: Uint8Array,
    touch: boolean,
  ): Promise<{ readonly admin: AdminAccount; readonly sessionId: string } | undefined> {
    const { rows } = await this.#meta.query<AdminRow & { session_id: string; stale: boolean }>({
      name: 'admin-session',
      text: `select a.*, s.id as session_id, s.used < now() - interval '${TOUCH}' as stale, s.used as last_seen
               from meta.admin_session s join meta.admin a on a.id = s.admin_id
              where s.token_hash = $1 and not a.disabled and s.expires > now() and s.used + s.idle > now()`,
      values: [Buffer.from(tokenHash)],
    });
    const row = rows[0];
    if (row === undefined) return undefined;
    if (touch && row.stale)
      await this.#meta.query('update meta.admin_session set used = now() where id = $1', [row.session_id]);
    return { admin: adminOf(row), sessionId: row.session_id };
  }

  /** Ends those named, if they are this account's own. @returns those that are left, the one used last first. */
  async sessions(adminId: number, end: readonly string[]): Promise<AdminSession[]> {
    if (end.length > 0)
      await this.#meta.query('delete from meta.admin_session where admin_id = $1 and id::text = any($2)', [
        adminId,
        end,
      ]);
    const { rows } = await this.#meta.query<{ id: string; address: string; agent: string; created: Date; used: Date }>(
      `select id, address, agent, created, used from meta.admin_session
        where admin_id = $1 and expires > now() and used + idle > now() order by used desc limit ${SESSIONS_LISTED_MAX}`,
      [adminId],
    );
    return rows.map(({ created, used, ...same }) => ({
      ...same,
      createdMs: created.getTime(),
      usedMs: used.getTime(),
    }));
  }

  async changePassword(asked: {
    readonly adminId: number;
    readonly sessionId: string;
    readonly oldPassword: string;
    readonly newPassword: string;
    readonly address: string;
  }): Promise<Checked> {
    const { adminId, address } = asked;
    const row = await this.#confirmed(adminId, asked.oldPassword, address);
    if (typeof row === 'string') return row;
    const fresh = await this.#hashing.take(() => hashPassword(asked.newPassword.normalize('NFKC')));
    await inTransaction(this.#meta, async (client) => {
      await client.query('update meta.admin set password_hash = $2, must_change = false where id = $1', [
        adminId,
        fresh,
      ]);
      await client.query('delete from meta.admin_session where admin_id = $1 and id::text <> $2', [
        adminId,
        asked.sessionId,
      ]);
      await this.#audit.record(client, { kind: 'admin', name: row.name, address }, [
        { action: 'console.password', subject: `admin:${adminId}` },
      ]);
    });
    return 'ok';
  }

  /** A new secret, which counts from when its first code has come. @returns what an authenticator app is told */
  async beginCodes(adminId: number, password: string, address: string): Promise<{ uri: string } | Checked> {
    const row = await this.#confirmed(adminId, password, address);
    if (typeof row === 'string') return row;
    const secret = randomBytes(SECRET_SIZE);
    // While codes are on, the ones in use stay until they are turned off: a new secret must not end them unconfirmed.
    const { rowCount } = await this.#meta.query(
      'update meta.admin set totp_sealed = $2, totp_step = 0 where id = $1 and not totp_on',
      [adminId, this.#key.seal(ownerOf(adminId), secret)],
    );
    return rowCount === 1 ? { uri: totpOf(secret, row.name).toString() } : 'wrong-code';
  }

  async confirmCodes(adminId: number, code: string, address: string): Promise<Checked> {
    const row = await this.#byId(adminId);
    const trying = await this.#try(row.name, address);
    if ('retryAfterMs' in trying) return 'locked';
    if (row.totp_sealed === null || row.totp_on || !(await this.#useCode(row, code))) return 'wrong-code';
    await this.#forgive(trying.id);
    await this.#setCodes(row, true, address);
    return 'ok';
  }

  async endCodes(adminId: number, password: string, address: string): Promise<Checked> {
    const row = await this.#confirmed(adminId, password, address);
    if (typeof row === 'string') return row;
    await this.#setCodes(row, false, address);
    return 'ok';
  }

  async #setCodes(row: AdminRow, on: boolean, address: string): Promise<void> {
    await inTransaction(this.#meta, async (client) => {
      await client.query(
        'update meta.admin set totp_on = $2, totp_sealed = case when $2 then totp_sealed end where id = $1',
        [row.id, on],
      );
      await this.#audit.record(client, { kind: 'admin', name: row.name, address }, [
        { action: on ? 'console.codes-on' : 'console.codes-off', subject: `admin:${row.id}` },
      ]);
    });
  }

  async #byId(adminId: number): Promise<AdminRow> {
    const { rows } = await this.#meta.query<AdminRow>(`select ${COLUMNS} from meta.admin where id = $1`, [adminId]);
    return rows[0]!;
  }

  /** The account, when this is its password; guesses from within a session count like those at the door. */
  async #confirmed(adminId: number, password: string, address: string): Promise<AdminRow | Checked> {
    const row = await this.#byId(adminId);
    const trying = await this.#try(row.name, address);
    if ('retryAfterMs' in trying) return 'locked';
    if (!(await this.#verify(row.password_hash, password))) return 'wrong-password';
    await this.#forgive(trying.id);
    return row;
  }

  #verify(stored: string, password: string): Promise<boolean> {
    return this.#hashing.take(() => verify(stored, password.normalize('NFKC')));
  }

  /** Counts an attempt, or says how long to wait: until the oldest of those that are too many is out of the window. */
  async #try(name: string, address: string): Promise<{ readonly id: bigint } | { readonly retryAfterMs: number }> {
    return inTransaction(this.#meta, async (client) => {
      await client.query(`select pg_advisory_xact_lock(hashtext('console log-in'))`);
      await client.query(`delete from meta.admin_failure where at <= now() - interval '${WINDOW}'`);
      const { rows } = await client.query<{ name: number | null; address: number | null }>(
        `select (${waitOf('lower(name) = lower($1)', '$3')}) as name, (${waitOf('address = $2', '$4')}) as address`,
        [name, address, this.#limits.size('console.name') - 1, this.#limits.size('console.address') - 1],
      );
      const late = rows[0]!;
      if (late.name !== null) this.#limits.hit('console.name');
      if (late.address !== null) this.#limits.hit('console.address');
      if (late.name !== null || late.address !== null)
        return { retryAfterMs: Math.ceil(Math.max(late.name ?? 0, late.address ?? 0)) };
      const { rows: added } = await client.query<{ id: bigint }>(
        'insert into meta.admin_failure (name, address) values ($1, $2) returning id',
        [name, address],
      );
      return added[0]!;
    });
  }

  async #forgive(id: bigint): Promise<void> {
    await this.#meta.query('delete from meta.admin_failure where id = $1', [String(id)]);
  }

  async #refused({ name, address }: LoginAttempt, why: string): Promise<Entered> {
    await inTransaction(this.#meta, (client) =>
      this.#audit.record(client, { kind: 'admin', name, address }, [
        { action: 'console.login-refused', subject: 'admin:', after: { why } },
      ]),
    );
    return { result: 'wrong' };
  }

  /** Each code opens once, whoever asks first. */
  async #useCode(row: AdminRow, code: string): Promise<boolean> {
    const delta = totpOf(this.#key.open(ownerOf(row.id), row.totp_sealed!), row.name).validate({
      token: code.replaceAll(' ', ''),
      window: CODE_WINDOW,
    });
    if (delta === null) return false;
    const step = Math.floor(Date.now() / 1000 / CODE_PERIOD_S) + delta;
    const { rowCount } = await this.#meta.query(
      'update meta.admin set totp_step = $2 where id = $1 and totp_step < $2',
      [row.id, step],
    );
    return rowCount === 1;
  }
}

/** How long, in ms, until the oldest of those that are too many is out of the window; null when there are not too many. */
function waitOf(whose: string, offset: string): string {
  return `select extract(epoch from at + interval '${WINDOW}' - now())::float8 * 1000 from meta.admin_failure
           where ${whose} order by at desc offset ${offset} limit 1`;
}

export function hashOfToken(token: Uint8Array): Buffer {
  return createHash('sha256').update(token).digest();
}

function totpOf(secret: Buffer, label: string): OTPAuth.TOTP {
  return new OTPAuth.TOTP({
    issuer: ISSUER,
    label,
    period: CODE_PERIOD_S,
    secret: OTPAuth.Secret.fromHex(secret.toString('hex')),
  });
}

/** What a secret of an account is bound to; part of what is stored. */
function ownerOf(adminId: number): string {
  return `console account ${adminId}`;
}
