import { ImError } from '../../common/errors.js';
import { cluster } from '../../common/pdu/commands.js';
import type { IM } from '../../common/pdu/pb.js';
import type { MsgContext } from './context.js';
import { endSessions } from './handlers/directory.js';
import { putMembers } from './handlers/group.js';
import { deliverMissed } from './handlers/message.js';

/** Users of one question. */
const USERS_AT_ONCE = 200;
/** A message is stored, and only then published: what began so long before a disturbance may be caught in it. */
const SLACK_MS = 2_000;
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
  #sinceMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Groups whose members have changed since the question that is under way: what the answer says of them may be older. */
  readonly #changedGroups = new Set<number>();

  constructor(ctx: MsgContext) {
    this.#ctx = ctx;
  }

  /** Something may be undelivered here since then. */
  since(ms: number): void {
    this.#sinceMs = Math.min(this.#sinceMs, ms - SLACK_MS);
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
    try {
      const found = await this.#lookUp([...this.#ctx.sessions.users()], sinceMs);
      this.#timer = undefined;
      this.#ctx.log.info({ sinceMs, delivered: found }, 'looked for missed messages');
      if (this.#sinceMs !== Number.POSITIVE_INFINITY) this.since(this.#sinceMs + SLACK_MS);
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
      this.#sinceMs = Math.min(this.#sinceMs, sinceMs);
      if (!this.#closed) this.#timer = setTimeout(() => void this.#look(), RETRY_MS);
    }
  }

  async #lookUp(userIds: readonly number[], sinceMs: number): Promise<number> {
    let delivered = 0;
    for (let from = 0; from < userIds.length; from += USERS_AT_ONCE) {
      const userIdList = userIds.slice(from, from + USERS_AT_ONCE);
      for (let after: IM.Cluster.MissedPlace | undefined; ; ) {
        this.#changedGroups.clear();
        const page: IM.Cluster.IMMissedRsp = await this.#ctx.dbProxies.ask(
          cluster.missed,
          { userIdList, sinceMs, after },
          from,
        );
        for (const userId of page.leftUserList) endSessions(this.#ctx, userId);
        for (const { userId, groupIdList } of page.groupsList) this.#putRight(userId, new Set(groupIdList));
        for (const message of page.messageList) delivered += deliverMissed(this.#ctx, message);
        if (page.next === undefined) break;
        after = page.next;
      }
    }
    return delivered;
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
