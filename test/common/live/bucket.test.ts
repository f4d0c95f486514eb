import fc from 'fast-check';
import t from 'tap';
import { Bucket } from '../../../common/live/bucket.js';

const second = { size: 3, refillMs: 1_000 };

t.test('what a bucket holds goes at once, then as it refills', async (t) => {
  const bucket = new Bucket();
  for (const left of [2, 1, 0]) {
    t.equal(bucket.take(second, 5_000), 0);
    t.equal(bucket.left(second, 5_000), left);
  }
  t.equal(Math.round(bucket.take(second, 5_000)), 333, 'a third of a second for a third');
  t.equal(Math.round(bucket.take(second, 5_100)), 233, 'nothing was taken before');
  t.equal(bucket.take(second, 5_400), 0);
  t.equal(Math.round(bucket.untilFullMs(second, 5_400)), 933);
  t.equal(bucket.left(second, 60_000), 3, 'never more than it holds');
});

t.test('who takes in any case waits behind those before him', async (t) => {
  const bucket = new Bucket();
  const waits = Array.from({ length: 6 }, () => Math.round(bucket.owe(second, 0)));
  t.same(waits, [-667, -333, 0, 333, 667, 1_000]);
});

t.test('another rate finds the same share in it', async (t) => {
  const bucket = new Bucket();
  for (let i = 0; i < 3; i++) bucket.take({ size: 3, refillMs: 3_600_000 }, 0);
  t.ok(bucket.take({ size: 3, refillMs: 3_600_000 }, 0) > 1_000_000, 'empty for an hour');
  t.ok(bucket.take({ size: 1_000, refillMs: 1_000 }, 0) <= 1, 'and quickly full by the new one');
});

t.test('in no stretch of time more than what it holds and what comes in', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 100, max: 10_000 }),
      fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 200 }),
      (size, refillMs, pauses) => {
        const bucket = new Bucket();
        const taken: number[] = [];
        let nowMs = 1_000;
        for (const pause of pauses) {
          nowMs += pause;
          if (bucket.take({ size, refillMs }, nowMs) === 0) taken.push(nowMs);
        }
        return taken.every((from, i) =>
          taken.slice(i).every((to, n) => n + 1 <= size + ((to - from) * size) / refillMs + 1e-6 + 1e-3),
        );
      },
    ),
  );
});
