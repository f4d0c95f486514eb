import { once } from 'node:events';
import { connect } from 'node:net';
import sharp from 'sharp';
import { WebSocket } from 'ws';
import { SCOPES } from '../../common/api-key.js';
import type { Client } from '../../common/client/client.js';
import { message } from '../../common/pdu/commands.js';
import { frameOf } from '../../common/pdu/header.js';
import { Random } from '../faults/random.js';
import { TestCluster } from '../support/cluster.js';
import { addAdmin, Browser } from '../support/console.js';
import { type Teardown, testPostgres } from '../support/postgres.js';
import { samples } from '../support/samples.js';
import { mutated, mutatedJson, noise, oddText } from './mutate.js';

/**
 * Nonsense of every kind against a cluster in this process, all from one seed, while two people chat. What is
 * wrong: an answer that says it was a fault of ours, a server that is not there any more, a message that does not arrive.
 */
export interface FuzzReport {
  /** What was sent, by target. */
  readonly sent: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
  readonly messages: number;
  /** The slowest message of the two. */
  readonly slowestMs: number;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly ms: number;
  hear?(line: string): void;
}

type Target = (random: Random) => Promise<void>;

/** Messages between two words about how far it is. */
const REPORT_EVERY = 500;
const FENCE_EVERY = 20;
const FAULTS_MAX = 20;

export async function fuzz(t: Teardown, { seed, ms, hear }: FuzzOptions): Promise<FuzzReport> {
  const cluster = await TestCluster.start(t, await testPostgres(t), {
    file: {},
    httpMsg: { requestsPerMinute: 1_000_000 },
    console: {},
    groups: [{ name: 'all', memberIds: [1, 2, 3, 4] }],
  });
  const faults: string[] = [];
  const fault = (what: string) => {
    if (faults.push(what) <= FAULTS_MAX) hear?.(`fault: ${what}`);
  };
  const targets: Record<string, Target> = {
    frames: frames(cluster),
    commands: commands(cluster, fault),
    webSocket: webSocket(cluster),
    http: await http(cluster, fault),
    console: await consoleRoutes(cluster, fault),
    pictures: await pictures(cluster, fault),
  };
  const sent = Object.fromEntries(Object.keys(targets).map((name) => [name, 0]));
  const people = await Chatting.begin(cluster);
  const deadline = performance.now() + ms;
  const goesOn = () => performance.now() < deadline && faults.length < FAULTS_MAX;
  const aim = async ([name, target]: [string, Target], i: number) => {
    // Each has random numbers of its own: what one of them does is the same whatever the others take for it.
    for (const random = new Random(seed + i); goesOn(); sent[name]!++) await target(random);
  };
  const chat = async () => {
    while (goesOn()) {
      await people.say().catch((error: Error) => fault(error.message));
      if (people.messages % REPORT_EVERY === 0) hear?.(JSON.stringify(sent));
    }
  };
  await Promise.all([...Object.entries(targets).map(aim), chat()]);
  return { sent, faults, messages: people.messages, slowestMs: Math.round(people.slowestMs) };
}

/** Two who should notice nothing. */
class Chatting {
  messages = 0;
  slowestMs = 0;
  readonly #alice: Client;
  readonly #bob: Client;

  private constructor(alice: Client, bob: Client) {
    this.#alice = alice;
    this.#bob = bob;
  }

  static async begin(cluster: TestCluster): Promise<Chatting> {
    return new Chatting(await cluster.login('alice'), await cluster.login('bob'));
  }

  async say(): Promise<void> {
    const startedMs = performance.now();
    const text = `message ${this.messages}`;
    await this.#alice.say(this.#bob.userId, text, { timeoutMs: 20_000 });
    await this.#bob.heard((it) => it.text === text, 20_000);
    this.messages++;
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startedMs);
  }
}

/** Streams that are almost right, from strangers, to all ports for frames. */
function frames(cluster: TestCluster): Target {
  const ports = [cluster.msg[0]!.port, cluster.loginTcpPort, cluster.file!.running.ports.clients!];
  return async (random) => {
    const stream = Array.from({ length: random.below(4) + 1 }, () => {
      const [command, body] = random.of(samples);
      return frameOf(command.id, random.below(0x10000), random.below(2) === 0 ? body : mutated(random, body));
    });
    const socket = connect(random.of(ports), '127.0.0.1').resume();
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(mutated(random, Buffer.concat(stream)));
    socket.end();
    // Some leave at once, some wait to be sent away.
    if (random.below(2) === 0) socket.destroy();
    else setTimeout(() => socket.destroy(), 200);
  };
}

/** Bodies that are almost right, from somebody who is logged in. */
function commands(cluster: TestCluster, fault: (what: string) => void): Target {
  let dave: Client | undefined;
  return async (random) => {
    if (dave === undefined || dave.isClosed) {
      dave = await cluster.login('dave', { capabilities: ['ack2', 'dir1', 'err1', 'file1', 'sync1', 'token1'] });
      dave.on('frame', (frame) => {
        if (frame.command !== message.error.id) return;
        const { code, commandId } = message.error.codec.decode(frame.body);
        if (code === 'INTERNAL') fault(`command 0x${commandId.toString(16)}: ${code}`);
      });
    }
    const [command, body] = random.of(samples);
    dave.sendFrame(frameOf(command.id, random.below(0x10000), mutated(random, body)));
    if (random.below(FENCE_EVERY) === 0) await dave.time().catch(() => undefined); // it may have logged itself out
  };
}

/** WebSockets that are almost right. */
function webSocket(cluster: TestCluster): Target {
  const { port } = cluster.msg[0]!;
  const upgrade =
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  return async (random) => {
    if (random.below(2) === 0) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
      socket.on('error', () => undefined);
      await once(socket, 'open');
      const [command, body] = random.of(samples);
      for (let i = 0; i < 3; i++)
        socket.send(mutated(random, frameOf(command.id, 1, body)), { fin: random.below(3) > 0 });
      socket.terminate();
      return;
    }
    const socket = connect(port, '127.0.0.1').resume();
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const frame = Buffer.concat([Buffer.of(0x80 | random.below(128), 0x80 | random.below(128)), noise(random, 140)]);
    const begin = Buffer.from(upgrade);
    socket.write(random.below(3) === 0 ? mutated(random, begin) : begin);
    socket.end(mutated(random, frame));
    setTimeout(() => socket.destroy(), 200);
  };
}

interface Described {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

const EXAMPLE = {
  from: 1,
  to: { user: 2 },
  content: { type: 'text', text: 'hello' },
  name: 'somebody',
  nick: 'Some Body',
  department: 0,
  members: [1, 2],
  url: 'https://example.com/',
  active: true,
  user: 1,
  files: ['f/00000000000000000000000000000000'],
};
const STATUSES_OF_OURS = new Set([500, 502]);

/** Bodies, cursors, filters and pages of the HTTP interface. */
async function http(cluster: TestCluster, fault: (what: string) => void): Promise<Target> {
  const { url } = cluster.httpMsg[0]!;
  const authorization = `Bearer ${await cluster.apiKey(SCOPES)}`;
  const { paths } = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Described>>;
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, it]) => ({ method: method.toUpperCase(), path, it })),
  );
  return async (random) => {
    const { method, path, it } = random.of(operations);
    const place = path.replaceAll(/\{\w+\}/g, () =>
      encodeURIComponent(random.below(2) === 0 ? '3' : oddText(random) || '0'),
    );
    const query = new URLSearchParams();
    for (const { name, in: where } of it.parameters ?? [])
      if (where === 'query' && random.below(3) > 0) query.set(name, random.below(4) === 0 ? '1' : oddText(random));
    const isBare = method === 'GET' || method === 'DELETE';
    const body = isBare ? undefined : mutated1(random, JSON.stringify(mutatedJson(random, EXAMPLE)));
    const headers = { authorization, ...(isBare ? {} : { 'content-type': 'application/json' }) };
    const init = { method, headers, ...(body === undefined ? {} : { body }), signal: AbortSignal.timeout(20_000) };
    const response = await fetch(`${url}${place}?${query}`, init);
    await response.arrayBuffer();
    if (STATUSES_OF_OURS.has(response.status)) fault(`${method} ${place}?${query} ${body}: ${response.status}`);
  };
}

/** JSON as it is, or with its bytes hurt. */
function mutated1(random: Random, text: string): string {
  return random.below(4) === 0 ? mutated(random, Buffer.from(text)).toString('latin1') : text;
}

/** What pages of the console send, from an owner, with everything wrong about it. */
async function consoleRoutes(cluster: TestCluster, fault: (what: string) => void): Promise<Target> {
  await addAdmin(cluster.storage, 'fuzzer', 'owner');
  const owner = await Browser.loggedIn(cluster, 'fuzzer');
  const queries = ['search', 'after', 'limit', 'department', 'status', 'byName', 'beforeId', 'subject', 'action', 'id'];
  const places = [
    'GET /api/users',
    'GET /api/groups',
    'GET /api/audit',
    'GET /api/trace',
    'GET /api/users/1',
    'POST /api/users',
    'PATCH /api/users/3',
    'POST /api/departments',
    'POST /api/groups',
    'PUT /api/settings',
    'POST /api/keys',
  ];
  return async (random) => {
    const [method, path] = random.of(places).split(' ') as [string, string];
    const query = new URLSearchParams();
    for (const name of queries) if (random.below(3) === 0) query.set(name, oddText(random));
    const example = { ...EXAMPLE, version: 1, fields: { name: 'x', nick: 'y' }, scopes: ['users:read'], value: [] };
    const body = method === 'GET' ? undefined : JSON.stringify(mutatedJson(random, example));
    const { status } = await owner.ask(method, `${path}?${query}`, body);
    if (STATUSES_OF_OURS.has(status)) fault(`console ${method} ${path}?${query} ${body}: ${status}`);
  };
}

/** Pictures that are almost right, and small ones made of them. */
async function pictures(cluster: TestCluster, fault: (what: string) => void): Promise<Target> {
  const plain = sharp({ create: { width: 40, height: 30, channels: 3, background: '#cc3366' } });
  const seeds = await Promise.all(
    [plain.clone().png(), plain.clone().jpeg(), plain.clone().webp(), plain.clone().gif()].map((it) => it.toBuffer()),
  );
  return async (random) => {
    const form = new FormData();
    form.append('image', new Blob([new Uint8Array(mutated(random, random.of(seeds)))]), `${oddText(random)}.png`);
    const response = await fetch(cluster.file!.storeUrl, { method: 'POST', body: form });
    const { error_code: code, url } = (await response.json()) as { error_code: number; url: string };
    if (code >= 3) fault(`an uploaded picture: ${code}`);
    if (code !== 0) return;
    const small = await fetch(`${url}_20x20.jpg`, { signal: AbortSignal.timeout(20_000) });
    await small.arrayBuffer();
    if (STATUSES_OF_OURS.has(small.status)) fault(`a small picture: ${small.status}`);
  };
}
