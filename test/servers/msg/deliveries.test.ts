import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Deliveries, type IdRange } from '../../../servers/msg/deliveries.js';

t.test('a message is delivered once, in whatever order and however often it comes', async (t) => {
  const deliveries = new Deliveries();
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  for (const id of range(1, 1_000)) if (!deliveries.first(1n, id)) t.fail(`${id} is new`);
  for (const id of range(1, 1_000)) if (deliveries.first(1n, id)) t.fail(`${id} is not`);
  t.ok(deliveries.first(2n, 1), 'another conversation');

  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 300 }), (ids) => {
      const fresh = new Deliveries();
      const seen = new Set([1]);
      fresh.first(1n, 1);
      return ids.every((id) => fresh.first(1n, id) !== (seen.has(id) || !seen.add(id)));
    }),
  );
});

t.test('what is too far back may come twice, but never not at all', async (t) => {
  const deliveries = new Deliveries();
  deliveries.first(1n, 1);
  t.ok(deliveries.first(1n, 100_000), 'a jump');
  t.ok(deliveries.first(1n, 99_999), 'shortly before it');
  t.notOk(deliveries.first(1n, 99_999));
  t.ok(deliveries.first(1n, 5), 'out of sight');
  t.ok(deliveries.first(1n, 5), 'twice');
  for (let id = 100_002; id < 102_000; id += 2) deliveries.first(1n, id); // every other one is missing
  t.ok(deliveries.first(1n, 101_999 - 2) && !deliveries.first(1n, 101_999 - 2), 'one of the last that are missing');
  t.notOk(deliveries.first(1n, 101_000 + 998), 'one of those that came');
  t.ok(deliveries.first(1n, 100_003), 'a missing one that is forgotten');
});

t.test('what is lacking of a range is what was not delivered, or not as far as is known', (t) => {
  const all = (ranges: readonly IdRange[]) =>
    ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
  const id = fc.integer({ min: 1, max: 1_000 });
  fc.assert(
    fc.property(fc.array(id, { maxLength: 300 }), id, id, (ids, a, b) => {
      const deliveries = new Deliveries();
      for (const each of ids) deliveries.first(1n, each);
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const within = all([{ from, to }]);
      const lacking = all(deliveries.lacking(1n, { from, to }));
      assert.deepEqual(
        lacking,
        within.filter((each) => lacking.includes(each)),
      );
      // What `first` takes for new is lacking, and nothing else is.
      for (const each of within) assert.equal(lacking.includes(each), deliveries.first(1n, each));
    }),
  );
  t.same(new Deliveries().lacking(1n, { from: 3, to: 5 }), [{ from: 3, to: 5 }], 'nothing is known of it');
  t.end();
});
