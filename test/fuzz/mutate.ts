import type { Random } from '../faults/random.js';

/** Values that parsers stumble over, as a varint and as four bytes. */
const EDGES = [
  'ffffffffffffffffff01',
  'ffffffff0f',
  '8080808080808080808080',
  '7fffffff',
  '80000000',
  '00000000',
  '00',
  'c080',
  'eda080',
].map((hex) => Buffer.from(hex, 'hex'));

/** The bytes with a few things done to them; now and then something else altogether. */
export function mutated(random: Random, bytes: Uint8Array): Buffer {
  if (random.below(40) === 0) return noise(random, random.below(200));
  let result: Buffer = Buffer.from(bytes);
  for (let i = random.below(4) + 1; i > 0; i--) result = once(random, result);
  return result;
}

function once(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  const skip = tail.subarray(Math.min(tail.length, random.below(8)));
  switch (random.below(6)) {
    case 0: // a bit
      if (tail.length > 0) tail[0]! ^= 1 << random.below(8);
      return bytes;
    case 1: // cut
      return head;
    case 2: // something put in
      return Buffer.concat([head, random.below(2) === 0 ? random.of(EDGES) : noise(random, random.below(16)), tail]);
    case 3: // something in the place of something
      return Buffer.concat([head, random.of(EDGES), skip]);
    case 4: // taken out
      return Buffer.concat([head, skip]);
    default: // repeated
      return Buffer.concat([head, tail.subarray(0, 64), tail]);
  }
}

export function noise(random: Random, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => random.below(256)));
}

/** Values in the place of what JSON and queries should have. */
const ODD: readonly unknown[] = [
  null,
  '',
  'x'.repeat(5_000),
  "'; drop table meta.users; --",
  '%_\\',
  '\0',
  '\ud800',
  '../../../etc/passwd',
  '{"$gt":""}',
  -1,
  0,
  1.5,
  2 ** 31,
  2 ** 53,
  1e308,
  true,
  [],
  {},
  [[[[]]]],
  { __proto__: { admin: true } },
  { length: 1e9 },
];

/** Of the shape of an example, with some parts replaced. */
export function mutatedJson(random: Random, example: unknown): unknown {
  if (random.below(5) === 0) return random.of(ODD);
  if (Array.isArray(example)) return example.map((each) => mutatedJson(random, each));
  if (typeof example !== 'object' || example === null) return random.below(3) === 0 ? random.of(ODD) : example;
  const entries = Object.entries(example).filter(() => random.below(8) !== 0);
  return Object.fromEntries(entries.map(([key, value]) => [key, mutatedJson(random, value)]));
}

/** As it stands in a query. */
export function oddText(random: Random): string {
  const it = random.of(ODD);
  return (typeof it === 'string' ? it : JSON.stringify(it)).slice(0, 300).replace(/[\ud800-\udfff]/g, '?');
}
