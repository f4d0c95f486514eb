/**
 * Runs every test file, or those with one of the words in their path, some side by side, each in a process of its own:
 * `npm test [-- part/of/path …]`. TAP_TIMEOUT is
 * in seconds, for a file.
 *
 * tap's own command does the same with a hook into each process for coverage and mocks, which nothing here uses; that hook
 * made test files cost 3 s of CPU more each, and doubled what each server costs that a test starts (0.5 s became 1.1 s).
 */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const FILE_MS_MAX = Number(process.env.TAP_TIMEOUT) * 1000;
/** Folders with files that take long go first, so that in the end nobody waits for one of them. */
const FIRST = ['faults', 'tools', 'protocol', 'cluster', 'servers'];

const here = fileURLToPath(new URL('.', import.meta.url));
const wanted = process.argv.slice(2);
const rank = (path: string) => (FIRST.indexOf(path.split('/')[0]!) + FIRST.length + 1) % (FIRST.length + 1);
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.js') && (wanted.length === 0 || wanted.some((part) => path.includes(part))))
  .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en'));

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
