import { Bucket } from '../../common/live/bucket.js';
import type { CloseReason, Connection, ConnectionOwner } from '../../common/net/connection.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { login } from '../../common/pdu/commands.js';
import type { Frame } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import type { Capability } from './capabilities.js';
import { Pace } from './pace.js';
import type { RecentSends } from './recent-sends.js';

const { DeviceClass } = IM.Cluster;

/**
 *   greeting ──login asked──▶ verifying ──verified──▶ online ──kick──▶ leaving
 *      └──────────── refusal, time-out, silence, end ─────────┴──────────┴──▶ closed, once, with the first reason
 *
 * `leaving`: told why it has to go, hears nothing more and is not listened to, closed a moment later.
 */
export type SessionState = 'greeting' | 'verifying' | 'online' | 'leaving' | 'closed';

/** iOS and mac act on the kick notice and not on the closing, so they get the time to read it. */
const LEAVE_MS = 1_000;
/** Frames that may come for a client in the moment before its log-in is answered. */
const HELD_MAX = 1_000;

export interface SessionOwner {
  frame(session: Session, frame: Frame): void;
  closed(session: Session, reason: CloseReason): void;
}

export interface Identity {
  readonly userId: number;
  readonly clientType: IM.BaseDefine.ClientType;
  readonly clientVersion: string;
  /** Of two sessions of a device class the one with the smaller number is the older, whatever the clocks say. */
  readonly loginNumber: number;
  /** What it asked for and was granted beyond the stock protocol; see capabilities.ts. */
  readonly capabilities: ReadonlySet<Capability>;
  /** With token1: the device that logs in by a token from now on. */
  readonly deviceId?: string | undefined;
}

/** A client's connection, and who it is once it has logged in. Ends with the connection. */
export class Session implements ConnectionOwner {
  readonly connection: Connection;
  readonly #owner: SessionOwner;
  #state: SessionState = 'greeting';
  #identity: Identity | undefined;
  /** What came between being online and being told so. */
  #held: Buffer[] | undefined;
  /** Wall-clock ms of the log-in. */
  beganMs = 0;
  /** Monotonic ms of the connecting. */
  readonly connectedMs: number;
  /** Nobody on the way reads along: it came by TLS, or from this machine. */
  readonly confidential: boolean;
  /** Whether route servers were told that it is here, and so have to be told that it is gone. */
  present = false;
  /** Requests under way. */
  openAsks = 0;
  /** Groups of the user, for local fan-out. */
  readonly groupIds = new Set<number>();
  /** Groups he left while the list of his groups was being asked for, which may still have them. */
  leftMeanwhile: Set<number> | undefined = new Set();
  /** The last messages sent, to know a resend by; made when the first one is sent. */
  recentSends: RecentSends | undefined;
  #paces: Map<string, Pace> | undefined;
  /** Frames that it sends. */
  readonly frames = new Bucket();
  /** It is not read from: it sends frames faster than it may, or has too many requests under way. */
  paused = false;
  tooFast = false;
  /** The last request about stored files, which the next one waits for. */
  fileWork: Promise<unknown> = Promise.resolve();
  /** Resolves when all messages before have been checked; see SendHook. */
  checks: Promise<void> | undefined;

  constructor(connection: Connection, owner: SessionOwner, connectedMs = performance.now(), confidential = false) {
    this.connection = connection;
    this.confidential = confidential;
    this.connectedMs = connectedMs;
    this.#owner = owner;
    connection.own(this);
  }

  get state(): SessionState {
    return this.#state;
  }
  get online(): boolean {
    return this.#state === 'online';
  }
  get userId(): number {
    return this.#identity?.userId ?? 0;
  }
  get clientType(): IM.BaseDefine.ClientType {
    return this.#identity!.clientType;
  }
  get loginNumber(): number {
    return this.#identity?.loginNumber ?? 0;
  }
  get deviceId(): string | undefined {
    return this.#identity?.deviceId;
  }
  /** Whether the client asked for this and may be sent what belongs to it. */
  may(capability: Capability): boolean {
    return this.#identity?.capabilities.has(capability) === true;
  }
  get deviceClass(): IM.Cluster.DeviceClass {
    return classOf(this.clientType);
  }

  /** How fast it is in something that has a limit by this name. */
  paceOf(limit: string): Pace {
    this.#paces ??= new Map();
    let pace = this.#paces.get(limit);
    if (pace === undefined) {
      pace = new Pace();
      this.#paces.set(limit, pace);
    }
    return pace;
  }

  verify(): void {
    this.#state = 'verifying';
  }

  begin(identity: Identity, nowMs: number): void {
    this.#identity = identity;
    this.beganMs = nowMs;
    this.#state = 'online';
    this.#held = [];
  }

  send(frame: Buffer): void {
    if (this.#state === 'leaving') return;
    if (this.#held === undefined) this.connection.send(frame);
    else if (this.#held.push(frame) > HELD_MAX) this.close('slow');
  }

  /** The answer to the log-in, and behind it what came for the client meanwhile: before it no client expects a push. */
  welcome(answer: Buffer): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const frame of [answer, ...held]) this.send(frame);
  }

  /** Says why and closes a moment later. */
  kick(kickReason: IM.BaseDefine.KickReasonType): void {
    if (this.#state !== 'online') return;
    this.connection.send(encodeFrame(login.kick, 0, { userId: this.userId, kickReason }));
    this.#state = 'leaving';
    setTimeout(() => this.close('kicked'), LEAVE_MS);
  }

  close(reason: CloseReason): void {
    this.connection.close(reason);
  }

  frame(frame: Frame): void {
    this.#owner.frame(this, frame);
  }

  closed(reason: CloseReason): void {
    this.#state = 'closed';
    this.#owner.closed(this, reason);
  }
}

export function classOf(clientType: IM.BaseDefine.ClientType): IM.Cluster.DeviceClass {
  return (clientType & 0x10) === 0 ? DeviceClass.DEVICE_CLASS_PC : DeviceClass.DEVICE_CLASS_MOBILE;
}
