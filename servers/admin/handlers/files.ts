import { z } from 'zod';
import { consoleView, directory } from '../../../common/pdu/commands.js';
import type { FilesInfo } from '../api.js';
import { route } from '../route.js';

const OWNERS_SHOWN = 20;
/** Where no file server says how long an upload may rest. */
const UPLOAD_AGE_MS = 24 * 3_600_000;

/** Files at rest, the servers that keep them, and removing what nobody refers to any more. */
export const fileRoutes = [
  route({
    method: 'GET',
    path: '/api/files',
    needs: 'storage.look',
    async handle(ctx): Promise<FilesInfo> {
      const servers = await ctx.fileServers.askEach(consoleView.fileServer, {});
      const uploadAgeMs = servers[0]?.uploadAgeMs ?? UPLOAD_AGE_MS;
      const asked = { uploadAgeMs, ownersMax: OWNERS_SHOWN };
      const { kindList: kinds, ownerList: owners, ...state } = await ctx.dbProxies.ask(consoleView.filesState, asked);
      return { ...state, kinds, owners, servers };
    },
  }),
  route({
    method: 'POST',
    path: '/api/files/removal',
    needs: 'files.change',
    body: z.strictObject({ dryRun: z.boolean() }),
    async handle(ctx, { caller, body }) {
      await ctx.fileServers.ask(consoleView.removal, body);
      if (body.dryRun) return;
      await ctx.dbProxies.ask(directory.noteAudit, { actor: caller.actor, action: 'files.remove', subject: 'files:' });
    },
  }),
];
