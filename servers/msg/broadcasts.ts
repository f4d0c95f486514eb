import type { IM } from '../../common/pdu/pb.js';
import type { Session } from './session.js';
import type { Sessions } from './sessions.js';

/** Sessions that are written to in one turn of the event loop: about 2 ms of it. */
const TURN = 200;

/**
 * What everybody hears, in the order in which it came, over as many turns of the event loop as it takes: twenty
 * thousand writes in one would keep every message waiting for some tenths of a second.
 */
export class Broadcasts {
  readonly #sessions: Sessions;
  readonly #delivered: (count: number) => void;
  readonly #queue: { readonly frame: Buffer; readonly to: Session[] }[] = [];
  #running = false;

  constructor(sessions: Sessions, delivered: (count: number) => void) {
    this.#sessions = sessions;
    this.#delivered = delivered;
  }

  /** To all who are here now. `frame` may be several, one behind the other. */
  send(frame: Buffer, onlyClass?: IM.Cluster.DeviceClass): void {
    const to = [...this.#sessions].filter((each) => onlyClass === undefined || each.deviceClass === onlyClass);
    this.#queue.push({ frame, to });
    if (this.#running) return;
    this.#running = true;
    this.#turn();
  }

  #turn(): void {
    const first = this.#queue[0]!;
    const part = first.to.splice(-TURN);
    for (const session of part) session.send(first.frame);
    this.#delivered(part.length);
    if (first.to.length === 0) this.#queue.shift();
    if (this.#queue.length > 0) setImmediate(() => this.#turn());
    else this.#running = false;
  }
}
