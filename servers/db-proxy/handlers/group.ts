import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';

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
  const known = new Map(asked.groupVersionList.map((each) => [each.groupId, each.version]));
  const groups = await ctx.groups.info(asked.userId, [...known.keys()]);
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
  const memberships = await ctx.groups.membershipsOf(asked.userId);
  return { groupIdList: memberships.map((each) => each.groupId) };
}
