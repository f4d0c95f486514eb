import { z } from 'zod';
import { FileTokens } from '../../../common/file-token.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { actingUser, problems, userId } from './schemas.js';

const UPLOAD_MS = 3_600_000;
const DAY_MS = 86_400_000;
const tags = ['Files'];
const config = { scope: 'files:write' } as const;

/** The bytes of files go straight to the file store and never pass here: what is given out is the leave to bring them. */
export const files = (ctx: HttpMsgContext) => async (app: Api) => {
  const tokens = new FileTokens(ctx.settings.clusterSecret);
  const { storeUrl } = ctx.settings;

  app.post(
    '/uploads',
    {
      config,
      schema: {
        tags,
        operationId: 'allowUpload',
        summary: 'Leave to upload to the file store',
        description:
          'Upload with tus 1.0 to `url` with `Authorization: Bearer <token>`. `Content-Location` of the last answer is ' +
          'the path of the file; an address that others can open is made of it by `POST /api/v1/files/address`.',
        body: z.strictObject({
          from: userId.optional().describe('whose file it is; a key with a user of its own needs none'),
        }),
        response: { 201: z.object({ url: z.string(), token: z.string(), expires: z.string() }), ...problems },
      },
    },
    async (request, reply) => {
      const expiresMs = ctx.clock.nowMs() + UPLOAD_MS;
      const token = tokens.forUploads(actingUser(request.key, request.body.from, 'from'), expiresMs);
      return reply.code(201).send({ url: `${storeUrl}uploads`, token, expires: new Date(expiresMs).toISOString() });
    },
  );

  app.post(
    '/files/address',
    {
      config,
      schema: {
        tags,
        operationId: 'addressOfFile',
        summary: 'An address of a file that works for so long',
        body: z.strictObject({
          path: z.string().regex(/^\/f\/[0-9a-f]{32}$/, 'a path such as /f/… of an upload is needed'),
          days: z.int().min(1).max(365).default(30),
        }),
        response: { 200: z.object({ url: z.string(), expires: z.string() }), ...problems },
      },
    },
    async (request) => {
      const expiresMs = ctx.clock.nowMs() + request.body.days * DAY_MS;
      const url = `${storeUrl}${tokens.signPath(request.body.path.slice(1), expiresMs)}`;
      return { url, expires: new Date(expiresMs).toISOString() };
    },
  );
};
