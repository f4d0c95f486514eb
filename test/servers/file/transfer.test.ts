/** Files from user to user, over real connections: what clients rely on, and what dishonest or unlucky ones meet. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { Client } from '../../../common/client/client.js';
import { FileLine, type LineOwner } from '../../../common/client/file-line.js';
import {
  type FileOffer,
  offerOf,
  offlineFiles,
  receiveFile,
  refuseFile,
  sendFile,
  TransferEnded,
} from '../../../common/client/files.js';
import { FILE_BLOCK_SIZE } from '../../../common/limits.js';
import { encodeFrame } from '../../../common/pdu/command.js';
import { file, other } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { temporaryFolder } from '../../support/blobs.js';
import { TestCluster, until } from '../../support/cluster.js';
import { type Teardown, testPostgres } from '../../support/postgres.js';

const { ClientFileRole, ClientFileState, ClientType, TransferFileType, UserStatType } = IM.BaseDefine;
const { FILE_TYPE_OFFLINE, FILE_TYPE_ONLINE } = TransferFileType;
const { CLIENT_REALTIME_SENDER, CLIENT_REALTIME_RECVER, CLIENT_OFFLINE_UPLOAD, CLIENT_OFFLINE_DOWNLOAD } =
  ClientFileRole;
const { CLIENT_FILE_CANCEL, CLIENT_FILE_REFUSE } = ClientFileState;

const postgres = await testPostgres(t);
const folder = await temporaryFolder(t);
const cluster = await TestCluster.start(t, postgres, { msgServers: 2, file: { peerWaitMs: 400, silenceMs: 60_000 } });

/** Logged in until the end of the test: who is there decides how a file goes. */
async function login(t: Teardown, user: string, options: Parameters<TestCluster['login']>[1] = {}): Promise<Client> {
  const client = await cluster.login(user, options);
  t.teardown(() => (client.isClosed ? undefined : client.logout()));
  return client;
}

async function untilAway(alice: Client, userId: number): Promise<void> {
  const away = async () => (await alice.usersStatus([userId]))[0]!.status === UserStatType.USER_STATUS_OFFLINE;
  await until(away, 'the receiver to be away');
}

let made = 0;
async function aFile(size: number): Promise<{ readonly path: string; readonly bytes: Buffer }> {
  const path = join(folder, `file-${++made}.bin`);
  const bytes = randomBytes(size);
  await writeFile(path, bytes);
  return { path, bytes };
}
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A task of alice's for bob, without any connection yet. */
async function aTask(alice: Client, size: number, mode = FILE_TYPE_ONLINE) {
  const asked = { fromUserId: 0, toUserId: 2, fileName: 'C:/a folder/plan.txt', fileSize: size, transMode: mode };
  const answer = await alice.ask(file.request, asked);
  t.equal(answer.resultCode, 0);
  return { ...answer, address: answer.ipAddrList[0]! };
}

/** What a connection hears, for ends that are played by hand. */
class Heard implements LineOwner {
  readyCount = 0;
  readonly pulls: { readonly offset: number; readonly dataSize: number; readonly seq: number }[] = [];
  readonly blocks: IM.File.IMFilePullDataRsp[] = [];
  ready(): void {
    this.readyCount++;
  }
  pull(_line: FileLine, { offset, dataSize }: IM.File.IMFilePullDataReq, seq: number): void {
    this.pulls.push({ offset, dataSize, seq });
  }
  block(_line: FileLine, block: IM.File.IMFilePullDataRsp): void {
    this.blocks.push(block);
  }
}

async function enter(task: { taskId: string; address: IM.BaseDefine.IpAddr }, userId: number, role: number) {
  const heard = new Heard();
  const line = await FileLine.open(task.address, { taskId: task.taskId, userId, role }, heard);
  let ended: string | undefined;
  void line.ended.then(({ how }) => {
    ended = how;
  });
  await until(() => heard.readyCount > 0 || ended !== undefined, 'an answer to the log-in');
  return { line, heard, isIn: heard.readyCount > 0 };
}

const ask = (line: FileLine, offset: number, dataSize: number) =>
  line.tell(file.pullData, { ...ids(line), transMode: FILE_TYPE_ONLINE, offset, dataSize });
const give = (line: FileLine, offset: number, fileData: Uint8Array) =>
  line.tell(file.pullData.reply, { ...ids(line), resultCode: 0, offset, fileData });
const ids = ({ task: { taskId, userId } }: FileLine) => ({ taskId, userId });

const metric = (name: string) => cluster.metric('file', name);

for (const at of [0, 1]) {
  t.test(`online, the receiver on msg server ${at + 1}`, async (t) => {
    const alice = await login(t, 'alice');
    const bob = await login(t, 'bob', { at });
    const { path, bytes } = await aFile(1_000_003);
    const sent = sendFile(alice, 2, path);
    const offer = offerOf(await bob.next(file.notify));
    t.match(offer, { fromUserId: 1, size: bytes.length, online: true, ready: true });
    await receiveFile(bob, offer, `${path}.got`);
    t.same(await sent, { online: true, taskId: offer.taskId });
    t.equal(digest(await readFile(`${path}.got`)), digest(bytes));
    t.same(
      (await readdir(folder)).filter((name) => name.endsWith('.part')),
      [],
      'no part is left',
    );
    await t.rejects(receiveFile(bob, offer, `${path}.again`), TransferEnded, 'a task that is over is over');
  });

  t.test(`offline, the receiver on msg server ${at + 1} later`, async (t) => {
    const alice = await login(t, 'alice');
    const { path, bytes } = await aFile(300_000);
    await untilAway(alice, 2);
    const { online } = await sendFile(alice, 2, path);
    t.equal(online, false, 'nobody is there, so it is kept');
    const bob = await login(t, 'bob', { at });
    await until(async () => (await offlineFiles(bob)).length === 1, 'the file to be listed');
    const [offer] = await offlineFiles(bob);
    t.match(offer, { fromUserId: 1, name: path.split('/').at(-1), size: bytes.length });
    const progress: number[] = [];
    await receiveFile(bob, offer!, `${path}.got`, { progress: (done) => progress.push(done) });
    t.equal(progress.at(-1), bytes.length);
    t.equal(digest(await readFile(`${path}.got`)), digest(bytes));
    t.same(await offlineFiles(bob), [], 'fetched, it is off the list');
    const content = await cluster.storage.blobs.byName('transfer', offer!.taskId);
    t.equal(content, undefined, 'and its content has no name any more');
  });
}

t.test(
  'online is what the receiver can do: on a phone alone he gets the file offline, and hears when it is there',
  async (t) => {
    const alice = await login(t, 'alice');
    const phone = await login(t, 'bob', { at: 1, clientType: ClientType.CLIENT_TYPE_ANDROID });
    const { path } = await aFile(100);
    t.equal((await sendFile(alice, 2, path)).online, false);
    t.match(offerOf(await phone.next(file.notify)), { online: false, ready: false });
    const offer = offerOf(await phone.next(file.notify));
    t.match(offer, { online: false, ready: true, size: 100 });
    await refuseFile(phone, offer);
    await until(async () => (await offlineFiles(phone)).length === 0, 'the refused file to go');
  },
);

t.test('what cannot be sent is answered by result 1 and an empty task', async (t) => {
  const alice = await login(t, 'alice');
  const wish = { fromUserId: 2, toUserId: 2, fileName: 'a', fileSize: 1, transMode: FILE_TYPE_ONLINE };
  const wrong = [
    { ...wish, fileSize: 0 },
    { ...wish, toUserId: 1 },
    { ...wish, toUserId: 0 },
    { ...wish, toUserId: 4_000_000 },
    { ...wish, fileName: '' },
    { ...wish, fileName: 'x'.repeat(4_000) },
    { ...wish, fileName: 'a\0b' },
  ];
  for (const each of wrong) {
    const answer = await alice.ask(file.request, each);
    const { resultCode, taskId, fromUserId, fileName, ipAddrList } = answer;
    t.same(
      { resultCode, taskId, fromUserId, fileName },
      { resultCode: 1, taskId: '', fromUserId: 1, fileName: each.fileName },
    );
    t.same(ipAddrList, []);
  }
  const good = await alice.ask(file.request, { ...wish, fileName: '../../😀 日本.txt' });
  t.equal(good.resultCode, 0);
  t.equal(good.fromUserId, 1, 'whatever the client wrote about itself');
  t.match(good.taskId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

t.test('only the two users get in, each in his part, and only while there is something to do', async (t) => {
  const alice = await login(t, 'alice');
  await login(t, 'bob');
  const online = await aTask(alice, 100);
  const offline = await aTask(alice, 100, FILE_TYPE_OFFLINE);
  const refused: [typeof online, number, number][] = [
    [online, 3, CLIENT_REALTIME_SENDER],
    [online, 3, CLIENT_REALTIME_RECVER],
    [online, 2, CLIENT_REALTIME_SENDER],
    [online, 1, CLIENT_REALTIME_RECVER],
    [online, 1, CLIENT_OFFLINE_UPLOAD],
    [online, 2, CLIENT_OFFLINE_DOWNLOAD],
    [offline, 3, CLIENT_OFFLINE_DOWNLOAD],
    [offline, 2, CLIENT_OFFLINE_UPLOAD],
    [offline, 1, CLIENT_REALTIME_SENDER],
    [offline, 2, CLIENT_OFFLINE_DOWNLOAD], // nothing is stored yet
    [{ ...online, taskId: '00000000-0000-0000-0000-000000000000' }, 1, CLIENT_REALTIME_SENDER],
    [{ ...online, taskId: "' or 1=1 --" }, 1, CLIENT_REALTIME_SENDER],
    [{ ...online, taskId: '../../etc/passwd' }, 1, CLIENT_REALTIME_SENDER],
  ];
  for (const [task, userId, role] of refused) {
    const { line, isIn } = await enter(task, userId, role);
    t.notOk(isIn, `user ${userId}, role ${role}`);
    t.equal((await line.ended).how, 'not-let-in');
  }
  t.ok((await enter(online, 1, CLIENT_REALTIME_SENDER)).isIn);
  // Nobody else's word counts for a stored file.
  const carol = await login(t, 'carol');
  carol.tell(file.addOffline, { fromUserId: 1, toUserId: 2, taskId: offline.taskId, fileName: 'x', fileSize: 100 });
  alice.tell(file.addOffline, { fromUserId: 1, toUserId: 2, taskId: offline.taskId, fileName: 'x', fileSize: 100 });
  t.same(await offlineFiles(alice), []);
  const bob = await login(t, 'bob');
  t.same(await offlineFiles(bob), [], 'what is not stored cannot be offered');
});

t.test('a file that waits can be taken off by its receiver alone', async (t) => {
  const alice = await login(t, 'alice');
  const { path } = await aFile(10);
  const { taskId } = await sendFile(alice, 2, path, { offline: true });
  const bob = await login(t, 'bob');
  await until(async () => (await offlineFiles(bob)).length === 1, 'the file to be listed');
  const carol = await login(t, 'carol');
  for (const client of [carol, alice]) {
    client.tell(file.delOffline, { fromUserId: 1, toUserId: 2, taskId });
    await offlineFiles(client); // behind it
  }
  bob.tell(file.delOffline, { fromUserId: 3, toUserId: 2, taskId });
  t.equal((await offlineFiles(bob)).length, 1, 'not by others, not in the name of another sender');
  bob.tell(file.delOffline, { fromUserId: 1, toUserId: 0, taskId });
  t.same(await offlineFiles(bob), []);
});

t.test('either end can call it off, at every stage', async (t) => {
  const alice = await login(t, 'alice');
  await login(t, 'bob');
  for (const stage of ['alone', 'both', 'pulling', 'moving'] as const) {
    for (const [who, state] of [
      ['sender', CLIENT_FILE_CANCEL],
      ['receiver', CLIENT_FILE_CANCEL],
      ['receiver', CLIENT_FILE_REFUSE],
    ] as const) {
      const task = await aTask(alice, 100_000);
      const sender = who === 'receiver' && stage === 'alone' ? undefined : await enter(task, 1, CLIENT_REALTIME_SENDER);
      const receiver = who === 'sender' && stage === 'alone' ? undefined : await enter(task, 2, CLIENT_REALTIME_RECVER);
      if (stage === 'pulling' || stage === 'moving') {
        ask(receiver!.line, 0, 1_000);
        await until(() => sender!.heard.pulls.length === 1, 'the pull');
        if (stage === 'moving') give(sender!.line, 0, randomBytes(1_000));
        if (stage === 'moving') await until(() => receiver!.heard.blocks.length === 1, 'the block');
      }
      const [mine, theirs] = who === 'sender' ? [sender, receiver] : [receiver, sender];
      mine!.line.tell(file.state, { ...ids(mine!.line), state });
      const how = state === CLIENT_FILE_REFUSE ? 'refused' : 'cancelled';
      if (theirs !== undefined) t.equal((await theirs.line.ended).how, how, `${how} by the ${who}, ${stage}`);
      t.equal((await mine!.line.ended).how, 'lost', 'whoever said it is hung up on');
      const again = await enter(
        task,
        who === 'sender' ? 2 : 1,
        who === 'sender' ? CLIENT_REALTIME_RECVER : CLIENT_REALTIME_SENDER,
      );
      t.notOk(again.isIn, 'and the task is over');
    }
  }
});

t.test('a block that was not asked for like that is refused, and nothing of it gets through', async (t) => {
  const alice = await login(t, 'alice');
  await login(t, 'bob');
  for (const [what, offset, size] of [
    ['wrong offset', 5, 1_000],
    ['larger', 0, 1_001],
    ['much larger', 0, 2 * FILE_BLOCK_SIZE],
    ['empty', 0, 0],
  ] as const) {
    const task = await aTask(alice, 100_000);
    const sender = await enter(task, 1, CLIENT_REALTIME_SENDER);
    const receiver = await enter(task, 2, CLIENT_REALTIME_RECVER);
    ask(receiver.line, 0, 1_000);
    await until(() => sender.heard.pulls.length === 1, 'the pull');
    give(sender.line, offset, randomBytes(size));
    t.equal((await sender.line.ended).how, 'cancelled', what);
    t.equal(receiver.heard.blocks.length, 0);
    const honest = await enter(task, 1, CLIENT_REALTIME_SENDER); // the receiver still waits
    await until(() => honest.heard.pulls.length === 1, 'the same pull');
    give(honest.line, 0, randomBytes(1_000));
    await until(() => receiver.heard.blocks.length === 1, 'the block');
    honest.line.close();
    receiver.line.close();
  }
  const task = await aTask(alice, 100_000);
  const sender = await enter(task, 1, CLIENT_REALTIME_SENDER);
  give(sender.line, 0, randomBytes(10));
  t.equal((await sender.line.ended).how, 'cancelled', 'unasked');
  for (const [offset, size] of [
    [100_000, 10],
    [0, 0],
    [4_000_000_000, 1],
  ] as const) {
    const receiver = await enter(task, 2, CLIENT_REALTIME_RECVER);
    ask(receiver.line, offset, size);
    await until(() => receiver.heard.blocks.length === 1, 'the refusal');
    t.equal(receiver.heard.blocks[0]!.resultCode, 1, `nothing at ${offset}`);
    t.equal((await receiver.line.ended).how, 'lost');
  }
});

t.test(
  'an upload goes on where it was cut; wrong blocks leave no trace; the newest of two writers writes',
  async (t) => {
    const alice = await login(t, 'alice');
    const bytes = randomBytes(200_000);
    const task = await aTask(alice, bytes.length, FILE_TYPE_OFFLINE);
    const upload = async (blocks: number) => {
      const party = await enter(task, 1, CLIENT_OFFLINE_UPLOAD);
      t.ok(party.isIn);
      for (let i = 0; i < blocks; i++) {
        await until(() => party.heard.pulls.length === i + 1, 'to be asked');
        const { offset, dataSize } = party.heard.pulls[i]!;
        give(party.line, offset, bytes.subarray(offset, offset + dataSize));
      }
      await until(() => party.heard.pulls.length === blocks + 1, 'to be asked on');
      return party;
    };
    const first = await upload(2);
    first.line.close();
    await first.line.ended;
    const second = await upload(1);
    t.equal(second.heard.pulls[0]!.offset, 2 * FILE_BLOCK_SIZE, 'asked for what is missing');
    const third = await upload(0);
    t.equal((await second.line.ended).how, 'lost', 'the one before is hung up on');
    t.equal(third.heard.pulls[0]!.offset, 3 * FILE_BLOCK_SIZE);
    give(third.line, 0, randomBytes(FILE_BLOCK_SIZE));
    t.equal((await third.line.ended).how, 'cancelled', 'a wrong offset');
    const fourth = await enter(task, 1, CLIENT_OFFLINE_UPLOAD);
    await until(() => fourth.heard.pulls.length === 1, 'to be asked');
    t.equal(fourth.heard.pulls[0]!.offset, 3 * FILE_BLOCK_SIZE);
    give(fourth.line, 3 * FILE_BLOCK_SIZE, bytes.subarray(3 * FILE_BLOCK_SIZE, 3 * FILE_BLOCK_SIZE + 7)); // shorter is fine
    await until(() => fourth.heard.pulls.length === 2, 'to be asked for the rest');
    for (let i = 1; ; i++) {
      await until(() => fourth.heard.pulls.length > i, 'to be asked');
      const { offset, dataSize } = fourth.heard.pulls[i]!;
      give(fourth.line, offset, bytes.subarray(offset, offset + dataSize));
      if (offset + dataSize === bytes.length) break;
    }
    t.equal((await fourth.line.ended).how, 'done');
    const again = await enter(task, 1, CLIENT_OFFLINE_UPLOAD);
    t.equal((await again.line.ended).how, 'done', 'whoever missed that hears it again');
    alice.tell(file.addOffline, { fromUserId: 1, toUserId: 2, taskId: task.taskId, fileName: 'plan.txt', fileSize: 1 });

    const bob = await login(t, 'bob');
    await until(async () => (await offlineFiles(bob)).length === 1, 'the file to be listed');
    const [offer] = await offlineFiles(bob);
    t.equal(offer!.size, bytes.length, 'its real size');
    const path = join(folder, 'resumed');
    const part = `${path}.${task.taskId.slice(0, 8)}.part`;
    await writeFile(part, bytes.subarray(0, 123_456)); // what an earlier try had fetched
    const progress: number[] = [];
    await receiveFile(bob, offer!, path, { progress: (done) => progress.push(done) });
    t.ok(progress[0]! > 123_456, 'only the rest comes');
    t.equal(digest(await readFile(path)), digest(bytes));
  },
);

t.test('the receiver is lost and comes back, then the sender; the bytes are the same', async (t) => {
  const alice = await login(t, 'alice');
  const bob = await login(t, 'bob', { at: 1 });
  const { path, bytes } = await aFile(3_000_000);
  const sent = sendFile(alice, 2, path);
  const offer = offerOf(await bob.next(file.notify));
  let cut = false;
  const progress = (done: number) => {
    if (cut || done < 1_000_000) return;
    cut = true;
    void cluster.file!.running.close(0).then(() => cluster.startFile({ peerWaitMs: 400, silenceMs: 60_000 }));
  };
  await receiveFile(bob, offer, `${path}.got`, { progress });
  await sent;
  t.ok(cut, 'the file server was away in the middle');
  t.equal(digest(await readFile(`${path}.got`)), digest(bytes));
});

t.test('an end that stays away is waited for, but not for ever', async (t) => {
  const alice = await login(t, 'alice');
  await login(t, 'bob');
  const task = await aTask(alice, 100);
  const sender = await enter(task, 1, CLIENT_REALTIME_SENDER);
  const receiver = await enter(task, 2, CLIENT_REALTIME_RECVER);
  receiver.line.close();
  t.equal((await sender.line.ended).how, 'cancelled');
});

t.test('abort ends it for both', async (t) => {
  const alice = await login(t, 'alice');
  const bob = await login(t, 'bob');
  const { path } = await aFile(5_000_000);
  const abort = new AbortController();
  const sent = sendFile(alice, 2, path);
  sent.catch(() => undefined);
  const offer = offerOf(await bob.next(file.notify));
  const progress = (done: number) => done > 1_000_000 && abort.abort(new Error('enough'));
  await t.rejects(receiveFile(bob, offer, `${path}.got`, { progress, signal: abort.signal }), { message: 'enough' });
  await t.rejects(sent, TransferEnded);
});

t.test('heartbeats are echoed, before the log-in too; what is not understood is passed over', async (t) => {
  const socket = connect(cluster.file!.running.ports.clients!, '127.0.0.1');
  const beat = encodeFrame(other.heartbeat, 7, {});
  socket.write(encodeFrame(file.pullData, 1, { taskId: 'x', userId: 1, transMode: 1, offset: 0, dataSize: 1 }));
  socket.write(Buffer.concat([encodeFrame(file.enter, 1, { userId: 1, taskId: '', fileRole: 1 }).subarray(0, 15)]));
  socket.destroy();
  const second = connect(cluster.file!.running.ports.clients!, '127.0.0.1');
  second.write(beat);
  const [echo] = (await once(second, 'data')) as [Buffer];
  t.ok(echo.equals(beat));
  second.destroy();
});

t.test('a receiver that does not read: the sender is not asked for more than some blocks', async (t) => {
  const alice = await login(t, 'alice');
  await login(t, 'bob');
  const size = 64 * 1024 * 1024;
  const task = await aTask(alice, size);
  const receiver = connect(task.address.port, task.address.ip);
  receiver.write(encodeFrame(file.enter, 1, { userId: 2, taskId: task.taskId, fileRole: CLIENT_REALTIME_RECVER }));
  await once(receiver, 'data');
  receiver.pause();
  const block = randomBytes(FILE_BLOCK_SIZE);
  let given = 0;
  const owner: LineOwner = {
    ready: () => undefined,
    block: () => undefined,
    pull(line, { offset, dataSize }, seq) {
      given += dataSize;
      const data = { ...ids(line), resultCode: 0, offset, fileData: block.subarray(0, dataSize) };
      line.tell(file.pullData.reply, data, seq);
    },
  };
  const sender = await FileLine.open(
    task.address,
    { taskId: task.taskId, userId: 1, role: CLIENT_REALTIME_SENDER },
    owner,
  );
  const pull = (offset: number) =>
    encodeFrame(file.pullData, 9, { taskId: task.taskId, userId: 2, transMode: 1, offset, dataSize: FILE_BLOCK_SIZE });
  const pulls: Buffer[] = [];
  for (let offset = 0; offset < size; offset += FILE_BLOCK_SIZE) pulls.push(pull(offset));
  receiver.write(Buffer.concat(pulls)); // everything at once
  let before = -1;
  await until(async () => {
    const same = before === given && given > 0;
    before = given;
    if (!same) await new Promise((resolve) => setTimeout(resolve, 300));
    return same;
  }, 'the flow to stop');
  const buffered = await metric('file_buffered_bytes');
  t.ok(given < size / 2, `${given} bytes were asked for, the sockets' own buffers included`);
  t.ok(buffered <= 20 * FILE_BLOCK_SIZE, `${buffered} bytes wait in the server`);
  t.ok(buffered > 0);
  let got = 0;
  receiver.on('data', (chunk) => {
    got += chunk.length;
  });
  receiver.resume();
  await until(() => got > size, 'all of it, once the receiver reads', 30_000);
  receiver.destroy();
  sender.close();
});

t.test('200 transfers side by side, online and offline', { timeout: 60_000 }, async (t) => {
  const alice = await login(t, 'alice');
  const bob = await login(t, 'bob', { at: 1 });
  const { path, bytes } = await aFile(70_000);
  const fetched: Promise<void>[] = [];
  let into = 0;
  const fetch = (offer: FileOffer) => {
    if (offer.ready) fetched.push(receiveFile(bob, offer, join(folder, `many-${++into}`)));
  };
  bob.on('file', (notice) => fetch(offerOf(notice)));
  const sent = Array.from({ length: 200 }, (_, i) => sendFile(alice, 2, path, { offline: i % 2 === 0 }));
  await Promise.all(sent);
  await until(() => fetched.length === 200, 'all notices');
  await Promise.all(fetched);
  const wanted = digest(bytes);
  const digests = await Promise.all(fetched.map(async (_, i) => digest(await readFile(join(folder, `many-${i + 1}`)))));
  t.ok(digests.every((each) => each === wanted));
  await until(async () => (await metric('file_transfers_open')) === 0, 'nothing to be left open');
});

t.test('without a file server the answers come all the same', async (t) => {
  const lone = await TestCluster.start(t, postgres);
  const alice = await lone.login('alice');
  const wish = { fromUserId: 1, toUserId: 2, fileName: 'a', fileSize: 1, transMode: FILE_TYPE_ONLINE };
  t.equal((await alice.ask(file.request, wish)).resultCode, 1);
  t.same(await alice.ask(file.hasOffline, { userId: 0 }), { userId: 1, offlineFileList: [], ipAddrList: [] });
});
