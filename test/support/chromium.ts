import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import type { Teardown } from './postgres.js';

/**
 * A real browser: the Chromium of the system. Where there is none and we are root on Debian, it is installed; another
 * one is taken when TEST_CHROMIUM names it. Best is the one without a desktop's windows around its pages: it shows the
 * same pages for two thirds of the CPU.
 */
const PLACES = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const INSTALL_MS_MAX = 180_000;

export async function openBrowser(t: Teardown): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: await chromiumPath(),
    args: ['--no-sandbox', '--disable-dev-shm-usage'], // root in a container has no namespaces and little shared memory
  });
  t.teardown(() => browser.close());
  return browser;
}

/** @throws Error that says how to come by a browser */
export async function chromiumPath(): Promise<string> {
  const found = installed();
  if (found !== undefined) return found;
  await install();
  const fresh = installed();
  if (fresh === undefined)
    throw new Error('no Chromium: install it (apt-get install chromium-headless-shell), or name one in TEST_CHROMIUM');
  return fresh;
}

function installed(): string | undefined {
  return [process.env.TEST_CHROMIUM ?? '', ...PLACES].find((path) => path !== '' && existsSync(path));
}

/** Under a lock: of several test processes one does it, and the others find it done. */
async function install(): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return;
  const get = 'apt-get install -y --no-install-recommends';
  const shell = `${get} chromium-headless-shell`; // older releases of Debian have only the whole one
  const script = `command -v chromium-headless-shell || ${shell} || { apt-get update && ${shell}; } || ${get} chromium`;
  const lock = join(tmpdir(), 'teamtalk-test-chromium.lock');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await promisify(execFile)('flock', [lock, 'sh', '-c', script], { env, timeout: INSTALL_MS_MAX });
}
