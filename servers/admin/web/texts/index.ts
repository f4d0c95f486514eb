import { language } from '../preferences.js';
import { en } from './en.js';
import { zh } from './zh.js';

/** Words of the console. Every language has every key, or the type check fails. */
export type Key = keyof typeof en;
export type Texts = Readonly<Record<Key, string>>;
export type Language = 'en' | 'zh';

const catalogue: Readonly<Record<Language, Texts>> = { en, zh };

/** The words for a key; `{name}` in them is replaced. */
export function t(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
  return catalogue[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function has(key: string): key is Key {
  return Object.hasOwn(en, key);
}

const locale = () => (language.value === 'zh' ? 'zh-CN' : 'en-GB');

export function number(value: number, digits = 0): string {
  return value.toLocaleString(locale(), { maximumFractionDigits: digits });
}

export function dateTime(ms: number): string {
  return new Date(ms).toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'medium' });
}

/** The time of day to the millisecond. */
export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString(locale(), { hour12: false, fractionalSecondDigits: 3 });
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  return `${number(value / 1024 ** power, power === 0 ? 0 : 1)} ${units[power]}`;
}

/** A length of time, in the largest unit that leaves a whole number. */
export function duration(ms: number): string {
  const [unit, size] = (
    [
      ['hour', 3_600_000],
      ['minute', 60_000],
      ['second', 1_000],
    ] as const
  ).find(([, each]) => ms >= each && ms % each === 0) ?? ['second', 1_000];
  return (ms / size).toLocaleString(locale(), { style: 'unit', unit, maximumFractionDigits: 1 });
}

/** How long ago, in one unit. */
export function ago(ms: number, nowMs = Date.now()): string {
  const seconds = Math.max(0, Math.round((nowMs - ms) / 1000));
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  if (seconds < 60) return format.format(-seconds, 'second');
  if (seconds < 3600) return format.format(-Math.round(seconds / 60), 'minute');
  if (seconds < 86_400) return format.format(-Math.round(seconds / 3600), 'hour');
  return format.format(-Math.round(seconds / 86_400), 'day');
}
