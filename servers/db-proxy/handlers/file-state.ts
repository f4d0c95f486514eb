import { ADMIN_PAGE_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';

/** For the console: how the files at rest stand, and who has most of them. */
export async function filesState(
  ctx: DbProxyContext,
  { uploadAgeMs, ownersMax }: IM.Console.IMFilesStateReq,
): Promise<IM.Console.IMFilesStateRsp.$Properties> {
  const { status, plan, countedBytes, owners } = await ctx.blobs.state(
    uploadAgeMs,
    Math.min(ownersMax, ADMIN_PAGE_MAX),
  );
  return {
    blobs: status.blobs,
    bytes: status.bytes,
    uploads: status.uploads,
    countedBytes,
    kindList: status.kinds.map(({ days, ...same }) => ({ ...same, days: days ?? undefined })),
    expiredFiles: plan.expiredFiles,
    staleUploads: plan.staleUploads,
    unreferencedBlobs: plan.unreferenced.blobs,
    unreferencedBytes: plan.unreferenced.bytes,
    removing: plan.removing,
    ownerList: owners,
  };
}
