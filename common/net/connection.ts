import { FRAME_SIZE_MAX } from '../limits.js';
import { type Breach, nothingPending, type Pending, takeFrames } from '../pdu/framing.js';
import type { Frame } from '../pdu/header.js';
import type { Transport } from './transport.js';

/** Why a connection ended: the first reason stays. */
export type CloseReason =
  | Breach
  | 'ended' // the other side closed
  | 'socket-error'
  | 'slow' // does not read what we send
  | 'silent' // nothing heard for too long
  | 'login-timeout'
  | 'login-refused'
  | 'logout'
  | 'kicked'
  | 'full' // the server takes no more connections
  | 'pushed-out' // too many that have not logged in, and this one was the oldest
  | 'finished' // a file transfer is over
  | 'replaced' // the same end of a file transfer connected anew
  | 'breach' // what no honest client sends
  | 'failed' // a fault on our side
  | 'not-proven' // a server link without the cluster's secret
  | 'shutdown';

/** What the owner of a connection wants to hear. Called in the order in which things happen; `closed` once, last. */
export interface ConnectionOwner {
  frame(frame: Frame): void;
  closed(reason: CloseReason): void;
}

export interface ConnectionLimits {
  /** Bytes a frame may have. */
  readonly frameSizeMax: number;
  /** Bytes that may wait to be sent before the other side counts as slow. */
  readonly sendQueueMax: number;
}

export const clientConnectionLimits: ConnectionLimits = { frameSizeMax: FRAME_SIZE_MAX, sendQueueMax: 4 * 1024 * 1024 };

/** How long a closed connection may take to hand over its last bytes before it is cut, in ms. */
const LINGER_MS = 1000;

/**
 * One TCP socket, or what takes its place: whole frames in, a bounded queue out, closed once with a reason.
 *
 * What is sent during one turn of the event loop leaves in one write at its end: a system call costs about 10 µs,
 * more than making the frame, and a turn under load handles many frames.
 */
export class Connection {
  readonly socket: Transport;
  /** Monotonic ms when bytes last came. */
  heardMs: number;
  #owner: ConnectionOwner | undefined;
  #limits: ConnectionLimits;
  #pending: Pending = nothingPending;
  #out: Buffer[] = [];
  #outSize = 0;
  /** The largest frame in the queue that alone is over its bound: no fault of whoever has to read it. */
  #oversize = 0;
  #closed: CloseReason | undefined;
  #told = false;

  constructor(socket: Transport, limits: ConnectionLimits) {
    this.socket = socket;
    this.#limits = limits;
    this.heardMs = performance.now();
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('error', () => this.#end('socket-error'));
    socket.on('end', () => this.#end('ended'));
    socket.on('close', () => this.#end('ended'));
  }

  /** The owner is set right after construction, before any event can come. */
  own(owner: ConnectionOwner): void {
    this.#owner = owner;
  }

  /** Other bounds from now on: those of a peer that has shown who it is. */
  allow(limits: ConnectionLimits): void {
    this.#limits = limits;
  }

  get address(): string {
    return this.socket.remoteAddress ?? '';
  }

  get closedBy(): CloseReason | undefined {
    return this.#closed;
  }

  /** Bytes that wait to be sent, here or in the socket. */
  get queued(): number {
    return this.#outSize + this.socket.writableLength;
  }

  /** Queues a frame. The bytes must not be changed afterwards; the same buffer may go to many connections. */
  send(frame: Buffer): void {
    if (this.#closed !== undefined) return;
    const { sendQueueMax } = this.#limits;
    if (this.queued === 0) this.#oversize = 0;
    if (frame.length > sendQueueMax) this.#oversize = Math.max(this.#oversize, frame.length);
    if (this.#out.length === 0) flushLater(this);
    this.#out.push(frame);
    this.#outSize += frame.length;
    if (this.queued - this.#oversize > sendQueueMax) this.close('slow');
  }

  /** Ends the connection after what is queued has been sent; a slow reader is cut at once. Later calls change nothing. */
  close(reason: CloseReason): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    if (reason === 'slow' || reason === 'silent') this.socket.destroy();
    else {
      this.flush();
      this.socket.end();
      setTimeout(() => this.socket.destroy(), LINGER_MS).unref();
    }
    this.#tell();
  }

  /** Stops and resumes reading: the other side's bytes then wait in the kernel, and finally at its end. */
  pauseReading(): void {
    this.socket.pause();
  }
  resumeReading(): void {
    this.socket.resume();
  }

  /** Called by the flusher of this module; close() needs it too. */
  flush(): void {
    const out = this.#out;
    if (out.length === 0) return;
    this.#out = [];
    this.#outSize = 0;
    if (!this.socket.writable) return;
    this.socket.write(out.length === 1 ? out[0]! : Buffer.concat(out));
  }

  #data(chunk: Buffer): void {
    this.heardMs = performance.now();
    const taken = takeFrames(this.#pending, chunk, this.#limits.frameSizeMax);
    for (const frame of taken.frames) {
      if (this.#closed !== undefined) return;
      this.#owner?.frame(frame);
    }
    if ('breach' in taken) this.close(taken.breach);
    else this.#pending = taken.pending;
  }

  #end(reason: CloseReason): void {
    this.#closed ??= reason;
    this.#out = [];
    this.#pending = nothingPending;
    this.socket.destroy();
    this.#tell();
  }

  #tell(): void {
    if (this.#told) return;
    this.#told = true;
    this.#owner?.closed(this.#closed!);
  }
}

let waiting: Connection[] = [];

function flushLater(connection: Connection): void {
  if (waiting.length === 0) setImmediate(flushAll);
  waiting.push(connection);
}

function flushAll(): void {
  const now = waiting;
  waiting = [];
  for (const connection of now) connection.flush();
}
