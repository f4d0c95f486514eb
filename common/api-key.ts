import { createHash, randomBytes } from 'node:crypto';

/**
 * Keys of the HTTP interface: tt_<id>_<secret>. The id may be shown and logged. The secret is 32 random bytes, so its
 * plain SHA-256 is enough at rest: there is nothing to guess.
 */
export const SCOPES = [
  'users:read',
  'users:write',
  'departments:read',
  'departments:write',
  'groups:read',
  'groups:write',
  'messages:send',
  'messages:read',
  'presence:read',
  'announcements:send',
  'files:write',
  'events:read',
  'events:content',
  'webhooks:write',
  'scim',
] as const;
export type Scope = (typeof SCOPES)[number];

export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}

export interface KeyParts {
  readonly id: string;
  /** SHA-256 of the secret. */
  readonly secretHash: Buffer;
}

export function freshKey(): KeyParts & { readonly token: string } {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { id, secretHash: hashOf(secret), token: `tt_${id}_${secret}` };
}

/** Undefined when it cannot be a key. */
export function partsOf(token: string): KeyParts | undefined {
  const [, id, secret] = /^tt_([0-9a-f]{16})_([\w-]{43})$/.exec(token) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secretHash: hashOf(secret) };
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
