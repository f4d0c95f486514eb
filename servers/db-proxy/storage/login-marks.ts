import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Soft } from '../../../common/redis.js';
import type { RedisKeys } from './redis-keys.js';

/**
 * Marks of credentials that stood a full check: argon2id costs about 20 ms of a core, so ten thousand clients that come
 * back at once must not each pay it. A mark is a keyed MAC of what was checked, kept here and, when there is a Redis,
 * shared with the other db-proxies.
 *
 *   mark = until (ms since 1970) | HMAC-SHA256(key, user id, status, until, stored hash, what the client sent)
 *
 * The key is derived from the master key, so it is in neither PostgreSQL nor Redis: who reads both still has nothing
 * to try passwords on but the stored hash, and who writes to Redis cannot make a mark, nor a longer one. The stored
 * hash and the status are in the MAC: a mark dies with a change of either, wherever copies of it are. A locked name
 * never gets as far as its mark.
 */
export class LoginMarks {
  readonly #key: Buffer;
  readonly #keys: RedisKeys;
  readonly #soft: Soft | undefined;
  /** By user id. */
  readonly #marks = new Map<number, string>();

  constructor(masterKey: Buffer, keys: RedisKeys, soft: Soft | undefined) {
    this.#key = Buffer.from(hkdfSync('sha256', masterKey, '', 'teamtalk login marks', 32));
    this.#keys = keys;
    this.#soft = soft;
  }

  /** Where a mark for exactly this credential was found. Undefined: it has to be checked in full. */
  async find(checked: Checked): Promise<'here' | 'shared' | undefined> {
    const here = this.#marks.get(checked.userId);
    if (here !== undefined && this.#holds(here, checked)) return 'here';
    const shared = await this.#soft?.get(this.#keys.markOfUser(checked.userId));
    if (typeof shared !== 'string' || !this.#holds(shared, checked)) return undefined;
    this.#keep(checked.userId, shared);
    return 'shared';
  }

  /** After a full check. */
  async make(checked: Checked): Promise<void> {
    const mark = this.#mark(checked, Date.now() + MARK_MS_MAX);
    this.#keep(checked.userId, mark);
    await this.#soft?.set(this.#keys.markOfUser(checked.userId), mark, MARK_MS_MAX);
  }

  #keep(userId: number, mark: string): void {
    if (this.#marks.size >= MARKS_MAX) this.#marks.clear();
    this.#marks.set(userId, mark);
  }

  #holds(mark: string, checked: Checked): boolean {
    const untilMs = Number.parseInt(mark, 10);
    if (!(untilMs > Date.now())) return false;
    const expected = Buffer.from(this.#mark(checked, untilMs));
    const given = Buffer.from(mark);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #mark({ userId, status, stored, md5Hex }: Checked, untilMs: number): string {
    const mac = createHmac('sha256', this.#key).update(`${userId}\0${status}\0${untilMs}\0${stored}\0${md5Hex}`);
    return `${untilMs}.${mac.digest('base64url')}`;
  }
}

/** What a full check is about. None of the texts but the last may have a NUL in it, and none has. */
export interface Checked {
  readonly userId: number;
  readonly status: number;
  /** The stored hash. */
  readonly stored: string;
  /** What the client sent. */
  readonly md5Hex: string;
}

const MARK_MS_MAX = 60 * 60 * 1000;
const MARKS_MAX = 100_000;
