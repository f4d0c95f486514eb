import { SEND_ID_SIZE } from '../../../common/chat/message.js';
import { ImError } from '../../../common/errors.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import { conversationOf } from './message.js';

export async function trace(
  ctx: DbProxyContext,
  asked: IM.Console.IMTraceReq,
): Promise<IM.Console.IMTraceRsp.$Properties> {
  const { sendId } = asked;
  if (sendId !== undefined && sendId.length !== SEND_ID_SIZE)
    throw new ImError('BAD_REQUEST', `a send_id of ${sendId.length} bytes instead of ${SEND_ID_SIZE}`);
  if (asked.msgId === undefined && sendId === undefined) throw new ImError('BAD_REQUEST', 'msg_id or send_id');
  if (sendId !== undefined && asked.sessionId === 0) {
    const { places, cutOff } = await ctx.traces.search(sendId);
    return {
      placeList: places.map(({ conversationId, msgId }) => ({ conversationId: String(conversationId), msgId })),
      cutOff,
    };
  }
  const id = conversationOf(asked.userId, asked.sessionType, asked.sessionId);
  if (id === undefined) throw new ImError('BAD_REQUEST', 'that is no conversation');
  const found = await ctx.traces.find(id, asked);
  return found === undefined
    ? {}
    : { message: found.message, effectList: [...found.effects], readerList: [...found.readers] };
}
