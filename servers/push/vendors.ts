import type { Logger } from '../../common/log.js';
import { IM } from '../../common/pdu/pb.js';
import { SettingsError } from '../../common/settings.js';
import { Turns } from '../../common/turns.js';
import { logProvider } from './providers/log.js';
import type { Outcome, Provider, Push } from './providers/provider.js';
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

  private constructor(settings: PushSettings, providers: ReadonlyMap<VendorName, Provider>) {
    this.#settings = settings;
    this.#vendors = new Map(
      [...providers].map(([name, provider]) => [name, { provider, line: new Turns(settings.atOnce), length: 0 }]),
    );
  }

  /** Loads the code of those that are set up, and of no others. @throws SettingsError naming what is missing or cannot be read */
  static async open(settings: PushSettings, log: Logger): Promise<Vendors> {
    const wanted = new Set<VendorName>([settings.ios, settings.android]);
    const make: Record<VendorName, () => Provider | Promise<Provider> | undefined> = {
      log: () => logProvider(log),
      none: () => NONE,
      apns: () => (settings.apnsTopic === '' && !wanted.has('apns') ? undefined : apns(settings)),
      fcm: () => (settings.fcmAccountFile === '' && !wanted.has('fcm') ? undefined : fcm(settings)),
      webpush: () => (settings.webPushPrivateKey === '' ? undefined : webPush(settings)),
      webhook: () => (settings.webhookUrl === '' && !wanted.has('webhook') ? undefined : webhook(settings)),
    };
    const providers = new Map<VendorName, Provider>();
    for (const [name, open] of Object.entries(make)) {
      const provider = await open();
      if (provider !== undefined) providers.set(name as VendorName, provider);
    }
    return new Vendors(settings, providers);
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

async function apns(settings: PushSettings): Promise<Provider> {
  need(settings, 'apnsTopic');
  if (settings.apnsKeyFile !== '') need(settings, 'apnsKeyId', 'apnsTeamId');
  else need(settings, 'apnsCertificateFile', 'apnsCertificateKeyFile');
  const { ApnsProvider } = await import('./providers/apns.js');
  return readable(() => new ApnsProvider(settings));
}

async function fcm(settings: PushSettings): Promise<Provider> {
  need(settings, 'fcmAccountFile');
  const { FcmProvider } = await import('./providers/fcm.js');
  return readable(() => new FcmProvider(settings));
}

async function webPush(settings: PushSettings): Promise<Provider> {
  need(settings, 'webPushSubject', 'webPushPublicKey');
  const { WebPushProvider } = await import('./providers/web-push.js');
  return readable(() => new WebPushProvider(settings));
}

async function webhook(settings: PushSettings): Promise<Provider> {
  need(settings, 'webhookUrl', 'webhookSecret');
  const { WebhookProvider } = await import('./providers/webhook.js');
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
