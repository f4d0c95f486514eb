/**
 * Connections, links and peers over real sockets: some of the servers are ours, some are played by hand, frame by
 * frame, and say what ours never would.
 */
import { createHmac } from 'node:crypto';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { type ErrorCode, ImError } from '../../../common/errors.js';
import type { Logger } from '../../../common/log.js';
import { Metrics } from '../../../common/metrics.js';
import {
  type CloseReason,
  Connection,
  type ConnectionLimits,
  type ConnectionOwner,
} from '../../../common/net/connection.js';
import { freshNonce } from '../../../common/net/handshake.js';
import {
  type Address,
  type Asked,
  LINK_HEARTBEAT_MS,
  LINK_SILENCE_MS,
  Link,
  linkConnectionLimits,
  SILENT_SWEEPS_MAX,
  SILENT_SWEEPS_PROBED,
} from '../../../common/net/link.js';
import { LinkGroup, type LinkGroupOptions } from '../../../common/net/link-group.js';
import { listen } from '../../../common/net/listener.js';
import { type Peer, Peers, type PeersOptions } from '../../../common/net/peers.js';
import { type Command, encodeFrame } from '../../../common/pdu/command.js';
import { cluster, message, other } from '../../../common/pdu/commands.js';
import { Frame, frameOf } from '../../../common/pdu/header.js';
import { answer, commandTable, hear } from '../../../common/server/command-table.js';

const HOST = '127.0.0.1';
const SECRET = 'what all servers of this cluster know';
const WAIT_MS_MAX = 20_000;

/** Waits for what has to happen soon. No timer in it, as some tests hold the timers. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** How a question ended: the code of its error, or undefined when it was answered. */
function codeOf(asked: Promise<unknown>): Promise<ErrorCode | undefined> {
  return asked.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof ImError) return error.code;
      throw error;
    },
  );
}

/** A log that a test can read. */
class Lines {
  readonly all: { level: string; text: string; fields: Record<string, unknown> }[] = [];
  readonly log = Object.fromEntries(
    ['debug', 'info', 'warn', 'error'].map((level) => [
      level,
      (fields: Record<string, unknown>, text: string) => this.all.push({ level, text, fields }),
    ]),
  ) as unknown as Logger;

  said(text: string): number {
    return this.all.filter((line) => line.text === text).length;
  }
}

/** One end of a connection, played by hand. */
class Hand implements ConnectionOwner {
  readonly connection: Connection;
  readonly socket: Socket;
  readonly #frames: Frame[] = [];
  readonly reasons: CloseReason[] = [];
  /** Heartbeats that came. */
  beats = 0;

  constructor(t: Test, socket: Socket, limits: ConnectionLimits = linkConnectionLimits) {
    this.socket = socket;
    this.connection = new Connection(socket, limits);
    this.connection.own(this);
    t.teardown(() => socket.destroy());
  }

  static dial(t: Test, port: number): Hand {
    return new Hand(t, connect(port, HOST));
  }

  frame(frame: Frame): void {
    // On a slow machine a heartbeat comes in between; only those tests look at it that are about it.
    if (frame.command === other.heartbeat.id) this.beats++;
    else this.#frames.push(new Frame(Buffer.from(frame.bytes)));
  }
  closed(reason: CloseReason): void {
    this.reasons.push(reason);
  }

  get heard(): number {
    return this.#frames.length;
  }
  forget(): void {
    this.#frames.length = 0;
  }

  say<In>(command: Command<In, unknown>, it: In, id = 0): void {
    this.connection.send(encodeFrame(command, id, it, id >>> 16));
  }

  /** The next frame, which has to be this command, decoded. */
  async expect<Out>(command: Command<never, Out>): Promise<Out & { id: number }> {
    await until(() => this.#frames.length > 0, command.name);
    const frame = this.#frames.shift()!;
    if (frame.command !== command.id) throw new Error(`0x${frame.command.toString(16)} instead of ${command.name}`);
    const id = frame.seq + frame.reserved * 0x1_0000;
    return Object.assign(command.codec.decode(frame.body) as Out & object, { id });
  }

  /** Resolves when the other side has closed, having said nothing more. */
  async closedUnheard(): Promise<void> {
    await until(() => this.reasons.length > 0, 'closed by the other side');
    if (this.heard + this.beats > 0) throw new Error('something was heard before it was closed');
  }

  // As the dialer:

  hello(role: string, nonce = freshNonce()): Greeting {
    const mine = { role, name: 'by-hand', nonce };
    this.say(cluster.hello, mine);
    return mine;
  }
  async join(role = 'msg'): Promise<{ mine: Greeting; theirs: Greeting; proof: Buffer }> {
    const mine = this.hello(role);
    const theirs = await this.expect(cluster.hello.reply);
    const proof = proofFor('dialer', mine, theirs);
    this.say(cluster.proof, { proof });
    return { mine, theirs, proof };
  }

  // As the acceptor:

  async letIn(role = 'db-proxy', secret = SECRET): Promise<void> {
    await this.answerHello(role, secret);
    await this.expect(cluster.proof);
  }
  async answerHello(role: string, secret = SECRET, nonce = freshNonce()): Promise<void> {
    const theirs = await this.expect(cluster.hello);
    const mine = { role, name: 'by-hand', nonce };
    this.say(cluster.hello.reply, { ...mine, proof: proofFor('acceptor', theirs, mine, secret) });
  }
  /** Says back what it is told, nonce and all, with a proof of it that it cannot make. */
  async echoHello(): Promise<void> {
    const { name, nonce } = await this.expect(cluster.hello);
    this.say(cluster.hello.reply, { role: 'db-proxy', name, nonce, proof: nonce });
  }
  async expectAsk(): Promise<{ userId: number; id: number }> {
    return this.expect(cluster.userGroups);
  }
  answerAsk(asked: { id: number; userId: number }, groupId = asked.userId * 10): void {
    this.say(cluster.userGroups.reply, { groupIdList: [groupId] }, asked.id);
  }
}

interface Greeting {
  readonly role: string;
  readonly name: string;
  readonly nonce: Uint8Array;
}

/** The proof as the protocol's description has it. */
function proofFor(side: string, dialer: Greeting, acceptor: Greeting, secret = SECRET): Buffer {
  const parts = [side, dialer.role, dialer.name, dialer.nonce, acceptor.role, acceptor.name, acceptor.nonce];
  const bytes = parts.flatMap((part) => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(Buffer.from(part as string).length);
    return [size, Buffer.from(part as string)];
  });
  return createHmac('sha256', secret).update(Buffer.concat(bytes)).digest();
}

/** A server played by hand: every connection to it is a Hand. */
async function byHand(t: Test): Promise<{ address: Address; hands: Hand[]; next(): Promise<Hand> }> {
  const hands: Hand[] = [];
  let taken = 0;
  const listening = await listen(0, HOST, (socket) => hands.push(new Hand(t, socket)));
  t.teardown(() => listening.close());
  return {
    address: { host: HOST, port: listening.port },
    hands,
    async next() {
      await until(() => hands.length > taken, 'a connection');
      return hands[taken++]!;
    },
  };
}

/** What a server of ours does here. */
class Server {
  readonly asked: number[] = [];
  readonly told: number[] = [];
  readonly joined: Peer[] = [];
  readonly left: Peer[] = [];
  readonly lines = new Lines();
  readonly metrics = new Metrics('db-1', 'db-proxy');
  reply: (userId: number) => Promise<number[]> | number[] = (userId) => [userId * 10];
  peers!: Peers<Server>;

  static readonly table = commandTable<Server, Peer>([
    answer(cluster.userGroups, async (it, { userId }) => {
      it.asked.push(userId);
      return { groupIdList: await it.reply(userId) };
    }),
    hear(cluster.groupMembersChanged, (it, { groupId }) => {
      it.told.push(groupId);
      if (groupId === 666) throw new Error('this one breaks the handler');
    }),
  ]);

  static async open(t: Test, options: Partial<PeersOptions<Server>> = {}): Promise<Server> {
    const server = new Server();
    server.peers = await Peers.open<Server>({
      self: { role: 'db-proxy', name: 'db-1' },
      port: 0,
      host: HOST,
      secret: SECRET,
      log: server.lines.log,
      metrics: server.metrics,
      ctx: server,
      tables: { msg: Server.table },
      joined: (peer) => server.joined.push(peer),
      left: (peer) => server.left.push(peer),
      ...options,
    });
    t.teardown(() => server.peers.close());
    return server;
  }

  get address(): Address {
    return { host: HOST, port: this.peers.port };
  }

  /** Who was sent away, by why; without those of whom there were none. */
  async refused(): Promise<Record<string, number>> {
    const { values } = await this.metrics.registry.getSingleMetric('teamtalk_peers_refused_total')!.get();
    return Object.fromEntries(values.filter((it) => it.value > 0).map((it) => [it.labels.why, it.value]));
  }
}

/** Links of a msg server. */
class Links {
  readonly lines = new Lines();
  readonly told: number[] = [];
  readonly group: LinkGroup;

  static readonly hears = commandTable<Links, Link>([
    hear(cluster.groupMembersChanged, (it, { groupId }) => {
      it.told.push(groupId);
      if (groupId === 666) throw new Error('this one breaks the handler');
    }),
  ]);

  constructor(t: Test, addresses: readonly Address[], options: Partial<LinkGroupOptions<never>> = {}) {
    this.group = new LinkGroup({
      self: { role: 'msg', name: 'msg-1' },
      role: 'db-proxy',
      addresses,
      secret: SECRET,
      log: this.lines.log,
      hears: Links.hears as never,
      ctx: this as never,
      askTimeoutMs: 2 * WAIT_MS_MAX,
      asksMax: 100_000,
      ...options,
    });
    t.teardown(() => this.group.close());
  }

  static async open(
    t: Test,
    addresses: readonly Address[],
    options: Partial<LinkGroupOptions<never>> = {},
  ): Promise<Links> {
    const links = new Links(t, addresses, options);
    await until(() => links.lines.said('link open') === addresses.length, 'all links open');
    return links;
  }

  /** The group list of a user: ten times his id, when nobody meddles. */
  async ask(userId: number, key = 0): Promise<number> {
    const { groupIdList } = await this.group.ask(cluster.userGroups, { userId }, key);
    return groupIdList[0]!;
  }
}

t.test('greeting', async (t) => {
  t.test('with the same secret each learns who the other is', async (t) => {
    const server = await Server.open(t);
    const names: string[] = [];
    const { group } = await Links.open(t, [server.address], { opened: (link) => names.push(link.peerName) });
    await until(() => server.joined.length === 1, 'the dialer is let in');
    t.match(server.joined, [{ role: 'msg', name: 'msg-1', address: HOST }]);
    t.same([...server.peers], server.joined);
    t.same(names, ['db-1']);
    group.close();
    await until(() => server.left.length === 1, 'the dialer leaves');
    t.same(server.left, server.joined);
    t.same([...server.peers], []);
  });

  t.test('the proof is the one that is described', async (t) => {
    const server = await Server.open(t);
    const hand = Hand.dial(t, server.peers.port);
    const mine = hand.hello('msg');
    const theirs = await hand.expect(cluster.hello.reply);
    t.same(Buffer.from(theirs.proof), proofFor('acceptor', mine, theirs));
    hand.say(cluster.proof, { proof: proofFor('dialer', mine, theirs) });
    hand.say(cluster.userGroups, { userId: 4 }, 1);
    t.match(await hand.expect(cluster.userGroups.reply), { groupIdList: [40], id: 1 });
  });

  t.test('a dialer with another secret finds no server', async (t) => {
    const server = await Server.open(t);
    const links = new Links(t, [server.address], { secret: 'what nobody else knows', askTimeoutMs: 100 });
    t.equal(await codeOf(links.ask(1)), 'NO_LINK');
    await until(() => links.lines.said('link refused') > 0, 'the link refuses the server');
    t.notOk(links.group.open);
    t.same([server.joined, server.asked, [...server.peers]], [[], [], []]);
  });

  t.test('whoever does not prove himself is neither heard nor answered', async (t) => {
    const server = await Server.open(t);
    const first = Hand.dial(t, server.peers.port);
    const earlier = await first.join();
    await until(() => server.joined.length === 1, 'the honest one is let in');

    const attempts: [string, (mine: Greeting, theirs: Greeting & { proof: Uint8Array }) => Uint8Array][] = [
      ['a wrong secret', (mine, theirs) => proofFor('dialer', mine, theirs, 'guessed')],
      ['the proof of another connection', () => earlier.proof],
      ["the server's own proof", (_mine, theirs) => theirs.proof],
      ['nothing', () => Buffer.alloc(0)],
      ['zeros', () => Buffer.alloc(32)],
      ['half of it', (mine, theirs) => proofFor('dialer', mine, theirs).subarray(0, 16)],
      ['the proof of another name', (mine, theirs) => proofFor('dialer', { ...mine, name: 'msg-1' }, theirs)],
      ['the proof of another role', (mine, theirs) => proofFor('dialer', { ...mine, role: 'admin' }, theirs)],
    ];
    for (const [what, proofOf] of attempts) {
      const hand = Hand.dial(t, server.peers.port);
      const mine = hand.hello('msg', Buffer.from(earlier.mine.nonce));
      const theirs = await hand.expect(cluster.hello.reply);
      t.notSame(theirs.nonce, earlier.theirs.nonce, 'no greeting is like another one');
      hand.say(cluster.proof, { proof: proofOf(mine, theirs) });
      hand.say(cluster.userGroups, { userId: 1 }, 1);
      hand.say(cluster.groupMembersChanged, { groupId: 1 });
      hand.say(other.heartbeat, {});
      await hand.closedUnheard();
      t.pass(what);
    }
    const short = Hand.dial(t, server.peers.port);
    const mine = short.hello('msg', Buffer.from('short'));
    const theirs = await short.expect(cluster.hello.reply);
    short.say(cluster.proof, { proof: proofFor('dialer', mine, theirs) });
    await short.closedUnheard();

    // What a second connection proves about the nonce of the first one is no proof on the first.
    const victim = Hand.dial(t, server.peers.port);
    victim.hello('msg');
    const { nonce } = await victim.expect(cluster.hello.reply);
    const mirror = Hand.dial(t, server.peers.port);
    mirror.hello('msg', Buffer.from(nonce));
    victim.say(cluster.proof, { proof: (await mirror.expect(cluster.hello.reply)).proof });
    await victim.closedUnheard();

    t.same([server.joined.length, server.asked, server.told], [1, [], []]);
    const refused = attempts.length + 2;
    t.equal(server.lines.said('peer refused'), refused);
    t.same(await server.refused(), { secret: refused });
  });

  t.test('before the greeting nothing is answered', async (t) => {
    const server = await Server.open(t);
    const nonce = freshNonce();
    const firstWords: [string, Buffer[]][] = [
      ['a question', [encodeFrame(cluster.userGroups, 1, { userId: 1 })]],
      ['a heartbeat', [encodeFrame(other.heartbeat, 0, {})]],
      ['a proof', [encodeFrame(cluster.proof, 0, { proof: Buffer.alloc(32) })]],
      ['an answer to a hello', [encodeFrame(cluster.hello.reply, 0, { role: 'msg', name: 'x', nonce, proof: nonce })]],
      ['an unknown command', [frameOf(0xffff, 1, Buffer.alloc(100))]],
      ['a hello that cannot be read', [frameOf(cluster.hello.id, 0, Buffer.from('ffff', 'hex'))]],
      ['a hello without a nonce', [frameOf(cluster.hello.id, 0, Buffer.from('0a036d7367', 'hex'))]],
      ['no frame at all', [Buffer.from('GET / HTTP/1.1\r\nHost: here\r\n\r\n')]],
      ['a length of nothing', [Buffer.alloc(64)]],
    ];
    // A role is looked up in a table: what every object has is no row of it.
    for (const role of ['', 'admin', 'db-proxy', 'constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      firstWords.push([`a ${role} server`, [encodeFrame(cluster.hello, 0, { role, name: 'x', nonce })]]);
    }
    for (const [what, frames] of firstWords) {
      const hand = Hand.dial(t, server.peers.port);
      for (const frame of frames) hand.connection.send(frame);
      await hand.closedUnheard();
      t.pass(what);
    }

    for (const second of [
      encodeFrame(cluster.userGroups, 1, { userId: 1 }),
      encodeFrame(cluster.hello, 0, { role: 'msg', name: 'x', nonce }),
    ]) {
      const eager = Hand.dial(t, server.peers.port);
      eager.hello('msg');
      eager.connection.send(second);
      await eager.expect(cluster.hello.reply);
      await eager.closedUnheard();
    }
    t.same([server.joined, server.asked], [[], []]);
    t.same(await server.refused(), { greeting: 9 + 2, role: 7 });
  });

  t.test('a link does not prove itself to a stranger, and dials on', async (t) => {
    const strangers: [string, boolean, (hand: Hand) => Promise<void>][] = [
      ['another secret', true, (hand) => hand.answerHello('db-proxy', 'guessed')],
      ['another role', true, (hand) => hand.answerHello('route')],
      ['our own words', true, (hand) => hand.echoHello()],
      ['a short nonce', true, (hand) => hand.answerHello('db-proxy', SECRET, Buffer.from('short'))],
      ['an answer to nothing', false, async (hand) => hand.say(cluster.userGroups.reply, { groupIdList: [1] }, 1)],
      ['no frame', false, async (hand) => hand.connection.send(Buffer.alloc(20))],
    ];
    for (const [what, reads, meet] of strangers) {
      const server = await byHand(t);
      const lost: unknown[] = [];
      const links = new Links(t, [server.address], { lost: (link) => lost.push(link) });
      const asked = links.ask(5);
      const stranger = await server.next();
      await meet(stranger);
      if (!reads) await stranger.expect(cluster.hello);
      await stranger.closedUnheard();
      t.notOk(links.group.open);
      const honest = await server.next();
      await honest.letIn();
      honest.answerAsk(await honest.expectAsk());
      t.equal(await asked, 50, what);
      t.same(lost, [], 'what was never open is not lost');
    }
  });

  t.test('one that says nothing is closed after a while', async (t) => {
    // The accepting side's timer is the only one that counts here, so holding the timers holds nothing else.
    mock.timers.enable({ apis: ['setTimeout'] });
    t.teardown(() => mock.timers.reset());
    const server = await Server.open(t);
    const silent = Hand.dial(t, server.peers.port);
    const half = Hand.dial(t, server.peers.port);
    const honest = Hand.dial(t, server.peers.port);
    half.hello('msg');
    await half.expect(cluster.hello.reply);
    await honest.join();
    await until(() => server.joined.length === 1, 'the honest one is let in, and so the silent one accepted');
    mock.timers.tick(4_900);
    honest.say(cluster.userGroups, { userId: 1 }, 1);
    await honest.expect(cluster.userGroups.reply);
    t.same([silent.reasons, half.reasons], [[], []], 'in good time');
    mock.timers.tick(101);
    await silent.closedUnheard();
    await half.closedUnheard();
    t.same(await server.refused(), { silent: 2 });
    mock.timers.tick(60_000);
    honest.say(cluster.userGroups, { userId: 2 }, 2);
    await honest.expect(cluster.userGroups.reply);
    t.same(honest.reasons, [], 'whoever has proved himself stays');
  });
});

t.test('asking and telling', async (t) => {
  t.test('every answer finds its question', async (t) => {
    const server = await Server.open(t);
    const links = await Links.open(t, [server.address]);
    // Answered in another order than asked.
    const release: (() => void)[] = [];
    server.reply = (userId) => new Promise((resolve) => release.push(() => resolve([userId * 10])));
    const asks = Array.from({ length: 500 }, (_, i) => links.ask(i + 1, i));
    await until(() => release.length === asks.length, 'all have arrived');
    t.same([links.group.openAsks, server.peers.busy], [500, 500]);
    for (const i of release.keys()) release[(i * 7) % release.length]!();
    t.same(
      await Promise.all(asks),
      asks.map((_, i) => (i + 1) * 10),
    );
    t.same([links.group.openAsks, server.peers.busy], [0, 0]);

    server.reply = () => [];
    const reply = await links.group.askBytes(cluster.userGroups, Buffer.from('0805', 'hex'));
    t.same([reply.command, reply.body.length], [cluster.userGroups.reply.id, 0], 'asked and answered in bytes');
    t.equal(server.asked.at(-1), 5);
  });

  t.test('an answer repeats all 32 bits of the number', async (t) => {
    const server = await Server.open(t);
    const hand = Hand.dial(t, server.peers.port);
    await hand.join();
    for (const id of [1, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      hand.say(cluster.userGroups, { userId: 1 }, id);
      t.equal((await hand.expect(cluster.userGroups.reply)).id, id);
      hand.connection.send(frameOf(0x7777, id, Buffer.alloc(0), id >>> 16));
      t.equal((await hand.expect(cluster.failure)).id, id);
    }
  });

  t.test('errors arrive as what they were', async (t) => {
    const server = await Server.open(t);
    const links = await Links.open(t, [server.address]);
    for (const code of ['BAD_REQUEST', 'NO_SUCH_USER', 'BUSY', 'TIMEOUT', 'STORE_UNAVAILABLE', 'INTERNAL'] as const) {
      server.reply = () => Promise.reject(new ImError(code, 'why'));
      await t.rejects(links.ask(1), { name: 'ImError', code, message: new RegExp(`^${code}: why$`) });
    }
    server.reply = () => {
      throw new TypeError('a fault');
    };
    await t.rejects(links.ask(1), { code: 'INTERNAL', message: /a fault/ }, 'a fault of the other side');
    await t.rejects(links.group.askBytes(cluster.userGroups, Buffer.from('ff', 'hex')), { code: 'BAD_REQUEST' });
    await t.rejects(links.group.askBytes(message.time, Buffer.alloc(0)), { code: 'NOT_ALLOWED' }, 'not in its table');
    server.reply = (userId) => [userId];
    t.equal(await links.ask(3), 3, 'none of it harms the link');
    t.equal(links.lines.said('link open'), 1);
  });

  t.test('failures that cannot be understood', async (t) => {
    const server = await byHand(t);
    const links = new Links(t, [server.address]);
    const hand = await server.next();
    await hand.letIn();
    const fails = async (say: (id: number) => void, message: RegExp) => {
      const asked = links.ask(1);
      const checked = t.rejects(asked, { name: 'ImError', code: 'INTERNAL', message });
      say((await hand.expectAsk()).id);
      await checked;
    };
    await fails((id) => hand.say(cluster.failure, { code: 'FROM_A_LATER_VERSION' }, id), /FROM_A_LATER_VERSION/);
    await fails((id) => hand.say(cluster.failure, { code: 'toString', detail: 'why' }, id), /why/);
    await fails((id) => hand.connection.send(frameOf(cluster.failure.id, id, Buffer.from('ff', 'hex'))), /read/);
    const asked = links.ask(2);
    hand.answerAsk(await hand.expectAsk());
    t.equal(await asked, 20, 'the link goes on');
  });

  t.test('what is told arrives in order, both ways, and needs no answer', async (t) => {
    const server = await Server.open(t);
    const links = await Links.open(t, [server.address]);
    for (const groupId of [1, 2, 666, 3]) links.group.tell(cluster.groupMembersChanged, { groupId });
    links.group.tell(message.time, { userId: 1 });
    await links.ask(1);
    t.same(server.told, [1, 2, 666, 3], 'one that broke its handler does not stop the next');

    for (const groupId of [7, 666, 8]) server.joined[0]!.tell(cluster.groupMembersChanged, { groupId });
    server.joined[0]!.tellFrame(encodeFrame(cluster.groupMembersChanged, 0, { groupId: 9 }));
    server.joined[0]!.tell(message.time, { userId: 1 });
    server.joined[0]!.tellFrame(frameOf(cluster.groupMembersChanged.id, 0, Buffer.from('ff', 'hex')));
    await links.ask(1);
    t.same(links.told, [7, 666, 8, 9]);
    t.equal(links.lines.said('link lost'), 0);
  });

  t.test('several servers: one by key, each, or all', async (t) => {
    const servers = [await Server.open(t), await Server.open(t), await Server.open(t)];
    const links = await Links.open(
      t,
      servers.map((server) => server.address),
    );
    const asked = () => servers.map((server) => server.asked.splice(0));
    const told = () => servers.map((server) => server.told.splice(0));

    await Promise.all([1, 2, 3, 4, 5, 6].map((key) => links.ask(100 + key, key)));
    t.same(
      asked(),
      [
        [103, 106],
        [101, 104],
        [102, 105],
      ],
      'equal keys go to the same one',
    );

    await links.group.askAll(cluster.userGroups, { userId: 9 });
    t.same(asked(), [[9], [9], [9]]);

    links.group.tell(cluster.groupMembersChanged, { groupId: 4 }, 4);
    links.group.tellAll(cluster.groupMembersChanged, { groupId: 5 });
    links.group.tellEach(cluster.groupMembersChanged, (chosen) => ({ groupId: chosen ? 7 : 6 }));
    await links.group.askAll(cluster.userGroups, { userId: 9 });
    t.same(told(), [
      [5, 7],
      [4, 5, 6],
      [5, 6],
    ]);
    asked();

    servers[1]!.peers.close();
    await until(() => links.lines.said('link lost') === 1, 'one is gone');
    await Promise.all([1, 2, 3, 4, 5, 6].map((key) => links.ask(100 + key, key)));
    t.same(asked(), [[103, 106], [], [101, 102, 104, 105]], 'its keys go to the next one, the others stay');
    await links.group.askAll(cluster.userGroups, { userId: 9 });
    t.same(asked(), [[9], [], [9]]);
  });
});

t.test('deadlines', async (t) => {
  t.test('what is not answered in time is a TIMEOUT', async (t) => {
    const server = await Server.open(t);
    const links = await Links.open(t, [server.address], { askTimeoutMs: 500 });
    server.reply = (userId) => (userId === 1 ? new Promise(() => undefined) : [userId]);
    const began = performance.now();
    const late = links.ask(1);
    t.equal(await links.ask(2), 2);
    await t.rejects(late, { code: 'TIMEOUT', message: /db-proxy 127\.0\.0\.1/ });
    t.ok(performance.now() - began >= 500);
    t.equal(links.group.openAsks, 0);
    t.equal(await links.ask(3), 3, 'the link is no worse for it');
  });

  t.test('a late answer is nobody else’s, even when its number has come round', async (t) => {
    const server = await byHand(t);
    const lines = new Lines();
    const silent = commandTable<never, never>([]);
    let open = false;
    let lates = 0;
    const link = new Link(
      {
        self: { role: 'msg', name: 'msg-1' },
        role: 'db-proxy',
        address: server.address,
        secret: SECRET,
        log: lines.log,
        hears: silent,
        ctx: undefined as never,
      },
      { opened: () => (open = true), lost: () => undefined, freed: () => undefined, late: () => lates++ },
    );
    t.teardown(() => link.close());
    const hand = await server.next();
    await hand.letIn();
    await until(() => open, 'the link is open');

    const ask = (userId: number, deadlineMs: number) =>
      new Promise<number>((resolve, reject) => {
        const asked: Asked = {
          frame: encodeFrame(cluster.userGroups, 0, { userId }),
          key: 0,
          askedMs: 0,
          deadlineMs,
          resolve: (frame) => resolve(cluster.userGroups.reply.codec.decode(frame.body).groupIdList[0]!),
          reject,
        };
        link.ask(asked);
      });

    const resolve = () => t.fail('nobody has answered');
    const first = codeOf(ask(1, 1_000));
    const early = await hand.expectAsk();
    link.sweep(999);
    t.equal(link.openAsks, 1, 'not before its deadline');
    link.sweep(1_000);
    t.equal(await first, 'TIMEOUT');

    // As many more as 16 bits can number, so that the next one has the same seq.
    const frame = encodeFrame(cluster.userGroups, 0, { userId: 2 });
    let rejected = 0;
    const reject = () => rejected++;
    for (let i = 0; i < 0xffff; i++)
      link.ask({ frame: Buffer.from(frame), key: 0, askedMs: 0, deadlineMs: 0, resolve, reject });
    link.sweep(0);
    t.equal(rejected, 0xffff);
    await until(() => hand.heard === 0xffff, 'all of them have arrived');
    hand.forget();

    const last = ask(5, 1_000);
    const now = await hand.expectAsk();
    t.equal(now.id & 0xffff, early.id & 0xffff, 'the seq of the first one');
    t.not(now.id, early.id);
    hand.answerAsk(early, 666);
    hand.answerAsk(now, 777);
    t.equal(await last, 777);
    hand.answerAsk(now, 888);
    hand.answerAsk({ id: 12_345_678, userId: 1 });
    t.equal(link.openAsks, 0);
    await until(() => lates === 3, 'late answers to be told of');
  });

  t.test('without any server it is NO_LINK, at the deadline', async (t) => {
    const gone = await Server.open(t);
    gone.peers.close();
    const links = new Links(t, [gone.address], { askTimeoutMs: 300 });
    const began = performance.now();
    await t.rejects(links.ask(1), { code: 'NO_LINK', message: /db-proxy/, retry: true });
    t.ok(performance.now() - began >= 300);
    t.notOk(links.group.open);
    links.group.tell(cluster.groupMembersChanged, { groupId: 1 });
    await links.group.askAll(cluster.userGroups, { userId: 1 });
    t.equal(links.group.openAsks, 0);
  });

  t.test('too much under way is BUSY', async (t) => {
    const server = await byHand(t);
    const links = new Links(t, [server.address], { asksMax: 3 });
    const asks = [links.ask(1), links.ask(2), links.ask(3)];
    await t.rejects(links.ask(4), { code: 'BUSY', retry: true }, 'what waits for a link counts');
    const hand = await server.next();
    await hand.letIn();
    const first = await hand.expectAsk();
    await t.rejects(links.ask(5), { code: 'BUSY' }, 'and so does what waits for an answer');
    hand.answerAsk(first);
    t.equal(await asks[0], 10);
    const again = links.ask(6);
    const refused = links.ask(7);
    await t.rejects(refused, { code: 'BUSY' });
    for (let i = 0; i < 3; i++) hand.answerAsk(await hand.expectAsk());
    t.same(await Promise.all([...asks, again]), [10, 20, 30, 60]);
    t.equal(hand.heard, 0, 'what was refused was not sent');
  });
});

t.test('a link that dies', async (t) => {
  t.test('its questions are asked again on another one, in their order, and answered once', async (t) => {
    const dying = await byHand(t);
    const heir = await Server.open(t);
    const links = new Links(t, [dying.address, heir.address]);
    const hand = await dying.next();
    await hand.letIn();
    await until(() => links.lines.said('link open') === 2, 'both are open');

    const answered: number[] = [];
    const asks = [1, 2, 3, 4, 5, 6].map(async (userId) => {
      const groupId = await links.ask(userId, 0);
      answered.push(userId);
      return groupId;
    });
    const arrived = [];
    for (const _ of asks) arrived.push(await hand.expectAsk());
    t.same(
      arrived.map(({ userId }) => userId),
      [1, 2, 3, 4, 5, 6],
    );
    hand.answerAsk(arrived[2]!);
    await until(() => answered.length === 1, 'one was answered in time');
    t.same(heir.asked, []);
    hand.socket.resetAndDestroy();
    t.same(await Promise.all(asks), [10, 20, 30, 40, 50, 60]);
    t.same(heir.asked, [1, 2, 4, 5, 6]);
    t.same(answered, [3, 1, 2, 4, 5, 6]);
    t.equal(links.group.openAsks, 0);
  });

  t.test('with no other one they wait for it to come back, and what is asked meanwhile waits behind', async (t) => {
    const server = await byHand(t);
    const openings: string[] = [];
    const links = new Links(t, [server.address], {
      opened: (link) => {
        openings.push(link.peerName);
        link.tell(cluster.groupMembersChanged, { groupId: openings.length });
      },
    });
    const asks = [links.ask(1), links.ask(2)];
    const first = await server.next();
    await first.letIn();
    t.equal((await first.expect(cluster.groupMembersChanged)).groupId, 1, 'said before what waited');
    t.equal((await first.expectAsk()).userId, 1);
    t.equal((await first.expectAsk()).userId, 2);
    first.connection.close('shutdown');
    await until(() => !links.group.open, 'the link is lost');
    asks.push(links.ask(3), links.ask(4, 1));
    links.group.tell(cluster.groupMembersChanged, { groupId: 99 });
    t.equal(links.group.openAsks, 4);

    // One that breaks off during the greeting changes nothing.
    const second = await server.next();
    await second.expect(cluster.hello);
    second.connection.close('shutdown');

    const third = await server.next();
    await third.letIn();
    t.equal((await third.expect(cluster.groupMembersChanged)).groupId, 2, 'what was told to nobody is not kept');
    const arrived = [];
    for (const _ of asks) arrived.push(await third.expectAsk());
    t.same(
      arrived.map(({ userId }) => userId),
      [1, 2, 3, 4],
    );
    for (const each of arrived.reverse()) third.answerAsk(each);
    t.same(await Promise.all(asks), [10, 20, 30, 40]);
    t.equal(third.heard, 0);
    t.same(
      links.lines.all.filter(({ text }) => text === 'link lost').map(({ fields }) => fields.reason),
      ['ended'],
    );
  });

  t.test('until their deadline', async (t) => {
    const server = await byHand(t);
    const links = new Links(t, [server.address], { askTimeoutMs: 500 });
    const hand = await server.next();
    await hand.letIn();
    const asked = links.ask(1);
    await hand.expectAsk();
    hand.connection.close('shutdown');
    t.equal(await codeOf(asked), 'NO_LINK');
    const next = await server.next();
    await next.letIn();
    const later = links.ask(2);
    t.equal((await next.expectAsk()).userId, 2, 'and what has been given up is not asked again');
    t.equal(await codeOf(later), 'TIMEOUT');
  });

  t.test('a question to one server only is not asked elsewhere', async (t) => {
    const dying = await byHand(t);
    const heir = await Server.open(t);
    const links = new Links(t, [dying.address, heir.address]);
    const hand = await dying.next();
    await hand.letIn();
    await until(() => links.lines.said('link open') === 2, 'both are open');
    const all = links.group.askAll(cluster.userGroups, { userId: 1 });
    await hand.expectAsk();
    hand.connection.close('shutdown');
    await all;
    t.same(heir.asked, [1]);
  });

  t.test('when all links are closed on purpose, questions end, and none is asked elsewhere', async (t) => {
    const servers = [await Server.open(t), await Server.open(t)];
    const links = await Links.open(
      t,
      servers.map((server) => server.address),
    );
    for (const server of servers) server.reply = () => new Promise(() => undefined);
    const open = [links.ask(1, 0), links.ask(2, 1), links.ask(3, 0)].map(codeOf);
    await until(() => servers[0]!.asked.length + servers[1]!.asked.length === 3, 'all are asked');
    links.group.close();
    t.same(await Promise.all(open), ['NO_LINK', 'NO_LINK', 'NO_LINK']);
    t.equal(await codeOf(links.ask(4)), 'NO_LINK', 'nor does a later one wait for ever');
    await until(() => servers.every((server) => server.left.length === 1), 'both servers see it go');
    t.same(
      servers.map((server) => server.asked),
      [[1, 3], [2]],
    );
    t.equal(links.lines.said('link lost'), 0);
  });
});

t.test('draining', async (t) => {
  t.test('a server that drains is asked nothing new, and answers what is open', async (t) => {
    const [leaving, staying] = [await byHand(t), await byHand(t)];
    const links = new Links(t, [leaving.address, staying.address]);
    const [one, two] = [await leaving.next(), await staying.next()];
    await Promise.all([one.letIn(), two.letIn()]);
    await until(() => links.lines.said('link open') === 2, 'both are open');
    const asks = [links.ask(1), links.ask(2)];
    const open = [await one.expectAsk(), await one.expectAsk()];
    one.say(cluster.draining, {});
    one.answerAsk(open[0]!);
    t.equal(await asks[0], 10);

    const fresh = links.ask(3, 2);
    two.answerAsk(await two.expectAsk());
    t.equal(await fresh, 30, 'another key that was at home there');
    const behind = [links.ask(4, 0), links.ask(5, 0)];
    t.equal(two.heard + one.heard, 0, 'what must not overtake what is open there waits');
    t.equal(links.group.openAsks, 3);
    one.answerAsk(open[1]!);
    t.equal(await asks[1], 20, 'what was open is answered');
    const moved = [await two.expectAsk(), await two.expectAsk()];
    for (const ask of moved) two.answerAsk(ask);
    t.same(await Promise.all(behind), [40, 50], 'and what waited moves, in its order');
    t.same(
      moved.map((ask) => ask.userId),
      [4, 5],
    );
    t.equal(one.heard, 0, 'a busy key gives a server that drains nothing new');

    two.connection.close('shutdown');
    await until(() => links.lines.said('link lost') === 1, 'the other one is gone');
    const last = links.ask(6);
    one.answerAsk(await one.expectAsk());
    t.equal(await last, 60, 'better asked of one that drains than of none');

    one.connection.close('shutdown');
    const back = await leaving.next();
    await back.letIn();
    await (await staying.next()).letIn();
    await until(() => links.lines.said('link open') === 4, 'both are back');
    const again = links.ask(7);
    back.answerAsk(await back.expectAsk());
    t.equal(await again, 70, 'one that comes back is asked like any other');
  });

  t.test('our own servers say so to everyone, and accept nobody new', async (t) => {
    const server = await Server.open(t);
    const hands = [Hand.dial(t, server.peers.port), Hand.dial(t, server.peers.port)];
    for (const hand of hands) await hand.join();
    await until(() => server.joined.length === 2, 'both are let in');
    let release = (): void => undefined;
    server.reply = (userId) =>
      new Promise((resolve) => {
        release = () => resolve([userId]);
      });
    hands[0]!.say(cluster.userGroups, { userId: 1 }, 1);
    await until(() => server.peers.busy === 1, 'a question is open');
    server.peers.drain();
    for (const hand of hands) await hand.expect(cluster.draining);
    const late = Hand.dial(t, server.peers.port);
    await late.closedUnheard();
    t.same(late.reasons, ['socket-error']);
    release();
    t.equal((await hands[0]!.expect(cluster.userGroups.reply)).id, 1);
    t.equal(server.peers.busy, 0);
  });
});

t.test('silence', async (t) => {
  /** Holds the intervals and the monotonic clock. */
  const holdTime = (t: Test): ((ms: number) => void) => {
    const now = performance.now.bind(performance);
    let ahead = 0;
    performance.now = () => now() + ahead;
    mock.timers.enable({ apis: ['setInterval'] });
    t.teardown(() => {
      mock.timers.reset();
      performance.now = now;
    });
    return (ms) => {
      for (let passed = 0; passed < ms; passed += STEP_MS) {
        ahead += STEP_MS;
        mock.timers.tick(STEP_MS);
      }
    };
  };
  /** In one go it would be a pause of our own. */
  const STEP_MS = 250;
  const BEATS = 3 * Math.ceil(LINK_SILENCE_MS / LINK_HEARTBEAT_MS);

  t.test('a link stays open while its heartbeats are answered, and not for long when they are not', async (t) => {
    const pass = holdTime(t);
    const server = await byHand(t);
    const lost: number[] = [];
    const links = new Links(t, [server.address], { askTimeoutMs: 1e9, lost: (_link, silentMs) => lost.push(silentMs) });
    const hand = await server.next();
    await hand.letIn();
    await until(() => links.group.open, 'the link is open');
    const heard = t.capture(Link.prototype, 'frame', Link.prototype.frame);
    for (let beat = 0; beat < BEATS; beat++) {
      pass(LINK_HEARTBEAT_MS);
      await until(() => hand.beats > beat, 'a heartbeat');
      hand.say(other.heartbeat, {});
      await until(() => heard().length > 0, 'the answer is heard');
    }
    t.ok(links.group.open);
    t.same(hand.reasons, []);

    for (let ms = LINK_HEARTBEAT_MS; ms < LINK_SILENCE_MS; ms += LINK_HEARTBEAT_MS) pass(LINK_HEARTBEAT_MS);
    t.ok(links.group.open, 'with nothing asked, a while of silence is no reason');
    pass(LINK_HEARTBEAT_MS);
    t.notOk(links.group.open);
    t.match(links.lines.all.at(-1), { text: 'link lost', fields: { reason: 'silent' } });
    t.equal(lost.length, 1);
    t.ok(lost[0]! > LINK_SILENCE_MS);
  });

  t.test('a server that is frozen with a question open is left after some seconds', async (t) => {
    const pass = holdTime(t);
    const [frozen, awake] = [await byHand(t), await byHand(t)];
    const links = new Links(t, [frozen.address, awake.address], { askTimeoutMs: 1e9 });
    const [hand, next] = [await frozen.next(), await awake.next()];
    await Promise.all([hand.letIn(), next.letIn()]);
    await until(() => links.lines.said('link open') === 2, 'both are open');

    const slow = links.ask(1);
    const first = await hand.expectAsk();
    for (let sweeps = 0; sweeps <= 3 * SILENT_SWEEPS_MAX; sweeps += SILENT_SWEEPS_PROBED) {
      const { beats } = hand;
      pass((SILENT_SWEEPS_PROBED + 1) * STEP_MS); // the first one has heard something
      await until(() => hand.beats > beats, 'a heartbeat');
      const heard = t.capture(Link.prototype, 'frame', Link.prototype.frame);
      hand.say(other.heartbeat, {});
      await until(() => heard().length > 0, 'the answer is heard');
    }
    hand.answerAsk(first);
    t.equal(await slow, 10, 'one that answers heartbeats may take its time');

    const asks = [links.ask(2), links.ask(3)];
    for (const _ of asks) await hand.expectAsk();
    pass((SILENT_SWEEPS_MAX - 1) * STEP_MS);
    t.equal(links.lines.said('link lost'), 0, 'not at once');
    pass(3 * STEP_MS);
    t.match(links.lines.all.at(-1), { text: 'link lost', fields: { reason: 'silent' } });
    const again = [await next.expectAsk(), await next.expectAsk()];
    for (const ask of again) next.answerAsk(ask);
    t.same(await Promise.all(asks), [20, 30], 'and its questions are asked elsewhere');
    t.same(
      again.map((ask) => ask.userId),
      [2, 3],
      'in their order',
    );
  });

  t.test('a server that stood still does not act on what was asked before', async (t) => {
    const now = performance.now.bind(performance);
    t.teardown(() => {
      performance.now = now;
    });
    const server = await Server.open(t);
    const hand = Hand.dial(t, server.peers.port);
    await hand.join();
    await until(() => server.joined.length === 1, 'it is let in');
    hand.say(cluster.userGroups, { userId: 1 }, 1);
    await hand.expect(cluster.userGroups.reply);
    performance.now = () => now() + 10_000; // as after SIGSTOP and SIGCONT
    hand.say(cluster.userGroups, { userId: 2 }, 2);
    await hand.closedUnheard();
    t.same(server.asked, [1]);
    t.equal(server.lines.said('stood still: all peers have to dial again'), 1);
    const back = Hand.dial(t, server.peers.port);
    await back.join();
    back.say(cluster.userGroups, { userId: 3 }, 3);
    t.equal((await back.expect(cluster.userGroups.reply)).id, 3, 'whoever comes back is heard');
  });

  t.test('a peer that is not heard is closed', async (t) => {
    const pass = holdTime(t);
    const server = await Server.open(t);
    const [hand, silent] = [Hand.dial(t, server.peers.port), Hand.dial(t, server.peers.port)];
    await hand.join();
    await silent.join();
    await until(() => server.joined.length === 2, 'both are let in');
    for (let beat = 0; beat < BEATS; beat++) {
      if ((beat + 1) * LINK_HEARTBEAT_MS === LINK_SILENCE_MS) t.same(server.left, [], 'a while is no reason');
      hand.say(other.heartbeat, {});
      await until(() => hand.beats > beat, 'a heartbeat');
      pass(LINK_HEARTBEAT_MS);
    }
    await silent.closedUnheard();
    t.same(hand.reasons, []);
    t.match(
      server.lines.all.filter(({ text }) => text === 'peer left'),
      [{ fields: { reason: 'silent' } }],
    );
    t.equal(server.left.length, 1);
  });
});

t.test('one connection', async (t) => {
  const LIMITS: ConnectionLimits = { frameSizeMax: 2 * 1024 * 1024, sendQueueMax: 1024 * 1024 };

  /** A connection of ours that a test looks into, and the bare socket at its other end. */
  const pair = async (t: Test, limits = LIMITS): Promise<{ ours: Hand; theirs: Socket }> => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const theirs = connect({ port: (server.address() as AddressInfo).port, host: HOST, allowHalfOpen: true });
    theirs.on('error', () => undefined);
    const ours = new Hand(t, await accepted, limits);
    server.close();
    t.teardown(() => theirs.destroy());
    return { ours, theirs };
  };
  /** All that arrives there, until it ends. */
  const reading = (socket: Socket): { bytes(): Buffer; ended(): boolean } => {
    const chunks: Buffer[] = [];
    let ended = false;
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => {
      ended = true;
    });
    return { bytes: () => Buffer.concat(chunks), ended: () => ended };
  };
  const frames = Array.from({ length: 50 }, (_, i) => frameOf(0x0301, i, Buffer.alloc(i * 10, i)));
  const broken = Buffer.alloc(16, 1);

  t.test('what is sent in one turn leaves in one write', async (t) => {
    const pairs = [await pair(t), await pair(t)];
    const writes = pairs.map(({ ours }) => t.capture(ours.socket, 'write', ours.socket.write));
    const arrived = pairs.map(({ theirs }) => reading(theirs));
    for (const frame of frames) for (const { ours } of pairs) ours.connection.send(frame);
    t.same(
      writes.map((each) => each().length),
      [0, 0],
      'not at once',
    );
    t.equal(pairs[0]!.ours.connection.queued, Buffer.concat(frames).length);
    await until(() => arrived.every((each) => each.bytes().length >= Buffer.concat(frames).length), 'all has arrived');
    for (const each of arrived) t.same(each.bytes(), Buffer.concat(frames));
    t.same(
      writes.map((each) => each().length),
      [1, 1],
    );
    pairs[0]!.ours.connection.send(frames[1]!);
    await until(() => writes[0]!().length === 1, 'the next turn writes again');
    t.same(writes[1]!(), []);
  });

  t.test('so do questions of one turn over a link, and their answers', async (t) => {
    const server = await Server.open(t);
    const links = await Links.open(t, [server.address]);
    await links.ask(1);
    const writes = t.capture(Socket.prototype, 'write', Socket.prototype.write);
    await Promise.all(Array.from({ length: 50 }, (_, i) => links.ask(i)));
    t.equal(writes().length, 2);
  });

  t.test('it is closed once, with the first reason', async (t) => {
    const first = await pair(t);
    first.ours.connection.close('kicked');
    for (const reason of ['slow', 'silent', 'shutdown'] as const) first.ours.connection.close(reason);
    first.theirs.resume().end();
    await until(() => first.ours.socket.destroyed, 'the socket is gone');
    t.same([first.ours.reasons, first.ours.connection.closedBy], [['kicked'], 'kicked']);
    first.ours.connection.send(frames[0]!);
    t.equal(first.ours.connection.queued, 0, 'nothing is sent any more');

    const left = await pair(t);
    left.theirs.end();
    await until(() => left.ours.reasons.length > 0, 'the other side has left');
    left.ours.connection.close('shutdown');
    t.same(left.ours.reasons, ['ended']);

    const reset = await pair(t);
    reset.theirs.resetAndDestroy();
    await until(() => reset.ours.reasons.length > 0, 'the other side is gone');
    await until(() => reset.ours.socket.closed, 'all of the socket’s events have been');
    t.same(reset.ours.reasons, ['socket-error']);
  });

  t.test('frames before a breach are handed over, then it is closed', async (t) => {
    const { ours, theirs } = await pair(t);
    const there = reading(theirs);
    theirs.write(Buffer.concat([...frames, broken]));
    await until(() => ours.reasons.length > 0, 'the breach is seen');
    t.same(ours.reasons, ['length-too-large']);
    t.equal(ours.heard, frames.length);
    await until(there.ended, 'the other side is told so');
    const short = await pair(t);
    short.theirs.write(Buffer.alloc(16));
    await until(() => short.ours.reasons.length > 0, 'the breach is seen');
    t.same(short.ours.reasons, ['length-too-small']);
  });

  t.test('once closed it hears nothing more, not even the rest of the same read', async (t) => {
    const { ours, theirs } = await pair(t);
    const hear = ours.frame.bind(ours);
    ours.frame = (frame) => {
      hear(frame);
      if (frame.seq === 3) ours.connection.close('logout');
    };
    theirs.write(Buffer.concat([...frames, broken]));
    const there = reading(theirs);
    await until(there.ended, 'it is closed');
    theirs.write(Buffer.concat(frames));
    theirs.end();
    await until(() => ours.socket.closed, 'the socket is gone');
    t.same([ours.heard, ours.reasons], [4, ['logout']]);
  });

  t.test('what is queued when it is closed still leaves', async (t) => {
    const { ours, theirs } = await pair(t, { ...LIMITS, sendQueueMax: 64 * 1024 * 1024 });
    const large = frameOf(0x0301, 9, Buffer.alloc(8 * 1024 * 1024, 9));
    const all = Buffer.concat([...frames, large, ...frames]);
    for (const frame of [...frames, large, ...frames]) ours.connection.send(frame);
    ours.connection.close('shutdown');
    ours.connection.send(frames[1]!);
    const there = reading(theirs);
    await until(there.ended, 'all has arrived');
    t.ok(there.bytes().equals(all));
  });

  t.test('one that does not take its last bytes is cut after a while', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.teardown(() => mock.timers.reset());
    const { ours, theirs } = await pair(t);
    const there = reading(theirs);
    ours.connection.close('shutdown');
    await until(there.ended, 'the other side is told, and leaves its end open');
    mock.timers.tick(900);
    t.notOk(ours.socket.destroyed);
    mock.timers.tick(101);
    t.ok(ours.socket.destroyed);
    t.same(ours.reasons, ['shutdown']);
  });

  t.test('one that does not read is closed as slow when its queue is full', async (t) => {
    const { ours } = await pair(t);
    const frame = frameOf(0x0301, 1, Buffer.alloc(64 * 1024));
    let queuedMax = 0;
    for (let i = 0; i < 1_000 && ours.reasons.length === 0; i++) {
      ours.connection.send(frame);
      queuedMax = Math.max(queuedMax, ours.connection.queued);
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.same(ours.reasons, ['slow']);
    t.ok(ours.socket.destroyed, 'at once: what is queued would not be read either');
    t.ok(queuedMax >= LIMITS.sendQueueMax - frame.length, 'not before the bound');
    t.ok(queuedMax <= LIMITS.sendQueueMax + frame.length, 'and not after');

    const burst = await pair(t);
    for (let i = 0; i < 20; i++) burst.ours.connection.send(frame);
    t.same(burst.ours.reasons, ['slow'], 'within one turn as well');
  });

  t.test('one frame that is larger than the queue is no fault of its reader, a second one behind it is', async (t) => {
    const huge = frameOf(0x0301, 1, Buffer.alloc(3 * LIMITS.sendQueueMax));
    const { ours, theirs } = await pair(t);
    const there = reading(theirs);
    ours.connection.send(huge);
    for (const frame of frames) ours.connection.send(frame);
    await until(() => there.bytes().length === Buffer.concat([huge, ...frames]).length, 'all of it has arrived');
    await until(() => ours.connection.queued === 0, 'nothing is queued');
    theirs.pause();
    for (let i = 0; i < 20; i++) ours.connection.send(frameOf(0x0301, 1, Buffer.alloc(64 * 1024)));
    t.same(ours.reasons, ['slow'], 'from then on the bound is what it was');

    const other = await pair(t);
    other.ours.connection.send(huge);
    t.same(other.ours.reasons, []);
    other.ours.connection.send(huge);
    t.same(other.ours.reasons, ['slow']);
  });

  t.test('one that reads may be sent any amount', async (t) => {
    const { ours, theirs } = await pair(t);
    const frame = frameOf(0x0301, 1, Buffer.alloc(64 * 1024));
    let arrived = 0;
    theirs.on('data', (chunk: Buffer) => {
      arrived += chunk.length;
    });
    for (let i = 0; i < 200; i++) {
      ours.connection.send(frame);
      await until(() => ours.connection.queued < LIMITS.sendQueueMax / 2, 'it is read');
    }
    await until(() => arrived === 200 * frame.length, 'all of it has arrived');
    t.same(ours.reasons, []);
  });

  t.test('reading may pause', async (t) => {
    const { ours, theirs } = await pair(t);
    ours.connection.pauseReading();
    theirs.write(Buffer.concat(frames));
    await until(() => ours.socket.readableLength > 0, 'the bytes are there');
    t.equal(ours.heard, 0);
    ours.connection.resumeReading();
    await until(() => ours.heard === frames.length, 'they are read');
  });
});
