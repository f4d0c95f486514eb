import type { Logger } from '../../../common/log.js';
import { type Provider, SENT } from './provider.js';

/** Into the log, without a word of the message: the default, so that one sees what would be sent. */
export function logProvider(log: Logger): Provider {
  return {
    send({ id, token, kind, badge, collapseId, title, body }) {
      const sizes = { title: Buffer.byteLength(title), body: Buffer.byteLength(body) };
      log.info({ push: id, kind, badge, collapseId, token: `${token.slice(0, 8)}…`, sizes }, 'push');
      return Promise.resolve(SENT);
    },
    close: () => undefined,
  };
}
