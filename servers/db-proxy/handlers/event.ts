import { EVENTS_PAGE_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import { type Message, placeKey } from '../storage/messages.js';
import { sessionOf } from './buddy.js';
import { storedMessage } from './outbox.js';

export async function forward(
  ctx: DbProxyContext,
  asked: IM.Api.IMEventsForwardReq,
): Promise<IM.Api.IMEventsForwardRsp.$Properties> {
  const done = await ctx.events.forward(Math.min(asked.limit, EVENTS_PAGE_MAX), asked.keepHours);
  return { wanted: done !== undefined, moved: done?.moved ?? 0, head: done?.head ?? 0 };
}

export async function read(
  ctx: DbProxyContext,
  asked: IM.Api.IMEventsReadReq,
): Promise<IM.Api.IMEventsReadRsp.$Properties> {
  await ctx.events.want();
  if (asked.after === undefined) return { eventList: [], next: await ctx.events.head(), tooOld: false };
  const limit = Math.max(1, Math.min(asked.limit, EVENTS_PAGE_MAX));
  const page = await ctx.events.read(asked.after, limit, asked.userId);
  const messages = await ctx.messages.at(page.events, asked.withBodies);
  const eventList = page.events.flatMap((each) => {
    const message = messages.get(placeKey(each));
    return message === undefined ? [] : [eventOf(message, each.seq)]; // removed since
  });
  return { eventList, next: page.next, tooOld: page.tooOld };
}

export function eventOf(message: Message, seq: number): IM.Api.Event.$Properties {
  const { sessionType } = sessionOf(message.senderId, message.conversationId);
  return { seq, sessionType, message: storedMessage(message) };
}
