import type { Peer } from '../../common/net/peers.js';
import {
  blob,
  buddy,
  cluster,
  directory,
  file,
  group,
  login,
  message,
  server,
  transfer,
} from '../../common/pdu/commands.js';
import { answer, commandTable, type Row } from '../../common/server/command-table.js';
import type { DbProxyContext } from './context.js';
import * as blobs from './handlers/blob.js';
import * as buddies from './handlers/buddy.js';
import * as directories from './handlers/directory.js';
import * as files from './handlers/file.js';
import * as groups from './handlers/group.js';
import * as logins from './handlers/login.js';
import * as messages from './handlers/message.js';
import { sync } from './handlers/sync.js';

/**
 * What msg servers ask. Client requests come with the user id of the session written into them by the msg server, and
 * the answers are exactly what the client gets.
 */
export const fromMsgServers = commandTable<DbProxyContext, Peer>([
  answer(server.validate, logins.validate),
  answer(login.getPushShield, logins.getPushShield),
  answer(login.setPushShield, logins.setPushShield),
  answer(login.deviceToken, logins.deviceToken),

  answer(buddy.allUsers, buddies.allUsers),
  answer(buddy.usersInfo, buddies.usersInfo),
  answer(buddy.departments, buddies.departments),
  answer(buddy.recentSessions, buddies.recentSessions),
  answer(buddy.removeSession, buddies.removeSession),
  answer(cluster.removedSessions, buddies.removedSessions),
  answer(buddy.changeSignature, buddies.changeSignature),
  answer(buddy.changeAvatar, buddies.changeAvatar),

  answer(cluster.storeMessage, messages.store),
  answer(cluster.markRead, messages.markRead),
  answer(cluster.missed, messages.missed),
  answer(message.unreadCount, messages.unreadCount),
  answer(message.list, messages.list),
  answer(message.latestId, messages.latestId),
  answer(message.byId, messages.byId),
  answer(message.sync, sync),

  answer(group.normalList, groups.normalList),
  answer(group.info, groups.info),
  answer(group.create, groups.create),
  answer(group.changeMember, groups.changeMember),
  answer(group.shield, groups.shield),
  answer(cluster.userGroups, groups.ofUser),

  answer(file.hasOffline, files.hasOffline),
  answer(transfer.offer, files.offerFile),
  answer(transfer.drop, files.dropFile),
]);

/** What file servers ask. The bytes of files never pass here, their keys do. */
export const fromFileServers = commandTable<DbProxyContext, Peer>([
  answer(blob.begin, blobs.begin),
  answer(blob.claim, blobs.claim),
  answer(blob.finish, blobs.finish),
  answer(blob.drop, blobs.drop),
  answer(blob.find, blobs.find),
  answer(blob.refer, blobs.refer),
  answer(blob.sweep, blobs.sweep),

  answer(transfer.add, files.addTransfer),
  answer(transfer.get, files.getTransfer),
  answer(transfer.mark, files.markTransfer),
  answer(transfer.end, files.endTransfer),
  answer(transfer.expire, files.expireTransfers),
]);

/** Managing people, departments, groups and settings. */
const administration: readonly Row<DbProxyContext, Peer>[] = [
  answer(directory.people, directories.people),
  answer(directory.changePerson, directories.changePerson),
  answer(directory.importPeople, directories.importPeople),
  answer(directory.departmentTree, directories.departmentTree),
  answer(directory.changeDepartment, directories.changeDepartment),
  answer(directory.groups, directories.groups),
  answer(directory.groupMembers, directories.groupMembers),
  answer(directory.changeGroup, directories.changeGroup),
  answer(directory.endSessions, directories.endSessions),
  answer(directory.noteAudit, directories.noteAudit),
  answer(directory.settings, directories.settings),
];

export const fromHttpMsgServers = commandTable<DbProxyContext, Peer>([...administration]);

export const fromConsoles = commandTable<DbProxyContext, Peer>([
  ...administration,
  answer(directory.audit, directories.auditTrail),
  answer(directory.verifyAudit, directories.verifyAudit),
  answer(directory.changeSetting, directories.changeSetting),
]);
