import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { EVENTS_PAGE_MAX } from '../../../common/limits.js';
import { events as eventCommands } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { shown, shownMessage } from './content.js';
import { type Key, may } from './keys.js';
import { Problem, problemOf } from './problem.js';
import { limit, problems } from './schemas.js';

export const shownEvent = z
  .object({
    id: z.string().describe('the cursor of this place'),
    type: z.literal('message.created'),
    message: shownMessage,
  })
  .meta({ id: 'Event' });

/** A silent stream says something so often, or proxies take it for dead. */
const HEARTBEAT_MS = 15_000;
const PAGE = 100;
const cursor = z.string().regex(/^\d{1,15}$/, 'is none of ours');

export const events = (ctx: HttpMsgContext) => async (app: Api) => {
  let streams = 0;
  app.get(
    '/events',
    {
      config: { scope: 'events:read' },
      schema: {
        tags: ['Events'],
        operationId: 'listEvents',
        summary: 'What has happened, in one order',
        description:
          'Without a cursor: the place from which on there will be events. With one: the events after it. Asked with ' +
          '`Accept: text/event-stream` it goes on for ever as Server-Sent Events; `Last-Event-ID` is a cursor as well. ' +
          'Events come at least once. What is said in a message is shown to keys with events:content.',
        headers: z.object({ 'last-event-id': cursor.optional(), accept: z.string().optional() }),
        querystring: z.strictObject({ cursor: cursor.optional(), limit: limit(EVENTS_PAGE_MAX, PAGE) }),
        response: {
          200: z.object({ events: z.array(shownEvent), next: z.string() }),
          410: problems[404].describe('older than what is kept'),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const from = request.headers['last-event-id'] ?? request.query.cursor;
      const after = from === undefined ? undefined : Number(from);
      if (/text\/event-stream/.test(request.headers.accept ?? '')) {
        if (streams >= ctx.settings.streamsMax) throw new Problem(503, 'BUSY', `${streams} event streams are open`);
        streams++;
        await stream(ctx, request, reply, after).finally(() => streams--);
        return reply;
      }
      const page = await read(ctx, request.key, after, request.query.limit);
      return { events: page.eventList.map(shownOf), next: String(page.next) };
    },
  );
};

/** @throws Problem 410 when events are missing between the cursor and what is there */
async function read(ctx: HttpMsgContext, key: Key, after: number | undefined, limit: number) {
  const withBodies = may(key, 'events:content');
  const page = await ctx.dbProxies.ask(eventCommands.read, { after, limit, userId: key.userId, withBodies });
  if (page.tooOld)
    throw new Problem(410, 'CURSOR_TOO_OLD', 'cursor: events after it are no longer kept; begin without one');
  return page;
}

function shownOf({ seq, message }: IM.Api.Event): z.infer<typeof shownEvent> {
  return { id: String(seq), type: 'message.created', message: shown(message) };
}

/** Server-Sent Events until the other side goes, the key is no longer good, or this server stops. */
async function stream(
  ctx: HttpMsgContext,
  request: FastifyRequest,
  reply: FastifyReply,
  after: number | undefined,
): Promise<void> {
  const token = request.headers.authorization!.slice('Bearer '.length);
  let next = after ?? (await read(ctx, request.key, undefined, 1)).next;
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  const say = async (text: string) => {
    // A slow reader is waited for: nothing piles up here.
    if (!raw.write(text)) await Promise.race([onceEvent(raw, 'drain'), onceEvent(raw, 'close')]);
  };
  const gone = () => raw.destroyed || raw.writableEnded || ctx.tail.closed;
  try {
    await say(`: events after ${next}\n\n`);
    while (!gone()) {
      const key = await ctx.keys.find(token, request.ip);
      if (key === undefined || !may(key, 'events:read')) break;
      const page = await read(ctx, key, next, PAGE);
      const lines = page.eventList.map(
        (each) => `id: ${each.seq}\nevent: message.created\ndata: ${JSON.stringify(shownOf(each))}\n\n`,
      );
      if (lines.length > 0) await say(lines.join(''));
      const moved = page.next > next;
      next = page.next;
      if (moved) continue;
      const before = ctx.tail.head;
      await ctx.tail.news(HEARTBEAT_MS);
      if (ctx.tail.head === before && !gone()) await say(': still here\n\n');
    }
  } catch (error) {
    const { code, message } = problemOf(error);
    if (!gone()) raw.write(`event: error\ndata: ${JSON.stringify({ code, detail: message })}\n\n`);
  }
  raw.end();
}

function onceEvent(raw: FastifyReply['raw'], name: 'drain' | 'close'): Promise<void> {
  return new Promise((resolve) => void raw.once(name, () => resolve()));
}
