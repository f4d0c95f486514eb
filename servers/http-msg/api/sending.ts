import { createHash } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { SEND_ID_SIZE } from '../../../common/chat/message.js';
import { IDEMPOTENCY_KEY_LENGTH_MAX } from '../../../common/limits.js';
import { apiKeys } from '../../../common/pdu/commands.js';
import type { HttpMsgContext } from '../context.js';
import type { Key } from './keys.js';
import { Problem } from './problem.js';

/** The ids that a request sends its messages under: the same for the same Idempotency-Key, else fresh ones. */
export interface SendIds {
  of(receiver: string): Uint8Array;
}

/**
 * What an Idempotency-Key stands for is the first request under it, for a day.
 * @throws Problem 409 when it stood for another request before
 */
export async function sendIds(
  ctx: HttpMsgContext,
  key: Key,
  header: string | string[] | undefined,
  request: unknown,
): Promise<SendIds> {
  if (header === undefined) return { of: () => uuidV7({}, new Uint8Array(SEND_ID_SIZE)) };
  if (Array.isArray(header) || header === '' || header.length > IDEMPOTENCY_KEY_LENGTH_MAX)
    throw new Problem(400, 'BAD_REQUEST', `Idempotency-Key: 1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} characters`);
  const keyHash = digest(key.id, header);
  const { same } = await ctx.dbProxies.ask(apiKeys.sameRequest, {
    keyHash,
    requestHash: digest(JSON.stringify(request)),
  });
  if (!same) throw new Problem(409, 'IDEMPOTENCY_KEY_REUSED', 'Idempotency-Key: it stood for another request before');
  return { of: (receiver) => digest(keyHash.toString('hex'), receiver).subarray(0, SEND_ID_SIZE) };
}

function digest(...parts: readonly string[]): Buffer {
  return createHash('sha256').update(parts.join('\0')).digest();
}
