/** The file server as a process of its own: killed in the middle of an upload, given a large file, looked at by the tool. */
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, readdir, readFile, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import t from 'tap';
import { FileTokens } from '../../common/file-token.js';
import { sha256 } from '../support/blobs.js';
import { startProcesses } from '../support/processes.js';
import { runTool } from '../support/tool.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
/** A gigabyte and more goes through by hand: FILE_TEST_MIB=2048. */
const LARGE = Number(process.env.FILE_TEST_MIB ?? 192) * MIB;
/**
 * What the server may take more than it has anyway, about 100 MiB with nothing to do, 45 of them pages of node itself.
 * Measured are 40 to 70, the same for a second file: pieces that wait for the collector, which on a busy machine comes late.
 */
const GROWTH_MAX = 150 * MIB;

const cluster = await startProcesses(t, { args: ['--no-demo'] });
const { store } = cluster.info;
const tokens = new FileTokens((await readFile(join(cluster.data, 'cluster.secret'), 'utf8')).trim());
const authorization = `Bearer ${tokens.forUploads(1, Date.now() + 3_600_000)}`;
const tus = { Authorization: authorization, 'Tus-Resumable': '1.0.0' };
const signed = (path: string) => `${store}/${tokens.signPath(path, Date.now() + 3_600_000)}`;
const files = (...args: string[]) => runTool('files', [...args, '--data', cluster.data]);
const keys = (...args: string[]) => runTool('keys', [...args, '--data', cluster.data]);

async function begun(size: number): Promise<string> {
  const headers = { ...tus, 'Upload-Length': `${size}` };
  const response = await fetch(`${store}/uploads`, { method: 'POST', headers });
  t.equal(response.status, 201);
  return `${store}${response.headers.get('location')}`;
}

/** Sends a stream from `offset` on. @returns where the finished file is; undefined when the connection broke. */
async function send(url: string, offset: number, size: number, source: Readable): Promise<string | undefined> {
  const headers = {
    ...tus,
    'Upload-Offset': `${offset}`,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': `${size}`,
  };
  const asked = request(url, { method: 'PATCH', headers });
  const location = new Promise<string | undefined>((resolve) => {
    asked.on('response', (response) => resolve(response.resume().headers['content-location']?.slice(1)));
    asked.on('error', () => resolve(undefined));
    asked.on('close', () => resolve(undefined));
  });
  await pipeline(source, asked).catch(() => undefined);
  return location;
}

/** Bytes that are not all alike, without a file to take them from. */
function* pattern(size: number): Iterable<Buffer> {
  const block = randomBytes(MIB);
  for (let i = 0; i * MIB < size; i++) {
    block.writeUInt32BE(i);
    yield Buffer.from(block.subarray(0, Math.min(MIB, size - i * MIB)));
  }
}

t.test('killed in the middle of an upload, it goes on with what it had', async (t) => {
  const bytes = randomBytes(12 * MIB + 77);
  const url = await begun(bytes.length);
  let sent = 0;
  const slowly = Readable.from(
    (async function* () {
      for (let at = 0; at < bytes.length; at += MIB) {
        yield bytes.subarray(at, at + MIB);
        sent = at;
        if (at === 8 * MIB) await new Promise(() => undefined); // it waits for ever, and is killed
      }
    })(),
  );
  const broken = send(url, 0, bytes.length, slowly);
  await until(() => sent === 7 * MIB || sent === 8 * MIB, 'most of it to be sent');
  const folder = join(cluster.data, 'files');
  await until(async () => (await readdir(folder)).length > 0, 'the server to have written');
  const pid = await cluster.kill('file');
  t.equal(await broken, undefined);
  await cluster.back('file', pid);
  let offset = -1;
  await until(
    async () => {
      const response = await fetch(url, { method: 'HEAD', headers: tus }).catch(() => undefined);
      offset = Number(response?.headers.get('upload-offset') ?? -1);
      return response?.ok === true;
    },
    'it to be back',
    30_000,
  );
  t.ok(offset > 0 && offset < bytes.length, `it has ${offset} bytes`);
  const path = await send(url, offset, bytes.length - offset, Readable.from([bytes.subarray(offset)]));
  const content = Buffer.from(await (await fetch(signed(path!))).arrayBuffer());
  t.equal(sha256(content), sha256(bytes));
});

t.test('the tool: what there is, what would go, whether all of it opens; and keys that change under it', async (t) => {
  const form = new FormData();
  form.append('file', new Blob(['a small file']), 'small.txt');
  const { url } = (await (await fetch(store, { method: 'POST', body: form })).json()) as { url: string };
  t.match(await files('status'), { code: 0, stdout: /2 blobs .* 0 uploads[\s\S]*store +2 files/ });
  const buckets = (await readdir(join(cluster.data, 'files'))).map((name) => `${Number.parseInt(name, 16)}`);
  t.equal((await keys('rotate-data', ...buckets)).code, 0);
  t.equal((await keys('reseal')).code, 0);
  t.match(await keys('retire'), { code: 0, stdout: `${buckets.length}` });
  t.match(await files('verify'), { code: 0, stdout: '2 files are whole, 0 are not' }, 'under the new data keys');
  t.equal(await (await fetch(url)).text(), 'a small file');
  t.match(await files('keep', 'store', '1'), { code: 0 });
  t.match(await files('gc', '--dry-run'), { code: 0, stdout: /^due: 0 files .*; 0 objects/ });
  t.match(await files('keep', 'shop', '1'), { code: 1, stderr: /expected store or transfer/ });
  await appendFile(join(dirname(await smallest()), 'ff'.repeat(16)), 'nobody’s');
  t.match(await files('gc', '--dry-run'), { stdout: /; 1 objects/ });
  t.match(await files('gc'), { code: 0, stdout: '0 objects and 1 that nobody knew are gone' });
});

t.test(`${LARGE / MIB} MiB through HTTP and back, in little memory`, async (t) => {
  await cluster.back('file', await cluster.kill('file')); // one that has done nothing so far
  await until(async () => (await fetch(store).catch(() => undefined)) !== undefined, 'it to be back', 30_000);
  const before = await rssMax();
  const startedMs = performance.now();
  const hash = createHash('sha256');
  const url = await begun(LARGE);
  const source = Readable.from(
    (function* () {
      for (const piece of pattern(LARGE)) {
        hash.update(piece);
        yield piece;
      }
    })(),
  );
  const path = await send(url, 0, LARGE, source);
  const sentMs = performance.now();
  const back = createHash('sha256');
  for await (const piece of (await fetch(signed(path!))).body!) back.update(piece);
  t.equal(back.digest('hex'), hash.digest('hex'));
  const rss = await rssMax();
  t.ok(rss - before < GROWTH_MAX, `${Math.round((rss - before) / MIB)} MiB more than before at most`);
  const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(1);
  t.comment(
    `up in ${seconds(startedMs, sentMs)} s, down in ${seconds(sentMs, performance.now())} s, ${Math.round(rss / MIB)} MiB`,
  );
});

/** The most memory that the file server has had so far. */
async function rssMax(): Promise<number> {
  const status = await readFile(`/proc/${(await cluster.state()).pids.file}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)![1]) * 1024;
}

/** The path of the smallest object. */
async function smallest(): Promise<string> {
  const folder = join(cluster.data, 'files');
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\/[0-9a-f]{32}$/.test(name));
  const sized = await Promise.all(names.map(async (name) => ({ name, size: (await stat(join(folder, name))).size })));
  return join(folder, sized.toSorted((a, b) => a.size - b.size)[0]!.name);
}
