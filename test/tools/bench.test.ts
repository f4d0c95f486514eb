/** The benchmark counts right, and runs. What it measures decides nothing here. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { ChatMessage } from '../../common/client/chat-message.js';
import { projectRoot } from '../../common/root.js';
import { flameGraph } from '../../tools/bench/flame.js';
import { Ledger, percentiles } from '../../tools/bench/ledger.js';
import { framesOf, topOf } from '../../tools/bench/profile.js';
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
  const dir = t.testdir({});
  const out = join(dir, 'result');
  const args = ['dist/tools/bench.js', 'day', '--seconds', '2', '--users', '6', '--out', out, '--profile', dir];
  const port = ['--port-offset', String(await freePortOffset())];
  await promisify(execFile)(process.execPath, [...args, ...port], { cwd: projectRoot, timeout: 120_000 });
  const { results, machine } = JSON.parse(await readFile(`${out}.json`, 'utf8'));
  t.ok(machine.cores > 0);
  const [{ counts, cpuMicros, kinds, pauses }] = results;
  t.ok(pauses.part >= 0 && pauses.part < 1 && pauses.longestMs >= 0, 'what the machine takes for itself');
  t.ok(counts.acked > 0 && counts.deliveries > 0);
  t.match(counts, { unacked: 0, lost: 0, doubled: 0 });
  t.ok(cpuMicros.postgres > 0 && cpuMicros.msg > 0, 'the CPU of every server is counted, PostgreSQL included');
  t.ok(kinds['message to one'].count > 0 && kinds['message to one'].ms.p99 > 0, 'each kind has its times');
  t.match(await readFile(`${out}.svg`, 'utf8'), /^<svg [^>]*><title>.*day/);
  const profile = JSON.parse(await readFile(join(dir, 'day', 'msg-1.cpuprofile'), 'utf8'));
  t.ok(profile.samples.length > 0);
  t.match(await readFile(join(dir, 'day', 'top.txt'), 'utf8'), /^msg-1, busy /m);
  t.match(await readFile(join(dir, 'day', 'msg-1.svg'), 'utf8'), /^<svg [^>]*><title>msg-1: .*servers\/msg\//s);
});

t.test('how costs grow', async (t) => {
  const out = join(t.testdir({}), 'growth');
  const args = ['dist/test/bench/growth.js', '--only', 'people', '--out', out];
  await promisify(execFile)(process.execPath, args, { cwd: projectRoot, timeout: 120_000 });
  const { measured } = JSON.parse(await readFile(`${out}.json`, 'utf8'));
  t.match(
    measured,
    [100, 1_000, 10_000].map((size) => ({ what: 'people: look-up of a log-in', size, unit: 'µs' })),
  );
  t.match(await readFile(`${out}.svg`, 'utf8'), /^<svg [^>]*><title>Cost.*people: look-up of a log-in/s);
});

t.test('the functions that took most', async (t) => {
  const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 9 });
  const nodes = [
    frame('(root)'),
    frame('(idle)'),
    frame('busy', 'file:///x/dist/servers/msg/a.js'),
    frame('', 'node:net'),
  ];
  const called = [[2, 3], [], [4], []];
  const profile = {
    nodes: nodes.map((callFrame, i) => ({ id: i + 1, callFrame, children: called[i]! })),
    startTime: 1_000,
    samples: [3, 2, 3, 4, 3, 3],
    timeDeltas: [0, 100, 100, 100, 100, 100],
  };
  const span = { fromMicros: 1_050, toMicros: 1_450 };
  const { busy, top } = topOf(profile, span);
  t.same(top, ['  66.7 %  busy  servers/msg/a.js:10', '  33.3 %  (anonymous)  node net:10']);
  t.equal(busy, 0.75, 'three of four samples within the time were at work');
  const inside = { name: '(anonymous)  node net:10', micros: 100, children: [] };
  const root = framesOf(profile, span);
  t.same(root, {
    name: '(root)',
    micros: 300,
    children: [{ name: 'busy  servers/msg/a.js:10', micros: 300, children: [inside] }],
  });
  const boxes = flameGraph('a & b', root).matchAll(
    /<title>([^<]*)<\/title><rect x="([\d.]+)" y="\d+" width="([\d.]+)"/g,
  );
  t.same(
    [...boxes].map(([, ...box]) => box),
    [
      ['(root): 100.0 %, 0 ms', '0.0', '1200.0'],
      ['busy  servers/msg/a.js:10: 100.0 %, 0 ms', '0.0', '1200.0'],
      ['(anonymous)  node net:10: 33.3 %, 0 ms', '0.0', '400.0'],
    ],
  );
});
