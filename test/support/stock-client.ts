/**
 * TeamTalk's own clients as the wire sees them: header values, numbering of requests, which fields they leave to the
 * server. Everything that comes is held against what such a client can bear, to the byte; `faults` says what was wrong.
 */
import { isDeepStrictEqual } from 'node:util';
import { Client } from '../../common/client/client.js';
import type { Ask, Command } from '../../common/pdu/command.js';
import { decodeBody, encodeFrame } from '../../common/pdu/command.js';
import { buddy, file, group, login, message, other, switchService } from '../../common/pdu/commands.js';
import type { Frame } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { encryptText } from '../../common/text-cipher.js';
import { md5Hex, PASSWORD, until } from './cluster.js';
import { fieldsOf } from './frames.js';

const { ClientType, MsgType, SessionType, UserStatType } = IM.BaseDefine;

export interface Kind {
  readonly name: string;
  readonly clientType: IM.BaseDefine.ClientType;
  readonly clientVersion: string;
  /** Header values that servers must not care about. */
  readonly version: number;
  readonly reserved: number;
  /** The seq of the n-th request, n from 0. */
  readonly seq: (n: number) => number;
  /** Of the n-th message, where messages are numbered apart. */
  readonly messageSeq?: (n: number) => number;
  /** Writes 0 where its own id belongs. */
  readonly userIdZero: boolean;
  /** How it confirms a one-to-one message; undefined: not at all. */
  readonly received?: 'plain' | 'swapped';
  /** The service id of its confirmations, where that is not the command's. */
  readonly ackService?: number;
  /** Under which number it asks to take a conversation off the list. */
  readonly removeSession: number;
  /** In bytes; what is larger breaks its connection. */
  readonly frameSizeMax: number;
}

const NO_LIMIT = Number.POSITIVE_INFINITY;

export const KINDS: readonly Kind[] = [
  {
    name: 'Windows',
    clientType: ClientType.CLIENT_TYPE_WINDOWS,
    clientVersion: 'win_10086',
    version: 1,
    reserved: 0,
    seq: (n) => (n === 0 ? 1 : 0),
    messageSeq: (n) => 517 + n,
    userIdZero: false,
    received: 'plain',
    removeSession: buddy.removeSession.id,
    frameSizeMax: NO_LIMIT,
  },
  {
    name: 'mac',
    clientType: ClientType.CLIENT_TYPE_MAC,
    clientVersion: '1.0.0',
    version: 1,
    reserved: 0,
    seq: (n) => n + 1,
    userIdZero: true,
    ackService: 2,
    removeSession: buddy.removeSession.id,
    frameSizeMax: NO_LIMIT,
  },
  {
    name: 'iOS',
    clientType: ClientType.CLIENT_TYPE_IOS,
    clientVersion: 'MAC/1.0-1',
    version: 13,
    reserved: 1,
    seq: (n) => (0xfffe + n) & 0xffff, // a process that has run for long: it wraps through 0
    userIdZero: true,
    received: 'plain',
    removeSession: buddy.removeSession.reply.id,
    frameSizeMax: NO_LIMIT,
  },
  {
    name: 'Android',
    clientType: ClientType.CLIENT_TYPE_ANDROID,
    clientVersion: '1.0.0',
    version: 6,
    reserved: 0x30,
    seq: (n) => ((32_764 + n) % 32_766) + 1, // wraps from 32766 to 1
    userIdZero: false,
    received: 'swapped',
    removeSession: buddy.removeSession.id,
    frameSizeMax: 400 * 1024,
  },
];

type AnyCommand = Command<never, unknown>;

/** Everything that stock TeamTalk has for clients, by number. */
const stock = new Map<number, AnyCommand>();
for (const subject of [login, buddy, message, group, file, switchService, other]) {
  for (const command of Object.values(subject) as (AnyCommand & { reply?: AnyCommand })[])
    for (const each of command.reply === undefined ? [command] : [command, command.reply])
      if ((each.id & 0xff) < 0x80) stock.set(each.id, each);
}
/** What comes unasked. Of the answers, those that Android takes in several parts. */
const pushes = new Set(
  [
    login.kick,
    buddy.statusNotify,
    buddy.pcLoginNotify,
    buddy.removeSessionNotify,
    buddy.avatarNotify,
    buddy.signatureNotify,
    message.data,
    message.readNotify,
    group.memberNotify,
    switchService.p2p,
  ].map((command) => command.id),
);
const partsOnAndroid = new Set(
  [buddy.allUsers, buddy.usersInfo, buddy.departments, message.unreadCount, group.info].map((ask) => ask.reply.id),
);
const ATTACH_DATA = 20;

export class StockClient {
  readonly kind: Kind;
  /** What a client of this kind would have choked on. */
  readonly faults: string[] = [];
  /** Everything that came, oldest first. */
  readonly frames: Frame[] = [];
  readonly #client: Client;
  #userId = 0;
  #requests = 0;
  #messages = 0;
  /** Answers that are due, by command and seq. */
  readonly #due: [command: number, seq: number][] = [];
  readonly #beats: Buffer[] = [];
  /** How many frames of a command were taken by `push`. */
  readonly #taken = new Map<number, number>();

  private constructor(kind: Kind, client: Client) {
    this.kind = kind;
    this.#client = client;
    client.on('frame', (frame) => this.#heard(frame));
  }

  static async connect(kind: Kind, address: { host: string; port: number }): Promise<StockClient> {
    const client = await Client.connect({ ...address, heartbeatMs: 0, ackMessages: false, leaveWhenKicked: false });
    return new StockClient(kind, client);
  }

  async enter(userName: string): Promise<IM.Login.IMLoginRes> {
    const { clientType, clientVersion } = this.kind;
    const onlineStatus = UserStatType.USER_STATUS_ONLINE;
    const request = { userName, password: md5Hex(PASSWORD), onlineStatus, clientType, clientVersion };
    const answer = await this.ask(login.enter, request);
    this.#userId = answer.userInfo?.userId ?? 0;
    return answer;
  }

  get userId(): number {
    return this.#userId;
  }
  /** What this client writes where its own id belongs. */
  get writtenId(): number {
    return this.kind.userIdZero ? 0 : this.#userId;
  }
  get closed(): Promise<string> {
    return this.#client.closed;
  }
  get isClosed(): boolean {
    return this.#client.isClosed;
  }

  /** Asks as this kind of client does; `as` is another number than the command's, as iOS has it. */
  async ask<In, Out, ReplyIn, ReplyOut>(
    ask: Ask<In, Out, ReplyIn, ReplyOut>,
    request: In,
    { seq = this.#nextSeq(), as = ask.id }: { seq?: number; as?: number } = {},
  ): Promise<ReplyOut> {
    const from = this.frames.length;
    this.#due.push([ask.reply.id, seq]);
    this.#send(ask, seq, request, as);
    return decodeBody(ask.reply, (await this.#answer(ask.reply.id, seq, from)).body);
  }

  /** Says what is not answered. */
  tell<In>(command: Command<In, unknown>, it: In): void {
    this.#send(command, this.kind.name === 'Windows' ? 0 : this.#nextSeq(), it);
  }

  /** @returns the id that the ack names */
  async say(toSessionId: number, text: string, isGroup = false): Promise<number> {
    const msgType = isGroup ? MsgType.MSG_TYPE_GROUP_TEXT : MsgType.MSG_TYPE_SINGLE_TEXT;
    return this.sayData(toSessionId, msgType, encryptText(text));
  }

  async sayData(toSessionId: number, msgType: IM.BaseDefine.MsgType, msgData: Uint8Array): Promise<number> {
    const seq = this.kind.messageSeq?.(this.#messages++) ?? this.#nextSeq();
    const from = this.frames.length;
    this.#due.push([message.ack.id, seq]);
    const draft = { fromUserId: this.writtenId, toSessionId, msgId: 0, createTime: 1, msgType, msgData };
    this.#send(message.data, seq, draft);
    return decodeBody(message.ack, (await this.#answer(message.ack.id, seq, from)).body).msgId;
  }

  /** The next push of this command, waiting for it if need be; a message is confirmed as this kind does it. */
  async push<Out>(command: Command<never, Out>): Promise<Out> {
    const taken = this.#taken.get(command.id) ?? 0;
    const find = () => this.frames.filter((frame) => frame.command === command.id && frame.seq === 0)[taken];
    await until(() => find() !== undefined, `${command.name} for ${this.kind.name}`);
    this.#taken.set(command.id, taken + 1);
    const it = decodeBody(command, find()!.body);
    if (command.id === message.data.id) this.#confirm(it as IM.Message.IMMsgData);
    return it;
  }

  /** What of this command came and was not taken. */
  waiting<Out>(command: Command<never, Out>): Out[] {
    const all = this.frames.filter((frame) => frame.command === command.id && frame.seq === 0);
    return all.slice(this.#taken.get(command.id) ?? 0).map((frame) => decodeBody(command, frame.body));
  }

  /** Resolves when the same bytes are back: what was answered at once before is here then. */
  async beat(): Promise<void> {
    const before = this.#beats.length;
    const bytes = this.#stamped(encodeFrame(other.heartbeat, this.kind.name === 'Windows' ? 0 : this.#nextSeq(), {}));
    this.#beats.push(bytes);
    this.#client.sendFrame(bytes);
    await until(() => this.#beats.length === before, 'the echo of a heartbeat');
  }

  /** Frames of no command that there is. */
  babble(command: number, body: Uint8Array): void {
    const frame = encodeFrame({ id: command, name: '?', codec: message.time.codec } as never, this.#nextSeq(), {});
    this.#client.sendFrame(this.#stamped(Buffer.concat([frame, body])));
  }

  cut(): void {
    this.#client.cut();
  }

  #nextSeq(): number {
    return this.kind.seq(this.#requests++);
  }

  #confirm(it: IM.Message.IMMsgData): void {
    const { received } = this.kind;
    if (received === undefined || (it.msgType & 0x10) !== 0 || it.fromUserId === this.#userId) return;
    const [userId, sessionId] =
      received === 'swapped' ? [it.fromUserId, this.#userId] : [this.writtenId, it.fromUserId];
    const sessionType = SessionType.SESSION_TYPE_SINGLE;
    this.tell(message.ack, { userId, sessionId, msgId: it.msgId, sessionType });
  }

  #send<In>(command: Command<In, unknown>, seq: number, it: In, as = command.id): void {
    const frame = this.#stamped(encodeFrame({ ...command, id: as }, seq, it));
    const isAck = command.id === message.ack.id || command.id === message.readAck.id;
    if (isAck && this.kind.ackService !== undefined) frame.writeUInt16BE(this.kind.ackService, 8);
    this.#client.sendFrame(frame);
  }

  /** With the header of this kind, and the right length. */
  #stamped(frame: Buffer): Buffer {
    frame.writeUInt32BE(frame.length, 0);
    frame.writeUInt16BE(this.kind.version, 4);
    frame.writeUInt16BE(this.kind.reserved, 14);
    return frame;
  }

  async #answer(command: number, seq: number, from: number): Promise<Frame> {
    const find = () => this.frames.slice(from).find((frame) => frame.command === command && frame.seq === seq);
    await until(() => find() !== undefined || this.isClosed, `${stock.get(command)?.name} for ${this.kind.name}`);
    const found = find();
    if (found === undefined) throw new Error(`${this.kind.name} was closed instead of getting ${command.toString(16)}`);
    return found;
  }

  #heard(frame: Frame): void {
    this.frames.push(frame);
    const command = stock.get(frame.command);
    if (frame.command === other.heartbeat.id) {
      if (!frame.bytes.equals(this.#beats.shift() ?? Buffer.alloc(0)))
        this.#fault(frame, 'not the heartbeat that was sent');
    } else if (command === undefined) this.#fault(frame, 'no command of stock TeamTalk');
    else this.#inspect(frame, command);
  }

  #inspect(frame: Frame, command: AnyCommand): void {
    const { bytes, seq, service, reserved, body } = frame;
    const header = [bytes.length, bytes.readUInt16BE(4), bytes.readUInt16BE(6), service, reserved];
    if (!isDeepStrictEqual(header, [bytes.readUInt32BE(0), 1, 0, command.id >> 8, 0])) this.#fault(frame, 'its header');
    if (bytes.length > this.kind.frameSizeMax) this.#fault(frame, `${bytes.length} bytes`);
    const due = this.#due.findIndex(([id, of]) => id === command.id && of === seq);
    if (due >= 0) this.#due.splice(due, 1);
    else if (seq !== 0) this.#fault(frame, `a push with seq ${seq}`);
    else if (!pushes.has(command.id) && !(this.kind.name === 'Android' && partsOnAndroid.has(command.id)))
      this.#fault(frame, 'nobody asked');
    if (fieldsOf(body).some((field) => field >= ATTACH_DATA)) this.#fault(frame, `fields ${fieldsOf(body)}`);
    try {
      const again = Buffer.from(command.codec.encode(decodeBody(command, body) as never).finish());
      if (!again.equals(body)) this.#fault(frame, 'fields that the stock message has not');
    } catch (error) {
      this.#fault(frame, (error as Error).message);
    }
  }

  #fault(frame: Frame, what: string): void {
    const name = stock.get(frame.command)?.name ?? '';
    this.faults.push(`0x${frame.command.toString(16).padStart(4, '0')} ${name}: ${what}`);
  }
}
