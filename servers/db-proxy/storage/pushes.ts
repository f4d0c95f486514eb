import type pg from 'pg';
import { isVoice } from '../../../common/chat/message.js';
import { groupOf, isGroupConversation, usersOf } from '../../../common/conversation.js';
import { decryptText } from '../../../common/text-cipher.js';
import { Turns } from '../../../common/turns.js';
import type { Conversations } from './conversations.js';
import { type Message, type Messages, type Place, placeKey } from './messages.js';
import type { QuietHours } from './quiet-hours.js';
import { LEFT, type Users } from './users.js';

export interface PushTarget {
  readonly userId: number;
  readonly clientType: number;
  readonly token: string;
  /** Unread messages in all conversations. */
  readonly badge: number;
}

export interface PlannedPush {
  readonly message: Message;
  readonly fromNick: string;
  readonly groupName: string | undefined;
  /** Plain. Undefined: not asked for, or no text. */
  readonly text: string | undefined;
  readonly targets: readonly PushTarget[];
}

interface PhoneRow {
  /** 0: asked for by user. */
  readonly group_id: number;
  readonly group_name: string;
  readonly user_id: number;
  readonly nick: string;
  readonly shield: number;
  readonly client_type: number;
  readonly token: string;
}

export interface PushParts {
  readonly messages: Messages;
  readonly conversations: Conversations;
  readonly users: Users;
  readonly quietHours: QuietHours;
}

interface Candidate {
  readonly message: Message;
  readonly phone: PhoneRow;
}

/** The consumer of the outbox. */
export const PUSH = 'push';

const LOOK_MS = 2_000;
const STANDINGS_AT_ONCE = 3;

/** Which phones are to be told of which messages, and what they were told. */
export class Pushes {
  readonly #meta: pg.Pool;
  readonly #parts: PushParts;

  /** A message to a group of thousands must not take all connections from those who read. */
  readonly #turns = new Turns(STANDINGS_AT_ONCE);
  #anyPhone = false;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(meta: pg.Pool, parts: PushParts) {
    this.#meta = meta;
    this.#parts = parts;
  }

  /** Whether there is any phone. As long as there is none, nothing is noted down for pushes. */
  async wanted(): Promise<boolean> {
    if (this.#anyPhone || performance.now() - this.#lookedMs < LOOK_MS) return this.#anyPhone;
    this.#lookedMs = performance.now();
    const { rows } = await this.#meta.query<{ any: boolean }>('select exists (select 1 from meta.device_token) as any');
    this.#anyPhone = rows[0]!.any;
    return this.#anyPhone;
  }

  /** Those of the messages of which somebody is to be told at this moment. */
  async plan(places: readonly Place[], withText: boolean, nowMs: number): Promise<PlannedPush[]> {
    const { messages, users, quietHours } = this.#parts;
    const found = await messages.at(places, false);
    const phones = await this.#phones([...found.values()]);
    const near = candidates([...found.values()], phones);
    if (near.length === 0) return [];
    // Opened only where there is a text that is to be shown, or by which somebody who wants none of the group's pushes
    // may be meant.
    const toOpen = new Map(
      near
        .filter(({ message, phone }) => !isVoice(message.msgType) && (withText || phone.shield !== 0))
        .map((each) => [placeKey(each.message), each.message]),
    );
    const opened = toOpen.size === 0 ? new Map<string, Message>() : await messages.at([...toOpen.values()], true);
    const texts = new Map([...opened].map(([key, { body }]) => [key, decryptText(body)]));
    const meant = near.filter(
      ({ message, phone }) => phone.shield === 0 || mentions(texts.get(placeKey(message)), phone.nick),
    );
    const userIds = [...new Set(meant.map(({ phone }) => phone.user_id))];
    const [shielded, shown, standings, senders] = await Promise.all([
      quietHours.shielded(userIds, nowMs),
      this.#shown(meant),
      this.#standings(userIds),
      users.byIds([...new Set(meant.map(({ message }) => message.senderId))]),
    ]);
    const nicks = new Map(senders.map((user) => [user.id, user.nick]));
    const due = meant.filter(({ message, phone }) => {
      const { conversationId, msgId } = message;
      const unreadFrom = standings.get(phone.user_id)!.readTo.get(conversationId);
      return (
        !shielded.has(phone.user_id) &&
        (shown.get(shownKey(phone.user_id, conversationId)) ?? 0) < msgId &&
        unreadFrom !== undefined &&
        unreadFrom < msgId
      );
    });
    const byMessage = groupBy(due, ({ message }) => placeKey(message));
    return [...byMessage].map(([key, all]) => {
      const { message, phone } = all[0]!;
      return {
        message,
        fromNick: nicks.get(message.senderId) ?? '',
        groupName: phone.group_id === 0 ? undefined : phone.group_name,
        text: withText ? texts.get(key) : undefined,
        targets: all.map((each) => targetOf(each.phone, standings.get(each.phone.user_id)!.badge)),
      };
    });
  }

  /** Where pushes for this user go, with the number that his phones show. */
  async devices(userId: number): Promise<(Omit<PushTarget, 'userId'> & { readonly updatedMs: number })[]> {
    const { rows } = await this.#meta.query<{ client_type: number; token: string; updated: Date }>(
      'select client_type, token, updated from meta.device_token where user_id = $1 order by class',
      [userId],
    );
    if (rows.length === 0) return [];
    const { badge } = (await this.#standings([userId])).get(userId)!;
    return rows.map((row) => ({
      clientType: row.client_type,
      token: row.token,
      updatedMs: row.updated.getTime(),
      badge,
    }));
  }

  /** These were told; older ones were told before. */
  async settle(told: readonly { userId: number; place: Place }[], invalidTokens: readonly string[]): Promise<void> {
    // A statement may not meet the same row twice: the newest of each conversation.
    const newest = new Map<string, { userId: number; place: Place }>();
    for (const each of told) {
      const key = shownKey(each.userId, each.place.conversationId);
      if ((newest.get(key)?.place.msgId ?? 0) < each.place.msgId) newest.set(key, each);
    }
    const rows = [...newest.values()];
    if (rows.length > 0)
      await this.#meta.query({
        name: 'push-shown',
        text: `insert into meta.push_shown as s (user_id, conversation_id, msg_id)
               select * from unnest($1::int[], $2::bigint[], $3::int[])
               on conflict (user_id, conversation_id) do update set msg_id = excluded.msg_id, at = now() where s.msg_id < excluded.msg_id`,
        values: [
          rows.map((each) => each.userId),
          rows.map((each) => String(each.place.conversationId)),
          rows.map((each) => each.place.msgId),
        ],
      });
    if (invalidTokens.length > 0)
      await this.#meta.query('delete from meta.device_token where token = any($1::text[])', [invalidTokens]);
  }

  /** The phone that may still show something of the conversation, all of which the user has read. Asked once. */
  async withdraw(userId: number, read: Place): Promise<PushTarget | undefined> {
    const { rows } = await this.#meta.query<PhoneRow>({
      name: 'push-withdraw',
      text: `with gone as (delete from meta.push_shown where user_id = $1 and conversation_id = $2 and msg_id <= $3 returning user_id)
             select t.user_id, t.client_type, t.token from gone join meta.device_token t using (user_id)`,
      values: [userId, String(read.conversationId), read.msgId],
    });
    const phone = rows[0];
    if (phone === undefined) return undefined;
    const standings = await this.#standings([userId]);
    return targetOf(phone, standings.get(userId)!.badge);
  }

  /** Of everybody whom these messages are for. */
  async #phones(messages: readonly Message[]): Promise<PhoneRow[]> {
    const groupIds = new Set<number>();
    const userIds = new Set<number>();
    for (const { conversationId, senderId } of messages)
      if (isGroupConversation(conversationId)) groupIds.add(groupOf(conversationId));
      else for (const id of usersOf(conversationId)) if (id !== senderId) userIds.add(id);
    const { rows } = await this.#meta.query<PhoneRow>({
      name: 'push-phones',
      text: `select m.group_id, g.name as group_name, m.user_id, u.nick, m.shield, t.client_type, t.token
               from meta.group_member m join meta.groups g on g.id = m.group_id and g.status = 0
               join meta.users u on u.id = m.user_id and u.status <> ${LEFT} join meta.device_token t on t.user_id = m.user_id
              where m.group_id = any($1::int[])
             union all
             select 0, '', u.id, u.nick, 0, t.client_type, t.token
               from meta.users u join meta.device_token t on t.user_id = u.id
              where u.id = any($2::int[]) and u.status <> ${LEFT}`,
      values: [[...groupIds], [...userIds]],
    });
    return rows;
  }

  async #shown(near: readonly Candidate[]): Promise<Map<string, number>> {
    const { rows } = await this.#meta.query<{ user_id: number; conversation_id: bigint; msg_id: number }>({
      name: 'push-shown-among',
      text: `select s.user_id, s.conversation_id, s.msg_id from unnest($1::int[], $2::bigint[]) as w (user_id, conversation_id)
               join meta.push_shown s on s.user_id = w.user_id and s.conversation_id = w.conversation_id`,
      values: [near.map(({ phone }) => phone.user_id), near.map(({ message }) => String(message.conversationId))],
    });
    return new Map(rows.map((row) => [shownKey(row.user_id, row.conversation_id), row.msg_id]));
  }

  /** By user: where he has unread messages, from which on, and how many in all. */
  async #standings(userIds: readonly number[]) {
    const entries = userIds.map(async (userId) => {
      const unread = await this.#turns.take(() => this.#parts.conversations.unread(userId));
      const badge = unread.reduce((sum, each) => sum + each.unread, 0);
      return [userId, { badge, readTo: new Map(unread.map((each) => [each.id, each.read])) }] as const;
    });
    return new Map(await Promise.all(entries));
  }
}

function candidates(messages: readonly Message[], phones: readonly PhoneRow[]): Candidate[] {
  const ofGroup = groupBy(phones, (phone) => phone.group_id);
  const ofUser = groupBy(ofGroup.get(0) ?? [], (phone) => phone.user_id);
  return messages.flatMap((message) => {
    const { conversationId, senderId } = message;
    const near = isGroupConversation(conversationId)
      ? (ofGroup.get(groupOf(conversationId)) ?? [])
      : usersOf(conversationId).flatMap((id) => ofUser.get(id) ?? []);
    return near.filter((phone) => phone.user_id !== senderId).map((phone) => ({ message, phone }));
  });
}

function groupBy<T, K>(list: readonly T[], keyOf: (it: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const it of list) {
    const there = groups.get(keyOf(it));
    if (there === undefined) groups.set(keyOf(it), [it]);
    else there.push(it);
  }
  return groups;
}

/** By name, or all of them. */
function mentions(text: string | undefined, nick: string): boolean {
  if (text === undefined) return false;
  return text.includes(`@${nick}`) || /@(all\b|所有人|全体成员)/i.test(text);
}

function shownKey(userId: number, conversationId: bigint): string {
  return `${userId} ${conversationId}`;
}

function targetOf(phone: PhoneRow, badge: number): PushTarget {
  return { userId: phone.user_id, clientType: phone.client_type, token: phone.token, badge };
}
