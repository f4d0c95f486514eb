import { randomInt } from 'node:crypto';
import { isUserId } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { isSignedPath } from '../../../common/file-token.js';
import { FILE_NAME_SIZE_MAX, FILE_PATHS_MAX } from '../../../common/limits.js';
import { encodeFrame } from '../../../common/pdu/command.js';
import { file, server, transfer } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { MsgContext } from '../context.js';
import type { Session } from '../session.js';
import { deliverToUsers } from './message.js';

const { TransferFileType, UserStatType } = IM.BaseDefine;
const { DEVICE_CLASS_PC } = IM.Cluster.DeviceClass;

/** Spreads what does not belong together over the file servers. */
const KEYS = 2 ** 30;

/**
 * Somebody wants to send a file: a file server makes a task for it, and both users hear where to go with that. The
 * content never comes by here. What goes wrong is answered by result 1, the one word that the wire has for it.
 */
export async function request(ctx: MsgContext, asked: IM.File.IMFileReq, session: Session, seq: number): Promise<void> {
  const { toUserId, fileName, fileSize } = asked;
  const fromUserId = session.userId;
  let task: IM.Cluster.IMFileTaskRsp;
  let transMode = asked.transMode;
  try {
    requireFit(asked, fromUserId);
    if (!ctx.fileServers.open) throw new ImError('NO_LINK', 'no file server is reachable');
    transMode = await modeFor(ctx, asked, session);
    const wanted = { fromUserId, toUserId, fileName, fileSize, transMode };
    task = await ctx.fileServers.ask(transfer.makeTask, wanted, randomInt(KEYS));
  } catch (error) {
    if (!(error instanceof ImError)) throw error;
    ctx.counters.fileRequests.inc({ result: error.code });
    session.send(
      encodeFrame(file.request.reply, seq, { resultCode: 1, fromUserId, toUserId, fileName, taskId: '', transMode }),
    );
    return;
  }
  ctx.counters.fileRequests.inc({ result: 'ok' });
  const { taskId, ipAddrList } = task;
  const place = { fromUserId, toUserId, fileName, taskId, ipAddrList, transMode };
  session.send(encodeFrame(file.request.reply, seq, { resultCode: 0, ...place }));
  notify(ctx, session, { ...place, fileSize, offlineReady: 0 });
}

function requireFit({ toUserId, fileName, fileSize }: IM.File.IMFileReq, fromUserId: number): void {
  if (!isUserId(toUserId) || toUserId === fromUserId) throw new ImError('NO_SUCH_USER', 'no such receiver');
  if (fileSize === 0) throw new ImError('BAD_REQUEST', 'an empty file');
  const size = Buffer.byteLength(fileName);
  if (size === 0 || size > FILE_NAME_SIZE_MAX || fileName.includes('\0'))
    throw new ImError('BAD_REQUEST', `file name of ${size} bytes, 1 to ${FILE_NAME_SIZE_MAX} without NUL are allowed`);
}

/** Online needs the receiver's PC, anywhere; phones know nothing of it. When nobody can say, the file is kept for him. */
async function modeFor(
  ctx: MsgContext,
  { toUserId, transMode }: IM.File.IMFileReq,
  session: Session,
): Promise<IM.BaseDefine.TransferFileType> {
  const { FILE_TYPE_OFFLINE, FILE_TYPE_ONLINE } = TransferFileType;
  if (transMode === FILE_TYPE_OFFLINE) return FILE_TYPE_OFFLINE;
  if (ctx.sessions.ofUser(toUserId).some((each) => each.deviceClass === DEVICE_CLASS_PC)) return FILE_TYPE_ONLINE;
  try {
    const { userStatList } = await ctx.routes.usersStatus(session.userId, [toUserId]);
    return userStatList[0]?.status === UserStatType.USER_STATUS_ONLINE ? FILE_TYPE_ONLINE : FILE_TYPE_OFFLINE;
  } catch (error) {
    if (error instanceof ImError && error.retry) return FILE_TYPE_OFFLINE;
    throw error;
  }
}

/** All devices of the receiver, here and on other msg servers. */
function notify(ctx: MsgContext, session: Session, notice: IM.File.IMFileNotify.$Properties): void {
  deliverToUsers(ctx, [notice.toUserId], encodeFrame(file.notify, 0, notice), session);
}

/**
 * What a session says and asks about stored files is done in its order: who takes a file off the list and then asks for
 * the list does not find it there.
 */
function inTurn<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const mine = session.fileWork.then(work, work);
  session.fileWork = mine;
  return mine;
}

/** Which files wait for the asking user, and where to fetch them. Without a file server there is nothing to be had. */
export function hasOffline(
  ctx: MsgContext,
  _asked: IM.File.IMFileHasOfflineReq,
  session: Session,
): Promise<IM.File.IMFileHasOfflineRsp.$Properties> {
  const { userId } = session;
  return inTurn(session, async () => {
    const [{ offlineFileList }, ipAddrList] = await Promise.all([
      ctx.dbProxies.ask(file.hasOffline, { userId }, userId),
      addresses(ctx),
    ]);
    return { userId, offlineFileList: ipAddrList.length === 0 ? [] : offlineFileList, ipAddrList };
  });
}

/** The upload is complete, says its sender: from now on the receiver sees the file. Not answered. */
export async function addOffline(ctx: MsgContext, told: IM.File.IMFileAddOfflineReq, session: Session): Promise<void> {
  const { toUserId, taskId, fileName } = told;
  const fromUserId = session.userId;
  const offer = { fromUserId, toUserId, taskId, fileName };
  const { offered, fileSize } = await ctx.dbProxies.ask(transfer.offer, offer, fromUserId);
  if (!offered || fileSize === undefined) throw new ImError('NOT_ALLOWED', 'no stored file to be offered');
  const transMode = TransferFileType.FILE_TYPE_OFFLINE;
  notify(ctx, session, { ...offer, fileSize, transMode, ipAddrList: await addresses(ctx), offlineReady: 1 });
}

/** The asking user has fetched a file, or does not want it. Not answered. */
export function delOffline(
  ctx: MsgContext,
  { fromUserId, taskId }: IM.File.IMFileDelOfflineReq,
  session: Session,
): Promise<void> {
  const toUserId = session.userId;
  return inTurn(session, async () => {
    const { dropped } = await ctx.dbProxies.ask(transfer.drop, { fromUserId, toUserId, taskId }, toUserId);
    if (!dropped) throw new ImError('NOT_ALLOWED', 'no such file for this user');
  });
}

/**
 * Lets a session into the store. An upload counts for who asks. A file may be fetched by everybody who has a session and
 * knows its name, which is random and was told to him in a conversation; the address made of it expires.
 */
export function token(
  { fileStore: { url, tokens, tokenMs }, clock }: MsgContext,
  { upload, pathList }: IM.File.IMFileTokenReq,
  { userId }: Session,
): IM.File.IMFileTokenRsp.$Properties {
  if (pathList.length > FILE_PATHS_MAX)
    throw new ImError('BAD_REQUEST', `path_list has ${pathList.length} files, ${FILE_PATHS_MAX} are allowed`);
  const wrong = pathList.findIndex((path) => !isSignedPath(path));
  if (wrong >= 0) throw new ImError('BAD_REQUEST', `path_list[${wrong}] is no file of the store`);
  const expiresMs = clock.nowMs() + tokenMs;
  return {
    userId,
    storeUrl: url,
    ...(upload === true && { uploadToken: tokens.forUploads(userId, expiresMs) }),
    urlList: pathList.map((path) => url + tokens.signPath(path, expiresMs)),
    expiresMs,
  };
}

/** Where clients reach a file server that is up; none when there is no such server. */
async function addresses(ctx: MsgContext): Promise<IM.BaseDefine.IpAddr[]> {
  if (!ctx.fileServers.open) return [];
  try {
    return (await ctx.fileServers.ask(server.fileAddresses, {}, randomInt(KEYS))).ipAddrList;
  } catch (error) {
    if (error instanceof ImError && error.retry) return [];
    throw error;
  }
}
