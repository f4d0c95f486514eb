import { ImError } from '../errors.js';
import type { Logger } from '../log.js';

const LOOK_MS = 2_000;

/** As meta has it: the value is JSON. */
export interface StoredSetting {
  readonly name: string;
  readonly value: string;
}

/**
 * Follows what the administration sets while servers run: looked at every two seconds, all of it told every time. What
 * cannot be asked for just now stays as it was.
 */
export class SettingsFollower {
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;

  /** @param heard values by their names; a name that is not there has not been set, or not any more */
  constructor(
    ask: () => Promise<readonly StoredSetting[]>,
    heard: (values: ReadonlyMap<string, unknown>) => void,
    log: Logger,
  ) {
    const look = () => {
      this.#looking ??= ask()
        .then(
          (list) => heard(new Map(list.map(({ name, value }) => [name, JSON.parse(value) as unknown]))),
          (error: unknown) => {
            if (!(error instanceof ImError)) log.warn({ error }, 'live settings stay as they were');
          },
        )
        .finally(() => {
          this.#looking = undefined;
        });
    };
    look();
    this.#timer = setInterval(look, LOOK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
