import { DEVICE_TOKEN_SIZE_MAX, PASSWORD_LENGTH_MAX, USER_NAME_LENGTH_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import { PUSH } from '../storage/pushes.js';
import { canBeKept, userInfo } from './buddy.js';

/** Results and texts as TeamTalk clients know them. */
const TEXT = { ok: '成功', wrong: '用户名/密码错误', locked: '用户名/密码错误次数太多' } as const;
const CODE = { wrong: 1, locked: 6 } as const;

export async function validate(
  ctx: DbProxyContext,
  asked: IM.Server.IMValidateReq,
): Promise<IM.Server.IMValidateRsp.$Properties> {
  const { userName, password } = asked;
  const tooLong = userName.length > USER_NAME_LENGTH_MAX || password.length > PASSWORD_LENGTH_MAX;
  // PostgreSQL has no text with a NUL in it, so nobody has such a name.
  if (tooLong || userName.includes('\0')) return { userName, resultCode: CODE.wrong, resultString: TEXT.wrong };
  const result = await ctx.passwords.check(userName, password, asked.clientAddress ?? '');
  if (!result.ok) return { userName, resultCode: CODE[result.why], resultString: TEXT[result.why] };
  const entered = await ctx.users.enter(result.userId);
  if (entered === undefined) return { userName, resultCode: CODE.wrong, resultString: TEXT.wrong };
  const { user, loginNumber } = entered;
  return { userName, resultCode: 0, resultString: TEXT.ok, userInfo: userInfo(user), loginNumber };
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
