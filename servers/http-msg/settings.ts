import { sendHookSettings } from '../../common/chat/send-hook.js';
import { networks } from '../../common/net/networks.js';
import {
  addresses,
  commonSettings,
  count,
  type Definitions,
  flag,
  milliseconds,
  port,
  type SettingsOf,
  text,
} from '../../common/settings.js';

export const httpMsgSettings = {
  ...commonSettings,
  httpPort: port(8400, 'where other systems connect'),
  routeServers: addresses('127.0.0.1:8200', 'route servers'),
  dbProxies: addresses('127.0.0.1:10600', 'db-proxies'),
  storeUrl: text('http://127.0.0.1:8700/', 'base URL of the file store, given to callers; ends in /'),
  askTimeoutMs: milliseconds(10_000, 'how long another server may take to answer'),
  asksMax: count(10_000, 'questions to db-proxies under way at most; further requests are refused as BUSY', 1),
  connectionsMax: count(2_000, 'connections at most; further ones are closed at once', 1),
  requestsPerMinute: count(1_200, 'requests per minute with one API key; further ones are refused', 1),
  searchesPerMinute: count(300, 'searches per minute with one API key; further ones are refused', 1),
  unknownKeysPerMinute: count(100, 'unknown API keys from one address per minute; further ones are refused', 1),
  unkeyedQueries: flag(false, 'TeamTalk /query/ calls from this machine need no valid app_key, as in the original'),
  streamsMax: count(200, 'event streams open at once', 0),
  eventsKeptHours: count(72, 'hours for which events can be asked for', 1, 24 * 365),
  webhookTimeoutMs: milliseconds(10_000, 'how long a webhook may take to answer'),
  webhookAttemptsMax: count(20, 'failed deliveries after which one is set aside as a dead letter', 1, 100),
  webhookCallsPerMinute: count(6_000, 'deliveries to one webhook per minute; further ones wait', 1),
  webhookRetryMs: milliseconds(1_000, 'pause before a failed delivery is tried again; doubled each time'),
  webhookRetryMaxMs: milliseconds(3_600_000, 'longest pause before a failed delivery is tried again'),
  webhookNetworks: networks('private networks that webhooks may lead to, such as 10.1.0.0/16; public ones always may'),
  ...sendHookSettings,
} satisfies Definitions;

export type HttpMsgSettings = SettingsOf<typeof httpMsgSettings>;
