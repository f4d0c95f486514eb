import { effect, signal } from '@preact/signals';
import type { Language } from './texts/index.js';

/** What somebody likes, kept in this browser. */
export type Theme = 'system' | 'light' | 'dark';

export const theme = signal<Theme>(stored('theme', ['system', 'light', 'dark'], 'system'));
export const language = signal<Language>(
  stored('language', ['en', 'zh'], navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'),
);

export function applyPreferences(): void {
  effect(() => {
    localStorage.setItem('theme', theme.value);
    document.documentElement.dataset.theme = theme.value;
  });
  effect(() => {
    localStorage.setItem('language', language.value);
    document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
  });
}

function stored<T extends string>(key: string, values: readonly T[], otherwise: T): T {
  const value = localStorage.getItem(key);
  return values.find((each) => each === value) ?? otherwise;
}
