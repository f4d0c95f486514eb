/**
 * The replayer against a server that says what was recorded, and against the same server with one thing wrong: a
 * replay that cannot fail proves nothing.
 */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import {
  type Address,
  type Body,
  type CloseLine,
  commandsOf,
  decryptText,
  encryptText,
  type FrameLine,
  frameBytes,
  HEADER_SIZE,
  type HttpLine,
  type Json,
  type Line,
  missingParts,
  type ReplayOptions,
  type Report,
  readSeed,
  readTranscripts,
  replay,
  requestsOf,
  type ScenarioName,
  type SeedIds,
  sameIds,
  scenarioNames,
  setupWith,
  silentLines,
  type Target,
  type Transcript,
  theProtocol,
} from '../support/transcript.js';

const transcripts = await readTranscripts();
const protocol = await theProtocol();
const seed = await readSeed();

// -------------------------------------------------------------------------------------------- a fake server

/** A world in which the recording happens again: now, at other addresses, and under ids of its own if it likes. */
interface World {
  readonly userOffset: number;
  readonly groupOffset: number;
  /** How long a frame is under way at most; those of one connection stay in line. */
  readonly delayMs: number;
}
const sameWorld: World = { userOffset: 0, groupOffset: 0, delayMs: 0 };
const otherWorld: World = { userOffset: 100, groupOffset: 5000, delayMs: 0 };
const slowWorld: World = { userOffset: 0, groupOffset: 0, delayMs: 40 };
/** No user and no group has this id, in any world. */
const NOBODY = 999;
/** Times of the seed are from 2023. */
const LIVE = 1_750_000_000;
const RECORDED_STORE = 'http://127.0.0.1:18700';

const userKeys = /^((from_|to_|changed_|req_|latest_msg_from_)?user_id|from_session_id|group_creator_id)$/;
const userListKeys = /^((cur_|chg_)?user_id_list|member_id_list|group_member_list)$/;

/** What the fake says instead of a recorded body. Written on its own, so that it can disagree with the replayer. */
function moved(body: Body, world: World, timeShift: number, http: string, file: Address): Body {
  const value = (key: string, old: Json): Json => {
    if (key === 'ip_addr_list') return [{ ip: file.host, port: file.port }];
    if (Array.isArray(old)) return old.map((each) => value(userListKeys.test(key) ? 'user_id' : key, each));
    if (typeof old === 'object' && old !== null) return moved(old, world, timeShift, http, file);
    if (key === 'utf8') return movedText(String(old), http);
    if (typeof old === 'string') return key === 'task_id' ? movedTask(old, world) : old;
    if (typeof old !== 'number' || old === 0 || old === NOBODY) return old;
    if (key.endsWith('_time') && old > LIVE) return old + timeShift;
    if (userKeys.test(key)) return old + world.userOffset;
    if (key === 'group_id') return old + world.groupOffset;
    if (key !== 'session_id' && key !== 'to_session_id') return old;
    const inGroup = JSON.stringify([body.session_type, body.msg_type]).includes('_GROUP');
    return old + (inGroup ? world.groupOffset : world.userOffset);
  };
  return Object.fromEntries(Object.entries(body).map(([key, old]) => [key, value(key, old)]));
}

function movedText(data: string, http: string): string {
  const text = decryptText(data);
  return text?.includes(RECORDED_STORE) ? encryptText(text.replace(RECORDED_STORE, http)) : data;
}

function movedTask(id: string, { userOffset }: World): string {
  return userOffset === 0 || id.startsWith('00000000') ? id : `${id.slice(0, -4)}beef`;
}

/** Hears and says what a list of lines has, one after the other. */
class Fake {
  readonly heard: { readonly line: FrameLine; readonly bytes: Buffer }[] = [];
  readonly #lines: readonly Line[];
  readonly #world: World;
  readonly #timeShift: number;
  readonly #servers: net.Server[] = [];
  readonly #addresses = new Map<string, Address>();
  readonly #http: http.Server;
  readonly #sockets = new Map<string, Peer>();
  readonly #peers: Peer[] = [];
  readonly #answered = new Set<HttpLine>();
  #base = '';
  #asked: { readonly done: () => void }[] = [];
  #stopped = false;
  #wake: () => void = () => {};

  private constructor(lines: readonly Line[], world: World, began: number) {
    this.#lines = lines;
    this.#world = world;
    this.#timeShift = Math.floor(Date.now() / 1000) - began;
    this.#http = http.createServer((request, response) => {
      request.resume().on('end', () => this.#answer(request.url ?? '', response));
    });
  }

  static async start(lines: readonly Line[], world: World, began: number): Promise<Fake> {
    const fake = new Fake(lines, world, began);
    for (const name of ['msg1', 'msg2', 'file'] as const) {
      const server = net.createServer({ allowHalfOpen: true }, (socket) => fake.#accept(name, socket));
      await once(server.listen(0, '127.0.0.1'), 'listening');
      fake.#servers.push(server);
      fake.#addresses.set(name, { host: '127.0.0.1', port: portOf(server) });
    }
    await once(fake.#http.listen(0, '127.0.0.1'), 'listening');
    fake.#base = `http://127.0.0.1:${portOf(fake.#http)}`;
    return fake;
  }

  get target(): Target {
    const [base, file] = [this.#base, this.#addressOf('file')];
    const msg = [this.#addressOf('msg1'), this.#addressOf('msg2')];
    return { msg, loginHttp: base, httpMsg: base, fileStore: base, file };
  }

  expectedBody(line: FrameLine): Body {
    return moved(line.body ?? {}, this.#world, this.#timeShift, this.#base, this.#addressOf('file'));
  }

  async play(): Promise<void> {
    for (const line of this.#lines) {
      if (line.kind === 'frame' && line.toServer) await this.#hear(line);
      else if (line.kind === 'frame') this.#send(line.conn, (socket) => socket.write(this.#bytesOf(line)));
      else if (line.kind === 'close' && line.by === 'server') this.#send(line.conn, (socket) => socket.end());
      else if (line.kind === 'close') await this.#until(() => this.#sockets.get(line.conn)?.ended ?? true);
      else if (line.kind === 'http')
        await this.#until(() => this.#asked.length > 0).then(() => this.#asked.shift()?.done());
      if (this.#stopped) return;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
    for (const { socket } of this.#peers) socket.destroy();
    for (const server of this.#servers) server.close();
    this.#http.closeAllConnections();
    this.#http.close();
  }

  #send(conn: string, act: (socket: net.Socket) => void): void {
    const peer = this.#sockets.get(conn);
    if (peer === undefined) return;
    if (this.#world.delayMs === 0) return act(peer.socket);
    peer.sending = peer.sending.then(() => sleep(Math.random() * this.#world.delayMs)).then(() => act(peer.socket));
  }

  #addressOf(name: 'msg1' | 'msg2' | 'file'): Address {
    return this.#addresses.get(name) ?? { host: '', port: 0 };
  }

  /** Which client it is shows with its first bytes: the replay also looks whether somebody answers at all. */
  #accept(at: string, socket: net.Socket): void {
    const peer: Peer = { at, socket, pending: Buffer.alloc(0), ended: false, sending: Promise.resolve() };
    this.#peers.push(peer);
    socket.on('data', (chunk: Buffer) => {
      peer.pending = Buffer.concat([peer.pending, chunk]);
      this.#wake();
    });
    const end = (): void => {
      peer.ended = true;
      socket.end();
      this.#wake();
    };
    socket.on('end', end).on('error', end);
  }

  async #hear(line: FrameLine): Promise<void> {
    const server = this.#lines.find((each) => each.kind === 'open' && each.conn === line.conn);
    const at = server?.kind === 'open' ? server.server : '';
    const taken = new Set(this.#sockets.values());
    const find = (): Peer | undefined =>
      this.#sockets.get(line.conn) ??
      this.#peers.find((each) => each.at === at && !taken.has(each) && each.pending.length > 0);
    const size = (pending: Buffer): number => {
      if (line.body === null || line.cmd === null) return line.bytes.length;
      return pending.length < 4 ? HEADER_SIZE : pending.readUInt32BE(0);
    };
    await this.#until(() => {
      const peer = find();
      return peer !== undefined && (peer.ended || peer.pending.length >= size(peer.pending));
    });
    const peer = find();
    if (peer === undefined) return;
    this.#sockets.set(line.conn, peer);
    const length = size(peer.pending);
    this.heard.push({ line, bytes: peer.pending.subarray(0, length) });
    peer.pending = peer.pending.subarray(length);
  }

  #bytesOf(line: FrameLine): Buffer {
    if (line.cmd === null || line.body === null) return line.bytes;
    return frameBytes(line.command, line.seq, protocol.encode(line.cmd, this.expectedBody(line)), line.service);
  }

  #answer(url: string, response: http.ServerResponse): void {
    const line = this.#lines.find(
      (each): each is HttpLine => each.kind === 'http' && each.request.path === url && !this.#answered.has(each),
    );
    if (line === undefined) return void response.writeHead(404).end();
    this.#answered.add(line);
    const { body, headers, status } = line.response;
    const done = (): void => {
      const { 'content-length': _, ...kept } = headers;
      response.writeHead(status, kept).end('hex' in body ? Buffer.from(body.hex, 'hex') : this.#movedJson(body.text));
    };
    this.#asked.push({ done });
    this.#wake();
  }

  #movedJson(text: string): string {
    const { host, port } = this.#addressOf('msg1');
    const body = moved(JSON.parse(text) as Body, this.#world, 0, this.#base, this.#addressOf('file'));
    if (body.priorIP !== undefined) Object.assign(body, { priorIP: host, backupIP: host, port: String(port) });
    return JSON.stringify(body).replaceAll(RECORDED_STORE, this.#base);
  }

  async #until(met: () => boolean): Promise<void> {
    while (!met() && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** When the recording began, the seed being older. */
function earliestTime(lines: readonly Line[]): number {
  const bodies = lines.map((each) => (each.kind === 'frame' ? JSON.stringify(each.body) : ''));
  const times = bodies.flatMap((each) => [...each.matchAll(/_time":(\d+)/g)].map(([, time]) => Number(time)));
  return Math.min(...times.filter((each) => each > LIVE));
}

interface Peer {
  readonly at: string;
  readonly socket: net.Socket;
  pending: Buffer;
  ended: boolean;
  sending: Promise<void>;
}

function portOf(server: net.Server | http.Server): number {
  return (server.address() as net.AddressInfo).port;
}

type Mutation = (lines: readonly Line[]) => readonly Line[];

interface Played {
  readonly report: Report;
  readonly fake: Fake;
}

/** Replays a scenario while the fake plays what the mutation made of it. */
async function play(
  scenario: Transcript,
  mutate: Mutation = (lines) => lines,
  options: Partial<ReplayOptions> & { readonly world?: World; readonly servers?: 1 | 2 } = {},
): Promise<Played> {
  const { world = sameWorld, servers = 2, ...rest } = options;
  const fake = await Fake.start(mutate(scenario.lines), world, earliestTime(scenario.lines));
  const playing = fake.play();
  const target = { ...fake.target, msg: fake.target.msg.slice(0, servers) };
  const report = await replay(scenario, target, { setup: async () => idsOf(world), clockSlackS: 15, ...rest });
  fake.stop();
  await playing;
  return { report, fake };
}

function idsOf({ userOffset, groupOffset }: World): SeedIds {
  const { departments } = sameIds(seed);
  const users = new Map(seed.users.map(({ id }) => [id, id + userOffset]));
  return { users, departments, groups: new Map(seed.groups.map(({ id }) => [id, id + groupOffset])) };
}

// ------------------------------------------------------------------------------------------- what is wrong

/** A way to spoil a recording. `line` is where the report has to point to. */
interface Spoiler {
  readonly title: string;
  readonly what: RegExp;
  spoil(scenario: Transcript): readonly { readonly line: number; readonly mutate: Mutation }[];
}

const fromServer = (line: Line): line is FrameLine => line.kind === 'frame' && !line.toServer;

/** Each line that the change applies to, on its own. */
function eachFrame(
  scenario: Transcript,
  change: (line: FrameLine) => readonly Line[] | undefined,
): readonly { readonly line: number; readonly mutate: Mutation }[] {
  const lines = scenario.lines.filter(fromServer);
  return lines.flatMap((line) => {
    // The other devices need not hear of the removal of a session that never was.
    if (line.cmd === 'IMRemoveSessionNotify' && line.body?.session_id === 6) return [];
    // Of two equal ones nobody can say which it was.
    if (lines.some((each) => each !== line && each.conn === line.conn && each.bytes.equals(line.bytes))) return [];
    const instead = change(line);
    if (instead === undefined) return [];
    return [{ line: line.line, mutate: (lines) => lines.flatMap((each) => (each === line ? instead : [each])) }];
  });
}

function withBody(line: FrameLine, change: Body): FrameLine {
  return { ...line, body: { ...line.body, ...change } };
}

const pushes = new Set(['IMUserStatNotify', 'IMPCLoginStatusNotify', 'IMKickUser', 'IMSignInfoChangedNotify']);
for (const each of ['IMRemoveSessionNotify', 'IMMsgDataReadNotify', 'IMGroupChangeMemberNotify', 'IMFileNotify'])
  pushes.add(each);

const spoilers: readonly Spoiler[] = [
  {
    title: 'wrong seq',
    what: /came different/,
    spoil: (scenario) => eachFrame(scenario, (line) => [{ ...line, seq: (line.seq + 1) & 0xffff }]),
  },
  {
    title: 'wrong service',
    what: /came different/,
    spoil: (scenario) => eachFrame(scenario, (line) => [{ ...line, service: line.service + 1 }]),
  },
  {
    title: 'missing frame',
    what: /is missing/,
    spoil: (scenario) => eachFrame(scenario, () => []),
  },
  {
    title: 'doubled push',
    what: /came once more/,
    spoil: (scenario) =>
      eachFrame(scenario, (line) =>
        pushes.has(String(line.cmd)) || line.cmd === 'IMMsgData' ? [line, line] : undefined,
      ),
  },
  {
    title: 'wrong msg_id',
    what: /came different/,
    spoil: (scenario) =>
      eachFrame(scenario, (line) => {
        const { msg_id, msg_list } = line.body ?? {};
        if (typeof msg_id === 'number') return [withBody(line, { msg_id: msg_id + 1 })];
        const [first, ...rest] = (msg_list ?? []) as Body[];
        if (first === undefined) return undefined;
        return [withBody(line, { msg_list: [{ ...first, msg_id: Number(first.msg_id) + 1 }, ...rest] })];
      }),
  },
  {
    title: 'history in another order',
    what: /came different/,
    spoil: (scenario) =>
      eachFrame(scenario, (line) => {
        const list = (line.body?.msg_list ?? []) as Body[];
        return list.length < 2 ? undefined : [withBody(line, { msg_list: [...list].reverse() })];
      }),
  },
  {
    title: 'another user',
    what: /came different/,
    spoil: (scenario) =>
      eachFrame(scenario, (line) => {
        const { from_user_id } = line.body ?? {};
        return typeof from_user_id === 'number' ? [withBody(line, { from_user_id: from_user_id + 1 })] : undefined;
      }),
  },
  {
    title: 'a time of yesterday',
    what: /came different/,
    spoil: (scenario) =>
      eachFrame(scenario, (line) => {
        const { server_time, create_time } = line.body ?? {};
        if (typeof server_time === 'number') return [withBody(line, { server_time: server_time - 86_400 })];
        return typeof create_time === 'number' ? [withBody(line, { create_time: create_time - 86_400 })] : undefined;
      }),
  },
  {
    title: 'field 20 on a message of one server',
    what: /came different/,
    spoil: (scenario) =>
      eachFrame(scenario, (line) => {
        if (line.cmd !== 'IMMsgData' || line.body?.attach_data !== undefined) return undefined;
        return [withBody(line, { attach_data: { hex: '000000010000000e00000000' } })];
      }),
  },
  {
    title: 'a frame in a silence',
    what: /silence was expected/,
    spoil: (scenario) =>
      [...silentLines(scenario.lines)].flatMap((line) => {
        if (line.kind !== 'frame') return [];
        const body = { user_id: 1, session_id: 2, msg_id: 1, session_type: 'SESSION_TYPE_SINGLE' };
        const ack: FrameLine = { ...line, toServer: false, cmd: 'IMMsgDataAck', command: 0x0302, service: 3, body };
        return [
          { line: line.line, mutate: (lines) => lines.flatMap((each) => (each === line ? [each, ack] : [each])) },
        ];
      }),
  },
  {
    title: 'chat messages in another order',
    what: /came before/,
    spoil: (scenario) => swaps(scenario, isChat, isChat),
  },
];

function isChat(line: FrameLine): boolean {
  return line.cmd === 'IMMsgData' || !pushes.has(String(line.cmd));
}

/** Neighbours on one connection that a client could see the other way round, as it sent nothing between them. */
function swaps(
  { lines }: Transcript,
  first: (line: FrameLine) => boolean,
  second: (line: FrameLine) => boolean,
): readonly { readonly line: number; readonly mutate: Mutation }[] {
  return lines.flatMap((one, index) => {
    if (!fromServer(one) || !first(one)) return [];
    const end = lines.findIndex((each, at) => at > index && !fromServer(each));
    const other = lines
      .slice(index + 1, end)
      .find((each) => each.kind !== 'note' && each.kind !== 'http' && each.conn === one.conn);
    if (other?.kind !== 'frame' || !second(other)) return [];
    const swap = (each: Line): Line => (each === one ? other : each === other ? one : each);
    return [{ line: other.line, mutate: (all: readonly Line[]) => all.map(swap) }];
  });
}

/** Which places are tried is drawn, so that over time all are; the number brings the same ones back. */
const drawSeed = Number(process.env.TRANSCRIPT_SEED ?? Date.now() % 1_000_000);

/** Of each fault. All that there are, with a large number and some minutes. */
const placesTried = Number(process.env.TRANSCRIPT_PLACES ?? 8);

function drawer(state: number): () => number {
  let a = state;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let x = Math.imul(a ^ (a >>> 15), 1 | a);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

function draw<T>(all: readonly T[], count: number): T[] {
  const left = [...all];
  const random = drawer(drawSeed);
  return Array.from(
    { length: Math.min(count, left.length) },
    () => left.splice(Math.floor(random() * left.length), 1)[0] as T,
  );
}

/** Eight at a time, as a machine that is busy with hundreds would be late for the deadlines. */
async function inTurns<T>(all: readonly T[], act: (each: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const one = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await act(next);
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

/** The faulty replays wait for what never comes; those that are to be equal may take their time. */
const impatient = { deadlineMs: 700, silenceMs: 150 };
const brisk = { silenceMs: 100 };

function scenarioOf(name: ScenarioName): Transcript {
  const found = transcripts.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

// -------------------------------------------------------------------------------------------------- tests

// Most of the time is spent waiting for nothing to happen, so they wait together.
t.jobs = 4;
const together = (): { buffered: true } => ({ buffered: true }); // a new one each, as tap writes on it

t.test('the recordings are all there and say what they use', async (t) => {
  t.same(
    transcripts.map((each) => each.name),
    [...scenarioNames],
  );
  const used = commandsOf(scenarioOf('malformed'));
  t.ok(used.has(0x0305) && used.has(0x0306), 'requests and answers');
  t.notOk(used.has(0x02ff), 'the command that nobody knows is not asked of a server');
  t.ok(commandsOf(scenarioOf('history')).has(0x0301), 'the setup counts');
  t.notOk(requestsOf(scenarioOf('history')).has(0x030a), 'an answer is no request');
  t.same(missingParts(scenarioOf('file-online'), { msg: [{ host: 'a', port: 1 }] }), ['file']);
  t.same(missingParts(scenarioOf('startup-windows'), { msg: [{ host: 'a', port: 1 }], loginHttp: 'http://a' }), [
    'file',
  ]);
  t.same(missingParts(scenarioOf('chat-single'), { msg: [] }), ['msg', 'loginHttp', 'fileStore']);
});

t.test('text is encrypted as by the original library', async (t) => {
  const known = {
    a: '8+lyaGSNdKxdsEEADyYxvw==',
    '0123456789ab': 'pjioVtcJuh77LuSiew7aJw==',
    '0123456789abc': 'TAzR6N1CfvlADH+XckBekQr+GZ43+2mMfQMFqTsGBjY=',
    '你好，TeamTalk': 'kCh1sJcqHYpN+vj969iDKnX/avQ3sKqrBkV4r0JiyLI=',
  };
  for (const [text, data] of Object.entries(known)) {
    t.equal(encryptText(text), data);
    t.equal(decryptText(data), text);
  }
});

t.test('pb/ decodes every recorded body to what the recording says, and back', async (t) => {
  for (const { name, lines } of transcripts) {
    for (const line of lines) {
      // malformed sends bodies that are none, on purpose
      if (line.kind !== 'frame' || line.cmd === null || line.body === null) continue;
      if (name === 'malformed' && line.toServer && line.cmd !== 'IMLoginReq') continue;
      const bytes = line.bytes.subarray(HEADER_SIZE);
      const where = `${name}, line ${line.line}`;
      if (!t.strictSame(protocol.decode(line.cmd, bytes), line.body, where)) return;
      if (!t.strictSame(protocol.encode(line.cmd, line.body), bytes, where)) return;
    }
  }
});

t.test('each recording, played back, is equal to itself and hears the recorded bytes', together(), async (t) => {
  const played = await Promise.all(transcripts.map((each) => play(each)));
  for (const { report, fake } of played) {
    t.equal(report.verdict, 'equal', report.text);
    for (const { line, bytes } of fake.heard) {
      const body = line.body === null ? '' : JSON.stringify(line.body);
      // Times and file addresses are new in every run.
      if (line.line === 36 && report.scenario === 'startup-android') continue;
      if (line.line === 31 && report.scenario === 'chat-single') continue;
      if (!bytes.equals(line.bytes)) t.fail(`${report.scenario}, line ${line.line} was sent differently: ${body}`);
    }
    const requests = scenarioOf(report.scenario).lines.filter((each) => each.kind === 'frame' && each.toServer);
    t.equal(fake.heard.length, requests.length, `${report.scenario} said everything`);
  }
});

t.test('users, groups and tasks may have other ids', together(), async (t) => {
  const played = await Promise.all(transcripts.map((each) => play(each, undefined, { ...brisk, world: otherWorld })));
  for (const { report, fake } of played) {
    t.equal(report.verdict, 'equal', report.text);
    for (const { line, bytes } of fake.heard) {
      if (line.cmd === null || line.body === null || report.scenario === 'malformed') continue;
      // Times of a client are its own.
      const {
        create_time: _one,
        latest_update_time: _other,
        ...sent
      } = protocol.decode(line.cmd, bytes.subarray(HEADER_SIZE));
      const { create_time: _two, latest_update_time: _three, ...expected } = fake.expectedBody(line);
      if (!t.strictSame(sent, expected, `${report.scenario}, line ${line.line}`)) return;
    }
  }
});

t.test('frames may take their time, each connection its own', together(), async (t) => {
  const played = await Promise.all(transcripts.map((each) => play(each, undefined, { world: slowWorld })));
  for (const { report } of played) t.equal(report.verdict, 'equal', report.text);
});

t.test('with one msg server, all goes there', together(), async (t) => {
  const atOne = (each: Line): Line => (each.kind === 'open' ? { ...each, server: 'msg1' } : each);
  const { report } = await play(scenarioOf('two-servers'), (lines) => lines.map(atOne), { ...brisk, servers: 1 });
  t.equal(report.verdict, 'equal', report.text);
});

for (const spoiler of spoilers) {
  t.test(`${spoiler.title} is reported (TRANSCRIPT_SEED=${drawSeed})`, together(), async (t) => {
    const places = transcripts.flatMap((scenario) => spoiler.spoil(scenario).map((each) => ({ scenario, ...each })));
    t.ok(places.length > 0, 'there is something to spoil');
    await inTurns(draw(places, placesTried), async ({ scenario, line, mutate }) => {
      const { report } = await play(scenario, mutate, impatient);
      const found = report.mismatches.some((each) => each.line === line && spoiler.what.test(each.what));
      t.ok(found, `${report.scenario}, line ${line}`, { report: report.text });
    });
  });
}

t.test('a push may float around an unrelated answer', together(), async (t) => {
  const isPush = (line: FrameLine): boolean => pushes.has(String(line.cmd));
  const places = transcripts.flatMap((scenario) =>
    [...swaps(scenario, isPush, isChat), ...swaps(scenario, isChat, isPush)].map((each) => ({ scenario, ...each })),
  );
  t.ok(places.length > 10, `${places.length} places`);
  await inTurns(draw(places, 2 * placesTried), async ({ scenario, mutate }) => {
    const { report } = await play(scenario, mutate, brisk);
    t.equal(report.verdict, 'equal', report.text);
  });
});

t.test('pushes about one thing keep their order', together(), async (t) => {
  const scenario = scenarioOf('multi-device-kick');
  const [online, offline] = [48, 50].map((line) => scenario.lines.find((each) => each.line === line));
  const swap = (each: Line): Line => (each === online ? offline : each === offline ? online : each) as Line;
  const { report } = await play(scenario, (lines) => lines.map(swap), impatient);
  t.match(report.mismatches, [{ line: 50, what: /came before IMPCLoginStatusNotify .* of line 48/ }]);
});

t.test('a connection that stays open, or closes too soon, is reported', together(), async (t) => {
  const scenario = scenarioOf('login-refused');
  const open = await play(
    scenario,
    (lines) => lines.filter((each) => each.kind !== 'close' || each.line !== 5),
    impatient,
  );
  t.match(open.report.mismatches, [{ line: 5, what: /should have closed/ }]);
  const close: CloseLine = { kind: 'close', line: 0, conn: 'alice-android', by: 'server' };
  const early = await play(
    scenarioOf('history'),
    (lines) => lines.flatMap((each) => (each.line === 36 ? [each, close] : [each])),
    impatient,
  );
  t.match(early.report.mismatches, [{ line: 37, what: /the server has closed the connection/ }]);
});

t.test('what is recorded twice may come once, not three times', together(), async (t) => {
  const scenario = scenarioOf('group-rules');
  const once = await play(scenario, (lines) => lines.filter((each) => each.line !== 29 && each.line !== 51), brisk);
  t.equal(once.report.verdict, 'equal', once.report.text);
  t.same(
    once.report.accepted.filter((each) => each.quirk === '6').map((each) => each.line),
    [29, 51],
  );
  const thrice = await play(
    scenario,
    (lines) => lines.flatMap((each) => (each.line === 29 ? [each, each] : [each])),
    impatient,
  );
  t.match(thrice.report.mismatches, [{ what: /IMGroupChangeMemberNotify came once more/ }]);
});

t.test('numbers of a list in one packed field are reported', together(), async (t) => {
  const spoil = (line: Line): Line => {
    if (line.kind !== 'frame' || line.line !== 22) return line;
    // The same answer with user_id_list as 2a 03 01 02 03 instead of 28 01 28 02 28 03.
    const body = Buffer.concat([line.bytes.subarray(HEADER_SIZE, -6), Buffer.from('2a03010203', 'hex')]);
    return { ...line, bytes: frameBytes(line.command, line.seq, body), body: null };
  };
  const { report } = await play(scenarioOf('group-life'), (lines) => lines.map(spoil), impatient);
  t.match(report.mismatches[0], { line: 22, details: [/packed/] });
});

t.test('the HTTP answers are compared', together(), async (t) => {
  const spoil =
    (line: number, from: RegExp, to: string): Mutation =>
    (lines) =>
      lines.map((each) => {
        if (each.kind !== 'http' || each.line !== line || !('text' in each.response.body)) return each;
        const body = { text: each.response.body.text.replace(from, to) };
        return { ...each, response: { ...each.response, body } };
      });
  const number = await play(scenarioOf('chat-single'), spoil(30, /"error_code":0/, '"error_code":1'), impatient);
  t.match(number.report.mismatches[0], { line: 30, details: ['error_code: expected 0, got 1'] });
  const lost = await play(scenarioOf('startup-mac'), spoil(2, /"msfsBackup"[^\n]*\n/, ''), impatient);
  t.match(lost.report.mismatches[0], { line: 2, details: [/^msfsBackup: expected .* got nothing/] });
});

t.test('what the target lacks is named and nothing is played', async (t) => {
  const fake = await Fake.start([], sameWorld, 0);
  const { httpMsg: _, ...target } = fake.target;
  fake.stop();
  const report = await replay(scenarioOf('group-rules'), target, {
    setup: () => Promise.reject(new Error('not asked for')),
  });
  t.match(report, { verdict: 'cannot run', missing: ['httpMsg'] });
});

// --------------------------------------------------------------------------------- a server that does it right

/** The recording as a server without the known defects would have made it. */
function mended({ name, lines }: Transcript): readonly Line[] {
  const open = new Map<string, number>();
  const kicked = new Set<string>();
  return lines.flatMap((line, index): Line[] => {
    if (line.kind === 'close' && kicked.has(line.conn)) return [];
    if (line.kind === 'close') open.delete(line.conn);
    if (!fromServer(line)) return [line];
    if (line.cmd === 'IMLoginRes') open.set(line.conn, Number((line.body?.user_info as Body | undefined)?.user_id));
    const before = lines[index - 1];
    if (before && fromServer(before) && before.conn === line.conn && before.bytes.equals(line.bytes)) return [];
    if (line.body?.session_id === 6)
      return line.cmd === 'IMRemoveSessionNotify' ? [] : [withBody(line, { result_code: 0 })];
    if (name === 'startup-android' && line.line === 33) return [withBody(line, { user_list: [] })];
    const { attach_data: _, ...body } = line.body ?? {};
    const isPush = line.cmd === 'IMMsgData' || line.cmd === 'IMP2PCmdMsg';
    const right: FrameLine = { ...line, body, seq: isPush ? 0 : line.seq };
    if (line.cmd === 'IMKickUser') {
      kicked.add(line.conn);
      return [right, { kind: 'close', line: 0, conn: line.conn, by: 'server' }];
    }
    return line.cmd === 'IMGroupCreateRsp' && body.result_code === 0 ? [right, ...creationTold(line, open)] : [right];
  });
}

/** The others who are in a new group hear of it. */
function creationTold(answer: FrameLine, open: ReadonlyMap<string, number>): FrameLine[] {
  const members = (answer.body?.user_id_list ?? []) as number[];
  const { user_id = 0, group_id = 0 } = answer.body ?? {};
  const lists = { cur_user_id_list: members, chg_user_id_list: members };
  const body = { user_id, change_type: 'GROUP_MODIFY_TYPE_ADD', group_id, ...lists };
  const told = [...open].filter(([conn, user]) => conn !== answer.conn && members.includes(user));
  return told.map(([conn]) => ({ ...answer, conn, cmd: 'IMGroupChangeMemberNotify', command: 0x040b, seq: 0, body }));
}

t.test(
  'a server without the known defects is right, also when the recorded ones are refused',
  together(),
  async (t) => {
    const better = transcripts.map((each) => play(each, () => mended(each), { ...brisk, defects: 'refuse' }));
    const played = await Promise.all(better);
    for (const { report } of played) t.equal(report.verdict, 'equal', report.text);
    const quirks = new Set(played.flatMap(({ report }) => report.accepted.map((each) => each.quirk)));
    t.same([...quirks].sort(), ['6', 'Q11', 'Q14', 'Q18', 'Q41']);
    const lenient = await play(scenarioOf('two-servers'), () => mended(scenarioOf('two-servers')), brisk);
    t.equal(lenient.report.verdict, 'equal', lenient.report.text);
    t.ok(
      lenient.report.accepted.some((each) => each.quirk === 'Q3' && each.line === 16),
      'and Q3 is among what differs',
    );
  },
);

t.test('the recorded defects can be refused', together(), async (t) => {
  const played = await Promise.all(
    transcripts.map((each) => play(each, undefined, { ...impatient, defects: 'refuse' })),
  );
  const different = played.filter(({ report }) => report.verdict === 'different').map(({ report }) => report.scenario);
  t.same(different.sort(), [
    'file-offline',
    'group-life',
    'group-rules',
    'read-sync',
    'settings-p2p',
    'startup-windows',
    'two-servers',
  ]);
});

t.test('a notice of creation comes once, to members, with the members', together(), async (t) => {
  const scenario = scenarioOf('group-life');
  const created = scenario.lines.find((each) => each.line === 22) as FrameLine;
  const spoiled = async (conn: string, members: number[], count = 1): Promise<Report> => {
    const answer = withBody(created, { user_id_list: members });
    const told = creationTold(answer, new Map([[conn, members[0] ?? 0]]));
    const all = Array.from({ length: count }, () => told).flat();
    const insert: Mutation = (lines) => lines.flatMap((each) => (each === created ? [each, ...all] : [each]));
    return (await play(scenario, insert, impatient)).report;
  };
  t.equal((await spoiled('bob-android', [1, 2, 3])).verdict, 'equal');
  t.match((await spoiled('bob-android', [1, 2, 3], 2)).mismatches, [{ what: /not in the recording/ }]);
  t.match((await spoiled('dave-mac', [1, 2, 3])).mismatches, [{ what: /not in the recording/ }]);
  t.match((await spoiled('bob-android', [1, 2])).mismatches, [{ what: /not in the recording/ }]);
});

// ---------------------------------------------------------------------------------------- states before scenarios

/** Just enough of a server to talk to: it keeps what was said and read, in the ids of another world. */
class Chat {
  readonly said: {
    readonly from: number;
    readonly to: number;
    readonly type: string;
    readonly text: string;
    readonly at: number;
  }[] = [];
  readonly read: string[] = [];
  loaded = 0;
  online = 0;
  readonly server = net.createServer((socket) => this.#serve(socket));

  #serve(socket: net.Socket): void {
    let pending = Buffer.alloc(0);
    let user = 0;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= HEADER_SIZE && pending.length >= pending.readUInt32BE(0)) {
        const frame = pending.subarray(0, pending.readUInt32BE(0));
        pending = pending.subarray(frame.length);
        const cmd = protocol.nameOf(frame.readUInt16BE(10)) ?? '';
        const ask = protocol.decode(cmd, frame.subarray(HEADER_SIZE));
        if (cmd === 'IMLoginReq')
          user = otherWorld.userOffset + (seed.users.find((each) => each.name === ask.user_name)?.id ?? 0);
        const answer = this.#answer(cmd, ask, user);
        if (answer === undefined) continue;
        const [name, body] = answer;
        socket.write(frameBytes(protocol.idOf(name), frame.readUInt16BE(12), protocol.encode(name, body)));
        if (name === 'IMLogoutRsp') socket.end();
      }
    });
  }

  #answer(cmd: string, ask: Body, user: number): [string, Body] | undefined {
    switch (cmd) {
      case 'IMLoginReq': {
        this.online += 1;
        const texts = {
          user_nick_name: '',
          avatar_url: '',
          email: '',
          user_real_name: '',
          user_tel: '',
          user_domain: '',
        };
        const info = { user_id: user, user_gender: 1, department_id: 1, status: 0, ...texts };
        return ['IMLoginRes', { server_time: 1, result_code: 'REFUSE_REASON_NONE', user_info: info }];
      }
      case 'IMMsgData': {
        const [to, type] = [Number(ask.to_session_id), String(ask.msg_type)];
        const text = decryptText(String((ask.msg_data as Body).utf8)) ?? '';
        this.said.push({ from: user, to, type, text, at: Math.floor(Date.now() / 1000) });
        const isSame = (each: { type: string; from: number; to: number }): boolean =>
          each.type === type && (type.includes('GROUP') || [each.from, each.to].includes(user));
        const session_type = type.includes('GROUP') ? 'SESSION_TYPE_GROUP' : 'SESSION_TYPE_SINGLE';
        return [
          'IMMsgDataAck',
          { user_id: user, session_id: to, msg_id: this.said.filter(isSame).length, session_type },
        ];
      }
      case 'IMMsgDataReadAck':
        this.read.push(`${user} read ${ask.session_id} up to ${ask.msg_id} of ${this.said.length}`);
        return undefined;
      case 'IMUnreadMsgCntReq':
        return ['IMUnreadMsgCntRsp', { user_id: user, total_cnt: this.read.length > 0 ? 0 : 3, unreadinfo_list: [] }];
      case 'IMRecentContactSessionReq': {
        const rest = {
          session_status: 'SESSION_STATUS_OK',
          updated_time: 1,
          latest_msg_id: 1,
          latest_msg_data: { utf8: '' },
        };
        const entry = (session_id: number, session_type: string): Body => ({
          ...{ session_id, session_type, ...rest, latest_msg_type: 'MSG_TYPE_SINGLE_TEXT', latest_msg_from_user_id: 1 },
        });
        const list = [entry(5001, 'SESSION_TYPE_GROUP'), entry(102, 'SESSION_TYPE_SINGLE')];
        return ['IMRecentContactSessionRsp', { user_id: user, contact_session_list: list }];
      }
      case 'IMLogoutReq':
        this.online -= 1;
        return ['IMLogoutRsp', { result_code: 0 }];
    }
    throw new Error(`a setup sent ${cmd}`);
  }
}

/** The history that a recording shows, oldest first: who wrote what. */
function recordedTexts(name: ScenarioName, line: number): string[] {
  const answer = scenarioOf(name).lines.find((each) => each.line === line) as FrameLine;
  const list = [...((answer.body?.msg_list ?? []) as Body[])].reverse();
  return list.map((each) => `${each.from_session_id}: ${decryptText(String((each.msg_data as Body).utf8))}`);
}

t.test('setups bring about what their scenarios start from', together(), async (t) => {
  const run = async (name: ScenarioName): Promise<Chat> => {
    const chat = new Chat();
    await once(chat.server.listen(0, '127.0.0.1'), 'listening');
    const world = {
      load: async () => {
        chat.loaded += 1;
        return idsOf(otherWorld);
      },
      forgetFailedLogins: async (userName: string) => void chat.read.push(userName),
    };
    const ids = await setupWith(world)(scenarioOf(name), { msg: [{ host: '127.0.0.1', port: portOf(chat.server) }] });
    t.same(ids, idsOf(otherWorld));
    t.equal(chat.loaded, 1);
    t.equal(chat.online, 0, 'everybody has left');
    chat.server.close();
    return chat;
  };
  const texts = (chat: Chat): string[] => chat.said.map((each) => `${each.from - otherWorld.userOffset}: ${each.text}`);

  const [start, history, locked] = await Promise.all([run('startup-ios'), run('history'), run('login-refused')]);
  t.same(texts(start).slice(0, 5), recordedTexts('startup-ios', 21));
  t.same(texts(start).slice(5), recordedTexts('startup-windows', 26));
  t.same(start.read, ['101 read 102 up to 3 of 3'], 'the fifth is unread');
  t.ok((start.said[5]?.at ?? 0) > (start.said[4]?.at ?? 0), 'the group is a second newer');
  t.equal(start.said[5]?.to, 5001);
  const pages = [recordedTexts('history', 14), recordedTexts('history', 10), recordedTexts('history', 6)].flat();
  t.same(texts(history), pages);
  t.same(locked.read, ['heidi']);
});
