import type { Command } from '../../common/pdu/command.js';
import * as catalogue from '../../common/pdu/commands.js';
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
  other,
  outbox,
  person,
  push,
  server,
  transfer,
  webhooks,
} from '../../common/pdu/commands.js';

/**
 * Which server may say what to which, written down a second time: the test sends every command there is over a link of
 * every role, and what is not here has to be refused. A command between servers that is in none of these lists fails.
 */
export const SERVER_ROLES = ['login', 'msg', 'route', 'db-proxy', 'file', 'http-msg', 'push', 'admin'] as const;
export type ServerRole = (typeof SERVER_ROLES)[number];

/** The command, who hears it, and from whom. */
export type LinkRow = readonly [Command<never, unknown>, ServerRole, ...ServerRole[]];

function rows(to: ServerRole, from: readonly ServerRole[], ...commands: Command<never, unknown>[]): LinkRow[] {
  return commands.map((command) => [command, to, ...from]);
}

/** Over the links that servers dial: what is asked and told of the one that was dialled. */
export const linkRows: readonly LinkRow[] = [
  ...rows(
    'db-proxy',
    ['http-msg', 'admin'],
    announcements.begin,
    announcements.list,
    announcements.work,
    directory.people,
    directory.changePerson,
    directory.importPeople,
    directory.departmentTree,
    directory.changeDepartment,
    directory.groups,
    directory.groupMembers,
    directory.changeGroup,
    directory.endSessions,
    directory.noteAudit,
    directory.devices,
    directory.removeDevice,
    webhooks.put,
    webhooks.list,
    webhooks.remove,
    webhooks.deadLetters,
    webhooks.replay,
    webhooks.drop,
  ),
  ...rows(
    'db-proxy',
    ['http-msg'],
    apiKeys.check,
    apiKeys.sameRequest,
    events.forward,
    events.read,
    webhooks.claim,
    webhooks.settle,
  ),
  ...rows(
    'db-proxy',
    ['admin'],
    apiKeys.create,
    apiKeys.list,
    apiKeys.revoke,
    consoleAccount.enter,
    consoleAccount.session,
    consoleAccount.sessions,
    consoleAccount.password,
    consoleAccount.totp,
    consoleAccount.list,
    consoleAccount.change,
    person.enter,
    person.page,
    person.ways,
    consoleView.storageState,
    consoleView.beginEpoch,
    consoleView.moveBuckets,
    consoleView.exports,
    consoleView.exportPage,
    consoleView.trace,
    consoleView.filesState,
    directory.audit,
    directory.verifyAudit,
    directory.changeSetting,
  ),
  ...rows(
    'db-proxy',
    ['file'],
    blob.begin,
    blob.claim,
    blob.finish,
    blob.drop,
    blob.find,
    blob.refer,
    blob.sweep,
    transfer.expire,
    transfer.add,
    transfer.get,
    transfer.mark,
    transfer.end,
  ),
  ...rows(
    'db-proxy',
    ['msg'],
    buddy.recentSessions,
    buddy.usersInfo,
    buddy.removeSession,
    buddy.allUsers,
    buddy.changeAvatar,
    buddy.departments,
    buddy.changeSignature,
    cluster.markRead,
    cluster.userGroups,
    cluster.missed,
    cluster.removedSessions,
    file.hasOffline,
    group.normalList,
    group.info,
    group.create,
    group.changeMember,
    group.shield,
    login.deviceToken,
    login.setPushShield,
    login.getPushShield,
    login.devices,
    login.removeDevice,
    message.unreadCount,
    message.latestId,
    message.byId,
    message.sync,
    server.validate,
    transfer.offer,
    transfer.drop,
  ),
  ...rows('db-proxy', ['msg', 'http-msg', 'admin'], cluster.storeMessage),
  ...rows('db-proxy', ['msg', 'file', 'http-msg', 'push', 'admin'], directory.settings),
  ...rows('db-proxy', ['msg', 'http-msg'], message.list),
  ...rows(
    'db-proxy',
    ['push'],
    outbox.postpone,
    outbox.claim,
    outbox.done,
    push.plan,
    push.settle,
    push.withdraw,
    push.devices,
  ),
  ...rows('route', ['msg', 'http-msg'], buddy.usersStatus),
  ...rows(
    'route',
    ['msg'],
    cluster.interest,
    cluster.kickOlder,
    cluster.groupMembersChanged,
    server.onlineUsers,
    server.userStatus,
  ),
  ...rows('route', ['msg', 'http-msg', 'admin'], cluster.publish, cluster.disturbed),
  ...rows('route', ['admin'], consoleView.whereabouts),
  ...rows('route', ['push'], push.online),
  ...rows('file', ['msg'], cluster.sessionAddresses, server.fileAddresses, transfer.makeTask),
  ...rows('file', ['admin'], consoleView.fileServer, consoleView.removal),
  ...rows('login', ['msg'], cluster.load),
  ...rows('login', ['admin'], consoleView.msgServers),
  ...rows('push', ['admin'], push.state, push.test),
];

/** Back over the same links: what the one that was dialled tells on its own. */
export const backRows: readonly LinkRow[] = [
  ...rows('msg', ['route'], cluster.publish, cluster.disturbed, cluster.kickOlder, cluster.groupMembersChanged),
  ...rows('msg', ['db-proxy'], directory.changed, cluster.disturbed),
  ...rows('push', ['db-proxy'], push.readMoved),
];

/** What belongs to every link, whoever is at its ends. */
export const ofEveryLink: readonly Command<never, unknown>[] = [
  cluster.hello,
  cluster.proof,
  cluster.failure,
  cluster.draining,
  other.heartbeat,
];

/** Between route servers, sealed with the cluster's secret, through Redis. */
export const throughRedis: readonly Command<never, unknown>[] = [
  cluster.routeNews,
  cluster.routePulse,
  cluster.routePresence,
  cluster.routePresenceAsk,
];

/** Services 7 and 8 are for servers alone. */
const FIRST_OF_SERVERS = 0x0700;

/** Every command of the catalogue that no client has to do with, their answers left out. */
export function commandsBetweenServers(): Command<never, unknown>[] {
  const all = Object.values(catalogue).flatMap((subject) => Object.values<Command<never, unknown>>(subject as never));
  return all.filter(({ id }) => id >= FIRST_OF_SERVERS);
}
