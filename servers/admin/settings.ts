import { sendHookSettings } from '../../common/chat/send-hook.js';
import {
  addresses,
  commonSettings,
  count,
  type Definitions,
  milliseconds,
  port,
  type SettingsOf,
  text,
} from '../../common/settings.js';
import { oidcSettings } from './oidc-settings.js';

export const adminSettings = {
  ...commonSettings,
  httpPort: port(8888, 'HTTP port of the console and of /api/discovery'),
  publicUrl: text('', 'URL by which browsers reach the console, when not straight; https:// makes its cookie Secure'),
  trustedProxies: text(
    '',
    'addresses of proxies in front, comma-separated, whose word about the client address counts',
  ),
  dbProxies: addresses('127.0.0.1:10600', 'db-proxies'),
  routeServers: addresses('127.0.0.1:8200', 'route servers'),
  loginServers: addresses('127.0.0.1:8100', 'login servers'),
  fileServers: addresses('127.0.0.1:8601', 'file servers'),
  pushServers: addresses('127.0.0.1:8500', 'push servers'),
  watched: addresses('', 'ops ports of the servers whose figures the overview shows'),
  askTimeoutMs: milliseconds(15_000, 'how long another server may take to answer'),
  asksMax: count(2_000, 'questions to other servers under way at most', 1),
  ...sendHookSettings,
  searchesPerMinute: count(120, 'searches of one account per minute; further ones are refused', 1),
  sessionIdleMs: milliseconds(30 * 60_000, 'a session that was not used for so long is over'),
  sessionMs: milliseconds(12 * 3_600_000, 'a session is over after this, used or not'),
  ...oidcSettings,
} satisfies Definitions;

export type AdminSettings = SettingsOf<typeof adminSettings>;
