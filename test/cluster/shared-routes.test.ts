/**
 * Several route servers that share what they hear through a Redis Cluster: each msg server is told of by one of them
 * only, and to clients all of it looks like one. Redis is killed and flushed, route servers come and go.
 */
import t from 'tap';
import type { Client } from '../../common/client/client.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { buddy, group, login, switchService } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { TestCluster, until } from '../support/cluster.js';
import { listenTo, only, plain } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';
import { mastersOf, testRedisCluster, whyNoRedis } from '../support/redis.js';

const { USER_STATUS_ONLINE: ONLINE, USER_STATUS_OFFLINE: OFFLINE } = IM.BaseDefine.UserStatType;
const { CLIENT_TYPE_IOS: IOS } = IM.BaseDefine.ClientType;
const { SESSION_TYPE_SINGLE: SINGLE } = IM.BaseDefine.SessionType;
const { GROUP_TYPE_TMP } = IM.BaseDefine.GroupType;
/** A route server that says nothing is gone after 10 s, and anything else is known sooner. */
const KNOWN_MS = 30_000;

const reason = await whyNoRedis();
if (reason !== undefined) t.plan(0, reason);
else {
  const postgres = await testPostgres(t);
  const { nodes, url } = await testRedisCluster(t, { replicas: 1 });
  const route = { redis: url };
  const cluster = await TestCluster.start(t, postgres, { msgServers: 2, routeServers: 2, route });
  await heardByEachOther();

  async function heardByEachOther(): Promise<void> {
    for (const name of ['route-1', 'route-2'])
      await until(
        async () =>
          (await cluster.metric(name, 'route_servers_heard')) === 1 &&
          (await cluster.metric(name, 'route_channels_late')) === 0,
        `${name} to hear the other one`,
        KNOWN_MS,
      );
  }

  const statusIs = (asker: Client, userId: number, status: number) =>
    until(async () => (await asker.usersStatus([userId]))[0]!.status === status, `user ${userId}: ${status}`, KNOWN_MS);

  t.test('presence is the same everywhere', async (t) => {
    const watchers = [await cluster.login('dave', { at: 0 }), await cluster.login('carol', { at: 1 })];
    const heard = watchers.map((watcher) => {
      const list: [number, number][] = [];
      watcher.on('statusNotify', ({ userId, status }) => userId === 1 && list.push([userId, status]));
      return list;
    });
    const phone = await cluster.login('alice', { at: 1, clientType: IOS });
    const pc = await cluster.login('alice', { at: 0 });
    await until(() => heard.every((list) => list.length === 1), 'both to hear of her');
    t.same(plain(await phone.next(buddy.pcLoginNotify)), { userId: 1, loginStat: ONLINE });
    for (const watcher of watchers) await statusIs(watcher, 1, ONLINE);
    await pc.logout();
    await until(() => heard.every((list) => list.length === 2), 'both to hear of her going');
    t.same(heard, [
      [
        [1, ONLINE],
        [1, OFFLINE],
      ],
      [
        [1, ONLINE],
        [1, OFFLINE],
      ],
    ]);
    for (const watcher of watchers) await statusIs(watcher, 1, OFFLINE);
    await phone.logout();
    for (const watcher of watchers) await watcher.logout();
  });

  t.test('each msg server is told of by one route server', async (t) => {
    const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
    const subjects = async () => [
      await cluster.metric('route-1', 'subjects'),
      await cluster.metric('route-2', 'subjects'),
    ];
    t.same(await subjects(), [1, 1]);

    const frames = listenTo(bob);
    const texts = Array.from({ length: 50 }, (_, i) => `number ${i}`);
    const acks = await Promise.all(texts.map((text) => alice.say(2, text)));
    const heard: unknown[] = [];
    for (const _ of texts) heard.push((await bob.heard()).text);
    t.same(heard, texts, 'what is said comes in order');
    t.same(
      acks.map(({ msgId }) => msgId),
      texts.map((_, i) => i + 1),
    );
    const typing = { cmdMsgData: '{"typing":true}', fromUserId: 1, toUserId: 2 };
    alice.tell(switchService.p2p, typing);
    await until(() => only(frames, switchService.p2p).length > 0, 'what is said in passing');
    bob.markRead(SINGLE, 1, 0);
    await alice.say(2, 'the last');
    await bob.heard();
    t.equal(only(frames, switchService.p2p).length, 1, 'once');
    await alice.logout();
    await bob.logout();
  });

  t.test('of many log-ins at the same moment exactly one stays', async (t) => {
    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all([0, 1, 0, 1].map((at) => cluster.connect(at)));
      await Promise.allSettled(clients.map((client) => client.enter({ user: 'carol', password: 'test123' })));
      const stays = () => clients.filter((client) => !client.isClosed);
      await until(() => stays().length <= 1, 'all but one to be kicked', KNOWN_MS);
      t.equal(stays().length, 1);
      await stays()[0]!.logout();
    }
  });

  t.test('a new group reaches its members wherever they are', async (t) => {
    const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
    const groupId = await groupOf(alice, [1, 2]);
    await alice.sayGroup(groupId, 'right behind');
    t.match(await bob.heard(), { sessionId: groupId, text: 'right behind' });
    await alice.logout();
    await bob.logout();
  });

  t.test('Redis is flushed, one of its nodes is killed, and all of them are', async (t) => {
    const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
    const texts: string[] = [];
    bob.on('message', ({ text }) => texts.push(text!));
    const sent: string[] = [];
    const say = async (text: string) => {
      sent.push(text);
      await alice.say(2, text);
    };
    const told = () => until(() => sent.every((text) => texts.includes(text)), 'all that was said', KNOWN_MS);
    await say('before');
    for (const node of nodes) await node.ask('FLUSHALL').catch(() => undefined); // replicas do as their masters do
    await say('after the flush');
    await told();
    const groupIds: number[] = []; // of channels on every node
    while (groupIds.length < 16) groupIds.push(await groupOf(alice, [1, 2]));
    await nodes[0]!.kill();
    for (const groupId of groupIds) {
      sent.push(`${groupId}`);
      await alice.sayGroup(groupId, `${groupId}`);
    }
    await told();
    for (const node of nodes) await node.kill();
    for (let i = 0; i < 20; i++) await say(`without any: ${i}`);
    await told();
    await statusIs(bob, 1, ONLINE);
    const [old, fresh] = [await cluster.login('carol', { at: 0 }), await cluster.login('carol', { at: 1 })];
    const phone = await cluster.login('alice', { at: 0, clientType: IOS });
    const dave = await cluster.login('dave', { at: 0 });
    t.notOk(old.isClosed, 'there is nobody to tell it that it is the older one');
    for (const node of nodes) await node.start();
    await heardByEachOther();
    await statusIs(bob, 4, ONLINE);
    await until(() => old.isClosed, 'the older one to go', KNOWN_MS);
    t.notOk(fresh.isClosed);
    await say('with all of them');
    await told();
    t.same(texts.toSorted(), sent.toSorted(), 'each once');
    for (const each of [alice, bob, dave, phone, fresh]) await each.logout();
  });

  t.test('a master of Redis dies, and its replica takes its place', async (t) => {
    const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
    const groupIds: number[] = []; // of channels on every node
    while (groupIds.length < 16) groupIds.push(await groupOf(alice, [1, 2]));
    const [master, ...masters] = await mastersOf(nodes);
    await master!.kill();
    const others = nodes.filter((node) => node !== master);
    const isReplaced = async () => (await mastersOf(others)).length > masters.length;
    await until(isReplaced, 'a replica to be a master', KNOWN_MS);
    await heardByEachOther();
    for (const groupId of groupIds) {
      await alice.sayGroup(groupId, `${groupId}`);
      t.equal((await bob.heard()).text, `${groupId}`);
    }
    await statusIs(bob, 1, ONLINE);
    const fresh = await cluster.login('alice', { at: 1 });
    await until(() => alice.isClosed, 'the older one to go', KNOWN_MS);
    await master!.start();
    await heardByEachOther();
    await fresh.say(2, 'with all of them');
    t.match(await bob.heard(), { text: 'with all of them' });
    await fresh.logout();
    await bob.logout();
  });

  t.test('a route server is stopped, and another one comes in its place', async (t) => {
    const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
    for (const at of [0, 1]) {
      const gone: number[] = [];
      // Those who have logged out before are told of late.
      const note = ({ userId, status }: { userId: number; status: number }) =>
        userId < 3 && status === OFFLINE && gone.push(userId);
      alice.on('statusNotify', note);
      await cluster.routes[at]!.running.close(0);
      await alice.say(2, `without route-${at + 1}`);
      t.match(await bob.heard(), { text: `without route-${at + 1}` });
      await statusIs(alice, 2, ONLINE);
      await cluster.startRoute(at, route);
      await heardByEachOther();
      await alice.say(2, `with route-${at + 1}`);
      t.match(await bob.heard(), { text: `with route-${at + 1}` });
      alice.removeListener('statusNotify', note);
      t.same(gone, [], 'nobody has seemed to be gone');
    }
    for (const name of ['route-1', 'route-2'])
      await until(
        async () => (await cluster.metric(name, 'subjects')) > 0,
        `a msg server to be back at ${name}`,
        KNOWN_MS,
      );
    await alice.logout();
    await bob.logout();
  });

  t.test('what others write to Redis is not heard', async (t) => {
    const [alice, bob] = [await cluster.login('alice', { at: 0 }), await cluster.login('bob', { at: 1 })];
    const channels = (await Promise.all(nodes.map((node) => node.ask('PUBSUB', 'SHARDCHANNELS')))).flat() as string[];
    t.equal(channels.length, 16);
    const kick = encodeFrame(login.kick, 0, { userId: 2, kickReason: 1 });
    for (const node of nodes)
      for (const channel of channels)
        await node.ask('SPUBLISH', channel, `${'x'.repeat(32)}${kick.toString('latin1')}`).catch(() => undefined);
    await alice.say(2, 'still here');
    t.match(await bob.heard(), { text: 'still here' });
    await alice.logout();
    await bob.logout();
  });
}

async function groupOf(client: Client, memberIdList: readonly number[]): Promise<number> {
  const asked = {
    userId: 0,
    groupType: GROUP_TYPE_TMP,
    groupName: 'together',
    groupAvatar: '',
    memberIdList: [...memberIdList],
  };
  return (await client.ask(group.create, asked)).groupId!;
}
