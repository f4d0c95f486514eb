import { FILE_BLOCK_SIZE, FILE_FRAME_SIZE_MAX } from '../../../common/limits.js';
import type { CloseReason, Connection, ConnectionLimits, ConnectionOwner } from '../../../common/net/connection.js';
import { type Command, encodeFrame } from '../../../common/pdu/command.js';
import { file } from '../../../common/pdu/commands.js';
import type { Frame } from '../../../common/pdu/header.js';
import { IM } from '../../../common/pdu/pb.js';
import type { Course } from './course.js';

const { ClientFileState, ClientFileRole } = IM.BaseDefine;

/** Blocks wait for a slow reader up to here; then nobody is asked for more. */
const QUEUE_FULL = 8 * FILE_BLOCK_SIZE;

/** The queue bound cannot be met by blocks, which stop at QUEUE_FULL: it is for who floods us with other frames. */
export const partyLimits: ConnectionLimits = { frameSizeMax: FILE_FRAME_SIZE_MAX, sendQueueMax: 4 * QUEUE_FULL };

export interface PartyOwner {
  frame(party: Party, frame: Frame): void;
  closed(party: Party, reason: CloseReason): void;
}

export interface Place {
  readonly userId: number;
  readonly role: IM.BaseDefine.ClientFileRole;
  readonly taskId: string;
}

/**
 * One end of a transfer: a client's connection, which belongs to one task from its log-in on.
 *
 *   greeting ──log-in──▶ entering ──let in──▶ in ──▶ closed
 */
export class Party implements ConnectionOwner {
  readonly connection: Connection;
  readonly #owner: PartyOwner;
  readonly connectedMs = performance.now();
  /** Monotonic ms when something was last sent. While blocks go to it, a receiver need not be heard. */
  #toldMs = 0;
  state: 'greeting' | 'entering' | 'in' | 'closed' = 'greeting';
  #place: Place | undefined;
  course: Course | undefined;

  constructor(connection: Connection, owner: PartyOwner) {
    this.connection = connection;
    this.#owner = owner;
    connection.own(this);
    connection.socket.on('drain', () => this.course?.pump());
  }

  get place(): Place | undefined {
    return this.#place;
  }
  get userId(): number {
    return this.#place!.userId;
  }
  get taskId(): string {
    return this.#place!.taskId;
  }
  get receives(): boolean {
    const { CLIENT_REALTIME_RECVER, CLIENT_OFFLINE_DOWNLOAD } = ClientFileRole;
    return this.#place!.role === CLIENT_REALTIME_RECVER || this.#place!.role === CLIENT_OFFLINE_DOWNLOAD;
  }
  /** Whether it reads what it is sent: another block may be got for it. */
  get hasRoom(): boolean {
    return this.connection.queued < QUEUE_FULL;
  }

  enter(place: Place): void {
    this.state = 'entering';
    this.#place = place;
  }

  /** Monotonic ms since when nothing has moved. */
  get stillSinceMs(): number {
    return Math.max(this.connection.heardMs, this.#toldMs);
  }

  send<In>(command: Command<In, unknown>, seq: number, message: In): void {
    this.#toldMs = performance.now();
    this.connection.send(encodeFrame(command, seq, message));
  }

  /** Tells how the transfer stands. `userId`: whose state it is. */
  tell(state: IM.BaseDefine.ClientFileState, userId: number, seq = 0): void {
    this.send(file.state, seq, { state, taskId: this.taskId, userId });
  }

  /** It did what no honest client does, or something failed on our side: it hears that this is over, for now. */
  cancel(reason: CloseReason): void {
    this.tell(ClientFileState.CLIENT_FILE_CANCEL, this.userId);
    this.close(reason);
  }

  /** A receiver that asks faster than it is served is not read from meanwhile. */
  listen(listening: boolean): void {
    if (listening) this.connection.resumeReading();
    else this.connection.pauseReading();
  }

  close(reason: CloseReason): void {
    this.connection.close(reason);
  }

  frame(frame: Frame): void {
    this.#owner.frame(this, frame);
  }

  closed(reason: CloseReason): void {
    this.state = 'closed';
    this.#owner.closed(this, reason);
  }
}
