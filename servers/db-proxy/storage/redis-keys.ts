import { PREFIX } from '../../../common/redis-place.js';
import { fingerprintOf } from './data-keys.js';

/**
 * Every key that db-proxies have in Redis: shape, owner, expiry. All of it may vanish at any moment.
 *
 *   tt:<cluster>:{u<user id>}:failures  login-failures.ts   list of "<ms since 1970> <address>", newest first, 11 at most;
 *                                                           30 minutes after the last one
 *   tt:<cluster>:{u<user id>}:mark      login-marks.ts      "<ms since 1970 until it holds>.<MAC, base64url>";
 *                                                           one hour after the full check
 *   tt:<cluster>:{a<address>}:failures  address-failures.ts number; 10 minutes after the first one
 *   tt:probe, <any of these>:probe      common/redis.ts     empty; half a second
 *
 * <cluster> is the master key's fingerprint: clusters that share a Redis do not meet. While some db-proxies have another
 * master key first, in a rotation, these share among themselves; locks are in PostgreSQL and hold for all. What is in braces decides the
 * node of a Redis Cluster that has the key. There are no names in keys, and neither passwords nor hashes in values.
 */
export class RedisKeys {
  readonly #prefix: string;

  constructor(masterKey: Buffer) {
    this.#prefix = `${PREFIX}:${fingerprintOf(masterKey)}`;
  }

  failuresOfUser(userId: number): string {
    return `${this.#prefix}:{u${userId}}:failures`;
  }

  markOfUser(userId: number): string {
    return `${this.#prefix}:{u${userId}}:mark`;
  }

  failuresOfAddress(address: string): string {
    return `${this.#prefix}:{a${address}}:failures`;
  }
}
