import { setTimeout as delay } from 'node:timers/promises';
import { type ChatMessage, type Client, ConnectionLost } from '../../common/client/client.js';
import { message as messageCommands } from '../../common/pdu/commands.js';
import type { Frame } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { encryptText } from '../../common/text-cipher.js';
import type { Desk } from './desk.js';
import { type Conversation, keyOf } from './people.js';
import { printable, stamp } from './text.js';

/** No ack by then: the message counts as not delivered. Once in between it is sent again under the same seq. */
const ACK_MS_MAX = 6_000;
const RESEND_MS = 3_000;
/** On a terminal an own message is shown when its ack comes, or after this without one. */
const ECHO_MS = 400;
const POLL_MS = 20;
const SEQ_MAX = 0xfffe;

interface Outgoing {
  readonly to: Conversation;
  readonly text: string;
  state: 'open' | 'failed' | 'delivered';
  /** It was sent under this seq on the connection of this client. */
  client: Client | undefined;
  seq: number;
}

/**
 * Messages of ours until they are delivered. A failed one stays, and is settled by /retry, by an ack that comes late,
 * or by being found in the conversation.
 */
export class Outbox {
  delivered = 0;
  readonly #desk: Desk;
  readonly #acked: (to: Conversation, msgId: number) => void;
  readonly #outgoing = new Set<Outgoing>();
  #lastSeq = 0;

  /** @param acked hears that the server has taken a message under an id */
  constructor(desk: Desk, acked: (to: Conversation, msgId: number) => void) {
    this.#desk = desk;
    this.#acked = acked;
  }

  get open(): number {
    return this.#all('open').length;
  }
  get failed(): number {
    return this.#all('failed').length;
  }

  /** Resolves when the message is delivered or counts as not delivered. */
  say(to: Conversation, text: string): Promise<void> {
    const outgoing: Outgoing = { to, text, state: 'open', client: undefined, seq: 0 };
    this.#outgoing.add(outgoing);
    return this.#send(outgoing);
  }

  /** Sends everything again that failed. Resolves as `say`. */
  async retry(): Promise<void> {
    await Promise.all(this.#all('failed').map((outgoing) => this.#send(outgoing)));
  }

  /** Resolves when nothing is open any more. */
  async settled(): Promise<void> {
    while (this.open > 0) await delay(POLL_MS);
  }

  /** Looks at a frame for an ack that its question waits for no more. */
  lateAck(client: Client, frame: Frame): void {
    if (frame.command !== messageCommands.ack.id) return;
    const late = this.#all('failed').find((each) => each.client === client && each.seq === frame.seq);
    if (late === undefined) return;
    const { msgId } = messageCommands.ack.codec.decode(frame.body);
    this.#deliver(late, msgId);
    this.#acked(late.to, msgId);
  }

  /** @returns whether this is a message of ours without an ack: it did arrive, and now its sender knows. */
  arrivedAfterAll(message: ChatMessage): boolean {
    if (message.fromUserId !== this.#desk.me) return false;
    const same = (each: Outgoing) => keyOf(each.to) === keyOf(message) && each.text === message.text;
    const outgoing = [...this.#outgoing].find(same);
    if (outgoing !== undefined) this.#deliver(outgoing, message.msgId);
    return outgoing !== undefined;
  }

  async #send(outgoing: Outgoing): Promise<void> {
    const client = this.#desk.connected?.client;
    outgoing.state = 'open';
    if (client === undefined) return this.#fail(outgoing, 'there is no connection');
    // A repetition on the same connection keeps its seq: the server then knows it for the same message.
    if (outgoing.client !== client) outgoing.seq = this.#nextSeq();
    outgoing.client = client;
    const { interactive } = this.#desk.terminal;
    const echo = interactive ? setTimeout(() => this.#show(outgoing, '…'), ECHO_MS) : undefined;
    try {
      const msgId = await sendText(client, outgoing);
      if (outgoing.state !== 'open') return; // found in the conversation before its ack came
      this.#deliver(outgoing, msgId);
      this.#acked(outgoing.to, msgId);
    } catch (error) {
      const late = `no answer from the server within ${ACK_MS_MAX / 1000} s`;
      this.#fail(outgoing, error instanceof ConnectionLost ? 'the connection was lost' : late);
    } finally {
      clearTimeout(echo);
    }
  }

  #deliver(outgoing: Outgoing, msgId: number): void {
    outgoing.state = 'delivered';
    this.#outgoing.delete(outgoing);
    this.delivered++;
    this.#show(outgoing, this.#desk.terminal.paint.good(`✓ #${msgId}`));
  }

  #fail(outgoing: Outgoing, why: string): void {
    if (outgoing.state !== 'open') return;
    outgoing.state = 'failed';
    this.#show(outgoing, this.#desk.terminal.paint.bad(`not delivered: ${why}, /retry sends it again`));
  }

  #show({ to, text }: Outgoing, mark: string): void {
    const { dim, name } = this.#desk.terminal.paint;
    const time = dim(stamp(Date.now(), Date.now()));
    this.#desk.print(`${time} ${name(`you → ${this.#desk.people.nameOf(to)}`)}: ${printable(text)} ${mark}`);
  }

  #all(state: Outgoing['state']): Outgoing[] {
    return [...this.#outgoing].filter((outgoing) => outgoing.state === state);
  }

  #nextSeq(): number {
    this.#lastSeq = (this.#lastSeq % SEQ_MAX) + 1;
    return this.#lastSeq;
  }
}

async function sendText(client: Client, { to, text, seq }: Outgoing): Promise<number> {
  const { MSG_TYPE_GROUP_TEXT, MSG_TYPE_SINGLE_TEXT } = IM.BaseDefine.MsgType;
  const inGroup = to.sessionType === IM.BaseDefine.SessionType.SESSION_TYPE_GROUP;
  const type = inGroup ? MSG_TYPE_GROUP_TEXT : MSG_TYPE_SINGLE_TEXT;
  const options = { seq, timeoutMs: ACK_MS_MAX, resendMs: RESEND_MS };
  return (await client.sendData(to.sessionId, type, encryptText(text), options)).msgId;
}
