/** What everybody hears: in its order, over turns, and to those who were there when it was said. */
import t from 'tap';
import { Broadcasts } from '../../../servers/msg/broadcasts.js';
import type { Session } from '../../../servers/msg/session.js';
import type { Sessions } from '../../../servers/msg/sessions.js';
import { until } from '../../support/until.js';

t.test('a broadcast takes turns and keeps its order', async (t) => {
  const got = new Map<number, string[]>();
  const session = (id: number) =>
    ({ send: (frame: Buffer) => got.get(id)!.push(frame.toString()) }) as never as Session;
  const here: Session[] = [];
  for (let id = 0; id < 1_000; id++) {
    got.set(id, []);
    here.push(session(id));
  }
  let delivered = 0;
  const broadcasts = new Broadcasts(here as never as Sessions, (count) => {
    delivered += count;
  });
  broadcasts.send(Buffer.from('first'));
  const atOnce = delivered;
  t.ok(atOnce > 0 && atOnce < 1_000, `${atOnce} at once, the others later`);
  got.set(1_000, []);
  here.push(session(1_000));
  broadcasts.send(Buffer.from('second'));
  await until(() => delivered === 2_001, 'all of both');
  t.same(got.get(1_000), ['second'], 'who came between the two hears the second');
  got.delete(1_000);
  t.ok(
    [...got.values()].every((heard) => heard.join() === 'first,second'),
    'everybody else both, in their order',
  );
});
