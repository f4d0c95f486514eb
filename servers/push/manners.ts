import { ImError } from '../../common/errors.js';
import type { Logger } from '../../common/log.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import { directory } from '../../common/pdu/commands.js';
import type { Manner } from './notice.js';
import { pushSettings } from './settings.js';

const LOOK_MS = 3_000;
const PREFIX = 'push.';

/** How pushes look: as this server's settings say, unless the administration says otherwise while it runs. */
export class Manners {
  readonly #dbProxies: LinkGroup;
  readonly #own: Manner;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #now: Manner;
  #looking: Promise<void> | undefined;

  constructor(dbProxies: LinkGroup, own: Manner, log: Logger) {
    this.#dbProxies = dbProxies;
    this.#own = own;
    this.#now = own;
    this.#log = log;
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, LOOK_MS);
  }

  get now(): Manner {
    return this.#now;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      const { settingList } = await this.#dbProxies.ask(directory.settings, { prefix: PREFIX });
      const said = new Map(settingList.map(({ name, value }) => [name.slice(PREFIX.length), value]));
      const of = <K extends keyof Manner>(name: K): Manner[K] => {
        const value = said.get(name);
        const parsed = value === undefined ? undefined : pushSettings[name].is.safeParse(JSON.parse(value));
        if (parsed?.success === false) this.#log.warn({ setting: `${PREFIX}${name}` }, 'no such value; left as it was');
        return parsed?.success === true ? (parsed.data as Manner[K]) : this.#own[name];
      };
      this.#now = { text: of('text'), language: of('language'), whilePcOnline: of('whilePcOnline') };
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
    }
  }
}
