import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { type BucketTable, columnsOf, digestOf, keyParameters } from './bucket-tables.js';

/**
 * The rows of one bucket on their way from one database to another, while others write to the first.
 *
 * The first round copies everything that a snapshot of the source shows. Each round after it copies what has changed
 * since the snapshot before: PostgreSQL writes into each row which transaction made it (xmin), so a changed row is one
 * made by a transaction that the earlier snapshot did not show as finished. A row that is gone shows in the number of
 * rows, and only then the keys of both sides are compared.
 *
 * Messages are too many to be looked through again, and what is attached to them is too large: `shard.message` and
 * `shard.attachment` grow at the end of each conversation, in the transaction that moves the head of that conversation,
 * and retention takes away its beginning. So the conversations that have changed say where to look. Whatever else touches a message (sealing it anew) takes the bucket's advisory
 * lock in meta, which the mover holds.
 *
 * Each round compares digests of what it copied, computed by either database over its own rows: the first one over all
 * rows, the later ones over the changed rows, together with the number of all rows. None has to look at all messages
 * again, so the last round, for which nobody writes, is short however large the bucket is.
 */
export interface Round {
  /** Copied; of the first round, all. */
  readonly rows: number;
  readonly bytes: number;
  /** To be given to the next round. */
  readonly snapshot: bigint;
}

/** What went over and what stands there now is not the same. */
export class DigestError extends Error {
  override readonly name = 'DigestError';
}

/** @param bytes further ones that went over */
export type Told = (rows: number, bytes: number) => void;

const MESSAGES = 'shard."message"';
/** What is only added behind the head of a conversation, and only taken away from its beginning. */
const GROWING = [MESSAGES, 'shard."attachment"'];
const CONVERSATIONS = 'shard."conversation"';
const XIDS = 2n ** 32n;
const DELETE_ROWS = 5_000;
/** A copy that does not move for so long is given up. */
const STALL_MS_MAX = 60_000;

export class BucketCopy {
  readonly #bucket: number;
  readonly #tables: readonly BucketTable[];
  readonly #source: pg.Client;
  readonly #target: pg.Client;
  readonly #told: Told;

  constructor(bucket: number, tables: readonly BucketTable[], source: pg.Client, target: pg.Client, told: Told) {
    this.#bucket = bucket;
    this.#tables = tables;
    this.#source = source;
    this.#target = target;
    this.#told = told;
  }

  /** Everything, into a target that has nothing of the bucket. @throws DigestError */
  first(): Promise<Round> {
    return this.#round(async () => {
      let bytes = 0;
      for (const table of this.#tables) {
        const columns = table.columns.join(', ');
        bytes += await this.#copy(
          `select ${columns} from ${table.name} where bucket = ${this.#bucket}`,
          `${table.name} (${columns})`,
        );
      }
      const [there, here] = await Promise.all([this.#sumAll(this.#source), this.#sumAll(this.#target)]);
      for (const table of this.#tables) compare(table, there.get(table.name)!, here.get(table.name)!);
      return { rows: [...here.values()].reduce((sum, each) => sum + each.rows, 0), bytes };
    });
  }

  /** What changed since the snapshot of the round before. @throws DigestError */
  next(since: bigint): Promise<Round> {
    return this.#round(async () => {
      const others = this.#tables.filter((table) => !GROWING.includes(table.name));
      const changes = await this.#changes(others, since);
      let bytes = 0;
      let rows = 0;
      for (const table of others) {
        const { changed } = changes.get(table.name)!;
        if (changed === 0) continue;
        bytes += await this.#upsert(table, since);
        rows += changed;
      }
      await this.#compareChanges(others, changes);
      if (changes.get(CONVERSATIONS)!.changed > 0) {
        const grown = await this.#nextMessages(since);
        rows += grown.rows;
        bytes += grown.bytes;
      }
      return { rows, bytes };
    });
  }

  /** Both sides in a transaction, the source's with one snapshot for all that is read. */
  async #round(work: () => Promise<{ rows: number; bytes: number }>): Promise<Round> {
    await this.#source.query('begin isolation level repeatable read read only');
    const { rows } = await this.#source.query<{ xmin: bigint }>(
      'select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin',
    );
    await this.#target.query('begin');
    const done = await work();
    await this.#target.query('commit');
    await this.#source.query('commit');
    this.#told(done.rows, 0);
    return { ...done, snapshot: rows[0]!.xmin };
  }

  async #copy(select: string, into: string): Promise<number> {
    const watch = setTimeout(() => this.#breakOff(`the copy stood still for ${STALL_MS_MAX / 1000} s`), STALL_MS_MAX);
    const told = this.#told;
    let bytes = 0;
    async function* counted(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        told(0, chunk.length);
        watch.refresh();
        yield chunk;
      }
    }
    try {
      await pipeline(
        this.#source.query(copyTo(`copy (${select}) to stdout (format binary)`)),
        counted,
        this.#target.query(copyFrom(`copy ${into} from stdin (format binary)`)),
      );
    } finally {
      clearTimeout(watch);
    }
    return bytes;
  }

  #breakOff(why: string): void {
    for (const client of [this.#source, this.#target]) client.connection.stream.destroy(new Error(why));
  }

  async #sumAll(client: pg.Client): Promise<Map<string, Sum>> {
    const sums = this.#tables.map(
      (table) =>
        `select '${table.name}' as name, count(*)::int as rows, sum(${digestOf(table, 't')})::text as digest
           from ${table.name} t where t.bucket = ${this.#bucket}`,
    );
    const { rows } = await client.query<Sum & { name: string }>(sums.join(' union all '));
    return new Map(rows.map((row) => [row.name, row]));
  }

  async #changes(tables: readonly BucketTable[], since: bigint): Promise<Map<string, Changes>> {
    const sums = tables.map(
      (table) =>
        `select '${table.name}' as name, count(*)::int as rows, count(*) filter (where ${changed('t', since)})::int as changed,
                sum(${digestOf(table, 't')}) filter (where ${changed('t', since)})::text as digest
           from ${table.name} t where t.bucket = ${this.#bucket}`,
    );
    const { rows } = await this.#source.query<Changes & { name: string }>(sums.join(' union all '));
    return new Map(rows.map((row) => [row.name, row]));
  }

  /** The changed rows, first into a table for the time of the transaction, then over what is there. */
  async #upsert(table: BucketTable, since: bigint): Promise<number> {
    const columns = table.columns.join(', ');
    await this.#target.query(
      `create temp table if not exists ${deltaOf(table)} (like ${table.name}) on commit delete rows`,
    );
    const bytes = await this.#copy(
      `select ${columns} from ${table.name} t where bucket = ${this.#bucket} and ${changed('t', since)}`,
      `${deltaOf(table)} (${columns})`,
    );
    const rest = table.columns.filter((column) => !table.key.includes(column));
    const over =
      rest.length === 0 ? 'nothing' : `update set ${rest.map((column) => `${column} = excluded.${column}`).join(', ')}`;
    await this.#target.query(
      `insert into ${table.name} (${columns}) select ${columns} from ${deltaOf(table)}
       on conflict (${table.key.join(', ')}) do ${over}`,
    );
    return bytes;
  }

  async #compareChanges(tables: readonly BucketTable[], changes: ReadonlyMap<string, Changes>): Promise<void> {
    const here = await this.#changesHere(tables, changes);
    for (const table of tables) {
      const there = changes.get(table.name)!;
      compare(table, { rows: there.changed, digest: there.digest }, here.get(table.name)!);
      if (here.get(table.name)!.all !== there.rows) await this.#removeGone(table, there.rows);
    }
  }

  async #changesHere(
    tables: readonly BucketTable[],
    changes: ReadonlyMap<string, Changes>,
  ): Promise<Map<string, Sum & { all: number }>> {
    const sums = tables.map((table) => {
      const all = `(select count(*) from ${table.name} where bucket = ${this.#bucket})::int`;
      if (changes.get(table.name)!.changed === 0)
        return `select '${table.name}' as name, ${all} as all, 0 as rows, null::text as digest`;
      return `select '${table.name}' as name, ${all} as all, count(*)::int as rows, sum(${digestOf(table, 't')})::text as digest
                from ${table.name} t join ${deltaOf(table)} d using (${table.key.join(', ')})`;
    });
    const { rows } = await this.#target.query<Sum & { name: string; all: number }>(sums.join(' union all '));
    return new Map(rows.map((row) => [row.name, row]));
  }

  /** Rows that the source has no more; `left` is how many have to be left. */
  async #removeGone(table: BucketTable, left: number): Promise<void> {
    const key = table.key.join(', ');
    const kept = deltaOf(table).replace(/"$/, '_kept"');
    await this.#target.query(
      `create temp table if not exists ${kept} on commit delete rows as select ${key} from ${table.name} limit 0`,
    );
    await this.#copy(`select ${key} from ${table.name} where bucket = ${this.#bucket}`, `${kept} (${key})`);
    await this.#target.query(
      `delete from ${table.name} t where t.bucket = ${this.#bucket} and not exists
         (select from ${kept} k where ${table.key.map((column) => `k.${column} = t.${column}`).join(' and ')})`,
    );
    const { rows } = await this.#target.query<{ rows: number }>(
      `select count(*)::int as rows from ${table.name} where bucket = ${this.#bucket}`,
    );
    if (rows[0]!.rows !== left)
      throw new DigestError(`${plain(table)} has ${left} rows at the source and ${rows[0]!.rows} at the target`);
  }

  /**
   * Messages above what the target has, in the conversations that have changed, with what is attached to them; and those
   * that retention took.
   */
  async #nextMessages(since: bigint): Promise<{ rows: number; bytes: number }> {
    const growing = this.#tables.filter((table) => GROWING.includes(table.name));
    const bucket = this.#bucket;
    const source = await this.#source.query<{ id: bigint; first: number }>(
      `select c.id, c.first_kept as first from ${CONVERSATIONS} c where c.bucket = ${bucket} and ${changed('c', since)}`,
    );
    const ids = `'{${source.rows.map((row) => row.id).join(',')}}'::bigint[]`;
    const firsts = `'{${source.rows.map((row) => row.first).join(',')}}'::int[]`;
    for (const table of growing)
      await this.#target.query(
        `delete from ${table.name} t using unnest(${ids}, ${firsts}) as w (id, first)
          where t.bucket = ${bucket} and t.conversation_id = w.id and t.msg_id < w.first`,
      );
    const target = await this.#target.query<{ heads: string }>(
      `select '{' || string_agg(coalesce((select max(m.msg_id) from ${MESSAGES} m where m.bucket = ${bucket} and m.conversation_id = w.id), 0)::text,
                ',' order by place) || '}' as heads from unnest(${ids}) with ordinality as w (id, place)`,
    );
    const grown = { rows: 0, bytes: 0 };
    for (const table of growing) {
      const added = `unnest(${ids}, '${target.rows[0]!.heads}'::int[]) as w (id, head)
        join ${table.name} t on t.bucket = ${bucket} and t.conversation_id = w.id and t.msg_id > w.head`;
      grown.bytes += await this.#copy(
        `select ${columnsOf(table, 't')} from ${added}`,
        `${table.name} (${table.columns.join(', ')})`,
      );
      const sum = `select count(*)::int as rows, sum(${digestOf(table, 't')})::text as digest from ${added}`;
      const [there, here] = await Promise.all([this.#source.query<Sum>(sum), this.#target.query<Sum>(sum)]);
      compare(table, there.rows[0]!, here.rows[0]!);
      grown.rows += here.rows[0]!.rows;
    }
    return grown;
  }
}

interface Sum {
  readonly rows: number;
  /** Null: of no row. */
  readonly digest: string | null;
}

interface Changes {
  readonly rows: number;
  readonly changed: number;
  readonly digest: string | null;
}

function compare(table: BucketTable, there: Sum, here: Sum): void {
  const name = plain(table);
  if (there.rows !== here.rows)
    throw new DigestError(`of ${name}, ${there.rows} rows left the source and ${here.rows} are at the target`);
  if (there.digest !== here.digest)
    throw new DigestError(`rows of ${name} are not at the target as they were at the source`);
}

/** For SQL: made by a transaction that a snapshot did not show yet. xmin has 32 bits, in a circle; age() knows that. */
function changed(alias: string, since: bigint): string {
  return `age(${alias}.xmin) <= age('${since % XIDS}'::xid)`;
}

/** For people. */
function plain({ name }: BucketTable): string {
  return name.replaceAll('"', '');
}

function deltaOf(table: BucketTable): string {
  return `"delta_${plain(table).replace(/^shard\./, '')}"`;
}

/**
 * Removes the bucket's rows from a database that does not hold the bucket, a piece at a time, with a pause after each as
 * long as the piece took, when others are to be spared.
 * @param goOn asked before every piece; false: no more
 * @returns false when it was told to stop
 */
export async function removeRows(
  client: pg.Client,
  bucket: number,
  tables: readonly BucketTable[],
  { spare, goOn, told }: { spare: boolean; goOn: () => boolean; told: Told },
): Promise<boolean> {
  // Each piece is the next one of an index, whatever the planner believes of tables that have just been filled.
  await client.query('set enable_bitmapscan = off; set enable_sort = off');
  for (const table of tables) {
    for (let after: unknown[] | undefined = []; after !== undefined; ) {
      if (!goOn()) return false;
      const startedMs = performance.now();
      const piece: Piece = await removePiece(client, bucket, table, after);
      if (piece.rows > 0) told(piece.rows, 0);
      after = piece.last;
      if (spare) await new Promise((resolve) => setTimeout(resolve, performance.now() - startedMs));
    }
  }
  await client.query('reset enable_bitmapscan; reset enable_sort');
  return true;
}

interface Piece {
  readonly rows: number;
  /** The key of the last row; undefined: there are no more rows. */
  readonly last: unknown[] | undefined;
}

/** Goes along the key: looking for the first rows of the bucket again would each time pass all that are deleted. */
async function removePiece(
  client: pg.Client,
  bucket: number,
  table: BucketTable,
  after: readonly unknown[],
): Promise<Piece> {
  const key = `(${table.key.join(', ')})`;
  const beyond = after.length === 0 ? '' : `and ${key} > ${keyParameters(table, 1)}`;
  const end = await client.query<{ key: string[] }>(
    `select array[${table.key.map((column) => `${column}::text`).join(', ')}] as key
       from ${table.name} where bucket = ${bucket} ${beyond} order by ${table.key.join(', ')} offset ${DELETE_ROWS - 1} limit 1`,
    [...after],
  );
  const last = end.rows[0]?.key;
  const upTo = last === undefined ? '' : `and ${key} <= ${keyParameters(table, after.length + 1)}`;
  const { rowCount } = await client.query(
    // Whatever anybody believes: a bucket that is held here is not deleted.
    `delete from ${table.name} where bucket = ${bucket} ${beyond} ${upTo}
        and not exists (select from shard.bucket where bucket = ${bucket})`,
    [...after, ...(last ?? [])],
  );
  return { rows: rowCount ?? 0, last };
}
