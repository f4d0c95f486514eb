import { lookup as dnsLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, buildConnector } from 'undici';
import type { Network } from './networks.js';

/**
 * The way out to addresses that others chose. A name is resolved once and the connection goes to the very address that
 * was looked at, so a name cannot mean one thing to the check and another to the connection. Redirects are not
 * followed by those who use this.
 */

export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

/** Public addresses only, but for the networks that are allowed. IPv4 in the clothes of IPv6 is looked at as IPv4. */
export function mayConnect(address: string, allowed: readonly Network[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() === 'unicast') return true;
  return allowed.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match([network, bits] as never));
}

/**
 * An agent of undici that connects nowhere else. `ca`: certificate authorities (PEM) in place of the well-known ones.
 * @throws AddressRefused, as the cause of what the request throws
 */
export function guardedAgent(allowed: readonly Network[], connectTimeoutMs: number, ca?: string): Agent {
  const refused = (host: string) => new AddressRefused(`${host} leads to an address that is not allowed`);
  const lookup: LookupFunction = (host, options, done) => {
    dnsLookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, '', 0);
      const first = found.find(({ address }) => mayConnect(address, allowed));
      // One private address among public ones is a trap as well.
      if (first === undefined || found.some(({ address }) => !mayConnect(address, allowed)))
        return done(refused(host), '', 0);
      if (options.all === true) return done(null, found);
      done(null, first.address, first.family);
    });
  };
  const connect = buildConnector({ timeout: connectTimeoutMs, lookup, ...(ca && { ca }) } as never);
  return new Agent({
    connect(options, done) {
      const host = options.hostname.replace(/^\[|\]$/g, '');
      // An address needs no look-up, so it would not pass by there.
      if (isIP(host) !== 0 && !mayConnect(host, allowed)) return done(refused(host), null);
      connect(options, done);
    },
  });
}
