/** A few seconds of nonsense; FUZZ_SEED names another beginning, fuzz-cli goes on for as long as one likes. */
import t from 'tap';
import { Random } from '../faults/random.js';
import { fuzz } from './fuzz.js';
import { mutated, mutatedJson } from './mutate.js';

const seed = Number(process.env.FUZZ_SEED ?? 20_260);

t.test('nonsense of every kind', async (t) => {
  t.comment(`seed ${seed}`);
  const report = await fuzz(t, { seed, ms: 6_000 });
  t.comment(JSON.stringify(report));
  t.strictSame(report.faults, [], `no faults of ours, seed ${seed}`);
  t.ok(report.messages > 0, 'and two people go on chatting');
  for (const [target, count] of Object.entries(report.sent)) t.ok(count > 0, target);
});

t.test('the same seed does the same', (t) => {
  const run = () => {
    const random = new Random(7);
    const bytes = Array.from({ length: 200 }, () =>
      mutated(random, Buffer.from('something to be hurt')).toString('hex'),
    );
    return [bytes, JSON.stringify(Array.from({ length: 50 }, () => mutatedJson(random, { a: [1, { b: 'c' }] })))];
  };
  t.strictSame(run(), run());
  t.end();
});
