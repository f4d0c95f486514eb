import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import type pg from 'pg';
import { LEFT } from './users.js';

/**
 * Who may log in. Clients send the hex MD5 of the password; stored is argon2id over that.
 *
 * argon2id costs about 20 ms of a core, so ten thousand clients that come back at once must not each pay it: after one
 * full check a keyed MAC of the credential, key and marks in memory only, answers the next ones for a while. The mark
 * holds the stored hash too, so it dies with the password.
 */
export type LoginResult =
  | { readonly ok: true; readonly userId: number }
  | { readonly ok: false; readonly why: 'wrong' | 'locked' };

/** The eleventh failure within the window locks the name. */
const FAILURES_MAX = 10;
const FAILURE_WINDOW = '30 minutes';
const MARK_MS_MAX = 60 * 60 * 1000;
const MARKS_MAX = 100_000;

export function hashPassword(md5Hex: string): Promise<string> {
  return hash(md5Hex);
}

export class Passwords {
  readonly #meta: pg.Pool;
  readonly #key = randomBytes(32);
  readonly #marks = new Map<number, { mac: Buffer; untilMs: number }>();
  /** Checked in place of a hash for names that do not exist, so that the time tells nothing. */
  readonly #nobody: Promise<string> = hash(randomBytes(16).toString('hex'));

  constructor(meta: pg.Pool) {
    this.#meta = meta;
  }

  async check(name: string, md5Hex: string, address: string): Promise<LoginResult> {
    const { rows } = await this.#meta.query<{ id: number; password_hash: string; failures: bigint }>({
      name: 'login',
      text: `select id, password_hash, (select count(*) from meta.login_failure where user_name = $1 and at > now() - interval '${FAILURE_WINDOW}') as failures
               from meta.users where name = $1 and status <> ${LEFT}`,
      values: [name],
    });
    const user = rows[0];
    if (user !== undefined && user.failures > FAILURES_MAX) return { ok: false, why: 'locked' };
    const marked = user !== undefined && this.#marked(user.id, user.password_hash, md5Hex);
    const right = marked || (await verify(user?.password_hash ?? (await this.#nobody), md5Hex));
    if (user === undefined || !right) {
      if (user !== undefined) await this.#fail(name, address);
      return { ok: false, why: 'wrong' };
    }
    if (user.failures > 0n) await this.#meta.query('delete from meta.login_failure where user_name = $1', [name]);
    if (!marked) this.#mark(user.id, user.password_hash, md5Hex);
    return { ok: true, userId: user.id };
  }

  async #fail(name: string, address: string): Promise<void> {
    await this.#meta.query(
      `delete from meta.login_failure where user_name = $1 and at <= now() - interval '${FAILURE_WINDOW}'`,
      [name],
    );
    await this.#meta.query('insert into meta.login_failure (user_name, address) values ($1, $2)', [name, address]);
  }

  #marked(userId: number, stored: string, md5Hex: string): boolean {
    const mark = this.#marks.get(userId);
    if (mark === undefined || mark.untilMs < performance.now()) return false;
    return timingSafeEqual(mark.mac, this.#mac(stored, md5Hex));
  }

  #mark(userId: number, stored: string, md5Hex: string): void {
    if (this.#marks.size >= MARKS_MAX) this.#marks.clear();
    this.#marks.set(userId, { mac: this.#mac(stored, md5Hex), untilMs: performance.now() + MARK_MS_MAX });
  }

  #mac(stored: string, md5Hex: string): Buffer {
    return createHmac('sha256', this.#key).update(stored).update('\0').update(md5Hex).digest();
  }
}
