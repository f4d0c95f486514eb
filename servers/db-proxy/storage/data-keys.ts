import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { BUCKETS } from '../../../common/limits.js';
import { SettingsError } from '../../../common/settings.js';

/**
 * Envelope encryption of message bodies: AES-256-GCM under a data key per bucket and epoch, data keys wrapped by the
 * master key, which never touches the database.
 *
 *   sealed = nonce (12) | cipher text | tag (16)
 *   bound  = conversation (8) | msg_id (4) | sender (4) | key id (4), as associated data:
 *            a row copied to another place does not open there
 */
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
export const SEAL_OVERHEAD = NONCE_SIZE + TAG_SIZE;
const KEY_SIZE = 32;

export interface Bound {
  readonly conversationId: bigint;
  readonly msgId: number;
  readonly senderId: number;
}

export interface Sealed {
  readonly keyId: number;
  readonly sealed: Buffer;
}

export class UnopenableError extends Error {
  override readonly name = 'UnopenableError';
}

export class DataKeys {
  readonly #byId = new Map<number, Buffer>();
  /** By bucket: the key of the highest epoch. */
  readonly #current: { id: number; epoch: number }[] = [];
  readonly #nonces = new Nonces();

  private constructor() {}

  /**
   * Loads every data key; makes the first epoch where there is none.
   * @throws SettingsError when the master key is not the one that wrapped them. Nothing has been changed then.
   */
  static async open(meta: pg.Pool, masterKey: Buffer): Promise<DataKeys> {
    const keys = new DataKeys();
    const fingerprint = fingerprintOf(masterKey);
    let rows = await readKeys(meta);
    const foreign = rows.find((row) => row.master_key !== fingerprint);
    if (foreign !== undefined) {
      throw new SettingsError(
        `wrong master key: this one is ${fingerprint}, the data keys in the database are wrapped by ${foreign.master_key}. Nothing was changed; give the right masterKeyFile or masterKey`,
      );
    }
    if (rows.length < BUCKETS) {
      await makeFirstEpoch(meta, masterKey, fingerprint);
      rows = await readKeys(meta);
    }
    for (const row of rows) keys.#add(row, masterKey);
    return keys;
  }

  #add(row: KeyRow, masterKey: Buffer): void {
    if (row.wrapped === null) return; // destroyed on purpose, and its messages with it
    this.#byId.set(row.id, unwrap(row.wrapped, masterKey, row.bucket, row.epoch));
    const current = this.#current[row.bucket];
    if (current === undefined || current.epoch < row.epoch) this.#current[row.bucket] = row;
  }

  /** The key that seals what is new in a bucket. */
  currentId(bucket: number): number {
    return this.#current[bucket]!.id;
  }

  seal(bucket: number, bound: Bound, body: Uint8Array): Sealed {
    const keyId = this.currentId(bucket);
    const nonce = this.#nonces.next();
    const cipher = createCipheriv('aes-256-gcm', this.#byId.get(keyId)!, nonce);
    cipher.setAAD(boundBytes(bound, keyId));
    const text = cipher.update(body);
    cipher.final();
    return { keyId, sealed: Buffer.concat([nonce, text, cipher.getAuthTag()]) };
  }

  /** @throws UnopenableError when the key is gone or the row is not what was sealed. */
  open(keyId: number, bound: Bound, sealed: Buffer): Buffer {
    const key = this.#byId.get(keyId);
    const where = `message ${bound.conversationId}/${bound.msgId}`;
    if (key === undefined) throw new UnopenableError(`${where}: data key ${keyId} is not there`);
    if (sealed.length < SEAL_OVERHEAD) throw new UnopenableError(`${where}: ${sealed.length} bytes are no sealed body`);
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_SIZE));
    decipher.setAAD(boundBytes(bound, keyId));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_SIZE));
    try {
      const body = decipher.update(sealed.subarray(NONCE_SIZE, sealed.length - TAG_SIZE));
      decipher.final();
      return body;
    } catch (error) {
      throw new UnopenableError(`${where} does not open with data key ${keyId}`, { cause: error });
    }
  }
}

interface KeyRow {
  readonly id: number;
  readonly bucket: number;
  readonly epoch: number;
  readonly master_key: string;
  readonly wrapped: Buffer | null;
}

async function readKeys(meta: pg.Pool): Promise<KeyRow[]> {
  const { rows } = await meta.query<KeyRow>('select id, bucket, epoch, master_key, wrapped from meta.data_key');
  return rows;
}

async function makeFirstEpoch(meta: pg.Pool, masterKey: Buffer, fingerprint: string): Promise<void> {
  const buckets = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
  const wrapped = buckets.map((bucket) => wrap(randomBytes(KEY_SIZE), masterKey, bucket, 1));
  await meta.query(
    `insert into meta.data_key (bucket, epoch, master_key, wrapped)
     select bucket, 1, $2, wrapped from unnest($1::smallint[], $3::bytea[]) as fresh (bucket, wrapped)
     on conflict do nothing`,
    [buckets, fingerprint, wrapped],
  );
}

/** Names a master key without telling anything about it. */
export function fingerprintOf(masterKey: Buffer): string {
  return createHash('sha256').update('teamtalk master key\0').update(masterKey).digest('hex').slice(0, 16);
}

function wrap(dataKey: Buffer, masterKey: Buffer, bucket: number, epoch: number): Buffer {
  const nonce = randomBytes(NONCE_SIZE);
  const cipher = createCipheriv('aes-256-gcm', masterKey, nonce).setAAD(wrapBound(bucket, epoch));
  return Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
}

function unwrap(wrapped: Buffer, masterKey: Buffer, bucket: number, epoch: number): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', masterKey, wrapped.subarray(0, NONCE_SIZE)).setAAD(
    wrapBound(bucket, epoch),
  );
  decipher.setAuthTag(wrapped.subarray(wrapped.length - TAG_SIZE));
  return Buffer.concat([decipher.update(wrapped.subarray(NONCE_SIZE, wrapped.length - TAG_SIZE)), decipher.final()]);
}

function wrapBound(bucket: number, epoch: number): Buffer {
  return Buffer.from(`data key ${bucket}/${epoch}`);
}

function boundBytes(bound: Bound, keyId: number): Buffer {
  const bytes = Buffer.allocUnsafe(20);
  bytes.writeBigUInt64BE(bound.conversationId, 0);
  bytes.writeUInt32BE(bound.msgId, 8);
  bytes.writeUInt32BE(bound.senderId, 12);
  bytes.writeUInt32BE(keyId, 16);
  return bytes;
}

/** Random nonces, drawn in blocks: the cost of drawing is per call (4 µs), not per byte. */
class Nonces {
  #block = Buffer.alloc(0);
  #used = 0;

  next(): Buffer {
    if (this.#used === this.#block.length) {
      this.#block = randomBytes(NONCE_SIZE * 1024);
      this.#used = 0;
    }
    this.#used += NONCE_SIZE;
    return this.#block.subarray(this.#used - NONCE_SIZE, this.#used);
  }
}
