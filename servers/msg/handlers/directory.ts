import { encodeFrame } from '../../../common/pdu/command.js';
import { buddy } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { MsgContext } from '../context.js';
import { notifyMembers, takeNote } from './group.js';

const { GroupModifyType, KickReasonType } = IM.BaseDefine;

/**
 * From db-proxy, which tells every msg server: the administration has changed something. What clients get to know of it
 * goes to the sessions here only.
 */
export function directoryChanged(ctx: MsgContext, told: IM.Directory.IMDirectoryChanged): void {
  for (const userId of told.endedUserList) endSessions(ctx, userId, told.onlyClass);
  for (const { userId, deviceId } of told.endedDeviceList)
    for (const session of ctx.sessions.ofUser(userId))
      if (session.deviceId === deviceId) session.kick(KickReasonType.KICK_REASON_DUPLICATE_USER);
  for (const change of told.groupList) groupChanged(ctx, change);
  for (const { userId, avatar, signInfo } of told.profileList) {
    if (avatar != null)
      ctx.broadcasts.send(encodeFrame(buddy.avatarNotify, 0, { changedUserId: userId, avatarUrl: avatar }));
    if (signInfo != null)
      ctx.broadcasts.send(encodeFrame(buddy.signatureNotify, 0, { changedUserId: userId, signInfo }));
  }
  ctx.directoryNews.add(told.usersStamp ?? 0, told.departmentsStamp ?? 0);
}

/** With the notice that stops TeamTalk clients from coming back by themselves at once. */
export function endSessions(ctx: MsgContext, userId: number, onlyClass?: number | null): void {
  for (const session of ctx.sessions.ofUser(userId))
    if (onlyClass == null || session.deviceClass === onlyClass) session.kick(KickReasonType.KICK_REASON_DUPLICATE_USER);
}

function groupChanged(ctx: MsgContext, change: IM.Directory.GroupChange): void {
  const { groupId, addedList = [], removedList = [], currentList: curUserIdList = [] } = change;
  takeNote(ctx, groupId, addedList, removedList);
  const send = (userIds: readonly number[], frame: Buffer) => {
    for (const userId of userIds) ctx.sessions.toUser(userId, frame);
  };
  const about = { userId: 0, groupId, curUserIdList };
  const both = [
    { changeType: GroupModifyType.GROUP_MODIFY_TYPE_ADD, chgUserIdList: addedList },
    { changeType: GroupModifyType.GROUP_MODIFY_TYPE_DEL, chgUserIdList: removedList },
  ];
  for (const each of both) if (each.chgUserIdList.length > 0) notifyMembers({ ...about, ...each }, send);
}
