import { z } from 'zod';
import { SCOPES } from '../../../common/api-key.js';
import { groupOf, isGroupConversation, usersOf } from '../../../common/conversation.js';
import { API_KEY_NAME_LENGTH_MAX, WEBHOOK_URL_LENGTH_MAX } from '../../../common/limits.js';
import { apiKeys, directory, webhooks } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { ApiKeyInfo, ApiKeyList, DeadLetterInfo, DeadLetterPage, WebhookInfo } from '../api.js';
import type { AdminContext, Caller } from '../context.js';
import { ProblemError } from '../problem.js';
import { route } from '../route.js';

const id = z.string().regex(/^[\w-]{1,64}$/);
const url = z.url({ protocol: /^https?$/ }).max(WEBHOOK_URL_LENGTH_MAX);
const letters = z.strictObject({ id, ids: z.array(z.number().int().min(1)).min(1).max(1000).optional() });
const LETTERS_PAGE = 50;

/** Keys and webhooks of other systems. A secret is shown when it is made and never again. */
export const integrationRoutes = [
  route({
    method: 'GET',
    path: '/api/keys',
    needs: 'integrations.look',
    async handle(ctx): Promise<ApiKeyList> {
      return { keys: (await ctx.dbProxies.ask(apiKeys.list, {})).keyList, scopes: SCOPES };
    },
  }),
  route({
    method: 'POST',
    path: '/api/keys',
    needs: 'integrations.change',
    body: z.strictObject({
      name: z.string().trim().min(1).max(API_KEY_NAME_LENGTH_MAX),
      scopes: z.array(z.enum(SCOPES)).min(1),
      userId: z.number().int().min(1).optional(),
      expiresMs: z.number().int().min(1).optional(),
    }),
    async handle(ctx, { caller, body }): Promise<{ key: ApiKeyInfo; token: string }> {
      const { key, token } = await ctx.dbProxies.ask(apiKeys.create, { ...body, actor: caller.name });
      await note(ctx, caller, 'api-key.create', `api-key:${key.id}`, { after: { name: key.name, scopes: key.scopes } });
      return { key, token };
    },
  }),
  route({
    method: 'POST',
    path: '/api/keys/revoke',
    needs: 'integrations.change',
    body: z.strictObject({ id }),
    async handle(ctx, { caller, body }) {
      const { revoked } = await ctx.dbProxies.ask(apiKeys.revoke, { id: body.id, actor: caller.name });
      if (!revoked) throw new ProblemError('NOT_FOUND');
      await note(ctx, caller, 'api-key.revoke', `api-key:${body.id}`);
    },
  }),
  route({
    method: 'GET',
    path: '/api/webhooks',
    needs: 'integrations.look',
    async handle(ctx): Promise<readonly WebhookInfo[]> {
      return (await hooksOf(ctx)).map(shownOf);
    },
  }),
  route({
    method: 'POST',
    path: '/api/webhooks',
    needs: 'integrations.change',
    body: z.strictObject({ url, withBodies: z.boolean(), userId: z.number().int().min(1).optional() }),
    async handle(ctx, { caller, body }): Promise<{ webhook: WebhookInfo; secret: string }> {
      const { webhook } = await ctx.dbProxies.ask(webhooks.put, { ...body, keyId: '' });
      const { id: made, secret } = webhook!;
      await note(ctx, caller, 'webhook.create', `webhook:${made}`, { after: body });
      return { webhook: shownOf(webhook!), secret };
    },
  }),
  route({
    method: 'POST',
    path: '/api/webhooks/change',
    needs: 'integrations.change',
    body: z.strictObject({
      id,
      url: url.optional(),
      withBodies: z.boolean().optional(),
      active: z.boolean().optional(),
    }),
    async handle(ctx, { caller, body: { id, ...change } }) {
      const was = (await hooksOf(ctx)).find((each) => each.id === id);
      const { webhook } = await ctx.dbProxies.ask(webhooks.put, { id, ...change, keyId: '' });
      if (was === undefined || webhook === undefined) throw new ProblemError('NOT_FOUND');
      const said = ({ url, withBodies, active }: IM.Api.Webhook) => ({ url, withBodies, active });
      await note(ctx, caller, 'webhook.change', `webhook:${id}`, { before: said(was), after: said(webhook) });
    },
  }),
  route({
    method: 'POST',
    path: '/api/webhooks/remove',
    needs: 'integrations.change',
    body: z.strictObject({ id }),
    async handle(ctx, { caller, body }) {
      const { deleted } = await ctx.dbProxies.ask(webhooks.remove, { id: body.id, keyId: '' });
      if (!deleted) throw new ProblemError('NOT_FOUND');
      await note(ctx, caller, 'webhook.remove', `webhook:${body.id}`);
    },
  }),
  route({
    method: 'GET',
    path: '/api/webhooks/dead-letters',
    needs: 'integrations.look',
    query: z.strictObject({ id, before: z.coerce.number().int().min(1).optional() }),
    async handle(ctx, { query: { id, before } }): Promise<DeadLetterPage> {
      const asked = { webhookId: id, keyId: '', before, limit: LETTERS_PAGE };
      const { letterList } = await ctx.dbProxies.ask(webhooks.deadLetters, asked);
      const letters = letterList.map(letterOf);
      return { letters, next: letters.length < LETTERS_PAGE ? undefined : letters.at(-1)!.id };
    },
  }),
  route({
    method: 'POST',
    path: '/api/webhooks/dead-letters/replay',
    needs: 'integrations.change',
    body: letters,
    async handle(ctx, { caller, body: { id, ids = [] } }): Promise<{ count: number }> {
      const { replaying: count } = await ctx.dbProxies.ask(webhooks.replay, { webhookId: id, keyId: '', idList: ids });
      await note(ctx, caller, 'webhook.replay', `webhook:${id}`, { after: { letters: count } });
      return { count };
    },
  }),
  route({
    method: 'POST',
    path: '/api/webhooks/dead-letters/drop',
    needs: 'integrations.change',
    body: letters,
    async handle(ctx, { caller, body: { id, ids = [] } }): Promise<{ count: number }> {
      const { dropped: count } = await ctx.dbProxies.ask(webhooks.drop, { webhookId: id, keyId: '', idList: ids });
      await note(ctx, caller, 'webhook.drop', `webhook:${id}`, { after: { letters: count } });
      return { count };
    },
  }),
];

async function hooksOf(ctx: AdminContext): Promise<IM.Api.Webhook[]> {
  return (await ctx.dbProxies.ask(webhooks.list, { keyId: '' })).webhookList;
}

function letterOf({ conversationId, webhookId: _, ...shown }: IM.Api.DeadLetter): DeadLetterInfo {
  const of = BigInt(conversationId);
  return { ...shown, ...(isGroupConversation(of) ? { groupId: groupOf(of) } : { userIds: usersOf(of) }) };
}

function shownOf({ secret: _, ...shown }: IM.Api.Webhook): WebhookInfo {
  return shown;
}

function note(
  ctx: AdminContext,
  caller: Caller,
  action: string,
  subject: string,
  change: { readonly before?: object; readonly after?: object } = {},
): Promise<unknown> {
  const said = Object.fromEntries(Object.entries(change).map(([side, what]) => [side, JSON.stringify(what)]));
  return ctx.dbProxies.ask(directory.noteAudit, { actor: caller.actor, action, subject, ...said });
}
