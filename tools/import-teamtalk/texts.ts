import { isUtf8 } from 'node:buffer';

/** A text of the source as PostgreSQL and clients can take it. */
export interface Cleaned {
  readonly text: string;
  /** What had to be done to it; undefined: nothing. */
  readonly why: string | undefined;
}

/** `lengthMax` in characters, as PostgreSQL counts them. Blanks at the end go where the original did not tell them apart. */
export function cleaned(bytes: Buffer, lengthMax = Number.POSITIVE_INFINITY, { trim = false } = {}): Cleaned {
  const why: string[] = [];
  let text = bytes.toString('utf8');
  if (!isUtf8(bytes)) why.push('invalid UTF-8');
  if (text.includes('\0')) {
    why.push('NUL characters');
    text = text.replaceAll('\0', '');
  }
  if (trim && text !== text.replace(/ +$/, '')) {
    why.push('blanks at the end');
    text = text.replace(/ +$/, '');
  }
  const characters = [...text];
  if (characters.length > lengthMax) {
    why.push(`${characters.length} characters, ${lengthMax} are allowed`);
    text = characters.slice(0, lengthMax).join('');
  }
  return { text, why: why.length === 0 ? undefined : why.join(', ') };
}
