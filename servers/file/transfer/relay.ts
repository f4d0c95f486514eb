import { file } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { type Course, type Ending, endTask, refusePull, type Transfer, type TransferContext } from './course.js';
import type { Party } from './party.js';
import { Pulls } from './pulls.js';

const { ClientFileState } = IM.BaseDefine;

/**
 * An online transfer: what the receiver asks for goes to the sender, what that one answers goes to the receiver, and
 * nothing is kept. The pace is the receiver's: while it does not read, the sender is not asked for more. When one end is
 * lost the other one waits for it a while; whoever comes back is the end from then on, and the receiver goes on asking.
 */
export class Relay implements Course {
  readonly buffered = 0;
  readonly #ctx: TransferContext;
  readonly #transfer: Transfer;
  readonly #over: () => void;
  readonly #pulls: Pulls;
  #sender: Party | undefined;
  #receiver: Party | undefined;
  /** Knows that the sender is there. */
  #toldReady: Party | undefined;
  #waiting: NodeJS.Timeout | undefined;
  /** Set when it has ended; resolves when nobody else knows the task either. */
  #ended: Promise<void> | undefined;

  /** @param over nobody is here any more */
  constructor(ctx: TransferContext, task: Transfer, over: () => void) {
    this.#ctx = ctx;
    this.#transfer = task;
    this.#over = over;
    this.#pulls = new Pulls(task.fileSize);
  }

  get isOver(): boolean {
    return this.#ended !== undefined;
  }

  joined(party: Party): void {
    clearTimeout(this.#waiting);
    const before = party.receives ? this.#receiver : this.#sender;
    if (party.receives) {
      this.#pulls.receiverLost();
      this.#receiver = party;
    } else {
      this.#pulls.senderLost();
      this.#sender = party;
    }
    before?.close('replaced');
    if (this.#sender !== undefined && this.#receiver !== undefined) this.#tellReady(this.#receiver);
    this.pump();
  }

  /** Once: clients ask their user whether to accept the file when they hear of it. */
  #tellReady(receiver: Party): void {
    if (this.#toldReady === receiver) return;
    this.#toldReady = receiver;
    receiver.tell(ClientFileState.CLIENT_FILE_PEER_READY, this.#transfer.fromUserId);
  }

  pull(party: Party, { offset, dataSize }: IM.File.IMFilePullDataReq, seq: number): void {
    if (party !== this.#receiver) return;
    if (this.#pulls.ask(offset, dataSize, seq)) return this.pump();
    refusePull(party, this.#transfer.fromUserId, offset, seq);
  }

  block(party: Party, { resultCode, offset, fileData }: IM.File.IMFilePullDataRsp): void {
    if (party !== this.#sender) return;
    if (resultCode !== 0) return this.#end('failed', party, ClientFileState.CLIENT_FILE_CANCEL);
    const pull = this.#pulls.answer(offset, fileData.length);
    if (pull === 'breach') return party.cancel('breach');
    if (pull !== 'stale' && this.#receiver !== undefined) {
      const { taskId, fromUserId } = this.#transfer;
      const block = { resultCode: 0, taskId, userId: fromUserId, offset, fileData };
      this.#receiver.send(file.pullData.reply, pull.seq, block);
      this.#ctx.counters.bytes.inc({ way: 'online' }, fileData.length);
    }
    this.pump();
  }

  state(party: Party, state: IM.BaseDefine.ClientFileState, seq: number): void {
    const { CLIENT_FILE_CANCEL, CLIENT_FILE_REFUSE, CLIENT_FILE_DONE } = ClientFileState;
    if (party !== this.#sender && party !== this.#receiver) return;
    if (state === CLIENT_FILE_CANCEL) this.#end('cancelled', party, state, seq);
    else if (state === CLIENT_FILE_REFUSE && party.receives) this.#end('refused', party, state, seq);
    else if (state === CLIENT_FILE_DONE && party.receives) this.#end('done', party, state, seq);
  }

  left(party: Party): void {
    if (party === this.#receiver) {
      this.#receiver = undefined;
      this.#pulls.receiverLost();
    } else if (party === this.#sender) {
      this.#sender = undefined;
      this.#pulls.senderLost();
    } else return;
    const other = this.#receiver ?? this.#sender;
    if (other === undefined) {
      clearTimeout(this.#waiting);
      if (this.#ended === undefined) this.#over();
      else void this.#ended.then(() => this.#over());
    } else if (this.#ended === undefined) {
      this.#waiting = setTimeout(() => this.#end('peer-gone', party), this.#ctx.settings.peerWaitMs);
      this.#receiver?.listen(true); // its heartbeats, while there is nobody to ask
    }
  }

  pump(): void {
    const receiver = this.#receiver;
    const sender = this.#sender;
    if (receiver === undefined || sender === undefined) return;
    const { taskId, transMode } = this.#transfer;
    while (receiver.hasRoom && sender.hasRoom) {
      const pull = this.#pulls.next();
      if (pull === undefined) break;
      const { offset, size: dataSize, seq } = pull;
      sender.send(file.pullData, seq, { taskId, userId: receiver.userId, transMode, offset, dataSize });
    }
    receiver.listen(this.#pulls.waiting === 0);
  }

  /** For both ends: the other one hears of it from whoever's state it is. */
  #end(how: Ending, party: Party, state: IM.BaseDefine.ClientFileState = ClientFileState.CLIENT_FILE_CANCEL, seq = 0) {
    if (this.#ended !== undefined) return;
    clearTimeout(this.#waiting);
    this.#ctx.counters.ended.inc({ way: 'online', how });
    // One that was lost may come back later, as long as the task is there.
    this.#ended = how === 'peer-gone' ? Promise.resolve() : endTask(this.#ctx, this.#transfer);
    for (const each of [this.#receiver, this.#sender]) {
      if (each !== party) each?.tell(state, party.userId, seq);
      each?.close('finished');
    }
  }
}
