/** The benchmark counts right, and runs. What it measures decides nothing here. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { ChatMessage } from '../../common/client/chat-message.js';
import { projectRoot } from '../../common/root.js';
import { Ledger, percentiles } from '../../tools/bench/ledger.js';
import { freePortOffset } from '../support/processes.js';

const RECEIVER = 2;

function message(msgId: number, text: string): ChatMessage {
  return { sessionType: 1, sessionId: 1, msgId, fromUserId: 1, createTime: 0, msgType: 1, text, data: Buffer.alloc(0) };
}

t.test('the ledger', async (t) => {
  const ledger = new Ledger();
  const texts = ['a', 'b', 'c', 'd'].map((name) => ledger.sending(name));
  for (const text of texts.slice(0, 3)) ledger.ackedText(text);
  ledger.unacked();
  ledger.delivered(message(1, texts[0]!), RECEIVER);
  ledger.delivered(message(3, texts[2]!), RECEIVER);
  ledger.delivered(message(9, 'of somebody else'), RECEIVER);
  t.match(ledger.counts, { acked: 3, unacked: 1, deliveries: 2, lost: 1, doubled: 0, reordered: 0 });
  ledger.delivered(message(2, texts[1]!), RECEIVER);
  ledger.delivered(message(2, texts[1]!), RECEIVER);
  t.match(ledger.counts, { deliveries: 3, lost: 0, doubled: 1, reordered: 2 });
});

t.test('percentiles', async (t) => {
  t.equal(percentiles([]), undefined);
  t.same(percentiles([3]), { p50: 3, p90: 3, p99: 3, max: 3 });
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  t.same(percentiles(hundred), { p50: 51, p90: 91, p99: 100, max: 100 });
});

t.test('a run', async (t) => {
  const out = join(t.testdir({}), 'result');
  const args = ['dist/tools/bench.js', 'pair', '--seconds', '1', '--users', '4', '--out', out];
  const port = ['--port-offset', String(await freePortOffset())];
  await promisify(execFile)(process.execPath, [...args, ...port], { cwd: projectRoot, timeout: 120_000 });
  const { results, machine } = JSON.parse(await readFile(`${out}.json`, 'utf8'));
  t.ok(machine.cores > 0);
  const [{ counts, cpuMicros }] = results;
  t.ok(counts.acked > 0);
  t.match(counts, { deliveries: counts.acked, unacked: 0, lost: 0, doubled: 0, reordered: 0 });
  t.ok(cpuMicros.postgres > 0 && cpuMicros.msg > 0, 'the CPU of every server is counted, PostgreSQL included');
  t.match(await readFile(`${out}.svg`, 'utf8'), /^<svg .*pair/);
});
