/** The scanner hook over ICAP, against a server on a real socket. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import t from 'tap';
import { Scanner } from '../../../servers/file/scan.js';
import { testLog } from '../../support/cluster.js';
import { TestIcap } from '../../support/icap.js';

const LARGE = randomBytes(700_000);
const EICAR = 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE';

function scanner(url: string, onFailure: 'refuse' | 'accept' = 'refuse', timeoutMs = 20_000): Scanner {
  return new Scanner({ command: '', url, timeoutMs, onFailure }, testLog('icap'));
}

/** In pieces as the store gives them. */
function content(bytes: Buffer): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += 65_000) yield bytes.subarray(at, at + 65_000);
    })(),
  );
}

const accepts = (it: Scanner, bytes: Buffer) =>
  it.check('a-file', content(bytes)).then(
    () => true,
    ({ code }: { code?: string }) => (code === 'FILE_REFUSED' ? false : Promise.reject(new Error(code))),
  );

t.test('previews, the rest, 204: clean; found: refused', async (t) => {
  for (const method of ['RESPMOD', 'REQMOD'] as const) {
    for (const preview of method === 'RESPMOD' ? [undefined, 0, 4, 1024] : [undefined, 30]) {
      const icap = await TestIcap.start(t, {
        method,
        ...(preview === undefined ? {} : { preview }),
        say: (seen, whole) => (seen.includes(EICAR) ? 'found' : whole ? 'clean' : undefined),
      });
      const it = scanner(icap.url);
      const name = `${method}, preview of ${preview}`;
      const files = ['', 'abcd', 'hello', `x ${EICAR}`, 'x'.repeat(1024), 'x'.repeat(1025)].map((text) =>
        Buffer.from(text),
      );
      const late = Buffer.concat([LARGE, Buffer.from(EICAR)]);
      const said = [];
      for (const bytes of [...files, LARGE, late]) said.push(await accepts(it, bytes));
      t.same(said, [true, true, true, false, true, true, true, false], name);
      t.same(
        icap.seen.map((seen) => seen.length),
        [...files, LARGE, late].map((bytes) => bytes.length),
        'it has seen all of them',
      );
      t.ok(icap.seen[6]!.equals(LARGE));
      t.same([...new Set(icap.asked)], ['OPTIONS', method]);
      t.equal(icap.asked.filter((each) => each === 'OPTIONS').length, 1, 'asked once what it can do');
    }
  }
});

t.test('a scanner that has seen enough is not sent the rest', async (t) => {
  const bytes = Buffer.concat([Buffer.from(EICAR), LARGE]);
  for (const [preview, saying] of [
    [100, 'found'],
    [100, 'blocked'],
    [100, 'clean'],
    [10, 'found'],
    [10, 'clean'],
  ] as const) {
    const icap = await TestIcap.start(t, { preview, say: (seen) => (seen.includes(EICAR) ? saying : undefined) });
    t.equal(await accepts(scanner(icap.url), bytes), saying === 'clean', `${saying} after ${preview}`);
    t.ok(icap.seen[0]!.length < LARGE.length);
  }
});

t.test('without 204: what comes back as it was is clean, whatever else comes is not', async (t) => {
  for (const preview of [undefined, 10]) {
    const icap = await TestIcap.start(t, { ...(preview === undefined ? {} : { preview }), say: () => undefined });
    const it = scanner(icap.url);
    for (const saying of ['back', 'replaced', 'blocked', 'found'] as const) {
      icap.options = { ...icap.options, say: (_, whole) => (whole ? saying : undefined) };
      for (const bytes of [Buffer.from('short'), LARGE])
        t.equal(await accepts(it, bytes), saying === 'back', `${saying}, ${bytes.length} bytes, preview of ${preview}`);
    }
    icap.options = { ...icap.options, say: () => 'back' };
    if (preview !== undefined) t.notOk(await accepts(it, LARGE), 'a preview given back is not the file');
  }
});

t.test('one that does not answer, not now, or not in ICAP: as the setting says', async (t) => {
  for (const saying of ['silent', 'busy', 'gone', 'nonsense'] as const) {
    const icap = await TestIcap.start(t, { preview: 10, say: () => saying });
    for (const onFailure of ['refuse', 'accept'] as const) {
      const it = scanner(icap.url, onFailure, saying === 'silent' ? 300 : 20_000);
      t.equal(await accepts(it, LARGE), onFailure === 'accept', `${saying}: ${onFailure}`);
    }
  }
  const icap = await TestIcap.start(t, { method: 'REQMOD', say: () => 'clean' });
  for (const url of [icap.url.replace('avscan', 'elsewhere'), 'icap://127.0.0.1:1/avscan'])
    for (const onFailure of ['refuse', 'accept'] as const)
      t.equal(await accepts(scanner(url, onFailure), Buffer.from('x')), onFailure === 'accept', url);
});

t.test('another service at the same place is asked anew what it can do', async (t) => {
  const icap = await TestIcap.start(t, {
    method: 'RESPMOD',
    preview: 10,
    say: (_, whole) => (whole ? 'clean' : undefined),
  });
  const it = scanner(icap.url);
  t.ok(await accepts(it, LARGE));
  icap.options = { method: 'REQMOD', say: () => 'clean' };
  t.notOk(await accepts(it, LARGE), 'which the first file pays for');
  t.ok(await accepts(it, LARGE));
});
