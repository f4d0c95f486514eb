import type { LinkGroup } from '../../common/net/link-group.js';
import { buddy } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';

/** This server's side of the route servers: it has no sessions, so it only asks. */
export class Routes {
  readonly #links: LinkGroup;

  constructor(links: LinkGroup) {
    this.#links = links;
  }

  get open(): boolean {
    return this.#links.open;
  }

  /** Those who are online with a PC. */
  async online(userIdList: readonly number[]): Promise<Set<number>> {
    const { userStatList } = await this.#links.ask(buddy.usersStatus, { userId: 0, userIdList: [...userIdList] });
    const online = userStatList.filter((each) => each.status === IM.BaseDefine.UserStatType.USER_STATUS_ONLINE);
    return new Set(online.map((each) => each.userId));
  }
}
