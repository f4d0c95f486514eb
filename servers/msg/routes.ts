import type { Link } from '../../common/net/link.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import type { Command } from '../../common/pdu/command.js';
import { buddy, cluster, server } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import type { Session } from './session.js';
import type { InterestChange, Sessions } from './sessions.js';

const { UserStatType } = IM.BaseDefine;

/** Whoever hears nothing from a server of ours that it asks finds out that it hangs. */
const ASK_MS = 1_000;
/** Several who have to look are told at once. */
const GATHER_MS = 50;
/** What was told shortly before a route server was lost is told once more: it may not have passed it on. */
const AGAIN_S = 60;

/**
 * This msg server's side of the route servers. Those that share what they hear are told through one of them, our home;
 * when it is gone another one is. Those that do not share all know what we care about and who is online here, and
 * what is published goes to one of them. A route server that comes up, or comes back, is told everything anew.
 */
export class Routes {
  readonly #links: LinkGroup;
  readonly #sessions: Sessions;
  /** Which of those that share is ours while it is there: servers whose names count up are dealt out evenly. */
  readonly #key: number;
  readonly #disturbed: (sinceMs: number) => void;
  readonly #asker: NodeJS.Timeout;
  #home: Link | undefined;
  /** Since when something may not have reached us or others; wall clock. */
  #disturbedSinceMs: number | undefined;
  /** Since when the others shall look, told in a moment. */
  #toTellMs: number | undefined;
  #teller: NodeJS.Timeout | undefined;
  /** What they were told lately: the second in which → since when. */
  readonly #toldLately = new Map<number, number>();
  #tellsAgain = false;

  constructor(links: LinkGroup, sessions: Sessions, name: string, disturbed: (sinceMs: number) => void) {
    this.#links = links;
    this.#sessions = sessions;
    this.#key = Buffer.from(name).reduce((sum, byte) => sum + byte, 0);
    this.#disturbed = disturbed;
    this.#asker = setInterval(() => this.#interest({ reset: false }), ASK_MS);
  }

  /** A link is gone: what was published for `unsureMs` may be lost, in both directions. */
  lost(link: Link, unsureMs: number): void {
    if (link.shares && link !== this.#home) return;
    this.#unsure(Date.now() - unsureMs);
    this.#tellsAgain = true;
    if (link !== this.#home) return this.#settle();
    this.#home = undefined;
    const [next] = this.#sharing();
    if (next !== undefined) void this.#moveTo(next);
  }

  /** A link is up: say everything, then see to what may have been missed while none was. */
  async opened(link: Link): Promise<void> {
    if (!link.shares) {
      await this.#announce(link);
      this.#settle();
    } else if (this.#home === undefined || link === this.#sharing()[0]) await this.#moveTo(link);
  }

  get open(): boolean {
    return this.#links.open;
  }

  close(): void {
    clearInterval(this.#asker);
    clearTimeout(this.#teller);
  }

  /** The other msg servers shall look for what they missed since then: in a moment, or when there is somebody to tell them. */
  tellDisturbed(sinceMs: number): void {
    this.#toTellMs = Math.min(this.#toTellMs ?? sinceMs, sinceMs);
    this.#teller ??= setTimeout(() => this.#tellDisturbed(), GATHER_MS);
  }

  #tellDisturbed(): void {
    const sinceMs = this.#toTellMs!;
    this.#teller = undefined;
    this.#toTellMs = undefined;
    if (this.#told().length === 0) return this.#unsure(sinceMs);
    const second = Math.floor(Date.now() / 1000);
    for (const earlier of this.#toldLately.keys()) if (earlier < second - AGAIN_S) this.#toldLately.delete(earlier);
    const again = this.#tellsAgain ? [...this.#toldLately.values()] : [];
    this.#tellsAgain = false;
    this.tell(cluster.disturbed, { sinceMs: Math.min(sinceMs, ...again) });
    this.#toldLately.set(second, Math.min(this.#toldLately.get(second) ?? sinceMs, sinceMs));
  }

  #unsure(sinceMs: number): void {
    this.#disturbedSinceMs = Math.min(this.#disturbedSinceMs ?? sinceMs, sinceMs);
  }

  /** Open links to route servers that share, the one that is to be our home first. */
  #sharing(): Link[] {
    return this.#links.openFrom(this.#key).filter((link) => link.shares);
  }

  /** Those that have to be told. */
  #told(): Link[] {
    return this.#links.openFrom(0).filter((link) => !link.shares || link === this.#home);
  }

  async #moveTo(link: Link): Promise<void> {
    const before = this.#home;
    this.#home = link;
    this.#links.prefer(link);
    await this.#announce(link);
    if (link !== this.#home) return; // gone meanwhile
    if (before !== undefined) await this.#links.askOne(before, cluster.interest, { reset: true });
    this.#settle();
  }

  /** Sees to what may have been missed, once we are heard of somewhere. */
  #settle(): void {
    if (this.#disturbedSinceMs === undefined || this.#told().length === 0) return;
    this.#disturbed(this.#disturbedSinceMs);
    this.#disturbedSinceMs = undefined;
  }

  /** Resolves when whatever is published there from then on reaches us. */
  async #announce(link: Link): Promise<void> {
    const known = this.#links.askOne(link, cluster.interest, {
      reset: true,
      usersIn: [...this.#sessions.users()],
      groupsIn: [...this.#sessions.groups()],
      sentMs: Date.now(),
      unheardSinceMs: this.#disturbedSinceMs,
    });
    const present = [...this.#sessions].filter((session) => session.present);
    const userStatList = present.map((session) => ({
      userId: session.userId,
      status: UserStatType.USER_STATUS_ONLINE,
      clientType: session.clientType,
    }));
    link.tell(server.onlineUsers, { userStatList });
    await known;
    await this.#links.askOne(link, cluster.interest, { reset: false }); // answered after what was told before
  }

  async #interest(change: IM.Cluster.IMInterest.$Properties): Promise<void> {
    await this.#links.askAll(cluster.interest, { ...change, sentMs: Date.now() }, this.#told());
  }

  /** Resolves when whatever is published from then on reaches us. */
  async begin(change: InterestChange): Promise<void> {
    if (change.users.length === 0 && change.groups.length === 0) return;
    await this.#interest({ reset: false, usersIn: [...change.users], groupsIn: [...change.groups] });
  }

  cease(change: InterestChange): void {
    if (change.users.length === 0 && change.groups.length === 0) return;
    void this.#interest({ reset: false, usersOut: [...change.users], groupsOut: [...change.groups] });
  }

  presence(session: Session, online: boolean): void {
    session.present = online;
    const userStatus = online ? UserStatType.USER_STATUS_ONLINE : UserStatType.USER_STATUS_OFFLINE;
    const update = { userStatus, userId: session.userId, clientType: session.clientType };
    const message = (announces: boolean) => (announces ? { ...update, announce: true } : update);
    this.#links.tellEach(server.userStatus, message, this.#told());
  }

  publish(message: IM.Cluster.IMPublish.$Properties): void {
    this.tell(cluster.publish, message);
  }

  /** Home even when that drains: any other one would give us back what is ours. */
  tell<In>(command: Command<In, unknown>, message: In): void {
    if (this.#home === undefined) this.#links.tell(command, message);
    else this.#home.tell(command, message);
  }

  groupMembersChanged(groupId: number, joined: readonly number[], left: readonly number[]): void {
    const message = (passOn: boolean) => ({ groupId, joined, left, passOn });
    this.#links.tellEach(cluster.groupMembersChanged, message, this.#told());
  }

  usersStatus(userId: number, userIdList: readonly number[]): Promise<IM.Buddy.IMUsersStatRsp> {
    return this.#links.ask(buddy.usersStatus, { userId, userIdList });
  }
}
