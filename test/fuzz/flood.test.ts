/** Connections that come in crowds and do not behave: memory has a bound and others go on. */
import t from 'tap';
import { flood } from './flood.js';

/** Of the msg server, in MiB: what it may take on top of what it has when idle, all floods together. */
const GROWTH_MAX = 250;

t.test('floods', async (t) => {
  const { curve, opened, messages, slowestMs } = await flood(t, { ms: 1_000, connections: 1_500 });
  t.comment(curve.map(({ flood, mib }) => `${flood} ${mib}`).join(', '));
  t.comment(JSON.stringify({ opened, messages, slowestMs }));
  const most = Math.max(...curve.map(({ mib }) => mib));
  t.ok(most < curve[0]!.mib + GROWTH_MAX, `${curve[0]!.mib} MiB before, ${most} at most`);
  for (const [name, count] of Object.entries(opened)) t.ok(count > 0, name);
  t.ok(messages > 20, `two people went on: ${messages} messages, the slowest took ${slowestMs} ms`);
});
