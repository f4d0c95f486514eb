import { z } from 'zod';

/** What the administration sets for pushes while servers run: `push.text`, `push.language`, `push.whilePcOnline`, `push.quietHours`. */

/** How much of a message a push shows. */
export const TEXTS = ['full', 'sender', 'none'] as const;
/** In which words. */
export const LANGUAGES = ['zh', 'en'] as const;
/** What a phone gets while its user's PC client is here. */
export const WHILE_PC_ONLINE = ['badge', 'ring', 'nothing'] as const;

export const QUIET_HOURS = 'push.quietHours';
const hour = z.number().int().min(0).max(23);
/** The night, in hours of the local day: from the first on until before the second; twice the same one: there is none. */
export const quietHoursSchema = z.strictObject({
  from: hour,
  to: hour,
  /** Of those users for whom none is stored; absent: as the db-proxies are set up. */
  timeZone: z.string().max(64).refine(isTimeZone, 'no such time zone').optional(),
});
export type Night = z.infer<typeof quietHoursSchema>;
export const NIGHT: Night = { from: 22, to: 7 };

/** An IANA name that this machine knows. */
export function isTimeZone(name: string): boolean {
  try {
    hourClock(name);
    return true;
  } catch {
    return false;
  }
}

/** Gives the hour of the local day. */
export function hourClock(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en', { timeZone, hour: 'numeric', hourCycle: 'h23' });
}
