import type { IM } from '../../../common/pdu/pb.js';
import type { TransferContext } from '../transfer/course.js';

/** For the console: where this server keeps files, its scanner, and how the last removal went. */
export async function state(ctx: TransferContext): Promise<IM.Console.IMFileServerRsp.$Properties> {
  const { limits, settings, scanner, sweeper } = ctx;
  return {
    ...(await ctx.driver.about()),
    name: ctx.name,
    uploadAgeMs: settings.uploadAgeMs,
    userBytesMax: limits.size('quota.user'),
    totalBytesMax: limits.size('quota.total'),
    scanner: scanner.kind,
    scanFailure: settings.scanFailure,
    ...scanner.counted,
    removal: sweeper.last,
  };
}

export function remove(ctx: TransferContext, { dryRun }: IM.Console.IMRemovalReq): IM.Console.IMRemovalRsp.$Properties {
  ctx.sweeper.begin(dryRun);
  return {};
}
