import type { Peer } from '../../common/net/peers.js';
import type { IM } from '../../common/pdu/pb.js';

export type Choice =
  | { readonly found: true; readonly ip1: string; readonly ip2: string; readonly port: number }
  | { readonly found: false; readonly why: 'none' | 'full' };

interface Entry {
  readonly load: IM.Cluster.IMMsgServLoad;
  /** Clients sent there since its last word; in choosing they count as there until it says otherwise. */
  sent: number;
}

/** Which msg servers are up and how full. An entry goes with its link. */
export class MsgServers {
  readonly #entries = new Map<Peer, Entry>();

  heard(peer: Peer, load: IM.Cluster.IMMsgServLoad): void {
    this.#entries.set(peer, { load, sent: 0 });
  }

  gone(peer: Peer): void {
    this.#entries.delete(peer);
  }

  /** All of them, for the console. */
  list(): IM.Console.MsgServerInfo.$Properties[] {
    return [...this.#entries].map(([{ name }, { load }]) => ({
      name,
      place: `${load.ip1}:${load.port}`,
      connections: load.curConnCnt,
      connectionsMax: load.maxConnCnt,
      draining: load.draining,
    }));
  }

  get count(): number {
    return this.#entries.size;
  }
  get connections(): number {
    let sum = 0;
    for (const { load } of this.#entries.values()) sum += load.curConnCnt;
    return sum;
  }

  /**
   * The less full one of two that are drawn at random: clients spread evenly, and a burst between two words of a
   * server does not all go to the one that was emptiest.
   */
  choose(random: () => number = Math.random): Choice {
    const up = [...this.#entries.values()].filter(({ load }) => !load.draining);
    if (up.length === 0) return { found: false, why: 'none' };
    // Only those who came fill a server up: who was merely sent there may never come, and nobody would take him back.
    const free = up.filter(({ load }) => load.curConnCnt < load.maxConnCnt);
    if (free.length === 0) return { found: false, why: 'full' };
    const draw = () => free[Math.floor(random() * free.length)]!;
    const [a, b] = [draw(), draw()];
    const chosen = fill(a) <= fill(b) ? a : b;
    chosen.sent++;
    const { ip1, ip2, port } = chosen.load;
    return { found: true, ip1, ip2, port };
  }
}

function fill({ load, sent }: Entry): number {
  return load.maxConnCnt === 0 ? 1 : (load.curConnCnt + sent) / load.maxConnCnt;
}
