import { type Draft, isGroupType, pushFrame } from '../../common/chat/message.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import { buddy, cluster } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';

/** This server's side of the route servers: it has no sessions, so it only publishes and asks. */
export class Routes {
  readonly #links: LinkGroup;

  constructor(links: LinkGroup) {
    this.#links = links;
  }

  get open(): boolean {
    return this.#links.open;
  }

  /** A stored message, to every device of its receivers and of its sender. */
  message(draft: Draft, stored: { msgId: number; createTimeMs: number }): void {
    const { fromUserId, toSessionId } = draft;
    const to = isGroupType(draft.msgType) ? { groupId: toSessionId } : { userIdList: [toSessionId, fromUserId] };
    this.#links.tell(cluster.publish, { ...to, frame: pushFrame(draft, stored), msgId: stored.msgId });
  }

  /** Perhaps something is stored since then that nobody was told of: the msg servers look for it. */
  disturbed(sinceMs: number): void {
    this.#links.tell(cluster.disturbed, { sinceMs });
  }

  /** Those who are online with a PC. */
  async online(userIdList: readonly number[]): Promise<Set<number>> {
    const { userStatList } = await this.#links.ask(buddy.usersStatus, { userId: 0, userIdList: [...userIdList] });
    const online = userStatList.filter((each) => each.status === IM.BaseDefine.UserStatType.USER_STATUS_ONLINE);
    return new Set(online.map((each) => each.userId));
  }
}
