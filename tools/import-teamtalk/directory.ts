import { isGroupId, isUserId } from '../../common/conversation.js';
import { DEVICE_TOKEN_SIZE_MAX, GROUP_NAME_SIZE_MAX, USER_NAME_LENGTH_MAX } from '../../common/limits.js';
import { IM } from '../../common/pdu/pb.js';
import { FIXED, TEMPORARY } from '../../servers/db-proxy/storage/groups.js';
import type {
  ImportDirectory,
  ImportedDepartment,
  ImportedGroup,
  ImportedToken,
  ImportedUser,
} from '../../servers/db-proxy/storage/import.js';
import { teamtalkHash } from '../../servers/db-proxy/storage/passwords.js';
import { LEFT } from '../../servers/db-proxy/storage/users.js';
import { batches, type ImportContext } from './context.js';
import { Tally } from './findings.js';
import type { DepartmentRow, GroupRow, UserRow } from './source.js';
import { cleaned } from './texts.js';

const { ClientType } = IM.BaseDefine;

const ROWS = 1_000;
const INT_MAX = 2 ** 31 - 1;
const DEPARTMENT_NAME_LENGTH_MAX = 64;
const MD5 = /^[0-9a-f]{32}$/i;
/** 0 in service, 1 on trial, 2 regular, 3 left, 4 intern. */
const STATUS_MAX = 4;

/** What a directory is written to; a dry run has one that forgets it. */
export type DirectorySink = Pick<
  ImportDirectory,
  'addDepartments' | 'addUsers' | 'addGroups' | 'addMembers' | 'addTokens'
>;

/** Departments, people, groups, who is in them, and their phones. Goes through in one go. */
export async function importDirectory(ctx: ImportContext, sink: DirectorySink): Promise<Tally> {
  const tally = new Tally(ctx.listener);
  await importDepartments(ctx, sink, tally);
  await importUsers(ctx, sink, tally);
  await importGroupRows(ctx, sink, tally);
  await sink.addMembers();
  ctx.progress.add(ctx.source.rowsOf('IMGroupMember'));
  if (ctx.redis !== undefined) await importTokens(ctx, sink, tally);
  return tally;
}

// ------------------------------------------------------------------------------------------------------- departments

async function importDepartments(ctx: ImportContext, sink: DirectorySink, tally: Tally): Promise<void> {
  const all = await ctx.source.departmentIds();
  for await (const rows of batches(ctx.source.departments(), ROWS)) {
    const departments = rows.flatMap((row) => departmentOf(row, all, tally));
    await sink.addDepartments(departments);
    ctx.progress.add(rows.length);
  }
}

function departmentOf(row: DepartmentRow, all: ReadonlySet<number>, tally: Tally): ImportedDepartment[] {
  const { id, parentId } = row;
  if (!isInt(id) || id === 0) {
    tally.leftOut('IMDepart', 'department-id', `department ${id}`);
    return [];
  }
  const name = cleaned(row.name, DEPARTMENT_NAME_LENGTH_MAX);
  const why = name.text === '' ? 'empty' : name.why;
  if (why !== undefined) tally.add('department-name', `department ${id}: ${why}`);
  if (parentId !== 0 && !all.has(parentId)) tally.add('department-parent', `department ${id}: ${parentId}`);
  tally.stored('IMDepart');
  return [
    {
      id,
      name: name.text === '' ? `department ${id}` : name.text,
      priority: Math.min(row.priority, INT_MAX),
      parent_id: isInt(parentId) ? parentId : 0,
      status: row.status === 0 ? 0 : 1,
    },
  ];
}

// ------------------------------------------------------------------------------------------------------------- users

async function importUsers(ctx: ImportContext, sink: DirectorySink, tally: Tally): Promise<void> {
  const departments = await ctx.source.departmentIds();
  const names = new Set<string>();
  for await (const rows of batches(ctx.source.users(), ROWS)) {
    const users = rows.flatMap((row) => userOf(row, { names, departments, tally }));
    await sink.addUsers(users);
    ctx.progress.add(rows.length);
  }
}

interface UserParts {
  /** Those given so far. */
  readonly names: Set<string>;
  readonly departments: ReadonlySet<number>;
  readonly tally: Tally;
}

function userOf(row: UserRow, { names, departments, tally }: UserParts): ImportedUser[] {
  const { id, departmentId } = row;
  if (!isUserId(id)) {
    tally.leftOut('IMUser', 'user-id', `user ${id}, "${cleaned(row.name).text}"`);
    return [];
  }
  const text = (field: string, bytes: Buffer) => {
    const { text: clean, why } = cleaned(bytes);
    if (why !== undefined) tally.add('user-text', `user ${id}, ${field}: ${why}`);
    return clean;
  };
  if (departmentId !== 0 && !departments.has(departmentId)) tally.add('user-department', `user ${id}: ${departmentId}`);
  tally.stored('IMUser');
  return [
    {
      id,
      name: nameOf(row, names, tally),
      nick: text('nick', row.nick),
      domain: text('domain', row.domain),
      sex: row.sex,
      phone: text('phone', row.phone),
      email: text('email', row.email),
      avatar: text('avatar', row.avatar),
      department_id: isInt(departmentId) ? departmentId : 0,
      status: statusOf(row, tally),
      sign_info: text('signature', row.signInfo),
      push_shield: row.pushShield === 0 ? 0 : 1,
      password_hash: passwordOf(row, tally),
      created: row.created,
    },
  ];
}

/** Login names are unique here. Of several users with the same the first in service keeps it. */
function nameOf({ id, name: bytes }: UserRow, names: Set<string>, tally: Tally): string {
  const cleanedName = cleaned(bytes, USER_NAME_LENGTH_MAX, { trim: true });
  let name = cleanedName.text;
  if (name === '') name = `user-${id}`;
  const why = cleanedName.text === '' ? 'empty' : cleanedName.why;
  if (why !== undefined) tally.add('user-name', `user ${id}: ${why}; logs in as "${name}"`);
  if (names.has(name)) {
    const wanted = name;
    for (let suffix = `#${id}`; names.has(name); suffix = `#${suffix}`)
      name = `${[...wanted].slice(0, USER_NAME_LENGTH_MAX - suffix.length).join('')}${suffix}`;
    tally.add('user-name-taken', `user ${id} "${wanted}" logs in as "${name}"`);
  }
  names.add(name);
  return name;
}

function statusOf({ id, status }: UserRow, tally: Tally): number {
  if (status > STATUS_MAX || status < 0) {
    tally.add('user-status', `user ${id}: ${status}`);
    return LEFT;
  }
  if (status === LEFT) tally.add('user-left');
  else if (status !== 0) tally.add('user-can-log-in', `user ${id}: status ${status}`);
  return status;
}

/** As it was stored; what is no MD5 is no password of anybody. */
function passwordOf({ id, salt, password }: UserRow, tally: Tally): string {
  const md5 = password.toString('latin1');
  if (MD5.test(md5)) return teamtalkHash(cleaned(salt).text, md5);
  tally.add('user-password', `user ${id}`);
  return teamtalkHash('', '');
}

// ------------------------------------------------------------------------------------------------------------ groups

async function importGroupRows(ctx: ImportContext, sink: DirectorySink, tally: Tally): Promise<void> {
  let rows: GroupRow[];
  for (let after = 0; ; after = rows.at(-1)!.id) {
    rows = await ctx.source.groups(after, ROWS);
    if (rows.length === 0) return;
    await sink.addGroups(rows.flatMap((row) => groupOf(ctx, row, tally)));
    ctx.progress.add(rows.length);
  }
}

function groupOf(ctx: ImportContext, row: GroupRow, tally: Tally): ImportedGroup[] {
  const { id, creator, version } = row;
  if (!isGroupId(id)) {
    tally.leftOut('IMGroup', 'group-id', `group ${id}`);
    return [];
  }
  const [name, avatar] = [cleaned(row.name, GROUP_NAME_SIZE_MAX), cleaned(row.avatar)];
  const why = name.text === '' ? 'no name' : (name.why ?? avatar.why);
  if (why !== undefined) tally.add('group-text', `group ${id}: ${why}`);
  const isKnownType = row.type === FIXED || row.type === TEMPORARY;
  if (!isKnownType) tally.add('group-type', `group ${id}: ${row.type}`);
  const isKnownCreator = creator === 0 || ctx.users.has(creator);
  if (!isKnownCreator) tally.add('group-creator', `group ${id}: ${creator}`);
  if (row.status !== 0) tally.add('group-deleted', `group ${id}`);
  tally.stored('IMGroup');
  return [
    {
      id,
      name: name.text === '' ? `group ${id}` : name.text,
      avatar: avatar.text,
      creator_id: isKnownCreator ? creator : 0,
      type: isKnownType ? row.type : FIXED,
      version: Math.min(Math.max(version, 1), INT_MAX - 1),
      status: row.status === 0 ? 0 : 1,
      created: row.created,
    },
  ];
}

// ------------------------------------------------------------------------------------------------------------ tokens

const CLIENTS: Readonly<Record<string, number>> = {
  ios: ClientType.CLIENT_TYPE_IOS,
  android: ClientType.CLIENT_TYPE_ANDROID,
};

async function importTokens(ctx: ImportContext, sink: DirectorySink, tally: Tally): Promise<void> {
  const given = new Set<string>();
  for await (const userIds of batches(ordered(ctx.users), ROWS)) {
    const found = await ctx.redis!.tokens(userIds, tally);
    const tokens = userIds.flatMap((userId, n) => tokenOf(userId, found[n], tally));
    const owners = await ctx.redis!.owners(
      tokens.map(({ token }) => token),
      tally,
    );
    const rows = tokens.filter(({ user_id: userId, token }, n) => {
      const isTaken = given.has(token) || (owners[n] !== undefined && owners[n] !== userId);
      if (isTaken) {
        tally.add('token-refused', `user ${userId}: another user's`);
        return false;
      }
      given.add(token);
      tally.stored('tokens');
      tally.add('token-stored');
      return true;
    });
    await sink.addTokens(rows);
  }
}

function tokenOf(userId: number, value: string | undefined, tally: Tally): ImportedToken[] {
  if (value === undefined) return [];
  const [, client = '', token = ''] = /^(\w+):(.+)$/s.exec(value) ?? [];
  const clientType = CLIENTS[client];
  if (clientType !== undefined && token.length <= DEVICE_TOKEN_SIZE_MAX && !token.includes('\0'))
    return [{ user_id: userId, client_type: clientType, token }];
  tally.add('token-refused', `user ${userId}: "${value.slice(0, 12)}…"`);
  return [];
}

async function* ordered(ids: Iterable<number>): AsyncGenerator<number> {
  yield* [...ids].sort((a, b) => a - b);
}

function isInt(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id <= INT_MAX;
}
