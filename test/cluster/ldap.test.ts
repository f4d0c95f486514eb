/** People of a real LDAP server: signing in on the page and from a client, who is disabled there, and when it is not there. */
import { networkInterfaces } from 'node:os';
import { Attribute, Change } from 'ldapts';
import pg from 'pg';
import { pino } from 'pino';
import t from 'tap';
import { Client, type LoginRefused } from '../../common/client/client.js';
import { ImError } from '../../common/errors.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { login, message } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { readSettings, SettingsError } from '../../common/settings.js';
import type { MyPage } from '../../servers/admin/api.js';
import { Ldap } from '../../servers/db-proxy/ldap.js';
import { dbProxySettings } from '../../servers/db-proxy/settings.js';
import { testCertificate } from '../support/certificates.js';
import { TestCluster, until } from '../support/cluster.js';
import { Browser } from '../support/console.js';
import { listenTo, only } from '../support/frames.js';
import { testPostgres } from '../support/postgres.js';
import { MANAGER, PEOPLE, TestSlapd, whyNoSlapd } from '../support/slapd.js';

const skip = (await whyNoSlapd()) ?? false;
const FILTER = '(&(objectClass=inetOrgPerson)(!(employeeType=disabled)))';
const log = pino({ level: 'silent' });
const usual = readSettings('db-proxy', dbProxySettings, { env: {} });
const CAPABLE = { password: '', capabilities: ['token1', 'err1'] };

t.test('people of an LDAP server', { skip }, async (t) => {
  const certificate = await testCertificate(t);
  const slapd = await TestSlapd.start(t, { certificate: certificate.tlsCertificateFile, key: certificate.tlsKeyFile });
  const ldap = {
    ldapUrls: slapd.url,
    ldapBindDn: MANAGER.dn,
    ldapBindPassword: MANAGER.password,
    ldapBase: PEOPLE,
    ldapFilter: FILTER,
    ldapDepartmentAttribute: 'ou',
  };
  const postgres = await testPostgres(t);
  const cluster = await TestCluster.start(t, postgres, {
    console: {},
    dbProxy: { ...ldap, ldapRecheckMs: 1_000, directoryMatch: 'name', nameFailuresMax: 3 },
  });
  const [sales] = await cluster.storage.departments.add([{ name: 'Sales', priority: 1 }]);
  await slapd.add('lin', { displayName: 'Lin', ou: 'Sales' });
  await slapd.add('bob');
  await slapd.add('a*(b)\\c');
  const meta = new pg.Client(cluster.databaseUrl);
  await meta.connect();
  t.teardown(() => meta.end());

  const enter = (user: string, directoryPassword: string, more: object = {}): Promise<Client> =>
    cluster.login(user, { ...CAPABLE, deviceId: `${user} laptop`, directoryPassword, ...more });
  const codeOf = async (attempt: Promise<Client>): Promise<string> =>
    attempt.then(
      (client) => {
        client.close();
        return 'in';
      },
      (error: LoginRefused) => (error.name === 'LoginRefused' ? error.text : `${error.cause as Error}`),
    );
  const LIN = `cn=lin,${PEOPLE}`;
  const setType = (dn: string, values: string[]) =>
    slapd.asManager(async (client) => {
      const modification = new Attribute({ type: 'employeeType', values });
      await client.modify(dn, new Change({ operation: 'replace', modification }));
    });
  const WRONG = '用户名/密码错误';
  const LOCKED = '用户名/密码错误次数太多';

  await t.test('a client brings the password once, and a token from then on', async (t) => {
    const lin = await enter('lin', 'secret of lin');
    t.match(lin.userInfo, { userRealName: 'lin', userNickName: 'lin', email: 'lin@example.com', departmentId: sales });
    const { token } = lin.freshToken!;
    lin.close();
    const logs = await slapd.asManager((client) => client.search(PEOPLE, { scope: 'one' }));
    t.equal(logs.searchEntries.length, 3);
    const back = await cluster.login('lin', { ...CAPABLE, deviceId: 'lin laptop', token });
    t.equal(back.userId, lin.userId);
    const bob = await enter('bob', 'secret of bob');
    t.equal(bob.userId, 2, 'who is here under this name is meant, as the settings say');
    t.equal(await codeOf(cluster.login('bob')), 'in', 'with what he had before, too');
    t.equal(
      await codeOf(enter('lin', 'secret of lin', { capabilities: [] })),
      WRONG,
      'not without having asked for a token',
    );
    t.equal(await codeOf(enter('lin', 'secret of lin', { deviceId: '' })), WRONG, 'nor without a device');
    t.equal(await codeOf(cluster.login('lin', { password: 'secret of lin' })), WRONG, 'the MD5 of it is nothing');
    for (const table of ['meta.audit', 'meta.login_failure', 'meta.login_token', 'meta.users']) {
      const { rows } = await meta.query<{ row: string }>(`select x::text as row from ${table} x`);
      t.notOk(
        rows.some(({ row }) => row.includes('secret of')),
        `it is nowhere in ${table}`,
      );
    }
  });

  await t.test('what is typed is a value and no filter, and nothing is no password', async (t) => {
    t.equal(await codeOf(enter('a*(b)\\c', 'secret of a*(b)\\c')), 'in');
    for (const name of ['*', 'l*', 'lin)(uid=*', '*)(uid=*))(|(uid=*', '\\2a', 'nobody'])
      t.equal(await codeOf(enter(name, 'secret of lin')), WRONG, name);
    t.equal(await codeOf(enter('lin', '')), WRONG, 'the server itself would let him in as nobody');
    t.equal(await codeOf(enter('', 'secret of lin')), WRONG);
    t.equal(await codeOf(enter('lin', 'x'.repeat(257))), WRONG);
    await slapd.add('twin', { cn: 'first twin' });
    await slapd.asManager((client) =>
      client.add(`cn=second,${PEOPLE}`, {
        objectClass: ['inetOrgPerson'],
        uid: 'twin',
        sn: 'x',
        userPassword: 'secret of twin',
      }),
    );
    t.equal(await codeOf(enter('twin', 'secret of twin')), WRONG, 'nobody knows which of two is meant');
  });

  await t.test('guesses are counted by whom they are about, however he is written', async (t) => {
    await slapd.add('max');
    for (const name of ['max', 'MAX', ' max']) t.equal(await codeOf(enter(name, 'guess')), WRONG, name);
    t.equal(await codeOf(enter('max', 'guess')), LOCKED);
    t.equal(await codeOf(enter('Max', 'secret of max')), LOCKED, 'also with the right one');
    const browser = new Browser(cluster.consoleUrl);
    const asked = { name: 'max', password: 'secret of max' };
    t.equal((await browser.ask('POST', '/api/sign-in/ldap', asked)).body.code, 'LOCKED', 'and on the page');
    await meta.query('delete from meta.login_failure');
    t.equal(await codeOf(enter('max', 'secret of max')), 'in');
  });

  await t.test('the page takes the password, too', async (t) => {
    const browser = new Browser(cluster.consoleUrl);
    t.match((await browser.ask('GET', '/api/sign-in')).body, { oidc: false, ldap: true });
    const wrong = await browser.ask('POST', '/api/sign-in/ldap', { name: 'lin', password: 'wrong' });
    t.match([wrong.status, wrong.body.code], [403, 'WRONG_PASSWORD']);
    t.equal((await browser.ask('POST', '/api/sign-in/ldap', { name: 'lin', password: '' })).status, 400);
    const answer = await browser.ask('POST', '/api/sign-in/ldap', { name: 'lin', password: 'secret of lin' });
    t.equal(answer.status, 200);
    const [cookie] = answer.headers.getSetCookie();
    t.match(cookie, /HttpOnly; SameSite=Strict/);
    browser.cookie = cookie!.split(';')[0]!;
    t.match((await browser.ask<MyPage>('GET', '/api/me')).body, { name: 'lin', source: 'ldap', devices: [{}] });
  });

  await t.test('who is disabled there is out here soon, and back when he is', async (t) => {
    const lin = await enter('lin', 'secret of lin', { deviceId: 'phone', leaveWhenKicked: false });
    const { token } = lin.freshToken!;
    const bob = await cluster.login('bob');
    await setType(LIN, ['disabled']);
    await lin.next(login.kick, undefined, 60_000);
    const back = () => cluster.login('lin', { ...CAPABLE, deviceId: 'phone', token });
    t.equal(await codeOf(back()), '请重新登录公司账号');
    t.equal(await codeOf(enter('lin', 'secret of lin')), WRONG);
    t.notOk(bob.isClosed, 'nobody else noticed');
    await setType(LIN, []);
    await until(async () => (await codeOf(back())) === 'in', 'him to be known again', 60_000);
    const { rows } = await meta.query("select action from meta.audit where action like 'user.directory-%' order by id");
    t.same(rows, [{ action: 'user.directory-gone' }, { action: 'user.directory-back' }]);
  });

  await t.test('a directory that knows nobody at all puts nobody out', async (t) => {
    const lin = await enter('lin', 'secret of lin', { deviceId: 'phone' });
    const count = async (which: string, since = new Date(0)) => {
      const text = `select i.gone from meta.identity i join meta.users u on u.id = i.user_id where ${which} and i.asked > $1`;
      return (await meta.query(text, [since])).rows.length;
    };
    const { searchEntries } = await slapd.asManager((client) => client.search(PEOPLE, { filter: FILTER }));
    const everybody = [...searchEntries.map(({ dn }) => dn).filter((dn) => dn !== LIN), LIN];
    for (const dn of everybody) await setType(dn, ['disabled']); // him last: before that he is one of some
    for (const turn of ['first', 'second'] as const) {
      const since = new Date();
      await until(
        async () => (await count("u.name = 'lin'", since)) > 0,
        `it to be asked for the ${turn} time`,
        60_000,
      );
    }
    t.notOk(lin.isClosed, 'what was said the first time has been dealt with');
    t.equal(await count("u.name = 'lin' and i.gone"), 0);
    for (const dn of everybody) await setType(dn, []);
    await until(async () => (await count('i.gone')) === 0, 'all to be known again', 60_000);
  });

  await t.test('when it does not answer, people of ours go on, and those who have a token', async (t) => {
    const lin = await enter('lin', 'secret of lin', { deviceId: 'tablet' });
    const { token } = lin.freshToken!;
    await slapd.stop();
    const UNAVAILABLE = /DIRECTORY_UNAVAILABLE/;
    t.match(await codeOf(enter('lin', 'secret of lin')), UNAVAILABLE);
    t.equal(await codeOf(cluster.login('alice')), 'in');
    t.equal(await codeOf(cluster.login('lin', { ...CAPABLE, deviceId: 'tablet', token })), 'in');
    const { rows } = await meta.query("select 1 from meta.login_failure where user_name like 'ldap%'");
    t.equal(rows.length, 0, 'it counts as nobody’s failure');
    await slapd.start();
    await until(async () => (await codeOf(enter('lin', 'secret of lin'))) === 'in', 'it to be asked again', 60_000);
  });

  await t.test('a password goes over no network in the clear', async (t) => {
    const plain = await TestCluster.start(t, postgres, { msg: { host: '0.0.0.0' }, dbProxy: ldap });
    const address = Object.values(networkInterfaces())
      .flat()
      .find((each) => each !== undefined && !each.internal && each.family === 'IPv4')?.address;
    if (address === undefined) {
      t.pass('this machine has no address but loopback, so nobody comes from elsewhere');
      return;
    }
    const client = await Client.connect({ host: address, port: plain.msg[0]!.port });
    const frames = listenTo(client);
    const asked = { userName: 'lin', password: '', onlineStatus: 1, clientType: 1, capabilities: ['token1', 'err1'] };
    client.sendFrame(encodeFrame(login.enter, 7, { ...asked, deviceId: 'd', clearPassword: 'secret of lin' }));
    await until(() => only(frames, login.enter.reply).length > 0, 'the answer');
    const error = IM.Message.IMError.decode(only(frames, message.error)[0]!.body);
    t.match(error, { code: 'NOT_ALLOWED', text: 'clear_password: this connection is not encrypted' });
    await client.closed;
  });

  await t.test('StartTLS and what goes wrong with it', async (t) => {
    const ask = async (over: Partial<typeof usual>) => {
      const found = await Ldap.of({ ...usual, ...ldap, ...over }, log)!
        .find('lin')
        .catch((error: Error) => error);
      return found instanceof ImError ? found.code : (found as { name: string } | undefined)?.name;
    };
    const tls = { ldapStartTls: true, ldapCaFile: certificate.tlsCertificateFile };
    t.equal(await ask(tls), 'lin');
    t.equal(await ask({ ldapStartTls: true }), 'DIRECTORY_UNAVAILABLE', 'a certificate that nobody knows');
    t.equal(await ask({ ldapBindPassword: 'wrong' }), 'DIRECTORY_UNAVAILABLE');
    t.equal(await ask({ ldapBase: 'dc=nowhere' }), 'DIRECTORY_UNAVAILABLE');
    t.equal(await ask({ ldapUrls: `ldap://127.0.0.1:1, ${slapd.url}` }), 'lin', 'the next one answers');
    const silent = { ...usual, ...ldap, ldapTimeoutMs: 300 };
    const one = Ldap.of(silent, log)!;
    await slapd.pause();
    t.teardown(() => slapd.resume());
    await t.rejects(one.find('lin'), { code: 'DIRECTORY_UNAVAILABLE' });
    await t.rejects(one.find('lin'), { code: 'DIRECTORY_UNAVAILABLE', detail: /no answer within/ }, 'at once, by then');
  });
});

t.test('wrong settings stop the start', async (t) => {
  const right = { ...usual, ldapUrls: 'ldaps://ldap.example.com', ldapBase: 'dc=example' };
  t.ok(Ldap.of(right, log));
  t.equal(Ldap.of(usual, log), undefined);
  const cases: [Partial<typeof usual>, RegExp][] = [
    [{ ldapBase: '' }, /ldapBase/],
    [{ ldapBindDn: 'cn=reader' }, /ldapBindPassword/],
    [{ ldapUrls: 'ldap://ldap.example.com' }, /in the clear/],
    [{ ldapUrls: 'ldap://127.example.com' }, /in the clear/],
    [{ ldapCaFile: '/nowhere/ca.pem' }, /ldapCaFile/],
  ];
  for (const [over, reason] of cases) {
    t.throws(() => Ldap.of({ ...right, ...over }, log), reason);
    t.throws(() => Ldap.of({ ...right, ...over }, log), SettingsError);
  }
  const read = (name: string, value: string) => () =>
    readSettings('db-proxy', dbProxySettings, { env: { [name]: value } });
  t.throws(read('TT_DB_PROXY_LDAP_URLS', 'http://ldap'), /ldapUrls/);
  t.throws(read('TT_DB_PROXY_LDAP_URLS', 'ldap://user:password@host'), /ldapUrls/);
  t.throws(read('TT_DB_PROXY_LDAP_FILTER', '(&(x=y)'), /ldapFilter/);
  t.throws(read('TT_DB_PROXY_LDAP_NAME_ATTRIBUTE', 'uid)('), /ldapNameAttribute/);
});
