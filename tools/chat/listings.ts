import type { Client } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import type { Desk } from './desk.js';
import { UNREAD_SHOWN_MAX } from './inbox.js';
import type { Outbox } from './outbox.js';
import type { Conversation } from './people.js';
import { counted, duration, printable, shortened, stamp } from './text.js';

/** The commands that only look: people, groups, conversations, the state of things. */

type UserInfo = IM.BaseDefine.UserInfo;
const { ClientType, UserStatType } = IM.BaseDefine;
const PEOPLE_SHOWN_MAX = 200;
/** UserInfo.status of somebody who is no longer with the company. */
const LEFT = 3;

export async function listPeople(desk: Desk, filter: string): Promise<void> {
  const { client, people } = desk;
  const [departments] = await Promise.all([client.departments(), people.load(client)]);
  const byId = new Map(departments.map((department) => [department.deptId, department]));
  const departmentOf = ({ departmentId }: UserInfo) => printable(byId.get(departmentId)?.deptName ?? 'no department');
  const priorityOf = ({ departmentId }: UserInfo) => byId.get(departmentId)?.priority ?? Number.MAX_VALUE;
  const found = [...people.users.values()]
    .filter((user) => user.status !== LEFT && matches(user, departmentOf(user), filter.trim().toLowerCase()))
    .sort((a, b) => priorityOf(a) - priorityOf(b) || a.departmentId - b.departmentId || byName(a, b));
  const shown = found.slice(0, PEOPLE_SHOWN_MAX);
  const online = await onlineOf(client, shown);
  const lines = shown.flatMap((user, index) => {
    const title = departmentOf(user);
    const first = index === 0 || departmentOf(shown[index - 1]!) !== title;
    return [...(first ? [desk.terminal.paint.bold(title)] : []), personLine(desk, user, online.has(user.userId))];
  });
  if (found.length === 0) lines.push('nobody');
  if (found.length > shown.length) lines.push(`… and ${found.length - shown.length} more: /who FILTER narrows it down`);
  desk.print(...lines);
}

function matches(user: UserInfo, department: string, wanted: string): boolean {
  const texts = [user.userRealName, user.userNickName, user.userDomain, department];
  return texts.some((text) => text.toLowerCase().includes(wanted));
}

function byName(a: UserInfo, b: UserInfo): number {
  return a.userNickName.localeCompare(b.userNickName);
}

async function onlineOf(client: Client, users: readonly UserInfo[]): Promise<Set<number>> {
  if (users.length === 0) return new Set();
  const status = await client.usersStatus(users.map(({ userId }) => userId));
  const here = status.filter((each) => each.status !== UserStatType.USER_STATUS_OFFLINE);
  return new Set(here.map(({ userId }) => userId));
}

function personLine({ terminal, people, me }: Desk, user: UserInfo, online: boolean): string {
  const { good, dim } = terminal.paint;
  const self = user.userId === me ? ', you' : '';
  const signature = user.signInfo ? dim(`  ${shortened(printable(user.signInfo), 60)}`) : '';
  return `  ${online ? good('●') : '○'} ${people.fullName(user)}${self}${signature}`;
}

export async function listGroups(desk: Desk): Promise<void> {
  const { client, people, terminal, me } = desk;
  await people.load(client);
  const groups = [...people.groups.values()].filter((group) => group.groupMemberList.includes(me));
  if (groups.length === 0) return desk.print('you are in no group');
  for (const group of groups.sort((a, b) => a.groupName.localeCompare(b.groupName))) {
    const members = counted(group.groupMemberList.length, 'member');
    desk.print(`  ${terminal.paint.name(people.groupName(group.groupId))}  ${members}`);
  }
}

export async function listSessions(desk: Desk): Promise<void> {
  const { client, people, terminal } = desk;
  const { dim, name } = terminal.paint;
  const sessions = await client.recentSessions();
  await people.meet(client, sessions);
  if (sessions.length === 0) return desk.print('no conversations yet');
  for (const session of [...sessions].sort((a, b) => b.updatedTime - a.updatedTime)) {
    const time = dim(stamp(session.updatedTime * 1000, Date.now()));
    desk.print(`  ${time} ${name(people.nameOf(session))}  ${counted(session.latestMsgId, 'message')}`);
  }
}

export function listUnread({ people, terminal }: Desk, list: readonly IM.BaseDefine.UnreadInfo[]): void {
  const each = list.map((info) => {
    const rest = info.unreadCnt > UNREAD_SHOWN_MAX ? ` (the last ${UNREAD_SHOWN_MAX} are shown)` : '';
    return `${info.unreadCnt} from ${people.nameOf(info)}${rest}`;
  });
  terminal.print(each.length === 0 ? 'nothing unread' : `unread: ${each.join(', ')}`);
}

export async function showStatus(desk: Desk, outbox: Outbox, partner: Conversation | undefined): Promise<void> {
  const { account, people } = desk;
  const { client, address, sinceMs } = desk.there;
  const offset = (await client.time()) - Math.floor(Date.now() / 1000);
  const type = ClientType[client.clientType]?.replace('CLIENT_TYPE_', '').toLowerCase();
  desk.print(
    `  you       ${people.fullName(client.userInfo)}, id ${client.userId}, as ${type}`,
    `  server    ${address} for ${duration(Date.now() - sinceMs)}, found through ${account.loginUrl}`,
    `  partner   ${partner === undefined ? 'nobody yet' : people.nameOf(partner)}`,
    `  messages  ${outbox.delivered} delivered, ${outbox.open} on their way, ${outbox.failed} not delivered`,
    `  clock     the server's is ${Math.abs(offset) <= 1 ? 'like ours' : `${offset} s from ours`}`,
  );
}
