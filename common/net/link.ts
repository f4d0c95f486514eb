import { connect } from 'node:net';
import { ImError, isErrorCode } from '../errors.js';
import { LINK_FRAME_SIZE_MAX } from '../limits.js';
import type { Logger } from '../log.js';
import { type Command, encodeFrame } from '../pdu/command.js';
import { cluster, other } from '../pdu/commands.js';
import type { Frame } from '../pdu/header.js';
import type { CommandTable } from '../server/command-table.js';
import { type CloseReason, Connection, type ConnectionLimits, type ConnectionOwner } from './connection.js';
import { freshNonce, type Hello, proofOf, proves } from './handshake.js';
import { tcpOptions } from './listener.js';
import { OpenAsks } from './open-asks.js';

/** Who we are to the servers we dial: the role decides what they let us ask. */
export interface Self {
  readonly role: string;
  readonly name: string;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export function textOf(address: Address): string {
  return `${address.host}:${address.port}`;
}

export const LINK_HEARTBEAT_MS = 5_000;
export const LINK_SILENCE_MS = 30_000;
/**
 * A link with open questions that is silent gets a heartbeat after so many sweeps of its group, and is given up after so
 * many more: the other side is frozen, as one that is only slow answers heartbeats at once. Counted in sweeps and not in
 * time, so that a pause of our own is not taken for the other side's.
 */
export const SILENT_SWEEPS_PROBED = 4;
export const SILENT_SWEEPS_MAX = 16;
const DIAL_MS_MAX = 5_000;
const REDIAL_MS_FIRST = 100;
const REDIAL_MS_MAX = 1_000;

export const linkConnectionLimits: ConnectionLimits = {
  frameSizeMax: LINK_FRAME_SIZE_MAX,
  sendQueueMax: 256 * 1024 * 1024,
};

/** A question under way. It survives the link it was sent on: see LinkGroup. */
export interface Asked {
  readonly frame: Buffer;
  /** Chooses the link: equal keys go to the same server while it is there, and keep their order. */
  readonly key: number;
  /** When it was asked first; monotonic ms. */
  readonly askedMs: number;
  readonly deadlineMs: number;
  resolve(reply: Frame): void;
  reject(error: ImError): void;
}

export interface LinkOwner {
  opened(link: Link): void;
  /**
   * The link is no longer usable; `asked` are its open questions, oldest first. `unsureMs`: what either side has said
   * for so long may not have come; undefined when the link had not been open.
   */
  lost(link: Link, asked: Asked[], unsureMs: number | undefined): void;
  /** An answer to a question that was given up. */
  late(answer: Frame): void;
  /** The last open question of this key is answered, or late, on a link that drains. */
  freed(key: number): void;
}

export interface LinkOptions<Ctx> {
  readonly self: Self;
  readonly role: string;
  readonly address: Address;
  readonly secret: string;
  readonly log: Logger;
  /** What the other side may tell us on its own. */
  readonly hears: CommandTable<Ctx, Link>;
  readonly ctx: Ctx;
}

/**
 * One outgoing connection to another server of ours. Dials, proves itself, asks, tells, sends heartbeats, and dials
 * again with growing, jittered pauses for as long as it is not closed.
 *
 * An ask is found again by a 32-bit id, its lower half in the header's seq and its upper half in the reserved bytes:
 * 16 bits alone come round within a second under load, and a late answer would then pass for another one's.
 */
export class Link implements ConnectionOwner {
  readonly address: Address;
  readonly #options: LinkOptions<unknown>;
  readonly #owner: LinkOwner;
  #asked = new OpenAsks<Asked>();
  /** Open questions of each key. */
  readonly #askedOf = new Map<number, number>();
  readonly #unheard = new Set<number>();
  #state: 'waiting' | 'dialing' | 'greeting' | 'open' | 'closed' = 'waiting';
  #draining = false;
  #connection: Connection | undefined;
  #hello: Hello | undefined;
  #failures = 0;
  /** Sweeps since the other side was heard, while a question was open. */
  #silentSweeps = 0;
  #sweptMs = 0;
  /**
   * What either side had said until then has come: it was said before something that was asked then, or a heartbeat of
   * then, and that was answered. When the other side was heard last says less: it may be long ago that it said it, and
   * what it is told may be stuck while it goes on speaking.
   */
  #sureMs = 0;
  /** When the oldest heartbeat that is not answered was sent. */
  #beatMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #peerName = '';
  #shares = false;

  constructor(options: LinkOptions<never>, owner: LinkOwner) {
    this.#options = options as LinkOptions<unknown>;
    this.address = options.address;
    this.#owner = owner;
    this.#dial();
  }

  /** Takes new asks. */
  get usable(): boolean {
    return this.#state === 'open' && !this.#draining;
  }
  get open(): boolean {
    return this.#state === 'open';
  }
  get openAsks(): number {
    return this.#asked.size;
  }
  get peerName(): string {
    return this.#peerName;
  }
  get draining(): boolean {
    return this.#draining;
  }
  /** Whether the other side passes on what it hears to the others of its role. */
  get shares(): boolean {
    return this.#shares;
  }
  hasAsksOf(key: number): boolean {
    return this.#askedOf.has(key);
  }

  ask(asked: Asked): void {
    const id = this.#asked.add(asked);
    asked.frame.writeUInt16BE(id & 0xffff, 12);
    asked.frame.writeUInt16BE(id >>> 16, 14);
    this.#askedOf.set(asked.key, (this.#askedOf.get(asked.key) ?? 0) + 1);
    this.#connection!.send(asked.frame);
  }

  /** Best effort: dropped when the link is not open. */
  tell<In>(command: Command<In, unknown>, message: In): void {
    this.tellFrame(encodeFrame(command, 0, message));
  }
  tellFrame(frame: Buffer): void {
    if (this.#state === 'open') this.#connection!.send(frame);
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#connection?.close('shutdown');
    this.#loseAsks(false);
  }

  /** Rejects what is past its deadline, and leaves a frozen server. Called by the group, for all links in one sweep. */
  sweep(nowMs: number): void {
    for (const { id, ask } of this.#asked.oldestFirst()) {
      if (ask.deadlineMs > nowMs) continue;
      ask.reject(new ImError('TIMEOUT', `no answer from ${this.#options.role} ${textOf(this.address)}`));
      this.#asked.take(id);
      this.#freed(ask);
    }
    if (this.#state === 'open') this.#leaveIfFrozen(nowMs);
  }

  #leaveIfFrozen(nowMs: number): void {
    const connection = this.#connection!;
    const heard = connection.heardMs >= this.#sweptMs;
    this.#sweptMs = nowMs;
    // Once counting, it goes on until something is heard, though the questions may have timed out meanwhile.
    this.#silentSweeps = heard || (this.#asked.size === 0 && this.#silentSweeps === 0) ? 0 : this.#silentSweeps + 1;
    if (this.#silentSweeps === SILENT_SWEEPS_PROBED) this.#sendHeartbeat();
    if (this.#silentSweeps > SILENT_SWEEPS_MAX) connection.close('silent');
  }

  frame(frame: Frame): void {
    if (this.#state === 'greeting') this.#greeted(frame);
    else if (this.#state === 'open') this.#heard(frame);
  }

  closed(reason: CloseReason): void {
    clearTimeout(this.#timer);
    const wasOpen = this.#state === 'open';
    if (this.#state !== 'closed') {
      this.#state = 'waiting';
      this.#failures++;
      const pause = Math.min(REDIAL_MS_FIRST * 2 ** (this.#failures - 1), REDIAL_MS_MAX) * (0.5 + Math.random());
      this.#timer = setTimeout(() => this.#dial(), pause);
      const report = { to: this.#options.role, address: textOf(this.address), reason, redialMs: Math.round(pause) };
      if (wasOpen) this.#options.log.warn(report, 'link lost');
      else if (this.#failures === 5) this.#options.log.warn(report, 'link does not come up, dialling on');
    }
    this.#loseAsks(wasOpen);
  }

  #loseAsks(wasOpen: boolean): void {
    const asked = this.#asked.oldestFirst().map(({ ask }) => ask);
    this.#asked = new OpenAsks();
    this.#askedOf.clear();
    this.#owner.lost(this, asked, wasOpen ? performance.now() - this.#sureMs : undefined);
  }

  #dial(): void {
    this.#state = 'dialing';
    this.#draining = false;
    const socket = connect({ host: this.address.host, port: this.address.port, ...tcpOptions });
    const connection = new Connection(socket, linkConnectionLimits);
    connection.own(this);
    this.#connection = connection;
    this.#timer = setTimeout(() => connection.close('silent'), DIAL_MS_MAX);
    socket.once('connect', () => {
      this.#state = 'greeting';
      this.#hello = { ...this.#options.self, nonce: freshNonce() };
      connection.send(encodeFrame(cluster.hello, 0, this.#hello));
    });
  }

  #greeted(frame: Frame): void {
    const { secret, role, log } = this.#options;
    try {
      const theirs = cluster.hello.reply.codec.decode(frame.body);
      if (theirs.role !== role) throw new Error(`a ${theirs.role} server answers where ${role} is expected`);
      if (!proves(theirs.proof, secret, 'acceptor', this.#hello!, theirs))
        throw new Error('it does not know the cluster secret');
      const proof = proofOf(secret, 'dialer', this.#hello!, theirs);
      this.#connection!.send(encodeFrame(cluster.proof, 0, { proof }));
      this.#peerName = theirs.name;
      this.#shares = theirs.shares === true;
    } catch (error) {
      log.error({ to: role, address: textOf(this.address), error: (error as Error).message }, 'link refused');
      this.#connection!.close('not-proven');
      return;
    }
    clearTimeout(this.#timer);
    this.#state = 'open';
    this.#silentSweeps = 0;
    this.#failures = 0;
    this.#sureMs = performance.now();
    this.#beatMs = undefined;
    this.#timer = setInterval(() => this.#beat(), LINK_HEARTBEAT_MS);
    log.info({ to: role, address: textOf(this.address), peer: this.#peerName }, 'link open');
    this.#owner.opened(this);
  }

  #beat(): void {
    const connection = this.#connection!;
    if (performance.now() - connection.heardMs > LINK_SILENCE_MS) connection.close('silent');
    else this.#sendHeartbeat();
  }

  #sendHeartbeat(): void {
    this.#beatMs ??= performance.now();
    this.#connection!.send(encodeFrame(other.heartbeat, 0, {}));
  }

  #heartbeat(): void {
    this.#sureMs = Math.max(this.#sureMs, this.#beatMs ?? 0);
    this.#beatMs = undefined;
  }

  #heard(frame: Frame): void {
    const id = frame.seq | (frame.reserved << 16);
    if (id !== 0) return this.#answered(id, frame);
    if (frame.command === other.heartbeat.id) return this.#heartbeat();
    if (frame.command === cluster.draining.id) {
      this.#draining = true;
      return;
    }
    const { hears, ctx, log, role: from } = this.#options;
    const row = hears.get(frame.command);
    if (row === undefined) return this.#overstepped(frame.command);
    try {
      row.run(ctx, this, frame);
    } catch (error) {
      log.error({ command: row.command.name, from, error }, 'frame from a link not understood');
    }
  }

  /** Nothing that this role is heard saying. Logged once a command. */
  #overstepped(command: number): void {
    if (this.#unheard.has(command)) return;
    this.#unheard.add(command);
    const { log, role } = this.#options;
    log.warn(
      { peer: this.#peerName, address: textOf(this.address) },
      `not heard: command 0x${command.toString(16)} from ${role}`,
    );
  }

  #answered(id: number, frame: Frame): void {
    const asked = this.#asked.take(id >>> 0);
    if (asked === undefined) return this.#owner.late(frame);
    if (asked.askedMs > this.#sureMs) this.#sureMs = asked.askedMs;
    if (frame.command !== cluster.failure.id) asked.resolve(frame);
    else asked.reject(failureOf(frame));
    this.#freed(asked);
  }

  #freed({ key }: Asked): void {
    const left = this.#askedOf.get(key)! - 1;
    if (left > 0) this.#askedOf.set(key, left);
    else {
      this.#askedOf.delete(key);
      if (this.#draining) this.#owner.freed(key);
    }
  }
}

function failureOf(frame: Frame): ImError {
  try {
    const { code, detail } = cluster.failure.codec.decode(frame.body);
    return new ImError(isErrorCode(code) ? code : 'INTERNAL', detail ?? code);
  } catch (error) {
    return new ImError('INTERNAL', 'an answer that cannot be read', { cause: error });
  }
}
