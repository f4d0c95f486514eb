/**
 * The rows in a stream of PostgreSQL's binary COPY format, wherever the stream was cut.
 *
 *   signature (11) | flags (4) | size of what follows (4), nothing so far | rows | -1 (2)
 *   row   = number of fields (2) | fields
 *   field = size (4), -1 for null | bytes
 */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER_SIZE = SIGNATURE.length + 8;
const LAST = -1;

/** What a stream begins and ends with, for those who put rows together anew. */
export const COPY_HEADER = Buffer.concat([SIGNATURE, Buffer.alloc(8)]);
export const COPY_END = Buffer.from([0xff, 0xff]);

export class CopyFormatError extends Error {
  override readonly name = 'CopyFormatError';
}

/** Sees a whole row: `bytes` from `start` to before `end`. The bytes are not changed later. */
export type Visit = (bytes: Buffer, start: number, end: number) => void;

export class CopyRows {
  #count = 0;
  #rest: Buffer = Buffer.alloc(0);
  #at: 'start' | 'rows' | 'end' = 'start';

  /** Whole rows so far. */
  get count(): number {
    return this.#count;
  }

  /** @throws CopyFormatError for bytes that are no such stream */
  take(chunk: Buffer, visit: Visit = () => undefined): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (this.#at === 'start') {
      if (bytes.length < HEADER_SIZE) {
        this.#rest = bytes;
        return;
      }
      if (!bytes.subarray(0, HEADER_SIZE).equals(COPY_HEADER))
        throw new CopyFormatError('no binary COPY begins like that');
      at = HEADER_SIZE;
      this.#at = 'rows';
    }
    for (let end = this.#rowEnd(bytes, at); end !== undefined; end = this.#rowEnd(bytes, at)) {
      visit(bytes, at, end);
      this.#count++;
      at = end;
    }
    this.#rest = bytes.subarray(at);
    if (this.#at === 'end' && this.#rest.length > COPY_END.length)
      throw new CopyFormatError('bytes behind the last row');
  }

  /** @throws CopyFormatError when the stream was cut off */
  finish(): void {
    if (this.#at !== 'end') throw new CopyFormatError(`cut off behind ${this.#count} rows`);
  }

  /** Undefined: the row has not come whole, or there is none any more. */
  #rowEnd(bytes: Buffer, start: number): number | undefined {
    if (this.#at === 'end' || bytes.length - start < 2) return undefined;
    const fields = bytes.readInt16BE(start);
    if (fields === LAST) {
      this.#at = 'end';
      return undefined;
    }
    if (fields < 0) throw new CopyFormatError(`a row with ${fields} fields`);
    let at = start + 2;
    for (let field = 0; field < fields; field++) {
      if (at + 4 > bytes.length) return undefined;
      at += 4 + Math.max(bytes.readInt32BE(at), 0);
    }
    return at > bytes.length ? undefined : at;
  }
}

/** A smallint in a row; undefined for null. */
export function smallintField(bytes: Buffer, start: number, index: number): number | undefined {
  let at = start + 2;
  for (let field = 0; field < index; field++) at += 4 + Math.max(bytes.readInt32BE(at), 0);
  return bytes.readInt32BE(at) === 2 ? bytes.readInt16BE(at + 4) : undefined;
}
