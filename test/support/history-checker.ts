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
 *   untold       what is delivered or shown is in the history under that id: nobody hears of what could still be lost
 *   undelivered  whoever was connected to the end was told everything that was stored meanwhile
 *   went-back    heads and read positions only move forward, and are never behind what their owner knows already
 *   miscounted   unread is head minus read, and one has read up to one's own last message or to a mark that one set
 *
 * A message without an ack may be there or not; a delivery may come twice under its id. What has come so far of a history
 * is asked with `untold`.
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
  | 'untold'
  | 'undelivered'
  | 'went-back'
  | 'miscounted';

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

/** A conversation as one of its users is shown it. */
export interface Position {
  readonly head: number;
  readonly read: number;
  readonly unread: number;
}

interface Sent {
  readonly sender: number;
  readonly text: string;
  readonly connection: string;
  /** The highest id acked in the conversation before this was sent: it has to get a higher one. */
  readonly after: number;
  ackedId: number | undefined;
  /** It was said to have failed, or heard nothing of: what was sent after it may have overtaken it. */
  refused: boolean;
}

/** How one user reads a conversation. */
class Reader {
  readonly userId: number;
  readonly marks = new Set<number>();
  readonly seen: Position[] = [];
  head = 0;
  read = 0;
  ownAcked = 0;

  constructor(userId: number) {
    this.userId = userId;
  }
}

class Conversation {
  readonly name: string;
  /** In the order of sending. */
  readonly sent = new Map<string, Sent>();
  /** What each receiver was told, as `id → text` and the other way round. */
  readonly heard = new Map<string, { readonly textOf: Map<number, string>; readonly idOf: Map<string, number> }>();
  /** Who is connected, and from which id on he has to be told everything. */
  readonly present = new Map<string, { readonly userId: number; readonly after: number }>();
  readonly readers = new Map<number, Reader>();
  /** What histories have shown so far. */
  readonly shown = new Map<number, string>();
  readonly kept: Kept[] = [];
  readonly faults: Fault[] = [];
  ackedMax = 0;

  constructor(name: string) {
    this.name = name;
  }

  fault(kind: FaultKind, detail: string): void {
    this.faults.push({ kind, conversation: this.name, detail });
  }

  reader(userId: number): Reader {
    const reader = this.readers.get(userId) ?? new Reader(userId);
    this.readers.set(userId, reader);
    return reader;
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

  /**
   * A client hands a message to its connection. The text has to be one that nobody has sent before.
   * @param connection within which order is kept: of a client that, when it comes back, first sends again what has no
   * ack, in its old order and under its old send_ids, that is one for all its connections
   */
  send(conversation: string, sender: number, connection: string, text: string): void {
    const { sent, ackedMax } = this.#conversation(conversation);
    if (sent.has(text)) throw new Error(`sent twice by the test itself: ${text}`);
    sent.set(text, { sender, text, connection, after: ackedMax, ackedId: undefined, refused: false });
  }

  /** The client was told that it failed, or heard nothing for so long that it sends it again or gives it up. */
  refused(conversation: string, text: string): void {
    this.#conversation(conversation).sent.get(text)!.refused = true;
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
    const reader = it.reader(sent.sender);
    reader.ownAcked = Math.max(reader.ownAcked, msgId);
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
    const known = it.sent.get(text)?.text ?? text; // one copy of each text, however many were told
    heard.textOf.set(msgId, known);
    heard.idOf.set(known, msgId);
  }

  /** From now on the receiver is to be told everything that others store; up to `after` it was there before. */
  arrived(conversation: string, receiver: string, userId: number, after: number): void {
    this.#conversation(conversation).present.set(receiver, { userId, after });
  }

  /** The connection has ended: what it was not told the history has. */
  left(receiver: string): void {
    for (const { present } of this.#conversations.values()) present.delete(receiver);
  }

  /** The user says that he has read up to here; that may not arrive. */
  mark(conversation: string, userId: number, upTo: number): void {
    this.#conversation(conversation).reader(userId).marks.add(upTo);
  }

  /**
   * To be called before a user asks for his conversations.
   * @returns what takes the answer: it must not be behind what was known when he asked
   */
  look(conversation: string, userId: number): (position: Position) => void {
    const it = this.#conversation(conversation);
    const reader = it.reader(userId);
    const least = { head: Math.max(reader.head, it.ackedMax), read: Math.max(reader.read, reader.ownAcked) };
    return (position) => {
      for (const which of ['head', 'read'] as const)
        if (position[which] < least[which])
          it.fault('went-back', `user ${userId}: ${which} is ${position[which]}, it was ${least[which]}`);
      reader.head = Math.max(reader.head, position.head);
      reader.read = Math.max(reader.read, position.read);
      reader.seen.push(position);
    };
  }

  /** A piece of the history, read while others write. */
  glimpse(conversation: string, messages: readonly Kept[]): void {
    const it = this.#conversation(conversation);
    const ids = messages.map(({ msgId }) => msgId).toSorted((a, b) => a - b);
    for (const [i, id] of ids.entries())
      if (i > 0 && id !== ids[i - 1]! + 1) it.fault('hole', `shown after ${ids[i - 1]} is ${id}`);
    for (const { msgId, text } of messages) {
      const before = it.shown.get(msgId);
      if (before !== undefined && before !== text)
        it.fault('shared-id', `${msgId} was shown as "${before}" and as "${text}"`);
      it.shown.set(msgId, it.sent.get(text)?.text ?? text);
    }
  }

  /** The messages of others among these that a receiver was not told, so far. */
  untold(conversation: string, receiver: string, userId: number, kept: readonly Kept[]): Kept[] {
    const heard = this.#conversation(conversation).heard.get(receiver);
    return kept.filter(({ sender, text }) => sender !== userId && heard?.idOf.has(text) !== true);
  }

  /** What those who are connected still have to be told of the pages so far. */
  undelivered(): Fault[] {
    return [...this.#conversations.values()].flatMap(undeliveredIn);
  }

  /** A page of a history, in any order. All pages of a conversation together have to be the whole of it, once. */
  page(conversation: string, messages: Iterable<Kept>): void {
    const { kept } = this.#conversation(conversation);
    for (const message of messages) kept.push(message); // too many to be arguments
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
  for (const [msgId, text] of it.shown) {
    if (idOf.get(text) !== msgId)
      it.fault('untold', `"${text}" was shown as ${msgId}, kept is ${idOf.get(text) ?? 'nothing'}`);
  }
  it.faults.push(...undeliveredIn(it));
  for (const reader of it.readers.values()) judgeReader(it, reader);
}

function undeliveredIn(it: Conversation): Fault[] {
  return [...it.present].flatMap(([receiver, { userId, after }]) => {
    const heard = it.heard.get(receiver)?.idOf;
    const missing = it.kept.filter(
      ({ msgId, sender, text }) => msgId > after && sender !== userId && !heard?.has(text),
    );
    if (missing.length === 0) return [];
    const ids = missing.map(({ msgId }) => msgId).toSorted((a, b) => a - b);
    const detail = `${receiver} was not told ${ids.slice(0, 20).join(', ')} (${ids.length} in all)`;
    return [{ kind: 'undelivered', conversation: it.name, detail }];
  });
}

/** Sending counts as reading: whoever is shown a head has read at least up to his last message below it. */
function judgeReader(it: Conversation, { userId, marks, seen }: Reader): void {
  const own = it.kept.filter(({ sender }) => sender === userId).map(({ msgId }) => msgId);
  own.sort((a, b) => a - b);
  for (const { head, read, unread } of seen) {
    const last = lastUpTo(own, head);
    const isRight = read === last || (read > last && marks.has(read));
    if (!isRight) it.fault('miscounted', `user ${userId} has read ${read} of ${head}, his own last one is ${last}`);
    if (unread !== head - read) it.fault('miscounted', `user ${userId} has ${unread} unread of ${head}, read ${read}`);
  }
}

/** The largest of the ascending numbers that is not above the bound; 0 when there is none. */
function lastUpTo(ascending: readonly number[], bound: number): number {
  let low = 0;
  for (let high = ascending.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! <= bound) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : ascending[low - 1]!;
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
    const { text, ackedId, after, connection, refused } = sent;
    const msgId = idOf.get(text);
    if (msgId === undefined) {
      if (ackedId !== undefined) it.fault('lost', `"${text}", acked as ${ackedId}`);
      continue;
    }
    if (ackedId !== undefined && ackedId !== msgId) it.fault('wrong-id', `"${text}" is ${msgId}, acked as ${ackedId}`);
    if (msgId <= after) it.fault('reordered', `"${text}" is ${msgId}, but ${after} was acked before it was sent`);
    if (refused) continue;
    const last = lastOf.get(connection);
    if (last !== undefined && idOf.get(last.text)! > msgId)
      it.fault('reordered', `"${text}" is ${msgId}, but "${last.text}", sent before it, is ${idOf.get(last.text)}`);
    lastOf.set(connection, sent);
  }
}
