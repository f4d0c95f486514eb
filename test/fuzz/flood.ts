import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../../common/client/client.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { buddy, login } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { md5Hex } from '../support/cluster.js';
import type { Teardown } from '../support/postgres.js';
import { startProcesses } from '../support/processes.js';

/**
 * Floods against a msg server of its own process while two people chat: what it takes in memory, second by second, and
 * what becomes of their messages.
 */
export interface FloodReport {
  /** Resident MiB of the msg server, each about a second. */
  readonly curve: readonly { readonly flood: string; readonly mib: number }[];
  readonly opened: Readonly<Record<string, number>>;
  readonly messages: number;
  readonly slowestMs: number;
}

export interface FloodOptions {
  /** How long each flood lasts. */
  readonly ms: number;
  /** Connections that each flood holds at once. */
  readonly connections: number;
  hear?(line: string): void;
}

const SAMPLE_MS = 1_000;
const PAUSE_MS = 5;
const AT_ONCE = 50;

/** What a connection of each flood says and does; undefined: nothing at all, ever. */
const FLOODS: Readonly<Record<string, (socket: Socket) => void>> = {
  'half-open': () => undefined,
  'begun TLS': (socket) => socket.write(Buffer.from('160301', 'hex')),
  'begun WebSocket': (socket) => drip(socket, 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '),
  'begun frames': (socket) => drip(socket, '\0\0\x3f\xff\0\x01\0\0'),
  'slow readers': (socket) => {
    socket.pause();
    for (let i = 0; i < 200; i++) socket.write(everybody);
  },
};

/** Logs in, and asks for everything without ever reading an answer. */
const everybody = Buffer.concat([
  encodeFrame(login.enter, 1, {
    userName: 'TT003',
    password: md5Hex('test123'),
    onlineStatus: IM.BaseDefine.UserStatType.USER_STATUS_ONLINE,
    clientType: IM.BaseDefine.ClientType.CLIENT_TYPE_WINDOWS,
  }),
  encodeFrame(buddy.allUsers, 2, { userId: 0, latestUpdateTime: 0 }),
]);

/** The beginning, and then a byte now and then. */
function drip(socket: Socket, beginning: string): void {
  socket.write(Buffer.from(beginning, 'latin1'));
  const timer = setInterval(() => socket.write('x'), 500);
  socket.once('close', () => clearInterval(timer));
}

export async function flood(t: Teardown, { ms, connections, hear }: FloodOptions): Promise<FloodReport> {
  const cluster = await startProcesses(t, { args: ['--json', '--tls', '--demo-users', '50'] });
  const [host = '', port] = cluster.info.msg[0]!.split(':');
  const pid = cluster.info.pids['msg-1']!;
  const place = { host, port: Number(port), password: 'test123' };
  const alice = await Client.login({ ...place, user: 'TT001' });
  const bob = await Client.login({ ...place, user: 'TT002' });
  const curve: { flood: string; mib: number }[] = [];
  const opened: Record<string, number> = {};
  let [messages, slowestMs, isOver] = [0, 0, false];
  const chat = async () => {
    while (!isOver) {
      const startedMs = performance.now();
      const text = `message ${messages++}`;
      await Promise.all([
        alice.say(bob.userId, text, { timeoutMs: 20_000 }),
        bob.heard((it) => it.text === text, 20_000),
      ]);
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      await delay(20);
    }
  };
  const chatting = chat();
  const sample = (name: string) => {
    curve.push({ flood: name, mib: rssMib(pid) });
    hear?.(`${name.padEnd(16)} ${String(curve.at(-1)!.mib).padStart(5)} MiB`);
  };
  sample('before');
  for (const [name, speak] of Object.entries(FLOODS)) {
    opened[name] = 0;
    const sockets = new Set<Socket>();
    const deadline = performance.now() + ms;
    let sampledMs = 0;
    while (performance.now() < deadline) {
      for (let i = 0; i < AT_ONCE && sockets.size < connections; i++) {
        const socket = connect(place.port, place.host, () => speak(socket));
        sockets.add(socket);
        opened[name]!++;
        socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
        if (name !== 'slow readers') socket.resume();
      }
      if (performance.now() - sampledMs > SAMPLE_MS) {
        sampledMs = performance.now();
        sample(name);
      }
      await delay(PAUSE_MS);
    }
    for (const socket of sockets) socket.destroy();
  }
  sample('after');
  isOver = true;
  await chatting;
  for (const client of [alice, bob]) client.close();
  return { curve, opened, messages, slowestMs: Math.round(slowestMs) };
}

function rssMib(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kib) / 1024);
}
