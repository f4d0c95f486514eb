import type pg from 'pg';
import type { Limits } from '../../../common/live/limits.js';
import type { Soft } from '../../../common/redis.js';
import type { RedisKeys } from './redis-keys.js';

/** More failures than are allowed within the window lock the name; a success before that clears. */
export const FAILURE_WINDOW = '30 minutes';
const FAILURE_WINDOW_MS = 30 * 60 * 1000;

/**
 * Failed log-ins by name. Locks are always in PostgreSQL, in the UNLOGGED meta.login_failure, where the log-in's own
 * statement sees them; without Redis the failures on the way there are, too.
 *
 * With Redis failures are counted there, which spares PostgreSQL two writes for every guess, and together with those in
 * the table they are taken for what they are: the one that goes beyond the bound moves all of them into the table. So
 * Redis going away, coming back or being flushed
 *   - never opens a lock: locks are not in it;
 *   - forgets at most the failures that a name may have without being locked. Whoever can have Redis flushed buys as
 *     many more guesses with every flush, no more; a crash of PostgreSQL forgives as much, and a success does;
 *   - leaves the failures that were counted in the table meanwhile where they are, and they go on to count.
 * A call that hung may be carried out although it was given up and the failure went into the table: it then counts
 * twice, which locks sooner, never later.
 */
export class LoginFailures {
  readonly #meta: pg.Pool;
  readonly #limits: Limits<'db-proxy'>;
  readonly #keys: RedisKeys;
  readonly #soft: Soft | undefined;
  /** Failures by name that are being counted at the moment. */
  readonly #underWay = new Map<string, number>();

  constructor(meta: pg.Pool, limits: Limits<'db-proxy'>, keys: RedisKeys, soft: Soft | undefined) {
    this.#meta = meta;
    this.#limits = limits;
    this.#keys = keys;
    this.#soft = soft;
  }

  /** Failures that a name may have without being locked. */
  get max(): number {
    return this.#limits.size('login.name');
  }

  /** Counts a failure from this address, and locks the name when it is one too many. */
  async add(user: FailedUser, address: string): Promise<void> {
    this.#underWay.set(user.name, (this.#underWay.get(user.name) ?? 0) + 1);
    try {
      await this.#add(user, address);
    } finally {
      const left = this.#underWay.get(user.name)! - 1;
      if (left > 0) this.#underWay.set(user.name, left);
      else this.#underWay.delete(user.name);
    }
  }

  async #add(user: FailedUser, address: string): Promise<void> {
    const failures = await this.#inRedis(user.id, address);
    if (failures === undefined) return this.#insert(user.name, [{ agoMs: 0, address }]);
    if (user.inTable + failures.length <= this.max) return;
    await this.#insert(user.name, failures);
    await this.#soft?.delete(this.#keys.failuresOfUser(user.id));
  }

  /** After a success. */
  async clear({ id, name, inTable }: FailedUser): Promise<void> {
    const table = inTable > 0 && this.#meta.query('delete from meta.login_failure where user_name = $1', [name]);
    await Promise.all([table, this.#soft?.delete(this.#keys.failuresOfUser(id))]);
  }

  /** Those that are being counted taken as if they were: in doubt sooner, never later. */
  async isLocked(name: string): Promise<boolean> {
    const underWay = this.#underWay.get(name) ?? 0;
    const { rows } = await this.#meta.query<{ failures: bigint }>({
      name: 'login-failures',
      text: `select count(*) as failures from meta.login_failure where user_name = $1 and at > now() - interval '${FAILURE_WINDOW}'`,
      values: [name],
    });
    return Number(rows[0]!.failures) + underWay > this.max;
  }

  /** Counts a failure before it has happened, always in the table: few come this way. @returns whether the name is locked */
  async countAhead(name: string, address: string): Promise<boolean> {
    if (await this.isLocked(name)) return true;
    await this.#insert(name, [{ agoMs: 0, address }]);
    return this.isLocked(name);
  }

  /** It was none: nobody could say whether the password was right. */
  async takeBack(name: string): Promise<void> {
    await this.#meta.query(
      'delete from meta.login_failure where ctid = (select ctid from meta.login_failure where user_name = $1 order by at desc limit 1)',
      [name],
    );
  }

  async forget(name: string): Promise<void> {
    await this.#meta.query('delete from meta.login_failure where user_name = $1', [name]);
  }

  /** Counts there. @returns those of the window, or undefined when there is no Redis at the moment. */
  async #inRedis(userId: number, address: string): Promise<Failure[] | undefined> {
    const nowMs = Date.now();
    const key = this.#keys.failuresOfUser(userId);
    const listed = await this.#soft?.push(key, `${nowMs} ${address}`, this.max + 1, FAILURE_WINDOW_MS);
    return listed?.map((each) => failureOf(each, nowMs)).filter(({ agoMs }) => agoMs < FAILURE_WINDOW_MS);
  }

  /** With their ages and not their times: it is PostgreSQL's clock that ends a lock. */
  async #insert(name: string, failures: readonly Failure[]): Promise<void> {
    await this.#meta.query(
      `delete from meta.login_failure where user_name = $1 and at <= now() - interval '${FAILURE_WINDOW}'`,
      [name],
    );
    await this.#meta.query(
      `insert into meta.login_failure (user_name, address, at)
       select $1, address, now() - ago * interval '1 millisecond' from unnest($2::text[], $3::float8[]) as failure (address, ago)`,
      [name, failures.map((each) => each.address), failures.map((each) => each.agoMs)],
    );
  }
}

export interface FailedUser {
  readonly id: number;
  readonly name: string;
  /** Failures in the table, as the log-in's statement saw them. */
  readonly inTable: number;
}

interface Failure {
  readonly agoMs: number;
  readonly address: string;
}

function failureOf(listed: string, nowMs: number): Failure {
  const [ms = '', address = ''] = listed.split(' ', 2);
  return { agoMs: Math.max(0, nowMs - Number(ms)), address };
}
