import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../../common/root.js';
import type { Schema } from './migrations.js';
import type { Queryable } from './tool-client.js';

/**
 * What tools have to know about the state of a schema without changing it, and how a restore makes one. A server
 * migrates what it finds; a tool that only looks must not, and a restore wants the schema as it was at the backup.
 */
export interface Migration {
  readonly number: number;
  readonly name: string;
}

/**
 * Stands in the list of migrations while a database is being restored. Servers refuse a number that they do not know,
 * so none starts on a half of a cluster.
 */
const UNFINISHED = 2 ** 31 - 1;

export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

/** In their order, as this build has them. */
export async function knownMigrations(schema: Schema): Promise<Migration[]> {
  const names = (await readdir(folder(schema))).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort();
  return names.map((name) => ({ number: Number(name.slice(0, 4)), name }));
}

/** Undefined: there is no such schema. */
export async function appliedMigrations(client: Queryable, schema: Schema): Promise<Migration[] | undefined> {
  const { rows } = await client.query<{ there: boolean; listed: boolean }>(
    'select to_regnamespace($1) is not null as there, to_regclass($2) is not null as listed',
    [schema, `${schema}.migration`],
  );
  if (!rows[0]!.there) return undefined;
  if (!rows[0]!.listed) return [];
  const applied = await client.query<Migration>(`select number, name from ${schema}.migration order by number`);
  return applied.rows;
}

/** What an unfinished restore left written in the database; undefined when there is none. */
export function unfinishedRestore(applied: readonly Migration[] | undefined): string | undefined {
  return applied?.find((each) => each.number === UNFINISHED)?.name;
}

/** @throws SchemaError when there is no such schema, a restore of it is unfinished, or a newer build has been at it. */
export async function requireKnown(client: Queryable, schema: Schema, where: string): Promise<Migration[]> {
  const applied = await appliedMigrations(client, schema);
  if (applied === undefined) throw new SchemaError(`${where} has no schema ${schema}: nothing of a cluster is there`);
  const unfinished = unfinishedRestore(applied);
  if (unfinished !== undefined) throw new SchemaError(`${where}: ${unfinished}`);
  const known = new Set((await knownMigrations(schema)).map((each) => each.number));
  const foreign = applied.filter((each) => !known.has(each.number));
  if (foreign.length > 0)
    throw new SchemaError(
      `${where}: the ${schema} schema has ${foreign.map((each) => each.name).join(', ')}, which this build does not know: use the tools of the build that runs`,
    );
  return applied;
}

/** @throws SchemaError when the schema is not exactly what this build works with. */
export async function requireCurrent(client: Queryable, schema: Schema, where: string): Promise<void> {
  const applied = new Set((await requireKnown(client, schema, where)).map((each) => each.number));
  const missing = (await knownMigrations(schema)).filter((each) => !applied.has(each.number));
  if (missing.length > 0)
    throw new SchemaError(
      `${where}: the ${schema} schema lacks ${missing.map((each) => each.name).join(', ')}: start a server of this build once, which adds it`,
    );
}

/** Applies them in the order given, inside the caller's transaction. */
export async function applyMigrations(
  client: Queryable,
  schema: Schema,
  migrations: readonly Migration[],
): Promise<void> {
  for (const { number, name } of migrations) {
    await client.query(await readFile(join(folder(schema), name), 'utf8'));
    await client.query(`insert into ${schema}.migration (number, name) values ($1, $2)`, [number, name]);
  }
}

/** Makes an empty schema that no server starts on. */
export async function markUnfinished(client: Queryable, schema: Schema, words: string): Promise<void> {
  await client.query(`create schema ${schema}`);
  await client.query(
    `create table ${schema}.migration (number integer primary key, name text not null, at timestamptz not null default now())`,
  );
  await client.query(`insert into ${schema}.migration (number, name) values ($1, $2)`, [UNFINISHED, words]);
}

export async function unmarkUnfinished(client: Queryable, schema: Schema): Promise<void> {
  await client.query(`delete from ${schema}.migration where number = $1`, [UNFINISHED]);
}

function folder(schema: Schema): string {
  return join(projectRoot, 'servers/db-proxy/sql', schema);
}
