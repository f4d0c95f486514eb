import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from '../../../common/log.js';
import type { DataKeys } from './data-keys.js';
import { STATEMENT_MS_MAX } from './database.js';
import type { Queryable } from './tool-client.js';

/**
 * Keeps the data keys of a running db-proxy up to date, and lets others know which ones it seals by.
 *
 * Every POLL_MS it asks for the version of the keys and reads them anew when it has changed. Every REPORT_MS, and at
 * once after a change, it writes its row in meta.key_holder: "I seal by version 7". What is written gives it leave to
 * seal for HOLD_MS. So whoever must be sure that nobody seals under an old key any more (resealing, destroying) waits
 * until every row is of the new version or older than that, and then for the statements that were already on their
 * way (`untilTakenUp`). A db-proxy that cannot reach meta stops storing when its leave has run out; it is cut off from
 * users and groups then anyway.
 *
 * The row also says that this build finds attachments (attachments.ts). One of a build before does not, and no such
 * build starts any more on the schema that has them: when none of the rows that count is without it, messages may be
 * sealed in parts, and that stays so. A mover of a build before would leave attachments behind: a move that was begun
 * before the schema had them, or just then, has to end first.
 *
 * The row is written while the version is locked against change: a change either waits for it and then finds the row,
 * or comes first, and then the row's writer is told the new version.
 */
const POLL_MS = 1_000;
const REPORT_MS = 15_000;
const HOLD_MS = 60_000;
/** Clocks run at different speeds, and a statement is not sealed at the moment in which its leave is looked at. */
const HOLD_MARGIN_MS = 10_000;
/** A row that was not written anew for so long is of nobody who seals. */
const COUNTS_MS = HOLD_MS + HOLD_MARGIN_MS;
/** From the sealing of a message to its commit: nothing is awaited in between but the statement itself. */
const FLIGHT_MS = STATEMENT_MS_MAX + 2_000;
/** Longer than any holder that died without a word counts. */
const TAKEN_UP_MS_MAX = 2 * HOLD_MS;
/** The migration of meta that came with attachments. */
const ATTACHMENTS = 14;
/** Rows of processes that were killed; they have not counted for long. */
const FORGOTTEN = '1 day';

export class KeyWatch {
  readonly #meta: pg.Pool;
  readonly #keys: DataKeys;
  readonly #log: Logger;
  readonly #instance = randomUUID();
  readonly #name = `${hostname()} pid ${process.pid}`;
  #reported = { version: -1n, problem: '', ms: Number.NEGATIVE_INFINITY };
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #failing = false;
  #closed = false;

  private constructor(meta: pg.Pool, keys: DataKeys, log: Logger) {
    this.#meta = meta;
    this.#keys = keys;
    this.#log = log;
  }

  /** Resolves when the keys may be sealed with. @throws Error when meta does not answer */
  static async start(meta: pg.Pool, keys: DataKeys, log: Logger): Promise<KeyWatch> {
    const watch = new KeyWatch(meta, keys, log);
    await watch.#look();
    watch.#schedule();
    return watch;
  }

  /** Nothing may be sealed after this. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#turn;
    // Left behind, it would only make others wait until it is too old to count.
    await this.#meta.query('delete from meta.key_holder where instance = $1', [this.#instance]).catch(() => undefined);
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#turn = this.#lookAgain().finally(() => this.#schedule());
    }, POLL_MS).unref();
  }

  async #lookAgain(): Promise<void> {
    try {
      await this.#look();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ error: (error as Error).message }, 'data keys cannot be looked at');
      this.#failing = true;
    }
  }

  async #look(): Promise<void> {
    const { rows } = await this.#meta.query<{ version: bigint }>({
      name: 'key-version',
      text: 'select version from meta.key_version',
    });
    let version = rows[0]!.version;
    const due = performance.now() - this.#reported.ms > REPORT_MS;
    if (due && this.#keys.problem !== '') await this.#reload();
    for (;;) {
      if (version !== this.#keys.seenVersion) await this.#reload();
      const { problem } = this.#keys;
      const told = this.#reported.version === this.#keys.version && this.#reported.problem === problem;
      if (told && performance.now() - this.#reported.ms <= REPORT_MS) return;
      version = await this.#report();
    }
  }

  async #reload(): Promise<void> {
    const { seenVersion, problem } = this.#keys;
    await this.#keys.reload();
    if (this.#keys.problem !== '' && this.#keys.problem !== problem) this.#log.error({}, this.#keys.problem);
    else if (this.#keys.seenVersion !== seenVersion)
      this.#log.info({ version: String(this.#keys.seenVersion) }, 'data keys read anew');
  }

  /** @returns the version of the keys in the database at that moment. */
  async #report(): Promise<bigint> {
    const startedMs = performance.now();
    const { version, problem } = this.#keys;
    const { rows } = await this.#meta.query<{ version: bigint; attaching: boolean }>({
      name: 'key-holder',
      text: `with locked as materialized (
               select version from meta.key_version for share
             ), mine as (
               insert into meta.key_holder as h (instance, name, version, problem, reads_attachments)
               select $1, $2, $3, $4, true from locked
               on conflict (instance) do update set version = excluded.version, problem = excluded.problem, seen = now(),
                 since = case when h.version = excluded.version then h.since else now() end
             ), forgotten as (
               delete from meta.key_holder where seen < now() - interval '${FORGOTTEN}'
             )
             select version, not exists (
               select from meta.key_holder h where not h.reads_attachments and h.seen > now() - $5 * interval '1 millisecond'
             ) and not exists (
               select from meta.bucket_move m join meta.migration g on g.number = ${ATTACHMENTS} and m.started < g.at + interval '1 minute'
             ) as attaching from locked`,
      values: [this.#instance, this.#name, String(version), problem, COUNTS_MS],
    });
    if (rows[0]!.attaching) this.#keys.allowAttaching();
    this.#keys.allowSealing(HOLD_MS, startedMs);
    this.#reported = { version, problem, ms: startedMs };
    return rows[0]!.version;
  }
}

/** A process that seals messages, as others see it. */
export interface KeyHolder {
  readonly name: string;
  readonly version: bigint;
  /** What it lacks, in words; empty when all is well. */
  readonly problem: string;
  readonly seenMsAgo: number;
  /** It seals by the keys as they are now, and nothing sealed before is still on its way. */
  readonly takenUp: boolean;
}

/** Those that may be sealing at the moment. */
export async function keyHolders(meta: Queryable): Promise<KeyHolder[]> {
  const { rows } = await meta.query<Omit<KeyHolder, 'seenMsAgo' | 'takenUp'> & { seen_ms: number; taken_up: boolean }>(
    `select h.name, h.version, h.problem, (extract(epoch from now() - h.seen) * 1000)::int as seen_ms,
            h.version >= v.version and h.since < now() - $2 * interval '1 millisecond' as taken_up
       from meta.key_holder h, meta.key_version v
      where h.seen > now() - $1 * interval '1 millisecond' order by h.name, h.instance`,
    [COUNTS_MS, FLIGHT_MS],
  );
  return rows.map(({ name, version, problem, seen_ms, taken_up }) => {
    return { name, version, problem, seenMsAgo: seen_ms, takenUp: taken_up };
  });
}

/**
 * Resolves when nobody seals by an older version of the keys than the present one, and nothing sealed so is still on
 * its way: some ten seconds after a change, and at once when nothing has changed for so long.
 * @throws Error naming those that did not take the keys up within two minutes, and what they lack
 */
export async function untilTakenUp(
  meta: Queryable,
  wait: { waiting?(holders: readonly KeyHolder[]): void; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const deadline = performance.now() + TAKEN_UP_MS_MAX;
  for (;;) {
    const late = (await keyHolders(meta)).filter((holder) => !holder.takenUp);
    if (late.length === 0) return;
    if (performance.now() > deadline) {
      const words = late.map(({ name, problem }) => `${name}${problem === '' ? '' : ` (${problem})`}`);
      throw new Error(
        `still sealing by older keys: ${words.join(', ')}. Start it anew, with the right master key; nothing was changed`,
      );
    }
    wait.waiting?.(late);
    await delay(250, undefined, wait.signal === undefined ? {} : { signal: wait.signal });
  }
}
