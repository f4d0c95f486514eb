import { ImError } from '../../../common/errors.js';
import { BUCKETS } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { KeyLine } from '../storage/key-status.js';
import { actorOf } from './directory.js';

export async function state(ctx: DbProxyContext): Promise<IM.Console.IMStorageStateRsp.$Properties> {
  const [{ shards, moves }, keys] = await ctx.upkeep.state();
  return {
    shardList: shards.map(({ name, place, buckets, holds, problem }) => ({
      name,
      place,
      bucketList: [...buckets],
      problem,
      ...(holds && { messages: [...holds.messages.values()].reduce((a, b) => a + b, 0), bytes: holds.bytes }),
    })),
    moveList: moves.map(({ bucket, source, target, phase, attended }) => ({ bucket, source, target, phase, attended })),
    epochList: epochsOf(keys.keys),
    masterKeyList: keys.masterKeys,
    problemList: keys.holders.flatMap(({ name, problem }) => (problem === '' ? [] : [`${name}: ${problem}`])),
    resealBuckets: keys.reseal.buckets,
    resealFinished: keys.reseal.finished,
    job: ctx.upkeep.job,
  };
}

function epochsOf(keys: readonly KeyLine[]): IM.Console.EpochInfo.$Properties[] {
  const epochs = new Map<
    number,
    { keys: number; destroyed: number; current: number; createdMs: number; messages: number }
  >();
  for (const key of keys) {
    const known = epochs.get(key.epoch) ?? {
      keys: 0,
      destroyed: 0,
      current: 0,
      createdMs: key.created.getTime(),
      messages: 0,
    };
    epochs.set(key.epoch, {
      keys: known.keys + 1,
      destroyed: known.destroyed + (key.destroyed ? 1 : 0),
      current: known.current + (key.current ? 1 : 0),
      createdMs: Math.min(known.createdMs, key.created.getTime()),
      messages: known.messages + key.messages,
    });
  }
  return [...epochs].sort(([a], [b]) => b - a).map(([epoch, sums]) => ({ epoch, ...sums }));
}

export async function beginEpoch(
  ctx: DbProxyContext,
  asked: IM.Console.IMBeginEpochReq,
): Promise<IM.Console.IMStorageDoneRsp.$Properties> {
  return { count: await ctx.upkeep.beginEpoch(actorOf(asked.actor)) };
}

export async function moveBuckets(
  ctx: DbProxyContext,
  asked: IM.Console.IMMoveBucketsReq,
): Promise<IM.Console.IMStorageDoneRsp.$Properties> {
  const { actor, source, target, count } = asked;
  if (count < 1 || count > BUCKETS) throw new ImError('BAD_REQUEST', `count: from 1 to ${BUCKETS}`);
  return { count: await ctx.upkeep.moveBuckets(actorOf(actor), source, target, count) };
}
