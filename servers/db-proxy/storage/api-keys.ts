import { timingSafeEqual } from 'node:crypto';
import type pg from 'pg';
import { freshKey } from '../../../common/api-key.js';

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** It speaks as this user and sees what he may see; undefined: no person of its own. */
  readonly userId: number | undefined;
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
  readonly revokedMs: number | undefined;
  readonly lastUsedMs: number | undefined;
}

interface KeyRow {
  readonly id: string;
  readonly secret_hash: Buffer;
  readonly name: string;
  readonly scopes: string[];
  readonly user_id: number | null;
  readonly created: Date;
  readonly expires: Date | null;
  readonly revoked: Date | null;
  readonly last_used: Date | null;
}

const COLUMNS = 'id, secret_hash, name, scopes, user_id, created, expires, revoked, last_used';
/** Whether a key of meta.api_key, by the alias k, may be used now. */
export const KEY_IS_LIVE = 'k.revoked is null and (k.expires is null or k.expires > now())';

/** The keys of the HTTP interface, their secrets only as digests. */
export class ApiKeys {
  readonly #meta: pg.Pool;

  constructor(meta: pg.Pool) {
    this.#meta = meta;
  }

  /** @returns the key with its token, which is nowhere to be had again. */
  async create(wanted: {
    name: string;
    scopes: readonly string[];
    userId?: number | undefined;
    expiresMs?: number | undefined;
    actor: string;
  }): Promise<{ key: ApiKey; token: string }> {
    const { id, secretHash, token } = freshKey();
    const { rows } = await this.#meta.query<KeyRow>(
      `insert into meta.api_key (id, secret_hash, name, scopes, user_id, expires, created_by)
       values ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), $7) returning ${COLUMNS}`,
      [id, secretHash, wanted.name, wanted.scopes, wanted.userId ?? null, wanted.expiresMs ?? null, wanted.actor],
    );
    return { key: keyOf(rows[0]!), token };
  }

  /** Undefined: no such key, another secret, expired or revoked. */
  async check(id: string, secretHash: Uint8Array): Promise<ApiKey | undefined> {
    const { rows } = await this.#meta.query<KeyRow>({
      name: 'api-key',
      text: `select ${COLUMNS} from meta.api_key k where id = $1 and ${KEY_IS_LIVE}`,
      values: [id],
    });
    const row = rows[0];
    if (row === undefined || secretHash.length !== row.secret_hash.length) return undefined;
    if (!timingSafeEqual(secretHash, row.secret_hash)) return undefined;
    if (row.last_used === null || row.last_used.getTime() < Date.now() - USED_MS)
      await this.#meta.query('update meta.api_key set last_used = now() where id = $1', [id]);
    return keyOf(row);
  }

  /** Newest first. */
  async list(): Promise<ApiKey[]> {
    const { rows } = await this.#meta.query<KeyRow>(`select ${COLUMNS} from meta.api_key order by created desc, id`);
    return rows.map(keyOf);
  }

  /** @returns false when there is no such key, or it was revoked before. */
  async revoke(id: string, actor: string): Promise<boolean> {
    const { rowCount } = await this.#meta.query(
      'update meta.api_key set revoked = now(), revoked_by = $2 where id = $1 and revoked is null',
      [id, actor],
    );
    return rowCount === 1;
  }

  /**
   * The first to come says what a key of idempotency stands for.
   * @returns whether it stands for this request
   */
  async sameRequest(keyHash: Uint8Array, requestHash: Uint8Array): Promise<boolean> {
    const { rows } = await this.#meta.query<{ same: boolean }>({
      name: 'api-request',
      // The update changes nothing; it makes the row that was there come back, and waits for one being written.
      text: `insert into meta.api_request as r (key_hash, request_hash) values ($1, $2)
             on conflict (key_hash) do update set at = r.at returning r.request_hash = $2 as same`,
      values: [keyHash, requestHash],
    });
    return rows[0]!.same;
  }

  async forgetRequests(): Promise<void> {
    await this.#meta.query("delete from meta.api_request where at < now() - interval '1 day'");
  }
}

/** How exactly the last use of a key is known. */
const USED_MS = 60_000;

function keyOf(row: KeyRow): ApiKey {
  const { id, name, scopes } = row;
  return {
    id,
    name,
    scopes,
    userId: row.user_id ?? undefined,
    createdMs: row.created.getTime(),
    expiresMs: row.expires?.getTime(),
    revokedMs: row.revoked?.getTime(),
    lastUsedMs: row.last_used?.getTime(),
  };
}
