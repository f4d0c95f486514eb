/** What one may type, and how a typed line is understood. */

interface Entry {
  readonly name: string;
  readonly args: string;
  readonly help: string;
}

export const commands = [
  { name: 'help', args: '', help: 'this list' },
  { name: 'who', args: '[FILTER]', help: 'people by department; ● has a PC online' },
  { name: 'to', args: 'NAME|#GROUP', help: 'whom to talk to from now on' },
  { name: 'history', args: '[N]', help: 'the last N messages with the present partner (20)' },
  { name: 'unread', args: '', help: 'what is not read yet, by conversation' },
  { name: 'sessions', args: '', help: 'recent conversations, newest first' },
  { name: 'groups', args: '', help: 'the groups you are in' },
  { name: 'send', args: 'PATH', help: 'send a file to the present partner; it is kept for who is away' },
  { name: 'files', args: '', help: 'files that wait for you' },
  { name: 'accept', args: 'N [FOLDER]', help: 'fetch file N of /files, into FOLDER or here' },
  { name: 'refuse', args: 'N', help: 'do not want file N of /files' },
  { name: 'retry', args: '', help: 'send again what was not delivered' },
  { name: 'status', args: '', help: 'who and where you are' },
  { name: 'quit', args: '', help: 'leave' },
] as const satisfies readonly Entry[];

export type CommandName = (typeof commands)[number]['name'];

export type Typed =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'command'; readonly name: CommandName; readonly rest: string }
  | { readonly kind: 'unknown'; readonly word: string; readonly matches: readonly CommandName[] };

/**
 * A slash starts a command, which may be cut short where that leaves one only. A double slash starts a text that
 * begins with one slash.
 */
export function parseLine(line: string): Typed {
  const trimmed = line.trim();
  if (trimmed === '') return { kind: 'nothing' };
  if (trimmed.startsWith('//')) return { kind: 'text', text: trimmed.slice(1) };
  if (!trimmed.startsWith('/')) return { kind: 'text', text: line.trimEnd() };
  const [, word = '', rest = ''] = /^\/(\S*)\s*(.*)$/s.exec(trimmed) ?? [];
  return understand(word.toLowerCase(), rest);
}

function understand(word: string, rest: string): Typed {
  const exact = commands.find(({ name }) => name === word);
  const matches = exact === undefined ? commands.filter(({ name }) => name.startsWith(word)) : [exact];
  if (matches.length === 1) return { kind: 'command', name: matches[0]!.name, rest };
  return { kind: 'unknown', word, matches: matches.map(({ name }) => name) };
}

/** The N of `/history N`. @returns undefined when it is no count from 1 to `max` */
export function parseCount(text: string, usual: number, max: number): number | undefined {
  if (text === '') return usual;
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  return count >= 1 && count <= max ? count : undefined;
}

export function helpText(): string[] {
  const usages = commands.map(({ name, args, help }) => [`/${name} ${args}`.trimEnd(), help] as const);
  const width = Math.max(...usages.map(([usage]) => usage.length));
  return [
    ...usages.map(([usage, help]) => `  ${usage.padEnd(width)}  ${help}`),
    `  ${'anything else'.padEnd(width)}  is sent to the present partner; // sends a text that starts with /`,
  ];
}

/** Completion for the Tab key. `partners` are the names /to understands. */
export function complete(line: string, partners: readonly string[]): [string[], string] {
  const to = /^\/to\s+(.*)$/i.exec(line);
  if (to !== null) {
    const start = to[1]!.toLowerCase();
    return [partners.filter((name) => name.toLowerCase().startsWith(start)).map((name) => `/to ${name}`), line];
  }
  if (!/^\/\w*$/.test(line)) return [[], line];
  return [commands.map(({ name }) => `/${name} `).filter((usage) => usage.startsWith(line.toLowerCase())), line];
}
