/** What a provider may say, and what is made of it: one that lies, one that is slow, one that is not there. */
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { pino } from 'pino';
import t from 'tap';
import { ImError } from '../../../common/errors.js';
import { readSettings, SettingsError } from '../../../common/settings.js';
import { Oidc } from '../../../servers/admin/oidc.js';
import { NotSignedIn } from '../../../servers/admin/problem.js';
import { adminSettings } from '../../../servers/admin/settings.js';
import { listening } from '../../support/http.js';

const { publicKey, privateKey } = await generateKeyPair('RS256');
const { privateKey: anotherKey } = await generateKeyPair('RS256');

interface Said {
  readonly claims?: JWTPayload;
  readonly expires?: string;
  readonly key?: typeof privateKey;
  readonly alg?: 'none';
  readonly metadata?: object;
  readonly status?: number;
  readonly userinfo?: object;
}

const said: { now: Said; nonce: string; verifiers: string[]; asked: number; silent: boolean } = {
  now: {},
  nonce: '',
  verifiers: [],
  asked: 0,
  silent: false,
};

/** A provider that says what it is told to. */
const server = createServer(async (request, response) => {
  said.asked++;
  if (said.silent) return;
  const json = (body: object, status = 200) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (request.url === '/.well-known/openid-configuration')
    return json({
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      userinfo_endpoint: `${issuer}/me`,
      response_types_supported: ['code'],
      id_token_signing_alg_values_supported: ['RS256'],
      authorization_response_iss_parameter_supported: true,
      ...said.now.metadata,
    });
  if (request.url === '/jwks') return json({ keys: [{ ...(await exportJWK(publicKey)), kid: '1', alg: 'RS256' }] });
  if (request.url === '/me') return json(said.now.userinfo ?? { sub: 'somebody', department: 'Sales' });
  if (said.now.status !== undefined) return json({ error: 'server_error' }, said.now.status);
  said.verifiers.push(new URLSearchParams(Buffer.concat(chunks).toString()).get('code_verifier') ?? '');
  json({ access_token: 'a', token_type: 'Bearer', id_token: await idToken(said.now) });
});
const issuer = `http://127.0.0.1:${await listening(t, server)}`;

async function idToken({ claims = {}, expires = '5 minutes', key = privateKey, alg }: Said): Promise<string> {
  const payload = { iss: issuer, sub: 'somebody', aud: 'console', nonce: said.nonce, ...claims };
  const jwt = new SignJWT(payload)
    .setProtectedHeader({ alg: 'RS256', kid: '1' })
    .setIssuedAt()
    .setExpirationTime(expires);
  const token = await jwt.sign(key);
  const header = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
  return alg === 'none' ? `${header}.${token.split('.')[1]}.` : token;
}

const log = pino({ level: 'silent' });
const usual = readSettings('admin', adminSettings, { env: {} });
const settings = { ...usual, publicUrl: 'http://127.0.0.1:8888', oidcIssuer: issuer, oidcClientId: 'console' };

function client(over: Partial<typeof settings> = {}): Oidc {
  const oidc = Oidc.of({ ...settings, ...over }, log)!;
  t.teardown(() => oidc.close());
  return oidc;
}

/** How it goes when the provider says this. */
async function outcome(oidc: Oidc, now: Said, back: Record<string, string> = {}): Promise<unknown> {
  said.now = now;
  const { journey } = await oidc.begin();
  said.nonce = journey.nonce;
  const search = new URLSearchParams({ code: 'c', state: journey.state, iss: issuer, ...back });
  return oidc.finish(`?${search}`, journey).catch((error: Error) => error);
}

t.test('only what is said to us, by this provider, now, is believed', async (t) => {
  const oidc = client();
  t.match(await outcome(oidc, {}), { sub: 'somebody', department: 'Sales' });
  t.ok(said.verifiers.at(-1)!.length >= 43, 'with the verifier');
  const lies: Record<string, Said> = {
    'another nonce': { claims: { nonce: 'of somebody else' } },
    'no nonce': { claims: { nonce: undefined } as never },
    'for another client': { claims: { aud: 'another' } },
    'for several, and another is meant': { claims: { aud: ['console', 'another'], azp: 'another' } },
    'from another issuer': { claims: { iss: 'https://evil.example' } },
    expired: { expires: '-5 minutes' },
    'signed by somebody else': { key: anotherKey },
    'not signed': { alg: 'none' },
    'of nobody': { claims: { sub: undefined } as never },
    'its other half is about somebody else': { userinfo: { sub: 'another' } },
  };
  for (const [why, lie] of Object.entries(lies)) t.ok((await outcome(oidc, lie)) instanceof NotSignedIn, why);
  t.ok(
    (await outcome(oidc, {}, { iss: 'https://evil.example' })) instanceof NotSignedIn,
    'mixed up with another provider',
  );
  t.ok((await outcome(oidc, {}, { state: 'another' })) instanceof NotSignedIn, 'another state');
  t.ok((await outcome(oidc, {}, { error: 'access_denied' })) instanceof NotSignedIn);
  t.match(await outcome(oidc, { claims: { department: 'its own word' } }), { department: 'its own word' });
});

t.test('a provider that is somebody else, slow or gone is left alone for a while', async (t) => {
  const code = async (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: Error) => (error instanceof ImError ? error.code : String(error)),
    );
  said.now = { metadata: { issuer: 'https://evil.example' } };
  await t.rejects(client().begin(), 'it calls itself another');

  const slow = client({ oidcTimeoutMs: 200 });
  said.silent = true;
  said.now = {};
  t.equal(await code(slow.begin()), 'DIRECTORY_UNAVAILABLE');
  const { asked } = said;
  t.equal(await code(slow.begin()), 'DIRECTORY_UNAVAILABLE');
  t.equal(said.asked, asked, 'the second time nobody waits for it');
  said.silent = false;
  const broken = await outcome(client(), { status: 503 });
  t.match(broken, { code: 'DIRECTORY_UNAVAILABLE' });
});

t.test('wrong settings stop the start', async (t) => {
  const wrong = (over: Partial<typeof settings>) => () => Oidc.of({ ...settings, ...over }, log);
  const cases: [Partial<typeof settings>, RegExp][] = [
    [{ oidcIssuer: 'http://login.example.com' }, /oidcIssuer/],
    [{ oidcIssuer: 'http://127.example.com' }, /oidcIssuer/],
    [{ oidcIssuer: 'login' }, /oidcIssuer/],
    [{ oidcClientId: '' }, /oidcClientId/],
    [{ publicUrl: '' }, /publicUrl/],
    [{ publicUrl: 'http://console.example.com' }, /publicUrl/],
    [{ oidcScopes: 'profile' }, /oidcScopes/],
    [{ signInRedirects: 'javascript:alert(1)' }, /signInRedirects/],
  ];
  for (const [over, reason] of cases) {
    t.throws(wrong(over), reason);
    t.throws(wrong(over), SettingsError);
  }
  t.equal(Oidc.of({ ...settings, oidcIssuer: '', oidcClientId: '' }, log), undefined);
});
