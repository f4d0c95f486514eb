import { groupConversation, isGroupId, isUserId } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import {
  ADMIN_PAGE_MAX,
  AVATAR_URL_SIZE_MAX,
  DEPARTMENT_NAME_LENGTH_MAX,
  GROUP_MEMBERS_MAX,
  GROUP_NAME_SIZE_MAX,
  IMPORT_ROWS_MAX,
  PROFILE_FIELD_LENGTH_MAX,
  SETTING_SIZE_MAX,
  SIGNATURE_SIZE_MAX,
  USER_NAME_LENGTH_MAX,
} from '../../../common/limits.js';
import { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { Actor, AuditRow } from '../storage/audit.js';
import type { ImportOutcome, PersonChange, PersonChanged, PersonFields } from '../storage/people.js';
import { canBeKept } from './buddy.js';
import { endDevice, isOneLine } from './login.js';

const { GroupType } = IM.BaseDefine;
const STATUS_MAX = 4;
const REQUEST_ID_SIZE = 16;

export async function people(
  ctx: DbProxyContext,
  asked: IM.Directory.IMPeopleReq,
): Promise<IM.Directory.IMPeopleRsp.$Properties> {
  const page = await ctx.people.page({
    search: searched(asked.search),
    departmentId: given(asked.departmentId),
    statuses: asked.statusList,
    byName: asked.byName === true,
    after: given(asked.after),
    limit: pageSize(asked.limit),
    count: asked.count === true,
    userIds: bounded('userIdList', asked.userIdList, ADMIN_PAGE_MAX),
    name: given(asked.name),
  });
  return { personList: page.people, next: page.next, total: page.total };
}

export async function changePerson(
  ctx: DbProxyContext,
  asked: IM.Directory.IMChangePersonReq,
): Promise<IM.Directory.IMChangePersonRsp.$Properties> {
  const actor = actorOf(asked.actor);
  const request = requestOf(asked.requestId);
  const change = await personChange(ctx, asked.fields);
  const userId = given(asked.userId);
  if (userId === undefined && change.fields.name === undefined) throw bad('name', 'must be given');
  const changed =
    userId === undefined
      ? await ctx.people.create(actor, change, request)
      : await ctx.people.change(actor, requireUserId(userId), change, given(asked.expectedVersion), request);
  tellOfPeople(ctx, [changed]);
  return { person: changed.person };
}

/** Rows that cannot be are refused one by one: a list of thousands is not sent back for one wrong cell. */
export async function importPeople(
  ctx: DbProxyContext,
  asked: IM.Directory.IMImportPeopleReq,
): Promise<IM.Directory.IMImportPeopleRsp.$Properties> {
  const actor = actorOf(asked.actor);
  const rows = bounded('rowList', asked.rowList, IMPORT_ROWS_MAX);
  const outcomes: ImportOutcome[] = [];
  const good: { at: number; change: PersonChange }[] = [];
  await Promise.all(
    rows.map(async (row, at) => {
      try {
        const change = await personChange(ctx, row, asked.dryRun);
        if (change.fields.name === undefined) throw bad('name', 'must be given');
        good.push({ at, change });
      } catch (error) {
        if (!(error instanceof ImError)) throw error;
        outcomes[at] = { outcome: 'refused', code: error.code, detail: error.detail };
      }
    }),
  );
  good.sort((a, b) => a.at - b.at); // hashes are made in any order
  const { outcomes: made, changed } = await ctx.people.import(
    actor,
    good.map((each) => each.change),
    { dryRun: asked.dryRun, update: asked.update },
  );
  for (const [i, outcome] of made.entries()) outcomes[good[i]!.at] = outcome;
  tellOfPeople(ctx, changed);
  return { outcomeList: outcomes };
}

export async function departmentTree(ctx: DbProxyContext): Promise<IM.Directory.IMDepartmentTreeRsp.$Properties> {
  return { departmentList: await ctx.departmentTree.all() };
}

export async function changeDepartment(
  ctx: DbProxyContext,
  asked: IM.Directory.IMChangeDepartmentReq,
): Promise<IM.Directory.IMChangeDepartmentRsp.$Properties> {
  const name = given(asked.name);
  if (name !== undefined || asked.departmentId == null) checkText('name', name ?? '', DEPARTMENT_NAME_LENGTH_MAX, true);
  const department = await ctx.departmentTree.change(
    actorOf(asked.actor),
    given(asked.departmentId),
    {
      name,
      parentId: given(asked.parentId),
      priority: given(asked.priority),
      remove: given(asked.remove),
    },
    given(asked.expectedVersion),
    requestOf(asked.requestId),
  );
  ctx.tellMsgServers({ departmentsStamp: department.version });
  return { department };
}

export async function groups(
  ctx: DbProxyContext,
  asked: IM.Directory.IMGroupsReq,
): Promise<IM.Directory.IMGroupsRsp.$Properties> {
  const page = await ctx.groupAdmin.page({
    search: searched(asked.search),
    userId: given(asked.userId),
    groupType: given(asked.groupType),
    withDeleted: asked.withDeleted === true,
    after: given(asked.after),
    limit: pageSize(asked.limit),
    count: asked.count === true,
    groupIds: bounded('groupIdList', asked.groupIdList, ADMIN_PAGE_MAX),
  });
  return { groupList: page.groups, next: page.next, total: page.total };
}

export async function groupMembers(
  ctx: DbProxyContext,
  asked: IM.Directory.IMGroupMembersReq,
): Promise<IM.Directory.IMGroupMembersRsp.$Properties> {
  const group = isGroupId(asked.groupId) ? await ctx.groupAdmin.get(asked.groupId) : undefined;
  if (group === undefined) throw new ImError('NO_SUCH_GROUP', `there is no group ${asked.groupId}`);
  return { group, memberList: await ctx.people.membersOf(asked.groupId) };
}

/** Everybody concerned hears of it: those who are in it afterwards, and those who are not any more. */
export async function changeGroup(
  ctx: DbProxyContext,
  asked: IM.Directory.IMChangeGroupReq,
): Promise<IM.Directory.IMChangeGroupRsp.$Properties> {
  const groupId = given(asked.groupId);
  const name = given(asked.name);
  if (groupId === undefined && name === undefined) throw bad('name', 'must be given');
  if (name !== undefined) checkSize('name', name, GROUP_NAME_SIZE_MAX, true);
  if (asked.avatar != null) checkSize('avatar', asked.avatar, AVATAR_URL_SIZE_MAX);
  if (groupId !== undefined && !isGroupId(groupId)) throw new ImError('NO_SUCH_GROUP', `there is no group ${groupId}`);
  const wanted = [...asked.addList, ...asked.removeList];
  const stranger = wanted.find((id) => !isUserId(id));
  if (stranger !== undefined) throw new ImError('NO_SUCH_USER', `there is no user ${stranger}`);
  const head = groupId === undefined ? 0 : await ctx.messages.head(groupConversation(groupId));
  const changed = await ctx.groupAdmin.change(
    actorOf(asked.actor),
    groupId,
    {
      name,
      avatar: given(asked.avatar),
      groupType: asked.groupType ?? GroupType.GROUP_TYPE_NORMAL,
      creatorId: given(asked.creatorId),
      add: bounded('addList', asked.addList, GROUP_MEMBERS_MAX),
      remove: bounded('removeList', asked.removeList, GROUP_MEMBERS_MAX),
      disband: given(asked.disband),
    },
    head,
    given(asked.expectedVersion),
    requestOf(asked.requestId),
  );
  const { group, added, removed, current } = changed;
  if (added.length + removed.length > 0) {
    const id = group.groupId;
    ctx.tellMsgServers({ groupList: [{ groupId: id, addedList: added, removedList: removed, currentList: current }] });
    await ctx.conversations.touch([...added, ...removed], groupConversation(id));
  }
  return { group, addedList: added, removedList: removed };
}

export async function endSessions(
  ctx: DbProxyContext,
  asked: IM.Directory.IMEndSessionsReq,
): Promise<IM.Directory.IMEndSessionsRsp.$Properties> {
  const onlyClass = given(asked.deviceClass);
  const userId = requireUserId(asked.userId);
  await ctx.people.endSessions(actorOf(asked.actor), userId, onlyClass, asked.forgetToken === true);
  ctx.tellMsgServers({ endedUserList: [userId], onlyClass });
  return {};
}

export async function userDevices(
  ctx: DbProxyContext,
  asked: IM.Directory.IMUserDevicesReq,
): Promise<IM.Directory.IMUserDevicesRsp.$Properties> {
  return { deviceList: await ctx.loginTokens.ofUser(requireUserId(asked.userId)) };
}

export async function removeDevice(
  ctx: DbProxyContext,
  asked: IM.Directory.IMRemoveDeviceReq,
): Promise<IM.Directory.IMRemoveDeviceRsp.$Properties> {
  const { deviceId } = asked;
  const userId = requireUserId(asked.userId);
  const actor = actorOf(asked.actor);
  const removed = isOneLine(deviceId) && (await ctx.loginTokens.removeAudited(actor, userId, deviceId));
  if (removed) endDevice(ctx, { userId, deviceId });
  return { removed };
}

export async function auditTrail(
  ctx: DbProxyContext,
  asked: IM.Directory.IMAuditReq,
): Promise<IM.Directory.IMAuditRsp.$Properties> {
  const limit = pageSize(asked.limit);
  const rows = await ctx.audit.list({
    beforeId: given(asked.beforeId),
    limit: limit + 1,
    subject: given(asked.subject),
    actorName: given(asked.actorName),
    action: given(asked.action),
  });
  const page = rows.slice(0, limit);
  return { rowList: page.map((row: AuditRow) => row), next: rows.length > limit ? page.at(-1)!.id : undefined };
}

export function verifyAudit(
  ctx: DbProxyContext,
  asked: IM.Directory.IMVerifyAuditReq,
): Promise<IM.Directory.IMVerifyAuditRsp.$Properties> {
  return ctx.audit.verify(asked.afterId);
}

export async function noteAudit(
  ctx: DbProxyContext,
  asked: IM.Directory.IMNoteAuditReq,
): Promise<IM.Directory.IMNoteAuditRsp.$Properties> {
  const id = await ctx.audit.note(actorOf(asked.actor), {
    action: asked.action,
    subject: asked.subject,
    before: jsonOf('before', asked.before),
    after: jsonOf('after', asked.after),
  });
  return { id };
}

export async function settings(
  ctx: DbProxyContext,
  asked: IM.Directory.IMSettingsReq,
): Promise<IM.Directory.IMSettingsRsp.$Properties> {
  return { settingList: await ctx.liveSettings.list(asked.prefix) };
}

export async function changeSetting(
  ctx: DbProxyContext,
  asked: IM.Directory.IMChangeSettingReq,
): Promise<IM.Directory.IMChangeSettingRsp.$Properties> {
  checkText('name', asked.name, 128, true);
  const value = given(asked.value);
  if (value !== undefined) {
    checkSize('value', value, SETTING_SIZE_MAX, true);
    jsonOf('value', value);
  }
  return {
    setting: await ctx.liveSettings.change(actorOf(asked.actor), asked.name, value, given(asked.expectedVersion)),
  };
}

/** What msg servers and clients have to know of changes of people. */
export function tellOfPeople(ctx: DbProxyContext, changed: readonly PersonChanged[]): void {
  if (changed.length === 0) return;
  ctx.tellMsgServers({
    endedUserList: changed.filter((each) => each.ended).map((each) => each.person.userId),
    profileList: changed
      .filter((each) => each.avatar || each.signInfo)
      .map(({ person, avatar, signInfo }) => ({
        userId: person.userId,
        avatar: avatar ? person.avatar : undefined,
        signInfo: signInfo ? person.signInfo : undefined,
      })),
    usersStamp: Math.max(...changed.map((each) => each.person.version)),
  });
}

async function personChange(
  ctx: DbProxyContext,
  asked: IM.Directory.PersonFields.$Properties,
  dryRun = false,
): Promise<PersonChange> {
  const { passwordMd5, ...given } = asked;
  const present = Object.entries(given).filter(([, value]) => value !== null && value !== undefined);
  const fields = Object.fromEntries(present) as Partial<PersonFields>;
  if (fields.name !== undefined) checkText('name', fields.name, USER_NAME_LENGTH_MAX, true);
  for (const field of ['nick', 'domain', 'phone', 'email'] as const)
    if (fields[field] !== undefined) checkText(field, fields[field], PROFILE_FIELD_LENGTH_MAX, field === 'nick');
  if (fields.avatar !== undefined) checkSize('avatar', fields.avatar, AVATAR_URL_SIZE_MAX);
  if (fields.signInfo !== undefined) checkSize('signInfo', fields.signInfo, SIGNATURE_SIZE_MAX);
  if ((fields.status ?? 0) > STATUS_MAX) throw bad('status', `is from 0 to ${STATUS_MAX}`);
  if ((fields.sex ?? 0) > 2) throw bad('sex', 'is 0, 1 or 2');
  if ((fields.departmentId ?? 0) > 0x7fffffff)
    throw new ImError('NO_SUCH_DEPARTMENT', `departmentId: there is no department ${fields.departmentId}`);
  if (passwordMd5 == null) return { fields };
  if (!/^[0-9a-f]{32}$/.test(passwordMd5)) throw bad('passwordMd5', 'is 32 hex digits, lower case');
  return { fields, passwordHash: dryRun ? '' : await ctx.passwords.hash(passwordMd5) };
}

export function actorOf(actor: IM.Directory.Actor.$Properties): Actor {
  return { kind: actor.kind, name: actor.name, address: actor.address ?? '' };
}

export function requestOf(id: Uint8Array | null | undefined): Uint8Array | undefined {
  if (id == null) return undefined;
  if (id.length !== REQUEST_ID_SIZE) throw bad('requestId', `has ${REQUEST_ID_SIZE} bytes`);
  return id;
}

function requireUserId(id: number): number {
  if (!isUserId(id)) throw new ImError('NO_SUCH_USER', `there is no user ${id}`);
  return id;
}

function pageSize(limit: number): number {
  if (limit < 1 || limit > ADMIN_PAGE_MAX) throw bad('limit', `is from 1 to ${ADMIN_PAGE_MAX}`);
  return limit;
}

function bounded<T>(field: string, list: readonly T[], max: number): readonly T[] {
  if (list.length > max) throw bad(field, `has at most ${max} entries`);
  return list;
}

function searched(text: string | null | undefined): string | undefined {
  if (text == null || text.trim() === '') return undefined;
  checkText('search', text, PROFILE_FIELD_LENGTH_MAX);
  return text.trim();
}

/** Characters; those that control a terminal or a line are not for names. */
function checkText(field: string, value: string, lengthMax: number, required = false): void {
  if (required && value.trim() === '') throw bad(field, 'must not be empty');
  if ([...value].length > lengthMax) throw bad(field, `has at most ${lengthMax} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(value)) throw bad(field, 'has a control character in it');
}

function checkSize(field: string, value: string, sizeMax: number, required = false): void {
  if (required && value.trim() === '') throw bad(field, 'must not be empty');
  if (!canBeKept(value, sizeMax)) throw bad(field, `has at most ${sizeMax} bytes and no NUL`);
}

function jsonOf(field: string, text: string | null | undefined): object | undefined {
  if (text == null) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    throw bad(field, 'is not JSON');
  }
}

function bad(field: string, what: string): ImError {
  return new ImError('BAD_REQUEST', `${field}: ${what}`);
}

/** The generated types say null for what was not sent. */
function given<T>(value: T | null | undefined): T | undefined {
  return value ?? undefined;
}
