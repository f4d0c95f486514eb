import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isGroupId, isUserId } from '../../../common/conversation.js';
import type { Key } from './keys.js';
import { Problem, problemSchema } from './problem.js';

/** Shapes that several subjects share. Unknown fields are refused, so that a misspelt one is not silently nothing. */
export const userId = z.int().min(1).max(0x3fff_ffff).refine(isUserId).describe('id of a user');
export const groupId = z.int().min(1).max(0x7fff_ffff).refine(isGroupId).describe('id of a group');
export const limit = (most: number, usual: number) => z.coerce.number().int().min(1).max(most).default(usual);
export const queryUserId = z.coerce.number().pipe(userId);
export const queryGroupId = z.coerce.number().pipe(groupId);
export const pageCursor = z.string().max(256).optional().describe('next of the page before');
export const ifMatch = z.object({ 'if-match': z.string().optional().describe('"version" that is to be changed') });

/** @throws Problem when it is none of ours */
export function expectedVersion(header: string | undefined): number | undefined {
  if (header === undefined || header === '*') return undefined;
  const [, digits] = /^(?:W\/)?"(\d{1,15})"$/.exec(header) ?? [];
  if (digits === undefined) throw new Problem(400, 'BAD_REQUEST', 'If-Match: is none of our versions');
  return Number(digits);
}

/** Answers that every route may give. */
export const problems = {
  400: problemSchema.describe('something in the request is wrong'),
  401: problemSchema.describe('no valid API key'),
  403: problemSchema.describe('not allowed, or the key lacks the scope'),
  404: problemSchema.describe('there is no such thing'),
  409: problemSchema.describe('it contradicts what is there'),
  429: problemSchema.describe('too many requests'),
  503: problemSchema.describe('not possible just now; try again'),
};

/** The person that a call acts for: the key's own, or the one it names. */
export function actingUser(key: Key, named: number | undefined, field: string): number {
  if (key.userId !== undefined) {
    if (named !== undefined && named !== key.userId)
      throw new Problem(403, 'NOT_ALLOWED', `${field}: this key acts for user ${key.userId} only`);
    return key.userId;
  }
  if (named === undefined) throw new Problem(400, 'BAD_REQUEST', `${field}: is missing, as this key is nobody's own`);
  return named;
}

/** Who makes a change, for the audit trail. */
export function actorOf(request: FastifyRequest): { kind: string; name: string; address: string } {
  return { kind: 'api-key', name: request.key.id, address: request.ip };
}

/** A place in a list, as opaque text. */
export function cursorOf(place: number): string {
  return Buffer.from(`1:${place}`).toString('base64url');
}

/** @throws Problem when it is none of ours */
export function placeOf(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const [, digits] = /^1:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (digits === undefined) throw new Problem(400, 'BAD_REQUEST', 'cursor: is none of ours');
  return Number(digits);
}
