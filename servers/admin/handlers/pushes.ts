import { z } from 'zod';
import { directory, push } from '../../../common/pdu/commands.js';
import type { PushServerInfo, PushTested } from '../api.js';
import { route } from '../route.js';

const BODY_LENGTH_MAX = 200;

/** Push servers: how they get on with the vendors, and a push to see whether it arrives. */
export const pushRoutes = [
  route({
    method: 'GET',
    path: '/api/pushes',
    needs: 'look',
    async handle(ctx): Promise<readonly PushServerInfo[]> {
      const servers = await ctx.pushServers.askEach(push.state, {});
      return servers.map(({ vendorList, ...server }) => ({
        ...server,
        vendors: vendorList.map(({ countList, ...vendor }) => ({ ...vendor, counts: countList })),
      }));
    },
  }),
  route({
    method: 'POST',
    path: '/api/pushes/test',
    needs: 'push.test',
    body: z.strictObject({
      userId: z.number().int().min(1).max(0x7fff_ffff),
      body: z.string().trim().min(1).max(BODY_LENGTH_MAX),
    }),
    async handle(ctx, { caller, body }): Promise<readonly PushTested[]> {
      const { testedList } = await ctx.pushServers.ask(push.test, body);
      await ctx.dbProxies.ask(directory.noteAudit, {
        actor: caller.actor,
        action: 'push.test',
        subject: `user:${body.userId}`,
        after: JSON.stringify({ phones: testedList.map(({ vendor, result }) => `${vendor} ${result}`) }),
      });
      return testedList;
    },
  }),
];
