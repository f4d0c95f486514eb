import type { Link } from '../../common/net/link.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import type { Command } from '../../common/pdu/command.js';
import { buddy, cluster, server } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import type { Session } from './session.js';
import type { InterestChange, Sessions } from './sessions.js';

const { UserStatType } = IM.BaseDefine;

/**
 * This msg server's side of the route servers. Every one of them knows what we care about and who is online here;
 * what is published goes to one of them. A route server that comes up, or comes back, is told everything anew.
 */
export class Routes {
  readonly #links: LinkGroup;
  readonly #sessions: Sessions;

  readonly #disturbed: (sinceMs: number) => void;
  /** Since when something may not have reached us or others; wall clock. */
  #disturbedSinceMs: number | undefined;

  constructor(links: LinkGroup, sessions: Sessions, disturbed: (sinceMs: number) => void) {
    this.#links = links;
    this.#sessions = sessions;
    this.#disturbed = disturbed;
  }

  /** A link is gone: what was published since it was last heard may be lost, in both directions. */
  lost(silentMs: number): void {
    const sinceMs = Date.now() - silentMs;
    if (this.open) this.#disturbed(sinceMs);
    else this.#disturbedSinceMs = Math.min(this.#disturbedSinceMs ?? sinceMs, sinceMs);
  }

  /** A link is up: say everything, then see to what may have been missed while none was. */
  async opened(link: Link): Promise<void> {
    await this.#announce(link);
    if (this.#disturbedSinceMs === undefined) return;
    this.#disturbed(this.#disturbedSinceMs);
    this.#disturbedSinceMs = undefined;
  }

  get open(): boolean {
    return this.#links.open;
  }

  /** Resolves when whatever is published there from then on reaches us. */
  async #announce(link: Link): Promise<void> {
    const known = this.#links.askOne(link, cluster.interest, {
      reset: true,
      usersIn: [...this.#sessions.users()],
      groupsIn: [...this.#sessions.groups()],
    });
    const present = [...this.#sessions].filter((session) => session.present);
    const userStatList = present.map((session) => ({
      userId: session.userId,
      status: UserStatType.USER_STATUS_ONLINE,
      clientType: session.clientType,
    }));
    link.tell(server.onlineUsers, { userStatList });
    await known;
  }

  /** Resolves when whatever is published from then on reaches us. */
  async begin(change: InterestChange): Promise<void> {
    if (change.users.length === 0 && change.groups.length === 0) return;
    await this.#links.askAll(cluster.interest, { reset: false, usersIn: change.users, groupsIn: change.groups });
  }

  cease(change: InterestChange): void {
    if (change.users.length === 0 && change.groups.length === 0) return;
    void this.#links.askAll(cluster.interest, { reset: false, usersOut: change.users, groupsOut: change.groups });
  }

  presence(session: Session, online: boolean): void {
    session.present = online;
    const userStatus = online ? UserStatType.USER_STATUS_ONLINE : UserStatType.USER_STATUS_OFFLINE;
    const update = { userStatus, userId: session.userId, clientType: session.clientType };
    this.#links.tellEach(server.userStatus, (isChosen) => (isChosen ? { ...update, announce: true } : update));
  }

  publish(message: IM.Cluster.IMPublish.$Properties): void {
    this.#links.tell(cluster.publish, message);
  }

  tell<In>(command: Command<In, unknown>, message: In): void {
    this.#links.tell(command, message);
  }

  groupMembersChanged(groupId: number, joined: readonly number[], left: readonly number[]): void {
    this.#links.tellEach(cluster.groupMembersChanged, (passOn) => ({ groupId, joined, left, passOn }));
  }

  usersStatus(userId: number, userIdList: readonly number[]): Promise<IM.Buddy.IMUsersStatRsp> {
    return this.#links.ask(buddy.usersStatus, { userId, userIdList });
  }
}
