import * as oidc from 'openid-client';
import { Agent, fetch } from 'undici';
import { Circuit } from '../../common/circuit.js';
import { ImError } from '../../common/errors.js';
import type { Logger } from '../../common/log.js';
import { checkOidc, type OidcSettings } from './oidc-settings.js';
import { NotSignedIn } from './problem.js';

/** What the provider says of itself is asked for anew after so long. */
const METADATA_MS_MAX = 3_600_000;
const ANSWER_SIZE_MAX = 1024 * 1024;
const CONNECTIONS_MAX = 16;

/** What a browser takes along to the provider and back, sealed; see journeys.ts. */
export interface Journey {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export type Claims = Readonly<Record<string, unknown>> & { readonly sub: string };

/**
 * The console as a client of the company's OpenID Connect provider: authorization code with PKCE (S256), state and nonce.
 * An ID token has to be signed by the provider's key, for us, from this issuer, for this nonce, and in its time.
 */
export class Oidc {
  readonly #settings: OidcSettings & { readonly publicUrl: string };
  readonly #log: Logger;
  readonly #agent: Agent;
  readonly #circuit = new Circuit();
  #config: { readonly it: oidc.Configuration; readonly untilMs: number } | undefined;

  private constructor(settings: OidcSettings & { readonly publicUrl: string }, log: Logger) {
    this.#settings = settings;
    this.#log = log;
    this.#agent = new Agent({ connections: CONNECTIONS_MAX, maxResponseSize: ANSWER_SIZE_MAX });
  }

  /** Undefined: there is none. @throws SettingsError */
  static of(settings: OidcSettings & { readonly publicUrl: string }, log: Logger): Oidc | undefined {
    checkOidc(settings);
    return settings.oidcIssuer === '' ? undefined : new Oidc(settings, log);
  }

  get issuer(): string {
    return this.#settings.oidcIssuer;
  }

  close(): void {
    void this.#agent.destroy();
  }

  /** Where to send a browser, and what it has to bring back. @throws ImError DIRECTORY_UNAVAILABLE */
  async begin(): Promise<{ readonly url: string; readonly journey: Journey }> {
    const config = await this.#ask(() => this.#configuration());
    const journey = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() };
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: this.#redirectUri,
      scope: this.#settings.oidcScopes,
      state: journey.state,
      nonce: journey.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(journey.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, journey };
  }

  /**
   * A browser has come back.
   * @param search what the provider has put behind our address, with its question mark
   * @throws NotSignedIn; ImError DIRECTORY_UNAVAILABLE
   */
  async finish(search: string, journey: Journey): Promise<Claims> {
    return this.#ask(async () => {
      const config = await this.#configuration();
      const tokens = await oidc.authorizationCodeGrant(config, new URL(`${this.#redirectUri}${search}`), {
        pkceCodeVerifier: journey.verifier,
        expectedState: journey.state,
        expectedNonce: journey.nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims()!;
      const more =
        config.serverMetadata().userinfo_endpoint === undefined
          ? {}
          : await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
      return { ...more, ...claims };
    });
  }

  get #redirectUri(): string {
    return `${this.#settings.publicUrl.replace(/\/$/, '')}/sign-in/callback`;
  }

  async #configuration(): Promise<oidc.Configuration> {
    if (this.#config !== undefined && this.#config.untilMs > performance.now()) return this.#config.it;
    const { oidcIssuer, oidcClientId, oidcClientSecret, oidcTimeoutMs } = this.#settings;
    const issuer = new URL(oidcIssuer);
    const timeout = oidcTimeoutMs / 1000;
    const it = await oidc.discovery(issuer, oidcClientId, undefined, clientAuth(oidcClientSecret), {
      timeout,
      // A provider on this machine may be without TLS; see checkOidc.
      execute: [oidc.enableNonRepudiationChecks, ...(issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : [])],
      [oidc.customFetch]: ((url: string, options: object) =>
        fetch(url, { ...options, dispatcher: this.#agent })) as unknown as oidc.CustomFetch,
    });
    this.#config = { it, untilMs: performance.now() + METADATA_MS_MAX };
    return it;
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#circuit.run(work, (error) => !isRefusal(error));
    } catch (error) {
      const { message, cause } = error as Error;
      const reason = (cause as Error | undefined)?.message;
      const why = reason === undefined ? message : `${message}: ${reason}`;
      if (isRefusal(error)) throw new NotSignedIn(why, { cause: error });
      this.#log.warn({ error: why, issuer: this.issuer }, 'the OpenID Connect provider does not answer');
      throw new ImError('DIRECTORY_UNAVAILABLE', `OpenID Connect: ${why}`, { cause: error });
    }
  }
}

/** It answered, but an error, or with what is not to be trusted. Else it could not be reached, or did not know what to say. */
function isRefusal(error: unknown): boolean {
  if (error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError) return true;
  if (error instanceof oidc.WWWAuthenticateChallengeError) return true;
  const { code } = error as { code?: string };
  return code?.startsWith('OAUTH_') === true && !OUTAGES.has(code);
}

const OUTAGES: ReadonlySet<string> = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
]);

/** By the header, as every provider has to understand, unless it says that it wants it otherwise. */
function clientAuth(secret: string): oidc.ClientAuth {
  if (secret === '') return oidc.None();
  const [basic, post] = [oidc.ClientSecretBasic(secret), oidc.ClientSecretPost(secret)];
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    return (methods.includes('client_secret_basic') ? basic : post)(server, ...rest);
  };
}
