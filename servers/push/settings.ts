import { LANGUAGES, TEXTS, WHILE_PC_ONLINE } from '../../common/live/push-settings.js';
import { networks } from '../../common/net/networks.js';
import {
  addresses,
  choice,
  commonSettings,
  count,
  type Definitions,
  flag,
  milliseconds,
  port,
  type SettingsOf,
  secret,
  text,
} from '../../common/settings.js';

export const pushSettings = {
  ...commonSettings,
  routeServers: addresses('127.0.0.1:8200', 'route servers'),
  dbProxies: addresses('127.0.0.1:10600', 'db-proxies'),
  port: port(8500, 'where consoles connect'),
  askTimeoutMs: milliseconds(10_000, 'how long another server may take to answer'),

  text: choice(TEXTS, 'full', 'what a push shows: the message, who sent it, or only that there is one'),
  language: choice(LANGUAGES, 'zh', 'language of what is not in the message'),
  whilePcOnline: choice(WHILE_PC_ONLINE, 'badge', "what a phone gets while its user's PC client is here"),
  expiryMs: milliseconds(3_600_000, 'how long a push is tried, and kept by the vendor for a phone that is off', 1_000),
  pushesPerDevicePerMinute: count(600, 'pushes to one phone per minute; further ones are sent later', 1),
  atOnce: count(100, 'pushes on their way to one vendor at once', 1, 10_000),
  claimLeaseMs: milliseconds(60_000, 'after so long without a word from this server others take up its work', 1_000),
  vendorTimeoutMs: milliseconds(10_000, 'how long a vendor may take to answer'),

  ios: choice(
    ['log', 'apns', 'webhook', 'none'],
    'log',
    'where pushes for iOS go; log: into the log, without the text',
  ),
  android: choice(['log', 'fcm', 'webhook', 'none'], 'log', 'where pushes for Android go'),

  apnsTopic: text('', 'bundle id of the app'),
  apnsKeyFile: text('', 'path of the .p8 key for authentication by token'),
  apnsKeyId: text('', 'id of that key'),
  apnsTeamId: text('', 'id of the team that it belongs to'),
  apnsCertificateFile: text('', 'path of the certificate (PEM), for authentication by certificate'),
  apnsCertificateKeyFile: text('', 'path of its private key (PEM)'),
  apnsSandbox: flag(false, "Apple's sandbox, for apps that were not installed from the store"),
  apnsAddress: text('', "host:port in place of Apple's"),
  apnsCaFile: text('', 'path of the certificate authority (PEM) for that address'),

  fcmAccountFile: text('', 'path of the JSON key of a service account with the right to send'),
  fcmUrl: text('https://fcm.googleapis.com', 'base URL of FCM'),

  webPushSubject: text('', 'mailto: or https: address of who runs this, for vendors of browsers'),
  webPushPublicKey: text('', 'VAPID public key, base64url'),
  webPushPrivateKey: { ...secret('VAPID private key, base64url') },
  webPushCaFile: text('', 'path of certificate authorities (PEM) in place of the well-known ones'),
  webPushNetworks: networks('private networks that subscriptions may lead to; public ones always may'),

  webhookUrl: text('', 'where pushes go whose vendor is bridged by a program of yours'),
  webhookSecret: secret('key of the signature (HMAC-SHA256) over timestamp and body'),
} satisfies Definitions;

export type PushSettings = SettingsOf<typeof pushSettings>;
