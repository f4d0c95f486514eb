/** Every command and every route × who asks × what comes of it. What is not in a table fails. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SCOPES, type Scope } from '../../common/api-key.js';
import type { Client } from '../../common/client/client.js';
import type { ImError } from '../../common/errors.js';
import { Hops } from '../../common/hops.js';
import { Metrics } from '../../common/metrics.js';
import { type Peer, Peers } from '../../common/net/peers.js';
import { type Command, encodeFrame } from '../../common/pdu/command.js';
import * as catalogue from '../../common/pdu/commands.js';
import { group, login, message, other } from '../../common/pdu/commands.js';
import { frameOf } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { ROLES, type Role } from '../../common/roles.js';
import { projectRoot } from '../../common/root.js';
import { commandTable } from '../../common/server/command-table.js';
import type { Running } from '../../common/server/lifecycle.js';
import { readSettings } from '../../common/settings.js';
import { encryptText } from '../../common/text-cipher.js';
import { may } from '../../servers/admin/permissions.js';
import { routes } from '../../servers/admin/routes.js';
import { CAPABILITIES } from '../../servers/msg/capabilities.js';
import { fromClients } from '../../servers/msg/commands.js';
import { startMsgServer } from '../../servers/msg/server.js';
import { msgSettings } from '../../servers/msg/settings.js';
import { startPushServer } from '../../servers/push/server.js';
import { pushSettings } from '../../servers/push/settings.js';
import { fromRouteServers } from '../../servers/route/commands.js';
import { CLUSTER_SECRET, md5Hex, PASSWORD, TestCluster, testLog, until } from '../support/cluster.js';
import { ADMIN_PASSWORD, addAdmin, Browser } from '../support/console.js';
import { databaseText } from '../support/database-text.js';
import { listenTo } from '../support/frames.js';
import { caller } from '../support/http.js';
import { testPostgres } from '../support/postgres.js';
import { BOB, CAROL, type CommandRow, commandRows, DAVE, type Outcome } from './commands.js';
import { httpRows } from './http.js';
import {
  backRows,
  commandsBetweenServers,
  type LinkRow,
  linkRows,
  ofEveryLink,
  SERVER_ROLES,
  type ServerRole,
  throughRedis,
} from './links.js';
import { consoleRows } from './routes.js';

const { GroupModifyType, GroupType } = IM.BaseDefine;

const postgres = await testPostgres(t);
const logLines: string[] = [];
const cluster = await TestCluster.start(t, postgres, {
  users: ['alice', 'bob', 'carol', 'dave', 'erin'],
  groups: [{ name: 'fixed', memberIds: [1, 2] }],
  file: {},
  httpMsg: { requestsPerMinute: 10_000 },
  console: {},
  push: {},
  logged: (line) => logLines.push(line),
});

// ---------------------------------------------------------------------------------------------- commands of clients

/** Alice makes a group with Bob and Carol, everybody is heard, and Carol is removed. @returns its id */
async function makeGroup(): Promise<number> {
  const alice = await cluster.login('alice');
  const { groupId } = await alice.ask(group.create, {
    userId: 0,
    groupType: GroupType.GROUP_TYPE_TMP,
    groupName: 'ours',
    groupAvatar: '',
    memberIdList: [BOB, CAROL],
  });
  await alice.sayGroup(groupId!, 'with Carol');
  const changeType = GroupModifyType.GROUP_MODIFY_TYPE_DEL;
  await alice.ask(group.changeMember, { userId: 0, changeType, groupId: groupId!, memberIdList: [CAROL] });
  await alice.sayGroup(groupId!, 'without Carol');
  await alice.say(BOB, 'between us');
  await alice.logout();
  return groupId!;
}

/** Sends it, and looks at what comes back. `expected` only says how long nothing is waited for. */
async function outcomeOf(client: Client, row: CommandRow, groupId: number, expected: Outcome): Promise<Outcome> {
  const { reply } = row;
  const seq = 4242;
  const frames = listenTo(client);
  const answer = () =>
    frames.find((it) => it.seq === seq && (it.command === reply?.id || it.command === message.error.id));
  client.sendFrame(encodeFrame({ ...row.command, id: row.id ?? row.command.id }, seq, row.body(groupId) as never));
  if (expected === 'silent') await echo(client, frames);
  else await until(() => answer() !== undefined, `an answer to ${row.command.name}`).catch(() => undefined);
  client.removeAllListeners('frame');
  const frame = answer();
  if (frame === undefined) return 'silent';
  if (frame.command === message.error.id) return 'refused';
  const said = reply!.codec.decode(frame.body) as never;
  if (row.shows?.(said, groupId) === false) return 'nothing';
  const about = row.about?.(said) ?? (said as { userId: number }).userId;
  const isOwn = about === client.userId && row.shows === undefined;
  return isOwn ? 'own' : about === client.userId || about === 0 ? 'given' : 'nothing';
}

/** What was answered before, or went to a db-proxy and back, has come by then. */
async function echo(client: Client, frames: readonly { readonly command: number }[]): Promise<void> {
  const beats = () => frames.filter((it) => it.command === other.heartbeat.id).length;
  const before = beats();
  client.sendFrame(encodeFrame(other.heartbeat, 0, {}));
  await until(() => beats() > before, 'the echo of a heartbeat');
  if (client.userId !== 0) await client.latestId(IM.BaseDefine.SessionType.SESSION_TYPE_SINGLE, client.userId);
}

/** The database once nothing moves in it: what was done before may still be on its way there. */
async function databaseAtRest(): Promise<string> {
  let last = '';
  const same = async () => {
    const now = await databaseText(cluster);
    const isSame = now === last;
    last = now;
    return isSame;
  };
  await until(same, 'the database to be at rest', 30_000);
  return last;
}

t.test('every command that is heard has its row', (t) => {
  const known = commandRows.map((row) => row.id ?? row.command.id);
  t.strictSame([...known, login.enter.id].sort(), [...fromClients.keys()].sort());
  t.equal(new Set(known).size, known.length, 'each once');
  t.end();
});

t.test('commands of clients', async (t) => {
  const groupId = await makeGroup();
  const enter = (user: string, capabilities: readonly string[]) =>
    cluster.login(user, { capabilities, deviceId: `${user}'s` });

  await t.test('of a stranger', async (t) => {
    const before = await databaseText(cluster);
    const stranger = await cluster.connect();
    for (const row of commandRows)
      t.equal(await outcomeOf(stranger, row, groupId, 'silent'), row.outcomes.stranger, row.command.name);
    t.equal(await databaseText(cluster), before, 'nothing has changed');
  });

  await t.test('of one who was not granted what they need', async (t) => {
    const dave = await enter('dave', ['err1']);
    for (const row of commandRows.filter((it) => it.needs !== undefined))
      t.equal(await outcomeOf(dave, row, groupId, 'silent'), 'silent', row.command.name);
    await dave.logout();
  });

  const play = async (t: Test, client: Client, who: 'nonMember' | 'removed' | 'member') => {
    const probe = async (row: CommandRow) => {
      const expected = row.outcomes[who];
      t.equal(await outcomeOf(client, row, groupId, expected), expected, `${row.command.name}, ${who}`);
    };
    // What is denied comes first: what is done, some of it behind its answer, would hide what it has changed.
    const denied = (row: CommandRow) => ['nothing', 'refused', 'silent'].includes(row.outcomes[who]);
    const before = await databaseAtRest();
    for (const row of commandRows.filter(denied)) await probe(row);
    if (who !== 'member') t.equal(await databaseAtRest(), before, `${who}: what is denied has changed nothing`);
    for (const row of commandRows.filter((each) => !denied(each))) await probe(row);
    await client.closed;
  };
  await t.test('of one who is not in the group', async (t) => play(t, await enter('dave', CAPABILITIES), 'nonMember'));
  await t.test('of one who was removed', async (t) => play(t, await enter('carol', CAPABILITIES), 'removed'));
  await t.test('of a member', async (t) => play(t, await enter('bob', CAPABILITIES), 'member'));

  const alice = await cluster.login('alice');
  const [mine] = await alice.usersInfo([1]);
  t.match(mine, { signInfo: '', avatarUrl: '' }, 'nobody has changed what is hers');
  t.equal((await alice.history(IM.BaseDefine.SessionType.SESSION_TYPE_SINGLE, BOB)).length, 1);
  t.notOk((await alice.groupsInfo([groupId]))[0]!.groupMemberList.includes(DAVE));
});

// ------------------------------------------------------------------------------------------ keys of the HTTP interface

t.test('routes of the HTTP interface', async (t) => {
  const { url } = cluster.httpMsg[0]!;
  const described = (await caller(url)('GET', '/api/v1/openapi.json')).body as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  const found = Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const scim = await readFile(join(projectRoot, 'servers/http-msg/scim/routes.ts'), 'utf8');
  for (const [, method, path] of scim.matchAll(/app\.(get|post|put|patch|delete)(?:<\w+>)?\(\s*'([^']+)'/g))
    found.push(`${method!.toUpperCase()} /scim/v2${path!.replaceAll(/:(\w+)/g, '{$1}')}`);
  t.strictSame([...httpRows.map(([route]) => route)].sort(), found.sort(), 'every route has its row');

  const revoked = await cluster.storage.apiKeys.create({ name: 'gone', scopes: SCOPES, actor: 'test' });
  await cluster.storage.apiKeys.revoke(revoked.key.id, 'test');
  const expired = await cluster.storage.apiKeys.create({ name: 'old', scopes: SCOPES, expiresMs: 1, actor: 'test' });
  const keys = new Map<Scope, { readonly all: string; readonly only: string }>();
  for (const scope of new Set(httpRows.map(([, scope]) => scope))) {
    const all = await cluster.apiKey(SCOPES.filter((each) => each !== scope));
    keys.set(scope, { all, only: await cluster.apiKey([scope]) });
  }
  for (const [route, scope] of httpRows) {
    const [method, path] = route.split(' ') as [string, string];
    const place = path.replaceAll(/\{\w+\}/g, '1073741823');
    const body = method === 'GET' || method === 'DELETE' ? undefined : {};
    const status = async (key?: string) => (await caller(url, key)(method, place, body)).status;
    t.equal(await status(), 401, `${route}: no key`);
    t.equal(await status('tt_0000000000000000_nothing'), 401, `${route}: no such key`);
    t.equal(await status(revoked.token), 401, `${route}: a key that was revoked`);
    t.equal(await status(expired.token), 401, `${route}: a key whose time is over`);
    t.equal(await status(keys.get(scope)!.all), 403, `${route}: a key for everything else`);
    const allowed = await status(keys.get(scope)!.only);
    t.ok(allowed !== 401 && allowed !== 403, `${route}: with ${scope} ${allowed}`);
  }
});

// -------------------------------------------------------------------------------------------------------- the console

t.test('routes of the console', async (t) => {
  const found = routes.map((row) => `${row.method} ${row.path} ${row.needs}`);
  t.strictSame(consoleRows.map((row) => row.join(' ')).sort(), found.sort(), 'every route has its row');
  const browsers = new Map<Role, Browser>();
  for (const role of ROLES) {
    await addAdmin(cluster.storage, role, role);
    browsers.set(role, await Browser.loggedIn(cluster, role));
  }
  const stranger = new Browser(cluster.consoleUrl);
  for (const [route, needs] of consoleRows) {
    if (needs === 'public' || route.endsWith('/logout') || route.endsWith('/stream')) continue;
    const [method, path] = route.split(' ') as [string, string];
    const place = path.replaceAll(/:\w+/g, '1073741823');
    const body = method === 'GET' ? undefined : { nothing: 'of the kind' };
    t.equal((await stranger.ask(method, place, body)).status, 401, `${route}: nobody`);
    for (const [role, browser] of browsers) {
      const { status, body: answer } = await browser.ask(method, place, body);
      const passed = status !== 401 && answer?.code !== 'NOT_ALLOWED' && answer?.code !== 'FOREIGN';
      const allowed = needs === 'session' || (needs !== 'person' && may(role, needs));
      t.equal(passed, allowed, `${route}: ${role}, ${status}`);
    }
  }
});

// ------------------------------------------------------------------------------------------------------ other servers

/** Begins with a field that does not end: whoever decodes it at all says so, and nothing is done. */
const GARBLED = Buffer.from('ffffffffffffffffffff', 'hex');
const UNKNOWN = 0x08ff;

const everyCommand = new Map<number, string>([[UNKNOWN, 'an unknown command']]);
for (const subject of Object.values<Record<string, Command<never, unknown> & { reply?: Command<never, unknown> }>>(
  catalogue as never,
))
  for (const command of Object.values(subject))
    for (const each of [command, command.reply]) if (each !== undefined) everyCommand.set(each.id, each.name);
for (const { id } of ofEveryLink) everyCommand.delete(id);

const idsOf = (rows: readonly LinkRow[], to: ServerRole, from: ServerRole) =>
  rows.filter(([, its, ...theirs]) => its === to && theirs.includes(from)).map(([{ id }]) => id);
const inOrder = (ids: Iterable<number>) => [...ids].sort((a, b) => a - b);
const others = (ids: readonly number[]) => [...everyCommand.keys()].filter((id) => !ids.includes(id));

t.test('every command between servers has its row', (t) => {
  const listed = [...linkRows, ...backRows].map(([command]) => command);
  const known = new Set([...listed, ...ofEveryLink, ...throughRedis].map(({ id }) => id));
  t.strictSame(
    commandsBetweenServers().filter(({ id }) => !known.has(id)),
    [],
  );
  t.strictSame(
    [...fromRouteServers.keys()].filter((id) => !known.has(id)),
    [],
    'those through Redis, too',
  );
  t.end();
});

t.test('what servers say to the one they dialled', async (t) => {
  for (const to of SERVER_ROLES.filter((role) => cluster.peersPort(role) !== undefined)) {
    const server = to === 'db-proxy' || to === 'route' ? `${to}-1` : to;
    const refusedLinks = () => cluster.metric(server, 'peers_refused_total', 'why="role"');
    for (const from of SERVER_ROLES) {
      const links = cluster.linksAs(from, to);
      const may = idsOf(linkRows, to, from);
      if (may.length === 0) {
        const before = await refusedLinks();
        await until(async () => (await refusedLinks()) > before, `${to} to refuse a ${from} server`);
        t.notOk(links.open, `${from} has no business with ${to}`);
        links.close();
        continue;
      }
      await until(() => links.open, `a link from ${from} to ${to}`);
      const since = logLines.length;
      const count = async () => (await cluster.metric(server, 'peer_commands_refused_total', `from="${from}"`)) || 0;
      const before = await count();
      const codes = new Map<number, string>();
      const probe = (id: number) =>
        links.askBytes({ ...other.heartbeat, id }, GARBLED).then(
          () => 'answered',
          (error: ImError) => error.code,
        );
      for (const id of everyCommand.keys()) codes.set(id, await probe(id));
      const heard = [...codes].filter(([, code]) => code === 'BAD_REQUEST').map(([id]) => id);
      t.strictSame(inOrder(heard), inOrder(may), `what ${to} hears from ${from}`);
      const refused = [...codes].filter(([, code]) => code === 'NOT_ALLOWED').map(([id]) => id);
      t.strictSame(inOrder(refused), inOrder(others(may)), `and it refuses all else`);
      t.equal((await count()) - before, refused.length, 'each counted');
      const logged = logLines.slice(since).filter((line) => line.includes('not allowed: command'));
      t.equal(logged.length, refused.length, 'and logged');
      links.close();
    }
  }
});

t.test('what servers say to the one that dialled them', async (t) => {
  for (const [to, from] of [
    ['msg', 'route'],
    ['msg', 'db-proxy'],
    ['push', 'db-proxy'],
    ['push', 'route'],
  ] as const) {
    const peers = await playedBy(t, from);
    const address = [{ host: '127.0.0.1', port: peers.port }];
    const lines: string[] = [];
    const links = { [from === 'route' ? 'routeServers' : 'dbProxies']: address };
    const running = await startAlone(to, links, (line) => lines.push(line));
    t.teardown(() => running.close(0));
    await until(() => [...peers].length > 0, `a ${to} server to dial`);
    lines.length = 0;
    for (const id of everyCommand.keys()) for (const peer of peers) peer.tellFrame(frameOf(id, 0, GARBLED));
    const may = idsOf(backRows, to, from);
    const heard = () => lines.filter((line) => line.includes('frame from a link not understood'));
    const unheard = () => lines.filter((line) => line.includes('not heard: command'));
    await until(() => heard().length + unheard().length === everyCommand.size, `${to} to have heard ${from}`);
    t.equal(heard().length, may.length, `${to} hears from ${from}`);
    for (const name of may.map((id) => everyCommand.get(id)!))
      t.ok(
        heard().some((line) => line.includes(`"${name}"`)),
        name,
      );
  }
});

/** A server of this role that lets everybody in and answers nothing. */
async function playedBy(t: Test, role: ServerRole): Promise<Peers<undefined>> {
  const nothing = commandTable<undefined, Peer>([]);
  const peers = await Peers.open({
    self: { role, name: `${role} by hand` },
    port: 0,
    host: '127.0.0.1',
    secret: CLUSTER_SECRET,
    log: testLog('by hand'),
    metrics: new Metrics('by hand', role),
    ctx: undefined,
    tables: { msg: nothing, push: nothing },
  });
  t.teardown(() => peers.close());
  return peers;
}

/** A server that finds none of its cluster but what it is told of. */
function startAlone(role: 'msg' | 'push', links: object, logged: (line: string) => void): Promise<Running> {
  const surroundings = { name: role, log: testLog(role, logged), metrics: new Metrics(role, role), hops: new Hops() };
  const nobody = {
    askTimeoutMs: 300,
    loginServers: [],
    routeServers: [],
    dbProxies: [],
    fileServers: [],
    clientPort: 0,
    port: 0,
  };
  const own = { ...nobody, clusterSecret: CLUSTER_SECRET, ...links };
  if (role === 'msg') return startMsgServer({ ...readSettings('msg', msgSettings, { env: {} }), ...own }, surroundings);
  return startPushServer({ ...readSettings('push', pushSettings, { env: {} }), ...own }, surroundings);
}

// ----------------------------------------------------------------------------------------- what is open to everybody

t.test('the store and the login server', async (t) => {
  const store = cluster.file!.storeUrl;
  const answers = async (path: string, method: string, headers: Record<string, string> = {}) =>
    (await fetch(new URL(path, store), { method, headers })).status;
  const forged = { authorization: 'Bearer 1.1.forged', 'tus-resumable': '1.0.0', 'upload-length': '1' };
  for (const headers of [{ 'tus-resumable': '1.0.0', 'upload-length': '1' }, forged]) {
    t.equal(await answers('uploads', 'POST', headers), 403, 'uploads want a token');
    t.equal(await answers('instant', 'POST', headers), 403);
    t.equal(await answers('instant/proof', 'POST', headers), 403);
  }
  t.equal(await answers('f/0/0/nothing.txt', 'GET'), 404, 'a file wants a signature');
  t.equal(await answers('f/0/0/nothing.txt?e=9999999999999&s=forged', 'GET'), 404);
  for (const path of ['/', '/metrics', '/api/v1/users', '/healthz'])
    t.equal((await fetch(new URL(path, cluster.loginHttp))).status, 404, path);
});

// ------------------------------------------------------------------------------------------------------------- the logs

t.test('after all of this no log has a secret, or what somebody wrote', async (t) => {
  const said = ['with Carol', 'without Carol', 'between us', 'forged'].map((text) => encryptText(text).toString());
  const secrets = [PASSWORD, md5Hex(PASSWORD), ADMIN_PASSWORD, CLUSTER_SECRET, cluster.masterKey, cluster.databaseUrl];
  const keys = logLines.filter((line) => /\btt_[0-9a-f]{16}_(?!nothing)/.test(line));
  t.ok(logLines.length > 200, `${logLines.length} lines, of every level`);
  for (const words of [...said, ...secrets, 'with Carol', 'without Carol', 'between us'])
    t.same(
      logLines.filter((line) => line.includes(words)),
      [],
      words.slice(0, 8),
    );
  t.same(keys, [], 'nor a key');
});
