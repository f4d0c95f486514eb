import { isIP } from 'node:net';
import { FilterParser } from 'ldapts';
import { z } from 'zod';
import { isLoopback } from '../../common/net/door.js';
import {
  count,
  type Definitions,
  flag,
  milliseconds,
  type Setting,
  SettingsError,
  type SettingsOf,
  secret,
  text,
} from '../../common/settings.js';

function checked(
  setting: Setting<string>,
  unit: string,
  fault: (value: string) => string | undefined,
): Setting<string> {
  const is = z.string().superRefine((value, ctx) => {
    const message = value === '' ? undefined : fault(value);
    if (message !== undefined) ctx.addIssue({ code: 'custom', message });
  });
  return { ...setting, is, unit };
}

const attribute = (value: string, doc: string) =>
  checked(text(value, doc), 'name of an attribute', (name) =>
    /^[A-Za-z][A-Za-z0-9-]*$/.test(name) ? undefined : `${name} is no name of an attribute`,
  );

/** Of db-proxies, which ask the directory in the name of msg servers and consoles. */
export const ldapSettings = {
  ldapUrls: checked(
    text('', 'LDAP servers, one after the other until one answers; empty: no LDAP'),
    'ldap://host:389 or ldaps://host:636, …',
    (urls) =>
      urlsOf(urls).every((url) => /^ldaps?:\/\/[^/?#@]+\/?$/.test(url))
        ? undefined
        : 'expected ldap://host:port or ldaps://host:port, …',
  ),
  ldapStartTls: flag(false, 'ldap:// goes on encrypted after StartTLS, or not at all'),
  ldapCaFile: text('', 'PEM, the authority of the LDAP servers’ certificates; default: the public ones'),
  ldapBindDn: text('', 'account that looks people up; empty: anonymous'),
  ldapBindPassword: secret('its password', 1),
  ldapBase: text('', 'where people are: ou=people,dc=example,dc=com'),
  ldapFilter: checked(
    text('(objectClass=person)', 'who of them may come in; who does not match any more is out'),
    'LDAP filter',
    (filter) => {
      try {
        FilterParser.parseString(filter);
        // The parser closes what was left open; parentheses in values are written as \\28 and \\29.
        return filter.split('(').length === filter.split(')').length ? undefined : 'not every ( has its )';
      } catch (error) {
        return `no LDAP filter: ${(error as Error).message}`;
      }
    },
  ),
  ldapIdAttribute: attribute('entryUUID', 'what never changes of a person; objectGUID in Active Directory'),
  ldapNameAttribute: attribute('uid', 'what one logs in with; sAMAccountName in Active Directory'),
  ldapNickAttribute: attribute('cn', 'name as others see it'),
  ldapEmailAttribute: attribute('mail', 'e-mail'),
  ldapDepartmentAttribute: attribute('', 'name of the department, looked for among those that are here'),
  ldapTimeoutMs: milliseconds(
    3_000,
    'how long LDAP servers may take for one question, connecting and all servers together',
  ),
  ldapRecheckMs: milliseconds(3_600_000, 'everybody who came from LDAP is looked up again after so long', 1_000),
  ldapAsksMax: count(8, 'connections to LDAP servers at a time', 1, 200),
} satisfies Definitions;

export type LdapSettings = SettingsOf<typeof ldapSettings>;

export function urlsOf(list: string): string[] {
  return list
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** @throws SettingsError for settings that do not go together */
export function checkLdap(settings: LdapSettings): void {
  if (settings.ldapUrls === '') return;
  const wrong = (name: string, why: string) => new SettingsError(`wrong settings for LDAP:\n  ${name}: ${why}`);
  if (settings.ldapBase === '') throw wrong('ldapBase', 'must be set with ldapUrls');
  if (settings.ldapBindDn !== '' && settings.ldapBindPassword === '')
    throw wrong('ldapBindPassword', 'must be set with ldapBindDn: without a password LDAP servers take anybody');
  for (const url of urlsOf(settings.ldapUrls)) {
    const { protocol, hostname } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    const here = host === 'localhost' || (isIP(host) !== 0 && isLoopback(host));
    if (protocol === 'ldap:' && !settings.ldapStartTls && !here)
      throw wrong('ldapUrls', `passwords would go to ${url} in the clear; use ldaps:// or ldapStartTls`);
  }
}
