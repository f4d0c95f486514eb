import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinkGroup } from '../../common/net/link-group.js';
import { commandTable } from '../../common/server/command-table.js';
import type { Driver } from '../../servers/file/blobs/driver.js';
import { type FileEntry, type Quotas, Register } from '../../servers/file/blobs/register.js';
import { BlobStore, type Gate } from '../../servers/file/blobs/store.js';
import { CLUSTER_SECRET, type TestCluster, testLog } from './cluster.js';
import type { Teardown } from './postgres.js';

/** No scanner. */
const OPEN: Gate = { wanted: false, check: async () => undefined };

/** A blob store as a file server has it, on its db-proxies and on a driver of the test's. */
export function testStore(
  t: Teardown,
  cluster: TestCluster,
  driver: Driver,
  { name = 'file-test', quotas = {}, gate = OPEN }: { name?: string; quotas?: Quotas; gate?: Gate } = {},
): { readonly store: BlobStore; readonly register: Register } {
  const links = new LinkGroup({
    self: { role: 'file', name },
    secret: CLUSTER_SECRET,
    log: testLog(name),
    askTimeoutMs: 10_000,
    role: 'db-proxy',
    addresses: cluster.dbProxies.map(({ port }) => ({ host: '127.0.0.1', port })),
    asksMax: 1_000,
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  });
  t.teardown(() => links.close());
  const register = new Register(links, name, () => quotas);
  return { store: new BlobStore(register, driver, gate, testLog(name)), register };
}

/** An empty folder, removed at the end of the test. */
export async function temporaryFolder(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'teamtalk-test-files-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A name of a kind of its own, so that tests of one cluster do not meet. */
export function entry(over: Partial<FileEntry> = {}): FileEntry {
  const name = randomBytes(8).toString('hex');
  return { kind: 'test', name, fileName: 'a.bin', mediaType: 'application/octet-stream', ...over };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** In pieces of odd sizes, as networks give them; fails after `cutAt` bytes when that is given. */
export async function* inPieces(bytes: Buffer, pieceSize = 10_007, cutAt = Infinity): AsyncIterable<Buffer> {
  const end = Math.min(bytes.length, cutAt);
  for (let at = 0; at < end; at += pieceSize) yield bytes.subarray(at, Math.min(at + pieceSize, end));
  if (end < bytes.length) throw new Error('the connection was cut');
}

export async function contentOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function idsOf(driver: Driver): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of driver.list()) ids.push(id);
  return ids;
}
