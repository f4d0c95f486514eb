import { groupOf, isGroupConversation, usersOf } from '../../../../common/conversation.js';
import { ImError } from '../../../../common/errors.js';
import type { Heads } from './heads.js';
import { type Item, settleError } from './item.js';

/** Answers of the directory that storing depends on. */
export interface Membership {
  /** Which of these users exist and have not left. */
  existing(userIds: readonly number[]): Promise<ReadonlySet<number>>;
  /** Which of these (group, user) pairs are members of a group that is not deleted; keys as memberKey makes them. */
  members(pairs: readonly { groupId: number; userId: number }[]): Promise<ReadonlySet<string>>;
}

export function memberKey(groupId: number, userId: number): string {
  return `${groupId}/${userId}`;
}

/** Group messages of non-members and first messages to nobody end here. @returns the others */
export async function admitted(batch: Item[], membership: Membership, heads: Heads): Promise<Item[]> {
  const inGroups = batch.filter((item) => isGroupConversation(item.conversationId));
  const newSingles = batch.filter(
    (item) => !isGroupConversation(item.conversationId) && !heads.has(item.conversationId),
  );
  if (inGroups.length === 0 && newSingles.length === 0) return batch;
  const pairs = inGroups.map((item) => ({ groupId: groupOf(item.conversationId), userId: item.senderId }));
  const members = inGroups.length === 0 ? undefined : await membership.members(pairs);
  const people = newSingles.flatMap((item) => usersOf(item.conversationId));
  const existing = newSingles.length === 0 ? undefined : await membership.existing(people);
  return batch.filter((item) => {
    const error = isGroupConversation(item.conversationId)
      ? members!.has(memberKey(groupOf(item.conversationId), item.senderId))
        ? undefined
        : new ImError('NOT_A_MEMBER', `user ${item.senderId} in group ${groupOf(item.conversationId)}`)
      : heads.has(item.conversationId) || usersOf(item.conversationId).every((id) => existing!.has(id))
        ? undefined
        : new ImError('NO_SUCH_USER', `conversation of ${usersOf(item.conversationId).join(' and ')}`);
    if (error !== undefined) settleError(item, error);
    return error === undefined;
  });
}
