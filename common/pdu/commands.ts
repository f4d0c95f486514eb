import type { Ask, Codec, Command } from './command.js';
import { IM } from './pb.js';

/**
 * Every command there is, by subject, with its number and its message: the one place where the two meet.
 * A request and its answer are one entry.
 */

function command<In, Out>(id: number, name: string, codec: Codec<In, Out>): Command<In, Out> {
  return { id, name, codec };
}

function ask<In, Out, ReplyIn, ReplyOut>(
  id: number,
  name: string,
  codec: Codec<In, Out>,
  replyId: number,
  replyName: string,
  replyCodec: Codec<ReplyIn, ReplyOut>,
): Ask<In, Out, ReplyIn, ReplyOut> {
  return { id, name, codec, reply: command(replyId, replyName, replyCodec) };
}

const {
  Login,
  Buddy,
  Message,
  Group,
  File,
  SwitchService,
  Other,
  Server,
  Cluster,
  Blob,
  Directory,
  Api,
  Console,
  Push,
  Person,
} = IM;

export const login = {
  msgServer: ask(0x0101, 'IMMsgServReq', Login.IMMsgServReq, 0x0102, 'IMMsgServRsp', Login.IMMsgServRsp),
  enter: ask(0x0103, 'IMLoginReq', Login.IMLoginReq, 0x0104, 'IMLoginRes', Login.IMLoginRes),
  leave: ask(0x0105, 'IMLogoutReq', Login.IMLogoutReq, 0x0106, 'IMLogoutRsp', Login.IMLogoutRsp),
  kick: command(0x0107, 'IMKickUser', Login.IMKickUser),
  deviceToken: ask(
    0x0108,
    'IMDeviceTokenReq',
    Login.IMDeviceTokenReq,
    0x0109,
    'IMDeviceTokenRsp',
    Login.IMDeviceTokenRsp,
  ),
  kickPc: ask(
    0x010a,
    'IMKickPCClientReq',
    Login.IMKickPCClientReq,
    0x010b,
    'IMKickPCClientRsp',
    Login.IMKickPCClientRsp,
  ),
  setPushShield: ask(
    0x010c,
    'IMPushShieldReq',
    Login.IMPushShieldReq,
    0x010d,
    'IMPushShieldRsp',
    Login.IMPushShieldRsp,
  ),
  getPushShield: ask(
    0x010e,
    'IMQueryPushShieldReq',
    Login.IMQueryPushShieldReq,
    0x010f,
    'IMQueryPushShieldRsp',
    Login.IMQueryPushShieldRsp,
  ),
  devices: ask(0x0180, 'IMDeviceListReq', Login.IMDeviceListReq, 0x0181, 'IMDeviceListRsp', Login.IMDeviceListRsp),
  removeDevice: ask(
    0x0182,
    'IMDeviceRemoveReq',
    Login.IMDeviceRemoveReq,
    0x0183,
    'IMDeviceRemoveRsp',
    Login.IMDeviceRemoveRsp,
  ),
};

export const buddy = {
  recentSessions: ask(
    0x0201,
    'IMRecentContactSessionReq',
    Buddy.IMRecentContactSessionReq,
    0x0202,
    'IMRecentContactSessionRsp',
    Buddy.IMRecentContactSessionRsp,
  ),
  statusNotify: command(0x0203, 'IMUserStatNotify', Buddy.IMUserStatNotify),
  usersInfo: ask(0x0204, 'IMUsersInfoReq', Buddy.IMUsersInfoReq, 0x0205, 'IMUsersInfoRsp', Buddy.IMUsersInfoRsp),
  removeSession: ask(
    0x0206,
    'IMRemoveSessionReq',
    Buddy.IMRemoveSessionReq,
    0x0207,
    'IMRemoveSessionRsp',
    Buddy.IMRemoveSessionRsp,
  ),
  allUsers: ask(0x0208, 'IMAllUserReq', Buddy.IMAllUserReq, 0x0209, 'IMAllUserRsp', Buddy.IMAllUserRsp),
  usersStatus: ask(0x020a, 'IMUsersStatReq', Buddy.IMUsersStatReq, 0x020b, 'IMUsersStatRsp', Buddy.IMUsersStatRsp),
  changeAvatar: ask(
    0x020c,
    'IMChangeAvatarReq',
    Buddy.IMChangeAvatarReq,
    0x020d,
    'IMChangeAvatarRsp',
    Buddy.IMChangeAvatarRsp,
  ),
  pcLoginNotify: command(0x020e, 'IMPCLoginStatusNotify', Buddy.IMPCLoginStatusNotify),
  removeSessionNotify: command(0x020f, 'IMRemoveSessionNotify', Buddy.IMRemoveSessionNotify),
  departments: ask(0x0210, 'IMDepartmentReq', Buddy.IMDepartmentReq, 0x0211, 'IMDepartmentRsp', Buddy.IMDepartmentRsp),
  avatarNotify: command(0x0212, 'IMAvatarChangedNotify', Buddy.IMAvatarChangedNotify),
  changeSignature: ask(
    0x0213,
    'IMChangeSignInfoReq',
    Buddy.IMChangeSignInfoReq,
    0x0214,
    'IMChangeSignInfoRsp',
    Buddy.IMChangeSignInfoRsp,
  ),
  signatureNotify: command(0x0215, 'IMSignInfoChangedNotify', Buddy.IMSignInfoChangedNotify),
  directoryNotify: command(0x0280, 'IMDirectoryNotify', Buddy.IMDirectoryNotify),
};

export const message = {
  data: command(0x0301, 'IMMsgData', Message.IMMsgData),
  ack: command(0x0302, 'IMMsgDataAck', Message.IMMsgDataAck),
  readAck: command(0x0303, 'IMMsgDataReadAck', Message.IMMsgDataReadAck),
  readNotify: command(0x0304, 'IMMsgDataReadNotify', Message.IMMsgDataReadNotify),
  time: ask(0x0305, 'IMClientTimeReq', Message.IMClientTimeReq, 0x0306, 'IMClientTimeRsp', Message.IMClientTimeRsp),
  unreadCount: ask(
    0x0307,
    'IMUnreadMsgCntReq',
    Message.IMUnreadMsgCntReq,
    0x0308,
    'IMUnreadMsgCntRsp',
    Message.IMUnreadMsgCntRsp,
  ),
  list: ask(0x0309, 'IMGetMsgListReq', Message.IMGetMsgListReq, 0x030a, 'IMGetMsgListRsp', Message.IMGetMsgListRsp),
  latestId: ask(
    0x030b,
    'IMGetLatestMsgIdReq',
    Message.IMGetLatestMsgIdReq,
    0x030c,
    'IMGetLatestMsgIdRsp',
    Message.IMGetLatestMsgIdRsp,
  ),
  byId: ask(0x030d, 'IMGetMsgByIdReq', Message.IMGetMsgByIdReq, 0x030e, 'IMGetMsgByIdRsp', Message.IMGetMsgByIdRsp),
  sync: ask(0x0380, 'IMSyncReq', Message.IMSyncReq, 0x0381, 'IMSyncRsp', Message.IMSyncRsp),
  error: command(0x03e0, 'IMError', Message.IMError),
};

export const group = {
  normalList: ask(
    0x0401,
    'IMNormalGroupListReq',
    Group.IMNormalGroupListReq,
    0x0402,
    'IMNormalGroupListRsp',
    Group.IMNormalGroupListRsp,
  ),
  info: ask(
    0x0403,
    'IMGroupInfoListReq',
    Group.IMGroupInfoListReq,
    0x0404,
    'IMGroupInfoListRsp',
    Group.IMGroupInfoListRsp,
  ),
  create: ask(0x0405, 'IMGroupCreateReq', Group.IMGroupCreateReq, 0x0406, 'IMGroupCreateRsp', Group.IMGroupCreateRsp),
  changeMember: ask(
    0x0407,
    'IMGroupChangeMemberReq',
    Group.IMGroupChangeMemberReq,
    0x0408,
    'IMGroupChangeMemberRsp',
    Group.IMGroupChangeMemberRsp,
  ),
  shield: ask(0x0409, 'IMGroupShieldReq', Group.IMGroupShieldReq, 0x040a, 'IMGroupShieldRsp', Group.IMGroupShieldRsp),
  memberNotify: command(0x040b, 'IMGroupChangeMemberNotify', Group.IMGroupChangeMemberNotify),
};

export const file = {
  enter: ask(0x0501, 'IMFileLoginReq', File.IMFileLoginReq, 0x0502, 'IMFileLoginRsp', File.IMFileLoginRsp),
  state: command(0x0503, 'IMFileState', File.IMFileState),
  pullData: ask(
    0x0504,
    'IMFilePullDataReq',
    File.IMFilePullDataReq,
    0x0505,
    'IMFilePullDataRsp',
    File.IMFilePullDataRsp,
  ),
  request: ask(0x0506, 'IMFileReq', File.IMFileReq, 0x0507, 'IMFileRsp', File.IMFileRsp),
  notify: command(0x0508, 'IMFileNotify', File.IMFileNotify),
  hasOffline: ask(
    0x0509,
    'IMFileHasOfflineReq',
    File.IMFileHasOfflineReq,
    0x050a,
    'IMFileHasOfflineRsp',
    File.IMFileHasOfflineRsp,
  ),
  addOffline: command(0x050b, 'IMFileAddOfflineReq', File.IMFileAddOfflineReq),
  delOffline: command(0x050c, 'IMFileDelOfflineReq', File.IMFileDelOfflineReq),
  token: ask(0x0580, 'IMFileTokenReq', File.IMFileTokenReq, 0x0581, 'IMFileTokenRsp', File.IMFileTokenRsp),
};

export const switchService = {
  p2p: command(0x0601, 'IMP2PCmdMsg', SwitchService.IMP2PCmdMsg),
};

export const other = {
  heartbeat: command(0x0701, 'IMHeartBeat', Other.IMHeartBeat),
};

export const server = {
  validate: ask(0x0703, 'IMValidateReq', Server.IMValidateReq, 0x0704, 'IMValidateRsp', Server.IMValidateRsp),
  onlineUsers: command(0x0708, 'IMOnlineUserInfo', Server.IMOnlineUserInfo),
  userStatus: command(0x070a, 'IMUserStatusUpdate', Server.IMUserStatusUpdate),
  fileAddresses: ask(
    0x0733,
    'IMFileServerIPReq',
    Server.IMFileServerIPReq,
    0x0734,
    'IMFileServerIPRsp',
    Server.IMFileServerIPRsp,
  ),
};

export const cluster = {
  hello: ask(0x0801, 'IMHelloReq', Cluster.IMHelloReq, 0x0802, 'IMHelloRsp', Cluster.IMHelloRsp),
  proof: command(0x0803, 'IMHelloProof', Cluster.IMHelloProof),
  failure: command(0x0804, 'IMFailure', Cluster.IMFailure),
  draining: command(0x0805, 'IMDraining', Cluster.IMDraining),
  load: command(0x0810, 'IMMsgServLoad', Cluster.IMMsgServLoad),
  storeMessage: ask(0x0820, 'IMStoreMsgReq', Cluster.IMStoreMsgReq, 0x0821, 'IMStoreMsgRsp', Cluster.IMStoreMsgRsp),
  markRead: ask(0x0822, 'IMMarkReadReq', Cluster.IMMarkReadReq, 0x0823, 'IMMarkReadRsp', Cluster.IMMarkReadRsp),
  userGroups: ask(
    0x0824,
    'IMUserGroupsReq',
    Cluster.IMUserGroupsReq,
    0x0825,
    'IMUserGroupsRsp',
    Cluster.IMUserGroupsRsp,
  ),
  missed: ask(0x0826, 'IMMissedReq', Cluster.IMMissedReq, 0x0827, 'IMMissedRsp', Cluster.IMMissedRsp),
  interest: ask(0x0830, 'IMInterest', Cluster.IMInterest, 0x0831, 'IMInterestRsp', Cluster.IMInterestRsp),
  publish: command(0x0832, 'IMPublish', Cluster.IMPublish),
  removedSessions: ask(
    0x08e0,
    'IMRemovedSessionsReq',
    Cluster.IMRemovedSessionsReq,
    0x08e1,
    'IMRemovedSessionsRsp',
    Cluster.IMRemovedSessionsRsp,
  ),
  kickOlder: command(0x0833, 'IMKickOlder', Cluster.IMKickOlder),
  disturbed: command(0x0835, 'IMDisturbed', Cluster.IMDisturbed),
  groupMembersChanged: command(0x0834, 'IMGroupMembersChanged', Cluster.IMGroupMembersChanged),
  routeNews: command(0x0836, 'IMRouteNews', Cluster.IMRouteNews),
  routePulse: command(0x0837, 'IMRoutePulse', Cluster.IMRoutePulse),
  routePresence: command(0x0838, 'IMRoutePresence', Cluster.IMRoutePresence),
  routePresenceAsk: command(0x0839, 'IMRoutePresenceAsk', Cluster.IMRoutePresenceAsk),
  sessionAddresses: command(0x086e, 'IMSessionAddresses', Cluster.IMSessionAddresses),
};

/** What the file server asks about files at rest. */
export const blob = {
  begin: ask(0x0860, 'IMUploadBeginReq', Blob.IMUploadBeginReq, 0x0861, 'IMUploadBeginRsp', Blob.IMUploadBeginRsp),
  claim: ask(0x0862, 'IMUploadClaimReq', Blob.IMUploadClaimReq, 0x0863, 'IMUploadClaimRsp', Blob.IMUploadClaimRsp),
  finish: ask(0x0864, 'IMUploadFinishReq', Blob.IMUploadFinishReq, 0x0865, 'IMUploadFinishRsp', Blob.IMUploadFinishRsp),
  drop: ask(0x0866, 'IMBlobDropReq', Blob.IMBlobDropReq, 0x0867, 'IMBlobDropRsp', Blob.IMBlobDropRsp),
  find: ask(0x0868, 'IMBlobFindReq', Blob.IMBlobFindReq, 0x0869, 'IMBlobFindRsp', Blob.IMBlobFindRsp),
  refer: ask(0x086a, 'IMBlobReferReq', Blob.IMBlobReferReq, 0x086b, 'IMBlobReferRsp', Blob.IMBlobReferRsp),
  sweep: ask(0x086c, 'IMBlobSweepReq', Blob.IMBlobSweepReq, 0x086d, 'IMBlobSweepRsp', Blob.IMBlobSweepRsp),
};

export const directory = {
  people: ask(0x0840, 'IMPeopleReq', Directory.IMPeopleReq, 0x0841, 'IMPeopleRsp', Directory.IMPeopleRsp),
  changePerson: ask(
    0x0842,
    'IMChangePersonReq',
    Directory.IMChangePersonReq,
    0x0843,
    'IMChangePersonRsp',
    Directory.IMChangePersonRsp,
  ),
  importPeople: ask(
    0x0844,
    'IMImportPeopleReq',
    Directory.IMImportPeopleReq,
    0x0845,
    'IMImportPeopleRsp',
    Directory.IMImportPeopleRsp,
  ),
  departmentTree: ask(
    0x0846,
    'IMDepartmentTreeReq',
    Directory.IMDepartmentTreeReq,
    0x0847,
    'IMDepartmentTreeRsp',
    Directory.IMDepartmentTreeRsp,
  ),
  changeDepartment: ask(
    0x0848,
    'IMChangeDepartmentReq',
    Directory.IMChangeDepartmentReq,
    0x0849,
    'IMChangeDepartmentRsp',
    Directory.IMChangeDepartmentRsp,
  ),
  groups: ask(0x084a, 'IMGroupsReq', Directory.IMGroupsReq, 0x084b, 'IMGroupsRsp', Directory.IMGroupsRsp),
  groupMembers: ask(
    0x084c,
    'IMGroupMembersReq',
    Directory.IMGroupMembersReq,
    0x084d,
    'IMGroupMembersRsp',
    Directory.IMGroupMembersRsp,
  ),
  changeGroup: ask(
    0x084e,
    'IMChangeGroupReq',
    Directory.IMChangeGroupReq,
    0x084f,
    'IMChangeGroupRsp',
    Directory.IMChangeGroupRsp,
  ),
  endSessions: ask(
    0x0850,
    'IMEndSessionsReq',
    Directory.IMEndSessionsReq,
    0x0851,
    'IMEndSessionsRsp',
    Directory.IMEndSessionsRsp,
  ),
  audit: ask(0x0852, 'IMAuditReq', Directory.IMAuditReq, 0x0853, 'IMAuditRsp', Directory.IMAuditRsp),
  verifyAudit: ask(
    0x0854,
    'IMVerifyAuditReq',
    Directory.IMVerifyAuditReq,
    0x0855,
    'IMVerifyAuditRsp',
    Directory.IMVerifyAuditRsp,
  ),
  settings: ask(0x0856, 'IMSettingsReq', Directory.IMSettingsReq, 0x0857, 'IMSettingsRsp', Directory.IMSettingsRsp),
  changeSetting: ask(
    0x0858,
    'IMChangeSettingReq',
    Directory.IMChangeSettingReq,
    0x0859,
    'IMChangeSettingRsp',
    Directory.IMChangeSettingRsp,
  ),
  noteAudit: ask(
    0x085a,
    'IMNoteAuditReq',
    Directory.IMNoteAuditReq,
    0x085b,
    'IMNoteAuditRsp',
    Directory.IMNoteAuditRsp,
  ),
  devices: ask(
    0x0828,
    'IMUserDevicesReq',
    Directory.IMUserDevicesReq,
    0x0829,
    'IMUserDevicesRsp',
    Directory.IMUserDevicesRsp,
  ),
  removeDevice: ask(
    0x082a,
    'IMRemoveDeviceReq',
    Directory.IMRemoveDeviceReq,
    0x082b,
    'IMRemoveDeviceRsp',
    Directory.IMRemoveDeviceRsp,
  ),
  changed: command(0x085c, 'IMDirectoryChanged', Directory.IMDirectoryChanged),
};

/** Files from user to user. */
export const transfer = {
  makeTask: ask(0x0870, 'IMFileTaskReq', Cluster.IMFileTaskReq, 0x0871, 'IMFileTaskRsp', Cluster.IMFileTaskRsp),
  expire: ask(
    0x0872,
    'IMExpireTransfersReq',
    Cluster.IMExpireTransfersReq,
    0x0873,
    'IMExpireTransfersRsp',
    Cluster.IMExpireTransfersRsp,
  ),
  add: ask(0x0874, 'IMAddTransferReq', Cluster.IMAddTransferReq, 0x0875, 'IMAddTransferRsp', Cluster.IMAddTransferRsp),
  get: ask(0x0876, 'IMGetTransferReq', Cluster.IMGetTransferReq, 0x0877, 'IMGetTransferRsp', Cluster.IMGetTransferRsp),
  mark: ask(
    0x0878,
    'IMMarkTransferReq',
    Cluster.IMMarkTransferReq,
    0x0879,
    'IMMarkTransferRsp',
    Cluster.IMMarkTransferRsp,
  ),
  end: ask(0x087a, 'IMEndTransferReq', Cluster.IMEndTransferReq, 0x087b, 'IMEndTransferRsp', Cluster.IMEndTransferRsp),
  offer: ask(0x087c, 'IMOfferFileReq', Cluster.IMOfferFileReq, 0x087d, 'IMOfferFileRsp', Cluster.IMOfferFileRsp),
  drop: ask(0x087e, 'IMDropFileReq', Cluster.IMDropFileReq, 0x087f, 'IMDropFileRsp', Cluster.IMDropFileRsp),
};

export const outbox = {
  postpone: ask(
    0x08a4,
    'IMOutboxPostponeReq',
    Push.IMOutboxPostponeReq,
    0x08a5,
    'IMOutboxPostponeRsp',
    Push.IMOutboxPostponeRsp,
  ),
  claim: ask(0x0880, 'IMOutboxClaimReq', Api.IMOutboxClaimReq, 0x0881, 'IMOutboxClaimRsp', Api.IMOutboxClaimRsp),
  done: ask(0x0882, 'IMOutboxDoneReq', Api.IMOutboxDoneReq, 0x0883, 'IMOutboxDoneRsp', Api.IMOutboxDoneRsp),
};

export const apiKeys = {
  check: ask(0x0884, 'IMApiKeyCheckReq', Api.IMApiKeyCheckReq, 0x0885, 'IMApiKeyCheckRsp', Api.IMApiKeyCheckRsp),
  create: ask(0x0886, 'IMApiKeyCreateReq', Api.IMApiKeyCreateReq, 0x0887, 'IMApiKeyCreateRsp', Api.IMApiKeyCreateRsp),
  list: ask(0x0888, 'IMApiKeyListReq', Api.IMApiKeyListReq, 0x0889, 'IMApiKeyListRsp', Api.IMApiKeyListRsp),
  revoke: ask(0x088a, 'IMApiKeyRevokeReq', Api.IMApiKeyRevokeReq, 0x088b, 'IMApiKeyRevokeRsp', Api.IMApiKeyRevokeRsp),
  sameRequest: ask(0x089e, 'IMIdempotencyReq', Api.IMIdempotencyReq, 0x089f, 'IMIdempotencyRsp', Api.IMIdempotencyRsp),
};

export const events = {
  forward: ask(
    0x088c,
    'IMEventsForwardReq',
    Api.IMEventsForwardReq,
    0x088d,
    'IMEventsForwardRsp',
    Api.IMEventsForwardRsp,
  ),
  read: ask(0x088e, 'IMEventsReadReq', Api.IMEventsReadReq, 0x088f, 'IMEventsReadRsp', Api.IMEventsReadRsp),
};

export const webhooks = {
  put: ask(0x0890, 'IMWebhookPutReq', Api.IMWebhookPutReq, 0x0891, 'IMWebhookPutRsp', Api.IMWebhookPutRsp),
  list: ask(0x0892, 'IMWebhookListReq', Api.IMWebhookListReq, 0x0893, 'IMWebhookListRsp', Api.IMWebhookListRsp),
  remove: ask(
    0x0894,
    'IMWebhookDeleteReq',
    Api.IMWebhookDeleteReq,
    0x0895,
    'IMWebhookDeleteRsp',
    Api.IMWebhookDeleteRsp,
  ),
  claim: ask(0x0896, 'IMParcelsClaimReq', Api.IMParcelsClaimReq, 0x0897, 'IMParcelsClaimRsp', Api.IMParcelsClaimRsp),
  settle: ask(0x0898, 'IMParcelSettleReq', Api.IMParcelSettleReq, 0x0899, 'IMParcelSettleRsp', Api.IMParcelSettleRsp),
  deadLetters: ask(0x089a, 'IMDeadLettersReq', Api.IMDeadLettersReq, 0x089b, 'IMDeadLettersRsp', Api.IMDeadLettersRsp),
  replay: ask(
    0x089c,
    'IMDeadLettersReplayReq',
    Api.IMDeadLettersReplayReq,
    0x089d,
    'IMDeadLettersReplayRsp',
    Api.IMDeadLettersReplayRsp,
  ),
  drop: ask(
    0x08d8,
    'IMDeadLettersDropReq',
    Api.IMDeadLettersDropReq,
    0x08d9,
    'IMDeadLettersDropRsp',
    Api.IMDeadLettersDropRsp,
  ),
};

export const consoleAccount = {
  enter: ask(0x08b0, 'IMAdminEnterReq', Console.IMAdminEnterReq, 0x08b1, 'IMAdminEnterRsp', Console.IMAdminEnterRsp),
  session: ask(
    0x08b2,
    'IMAdminSessionReq',
    Console.IMAdminSessionReq,
    0x08b3,
    'IMAdminSessionRsp',
    Console.IMAdminSessionRsp,
  ),
  sessions: ask(
    0x08b4,
    'IMAdminSessionsReq',
    Console.IMAdminSessionsReq,
    0x08b5,
    'IMAdminSessionsRsp',
    Console.IMAdminSessionsRsp,
  ),
  password: ask(
    0x08b6,
    'IMAdminPasswordReq',
    Console.IMAdminPasswordReq,
    0x08b7,
    'IMAdminDoneRsp',
    Console.IMAdminDoneRsp,
  ),
  totp: ask(0x08b8, 'IMAdminTotpReq', Console.IMAdminTotpReq, 0x08b9, 'IMAdminTotpRsp', Console.IMAdminTotpRsp),
  list: ask(0x08ba, 'IMAdminListReq', Console.IMAdminListReq, 0x08bb, 'IMAdminListRsp', Console.IMAdminListRsp),
  change: ask(
    0x08bc,
    'IMAdminChangeReq',
    Console.IMAdminChangeReq,
    0x08bd,
    'IMAdminChangeRsp',
    Console.IMAdminChangeRsp,
  ),
};

/** How people of the company's directory get in, for the console. */
export const person = {
  enter: ask(0x08e4, 'IMPersonEnterReq', Person.IMPersonEnterReq, 0x08e5, 'IMPersonEnterRsp', Person.IMPersonEnterRsp),
  page: ask(0x08e6, 'IMPersonPageReq', Person.IMPersonPageReq, 0x08e7, 'IMPersonPageRsp', Person.IMPersonPageRsp),
  ways: ask(0x08e8, 'IMSignInWaysReq', Person.IMSignInWaysReq, 0x08e9, 'IMSignInWaysRsp', Person.IMSignInWaysRsp),
};

export const consoleView = {
  msgServers: ask(
    0x08c0,
    'IMMsgServersReq',
    Console.IMMsgServersReq,
    0x08c1,
    'IMMsgServersRsp',
    Console.IMMsgServersRsp,
  ),
  whereabouts: ask(
    0x08c2,
    'IMWhereaboutsReq',
    Console.IMWhereaboutsReq,
    0x08c3,
    'IMWhereaboutsRsp',
    Console.IMWhereaboutsRsp,
  ),
  storageState: ask(
    0x08c4,
    'IMStorageStateReq',
    Console.IMStorageStateReq,
    0x08c5,
    'IMStorageStateRsp',
    Console.IMStorageStateRsp,
  ),
  beginEpoch: ask(
    0x08c6,
    'IMBeginEpochReq',
    Console.IMBeginEpochReq,
    0x08c7,
    'IMStorageDoneRsp',
    Console.IMStorageDoneRsp,
  ),
  moveBuckets: ask(
    0x08c8,
    'IMMoveBucketsReq',
    Console.IMMoveBucketsReq,
    0x08c9,
    'IMStorageDoneRsp',
    Console.IMStorageDoneRsp,
  ),
  exports: ask(0x08cc, 'IMExportsReq', Console.IMExportsReq, 0x08cd, 'IMExportsRsp', Console.IMExportsRsp),
  exportPage: ask(
    0x08ce,
    'IMExportPageReq',
    Console.IMExportPageReq,
    0x08cf,
    'IMExportPageRsp',
    Console.IMExportPageRsp,
  ),
  trace: ask(0x08ca, 'IMTraceReq', Console.IMTraceReq, 0x08cb, 'IMTraceRsp', Console.IMTraceRsp),
  filesState: ask(
    0x08d2,
    'IMFilesStateReq',
    Console.IMFilesStateReq,
    0x08d3,
    'IMFilesStateRsp',
    Console.IMFilesStateRsp,
  ),
  fileServer: ask(
    0x08d4,
    'IMFileServerReq',
    Console.IMFileServerReq,
    0x08d5,
    'IMFileServerRsp',
    Console.IMFileServerRsp,
  ),
  removal: ask(0x08d6, 'IMRemovalReq', Console.IMRemovalReq, 0x08d7, 'IMRemovalRsp', Console.IMRemovalRsp),
};

/** Messages from one account to many, for the console and http-msg servers. */
export const announcements = {
  begin: ask(0x08da, 'IMAnnounceReq', Console.IMAnnounceReq, 0x08db, 'IMAnnounceRsp', Console.IMAnnounceRsp),
  list: ask(
    0x08dc,
    'IMAnnouncementsReq',
    Console.IMAnnouncementsReq,
    0x08dd,
    'IMAnnouncementsRsp',
    Console.IMAnnouncementsRsp,
  ),
  work: ask(
    0x08de,
    'IMAnnounceWorkReq',
    Console.IMAnnounceWorkReq,
    0x08df,
    'IMAnnounceWorkRsp',
    Console.IMAnnounceWorkRsp,
  ),
};

/** What push servers ask, and hear, and what the console asks them. */
export const push = {
  plan: ask(0x08a0, 'IMPushPlanReq', Push.IMPushPlanReq, 0x08a1, 'IMPushPlanRsp', Push.IMPushPlanRsp),
  settle: ask(0x08a2, 'IMPushSettledReq', Push.IMPushSettledReq, 0x08a3, 'IMPushSettledRsp', Push.IMPushSettledRsp),
  withdraw: ask(
    0x08a6,
    'IMPushWithdrawReq',
    Push.IMPushWithdrawReq,
    0x08a7,
    'IMPushWithdrawRsp',
    Push.IMPushWithdrawRsp,
  ),
  readMoved: command(0x08a8, 'IMReadMoved', Push.IMReadMoved),
  online: ask(0x08aa, 'IMOnlineReq', Push.IMOnlineReq, 0x08ab, 'IMOnlineRsp', Push.IMOnlineRsp),
  state: ask(0x08ac, 'IMPushStateReq', Push.IMPushStateReq, 0x08ad, 'IMPushStateRsp', Push.IMPushStateRsp),
  test: ask(0x08ae, 'IMPushTestReq', Push.IMPushTestReq, 0x08af, 'IMPushTestRsp', Push.IMPushTestRsp),
  devices: ask(0x08d0, 'IMPushDevicesReq', Push.IMPushDevicesReq, 0x08d1, 'IMPushDevicesRsp', Push.IMPushDevicesRsp),
};
