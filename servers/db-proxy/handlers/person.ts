import { ImError } from '../../../common/errors.js';
import {
  APP_PASSWORD_NAME_LENGTH_MAX,
  DIRECTORY_PASSWORD_LENGTH_MAX,
  PROFILE_FIELD_LENGTH_MAX,
  USER_NAME_LENGTH_MAX,
} from '../../../common/limits.js';
import { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { DirectoryPerson } from '../storage/identities.js';
import type { SignedIn } from '../storage/person-sessions.js';
import { tellOfPeople } from './directory.js';
import { endDevice, isOneLine } from './login.js';

const { EnterResult } = IM.Person;
const SUBJECT_LENGTH_MAX = 255;
const CHALLENGE_SIZE = 32;

const RESULT = {
  wrong: EnterResult.ENTER_RESULT_WRONG,
  locked: EnterResult.ENTER_RESULT_LOCKED,
  left: EnterResult.ENTER_RESULT_LEFT,
  unknown: EnterResult.ENTER_RESULT_UNKNOWN,
  'name-taken': EnterResult.ENTER_RESULT_NAME_TAKEN,
  'no-name': EnterResult.ENTER_RESULT_NO_NAME,
} as const;

/** How a sign-in with the company's account went. */
export type SignIn =
  | { readonly ok: true; readonly userId: number; readonly source: string }
  | { readonly ok: false; readonly why: keyof typeof RESULT };

/** Somebody signs in on his page. */
export async function enter(
  ctx: DbProxyContext,
  asked: IM.Person.IMPersonEnterReq,
): Promise<IM.Person.IMPersonEnterRsp.$Properties> {
  const { claims, address } = asked;
  const signIn =
    claims == null
      ? await enterByPassword(ctx, asked.name ?? '', asked.password ?? '', address)
      : await meet(ctx, personOf(claims), address);
  if (!signIn.ok) return { result: RESULT[signIn.why] };
  const token = await ctx.personSessions.begin(signIn.userId, signIn.source, asked.lifetimeMs);
  return { result: EnterResult.ENTER_RESULT_OK, token };
}

/**
 * With the password that LDAP knows. Failures are counted by whom the name means and not by how it was written, as LDAP
 * takes many spellings for the same, and by address.
 * @throws ImError NOT_ALLOWED without LDAP; DIRECTORY_UNAVAILABLE, BUSY
 */
export async function enterByPassword(
  ctx: DbProxyContext,
  name: string,
  password: string,
  address: string,
): Promise<SignIn> {
  const { ldap, passwords } = ctx;
  if (ldap === undefined) throw new ImError('NOT_ALLOWED', 'this cluster has no LDAP');
  if (passwords.refusesAddress(address)) return { ok: false, why: 'locked' };
  const possible = name !== '' && password !== '' && name.length <= USER_NAME_LENGTH_MAX && isOneLine(name);
  if (!possible || password.length > DIRECTORY_PASSWORD_LENGTH_MAX) return { ok: false, why: 'wrong' };
  const person = await ldap.find(name);
  if (person === undefined) {
    await ldap.proves(undefined, password);
    await passwords.countAddress(address);
    return { ok: false, why: 'wrong' };
  }
  const verdict = await passwords.guess(`${person.source} ${person.subject}`, address, () =>
    ldap.proves(person, password),
  );
  if (verdict !== 'right') return { ok: false, why: verdict };
  return meet(ctx, person, address);
}

/** The directory has vouched for him. */
async function meet(ctx: DbProxyContext, person: DirectoryPerson, address: string): Promise<SignIn> {
  const name = cleaned(person.name, USER_NAME_LENGTH_MAX);
  if (name === undefined || name !== person.name.trim()) return { ok: false, why: 'no-name' };
  if (person.subject === '' || person.subject.length > SUBJECT_LENGTH_MAX || person.subject.includes('\0'))
    throw new ImError('BAD_REQUEST', `subject: has 1 to ${SUBJECT_LENGTH_MAX} characters`);
  const nick = cleaned(person.nick, PROFILE_FIELD_LENGTH_MAX);
  const email = cleaned(person.email, PROFILE_FIELD_LENGTH_MAX);
  const departmentId = person.department === undefined ? undefined : await departmentOf(ctx, person.department);
  const actor = { kind: 'directory', name, address };
  const met = await ctx.identities.meet(actor, person, {
    name,
    ...(nick !== undefined && { nick }),
    ...(email !== undefined && { email }),
    ...(departmentId !== undefined && { departmentId }),
  });
  if (!met.ok) {
    ctx.log.warn({ source: person.source, name, why: met.why }, 'somebody of the directory was not let in');
    return met;
  }
  if (met.changed !== undefined) tellOfPeople(ctx, [met.changed]);
  return { ok: true, userId: met.userId, source: person.source };
}

/** The only one of this name; departments are made here and not by a directory. */
async function departmentOf(ctx: DbProxyContext, name: string): Promise<number | undefined> {
  const found = (await ctx.departmentTree.all()).filter((each) => each.name === name.trim());
  return found.length === 1 ? found[0]!.departmentId : undefined;
}

/** What others write about somebody, as one line of so many characters; undefined: nothing is left. */
function cleaned(text: string | undefined, lengthMax: number): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const line = text?.replace(/[\x00-\x1f\x7f]+/g, ' ').trim();
  return line === undefined || line === '' ? undefined : [...line].slice(0, lengthMax).join('');
}

function personOf(claims: IM.Person.Claims.$Properties): DirectoryPerson {
  const { nick, email, department, ...same } = claims;
  return { ...same, nick: nick ?? undefined, email: email ?? undefined, department: department ?? undefined };
}

/** What somebody sees on his page, and does there: to himself only. */
export async function page(
  ctx: DbProxyContext,
  asked: IM.Person.IMPersonPageReq,
): Promise<IM.Person.IMPersonPageRsp.$Properties> {
  const me = await ctx.personSessions.find(asked.tokenHash);
  if (me === undefined) return {};
  if (asked.signOut === true) {
    await ctx.personSessions.end(asked.tokenHash);
    return {};
  }
  const done = await change(ctx, me, asked);
  const { userId, name, nick, source } = me;
  const [devices, appPasswords] = await Promise.all([ctx.loginTokens.ofUser(userId), ctx.appPasswords.ofUser(userId)]);
  return { name, nick, source, deviceList: devices, appPasswordList: appPasswords, ...done };
}

async function change(
  ctx: DbProxyContext,
  { userId, name }: SignedIn,
  asked: IM.Person.IMPersonPageReq,
): Promise<{ appPassword?: string; code?: string }> {
  const { newAppPassword, removeAppPassword, removeDevice, challenge, address } = asked;
  const actor = { kind: 'user', name, address };
  if (newAppPassword != null) {
    if (
      newAppPassword.trim() === '' ||
      newAppPassword.length > APP_PASSWORD_NAME_LENGTH_MAX ||
      !isOneLine(newAppPassword)
    )
      throw new ImError('BAD_REQUEST', `name: has 1 to ${APP_PASSWORD_NAME_LENGTH_MAX} characters, on one line`);
    const hash = (md5Hex: string) => ctx.passwords.hash(md5Hex);
    return { appPassword: await ctx.appPasswords.make(actor, userId, newAppPassword.trim(), hash) };
  }
  if (removeAppPassword != null) {
    // Nobody knows which session came by it: all end, and come back by what is left.
    if (await ctx.appPasswords.remove(actor, userId, removeAppPassword))
      ctx.tellMsgServers({ endedUserList: [userId] });
  }
  if (removeDevice != null && isOneLine(removeDevice) && (await ctx.loginTokens.remove(userId, removeDevice)))
    endDevice(ctx, { userId, deviceId: removeDevice });
  if (challenge != null) {
    if (challenge.length !== CHALLENGE_SIZE) throw new ImError('BAD_REQUEST', `challenge: has ${CHALLENGE_SIZE} bytes`);
    return { code: await ctx.personSessions.makeCode(userId, challenge) };
  }
  return {};
}

export function ways(ctx: DbProxyContext): Promise<IM.Person.IMSignInWaysRsp.$Properties> {
  return Promise.resolve({ ldap: ctx.ldap !== undefined });
}
