/**
 * Sending and receiving files with a Client, who goes to the file server the way that he came to the msg server: by TLS
 * when the session is. A connection to the file server that breaks is made anew, and the transfer goes on where it was;
 * the session itself is not needed once the task is known.
 *
 *   await sendFile(alice, bobId, 'plan.pdf');                        // online when his PC is there, else kept for him
 *   bob.on('file', (notice) => receiveFile(bob, offerOf(notice), 'plan.pdf'));
 *   for (const offer of await offlineFiles(bob)) await receiveFile(bob, offer, `in/${offer.name}`);
 */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FILE_BLOCK_SIZE, FILE_SIZE_LIMIT } from '../limits.js';
import { file } from '../pdu/commands.js';
import { IM } from '../pdu/pb.js';
import type { Client } from './client.js';
import type { Way } from './dial.js';
import { ConnectError, ConnectionLost } from './errors.js';
import { FileLine, type LineEnd, type LineOwner, type Task } from './file-line.js';

const { ClientFileRole, ClientFileState, TransferFileType } = IM.BaseDefine;

/** Blocks that a receiver asks for ahead, so that the way to the server and back is no pause. */
const WINDOW = 4;
const RETRY_MS_FIRST = 100;
const RETRY_MS_MAX = 2_000;
const TRANSFER_MS_STILL_MAX = 30_000;

export interface TransferOptions {
  /** Aborted: the transfer is cancelled for both ends. */
  readonly signal?: AbortSignal;
  /** Hears how many bytes are over. */
  readonly progress?: (done: number, size: number) => void;
  /** How long a broken connection is made anew without getting any further; default 30,000 ms. */
  readonly retryMs?: number;
}

/** A file that somebody sends us. */
export interface FileOffer {
  readonly fromUserId: number;
  readonly taskId: string;
  /** Without folders; what the sender called it otherwise. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The sender is there and waits; else the file is kept for us. */
  readonly online: boolean;
  /** False: an offline file that is still being uploaded; another notice comes when it is there. */
  readonly ready: boolean;
  readonly addresses: readonly IM.BaseDefine.IpAddr[];
}

/** The file did not come over: somebody did not want it to, or the file server does not know the task. */
export class TransferEnded extends Error {
  override readonly name = 'TransferEnded';
  readonly how: 'cancelled' | 'refused' | 'not-let-in';

  constructor(how: 'cancelled' | 'refused' | 'not-let-in') {
    super({ cancelled: 'the transfer was cancelled', refused: 'the file was refused', 'not-let-in': NOT_LET_IN }[how]);
    this.how = how;
  }
}

const NOT_LET_IN = 'the file server knows no such task for this user';

/**
 * Sends a file; resolves when its receiver has it, or when it is kept for him.
 * @throws TransferEnded; ConnectError when the file server stays away; what reading the file throws
 */
export async function sendFile(
  client: Client,
  toUserId: number,
  path: string,
  options: TransferOptions & { readonly offline?: boolean } = {},
): Promise<{ readonly online: boolean; readonly taskId: string }> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    if (size < 1 || size > FILE_SIZE_LIMIT)
      throw new RangeError(`${path} has ${size} bytes, 1 to ${FILE_SIZE_LIMIT} can be sent`);
    const { FILE_TYPE_OFFLINE, FILE_TYPE_ONLINE } = TransferFileType;
    const fileName = basename(path);
    const wish = options.offline === true ? FILE_TYPE_OFFLINE : FILE_TYPE_ONLINE;
    const asked = { fromUserId: client.userId, toUserId, fileName, fileSize: size, transMode: wish };
    const { resultCode, taskId, ipAddrList, transMode } = await client.ask(file.request, asked);
    if (resultCode !== 0) throw new ConnectError('the server makes no task for this file');
    const online = transMode === FILE_TYPE_ONLINE;
    const role = online ? ClientFileRole.CLIENT_REALTIME_SENDER : ClientFileRole.CLIENT_OFFLINE_UPLOAD;
    const task = { taskId, userId: client.userId, role };
    await carry(client.way, ipAddrList, task, new Sending(handle, size, options), options);
    if (!online) told(client).tell(file.addOffline, { ...asked, taskId });
    return { online, taskId };
  } finally {
    await handle.close();
  }
}

/**
 * Fetches a file to `path`, where nothing may be yet; meanwhile it is beside it, and a later call goes on from there.
 * @throws as sendFile
 */
export async function receiveFile(
  client: Client,
  offer: FileOffer,
  path: string,
  options: TransferOptions = {},
): Promise<void> {
  if (await stat(path).catch(() => undefined)) throw new Error(`${path} is there already`);
  const { taskId, fromUserId } = offer;
  const part = `${path}.${taskId.slice(0, 8)}.part`;
  const handle = await open(part, 'a');
  try {
    const { size: from } = await handle.stat();
    if (from < offer.size) {
      const role = offer.online ? ClientFileRole.CLIENT_REALTIME_RECVER : ClientFileRole.CLIENT_OFFLINE_DOWNLOAD;
      const task = { taskId, userId: client.userId, role };
      await carry(client.way, offer.addresses, task, new Receiving(handle, offer, from, options), options);
    }
    const { size } = await handle.stat();
    if (size !== offer.size) throw new TransferEnded('cancelled'); // the other side says done, and it is not
    await handle.sync();
  } finally {
    if ((await handle.stat()).size === 0) await rm(part, { force: true }); // nothing to go on with
    await handle.close();
  }
  await rename(part, path);
  if (!offer.online) told(client).tell(file.delOffline, { fromUserId, toUserId: client.userId, taskId });
}

/** Does not want a file. Its sender hears of it when he is there. */
export async function refuseFile(client: Client, { online, taskId, fromUserId, addresses }: FileOffer): Promise<void> {
  if (!online) return told(client).tell(file.delOffline, { fromUserId, toUserId: client.userId, taskId });
  const task = { taskId, userId: client.userId, role: ClientFileRole.CLIENT_REALTIME_RECVER };
  const nothing = () => undefined;
  const refuse = (line: FileLine) => line.end(ClientFileState.CLIENT_FILE_REFUSE);
  const owner = { ready: refuse, pull: nothing, block: nothing };
  const line = await FileLine.open(addressOf(addresses), task, owner, client.way);
  await line.ended;
}

/** What waits for this user, oldest first. */
export async function offlineFiles(client: Client): Promise<FileOffer[]> {
  const { offlineFileList, ipAddrList } = await client.ask(file.hasOffline, { userId: client.userId });
  return offlineFileList.map(({ fromUserId, taskId, fileName, fileSize }) => ({
    fromUserId,
    taskId,
    name: plainName(fileName),
    size: fileSize,
    online: false,
    ready: true,
    addresses: ipAddrList,
  }));
}

export function offerOf(notice: IM.File.IMFileNotify): FileOffer {
  const { fromUserId, taskId, fileName, fileSize, ipAddrList: addresses } = notice;
  const online = notice.transMode === TransferFileType.FILE_TYPE_ONLINE;
  const ready = online || notice.offlineReady !== 0;
  return { fromUserId, taskId, name: plainName(fileName), size: fileSize, online, ready, addresses };
}

/** @throws ConnectionLost when the msg server would not hear it */
function told(client: Client): Client {
  if (client.isClosed) throw new ConnectionLost('ended', 'what became of the file is not told to the server');
  return client;
}

/** A sender may write anything: no folders, no dots that lead out of one. */
function plainName(fileName: string): string {
  const name = fileName.split(/[/\\]/).at(-1)!.replaceAll('\0', '');
  return name === '' || name === '.' || name === '..' ? 'file' : name;
}

function addressOf(addresses: readonly IM.BaseDefine.IpAddr[]): IM.BaseDefine.IpAddr {
  if (addresses[0] === undefined) throw new ConnectError('no file server was named');
  return addresses[0];
}

/** What one end does with its file. */
interface End extends LineOwner {
  /** Bytes that are over; grows while the transfer gets on. */
  readonly done: number;
  /** Set: the file on our side is the trouble. */
  readonly fault: unknown;
  /** Resolves when what came is in the file. */
  settled(): Promise<void>;
}

/** One connection after the other until it ended in a way that is an end. @throws as sendFile */
async function carry(
  way: Way,
  addresses: readonly IM.BaseDefine.IpAddr[],
  task: Task,
  end: End,
  { signal, retryMs = TRANSFER_MS_STILL_MAX }: TransferOptions,
): Promise<void> {
  const address = addressOf(addresses);
  let movedMs = performance.now();
  for (let done = end.done, failures = 0; ; failures++) {
    signal?.throwIfAborted();
    const how = await oneLine(way, address, task, end, signal);
    signal?.throwIfAborted();
    await end.settled();
    if (end.fault !== undefined) throw end.fault;
    if (how.how === 'done') return;
    if (how.how !== 'lost') throw new TransferEnded(how.how);
    if (end.done > done) {
      movedMs = performance.now();
      failures = 0;
    }
    done = end.done;
    if (performance.now() - movedMs > retryMs) throw new ConnectError(`the file server is not to be had: ${how.why}`);
    await delay(Math.min(RETRY_MS_FIRST * 2 ** failures, RETRY_MS_MAX), undefined, { signal });
  }
}

async function oneLine(
  way: Way,
  address: IM.BaseDefine.IpAddr,
  task: Task,
  end: End,
  signal: AbortSignal | undefined,
): Promise<LineEnd | { readonly how: 'lost'; readonly why: string }> {
  let line: FileLine;
  try {
    line = await FileLine.open(address, task, end, way);
  } catch (error) {
    if (error instanceof ConnectError) return { how: 'lost', why: error.message };
    throw error;
  }
  const cancel = () => line.end(ClientFileState.CLIENT_FILE_CANCEL);
  signal?.addEventListener('abort', cancel, { once: true });
  if (signal?.aborted) cancel();
  return line.ended.finally(() => signal?.removeEventListener('abort', cancel));
}

class Sending implements End {
  done = 0;
  fault: unknown;
  readonly #handle: FileHandle;
  readonly #size: number;
  readonly #options: TransferOptions;
  #work = Promise.resolve();

  constructor(handle: FileHandle, size: number, options: TransferOptions) {
    this.#handle = handle;
    this.#size = size;
    this.#options = options;
  }

  settled(): Promise<void> {
    return this.#work;
  }
  ready(): void {
    // the other side asks
  }
  block(): void {
    // a sender is given nothing
  }

  pull(line: FileLine, { offset, dataSize }: IM.File.IMFilePullDataReq, seq: number): void {
    this.#work = this.#work
      .then(() => this.#answer(line, offset, Math.min(dataSize, FILE_BLOCK_SIZE, this.#size - offset), seq))
      .catch((fault: unknown) => {
        this.fault ??= fault;
        line.end(ClientFileState.CLIENT_FILE_CANCEL);
      });
  }

  async #answer(line: FileLine, offset: number, length: number, seq: number): Promise<void> {
    const fileData = Buffer.allocUnsafe(length);
    const { bytesRead } = await this.#handle.read(fileData, 0, length, offset);
    if (bytesRead < length) throw new Error('the file has become shorter');
    const { taskId, userId } = line.task;
    line.tell(file.pullData.reply, { resultCode: 0, taskId, userId, offset, fileData }, seq);
    this.done = Math.max(this.done, offset + length);
    this.#options.progress?.(this.done, this.#size);
  }
}

class Receiving implements End {
  fault: unknown;
  readonly #handle: FileHandle;
  readonly #offer: FileOffer;
  readonly #options: TransferOptions;
  /** Bytes that came, in order. */
  #came: number;
  #asked: number;
  #work = Promise.resolve();

  constructor(handle: FileHandle, offer: FileOffer, from: number, options: TransferOptions) {
    this.#handle = handle;
    this.#offer = offer;
    this.#options = options;
    this.#came = from;
    this.#asked = from;
  }

  get done(): number {
    return this.#came;
  }
  settled(): Promise<void> {
    return this.#work;
  }

  ready(line: FileLine): void {
    this.#asked = this.#came; // what an earlier connection was asked for does not come any more
    for (let i = 0; i < WINDOW; i++) this.#ask(line);
  }

  pull(): void {
    // a receiver is asked for nothing
  }

  block(line: FileLine, { resultCode, offset, fileData }: IM.File.IMFilePullDataRsp): void {
    const { size } = this.#offer;
    if (resultCode !== 0 || offset !== this.#came || fileData.length === 0 || offset + fileData.length > size)
      return line.close();
    this.#came += fileData.length;
    const bytes = Buffer.from(fileData);
    const whole = this.#came === size;
    this.#work = this.#work
      .then(async () => {
        if (this.fault !== undefined) return;
        await this.#handle.appendFile(bytes);
        this.#options.progress?.(offset + bytes.length, size);
        if (whole && this.#offer.online) line.end(ClientFileState.CLIENT_FILE_DONE);
        else this.#ask(line); // only now: the disk sets the pace
      })
      .catch((fault: unknown) => {
        this.fault ??= fault;
        line.end(ClientFileState.CLIENT_FILE_CANCEL);
      });
  }

  #ask(line: FileLine): void {
    const { size, online } = this.#offer;
    if (this.#asked >= size) return;
    const { taskId, userId } = line.task;
    const transMode = online ? TransferFileType.FILE_TYPE_ONLINE : TransferFileType.FILE_TYPE_OFFLINE;
    const dataSize = Math.min(FILE_BLOCK_SIZE, size - this.#asked);
    line.tell(file.pullData, { taskId, userId, transMode, offset: this.#asked, dataSize });
    this.#asked += dataSize;
  }
}
