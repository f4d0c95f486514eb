/** Line drawings, 24 by 24, in the colour of the text around them. */
const PATHS = {
  overview: 'M3 13h4l3-9 4 16 3-9h4',
  users:
    'M16 19v-1a4 4 0 0 0-4-4H7a4 4 0 0 0-4 4v1M9.5 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM21 19v-1a4 4 0 0 0-3-3.8M15 3.3a3.5 3.5 0 0 1 0 6.5',
  tree: 'M4 4h6v5H4zM14 15h6v5h-6zM14 4h6v5h-6zM10 6.5h4M12 6.5v11h2',
  groups: 'M4 5h12v9H9l-4 3v-3H4zM19 9h1v8h-1v3l-4-3h-5',
  announce: 'M4 10v4h3l7 4V6l-7 4zM18 9a4 4 0 0 1 0 6',
  discovery: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM15.5 8.5l-2 5-5 2 2-5z',
  storage:
    'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3ZM4 6v6c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12v6c0 1.7 3.6 3 8 3s8-1.3 8-3v-6',
  trace: 'M5 6a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM19 22a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM7 4h8a4 4 0 0 1 0 8H9a4 4 0 0 0 0 8h8',
  audit: 'M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h5',
  settings: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM8 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z',
  admins: 'M12 3l7 3v5c0 4.6-3 8-7 10-4-2-7-5.400-7-10V6zM9 12l2 2 4-4',
  account: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 20c1.500-3.500 4.500-5 8-5s6.500 1.500 8 5',
  key: 'M8 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 12h9M18 12v3.500M15 12v2.500',
  hook: 'M9 7a3 3 0 1 1 4.500 2.600l3 5.400M17.500 14.500a3 3 0 1 1-2.500 5H9M6.500 20a3 3 0 1 1 .5-6l3-5.500',
  push: 'M6 17V11a6 6 0 0 1 12 0v6l2 1H4zM10 21h4',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM20 20l-4-4',
  close: 'M6 6l12 12M18 6L6 18',
  menu: 'M4 7h16M4 12h16M4 17h16',
  plus: 'M12 5v14M5 12h14',
  next: 'M9 6l6 6-6 6',
  back: 'M15 6l-6 6 6 6',
  up: 'M6 15l6-6 6 6',
  down: 'M6 9l6 6 6-6',
  grip: 'M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01',
  warn: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  good: 'M5 13l4 4L19 7',
  empty: 'M4 13l3-8h10l3 8v6H4zM4 13h5l1 2h4l1-2h5',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  out: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  reload: 'M20 11a8 8 0 1 0-2.300 6.300M20 5v6h-6',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
