import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type pg from 'pg';
import { LEFT } from './users.js';

const TOKEN_SIZE = 32;
/** Somebody may have to carry it from one screen to another by hand. */
const CODE_LIFE = '5 minutes';
/** 60 bits, in letters that cannot be mistaken; who tries one has to know the verifier as well. */
const LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const CODE_LENGTH = 12;
const CODES_MAX = 10;

export interface SignedIn {
  readonly userId: number;
  readonly name: string;
  readonly nick: string;
  readonly source: string;
}

/** Who is signed in on the people's page, and the codes that they hand to clients there. Kept are hashes only. */
export class PersonSessions {
  readonly #meta: pg.Pool;

  constructor(meta: pg.Pool) {
    this.#meta = meta;
  }

  async begin(userId: number, source: string, lifetimeMs: number): Promise<Buffer> {
    const token = randomBytes(TOKEN_SIZE);
    await this.#meta.query('delete from meta.person_session where expires < now()');
    await this.#meta.query(
      `insert into meta.person_session (token_hash, user_id, source, expires)
       values ($1, $2, $3, now() + $4 * interval '1 millisecond')`,
      [digestOf(token), userId, source, lifetimeMs],
    );
    return token;
  }

  /** Undefined: there is none, it is over, or its user is out, here or in the directory. */
  async find(tokenHash: Uint8Array): Promise<SignedIn | undefined> {
    const { rows } = await this.#meta.query<{ id: number; name: string; nick: string; source: string }>(
      `select u.id, u.name, u.nick, s.source from meta.person_session s join meta.users u on u.id = s.user_id
        where s.token_hash = $1 and s.expires > now() and u.status <> ${LEFT}
          and not exists (select from meta.identity i where i.user_id = u.id and i.gone)`,
      [Buffer.from(tokenHash)],
    );
    const row = rows[0];
    return row && { userId: row.id, name: row.name, nick: row.nick, source: row.source };
  }

  async end(tokenHash: Uint8Array): Promise<void> {
    await this.#meta.query('delete from meta.person_session where token_hash = $1', [Buffer.from(tokenHash)]);
  }

  /** For the client that made this challenge. With too many that nobody came with, the oldest end. */
  async makeCode(userId: number, challenge: Uint8Array): Promise<string> {
    const code = Array.from({ length: CODE_LENGTH }, () => LETTERS[randomInt(LETTERS.length)]!).join('');
    await this.#meta.query(
      `with old as (
         delete from meta.sign_in_code where expires < now() or code_hash in (
           select code_hash from meta.sign_in_code where user_id = $2 order by expires desc offset ${CODES_MAX - 1}))
       insert into meta.sign_in_code (code_hash, user_id, challenge, expires)
       values ($1, $2, $3, now() + interval '${CODE_LIFE}')`,
      [digestOf(code), userId, Buffer.from(challenge)],
    );
    return code.replace(/(.{4})(?=.)/g, '$1-');
  }

  /**
   * A client comes with a code. Whoever comes first has used it up, also with a wrong verifier: then somebody has read it
   * who should not have.
   * @returns whose it was
   */
  async useCode(typed: string, verifier: Uint8Array): Promise<number | undefined> {
    const code = typed.toUpperCase().replace(/[\s-]/g, '');
    const { rows } = await this.#meta.query<{ user_id: number; challenge: Buffer; over: boolean }>(
      'delete from meta.sign_in_code where code_hash = $1 returning user_id, challenge, expires < now() as over',
      [digestOf(code)],
    );
    const found = rows[0];
    const mine = found !== undefined && !found.over && timingSafeEqual(found.challenge, digestOf(verifier));
    return mine ? found.user_id : undefined;
  }
}

function digestOf(what: Uint8Array | string): Buffer {
  return createHash('sha256').update(what).digest();
}
