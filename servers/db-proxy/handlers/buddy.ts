import { seconds } from '../../../common/clock.js';
import { groupOf, isGroupConversation, isUserId, usersOf } from '../../../common/conversation.js';
import {
  AVATAR_URL_SIZE_MAX,
  RECENT_SESSIONS_MAX,
  SIGNATURE_SIZE_MAX,
  USERS_ASKED_MAX,
} from '../../../common/limits.js';
import { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { Directory } from '../storage/devices.js';
import { hourOf } from '../storage/user-lists.js';
import type { User } from '../storage/users.js';
import { preview, readableOf } from './message.js';

const { ClientType, SessionType, SessionStatusType } = IM.BaseDefine;

export async function usersInfo(
  ctx: DbProxyContext,
  asked: IM.Buddy.IMUsersInfoReq,
): Promise<IM.Buddy.IMUsersInfoRsp.$Properties> {
  const users = await ctx.users.byIds(asked.userIdList.slice(0, USERS_ASKED_MAX).filter(isUserId));
  return { userId: asked.userId, userInfoList: users.map(userInfo) };
}

export async function allUsers(
  ctx: DbProxyContext,
  asked: IM.Buddy.IMAllUserReq,
): Promise<IM.Buddy.IMAllUserRsp.$Properties> {
  const users = await changedSince(ctx, 'users', asked, (stamp) => ctx.users.changedSince(stamp));
  return { userId: asked.userId, latestUpdateTime: latestOf(asked, users), userList: users.map(userInfo) };
}

interface DirectoryAsked {
  readonly userId: number;
  readonly latestUpdateTime: number;
  readonly clientType?: number | undefined;
}

/**
 * Android asks with the time by its own clock at which it last got an answer, so what the last answer had counts as well,
 * whichever is less. A phone whose last answer is not known is told of everybody once.
 */
async function changedSince<Entry extends { readonly updated: number }>(
  ctx: DbProxyContext,
  directory: Directory,
  { userId, latestUpdateTime, clientType }: DirectoryAsked,
  look: (stamp: number) => Promise<Entry[]>,
): Promise<Entry[]> {
  if (clientType !== ClientType.CLIENT_TYPE_ANDROID) return look(latestUpdateTime);
  const synced = await ctx.devices.synced(userId, directory);
  const since = Math.min(latestUpdateTime, Math.max(synced, FIRST_STAMP));
  const changed = await look(since);
  const now = changed.reduce((latest, each) => Math.max(latest, each.updated), since);
  if (now !== synced) await ctx.devices.setSynced(userId, directory, now);
  return changed;
}

/** Before every change there is, and not 0, which asks for everything as if there were no earlier answer. */
const FIRST_STAMP = 1;

/** Greater than the one that was asked with if anything changed, or some clients ignore it. */
function latestOf(asked: DirectoryAsked, changed: readonly { readonly updated: number }[]): number {
  return changed.reduce((latest, each) => Math.max(latest, each.updated), asked.latestUpdateTime);
}

export async function departments(
  ctx: DbProxyContext,
  asked: IM.Buddy.IMDepartmentReq,
): Promise<IM.Buddy.IMDepartmentRsp.$Properties> {
  const changed = await changedSince(ctx, 'departments', asked, (stamp) => ctx.departments.changedSince(stamp));
  return {
    userId: asked.userId,
    latestUpdateTime: latestOf(asked, changed),
    deptList: changed.map((each) => ({
      deptId: each.id,
      priority: each.priority,
      deptName: each.name,
      parentDeptId: each.parentId,
      deptStatus: each.status,
    })),
  };
}

export async function recentSessions(
  ctx: DbProxyContext,
  asked: IM.Buddy.IMRecentContactSessionReq,
): Promise<IM.Buddy.IMRecentContactSessionRsp.$Properties> {
  // The client's time is in whole seconds and means "after that second", as messages within it were already listed.
  const afterMs = asked.latestUpdateTime === 0 ? 0 : asked.latestUpdateTime * 1000 + 999;
  const recent = await ctx.conversations.recent(asked.userId, afterMs, RECENT_SESSIONS_MAX);
  const contactSessionList = recent.map((each) => ({
    ...sessionOf(asked.userId, each.id),
    sessionStatus: SessionStatusType.SESSION_STATUS_OK,
    updatedTime: seconds(each.headTimeMs),
    latestMsgId: each.head,
    latestMsgData: preview(each.last, recent.length),
    latestMsgType: each.last.msgType,
    latestMsgFromUserId: each.last.senderId,
  }));
  return { userId: asked.userId, contactSessionList };
}

export async function removeSession(
  ctx: DbProxyContext,
  asked: IM.Buddy.IMRemoveSessionReq,
): Promise<IM.Buddy.IMRemoveSessionRsp.$Properties> {
  const { userId, sessionType, sessionId } = asked;
  const readable = await readableOf(ctx, userId, sessionType, sessionId);
  const removed = readable !== undefined && (await ctx.conversations.hide(userId, readable.id));
  return { userId, resultCode: removed ? 0 : 1, sessionType, sessionId };
}

/** What is not on the list of a user any more, for a device that was away when it was taken off. */
export async function removedSessions(
  ctx: DbProxyContext,
  asked: IM.Cluster.IMRemovedSessionsReq,
): Promise<IM.Cluster.IMRemovedSessionsRsp.$Properties> {
  const from = { hour: hourOf(asked.sinceMs), after: undefined };
  const { conversations } = await ctx.conversations.changed(asked.userId, from, RECENT_SESSIONS_MAX);
  const removed = conversations.filter((each) => each.removed);
  return { sessionList: removed.map((each) => sessionOf(asked.userId, each.id)) };
}

export async function changeSignature(
  ctx: DbProxyContext,
  asked: IM.Buddy.IMChangeSignInfoReq,
): Promise<IM.Buddy.IMChangeSignInfoRsp.$Properties> {
  const { userId, signInfo } = asked;
  if (!canBeKept(signInfo, SIGNATURE_SIZE_MAX)) return { userId, resultCode: 1 };
  const stamp = await ctx.users.change(userId, 'sign_info', signInfo);
  return stamp === undefined ? { userId, resultCode: 1 } : { userId, resultCode: 0, signInfo };
}

export async function changeAvatar(
  ctx: DbProxyContext,
  asked: IM.Buddy.IMChangeAvatarReq,
): Promise<IM.Buddy.IMChangeAvatarRsp.$Properties> {
  const { userId, avatarUrl } = asked;
  if (!canBeKept(avatarUrl, AVATAR_URL_SIZE_MAX)) return { userId, resultCode: 1 };
  const stamp = await ctx.users.change(userId, 'avatar', avatarUrl);
  return { userId, resultCode: stamp === undefined ? 1 : 0 };
}

/** PostgreSQL has no text with a NUL in it. */
export function canBeKept(text: string, sizeMax: number): boolean {
  return Buffer.byteLength(text) <= sizeMax && !text.includes('\0');
}

export function userInfo(user: User): IM.BaseDefine.UserInfo.$Properties {
  return {
    userId: user.id,
    userGender: user.sex,
    userNickName: user.nick,
    avatarUrl: user.avatar,
    departmentId: user.departmentId,
    email: user.email,
    userRealName: user.name,
    userTel: user.phone,
    userDomain: user.domain,
    status: user.status,
    signInfo: user.signInfo,
  };
}

/** A conversation as this user's clients name it. */
export function sessionOf(userId: number, id: bigint): { sessionType: IM.BaseDefine.SessionType; sessionId: number } {
  if (isGroupConversation(id)) return { sessionType: SessionType.SESSION_TYPE_GROUP, sessionId: groupOf(id) };
  const [low, high] = usersOf(id);
  return { sessionType: SessionType.SESSION_TYPE_SINGLE, sessionId: low === userId ? high : low };
}
