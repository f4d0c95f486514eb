import type pg from 'pg';
import { ImError } from '../../../common/errors.js';
import { BUCKETS } from '../../../common/limits.js';
import type { Logger } from '../../../common/log.js';
import type { Actor, Audit } from './audit.js';
import { rotateData } from './key-rotation.js';
import { type KeyStatus, keyStatus } from './key-status.js';
import type { MasterKeyring } from './master-key.js';
import { moveBucket } from './move.js';
import { readShards, type ShardsState } from './shard-admin.js';
import { connectTool } from './tool-client.js';

/** Moving a number of buckets, one after the other. */
export interface MoveJob {
  readonly target: string;
  readonly total: number;
  readonly done: number;
  readonly running: boolean;
  readonly problem: string | undefined;
}

/** Looking at every shard costs connections: what was seen a moment ago is good enough for a second page. */
const STATE_MS = 2_000;

/**
 * What people of the console see and do of shards and keys. The work is that of the tools (`npm run shards`, `keys`);
 * a move that dies with this process is taken up by `npm run shards -- resume`.
 */
export class Upkeep {
  readonly #metaUrl: string;
  readonly #ring: MasterKeyring;
  readonly #audit: Audit;
  readonly #log: Logger;
  #state: { readonly atMs: number; readonly found: Promise<readonly [ShardsState, KeyStatus]> } | undefined;
  #job: MoveJob | undefined;
  #moving: Promise<void> | undefined;
  readonly #stop = new AbortController();

  constructor(metaUrl: string, ring: MasterKeyring, audit: Audit, log: Logger) {
    this.#metaUrl = metaUrl;
    this.#ring = ring;
    this.#audit = audit;
    this.#log = log;
  }

  get job(): MoveJob | undefined {
    return this.#job;
  }

  state(): Promise<readonly [ShardsState, KeyStatus]> {
    if (this.#state !== undefined && performance.now() - this.#state.atMs < STATE_MS) return this.#state.found;
    const found = Promise.all([
      readShards(this.#metaUrl),
      this.#withMeta((meta) => keyStatus(meta, this.#metaUrl)),
    ] as const);
    this.#state = { atMs: performance.now(), found };
    found.catch(() => {
      this.#state = undefined;
    });
    return found;
  }

  /** A new epoch in every bucket. @returns how many keys were made */
  async beginEpoch(actor: Actor): Promise<number> {
    await this.#ring.readAgain().catch(() => undefined);
    const all = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
    const made = await this.#withMeta((meta) => rotateData(meta, this.#ring, all));
    await this.#audit.note(actor, { action: 'keys.begin-epoch', subject: 'keys:', after: { epoch: made[0]?.epoch } });
    this.#state = undefined;
    return made.length;
  }

  /** Begins to move. @returns how many buckets are going to. @throws ImError BUSY while others are on their way */
  async moveBuckets(actor: Actor, source: string, target: string, count: number): Promise<number> {
    if (this.#job?.running === true) throw new ImError('BUSY', 'buckets are being moved already');
    const { shards, moves } = await readShards(this.#metaUrl);
    if (moves.length > 0) throw new ImError('BUSY', 'buckets are being moved already');
    const from = shards.find((shard) => shard.name === source);
    if (from === undefined || source === target || !shards.some((shard) => shard.name === target))
      throw new ImError('BAD_REQUEST', 'source and target: two different shards');
    const buckets = from.buckets.slice(0, count);
    this.#job = { target, total: buckets.length, done: 0, running: true, problem: undefined };
    await this.#audit.note(actor, {
      action: 'shards.move',
      subject: `shard:${source}`,
      after: { target, buckets: buckets.length },
    });
    this.#moving = this.#move(buckets, target);
    return buckets.length;
  }

  /** The bucket under way goes back, or forward to where nothing is left half. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#moving;
  }

  async #move(buckets: readonly number[], target: string): Promise<void> {
    const job = { target, total: buckets.length, done: 0 };
    let problem: string | undefined;
    for (const bucket of buckets) {
      if (this.#stop.signal.aborted) break;
      try {
        await moveBucket(this.#metaUrl, bucket, target, { signal: this.#stop.signal });
      } catch (error) {
        problem = (error as Error).message;
        this.#log.error({ error, bucket, target }, 'a bucket was not moved');
        break;
      }
      job.done++;
      this.#job = { ...job, running: true, problem: undefined };
    }
    this.#job = { ...job, running: false, problem };
    this.#state = undefined;
  }

  async #withMeta<T>(work: (meta: pg.Client) => Promise<T>): Promise<T> {
    const meta = await connectTool(this.#metaUrl, 'console');
    return work(meta).finally(() => meta.end());
  }
}
