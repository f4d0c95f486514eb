import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { partsOf } from '../../common/api-key.js';
import { ImError } from '../../common/errors.js';
import { API_BODY_SIZE_MAX, GROUP_MEMBERS_MAX } from '../../common/limits.js';
import { directory } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { Problem } from './api/problem.js';
import type { HttpMsgContext } from './context.js';

const { GroupModifyType } = IM.BaseDefine;

/** Codes and texts as TeamTalk's callers know them. The app_key ones are reserved there and never sent. */
const ERROR = {
  ok: [0, '成功'],
  parameter: [1, '参数错误'],
  unknownKey: [2, 'app_key错误'],
  notAllowed: [5, '接口未授权'],
  address: [6, 'IP未授权'],
  server: [10, '服务器异常'],
  createGroup: [11, '创建群失败'],
  changeMembers: [12, '更改群成员失败'],
} as const;
type Name = keyof typeof ERROR;
type Answer = { readonly name: Name; readonly group_id?: number };
/** @throws ImError */
type Work<Body> = (
  ctx: HttpMsgContext,
  body: Body,
  actor: { kind: string; name: string; address: string },
) => Promise<{ group_id?: number }>;

const id = z.number().int().min(0).max(0x7fff_ffff);
const ids = z.array(id).max(GROUP_MEMBERS_MAX);
const createGroup = z.object({
  req_user_id: id,
  app_key: z.string(),
  group_name: z.string().min(1),
  group_type: z.union([z.literal(1), z.literal(2)]),
  group_avatar: z.string(),
  user_id_list: ids,
});
const changeMembers = z.object({
  req_user_id: id,
  app_key: z.string(),
  group_id: id,
  modify_type: z.union([z.literal(1), z.literal(2)]),
  user_id_list: ids,
});

/**
 * TeamTalk's own HTTP interface: JSON in, JSON out as text/html, always status 200, one request a connection. In
 * TeamTalk its app_key opens everything to everybody; here it is an API key with groups:write.
 */
export function queries(ctx: HttpMsgContext) {
  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers();
    // Whatever the caller calls it, it is JSON or wrong.
    app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: API_BODY_SIZE_MAX }, (_request, body, done) =>
      done(null, body),
    );
    const post = <Body extends { app_key: string }>(path: string, is: z.ZodType<Body>, fails: Name, work: Work<Body>) =>
      app.post(path, { schema: { hide: true } }, async (request, reply) => {
        const { name, ...more } = await answered(ctx, request, is, fails, work);
        const [error_code, error_msg] = ERROR[name];
        reply.header('cache-control', 'no-cache').header('connection', 'close');
        return reply.type('text/html;charset=utf-8').send(styled({ error_code, error_msg, ...more }));
      });
    post('/query/CreateGroup', createGroup, 'createGroup', create);
    post('/query/ChangeMembers', changeMembers, 'changeMembers', change);
    app.setErrorHandler((_error, _request, reply) =>
      reply.type('text/html;charset=utf-8').send(styled({ error_code: 1, error_msg: ERROR.parameter[1] })),
    );
  };
}

async function answered<Body extends { app_key: string }>(
  ctx: HttpMsgContext,
  request: FastifyRequest,
  is: z.ZodType<Body>,
  fails: Name,
  work: Work<Body>,
): Promise<Answer> {
  const parsed = is.safeParse(jsonOf(request.body));
  if (!parsed.success) return { name: 'parameter' };
  const { app_key: appKey } = parsed.data;
  try {
    const refusal = await refused(ctx, appKey, request.ip);
    if (refusal !== undefined) return { name: refusal };
    const name = partsOf(appKey)?.id ?? 'unkeyed';
    if (ctx.calls.count(name).refused !== undefined) return { name: 'server' };
    return { name: 'ok', ...(await work(ctx, parsed.data, { kind: 'api-key', name, address: request.ip })) };
  } catch (error) {
    if (error instanceof Problem) return { name: 'unknownKey' };
    if (!(error instanceof ImError)) throw error;
    return { name: error.retry ? 'server' : fails };
  }
}

/** Undefined: it may. */
async function refused(ctx: HttpMsgContext, appKey: string, ip: string): Promise<Name | undefined> {
  const key = await ctx.keys.find(appKey, ip);
  if (key !== undefined) return key.scopes.has('groups:write') && key.userId === undefined ? undefined : 'notAllowed';
  if (!ctx.settings.unkeyedQueries) return 'unknownKey';
  return /^(127\.|::1$|::ffff:127\.)/.test(ip) ? undefined : 'address';
}

const create: Work<z.infer<typeof createGroup>> = async (ctx, body, actor) => {
  const { group } = await ctx.dbProxies.ask(directory.changeGroup, {
    actor,
    name: body.group_name,
    avatar: body.group_avatar,
    groupType: body.group_type,
    addList: body.user_id_list,
  });
  return { group_id: group.groupId };
};

const change: Work<z.infer<typeof changeMembers>> = async (ctx, body, actor) => {
  const list = body.modify_type === GroupModifyType.GROUP_MODIFY_TYPE_ADD ? 'addList' : 'removeList';
  const { group_id: groupId, user_id_list: ids } = body;
  await ctx.dbProxies.ask(directory.changeGroup, { actor, groupId, [list]: ids });
  return {};
};

function jsonOf(body: unknown): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    return undefined;
  }
}

/** As the original's JSON library writes it, blanks included. */
function styled(answer: Record<string, unknown>): string {
  const lines = Object.entries(answer).map(([name, value]) => `   ${JSON.stringify(name)} : ${JSON.stringify(value)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}
