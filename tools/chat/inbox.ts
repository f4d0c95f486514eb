import { type ChatMessage, type Client, ConnectionLost } from '../../common/client/client.js';
import type { IM } from '../../common/pdu/pb.js';
import type { Desk } from './desk.js';
import { type Conversation, keyOf } from './people.js';
import { counted } from './text.js';
import { Timeline } from './timeline.js';

const PAGE = 100;
/** The server's list of recent conversations is cut at this length. */
const SESSIONS_MAX = 100;
const CATCH_UP_AGAIN_MS = 2_000;
/** Of each conversation with more unread messages, the newest ones are shown at the start. */
export const UNREAD_SHOWN_MAX = 100;

type Headed = Conversation & { readonly latestMsgId: number };

/**
 * Shows every message once and in the order of its conversation, whether it is pushed, missed or found behind a gap,
 * and marks read what it shows. All of that goes through one queue, so that nothing overtakes an older message that
 * is still being fetched. What a lost connection leaves undone is done after the next login.
 */
export class Inbox {
  readonly #desk: Desk;
  readonly #isOwnAck: (message: ChatMessage) => boolean;
  readonly #timelines = new Map<string, Timeline<ChatMessage>>();
  /** The server's clock at the first login: younger messages have not been seen by anybody here. */
  readonly #startTime: number;
  #queue: Promise<void> = Promise.resolve();

  /** @param isOwnAck takes messages that need not be shown: they were when they were typed */
  constructor(desk: Desk, startTime: number, isOwnAck: (message: ChatMessage) => boolean) {
    this.#desk = desk;
    this.#startTime = startTime;
    this.#isOwnAck = isOwnAck;
  }

  /** Resolves when everything that was asked of the inbox so far is done. */
  get idle(): Promise<void> {
    return this.#queue;
  }

  /** A message was pushed. */
  received(message: ChatMessage): Promise<void> {
    return this.#inTurn(async () => {
      const timeline = await this.#timelineOf(message, message.msgId);
      await this.#show(message, timeline.take(message));
      await this.#fillGaps(message, timeline);
    });
  }

  /** A message of this id is on the screen already. */
  shown(conversation: Conversation, msgId: number): Promise<void> {
    return this.#inTurn(async () => {
      const timeline = await this.#timelineOf(conversation, msgId);
      await this.#show(conversation, timeline.shown(msgId));
      await this.#fillGaps(conversation, timeline);
    });
  }

  /** After a login: shows what was missed, from the last shown message on, or what is unread. */
  catchUp(client: Client, announce: (unread: readonly IM.BaseDefine.UnreadInfo[]) => void): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await this.#catchUp(client, announce);
      } catch (error) {
        if (error instanceof ConnectionLost) return;
        this.#desk.complain(`what was missed is not all here (${(error as Error).message}), asking again`);
        setTimeout(() => void this.catchUp(client, announce), CATCH_UP_AGAIN_MS).unref();
      }
    });
  }

  /** Shows the last messages of a conversation, whether they were shown before or not. */
  history(conversation: Conversation, count: number): Promise<void> {
    return this.#inTurn(async () => {
      const { client, people, terminal } = this.#desk;
      const latest = await client.latestId(conversation.sessionType, conversation.sessionId);
      const messages = await this.#range(conversation, Math.max(1, latest - count + 1), latest);
      await people.meetSenders(client, messages);
      const title = `── ${counted(messages.length, 'message')} with ${people.nameOf(conversation)} ──`;
      const lines = messages.map((message) => this.#desk.lineOf(message));
      this.#desk.print(terminal.paint.dim(title), ...lines, terminal.paint.dim('──'));
      if (messages.length === 0) return;
      const timeline = await this.#timelineOf(conversation, messages[0]!.msgId);
      const behind = messages.flatMap(({ msgId }) => timeline.shown(msgId));
      client.markRead(conversation.sessionType, conversation.sessionId, latest);
      await this.#show(conversation, behind);
      await this.#fillGaps(conversation, timeline);
    });
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(task).catch((error: unknown) => {
      if (!(error instanceof ConnectionLost)) this.#desk.complain((error as Error).message);
    });
    return this.#queue;
  }

  async #catchUp(client: Client, announce: (unread: readonly IM.BaseDefine.UnreadInfo[]) => void): Promise<void> {
    const { people } = this.#desk;
    await people.load(client);
    const [sessions, unread] = await Promise.all([client.recentSessions(), client.unread()]);
    const heads = newestOf([...sessions, ...unread.list]);
    await people.meet(client, heads);
    announce(unread.list);
    const unreadCounts = new Map(unread.list.map((each) => [keyOf(each), each.unreadCnt]));
    for (const head of heads) await this.#catchUpOne(head, unreadCounts.get(keyOf(head)) ?? 0);
    if (sessions.length >= SESSIONS_MAX) await this.#catchUpUnlisted(client, heads);
  }

  async #catchUpOne(head: Headed, unreadCount: number): Promise<void> {
    const known = this.#timelines.get(keyOf(head));
    const from = known?.upTo ?? head.latestMsgId - Math.min(unreadCount, UNREAD_SHOWN_MAX);
    // Fetched first: if that fails, the next try has to begin at the same place.
    const missed = await this.#range(head, from + 1, head.latestMsgId);
    const timeline = known ?? new Timeline<ChatMessage>(from);
    this.#timelines.set(keyOf(head), timeline);
    await this.#show(head, timeline.fill(head.latestMsgId, missed));
  }

  /** Conversations we know that are not on the cut list are asked about one by one. */
  async #catchUpUnlisted(client: Client, listed: readonly Conversation[]): Promise<void> {
    const keys = new Set(listed.map(keyOf));
    for (const key of this.#timelines.keys()) {
      if (keys.has(key)) continue;
      const [sessionType, sessionId] = key.split(':').map(Number) as [number, number];
      const latestMsgId = await client.latestId(sessionType, sessionId);
      await this.#catchUpOne({ sessionType, sessionId, latestMsgId }, 0);
    }
  }

  async #fillGaps(conversation: Conversation, timeline: Timeline<ChatMessage>): Promise<void> {
    for (let gap = timeline.missing; gap !== undefined; gap = timeline.missing) {
      const found = await this.#range(conversation, gap.from, gap.to);
      await this.#show(conversation, timeline.fill(gap.to, found));
    }
  }

  /** These messages from the history, oldest first: whole pages backwards until the range is covered. */
  async #range({ sessionType, sessionId }: Conversation, from: number, to: number): Promise<ChatMessage[]> {
    const found: ChatMessage[] = [];
    let begin = to;
    while (begin >= from) {
      const count = Math.min(PAGE, begin - from + 1);
      const page = await this.#desk.client.history(sessionType, sessionId, begin, count);
      found.push(...page.filter(({ msgId }) => msgId >= from && msgId <= to));
      if (page.length < count) break; // nothing older to see
      begin = Math.min(...page.map(({ msgId }) => msgId)) - 1;
    }
    return found.sort((a, b) => a.msgId - b.msgId);
  }

  /**
   * A conversation that was not listed when we came starts with its first message younger than that. Not simply with
   * the first one we hear of: messages overtake each other, and older ones than we are have been read elsewhere.
   */
  async #timelineOf(conversation: Conversation, firstHeard: number): Promise<Timeline<ChatMessage>> {
    const known = this.#timelines.get(keyOf(conversation));
    if (known !== undefined) return known;
    let upTo = firstHeard - 1;
    while (upTo > 0) {
      const page = await this.#desk.client.history(conversation.sessionType, conversation.sessionId, upTo, PAGE);
      const young = page.filter(({ createTime }) => createTime >= this.#startTime);
      upTo = Math.min(upTo, ...young.map(({ msgId }) => msgId - 1));
      if (young.length < PAGE) break;
    }
    const timeline = new Timeline<ChatMessage>(upTo);
    this.#timelines.set(keyOf(conversation), timeline);
    return timeline;
  }

  async #show(conversation: Conversation, messages: readonly ChatMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const { connected, people, me } = this.#desk;
    if (connected !== undefined) await people.meetSenders(connected.client, messages).catch(() => undefined); // ids do
    for (const message of messages) if (!this.#isOwnAck(message)) this.#desk.print(this.#desk.lineOf(message));
    if (messages.every(({ fromUserId }) => fromUserId === me)) return;
    const { sessionType, sessionId } = conversation;
    connected?.client.markRead(sessionType, sessionId, messages.at(-1)!.msgId);
  }
}

/** Each conversation once, with the higher of its heads: the lists were made at different moments. */
function newestOf(heads: readonly Headed[]): Headed[] {
  const newest = new Map<string, Headed>();
  for (const head of heads) {
    const other = newest.get(keyOf(head));
    if (other === undefined || other.latestMsgId < head.latestMsgId) newest.set(keyOf(head), head);
  }
  return [...newest.values()];
}
