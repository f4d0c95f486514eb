/** The checker finds what it is there for, and nothing in a chat where all is well. */
import t from 'tap';
import { type FaultKind, HistoryChecker, type Kept } from './history-checker.js';

const ALICE = 1;
const BOB = 2;
const CHAT = 'alice and bob';

/** Alice says a1, a2, a3 and Bob b1, all acked and told, a4 without an ack. */
function chat(): HistoryChecker {
  const checker = new HistoryChecker();
  checker.send(CHAT, ALICE, 'alice#1', 'a1');
  checker.send(CHAT, ALICE, 'alice#1', 'a2');
  checker.ack(CHAT, 'a1', 1);
  checker.deliver(CHAT, 'bob#1', 'a1', 1);
  checker.send(CHAT, BOB, 'bob#1', 'b1');
  checker.ack(CHAT, 'a2', 2);
  checker.ack(CHAT, 'b1', 3);
  checker.deliver(CHAT, 'bob#1', 'a2', 2);
  checker.deliver(CHAT, 'alice#1', 'b1', 3);
  checker.send(CHAT, ALICE, 'alice#1', 'a3');
  checker.send(CHAT, ALICE, 'alice#1', 'a4');
  checker.ack(CHAT, 'a3', 4);
  return checker;
}

const by = (sender: number, ...texts: [number, string][]): Kept[] =>
  texts.map(([msgId, text]) => ({ msgId, sender, text }));
const KEPT = [...by(ALICE, [1, 'a1'], [2, 'a2'], [4, 'a3']), ...by(BOB, [3, 'b1'])];

function kindsOf(checker: HistoryChecker, kept: readonly Kept[] = KEPT): FaultKind[] {
  checker.page(CHAT, kept);
  return [...new Set(checker.faults().map((fault) => fault.kind))].sort();
}

/** The history of above with some of it changed. */
function changed(text: string, ...by: Kept[]): Kept[] {
  return [...KEPT.filter((each) => each.text !== text), ...by];
}

t.test('a chat where all is well, with the unacked message or without', async (t) => {
  t.same(kindsOf(chat()), []);
  t.same(kindsOf(chat(), [...KEPT, ...by(ALICE, [5, 'a4'])]), []);
  t.equal(chat().acked, 4);
  t.equal(chat().sent, 5);
});

t.test('an acked message that is not there is lost, and leaves a hole', async (t) => {
  t.same(kindsOf(chat(), changed('a3')), ['lost']);
  t.same(kindsOf(chat(), changed('b1')), ['hole', 'lost', 'untold']);
  t.same(kindsOf(chat(), []), ['lost', 'untold']);
});

t.test('a hole, also at the beginning', async (t) => {
  t.same(kindsOf(chat(), [...KEPT, ...by(ALICE, [6, 'a4'])]), ['hole']);
  const late = new HistoryChecker();
  late.send(CHAT, ALICE, 'alice#1', 'a1');
  t.same(kindsOf(late, by(ALICE, [2, 'a1'])), ['hole']);
});

t.test('a text that is there twice', async (t) => {
  t.same(kindsOf(chat(), [...KEPT, ...by(ALICE, [5, 'a3'])]), ['doubled']);
});

t.test('two messages under one id', async (t) => {
  t.same(kindsOf(chat(), [...KEPT, ...by(ALICE, [4, 'a4'])]), ['shared-id']);
});

t.test('another id than the acked one', async (t) => {
  t.same(kindsOf(chat(), changed('a3', ...by(ALICE, [4, 'a4'], [5, 'a3']))), ['reordered', 'wrong-id']);
  const twice = chat();
  twice.ack(CHAT, 'a3', 5);
  t.ok(kindsOf(twice).includes('wrong-id'), 'acked as two');
});

t.test('order: on one connection, and after an ack on any', async (t) => {
  const oneConnection = new HistoryChecker();
  for (const text of ['a1', 'a2']) oneConnection.send(CHAT, ALICE, 'alice#1', text);
  t.same(kindsOf(oneConnection, by(ALICE, [1, 'a2'], [2, 'a1'])), ['reordered']);

  const two = new HistoryChecker();
  two.send(CHAT, ALICE, 'alice#1', 'a1');
  two.send(CHAT, ALICE, 'alice#2', 'a2');
  t.same(kindsOf(two, by(ALICE, [1, 'a2'], [2, 'a1'])), [], 'two connections may overtake each other');

  const afterAck = new HistoryChecker();
  afterAck.send(CHAT, ALICE, 'alice#1', 'a1');
  afterAck.ack(CHAT, 'a1', 2);
  afterAck.send(CHAT, BOB, 'bob#1', 'b1');
  t.same(kindsOf(afterAck, [...by(ALICE, [2, 'a1']), ...by(BOB, [1, 'b1'])]), ['reordered']);
});

t.test(
  'order: what was refused and sent again may be overtaken, but by nothing that was acked before it',
  async (t) => {
    const pipelined = () => {
      const checker = new HistoryChecker();
      for (const text of ['a1', 'a2', 'a3']) checker.send(CHAT, ALICE, 'alice', text);
      return checker;
    };
    const overtaken = by(ALICE, [1, 'a2'], [2, 'a1'], [3, 'a3']);
    t.same(kindsOf(pipelined(), overtaken), ['reordered']);
    const refused = pipelined();
    refused.refused(CHAT, 'a1');
    t.same(kindsOf(refused, overtaken), []);
    const others = pipelined();
    others.refused(CHAT, 'a1');
    t.same(kindsOf(others, by(ALICE, [1, 'a1'], [2, 'a3'], [3, 'a2'])), ['reordered'], 'the others keep their order');
    const after = new HistoryChecker();
    after.send(CHAT, BOB, 'bob', 'b1');
    after.ack(CHAT, 'b1', 2);
    after.send(CHAT, ALICE, 'alice', 'a1');
    after.refused(CHAT, 'a1');
    t.same(kindsOf(after, [...by(ALICE, [1, 'a1']), ...by(BOB, [2, 'b1'])]), ['reordered']);
  },
);

t.test('what nobody sent, or somebody else', async (t) => {
  t.same(kindsOf(chat(), [...KEPT, ...by(BOB, [5, 'b2'])]), ['stranger']);
  t.same(kindsOf(chat(), changed('b1', ...by(ALICE, [3, 'b1']))), ['stranger']);
  const acked = chat();
  acked.ack(CHAT, 'a9', 9);
  t.same(kindsOf(acked), ['stranger']);
});

t.test('receivers: one message under two ids, two messages under one, one that is not kept', async (t) => {
  const twoIds = chat();
  twoIds.deliver(CHAT, 'bob#1', 'a2', 3);
  t.ok(kindsOf(twoIds).includes('two-ids'));

  const shared = chat();
  shared.deliver(CHAT, 'bob#1', 'a4', 2);
  t.same(kindsOf(shared, [...KEPT, ...by(ALICE, [5, 'a4'])]), ['shared-id', 'untold']);

  const untold = chat();
  untold.deliver(CHAT, 'bob#1', 'a4', 5);
  t.same(kindsOf(untold), ['untold']);

  const again = chat();
  again.deliver(CHAT, 'bob#1', 'a2', 2);
  t.same(kindsOf(again), [], 'the same once more is no contradiction');
});

t.test('whoever stays is told everything from his coming on', async (t) => {
  const stayed = (after: number) => {
    const checker = chat();
    checker.arrived(CHAT, 'bob#1', BOB, after);
    return checker;
  };
  t.same(kindsOf(stayed(0)), ['undelivered']);
  t.same(kindsOf(stayed(4)), [], 'it was there before');
  const told = stayed(0);
  told.deliver(CHAT, 'bob#1', 'a3', 4);
  t.same(kindsOf(told), []);
  const left = stayed(0);
  left.left('bob#1');
  t.same(kindsOf(left), []);
  const silent = chat();
  silent.arrived(CHAT, 'bob#2', BOB, 0);
  t.same(kindsOf(silent), ['undelivered'], 'told nothing at all');
});

t.test('a piece of history that is another one later, or has a hole', async (t) => {
  const shown = (...pieces: Kept[][]) => {
    const checker = chat();
    for (const piece of pieces) checker.glimpse(CHAT, piece);
    return kindsOf(checker);
  };
  t.same(shown(KEPT.slice(0, 2), KEPT), []);
  t.same(shown(by(ALICE, [1, 'a1'], [4, 'a3'])), ['hole']);
  t.same(shown(by(ALICE, [5, 'a4'])), ['untold']);
  t.same(shown(by(ALICE, [2, 'a1'])), ['untold']);
  t.same(shown(by(ALICE, [1, 'a1']), by(ALICE, [1, 'a2'])), ['shared-id', 'untold']);
});

t.test('heads and read positions that go back', async (t) => {
  const seen = (...positions: [head: number, read: number][]) => {
    const checker = chat();
    checker.mark(CHAT, BOB, 4);
    for (const [head, read] of positions) checker.look(CHAT, BOB)({ head, read, unread: head - read });
    return kindsOf(checker);
  };
  t.same(seen([4, 3], [4, 4]), []);
  t.same(seen([4, 4], [4, 3]), ['went-back']);
  t.same(seen([3, 3]), ['went-back'], 'the head is behind an ack');
  t.same(seen([4, 0]), ['miscounted', 'went-back'], 'read is behind his own message');
  const late = new HistoryChecker();
  const answered = late.look(CHAT, ALICE);
  late.send(CHAT, ALICE, 'alice#1', 'a1');
  late.ack(CHAT, 'a1', 1);
  answered({ head: 0, read: 0, unread: 0 });
  t.same(kindsOf(late, by(ALICE, [1, 'a1'])), [], 'asked before, answered after');
});

t.test('unread that is not what was read and sent makes it', async (t) => {
  const seen = (head: number, read: number, unread: number, marks: number[] = []) => {
    const checker = chat();
    for (const mark of marks) checker.mark(CHAT, BOB, mark);
    checker.look(CHAT, BOB)({ head, read, unread });
    return kindsOf(checker);
  };
  t.same(seen(4, 3, 1), [], 'up to his own message');
  t.same(seen(4, 4, 0, [4]), [], 'up to his mark');
  t.same(seen(4, 3, 1, [2, 4]), [], 'a mark may be under way, or lost');
  t.same(seen(4, 4, 0), ['miscounted'], 'he has read nothing of it');
  t.same(seen(4, 3, 2), ['miscounted'], 'one too many');
  t.same(seen(4, 3, 0), ['miscounted'], 'one too few');
});

t.test('what of a history somebody was not told yet', async (t) => {
  const untold = (receiver: string, userId: number) =>
    chat()
      .untold(CHAT, receiver, userId, KEPT)
      .map(({ text }) => text);
  t.same(untold('bob#1', BOB), ['a3']);
  t.same(untold('alice#1', ALICE), []);
  t.same(untold('bob#2', BOB), ['a1', 'a2', 'a3'], 'another connection');
});

t.test('conversations do not touch each other', async (t) => {
  const checker = chat();
  checker.send('elsewhere', ALICE, 'alice#1', 'a1');
  checker.ack('elsewhere', 'a1', 1);
  checker.page('elsewhere', by(ALICE, [1, 'a1']));
  t.same(kindsOf(checker), []);
});
