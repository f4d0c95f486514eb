import type pg from 'pg';
import { SettingsFollower } from '../../../common/live/follower.js';
import {
  hourClock,
  isTimeZone,
  NIGHT,
  type Night,
  QUIET_HOURS,
  quietHoursSchema,
} from '../../../common/live/push-settings.js';
import type { Logger } from '../../../common/log.js';
import type { LiveSettings } from './live-settings.js';

/** Who wants no push at night, and whose night it is at a moment. */
export class QuietHours {
  readonly #meta: pg.Pool;
  readonly #ownTimeZone: string;
  readonly #follower: SettingsFollower;
  #night = NIGHT;
  /** Making one takes longer than asking it a thousand times; there are some hundred zones. */
  readonly #clocks = new Map<string, Intl.DateTimeFormat>();

  /** @param timeZone of those users for whom none is stored, an IANA name */
  constructor(meta: pg.Pool, timeZone: string, live: LiveSettings, log: Logger) {
    this.#meta = meta;
    this.#ownTimeZone = timeZone;
    this.#follower = new SettingsFollower(
      () => live.list(QUIET_HOURS),
      (values) => {
        this.#night = quietHoursSchema.safeParse(values.get(QUIET_HOURS)).data ?? NIGHT;
      },
      log,
    );
  }

  close(): void {
    this.#follower.close();
  }

  /** Those of the users who are not to be woken by a push at that moment, ms since 1970. */
  async shielded(userIds: readonly number[], atMs: number): Promise<Set<number>> {
    const { rows } = await this.#meta.query<{ id: number; time_zone: string | null }>({
      name: 'users-push-shielded',
      text: 'select id, time_zone from meta.users where id = any($1::int[]) and push_shield <> 0',
      values: [userIds],
    });
    return new Set(rows.filter((row) => isNight(this.#hourIn(row.time_zone, atMs), this.#night)).map((row) => row.id));
  }

  get #timeZone(): string {
    return this.#night.timeZone ?? this.#ownTimeZone;
  }

  #hourIn(timeZone: string | null, atMs: number): number {
    return Number(this.#clockOf(timeZone ?? this.#timeZone).format(atMs));
  }

  #clockOf(timeZone: string): Intl.DateTimeFormat {
    let clock = this.#clocks.get(timeZone);
    if (clock === undefined) {
      if (!isTimeZone(timeZone)) return this.#clockOf(this.#timeZone);
      clock = hourClock(timeZone);
      this.#clocks.set(timeZone, clock);
    }
    return clock;
  }
}

function isNight(hour: number, { from, to }: Night): boolean {
  return from <= to ? hour >= from && hour < to : hour >= from || hour < to;
}
