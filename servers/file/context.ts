import type { Limits } from '../../common/live/limits.js';
import type { Logger } from '../../common/log.js';
import type { BlobStore } from './blobs/store.js';
import type { Pictures } from './pictures/pictures.js';
import type { Rates } from './rates.js';
import type { SessionAddresses } from './session-addresses.js';

/** What a handler may reach. */
export interface FileContext {
  readonly blobs: BlobStore;
  readonly pictures: Pictures;
  readonly sessionAddresses: SessionAddresses;
  readonly limits: Limits<'file'>;
  readonly rates: Rates;
  readonly log: Logger;
}
