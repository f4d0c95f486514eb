/** A push server that is killed over and over, and a vendor that refuses one push in ten: every phone shows the newest. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { singleConversation } from '../../../common/conversation.js';
import { projectRoot } from '../../../common/root.js';
import { encryptText } from '../../../common/text-cipher.js';
import { CLUSTER_SECRET, TestCluster, until } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';
import { httpVendor } from '../../support/vendors.js';

const PHONES = 60;
/** Of each phone's user. `PUSHES=10000` for more than the suite has time for. */
const MESSAGES = Math.ceil(Number(process.env.PUSHES ?? 1_200) / PHONES);
const KILLS = 3;
const IOS = 0x11;

t.test('each phone shows the last message', async (t) => {
  const users = Array.from({ length: PHONES + 1 }, (_, i) => `user${i}`);
  const cluster = await TestCluster.start(t, await testPostgres(t), { users });
  await cluster.storage.outbox.register('push');
  const receivers = users.slice(1).map((_, i) => i + 2);
  for (const userId of receivers) await cluster.storage.devices.setToken(userId, IOS, `phone-${userId}`);

  const vendor = await httpVendor(t);
  let random = 7;
  const oneIn = (n: number) => {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor(random / 65_536) % n === 0;
  };
  /** Token → the message that the phone shows. */
  const shows = new Map<string, number>();
  let taken = 0;
  vendor.answer = ({ body }) => {
    if (oneIn(10)) return { status: oneIn(2) ? 503 : 429 };
    const { token, kind, about } = JSON.parse(body.toString());
    t.equal(kind, 'ring');
    shows.set(token, about.msgId);
    taken++;
    return { status: 200 };
  };

  const start = () =>
    spawn(process.execPath, [join(projectRoot, 'dist/servers/push/main.js')], {
      env: {
        PATH: process.env.PATH,
        TT_CLUSTER_SECRET: CLUSTER_SECRET,
        TT_LOG_LEVEL: 'silent',
        TT_PUSH_IOS: 'webhook',
        TT_PUSH_WEBHOOK_URL: `http://127.0.0.1:${vendor.port}/`,
        TT_PUSH_WEBHOOK_SECRET: 'shared with the bridge',
        TT_PUSH_DB_PROXIES: `127.0.0.1:${cluster.dbProxies[0]!.port}`,
        TT_PUSH_ROUTE_SERVERS: `127.0.0.1:${cluster.routes[0]!.port}`,
        TT_PUSH_CLAIM_LEASE_MS: '3000',
      },
      stdio: 'ignore',
    });
  let server = start();
  t.teardown(() => server.kill('SIGKILL'));
  const total = PHONES * MESSAGES;
  const sending = (async () => {
    for (let n = 1; n <= MESSAGES; n++)
      await Promise.all(
        receivers.map((userId) =>
          cluster.storage.append.store({
            conversationId: singleConversation(1, userId),
            senderId: 1,
            msgType: 1,
            body: encryptText(`message ${n}`),
            sendId: randomBytes(16),
          }),
        ),
      );
  })();
  for (let kill = 1; kill <= KILLS; kill++) {
    await until(() => taken >= (total * kill) / (KILLS + 2), `part ${kill} of the pushes`, 60_000);
    server.kill('SIGKILL');
    await new Promise((resolve) => server.once('exit', resolve));
    server = start();
  }
  await sending;
  const left = async () => (await cluster.storage.outbox.waiting(1, 1)).length;
  await until(async () => (await left()) === 0, 'the outbox to be worked off', 120_000);
  t.same(
    receivers.map((userId) => shows.get(`phone-${userId}`)),
    receivers.map(() => MESSAGES),
  );
  const stopped = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  t.equal(await stopped, 0, 'and it stops when it is told to');
});
