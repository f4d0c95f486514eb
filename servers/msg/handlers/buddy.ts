import { USERS_STATUS_ASKED_MAX } from '../../../common/limits.js';
import { encodeFrame } from '../../../common/pdu/command.js';
import { buddy, cluster } from '../../../common/pdu/commands.js';
import type { Frame } from '../../../common/pdu/header.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { MsgContext } from '../context.js';
import type { Session } from '../session.js';
import { deliverToUsers } from './message.js';

/** Presence is the route servers' knowledge. */
export async function usersStatus(
  ctx: MsgContext,
  asked: IM.Buddy.IMUsersStatReq,
  session: Session,
): Promise<IM.Buddy.IMUsersStatRsp.$Properties> {
  return ctx.routes.usersStatus(session.userId, asked.userIdList.slice(0, USERS_STATUS_ASKED_MAX));
}

/** The other devices of the user take the conversation off their lists as well. */
export function sessionRemoved(ctx: MsgContext, session: Session, reply: Frame): void {
  const { userId, sessionType, sessionId, resultCode } = buddy.removeSession.reply.codec.decode(reply.body);
  if (resultCode !== 0) return;
  deliverToUsers(ctx, [userId], encodeFrame(buddy.removeSessionNotify, 0, { userId, sessionType, sessionId }), session);
}

/** A device that asked what is new on the list also hears, one by one, what was taken off it while it was away. */
export async function removedMeanwhile(
  ctx: MsgContext,
  session: Session,
  _reply: Frame,
  asked: IM.Buddy.IMRecentContactSessionReq,
): Promise<void> {
  if (asked.latestUpdateTime === 0) return;
  const { userId } = session;
  const sinceMs = asked.latestUpdateTime * 1000;
  const { sessionList } = await ctx.dbProxies.ask(cluster.removedSessions, { userId, sinceMs }, userId);
  for (const each of sessionList) session.send(encodeFrame(buddy.removeSessionNotify, 0, { userId, ...each }));
}

/** Everybody hears of a new signature, its owner included. */
export function signatureChanged(ctx: MsgContext, session: Session, reply: Frame): void {
  const { resultCode, signInfo } = buddy.changeSignature.reply.codec.decode(reply.body);
  if (resultCode !== 0) return;
  tellEverybody(
    ctx,
    encodeFrame(buddy.signatureNotify, 0, { changedUserId: session.userId, signInfo: signInfo ?? '' }),
  );
}

function tellEverybody(ctx: MsgContext, frame: Buffer): void {
  ctx.broadcasts.send(frame);
  ctx.routes.publish({ everyone: true, frame });
}

export function avatarChanged(
  ctx: MsgContext,
  session: Session,
  reply: Frame,
  asked: IM.Buddy.IMChangeAvatarReq,
): void {
  if (buddy.changeAvatar.reply.codec.decode(reply.body).resultCode !== 0) return;
  tellEverybody(ctx, encodeFrame(buddy.avatarNotify, 0, { changedUserId: session.userId, avatarUrl: asked.avatarUrl }));
}
