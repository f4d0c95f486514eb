import { z } from 'zod';
import { ADMIN_NAME_LENGTH_MAX } from '../../../common/limits.js';
import { consoleAccount } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { ROLES } from '../../../common/roles.js';
import type { AdminInfo, ProblemCode } from '../api.js';
import type { AdminContext, Caller } from '../context.js';
import { ProblemError } from '../problem.js';
import { route } from '../route.js';

const { ChangeResult } = IM.Console;

const name = z.string().trim().min(1).max(ADMIN_NAME_LENGTH_MAX);
const role = z.enum(ROLES);

/** The accounts of the console. Whether this one may change that one is decided where both are known: in db-proxy. */
export const adminRoutes = [
  route({
    method: 'GET',
    path: '/api/admins',
    needs: 'admins.look',
    async handle(ctx): Promise<readonly AdminInfo[]> {
      return (await ctx.dbProxies.ask(consoleAccount.list, {})).adminList as unknown as AdminInfo[];
    },
  }),
  route({
    method: 'POST',
    path: '/api/admins',
    needs: 'admins.change',
    body: z.strictObject({ name, role }),
    handle: (ctx, { body, caller }) => change(ctx, caller, body),
  }),
  route({
    method: 'PATCH',
    path: '/api/admins/:id',
    needs: 'admins.change',
    body: z.strictObject({
      version: z.number().int(),
      name: name.optional(),
      role: role.optional(),
      disabled: z.boolean().optional(),
      reset: z.boolean().optional(),
    }),
    handle: (ctx, { body, caller, params }) => change(ctx, caller, { ...body, id: params.id! }),
  }),
];

type Change = Omit<IM.Console.IMAdminChangeReq.$Properties, 'actorId' | 'address'>;

async function change(
  ctx: AdminContext,
  caller: Caller,
  asked: Change,
): Promise<{ admin: AdminInfo; password?: string | undefined }> {
  const { result, admin, password } = await ctx.dbProxies.ask(consoleAccount.change, {
    ...asked,
    actorId: caller.id,
    address: caller.address,
  });
  const refused = REFUSED[result];
  if (refused !== undefined) throw new ProblemError(refused, admin === undefined ? {} : { current: admin });
  return { admin: admin as unknown as AdminInfo, password };
}

const REFUSED: Readonly<Partial<Record<IM.Console.ChangeResult, ProblemCode>>> = {
  [ChangeResult.CHANGE_RESULT_CONFLICT]: 'CONFLICT',
  [ChangeResult.CHANGE_RESULT_NAME_TAKEN]: 'NAME_TAKEN',
  [ChangeResult.CHANGE_RESULT_LAST_OWNER]: 'LAST_OWNER',
  [ChangeResult.CHANGE_RESULT_NOT_FOUND]: 'NOT_FOUND',
  [ChangeResult.CHANGE_RESULT_NOT_ALLOWED]: 'NOT_ALLOWED',
};
