/** The parts of the terminal client that need neither a terminal nor a server. */
import fc from 'fast-check';
import t from 'tap';
import { ConnectError, LoginRefused, NoMsgServer } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import { commands, complete, helpText, parseCount, parseLine } from '../../tools/chat/command.js';
import { explained, isFinal, pauseMs } from '../../tools/chat/connecting.js';
import { lookUp } from '../../tools/chat/lookup.js';
import { People, withGroup, withUser } from '../../tools/chat/people.js';
import { contentOf, counted, duration, printable, shortened, sizeText, stamp } from '../../tools/chat/text.js';
import { Timeline } from '../../tools/chat/timeline.js';

const { MSG_TYPE_SINGLE_TEXT, MSG_TYPE_SINGLE_AUDIO } = IM.BaseDefine.MsgType;

t.test('a typed line is a command, a text, or nothing', async (t) => {
  const cases: [string, unknown][] = [
    ['', { kind: 'nothing' }],
    ['   ', { kind: 'nothing' }],
    ['hello', { kind: 'text', text: 'hello' }],
    ['  indented, with / inside  ', { kind: 'text', text: '  indented, with / inside' }],
    ['//who are you?', { kind: 'text', text: '/who are you?' }],
    ['/quit', { kind: 'command', name: 'quit', rest: '' }],
    ['/TO  #Sales and more ', { kind: 'command', name: 'to', rest: '#Sales and more' }],
    ['/hi 5', { kind: 'command', name: 'history', rest: '5' }],
    ['/h', { kind: 'unknown', word: 'h', matches: ['help', 'history'] }],
    ['/dance', { kind: 'unknown', word: 'dance', matches: [] }],
    ['/', { kind: 'unknown', word: '', matches: commands.map(({ name }) => name) }],
  ];
  for (const [line, expected] of cases) t.same(parseLine(line), expected, JSON.stringify(line));
});

t.test('every command is in the help, and may be cut short where that is clear', async (t) => {
  const help = helpText().join('\n');
  for (const { name } of commands) {
    t.match(help, `/${name}`);
    t.match(parseLine(`/${name}`), { kind: 'command', name });
  }
});

t.test('counts are whole numbers within their bounds', async (t) => {
  t.equal(parseCount('', 20, 100), 20);
  t.equal(parseCount('100', 20, 100), 100);
  for (const wrong of ['0', '101', '-1', '1.5', 'ten', '1e1']) t.equal(parseCount(wrong, 20, 100), undefined, wrong);
});

t.test('Tab completes commands, and partners after /to', async (t) => {
  t.same(complete('/s', []), [['/sessions ', '/send ', '/status '], '/s']);
  t.same(complete('/to tt00', ['TT001', 'TT002', '#Team']), [['/to TT001', '/to TT002'], '/to tt00']);
  t.same(complete('/to #', ['TT001', '#Team']), [['/to #Team'], '/to #']);
  t.same(complete('hello', ['hello']), [[], 'hello']);
});

t.test('received text cannot act on the terminal', async (t) => {
  t.equal(printable('你好 👋🏽 é'), '你好 👋🏽 é', 'ordinary text stays as it is');
  t.equal(printable('\x1b[2J\x1b]0;title\x07'), '\\x1b[2J\\x1b]0;title\\x07');
  t.equal(printable('\u009b31m'), '\\x9b31m', 'the one-character form of an escape sequence, too');
  t.equal(printable('a\r\nb\rc\n'), 'a ⏎ b ⏎ c', 'one line stays one line');
  t.equal(printable('a\u2028b'), 'a\\u2028b');
  t.equal(printable('invoice\u202efdp.exe'), 'invoice\\u202efdp.exe', 'nothing turns round');
  t.equal(printable('a\tb'), 'a  b');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left
      return !/[\u0000-\u001f\u007f-\u009f]/.test(printable(text));
    }),
  );
});

t.test('the content of a message is its text, its images, or its length', async (t) => {
  const text = (it: string | undefined) =>
    contentOf({ msgType: MSG_TYPE_SINGLE_TEXT, text: it, data: Buffer.alloc(0) });
  t.equal(text('hello\x07'), 'hello\\x07');
  t.equal(
    text('look: &$#@~^@[{:http://h/a_1x1.png:}]&$~@#@ and &$#@~^@[{:http://h/b:}]&$~@#@'),
    'look: [image http://h/a_1x1.png] and [image http://h/b]',
  );
  t.equal(text(undefined), '[unreadable]');
  const voice = (data: number[]) =>
    contentOf({ msgType: MSG_TYPE_SINGLE_AUDIO, text: undefined, data: Buffer.from(data) });
  t.equal(voice([0, 0, 0, 12, 1, 2]), '[voice, 12 s]');
  t.equal(voice([1]), '[voice, 0 s]');
});

t.test('small texts', async (t) => {
  t.equal(shortened('12345', 5), '12345');
  t.equal(shortened('123456', 5), '1234…');
  t.equal(shortened('👋👋👋', 2), '👋…', 'no half characters');
  t.equal(counted(1, 'message'), '1 message');
  t.equal(counted(2, 'message'), '2 messages');
  t.same([119_000, 7_199_000, 7_200_000].map(duration), ['119 s', '119 min', '2 h']);
  t.same([1, 999, 1_000, 52_345, 999_500, 4_294_967_295].map(sizeText), [
    '1 byte',
    '999 bytes',
    '1.0 kB',
    '52 kB',
    '1.0 MB',
    '4.3 GB',
  ]);
  const noon = new Date(2024, 1, 29, 12, 5).getTime();
  t.equal(stamp(noon, noon + 3_600_000), '12:05');
  t.equal(stamp(noon, noon + 86_400_000), '2024-02-29 12:05', 'with its date on another day');
});

t.test('names are found whole, then by their beginning, then by any part', async (t) => {
  const people = [
    ['TT001', 'Ann'],
    ['TT0011', 'Anna'],
    ['ann', 'Bert'],
  ];
  const found = (query: string) => lookUp(query, people, (names) => names).found?.[0];
  t.equal(found('tt001'), 'TT001', 'whole, although it begins another');
  t.equal(found('ANN'), 'ann', 'a login name goes before a nick name');
  t.equal(found('anna'), 'TT0011');
  t.equal(found('ert'), 'ann');
  t.same(lookUp('tt', people, (names) => names).candidates.length, 2);
  t.same(
    lookUp('x', people, (names) => names),
    { candidates: [] },
  );
  t.same(
    lookUp(' ', people, (names) => names),
    { candidates: [] },
    'nothing is no name',
  );
});

t.test('people are named harmlessly, and by their number when unknown', async (t) => {
  const people = new People();
  const user = { userGender: 0, avatarUrl: '', departmentId: 1, email: '', userTel: '', userDomain: '', status: 0 };
  people.users.set(2, { ...user, userId: 2, userNickName: 'Bob\x1b[0m', userRealName: 'bob' });
  const group = { version: 1, groupAvatar: '', groupCreatorId: 0, groupType: 1, shieldStatus: 0, groupMemberList: [] };
  people.groups.set(7, { ...group, groupId: 7, groupName: 'All\nof us' });
  t.equal(people.nameOf(withUser(2)), 'Bob\\x1b[0m');
  t.equal(people.nameOf(withGroup(7)), '#All ⏎ of us');
  t.equal(people.nameOf(withUser(3)), 'user 3');
  t.equal(people.nameOf(withGroup(8)), '#group 8');
  t.match(people.find('bob').found, withUser(2));
  t.match(people.find('#all').found, withGroup(7));
  t.equal(people.find('all').found, undefined, 'a group is asked for with its sign');
});

const ids = (messages: readonly { msgId: number }[]) => messages.map(({ msgId }) => msgId);
const messages = (...msgIds: number[]) => msgIds.map((msgId) => ({ msgId }));

t.test('timeline: in order, once, and nothing is passed over', async (t) => {
  const timeline = new Timeline<{ msgId: number }>(4);
  t.same(ids(timeline.take({ msgId: 5 })), [5]);
  t.same(ids(timeline.take({ msgId: 5 })), [], 'a duplicate');
  t.same(ids(timeline.take({ msgId: 3 })), [], 'from before we came');
  t.same(ids(timeline.take({ msgId: 8 })), [], 'waits for 6 and 7');
  t.same(timeline.missing, { from: 6, to: 7 });
  t.same(ids(timeline.take({ msgId: 6 })), [6], 'overtaken, not lost');
  t.same(timeline.missing, { from: 7, to: 7 });
  t.same(ids(timeline.fill(7, messages(7))), [7, 8]);
  t.equal(timeline.missing, undefined);
  t.equal(timeline.upTo, 8);
});

t.test('timeline: ids that the server does not have are no gap', async (t) => {
  const timeline = new Timeline<{ msgId: number }>(0);
  timeline.take({ msgId: 5 });
  t.same(ids(timeline.fill(4, messages(2))), [2, 5]);
  t.equal(timeline.upTo, 5);
  t.same(ids(timeline.fill(9, [])), []);
  t.same(ids(timeline.take({ msgId: 10 })), [10]);
});

t.test('timeline: what is on the screen already is not given out, but fills its place', async (t) => {
  const timeline = new Timeline<{ msgId: number }>(0);
  t.same(ids(timeline.shown(2)), [], 'our own message; somebody was faster');
  t.same(timeline.missing, { from: 1, to: 1 });
  t.same(ids(timeline.take({ msgId: 1 })), [1]);
  t.equal(timeline.upTo, 2);
  timeline.take({ msgId: 4 });
  t.same(ids(timeline.shown(3)), [4]);
  timeline.shown(6);
  t.same(ids(timeline.fill(7, messages(5, 6, 7))), [5, 7], 'not even when the server sends it');
});

t.test('timeline: whatever the order, losses and repetitions, each message is shown once and in order', async () => {
  const pushes = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 }), pushes, (upTo, arrivals) => {
      const timeline = new Timeline<{ msgId: number }>(upTo);
      const shown: number[] = [];
      for (const msgId of arrivals) {
        shown.push(...ids(timeline.take({ msgId })));
        const gap = timeline.missing;
        // Sometimes the gap is filled at once, sometimes a push may still do it.
        if (gap !== undefined && msgId % 3 === 0) {
          shown.push(...ids(timeline.fill(gap.to, messages(...range(gap.from, gap.to)))));
        }
      }
      const head = Math.max(upTo, ...arrivals);
      shown.push(...ids(timeline.fill(head, messages(...range(timeline.upTo + 1, head)))));
      return JSON.stringify(shown) === JSON.stringify(range(upTo + 1, head));
    }),
  );
});

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

t.test('pauses between tries grow to a bound and are spread', async (t) => {
  t.equal(pauseMs(0, 0), 250);
  t.equal(pauseMs(0, 0.5), 500);
  t.equal(pauseMs(3, 0.5), 4_000);
  t.equal(pauseMs(100, 0.999) < 45_000, true);
});

t.test('who cannot get in is told why and what to do', async (t) => {
  const account = { loginUrl: 'http://h:8080', user: 'TT001', password: 'x', clientType: 1 };
  const told = (error: unknown) => explained(error, account);
  t.match(told(new LoginRefused(6, '用户名/密码错误')), /wrong user name or password for TT001.*用户名\/密码错误/);
  t.match(told(new LoginRefused(5, '')), /cannot let anybody in at the moment \(code 5\)/);
  t.match(told(new ConnectError('ECONNREFUSED')), /no server at http:\/\/h:8080.*npm start/);
  t.match(told(new NoMsgServer(1, '')), /no msg server is registered/);
  t.throws(() => told(new TypeError('ours')), TypeError, 'a fault of ours is no answer');
  t.equal(isFinal(new LoginRefused(6, '')), true);
  t.equal(isFinal(new LoginRefused(3, '')), false);
  t.equal(isFinal(new ConnectError('')), false);
});
