import type { HopsAnswer } from '../../common/hop.js';
import { type HopQuery, hopsPath, hopsProof } from '../../common/hops.js';
import type { HostPort } from '../../common/settings.js';
import type { TraceHop, TraceServer } from './api.js';
import { placeOf, textOf, type Watch } from './watch.js';

/** What the servers remember of a message, all of them asked at once. */
export interface Remembered {
  /** By the clock of this console, oldest first. */
  readonly hops: readonly TraceHop[];
  readonly servers: readonly TraceServer[];
}

/** Asks the servers for the ways of messages, over their ops ports. */
export class HopFinder {
  readonly #targets: readonly HostPort[];
  readonly #secret: string;
  readonly #watch: Watch;

  constructor(targets: readonly HostPort[], clusterSecret: string, watch: Watch) {
    this.#targets = targets;
    this.#secret = clusterSecret;
    this.#watch = watch;
  }

  async find(query: HopQuery): Promise<Remembered> {
    const answers = await Promise.all(this.#targets.map((target) => this.#ask(placeOf(target), query)));
    const hops = answers.flatMap((answer) => answer.hops);
    return { hops: hops.sort((a, b) => a.atMs - b.atMs), servers: answers.map(({ server }) => server) };
  }

  async #ask(place: string, query: HopQuery): Promise<{ server: TraceServer; hops: readonly TraceHop[] }> {
    const path = hopsPath(query);
    const [askedMs, askedTicks] = [Date.now(), performance.now()];
    try {
      const headers = { authorization: `Proof ${hopsProof(this.#secret, path)}` };
      const { status, text } = await textOf(`http://${place}${path}`, headers);
      const tookMs = performance.now() - askedTicks;
      if (status !== 200) throw new Error(`status ${status}`);
      const { server: name, role, nowMs, sinceMs, hops } = JSON.parse(text) as HopsAnswer;
      // Its clock was read somewhere between the question and the answer.
      const offsetMs = nowMs - (askedMs + tookMs / 2);
      const known = { sinceMs: sinceMs - offsetMs, offsetMs, uncertainMs: tookMs / 2 };
      return {
        server: { name, role, ...known },
        hops: hops.map((hop) => ({ ...hop, server: name, role, atMs: hop.atMs - offsetMs })),
      };
    } catch (error) {
      return { server: { ...this.#watch.nameAt(place), problem: (error as Error).message }, hops: [] };
    }
  }
}
