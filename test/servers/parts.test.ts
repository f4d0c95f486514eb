/** The live state of login, route and msg servers, by itself: no socket, no clock, and simpler models to compare with. */
import fc from 'fast-check';
import t from 'tap';
import type { CloseReason, Connection } from '../../common/net/connection.js';
import type { Peer } from '../../common/net/peers.js';
import { Frame } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { discoveryText } from '../../servers/login/http.js';
import { MsgServers } from '../../servers/login/msg-servers.js';
import { Broadcasts } from '../../servers/msg/broadcasts.js';
import { RecentSends } from '../../servers/msg/recent-sends.js';
import { classOf, Session } from '../../servers/msg/session.js';
import { Sessions } from '../../servers/msg/sessions.js';
import { isPc, Presence } from '../../servers/route/presence.js';
import { Subjects } from '../../servers/route/subjects.js';

const { ClientType, KickReasonType } = IM.BaseDefine;
const { DEVICE_CLASS_PC, DEVICE_CLASS_MOBILE } = IM.Cluster.DeviceClass;

/** A server that is only looked at, never spoken to. */
function peer(name: string): Peer {
  return { role: 'msg', name, address: '', gone: false, tell: () => undefined, tellFrame: () => undefined };
}

function load(port: number, curConnCnt: number, maxConnCnt: number, draining = false): IM.Cluster.IMMsgServLoad {
  return { ip1: `10.0.0.${port}`, ip2: `10.0.1.${port}`, port, curConnCnt, maxConnCnt, draining, hostName: 'host' };
}

/** Random numbers that are the same in every run: a 32-bit xorshift. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** How many of `count` clients are sent to each port. */
function spread(servers: MsgServers, count: number, seed: number): Map<number, number> {
  const random = seeded(seed);
  const sent = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const choice = servers.choose(random);
    if (!choice.found) throw new Error(choice.why);
    sent.set(choice.port, (sent.get(choice.port) ?? 0) + 1);
  }
  return sent;
}

function sorted(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b);
}

t.test('login: which msg server a client is sent to', async (t) => {
  const [a, b, c] = [peer('a'), peer('b'), peer('c')];
  const none = { found: false, why: 'none' };
  const full = { found: false, why: 'full' };
  const at = (port: number) => ({ found: true, ip1: `10.0.0.${port}`, ip2: `10.0.1.${port}`, port });

  t.test('one that is up, takes clients and has room', async (t) => {
    const servers = new MsgServers();
    t.same(servers.choose(), none);
    servers.heard(a, load(1, 0, 10, true));
    t.same(servers.choose(), none, 'one that drains is as good as none');
    servers.heard(b, load(2, 10, 10));
    t.same(servers.choose(), full);
    servers.heard(c, load(3, 9, 10));
    for (let i = 0; i < 5; i++) t.same(servers.choose(), at(3), 'who was only sent there takes nobody’s place');
    servers.heard(c, load(3, 10, 10));
    t.same(servers.choose(), full, 'who came does');
    servers.heard(b, load(2, 11, 10));
    servers.heard(c, load(3, 0, 0));
    t.same(servers.choose(), full, 'one with room for nobody is full');
    servers.heard(a, load(1, 3, 10, false));
    for (let i = 0; i < 5; i++) t.same(servers.choose(), at(1));
    t.same([servers.count, servers.connections], [3, 14]);
    for (const each of [a, b, c, c]) servers.gone(each);
    t.same(servers.choose(), none);
    t.same([servers.count, servers.connections], [0, 0]);
  });

  t.test('never one that drains or is full, whatever there is', async () => {
    const known = fc.array(fc.record({ current: fc.nat(6), max: fc.nat(5), draining: fc.boolean() }), { maxLength: 6 });
    fc.assert(
      fc.property(known, fc.integer({ min: 1 }), (list, seed) => {
        const servers = new MsgServers();
        for (const [port, it] of list.entries()) servers.heard(peer('x'), load(port, it.current, it.max, it.draining));
        const up = list.filter((it) => !it.draining);
        const free = up.filter((it) => it.current < it.max);
        const random = seeded(seed);
        const choices = Array.from({ length: 100 }, () => servers.choose(random));
        if (free.length === 0)
          return choices.every((it) => !it.found && it.why === (up.length === 0 ? 'none' : 'full'));
        const chosen = choices.map((it) => (it.found ? list[it.port] : undefined));
        return chosen.every((it) => free.includes(it!)) && free.every((it) => chosen.includes(it));
      }),
    );
  });

  t.test('a burst without any word of the servers spreads evenly', async (t) => {
    for (const seed of [1, 2, 3]) {
      const servers = new MsgServers();
      for (let port = 1; port <= 8; port++) servers.heard(peer('x'), load(port, 500, 100_000));
      const counts = [...spread(servers, 8_000, seed).values()];
      t.equal(counts.length, 8);
      t.ok(Math.max(...counts) - Math.min(...counts) <= 20, `each about a thousand: ${counts}`);
    }
  });

  t.test('a burst does not all go to the one that has just come up', async (t) => {
    const servers = new MsgServers();
    for (let port = 1; port <= 9; port++) servers.heard(peer('x'), load(port, 5_000, 10_000));
    servers.heard(peer('x'), load(10, 0, 10_000));
    const few = spread(servers, 1_000, 1).get(10)!;
    t.ok(few > 150 && few < 250, `more than its tenth, less than a quarter of a thousand: ${few}`);
    spread(servers, 50_000, 2);
    const later = [...spread(servers, 2_000, 3).values()];
    t.ok(Math.max(...later) - Math.min(...later) <= 40, `once level, all get the same: ${later}`);
  });

  t.test('twice the room, twice the clients', async (t) => {
    const servers = new MsgServers();
    for (let port = 1; port <= 4; port++) servers.heard(peer('x'), load(port, 0, port <= 2 ? 2_000 : 4_000));
    const sent = spread(servers, 6_000, 1);
    for (const port of [1, 2]) t.ok(Math.abs(sent.get(port)! - 1_000) <= 100, `${sent.get(port)}`);
    for (const port of [3, 4]) t.ok(Math.abs(sent.get(port)! - 2_000) <= 100, `${sent.get(port)}`);
  });

  t.test('by capacity and weight, whatever there is, and nobody who has none of it while others have', async () => {
    const server = fc.record({
      max: fc.constantFrom(10_000, 20_000, 50_000),
      weight: fc.constantFrom(0, 50, 100, 200),
      zone: fc.constantFrom('near', 'far', ''),
    });
    const zones = new Map([['far', 25]]);
    fc.assert(
      fc.property(fc.array(server, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1 }), (list, seed) => {
        const servers = new MsgServers(zones);
        const counts = list.map(() => 0);
        const peers = list.map((_, port) => peer(`${port}`));
        const say = () =>
          list.forEach(({ max, ...more }, port) => {
            servers.heard(peers[port]!, { ...load(port, counts[port]!, max), ...more });
          });
        for (let burst = 0; burst < 20; burst++) {
          say();
          for (const [port, count] of spread(servers, 250, seed + burst)) counts[port]! += count;
        }
        const shares = list.map(({ max, weight, zone }) => max * weight * (zones.get(zone) ?? 100));
        const whole = shares.reduce((sum, share) => sum + share, 0);
        if (whole === 0) return true;
        return counts.every((count, i) => Math.abs(count - (5_000 * shares[i]!) / whole) <= 250);
      }),
      { numRuns: 50 },
    );
  });

  t.test('not one that hangs', async (t) => {
    const servers = new MsgServers();
    const say = (it: Peer, port: number) => servers.heard(it, { ...load(port, port, 10), everyMs: 1_000 });
    say(a, 1);
    servers.heard(b, load(2, 2, 10)); // an older build, which says something only when it has changed
    for (let second = 0; second < 10; second++) servers.tick();
    t.equal(servers.hung, 1);
    for (let i = 0; i < 20; i++) t.same(servers.choose(), at(2));
    servers.gone(b);
    t.same(servers.choose(), none);
    say(a, 1);
    for (let second = 0; second < 4; second++) servers.tick();
    t.same(servers.choose(), at(1), 'a second late is nothing');
    servers.tick();
    t.same(servers.choose(), none);
  });

  t.test('told as clients read it', async (t) => {
    const servers = new MsgServers();
    const discovery = { storeUrl: 'http://files.example:8700/', discoveryUrl: 'http://example/api/discovery' };
    const said = () => discoveryText(servers, discovery);
    t.equal(said(), '{\n   "code": 1,\n   "msg": "没有msg_server"\n}\n');
    servers.heard(a, load(1, 5, 5));
    t.equal(said(), '{\n   "code": 2,\n   "msg": "负载过高"\n}\n');
    servers.heard(a, load(8000, 4, 5));
    const lines = [
      '"backupIP": "10.0.1.8000"',
      '"code": 0',
      '"discovery": "http://example/api/discovery"',
      '"msfsBackup": "http://files.example:8700/"',
      '"msfsPrior": "http://files.example:8700/"',
      '"msg": ""',
      '"port": "8000"', // text: clients that read it as text break on a number
      '"priorIP": "10.0.0.8000"',
    ];
    const text = said();
    t.equal(text, `{\n   ${lines.join(',\n   ')}\n}\n`);
    const keys = Object.keys(JSON.parse(text));
    t.same(keys, [...keys].sort(), 'in alphabetical order');
    t.ok(Buffer.byteLength(text) < 800, 'the original cuts the whole response at 1024 bytes');
  });
});

// Models: the same things kept as plainly as possible, and compared after every step.

const PEERS = ['a', 'b', 'c'].map(peer);
const somePeer = fc.constantFrom(...PEERS);
// Few of them, so that the same ones meet often.
const someId = fc.integer({ min: 1, max: 3 });
const someIds = fc.array(someId, { maxLength: 4 });
const IDS = [1, 2, 3, 4];

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** A step, told in words when it fails. */
class Step<Model extends object, Real> implements fc.Command<Model, Real> {
  readonly #words: string;
  readonly #run: (model: Model, real: Real) => void;

  constructor(words: string, run: (model: Model, real: Real) => void) {
    this.#words = words;
    this.#run = run;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: Real): void {
    this.#run(model, real);
  }
  toString(): string {
    return this.#words;
  }
}

t.test('route: who is interested in what', async () => {
  /** peer → 'user 1', 'group 2' … */
  type Model = Map<Peer, Set<string>>;
  type SubjectsStep = Step<Model, Subjects>;
  const words = (users: readonly number[], groups: readonly number[]) => [
    ...users.map((id) => `user ${id}`),
    ...groups.map((id) => `group ${id}`),
  ];
  const compare = (model: Model, real: Subjects) => {
    const everything = new Set(PEERS.flatMap((each) => [...model.get(each)!]));
    check(real.size === everything.size, `${real.size} subjects`);
    const interested = (about: string[]) => PEERS.filter((each) => about.some((it) => model.get(each)!.has(it)));
    const same = (found: Set<Peer>, about: string[]) => {
      const names = (peers: Iterable<Peer>) => [...peers].map(({ name }) => name).sort();
      check(`${names(found)}` === `${names(interested(about))}`, `${names(found)} care about ${about}`);
    };
    for (const id of IDS) {
      same(real.interested([id]), words([id], []));
      same(real.interested([], id), words([], [id]));
      same(real.interested([id, id + 1, id], id + 2), words([id, id + 1], [id + 2]));
    }
    same(real.interested(IDS), words(IDS, []));
    same(real.interested([]), []);
  };
  const steps = [
    fc.tuple(somePeer, someIds, someIds).map(
      ([peer, users, groups]): SubjectsStep =>
        new Step(`${peer.name} cares about ${words(users, groups)}`, (model, real) => {
          for (const each of words(users, groups)) model.get(peer)!.add(each);
          real.add(peer, users, groups);
          compare(model, real);
        }),
    ),
    fc.tuple(somePeer, someIds, someIds).map(
      ([peer, users, groups]): SubjectsStep =>
        new Step(`${peer.name} no longer cares about ${words(users, groups)}`, (model, real) => {
          for (const each of words(users, groups)) model.get(peer)!.delete(each);
          real.remove(peer, users, groups);
          compare(model, real);
        }),
    ),
    somePeer.map(
      (peer): SubjectsStep =>
        new Step(`${peer.name} is gone`, (model, real) => {
          model.get(peer)!.clear();
          real.forget(peer);
          compare(model, real);
        }),
    ),
  ];
  fc.assert(
    fc.property(fc.commands(steps, { maxCommands: 30, size: 'max' }), (run) => {
      fc.modelRun(
        () => ({ model: new Map(PEERS.map((each) => [each, new Set<string>()])), real: new Subjects() }),
        run,
      );
    }),
    { numRuns: 200 },
  );
});

t.test('route: who is online', async (t) => {
  const TYPES = [ClientType.CLIENT_TYPE_WINDOWS, ClientType.CLIENT_TYPE_MAC, ClientType.CLIENT_TYPE_IOS];
  const key = (peer: Peer, userId: number, type: number) => `${peer.name} ${userId} ${type}`;
  /** How many sessions of each user, client type and server. */
  type Model = Map<string, number>;
  type PresenceStep = Step<Model, Presence>;
  const has = (model: Model, userId: number, types: readonly number[]) =>
    PEERS.some((each) => types.some((type) => (model.get(key(each, userId, type)) ?? 0) > 0));
  const pc = (model: Model, userId: number) => has(model, userId, TYPES.slice(0, 2));
  const compare = (model: Model, real: Presence) => {
    for (const id of IDS) {
      check(real.online(id) === has(model, id, TYPES), `${id} online: ${real.online(id)}`);
      check(real.pcOnline(id) === pc(model, id), `${id} on a PC: ${real.pcOnline(id)}`);
    }
    check(real.count === IDS.filter((id) => has(model, id, TYPES)).length, `${real.count} users`);
  };
  const step = fc.tuple(somePeer, someId, fc.constantFrom(...TYPES));
  const change = (by: 1 | -1) =>
    step.map(
      ([peer, userId, type]): PresenceStep =>
        new Step(`${by} for ${key(peer, userId, type)}`, (model, real) => {
          // One that ends without having begun, as after a restart, leaves no debt behind.
          model.set(key(peer, userId, type), Math.max((model.get(key(peer, userId, type)) ?? 0) + by, 0));
          real.change(peer, userId, type, by);
          compare(model, real);
        }),
    );
  const forget = somePeer.map(
    (peer): PresenceStep =>
      new Step(`${peer.name} is gone`, (model, real) => {
        const before = IDS.filter((id) => pc(model, id));
        for (const id of IDS) for (const type of TYPES) model.delete(key(peer, id, type));
        const gone = before.filter((id) => !pc(model, id));
        check(`${sorted(real.forget(peer))}` === `${gone}`, `PCs of ${gone} went with it`);
        compare(model, real);
      }),
  );
  fc.assert(
    fc.property(fc.commands([change(1), change(1), change(-1), forget], { maxCommands: 40, size: 'max' }), (run) => {
      fc.modelRun(() => ({ model: new Map<string, number>(), real: new Presence() }), run);
    }),
    { numRuns: 300 },
  );
  t.same([0x01, 0x02, 0x03, 0x10, 0x11, 0x12, 0x13].map(isPc), [true, true, true, false, false, false, false]);
});

/** What a client is told when it is let in. */
const ANSWER = Buffer.from('welcome');

/** A session over a connection that only remembers. */
class Client {
  readonly got: Buffer[] = [];
  readonly reasons: string[] = [];
  readonly session: Session;

  constructor(userId: number, clientType: IM.BaseDefine.ClientType, isWelcome = true) {
    const closed = (reason: CloseReason) => this.session.closed(reason);
    const send = (frame: Buffer) => this.got.push(frame);
    const connection = { own: () => undefined, send, close: closed } as unknown as Connection;
    this.session = new Session(connection, {
      frame: () => undefined,
      closed: (_session, reason) => this.reasons.push(reason),
    });
    this.session.verify();
    const identity = { userId, clientType, clientVersion: '', loginNumber: 1, capabilities: new Set<never>() };
    this.session.begin(identity, 1);
    if (isWelcome) this.session.welcome(ANSWER);
    this.got.length = 0;
  }
}

t.test('msg: who is online here', async (t) => {
  const { CLIENT_TYPE_WINDOWS, CLIENT_TYPE_MAC, CLIENT_TYPE_ANDROID } = ClientType;

  interface Member {
    readonly client: Client;
    readonly userId: number;
    readonly groups: Set<number>;
    /** Undefined once the list of groups has come. */
    leftMeanwhile: Set<number> | undefined;
  }
  interface Model {
    members: Member[];
    /** Who has gone, to be removed once more. */
    gone: Member[];
  }
  type SessionsStep = Step<Model, Sessions>;
  const frame = Buffer.from('the same bytes for all');

  const inGroup = (model: Model, groupId: number) => model.members.filter((each) => each.groups.has(groupId));
  const ofUser = (model: Model, userId: number) => model.members.filter((each) => each.userId === userId);
  /** Says it to all that `send` reaches, and looks who has got it. */
  const reached = (model: Model, expected: readonly Member[], what: string, send: () => number) => {
    const before = new Map(model.members.map((each) => [each, each.client.got.length]));
    const count = send();
    check(count === expected.length, `${what}: ${count} instead of ${expected.length}`);
    for (const [each, length] of before) {
      const more = each.client.got.slice(length);
      check(more.length === (expected.includes(each) ? 1 : 0), `${what}: each once, and nobody else`);
      check(
        more.every((bytes) => bytes === frame),
        `${what}: the very bytes`,
      );
    }
  };
  const compare = (model: Model, real: Sessions) => {
    check(real.count === model.members.length, `${real.count} sessions`);
    check([...real].length === model.members.length, 'as many when counted');
    for (const { client, groups } of model.members) {
      check(`${sorted(client.session.groupIds)}` === `${sorted(groups)}`, `groups of a session: ${sorted(groups)}`);
    }
    const users = sorted(new Set(model.members.map((each) => each.userId)));
    check(`${sorted(real.users())}` === `${users}`, `users ${sorted(real.users())}`);
    const groups = IDS.filter((id) => inGroup(model, id).length > 0);
    check(`${sorted(real.groups())}` === `${groups}`, `groups ${sorted(real.groups())}`);
    for (const id of IDS) {
      check(real.ofUser(id).length === ofUser(model, id).length, `sessions of ${id}`);
      check([...real.ofGroup(id)].length === inGroup(model, id).length, `sessions of group ${id}`);
      reached(model, ofUser(model, id), `to user ${id}`, () => real.toUser(id, frame));
      reached(model, inGroup(model, id), `to group ${id}`, () => real.toGroup(id, frame));
    }
    const [sender] = model.members;
    if (sender === undefined) return;
    const butSender = (members: readonly Member[]) => members.filter((each) => each !== sender);
    reached(model, butSender(ofUser(model, sender.userId)), 'to his others', () =>
      real.toUser(sender.userId, frame, sender.client.session),
    );
    for (const id of sender.groups) {
      reached(model, butSender(inGroup(model, id)), 'to his group', () =>
        real.toGroup(id, frame, sender.client.session),
      );
    }
    const toAll = (device?: IM.Cluster.DeviceClass) => {
      let count = 0;
      new Broadcasts(real, (part) => (count += part)).send(frame, device);
      return count;
    };
    reached(model, model.members, 'to all', () => toAll());
    for (const device of [DEVICE_CLASS_PC, DEVICE_CLASS_MOBILE]) {
      const of = (members: readonly Member[]) => members.filter((each) => each.client.session.deviceClass === device);
      reached(model, of(model.members), `to class ${device}`, () => toAll(device));
      reached(model, of(ofUser(model, sender.userId)), `to his class ${device}`, () =>
        real.toUser(sender.userId, frame, undefined, device),
      );
    }
  };
  const pick = (members: readonly Member[], n: number) => members[n % members.length];

  const enter = fc.tuple(someId, fc.constantFrom(CLIENT_TYPE_WINDOWS, CLIENT_TYPE_MAC, CLIENT_TYPE_ANDROID)).map(
    ([userId, type]): SessionsStep =>
      new Step(`user ${userId} comes with type ${type}`, (model, real) => {
        const isNew = ofUser(model, userId).length === 0;
        const client = new Client(userId, type);
        model.members.push({ client, userId, groups: new Set(), leftMeanwhile: new Set() });
        const change = real.add(client.session);
        check(`${change.users}` === `${isNew ? [userId] : []}` && change.groups.length === 0, 'what is new');
        compare(model, real);
      }),
  );
  const learn = fc.tuple(fc.nat(20), someIds).map(
    ([n, ids]): SessionsStep =>
      new Step(`the groups ${ids} of session ${n} are known`, (model, real) => {
        const member = pick(
          model.members.filter((each) => each.leftMeanwhile !== undefined),
          n,
        );
        if (member === undefined) return;
        const joined = [...new Set(ids)].filter((id) => !member.leftMeanwhile!.has(id));
        const fresh = joined.filter((id) => inGroup(model, id).length === 0);
        for (const id of joined) member.groups.add(id);
        member.leftMeanwhile = undefined;
        check(`${real.addGroups(member.client.session, ids)}` === `${fresh}`, `new groups ${fresh}`);
        compare(model, real);
      }),
  );
  const join = fc.tuple(someId, someId).map(
    ([userId, groupId]): SessionsStep =>
      new Step(`user ${userId} joins group ${groupId}`, (model, real) => {
        const isNew = inGroup(model, groupId).length === 0 && ofUser(model, userId).length > 0;
        for (const each of ofUser(model, userId)) {
          each.groups.add(groupId);
          each.leftMeanwhile?.delete(groupId);
        }
        check(real.joinGroup(userId, groupId) === isNew, `new here: ${isNew}`);
        compare(model, real);
      }),
  );
  const leave = fc.tuple(someId, someId).map(
    ([userId, groupId]): SessionsStep =>
      new Step(`user ${userId} leaves group ${groupId}`, (model, real) => {
        const had = inGroup(model, groupId).length > 0;
        for (const each of ofUser(model, userId)) {
          each.groups.delete(groupId);
          each.leftMeanwhile?.add(groupId);
        }
        const isLast = had && inGroup(model, groupId).length === 0;
        check(real.leaveGroup(userId, groupId) === isLast, `the last one here: ${isLast}`);
        compare(model, real);
      }),
  );
  const end = fc.nat(20).map(
    (n): SessionsStep =>
      new Step(`session ${n} ends`, (model, real) => {
        const member = pick(model.members, n);
        if (member === undefined) return;
        model.members = model.members.filter((each) => each !== member);
        model.gone.push(member);
        const change = real.remove(member.client.session)!;
        const users = ofUser(model, member.userId).length === 0 ? [member.userId] : [];
        const groups = sorted(member.groups).filter((id) => inGroup(model, id).length === 0);
        check(`${change.users}` === `${users}`, `users ${users} are gone`);
        check(`${sorted(change.groups)}` === `${groups}`, `groups ${groups} are gone`);
        compare(model, real);
      }),
  );
  const endAgain = fc.nat(20).map(
    (n): SessionsStep =>
      new Step(`session ${n} ends a second time`, (model, real) => {
        const member = pick(model.gone, n);
        if (member === undefined) return;
        check(real.remove(member.client.session) === undefined, 'it is not there');
        compare(model, real);
      }),
  );
  fc.assert(
    fc.property(
      fc.commands([enter, enter, learn, learn, join, leave, end, endAgain], { maxCommands: 40, size: 'max' }),
      (run) => {
        fc.modelRun(() => ({ model: { members: [], gone: [] }, real: new Sessions() }), run);
      },
    ),
    { numRuns: 200 },
  );

  t.test('the groups of one that has gone meanwhile are nobody’s', async (t) => {
    const sessions = new Sessions();
    const { session } = new Client(1, CLIENT_TYPE_MAC);
    sessions.add(session);
    sessions.remove(session);
    session.closed('ended');
    t.same(sessions.addGroups(session, [5, 6]), []);
    t.same([[...sessions.groups()], sessions.toGroup(5, frame)], [[], 0]);
  });

  t.test('one that ends while it is written to takes nothing from the others', async (t) => {
    const sessions = new Sessions();
    const clients = [1, 2, 3].map(() => new Client(1, CLIENT_TYPE_MAC));
    for (const { session } of clients) {
      sessions.add(session);
      sessions.addGroups(session, [5]);
    }
    const second = clients[1]!.session;
    second.send = () => void sessions.remove(second);
    for (const send of [
      () => sessions.toUser(1, frame),
      () => sessions.toGroup(5, frame),
      () => new Broadcasts(sessions, () => undefined).send(frame),
    ]) {
      send();
      t.same(
        clients.map(({ got }) => got.splice(0).length),
        [1, 0, 1],
      );
      sessions.add(second);
      sessions.joinGroup(1, 5);
    }
  });
});

t.test('msg: one session', async (t) => {
  const client = new Client(7, ClientType.CLIENT_TYPE_IOS);
  const { session, got } = client;
  t.match(session, { state: 'online', online: true, userId: 7, deviceClass: DEVICE_CLASS_MOBILE, beganMs: 1 });
  session.kick(KickReasonType.KICK_REASON_DUPLICATE_USER);
  session.kick(KickReasonType.KICK_REASON_MOBILE_KICK);
  session.send(Buffer.alloc(20));
  t.equal(got.length, 1, 'told once why it has to go, and nothing after that');
  t.equal(new Frame(got[0]!).command, 0x0107);
  t.match(IM.Login.IMKickUser.decode(new Frame(got[0]!).body), { userId: 7, kickReason: 1 });
  t.same([session.state, session.online], ['leaving', false]);
  session.close('kicked');
  t.same([session.state, client.reasons], ['closed', ['kicked']]);

  const early = new Client(7, ClientType.CLIENT_TYPE_IOS, false);
  const frames = [1, 2, 3].map((n) => Buffer.from([n]));
  for (const frame of frames.slice(0, 2)) early.session.send(frame);
  t.same(early.got, [], 'before the answer to its log-in it hears of nothing');
  early.session.welcome(ANSWER);
  early.session.send(frames[2]!);
  t.same(early.got, [ANSWER, ...frames], 'and of all of it behind that');

  const flooded = new Client(7, ClientType.CLIENT_TYPE_IOS, false);
  for (let i = 0; i < 100_000 && flooded.reasons.length === 0; i++) flooded.session.send(ANSWER);
  t.same(flooded.reasons, ['slow'], 'what may wait for the answer has a bound');

  const kicked = new Client(7, ClientType.CLIENT_TYPE_IOS, false);
  kicked.session.send(ANSWER);
  kicked.session.kick(KickReasonType.KICK_REASON_DUPLICATE_USER);
  kicked.session.welcome(ANSWER);
  t.same(
    kicked.got.map((bytes) => new Frame(bytes).command),
    [0x0107],
    'one that is kicked is not let in',
  );
  kicked.session.close('kicked');

  const greeting = new Session({ own: () => undefined } as unknown as Connection, {
    frame: () => undefined,
    closed: () => undefined,
  });
  t.match(greeting, { state: 'greeting', online: false, userId: 0 });
  for (const [type, device] of [
    [ClientType.CLIENT_TYPE_WINDOWS, DEVICE_CLASS_PC],
    [ClientType.CLIENT_TYPE_MAC, DEVICE_CLASS_PC],
    [ClientType.CLIENT_TYPE_IOS, DEVICE_CLASS_MOBILE],
    [ClientType.CLIENT_TYPE_ANDROID, DEVICE_CLASS_MOBILE],
  ] as const) {
    t.equal(classOf(type), device);
    t.equal(isPc(type), device === DEVICE_CLASS_PC, 'route and msg servers agree');
  }
});

t.test('msg: what was sent lately', async (t) => {
  let made = 0;
  const fresh = () => Buffer.from([++made]);
  const first = { seq: 5, to: 9, type: 1, data: Buffer.from('hello'), nowMs: 1_000 };
  const send = (sends: RecentSends, it: Partial<typeof first> = {}) => {
    const { seq, to, type, data, nowMs } = { ...first, ...it };
    return sends.recall(seq, to, type, data, nowMs, fresh)[0]!;
  };

  t.test('the same again within half a minute has the same send_id', async (t) => {
    const sends = new RecentSends();
    const id = send(sends);
    t.equal(send(sends), id);
    t.equal(send(sends, { nowMs: 1_000 + 29_999, data: Buffer.from('hello') }), id);
    t.not(send(sends, { nowMs: 1_000 + 30_000 }), id, 'later it is another one');
    const again = send(sends, { nowMs: 1_000 + 30_001 });
    t.equal(send(sends, { nowMs: 1_000 + 59_000 }), again, 'which is remembered from then on');
  });

  t.test('anything else has its own', async (t) => {
    const sends = new RecentSends();
    const other = [
      { seq: 6 },
      { to: 10 },
      { type: 2 },
      { data: Buffer.from('hello ') },
      { data: Buffer.from('hellp') },
    ];
    const ids = [send(sends), ...other.map((it) => send(sends, it))];
    t.equal(new Set(ids).size, ids.length);
    t.same([send(sends), ...other.map((it) => send(sends, it))], ids, 'and each keeps it');
  });

  t.test('the bytes may be used for something else afterwards', async (t) => {
    const sends = new RecentSends();
    const read = Buffer.from('hello');
    const id = send(sends, { data: read });
    read.fill('x');
    t.equal(send(sends), id);
    t.not(send(sends, { data: read }), id);
    t.ok(sends.has(9, Buffer.from('hello')));
    t.notOk(sends.has(10, Buffer.from('hello')));
    t.notOk(sends.has(9, Buffer.from('hello!')));
  });

  t.test('of long ones a digest is kept', async (t) => {
    const sends = new RecentSends();
    const ids = [128, 129, 300].map((size) => send(sends, { data: Buffer.alloc(size, 'a') }));
    t.equal(new Set(ids).size, 3);
    t.same(
      [128, 129, 300].map((size) => send(sends, { data: Buffer.alloc(size, 'a') })),
      ids,
    );
    t.not(send(sends, { data: Buffer.concat([Buffer.alloc(299, 'a'), Buffer.from('b')]) }), ids[2]);
    t.ok(sends.has(9, Buffer.alloc(300, 'a')));
    t.notOk(sends.has(9, Buffer.alloc(300, 'b')));
  });

  t.test('what was given is not written over when the place is taken again', async (t) => {
    const sends = new RecentSends();
    send(sends);
    const again = sends.recall(5, 9, 1, first.data, 1_001, fresh);
    const bytes = Buffer.from(again);
    for (let seq = 6; seq < 20; seq++) send(sends, { seq, to: 0xffff_ffff });
    t.same(Buffer.from(again), bytes);
  });

  t.test('only the last few are remembered', async (t) => {
    const sends = new RecentSends();
    const id = send(sends);
    for (let seq = 6; seq < 13; seq++) send(sends, { seq });
    t.equal(send(sends), id, 'seven later');
    send(sends, { seq: 13 });
    t.not(send(sends), id, 'eight later');
  });
});
