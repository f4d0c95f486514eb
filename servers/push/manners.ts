import { SettingsFollower } from '../../common/live/follower.js';
import type { Logger } from '../../common/log.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import { directory } from '../../common/pdu/commands.js';
import type { Manner } from './notice.js';
import { pushSettings } from './settings.js';

const PREFIX = 'push.';

/** How pushes look: as this server's settings say, unless the administration says otherwise while it runs. */
export class Manners {
  readonly #follower: SettingsFollower;
  #now: Manner;

  constructor(dbProxies: LinkGroup, own: Manner, log: Logger) {
    this.#now = own;
    this.#follower = new SettingsFollower(
      async () => (await dbProxies.ask(directory.settings, { prefix: PREFIX })).settingList,
      (values) => {
        const of = <K extends keyof Manner>(name: K): Manner[K] => {
          const value = values.get(`${PREFIX}${name}`);
          const parsed = value === undefined ? undefined : pushSettings[name].is.safeParse(value);
          if (parsed?.success === false) log.warn({ setting: `${PREFIX}${name}` }, 'no such value; left as it was');
          return parsed?.success === true ? (parsed.data as Manner[K]) : own[name];
        };
        this.#now = { text: of('text'), language: of('language'), whilePcOnline: of('whilePcOnline') };
      },
      log,
    );
  }

  get now(): Manner {
    return this.#now;
  }

  close(): void {
    this.#follower.close();
  }
}
