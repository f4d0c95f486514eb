/**
 * Judges a chat by what its clients saw: what they sent, which acks came, what was delivered, and the histories read
 * afterwards. Pure: no clock, no network. One recorder takes the events of all clients in the order in which they
 * happened; the histories come last.
 *
 * The promises, and the fault that names each broken one:
 *
 *   lost         an acked message is in the history
 *   doubled      a text is in the history once at most (every text is sent once only)
 *   hole         the ids of a conversation are 1, 2, 3 … without a gap
 *   shared-id    an id belongs to one message, in the history and for every receiver
 *   wrong-id     the id in an ack is the id in the history
 *   reordered    what was sent later on one connection comes later, and so does what was sent after an ack had come
 *   stranger     what is in the history was sent, by that sender, in that conversation
 *   two-ids      no receiver gets one message under two ids
 *   untold       what is delivered is in the history under that id: nobody hears of a message that could still be lost
 *
 * A message without an ack may be there or not; a delivery may be missing, or come twice under its id. What has come so
 * far of a history is asked with `untold`.
 */
export type FaultKind =
  | 'lost'
  | 'doubled'
  | 'hole'
  | 'shared-id'
  | 'wrong-id'
  | 'reordered'
  | 'stranger'
  | 'two-ids'
  | 'untold';

export interface Fault {
  readonly kind: FaultKind;
  readonly conversation: string;
  readonly detail: string;
}

/** A message as a history shows it. */
export interface Kept {
  readonly msgId: number;
  readonly sender: number;
  readonly text: string;
}

interface Sent {
  readonly sender: number;
  readonly text: string;
  readonly connection: string;
  /** The highest id acked in the conversation before this was sent: it has to get a higher one. */
  readonly after: number;
  ackedId: number | undefined;
}

class Conversation {
  readonly name: string;
  /** In the order of sending. */
  readonly sent = new Map<string, Sent>();
  /** What each receiver was told, as `id → text` and the other way round. */
  readonly heard = new Map<string, { readonly textOf: Map<number, string>; readonly idOf: Map<string, number> }>();
  readonly kept: Kept[] = [];
  readonly faults: Fault[] = [];
  ackedMax = 0;

  constructor(name: string) {
    this.name = name;
  }

  fault(kind: FaultKind, detail: string): void {
    this.faults.push({ kind, conversation: this.name, detail });
  }
}

export class HistoryChecker {
  readonly #conversations = new Map<string, Conversation>();
  #acked = 0;

  /** Messages acked so far. */
  get acked(): number {
    return this.#acked;
  }
  get sent(): number {
    let sum = 0;
    for (const { sent } of this.#conversations.values()) sum += sent.size;
    return sum;
  }

  /** A client hands a message to its connection. The text has to be one that nobody has sent before. */
  send(conversation: string, sender: number, connection: string, text: string): void {
    const { sent, ackedMax } = this.#conversation(conversation);
    if (sent.has(text)) throw new Error(`sent twice by the test itself: ${text}`);
    sent.set(text, { sender, text, connection, after: ackedMax, ackedId: undefined });
  }

  ack(conversation: string, text: string, msgId: number): void {
    const it = this.#conversation(conversation);
    const sent = it.sent.get(text);
    if (sent === undefined) return it.fault('stranger', `an ack for "${text}", which nobody sent`);
    if (sent.ackedId !== undefined && sent.ackedId !== msgId)
      it.fault('wrong-id', `"${text}" was acked as ${sent.ackedId} and as ${msgId}`);
    if (sent.ackedId === undefined) this.#acked++;
    sent.ackedId = msgId;
    it.ackedMax = Math.max(it.ackedMax, msgId);
  }

  /** @param receiver one connection of one client: what it was told has to fit together */
  deliver(conversation: string, receiver: string, text: string, msgId: number): void {
    const it = this.#conversation(conversation);
    const heard = it.heard.get(receiver) ?? { textOf: new Map(), idOf: new Map() };
    it.heard.set(receiver, heard);
    const [otherText, otherId] = [heard.textOf.get(msgId), heard.idOf.get(text)];
    if (otherText !== undefined && otherText !== text)
      it.fault('shared-id', `${receiver} was told "${otherText}" and "${text}" as ${msgId}`);
    if (otherId !== undefined && otherId !== msgId)
      it.fault('two-ids', `${receiver} was told "${text}" as ${otherId} and as ${msgId}`);
    heard.textOf.set(msgId, text);
    heard.idOf.set(text, msgId);
  }

  /** The messages of others among these that a receiver was not told, so far. */
  untold(conversation: string, receiver: string, userId: number, kept: readonly Kept[]): Kept[] {
    const heard = this.#conversation(conversation).heard.get(receiver);
    return kept.filter(({ sender, text }) => sender !== userId && heard?.idOf.has(text) !== true);
  }

  /** A page of a history, in any order. All pages of a conversation together have to be the whole of it, once. */
  page(conversation: string, messages: Iterable<Kept>): void {
    this.#conversation(conversation).kept.push(...messages);
  }

  /** To be asked once, when everything has been recorded. */
  faults(): Fault[] {
    for (const it of this.#conversations.values()) judge(it);
    return [...this.#conversations.values()].flatMap((it) => it.faults);
  }

  #conversation(name: string): Conversation {
    let it = this.#conversations.get(name);
    if (it === undefined) {
      it = new Conversation(name);
      this.#conversations.set(name, it);
    }
    return it;
  }
}

function judge(it: Conversation): void {
  const idOf = judgeHistory(it);
  judgeSent(it, idOf);
  for (const [receiver, { idOf: heardIds }] of it.heard) {
    for (const [text, msgId] of heardIds) {
      if (idOf.get(text) !== msgId)
        it.fault('untold', `${receiver} was told "${text}" as ${msgId}, kept is ${idOf.get(text) ?? 'nothing'}`);
    }
  }
}

/** @returns the id of each text, its first one when there are several. */
function judgeHistory(it: Conversation): Map<string, number> {
  const idOf = new Map<string, number>();
  let before: Kept | undefined;
  for (const message of it.kept.toSorted((a, b) => a.msgId - b.msgId)) {
    const { msgId, text, sender } = message;
    const lastId = before?.msgId ?? 0;
    if (msgId === lastId) it.fault('shared-id', `${msgId} is "${before?.text}" and "${text}"`);
    else if (msgId !== lastId + 1) it.fault('hole', `after ${lastId} comes ${msgId}`);
    if (it.sent.get(text)?.sender !== sender) it.fault('stranger', `${msgId} is "${text}" by ${sender}`);
    if (idOf.has(text)) it.fault('doubled', `"${text}" is ${idOf.get(text)} and ${msgId}`);
    else idOf.set(text, msgId);
    before = message;
  }
  return idOf;
}

function judgeSent(it: Conversation, idOf: ReadonlyMap<string, number>): void {
  const lastOf = new Map<string, Sent>();
  for (const sent of it.sent.values()) {
    const { text, ackedId, after, connection } = sent;
    const msgId = idOf.get(text);
    if (msgId === undefined) {
      if (ackedId !== undefined) it.fault('lost', `"${text}", acked as ${ackedId}`);
      continue;
    }
    if (ackedId !== undefined && ackedId !== msgId) it.fault('wrong-id', `"${text}" is ${msgId}, acked as ${ackedId}`);
    if (msgId <= after) it.fault('reordered', `"${text}" is ${msgId}, but ${after} was acked before it was sent`);
    const last = lastOf.get(connection);
    if (last !== undefined && idOf.get(last.text)! > msgId)
      it.fault('reordered', `"${text}" is ${msgId}, but "${last.text}", sent before it, is ${idOf.get(last.text)}`);
    lastOf.set(connection, sent);
  }
}
