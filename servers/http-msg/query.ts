import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ImError } from '../../common/errors.js';
import { API_BODY_SIZE_MAX, GROUP_MEMBERS_MAX } from '../../common/limits.js';
import { group } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
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
type Answer = { error: keyof typeof ERROR; more?: Record<string, unknown> };

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
    const post = <Body extends { app_key: string }>(
      path: string,
      is: z.ZodType<Body>,
      work: (body: Body) => Promise<Answer>,
    ) =>
      app.post(path, async (request, reply) => {
        const answer = await answered(ctx, request, is, work);
        const [error_code, error_msg] = ERROR[answer.error];
        reply.header('cache-control', 'no-cache').header('connection', 'close');
        return reply.type('text/html;charset=utf-8').send(styled({ error_code, error_msg, ...answer.more }));
      });
    post('/query/CreateGroup', createGroup, (body) => create(ctx, body));
    post('/query/ChangeMembers', changeMembers, (body) => change(ctx, body));
    app.setErrorHandler((_error, _request, reply) =>
      reply.type('text/html;charset=utf-8').send(styled({ error_code: 1, error_msg: ERROR.parameter[1] })),
    );
  };
}

async function answered<Body extends { app_key: string }>(
  ctx: HttpMsgContext,
  request: FastifyRequest,
  is: z.ZodType<Body>,
  work: (body: Body) => Promise<Answer>,
): Promise<Answer> {
  const parsed = is.safeParse(jsonOf(request.body));
  if (!parsed.success) return { error: 'parameter' };
  try {
    const refusal = await refused(ctx, parsed.data.app_key, request.ip);
    return refusal === undefined ? await work(parsed.data) : { error: refusal };
  } catch (error) {
    if (!(error instanceof ImError)) throw error;
    return { error: 'server' };
  }
}

async function refused(ctx: HttpMsgContext, appKey: string, ip: string): Promise<Answer['error'] | undefined> {
  const key = await ctx.keys.find(appKey);
  if (key !== undefined) return key.scopes.has('groups:write') && key.userId === undefined ? undefined : 'notAllowed';
  if (!ctx.settings.unkeyedQueries) return 'unknownKey';
  return /^(127\.|::1$|::ffff:127\.)/.test(ip) ? undefined : 'address';
}

async function create(ctx: HttpMsgContext, body: z.infer<typeof createGroup>): Promise<Answer> {
  const made = await ctx.dbProxies.ask(group.create, {
    userId: 0,
    groupType: body.group_type,
    groupName: body.group_name,
    groupAvatar: body.group_avatar,
    memberIdList: body.user_id_list,
  });
  if (made.resultCode !== 0 || made.groupId === undefined) return { error: 'createGroup' };
  ctx.routes.membersChanged({
    userId: 0,
    changeType: GroupModifyType.GROUP_MODIFY_TYPE_ADD,
    groupId: made.groupId,
    curUserIdList: made.userIdList,
    chgUserIdList: made.userIdList,
  });
  return { error: 'ok', more: { group_id: made.groupId } };
}

async function change(ctx: HttpMsgContext, body: z.infer<typeof changeMembers>): Promise<Answer> {
  const changed = await ctx.dbProxies.ask(group.changeMember, {
    userId: 0,
    changeType: body.modify_type,
    groupId: body.group_id,
    memberIdList: body.user_id_list,
  });
  if (changed.resultCode !== 0) return { error: 'changeMembers' };
  ctx.routes.membersChanged({ ...changed, userId: 0 });
  return { error: 'ok' };
}

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
