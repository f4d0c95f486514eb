import { createHash, randomInt } from 'node:crypto';
import type pg from 'pg';
import { ImError } from '../../../common/errors.js';
import { APP_PASSWORDS_MAX } from '../../../common/limits.js';
import type { Actor, Audit } from './audit.js';
import type { ConsoleKey } from './console-key.js';
import { inTransaction } from './database.js';

/** Lower-case letters and digits that nobody mistakes for another: 24 of them are 120 bits. */
const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';
const GROUPS = 6;
const GROUP_LENGTH = 4;
const FINDER_SIZE = 8;

export interface AppPassword {
  readonly id: number;
  readonly name: string;
  readonly createdMs: number;
  readonly usedMs: number | undefined;
}

/**
 * Passwords that are made here, for clients that can send the MD5 of a password and nothing else. A user has several; which
 * one a client means is found by a short keyed MAC, so that a log-in costs one check of argon2id and not one for each. The
 * key of it is wrapped by the master key: who reads the table can compare nothing with it.
 */
export class AppPasswords {
  readonly #meta: pg.Pool;
  readonly #audit: Audit;
  readonly #key: ConsoleKey;

  constructor(meta: pg.Pool, audit: Audit, key: ConsoleKey) {
    this.#meta = meta;
    this.#audit = audit;
    this.#key = key;
  }

  /** @returns what is shown this once. @throws ImError CONFLICT when there are as many as there may be */
  async make(actor: Actor, userId: number, name: string, hash: (md5Hex: string) => Promise<string>): Promise<string> {
    const password = freshPassword();
    const md5Hex = createHash('md5').update(password).digest('hex');
    const stored = await hash(md5Hex);
    await inTransaction(this.#meta, async (client) => {
      await client.query('select 1 from meta.users where id = $1 for update', [userId]); // one after the other
      const { rows } = await client.query<{ id: number }>(
        `insert into meta.app_password (user_id, name, finder, hash)
         select $1, $2, $3, $4 where (select count(*) from meta.app_password where user_id = $1) < $5 returning id`,
        [userId, name, finderOf(this.#key, md5Hex), stored, APP_PASSWORDS_MAX],
      );
      if (rows[0] === undefined)
        throw new ImError('CONFLICT', `there are ${APP_PASSWORDS_MAX} app passwords already; remove one`);
      const after = { id: rows[0].id, name };
      await this.#audit.record(client, actor, [{ action: 'user.app-password', subject: `user:${userId}`, after }]);
    });
    return password;
  }

  async ofUser(userId: number): Promise<AppPassword[]> {
    const { rows } = await this.#meta.query<{ id: number; name: string; created: Date; used: Date | null }>(
      'select id, name, created, used from meta.app_password where user_id = $1 order by id',
      [userId],
    );
    return rows.map(({ id, name, created, used }) => ({
      id,
      name,
      createdMs: created.getTime(),
      usedMs: used?.getTime(),
    }));
  }

  /** With the devices that were let in by it. @returns whether it was there */
  async remove(actor: Actor, userId: number, id: number): Promise<boolean> {
    return inTransaction(this.#meta, async (client) => {
      const { rowCount } = await client.query('delete from meta.app_password where user_id = $1 and id = $2', [
        userId,
        id,
      ]);
      const row = { action: 'user.remove-app-password', subject: `user:${userId}`, before: { id } };
      if (rowCount === 1) await this.#audit.record(client, actor, [row]);
      return rowCount === 1;
    });
  }
}

export function finderOf(key: ConsoleKey, md5Hex: string): Buffer {
  return key.mac('app password', md5Hex).subarray(0, FINDER_SIZE);
}

function freshPassword(): string {
  const letter = () => LETTERS[randomInt(LETTERS.length)]!;
  const group = () => Array.from({ length: GROUP_LENGTH }, letter).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}
