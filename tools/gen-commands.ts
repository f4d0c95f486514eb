/**
 * Makes pb/COMMANDS.md: every command of stock TeamTalk and of ours for clients, which way it goes, who handles it and
 * which tests speak it.
 *
 *   npm run commands         writes it
 *   npm run commands:check   writes nothing, fails when it is not what the sources say
 *
 * Both fail for a command that nobody handles without a reason given below, and for one that no test speaks.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from '../common/pdu/command.js';
import * as catalogue from '../common/pdu/commands.js';

const TARGET = path.join('pb', 'COMMANDS.md');
/** From here on in each service commands are ours; see pb/README.md. */
const OURS_FROM = 0x80;
const CLUSTER_SERVICE = 0x08;
const TESTS_MAX = 3;
/** Plays recordings of the original servers against ours; what is in them is tested by that. */
const REPLAY = 'protocol/transcripts.test.ts';

const OUTBOX = 'the push server takes its work from the outbox';
const TASKS = 'the commands of transfer.proto in their place';

/** Why a command of stock TeamTalk has no handler. */
const unhandled: Readonly<Record<number, string>> = {
  1794: 'IMDraining (0x0805) in its place',
  1797: OUTBOX,
  1798: OUTBOX,
  1799: 'no route server is the master of others',
  1801: 'IMMsgServLoad (0x0810) in its place',
  1803: 'IMMsgServLoad (0x0810) in its place',
  1805: 'IMKickOlder (0x0833) in its place',
  1806: 'IMPublish (0x0832) carries the clients’ own frame',
  1807: OUTBOX,
  1808: OUTBOX,
  1809: OUTBOX,
  1810: OUTBOX,
  1841: TASKS,
  1842: TASKS,
  1843: TASKS,
  1844: TASKS,
};

/** A command under the name that the sources call it by: `buddy.allUsers`, or with `.reply`. */
interface Named {
  readonly id: number;
  readonly message: string;
  readonly name: string;
}

interface Row {
  readonly id: number;
  readonly message: string;
  readonly direction: string;
  readonly handlers: readonly string[];
  readonly tests: readonly string[];
}

const named = namesOf(catalogue);
const protos = await textsIn('pb', '.proto');
const servers = await textsIn('servers', '.ts');
const tests = await textsIn('test', '.test.ts');
const recordings = [...(await textsIn(path.join('test', 'transcripts'), '.jsonl')).values()].join('');
const rows = [...idsOf(protos.get('pb/base.proto')!), ...ours(named)].map(rowOf);
const faults = rows.flatMap(faultsOf);
const page = pageOf(rows);

if (process.argv.includes('--check')) {
  if ((await readFile(TARGET, 'utf8').catch(() => '')) !== page)
    faults.push(`${TARGET}: not what the sources say. Run: npm run commands`);
} else await writeFile(TARGET, page);
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;

function namesOf(subjects: Readonly<Record<string, unknown>>): Map<number, Named> {
  const found = new Map<number, Named>();
  for (const [subject, commands] of Object.entries(subjects)) {
    for (const [key, command] of Object.entries(commands as Record<string, Command<never, unknown>>)) {
      const name = `${subject}.${key}`;
      found.set(command.id, { id: command.id, message: command.name, name });
      const { reply } = command as { reply?: Command<never, unknown> };
      if (reply !== undefined) found.set(reply.id, { id: reply.id, message: reply.name, name: `${name}.reply` });
    }
  }
  return found;
}

/** The numbers of stock TeamTalk, from its enums. */
function idsOf(base: string): number[] {
  return [...base.matchAll(/^ +CID_\w+ = (0x[0-9a-f]{4});/gm)].map(([, id]) => Number(id));
}

function ours(commands: ReadonlyMap<number, Named>): number[] {
  const isOurs = (id: number) => (id & 0xff) >= OURS_FROM && id >> 8 < CLUSTER_SERVICE;
  return [...commands.keys()].filter(isOurs).sort((a, b) => a - b);
}

function rowOf(id: number): Row {
  const { message, direction } = saidOf(id);
  const command = named.get(id);
  const handlers = command === undefined ? [] : handlersOf(command.name);
  const speaking = command === undefined ? [] : testsOf(command.name);
  if (recordings.includes(`"id":"${hex(id)}"`)) speaking.push(REPLAY);
  return { id, message, direction, handlers, tests: speaking };
}

/** The message above which the protocol says this number, and which way it goes. */
function saidOf(id: number): { message: string; direction: string } {
  const number = hex(id);
  for (const text of protos.values()) {
    for (const [, comment, message] of text.matchAll(/((?:^\/\/.*\n)+)message (\w+)/gm)) {
      const lines = comment!.replaceAll('\n// ', ' ').replace(/^\/\/ /, '');
      const said = [
        ...lines.matchAll(new RegExp(`(?:^| )${number}(?: \\([^)]*\\))?, ([^]*?)(?= 0x[0-9a-f]{4},|$)`, 'g')),
      ];
      if (said.length > 0) return { message: message!, direction: said.map(([, rest]) => wayOf(rest!)).join('; ') };
    }
  }
  throw new Error(`${number} is described in no ${path.join('pb', '*.proto')}`);
}

/** Up to the first comma, colon or full stop that is not in brackets. */
function wayOf(text: string): string {
  const way = /^(?:in answer to \w+, )?((?:\([^)]*\)|[^,:.(])+)/.exec(text)?.[1] ?? text;
  return way.trim();
}

/** The handler that the tables name, or else the files that say it. An answer is where its question is handled. */
function handlersOf(name: string): string[] {
  const asked = name.replace(/\.reply$/, '');
  const found = new Set<string>();
  for (const [file, text] of servers) {
    if (file.endsWith('/commands.ts')) for (const handler of inTable(file, text, asked)) found.add(handler);
  }
  const says = new RegExp(`\\b${asked.replace('.', '\\.')}\\b`);
  if (found.size === 0) for (const [file, text] of servers) if (says.test(text)) found.add(file);
  return [...found].map((file) => file.replace(/^servers\//, '')).sort();
}

/** Rows such as `answer(buddy.allUsers, buddies.allUsers)`, and what hears of the answer to a proxied one. */
function inTable(file: string, text: string, asked: string): string[] {
  const imports = new Map<string, string>();
  for (const [, whole, one, from] of text.matchAll(
    /^import (?:\* as (\w+)|\{ (\w+) \}) from '(\.\/handlers\/[\w-]+)\.js'/gm,
  ))
    imports.set((whole ?? one)!, `${path.posix.join(path.posix.dirname(file), from!)}.ts`);
  const row = new RegExp(
    `\\b(?:answer|hear|client|here|proxied)\\(\\s*${asked.replace('.', '\\.')}\\b([^]*?)\\)[,;]\\n`,
    'g',
  );
  const names = [...text.matchAll(row)].flatMap(([, rest]) => [...rest!.matchAll(/\b(\w+)\b/g)].map(([word]) => word));
  return names.flatMap((word) => imports.get(word) ?? []);
}

/** Test files in which it is spoken or waited for, not those that merely list it. */
function testsOf(name: string): string[] {
  const asked = name.replace(/\.reply$/, '').replace('.', '\\.');
  const spoken = new RegExp(
    `\\b(?:ask|tell|next|push|waiting|only|encodeFrame|decodeBody)(?:<\\w+>)?\\(\\s*(?:[\\w.!]+,\\s*)?${asked}\\b`,
  );
  const found = [...tests].filter(([, text]) => spoken.test(text)).map(([file]) => file.replace(/^test\//, ''));
  const across = (file: string) => (file.startsWith('cluster/') ? 0 : 1);
  return found.sort((a, b) => across(a) - across(b) || (a < b ? -1 : 1));
}

function faultsOf({ id, message, handlers, tests: speaking }: Row): string[] {
  const what = `${hex(id)} ${message}`;
  if (handlers.length === 0)
    return unhandled[id] === undefined ? [`${what}: nobody handles it, and no reason is given`] : [];
  return speaking.length === 0 ? [`${what}: no test speaks it`] : [];
}

function hex(id: number): string {
  return `0x${id.toString(16).padStart(4, '0')}`;
}

function pageOf(all: readonly Row[]): string {
  const lines = all.map(({ id, message, direction, handlers, tests: speaking }) => {
    const handled = handlers.length === 0 ? `— ${unhandled[id] ?? ''}` : handlers.map(code).join(', ');
    const more = speaking.length > TESTS_MAX ? ', …' : '';
    const tested = handlers.length === 0 ? '' : `${speaking.slice(0, TESTS_MAX).map(code).join(', ')}${more}`;
    return `| ${hex(id)} | ${message} | ${direction} | ${handled} | ${tested} |`;
  });
  return `# Every command

Made by \`npm run commands\` from the sources: to change it, change those. What a message means stands above it in its
\`.proto\`. Handlers are under \`servers/\`, tests under \`test/\`. Stock TeamTalk has the commands below 0xNN80, the others
go only to clients that asked for them.

| id | message | who to whom | handled in | tested in |
|---|---|---|---|---|
${lines.join('\n')}
`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Files of a folder and all below it, by path, in the order of their names. */
async function textsIn(folder: string, ending: string): Promise<Map<string, string>> {
  const names = await readdir(folder, { recursive: true });
  const files = names.filter((name) => name.endsWith(ending)).map((name) => path.posix.join(folder, name));
  return new Map(await Promise.all(files.sort().map(async (file) => [file, await readFile(file, 'utf8')] as const)));
}
