import type { Limits } from '../../common/live/limits.js';
import type { Rates } from '../../common/live/rates.js';
import type { Logger } from '../../common/log.js';
import type { BlobStore } from './blobs/store.js';
import type { Pictures } from './pictures/pictures.js';
import type { SessionAddresses } from './session-addresses.js';

/** What a handler may reach. */
export interface FileContext {
  readonly blobs: BlobStore;
  readonly pictures: Pictures;
  readonly sessionAddresses: SessionAddresses;
  readonly limits: Limits<'file'>;
  readonly rates: Rates<'file'>;
  readonly log: Logger;
}
