import { z } from 'zod';
import { ADMIN_PAGE_MAX, GROUP_MEMBERS_MAX } from '../../../common/limits.js';
import { directory } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { idempotency } from './messages.js';
import { Problem } from './problem.js';
import {
  actorOf,
  expectedVersion,
  ifMatch,
  limit,
  pageCursor,
  problems,
  queryGroupId,
  queryUserId,
  userId,
} from './schemas.js';
import { sendIds } from './sending.js';

const { GroupType } = IM.BaseDefine;
const KIND = { fixed: GroupType.GROUP_TYPE_NORMAL, temporary: GroupType.GROUP_TYPE_TMP } as const;

const group = z
  .object({
    id: z.number(),
    name: z.string(),
    avatar: z.string(),
    kind: z.enum(['fixed', 'temporary']),
    creator: z.number().describe('0: the administration'),
    members: z.number(),
    version: z.number(),
    created: z.string(),
  })
  .meta({ id: 'Group' });
const ids = z.array(userId).max(GROUP_MEMBERS_MAX);
const params = z.object({ id: queryGroupId });
const tags = ['Groups'];

export const groups = (ctx: HttpMsgContext) => async (app: Api) => {
  app.get(
    '/groups',
    {
      config: { scope: 'groups:read' },
      schema: {
        tags,
        operationId: 'listGroups',
        summary: 'Groups, page by page',
        querystring: z.strictObject({
          search: z.string().max(64).optional().describe('in names'),
          user: queryUserId.optional().describe('that this user is in'),
          limit: limit(ADMIN_PAGE_MAX, 100),
          cursor: pageCursor,
        }),
        response: { 200: z.object({ groups: z.array(group), next: z.string().nullable() }), ...problems },
      },
    },
    async (request) => {
      const { search, user, limit, cursor: after } = request.query;
      if (search !== undefined) ctx.rates.count('api.searches', request.key.id);
      const page = await ctx.dbProxies.ask(directory.groups, { search, userId: user, limit, after });
      return { groups: page.groupList.map(shown), next: page.next ?? null };
    },
  );

  app.post(
    '/groups',
    {
      config: { scope: 'groups:write' },
      schema: {
        tags,
        operationId: 'createGroup',
        summary: 'A new group',
        headers: idempotency,
        body: z.strictObject({
          name: z.string(),
          avatar: z.string().optional(),
          kind: z.enum(['fixed', 'temporary']).default('fixed'),
          creator: userId.optional().describe('default: the administration'),
          members: ids.default([]),
        }),
        response: { 201: group, ...problems },
      },
    },
    async (request, reply) => {
      const { name, avatar, kind, creator: creatorId, members: addList } = request.body;
      const ids = await sendIds(ctx, request.key, request.headers['idempotency-key'], ['group', request.body]);
      const made = await ctx.dbProxies.ask(directory.changeGroup, {
        actor: actorOf(request),
        name,
        avatar,
        groupType: KIND[kind],
        creatorId,
        addList,
        requestId: ids.of('group'),
      });
      return reply.code(201).send(shown(made.group));
    },
  );

  app.get(
    '/groups/:id',
    {
      config: { scope: 'groups:read' },
      schema: { tags, operationId: 'getGroup', summary: 'One group', params, response: { 200: group, ...problems } },
    },
    async (request, reply) => {
      const found = await groupOf(ctx, request.params.id);
      reply.header('etag', `"${found.version}"`);
      return shown(found);
    },
  );

  app.patch(
    '/groups/:id',
    {
      config: { scope: 'groups:write' },
      schema: {
        tags,
        operationId: 'changeGroup',
        summary: 'Rename a group, or give it to somebody',
        params,
        headers: ifMatch,
        body: z.strictObject({
          name: z.string().optional(),
          avatar: z.string().optional(),
          creator: userId.optional(),
        }),
        response: { 200: group, ...problems },
      },
    },
    async (request) => {
      const { name, avatar, creator: creatorId } = request.body;
      const changed = await ctx.dbProxies.ask(directory.changeGroup, {
        actor: actorOf(request),
        groupId: request.params.id,
        expectedVersion: expectedVersion(request.headers['if-match']),
        name,
        avatar,
        creatorId,
      });
      return shown(changed.group);
    },
  );

  app.delete(
    '/groups/:id',
    {
      config: { scope: 'groups:write' },
      schema: {
        tags,
        operationId: 'disbandGroup',
        summary: 'Disband a group',
        params,
        response: { 204: z.null(), ...problems },
      },
    },
    async (request, reply) => {
      const groupId = request.params.id;
      await ctx.dbProxies.ask(directory.changeGroup, { actor: actorOf(request), groupId, disband: true });
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/groups/:id/members',
    {
      config: { scope: 'groups:read' },
      schema: {
        tags,
        operationId: 'listMembers',
        summary: 'Who is in it',
        params,
        response: {
          200: z.object({ members: z.array(z.object({ id: z.number(), name: z.string(), nick: z.string() })) }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { group, memberList } = await ctx.dbProxies.ask(directory.groupMembers, { groupId: request.params.id });
      if (group.deleted) throw noSuchGroup(request.params.id);
      return { members: memberList.map(({ userId: id, name, nick }) => ({ id, name, nick })) };
    },
  );

  app.post(
    '/groups/:id/members',
    {
      config: { scope: 'groups:write' },
      schema: {
        tags,
        operationId: 'changeMembers',
        summary: 'Take people in, or out',
        description: 'All of it or nothing. Who is in it already, or is not, stays so.',
        params,
        body: z.strictObject({ add: ids.default([]), remove: ids.default([]) }),
        response: { 200: z.object({ added: z.array(z.number()), removed: z.array(z.number()) }), ...problems },
      },
    },
    async (request) => {
      const { addedList: added, removedList: removed } = await ctx.dbProxies.ask(directory.changeGroup, {
        actor: actorOf(request),
        groupId: request.params.id,
        addList: request.body.add,
        removeList: request.body.remove,
      });
      return { added, removed };
    },
  );
};

/** @throws Problem 404 */
export async function groupOf(ctx: HttpMsgContext, id: number): Promise<IM.Directory.GroupSummary> {
  const { groupList } = await ctx.dbProxies.ask(directory.groups, { groupIdList: [id], limit: 1 });
  if (groupList[0] === undefined) throw noSuchGroup(id);
  return groupList[0];
}

function noSuchGroup(id: number): Problem {
  return new Problem(404, 'NO_SUCH_GROUP', `there is no group ${id}`);
}

function shown(it: IM.Directory.GroupSummary): z.infer<typeof group> {
  const { groupId: id, name, avatar, creatorId: creator, members, version } = it;
  const kind = it.groupType === GroupType.GROUP_TYPE_TMP ? 'temporary' : 'fixed';
  return { id, name, avatar, kind, creator, members, version, created: new Date(it.createdS * 1000).toISOString() };
}
