import { createHash } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { type Draft, SEND_ID_SIZE, storeDraft } from '../../../common/chat/message.js';
import { ImError } from '../../../common/errors.js';
import { IDEMPOTENCY_KEY_LENGTH_MAX } from '../../../common/limits.js';
import { apiKeys } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Key } from './keys.js';
import { Problem } from './problem.js';

/** Stored first, told second, as the msg server does it. @throws ImError */
export async function send(ctx: HttpMsgContext, draft: Draft): Promise<IM.Cluster.IMStoreMsgRsp> {
  const checked = ctx.sendHook === undefined ? draft : await ctx.sendHook.asked(draft);
  const startedMs = ctx.clock.nowMs();
  try {
    const stored = await storeDraft(ctx.dbProxies, checked);
    // One that was there may have been told of by nobody: who had it knows it by its id.
    ctx.routes.message(checked, stored);
    return stored;
  } catch (error) {
    if (error instanceof ImError && error.retry) ctx.routes.disturbed(startedMs);
    throw error;
  }
}

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
