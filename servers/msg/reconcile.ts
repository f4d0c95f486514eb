import { setTimeout as delay } from 'node:timers/promises';
import { ImError } from '../../common/errors.js';
import { MISSED_MESSAGES_MAX } from '../../common/limits.js';
import { cluster } from '../../common/pdu/commands.js';
import type { IM } from '../../common/pdu/pb.js';
import type { MsgContext } from './context.js';
import { endSessions } from './handlers/directory.js';
import { putMembers } from './handlers/group.js';
import { deliverMissed } from './handlers/message.js';

/** Users of one question. */
const USERS_AT_ONCE = 200;
/** What a message takes beside the time that is waited for its ack. */
const SLACK_MS = 5_000;
const RETRY_MS = 1_000;
/** Failed sends come in swarms; one look serves them all. */
const GATHER_MS = 500;

/**
 * After a disturbance (a lost link to route, a msg server that died, a store that was not answered) somebody's message
 * may be stored and not delivered. Then what was stored since is looked up for everybody who is online here, and
 * delivered if it was not.
 */
export class Reconcile {
  readonly #ctx: MsgContext;
  /**
   * Between the time that a message has and its being published, at most: a busy or stopped PostgreSQL commits it late, a
   * slow link brings the answer late, and a publish of then may be lost.
   */
  readonly #slackMs: number;
  #sinceMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Groups whose members have changed since the question that is under way: what the answer says of them may be older. */
  readonly #changedGroups = new Set<number>();

  /** @param ackMsMax how long a message may wait for its ack */
  constructor(ctx: MsgContext, ackMsMax: number) {
    this.#ctx = ctx;
    this.#slackMs = ackMsMax + SLACK_MS;
  }

  /** Something may be undelivered here since then. */
  since(ms: number): void {
    this.#sinceMs = Math.min(this.#sinceMs, ms - this.#slackMs);
    if (!this.#closed) this.#timer ??= setTimeout(() => void this.#look(), GATHER_MS);
  }

  /** Here and on all other msg servers. */
  everywhereSince(ms: number): void {
    this.since(ms);
    this.#ctx.routes.tellDisturbed(ms);
  }

  /** Members of this group came or went, as we have just been told. */
  groupChanged(groupId: number): void {
    this.#changedGroups.add(groupId);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const sinceMs = this.#sinceMs;
    this.#sinceMs = Number.POSITIVE_INFINITY;
    const found = await this.#lookUp([...this.#ctx.sessions.users()], sinceMs);
    this.#timer = undefined;
    this.#ctx.log.info({ sinceMs, delivered: found }, 'looked for missed messages');
    if (this.#sinceMs !== Number.POSITIVE_INFINITY) this.since(this.#sinceMs + this.#slackMs);
  }

  async #lookUp(userIds: readonly number[], sinceMs: number): Promise<number> {
    let delivered = 0;
    for (let from = 0; from < userIds.length; from += USERS_AT_ONCE) {
      const userIdList = userIds.slice(from, from + USERS_AT_ONCE);
      for (let after: IM.Cluster.MissedPlace | undefined; ; ) {
        const page = await this.#asked({ userIdList, sinceMs, after, asRanges: true }, from);
        if (page === undefined) return delivered;
        for (const userId of page.leftUserList) endSessions(this.#ctx, userId);
        for (const { userId, groupIdList } of page.groupsList) this.#putRight(userId, new Set(groupIdList));
        for (const message of page.messageList) delivered += deliverMissed(this.#ctx, message); // of an earlier build
        delivered += await this.#deliver(page.rangeList, sinceMs, from);
        if (page.next === undefined) break;
        after = page.next;
      }
    }
    return delivered;
  }

  /** What of it is not known to have been delivered here. */
  async #deliver(stored: readonly IM.Cluster.MissedRange[], sinceMs: number, key: number): Promise<number> {
    const lacking = stored.flatMap(({ conversationId, fromMsgId, toMsgId }) =>
      this.#ctx.deliveries
        .lacking(BigInt(conversationId), { from: fromMsgId, to: toMsgId })
        .map(({ from, to }) => ({ conversationId, fromMsgId: from, toMsgId: to })),
    );
    let delivered = 0;
    for (const rangeList of parcels(lacking)) {
      const page = await this.#asked({ userIdList: [], sinceMs, rangeList }, key);
      for (const message of page?.messageList ?? []) delivered += deliverMissed(this.#ctx, message);
    }
    return delivered;
  }

  /** Until there is an answer: what is through is not looked at anew. @returns undefined: we are closing */
  async #asked(question: IM.Cluster.IMMissedReq.$Properties, key: number): Promise<IM.Cluster.IMMissedRsp | undefined> {
    while (!this.#closed) {
      this.#changedGroups.clear();
      try {
        return await this.#ctx.dbProxies.ask(cluster.missed, question, key);
      } catch (error) {
        if (!(error instanceof ImError)) throw error;
        await delay(RETRY_MS);
      }
    }
    return undefined;
  }

  /** The groups of a user are these: he may have joined or left one without our hearing of it. */
  #putRight(userId: number, groupIds: ReadonlySet<number>): void {
    const known = new Set(this.#ctx.sessions.ofUser(userId).flatMap(({ groupIds }) => [...groupIds]));
    // A session that is only just coming in is about to be told its groups.
    if (!this.#ctx.sessions.ofUser(userId).some(({ present }) => present)) return;
    for (const groupId of groupIds) if (!known.has(groupId)) this.#changed(groupId, [userId], []);
    for (const groupId of known) if (!groupIds.has(groupId)) this.#changed(groupId, [], [userId]);
  }

  #changed(groupId: number, joined: readonly number[], left: readonly number[]): void {
    if (!this.#changedGroups.has(groupId)) putMembers(this.#ctx, groupId, joined, left);
  }
}

/** So many messages each. */
function* parcels(ranges: Iterable<IM.Cluster.MissedRange>): Generator<IM.Cluster.MissedRange[]> {
  let parcel: IM.Cluster.MissedRange[] = [];
  let left = MISSED_MESSAGES_MAX;
  for (const { conversationId, fromMsgId, toMsgId } of ranges) {
    for (let from = fromMsgId; from <= toMsgId; ) {
      const to = Math.min(toMsgId, from + left - 1);
      parcel.push({ conversationId, fromMsgId: from, toMsgId: to });
      left -= to - from + 1;
      from = to + 1;
      if (left > 0) continue;
      yield parcel;
      parcel = [];
      left = MISSED_MESSAGES_MAX;
    }
  }
  if (parcel.length > 0) yield parcel;
}
