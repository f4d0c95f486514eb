import { readFileSync } from 'node:fs';
import { type Agent, request } from 'undici';
import webPush from 'web-push';
import { z } from 'zod';
import { AddressRefused, guardedAgent } from '../../../common/net/outgoing.js';
import type { PushSettings } from '../settings.js';
import { notReached, type Outcome, outcomeOf, type Provider, type Push } from './provider.js';

const subscription = z.object({
  endpoint: z.url({ protocol: /^https$/ }),
  keys: z.object({ p256dh: z.string(), auth: z.string() }),
});

/**
 * Browsers, by RFC 8030, 8291 and 8292 (VAPID). The token is the subscription as JSON, so where this leads is what a
 * client wrote: never into the private network.
 */
export class WebPushProvider implements Provider {
  readonly #vapid: { subject: string; publicKey: string; privateKey: string };
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  constructor(settings: PushSettings) {
    this.#vapid = {
      subject: settings.webPushSubject,
      publicKey: settings.webPushPublicKey,
      privateKey: settings.webPushPrivateKey,
    };
    this.#timeoutMs = settings.vendorTimeoutMs;
    this.#agent = guardedAgent(
      settings.webPushNetworks,
      settings.vendorTimeoutMs,
      settings.webPushCaFile === '' ? undefined : readFileSync(settings.webPushCaFile, 'utf8'),
    );
  }

  async send(push: Push): Promise<Outcome> {
    const target = readSubscription(push.token);
    if (target === undefined) return { result: 'gone', reason: 'no subscription' };
    try {
      const { token: _token, expiresMs, ...payload } = push;
      const { endpoint, headers, body } = webPush.generateRequestDetails(target, JSON.stringify(payload), {
        vapidDetails: this.#vapid,
        TTL: Math.max(0, Math.ceil((expiresMs - Date.now()) / 1000)),
        topic: push.collapseId,
        urgency: push.kind === 'ring' ? 'high' : 'low',
        contentEncoding: 'aes128gcm',
      });
      const answer = await request(endpoint, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(this.#timeoutMs),
        headers: headers as Record<string, string>,
        body,
      });
      await answer.body.dump();
      return outcomeOf(answer.statusCode, `status ${answer.statusCode}`, answer.headers['retry-after']);
    } catch (error) {
      if (isRefused(error)) return { result: 'gone', reason: 'address not allowed' };
      // Keys that are none: nothing can be sealed for it, today or tomorrow.
      if (/p256dh|auth|key/i.test((error as Error).message) && !('code' in (error as object)))
        return { result: 'gone', reason: 'no subscription' };
      return notReached(error);
    }
  }

  close(): void {
    void this.#agent.destroy();
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof AddressRefused || (error as Error).cause instanceof AddressRefused;
}

function readSubscription(token: string): z.infer<typeof subscription> | undefined {
  try {
    return subscription.parse(JSON.parse(token));
  } catch {
    return undefined;
  }
}
