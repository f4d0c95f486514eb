import { ImError } from '../../common/errors.js';
import { STRANGER_FRAME_SIZE_MAX } from '../../common/limits.js';
import type { Certificate } from '../../common/net/certificate.js';
import { openClientDoor, type TransportKind } from '../../common/net/client-door.js';
import { type CloseReason, Connection, clientConnectionLimits } from '../../common/net/connection.js';
import { type Door, isLoopback } from '../../common/net/door.js';
import type { Transport } from '../../common/net/transport.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { login, message, other } from '../../common/pdu/commands.js';
import type { Frame } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { fromClients } from './commands.js';
import type { MsgContext } from './context.js';
import { Session, type SessionOwner } from './session.js';
import type { MsgSettings } from './settings.js';

const SWEEP_MS = 1_000;
const { DEVICE_CLASS_PC } = IM.Cluster.DeviceClass;

/** A command of a client, for what is said about it later. */
interface Asked {
  readonly name: string;
  readonly id: number;
  readonly seq: number;
}

/** The door for clients: accepts them, hands their frames to the command table, ends those that fall silent. */
export class Clients implements SessionOwner {
  readonly #ctx: MsgContext;
  readonly #settings: MsgSettings;
  /** Every connection, logged in or not. */
  readonly #connected = new Set<Session>();
  /** Those that have not begun to log in, oldest first. */
  readonly #strangers = new Set<Session>();
  readonly #sweeper: NodeJS.Timeout;
  #door: Door | undefined;

  private constructor(ctx: MsgContext, settings: MsgSettings) {
    this.#ctx = ctx;
    this.#settings = settings;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  static async open(ctx: MsgContext, settings: MsgSettings, certificate: Certificate | undefined): Promise<Clients> {
    const clients = new Clients(ctx, settings);
    try {
      clients.#door = await openClientDoor({
        port: settings.clientPort,
        host: settings.host,
        settings,
        certificate,
        beginMs: settings.loginTimeoutMs,
        full: (beginning) => beginning + clients.#connected.size >= ctx.limits.size('connections.msg'),
        accept: (transport, sinceMs, kind) => clients.#accept(transport, sinceMs, kind),
        refused(why) {
          ctx.counters.closed.inc({ why });
          if (why === 'full') ctx.limits.hit('connections.msg');
        },
      });
    } catch (error) {
      clearInterval(clients.#sweeper);
      throw error;
    }
    return clients;
  }

  get port(): number {
    return this.#door!.port;
  }
  get connected(): number {
    return this.#connected.size + this.#door!.beginning;
  }
  get openAsks(): number {
    let sum = 0;
    for (const session of this.#connected) sum += session.openAsks;
    return sum;
  }

  /** Accepts nobody any more. */
  drain(): void {
    this.#door?.close();
  }

  close(): void {
    clearInterval(this.#sweeper);
    this.#door?.close();
    for (const session of this.#connected) session.close('shutdown');
  }

  frame(session: Session, frame: Frame): void {
    const { counters } = this.#ctx;
    counters.framesIn.inc();
    this.#hold(session);
    if (frame.command === other.heartbeat.id) return session.send(frame.bytes);
    const row = fromClients.get(frame.command);
    const why = dropReason(session, frame, row !== undefined);
    if (why !== undefined || row === undefined) return counters.dropped.inc({ why: why ?? 'unknown-command' });
    if (session.state === 'greeting') this.#greeted(session);
    const asked = { name: row.command.name, id: frame.command, seq: frame.seq };
    try {
      const done = row.run(this.#ctx, session, frame);
      if (done !== undefined) this.#follow(session, asked, done);
    } catch (error) {
      this.#failed(session, asked, error);
    }
  }

  closed(session: Session, reason: CloseReason): void {
    this.#connected.delete(session);
    this.#strangers.delete(session);
    this.#ctx.counters.closed.inc({ why: reason });
    if (reason === 'slow') this.#ctx.limits.hit('queue.client');
    if (reason === 'length-too-small' || reason === 'length-too-large') {
      this.#ctx.log.warn({ reason, address: session.connection.address, userId: session.userId }, 'client closed');
    }
    this.#ctx.sessionAddresses.ended(session);
    const change = this.#ctx.sessions.remove(session);
    if (change === undefined) return;
    if (session.present) this.#ctx.routes.presence(session, false);
    this.#ctx.routes.cease(change);
  }

  #accept(transport: Transport, sinceMs: number, kind: TransportKind): void {
    this.#ctx.counters.opened.inc({ transport: kind });
    const { strangersMax } = this.#settings;
    const sendQueueMax = this.#ctx.limits.size('queue.client');
    const confidential = kind === 'tls' || kind === 'wss' || isLoopback(transport.remoteAddress);
    const limits = { sendQueueMax, frameSizeMax: STRANGER_FRAME_SIZE_MAX };
    const session = new Session(new Connection(transport, limits), this, sinceMs, confidential);
    this.#connected.add(session);
    this.#strangers.add(session);
    if (this.#strangers.size <= strangersMax) return;
    const [oldest] = this.#strangers;
    oldest!.close('pushed-out');
  }

  /** It begins to log in: no stranger any more. */
  #greeted(session: Session): void {
    this.#strangers.delete(session);
    session.connection.allow({ ...clientConnectionLimits, sendQueueMax: this.#ctx.limits.size('queue.client') });
  }

  /** A client with too many requests under way is not read from: its next ones wait on its own side. */
  #follow(session: Session, asked: Asked, done: Promise<void>): void {
    session.openAsks++;
    if (session.openAsks === this.#openMax) {
      this.#ctx.limits.hit('requests.open');
      this.#pause(session);
    }
    const answered = () => {
      session.openAsks--;
      if (session.paused) this.#release(session);
    };
    done.then(answered, (error: unknown) => {
      this.#failed(session, asked, error);
      answered();
    });
  }

  get #openMax(): number {
    return this.#ctx.limits.size('requests.open');
  }

  /** A client that sends frames faster than it may is not read from until its turn has come. */
  #hold(session: Session): void {
    const { limits } = this.#ctx;
    const waitMs = session.frames.owe(limits.rate('frames.connection'), performance.now());
    if (waitMs <= 0 || session.tooFast) return;
    limits.hit('frames.connection');
    session.tooFast = true;
    this.#pause(session);
    setTimeout(() => {
      session.tooFast = false;
      this.#release(session);
    }, waitMs);
  }

  #pause(session: Session): void {
    session.paused = true;
    session.connection.pauseReading();
  }

  /** Reads on, unless there is another reason not to. */
  #release(session: Session): void {
    if (session.tooFast || session.openAsks >= this.#openMax) return;
    session.paused = false;
    session.connection.resumeReading();
  }

  /** Stock TeamTalk stays silent; a client that may hear why does, though not what only our logs should say. */
  #failed(session: Session, { name, id: commandId, seq }: Asked, error: unknown): void {
    const code = error instanceof ImError ? error.code : 'INTERNAL';
    this.#ctx.counters.dropped.inc({ why: code });
    if (code === 'INTERNAL') this.#ctx.log.error({ command: name, userId: session.userId, error }, 'command failed');
    if (!session.may('err1')) return;
    const text = error instanceof ImError && code === 'BAD_REQUEST' ? error.detail : undefined;
    session.send(encodeFrame(message.error, seq, { commandId, seq, code, text }));
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const session of this.#connected) {
      const silentMs = nowMs - session.connection.heardMs;
      if (session.online) {
        if (silentMs > this.#silenceMax(session)) session.close('silent');
      } else if (session.state !== 'leaving' && nowMs - session.connectedMs > this.#settings.loginTimeoutMs)
        session.close('login-timeout');
    }
  }

  #silenceMax(session: Session): number {
    return session.deviceClass === DEVICE_CLASS_PC ? this.#settings.pcSilenceMs : this.#settings.mobileSilenceMs;
  }
}

/** Before the log-in only the log-in is heard; on one that is going, nothing. */
function dropReason(session: Session, frame: Frame, known: boolean): string | undefined {
  if (!known) return 'unknown-command';
  const isLogin = frame.command === login.enter.id;
  if (session.state === 'online') return isLogin ? 'second-login' : undefined;
  if (session.state === 'greeting') return isLogin ? undefined : 'before-login';
  return session.state;
}
