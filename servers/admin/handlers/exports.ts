import { createHmac, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { EXPORT_CASE_LENGTH_MAX, EXPORT_NAMED_MAX, EXPORT_REASON_LENGTH_MAX } from '../../../common/limits.js';
import { consoleView } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { ExportInfo } from '../api.js';
import type { AdminContext } from '../context.js';
import { type ExportTotal, exportLines } from '../export-file.js';
import { ProblemError } from '../problem.js';
import { type Asked, route, Written } from '../route.js';

const { ExportStep } = IM.Console;
/** Files that one console sends at once. */
const SENDING_MAX = 4;
/** Whoever does not take what he asked for is cut. */
const SENDING_MS_MAX = 24 * 3_600_000;

const ids = z.array(z.number().int().min(1)).max(EXPORT_NAMED_MAX);

/**
 * Exports of what people wrote. This console hands on who asks; the db-proxy decides by his session, and has written down
 * that it begins before it gives out the first page. What is in them is shown on no page.
 */
export const exportRoutes = [
  route({ method: 'GET', path: '/api/exports', needs: 'export.look', handle: (ctx, asked) => exportsOf(ctx, asked) }),
  route({
    method: 'POST',
    path: '/api/exports',
    needs: 'export',
    body: z.strictObject({
      userIds: ids,
      groupIds: ids,
      withGroups: z.boolean(),
      fromMs: z.number().int().min(0),
      toMs: z.number().int().min(1),
      reason: z.string().trim().min(1).max(EXPORT_REASON_LENGTH_MAX),
      caseNumber: z.string().trim().min(1).max(EXPORT_CASE_LENGTH_MAX),
    }),
    handle: (ctx, { body, ...asked }) => {
      const { userIds: userIdList, groupIds: groupIdList, ...rest } = body;
      return exportsOf(ctx, asked, { wish: { userIdList, groupIdList, ...rest } });
    },
  }),
  route({
    method: 'POST',
    path: '/api/exports/:id/approve',
    needs: 'export.decide',
    handle: (ctx, asked) => exportsOf(ctx, asked, { id: asked.params.id!, step: ExportStep.EXPORT_STEP_APPROVE }),
  }),
  route({
    method: 'POST',
    path: '/api/exports/:id/refuse',
    needs: 'export.decide',
    handle: (ctx, asked) => exportsOf(ctx, asked, { id: asked.params.id!, step: ExportStep.EXPORT_STEP_REFUSE }),
  }),
  route({
    method: 'POST',
    path: '/api/exports/:id/cancel',
    needs: 'export.cancel',
    handle: (ctx, asked) => exportsOf(ctx, asked, { id: asked.params.id!, step: ExportStep.EXPORT_STEP_CANCEL }),
  }),
  route({
    method: 'GET',
    path: '/api/exports/:id/file',
    needs: 'export',
    query: z.strictObject({ ticket: z.string().max(64) }),
    async handle(ctx, { query, ...asked }): Promise<Written> {
      const id = asked.params.id!;
      // A GET, so that browsers save it as it comes; only our own pages know the ticket.
      const [given, right] = [query.ticket, ticketOf(asked.tokenHash!, id)].map((each) => Buffer.from(each));
      if (given!.length !== right!.length || !timingSafeEqual(given!, right!)) throw new ProblemError('FOREIGN');
      if (sending >= SENDING_MAX) throw new ProblemError('BUSY');
      const exports = await exportsOf(ctx, asked, { id, step: ExportStep.EXPORT_STEP_BEGIN });
      return send(ctx, asked, exports.find((each) => each.id === id)!);
    },
  }),
];

let sending = 0;

function send(ctx: AdminContext, asked: Who, info: ExportInfo): Written {
  const { id } = info;
  const finish = async (file: ExportTotal) => {
    await exportsOf(ctx, asked, { id, step: ExportStep.EXPORT_STEP_FINISH, file });
  };
  return new Written((response) => {
    response.writeHead(200, {
      'Content-Type': 'application/x-ndjson',
      'Content-Disposition': `attachment; filename="export-${id}.ndjson"`,
      'X-Accel-Buffering': 'no',
    });
    sending++;
    const lines = Readable.from(exportLines(ctx, asked.tokenHash!, info, finish), {
      objectMode: true,
      highWaterMark: 1,
    });
    pipeline(lines, response, { signal: AbortSignal.timeout(SENDING_MS_MAX) })
      .catch((error: Error) => {
        ctx.log.warn({ export: id, error: error.message }, 'an export was broken off');
        return exportsOf(ctx, asked, { id, step: ExportStep.EXPORT_STEP_BREAK_OFF });
      })
      .catch(() => undefined) // cancelled, or over: it stands as it is
      .finally(() => {
        sending--;
      });
  });
}

type Who = Pick<Asked, 'tokenHash' | 'address'>;

async function exportsOf(
  ctx: AdminContext,
  { tokenHash, address }: Who,
  what: Omit<IM.Console.IMExportsReq.$Properties, 'tokenHash' | 'address'> = {},
): Promise<ExportInfo[]> {
  const { exportList } = await ctx.dbProxies.ask(consoleView.exports, { tokenHash: tokenHash!, address, ...what });
  return exportList.map((each) => shown(each, tokenHash!));
}

function shown({ wish, file, ...it }: IM.Console.ExportInfo, tokenHash: Buffer): ExportInfo {
  const { userIdList: userIds, groupIdList: groupIds, withGroups, fromMs, toMs, reason, caseNumber } = wish;
  return {
    ...{ id: it.id, userIds, groupIds, withGroups, fromMs, toMs, reason, caseNumber },
    askedBy: it.askedBy,
    askedMs: it.askedMs,
    state: it.state as ExportInfo['state'],
    decidedBy: it.decidedBy,
    messages: it.messages,
    bytes: file?.bytes,
    sha256: file == null ? undefined : Buffer.from(file.sha256).toString('hex'),
    endedMs: it.endedMs,
    own: it.own,
    ...(it.own && it.state === 'approved' ? { ticket: ticketOf(tokenHash, it.id) } : {}),
  };
}

function ticketOf(tokenHash: Buffer, id: number): string {
  return createHmac('sha256', tokenHash).update(`export ${id}`).digest('base64url');
}
