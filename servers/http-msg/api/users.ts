import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ADMIN_PAGE_MAX, DEVICE_ID_LENGTH_MAX } from '../../../common/limits.js';
import { directory } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { idempotency } from './messages.js';
import { Problem } from './problem.js';
import { actorOf, expectedVersion, ifMatch, limit, pageCursor, problems, queryUserId } from './schemas.js';
import { sendIds } from './sending.js';

/** As db-proxy numbers them. */
export const STATUS = ['active', 'trial', 'regular', 'left', 'intern'] as const;
const SEX = ['unknown', 'male', 'female'] as const;
export const LEFT = STATUS.indexOf('left');

const fields = {
  name: z.string().describe('what one logs in with'),
  nick: z.string().describe('how others see it'),
  domain: z.string(),
  sex: z.enum(SEX),
  phone: z.string(),
  email: z.string(),
  avatar: z.string().describe('URL, or path in the file store'),
  department: z.int().min(0).describe('id; 0: none'),
  status: z.enum(STATUS).describe('"left" ends all sessions and lets nobody log in'),
  signature: z.string(),
};
const person = z.object({ id: z.number(), ...fields, version: z.number(), created: z.string() }).meta({ id: 'User' });
const device = z
  .object({
    id: z.string(),
    name: z.string().describe('as it calls itself'),
    type: z.string(),
    created: z.string().describe('when the password was given there'),
    used: z.string().describe('the last log-in, to a day'),
    expires: z.string(),
  })
  .meta({ id: 'Device' });
const TYPES: Readonly<Record<number, string>> = { 1: 'windows', 2: 'mac', 17: 'ios', 18: 'android' };
const written = z.strictObject({
  ...fields,
  password: z
    .string()
    .min(1)
    .max(128)
    .describe('changing it ends all sessions; somebody new without one cannot log in'),
});
const changes = written.partial();
const params = z.object({ id: queryUserId });
const tags = ['Users'];

export const users = (ctx: HttpMsgContext) => async (app: Api) => {
  app.get(
    '/users',
    {
      config: { scope: 'users:read' },
      schema: {
        tags,
        operationId: 'listUsers',
        summary: 'People, page by page',
        querystring: z.strictObject({
          search: z.string().max(64).optional().describe('in names, phone and e-mail'),
          name: z.string().max(64).optional().describe('who logs in with exactly this'),
          department: z.coerce.number().int().min(1).optional().describe('with all below it'),
          status: z.enum(STATUS).optional(),
          limit: limit(ADMIN_PAGE_MAX, 100),
          cursor: pageCursor,
        }),
        response: { 200: z.object({ users: z.array(person), next: z.string().nullable() }), ...problems },
      },
    },
    async (request) => {
      if (request.query.search !== undefined) ctx.rates.count('api.searches', request.key.id);
      const { search, name, department, status, limit, cursor: after } = request.query;
      const page = await ctx.dbProxies.ask(directory.people, {
        search,
        name,
        departmentId: department,
        statusList: status === undefined ? [] : [STATUS.indexOf(status)],
        limit,
        after,
      });
      return { users: page.personList.map(shown), next: page.next ?? null };
    },
  );

  app.get(
    '/users/:id',
    {
      config: { scope: 'users:read' },
      schema: { tags, operationId: 'getUser', summary: 'One person', params, response: { 200: person, ...problems } },
    },
    async (request, reply) => {
      const found = await personOf(ctx, request.params.id);
      reply.header('etag', `"${found.version}"`);
      return shown(found);
    },
  );

  app.post(
    '/users',
    {
      config: { scope: 'users:write' },
      schema: {
        tags,
        operationId: 'createUser',
        summary: 'Somebody new',
        headers: idempotency,
        body: written.partial().required({ name: true }),
        response: { 201: person, ...problems },
      },
    },
    async (request, reply) => {
      const ids = await sendIds(ctx, request.key, request.headers['idempotency-key'], ['user', request.body]);
      const made = await ctx.dbProxies.ask(directory.changePerson, {
        actor: actorOf(request),
        fields: fieldsOf(request.body),
        requestId: ids.of('user'),
      });
      return reply.code(201).send(shown(made.person));
    },
  );

  app.patch(
    '/users/:id',
    {
      config: { scope: 'users:write' },
      schema: {
        tags,
        operationId: 'changeUser',
        summary: 'Change what is named, and nothing else',
        description: 'With `If-Match` only if nobody else has changed it since; clients hear of the change at once.',
        params,
        headers: ifMatch,
        body: changes,
        response: { 200: person, ...problems },
      },
    },
    async (request) => {
      const changed = await ctx.dbProxies.ask(directory.changePerson, {
        actor: actorOf(request),
        userId: request.params.id,
        expectedVersion: expectedVersion(request.headers['if-match']),
        fields: fieldsOf(request.body),
      });
      return shown(changed.person);
    },
  );

  app.delete(
    '/users/:id',
    {
      config: { scope: 'users:write' },
      schema: {
        tags,
        operationId: 'removeUser',
        summary: 'Somebody leaves',
        description: 'The account is closed at once. What was written stays.',
        params,
        response: { 204: z.null(), ...problems },
      },
    },
    async (request, reply) => {
      await ctx.dbProxies.ask(directory.changePerson, {
        actor: actorOf(request),
        userId: request.params.id,
        fields: { status: LEFT },
      });
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/users/:id/devices',
    {
      config: { scope: 'users:read' },
      schema: {
        tags,
        operationId: 'listDevices',
        summary: 'Devices that log in by a token',
        params,
        response: { 200: z.object({ devices: z.array(device) }), ...problems },
      },
    },
    async (request) => {
      const { deviceList } = await ctx.dbProxies.ask(directory.devices, { userId: request.params.id });
      return { devices: deviceList.map(deviceShown) };
    },
  );

  app.delete(
    '/users/:id/devices/:device',
    {
      config: { scope: 'users:write' },
      schema: {
        tags,
        operationId: 'removeDevice',
        summary: 'Log a device out',
        description: 'Its token ends at once, and so does its session.',
        params: params.extend({ device: z.string().min(1).max(DEVICE_ID_LENGTH_MAX) }),
        response: { 204: z.null(), ...problems },
      },
    },
    async (request, reply) => {
      const { id: userId, device: deviceId } = request.params;
      const { removed } = await ctx.dbProxies.ask(directory.removeDevice, {
        actor: actorOf(request),
        userId,
        deviceId,
      });
      if (!removed) throw new Problem(404, 'NO_SUCH_DEVICE', `user ${userId} has no such device`);
      return reply.code(204).send(null);
    },
  );
};

/** @throws Problem 404 */
export async function personOf(ctx: HttpMsgContext, id: number): Promise<IM.Directory.Person> {
  const { personList } = await ctx.dbProxies.ask(directory.people, { userIdList: [id], limit: 1 });
  if (personList[0] === undefined) throw new Problem(404, 'NO_SUCH_USER', `there is no user ${id}`);
  return personList[0];
}

export function fieldsOf(body: z.infer<typeof changes>): IM.Directory.PersonFields.$Properties {
  const { department, sex, status, signature, password, ...same } = body;
  return {
    ...same,
    departmentId: department,
    sex: sex && SEX.indexOf(sex),
    status: status && STATUS.indexOf(status),
    signInfo: signature,
    passwordMd5: password === undefined ? undefined : passwordMd5(password),
  };
}

/** What TeamTalk clients make of a password. */
export function passwordMd5(password: string): string {
  return createHash('md5').update(password).digest('hex');
}

function deviceShown(it: IM.BaseDefine.DeviceInfo): z.infer<typeof device> {
  const time = (ms: number) => new Date(ms).toISOString();
  const times = { created: time(it.createdMs), used: time(it.usedMs), expires: time(it.expiresMs) };
  return { id: it.deviceId, name: it.deviceName, type: TYPES[it.clientType] ?? String(it.clientType), ...times };
}

function shown(it: IM.Directory.Person): z.infer<typeof person> {
  const { name, nick, domain, phone, email, avatar, version } = it;
  return {
    id: it.userId,
    name,
    nick,
    domain,
    sex: SEX[it.sex] ?? 'unknown',
    phone,
    email,
    avatar,
    department: it.departmentId,
    status: STATUS[it.status] ?? 'active',
    signature: it.signInfo,
    version,
    created: new Date(it.createdS * 1000).toISOString(),
  };
}
