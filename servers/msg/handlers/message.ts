import { randomFillSync } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import {
  type Draft,
  isGroupType,
  publishedConversation,
  pushFrame,
  SEND_ID_SIZE,
  storeDraft,
} from '../../../common/chat/message.js';
import type { SendHook } from '../../../common/chat/send-hook.js';
import { seconds } from '../../../common/clock.js';
import { groupConversation, isGroupId, isUserId, singleConversation } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { MESSAGE_SIZE_MAX, P2P_SIZE_MAX } from '../../../common/limits.js';
import type { Link } from '../../../common/net/link.js';
import { encodeFrame } from '../../../common/pdu/command.js';
import { cluster, message, switchService } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { MsgContext } from '../context.js';
import { turnOf } from '../pace.js';
import { RecentSends } from '../recent-sends.js';
import type { Session } from '../session.js';

const { SessionType } = IM.BaseDefine;

/** How far the clocks of two of our machines may be apart. */
const CLOCKS_APART_MS = 1_000;
/** When a refused client may come again: about as long as a restarted db-proxy takes. */
const RETRY_AFTER_MS = 1_000;

/**
 * A client says something. Stored first, told second: nobody hears of a message that could still be lost.
 * A message that is refused or cannot be stored gets no answer: the stock ack has no place for an error, and its
 * sender shows it as failed after a while.
 */
export async function send(ctx: MsgContext, draft: IM.Message.IMMsgData, session: Session, seq: number): Promise<void> {
  const isGroup = isGroupType(draft.msgType);
  const to = draft.toSessionId;
  const receivedMs = ctx.clock.ticksMs();
  const wrong = refusal(draft, session, isGroup);
  if (wrong !== undefined) return refuse(ctx, session, seq, wrong);
  const turn = turnOf(ctx, session, 'sends.user');
  if (turn !== undefined) {
    ctx.counters.delayed.inc();
    await turn;
  }
  const groupTurn = isGroup ? turnInGroup(ctx, to) : undefined;
  if (groupTurn !== undefined) await groupTurn;
  const startedMs = ctx.clock.ticksMs();
  const startedWallMs = ctx.clock.nowMs();
  const sessionType = isGroup ? SessionType.SESSION_TYPE_GROUP : SessionType.SESSION_TYPE_SINGLE;
  const conversationId = isGroup ? groupConversation(to) : singleConversation(session.userId, to);
  let sent: Draft = {
    fromUserId: session.userId,
    toSessionId: to,
    msgType: draft.msgType,
    msgData: draft.msgData,
    sendId: sendIdOf(draft, session, seq, startedMs),
  };
  let checkedMs = startedMs;
  let stored: IM.Cluster.IMStoreMsgRsp;
  try {
    if (ctx.sendHook !== undefined) {
      sent = await checked(ctx.sendHook, session, sent);
      checkedMs = ctx.clock.ticksMs();
    }
    stored = await storeDraft(ctx.dbProxies, sent);
  } catch (error) {
    if (!(error instanceof ImError)) throw error;
    ctx.hops.refused(conversationId, sent.sendId, receivedMs, error.code);
    // Stored or not, nobody knows; if it is, its receivers shall have it.
    if (error.retry) ctx.reconcile.everywhereSince(startedWallMs);
    return refuse(ctx, session, seq, error);
  }
  const ack = { userId: session.userId, sessionId: to, msgId: stored.msgId, sessionType };
  const more = { sendId: sent.sendId, createTimeMs: stored.createTimeMs, duplicate: stored.duplicate };
  session.send(encodeFrame(message.ack, seq, session.may('ack2') ? { ...ack, ...more } : ack));
  ctx.counters.acked.inc();
  const ackedMs = ctx.clock.ticksMs();
  ctx.counters.ackTime.observe((ackedMs - startedMs) / 1000);
  let sessions = 0;
  const { msgId } = stored;
  if (ctx.deliveries.first(conversationId, msgId)) {
    const frame = pushFrame(sent, stored);
    if (isGroup) sessions = deliverToGroup(ctx, to, msgId, frame, session);
    else sessions = deliverToUsers(ctx, [to, session.userId], frame, session, msgId);
  } else if (ctx.deliveries.wasFound(conversationId, msgId)) {
    // The answer took longer than a look for what was missed here. Others may have looked before it was stored.
    const frame = pushFrame(sent, stored);
    ctx.routes.publish(isGroup ? { groupId: to, frame, msgId } : { userIdList: [to, session.userId], frame, msgId });
  }
  const toldMs = ctx.clock.ticksMs();
  // biome-ignore format: one hop, one line
  ctx.hops.accepted(conversationId, stored.msgId, sent.sendId, receivedMs, startedMs, checkedMs, ackedMs, toldMs, sessions, stored.duplicate);
}

/** A group that many write to at once has a rate of its own. */
function turnInGroup({ limits, groupPaces }: MsgContext, groupId: number): Promise<void> | undefined {
  const nowMs = performance.now();
  const turn = groupPaces.of(groupId).turn(limits.rate('sends.group'), nowMs);
  if (turn !== undefined) limits.hit('sends.group');
  return turn;
}

/** Messages of a session are asked about at once, and go on in the order in which they came. */
function checked(hook: SendHook, session: Session, draft: Draft): Promise<Draft> {
  const answer = hook.asked(draft);
  answer.catch(() => undefined); // heard below, perhaps only after a while
  const mine = (session.checks ?? Promise.resolve()).then(() => answer);
  session.checks = mine.then(
    () => undefined,
    () => undefined,
  );
  return mine;
}

/** The client's own, when it may have one; else one of ours, the same for a resend of the same message. */
function sendIdOf(draft: IM.Message.IMMsgData, session: Session, seq: number, nowMs: number): Uint8Array {
  if (draft.sendId !== undefined && session.may('ack2')) return draft.sendId;
  session.recentSends ??= new RecentSends();
  return session.recentSends.recall(seq, draft.toSessionId, draft.msgType, draft.msgData, nowMs, freshSendId);
}

/** No ack. A client that may hear why does. */
function refuse(ctx: MsgContext, session: Session, seq: number, error: ImError): void {
  ctx.counters.unacked.inc({ why: error.code });
  if (!session.may('err1')) return;
  const retryAfterMs = error.retry ? RETRY_AFTER_MS : undefined;
  session.send(
    encodeFrame(message.error, seq, {
      commandId: message.data.id,
      seq,
      code: error.code,
      text: error.detail,
      retryAfterMs,
    }),
  );
}

function refusal(draft: IM.Message.IMMsgData, session: Session, isGroup: boolean): ImError | undefined {
  const { length } = draft.msgData;
  if (length === 0 || length > MESSAGE_SIZE_MAX)
    return new ImError('BAD_REQUEST', `msg_data of ${length} bytes, 1 to ${MESSAGE_SIZE_MAX} are allowed`);
  if (draft.sendId !== undefined && draft.sendId.length !== SEND_ID_SIZE)
    return new ImError('BAD_REQUEST', `send_id of ${draft.sendId.length} bytes instead of ${SEND_ID_SIZE}`);
  if (!isGroup && draft.toSessionId === session.userId) return new ImError('NOT_ALLOWED', 'a message to oneself');
  if (!(isGroup ? isGroupId(draft.toSessionId) : isUserId(draft.toSessionId)))
    return new ImError('NO_SUCH_USER', 'no such receiver');
  return undefined;
}

/** Drawn in blocks: drawing costs by the call (several µs), which was a sixth of all that this server did. */
const randomness = new Uint8Array(16 * 1024);
let randomUsed = randomness.length;

function drawn(): Uint8Array {
  if (randomUsed === randomness.length) {
    randomFillSync(randomness);
    randomUsed = 0;
  }
  randomUsed += SEND_ID_SIZE;
  return randomness.subarray(randomUsed - SEND_ID_SIZE, randomUsed);
}

function freshSendId(): Uint8Array {
  return uuidV7({ rng: drawn }, new Uint8Array(SEND_ID_SIZE));
}

/**
 * To all devices of these users, here and on the other msg servers, but for the one that it came from. A chat message
 * names its id, so that nobody gets it twice. @returns how many sessions here were written to
 */
export function deliverToUsers(
  ctx: MsgContext,
  userIdList: number[],
  frame: Buffer,
  except: Session,
  msgId?: number,
): number {
  let count = 0;
  for (const userId of userIdList) count += ctx.sessions.toUser(userId, frame, except);
  ctx.counters.delivered.inc(count);
  ctx.routes.publish({ userIdList, frame, msgId });
  return count;
}

function deliverToGroup(ctx: MsgContext, groupId: number, msgId: number, frame: Buffer, except: Session): number {
  const count = ctx.sessions.toGroup(groupId, frame, except);
  ctx.counters.delivered.inc(count);
  ctx.routes.publish({ groupId, frame, msgId });
  return count;
}

/** From route: what another msg server published, for sessions here. */
export function deliver(ctx: MsgContext, told: IM.Cluster.IMPublish, by: Link): void {
  // A view on what was read from the link: fine to write to sockets, as read buffers are not used again.
  const frame = told.frame as Buffer;
  const { groupId, onlyClass, msgId } = told;
  const conversationId = msgId === undefined ? undefined : publishedConversation(told);
  if (conversationId !== undefined && !ctx.deliveries.first(conversationId, msgId!)) return;
  const firstMs = ctx.clock.ticksMs();
  let count = 0;
  for (const userId of told.userIdList) count += ctx.sessions.toUser(userId, frame, undefined, onlyClass);
  if (groupId !== undefined) count += ctx.sessions.toGroup(groupId, frame);
  if (told.everyone === true) ctx.broadcasts.send(frame, onlyClass);
  ctx.counters.delivered.inc(count);
  if (conversationId !== undefined) ctx.hops.delivered(conversationId, msgId!, firstMs, count, by.peerName);
}

/**
 * A stored message that may not have been delivered here, to all sessions that should have had it: not those that
 * began after it, which find it in the history, and not the one that sent it.
 * @returns 1 when it was delivered now, 0 when it had been before
 */
export function deliverMissed(ctx: MsgContext, stored: IM.Cluster.StoredMessage): 0 | 1 {
  const { fromUserId, toSessionId, msgId, msgType, msgData } = stored;
  const isGroup = isGroupType(msgType);
  const conversationId = isGroup ? groupConversation(toSessionId) : singleConversation(fromUserId, toSessionId);
  if (!ctx.deliveries.firstFound(conversationId, msgId)) return 0;
  const firstMs = ctx.clock.ticksMs();
  const frame = pushFrame(stored, stored);
  let count = 0;
  const sessions = isGroup
    ? ctx.sessions.ofGroup(toSessionId)
    : [...ctx.sessions.ofUser(toSessionId), ...ctx.sessions.ofUser(fromUserId)];
  for (const session of sessions) {
    const knows = session.beganMs > stored.createTimeMs + CLOCKS_APART_MS;
    const sentIt = session.userId === fromUserId && session.recentSends?.has(toSessionId, msgData) === true;
    if (knows || sentIt) continue;
    session.send(frame);
    count++;
  }
  ctx.hops.delivered(conversationId, msgId, firstMs, count, undefined);
  return 1;
}

/** A device has the message. Nothing is resent by it; counted to see how devices keep up. */
export function received(ctx: MsgContext): void {
  ctx.counters.received.inc();
}

/** Somebody has read up to a message; his other devices are told if that is news. */
export async function read(ctx: MsgContext, told: IM.Message.IMMsgDataReadAck, session: Session): Promise<void> {
  const { userId } = session;
  const { sessionId, sessionType, msgId } = told;
  const mark = await ctx.dbProxies.ask(cluster.markRead, { userId, sessionType, sessionId, msgId }, userId);
  if (!mark.moved) return;
  const frame = encodeFrame(message.readNotify, 0, { userId, sessionId, msgId: mark.readMsgId, sessionType });
  deliverToUsers(ctx, [userId], frame, session);
}

export function time(ctx: MsgContext): IM.Message.IMClientTimeRsp.$Properties {
  return { serverTime: seconds(ctx.clock.nowMs()) };
}

/** Typing, shaking and the like: passed on, never kept. At the pace of messages: it goes to others just as they do. */
export async function p2p(ctx: MsgContext, said: IM.SwitchService.IMP2PCmdMsg, session: Session): Promise<void> {
  const size = Buffer.byteLength(said.cmdMsgData);
  if (size > P2P_SIZE_MAX)
    throw new ImError('BAD_REQUEST', `cmd_msg_data of ${size} bytes, ${P2P_SIZE_MAX} are allowed`);
  if (!isUserId(said.toUserId)) return;
  const turn = turnOf(ctx, session, 'sends.user');
  if (turn !== undefined) {
    ctx.counters.delayed.inc();
    await turn;
  }
  const frame = encodeFrame(switchService.p2p, 0, { ...said, fromUserId: session.userId });
  deliverToUsers(ctx, [...new Set([said.toUserId, session.userId])], frame, session);
}
