import { setTimeout as delay } from 'node:timers/promises';
import { inTransaction } from '../database.js';
import { distinct, type Shard } from '../shards.js';

const RETRY_MS = 1_000;
const WAIT_MS_MAX = 300;

interface Doubt {
  /** When the oldest of the messages came; wall-clock ms. */
  sinceMs: number;
  readonly buckets: Set<number>;
}

/**
 * Messages that were given up while PostgreSQL could still store them: it was asked to, and did not answer. Whoever had
 * sent them has been told that nobody knows; if they are stored after all, their receivers are to have them. A statement
 * of ours that has begun holds the lock of its buckets until it has ended (shard.writable), even while its commit waits
 * for a replica. So when that lock can be had alone, whatever they have stored can be found.
 */
export class Doubts {
  readonly #open = new Map<Shard, Doubt>();
  readonly #decided: (sinceMs: number) => void;
  #closed = false;

  /** @param decided what was in doubt, and came after this moment, is stored by now or never will be */
  constructor(decided: (sinceMs: number) => void) {
    this.#decided = decided;
  }

  add(shard: Shard, bucket: number, sinceMs: number): void {
    const known = this.#open.get(shard);
    const doubt = known ?? { sinceMs, buckets: new Set() };
    doubt.sinceMs = Math.min(doubt.sinceMs, sinceMs);
    doubt.buckets.add(bucket);
    this.#open.set(shard, doubt);
    if (known === undefined) void this.#settle(shard);
  }

  close(): void {
    this.#closed = true;
  }

  async #settle(shard: Shard): Promise<void> {
    while (!this.#closed) {
      await delay(RETRY_MS, undefined, { ref: false });
      const { sinceMs, buckets } = this.#open.get(shard)!;
      this.#open.set(shard, { sinceMs: Number.POSITIVE_INFINITY, buckets: new Set() }); // what comes meanwhile is begun later
      if (await this.#haveEnded(shard, distinct([...buckets]))) this.#decided(sinceMs);
      else for (const bucket of buckets) this.add(shard, bucket, sinceMs);
      if (this.#open.get(shard)!.buckets.size > 0) continue;
      this.#open.delete(shard);
      return;
    }
  }

  /** Whether all that was writing into these buckets has ended. */
  async #haveEnded(shard: Shard, buckets: readonly number[]): Promise<boolean> {
    try {
      await inTransaction(shard.pool, async (client) => {
        await client.query(`set local lock_timeout = ${WAIT_MS_MAX}`); // whoever writes there next waits behind us
        await client.query({
          name: 'buckets-ended',
          text: `select pg_advisory_xact_lock(hashtext('shard.bucket'), bucket) from unnest($1::int[]) as bucket`,
          values: [buckets],
        });
      });
      return true;
    } catch {
      return false; // PostgreSQL does not answer, or a statement has not ended
    }
  }
}
