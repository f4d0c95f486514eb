import { readFileSync } from 'node:fs';
import apn from '@parse/node-apn';
import type { PushSettings } from '../settings.js';
import { notReached, type Outcome, type Provider, type Push, SENT } from './provider.js';

/** Reasons by which Apple says that the token is none, or none any more. */
const GONE = new Set(['BadDeviceToken', 'Unregistered', 'DeviceTokenNotForTopic', 'ExpiredToken']);
/** Ours to repair; until then pushes wait. */
const MISCONFIGURED = new Set([
  'BadCertificate',
  'BadCertificateEnvironment',
  'ExpiredProviderToken',
  'Forbidden',
  'InvalidProviderToken',
  'MissingProviderToken',
  'TooManyProviderTokenUpdates',
]);

/** Apple, over HTTP/2, by token (.p8) or certificate. */
export class ApnsProvider implements Provider {
  readonly #provider: apn.Provider;
  readonly #topic: string;

  /** @throws Error for a key or certificate that cannot be read */
  constructor(settings: PushSettings) {
    const { apnsTopic, apnsKeyFile, apnsKeyId, apnsTeamId, apnsCertificateFile, apnsCertificateKeyFile } = settings;
    const [address, port] = settings.apnsAddress.split(':');
    this.#topic = apnsTopic;
    this.#provider = new apn.Provider({
      ...(apnsKeyFile === ''
        ? { cert: readFileSync(apnsCertificateFile), key: readFileSync(apnsCertificateKeyFile) }
        : { token: { key: readFileSync(apnsKeyFile), keyId: apnsKeyId, teamId: apnsTeamId } }),
      production: !settings.apnsSandbox,
      ...(address ? { address, port: Number(port ?? 443) } : {}),
      ...(settings.apnsCaFile === '' ? {} : { ca: [readFileSync(settings.apnsCaFile)] }),
      requestTimeout: settings.vendorTimeoutMs,
      connectionRetryLimit: 0, // the outbox tries again, from its own record
    });
  }

  async send(push: Push): Promise<Outcome> {
    try {
      const { failed } = await this.#provider.send(this.#notification(push), push.token);
      const failure = failed[0];
      if (failure === undefined) return SENT;
      const status = Number(failure.status);
      const reason = failure.response?.reason ?? failure.error?.message ?? `status ${failure.status}`;
      if (GONE.has(reason) || status === 410) return { result: 'gone', reason };
      const mayComeRight = !(status >= 400) || status === 408 || status === 429 || status >= 500;
      return { result: mayComeRight || MISCONFIGURED.has(reason) ? 'later' : 'refused', reason };
    } catch (error) {
      return notReached(error);
    }
  }

  close(): void {
    void this.#provider.shutdown();
  }

  #notification(push: Push): apn.Notification {
    const note = new apn.Notification();
    note.topic = this.#topic;
    note.id = push.id;
    note.expiry = Math.floor(push.expiresMs / 1000);
    note.collapseId = push.collapseId;
    note.badge = push.badge;
    const { about } = push;
    // TeamTalk's iOS client looks for these three in `custom`.
    const custom = about && {
      from_id: about.fromUserId,
      msg_type: about.msgType,
      group_id: about.sessionType === 2 ? about.sessionId : 0,
    };
    note.payload = { custom: custom ?? {}, ...(about && { about }) };
    if (push.kind === 'ring') {
      note.pushType = 'alert';
      note.priority = 10;
      note.alert = push.title === '' ? push.body : { title: push.title, body: push.body };
      note.sound = 'bingbong.aiff'; // it comes with TeamTalk's iOS client; others play their default
      note.threadId = push.collapseId;
    } else {
      note.pushType = 'background';
      note.priority = 5;
      note.contentAvailable = true;
      if (push.kind === 'withdraw') note.payload.withdraw = push.collapseId;
    }
    return note;
  }
}
