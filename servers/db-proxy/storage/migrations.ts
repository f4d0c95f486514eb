import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import type { Logger } from '../../../common/log.js';
import { projectRoot } from '../../../common/root.js';
import { newClient } from './database.js';
import { placeOf } from './database-url.js';
import { type Migration, unfinishedRestore } from './schema.js';

/**
 * Numbered SQL files, applied once each and in order, under a lock so that servers starting at the same moment do not
 * meet. A schema newer than this build knows stops the start: an old server would misread it. So does one that is being
 * restored, or was until the restore was cut off.
 */
export type Schema = 'meta' | 'shard';

/** Any constant: the same in all builds. */
const LOCK_ID = 0x7465616d;

export async function migrate(url: string, schema: Schema, log: Logger): Promise<void> {
  const client = newClient(url, 'migrate', { statement_timeout: 0, query_timeout: 0 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK_ID]);
    await applyMissing(client, schema, placeOf(url), log);
  } finally {
    await client.end(); // gives the lock back
  }
}

async function applyMissing(client: pg.Client, schema: Schema, place: string, log: Logger): Promise<void> {
  await client.query(`create schema if not exists ${schema}`);
  await client.query(
    `create table if not exists ${schema}.migration (number integer primary key, name text not null, at timestamptz not null default now())`,
  );
  const { rows } = await client.query<Migration>(`select number, name from ${schema}.migration`);
  const unfinished = unfinishedRestore(rows);
  if (unfinished !== undefined)
    throw new Error(
      `${place} holds ${unfinished}, and no messages: wait for it if it is under way; if it was cut off, ` +
        '`npm run restore -- FOLDER --again` with its other options empties the database and starts over',
    );
  const applied = new Set(rows.map((row) => row.number));
  const files = await migrationFiles(schema);
  const newest = files.at(-1)?.number ?? 0;
  const foreign = [...applied].filter((number) => number > newest);
  if (foreign.length > 0)
    throw new Error(
      `the ${schema} schema is at ${Math.max(...foreign)}, this build knows ${newest}: start a newer build`,
    );
  for (const file of files.filter((each) => !applied.has(each.number))) {
    await client.query('begin');
    await client.query(await readFile(file.path, 'utf8'));
    await client.query(`insert into ${schema}.migration (number, name) values ($1, $2)`, [file.number, file.name]);
    await client.query('commit');
    log.info({ schema, migration: file.name }, 'migration applied');
  }
}

export async function migrationFiles(schema: Schema): Promise<{ number: number; name: string; path: string }[]> {
  const folder = join(projectRoot, 'servers/db-proxy/sql', schema);
  const names = (await readdir(folder)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort();
  return names.map((name) => ({ number: Number(name.slice(0, 4)), name, path: join(folder, name) }));
}
