import { ImError } from '../errors.js';
import type { Hops } from '../hops.js';
import type { LinkGroup } from '../net/link-group.js';
import { cluster } from '../pdu/commands.js';
import type { Frame } from '../pdu/header.js';
import type { IM } from '../pdu/pb.js';
import { conversationOfDraft, type Draft, isGroupType, pushFrame, storeDraft, storedLate } from './message.js';
import type { SendHook } from './send-hook.js';

/** What sends messages in a server that has no sessions. */
export class Sender {
  readonly #dbProxies: LinkGroup;
  readonly #routes: LinkGroup;
  readonly #hook: SendHook | undefined;
  readonly #hops: Hops;
  /** What was published since then may not have come; nobody could be told so far. Wall clock. */
  #unsureSinceMs: number | undefined;

  constructor(dbProxies: LinkGroup, routes: LinkGroup, hook: SendHook | undefined, hops: Hops) {
    this.#dbProxies = dbProxies;
    this.#routes = routes;
    this.#hook = hook;
    this.#hops = hops;
  }

  /** Stored first, told second, as the msg server does it. @throws ImError */
  async send(draft: Draft): Promise<IM.Cluster.IMStoreMsgRsp> {
    const conversationId = conversationOfDraft(draft);
    const begunMs = performance.now();
    const sinceMs = Date.now();
    try {
      const checked = this.#hook === undefined ? draft : await this.#hook.asked(draft);
      const checkedMs = performance.now();
      const stored = await storeDraft(this.#dbProxies, checked);
      const storedMs = performance.now();
      this.#publish(checked, stored);
      const toldMs = performance.now();
      // biome-ignore format: one hop, one line
      this.#hops.accepted(conversationId, stored.msgId, draft.sendId, begunMs, begunMs, checkedMs, storedMs, toldMs, 0, stored.duplicate);
      return stored;
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
      this.#hops.refused(conversationId, draft.sendId, begunMs, error.code);
      // It may be stored: who is online then looks for what nobody told of.
      if (error.retry) this.disturbed(sinceMs);
      throw error;
    }
  }

  /**
   * Msg servers shall look for what they missed since then: now, or when there is a route server to tell them. Also to be
   * called when a link to a route server is lost.
   */
  disturbed(sinceMs: number): void {
    this.#unsureSinceMs = Math.min(this.#unsureSinceMs ?? sinceMs, sinceMs);
    this.tellDisturbed();
  }

  /** To be called with answers of db-proxies that came when nobody waited for them any more. */
  late(answer: Frame): void {
    const sinceMs = storedLate(answer);
    if (sinceMs !== undefined) this.disturbed(sinceMs);
  }

  /** To be called when a link to a route server has opened. */
  tellDisturbed(): void {
    if (this.#unsureSinceMs === undefined || !this.#routes.open) return;
    this.#routes.tell(cluster.disturbed, { sinceMs: this.#unsureSinceMs });
    this.#unsureSinceMs = undefined;
  }

  /** Also one that was there before: it may have been told of by nobody, and who had it knows it by its id. */
  #publish(draft: Draft, stored: IM.Cluster.IMStoreMsgRsp): void {
    const { fromUserId, toSessionId } = draft;
    const to = isGroupType(draft.msgType) ? { groupId: toSessionId } : { userIdList: [toSessionId, fromUserId] };
    if (this.#routes.open)
      this.#routes.tell(cluster.publish, { ...to, frame: pushFrame(draft, stored), msgId: stored.msgId });
    else this.disturbed(stored.createTimeMs);
  }
}
