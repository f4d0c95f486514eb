/** Several file servers over one S3 store: what one has taken, any other one has. */
import { createHmac, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import sharp from 'sharp';
import t from 'tap';
import { offlineFiles, receiveFile, sendFile } from '../../../common/client/files.js';
import { FileTokens } from '../../../common/file-token.js';
import { setRule } from '../../../servers/db-proxy/storage/blob-sweep.js';
import { sha256, temporaryFolder } from '../../support/blobs.js';
import { CLUSTER_SECRET, TestCluster, until } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';
import { TestS3 } from '../../support/s3.js';

const HOUR_MS = 3_600_000;
const postgres = await testPostgres(t);
const s3 = await TestS3.start(t);
const file = {
  storage: 's3',
  s3Url: s3.url,
  s3Region: s3.region,
  s3AccessKey: s3.accessKeyId,
  s3SecretKey: s3.secretAccessKey,
  sweepMs: 200,
  graceMs: 0,
} as const;
const cluster = await TestCluster.start(t, postgres, { file });
const one = cluster.file!;
const two = await cluster.anotherFile(file);
// Alice's msg server knows the first file server only, bob's the second one.
await cluster.addMsgServer({ msg: { fileServers: [{ host: '127.0.0.1', port: two.running.ports.servers! }] } });
const client = new pg.Client(cluster.databaseUrl);
await client.connect();
t.teardown(() => client.end());
const tokens = new FileTokens(CLUSTER_SECRET);
const headers = { Authorization: `Bearer ${tokens.forUploads(1, Date.now() + HOUR_MS)}`, 'Tus-Resumable': '1.0.0' };
const signed = (at: { storeUrl: string }, path: string) => at.storeUrl + tokens.signPath(path, Date.now() + HOUR_MS);

async function form(at: { storeUrl: string }, bytes: Buffer, name: string): Promise<string> {
  const body = new FormData();
  body.append('image', new Blob([new Uint8Array(bytes)]), name);
  const answer = (await (await fetch(at.storeUrl, { method: 'POST', body })).json()) as { path: string };
  return answer.path;
}

async function bytesAt(url: string): Promise<Buffer> {
  const response = await fetch(url);
  t.equal(response.status, 200, url);
  return Buffer.from(await response.arrayBuffer());
}

const picture = () => {
  const background = { r: randomBytes(1)[0]!, g: randomBytes(1)[0]!, b: randomBytes(1)[0]! };
  return sharp({ create: { width: 300, height: 200, channels: 3, background } })
    .png()
    .toBuffer();
};

t.test('uploaded at one, fetched at the other; the same content is one object', async (t) => {
  const bytes = await picture();
  const path = await form(one, bytes, 'a.png');
  t.ok((await bytesAt(two.storeUrl + path)).equals(bytes));
  const small = await sharp(await bytesAt(`${two.storeUrl}${path}_100x100.jpg`)).metadata();
  t.match(small, { width: 100, format: 'jpeg' }, 'a small one is made there');
  const objects = s3.objects.size;
  t.same(await bytesAt(`${one.storeUrl}${path}_100x100.jpg`), await bytesAt(`${two.storeUrl}${path}_100x100.jpg`));
  const again = await form(two, bytes, 'b.png');
  t.equal(s3.objects.size, objects, 'neither the small one nor the picture is kept twice');
  t.ok((await bytesAt(one.storeUrl + again)).equals(bytes));
});

t.test('an upload that is broken off at one goes on at the other', async (t) => {
  const bytes = randomBytes(700_000);
  const begun = await fetch(`${one.storeUrl}uploads`, {
    method: 'POST',
    headers: { ...headers, 'Upload-Length': `${bytes.length}` },
  });
  const where = begun.headers.get('location')!.replace(/^\//, '');
  const patch = (at: { storeUrl: string }, offset: number, part: Buffer) =>
    fetch(at.storeUrl + where, {
      method: 'PATCH',
      headers: { ...headers, 'Upload-Offset': `${offset}`, 'Content-Type': 'application/offset+octet-stream' },
      body: part as Uint8Array<ArrayBuffer>,
    });
  t.equal((await patch(one, 0, bytes.subarray(0, 300_000))).status, 204);
  const head = () => fetch(two.storeUrl + where, { method: 'HEAD', headers });
  t.equal((await head()).status, 423, 'it belongs to the first one for a while');
  await client.query("update meta.upload set held_until = now() - interval '1 second'"); // which is over then
  t.equal((await head()).headers.get('upload-offset'), '300000', 'and then the other one knows how far it is');
  const done = await patch(two, 300_000, bytes.subarray(300_000));
  t.equal(done.status, 204);
  const path = done.headers.get('content-location')!.slice(1);
  for (const at of [one, two]) t.equal(sha256(await bytesAt(signed(at, path))), sha256(bytes));

  // What proves that somebody has a file may be asked for by one and looked at by the other.
  const ask = async (at: { storeUrl: string }, what: string, body: unknown) => {
    const more = { ...headers, 'Content-Type': 'application/json' };
    const response = await fetch(at.storeUrl + what, { method: 'POST', headers: more, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const { challenge, nonce, ranges } = (await ask(two, 'instant', { sha256: sha256(bytes), size: bytes.length })).body;
  const hmac = createHmac('sha256', Buffer.from(nonce as string, 'hex'));
  for (const { start, end } of ranges as { start: number; end: number }[]) hmac.update(bytes.subarray(start, end));
  const proven = await ask(cluster.file!, 'instant/proof', {
    challenge,
    proof: hmac.digest('hex'),
    file_name: 'b.bin',
  });
  t.equal(proven.status, 201);
  t.equal(sha256(await bytesAt(signed(two, proven.body.path as string))), sha256(bytes));
});

t.test('a file from user to user: taken by one, given by the other, the first one gone', async (t) => {
  const folder = await temporaryFolder(t);
  const bytes = randomBytes(500_000);
  await writeFile(join(folder, 'plan.bin'), bytes);
  const alice = await cluster.login('alice');
  await sendFile(alice, 2, join(folder, 'plan.bin'), { offline: true });
  const bob = await cluster.login('bob', { at: 1 });
  await until(async () => (await offlineFiles(bob)).length === 1, 'the file to be listed');
  const [offer] = await offlineFiles(bob);
  t.same(
    offer!.addresses.map(({ port }) => port),
    [two.running.ports.clients],
    'he is told of the other one',
  );
  await one.running.close(0);
  await receiveFile(bob, offer!, join(folder, 'got.bin'));
  t.ok((await readFile(join(folder, 'got.bin'))).equals(bytes));
  await until(async () => (await offlineFiles(bob)).length === 0, 'it to be off the list');
  await cluster.startFile(file);
});

t.test('files older than their rule go, from the store as well; whichever server clears up', async (t) => {
  const [old, young] = [await form(one, await picture(), 'old.png'), await form(two, await picture(), 'young.png')];
  await bytesAt(`${two.storeUrl}${old}_100x100.jpg`);
  const before = s3.objects.size;
  const { rowCount } = await client.query(
    "update meta.file set created = created - interval '3 days' where kind = 'store' and name = $1",
    [old],
  );
  t.equal(rowCount, 1);
  await setRule(client, 'store', 2);
  await until(() => s3.objects.size === before - 2, 'the picture and the small one to go', 30_000);
  for (const { storeUrl } of [cluster.file!, two]) {
    t.equal((await fetch(storeUrl + old)).status, 404);
    t.equal((await fetch(storeUrl + young)).status, 200, 'the younger one stays');
  }
  await setRule(client, 'store', undefined);
});
