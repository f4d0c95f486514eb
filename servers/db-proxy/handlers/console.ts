import { ImError } from '../../../common/errors.js';
import { ADMIN_NAME_LENGTH_MAX, ADMIN_PASSWORD_LENGTH_MAX, ADMIN_PASSWORD_LENGTH_MIN } from '../../../common/limits.js';
import { IM } from '../../../common/pdu/pb.js';
import { isRole } from '../../../common/roles.js';
import type { DbProxyContext } from '../context.js';
import type { Checked } from '../storage/admin-logins.js';
import type { AdminChanged } from '../storage/admins.js';

const { EnterResult, DoneResult, ChangeResult, TotpStep } = IM.Console;

const AGENT_LENGTH_MAX = 256;

const ENTERED = {
  ok: EnterResult.ENTER_RESULT_OK,
  wrong: EnterResult.ENTER_RESULT_WRONG,
  locked: EnterResult.ENTER_RESULT_LOCKED,
  'code-needed': EnterResult.ENTER_RESULT_CODE_NEEDED,
} as const;

const DONE: Readonly<Record<Checked, IM.Console.DoneResult>> = {
  ok: DoneResult.DONE_RESULT_OK,
  'wrong-password': DoneResult.DONE_RESULT_WRONG_PASSWORD,
  'wrong-code': DoneResult.DONE_RESULT_WRONG_CODE,
  locked: DoneResult.DONE_RESULT_LOCKED,
};

const CHANGED: Readonly<Record<AdminChanged['result'], IM.Console.ChangeResult>> = {
  ok: ChangeResult.CHANGE_RESULT_OK,
  conflict: ChangeResult.CHANGE_RESULT_CONFLICT,
  'name-taken': ChangeResult.CHANGE_RESULT_NAME_TAKEN,
  'last-owner': ChangeResult.CHANGE_RESULT_LAST_OWNER,
  'not-found': ChangeResult.CHANGE_RESULT_NOT_FOUND,
  'not-allowed': ChangeResult.CHANGE_RESULT_NOT_ALLOWED,
};

export async function enter(
  ctx: DbProxyContext,
  asked: IM.Console.IMAdminEnterReq,
): Promise<IM.Console.IMAdminEnterRsp.$Properties> {
  const tooLong = asked.name.length > ADMIN_NAME_LENGTH_MAX || asked.password.length > ADMIN_PASSWORD_LENGTH_MAX;
  // PostgreSQL has no text with a NUL in it, so nobody has such a name.
  if (tooLong || asked.name.includes('\0')) return { result: ENTERED.wrong };
  const agent = asked.agent.replaceAll('\0', '').slice(0, AGENT_LENGTH_MAX);
  const entered = await ctx.adminLogins.enter({ ...asked, agent });
  return {
    result: ENTERED[entered.result],
    ...(entered.result === 'ok' ? { token: entered.token } : {}),
    ...(entered.result === 'locked' ? { retryAfterMs: entered.retryAfterMs } : {}),
  };
}

export async function session(
  ctx: DbProxyContext,
  asked: IM.Console.IMAdminSessionReq,
): Promise<IM.Console.IMAdminSessionRsp.$Properties> {
  const found = await ctx.adminLogins.sessionOf(asked.tokenHash, asked.touch);
  return found === undefined ? {} : { admin: found.admin, sessionId: found.sessionId };
}

export async function sessions(
  ctx: DbProxyContext,
  asked: IM.Console.IMAdminSessionsReq,
): Promise<IM.Console.IMAdminSessionsRsp.$Properties> {
  return { sessionList: await ctx.adminLogins.sessions(asked.adminId, asked.end) };
}

export async function password(
  ctx: DbProxyContext,
  asked: IM.Console.IMAdminPasswordReq,
): Promise<IM.Console.IMAdminDoneRsp.$Properties> {
  const { length } = asked.newPassword;
  if (length < ADMIN_PASSWORD_LENGTH_MIN || length > ADMIN_PASSWORD_LENGTH_MAX)
    throw new ImError(
      'BAD_REQUEST',
      `a password has ${ADMIN_PASSWORD_LENGTH_MIN} to ${ADMIN_PASSWORD_LENGTH_MAX} characters`,
    );
  return { result: DONE[await ctx.adminLogins.changePassword(asked)] };
}

export async function totp(
  ctx: DbProxyContext,
  asked: IM.Console.IMAdminTotpReq,
): Promise<IM.Console.IMAdminTotpRsp.$Properties> {
  const { adminId, address } = asked;
  switch (asked.step) {
    case TotpStep.TOTP_STEP_BEGIN: {
      const begun = await ctx.adminLogins.beginCodes(adminId, asked.password, address);
      return typeof begun === 'string' ? { result: DONE[begun] } : { result: DONE.ok, uri: begun.uri };
    }
    case TotpStep.TOTP_STEP_CONFIRM:
      return { result: DONE[await ctx.adminLogins.confirmCodes(adminId, asked.code, address)] };
    case TotpStep.TOTP_STEP_OFF:
      return { result: DONE[await ctx.adminLogins.endCodes(adminId, asked.password, address)] };
  }
}

export async function list(ctx: DbProxyContext): Promise<IM.Console.IMAdminListRsp.$Properties> {
  return { adminList: await ctx.admins.list() };
}

export async function change(
  ctx: DbProxyContext,
  asked: IM.Console.IMAdminChangeReq,
): Promise<IM.Console.IMAdminChangeRsp.$Properties> {
  const { id, version, name, role, disabled, actorId, address } = asked;
  if (name !== undefined && (name.trim() === '' || name.length > ADMIN_NAME_LENGTH_MAX || name.includes('\0')))
    throw new ImError('BAD_REQUEST', `a name has 1 to ${ADMIN_NAME_LENGTH_MAX} characters`);
  if (role !== undefined && !isRole(role)) throw new ImError('BAD_REQUEST', `${role} is no role`);
  if (id === undefined && (name === undefined || role === undefined))
    throw new ImError('BAD_REQUEST', 'a new account needs a name and a role');
  const changed = await ctx.admins.change(
    { id: actorId, address },
    { id, version, name, role, disabled, reset: asked.reset === true },
  );
  return {
    result: CHANGED[changed.result],
    ...('admin' in changed ? { admin: changed.admin } : {}),
    ...('password' in changed ? { password: changed.password } : {}),
  };
}
