import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyInstance } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { v7 as uuidV7 } from 'uuid';
import type { Scope } from '../../../common/api-key.js';
import { API_BODY_SIZE_MAX } from '../../../common/limits.js';
import type { OpenSpan } from '../../../common/telemetry/telemetry.js';
import type { HttpMsgContext } from '../context.js';
import { queries } from '../query.js';
import { scim } from '../scim/routes.js';
import { announcements } from './announcements.js';
import { departments } from './departments.js';
import { events } from './events.js';
import { files } from './files.js';
import { groups } from './groups.js';
import { imports } from './imports.js';
import type { Key } from './keys.js';
import { may } from './keys.js';
import { messages } from './messages.js';
import { presence } from './presence.js';
import { answerErrors, Problem, sendProblem } from './problem.js';
import { users } from './users.js';
import { webhooks } from './webhooks.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; on every route with a scope. */
    key: Key;
    /** Of a call that is traced. */
    span: OpenSpan | undefined;
  }
  interface FastifyContextConfig {
    /** What a key must have to ask this. */
    scope?: Scope;
  }
}

/** The routes of one subject. */
export type Api = FastifyInstance<
  import('node:http').Server,
  import('node:http').IncomingMessage,
  import('node:http').ServerResponse,
  import('fastify').FastifyBaseLogger,
  ZodTypeProvider
>;
export type Routes = (ctx: HttpMsgContext) => (app: Api) => Promise<void>;

export const API = '/api/v1';
const HEADERS_SIZE_MAX = 16 * 1024;
/** How often connections are looked over for those that are too slow. */
const SLOW_CHECK_MS = 1_000;

/**
 * The HTTP interface for other systems. Nothing under /api/v1 is open: each route names the scope that a key must have,
 * and one that names none does not come into being.
 */
export async function openApp(
  ctx: HttpMsgContext,
  answered: (route: string, status: number, ms: number) => void,
): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: API_BODY_SIZE_MAX,
    genReqId: () => uuidV7(),
    routerOptions: { maxParamLength: 200 },
    http: { maxHeaderSize: HEADERS_SIZE_MAX, connectionsCheckingInterval: SLOW_CHECK_MS },
    forceCloseConnections: true,
    return503OnClosing: true,
  });
  app.removeContentTypeParser('text/plain'); // JSON, unless a route says otherwise
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerErrors(ctx.log));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, new Problem(404, 'NO_SUCH_PATH', `there is no ${request.method} ${request.url.split('?')[0]}`)),
  );
  app.addHook('onRequest', async (request, reply) => {
    const { traceparent } = request.headers;
    request.span = ctx.telemetry?.goOn(request.method, typeof traceparent === 'string' ? traceparent : undefined);
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store');
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    answered(route, reply.statusCode, reply.elapsedTime);
    const attributes = { 'http.route': route, 'http.response.status_code': reply.statusCode };
    request.span?.end(
      { 'http.request.method': request.method, ...attributes },
      reply.statusCode < 500 ? undefined : 'failed',
    );
  });
  app.decorateRequest('key');
  app.decorateRequest('span');
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'teamtalk-cluster',
        version: '1',
        description:
          'People, groups, messages and events of a cluster, for other systems. Every call carries an API key: ' +
          '`Authorization: Bearer tt_…`. Errors are problem+json.',
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  await app.register(queries(ctx));
  await app.register(swaggerUi, { routePrefix: `${API}/docs`, staticCSP: true });
  const people = [users, departments, groups, imports];
  const subjects = [messages, presence, announcements, files, ...people, events, webhooks];
  await app.register(
    keyed(ctx, async (it) => {
      for (const routes of subjects) await it.register((own) => routes(ctx)(own.withTypeProvider<ZodTypeProvider>()));
    }),
    { prefix: API },
  );
  await app.register(keyed(ctx, scim(ctx)), { prefix: '/scim/v2' });
  app.get(`${API}/openapi.json`, { schema: { hide: true } }, async () => app.swagger());
  await app.ready();
  return app;
}

/** Everything that needs a key. */
function keyed(ctx: HttpMsgContext, routes: (app: FastifyInstance) => Promise<void>) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addHook('onRoute', (route) => {
      if (route.config?.scope === undefined) throw new Error(`${route.url} names no scope`);
    });
    app.addHook('onRequest', async (request) => {
      const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
      const key = token === undefined ? undefined : await ctx.keys.find(token, request.ip);
      if (key === undefined) throw new Problem(401, 'NO_KEY', 'an API key is needed: Authorization: Bearer tt_…');
      request.key = key;
    });
    app.addHook('preParsing', async (request, reply) => {
      const { refused, headers } = ctx.calls.count(request.key.id);
      reply.headers(headers);
      if (refused !== undefined) throw new Problem(429, 'TOO_MANY_REQUESTS', refused);
    });
    app.addHook('preValidation', async (request) => {
      const { scope } = request.routeOptions.config;
      if (!may(request.key, scope!)) throw new Problem(403, 'SCOPE_MISSING', `the key lacks the scope ${scope}`);
    });
    await routes(app);
  };
}
