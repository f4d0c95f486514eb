import { fileTypeFromBuffer } from 'file-type';
import { ImError } from '../../../common/errors.js';

const UNKNOWN_TYPE = 'application/octet-stream';

/** What a file is says its content, not its uploader. */
export async function mediaTypeOf(head: Uint8Array): Promise<string> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined); // cut short in the middle of something
  return found?.mime ?? UNKNOWN_TYPE;
}

/** Which types may be uploaded: "image/*, application/pdf"; empty: all. */
export class AllowedTypes {
  readonly #types: readonly string[];

  constructor(list: string) {
    this.#types = list
      .split(',')
      .map((type) => type.trim().toLowerCase())
      .filter((type) => type !== '');
  }

  /** @returns the type. @throws ImError BAD_REQUEST */
  async of(head: Uint8Array): Promise<string> {
    const found = await mediaTypeOf(head);
    const allowed = this.#types.some(
      (type) => type === found || (type.endsWith('/*') && found.startsWith(type.slice(0, -1))),
    );
    if (this.#types.length > 0 && !allowed)
      throw new ImError('BAD_REQUEST', `files of type ${found} are not taken here, only ${this.#types.join(', ')}`);
    return found;
  }
}
