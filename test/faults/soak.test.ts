/**
 * A hundred thousand messages while everything is killed that may be killed, and every promise kept. The seed decides who
 * is killed when: `SOAK_SEED=… npm test -- faults/soak` repeats a run, as far as a real cluster can.
 */
import t from 'tap';
import { soak } from './soak.js';
import { linesOf } from './soak-report.js';

const MESSAGES = 100_000;
/** Of more than twenty kinds; all of them have their turn in the soak by hand. */
const DISTURBED = 4;
/** A slow machine does not get all of them through: what it has sent is judged all the same. */
const MS_MAX = 50_000;
/** The disturbances take their time, and a quick machine would send, and read at the end, twice as many meanwhile. */
const SENDS_PER_SECOND = 12;

t.test('a chat under fire keeps every promise', async (t) => {
  const seed = Number(process.env.SOAK_SEED ?? Math.floor(Math.random() * 2 ** 32));
  t.comment(`SOAK_SEED=${seed}`);
  const report = await soak(t, {
    messages: MESSAGES,
    sendsPerSecond: SENDS_PER_SECOND,
    disturbances: DISTURBED,
    msMax: MS_MAX,
    seed,
    hear: (line) => t.comment(line),
  });
  for (const line of linesOf(report)) t.comment(line);
  t.same(report.faults.slice(0, 20), [], 'no promise is broken');
  t.same(report.crashes, [], 'no server has ended of itself');
  t.equal(report.fsck, '', 'what is at rest agrees with itself');
  t.ok(report.tally.acked > 1_000, 'there was something to judge');
  t.ok(report.disturbances.length > 0 && report.bucketsMoved > 0, 'and it was disturbed');
});
