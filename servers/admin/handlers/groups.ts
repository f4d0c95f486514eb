import { z } from 'zod';
import { GROUP_MEMBERS_MAX, GROUP_NAME_SIZE_MAX } from '../../../common/limits.js';
import { directory } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { Group, GroupDetails, GroupPage, Person } from '../api.js';
import { givenUp } from '../conflict.js';
import type { AdminContext } from '../context.js';
import { route } from '../route.js';
import { requestId } from './users.js';

const { GroupType } = IM.BaseDefine;

const PAGE_MAX = 200;
const name = z.string().trim().min(1).max(GROUP_NAME_SIZE_MAX);
const ids = z.array(z.number().int().min(1)).max(GROUP_MEMBERS_MAX);

export const groupRoutes = [
  route({
    method: 'GET',
    path: '/api/groups',
    needs: 'look',
    query: z.strictObject({
      search: z.string().max(GROUP_NAME_SIZE_MAX).optional(),
      after: z.string().max(20).optional(),
      limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(50),
      type: z.enum(['normal', 'temporary']).optional(),
    }),
    async handle(ctx, { query: { search, after, limit, type }, caller }): Promise<GroupPage> {
      if (search !== undefined) ctx.rates.count('console.searches', String(caller.id));
      const groupType = type && (type === 'normal' ? GroupType.GROUP_TYPE_NORMAL : GroupType.GROUP_TYPE_TMP);
      const page = await ctx.dbProxies.ask(directory.groups, { search, after, limit, groupType, count: true });
      return { groups: page.groupList as Group[], next: page.next, total: page.total ?? 0 };
    },
  }),
  route({
    method: 'GET',
    path: '/api/groups/:id',
    needs: 'look',
    handle: (ctx, { params }) => details(ctx, params.id!),
  }),
  route({
    method: 'POST',
    path: '/api/groups',
    needs: 'directory.change',
    body: z.strictObject({ name, members: ids }),
    handle: (ctx, { caller, body }) =>
      ctx.dbProxies.ask(directory.changeGroup, {
        actor: caller.actor,
        name: body.name,
        addList: body.members,
        requestId: requestId(),
      }),
  }),
  route({
    method: 'PATCH',
    path: '/api/groups/:id',
    needs: 'directory.change',
    body: z.strictObject({
      version: z.number().int(),
      name: name.optional(),
      add: ids.default([]),
      remove: ids.default([]),
      disband: z.literal(true).optional(),
    }),
    handle: (ctx, { caller, params, body }) =>
      givenUp(
        ctx.dbProxies.ask(directory.changeGroup, {
          actor: caller.actor,
          groupId: params.id!,
          expectedVersion: body.version,
          name: body.name,
          addList: body.add,
          removeList: body.remove,
          disband: body.disband,
          requestId: requestId(),
        }),
        () => details(ctx, params.id!),
      ),
  }),
];

async function details(ctx: AdminContext, groupId: number): Promise<GroupDetails> {
  const { group, memberList } = await ctx.dbProxies.ask(directory.groupMembers, { groupId });
  return { group: group as Group, members: memberList as Person[] };
}
