import { finished } from 'node:stream';
import { consoleAccount, consoleView } from '../../../common/pdu/commands.js';
import type { Figures, MsgServerInfo } from '../api.js';
import type { AdminContext } from '../context.js';
import { ProblemError } from '../problem.js';
import { route, Written } from '../route.js';

/** Pages that may watch at once. */
const WATCHERS_MAX = 200;
/** Whether the session still lasts is asked so often; watching does not count as use. */
const RECHECK_MS = 5_000;
/** A page that does not read what it gets is cut. */
const UNREAD_SIZE_MAX = 1024 * 1024;

export const overviewRoutes = [
  route({
    method: 'GET',
    path: '/api/overview',
    needs: 'look',
    handle: (ctx): readonly Figures[] => ctx.watch.past,
  }),
  route({
    method: 'GET',
    path: '/api/overview/stream',
    needs: 'look',
    handle(ctx, { tokenHash }) {
      if (ctx.watch.watchers >= WATCHERS_MAX) throw new ProblemError('BUSY');
      return stream(ctx, tokenHash!);
    },
  }),
  route({
    method: 'GET',
    path: '/api/overview/msg-servers',
    needs: 'look',
    async handle(ctx): Promise<readonly MsgServerInfo[]> {
      return (await ctx.logins.ask(consoleView.msgServers, {})).serverList;
    },
  }),
];

/** Server-sent events: one for every look at the servers, until the session or the connection ends. */
function stream(ctx: AdminContext, tokenHash: Buffer): Written {
  return new Written((response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
    response.write('retry: 3000\n\n');
    const stop = ctx.watch.subscribe((figures) => {
      response.write(`data: ${JSON.stringify(figures)}\n\n`);
      if (response.writableLength > UNREAD_SIZE_MAX) response.destroy();
    });
    const recheck = setInterval(() => {
      ctx.dbProxies.ask(consoleAccount.session, { tokenHash, touch: false }).then(
        ({ admin }) => admin === undefined && response.end('event: over\ndata: {}\n\n'),
        () => undefined, // not known just now: asked again
      );
    }, RECHECK_MS);
    // Also when the page was gone before the stream began.
    finished(response, () => {
      clearInterval(recheck);
      stop();
    });
  });
}
