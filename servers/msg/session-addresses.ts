import { SESSION_ADDRESSES_TOLD_MAX } from '../../common/limits.js';
import { plainAddress } from '../../common/net/ip.js';
import type { Link } from '../../common/net/link.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import { cluster } from '../../common/pdu/commands.js';
import type { Session } from './session.js';

/**
 * The addresses that clients with a session come from, as file servers want to know them: stock clients upload pictures
 * without saying who they are. What changes in one turn of the event loop is told in one frame, and everything to a file
 * server whose link comes up.
 */
export class SessionAddresses {
  readonly #links: LinkGroup;
  /** Kept, as a closed socket has forgotten where it came from. */
  readonly #ofSession = new Map<Session, string>();
  readonly #counts = new Map<string, number>();
  readonly #changed = new Set<string>();
  #telling: NodeJS.Immediate | undefined;

  constructor(links: LinkGroup) {
    this.#links = links;
  }

  began(session: Session): void {
    const address = plainAddress(session.connection.address);
    this.#ofSession.set(session, address);
    const count = this.#counts.get(address) ?? 0;
    this.#counts.set(address, count + 1);
    if (count === 0) this.#change(address);
  }

  ended(session: Session): void {
    const address = this.#ofSession.get(session);
    if (address === undefined) return;
    this.#ofSession.delete(session);
    const left = this.#counts.get(address)! - 1;
    if (left > 0) this.#counts.set(address, left);
    else {
      this.#counts.delete(address);
      this.#change(address);
    }
  }

  /** All of them, to one that knows nothing yet. */
  announce(link: Link): void {
    link.tell(cluster.sessionAddresses, { reset: true });
    for (const addressIn of inParts([...this.#counts.keys()])) link.tell(cluster.sessionAddresses, { addressIn });
  }

  close(): void {
    clearImmediate(this.#telling);
  }

  #change(address: string): void {
    this.#changed.add(address);
    this.#telling ??= setImmediate(() => this.#tell());
  }

  #tell(): void {
    this.#telling = undefined;
    for (const part of inParts([...this.#changed])) {
      const addressIn = part.filter((address) => this.#counts.has(address));
      const addressOut = part.filter((address) => !this.#counts.has(address));
      this.#links.tellAll(cluster.sessionAddresses, { addressIn, addressOut });
    }
    this.#changed.clear();
  }
}

function* inParts(addresses: readonly string[]): Iterable<string[]> {
  for (let at = 0; at < addresses.length; at += SESSION_ADDRESSES_TOLD_MAX)
    yield addresses.slice(at, at + SESSION_ADDRESSES_TOLD_MAX);
}
