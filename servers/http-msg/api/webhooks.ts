import { z } from 'zod';
import { WEBHOOK_URL_LENGTH_MAX } from '../../../common/limits.js';
import { webhooks as commands } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { type Key, may } from './keys.js';
import { Problem } from './problem.js';
import { cursorOf, limit, placeOf, problems } from './schemas.js';

const url = z.url({ protocol: /^https?$/ }).max(WEBHOOK_URL_LENGTH_MAX);
const withContent = z.boolean().describe('what messages say comes along; needs events:content');
const shownWebhook = z
  .object({
    id: z.string(),
    url: z.string(),
    user: z.number().optional().describe('only of conversations that this user is in'),
    withContent: z.boolean(),
    active: z.boolean(),
    created: z.string(),
    waiting: z.number().describe('conversations with something not yet delivered'),
    deadLetters: z.number(),
    lastError: z.string().optional(),
  })
  .meta({ id: 'Webhook' });
const letter = z
  .object({
    id: z.string(),
    conversation: z.string(),
    fromNumber: z.number(),
    toNumber: z.number(),
    error: z.string(),
    at: z.string(),
    replaying: z.boolean(),
  })
  .meta({ id: 'DeadLetter' });
const chosen = z.strictObject({
  ids: z
    .array(z.string().regex(/^\d{1,15}$/))
    .max(1000)
    .optional()
    .describe('default: all'),
});
const params = z.object({ id: z.string().regex(/^[\w-]{1,64}$/) });
const tags = ['Webhooks'];
const config = { scope: 'webhooks:write' } as const;

/** A key sees and changes its own webhooks and no others. */
export const webhooks = (ctx: HttpMsgContext) => async (app: Api) => {
  app.post(
    '/webhooks',
    {
      config,
      schema: {
        tags,
        operationId: 'createWebhook',
        summary: 'Have events sent to a URL',
        description:
          'Each delivery is a POST of {"webhook", "events"}, events of one conversation in their order, signed by ' +
          '`X-TeamTalk-Signature: v1=<hex>`: HMAC-SHA256 with the secret over `X-TeamTalk-Timestamp`, a dot and the body. ' +
          'An answer of 2xx within ten seconds is a delivery; anything else is tried again, later and later. ' +
          'Redirects are not followed. A key with a user of its own hears of the conversations of this user only.',
        body: z.strictObject({ url, withContent: withContent.default(false) }),
        response: { 201: shownWebhook.extend({ secret: z.string().describe('shown this once') }), ...problems },
      },
    },
    async (request, reply) => {
      const { key, body } = request;
      mayHaveContent(key, body.withContent);
      const { webhook } = await ctx.dbProxies.ask(commands.put, {
        url: body.url,
        withBodies: body.withContent,
        userId: key.userId,
        keyId: key.id,
      });
      return reply.code(201).send({ ...shownOf(webhook!), secret: webhook!.secret });
    },
  );

  app.get(
    '/webhooks',
    {
      config,
      schema: {
        tags,
        operationId: 'listWebhooks',
        summary: 'Webhooks of this key',
        response: { 200: z.object({ webhooks: z.array(shownWebhook) }), ...problems },
      },
    },
    async (request) => {
      const { webhookList } = await ctx.dbProxies.ask(commands.list, { keyId: request.key.id });
      return { webhooks: webhookList.map(shownOf) };
    },
  );

  app.patch(
    '/webhooks/:id',
    {
      config,
      schema: {
        tags,
        operationId: 'changeWebhook',
        summary: 'Change a webhook, or switch it off or on',
        params,
        body: z.strictObject({
          url: url.optional(),
          withContent: withContent.optional(),
          active: z.boolean().optional(),
        }),
        response: { 200: shownWebhook, ...problems },
      },
    },
    async (request) => {
      const { key, body, params } = request;
      mayHaveContent(key, body.withContent ?? false);
      const { webhook } = await ctx.dbProxies.ask(commands.put, {
        id: params.id,
        keyId: key.id,
        url: body.url,
        withBodies: body.withContent,
        active: body.active,
      });
      if (webhook === undefined) throw new Problem(404, 'NO_SUCH_WEBHOOK', `there is no webhook ${params.id}`);
      return shownOf(webhook);
    },
  );

  app.delete(
    '/webhooks/:id',
    {
      config,
      schema: {
        tags,
        operationId: 'deleteWebhook',
        summary: 'Remove a webhook with all that waits for it',
        params,
        response: { 204: z.null(), ...problems },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { deleted } = await ctx.dbProxies.ask(commands.remove, { id, keyId: request.key.id });
      if (!deleted) throw new Problem(404, 'NO_SUCH_WEBHOOK', `there is no webhook ${id}`);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/webhooks/:id/dead-letters',
    {
      config,
      schema: {
        tags,
        operationId: 'listDeadLetters',
        summary: 'What could not be delivered, newest first',
        params,
        querystring: z.strictObject({ limit: limit(100, 50), cursor: z.string().max(64).optional() }),
        response: { 200: z.object({ deadLetters: z.array(letter), next: z.string().nullable() }), ...problems },
      },
    },
    async (request) => {
      const { limit: most, cursor } = request.query;
      const before = placeOf(cursor);
      const { letterList } = await ctx.dbProxies.ask(commands.deadLetters, {
        webhookId: request.params.id,
        keyId: request.key.id,
        before,
        limit: most,
      });
      const deadLetters = letterList.map((each) => ({
        id: String(each.id),
        conversation: each.conversationId,
        fromNumber: each.fromMsgId,
        toNumber: each.toMsgId,
        error: each.error,
        at: new Date(each.atMs).toISOString(),
        replaying: each.replaying,
      }));
      return { deadLetters, next: letterList.length < most ? null : cursorOf(letterList.at(-1)!.id) };
    },
  );

  app.post(
    '/webhooks/:id/dead-letters/replay',
    {
      config,
      schema: {
        tags,
        operationId: 'replayDeadLetters',
        summary: 'Deliver dead letters once more',
        params,
        body: chosen,
        response: { 202: z.object({ replaying: z.number() }), ...problems },
      },
    },
    async (request, reply) => {
      const { replaying } = await ctx.dbProxies.ask(commands.replay, {
        webhookId: request.params.id,
        keyId: request.key.id,
        idList: (request.body.ids ?? []).map(Number),
      });
      return reply.code(202).send({ replaying });
    },
  );

  app.post(
    '/webhooks/:id/dead-letters/drop',
    {
      config,
      schema: {
        tags,
        operationId: 'dropDeadLetters',
        summary: 'Forget dead letters',
        params,
        body: chosen,
        response: { 200: z.object({ dropped: z.number() }), ...problems },
      },
    },
    async (request) => {
      const { dropped } = await ctx.dbProxies.ask(commands.drop, {
        webhookId: request.params.id,
        keyId: request.key.id,
        idList: (request.body.ids ?? []).map(Number),
      });
      return { dropped };
    },
  );
};

function mayHaveContent(key: Key, wanted: boolean): void {
  if (wanted && !may(key, 'events:content'))
    throw new Problem(403, 'SCOPE_MISSING', 'withContent: the key lacks the scope events:content');
}

function shownOf(webhook: IM.Api.Webhook): z.infer<typeof shownWebhook> {
  return {
    id: webhook.id,
    url: webhook.url,
    ...(webhook.userId === undefined ? {} : { user: webhook.userId }),
    withContent: webhook.withBodies,
    active: webhook.active,
    created: new Date(webhook.createdMs).toISOString(),
    waiting: webhook.waiting ?? 0,
    deadLetters: webhook.dead ?? 0,
    ...(webhook.lastError === undefined ? {} : { lastError: webhook.lastError }),
  };
}
