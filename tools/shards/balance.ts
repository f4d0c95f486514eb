/** Which buckets to move so that all shards carry about the same. Pure. */
export interface Load {
  readonly name: string;
  readonly buckets: readonly number[];
}

export interface Wanted {
  readonly bucket: number;
  readonly source: string;
  readonly target: string;
}

/** Shards whose bytes differ from the mean by no more than this part of it are even enough. */
const UNEVEN_MAX = 0.05;

/** The same number of buckets everywhere, but for one; the fewest moves that lead there. */
export function evenNumbers(loads: readonly Load[]): Wanted[] {
  const sum = loads.reduce((all, load) => all + load.buckets.length, 0);
  const each = Math.floor(sum / loads.length);
  // The rest of the division stays where there are most already.
  const fullest = [...loads].sort((a, b) => b.buckets.length - a.buckets.length);
  const share = new Map(fullest.map((load, place) => [load.name, each + (place < sum % loads.length ? 1 : 0)]));
  const surplus = loads.flatMap((load) =>
    load.buckets.slice(share.get(load.name)!).map((bucket) => ({ bucket, source: load.name })),
  );
  const places = loads.flatMap(({ name, buckets }) =>
    Array.from({ length: Math.max(0, share.get(name)! - buckets.length) }, () => name),
  );
  return surplus.map((from, place) => ({ ...from, target: places[place]! }));
}

/**
 * About the same bytes everywhere: again and again the bucket that fits best goes to the emptiest shard, from the fullest
 * one that has such a bucket. Each move lessens the difference between the two, so there is an end.
 */
export function evenBytes(loads: readonly Load[], bytesOf: (bucket: number) => number): Wanted[] {
  const shards = loads.map(({ name, buckets }) => ({ name, buckets: [...buckets], bytes: sumOf(buckets, bytesOf) }));
  const mean = shards.reduce((sum, shard) => sum + shard.bytes, 0) / shards.length;
  const origin = new Map(loads.flatMap(({ name, buckets }) => buckets.map((bucket) => [bucket, name] as const)));
  const goal = new Map<number, string>();
  for (let found = true; found; ) {
    found = false;
    shards.sort((a, b) => b.bytes - a.bytes);
    const emptiest = shards.at(-1)!;
    const lack = mean - emptiest.bytes;
    if (Math.max(lack, shards[0]!.bytes - mean) <= UNEVEN_MAX * mean) break;
    for (const shard of shards.slice(0, -1)) {
      const wanted = Math.min(lack, shard.bytes - mean);
      const bucket = bestOf(shard.buckets, bytesOf, wanted, shard.bytes - emptiest.bytes);
      if (bucket === undefined) continue;
      shard.buckets.splice(shard.buckets.indexOf(bucket), 1);
      shard.bytes -= bytesOf(bucket);
      emptiest.buckets.push(bucket);
      emptiest.bytes += bytesOf(bucket);
      goal.set(bucket, emptiest.name);
      found = true;
      break;
    }
  }
  const moves = [...goal].map(([bucket, target]) => ({ bucket, source: origin.get(bucket)!, target }));
  return moves.filter((move) => move.source !== move.target).sort((a, b) => a.bucket - b.bucket);
}

/** The one closest to what is wanted, if it is smaller than `below`; one without bytes lessens nothing. */
function bestOf(
  buckets: readonly number[],
  bytesOf: (bucket: number) => number,
  wanted: number,
  below: number,
): number | undefined {
  let best: number | undefined;
  const distance = (bucket: number) => Math.abs(bytesOf(bucket) - wanted);
  for (const bucket of buckets) {
    if (bytesOf(bucket) <= 0 || bytesOf(bucket) >= below) continue;
    if (best === undefined || distance(bucket) < distance(best)) best = bucket;
  }
  return best;
}

function sumOf(buckets: readonly number[], bytesOf: (bucket: number) => number): number {
  return buckets.reduce((sum, bucket) => sum + bytesOf(bucket), 0);
}
