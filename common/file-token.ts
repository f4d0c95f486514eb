import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/**
 * What lets a client use the file store without a session of its own there: signed by a msg server, which knows who it
 * is, and checked by the file server. Both have the cluster's secret; nothing is stored, so what was signed holds until
 * it expires.
 *
 *   upload    <user id>.<expires, s>.<HMAC>              as "Authorization: Bearer …"
 *   download  ?e=<expires, s>&s=<HMAC of path and time>   behind the path
 */
const SIZE_MAX = 256;
const SIGNED_PATH = /^f\/[0-9a-f]{32}$/;

/** Whether a file of the store is called like that which only a signature opens. */
export function isSignedPath(path: string): boolean {
  return SIGNED_PATH.test(path);
}

export class FileTokens {
  readonly #key: Buffer;

  constructor(clusterSecret: string) {
    this.#key = Buffer.from(hkdfSync('sha256', clusterSecret, '', 'teamtalk file store', 32));
  }

  forUploads(userId: number, expiresMs: number): string {
    const words = `${userId}.${Math.floor(expiresMs / 1000)}`;
    return `${words}.${this.#mac('upload', words)}`;
  }

  /** @returns the user; undefined when it was not signed here, or has expired */
  uploader(token: string, nowMs: number): number | undefined {
    if (token.length > SIZE_MAX) return undefined;
    const [, words, userId, expires, mac] = /^((\d{1,10})\.(\d{1,12}))\.([\w-]{43})$/.exec(token) ?? [];
    if (words === undefined || !this.#isMac(mac!, 'upload', words)) return undefined;
    return Number(expires) * 1000 > nowMs ? Number(userId) : undefined;
  }

  /** @param path without a leading slash, as the store names it */
  signPath(path: string, expiresMs: number): string {
    const expires = `${Math.floor(expiresMs / 1000)}`;
    return `${path}?e=${expires}&s=${this.#mac('download', expires, path)}`;
  }

  allows(path: string, query: { readonly e?: unknown; readonly s?: unknown }, nowMs: number): boolean {
    const { e: expires, s: mac } = query;
    if (typeof expires !== 'string' || typeof mac !== 'string' || !/^\d{1,12}$/.test(expires)) return false;
    return this.#isMac(mac, 'download', expires, path) && Number(expires) * 1000 > nowMs;
  }

  /** Of the file servers' own, for whichever of them is asked next. */
  sign(words: string): string {
    return this.#mac('own', words);
  }
  isSigned(words: string, mac: string): boolean {
    return this.#isMac(mac, 'own', words);
  }

  /** The words have no NUL but the last one, so no two lists of them hash alike. */
  #mac(...words: readonly string[]): string {
    return createHmac('sha256', this.#key).update(words.join('\0')).digest('base64url');
  }

  #isMac(mac: string, ...words: readonly string[]): boolean {
    const [given, right] = [Buffer.from(mac), Buffer.from(this.#mac(...words))];
    return given.length === right.length && timingSafeEqual(given, right);
  }
}
