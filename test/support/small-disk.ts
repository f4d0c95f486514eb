import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Teardown, TestPostgres } from './postgres.js';

/** A database whose disk can be full. */
export interface SmallDisk {
  readonly url: string;
  /** From now on nothing can be written any more, once what is reserved is used up. */
  fill(): Promise<void>;
  /** There is room again. */
  free(): Promise<void>;
}

const SIZE = 48 * 1024 * 1024;

/**
 * A database on a file system of its own, which a file fills up. Where nothing may be mounted, as in a container without
 * that right, PostgreSQL itself is made to answer as it does when the disk is full.
 */
export async function smallDisk(t: Teardown, postgres: TestPostgres): Promise<SmallDisk> {
  const dir = mkdtempSync(join(tmpdir(), `teamtalk-test-disk-${process.pid}-`));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const url = new URL(postgres.url);
  url.pathname = '/on_small_disk';
  if (!mounted(t, dir)) {
    await sql(postgres.url, 'create database on_small_disk');
    return pretended(url.href);
  }
  await sql(postgres.url, 'create database on_small_disk');
  const [database] = await sql(postgres.url, `select oid::text from pg_database where datname = 'on_small_disk'`);
  const folder = join(postgres.dir, 'data/base', database!.oid);
  await postgres.stop();
  execFileSync('mv', [folder, join(dir, 'database')]);
  symlinkSync(join(dir, 'database'), folder);
  await postgres.start();
  const ballast = join(dir, 'ballast');
  return {
    url: url.href,
    async fill() {
      const chunk = Buffer.alloc(64 * 1024);
      try {
        for (;;) writeFileSync(ballast, chunk, { flag: 'a' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    async free() {
      rmSync(ballast);
    },
  };
}

/** The server may still be there when it is taken away, and goes later. */
function mounted(t: Teardown, dir: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'none', dir], { stdio: 'ignore' });
  } catch {
    return false;
  }
  t.teardown(() => execFileSync('umount', ['-l', dir]));
  return true;
}

function pretended(url: string): SmallDisk {
  const trigger =
    'create trigger disk_full before insert on shard.message for each statement execute function disk_full()';
  return {
    url,
    async fill() {
      await sql(
        url,
        `create or replace function disk_full() returns trigger language plpgsql as $$ begin
           raise exception 'could not extend file: No space left on device' using errcode = '53100';
         end $$; ${trigger}`,
      );
    },
    async free() {
      await sql(url, 'drop trigger disk_full on shard.message');
    },
  };
}

async function sql(url: string, text: string): Promise<{ readonly oid: string }[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<{ oid: string }>(text)).rows;
  } finally {
    await client.end();
  }
}
