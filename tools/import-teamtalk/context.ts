import type { ImportTarget, StagedMember } from '../../servers/db-proxy/storage/import.js';
import { type Listener, Tally, type TallyState } from './findings.js';
import type { OldRedis } from './old-redis.js';
import type { Progress } from './progress.js';
import { messageTables, type Source } from './source.js';
import type { Voices } from './voice.js';

/** What messages are written to; a dry run has one that forgets them. */
export type Target = Pick<
  ImportTarget,
  'startedS' | 'phase' | 'save' | 'heads' | 'write' | 'groupReads' | 'hide' | 'held' | 'totals'
>;

/** What every phase of an import may reach. */
export interface ImportContext {
  readonly source: Source;
  readonly target: Target;
  readonly redis: OldRedis | undefined;
  readonly voices: Voices;
  /** Those who are brought over. */
  readonly users: ReadonlySet<number>;
  readonly progress: Progress;
  readonly listener: Listener;
  /** Rows of messages that are in memory at once, twice over: one portion is read while the one before it is written. */
  readonly portionRows: number;
}

interface Saved<Cursor> {
  readonly cursor: Cursor;
  readonly tally: TallyState;
}

/** A phase of an import: done portion by portion, each noted when its rows are stored, and never noted twice. */
export class Phase<Cursor> {
  readonly tally: Tally;
  readonly #ctx: ImportContext;
  readonly #name: string;
  #cursor: Cursor;
  #done: boolean;
  #running: Promise<void> = Promise.resolve();

  private constructor(ctx: ImportContext, name: string, cursor: Cursor, tally: Tally, done: boolean) {
    this.#ctx = ctx;
    this.#name = name;
    this.#cursor = cursor;
    this.tally = tally;
    this.#done = done;
  }

  /** Where it was left, or at its start. */
  static async open<Cursor>(ctx: ImportContext, name: string, start: Cursor): Promise<Phase<Cursor>> {
    const found = await ctx.target.phase(name);
    const saved = found?.state as Saved<Cursor> | undefined;
    const tally = Tally.of(saved?.tally);
    for (const { stored, leftOut } of messageTables().map((table) => tally.table(table)))
      ctx.progress.skip(stored + leftOut);
    return new Phase(ctx, name, saved?.cursor ?? start, tally, found?.done ?? false);
  }

  get cursor(): Cursor {
    return this.#cursor;
  }
  get isDone(): boolean {
    return this.#done;
  }

  /** For one portion; handed to `portion` when that is written. */
  newTally(): Tally {
    return new Tally(this.#ctx.listener);
  }

  /** Writes something that belongs to no portion's end. Returns when what was handed over before is written. */
  async write(work: () => Promise<void>): Promise<void> {
    await this.#running;
    this.#running = work();
    this.#running.catch(() => undefined); // told to whoever writes next
  }

  /** Writes a portion and notes that everything up to `cursor` is done. Returns when the one before it is. */
  portion(
    { cursor, tally, rows }: { readonly cursor: Cursor; readonly tally: Tally; readonly rows: number },
    work: () => Promise<readonly StagedMember[]>,
  ): Promise<void> {
    return this.write(async () => {
      const members = await work();
      this.tally.join(tally);
      this.#cursor = cursor;
      await this.#save(members);
      this.#ctx.progress.add(rows);
    });
  }

  async finish(): Promise<void> {
    await this.#running;
    this.#done = true;
    await this.#save([]);
  }

  #save(members: readonly StagedMember[]): Promise<void> {
    const state: Saved<Cursor> = { cursor: this.#cursor, tally: this.tally.state };
    return this.#ctx.target.save(this.#name, { state, done: this.#done }, members);
  }
}

/** Arrays of up to `size`, in their order. */
export async function* batches<T>(things: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const thing of things) {
    batch.push(thing);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Neighbours together while their weights stay below `max`; what is heavier than that is alone. */
export function* packs<T>(things: readonly T[], weight: (thing: T) => number, max: number): Generator<T[]> {
  let pack: T[] = [];
  let sum = 0;
  for (const thing of things) {
    if (pack.length > 0 && sum + weight(thing) > max) {
      yield pack;
      [pack, sum] = [[], 0];
    }
    pack.push(thing);
    sum += weight(thing);
  }
  if (pack.length > 0) yield pack;
}
