import { z } from 'zod';
import { ADMIN_NAME_LENGTH_MAX, ADMIN_PASSWORD_LENGTH_MAX, ADMIN_PASSWORD_LENGTH_MIN } from '../../../common/limits.js';
import { consoleAccount } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { OwnSession, SessionInfo } from '../api.js';
import { csrfOf } from '../http.js';
import { ProblemError } from '../problem.js';
import { route, WithCookie } from '../route.js';

const { EnterResult, DoneResult, TotpStep } = IM.Console;

const password = z.string().min(1).max(ADMIN_PASSWORD_LENGTH_MAX);
const code = z.string().max(16);

/** Log-in, and what everybody may do with the own account. */
export const accountRoutes = [
  route({
    method: 'POST',
    path: '/api/login',
    needs: 'public',
    body: z.strictObject({ name: z.string().min(1).max(ADMIN_NAME_LENGTH_MAX), password, code: code.default('') }),
    async handle(ctx, { body, address, agent }) {
      const entered = await ctx.dbProxies.ask(consoleAccount.enter, {
        ...body,
        address,
        agent,
        idleMs: ctx.sessionIdleMs,
        lifetimeMs: ctx.sessionMs,
      });
      if (entered.result === EnterResult.ENTER_RESULT_LOCKED)
        throw new ProblemError('LOCKED', { retryAfterMs: entered.retryAfterMs ?? 0 });
      if (entered.result === EnterResult.ENTER_RESULT_CODE_NEEDED) throw new ProblemError('CODE_NEEDED');
      if (entered.token === undefined) throw new ProblemError('WRONG_PASSWORD');
      return new WithCookie(Buffer.from(entered.token).toString('base64url'), {});
    },
  }),
  route({
    method: 'GET',
    path: '/api/session',
    needs: 'session',
    async handle(ctx, { tokenHash }): Promise<SessionInfo> {
      const found = await ctx.dbProxies.ask(consoleAccount.session, { tokenHash: tokenHash!, touch: true });
      if (found.admin === undefined) throw new ProblemError('NO_SESSION');
      return {
        admin: found.admin as SessionInfo['admin'],
        sessionId: found.sessionId!,
        csrf: csrfOf(tokenHash!),
        passwordLengthMin: ADMIN_PASSWORD_LENGTH_MIN,
      };
    },
  }),
  route({
    method: 'POST',
    path: '/api/logout',
    needs: 'session',
    async handle(ctx, { caller }) {
      await ctx.dbProxies.ask(consoleAccount.sessions, { adminId: caller.id, end: [caller.sessionId] });
      return new WithCookie('', {});
    },
  }),
  route({
    method: 'GET',
    path: '/api/account/sessions',
    needs: 'session',
    async handle(ctx, { caller }): Promise<readonly OwnSession[]> {
      return (await ctx.dbProxies.ask(consoleAccount.sessions, { adminId: caller.id })).sessionList;
    },
  }),
  route({
    method: 'POST',
    path: '/api/account/sessions/end',
    needs: 'session',
    body: z.strictObject({ ids: z.array(z.uuid()).min(1).max(100) }),
    async handle(ctx, { caller, body }): Promise<readonly OwnSession[]> {
      return (await ctx.dbProxies.ask(consoleAccount.sessions, { adminId: caller.id, end: body.ids })).sessionList;
    },
  }),
  route({
    method: 'PUT',
    path: '/api/account/password',
    needs: 'session',
    body: z.strictObject({
      oldPassword: password,
      newPassword: z.string().min(ADMIN_PASSWORD_LENGTH_MIN).max(ADMIN_PASSWORD_LENGTH_MAX),
    }),
    async handle(ctx, { caller, body, address }) {
      if (body.newPassword === body.oldPassword) throw new ProblemError('BAD_REQUEST', { field: 'newPassword' });
      const { id: adminId, sessionId } = caller;
      const { result } = await ctx.dbProxies.ask(consoleAccount.password, { adminId, sessionId, address, ...body });
      refuseUndone(result);
    },
  }),
  route({
    method: 'POST',
    path: '/api/account/codes',
    needs: 'look',
    body: z.discriminatedUnion('step', [
      z.strictObject({ step: z.literal('begin'), password }),
      z.strictObject({ step: z.literal('confirm'), code }),
      z.strictObject({ step: z.literal('off'), password }),
    ]),
    async handle(ctx, { caller, body, address }): Promise<{ uri?: string }> {
      const { result, uri } = await ctx.dbProxies.ask(consoleAccount.totp, {
        adminId: caller.id,
        address,
        step: STEPS[body.step],
        password: 'password' in body ? body.password : '',
        code: 'code' in body ? body.code : '',
      });
      refuseUndone(result);
      return uri === undefined ? {} : { uri };
    },
  }),
];

const STEPS = {
  begin: TotpStep.TOTP_STEP_BEGIN,
  confirm: TotpStep.TOTP_STEP_CONFIRM,
  off: TotpStep.TOTP_STEP_OFF,
} as const;

function refuseUndone(result: IM.Console.DoneResult): void {
  if (result === DoneResult.DONE_RESULT_WRONG_PASSWORD) throw new ProblemError('WRONG_PASSWORD');
  if (result === DoneResult.DONE_RESULT_WRONG_CODE) throw new ProblemError('WRONG_CODE');
  if (result === DoneResult.DONE_RESULT_LOCKED) throw new ProblemError('LOCKED');
}
