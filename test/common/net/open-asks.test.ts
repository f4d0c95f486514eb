/** What waits for an answer, against a map that does the same more slowly. */
import fc from 'fast-check';
import t from 'tap';
import { OpenAsks } from '../../../common/net/open-asks.js';

t.test('like a map whose keys are given out in turn', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant('add' as const) },
    { weight: 2, arbitrary: fc.nat().map((n) => ({ takes: n })) }, // one of those that are open
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((id) => ({ asks: id })) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
      const open = new OpenAsks<object>();
      const model = new Map<number, object>();
      for (const each of steps) {
        if (each === 'add') {
          const ask = {};
          const id = open.add(ask);
          if (id === 0 || id > 0xffff_ffff || model.has(id)) return false;
          model.set(id, ask);
        } else {
          const ids = [...model.keys()];
          const id = 'asks' in each ? each.asks : (ids[each.takes % Math.max(ids.length, 1)] ?? 7);
          if (open.take(id) !== model.get(id)) return false;
          model.delete(id);
        }
        if (open.size !== model.size) return false;
      }
      const listed = open.oldestFirst();
      return (
        listed.length === model.size &&
        [...model].every(([id, ask], i) => listed[i]!.id === id && listed[i]!.ask === ask)
      );
    }),
    { numRuns: 300 },
  );
});

t.test('one that never gets its answer stays, however many come after it', async (t) => {
  const open = new OpenAsks<string>();
  const first = open.add('first');
  let lost = 0;
  for (let i = 0; i < 200_000; i++) if (open.take(open.add('other')) !== 'other') lost++;
  t.equal(lost, 0);
  t.same(open.oldestFirst(), [{ id: first, ask: 'first' }]);
  t.equal(open.take(first), 'first');
  t.equal(open.take(first), undefined);
  t.equal(open.size, 0);
});
