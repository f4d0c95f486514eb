import ipaddr from 'ipaddr.js';

/** An address as every server writes it, however its sockets do: an IPv4 address in IPv6 is that IPv4 address. */
export function plainAddress(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}
