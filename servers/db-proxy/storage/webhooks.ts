import { randomBytes, randomUUID } from 'node:crypto';
import type pg from 'pg';
import { GROUP_BIT, groupOf, isGroupConversation, usersOf } from '../../../common/conversation.js';
import { KEY_IS_LIVE } from './api-keys.js';
import type { ConsoleKey } from './console-key.js';
import type { Groups } from './groups.js';

export interface Webhook {
  readonly id: string;
  readonly url: string;
  /** Only of conversations that this user is in. */
  readonly userId: number | undefined;
  readonly withBodies: boolean;
  readonly active: boolean;
  readonly createdMs: number;
  /** The API key that made it. */
  readonly keyId: string | undefined;
  readonly lastError: string | undefined;
}

/** With what signs its deliveries. */
export interface SigningWebhook extends Webhook {
  readonly secret: string;
}

/** Messages of one conversation for one webhook, from `from` to `to`, both included. */
export interface Parcel {
  readonly claim: string;
  readonly webhook: SigningWebhook;
  readonly conversationId: bigint;
  readonly from: number;
  readonly to: number;
  readonly attempts: number;
  readonly deadLetterId: number | undefined;
}

export interface Settling {
  readonly claim: string;
  readonly webhookId: string;
  readonly conversationId: bigint;
  readonly upTo: number;
  readonly deadLetterId?: number | undefined;
  readonly error?: string | undefined;
  /** Undefined with an error: it is given up. */
  readonly retryMs?: number | undefined;
}

export interface DeadLetter {
  readonly id: number;
  readonly webhookId: string;
  readonly conversationId: bigint;
  readonly from: number;
  readonly to: number;
  readonly error: string;
  readonly atMs: number;
  readonly replaying: boolean;
}

interface WebhookRow {
  readonly id: string;
  readonly url: string;
  readonly secret: string | null;
  readonly sealed_secret: Buffer | null;
  readonly user_id: number | null;
  readonly with_bodies: boolean;
  readonly active: boolean;
  readonly created: Date;
  readonly key_id: string | null;
  readonly last_error: string | null;
}

const COLUMNS =
  'w.id, w.url, w.secret, w.sealed_secret, w.user_id, w.with_bodies, w.active, w.created, w.key_id, w.last_error';
/** One whose key was revoked says nothing more. */
const LIVE = `w.active and (w.key_id is null or exists (select from meta.api_key k where k.id = w.key_id and ${KEY_IS_LIVE}))`;
/** Messages of one parcel at most. */
export const PARCEL_MAX = 50;

/** Statement, with the conversations ($1) and ids ($2) of new messages: whoever is to be told of them has them waiting. */
export const wakeLanes = `
  insert into meta.webhook_lane as l (webhook_id, conversation_id, told, head)
  select w.id, e.conversation_id, min(e.msg_id) - 1, max(e.msg_id)
    from unnest($1::bigint[], $2::int[]) as e (conversation_id, msg_id) cross join meta.webhook w
   where ${LIVE} and (w.user_id is null
      or case when e.conversation_id & ${GROUP_BIT} = 0
         then w.user_id in (e.conversation_id >> 32, e.conversation_id & 4294967295)
         else exists (select from meta.group_member gm where gm.group_id = (e.conversation_id & 4294967295)::int and gm.user_id = w.user_id) end)
   group by w.id, e.conversation_id order by 1, 2
  on conflict (webhook_id, conversation_id) do update
     set head = greatest(l.head, excluded.head), touched = now(), due = case when l.told = l.head then now() else l.due end`;

/**
 * Webhooks and what is on its way to them. For each webhook a conversation is a lane: told up to here, to be told up to
 * there. A lane is out with one http-msg server at a time, so order holds within a conversation; a claim that runs out
 * is open to others. What waits is not copied: a parcel is read from the messages when it is sent.
 */
export class Webhooks {
  readonly #meta: pg.Pool;
  readonly #groups: Groups;
  readonly #key: ConsoleKey;

  constructor(meta: pg.Pool, groups: Groups, key: ConsoleKey) {
    this.#meta = meta;
    this.#groups = groups;
    this.#key = key;
  }

  /** Secrets that an older version left readable. Any number of db-proxies may do it at once. */
  async sealOld(): Promise<void> {
    const { rows } = await this.#meta.query<{ id: string; secret: string }>(
      'select id, secret from meta.webhook where secret is not null',
    );
    for (const { id, secret } of rows)
      await this.#meta.query(
        'update meta.webhook set secret = null, sealed_secret = $2 where id = $1 and secret is not null',
        [id, this.#sealed(id, secret)],
      );
  }

  async create(wanted: {
    url: string;
    userId: number | undefined;
    withBodies: boolean;
    keyId: string | undefined;
  }): Promise<SigningWebhook> {
    const id = `wh_${randomBytes(8).toString('hex')}`;
    const secret = `whsec_${randomBytes(32).toString('base64url')}`;
    const { rows } = await this.#meta.query<WebhookRow>(
      `insert into meta.webhook as w (id, url, sealed_secret, user_id, with_bodies, key_id) values ($1, $2, $3, $4, $5, $6) returning ${COLUMNS}`,
      [id, wanted.url, this.#sealed(id, secret), wanted.userId ?? null, wanted.withBodies, wanted.keyId ?? null],
    );
    return { ...webhookOf(rows[0]!), secret };
  }

  /** Undefined: there is none, or it is another key's. */
  async change(
    id: string,
    keyId: string | undefined,
    change: { url?: string | undefined; withBodies?: boolean | undefined; active?: boolean | undefined },
  ): Promise<Webhook | undefined> {
    const { rows } = await this.#meta.query<WebhookRow>(
      `update meta.webhook w set url = coalesce($3, url), with_bodies = coalesce($4, with_bodies), active = coalesce($5, active)
        where id = $1 and ($2::text is null or key_id = $2) returning ${COLUMNS}`,
      [id, keyId ?? null, change.url ?? null, change.withBodies ?? null, change.active ?? null],
    );
    return rows[0] && webhookOf(rows[0]);
  }

  async list(keyId: string | undefined): Promise<(Webhook & { waiting: number; dead: number })[]> {
    const { rows } = await this.#meta.query<WebhookRow & { waiting: bigint; dead: bigint }>(
      `select ${COLUMNS}, (select count(*) from meta.webhook_lane l where l.webhook_id = w.id and l.told < l.head) as waiting,
              (select count(*) from meta.webhook_dead d where d.webhook_id = w.id) as dead
         from meta.webhook w where $1::text is null or w.key_id = $1 order by w.created, w.id`,
      [keyId ?? null],
    );
    return rows.map((row) => ({ ...webhookOf(row), waiting: Number(row.waiting), dead: Number(row.dead) }));
  }

  async remove(id: string, keyId: string | undefined): Promise<boolean> {
    const { rowCount } = await this.#meta.query(
      'delete from meta.webhook where id = $1 and ($2::text is null or key_id = $2)',
      [id, keyId ?? null],
    );
    return rowCount === 1;
  }

  /** What nobody is at, for `leaseMs`: a few of each webhook, so that one with much to be told does not take all. */
  async claim(limit: number, perWebhook: number, leaseMs: number, busy: readonly string[]): Promise<Parcel[]> {
    const claim = randomUUID();
    const { rows: lanes } = await this.#meta.query<
      WebhookRow & { conversation_id: bigint; told: number; head: number; attempts: number }
    >({
      name: 'webhooks-claim',
      text: `with free as (
               select f.* from meta.webhook w cross join lateral (
                 select webhook_id, conversation_id from meta.webhook_lane
                  where webhook_id = w.id and told < head and due <= now() order by due limit $2 for update skip locked) f
                where ${LIVE} and w.id <> all ($4::text[]) limit $1)
             update meta.webhook_lane l set claim = $5, due = now() + $3 * interval '1 millisecond'
               from free join meta.webhook w on w.id = free.webhook_id
              where l.webhook_id = free.webhook_id and l.conversation_id = free.conversation_id
             returning ${COLUMNS}, l.conversation_id, l.told, l.head, l.attempts`,
      values: [limit, perWebhook, leaseMs, busy, claim],
    });
    const parcels: Parcel[] = (await this.#signing(lanes)).map(({ row, webhook }) => ({
      claim,
      webhook,
      conversationId: row.conversation_id,
      from: row.told + 1,
      to: Math.min(row.head, row.told + PARCEL_MAX),
      attempts: row.attempts,
      deadLetterId: undefined,
    }));
    return [...parcels, ...(await this.#claimReplays(claim, perWebhook, leaseMs, busy))];
  }

  async #claimReplays(claim: string, limit: number, leaseMs: number, busy: readonly string[]): Promise<Parcel[]> {
    const { rows } = await this.#meta.query<
      WebhookRow & { letter: bigint; conversation_id: bigint; from_msg_id: number; to_msg_id: number }
    >({
      name: 'webhooks-replay',
      text: `with free as (
               select d.id from meta.webhook_dead d join meta.webhook w on w.id = d.webhook_id
                where d.due <= now() and ${LIVE} and w.id <> all ($3::text[])
                  and not exists (select from meta.webhook_dead o where o.webhook_id = d.webhook_id
                        and o.conversation_id = d.conversation_id and o.due is not null and o.id < d.id)
                order by d.due limit $1 for update of d skip locked)
             update meta.webhook_dead d set claim = $4, due = now() + $2 * interval '1 millisecond'
               from free, meta.webhook w where d.id = free.id and w.id = d.webhook_id
             returning ${COLUMNS}, d.id as letter, d.conversation_id, d.from_msg_id, d.to_msg_id`,
      values: [limit, leaseMs, busy, claim],
    });
    return (await this.#signing(rows)).map(({ row, webhook }) => ({
      claim,
      webhook,
      conversationId: row.conversation_id,
      from: row.from_msg_id,
      to: row.to_msg_id,
      attempts: 0,
      deadLetterId: Number(row.letter),
    }));
  }

  /** One whose secret does not open sends nothing: what is its waits, and the list of webhooks says why. */
  async #signing<Row extends WebhookRow>(rows: readonly Row[]): Promise<{ row: Row; webhook: SigningWebhook }[]> {
    const open: { row: Row; webhook: SigningWebhook }[] = [];
    for (const row of rows) {
      const secret = this.#secretOf(row);
      if (secret === undefined) await this.#note(row.id, 'its secret cannot be opened: make it anew');
      else open.push({ row, webhook: { ...webhookOf(row), secret } });
    }
    return open;
  }

  #secretOf({ id, secret, sealed_secret: sealed }: WebhookRow): string | undefined {
    if (sealed === null) return secret!; // of an older version that still runs
    try {
      return this.#key.open(ownerOf(id), sealed).toString();
    } catch {
      return undefined;
    }
  }

  #sealed(id: string, secret: string): Buffer {
    return this.#key.seal(ownerOf(id), Buffer.from(secret));
  }

  /** Messages above this id are for the webhook's user; undefined: none are, he is no longer in that conversation. */
  async seesAfter({ userId }: Webhook, conversationId: bigint): Promise<number | undefined> {
    if (userId === undefined) return 0;
    if (!isGroupConversation(conversationId)) return usersOf(conversationId).includes(userId) ? 0 : undefined;
    return (await this.#groups.membershipOf(userId, groupOf(conversationId)))?.joinedMsgId;
  }

  /** @returns false when the claim has run out and somebody else has it. */
  async settle(it: Settling): Promise<boolean> {
    return it.deadLetterId === undefined ? this.#settleLane(it) : this.#settleReplay(it, it.deadLetterId);
  }

  async #settleLane({ claim, webhookId, conversationId, upTo, error, retryMs }: Settling): Promise<boolean> {
    const lane = [webhookId, String(conversationId), claim];
    const mine = 'webhook_id = $1 and conversation_id = $2 and claim = $3';
    if (error !== undefined && retryMs !== undefined) {
      const { rowCount } = await this.#meta.query(
        `update meta.webhook_lane set attempts = attempts + 1, claim = null, due = now() + $4 * interval '1 millisecond' where ${mine}`,
        [...lane, retryMs],
      );
      await this.#note(webhookId, error);
      return rowCount === 1;
    }
    const { rowCount } = await this.#meta.query(
      `with lane as (select * from meta.webhook_lane where ${mine} for update),
            given_up as (insert into meta.webhook_dead (webhook_id, conversation_id, from_msg_id, to_msg_id, error)
              select webhook_id, conversation_id, told + 1, $4, $5 from lane where $5::text is not null)
       update meta.webhook_lane l set told = greatest(l.told, $4), attempts = 0, claim = null, due = now()
         from lane where l.webhook_id = lane.webhook_id and l.conversation_id = lane.conversation_id`,
      [...lane, upTo, error ?? null],
    );
    if (error === undefined) await this.#recovered(webhookId);
    else await this.#note(webhookId, error);
    return rowCount === 1;
  }

  async #settleReplay({ claim, error }: Settling, id: number): Promise<boolean> {
    const { rowCount } =
      error === undefined
        ? await this.#meta.query('delete from meta.webhook_dead where id = $1 and claim = $2', [id, claim])
        : await this.#meta.query(
            'update meta.webhook_dead set due = null, claim = null, error = $3, at = now() where id = $1 and claim = $2',
            [id, claim, error],
          );
    return rowCount === 1;
  }

  async #note(webhookId: string, error: string): Promise<void> {
    await this.#meta.query('update meta.webhook set last_error = $2 where id = $1 and last_error is distinct from $2', [
      webhookId,
      error,
    ]);
  }

  /** It answers again: what waits for its next attempt goes at once. */
  async #recovered(webhookId: string): Promise<void> {
    await this.#meta.query({
      name: 'webhook-recovered',
      text: `with was as (update meta.webhook set last_error = null where id = $1 and last_error is not null returning id)
             update meta.webhook_lane l set due = now() from was
              where l.webhook_id = was.id and l.told < l.head and l.claim is null and l.due > now()`,
      values: [webhookId],
    });
  }

  /** Newest first. */
  async deadLetters(webhookId: string, keyId: string | undefined, before: number, limit: number) {
    const { rows } = await this.#meta.query<{
      id: bigint;
      conversation_id: bigint;
      from_msg_id: number;
      to_msg_id: number;
      error: string;
      at: Date;
      replaying: boolean;
    }>(
      `select d.id, d.conversation_id, d.from_msg_id, d.to_msg_id, d.error, d.at, d.due is not null as replaying
         from meta.webhook_dead d join meta.webhook w on w.id = d.webhook_id
        where w.id = $1 and ($2::text is null or w.key_id = $2) and d.id < $3 order by d.id desc limit $4`,
      [webhookId, keyId ?? null, before, limit],
    );
    return rows.map(
      (row): DeadLetter => ({
        id: Number(row.id),
        webhookId,
        conversationId: row.conversation_id,
        from: row.from_msg_id,
        to: row.to_msg_id,
        error: row.error,
        atMs: row.at.getTime(),
        replaying: row.replaying,
      }),
    );
  }

  /** @returns how many will be delivered again; without ids all that are not on their way already. */
  async replay(webhookId: string, keyId: string | undefined, ids: readonly number[]): Promise<number> {
    const { rowCount } = await this.#meta.query(
      `update meta.webhook_dead d set due = now() from meta.webhook w
        where w.id = $1 and ($2::text is null or w.key_id = $2) and d.webhook_id = w.id and d.due is null
          and (cardinality($3::bigint[]) = 0 or d.id = any ($3::bigint[]))`,
      [webhookId, keyId ?? null, ids],
    );
    return rowCount ?? 0;
  }

  /** @returns how many are gone; without ids all, those included that are just being delivered once more. */
  async drop(webhookId: string, keyId: string | undefined, ids: readonly number[]): Promise<number> {
    const { rowCount } = await this.#meta.query(
      `delete from meta.webhook_dead d using meta.webhook w
        where w.id = $1 and ($2::text is null or w.key_id = $2) and d.webhook_id = w.id
          and (cardinality($3::bigint[]) = 0 or d.id = any ($3::bigint[]))`,
      [webhookId, keyId ?? null, ids],
    );
    return rowCount ?? 0;
  }

  /** Lanes without anything for a week; they are made anew when there is something. */
  async forgetIdleLanes(): Promise<void> {
    await this.#meta.query(
      "delete from meta.webhook_lane where told >= head and touched < now() - interval '7 days' and claim is null",
    );
  }
}

function webhookOf(row: WebhookRow): Webhook {
  return {
    id: row.id,
    url: row.url,
    userId: row.user_id ?? undefined,
    withBodies: row.with_bodies,
    active: row.active,
    createdMs: row.created.getTime(),
    keyId: row.key_id ?? undefined,
    lastError: row.last_error ?? undefined,
  };
}

/** As what its secret is sealed. */
function ownerOf(webhookId: string): string {
  return `webhook ${webhookId}`;
}
