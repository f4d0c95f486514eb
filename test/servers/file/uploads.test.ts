import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import sharp from 'sharp';
import t from 'tap';
import { FileTokens } from '../../../common/file-token.js';
import { FolderDriver } from '../../../servers/file/blobs/folder.js';
import { sweep } from '../../../servers/file/blobs/sweep.js';
import { entry, idsOf, inPieces, sha256, temporaryFolder, testStore } from '../../support/blobs.js';
import { CLUSTER_SECRET, TestCluster, until } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres, { file: { fileSizeMax: 5_000_000, userBytesMax: 6_000_000 } });
const { storeUrl, folder } = cluster.file!;
const tokens = new FileTokens(CLUSTER_SECRET);
const HOUR_MS = 3_600_000;

const tokenOf = (userId: number) => tokens.forUploads(userId, Date.now() + HOUR_MS);
const headersOf = (userId: number) => ({ Authorization: `Bearer ${tokenOf(userId)}`, 'Tus-Resumable': '1.0.0' });

function create(
  userId: number,
  size: number,
  fileName = 'a.bin',
  more: Record<string, string> = {},
): Promise<Response> {
  const metadata = `filename ${Buffer.from(fileName).toString('base64')}`;
  const headers = { ...headersOf(userId), 'Upload-Length': `${size}`, 'Upload-Metadata': metadata, ...more };
  return fetch(`${storeUrl}uploads`, { method: 'POST', headers });
}

async function begun(userId: number, size: number, fileName?: string): Promise<string> {
  const response = await create(userId, size, fileName);
  t.equal(response.status, 201, await response.text());
  return new URL(response.headers.get('location')!, storeUrl).href;
}

function patch(url: string, userId: number, offset: number, bytes: Buffer): Promise<Response> {
  const headers = {
    ...headersOf(userId),
    'Upload-Offset': `${offset}`,
    'Content-Type': 'application/offset+octet-stream',
  };
  return fetch(url, { method: 'PATCH', headers, body: bytes as Uint8Array<ArrayBuffer> });
}

const signed = (path: string, ms = HOUR_MS) => storeUrl + tokens.signPath(path, Date.now() + ms);

async function offsetOf(url: string, userId: number): Promise<number> {
  return Number((await fetch(url, { method: 'HEAD', headers: headersOf(userId) })).headers.get('upload-offset'));
}

t.test('tus: an upload in parts, found under a signed URL and no other', async (t) => {
  const bytes = await sharp({ create: { width: 400, height: 400, channels: 3, background: '#118833' } })
    .png()
    .toBuffer();
  const url = await begun(1, bytes.length, '../Пейзаж.png');
  t.equal((await patch(url, 1, 0, bytes.subarray(0, 700))).headers.get('upload-offset'), '700');
  t.equal(await offsetOf(url, 1), 700);
  t.equal((await patch(url, 1, 500, bytes.subarray(500))).status, 409, 'a wrong offset');
  const done = await patch(url, 1, 700, bytes.subarray(700));
  t.equal(done.status, 204);
  const path = done.headers.get('content-location')!.slice(1);
  t.match(path, /^f\/[0-9a-f]{32}$/);
  t.equal(await offsetOf(url, 1), bytes.length, 'who lost the answer sees that all is there');
  const response = await fetch(signed(path));
  t.ok(Buffer.from(await response.arrayBuffer()).equals(bytes));
  t.equal(response.headers.get('content-type'), 'image/png');
  t.match(response.headers.get('content-disposition'), `filename*=UTF-8''${encodeURIComponent('Пейзаж')}.png`);
  const small = await fetch(signed(path).replace('?', '_100x100.jpg?'));
  t.match(await sharp(Buffer.from(await small.arrayBuffer())).metadata(), { width: 100, format: 'jpeg' });
  for (const [what, wrong] of [
    ['no signature', storeUrl + path],
    ['one that has expired', signed(path, -1_000)],
    ['one of another file', `${storeUrl}${path}${new URL(signed(`f/${'0'.repeat(32)}`)).search}`],
    ['a later end', signed(path).replace(/e=(\d)/, 'e=9$1')],
  ] as const)
    t.equal((await fetch(wrong)).status, 404, what);
});

t.test('tus: only with a token, only one’s own, only so much', async (t) => {
  const url = await begun(1, 1000);
  for (const token of [
    '',
    'Bearer x',
    `Bearer ${tokens.forUploads(1, Date.now() - 1)}`,
    `Bearer ${tokenOf(1).replace(/^1/, '2')}`,
  ]) {
    const response = await create(1, 10, 'a', { Authorization: token });
    t.equal(response.status, 403, token.slice(0, 12));
  }
  for (const method of ['HEAD', 'PATCH', 'DELETE']) {
    const headers = { ...headersOf(2), 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' };
    t.equal(
      (await fetch(url, { method, headers, ...(method === 'PATCH' && { body: 'x' }) })).status,
      404,
      `${method} by another`,
    );
  }
  const forged = url.replace('/1-', '/2-');
  t.equal((await fetch(forged, { method: 'HEAD', headers: headersOf(2) })).status, 404);
  t.equal((await create(1, 5_000_001)).status, 413, 'too large for anybody');
  t.equal((await create(1, 10, 'x'.repeat(10_000))).status, 400, 'metadata without end');
  const second = await begun(3, 4_000_000);
  t.equal((await create(3, 2_500_000)).status, 507, 'more than one user may have');
  t.equal((await create(1, 2_500_000)).status, 201, 'which is not another one’s');
  t.equal((await fetch(second, { method: 'DELETE', headers: headersOf(3) })).status, 204);
  t.equal((await create(3, 2_500_000)).status, 201, 'what was given up counts no more');
  const much = await patch(url, 1, 0, randomBytes(1_500));
  t.equal(much.status, 413, 'more than was announced');
});

t.test('tus: a connection that is cut loses nothing', async (t) => {
  const bytes = randomBytes(1_000_000);
  const url = await begun(4, bytes.length);
  const cut = request(url, {
    method: 'PATCH',
    headers: {
      ...headersOf(4),
      'Upload-Offset': '0',
      'Content-Type': 'application/offset+octet-stream',
      'Content-Length': bytes.length,
    },
  });
  cut.on('error', () => undefined);
  cut.write(bytes.subarray(0, 600_000));
  await until(async () => (await idsOf(new FolderDriver(folder, 0))).includes(url.slice(-32)), 'the upload to arrive');
  cut.destroy();
  let offset = 0;
  await until(async () => {
    const response = await fetch(url, { method: 'HEAD', headers: headersOf(4) });
    offset = Number(response.headers.get('upload-offset'));
    return response.ok;
  }, 'the server to notice');
  t.ok(offset <= 600_000);
  const done = await patch(url, 4, offset, bytes.subarray(offset));
  const response = await fetch(signed(done.headers.get('content-location')!.slice(1)));
  t.equal(sha256(Buffer.from(await response.arrayBuffer())), sha256(bytes));
});

t.test('instant: who has the content need not send it, who knows its digest gets nothing', async (t) => {
  const bytes = randomBytes(300_000);
  const url = await begun(1, bytes.length);
  await patch(url, 1, 0, bytes);
  const ask = async (path: string, body: unknown, userId = 2) => {
    const headers = { Authorization: `Bearer ${tokenOf(userId)}`, 'Content-Type': 'application/json' };
    const response = await fetch(storeUrl + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
  };
  const prove = (asked: Record<string, unknown>, content: Buffer) => {
    const hmac = createHmac('sha256', Buffer.from(asked.nonce as string, 'hex'));
    for (const { start, end } of asked.ranges as { start: number; end: number }[])
      hmac.update(content.subarray(start, end));
    return { challenge: asked.challenge, proof: hmac.digest('hex'), file_name: 'mine.bin' };
  };
  const asked = (await ask('instant', { sha256: sha256(bytes), size: bytes.length })) as Record<string, unknown>;
  const proven = (await ask('instant/proof', prove(asked, bytes))) as Record<string, unknown>;
  t.equal(proven.status, 201);
  const response = await fetch(signed(proven.path as string));
  t.ok(Buffer.from(await response.arrayBuffer()).equals(bytes));
  t.match(response.headers.get('content-disposition'), 'mine.bin');
  const again = (await ask('instant', { sha256: sha256(bytes), size: bytes.length })) as Record<string, unknown>;
  t.equal((await ask('instant/proof', prove(again, randomBytes(bytes.length)))).status, 404, 'without the content');
  t.equal((await ask('instant/proof', prove(again, bytes), 3)).status, 400, 'another one’s challenge');
  const unknown = (await ask('instant', { sha256: sha256(randomBytes(9)), size: 9 })) as Record<string, unknown>;
  t.equal(unknown.status, 200, 'nobody is told what is here');
  t.equal((await ask('instant/proof', prove(unknown, randomBytes(9)))).status, 404);
  t.equal((await ask('instant', { sha256: '../x', size: -1 })).status, 400);
});

t.test('a scanner decides before anybody can find the file', async (t) => {
  const base = await temporaryFolder(t);
  const script = join(base, 'scan.sh');
  await writeFile(
    script,
    '#!/bin/sh\ncase "$(cat)" in *EICAR*) exit 1;; *SLOW*) sleep 600;; *BROKEN*) exit 7;; esac\n',
  );
  await chmod(script, 0o755);
  const http = createServer((asked, answer) => {
    let text = '';
    asked.on('data', (piece) => {
      text += String(piece);
    });
    asked.on('end', () => {
      if (text.includes('SLOW')) return;
      answer.writeHead(text.includes('EICAR') ? 403 : text.includes('BROKEN') ? 500 : 204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.teardown(() => http.closeAllConnections());
  t.teardown(() => http.close());
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  const own = await TestCluster.start(t, postgres, { file: {} });
  for (const scanner of [{ scanCommand: script }, { scanUrl: url }]) {
    for (const scanFailure of ['refuse', 'accept'] as const) {
      await own.file!.running.close(0);
      await own.startFile({ ...scanner, scanFailure, scanTimeoutMs: 700, folder: await temporaryFolder(t) });
      const send = async (content: string) => {
        const form = new FormData();
        form.append('image', new Blob([content]), 'a.txt');
        const response = await fetch(own.file!.storeUrl, { method: 'POST', body: form });
        return ((await response.json()) as { error_code: number }).error_code === 0;
      };
      const results = [];
      // Of each its own: what is here already is not kept twice.
      const name = `${Object.keys(scanner)[0]} ${scanFailure}`;
      for (const content of ['good', 'an EICAR', 'a SLOW', 'BROKEN']) results.push(await send(`${content} ${name}`));
      const passes = scanFailure === 'accept';
      t.same(results, [true, false, passes, passes], name);
      const left = await idsOf(new FolderDriver(own.file!.folder, 0));
      t.equal(left.length, results.filter((each) => each).length, 'nothing is left of what was refused');
    }
  }
});

t.test('sweeping: what nobody refers to goes, what is used or being uploaded stays', async (t) => {
  const own = await TestCluster.start(t, postgres);
  const place = await temporaryFolder(t);
  const driver = new FolderDriver(place, 0);
  const { store, register } = testStore(t, own, driver);
  const put = async (file = entry(), bytes = randomBytes(1000)) => {
    const id = await store.begin({ sizeMax: bytes.length });
    await store.append(id, 0, inPieces(bytes));
    return store.finish(id, file);
  };
  const run = (over = {}) => sweep(driver, register, { uploadAgeMs: HOUR_MS, graceMs: 0, ...over });
  const twice = entry();
  const kept = await put(twice);
  await store.refer(kept, entry());
  const released = entry();
  const gone = await put(released);
  const picture = await put(entry({ kind: 'picture', madeOf: gone.id }));
  const expired = await put(entry({ expiresMs: Date.now() - 1 }));
  const uploading = await store.begin({ sizeMax: 10 });
  await store.append(uploading, 0, inPieces(Buffer.from('half')));
  await store.release(released.kind, released.name);
  await store.release(twice.kind, twice.name);
  await mkdir(join(place, 'ab'), { recursive: true });
  await writeFile(join(place, 'ab', 'ab'.repeat(16)), 'left by a crash');
  t.same(await run({ graceMs: HOUR_MS }), { removed: 0, orphans: 1 }, 'not while somebody may be reading it');
  await run();
  await run(); // the picture loses its name with what it was made of
  const left = await idsOf(driver);
  t.same(left.toSorted(), [kept.id, uploading].toSorted());
  t.notOk(left.some((id) => [gone.id, picture.id, expired.id].includes(id)));
  await store.append(uploading, 4, inPieces(Buffer.from('whole!')));
  await store.finish(uploading, entry());
  const stale = await store.begin({ sizeMax: 10 });
  await own.storage.blobs.dropUpload(Buffer.from(stale, 'hex'));
  await run();
  await t.rejects(store.state(stale), { code: 'NO_SUCH_UPLOAD' });
});

t.test('quota of all files together', async (t) => {
  const own = await TestCluster.start(t, postgres, { dbProxies: 2 });
  const driver = new FolderDriver(await temporaryFolder(t), 0);
  const { store, register } = testStore(t, own, driver, { quotas: { totalBytesMax: 1_000 } });
  const client = new pg.Client(own.databaseUrl);
  await client.connect();
  t.teardown(() => client.end());
  const counted = async () => {
    const { rows } = await client.query<{ kept: string; added: string }>(
      `select (select sum(bytes) from meta.file_total)::text as kept,
              (coalesce((select sum(size) from meta.blob), 0)
               + coalesce((select sum(size_max) from meta.upload where removing is null), 0))::text as added`,
    );
    t.equal(rows[0]!.kept, rows[0]!.added, 'what is counted is what there is');
    return Number(rows[0]!.kept);
  };
  const id = await store.begin({ sizeMax: 600 });
  await t.rejects(store.begin({ sizeMax: 500 }), { code: 'QUOTA_EXCEEDED' });
  t.equal(await counted(), 600);
  await store.abort(id);
  await store.abort(id);
  t.equal(await counted(), 0);
  const bytes = randomBytes(100);
  const uploads = await Promise.all(Array.from({ length: 5 }, () => store.begin({ sizeMax: 200 })));
  t.equal(await counted(), 1_000);
  await t.rejects(store.begin({ sizeMax: 1 }), { code: 'QUOTA_EXCEEDED' });
  const files = uploads.slice(1).map(() => entry());
  for (const [i, file] of files.entries()) {
    await store.append(uploads[i]!, 0, inPieces(bytes));
    await store.finish(uploads[i]!, file);
  }
  t.equal(await counted(), 300, 'the same content counts once, and an upload with all that it may become');
  for (const { kind, name } of files) await store.release(kind, name);
  await client.query("update meta.upload set held_until = now() - interval '1 hour'");
  await sweep(driver, register, { uploadAgeMs: 0, graceMs: 0 });
  t.equal(await counted(), 0, 'nor does what was swept away');
});

/** Room for `size` bytes: a file system of its own where mounting is allowed, else a limit on every file. @returns the undoing */
function little(place: string, size: number): () => void {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place], { stdio: 'ignore' });
    return () => execFileSync('umount', ['-l', place]);
  } catch {
    const limit = (soft: number | string) =>
      execFileSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${soft}:unlimited`]);
    limit(size);
    return () => limit('unlimited');
  }
}

t.test('no room in the middle of an upload: said so, nothing of it is found or left', async (t) => {
  const place = await temporaryFolder(t);
  const files = new FolderDriver(place, 0);
  await cluster.file!.running.close(0);
  const undo = little(place, 1_000_000);
  try {
    await cluster.startFile({ folder: place, freeMin: 0 });
    const send = async (bytes: Buffer) => {
      const form = new FormData();
      form.append('image', new Blob([new Uint8Array(bytes)]), 'a.bin');
      const response = await fetch(storeUrl, { method: 'POST', body: form });
      return (await response.json()) as { error_code: number; error_msg: string; path: string };
    };
    t.match(await send(randomBytes(2_000_000)), { error_code: 3, error_msg: 'the store is full', path: '' });
    t.same(await idsOf(files), [], 'no half of it');
    const bytes = randomBytes(2_000_000);
    const url = await begun(5, bytes.length);
    const refused = await patch(url, 5, 0, bytes);
    t.equal(refused.status, 507);
    t.match(await refused.text(), 'the store is full');
    t.equal((await fetch(signed(`f/${url.slice(-32)}`))).status, 404, 'it cannot be found');
    const offset = await offsetOf(url, 5);
    t.ok(offset < bytes.length, 'what fits may stay, for going on');
    t.equal((await fetch(url, { method: 'DELETE', headers: headersOf(5) })).status, 204);
    t.same(await idsOf(files), []);
    t.equal((await send(randomBytes(10_000))).error_code, 0, 'what fits is taken');
  } finally {
    await cluster.file!.running.close(0);
    undo();
  }
});

t.test('a full disk is said, and nothing is half there', async (t) => {
  const place = await temporaryFolder(t);
  const { store } = testStore(t, cluster, new FolderDriver(place, 0));
  const bytes = randomBytes(3_000_000);
  const id = await store.begin({ sizeMax: bytes.length });
  await store.append(id, 0, inPieces(bytes.subarray(0, 100_000)));
  const full = testStore(t, cluster, new FolderDriver(place, Number.MAX_SAFE_INTEGER)).store;
  await t.rejects(full.begin({ sizeMax: 1 }), { code: 'STORE_FULL' });
  await t.rejects(full.append(id, 100_000, inPieces(bytes.subarray(100_000))), { code: 'STORE_FULL' });
  const { offset } = await store.state(id);
  await store.append(id, offset, inPieces(bytes.subarray(offset)));
  t.equal((await store.finish(id, entry())).sha256, sha256(bytes), 'when there is room again, it goes on');
});
