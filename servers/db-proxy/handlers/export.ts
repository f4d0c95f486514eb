import { isGroupId, isUserId } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { EXPORT_CASE_LENGTH_MAX, EXPORT_NAMED_MAX, EXPORT_REASON_LENGTH_MAX } from '../../../common/limits.js';
import { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { Asker, ExportRow, ExportStep, ExportWish } from '../storage/exports.js';
import { storedMessage } from './outbox.js';

const { ExportStep: Step } = IM.Console;
const SHA256_SIZE = 32;
/** A Date of JavaScript goes no further. */
const TIME_MS_MAX = 8.64e15;

const STEPS: Readonly<Record<IM.Console.ExportStep, ExportStep>> = {
  [Step.EXPORT_STEP_APPROVE]: 'approve',
  [Step.EXPORT_STEP_REFUSE]: 'refuse',
  [Step.EXPORT_STEP_CANCEL]: 'cancel',
  [Step.EXPORT_STEP_BEGIN]: 'begin',
  [Step.EXPORT_STEP_FINISH]: 'finish',
  [Step.EXPORT_STEP_BREAK_OFF]: 'break-off',
};

export async function exports(
  ctx: DbProxyContext,
  asked: IM.Console.IMExportsReq,
): Promise<IM.Console.IMExportsRsp.$Properties> {
  const by = await askerOf(ctx, asked);
  const { wish, step, file } = asked;
  if (wish != null) await ctx.exports.ask(by, checked(wish));
  if (step != null) {
    if (file != null && file.sha256.length !== SHA256_SIZE) throw new ImError('BAD_REQUEST', 'sha256: has 32 bytes');
    await ctx.exports.step(by, asked.id ?? 0, STEPS[step], file ?? undefined);
  }
  return { exportList: (await ctx.exports.list(by)).map((row) => shown(row, by)) };
}

export async function exportPage(
  ctx: DbProxyContext,
  asked: IM.Console.IMExportPageReq,
): Promise<IM.Console.IMExportPageRsp.$Properties> {
  const by = await askerOf(ctx, { tokenHash: asked.tokenHash, address: '' });
  const after = { conversationId: BigInt(asked.after?.conversationId ?? 0), msgId: asked.after?.msgId ?? 0 };
  const { messages, next } = await ctx.exports.page(by, asked.id, after, asked.taken);
  return {
    messageList: messages.map(storedMessage),
    next: next && { conversationId: String(next.conversationId), msgId: next.msgId },
  };
}

/** @throws ImError NOT_ALLOWED when nobody has this session, or his password has to be changed first */
async function askerOf(ctx: DbProxyContext, asked: { tokenHash: Uint8Array; address: string }): Promise<Asker> {
  const found = await ctx.adminLogins.sessionOf(asked.tokenHash, false);
  if (found === undefined || found.admin.mustChange) throw new ImError('NOT_ALLOWED', 'no such session');
  return { admin: found.admin, address: asked.address };
}

function checked(wish: IM.Console.ExportWish.$Properties): ExportWish {
  const { fromMs, toMs, withGroups } = wish;
  const [userIds, groupIds] = [[...new Set(wish.userIdList)], [...new Set(wish.groupIdList)]];
  const [reason, caseNumber] = [wish.reason.trim(), wish.caseNumber.trim()];
  if (userIds.length + groupIds.length === 0) throw bad('userIds', 'at least one person or group');
  if (userIds.length > EXPORT_NAMED_MAX || !userIds.every(isUserId))
    throw bad('userIds', `up to ${EXPORT_NAMED_MAX} users`);
  if (groupIds.length > EXPORT_NAMED_MAX || !groupIds.every(isGroupId))
    throw bad('groupIds', `up to ${EXPORT_NAMED_MAX} groups`);
  if (fromMs >= toMs || toMs > TIME_MS_MAX) throw bad('toMs', 'is behind fromMs');
  if (reason === '' || reason.length > EXPORT_REASON_LENGTH_MAX || reason.includes('\0'))
    throw bad('reason', `1 to ${EXPORT_REASON_LENGTH_MAX} characters`);
  if (caseNumber === '' || caseNumber.length > EXPORT_CASE_LENGTH_MAX || caseNumber.includes('\0'))
    throw bad('caseNumber', `1 to ${EXPORT_CASE_LENGTH_MAX} characters`);
  return { userIds, groupIds, withGroups, fromMs, toMs, reason, caseNumber };
}

function shown(row: ExportRow, { admin }: Asker): IM.Console.ExportInfo.$Properties {
  const messages = Number(row.messages);
  return {
    id: Number(row.id),
    wish: {
      userIdList: row.user_ids,
      groupIdList: row.group_ids,
      withGroups: row.with_groups,
      fromMs: Number(row.from_ms),
      toMs: Number(row.to_ms),
      reason: row.reason,
      caseNumber: row.case_number,
    },
    askedBy: row.asked_name,
    askedMs: row.asked.getTime(),
    state: row.state,
    decidedBy: row.decided_name ?? undefined,
    messages,
    file: row.sha256 === null ? undefined : { messages, bytes: Number(row.bytes), sha256: row.sha256 },
    endedMs: row.ended?.getTime(),
    own: row.asked_by === admin.id,
  };
}

function bad(field: string, what: string): ImError {
  return new ImError('BAD_REQUEST', `${field}: ${what}`);
}
