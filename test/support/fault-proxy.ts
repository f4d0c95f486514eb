import { connect, createServer, type Socket } from 'node:net';
import type { Teardown } from './postgres.js';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Towards the target, and from it. */
const WAYS = ['there', 'back'] as const;
export type Way = (typeof WAYS)[number];

/**
 * Stands between two servers and does to their connections what networks do: latency, a narrow pipe, a partition of one
 * way or both (what was sent then is held and arrives after it, as TCP repeats it), resets, and connections whose other
 * end has gone without a word.
 */
export class FaultProxy {
  readonly port: number;
  /** Where new connections go. */
  target: Target;
  /** How much later everything arrives, in ms, each way. */
  latencyMs = 0;
  /** What goes through in a second, each way; 0: anything. */
  bytesPerSecond = 0;
  readonly #pairs: Set<Pair>;
  readonly #held = new Set<Way>();

  private constructor(target: Target, port: number, pairs: Set<Pair>) {
    this.target = target;
    this.port = port;
    this.#pairs = pairs;
  }

  /** Closed at the end of the test. The target may come later. */
  static async start(t: Teardown, target: Target): Promise<FaultProxy> {
    const pairs = new Set<Pair>();
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
      const far = connect({ ...proxy.target, noDelay: true, allowHalfOpen: true });
      const pair: Pair = { near, far, isDead: false };
      pairs.add(pair);
      for (const [from, to, way] of [
        [near, far, 'there'],
        [far, near, 'back'],
      ] as const) {
        from.on('error', () => undefined);
        from.on('close', () => {
          if (!pair.isDead) to.destroy();
          pairs.delete(pair);
        });
        void proxy.#pass(pair, from, to, way);
      }
    });
    t.teardown(() => {
      server.close();
      for (const { near, far } of pairs) for (const socket of [near, far]) socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new FaultProxy(target, (server.address() as { port: number }).port, pairs);
    return proxy;
  }

  /** Nothing passes these ways until `heal`. */
  part(...ways: readonly Way[]): void {
    for (const way of ways.length === 0 ? WAYS : ways) this.#held.add(way);
  }

  /** Nothing is wrong any more; what is half open stays so. */
  heal(): void {
    this.latencyMs = 0;
    this.bytesPerSecond = 0;
    this.#held.clear();
  }

  /** Every connection there is ends with an RST. */
  reset(): void {
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.resetAndDestroy();
  }

  /** The ends of every connection there is hear nothing more of each other; new ones work. */
  forget(): void {
    for (const pair of this.#pairs) pair.isDead = true;
  }

  async #pass(pair: Pair, from: Socket, to: Socket, way: Way): Promise<void> {
    try {
      for await (const bytes of from as AsyncIterable<Buffer>) {
        const dueMs = performance.now() + this.latencyMs;
        if (this.latencyMs > 0) await until(() => performance.now() >= dueMs);
        if (this.bytesPerSecond > 0) await pause((bytes.length / this.bytesPerSecond) * 1000);
        await until(() => !this.#held.has(way));
        if (!pair.isDead) to.write(bytes);
      }
      await until(() => !this.#held.has(way));
      if (!pair.isDead) to.end();
    } catch {
      if (!pair.isDead) to.destroy(); // the connection has broken
    }
  }
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  isDead: boolean;
}

const LOOK_MS = 5;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(LOOK_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
