import { z } from 'zod';
import { directory } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { idempotency } from './messages.js';
import { actorOf, expectedVersion, ifMatch, problems } from './schemas.js';
import { sendIds } from './sending.js';

const fields = {
  name: z.string(),
  parent: z.int().min(0).describe('id; 0: a top department'),
  priority: z.int().min(0).describe('order among those with the same parent, lowest first'),
};
const department = z
  .object({ id: z.number(), ...fields, people: z.number().describe('in it itself'), version: z.number() })
  .meta({ id: 'Department' });
const written = z.strictObject(fields);
const params = z.object({ id: z.coerce.number().int().min(1).max(0x7fff_ffff) });
const tags = ['Departments'];

export const departments = (ctx: HttpMsgContext) => async (app: Api) => {
  app.get(
    '/departments',
    {
      config: { scope: 'departments:read' },
      schema: {
        tags,
        operationId: 'listDepartments',
        summary: 'All departments',
        response: { 200: z.object({ departments: z.array(department) }), ...problems },
      },
    },
    async () => {
      const { departmentList } = await ctx.dbProxies.ask(directory.departmentTree, {});
      return { departments: departmentList.map(shown) };
    },
  );

  app.post(
    '/departments',
    {
      config: { scope: 'departments:write' },
      schema: {
        tags,
        operationId: 'createDepartment',
        summary: 'A new department',
        headers: idempotency,
        body: written.partial().required({ name: true }),
        response: { 201: department, ...problems },
      },
    },
    async (request, reply) => {
      const { name, parent: parentId, priority } = request.body;
      const ids = await sendIds(ctx, request.key, request.headers['idempotency-key'], ['department', request.body]);
      const made = await ctx.dbProxies.ask(directory.changeDepartment, {
        actor: actorOf(request),
        name,
        parentId,
        priority,
        requestId: ids.of('department'),
      });
      return reply.code(201).send(shown(made.department));
    },
  );

  app.patch(
    '/departments/:id',
    {
      config: { scope: 'departments:write' },
      schema: {
        tags,
        operationId: 'changeDepartment',
        summary: 'Rename or move a department',
        params,
        headers: ifMatch,
        body: written.partial(),
        response: { 200: department, ...problems },
      },
    },
    async (request) => {
      const { name, parent: parentId, priority } = request.body;
      const changed = await ctx.dbProxies.ask(directory.changeDepartment, {
        actor: actorOf(request),
        departmentId: request.params.id,
        expectedVersion: expectedVersion(request.headers['if-match']),
        name,
        parentId,
        priority,
      });
      return shown(changed.department);
    },
  );

  app.delete(
    '/departments/:id',
    {
      config: { scope: 'departments:write' },
      schema: {
        tags,
        operationId: 'removeDepartment',
        summary: 'Remove a department that has nothing in it',
        params,
        response: { 204: z.null(), ...problems },
      },
    },
    async (request, reply) => {
      const departmentId = request.params.id;
      await ctx.dbProxies.ask(directory.changeDepartment, { actor: actorOf(request), departmentId, remove: true });
      return reply.code(204).send(null);
    },
  );
};

function shown(it: IM.Directory.DepartmentNode): z.infer<typeof department> {
  const { departmentId: id, name, parentId: parent, priority, people, version } = it;
  return { id, name, parent, priority, people, version };
}
