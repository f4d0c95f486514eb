import type { Peer } from '../../common/net/peers.js';

/**
 * Who is online, by msg server and client type. For others only PC clients count: that is what TeamTalk clients show
 * as online, and what iOS reads as "my PC is on".
 */
export class Presence {
  /** user → msg server → client type → sessions */
  readonly #users = new Map<number, Map<Peer, Map<number, number>>>();

  change(peer: Peer, userId: number, clientType: number, by: 1 | -1): void {
    this.set(peer, userId, clientType, this.sessions(peer, userId, clientType) + by);
  }

  /** How many sessions there are there now. */
  set(peer: Peer, userId: number, clientType: number, count: number): void {
    const servers = this.#users.get(userId) ?? new Map<Peer, Map<number, number>>();
    const types = servers.get(peer) ?? new Map<number, number>();
    if (count > 0) types.set(clientType, count);
    else types.delete(clientType);
    if (types.size > 0) servers.set(peer, types);
    else servers.delete(peer);
    if (servers.size > 0) this.#users.set(userId, servers);
    else this.#users.delete(userId);
  }

  sessions(peer: Peer, userId: number, clientType: number): number {
    return this.#users.get(userId)?.get(peer)?.get(clientType) ?? 0;
  }

  /** All that is known of one msg server. */
  of(peer: Peer): { readonly userId: number; readonly clientType: number; readonly count: number }[] {
    const found: { userId: number; clientType: number; count: number }[] = [];
    for (const [userId, servers] of this.#users)
      for (const [clientType, count] of servers.get(peer) ?? []) found.push({ userId, clientType, count });
    return found;
  }

  /** Where the user is with a client of the class of this type. */
  *withClass(userId: number, clientType: number): Iterable<Peer> {
    for (const [peer, types] of this.#users.get(userId) ?? [])
      if ([...types.keys()].some((type) => isPc(type) === isPc(clientType))) yield peer;
  }

  /** Msg server → [user id, client type, sessions], in the order of ids. */
  byServer(): Map<string, [number, number, number][]> {
    const found = new Map<string, [number, number, number][]>();
    for (const [userId, servers] of this.#users)
      for (const [{ name }, types] of servers)
        for (const [clientType, count] of types) {
          const list = found.get(name) ?? [];
          found.set(name, list);
          list.push([userId, clientType, count]);
        }
    for (const list of found.values()) list.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    return found;
  }

  /** @returns the users whose PC went with it. */
  forget(peer: Peer): number[] {
    const gone: number[] = [];
    for (const [userId, servers] of this.#users) {
      const hadPc = this.pcOnline(userId);
      if (!servers.delete(peer)) continue;
      if (servers.size === 0) this.#users.delete(userId);
      if (hadPc && !this.pcOnline(userId)) gone.push(userId);
    }
    return gone;
  }

  pcOnline(userId: number): boolean {
    for (const types of this.#users.get(userId)?.values() ?? []) {
      for (const type of types.keys()) if (isPc(type)) return true;
    }
    return false;
  }

  /** Every session of the user: the msg server and the client type. */
  *sessionsOf(userId: number): Iterable<{ readonly server: string; readonly clientType: number }> {
    for (const [peer, types] of this.#users.get(userId) ?? [])
      for (const [clientType, count] of types) for (let i = 0; i < count; i++) yield { server: peer.name, clientType };
  }

  classes(userId: number): { pc: boolean; mobile: boolean } {
    const types = [...this.sessionsOf(userId)].map((each) => each.clientType);
    return { pc: types.some(isPc), mobile: types.some((type) => !isPc(type)) };
  }

  /** With any client, a phone included. */
  online(userId: number): boolean {
    return this.#users.has(userId);
  }

  get count(): number {
    return this.#users.size;
  }
}

/** Bit 4 of a client type marks the mobile ones. */
export function isPc(clientType: number): boolean {
  return (clientType & 0x10) === 0;
}
