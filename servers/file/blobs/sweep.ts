import { SWEEP_OBJECTS_MAX } from '../../../common/limits.js';
import type { Driver } from './driver.js';

/** What a sweep asks those who know: the db-proxies (Register), or the database itself in a tool. */
export interface SweepIndex {
  collect(sweep: { uploadAgeMs: number; graceMs: number; limit: number }): Promise<string[]>;
  removed(ids: readonly string[]): Promise<void>;
  unknownOf(ids: readonly string[]): Promise<string[]>;
}

export interface SweepOptions {
  readonly uploadAgeMs: number;
  readonly graceMs: number;
  readonly signal?: AbortSignal;
  hear?(swept: Swept): void;
}

export interface Swept {
  /** Objects that nobody refers to any more, or uploads that were given up. */
  readonly removed: number;
  /** Objects that nobody knows: what a crash has left. */
  readonly orphans: number;
}

const BATCH = 200;

/** Removes what is due from the storage. Can be broken off and begun again at any time, and run by several at once. */
export async function sweep(driver: Driver, index: SweepIndex, options: SweepOptions): Promise<Swept> {
  const { uploadAgeMs, graceMs, signal, hear } = options;
  let [removed, orphans] = [0, 0];
  while (!signal?.aborted) {
    const ids = await index.collect({ uploadAgeMs, graceMs, limit: BATCH });
    if (ids.length === 0) break;
    for (const id of ids) await driver.remove(id);
    await index.removed(ids);
    removed += ids.length;
    hear?.({ removed, orphans });
  }
  for await (const listed of batches(driver.list(), SWEEP_OBJECTS_MAX)) {
    if (signal?.aborted) break;
    // Asked after they were listed, and a row is there before its object: nobody can be about to make them known.
    for (const id of await index.unknownOf(listed)) {
      await driver.remove(id);
      orphans++;
    }
    hear?.({ removed, orphans });
  }
  return { removed, orphans };
}

async function* batches(ids: AsyncIterable<string>, size: number): AsyncIterable<string[]> {
  let batch: string[] = [];
  for await (const id of ids) {
    batch.push(id);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
