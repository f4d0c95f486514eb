import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { Teardown } from './postgres.js';

/** A certificate for 127.0.0.1 that signs itself, in files as the settings name them. */
export interface TestCertificate {
  readonly tlsCertificateFile: string;
  readonly tlsKeyFile: string;
  /** What a client has to trust. */
  readonly ca: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export async function freshPair(days: number): Promise<{ cert: string; key: string }> {
  const made = await generate([{ name: 'commonName', value: 'teamtalk-test' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + days * DAY_MS),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  return { cert: made.cert, key: made.private };
}

/** Writes a pair into files that go away with the test. */
export async function testCertificate(t: Teardown, days = 30): Promise<TestCertificate> {
  const folder = await mkdtemp(join(tmpdir(), 'teamtalk-test-tls-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const files = { tlsCertificateFile: join(folder, 'certificate.pem'), tlsKeyFile: join(folder, 'key.pem') };
  const { cert, key } = await freshPair(days);
  await Promise.all([writeFile(files.tlsCertificateFile, cert), writeFile(files.tlsKeyFile, key)]);
  return { ...files, ca: cert };
}
