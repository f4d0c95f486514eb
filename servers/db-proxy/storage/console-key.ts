import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { SettingsError } from '../../../common/settings.js';
import type { MasterKeyring } from './master-key.js';
import { freshDataKey, unwrapKey, wrapKey } from './sealing.js';

/**
 * Seals small secrets (codes of the console's accounts, what signs webhooks, what announcements say) under a key of its
 * own, which the master key wraps. A rotation of the master key wraps it anew together with the data keys
 * (key-rotation.ts).
 *
 *   sealed = nonce (12) | cipher text | tag (16), bound to what it belongs to
 */
const ALGORITHM = 'aes-256-gcm';
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
/** Where a data key has its bucket and epoch: none has these. */
const PLACE = [-1, 0] as const;

export class ConsoleKey {
  readonly #key: Buffer;
  /** By purpose: deriving one costs four times as much as using it (18 and 5 µs), and each log-in uses one. */
  readonly #macKeys = new Map<string, Buffer>();

  private constructor(key: Buffer) {
    this.#key = key;
  }

  /** Makes it when there is none. @throws SettingsError when no master key at hand wraps it */
  static async open(meta: pg.Pool, ring: MasterKeyring): Promise<ConsoleKey> {
    const { rows: inUse } = await meta.query<{ master_key: string }>(
      'select min(master_key) as master_key from meta.data_key',
    );
    const master = ring.get(inUse[0]!.master_key);
    if (master !== undefined)
      await meta.query('insert into meta.console_key (master_key, wrapped) values ($1, $2) on conflict do nothing', [
        inUse[0]!.master_key,
        wrapKey(freshDataKey(), master, ...PLACE),
      ]);
    const { rows } = await meta.query<ConsoleKeyRow>('select master_key, wrapped from meta.console_key');
    const { master_key: fingerprint, wrapped } = rows[0]!;
    const wrapping = ring.get(fingerprint);
    if (wrapping === undefined)
      throw new SettingsError(`wrong master key: the console's key is wrapped by ${fingerprint}, which is not at hand`);
    return new ConsoleKey(unwrapKey(wrapped, wrapping, ...PLACE));
  }

  /** @param owner whose it is, such as `webhook wh_1`: elsewhere it does not open */
  seal(owner: string, secret: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_SIZE);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(Buffer.from(owner));
    return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  }

  /** The same for the same text, for whoever has the key. */
  mac(purpose: string, text: string): Buffer {
    let key = this.#macKeys.get(purpose);
    if (key === undefined) {
      key = Buffer.from(hkdfSync('sha256', this.#key, '', `teamtalk ${purpose}`, 32));
      this.#macKeys.set(purpose, key);
    }
    return createHmac('sha256', key).update(text).digest();
  }

  /** @throws Error when it is not what was sealed for this owner */
  open(owner: string, sealed: Buffer): Buffer {
    const end = sealed.length - TAG_SIZE;
    const decipher = createDecipheriv(ALGORITHM, this.#key, sealed.subarray(0, NONCE_SIZE));
    decipher.setAAD(Buffer.from(owner)).setAuthTag(sealed.subarray(end));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_SIZE, end)), decipher.final()]);
  }
}

interface ConsoleKeyRow {
  readonly master_key: string;
  readonly wrapped: Buffer;
}

/** Within the transaction of a master rotation. @throws Error when it does not unwrap */
export async function rewrapConsoleKey(
  meta: pg.ClientBase,
  oldKey: Buffer,
  newKey: Buffer,
  newFingerprint: string,
): Promise<void> {
  const { rows } = await meta.query<ConsoleKeyRow>('select master_key, wrapped from meta.console_key');
  if (rows[0] === undefined) return;
  const wrapped = wrapKey(unwrapKey(rows[0].wrapped, oldKey, ...PLACE), newKey, ...PLACE);
  await meta.query('update meta.console_key set master_key = $1, wrapped = $2', [newFingerprint, wrapped]);
}
