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
  /** Also when hardly any object is known, which looks as if the storage belonged to another cluster. */
  readonly evenMost?: boolean;
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
/** So many may be left by crashes in any cluster. */
const FEW = 20;

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
  const { ids, listed } = await orphansOf(driver, index);
  if (ids.length > FEW && ids.length > listed / 2 && options.evenMost !== true)
    throw new Error(
      `${ids.length} of ${listed} objects are not known here: is this the storage of another cluster? They were left`,
    );
  for (const id of ids) {
    if (signal?.aborted) break;
    await driver.remove(id);
    orphans++;
    hear?.({ removed, orphans });
  }
  return { removed, orphans };
}

/** Objects that nobody knows, and how many there are in all. */
export async function orphansOf(
  driver: Driver,
  index: Pick<SweepIndex, 'unknownOf'>,
): Promise<{ readonly ids: readonly string[]; readonly listed: number }> {
  const ids: string[] = [];
  let listed = 0;
  for await (const batch of batches(driver.list(), SWEEP_OBJECTS_MAX)) {
    // Asked after they were listed, and a row is there before its object: nobody can be about to make them known.
    ids.push(...(await index.unknownOf(batch)));
    listed += batch.length;
  }
  return { ids, listed };
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
