import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import cookie from '@fastify/cookie';
import serveStatic from '@fastify/static';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { consoleAccount } from '../../common/pdu/commands.js';
import { isRole } from '../../common/roles.js';
import { projectRoot } from '../../common/root.js';
import type { AdminContext, Caller } from './context.js';
import { may } from './permissions.js';
import { ProblemError, problemOf } from './problem.js';
import { Redirect, type Route, type SessionKind, WithCookie, Written } from './route.js';
import type { AdminSettings } from './settings.js';

/** What a request may take to come; who is slower is cut. */
const REQUEST_MS_MAX = 30_000;
const BODY_SIZE_MAX = 256 * 1024;
const AGENT_LENGTH_MAX = 256;

const PAGES = join(projectRoot, 'dist/servers/admin/web');

/** Nothing but our own files is loaded or run, nothing is inline, nobody frames us. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
} as const;

/** The console's HTTP side: pages, the rows of routes.ts, and the rules that all of them are under. */
export async function openHttp(
  ctx: AdminContext,
  settings: AdminSettings,
  routes: readonly Route[],
): Promise<FastifyInstance> {
  const isHttps = settings.publicUrl.startsWith('https://');
  const proxies = settings.trustedProxies.split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()]));
  const app = fastify({
    trustProxy: proxies.length === 0 ? false : proxies,
    bodyLimit: BODY_SIZE_MAX,
    requestTimeout: REQUEST_MS_MAX,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: false },
  });
  const gate = new Gate(ctx, isHttps, settings.publicUrl);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    if (isHttps) reply.header('Strict-Transport-Security', 'max-age=31536000');
    if (/^\/(api|sign-in)\//.test(request.url)) reply.header('Cache-Control', 'no-store');
  });
  app.setErrorHandler((error, request, reply) => {
    const { status, problem } = problemOf(error);
    if (status >= 500)
      ctx.log.error({ error, method: request.method, path: request.routeOptions.url }, 'request failed');
    if (problem.retryAfterMs !== undefined) reply.header('Retry-After', Math.ceil(problem.retryAfterMs / 1000));
    return reply.code(status).send(problem);
  });
  await app.register(cookie);
  app.decorateRequest('caller');
  app.addContentTypeParser('text/csv', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  for (const row of routes) addRoute(app, ctx, row, gate);
  await app.register(serveStatic, {
    root: PAGES,
    preCompressed: true,
    wildcard: true,
    cacheControl: false,
    setHeaders(reply, path) {
      // Names of built files hold a hash of what is in them.
      const lasting = path.includes('/assets/');
      reply.header('Cache-Control', lasting ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  // The addresses of pages exist in the browser only.
  app.setNotFoundHandler((request, reply) => {
    if (request.method !== 'GET' || /^\/(api|assets)\//.test(request.url)) throw new ProblemError('NOT_FOUND');
    const page = request.url.split('?')[0] === '/sign-in' ? 'sign-in.html' : 'index.html';
    return reply.header('Cache-Control', 'no-cache').sendFile(page);
  });
  return app;
}

function addRoute(app: FastifyInstance, ctx: AdminContext, row: Route, gate: Gate): void {
  app.route({
    method: row.method,
    url: row.path,
    ...(row.bodySizeMax === undefined ? {} : { bodyLimit: row.bodySizeMax }),
    // Before the body is read: strangers send none.
    onRequest: async (request) => {
      if (row.method !== 'GET') gate.refuseForeign(request);
      if (row.needs === 'person') gate.requirePerson(request);
      else if (row.needs !== 'public') request.setDecorator('caller', await gate.admit(request, row));
    },
    async handler(request, reply) {
      const answer = await row.handle(ctx, {
        caller: hasCaller(row) ? request.getDecorator<Caller>('caller') : (undefined as never),
        params: numbersOf(request.params as Record<string, string>),
        body: parsed(row.body, request.body),
        query: parsed(row.query, request.query),
        address: request.ip,
        agent: (request.headers['user-agent'] ?? '').slice(0, AGENT_LENGTH_MAX),
        tokenHash: gate.tokenHash(request, row.needs === 'person' ? 'person' : 'console'),
        journey: gate.journey(request),
      });
      return respond(reply, answer, gate);
    },
  });
}

function hasCaller({ needs }: Route): boolean {
  return needs !== 'public' && needs !== 'person';
}

function respond(reply: FastifyReply, answer: unknown, gate: Gate): FastifyReply {
  if (answer instanceof Written) {
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(name, value);
    answer.write(reply.raw);
    return reply;
  }
  if (answer instanceof WithCookie) {
    gate.setCookie(reply, answer.kind, answer.token);
    return reply.send(answer.body);
  }
  if (answer instanceof Redirect) {
    const { journey, person } = answer.cookies;
    if (journey !== undefined) gate.setCookie(reply, 'journey', journey);
    if (person !== undefined) gate.setCookie(reply, 'person', person);
    return reply.redirect(answer.url, 303);
  }
  return answer === undefined ? reply.code(204).send() : reply.send(answer);
}

function parsed(schema: Route['body'], value: unknown): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ProblemError('BAD_REQUEST', { field: issue!.path.join('.'), detail: issue!.message });
}

function numbersOf(params: Record<string, string>): Record<string, number> {
  const entries = Object.entries(params).map(([name, text]): [string, number] => {
    if (!/^\d{1,15}$/.test(text)) throw new ProblemError('NOT_FOUND');
    return [name, Number(text)];
  });
  return Object.fromEntries(entries);
}

/** Who comes in: sessions by cookie, and that a request which changes something comes from our own page. */
class Gate {
  readonly #ctx: AdminContext;
  readonly #isHttps: boolean;
  readonly #origin: string;

  constructor(ctx: AdminContext, isHttps: boolean, publicUrl: string) {
    this.#ctx = ctx;
    this.#isHttps = isHttps;
    this.#origin = publicUrl === '' ? '' : new URL(publicUrl).origin;
  }

  /** With the prefix browsers take it from us only, for this host only, and only by https. */
  #name(kind: SessionKind | 'journey'): string {
    return `${this.#isHttps ? '__Host-' : ''}teamtalk-${kind}`;
  }

  setCookie(reply: FastifyReply, kind: SessionKind | 'journey', value: string): void {
    // From the provider the browser comes back across sites, so that one cookie has to come along then.
    const sameSite = kind === 'journey' ? 'lax' : 'strict';
    const options = { path: '/', httpOnly: true, sameSite, secure: this.#isHttps } as const;
    if (value === '') reply.clearCookie(this.#name(kind), options);
    else reply.setCookie(this.#name(kind), value, options); // ends with the browser; how long it opens is ours to say
  }

  journey(request: FastifyRequest): string | undefined {
    return request.cookies[this.#name('journey')];
  }

  /** Whose session it is, and whether it still is one, db-proxy knows. @throws ProblemError NO_SESSION or FOREIGN */
  requirePerson(request: FastifyRequest): void {
    const tokenHash = this.tokenHash(request, 'person');
    if (tokenHash === undefined) throw new ProblemError('NO_SESSION');
    this.#requireOwnPage(request, tokenHash);
  }

  #requireOwnPage(request: FastifyRequest, tokenHash: Buffer): void {
    if (request.method !== 'GET' && !sameText(request.headers['x-csrf-token'], csrfOf(tokenHash)))
      throw new ProblemError('FOREIGN');
  }

  tokenHash(request: FastifyRequest, kind: SessionKind): Buffer | undefined {
    const token = request.cookies[this.#name(kind)];
    return token === undefined || !/^[\w-]{43}$/.test(token)
      ? undefined
      : createHash('sha256').update(Buffer.from(token, 'base64url')).digest();
  }

  /** @throws ProblemError FOREIGN */
  refuseForeign(request: FastifyRequest): void {
    const { origin, host, 'sec-fetch-site': site, 'content-type': type } = request.headers;
    const ours = this.#origin === '' ? [`http://${host}`, `https://${host}`] : [this.#origin];
    if (origin !== undefined && !ours.includes(origin)) throw new ProblemError('FOREIGN');
    if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new ProblemError('FOREIGN');
    // A form of another site cannot send this without asking first.
    if (type !== undefined && !/^(application\/json|text\/csv)\b/.test(type)) throw new ProblemError('FOREIGN');
  }

  /** @throws ProblemError NO_SESSION, FOREIGN, CHANGE_PASSWORD or NOT_ALLOWED */
  async admit(request: FastifyRequest, row: Route): Promise<Caller> {
    const tokenHash = this.tokenHash(request, 'console');
    if (tokenHash === undefined) throw new ProblemError('NO_SESSION');
    const { admin, sessionId } = await this.#ctx.dbProxies.ask(consoleAccount.session, { tokenHash, touch: true });
    if (admin === undefined || sessionId === undefined || !isRole(admin.role)) throw new ProblemError('NO_SESSION');
    this.#requireOwnPage(request, tokenHash);
    if (row.needs !== 'session' && row.needs !== 'public' && row.needs !== 'person') {
      if (admin.mustChange) throw new ProblemError('CHANGE_PASSWORD');
      if (!may(admin.role, row.needs)) throw new ProblemError('NOT_ALLOWED', { detail: row.needs });
    }
    const { id, name, role, mustChange } = admin;
    const address = request.ip;
    return { id, name, role, mustChange, sessionId, address, actor: { kind: 'admin', name, address } };
  }
}

/** Known to whoever has the session, and to nobody who only makes its browser send something. */
export function csrfOf(tokenHash: Buffer): string {
  return createHmac('sha256', tokenHash).update('csrf').digest('base64url');
}

function sameText(given: string | string[] | undefined, expected: string): boolean {
  const bytes = Buffer.from(typeof given === 'string' ? given : '');
  return bytes.length === expected.length && timingSafeEqual(bytes, Buffer.from(expected));
}
