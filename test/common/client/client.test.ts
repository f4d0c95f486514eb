/** What the SDK promises, against a msg server played by hand: it says exactly what each test writes. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { Client, ConnectError, ConnectionLost, findMsgServer, NoMsgServer } from '../../../common/client/client.js';
import { FRAME_SIZE_MAX } from '../../../common/limits.js';
import { Connection } from '../../../common/net/connection.js';
import { listen } from '../../../common/net/listener.js';
import { type Command, decodeBody, encodeFrame } from '../../../common/pdu/command.js';
import { buddy, group, login, message, other } from '../../../common/pdu/commands.js';
import { Frame, frameOf } from '../../../common/pdu/header.js';
import { IM } from '../../../common/pdu/pb.js';
import { decryptText, encryptText } from '../../../common/text-cipher.js';

const { ClientType, KickReasonType, MsgType, ResultType, SessionType, UserStatType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE, SESSION_TYPE_GROUP } = SessionType;

const ALICE = user(1, 'alice');
const BOB = 2;

function user(userId: number, name: string): IM.BaseDefine.UserInfo.$Properties {
  return {
    userId,
    userGender: 0,
    userNickName: name,
    avatarUrl: '',
    departmentId: 1,
    email: '',
    userRealName: name,
    userTel: '',
    userDomain: name,
    status: 0,
  };
}

function textFrom(fromUserId: number, msgId: number, text: string): IM.Message.IMMsgData.$Properties {
  const msgType = MsgType.MSG_TYPE_SINGLE_TEXT;
  return { fromUserId, toSessionId: 1, msgId, createTime: 1_700_000_000, msgType, msgData: encryptText(text) };
}

/** The other end of one connection. */
class Caller {
  readonly connection: Connection;
  readonly #heard: Frame[] = [];
  #waiting: (() => void) | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.own({
      frame: (frame) => {
        this.#heard.push(new Frame(Buffer.from(frame.bytes)));
        this.#waiting?.();
      },
      closed: () => undefined,
    });
  }

  /** The next frame, which has to be this command. */
  async expect<Out>(command: Command<never, Out>): Promise<Out & { readonly seq: number }> {
    while (this.#heard.length === 0) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    const frame = this.#heard.shift()!;
    if (frame.command !== command.id) throw new Error(`0x${frame.command.toString(16)} instead of ${command.name}`);
    return Object.assign(decodeBody(command, frame.body) as Out & object, { seq: frame.seq }) as Out & { seq: number };
  }

  say<In>(command: Command<In, unknown>, seq: number, it: In): void {
    this.connection.send(encodeFrame(command, seq, it));
  }

  async letIn(): Promise<IM.Login.IMLoginReq> {
    const asked = await this.expect(login.enter);
    this.say(login.enter.reply, asked.seq, welcome());
    return asked;
  }
}

function welcome(): IM.Login.IMLoginRes.$Properties {
  return {
    serverTime: 1_700_000_000,
    resultCode: ResultType.REFUSE_REASON_NONE,
    resultString: '成功',
    onlineStatus: UserStatType.USER_STATUS_ONLINE,
    userInfo: ALICE,
  };
}

async function fakeServer(t: Test): Promise<{ port: number; next(): Promise<Caller> }> {
  const callers: Caller[] = [];
  let waiting: ((caller: Caller) => void) | undefined;
  const listening = await listen(0, '127.0.0.1', (socket) => {
    const caller = new Caller(new Connection(socket, { frameSizeMax: FRAME_SIZE_MAX, sendQueueMax: FRAME_SIZE_MAX }));
    t.teardown(() => caller.connection.close('shutdown'));
    if (waiting === undefined) callers.push(caller);
    else waiting(caller);
    waiting = undefined;
  });
  t.teardown(() => listening.close());
  const next = () =>
    new Promise<Caller>((resolve) => {
      const caller = callers.shift();
      if (caller === undefined) waiting = resolve;
      else resolve(caller);
    });
  return { port: listening.port, next };
}

type LoginOptions = Parameters<typeof Client.login>[0];
const address = (port: number): LoginOptions => ({ host: '127.0.0.1', port, user: 'alice', password: '12345' });

/** Alice, logged in, and the server's end of her connection. */
async function loggedIn(t: Test, options: Partial<LoginOptions> = {}): Promise<[Client, Caller]> {
  const server = await fakeServer(t);
  const entering = Client.login({ ...address(server.port), heartbeatMs: 0, ...options });
  const caller = await server.next();
  await caller.letIn();
  const client = await entering;
  t.teardown(() => client.close());
  return [client, caller];
}

t.test('login: the md5 of the password travels, the answer says who we are, and no capability is named', async (t) => {
  const server = await fakeServer(t);
  const entering = Client.login({ ...address(server.port), clientType: ClientType.CLIENT_TYPE_IOS });
  const asked = await (await server.next()).letIn();
  const client = await entering;
  t.teardown(() => client.close());
  t.match(asked, {
    userName: 'alice',
    password: '827ccb0eea8a706c4c34a16891f84e7b',
    clientType: ClientType.CLIENT_TYPE_IOS,
    onlineStatus: UserStatType.USER_STATUS_ONLINE,
    capabilities: [],
    deviceId: undefined,
  });
  t.equal(client.userId, 1);
  t.equal(client.userInfo.userNickName, 'alice');
  t.equal(client.serverTime, 1_700_000_000);
});

t.test('a refused login says which refusal it is, and the connection ends', async (t) => {
  const server = await fakeServer(t);
  const entering = Client.login(address(server.port));
  const caller = await server.next();
  const { seq } = await caller.expect(login.enter);
  const resultCode = ResultType.REFUSE_REASON_DB_VALIDATE_FAILED;
  caller.say(login.enter.reply, seq, { serverTime: 1, resultCode, resultString: '用户名/密码错误' });
  await t.rejects(entering, { name: 'LoginRefused', code: 6, text: '用户名/密码错误' });
});

t.test('what keeps one out without a refusal is a ConnectError', async (t) => {
  const server = await fakeServer(t);

  const silent = Client.login({ ...address(server.port), timeoutMs: 300 });
  await (await server.next()).expect(login.enter);
  await t.rejects(silent, { name: 'ConnectError', message: /no IMLoginRes within 300 ms/ }, 'a silent server');

  const hungUp = Client.login(address(server.port));
  const caller = await server.next();
  await caller.expect(login.enter);
  caller.connection.close('full');
  await t.rejects(hungUp, { name: 'ConnectError', message: /closed \(ended\)/ }, 'a server that hangs up');

  const nobody = await listen(0, '127.0.0.1', () => undefined);
  nobody.close();
  await t.rejects(
    Client.login(address(nobody.port)),
    { name: 'ConnectError', message: /ECONNREFUSED/ },
    'nobody there',
  );
});

t.test('an answer in pieces is one answer, wherever it is cut', async (t) => {
  const [client, caller] = await loggedIn(t);
  const whole = (seq: number) => encodeFrame(message.time.reply, seq, { serverTime: 1_700_000_123 });
  for (let cut = 1; cut < whole(1).length; cut++) {
    const asking = client.time();
    const { seq } = await caller.expect(message.time);
    const bytes = whole(seq);
    caller.connection.socket.write(bytes.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve)); // another turn, another segment
    caller.connection.socket.write(bytes.subarray(cut));
    t.equal(await asking, 1_700_000_123);
  }
});

t.test('answers find their questions in any order, with pushes between them', async (t) => {
  const [client, caller] = await loggedIn(t);
  const said = [client.say(BOB, 'one'), client.say(BOB, 'two'), client.sayGroup(9, 'three')];
  const time = client.time();
  const seqs: number[] = [];
  for (const [text, toSessionId] of [
    ['one', BOB],
    ['two', BOB],
    ['three', 9],
  ] as const) {
    const it = await caller.expect(message.data);
    t.equal(decryptText(it.msgData), text);
    t.equal(it.toSessionId, toSessionId);
    seqs.push(it.seq);
  }
  const timeSeq = (await caller.expect(message.time)).seq;
  t.equal(new Set(seqs).size, 3, 'a seq of its own for each');
  t.notOk(seqs.includes(0), 'never the one of pushes');

  caller.say(message.ack, seqs[2]!, { userId: 1, sessionId: 9, msgId: 103, sessionType: SESSION_TYPE_GROUP });
  caller.say(message.data, 0, textFrom(BOB, 7, 'meanwhile'));
  caller.say(message.ack, seqs[0]!, { userId: 1, sessionId: BOB, msgId: 101, sessionType: SESSION_TYPE_SINGLE });
  // The same seq under another command is no answer to the question under that seq.
  caller.say(message.time.reply, timeSeq, { serverTime: 5 });
  caller.say(message.ack, seqs[1]!, { userId: 1, sessionId: BOB, msgId: 102, sessionType: SESSION_TYPE_SINGLE });

  t.same(await Promise.all(said), [{ msgId: 101 }, { msgId: 102 }, { msgId: 103 }]);
  t.equal(await time, 5);
  t.match(await client.heard(), { text: 'meanwhile', msgId: 7, fromUserId: BOB, sessionId: BOB });
});

t.test('a question takes the seq it is given, which Windows needs to be 0xff03', async (t) => {
  const [client, caller] = await loggedIn(t);
  const asking = client.ask(message.time, {}, { seq: 0xff03 });
  await t.rejects(client.ask(message.time, {}, { seq: 0xff03 }), /another question under seq 65283/);
  const { seq } = await caller.expect(message.time);
  t.equal(seq, 0xff03);
  caller.say(message.time.reply, 0xff03, { serverTime: 1 });
  await asking;
});

t.test('a question can be repeated once under its seq, and its one answer ends it', async (t) => {
  const [client, caller] = await loggedIn(t);
  const saying = client.say(BOB, 'hello', { resendMs: 10 });
  const first = await caller.expect(message.data);
  const second = await caller.expect(message.data);
  t.same(second, first);
  caller.say(message.ack, first.seq, { userId: 1, sessionId: BOB, msgId: 1, sessionType: SESSION_TYPE_SINGLE });
  t.same(await saying, { msgId: 1 });
});

t.test('no answer: the deadline ends the wait, and what comes late is kept like a push', async (t) => {
  const [client, caller] = await loggedIn(t);
  await t.rejects(client.say(BOB, 'hello', { timeoutMs: 20 }), { name: 'ImError', code: 'TIMEOUT' });
  const { seq } = await caller.expect(message.data);
  t.equal(client.openAsks, 0);
  caller.say(message.ack, seq, { userId: 1, sessionId: BOB, msgId: 1, sessionType: SESSION_TYPE_SINGLE });
  t.match(await client.next(message.ack), { msgId: 1 });
});

t.test('a close in the middle rejects everything that waits, at once', async (t) => {
  const [client, caller] = await loggedIn(t, { askTimeoutMs: 60_000 });
  const waiting = [client.time(), client.say(BOB, 'hello'), client.heard(undefined, 60_000)];
  await caller.expect(message.time);
  caller.connection.close('shutdown');
  const lost = { name: 'ConnectionLost', reason: 'ended' };
  await Promise.all(waiting.map((each: Promise<unknown>) => t.rejects(each, lost)));
  t.equal(await client.closed, 'ended');
  t.ok(client.isClosed);
  await t.rejects(client.time(), ConnectionLost, 'and so is what comes after');
  await t.rejects(client.heard(), ConnectionLost);
});

t.test('pushes wait until somebody takes them, each once, in their order', async (t) => {
  const [client, caller] = await loggedIn(t);
  for (const [msgId, from] of [
    [1, 2],
    [1, 3],
    [2, 2],
  ] as const) {
    caller.say(message.data, 0, textFrom(from, msgId, `${from}.${msgId}`));
  }
  t.equal((await client.heard((it) => it.fromUserId === 3)).text, '3.1');
  t.equal((await client.heard()).text, '2.1');
  t.equal((await client.heard()).text, '2.2');
  await t.rejects(client.heard(undefined, 20), { code: 'TIMEOUT' });

  const later = client.heard((it) => it.text === 'later');
  caller.say(message.data, 0, textFrom(2, 3, 'other'));
  caller.say(message.data, 0, textFrom(2, 4, 'later'));
  t.equal((await later).msgId, 4);
  t.same(
    client.unconsumed.map((frame) => [frame.command, frame.seq]),
    [[message.data.id, 0]],
    'what no predicate wanted is still there',
  );
  caller.connection.close('shutdown');
  await client.closed;
  t.equal((await client.heard()).text, 'other', 'even after the connection is gone');
});

t.test('the list of pushes is bounded, and a wait that fails tells of the loss', async (t) => {
  const [client, caller] = await loggedIn(t, { pushesMax: 2 });
  for (const msgId of [1, 2, 3]) caller.say(message.data, 0, textFrom(2, msgId, 'x'));
  const third = new Promise<void>((resolve) => client.on('message', ({ msgId }) => msgId === 3 && resolve()));
  await third;
  await t.rejects(
    client.next(message.data, (it) => it.msgId === 1, 20),
    { message: /1 older ones were dropped/ },
  );
});

t.test('events: whoever listens right after the login misses nothing that came right behind its answer', async (t) => {
  const server = await fakeServer(t);
  const entering = Client.login({ ...address(server.port), heartbeatMs: 0 });
  const caller = await server.next();
  const { seq } = await caller.expect(login.enter);
  caller.connection.socket.write(
    Buffer.concat([
      encodeFrame(login.enter.reply, seq, welcome()),
      encodeFrame(message.data, 0, textFrom(BOB, 1, 'already here')),
    ]),
  );
  const client = await entering;
  t.teardown(() => client.close());
  const [first] = await once(client, 'message');
  t.match(first, { text: 'already here', sessionType: SESSION_TYPE_SINGLE, sessionId: BOB });
});

t.test('events: each push under its name, decoded', async (t) => {
  const [client, caller] = await loggedIn(t);
  const readAck = { userId: 1, sessionId: 9, msgId: 3, sessionType: SESSION_TYPE_GROUP };
  const heard: unknown[] = [];
  client.on('readNotify', (it) => heard.push(['read', it.msgId]));
  client.on('statusNotify', (it) => heard.push(['status', it.userId]));
  client.on('signature', (it) => heard.push(['signature', it.signInfo]));
  client.on('groupChange', (it) => heard.push(['group', it.groupId]));
  client.on('garbled', (frame) => heard.push(['garbled', frame.command]));
  client.on('message', (it) => heard.push(['message', it.sessionId, it.text]));
  client.on('closed', (reason) => heard.push(['closed', reason]));
  caller.say(message.readNotify, 0, readAck);
  caller.say(buddy.statusNotify, 0, { userStat: { userId: BOB, status: UserStatType.USER_STATUS_OFFLINE } });
  caller.say(buddy.signatureNotify, 0, { changedUserId: BOB, signInfo: 'away' });
  caller.say(group.memberNotify, 0, { userId: 0, changeType: 1, groupId: 9 });
  caller.connection.send(frameOf(message.readNotify.id, 0, Buffer.from([8])));
  // A message of our own, said on another device, belongs to the conversation with its addressee.
  caller.say(message.data, 0, { ...textFrom(1, 4, 'me elsewhere'), toSessionId: BOB });
  caller.connection.close('shutdown');
  await client.closed;
  t.same(heard, [
    ['read', 3],
    ['status', BOB],
    ['signature', 'away'],
    ['group', 9],
    ['garbled', message.readNotify.id],
    ['message', BOB, 'me elsewhere'],
    ['closed', 'ended'],
  ]);
});

t.test('received one-to-one messages are confirmed: not our own, not those of groups', async (t) => {
  const [client, caller] = await loggedIn(t);
  const toGroup = { ...textFrom(BOB, 1, 'all'), toSessionId: 9, msgType: MsgType.MSG_TYPE_GROUP_TEXT };
  caller.say(message.data, 0, toGroup);
  caller.say(message.data, 0, { ...textFrom(1, 1, 'mine'), toSessionId: BOB });
  caller.say(message.data, 0, textFrom(BOB, 2, 'hello'));
  t.match(await caller.expect(message.ack), { seq: 0, userId: 1, sessionId: BOB, msgId: 2 });
  client.close();

  const [, toAndroid] = await loggedIn(t, { clientType: ClientType.CLIENT_TYPE_ANDROID });
  toAndroid.say(message.data, 0, textFrom(BOB, 2, 'hello'));
  t.match(await toAndroid.expect(message.ack), { userId: BOB, sessionId: 1 }, 'Android swaps the ids');

  const [quiet, toQuiet] = await loggedIn(t, { ackMessages: false });
  toQuiet.say(message.data, 0, textFrom(BOB, 2, 'hello'));
  await quiet.heard();
  void quiet.time().catch(() => undefined);
  await toQuiet.expect(message.time);
});

t.test('kicked: told why, and leaves by itself unless told to stay', async (t) => {
  const kick = { userId: 1, kickReason: KickReasonType.KICK_REASON_MOBILE_KICK };
  const [client, caller] = await loggedIn(t);
  const reasons: number[] = [];
  client.on('kicked', (reason) => reasons.push(reason));
  caller.say(login.kick, 0, kick);
  t.equal(await client.closed, 'kicked');
  t.same(reasons, [KickReasonType.KICK_REASON_MOBILE_KICK]);

  const [stayer, toStayer] = await loggedIn(t, { leaveWhenKicked: false });
  toStayer.say(login.kick, 0, kick);
  await stayer.next(login.kick);
  t.notOk(stayer.isClosed);
  t.equal(stayer.kickReason, KickReasonType.KICK_REASON_MOBILE_KICK);
});

t.test('heartbeats go out by themselves, their echo is no push, and silence ends the connection', async (t) => {
  const [client, caller] = await loggedIn(t, { heartbeatMs: 200 });
  for (let round = 0; round < 4; round++) {
    await caller.expect(other.heartbeat);
    caller.say(other.heartbeat, 0, {});
  }
  t.notOk(client.isClosed);
  t.equal(await client.closed, 'silent', 'not echoed any more');
  t.same(client.unconsumed, []);
});

t.test('history comes decrypted, newest first as sent; voice has no text', async (t) => {
  const [client, caller] = await loggedIn(t);
  const asking = client.history(SESSION_TYPE_SINGLE, BOB, 9, 2);
  const asked = await caller.expect(message.list);
  t.match(asked, { userId: 1, sessionId: BOB, msgIdBegin: 9, msgCnt: 2 });
  const voice = Buffer.from([0, 0, 0, 5, 1, 2, 3]);
  const msgList = [
    { msgId: 9, fromSessionId: 1, createTime: 20, msgType: MsgType.MSG_TYPE_SINGLE_AUDIO, msgData: voice },
    { msgId: 8, fromSessionId: BOB, createTime: 10, msgType: MsgType.MSG_TYPE_SINGLE_TEXT, msgData: encryptText('hi') },
  ];
  const { userId, sessionType, sessionId, msgIdBegin } = asked;
  caller.say(message.list.reply, asked.seq, { userId, sessionType, sessionId, msgIdBegin, msgList });
  t.match(await asking, [
    { msgId: 9, fromUserId: 1, sessionId: BOB, text: undefined, data: voice },
    { msgId: 8, fromUserId: BOB, sessionId: BOB, text: 'hi' },
  ]);
});

t.test('logout waits for its answer and then closes', async (t) => {
  const [client, caller] = await loggedIn(t);
  const leaving = client.logout();
  const { seq } = await caller.expect(login.leave);
  caller.say(login.leave.reply, seq, { resultCode: 0 });
  await leaving;
  t.equal(await client.closed, 'logout');
});

t.test('an Android client takes no frame of more than 400 KiB, a Windows client does', async (t) => {
  const large = frameOf(message.data.id, 0, Buffer.alloc(400 * 1024));
  const [android, toAndroid] = await loggedIn(t, { clientType: ClientType.CLIENT_TYPE_ANDROID });
  toAndroid.connection.socket.write(large);
  t.equal(await android.closed, 'length-too-large');
  const [windows, toWindows] = await loggedIn(t);
  toWindows.connection.socket.write(large);
  await once(windows, 'garbled');
  t.notOk(windows.isClosed);
});

t.test('the login server is asked for a msg server', async (t) => {
  let body = '';
  const http = createHttpServer((request, response) => {
    t.equal(request.url, '/msg_server');
    response.setHeader('Content-Type', 'text/html;charset=utf-8').end(body);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.teardown(() => http.close());
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  const msfs = 'http://127.0.0.1:8700/';
  body = JSON.stringify({
    code: 0,
    msg: '',
    priorIP: '127.0.0.1',
    backupIP: '10.0.0.1',
    port: '8000',
    msfsPrior: msfs,
  });
  const found = { host: '127.0.0.1', port: 8000, backupHost: '10.0.0.1', msfsUrl: msfs, discoveryUrl: undefined };
  t.same(await findMsgServer(url), found);
  t.same(await findMsgServer(`${url}/msg_server`), found, 'with the path, too');

  body = JSON.stringify({ code: 1, msg: '没有msg_server' });
  await t.rejects(findMsgServer(url), { name: 'NoMsgServer', code: 1, message: /no msg server is registered/ });
  body = JSON.stringify({ code: 2, msg: '负载过高' });
  await t.rejects(findMsgServer(url), NoMsgServer);
  body = JSON.stringify({ code: 0, priorIP: '127.0.0.1', port: 'many' });
  await t.rejects(findMsgServer(url), { name: 'ConnectError', message: /no usable msg server/ });
  body = 'what?';
  await t.rejects(findMsgServer(url), ConnectError);
});

t.test('a login server that is not there, or silent, is said to be so', async (t) => {
  const nobody = await listen(0, '127.0.0.1', () => undefined);
  const url = `http://127.0.0.1:${nobody.port}`;
  await t.rejects(findMsgServer(url, 50), { name: 'ConnectError', message: /silent for 50 ms/ });
  nobody.close();
  const gone = await listen(0, '127.0.0.1', () => undefined);
  gone.close();
  await t.rejects(findMsgServer(`http://127.0.0.1:${gone.port}`), { message: /ECONNREFUSED/ });
});
