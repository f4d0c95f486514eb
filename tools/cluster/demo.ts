import { createHash } from 'node:crypto';
import { FIXED } from '../../servers/db-proxy/storage/groups.js';
import { hashPassword } from '../../servers/db-proxy/storage/passwords.js';
import type { openStorage } from '../../servers/db-proxy/storage/storage.js';

export type Storage = Awaited<ReturnType<typeof openStorage>>;

export const DEMO_PASSWORD = 'test123';
const DEPARTMENTS = ['Engineering', 'Sales', 'Support', 'People'] as const;
const NAMES = [
  'Ada',
  'Bo',
  'Chen',
  'Dana',
  'Eli',
  'Fang',
  'Gus',
  'Hana',
  'Ivo',
  'Jun',
  'Kim',
  'Li',
  'Mei',
  'Nils',
  'Olga',
  'Ping',
  'Qi',
  'Ruth',
  'Sven',
  'Tao',
] as const;
const EVERYBODY_MAX = 500;
const USERS_PER_INSERT = 5_000;

/** Names as demoName makes them, as a regular expression. */
export const DEMO_NAMES = '^TT[0-9]{3,}$';

export function demoName(number: number): string {
  return `TT${String(number).padStart(3, '0')}`;
}

/** People to try the cluster with: TT001 …, in departments and groups. Only into a directory without anybody. */
export async function addDemoData({ users, departments, groups }: Storage, count: number): Promise<void> {
  const [company] = await departments.add([{ name: 'Company', priority: 1 }]);
  const departmentIds = await departments.add(
    DEPARTMENTS.map((name, i) => ({ name, priority: i + 2, parentId: company! })),
  );
  // One hash for all: the password is known to everybody anyway, and a hash each would take 20 ms.
  const passwordHash = await hashPassword(createHash('md5').update(DEMO_PASSWORD).digest('hex'));
  const ids: number[] = [];
  for (let from = 1; from <= count; from += USERS_PER_INSERT) {
    const numbers = Array.from({ length: Math.min(USERS_PER_INSERT, count - from + 1) }, (_, i) => from + i);
    const people = numbers.map((number) => ({
      name: demoName(number),
      nick: `${NAMES[(number - 1) % NAMES.length]} ${demoName(number).slice(2)}`,
      domain: demoName(number).toLowerCase(),
      sex: (number % 2) + 1,
      email: `${demoName(number).toLowerCase()}@example.com`,
      departmentId: departmentIds[(number - 1) % departmentIds.length]!,
      passwordHash,
    }));
    ids.push(...(await users.add(people)));
  }
  if (ids.length === 0) return;
  await groups.add({ name: 'Everybody', type: FIXED, memberIds: ids.slice(0, EVERYBODY_MAX) });
  for (const [i, name] of DEPARTMENTS.entries()) {
    const memberIds = ids.filter((_, n) => n % DEPARTMENTS.length === i).slice(0, EVERYBODY_MAX);
    if (memberIds.length > 0) await groups.add({ name, type: FIXED, memberIds });
  }
}
