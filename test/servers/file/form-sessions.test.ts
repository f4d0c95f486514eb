/** Forms for those only who come from where somebody is logged in. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { SESSION_ADDRESSES_MAX } from '../../../common/limits.js';
import type { Peer } from '../../../common/net/peers.js';
import { SessionAddresses } from '../../../servers/file/session-addresses.js';
import { TestCluster, testLog, until } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';

const ELSEWHERE = '127.0.0.2';
const settings = { formUploads: 'sessions', formDownloads: 'sessions' } as const;
const cluster = await TestCluster.start(t, await testPostgres(t), { msgServers: 2, file: settings });

function ask(method: string, url: string, from: string, body = ''): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'multipart/form-data; boundary=b', 'Content-Length': Buffer.byteLength(body) };
    const asked = request(url, { method, headers, localAddress: from, agent: false }, (response) => {
      text(response).then((it) => resolve({ status: response.statusCode!, text: it }), reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const FORM = '--b\r\nContent-Disposition: form-data; name="image"; filename="a.txt"\r\n\r\nhello\r\n--b--\r\n';

async function upload(from = '127.0.0.1'): Promise<{ error_code: number; error_msg: string; url: string }> {
  return JSON.parse((await ask('POST', cluster.file!.storeUrl, from, FORM)).text);
}

const known = () => cluster.metric('file', 'session_addresses');

t.test('with a session, and for as long as there is one', async (t) => {
  t.match(await upload(), { error_code: 2, error_msg: /nobody at 127\.0\.0\.1 is logged in/, url: '' });
  const [alice, bob] = [await cluster.login('alice'), await cluster.login('bob', { at: 1 })];
  const { error_code, url } = await upload();
  t.equal(error_code, 0, 'at once');
  t.same(await ask('GET', url, '127.0.0.1'), { status: 200, text: 'hello' });
  t.match(await upload(ELSEWHERE), { error_code: 2, error_msg: /nobody at 127\.0\.0\.2/ });
  const refused = await ask('GET', `${url}_100x100.jpg`, ELSEWHERE);
  t.match(refused, { status: 403, text: /nobody at 127\.0\.0\.2 is logged in/ });
  await alice.logout();
  await until(async () => (await known()) === 1, 'the first msg server to say so');
  t.equal((await upload()).error_code, 0, 'there is another one, on the other server');
  await bob.logout();
  await until(async () => (await known()) === 0, 'the other one to say so');
  t.equal((await upload()).error_code, 2);
});

t.test('a file server that comes back knows again, and one that loses a msg server forgets', async (t) => {
  await cluster.login('alice');
  await cluster.login('bob');
  await cluster.login('carol', { at: 1 });
  await cluster.file!.running.close(0);
  await cluster.startFile(settings);
  await until(async () => (await known()) === 2, 'both msg servers to say so', 5_000);
  t.equal((await upload()).error_code, 0);
  for (const { running } of cluster.msg) await running.close(0);
  await until(async () => (await known()) === 0, 'it to be forgotten');
  t.equal((await upload()).error_code, 2);
});

t.test('what one msg server says is bounded, and anew is anew', async (t) => {
  const addresses = new SessionAddresses(testLog('file'));
  const [peer, other] = [{ name: 'msg-1' } as Peer, { name: 'msg-2' } as Peer];
  const many = Array.from({ length: SESSION_ADDRESSES_MAX }, (_, i) => `2001:db8::${i.toString(16)}`);
  const told = { addressIn: [] as string[], addressOut: [] as string[], reset: false };
  addresses.heard(peer, { ...told, addressIn: many } as never);
  addresses.heard(peer, { ...told, addressIn: ['192.0.2.1'] } as never);
  t.equal(addresses.count, SESSION_ADDRESSES_MAX);
  addresses.heard(other, { ...told, addressIn: ['192.0.2.2'] } as never);
  await addresses.require('::ffff:192.0.2.2');
  addresses.heard(peer, { ...told, reset: true } as never);
  t.equal(addresses.count, 1, 'the other one’s stay');
  addresses.heard(other, { ...told, addressOut: ['192.0.2.2'] } as never);
  await t.rejects(addresses.require('192.0.2.2'), { code: 'NOT_ALLOWED' });
});
