import multipart from '@fastify/multipart';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ImError } from '../../../common/errors.js';
import { FileTokens } from '../../../common/file-token.js';
import type { Listening } from '../../../common/net/listener.js';
import type { FileContext } from '../context.js';
import type { FileSettings } from '../settings.js';
import { AllowedTypes } from './describe.js';
import { countQuota, httpError } from './errors.js';
import { storeForm } from './form.js';
import { addInstant } from './instant.js';
import { type StorePath, storePathOf, variantOf } from './names.js';
import { sendFile } from './send.js';
import { addTus } from './tus.js';

/** A connection over which nothing moves for so long is closed. */
const SILENCE_MS_MAX = 60_000;

/**
 * The store's door: HTTP for pictures and files.
 *
 *   POST /…            a form with a file, as TeamTalk clients send it; answered with where it is
 *   GET /g0/…          the file; with _100x100.jpg behind it, a small picture of it
 *   /uploads           resumable uploads by tus 1.0, with a token (tus.ts)
 *   POST /instant      uploading what is here already (instant.ts)
 *   GET /f/…?e=&s=     what was uploaded so; only as long as its signature holds
 */
export async function openStoreHttp(ctx: FileContext, settings: FileSettings): Promise<Listening> {
  const app = fastify({
    logger: false,
    bodyLimit: 64 * 1024, // of what is no file
    connectionTimeout: SILENCE_MS_MAX,
    keepAliveTimeout: SILENCE_MS_MAX,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 2_048 },
  });
  app.server.maxConnections = settings.connectionsMax;
  await app.register(multipart);
  const tokens = new FileTokens(settings.clusterSecret);
  const types = new AllowedTypes(settings.mediaTypes);
  addFiles(app, ctx, tokens, settings);
  addTus(app, ctx, tokens, types);
  addInstant(app, ctx, tokens, types);
  addForms(app, ctx, types, settings);
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ code: 'NO_SUCH_FILE', message: 'nothing here' }));
  app.setErrorHandler((error, request, reply) => {
    const known = httpError(error);
    if (known.code === 'QUOTA_EXCEEDED') countQuota(ctx, error as ImError);
    if (known.status >= 500) ctx.log.warn({ error, method: request.method, code: known.code }, 'a request failed');
    if (known.status === 503 || known.status === 429) reply.header('retry-after', 1);
    return reply.code(known.status).headers(PLAIN).send({ code: known.code, message: known.message });
  });
  await app.listen({ host: settings.host, port: settings.storePort }).catch((error: Error) => {
    throw new Error(`cannot listen on ${settings.host}:${settings.storePort} (storePort): ${error.message}`, {
      cause: error,
    });
  });
  const address = app.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : settings.storePort,
    close: () => void app.close(),
  };
}

/** Answers about files are nothing to keep or to guess a type for. */
const PLAIN = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

function addFiles(app: FastifyInstance, ctx: FileContext, tokens: FileTokens, settings: FileSettings): void {
  const { formDownloads } = settings;
  /** A signature for a file is one for its small pictures as well. */
  const lookUp = async ({ kind, name }: StorePath, { query, ip }: FastifyRequest) => {
    if (kind === 'open' && formDownloads === 'sessions') await ctx.sessionAddresses.require(ip);
    if (kind === 'signed' && !tokens.allows(name, query as Record<string, unknown>, Date.now())) return undefined;
    return ctx.blobs.find('store', name);
  };
  app.route({
    method: ['GET', 'HEAD'],
    url: '/*',
    async handler(request, reply) {
      ctx.rates.count('downloads.count', request.ip);
      const path = (request.params as { '*': string })['*'];
      const own = storePathOf(path);
      if (own !== undefined) {
        const found = await lookUp(own, request);
        if (found !== undefined) return sendFile(request, reply, ctx.blobs, found);
      }
      const variant = variantOf(path);
      const original = variant && storePathOf(variant.of);
      const found = original && (await lookUp(original, request));
      if (found === undefined) return reply.callNotFound();
      return sendFile(request, reply, ctx.blobs, await ctx.pictures.small(found, variant!.width, variant!.height));
    },
  });
}

/** TeamTalk's own words for its error codes: 1 too large, 2 and up some fault of the form. */
const FORMAT_ERROR = '格式错误';

function addForms(app: FastifyInstance, ctx: FileContext, types: AllowedTypes, settings: FileSettings): void {
  app.post('/*', async (request, reply) => {
    try {
      if (settings.formUploads === 'nobody') throw new ImError('NOT_ALLOWED', 'no forms are taken here');
      if (settings.formUploads === 'sessions') await ctx.sessionAddresses.require(request.ip);
      ctx.rates.count('uploads.count', request.ip);
      const path = await storeForm(request, ctx.blobs, types, ctx.limits.size('file.form'));
      const url = `http://${request.headers.host ?? ''}/${path}`;
      return formAnswer(reply, { error_code: 0, error_msg: '成功', path, url });
    } catch (error) {
      // The rest is read and forgotten, or the next request on this connection would never be reached.
      request.raw.unpipe();
      request.raw.resume();
      const { status, code, message } = httpError(error);
      if (status >= 500) ctx.log.warn({ error, code }, 'an upload failed');
      if (code === 'FILE_TOO_LARGE') ctx.limits.hit('file.form');
      if (code === 'QUOTA_EXCEEDED') countQuota(ctx, error as ImError);
      const number = code === 'FILE_TOO_LARGE' ? 1 : status < 500 ? 2 : 3;
      const words = number === 2 ? `${FORMAT_ERROR}: ${message}` : message;
      return formAnswer(reply, { error_code: number, error_msg: words, path: '', url: '' });
    }
  });
}

/** Clients look at the body alone, and Android only at its first line: always 200, always one line. */
function formAnswer(reply: FastifyReply, answer: Record<string, string | number>): FastifyReply {
  return reply
    .code(200)
    .headers({ ...PLAIN, 'content-type': 'text/html;charset=utf-8' })
    .send(JSON.stringify(answer).replaceAll('<', '\\u003c'));
}
