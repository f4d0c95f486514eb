import { isText, voiceSeconds } from '../../common/client/chat-message.js';
import type { ChatMessage } from '../../common/client/client.js';

/** How received things look on a terminal. */

/**
 * Characters that do something instead of showing something: C0 and C1 controls, line separators, and the marks that
 * turn the direction of writing. A name or message with them could repaint the screen or pass for another line.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
const ACTIVE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Received text as one harmless line. */
export function printable(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/\n+$/, '').replace(ACTIVE, escaped);
}

function escaped(character: string): string {
  if (character === '\n') return ' ⏎ ';
  if (character === '\t') return '  ';
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** Clients send an image as its address between two markers. */
const IMAGE = /&\$#@~\^@\[\{:(.*?):\}\]&\$~@#@/gs;

export function contentOf(message: Pick<ChatMessage, 'msgType' | 'text' | 'data'>): string {
  if (message.text !== undefined) return printable(message.text.replace(IMAGE, '[image $1]'));
  return isText(message.msgType) ? '[unreadable]' : `[voice, ${voiceSeconds(message.data)} s]`;
}

/** Counted in characters as people see them, nearly: no half of an emoji is left over. */
export function shortened(text: string, lengthMax: number): string {
  const characters = [...text];
  return characters.length <= lengthMax ? text : `${characters.slice(0, lengthMax - 1).join('')}…`;
}

/** Local time of day, with the date before it on any other day. */
export function stamp(atMs: number, nowMs: number): string {
  const two = (number: number) => String(number).padStart(2, '0');
  const dateOf = (it: Date) => `${it.getFullYear()}-${two(it.getMonth() + 1)}-${two(it.getDate())}`;
  const at = new Date(atMs);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return dateOf(at) === dateOf(new Date(nowMs)) ? time : `${dateOf(at)} ${time}`;
}

export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

/** A number of bytes, as people say it. */
export function sizeText(bytes: number): string {
  if (bytes < 1_000) return counted(bytes, 'byte');
  const unit = bytes < 999_500 ? 'kB' : bytes < 999_500_000 ? 'MB' : 'GB';
  const value = bytes / { kB: 1e3, MB: 1e6, GB: 1e9 }[unit];
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${unit}`;
}
