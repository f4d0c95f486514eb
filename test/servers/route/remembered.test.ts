/** A route server that was started again knows from Redis who is online, until the msg servers tell it themselves. */
import t, { type Test } from 'tap';
import { LinkGroup } from '../../../common/net/link-group.js';
import { push, server } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { commandTable } from '../../../common/server/command-table.js';
import { CLUSTER_SECRET, testLog, until } from '../../support/cluster.js';
import { testRedis, whyNoRedis } from '../../support/redis.js';
import { startRoute } from '../../support/route.js';

const ONLINE = IM.BaseDefine.UserStatType.USER_STATUS_ONLINE;
const { CLIENT_TYPE_WINDOWS: WINDOWS, CLIENT_TYPE_IOS: IOS } = IM.BaseDefine.ClientType;

function link(t: Test, role: string, name: string, port: number): LinkGroup {
  const links = new LinkGroup({
    self: { role, name },
    role: 'route',
    secret: CLUSTER_SECRET,
    addresses: [{ host: '127.0.0.1', port }],
    askTimeoutMs: 5_000,
    asksMax: 10,
    log: testLog(name),
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  });
  t.teardown(() => links.close());
  return links;
}

async function online(links: LinkGroup) {
  const { onlineList } = await links.ask(push.online, { userIdList: [1, 2, 3] });
  return onlineList.map(({ userId, pc, mobile }) => [userId, pc, mobile]);
}

const reason = await whyNoRedis();

t.test('presence', reason === undefined ? {} : { skip: reason }, async (t) => {
  const redis = await testRedis(t);
  const before = await startRoute('route', redis.url);
  const msg = link(t, 'msg', 'msg-1', before.ports.servers!);
  await until(() => msg.open, 'the msg server');
  const sessions = [
    { userId: 1, status: ONLINE, clientType: WINDOWS },
    { userId: 2, status: ONLINE, clientType: IOS },
  ];
  msg.tell(server.onlineUsers, { userStatList: sessions });
  const asker = link(t, 'push', 'push', before.ports.servers!);
  const there = [
    [1, true, false],
    [2, false, true],
  ];
  await until(async () => (await online(asker)).length === 2, 'both to be known');
  const kept = async () => (await redis.ask('keys', '*:presence:msg-1')) as string[];
  await until(async () => (await kept()).length === 1, 'it to be in Redis');
  msg.close();
  await before.close(0);

  const after = await startRoute('route', redis.url);
  t.teardown(() => after.close(0));
  const again = link(t, 'push', 'push', after.ports.servers!);
  t.same(await online(again), there, 'known before any msg server has come');
  const back = link(t, 'msg', 'msg-1', after.ports.servers!);
  await until(() => back.open, 'the msg server');
  back.tell(server.onlineUsers, { userStatList: sessions.slice(0, 1) });
  await until(async () => (await online(again)).length === 1, 'its own word to count');

  await redis.ask('flushall');
  t.same(await online(again), there.slice(0, 1), 'a flush changes nothing');
  await redis.kill();
  t.same(await online(again), there.slice(0, 1), 'nor does its end');
  const alone = await startRoute('route', redis.url);
  t.teardown(() => alone.close(0));
  t.same(await online(link(t, 'push', 'push', alone.ports.servers!)), [], 'and without it one starts as well');
});
