import type { Socket } from 'node:net';
import { ImError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import { type Command, encodeFrame } from '../pdu/command.js';
import { cluster, other } from '../pdu/commands.js';
import type { Frame } from '../pdu/header.js';
import type { CommandTable } from '../server/command-table.js';
import { type CloseReason, Connection, type ConnectionOwner } from './connection.js';
import { freshNonce, type Hello, proofOf, proves } from './handshake.js';
import { LINK_SILENCE_MS, linkConnectionLimits, type Self } from './link.js';
import { listen } from './listener.js';

const GREETING_MS_MAX = 5_000;
/** Connections that have not proved themselves yet, all the servers of a large cluster coming back at once included. */
const STRANGERS_MAX = 128;
/** What one of them may send in a frame: the first words after its proof may be in the same read. */
const STRANGER_FRAME_SIZE_MAX = 4 * 1024 * 1024;

/**
 * After a pause of our own (frozen, or starved) of so long, whoever had asked something has left us for another server:
 * see SILENT_SWEEPS_MAX. What he sent before is not acted on: asked anew elsewhere it is done by now, and what he has asked
 * since would be overtaken.
 */
const STOOD_STILL_MS = 3_000;
const TICK_MS = 500;

/** Why somebody who dialled us was sent away. */
const REFUSALS = ['secret', 'role', 'greeting', 'silent', 'full'] as const;

class Refused extends Error {
  readonly why: (typeof REFUSALS)[number];

  constructor(why: (typeof REFUSALS)[number], text: string) {
    super(text);
    this.why = why;
  }
}

type Counters = ReturnType<typeof countersOf>;

function countersOf(metrics: Metrics) {
  const refused = metrics.counter('peers_refused_total', 'Connections to the port for servers that were sent away', [
    'why',
  ]);
  for (const why of REFUSALS) refused.inc({ why }, 0);
  const commands = metrics.counter('peer_commands_refused_total', 'What servers said that their role may not say', [
    'from',
  ]);
  return { refused, commands };
}

/** A server that dialled us and proved itself. */
export interface Peer {
  readonly role: string;
  /** It has left: nothing that is said to it is heard. */
  readonly gone: boolean;
  readonly name: string;
  readonly address: string;
  tell<In>(command: Command<In, unknown>, message: In): void;
  tellFrame(frame: Buffer): void;
}

export interface PeersOptions<Ctx> {
  readonly self: Self;
  readonly port: number;
  readonly host: string;
  readonly secret: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly ctx: Ctx;
  /** Who may dial us, and what each may say. */
  readonly tables: Readonly<Record<string, CommandTable<Ctx, Peer>>>;
  /** Whether we pass on what we hear to the others of our role, so that it need be told to one of us only. */
  readonly shares?: boolean;
  /** What a fault that is no ImError means to who asked; undefined: a fault of ours. */
  known?(error: unknown): ImError | undefined;
  joined?(peer: Peer): void;
  /** `silentMs`: how long ago it was heard last. */
  left?(peer: Peer, silentMs: number): void;
}

/** The door for other servers of the cluster: nothing is read from one that has not proved to know the secret. */
export class Peers<Ctx> {
  readonly #options: PeersOptions<Ctx>;
  readonly #counters: Counters;
  readonly #incoming = new Set<Incoming<Ctx>>();
  readonly #silence: NodeJS.Timeout;
  readonly #ticker: NodeJS.Timeout;
  #tickedMs = performance.now();
  #listening: { port: number; close(): void } | undefined;

  private constructor(options: PeersOptions<Ctx>) {
    this.#options = options;
    this.#counters = countersOf(options.metrics);
    this.#silence = setInterval(() => this.#closeSilent(), LINK_SILENCE_MS / 6);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  static async open<Ctx>(options: PeersOptions<Ctx>): Promise<Peers<Ctx>> {
    const peers = new Peers(options);
    try {
      peers.#listening = await listen(options.port, options.host, (socket) => peers.#accept(socket));
    } catch (error) {
      peers.close();
      throw error;
    }
    return peers;
  }

  get port(): number {
    return this.#listening!.port;
  }

  /** Asks under way from all peers. */
  get busy(): number {
    let sum = 0;
    for (const each of this.#incoming) sum += each.running;
    return sum;
  }

  *[Symbol.iterator](): Iterator<Peer> {
    for (const each of this.#incoming) if (each.proven) yield each;
  }

  /** Tells every peer to ask nothing new here. */
  drain(): void {
    this.#listening?.close();
    for (const peer of this) peer.tell(cluster.draining, {});
  }

  close(): void {
    clearInterval(this.#silence);
    clearInterval(this.#ticker);
    this.#listening?.close();
    for (const each of this.#incoming) each.connection.close('shutdown');
  }

  #accept(socket: Socket): void {
    let strangers = 0;
    for (const each of this.#incoming) if (!each.proven) strangers++;
    if (strangers >= STRANGERS_MAX) {
      this.#counters.refused.inc({ why: 'full' });
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, { ...linkConnectionLimits, frameSizeMax: STRANGER_FRAME_SIZE_MAX });
    const incoming = new Incoming(connection, this.#options, this.#counters, {
      gone: () => this.#incoming.delete(incoming),
      stoodStill: () => this.#tick(),
    });
    this.#incoming.add(incoming);
  }

  /** After a pause, sockets are heard before timers or after them: either notices. @returns whether there was one */
  #tick(): boolean {
    const pausedMs = performance.now() - this.#tickedMs;
    if (pausedMs > STOOD_STILL_MS) {
      this.#options.log.warn({ pausedMs: Math.round(pausedMs) }, 'stood still: all peers have to dial again');
      for (const { connection } of this.#incoming) connection.close('silent');
    }
    this.#tickedMs += pausedMs;
    return pausedMs > STOOD_STILL_MS;
  }

  #closeSilent(): void {
    const nowMs = performance.now();
    for (const { connection } of this.#incoming)
      if (nowMs - connection.heardMs > LINK_SILENCE_MS) connection.close('silent');
  }
}

interface IncomingOwner {
  gone(): void;
  /** Whether we stood still until a moment ago, so that what is heard now is of before. */
  stoodStill(): boolean;
}

class Incoming<Ctx> implements Peer, ConnectionOwner {
  readonly connection: Connection;
  readonly #options: PeersOptions<Ctx>;
  readonly #counters: Counters;
  /** Commands that it may not say and has said, each logged once. */
  readonly #overstepped = new Set<number>();
  readonly #owner: IncomingOwner;
  readonly #mine: Hello;
  #theirs: Hello | undefined;
  #table: CommandTable<Ctx, Peer> | undefined;
  readonly #greeting: NodeJS.Timeout;
  proven = false;
  gone = false;
  running = 0;

  constructor(connection: Connection, options: PeersOptions<Ctx>, counters: Counters, owner: IncomingOwner) {
    this.connection = connection;
    this.#options = options;
    this.#counters = counters;
    this.#owner = owner;
    this.#mine = { ...options.self, nonce: freshNonce() };
    const late = new Refused('silent', `no complete greeting within ${GREETING_MS_MAX} ms`);
    this.#greeting = setTimeout(() => this.#refuse(late), GREETING_MS_MAX);
    connection.own(this);
  }

  get role(): string {
    return this.#theirs?.role ?? '';
  }
  get name(): string {
    return this.#theirs?.name ?? '';
  }
  get address(): string {
    return this.connection.address;
  }

  tell<In>(command: Command<In, unknown>, message: In): void {
    this.connection.send(encodeFrame(command, 0, message));
  }
  tellFrame(frame: Buffer): void {
    this.connection.send(frame);
  }

  frame(frame: Frame): void {
    if (this.#owner.stoodStill()) return; // and closed
    if (this.proven) this.#dispatch(frame);
    else this.#greet(frame);
  }

  closed(reason: CloseReason): void {
    this.gone = true;
    clearTimeout(this.#greeting);
    this.#owner.gone();
    if (!this.proven && (reason === 'length-too-small' || reason === 'length-too-large'))
      this.#refuse(new Error(reason));
    if (!this.proven) return;
    this.#options.log.info({ from: this.role, peer: this.name, reason }, 'peer left');
    this.#options.left?.(this, performance.now() - this.connection.heardMs);
  }

  #greet(frame: Frame): void {
    try {
      if (this.#theirs === undefined) this.#hello(cluster.hello.codec.decode(expect(frame, cluster.hello)));
      else this.#proof(cluster.proof.codec.decode(expect(frame, cluster.proof)).proof);
    } catch (error) {
      this.#refuse(error as Error);
    }
  }

  #refuse(error: Error): void {
    const why = error instanceof Refused ? error.why : 'greeting';
    this.#counters.refused.inc({ why });
    this.#options.log.warn({ address: this.address, role: this.role, why, error: error.message }, 'peer refused');
    this.connection.close('not-proven');
  }

  #hello(hello: Hello): void {
    const { tables } = this.#options;
    this.#table = Object.hasOwn(tables, hello.role) ? tables[hello.role] : undefined;
    if (this.#table === undefined) throw new Refused('role', `a ${hello.role} server has no business here`);
    this.#theirs = { role: hello.role, name: hello.name, nonce: Buffer.from(hello.nonce) };
    const proof = proofOf(this.#options.secret, 'acceptor', this.#theirs, this.#mine);
    const { shares } = this.#options;
    this.connection.send(encodeFrame(cluster.hello.reply, 0, { ...this.#mine, proof, shares }));
  }

  #proof(proof: Uint8Array): void {
    if (!proves(proof, this.#options.secret, 'dialer', this.#theirs!, this.#mine))
      throw new Refused('secret', 'it does not know the cluster secret');
    clearTimeout(this.#greeting);
    this.proven = true;
    this.connection.allow(linkConnectionLimits);
    this.#options.log.info({ from: this.role, peer: this.name, address: this.address }, 'peer joined');
    this.#options.joined?.(this);
  }

  #dispatch(frame: Frame): void {
    if (frame.command === other.heartbeat.id) return this.connection.send(encodeFrame(other.heartbeat, 0, {}));
    const { command, seq, reserved } = frame;
    const row = this.#table!.get(command);
    if (row === undefined) return this.#overstep(command, seq, reserved);
    let answer: Promise<Buffer | undefined> | undefined;
    try {
      answer = row.run(this.#options.ctx, this, frame);
    } catch (error) {
      return this.#fail(command, seq, reserved, error);
    }
    if (answer === undefined) return;
    this.running++;
    answer.then(
      (bytes) => {
        this.running--;
        if (bytes !== undefined) this.connection.send(bytes);
      },
      (error: unknown) => {
        this.running--;
        this.#fail(command, seq, reserved, error);
      },
    );
  }

  /** The link stays: it may be of a newer version, and the rest of what it says is right. */
  #overstep(command: number, seq: number, reserved: number): void {
    const { role: from, name: peer, address } = this;
    const what = `command 0x${command.toString(16)} from ${from}`;
    this.#counters.commands.inc({ from });
    if (!this.#overstepped.has(command)) this.#options.log.warn({ peer, address }, `not allowed: ${what}`);
    this.#overstepped.add(command);
    this.#fail(command, seq, reserved, new ImError('NOT_ALLOWED', what));
  }

  #fail(command: number, seq: number, reserved: number, error: unknown): void {
    const { log } = this.#options;
    const said = { command: `0x${command.toString(16)}`, from: this.name };
    const meant = error instanceof ImError ? undefined : this.#options.known?.(error);
    if (meant !== undefined) log.warn({ ...said, error: meant.message }, 'command not carried out');
    const known =
      error instanceof ImError ? error : (meant ?? new ImError('INTERNAL', (error as Error).message, { cause: error }));
    if (known.code === 'INTERNAL') log.error({ ...said, error }, 'command failed');
    if (seq === 0 && reserved === 0) return; // told, not asked: nobody waits
    this.connection.send(encodeFrame(cluster.failure, seq, { code: known.code, detail: known.detail }, reserved));
  }
}

function expect(frame: Frame, command: Command<never, unknown>): Buffer {
  if (frame.command !== command.id)
    throw new Error(`command 0x${frame.command.toString(16)} before the greeting is complete`);
  return frame.body;
}
