import type pg from 'pg';

/** The night, in hours of the local day: from the first on until before the second. */
const NIGHT = { from: 22, to: 7 } as const;

/** Who wants no push at night, and whose night it is at a moment. */
export class QuietHours {
  readonly #meta: pg.Pool;
  readonly #timeZone: string;
  /** Making one takes longer than asking it a thousand times; there are some hundred zones. */
  readonly #clocks = new Map<string, Intl.DateTimeFormat>();

  /** @param timeZone of those users for whom none is stored, an IANA name */
  constructor(meta: pg.Pool, timeZone: string) {
    this.#meta = meta;
    this.#timeZone = timeZone;
  }

  /** Those of the users who are not to be woken by a push at that moment, ms since 1970. */
  async shielded(userIds: readonly number[], atMs: number): Promise<Set<number>> {
    const { rows } = await this.#meta.query<{ id: number; time_zone: string | null }>({
      name: 'users-push-shielded',
      text: 'select id, time_zone from meta.users where id = any($1::int[]) and push_shield <> 0',
      values: [userIds],
    });
    return new Set(rows.filter((row) => isNight(this.#hourIn(row.time_zone, atMs))).map((row) => row.id));
  }

  #hourIn(timeZone: string | null, atMs: number): number {
    return Number(this.#clockOf(timeZone ?? this.#timeZone).format(atMs));
  }

  #clockOf(timeZone: string): Intl.DateTimeFormat {
    let clock = this.#clocks.get(timeZone);
    if (clock === undefined) {
      clock = hourClock(isTimeZone(timeZone) ? timeZone : this.#timeZone);
      this.#clocks.set(timeZone, clock);
    }
    return clock;
  }
}

export function isTimeZone(name: string): boolean {
  try {
    hourClock(name);
    return true;
  } catch {
    return false;
  }
}

function hourClock(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en', { timeZone, hour: 'numeric', hourCycle: 'h23' });
}

function isNight(hour: number): boolean {
  return hour >= NIGHT.from || hour < NIGHT.to;
}
