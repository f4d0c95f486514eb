/**
 * Runs every test file, or those with one of the words in their path, some side by side, each in a process of its own:
 * `npm test [-- part/of/path …]`. TAP_TIMEOUT is
 * in seconds, for a file.
 *
 * tap's own command does the same with a hook into each process for coverage and mocks, which nothing here uses; that hook
 * made test files cost 3 s of CPU more each, and doubled what each server costs that a test starts (0.5 s became 1.1 s).
 */
import { chmodSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readyTemplate } from './support/postgres.js';

const FILE_MS_MAX = Number(process.env.TAP_TIMEOUT) * 1000;
/** Folders with files that take long go first, so that in the end nobody waits for one of them. */
const FIRST = ['faults', 'tools', 'protocol', 'cluster', 'servers'];

/**
 * Where there is this much memory to spare, temporary files are kept in it: every test file copies a PostgreSQL, and ext4
 * looks long for a free inode when many were removed a moment ago (measured: 0.2 to 0.9 s of CPU for one copy in place of
 * 0.08, and half of all CPU of a test file with a cluster).
 */
const MEMORY = '/dev/shm';
const MEMORY_BYTES_MIN = 6 * 2 ** 30;
const FOLDER = 'teamtalk-tests-';

const here = fileURLToPath(new URL('.', import.meta.url));
const wanted = process.argv.slice(2);
const rank = (path: string) => (FIRST.indexOf(path.split('/')[0]!) + FIRST.length + 1) % (FIRST.length + 1);
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.js') && (wanted.length === 0 || wanted.some((part) => path.includes(part))))
  .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en'));

if (process.env.TMPDIR === undefined && memoryBytes() >= MEMORY_BYTES_MIN) {
  for (const name of readdirSync(MEMORY))
    if (isLeft(name)) rmSync(join(MEMORY, name), { recursive: true, force: true });
  const folder = mkdtempSync(join(MEMORY, `${FOLDER}${process.pid}-`));
  chmodSync(folder, 0o755); // PostgreSQL may run as another user
  process.env.TMPDIR = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
}

if (files.length > 1) await readyTemplate(); // before all of them look for it at once
t.jobs = availableParallelism() + 1; // one of them waits for something, most of the time
t.setTimeout(0);
if (files.length === 0) t.fail(`no test file has any of these in its path: ${wanted.join(', ')}`);
const failed: string[] = [];
await Promise.all(
  files.map(async (path) => {
    const file = join(here, path);
    const name = relative(process.cwd(), file);
    // By way of env, as tap would put its hook there.
    const args = ['-u', 'NODE_OPTIONS', process.execPath, '--enable-source-maps', file];
    const result = await t.spawn('/usr/bin/env', args, { name, buffered: true, timeout: FILE_MS_MAX });
    if (result !== null && !result.ok) failed.push(name);
  }),
);
for (const name of failed) t.comment(`failed: ${name}`);

/** What can be kept there; 0 where there is no such place. */
function memoryBytes(): number {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return Math.min(bavail * bsize, freemem());
  } catch {
    return 0;
  }
}

/** The folder of a run that was killed. */
function isLeft(name: string): boolean {
  if (!name.startsWith(FOLDER)) return false;
  try {
    process.kill(Number.parseInt(name.slice(FOLDER.length), 10), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
