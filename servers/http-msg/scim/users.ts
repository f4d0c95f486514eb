import { z } from 'zod';
import type { IM } from '../../../common/pdu/pb.js';
import { LEFT, passwordMd5 } from '../api/users.js';
import { ScimError } from './errors.js';
import type { Change } from './patch.js';

export const USER_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User';
type Fields = IM.Directory.PersonFields.$Properties;

const valued = z.array(z.object({ value: z.string(), type: z.string().optional(), primary: z.boolean().optional() }));
/** What is read of a user; other attributes of the schema are taken and left alone, as RFC 7644 has it. */
const incoming = z.object({
  schemas: z.array(z.string()),
  userName: z.string().min(1),
  displayName: z.string().optional(),
  nickName: z.string().optional(),
  name: z
    .object({ formatted: z.string().optional(), givenName: z.string().optional(), familyName: z.string().optional() })
    .optional(),
  emails: valued.optional(),
  phoneNumbers: valued.optional(),
  active: z.boolean().optional(),
  password: z.string().max(128).optional(),
});

export function scimUser(it: IM.Directory.Person, base: string) {
  return {
    schemas: [USER_SCHEMA],
    id: String(it.userId),
    userName: it.name,
    displayName: it.nick,
    nickName: it.nick,
    name: { formatted: it.nick },
    active: it.status !== LEFT,
    emails: it.email === '' ? [] : [{ value: it.email, type: 'work', primary: true }],
    phoneNumbers: it.phone === '' ? [] : [{ value: it.phone, type: 'work' }],
    meta: {
      resourceType: 'User',
      created: new Date(it.createdS * 1000).toISOString(),
      version: `W/"${it.version}"`,
      location: `${base}/Users/${it.userId}`,
    },
  };
}

/** @throws ScimError */
export function fieldsOfUser(body: unknown, before?: IM.Directory.Person): Fields {
  const parsed = incoming.safeParse(body);
  if (!parsed.success) throw new ScimError(400, z.prettifyError(parsed.error), 'invalidValue');
  const { userName, displayName, nickName, name, emails, phoneNumbers, active, password } = parsed.data;
  const parts = [name?.givenName, name?.familyName].filter((each) => each !== undefined).join(' ');
  const nick = displayName ?? nickName ?? name?.formatted ?? (parts === '' ? undefined : parts);
  return {
    name: userName,
    nick: nick ?? (before === undefined ? userName : undefined),
    email: emails === undefined ? undefined : preferred(emails),
    phone: phoneNumbers === undefined ? undefined : preferred(phoneNumbers),
    status: statusOf(active, before),
    passwordMd5: password === undefined ? undefined : passwordMd5(password),
  };
}

/** @throws ScimError */
export function patchedUser(changes: readonly Change[], before: IM.Directory.Person): Fields {
  const fields: Fields = {};
  for (const { op, path, value } of changes) {
    const text = () => (op === 'remove' ? '' : textOf(value));
    switch (path) {
      case 'active':
        fields.status = statusOf(op === 'remove' ? true : truth(value), before);
        break;
      case 'username':
        fields.name = text();
        break;
      case 'displayname':
      case 'nickname':
      case 'name.formatted':
        fields.nick = text();
        break;
      case 'emails':
      case 'emails.value':
        fields.email = text();
        break;
      case 'phonenumbers':
      case 'phonenumbers.value':
        fields.phone = text();
        break;
      case 'password':
        fields.passwordMd5 = passwordMd5(text());
        break;
      case 'name':
        fields.nick = textOf((value as { formatted?: unknown } | undefined)?.formatted);
        break;
      case 'id':
      case 'meta':
      case 'groups':
        throw new ScimError(400, `${path}: cannot be changed here`, 'mutability');
      default: // an attribute that is not kept here
    }
  }
  return fields;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const many = valued.safeParse(value);
  if (many.success) return preferred(many.data);
  throw new ScimError(400, 'value: a text is needed', 'invalidValue');
}

function preferred(list: z.infer<typeof valued>): string {
  return (list.find((each) => each.primary) ?? list[0])?.value ?? '';
}

/** Some directories send it as a text. */
function truth(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
  throw new ScimError(400, 'active: true or false', 'invalidValue');
}

/** Undefined: as it is. Somebody on trial is active and stays on trial. */
function statusOf(active: boolean | undefined, before: IM.Directory.Person | undefined): number | undefined {
  if (active === undefined) return undefined;
  if (!active) return LEFT;
  return before === undefined || before.status === LEFT ? 0 : undefined;
}
