import { ImError } from '../../../common/errors.js';
import type { Certificate } from '../../../common/net/certificate.js';
import { openClientDoor, type TransportKind } from '../../../common/net/client-door.js';
import { type CloseReason, Connection } from '../../../common/net/connection.js';
import type { Door } from '../../../common/net/door.js';
import type { Transport } from '../../../common/net/transport.js';
import { decodeBody } from '../../../common/pdu/command.js';
import { file, other } from '../../../common/pdu/commands.js';
import type { Frame } from '../../../common/pdu/header.js';
import type { TransferContext } from './course.js';
import { Party, type PartyOwner, partyLimits } from './party.js';
import { Transfers } from './transfers.js';

const SWEEP_MS = 1_000;

/** The door for clients that send or fetch a file: one connection a transfer, the task first, then blocks. */
export class FileClients implements PartyOwner {
  readonly #ctx: TransferContext;
  readonly #transfers: Transfers;
  readonly #connected = new Set<Party>();
  readonly #sweeper: NodeJS.Timeout;
  #door: Door | undefined;

  private constructor(ctx: TransferContext) {
    this.#ctx = ctx;
    this.#transfers = new Transfers(ctx);
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  static async open(ctx: TransferContext, certificate: Certificate | undefined): Promise<FileClients> {
    const clients = new FileClients(ctx);
    const { settings, counters } = ctx;
    try {
      clients.#door = await openClientDoor({
        port: settings.clientPort,
        host: settings.host,
        settings,
        certificate,
        beginMs: settings.loginTimeoutMs,
        full: (beginning) => beginning + clients.#connected.size >= settings.clientsMax,
        accept: (transport, _sinceMs, kind) => clients.#accept(transport, kind),
        refused: (why) => counters.closed.inc({ why }),
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
  get transfers(): number {
    return this.#transfers.count;
  }
  /** Bytes of files that are in memory. */
  get buffered(): number {
    let sum = this.#transfers.buffered;
    for (const { connection } of this.#connected) sum += connection.queued;
    return sum;
  }

  /** Accepts nobody any more. */
  drain(): void {
    this.#door?.close();
  }

  close(): void {
    clearInterval(this.#sweeper);
    this.#door?.close();
    for (const party of this.#connected) party.close('shutdown');
  }

  frame(party: Party, frame: Frame): void {
    if (frame.command === other.heartbeat.id) return party.connection.send(frame.bytes);
    try {
      this.#act(party, frame);
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
      this.#ctx.counters.dropped.inc(); // what cannot be read is passed over, as everywhere
    }
  }

  closed(party: Party, reason: CloseReason): void {
    this.#connected.delete(party);
    this.#ctx.counters.closed.inc({ why: reason });
    this.#transfers.left(party);
  }

  /** @throws ImError BAD_REQUEST */
  #act(party: Party, frame: Frame): void {
    const { command, seq, body } = frame;
    if (party.state === 'greeting') {
      if (command === file.enter.id) void this.#transfers.enter(party, decodeBody(file.enter, body), seq);
      return;
    }
    const { course } = party;
    if (party.state !== 'in' || course === undefined) return;
    if (command === file.pullData.id) {
      const asked = decodeBody(file.pullData, body);
      if (isOfTask(party, asked)) course.pull(party, asked, seq);
    } else if (command === file.pullData.reply.id) {
      const block = decodeBody(file.pullData.reply, body);
      if (isOfTask(party, block)) course.block(party, block);
    } else if (command === file.state.id) {
      const told = decodeBody(file.state, body);
      if (isOfTask(party, told)) course.state(party, told.state, seq);
    }
  }

  #accept(transport: Transport, kind: TransportKind): void {
    this.#ctx.counters.opened.inc({ transport: kind });
    this.#connected.add(new Party(new Connection(transport, partyLimits), this));
  }

  #sweep(): void {
    const nowMs = performance.now();
    const { loginTimeoutMs, silenceMs } = this.#ctx.settings;
    for (const party of this.#connected) {
      if (party.state === 'greeting' && nowMs - party.connectedMs > loginTimeoutMs) party.close('login-timeout');
      else if (nowMs - party.stillSinceMs > silenceMs) party.close('silent');
    }
  }
}

/** Closes a connection that speaks of another task than it is for. */
function isOfTask(party: Party, { taskId }: { readonly taskId: string }): boolean {
  if (taskId === party.taskId) return true;
  party.close('breach');
  return false;
}
