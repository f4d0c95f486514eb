import type pg from 'pg';
import { isUniqueViolation } from './database.js';

const MOBILE = 2;

export type Directory = 'users' | 'departments';

/** What is known of the phones of users: where to push to, and what they have of the directory. */
export class Devices {
  readonly #meta: pg.Pool;

  constructor(meta: pg.Pool) {
    this.#meta = meta;
  }

  /**
   * One push token per user and device class. A token that comes from another user's phone has changed hands; an empty
   * one forgets the one there is.
   */
  async setToken(userId: number, clientType: number, token: string): Promise<void> {
    if (token === '') {
      await this.#meta.query('delete from meta.device_token where user_id = $1 and class = $2', [userId, MOBILE]);
      return;
    }
    while (!(await this.#takeToken(userId, clientType, token)));
  }

  /** @returns false when somebody else took the same token in the same moment: the later one shall have it. */
  async #takeToken(userId: number, clientType: number, token: string): Promise<boolean> {
    try {
      await this.#meta.query('delete from meta.device_token where token = $1 and user_id <> $2', [token, userId]);
      await this.#meta.query(
        `insert into meta.device_token (user_id, class, client_type, token) values ($1, $2, $3, $4)
         on conflict (user_id, class) do update set client_type = excluded.client_type, token = excluded.token, updated = now()`,
        [userId, MOBILE, clientType, token],
      );
      return true;
    } catch (error) {
      if (isUniqueViolation(error)) return false;
      throw error;
    }
  }

  /** The change stamp of the last answer that the user's phones had about a directory; 0: they had none. */
  async synced(userId: number, directory: Directory): Promise<number> {
    const { rows } = await this.#meta.query<{ stamp: bigint }>({
      name: `directory-synced-${directory}`,
      text: `select ${directory} as stamp from meta.directory_sync where user_id = $1 and class = ${MOBILE}`,
      values: [userId],
    });
    return Number(rows[0]?.stamp ?? 0);
  }

  async setSynced(userId: number, directory: Directory, stamp: number): Promise<void> {
    await this.#meta.query({
      name: `directory-set-synced-${directory}`,
      text: `insert into meta.directory_sync (user_id, class, ${directory}) values ($1, ${MOBILE}, $2)
             on conflict (user_id, class) do update set ${directory} = excluded.${directory}`,
      values: [userId, stamp],
    });
  }
}
