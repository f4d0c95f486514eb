import { setTimeout as delay } from 'node:timers/promises';
import { bucketOf, isGroupConversation, userBucketOf, usersOf } from '../../../../common/conversation.js';
import { isUnavailable } from '../database.js';
import type { Shard, Shards } from '../shards.js';
import { hourOf, type Listed, type UserLists } from '../user-lists.js';
import type { Heads } from './heads.js';
import type { Item } from './item.js';

/** How long the lists of users may keep a lane waiting. */
const LISTS_MS_MAX = 1_000;
/** When they do, or their shard is down, messages that need them wait aside for so long. */
export const LISTS_PAUSE_MS = 500;

export interface ListsParts {
  readonly shards: Shards;
  readonly lists: UserLists;
  /** Hears of lists that cannot be written. */
  waiting(shard: Shard, error: Error, entries: number): void;
}

/**
 * Puts conversations on their users' lists for a lane. The first message of a single conversation is only stored when it
 * is on its two users' lists (in their buckets, so never in one transaction with it): a crash in between leaves a list
 * entry without messages, which nobody sees, and never messages that nobody finds.
 */
export class LaneLists {
  readonly #parts: ListsParts;
  readonly #heads: Heads;
  /** Shards whose lists did not answer, and until when they are not asked again. */
  readonly #silent = new Map<Shard, number>();

  constructor(parts: ListsParts, heads: Heads) {
    this.#parts = parts;
    this.#heads = heads;
  }

  /**
   * Both users' lists have the conversation, with this hour as its last active one.
   * @returns the buckets of conversations with a list that cannot be written at the moment: the others need not wait
   */
  async enter(batch: readonly Item[]): Promise<ReadonlySet<number>> {
    const waiting = new Set<number>();
    const nowMs = Date.now();
    const hour = hourOf(nowMs);
    const singles = new Set(batch.map((item) => item.conversationId).filter((id) => !isGroupConversation(id)));
    const stale = [...singles].filter((id) => this.#heads.get(id)?.listedHour !== hour);
    if (stale.length === 0) return waiting;
    const entries = stale.flatMap((id) => usersOf(id).map((userId) => ({ userId, id })));
    const parts = this.#parts.shards.split(entries, ({ userId }) => userBucketOf(userId));
    const touched = [...parts].map(async ([shard, part]) => {
      if (!(await this.#touch(shard, part, nowMs))) for (const { id } of part) waiting.add(bucketOf(id));
    });
    await Promise.all(touched);
    for (const id of stale) {
      const head = this.#heads.get(id);
      if (head !== undefined && !waiting.has(bucketOf(id))) head.listedHour = hour;
    }
    return waiting;
  }

  /** @returns false: not now. What has been asked for may still happen, which does no harm. */
  async #touch(shard: Shard, part: readonly Listed[], nowMs: number): Promise<boolean> {
    if (performance.now() < (this.#silent.get(shard) ?? 0)) return false;
    const late = delay(LISTS_MS_MAX).then(() => {
      throw new Error('the lists of users did not answer in time');
    });
    try {
      await Promise.race([this.#parts.lists.touch(part, nowMs), late]);
      return true;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      this.#parts.waiting(shard, error as Error, part.length);
      this.#silent.set(shard, performance.now() + LISTS_PAUSE_MS);
      return false;
    } finally {
      late.catch(() => undefined);
    }
  }
}
