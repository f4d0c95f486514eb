import { isGroupType } from '../../../common/chat/message.js';
import { isGroupId } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { ANNOUNCEMENTS_LISTED_MAX, MESSAGE_SIZE_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import { type Announcement, AUDIENCES, type Audience } from '../storage/announcements.js';
import { actorOf, requestOf } from './directory.js';

const LEASE_MS_MAX = 60_000;

export async function begin(
  ctx: DbProxyContext,
  asked: IM.Console.IMAnnounceReq,
): Promise<IM.Console.IMAnnounceRsp.$Properties> {
  const { fromUserId, msgType, msgData } = asked;
  const audience = AUDIENCES[asked.audience] as Audience;
  const audienceId = asked.audienceId ?? undefined;
  if (msgData.length === 0 || msgData.length > MESSAGE_SIZE_MAX)
    throw new ImError('BAD_REQUEST', `msg_data of ${msgData.length} bytes, 1 to ${MESSAGE_SIZE_MAX} are allowed`);
  if (isGroupType(msgType) !== (audience === 'group'))
    throw new ImError('BAD_REQUEST', `a message of the type ${msgType} is not for ${audience}`);
  if ((audience === 'everybody') !== (audienceId === undefined) || (audienceId !== undefined && !isGroupId(audienceId)))
    throw new ImError('BAD_REQUEST', `audience_id: ${audienceId} for ${audience}`);
  if (!(await ctx.users.existing([fromUserId])).has(fromUserId))
    throw new ImError('NO_SUCH_USER', `there is no user ${fromUserId}`);
  const requestId = requestOf(asked.requestId);
  const wish = { fromUserId, audience, audienceId, msgType, msgData, requestId };
  return { announcement: shown(await ctx.announcements.begin(actorOf(asked.actor), wish)) };
}

export async function list(
  ctx: DbProxyContext,
  asked: IM.Console.IMAnnouncementsReq,
): Promise<IM.Console.IMAnnouncementsRsp.$Properties> {
  if (asked.limit < 1 || asked.limit > ANNOUNCEMENTS_LISTED_MAX)
    throw new ImError('BAD_REQUEST', `limit ${asked.limit}, 1 to ${ANNOUNCEMENTS_LISTED_MAX} are allowed`);
  const id = asked.id ?? undefined;
  if (asked.stop != null && id !== undefined) await ctx.announcements.stop(actorOf(asked.stop), id);
  return { announcementList: (await ctx.announcements.list(asked.limit, id)).map(shown) };
}

export async function work(
  ctx: DbProxyContext,
  asked: IM.Console.IMAnnounceWorkReq,
): Promise<IM.Console.IMAnnounceWorkRsp.$Properties> {
  if (asked.leaseMs > LEASE_MS_MAX)
    throw new ImError('BAD_REQUEST', `lease_ms ${asked.leaseMs}, at most ${LEASE_MS_MAX} are allowed`);
  const { done } = asked;
  if (done != null)
    await ctx.announcements.done({
      ...{ id: done.id, upTo: done.upTo, sent: done.sent, failures: done.failureList },
      claim: Buffer.from(done.claim).toString(),
    });
  const work = asked.leaseMs === 0 ? undefined : await ctx.announcements.claim(asked.leaseMs);
  return work === undefined
    ? {}
    : { work: { ...work, claim: Buffer.from(work.claim), receiverList: [...work.receivers] } };
}

function shown(it: Announcement): IM.Console.Announcement.$Properties {
  return { ...it, audience: AUDIENCES.indexOf(it.audience), failureList: [...it.failures] };
}
