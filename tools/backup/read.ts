import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CopyFormatError, CopyRows, type Visit } from '../../servers/db-proxy/storage/copy-rows.js';
import type { Backup, Part } from './manifest.js';
import type { Progress } from './progress.js';
import { CHUNK_SIZE, DamagedError, openChunk, TAG_SIZE } from './sealed-part.js';

/**
 * Reads one part, chunk by chunk, and checks all of it on the way: size, digest, seal of each chunk, number of rows.
 * What `visit` was shown before a fault is found was sealed by us, but is not all there is: the caller undoes it.
 * @param visited is waited for after each chunk: the place to let slow receivers catch up
 * @throws DamagedError that says which file, and what does not fit
 */
export async function readPart(
  backup: Backup,
  part: Part,
  progress: Progress,
  visit: Visit = () => undefined,
  visited: () => Promise<void> = async () => undefined,
): Promise<void> {
  const handle = await openPart(backup.folder, part);
  const rows = new CopyRows();
  const hash = createHash('sha256');
  let plainSize = 0;
  try {
    const partKey = { key: backup.key, backupId: backup.manifest.id, number: part.number };
    for await (const { chunk, count, last } of chunks(handle, part.size)) {
      hash.update(chunk);
      const plain = openChunk(partKey, count, last, chunk);
      plainSize += plain.length;
      rows.take(plain, visit);
      progress.at(rows.count, plainSize);
      await visited();
    }
    rows.finish();
    if (hash.digest('hex') !== part.sha256) throw new DamagedError('its SHA-256 is not the one in the manifest');
    if (rows.count !== part.rows) throw new DamagedError(`it has ${rows.count} rows, the manifest says ${part.rows}`);
  } catch (error) {
    if (error instanceof DamagedError || error instanceof CopyFormatError)
      throw new DamagedError(`${part.file}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Reads everything once, for its checks alone. */
export async function verifyParts(backup: Backup, progress: Progress): Promise<void> {
  // What is missing or cut off shows without reading the rest.
  for (const part of backup.manifest.parts) await (await openPart(backup.folder, part)).close();
  for (const part of backup.manifest.parts) {
    progress.begin(`checking ${part.file}`);
    await readPart(backup, part, progress);
    progress.end();
  }
}

async function openPart(folder: string, part: Part): Promise<FileHandle> {
  const handle = await open(join(folder, part.file), constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (error: NodeJS.ErrnoException) => {
      throw new DamagedError(
        `${part.file} is ${error.code === 'ENOENT' ? 'missing' : `not readable: ${error.message}`}`,
      );
    },
  );
  const { size } = await handle.stat();
  if (size === part.size) return handle;
  await handle.close();
  throw new DamagedError(`${part.file} has ${size} bytes, the manifest says ${part.size}`);
}

/** Each chunk is overwritten by the next one. */
async function* chunks(
  handle: FileHandle,
  size: number,
): AsyncGenerator<{ chunk: Buffer; count: number; last: boolean }> {
  const buffer = Buffer.allocUnsafe(CHUNK_SIZE + TAG_SIZE);
  for (let count = 0, at = 0; at < size; count++) {
    const wanted = Math.min(buffer.length, size - at);
    for (let had = 0; had < wanted; ) {
      const { bytesRead } = await handle.read(buffer, had, wanted - had, at + had);
      if (bytesRead === 0) throw new DamagedError(`it ends at byte ${at + had}`);
      had += bytesRead;
    }
    at += wanted;
    yield { chunk: buffer.subarray(0, wanted), count, last: at === size };
  }
}
