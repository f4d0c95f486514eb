import { z } from 'zod';
import { SCOPES } from '../../../common/api-key.js';
import { API_KEY_NAME_LENGTH_MAX } from '../../../common/limits.js';
import { apiKeys, directory, webhooks } from '../../../common/pdu/commands.js';
import type { ApiKeyInfo, ApiKeyList, WebhookInfo } from '../api.js';
import type { AdminContext, Caller } from '../context.js';
import { ProblemError } from '../problem.js';
import { route } from '../route.js';

const id = z.string().regex(/^[\w-]{1,64}$/);

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
      await note(ctx, caller, 'api-key.create', `api-key:${key.id}`, { name: key.name, scopes: key.scopes });
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
      const { webhookList } = await ctx.dbProxies.ask(webhooks.list, { keyId: '' });
      return webhookList.map(({ secret: _, ...shown }) => shown);
    },
  }),
  route({
    method: 'POST',
    path: '/api/webhooks/active',
    needs: 'integrations.change',
    body: z.strictObject({ id, active: z.boolean() }),
    async handle(ctx, { caller, body }) {
      const { webhook } = await ctx.dbProxies.ask(webhooks.put, { ...body, keyId: '' });
      if (webhook === undefined) throw new ProblemError('NOT_FOUND');
      await note(ctx, caller, 'webhook.change', `webhook:${body.id}`, { active: body.active });
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
];

function note(ctx: AdminContext, caller: Caller, action: string, subject: string, after?: object): Promise<unknown> {
  const said = after === undefined ? {} : { after: JSON.stringify(after) };
  return ctx.dbProxies.ask(directory.noteAudit, { actor: caller.actor, action, subject, ...said });
}
