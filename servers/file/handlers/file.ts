import { ImError } from '../../../common/errors.js';
import { transfer } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import { freshTaskId } from '../../../common/task-id.js';
import type { TransferContext } from '../transfer/course.js';

/** Somebody wants to send a file. The task is known to the db-proxies before anybody hears of it. */
export async function makeTask(
  ctx: TransferContext,
  asked: IM.Cluster.IMFileTaskReq,
): Promise<IM.Cluster.IMFileTaskRsp.$Properties> {
  const { openTasksPerUserMax: openMax, taskMs } = ctx.settings;
  const transferSizeMax = ctx.limits.size('file.transfer');
  try {
    if (asked.fileSize > transferSizeMax) ctx.limits.hit('file.transfer');
    if (asked.fileSize < 1 || asked.fileSize > transferSizeMax)
      throw new ImError('FILE_TOO_LARGE', `file of ${asked.fileSize} bytes, 1 to ${transferSizeMax} are allowed`);
    const taskId = freshTaskId();
    const task = { ...asked, taskId, expiresMs: Date.now() + taskMs };
    await ctx.dbProxies.ask(transfer.add, { transfer: task, openMax });
    ctx.counters.tasks.inc({ result: 'ok' });
    return { taskId, ipAddrList: addresses(ctx).ipAddrList };
  } catch (error) {
    ctx.counters.tasks.inc({ result: error instanceof ImError ? error.code : 'INTERNAL' });
    throw error;
  }
}

/** Where clients reach us: what they are told, not where we listen. */
export function addresses(ctx: TransferContext): { ipAddrList: IM.BaseDefine.IpAddr.$Properties[] } {
  return { ipAddrList: [ctx.advertised] };
}
