import { seconds } from '../../../common/clock.js';
import { type ErrorCode, ImError } from '../../../common/errors.js';
import { FRAME_SIZE_MAX } from '../../../common/limits.js';
import { encodeFrame } from '../../../common/pdu/command.js';
import { cluster, login, message, server } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { type Capability, grantedOf } from '../capabilities.js';
import type { MsgContext } from '../context.js';
import { classOf, type Session } from '../session.js';

const { ResultType, KickReasonType, ClientType } = IM.BaseDefine;
const { DeviceClass } = IM.Cluster;

/** What we wish of clients that let us say so: often enough to find dead connections, seldom enough for a battery. */
const HEARTBEAT_S = 30;

/** Nobody waits for longer, however many were cut off with him. */
const RETURN_MS_MAX = 60_000;

/** Shown to people by TeamTalk clients, so in the words they know. */
const TEXT = { ok: '成功', down: '服务端异常', left: '用户名/密码错误', insecure: '连接未加密' } as const;

/** A client says who it is. Answered once everything that is meant for it from then on will reach it. */
export async function enter(ctx: MsgContext, asked: IM.Login.IMLoginReq, session: Session, seq: number): Promise<void> {
  session.verify();
  if (!ctx.dbProxies.open) return refuse(ctx, session, seq, ResultType.REFUSE_REASON_NO_DB_SERVER, TEXT.down);
  if (!ctx.routes.open) return refuse(ctx, session, seq, ResultType.REFUSE_REASON_NO_ROUTE_SERVER, TEXT.down);
  if (asked.clearPassword != null && !session.confidential) {
    complain(asked, session, seq, 'NOT_ALLOWED', 'clear_password: this connection is not encrypted');
    return refuse(ctx, session, seq, ResultType.REFUSE_REASON_DB_VALIDATE_FAILED, TEXT.insecure);
  }
  const span = ctx.telemetry?.begin('log-in');
  try {
    const { userName, password } = asked;
    const verdict = await ctx.dbProxies.ask(server.validate, {
      userName,
      password,
      clientAddress: session.connection.address,
      ...(span !== undefined && { traceparent: span.traceparent }),
      ...(asked.capabilities.includes('token1') && {
        token: asked.token,
        signInCode: asked.signInCode,
        codeVerifier: asked.codeVerifier,
        clearPassword: asked.clearPassword,
        device: deviceOf(asked),
      }),
    });
    span?.note('verified');
    if (verdict.resultCode !== 0 || verdict.userInfo === undefined) {
      return refuse(ctx, session, seq, ResultType.REFUSE_REASON_DB_VALIDATE_FAILED, verdict.resultString ?? '');
    }
    await begin(ctx, session, asked, { ...verdict, userInfo: verdict.userInfo }, seq);
  } catch (error) {
    if (!(error instanceof ImError)) throw error;
    ctx.log.warn({ error: error.message, address: session.connection.address }, 'log-in not decided');
    complain(asked, session, seq, error.code);
    refuse(ctx, session, seq, ResultType.REFUSE_REASON_NO_DB_SERVER, TEXT.down);
  } finally {
    const problem = session.online ? undefined : 'not logged in';
    span?.end({ 'teamtalk.client': ClientType[asked.clientType], 'teamtalk.user': session.userId }, problem);
  }
}

async function begin(
  ctx: MsgContext,
  session: Session,
  asked: IM.Login.IMLoginReq,
  verdict: IM.Server.IMValidateRsp & { userInfo: IM.BaseDefine.UserInfo },
  seq: number,
): Promise<void> {
  if (session.state !== 'verifying') return; // gone while we were asking
  const { userInfo, token } = verdict;
  const { userId } = userInfo;
  const { clientType } = asked;
  const capabilities = grantedOf(asked.capabilities);
  const clientVersion = asked.clientVersion ?? '';
  const loginNumber = verdict.loginNumber ?? 0;
  const deviceId = token != null || asked.token != null ? (asked.deviceId ?? undefined) : undefined;
  session.begin({ userId, clientType, clientVersion, loginNumber, capabilities, deviceId }, ctx.clock.nowMs());
  await ctx.routes.begin(ctx.sessions.add(session));
  // Asked only now: a change of members from here on reaches us as an event, one before is in the answer.
  const { groupIdList, left } = await ctx.dbProxies.ask(cluster.userGroups, { userId, deviceId }, userId);
  if (left === true) return refuse(ctx, session, seq, ResultType.REFUSE_REASON_DB_VALIDATE_FAILED, TEXT.left);
  await ctx.routes.begin({ users: [], groups: ctx.sessions.addGroups(session, groupIdList) });
  // Only now, in one go with its presence: the user does not seem to be gone in between.
  kickOlder(ctx, session);
  if (!session.online) return;
  tellNewer(ctx, session);
  const result: IM.Login.IMLoginRes.$Properties = {
    serverTime: seconds(ctx.clock.nowMs()),
    resultCode: ResultType.REFUSE_REASON_NONE,
    resultString: TEXT.ok,
    onlineStatus: asked.onlineStatus,
    userInfo,
    ...(capabilities.size === 0 ? {} : extras(ctx, capabilities)),
    ...(token != null && { token, tokenExpiresMs: verdict.tokenExpiresMs }),
  };
  ctx.sessionAddresses.began(session); // known before the client can act on the answer
  session.welcome(encodeFrame(login.enter.reply, seq, result));
  ctx.counters.logins.inc({ result: 'ok' });
  ctx.routes.presence(session, true);
}

/** As the client calls itself; db-proxy says what of it can be. */
function deviceOf({
  deviceId,
  deviceName,
  clientType,
}: IM.Login.IMLoginReq): IM.BaseDefine.DeviceInfo.$Properties | undefined {
  if (deviceId == null) return undefined;
  return { deviceId, deviceName: deviceName ?? '', clientType, createdMs: 0, usedMs: 0, expiresMs: 0 };
}

/** Which of them asks is the session's knowledge. */
export function asksForDevices(session: Session, asked: IM.Login.IMDeviceListReq): void {
  if (session.deviceId === undefined) delete asked.deviceId;
  else asked.deviceId = session.deviceId;
}

/** For clients that asked for more than the stock protocol. */
function extras(ctx: MsgContext, granted: ReadonlySet<Capability>): Partial<IM.Login.IMLoginRes.$Properties> {
  return {
    capabilities: [...granted],
    serverTimeMs: ctx.clock.nowMs(),
    heartbeatS: HEARTBEAT_S,
    frameSizeMax: FRAME_SIZE_MAX,
    returnMs: Math.min(Math.ceil((ctx.sessions.count / ctx.returnsPerSecond) * 1000), RETURN_MS_MAX),
  };
}

/** Before the refusal, in words, for a client that wants to hear them. */
function complain(asked: IM.Login.IMLoginReq, session: Session, seq: number, code: ErrorCode, text?: string): void {
  if (!asked.capabilities.includes('err1')) return;
  session.send(encodeFrame(message.error, seq, { commandId: login.enter.id, seq, code, text }));
}

function refuse(
  ctx: MsgContext,
  session: Session,
  seq: number,
  resultCode: IM.BaseDefine.ResultType,
  resultString: string,
): void {
  session.welcome(
    encodeFrame(login.enter.reply, seq, { serverTime: seconds(ctx.clock.nowMs()), resultCode, resultString }),
  );
  session.close('login-refused');
  ctx.counters.logins.inc({ result: ResultType[resultCode] ?? 'refused' });
}

/** One session per user and device class: whoever was here before has to go, even if that is this one. */
function kickOlder(ctx: MsgContext, session: Session): void {
  const alike = ctx.sessions.ofUser(session.userId).filter((each) => each.deviceClass === session.deviceClass);
  // One that is only just coming in has its own turn here.
  const here = alike.filter((each) => each.online && (each === session || each.present));
  const newest = Math.max(...here.map((each) => each.loginNumber));
  for (const each of here) if (each.loginNumber < newest) each.kick(KickReasonType.KICK_REASON_DUPLICATE_USER);
}

function tellNewer(ctx: MsgContext, { userId, clientType, loginNumber }: Session): void {
  const reason = KickReasonType.KICK_REASON_DUPLICATE_USER;
  ctx.routes.tell(cluster.kickOlder, { userId, clientType, reason, loginNumber });
}

/**
 * From route: a session of this user began on another msg server, or a phone puts the PC offline. Of two that begin at
 * once, the newer may be told of before route knows that the older is anywhere; so the newer is told of once more.
 */
export function kickedElsewhere(ctx: MsgContext, told: IM.Cluster.IMKickOlder): void {
  const below = told.loginNumber ?? Number.POSITIVE_INFINITY;
  for (const session of ctx.sessions.ofUser(told.userId)) {
    if (session.deviceClass !== classOf(told.clientType)) continue;
    if (session.loginNumber < below) session.kick(told.reason);
    else if (session.online && session.present && session.loginNumber > below) tellNewer(ctx, session);
  }
}

/** A phone puts its user's PC client offline, wherever it is. */
export function kickPc(
  ctx: MsgContext,
  _asked: IM.Login.IMKickPCClientReq,
  session: Session,
): IM.Login.IMKickPCClientRsp.$Properties | undefined {
  if (session.deviceClass !== DeviceClass.DEVICE_CLASS_MOBILE) return undefined;
  const { userId } = session;
  const reason = KickReasonType.KICK_REASON_MOBILE_KICK;
  for (const other of ctx.sessions.ofUser(userId))
    if (other.deviceClass === DeviceClass.DEVICE_CLASS_PC) other.kick(reason);
  ctx.routes.tell(cluster.kickOlder, {
    userId,
    clientType: ClientType.CLIENT_TYPE_MAC,
    reason,
  });
  return { userId, resultCode: 0 };
}

/** A phone that logs out wants no more pushes, and a device that logs in by a token has to be told the password again. */
export async function leave(
  ctx: MsgContext,
  _asked: IM.Login.IMLogoutReq,
  session: Session,
  seq: number,
): Promise<void> {
  const { userId, clientType, deviceId } = session;
  session.send(encodeFrame(login.leave.reply, seq, { resultCode: 0 }));
  session.close('logout');
  if (deviceId !== undefined) await ctx.dbProxies.ask(login.removeDevice, { userId, deviceId }, userId);
  if (classOf(clientType) === DeviceClass.DEVICE_CLASS_MOBILE)
    await ctx.dbProxies.ask(login.deviceToken, { userId, deviceToken: '', clientType }, userId);
}

/** Where to push to when the phone is not connected. Answered at once; a PC has none. */
export async function deviceToken(
  ctx: MsgContext,
  asked: IM.Login.IMDeviceTokenReq,
  session: Session,
  seq: number,
): Promise<void> {
  if (session.deviceClass !== DeviceClass.DEVICE_CLASS_MOBILE) return;
  const { userId, clientType } = session;
  session.send(encodeFrame(login.deviceToken.reply, seq, { userId }));
  await ctx.dbProxies.ask(login.deviceToken, { userId, deviceToken: asked.deviceToken, clientType }, userId);
}
