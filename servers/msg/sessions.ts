import type { IM } from '../../common/pdu/pb.js';
import type { Session } from './session.js';

/** Subjects that somebody here begins or ceases to care about. */
export interface InterestChange {
  readonly users: readonly number[];
  readonly groups: readonly number[];
}

const NOTHING: readonly number[] = [];

/** Who is online here: sessions by user and by group, and handing frames to them. */
export class Sessions {
  readonly #byUser = new Map<number, Session[]>();
  readonly #byGroup = new Map<number, Set<Session>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  ofUser(userId: number): readonly Session[] {
    return this.#byUser.get(userId) ?? [];
  }

  ofGroup(groupId: number): Iterable<Session> {
    return this.#byGroup.get(groupId) ?? [];
  }

  users(): Iterable<number> {
    return this.#byUser.keys();
  }
  groups(): Iterable<number> {
    return this.#byGroup.keys();
  }
  *[Symbol.iterator](): Iterator<Session> {
    for (const sessions of this.#byUser.values()) yield* sessions;
  }

  /** @returns the subjects that nobody here cared about before. */
  add(session: Session): InterestChange {
    const { userId } = session;
    const others = this.#byUser.get(userId);
    if (others === undefined) this.#byUser.set(userId, [session]);
    else others.push(session);
    this.#count++;
    return { users: others === undefined ? [userId] : NOTHING, groups: NOTHING };
  }

  /** The user's groups as db-proxy knows them. @returns those that nobody here was in before. */
  addGroups(session: Session, groupIds: readonly number[]): number[] {
    const left = session.leftMeanwhile;
    session.leftMeanwhile = undefined;
    if (!session.online) return [];
    return groupIds.filter((groupId) => left?.has(groupId) !== true && this.#join(groupId, session));
  }

  /** @returns the subjects that nobody here cares about any more; undefined when the session was not there. */
  remove(session: Session): InterestChange | undefined {
    const left = this.#byUser.get(session.userId)?.filter((each) => each !== session);
    if (left === undefined || left.length === this.#byUser.get(session.userId)!.length) return undefined;
    if (left.length === 0) this.#byUser.delete(session.userId);
    else this.#byUser.set(session.userId, left);
    this.#count--;
    const groups = [...session.groupIds].filter((groupId) => this.#leave(groupId, session));
    return { users: left.length === 0 ? [session.userId] : NOTHING, groups };
  }

  /** The user's sessions here are in the group from now on. @returns whether the group is new here. */
  joinGroup(userId: number, groupId: number): boolean {
    let isNew = false;
    for (const session of this.ofUser(userId)) {
      session.leftMeanwhile?.delete(groupId);
      isNew = this.#join(groupId, session) || isNew;
    }
    return isNew;
  }

  /** @returns whether nobody here is in the group any more. */
  leaveGroup(userId: number, groupId: number): boolean {
    let isLast = false;
    for (const session of this.ofUser(userId)) {
      session.leftMeanwhile?.add(groupId);
      session.groupIds.delete(groupId);
      isLast = this.#leave(groupId, session) || isLast;
    }
    return isLast;
  }

  /** Writes the same bytes to every session of the user but one. @returns to how many. */
  toUser(userId: number, frame: Buffer, except?: Session, onlyClass?: IM.Cluster.DeviceClass): number {
    return send(this.#byUser.get(userId), frame, except, onlyClass);
  }

  toGroup(groupId: number, frame: Buffer, except?: Session): number {
    return send(this.#byGroup.get(groupId), frame, except);
  }

  #join(groupId: number, session: Session): boolean {
    session.groupIds.add(groupId);
    const there = this.#byGroup.get(groupId);
    if (there !== undefined) there.add(session);
    else this.#byGroup.set(groupId, new Set([session]));
    return there === undefined;
  }

  #leave(groupId: number, session: Session): boolean {
    const there = this.#byGroup.get(groupId);
    if (!there?.delete(session) || there.size > 0) return false;
    this.#byGroup.delete(groupId);
    return true;
  }
}

function send(
  sessions: Iterable<Session> | undefined,
  frame: Buffer,
  except?: Session,
  onlyClass?: IM.Cluster.DeviceClass,
): number {
  let count = 0;
  if (sessions === undefined) return count;
  for (const session of sessions) {
    if (session === except || (onlyClass !== undefined && session.deviceClass !== onlyClass)) continue;
    session.send(frame);
    count++;
  }
  return count;
}
