import { randomBytes } from 'node:crypto';
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { CHUNK_SIZE, SEALED_CHUNK_SIZE, sealedSize } from '../../../servers/file/blobs/chunks.js';
import type { Driver } from '../../../servers/file/blobs/driver.js';
import { FolderDriver } from '../../../servers/file/blobs/folder.js';
import { S3Driver } from '../../../servers/file/blobs/s3.js';
import { contentOf, entry, idsOf, inPieces, sha256, temporaryFolder, testStore } from '../../support/blobs.js';
import { TestCluster } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';
import { TestS3 } from '../../support/s3.js';

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres);
/** The same content is one blob in a cluster, wherever it lies: so the second driver has a cluster of its own. */
const s3Cluster = await TestCluster.start(t, postgres);
const folder = await temporaryFolder(t);
const pathOf = (id: string) => join(folder, id.slice(0, 2), id);
const s3 = await TestS3.start(t);

/** A driver, and the way around it to what lies in its storage. */
interface Kind {
  readonly name: string;
  readonly cluster: TestCluster;
  readonly open: () => Driver;
  readonly bytesOf: (id: string) => Promise<Buffer>;
  readonly overwrite: (id: string, bytes: Buffer) => Promise<unknown>;
}

const kinds: readonly Kind[] = [
  {
    name: 'folder',
    cluster,
    open: () => new FolderDriver(folder, 0),
    bytesOf: (id) => readFile(pathOf(id)),
    overwrite: (id, bytes) => writeFile(pathOf(id), bytes),
  },
  {
    name: 'S3',
    cluster: s3Cluster,
    open: () => new S3Driver({ ...s3Access(), prefix: 'teamtalk/', timeoutMs: 2_000 }),
    bytesOf: async (id) => s3.objects.get(`teamtalk/${id}`)!,
    overwrite: async (id, bytes) => s3.objects.set(`teamtalk/${id}`, bytes),
  },
];

function s3Access() {
  const { url, region, accessKeyId, secretAccessKey } = s3;
  return { url, region, accessKeyId, secretAccessKey };
}

for (const { name: kind, cluster, open, bytesOf, overwrite } of kinds) {
  const driver = open();
  const { store } = testStore(t, cluster, driver);

  t.test(`${kind}: what is stored comes back, whatever its size and in any range`, async (t) => {
    for (const size of [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 40 * CHUNK_SIZE + 77]) {
      const bytes = randomBytes(size);
      const id = await store.begin({ sizeMax: size });
      t.equal(await store.append(id, 0, inPieces(bytes)), size);
      const file = entry();
      const blob = await store.finish(id, file, { sha256: sha256(bytes) });
      t.equal(blob.size, size);
      t.equal(blob.sha256, sha256(bytes));
      const found = await store.find(file.kind, file.name);
      t.match(found?.file, { fileName: file.fileName, mediaType: file.mediaType });
      t.ok((await contentOf(store.open(found!.blob))).equals(bytes), `${size} bytes`);
      const sealed = await bytesOf(blob.id);
      t.equal(sealed.length, sealedSize(size));
      // Fewer bytes than that may be there by chance.
      if (size >= 16) t.notOk(sealed.includes(bytes.subarray(0, 16)), 'nothing of it is readable at rest');
      for (const [start, end] of [
        [0, 1],
        [CHUNK_SIZE - 1, CHUNK_SIZE + 1],
        [size - 1, size],
        [2 * CHUNK_SIZE, 3 * CHUNK_SIZE],
      ] as const) {
        if (start < 0 || end > size) continue;
        t.ok((await contentOf(store.open(blob, { start, end }))).equals(bytes.subarray(start, end)), `${start}-${end}`);
      }
    }
  });

  t.test(`${kind}: an upload goes on where it was cut, in a process that knows nothing of it too`, async (t) => {
    const bytes = randomBytes(5 * CHUNK_SIZE + 4321);
    for (const cutAt of [1, CHUNK_SIZE, 2 * CHUNK_SIZE + 5, bytes.length - 1]) {
      const id = await store.begin({ sizeMax: bytes.length });
      await t.rejects(store.append(id, 0, inPieces(bytes, 7_001, cutAt)), { message: 'the connection was cut' });
      const fresh = testStore(t, cluster, open()).store;
      const { offset } = await fresh.state(id);
      t.equal(offset, cutAt, 'all that came is there');
      await t.rejects(fresh.append(id, offset + 1, inPieces(bytes)), { code: 'WRONG_OFFSET' });
      // Half of the rest by one, the other half by the other one, which remembers an older state.
      const half = Math.floor((offset + bytes.length) / 2);
      await fresh.append(id, offset, inPieces(bytes.subarray(offset, half)));
      await store.append(id, half, inPieces(bytes.subarray(half)));
      const blob = await store.finish(id, entry());
      t.equal(blob.sha256, sha256(bytes));
      t.ok((await contentOf(store.open(blob))).equals(bytes), `cut at ${cutAt}`);
    }
  });

  t.test(`${kind}: what was changed, cut, swapped or exchanged at rest does not open`, async (t) => {
    const bytes = randomBytes(3 * CHUNK_SIZE + 5);
    const stored = async () => {
      const id = await store.begin({ sizeMax: bytes.length });
      const own = Buffer.concat([bytes, randomBytes(8)]).subarray(8);
      await store.append(id, 0, inPieces(own));
      return store.finish(id, entry());
    };
    const other = await bytesOf((await stored()).id);
    const chunk = (sealed: Buffer, i: number) => sealed.subarray(i * SEALED_CHUNK_SIZE, (i + 1) * SEALED_CHUNK_SIZE);
    const damage: Record<string, (sealed: Buffer) => Buffer> = {
      'one bit': (sealed) => {
        sealed[SEALED_CHUNK_SIZE + 40]! ^= 1;
        return sealed;
      },
      'cut at a chunk': (sealed) => sealed.subarray(0, 3 * SEALED_CHUNK_SIZE),
      'swapped chunks': (sealed) =>
        Buffer.concat([chunk(sealed, 1), chunk(sealed, 0), sealed.subarray(2 * SEALED_CHUNK_SIZE)]),
      'a chunk of another file': (sealed) => Buffer.concat([chunk(other, 0), sealed.subarray(SEALED_CHUNK_SIZE)]),
      'another file': () => other,
    };
    for (const [what, change] of Object.entries(damage)) {
      const blob = await stored();
      await overwrite(blob.id, change(Buffer.from(await bytesOf(blob.id))));
      await t.rejects(contentOf(store.open(blob)), { code: 'FILE_DAMAGED' }, what);
    }
  });

  t.test(`${kind}: the same content is kept once, also when two finish at the same moment`, async (t) => {
    const bytes = randomBytes(CHUNK_SIZE + 1);
    const uploads = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const id = await store.begin({ sizeMax: bytes.length });
        await store.append(id, 0, inPieces(bytes));
        return id;
      }),
    );
    const files = uploads.map(() => entry());
    const blobs = await Promise.all(uploads.map((id, i) => store.finish(id, files[i]!)));
    t.equal(new Set(blobs.map((blob) => blob.id)).size, 1);
    const there = await idsOf(driver);
    t.same(
      uploads.filter((id) => there.includes(id)),
      [blobs[0]!.id],
      'objects of the others are gone',
    );
    for (const { kind, name } of files) {
      const found = await store.find(kind, name);
      t.ok((await contentOf(store.open(found!.blob))).equals(bytes));
    }
  });

  t.test(`${kind}: two writers of one upload do not mix`, async (t) => {
    const bytes = randomBytes(2 * CHUNK_SIZE);
    const id = await store.begin({ sizeMax: bytes.length });
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    async function* slowly() {
      yield bytes.subarray(0, 1000);
      await gate;
      yield bytes.subarray(1000);
    }
    const first = store.append(id, 0, slowly());
    await t.rejects(store.append(id, 0, inPieces(bytes)), { code: 'UPLOAD_IN_USE' });
    const elsewhere = testStore(t, cluster, driver, { name: 'file-other' }).store;
    await t.rejects(elsewhere.append(id, 0, inPieces(bytes)), { code: 'UPLOAD_IN_USE' });
    go();
    await first;
    t.equal((await store.finish(id, entry())).sha256, sha256(bytes));
  });

  t.test(`${kind}: too much, a wrong digest, and uploads that are not there are refused`, async (t) => {
    const bytes = randomBytes(1000);
    const id = await store.begin({ sizeMax: 999 });
    await t.rejects(store.append(id, 0, inPieces(bytes)), { code: 'FILE_TOO_LARGE' });
    await store.abort(id);
    await t.rejects(store.state(id), { code: 'NO_SUCH_UPLOAD' });
    t.notOk((await idsOf(driver)).includes(id), 'nothing of it is left');
    for (const nobody of ['00'.repeat(16), '../../etc/passwd', ''])
      await t.rejects(store.state(nobody), { code: 'NO_SUCH_UPLOAD' });
    const wrong = await store.begin({ sizeMax: 1000 });
    await store.append(wrong, 0, inPieces(bytes));
    const file = entry();
    await t.rejects(store.finish(wrong, file, { sha256: sha256(randomBytes(1)) }), { code: 'BAD_REQUEST' });
    t.equal(await store.find(file.kind, file.name), undefined, 'nothing can be found of it');
  });
}

const driver = kinds[0]!.open();
const { store } = testStore(t, cluster, driver);

t.test('what a crash has torn is cut off, and the upload goes on from there', async (t) => {
  const bytes = randomBytes(3 * CHUNK_SIZE + 99);
  const tear: [string, (path: string) => Promise<void>, number][] = [
    ['half a chunk at the end', (path) => appendFile(path, randomBytes(1234)), bytes.length],
    ['a last chunk that never reached the disk', (path) => truncate(path, 2 * SEALED_CHUNK_SIZE + 7), 2 * CHUNK_SIZE],
    ['nothing at all', (path) => truncate(path, 0), 0],
    ['zeros in the middle', (path) => zero(path, SEALED_CHUNK_SIZE + 10), CHUNK_SIZE],
  ];
  for (const [what, how, left] of tear) {
    const id = await store.begin({ sizeMax: bytes.length });
    await store.append(id, 0, inPieces(bytes));
    await how(pathOf(id));
    const fresh = testStore(t, cluster, driver).store;
    const { offset } = await fresh.state(id);
    t.equal(offset, left, what);
    await fresh.append(id, offset, inPieces(bytes.subarray(offset)));
    t.equal((await fresh.finish(id, entry())).sha256, sha256(bytes), what);
  }
});

t.test('S3: a large upload goes in parts, and another server goes on with it', async (t) => {
  const bytes = randomBytes(15_000_000);
  const driver = kinds[1]!.open();
  const { store } = testStore(t, s3Cluster, driver);
  const id = await store.begin({ sizeMax: bytes.length });
  await t.rejects(store.append(id, 0, inPieces(bytes, 50_001, 13_000_001)), { message: 'the connection was cut' });
  t.equal(s3.uploads.size, 1, 'in parts');
  t.ok((await idsOf(driver)).includes(id), 'what is unfinished is listed too');
  const fresh = testStore(t, s3Cluster, kinds[1]!.open()).store;
  const { offset } = await fresh.state(id);
  t.equal(offset, 13_000_001, 'what was no whole part is there too');
  await fresh.append(id, offset, inPieces(bytes.subarray(offset), 50_001));
  const blob = await fresh.finish(id, entry());
  t.equal(blob.sha256, sha256(bytes), 'read back, as nobody remembered the first half');
  t.ok(
    (await contentOf(store.open(blob, { start: 6_000_000, end: 6_300_000 }))).equals(
      bytes.subarray(6_000_000, 6_300_000),
    ),
  );
  t.same(
    [s3.uploads.size, [...s3.objects.keys()].filter((key) => key.endsWith('.parked'))],
    [0, []],
    'nothing is left over',
  );
  const given = await store.begin({ sizeMax: bytes.length });
  await t.rejects(store.append(given, 0, inPieces(bytes, 50_001, 8_000_000)));
  await store.abort(given);
  t.same(
    [s3.uploads.size, s3.objects.has(`teamtalk/${given}.parked`)],
    [0, false],
    'an upload that was given up is gone',
  );
});

t.test('S3: what fails for a moment is tried again, what is down is said, and works when it is back', async (t) => {
  const { store } = testStore(t, s3Cluster, kinds[1]!.open());
  const bytes = randomBytes(100_000);
  s3.failing = 2;
  const id = await store.begin({ sizeMax: bytes.length });
  await store.append(id, 0, inPieces(bytes));
  await s3.stop();
  await t.rejects(store.finish(id, entry()), { code: 'STORE_UNAVAILABLE' });
  await t.rejects(store.begin({ sizeMax: 1 }), { code: 'STORE_UNAVAILABLE' });
  await s3.start();
  const blob = await store.finish(id, entry());
  await s3.stop();
  await t.rejects(contentOf(store.open(blob)), { code: 'STORE_UNAVAILABLE' });
  await s3.start();
  t.ok((await contentOf(store.open(blob))).equals(bytes));
});

t.test('S3: pages of a list; a wrong secret', async (t) => {
  s3.pageSize = 2;
  const ids = await idsOf(kinds[1]!.open());
  s3.pageSize = 1_000;
  t.ok(ids.length > 4);
  t.same(ids.toSorted(), (await idsOf(kinds[1]!.open())).toSorted());
  t.equal(s3.refusedSignatures, 0, 'every request so far was signed well');
  const stranger = new S3Driver({ ...s3Access(), secretAccessKey: 'guessed', prefix: 'teamtalk/', timeoutMs: 2_000 });
  await t.rejects(stranger.check(), { code: 'STORE_UNAVAILABLE', message: /SignatureDoesNotMatch/ });
});

async function zero(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes.fill(0, at, at + 4096);
  await writeFile(path, bytes);
}
