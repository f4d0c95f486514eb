import t from 'tap';
import { IM } from '../../../common/pdu/pb.js';

// What is promised here is the wire: clients that nobody can change read these bytes.

const { BaseDefine, Buddy, File, Group, Login, Message, Other, Server } = IM;
const HEADER_SIZE = 16;

interface Codec<In, Out> {
  encode(message: In): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Out & In;
}

function bytesOf(...hex: string[]): Buffer {
  return Buffer.from(hex.join('').replaceAll(' ', ''), 'hex');
}

function hexOf<In>(codec: Codec<In, unknown>, message: In): string {
  return Buffer.from(codec.encode(message).finish()).toString('hex');
}

/** A whole frame as stock clients and servers write it: both ways must give what they mean. */
function example<In, Out>(name: string, codec: Codec<In, Out>, frame: Buffer, message: In): void {
  t.test(name, async (t) => {
    t.equal(frame.readUInt32BE(0), frame.length, 'the example itself is whole');
    const body = frame.subarray(HEADER_SIZE);
    const decoded = codec.decode(body);
    t.match(decoded, message, 'decoded');
    t.equal(hexOf(codec, decoded), body.toString('hex'), 'encoded again from what was decoded');
    t.equal(hexOf(codec, message), body.toString('hex'), 'encoded from plain values');
  });
}

// Made with the standard protobuf compiler.

example('heartbeat', Other.IMHeartBeat, bytesOf('0000 0010 0001 0000 0007 0701 0000 0000'), {});

example(
  'login request of an Android client',
  Login.IMLoginReq,
  bytesOf(
    '0000 0044 0006 0000 0001 0103 0001 0030',
    '0a05 616c 6963 6512 2038 3237 6363 6230 6565 6138 6137 3036 6334 6333 3461 3136 3839 3166 3834 6537 6218 0120',
    '122a 0531 2e30 2e30',
  ),
  {
    userName: 'alice',
    password: '827ccb0eea8a706c4c34a16891f84e7b',
    onlineStatus: BaseDefine.UserStatType.USER_STATUS_ONLINE,
    clientType: BaseDefine.ClientType.CLIENT_TYPE_ANDROID,
    clientVersion: '1.0.0',
  },
);

example(
  'login refused',
  Login.IMLoginRes,
  bytesOf(
    '0000 0030 0001 0000 0001 0104 0001 0000',
    '0880 e2cf aa06 1006 1a16 e794 a8e6 88b7 e590 8d2f e5af 86e7 a081 e994 99e8 afaf',
  ),
  {
    serverTime: 1_700_000_000,
    resultCode: BaseDefine.ResultType.REFUSE_REASON_DB_VALIDATE_FAILED,
    resultString: '用户名/密码错误',
  },
);

example(
  'message delivered to a client',
  Message.IMMsgData,
  bytesOf(
    '0000 0039 0001 0000 0003 0301 0000 0000',
    '08 0110 ac02 1807 2080 e2cf aa06 2801 3218 6e6e 5a53 4277 6650 437a 3630 7136 3964 646d 6649 4a41 3d3d',
  ),
  {
    fromUserId: 1,
    toSessionId: 300,
    msgId: 7,
    createTime: 1_700_000_000,
    msgType: BaseDefine.MsgType.MSG_TYPE_SINGLE_TEXT,
    msgData: Buffer.from('nnZSBwfPCz60q69ddmfIJA=='),
  },
);

example(
  'ack to the sender of a message',
  Message.IMMsgDataAck,
  bytesOf('0000 0019 0001 0000 0003 0302 002a 0000', '08 0110 ac02 1807 2001'),
  { userId: 1, sessionId: 300, msgId: 7, sessionType: BaseDefine.SessionType.SESSION_TYPE_SINGLE },
);

example(
  'group with its members, loose numbers, required zero and empty text',
  Group.IMGroupInfoListRsp,
  bytesOf('0000 0028 0001 0000 0004 0404 0009 0000', '0801 1214 0805 1001 1a01 6722 0028 0130 0238 0040 0140 ac02'),
  {
    userId: 1,
    groupInfoList: [
      {
        groupId: 5,
        version: 1,
        groupName: 'g',
        groupAvatar: '',
        groupCreatorId: 1,
        groupType: BaseDefine.GroupType.GROUP_TYPE_TMP,
        shieldStatus: 0,
        groupMemberList: [1, 300],
      },
    ],
  },
);

// Recorded from stock servers.

example(
  'login accepted, with a profile that has zeros and empty text',
  Login.IMLoginRes,
  bytesOf(
    '0000006f000100000001010400010000',
    '08a9d788d80610001a06e68890e58a9f20012a4b080210021a03426f62221267302f3030302f3030302f626f622e706e672802320f626f6240',
    '6578616d706c652e636f6d3a03626f62420b31333830303030303030324a03626f6250005a00',
  ),
  {
    serverTime: 1_795_304_361,
    resultCode: BaseDefine.ResultType.REFUSE_REASON_NONE,
    resultString: '成功',
    onlineStatus: BaseDefine.UserStatType.USER_STATUS_ONLINE,
    userInfo: {
      userId: 2,
      userGender: 2,
      userNickName: 'Bob',
      avatarUrl: 'g0/000/000/bob.png',
      departmentId: 2,
      email: 'bob@example.com',
      userRealName: 'bob',
      userTel: '13800000002',
      userDomain: 'bob',
      status: 0,
      signInfo: '',
    },
  },
);

example(
  'recent conversation whose last message is voice',
  Buddy.IMRecentContactSessionRsp,
  bytesOf(
    '00000040000100000002020200040000',
    '0802122c08011001180020aad788d80628013218516847586c70466a764d46554e72746c316161507a413d3d38024001',
  ),
  {
    userId: 2,
    contactSessionList: [
      {
        sessionId: 1,
        sessionType: BaseDefine.SessionType.SESSION_TYPE_SINGLE,
        sessionStatus: BaseDefine.SessionStatusType.SESSION_STATUS_OK,
        updatedTime: 1_795_304_362,
        latestMsgId: 1,
        latestMsgData: Buffer.from('QhGXlpFjvMFUNrtl1aaPzA=='),
        latestMsgType: BaseDefine.MsgType.MSG_TYPE_SINGLE_AUDIO,
        latestMsgFromUserId: 1,
      },
    ],
  },
);

example(
  'member removed by the administration, who is user 0',
  Group.IMGroupChangeMemberNotify,
  bytesOf('0000001c000100000004040b00000000', '080010021803200120022804'),
  {
    userId: 0,
    changeType: BaseDefine.GroupModifyType.GROUP_MODIFY_TYPE_DEL,
    groupId: 3,
    curUserIdList: [1, 2],
    chgUserIdList: [4],
  },
);

example(
  'file on its way, whose flag is 0',
  File.IMFileNotify,
  bytesOf(
    '00000064000100000005050800000000',
    '080110021a10433a2f646f63732f706c616e2e74787420ac02',
    '2a2430613637326464632d313866622d343865362d623434642d356537373565333361623534',
    '320f0a093132372e302e302e3110a8910138014000',
  ),
  {
    fromUserId: 1,
    toUserId: 2,
    fileName: 'C:/docs/plan.txt',
    fileSize: 300,
    taskId: '0a672ddc-18fb-48e6-b44d-5e775e33ab54',
    ipAddrList: [{ ip: '127.0.0.1', port: 18600 }],
    transMode: BaseDefine.TransferFileType.FILE_TYPE_ONLINE,
    offlineReady: 0,
  },
);

t.test('required fields are written when they are zero or empty', async (t) => {
  t.equal(hexOf(Login.IMLogoutRsp, { resultCode: 0 }), '0800', 'number');
  t.equal(hexOf(Server.IMValidateReq, { userName: '', password: '' }), '0a001200', 'text');
  const state = BaseDefine.ClientFileState.CLIENT_FILE_PEER_READY;
  t.equal(hexOf(File.IMFileState, { state, taskId: '', userId: 0 }), '080012001800', 'enum');
  const empty = { fromUserId: 0, toSessionId: 0, msgId: 0, createTime: 0, msgType: 1, msgData: new Uint8Array() };
  t.equal(hexOf(Message.IMMsgData, empty), '080010001800200028013200', 'bytes');
  const nobody = {
    userId: 0,
    userGender: 0,
    userNickName: '',
    avatarUrl: '',
    departmentId: 0,
    email: '',
    userRealName: '',
    userTel: '',
    userDomain: '',
    status: 0,
  };
  t.equal(hexOf(BaseDefine.UserInfo, nobody), '080010001a002200280032003a0042004a005000', 'a whole profile');
});

t.test('optional fields', async (t) => {
  const bare = { userId: 1, resultCode: 1 };
  t.equal(hexOf(Login.IMPushShieldRsp, { ...bare, shieldStatus: undefined }), '08011001', 'undefined is not written');
  t.equal(hexOf(Login.IMPushShieldRsp, { ...bare, shieldStatus: 0 }), '080110011800', 'zero is');
  t.equal(Login.IMPushShieldRsp.decode(bytesOf('08011001')).shieldStatus, undefined, 'absent is read as undefined');
  t.equal(Login.IMPushShieldRsp.decode(bytesOf('080110011800')).shieldStatus, 0, 'zero as zero');
  t.strictSame(Group.IMNormalGroupListRsp.decode(bytesOf('0801')).groupVersionList, [], 'a list is always there');
});

t.test('repeated numbers are read in either form and written loose', async (t) => {
  const loose = '0801 1001 10ac02 1003';
  const packed = '0801 1204 01ac0203';
  const mixed = '0801 1001 1203 ac0203';
  for (const form of [loose, packed, mixed]) {
    const decoded = Buddy.IMUsersInfoReq.decode(bytesOf(form));
    t.strictSame(decoded.userIdList, [1, 300, 3]);
    t.equal(hexOf(Buddy.IMUsersInfoReq, decoded), loose.replaceAll(' ', ''));
  }
});

t.test('numbers of enums', async (t) => {
  const numbers = [
    ['hole before kick', BaseDefine.OtherCmdID.CID_OTHER_USER_CNT_UPDATE, 0x070b],
    ['hole before kick', BaseDefine.OtherCmdID.CID_OTHER_SERVER_KICK_USER, 0x070d],
    ['hole before files', BaseDefine.OtherCmdID.CID_OTHER_GET_SHIELD_RSP, 0x0712],
    ['hole before files', BaseDefine.OtherCmdID.CID_OTHER_FILE_TRANSFER_REQ, 0x0731],
    ['last command', BaseDefine.OtherCmdID.CID_OTHER_FILE_SERVER_IP_RSP, 0x0734],
    ['hexadecimal', BaseDefine.BuddyListCmdID.CID_BUDDY_LIST_AVATAR_CHANGED_NOTIFY, 0x0212],
    ['what iOS mistakes', BaseDefine.BuddyListCmdID.CID_BUDDY_LIST_REMOVE_SESSION_RES, 0x0207],
    ['notify after answers', BaseDefine.GroupCmdID.CID_GROUP_CHANGE_MEMBER_NOTIFY, 0x040b],
    ['high digit for groups', BaseDefine.MsgType.MSG_TYPE_GROUP_TEXT, 0x11],
    ['high digit for groups', BaseDefine.MsgType.MSG_TYPE_GROUP_AUDIO, 0x12],
    ['high digit for phones', BaseDefine.ClientType.CLIENT_TYPE_IOS, 0x11],
    ['high digit for phones', BaseDefine.ClientType.CLIENT_TYPE_ANDROID, 0x12],
    ['high digit clear for PCs', BaseDefine.ClientType.CLIENT_TYPE_MAC, 2],
    ['from 0', BaseDefine.ResultType.REFUSE_REASON_NONE, 0],
    ['from 0', BaseDefine.ResultType.REFUSE_REASON_DB_VALIDATE_FAILED, 6],
    ['from 0', BaseDefine.ClientFileState.CLIENT_FILE_DONE, 3],
    ['from 0', BaseDefine.SessionStatusType.SESSION_STATUS_OK, 0],
    ['from 0', BaseDefine.DepartmentStatusType.DEPT_STATUS_DELETE, 1],
    ['from 1', BaseDefine.KickReasonType.KICK_REASON_MOBILE_KICK, 2],
    ['from 1', BaseDefine.SessionType.SESSION_TYPE_SINGLE, 1],
    ['from 1', BaseDefine.UserStatType.USER_STATUS_LEAVE, 3],
    ['from 1', BaseDefine.TransferFileType.FILE_TYPE_OFFLINE, 2],
    ['from 1', BaseDefine.ClientFileRole.CLIENT_OFFLINE_DOWNLOAD, 4],
    ['from 1', BaseDefine.GroupType.GROUP_TYPE_TMP, 2],
  ] as const;
  for (const [why, value, number] of numbers) t.equal(value, number, why);
});

t.test('numbers of the fields that are ours', async (t) => {
  const ask = { userName: '', password: '', onlineStatus: 1, clientType: 1 };
  const asked = hexOf(Login.IMLoginReq, { ...ask, capabilities: ['a'], deviceId: 'b', deviceName: 'c' });
  t.equal(asked, '0a00120018012001' + 'a2060161' + 'aa060162' + 'ba060163', 'IMLoginReq 100, 101, 103');
  const granted = { capabilities: ['a'], serverTimeMs: 1, heartbeatS: 2, frameSizeMax: 3 };
  t.equal(
    hexOf(Login.IMLoginRes, { serverTime: 0, resultCode: 0, ...granted }),
    '08001000' + 'a2060161' + 'a80601' + 'c00602' + 'c80603',
    'IMLoginRes 100, 101, 104, 105',
  );
  const data = { fromUserId: 0, toSessionId: 0, msgId: 0, createTime: 0, msgType: 1, msgData: bytesOf('00') };
  t.equal(
    hexOf(Message.IMMsgData, { ...data, sendId: bytesOf('ff'), createTimeMs: 1 }),
    '08001000180020002801320100' + 'a20601ff' + 'a80601',
    'IMMsgData 100, 101',
  );
  const ack = { userId: 0, sessionId: 0, msgId: 1, sessionType: 1 };
  t.equal(
    hexOf(Message.IMMsgDataAck, { ...ack, sendId: bytesOf('ff'), createTimeMs: 1, duplicate: true }),
    '0800100018012001' + 'a20601ff' + 'a80601' + 'b00601',
    'IMMsgDataAck 100, 101, 102',
  );
});

t.test('64-bit fields are plain numbers', async (t) => {
  const ack = { userId: 1, sessionId: 2, msgId: 3, sessionType: 1 };
  for (const createTimeMs of [0, 1_795_304_361_123, Number.MAX_SAFE_INTEGER]) {
    const bytes = Message.IMMsgDataAck.encode({ ...ack, createTimeMs }).finish();
    t.equal(Message.IMMsgDataAck.decode(bytes).createTimeMs, createTimeMs);
  }
});

t.test('bodies that are refused', async (t) => {
  const whole = '08 01 10 ac02 18 07 20 01';
  t.ok(Message.IMMsgDataAck.decode(bytesOf(whole)));
  t.throws(() => Message.IMMsgDataAck.decode(bytesOf('08 01 10 ac02 20 01')), /missing required 'msgId'/);
  t.throws(() => Message.IMMsgDataAck.decode(bytesOf('')), /missing required 'userId'/, 'an empty one');
  t.throws(() => Message.IMMsgDataAck.decode(bytesOf('08 01 10 ac02 18 07 20 03')), /missing required 'sessionType'/);
  t.throws(() => Message.IMMsgDataAck.decode(bytesOf(whole).subarray(0, 4)), RangeError, 'cut inside a number');
  t.throws(() => Login.IMLoginReq.decode(bytesOf('0a 05 61')), RangeError, 'text longer than the body');
  t.throws(() => Buddy.IMUserStatNotify.decode(bytesOf('0a 02 08 01')), /missing required 'status'/, 'in a record');
  const noGroupType = '0801 1a0167 2200';
  t.throws(() => Group.IMGroupCreateReq.decode(bytesOf(noGroupType)), /'groupType'/, 'a default does not stand in');
});

t.test('an unknown number in an optional enum is as if the field had not come', async (t) => {
  t.equal(Login.IMDeviceTokenReq.decode(bytesOf('0801 1200 1863')).clientType, undefined);
});

t.test('fields nobody here knows are read over and never passed on', async (t) => {
  const known = '0801 1002';
  const decoded = Login.IMKickPCClientRsp.decode(bytesOf('0801', 'a80607', '1002', 'c23e 03 616263'));
  t.same(decoded, { userId: 1, resultCode: 2 });
  t.equal(hexOf(Login.IMKickPCClientRsp, decoded), known.replaceAll(' ', ''));
});
