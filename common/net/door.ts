import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificate } from './certificate.js';
import type { DoorSettings } from './door-settings.js';
import { type Listening, listen } from './listener.js';

/** Why somebody did not get through the door. */
export type Refusal =
  | 'full' // the server takes no more connections
  | 'pushed-out' // too many were beginning, and this one had been at it longest
  | 'login-timeout' // did not get through in time
  | 'plain-refused' // without TLS, which is not let in
  | 'not-begun'; // gone before it had begun, or its handshake failed

export interface DoorOptions {
  readonly port: number;
  readonly host: string;
  readonly settings: DoorSettings;
  readonly certificate: Certificate | undefined;
  /** How long it may take to get through, in ms. */
  readonly beginMs: number;
  /** Whether there is no room for one more. */
  full?(beginning: number): boolean;
  /** Somebody has said his first byte; it waits to be read. */
  arrived(visitor: Visitor): void;
  refused?(why: Refusal): void;
}

const TLS_HANDSHAKE = 0x16;

/**
 * A port for clients with TLS and without, told apart by the first byte: a TLS handshake begins with 0x16, a frame of
 * ours with 0x00 and a request of HTTP with a letter.
 *
 * Who is still beginning costs little, has a deadline, and there is a bound on how many: beyond it the one that has been
 * at it longest goes. So those who connect and dawdle push each other out, and an honest client, which is through
 * within a few round trips, gets in between them.
 */
export class Door implements Listening {
  readonly #options: DoorOptions;
  /** Oldest first. */
  readonly #beginning = new Set<Visitor>();
  #listening: Listening | undefined;

  private constructor(options: DoorOptions) {
    this.#options = options;
  }

  static async open(options: DoorOptions): Promise<Door> {
    const door = new Door(options);
    door.#listening = await listen(options.port, options.host, (socket) => door.#accept(socket));
    return door;
  }

  get port(): number {
    return this.#listening!.port;
  }
  get beginning(): number {
    return this.#beginning.size;
  }

  /** Nobody comes in any more, and those in the door neither. */
  close(): void {
    this.#listening!.close();
    for (const visitor of this.#beginning) visitor.refuse('not-begun');
  }

  #accept(socket: Socket): void {
    const { full, beginMs, settings, refused } = this.#options;
    if (full?.(this.#beginning.size) === true) {
      refused?.('full');
      socket.destroy();
      return;
    }
    const visitor = new Visitor(socket, beginMs, (why) => {
      this.#beginning.delete(visitor);
      if (why !== undefined) refused?.(why);
    });
    this.#beginning.add(visitor);
    if (this.#beginning.size > settings.handshakesMax) {
      const [oldest] = this.#beginning;
      oldest!.refuse('pushed-out');
    }
    visitor.hear((first) => this.#began(visitor, socket, first));
  }

  #began(visitor: Visitor, socket: Socket, first: number): void {
    const { certificate, settings, arrived } = this.#options;
    if (certificate !== undefined && first === TLS_HANDSHAKE) {
      visitor.startTls(certificate, () => visitor.hear(() => arrived(visitor)));
      return;
    }
    const { plainClients } = settings;
    if (plainClients === 'refuse' || (plainClients === 'loopback' && !isLoopback(socket.remoteAddress)))
      visitor.refuse('plain-refused');
    else arrived(visitor);
  }
}

/** Somebody in the door. */
export class Visitor {
  /** Monotonic ms of the connecting. */
  readonly sinceMs = performance.now();
  /** What he speaks over: the connection, or TLS on it. */
  socket: Socket;
  /** His first byte, under TLS if there is any. */
  first = 0;
  readonly #raw: Socket;
  readonly #timer: NodeJS.Timeout;
  #gone: ((why: Refusal | undefined) => void) | undefined;
  readonly #lost = () => this.refuse('not-begun');

  constructor(socket: Socket, beginMs: number, gone: (why: Refusal | undefined) => void) {
    this.#raw = socket;
    this.socket = socket;
    this.#gone = gone;
    this.#timer = setTimeout(() => this.refuse('login-timeout'), beginMs);
    socket.on('error', this.#lost);
    socket.on('close', this.#lost);
  }

  get secure(): boolean {
    return this.socket !== this.#raw;
  }

  /** Calls back with the first byte once it is there, and leaves it to be read. */
  hear(heard: (first: number) => void): void {
    const { socket } = this;
    const look = () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      socket.off('readable', look);
      socket.unshift(bytes);
      this.first = bytes[0]!;
      heard(this.first);
    };
    socket.on('readable', look);
  }

  startTls(certificate: Certificate, secured: () => void): void {
    this.#raw.on('error', ignore); // what happens to it is told by the TLS socket as well
    const socket = new TLSSocket(this.#raw, { isServer: true, secureContext: certificate.context });
    socket.on('error', this.#lost);
    socket.once('secure', () => {
      if (this.#gone !== undefined) secured();
    });
    this.socket = socket;
  }

  /** He is somebody else's from now on: no deadline of ours, nothing of ours in the way. */
  through(): void {
    this.#leave(undefined);
  }

  refuse(why: Refusal): void {
    if (this.#gone === undefined) return;
    this.#leave(why);
    this.socket.on('error', ignore);
    this.socket.destroy();
    this.#raw.destroy();
  }

  #leave(why: Refusal | undefined): void {
    clearTimeout(this.#timer);
    for (const event of ['error', 'close']) this.#raw.off(event, this.#lost);
    this.socket.off('error', this.#lost);
    this.#gone?.(why);
    this.#gone = undefined;
  }
}

function ignore(): void {}

export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127\.|^::1$/.test(address);
}
