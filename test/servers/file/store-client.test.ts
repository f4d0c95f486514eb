/** Newer clients and the store: what a session is let in with, and what that is worth to others and later. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import type { Client } from '../../../common/client/client.js';
import { downloadUrl, StoreRefused, upload } from '../../../common/client/store.js';
import { FILE_PATHS_MAX } from '../../../common/limits.js';
import { file } from '../../../common/pdu/commands.js';
import { sha256, temporaryFolder } from '../../support/blobs.js';
import { TestCluster, until } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';

const MIB = 1024 * 1024;
const QUOTA = 40 * MIB;

const cluster = await TestCluster.start(t, await testPostgres(t), { file: { userBytesMax: QUOTA } });
await cluster.addMsgServer({ msg: { fileTokenMs: 2_000 } });
await cluster.addMsgServer({ msg: { fileTokenMs: 0 } });
const folder = await temporaryFolder(t);
const [alice, bob, carol] = [await newer('alice'), await newer('bob'), await newer('carol', 1)];

function newer(user: string, at = 0): Promise<Client> {
  return cluster.login(user, { at, capabilities: ['file1', 'err1'] });
}

async function aFile(size: number): Promise<{ readonly path: string; readonly bytes: Buffer }> {
  const [path, bytes] = [join(folder, `${randomBytes(4).toString('hex')}.bin`), randomBytes(size)];
  await writeFile(path, bytes);
  return { path, bytes };
}

async function fetched(client: Client, path: string): Promise<string> {
  const response = await fetch(await downloadUrl(client, path));
  return sha256(Buffer.from(await response.arrayBuffer()));
}

const statusOf = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;
const create = (storeUrl: string, token: string | undefined) =>
  statusOf(`${storeUrl}uploads`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0', 'Upload-Length': '10' },
  });

t.test('only who asked for it is let in, and only to what is a file', async (t) => {
  const stock = await cluster.login('dave', { capabilities: ['err1'] });
  await t.rejects(stock.ask(file.token, { userId: 0, upload: true }, { timeoutMs: 200 }), { code: 'TIMEOUT' });
  const path = `f/${'0'.repeat(32)}`;
  for (const wrong of ['g0/000/000/x', `${path}/`, `/${path}`, `${path}?e=1`, ''])
    await t.rejects(downloadUrl(alice, wrong), { code: 'BAD_REQUEST', message: /path_list\[0\]/ }, wrong);
  const ask = (count: number) => alice.ask(file.token, { userId: 0, pathList: new Array(count).fill(path) });
  await t.rejects(ask(FILE_PATHS_MAX + 1), { code: 'BAD_REQUEST', message: /100 are allowed/ });
  const answer = await ask(FILE_PATHS_MAX);
  t.equal(answer.urlList.length, FILE_PATHS_MAX);
  t.match(answer, { userId: alice.userId, storeUrl: cluster.file!.storeUrl, uploadToken: undefined });
  t.equal(await statusOf(answer.urlList[0]!), 404, 'a good address of nothing');
});

t.test('a file, uploaded by one and fetched by another; a second time nothing is sent', async (t) => {
  const { path, bytes } = await aFile(9 * MIB + 5);
  const steps: number[] = [];
  const first = await upload(alice, path, { progress: (done) => steps.push(done) });
  t.match(first, { size: bytes.length, instant: false });
  t.same(steps, [4 * MIB, 8 * MIB, bytes.length]);
  t.equal(await fetched(bob, first.path), sha256(bytes));
  const second = await upload(bob, path);
  t.match(second, { size: bytes.length, instant: true });
  t.not(second.path, first.path, 'under a name of his own');
  t.equal(await fetched(alice, second.path), sha256(bytes));
  const response = await fetch(await downloadUrl(bob, second.path));
  t.match(response.headers.get('content-disposition'), path.split('/').at(-1));
  await response.body?.cancel();
});

t.test('sizes at the edges, from files and from streams', async (t) => {
  for (const size of [0, 1, 4 * MIB]) {
    const { path, bytes } = await aFile(size);
    const { path: name } = await upload(alice, path);
    t.equal(await fetched(alice, name), sha256(bytes), `a file of ${size} bytes`);
    const fresh = randomBytes(size);
    const stream = Readable.from(size === 0 ? [] : [fresh.subarray(0, 1), fresh.subarray(1)]);
    const { path: streamed } = await upload(alice, { stream, size }, { fileName: 'streamed' });
    t.equal(await fetched(alice, streamed), sha256(fresh), `a stream of ${size} bytes`);
  }
  for (const size of [999, 1_001])
    await t.rejects(upload(alice, { stream: Readable.from([randomBytes(1_000)]), size }), RangeError);
});

t.test('the file server goes away in the middle and comes back: the upload goes on, a stream too', async (t) => {
  const bytes = randomBytes(9 * MIB);
  const { path } = await aFile(9 * MIB);
  for (const source of [path, { stream: Readable.from([bytes]), size: bytes.length }]) {
    const steps: number[] = [];
    const progress = (done: number) => {
      if (steps.push(done) === 1)
        void cluster.file!.running.close(0).then(() => cluster.startFile({ userBytesMax: QUOTA }));
    };
    const { path: name } = await upload(bob, source, { progress });
    t.same(steps, [4 * MIB, 8 * MIB, 9 * MIB], 'nothing that was there is sent again');
    if (source !== path) t.equal(await fetched(bob, name), sha256(bytes));
  }
});

t.test('an upload that was aborted is taken up again by its user, and by nobody else', async (t) => {
  const { path, bytes } = await aFile(9 * MIB);
  const abort = new AbortController();
  let name = '';
  const began = (it: string) => {
    name = it;
  };
  const stop = () => abort.abort(new Error('enough'));
  await t.rejects(upload(alice, path, { began, progress: stop, signal: abort.signal }), { message: 'enough' });
  await t.rejects(upload(bob, path, { resume: name }), { message: /answers 404/ });
  await t.rejects(upload(bob, path, { resume: name.replace(/^\d+/, `${bob.userId}`) }), { message: /answers 404/ });
  await t.rejects(upload(alice, (await aFile(7)).path, { resume: name }), RangeError, 'another file');
  const steps: number[] = [];
  const done = await upload(alice, path, { resume: name, progress: (at) => steps.push(at) });
  t.same(steps, [8 * MIB, 9 * MIB]);
  t.equal(await fetched(alice, done.path), sha256(bytes));
  t.equal((await upload(alice, path, { resume: name })).path, done.path, 'once more: it is there');
});

t.test('altered, foreign and expired words open nothing', async (t) => {
  const { path: name } = await upload(alice, (await aFile(1_000)).path);
  const url = new URL(await downloadUrl(bob, name));
  const { path: other } = await upload(alice, (await aFile(1_000)).path);
  const late = await newer('dave', 2);
  const changed = (key: string, to: (was: string) => string) => {
    const copy = new URL(url);
    copy.searchParams.set(key, to(copy.searchParams.get(key)!));
    return copy.href;
  };
  t.equal(await statusOf(url.href), 200);
  const refused: Record<string, string> = {
    'a later end': changed('e', (was) => `${Number(was) + 1}`),
    'another signature': changed('s', (was) => (was.startsWith('A') ? 'B' : 'A') + was.slice(1)),
    'no signature': url.origin + url.pathname,
    'another file': url.href.replace(name, other),
    'an end that is over': await downloadUrl(late, name),
  };
  for (const [what, wrong] of Object.entries(refused)) t.equal(await statusOf(wrong), 404, what);

  const { storeUrl, uploadToken } = await bob.ask(file.token, { userId: alice.userId, upload: true });
  t.equal(uploadToken?.split('.')[0], `${bob.userId}`, 'for who asks, whoever he says he is');
  t.equal(await create(storeUrl, uploadToken), 201);
  t.equal(await create(storeUrl, uploadToken?.replace(/^\d+/, `${alice.userId}`)), 403, 'in the name of another');
  t.equal(
    await create(
      storeUrl,
      uploadToken?.replace(/\.(\d+)\./, (_all, end) => `.${Number(end) + 1}.`),
    ),
    403,
  );
  t.equal(await create(storeUrl, url.searchParams.get('s')!), 403, 'a signature for a download');
  const { uploadToken: over } = await late.ask(file.token, { userId: 0, upload: true });
  t.equal(await create(storeUrl, over), 403, 'expired');
  await t.rejects(upload(late, (await aFile(10)).path), { name: 'StoreRefused', message: /answers 403/ });
});

t.test('a token that expires in the middle is replaced', async (t) => {
  const bytes = randomBytes(5 * MIB);
  const begunMs = Date.now();
  async function* slowly() {
    yield bytes.subarray(0, 4 * MIB);
    await until(() => Date.now() > begunMs + 2_500, 'the first token to expire');
    yield bytes.subarray(4 * MIB);
  }
  // The first piece is known to be one only when there is more.
  const { path } = await upload(carol, { stream: slowly(), size: bytes.length });
  t.equal(await fetched(carol, path), sha256(bytes));
});

t.test('what one uploads counts for his quota, and no other one’s', async (t) => {
  const { path } = await aFile(2 * MIB);
  const large = join(folder, 'large.bin');
  await writeFile(large, randomBytes(QUOTA - MIB));
  const dave = await newer('dave');
  await upload(dave, path);
  await t.rejects(upload(dave, large), new StoreRefused(507, 'no more room: the limit of all your files is reached'));
  await t.rejects(upload(dave, { stream: Readable.from([]), size: 5 * 1024 * MIB }), { message: /answers 413/ });
});
