import { USERS_ASKED_MAX } from '../../../common/limits.js';
import type { Peer } from '../../../common/net/peers.js';
import { encodeFrame } from '../../../common/pdu/command.js';
import { buddy, cluster } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { RouteContext } from '../context.js';
import { isPc } from '../presence.js';
import { publishOurs, tellUnheard } from './server.js';

const { UserStatType, KickReasonType } = IM.BaseDefine;
const { DeviceClass } = IM.Cluster;

/** A msg server that has just connected says who is online there. */
export function onlineUsers(ctx: RouteContext, told: IM.Server.IMOnlineUserInfo, peer: Peer): void {
  if (!ctx.told.has(peer)) {
    ctx.told.add(peer);
    tellUnheard(ctx, peer);
  }
  for (const { userId, clientType } of told.userStatList) ctx.presence.change(peer, userId, clientType, 1);
  ctx.elsewhere.tellAll(peer);
  ctx.elsewhere.came(peer.name);
  settleDoubles(ctx, peer, told.userStatList);
}

/** A session began or ended. Told to PC clients, and to the user's own phones. */
export function userStatus(ctx: RouteContext, told: IM.Server.IMUserStatusUpdate, peer: Peer): void {
  const { userId, clientType } = told;
  const began = told.userStatus === UserStatType.USER_STATUS_ONLINE;
  ctx.presence.change(peer, userId, clientType, began ? 1 : -1);
  ctx.elsewhere.tellChange(peer, userId, clientType);
  if (told.announce !== true) return;
  const pcOnline = ctx.presence.pcOnline(userId);
  if (isPc(clientType) && (began || !pcOnline)) announcePc(ctx, userId, pcOnline);
  // A phone that logs in while the PC is on is told so.
  else if (!isPc(clientType) && began && pcOnline) tellPhones(ctx, userId, true);
}

/** A msg server is gone, and with it these users' PC clients. */
export function pcsGone(ctx: RouteContext, userIds: readonly number[]): void {
  for (const userId of userIds) announcePc(ctx, userId, false);
}

/** Does something to who is online, and tells of those whose PC came or left by it. */
export function pcChanges(ctx: RouteContext, userIds: Iterable<number>, work: () => void): void {
  const before = [...userIds].map((userId) => [userId, ctx.presence.pcOnline(userId)] as const);
  work();
  for (const [userId, was] of before) {
    const is = ctx.presence.pcOnline(userId);
    if (is !== was) announcePc(ctx, userId, is);
  }
}

/**
 * A msg server has said who is there, perhaps after it could not be told that a session began elsewhere: of two of a
 * user and a class, our msg servers say once more which is the newer one.
 */
export function settleDoubles(
  ctx: RouteContext,
  peer: Peer,
  sessions: readonly { readonly userId: number; readonly clientType: IM.BaseDefine.ClientType }[],
): void {
  for (const { userId, clientType } of sessions) {
    const there = [...ctx.presence.withClass(userId, clientType)];
    if (there.every(({ name }) => name === peer.name)) continue;
    const reason = KickReasonType.KICK_REASON_DUPLICATE_USER;
    for (const each of there) each.tell(cluster.kickOlder, { userId, clientType, reason, loginNumber: 0 });
  }
}

function announcePc(ctx: RouteContext, userId: number, pcOnline: boolean): void {
  if (pcOnline) ctx.announcements.came(userId);
  else ctx.announcements.went(userId);
  if (ctx.presence.online(userId)) tellPhones(ctx, userId, pcOnline);
}

/** How these users are, to PC clients: one piece of bytes, a frame for each user. */
export function tellPcs(
  ctx: RouteContext,
  userIds: readonly number[],
  to: { everyone: true } | { userIdList: number[] },
): void {
  const frameOf = (userId: number) =>
    encodeFrame(buddy.statusNotify, 0, { userStat: { userId, status: statusOf(ctx.presence.pcOnline(userId)) } });
  const frame = Buffer.concat(userIds.map(frameOf));
  publishOurs(ctx, { ...to, onlyClass: DeviceClass.DEVICE_CLASS_PC, frame });
}

function tellPhones(ctx: RouteContext, userId: number, pcOnline: boolean): void {
  const frame = encodeFrame(buddy.pcLoginNotify, 0, { userId, loginStat: statusOf(pcOnline) });
  publishOurs(ctx, { userIdList: [userId], onlyClass: DeviceClass.DEVICE_CLASS_MOBILE, frame });
}

/** One entry per asked id, in the asked order; who is unknown is offline. */
export function usersStatus(ctx: RouteContext, asked: IM.Buddy.IMUsersStatReq): IM.Buddy.IMUsersStatRsp.$Properties {
  const userStatList = asked.userIdList.map((userId) => ({ userId, status: statusOf(ctx.presence.pcOnline(userId)) }));
  return { userId: asked.userId, userStatList };
}

/** Asked by the console. */
export function whereabouts(
  ctx: RouteContext,
  asked: IM.Console.IMWhereaboutsReq,
): IM.Console.IMWhereaboutsRsp.$Properties {
  const sessionsOf = (userId: number) => [...ctx.presence.sessionsOf(userId)].map((each) => ({ userId, ...each }));
  return { sessionList: asked.userIdList.slice(0, USERS_ASKED_MAX).flatMap(sessionsOf) };
}

function statusOf(online: boolean): IM.BaseDefine.UserStatType {
  return online ? UserStatType.USER_STATUS_ONLINE : UserStatType.USER_STATUS_OFFLINE;
}

/** With which classes of devices these users are here; those with none are left out. */
export function online(ctx: RouteContext, asked: IM.Push.IMOnlineReq): IM.Push.IMOnlineRsp.$Properties {
  const all = asked.userIdList.map((userId) => ({ userId, ...ctx.presence.classes(userId) }));
  return { onlineList: all.filter(({ pc, mobile }) => pc || mobile) };
}
