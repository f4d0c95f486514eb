import type { Peer } from '../../common/net/peers.js';
import {
  announcements,
  apiKeys,
  blob,
  buddy,
  cluster,
  consoleAccount,
  consoleView,
  directory,
  events,
  file,
  group,
  login,
  message,
  outbox,
  person,
  push,
  server,
  transfer,
  webhooks,
} from '../../common/pdu/commands.js';
import { answer, commandTable, type Row } from '../../common/server/command-table.js';
import type { DbProxyContext } from './context.js';
import * as announcing from './handlers/announcement.js';
import * as keys from './handlers/api-key.js';
import * as blobs from './handlers/blob.js';
import * as buddies from './handlers/buddy.js';
import * as consoles from './handlers/console.js';
import * as directories from './handlers/directory.js';
import * as happened from './handlers/event.js';
import * as exporting from './handlers/export.js';
import * as files from './handlers/file.js';
import { filesState } from './handlers/file-state.js';
import * as groups from './handlers/group.js';
import * as logins from './handlers/login.js';
import * as messages from './handlers/message.js';
import * as effects from './handlers/outbox.js';
import * as persons from './handlers/person.js';
import * as pushing from './handlers/push.js';
import { sync } from './handlers/sync.js';
import { trace } from './handlers/trace.js';
import * as upkeeps from './handlers/upkeep.js';
import * as hooks from './handlers/webhook.js';

/**
 * What msg servers ask. Client requests come with the user id of the session written into them by the msg server, and
 * the answers are exactly what the client gets.
 */
export const fromMsgServers = commandTable<DbProxyContext, Peer>([
  answer(server.validate, logins.validate),
  answer(login.getPushShield, logins.getPushShield),
  answer(login.setPushShield, logins.setPushShield),
  answer(login.deviceToken, logins.deviceToken),
  answer(login.devices, logins.devices),
  answer(login.removeDevice, logins.removeDevice),

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

  answer(directory.settings, directories.settings),
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

  answer(directory.settings, directories.settings),
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
  answer(directory.devices, directories.userDevices),
  answer(directory.removeDevice, directories.removeDevice),
  answer(directory.noteAudit, directories.noteAudit),
  answer(directory.settings, directories.settings),
];

/** Webhooks, for whoever manages them: a key its own, the console all. */
const webhookKeeping: readonly Row<DbProxyContext, Peer>[] = [
  answer(webhooks.put, hooks.put),
  answer(webhooks.list, hooks.list),
  answer(webhooks.remove, hooks.remove),
  answer(webhooks.deadLetters, hooks.deadLetters),
  answer(webhooks.replay, hooks.replay),
  answer(webhooks.drop, hooks.drop),
];

/** Announcements, for those who take them in and send them. */
const announcer: readonly Row<DbProxyContext, Peer>[] = [
  answer(announcements.begin, announcing.begin),
  answer(announcements.list, announcing.list),
  answer(announcements.work, announcing.work),
  answer(cluster.storeMessage, messages.store),
];

export const fromConsoles = commandTable<DbProxyContext, Peer>([
  ...administration,
  ...webhookKeeping,
  answer(apiKeys.create, keys.create),
  answer(apiKeys.list, keys.list),
  answer(apiKeys.revoke, keys.revoke),
  answer(directory.audit, directories.auditTrail),
  answer(directory.verifyAudit, directories.verifyAudit),
  answer(directory.changeSetting, directories.changeSetting),
  answer(consoleAccount.enter, consoles.enter),
  answer(consoleAccount.session, consoles.session),
  answer(consoleAccount.sessions, consoles.sessions),
  answer(consoleAccount.password, consoles.password),
  answer(consoleAccount.totp, consoles.totp),
  answer(consoleAccount.list, consoles.list),
  answer(consoleAccount.change, consoles.change),
  answer(person.enter, persons.enter),
  answer(person.page, persons.page),
  answer(person.ways, persons.ways),
  answer(consoleView.storageState, upkeeps.state),
  answer(consoleView.beginEpoch, upkeeps.beginEpoch),
  answer(consoleView.moveBuckets, upkeeps.moveBuckets),
  answer(consoleView.trace, trace),
  answer(consoleView.filesState, filesState),
  answer(consoleView.exports, exporting.exports),
  answer(consoleView.exportPage, exporting.exportPage),
  ...announcer,
]);

/**
 * What http-msg asks for other systems. It acts for keys, not for sessions: whose id it writes into a question is decided
 * by the key.
 */
export const fromHttpMsgServers = commandTable<DbProxyContext, Peer>([
  ...administration,
  ...webhookKeeping,
  ...announcer,
  answer(message.list, messages.list),

  answer(apiKeys.check, keys.check),
  answer(apiKeys.sameRequest, keys.sameRequest),
  answer(events.forward, happened.forward),
  answer(events.read, happened.read),
  answer(webhooks.claim, hooks.claim),
  answer(webhooks.settle, hooks.settle),
]);

/** The outbox, for who does something because of messages: push servers. */
export const fromPushServers = commandTable<DbProxyContext, Peer>([
  answer(outbox.claim, effects.claim),
  answer(outbox.done, effects.done),
  answer(outbox.postpone, pushing.postpone),
  answer(push.plan, pushing.plan),
  answer(push.settle, pushing.settle),
  answer(push.withdraw, pushing.withdraw),
  answer(push.devices, pushing.devices),
  answer(directory.settings, directories.settings),
]);
