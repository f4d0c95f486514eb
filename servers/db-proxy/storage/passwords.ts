import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import type pg from 'pg';
import { Turns } from '../../../common/turns.js';
import type { AddressFailures } from './address-failures.js';
import { Gather } from './gather.js';
import { FAILURE_WINDOW, type LoginFailures } from './login-failures.js';
import type { Checked, LoginMarks } from './login-marks.js';
import { LEFT } from './users.js';

/**
 * Who may log in. Clients send the hex MD5 of the password; stored is argon2id over that.
 *
 * argon2id costs about 20 ms of a core; after one full check a mark (login-marks.ts) answers the next ones for a while.
 * Failures are counted by name (login-failures.ts) and by address (address-failures.ts).
 *
 * Passwords of an original TeamTalk are taken over as they were stored there and become argon2id at the first login:
 *
 *   teamtalk-md5$<salt, up to 4 characters>$<hex MD5 of: hex MD5 of the password, then the salt>
 */
export type LoginResult =
  /** With the hash that was checked, as it is stored now. */
  | { readonly ok: true; readonly userId: number; readonly passwordHash: string }
  | { readonly ok: false; readonly why: 'wrong' | 'locked' };

/** What decided a log-in: a mark made here or by another db-proxy, a full check, a token, or a lock. */
export const DECIDED_BY = ['mark', 'shared-mark', 'hash', 'token', 'locked-name', 'locked-address'] as const;
export type DecidedBy = (typeof DECIDED_BY)[number];

export interface PasswordParts {
  readonly marks: LoginMarks;
  readonly failures: LoginFailures;
  readonly addresses: AddressFailures;
  decided(by: DecidedBy): void;
}

export function hashPassword(md5Hex: string): Promise<string> {
  return hash(md5Hex);
}

const TEAMTALK = /^teamtalk-md5\$(.*)\$([0-9a-f]{32})$/s;
const TEAMTALK_PREFIX = 'teamtalk-md5$';

/** In place of a hash: nobody can log in until a password is set. */
export const NO_PASSWORD = `${TEAMTALK_PREFIX}none`;

/** What is kept of a password that an original TeamTalk stored. One that it cannot have made opens for nobody. */
export function teamtalkHash(salt: string, md5Hex: string): string {
  return `${TEAMTALK_PREFIX}${salt}$${md5Hex.toLowerCase()}`;
}

/** Node's thread pool has four threads. */
const HASHES_AT_ONCE = 2;

export class Passwords {
  readonly #meta: pg.Pool;
  readonly #parts: PasswordParts;
  /** Checked in place of a hash for names that do not exist, so that the time tells nothing. */
  readonly #nobody: Promise<string> = hash(randomBytes(16).toString('hex'));

  readonly #users: Gather<string, UserRow | undefined>;

  /** Hashes run on the same few threads as the proofs of new connections to PostgreSQL, which have to get through. */
  readonly #hashing = new Turns(HASHES_AT_ONCE);

  constructor(meta: pg.Pool, parts: PasswordParts) {
    this.#meta = meta;
    this.#parts = parts;
    this.#users = new Gather((names) => this.#usersNamed(names));
  }

  async check(name: string, md5Hex: string, address: string): Promise<LoginResult> {
    const { marks, failures, addresses, decided } = this.#parts;
    const user = await this.#users.get(name);
    if (user !== undefined && user.failures > failures.max) return this.#locked('locked-name');
    const checked = user && { userId: user.id, status: user.status, stored: user.password_hash, md5Hex };
    const mark = checked && (await marks.find(checked));
    if (mark === undefined && addresses.refuses(address)) return this.#locked('locked-address');
    if (mark === undefined) decided('hash');
    else decided(mark === 'here' ? 'mark' : 'shared-mark');
    const right = mark !== undefined || (await this.#verify(user?.password_hash ?? (await this.#nobody), md5Hex));
    if (user === undefined || checked === undefined || !right) {
      const counted = user && failures.add({ id: user.id, name, inTable: Number(user.failures) }, address);
      await Promise.all([counted, addresses.add(address)]);
      return { ok: false, why: 'wrong' };
    }
    // Many guesses at once, all begun before the first of them had failed, get no further than one after the other.
    if (mark === undefined && (await failures.isLocked(name))) return this.#locked('locked-name');
    const [passwordHash] = await Promise.all([
      mark === undefined ? this.#makeMark(checked) : checked.stored,
      failures.clear({ id: user.id, name, inTable: Number(user.failures) }),
    ]);
    return { ok: true, userId: user.id, passwordHash };
  }

  /**
   * A wrong token counts for the address it came from, as a wrong password does, and not for the name: nobody guesses
   * one, so it is no reason to lock somebody out. A right one is let in wherever it comes from. @returns why not, if not
   */
  async tokenShown(right: boolean, address: string): Promise<'wrong' | 'locked'> {
    const { addresses, decided } = this.#parts;
    const refused = !right && addresses.refuses(address);
    decided(refused ? 'locked-address' : 'token');
    if (!right) await addresses.add(address);
    return refused ? 'locked' : 'wrong';
  }

  async #usersNamed(names: readonly string[]): Promise<(UserRow | undefined)[]> {
    const { rows } = await this.#meta.query<UserRow>({
      name: 'login',
      text: `select u.id, u.name, u.status, u.password_hash,
                    (select count(*) from meta.login_failure f where f.user_name = u.name and f.at > now() - interval '${FAILURE_WINDOW}') as failures
               from meta.users u where u.name = any($1::text[]) and u.status <> ${LEFT}`,
      values: [names],
    });
    const byName = new Map(rows.map((row) => [row.name, row]));
    return names.map((name) => byName.get(name));
  }

  /** For a password that is being set; a few at a time, so that log-ins get their turns. */
  hash(md5Hex: string): Promise<string> {
    return this.#hashing.take(() => hashPassword(md5Hex));
  }

  #locked(by: DecidedBy): LoginResult {
    this.#parts.decided(by);
    return { ok: false, why: 'locked' };
  }

  /** @returns the hash as it is stored afterwards */
  async #makeMark(checked: Checked): Promise<string> {
    if (checked.stored.startsWith(TEAMTALK_PREFIX)) return this.#rehash(checked);
    await this.#parts.marks.make(checked);
    return checked.stored;
  }

  async #verify(stored: string, md5Hex: string): Promise<boolean> {
    if (!stored.startsWith(TEAMTALK_PREFIX)) return this.#hashing.take(() => verify(stored, md5Hex));
    const [, salt, expected] = TEAMTALK.exec(stored) ?? [];
    const right =
      expected !== undefined &&
      timingSafeEqual(createHash('md5').update(md5Hex).update(salt!).digest(), Buffer.from(expected, 'hex'));
    // A right one is hashed anew, which takes as long: the time does not tell which accounts have not come yet.
    const nobody = await this.#nobody;
    if (!right) await this.#hashing.take(() => verify(nobody, md5Hex));
    return right;
  }

  /** Only over what was checked: somebody may have set another password meanwhile. */
  async #rehash(checked: Checked): Promise<string> {
    const fresh = await hashPassword(checked.md5Hex);
    const { rowCount } = await this.#meta.query(
      'update meta.users set password_hash = $3 where id = $1 and password_hash = $2',
      [checked.userId, checked.stored, fresh],
    );
    if (rowCount !== 1) return checked.stored;
    await this.#parts.marks.make({ ...checked, stored: fresh });
    return fresh;
  }
}

interface UserRow {
  readonly id: number;
  readonly name: string;
  readonly status: number;
  readonly password_hash: string;
  readonly failures: bigint;
}
