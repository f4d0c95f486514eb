import { FILE_FRAME_SIZE_MAX } from '../limits.js';
import { type CloseReason, Connection } from '../net/connection.js';
import { type Command, decodeBody, encodeFrame } from '../pdu/command.js';
import { file, other } from '../pdu/commands.js';
import type { Frame } from '../pdu/header.js';
import { IM } from '../pdu/pb.js';
import { dial, type Way } from './dial.js';

const { ClientFileState } = IM.BaseDefine;
const HEARTBEAT_MS = 30_000;
/** Without any answer for so long, heartbeats included, the file server is given up. */
const SILENCE_MS = 75_000;
const DIAL_MS_MAX = 5_000;
const SEND_QUEUE_MAX = 16 * FILE_FRAME_SIZE_MAX;

export interface Task {
  readonly taskId: string;
  readonly userId: number;
  readonly role: IM.BaseDefine.ClientFileRole;
}

/** How a connection to a file server ended. `lost` may be tried again. */
export type LineEnd =
  | { readonly how: 'done' | 'cancelled' | 'refused' }
  | { readonly how: 'not-let-in' }
  | { readonly how: 'lost'; readonly why: CloseReason };

export interface LineOwner {
  /** Let in; blocks may be asked for, or will be. */
  ready(line: FileLine): void;
  pull(line: FileLine, asked: IM.File.IMFilePullDataReq, seq: number): void;
  block(line: FileLine, block: IM.File.IMFilePullDataRsp): void;
}

/** One connection to a file server, for one task: what comes is told, and in the end how it ended. */
export class FileLine {
  /** Never rejects. */
  readonly ended: Promise<LineEnd>;
  readonly task: Task;
  readonly #connection: Connection;
  readonly #owner: LineOwner;
  readonly #heartbeat: NodeJS.Timeout;
  #end: LineEnd | undefined;
  #seq = 0;

  private constructor(connection: Connection, task: Task, owner: LineOwner) {
    this.#connection = connection;
    this.task = task;
    this.#owner = owner;
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.ended = new Promise((resolve) => {
      connection.own({
        frame: (frame) => this.#heard(frame),
        closed: (why) => {
          clearInterval(this.#heartbeat);
          resolve(this.#end ?? { how: 'lost', why });
        },
      });
    });
    const { taskId, userId, role: fileRole } = task;
    this.tell(file.enter, { userId, taskId, fileRole });
  }

  /** @throws ConnectError */
  static async open(address: IM.BaseDefine.IpAddr, task: Task, owner: LineOwner, way: Way = {}): Promise<FileLine> {
    const socket = await dial(address.ip, address.port, DIAL_MS_MAX, way);
    const limits = { frameSizeMax: FILE_FRAME_SIZE_MAX, sendQueueMax: SEND_QUEUE_MAX };
    return new FileLine(new Connection(socket, limits), task, owner);
  }

  tell<In>(command: Command<In, unknown>, it: In, seq = this.#nextSeq()): void {
    this.#connection.send(encodeFrame(command, seq, it));
  }

  /** Says how it ends for us, and hangs up when that has left. */
  end(state: IM.BaseDefine.ClientFileState): void {
    const { taskId, userId } = this.task;
    this.tell(file.state, { state, taskId, userId });
    this.#endWith(state);
  }

  /** Hangs up without a word: this end may come back. */
  close(): void {
    this.#connection.close('shutdown');
  }

  #heard(frame: Frame): void {
    try {
      this.#act(frame);
    } catch {
      this.#connection.close('breach'); // what we cannot read is nothing to go on with
    }
  }

  #act({ command, seq, body }: Frame): void {
    if (command === file.enter.reply.id) {
      if (decodeBody(file.enter.reply, body).resultCode === 0) return this.#owner.ready(this);
      this.#end ??= { how: 'not-let-in' };
      this.#connection.close('login-refused');
    } else if (command === file.pullData.id) this.#owner.pull(this, decodeBody(file.pullData, body), seq);
    else if (command === file.pullData.reply.id) this.#owner.block(this, decodeBody(file.pullData.reply, body));
    else if (command === file.state.id) this.#endWith(decodeBody(file.state, body).state);
  }

  #endWith(state: IM.BaseDefine.ClientFileState): void {
    const { CLIENT_FILE_PEER_READY, CLIENT_FILE_DONE, CLIENT_FILE_REFUSE } = ClientFileState;
    if (state === CLIENT_FILE_PEER_READY) return;
    const how = state === CLIENT_FILE_DONE ? 'done' : state === CLIENT_FILE_REFUSE ? 'refused' : 'cancelled';
    this.#end ??= { how };
    this.#connection.close('finished');
  }

  #beat(): void {
    if (performance.now() - this.#connection.heardMs > SILENCE_MS) this.#connection.close('silent');
    else this.tell(other.heartbeat, {});
  }

  #nextSeq(): number {
    this.#seq = (this.#seq % 0xfffe) + 1;
    return this.#seq;
  }
}
