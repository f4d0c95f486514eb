import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import sharp from 'sharp';
import t from 'tap';
import { FolderDriver } from '../../../servers/file/blobs/folder.js';
import { safeFileName } from '../../../servers/file/http/names.js';
import { idsOf } from '../../support/blobs.js';
import { TestCluster, until } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';

const postgres = await testPostgres(t);
const SIZE_MAX = 3_000_000;
const cluster = await TestCluster.start(t, postgres, { file: { formSizeMax: SIZE_MAX } });
const { storeUrl, folder } = cluster.file!;
const objects = () => idsOf(new FolderDriver(folder, 0));

interface FormAnswer {
  readonly error_code: number;
  readonly error_msg: string;
  readonly path: string;
  readonly url: string;
}

async function upload(bytes: Uint8Array, fileName = 'a.png', to = storeUrl): Promise<FormAnswer> {
  const form = new FormData();
  form.append('type', 'im_image');
  form.append('image', new Blob([new Uint8Array(bytes)]), fileName);
  const response = await fetch(to, { method: 'POST', body: form });
  t.equal(response.status, 200);
  t.match(response.headers.get('content-type'), 'text/html');
  const text = await response.text();
  t.notOk(text.includes('\n'), 'one line');
  return JSON.parse(text) as FormAnswer;
}

function png(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: '#3366cc' } })
    .png()
    .toBuffer();
}

t.test('a picture comes back as it was, with what a browser wants to know', async (t) => {
  const bytes = await png(30, 20);
  const { error_code, path, url } = await upload(bytes, 'shot.png_30x20.png', `${storeUrl}upload/`);
  t.equal(error_code, 0);
  t.match(path, /^g0\/\d{3}\/\d{3}\/[0-9a-f]{32}_30x20\.png$/);
  t.equal(url, storeUrl + path);
  const response = await fetch(url);
  t.ok(Buffer.from(await response.arrayBuffer()).equals(bytes));
  const etag = response.headers.get('etag')!;
  t.match(Object.fromEntries(response.headers), {
    'content-type': 'image/png',
    'content-length': `${bytes.length}`,
    'content-disposition': 'inline; filename=shot.png_30x20.png',
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
  });
  t.equal((await fetch(url, { headers: { 'If-None-Match': etag } })).status, 304);
  const head = await fetch(url, { method: 'HEAD' });
  t.equal(head.headers.get('content-length'), `${bytes.length}`);
  t.equal((await head.arrayBuffer()).byteLength, 0);
});

t.test('ranges', async (t) => {
  const bytes = randomBytes(200_000);
  const { url } = await upload(bytes, 'data.bin');
  const ask = (range: string, more: Record<string, string> = {}) => fetch(url, { headers: { Range: range, ...more } });
  const size = bytes.length;
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=65530-65540', 65_530, 65_541],
    ['bytes=131072-', 131_072, size],
    ['bytes=-5', size - 5, size],
    ['bytes=-999999', 0, size],
    ['bytes=199999-999999', 199_999, size],
  ] as const) {
    const response = await ask(range);
    t.equal(response.status, 206, range);
    t.equal(response.headers.get('content-range'), `bytes ${start}-${end - 1}/${size}`);
    t.ok(Buffer.from(await response.arrayBuffer()).equals(bytes.subarray(start, end)), range);
  }
  for (const range of [`bytes=${size}-`, 'bytes=5-2', 'bytes=-0']) {
    const response = await ask(range);
    t.equal(response.status, 416, range);
    t.equal(response.headers.get('content-range'), `bytes */${size}`);
  }
  for (const range of ['bytes=0-1,3-4', 'lines=1-2', 'bytes=a-b']) t.equal((await ask(range)).status, 200, range);
  t.equal((await ask('bytes=0-1', { 'If-Range': '"another"' })).status, 200);
});

t.test('what could run in a browser is saved and never shown', async (t) => {
  for (const [fileName, content] of [
    ['page.html', '<!doctype html><script>alert(1)</script>'],
    ['picture.svg', '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'],
    ['not-a.png', '<html><script>alert(1)</script>'],
  ] as const) {
    const { url } = await upload(Buffer.from(content), fileName);
    const { headers } = await fetch(url);
    t.equal(headers.get('content-type'), 'application/octet-stream', fileName);
    t.match(headers.get('content-disposition'), /^attachment/);
    t.equal(headers.get('content-security-policy'), "default-src 'none'; sandbox");
  }
});

t.test('names: nothing of them reaches the file system, and what clients are told is harmless', async (t) => {
  const bad = [
    '../../../etc/passwd',
    '..\\..\\boot.ini',
    '....',
    'a\r\nSet-Cookie: x=1.png',
    '家族写真 👨‍👩‍👧‍👦.png',
    '"quoted".png',
  ];
  for (const fileName of bad) {
    const { error_code, path, url } = await upload(await png(2, 2), fileName);
    t.equal(error_code, 0, fileName);
    t.match(path, /^g0\/\d{3}\/\d{3}\/[0-9a-f]{32}(\.\w+)?$/);
    const response = await fetch(url);
    t.equal(response.status, 200);
    t.notOk(/[/\\]/.test(response.headers.get('content-disposition')!.replace(/.*filename/, '')), fileName);
  }
  const long = await upload(await png(2, 2), `${'x'.repeat(4_000)}.png`);
  t.not(long.error_code, 0);
  t.match(long.error_msg, '255 characters');
  t.equal(safeFileName('../../a\0b\u202egpj.exe'), 'abgpj.exe');
  t.equal(safeFileName('..'), 'file');
  t.equal([...safeFileName(`${'👍'.repeat(4_000)}.jpeg`)].length, 255);
  for (const path of [
    'g0/../../etc/passwd',
    'g0/%2e%2e/%2e%2e/etc/passwd',
    'g0/000/000/%00',
    '%ff',
    'x'.repeat(3_000),
  ]) {
    const [status] = await rawGet(`/${path}`);
    t.match(status, /^HTTP\/1.1 4/, path.slice(0, 40));
  }
});

t.test('too large, no form, no file: an error code, and nothing stays', async (t) => {
  const before = (await objects()).length;
  const large = await upload(randomBytes(SIZE_MAX + 1), 'large.bin');
  t.match(large, { error_code: 1, path: '', error_msg: `${SIZE_MAX}` });
  const much = await upload(randomBytes(SIZE_MAX + 200_000), 'larger.bin');
  t.equal(much.error_code, 1);
  const plain = await fetch(storeUrl, { method: 'POST', body: 'hello', headers: { 'Content-Type': 'text/plain' } });
  t.not(((await plain.json()) as FormAnswer).error_code, 0);
  const form = new FormData();
  form.append('type', 'im_image');
  const without = (await (await fetch(storeUrl, { method: 'POST', body: form })).json()) as FormAnswer;
  t.match(without, { error_code: 2, error_msg: '格式错误' });
  await until(async () => (await objects()).length === before, 'nothing to be left');
  t.equal((await upload(randomBytes(SIZE_MAX), 'just.bin')).error_code, 0, 'what is just as large is taken');
});

t.test('an upload that is cut in the middle leaves nothing', async (t) => {
  const before = (await objects()).length;
  const { hostname, port } = new URL(storeUrl);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 2000000\r\n\r\n` +
      `--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n`,
  );
  socket.write(randomBytes(1_500_000));
  await until(async () => (await objects()).length > before, 'the upload to begin');
  socket.destroy();
  await until(async () => (await objects()).length === before, 'it to be cleared away');
  t.equal((await objects()).length, before);
});

t.test('forms as Android writes them', async (t) => {
  const bytes = await png(3, 3);
  const boundary = '---------7d4a6d158c9';
  const body = Buffer.concat([
    Buffer.from(
      `--${boundary}\r\nContent-Disposition:form-data;name="file0";filename="1.png"\r\nContent-Type:application/octet-stream\r\n\r\n`,
    ),
    bytes,
    Buffer.from(`\r\n\r\n--${boundary}--\r\n`),
  ]);
  const headers = { 'Content-Type': `multipart/form-data; boundary=${boundary}` };
  const answer = (await (await fetch(storeUrl, { method: 'POST', body, headers })).json()) as FormAnswer;
  t.equal(answer.error_code, 0);
  t.equal((await fetch(answer.url)).headers.get('content-type'), 'image/png');
});

t.test('small pictures', async (t) => {
  const turned = await sharp({ create: { width: 600, height: 300, channels: 3, background: '#cc3366' } })
    .withExif({ IFD0: { Make: 'a camera', ImageDescription: 'where I live' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  const { url } = await upload(turned, 'holiday.jpg');
  const small = async (suffix: string) => {
    const response = await fetch(url + suffix);
    t.equal(response.headers.get('content-type'), 'image/jpeg', suffix);
    return Buffer.from(await response.arrayBuffer());
  };
  const bytes = await small('_100x100.jpg');
  const about = await sharp(bytes).metadata();
  t.match(about, { width: 50, height: 100, format: 'jpeg' }, 'turned as the camera was');
  t.equal(about.exif, undefined, 'nobody learns where it was taken');
  t.notOk(bytes.includes('where I live'));
  const count = (await objects()).length;
  t.ok((await small('_100x100.jpg')).equals(bytes));
  t.match(await sharp(await small('_90x70.jpg')).metadata(), { height: 100 }, 'the next larger size that is made');
  t.equal((await objects()).length, count, 'made once');
  t.match(
    await sharp(await small('_640%C3%97999.jpg')).metadata(),
    { width: 300, height: 600 },
    'never larger than it was',
  );
  t.ok((await small('_2000x2000.jpg')).equals(turned), 'a wish beyond all sizes gets the original');
  await Promise.all(Array.from({ length: 20 }, () => small('_310x310.jpg')));
});

t.test('pictures that nobody should decode are refused, and the server goes on', async (t) => {
  const bomb = await sharp({
    create: { width: 7_100, height: 7_100, channels: 3, background: '#000000' },
    limitInputPixels: false,
  })
    .png({ compressionLevel: 6 })
    .toBuffer();
  t.ok(bomb.length < SIZE_MAX, 'small as a file');
  const broken = (await png(300, 300)).subarray(0, 200);
  for (const [bytes, what] of [
    [bomb, 'a bomb'],
    [broken, 'a broken one'],
    [Buffer.from('hello'), 'no picture'],
  ] as const) {
    const { url } = await upload(bytes, 'a.png');
    const response = await fetch(`${url}_100x100.jpg`);
    t.equal(response.status, 400, what);
    t.equal(((await response.json()) as { code: string }).code, 'BAD_REQUEST');
  }
  t.equal((await fetch(`${(await upload(await png(9, 9))).url}_50x50.jpg`)).status, 200);
});

/** As it is written, which fetch would tidy up. @returns the lines of the head */
async function rawGet(path: string): Promise<string[]> {
  const { hostname, port } = new URL(storeUrl);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  let text = '';
  for await (const piece of socket) text += String(piece);
  return text.split('\r\n');
}
