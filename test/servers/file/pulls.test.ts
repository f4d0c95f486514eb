/** The bookkeeping of blocks, against a model that is too simple to be wrong. */
import fc from 'fast-check';
import t from 'tap';
import { FILE_BLOCK_SIZE } from '../../../common/limits.js';
import { PULLS_OPEN_MAX, type Pull, Pulls } from '../../../servers/file/transfer/pulls.js';

type Step =
  | { readonly do: 'ask'; readonly offset: number; readonly size: number }
  | { readonly do: 'next' | 'senderLost' | 'receiverLost' }
  | { readonly do: 'answer'; readonly shorter: number; readonly offBy: number; readonly longer: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('ask' as const), offset: fc.nat(100_000), size: fc.nat(70_000) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('next' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      shorter: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(40_000)),
      offBy: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: -5, max: 5 })),
      longer: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.nat(3)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('senderLost' as const, 'receiverLost' as const) }) },
);

t.test('what is asked is passed on once a sender, in order, and only its answers are answers', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 90_000 }), fc.array(step, { maxLength: 60 }), (fileSize, steps) => {
      const pulls = new Pulls(fileSize);
      let waiting: Pull[] = [];
      let open: (Pull & { stale?: boolean })[] = [];
      let seq = 0;
      for (const each of steps) {
        if (each.do === 'ask') {
          const fits = each.size > 0 && each.offset < fileSize;
          if (pulls.ask(each.offset, each.size, ++seq) !== fits) return false;
          const size = Math.min(each.size, FILE_BLOCK_SIZE, fileSize - each.offset);
          if (fits) waiting.push({ offset: each.offset, size, seq });
        } else if (each.do === 'next') {
          const expected = open.length < PULLS_OPEN_MAX ? waiting.shift() : undefined;
          const got = pulls.next();
          if (got?.seq !== expected?.seq || got?.offset !== expected?.offset || got?.size !== expected?.size)
            return false;
          if (expected !== undefined) open.push(expected);
        } else if (each.do === 'answer') {
          const first = open[0];
          const offset = (first?.offset ?? 0) + each.offBy;
          const length = (first?.size ?? 10) - each.shorter + each.longer;
          const right = first !== undefined && each.offBy === 0 && length > 0 && length <= first.size;
          const got = pulls.answer(offset, length);
          if (!right && got !== 'breach') return false;
          if (right) {
            open.shift();
            if (first.stale ? got !== 'stale' : typeof got === 'string' || got.seq !== first.seq) return false;
          }
        } else if (each.do === 'senderLost') {
          pulls.senderLost();
          waiting = [...open.filter((pull) => pull.stale !== true), ...waiting];
          open = [];
        } else {
          pulls.receiverLost();
          waiting = [];
          open = open.map((pull) => ({ ...pull, stale: true }));
        }
        if (pulls.waiting !== waiting.length || pulls.open !== open.length || open.length > PULLS_OPEN_MAX)
          return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});

t.test('a receiver that asks and asks while nobody is there is refused at some point', async (t) => {
  const pulls = new Pulls(10);
  let taken = 0;
  while (pulls.ask(0, 10, 1)) taken++;
  t.ok(taken >= 1_000 && taken < 10_000, `${taken}`);
});
