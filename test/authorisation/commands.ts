import type { Command } from '../../common/pdu/command.js';
import { buddy, file, group, login, message, switchService } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { encryptText } from '../../common/text-cipher.js';

/**
 * Who may say what to a msg server, and what comes of it: a row for each command of its table. The test plays every cell,
 * pb/AUTHORISATION.md shows them.
 *
 * The world of it: a temporary group of ALICE (its creator) and BOB, which CAROL was in until she was removed and DAVE
 * never was. Everybody writes Alice's id into every request.
 */
export const [ALICE, BOB, CAROL, DAVE] = [1, 2, 3, 4];
export const FIXED_GROUP = 1;

/** What comes of a request. */
export type Outcome =
  | 'given' // it is done, or shown
  | 'own' // done or shown, for the one who asks, whoever he says he is
  | 'nothing' // an answer that says no, or shows nothing
  | 'refused' // an error; stock clients hear nothing
  | 'silent'; // no answer, and nothing has changed

export interface CommandRow {
  readonly command: Command<never, unknown>;
  /** Under this number, where it is not the command's own. */
  readonly id?: number;
  /** What the session has to be granted; without it: silent. */
  readonly needs?: string;
  /** The answer, or what is acknowledged with. Undefined: there is none. */
  readonly reply?: Command<never, unknown>;
  readonly body: (groupId: number) => object;
  /** Whether an answer shows or does what was asked. Default: any does. */
  readonly shows?: (reply: never, groupId: number) => boolean;
  /** Whom the answer is about. Default: its user_id. */
  readonly about?: (reply: never) => number;
  readonly outcomes: {
    /** Connected, not logged in. */
    readonly stranger: Outcome;
    readonly nonMember: Outcome;
    readonly removed: Outcome;
    readonly member: Outcome;
  };
}

const { GroupModifyType, GroupType, MsgType, SessionType, TransferFileType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE, SESSION_TYPE_GROUP: GROUP } = SessionType;

const everybody = (outcome: Outcome) =>
  ({ stranger: 'silent', nonMember: outcome, removed: outcome, member: outcome }) as const;
const members = (others: Outcome, outcome: Outcome) =>
  ({ stranger: 'silent', nonMember: others, removed: others, member: outcome }) as const;

type More<Reply> = Partial<Omit<CommandRow, 'shows' | 'about'>> & {
  readonly shows?: (reply: Reply, groupId: number) => boolean;
  readonly about?: (reply: Reply) => number;
};

function row<In, Reply>(
  command: Command<In, unknown> & { readonly reply?: Command<never, Reply> },
  outcomes: CommandRow['outcomes'],
  body: In | ((groupId: number) => In),
  more: More<Reply> = {},
): CommandRow {
  const bodyOf = typeof body === 'function' ? (body as (groupId: number) => object) : () => body as object;
  const { reply } = command;
  return { command, outcomes, body: bodyOf, ...(reply && { reply }), ...more } as CommandRow;
}

const inGroup = (sessionId: number) => ({ userId: ALICE, sessionType: GROUP, sessionId });
const ofGroup = (groupId: number) => (each: { sessionType: number; sessionId: number }) =>
  each.sessionType === GROUP && each.sessionId === groupId;
const text = encryptText('forged');

export const commandRows: readonly CommandRow[] = [
  row(login.kickPc, everybody('silent'), { userId: ALICE }), // from a PC
  row(login.deviceToken, everybody('silent'), { userId: ALICE, deviceToken: 'forged' }), // from a PC
  row(login.setPushShield, everybody('own'), { userId: ALICE, shieldStatus: 1 }),
  row(login.getPushShield, everybody('own'), { userId: ALICE }),
  row(login.devices, everybody('own'), { userId: ALICE }, { needs: 'token1' }),
  row(login.removeDevice, everybody('own'), { userId: ALICE, deviceId: 'laptop' }, { needs: 'token1' }),

  row(buddy.allUsers, everybody('own'), { userId: ALICE, latestUpdateTime: 0 }),
  row(buddy.usersInfo, everybody('own'), { userId: ALICE, userIdList: [ALICE] }),
  row(buddy.departments, everybody('own'), { userId: ALICE, latestUpdateTime: 0 }),
  row(buddy.usersStatus, everybody('own'), { userId: ALICE, userIdList: [ALICE] }),
  row(
    buddy.recentSessions,
    members('nothing', 'given'),
    { userId: ALICE, latestUpdateTime: 0 },
    { shows: (it, id) => it.contactSessionList.some(ofGroup(id)) },
  ),
  row(buddy.removeSession, everybody('own'), { userId: ALICE, sessionType: SINGLE, sessionId: BOB }),
  row(
    buddy.removeSession,
    everybody('own'),
    { userId: ALICE, sessionType: SINGLE, sessionId: BOB },
    { id: buddy.removeSession.reply.id },
  ),
  row(buddy.changeSignature, everybody('own'), { userId: ALICE, signInfo: 'forged' }),
  row(buddy.changeAvatar, everybody('own'), { userId: ALICE, avatarUrl: 'forged.png' }),

  row(message.ack, everybody('silent'), (id) => ({ ...inGroup(id), msgId: 1 })),
  row(message.time, everybody('given'), {}, { about: () => 0 }),
  row(
    message.unreadCount,
    members('nothing', 'given'),
    { userId: ALICE },
    { shows: (it, id) => it.unreadinfoList.some(ofGroup(id)) },
  ),
  row(message.list, members('nothing', 'given'), (id) => ({ ...inGroup(id), msgIdBegin: 0, msgCnt: 10 }), {
    shows: (it) => it.msgList.length > 0,
  }),
  row(message.latestId, members('nothing', 'given'), inGroup, { shows: (it) => it.latestMsgId > 0 }),
  row(message.byId, members('nothing', 'given'), (id) => ({ ...inGroup(id), msgIdList: [1, 2] }), {
    shows: (it) => it.msgList.length > 0,
  }),
  row(
    message.sync,
    members('nothing', 'given'),
    { userId: ALICE },
    { needs: 'sync1', shows: (it, id) => it.entryList.some((each) => ofGroup(id)(each) && !each.removed) },
  ),
  // What one says or reads oneself changes what is unread, so it comes after it.
  row(
    message.data,
    members('refused', 'own'),
    (toSessionId) => ({
      fromUserId: ALICE,
      toSessionId,
      msgId: 0,
      createTime: 0,
      msgType: MsgType.MSG_TYPE_GROUP_TEXT,
      msgData: text,
    }),
    { reply: message.ack },
  ),
  row(message.readAck, members('silent', 'silent'), (id) => ({ ...inGroup(id), msgId: 1 })),

  row(group.normalList, everybody('own'), { userId: ALICE }),
  row(
    group.info,
    members('nothing', 'given'),
    (groupId) => ({ userId: ALICE, groupVersionList: [{ groupId, version: 0 }] }),
    { shows: (it) => it.groupInfoList.length > 0 },
  ),
  row(group.create, everybody('own'), {
    userId: ALICE,
    groupType: GroupType.GROUP_TYPE_TMP,
    groupName: 'forged',
    groupAvatar: '',
    memberIdList: [ALICE],
  }),
  row(
    group.changeMember,
    members('nothing', 'given'),
    (groupId) => ({
      userId: ALICE,
      changeType: GroupModifyType.GROUP_MODIFY_TYPE_ADD,
      groupId,
      memberIdList: [DAVE + 1],
    }),
    { shows: (it) => it.resultCode === 0 },
  ),
  row(group.shield, members('nothing', 'given'), (groupId) => ({ userId: ALICE, groupId, shieldStatus: 1 }), {
    shows: (it) => it.resultCode === 0,
  }),

  row(
    file.request,
    everybody('own'),
    {
      fromUserId: ALICE,
      toUserId: BOB,
      fileName: 'forged.txt',
      fileSize: 100,
      transMode: TransferFileType.FILE_TYPE_OFFLINE,
    },
    { about: (it) => it.fromUserId },
  ),
  row(file.hasOffline, everybody('own'), { userId: ALICE }),
  row(file.addOffline, everybody('refused'), {
    fromUserId: ALICE,
    toUserId: BOB,
    taskId: '00000000-0000-4000-8000-000000000000',
    fileName: 'forged.txt',
    fileSize: 100,
  }),
  row(file.delOffline, everybody('refused'), {
    fromUserId: ALICE,
    toUserId: BOB,
    taskId: '00000000-0000-4000-8000-000000000000',
  }),
  row(file.token, everybody('own'), { userId: ALICE, upload: true }, { needs: 'file1' }),
  row(switchService.p2p, everybody('silent'), { fromUserId: ALICE, toUserId: BOB, cmdMsgData: '{}' }),

  // Last: it ends the session.
  row(login.leave, everybody('given'), {}, { about: () => 0 }),
];
