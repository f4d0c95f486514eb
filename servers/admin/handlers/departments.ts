import { z } from 'zod';
import { DEPARTMENT_NAME_LENGTH_MAX } from '../../../common/limits.js';
import { directory } from '../../../common/pdu/commands.js';
import type { Department } from '../api.js';
import { givenUp } from '../conflict.js';
import type { AdminContext } from '../context.js';
import { route } from '../route.js';
import { requestId } from './users.js';

const name = z.string().trim().min(1).max(DEPARTMENT_NAME_LENGTH_MAX);
const id = z.number().int().min(0);

export const departmentRoutes = [
  route({
    method: 'GET',
    path: '/api/departments',
    needs: 'look',
    handle: (ctx): Promise<readonly Department[]> => all(ctx),
  }),
  route({
    method: 'POST',
    path: '/api/departments',
    needs: 'directory.change',
    body: z.strictObject({ name, parentId: id, priority: id }),
    handle: (ctx, { caller, body }) =>
      ctx.dbProxies.ask(directory.changeDepartment, { actor: caller.actor, ...body, requestId: requestId() }),
  }),
  route({
    method: 'PATCH',
    path: '/api/departments/:id',
    needs: 'directory.change',
    body: z.strictObject({
      version: id,
      name: name.optional(),
      parentId: id.optional(),
      priority: id.optional(),
      remove: z.literal(true).optional(),
    }),
    handle: (ctx, { caller, params, body: { version, ...change } }) =>
      givenUp(
        ctx.dbProxies.ask(directory.changeDepartment, {
          actor: caller.actor,
          departmentId: params.id!,
          expectedVersion: version,
          ...change,
          requestId: requestId(),
        }),
        async () => (await all(ctx)).find((each) => each.departmentId === params.id),
      ),
  }),
];

async function all(ctx: AdminContext): Promise<Department[]> {
  return (await ctx.dbProxies.ask(directory.departmentTree, {})).departmentList as Department[];
}
