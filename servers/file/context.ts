import type { Logger } from '../../common/log.js';
import type { BlobStore } from './blobs/store.js';

/** What a handler may reach. */
export interface FileContext {
  readonly blobs: BlobStore;
  readonly log: Logger;
}
