import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline/promises';
import type { Client, Credentials } from '../../common/client/client.js';

const WAIT_MS_MAX = 10 * 60_000;
const VERIFIER_SIZE = 32;

/**
 * This terminal as a device of somebody who signs in with the company's account: in with the code at first, with the token
 * that came for it from then on.
 */
export class SignedIn {
  readonly #deviceId = `terminal-${randomBytes(8).toString('hex')}`;
  readonly #signIn: NonNullable<Credentials['signIn']>;
  #user = '';
  #token: Uint8Array | undefined;

  private constructor(signIn: NonNullable<Credentials['signIn']>) {
    this.#signIn = signIn;
  }

  /**
   * Says where to sign in, and waits: for the browser to bring the code, or on a terminal for somebody to type it.
   * @param pageUrl of the console
   * @throws Error when nobody did within ten minutes
   */
  static async at(pageUrl: string, input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<SignedIn> {
    const verifier = randomBytes(VERIFIER_SIZE);
    const state = randomBytes(VERIFIER_SIZE).toString('base64url');
    const end = new AbortController();
    const { redirect, code: brought } = await waitForBrowser(state, end.signal);
    const url = new URL('/sign-in', pageUrl);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const asked = { challenge, redirect, state, device: deviceName() };
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
    output.write(`Sign in at\n\n  ${url.href}\n\n`);
    const signal = AbortSignal.any([end.signal, AbortSignal.timeout(WAIT_MS_MAX)]);
    const typed = input.isTTY === true ? [typedCode(input, output, signal)] : [];
    const late = once(signal, 'abort').then(() => Promise.reject(new Error('nobody has signed in')));
    try {
      return new SignedIn({ code: await Promise.race([brought, late, ...typed]), verifier });
    } finally {
      late.catch(() => undefined);
      end.abort();
    }
  }

  get credentials(): Pick<Credentials, 'user' | 'password' | 'deviceId' | 'deviceName'> &
    Pick<Partial<Credentials>, 'token' | 'signIn'> {
    const proof = this.#token === undefined ? { signIn: this.#signIn } : { token: this.#token };
    const device = { deviceId: this.#deviceId, deviceName: deviceName() };
    return { user: this.#user, password: '', ...device, ...proof };
  }

  entered({ userInfo, freshToken }: Client): void {
    this.#user = userInfo.userRealName;
    this.#token = freshToken?.token ?? this.#token;
  }
}

function deviceName(): string {
  return `terminal on ${hostname()}`.slice(0, 64);
}

/** A browser on this machine is sent to a port of ours. What does not have our state was not sent by our page. */
async function waitForBrowser(
  state: string,
  signal: AbortSignal,
): Promise<{ readonly redirect: string; readonly code: Promise<string> }> {
  let came: (code: string) => void;
  const code = new Promise<string>((resolve) => {
    came = resolve;
  });
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const ours = searchParams.get('state') === state && searchParams.has('code');
    response.writeHead(ours ? 200 : 400, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
    response.end(ours ? 'You are logged in. You can close this page.\n' : 'This is not what the client waits for.\n');
    if (ours) came(searchParams.get('code')!);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  signal.addEventListener('abort', () => server.close());
  return { redirect: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, code };
}

async function typedCode(input: NodeJS.ReadStream, output: NodeJS.WriteStream, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input, output });
  try {
    const code = await lines.question('With a browser elsewhere, type the code that it shows: ', { signal });
    return code;
  } catch {
    return await new Promise<never>(() => undefined); // the browser was quicker, or nobody came
  } finally {
    lines.close();
  }
}
