import type { Peer } from '../../common/net/peers.js';

/**
 * Who is interested in what: a user or a group is a subject, and a msg server is interested while somebody it serves
 * is that user or in that group. Soft: a msg server that comes back says everything anew.
 */
export class Subjects {
  readonly #users = new Map<number, Set<Peer>>();
  readonly #groups = new Map<number, Set<Peer>>();

  add(peer: Peer, users: Iterable<number>, groups: Iterable<number>): void {
    for (const id of users) insert(this.#users, id, peer);
    for (const id of groups) insert(this.#groups, id, peer);
  }

  remove(peer: Peer, users: Iterable<number>, groups: Iterable<number>): void {
    for (const id of users) erase(this.#users, id, peer);
    for (const id of groups) erase(this.#groups, id, peer);
  }

  forget(peer: Peer): void {
    this.remove(peer, [...this.#users.keys()], [...this.#groups.keys()]);
  }

  /** Each interested msg server once, whatever the number of subjects it shares. */
  interested(users: readonly number[], groupId?: number): Set<Peer> {
    const found = new Set<Peer>();
    for (const id of users) for (const peer of this.#users.get(id) ?? []) found.add(peer);
    if (groupId !== undefined) for (const peer of this.#groups.get(groupId) ?? []) found.add(peer);
    return found;
  }

  get size(): number {
    return this.#users.size + this.#groups.size;
  }
}

function insert(table: Map<number, Set<Peer>>, id: number, peer: Peer): void {
  const there = table.get(id);
  if (there === undefined) table.set(id, new Set([peer]));
  else there.add(peer);
}

function erase(table: Map<number, Set<Peer>>, id: number, peer: Peer): void {
  const there = table.get(id);
  if (there?.delete(peer) && there.size === 0) table.delete(id);
}
