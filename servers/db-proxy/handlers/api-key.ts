import { isScope } from '../../../common/api-key.js';
import { isUserId } from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { API_KEY_NAME_LENGTH_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { ApiKey } from '../storage/api-keys.js';

export async function check(
  ctx: DbProxyContext,
  asked: IM.Api.IMApiKeyCheckReq,
): Promise<IM.Api.IMApiKeyCheckRsp.$Properties> {
  const key = await ctx.apiKeys.check(asked.id, asked.secretHash);
  return { key: key && plainKey(key) };
}

export async function create(
  ctx: DbProxyContext,
  asked: IM.Api.IMApiKeyCreateReq,
): Promise<IM.Api.IMApiKeyCreateRsp.$Properties> {
  const { name, scopes, userId, expiresMs, actor } = asked;
  if (name.trim() === '' || name.length > API_KEY_NAME_LENGTH_MAX || name.includes('\0'))
    throw new ImError('BAD_REQUEST', `name: 1 to ${API_KEY_NAME_LENGTH_MAX} characters are allowed`);
  const strange = scopes.find((scope) => !isScope(scope));
  if (strange !== undefined) throw new ImError('BAD_REQUEST', `scopes: there is no scope ${strange}`);
  if (scopes.length === 0) throw new ImError('BAD_REQUEST', 'scopes: a key without any opens nothing');
  if (userId !== undefined && !(isUserId(userId) && (await ctx.users.existing([userId])).has(userId)))
    throw new ImError('NO_SUCH_USER', `user ${userId}`);
  const made = await ctx.apiKeys.create({ name, scopes: [...new Set(scopes)], userId, expiresMs, actor });
  return { key: plainKey(made.key), token: made.token };
}

export async function list(ctx: DbProxyContext): Promise<IM.Api.IMApiKeyListRsp.$Properties> {
  return { keyList: (await ctx.apiKeys.list()).map(plainKey) };
}

export async function revoke(
  ctx: DbProxyContext,
  asked: IM.Api.IMApiKeyRevokeReq,
): Promise<IM.Api.IMApiKeyRevokeRsp.$Properties> {
  return { revoked: await ctx.apiKeys.revoke(asked.id, asked.actor) };
}

export async function sameRequest(
  ctx: DbProxyContext,
  asked: IM.Api.IMIdempotencyReq,
): Promise<IM.Api.IMIdempotencyRsp.$Properties> {
  if (asked.keyHash.length !== 32 || asked.requestHash.length !== 32)
    throw new ImError('BAD_REQUEST', 'key_hash and request_hash have 32 bytes');
  return { same: await ctx.apiKeys.sameRequest(asked.keyHash, asked.requestHash) };
}

function plainKey(key: ApiKey): IM.Api.ApiKey.$Properties {
  return { ...key, scopes: [...key.scopes] };
}
