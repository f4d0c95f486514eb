import { sendHookSettings } from '../../common/chat/send-hook.js';
import { doorSettings } from '../../common/net/door-settings.js';
import {
  addresses,
  bytes,
  commonSettings,
  count,
  type Definitions,
  milliseconds,
  port,
  type SettingsOf,
  text,
} from '../../common/settings.js';

export const msgSettings = {
  ...commonSettings,
  clientPort: port(8000, 'where clients connect'),
  ...doorSettings,
  strangersMax: count(10_000, 'connections that have not begun to log in at most; with more, the oldest is closed', 1),
  advertisedIp1: text('127.0.0.1', 'address that the login server gives to clients'),
  advertisedIp2: text('', 'second address for clients; default: the first'),
  connectionsMax: count(100_000, 'client connections at most; further ones are closed at once', 1),
  zone: text('', 'where this server stands: a data centre, a rack; login servers may prefer a zone'),
  weight: count(
    100,
    'percent of the clients that connectionsMax alone would bring, against other msg servers',
    0,
    10_000,
  ),
  loginServers: addresses('127.0.0.1:8100', 'login servers'),
  routeServers: addresses('127.0.0.1:8200', 'route servers'),
  fileServers: addresses('127.0.0.1:8601', 'file servers; without any, files cannot be sent'),
  storeUrl: text('http://127.0.0.1:8700/', 'base URL of the picture and file store, given to newer clients; ends in /'),
  fileTokenMs: milliseconds(3_600_000, 'how long a newer client may use the store with what it was given'),
  dbProxies: addresses('127.0.0.1:10600', 'db-proxies'),
  loginTimeoutMs: milliseconds(15_000, 'a connection that has not logged in by then is closed'),
  pcSilenceMs: milliseconds(120_000, 'a PC client that was not heard for so long is closed'),
  mobileSilenceMs: milliseconds(300_000, 'a mobile client that was not heard for so long is closed'),
  askTimeoutMs: milliseconds(10_000, 'how long another server may take to answer'),
  asksMax: count(50_000, 'questions to db-proxies under way at most; further requests of clients are dropped', 1),
  clientAsksMax: count(64, 'requests of one client under way at most; it is not read from until there are fewer', 1),
  framesPerSecond: count(10_000, 'frames of one client per second; a faster one is not read from for a while', 50),
  sendsPerSecond: count(500, 'messages of one client per second; faster ones wait for their turn', 1),
  groupSendsPerSecond: count(5_000, 'messages to one group per second, here; faster ones wait for their turn', 1),
  historyRowsPerMinute: count(100_000, 'messages of histories that one client reads per minute; then it waits', 200),
  directoryCallsPerMinute: count(1_200, 'questions of one client for people and groups per minute; then it waits', 10),
  returnsPerSecond: count(
    200,
    'newer clients that come back in a second after this server has died, spread over time',
    1,
  ),
  sendQueueMax: bytes(4 * 1024 * 1024, 'what may wait to be read by one client; a slower one is closed'),
  ...sendHookSettings,
} satisfies Definitions;

export type MsgSettings = SettingsOf<typeof msgSettings>;
