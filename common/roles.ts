/** What people of the console may be, from most to least, and the one that may take out what was written; what each may do is in servers/admin/permissions.ts. */
export const ROLES = ['owner', 'admin', 'operator', 'auditor', 'compliance'] as const;
export type Role = (typeof ROLES)[number];

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}
