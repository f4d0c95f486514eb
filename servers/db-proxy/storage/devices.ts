import type pg from 'pg';

const MOBILE = 2;

/** Push tokens: one per user and device class. A token that comes from another user's phone has changed hands. */
export class Devices {
  readonly #meta: pg.Pool;

  constructor(meta: pg.Pool) {
    this.#meta = meta;
  }

  /** An empty token forgets the one there is. */
  async setToken(userId: number, clientType: number, token: string): Promise<void> {
    if (token === '') {
      await this.#meta.query('delete from meta.device_token where user_id = $1 and class = $2', [userId, MOBILE]);
      return;
    }
    await this.#meta.query('delete from meta.device_token where token = $1 and user_id <> $2', [token, userId]);
    await this.#meta.query(
      `insert into meta.device_token (user_id, class, client_type, token) values ($1, $2, $3, $4)
       on conflict (user_id, class) do update set client_type = excluded.client_type, token = excluded.token, updated = now()`,
      [userId, MOBILE, clientType, token],
    );
  }
}
