import { choice, count, type Definitions, type SettingsOf, text } from '../settings.js';

/** Of every server that clients connect to over more than plain TCP. */
export const doorSettings = {
  tlsCertificateFile: text('', 'certificate for clients that speak TLS, with its chain, PEM; empty: no TLS'),
  tlsKeyFile: text('', 'its private key, PEM'),
  tlsVersionMin: choice(['TLSv1.3', 'TLSv1.2'], 'TLSv1.3', 'oldest TLS that clients may speak'),
  plainClients: choice(['allow', 'loopback', 'refuse'], 'allow', 'clients without TLS: all, of this machine, none'),
  webSocketOrigins: text(
    '',
    'origins whose pages may connect by WebSocket, as in https://chat.example.com; *: all; empty: our own',
  ),
  handshakesMax: count(2_000, 'connections that are still beginning at most; with more, the oldest is closed', 1),
} satisfies Definitions;

export type DoorSettings = SettingsOf<typeof doorSettings>;
