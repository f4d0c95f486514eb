import { redisUrl } from '../../common/redis-place.js';
import { commonSettings, type Definitions, milliseconds, port, type SettingsOf } from '../../common/settings.js';

export const routeSettings = {
  ...commonSettings,
  port: port(8200, 'where msg servers connect'),
  redis: redisUrl(
    'Redis (7 or newer) through which several route servers share what they hear, or all of them have none; may be flushed or gone at any time',
  ),
  redisTimeoutMs: milliseconds(100, 'how long an answer of Redis is waited for'),
  goneMs: milliseconds(
    1_000,
    'how long after its end a PC client is said to be offline; who is back by then has not been away. 0: at once',
    0,
  ),
} satisfies Definitions;

export type RouteSettings = SettingsOf<typeof routeSettings>;
