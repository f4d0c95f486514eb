/** Getting in, being in and getting out: discovery, log-in, lock-out, time-outs, kicks, log-out. */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import {
  Client,
  ConnectionLost,
  type ConnectOptions,
  findMsgServer,
  type LoginRefused,
  NoMsgServer,
} from '../../common/client/client.js';
import { type Command, decodeBody, encodeFrame } from '../../common/pdu/command.js';
import { buddy, file, group, login, message, other, switchService } from '../../common/pdu/commands.js';
import { type Frame, frameOf } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { hashPassword } from '../../servers/db-proxy/storage/passwords.js';
import { PASSWORD, TestCluster, until } from '../support/cluster.js';
import { databaseText } from '../support/database-text.js';
import { fieldsOf, listenTo } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';
import { samples } from '../support/samples.js';

const { ClientType, KickReasonType, ResultType, SessionType, UserStatType } = IM.BaseDefine;
const { CLIENT_TYPE_WINDOWS: WINDOWS, CLIENT_TYPE_MAC: MAC } = ClientType;
const { CLIENT_TYPE_IOS: IOS, CLIENT_TYPE_ANDROID: ANDROID } = ClientType;
const SINGLE = SessionType.SESSION_TYPE_SINGLE;
const ONLINE = UserStatType.USER_STATUS_ONLINE;

/** As TeamTalk clients show them. */
const TEXT = {
  ok: '成功',
  wrong: '用户名/密码错误',
  locked: '用户名/密码错误次数太多',
  down: '服务端异常',
} as const;

const postgres = await testPostgres(t);

// ------------------------------------------------------------------------------------------------------- helpers

/** A request as clients send it. */
function loginRequest(userName: string, password = PASSWORD, clientType = WINDOWS): IM.Login.IMLoginReq.$Properties {
  return { userName, password: md5(password), onlineStatus: ONLINE, clientType, clientVersion: 'test' };
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

/** Numbers of the commands, but for presence: that of others comes when it comes. */
function commandsOf(frames: readonly Frame[]): number[] {
  return frames.map((frame) => frame.command).filter((command) => command !== buddy.statusNotify.id);
}

/** Resolves with the echo of this heartbeat: by then everything that was answered at once before it is here. */
async function echoOf(client: Client, beat = encodeFrame(other.heartbeat, 0x7e57, {})): Promise<Frame> {
  let echo: Frame | undefined;
  const listen = (frame: Frame) => {
    if (frame.command === other.heartbeat.id) echo = frame;
  };
  client.on('frame', listen);
  client.sendFrame(beat);
  await until(() => echo !== undefined, 'the echo of a heartbeat');
  client.off('frame', listen);
  return echo!;
}

/** The whole answer, refused or not. */
async function tryLogin(cluster: TestCluster, user: string, password: string, at = 0): Promise<IM.Login.IMLoginRes> {
  const client = await cluster.connect(at);
  const answer = await client.ask(login.enter, loginRequest(user, password));
  if (answer.resultCode !== 0) await client.closed;
  client.close();
  return answer;
}

async function discovered(cluster: TestCluster): Promise<Record<string, unknown>> {
  const response = await fetch(`${cluster.loginHttp}/msg_server`);
  return (await response.json()) as Record<string, unknown>;
}

function portOf(cluster: TestCluster, at: number): string {
  return String(cluster.msg[at]!.port);
}

/** The port of each of so many answers. */
async function portsDiscovered(cluster: TestCluster, times: number): Promise<unknown[]> {
  const ports: unknown[] = [];
  for (let i = 0; i < times; i++) ports.push((await discovered(cluster)).port);
  return ports;
}

/** Stays where it is when it is kicked, so that it shows what the server does about it. */
const stubborn: Partial<ConnectOptions> = { leaveWhenKicked: false };

async function expectKick(t: Test, client: Client, reason: number): Promise<void> {
  t.same({ ...(await client.next(login.kick)) }, { userId: client.userId, kickReason: reason });
}

async function expectRefusal(t: Test, attempt: Promise<unknown>, code: number, text: string): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (it: unknown) => it,
  );
  t.match(error, { code, text } as Partial<LoginRefused>, `refused with ${code} ${text}`);
}

// ----------------------------------------------------------------------------------------------------- discovery

t.test('the login server tells where to go', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const port = portOf(cluster, 0);

  await t.test('over HTTP, in the JSON that clients read', async (t) => {
    const response = await fetch(`${cluster.loginHttp}/msg_server`);
    t.equal(response.status, 200);
    t.equal(response.headers.get('content-type'), 'text/html;charset=utf-8');
    t.equal(response.headers.get('connection'), 'close');
    const text = await response.text();
    t.equal(response.headers.get('content-length'), String(Buffer.byteLength(text)));
    t.strictSame(JSON.parse(text), {
      backupIP: '127.0.0.1',
      code: 0,
      discovery: 'http://127.0.0.1:8888/api/discovery',
      msfsBackup: 'http://127.0.0.1:8700/',
      msfsPrior: 'http://127.0.0.1:8700/',
      msg: '',
      port, // text: a client that reads it as text breaks on a number
      priorIP: '127.0.0.1',
    });
    const keys = Object.keys(JSON.parse(text) as object);
    t.strictSame(keys, [...keys].sort(), 'the keys are in order');
  });

  await t.test('whatever the method and whatever follows the path', async (t) => {
    for (const [path, method] of [
      ['/msg_server?version=1', 'GET'],
      ['/msg_server/', 'POST'],
    ]) {
      const response = await fetch(`${cluster.loginHttp}${path}`, { method: method! });
      t.match(await response.json(), { code: 0, port });
    }
  });

  await t.test('and nothing else', async (t) => {
    for (const path of ['/', '/msg_serve', '/admin']) {
      const response = await fetch(`${cluster.loginHttp}${path}`);
      t.equal(response.status, 404, path);
      t.notMatch(await response.text(), port, 'without the address');
    }
  });

  await t.test('over TCP, one question a connection', async (t) => {
    const client = await Client.connect({ host: '127.0.0.1', port: cluster.loginTcpPort });
    const frames = listenTo(client);
    client.tell(message.time, {}, 7);
    const answer = await client.ask(login.msgServer, {}, { seq: 0xfffe });
    const address = { priorIp: '127.0.0.1', backipIp: '127.0.0.1', port: Number(port) };
    t.same({ ...answer }, { resultCode: ResultType.REFUSE_REASON_NONE, ...address });
    t.equal(await client.closed, 'ended');
    t.same(
      frames.map((frame) => [frame.command, frame.seq, frame.service]),
      [[login.msgServer.reply.id, 0xfffe, 1]],
      'nothing but the answer, under the seq of the question',
    );
  });

  await t.test('and where it leads one can log in', async (t) => {
    const { host, port } = await findMsgServer(cluster.loginHttp);
    const client = await Client.login({ host, port, user: 'alice', password: PASSWORD });
    t.equal(client.userId, 1);
    client.close();
  });

  await t.test('or that there is no msg server', async (t) => {
    await cluster.msg.pop()!.running.close(0);
    await until(async () => (await discovered(cluster)).code !== 0, 'the msg server to be forgotten');
    t.strictSame(await discovered(cluster), { code: 1, msg: '没有msg_server' });
    await t.rejects(findMsgServer(cluster.loginHttp), new NoMsgServer(1, '没有msg_server'));
    const client = await Client.connect({ host: '127.0.0.1', port: cluster.loginTcpPort });
    t.same(
      { ...(await client.ask(login.msgServer, {})) },
      { resultCode: ResultType.REFUSE_REASON_NO_MSG_SERVER },
      'over TCP as well',
    );
  });
});

t.test('clients spread over the msg servers', async (t) => {
  const users = Array.from({ length: 16 }, (_, i) => `user-${i + 1}`);
  const PLACES = 8;
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, msg: { connectionsMax: PLACES }, users });
  const [here, there] = [portOf(cluster, 0), portOf(cluster, 1)];

  await t.test('asking alone takes no place', async (t) => {
    const ports = await portsDiscovered(cluster, PLACES * 3);
    t.notOk(ports.includes(undefined), 'there is always a server');
    t.ok(ports.includes(here) && ports.includes(there), 'and both are named');
  });

  const clients: Client[] = [];
  await t.test('a full one is not named any more', async (t) => {
    for (const user of users.slice(0, PLACES)) clients.push(await cluster.login(user, { at: 0 }));
    const onlyThere = async () => (await portsDiscovered(cluster, 8)).every((port) => port === there);
    await until(onlyThere, 'the login server to hear that one is full');
    t.strictSame(new Set(await portsDiscovered(cluster, 20)), new Set([there]));
    const refused = await cluster.connect(0);
    t.equal(await refused.closed, 'ended', 'and closes the door');
  });

  await t.test('all full: code 2', async (t) => {
    for (const user of users.slice(PLACES)) clients.push(await cluster.login(user, { at: 1 }));
    await until(async () => (await discovered(cluster)).code !== 0, 'the login server to hear that all are full');
    t.strictSame(await discovered(cluster), { code: 2, msg: '负载过高' });
    const client = await Client.connect({ host: '127.0.0.1', port: cluster.loginTcpPort });
    t.same({ ...(await client.ask(login.msgServer, {})) }, { resultCode: ResultType.REFUSE_REASON_MSG_SERVER_FULL });
  });

  await t.test('who leaves makes room', async (t) => {
    for (const client of clients) await client.logout();
    const bothNamed = async () => {
      const ports = await portsDiscovered(cluster, 20);
      return ports.includes(here) && ports.includes(there);
    };
    await until(bothNamed, 'the login server to hear that there is room on both');
    t.equal((await discovered(cluster)).code, 0);
  });

  await t.test('those who follow it end up on both', async (t) => {
    const counts = new Map([here, there].map((port) => [port, 0]));
    // No more than fit into one: what the login server knows of the others' places is some moments old. And there is
    // chance in it: eight who come within such a moment may well all draw the same one, but not four times.
    for (let round = 0; round < 4; round++) {
      const clients: Client[] = [];
      for (const user of users.slice(0, PLACES)) {
        const { host, port } = await findMsgServer(cluster.loginHttp);
        counts.set(String(port), counts.get(String(port))! + 1);
        clients.push(await Client.login({ host, port, user, password: PASSWORD }));
      }
      for (const client of clients) await client.logout();
      await until(async () => new Set(await portsDiscovered(cluster, 20)).size === 2, 'room on both again');
    }
    t.equal(counts.size, 2);
    t.ok(Math.min(...counts.values()) >= 2, `${[...counts.values()]}`);
  });
});

// -------------------------------------------------------------------------------------------------------- log-in

t.test('logging in, being in and getting out', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const passwordHash = await hashPassword(md5(PASSWORD));
  const erin = {
    id: 77,
    name: 'erin',
    nick: '艾琳',
    domain: 'ailin',
    sex: 2,
    phone: '13800000000',
    email: 'erin@example.com',
    avatar: 'g0/000/erin.png',
    departmentId: 5,
    status: 2,
    signInfo: 'here I am',
    passwordHash,
  };
  await cluster.storage.users.add([erin, { id: 78, name: 'frank', status: 3, passwordHash }]);

  await t.test('the answer says who one is', async (t) => {
    for (const seq of [1, 0xfffe, 0xffff]) {
      const client = await cluster.connect();
      const frames = listenTo(client);
      const before = Math.floor(Date.now() / 1000);
      const answer = await client.ask(login.enter, loginRequest('erin'), { seq });
      const { serverTime, userInfo, ...rest } = answer;
      t.same(rest, { resultCode: 0, resultString: TEXT.ok, onlineStatus: ONLINE, capabilities: [] });
      t.ok(serverTime >= before && serverTime <= before + 2, 'the time of now');
      t.same(
        { ...userInfo },
        {
          userId: 77,
          userGender: 2,
          userNickName: '艾琳',
          avatarUrl: 'g0/000/erin.png',
          departmentId: 5,
          email: 'erin@example.com',
          userRealName: 'erin',
          userTel: '13800000000',
          userDomain: 'ailin',
          status: 2,
          signInfo: 'here I am',
        },
      );
      const [frame] = frames;
      t.same([frame!.command, frame!.seq, frame!.service], [login.enter.reply.id, seq, 1]);
      t.same(fieldsOf(frame!.body), [1, 2, 3, 4, 5], 'and nothing that a stock client does not know');
      client.close();
    }
  });

  await t.test('the status one comes with is given back', async (t) => {
    const client = await cluster.connect();
    const onlineStatus = UserStatType.USER_STATUS_LEAVE;
    t.match(await client.ask(login.enter, { ...loginRequest('erin'), onlineStatus }), { resultCode: 0, onlineStatus });
    client.close();
  });

  const { serverTime: _, ...wrong } = await tryLogin(cluster, 'alice', 'wrong');
  await t.test('a wrong password is refused, and the connection closed', async (t) => {
    const resultCode = ResultType.REFUSE_REASON_DB_VALIDATE_FAILED;
    t.same(wrong, { resultCode, resultString: TEXT.wrong, capabilities: [] });
    const client = await cluster.connect();
    await expectRefusal(t, client.enter({ user: 'alice', password: 'wrong' }), 6, TEXT.wrong);
  });

  await t.test('an unknown name, or one that cannot be, gets the very same answer', async (t) => {
    for (const name of ['nobody', '', 'Alice', ' alice', "alice' or '1'='1", 'a'.repeat(65), 'ali\0ce', '艾琳']) {
      const { serverTime: _, ...answer } = await tryLogin(cluster, name, PASSWORD);
      t.same(answer, wrong, JSON.stringify(name));
    }
  });

  await t.test('who has left the company cannot log in', async (t) => {
    const { serverTime: _, ...answer } = await tryLogin(cluster, 'frank', PASSWORD);
    t.same(answer, wrong);
  });

  await t.test('the plain password, or none, is no password', async (t) => {
    for (const password of [PASSWORD, '', md5(PASSWORD).toUpperCase(), 'x'.repeat(1000)]) {
      const client = await cluster.connect();
      const answer = await client.ask(login.enter, { ...loginRequest('alice'), password });
      t.match(answer, { resultCode: 6, resultString: TEXT.wrong });
      client.close();
    }
  });

  await t.test('a request that is none is dropped, and the next one heard', async (t) => {
    const client = await cluster.connect();
    const frames = listenTo(client);
    const whole = Buffer.from(IM.Login.IMLoginReq.encode(loginRequest('alice')).finish());
    const withoutClientType = whole.subarray(0, whole.length - '\x20\x01\x2a\x04test'.length);
    for (const body of [Buffer.alloc(0), withoutClientType, whole.subarray(0, 10), Buffer.from([0xff, 7, 0xff])])
      client.sendFrame(frameOf(login.enter.id, 1, body));
    const ofNoKnownType = { ...loginRequest('alice'), clientType: 3 as typeof WINDOWS };
    client.sendFrame(encodeFrame(login.enter, 1, ofNoKnownType));
    await echoOf(client);
    t.same(commandsOf(frames), [other.heartbeat.id], 'no answer but the echo');
    t.match(await client.ask(login.enter, loginRequest('alice')), { resultCode: 0 });
    client.close();
  });

  await t.test('a second log-in on the same connection is ignored', async (t) => {
    const client = await cluster.login('alice');
    const frames = listenTo(client);
    client.tell(login.enter, loginRequest('bob'), 9);
    client.tell(login.enter, loginRequest('alice', 'wrong'), 10);
    await client.time();
    t.same(commandsOf(frames), [message.time.reply.id]);
    const { userId } = await client.ask(message.unreadCount, { userId: 2 });
    t.equal(userId, 1, 'and changes nothing');
  });

  await t.test('two log-ins at once on one connection count as one', async (t) => {
    const client = await cluster.connect();
    const frames = listenTo(client);
    const first = client.ask(login.enter, loginRequest('carol'), { seq: 1 });
    client.tell(login.enter, loginRequest('dave'), 2);
    t.match(await first, { resultCode: 0, userInfo: { userId: 3 } });
    t.equal((await client.ask(message.unreadCount, { userId: 0 })).userId, 3);
    t.equal(frames.filter((frame) => frame.command === login.enter.reply.id).length, 1);
  });

  await t.test('a session gets its heartbeats back as they are', async (t) => {
    const beats = [
      encodeFrame(other.heartbeat, 0, {}),
      Buffer.from('00000010000600000007070100020030', 'hex'), // Android
      Buffer.from('00000010000d000000070701ffff0001', 'hex'), // iOS
      Buffer.from('0000001300010005005a070100010000010203', 'hex'), // of a service there is not, with a body
    ];
    const stranger = await cluster.connect();
    const alice = await cluster.login('alice', { clientType: ANDROID });
    for (const client of [stranger, alice])
      for (const beat of beats) t.strictSame((await echoOf(client, beat)).bytes, beat);
    stranger.close();
    await alice.logout();
  });

  await t.test('a session is told the time', async (t) => {
    const alice = await cluster.login('alice');
    const now = Math.floor(Date.now() / 1000);
    const frames = listenTo(alice);
    const { serverTime } = await alice.ask(message.time, {}, { seq: 0x1234 });
    t.ok(serverTime >= now && serverTime <= now + 2);
    const answer = frames.find((frame) => frame.command === message.time.reply.id)!;
    t.same([answer.seq, fieldsOf(answer.body)], [0x1234, [1]]);
    await alice.logout();
  });

  await t.test('a session ends with the answer to its log-out', async (t) => {
    const bob = await cluster.login('bob');
    for (const clientType of [WINDOWS, IOS]) {
      const alice = await cluster.login('alice', { clientType });
      const frames = listenTo(alice);
      const answer = alice.ask(login.leave, {}, { seq: 0xfffe });
      alice.tell(message.time, {}, 7);
      t.same({ ...(await answer) }, { resultCode: 0 });
      t.equal(await alice.closed, 'ended', 'closed by the server');
      t.same(commandsOf(frames), [login.leave.reply.id], 'what it says behind its log-out is not heard');
      t.same(await bob.usersStatus([1]), [{ userId: 1, status: UserStatType.USER_STATUS_OFFLINE }] as never);
    }
    await bob.logout();
  });

  await t.test('a session may be begun again at once, as often as one likes', async (t) => {
    for (let i = 0; i < 20; i++) {
      const alice = await cluster.login('alice');
      if (i % 2 === 0) await alice.logout();
      else alice.cut();
    }
    const bob = await cluster.login('bob');
    const offline = async () => (await bob.usersStatus([1]))[0]!.status === UserStatType.USER_STATUS_OFFLINE;
    await until(offline, 'nothing to be left of them');
    await bob.logout();
    t.pass('20 times');
  });
});

t.test('ten failures are forgiven, the eleventh locks', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, dbProxies: 2 });
  const fail = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const { resultCode, resultString } = await tryLogin(cluster, 'alice', `wrong ${i}`, i % 2);
      if (resultCode !== 6 || resultString !== TEXT.wrong) throw new Error(`failure ${i + 1}: ${resultString}`);
    }
  };
  await fail(10);
  t.match(await tryLogin(cluster, 'alice', PASSWORD), { resultCode: 0 }, 'right after ten wrong ones');
  await fail(10);
  t.match(await tryLogin(cluster, 'alice', PASSWORD), { resultCode: 0 }, 'success began the counting anew');
  await fail(11);
  for (const at of [0, 1]) {
    t.match(await tryLogin(cluster, 'alice', PASSWORD, at), { resultCode: 6, resultString: TEXT.locked });
    t.match(await tryLogin(cluster, 'alice', 'wrong', at), { resultCode: 6, resultString: TEXT.locked });
  }
  t.match(await tryLogin(cluster, 'bob', PASSWORD), { resultCode: 0 }, 'others are not locked');
  await cluster.dbProxies.shift()!.running.close(0);
  t.match(
    await tryLogin(cluster, 'alice', PASSWORD),
    { resultCode: 6, resultString: TEXT.locked },
    'another db-proxy knows of it too',
  );
});

// ----------------------------------------------------------------------------------------------- before the log-in

/** Every number that means something to clients, answers and pushes included, but for log-in and heartbeat. */
function clientCommands(): Command<never, unknown>[] {
  const found = new Map<number, Command<never, unknown>>();
  for (const subject of [login, buddy, message, group, file, switchService]) {
    for (const command of Object.values(subject) as (Command<never, unknown> & { reply?: Command<never, unknown> })[])
      for (const each of command.reply === undefined ? [command] : [command, command.reply]) found.set(each.id, each);
  }
  found.delete(login.enter.id);
  return [...found.values()];
}

t.test('before the log-in nothing is heard but log-in and heartbeat', async (t) => {
  const groups = [{ name: 'everybody', memberIds: [1, 2, 3] }];
  const cluster = await TestCluster.start(t, postgres, { groups });
  const alice = await cluster.login('alice', stubborn);
  const bob = await cluster.login('bob');
  await bob.say(1, 'one');
  await alice.heard();
  const before = await databaseText(cluster);
  const heardBefore = [listenTo(alice), listenTo(bob)];

  const client = await cluster.connect();
  const frames = listenTo(client);
  const bodies = new Map(samples.map(([command, body]) => [command.id, body]));
  for (const command of clientCommands()) {
    const body = bodies.get(command.id) ?? Buffer.alloc(0);
    for (const seq of [0, 5]) client.sendFrame(frameOf(command.id, seq, body));
    frames.length = 0;
    await echoOf(client);
    t.same(commandsOf(frames), [other.heartbeat.id], `0x${command.id.toString(16).padStart(4, '0')} ${command.name}`);
  }
  const toFileServer = [file.enter.id, file.pullData.id];
  for (const question of clientCommands().filter((each) => 'reply' in each && !toFileServer.includes(each.id)))
    t.ok(bodies.has(question.id), `there is a sample of ${question.name}`);
  for (const [command, body] of samples.filter(([command]) => command !== buddy.removeSession.reply))
    t.doesNotThrow(() => decodeBody(command, body), `the sample of ${command.name} is one`);

  // What came before it would have been stored or told by the time a log-in has been through db-proxy and route.
  t.match(await client.ask(login.enter, loginRequest('dave', PASSWORD, IOS)), { resultCode: 0 });
  t.same(await client.usersStatus([1, 2]), [1, 2].map((userId) => ({ userId, status: ONLINE })) as never);
  t.equal(await databaseText(cluster), before, 'the database is as it was');
  await Promise.all([echoOf(alice), echoOf(bob)]);
  for (const heard of heardBefore) t.same(commandsOf(heard), [other.heartbeat.id], 'nobody was told anything');
});

// ------------------------------------------------------------------------------------------------------ time-outs

t.test('who is silent for too long is closed', async (t) => {
  const times = { loginTimeoutMs: 1_500, pcSilenceMs: 800, mobileSilenceMs: 3_000 };
  const cluster = await TestCluster.start(t, postgres, { msg: times });
  const SWEEP_MS = 1_000;
  const SLACK_MS = 1_000;
  const started = performance.now();
  const lasted = async (client: Client) => {
    const reason = await client.closed;
    return { reason, ms: performance.now() - started };
  };
  const silent = { heartbeatMs: 0 };
  const [greeting, beating, windows, mac, ios, android, lively] = await Promise.all([
    cluster.connect(),
    cluster.connect(),
    cluster.login('alice', { ...silent, clientType: WINDOWS }),
    cluster.login('bob', { ...silent, clientType: MAC }),
    cluster.login('alice', { ...silent, clientType: IOS }),
    cluster.login('bob', { ...silent, clientType: ANDROID }),
    cluster.login('carol', { heartbeatMs: 200 }),
  ]);
  const beat = setInterval(() => beating.tell(other.heartbeat, {}), 100);
  t.teardown(() => clearInterval(beat));
  const ends = await Promise.all([greeting, beating, windows, mac, ios, android].map(lasted));
  const names = ['not logged in', 'not logged in but with heartbeats', 'Windows', 'mac', 'iOS', 'Android'];
  const limits = [1_500, 1_500, 800, 800, 3_000, 3_000];
  for (const [i, { reason, ms }] of ends.entries()) {
    t.equal(reason, 'ended', `${names[i]}: closed by the server`);
    const limit = limits[i]!;
    t.ok(ms >= limit - 20 && ms < limit + SWEEP_MS + SLACK_MS, `${names[i]}: after ${Math.round(ms)} ms`);
  }
  t.notOk(lively.isClosed, 'heartbeats are a sign of life');
  t.ok((await lively.time()) > 0);
});

// ---------------------------------------------------------------------------------------------------------- kicks

t.test('one session per device class', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2 });

  for (const [there, where] of [
    [0, 'the same msg server'],
    [1, 'another msg server'],
  ] as const) {
    await t.test(`a log-in on ${where} ends the older session`, async (t) => {
      const bob = await cluster.login('bob');
      const old = await cluster.login('alice', { ...stubborn, clientType: WINDOWS, ackMessages: false });
      const oldFrames = listenTo(old);
      const fresh = await cluster.login('alice', { at: there, clientType: MAC });
      await expectKick(t, old, KickReasonType.KICK_REASON_DUPLICATE_USER);
      const kickedMs = performance.now();
      const kick = oldFrames.find((frame) => frame.command === login.kick.id)!;
      t.same([kick.seq, kick.service, fieldsOf(kick.body)], [0, 1, [1, 2]]);

      const { msgId } = await bob.say(1, 'to the new one only');
      t.match(await fresh.heard(), { msgId, text: 'to the new one only' });
      old.tell(other.heartbeat, {});
      old.tell(message.readAck, { userId: 1, sessionId: 2, msgId: 0, sessionType: SINGLE });
      await t.rejects(old.say(2, 'still here'), ConnectionLost, 'it is not listened to');
      const leftMs = performance.now() - kickedMs;
      t.ok(leftMs > 800 && leftMs < 2_500, `closed after ${Math.round(leftMs)} ms`);
      t.equal(oldFrames.at(-1), kick, 'it heard nothing after the kick');
      t.equal(await bob.latestId(SINGLE, 1), msgId, 'what it said is not stored');
      t.equal((await fresh.unread()).total, 1, 'nor what it read');

      t.same(await bob.usersStatus([1]), [{ userId: 1, status: ONLINE }] as never, 'the user is still online');
      t.notOk(fresh.isClosed);
      fresh.markRead(SINGLE, 2, 0);
      await until(async () => (await fresh.unread()).total === 0, 'the message to be read');
      await fresh.logout();
      await bob.logout();
    });
  }

  await t.test('of many at the same moment on two msg servers exactly one stays', async (t) => {
    const watchers = [await cluster.login('bob', { at: 0 }), await cluster.login('dave', { at: 1 })];
    const offline: IM.BaseDefine.UserStat[] = [];
    for (const watcher of watchers)
      watcher.on('statusNotify', (stat) => {
        if (stat.userId === 3 && stat.status !== ONLINE) offline.push(stat);
      });
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all([0, 1, 0, 1].map((at) => cluster.connect(at)));
      const entering = clients.map((client) => client.enter({ user: 'carol', password: PASSWORD }));
      const entered = await Promise.allSettled(entering);
      const stays = () => clients.filter((client) => !client.isClosed);
      await until(() => stays().length <= 1, 'all but one to be kicked', 4_000);
      const [survivor] = stays();
      if (survivor === undefined) return t.fail(`round ${round}: all were kicked`);
      // Route passes on in order: a kick or a going that is under way is here before this answer.
      await echoOf(survivor);
      for (const client of [survivor, ...watchers]) {
        await echoOf(client);
        t.same(await client.usersStatus([3]), [{ userId: 3, status: ONLINE }] as never, 'the user is online');
      }
      t.equal(stays().length, 1, `round ${round}: one stays`);
      t.equal(entered[clients.indexOf(survivor)]!.status, 'fulfilled', 'and is logged in');
      t.equal(offline.length, 0, 'nobody was told otherwise');
      await survivor.logout();
      await until(() => offline.length === watchers.length, 'the going of the last one');
      offline.length = 0;
    }
    for (const watcher of watchers) await watcher.logout();
  });

  await t.test('PC and phone live side by side, on one msg server and on two', async (t) => {
    const bob = await cluster.login('bob', { at: 1 });
    const pc = await cluster.login('alice', { clientType: WINDOWS });
    for (const [clientType, at] of [
      [IOS, 0],
      [ANDROID, 1],
    ] as const) {
      const phone = await cluster.login('alice', { clientType, at });
      await bob.say(1, 'to both');
      for (const device of [pc, phone]) t.match(await device.heard(), { text: 'to both' });
      t.notOk(pc.isClosed || phone.isClosed);
      await phone.logout();
    }
    await pc.logout();
    await bob.logout();
  });

  await t.test('a phone takes the place of a phone', async (t) => {
    const pc = await cluster.login('alice', { clientType: WINDOWS });
    const old = await cluster.login('alice', { clientType: IOS });
    const fresh = await cluster.login('alice', { clientType: ANDROID, at: 1 });
    await expectKick(t, old, KickReasonType.KICK_REASON_DUPLICATE_USER);
    t.equal(await old.closed, 'kicked');
    await Promise.all([pc.time(), fresh.time()]);
    await pc.logout();
    await fresh.logout();
  });

  await t.test('a phone sends the PC away, wherever that is', async (t) => {
    for (const at of [0, 1]) {
      const bob = await cluster.login('bob', { clientType: WINDOWS });
      const pc = await cluster.login('alice', { clientType: MAC, at });
      const phone = await cluster.login('alice', { clientType: ANDROID });
      t.same({ ...(await phone.ask(login.kickPc, { userId: 2 })) }, { userId: 1, resultCode: 0 });
      await expectKick(t, pc, KickReasonType.KICK_REASON_MOBILE_KICK);
      t.equal(await pc.closed, 'kicked');
      await until(async () => (await bob.usersStatus([1]))[0]!.status !== ONLINE, 'the PC to be gone');
      await Promise.all([phone.time(), bob.time()]);
      t.same(await bob.usersStatus([1, 2]), [
        { userId: 1, status: UserStatType.USER_STATUS_OFFLINE },
        { userId: 2, status: ONLINE },
      ] as never);
      t.same({ ...(await phone.ask(login.kickPc, { userId: 0 })) }, { userId: 1, resultCode: 0 }, 'there is none left');
      const again = await cluster.login('alice', { clientType: MAC, at });
      t.notOk(again.isClosed, 'and it may come back');
      for (const client of [again, phone, bob]) await client.logout();
    }
  });

  await t.test('a PC cannot', async (t) => {
    const pc = await cluster.login('alice', { clientType: WINDOWS });
    const phone = await cluster.login('alice', { clientType: IOS, at: 1 });
    const frames = listenTo(pc);
    pc.tell(login.kickPc, { userId: 1 }, 5);
    await pc.time();
    await phone.usersStatus([1]);
    t.notOk(frames.some((frame) => [login.kickPc.reply.id, login.kick.id].includes(frame.command)));
    t.notOk(pc.isClosed || phone.isClosed);
    await pc.logout();
    await phone.logout();
  });
});

t.test('a kicked client gets a second to read why, however short the time for the log-in is', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msg: { loginTimeoutMs: 200 } });
  const old = await cluster.login('alice', stubborn);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await cluster.login('alice');
  await until(() => old.kickReason !== undefined, 'the kick');
  const kickedMs = performance.now();
  await old.closed;
  const leftMs = performance.now() - kickedMs;
  t.ok(leftMs > 950 && leftMs < 2_500, `closed after ${Math.round(leftMs)} ms`);
});

// ------------------------------------------------------------------------------------------------ other servers gone

t.test('without a route server or a db-proxy nobody is let in', async (t) => {
  const cluster = await TestCluster.start(t, postgres);
  const { running } = cluster.msg[0]!;
  const alice = await cluster.login('alice');
  const refusal = async () => {
    const { serverTime: _, ...answer } = await tryLogin(cluster, 'bob', PASSWORD);
    return answer;
  };
  await cluster.routes.pop()!.running.close(0);
  await until(() => running.notReady() === 'no route server', 'the link to be lost');
  const common = { resultString: TEXT.down, capabilities: [] };
  t.same(await refusal(), { resultCode: ResultType.REFUSE_REASON_NO_ROUTE_SERVER, ...common });
  t.equal((await alice.say(2, 'hello')).msgId, 1, 'who is in stays in, and can write');
  await cluster.dbProxies.pop()!.running.close(0);
  await until(() => running.notReady() === 'no db-proxy', 'the link to be lost');
  t.same(await refusal(), { resultCode: ResultType.REFUSE_REASON_NO_DB_SERVER, ...common });
  t.ok((await alice.time()) > 0, 'who is in stays in');
});

t.test('with one of two route servers gone everything goes on', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, routeServers: 2 });
  const alice = await cluster.login('alice');
  await cluster.routes.shift()!.running.close(0);
  await until(async () => {
    const bob = await cluster.login('bob', { at: 1 });
    await alice.say(2, 'hello');
    const heard = await bob.heard(undefined, 500).catch(() => undefined);
    await bob.logout();
    return heard !== undefined;
  }, 'messages to go over the other one');
  const old = await cluster.login('carol', { at: 0 });
  await cluster.login('carol', { at: 1 });
  await expectKick(t, old, KickReasonType.KICK_REASON_DUPLICATE_USER);
});
