import { createHmac } from 'node:crypto';
import { Agent, request } from 'undici';
import { notReached, type Outcome, outcomeOf, type Provider, type Push } from './provider.js';

/**
 * To a program of the operator's own, which knows a vendor that we do not. It answers 2xx for sent, 404 or 410 when the
 * token leads nowhere any more, 429 or 5xx for later, with Retry-After if it likes.
 *
 *   x-teamtalk-timestamp: seconds      x-teamtalk-signature: v1=<hex HMAC-SHA256 over timestamp.body>
 */
export class WebhookProvider implements Provider {
  readonly #url: string;
  readonly #secret: string;
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  constructor(url: string, secret: string, timeoutMs: number) {
    this.#url = url;
    this.#secret = secret;
    this.#timeoutMs = timeoutMs;
    this.#agent = new Agent({ connectTimeout: timeoutMs });
  }

  async send(push: Push): Promise<Outcome> {
    const body = JSON.stringify(push);
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', this.#secret).update(`${timestamp}.${body}`).digest('hex');
    try {
      const answer = await request(this.#url, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(this.#timeoutMs),
        headers: {
          'content-type': 'application/json',
          'user-agent': 'teamtalk-cluster',
          'x-teamtalk-id': push.id,
          'x-teamtalk-timestamp': timestamp,
          'x-teamtalk-signature': `v1=${signature}`,
        },
        body,
      });
      await answer.body.dump();
      return outcomeOf(answer.statusCode, `status ${answer.statusCode}`, answer.headers['retry-after']);
    } catch (error) {
      return notReached(error);
    }
  }

  close(): void {
    void this.#agent.destroy();
  }
}
