import type { Peer } from '../../common/net/peers.js';
import type { IM } from '../../common/pdu/pb.js';

export type Choice =
  | { readonly found: true; readonly ip1: string; readonly ip2: string; readonly port: number }
  | { readonly found: false; readonly why: 'none' | 'full' };

interface Entry {
  readonly load: IM.Cluster.IMMsgServLoad;
  /** Its part of all clients: its places, by its weight and that of its zone here. */
  readonly share: number;
  /** Clients sent there since its last word; in choosing they count as there until it says otherwise. */
  sent: number;
  /** Ticks since its last word. Counted and not timed: a pause of our own is not taken for one of theirs. */
  ticks: number;
}

export const TICK_MS = 1_000;
/** One that is silent for so many of its intervals and a tick hangs, though its connection stands. */
const INTERVALS_MISSED_MAX = 3;

/** Which msg servers are up and how full. An entry goes with its link. */
export class MsgServers {
  readonly #entries = new Map<Peer, Entry>();
  readonly #zoneWeights: ReadonlyMap<string, number>;

  /** Percent, by zone. */
  constructor(zoneWeights: ReadonlyMap<string, number> = new Map()) {
    this.#zoneWeights = zoneWeights;
  }

  heard(peer: Peer, load: IM.Cluster.IMMsgServLoad): void {
    const before = this.#entries.get(peer);
    // A word that has nothing new may have left before those who were sent there have come.
    const sent = before?.load.curConnCnt === load.curConnCnt ? before.sent >> 1 : 0;
    const share = load.maxConnCnt * (load.weight ?? 100) * (this.#zoneWeights.get(load.zone ?? '') ?? 100);
    this.#entries.set(peer, { load, share, sent, ticks: 0 });
  }

  /** Called every TICK_MS. */
  tick(): void {
    for (const entry of this.#entries.values()) entry.ticks++;
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

  /** Up by their link, and silent. */
  get hung(): number {
    return [...this.#entries.values()].filter(isHung).length;
  }

  /**
   * The less full one of two that are drawn at random: clients spread evenly, and a burst between two words of a
   * server does not all go to the one that was emptiest. Shares count in both: how often one is drawn, and what full is.
   */
  choose(random: () => number = Math.random): Choice {
    const up = [...this.#entries.values()].filter((entry) => !entry.load.draining && !isHung(entry));
    if (up.length === 0) return { found: false, why: 'none' };
    // Only those who came fill a server up: who was merely sent there may never come, and nobody would take him back.
    const free = up.filter(({ load }) => load.curConnCnt < load.maxConnCnt);
    if (free.length === 0) return { found: false, why: 'full' };
    const wanted = free.filter(({ share }) => share > 0);
    const drawn = wanted.length > 0 ? wanted : free;
    const [a, b] = [draw(drawn, random), draw(drawn, random)];
    const chosen = fill(a) <= fill(b) ? a : b;
    chosen.sent++;
    const { ip1, ip2, port } = chosen.load;
    return { found: true, ip1, ip2, port };
  }
}

function isHung({ load, ticks }: Entry): boolean {
  return load.everyMs !== undefined && load.everyMs > 0 && (ticks - 1) * TICK_MS > load.everyMs * INTERVALS_MISSED_MAX;
}

function draw(entries: readonly Entry[], random: () => number): Entry {
  let left = random() * entries.reduce((sum, { share }) => sum + share, 0);
  for (const entry of entries) {
    left -= entry.share;
    if (left < 0) return entry;
  }
  return entries[Math.floor(random() * entries.length)]!; // nobody has a share
}

function fill({ load, share, sent }: Entry): number {
  return (load.curConnCnt + sent) / (share || load.maxConnCnt);
}
