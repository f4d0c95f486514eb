import { constants, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import { SettingsError } from '../settings.js';
import type { DoorSettings } from './door-settings.js';

/** How often the files are looked at. Not watched: what mounts secrets into containers swaps whole folders. */
const LOOK_MS = 10_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** With TLS 1.2, where a setting lets it in: nothing without forward secrecy and an authenticated cipher. */
const CIPHERS =
  'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:' +
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:' +
  'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305';

interface Loaded {
  readonly context: SecureContext;
  readonly expiresMs: number;
  /** What it was made of, to see a change by. */
  readonly text: string;
}

/**
 * What this server shows clients that speak TLS. Read again when the files have changed; new connections get the new one,
 * those that are open go on. Files that do not fit together (one of them is just being replaced) change nothing.
 */
export class Certificate {
  readonly #settings: DoorSettings;
  readonly #log: Logger;
  readonly #looker: NodeJS.Timeout;
  #loaded: Loaded;
  /** What could not be used, so that it is said once. */
  #refused = '';

  private constructor(settings: DoorSettings, log: Logger, loaded: Loaded) {
    this.#settings = settings;
    this.#log = log;
    this.#loaded = loaded;
    this.#looker = setInterval(() => void this.reload(), LOOK_MS);
  }

  /** @returns undefined when the settings name none. @throws SettingsError when it cannot be used */
  static async open(settings: DoorSettings, log: Logger): Promise<Certificate | undefined> {
    const { tlsCertificateFile, tlsKeyFile, plainClients } = settings;
    if (tlsCertificateFile === '' && tlsKeyFile === '') {
      if (plainClients === 'allow') return undefined;
      throw new SettingsError(`plainClients is ${plainClients}: that needs tlsCertificateFile and tlsKeyFile`);
    }
    try {
      return new Certificate(settings, log, load(await textOf(settings), settings));
    } catch (error) {
      throw new SettingsError(
        `tlsCertificateFile (${tlsCertificateFile}), tlsKeyFile (${tlsKeyFile}): ${(error as Error).message}`,
      );
    }
  }

  get context(): SecureContext {
    return this.#loaded.context;
  }
  get daysLeft(): number {
    return (this.#loaded.expiresMs - Date.now()) / DAY_MS;
  }

  async reload(): Promise<void> {
    let text = '';
    try {
      text = await textOf(this.#settings);
      if (text === this.#loaded.text || text === this.#refused) return;
      this.#loaded = load(text, this.#settings);
      this.#log.info({ days: Math.floor(this.daysLeft) }, 'new certificate for clients');
    } catch (error) {
      if (text !== '' && text === this.#refused) return;
      this.#refused = text;
      this.#log.error({ error: (error as Error).message }, 'the new certificate cannot be used, the old one stays');
    }
  }

  close(): void {
    clearInterval(this.#looker);
  }
}

/** With its metric. @throws as `Certificate.open` */
export async function openCertificate(
  settings: DoorSettings,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): Promise<Certificate | undefined> {
  const certificate = await Certificate.open(settings, log);
  const daysLeft = () => certificate?.daysLeft ?? Number.NaN;
  metrics.gauge('tls_certificate_days_left', 'Days until the certificate for clients ends; NaN: none', daysLeft);
  return certificate;
}

const SEPARATOR = '\n\n';

async function textOf({ tlsCertificateFile, tlsKeyFile }: DoorSettings): Promise<string> {
  const texts = await Promise.all([tlsCertificateFile, tlsKeyFile].map((path) => readFile(path, 'utf8')));
  return texts.map((text) => text.trim()).join(SEPARATOR);
}

function load(text: string, { tlsVersionMin }: DoorSettings): Loaded {
  const at = text.lastIndexOf(SEPARATOR);
  const [cert, key] = [text.slice(0, at), text.slice(at)];
  const context = createSecureContext({
    cert,
    key,
    minVersion: tlsVersionMin,
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    sessionIdContext: 'teamtalk',
  });
  return { context, expiresMs: Date.parse(new X509Certificate(cert).validTo), text };
}
