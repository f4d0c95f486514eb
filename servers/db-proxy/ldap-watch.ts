import { ImError } from '../../common/errors.js';
import type { DbProxyContext } from './context.js';
import { LDAP, type Ldap } from './ldap.js';
import { isUnavailable } from './storage/database.js';

/** As many ids as go into one question, and the pause after the last one. */
const AT_ONCE = 100;
const PAUSE_MS_MAX = 30_000;

/**
 * Looks up again whoever came from LDAP, so that who is disabled there is out here within `ldapRecheckMs` and half a minute,
 * also one who is on at the moment. A directory that does not answer changes nothing: whom it was asked about then has his
 * turn again after another `ldapRecheckMs`. After `directoryTrustDays` without
 * its word nobody of it is let in. Any number of db-proxies share the work.
 */
export class LdapWatch {
  readonly #ldap: Ldap;
  readonly #ctx: DbProxyContext;
  readonly #recheckMs: number;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(ldap: Ldap, ctx: DbProxyContext, recheckMs: number) {
    this.#ldap = ldap;
    this.#ctx = ctx;
    this.#recheckMs = recheckMs;
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  #schedule(): void {
    const pauseMs = Math.min(this.#recheckMs, PAUSE_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#round = this.#all().catch((error: unknown) => {
        if (!(error instanceof ImError) && !isUnavailable(error)) throw error;
        this.#ctx.log.warn({ error: (error as Error).message }, 'people were not looked up in LDAP');
      });
      void this.#round.then(() => this.#closed || this.#schedule());
    }, pauseMs);
  }

  async #all(): Promise<void> {
    while (!this.#closed) {
      const subjects = await this.#ctx.identities.due(LDAP, this.#recheckMs, AT_ONCE);
      if (subjects.length === 0) return;
      const known = await this.#ldap.known(subjects);
      const gone = await this.#ctx.identities.answered(LDAP, subjects, known);
      if (gone.length === 0) continue;
      this.#ctx.log.info({ people: gone.length }, 'people are not in LDAP any more');
      this.#ctx.tellMsgServers({ endedUserList: gone });
    }
  }
}
