import { isIP } from 'node:net';
import { isLoopback } from '../../common/net/door.js';
import { type Definitions, milliseconds, SettingsError, type SettingsOf, secret, text } from '../../common/settings.js';

/** Of the console, where people sign in with the company's account. */
export const oidcSettings = {
  oidcIssuer: text('', 'issuer of OpenID Connect: https://login.example.com/realms/company; empty: none'),
  oidcClientId: text('', 'as whom the console is known there; its redirect URI is publicUrl + /sign-in/callback'),
  oidcClientSecret: secret('its secret; empty for a client without one', 1),
  oidcScopes: text('openid profile email', 'what is asked for'),
  oidcNameClaim: text('preferred_username', 'claim that people log in with here'),
  oidcNickClaim: text('name', 'claim with the name as others see it'),
  oidcEmailClaim: text('email', 'claim with the e-mail'),
  oidcDepartmentClaim: text('', 'claim with the name of the department, looked for among those that are here'),
  oidcTimeoutMs: milliseconds(5_000, 'how long the provider may take for one answer'),
  signInRedirects: text(
    '',
    'addresses beside this machine’s own that clients may have the code sent to, comma-separated, exact',
  ),
  personSessionMs: milliseconds(3_600_000, 'somebody who signed in on his page is asked again after so long'),
} satisfies Definitions;

export type OidcSettings = SettingsOf<typeof oidcSettings>;

/** @throws SettingsError for settings that do not go together */
export function checkOidc(settings: OidcSettings & { readonly publicUrl: string }): void {
  const wrong = (name: string, why: string) =>
    new SettingsError(`wrong settings for OpenID Connect:\n  ${name}: ${why}`);
  for (const each of listOf(settings.signInRedirects))
    if (!URL.canParse(each) || /^(javascript|data|vbscript|file|blob):/i.test(each))
      throw wrong('signInRedirects', `${each} is no address of a client`);
  if (settings.oidcIssuer === '') return;
  if (!URL.canParse(settings.oidcIssuer) || !isPrivateEnough(new URL(settings.oidcIssuer)))
    throw wrong('oidcIssuer', 'expected https://…, or http:// on this machine');
  if (settings.oidcClientId === '') throw wrong('oidcClientId', 'must be set with oidcIssuer');
  if (!URL.canParse(settings.publicUrl) || !isPrivateEnough(new URL(settings.publicUrl)))
    throw wrong('publicUrl', 'must be set with oidcIssuer: https://…, or http:// on this machine');
  if (!settings.oidcScopes.split(' ').includes('openid')) throw wrong('oidcScopes', 'must have openid in it');
}

/** Whether a client may have a code sent there: a port of its own machine, by number, or what the settings name. */
export function redirectCheck(settings: OidcSettings): (address: string) => boolean {
  const named = new Set(listOf(settings.signInRedirects));
  return (address) => {
    if (named.has(address)) return true;
    if (!URL.canParse(address)) return false;
    const { protocol, hostname, username, password } = new URL(address);
    return protocol === 'http:' && LOOPBACK.has(hostname) && username === '' && password === '';
  };
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]']);

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** By TLS, or not over any network. */
function isPrivateEnough({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isThisMachine(hostname));
}

function isThisMachine(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || (isIP(host) !== 0 && isLoopback(host));
}
