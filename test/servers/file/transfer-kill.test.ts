/**
 * A large file through a file server that is killed while it takes it, and again while it gives it away. TRANSFER_MIB
 * makes it another size than 12 MiB.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Client, findMsgServer } from '../../../common/client/client.js';
import { offerOf, offlineFiles, receiveFile, sendFile } from '../../../common/client/files.js';
import { file } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { projectRoot } from '../../../common/root.js';
import { temporaryFolder } from '../../support/blobs.js';
import { startProcesses } from '../../support/processes.js';
import { until } from '../../support/until.js';

const { FILE_TYPE_OFFLINE } = IM.BaseDefine.TransferFileType;
const MIB = 1024 * 1024;
const size = Number(process.env.TRANSFER_MIB ?? 12) * MIB + 4_321;
/** With some 100 MiB that the server has anyway. */
const RSS_MAX = 200 * MIB;

const folder = await temporaryFolder(t);
const cluster = await startProcesses(t, { args: ['--demo-users', '2', '--tls'] });
const path = join(folder, 'large.bin');
const wanted = await makeFile(path);

async function login(user: string): Promise<Client> {
  const { host, port } = await findMsgServer(cluster.info.loginHttp);
  const client = await Client.login({ host, port, user, password: 'test123' });
  t.teardown(() => client.close());
  return client;
}

t.test('offline: killed in the upload, killed in the download', { timeout: 600_000 }, async (t) => {
  const alice = await login('TT001');
  const startedMs = performance.now();
  await sendFile(alice, 2, path, { offline: true, progress: killOnceAt(0.4) });
  rate(t, 'uploaded', startedMs);
  const bob = await login('TT002');
  await until(async () => (await offlineFiles(bob)).length === 1, 'the file to be listed');
  const [offer] = await offlineFiles(bob);
  const downloadMs = performance.now();
  await receiveFile(bob, offer!, join(folder, 'offline.bin'), { progress: killOnceAt(0.4) });
  rate(t, 'downloaded', downloadMs);
  t.equal(await digestOf(join(folder, 'offline.bin')), wanted);
  await light(t);
  await isFound(alice);
  await bob.logout();
});

t.test('online: killed in the middle', { timeout: 600_000 }, async (t) => {
  const alice = await login('TT001');
  const bob = await login('TT002');
  const startedMs = performance.now();
  const sent = sendFile(alice, bob.userId, path);
  const offer = offerOf(await bob.next(file.notify));
  t.equal(offer.online, true);
  await receiveFile(bob, offer, join(folder, 'online.bin'), { progress: killOnceAt(0.4) });
  await sent;
  rate(t, 'relayed', startedMs);
  t.equal(await digestOf(join(folder, 'online.bin')), wanted);
  await light(t);
  await isFound(alice);
  for (const client of [alice, bob]) await client.logout();
});

t.test('from one terminal to another', async (t) => {
  const chat = (user: string, ...lines: string[]) => {
    const main = join(projectRoot, 'dist/tools/client.js');
    const place = cluster.info.loginHttp.replace('http:', 'https:');
    const words = [main, user, 'test123', '--login', place, '--tls', '--ca', cluster.info.tlsCertificate!];
    return execFileSync(process.execPath, words, { input: `${lines.join('\n')}\n`, encoding: 'utf8', timeout: 60_000 });
  };
  const small = join(folder, 'hello.txt');
  await writeFile(small, 'hello');
  await mkdir(join(folder, 'in'));
  t.match(chat('TT001', '/to TT002', `/send ${small}`), 'will find hello.txt (5 bytes)');
  t.match(chat('TT002', '/files', `/accept 1 ${join(folder, 'in')}`), 'hello.txt (5 bytes)');
  t.equal(await readFile(join(folder, 'in', 'hello.txt'), 'utf8'), 'hello');
  t.match(chat('TT002', '/files', '/accept 1'), 'no files wait for you');
  const page = await (await fetch(cluster.info.metrics.file!)).text();
  t.match(
    page,
    /^teamtalk_file_connections_opened_total\{transport="tls",.*\} 2$/m,
    'whose TLS was for the file as well',
  );
});

/** The file server is killed when so much is over; it is started again by the launcher. */
function killOnceAt(part: number): (done: number) => void {
  let killed = false;
  return (done) => {
    if (killed || done < size * part) return;
    killed = true;
    void cluster.kill('file');
  };
}

/** A transfer goes on as soon as the file server is there; the msg server has to find it before there is a new one. */
function isFound(client: Client): Promise<void> {
  const wish = { fromUserId: client.userId, toUserId: 2, fileName: 'x', fileSize: 1, transMode: FILE_TYPE_OFFLINE };
  return until(
    async () => (await client.ask(file.request, wish)).resultCode === 0,
    'the msg server to find the file server',
  );
}

/** The most memory that the file server has had since it was started again. */
async function light(t: Tap): Promise<void> {
  const { file: pid } = (await cluster.state()).pids;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
  if (status === undefined) return t.comment('no /proc here');
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
  t.ok(peak < RSS_MAX, `${Math.round(peak / MIB)} MiB at most`);
}

type Tap = { ok(it: unknown, words: string): void; comment(words: string): void };

function rate(t: Tap, what: string, startedMs: number): void {
  const seconds = (performance.now() - startedMs) / 1_000;
  t.comment(
    `${what} ${Math.round(size / MIB)} MiB in ${seconds.toFixed(1)} s: ${(size / MIB / seconds).toFixed(0)} MiB/s`,
  );
}

/** No two blocks of it are alike. @returns its digest */
async function makeFile(at: string): Promise<string> {
  const handle: FileHandle = await open(at, 'w');
  const hash = createHash('sha256');
  const piece = randomBytes(MIB);
  for (let left = size, n = 0; left > 0; left -= piece.length, n++) {
    for (let offset = 0; offset < piece.length; offset += 4_096) piece.writeUInt32BE(n, offset);
    const part = piece.subarray(0, Math.min(left, piece.length));
    hash.update(part);
    await handle.writeFile(part);
  }
  await handle.close();
  return hash.digest('hex');
}

async function digestOf(at: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(at, { highWaterMark: MIB })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
