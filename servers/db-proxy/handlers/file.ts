import { isUserId } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { FILE_NAME_SIZE_MAX, FILE_SIZE_LIMIT, OFFLINE_FILES_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import { isTaskId } from '../../../common/task-id.js';
import type { DbProxyContext } from '../context.js';

export async function addTransfer(
  ctx: DbProxyContext,
  { transfer, openMax }: IM.Cluster.IMAddTransferReq,
): Promise<IM.Cluster.IMAddTransferRsp.$Properties> {
  const { taskId, fromUserId, toUserId, transMode: mode, fileSize: size, expiresMs, fileName = '' } = transfer;
  requireParties(fromUserId, toUserId);
  requireTaskId(taskId);
  if (size < 1 || size > FILE_SIZE_LIMIT)
    throw new ImError('BAD_REQUEST', `file of ${size} bytes, 1 to ${FILE_SIZE_LIMIT} are allowed`);
  requireName(fileName);
  const added = await ctx.transfers.add({ taskId, fromUserId, toUserId, mode, size, expiresMs }, fileName, openMax);
  if (added === 'no-such-user') throw new ImError('NO_SUCH_USER', `no file from ${fromUserId} to ${toUserId}`);
  if (added === 'too-many')
    throw new ImError('NOT_ALLOWED', `user ${fromUserId} has ${openMax} unfinished or waiting files already`);
  return {};
}

export async function getTransfer(
  ctx: DbProxyContext,
  { taskId, expiresMs }: IM.Cluster.IMGetTransferReq,
): Promise<IM.Cluster.IMGetTransferRsp.$Properties> {
  if (!isTaskId(taskId)) return {};
  const found = await ctx.transfers.get(taskId, expiresMs);
  if (found === undefined) return {};
  const { mode: transMode, size: fileSize, ...same } = found;
  return { transfer: { ...same, transMode, fileSize } };
}

export async function markTransfer(
  ctx: DbProxyContext,
  { taskId, uploadId, expiresMs }: IM.Cluster.IMMarkTransferReq,
): Promise<IM.Cluster.IMMarkTransferRsp.$Properties> {
  requireTaskId(taskId);
  const { transfers } = ctx;
  const found = uploadId === undefined ? transfers.store(taskId, expiresMs) : transfers.beginUpload(taskId, uploadId);
  return { found: await found };
}

export async function endTransfer(
  ctx: DbProxyContext,
  { taskId }: IM.Cluster.IMEndTransferReq,
): Promise<IM.Cluster.IMEndTransferRsp.$Properties> {
  requireTaskId(taskId);
  await ctx.transfers.end(taskId);
  return {};
}

export async function expireTransfers(
  ctx: DbProxyContext,
  { countMax }: IM.Cluster.IMExpireTransfersReq,
): Promise<IM.Cluster.IMExpireTransfersRsp.$Properties> {
  return { count: await ctx.transfers.expire(countMax) };
}

export async function offerFile(
  ctx: DbProxyContext,
  { taskId, fromUserId, toUserId, fileName }: IM.Cluster.IMOfferFileReq,
): Promise<IM.Cluster.IMOfferFileRsp.$Properties> {
  requireParties(fromUserId, toUserId);
  requireTaskId(taskId);
  requireName(fileName);
  const fileSize = await ctx.transfers.offer(taskId, fromUserId, toUserId, fileName);
  return { offered: fileSize !== undefined, fileSize };
}

export async function dropFile(
  ctx: DbProxyContext,
  { taskId, fromUserId, toUserId }: IM.Cluster.IMDropFileReq,
): Promise<IM.Cluster.IMDropFileRsp.$Properties> {
  requireTaskId(taskId);
  return { dropped: await ctx.transfers.drop(taskId, fromUserId, toUserId) };
}

/** What waits for the asking user. Where to fetch it from is added by the msg server. */
export async function hasOffline(
  ctx: DbProxyContext,
  { userId }: IM.File.IMFileHasOfflineReq,
): Promise<IM.File.IMFileHasOfflineRsp.$Properties> {
  const files = await ctx.transfers.offeredTo(userId, OFFLINE_FILES_MAX);
  const offlineFileList = files.map(({ taskId, fromUserId, name, size }) => ({
    fromUserId,
    taskId,
    fileName: name,
    fileSize: size,
  }));
  return { userId, offlineFileList };
}

function requireParties(fromUserId: number, toUserId: number): void {
  if (!isUserId(fromUserId) || !isUserId(toUserId) || fromUserId === toUserId)
    throw new ImError('NO_SUCH_USER', `no file from ${fromUserId} to ${toUserId}`);
}

function requireTaskId(taskId: string): void {
  if (!isTaskId(taskId)) throw new ImError('BAD_REQUEST', 'not the id of a task');
}

function requireName(name: string): void {
  const size = Buffer.byteLength(name);
  if (size === 0 || size > FILE_NAME_SIZE_MAX || name.includes('\0'))
    throw new ImError('BAD_REQUEST', `file name of ${size} bytes, 1 to ${FILE_NAME_SIZE_MAX} without NUL are allowed`);
}
