import { createHash } from 'node:crypto';
import { CLIENT_LOCAL_MSG_ID_MIN, MESSAGE_SIZE_MAX } from '../../common/limits.js';
import { IM } from '../../common/pdu/pb.js';
import { decryptText, encryptText } from '../../common/text-cipher.js';
import { type Head, type ImportedMessage, ImportRefused, type Stretch } from '../../servers/db-proxy/storage/import.js';
import { batches, type ImportContext, type Phase } from './context.js';
import type { Kind, Tally } from './findings.js';
import { type Facts, type MessageKind, type MessageRow, messageOrder, NO_FACTS, TABLES, tableOf } from './source.js';
import type { Voice } from './voice.js';

const { MsgType } = IM.BaseDefine;

/** As the original numbered types. In group tables 101 was voice once, by the words of its schema. */
const TYPES = {
  IMMessage: { 1: 'text', 2: 'voice' } as Readonly<Record<number, 'text' | 'voice'>>,
  IMGroupMessage: { 17: 'text', 18: 'voice' } as Readonly<Record<number, 'text' | 'voice'>>,
} as const;
/** Of a text and a voice message, as they are stored here. */
const STORED_TYPES = {
  IMMessage: [MsgType.MSG_TYPE_SINGLE_TEXT, MsgType.MSG_TYPE_SINGLE_AUDIO],
  IMGroupMessage: [MsgType.MSG_TYPE_GROUP_TEXT, MsgType.MSG_TYPE_GROUP_AUDIO],
} as const;
/** What a message has to be to be brought over, as the source can count it. */
export const WANTED = { types: [1, 2, 17, 18, 101], sizeMax: MESSAGE_SIZE_MAX } as const;
const AUDIO_ID = /^\d{1,10}$/;
/** A voice message where its sound is lost: "[voice]", as all clients show one in lists. */
const VOICE_TEXT = encryptText('[语音]');
const SEND_ID_SIZE = 16;

export interface ConversationParts {
  readonly id: bigint;
  readonly kind: MessageKind;
  /** For people: "users 3 and 9", "group 5". */
  readonly label: string;
  /** The relations or the group whose messages it has. */
  readonly ownerIds: readonly number[];
  readonly facts: ReadonlyMap<number, Facts>;
  /** Why a message of this sender is not brought over; undefined: it is. */
  whyNot(senderId: number): Kind | undefined;
  /** No message is later than that, Unix seconds. */
  readonly latestS: number;
  /** What the target has of it. */
  readonly head: Head | undefined;
}

/**
 * A conversation on its way over: its messages get the numbers 1, 2, 3 … in the order in which they come by, those that
 * are left out get none. What the target has of it from an earlier run is gone through again and compared, not written.
 */
export class Conversation {
  readonly parts: ConversationParts;
  readonly #stored: number;
  readonly #ownLast = new Map<number, number>();
  #count = 0;
  #renumbered = 0;
  #lastOldId = 0;
  #isOutOfOrder = false;

  constructor(parts: ConversationParts) {
    this.parts = parts;
    this.#stored = parts.head?.msgId ?? 0;
  }

  get id(): bigint {
    return this.parts.id;
  }
  /** Messages so far. */
  get count(): number {
    return this.#count;
  }
  /** Rows in the source, deleted ones included. */
  get rows(): number {
    return this.#sum((facts) => facts.rows);
  }
  /** Messages in the source. */
  get size(): number {
    return this.#sum((facts) => facts.rows - facts.deleted);
  }

  /** The number of the last message that a user has written; 0: none. */
  ownLast(userId: number): number {
    return this.#ownLast.get(userId) ?? 0;
  }

  /** Counts the deleted ones; none of them is ever read. */
  countDeleted(tally: Tally): void {
    for (const ownerId of this.parts.ownerIds)
      tally.leftOut(this.#table(ownerId), 'message-deleted', undefined, this.#facts(ownerId).deleted);
  }

  /** Those of the rows that are brought over. */
  kept(rows: readonly MessageRow[], tally: Tally): MessageRow[] {
    return rows.filter((row) => {
      const why = this.#whyNot(row);
      const table = tableOf(this.parts.kind, row.table);
      if (why === undefined) tally.stored(table);
      else
        tally.leftOut(
          table,
          why,
          `${table}, row ${row.rowId}: sender ${row.senderId}, type ${row.type}, ${row.content.length} bytes`,
        );
      return why === undefined;
    });
  }

  isVoice({ type, content }: MessageRow): boolean {
    const regular = TYPES[this.parts.kind][type];
    return regular === undefined ? AUDIO_ID.test(content.toString('latin1')) : regular === 'voice';
  }

  /**
   * Gives them their numbers.
   * @returns those that the target does not have yet
   * @throws ImportRefused when what it has is something else
   */
  number(kept: readonly MessageRow[], voices: ReadonlyMap<string, Voice>, tally: Tally): ImportedMessage[] {
    const messages: ImportedMessage[] = [];
    for (const row of kept) {
      const msgId = ++this.#count;
      this.#ownLast.set(row.senderId, msgId);
      this.#compareIds(row, msgId);
      const message = {
        ...this.#content(row, voices, tally),
        msgId,
        senderId: row.senderId,
        sendId: this.#sendId(row),
      };
      if (msgId > this.#stored) messages.push(message);
      else if (msgId === this.#stored) this.#compareWithHead(message);
    }
    return messages;
  }

  /** When all its messages have come by. @throws ImportRefused when the target has more of them */
  finish(tally: Tally): void {
    const { label, ownerIds } = this.parts;
    if (this.#count < this.#stored) this.#refuse(`${this.#stored} messages there, ${this.#count} in the source`);
    if (this.#count >= CLIENT_LOCAL_MSG_ID_MIN) tally.add('conversation-long', `${label}: ${this.#count} messages`);
    if (this.#isMerged) tally.add('pair-merged', `${label}: relations ${ownerIds.join(', ')}`);
    if (this.#renumbered === 0) return;
    tally.add('message-renumbered', undefined, this.#renumbered);
    const why = this.#whyRenumbered().join(', ');
    tally.add(
      'conversation-renumbered',
      `${label}: ${this.#count} messages, ${this.#renumbered} under a new number (${why})`,
    );
  }

  get #isMerged(): boolean {
    return this.parts.ownerIds.filter((ownerId) => this.#facts(ownerId).rows > this.#facts(ownerId).deleted).length > 1;
  }

  #whyRenumbered(): string[] {
    const why = this.#isMerged ? ['several relations'] : [];
    if (this.#sum((facts) => facts.distinctIds) < this.size) why.push('doubled numbers');
    if (this.#sum((facts) => facts.maxId) > this.#sum((facts) => facts.distinctIds)) why.push('missing numbers');
    if (this.#sum((facts) => facts.deleted) > 0) why.push('deleted messages');
    if (this.#isOutOfOrder) why.push('numbers against times');
    if (this.#count < this.size) why.push('messages left out');
    return why;
  }

  #compareIds({ oldId }: MessageRow, msgId: number): void {
    if (oldId !== msgId) this.#renumbered++;
    if (oldId < this.#lastOldId) this.#isOutOfOrder = true;
    this.#lastOldId = oldId;
  }

  #compareWithHead({ sendId, msgId }: { readonly sendId: Buffer; readonly msgId: number }): void {
    if (this.parts.head?.sendId?.equals(sendId) !== true)
      this.#refuse(`message ${msgId} there is not the one in the source`);
  }

  #refuse(why: string): never {
    throw new ImportRefused(`the conversation of ${this.parts.label} has changed since the import was begun: ${why}`);
  }

  #whyNot({ type, content, senderId }: MessageRow): Kind | undefined {
    if (content.length === 0) return 'message-empty';
    if (content.length > WANTED.sizeMax) return 'message-large';
    if (!(WANTED.types as readonly number[]).includes(type)) return 'message-type';
    return this.parts.whyNot(senderId);
  }

  #content(row: MessageRow, voices: ReadonlyMap<string, Voice>, tally: Tally) {
    const { kind, latestS } = this.parts;
    if (TYPES[kind][row.type] === undefined) tally.add('message-type-other', `${this.#where(row)}: type ${row.type}`);
    if (row.created > latestS) tally.add('message-future', `${this.#where(row)}: ${row.created}`);
    const createTimeMs = Math.max(0, Math.min(row.created, latestS)) * 1000;
    const [textType, voiceType] = STORED_TYPES[kind];
    if (!this.isVoice(row)) {
      if (decryptText(row.content) === undefined) tally.add('message-garbled', this.#where(row));
      return { msgType: textType, body: row.content, createTimeMs };
    }
    const audioId = row.content.toString('latin1');
    const voice = voices.get(audioId) ?? { textBecause: 'voice-no-row' };
    if ('body' in voice) {
      tally.add('voice-stored');
      return { msgType: voiceType, body: voice.body, createTimeMs };
    }
    tally.add(voice.textBecause, `${this.#where(row)}: IMAudio ${audioId.slice(0, 20)}`);
    return { msgType: textType, body: VOICE_TEXT, createTimeMs };
  }

  #where({ table, rowId }: MessageRow): string {
    return `${this.parts.label}, message ${this.#count} (${tableOf(this.parts.kind, table)}, row ${rowId})`;
  }

  /** The same whenever and however often a row is brought over. */
  #sendId({ table, rowId }: MessageRow): Buffer {
    const name = `${tableOf(this.parts.kind, table)}/${rowId}`;
    return createHash('sha256').update(name).digest().subarray(0, SEND_ID_SIZE);
  }

  #facts(ownerId: number): Facts {
    return this.parts.facts.get(ownerId) ?? NO_FACTS;
  }

  #sum(value: (facts: Facts) => number): number {
    return this.parts.ownerIds.reduce((sum, ownerId) => sum + value(this.#facts(ownerId)), 0);
  }

  #table(ownerId: number): string {
    return tableOf(this.parts.kind, ownerId % TABLES);
  }
}

/** What is to be done while a conversation's messages go by, and when they have. */
export interface Passing {
  /** In their order, each with the number it gets. */
  message?(row: MessageRow, msgId: number): void;
  /** Of a single conversation. */
  reads?(conversation: Conversation): Stretch['reads'];
}

export interface BroughtOver {
  /** What is still to be written, together with whatever ends the portion. */
  readonly stretches: readonly Stretch[];
  /** Rows that are written and told to the progress. */
  readonly rows: number;
}

/**
 * Reads all messages of conversations and numbers them: those of one portion together, a conversation that is larger than
 * a portion alone and piece by piece. Pieces but the last are written here.
 */
export async function bringOver<Cursor>(
  ctx: ImportContext,
  phase: Phase<Cursor>,
  conversations: readonly Conversation[],
  tally: Tally,
  passing: (conversation: Conversation) => Passing,
): Promise<BroughtOver> {
  for (const conversation of conversations) conversation.countDeleted(tally);
  const numbering = new Numbering(ctx, tally, passing);
  let stretches: readonly Stretch[] = [];
  let rows = 0;
  let before = 0;
  for await (const piece of piecesOf(ctx, conversations)) {
    if (before > 0) {
      const [ready, count] = [stretches, before];
      await phase.write(async () => {
        await ctx.target.write(ready);
        ctx.progress.add(count);
      });
      rows += count;
    }
    stretches = await numbering.stretchesOf(piece);
    before = piece.reduce((sum, run) => sum + run.rows.length, 0);
  }
  return { stretches, rows };
}

/** Neighbouring messages of a conversation. */
interface Run {
  readonly conversation: Conversation;
  readonly rows: readonly MessageRow[];
  /** No more of the conversation follow. */
  readonly isLast: boolean;
}

class Numbering {
  readonly #ctx: ImportContext;
  readonly #tally: Tally;
  readonly #passing: (conversation: Conversation) => Passing;
  /** The conversation at hand, and what is to be done with it. */
  #current: { readonly conversation: Conversation; readonly passing: Passing } | undefined;
  /** Of a conversation of which more will come: the last stretch carries the read positions, so there has to be one. */
  #held: ImportedMessage[] = [];

  constructor(ctx: ImportContext, tally: Tally, passing: (conversation: Conversation) => Passing) {
    this.#ctx = ctx;
    this.#tally = tally;
    this.#passing = passing;
  }

  async stretchesOf(piece: readonly Run[]): Promise<Stretch[]> {
    const kept = piece.map(({ conversation, rows }) => conversation.kept(rows, this.#tally));
    const contents = piece.flatMap(({ conversation }, n) =>
      kept[n]!.filter((row) => conversation.isVoice(row)).map((row) => row.content.toString('latin1')),
    );
    const voices = await this.#ctx.voices.load(contents);
    return piece.flatMap((run, n) => this.#stretchOf(run, kept[n]!, voices));
  }

  #stretchOf(
    { conversation, isLast }: Run,
    kept: readonly MessageRow[],
    voices: ReadonlyMap<string, Voice>,
  ): Stretch[] {
    if (this.#current?.conversation !== conversation)
      this.#current = { conversation, passing: this.#passing(conversation) };
    const { message, reads } = this.#current.passing;
    const before = conversation.count;
    const messages = [...this.#held, ...conversation.number(kept, voices, this.#tally)];
    kept.forEach((row, place) => {
      message?.(row, before + place + 1);
    });
    this.#held = isLast ? [] : messages.splice(-1);
    if (isLast) conversation.finish(this.#tally);
    const positions = isLast ? reads?.(conversation) : undefined; // counted even when all of it is stored already
    if (messages.length === 0) return [];
    const stretch = { conversationId: conversation.id, after: messages[0]!.msgId - 1, messages };
    return [positions === undefined ? stretch : { ...stretch, reads: positions }];
  }
}

/** What is in memory at once: as many messages as a portion has, and not more voices than this. */
const VOICES = 200;

async function* piecesOf(ctx: ImportContext, conversations: readonly Conversation[]): AsyncGenerator<Run[]> {
  let piece: Run[] = [];
  let voices = 0;
  for await (const { conversation, rows, isLast } of runsOf(ctx, conversations)) {
    let from = 0;
    for (const [place, row] of rows.entries()) {
      if (!conversation.isVoice(row) || ++voices < VOICES || place === rows.length - 1) continue;
      yield [...piece, { conversation, rows: rows.slice(from, place + 1), isLast: false }];
      [piece, voices, from] = [[], 0, place + 1];
    }
    piece.push({ conversation, rows: rows.slice(from), isLast });
    if (isLast) continue;
    yield piece;
    [piece, voices] = [[], 0];
  }
  yield piece;
}

async function* runsOf(ctx: ImportContext, conversations: readonly Conversation[]): AsyncGenerator<Run> {
  const [only, other] = conversations;
  if (only !== undefined && other === undefined && only.size > ctx.portionRows) yield* runsOfLarge(ctx, only);
  else yield* await runsOfSmall(ctx, conversations);
}

async function* runsOfLarge(ctx: ImportContext, conversation: Conversation): AsyncGenerator<Run> {
  const { kind, ownerIds } = conversation.parts;
  let rows: MessageRow[] | undefined;
  for await (const next of batches(ctx.source.orderedMessages(kind, ownerIds), ctx.portionRows)) {
    if (rows !== undefined) yield { conversation, rows, isLast: false };
    rows = next;
  }
  yield { conversation, rows: rows ?? [], isLast: true };
}

async function runsOfSmall(ctx: ImportContext, conversations: readonly Conversation[]): Promise<Run[]> {
  const withMessages = conversations.filter((each) => each.size > 0);
  const [first] = withMessages;
  const ownerIds = withMessages.flatMap((each) => each.parts.ownerIds);
  const rows = first === undefined ? [] : await ctx.source.messages(first.parts.kind, ownerIds);
  const byOwner = new Map<number, MessageRow[]>(ownerIds.map((id) => [id, []]));
  for (const row of rows) byOwner.get(row.ownerId)!.push(row);
  return conversations.map((conversation) => {
    const own = conversation.parts.ownerIds.flatMap((ownerId) => byOwner.get(ownerId) ?? []);
    return { conversation, rows: own.sort(messageOrder), isLast: true };
  });
}
