import type { Command } from '../../common/pdu/command.js';
import { buddy, file, group, login, message, switchService } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { encryptText } from '../../common/text-cipher.js';

const { GroupModifyType, GroupType, MsgType, SessionType, TransferFileType } = IM.BaseDefine;
const SINGLE = SessionType.SESSION_TYPE_SINGLE;

/** A body of every command that clients may send, one that would do something if it were heard. */
export const samples: readonly (readonly [Command<never, unknown>, Buffer])[] = [
  sample(login.msgServer, {}),
  sample(login.leave, {}),
  sample(login.deviceToken, { userId: 1, deviceToken: 'token' }),
  sample(login.kickPc, { userId: 1 }),
  sample(login.setPushShield, { userId: 1, shieldStatus: 1 }),
  sample(login.getPushShield, { userId: 1 }),
  sample(login.devices, { userId: 1 }),
  sample(login.removeDevice, { userId: 1, deviceId: 'phone' }),
  sample(buddy.recentSessions, { userId: 1, latestUpdateTime: 0 }),
  sample(buddy.usersInfo, { userId: 1, userIdList: [1, 2] }),
  sample(buddy.removeSession, { userId: 1, sessionType: SINGLE, sessionId: 2 }),
  // iOS asks for it under the number of the answer.
  [buddy.removeSession.reply, sample(buddy.removeSession, { userId: 1, sessionType: SINGLE, sessionId: 2 })[1]],
  sample(buddy.allUsers, { userId: 1, latestUpdateTime: 0 }),
  sample(buddy.usersStatus, { userId: 1, userIdList: [1, 2] }),
  sample(buddy.changeAvatar, { userId: 1, avatarUrl: 'forged.png' }),
  sample(buddy.departments, { userId: 1, latestUpdateTime: 0 }),
  sample(buddy.changeSignature, { userId: 1, signInfo: 'forged' }),
  sample(message.data, {
    fromUserId: 1,
    toSessionId: 2,
    msgId: 0,
    createTime: 0,
    msgType: MsgType.MSG_TYPE_SINGLE_TEXT,
    msgData: encryptText('forged'),
  }),
  sample(message.ack, { userId: 1, sessionId: 2, msgId: 1, sessionType: SINGLE }),
  sample(message.readAck, { userId: 1, sessionId: 2, msgId: 1, sessionType: SINGLE }),
  sample(message.time, {}),
  sample(message.unreadCount, { userId: 1 }),
  sample(message.list, { userId: 1, sessionType: SINGLE, sessionId: 2, msgIdBegin: 0, msgCnt: 10 }),
  sample(message.latestId, { userId: 1, sessionType: SINGLE, sessionId: 2 }),
  sample(message.byId, { userId: 1, sessionType: SINGLE, sessionId: 2, msgIdList: [1] }),
  sample(group.normalList, { userId: 1 }),
  sample(group.info, { userId: 1, groupVersionList: [{ groupId: 1, version: 0 }] }),
  sample(group.create, {
    userId: 1,
    groupType: GroupType.GROUP_TYPE_TMP,
    groupName: 'forged',
    groupAvatar: '',
    memberIdList: [1, 2],
  }),
  sample(group.changeMember, {
    userId: 0,
    changeType: GroupModifyType.GROUP_MODIFY_TYPE_ADD,
    groupId: 1,
    memberIdList: [4],
  }),
  sample(group.shield, { userId: 1, groupId: 1, shieldStatus: 1 }),
  sample(file.request, {
    fromUserId: 1,
    toUserId: 2,
    fileName: 'forged.txt',
    fileSize: 100,
    transMode: TransferFileType.FILE_TYPE_OFFLINE,
  }),
  sample(file.hasOffline, { userId: 1 }),
  sample(file.token, { userId: 1, upload: true }),
  sample(file.addOffline, { fromUserId: 1, toUserId: 2, taskId: 'task', fileName: 'forged.txt', fileSize: 100 }),
  sample(file.delOffline, { fromUserId: 1, toUserId: 2, taskId: 'task' }),
  sample(message.sync, { userId: 1 }),
  sample(switchService.p2p, { fromUserId: 1, toUserId: 2, cmdMsgData: '{}' }),
];

function sample<In>(command: Command<In, unknown>, it: In): readonly [Command<never, unknown>, Buffer] {
  return [command as Command<never, unknown>, Buffer.from(command.codec.encode(it).finish())];
}
