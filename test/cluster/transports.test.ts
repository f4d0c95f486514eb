/** One port, three ways: plain frames, TLS and WebSocket, each alone and together; and who does not get through the door. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { Client, ConnectError, findMsgServer } from '../../common/client/client.js';
import { FileLine } from '../../common/client/file-line.js';
import { offerOf, receiveFile, refuseFile, sendFile, TransferEnded } from '../../common/client/files.js';
import { FRAME_SIZE_MAX, STRANGER_FRAME_SIZE_MAX } from '../../common/limits.js';
import { TRANSPORTS } from '../../common/net/client-door.js';
import { isLoopback } from '../../common/net/door.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { file, login, other } from '../../common/pdu/commands.js';
import { nothingPending, takeFrames } from '../../common/pdu/framing.js';
import { IM } from '../../common/pdu/pb.js';
import { temporaryFolder } from '../support/blobs.js';
import { freshPair, testCertificate } from '../support/certificates.js';
import { md5Hex, PASSWORD, TestCluster, until } from '../support/cluster.js';
import { testPostgres } from '../support/postgres.js';

const { ClientType, MsgType, UserStatType } = IM.BaseDefine;
const { SESSION_TYPE_SINGLE: SINGLE } = IM.BaseDefine.SessionType;

const postgres = await testPostgres(t);
const certificate = await testCertificate(t);
const { ca, ...tlsFiles } = certificate;
const doors = { ...tlsFiles, handshakesMax: 20 };
const cluster = await TestCluster.start(t, postgres, {
  login: doors,
  msg: { ...doors, strangersMax: 10 },
  msgServers: 1,
  file: doors,
});
const { port } = cluster.msg[0]!;
const ways = {
  plain: {},
  tls: { tls: true, ca },
  ws: { webSocket: true },
  wss: { tls: true, webSocket: true, ca },
} as const;

const loginFrame = encodeFrame(login.enter, 1, {
  userName: 'dave',
  password: md5Hex(PASSWORD),
  onlineStatus: UserStatType.USER_STATUS_ONLINE,
  clientType: ClientType.CLIENT_TYPE_WINDOWS,
});
const heartbeat = encodeFrame(other.heartbeat, 3, {});

/** A bare TCP connection to the msg server, gone at the end of the test. */
async function raw(t: Test, to = port): Promise<Socket & { ended: boolean }> {
  const socket = Object.assign(connect(to, '127.0.0.1'), { ended: false });
  socket.resume().on('error', () => undefined);
  socket.on('close', () => {
    socket.ended = true;
  });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A WebSocket by hand, and what came of it. */
function webSocket(t: Test, options: { origin?: string; perMessageDeflate?: boolean } = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false, ...options });
  const said: Buffer[] = [];
  let closed: number | undefined;
  let refused: number | undefined;
  socket.on('message', (data) => said.push(data as Buffer));
  socket.on('error', () => undefined);
  socket.on('unexpected-response', (_request, response) => {
    refused = response.statusCode;
    socket.terminate();
  });
  socket.on('close', (code) => {
    closed = code;
  });
  t.teardown(() => socket.terminate());
  return {
    socket,
    bytes: () => Buffer.concat(said),
    get closed() {
      return closed;
    },
    get refused() {
      return refused;
    },
  };
}

t.test('people talk to each other whatever they came by', async (t) => {
  const names = ['alice', 'bob', 'carol', 'dave'];
  const clients: Client[] = [];
  for (const [i, kind] of TRANSPORTS.entries()) clients.push(await cluster.login(names[i]!, ways[kind]));
  for (const from of clients)
    for (const to of clients) {
      if (from === to) continue;
      const { msgId } = await from.say(to.userId, `from ${from.userId}`);
      t.match(await to.heard(), { msgId, fromUserId: from.userId, text: `from ${from.userId}` });
    }
  const large = Buffer.alloc(100 * 1024, 'A');
  for (const [i, client] of clients.entries()) {
    const to = clients[(i + 1) % clients.length]!;
    await client.sendData(to.userId, MsgType.MSG_TYPE_SINGLE_TEXT, large);
    const [stored] = await to.history(SINGLE, client.userId, 0, 1);
    t.equal(stored?.data.length, large.length, 'large ones too');
  }
  for (const client of clients) await client.logout();
});

t.test('files go the way that their users came by', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'plan.txt');
  const content = randomBytes(100_000);
  await writeFile(path, content);
  const opened = () =>
    Promise.all(
      TRANSPORTS.map((kind) => cluster.metric('file', 'file_connections_opened_total', `transport="${kind}"`)),
    );
  for (const [i, kind] of TRANSPORTS.entries()) {
    const before = (await opened())[i]! || 0;
    const alice = await cluster.login('alice', ways[kind]);
    const bob = await cluster.login('bob', ways[kind]);
    const sent = sendFile(alice, bob.userId, path);
    await receiveFile(bob, offerOf(await bob.next(file.notify)), `${path}.${kind}`);
    await sent;
    t.same(await readFile(`${path}.${kind}`), content, kind);
    const refused = sendFile(alice, bob.userId, path);
    await refuseFile(bob, offerOf(await bob.next(file.notify)));
    await t.rejects(refused, TransferEnded);
    t.equal((await opened())[i]! - before, 4, `${kind}: both of them, twice`);
    for (const client of [alice, bob]) await client.logout();
  }
  const stranger = { ...ways.tls, ca: (await freshPair(30)).cert };
  const task = { taskId: 'none', userId: 1, role: IM.BaseDefine.ClientFileRole.CLIENT_OFFLINE_UPLOAD };
  const address = { ip: '127.0.0.1', port: cluster.file!.running.ports.clients! };
  await t.rejects(
    FileLine.open(address, task, undefined as never, stranger),
    ConnectError,
    'nor to a server not trusted',
  );
});

t.test('frames in messages of a WebSocket', async (t) => {
  const { socket, bytes } = webSocket(t);
  await once(socket, 'open');
  // News of others may come in between.
  const echoes = () => takeFrames(nothingPending, bytes()).frames.filter((it) => it.bytes.equals(heartbeat)).length;
  await t.test('one in many', async () => {
    for (const byte of loginFrame) socket.send(Buffer.of(byte));
    await until(() => bytes().length > 0, 'the answer to the log-in');
  });
  await t.test('one in many fragments', async () => {
    for (const byte of heartbeat.subarray(0, -1)) socket.send(Buffer.of(byte), { fin: false });
    socket.send(heartbeat.subarray(-1), { fin: true });
    await until(() => echoes() === 1, 'the echo');
  });
  await t.test('many in one', async () => {
    socket.send(Buffer.concat([heartbeat, heartbeat, heartbeat, heartbeat.subarray(0, 5)]));
    socket.send(heartbeat.subarray(5));
    await until(() => echoes() === 5, 'all echoes');
  });
});

t.test('what a WebSocket may not', async (t) => {
  await t.test('speak in text', async (t) => {
    const it = webSocket(t);
    await once(it.socket, 'open');
    it.socket.send('hello');
    await until(() => it.closed !== undefined, 'closed');
    t.equal(it.closed, 1003);
  });
  await t.test('send more in one message than a frame may have', async (t) => {
    const it = webSocket(t);
    await once(it.socket, 'open');
    it.socket.send(Buffer.alloc(FRAME_SIZE_MAX + 1));
    await until(() => it.closed !== undefined, 'closed');
    t.equal(it.closed, 1009);
  });
  await t.test('come in more fragments than anybody needs', async (t) => {
    const it = webSocket(t);
    await once(it.socket, 'open');
    for (let i = 0; i < 300; i++) it.socket.send(Buffer.of(0), { fin: false });
    await until(() => it.closed !== undefined, 'closed');
    t.equal(it.closed, 1008);
  });
  await t.test('be compressed', async (t) => {
    const it = webSocket(t, { perMessageDeflate: true });
    await once(it.socket, 'open');
    t.equal(it.socket.extensions, '', 'it is not agreed to');
    // A frame that says it is compressed all the same: FIN, RSV1, binary; masked with zeros.
    const { socket: under } = it.socket as unknown as { socket?: Socket };
    const tcp = under ?? (it.socket as unknown as { _socket: Socket })._socket;
    tcp.write(Buffer.from('c28100000000ff', 'hex'));
    await until(() => it.closed !== undefined, 'closed');
    t.equal(it.closed, 1002);
  });
  await t.test('come from a page of somebody else', async (t) => {
    const foreign = webSocket(t, { origin: 'https://evil.example' });
    await until(() => foreign.refused !== undefined, 'refused');
    t.equal(foreign.refused, 403);
    const own = webSocket(t, { origin: `http://127.0.0.1:${port}` });
    await once(own.socket, 'open');
  });
  await t.test('be a page', async (t) => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    t.equal(response.status, 426);
  });
  await t.test('make us keep pongs for whoever does not read them', async (t) => {
    const it = webSocket(t);
    await once(it.socket, 'open');
    const tcp = (it.socket as unknown as { _socket: Socket })._socket;
    tcp.pause();
    const before = process.memoryUsage().rss;
    const pings = Buffer.concat(Array.from({ length: 5_000 }, () => ping(125)));
    for (let i = 0; i < 40; i++)
      if (!tcp.write(pings))
        await Promise.race([once(tcp, 'drain'), until(() => it.socket.bufferedAmount === 0, 'sent', 60_000)]);
    const grown = process.memoryUsage().rss - before;
    t.ok(grown < 64 * 1024 * 1024, `${Math.round(grown / 1024 / 1024)} MiB more`);
  });
});

/** A masked ping. */
function ping(size: number): Buffer {
  return Buffer.concat([Buffer.from([0x89, 0x80 | size, 0, 0, 0, 0]), Buffer.alloc(size)]);
}

t.test('the login server on its two ports', async (t) => {
  const expected = await findMsgServer(cluster.loginHttp);
  t.equal(expected.port, port);
  const httpsUrl = cluster.loginHttp.replace('http:', 'https:');
  t.same(await findMsgServer(httpsUrl, 5_000, ca), expected, 'https on the port of http');
  await t.rejects(findMsgServer(httpsUrl), ConnectError, 'to those who trust it');
  for (const kind of TRANSPORTS) {
    const client = await Client.connect({ host: '127.0.0.1', port: cluster.loginTcpPort, ...ways[kind] });
    t.match(await client.ask(login.msgServer, {}), { resultCode: 0, port }, kind);
    t.equal(await client.closed, 'ended');
  }
});

t.test('TLS', async (t) => {
  await t.test('is 1.3 unless the settings say otherwise', async (t) => {
    const attempt = (maxVersion: 'TLSv1.2' | 'TLSv1.3', to: number) =>
      new Promise<string | null>((resolve, reject) => {
        const socket = connectTls({ port: to, host: '127.0.0.1', ca, maxVersion }, () => {
          resolve(socket.getProtocol());
          socket.destroy();
        });
        socket.on('error', reject);
      });
    t.equal(await attempt('TLSv1.3', port), 'TLSv1.3');
    await t.rejects(attempt('TLSv1.2', port), /alert|version/i);
    await cluster.addMsgServer({ msg: { ...tlsFiles, tlsVersionMin: 'TLSv1.2' } });
    const lenient = cluster.msg.at(-1)!;
    t.equal(await attempt('TLSv1.2', lenient.port), 'TLSv1.2');
  });

  await t.test('a handshake that is none costs nobody but who began it', async (t) => {
    const socket = await raw(t);
    socket.write(Buffer.from('160301004001', 'hex'));
    socket.write(Buffer.alloc(200, 0xff));
    await until(() => socket.ended, 'closed');
    await (await cluster.login('alice', ways.tls)).logout();
  });

  await t.test('a new certificate is taken up while others go on', async (t) => {
    const { running } = cluster.msg[0]!;
    const old = await cluster.login('alice', ways.tls);
    const days = () => cluster.metric('msg-1', 'tls_certificate_days_left');
    t.match(Math.round(await days()), 30);
    const fresh = await freshPair(90);

    await writeFile(certificate.tlsCertificateFile, fresh.cert);
    await running.reload!();
    t.match(Math.round(await days()), 30, 'half of a new pair changes nothing');
    await (await cluster.login('bob', ways.tls)).logout();

    await writeFile(certificate.tlsKeyFile, fresh.key);
    await running.reload!();
    t.match(Math.round(await days()), 90);
    await t.rejects(cluster.login('bob', ways.tls), ConnectError, 'the old one is not shown any more');
    await (await cluster.login('bob', { tls: true, ca: fresh.cert })).logout();
    t.ok((await old.time()) > 0, 'who was there noticed nothing');
    await old.logout();
    await writeFile(certificate.tlsCertificateFile, ca);
  });
});

t.test('who may come without TLS', async (t) => {
  const { cert, key } = await freshPair(30);
  const files = await testCertificate(t);
  await Promise.all([writeFile(files.tlsCertificateFile, cert), writeFile(files.tlsKeyFile, key)]);
  const { tlsCertificateFile, tlsKeyFile } = files;
  const open = async (plainClients: 'loopback' | 'refuse') => {
    await cluster.addMsgServer({ msg: { tlsCertificateFile, tlsKeyFile, plainClients } });
    return cluster.msg.length - 1;
  };
  const loopback = await open('loopback');
  for (const kind of ['plain', 'ws'] as const)
    await (await cluster.login('alice', { ...ways[kind], at: loopback })).logout();
  const refuse = await open('refuse');
  for (const kind of ['plain', 'ws'] as const)
    await t.rejects(cluster.login('alice', { ...ways[kind], at: refuse }), ConnectError, kind);
  for (const webSocket of [false, true])
    await (await cluster.login('alice', { tls: true, webSocket, ca: cert, at: refuse })).logout();

  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) t.ok(isLoopback(address), address);
  for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '1127.0.0.1', '128.0.0.1', '::11', '', undefined])
    t.notOk(isLoopback(address), String(address));
});

t.test('those who begin and do not go on', async (t) => {
  await t.test('push each other out and keep nobody from coming in', async (t) => {
    const kinds = [Buffer.alloc(0), Buffer.from('16', 'hex'), Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n')];
    const idle: (Socket & { ended: boolean })[] = [];
    for (let i = 0; i < 30; i++) {
      const socket = await raw(t);
      const begin = kinds[i % kinds.length]!;
      if (begin.length > 0) socket.write(begin);
      idle.push(socket);
    }
    await until(() => idle.filter((each) => each.ended).length >= 10, 'those beyond the bound to be closed');
    for (const kind of ['plain', 'wss'] as const) {
      const files = kind === 'wss' ? { ...ways.ws } : ways.plain;
      await (await cluster.login('alice', files)).logout();
    }
    t.notOk(idle.at(-1)!.ended, 'the newest of them still may');
    t.ok(idle[0]!.ended, 'the oldest went first');
  });

  await t.test('nor do those who never log in', async (t) => {
    const bob = await cluster.login('bob');
    const strangers: (Socket & { ended: boolean })[] = [];
    for (let i = 0; i < 15; i++) {
      const socket = await raw(t);
      socket.write(heartbeat.subarray(0, 7));
      strangers.push(socket);
    }
    await until(() => strangers.filter((each) => each.ended).length >= 5, 'those beyond the bound to be closed');
    await (await cluster.login('alice')).logout();
    t.ok((await bob.time()) > 0, 'who has logged in stays');
    await bob.logout();
  });

  await t.test('a stranger’s frame has little room', async (t) => {
    const socket = await raw(t);
    const header = Buffer.alloc(16);
    header.writeUInt32BE(STRANGER_FRAME_SIZE_MAX + 1);
    socket.write(header);
    await until(() => socket.ended, 'closed');
  });
});

t.test('TLS is nothing without its files', async (t) => {
  const wrong = [
    [{ plainClients: 'refuse' }, /plainClients is refuse: that needs tlsCertificateFile/],
    [{ tlsCertificateFile: '/nowhere.pem', tlsKeyFile: '/nowhere.pem' }, /ENOENT.*\/nowhere\.pem/],
    [{ tlsCertificateFile: certificate.tlsKeyFile, tlsKeyFile: certificate.tlsKeyFile }, /tlsCertificateFile/],
  ] as const;
  for (const [msg, message] of wrong)
    await t.rejects(cluster.addMsgServer({ msg }), { name: 'SettingsError', message });
});
