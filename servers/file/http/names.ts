import { randomBytes } from 'node:crypto';
import { isSignedPath } from '../../../common/file-token.js';
import { FILE_NAME_LENGTH_MAX } from '../../../common/limits.js';

/**
 * Names of files. What a client says is only ever shown to other clients; where a file lies has nothing to do with it,
 * and what it is downloaded by is drawn at random: who does not know it cannot guess it.
 */

/** As somebody else's system may take it: no folders, no control characters, not too long, never empty. */
export function safeFileName(given: string): string {
  const base = given.split(/[/\\]/).at(-1)!;
  // Control characters, and those that turn the direction of writing: "exe.gpj" may look like something else.
  const clean = Buffer.from(base) // halves of characters become whole ones
    .toString()
    .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .trim()
    .replace(/^\.+$/, '');
  const characters = [...clean];
  if (characters.length === 0) return 'file';
  if (characters.length <= FILE_NAME_LENGTH_MAX) return clean;
  const extension = [...extensionOf(clean)];
  return [...characters.slice(0, FILE_NAME_LENGTH_MAX - extension.length), ...extension].join('');
}

/** With its dot, at most 15 characters behind it; else empty. */
export function extensionOf(fileName: string): string {
  return /\.[A-Za-z0-9]{1,15}$/.exec(fileName)?.[0] ?? '';
}

/**
 * Where TeamTalk clients find what they have uploaded: g0/ddd/ddd/<random>[_WxH].ext. They read the size of a picture
 * out of the name, so what the uploader said of it stays.
 */
export function freshStorePath(fileName: string): string {
  const size = /_(\d{1,5})x(\d{1,5})/.exec(fileName)?.[0] ?? '';
  const [a, b] = randomBytes(2);
  const folder = (n: number) => String(n).padStart(3, '0');
  return `g0/${folder(a!)}/${folder(b!)}/${randomBytes(16).toString('hex')}${size}${extensionOf(fileName)}`;
}

const STORE_PATH = /^g0\/\d{3}\/\d{3}\/[0-9a-f]{32}(_\d{1,5}x\d{1,5})?(\.[A-Za-z0-9]{1,15})?$/;
const VARIANT = /^(.+)_(\d{1,4})[x×](\d{1,4})\.jpg$/;

export type StorePath =
  /** Open to whoever knows it, as stock clients have no way to prove anything. */
  | { readonly kind: 'open'; readonly name: string }
  /** Only with a signature. */
  | { readonly kind: 'signed'; readonly name: string };

export function storePathOf(path: string): StorePath | undefined {
  if (STORE_PATH.test(path)) return { kind: 'open', name: path };
  if (isSignedPath(path)) return { kind: 'signed', name: path };
  return undefined;
}

/** The picture and the size that a client wants of it; a file may be called like that itself, so it is looked for first. */
export function variantOf(
  path: string,
): { readonly of: string; readonly width: number; readonly height: number } | undefined {
  const [, of, width, height] = VARIANT.exec(path) ?? [];
  return of === undefined ? undefined : { of, width: Number(width), height: Number(height) };
}
