import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import type pg from 'pg';
import { Turns } from '../../../common/turns.js';
import type { AddressFailures } from './address-failures.js';
import { finderOf } from './app-passwords.js';
import type { ConsoleKey } from './console-key.js';
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
  ({ readonly ok: true; readonly userId: number } & Proven) | { readonly ok: false; readonly why: 'wrong' | 'locked' };

/** What a user has proved himself with: his password, or one of his app passwords. */
export interface Proven {
  readonly passwordHash: string;
  readonly appPasswordId: number | undefined;
}

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
  readonly #consoleKey: ConsoleKey;

  readonly #users: Gather<Guess, UserRow | undefined>;

  /** Hashes run on the same few threads as the proofs of new connections to PostgreSQL, which have to get through. */
  readonly #hashing = new Turns(HASHES_AT_ONCE);

  constructor(meta: pg.Pool, consoleKey: ConsoleKey, parts: PasswordParts) {
    this.#meta = meta;
    this.#parts = parts;
    this.#consoleKey = consoleKey;
    this.#users = new Gather((guesses) => this.#usersNamed(guesses));
  }

  async check(name: string, md5Hex: string, address: string): Promise<LoginResult> {
    const { marks, failures, addresses, decided } = this.#parts;
    const user = await this.#users.get({ name, finder: finderOf(this.#consoleKey, md5Hex).toString('hex') });
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
      mark === undefined && user.app_password_id !== null && this.#used(user.app_password_id),
    ]);
    return { ok: true, userId: user.id, passwordHash, appPasswordId: user.app_password_id ?? undefined };
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

  /**
   * Tries a password that somebody else knows, not we. It counts as failed until it was right, so that many at once get no
   * further than one after the other.
   * @param whom the directory and whom of it, which is no user's name
   * @param isRight what it throws is thrown, and counts as nothing
   */
  async guess(whom: string, address: string, isRight: () => Promise<boolean>): Promise<'right' | 'wrong' | 'locked'> {
    const { failures, addresses } = this.#parts;
    if (await failures.countAhead(whom, address)) {
      this.#parts.decided('locked-name');
      return 'locked';
    }
    const right = await isRight().catch(async (error: unknown) => {
      await failures.takeBack(whom);
      throw error;
    });
    await (right ? failures.forget(whom) : addresses.add(address));
    return right ? 'right' : 'wrong';
  }

  refusesAddress(address: string): boolean {
    const refused = this.#parts.addresses.refuses(address);
    if (refused) this.#parts.decided('locked-address');
    return refused;
  }

  countAddress(address: string): Promise<void> {
    return this.#parts.addresses.add(address);
  }

  /** The hash of the app password that is meant, if it is one; else that of the password. */
  async #usersNamed(guesses: readonly Guess[]): Promise<(UserRow | undefined)[]> {
    const { rows } = await this.#meta.query<UserRow>({
      name: 'login',
      text: `select g.nth, u.id, u.name, u.status, coalesce(a.hash, u.password_hash) as password_hash, a.id as app_password_id,
                    (select count(*) from meta.login_failure f where f.user_name = u.name and f.at > now() - interval '${FAILURE_WINDOW}') as failures
               from unnest($1::text[], $2::text[]) with ordinality as g (name, finder, nth)
               join meta.users u on u.name = g.name and u.status <> ${LEFT}
               left join meta.app_password a on a.user_id = u.id and a.finder = decode(g.finder, 'hex')`,
      values: [guesses.map((each) => each.name), guesses.map((each) => each.finder)],
    });
    const found: (UserRow | undefined)[] = guesses.map(() => undefined);
    for (const row of rows) found[Number(row.nth) - 1] = row;
    return found;
  }

  async #used(appPasswordId: number): Promise<void> {
    await this.#meta.query('update meta.app_password set used = now() where id = $1', [appPasswordId]);
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

interface Guess {
  readonly name: string;
  /** In hex. */
  readonly finder: string;
}

interface UserRow {
  readonly nth: bigint;
  readonly id: number;
  readonly name: string;
  readonly status: number;
  readonly password_hash: string;
  readonly app_password_id: number | null;
  readonly failures: bigint;
}
