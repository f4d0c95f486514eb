/**
 * A wall clock that can be set, for the processes of a test: libfaketime, by its environment. Where there is none, root on
 * Debian gets it with apt-get; anybody else skips the tests that need it.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Teardown } from './postgres.js';

const INSTALL_MS_MAX = 180_000;
const LIBRARIES = '/usr/lib';

/** A clock that is as far from the right one as it was set. Intervals go on as they are: only the wall clock jumps. */
export interface TestClock {
  /** What processes have to be started with. */
  readonly env: Readonly<Record<string, string>>;
  /** @param seconds from the right time */
  set(seconds: number): Promise<void>;
}

/** @returns why there is none, where there is none */
export async function testClock(t: Teardown): Promise<TestClock | string> {
  const library = libraryHere() ?? (await install());
  if (library === undefined)
    return 'there is no libfaketime on this machine, and it is for root on Debian to install it';
  const dir = await mkdtemp(join(tmpdir(), 'teamtalk-test-clock-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, 'offset');
  const set = (seconds: number) => writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  await set(0);
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_NO_CACHE: '1',
  };
  return { env, set };
}

function libraryHere(): string | undefined {
  const paths = readdirSync(LIBRARIES).map((name) => join(LIBRARIES, name, 'faketime/libfaketimeMT.so.1'));
  return paths.find((path) => existsSync(path));
}

async function install(): Promise<string | undefined> {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return undefined;
  const get = 'apt-get install -y --no-install-recommends libfaketime';
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const script = `${get} || { apt-get update && ${get}; }`;
  const lock = join(tmpdir(), 'teamtalk-test-faketime.lock');
  await promisify(execFile)('flock', [lock, 'sh', '-c', script], { env, timeout: INSTALL_MS_MAX }).catch(
    () => undefined,
  );
  return libraryHere();
}
