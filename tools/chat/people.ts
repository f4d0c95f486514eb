import type { ChatMessage, Client } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import { type LookUp, lookUp } from './lookup.js';
import { printable } from './text.js';

type UserInfo = IM.BaseDefine.UserInfo;
type GroupInfo = IM.BaseDefine.GroupInfo;
const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = IM.BaseDefine.SessionType;

/** A conversation, named by whom it is with. */
export interface Conversation {
  readonly sessionType: IM.BaseDefine.SessionType;
  readonly sessionId: number;
}

export function keyOf({ sessionType, sessionId }: Conversation): string {
  return `${sessionType}:${sessionId}`;
}

export function withUser(userId: number): Conversation {
  return { sessionType: SESSION_TYPE_SINGLE, sessionId: userId };
}

export function withGroup(groupId: number): Conversation {
  return { sessionType: SESSION_TYPE_GROUP, sessionId: groupId };
}

/** Who is who, as far as this client was told. Names come from others, so they are made harmless here. */
export class People {
  readonly users = new Map<number, UserInfo>();
  readonly groups = new Map<number, GroupInfo>();

  userName(userId: number): string {
    const user = this.users.get(userId);
    return user === undefined ? `user ${userId}` : printable(user.userNickName || user.userRealName);
  }

  /** With the login name, which nobody else has. */
  fullName(user: UserInfo): string {
    const login = printable(user.userRealName);
    const nick = printable(user.userNickName);
    return nick === '' || nick === login ? login : `${nick} (${login})`;
  }

  groupName(groupId: number): string {
    const name = this.groups.get(groupId)?.groupName;
    return name === undefined ? `#group ${groupId}` : `#${printable(name)}`;
  }

  nameOf({ sessionType, sessionId }: Conversation): string {
    return sessionType === SESSION_TYPE_GROUP ? this.groupName(sessionId) : this.userName(sessionId);
  }

  /** Names that `find` understands, for completion. */
  get partners(): string[] {
    const users = [...this.users.values()].map(({ userRealName }) => printable(userRealName));
    return [...users, ...[...this.groups.keys()].map((groupId) => this.groupName(groupId))];
  }

  /** `#NAME` finds a group, anything else a user. */
  find(query: string): LookUp<Conversation & { readonly name: string }> {
    const named = (conversation: Conversation) => ({ ...conversation, name: this.nameOf(conversation) });
    if (query.startsWith('#')) {
      const namesOf = ({ groupName, groupId }: GroupInfo) => [groupName, printable(groupName), `${groupId}`];
      return mapped(lookUp(query.slice(1), this.groups.values(), namesOf), ({ groupId }) => named(withGroup(groupId)));
    }
    const namesOf = (user: UserInfo) => [user.userRealName, user.userNickName, user.userDomain, `${user.userId}`];
    return mapped(lookUp(query, this.users.values(), namesOf), (user) => ({
      ...withUser(user.userId),
      name: this.fullName(user),
    }));
  }

  /** Everybody, and the groups known by now. */
  async load(client: Client): Promise<void> {
    const [users, groups] = await Promise.all([client.contacts(), client.groups()]);
    for (const user of users) this.users.set(user.userId, user);
    for (const group of groups) this.groups.set(group.groupId, group);
  }

  /** Asks for those among these that are not known. */
  async meet(client: Client, conversations: readonly Conversation[], userIds: readonly number[] = []): Promise<void> {
    const ofType = (type: IM.BaseDefine.SessionType) =>
      conversations.filter(({ sessionType }) => sessionType === type).map(({ sessionId }) => sessionId);
    const groupIds = unknown(ofType(SESSION_TYPE_GROUP), this.groups);
    const strangers = unknown([...userIds, ...ofType(SESSION_TYPE_SINGLE)], this.users);
    if (groupIds.length > 0) {
      for (const group of await client.groupsInfo(groupIds)) this.groups.set(group.groupId, group);
    }
    if (strangers.length > 0) {
      for (const user of await client.usersInfo(strangers)) this.users.set(user.userId, user);
    }
  }

  meetSenders(client: Client, messages: readonly ChatMessage[]): Promise<void> {
    return this.meet(
      client,
      messages,
      messages.map(({ fromUserId }) => fromUserId),
    );
  }
}

function unknown(ids: readonly number[], known: ReadonlyMap<number, unknown>): number[] {
  return [...new Set(ids)].filter((id) => !known.has(id));
}

function mapped<A, B>({ found, candidates }: LookUp<A>, change: (thing: A) => B): LookUp<B> {
  return { candidates: candidates.map(change), ...(found === undefined ? {} : { found: change(found) }) };
}
