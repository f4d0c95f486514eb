import { groupConversation, isGroupId, isUserId } from '../../../common/conversation.js';
import {
  AVATAR_URL_SIZE_MAX,
  GROUP_MEMBERS_MAX,
  GROUP_NAME_SIZE_MAX,
  GROUPS_ASKED_MAX,
} from '../../../common/limits.js';
import { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import { type Group, TEMPORARY } from '../storage/groups.js';
import { canBeKept } from './buddy.js';

const { GroupModifyType } = IM.BaseDefine;

export async function normalList(
  ctx: DbProxyContext,
  asked: IM.Group.IMNormalGroupListReq,
): Promise<IM.Group.IMNormalGroupListRsp.$Properties> {
  return { userId: asked.userId, groupVersionList: await ctx.groups.fixedOf(asked.userId) };
}

/** Groups of the asker that are newer than what the client has. */
export async function info(
  ctx: DbProxyContext,
  asked: IM.Group.IMGroupInfoListReq,
): Promise<IM.Group.IMGroupInfoListRsp.$Properties> {
  const wanted = asked.groupVersionList.slice(0, GROUPS_ASKED_MAX);
  const known = new Map(wanted.map((each) => [each.groupId, each.version]));
  const groups = await ctx.groups.info(asked.userId, [...known.keys()].filter(isGroupId));
  const newer = groups.filter((group) => group.version > known.get(group.id)!);
  return {
    userId: asked.userId,
    groupInfoList: newer.map((group) => ({
      groupId: group.id,
      version: group.version,
      groupName: group.name,
      groupAvatar: group.avatar,
      groupCreatorId: group.creatorId,
      groupType: group.type,
      shieldStatus: group.shield,
      groupMemberList: [...group.memberIds],
    })),
  };
}

export async function ofUser(
  ctx: DbProxyContext,
  asked: IM.Cluster.IMUserGroupsReq,
): Promise<IM.Cluster.IMUserGroupsRsp.$Properties> {
  const { userId, deviceId } = asked;
  const [{ groupIds: groupIdList, left }, loggedIn] = await Promise.all([
    ctx.groups.withLeft(userId),
    deviceId == null || ctx.loginTokens.isLoggedIn(userId, deviceId),
  ]);
  return { groupIdList, left: left || !loggedIn };
}

/** A client makes a temporary group; the fixed ones are the administration's. The creator is always a member. */
export async function create(
  ctx: DbProxyContext,
  asked: IM.Group.IMGroupCreateReq,
): Promise<IM.Group.IMGroupCreateRsp.$Properties> {
  const { userId, groupName, memberIdList } = asked;
  const wanted = [...new Set([userId, ...memberIdList])];
  const allowed =
    asked.groupType === TEMPORARY &&
    groupName !== '' &&
    canBeKept(groupName, GROUP_NAME_SIZE_MAX) &&
    canBeKept(asked.groupAvatar, AVATAR_URL_SIZE_MAX) &&
    memberIdList.length > 0 &&
    wanted.length <= GROUP_MEMBERS_MAX;
  if (!allowed) return { userId, resultCode: 1, groupName, userIdList: memberIdList };
  const existing = await ctx.users.existing(wanted.filter(isUserId));
  const userIdList = wanted.filter((id) => existing.has(id)).sort((a, b) => a - b);
  const groupId = await ctx.groups.add({
    name: groupName,
    avatar: asked.groupAvatar,
    creatorId: userId,
    type: TEMPORARY,
    memberIds: userIdList,
  });
  return { userId, resultCode: 0, groupId, groupName, userIdList };
}

/**
 * Members of a temporary group add others, the creator of a fixed one does; removing is the creator's, and everybody
 * may leave but himself: without him nobody could remove anybody. Refused, or nothing changed: result 1 and no lists.
 */
export async function changeMember(
  ctx: DbProxyContext,
  asked: IM.Group.IMGroupChangeMemberReq,
): Promise<IM.Group.IMGroupChangeMemberRsp.$Properties> {
  const { userId, changeType, groupId, memberIdList } = asked;
  const refused = { userId, changeType, resultCode: 1, groupId };
  const group = isGroupId(groupId) ? await ctx.groups.get(groupId) : undefined;
  const wanted = [...new Set(memberIdList)].filter(isUserId);
  if (wanted.length > GROUP_MEMBERS_MAX) return refused;
  if (group === undefined || !mayChange(group, userId, changeType, wanted)) return refused;
  const changed =
    changeType === GroupModifyType.GROUP_MODIFY_TYPE_ADD
      ? await join(ctx, group, wanted)
      : await ctx.groups.leave(
          groupId,
          wanted.filter((id) => id !== group.creatorId),
        );
  if (changed.length === 0) return refused;
  await ctx.conversations.touch(changed, groupConversation(groupId));
  const after = await ctx.groups.get(groupId);
  return { ...refused, resultCode: 0, curUserIdList: after?.memberIds ?? [], chgUserIdList: changed };
}

function mayChange(
  group: Group,
  userId: number,
  changeType: IM.BaseDefine.GroupModifyType,
  wanted: readonly number[],
): boolean {
  const isMember = group.memberIds.includes(userId);
  const isCreator = isMember && group.creatorId === userId;
  if (changeType === GroupModifyType.GROUP_MODIFY_TYPE_DEL) return isCreator || wanted.every((id) => id === userId);
  return group.type === TEMPORARY ? isMember : isCreator;
}

/** What was written before belongs to those who were there. */
async function join(ctx: DbProxyContext, group: Group, wanted: readonly number[]): Promise<number[]> {
  const count = new Set([...group.memberIds, ...wanted]).size;
  if (count > GROUP_MEMBERS_MAX) return [];
  return ctx.groups.join(group.id, wanted, await ctx.messages.head(groupConversation(group.id)));
}

export async function shield(
  ctx: DbProxyContext,
  asked: IM.Group.IMGroupShieldReq,
): Promise<IM.Group.IMGroupShieldRsp.$Properties> {
  const { userId, groupId } = asked;
  const done = isGroupId(groupId) && (await ctx.groups.setShield(groupId, userId, asked.shieldStatus === 0 ? 0 : 1));
  return { userId, groupId, resultCode: done ? 0 : 1 };
}
