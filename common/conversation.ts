import assert from 'node:assert/strict';
import { BUCKETS } from './limits.js';

/**
 * Conversation ids are computed, not looked up: 64 bits, so bigint in code and int8 in PostgreSQL.
 *
 *   single  smaller user id in the upper 32 bits, larger one in the lower
 *   group   bit 62 set | group id (32)
 *
 * A smaller user id of 2^30 or more would collide with the group bit, so user ids stay below 2^30.
 */
export const GROUP_BIT = 1n << 62n;
const USER_ID_BELOW = 2 ** 30;

export function singleConversation(a: number, b: number): bigint {
  assert(isUserId(a) && isUserId(b) && a !== b, `no conversation between ${a} and ${b}`);
  return (BigInt(Math.min(a, b)) << 32n) | BigInt(Math.max(a, b));
}

export function groupConversation(groupId: number): bigint {
  assert(isGroupId(groupId), `no group ${groupId}`);
  return GROUP_BIT | BigInt(groupId);
}

export function isGroupConversation(id: bigint): boolean {
  return (id & GROUP_BIT) !== 0n;
}

/** The two users of a single conversation, smaller id first. */
export function usersOf(id: bigint): readonly [number, number] {
  return [Number(id >> 32n), Number(id & 0xffff_ffffn)];
}

export function groupOf(id: bigint): number {
  return Number(id & 0xffff_ffffn);
}

export function isUserId(id: number): boolean {
  return Number.isInteger(id) && id > 0 && id < USER_ID_BELOW;
}

export function isGroupId(id: number): boolean {
  return Number.isInteger(id) && id > 0 && id <= 0x7fff_ffff;
}

/**
 * The bucket of a conversation: a mix of all its bits, so that neighbours in number are not neighbours in place.
 * Part of the storage format: every row is where this function once said. (The finaliser of MurmurHash3, by
 * A. Appleby, public domain, over both halves.)
 */
export function bucketOf(id: bigint): number {
  return mix(Number(id & 0xffff_ffffn) ^ mix(Number((id >> 32n) & 0xffff_ffffn))) % BUCKETS;
}

/** The bucket of what belongs to a user: the list of his conversations. */
export function userBucketOf(userId: number): number {
  return mix(userId) % BUCKETS;
}

function mix(number: number): number {
  let h = number | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
