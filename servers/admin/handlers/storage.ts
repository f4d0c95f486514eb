import { z } from 'zod';
import { BUCKETS } from '../../../common/limits.js';
import { consoleView } from '../../../common/pdu/commands.js';
import type { StorageState } from '../api.js';
import { route } from '../route.js';

const shard = z.string().regex(/^[a-z0-9-]{1,32}$/);

/** Shards and keys. Progress is in the map of buckets itself. */
export const storageRoutes = [
  route({
    method: 'GET',
    path: '/api/storage',
    needs: 'storage.look',
    async handle(ctx): Promise<StorageState> {
      const state = await ctx.dbProxies.ask(consoleView.storageState, {});
      return {
        shards: state.shardList.map(({ bucketList, ...same }) => ({ ...same, buckets: bucketList })),
        moves: state.moveList,
        epochs: state.epochList,
        masterKeys: state.masterKeyList,
        problems: state.problemList,
        resealBuckets: state.resealBuckets,
        resealFinished: state.resealFinished,
        job: state.job,
      };
    },
  }),
  route({
    method: 'POST',
    path: '/api/storage/epoch',
    needs: 'storage.change',
    body: z.strictObject({}),
    handle: (ctx, { caller }) => ctx.dbProxies.ask(consoleView.beginEpoch, { actor: caller.actor }),
  }),
  route({
    method: 'POST',
    path: '/api/storage/move',
    needs: 'storage.change',
    body: z.strictObject({ source: shard, target: shard, count: z.number().int().min(1).max(BUCKETS) }),
    handle: (ctx, { caller, body }) => ctx.dbProxies.ask(consoleView.moveBuckets, { actor: caller.actor, ...body }),
  }),
];
