import { createHash, randomInt, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ImError } from '../../../common/errors.js';
import {
  AVATAR_URL_SIZE_MAX,
  DEVICE_ID_LENGTH_MAX,
  PASSWORD_LENGTH_MAX,
  PROFILE_FIELD_LENGTH_MAX,
  SIGNATURE_SIZE_MAX,
  USER_NAME_LENGTH_MAX,
} from '../../../common/limits.js';
import { consoleView, directory } from '../../../common/pdu/commands.js';
import type { PeoplePage, Person, UserDetails, UserDevice, UserSession } from '../api.js';
import { givenUp } from '../conflict.js';
import type { AdminContext } from '../context.js';
import { route } from '../route.js';

const PAGE_MAX = 200;
const GROUPS_SHOWN_MAX = 100;

const name = z.string().trim().min(1).max(USER_NAME_LENGTH_MAX);
const profile = z.string().max(PROFILE_FIELD_LENGTH_MAX);
const password = z.string().min(6).max(PASSWORD_LENGTH_MAX);

const fields = z.strictObject({
  name: name.optional(),
  nick: profile.optional(),
  domain: profile.optional(),
  sex: z.number().int().min(0).max(2).optional(),
  phone: profile.optional(),
  email: profile.optional(),
  avatar: z.string().max(AVATAR_URL_SIZE_MAX).optional(),
  departmentId: z.number().int().min(0).optional(),
  status: z.number().int().min(0).max(4).optional(),
  signInfo: z.string().max(SIGNATURE_SIZE_MAX).optional(),
});

const number = z.coerce.number().int().min(0);

/** The people who chat. */
export const userRoutes = [
  route({
    method: 'GET',
    path: '/api/users',
    needs: 'look',
    query: z.strictObject({
      search: z.string().max(PROFILE_FIELD_LENGTH_MAX).optional(),
      department: number.optional(),
      status: number.optional(),
      after: z.string().max(USER_NAME_LENGTH_MAX).optional(),
      limit: number.max(PAGE_MAX).default(50),
      byName: z.literal('1').optional(),
    }),
    async handle(ctx, { query, caller }): Promise<PeoplePage> {
      if (query.search !== undefined) ctx.rates.count('console.searches', String(caller.id));
      const page = await ctx.dbProxies.ask(directory.people, {
        search: query.search,
        departmentId: query.department,
        statusList: query.status === undefined ? [] : [query.status],
        after: query.after,
        limit: query.limit,
        byName: query.byName === '1',
        count: true,
      });
      const people = page.personList as Person[];
      const sessions = await sessionsOf(ctx, people);
      return {
        people,
        next: page.next,
        total: page.total ?? 0,
        online: [...new Set(sessions.map((each) => each.userId))],
      };
    },
  }),
  route({
    method: 'GET',
    path: '/api/users/:id',
    needs: 'look',
    handle: (ctx, { params }) => details(ctx, params.id!),
  }),
  route({
    method: 'POST',
    path: '/api/users',
    needs: 'directory.change',
    body: z.strictObject({ fields: fields.extend({ name }), password: password.optional() }),
    async handle(ctx, { caller, body }) {
      const secret = body.password ?? readablePassword();
      const { person } = await ctx.dbProxies.ask(directory.changePerson, {
        actor: caller.actor,
        fields: { ...body.fields, nick: body.fields.nick || body.fields.name, passwordMd5: md5Hex(secret) },
        requestId: requestId(),
      });
      return { person, password: body.password === undefined ? secret : undefined };
    },
  }),
  route({
    method: 'PATCH',
    path: '/api/users/:id',
    needs: 'directory.change',
    body: z.strictObject({ version: z.number().int(), fields }),
    handle: (ctx, { caller, params, body }) =>
      givenUp(
        ctx.dbProxies.ask(directory.changePerson, {
          actor: caller.actor,
          userId: params.id!,
          expectedVersion: body.version,
          fields: body.fields,
          requestId: requestId(),
        }),
        async () => (await details(ctx, params.id!)).person,
      ),
  }),
  route({
    method: 'POST',
    path: '/api/users/:id/password',
    needs: 'directory.change',
    body: z.strictObject({ password: password.optional() }),
    async handle(ctx, { caller, params, body }) {
      const secret = body.password ?? readablePassword();
      const { person } = await ctx.dbProxies.ask(directory.changePerson, {
        actor: caller.actor,
        userId: params.id!,
        fields: { passwordMd5: md5Hex(secret) },
        requestId: requestId(),
      });
      return { person, password: body.password === undefined ? secret : undefined };
    },
  }),
  route({
    method: 'POST',
    path: '/api/users/:id/sessions/end',
    needs: 'directory.change',
    body: z.strictObject({ deviceClass: z.union([z.literal(1), z.literal(2)]).optional(), forgetToken: z.boolean() }),
    async handle(ctx, { caller, params, body }) {
      await ctx.dbProxies.ask(directory.endSessions, { actor: caller.actor, userId: params.id!, ...body });
    },
  }),
  route({
    method: 'GET',
    path: '/api/users/:id/devices',
    needs: 'look',
    async handle(ctx, { params }): Promise<readonly UserDevice[]> {
      return (await ctx.dbProxies.ask(directory.devices, { userId: params.id! })).deviceList;
    },
  }),
  route({
    method: 'POST',
    path: '/api/users/:id/devices/remove',
    needs: 'directory.change',
    body: z.strictObject({ deviceId: z.string().min(1).max(DEVICE_ID_LENGTH_MAX) }),
    async handle(ctx, { caller, params, body }) {
      await ctx.dbProxies.ask(directory.removeDevice, { actor: caller.actor, userId: params.id!, ...body });
    },
  }),
];

async function details(ctx: AdminContext, userId: number): Promise<UserDetails> {
  const { personList } = await ctx.dbProxies.ask(directory.people, { limit: 1, userIdList: [userId] });
  const person = personList[0] as Person | undefined;
  if (person === undefined) throw new ImError('NO_SUCH_USER', `there is no user ${userId}`);
  const { groupList } = await ctx.dbProxies.ask(directory.groups, { userId, limit: GROUPS_SHOWN_MAX });
  const groups = groupList.map(({ groupId, name }) => ({ groupId, name }));
  return { person, sessions: await sessionsOf(ctx, [person]), groups };
}

/** None when no route server answers: the list of people does not wait for who is online. */
async function sessionsOf(ctx: AdminContext, people: readonly Person[]): Promise<UserSession[]> {
  if (people.length === 0 || !ctx.routes.open) return [];
  const asked = { userIdList: people.map((person) => person.userId) };
  return ctx.routes.ask(consoleView.whereabouts, asked).then(
    (answer) => answer.sessionList,
    () => [],
  );
}

/** A change that is asked again because its link was lost happens once. */
export function requestId(): Buffer {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
}

/** What clients send in place of a password. */
export function md5Hex(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function readablePassword(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  return Array.from({ length: 12 }, () => letters[randomInt(letters.length)]).join('');
}
