import {
  DEVICE_ID_LENGTH_MAX,
  DEVICE_NAME_LENGTH_MAX,
  DEVICE_TOKEN_SIZE_MAX,
  PASSWORD_LENGTH_MAX,
  USER_NAME_LENGTH_MAX,
} from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { Device, FreshToken } from '../storage/login-tokens.js';
import { PUSH } from '../storage/pushes.js';
import { canBeKept, userInfo } from './buddy.js';
import { enterByPassword } from './person.js';

/** Results and texts as TeamTalk clients know them. */
const TEXT = {
  ok: '成功',
  wrong: '用户名/密码错误',
  locked: '用户名/密码错误次数太多',
  signIn: '请重新登录公司账号',
} as const;
const CODE = { wrong: 1, locked: 6 } as const;

const SIGN_IN_CODE_LENGTH_MAX = 64;
const VERIFIER_SIZE_MIN = 32;

export async function validate(
  ctx: DbProxyContext,
  asked: IM.Server.IMValidateReq,
): Promise<IM.Server.IMValidateRsp.$Properties> {
  if (asked.traceparent == null) return decide(ctx, asked);
  const span = ctx.telemetry?.goOn('check the log-in', asked.traceparent);
  let problem: string | undefined = 'not decided';
  try {
    const verdict = await decide(ctx, asked);
    problem = verdict.resultCode === 0 ? undefined : 'refused';
    return verdict;
  } finally {
    span?.end({ 'teamtalk.token': asked.token != null }, problem);
  }
}

async function decide(
  ctx: DbProxyContext,
  asked: IM.Server.IMValidateReq,
): Promise<IM.Server.IMValidateRsp.$Properties> {
  const { userName, password } = asked;
  const tooLong = userName.length > USER_NAME_LENGTH_MAX || password.length > PASSWORD_LENGTH_MAX;
  // PostgreSQL has no text with a NUL in it, so nobody has such a name.
  if (tooLong || userName.includes('\0')) return { userName, resultCode: CODE.wrong, resultString: TEXT.wrong };
  const device = asked.device == null ? undefined : deviceOf(asked.device);
  const admitted = await admit(ctx, asked, device);
  if (!admitted.ok) return { userName, resultCode: CODE[admitted.why], resultString: TEXT[admitted.why] };
  const entered = await ctx.users.enter(admitted.userId);
  if (entered === undefined) return { userName, resultCode: CODE.wrong, resultString: TEXT.signIn };
  const { user, loginNumber } = entered;
  const { fresh } = admitted;
  const answer = { userName, resultCode: 0, resultString: TEXT.ok, userInfo: userInfo(user), loginNumber };
  return { ...answer, token: fresh?.token, tokenExpiresMs: fresh?.expiresMs };
}

type Admitted =
  | { readonly ok: true; readonly userId: number; readonly fresh: FreshToken | undefined }
  | { readonly ok: false; readonly why: keyof typeof CODE };

/** By what he comes with: a token, a code, the password of the company's directory, or his own. */
async function admit(
  ctx: DbProxyContext,
  asked: IM.Server.IMValidateReq,
  device: Device | undefined,
): Promise<Admitted> {
  const { userName, token, signInCode, clearPassword } = asked;
  const address = asked.clientAddress ?? '';
  const wrong = { ok: false, why: 'wrong' } as const;
  if (token != null) {
    const result = device && (await ctx.loginTokens.enter(userName, device.deviceId, token));
    if (result?.ok === false && result.stolen !== undefined) endDevice(ctx, result.stolen);
    const why = await ctx.passwords.tokenShown(result?.ok === true, address);
    return result?.ok === true ? result : { ok: false, why };
  }
  if (signInCode == null && clearPassword == null) {
    const result = await ctx.passwords.check(userName, asked.password, address);
    if (!result.ok) return result;
    return {
      ok: true,
      userId: result.userId,
      fresh: device && (await ctx.loginTokens.issue(result.userId, result, device)),
    };
  }
  if (device === undefined) return wrong; // it is a token that these are for
  const vouched =
    signInCode == null
      ? await enterByPassword(ctx, userName, clearPassword ?? '', address)
      : await byCode(ctx, signInCode, asked.codeVerifier, address);
  if (!vouched.ok) return { ok: false, why: vouched.why === 'locked' ? 'locked' : 'wrong' };
  const { userId } = vouched;
  return { ok: true, userId, fresh: await ctx.loginTokens.issue(userId, undefined, device) };
}

/** A wrong one counts as a wrong token does. */
async function byCode(
  ctx: DbProxyContext,
  code: string,
  verifier: Uint8Array | null | undefined,
  address: string,
): Promise<{ ok: true; userId: number } | { ok: false; why: 'wrong' | 'locked' }> {
  const possible = code.length <= SIGN_IN_CODE_LENGTH_MAX && verifier != null && verifier.length >= VERIFIER_SIZE_MIN;
  const userId = possible ? await ctx.personSessions.useCode(code, verifier) : undefined;
  const why = await ctx.passwords.tokenShown(userId !== undefined, address);
  return userId === undefined ? { ok: false, why } : { ok: true, userId };
}

/** The user's own devices, for himself. */
export async function devices(
  ctx: DbProxyContext,
  { userId, deviceId: asking }: IM.Login.IMDeviceListReq,
): Promise<IM.Login.IMDeviceListRsp.$Properties> {
  const known = await ctx.loginTokens.ofUser(userId);
  return { userId, deviceList: known.map((each) => ({ ...each, current: each.deviceId === asking })) };
}

export async function removeDevice(
  ctx: DbProxyContext,
  { userId, deviceId }: IM.Login.IMDeviceRemoveReq,
): Promise<IM.Login.IMDeviceRemoveRsp.$Properties> {
  const removed = isOneLine(deviceId) && (await ctx.loginTokens.remove(userId, deviceId));
  if (removed) endDevice(ctx, { userId, deviceId });
  return { userId, resultCode: removed ? 0 : 1 };
}

/** The session of a device that has just been logged out ends, wherever it is. */
export function endDevice(ctx: DbProxyContext, device: { userId: number; deviceId: string }): void {
  ctx.tellMsgServers({ endedDeviceList: [device] });
}

/** Undefined: it calls itself by no id that can be kept, so it gets no token. */
function deviceOf({ deviceId, deviceName, clientType }: IM.BaseDefine.DeviceInfo.$Properties): Device | undefined {
  if (deviceId === '' || deviceId.length > DEVICE_ID_LENGTH_MAX || !isOneLine(deviceId)) return undefined;
  return { deviceId, deviceName: isOneLine(deviceName) ? deviceName.slice(0, DEVICE_NAME_LENGTH_MAX) : '', clientType };
}

/** What is none is no device's: PostgreSQL has no text with a NUL in it. */
export function isOneLine(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return !/[\x00-\x1f\x7f]/.test(text);
}

export async function getPushShield(
  ctx: DbProxyContext,
  asked: IM.Login.IMQueryPushShieldReq,
): Promise<IM.Login.IMQueryPushShieldRsp.$Properties> {
  const shieldStatus = await ctx.users.pushShield(asked.userId);
  return shieldStatus === undefined
    ? { userId: asked.userId, resultCode: 1 }
    : { userId: asked.userId, resultCode: 0, shieldStatus };
}

export async function setPushShield(
  ctx: DbProxyContext,
  asked: IM.Login.IMPushShieldReq,
): Promise<IM.Login.IMPushShieldRsp.$Properties> {
  const shieldStatus = asked.shieldStatus === 0 ? 0 : 1;
  const done = await ctx.users.setPushShield(asked.userId, shieldStatus);
  return done ? { userId: asked.userId, resultCode: 0, shieldStatus } : { userId: asked.userId, resultCode: 1 };
}

/** Remembers where to push to; an empty token forgets it. */
export async function deviceToken(
  ctx: DbProxyContext,
  asked: IM.Login.IMDeviceTokenReq,
): Promise<IM.Login.IMDeviceTokenRsp.$Properties> {
  const { userId, deviceToken: token, clientType } = asked;
  if (clientType !== undefined && canBeKept(token, DEVICE_TOKEN_SIZE_MAX)) {
    await ctx.devices.setToken(userId, clientType, token);
    // As long as there is no phone at all, messages leave nothing for push servers.
    if (token !== '' && (await ctx.outbox.consumerOf(PUSH)) === undefined) await ctx.outbox.register(PUSH);
  }
  return { userId };
}
