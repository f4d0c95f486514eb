/** Vendors of pushes as they are from outside: real servers that check what they are sent and answer as theirs do. */
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { generate } from 'selfsigned';
import type { Teardown } from './postgres.js';

/** What a vendor was sent. */
export interface Received {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

export interface Vendor {
  readonly port: number;
  readonly received: Received[];
  /** Decides about the next ones; by default all is well. */
  answer: (received: Received) => Answer | Promise<Answer>;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Signed by itself, for 127.0.0.1 and localhost. */
export async function certificate(): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { key: made.private, cert: made.cert };
}

const ok: Vendor['answer'] = () => ({ status: 200, body: {} });

/** Apple: HTTP/2 over TLS. A client certificate is taken from whoever shows one. */
export async function apnsVendor(t: Teardown, tls: Certificate): Promise<Vendor> {
  const server = createSecureServer({ ...tls, requestCert: true, rejectUnauthorized: false });
  const vendor = { port: 0, received: [] as Received[], answer: ok };
  server.on('stream', (stream, headers) => {
    const parts: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', async () => {
      const received = receivedOf(String(headers[':path']), headers, parts);
      vendor.received.push(received);
      const { status, headers: more = {}, body } = await vendor.answer(received);
      if (stream.destroyed) return;
      stream.respond({ ':status': status, ...more });
      stream.end(status === 200 ? '' : JSON.stringify(body ?? {}));
    });
  });
  return listening(t, server, vendor);
}

/** Whoever speaks HTTP; with a certificate, over TLS. */
export async function httpVendor(t: Teardown, tls?: Certificate): Promise<Vendor> {
  const vendor = { port: 0, received: [] as Received[], answer: ok };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const received = receivedOf(request.url!, request.headers, parts);
    vendor.received.push(received);
    const { status, headers = {}, body = {} } = await vendor.answer(received);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) =>
    void handle(request, response).catch(() => response.destroy());
  return listening(t, tls === undefined ? createServer(onRequest) : createHttpsServer(tls, onRequest), vendor);
}

export interface Account {
  readonly json: string;
  readonly publicKey: KeyObject;
}

/** A service account of Google's, whose tokens come from there. */
export function serviceAccount(tokenUri: string): Account {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const json = JSON.stringify({
    type: 'service_account',
    project_id: 'teamtalk-test',
    private_key_id: 'key-1',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: 'push@teamtalk-test.example',
    token_uri: tokenUri,
  });
  return { json, publicKey };
}

/** The claims of a JSON web token, if the signature is right. */
export function claimsOf(token: string, key: KeyObject | string): Record<string, unknown> | undefined {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const publicKey = typeof key === 'string' ? createPublicKey(key) : key;
  const of = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const right = verify('sha256', Buffer.from(`${header}.${payload}`), of, Buffer.from(signature, 'base64url'));
  return right ? (JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>) : undefined;
}

export function isSignedBy(secret: string, { headers, body }: Received): boolean {
  const signature = createHmac('sha256', secret).update(`${headers['x-teamtalk-timestamp']}.`).update(body);
  return headers['x-teamtalk-signature'] === `v1=${signature.digest('hex')}`;
}

function receivedOf(path: string, headers: object, parts: Buffer[]): Received {
  const plain = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  return { path, headers: plain, body: Buffer.concat(parts) };
}

async function listening<T extends Vendor>(t: Teardown, server: Server, vendor: T): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return Object.assign(vendor, { port: (server.address() as AddressInfo).port });
}
