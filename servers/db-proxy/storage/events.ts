import type pg from 'pg';
import { GROUP_BIT } from '../../../common/conversation.js';
import { ApiKeys } from './api-keys.js';
import { CONSUMERS_MS, type Effect, type Outbox } from './outbox.js';
import { type Webhooks, wakeLanes } from './webhooks.js';

export interface LoggedEvent extends Effect {
  readonly seq: number;
}

export interface EventPage {
  readonly events: readonly LoggedEvent[];
  readonly next: number;
  readonly tooOld: boolean;
}

const CONSUMER = 'events';
/** Any constant: the same in all builds. */
const LOCK_ID = 0x65766e74;
const TIDY_MS = 60_000;
/** A batch that is on its way has looked before for whom it is written. */
const STORING_MS = 500;

/**
 * The log of events: every message in one order, for those who ask with a cursor, and the moment at which webhooks
 * learn that there is something for them. It is filled from the outboxes of the shards by one db-proxy at a time. As
 * long as nobody has asked for events, nothing is written for them.
 */
export class Events {
  readonly #meta: pg.Pool;
  readonly #outbox: Outbox;
  readonly #webhooks: Webhooks;
  readonly #keys: ApiKeys;
  #wanted: Promise<void> | undefined;
  #tidiedMs = Number.NEGATIVE_INFINITY;

  constructor(meta: pg.Pool, outbox: Outbox, webhooks: Webhooks) {
    this.#meta = meta;
    this.#outbox = outbox;
    this.#webhooks = webhooks;
    this.#keys = new ApiKeys(meta);
  }

  /** Resolves when every message from then on is an event, at whatever db-proxy. At once but for the first time. */
  want(): Promise<void> {
    this.#wanted ??= this.#want().catch((error: unknown) => {
      this.#wanted = undefined;
      throw error;
    });
    return this.#wanted;
  }

  async #want(): Promise<void> {
    if ((await this.#outbox.consumerOf(CONSUMER)) !== undefined) return;
    await this.#outbox.register(CONSUMER);
    // Until then some db-proxy may still store by what it knew before.
    await new Promise((resolve) => setTimeout(resolve, CONSUMERS_MS + STORING_MS));
  }

  /**
   * Moves up to `limit` effects per shard from the outbox to the log. When it breaks off between the two, the same
   * ones come again and find themselves there. @returns undefined when nobody wants events.
   */
  async forward(limit: number, keepHours: number): Promise<{ moved: number; head: number } | undefined> {
    const consumer = await this.#outbox.consumerOf(CONSUMER);
    if (consumer === undefined) return undefined;
    const moved = await this.#alone((client) => this.#move(client, consumer, limit));
    if (performance.now() - this.#tidiedMs > TIDY_MS) await this.#tidy(keepHours);
    return { moved, head: await this.head() };
  }

  async head(): Promise<number> {
    const { rows } = await this.#meta.query<{ head: bigint | null }>({
      name: 'events-head',
      text: 'select greatest(max(seq), (select up_to from meta.event_gone)) as head from meta.event',
    });
    return Number(rows[0]!.head);
  }

  /** After a place; with a user only what he may see, from a group only since his joining. */
  async read(after: number, limit: number, userId?: number): Promise<EventPage> {
    const { rows } = await this.#meta.query<{
      seq: bigint;
      conversation_id: bigint;
      msg_id: number;
      seen: boolean;
      gone: bigint;
    }>({
      name: 'events-page',
      text: `with gone as (select up_to from meta.event_gone), page as materialized (
               select seq, conversation_id, msg_id from meta.event where seq > $1 order by seq limit $2)
             select page.*, $3::int is null or ${sees('$3::int', 'page.conversation_id', 'page.msg_id')} as seen, gone.up_to as gone
               from page, gone order by seq`,
      values: [after, limit, userId ?? null],
    });
    const seen = rows.filter((row) => row.seen);
    return {
      events: seen.map((row) => ({ seq: Number(row.seq), conversationId: row.conversation_id, msgId: row.msg_id })),
      next: rows.length === 0 ? after : Number(rows.at(-1)!.seq),
      tooOld: rows.length > 0 && after < Number(rows[0]!.gone),
    };
  }

  async #move(client: pg.PoolClient, consumer: number, limit: number): Promise<Effect[]> {
    const effects = await this.#outbox.waiting(consumer, limit);
    if (effects.length === 0) return effects;
    const values = [effects.map((each) => String(each.conversationId)), effects.map((each) => each.msgId)];
    await client.query({
      name: 'events-log',
      text: `insert into meta.event (conversation_id, msg_id) select * from unnest($1::bigint[], $2::int[])
             on conflict (conversation_id, msg_id) do nothing`,
      values,
    });
    await client.query({ name: 'webhooks-wake', text: wakeLanes, values });
    return effects;
  }

  /**
   * Does it if no other db-proxy is at it, and takes the effects out of the outbox after the commit. The next one may
   * find some of them once more, and in the log; that is harmless.
   */
  async #alone(work: (client: pg.PoolClient) => Promise<Effect[]>): Promise<number> {
    const client = await this.#meta.connect();
    let effects: Effect[] = [];
    try {
      await client.query('begin');
      const lock = await client.query<{ mine: boolean }>('select pg_try_advisory_xact_lock($1) as mine', [LOCK_ID]);
      if (lock.rows[0]!.mine) effects = await work(client);
      await client.query('commit');
      client.release();
    } catch (error) {
      client.release(error as Error); // not used again: it may be in the middle of a transaction
      throw error;
    }
    const consumer = await this.#outbox.consumerOf(CONSUMER);
    if (effects.length > 0 && consumer !== undefined) await this.#outbox.done(consumer, effects);
    return effects.length;
  }

  async #tidy(keepHours: number): Promise<void> {
    this.#tidiedMs = performance.now();
    await this.#meta.query(
      `with gone as (delete from meta.event where at < now() - $1 * interval '1 hour' returning seq)
       update meta.event_gone set up_to = greatest(up_to, (select max(seq) from gone))`,
      [keepHours],
    );
    await this.#webhooks.forgetIdleLanes();
    await this.#keys.forgetRequests();
  }
}

/** SQL: whether a user may see a message, by expressions for the user, the conversation and the id. */
export function sees(user: string, conversation: string, msgId: string): string {
  return `case when ${conversation} & ${GROUP_BIT} = 0
    then ${user} in (${conversation} >> 32, ${conversation} & 4294967295)
    else exists (select from meta.group_member gm join meta.groups g on g.id = gm.group_id and g.status = 0
      where gm.group_id = (${conversation} & 4294967295)::int and gm.user_id = ${user} and gm.joined_msg_id < ${msgId}) end`;
}
