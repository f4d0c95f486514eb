import { z } from 'zod';
import { directory } from '../../../common/pdu/commands.js';
import type { AuditPage, AuditVerdict } from '../api.js';
import { route } from '../route.js';

const PAGE_MAX = 200;
/** Steps of 10,000 rows that one question may cost. */
const STEPS_MAX = 20;

export const auditRoutes = [
  route({
    method: 'GET',
    path: '/api/audit',
    needs: 'audit.look',
    query: z.strictObject({
      before: z.coerce.number().int().min(1).optional(),
      limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(50),
      subject: z.string().max(128).optional(),
      actor: z.string().max(128).optional(),
      action: z.string().max(128).optional(),
    }),
    async handle(ctx, { query }): Promise<AuditPage> {
      const page = await ctx.dbProxies.ask(directory.audit, {
        beforeId: query.before,
        limit: query.limit,
        subject: query.subject,
        actorName: query.actor,
        action: query.action,
      });
      const rows = page.rowList.map((row) => ({
        ...row,
        actor: { kind: row.actor.kind, name: row.actor.name, address: row.actor.address ?? '' },
        before: row.before === undefined ? undefined : JSON.parse(row.before),
        after: row.after === undefined ? undefined : JSON.parse(row.after),
      }));
      return { rows, next: page.next };
    },
  }),
  route({
    method: 'GET',
    path: '/api/audit/verify',
    needs: 'audit.look',
    query: z.strictObject({ after: z.coerce.number().int().min(0).default(0) }),
    /** Some way; the page asks on until it is done. */
    async handle(ctx, { query }): Promise<AuditVerdict> {
      let verdict: AuditVerdict = { checkedId: query.after, done: false };
      for (let step = 0; step < STEPS_MAX && !verdict.done; step++)
        verdict = await ctx.dbProxies.ask(directory.verifyAudit, { afterId: verdict.checkedId });
      return verdict;
    },
  }),
];
