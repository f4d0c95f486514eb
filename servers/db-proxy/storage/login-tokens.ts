import { createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { DEVICES_MAX } from '../../../common/limits.js';
import type { Actor, Audit } from './audit.js';
import { inTransaction } from './database.js';
import type { Proven } from './passwords.js';
import { LEFT } from './users.js';

const TOKEN_SIZE = 32;
/** A token that is older is replaced at the next log-in. */
const ROTATE_AFTER = '1 day';

export interface Device {
  readonly deviceId: string;
  readonly deviceName: string;
  readonly clientType: number;
}

export interface KnownDevice extends Device {
  readonly createdMs: number;
  readonly usedMs: number;
  readonly expiresMs: number;
}

export interface FreshToken {
  readonly token: Buffer;
  readonly expiresMs: number;
}

export type TokenLogin =
  | { readonly ok: true; readonly userId: number; readonly fresh: FreshToken | undefined }
  /** `stolen`: somebody came with a token that its device has replaced, so nobody has one any more. */
  | { readonly ok: false; readonly stolen?: { readonly userId: number; readonly deviceId: string } };

/**
 * Devices that log in by a token: one token each, made when the password was given, replaced about once a day.
 *
 *   hash ──a day later, at a log-in──▶ next is handed out ──a log-in with next──▶ next becomes hash, hash becomes spent
 *
 * The old one stays good until the new one has been seen, as the answer that carried it may have been lost. After that it
 * is known to be a copy: its device is logged out, and has to be told the password again.
 */
export class LoginTokens {
  readonly #meta: pg.Pool;
  readonly #audit: Audit;
  readonly #days: number;

  /** @param days that a token is good without being used */
  constructor(meta: pg.Pool, audit: Audit, days: number) {
    this.#meta = meta;
    this.#audit = audit;
    this.#days = days;
  }

  /**
   * For a device whose user has just proved himself; the token it had ends.
   * @param proven with which password; undefined: the company's directory, asked right now, has vouched for him
   * @returns undefined when the password is another meanwhile: who changes it wants all devices logged out
   */
  async issue(userId: number, proven: Proven | undefined, device: Device): Promise<FreshToken | undefined> {
    const { token, hash } = freshToken();
    const { rows } = await this.#meta.query<{ expires: Date }>(
      `with holder as (
         select id from meta.users where id = $1 and status <> ${LEFT} and case
           when $9::int is not null then exists (select 1 from meta.app_password where id = $9 and user_id = $1 and hash = $2)
           else $2::text is null or password_hash = $2 end for share),
       crowd as (
         delete from meta.login_token where user_id = $1 and device_id in (
           select device_id from meta.login_token where user_id = $1 and device_id <> $3 order by used desc offset $4))
       insert into meta.login_token (user_id, device_id, device_name, client_type, hash, expires, app_password_id)
       select id, $3, $5, $6, $7, now() + $8 * interval '1 day', $9 from holder
       on conflict (user_id, device_id) do update set device_name = excluded.device_name, client_type = excluded.client_type,
         app_password_id = excluded.app_password_id, hash = excluded.hash, next = null, spent = null, created = now(), rotated = now(), used = now(), expires = excluded.expires
       returning expires`,
      [
        userId,
        proven?.passwordHash ?? null,
        device.deviceId,
        DEVICES_MAX - 1,
        device.deviceName,
        device.clientType,
        hash,
        this.#days,
        proven?.appPasswordId ?? null,
      ],
    );
    return rows[0] && { token, expiresMs: rows[0].expires.getTime() };
  }

  /** Somebody comes with a token. */
  async enter(userName: string, deviceId: string, token: Uint8Array): Promise<TokenLogin> {
    const digest = digestOf(token);
    const { rows } = await this.#meta.query<TokenRow>({
      name: 'login-by-token',
      text: `select t.user_id, t.next = $3 as is_next, t.spent = $3 as is_spent, t.expires < now() as expired,
                    t.next is not null or t.rotated < now() - interval '${ROTATE_AFTER}' as due
               from meta.users u join meta.login_token t on t.user_id = u.id
              where u.name = $1 and u.status <> ${LEFT} and t.device_id = $2 and $3 in (t.hash, t.next, t.spent)`,
      values: [userName, deviceId, digest],
    });
    const found = rows[0];
    if (found === undefined || found.expired) return { ok: false };
    const { user_id: userId } = found;
    if (found.is_spent === true) {
      await this.#remove(this.#meta, userId, deviceId);
      return { ok: false, stolen: { userId, deviceId } };
    }
    if (found.is_next === true) return this.#confirm(userId, deviceId, digest);
    return found.due ? this.#rotate(userId, deviceId, digest) : { ok: true, userId, fresh: undefined };
  }

  /** Last used first; expired ones are as good as gone. */
  async ofUser(userId: number): Promise<KnownDevice[]> {
    const { rows } = await this.#meta.query<DeviceRow>({
      name: 'devices-of-user',
      text: `select device_id, device_name, client_type, created, used, expires from meta.login_token
              where user_id = $1 and expires > now() order by used desc, device_id`,
      values: [userId],
    });
    return rows.map((row) => ({
      deviceId: row.device_id,
      deviceName: row.device_name,
      clientType: row.client_type,
      createdMs: row.created.getTime(),
      usedMs: row.used.getTime(),
      expiresMs: row.expires.getTime(),
    }));
  }

  async isLoggedIn(userId: number, deviceId: string): Promise<boolean> {
    const { rowCount } = await this.#meta.query({
      name: 'device-is-logged-in',
      text: 'select 1 from meta.login_token where user_id = $1 and device_id = $2 and expires > now()',
      values: [userId, deviceId],
    });
    return rowCount === 1;
  }

  /** By its user. @returns whether it was logged in */
  remove(userId: number, deviceId: string): Promise<boolean> {
    return this.#remove(this.#meta, userId, deviceId);
  }

  /** By the administration. */
  async removeAudited(actor: Actor, userId: number, deviceId: string): Promise<boolean> {
    return inTransaction(this.#meta, async (client) => {
      const removed = await this.#remove(client, userId, deviceId);
      const row = { action: 'user.remove-device', subject: `user:${userId}`, after: { deviceId } };
      if (removed) await this.#audit.record(client, actor, [row]);
      return removed;
    });
  }

  async #remove(client: Pick<pg.Pool, 'query'>, userId: number, deviceId: string): Promise<boolean> {
    const text = 'delete from meta.login_token where user_id = $1 and device_id = $2';
    const { rowCount } = await client.query(text, [userId, deviceId]);
    return rowCount === 1;
  }

  /** Only over what was found: it may have been logged out meanwhile. */
  async #confirm(userId: number, deviceId: string, next: Buffer): Promise<TokenLogin> {
    const { rowCount } = await this.#meta.query(
      `update meta.login_token set spent = hash, hash = next, next = null, rotated = now(), used = now(), expires = now() + $4 * interval '1 day'
        where user_id = $1 and device_id = $2 and next = $3`,
      [userId, deviceId, next, this.#days],
    );
    return rowCount === 1 ? { ok: true, userId, fresh: undefined } : { ok: false };
  }

  async #rotate(userId: number, deviceId: string, hash: Buffer): Promise<TokenLogin> {
    const { token, hash: next } = freshToken();
    const { rows } = await this.#meta.query<{ expires: Date }>(
      `update meta.login_token set next = $4, used = now(), expires = now() + $5 * interval '1 day'
        where user_id = $1 and device_id = $2 and hash = $3 returning expires`,
      [userId, deviceId, hash, next, this.#days],
    );
    if (rows[0] === undefined) return { ok: false };
    return { ok: true, userId, fresh: { token, expiresMs: rows[0].expires.getTime() } };
  }
}

/** The password is another, or its user has left: he is logged out everywhere. */
export async function forgetDevices(client: pg.ClientBase, userId: number, deviceClass?: number): Promise<void> {
  await client.query(
    'delete from meta.login_token where user_id = $1 and ($2::int is null or ((client_type & 16) = 0) = ($2 = 1))',
    [userId, deviceClass ?? null],
  );
}

function freshToken(): { token: Buffer; hash: Buffer } {
  const token = randomBytes(TOKEN_SIZE);
  return { token, hash: digestOf(token) };
}

function digestOf(token: Uint8Array): Buffer {
  return createHash('sha256').update(token).digest();
}

interface TokenRow {
  readonly user_id: number;
  readonly is_next: boolean | null;
  readonly is_spent: boolean | null;
  readonly expired: boolean;
  readonly due: boolean;
}

interface DeviceRow {
  readonly device_id: string;
  readonly device_name: string;
  readonly client_type: number;
  readonly created: Date;
  readonly used: Date;
  readonly expires: Date;
}
