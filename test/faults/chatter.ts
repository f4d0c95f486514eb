import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChatMessage, Client, ConnectionLost } from '../../common/client/client.js';
import { ImError } from '../../common/errors.js';
import { IM } from '../../common/pdu/pb.js';
import { DEMO_PASSWORD } from '../../tools/cluster/demo.js';
import type { HistoryChecker, Kept, Position } from '../support/history-checker.js';
import { until } from '../support/until.js';
import type { Random } from './random.js';

const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = IM.BaseDefine.SessionType;
const { MSG_TYPE_SINGLE_AUDIO, MSG_TYPE_GROUP_AUDIO } = IM.BaseDefine.MsgType;

/** Messages without an ack that one talks on over, in one conversation. */
const WINDOW = 24;
/** A server has refused, or is not there: so long until the next attempt. */
const RETRY_MS = 100;
/** A message without an ack by then will get none: servers try for 8 s and more. */
const ACK_MS_MAX = 15_000;
/** Any other question is asked anew instead. */
const ASK_MS_MAX = 4_000;
/** Of so many messages one is spoken: its text is the sound, repeated, so that it is as long as a sound. */
const VOICE_EVERY = 4;
const SOUND_REPEATS_MAX = 100;
const SECONDS = Buffer.from([0, 0, 0, 1]);
const PAGE = 50;
const PAGE_MAX = 200;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A conversation as one of its users calls it. */
export interface Place {
  readonly type: IM.BaseDefine.SessionType;
  readonly id: number;
}

/** What all chatters have done together. */
export interface Tally {
  sent: number;
  acked: number;
  /** Sent once more under their send_id. */
  resent: number;
  /** Acked as stored by an earlier attempt. */
  duplicates: number;
  /** Given up by clients that can only send once. */
  givenUp: number;
  delivered: number;
  logins: number;
}

export interface Company {
  readonly addresses: readonly Address[];
  readonly checker: HistoryChecker;
  readonly random: Random;
  readonly tally: Tally;
  /** Pause between an ack and the next message of its place in the window, in ms. */
  readonly pauseMs: number;
}

interface Message {
  readonly text: string;
  readonly sendId: Buffer;
  /** What is sent in place of the text: a voice message. */
  readonly voice: Buffer | undefined;
}

/**
 * Somebody who chats without a pause, reads, looks up and pages, and comes back on any msg server when the connection is
 * cut. A capable one sends under send_ids: what has no ack goes again, in its order and before anything new. A legacy one
 * sends everything once.
 */
export class Chatter {
  readonly name: string;
  readonly capable: boolean;
  /** When the newest message was sent that was acked, and that was told. */
  ackedSentMs = 0;
  toldSentMs = 0;
  userId = 0;
  readonly #company: Company;
  #streams: Stream[] = [];
  #client: Client | undefined;
  #connections = 0;
  #cursor: Uint8Array | undefined;
  #quiet = true;
  #gone = false;
  #doing: Promise<unknown> = Promise.resolve();

  constructor(name: string, capable: boolean, company: Company) {
    this.name = name;
    this.capable = capable;
    this.#company = company;
  }

  get places(): readonly Place[] {
    return this.#streams.map((stream) => stream.place);
  }
  get quiet(): boolean {
    return this.#quiet;
  }
  /** The connection, as receiver and as what keeps order. */
  get connection(): string {
    return `${this.name}#${this.#connections}`;
  }
  get company(): Company {
    return this.#company;
  }

  nameOf({ type, id }: Place): string {
    if (type === SESSION_TYPE_GROUP) return `group ${id}`;
    return `${Math.min(id, this.userId)} and ${Math.max(id, this.userId)}`;
  }

  /** Logs in for the first time. */
  async arrive(): Promise<Client> {
    const client = (await this.#comeBack())!;
    this.userId = client.userId;
    this.#client = client;
    return client;
  }

  /** Chats in these places until `fallSilent`; there is always a connection, or one on its way. */
  talk(places: readonly Place[]): void {
    this.#streams = places.map((place) => new Stream(this, place));
    this.#quiet = false;
    this.#doing = Promise.all([this.#stayOnline(), this.#read()]);
  }

  /** Nothing new any more; resolves when all that was sent has its ack, or was given up. */
  async fallSilent(): Promise<void> {
    this.#quiet = true;
    await Promise.all(this.#streams.map((stream) => stream.settled()));
  }

  /** All of a conversation, from whatever connection there is. */
  history(place: Place): Promise<Kept[]> {
    return this.#patiently((client) => historyOf(client, place));
  }

  /** After fallSilent: says how far all is read, until that is so, and has it judged. */
  async readOn(): Promise<void> {
    for (const place of this.places) {
      const upTo = await this.#patiently((client) => client.latestId(place.type, place.id));
      this.#company.checker.mark(this.nameOf(place), this.userId, upTo - 1);
      const isRead = () =>
        this.#patiently(async (client) => {
          client.markRead(place.type, place.id, upTo - 1);
          return ((await this.#look(client)).get(this.nameOf(place))?.read ?? upTo) >= upTo - 1;
        });
      await until(isRead, `what ${this.name} has read to be known`, 30_000);
    }
  }

  async leave(): Promise<void> {
    this.#quiet = true;
    this.#gone = true;
    this.#client?.close();
    await this.#doing;
  }

  #told(message: ChatMessage): void {
    const { sessionType, sessionId, msgId } = message;
    const text = textOf(message);
    const name = this.nameOf({ type: sessionType, id: sessionId });
    this.#company.checker.deliver(name, this.connection, text, msgId);
    this.#company.tally.delivered++;
    this.toldSentMs = Math.max(this.toldSentMs, sentMsOf(text));
  }

  async #login(address: Address): Promise<Client> {
    const capabilities = this.capable ? ['ack2', 'err1', 'sync1'] : [];
    const waits = { timeoutMs: 3_000, askTimeoutMs: ASK_MS_MAX, pushesMax: 1 };
    const client = await Client.login({
      ...address,
      user: this.name,
      password: DEMO_PASSWORD,
      capabilities,
      ...waits,
    });
    this.#connections++;
    this.#company.tally.logins++;
    client.on('message', (message) => this.#told(message));
    return client;
  }

  async #stayOnline(): Promise<void> {
    for (;;) {
      const client = this.#client!;
      await this.#present(client).catch(() => client.close());
      for (const stream of this.#streams) stream.goOn(client);
      await client.closed;
      this.#company.checker.left(this.connection);
      if (this.#gone) return;
      this.#client = await this.#comeBack();
      if (this.#client === undefined) return;
    }
  }

  async #comeBack(): Promise<Client | undefined> {
    while (!this.#gone) {
      const client = await this.#login(this.#company.random.of(this.#company.addresses)).catch(() => undefined);
      if (client !== undefined && !this.#gone) return client;
      client?.close(); // he left while he came
      await delay(RETRY_MS);
    }
    return undefined;
  }

  /** What comes from now on this connection has to be told; what was there before it may look up. */
  async #present(client: Client): Promise<void> {
    const receiver = this.connection;
    for (const { place } of this.#streams) {
      const head = await client.latestId(place.type, place.id);
      this.#company.checker.arrived(this.nameOf(place), receiver, this.userId, head);
    }
  }

  /** On whatever connection there is, until it is done. */
  async #patiently<T>(work: (client: Client) => Promise<T>): Promise<T> {
    for (;;) {
      const client = this.#client;
      try {
        if (client?.isClosed === false) return await work(client);
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      await delay(RETRY_MS);
    }
  }

  // ---- reading -------------------------------------------------------------------------------------------------------

  async #read(): Promise<void> {
    const { random } = this.#company;
    while (!this.#quiet) {
      await delay(200 + random.below(600));
      const client = this.#client;
      if (client === undefined || client.isClosed || this.#quiet) continue;
      const doing = random.of([() => this.#mark(client), () => this.#look(client), () => this.#page(client)]);
      await doing().catch((error: unknown) => {
        if (!isPassing(error)) throw error;
      });
    }
  }

  /** Says that all of a conversation is read that there is. */
  async #mark(client: Client): Promise<void> {
    const place = this.#company.random.of(this.places);
    const head = await client.latestId(place.type, place.id);
    if (head === 0) return;
    this.#company.checker.mark(this.nameOf(place), this.userId, head);
    client.markRead(place.type, place.id, head);
  }

  /** Where all conversations stand: what has changed since the last time, or what is unread. */
  async #look(client: Client): Promise<Map<string, Position>> {
    const { checker } = this.#company;
    const looks = new Map(
      this.places.map((place) => [this.nameOf(place), checker.look(this.nameOf(place), this.userId)]),
    );
    const found = this.capable ? await this.#sync(client) : await unreadOf(client);
    const positions = new Map(found.map(({ place, ...position }) => [this.nameOf(place), position]));
    for (const [name, position] of positions) looks.get(name)?.(position);
    return positions;
  }

  async #sync(client: Client): Promise<(Position & { place: Place })[]> {
    const { entries, cursor } = await client.sync(this.#cursor);
    this.#cursor = cursor;
    return entries.map(({ sessionType, sessionId, head, read, unread }) => ({
      place: { type: sessionType, id: sessionId },
      head,
      read,
      unread,
    }));
  }

  async #page(client: Client): Promise<void> {
    const place = this.#company.random.of(this.places);
    const head = await client.latestId(place.type, place.id);
    const messages = await client.history(place.type, place.id, this.#company.random.below(head + 1), PAGE);
    this.#company.checker.glimpse(this.nameOf(place), messages.map(keptOf));
  }
}

/** What one chatter says in one conversation: always a window full of messages without an ack. */
class Stream {
  readonly place: Place;
  readonly #chatter: Chatter;
  readonly #name: string;
  /** Without an ack, in the order in which they were sent first. */
  readonly #open = new Set<Message>();
  #client: Client | undefined;
  #count = 0;
  #pausing = 0;

  constructor(chatter: Chatter, place: Place) {
    this.#chatter = chatter;
    this.place = place;
    this.#name = chatter.nameOf(place);
  }

  /** On a new connection: first what has no ack. */
  goOn(client: Client): void {
    this.#client = client;
    for (const message of this.#open) {
      this.#chatter.company.tally.resent++;
      void this.#send(client, message);
    }
    this.#fill();
  }

  settled(): Promise<void> {
    return until(() => this.#open.size === 0, `acks for ${this.#chatter.name} in ${this.#name}`, 120_000);
  }

  #fill(): void {
    const { checker, tally } = this.#chatter.company;
    while (!this.#chatter.quiet && this.#client?.isClosed === false && this.#open.size + this.#pausing < WINDOW) {
      const text = `${this.#name}: ${this.#chatter.name} ${++this.#count} @${Math.round(performance.now())}`;
      const repeats = 1 + this.#chatter.company.random.below(SOUND_REPEATS_MAX);
      const voice = this.#count % VOICE_EVERY === 0 ? voiceOf(text, repeats) : undefined;
      const message = { text, sendId: randomBytes(16), voice };
      this.#open.add(message);
      tally.sent++;
      const { capable, name, connection } = this.#chatter;
      checker.send(this.#name, this.#chatter.userId, capable ? name : connection, text);
      void this.#send(this.#client, message);
    }
  }

  async #send(client: Client, message: Message): Promise<void> {
    const { checker, tally, pauseMs } = this.#chatter.company;
    const { type, id } = this.place;
    const { text, sendId, voice } = message;
    const options = { timeoutMs: ACK_MS_MAX, ...(this.#chatter.capable ? { sendId } : {}) };
    try {
      const isSingle = type === SESSION_TYPE_SINGLE;
      const saying =
        voice !== undefined
          ? client.sendData(id, isSingle ? MSG_TYPE_SINGLE_AUDIO : MSG_TYPE_GROUP_AUDIO, voice, options)
          : isSingle
            ? client.say(id, text, options)
            : client.sayGroup(id, text, options);
      const { msgId, duplicate } = await saying;
      checker.ack(this.#name, text, msgId);
      tally.acked++;
      if (duplicate === true) tally.duplicates++;
      this.#chatter.ackedSentMs = Math.max(this.#chatter.ackedSentMs, sentMsOf(text));
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (this.#chatter.capable) return this.#again(client, message, error);
      checker.refused(this.#name, text); // no ack: it may be there or not, and late
      tally.givenUp++;
    }
    this.#open.delete(message);
    if (pauseMs > 0) {
      this.#pausing++;
      await delay(pauseMs);
      this.#pausing--;
    }
    this.#fill();
  }

  /** A lost connection is followed by another one, which begins with it; a refusal is not. */
  async #again(client: Client, message: Message, error: unknown): Promise<void> {
    if (error instanceof ConnectionLost) return;
    this.#chatter.company.checker.refused(this.#name, message.text);
    await delay(RETRY_MS);
    if (client !== this.#client || client.isClosed) return;
    this.#chatter.company.tally.resent++;
    await this.#send(client, message);
  }
}

/** All of a conversation, page by page from the newest on. */
async function historyOf(client: Client, { type, id }: Place): Promise<Kept[]> {
  const all: Kept[] = [];
  const head = await client.latestId(type, id);
  for (let begin = head; begin > 0; begin = all.at(-1)!.msgId - 1) {
    const page = await client.history(type, id, begin, PAGE_MAX);
    if (page.length === 0) break;
    for (const message of page) all.push(keptOf(message));
  }
  return all;
}

function keptOf(message: ChatMessage): Kept {
  return { msgId: message.msgId, sender: message.fromUserId, text: textOf(message) };
}

function voiceOf(text: string, repeats: number): Buffer {
  return Buffer.concat([SECONDS, Buffer.from(`${text}\n`.repeat(repeats))]);
}

/** What was said, also aloud. A sound that is not as it was sent is no text of anybody's. */
function textOf({ text, data }: ChatMessage): string {
  if (text !== undefined) return text;
  const sound = Buffer.from(data).subarray(SECONDS.length).toString();
  const said = sound.slice(0, sound.indexOf('\n'));
  return sound === `${said}\n`.repeat(sound.length / (said.length + 1)) ? said : `not as it was sent: ${sound}`;
}

/** Only conversations with something unread are named. */
async function unreadOf(client: Client): Promise<(Position & { place: Place })[]> {
  const { list } = await client.unread();
  return list.map(({ sessionType, sessionId, unreadCnt, latestMsgId }) => ({
    place: { type: sessionType, id: sessionId },
    head: latestMsgId,
    read: latestMsgId - unreadCnt,
    unread: unreadCnt,
  }));
}

/** When it was sent first stands in each text. */
function sentMsOf(text: string): number {
  return Number(text.slice(text.lastIndexOf('@') + 1));
}

/** What a fault may bring about, as opposed to a mistake. */
function isPassing(error: unknown): boolean {
  return error instanceof ConnectionLost || (error instanceof ImError && (error.retry || error.code === 'TIMEOUT'));
}
