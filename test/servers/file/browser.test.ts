import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { temporaryFolder } from '../../support/blobs.js';
import { openBrowser } from '../../support/chromium.js';
import { TestCluster } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';

t.test('a browser uploads a picture, shows it and its small one, and never runs what it fetched', async (t) => {
  const cluster = await TestCluster.start(t, await testPostgres(t), { file: {} });
  const { storeUrl } = cluster.file!;
  const path = join(await temporaryFolder(t), 'sunset over the sea.png');
  await writeFile(
    path,
    await sharp({ create: { width: 800, height: 400, channels: 3, background: '#e06000' } })
      .png()
      .toBuffer(),
  );
  const browser = await openBrowser(t);
  const page = await browser.newPage();
  await page.setContent(
    `<form action="${storeUrl}" method="post" enctype="multipart/form-data"><input type="file" name="image"><button>send</button></form>`,
  );
  await page.setInputFiles('input', path);
  await Promise.all([page.waitForURL(storeUrl), page.click('button')]);
  const { error_code, url } = JSON.parse((await page.textContent('body')) ?? '') as { error_code: number; url: string };
  t.equal(error_code, 0);
  const sizeOf = async (source: string) => {
    await page.setContent(`<img src="${source}">`);
    const image = page.locator('img');
    return image.evaluate(async (element) => {
      const it = element as unknown as { decode(): Promise<void>; naturalWidth: number; naturalHeight: number };
      await it.decode();
      return [it.naturalWidth, it.naturalHeight];
    });
  };
  t.same(await sizeOf(url), [800, 400]);
  t.same(await sizeOf(`${url}_100x100.jpg`), [100, 50]);

  const html = new FormData();
  html.append('file', new Blob(['<!doctype html><script>document.title = "ran"</script>']), 'page.html');
  const stored = (await (await fetch(storeUrl, { method: 'POST', body: html })).json()) as { url: string };
  const download = page.waitForEvent('download');
  await page.goto(stored.url).catch(() => undefined); // a download ends the navigation
  t.equal((await download).suggestedFilename(), 'page.html', 'it is saved');
  t.not(await page.title(), 'ran');
});
