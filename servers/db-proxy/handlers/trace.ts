import { ImError } from '../../../common/errors.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import { conversationOf } from './message.js';

export async function trace(
  ctx: DbProxyContext,
  asked: IM.Console.IMTraceReq,
): Promise<IM.Console.IMTraceRsp.$Properties> {
  const id = conversationOf(asked.userId, asked.sessionType, asked.sessionId);
  if (id === undefined) throw new ImError('BAD_REQUEST', 'that is no conversation');
  if (asked.msgId === undefined && asked.sendId === undefined) throw new ImError('BAD_REQUEST', 'msg_id or send_id');
  const found = await ctx.traces.find(id, asked);
  return found === undefined
    ? {}
    : { message: found.message, effectList: [...found.effects], readerList: [...found.readers] };
}
