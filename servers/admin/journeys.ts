import { hkdfSync } from 'node:crypto';
import type { Journey } from './oidc.js';

/** Somebody may have to look for his second factor. */
const LIFE = '15 minutes';
const AUDIENCE = 'teamtalk sign-in';

/**
 * What a browser takes along to the provider and brings back, in a cookie that only consoles of this cluster can read: the
 * browser may come back to another one than it left. Consoles without a provider have no use for jose; the others load
 * it with oidc.ts.
 */
export class Journeys {
  readonly #key: Uint8Array;

  constructor(clusterSecret: string) {
    this.#key = new Uint8Array(hkdfSync('sha256', clusterSecret, '', AUDIENCE, 32));
  }

  async seal(journey: Journey): Promise<string> {
    const { EncryptJWT } = await import('jose');
    const jwt = new EncryptJWT({ ...journey }).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' });
    return jwt.setAudience(AUDIENCE).setIssuedAt().setExpirationTime(LIFE).encrypt(this.#key);
  }

  /** Undefined: there is none, it is not ours, or too long ago. */
  async open(sealed: string | undefined): Promise<Journey | undefined> {
    if (sealed === undefined) return undefined;
    const { jwtDecrypt } = await import('jose');
    const opened = await jwtDecrypt<Journey>(sealed, this.#key, { audience: AUDIENCE, requiredClaims: ['exp'] }).catch(
      () => undefined,
    );
    return opened?.payload;
  }
}
