import { z } from 'zod';
import { isUserId } from '../../../common/conversation.js';
import type { IM } from '../../../common/pdu/pb.js';
import { ScimError } from './errors.js';
import type { Change } from './patch.js';

export const GROUP_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Group';

const members = z.array(z.object({ value: z.string() }));
const incoming = z.object({
  schemas: z.array(z.string()),
  displayName: z.string().min(1),
  members: members.optional(),
});

/** What is to be done to a group. */
export interface GroupWish {
  name?: string;
  add: number[];
  remove: number[];
}

export function scimGroup(it: IM.Directory.GroupSummary, base: string, list?: readonly IM.Directory.Person[]) {
  return {
    schemas: [GROUP_SCHEMA],
    id: String(it.groupId),
    displayName: it.name,
    ...(list === undefined
      ? {}
      : {
          members: list.map(({ userId, nick }) => ({
            value: String(userId),
            display: nick,
            $ref: `${base}/Users/${userId}`,
          })),
        }),
    meta: {
      resourceType: 'Group',
      created: new Date(it.createdS * 1000).toISOString(),
      version: `W/"${it.version}"`,
      location: `${base}/Groups/${it.groupId}`,
    },
  };
}

/** A whole group in place of the one that is there. @throws ScimError */
export function wishOf(body: unknown, current: readonly number[]): GroupWish {
  const parsed = incoming.safeParse(body);
  if (!parsed.success) throw new ScimError(400, z.prettifyError(parsed.error), 'invalidValue');
  const wanted = idsOf(parsed.data.members ?? []);
  return { name: parsed.data.displayName, ...differing(wanted, current) };
}

/** @throws ScimError */
export function patchedGroup(changes: readonly Change[], current: readonly number[]): GroupWish {
  const there = new Set(current);
  let name: string | undefined;
  for (const { op, path, selected, value } of changes) {
    if (path === 'displayname' && op !== 'remove') name = String(value);
    else if (path === 'members') changeMembers(there, op, selected, value);
    else if (path === 'id') throw new ScimError(400, 'id: cannot be changed', 'mutability');
  }
  return { ...(name === undefined ? {} : { name }), ...differing([...there], current) };
}

function changeMembers(there: Set<number>, op: Change['op'], selected: string | undefined, value: unknown): void {
  const named = selected === undefined ? listOf(value) : idsOf([{ value: selected }]);
  if (op === 'replace' || (op === 'remove' && named === undefined)) there.clear();
  for (const id of named ?? []) {
    if (op === 'remove') there.delete(id);
    else there.add(id);
  }
}

function listOf(value: unknown): number[] | undefined {
  if (value === undefined) return undefined;
  const parsed = members.safeParse(Array.isArray(value) ? value : [value]);
  if (!parsed.success) throw new ScimError(400, 'members: a list of {"value": id} is needed', 'invalidValue');
  return idsOf(parsed.data);
}

function idsOf(list: z.infer<typeof members>): number[] {
  return list.map(({ value }) => {
    if (!isUserId(Number(value)))
      throw new ScimError(400, `members: there is no user ${value.slice(0, 40)}`, 'invalidValue');
    return Number(value);
  });
}

function differing(wanted: readonly number[], current: readonly number[]): Pick<GroupWish, 'add' | 'remove'> {
  return {
    add: wanted.filter((id) => !current.includes(id)),
    remove: current.filter((id) => !wanted.includes(id)),
  };
}
