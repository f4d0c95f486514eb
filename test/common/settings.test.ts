/** Settings: where a value comes from, and that a wrong one is named with the reason before anything starts. */
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import {
  addresses,
  bytes,
  choice,
  commonSettings,
  count,
  type Definitions,
  environmentName,
  flag,
  milliseconds,
  port,
  printable,
  readSettings,
  SERVERS,
  type Setting,
  SettingsError,
  type SettingsOf,
  type Sources,
  secret,
  sourcesOfProcess,
  text,
  unknownSettings,
} from '../../common/settings.js';
import { adminSettings } from '../../servers/admin/settings.js';
import { dbProxySettings } from '../../servers/db-proxy/settings.js';
import { fileSettings } from '../../servers/file/settings.js';
import { httpMsgSettings } from '../../servers/http-msg/settings.js';
import { loginSettings } from '../../servers/login/settings.js';
import { msgSettings } from '../../servers/msg/settings.js';
import { pushSettings } from '../../servers/push/settings.js';
import { routeSettings } from '../../servers/route/settings.js';

/** One of every kind. */
const definitions = {
  name: text('nobody', 'a name'),
  clientPort: port(8000, 'a port'),
  clientsMax: count(10, 'how many', 1, 1_000),
  timeoutMs: milliseconds(500, 'how long'),
  queueMax: bytes(4096, 'how much'),
  level: choice(['low', 'high'], 'low', 'how loud'),
  open: flag(false, 'whether'),
  peers: addresses('127.0.0.1:1', 'who'),
  key: secret('what nobody may know'),
} satisfies Definitions;

const DEFAULTS = {
  name: 'nobody',
  clientPort: 8000,
  clientsMax: 10,
  timeoutMs: 500,
  queueMax: 4096,
  level: 'low',
  open: false,
  peers: [{ host: '127.0.0.1', port: 1 }],
  key: '',
} as const;

const ROLES: Record<string, Definitions> = {
  login: loginSettings,
  msg: msgSettings,
  route: routeSettings,
  'db-proxy': dbProxySettings,
  file: fileSettings,
  'http-msg': httpMsgSettings,
  push: pushSettings,
  admin: adminSettings,
};

function read(sources: Partial<Sources>): SettingsOf<typeof definitions> {
  return readSettings('db-proxy', definitions, { env: {}, ...sources });
}

/** What is said about these sources, a wrong setting a line. */
function complaints(sources: Partial<Sources>): string[] {
  try {
    read(sources);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const [head, ...lines] = error.message.split('\n');
    if (head !== 'wrong settings for the db-proxy server:') throw error;
    return lines.map((line) => line.trim());
  }
  return [];
}

/** The value that one setting makes of what stands in the file; undefined when it is refused. */
function parsed<T>(setting: Setting<T>, value: unknown): T | undefined {
  try {
    return readSettings('x', { it: setting }, { env: {}, file: { x: { it: value } } }).it as T;
  } catch (error) {
    if (error instanceof SettingsError) return undefined;
    throw error;
  }
}

/** What this complains about. */
function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SettingsError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
}

t.test('environment before file before default', async (t) => {
  const own = { TT_DB_PROXY_CLIENT_PORT: '1' };
  const general = { TT_CLIENT_PORT: '2' };
  const file = { 'db-proxy': { clientPort: 3 }, all: { clientPort: 4 }, msg: { clientPort: 5 } };
  const portOf = (sources: Partial<Sources>) => read(sources).clientPort;

  t.same(read({}), DEFAULTS);
  t.equal(portOf({ env: { ...own, ...general }, file }), 1, 'of this server');
  t.equal(portOf({ env: general, file }), 2, 'of every server');
  t.equal(portOf({ file }), 3, 'this server in the file');
  t.equal(portOf({ file: { all: file.all, msg: file.msg } }), 4, 'every server in the file');
  t.equal(
    portOf({ file: { msg: file.msg }, env: { TT_MSG_CLIENT_PORT: '6' } }),
    8000,
    'another server is none of ours',
  );
  t.equal(portOf({ env: { TT_DB_PROXY_CLIENT_PORT: '', TT_CLIENT_PORT: '' }, file }), 3, 'empty counts as absent');

  t.test('for any mix of sources', async () => {
    const names = ['TT_DB_PROXY_CLIENTS_MAX', 'TT_CLIENTS_MAX'] as const;
    const maybe = fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined });
    fc.assert(
      fc.property(fc.tuple(maybe, maybe, maybe, maybe), ([own, general, section, all]) => {
        const env = { [names[0]]: own?.toString(), [names[1]]: general?.toString() };
        const file = {
          ...(section !== undefined && { 'db-proxy': { clientsMax: section } }),
          ...(all !== undefined && { all: { clientsMax: all } }),
        };
        return read({ env, file }).clientsMax === (own ?? general ?? section ?? all ?? 10);
      }),
    );
  });
});

t.test('every wrong value is named, with where it stands and why, all of them at once', async (t) => {
  const env = {
    TT_CLIENTS_MAX: '1001',
    TT_DB_PROXY_TIMEOUT_MS: 'soon',
    TT_LEVEL: 'middling',
    TT_PEERS: 'somewhere',
    TT_KEY: 'short',
  };
  const file = {
    all: { open: 'perhaps', clientPort: 65_536 },
    'db-proxy': { queueMax: 1.5, name: 7, clientport: 1, colour: 'red' },
  };
  const expected = [
    /^db-proxy\.clientport in the settings file: no such setting$/,
    /^db-proxy\.colour in the settings file: no such setting$/,
    /^name \(db-proxy\.name in the settings file; text\): .*expected string/,
    /^clientPort \(all\.clientPort in the settings file; port, 0 for any free one\): .*65535/,
    /^clientsMax \(TT_CLIENTS_MAX; count\): .*1000/,
    /^timeoutMs \(TT_DB_PROXY_TIMEOUT_MS; ms\): .*expected number/,
    /^queueMax \(db-proxy\.queueMax in the settings file; bytes\): .*expected int/,
    /^level \(TT_LEVEL; low \| high\): .*"low"\|"high"/,
    /^open \(all\.open in the settings file; yes or no\): ./,
    /^peers \(TT_PEERS; host:port, …\): expected host:port/,
    /^key \(TT_KEY; text\): needs at least 16 characters$/,
  ];
  const lines = complaints({ env, file });
  t.equal(lines.length, expected.length, lines.join('\n'));
  for (const [i, pattern] of expected.entries()) t.match(lines[i], pattern);

  t.same(
    complaints({ file: { msg: { colour: 'red' }, all: { colour: 'red' } } }),
    [],
    'what is not for us is not ours',
  );
  for (const file of [null, [], 7, 'text', { all: 7 }, { 'db-proxy': null }]) {
    t.throws(() => read({ file }), { name: 'SettingsError', message: /^settings file: expected \{/ });
  }
});

t.test('numbers', async (t) => {
  const some = count(1, 'some', 0, 100);
  for (const good of [5, '5', ' 5 ', '05']) t.equal(parsed(some, good), 5, JSON.stringify(good));
  // All of these are numbers to JavaScript, and mistakes to whoever wrote them.
  for (const wrong of [
    null,
    true,
    '',
    ' ',
    [],
    [5],
    {},
    '0x5',
    '5e0',
    '5.0',
    '5 s',
    'Infinity',
    Number.NaN,
    5.5,
    '+5',
  ]) {
    t.equal(parsed(some, wrong), undefined, JSON.stringify(wrong));
  }
  t.same(
    [0, 100, -1, 101].map((value) => parsed(some, value)),
    [0, 100, undefined, undefined],
  );
  t.same(
    [0, 65_535, -1, 65_536].map((value) => parsed(port(1, 'p'), value)),
    [0, 65_535, undefined, undefined],
  );
  t.same(
    [1, 0, 2 ** 31 - 1].map((value) => parsed(milliseconds(1, 'm'), value)),
    [1, undefined, 2 ** 31 - 1],
  );
  t.equal(parsed(milliseconds(1, 'm'), 2 ** 31), undefined, 'a timer that long would go off at once');
  t.same(
    [1, 0, 2 ** 40].map((value) => parsed(bytes(1, 'b'), value)),
    [1, undefined, 2 ** 40],
  );
  fc.assert(
    fc.property(fc.integer(), (value) => parsed(count(0, 'c'), `${value}`) === (value < 0 ? undefined : value)),
  );
});

t.test('flag and choice', async (t) => {
  for (const yes of [true, 'true', '1', 'yes']) t.equal(parsed(flag(false, 'f'), yes), true, `${yes}`);
  for (const no of [false, 'false', '0', 'no']) t.equal(parsed(flag(true, 'f'), no), false, `${no}`);
  for (const wrong of [1, 0, null, 'on', 'TRUE', ' yes', {}]) t.equal(parsed(flag(true, 'f'), wrong), undefined);
  const level = choice(['low', 'high'], 'low', 'how loud');
  t.equal(parsed(level, 'high'), 'high');
  for (const wrong of ['HIGH', '', 'toString', null, 1, ['low']]) t.equal(parsed(level, wrong), undefined);
});

t.test('addresses', async (t) => {
  const list = (value: unknown) => parsed(addresses('', 'who'), value)?.map(({ host, port }) => `${host} ${port}`);
  t.same(list('10.0.0.1:8000'), ['10.0.0.1 8000']);
  t.same(list(' msg-1.example.org:1 ,\tdb_proxy:65535,'), ['msg-1.example.org 1', 'db_proxy 65535']);
  t.same(list('[::1]:8000,[fe80::1%eth0]:8001,[::ffff:10.0.0.1]:8002'), [
    '::1 8000',
    'fe80::1%eth0 8001',
    '::ffff:10.0.0.1 8002',
  ]);
  t.same(list(' , '), [], 'none');
  const nonsense = [
    ...['host', 'host:', ':80', '8000', 'host:port', 'host:80:90', 'host 80', 'a b:80', 'host:-1', 'host:1.5'],
    ...['host:0', 'host:65536', 'host:99999', 'host:123456'],
    ...['::1', '::1:80', '[::1]', '[::1]80', '[::1:80', '::1]:80', '[]:80', '[host]:80', '[10.0.0.1]:80', '[g::1]:80'],
    ...['http://host:80', 'user@host:80', 'host:80/path', '127.0.0.1:80;127.0.0.1:81', 'good:80,bad'],
  ];
  for (const wrong of nonsense) t.equal(list(wrong), undefined, wrong);
  for (const wrong of [8000, null, ['host:80'], { host: 'host', port: 80 }]) t.equal(list(wrong), undefined);
  t.same(addresses('a:1,[::1]:2', 'who').default, [
    { host: 'a', port: 1 },
    { host: '::1', port: 2 },
  ]);
  t.throws(() => addresses('nonsense', 'who'), 'a wrong default is a mistake of ours');

  const host = fc.oneof(fc.domain(), fc.ipV4());
  const where = fc.tuple(fc.oneof(host, fc.ipV6()), fc.integer({ min: 1, max: 65_535 }));
  fc.assert(
    fc.property(fc.array(where, { minLength: 1 }), (all) => {
      const written = all.map(([host, port]) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`));
      return list(written.join(','))?.join() === all.map(([host, port]) => `${host} ${port}`).join();
    }),
  );
  fc.assert(fc.property(fc.string(), (anything) => list(anything)?.every((each) => / \d+$/.test(each)) ?? true));
});

t.test('names in the environment', async (t) => {
  t.equal(environmentName('msg', 'clientPort'), 'TT_MSG_CLIENT_PORT');
  t.equal(environmentName('', 'clientPort'), 'TT_CLIENT_PORT');
  t.equal(environmentName('db-proxy', 'advertisedIp1'), 'TT_DB_PROXY_ADVERTISED_IP1');
  t.equal(environmentName('', 'name'), 'TT_NAME');

  // A variable that means one thing to one server and another thing to the next would be a trap.
  const meanings = new Map([['TT_SETTINGS', 'the settings file']]);
  for (const [role, settings] of Object.entries(ROLES)) {
    for (const name of Object.keys(settings)) {
      for (const [variable, meaning] of [
        [environmentName(role, name), `${role}.${name}`],
        [environmentName('', name), name],
      ] as const) {
        t.equal(meanings.get(variable) ?? meaning, meaning, variable);
        meanings.set(variable, meaning);
      }
    }
  }
});

t.test('what the servers define', async (t) => {
  for (const [role, settings] of Object.entries(ROLES)) {
    t.match(settings, commonSettings, `${role} has what every server has`);
    for (const [name, { is, unit, default: value, doc, secret }] of Object.entries(settings)) {
      t.ok(unit !== '' && doc !== '', `${role}.${name} has a unit and a sentence`);
      if (Array.isArray(value) || value instanceof Map || secret) continue;
      t.same(is.safeParse(value).data, value, `${role}.${name} accepts its own default`);
    }
    t.ok(settings.clusterSecret?.secret);
    const secrets = Object.keys(settings).filter((name) => /secret|password|databaseUrl|masterKey$/i.test(name));
    for (const name of secrets) t.ok(settings[name]?.secret, `${role}.${name} is a secret`);
  }
});

t.test('secrets are not printed', async (t) => {
  const SECRET = 'hunter2-hunter2-hunter2';
  const withKey = read({ env: { TT_KEY: SECRET, TT_NAME: 'alice' } });
  t.equal(withKey.key, SECRET);
  const shown = printable(definitions, withKey);
  t.same(shown, { ...DEFAULTS, name: 'alice', key: '[secret]' });
  t.equal(printable(definitions, read({})).key, '[secret]', 'nor whether there is one');
  t.notMatch(JSON.stringify(shown), /hunter2/);

  const strict = { key: secret('too long for anybody', 100), level: definitions.level, open: definitions.open };
  const file = { x: { key: SECRET, level: SECRET, open: SECRET } };
  for (const sources of [{ env: {}, file }, { env: { TT_KEY: SECRET, TT_LEVEL: SECRET, TT_OPEN: SECRET } }]) {
    const refusal = refusalOf(() => readSettings('x', strict, sources));
    t.equal(refusal.split('\n').length, 4, 'all three are refused');
    t.notMatch(refusal, /hunter/);
  }
});

t.test('the settings file', async (t) => {
  const folder = t.testdir({
    'good.json': '{"all": {"logLevel": "warn"}}',
    'bad.json': '{"all": {"logLevel": "warn"} "msg": {}}',
    'bare.json': '{"all": {"clusterSecret": hunter2-hunter2-hunter2}}',
    'short.json': 'hunter2',
  });
  const before = process.env.TT_SETTINGS;
  t.teardown(() => {
    if (before === undefined) delete process.env.TT_SETTINGS;
    else process.env.TT_SETTINGS = before;
  });
  const sourcesWith = (path: string | undefined) => {
    if (path === undefined) delete process.env.TT_SETTINGS;
    else process.env.TT_SETTINGS = path;
    return sourcesOfProcess();
  };

  t.same(sourcesWith(`${folder}/good.json`).file, { all: { logLevel: 'warn' } });
  for (const none of [undefined, '']) t.equal(sourcesWith(none).file, undefined);
  t.equal(sourcesWith(undefined).env.PATH, process.env.PATH);

  for (const [name, reason] of [
    ['missing.json', /ENOENT/],
    ['bad.json', /JSON/],
    ['bare.json', /JSON/],
    ['short.json', /JSON/],
  ] as const) {
    const path = `${folder}/${name}`;
    const refusal = refusalOf(() => sourcesWith(path));
    t.match(refusal, reason);
    t.ok(refusal.startsWith(`settings file ${path} (TT_SETTINGS): `), refusal);
    t.notMatch(refusal, /nter/, 'what stands around the fault may be a secret');
  }
});

t.test('a secret may be in a file', async (t) => {
  const SECRET = 'hunter2-hunter2-hunter2';
  const folder = t.testdir({
    good: `${SECRET}\n`,
    windows: `${SECRET}\r\n`,
    bare: SECRET,
    short: 'hunter2',
    empty: '\n',
  });
  const at = (name: string) => `${folder}/${name}`;
  const keyOf = (env: Sources['env'], file?: unknown) => read({ env, ...(file !== undefined && { file }) }).key;

  for (const name of ['good', 'windows', 'bare']) t.equal(keyOf({ TT_KEY_FILE: at(name) }), SECRET, name);
  t.equal(keyOf({ TT_DB_PROXY_KEY_FILE: at('good'), TT_KEY: 'that of all the others' }), SECRET, 'of this server');
  t.equal(keyOf({ TT_KEY_FILE: at('good') }, { all: { key: 'the one in the settings file' } }), SECRET);
  t.equal(keyOf({ TT_KEY_FILE: '' }), '', 'empty counts as absent');
  t.equal(read({ env: { TT_NAME_FILE: at('good') } }).name, 'nobody', 'only secrets');

  const [line, ...none] = complaints({ env: { TT_KEY_FILE: at('short') } });
  t.equal(line, 'key (TT_KEY_FILE; text): needs at least 16 characters');
  t.same(none, []);
  t.match(complaints({ env: { TT_KEY_FILE: at('missing') } }), [/^key \(TT_KEY_FILE\): ENOENT.*missing/]);
  t.match(complaints({ env: { TT_KEY_FILE: folder } }), [/^key \(TT_KEY_FILE\): EISDIR/]);
  t.match(complaints({ env: { TT_KEY_FILE: at('empty') } }), [/^key \(TT_KEY_FILE\): .*empty is empty$/]);
  t.same(complaints({ env: { TT_KEY: SECRET, TT_KEY_FILE: at('good'), TT_CLIENTS_MAX: '0' } }).length, 2);
  t.match(complaints({ env: { TT_KEY: SECRET, TT_KEY_FILE: at('good') } }), [
    /^key: TT_KEY and TT_KEY_FILE are both set/,
  ]);

  t.test('of every server, for every secret', async (t) => {
    const path = join(t.testdir({ value: `redis://:${'a'.repeat(64)}@host:6379\n` }), 'value');
    for (const [role, settings] of Object.entries(ROLES)) {
      for (const name of Object.keys(settings).filter((each) => settings[each]?.secret)) {
        if (Object.hasOwn(settings, `${name}File`)) continue; // has a setting for that
        const env = { [`${environmentName(role, name)}_FILE`]: path };
        t.match(readSettings(role, settings, { env })[name], /^redis:/, `${role}.${name}`);
        t.same(unknownSettings(role, settings, { env }), []);
      }
      const taken = Object.keys(settings).filter((name) => settings[name]?.secret && settings[`${name}File`]);
      t.same(taken, role === 'db-proxy' ? ['masterKey'] : [], 'a path of its own means the same thing');
    }
  });
});

t.test('what looks like a setting and is none', async (t) => {
  const unknown = (sources: Partial<Sources>) => unknownSettings('db-proxy', definitions, { env: {}, ...sources });
  const env = {
    TT_DB_PROXY_CLIENT_PROT: '1',
    TT_DB_PROXY_CLIENT_PORT: '1',
    TT_DB_PROXY_KEY_FILE: '/a',
    TT_DB_PROXY_NAME_FILE: '/a',
    TT_CLIENT_PORT: '2',
    TT_MSG_COLOUR: 'red',
    TT_SETTINGS: '/b',
    PATH: '/bin',
  };
  t.same(unknown({ env }), ['TT_DB_PROXY_CLIENT_PROT', 'TT_DB_PROXY_NAME_FILE']);
  t.same(unknown({ file: { all: {}, msg: {}, 'db-proxy': {}, dbproxy: {} } }), ['dbproxy in the settings file']);
  t.same(unknown({ env: {} }), []);
  t.same(Object.keys(ROLES).sort(), [...SERVERS].sort(), 'all of them may have a section');

  // TT_LOGIN_SERVERS in the environment of all servers must not look like a mistake to the login server.
  const variables = Object.values(ROLES).flatMap((settings) =>
    Object.entries(settings).flatMap(([name, { secret }]) => {
      const variable = environmentName('', name);
      return secret ? [variable, `${variable}_FILE`] : [variable];
    }),
  );
  const all = Object.fromEntries(variables.map((name) => [name, 'x']));
  for (const [role, settings] of Object.entries(ROLES))
    t.same(unknownSettings(role, settings, { env: all }), [], `${role}: these belong into FOR_ALL`);
});
