import { randomBytes } from 'node:crypto';
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { CHUNK_SIZE, SEALED_CHUNK_SIZE, sealedSize } from '../../../servers/file/blobs/chunks.js';
import { FolderDriver } from '../../../servers/file/blobs/folder.js';
import { contentOf, entry, idsOf, inPieces, sha256, temporaryFolder, testStore } from '../../support/blobs.js';
import { TestCluster } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';

const postgres = await testPostgres(t);
const cluster = await TestCluster.start(t, postgres);
const folder = await temporaryFolder(t);
const driver = new FolderDriver(folder, 0);
const { store } = testStore(t, cluster, driver);
const pathOf = (id: string) => join(folder, id.slice(0, 2), id);

t.test('what is stored comes back, whatever its size and in any range', async (t) => {
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
    const sealed = await readFile(pathOf(blob.id));
    t.equal(sealed.length, sealedSize(size));
    if (size > 0) t.notOk(sealed.includes(bytes.subarray(0, 16)), 'nothing of it is readable at rest');
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

t.test('an upload goes on where it was cut, in a process that knows nothing of it too', async (t) => {
  const bytes = randomBytes(5 * CHUNK_SIZE + 4321);
  for (const cutAt of [1, CHUNK_SIZE, 2 * CHUNK_SIZE + 5, bytes.length - 1]) {
    const id = await store.begin({ sizeMax: bytes.length });
    await t.rejects(store.append(id, 0, inPieces(bytes, 7_001, cutAt)), { message: 'the connection was cut' });
    const fresh = testStore(t, cluster, new FolderDriver(folder, 0)).store;
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

t.test('what was changed, cut, swapped or exchanged at rest does not open', async (t) => {
  const bytes = randomBytes(3 * CHUNK_SIZE + 5);
  const stored = async () => {
    const id = await store.begin({ sizeMax: bytes.length });
    const own = Buffer.concat([bytes, randomBytes(8)]).subarray(8);
    await store.append(id, 0, inPieces(own));
    return store.finish(id, entry());
  };
  const other = await readFile(pathOf((await stored()).id));
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
    const path = pathOf(blob.id);
    await writeFile(path, change(await readFile(path)));
    await t.rejects(contentOf(store.open(blob)), { code: 'FILE_DAMAGED' }, what);
  }
});

t.test('the same content is kept once, also when two finish at the same moment', async (t) => {
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

t.test('two writers of one upload do not mix', async (t) => {
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

t.test('too much, a wrong digest, and uploads that are not there are refused', async (t) => {
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

async function zero(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes.fill(0, at, at + 4096);
  await writeFile(path, bytes);
}
