import { ANDROID_FRAME_SIZE_MAX } from '../../../common/limits.js';
import { encodeFrame } from '../../../common/pdu/command.js';
import { buddy } from '../../../common/pdu/commands.js';
import { type Frame, HEADER_SIZE } from '../../../common/pdu/header.js';
import { IM } from '../../../common/pdu/pb.js';
import type { MsgContext } from '../context.js';
import type { Session } from '../session.js';
import { deliverToUsers } from './message.js';

const { ClientType, SessionType } = IM.BaseDefine;

/** Presence is the route servers' knowledge. */
export async function usersStatus(
  ctx: MsgContext,
  asked: IM.Buddy.IMUsersStatReq,
  session: Session,
): Promise<IM.Buddy.IMUsersStatRsp.$Properties> {
  return ctx.routes.usersStatus(session.userId, asked.userIdList);
}

/** The other devices of the user take the conversation off their lists as well. */
export function sessionRemoved(ctx: MsgContext, session: Session, reply: Frame): void {
  const { userId, sessionType, sessionId, resultCode } = buddy.removeSession.reply.codec.decode(reply.body);
  if (resultCode !== 0 || sessionType !== SessionType.SESSION_TYPE_SINGLE) return;
  deliverToUsers(ctx, [userId], encodeFrame(buddy.removeSessionNotify, 0, { userId, sessionType, sessionId }), session);
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
  ctx.sessions.toAll(frame);
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

/**
 * Android breaks a connection that brings a frame over 400 KiB, and takes a long user list in parts: the first as the
 * answer, further ones as pushes. The other clients want it whole.
 */
export function userListParts(session: Session, reply: Frame): Buffer[] | undefined {
  if (session.clientType !== ClientType.CLIENT_TYPE_ANDROID || reply.bytes.length <= ANDROID_FRAME_SIZE_MAX)
    return undefined;
  const { userId, latestUpdateTime, userList } = buddy.allUsers.reply.codec.decode(reply.body);
  const parts: IM.BaseDefine.UserInfo[][] = [];
  let left = 0;
  for (const user of userList) {
    const size = IM.BaseDefine.UserInfo.encode(user).len + ENTRY_EXTRA;
    if (size > left) {
      parts.push([]);
      left = ANDROID_FRAME_SIZE_MAX - HEADER_SIZE - ENTRY_EXTRA * 2; // the two numbers in front
    }
    parts.at(-1)!.push(user);
    left -= size;
  }
  return parts.map((part) => encodeFrame(buddy.allUsers.reply, 0, { userId, latestUpdateTime, userList: part }));
}

/** Tag and length of an entry, at most. */
const ENTRY_EXTRA = 6;
