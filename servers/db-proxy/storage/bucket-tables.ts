import pg from 'pg';
import type { Queryable } from './tool-client.js';

/**
 * The tables of a shard whose rows belong to buckets: all there are, found out and not listed, so that one that a later
 * migration adds moves with its bucket.
 */
export interface BucketTable {
  /** With its schema, ready for SQL. */
  readonly name: string;
  /** Those that are stored, in their order, ready for SQL. */
  readonly columns: readonly string[];
  readonly types: readonly string[];
  /** Of the primary key, ready for SQL; the bucket is the first. */
  readonly key: readonly string[];
}

interface Found {
  readonly table: string;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly numbered: boolean }[];
  readonly key: readonly string[];
}

/** What is about the shard itself. */
const NOT_OF_BUCKETS = ['bucket', 'migration'];

/**
 * @throws Error for a table that could not move: rows without a bucket, without a key that begins with it, or numbered
 * by a sequence of the shard, which would give the same number again elsewhere
 */
export async function bucketTables(client: Queryable): Promise<BucketTable[]> {
  const { rows } = await client.query<Found>(
    `select c.relname as table,
            json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'numbered',
              a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid), '') like 'nextval(%') order by a.attnum) as columns,
            array(select k.attname::text from pg_index i cross join unnest(i.indkey) with ordinality as part (attnum, place)
                    join pg_attribute k on k.attrelid = i.indrelid and k.attnum = part.attnum
                   where i.indrelid = c.oid and i.indisprimary order by part.place) as key
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
       left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where n.nspname = 'shard' and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> all ($1)
      group by c.oid, c.relname order by c.relname`,
    [NOT_OF_BUCKETS],
  );
  return rows.map(movable);
}

function movable({ table, columns, key }: Found): BucketTable {
  const name = `shard.${pg.escapeIdentifier(table)}`;
  if (!columns.some((column) => column.name === 'bucket' && column.type === 'smallint'))
    throw new Error(`${name} has no smallint column "bucket": nobody can say with which bucket its rows move`);
  if (key[0] !== 'bucket') throw new Error(`the primary key of ${name} does not begin with the bucket`);
  const numbered = columns.find((column) => column.numbered);
  if (numbered !== undefined)
    throw new Error(`${name}.${numbered.name} is numbered by a sequence: two shards would give the same number`);
  return {
    name,
    columns: columns.map((column) => pg.escapeIdentifier(column.name)),
    types: columns.map((column) => column.type),
    key: key.map((column) => pg.escapeIdentifier(column)),
  };
}

/** The same rows fit into both. */
export function sameTables(a: readonly BucketTable[], b: readonly BucketTable[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** For SQL: the columns of the key with their values as parameters from `$<first>` on, as a row to compare with. */
export function keyParameters(table: BucketTable, first: number): string {
  const types = new Map(table.columns.map((column, place) => [column, table.types[place]!]));
  return `(${table.key.map((column, place) => `$${first + place}::${types.get(column)}`).join(', ')})`;
}

/** For SQL: the sum of it over rows says whether two sets of rows, in whatever order, are the same. */
export function digestOf(table: BucketTable, alias: string): string {
  return `hashtextextended(row(${columnsOf(table, alias)})::text, 0)`;
}

export function columnsOf(table: BucketTable, alias: string): string {
  return table.columns.map((column) => `${alias}.${column}`).join(', ');
}
