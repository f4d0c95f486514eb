import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { BrowserContext, Page } from 'playwright-core';
import { openBrowser } from './chromium.js';
import type { TestCluster } from './cluster.js';
import { ADMIN_PASSWORD } from './console.js';
import type { Teardown } from './postgres.js';

export interface Look {
  readonly language?: string;
  readonly theme?: string;
  readonly width?: number;
}

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: { readonly html: string }[];
}

/** The console's pages in a browser: each test has windows of its own, with cookies of their own. */
export async function openPages(t: Teardown, cluster: TestCluster) {
  const browser = await openBrowser(t);
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

  async function open(t: { teardown(work: () => unknown): unknown }, look: Look = {}): Promise<Page> {
    const { language = 'en', theme = 'light', width = 1280 } = look;
    const context: BrowserContext = await browser.newContext({ viewport: { width, height: 860 } });
    t.teardown(() => context.close());
    await context.addInitScript({
      content: `localStorage.setItem('language', '${language}'); localStorage.setItem('theme', '${theme}')`,
    });
    return context.newPage();
  }

  async function enter(page: Page, name = 'owner', path = '/'): Promise<void> {
    await page.goto(cluster.consoleUrl + path);
    await logIn(page, name);
    await page.waitForSelector('main.page h1');
  }

  async function logIn(page: Page, name: string): Promise<void> {
    await page.fill('input[autocomplete=username]', name);
    await page.fill('input[autocomplete=current-password]', ADMIN_PASSWORD);
    await page.click('form button[type=submit]');
  }

  /** What keeps somebody from using the page as it is now, dialogs included. Of what is in order axe need not tell. */
  async function findings(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    return page.evaluate(async () => {
      const { violations } = await (
        globalThis as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } }
      ).axe.run({ resultTypes: ['violations'] });
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`);
    });
  }

  return { open, enter, logIn, findings };
}
