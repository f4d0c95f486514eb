import { encodeFrame } from '../../../common/pdu/command.js';
import { group } from '../../../common/pdu/commands.js';
import type { Frame } from '../../../common/pdu/header.js';
import { IM } from '../../../common/pdu/pb.js';
import type { MsgContext } from '../context.js';
import type { Session } from '../session.js';
import { deliverToUsers } from './message.js';

const { GroupModifyType } = IM.BaseDefine;

/** A new group: its members' devices hear of it, all but the one that made it. */
export function created(ctx: MsgContext, session: Session, reply: Frame): void {
  const { resultCode, groupId, userIdList } = group.create.reply.codec.decode(reply.body);
  if (resultCode !== 0 || groupId === undefined) return;
  memberTables(ctx, groupId, userIdList, []);
  notify(ctx, session, {
    userId: session.userId,
    changeType: GroupModifyType.GROUP_MODIFY_TYPE_ADD,
    groupId,
    curUserIdList: userIdList,
    chgUserIdList: userIdList,
  });
}

/** Members came or went: everybody concerned hears of it, the removed ones too. */
export function changed(ctx: MsgContext, session: Session, reply: Frame): void {
  const { resultCode, groupId, changeType, curUserIdList, chgUserIdList } = group.changeMember.reply.codec.decode(
    reply.body,
  );
  if (resultCode !== 0) return;
  const added = changeType === GroupModifyType.GROUP_MODIFY_TYPE_ADD;
  memberTables(ctx, groupId, added ? chgUserIdList : [], added ? [] : chgUserIdList);
  notify(ctx, session, { userId: session.userId, changeType, groupId, curUserIdList, chgUserIdList });
}

/** From route: another msg server made the change; it has told the clients, here and there. */
export function membersChanged(ctx: MsgContext, told: IM.Cluster.IMGroupMembersChanged): void {
  takeNote(ctx, told.groupId, told.joined, told.left);
}

function memberTables(ctx: MsgContext, groupId: number, joined: readonly number[], left: readonly number[]): void {
  takeNote(ctx, groupId, joined, left);
  ctx.routes.groupMembersChanged(groupId, joined, left);
}

export function takeNote(ctx: MsgContext, groupId: number, joined: readonly number[], left: readonly number[]): void {
  ctx.reconcile.groupChanged(groupId);
  putMembers(ctx, groupId, joined, left);
}

/** Sessions here are in the group from now on, or no longer. */
export function putMembers(ctx: MsgContext, groupId: number, joined: readonly number[], left: readonly number[]): void {
  const isNew = joined.filter((userId) => ctx.sessions.joinGroup(userId, groupId)).length > 0;
  const isLast = left.filter((userId) => ctx.sessions.leaveGroup(userId, groupId)).length > 0;
  if (isNew) void ctx.routes.begin({ users: [], groups: [groupId] });
  if (isLast) ctx.routes.cease({ users: [], groups: [groupId] });
}

function notify(ctx: MsgContext, session: Session, change: MembersChange): void {
  notifyMembers(change, (userIds, frame) => deliverToUsers(ctx, [...userIds], frame, session));
}

export type MembersChange = IM.Group.IMGroupChangeMemberNotify.$Properties & {
  readonly curUserIdList: readonly number[];
  readonly chgUserIdList: readonly number[];
};

/**
 * Windows looks for itself only at the end of the list of removed ones, so each of those gets a copy of his own with
 * his id last.
 */
export function notifyMembers(change: MembersChange, send: (userIds: readonly number[], frame: Buffer) => void): void {
  const { curUserIdList, chgUserIdList } = change;
  const removed = change.changeType === GroupModifyType.GROUP_MODIFY_TYPE_DEL ? chgUserIdList : [];
  for (const userId of removed) {
    const idLast = [...chgUserIdList.filter((id) => id !== userId), userId];
    send([userId], encodeFrame(group.memberNotify, 0, { ...change, chgUserIdList: idLast }));
  }
  send(curUserIdList, encodeFrame(group.memberNotify, 0, change));
}
