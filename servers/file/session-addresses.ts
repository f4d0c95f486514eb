import { setTimeout as delay } from 'node:timers/promises';
import { ImError } from '../../common/errors.js';
import { SESSION_ADDRESSES_MAX } from '../../common/limits.js';
import type { Logger } from '../../common/log.js';
import { plainAddress } from '../../common/net/ip.js';
import type { Peer } from '../../common/net/peers.js';
import type { IM } from '../../common/pdu/pb.js';

/** A client may be faster than what its msg server tells of it; after a break of ours all of them dial again. */
const LATE_MS = 1_000;

/** Addresses that clients have sessions from, by the msg server that said so and for as long as its link is there. */
export class SessionAddresses {
  readonly #told = new Map<Peer, Set<string>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  get count(): number {
    let sum = 0;
    for (const addresses of this.#told.values()) sum += addresses.size;
    return sum;
  }

  heard(peer: Peer, { reset, addressIn, addressOut }: IM.Cluster.IMSessionAddresses): void {
    const addresses = reset === true ? new Set<string>() : (this.#told.get(peer) ?? new Set());
    this.#told.set(peer, addresses);
    for (const address of addressOut) addresses.delete(address);
    const room = SESSION_ADDRESSES_MAX - addresses.size;
    if (addressIn.length > room)
      this.#log.warn({ peer: peer.name, max: SESSION_ADDRESSES_MAX }, 'more client addresses than are remembered');
    for (const address of addressIn.slice(0, room)) addresses.add(address);
  }

  left(peer: Peer): void {
    this.#told.delete(peer);
  }

  /** @throws ImError NOT_ALLOWED when nobody has a session from there */
  async require(address: string): Promise<void> {
    const plain = plainAddress(address);
    if (this.#has(plain)) return;
    await delay(LATE_MS);
    if (!this.#has(plain)) throw new ImError('NOT_ALLOWED', `nobody at ${plain} is logged in`);
  }

  #has(address: string): boolean {
    for (const addresses of this.#told.values()) if (addresses.has(address)) return true;
    return false;
  }
}
