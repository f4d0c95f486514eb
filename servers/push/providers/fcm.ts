import { readFileSync } from 'node:fs';
import { importPKCS8, SignJWT } from 'jose';
import { Agent, request } from 'undici';
import { z } from 'zod';
import type { PushSettings } from '../settings.js';
import { notReached, type Outcome, outcomeOf, type Provider, type Push } from './provider.js';

const account = z.object({
  project_id: z.string(),
  private_key_id: z.string().optional(),
  private_key: z.string(),
  client_email: z.string(),
  token_uri: z.url(),
});
const granted = z.object({ access_token: z.string(), expires_in: z.number() });
const refusal = z.object({
  error: z.object({
    status: z.string().optional(),
    message: z.string().optional(),
    details: z.array(z.looseObject({ errorCode: z.string().optional() })).optional(),
  }),
});

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
/** A token is renewed so long before it expires. */
const RENEW_MS = 60_000;

/** Google's FCM, HTTP v1: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages */
export class FcmProvider implements Provider {
  readonly #account: z.infer<typeof account>;
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #agent: Agent;
  #token: { readonly value: string; readonly expiresMs: number } | undefined;
  #renewing: Promise<string> | undefined;

  /** @throws Error for a file that is no key of a service account */
  constructor(settings: PushSettings) {
    const parsed = account.safeParse(JSON.parse(readFileSync(settings.fcmAccountFile, 'utf8')));
    if (!parsed.success)
      throw new Error(`fcmAccountFile: ${settings.fcmAccountFile} is no JSON key of a service account`);
    this.#account = parsed.data;
    this.#url = `${settings.fcmUrl.replace(/\/$/, '')}/v1/projects/${parsed.data.project_id}/messages:send`;
    this.#timeoutMs = settings.vendorTimeoutMs;
    this.#agent = new Agent({ connectTimeout: settings.vendorTimeoutMs, allowH2: true });
  }

  async send(push: Push): Promise<Outcome> {
    try {
      const answer = await request(this.#url, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(this.#timeoutMs),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${await this.#authorization()}` },
        body: JSON.stringify({ message: messageOf(push) }),
      });
      const text = await answer.body.text();
      if (answer.statusCode === 401) {
        this.#token = undefined;
        return { result: 'later', reason: 'UNAUTHENTICATED' };
      }
      const reason = reasonOf(text) ?? `status ${answer.statusCode}`;
      if (reason === 'UNREGISTERED' || reason === 'SENDER_ID_MISMATCH') return { result: 'gone', reason };
      // A wrong project or right is 404 or 403 too: nobody's phone is gone for that.
      if (answer.statusCode === 404 || answer.statusCode === 403) return { result: 'later', reason };
      return outcomeOf(answer.statusCode, reason, answer.headers['retry-after']);
    } catch (error) {
      return notReached(error);
    }
  }

  close(): void {
    void this.#agent.destroy();
  }

  async #authorization(): Promise<string> {
    if (this.#token !== undefined && Date.now() < this.#token.expiresMs - RENEW_MS) return this.#token.value;
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<string> {
    const { client_email, private_key, private_key_id, token_uri } = this.#account;
    const assertion = await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(private_key_id && { kid: private_key_id }) })
      .setIssuer(client_email)
      .setAudience(token_uri)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(await importPKCS8(private_key, 'RS256'));
    const answer = await request(token_uri, {
      method: 'POST',
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(this.#timeoutMs),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }).toString(),
    });
    if (answer.statusCode !== 200) {
      await answer.body.dump();
      throw new Error(`no access token: status ${answer.statusCode}`);
    }
    const { access_token: value, expires_in: seconds } = granted.parse(await answer.body.json());
    this.#token = { value, expiresMs: Date.now() + seconds * 1000 };
    return value;
  }
}

function messageOf(push: Push): object {
  const { about } = push;
  const data: Record<string, string> = { kind: push.kind, badge: String(push.badge), collapseId: push.collapseId };
  for (const [name, value] of Object.entries(about ?? {})) data[name] = String(value);
  const ttl = `${Math.max(0, Math.ceil((push.expiresMs - Date.now()) / 1000))}s`;
  const ring = push.kind === 'ring';
  return {
    token: push.token,
    data,
    android: { collapse_key: push.collapseId, priority: ring ? 'HIGH' : 'NORMAL', ttl, ...(ring && shown(push)) },
  };
}

function shown({ title, body, badge, collapseId }: Push): object {
  const words = title === '' ? { body } : { title, body };
  return { notification: { ...words, tag: collapseId, notification_count: badge, default_sound: true } };
}

function reasonOf(text: string): string | undefined {
  try {
    const { error } = refusal.parse(JSON.parse(text));
    return error.details?.find((each) => each.errorCode !== undefined)?.errorCode ?? error.status;
  } catch {
    return undefined;
  }
}
