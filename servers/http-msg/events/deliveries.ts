import { createHmac } from 'node:crypto';
import { type Agent, request } from 'undici';
import { ImError } from '../../../common/errors.js';
import type { Hops } from '../../../common/hops.js';
import { Bucket } from '../../../common/live/bucket.js';
import type { Limits } from '../../../common/live/limits.js';
import type { Logger } from '../../../common/log.js';
import type { LinkGroup } from '../../../common/net/link-group.js';
import { guardedAgent } from '../../../common/net/outgoing.js';
import { webhooks } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import { shown } from '../api/content.js';
import type { HttpMsgSettings } from '../settings.js';
import type { Tail } from './tail.js';

/** Parcels of one webhook that are on their way at once, at this server. */
const PER_WEBHOOK = 4;
/** Parcels on their way in all. */
const AT_ONCE = 64;
const IDLE_MS = 500;
const FAILED_MS = 1_000;
/** A claim outlives the longest delivery by so much. */
const LEASE_EXTRA_MS = 10_000;
const ERROR_LENGTH_MAX = 300;

export interface DeliveryCounters {
  delivered(): void;
  failed(): void;
  givenUp(): void;
}

/**
 * Events on their way to webhooks. db-proxy hands out parcels, one per webhook and conversation at a time, so order
 * holds within a conversation wherever the parcels are sent from. Each webhook has only a few of the places here: one
 * that hangs holds up itself alone.
 */
export class WebhookDeliveries {
  readonly #dbProxies: LinkGroup;
  readonly #tail: Tail;
  readonly #limits: Limits<'http-msg'>;
  /** Webhook → what it may still get now; one that has had its share is not claimed for. */
  readonly #paces = new Map<string, Bucket>();
  readonly #settings: HttpMsgSettings;
  readonly #counters: DeliveryCounters;
  readonly #hops: Hops;
  readonly #log: Logger;
  readonly #agent: Agent;
  /** Webhook → parcels on their way. */
  readonly #under = new Map<string, number>();
  #open = 0;
  #closed = false;
  readonly #running: Promise<void>;

  constructor(
    dbProxies: LinkGroup,
    tail: Tail,
    limits: Limits<'http-msg'>,
    settings: HttpMsgSettings,
    counters: DeliveryCounters,
    hops: Hops,
    log: Logger,
  ) {
    this.#dbProxies = dbProxies;
    this.#tail = tail;
    this.#limits = limits;
    this.#settings = settings;
    this.#counters = counters;
    this.#hops = hops;
    this.#log = log;
    this.#agent = guardedAgent(settings.webhookNetworks, settings.webhookTimeoutMs);
    this.#running = this.#run();
  }

  /** Parcels on their way. */
  get open(): number {
    return this.#open;
  }

  /** Takes nothing new; what is on its way has until then. What is cut off is delivered again by others. */
  async close(drainMs: number): Promise<void> {
    this.#closed = true;
    const deadline = performance.now() + drainMs;
    while (this.#open > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    await this.#agent.destroy();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const claimed = await this.#claim().catch((error: unknown) => {
        if (!(error instanceof ImError)) throw error;
        if (error.code === 'INTERNAL') this.#log.error({ error }, 'webhook deliveries cannot be claimed');
        return undefined;
      });
      if (this.#closed) return;
      // As long as nobody wants events there are no webhooks either, and the tail is still.
      if (claimed === undefined) await new Promise((resolve) => setTimeout(resolve, FAILED_MS));
      else if (claimed === 0) await this.#tail.news(IDLE_MS);
    }
  }

  async #claim(): Promise<number> {
    const limit = AT_ONCE - this.#open;
    if (limit <= 0) return 0;
    const busyIdList = [
      ...[...this.#under].filter(([, count]) => count >= PER_WEBHOOK).map(([id]) => id),
      ...this.#sated(),
    ];
    const leaseMs = this.#settings.webhookTimeoutMs + LEASE_EXTRA_MS;
    const { parcelList } = await this.#dbProxies.ask(webhooks.claim, {
      limit,
      limitPerWebhook: PER_WEBHOOK,
      leaseMs,
      busyIdList,
    });
    for (const parcel of parcelList) void this.#deliver(parcel);
    return parcelList.length;
  }

  /** Those that have had as many deliveries as they may, for the moment. */
  #sated(): string[] {
    const nowMs = performance.now();
    const rate = this.#limits.rate('webhook.calls');
    for (const [id, pace] of this.#paces) if (pace.untilFullMs(rate, nowMs) === 0) this.#paces.delete(id);
    return [...this.#paces].filter(([, pace]) => pace.left(rate, nowMs) === 0).map(([id]) => id);
  }

  #countDelivery(id: string): void {
    const nowMs = performance.now();
    const rate = this.#limits.rate('webhook.calls');
    const pace = this.#paces.get(id) ?? new Bucket();
    this.#paces.set(id, pace);
    pace.owe(rate, nowMs);
    if (pace.left(rate, nowMs) === 0) this.#limits.hit('webhook.calls');
  }

  async #deliver(parcel: IM.Api.Parcel): Promise<void> {
    const { id } = parcel.webhook;
    const begunMs = performance.now();
    this.#countDelivery(id);
    this.#open++;
    this.#under.set(id, (this.#under.get(id) ?? 0) + 1);
    const error = parcel.eventList.length === 0 ? undefined : await this.#post(parcel);
    await this.#settle(parcel, error, begunMs).catch((failure: Error) =>
      // Its claim runs out, and it is delivered once more.
      this.#log.warn({ webhook: id, error: failure.message }, 'a delivery could not be noted'),
    );
    this.#open--;
    const left = this.#under.get(id)! - 1;
    if (left > 0) this.#under.set(id, left);
    else this.#under.delete(id);
  }

  /** @returns what went wrong, in words without anything of the answer's body. */
  async #post(parcel: IM.Api.Parcel): Promise<string | undefined> {
    const body = JSON.stringify({
      webhook: parcel.webhook.id,
      events: parcel.eventList.map(({ message }) => ({ type: 'message.created', message: shown(message!) })),
    });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const first = shown(parcel.eventList[0]!.message).id;
    try {
      const answer = await request(parcel.webhook.url, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(this.#settings.webhookTimeoutMs),
        headers: {
          'content-type': 'application/json',
          'user-agent': 'teamtalk-cluster',
          'x-teamtalk-id': `${parcel.webhook.id}-${first}`,
          'x-teamtalk-timestamp': timestamp,
          'x-teamtalk-signature': `v1=${signatureOf(parcel.webhook.secret, timestamp, body)}`,
        },
        body,
      });
      answer.body.on('error', () => undefined).destroy(); // nobody reads it
      return answer.statusCode >= 200 && answer.statusCode < 300 ? undefined : `status ${answer.statusCode}`;
    } catch (error) {
      return (error as Error).message.slice(0, ERROR_LENGTH_MAX) || (error as Error).name;
    }
  }

  async #settle(parcel: IM.Api.Parcel, error: string | undefined, begunMs: number): Promise<void> {
    const { webhookRetryMs, webhookRetryMaxMs, webhookAttemptsMax } = this.#settings;
    const attempts = parcel.attempts + 1;
    const again = error !== undefined && parcel.deadLetterId === undefined && attempts < webhookAttemptsMax;
    const pauseMs = Math.min(webhookRetryMs * 2 ** Math.min(parcel.attempts, 30), webhookRetryMaxMs);
    if (error === undefined) this.#counters.delivered();
    else if (again) this.#counters.failed();
    else this.#counters.givenUp();
    const result = error === undefined ? 'delivered' : again ? 'failed' : 'given-up';
    const conversationId = BigInt(parcel.conversationId);
    for (const { message } of parcel.eventList) this.#hops.told(conversationId, message.msgId, begunMs, result);
    await this.#dbProxies.ask(webhooks.settle, {
      id: parcel.id,
      webhookId: parcel.webhook.id,
      conversationId: parcel.conversationId,
      upToMsgId: parcel.upToMsgId,
      deadLetterId: parcel.deadLetterId,
      error,
      // Between half of it and all, so that those who failed together do not come back together.
      retryMs: again ? Math.round(pauseMs * (0.5 + Math.random() / 2)) : undefined,
    });
  }
}

export function signatureOf(secret: string, timestamp: string, body: string): string {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
}
