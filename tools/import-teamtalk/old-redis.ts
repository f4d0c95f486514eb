import { Redis } from 'ioredis';
import type { Tally } from './findings.js';

/**
 * What the original kept in Redis, in the databases that its settings come with:
 *
 *   1  unread_<user>                   hash  peer → unread messages of a single conversation
 *      <group>_im_group_msg            hash  count → messages ever sent to the group
 *      <user>_<group>_im_user_group    hash  count → that number when the user last read it
 *   2  group_set_<group>               hash  <user>_1 → 1: silenced
 *   4  device_<user>                   "ios:<token>" or "android:<token>"
 *      device_<token>                  whose it is
 *   5  group_member_<group>            hash  user → time of joining; decides who is a member
 */
const UNREAD = 1;
const GROUP_SET = 2;
const TOKEN = 4;
const GROUP_MEMBER = 5;
const CONNECT_MS_MAX = 5_000;
const TRIES = 5;

export class OldRedis {
  readonly #databases = new Map<number, Redis>();

  /** @throws Error when it cannot be reached */
  static async open(url: string): Promise<OldRedis> {
    const redis = new OldRedis();
    try {
      for (const db of [UNREAD, GROUP_SET, TOKEN, GROUP_MEMBER]) {
        const options = { db, lazyConnect: true, connectTimeout: CONNECT_MS_MAX, maxRetriesPerRequest: TRIES };
        const client = new Redis(url, { ...options, retryStrategy: (times) => (times > TRIES ? null : times * 200) });
        client.on('error', () => undefined); // what is asked next says so
        redis.#databases.set(db, client);
        await client.connect();
      }
      return redis;
    } catch (error) {
      redis.close();
      throw new Error(`Redis: ${(error as Error).message}`, { cause: error });
    }
  }

  close(): void {
    for (const client of this.#databases.values()) client.disconnect();
  }

  /** How many messages of the peer each user has not read. */
  async unread(
    pairs: readonly { readonly userId: number; readonly peerId: number }[],
    tally: Tally,
  ): Promise<number[]> {
    const asked = pairs.map(({ userId, peerId }) => ['hget', `unread_${userId}`, `${peerId}`]);
    return (await this.#ask(UNREAD, asked, tally)).map((value) => countOf(value, tally));
  }

  async groupCounts(groupIds: readonly number[], tally: Tally): Promise<number[]> {
    const asked = groupIds.map((id) => ['hget', `${id}_im_group_msg`, 'count']);
    return (await this.#ask(UNREAD, asked, tally)).map((value) => countOf(value, tally));
  }

  /** The group's count when each of them last read it; 0: never. */
  async groupMarks(groupId: number, userIds: readonly number[], tally: Tally): Promise<number[]> {
    const asked = userIds.map((userId) => ['hget', `${userId}_${groupId}_im_user_group`, 'count']);
    return (await this.#ask(UNREAD, asked, tally)).map((value) => countOf(value, tally));
  }

  /** The users who silenced each group. */
  async shields(groupIds: readonly number[], tally: Tally): Promise<Set<number>[]> {
    const asked = groupIds.map((id) => ['hgetall', `group_set_${id}`]);
    return (await this.#ask(GROUP_SET, asked, tally)).map((value) => {
      const silenced = pairsOf(value).filter(([field, status]) => /^\d+_1$/.test(field) && status === '1');
      return new Set(silenced.map(([field]) => Number.parseInt(field, 10)));
    });
  }

  /** By user: when he joined. Undefined where Redis knows of no such group. */
  async members(groupIds: readonly number[], tally: Tally): Promise<(Map<number, number> | undefined)[]> {
    const asked = groupIds.map((id) => ['hgetall', `group_member_${id}`]);
    return (await this.#ask(GROUP_MEMBER, asked, tally)).map((value) => {
      const pairs = pairsOf(value);
      if (pairs.length === 0) return undefined;
      const members = pairs.filter(([userId]) => isNumber(userId));
      tally.add('redis-value', undefined, pairs.length - members.length);
      return new Map(members.map(([userId, joined]) => [Number(userId), countOf(joined, tally)]));
    });
  }

  /** "ios:<token>" or "android:<token>" of each; undefined: none. */
  async tokens(userIds: readonly number[], tally: Tally): Promise<(string | undefined)[]> {
    const asked = userIds.map((id) => ['get', `device_${id}`]);
    return (await this.#ask(TOKEN, asked, tally)).map((value) =>
      typeof value === 'string' && value !== '' ? value : undefined,
    );
  }

  /** Who has each of the tokens; undefined: nobody knows. */
  async owners(tokens: readonly string[], tally: Tally): Promise<(number | undefined)[]> {
    const asked = tokens.map((token) => ['get', `device_${token}`]);
    return (await this.#ask(TOKEN, asked, tally)).map((value) =>
      typeof value === 'string' && isNumber(value) ? Number(value) : undefined,
    );
  }

  /** Everything in one go. A key of the wrong type is as good as none. */
  async #ask(db: number, commands: string[][], tally: Tally): Promise<unknown[]> {
    if (commands.length === 0) return [];
    const answers = (await this.#databases.get(db)!.pipeline(commands).exec()) ?? [];
    return answers.map(([error, value]) => {
      if (error === null) return value;
      if (!/WRONGTYPE/.test(error.message)) throw new Error(`Redis: ${error.message}`, { cause: error });
      tally.add('redis-value', error.message);
      return null;
    });
  }
}

function pairsOf(value: unknown): [string, string][] {
  return value !== null && typeof value === 'object' ? (Object.entries(value) as [string, string][]) : [];
}

function countOf(value: unknown, tally: Tally): number {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'string' && isNumber(value)) return Number(value);
  tally.add('redis-value', `"${String(value).slice(0, 40)}" is no count`);
  return 0;
}

function isNumber(text: string): boolean {
  return /^\d{1,15}$/.test(text);
}
