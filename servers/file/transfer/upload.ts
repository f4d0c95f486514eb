import { PassThrough } from 'node:stream';
import { ImError } from '../../../common/errors.js';
import { FILE_BLOCK_SIZE } from '../../../common/limits.js';
import { file, transfer } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { type Course, type Ending, endTask, type Transfer, type TransferContext } from './course.js';
import type { Party } from './party.js';
import { Pulls } from './pulls.js';

const { ClientFileState } = IM.BaseDefine;

/** Whose names these are among the files at rest; the name is the id of the task. */
export const TRANSFER_KIND = 'transfer';
const DAY_MS = 24 * 60 * 60 * 1000;
/** Content that waits for the disk. */
const BUFFER_SIZE = 8 * FILE_BLOCK_SIZE;

/**
 * An offline upload: block by block is asked from the sender and written to an upload of the store, no faster than that
 * takes it. A sender that comes back is asked for what is missing behind what lasts.
 */
export class Upload implements Course {
  readonly #ctx: TransferContext;
  readonly #over: () => void;
  #transfer: Transfer;
  #party: Party | undefined;
  #pulls: Pulls;
  #source: PassThrough | undefined;
  #cancelled = false;
  /** The work on the upload: one party's at a time. */
  #work: Promise<void> = Promise.resolve();

  /** @param over nobody is here any more */
  constructor(ctx: TransferContext, task: Transfer, over: () => void) {
    this.#ctx = ctx;
    this.#over = over;
    this.#transfer = task;
    this.#pulls = new Pulls(task.fileSize);
  }

  get buffered(): number {
    return this.#source?.writableLength ?? 0;
  }

  /** How long the file waits for its receiver once it is stored. */
  get #keptMs(): number {
    return this.#ctx.settings.keptDays * DAY_MS;
  }

  get isOver(): boolean {
    return this.#cancelled;
  }

  joined(party: Party): void {
    this.#source?.end(); // what came from the one before stays
    this.#party?.close('replaced');
    this.#party = party;
    this.#work = this.#work.then(() => this.#run(party)).catch((error: unknown) => this.#failed(party, error));
  }

  pull(): void {
    // a sender has nothing to ask for
  }

  block(party: Party, { resultCode, offset, fileData }: IM.File.IMFilePullDataRsp): void {
    if (party !== this.#party || this.#source === undefined) return;
    if (resultCode !== 0) return this.#cancel('failed');
    if (typeof this.#pulls.answer(offset, fileData.length) === 'string') return party.cancel('breach');
    this.#ctx.counters.bytes.inc({ way: 'upload' }, fileData.length);
    const next = offset + fileData.length;
    const source = this.#source;
    const hasRoom = source.write(fileData);
    if (next === this.#transfer.fileSize) source.end();
    else if (hasRoom) this.#ask(party, next);
    else source.once('drain', () => this.#ask(party, next));
  }

  state(party: Party, state: IM.BaseDefine.ClientFileState): void {
    if (party === this.#party && state === ClientFileState.CLIENT_FILE_CANCEL) this.#cancel('cancelled');
  }

  left(party: Party): void {
    if (party !== this.#party) return;
    this.#party = undefined;
    this.#source?.end();
    void this.#work.then(() => this.#party === undefined && this.#over());
  }

  pump(): void {
    // the sender is asked when the store has taken what came
  }

  /** From letting the sender in until it goes, or all of the file lasts. */
  async #run(party: Party): Promise<void> {
    const { blobs, counters } = this.#ctx;
    const { taskId, fileSize, fromUserId } = this.#transfer;
    if (this.#transfer.stored !== true) {
      if (!(await this.#isThere())) {
        const { id, offset } = await this.#upload();
        const end = offset < fileSize && party === this.#party ? await this.#take(party, id, offset) : offset;
        if (end < fileSize) return;
        await blobs.finish(id, {
          kind: TRANSFER_KIND,
          name: taskId,
          userId: fromUserId,
          fileName: '', // sealed, in the row of the task
          mediaType: 'application/octet-stream',
          expiresMs: Date.now() + this.#keptMs,
        });
      }
      await this.#mark({});
      this.#transfer = { ...this.#transfer, stored: true };
      counters.ended.inc({ way: 'upload', how: 'done' });
    }
    this.#party?.tell(ClientFileState.CLIENT_FILE_DONE, fromUserId);
    this.#party?.close('finished');
  }

  /** All of it was stored, and then we were interrupted before the task said so. */
  async #isThere(): Promise<boolean> {
    const { uploadId, taskId } = this.#transfer;
    return uploadId !== undefined && (await this.#ctx.blobs.find(TRANSFER_KIND, taskId)) !== undefined;
  }

  /** The upload as it was left, or a new one. */
  async #upload(): Promise<{ readonly id: string; readonly offset: number }> {
    const { blobs } = this.#ctx;
    const { uploadId, fileSize: sizeMax, fromUserId: userId } = this.#transfer;
    if (uploadId !== undefined) {
      try {
        return { id: uploadId, offset: (await blobs.state(uploadId)).offset };
      } catch (error) {
        if (!(error instanceof ImError && error.code === 'NO_SUCH_UPLOAD')) throw error;
      }
    }
    const id = await blobs.begin({ sizeMax, userId });
    await this.#mark({ uploadId: id });
    this.#transfer = { ...this.#transfer, uploadId: id };
    return { id, offset: 0 };
  }

  /** Asks for the rest and writes it. @returns where the upload ends then: all of it, or what came before the sender left */
  async #take(party: Party, id: string, offset: number): Promise<number> {
    const source = new PassThrough({ writableHighWaterMark: BUFFER_SIZE, readableHighWaterMark: FILE_BLOCK_SIZE });
    source.on('error', () => undefined); // the store gave up: `append` says why
    this.#source = source;
    this.#pulls = new Pulls(this.#transfer.fileSize);
    this.#ask(party, offset);
    try {
      return await this.#ctx.blobs.append(id, offset, source);
    } finally {
      this.#source = undefined;
      source.destroy();
    }
  }

  #ask(party: Party, offset: number): void {
    if (party !== this.#party) return;
    this.#pulls.ask(offset, FILE_BLOCK_SIZE, 0);
    const { taskId, transMode, fromUserId: userId } = this.#transfer;
    party.send(file.pullData, 0, { taskId, userId, transMode, offset, dataSize: this.#pulls.next()!.size });
  }

  /** @throws ImError NOT_ALLOWED when the task is over */
  async #mark(mark: { readonly uploadId?: string }): Promise<void> {
    const { taskId } = this.#transfer;
    const expiresMs = Date.now() + (mark.uploadId === undefined ? this.#keptMs : this.#ctx.settings.taskMs);
    const { found } = await this.#ctx.dbProxies.ask(transfer.mark, { taskId, expiresMs, ...mark });
    if (found) return;
    if (mark.uploadId === undefined) await this.#ctx.blobs.release(TRANSFER_KIND, taskId);
    else await this.#ctx.blobs.abort(mark.uploadId);
    throw new ImError('NOT_ALLOWED', 'the task is over');
  }

  /** By the sender: what has come so far is of no use to anybody. */
  #cancel(how: Ending): void {
    this.#cancelled = true;
    this.#ctx.counters.ended.inc({ way: 'upload', how });
    const party = this.#party;
    this.#party = undefined;
    this.#source?.end();
    party?.close('finished');
    const ended = endTask(this.#ctx, this.#transfer);
    this.#work = this.#work
      .then(async () => {
        await ended;
        const { uploadId } = this.#transfer;
        if (uploadId !== undefined && this.#transfer.stored !== true) await this.#ctx.blobs.abort(uploadId);
      })
      .catch((error: unknown) => this.#ctx.log.warn({ error }, 'a cancelled upload is left for the next sweep'))
      .finally(() => this.#over());
  }

  #failed(party: Party, error: unknown): void {
    this.#ctx.counters.ended.inc({ way: 'upload', how: 'failed' });
    const { fromUserId } = this.#transfer;
    this.#ctx.log[error instanceof ImError ? 'warn' : 'error']({ fromUserId, error }, 'an upload failed');
    // Closed without a word, a client may come back and go on.
    if (error instanceof ImError && error.retry && error.code !== 'STORE_FULL') party.close('failed');
    else party.cancel('failed');
  }
}
