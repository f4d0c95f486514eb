/**
 * Replays what the original servers were recorded saying (test/transcripts) against servers of ours.
 *
 * From top to bottom: the recordings; the protocol, read from pb/ at run time so that no generated code and no code
 * of the servers has a say in what is right; a raw connection; the ids and times that differ between a recording and
 * a replay; the comparison; the table of answers that may differ; the replay; what must be true before a scenario.
 *
 * A test goes over `await readTranscripts()`, leaves out what its servers cannot do yet (`commandsOf`, `missingParts`)
 * and calls `replay(scenario, target, { setup: setupWith(world) })` for the rest. `report.text` says what differed.
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import protobuf from 'protobufjs';

// ---------------------------------------------------------------------------------------------- recordings

export const scenarioNames = [
  'startup-windows',
  'startup-mac',
  'startup-ios',
  'startup-android',
  'login-refused',
  'chat-single',
  'chat-voice',
  'offline-fetch',
  'read-sync',
  'history',
  'group-life',
  'group-rules',
  'multi-device-kick',
  'remove-session',
  'presence-signature',
  'settings-p2p',
  'file-online',
  'file-offline',
  'malformed',
  'two-servers',
] as const;
export type ScenarioName = (typeof scenarioNames)[number];

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Body = { [key: string]: Json };

/** `line` is the number of the line in the file, the header being line 1. */
export interface FrameLine {
  readonly kind: 'frame';
  readonly line: number;
  readonly toServer: boolean;
  readonly conn: string;
  /** The whole PDU, or a piece of one, or several. */
  readonly bytes: Buffer;
  /** Null for a piece of a PDU and for a command that nobody knows. */
  readonly cmd: string | null;
  readonly command: number;
  readonly service: number;
  readonly seq: number;
  /** Null when the bytes are no valid message. */
  readonly body: Body | null;
}
export interface OpenLine {
  readonly kind: 'open';
  readonly line: number;
  readonly conn: string;
  readonly server: 'msg1' | 'msg2' | 'file';
}
export interface CloseLine {
  readonly kind: 'close';
  readonly line: number;
  readonly conn: string;
  readonly by: 'client' | 'server';
}
export interface HttpLine {
  readonly kind: 'http';
  readonly line: number;
  readonly conn: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: HttpBody;
  };
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: HttpBody;
  };
}
export type HttpBody = { readonly text: string } | { readonly hex: string };
export interface NoteLine {
  readonly kind: 'note';
  readonly line: number;
  readonly note: string;
}
export type Line = FrameLine | OpenLine | CloseLine | HttpLine | NoteLine;

export interface Transcript {
  readonly name: ScenarioName;
  readonly file: string;
  readonly title: string;
  readonly setup: string;
  readonly lines: readonly Line[];
}

export interface Seed {
  readonly password: string;
  readonly users: readonly {
    readonly id: number;
    readonly name: string;
    readonly nick: string;
    readonly domain: string;
    readonly sex: number;
    readonly department: number;
    readonly phone: string;
    readonly email: string;
    readonly avatar: string;
    readonly sign_info: string;
    readonly status: number;
    readonly push_shield_status: number;
    readonly created: number;
    readonly updated: number;
  }[];
  readonly departments: readonly {
    readonly id: number;
    readonly name: string;
    readonly priority: number;
    readonly parent: number;
    readonly status: number;
    readonly updated: number;
  }[];
  readonly groups: readonly {
    readonly id: number;
    readonly name: string;
    readonly avatar: string;
    readonly creator: number;
    readonly type: 'fixed' | 'temporary';
    readonly version: number;
    readonly members: readonly number[];
    readonly joined: number;
  }[];
}

/** The key that the recorded calls of the HTTP interface carry; SeedWorld.load makes it valid. */
export const APP_KEY = 'asdfasdf';

/** All scenarios, in the order of their files. */
export async function readTranscripts(): Promise<Transcript[]> {
  const dir = transcriptDir();
  const files = (await readdir(dir)).filter((name) => name.endsWith('.jsonl')).sort();
  return Promise.all(files.map(async (file) => parseTranscript(file, await readFile(path.join(dir, file), 'utf8'))));
}

export async function readSeed(): Promise<Seed> {
  return JSON.parse(await readFile(path.join(transcriptDir(), 'seed.json'), 'utf8')) as Seed;
}

export function parseTranscript(file: string, text: string): Transcript {
  const [first = '', ...rest] = text.trimEnd().split('\n');
  const header = JSON.parse(first) as { scenario: string; title: string; setup: string };
  const name = scenarioNames.find((each) => each === header.scenario);
  if (name === undefined) throw new Error(`${file}: no scenario has the name ${header.scenario}`);
  const lines = rest.map((each, index) => parseLine(`${file}:${index + 2}`, index + 2, JSON.parse(each) as RawLine));
  return { name, file, title: header.title, setup: header.setup, lines };
}

interface RawLine {
  readonly dir?: string;
  readonly conn?: string;
  readonly hex?: string;
  readonly cmd?: string | null;
  readonly id?: string;
  readonly service?: number;
  readonly seq?: number;
  readonly body?: Body | null;
  readonly event?: 'open' | 'close';
  readonly server?: OpenLine['server'];
  readonly by?: CloseLine['by'];
  readonly http?: Omit<HttpLine, 'kind' | 'line'>;
  readonly note?: string;
}

function parseLine(where: string, line: number, raw: RawLine): Line {
  const { conn } = raw;
  if (raw.note !== undefined) return { kind: 'note', line, note: raw.note };
  if (raw.http !== undefined) return { ...raw.http, kind: 'http', line };
  if (conn === undefined) throw new Error(`${where}: a line of no known kind`);
  if (raw.server !== undefined) return { kind: 'open', line, conn, server: raw.server };
  if (raw.by !== undefined) return { kind: 'close', line, conn, by: raw.by };
  if (raw.hex === undefined || (raw.dir !== 'c>s' && raw.dir !== 's>c')) throw new Error(`${where}: no frame`);
  return {
    kind: 'frame',
    line,
    toServer: raw.dir === 'c>s',
    conn,
    bytes: Buffer.from(raw.hex, 'hex'),
    cmd: raw.cmd ?? null,
    command: Number(raw.id ?? 0),
    service: raw.service ?? 0,
    seq: raw.seq ?? 0,
    body: raw.body ?? null,
  };
}

/** Every command id that a scenario and its setup use, in either direction, except the one that nobody knows. */
export function commandsOf(scenario: Transcript): Set<number> {
  const { asks, answers } = setups[scenario.name];
  return new Set([...namedFrames(scenario).map((each) => each.command), ...asks, ...answers]);
}

/** The command ids that the clients of a scenario and of its setup send. */
export function requestsOf(scenario: Transcript): Set<number> {
  const sent = namedFrames(scenario).filter((each) => each.toServer);
  return new Set([...sent.map((each) => each.command), ...setups[scenario.name].asks]);
}

function namedFrames(scenario: Transcript): FrameLine[] {
  return scenario.lines.filter((each) => each.kind === 'frame').filter((each) => each.cmd !== null);
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where the servers are. Of the file server and the file store the scenarios use the address that they are told. */
export interface Target {
  /** The second one is msg2 of the recordings; with one server all goes there. */
  readonly msg: readonly Address[];
  /** Base URLs, as in http://127.0.0.1:8080 */
  readonly loginHttp?: string;
  readonly httpMsg?: string;
  readonly fileStore?: string;
  readonly file?: Address;
}
export type Part = keyof Target;

/** What a scenario needs and the target lacks. */
export function missingParts(scenario: Transcript, target: Target): Part[] {
  const needed = new Set<Part>(['msg']);
  for (const each of scenario.lines) {
    if (each.kind === 'http') needed.add(partFor(each.request.path));
    if (each.kind === 'open' && each.server === 'file') needed.add('file');
    // Its address is asked for.
    if (each.kind === 'frame' && each.body?.ip_addr_list !== undefined) needed.add('file');
  }
  return [...needed].filter((part) => target[part] === undefined || (part === 'msg' && target.msg.length === 0));
}

function partFor(requestPath: string): 'loginHttp' | 'httpMsg' | 'fileStore' {
  if (requestPath.startsWith('/msg_server')) return 'loginHttp';
  return requestPath.startsWith('/query/') ? 'httpMsg' : 'fileStore';
}

function transcriptDir(): string {
  return path.join(projectRoot(), 'test', 'transcripts');
}

/** Recordings and .proto files stay where they are when tests run from dist, so they are looked for from the root. */
function projectRoot(): string {
  for (let dir = import.meta.dirname; ; dir = path.dirname(dir)) {
    if (existsSync(path.join(dir, 'package.json')) && existsSync(path.join(dir, 'pb'))) return dir;
    if (dir === path.dirname(dir)) throw new Error('no project around this file');
  }
}

// ------------------------------------------------------------------------------------------------ protocol

export const HEADER_SIZE = 16;
/** No PDU of a scenario comes near; a length beyond it means that the stream is out of step. */
const FRAME_SIZE_MAX = 1 << 20;

/** Bodies to the JSON of the recordings and back, by the .proto files. */
export class Protocol {
  readonly #types: ReadonlyMap<string, protobuf.Type>;
  readonly #names = new Map<number, string>();
  readonly #ids = new Map<string, number>();

  private constructor(types: ReadonlyMap<string, protobuf.Type>, transcripts: readonly Transcript[]) {
    this.#types = types;
    // The .proto files do not join ids to messages, the recordings do; a command that is not in them is not compared.
    for (const { cmd, command } of transcripts.flatMap(namedFrames)) {
      if (cmd === null) continue;
      this.#names.set(command, cmd);
      this.#ids.set(cmd, command);
    }
  }

  static async load(): Promise<Protocol> {
    const dir = path.join(projectRoot(), 'pb');
    const root = new protobuf.Root();
    root.resolvePath = (_origin, target) =>
      target.startsWith('google/') ? target : path.join(dir, path.basename(target));
    const files = (await readdir(dir)).filter((name) => name.endsWith('.proto'));
    await root.load(files, { keepCase: true });
    root.resolveAll();
    return new Protocol(new Map(messageTypes(root).map((type) => [type.name, type])), await readTranscripts());
  }

  nameOf(command: number): string | undefined {
    return this.#names.get(command);
  }
  idOf(name: string): number {
    const id = this.#ids.get(name);
    if (id === undefined) throw new Error(`no recording has a ${name}`);
    return id;
  }
  encode(name: string, body: Body): Buffer {
    const type = this.#type(name);
    return Buffer.from(type.encode(toMessage(type, body)).finish());
  }
  /** Fails on a missing required field. */
  decode(name: string, bytes: Uint8Array): Body {
    const type = this.#type(name);
    return toBody(type, type.decode(bytes) as unknown as Record<string, unknown>);
  }
  /** How many bytes the fields take in the one form that all clients read: numbers of a list each with a tag. */
  sizeOf(name: string, bytes: Uint8Array): number {
    const type = this.#type(name);
    return type.encode(type.decode(bytes)).finish().length;
  }
  #type(name: string): protobuf.Type {
    const type = this.#types.get(name);
    if (type === undefined) throw new Error(`pb/ has no ${name}`);
    return type;
  }
}

let loading: Promise<Protocol> | undefined;
/** Read once; nothing changes it. */
export function theProtocol(): Promise<Protocol> {
  loading ??= Protocol.load();
  return loading;
}

function messageTypes(space: protobuf.NamespaceBase): protobuf.Type[] {
  return space.nestedArray.flatMap((each) => {
    const inner = each instanceof protobuf.Namespace ? messageTypes(each) : [];
    return each instanceof protobuf.Type ? [each, ...inner] : inner;
  });
}

/** Fields from here on are additions to the recorded protocol, so an empty list of one is an absent one. */
const FIRST_ADDED_FIELD = 100;

function toBody(type: protobuf.Type, message: Record<string, unknown>): Body {
  const body: Body = {};
  for (const field of type.fieldsArray) {
    const value = Object.hasOwn(message, field.name) ? message[field.name] : undefined;
    if (field.repeated) {
      const list = ((value ?? []) as unknown[]).map((each) => toJson(field, each));
      if (list.length > 0 || field.id < FIRST_ADDED_FIELD) body[field.name] = list;
    } else if (value !== undefined && value !== null) {
      body[field.name] = toJson(field, value);
    }
  }
  return body;
}

function toJson(field: protobuf.Field, value: unknown): Json {
  if (field.resolvedType instanceof protobuf.Enum) return field.resolvedType.valuesById[Number(value)] ?? Number(value);
  if (field.resolvedType instanceof protobuf.Type) return toBody(field.resolvedType, value as Record<string, unknown>);
  if (value instanceof Uint8Array) return bytesToJson(value);
  return typeof value === 'string' || typeof value === 'boolean' ? value : Number(value);
}

function toMessage(type: protobuf.Type, body: Body): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body)) {
    const field = type.fields[key];
    if (field === undefined) throw new Error(`${type.name} has no field ${key}`);
    message[key] = Array.isArray(value) ? value.map((each) => fromJson(field, each)) : fromJson(field, value);
  }
  return message;
}

function fromJson(field: protobuf.Field, value: Json): unknown {
  if (field.resolvedType instanceof protobuf.Enum) return field.resolvedType.values[String(value)] ?? value;
  if (field.resolvedType instanceof protobuf.Type) return toMessage(field.resolvedType, value as Body);
  return field.type === 'bytes' ? jsonToBytes(value as Body) : value;
}

function bytesToJson(value: Uint8Array): Body {
  const bytes = Buffer.from(value);
  const printable = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  return printable ? { utf8: bytes.toString('latin1') } : { hex: bytes.toString('hex') };
}

function jsonToBytes(value: Body): Buffer {
  return typeof value.utf8 === 'string' ? Buffer.from(value.utf8) : Buffer.from(String(value.hex), 'hex');
}

export function frameBytes(command: number, seq: number, body: Uint8Array, service = command >>> 8): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32BE(HEADER_SIZE + body.length, 0);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(service, 8);
  header.writeUInt16BE(command, 10);
  header.writeUInt16BE(seq, 12);
  return Buffer.concat([header, body]);
}

/** The one key that is built into every client. */
const TEXT_KEY = Buffer.from('12345678901234567890123456789012');

/** Text as clients put it on the wire: zeros, the length in the last four bytes, AES-256-ECB, base64. */
export function encryptText(text: string): string {
  const plain = Buffer.from(text);
  const padded = Buffer.alloc(16 * Math.ceil((plain.length + 4) / 16));
  plain.copy(padded);
  padded.writeUInt32BE(plain.length, padded.length - 4);
  const cipher = createCipheriv('aes-256-ecb', TEXT_KEY, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
}

/** Undefined when it is no such text: voice for example travels as it is. */
export function decryptText(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.length % 16 !== 0) return undefined;
  const cipher = createDecipheriv('aes-256-ecb', TEXT_KEY, null).setAutoPadding(false);
  const padded = Buffer.concat([cipher.update(bytes), cipher.final()]);
  const size = padded.readUInt32BE(padded.length - 4);
  return size <= padded.length - 4 ? padded.subarray(0, size).toString() : undefined;
}

// ------------------------------------------------------------------------------------------ raw connection

/** Wakes whoever waits for something to happen on any of several connections. */
class Bell {
  #waiting: (() => void)[] = [];

  ring(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
  async until(met: () => boolean, deadlineMs: number): Promise<boolean> {
    const end = performance.now() + deadlineMs;
    while (!met()) {
      const left = end - performance.now();
      if (left <= 0) return false;
      await this.wait(left);
    }
    return true;
  }
}

export interface WireFrame {
  readonly bytes: Buffer;
  readonly service: number;
  readonly command: number;
  readonly seq: number;
  readonly body: Buffer;
}

/** One TCP connection that takes what the server says apart into frames, and nothing else. */
export class Wire {
  /** The server will say nothing more. */
  ended = false;
  /** We will say nothing more. */
  finished = false;
  readonly #socket: net.Socket;
  #pending = Buffer.alloc(0);

  private constructor(socket: net.Socket, onFrame: (frame: WireFrame) => void, onEnd: () => void) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#pending = Buffer.concat([this.#pending, chunk]);
      for (let frame = this.#take(); frame !== undefined; frame = this.#take()) onFrame(frame);
    });
    const end = (): void => {
      if (this.ended) return;
      this.ended = true;
      onEnd();
    };
    // A reset instead of an end: the server is gone all the same.
    socket.on('error', end).on('end', end).on('close', end);
  }

  static async connect(address: Address, onFrame: (frame: WireFrame) => void, onEnd: () => void): Promise<Wire> {
    const socket = net.connect({ ...address, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Wire(socket, onFrame, onEnd);
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }
  /** Half closed, so that what was under way still arrives. */
  finish(): void {
    this.finished = true;
    this.#socket.end();
  }
  destroy(): void {
    this.finished = true;
    this.#socket.destroy();
  }

  #take(): WireFrame | undefined {
    if (this.#pending.length < HEADER_SIZE) return undefined;
    const length = this.#pending.readUInt32BE(0);
    if (length < HEADER_SIZE || length > FRAME_SIZE_MAX) {
      // Handed on whole: it is compared with a frame and shows up in the report.
      return this.#cut(this.#pending.length);
    }
    return this.#pending.length < length ? undefined : this.#cut(length);
  }
  #cut(length: number): WireFrame {
    const bytes = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    return {
      bytes,
      service: bytes.readUInt16BE(8),
      command: bytes.readUInt16BE(10),
      seq: bytes.readUInt16BE(12),
      body: bytes.subarray(HEADER_SIZE),
    };
  }
}

// --------------------------------------------------------------------------- what differs from run to run

type NameKind = 'user' | 'group' | 'department' | 'task' | 'file path' | 'file url' | 'session time';
type Name = number | string;

/**
 * Pairs of a recorded id and the id it has in this run. The first pair seen holds from then on, in both directions:
 * one recorded user is one user here, and two are two.
 */
export class Names {
  readonly #forth = new Map<string, Name>();
  readonly #back = new Map<string, Name>();

  copy(): Names {
    const copy = new Names();
    for (const [key, value] of this.#forth) copy.#forth.set(key, value);
    for (const [key, value] of this.#back) copy.#back.set(key, value);
    return copy;
  }
  here(kind: NameKind, recorded: Name): Name | undefined {
    return recorded === 0 || recorded === '' ? recorded : this.#forth.get(`${kind} ${recorded}`);
  }
  /** False when one of the two is already half of another pair. 0 and the empty text stand for nothing, everywhere. */
  bind(kind: NameKind, recorded: Name, here: Name): boolean {
    const forth = this.here(kind, recorded);
    if (forth !== undefined) return forth === here;
    if (here === 0 || here === '' || this.#back.has(`${kind} ${here}`)) return false;
    this.#forth.set(`${kind} ${recorded}`, here);
    this.#back.set(`${kind} ${here}`, recorded);
    return true;
  }
  /** For times, where two recorded ones may fall together: the latest that was seen for a recorded one. */
  stamp(recorded: number, here: number): void {
    const key = `session time ${recorded}`;
    this.#forth.set(key, Math.max(here, Number(this.#forth.get(key) ?? 0)));
  }
  /** Addresses of files change inside texts, so all of them are needed. */
  fileUrls(): (readonly [recorded: string, here: string])[] {
    const prefix = 'file url ';
    const pairs = [...this.#forth].filter(([key]) => key.startsWith(prefix));
    return pairs.map(([key, here]) => [key.slice(prefix.length), String(here)]);
  }
}

type Role = NameKind | 'time' | 'addresses' | 'host' | 'port' | 'url' | 'folder' | 'value';

const roles: Readonly<Record<string, Role>> = {
  user_id: 'user',
  req_user_id: 'user',
  from_user_id: 'user',
  to_user_id: 'user',
  changed_user_id: 'user',
  latest_msg_from_user_id: 'user',
  // In MsgInfo: who wrote it, in groups too.
  from_session_id: 'user',
  group_creator_id: 'user',
  user_id_list: 'user',
  member_id_list: 'user',
  group_member_list: 'user',
  cur_user_id_list: 'user',
  chg_user_id_list: 'user',
  group_id: 'group',
  dept_id: 'department',
  parent_dept_id: 'department',
  department_id: 'department',
  task_id: 'task',
  server_time: 'time',
  create_time: 'time',
  updated_time: 'time',
  latest_update_time: 'time',
  ip_addr_list: 'addresses',
  // HTTP answers
  path: 'file path',
  url: 'file url',
  priorIP: 'host',
  backupIP: 'host',
  port: 'port',
  msfsPrior: 'folder',
  msfsBackup: 'folder',
  discovery: 'url',
};

/** What a field holds. session_id names a user or a group, which its neighbour tells. */
function roleOf(key: string, neighbours: Body): Role {
  const kindOfSession = { session_id: neighbours.session_type, to_session_id: neighbours.msg_type };
  if (key !== 'session_id' && key !== 'to_session_id') return roles[key] ?? 'value';
  const kind = String(kindOfSession[key]);
  if (kind.includes('_GROUP')) return 'group';
  return kind.includes('_SINGLE') ? 'user' : 'value';
}

/** Lists that have no order on the wire. History, sessions and presence have one. */
const unordered = new Set([
  'user_list',
  'user_info_list',
  'group_version_list',
  'group_info_list',
  'unreadinfo_list',
  'user_id_list',
  'member_id_list',
  'group_member_list',
  'cur_user_id_list',
  'chg_user_id_list',
]);

/** A recorded request as it has to be said here: its ids, times and file addresses put into those of this run. */
export function renamed(body: Body, names: Names, isLive: (time: number) => boolean): Body {
  const one = (key: string, value: Json, neighbours: Body): Json => {
    if (Array.isArray(value)) return value.map((each) => one(key, each, neighbours));
    if (isBytes(value)) return withFileUrls(value, names);
    if (typeof value === 'object' && value !== null) return renamed(value, names, isLive);
    const role = roleOf(key, neighbours);
    if (role === 'time')
      return key === 'latest_update_time' && isLive(Number(value)) ? sessionTime(value, names) : value;
    return isNameKind(role) ? nameHere(names, role, value as Name) : value;
  };
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [key, one(key, value, body)]));
}

/** What has no pair yet (a user that nobody has, say) is said as recorded, and must be answered as that. */
function nameHere(names: Names, kind: NameKind, recorded: Name): Name {
  names.bind(kind, recorded, names.here(kind, recorded) ?? recorded);
  return names.here(kind, recorded) ?? recorded;
}

/** A time that a client asks from is one that it was told: the newest of its sessions. */
function sessionTime(recorded: Json, names: Names): Json {
  return names.here('session time', Number(recorded)) ?? recorded;
}

function isNameKind(role: Role): role is NameKind {
  return ['user', 'group', 'department', 'task', 'file path', 'file url'].includes(role);
}

function isBytes(value: Json): value is Body {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length === 1 && (keys[0] === 'utf8' || keys[0] === 'hex');
}

/** Image texts carry the address that the file store gave out. */
function withFileUrls(data: Body, names: Names): Body {
  const urls = names.fileUrls();
  const plain = typeof data.utf8 === 'string' && urls.length > 0 ? decryptText(data.utf8) : undefined;
  if (plain === undefined) return data;
  const here = urls.reduce((text, [recorded, url]) => text.replaceAll(recorded, url), plain);
  return here === plain ? data : { utf8: encryptText(here) };
}

// ---------------------------------------------------------------------------------------------- comparison

export interface ValueDifference {
  readonly field: string;
  readonly expected: Json | undefined;
  readonly got: Json | undefined;
  /** The objects that hold the field. */
  readonly around: { readonly expected: Body; readonly got: Body };
}

/** When things of this run may have happened, in Unix seconds, and from when on a recorded time is one of the run. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
  isLive(recorded: number): boolean;
}

interface Comparison {
  /** Grows with the pairs seen on the way; the caller keeps it when it likes the outcome. */
  names: Names;
  readonly window: TimeWindow;
  readonly differences: ValueDifference[];
  readonly times: { readonly at: Place; readonly recorded: number; readonly here: number }[];
}

/** A field on the way through two bodies. */
interface Place {
  readonly field: string;
  readonly key: string;
  readonly role: Role;
  readonly around: ValueDifference['around'];
}

/** Compares decoded bodies (or JSON of the HTTP interfaces). */
export function compareBodies(
  expected: Body,
  got: Body,
  names: Names,
  window: TimeWindow,
): { readonly names: Names; readonly differences: ValueDifference[] } {
  const run = startComparison(names, window);
  compareObjects(run, '', expected, got);
  compareTimeOrder(run);
  return run;
}

function startComparison(names: Names, window: TimeWindow): Comparison {
  return { names: names.copy(), window, differences: [], times: [] };
}

function compareObjects(run: Comparison, prefix: string, expected: Body, got: Body): void {
  for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
    const field = prefix === '' ? key : `${prefix}.${key}`;
    const place: Place = { field, key, role: roleOf(key, expected), around: { expected, got } };
    const [left, right] = [expected[key], got[key]];
    if (left === undefined || right === undefined) differ(run, place, left, right);
    else compareValues(run, place, left, right);
  }
}

function compareValues(run: Comparison, at: Place, expected: Json, got: Json): void {
  if (at.role === 'addresses') {
    if (!areUsableAddresses(got)) differ(run, at, expected, got);
  } else if (Array.isArray(expected) && Array.isArray(got)) {
    if (expected.length !== got.length) differ(run, at, expected, got);
    else if (unordered.has(at.key)) compareSets(run, at, expected, got);
    else for (const [index, each] of expected.entries()) compareValues(run, item(at, index), each, got[index] as Json);
  } else if (isBytes(expected)) {
    const here = withFileUrls(expected, run.names);
    if (!isDeepStrictEqual(here, got)) differ(run, at, readable(here), isBytes(got) ? readable(got) : got);
  } else if (isObject(expected) && isObject(got)) {
    compareObjects(run, at.field, expected, got);
  } else if (!fits(run, at, expected, got)) {
    differ(run, at, expected, got);
  }
}

function fits(run: Comparison, at: Place, expected: Json, got: Json): boolean {
  if (typeof expected !== typeof got) return false;
  if (isNameKind(at.role)) return run.names.bind(at.role, expected as Name, got as Name);
  if (at.role === 'time') return isTimely(run, at, Number(expected), Number(got));
  if (at.role === 'host') return got !== '';
  if (at.role === 'port') return isPort(got);
  if (at.role === 'url') return URL.canParse(String(got));
  // The Windows client glues file paths to it.
  if (at.role === 'folder') return URL.canParse(String(got)) && String(got).endsWith('/');
  return expected === got;
}

function isTimely(run: Comparison, at: Place, recorded: number, here: number): boolean {
  // Times of the seed are data like any other.
  if (!run.window.isLive(recorded)) return recorded === here;
  run.times.push({ at, recorded, here });
  if (at.key === 'updated_time') run.names.stamp(recorded, here);
  return here >= run.window.from && here <= run.window.to;
}

/** Within one body, what the recording has later is not earlier here. Which second things fall into is chance. */
function compareTimeOrder(run: Comparison): void {
  for (const { at, recorded, here } of run.times) {
    const after = (other: Comparison['times'][number]): boolean =>
      other.at.key === at.key && other.recorded < recorded && other.here > here;
    const wrong = run.times.find(after);
    if (wrong !== undefined) differ(run, at, `not before ${wrong.at.field}, which is ${wrong.here}`, here);
  }
}

/** The lists are of one length. */
function compareSets(run: Comparison, at: Place, expected: Json[], got: Json[]): void {
  const left = [...got];
  const unmatched: Json[] = [];
  for (const each of expected) {
    const found = left.findIndex((other) => agrees(run, at, each, other));
    if (found < 0) unmatched.push(each);
    else left.splice(found, 1);
  }
  for (const [index, each] of unmatched.entries()) {
    const nearest = nearestOf(run, at, each, left);
    compareValues(run, item(at, index), each, left.splice(nearest, 1)[0] as Json);
  }
}

/** Tries one pair; what it taught is kept only when it fits. */
function agrees(run: Comparison, at: Place, expected: Json, got: Json): boolean {
  const attempt = startComparison(run.names, run.window);
  compareValues(attempt, at, expected, got);
  if (attempt.differences.length > 0) return false;
  run.names = attempt.names;
  run.times.push(...attempt.times);
  return true;
}

function nearestOf(run: Comparison, at: Place, expected: Json, candidates: readonly Json[]): number {
  const distances = candidates.map((each) => {
    const attempt = startComparison(run.names, run.window);
    compareValues(attempt, at, expected, each);
    return attempt.differences.length;
  });
  return distances.indexOf(Math.min(...distances));
}

function item(at: Place, index: number): Place {
  return { ...at, field: `${at.field}[${index}]` };
}

function differ(run: Comparison, at: Place, expected: Json | undefined, got: Json | undefined): void {
  run.differences.push({ field: at.field, expected, got, around: at.around });
}

function isObject(value: Json): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function areUsableAddresses(value: Json): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((each) => toAddress(each) !== undefined);
}

function toAddress(value: Json | undefined): Address | undefined {
  if (value === undefined || !isObject(value) || typeof value.ip !== 'string' || !isPort(value.port)) return undefined;
  return ['', '0.0.0.0', '::'].includes(value.ip) ? undefined : { host: value.ip, port: Number(value.port) };
}

function isPort(value: Json | undefined): boolean {
  const port = Number(value);
  return Number.isInteger(port) && port > 0 && port < 65536;
}

function readable(data: Body): Json {
  const plain = typeof data.utf8 === 'string' ? decryptText(data.utf8) : undefined;
  return plain === undefined ? data : { ...data, plain };
}

// -------------------------------------------------------------------------------- what may differ, and why

/** What the replay knows when it judges a difference. Ids are those of this run. */
export interface Facts {
  readonly scenario: ScenarioName;
  readonly conn: string;
  /** Who is logged in on the connection. */
  readonly userId: number | undefined;
  /** IMKickUser came on the connection before. */
  readonly kicked: boolean;
  /** The client has closed, this was under way. */
  readonly finished: boolean;
  /** The same as the last one of its kind on the connection. */
  readonly repeated: boolean;
  /** A refusal or cancellation of a file transfer came on the connection. */
  readonly transferEnded: boolean;
  /** Members of the groups that were created during the scenario, by group id. */
  readonly created: ReadonlyMap<number, ReadonlySet<number>>;
  /** Creations that the connection was already told of. */
  readonly toldOf: ReadonlySet<number>;
  /** `<user> <group>` of those who asked not to be disturbed. */
  readonly shields: ReadonlySet<string>;
  /** Last writer between two users, by `<smaller id> <larger id>`, as far as the scenario itself wrote. */
  readonly lastWriter: ReadonlyMap<string, number>;
}

/** `Qn` as in the list of known defects; a plain number is a section of the description of the behaviour. */
interface Reason {
  readonly quirk: string;
  readonly right: string;
  /** Absent: anywhere. */
  readonly scenarios?: readonly ScenarioName[];
  readonly commands?: readonly string[];
}
/** Another value than the recorded one, in a field of a frame that came. */
interface OtherValue extends Reason {
  readonly kind: 'value';
  /** When the recorded value is wrong by the protocol: the frame as it is right. A strict replay wants this one. */
  readonly mended?: (recorded: FrameLine) => FrameLine;
  accepts(difference: ValueDifference, facts: Facts): boolean;
}
/** A frame that the recording does not have. */
interface Extra extends Reason {
  readonly kind: 'extra';
  accepts(got: { readonly cmd: string; readonly body: Body }, facts: Facts): boolean;
}
/** A recorded frame that need not come. `before` is the one recorded before it on the same connection. */
interface Absent extends Reason {
  readonly kind: 'absent';
  accepts(recorded: FrameLine, before: FrameLine | undefined): boolean;
}
/** The server closed where in the recording the client did, later. */
interface Closed extends Reason {
  readonly kind: 'closed';
  accepts(facts: Facts): boolean;
}
export type Difference = OtherValue | Extra | Absent | Closed;

const PRESENCE = ['IMUserStatNotify', 'IMPCLoginStatusNotify'];

/** All that may differ. Layout of JSON and bytes that decode alike are not here: they are not compared. */
export const differences: readonly Difference[] = [
  {
    kind: 'value',
    quirk: 'Q3',
    right: 'attach_data belongs to the servers and is never sent to a client',
    mended: ({ body, ...rest }) => ({ ...rest, body: body === null ? null : without(body, 'attach_data') }),
    accepts: ({ field, got }) => field === 'attach_data' && got === undefined,
  },
  {
    kind: 'value',
    quirk: 'Q3',
    right: 'a push carries seq 0, also when it came over from another server or is a P2P command',
    scenarios: ['settings-p2p', 'two-servers'],
    commands: ['IMMsgData', 'IMP2PCmdMsg'],
    mended: (recorded) => ({ ...recorded, seq: 0 }),
    accepts: ({ field, got }) => field === 'seq' && got === 0,
  },
  {
    kind: 'value',
    quirk: 'Q39',
    right: 'latest_msg_from_user_id is who wrote last, not always the peer',
    commands: ['IMRecentContactSessionRsp', 'IMUnreadMsgCntRsp'],
    accepts: ({ field, got, around }, facts) =>
      field.endsWith('.latest_msg_from_user_id') &&
      around.got.session_type === 'SESSION_TYPE_SINGLE' &&
      got === facts.lastWriter.get(pairOf(Number(facts.userId), Number(around.got.session_id))),
  },
  {
    kind: 'value',
    quirk: 'Q18',
    right: "shield_status is the asker's own setting, not always 0",
    commands: ['IMGroupInfoListRsp'],
    accepts: ({ field, got, around }, facts) =>
      field.endsWith('.shield_status') && got === (facts.shields.has(`${facts.userId} ${around.got.group_id}`) ? 1 : 0),
  },
  {
    kind: 'value',
    quirk: 'Q14',
    right: 'users changed after the asked time, not at it: a list with an unchanged time is ignored by clients anyway',
    scenarios: ['startup-android'],
    commands: ['IMAllUserRsp'],
    // The recorded answer to the full request has all eight; the one user of the incremental one is the newest.
    accepts: ({ field, expected, got }) =>
      field === 'user_list' && isDeepStrictEqual(got, []) && (expected as Json[]).length === 1,
  },
  {
    kind: 'value',
    quirk: 'Q41',
    right: 'removing a session that never was may be answered with 0',
    scenarios: ['remove-session'],
    commands: ['IMRemoveSessionRsp'],
    accepts: ({ field, expected, got }) => field === 'result_code' && expected === 1 && got === 0,
  },
  {
    kind: 'absent',
    quirk: 'Q41',
    right: 'a session that never was need not be reported to the other devices',
    scenarios: ['remove-session'],
    commands: ['IMRemoveSessionNotify'],
    accepts: (recorded) => recorded.body?.session_id === 6,
  },
  {
    kind: 'absent',
    quirk: '6',
    right: 'an added user, being in both lists, is told once',
    commands: ['IMGroupChangeMemberNotify'],
    accepts: (recorded, before) => before?.cmd === recorded.cmd && isDeepStrictEqual(recorded.body, before?.body),
  },
  {
    kind: 'extra',
    quirk: 'Q18',
    right: 'the members of a new group are told of it, once per connection',
    scenarios: ['group-life', 'group-rules', 'two-servers'],
    commands: ['IMGroupChangeMemberNotify'],
    accepts: ({ body }, facts) => {
      const members = facts.created.get(Number(body.group_id));
      if (members === undefined || facts.toldOf.has(Number(body.group_id))) return false;
      const [current, changed] = [body.cur_user_id_list as number[], body.chg_user_id_list as number[]];
      return (
        body.change_type === 'GROUP_MODIFY_TYPE_ADD' &&
        members.has(Number(facts.userId)) &&
        isDeepStrictEqual(new Set(current), members) &&
        changed.length > 0 &&
        changed.every((each) => members.has(each))
      );
    },
  },
  {
    kind: 'extra',
    quirk: 'Q11',
    right: 'a kicked client that has not gone yet may still hear of the presence that drove it out',
    commands: PRESENCE,
    accepts: (_got, facts) => facts.kicked,
  },
  {
    kind: 'extra',
    quirk: '2',
    right: 'presence that was under way when the client closed is lost; the recorder did not see it either',
    commands: PRESENCE,
    accepts: (_got, facts) => facts.finished && !facts.repeated,
  },
  {
    kind: 'closed',
    quirk: 'Q11',
    right: 'a kicked connection is closed after about a second',
    accepts: (facts) => facts.kicked,
  },
  {
    kind: 'closed',
    quirk: '8.3',
    right: 'both ends of a refused or cancelled transfer are closed',
    scenarios: ['file-online'],
    accepts: (facts) => facts.transferEnded,
  },
  {
    kind: 'value',
    quirk: '10.1',
    right: 'JSON of the HTTP interface under its own type',
    commands: ['POST /query/CreateGroup', 'POST /query/ChangeMembers'],
    accepts: ({ field, got }) => field === 'content-type' && got === 'application/json',
  },
];

function without(body: Body, key: string): Body {
  const { [key]: _left, ...rest } = body;
  return rest;
}

function pairOf(one: number, other: number): string {
  return `${Math.min(one, other)} ${Math.max(one, other)}`;
}

function applies(row: Reason, scenario: ScenarioName, command: string): boolean {
  return (row.scenarios?.includes(scenario) ?? true) && (row.commands?.includes(command) ?? true);
}

// -------------------------------------------------------------------------------------------------- replay

export interface Mismatch {
  /** Of the recording; 1 when there is none to blame. */
  readonly line: number;
  readonly conn: string;
  readonly what: string;
  readonly details: readonly string[];
}

/** A difference that the table allows. */
export interface Acceptance {
  readonly line: number;
  readonly conn: string;
  readonly quirk: string;
  readonly right: string;
}

export interface Report {
  readonly scenario: ScenarioName;
  readonly verdict: 'equal' | 'different' | 'cannot run';
  readonly mismatches: readonly Mismatch[];
  readonly accepted: readonly Acceptance[];
  /** What the target lacks. */
  readonly missing: readonly Part[];
  /** All of it for a person to read. */
  readonly text: string;
}

/** Recorded id to id here, for all that the seed names. */
export interface SeedIds {
  readonly users: ReadonlyMap<number, number>;
  readonly departments: ReadonlyMap<number, number>;
  readonly groups: ReadonlyMap<number, number>;
}

export interface ReplayOptions {
  /** Brings about the state that the scenario starts from: `setupWith(world)`. */
  readonly setup: (scenario: Transcript, target: Target) => Promise<SeedIds>;
  readonly fetch?: typeof globalThis.fetch;
  /** How long the replay waits for a frame that must come. */
  readonly deadlineMs?: number;
  readonly silenceMs?: number;
  /** How far the clocks of the servers and the steps of their times may be off. */
  readonly clockSlackS?: number;
  /** Whether the recorded defects that cannot be told from the right answer by a mere "may" are still good enough. */
  readonly defects?: 'accept' | 'refuse';
}

export async function replay(scenario: Transcript, target: Target, options: ReplayOptions): Promise<Report> {
  const missing = missingParts(scenario, target);
  if (missing.length > 0) return reportOf(scenario, [], [], missing);
  const slackS = options.clockSlackS ?? 5;
  const from = Date.now() / 1000 - slackS;
  const seedTime = newestTime(await readSeed());
  const window: TimeWindow = {
    from,
    get to() {
      return Date.now() / 1000 + slackS;
    },
    isLive: (recorded) => recorded > seedTime,
  };
  const matcher = new Matcher(scenario, await theProtocol(), window, options.defects ?? 'accept');
  try {
    matcher.learn(await options.setup(scenario, target));
  } catch (error) {
    matcher.mismatch(1, 'setup', `the state before could not be brought about: ${String(error)}`);
    return reportOf(scenario, matcher.mismatches, [], []);
  }
  await new Player(scenario, target, options, matcher).play();
  return reportOf(scenario, matcher.mismatches, matcher.accepted, []);
}

function newestTime(seed: Seed): number {
  const times = [...seed.users.map((each) => each.updated), ...seed.groups.map((each) => each.joined)];
  return Math.max(...times, ...seed.departments.map((each) => each.updated));
}

function reportOf(
  scenario: Transcript,
  mismatches: readonly Mismatch[],
  accepted: readonly Acceptance[],
  missing: readonly Part[],
): Report {
  const verdict = missing.length > 0 ? 'cannot run' : mismatches.length > 0 ? 'different' : 'equal';
  const sorted = [...mismatches].sort((one, other) => one.line - other.line);
  const text = [
    `${scenario.name} (${scenario.file}): ${verdict}${missing.length > 0 ? `, there is no ${missing.join(', ')}` : ''}`,
    ...sorted.flatMap(({ line, conn, what, details }) => [
      `  line ${line}, ${conn}: ${what}`,
      ...details.map((each) => `    ${each}`),
    ]),
    ...accepted.map(({ line, conn, quirk, right }) => `  line ${line}, ${conn}: differs and may (${quirk}: ${right})`),
  ];
  return { scenario: scenario.name, verdict, mismatches: sorted, accepted, missing, text: text.join('\n') };
}

/** Pushes may come before or after an unrelated answer. Those about one and the same thing keep their order. */
const subjects: Readonly<Record<string, (body: Body) => Json | undefined>> = {
  IMUserStatNotify: (body) => (body.user_stat as Body).user_id,
  IMPCLoginStatusNotify: (body) => body.user_id,
  IMKickUser: (body) => body.user_id,
  IMSignInfoChangedNotify: (body) => body.changed_user_id,
  IMRemoveSessionNotify: (body) => `${body.session_type} ${body.session_id}`,
  IMMsgDataReadNotify: (body) => `${body.session_type} ${body.session_id}`,
  IMGroupChangeMemberNotify: (body) => body.group_id,
  IMFileNotify: (body) => body.task_id,
  IMP2PCmdMsg: (body) => body.from_user_id,
};

/** Frames of one stream come in the recorded order. Answers and chat messages of a connection are one stream. */
function streamOf({ conn, cmd, body }: FrameLine): string {
  const subject = subjects[String(cmd)]?.(body ?? {});
  return subject === undefined ? conn : `${conn} ${cmd} ${subject}`;
}

interface Received {
  readonly conn: string;
  readonly cmd: string;
  readonly frame: WireFrame;
  readonly body: Body;
  readonly fault: string | undefined;
  /** Counts the frames of all connections. */
  readonly index: number;
  readonly atMs: number;
  readonly afterLine: number;
  readonly afterFinish: boolean;
}

interface Expected {
  readonly line: FrameLine;
  readonly optional: Reason | undefined;
}

interface Judgement {
  readonly names: Names;
  readonly wrong: readonly ValueDifference[];
  readonly reasons: readonly Reason[];
}

/** Holds what came against what was recorded. Knows no socket and waits for nothing. */
class Matcher {
  readonly mismatches: Mismatch[] = [];
  readonly accepted: Acceptance[] = [];
  /** As a server told it last. */
  fileAddress: Address | undefined;
  names = new Names();

  readonly #scenario: Transcript;
  readonly #protocol: Protocol;
  readonly #window: TimeWindow;
  readonly #strict: boolean;
  #expected: Expected[] = [];
  readonly #received: Received[] = [];
  readonly #settled = new Set<Received>();
  readonly #claims: { readonly line: FrameLine; readonly got: Received }[] = [];
  readonly #lastExpected = new Map<string, FrameLine>();

  readonly #users = new Map<string, number>();
  readonly #created = new Map<number, ReadonlySet<number>>();
  readonly #toldOf = new Map<string, Set<number>>();
  readonly #shields = new Set<string>();
  readonly #shieldAsked = new Map<string, Body>();
  readonly #lastWriter = new Map<string, number>();

  constructor(scenario: Transcript, protocol: Protocol, window: TimeWindow, defects: 'accept' | 'refuse') {
    this.#scenario = scenario;
    this.#protocol = protocol;
    this.#window = window;
    this.#strict = defects === 'refuse';
  }

  learn({ users, departments, groups }: SeedIds): void {
    for (const [recorded, id] of users) this.names.bind('user', recorded, id);
    for (const [recorded, id] of departments) this.names.bind('department', recorded, id);
    for (const [recorded, id] of groups) this.names.bind('group', recorded, id);
  }

  mismatch(line: number, conn: string, what: string, details: readonly string[] = []): void {
    this.mismatches.push({ line, conn, what, details });
  }

  /** From now on this frame may come. */
  expect(line: FrameLine): void {
    const before = this.#lastExpected.get(line.conn);
    this.#lastExpected.set(line.conn, line);
    const optional = this.#rows('absent', String(line.cmd)).find((row) => row.accepts(line, before));
    this.#expected.push({ line, optional });
  }

  receive(conn: string, frame: WireFrame, afterLine: number, afterFinish: boolean): void {
    const cmd = this.#protocol.nameOf(frame.command) ?? `command ${hex(frame.command)}`;
    const { body, fault } = this.#decoded(cmd, frame);
    const index = this.#received.length;
    this.#received.push({ conn, cmd, frame, body, fault, index, atMs: performance.now(), afterLine, afterFinish });
  }

  /** A request leaves: the bytes to send, its ids being those of this run. */
  outgoing(line: FrameLine): Buffer {
    if (line.cmd === null || line.body === null) return line.bytes;
    const body = renamed(line.body, this.names, this.#window.isLive);
    if (line.cmd === 'IMGroupShieldReq') this.#shieldAsked.set(line.conn, body);
    // Untouched bytes keep what a body does not show: fields that are missing, fields that nobody knows.
    if (isDeepStrictEqual(body, line.body)) return line.bytes;
    if (this.#protocol.sizeOf(line.cmd, line.bytes.subarray(HEADER_SIZE)) < line.bytes.length - HEADER_SIZE)
      return line.bytes;
    const bytes = Buffer.concat([line.bytes.subarray(0, HEADER_SIZE), this.#protocol.encode(line.cmd, body)]);
    bytes.writeUInt32BE(bytes.length, 0);
    return bytes;
  }

  /** Frames that must come and have not. */
  open(): FrameLine[] {
    return this.#expected.filter((each) => each.optional === undefined).map((each) => each.line);
  }

  /** Gives every expected frame that came equal to its line. */
  match(): void {
    for (let found = true; found; ) {
      found = false;
      for (const { line } of [...this.#expected]) {
        const judged = this.#candidates(line).map((got) => ({ got, judgement: this.#judge(line, got) }));
        const equal = judged.find(({ judgement }) => judgement.wrong.length === 0);
        if (equal === undefined) continue;
        this.#claim(line, equal.got, equal.judgement);
        found = true;
      }
    }
  }

  /** When the answer that seems to belong to a line came, though it is not equal. */
  rivalMs(line: FrameLine): number | undefined {
    return subjects[String(line.cmd)] === undefined ? this.#candidates(line)[0]?.atMs : undefined;
  }

  /** Its time is over: the nearest that came is its wrong answer, or it is missing. True when it is missing. */
  giveUp(line: FrameLine, why: string): boolean {
    this.#excuseExtras();
    const nearest = this.#candidates(line)[0];
    if (nearest !== undefined) {
      const judgement = this.#judge(line, nearest);
      this.mismatch(line.line, line.conn, `${titleOf(line)} came different`, judgement.wrong.map(showDifference));
      this.#claim(line, nearest, judgement);
      return false;
    }
    const instead = this.#unsettled().filter((each) => each.conn === line.conn);
    this.mismatch(line.line, line.conn, `${titleOf(line)} is missing, ${why}`, [
      `expected: ${JSON.stringify(line.body)}`,
      ...instead.map((each) => `came instead: ${show(each)}`),
    ]);
    this.#expected = this.#expected.filter((each) => each.line !== line);
    return true;
  }

  get count(): number {
    return this.#received.length;
  }

  /** What came from `count` on and is not accounted for breaks the silence. */
  demandSilence(count: number, line: number): void {
    this.#excuseExtras();
    for (const got of this.#unsettled().filter((each) => each.index >= count)) {
      this.#settled.add(got);
      this.#reportExtra(got, line, 'silence was expected');
    }
  }

  /** At the end: what nobody expected, and what came in another order. */
  finish(): void {
    this.#excuseExtras();
    for (const got of this.#unsettled()) this.#reportExtra(got, got.afterLine, `${got.cmd} is not in the recording`);
    for (const { line, optional } of this.#expected) {
      if (optional !== undefined) this.#accept(line.line, line.conn, optional);
    }
    this.#checkOrder();
  }

  closedEarly(conn: string, line: number): void {
    const row = this.#rows('closed', '').find((each) => each.accepts(this.#facts(conn)));
    if (row === undefined)
      this.mismatch(line, conn, 'the server has closed the connection; in the recording it had not');
    else this.#accept(line, conn, row);
  }

  /** The JSON that the file store, the login server or the HTTP interface answered. */
  compareJson(line: HttpLine, command: string, expected: Body, got: Body): readonly ValueDifference[] {
    const run = compareBodies(expected, got, this.names, this.#window);
    this.names = run.names;
    if (command === 'POST /query/CreateGroup' && 'text' in (line.request.body ?? {})) {
      const asked = this.requestJson(line);
      this.#created.set(Number(got.group_id), new Set(asked?.user_id_list as number[]));
    }
    return run.differences.filter((each) => !this.excuse(each, line.line, line.conn, command));
  }

  /** The JSON of a request with the ids of this run. */
  requestJson(line: HttpLine): Body | undefined {
    const { body } = line.request;
    if (body === undefined || !('text' in body)) return undefined;
    return renamed(JSON.parse(body.text) as Body, this.names, this.#window.isLive);
  }

  excuse(difference: ValueDifference, line: number, conn: string, command: string): boolean {
    const facts = this.#facts(conn);
    const row = this.#rows('value', command).find((each) => each.accepts(difference, facts));
    if (row !== undefined) this.#accept(line, conn, row);
    return row !== undefined;
  }

  #reportExtra(got: Received, line: number, what: string): void {
    const twin = this.#claims.find(
      (each) => each.got.conn === got.conn && each.got.frame.bytes.equals(got.frame.bytes),
    );
    if (twin === undefined) this.mismatch(line, got.conn, what, [`got: ${show(got)}`]);
    else this.mismatch(twin.line.line, got.conn, `${got.cmd} came once more`, [`got: ${show(got)}`]);
  }

  #decoded(cmd: string, frame: WireFrame): { body: Body; fault: string | undefined } {
    try {
      const body = this.#protocol.decode(cmd, frame.body);
      const surplus = frame.body.length - this.#protocol.sizeOf(cmd, frame.body);
      const fault = `its body has ${surplus} bytes more than its fields take: a packed list, or fields of no client's`;
      return { body, fault: surplus === 0 ? undefined : fault };
    } catch (error) {
      return { body: {}, fault: `${error instanceof Error ? error.message : error}: ${frame.bytes.toString('hex')}` };
    }
  }

  #unsettled(): Received[] {
    return this.#received.filter((each) => !this.#settled.has(each));
  }

  #candidates(line: FrameLine): Received[] {
    return this.#unsettled().filter((each) => each.conn === line.conn && each.cmd === line.cmd);
  }

  #judge(recorded: FrameLine, got: Received): Judgement {
    const line = this.#strict ? this.#mended(recorded) : recorded;
    const expected = line.body ?? {};
    const around = { expected, got: got.body };
    const run = compareBodies(expected, got.body, this.names, this.#window);
    const all = [...run.differences];
    if (line.service !== got.frame.service) {
      all.push({ field: 'service', expected: line.service, got: got.frame.service, around });
    }
    if (line.seq !== got.frame.seq) all.push({ field: 'seq', expected: line.seq, got: got.frame.seq, around });
    if (got.fault !== undefined) all.push({ field: 'body', expected: 'a valid one', got: got.fault, around });
    const facts = this.#facts(line.conn, got);
    const rows = this.#rows('value', got.cmd);
    const reasons: Reason[] = [];
    const wrong = all.filter((each) => {
      const row = rows.find((candidate) => candidate.accepts(each, facts));
      if (row !== undefined) reasons.push(row);
      return row === undefined;
    });
    return { names: run.names, wrong, reasons };
  }

  #mended(recorded: FrameLine): FrameLine {
    const rows = this.#rows('value', String(recorded.cmd));
    return rows.reduce((line, row) => row.mended?.(line) ?? line, recorded);
  }

  #claim(line: FrameLine, got: Received, { names, reasons }: Judgement): void {
    this.#expected = this.#expected.filter((each) => each.line !== line);
    this.#settled.add(got);
    this.#claims.push({ line, got });
    this.names = names;
    for (const reason of reasons) this.#accept(line.line, line.conn, reason);
    this.#note(got);
  }

  #accept(line: number, conn: string, { quirk, right }: Reason): void {
    if (this.accepted.some((each) => each.line === line && each.conn === conn && each.right === right)) return;
    this.accepted.push({ line, conn, quirk, right });
  }

  /** Keeps what later judgements need. */
  #note({ conn, cmd, body }: Received): void {
    if (Array.isArray(body.ip_addr_list)) this.fileAddress = toAddress(body.ip_addr_list[0]) ?? this.fileAddress;
    if (cmd === 'IMLoginRes' && isObject(body.user_info ?? null)) {
      this.#users.set(conn, Number((body.user_info as Body).user_id));
    } else if (cmd === 'IMGroupCreateRsp' && body.result_code === 0) {
      this.#created.set(Number(body.group_id), new Set(body.user_id_list as number[]));
    } else if (cmd === 'IMMsgDataAck' && body.session_type === 'SESSION_TYPE_SINGLE') {
      this.#lastWriter.set(pairOf(Number(body.user_id), Number(body.session_id)), Number(body.user_id));
    } else if (cmd === 'IMGroupShieldRsp' && body.result_code === 0) {
      const setting = `${body.user_id} ${body.group_id}`;
      if (this.#shieldAsked.get(conn)?.shield_status === 1) this.#shields.add(setting);
      else this.#shields.delete(setting);
    }
  }

  /** As they were when a frame came, or are now. */
  #facts(conn: string, got?: Received): Facts {
    const before = got?.index ?? this.#received.length;
    const came = this.#received.filter((each) => each.conn === conn);
    const ends = ['CLIENT_FILE_REFUSE', 'CLIENT_FILE_CANCEL'];
    return {
      scenario: this.#scenario.name,
      conn,
      userId: this.#users.get(conn),
      kicked: came.some((each) => each.cmd === 'IMKickUser' && each.index < before),
      finished: got?.afterFinish ?? false,
      repeated: got !== undefined && this.#repeats(got),
      transferEnded: came.some((each) => each.cmd === 'IMFileState' && ends.includes(String(each.body.state))),
      created: this.#created,
      toldOf: this.#toldOf.get(conn) ?? new Set(),
      shields: this.#shields,
      lastWriter: this.#lastWriter,
    };
  }

  #repeats(got: Received): boolean {
    const last = this.#claims.findLast((each) => each.got.conn === got.conn && each.got.cmd === got.cmd);
    return last?.got.frame.bytes.equals(got.frame.bytes) ?? false;
  }

  #rows<K extends Difference['kind']>(kind: K, command: string): Extract<Difference, { kind: K }>[] {
    const rows = differences.filter((row): row is Extract<Difference, { kind: K }> => row.kind === kind);
    return rows.filter((row) => applies(row, this.#scenario.name, command));
  }

  #excuseExtras(): void {
    for (const got of this.#unsettled()) {
      if (got.fault !== undefined || got.frame.seq !== 0 || got.frame.service !== got.frame.command >>> 8) continue;
      const facts = this.#facts(got.conn, got);
      const row = this.#rows('extra', got.cmd).find((each) => each.accepts(got, facts));
      if (row === undefined) continue;
      this.#settled.add(got);
      this.#accept(got.afterLine, got.conn, row);
      if (got.cmd === 'IMGroupChangeMemberNotify') {
        this.#toldOf.set(got.conn, new Set([...facts.toldOf, Number(got.body.group_id)]));
      }
    }
  }

  #checkOrder(): void {
    const latest = new Map<string, { readonly line: FrameLine; readonly got: Received }>();
    for (const claim of [...this.#claims].sort((one, other) => one.line.line - other.line.line)) {
      const stream = streamOf(claim.line);
      const before = latest.get(stream);
      if (before === undefined || before.got.index < claim.got.index) latest.set(stream, claim);
      else {
        const what = `${titleOf(claim.line)} came before ${titleOf(before.line)} of line ${before.line.line}`;
        this.mismatch(claim.line.line, claim.line.conn, what);
      }
    }
  }
}

function titleOf({ cmd, command, seq }: FrameLine): string {
  return `${cmd} (${hex(command)}, seq ${seq})`;
}

function show({ cmd, frame, body, fault }: Received): string {
  return `${cmd} (${hex(frame.command)}, seq ${frame.seq}) ${fault ?? JSON.stringify(body)}`;
}

function showDifference({ field, expected, got }: ValueDifference): string {
  const text = (value: Json | undefined): string => (value === undefined ? 'nothing' : JSON.stringify(value));
  return `${field}: expected ${text(expected)}, got ${text(got)}`;
}

function hex(command: number): string {
  return `0x${command.toString(16).padStart(4, '0')}`;
}

/** So many frames missing, and what is left of a scenario says nothing any more. */
const MISSING_MAX = 3;
class GivenUp extends Error {}

/** Plays the clients of a scenario on real connections. */
class Player {
  readonly #scenario: Transcript;
  readonly #target: Target;
  readonly #matcher: Matcher;
  readonly #fetch: typeof globalThis.fetch;
  readonly #deadlineMs: number;
  readonly #silenceMs: number;
  readonly #bell = new Bell();
  readonly #wires = new Map<string, Wire>();
  /** Lines behind which the recording is silent, by its notes. */
  readonly #silent: ReadonlySet<Line>;
  #line = 1;
  #missing = 0;
  #store: string | undefined;
  #listenedLast = false;

  constructor(scenario: Transcript, target: Target, options: ReplayOptions, matcher: Matcher) {
    this.#scenario = scenario;
    this.#target = target;
    this.#matcher = matcher;
    this.#fetch = options.fetch ?? globalThis.fetch;
    this.#deadlineMs = options.deadlineMs ?? 3000;
    this.#silenceMs = options.silenceMs ?? 300;
    this.#store = target.fileStore;
    this.#silent = silentLines(scenario.lines);
  }

  async play(): Promise<void> {
    try {
      for (const [index, line] of this.#scenario.lines.entries()) {
        await this.#step(line, index);
        this.#line = line.line;
        if (this.#silent.has(line)) await this.#listen();
      }
      await this.#settle();
      await this.#listenLast();
      await this.#bell.until(() => [...this.#wires.values()].every((wire) => wire.ended), this.#silenceMs);
      this.#matcher.match();
      this.#matcher.finish();
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
      this.#matcher.mismatch(this.#line, 'replay', `given up behind this line: ${error.message}`);
    } finally {
      for (const wire of this.#wires.values()) wire.destroy();
    }
  }

  async #step(line: Line, index: number): Promise<void> {
    switch (line.kind) {
      case 'frame':
        if (!line.toServer) return this.#matcher.expect(line);
        await this.#settle();
        return this.#say(line);
      case 'open':
        await this.#settle();
        return this.#open(line);
      case 'http':
        await this.#settle();
        return this.#http(line);
      case 'note':
        return this.#settle();
      case 'close':
        return line.by === 'server' ? this.#awaitClose(line) : this.#close(line, index);
    }
  }

  /** Waits until all that stands before has come. */
  async #settle(except: readonly Line[] = []): Promise<void> {
    const startMs = performance.now();
    for (;;) {
      this.#matcher.match();
      const open = this.#matcher.open().filter((line) => !except.includes(line));
      if (open.length === 0) return;
      const dueMs = Math.min(...open.map((line) => this.#dueMs(line, startMs)));
      const nowMs = performance.now();
      if (dueMs > nowMs) await this.#bell.wait(dueMs - nowMs);
      else for (const line of open) if (this.#dueMs(line, startMs) <= nowMs) this.#giveUp(line);
    }
  }

  #dueMs(line: FrameLine, startMs: number): number {
    if (this.#wires.get(line.conn)?.ended ?? true) return 0;
    // An answer that came wrong is not put right by waiting, but its place may have been taken by a surplus one.
    const rivalMs = this.#matcher.rivalMs(line);
    const graceMs = rivalMs === undefined ? Infinity : Math.max(rivalMs, startMs) + this.#silenceMs;
    return Math.min(startMs + this.#deadlineMs, graceMs);
  }

  #giveUp(line: FrameLine): void {
    const ended = this.#wires.get(line.conn)?.ended ?? true;
    const why = ended ? 'and its connection is closed' : `${this.#deadlineMs} ms have gone by`;
    if (!this.#matcher.giveUp(line, why)) return;
    this.#missing += 1;
    if (this.#missing >= MISSING_MAX) throw new GivenUp(`${this.#missing} frames are missing`);
  }

  #say(line: FrameLine): void {
    const wire = this.#wires.get(line.conn);
    if (wire === undefined || wire.ended) {
      this.#matcher.mismatch(
        line.line,
        line.conn,
        `${line.cmd} could not be sent: the server has closed the connection`,
      );
      return;
    }
    wire.write(this.#matcher.outgoing(line));
  }

  async #open({ conn, server, line }: OpenLine): Promise<void> {
    const address = this.#addressOf(server);
    if (address === undefined) throw new GivenUp(`there is no address for ${server}`);
    const onFrame = (frame: WireFrame): void => {
      this.#matcher.receive(conn, frame, this.#line, this.#wires.get(conn)?.finished ?? false);
      this.#bell.ring();
    };
    try {
      this.#wires.set(conn, await Wire.connect(address, onFrame, () => this.#bell.ring()));
    } catch (error) {
      this.#matcher.mismatch(line, conn, `no connection to ${address.host}:${address.port}: ${String(error)}`);
      throw new GivenUp('a client could not connect');
    }
  }

  #addressOf(server: OpenLine['server']): Address | undefined {
    // Clients go where they are told, so an address that only looks usable fails here.
    if (server === 'file') return this.#matcher.fileAddress ?? this.#target.file;
    return (server === 'msg2' ? this.#target.msg[1] : undefined) ?? this.#target.msg[0];
  }

  async #close(line: CloseLine, index: number): Promise<void> {
    await this.#settle(heralds(this.#scenario.lines, index));
    if (!this.#scenario.lines.slice(index).some(isRequest)) await this.#listenLast();
    const wire = this.#wires.get(line.conn);
    if (wire?.ended) this.#matcher.closedEarly(line.conn, line.line);
    wire?.finish();
  }

  async #awaitClose({ conn, line }: CloseLine): Promise<void> {
    await this.#settle();
    const wire = this.#wires.get(conn);
    if (wire === undefined || (await this.#bell.until(() => wire.ended, this.#deadlineMs))) return;
    this.#matcher.mismatch(
      line,
      conn,
      `the server should have closed the connection, ${this.#deadlineMs} ms have gone by`,
    );
    wire.finish();
  }

  /** The one wait for nothing: a silence takes its time to be one. */
  async #listen(): Promise<void> {
    const { count } = this.#matcher;
    await sleep(this.#silenceMs);
    this.#matcher.match();
    this.#matcher.demandSilence(count, this.#line);
  }

  /** Once, before the clients leave: a frame that comes twice would come now. */
  async #listenLast(): Promise<void> {
    if (this.#listenedLast || [...this.#wires.values()].every((wire) => wire.ended)) return;
    this.#listenedLast = true;
    await sleep(this.#silenceMs);
  }

  async #http(line: HttpLine): Promise<void> {
    const { method, path: at } = line.request;
    const url = this.#urlOf(at);
    const command = `${method} ${at}`;
    try {
      const body = this.#httpBody(line);
      const signal = AbortSignal.timeout(this.#deadlineMs);
      const response = await this.#fetch(url, {
        method,
        headers: { ...line.request.headers },
        signal,
        ...(body && { body }),
      });
      const wrong = await this.#compareHttp(line, command, response);
      if (wrong.length > 0) {
        this.#matcher.mismatch(line.line, line.conn, `${command} was answered differently`, wrong.map(showDifference));
      }
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? ` (${String(error.cause)})` : '';
      this.#matcher.mismatch(line.line, line.conn, `${command} to ${url} failed: ${String(error)}${cause}`);
    }
  }

  #urlOf(at: string): string {
    const uploaded = this.#matcher.names.here('file path', at.slice(1));
    const base = partFor(at) === 'fileStore' ? this.#store : this.#target[partFor(at)];
    return new URL(uploaded === undefined ? at : `/${uploaded}`, base).href;
  }

  #httpBody(line: HttpLine): string | Uint8Array<ArrayBuffer> | undefined {
    const { body } = line.request;
    if (body === undefined) return undefined;
    return 'hex' in body
      ? new Uint8Array(Buffer.from(body.hex, 'hex'))
      : JSON.stringify(this.#matcher.requestJson(line));
  }

  async #compareHttp(line: HttpLine, command: string, response: Response): Promise<ValueDifference[]> {
    const { status, headers, body } = line.response;
    const wrong: ValueDifference[] = [];
    const compare = (field: string, expected: Json, got: Json): void => {
      const difference = { field, expected, got, around: { expected: {}, got: {} } };
      if (expected === got || this.#matcher.excuse(difference, line.line, line.conn, command)) return;
      wrong.push(difference);
    };
    compare('status', status, response.status);
    compare('content-type', mediaType(headers['content-type']), mediaType(response.headers.get('content-type')));
    compare(
      'cache-control',
      headers['cache-control'] ?? '',
      headers['cache-control'] ? response.headers.get('cache-control') : '',
    );
    const bytes = Buffer.from(await response.arrayBuffer());
    if ('hex' in body) compare('body', body.hex, bytes.toString('hex'));
    else wrong.push(...(await this.#compareJson(line, command, body.text, bytes.toString())));
    return wrong;
  }

  async #compareJson(
    line: HttpLine,
    command: string,
    recorded: string,
    text: string,
  ): Promise<readonly ValueDifference[]> {
    const got = parseJson(text);
    const around = { expected: {}, got: {} };
    if (got === undefined) return [{ field: 'body', expected: recorded, got: text, around }];
    const wrong = [...this.#matcher.compareJson(line, command, JSON.parse(recorded) as Body, got)];
    // The Android client takes the address of an upload from the first line and reads no further.
    if (!recorded.trim().includes('\n') && text.trim().includes('\n')) {
      wrong.push({ field: 'body', expected: 'one line', got: text, around });
    }
    if (partFor(line.request.path) === 'loginHttp' && wrong.length === 0) {
      this.#store = this.#target.fileStore === undefined ? undefined : String(got.msfsPrior);
      const address = { host: String(got.priorIP), port: Number(got.port) };
      if (!(await accepts(address)))
        wrong.push({ field: 'priorIP', expected: 'an address to connect to', got: got.priorIP, around });
    }
    return wrong;
  }
}

async function accepts(address: Address): Promise<boolean> {
  try {
    const wire = await Wire.connect(
      address,
      () => {},
      () => {},
    );
    wire.destroy();
    return true;
  } catch {
    return false;
  }
}

function parseJson(text: string): Body | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function mediaType(contentType: string | null | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

function isRequest(line: Line): boolean {
  return line.kind === 'http' || (line.kind === 'frame' && line.toServer);
}

/**
 * A note tells where silence is expected: behind the request that follows it when the recording has no answer to
 * that one, else at the note itself.
 */
export function silentLines(lines: readonly Line[]): Set<Line> {
  const silent = new Set<Line>();
  for (const [index, line] of lines.entries()) {
    if (line.kind !== 'note') continue;
    const [next, answer] = [lines[index + 1], lines[index + 2]];
    const unanswered = next?.kind === 'frame' && answer?.kind === 'frame' && answer.toServer;
    silent.add(unanswered ? next : line);
  }
  return silent;
}

/**
 * The recorder wrote a close down after it was done, so the presence that it caused may stand before it. Behind
 * another close it is the work of that one.
 */
function heralds(lines: readonly Line[], close: number): Line[] {
  const found: Line[] = [];
  for (let index = close - 1; index >= 0; index -= 1) {
    const line = lines[index];
    if (line?.kind === 'close') return [];
    if (line?.kind !== 'frame' || !PRESENCE.includes(String(line.cmd)) || !saysOffline(line)) return found;
    found.push(line);
  }
  return found;
}

function saysOffline({ body }: FrameLine): boolean {
  return JSON.stringify(body).includes('USER_STATUS_OFFLINE');
}

// --------------------------------------------------------------------------------------- state before a scenario

/** What no client can bring about. A test harness has it in the shape of its storage. */
export interface SeedWorld {
  /**
   * All users, departments, groups, sessions, messages, files and failed logins are gone, also from the memory of
   * the servers; then the seed is there: eight users with one password, four departments, the fixed group, each with
   * the `updated` time of the seed, and APP_KEY for the HTTP interface. Says which ids they have.
   */
  load(seed: Seed): Promise<SeedIds>;
  /** Nobody failed to log in under this name lately. */
  forgetFailedLogins(userName: string): Promise<void>;
}

/** For a world that keeps the ids of the seed. */
export function sameIds(seed: Seed): SeedIds {
  const same = (all: readonly { readonly id: number }[]): Map<number, number> => new Map(all.map(({ id }) => [id, id]));
  return { users: same(seed.users), departments: same(seed.departments), groups: same(seed.groups) };
}

/** The `setup` of a replay: the seed, and on top of it what the scenario says in its header. */
export function setupWith(world: SeedWorld): ReplayOptions['setup'] {
  return async (scenario, target) => {
    const seed = await readSeed();
    const ids = await world.load(seed);
    const [msg] = target.msg;
    if (msg === undefined) throw new Error('there is no msg server');
    await setups[scenario.name].run({ world, seed, ids, msg, protocol: await theProtocol() });
    return ids;
  };
}

interface Stage {
  readonly world: SeedWorld;
  readonly seed: Seed;
  readonly ids: SeedIds;
  readonly msg: Address;
  readonly protocol: Protocol;
}

interface Setup {
  run(stage: Stage): Promise<void>;
  /** Command ids that it needs. */
  readonly asks: readonly number[];
  readonly answers: readonly number[];
}

const seedOnly: Setup = { run: async () => {}, asks: [], answers: [] };
const chatted = {
  asks: [0x0103, 0x0105, 0x0201, 0x0301, 0x0303, 0x0307],
  answers: [0x0104, 0x0106, 0x0202, 0x0302, 0x0308],
};
const chatBeforeStart: Setup = { run: writeToAlice, ...chatted };

const setups: Readonly<Record<ScenarioName, Setup>> = {
  'startup-windows': chatBeforeStart,
  'startup-mac': chatBeforeStart,
  'startup-ios': chatBeforeStart,
  'startup-android': chatBeforeStart,
  'login-refused': { ...seedOnly, run: ({ world }) => world.forgetFailedLogins('heidi') },
  'chat-single': seedOnly,
  'chat-voice': seedOnly,
  'offline-fetch': seedOnly,
  'read-sync': seedOnly,
  history: { run: writeSevenTexts, asks: [0x0103, 0x0105, 0x0301], answers: [0x0104, 0x0106, 0x0302] },
  'group-life': seedOnly,
  'group-rules': seedOnly,
  'multi-device-kick': seedOnly,
  'remove-session': seedOnly,
  'presence-signature': seedOnly,
  'settings-p2p': seedOnly,
  'file-online': seedOnly,
  'file-offline': seedOnly,
  malformed: seedOnly,
  'two-servers': seedOnly,
};

/** Three texts from bob that alice read and answered, one more that she did not read, and one from carol to the group. */
async function writeToAlice(stage: Stage): Promise<void> {
  const alice = await enter(stage, 'alice');
  const bob = await enter(stage, 'bob');
  const carol = await enter(stage, 'carol');
  await bob.say(alice.userId, 'hi alice', 1);
  await bob.say(alice.userId, 'are you there?', 2);
  await bob.say(alice.userId, 'lunch at 12', 3);
  alice.tell('IMMsgDataReadAck', {
    user_id: 0,
    session_id: bob.userId,
    msg_id: 3,
    session_type: 'SESSION_TYPE_SINGLE',
  });
  await eventually('alice has read three texts', async () => {
    const { total_cnt } = await alice.ask('IMUnreadMsgCntReq', { user_id: 0 }, 'IMUnreadMsgCntRsp');
    return total_cnt === 0;
  });
  await alice.say(bob.userId, 'yes, see you', 4);
  await bob.say(alice.userId, 'great', 5);
  // Sessions are sorted by whole seconds, and the group has to be the newer one.
  await nextSecond();
  const group = stage.ids.groups.get(1) ?? 1;
  await carol.sayToGroup(group, 'build is green', 1);
  await eventually('alice sees both conversations', async () => {
    const asked = { user_id: 0, latest_update_time: 0 };
    const { contact_session_list } = await alice.ask('IMRecentContactSessionReq', asked, 'IMRecentContactSessionRsp');
    return (contact_session_list as Body[]).map((each) => each.session_id).join() === [group, bob.userId].join();
  });
  for (const client of [alice, bob, carol]) await client.logout();
}

/** alice begins. */
async function writeSevenTexts(stage: Stage): Promise<void> {
  const alice = await enter(stage, 'alice');
  const bob = await enter(stage, 'bob');
  for (const id of [1, 2, 3, 4, 5, 6, 7]) {
    const [writer, reader] = id % 2 === 1 ? [alice, bob] : [bob, alice];
    await writer.say(reader.userId, `text ${id}`, id);
  }
  await alice.logout();
  await bob.logout();
}

/** On a phone, as phones do not count as present: nobody is told that they come and go. */
function enter({ msg, protocol, seed }: Stage, userName: string): Promise<RawClient> {
  return RawClient.login(msg, protocol, { userName, password: seed.password, clientType: 'CLIENT_TYPE_ANDROID' });
}

async function nextSecond(): Promise<void> {
  const second = Math.floor(Date.now() / 1000);
  while (Math.floor(Date.now() / 1000) === second) await sleep(1000 - (Date.now() % 1000));
}

/** Asks again until the answer is yes. The original needed up to five seconds for a new group session. */
async function eventually(what: string, met: () => Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await met())) {
    if (performance.now() > end) throw new Error(`${what}: not after ${deadlineMs} ms`);
    await sleep(50);
  }
}

export interface Credentials {
  readonly userName: string;
  readonly password: string;
  readonly clientType: string;
}

/** A client that says what it is told to and takes the answer with the seq it asked under. */
export class RawClient {
  userId = 0;
  readonly #protocol: Protocol;
  readonly #bell = new Bell();
  readonly #deadlineMs: number;
  #wire: Wire | undefined;
  #answers: WireFrame[] = [];
  #seq = 0;

  private constructor(protocol: Protocol, deadlineMs: number) {
    this.#protocol = protocol;
    this.#deadlineMs = deadlineMs;
  }

  static async login(to: Address, protocol: Protocol, who: Credentials, deadlineMs = 5000): Promise<RawClient> {
    const client = new RawClient(protocol, deadlineMs);
    const onFrame = (frame: WireFrame): void => {
      // Pushes are not what a setup is about.
      if (frame.seq !== 0) client.#answers.push(frame);
      client.#bell.ring();
    };
    client.#wire = await Wire.connect(to, onFrame, () => client.#bell.ring());
    const request = {
      user_name: who.userName,
      password: createHash('md5').update(who.password).digest('hex'),
      online_status: 'USER_STATUS_ONLINE',
      client_type: who.clientType,
      client_version: '1.0.0',
    };
    const answer = await client.ask('IMLoginReq', request, 'IMLoginRes');
    if (answer.result_code !== 'REFUSE_REASON_NONE') throw new Error(`${who.userName}: ${JSON.stringify(answer)}`);
    client.userId = Number((answer.user_info as Body).user_id);
    return client;
  }

  tell(cmd: string, body: Body): void {
    this.#seq += 1;
    this.#wire?.write(frameBytes(this.#protocol.idOf(cmd), this.#seq, this.#protocol.encode(cmd, body)));
  }

  async ask(cmd: string, body: Body, answer: string): Promise<Body> {
    this.tell(cmd, body);
    const [seq, command] = [this.#seq, this.#protocol.idOf(answer)];
    const find = (): WireFrame | undefined =>
      this.#answers.find((each) => each.seq === seq && each.command === command);
    await this.#bell.until(() => find() !== undefined || this.#wire?.ended === true, this.#deadlineMs);
    const frame = find();
    if (frame === undefined) throw new Error(`${cmd} was not answered`);
    this.#answers = this.#answers.filter((each) => each !== frame);
    return this.#protocol.decode(answer, frame.body);
  }

  /** The scenarios count on the ids, so a text that gets another one is no good. */
  async say(userId: number, text: string, msgId: number): Promise<void> {
    await this.#send(userId, 'MSG_TYPE_SINGLE_TEXT', text, msgId);
  }
  async sayToGroup(groupId: number, text: string, msgId: number): Promise<void> {
    await this.#send(groupId, 'MSG_TYPE_GROUP_TEXT', text, msgId);
  }

  /** Gone when the server says so too. */
  async logout(): Promise<void> {
    await this.ask('IMLogoutReq', {}, 'IMLogoutRsp');
    await this.#bell.until(() => this.#wire?.ended === true, this.#deadlineMs);
    this.#wire?.destroy();
  }

  async #send(sessionId: number, msgType: string, text: string, msgId: number): Promise<void> {
    const message = {
      from_user_id: this.userId,
      to_session_id: sessionId,
      msg_id: 0,
      create_time: Math.floor(Date.now() / 1000),
      msg_type: msgType,
      msg_data: { utf8: encryptText(text) },
    };
    const ack = await this.ask('IMMsgData', message, 'IMMsgDataAck');
    if (ack.msg_id !== msgId) throw new Error(`${text}: stored under ${ack.msg_id} instead of ${msgId}`);
  }
}
