import type { Role } from '../../common/roles.js';

/** What one may be allowed to do, and who is. Reads that everybody in the console may do have `look`. */
const OWNER = ['owner'] as const;
const ADMINS = ['owner', 'admin'] as const;
const WORKERS = ['owner', 'admin', 'operator'] as const;
const CHECKERS = ['owner', 'admin', 'auditor'] as const;
const ALL = ['owner', 'admin', 'operator', 'auditor'] as const;
const COMPLIANCE = ['compliance'] as const;

const table = {
  /** Overview, people, departments, groups, discovery. */
  look: [...ALL, ...COMPLIANCE],
  /** Change people, departments, groups; end sessions. */
  'directory.change': WORKERS,
  'users.import': ADMINS,
  'users.export': CHECKERS,
  announce: WORKERS,
  trace: ALL,
  'settings.change': ADMINS,
  /** Send a push to somebody's phones to see whether it arrives. */
  'push.test': ADMINS,
  'storage.look': ALL,
  /** Begin new keys, move buckets. */
  'storage.change': OWNER,
  /** Remove what nobody refers to any more. */
  'files.change': ADMINS,
  /** Keys and webhooks of other systems. */
  'integrations.look': CHECKERS,
  'integrations.change': ADMINS,
  'audit.look': CHECKERS,
  'admins.look': CHECKERS,
  'admins.change': ADMINS,
  /** That there are exports, whose and of what range; never what is in them. */
  'export.look': ['owner', 'auditor', ...COMPLIANCE],
  /** Ask for one, and have it once an owner has agreed. */
  export: COMPLIANCE,
  'export.decide': OWNER,
  'export.cancel': ['owner', ...COMPLIANCE],
} as const satisfies Record<string, readonly Role[]>;

export type Permission = keyof typeof table;
export const PERMISSIONS = Object.keys(table) as Permission[];

export function may(role: Role, permission: Permission): boolean {
  return (table[permission] as readonly Role[]).includes(role);
}
