import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ADMIN_PAGE_MAX, API_BODY_SIZE_MAX } from '../../../common/limits.js';
import { directory } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import { actorOf } from '../api/schemas.js';
import { LEFT, personOf, STATUS } from '../api/users.js';
import type { HttpMsgContext } from '../context.js';
import { PAGE_MAX, resourceTypes, schemas, serviceProviderConfig } from './about.js';
import { ScimError, sendScimError } from './errors.js';
import { type Condition, parseFilter } from './filter.js';
import { type GroupWish, patchedGroup, scimGroup, wishOf } from './groups.js';
import { changesOf } from './patch.js';
import { fieldsOfUser, patchedUser, scimUser } from './users.js';

const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
const query = z.object({
  filter: z.string().max(1000).optional(),
  startIndex: z.coerce.number().int().catch(1).default(1),
  count: z.coerce.number().int().min(0).default(100),
});
const config = { scope: 'scim' } as const;
type WithId = { Params: { id: string } };

/**
 * SCIM 2.0 (RFC 7643, 7644), for directories that bring their people and groups along. Users of SCIM are users here,
 * groups are groups of the administration. Who is deleted has left: still there, and not active.
 */
export function scim(ctx: HttpMsgContext) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addContentTypeParser(
      'application/scim+json',
      { parseAs: 'string', bodyLimit: API_BODY_SIZE_MAX },
      app.getDefaultJsonParser('error', 'error'),
    );
    app.setErrorHandler((error, _request, reply) => sendScimError(reply, error));
    app.addHook('preSerialization', async (_request, reply, payload) => {
      reply.type('application/scim+json');
      return payload;
    });
    const hidden = { config, schema: { hide: true } };
    app.get('/ServiceProviderConfig', hidden, async (request) => serviceProviderConfig(baseOf(request)));
    app.get('/ResourceTypes', hidden, async (request) => listed(resourceTypes(baseOf(request))));
    app.get('/Schemas', hidden, async (request) => listed(schemas(baseOf(request))));
    users(ctx, app, hidden);
    groups(ctx, app, hidden);
  };
}

function users(ctx: HttpMsgContext, app: FastifyInstance, hidden: object): void {
  const change = async (
    request: FastifyRequest,
    userId: number | undefined,
    fields: IM.Directory.PersonFields.$Properties,
  ) => {
    const changed = await ctx.dbProxies.ask(directory.changePerson, { actor: actorOf(request), userId, fields });
    return scimUser(changed.person, baseOf(request));
  };

  app.get('/Users', hidden, async (request) => {
    const { conditions, from, count } = askedOf(request);
    const base = baseOf(request);
    const asked = {
      name: textOf(conditions, 'username'),
      userIdList: idsOf(conditions),
      statusList: statusesOf(conditions),
    };
    const email = textOf(conditions, 'emails.value') ?? textOf(conditions, 'emails');
    refuseOthers(conditions, ['username', 'id', 'active', 'emails.value', 'emails', 'displayname']);
    const nick = textOf(conditions, 'displayname');
    const search = email ?? nick;
    if (search !== undefined) ctx.rates.count('api.searches', request.key.id);
    const fits = (it: IM.Directory.Person) =>
      (email === undefined || it.email === email) && (nick === undefined || it.nick === nick);
    const page = async (after: string | undefined) => {
      const found = await ctx.dbProxies.ask(directory.people, { ...asked, search, limit: ADMIN_PAGE_MAX, after });
      return { items: found.personList.filter(fits), next: found.next ?? undefined };
    };
    return window(page, from, count, (it) => scimUser(it, base));
  });
  app.get<WithId>('/Users/:id', hidden, async (request) =>
    scimUser(await personOf(ctx, idOf(request)), baseOf(request)),
  );
  app.post('/Users', hidden, async (request, reply) => {
    const made = await change(request, undefined, fieldsOfUser(request.body));
    return reply.code(201).header('location', made.meta.location).send(made);
  });
  app.put<WithId>('/Users/:id', hidden, async (request) => {
    const before = await personOf(ctx, idOf(request));
    return change(request, before.userId, fieldsOfUser(request.body, before));
  });
  app.patch<WithId>('/Users/:id', hidden, async (request) => {
    const before = await personOf(ctx, idOf(request));
    return change(request, before.userId, patchedUser(changesOf(request.body), before));
  });
  app.delete<WithId>('/Users/:id', hidden, async (request, reply) => {
    const before = await personOf(ctx, idOf(request));
    await change(
      request,
      before.userId,
      patchedUser([{ op: 'replace', path: 'active', selected: undefined, value: false }], before),
    );
    return reply.code(204).send();
  });
}

function groups(ctx: HttpMsgContext, app: FastifyInstance, hidden: object): void {
  const read = async (groupId: number) => {
    const { group, memberList } = await ctx.dbProxies.ask(directory.groupMembers, { groupId });
    if (group.deleted) throw new ScimError(404, `there is no group ${groupId}`);
    return { group, memberList, ids: memberList.map((each) => each.userId) };
  };
  const change = async (request: FastifyRequest, groupId: number | undefined, { name, add, remove }: GroupWish) => {
    const { group } = await ctx.dbProxies.ask(directory.changeGroup, {
      actor: actorOf(request),
      groupId,
      name,
      addList: add,
      removeList: remove,
    });
    const after = await read(group.groupId);
    return scimGroup(after.group, baseOf(request), after.memberList);
  };

  app.get('/Groups', hidden, async (request) => {
    const { conditions, from, count } = askedOf(request);
    const base = baseOf(request);
    refuseOthers(conditions, ['displayname', 'id', 'members.value', 'members']);
    const name = textOf(conditions, 'displayname');
    if (name !== undefined) ctx.rates.count('api.searches', request.key.id);
    const member = textOf(conditions, 'members.value') ?? textOf(conditions, 'members');
    const asked = {
      search: name,
      groupIdList: idsOf(conditions),
      userId: member === undefined ? undefined : Number(member),
    };
    const page = async (after: string | undefined) => {
      const found = await ctx.dbProxies.ask(directory.groups, { ...asked, limit: ADMIN_PAGE_MAX, after });
      return {
        items: found.groupList.filter((it) => name === undefined || it.name === name),
        next: found.next ?? undefined,
      };
    };
    return window(page, from, count, (it) => scimGroup(it, base));
  });
  app.get<WithId>('/Groups/:id', hidden, async (request) => {
    const { group, memberList } = await read(idOf(request));
    return scimGroup(group, baseOf(request), memberList);
  });
  app.post('/Groups', hidden, async (request, reply) => {
    const made = await change(request, undefined, wishOf(request.body, []));
    return reply.code(201).header('location', made.meta.location).send(made);
  });
  app.put<WithId>('/Groups/:id', hidden, async (request) => {
    const { group, ids } = await read(idOf(request));
    return change(request, group.groupId, wishOf(request.body, ids));
  });
  app.patch<WithId>('/Groups/:id', hidden, async (request, reply) => {
    const { group, ids } = await read(idOf(request));
    return reply.send(await change(request, group.groupId, patchedGroup(changesOf(request.body), ids)));
  });
  app.delete<WithId>('/Groups/:id', hidden, async (request, reply) => {
    const groupId = idOf(request);
    await ctx.dbProxies.ask(directory.changeGroup, { actor: actorOf(request), groupId, disband: true });
    return reply.code(204).send();
  });
}

/** SCIM counts places where we have cursors, so pages before the one asked for are walked over. */
async function window<T>(
  page: (after: string | undefined) => Promise<{ items: T[]; next: string | undefined }>,
  from: number,
  count: number,
  shown: (it: T) => object,
) {
  const found: T[] = [];
  let total = 0;
  let after: string | undefined;
  do {
    const { items, next } = await page(after);
    for (const it of items) {
      total++;
      if (total >= from && found.length < count) found.push(it);
    }
    after = next;
  } while (after !== undefined);
  return listed(found.map(shown), total, from);
}

function listed(resources: readonly object[], totalResults = resources.length, startIndex = 1) {
  return { schemas: [LIST], totalResults, startIndex, itemsPerPage: resources.length, Resources: resources };
}

function askedOf(request: FastifyRequest) {
  const parsed = query.safeParse(request.query);
  if (!parsed.success) throw new ScimError(400, z.prettifyError(parsed.error), 'invalidValue');
  const { filter, startIndex, count } = parsed.data;
  return { conditions: parseFilter(filter), from: Math.max(1, startIndex), count: Math.min(count, PAGE_MAX) };
}

function textOf(conditions: readonly Condition[], attribute: string): string | undefined {
  const found = conditions.find((each) => each.attribute === attribute);
  return found === undefined ? undefined : String(found.value);
}

/** One that nobody has, where there can be none. */
function idsOf(conditions: readonly Condition[]): number[] {
  const id = textOf(conditions, 'id');
  return id === undefined ? [] : [/^\d{1,9}$/.test(id) ? Number(id) : 0x7fff_ffff];
}

function statusesOf(conditions: readonly Condition[]): number[] {
  const active = conditions.find((each) => each.attribute === 'active');
  if (active === undefined) return [];
  const leaving = active.value === false;
  return STATUS.flatMap((_, status) => ((status === LEFT) === leaving ? [status] : []));
}

function refuseOthers(conditions: readonly Condition[], known: readonly string[]): void {
  const other = conditions.find((each) => !known.includes(each.attribute));
  if (other !== undefined) throw new ScimError(400, `filter: ${other.attribute} cannot be asked for`, 'invalidFilter');
}

function idOf(request: FastifyRequest<WithId>): number {
  const { id } = request.params;
  if (!/^\d{1,9}$/.test(id) || Number(id) === 0) throw new ScimError(404, `there is no ${id.slice(0, 40)}`);
  return Number(id);
}

function baseOf(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}/scim/v2`;
}
