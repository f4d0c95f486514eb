import type { Readable } from 'node:stream';
import { ImError } from '../../../common/errors.js';
import { file } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { type Course, refusePull, type Transfer, type TransferContext } from './course.js';
import type { Party } from './party.js';
import { Pulls } from './pulls.js';
import { TRANSFER_KIND } from './upload.js';

const { ClientFileState } = IM.BaseDefine;

/**
 * An offline download: the receiver asks for block after block, from wherever it wants to begin. The stored file is read
 * along, one piece ahead at most; another place than the next one is read from anew. With its last byte the file is
 * done, and stays until the receiver's msg server has heard so.
 */
export class Download implements Course {
  readonly #ctx: TransferContext;
  readonly #transfer: Transfer;
  readonly #party: Party;
  readonly #pulls: Pulls;
  #reader: { readonly stream: Readable; at: number } | undefined;
  #serving = false;

  constructor(ctx: TransferContext, task: Transfer, party: Party) {
    this.#ctx = ctx;
    this.#transfer = task;
    this.#party = party;
    this.#pulls = new Pulls(task.fileSize);
  }

  readonly isOver = false;

  get buffered(): number {
    return this.#reader?.stream.readableLength ?? 0;
  }

  joined(): void {
    // the receiver begins
  }

  pull(party: Party, { offset, dataSize }: IM.File.IMFilePullDataReq, seq: number): void {
    if (this.#pulls.ask(offset, dataSize, seq)) this.pump();
    else refusePull(party, party.userId, offset, seq);
  }

  block(): void {
    // a receiver has nothing to give
  }

  /** Whether the file is kept is between the receiver and his msg server. */
  state(party: Party, state: IM.BaseDefine.ClientFileState): void {
    if (state === ClientFileState.CLIENT_FILE_PEER_READY) return;
    const how = state === ClientFileState.CLIENT_FILE_REFUSE ? 'refused' : 'cancelled';
    this.#ctx.counters.ended.inc({ way: 'download', how });
    party.close('finished');
  }

  left(): void {
    this.#reader?.stream.destroy();
    this.#reader = undefined;
  }

  pump(): void {
    if (this.#serving) return;
    this.#serving = true;
    this.#serve()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#serving = false;
      });
  }

  async #serve(): Promise<void> {
    const party = this.#party;
    const { taskId, fileSize, fromUserId } = this.#transfer;
    while (party.state === 'in' && party.hasRoom) {
      const pull = this.#pulls.next();
      if (pull === undefined) break;
      party.listen(this.#pulls.waiting === 0);
      const fileData = await this.#read(pull.offset, pull.size);
      if (party.state !== 'in') return;
      this.#pulls.answer(pull.offset, fileData.length);
      const { offset, seq } = pull;
      party.send(file.pullData.reply, seq, { resultCode: 0, taskId, userId: party.userId, offset, fileData });
      this.#ctx.counters.bytes.inc({ way: 'download' }, fileData.length);
      if (offset + fileData.length < fileSize) continue;
      this.#ctx.counters.ended.inc({ way: 'download', how: 'done' });
      party.tell(ClientFileState.CLIENT_FILE_DONE, fromUserId);
      return party.close('finished');
    }
  }

  /** @throws ImError FILE_DAMAGED, STORE_UNAVAILABLE */
  async #read(offset: number, size: number): Promise<Buffer> {
    if (this.#reader?.at !== offset) {
      this.#reader?.stream.destroy();
      this.#reader = { stream: await this.#open(offset), at: offset };
    }
    const { stream } = this.#reader;
    const bytes = await readExactly(stream, size);
    this.#reader.at = offset + size;
    return bytes;
  }

  async #open(offset: number): Promise<Readable> {
    const { taskId, fileSize } = this.#transfer;
    const found = await this.#ctx.blobs.find(TRANSFER_KIND, taskId);
    if (found === undefined) throw new ImError('NO_SUCH_FILE', 'the content of a stored file is not there');
    const stream = this.#ctx.blobs.open(found.blob, { start: offset, end: fileSize });
    stream.on('error', () => undefined); // it reads ahead: looked at when somebody wants the bytes
    return stream;
  }

  #failed(error: unknown): void {
    if (this.#party.state !== 'in') return;
    this.#ctx.counters.ended.inc({ way: 'download', how: 'failed' });
    this.#ctx.log.error({ toUserId: this.#party.userId, error }, 'a stored file cannot be read');
    this.#party.cancel('failed');
  }
}

/** @throws the stream's error; an ImError FILE_DAMAGED when it ends before */
function readExactly(stream: Readable, size: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (stream.errored !== null) return reject(stream.errored);
    const done = (outcome: Buffer | Error) => {
      for (const [event, listener] of listeners) stream.off(event, listener);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const take = () => {
      const bytes = stream.read(size) as Buffer | null;
      if (bytes === null) return;
      const short = size - bytes.length;
      done(short === 0 ? bytes : new ImError('FILE_DAMAGED', `a stored file is ${short} bytes short`));
    };
    const listeners: readonly (readonly [string, (error?: Error) => void])[] = [
      ['readable', take],
      ['error', (error) => done(error ?? new Error('unreadable'))],
      ['close', () => done(new ImError('FILE_DAMAGED', 'a stored file ends early'))],
    ];
    for (const [event, listener] of listeners) stream.on(event, listener);
    take();
  });
}
