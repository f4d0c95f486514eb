import { fileTypeFromBuffer } from 'file-type';

/** What has to be seen of a file to tell what it is. */
const SNIFFED = 4_100;
export const UNKNOWN_TYPE = 'application/octet-stream';

/** Passes a stream on and looks at its beginning: what a file is says its content, not its uploader. */
export class Sniffer {
  #head = Buffer.alloc(0);

  async *watch(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const piece of source) {
      if (this.#head.length < SNIFFED)
        this.#head = Buffer.concat([this.#head, piece.subarray(0, SNIFFED - this.#head.length)]);
      yield piece;
    }
  }

  mediaType(): Promise<string> {
    return mediaTypeOf(this.#head);
  }
}

export async function mediaTypeOf(head: Uint8Array): Promise<string> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined); // cut short in the middle of something
  return found?.mime ?? UNKNOWN_TYPE;
}
