import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { groupOf, isGroupConversation, usersOf } from '../../../common/conversation.js';
import { bucketsElsewhere } from './database.js';
import { requireCurrent } from './schema.js';
import { type ShardClient, ShardClients } from './shard-clients.js';
import { connectTool } from './tool-client.js';

/**
 * Removing what need not be kept any longer.
 *
 * A conversation loses its beginning: all messages up to some id, never one from the middle, so what is left counts on
 * without holes. `first_kept` says where it begins now and moves in the statement that removes; the head stays, ids are
 * never given again, and a run that is cut off has done nothing by halves: the next one goes on where it stood.
 *
 * Rows are deleted, in sets of a few thousand, rather than partitions dropped: the message tables are not partitioned on
 * purpose. By time they could not be, as their order and every read go by conversation; by bucket it would help nothing
 * here, and was measured: 256 list partitions cost 25 to 110 % more PostgreSQL CPU per stored row (batches of 50), 16
 * partitions 8 to 22 %. Storing happens all day, removing once; VACUUM then gives the space of the removed rows to the
 * new ones, so that the tables stop growing, without locking anybody out.
 *
 * Each set is removed while the holds are locked against change: a hold that has been placed holds, whatever a run is
 * doing. A bucket that is being moved to another shard is left alone while it is fenced.
 */
export type Kind = 'single' | 'group';

export interface Hold {
  readonly kind: 'user' | 'group';
  readonly id: number;
  readonly reason: string;
  readonly since: Date;
}

export interface Policy {
  /** Days; null: for ever. */
  readonly single: number | null;
  readonly group: number | null;
  /** Groups with a rule of their own. */
  readonly groups: ReadonlyMap<number, number | null>;
  readonly holds: readonly Hold[];
}

export interface LogLine {
  readonly at: Date;
  readonly who: string;
  readonly action: string;
  readonly detail: unknown;
  readonly finished: Date | null;
  readonly outcome: unknown;
}

export interface RunOptions {
  readonly dryRun: boolean;
  /** The part of its time that a run works, the rest it leaves to others: above 0, at most 1. */
  readonly duty: number;
  /** Rows of one statement at most. */
  readonly batchRows: number;
  readonly vacuum: boolean;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** Hears how far it is, after each step. */
  hear(doing: string, messages: number): void;
}

export interface RunResult {
  readonly dryRun: boolean;
  readonly conversations: number;
  readonly messages: number;
  /** Conversations that would have lost something if they were not held. */
  readonly held: number;
  /** Buckets that were just being moved; another run will see to them. */
  readonly skipped: readonly number[];
}

/** What cannot be done, in words for the operator; nothing was changed. */
export class RetentionError extends Error {
  override readonly name = 'RetentionError';
}

/** Any constant; held by a run as long as it lives. */
export const RUN_LOCK = 0x72657465;
const DAY_MS = 24 * 60 * 60 * 1000;
const PAGE = 200;
const LOCK_MS = 5_000;
const TRIES = 5;
const RETRY_MS = 200;
const VACUUM_LOOK_MS = 500;
const EVERYTHING = 2 ** 31;
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';

export class Retention {
  readonly #clients: ShardClients;
  readonly #who: string;

  private constructor(clients: ShardClients, who: string) {
    this.#clients = clients;
    this.#who = who;
  }

  /** @param who is written into the log with everything that is done */
  static async open(metaUrl: string, who: string): Promise<Retention> {
    const clients = await ShardClients.open(metaUrl, 'retention', (meta) => requireCurrent(meta, 'meta', 'meta'));
    const retention = new Retention(clients, who);
    try {
      for (const shard of clients.all) await requireCurrent(shard.client, 'shard', `${shard.name} (${shard.place})`);
    } catch (error) {
      await clients.close();
      throw error;
    }
    return retention;
  }

  policy(): Promise<Policy> {
    return readPolicy(this.#clients.meta);
  }

  /** @param days null: for ever */
  async set(kind: Kind, days: number | null): Promise<void> {
    await this.#logged('set', { kind, days }, (meta) =>
      meta.query('update meta.retention set days = $2 where kind = $1', [kind, days]),
    );
  }

  /** @param days null: for ever; undefined: like all groups */
  async setGroup(groupId: number, days: number | null | undefined): Promise<void> {
    await this.#requireExisting('group', groupId);
    await this.#logged('set', { groupId, days: days === undefined ? 'like all groups' : days }, (meta) =>
      days === undefined
        ? meta.query('delete from meta.retention_group where group_id = $1', [groupId])
        : meta.query(
            'insert into meta.retention_group (group_id, days) values ($1, $2) on conflict (group_id) do update set days = excluded.days',
            [groupId, days],
          ),
    );
  }

  /** From now on nothing of it is removed. Waits until a set that is being removed is through. */
  async hold(kind: Hold['kind'], id: number, reason: string): Promise<void> {
    await this.#requireExisting(kind, id);
    await this.#logged('hold', { kind, id, reason }, (meta) =>
      meta.query(
        'insert into meta.retention_hold (kind, id, reason) values ($1, $2, $3) on conflict (kind, id) do update set reason = excluded.reason',
        [kind, id, reason],
      ),
    );
  }

  async release(kind: Hold['kind'], id: number, reason: string): Promise<void> {
    await this.#logged('release', { kind, id, reason }, async (meta) => {
      const { rowCount } = await meta.query('delete from meta.retention_hold where kind = $1 and id = $2', [kind, id]);
      if (rowCount === 0) throw new RetentionError(`${kind} ${id} is not held`);
    });
  }

  /** Newest first. */
  async log(limit: number): Promise<LogLine[]> {
    const { rows } = await this.#clients.meta.query<LogLine>(
      'select at, who, action, detail, finished, outcome from meta.retention_log order by id desc limit $1',
      [limit],
    );
    return rows;
  }

  /** @throws RetentionError when another run is under way */
  async run(options: RunOptions): Promise<RunResult> {
    const { meta } = this.#clients;
    const { rows } = await meta.query<{ free: boolean }>('select pg_try_advisory_lock($1) as free', [RUN_LOCK]);
    if (!rows[0]!.free) throw new RetentionError('another run is under way');
    const run = await this.#beginLog(options);
    const tally = { dryRun: options.dryRun, conversations: 0, messages: 0, held: 0, skipped: [] as number[] };
    try {
      for (const shard of this.#clients.all) await this.#sweep(shard, options, tally);
      if (options.vacuum && !options.dryRun && tally.messages > 0)
        for (const shard of this.#clients.all) await this.#vacuum(shard, options);
      await this.#endLog(run, tally);
      return tally;
    } catch (error) {
      // Best effort: when meta itself is gone, the line stays without an outcome.
      await this.#endLog(run, { ...tally, failed: (error as Error).message }).catch(() => undefined);
      throw error;
    } finally {
      await meta.query('select pg_advisory_unlock($1)', [RUN_LOCK]).catch(() => undefined);
    }
  }

  close(): Promise<void> {
    return this.#clients.close();
  }

  // ---- the log ----

  /** A change and its line, both or none. */
  async #logged(action: string, detail: object, change: (meta: pg.Client) => Promise<unknown>): Promise<void> {
    const { meta } = this.#clients;
    await meta.query('begin');
    try {
      await change(meta);
      await meta.query('insert into meta.retention_log (who, action, detail) values ($1, $2, $3)', [
        this.#who,
        action,
        JSON.stringify(detail),
      ]);
      await meta.query('commit');
    } catch (error) {
      await meta.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  async #beginLog({ dryRun, nowMs }: RunOptions): Promise<number> {
    const { single, group, groups, holds } = await this.policy();
    const detail = {
      dryRun,
      now: new Date(nowMs),
      single,
      group,
      groups: Object.fromEntries(groups),
      holds: holds.length,
    };
    const { rows } = await this.#clients.meta.query<{ id: number }>(
      "insert into meta.retention_log (who, action, detail) values ($1, 'run', $2) returning id",
      [this.#who, JSON.stringify(detail)],
    );
    return rows[0]!.id;
  }

  async #endLog(id: number, outcome: object): Promise<void> {
    await this.#clients.meta.query('update meta.retention_log set finished = now(), outcome = $2 where id = $1', [
      id,
      JSON.stringify(outcome),
    ]);
  }

  async #requireExisting(kind: Hold['kind'], id: number): Promise<void> {
    const table = kind === 'user' ? 'meta.users' : 'meta.groups';
    const { rows } = await this.#clients.meta.query(`select from ${table} where id = $1`, [id]);
    if (rows.length === 0) throw new RetentionError(`there is no ${kind} ${id}`);
  }

  // ---- a run ----

  /** All conversations of a shard, a page at a time; a page is come back to until nothing more of it is due. */
  async #sweep(shard: ShardClient, options: RunOptions, tally: Tally): Promise<void> {
    const cut = new Set<bigint>();
    const gone = new Set<number>();
    for (let after: Place | undefined = FIRST; after !== undefined; ) {
      options.signal.throwIfAborted();
      const startedMs = performance.now();
      const step: Step = await this.#patiently(() => this.#step(shard, after!, gone, options), options);
      for (const id of step.cut) cut.add(id);
      tally.messages += step.messages;
      options.hear(shard.name, tally.messages);
      if (step.messages > 0 && !options.dryRun) await rest(performance.now() - startedMs, options);
      if (step.more) continue;
      tally.held += step.held;
      tally.conversations += cut.size;
      cut.clear();
      after = step.last;
    }
    tally.skipped.push(...gone);
  }

  /** Somebody else is at the same rows, or at the locks: a little later it goes. */
  async #patiently<T>(work: () => Promise<T>, { signal }: RunOptions): Promise<T> {
    for (let left = TRIES - 1; ; left--) {
      try {
        return await work();
      } catch (error) {
        const { code } = error as { code?: string };
        if (left === 0 || (code !== LOCK_NOT_AVAILABLE && code !== DEADLOCK)) throw error;
        await delay(RETRY_MS, undefined, { signal });
      }
    }
  }

  /**
   * One page, or as much of it as one statement may remove, under the rules of this moment.
   * @param gone buckets that are not open here; those that turn out so are added
   */
  async #step(shard: ShardClient, after: Place, gone: Set<number>, options: RunOptions): Promise<Step> {
    const { meta } = this.#clients;
    await meta.query('begin');
    try {
      await meta.query(`set local lock_timeout = ${LOCK_MS}`);
      // Whoever places a hold waits for this step; the next one knows of it.
      if (!options.dryRun) await meta.query('lock table meta.retention_hold in share mode');
      const step = await workOn(shard, after, gone, await readRules(meta), options);
      await meta.query('commit');
      return step;
    } catch (error) {
      await meta.query('rollback').catch(() => undefined);
      const elsewhere = bucketsElsewhere(error);
      if (elsewhere === undefined) throw error;
      for (const bucket of elsewhere) gone.add(bucket);
      return { last: after, more: true, cut: [], messages: 0, held: 0 };
    }
  }

  async #vacuum({ client, url, name }: ShardClient, { hear }: RunOptions): Promise<void> {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const watcher = await connectTool(url, 'retention');
    const vacuum = client
      .query('vacuum (analyze) shard.message, shard.attachment, shard.conversation')
      .finally(() => watcher.end());
    const watch = async () => {
      const { rows: found } = await watcher.query<{ phase: string; done: string }>(
        `select phase, round(100.0 * heap_blks_scanned / greatest(heap_blks_total, 1))::text as done
           from pg_stat_progress_vacuum where pid = $1`,
        [rows[0]!.pid],
      );
      if (found[0] !== undefined) hear(`${name} vacuum: ${found[0].phase}, ${found[0].done} %`, 0);
    };
    const timer = setInterval(() => void watch().catch(() => undefined), VACUUM_LOOK_MS);
    try {
      await vacuum;
    } finally {
      clearInterval(timer);
    }
  }
}

interface Tally {
  conversations: number;
  messages: number;
  held: number;
  readonly skipped: number[];
}

interface Place {
  readonly bucket: number;
  readonly id: string;
}

/** Before every key. */
const FIRST: Place = { bucket: -(2 ** 15), id: String(-(2n ** 63n)) };

interface Step {
  /** Where the next page begins; undefined: this was the last one. */
  readonly last: Place | undefined;
  /** The page has more that is due. */
  readonly more: boolean;
  readonly cut: readonly bigint[];
  readonly messages: number;
  readonly held: number;
}

/** The policy, ready for use. */
interface Rules extends Policy {
  readonly heldUsers: readonly number[];
  /** By themselves, or because a held user is a member. */
  readonly heldGroups: ReadonlySet<number>;
}

interface PageRow {
  readonly bucket: number;
  readonly id: bigint;
  readonly first_kept: number;
  readonly head: number;
  /** A held user has read or written here, member or not. */
  readonly known_to_held: boolean;
}

/** A beginning that is older than its rule. */
interface Due {
  readonly bucket: number;
  readonly id: bigint;
  readonly first: number;
  readonly upto: number;
  readonly head: number;
}

async function readPolicy(meta: pg.Client): Promise<Policy> {
  const rules = await meta.query<{ kind: Kind; days: number | null }>('select kind, days from meta.retention');
  const groups = await meta.query<{ group_id: number; days: number | null }>(
    'select group_id, days from meta.retention_group order by group_id',
  );
  const holds = await meta.query<Hold>('select kind, id, reason, since from meta.retention_hold order by kind, id');
  const days = (kind: Kind) => rules.rows.find((row) => row.kind === kind)?.days ?? null;
  return {
    single: days('single'),
    group: days('group'),
    groups: new Map(groups.rows.map((row) => [row.group_id, row.days])),
    holds: holds.rows,
  };
}

async function readRules(meta: pg.Client): Promise<Rules> {
  const policy = await readPolicy(meta);
  const heldUsers = policy.holds.filter((hold) => hold.kind === 'user').map((hold) => hold.id);
  const memberships = await meta.query<{ group_id: number }>(
    'select distinct group_id from meta.group_member where user_id = any ($1)',
    [heldUsers],
  );
  const heldGroups = policy.holds.filter((hold) => hold.kind === 'group').map((hold) => hold.id);
  return {
    ...policy,
    heldUsers,
    heldGroups: new Set([...heldGroups, ...memberships.rows.map((row) => row.group_id)]),
  };
}

async function workOn(
  shard: ShardClient,
  after: Place,
  gone: ReadonlySet<number>,
  rules: Rules,
  options: RunOptions,
): Promise<Step> {
  const { rows: page } = await shard.client.query<PageRow>({
    name: 'retention-page',
    text: `select c.bucket, c.id, c.first_kept, c.head,
                  exists (select from shard.group_read g
                    where g.bucket = c.bucket and g.conversation_id = c.id and g.user_id = any ($3)) as known_to_held
             from shard.conversation c where (c.bucket, c.id) > ($1, $2) order by c.bucket, c.id limit ${PAGE}`,
    values: [after.bucket, after.id, rules.heldUsers],
  });
  const here = page.filter((row) => shard.buckets.has(row.bucket) && !gone.has(row.bucket));
  const held = await dueOf(
    shard,
    here.filter((row) => isHeld(row, rules)),
    rules,
    options.nowMs,
    1,
  );
  const free = here.filter((row) => !isHeld(row, rules));
  const due = await dueOf(shard, free, rules, options.nowMs, options.dryRun ? EVERYTHING : options.batchRows);
  const { batch, more } = options.dryRun ? { batch: due, more: false } : batchOf(due, options.batchRows);
  const messages = options.dryRun ? sizeOf(batch) : await remove(shard, batch);
  const end = page.at(-1);
  const last = page.length < PAGE || end === undefined ? undefined : { bucket: end.bucket, id: String(end.id) };
  return { last, more, cut: batch.map((each) => each.id), messages, held: held.length };
}

function isHeld({ id, known_to_held }: PageRow, { heldUsers, heldGroups }: Rules): boolean {
  if (isGroupConversation(id)) return known_to_held || heldGroups.has(groupOf(id));
  return usersOf(id).some((user) => heldUsers.includes(user));
}

/** Undefined: for ever. */
function daysOf(id: bigint, { single, group, groups }: Rules): number | undefined {
  if (!isGroupConversation(id)) return single ?? undefined;
  const own = groups.get(groupOf(id));
  return (own === undefined ? group : own) ?? undefined;
}

/**
 * What is due of each, looking `window` ids ahead at most. Times do not turn around within a conversation, so the first
 * message that is young enough ends it, and nothing behind that one is looked at.
 */
async function dueOf(
  { client }: ShardClient,
  rows: readonly PageRow[],
  rules: Rules,
  nowMs: number,
  window: number,
): Promise<Due[]> {
  const ruled = rows.flatMap((row) => {
    const days = row.head < row.first_kept ? undefined : daysOf(row.id, rules);
    return days === undefined ? [] : [{ ...row, before: nowMs - days * DAY_MS }];
  });
  if (ruled.length === 0) return [];
  const { rows: found } = await client.query<Due>({
    name: 'retention-due',
    text: `select c.bucket, c.id, c.first_kept as first, c.head, e.upto
             from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as w (bucket, id, before_ms)
             join shard.conversation c on c.bucket = w.bucket and c.id = w.id
             cross join lateral (select coalesce(
               (select m.msg_id - 1 from shard.message m
                 where m.bucket = c.bucket and m.conversation_id = c.id and m.msg_id >= c.first_kept
                   and m.msg_id < c.first_kept + $4::bigint and m.create_time_ms >= w.before_ms
                 order by m.msg_id limit 1),
               least(c.head, c.first_kept + $4::bigint - 1)::int) as upto) e
            where e.upto >= c.first_kept order by c.bucket, c.id`,
    values: [
      ruled.map((row) => row.bucket),
      ruled.map((row) => String(row.id)),
      ruled.map((row) => row.before),
      window,
    ],
  });
  return found;
}

/** As much as goes into one statement, and whether the page may have more. */
function batchOf(due: readonly Due[], rowsMax: number): { batch: Due[]; more: boolean } {
  const batch: Due[] = [];
  let left = rowsMax;
  let more = false;
  for (const each of due) {
    const upto = Math.min(each.upto, each.first + left - 1);
    // Looked at no further than this: what follows may be due as well.
    if (upto < each.upto || (upto - each.first + 1 >= rowsMax && upto < each.head)) more = true;
    if (upto < each.first) break;
    batch.push({ ...each, upto });
    left -= upto - each.first + 1;
  }
  return { batch, more };
}

function sizeOf(batch: readonly Due[]): number {
  return batch.reduce((sum, each) => sum + each.upto - each.first + 1, 0);
}

/** One statement: the beginnings move and what lay before them goes, or neither. @returns how many messages went */
async function remove({ client }: ShardClient, batch: readonly Due[]): Promise<number> {
  if (batch.length === 0) return 0;
  const { rows } = await client.query<{ messages: number }>({
    name: 'retention-remove',
    text: `with fence as materialized (
             select shard.writable($4::smallint[]) as open
           ), cut as (
             update shard.conversation c set first_kept = w.upto + 1
               from unnest($1::smallint[], $2::bigint[], $3::int[]) as w (bucket, id, upto), fence
              where fence.open and c.bucket = w.bucket and c.id = w.id and c.first_kept <= w.upto and w.upto <= c.head
             returning c.bucket, c.id, c.first_kept
           ), gone as (
             delete from shard.message m using cut
              where m.bucket = cut.bucket and m.conversation_id = cut.id and m.msg_id < cut.first_kept returning 1
           ), attachments as (
             delete from shard.attachment a using cut
              where a.bucket = cut.bucket and a.conversation_id = cut.id and a.msg_id < cut.first_kept
           )
           select (select count(*)::int from gone) as messages from fence where open -- asked even if nothing is left here`,
    values: [
      batch.map((each) => each.bucket),
      batch.map((each) => String(each.id)),
      batch.map((each) => each.upto),
      [...new Set(batch.map((each) => each.bucket))],
    ],
  });
  return rows[0]!.messages;
}

/** Leaves the databases to others for as long as the duty says. */
async function rest(workedMs: number, { duty, signal }: RunOptions): Promise<void> {
  const ms = workedMs / duty - workedMs;
  if (ms >= 1) await delay(ms, undefined, { signal });
}
