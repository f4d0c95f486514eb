import type { Logger } from '../../common/log.js';
import { IM } from '../../common/pdu/pb.js';
import { SettingsError } from '../../common/settings.js';
import { Turns } from '../../common/turns.js';
import { ApnsProvider } from './providers/apns.js';
import { FcmProvider } from './providers/fcm.js';
import { logProvider } from './providers/log.js';
import type { Outcome, Provider, Push } from './providers/provider.js';
import { WebPushProvider } from './providers/web-push.js';
import { WebhookProvider } from './providers/webhook.js';
import type { PushSettings } from './settings.js';

const { ClientType } = IM.BaseDefine;

export type VendorName = 'apns' | 'fcm' | 'webpush' | 'webhook' | 'log' | 'none';
/** A token may begin with the vendor that it belongs to; else the kind of client decides. */
const PREFIXES = ['apns', 'fcm', 'webpush', 'webhook'] as const;

const NONE: Provider = {
  send: () => Promise.resolve({ result: 'refused', reason: 'no vendor' }),
  close: () => undefined,
};

/**
 * The vendors that are set up. Each has its own line: one that is slow holds up nobody else's pushes.
 */
export class Vendors {
  readonly #settings: PushSettings;
  readonly #vendors: ReadonlyMap<VendorName, Vendor>;

  /** @throws SettingsError naming what is missing or cannot be read */
  constructor(settings: PushSettings, log: Logger) {
    this.#settings = settings;
    const wanted = new Set<VendorName>([settings.ios, settings.android]);
    const make: Record<VendorName, () => Provider | undefined> = {
      log: () => logProvider(log),
      none: () => NONE,
      apns: () => (settings.apnsTopic === '' && !wanted.has('apns') ? undefined : apns(settings)),
      fcm: () => (settings.fcmAccountFile === '' && !wanted.has('fcm') ? undefined : fcm(settings)),
      webpush: () => (settings.webPushPrivateKey === '' ? undefined : webPush(settings)),
      webhook: () => (settings.webhookUrl === '' && !wanted.has('webhook') ? undefined : webhook(settings)),
    };
    const made = Object.entries(make).map(([name, open]) => [name as VendorName, open()] as const);
    this.#vendors = new Map(
      made.flatMap(([name, provider]) =>
        provider === undefined ? [] : [[name, { provider, line: new Turns(settings.atOnce), length: 0 }] as const],
      ),
    );
  }

  /** Which vendor reaches this phone, and the token as the vendor knows it. */
  of(clientType: number, token: string): { vendor: VendorName; token: string } {
    const prefix = PREFIXES.find((each) => token.startsWith(`${each}:`));
    if (prefix !== undefined)
      return { vendor: this.#vendors.has(prefix) ? prefix : 'none', token: token.slice(prefix.length + 1) };
    const vendor = clientType === ClientType.CLIENT_TYPE_IOS ? this.#settings.ios : this.#settings.android;
    return { vendor, token };
  }

  /** Those that are set up, and which phones they reach. */
  get all(): { vendor: VendorName; ios: boolean; android: boolean; waiting: number }[] {
    const { ios, android } = this.#settings;
    return [...this.#vendors]
      .filter(([vendor]) => !['log', 'none'].includes(vendor) || vendor === ios || vendor === android)
      .map(([vendor, { length }]) => ({ vendor, ios: vendor === ios, android: vendor === android, waiting: length }));
  }

  /** Waits for its turn; where too many wait already, it is to come again. Never rejects. */
  async send(name: VendorName, push: Push): Promise<Outcome> {
    const vendor = this.#vendors.get(name)!;
    if (vendor.length >= this.#settings.atOnce * LINE_LENGTH)
      return { result: 'later', reason: 'line too long', afterMs: LINE_MS };
    vendor.length++;
    try {
      return await vendor.line.take(() => vendor.provider.send(push));
    } finally {
      vendor.length--;
    }
  }

  close(): void {
    for (const { provider } of this.#vendors.values()) provider.close();
  }
}

interface Vendor {
  readonly provider: Provider;
  readonly line: Turns;
  /** Those whose turn it is, and those who wait. */
  length: number;
}

/** Times as many as are sent at once. */
const LINE_LENGTH = 5;
const LINE_MS = 5_000;

function apns(settings: PushSettings): Provider {
  need(settings, 'apnsTopic');
  if (settings.apnsKeyFile !== '') need(settings, 'apnsKeyId', 'apnsTeamId');
  else need(settings, 'apnsCertificateFile', 'apnsCertificateKeyFile');
  return readable(() => new ApnsProvider(settings));
}

function fcm(settings: PushSettings): Provider {
  need(settings, 'fcmAccountFile');
  return readable(() => new FcmProvider(settings));
}

function webPush(settings: PushSettings): Provider {
  need(settings, 'webPushSubject', 'webPushPublicKey');
  return readable(() => new WebPushProvider(settings));
}

function webhook(settings: PushSettings): Provider {
  need(settings, 'webhookUrl', 'webhookSecret');
  return new WebhookProvider(settings.webhookUrl, settings.webhookSecret, settings.vendorTimeoutMs);
}

function need(settings: PushSettings, ...names: (keyof PushSettings)[]): void {
  const missing = names.filter((name) => settings[name] === '');
  if (missing.length > 0)
    throw new SettingsError(
      `wrong settings for the push server:\n  ${missing.join(', ')}: must be set for this vendor`,
    );
}

function readable(open: () => Provider): Provider {
  try {
    return open();
  } catch (error) {
    throw new SettingsError(`wrong settings for the push server:\n  ${(error as Error).message}`);
  }
}
