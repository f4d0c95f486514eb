import { computed, signal } from '@preact/signals';

/** Which page is shown: its address is the browser's. */
const here = signal(location.pathname + location.search);

addEventListener('popstate', () => {
  here.value = location.pathname + location.search;
});

export const path = computed(() => here.value.split('?')[0]!);
export const query = computed(() => new URLSearchParams(here.value.split('?')[1] ?? ''));

export function go(to: string, { replace = false } = {}): void {
  if (to === here.value) return;
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  here.value = to;
}

/** Links of ours change the page without loading it anew; with a key held down they do what browsers do. */
export function followLink(event: MouseEvent): void {
  const link = (event.target as Element).closest('a');
  if (link === null || link.origin !== location.origin || link.target !== '' || link.hasAttribute('download')) return;
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
