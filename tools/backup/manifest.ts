import { createCipheriv, createDecipheriv, createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fingerprintOf, type MasterKeyring } from '../../servers/db-proxy/storage/master-key.js';
import { DamagedError } from './sealed-part.js';

/**
 * What a backup consists of: a folder with manifest.json, written last, and the sealed parts that it lists.
 *
 *   {"manifest": {…}, "mac": "…"}
 *
 * The manifest can be read by anybody; it tells sizes and dates, no contents and no addresses. The backup's key is in
 * it, wrapped by the master key; `mac` (HMAC-SHA-256 under that key) covers the manifest, so that a part cannot be taken
 * out, exchanged with one of another backup, or its count changed, and the manifest with it.
 */
const FORMAT = 'teamtalk-cluster backup';
const VERSION = 1;
const KEY_SIZE = 32;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
export const MANIFEST = 'manifest.json';

const count = z.number().int().nonnegative();
const migrations = z.array(z.object({ number: count, name: z.string() }));
const schema = z.enum(['meta', 'shard']);

const partShape = z.object({
  /** From 1. */
  number: z.number().int().positive(),
  file: z.string().regex(/^\d{4}\.[a-z0-9-]+\.[a-z]+\.\w+\.sealed$/),
  /** Of `databases`. */
  database: z.string(),
  schema,
  table: z.string(),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  rows: count,
  /** Of the COPY stream, and of the file. */
  plainSize: count,
  size: count,
  /** Of the file: `sha256sum` can check it without any key. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const manifestShape = z.object({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  id: z.string(),
  taken: z.string(),
  build: z.string(),
  /** Fingerprint of the master key that wraps `backupKey` and the data keys. */
  masterKey: z.string(),
  backupKey: z.string(),
  placement: z.object({
    version: z.string(),
    shards: z.array(z.object({ name: z.string(), buckets: z.array(count) })),
  }),
  databases: z.array(
    z.object({
      name: z.string(),
      /** When its snapshot was taken. */
      taken: z.string(),
      migrations: z.object({ meta: migrations.optional(), shard: migrations.optional() }),
      sequences: z.array(z.object({ schema, name: z.string(), last: z.string() })),
    }),
  ),
  parts: z.array(partShape),
});

export type Manifest = z.infer<typeof manifestShape>;
export type Part = z.infer<typeof partShape>;

/** A backup that may be read. */
export interface Backup {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly key: Buffer;
}

export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/** The key of a new backup and what the manifest says about it. */
export function newBackupKey(masterKey: Buffer): {
  key: Buffer;
  fields: Pick<Manifest, 'id' | 'masterKey' | 'backupKey'>;
} {
  const key = randomBytes(KEY_SIZE);
  const id = randomUUID();
  const nonce = randomBytes(NONCE_SIZE);
  const cipher = createCipheriv('aes-256-gcm', masterKey, nonce).setAAD(wrapBound(id));
  const wrapped = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  return { key, fields: { id, masterKey: fingerprintOf(masterKey), backupKey: wrapped.toString('base64') } };
}

export function manifestText(fields: Omit<Manifest, 'format' | 'version'>, key: Buffer): string {
  const manifest: Manifest = { format: FORMAT, version: VERSION, ...fields };
  return `${JSON.stringify({ manifest, mac: macOf(manifest, key) }, null, 2)}\n`;
}

/**
 * Reads and checks the manifest of a backup.
 * @throws ManifestError: no backup, one of a newer build, the wrong master key. DamagedError: it was changed.
 */
export async function openManifest(folder: string, masterKeys: MasterKeyring): Promise<Backup> {
  const { raw, mac } = await readManifest(folder);
  const parsed = manifestShape.safeParse(raw);
  if (!parsed.success) throw new DamagedError(`${join(folder, MANIFEST)}: ${z.prettifyError(parsed.error)}`);
  const masterKey = masterKeys.get(parsed.data.masterKey);
  if (masterKey === undefined)
    throw new ManifestError(
      `wrong master key: this one is ${masterKeys.fingerprints.join(' and ')}, the backup was sealed under ${parsed.data.masterKey}; give the key that was in use when it was taken`,
    );
  const key = unwrap(parsed.data, masterKey);
  const expected = Buffer.from(macOf(raw, key), 'hex');
  const found = Buffer.from(mac, 'hex');
  if (found.length !== expected.length || !timingSafeEqual(found, expected))
    throw new DamagedError(`${join(folder, MANIFEST)} is not what was written: its check value does not fit`);
  return { folder, manifest: parsed.data, key };
}

async function readManifest(folder: string): Promise<{ raw: unknown; mac: string }> {
  const path = join(folder, MANIFEST);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'it has no manifest.json, which is written last' : error.message;
    throw new ManifestError(`${folder} is no finished backup: ${why}`);
  });
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch (error) {
    throw new DamagedError(`${path} is not what was written: ${(error as Error).message}`);
  }
  const frame = z
    .object({ manifest: z.looseObject({ format: z.literal(FORMAT), version: z.number() }), mac: z.string() })
    .safeParse(whole);
  if (!frame.success) throw new DamagedError(`${path} is no manifest of a backup`);
  const { manifest, mac } = frame.data;
  if (manifest.version > VERSION)
    throw new ManifestError(`${folder} has format ${manifest.version}, this build knows ${VERSION}: use a newer build`);
  return { raw: (whole as { manifest: unknown }).manifest, mac };
}

function unwrap({ id, backupKey }: Manifest, masterKey: Buffer): Buffer {
  const wrapped = Buffer.from(backupKey, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', masterKey, wrapped.subarray(0, NONCE_SIZE)).setAAD(wrapBound(id));
    decipher.setAuthTag(wrapped.subarray(wrapped.length - TAG_SIZE));
    return Buffer.concat([decipher.update(wrapped.subarray(NONCE_SIZE, wrapped.length - TAG_SIZE)), decipher.final()]);
  } catch (error) {
    throw new DamagedError("the backup's key in manifest.json is not what was written", { cause: error });
  }
}

function wrapBound(id: string): Buffer {
  return Buffer.from(`backup key ${id}`);
}

/** JSON keeps the order of fields, so what was read is written the same way again. */
function macOf(manifest: unknown, key: Buffer): string {
  return createHmac('sha256', key).update('backup manifest\0').update(JSON.stringify(manifest)).digest('hex');
}
