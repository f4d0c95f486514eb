/**
 * A TeamTalk client without a face: one connection, one login, and the stock wire as legacy clients speak it (no
 * capabilities named). For the terminal client, for tests, for whoever wants to write a robot.
 *
 *   const { host, port } = await findMsgServer('http://127.0.0.1:8080');
 *   const alice = await Client.login({ host, port, user: 'alice', password: 'secret' });
 *   const { msgId } = await alice.say(bobId, 'hello');          // stored, under this id
 *   const answer = await alice.heard();                         // the next message somebody sends
 *
 * What comes unasked is told twice: as an event, and through `next`, which keeps it until somebody takes it.
 * Times are Unix seconds of the server's clock, deadlines milliseconds. Every promise that waits for the server ends:
 * with the answer, with ImError TIMEOUT, or with ConnectionLost in the moment the connection closes.
 */
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { seconds } from '../clock.js';
import { ImError, isErrorCode } from '../errors.js';
import { LINK_FRAME_SIZE_MAX } from '../limits.js';
import { type CloseReason, Connection } from '../net/connection.js';
import type { Transport } from '../net/transport.js';
import { type Ask, type Command, decodeBody, encodeFrame } from '../pdu/command.js';
import { buddy, file, group, login, message, other } from '../pdu/commands.js';
import { Frame } from '../pdu/header.js';
import { IM } from '../pdu/pb.js';
import { encryptText } from '../text-cipher.js';
import { Asks } from './asks.js';
import { type ChatMessage, pushedMessage, sessionTypeOf, storedMessage } from './chat-message.js';
import { dial, type Way } from './dial.js';
import { ConnectError, ConnectionLost, LoginRefused } from './errors.js';
import { Pushes } from './pushes.js';

export type { ChatMessage } from './chat-message.js';
export type { Way } from './dial.js';
export { findMsgServer, type MsgServer } from './discovery.js';
export { ConnectError, ConnectionLost, LoginRefused, NoMsgServer } from './errors.js';

const { ClientType, MsgType, ResultType, SessionType, UserStatType } = IM.BaseDefine;
type SessionType = IM.BaseDefine.SessionType;

/** What the Android client accepts in one frame, in bytes; the others have no limit of their own. */
const ANDROID_FRAME_SIZE_LIMIT = 400 * 1024;
const SEND_QUEUE_MAX = 64 * 1024 * 1024;
/** Stock clients give up when they heard nothing for so long; two heartbeats fit in. */
const SILENCE_HEARTBEATS = 2;

export interface ConnectOptions extends Way {
  readonly host: string;
  readonly port: number;
  /** Default: Windows. A user has one session per class, PC or phone. */
  readonly clientType?: IM.BaseDefine.ClientType;
  /** How long connecting may take, and then how long the login may; default 8000 ms. */
  readonly timeoutMs?: number;
  /** Deadline of every question that names none of its own; default 8000 ms. */
  readonly askTimeoutMs?: number;
  /** Pause between heartbeats, 0 for none; default 30,000 ms. After two without any answer the connection is closed. */
  readonly heartbeatMs?: number;
  /** Confirm received one-to-one messages, as Windows and Android do; default true. */
  readonly ackMessages?: boolean;
  /** Close the connection when kicked, as every client does; default true. */
  readonly leaveWhenKicked?: boolean;
  /** How many pushes are kept for `next`; default 1000, then the oldest goes. */
  readonly pushesMax?: number;
}

export interface Credentials {
  readonly user: string;
  /** Plain; its MD5 is what travels. Empty with a token. */
  readonly password: string;
  /** With the capability token1: what this device was given before, in place of the password. */
  readonly token?: Uint8Array;
  /** With token1, in place of the password: a code from the sign-in page, and what its challenge was made of. */
  readonly signIn?: { readonly code: string; readonly verifier: Uint8Array };
  /** With token1, in place of the password: what the company's directory knows, as typed. By TLS or on this machine only. */
  readonly directoryPassword?: string;
  /** With the capability token1: stable for this installation; it gets a token to log in with from then on. */
  readonly deviceId?: string;
  /** How the user knows it in the list of his devices. */
  readonly deviceName?: string;
  readonly clientVersion?: string;
  readonly onlineStatus?: IM.BaseDefine.UserStatType;
  /** Beyond the stock protocol; default none. */
  readonly capabilities?: readonly string[];
}

/** What a device logs in with in place of the password. */
export interface LoginToken {
  readonly token: Uint8Array;
  /** Unix ms, unless it is used before. */
  readonly expiresMs: number;
}

export interface AskOptions {
  readonly timeoutMs?: number;
  /** Default: the next free one of 1 to 0xfffe. */
  readonly seq?: number;
  /** Of a message, 16 bytes: the same again is stored once. Needs the capability ack2. */
  readonly sendId?: Uint8Array;
  /** Ask once more under the same seq when there is no answer by then, as Windows does with messages after 5 s. */
  readonly resendMs?: number;
}

/** A message that is stored. */
export interface Sent {
  readonly msgId: number;
  /** With the capability ack2: when, in ms, and whether an earlier attempt had stored it. */
  readonly createTimeMs: number | undefined;
  readonly duplicate: boolean | undefined;
}

export interface ClientEvents {
  /** Every frame that comes, answers and heartbeats included. */
  frame: [Frame];
  /** A message, from somebody else or from another device of this user. */
  message: [ChatMessage];
  kicked: [IM.BaseDefine.KickReasonType];
  /** Another device of this user has read a conversation. */
  readNotify: [IM.Message.IMMsgDataReadNotify];
  /** Another device of this user took a conversation off the list. */
  sessionRemoved: [IM.Buddy.IMRemoveSessionNotify];
  statusNotify: [IM.BaseDefine.UserStat];
  signature: [IM.Buddy.IMSignInfoChangedNotify];
  groupChange: [IM.Group.IMGroupChangeMemberNotify];
  /** Somebody sends this user a file; see files.ts. */
  file: [IM.File.IMFileNotify];
  /** A push whose body cannot be decoded; a stock client would skip it or break on it. */
  garbled: [Frame, Error];
  closed: [CloseReason];
}

/** Decodes at once and gives back what tells it, so that a listener's fault is never taken for a garbled frame. */
type Told = (client: Client, body: Buffer) => () => void;

/** Pushes that become events. */
const told: ReadonlyMap<number, Told> = new Map([
  on(message.data, (client, it) => client.emit('message', pushedMessage(it, client.userId))),
  on(message.readNotify, (client, it) => client.emit('readNotify', it)),
  on(login.kick, (client, it) => client.emit('kicked', it.kickReason)),
  on(buddy.statusNotify, (client, it) => client.emit('statusNotify', it.userStat)),
  on(buddy.signatureNotify, (client, it) => client.emit('signature', it)),
  on(buddy.removeSessionNotify, (client, it) => client.emit('sessionRemoved', it)),
  on(group.memberNotify, (client, it) => client.emit('groupChange', it)),
  on(file.notify, (client, it) => client.emit('file', it)),
]);

/** What IMError says, as the error it was. */
function refusalOf({ code, text }: IM.Message.IMError): ImError {
  return new ImError(isErrorCode(code) ? code : 'INTERNAL', text ?? code);
}

function on<Out>(command: Command<never, Out>, tell: (client: Client, it: Out) => void): readonly [number, Told] {
  const decodeFirst: Told = (client, body) => {
    const it = decodeBody(command, body);
    return () => tell(client, it);
  };
  return [command.id, decodeFirst];
}

export class Client extends EventEmitter<ClientEvents> {
  /** Resolves once, with the reason the connection ended for. Never rejects. */
  readonly closed: Promise<CloseReason>;
  readonly #options: ConnectOptions;
  readonly #connection: Connection;
  readonly #asks = new Asks();
  readonly #pushes: Pushes;
  #end: CloseReason | undefined;
  #userInfo: IM.BaseDefine.UserInfo | undefined;
  #serverTime = 0;
  #token: LoginToken | undefined;
  #returnMs = 0;
  #kickReason: IM.BaseDefine.KickReasonType | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** Pushes right behind the login answer: told one turn later, when whoever awaits the login can be listening. */
  #held: Frame[] | undefined;

  private constructor(socket: Transport, options: ConnectOptions) {
    super();
    this.#options = options;
    this.#pushes = new Pushes(options.pushesMax ?? 1000);
    const frameSizeMax =
      options.clientType === ClientType.CLIENT_TYPE_ANDROID ? ANDROID_FRAME_SIZE_LIMIT : LINK_FRAME_SIZE_MAX;
    this.#connection = new Connection(socket, { frameSizeMax, sendQueueMax: SEND_QUEUE_MAX });
    this.closed = new Promise((resolve) => {
      this.#connection.own({
        frame: (frame) => this.#heard(frame),
        closed: (reason) => {
          this.#ended(reason);
          resolve(reason);
        },
      });
    });
  }

  /**
   * Connects and logs in.
   * @throws LoginRefused when the server says no, ConnectError for everything else that keeps one out
   */
  static async login(options: ConnectOptions & Credentials): Promise<Client> {
    const client = await Client.connect(options);
    await client.enter(options);
    return client;
  }

  /** Connects without logging in. @throws ConnectError */
  static async connect(options: ConnectOptions): Promise<Client> {
    return new Client(await dial(options.host, options.port, options.timeoutMs ?? 8_000, options), options);
  }

  /** Logs in on a fresh connection, which is closed when that fails. @throws as `login` */
  async enter(credentials: Credentials): Promise<void> {
    const instead = credentials.token ?? credentials.signIn ?? credentials.directoryPassword;
    const request = {
      userName: credentials.user,
      password: instead !== undefined ? '' : createHash('md5').update(credentials.password).digest('hex'),
      token: credentials.token,
      signInCode: credentials.signIn?.code,
      codeVerifier: credentials.signIn?.verifier,
      clearPassword: credentials.directoryPassword,
      deviceId: credentials.deviceId,
      deviceName: credentials.deviceName,
      onlineStatus: credentials.onlineStatus ?? UserStatType.USER_STATUS_ONLINE,
      clientType: this.clientType,
      clientVersion: credentials.clientVersion ?? 'sdk',
      capabilities: credentials.capabilities ?? [],
    };
    const answer = await this.#askToEnter(request);
    if (answer.resultCode !== ResultType.REFUSE_REASON_NONE || answer.userInfo === undefined) {
      this.#connection.close('login-refused');
      throw new LoginRefused(answer.resultCode, answer.resultString ?? '');
    }
    this.#returnMs = answer.returnMs ?? 0;
    if (answer.token != null) this.#token = { token: answer.token.slice(), expiresMs: answer.tokenExpiresMs ?? 0 };
  }

  /** How it reaches its servers; files go the same way. */
  get way(): Way {
    return this.#options;
  }
  get clientType(): IM.BaseDefine.ClientType {
    return this.#options.clientType ?? ClientType.CLIENT_TYPE_WINDOWS;
  }
  /** 0 before the login. */
  get userId(): number {
    return this.#userInfo?.userId ?? 0;
  }
  /** Who we are to others, from the login answer. */
  get userInfo(): IM.BaseDefine.UserInfo {
    if (this.#userInfo === undefined) throw new Error('not logged in');
    return this.#userInfo;
  }
  /** The server's clock at the login, Unix seconds. */
  get serverTime(): number {
    return this.#serverTime;
  }
  /**
   * When the connection breaks, come back at a random moment within so many ms: the server has died, and everybody who
   * was there does the same. 0 for a client that named no capabilities.
   */
  get returnMs(): number {
    return this.#returnMs;
  }
  /** What this device has to keep and to log in with from now on; undefined: what it had stays good. */
  get freshToken(): LoginToken | undefined {
    return this.#token;
  }
  get isClosed(): boolean {
    return this.#end !== undefined;
  }
  /** Why we were sent away, if we were. */
  get kickReason(): IM.BaseDefine.KickReasonType | undefined {
    return this.#kickReason;
  }
  /** Pushes that nobody has taken with `next`, oldest first. */
  get unconsumed(): readonly Frame[] {
    return this.#pushes.kept;
  }
  /** Questions without an answer so far, messages without an ack included. */
  get openAsks(): number {
    return this.#asks.open;
  }

  // ------------------------------------------------------------------------------------------- asking and hearing

  /** @throws ImError TIMEOUT, BAD_REQUEST when the answer cannot be decoded; ConnectionLost */
  ask<In, Out, ReplyIn, ReplyOut>(
    command: Ask<In, Out, ReplyIn, ReplyOut>,
    request: In,
    options: AskOptions = {},
  ): Promise<ReplyOut> {
    return this.#request(command, command.reply, request, options);
  }

  /** Says something that is not answered. Dropped when the connection is closed. */
  tell<In>(command: Command<In, unknown>, it: In, seq = 0): void {
    this.#connection.send(encodeFrame(command, seq, it));
  }

  /** Sends bytes as they are: whole frames, pieces of one, nonsense. */
  sendFrame(bytes: Buffer): void {
    this.#connection.send(bytes);
  }

  /**
   * Takes the oldest push of this command that nobody has taken and the predicate accepts, or waits for it.
   * @throws ImError TIMEOUT (default 5000 ms), BAD_REQUEST when its body cannot be decoded; ConnectionLost
   */
  next<Out>(
    command: Command<never, Out>,
    predicate: (it: Out) => boolean = () => true,
    timeoutMs = 5_000,
  ): Promise<Out> {
    return this.#pushes.take(command, predicate, timeoutMs);
  }

  /** `next` for messages. */
  async heard(predicate: (it: ChatMessage) => boolean = () => true, timeoutMs = 5_000): Promise<ChatMessage> {
    const wanted = (it: IM.Message.IMMsgData) => predicate(pushedMessage(it, this.userId));
    return pushedMessage(await this.next(message.data, wanted, timeoutMs), this.userId);
  }

  // ------------------------------------------------------------------------------------------------------ messages

  /**
   * Sends text to a user.
   * @returns its id in the conversation: the message is stored
   * @throws ImError TIMEOUT when no ack came. It may be stored all the same; the wire has no word for a refusal.
   */
  say(peerId: number, text: string, options: AskOptions = {}): Promise<Sent> {
    return this.sendData(peerId, MsgType.MSG_TYPE_SINGLE_TEXT, encryptText(text), options);
  }

  /** Sends text to a group. Returns and throws as `say`. */
  sayGroup(groupId: number, text: string, options: AskOptions = {}): Promise<Sent> {
    return this.sendData(groupId, MsgType.MSG_TYPE_GROUP_TEXT, encryptText(text), options);
  }

  /** Sends a payload as it is; the type says whether `toId` is a user or a group. Returns and throws as `say`. */
  async sendData(
    toId: number,
    msgType: IM.BaseDefine.MsgType,
    msgData: Uint8Array,
    options: AskOptions = {},
  ): Promise<Sent> {
    const createTime = seconds(Date.now()); // the server writes its own over it
    const { sendId } = options;
    const draft = { fromUserId: this.userId, toSessionId: toId, msgId: 0, createTime, msgType, msgData, sendId };
    const { msgId, createTimeMs, duplicate } = await this.#request(message.data, message.ack, draft, options);
    return { msgId, createTimeMs, duplicate };
  }

  /**
   * What has changed since the cursor, all of it; needs the capability sync1.
   * @throws ImError BAD_REQUEST when the cursor is too old: start without one
   */
  async sync(cursor?: Uint8Array): Promise<{ readonly entries: IM.Message.SyncEntry[]; readonly cursor: Uint8Array }> {
    const entries: IM.Message.SyncEntry[] = [];
    for (let from = cursor; ; ) {
      const page = await this.ask(message.sync, { userId: this.userId, cursor: from });
      if (page.tooOld || page.cursor === undefined) throw new ImError('BAD_REQUEST', 'the cursor is too old');
      entries.push(...page.entryList);
      from = page.cursor;
      if (page.done) return { entries, cursor: from };
    }
  }

  /**
   * A page of a conversation, newest first as on the wire.
   * @param begin the newest id wanted, 0 for the end of the conversation
   */
  async history(sessionType: SessionType, sessionId: number, begin = 0, count = 20): Promise<ChatMessage[]> {
    const request = { userId: this.userId, sessionType, sessionId, msgIdBegin: begin, msgCnt: count };
    const { msgList } = await this.ask(message.list, request);
    return msgList.map((each) => storedMessage(sessionType, sessionId, each));
  }

  /** These messages, newest first, at most 100; ids that do not exist are left out. */
  async messagesById(
    sessionType: SessionType,
    sessionId: number,
    msgIdList: readonly number[],
  ): Promise<ChatMessage[]> {
    const { msgList } = await this.ask(message.byId, { userId: this.userId, sessionType, sessionId, msgIdList });
    return msgList.map((each) => storedMessage(sessionType, sessionId, each));
  }

  /** 0 when there is no message yet. */
  async latestId(sessionType: SessionType, sessionId: number): Promise<number> {
    return (await this.ask(message.latestId, { userId: this.userId, sessionType, sessionId })).latestMsgId;
  }

  /** Read up to and with `msgId`; this user's other devices hear of it. Not answered. */
  markRead(sessionType: SessionType, sessionId: number, msgId: number): void {
    this.tell(message.readAck, { userId: this.userId, sessionId, msgId, sessionType });
  }

  async unread(): Promise<{ readonly total: number; readonly list: IM.BaseDefine.UnreadInfo[] }> {
    const answer = await this.ask(message.unreadCount, { userId: this.userId });
    return { total: answer.totalCnt, list: answer.unreadinfoList };
  }

  /** The server's clock, Unix seconds. */
  async time(): Promise<number> {
    return (await this.ask(message.time, {})).serverTime;
  }

  // --------------------------------------------------------------------------------------------- people and groups

  /** All users of the company, this one included. */
  async contacts(): Promise<IM.BaseDefine.UserInfo[]> {
    return (await this.ask(buddy.allUsers, { userId: this.userId, latestUpdateTime: 0 })).userList;
  }

  async departments(): Promise<IM.BaseDefine.DepartInfo[]> {
    return (await this.ask(buddy.departments, { userId: this.userId, latestUpdateTime: 0 })).deptList;
  }

  /** Profiles; ids that nobody has are left out. */
  async usersInfo(userIdList: readonly number[]): Promise<IM.BaseDefine.UserInfo[]> {
    return (await this.ask(buddy.usersInfo, { userId: this.userId, userIdList })).userInfoList;
  }

  /** Who of these is online. A user with nothing but a phone counts as offline. */
  async usersStatus(userIdList: readonly number[]): Promise<IM.BaseDefine.UserStat[]> {
    return (await this.ask(buddy.usersStatus, { userId: this.userId, userIdList })).userStatList;
  }

  /** Conversations that changed after `since` (Unix seconds), newest first, at most 100. */
  async recentSessions(since = 0): Promise<IM.BaseDefine.ContactSessionInfo[]> {
    const request = { userId: this.userId, latestUpdateTime: since };
    return (await this.ask(buddy.recentSessions, request)).contactSessionList;
  }

  /** Takes a conversation off the list. @returns false when it was not on it */
  async removeSession(sessionType: SessionType, sessionId: number): Promise<boolean> {
    return (await this.ask(buddy.removeSession, { userId: this.userId, sessionType, sessionId })).resultCode === 0;
  }

  /** The fixed groups this user is in, with their members. Temporary groups show up in `recentSessions`. */
  async groups(): Promise<IM.BaseDefine.GroupInfo[]> {
    const { groupVersionList } = await this.ask(group.normalList, { userId: this.userId });
    return groupVersionList.length === 0 ? [] : this.groupsInfo(groupVersionList.map((each) => each.groupId));
  }

  /** Groups of any kind by their ids; those that do not exist are left out. */
  async groupsInfo(groupIds: readonly number[]): Promise<IM.BaseDefine.GroupInfo[]> {
    const groupVersionList = groupIds.map((groupId) => ({ groupId, version: 0 }));
    return (await this.ask(group.info, { userId: this.userId, groupVersionList })).groupInfoList;
  }

  // ------------------------------------------------------------------------------------------------------- devices

  /** Devices that log in as this user by a token; needs the capability token1. */
  async devices(): Promise<IM.BaseDefine.DeviceInfo[]> {
    return (await this.ask(login.devices, { userId: this.userId })).deviceList;
  }

  /** Logs a device of this user out; needs the capability token1. @returns whether there was one of this id */
  async removeDevice(deviceId: string): Promise<boolean> {
    return (await this.ask(login.removeDevice, { userId: this.userId, deviceId })).resultCode === 0;
  }

  // ------------------------------------------------------------------------------------------------------- leaving

  /** Says good-bye and closes. A phone that logs out gets no more push. @throws as `ask` */
  async logout(): Promise<void> {
    await this.ask(login.leave, {});
    this.#connection.close('logout');
  }

  /** Closes without a word, after what was sent has left. Everything that waits is rejected at once. */
  close(): void {
    this.#connection.close('shutdown');
  }

  /** Cuts the connection as a dead network would: the server gets a reset, unsent bytes are lost. */
  cut(): void {
    const { socket } = this.#connection;
    if (socket instanceof Socket && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
    else socket.destroy();
  }

  // -------------------------------------------------------------------------------------------------------- inside

  async #askToEnter(request: IM.Login.IMLoginReq.$Properties): Promise<IM.Login.IMLoginRes> {
    try {
      return await this.ask(login.enter, request, { timeoutMs: this.#options.timeoutMs ?? 8_000 });
    } catch (error) {
      this.close();
      if (error instanceof ImError && error.code === 'NOT_ALLOWED')
        throw new LoginRefused(ResultType.REFUSE_REASON_DB_VALIDATE_FAILED, error.detail);
      throw new ConnectError(`no login: ${(error as Error).message}`, { cause: error });
    }
  }

  async #request<In, Out>(
    request: Command<In, unknown>,
    reply: Command<never, Out>,
    it: In,
    options: AskOptions,
  ): Promise<Out> {
    if (this.#end !== undefined) throw new ConnectionLost(this.#end, `${request.name} not sent`);
    const timeoutMs = options.timeoutMs ?? this.#options.askTimeoutMs ?? 8_000;
    const seq = options.seq ?? this.#asks.freeSeq(reply);
    const waiting = this.#asks.wait(request, reply, seq, timeoutMs);
    const send = () => this.tell(request, it, seq);
    send();
    const again = options.resendMs === undefined ? undefined : setTimeout(send, options.resendMs);
    const outcome = await waiting;
    clearTimeout(again);
    if (outcome === 'late') throw new ImError('TIMEOUT', `no ${reply.name} within ${timeoutMs} ms`);
    if (typeof outcome === 'string') throw new ConnectionLost(outcome, `no ${reply.name} any more`);
    if (outcome.command === message.error.id) throw refusalOf(decodeBody(message.error, outcome.body));
    return decodeBody(reply, outcome.body);
  }

  #heard(view: Frame): void {
    const frame = new Frame(Buffer.from(view.bytes)); // outlives this call: in answers, in lists, with listeners
    if (frame.command === login.enter.reply.id) this.#loginAnswered(frame);
    this.emit('frame', frame);
    if (frame.command === message.error.id && this.#refused(frame)) return;
    if (this.#asks.answered(frame) || frame.command === other.heartbeat.id) return;
    if (this.#held !== undefined) this.#held.push(frame);
    else this.#tell(frame);
  }

  #refused(frame: Frame): boolean {
    const error = this.#decoded(frame, () => decodeBody(message.error, frame.body));
    return error !== undefined && this.#asks.refused(error.commandId, frame);
  }

  /** Runs before the frames behind the answer are looked at: they need to know who we are. */
  #loginAnswered(frame: Frame): void {
    const answer = this.#decoded(frame, () => decodeBody(login.enter.reply, frame.body));
    if (answer?.userInfo === undefined || answer.resultCode !== ResultType.REFUSE_REASON_NONE) return;
    if (this.#userInfo !== undefined) return;
    this.#userInfo = answer.userInfo;
    this.#serverTime = answer.serverTime;
    this.#startHeartbeat();
    this.#held = [];
    setImmediate(() => this.#releaseHeld());
  }

  #releaseHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const frame of held) this.#tell(frame);
  }

  /** A frame that nobody asked for, or whose deadline has passed. */
  #tell(frame: Frame): void {
    this.#pushes.add(frame);
    if (frame.command === message.data.id) this.#ackMessage(frame);
    if (frame.command === login.kick.id) this.#noteKick(frame);
    this.#decoded(frame, () => told.get(frame.command)?.(this, frame.body))?.();
    if (this.#kickReason !== undefined && this.#options.leaveWhenKicked !== false) this.#connection.close('kicked');
  }

  #ackMessage(frame: Frame): void {
    const it = this.#decoded(frame, () => decodeBody(message.data, frame.body));
    if (it === undefined || this.#options.ackMessages === false || it.fromUserId === this.userId) return;
    if (sessionTypeOf(it.msgType) !== SessionType.SESSION_TYPE_SINGLE) return;
    const ids = { userId: this.userId, sessionId: it.fromUserId };
    const swapped = { userId: it.fromUserId, sessionId: this.userId }; // Android's reading of the two fields
    const own = this.clientType === ClientType.CLIENT_TYPE_ANDROID ? swapped : ids;
    this.tell(message.ack, { ...own, msgId: it.msgId, sessionType: SessionType.SESSION_TYPE_SINGLE });
  }

  #noteKick(frame: Frame): void {
    this.#kickReason = this.#decoded(frame, () => decodeBody(login.kick, frame.body))?.kickReason;
  }

  #decoded<T>(frame: Frame, decode: () => T): T | undefined {
    try {
      return decode();
    } catch (error) {
      this.emit('garbled', frame, error as Error);
      return undefined;
    }
  }

  #startHeartbeat(): void {
    const everyMs = this.#options.heartbeatMs ?? 30_000;
    if (everyMs === 0) return;
    const silenceMs = everyMs * SILENCE_HEARTBEATS;
    this.#heartbeat = setInterval(() => {
      if (performance.now() - this.#connection.heardMs > silenceMs) this.#connection.close('silent');
      else this.tell(other.heartbeat, {});
    }, everyMs);
    this.#heartbeat.unref();
  }

  #ended(reason: CloseReason): void {
    this.#end = reason;
    clearInterval(this.#heartbeat);
    this.#releaseHeld();
    this.#asks.closed(reason);
    this.#pushes.close(reason);
    this.emit('closed', reason);
  }
}
